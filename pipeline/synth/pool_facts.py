"""What the facts of the whole pool say to a set of claims: one verdict an asset."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.config import FactSettings
from pipeline.synth.claims import Claim, Seen, judge

REFUTED, OPEN, HOLDS = 0, 1, 2
Verdicts = NDArray[np.int8]


class PoolFacts:
    """Judges claims on every asset, each claim once."""

    def __init__(self, assets: pa.Table, limits: FactSettings) -> None:
        rows = assets.select(["facts", "labels"]).to_pylist()
        self.seen = [Seen.of(row["facts"], row["labels"]) for row in rows]
        self.limits = limits
        self.known: dict[Claim, Verdicts] = {}

    def judge(self, claims: Iterable[Claim]) -> Verdicts:
        """int8 [A]: HOLDS where all claims hold, REFUTED where one is refuted, else OPEN."""
        verdicts = [self._one(claim) for claim in claims]
        return np.min(verdicts, axis=0) if verdicts else np.full(len(self.seen), OPEN, np.int8)

    def _one(self, claim: Claim) -> Verdicts:
        if claim not in self.known:
            code = {True: HOLDS, None: OPEN, False: REFUTED}
            self.known[claim] = np.array([code[judge(claim, s, self.limits)] for s in self.seen], np.int8)
        return self.known[claim]
