"""Media that are not on this machine: fetched once into a folder, and a file like any other from then on."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.config import FetchSettings
from pipeline.errors import MediaError
from pipeline.media import object_stores, web
from pipeline.media.exclusive import making
from pipeline.media.members import Member, container_kind
from pipeline.media.object_stores import Blob
from pipeline.media.places import Place
from pipeline.media.urls import Url, allowed, below, containers, not_allowed, parsed

FETCHED = "fetched"  # the folder of the cache
_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")


@dataclass(frozen=True)
class Remote:
    """Media by URI, fetched into `folder` where they are not there yet."""

    folder: Path
    settings: FetchSettings
    root: str | None = None  # the URL that URIs without a scheme are relative to; what lies below it is allowed

    @property
    def allow(self) -> tuple[str, ...]:
        """Schemes and URL prefixes of what may be fetched."""
        return (*self.settings.allow, *([] if self.root is None else [self.root]))

    def place(self, uri: str) -> Place:
        """Where the medium that `uri` names can be opened: a file, or a member of one.

        Raises MediaError outside_media_root and as `fetch` does.
        """
        return self._placed(uri, self.fetch)

    def at_hand(self, uri: str) -> Place:
        """`place`, without asking the network. Raises MediaError missing where nothing was fetched."""
        return self._placed(uri, self._newest)

    def fetch(self, url: Url, fresh: bool = False) -> Path:
        """The file that holds the bytes of a URL; fetched when it is not there.

        Its name comes from the URL and, in an object store, from size and time of the object; what a web
        server gave is kept until `fresh` asks for it anew. Whoever asks for the same URL meanwhile waits.
        Raises MediaError not_allowed, private_address, bad_url, missing, too_large, fetch_timeout,
        fetch_failed, opted_out; OSError when the disk is full.
        """
        if not allowed(url, self.allow):
            raise not_allowed(url)
        blob = None if url.web else object_stores.look(url, self.settings)
        if blob is None and not url.web:
            raise MediaError("missing", f"bucket {url.host!r} has a folder of this name, and no object")
        path = self._path(url, blob)
        if fresh or not path.exists():
            with making(path, self.settings.max_fetch_s, again=fresh) as file:
                if file is not None and blob is not None:
                    object_stores.copy(url, blob, file, self.settings)
                elif file is not None:
                    web.download(url, file, self.settings, self.allow)
        return path

    def copies(self, uri: str) -> list[Path]:
        """The files that hold the bytes of `uri`, of every version that was fetched; a member's container is none."""
        stem, _ = self._names(parsed(uri if self.root is None else below(self.root, uri)))
        return sorted((self.folder / stem[:2]).glob(f"{stem}*"))

    def _placed(self, uri: str, get: Callable[[Url], Path]) -> Place:
        url = parsed(uri if self.root is None else below(self.root, uri))
        for container, member in containers(url):
            try:
                path = get(container)
            except MediaError as error:
                if error.reason not in ("missing", "fetch_failed"):
                    raise
                continue  # a folder that is called like a container
            if container_kind(path) is not None:
                return Member(path, member)
        return get(url)

    def _path(self, url: Url, blob: Blob | None) -> Path:
        stem, suffix = self._names(url)
        version = "" if blob is None else f"-{blob.size:x}-{blob.mtime_ns:x}"
        return self.folder / stem[:2] / f"{stem}{version}{suffix}"

    def _newest(self, url: Url) -> Path:
        stem, _ = self._names(url)
        copies = sorted((self.folder / stem[:2]).glob(f"{stem}*"), key=lambda path: path.stat().st_mtime_ns)
        if not copies:
            raise MediaError("missing", "it has not been fetched")
        return copies[-1]

    def _names(self, url: Url) -> tuple[str, str]:
        """The beginning of its files' names, and their end: tools that are handed a file go by that."""
        suffix = PurePosixPath(url.name).suffix.lower()
        return hashlib.sha256(str(url).encode()).hexdigest()[:32], suffix if _SUFFIX.fullmatch(suffix) else ""
