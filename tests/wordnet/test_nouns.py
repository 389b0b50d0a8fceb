from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.wordnet.nouns import NOUNS, TABLE, related

WORDS = ["dog", "golden retriever", "puppy", "animal", "cat", "beach", "shore", "car", "automobile", "red", "xyzzy"]


def kin(*texts: str | None) -> list[tuple[int, int]]:
    """Positions of related texts, the smaller first."""
    found = related(pa.array(texts, pa.string()))
    keys, noun = set(found.pairs.tolist()), found.noun.tolist()
    every = [(a, b) for b in range(len(texts)) for a in range(b) if noun[a] >= 0 and noun[b] >= 0]
    return [(a, b) for a, b in every if noun[a] * found.count + noun[b] in keys]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("dog", "golden retriever"),
        ("A golden retriever.", "Dogs"),
        ("animal", "golden retriever"),
        ("car", "automobile"),
        ("women", "woman"),
        ("cherries", "the cherry"),
        ("Eiffel Tower", "tower"),
        ("smooth newts", "newt"),  # a compound that is not there
        ("a big old red car", "vehicle"),
    ],
)
def test_synonyms_and_kinds_of_are_related(one: str, other: str) -> None:
    assert kin(one, other) == [(0, 1)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("golden retriever", "poodle"),
        ("beach", "desert"),
        ("xyzzy", "xyzzy"),
        ("piano", "guitar"),
        ("blue car", "red car"),
        ("ear of xyzzy grain", "grain"),
        ("somebody is walking dog", "dog"),
    ],
)
def test_siblings_strangers_and_what_is_no_noun_are_not(one: str, other: str) -> None:
    assert kin(one, other) == []


def test_texts_that_name_one_noun_are_related_and_long_ones_or_none_are_no_nouns() -> None:
    assert kin("Dog", "dogs", None, "dog " * 40) == [(0, 1)]
    found = related(pa.array([None, "no such thing at all"], pa.string()))
    assert (found.noun.tolist(), found.count) == ([-1, -1], 0)
    assert related(pa.array([], pa.string())).count == 0


def plain() -> dict[str, set[int]]:
    """Of each word of WORDS the synsets that it means, and of each the synsets at or above those."""
    rows = pq.read_table(TABLE).to_pylist()
    own = {w: {i for i, r in enumerate(rows) if w in r["lemmas"]} for w in WORDS}
    above = {}
    for word, meanings in own.items():
        seen, waiting = set(meanings), list(meanings)
        while waiting:
            new = set(rows[waiting.pop()]["hypernyms"]) - seen
            seen |= new
            waiting += new
        above[word] = seen
    return {**{f"own {w}": s for w, s in own.items()}, **{f"above {w}": s for w, s in above.items()}}


PLAIN = plain()


@settings(max_examples=30)
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=8))
def test_relations_agree_with_a_plain_walk(texts: list[str]) -> None:
    expected = [
        (a, b)
        for b in range(len(texts))
        for a in range(b)
        if PLAIN[f"own {texts[a]}"] & PLAIN[f"above {texts[b]}"]
        or PLAIN[f"own {texts[b]}"] & PLAIN[f"above {texts[a]}"]
    ]
    assert kin(*texts) == expected


def test_the_table_ships_with_its_notice_and_stays_small() -> None:
    schema = pq.read_schema(TABLE)
    assert schema.equals(NOUNS)
    assert b"Princeton University" in (schema.metadata or {})[b"notice"]
    assert TABLE.stat().st_size < 1_000_000
