"""How a reply is held to a JSON schema: the ways that servers know, best first."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]

_NAME = "answer"
_BOUNDS = frozenset(
    {
        *("minLength", "maxLength", "pattern", "format", "minItems", "maxItems", "uniqueItems"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    }
)
_NAMED = ("properties", "$defs")  # what stands below are names of the schema's own, not keywords
_FENCE = re.compile(r"\s*```(?:json)?[ \t]*\n(.*)\n[ \t]*```\s*", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class Format:
    """One way.

    fields: of the request's body. told: the schema stands in the prompt as well. constrained: decoding can only
    give JSON, so that any other reply shows that the server ignores `fields`.
    """

    name: str
    fields: Callable[[Schema], dict[str, Any]]
    told: bool = False
    constrained: bool = False


def without_bounds(schema: Any) -> Any:
    """A JSON schema without lengths, ranges and patterns."""
    if isinstance(schema, list):
        return [without_bounds(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: {name: without_bounds(one) for name, one in value.items()} if key in _NAMED else without_bounds(value)
        for key, value in schema.items()
        if key not in _BOUNDS
    }


def _json_schema(schema: Schema) -> dict[str, Any]:
    wanted = {"name": _NAME, "schema": schema, "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": wanted}}


LADDER = (
    Format("json_schema", _json_schema, constrained=True),
    # Old vLLM, before `response_format` could hold a schema. New vLLM ignores the field without a word.
    Format("guided_json", lambda schema: {"guided_json": schema}, constrained=True),
    # Hosted servers refuse schemas with keywords that they do not decode by.
    Format("json_schema_bare", lambda schema: _json_schema(without_bounds(schema)), constrained=True),
    Format("json_object", lambda _: {"response_format": {"type": "json_object"}}, told=True),
    Format("prompt", lambda _: {}, told=True),
)


def instruction(schema: Schema) -> str:
    """What is told to a model whose decoding is not constrained."""
    return f"Answer with one JSON object that is valid against this JSON schema:\n{json.dumps(schema)}\n"


def unfenced(text: str) -> str:
    """What stands inside a code fence that holds the whole text; any other text as it is."""
    found = _FENCE.fullmatch(text)
    return text if found is None else found[1]
