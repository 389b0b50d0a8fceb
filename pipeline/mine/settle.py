"""What only the whole task can decide: how often a document serves, how many queries of a type stay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.config import MineSettings
from pipeline.mine.guards import JUDGED
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


Answer = Callable[[Ints, Ints], Bools]  # to (query rows, documents), int64 [P] each


@dataclass(frozen=True)
class Judge:
    """Whose word counts where scores leave a doubt."""

    may: Answer  # whether a pair is for it to judge
    relevant: Answer  # whether the document is relevant after all


@dataclass(frozen=True)
class Settled:
    """What the whole task decided: its parts, and of pairs (query rows, documents) those that the judge was asked
    about and those that it found relevant."""

    parts: list[Part]
    asked: tuple[Ints, Ints]
    relevant: tuple[Ints, Ints]


def settled(parts: Sequence[Part], settings: MineSettings, marks: Marks, judge: Judge | None = None) -> Settled:
    """Quotas of queries first, then uses of documents and the judge.

    The judge is asked about proposals that hold and score within `settings.judge.band` of the mean
    positive, or more. What it finds relevant is no negative of that query; the matching begins anew
    without it, until all that hold were judged.
    """
    found, none = list(parts), np.zeros(0, np.int64)
    if found and settings.max_queries_per_type is not None:
        found = _within_quota(found, settings.max_queries_per_type, marks)
    if not found or Picking.of(settings).proposed is None:
        return Settled(found, (none, none), (none, none))
    refined = [p.mined.refined for p in found]
    lists = stacked([r.negatives for r in refined])
    rows = np.concatenate([p.query_rows for p in found])
    near = lists.scores >= (np.concatenate([r.mean for r in refined]) - settings.judge.band)[lists.rows]
    if judge is not None:
        near[near] = judge.may(rows[lists.rows[near]], lists.documents[near])
    chosen, relevant, asked = _judged(Proposals(lists, _keys(found, marks)), rows, near, settings, judge)
    edges = np.cumsum([len(r.negatives.documents) for r in refined])[:-1]
    final = []
    for part, r, stays, lost in zip(found, refined, np.split(chosen, edges), np.split(relevant, edges), strict=True):
        negatives, hits = r.negatives.where(stays).hardest_first(), r.hits.copy()
        hits[JUDGED] += lost.sum()
        final.append(part.with_refined(replace(r, negatives=negatives, hits=hits)))
    pairs = [(rows[lists.rows[mask]], lists.documents[mask]) for mask in (asked, relevant)]
    return Settled(final, pairs[0], pairs[1])


def _judged(
    proposals: Proposals, rows: Ints, near: Bools, settings: MineSettings, judge: Judge | None
) -> tuple[Bools, Bools, Bools]:
    """Of each proposal, bool [J]: whether it holds, whether the judge finds it relevant, whether it was asked.

    rows: int64 [Q], of the queries in the task. near: bool [J], in the band that is judged.
    """
    lists, n = proposals.lists, len(near)
    relevant, asked = np.zeros(n, bool), np.zeros(n, bool)
    while True:
        chosen = np.zeros(n, bool)
        chosen[~relevant] = _matched(Proposals(lists.where(~relevant), proposals.keys), settings)
        doubt = np.flatnonzero(chosen & near & ~asked)
        if judge is None or len(doubt) == 0:
            return chosen, relevant, asked
        relevant[doubt] = judge.relevant(rows[lists.rows[doubt]], lists.documents[doubt])
        asked[doubt] = True


def _matched(proposals: Proposals, settings: MineSettings) -> Bools:
    uses = len(proposals.lists.documents) if settings.max_uses is None else settings.max_uses
    return matched(proposals, settings.negatives, max(1, uses))


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
