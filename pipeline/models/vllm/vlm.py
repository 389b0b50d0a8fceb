"""A vision-language model in a vLLM engine of the worker's own."""

from __future__ import annotations

import asyncio
import hashlib
import json
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline.config import RUN_ONLY, VlmSettings
from pipeline.errors import ModelError
from pipeline.models.handover import Handover, for_each
from pipeline.models.loop import Loop
from pipeline.models.protocols import Reply, Request
from pipeline.models.vllm.arguments import environment, vlm_arguments
from pipeline.models.vllm.checkpoint import checkpoint_hash, config_of, folder_of
from pipeline.models.vllm.engine import Engine, RefusedError
from pipeline.models.vllm.inputs import parts_of, prompt_of
from pipeline.models.vllm.outputs import reply_of

VERSION = 1  # of the prompt around a request: another number is another model to the caches
MODEL_TYPES = ("qwen3_vl", "qwen3_vl_moe")
Schema = dict[str, Any]


class VllmVlm:
    """`model` is the folder of a Qwen3-VL instruct checkpoint, or a name that the hub knows.

    The engine is started when something is first asked, so that fingerprints, dry runs and replies that are known cost
    none. Calls from several threads share it. No more than `places` requests are prepared, computed or waiting to be
    handed over at any moment.
    """

    def __init__(self, settings: VlmSettings) -> None:
        self._settings = settings
        folder = folder_of(settings.model)
        found = config_of(folder).get("model_type")
        if found not in MODEL_TYPES:
            raise ModelError(
                f"{settings.model} is a checkpoint of type {found or 'unknown'}, and adapter vllm asks Qwen3-VL by its "
                f"template ({', '.join(MODEL_TYPES)}); serve others with vllm serve and use vlm.adapter openai"
            )
        self.fingerprint = fingerprint(settings, folder)
        arguments = vlm_arguments(folder, settings.engine, settings.budget)
        self._engine = Engine(settings.model, arguments, environment(settings.engine, settings.threads))
        self._places = asyncio.Semaphore(settings.places)
        self._loop = Loop()
        self.close = weakref.finalize(self, _close, self._loop, self._engine)

    def generate(self, requests: Sequence[Request], schema: Schema) -> list[Reply]:
        """One reply a request, in order. Raises ModelError when the engine cannot be started or dies without end."""
        replies = dict(self.stream(requests, schema))
        return [replies[i] for i in range(len(requests))]

    def stream(self, requests: Sequence[Request], schema: Schema) -> Iterator[tuple[int, Reply]]:
        """Yield each position with its reply, as they arrive. Closing it drops what is in flight."""
        if not requests:
            return
        handover = Handover()
        yield from handover.replies(self._loop, self._answered(requests, schema, handover))

    async def _answered(self, requests: Sequence[Request], schema: Schema, handover: Handover) -> None:
        await for_each(len(requests), lambda i: self._one(i, requests[i], schema, handover))

    async def _one(self, i: int, request: Request, schema: Schema, handover: Handover) -> None:
        async with self._places:
            await handover.give(i, await self._reply(request, schema))

    async def _reply(self, request: Request, schema: Schema) -> Reply:
        try:
            # Decoding a video's frames takes long enough to keep others' replies waiting.
            asked = prompt_of(await asyncio.to_thread(parts_of, request, self._settings.budget))
        except (ModelError, OSError) as error:
            return Reply(str(error), "error")
        try:
            return reply_of(await self._engine.ask(asked, self._sampling(request.seed, schema)))
        except RefusedError as error:
            return Reply(str(error), "error")

    def _sampling(self, seed: int, schema: Schema) -> Any:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

        settings = self._settings
        return SamplingParams(
            temperature=settings.temperature,
            top_p=settings.top_p,
            top_k=settings.engine.top_k,
            max_tokens=settings.max_output_tokens,
            seed=seed,
            structured_outputs=StructuredOutputsParams(json=schema),
            output_kind=RequestOutputKind.FINAL_ONLY,
        )


def fingerprint(settings: VlmSettings, folder: Path) -> str:
    """Names what replies depend on: the checkpoint's bytes, and all settings but those of the run."""
    elsewhere = {"adapter": True, "model": True, "server": True}
    said = settings.model_dump(mode="json", exclude={**RUN_ONLY["vlm"], **elsewhere})
    told = hashlib.sha256(json.dumps([VERSION, said], sort_keys=True).encode()).hexdigest()[:16]
    return f"vllm:{checkpoint_hash(folder)}:{settings.engine.dtype}:{told}"


def _close(loop: Loop, engine: Engine) -> None:
    loop.start(engine.close()).result()
    loop.close()
