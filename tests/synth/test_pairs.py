"""Which documents are right, wrong and undecided, against a plain reading of the rule."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import SynthSettings
from pipeline.synth import pool_facts
from pipeline.synth.answers import judge_answers
from pipeline.synth.claims import Claim, holds
from pipeline.synth.drafts import Asked, Draft, text_id
from pipeline.synth.targets import judge_targets
from pipeline.synth.task import Example
from pipeline.synth.tasks import TASKS
from tests.synth.samples import CAT, DOG, GREEN, LIMITS, NIGHT, PLAIN, SNOW, UNSURE, asset, pool, seen

SETTINGS = SynthSettings(facts=LIMITS)
LOOKS = [(facts, labels) for facts in (PLAIN, GREEN, NIGHT, SNOW) for labels in ([], CAT, DOG, UNSURE)]
CLAIMS = [
    Claim("colour", "green"), Claim("colour", "brown"), Claim("luma", "dark"), Claim("label", "tabby"),
    Claim("label", "lynx"), Claim("label", "beagle"),
]  # fmt: skip

looks = st.lists(st.sampled_from(LOOKS), min_size=1, max_size=6)
claims = st.lists(st.sampled_from(CLAIMS), min_size=1, max_size=2, unique=True).map(tuple)


def verdicts(said, drawn):
    return [holds(said, seen(*look), SETTINGS.facts) for look in drawn]


@given(looks, st.lists(st.lists(st.tuples(st.integers(0, 5), claims), min_size=1, max_size=3), max_size=4))
def test_right_and_undecided_media_are_those_of_a_plain_loop(drawn, written):
    queries = [
        Asked(str(n), tuple(Draft(f"a{i % len(drawn)}", "t", "en", Example("q"), said, ()) for i, said in drafts))
        for n, drafts in enumerate(written)
    ]
    assets = pool(*(asset(f"a{i}", *look) for i, look in enumerate(drawn)))
    for query, judged in zip(queries, judge_targets(queries, assets, SETTINGS), strict=True):
        right = {int(d.asset_id[1:]) for d in query.drafts}
        open_ = set()
        for draft in query.drafts:
            for row, verdict in enumerate(verdicts(draft.holds, drawn)):
                if verdict is True:
                    right.add(row)
                elif verdict is None:
                    open_.add(row)
        assert judged.positives[0] == int(query.first.asset_id[1:])
        assert Counter(judged.positives.tolist()) == Counter(right)
        assert judged.undecided.tolist() == sorted(open_ - right)
        assert judged.negatives.tolist() == []


@given(
    st.sampled_from(["image_classification", "image_qa"]),
    looks,
    st.lists(st.tuples(st.integers(0, 5), claims, claims, st.sampled_from("xyz"), st.sampled_from("xyzw")), max_size=5),
)
def test_right_and_undecided_texts_are_those_of_a_plain_loop(name, drawn, written):
    spec, kind = TASKS[name], ("t", "en")
    drafts = [
        Draft(f"a{i % len(drawn)}", *kind, Example("q", text, other), said, wrong)
        for i, said, wrong, text, other in written
    ]
    documents = {text_id(spec, kind, t): n for n, t in enumerate("xyzw")}
    texts = [(text, said) for d in drafts for text, said in
             ((d.example.positive_text, d.holds), (d.example.negative_text, d.wrong))]  # fmt: skip
    queries = [Asked(str(n), (d,)) for n, d in enumerate(drafts)]
    assets = pool(*(asset(f"a{i}", *look) for i, look in enumerate(drawn)))
    found = judge_answers(spec, queries, drafts, documents, assets, SETTINGS.facts)
    for draft, judged in zip(drafts, found, strict=True):
        right, open_ = {draft.example.positive_text}, set()
        for text, said in texts:
            if name == "image_qa" and {c.kind for c in said} != {c.kind for c in draft.holds}:
                continue
            verdict = verdicts(said, drawn)[int(draft.asset_id[1:])]
            if verdict is not False:
                (open_, right)[verdict is True].add(text)
        wrong = {draft.example.negative_text} - right
        for rows, expected in (
            (judged.positives, right), (judged.negatives, wrong), (judged.undecided, open_ - right - wrong),
        ):  # fmt: skip
            assert Counter("xyzw"[row] for row in rows) == Counter(expected)


def test_a_claim_is_judged_once_on_each_asset_however_many_drafts_make_it(monkeypatch):
    asked = Counter()
    judge = pool_facts.judge
    monkeypatch.setattr(pool_facts, "judge", lambda claim, *rest: asked.update([claim]) or judge(claim, *rest))
    queries = [Asked(str(i), (Draft(f"a{i}", "t", "en", Example("q"), tuple(CLAIMS[:3]), ()),)) for i in range(9)]
    judge_targets(queries, pool(*(asset(f"a{i}", GREEN) for i in range(9))), SETTINGS)
    assert asked == dict.fromkeys(CLAIMS[:3], 9)
