"""URLs of media: what they name, and which of them may be fetched."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote, unquote

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from pipeline.config import URL_SCHEMES
from pipeline.errors import MediaError
from pipeline.media.members import CONTAINER_SUFFIXES

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
# A bucket's name ends up in a host name, so nothing else may: the naming rules of both stores.
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")
_SHOWN_CHARS = 200


def is_url(text: str) -> bool:
    """Whether a URI or media root says how it is to be fetched: `scheme://`."""
    return _SCHEME.match(text) is not None


@dataclass(frozen=True)
class Url:
    """A URL in its normal form. Of an object store the path is the key, as it is, without escapes."""

    scheme: str
    host: str  # with a port; of an object store the bucket
    path: str  # begins with a slash
    query: str = ""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}{self.path}{self.query}"

    @property
    def web(self) -> bool:
        """Whether it is asked for by HTTP."""
        return self.scheme in ("https", "http")

    @property
    def name(self) -> str:
        """The last part of the path, unescaped."""
        last = self.path.rpartition("/")[2]
        return unquote(last) if self.web else last

    @property
    def parent(self) -> Url:
        """The folder that it lies in, without a slash at the end."""
        return Url(self.scheme, self.host, self.path.rpartition("/")[0])

    def __truediv__(self, name: str) -> Url:
        """What is called `name` in the folder that it is."""
        return Url(self.scheme, self.host, f"{self.path.rstrip('/')}/{quote(name) if self.web else name}")


def parsed(text: str) -> Url:
    """Read a URL. Raises MediaError not_allowed for a scheme that is never fetched, bad_url."""
    scheme, _, rest = text.partition("://")
    scheme = scheme.lower()
    if scheme not in URL_SCHEMES:
        raise MediaError("not_allowed", f"{scheme!r} is not fetched; {', '.join(URL_SCHEMES)} can be")
    url = _web(scheme, text) if scheme in ("https", "http") else _object(scheme, rest)
    # Clients resolve dot segments on the way, and lead out of whatever prefix was checked.
    if any(part in (".", "..") for part in (unquote(url.path) if url.web else url.path).split("/")):
        raise MediaError("bad_url", f"{_shown(text)} has a segment '.' or '..' in its path")
    return url


def _web(scheme: str, text: str) -> Url:
    try:
        found = parse_url(text)
    except (LocationParseError, UnicodeError) as error:
        raise MediaError("bad_url", f"{_shown(text)} cannot be read as a URL") from error
    if not found.host or found.port == 0:
        raise MediaError("bad_url", f"{_shown(text)} names no server")
    port = "" if found.port in (None, {"https": 443, "http": 80}[scheme]) else f":{found.port}"
    query = "" if found.query is None else f"?{found.query}"
    return Url(scheme, f"{found.host}{port}", found.path or "/", query)


def _object(scheme: str, rest: str) -> Url:
    bucket, _, key = rest.partition("/")
    if not _BUCKET.fullmatch(bucket) or ".." in bucket:
        raise MediaError("bad_url", f"{_shown(bucket)} is no name of a bucket")
    if "//" in f"/{key}" or "\0" in key:
        raise MediaError("bad_url", f"{_shown(key)}: keys with an empty segment cannot be read")
    return Url(scheme, bucket, f"/{key}")


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}...")


def below(root: str, uri: str) -> str:
    """The URL of a URI that is relative to a URL; one with a scheme stands for itself.

    Raises MediaError outside_media_root for a path that is absolute or climbs.
    """
    if is_url(uri):
        return uri
    if not uri or uri.startswith("/") or "\0" in uri or {".", ".."} & set(uri.split("/")):
        raise MediaError("outside_media_root", f"{_shown(uri)} is not a path relative to the media root")
    return f"{root.rstrip('/')}/{quote(uri, errors='backslashreplace') if parsed(root).web else uri}"


def allowed(url: Url, allow: Sequence[str]) -> bool:
    """Whether one of `allow` (schemes, or prefixes that end at a slash of the path) covers a URL."""
    for one in allow:
        if "://" not in one:
            if url.scheme == one:
                return True
            continue
        prefix = parsed(one)
        folder = prefix.path if prefix.path.endswith("/") else f"{prefix.path}/"
        here = (prefix.scheme, prefix.host) == (url.scheme, url.host)
        if here and (url.path.startswith(folder) or url.path == prefix.path):
            return True
    return False


def not_allowed(url: Url) -> MediaError:
    """The error for a URL that is not `allowed`."""
    return MediaError("not_allowed", f"{url.scheme}://{url.host} is none of what frames.fetch.allow names")


def containers(url: Url) -> Iterator[tuple[Url, str]]:
    """The URLs, from the shortest, that may be a container of which `url` names a member; and the member's name."""
    parts = url.path.split("/")
    for i, part in enumerate(parts[1:-1], 1):
        if PurePosixPath(part).suffix.lower() in CONTAINER_SUFFIXES:
            member = "/".join(parts[i + 1 :])
            yield Url(url.scheme, url.host, "/".join(parts[: i + 1])), unquote(member) if url.web else member
