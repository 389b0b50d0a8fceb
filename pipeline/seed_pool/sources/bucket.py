"""A prefix of an object store, walked like a folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.config import SourceSettings
from pipeline.errors import DataError, MediaError, UsageError
from pipeline.media.members import CONTAINER_SUFFIXES, container_kind
from pipeline.media.object_stores import Blob, Folder, listed
from pipeline.media.remote import Remote
from pipeline.media.urls import Url
from pipeline.seed_pool.sources.containers import inside
from pipeline.seed_pool.sources.rows import Found, folder_label
from pipeline.seed_pool.sources.sidecars import by_stem


@dataclass(frozen=True)
class BucketSource:
    """All objects below a prefix, in the order of their URIs; memory holds one folder's names at a time
    (of Google Cloud Storage all names: see `object_stores.listed`).

    The rules are those of `FolderSource`: hidden names (a leading dot) and sidecars are no assets; a
    tar, Arrow or Parquet file with media is itself a reject `container`, followed by its members.
    Containers are fetched to be listed, other objects when they are probed.
    """

    url: Url
    remote: Remote
    settings: SourceSettings

    @property
    def media_root(self) -> str:
        return str(self.url).rstrip("/")

    def holds(self, path: Path) -> bool:
        del path
        return False

    def found(self) -> Iterator[Found]:
        any_yet = False
        for uri, _, sidecars in self._walk(self.url, ""):
            any_yet = True
            if uri.endswith("/"):
                detail = "keys with an empty segment ('//') cannot be read; copy them to other names"
                yield Found(uri, ("unreadable_folder", detail))
            elif PurePosixPath(uri).suffix.lower() in CONTAINER_SUFFIXES:
                yield from self._container(uri, sidecars)
            else:
                yield Found(uri, None, folder_label(uri, self.settings), sidecars)
        if not any_yet:
            raise UsageError(f"there is nothing below {self.url}; name a prefix that holds images or videos")

    def _container(self, uri: str, sidecars: list[str]) -> Iterator[Found]:
        try:
            path = self.remote.fetch(self.url / uri)
        except MediaError as error:
            yield Found(uri, (error.reason, error.detail))
            return
        if container_kind(path) is None:
            yield Found(uri, None, folder_label(uri, self.settings), sidecars)
        else:
            yield from inside(path, uri, self.settings)

    def identities(self) -> Iterator[Any]:
        for uri, blobs, sidecars in self._walk(self.url, ""):
            for one in (uri, *sidecars):
                blob = blobs.get(one.rpartition("/")[2])
                yield (one,) if blob is None else (one, blob.size, blob.mtime_ns)

    def _walk(
        self, url: Url, prefix: str, known: Folder | None = None
    ) -> Iterator[tuple[str, dict[str, Blob], list[str]]]:
        """The URI of each object, its folder's objects, and its sidecars; a URI with a slash is no object.

        A folder sorts as its name and a slash: so the order is that of the URIs.
        """
        here = known or self._listed(url)
        if here.unnamed:
            yield f"{prefix}/", {}, []
        media, sidecars = by_stem(sorted(name for name in here.blobs if not name.startswith(".")))
        folders = [f"{name}/" for name in here.folders if not name.startswith(".")]
        for name in sorted([*media, *folders]):
            if name.endswith("/"):
                yield from self._walk(url / name[:-1], f"{prefix}{name}", here.folders[name[:-1]])
            else:
                yield f"{prefix}{name}", here.blobs, [f"{prefix}{s}" for s in sidecars.get(name, [])]

    def _listed(self, url: Url) -> Folder:
        try:
            return listed(url, self.remote.settings)
        except MediaError as error:
            raise DataError(f"{url} cannot be listed: {error.detail}; run the command again to try again") from error
