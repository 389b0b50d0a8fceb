"""What is known to be relevant or irrelevant, as arrays of positions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.mine.ragged import Bools, Ints, Ragged, find

SOURCES = ("synth", "given", "judge", "mined")  # who says so; index: a source code
JUDGE, MINED = SOURCES.index("judge"), SOURCES.index("mined")
RANDOM = "random"  # source of a negative that nobody judged nor recalled


@dataclass(frozen=True)
class Judgements:
    """The relevance of a task, looked up by query and by (query, document) pair."""

    positives: Ragged  # documents of each query
    negatives: Ragged  # explicit ones
    n_documents: int
    keys: Ints  # query * n_documents + document, rising
    source: NDArray[np.uint8]  # of each key
    undecided: Ints  # query * n_documents + document, rising: pairs that are never negatives

    @classmethod
    def of(
        cls,
        query: Ints,
        document: Ints,
        positive: Bools,
        source: NDArray[np.uint8],
        n_queries: int,
        n_documents: int,
        undecided: tuple[Ints, Ints] = (np.zeros(0, np.int64), np.zeros(0, np.int64)),
    ) -> Judgements:
        """Gather pairs (any order). undecided: queries and documents of such pairs.

        Raises ValueError when a pair is judged twice.
        """
        keys = query * max(n_documents, 1) + document
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        if (keys[1:] == keys[:-1]).any():
            raise ValueError(f"{int((keys[1:] == keys[:-1]).sum())} pairs are judged twice; each may stand once")
        return cls(
            Ragged.from_pairs(query[positive], document[positive], n_queries),
            Ragged.from_pairs(query[~positive], document[~positive], n_queries),
            n_documents,
            keys,
            source[order],
            np.unique(undecided[0] * max(n_documents, 1) + undecided[1]),
        )

    def with_positives(self, query: Ints, document: Ints) -> Judgements:
        """The same and pairs that a judge found relevant, which nobody had judged."""
        n = max(self.n_documents, 1)
        positives, old = self.positives, self.keys
        keys = np.concatenate([old, query * n + document])
        order = np.argsort(keys, kind="stable")
        source = np.concatenate([self.source, np.full(len(query), JUDGE, np.uint8)])
        return replace(
            self,
            positives=Ragged.from_pairs(
                np.concatenate([positives.rows, query]), np.concatenate([positives.values, document]), len(positives)
            ),
            keys=keys[order],
            source=source[order],
        )

    def codes_of(self, query: Ints, document: Ints) -> NDArray[np.uint8]:
        """The source of each pair as an index of SOURCES; MINED for one that nobody judged."""
        at = find(self.keys, query * max(self.n_documents, 1) + document)
        return np.where(at >= 0, self.source[at] if len(self.source) else MINED, MINED).astype(np.uint8)

    def source_of(self, query: Ints, document: Ints) -> pa.Array:
        """The source of each pair; `mined` for one that nobody judged."""
        return pa.array(SOURCES).take(pa.array(self.codes_of(query, document)))
