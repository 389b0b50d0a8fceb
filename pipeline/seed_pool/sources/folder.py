"""A folder: every file below it becomes a row, whatever it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.config import SourceSettings
from pipeline.errors import MediaError, UsageError
from pipeline.media.members import CONTAINER_SUFFIXES, container_kind
from pipeline.media.names import written
from pipeline.media.opening import open_medium
from pipeline.media.places import identity
from pipeline.media.uris import resolve, to_uri
from pipeline.seed_pool.sources.containers import inside
from pipeline.seed_pool.sources.rows import Found, folder_label
from pipeline.seed_pool.sources.sidecars import by_stem

_NO_FILES = frozenset({"not_a_file", "broken_link", "link_loop", "outside_media_root"})


@dataclass(frozen=True)
class FolderSource:
    """All files of a folder, in the order of their URIs; memory holds one folder's names at a time.

    Hidden files (a leading dot) and sidecars are no assets. Links to folders are not followed (they
    may loop) and become rejects, as do sockets, pipes, devices and dangling links. A tar, and an
    Arrow or Parquet file that holds pictures, is itself a reject `container`, followed by its members.
    """

    root: Path
    settings: SourceSettings

    @property
    def media_root(self) -> str:
        return str(self.root)

    def holds(self, path: Path) -> bool:
        return self.root in (path, *path.parents)

    def found(self) -> Iterator[Found]:
        any_yet = False
        for path, sidecars in self._walk(self.root):
            any_yet = True
            uri = to_uri(path, self.root)
            verdict = _verdict(path, uri, self.root)
            if verdict is None and _is_container(path):
                yield from inside(path, uri, self.settings)
            else:
                yield Found(uri, verdict, folder_label(uri, self.settings), [to_uri(s, self.root) for s in sidecars])
        if not any_yet:
            raise UsageError(
                f"input folder {self.root} is empty; put images (jpg, png, webp, ...) or videos (mp4, mkv, ...) in it"
            )

    def identities(self) -> Iterator[Any]:
        for path, sidecars in self._walk(self.root):
            for one in (path, *sidecars):
                uri = to_uri(one, self.root)
                try:
                    yield uri, *identity(one)[1:]
                except OSError as error:
                    yield uri, error.errno

    def _walk(self, folder: Path) -> Iterator[tuple[Path, list[Path]]]:
        """Files and oddities with their sidecars, depth first.

        A folder sorts as its name and a slash: so the order is that of the URIs.
        """
        try:
            entries = [e for e in os.scandir(folder) if not e.name.startswith(".")]
        except OSError:
            yield folder, []  # its verdict says that it cannot be listed
            return
        folders = {e.name for e in entries if e.is_dir(follow_symlinks=False)}
        media, sidecars = by_stem([e.name for e in entries if e.name not in folders])
        for name in sorted([*media, *(f"{f}/" for f in folders)], key=lambda n: (written(n), n)):
            if name.endswith("/"):
                yield from self._walk(folder / name[:-1])
            else:
                yield folder / name, [folder / s for s in sidecars.get(name, [])]


def _is_container(path: Path) -> bool:
    try:
        return path.suffix.lower() in CONTAINER_SUFFIXES and container_kind(path) is not None
    except OSError:  # a file like any other: probing it says why it cannot be read
        return False


def _verdict(path: Path, uri: str, root: Path) -> tuple[str, str] | None:
    if path.is_dir():
        if path.is_symlink():
            return "link_to_folder", "links to folders are not followed; name the folder itself as input"
        return "unreadable_folder", "the operating system does not let us list it"
    try:
        if resolve(root, uri) != path:
            return "ambiguous_name", "another file has this name literally; rename one of them"
        open_medium(path).close()
    except MediaError as error:
        # An empty or locked file is probed like any other, so that each reason comes from one place.
        return (error.reason, error.detail) if error.reason in _NO_FILES else None
    return None
