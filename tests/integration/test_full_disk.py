"""A disk that fills up stops a command with one line, and the same command goes on once there is room."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.media import write_media

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SEED_POOL = Path(sys.executable).parent / "seed-pool"


def in_own_mounts(script: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script where it may mount a small file system that nobody else sees."""
    return subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", script], capture_output=True, text=True, check=False
    )


def mounts_allowed(folder: Path) -> bool:
    return shutil.which("unshare") is not None and not in_own_mounts(f"mount -t tmpfs tmpfs '{folder}'").returncode


def test_a_build_stops_on_a_full_disk_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    media, out = write_media(tmp_path / "media"), tmp_path / "out"
    out.mkdir()
    if not mounts_allowed(out):
        pytest.skip("this system lets no unprivileged process mount a file system")
    build = f"'{SEED_POOL}' build '{media}' --out '{out}' --runner local"
    done = in_own_mounts(
        f"mount -t tmpfs -o size=300k tmpfs '{out}' && {build} ; echo first exit $?"
        f"; mount -o remount,size=500m '{out}' && {build} ; echo second exit $?"
        f"; cp -r '{out}/seed_pool' '{tmp_path}/after'"
    )
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, done.stderr
    assert "No space left" in errors[0]
    assert "Traceback" not in done.stderr
    assert "first exit 1" in done.stdout
    assert "second exit 0" in done.stdout
    subprocess.run([SEED_POOL, "build", media, "--out", tmp_path / "whole", "--runner", "local"], check=True)
    for part in ("assets", "rejected"):
        ours, whole = (
            (folder / part / "part-00000.parquet").read_bytes()
            for folder in (tmp_path / "after", tmp_path / "whole" / "seed_pool")
        )
        assert ours == whole
