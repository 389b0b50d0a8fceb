"""Copies: same bytes, and clusters of compared pairs. Here a planted rule compares; pixels have their own suites."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import DuplicateSettings
from pipeline.media.looks import packed
from pipeline.schemas import ASSETS
from pipeline.seed_pool.comparing import PAIRS
from pipeline.seed_pool.duplicates import READS, find_duplicates
from pipeline.seed_pool.looking import ADDS as LOOKS

LIMITS = DuplicateSettings(max_hamming_bits=4)
SCHEMA = pa.schema([LOOKS.field(n) if n in LOOKS.names else ASSETS.field(n) for n in READS])
NO_LOOKS = np.zeros((0, 0), np.float32)
Rule = Callable[[str, str], bool]


def asset(uri: str, hashes: list[int], size: int = 100, sha256: str | None = None, **more: Any) -> dict[str, Any]:
    times = [float(i) for i in range(len(hashes))]
    base = {"asset_id": uri, "uri": uri, "media": "image", "sha256": sha256 or uri, "start_s": None, "end_s": None}
    shown = {"fingerprints": hashes, "times_s": times, "looks": packed(NO_LOOKS), "mirrored_looks": b""}
    return {**base, **shown, "width_px": size, "height_px": size, **more}


def any_pair(first: str, second: str) -> bool:
    return True


def verdicts(rows: list[dict[str, Any]], rule: Rule = any_pair, limits: DuplicateSettings = LIMITS) -> dict[str, Any]:
    """What becomes of each URI when the comparison says what `rule` says of two URIs."""

    def compare(pairs: pa.Table) -> pa.Table:
        assert pairs.schema.equals(PAIRS)
        found = [
            rule(*sorted(p)) for p in zip(pairs["first_uri"].to_pylist(), pairs["second_uri"].to_pylist(), strict=True)
        ]
        return pairs.append_column("is_copy", [found]).append_column("evidence", [["measured"] * len(found)])

    found = find_duplicates(pa.Table.from_pylist(rows, schema=SCHEMA), limits, compare).to_pylist()
    return {r["uri"]: v and (v["reason"], v["detail"]) for r, v in zip(rows, found, strict=True)}


def test_same_bytes_keep_the_first_uri() -> None:
    assert verdicts([asset("b.jpg", [1], sha256="s"), asset("a.jpg", [1], sha256="s")]) == {
        "a.jpg": None,
        "b.jpg": ("duplicate", "same bytes as a.jpg"),
    }


def test_a_near_duplicate_names_the_larger_picture_that_stays_and_what_was_measured() -> None:
    rows = [asset("small.jpg", [0b1111], 50), asset("large.jpg", [0], 200), asset("other.jpg", [0b11111 << 20], 50)]
    assert verdicts(rows) == {
        "small.jpg": ("near_duplicate", "looks like large.jpg: measured"),
        "large.jpg": None,
        "other.jpg": None,
    }


def test_a_near_hash_alone_is_no_evidence() -> None:
    assert set(verdicts([asset("a.jpg", [0]), asset("b.jpg", [0])], lambda *_: False).values()) == {None}


def test_of_a_cluster_the_copies_of_the_kept_picture_go_though_only_a_third_one_linked_them() -> None:
    rows = [asset("a.jpg", [0]), asset("b.jpg", [0b1111]), asset("c.jpg", [0b11111111])]
    assert [v and v[0] for v in verdicts(rows).values()] == [None, "near_duplicate", "near_duplicate"]


def test_what_hangs_on_a_cluster_by_a_chain_alone_stays() -> None:
    rows = [asset(f"{n}.jpg", [(1 << 3 * k) - 1], 500 - k) for k, n in enumerate("abcde")]
    neighbours = verdicts(rows, lambda first, second: ord(second[0]) - ord(first[0]) == 1)
    assert neighbours == {
        "a.jpg": None,
        "b.jpg": ("near_duplicate", "looks like a.jpg: measured"),
        "c.jpg": None,
        "d.jpg": ("near_duplicate", "looks like c.jpg: measured"),
        "e.jpg": None,
    }


def test_looks_propose_what_hashes_do_not() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.standard_normal((2, 1, 32)).astype(np.float32)
    rows = [
        asset("whole.jpg", [0], 200, looks=packed(one)),
        asset("crop.jpg", [2**64 - 1], looks=packed(one + 0.2 * other)),
        asset("mirrored.jpg", [2**40 - 1], looks=packed(-other), mirrored_looks=packed(one)),
        asset("other.jpg", [(2**20 - 1) << 44], looks=packed(other)),
    ]
    rows = [{**r, "mirrored_looks": r["mirrored_looks"] or packed(-np.ones((1, 32), np.float32))} for r in rows]
    found = verdicts(rows, limits=DuplicateSettings(max_hamming_bits=0, min_cosine=0.6))
    assert {uri for uri, v in found.items() if v} == {"crop.jpg", "mirrored.jpg"}


def test_more_copies_than_candidates_are_all_found() -> None:
    rows = [asset(f"{i:03d}.jpg", [7], 300 - i) for i in range(60)]
    found = verdicts(rows, limits=DuplicateSettings(candidates=2))
    assert [uri for uri, v in found.items() if v is None] == ["000.jpg"]


def test_a_picture_is_no_copy_of_a_film_that_shows_it() -> None:
    rows = [asset("a.jpg", [7]), asset("a.mp4", [7], media="video", start_s=0.0, end_s=1.0)]
    assert set(verdicts(rows).values()) == {None}


def test_an_empty_pool_has_no_copies() -> None:
    assert verdicts([]) == {}


@settings(max_examples=25)
@given(
    st.lists(st.integers(0, 2**64 - 1), max_size=12),
    st.randoms(),
    st.sampled_from([any_pair, lambda a, b: a[0] != b[0]]),
)
def test_the_verdicts_do_not_depend_on_the_order_of_rows(hashes: list[int], random: Any, rule: Rule) -> None:
    rows = [asset(f"{i}{j}.jpg", [h ^ j], size=100 + i % 3) for i, h in enumerate(hashes) for j in (0, 1, 3)]
    shuffled = random.sample(rows, len(rows))
    assert verdicts(rows, rule) == verdicts(shuffled, rule)
