"""A vision-language model behind an OpenAI-compatible server."""

from __future__ import annotations

import asyncio
import hashlib
import json
import weakref
from collections.abc import Iterator, Sequence

from pipeline.config import RUN_ONLY, VlmSettings
from pipeline.models.handover import Handover, for_each
from pipeline.models.loop import Loop
from pipeline.models.openai.bodies import VERSION, body
from pipeline.models.openai.completions import reply_of
from pipeline.models.openai.connection import Server
from pipeline.models.openai.failures import BrokenError, RefusedError
from pipeline.models.openai.formats import Format, Schema
from pipeline.models.openai.negotiation import Negotiation
from pipeline.models.protocols import Reply, Request


class OpenAiVlm:
    """`model` is a name that the server at `base_url` knows.

    Calls from several threads share its connections and its `server.concurrency` places. A place is taken from
    when a request's body is built until its reply has been handed over, so that memory and what a kill can lose
    are bounded by the places, not by the batch.
    """

    def __init__(self, settings: VlmSettings) -> None:
        self._settings = settings
        self.fingerprint = fingerprint(settings)
        self._server = Server(settings)
        self._negotiation = Negotiation(settings, self._server)
        self._places = asyncio.Semaphore(settings.server.concurrency)
        self._loop = Loop()
        self.close = weakref.finalize(self, _close, self._loop, self._server)

    def generate(self, requests: Sequence[Request], schema: Schema) -> list[Reply]:
        """One reply a request, in order. Raises ModelError when the server can answer none."""
        replies = dict(self.stream(requests, schema))
        return [replies[i] for i in range(len(requests))]

    def stream(self, requests: Sequence[Request], schema: Schema) -> Iterator[tuple[int, Reply]]:
        """Yield each position with its reply, as they arrive. Closing it drops what is in flight."""
        if not requests:
            return
        handover = Handover()
        yield from handover.replies(self._loop, self._answered(requests, schema, handover))

    async def _answered(self, requests: Sequence[Request], schema: Schema, handover: Handover) -> None:
        """Answer all requests of a call. Raises ModelError."""
        form = await self._negotiation.form(schema, requests[0])
        ends = await for_each(len(requests), lambda i: self._one(i, requests[i], schema, form, handover))
        failed = {i: error for i, error in enumerate(ends) if error is not None}
        if failed and self._server.failing:
            # These are the requests' own failures only if the server answers another.
            await self._negotiation.check(schema, form, requests[0])
        for i, error in failed.items():
            handover.put(i, Reply(str(error), "error"))

    async def _one(
        self, i: int, request: Request, schema: Schema, form: Format, handover: Handover
    ) -> BrokenError | None:
        """Answer one request, or give the error that all attempts at it have met."""
        server = self._settings.server
        async with self._places:
            try:
                # Encoding a video takes long enough for others' connections to time out.
                asked = await asyncio.to_thread(body, request, schema, form, self._settings)
                reply = reply_of(await self._server.ask(asked), server.max_reply_bytes, form.name == "prompt")
            except RefusedError as error:
                reply = Reply(str(error), "content_filter" if error.filtered else "error")
            except BrokenError as error:
                return error
            await handover.give(i, reply)
        return None


def fingerprint(settings: VlmSettings) -> str:
    """Names what replies depend on: the model's name and all settings but those of the run, the server's place, and
    how patiently it is asked, which decides whether a row has a reply but not what it says."""
    patience = dict.fromkeys(("timeout_s", "max_attempts"), True)
    run_only = {**RUN_ONLY["vlm"], "server": {**RUN_ONLY["vlm"]["server"], **patience}}
    said = settings.model_dump(mode="json", exclude={**run_only, "engine": True, "budget": True})
    return f"openai:{hashlib.sha256(json.dumps([VERSION, said], sort_keys=True).encode()).hexdigest()[:16]}"


def _close(loop: Loop, server: Server) -> None:
    loop.start(server.close()).result()
    loop.close()
