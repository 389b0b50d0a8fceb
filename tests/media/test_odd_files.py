from __future__ import annotations

import ast
import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import pipeline.media
from pipeline.config import FrameSettings, SceneSettings
from pipeline.errors import MediaError
from pipeline.media.decode import read_image
from pipeline.media.fingerprint import file_sha256
from pipeline.media.probe import probe
from pipeline.media.reasons import REASONS
from tests.media.films import shown
from tests.media.odd_files import FILES, locked, movie, photo
from tests.media.scans import scan
from tests.media.stills import encoded

SETTINGS = FrameSettings(max_side_px=64)


def use(path: Path) -> None:
    """All that a run does to a file's bytes."""
    found = probe(path, SETTINGS)
    if found.media == "image":
        read_image(path, SETTINGS)
    else:
        for _ in shown(path, SETTINGS):
            pass


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", FILES)
def test_each_hostile_file_gets_its_reason_and_no_other_error(name: str, tmp_path: Path) -> None:
    maker, reason = FILES[name]
    path = maker(tmp_path)
    if reason is None:
        use(path)
        return
    with pytest.raises(MediaError) as caught:
        use(path)
    assert caught.value.reason == reason
    assert caught.value.detail
    assert "\n" not in caught.value.detail


ANIMATED = ("animated gif", "animated webp", "animated png", "animated avif")


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("name", "frames", "reason"),
    [
        *((name, 2, None) for name in ANIMATED),
        ("100,000 frames", 100_000, None),
        ("million frames declared", 2, "corrupt_image"),
        ("gif bomb", 0, "too_many_pixels"),
        ("tiff of three pages", None, "unsupported_format"),
    ],
)
def test_animations_as_videos_stay_within_the_limits(
    name: str, frames: int | None, reason: str | None, tmp_path: Path
) -> None:
    path, seen, found = FILES[name][0](tmp_path), 0, None
    try:
        for _ in shown(path, FrameSettings(max_side_px=64, animations="video")):
            seen += 1
    except MediaError as error:
        found = error.reason
    assert found == reason
    assert frames is None or seen == frames


def test_three_hours_of_one_picture_are_static_segments(tmp_path: Path) -> None:
    segments = scan(FILES["three static hours"][0](tmp_path), SETTINGS, SceneSettings()).segments
    assert segments[-1].end_s > 3 * 3600
    assert all(len(s.pixels.frames) <= SETTINGS.max_frames for s in segments)
    assert {s.reject and s.reject[0] for s in segments} <= {"static", "too_short"}


def test_a_file_without_permission_is_unreadable(tmp_path: Path) -> None:
    with somebody(tmp_path), pytest.raises(MediaError) as caught:
        probe(locked(tmp_path), SETTINGS)
    assert caught.value.reason == "unreadable"


@contextlib.contextmanager
def somebody(folder: Path) -> Iterator[None]:
    """Be a user whom permissions bind, with a folder of theirs: root reads everything."""
    if os.geteuid() != 0:
        yield
        return
    nobody = 65_534
    for place in (folder, *folder.parents):
        mode = place.stat().st_mode
        if not mode & 0o001:  # pytest's own, closed to others
            place.chmod(mode | 0o111)
    os.chown(folder, nobody, nobody)
    os.seteuid(nobody)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_name_longer_than_the_system_allows_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(MediaError) as caught:
        probe(tmp_path / ("x" * 5000), SETTINGS)
    assert caught.value.reason == "unreadable"


def test_a_fifo_cannot_be_hashed_either(tmp_path: Path) -> None:
    with pytest.raises(MediaError) as caught:
        file_sha256(FILES["fifo"][0](tmp_path))
    assert caught.value.reason == "not_a_file"


def test_nothing_is_printed_whatever_the_file(tmp_path: Path) -> None:
    """Native libraries write to the file descriptor itself, so another process must look."""
    for number, (maker, _) in enumerate(FILES.values()):
        folder = tmp_path / str(number)
        folder.mkdir()
        maker(folder)
    script = (
        "import sys; from pathlib import Path; from pipeline.errors import MediaError\n"
        "from tests.media.test_odd_files import use\n"
        "for path in sorted(Path(sys.argv[1]).rglob('*')):\n"
        "    try: use(path)\n"
        "    except MediaError: pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, str(tmp_path)], capture_output=True, check=False, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_reasons_are_a_closed_set_of_codes() -> None:
    for code, words in REASONS.items():
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", code)
        assert words
    raised = set()
    for file in Path(pipeline.media.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "MediaError":
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    raised.add(first.value)
    assert raised <= set(REASONS)


@pytest.mark.parametrize("kind", ["jpeg", "png", "gif", "webp", "tiff", "bmp", "avif", "mp4"])
def test_random_damage_raises_nothing_but_media_errors(kind: str, tmp_path: Path) -> None:
    whole = movie() if kind == "mp4" else encoded(photo(), kind.upper())
    path = tmp_path / "damaged"
    for seed in range(6 if kind == "mp4" else 40):
        rng = np.random.default_rng(seed)
        data = bytearray(whole)
        for at in rng.integers(0, len(data), 1 + seed % 8):
            data[at] = rng.integers(0, 256)
        if seed % 3 == 0:
            data = data[: rng.integers(1, len(data))]
        path.write_bytes(data)
        with contextlib.suppress(MediaError):
            use(path)
