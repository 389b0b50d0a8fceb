"""How unevenly documents are used: some are near to many queries (hubs), most to none.

N_k of a document is the number of queries that have it in their list of k. Its distribution over
documents is described by its skewness (Radovanovic, Nanopoulos and Ivanovic 2010, JMLR 11).
"""

from __future__ import annotations

import numpy as np

from pipeline.mine.ragged import Ints


def hubness(uses: Ints) -> dict[str, float | int]:
    """`n_k_skewness`, the third standardised moment of N_k, 0 where all are used alike; `largest` N_k;
    `never`, the share of documents without a use.

    uses: int64 [N], N_k of each document.
    """
    if len(uses) == 0:
        return {"n_k_skewness": 0.0, "largest": 0, "never": 0.0}
    centred = uses - uses.mean()
    deviation = float(np.sqrt(np.mean(centred**2)))
    skewness = float(np.mean(centred**3)) / deviation**3 if deviation else 0.0
    return {"n_k_skewness": round(skewness, 3), "largest": int(uses.max()), "never": float((uses == 0).mean())}
