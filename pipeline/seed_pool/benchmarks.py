"""Benchmarks whose media must not be in the pool: folders of media, or tables that hold or name them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.media.uris import to_uri
from pipeline.seed_pool.benchmark_tables import TABLE_SUFFIXES, is_there, table_media

_NAME_CHARS = 120  # of a path in a report
# What a file of this name should be; one that turns out to be text could not be compared.
_MEDIA_SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".avif", ".heic",
    ".heif", ".jp2", ".jxl", ".ppm", ".pgm", ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".wmv", ".flv", ".mpg",
    ".mpeg", ".m2ts", ".ogv", ".3gp",
})  # fmt: skip


@dataclass(frozen=True)
class Benchmark:
    """A benchmark under the name it has on a leaderboard (mteb's task name), and where its media are."""

    name: str
    path: Path

    @property
    def files(self) -> list[Path]:
        """Every file that the benchmark consists of, sorted."""
        if self.path.is_file():
            return [self.path]
        return sorted(p for p in self.path.rglob("*") if p.is_file())

    @property
    def tables(self) -> list[Path]:
        """Those files whose rows hold media or name them."""
        return [file for file in self.files if file.suffix in TABLE_SUFFIXES]


def parse_benchmark(text: str) -> Benchmark:
    """A benchmark from `PATH` (named after it) or `NAME=PATH`. Raises UsageError when there is nothing."""
    name, equals, rest = text.partition("=")
    path = Path(rest) if equals and not Path(text).exists() else Path(text)
    if not path.exists():
        raise UsageError(f"--exclude {text}: {path} does not exist; name a folder of media or a Parquet file")
    if path.is_file() and path.suffix not in TABLE_SUFFIXES:
        raise UsageError(f"--exclude {text}: {path} is no folder and no Parquet or Arrow file")
    return Benchmark(name if path != Path(text) else path.resolve().stem, path)


def check_names(benchmarks: Sequence[Benchmark]) -> None:
    """Raise UsageError when two benchmarks share a name."""
    names = [b.name for b in benchmarks]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise UsageError(f"--exclude names {twice[0]!r} twice; give one another name: --exclude NAME=PATH")


def listing(benchmark: Benchmark) -> list[tuple[str, int, int]]:
    """Path, size in bytes and modification time of every file the benchmark consists of, also of those
    that its tables name: what an exclusion was made from."""
    files = dict.fromkeys(benchmark.files)
    for table in benchmark.tables:
        named = (table.parent / m.path for m in table_media(table) if m.data is None and m.path)
        files |= dict.fromkeys(path for path in named if is_there(path))
    return [(str(f), f.stat().st_size, f.stat().st_mtime_ns) for f in files]


@dataclass(frozen=True)
class Collection:
    """Media of a benchmark below one folder. items: how a report names each, by URI.

    others: those of which nobody says that they are media; text among them (captions, licences) is no item.
    """

    root: Path
    items: dict[str, str]
    others: frozenset[str] = frozenset()


def collections(benchmark: Benchmark, spool: Path) -> list[Collection]:
    """Where the media of a benchmark lie: its own folder, and `spool` for bytes that stand in tables,
    which are written there."""
    above = benchmark.path if benchmark.path.is_dir() else benchmark.path.parent
    root, unpacked = above.resolve(), Collection(spool.resolve(), {})
    named: dict[str, str] = {}
    for file in benchmark.tables:
        within = file.relative_to(above)
        for number, medium in enumerate(table_media(file)):
            item = f"{within.as_posix()} row {medium.row}, {medium.column}"
            item += f" ({medium.path[:_NAME_CHARS]})" if medium.path else ""
            if medium.data is None:
                named.setdefault((within.parent / (medium.path or "")).as_posix(), item)
            else:
                target = unpacked.root / within / f"{number:09d}"
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(medium.data)
                unpacked.items[to_uri(target, unpacked.root)] = item
    files = [root / file.relative_to(above) for file in benchmark.files if file.suffix not in TABLE_SUFFIXES]
    beside = {to_uri(path, root): path.suffix.lower() for path in files}
    others = frozenset(u for u, suffix in beside.items() if u not in named and suffix not in _MEDIA_SUFFIXES)
    standing = Collection(root, {**{uri: uri for uri in beside}, **named}, others)
    return [c for c in (standing, unpacked) if c.items]
