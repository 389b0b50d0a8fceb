"""How fast is the cache of VLM replies, what does it cost, and what does a kill cost?

    python benchmarks/reply_cache.py [--entries 1000000] [--peer-entries 100000] [--kills 5] [--json FILE]

Fills a cache with replies of about 1 kB, as if 8 processes had asked, and then in new processes: opens
it, looks replies up and keeps new ones, 32 at a time (new ones are brought to the disk after each 32),
alone and two processes together; asks through `CachedVlm` what is known; counts what there is; prunes
one asset. In the same run the same replies in one file each (written, then renamed, not brought to the
disk), the simplest layout there is. Where nothing waits for a disk, seconds are those of the processor,
so that other work on the machine does not count; writes are timed by the clock. At last a synthesis with
a VLM that has 16 requests in flight is killed (SIGKILL) at random moments and run to its end: replies
asked twice, of all that were needed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pipeline.models.protocols import Pixels, Reply, Request, Usage
from pipeline.store.reply_cache.cached_vlm import CachedVlm, model_folder, request_key
from pipeline.store.reply_cache.entries import Entry, from_line, to_line
from pipeline.store.reply_cache.log import ReplyLog
from pipeline.store.reply_cache.stock import prune, stock
from tests.integration.killable import asked, synth, synth_until, write_pool

SCHEMA = {"type": "object", "properties": {"description": {"type": "string"}}}
CALL, SEGMENTS, WINDOW = 32, 8, 16
MODEL = "benchmark"
LOOKUPS = 20_000
PICTURE_BYTES = 150_000


def request(i: int, *pixels: Pixels) -> Request:
    return Request(f"Describe picture {i}.", pixels, (f"a{i:020x}",), 7)


def reply(i: int) -> Reply:
    text = json.dumps({"description": f"Picture {i}. " + "A plain sentence about it. " * 25})
    return Reply(text, "stop", Usage(1, 0, 1300, 180))


class Instant:
    """Answers at once."""

    fingerprint = MODEL

    def generate(self, requests: Sequence[Request], schema: dict[str, Any]) -> list[Reply]:  # noqa: ARG002
        return [reply(int(r.asset_ids[0][1:], 16)) for r in requests]


def entry(i: int) -> Entry:
    one = request(i)
    return Entry(request_key(MODEL, SCHEMA, one), MODEL, one.asset_ids, "2026-01-01T00:00:00Z", reply(i))


def seconds(work: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    began = clock()
    work()
    return clock() - began


def fill(cache: Path, entries: int) -> None:
    folder = model_folder(cache, MODEL)
    folder.mkdir(parents=True)
    for part in range(SEGMENTS):
        with (folder / f"{part}.jsonl").open("wb") as file:
            file.writelines(to_line(entry(i)) for i in range(part, entries, SEGMENTS))


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def process(cache: Path, entries: int, first: int) -> dict[str, float]:
    """What a new process does: open, look up, keep `LOOKUPS` new ones, numbered from `first`."""
    log, before = ReplyLog(model_folder(cache, MODEL)), resident_mb()
    opening = seconds(lambda: log.find([]))
    memory = resident_mb() - before
    vlm = CachedVlm(Instant(), log)
    known = random.Random(first).sample(range(entries), min(LOOKUPS, entries))
    keys, new = [entry(i).key for i in known], [entry(i) for i in range(first, first + LOOKUPS)]

    def find() -> None:
        for start in range(0, len(keys), CALL):
            if len(log.find(keys[start : start + CALL])) < len(keys[start : start + CALL]):
                raise AssertionError("a reply is not found")

    def write() -> None:
        for start in range(0, len(new), CALL):
            with log.appending() as kept:
                for one in new[start : start + CALL]:
                    kept.add(one)

    def ask() -> None:
        for start in range(0, len(known), CALL):
            vlm.generate([request(i) for i in known[start : start + CALL]], SCHEMA)

    return {
        "open_s": opening,
        "memory_mb": memory,
        "lookups_s": len(known) / seconds(find),
        "writes_s": LOOKUPS / seconds(write, time.perf_counter),
        "answers_s": len(known) / seconds(ask),
    }


def processes(cache: Path, entries: int, firsts: Sequence[int]) -> list[dict[str, float]]:
    """`process` in as many processes at the same time."""
    said = [sys.executable, __file__, "--process", str(cache), "--entries", str(entries), "--first"]
    running = [subprocess.Popen([*said, str(first)], stdout=subprocess.PIPE) for first in firsts]
    return [json.loads(one.communicate()[0]) for one in running]


def files(folder: Path, entries: int) -> dict[str, float]:
    """The same replies in one file each."""

    def path(key: str) -> Path:
        return folder / key[:2] / key

    made = [entry(i) for i in range(entries)]

    def write() -> None:
        for one in made:
            target = path(one.key)
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.with_name(f".{one.key}")
            temporary.write_bytes(to_line(one))
            temporary.replace(target)

    def find() -> None:
        for one in random.Random(0).sample(made, min(LOOKUPS, entries)):
            if from_line(path(one.key).read_bytes()) is None:
                raise AssertionError(one.key)

    def count() -> None:
        for one in folder.rglob("*"):
            if one.is_file():
                from_line(one.read_bytes())

    written, found, counted = seconds(write, time.perf_counter), seconds(find), seconds(count)
    taken = sum(one.stat().st_blocks * 512 for one in folder.rglob("*"))
    return {
        "writes_s": entries / written,
        "lookups_s": min(LOOKUPS, entries) / found,
        "count_s_a_million": counted * 1e6 / entries,
        "bytes_an_entry": taken / entries,
        "bytes_of_a_reply": sum(len(to_line(one)) for one in made) / entries,
    }


def keys_a_second() -> float:
    pixels = Pixels((os.urandom(PICTURE_BYTES),), (0.0,), video=False)
    return 2000 / seconds(lambda: [request_key(MODEL, SCHEMA, request(i, pixels)) for i in range(2000)])


def kills(folder: Path, times: int, pictures: int) -> dict[str, float]:
    """Replies asked twice after `times` kills at random moments, spread over the run."""
    out, calls = write_pool(folder, pictures), folder / "calls"
    moments = sorted(random.Random(folder.name).sample(range(1, pictures), times))
    for moment in moments:
        before = len(asked(calls))
        left = pictures - len(set(asked(calls)))
        share = moment / pictures
        synth_until(before + max(1, int(left * share)), out, calls, WINDOW, reply_s=0.02)
    synth(out, calls, WINDOW)
    counted = Counter(asked(calls))
    twice = sum(counted.values()) - len(counted)
    return {
        "needed": len(counted),
        "kills": times,
        "asked_twice": twice,
        "share": twice / len(counted),
        "at_most_windows": times * WINDOW,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--peer-entries", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--pictures", type=int, default=1000, help="of the run that is killed")
    parser.add_argument("--json", type=Path, default=None, help="write the figures here")
    parser.add_argument("--process", type=Path, default=None, help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.process:
        print(json.dumps(process(args.process, args.entries, args.first)))
        return

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cache, work = folder / "cache", folder / "work"
        fill(cache, args.entries)
        (alone,) = processes(cache, args.entries, [args.entries])
        together = processes(cache, args.entries, [args.entries + LOOKUPS, args.entries + 2 * LOOKUPS])
        counting = seconds(lambda: stock(cache))
        pruning = seconds(lambda: prune(cache, work, lambda e: e.asset_ids == request(1).asset_ids))
        figures = {
            "entries": args.entries,
            "cores": os.cpu_count(),
            "load": os.getloadavg()[0],
            "one_process": alone,
            "two_processes_writes_s": sum(t["writes_s"] for t in together),
            "keys_s_of_150_kb_pictures": keys_a_second(),
            "count_s": counting,
            "prune_one_asset_s": pruning,
            "one_file_a_reply": {"entries": args.peer_entries, **files(folder / "files", args.peer_entries)},
            "kills": kills(folder / hashlib.sha256(b"kills").hexdigest()[:8], args.kills, args.pictures),
        }
    print(f"{args.entries} entries, {figures['cores']} cores, load {figures['load']:.1f}")
    print(f"open: {alone['open_s']:.2f} s, {alone['memory_mb']:.0f} MB in memory")
    peer = figures["one_file_a_reply"]
    print(f"lookups a second: {alone['lookups_s']:.0f}; one file a reply {peer['lookups_s']:.0f}")
    both = figures["two_processes_writes_s"]
    print(
        f"writes a second: {alone['writes_s']:.0f}, two processes {both:.0f}; one file a reply {peer['writes_s']:.0f}"
    )
    print(f"known answers a second through CachedVlm, without pictures: {alone['answers_s']:.0f}")
    print(f"keys a second, 150 kB pictures: {figures['keys_s_of_150_kb_pictures']:.0f}")
    print(f"counting all: {counting:.1f} s; one file a reply {peer['count_s_a_million']:.1f} s a million")
    print(f"pruning one asset: {pruning:.1f} s")
    print(f"bytes on disk a reply of {peer['bytes_of_a_reply']:.0f}: one file a reply {peer['bytes_an_entry']:.0f}")
    killed = figures["kills"]
    print(
        f"after {killed['kills']} kills: {killed['asked_twice']} of {killed['needed']} replies asked twice "
        f"({killed['share']:.2%}); {WINDOW} in flight"
    )
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
