"""Which media are right and wrong for a text: retrieval of images, videos and moments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.config import SynthSettings
from pipeline.synth.claims import Claim
from pipeline.synth.drafts import Draft, Judged, query_id
from pipeline.synth.pool_facts import HOLDS, OPEN, PoolFacts
from pipeline.synth.task import Span, TaskSpec


def judge_targets(spec: TaskSpec, drafts: Sequence[Draft], assets: pa.Table, settings: SynthSettings) -> list[Judged]:
    """Give each draft its right and wrong assets among all of the pool.

    Right: the draft's own asset (for a moment, the segments that cover its span) and every
    other asset of which its claims hold. Wrong: for a moment, the segments that cover the
    irrelevant span. Undecided: assets of which the claims stay open.
    """
    facts = PoolFacts(assets, settings.facts)
    places = assets.select(["asset_id", "sha256", "start_s", "end_s"]).to_pylist()
    names = [p["asset_id"] for p in places]
    own_row = {p["asset_id"]: row for row, p in enumerate(places)}
    by_file: dict[str, list[int]] = {}
    for row, place in enumerate(places):
        by_file.setdefault(place["sha256"], []).append(row)

    def ids(rows: Iterable[int]) -> dict[str, None]:
        return dict.fromkeys(names[r] for r in rows)

    shared: dict[tuple[Claim, ...], tuple[dict[str, None], dict[str, None]]] = {}
    result: list[Judged] = []
    for draft in drafts:
        if draft.holds is not None and draft.example.span is None:
            # What the same claims say of the pool is one pair of sets, however many drafts make them.
            if draft.holds not in shared:
                verdicts = facts.judge(draft.holds)
                shared[draft.holds] = (ids(np.flatnonzero(verdicts == HOLDS)), ids(np.flatnonzero(verdicts == OPEN)))
            holding, open_ids = shared[draft.holds]
            if draft.asset_id in holding:
                result.append(Judged(draft, query_id(spec, draft), holding, {}, open_ids))
                continue
        own, example = own_row[draft.asset_id], draft.example
        siblings = by_file[places[own]["sha256"]]
        right = dict.fromkeys([own] if example.span is None else _covering(example.span, siblings, places))
        open_: dict[int, None] = {}
        if draft.holds is not None:
            verdicts = facts.judge(draft.holds)
            right |= dict.fromkeys(np.flatnonzero(verdicts == HOLDS).tolist())
            open_ = {r: None for r in np.flatnonzero(verdicts == OPEN).tolist() if r not in right}
        far = [] if example.irrelevant_span is None else _covering(example.irrelevant_span, siblings, places)
        wrong = [
            r for r in far if r not in right and r not in open_ and _gap(places[r], example.span) >= settings.min_gap_s
        ]
        result.append(Judged(draft, query_id(spec, draft), ids(right), ids(wrong), ids(open_)))
    return result


def _span(place: dict[str, Any]) -> Span | None:
    return None if place["start_s"] is None else Span(place["start_s"], place["end_s"])


def _covering(span: Span, rows: Sequence[int], places: Sequence[dict[str, Any]]) -> list[int]:
    """Segments that overlap the span by at least half of the shorter."""
    return [r for r in rows if (s := _span(places[r])) and s.covers(span)]


def _gap(place: dict[str, Any], span: Span | None) -> float:
    other = _span(place)
    return 0.0 if span is None or other is None else span.gap_to(other)
