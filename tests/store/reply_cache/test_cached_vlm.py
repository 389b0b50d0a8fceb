"""What was answered once is not asked again, and the answers are the same."""

import errno
import hashlib
import itertools
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ModelError, StorageError
from pipeline.models.protocols import Pixels, Reply, Request, Usage
from pipeline.models.replies import answers
from pipeline.runners.apply import apply_step
from pipeline.stage import ModelRef, Stage
from pipeline.store.reply_cache.cached_vlm import CachedVlm, remembering, request_key
from pipeline.store.reply_cache.log import ReplyLog
from tests.store.reply_cache.vlms import SCHEMA, Asked, OneByOne, request

ABC = [request(name) for name in "abc"]


def said(replies: list[Reply]) -> list[tuple[str, str]]:
    return [(r.text, r.finish_reason) for r in replies]


@pytest.mark.parametrize("kind", [Asked, OneByOne])
def test_the_second_time_nothing_is_asked_and_nothing_costs(tmp_path: Path, kind: type[Asked]) -> None:
    first, second = kind(), kind()
    paid = remembering(first, tmp_path).generate(ABC, SCHEMA)
    again = CachedVlm(second, ReplyLog(next((tmp_path / "replies").iterdir()))).generate([*ABC[::-1]], SCHEMA)
    assert said(paid) == said(Asked().generate(ABC, SCHEMA)) == said(again)[::-1]
    assert [r.usage for r in paid] == [first.cost] * 3
    assert [r.usage for r in again] == [Usage(requests=1, cached=1)] * 3
    assert second.asked == []


def test_only_what_is_missing_is_asked(tmp_path: Path) -> None:
    vlm = Asked()
    remembering(vlm, tmp_path).generate(ABC[:2], SCHEMA)
    remembering(vlm, tmp_path).generate(ABC, SCHEMA)
    assert vlm.asked == ABC


@given(batches=st.lists(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 2)), max_size=8), max_size=6))
def test_replies_are_those_without_a_cache_and_each_question_is_asked_once(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[tuple[str, int]]]
) -> None:
    folder = tmp_path_factory.mktemp("replies")
    vlms = itertools.cycle([Asked(), OneByOne()])
    asked = []
    for vlm, batch in zip(vlms, batches, strict=False):
        requests = [request(name, seed) for name, seed in batch]
        before = len(vlm.asked)
        replies = CachedVlm(vlm, ReplyLog(folder)).generate(requests, SCHEMA)
        assert said(replies) == said(Asked().generate(requests, SCHEMA))
        paid = sum(r.usage.requests - r.usage.cached for r in replies)
        assert paid == len(vlm.asked) - before
        assert sum(r.usage.input_tokens for r in replies) == 100 * paid
        asked += vlm.asked[before:]
    wanted = {(f"What is {name}?", seed) for name, seed in itertools.chain(*batches)}
    assert sorted((r.prompt, r.seed) for r in asked) == sorted(wanted)


CLIP = Pixels((b"one", b"two"), (0.0, 1.0), video=True)
BASE = Request("Say.", (CLIP,), ("a",), 1)
OTHERS: list[tuple[str, dict[str, Any], Request]] = [
    ("vlm", {"a": 1, "b": 2}, BASE),
    ("vlm 2", {"a": 1, "b": 2}, BASE),
    ("vlm", {"a": 1, "b": 3}, BASE),
    ("vlm", {"b": 2, "a": 1}, BASE),  # keys are filled in the order of the schema
    ("vlm", {"a": 1, "b": 2}, replace(BASE, prompt="Say!")),
    ("vlm", {"a": 1, "b": 2}, replace(BASE, seed=2)),
    ("vlm", {"a": 1, "b": 2}, replace(BASE, asset_ids=("b",))),
    ("vlm", {"a": 1, "b": 2}, replace(BASE, asset_ids=())),
    ("vlm", {"a": 1, "b": 2}, replace(BASE, pixels=())),
    ("vlm", {"a": 1, "b": 2}, replace(BASE, pixels=(CLIP, CLIP))),
    *(
        ("vlm", {"a": 1, "b": 2}, replace(BASE, pixels=(other,)))
        for other in (
            replace(CLIP, frames=(b"one", b"tw0")),
            replace(CLIP, frames=(b"onet", b"wo")),
            replace(CLIP, frames=(b"two", b"one")),
            replace(CLIP, times_s=(0.0, 1.5)),
            replace(CLIP, video=False),
        )
    ),
    ("vlm", {"a": 1, "b": 2}, replace(BASE, pixels=(replace(CLIP, frames=(b"one",)), replace(CLIP, frames=(b"two",))))),
]


