from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import GuardSettings
from pipeline.mine.guards import NAMES, Documents, Guards, hits_by_name
from pipeline.mine.pool import FREE
from pipeline.mine.ragged import Ragged

NO_SPAN = float("nan")
NAMED = {**NAMES, FREE: "free"}


@dataclass(frozen=True)
class Doc:
    content: int
    group: int
    source: int = -1
    start: float = NO_SPAN
    end: float = NO_SPAN


def guards(
    docs: list[Doc], positives: list[set[int]], queries: list[int], moments: bool = False, **settings: bool
) -> Guards:
    table = Documents(
        np.array([d.content for d in docs]),
        np.array([d.group for d in docs]),
        np.array([d.source for d in docs]),
        np.array([d.start for d in docs]),
        np.array([d.end for d in docs]),
    )
    rows = np.array([q for q, held in enumerate(positives) for _ in held], np.int64)
    held = Ragged.from_pairs(rows, np.array([d for h in positives for d in h], np.int64), len(positives))
    return Guards(np.array(queries), held, table, moments, GuardSettings(**settings))


def verdict(guard: Guards, query: int, document: int) -> str:
    return NAMED[int(guard.codes(np.array([query]), np.array([document]))[0])]


def test_positive_of_a_query_with_the_same_content_is_forbidden() -> None:
    docs = [Doc(0, 0), Doc(1, 1), Doc(2, 2)]
    guard = guards(docs, [{0}, {1}, {2}], queries=[7, 7, 3])
    assert verdict(guard, 0, 1) == "same_query"
    assert verdict(guard, 0, 2) == "free"
    assert verdict(guards(docs, [{0}, {1}, {2}], [7, 7, 3], same_query=False), 0, 1) == "free"


def test_document_with_a_positives_content_is_forbidden_whatever_the_settings() -> None:
    docs = [Doc(5, 0), Doc(5, 1), Doc(6, 2)]
    for on in (True, False):
        guard = guards(docs, [{0}], [0], near_duplicate=on, same_query=on, same_source=on)
        assert verdict(guard, 0, 1) == "same_content"
        assert verdict(guard, 0, 2) == "free"


def test_document_in_a_positives_near_duplicate_group_is_forbidden() -> None:
    docs = [Doc(0, 0), Doc(1, 0), Doc(2, 2)]
    assert verdict(guards(docs, [{0}], [0]), 0, 1) == "near_duplicate"
    assert verdict(guards(docs, [{0}], [0], near_duplicate=False), 0, 1) == "free"


def test_document_cut_from_a_positives_file_is_forbidden() -> None:
    docs = [Doc(0, 0, source=4, start=0, end=1), Doc(1, 1, source=4, start=5, end=6), Doc(2, 2, source=9), Doc(3, 3)]
    guard = guards(docs, [{0}], [0])
    assert [verdict(guard, 0, d) for d in (1, 2, 3)] == ["same_source", "free", "free"]
    assert verdict(guards(docs, [{0}], [0], same_source=False), 0, 1) == "free"


def test_texts_without_a_source_never_share_one() -> None:
    assert verdict(guards([Doc(0, 0), Doc(1, 1)], [{0}], [0]), 0, 1) == "free"


def test_moments_of_one_file_need_a_gap_to_every_positive() -> None:
    docs = [
        Doc(0, 0, 4, 10.0, 12.0),  # positive
        Doc(1, 1, 4, 20.0, 22.0),  # positive too
        Doc(2, 2, 4, 12.0, 14.0),  # touches the first
        Doc(3, 3, 4, 12.5, 14.0),  # a gap to both
        Doc(4, 4, 4, 13.0, 20.5),  # overlaps the second
        Doc(5, 5, 4, 0.0, 9.9),  # a gap before the first
        Doc(6, 6, 4),  # no span
        Doc(7, 7, 8, 10.0, 12.0),  # another file
    ]
    guard = guards(docs, [{0, 1}], [0], moments=True)
    free = [d for d in range(2, 8) if verdict(guard, 0, d) == "free"]
    assert free == [3, 5, 7]
    assert verdict(guards(docs, [{0, 1}], [0], moments=False), 0, 3) == "same_source"


def test_guards_speak_in_a_fixed_order() -> None:
    docs = [Doc(5, 0, 4), Doc(5, 0, 4)]
    assert verdict(guards(docs, [{0}, {1}], [7, 7]), 0, 1) == "same_query"
    assert verdict(guards(docs, [{0}], [7]), 0, 1) == "same_content"
    assert verdict(guards([Doc(5, 0, 4), Doc(6, 0, 4)], [{0}], [7]), 0, 1) == "near_duplicate"
    assert list(NAMES.values()) == [
        "labelled_positive",
        "same_query",
        "same_content",
        "near_duplicate",
        "same_source",
        "undecided",
    ]


def test_a_pair_that_synthesis_left_undecided_is_forbidden() -> None:
    plain = guards([Doc(0, 0), Doc(1, 1), Doc(2, 2)], [{0}, {0}], [0, 1])
    pair = np.array([1 * 3 + 2])  # query 1, document 2
    guard = Guards(
        np.array([0, 1]),
        Ragged.from_pairs(np.array([0]), np.array([0]), 2),
        plain.documents,
        False,
        plain.settings,
        pair,
    )
    assert [verdict(guard, q, 2) for q in (0, 1)] == ["free", "undecided"]
    assert verdict(guard, 1, 1) == "free"


def test_hits_have_every_guards_name() -> None:
    assert hits_by_name(np.arange(256)) == dict(zip(NAMES.values(), NAMES, strict=True))


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Doc], list[set[int]], list[int], bool]:
    n, q = draw(st.integers(1, 8)), draw(st.integers(1, 4))
    label = st.integers(0, 3)
    span = st.tuples(st.integers(0, 6), st.integers(1, 3)).map(lambda s: (float(s[0]), float(s[0] + s[1])))
    docs = [Doc(draw(label), draw(label), draw(st.integers(-1, 2)), *draw(span)) for _ in range(n)]
    held = [draw(st.sets(st.integers(0, n - 1), max_size=3)) for _ in range(q)]
    return docs, held, [draw(st.integers(0, 2)) for _ in range(q)], draw(st.booleans())


@given(cases())
def test_guards_agree_with_a_plain_loop(case: tuple[list[Doc], list[set[int]], list[int], bool]) -> None:
    docs, held, queries, moments = case
    guard = guards(docs, held, queries, moments)
    for q in range(len(queries)):
        right = {d for other, owned in enumerate(held) if queries[other] == queries[q] for d in owned}
        for d, doc in enumerate(docs):
            if d in held[q]:
                continue  # the rule's own matter

            def near(p: Doc, doc: Doc = doc) -> bool:
                apart = doc.start > p.end or doc.end < p.start
                return p.source == doc.source != -1 and not (moments and apart)

            expected = (
                "same_query"
                if d in right
                else "same_content"
                if any(docs[p].content == doc.content for p in right)
                else "near_duplicate"
                if any(docs[p].group == doc.group for p in right)
                else "same_source"
                if any(near(docs[p]) for p in right)
                else "free"
            )
            assert verdict(guard, q, d) == expected
