"""Queries that say nearly the same as an earlier one of their sub-dataset: one of them is enough."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from pipeline.synth.drafts import Asked, Refused, SubDataset
from pipeline.synth.task import TaskSpec
from pipeline.synth.tokens import tokens


def without_near_duplicates(
    spec: TaskSpec, queries: Sequence[Asked], least_share: float
) -> tuple[list[Asked], list[Refused]]:
    """The queries that stand, in their order, and a refusal for each that nearly repeats one of them.

    Only texts that a VLM wrote, and that find their medium by themselves, are compared: the builtin annotator says
    by its claims what is the same, and people may say what they like. The one that stands keeps the assets of
    those that repeat it as `near`: whether it holds of them is not known.
    """
    written: dict[SubDataset, list[int]] = {}
    for place, query in enumerate(queries):
        if spec.query == "text" and query.first.source == "synth" and query.first.holds is None:
            written.setdefault(query.first.sub_dataset, []).append(place)
    repeats: dict[int, tuple[int, float]] = {}
    for places in written.values():
        found = near_duplicates([queries[p].first.example.query_text or "" for p in places], least_share)
        repeats |= {p: (places[f[0]], f[1]) for p, f in zip(places, found, strict=True) if f is not None}
    near: dict[int, list[int]] = {}
    refused = []
    for place, (first, share) in repeats.items():
        near.setdefault(first, []).append(place)
        stands = queries[first]
        detail = f"{share:.2f} of the words and pairs of words of {stands.query_id} of asset {stands.first.asset_id}"
        said = stands.first.example.query_text
        refused.append(
            Refused(queries[place].first, "near_duplicate_query", f"{detail}, limit {least_share:g}: {said!r}")
        )
    kept = [
        replace(query, near=tuple(d for p in near.get(place, ()) for d in queries[p].drafts))
        for place, query in enumerate(queries)
        if place not in repeats
    ]
    return kept, refused


def near_duplicates(texts: Sequence[str], least_share: float) -> list[tuple[int, float] | None]:
    """Of each text the first earlier one that stands and is like it, with their likeness; None for one that stands.

    Likeness: shared words and pairs of words over all of both (Jaccard), 0..1; alike from least_share (above 0) on.
    Exact, and near linear: two sets so alike share one of their rarest members (prefix filtering, Bayardo, Ma and
    Srikant, "Scaling up all pairs similarity search", 2007).
    """
    sets = [_shingles(text) for text in texts]
    rarity = Counter(shingle for one in sets for shingle in one)
    index: dict[tuple[str, ...], list[int]] = {}
    result: list[tuple[int, float] | None] = []
    for number, one in enumerate(sets):
        rarest = sorted(one, key=lambda s: (rarity[s], s))[: len(one) - math.ceil(least_share * len(one) - 1e-9) + 1]
        candidates = sorted({other for shingle in rarest for other in index.get(shingle, ())})
        likeness = ((other, len(one & sets[other]) / len(one | sets[other])) for other in candidates)
        found = next((pair for pair in likeness if pair[1] >= least_share), None)
        result.append(found)
        if found is None:
            for shingle in rarest:
                index.setdefault(shingle, []).append(number)
    return result


def _shingles(text: str) -> frozenset[tuple[str, ...]]:
    said = tokens(text)
    return frozenset([*((w,) for w in said), *pairwise(said)])
