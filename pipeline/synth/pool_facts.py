"""What the facts of the whole pool say to a set of claims: one verdict an asset."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.config import FactSettings
from pipeline.synth.claims import Claim, Seen, judge

REFUTED, OPEN, HOLDS = 0, 1, 2
_CODES = {True: HOLDS, None: OPEN, False: REFUTED}
Verdicts = NDArray[np.int8]
# Verdicts kept at hand, each a byte an asset. Looks and classes are few and come again and again; a text is
# asked about by the drafts of one asset, and then never again.
KEPT_CLAIMS = 2048


class PoolFacts:
    """Judges claims on every asset, each claim once."""

    def __init__(self, assets: pa.Table, limits: FactSettings) -> None:
        rows = assets.select(["facts", "labels"]).to_pylist()
        self.seen = [Seen.of(row["facts"], row["labels"]) for row in rows]
        self.limits = limits
        self._verdicts = lru_cache(KEPT_CLAIMS)(self._one)

    def judge(self, claims: Iterable[Claim]) -> Verdicts:
        """int8 [A]: HOLDS where all claims hold, REFUTED where one is refuted, else OPEN."""
        verdicts = [self._verdicts(claim) for claim in claims]
        return np.min(verdicts, axis=0) if verdicts else np.full(len(self.seen), OPEN, np.int8)

    def _one(self, claim: Claim) -> Verdicts:
        return np.fromiter((_CODES[judge(claim, s, self.limits)] for s in self.seen), np.int8, len(self.seen))
