"""Object stores (S3, Google Cloud Storage) through pyarrow's file systems."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from typing import BinaryIO, TypeVar
from urllib.parse import SplitResult, urlsplit

import pyarrow as pa
from pyarrow import fs

from pipeline.config import FetchSettings
from pipeline.errors import MediaError
from pipeline.media.connections import proxy_of
from pipeline.media.deadline import within
from pipeline.media.urls import Url

T = TypeVar("T")
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Blob:
    """An object as its store lists it. Another size or time means other bytes."""

    size: int
    mtime_ns: int


@dataclass
class Folder:
    """What lies directly below a prefix, by the last part of its name."""

    blobs: dict[str, Blob] = field(default_factory=dict)
    folders: dict[str, Folder | None] = field(default_factory=dict)  # None: to be listed in its turn
    unnamed: bool = False  # whether some key has an empty segment here: no file system can name it


def look(url: Url, settings: FetchSettings) -> Blob | None:
    """The object that a URL names; None where it names a prefix of some.

    Raises MediaError missing, fetch_failed, fetch_timeout.
    """
    store = _store(url, settings)
    info = _asked(lambda: store.get_file_info(_path(url)), settings)
    if info.type == fs.FileType.NotFound:
        raise MediaError("missing", f"bucket {url.host!r} has no such object")
    return None if info.type == fs.FileType.Directory else Blob(info.size, info.mtime_ns or 0)


def listed(url: Url, settings: FetchSettings) -> Folder:
    """What lies below the prefix that `url` names. Raises MediaError as `look` does.

    Of S3 one level; of Google Cloud Storage all, for there pyarrow leaves out what is below a folder
    that is no object itself when it is asked for one level.
    """
    store, path, deep = _store(url, settings), _path(url), url.scheme == "gs"
    infos = _asked(lambda: store.get_file_info(fs.FileSelector(path, True, recursive=deep)), settings)
    top = Folder()
    for info in infos:
        *parents, name = info.path[len(path) + 1 :].split("/")
        here: Folder | None = top
        for parent in parents:
            if here is not None and parent:
                here = here.folders.setdefault(parent, Folder())
            elif here is not None:
                here.unnamed, here = True, None
        if here is None:
            continue
        if not name:
            here.unnamed = True
        elif info.type == fs.FileType.Directory:
            here.folders.setdefault(name, Folder() if deep else None)
        else:
            here.blobs[name] = Blob(info.size, info.mtime_ns or 0)
    return top


def copy(url: Url, blob: Blob, file: BinaryIO, settings: FetchSettings) -> None:
    """Write the object's bytes into `file`. Raises MediaError as `look` does and too_large; OSError for `file`."""
    if blob.size > settings.max_bytes:
        raise MediaError("too_large", f"{blob.size} bytes, max_bytes is {settings.max_bytes}")
    end = time.monotonic() + settings.max_fetch_s
    store = _store(url, settings)
    stream = _asked(lambda: store.open_input_stream(_path(url)), settings, end)
    got = 0
    while block := _asked(lambda: stream.read(_BLOCK_BYTES), settings, end):
        got += len(block)
        if got > settings.max_bytes:
            raise MediaError("too_large", f"more than max_bytes {settings.max_bytes}")
        file.write(block)


def _asked(ask: Callable[[], T], settings: FetchSettings, end: float | None = None) -> T:
    """What `ask` gives; end: when it must, by the monotonic clock."""
    try:
        return within(settings.max_fetch_s if end is None else end - time.monotonic(), ask, settings.max_fetch_s)
    except FileNotFoundError as error:
        raise MediaError("missing", _said(error)) from error
    except (OSError, pa.ArrowException) as error:
        raise MediaError("fetch_timeout" if "Timeout" in str(error) else "fetch_failed", _said(error)) from error


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def _path(url: Url) -> str:
    return f"{url.host}{url.path}".rstrip("/")


def _store(url: Url, settings: FetchSettings) -> fs.FileSystem:
    """One file system a region: making another waits for whatever S3 is asked at the time."""

    def make() -> fs.FileSystem:
        if url.scheme == "gs":
            return _gs(settings)
        endpoint = settings.s3.endpoint or _environment("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
        region = settings.s3.region or _environment("AWS_REGION", "AWS_DEFAULT_REGION")
        return _s3(region or ("us-east-1" if endpoint else _region(url.host)), endpoint, settings)

    return _asked(make, settings)


def _environment(*names: str) -> str | None:
    """The first of these variables that is set: pyarrow reads credentials there, and not these."""
    return next((value for name in names if (value := os.environ.get(name))), None)


def _server(endpoint: str) -> SplitResult:
    return urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")


@lru_cache(maxsize=1024)
def _region(bucket: str) -> str:
    return str(fs.resolve_s3_region(bucket))


@lru_cache(maxsize=16)
def _s3(region: str, endpoint: str | None, settings: FetchSettings) -> fs.FileSystem:
    server = _server(endpoint or f"s3.{region}.amazonaws.com")
    return fs.S3FileSystem(
        anonymous=settings.s3.anonymous,
        region=region,
        endpoint_override=endpoint,
        connect_timeout=settings.timeout_s,
        request_timeout=settings.timeout_s,
        proxy_options=proxy_of(server.scheme, server.netloc),
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=settings.retries + 1),
    )


@lru_cache(maxsize=16)
def _gs(settings: FetchSettings) -> fs.FileSystem:
    server = _server(settings.gs.endpoint or "")
    return fs.GcsFileSystem(
        anonymous=settings.gs.anonymous,
        scheme=server.scheme,
        endpoint_override=server.netloc or None,
        retry_time_limit=timedelta(seconds=settings.max_fetch_s),
    )
