from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.config import GuardSettings
from pipeline.mine.guards import NAMES, Documents, Guards, Held, Queries, hits_by_name, related_label
from pipeline.mine.pool import FREE
from pipeline.mine.ragged import Ragged
from pipeline.wordnet.nouns import related

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
    return Guards(Queries(np.array(queries)), held, table, moments, GuardSettings(**settings))


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
        "similar_query",
        "same_content",
        "near_duplicate",
        "same_source",
        "related_label",
        "near_positive",
        "undecided",
        "judged",
    ]


def test_a_pair_that_synthesis_left_undecided_is_forbidden() -> None:
    plain = guards([Doc(0, 0), Doc(1, 1), Doc(2, 2)], [{0}, {0}], [0, 1])
    pair = np.array([1 * 3 + 2])  # query 1, document 2
    guard = Guards(
        Queries(np.array([0, 1])),
        Ragged.from_pairs(np.array([0]), np.array([0]), 2),
        plain.documents,
        False,
        plain.settings,
        pair,
    )
    assert [verdict(guard, q, 2) for q in (0, 1)] == ["free", "undecided"]
    assert verdict(guard, 1, 1) == "free"


NOUNS = ["poodle", "dog", "cat", "animal", "a very long sentence that is no noun"]
KIN = [{0, 1, 3}, {0, 1, 3}, {2, 3}, {0, 1, 2, 3}, set[int]()]  # of each of NOUNS, itself among them


def test_a_noun_of_kin_to_a_positive_is_forbidden() -> None:
    nouns = related(pa.array(NOUNS))
    docs = [Doc(i, i) for i in range(5)]
    plain = guards(docs, [{0}, {2}, {4}], [0, 1, 2])
    told = dataclasses.replace(plain.documents, nouns=nouns)
    held = Ragged.from_pairs(np.array([0, 1, 2]), np.array([0, 2, 4]), 3)
    guard = Guards(Queries(np.arange(3)), held, told, False, GuardSettings())
    assert [verdict(guard, 0, d) for d in range(1, 5)] == ["related_label", "free", "related_label", "free"]
    assert [verdict(guard, 1, d) for d in (0, 1, 3)] == ["free", "free", "related_label"]
    assert [verdict(guard, 2, d) for d in range(4)] == ["free"] * 4


@given(st.lists(st.sets(st.integers(0, 4), max_size=3), min_size=1, max_size=4), st.data())
def test_related_labels_agree_with_a_plain_loop(positives: list[set[int]], data: st.DataObject) -> None:
    pairs = [(q, d) for q, held in enumerate(positives) for d in held]
    held = Held(np.array([q for q, _ in pairs], np.int64), np.array([d for _, d in pairs], np.int64))
    asked = data.draw(st.lists(st.tuples(st.integers(0, len(positives) - 1), st.integers(0, 4)), max_size=6))
    owner, document = (np.array([a[i] for a in asked], np.int64) for i in (0, 1))
    got = related_label(owner, document, held, related(pa.array(NOUNS)))
    assert got.tolist() == [any(p in KIN[d] for p in positives[q]) for q, d in asked]


def test_queries_that_are_alike_share_their_positives_and_what_is_like_them() -> None:
    docs = [Doc(0, 0), Doc(1, 1), Doc(2, 1), Doc(3, 3)]
    plain = guards(docs, [{0}, {1}, {3}], queries=[5, 6, 7])
    held = Ragged.from_pairs(np.array([0, 1, 2]), np.array([0, 1, 3]), 3)
    alike = Queries(np.array([5, 6, 7]), np.array([0, 0, 2]))
    guard = Guards(alike, held, plain.documents, False, GuardSettings())
    assert [verdict(guard, 0, d) for d in (1, 2, 3)] == ["similar_query", "near_duplicate", "free"]
    assert [verdict(plain, 0, d) for d in (1, 2, 3)] == ["free"] * 3


def test_hits_have_every_guards_name() -> None:
    assert hits_by_name(np.arange(256)) == dict(zip(NAMES.values(), NAMES, strict=True))


def test_a_text_that_one_query_holds_is_no_file_of_the_query_before() -> None:
    docs = [Doc(0, 0, 0, 0, 1), Doc(1, 1, -1, 0, 1), Doc(2, 2, 0, 2, 3)]
    guard = guards(docs, [set(), {1}, {2}], [0, 1, 0], moments=True)
    assert verdict(guard, 0, 0) == "free"  # a gap lies between it and what the same query holds


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[Doc], list[set[int]], list[int], bool]:
    n, q = draw(st.integers(1, 8)), draw(st.integers(1, 4))
    label = st.integers(0, 3)
    span = st.tuples(st.integers(0, 6), st.integers(1, 3)).map(lambda s: (float(s[0]), float(s[0] + s[1])))
    docs = [Doc(draw(label), draw(label), draw(st.integers(-1, 2)), *draw(span)) for _ in range(n)]
    held = [draw(st.sets(st.integers(0, n - 1), max_size=3)) for _ in range(q)]
    return docs, held, [draw(st.integers(0, 2)) for _ in range(q)], draw(st.booleans())


TEXT_AMONG_MOMENTS = (
    [Doc(1, 0, 1, 2.0, 3.0), Doc(0, 1, 1, 0.0, 1.0), Doc(0, 2, -1, 0.0, 1.0)],
    [{0, 1, 2}, set[int](), {0}],
    [1, 0, 0],
    True,
)


@given(cases())
@example(TEXT_AMONG_MOMENTS)
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
