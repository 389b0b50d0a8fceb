"""What is kept is counted, and pruned without touching the rest."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.protocols import Reply, Usage
from pipeline.store.reply_cache.cached_vlm import model_folder
from pipeline.store.reply_cache.entries import Entry
from pipeline.store.reply_cache.log import ReplyLog, segments
from pipeline.store.reply_cache.stock import Stock, of_others, prune, stock


def entry(i: int, model: str = "m", day: int = 1, assets: tuple[str, ...] = ("a",)) -> Entry:
    reply = Reply(f"text {i}", "stop", Usage(1, 0, 10 * i, i))
    return Entry(f"{i:064x}", model, assets, f"2026-01-{day:02d}T00:00:00Z", reply)


def keep(cache: Path, *entries: Entry) -> None:
    for one in entries:
        with ReplyLog(model_folder(cache, one.model)).appending() as kept:
            kept.add(one)


def left(cache: Path) -> set[str]:
    return {
        e.reply.text
        for folder in (cache / "replies").glob("*")
        for e in ReplyLog(folder).find(f"{i:064x}" for i in range(30)).values()
    }


def test_entries_bytes_times_and_tokens_are_summed_a_model(tmp_path: Path) -> None:
    keep(tmp_path, entry(1, "m", day=5), entry(2, "m", day=3), entry(3, "k", day=9))
    sizes = {f.name: sum(p.stat().st_size for p in segments(f)) for f in (tmp_path / "replies").iterdir()}
    of_m, of_k = (sizes[model_folder(tmp_path, name).name] for name in "mk")
    assert stock(tmp_path) == [
        Stock("k", 1, of_k, "2026-01-09T00:00:00Z", "2026-01-09T00:00:00Z", Usage(1, 0, 30, 3)),
        Stock("m", 2, of_m, "2026-01-03T00:00:00Z", "2026-01-05T00:00:00Z", Usage(2, 0, 30, 3)),
    ]


def test_nothing_kept_is_no_stock(tmp_path: Path) -> None:
    assert stock(tmp_path / "nowhere") == []
    prune(tmp_path / "nowhere", tmp_path / "work", lambda _: True)


def test_damaged_lines_are_counted_and_go_with_the_next_prune(tmp_path: Path) -> None:
    keep(tmp_path, entry(1), entry(2))
    path = segments(model_folder(tmp_path, "m"))[0]
    path.write_bytes(path.read_bytes()[:-1])  # cut off in the last byte
    (kept,) = stock(tmp_path)
    assert (kept.entries, kept.damaged) == (1, 1)
    prune(tmp_path, tmp_path / "work", lambda _: False)
    (kept,) = stock(tmp_path)
    assert (kept.entries, kept.damaged) == (1, 0)


def test_what_does_not_go_is_not_written_again(tmp_path: Path) -> None:
    keep(tmp_path, entry(1, day=1), entry(2, day=2), entry(3, "k", day=1))
    before = {p: (p.stat().st_ino, p.read_bytes()) for p in (tmp_path / "replies").rglob("*.jsonl")}
    prune(tmp_path, tmp_path / "work", lambda e: e.at < "2026-01-02" and e.model == "m")
    after = {p: (p.stat().st_ino, p.read_bytes()) for p in (tmp_path / "replies").rglob("*.jsonl")}
    assert len(after) == 2
    assert after.items() <= before.items()
    assert left(tmp_path) == {"text 2", "text 3"}


@given(st.lists(st.tuples(st.sampled_from("mk"), st.integers(1, 9)), max_size=12), st.integers(1, 9))
def test_what_goes_and_what_stays_are_all(
    tmp_path_factory: pytest.TempPathFactory, kept: list[tuple[str, int]], day: int
) -> None:
    cache = tmp_path_factory.mktemp("cache")
    for model in "mk":
        with ReplyLog(model_folder(cache, model)).appending() as adding:
            for i, (name, when) in enumerate(kept):
                if name == model:
                    adding.add(entry(i, name, when))

    def goes(one: Entry) -> bool:
        return one.at < f"2026-01-{day:02d}"

    def total(chosen: Callable[[Entry], bool]) -> int:
        return sum(s.entries for s in stock(cache, chosen))

    assert total(goes) + total(lambda e: not goes(e)) == len(kept)
    prune(cache, cache / "work", goes)
    assert left(cache) == {f"text {i}" for i, (_, when) in enumerate(kept) if when >= day}
    assert total(goes) == 0


def test_replies_about_several_assets_go_with_any_of_them(tmp_path: Path) -> None:
    keep(tmp_path, entry(1, assets=("a", "b")), entry(2, assets=("a",)), entry(3, assets=("c",)), entry(4, assets=()))
    prune(tmp_path, tmp_path / "work", of_others(["a", "d"]))
    assert left(tmp_path) == {"text 2", "text 4"}


def test_a_killed_prune_leaves_every_segment_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ReplyLog(model_folder(tmp_path, "m")).appending() as kept:
        for i in range(6):
            kept.add(entry(i))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", killed)
        with pytest.raises(KeyboardInterrupt):
            prune(tmp_path, tmp_path / "work", lambda e: e.key == entry(1).key)
    assert len(left(tmp_path)) == 6
    prune(tmp_path, tmp_path / "work", lambda e: e.key == entry(1).key)
    assert len(left(tmp_path)) == 5
    assert list((tmp_path / "work").iterdir()) == []


def test_a_process_at_work_sees_what_was_pruned_and_goes_on(tmp_path: Path) -> None:
    log = ReplyLog(model_folder(tmp_path, "m"))
    with log.appending() as kept:
        kept.add(entry(1))
        kept.add(entry(2))
    assert len(log.find([entry(1).key, entry(2).key])) == 2
    prune(tmp_path, tmp_path / "work", lambda e: e.key == entry(1).key)
    assert log.find([entry(1).key, entry(2).key]) == {entry(2).key: entry(2)}
    with log.appending() as kept:
        kept.add(entry(3))
    assert left(tmp_path) == {"text 2", "text 3"}
