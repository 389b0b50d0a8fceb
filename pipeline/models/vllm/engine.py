"""A vLLM engine that is started when first asked, and started again when it dies.

The engine computes in processes of its own, while the worker prepares what comes next. When they die, of memory or of a
fault that one input brings out, every request that was in flight is asked again on a fresh engine. One that has seen
two engines die is asked alone, and when that kills a third it is told from the others and given up.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from pipeline.errors import ModelError
from pipeline.models.vllm.arguments import Arguments
from pipeline.models.vllm.inputs import TOKENIZATION, Prompt

log = logging.getLogger(__name__)

_DEATHS_IN_COMPANY = 2  # that a request may have seen before it is asked alone
_MAX_DEATHS_IN_ROW = 6  # of engines that answered nothing: then it is no request's fault


class RefusedError(Exception):
    """The engine does not take this one request, or died of it."""


class Engine:
    """Used from one event loop. name: the model, as errors call it."""

    def __init__(self, name: str, arguments: Arguments, environment: Mapping[str, str]) -> None:
        self._name, self._arguments, self._environment = name, arguments, environment
        self._running: Any = None
        self._starting = asyncio.Lock()
        self._company = _Company()
        self._numbers = itertools.count()
        self._deaths_in_row = 0

    async def ask(self, prompt: Prompt, params: Any) -> Any:
        """The RequestOutput of a prompt, or its PoolingRequestOutput where `params` are of pooling.

        Raises RefusedError where only this request cannot be answered, ModelError where none can.
        """
        for seen in range(_DEATHS_IN_COMPANY):
            async with self._company.shared():
                found, dead = await self._asked(prompt, params)
            if not dead:
                return found
            log.warning("vllm's engine of %s died with a request in flight (%d)", self._name, seen + 1)
        async with self._company.alone():
            found, dead = await self._asked(prompt, params)
        if dead:
            raise RefusedError("vllm's engine died of this request")
        return found

    async def _asked(self, prompt: Prompt, params: Any) -> tuple[Any, bool]:
        """The output, and whether the engine died before there was one."""
        from vllm import SamplingParams
        from vllm.exceptions import VLLMClientError
        from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

        engine = await self._started()
        number = str(next(self._numbers))
        send = engine.generate if isinstance(params, SamplingParams) else engine.encode
        last = None
        try:
            async for output in send(prompt, params, number, tokenization_kwargs=TOKENIZATION):
                last = output
        except EngineDeadError:
            await self._bury(engine)
            return None, True
        except (VLLMClientError, EngineGenerateError, ValueError) as error:
            cause = error.__cause__ if isinstance(error, EngineGenerateError) else error
            raise RefusedError(" ".join(str(cause).split())) from error
        self._deaths_in_row = 0
        return last, False

    async def _started(self) -> Any:
        """The engine that runs. Raises ModelError when none can be started."""
        async with self._starting:
            if self._running is None:
                if self._deaths_in_row >= _MAX_DEATHS_IN_ROW:
                    raise ModelError(
                        f"vllm's engine of {self._name} died {self._deaths_in_row} times in a row without an answer; "
                        "its own log above says why (memory: lower engine.gpu_memory_utilization, max_num_seqs or "
                        "max_model_len); then run the same command again, it goes on from here"
                    )
                self._running = self._start()
            return self._running

    def _start(self) -> Any:
        # Whoever asks waits for the engine: nothing else on this loop could go on meanwhile.
        os.environ.update(self._environment)
        try:
            from vllm.engine.arg_utils import AsyncEngineArgs
            from vllm.v1.engine.async_llm import AsyncLLM
        except ImportError as error:
            raise ModelError(
                f"adapter vllm needs the package vllm (make EXTRA=gpu setup; docs/vlm.md): {error}"
            ) from error
        try:
            return AsyncLLM.from_engine_args(AsyncEngineArgs(**self._arguments))
        except (ValueError, RuntimeError, OSError, KeyError, NotImplementedError, AssertionError, MemoryError) as error:
            raise ModelError(f"vllm cannot load {self._name}: {' '.join(str(error).split())}") from error

    async def _bury(self, engine: Any) -> None:
        """Let the next request start another engine, once for each that died."""
        async with self._starting:
            if self._running is engine:
                self._running = None
                self._deaths_in_row += 1
                await asyncio.to_thread(engine.shutdown)

    async def close(self) -> None:
        """End the engine, if one runs."""
        async with self._starting:
            if self._running is not None:
                self._running.shutdown()
                self._running = None


class _Company:
    """Many at once, or one alone."""

    def __init__(self) -> None:
        self._changed = asyncio.Condition()
        self._together = 0
        self._one_alone = False

    @asynccontextmanager
    async def shared(self) -> AsyncIterator[None]:
        async with self._changed:
            await self._changed.wait_for(lambda: not self._one_alone)
            self._together += 1
        try:
            yield
        finally:
            await asyncio.shield(self._leave(together=True))

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        async with self._changed:
            await self._changed.wait_for(lambda: not self._one_alone)
            self._one_alone = True
            # Those under way are let finish, no further ones come.
            try:
                await self._changed.wait_for(lambda: not self._together)
            except BaseException:
                self._one_alone = False
                self._changed.notify_all()
                raise
        try:
            yield
        finally:
            await asyncio.shield(self._leave(together=False))

    async def _leave(self, together: bool) -> None:
        async with self._changed:
            if together:
                self._together -= 1
            else:
                self._one_alone = False
            self._changed.notify_all()
