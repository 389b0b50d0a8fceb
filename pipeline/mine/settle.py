"""What only the whole task can decide: how often a document serves, how many queries of a type stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.config import MineSettings
from pipeline.mine.keys import Keys, Marks
from pipeline.mine.mine_vectors import Mined, stacked
from pipeline.mine.picking import Picking
from pipeline.mine.pool import Judged, offsets_of
from pipeline.mine.ragged import Bools, Ints
from pipeline.mine.refine import KEPT, OVER_TYPE_QUOTA, Refined

OPEN, HELD, REFUSED = range(3)


@dataclass(frozen=True)
class Proposals:
    """Candidates of Q queries, in order of preference: by query, [J] each."""

    lists: Judged
    keys: Keys  # uint64 [Q], settle ties

    @property
    def query(self) -> Ints:
        """Whose candidate each is."""
        return self.lists.rows


def matched(proposals: Proposals, negatives: int, max_uses: int) -> Bools:
    """The proposals that hold, bool [J]: at most `negatives` a query and `max_uses` a document.

    Deferred acceptance (Gale and Shapley 1962): every query proposes to the candidates it likes best, a
    document keeps the `max_uses` queries it is hardest for (score falling, then the query's key, then its
    place) and refuses the others, who propose to their next ones. The result is the stable matching
    that is best for the queries. There is one such, so that it depends on no order of work.
    """
    lists, query = proposals.lists, proposals.query
    n = len(lists.offsets) - 1
    state = np.full(len(query), OPEN, np.uint8)
    liked = np.lexsort((query, proposals.keys[query], -lists.scores, lists.documents))  # by document, hardest first
    while True:
        held = np.bincount(query[state == HELD], minlength=n)
        candidates = np.flatnonzero(state == OPEN)
        waiting = query[candidates]
        place = np.arange(len(waiting)) - offsets_of(waiting, n)[waiting]
        asking = candidates[place < negatives - held[waiting]]
        if len(asking) == 0:
            return np.asarray(state == HELD)
        state[asking] = HELD
        ranked = liked[state[liked] == HELD]
        document = lists.documents[ranked]
        first = np.concatenate([[0], np.flatnonzero(np.diff(document)) + 1]).astype(np.int64)
        lengths = np.diff(np.append(first, len(document)))
        state[ranked[np.arange(len(document)) - np.repeat(first, lengths) >= max_uses]] = REFUSED


def drawn_queries(kind: Ints, keys: Keys, kept: Bools, quota: int) -> Bools:
    """Which of the `kept` queries (bool [Q]) stay when each kind (int64 [Q], from 0) has room for `quota`: those with
    the smallest keys (uint64 [Q]), ties by place."""
    order = np.lexsort((keys, kind))
    order = order[kept[order]]
    offsets = offsets_of(kind[order], int(kind.max(initial=0)) + 1)
    stays = np.zeros(len(kept), bool)
    stays[order[np.arange(len(order)) - offsets[kind[order]] < quota]] = True
    return stays


@dataclass(frozen=True)
class Part:
    """A mined sub-dataset without its vectors. Positions are those of the task's tables."""

    task_type: str
    language: str | None
    query_rows: Ints  # [Q]
    document_rows: Ints  # [N]
    mined: Mined

    def with_refined(self, refined: Refined) -> Part:
        """The same with other lists."""
        return replace(self, mined=self.mined.with_refined(refined))


def settled(parts: Sequence[Part], settings: MineSettings, marks: Marks) -> list[Part]:
    """The word of the whole task on what its sub-datasets propose: quotas of queries first, then uses of documents."""
    found = list(parts)
    if found and settings.max_queries_per_type is not None:
        found = _within_quota(found, settings.max_queries_per_type, marks)
    if not found or Picking.of(settings).proposed is None:
        return found
    refined = [p.mined.refined for p in found]
    lists = stacked([r.negatives for r in refined])
    uses = len(lists.documents) if settings.max_uses is None else settings.max_uses
    chosen = matched(Proposals(lists, _keys(found, marks)), settings.negatives, uses)
    edges = np.cumsum([len(r.negatives.documents) for r in refined])[:-1]
    return [
        p.with_refined(replace(r, negatives=r.negatives.where(c).hardest_first()))
        for p, r, c in zip(found, refined, np.split(chosen, edges), strict=True)
    ]


def _keys(parts: Sequence[Part], marks: Marks) -> Keys:
    return np.asarray(marks.query[np.concatenate([p.query_rows for p in parts])])


def _within_quota(parts: Sequence[Part], quota: int, marks: Marks) -> list[Part]:
    """Reject the queries that are beyond the quota of their task type."""
    types = {name: i for i, name in enumerate(dict.fromkeys(p.task_type for p in parts))}
    kind = np.concatenate([np.full(len(p.query_rows), types[p.task_type]) for p in parts])
    kept = np.concatenate([p.mined.refined.verdicts == KEPT for p in parts])
    lost = kept & ~drawn_queries(kind, _keys(parts, marks), kept, quota)
    edges = np.cumsum([len(p.query_rows) for p in parts])[:-1]
    return [
        p.with_refined(p.mined.refined.without(some, OVER_TYPE_QUOTA))
        for p, some in zip(parts, np.split(lost, edges), strict=True)
    ]
