"""Lists what stands in a folder: every file becomes a row, whatever it is."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from pipeline.errors import MediaError, UsageError
from pipeline.media.frames import resolve, to_uri
from pipeline.schemas import ASSETS, REJECT
from pipeline.stage import rejects

# A file of these beside a medium with its stem describes that medium and is no asset.
SIDECAR_SUFFIXES = frozenset({".txt", ".json", ".srt", ".vtt", ".xmp"})
DISCOVERED = pa.schema([*(ASSETS.field(n) for n in ("uri", "source_caption")), pa.field("reject", REJECT)])
STAGE = "discover"


def discover(root: Path) -> pa.Table:
    """Return one row a file below `root`, sorted by URI: `uri`, and `reject` for what is no file.

    Hidden files (a leading dot) and sidecars are no assets. Links to folders are not followed
    (they may loop) and become rejects, as do sockets, pipes, devices and dangling links.
    Raises UsageError when `root` is no folder or holds no file at all.
    """
    if not root.exists():
        raise UsageError(f"input folder {root} does not exist; name a folder of images and videos")
    if not root.is_dir():
        raise UsageError(f"input {root} is a file; name the folder that holds your images and videos")
    found = sorted(((to_uri(p, root), p) for p in _walk(root)), key=lambda pair: pair[0])
    with_media = {p.with_suffix("") for _, p in found if p.suffix.lower() not in SIDECAR_SUFFIXES}
    found = [(u, p) for u, p in found if not (p.suffix.lower() in SIDECAR_SUFFIXES and p.with_suffix("") in with_media)]
    if not found:
        raise UsageError(
            f"input folder {root} is empty; put images (jpg, png, webp, ...) or videos (mp4, mkv, ...) in it"
        )
    return pa.table(
        {
            "uri": [u for u, _ in found],
            "source_caption": pa.nulls(len(found), pa.string()),
            "reject": rejects(STAGE, [_verdict(p, u, root) for u, p in found]),
        },
        schema=DISCOVERED,
    )


def _walk(root: Path) -> Iterator[Path]:
    locked: list[Path] = []  # folders that cannot be listed: they become rejects

    def note(error: OSError) -> None:
        locked.append(Path(error.filename))

    for folder, folders, files in os.walk(root, onerror=note, followlinks=False):
        here = Path(folder)
        yield from (here / name for name in files if not name.startswith("."))
        yield from (here / name for name in folders if (here / name).is_symlink() and not name.startswith("."))
    yield from locked


def _verdict(path: Path, uri: str, root: Path) -> tuple[str, str] | None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return "dangling_link", f"the link points to {path.readlink()}, which does not exist"
    except OSError as error:
        return "unreadable", f"{error.strerror} (a link that loops, or a folder without permission)"
    if stat.S_ISDIR(mode) and not path.is_symlink():
        return "unreadable_folder", "the operating system does not let us list it"
    if stat.S_ISDIR(mode):
        return "link_to_folder", "links to folders are not followed; name the folder itself as input"
    if not stat.S_ISREG(mode):
        return "not_a_file", "a pipe, socket or device is no medium"
    try:
        resolve(root, uri)
    except MediaError as error:
        return error.reason, error.detail
    return None
