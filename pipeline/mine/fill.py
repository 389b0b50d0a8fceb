"""Random negatives for queries that have too few: drawn by id and seed, never one that rule or guards refuse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline.mine.filters import Filter, Positives, admitted
from pipeline.mine.keys import Keys, draws
from pipeline.mine.pool import FREE, Codes, Judged, offsets_of
from pipeline.mine.ragged import Bools, Ints, Ragged, find
from pipeline.mine.top_k import Scores

SPARE = 16  # drawn beyond twice what is missing: some repeat, some are refused


@dataclass(frozen=True)
class Lottery:
    """What is drawn from, and who may refuse a draw: for Q queries and a corpus of documents.

    documents: int64 [N], positions in the task's corpus. taken: documents of each query that cannot be
    drawn, for they were recalled or judged. score and codes take queries (0..Q-1) and documents, [D] each.
    """

    keys: Keys  # [Q]
    documents: Ints
    taken: Ragged
    filters: tuple[Filter, ...]
    score: Callable[[Ints, Ints], Scores]
    codes: Callable[[Ints, Ints], Codes]


def filled(chosen: Judged, positives: Positives, wanted: Ints, lottery: Lottery) -> Judged:
    """The negatives `chosen`, each row followed by random ones until it has `wanted` (int64 [Q]).

    positives: scores of each query's refined positives; its `query` is not read. Random ones have rank
    0 and stand in the order they were drawn. A row may stay short where the corpus is small or the rule
    strict: the number of draws is bounded.
    """
    n = len(chosen.offsets) - 1
    lacking = np.flatnonzero(wanted > np.diff(chosen.offsets))
    if len(lacking) == 0 or len(lottery.documents) == 0:
        return chosen
    tickets = 2 * wanted[lacking] + SPARE  # each query's own: what others lack must not matter
    count = int(tickets.max())
    drawn = draws(lottery.keys[lacking], count) % np.uint64(len(lottery.documents))
    query, document = np.repeat(lacking, count), lottery.documents[drawn.astype(np.int64).ravel()]
    fresh = _fresh(query, document, lottery.taken) & (np.arange(count) < tickets[:, None]).ravel()
    query, document = query[fresh], document[fresh]
    scores, nowhere = lottery.score(query, document), np.zeros(len(query), np.int64)
    allowed = admitted(lottery.filters, Positives(positives.mean, positives.min, positives.max, query), scores, nowhere)
    allowed[allowed] = lottery.codes(query[allowed], document[allowed]) == FREE
    query, document, scores = query[allowed], document[allowed], scores[allowed]
    first = np.arange(len(query)) - offsets_of(query, n)[query] < (wanted - np.diff(chosen.offsets))[query]
    query = query[first]
    extra = Judged(offsets_of(query, n), document[first], scores[first], np.zeros(len(query), np.int64))
    return chosen.followed_by(extra)


def _fresh(query: Ints, document: Ints, taken: Ragged) -> Bools:
    """Whether each pair is drawn for the first time and is not taken."""
    base = 1 + max(int(document.max(initial=0)), int(taken.values.max(initial=0)))
    keys = query * base + document
    fresh = np.zeros(len(keys), bool)
    fresh[np.unique(keys, return_index=True)[1]] = True
    return fresh & (find(np.sort(taken.rows * base + taken.values), keys) < 0)
