"""Reads WordNet's database files and walks its hypernyms; used by the scripts that make tables only."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import DataError


@dataclass(frozen=True)
class Synset:
    """One meaning: its words, its direct hypernyms (offsets), its definition without examples."""

    lemmas: tuple[str, ...]
    hypernyms: tuple[str, ...]
    gloss: str


def read_wordnet(folder: Path) -> dict[str, Synset]:
    """Parse `data.noun` (format: WordNet manual, wndb(5WN)); keys are byte offsets."""
    synsets = {}
    for line in (folder / "data.noun").read_text(encoding="utf-8").splitlines():
        if line.startswith("  "):  # licence
            continue
        data, _, gloss = line.partition(" | ")
        fields = data.split(" ")
        words = int(fields[3], 16)
        lemmas = tuple(fields[4 + 2 * i].replace("_", " ") for i in range(words))
        at = 5 + 2 * words
        pointers = [fields[at + 4 * i : at + 4 * i + 3] for i in range(int(fields[at - 1]))]
        hypernyms = tuple(offset for symbol, offset, part in pointers if symbol in ("@", "@i") and part == "n")
        definition: str = re.split(r'[;:]? "', gloss.strip())[0]
        definition = re.sub(r"^\([^)]*\) ", "", definition.strip(" ;."))  # "(plural)", "(used of tires)"
        synsets[fields[0]] = Synset(lemmas, hypernyms, definition)
    return synsets


def _overlap(a: Iterable[str], b: Iterable[str]) -> float:
    """Jaccard index of two sets of words, 0..1."""
    x, y = set(a), set(b)
    return len(x & y) / max(1, len(x | y))


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


def match(names: Sequence[str], definition: str, synsets: dict[str, Synset], index: dict[str, set[str]]) -> str:
    """The offset of the synset with most of these lemmas and most words of this definition."""
    lemmas = [n.lower() for n in names]
    candidates = sorted(set().union(*(index.get(n, set()) for n in lemmas)))
    if not candidates:
        raise DataError(f"WordNet has none of the words {names}")

    def score(offset: str) -> float:
        s = synsets[offset]
        return _overlap(lemmas, (x.lower() for x in s.lemmas)) + _overlap(_words(definition), _words(s.gloss))

    return max(candidates, key=score)


def ancestors(offset: str, synsets: dict[str, Synset]) -> list[set[str]]:
    """Levels of the hypernym graph above a synset: direct parents first, each synset once."""
    levels: list[set[str]] = []
    seen: set[str] = set()
    level = set(synsets[offset].hypernyms)
    while level:
        levels.append(level)
        seen |= level
        level = {h for o in level for h in synsets[o].hypernyms} - seen
    return levels


def path(offset: str, synsets: dict[str, Synset]) -> list[str]:
    """First lemmas of the first hypernyms, from the direct parent to the root."""
    names = []
    while synsets[offset].hypernyms:
        offset = synsets[offset].hypernyms[0]
        names.append(synsets[offset].lemmas[0])
    return names


def spoken(synsets: dict[str, Synset]) -> dict[str, set[str]]:
    """The offsets of each lemma, in lower case."""
    index: dict[str, set[str]] = defaultdict(set)
    for offset, synset in synsets.items():
        for lemma in synset.lemmas:
            index[lemma.lower()].add(offset)
    return index


def sense(lemma: str, words: str, synsets: dict[str, Synset], index: dict[str, set[str]]) -> str:
    """The synset of a lemma whose gloss holds `words`. Raises DataError unless there is one."""
    found = [o for o in sorted(index.get(lemma.lower(), ())) if words in synsets[o].gloss]
    if not found:
        glosses = [synsets[o].gloss for o in sorted(index.get(lemma.lower(), ()))]
        raise DataError(f"WordNet has no {lemma!r} with {words!r} in its gloss; it has {glosses}")
    return found[0]
