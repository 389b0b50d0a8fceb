"""A folder of every hostile kind, whole: nothing is lost, each kind gets its reason, whoever is killed meanwhile."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.config import SourceSettings
from pipeline.seed_pool.sources import open_source
from tests.integration.invariants import Row, check_pool, rows
from tests.integration.media import write_media
from tests.media.films import written
from tests.media.odd_files import FILES, jpeg

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SEED_POOL = Path(sys.executable).parent / "seed-pool"
# All that opens files is real and lets small media through; models are not what is tested here.
SETTINGS = (
    "vlm.adapter=fake",
    "aligner.adapter=fake",
    "seed_pool.quality.min_width_px=1",
    "seed_pool.quality.min_height_px=1",
    "seed_pool.quality.min_pixels=1",
    "seed_pool.quality.max_aspect_ratio=1e9",
    "seed_pool.label.min_vlm_confidence=0",
    "seed_pool.align.min_alignment=-1",
)
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "120"}
# What is no file in a folder, and what is found to be something else there.
NO_FILES = ("missing", "folder")
ELSEWHERE = {"device": "outside_media_root"}
READING = {"discover", "probe", "scenes"}  # stages that open a file as it lies there
DAMAGED_LATER = {"mp4, 60 %", "mp4, damaged in the middle"}  # good segments before the damage may stay


@dataclass(frozen=True)
class Folder:
    """The media, and the kind of each by its URI."""

    media: Path
    kinds: dict[str, str]

    @property
    def found(self) -> set[str]:
        """The URI of all that a build must account for."""
        return {f.uri for f in open_source(str(self.media), SourceSettings()).found()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    root = tmp_path_factory.mktemp("hostile")
    written(root / "outside.jpg", jpeg())
    media, kinds = write_media(root / "media"), {}
    for number, (kind, (maker, _)) in enumerate(FILES.items()):
        place = media / f"{number:03d}"
        place.mkdir()
        made = maker(place)
        kinds[f"{place.name}/{made.name}"] = kind
    (media / "out.jpg").symlink_to(root / "outside.jpg")
    (media / "around").symlink_to(media)
    return Folder(media, kinds)


def command(folder: Folder, out: Path, runner: str) -> list[str | Path]:
    settings = [part for setting in SETTINGS for part in ("--set", setting)]
    return [SEED_POOL, "build", folder.media, "--out", out, "--runner", runner, *settings]


def build(folder: Folder, out: Path, runner: str) -> str:
    done = subprocess.run(command(folder, out, runner), capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]
    assert "Traceback" not in done.stderr
    return done.stdout


def pool(out: Path) -> list[list[Row]]:
    return [rows(out / "seed_pool" / part) for part in ("assets", "rejected")]


@pytest.fixture(scope="module")
def undisturbed(folder: Folder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    build(folder, out, "local")
    return out


def test_every_file_of_a_hostile_folder_is_kept_or_has_the_reason_of_its_kind(
    folder: Folder, undisturbed: Path
) -> None:
    check_pool(undisturbed, folder.found)
    reasons: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    for row in rows(undisturbed / "seed_pool" / "rejected"):
        reasons[row["uri"]].add((row["stage"], row["reason"]))
    kept = {row["uri"] for row in rows(undisturbed / "seed_pool" / "assets")}
    wrong = {}
    for uri, kind in folder.kinds.items():
        said = {reason for stage, reason in reasons[uri] if stage in READING}
        expected = ELSEWHERE.get(kind, FILES[kind][1])
        if kind in NO_FILES:
            right = not reasons[uri] and uri not in kept
        elif expected is None:  # odd but good: whatever rejects it has looked at it
            right = not said or said <= {"static", "too_short", "black", "single_colour", "frozen"}
        else:
            right = expected in said and (uri not in kept or kind in DAMAGED_LATER)
        if not right:
            wrong[kind] = (expected, reasons[uri], uri in kept)
    assert not wrong
    assert reasons["out.jpg"] == {("discover", "outside_media_root")}
    assert reasons["around"] == {("discover", "link_to_folder")}


def test_a_rerun_changes_no_byte(folder: Folder, undisturbed: Path) -> None:
    before = {p: p.read_bytes() for p in (undisturbed / "seed_pool").rglob("part-*")}
    assert "nothing has changed" in build(folder, undisturbed, "local")
    assert {p: p.read_bytes() for p in (undisturbed / "seed_pool").rglob("part-*")} == before


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    said: str  # its command line


def children(pid: int) -> Iterator[Process]:
    """All that a process has started, directly or not."""
    parents: defaultdict[int, list[Process]] = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                said = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except (FileNotFoundError, ProcessLookupError):
                continue
            parents[parent].append(Process(int(entry.name), parent, said))
    waiting = [pid]
    while waiting:
        for child in parents[waiting.pop()]:
            yield child
            waiting.append(child.pid)


def is_decoder(said: str) -> bool:
    return "pipeline.media.sandbox" in said


def is_worker(said: str) -> bool:
    """Runs our stages, or counts them; without its own agents Ray itself cannot go on."""
    return said.startswith(("ray::Map", "ray::_Tally"))


@pytest.mark.parametrize(("who", "seed"), [(is_decoder, 1), (is_worker, 2)], ids=["decoder", "worker"])
def test_killed_helpers_of_a_build_on_ray_cost_no_row(
    folder: Folder, undisturbed: Path, tmp_path: Path, who: Callable[[str], bool], seed: int
) -> None:
    """Once each process that starts decoders: a file whose decoder dies twice is a reject, and rightly so."""
    draw, out = random.Random(seed), tmp_path / "out"
    with (tmp_path / "log").open("wb") as log:
        running = subprocess.Popen(command(folder, out, "ray"), env=ENVIRONMENT, stdout=log, stderr=log)
        killed: list[Process] = []
        while running.poll() is None:
            time.sleep(draw.uniform(0.05, 0.5))
            spared = {p.parent for p in killed} if who is is_decoder else {p.pid for p in killed}
            victims = [p for p in children(running.pid) if who(p.said) and not {p.pid, p.parent} & spared]
            if victims and len(killed) < 2:
                killed.append(draw.choice(victims))
                with contextlib.suppress(ProcessLookupError):  # it ended by itself meanwhile
                    os.kill(killed[-1].pid, signal.SIGKILL)
    assert killed, "the build ended before there was anything to kill"
    assert running.returncode == 0, f"{killed}\n{(tmp_path / 'log').read_text()[-3000:]}"
    assert pool(out) == pool(undisturbed)


def test_a_build_that_is_killed_at_any_moment_goes_on_to_the_same_rows(
    folder: Folder, undisturbed: Path, tmp_path: Path
) -> None:
    draw, out = random.Random(3), tmp_path / "out"
    for _ in range(3):
        running = subprocess.Popen(
            command(folder, out, "local"), env=ENVIRONMENT, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(draw.uniform(2, 8))
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    build(folder, out, "local")
    check_pool(out, folder.found)
    assert pool(out) == pool(undisturbed)
