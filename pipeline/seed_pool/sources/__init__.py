"""Where media come from: a folder, a list, shards. A source is a stream of rows, one a medium or oddity."""

from __future__ import annotations

from pathlib import Path

from pipeline.config import SourceSettings
from pipeline.errors import UsageError
from pipeline.seed_pool.sources.folder import FolderSource
from pipeline.seed_pool.sources.listing import LIST_SUFFIXES, ListSource
from pipeline.seed_pool.sources.rows import DISCOVERED, STAGE, Source

__all__ = ["DISCOVERED", "STAGE", "Source", "open_source"]


def open_source(given: str, settings: SourceSettings) -> Source:
    """The source that INPUT names. Raises UsageError when it is missing, empty, or of no kind that is read."""
    path = Path(given).expanduser().resolve()
    if path.is_dir():
        return FolderSource(path, settings)
    if path.is_file() and path.suffix.lower() in LIST_SUFFIXES:
        return ListSource(path, settings)
    if path.is_file():
        raise UsageError(
            f"input {given} is a file; name the folder that holds your images and videos, "
            f"or a list of them ({', '.join(sorted(LIST_SUFFIXES))})"
        )
    raise UsageError(f"input {given} does not exist; name a folder of images and videos, or a list of them")
