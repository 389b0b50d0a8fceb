"""Texts that say the same again: loops of a language model, and queries that copy the description."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from pipeline.config import CheckSettings
from pipeline.models.replies import Refusal
from pipeline.synth.tokens import tokens

N = 3  # words of a phrase
MIN_PHRASES = 10  # of a text whose repeated share says anything
MIN_COPIED_WORDS = 8  # a shorter query has few ways to be put otherwise


def degenerate(texts: Mapping[str, str | None], limits: CheckSettings) -> Refusal | None:
    """The first text that runs in a loop: a word or a letter many times in a row, or the same phrases throughout.

    texts: by what the reject calls them. After the repetition filters of Rae et al., "Scaling Language Models"
    (Gopher), 2021, appendix A1.1.
    """
    for name, text in texts.items():
        said = tokens(text or "")
        word, count = longest_run(said)
        if count > limits.max_word_run:
            return "degenerate_text", f"{name}: {word!r} {count} times in a row, limit {limits.max_word_run}"
        letter, count = longest_run([c if c.isalpha() else "" for c in text or ""])
        if count > limits.max_letter_run:
            return "degenerate_text", f"{name}: {letter!r} {count} times in a row, limit {limits.max_letter_run}"
        share = repeated_share(said)
        if share > limits.max_repeated_share:
            shown = f"{share:.2f} of its phrases of {N} words stand there before"
            return "degenerate_text", f"{name}: {shown}, limit {limits.max_repeated_share:g}"
    return None


def copied(description: str, query: str | None, limits: CheckSettings) -> Refusal | None:
    """A query most of whose phrases stand word for word in the description that it was written from."""
    said = tokens(query or "")
    if len(said) < MIN_COPIED_WORDS:
        return None
    phrases, known = _phrases(said), set(_phrases(tokens(description)))
    share = sum(p in known for p in phrases) / len(phrases)
    if share <= limits.max_copied_share:
        return None
    return "query_copies_description", f"{share:.2f} of its phrases of {N} words, limit {limits.max_copied_share:g}"


def longest_run(items: Sequence[str]) -> tuple[str, int]:
    """The item that stands most often in a row, and how often; empty items count for nothing."""
    runs = [(item, sum(1 for _ in group)) for item, group in groupby(items) if item]
    return max(runs, key=lambda run: run[1], default=("", 0))


def repeated_share(said: Sequence[str]) -> float:
    """Share of a text's phrases of N words that stand earlier in it, 0..1; 0 of a text with few."""
    phrases = _phrases(said)
    return 1 - len(set(phrases)) / len(phrases) if len(phrases) >= MIN_PHRASES else 0.0


def _phrases(said: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(said[i : i + N]) for i in range(len(said) - N + 1)]
