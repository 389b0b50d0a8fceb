"""Of queries that say nearly the same the first stands, and the others name it."""

from itertools import pairwise

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import SynthSettings
from pipeline.schemas import REJECT
from pipeline.synth.assemble import assemble
from pipeline.synth.drafts import Draft, asked
from pipeline.synth.near_duplicates import near_duplicates, without_near_duplicates
from pipeline.synth.task import Example
from pipeline.synth.tasks import TASKS
from tests.synth.samples import asset, pool

SPEC = TASKS["image_retrieval"]
TYPE = "Direct Visual Description"
LONG = "an old fisherman in a yellow coat mends a torn net on the quay while two gulls wait beside him for scraps"
ALIKE = "An old fisherman in a yellow coat mends a torn net on the quay, while two gulls wait beside him for scraps of"


def draft(asset_id, text, **more):
    values = {"task_type": TYPE, "language": "en", "holds": None, "wrong": None, "source": "synth", **more}
    return Draft(asset_id, example=Example(query_text=text), **values)


def distinct(*drafts, spec=SPEC):
    queries, refused = asked(spec, drafts)
    assert refused == []
    kept, alike = without_near_duplicates(spec, queries, 0.9)
    return [q.first.asset_id for q in kept], [(r.draft.asset_id, r.reason, r.detail) for r in alike], kept


def test_the_first_stands_and_keeps_the_assets_of_those_that_repeat_it():
    kept, refused, (query, _) = distinct(draft("a", LONG), draft("b", "a cup"), draft("c", ALIKE))
    assert kept == ["a", "b"]
    # 19 words of 18 kinds, 20 pairs; the other has one word and one pair more
    share = len(_sets(LONG) & _sets(ALIKE)) / len(_sets(LONG) | _sets(ALIKE))
    assert refused == [
        (
            "c",
            "near_duplicate_query",
            f"{share:.2f} of the words and pairs of words of {query.query_id} of asset a, limit 0.9: {LONG!r}",
        )
    ]
    assert [d.asset_id for d in query.near] == ["c"]


def test_what_differs_in_a_word_that_counts_is_another_query():
    cheetah, lion = (f"Show me a mostly brown picture with a {cat}" for cat in ("cheetah", "lion"))
    assert distinct(draft("a", cheetah), draft("b", lion))[0] == ["a", "b"]


def test_other_languages_types_annotators_and_questions_are_not_compared():
    assert distinct(draft("a", LONG), draft("b", ALIKE, language="de"))[0] == ["a", "b"]
    assert distinct(draft("a", LONG), draft("b", ALIKE, task_type="Abstract Narrative"))[0] == ["a", "b"]
    assert distinct(draft("a", LONG), draft("b", ALIKE, source="given"))[0] == ["a", "b"]
    assert distinct(draft("a", LONG, holds=()), draft("b", ALIKE, holds=()))[0] == ["a", "b"]
    assert distinct(draft("a", LONG), draft("b", ALIKE), spec=TASKS["image_qa"])[0] == ["a", "b"]


def test_the_asset_of_a_near_duplicate_is_never_a_negative_of_the_query_that_stands():
    rows = [
        {
            "asset_id": name,
            "task_type": TYPE,
            "language": "en",
            "response": SPEC.response(description="d", task_type=TYPE, query=text).model_dump_json(),
            "holds": None,
            "wrong": None,
            "given": None,
        }
        for name, text in (("a", LONG), ("c", ALIKE))
    ]
    table = pa.Table.from_pylist(rows).append_column("reject", pa.nulls(2, REJECT))
    data = assemble(SPEC, table, pool(asset("a"), asset("c")), SynthSettings())
    (query_id,) = data.queries.column("query_id").to_pylist()
    assert data.undecided.to_pylist() == [{"query_id": query_id, "doc_id": "c"}]
    assert [r["doc_id"] for r in data.relevance.to_pylist()] == ["a"]
    assert [(r["asset_id"], r["reason"]) for r in data.rejected.to_pylist()] == [("c", "near_duplicate_query")]


@given(st.lists(st.text("ab c", max_size=12), max_size=12), st.sampled_from([0.3, 0.5, 0.9, 1.0]))
def test_the_join_finds_what_comparing_all_with_all_finds(texts, least_share):
    kept, expected = [], []
    for i, text in enumerate(texts):
        one = _sets(text)
        shares = [(j, len(one & _sets(texts[j])) / len(one | _sets(texts[j]))) for j in kept if one]
        found = next((pair for pair in shares if pair[1] >= least_share), None)
        expected.append(found)
        if found is None:
            kept.append(i)
    assert near_duplicates(texts, least_share) == expected


def _sets(text):
    said = text.casefold().replace(",", " ").split()
    return {*said, *pairwise(said)}
