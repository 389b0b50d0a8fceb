"""How many assets of each category a pool may keep: from a target and the supply, to whole numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from pipeline.config import RebalanceSettings
from pipeline.errors import ConfigError
from pipeline.seed_pool.taxonomy import MEDIA, Taxonomy, nearest_name

# Percent, read off figure 4 of PAPER 3.2 to about 0.3 points.
QWEN3_VL: Mapping[str, Mapping[str, float]] = {
    "image": {
        "Natural/portrait": 15.6,
        "Natural/landscape": 9.9,
        "Natural/food": 6.6,
        "Natural/plant": 3.7,
        "Natural/animal": 3.6,
        "Man-made/indoor scene": 17.4,
        "Man-made/object": 16.9,
        "Man-made/architecture": 9.2,
        "Man-made/document": 4.7,
        "Artistic/illustration": 6.0,
        "Artistic/art": 4.2,
        "Artistic/3D render": 1.3,
        "Artistic/UI": 1.0,
    },
    "video": {
        "Human-centric/daily activity": 30.4,
        "Human-centric/performance": 12.9,
        "Human-centric/sports": 5.9,
        "Human-centric/interview": 4.3,
        "Media/animation": 11.2,
        "Media/news": 7.8,
        "Media/gaming": 4.8,
        "Media/movie clip": 2.6,
        "Nature/time-lapse": 8.1,
        "Nature/wildlife": 7.0,
        "Nature/phenomenon": 4.8,
    },
}
_KEY = "seed_pool.rebalance.quotas"
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Quota:
    """What one category of a medium had and may keep. `share`: of the target, 0..1; None where counts were given."""

    media: str
    category: str
    supply: int
    quota: int
    share: float | None

    @property
    def kept(self) -> int:
        """Assets that stay."""
        return min(self.supply, self.quota)


@dataclass(frozen=True)
class Target:
    """The numbers of one medium by full name of category: shares that sum to 1, or limits (infinite where none)."""

    numbers: dict[str, float]
    shares: bool


def targets(settings: RebalanceSettings, taxonomy: Taxonomy) -> dict[str, Target]:
    """The target of each medium that is rebalanced.

    Raises ConfigError when a name is not in the tree, when shares leave a category of a named
    medium without a number, or give none to all.
    """
    trees = {media: list(taxonomy.of(media)) for media in MEDIA}
    if settings.target == "none":
        return {}
    if settings.target == "cap":
        return {m: Target(dict.fromkeys(names, float(settings.max_per_category)), False) for m, names in trees.items()}
    if settings.target == "uniform":
        return {m: Target(dict.fromkeys(names, 1 / len(names)), True) for m, names in trees.items()}
    if settings.target == "qwen3-vl":
        return {media: _preset(media, names) for media, names in trees.items()}
    named = settings.quotas.items()
    return {media: _named(numbers, trees[media], media, settings.target == "shares") for media, numbers in named}


def quotas(
    supply: Mapping[tuple[str, str], int], wanted: Mapping[str, Target], settings: RebalanceSettings
) -> list[Quota]:
    """The quota of each category that has assets, sorted by medium and category.

    supply: assets by (medium, category). A medium without a target, or a category that its
    target does not name, has no quota and is not in the result. For a target by shares a medium
    gets a total: `settings.total`, or the largest at which the kept assets still agree with the
    target to `min_overlap`. Shares of categories without any asset go to the others in
    proportion. A category with too few keeps what it has; nobody else gets more for it.
    """
    result = []
    for media, target in sorted(wanted.items()):
        names = sorted(c for (m, c), n in supply.items() if m == media and n > 0 and c in target.numbers)
        have = np.array([supply[media, c] for c in names], dtype=np.int64)
        numbers = np.array([target.numbers[c] for c in names], dtype=np.float64)
        if not target.shares:
            limited = [(n, h, int(q)) for n, h, q in zip(names, have, numbers, strict=True) if q != inf]
            result += [Quota(media, name, int(h), q, None) for name, h, q in limited]
            continue
        if numbers.sum() > 0:
            numbers = numbers / numbers.sum()
        total = settings.total if settings.total is not None else largest_total(have, numbers, settings.min_overlap)
        whole = rounded(numbers, total)
        rows = zip(names, have, whole, numbers, strict=True)
        result += [Quota(media, name, int(h), int(q), float(s)) for name, h, q, s in rows]
    return result


def overlap(kept: NDArray[np.int64], shares: Numbers) -> float:
    """How much of a distribution agrees with the target, 0..1: the sum of the smaller shares.

    kept: int64 [C] assets. shares: float64 [C], summing to 1. It is 1 minus the total variation
    distance; 0 for a pool that keeps nothing.
    """
    total = kept.sum()
    return float(np.minimum(kept / total, shares).sum()) if total else 0.0


def largest_total(supply: NDArray[np.int64], shares: Numbers, min_overlap: float) -> int:
    """The largest total T at which min(supply, share * T) agrees with `shares` to `min_overlap`.

    supply: int64 [C] > 0; shares: float64 [C] summing to 1, or all 0 (then nothing is wanted: 0).
    As T grows, min(ratio, T) with ratio = supply / share only gets more unequal (a truncation at a
    lower T Lorenz-dominates one at a higher), so the overlap falls and bisection finds T. It is
    reached before rounding to whole assets, which in a small pool costs a little of it.
    """
    wanted = shares > 0
    if not wanted.any():
        return 0
    ratio = supply[wanted] / shares[wanted]
    low, high = ratio.min(), ratio.max()

    def agrees(total: float) -> bool:
        kept = np.minimum(supply[wanted], shares[wanted] * total)
        return bool(np.minimum(kept / kept.sum(), shares[wanted]).sum() >= min_overlap - 1e-12)

    if agrees(high):
        return int(np.ceil(high)) + len(shares)  # all may stay, whatever rounding does
    for _ in range(64):
        middle = (low + high) / 2
        low, high = (middle, high) if agrees(middle) else (low, middle)
    return max(1, int(low + 1e-9))


def rounded(shares: Numbers, total: int) -> NDArray[np.int64]:
    """Whole numbers in proportion to `shares` that sum to `total`: int64 [C]; ties go to the first.

    shares: float64 [C] summing to 1, or all 0 (then all get 0). By Webster's method (the `total`
    smallest of (k + 1/2) / share), because a larger total then never takes an asset away;
    largest remainders can (the Alabama paradox).
    """
    result = np.zeros(len(shares), dtype=np.int64)
    wanted = np.flatnonzero(shares > 0)
    if len(wanted) == 0:
        return result
    # Rounding adds at most half an asset a category, so this is never too many.
    result[wanted] = np.floor(shares[wanted] * max(0.0, total - len(wanted) / 2) + 0.5).astype(np.int64)
    while result.sum() < total:
        result[wanted[np.argmin((result[wanted] + 0.5) / shares[wanted])]] += 1
    return result


def _preset(media: str, names: list[str]) -> Target:
    known = QWEN3_VL[media]
    unknown = [n for n in names if n not in known]
    if unknown:
        raise ConfigError(
            f"seed_pool.rebalance.target is qwen3-vl, which has no share for the {media} category {unknown[0]!r} of "
            f"this taxonomy; use target: shares, with seed_pool.rebalance.quotas"
        )
    sum_ = sum(known[n] for n in names)
    return Target({n: known[n] / sum_ for n in names}, True)


def _named(numbers: Mapping[str, float], names: list[str], media: str, shares: bool) -> Target:
    """The user's numbers by full name; a group's number goes to what its named categories leave of it."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.partition("/")[0], []).append(name)
    for name in numbers:
        if name not in groups and name not in names:
            meant = nearest_name(name, [*names, *groups])
            raise ConfigError(f"{_KEY}.{media}: the taxonomy has no {media} category {name!r}; did you mean {meant!r}?")
    found = {n: numbers[n] for n in names if n in numbers}
    for group, members in groups.items():
        if group not in numbers:
            continue
        left = numbers[group] - sum(found[n] for n in members if n in found)
        rest = [n for n in members if n not in found]
        if left < -1e-9 or (left > 1e-9 and not rest):
            raise ConfigError(
                f"{_KEY}.{media}: {group} has {numbers[group]:g}, its categories {numbers[group] - left:g}; "
                "name the group or all of its categories, or make them agree"
            )
        # Whole counts: the first ones get what does not divide evenly.
        each, over = divmod(left, len(rest)) if rest and not shares else (left / max(1, len(rest)), 0)
        found |= {n: each + (1 if i < over else 0) for i, n in enumerate(rest)}
    missing = [n for n in names if n not in found]
    if not shares:
        return Target({n: found.get(n, inf) for n in names}, False)
    if missing:
        raise ConfigError(
            f"{_KEY}.{media} gives {missing[0]!r} no share ({len(missing)} such categories); name it or its group, "
            "with 0 to drop it"
        )
    sum_ = sum(found.values())
    if sum_ <= 0:
        raise ConfigError(
            f"{_KEY}.{media} sums to 0, which would drop every {media}; leave {media} out to keep it whole"
        )
    return Target({n: found[n] / sum_ for n in names}, True)
