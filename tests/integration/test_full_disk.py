"""A disk that takes no more stops a build with one line, and the same command goes on once there is room."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.invariants import Row, rows
from tests.integration.media import write_media

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SEED_POOL = Path(sys.executable).parent / "seed-pool"


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_media(tmp_path_factory.mktemp("full") / "media")


@pytest.fixture(scope="module")
def undisturbed(media: Path, tmp_path_factory: pytest.TempPathFactory) -> list[list[Row]]:
    out = tmp_path_factory.mktemp("whole")
    assert sh(build(media, out)).returncode == 0
    return pool(out)


def build(media: Path, out: Path) -> str:
    return f"COLUMNS=500 '{SEED_POOL}' build '{media}' --out '{out}' --runner local"


def pool(out: Path) -> list[list[Row]]:
    return [rows(out / "seed_pool" / part) for part in ("assets", "rejected")]


def sh(script: str, *around: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*around, "sh", "-c", script], capture_output=True, text=True, check=False)


def in_own_mounts(script: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script where it may mount a small file system that nobody else sees."""
    return sh(script, "unshare", "--map-root-user", "--mount")


def mounts_allowed(folder: Path) -> bool:
    return shutil.which("unshare") is not None and not in_own_mounts(f"mount -t tmpfs tmpfs '{folder}'").returncode


def check_stopped(done: subprocess.CompletedProcess[str], out: Path, words: str, fix: str) -> None:
    """One line says what is wrong, in which folder, and what helps."""
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, done.stderr
    assert words in errors[0]
    assert str(out) in errors[0]
    assert f"{fix} and run the command again" in errors[0]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("room", ["60k", "300k", "560k"], ids=["frames", "rows", "last"])
def test_a_build_stops_on_a_full_disk_and_goes_on_when_there_is_room(
    media: Path, undisturbed: list[list[Row]], tmp_path: Path, room: str
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    if not mounts_allowed(out):
        pytest.skip("this system lets no process mount a file system; the test below needs none")
    done = in_own_mounts(
        f"mount -t tmpfs -o size={room} tmpfs '{out}' && {build(media, out)} ; echo first exit $?"
        f"; mount -o remount,size=500m '{out}' && {build(media, out)} ; echo second exit $?"
        f"; cp -r '{out}' '{tmp_path}/after'"
    )
    check_stopped(done, out, "No space left", "free some space")
    assert "first exit 1" in done.stdout
    assert "second exit 0" in done.stdout
    assert pool(tmp_path / "after") == undisturbed


def test_a_build_stops_where_files_may_not_grow_and_goes_on_where_they_may(
    media: Path, undisturbed: list[list[Row]], tmp_path: Path
) -> None:
    """Needs no right to mount, so it runs everywhere."""
    out = tmp_path / "out"
    done = sh(f"ulimit -f 8; {build(media, out)}")
    check_stopped(done, out, "File too large", "raise the limit on the size of a file (ulimit -f)")
    assert done.returncode == 1
    assert sh(build(media, out)).returncode == 0
    assert pool(out) == undisturbed
