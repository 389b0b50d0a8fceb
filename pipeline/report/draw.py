"""Which rows of a large data set the page shows: the same ones every time, spread over groups."""

from __future__ import annotations

import hashlib
import heapq


class Draw:
    """Streams over rows and keeps, of each group, those whose key has the smallest hash.

    The choice depends on keys alone, never on the order or the number of the other rows;
    memory is bounded by `size` times the number of groups.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.seen = 0
        self._heaps: dict[str, list[tuple[int, int]]] = {}

    def offer(self, group: str, key: str, position: int) -> None:
        """Consider the row at `position` for its group."""
        self.seen += 1
        heap = self._heaps.setdefault(group, [])
        lot = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")
        entry = (-lot, position)
        if len(heap) < self.size:
            heapq.heappush(heap, entry)
        else:
            heapq.heappushpop(heap, entry)

    def chosen(self) -> list[int]:
        """At most `size` positions, one group after the other in turn, until all is taken."""
        queues = [sorted(heap, reverse=True) for _, heap in sorted(self._heaps.items())]
        turns = max(map(len, queues), default=0)
        picked = [queue[turn][1] for turn in range(turns) for queue in queues if turn < len(queue)]
        return picked[: self.size]