def test_whatever_a_reply_depends_on_is_in_its_key() -> None:
    keys = [request_key(*parts) for parts in OTHERS]
    assert len(set(keys)) == len(OTHERS)
    assert keys == [request_key(*parts) for parts in OTHERS]


def test_keys_do_not_change_from_one_version_to_the_next() -> None:
    """What was paid for with an older version is found. Whoever changes the key on purpose changes LAYOUT."""
    head = b'[1, "vlm", {"a": 1, "b": 2}, "Say.", 1, ["a"], [[true, [0.0, 1.0], [3, 3]]]]'
    by_hand = hashlib.sha256(len(head).to_bytes(8, "big") + head + b"onetwo").hexdigest()
    assert request_key(*OTHERS[0]) == by_hand


def test_an_error_is_asked_again_and_every_answer_is_kept(tmp_path: Path) -> None:
    for reason, times in (("error", 2), ("garbled", 2), ("stop", 1), ("length", 1), ("content_filter", 1)):
        vlm = Asked(reason)
        for _ in range(2):
            replies = CachedVlm(vlm, ReplyLog(tmp_path / reason)).generate(ABC, SCHEMA)
            assert {r.finish_reason for r in replies} == {reason}
        assert len(vlm.asked) == 3 * times


def test_a_second_attempt_with_another_seed_is_kept_beside_the_first(tmp_path: Path) -> None:
    vlm = Asked()
    refused = ("malformed_reply", "")
    for _ in range(2):
        found = answers(CachedVlm(vlm, ReplyLog(tmp_path)), ABC, SCHEMA, lambda _: refused)
    assert [r.seed for r in vlm.asked] == [7, 7, 7, 8, 8, 8]
    assert [f.usage for f in found] == [Usage(requests=2, cached=2)] * 3


def test_what_arrived_before_the_model_died_is_not_asked_again(tmp_path: Path) -> None:
    requests = [request(str(i)) for i in range(8)]
    dying, healthy = OneByOne(dies=3, error=ModelError("gone")), OneByOne()
    with pytest.raises(ModelError, match="gone"):
        CachedVlm(dying, ReplyLog(tmp_path)).generate(requests, SCHEMA)
    assert dying.asked == requests[:4:-1]
    CachedVlm(healthy, ReplyLog(tmp_path)).generate(requests, SCHEMA)
    assert healthy.asked == requests[4::-1]


def test_a_reply_is_on_disk_before_the_next_is_waited_for(tmp_path: Path) -> None:
    class Looking(OneByOne):
        def generate(self, requests, schema):
            on_disk.append(len(ReplyLog(tmp_path).find(keys)))
            return super().generate(requests, schema)

    on_disk: list[int] = []
    vlm = Looking()
    keys = [request_key(vlm.fingerprint, SCHEMA, r) for r in ABC]
    CachedVlm(vlm, ReplyLog(tmp_path)).generate(ABC, SCHEMA)
    assert on_disk == [0, 1, 2]


class Doubling(Asked):
    def stream(self, requests, schema):
        yield from [(0, Reply("", "stop"))] * 2


class Losing(Asked):
    def stream(self, requests, schema):
        yield 1, Reply("", "stop")


@pytest.mark.parametrize(
    ("vlm", "message"), [(Doubling(), "request 0 of 3, which was not waiting"), (Losing(), "1 replies to 3 requests")]
)
def test_a_model_that_loses_or_doubles_a_reply_stops_the_run(tmp_path: Path, vlm: Asked, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        CachedVlm(vlm, ReplyLog(tmp_path)).generate(ABC, SCHEMA)


def ask(table: pa.Table, folder: Path, vlm: Asked) -> pa.Table:
    replies = CachedVlm(vlm, ReplyLog(folder)).generate([request(n) for n in table.column("name").to_pylist()], SCHEMA)
    return pa.table({"text": [r.text for r in replies]})


def test_a_full_disk_stops_the_stage_and_no_more_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage("ask", ask, tmp_path, ("name",), pa.schema([("text", pa.string())]), model=ModelRef("vlm", None))
    table = pa.table({"name": ["a", "b", "c"]})
    vlm = OneByOne()

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(StorageError, match=r"stage 'ask' cannot go on: .*No space left on device: .*\.jsonl"):
            apply_step(stage, table, vlm)
    assert len(vlm.asked) == 1
    assert apply_step(stage, table, vlm).column("reject").null_count == 3
