"""The way to a server: attempts, waiting, and when to give up.

The client library's own retries are off: they count a busy server's 429 as a failed attempt, know
nothing of other requests, and two layers of retries would multiply.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import AsyncIterator

import httpx2
import openai
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from pipeline.config import ServerSettings, VlmSettings
from pipeline.errors import ModelError
from pipeline.models.openai.failures import (
    BrokenError,
    BusyError,
    PassingError,
    RefusedError,
    StoppedError,
    UnreachableError,
    failure,
)

_CONNECT_S = 10.0
_MAX_BACKOFF_S = 60.0
_NO_KEY = "none"  # the client library wants one
_JSON = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
_NAMES_SHOWN = 5


class Server:
    """Posts bodies to one server. Used from one event loop."""

    def __init__(self, settings: VlmSettings) -> None:
        self._settings, self._limits = settings, settings.server
        self._key = key_of(settings.server)
        self._failed_in_row = 0
        self._busy_until = 0.0  # of the loop's clock: a server that asked one request to wait means all
        self._client = openai.AsyncOpenAI(
            base_url=settings.base_url,
            api_key=self._key or _NO_KEY,
            max_retries=0,
            timeout=httpx2.Timeout(self._limits.timeout_s, connect=min(_CONNECT_S, self._limits.timeout_s), pool=None),
            http_client=openai.DefaultAsyncHttpxClient(
                event_hooks={"response": [self._bound]},
                follow_redirects=False,
                limits=httpx2.Limits(max_connections=None, max_keepalive_connections=self._limits.concurrency),
            ),
        )

    @property
    def failing(self) -> bool:
        """Whether the last request to end found no server that works."""
        return self._failed_in_row > 0

    async def ask(self, body: bytes) -> bytes:
        """The body of the response, at most `max_reply_bytes` and one more.

        Raises RefusedError and, after all attempts, BrokenError for this request; ModelError when no request can
        be answered: nobody listens, the key or the model is refused, the server stays busy, or
        `max_failures_in_row` requests have failed.
        """
        patience = _Patience(self._limits)
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(PassingError), wait=patience.wait, stop=patience.over, reraise=True
        )
        try:
            response: bytes = await retrying(self._post, body)
        except RefusedError:
            self._failed_in_row = 0
            raise
        except StoppedError as error:
            raise await self._stopped(error) from error
        except PassingError as error:
            raise self._given_up(error, patience) from error
        self._failed_in_row = 0
        return response

    def _given_up(self, error: PassingError, patience: _Patience) -> BrokenError | ModelError:
        """What the last attempt at a request means: for that request, or for the run."""
        if isinstance(error, BusyError) or (error.retry_after_s or 0.0) > self._limits.max_wait_s:
            return self._gone(
                f"is too busy: {error}; a request has waited {patience.waited_s:.0f} s and should wait "
                f"{patience.next_s:.0f} s more, vlm.server.max_wait_s allows {self._limits.max_wait_s:.0f}. "
                "Lower vlm.server.concurrency"
            )
        if isinstance(error, UnreachableError):
            return self._gone(f"cannot be reached ({error}). Start it, or mend vlm.base_url")
        self._failed_in_row += 1
        if self._failed_in_row >= self._limits.max_failures_in_row:
            return self._gone(f"failed {self._failed_in_row} requests in a row, the last with {error}. See to it")
        return BrokenError(f"{error}, in the last of {patience.attempts} attempts")

    async def close(self) -> None:
        """End all connections."""
        await self._client.close()

    async def _post(self, body: bytes) -> bytes:
        """One attempt."""
        loop = asyncio.get_running_loop()
        if (wait_s := self._busy_until - loop.time()) > 0:
            await asyncio.sleep(wait_s + random.uniform(0, self._limits.retry_wait_s))
        try:
            # The library's time-outs are of silence; this one is of the whole, for servers that drip.
            async with asyncio.timeout(self._limits.timeout_s):
                response = await self._client.post(
                    "/chat/completions", cast_to=httpx2.Response, content=body, options={"headers": _JSON}
                )
        except TimeoutError as error:
            raise BrokenError(f"no whole reply within {self._limits.timeout_s:g} s") from error
        except openai.APIError as error:
            found = failure(error, self._key)
            if isinstance(found, PassingError) and found.retry_after_s is not None:
                until = loop.time() + min(found.retry_after_s, self._limits.max_wait_s)
                self._busy_until = max(self._busy_until, until)
            raise found from error
        return bytes(response.content)

    async def _bound(self, response: httpx2.Response) -> None:
        """Let no more of a response into memory than is allowed, whatever its status."""
        response.headers.pop(
            "content-encoding", None
        )  # nobody asked for it, and a small body may unpack to a large one
        response.stream = _Bounded(response.stream, self._limits.max_reply_bytes + 1)

    async def _stopped(self, error: StoppedError) -> ModelError:
        """What to do about an error of the whole run."""
        if error.status == 401:
            name = self._limits.api_key_env
            fix = "Set vlm.server.api_key_env to the environment variable that holds its key"
            return self._gone(f"refuses the key in {name} ({error})" if name else f"wants a key ({error}). {fix}")
        if error.status == 404:
            names = await self._models()
            fix = f"It has {', '.join(names)}: set vlm.model" if names else "Mend vlm.base_url (many end in /v1)"
            return self._gone(f"has no model {self._settings.model!r} ({error}). {fix}")
        return self._gone(f"answers nothing more ({error})")

    async def _models(self) -> list[str]:
        """What the server says that it serves, if it says so."""
        try:
            async with asyncio.timeout(_CONNECT_S):
                response = await self._client.get("/models", cast_to=httpx2.Response)
            listed = json.loads(response.content)["data"]
            return [str(model["id"]) for model in listed[:_NAMES_SHOWN]]
        except (TimeoutError, openai.APIError, ValueError, KeyError, TypeError):
            return []

    def _gone(self, what: str) -> ModelError:
        return ModelError(f"{self._settings.base_url} {what}; then run the same command again, it goes on from here")


class _Patience:
    """How long one request goes on. A busy server costs no attempts, only time."""

    def __init__(self, limits: ServerSettings) -> None:
        self._limits = limits
        self._backoff = wait_random_exponential(multiplier=limits.retry_wait_s, max=_MAX_BACKOFF_S)
        self._broken = 0
        self.attempts, self.waited_s, self.next_s = 0, 0.0, 0.0

    def wait(self, state: RetryCallState) -> float:
        """Seconds before the next attempt; Retry-After is met with a spread, so that not all come back at once."""
        error = _error(state)
        if error.retry_after_s is None:
            self.next_s = self._backoff(state)
        else:
            self.next_s = error.retry_after_s + random.uniform(0, self._limits.retry_wait_s)
        return self.next_s

    def over(self, state: RetryCallState) -> bool:
        """Whether that was the last attempt; called after `wait`."""
        self.attempts, self.waited_s = state.attempt_number, state.idle_for
        self._broken += not isinstance(_error(state), BusyError)
        too_long = self.waited_s + self.next_s > self._limits.max_wait_s
        return too_long or self._broken >= self._limits.max_attempts


def _error(state: RetryCallState) -> PassingError:
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, PassingError):
        raise TypeError(f"only a PassingError is tried again, not {error!r}")
    return error


class _Bounded(httpx2.AsyncByteStream):
    """The first bytes of a response; its connection is closed when there are more."""

    def __init__(self, stream: object, most: int) -> None:
        self._stream, self._left = stream, most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if not isinstance(self._stream, httpx2.AsyncByteStream):
            raise TypeError("the response is not of an asynchronous client")
        async for chunk in self._stream:
            yield chunk[: self._left]
            self._left -= len(chunk)
            if self._left <= 0:
                return

    async def aclose(self) -> None:
        if isinstance(self._stream, httpx2.AsyncByteStream):
            await self._stream.aclose()


def key_of(settings: ServerSettings) -> str | None:
    """The key, from the environment. Raises ModelError when the variable that should hold it does not."""
    if settings.api_key_env is None:
        return None
    key = os.environ.get(settings.api_key_env, "").strip()
    if not key:
        raise ModelError(
            f"vlm.server.api_key_env names {settings.api_key_env}, which the environment does not have; set it to the "
            "server's key (on a cluster on every node)"
        )
    if not (key.isascii() and key.isprintable()):
        raise ModelError(f"{settings.api_key_env} holds characters that no key has; look at how it is set")
    return key
