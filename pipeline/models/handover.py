"""Requests in flight on an event loop, replies handed over one by one: how a StreamingVlm is made of coroutines."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from pipeline.models.loop import Loop
from pipeline.models.protocols import Reply


class Handover:
    """Where the replies of one call arrive, and leave in the thread that asked."""

    def __init__(self) -> None:
        self._arrived: queue.SimpleQueue[tuple[int, Reply] | None] = queue.SimpleQueue()  # None: the end
        self._taken: dict[int, asyncio.Event] = {}  # of replies that hold their place until handed over

    def put(self, i: int, reply: Reply) -> None:
        """The reply to request `i` of the call."""
        self._arrived.put((i, reply))

    async def give(self, i: int, reply: Reply) -> None:
        """The same, and wait until whoever asked has it: what is in flight is bounded by its places."""
        handed_over = self._taken[i] = asyncio.Event()
        self.put(i, reply)
        await handed_over.wait()

    def replies(self, loop: Loop, answering: Coroutine[Any, Any, None]) -> Iterator[tuple[int, Reply]]:
        """Run `answering`, which puts or gives the replies, and yield them as they arrive.

        Raises what it raises. Closing the iterator cancels it.
        """
        running = loop.start(answering)
        running.add_done_callback(lambda _: self._arrived.put(None))
        try:
            while (got := self._arrived.get()) is not None:
                if event := self._taken.pop(got[0], None):
                    loop.set(event)
                yield got
            running.result()
        finally:
            running.cancel()


async def for_each(count: int, one: Callable[[int], Coroutine[Any, Any, Any]]) -> list[Any]:
    """Run `one(i)` for each position at the same time. Raises the first error itself, after cancelling the others."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(i)) for i in range(count)]
    except ExceptionGroup as several:
        raise several.exceptions[0] from several
    return [task.result() for task in tasks]
