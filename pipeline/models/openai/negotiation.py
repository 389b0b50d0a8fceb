"""Which way of holding replies to JSON a server heeds: found out by asking something small.

A small request that is refused says something of the server, where a refused row may only say
something of its picture. It also shows a wrong key, model or address before a row is spent on it.
"""

from __future__ import annotations

import asyncio
import json
import logging
from functools import cache

import numpy as np

from pipeline.config import VlmSettings
from pipeline.errors import ModelError
from pipeline.media.jpeg import encode_jpeg
from pipeline.models.openai.bodies import body
from pipeline.models.openai.completions import reply_of
from pipeline.models.openai.connection import Server
from pipeline.models.openai.failures import BrokenError, RefusedError
from pipeline.models.openai.formats import LADDER, Format, Schema
from pipeline.models.protocols import Pixels, Reply, Request

log = logging.getLogger(__name__)

QUESTION = "Say hello in one word.\n"  # no answer to it begins like JSON by itself
_TOKENS = 16
_SIDE_PX = 224


class Negotiation:
    """The way for each schema, asked for once."""

    def __init__(self, settings: VlmSettings, server: Server) -> None:
        self._settings = settings.model_copy(update={"max_output_tokens": _TOKENS})
        self._server = server
        self._found: dict[str, Format] = {}
        self._one_at_a_time = asyncio.Lock()

    async def form(self, schema: Schema, like: Request) -> Format:
        """The first way of the ladder, or the one that is set, that the server takes for a request with such media.

        Raises ModelError when it takes none, and as `Server.ask` does.
        """
        key = json.dumps([schema, [pixels.video for pixels in like.pixels[:1]]])
        async with self._one_at_a_time:
            if key not in self._found:
                self._found[key] = await self._first(schema, like)
            return self._found[key]

    async def check(self, schema: Schema, form: Format, like: Request) -> None:
        """Raises ModelError unless the server answers a small request."""
        try:
            await self._asked(schema, form, like)
        except (RefusedError, BrokenError) as error:
            raise ModelError(
                f"{self._settings.base_url} fails even a short request ({error}); see to it, then run the same "
                "command again, it goes on from here"
            ) from error

    async def _first(self, schema: Schema, like: Request) -> Format:
        mode, refusals = self._settings.server.json_mode, list[str]()
        for form in LADDER:
            if mode not in ("auto", form.name):
                continue
            try:
                reply = await self._asked(schema, form, like)
            except RefusedError as error:
                refusals.append(f"{form.name}: {error}")
                continue
            except BrokenError as error:
                raise ModelError(
                    f"{self._settings.base_url} fails a short request with {form.name} ({error}); see to it, or set "
                    "vlm.server.json_mode to another way"
                ) from error
            if mode == "auto" and form.constrained and not looks_constrained(reply):
                refusals.append(f"{form.name}: ignored")
                continue
            if refusals:
                log.warning("%s is asked by %s; not by %s", self._settings.base_url, form.name, "; ".join(refusals))
            return form
        raise ModelError(
            f"{self._settings.base_url} refuses even a short request ({'; '.join(refusals)}); for a field that it does "
            "not know see vlm.server.omit, length_field and json_mode, for pictures and videos vlm.server.video"
        )

    async def _asked(self, schema: Schema, form: Format, like: Request) -> Reply:
        asked = body(small(like), schema, form, self._settings)
        return reply_of(await self._server.ask(asked), self._settings.server.max_reply_bytes, form.told)


def small(like: Request) -> Request:
    """A request with the same kind of media that costs next to nothing."""
    return Request(QUESTION, tuple(_grey(pixels.video) for pixels in like.pixels[:1]), (), like.seed)


def looks_constrained(reply: Reply) -> bool:
    """Whether a reply to QUESTION may be the beginning of JSON; one that has not begun may be."""
    return reply.text.lstrip()[:1] in ("", "{")


@cache
def _grey(video: bool) -> Pixels:
    frame = encode_jpeg(np.full((_SIDE_PX, _SIDE_PX, 3), 128, np.uint8))
    return Pixels((frame, frame), (0.0, 1.0), video=True) if video else Pixels((frame,), (0.0,), video=False)
