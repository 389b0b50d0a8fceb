"""One honest paragraph about an asset from what was measured on it."""

from __future__ import annotations

from typing import Any

from pipeline.config import FactSettings
from pipeline.media.facts import MUCH_CHANGE, NO_MOTION, Facts

SHOWN_COLOURS = 2
SHOWN_LINES = 3


def describe(facts: Facts, labels: list[dict[str, Any]], category: str, media: str, limits: FactSettings) -> str:
    """Say what the classifier sees and what was measured; claim nothing else.

    labels: most probable first, fields of schemas.LABEL_GUESS. limits: from where a class is sure
    enough to be named and text to be quoted.
    """
    best, kind = labels[0], category.split("/")[-1]
    # A class the classifier is not sure of, or its parent, would be an invention.
    subject = f"{best['name']} ({kind})" if best["probability"] >= limits.min_label_probability else kind
    sentences = [f"{subject[:1].upper()}{subject[1:]}."]
    colours = [name for name, share in facts.colours[:SHOWN_COLOURS] if share >= 0.15]
    if facts.grey:
        sentences.append("Black and white.")
    elif colours:
        sentences.append(f"Mostly {' and '.join(colours)}.")
    lines = [line.text for line in facts.text if line.confidence >= limits.min_text_confidence][:SHOWN_LINES]
    if lines:
        sentences.append(f"Text reads: {' / '.join(lines)}.")
    if media == "video" and facts.motion is not None and facts.change is not None:
        sentences.append(
            "Little change." if facts.motion <= NO_MOTION else "Much change." if facts.change >= MUCH_CHANGE else ""
        )
    return " ".join(s for s in sentences if s)
