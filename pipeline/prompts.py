"""Renders the templates of prompts/. What comes from media is data, never template code or instruction."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from jinja2 import FunctionLoader, StrictUndefined
from jinja2.meta import find_referenced_templates
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pipeline.errors import ConfigError
from pipeline.resources import read_prompt_text

LANGUAGES = {
    "ar": "Arabic",
    "bn": "Bengali",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "fa": "Persian",
    "fi": "Finnish",
    "fr": "French",
    "he": "Hebrew",
    "hi": "Hindi",
    "hu": "Hungarian",
    "id": "Indonesian",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "nl": "Dutch",
    "no": "Norwegian",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sv": "Swedish",
    "th": "Thai",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "vi": "Vietnamese",
    "zh": "Chinese",
}

# Languages whose texts `synth/checks.py` counts by the character, as they put no space between words.
_WITHOUT_SPACES = {"ja", "th", "zh"}


def _readable(value: object, **options: Any) -> str:
    """JSON in the letters of every script, which a model reads better than their escapes; what is not
    printable (controls, marks that turn the direction of text, line separators) stays escaped."""
    text = json.dumps(value, ensure_ascii=False, **options)
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


# No autoescape: prompts are plain text. Templates pass every foreign value through `tojson`,
# which also writes <, > and & as escapes, so no value can close the block it stands in.
_ENVIRONMENT = ImmutableSandboxedEnvironment(
    loader=FunctionLoader(read_prompt_text),
    undefined=StrictUndefined,
    autoescape=False,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.policies["json.dumps_kwargs"] = {"sort_keys": False}
_ENVIRONMENT.policies["json.dumps_function"] = _readable


def language_name(code: str) -> str:
    """The English name of an ISO 639-1 code. Raises ConfigError for one that is not in the list."""
    try:
        return LANGUAGES[code]
    except KeyError as error:
        raise ConfigError(f"synth.languages: {code!r} is not one of {', '.join(LANGUAGES)}") from error


def word_unit(code: str) -> str:
    """In what the length of a text of this language is limited."""
    return "characters" if code in _WITHOUT_SPACES else "words"


def render(template: str, **context: Any) -> str:
    """Fill a template of prompts/. Raises jinja2.UndefinedError when it needs a value not given."""
    return _ENVIRONMENT.get_template(template).render(**context).strip() + "\n"


def prompt_hash(template: str) -> str:
    """Changes when the text of a template, or of one that it extends or imports, does."""
    text = "\0".join(read_prompt_text(name) for name in _with_parts(template))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _with_parts(template: str) -> list[str]:
    """A template and, in a fixed order, all that it refers to by name."""
    found = [template]
    for name in found:  # grows on the way
        referred = sorted({n for n in find_referenced_templates(_ENVIRONMENT.parse(read_prompt_text(name))) if n})
        found += [n for n in referred if n not in found]
    return found
