"""What may become of an attempt, from the client library's exceptions to ours: pure, tested without a server."""

from __future__ import annotations

import email.utils
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime

import httpx2
import openai

_SHOWN_CHARS = 300
_PASSING = frozenset({408, 409, 425})  # with 5xx: another attempt may go well
_OF_THE_RUN = frozenset({401, 402, 404})  # no request can go well: the key, the bill, the model or the address
_FILTERED = "content_filter"
_OUT_OF_QUOTA = "insufficient_quota"  # comes as 429, and does not pass


class RefusedError(Exception):
    """The server will not answer this one request. `filtered`: for what it says or shows."""

    def __init__(self, message: str, filtered: bool = False) -> None:
        super().__init__(message)
        self.filtered = filtered


class PassingError(Exception):
    """Another attempt may go well, not before `retry_after_s` where the server says so."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class BusyError(PassingError):
    """The server has too much to do: it works, and wants to be asked later."""


class BrokenError(PassingError):
    """The server, or the way to it, failed."""


class UnreachableError(BrokenError):
    """Nobody listens there."""


class StoppedError(Exception):
    """No request can be answered. `status`: of the response."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def failure(error: openai.APIError, key: str | None) -> RefusedError | PassingError | StoppedError:
    """What an exception of the client library means. key: is blotted out of what a server says."""
    if isinstance(error, openai.APIStatusError):
        return _of_status(error, key)
    if isinstance(error, openai.APITimeoutError):
        return BrokenError("no connection or no reply in time")
    cause = error.__cause__
    said = f"{type(cause).__name__}: {cause}" if cause is not None and str(cause) else type(cause).__name__
    return UnreachableError(said) if isinstance(cause, httpx2.ConnectError) else BrokenError(said)


def _of_status(error: openai.APIStatusError, key: str | None) -> RefusedError | PassingError | StoppedError:
    status, headers = error.status_code, error.response.headers
    message = f"HTTP {status}: {said(error.body, key)}"
    if status in _OF_THE_RUN or error.code == _OUT_OF_QUOTA:
        return StoppedError(message, status)
    wait_s = retry_after_s(headers, datetime.now(UTC))
    if status == 429 or (status == 503 and wait_s is not None):
        return BusyError(message, wait_s)
    if status >= 500 or status in _PASSING:
        return BrokenError(message, wait_s)
    if where := headers.get("location"):
        message += f" (it points to {said(where, key)})"
    return RefusedError(message, filtered=error.code == _FILTERED)


def said(body: object, key: str | None) -> str:
    """The words of an error's body, in one short line."""
    message = body.get("message") if isinstance(body, Mapping) else body
    text = message if isinstance(message, str) else json.dumps(body, default=str)
    text = " ".join(text.split())
    return (text.replace(key, "***") if key else text)[:_SHOWN_CHARS] or "without a word"


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that a response asks to wait, 0 or more; None where it does not say, or not in a way that can be read.

    Source: RFC 9110, section 10.2.3 (seconds, or a date); `retry-after-ms` is of OpenAI's servers.
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit
        except ValueError:
            continue
        return max(0.0, seconds) if math.isfinite(seconds) else None
    try:
        date = email.utils.parsedate_to_datetime(headers.get("retry-after", ""))
    except (ValueError, OverflowError):
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds())
