"""Copies: same bytes, and hashes that nearly agree."""

from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import DuplicateSettings
from pipeline.schemas import ASSETS
from pipeline.seed_pool.duplicates import READS, find_duplicates

LIMITS = DuplicateSettings(max_hamming_bits=4)


def asset(uri: str, hashes: list[int], size: int = 100, sha256: str | None = None, **more: Any) -> dict[str, Any]:
    base = {"uri": uri, "media": "image", "sha256": sha256 or uri, "start_s": None, "end_s": None}
    return {**base, "width_px": size, "height_px": size, "fingerprints": hashes, **more}


def verdicts(rows: list[dict[str, Any]]) -> dict[str, tuple[str, str] | None]:
    schema = pa.schema([ASSETS.field(n) for n in READS])
    found = find_duplicates(pa.Table.from_pylist(rows, schema=schema), LIMITS).to_pylist()
    return {r["uri"]: v and (v["reason"], v["detail"]) for r, v in zip(rows, found, strict=True)}


def test_same_bytes_keep_the_first_uri() -> None:
    assert verdicts([asset("b.jpg", [1], sha256="s"), asset("a.jpg", [1], sha256="s")]) == {
        "a.jpg": None,
        "b.jpg": ("duplicate", "same bytes as a.jpg"),
    }


def test_a_near_duplicate_names_the_larger_picture_that_stays() -> None:
    rows = [asset("small.jpg", [0b1111], 50), asset("large.jpg", [0], 200), asset("other.jpg", [0b11111 << 20], 50)]
    assert verdicts(rows) == {
        "small.jpg": ("near_duplicate", "looks like large.jpg"),
        "large.jpg": None,
        "other.jpg": None,
    }


def test_near_duplicates_form_clusters() -> None:
    rows = [asset("a.jpg", [0]), asset("b.jpg", [0b1111]), asset("c.jpg", [0b11111111])]
    assert [v and v[0] for v in verdicts(rows).values()] == [None, "near_duplicate", "near_duplicate"]


def test_segments_are_copies_when_half_of_the_frames_of_each_agree() -> None:
    far = [1 << 40 | 0x3FF << (12 * k) for k in range(4)]
    film = {"media": "video", "start_s": 0.0, "end_s": 4.0}
    same = asset("copy.mp4", [*far[:2], 0xFFFF << 48], **film)
    assert verdicts([asset("film.mp4", far, 200, **film), same])["copy.mp4"] == (
        "near_duplicate",
        "looks like film.mp4 at 0.00..4.00 s",
    )
    little = asset("copy.mp4", [far[0], 0xFFFF << 48, 0xFFFF << 32], **film)
    assert verdicts([asset("film.mp4", far, 200, **film), little])["copy.mp4"] is None


def test_a_picture_is_no_copy_of_a_film_that_shows_it() -> None:
    rows = [asset("a.jpg", [7]), asset("a.mp4", [7], media="video", start_s=0.0, end_s=1.0)]
    assert set(verdicts(rows).values()) == {None}


@given(st.lists(st.integers(0, 2**64 - 1), max_size=12), st.randoms())
def test_the_verdicts_do_not_depend_on_the_order_of_rows(hashes: list[int], random: Any) -> None:
    rows = [asset(f"{i}.jpg", [h, h ^ 1], size=100 + i % 3) for i, h in enumerate(hashes)]
    shuffled = random.sample(rows, len(rows))
    assert verdicts(rows) == verdicts(shuffled)
