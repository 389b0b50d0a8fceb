"""What does rebalancing keep of a skewed pool, and what does it cost on a large one?

    python benchmarks/rebalance.py [--rows N] [--json FILE]

The pool is made: N images over the 13 categories of the shipped taxonomy, the k-th category in an
order drawn by seed with a supply in proportion to 1 / k, as categories of web media have; scores of
alignment are normal. Only the narrow columns exist, as in a build. Kept: share of the pool by target
and min_overlap. Cost: seconds and peak memory of the judgement by percentile and of rebalancing.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config import AlignSettings, RebalanceSettings
from pipeline.seed_pool.align import alignment_limits, misaligned
from pipeline.seed_pool.quotas import overlap, quotas, targets
from pipeline.seed_pool.rebalance import rebalance, supply
from pipeline.seed_pool.taxonomy import load_taxonomy

TAXONOMY = load_taxonomy("taxonomy.yaml")
TARGETS = [
    RebalanceSettings(target="cap", max_per_category=20_000),
    *(RebalanceSettings(target=t, min_overlap=o) for t in ("uniform", "qwen3-vl") for o in (1.0, 0.95, 0.9, 0.8, 0.7)),
]


def made(rows: int) -> pa.Table:
    """asset_id, media, category and alignment of `rows` images."""
    rng = np.random.default_rng(0)
    names = rng.permutation(list(TAXONOMY.of("image")))
    weights = 1 / np.arange(1, len(names) + 1)
    which = rng.choice(len(names), size=rows, p=weights / weights.sum()).astype(np.int32)
    ids = pc.binary_join_element_wise("asset", pc.cast(pa.array(np.arange(rows)), pa.string()), "-")
    return pa.table(
        {
            "asset_id": ids,
            "media": pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), ["image"]).cast(pa.string()),
            "category": pa.DictionaryArray.from_arrays(which, pa.array(names.tolist())).cast(pa.string()),
            "alignment": rng.normal(0.6, 0.1, rows).clip(-1, 1).astype(np.float32),
        }
    )


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    pool = made(args.rows)
    counted = supply(pool)
    kept: list[dict[str, Any]] = []
    for settings in TARGETS:
        rows = quotas(counted, targets(settings, TAXONOMY), settings)
        stays = np.array([q.kept for q in rows])
        agree = None if rows[0].share is None else overlap(stays, np.array([q.share for q in rows]))
        asked = None if agree is None else settings.min_overlap
        share = float(stays.sum() / len(pool))
        kept.append({"target": settings.target, "min_overlap": asked, "kept": share, "overlap": agree})
    print(
        f"{len(pool):,} images, the largest category {max(counted.values()):,}, the smallest {min(counted.values()):,}"
    )
    print("\n| target | min_overlap | kept | overlap reached |\n|---|---|---|---|")
    for row in kept:
        reached = "" if row["overlap"] is None else f"{row['overlap']:.3f}"
        print(f"| {row['target']} | {row['min_overlap'] or ''} | {100 * row['kept']:.1f} % | {reached} |")

    before, began = peak_mib(), time.perf_counter()
    aligning = AlignSettings(min_percentile=10)
    low = misaligned(pool, alignment_limits(pool, aligning))
    align_s, began = time.perf_counter() - began, time.perf_counter()
    settings = RebalanceSettings(target="qwen3-vl")
    full = rebalance(pool, quotas(supply(pool), targets(settings, TAXONOMY), settings), 0)
    rebalance_s = time.perf_counter() - began
    cost = {
        "rows": len(pool),
        "pool_mib": pool.nbytes / 2**20,
        "align_s": align_s,
        "misaligned": len(low) - low.null_count,
        "rebalance_s": rebalance_s,
        "over_quota": len(full) - full.null_count,
        "added_peak_mib": peak_mib() - before,
    }
    print("\n| step | seconds | rejected |\n|---|---|---|")
    print(f"| align, min_percentile 10 | {align_s:.1f} | {cost['misaligned']:,} |")
    print(f"| rebalance, qwen3-vl | {rebalance_s:.1f} | {cost['over_quota']:,} |")
    print(f"\nthe narrow columns: {cost['pool_mib']:.0f} MiB; peak memory above them: {cost['added_peak_mib']:.0f} MiB")
    if args.json:
        args.json.write_text(json.dumps({"kept": kept, "cost": cost}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
