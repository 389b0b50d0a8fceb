"""A VLM that is asked only for replies that were not paid for before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.models.protocols import Reply, Request, Usage, Vlm
from pipeline.models.replies import arriving
from pipeline.store.reply_cache.entries import Entry, moment
from pipeline.store.reply_cache.log import ReplyLog

REPLIES = "replies"  # below <out>/cache
LAYOUT = 1  # of keys: another number never meets old entries
_FREE = Usage(requests=1, cached=1)


def remembering(vlm: Vlm, cache_folder: Path) -> Vlm:
    """`vlm` with what it has answered before kept below `<cache_folder>/replies`.

    Same rows with or without: a reply is found by all that it depends on. Each reply is written when it arrives,
    so that a process that dies has lost those in flight alone (`StreamingVlm`; of any other VLM one call).
    """
    return CachedVlm(vlm, _log(model_folder(cache_folder, vlm.fingerprint).absolute()))


def model_folder(cache_folder: Path, model: str) -> Path:
    """Where the replies of the VLM with the fingerprint `model` lie."""
    return cache_folder / REPLIES / hashlib.sha256(model.encode()).hexdigest()[:16]


@cache
def _log(folder: Path) -> ReplyLog:
    """One log a process and folder: its index is read once."""
    return ReplyLog(folder)


def paid_for(cache_folder: Path, model: str, schema: dict[str, Any], requests: Sequence[Request]) -> list[bool]:
    """Whether each request has a reply of the VLM with the fingerprint `model`; the VLM is not needed."""
    keys = [request_key(model, schema, request) for request in requests]
    known = ReplyLog(model_folder(cache_folder, model)).find(keys)
    return [key in known for key in keys]


@dataclass(frozen=True)
class CachedVlm:
    """Implements `protocols.Vlm` with the replies of a log, and with `vlm` for the rest."""

    vlm: Vlm
    log: ReplyLog

    @property
    def fingerprint(self) -> str:
        return self.vlm.fingerprint

    def generate(self, requests: Sequence[Request], schema: dict[str, Any]) -> list[Reply]:
        """Return one reply a request, in order; one from the cache, or of an equal request before it, cost nothing.

        Raises what `vlm` raises, ModelError when it loses or invents a reply, OSError when the disk is full; the
        replies that had arrived are kept.
        """
        keys = [request_key(self.fingerprint, schema, request) for request in requests]
        known = {key: _free(entry.reply) for key, entry in self.log.find(keys).items()}
        paid = self._ask({k: r for k, r in zip(keys, requests, strict=True) if k not in known}, schema)
        known |= {key: _free(reply) for key, reply in paid.items()}
        return [paid.pop(key) if key in paid else known[key] for key in keys]

    def _ask(self, missing: dict[str, Request], schema: dict[str, Any]) -> dict[str, Reply]:
        keys, requests = list(missing), list(missing.values())
        replies: dict[str, Reply] = {}
        # Closed at once when the disk is full: nothing more is asked that cannot be kept.
        with self.log.appending() as kept, closing(arriving(self.vlm, requests, schema)) as replying:
            for i, reply in replying:
                replies[keys[i]] = reply
                if _worth_keeping(reply):
                    kept.add(Entry(keys[i], self.fingerprint, requests[i].asset_ids, moment(datetime.now(UTC)), reply))
        return replies


def request_key(fingerprint: str, schema: dict[str, Any], request: Request) -> str:
    """SHA-256, hexadecimal, of all that a reply depends on, and of whose it is.

    The order of the schema's keys counts: a model fills them in turn. Equal pixels under two asset ids have two
    entries, so that each can be forgotten alone.
    """
    pixels = [[p.video, p.times_s, [len(frame) for frame in p.frames]] for p in request.pixels]
    said = [LAYOUT, fingerprint, schema, request.prompt, request.seed, request.asset_ids, pixels]
    head = json.dumps(said).encode()
    digest = hashlib.sha256(len(head).to_bytes(8, "big") + head)
    for p in request.pixels:
        for frame in p.frames:
            digest.update(frame)
    return digest.hexdigest()


def _worth_keeping(reply: Reply) -> bool:
    """Whether the model answered. An `error`, or what is `garbled` on the way, is no answer: it may be gone tomorrow,
    and most cost nothing. A reply that is cut off, held back or malformed was paid for, and the same seed would give
    it again: `replies.answers` tries another one."""
    return reply.finish_reason not in ("error", "garbled")


def _free(reply: Reply) -> Reply:
    return replace(reply, usage=_FREE)
