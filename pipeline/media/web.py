"""Gets a file by HTTP: every hop is checked, and nothing about it is without a limit."""

from __future__ import annotations

import contextlib
import random
import re
import time
from collections.abc import Iterator
from importlib.metadata import version
from typing import BinaryIO
from urllib.parse import urljoin

from urllib3 import Retry, Timeout
from urllib3.exceptions import HTTPError, InvalidHeader, LocationValueError, ProtocolError, SSLError
from urllib3.exceptions import TimeoutError as NoAnswerError
from urllib3.response import BaseHTTPResponse

from pipeline.config import FetchSettings
from pipeline.errors import MediaError
from pipeline.media.connections import connecting
from pipeline.media.deadline import Deadline
from pipeline.media.urls import Url, allowed, not_allowed, parsed

_BLOCK_BYTES = 1 << 18
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
_GONE = frozenset({404, 410})
_OK = 200
_WHOSE = re.compile(r"^(<[^>]*>|\w+\(host=.*?\)): ")


def download(url: Url, file: BinaryIO, settings: FetchSettings, allow: tuple[str, ...]) -> None:
    """Write what `url` gives into `file`, from its beginning.

    allow: schemes and URL prefixes that it and each redirect must be of. Raises MediaError not_allowed,
    private_address, bad_url, missing, too_large, fetch_timeout, fetch_failed, opted_out; OSError when
    `file` cannot be written.
    """
    patience = Retry(total=settings.retries, backoff_factor=settings.retry_wait_s)
    with Deadline(settings.max_fetch_s) as deadline:
        while True:
            file.seek(0)
            file.truncate()
            asked_s: float | None = None
            try:
                with _answer(url, settings, allow, deadline) as response:
                    if response.status not in _BUSY:
                        _copy(response, file, settings, deadline)
                        return
                    failure = MediaError("fetch_failed", _status(response))
                    asked_s = _retry_after(patience, response)
            except (SSLError, LocationValueError) as error:  # asking again changes nothing
                deadline.check()
                raise MediaError("fetch_failed", _said(error)) from error
            except HTTPError as error:
                deadline.check()
                reason = "fetch_timeout" if isinstance(error, NoAnswerError) else "fetch_failed"
                failure = MediaError(reason, _said(error))
            try:
                patience = patience.increment("GET", str(url), error=ProtocolError(failure.detail))
            except HTTPError as error:
                raise MediaError(failure.reason, f"{failure.detail}; tried {settings.retries + 1} times") from error
            _wait(patience, asked_s, failure, settings, deadline)


def _retry_after(patience: Retry, response: BaseHTTPResponse) -> float | None:
    with contextlib.suppress(InvalidHeader, ValueError, OverflowError):
        return patience.get_retry_after(response)
    return None


def _wait(
    patience: Retry, asked_s: float | None, failure: MediaError, settings: FetchSettings, deadline: Deadline
) -> None:
    backoff_s = patience.get_backoff_time() or settings.retry_wait_s  # which is 0 after the first failure
    wait_s = backoff_s * random.uniform(0.5, 1.5) if asked_s is None else asked_s
    if wait_s > deadline.left_s:
        late = f"the next try would come after {wait_s:.0f} s, and max_fetch_s is {settings.max_fetch_s:g} s"
        raise MediaError(failure.reason, f"{failure.detail}; {late}")
    time.sleep(wait_s)


@contextlib.contextmanager
def _answer(
    url: Url, settings: FetchSettings, allow: tuple[str, ...], deadline: Deadline
) -> Iterator[BaseHTTPResponse]:
    """The response behind all redirects, its body not read yet."""
    headers = {"User-Agent": f"seedmine/{version('seedmine')}", "Accept-Encoding": "identity"}
    timeout = Timeout(connect=settings.timeout_s, read=settings.timeout_s)
    for _ in range(settings.max_redirects + 1):
        deadline.check()
        if not (url.web and allowed(url, allow)):
            raise not_allowed(url)
        with connecting(url, settings.private_addresses, deadline) as manager:
            response = manager.request(
                "GET", str(url), headers=headers, redirect=False, retries=False, preload_content=False, timeout=timeout
            )
            try:
                target = response.get_redirect_location()
                if not target:
                    yield response
                    return
            finally:
                response.close()
        url = _joined(url, target)
    raise MediaError("fetch_failed", f"more than max_redirects {settings.max_redirects} redirects")


def _joined(url: Url, target: str) -> Url:
    """Where a redirect leads. Header bytes come as Latin-1, whatever they are; UTF-8 is what is sent."""
    with contextlib.suppress(UnicodeError):
        target = target.encode("latin-1").decode("utf-8")
    try:
        return parsed(urljoin(str(url), target))
    except ValueError as error:
        raise MediaError("bad_url", f"redirected to {target[:200]!r}") from error


def _copy(response: BaseHTTPResponse, file: BinaryIO, settings: FetchSettings, deadline: Deadline) -> None:
    if response.status != _OK:
        raise MediaError("missing" if response.status in _GONE else "fetch_failed", _status(response))
    said = ",".join(response.headers.getlist("X-Robots-Tag")).replace(":", ",").lower()
    if words := sorted({word.strip() for word in said.split(",")} & set(settings.opt_outs)):
        raise MediaError("opted_out", f"the server says X-Robots-Tag: {', '.join(words)}")
    size = _announced(response)
    if size is not None and size > settings.max_bytes:
        raise MediaError("too_large", f"{size} bytes announced, max_bytes is {settings.max_bytes}")
    got = 0
    # read1 gives what has come; read would wait for a whole block, however slowly that fills.
    while block := response.read1(_BLOCK_BYTES, decode_content=False):
        deadline.check()
        got += len(block)
        if got > settings.max_bytes:
            raise MediaError("too_large", f"more than max_bytes {settings.max_bytes}")
        file.write(block)
    deadline.check()
    if size is not None and got != size:
        raise ProtocolError(f"the connection ended after {got} of {size} bytes")


def _announced(response: BaseHTTPResponse) -> int | None:
    announced = response.headers.get("Content-Length", "")
    known = announced.isdecimal() and len(announced) < 20 and "Transfer-Encoding" not in response.headers
    return int(announced) if known else None


def _status(response: BaseHTTPResponse) -> str:
    return " ".join(f"HTTP {response.status} {response.reason or ''}".split())[:200]


def _said(error: Exception) -> str:
    """What an error says, without the object it says it of."""
    text = str(error.args[0]) if error.args else ""
    return " ".join(_WHOSE.sub("", text).split())[:300] or type(error).__name__
