"""Where media come from: a folder, a bucket, a list, shards. A source is a stream of rows, one a medium or oddity."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

from pipeline.config import SourceSettings
from pipeline.errors import MediaError, UsageError
from pipeline.media.object_stores import look
from pipeline.media.remote import Remote
from pipeline.media.urls import is_url, parsed
from pipeline.seed_pool.sources.bucket import BucketSource
from pipeline.seed_pool.sources.folder import FolderSource
from pipeline.seed_pool.sources.listing import LIST_SUFFIXES, ListSource
from pipeline.seed_pool.sources.rows import DISCOVERED, STAGE, Source

__all__ = ["DISCOVERED", "STAGE", "Source", "open_source"]
_LISTS = ", ".join(sorted(LIST_SUFFIXES))


def open_source(given: str, settings: SourceSettings, remote: Remote | None = None) -> Source:
    """The source that INPUT names. remote: fetches what a URL needs; without it a URL is refused.

    Raises UsageError when it is missing, empty, or of no kind that is read.
    """
    if is_url(given):
        if remote is None:
            raise UsageError(f"input {given} is a URL, and nothing may be fetched here; name a folder or a list")
        return _remote_source(given, settings, remote)
    path = Path(given).expanduser().resolve()
    if path.is_dir():
        return FolderSource(path, settings)
    if path.is_file() and path.suffix.lower() in LIST_SUFFIXES:
        return ListSource(path, settings)
    if path.is_file():
        raise UsageError(
            f"input {given} is a file; name the folder that holds your images and videos, or a list of them ({_LISTS})"
        )
    raise UsageError(f"input {given} does not exist; name a folder of images and videos, or a list of them")


def _remote_source(given: str, settings: SourceSettings, remote: Remote) -> Source:
    """A prefix of an object store, or a list at a URL. The user named it, so it may be fetched."""
    try:
        url = parsed(given)
        if not url.web and (url.path.endswith("/") or look(url, remote.settings) is None):
            return BucketSource(url, replace(remote, root=str(url)), settings)
        if PurePosixPath(url.name).suffix.lower() in LIST_SUFFIXES:
            return ListSource(replace(remote, root=str(url)).fetch(url, fresh=True), settings, url)
    except MediaError as error:
        raise UsageError(f"input {given} cannot be read: {error.reason}, {error.detail}") from error
    raise UsageError(f"input {given} is one file; name a list ({_LISTS}), or a prefix of an s3:// or gs:// bucket")
