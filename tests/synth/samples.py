"""Assets by hand: what was measured on them is stated here and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa

from pipeline.config import FactSettings
from pipeline.media.facts import Facts
from pipeline.models.protocols import TextLine
from pipeline.schemas import ASSETS
from pipeline.synth.claims import Guess, Seen

LIMITS = FactSettings(min_label_probability=0.6)
# Mid-grey light, no large colour, equal halves, no text: nothing can be said of it.
PLAIN = Facts(
    colours=(("brown", 0.2), ("grey", 0.2), ("green", 0.2), ("blue", 0.2), ("white", 0.2)),
    luma=120.0,
    luma_halves=(120.0, 120.0, 120.0, 120.0),
    luma_first=120.0,
    luma_last=120.0,
    grey_chroma=2.0,
    grey=False,
    text=(),
    motion=None,
    change=None,
    frames=1,
)
GREEN = replace(PLAIN, colours=(("green", 0.8), ("brown", 0.15), ("white", 0.05)))
NIGHT = replace(PLAIN, colours=(("black", 0.9), ("blue", 0.1)), luma=20.0, luma_first=20.0, luma_last=22.0)
SNOW = replace(PLAIN, colours=(("white", 0.9), ("grey", 0.1)), luma=220.0, luma_first=220.0, luma_last=221.0)


def lines(*texts: str, confidence: float = 0.97, share: float = 0.02) -> tuple[TextLine, ...]:
    return tuple(TextLine(t, confidence, share) for t in texts)


def guess(name: str, probability: float, confusable: str | None = None) -> dict[str, Any]:
    return {
        "class_id": 1,
        "name": name,
        "probability": probability,
        "gloss": f"definition of what {name[::-1]} is",
        "confusable": confusable,
        "confusable_gloss": confusable and f"definition of what {confusable[::-1]} is",
    }


CAT = [guess("tabby", 0.9, "lynx"), guess("beagle", 0.02)]
DOG = [guess("beagle", 0.9, "foxhound"), guess("tabby", 0.02)]
UNSURE = [guess("tabby", 0.3, "lynx"), guess("beagle", 0.2)]


def seen(facts: Facts = PLAIN, labels: list[dict[str, Any]] | None = None) -> Seen:
    names = Guess.__dataclass_fields__
    return Seen(facts, tuple(Guess(**{n: g[n] for n in names}) for g in labels or []))


def asset(
    asset_id: str, facts: Facts | None = PLAIN, labels: list[dict[str, Any]] | None = None, media: str = "image"
) -> dict[str, Any]:
    return {
        "asset_id": asset_id,
        "uri": f"{asset_id}.png",
        "media": media,
        "sha256": asset_id,
        "category": "Natural/animal",
        "description": "What is known.",
        "facts": None if facts is None else facts.to_json(),
        "labels": labels or [],
    }


def clip(
    asset_id: str,
    file: str,
    start_s: float,
    end_s: float,
    facts: Facts = PLAIN,
    labels: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    place = {"uri": f"{file}.mp4", "sha256": file, "start_s": start_s, "end_s": end_s, "duration_s": 100.0}
    return {**asset(asset_id, facts, labels, "video"), **place}


def pool(*assets: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(assets), schema=ASSETS)
