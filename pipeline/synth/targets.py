"""Which media are right and wrong for a text: retrieval of images, videos and moments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipeline.config import SynthSettings
from pipeline.synth.drafts import Asked, Draft, Judged, Rows, distinct
from pipeline.synth.pool_facts import HOLDS, OPEN, PoolFacts
from pipeline.synth.task import Span


def judge_targets(queries: Sequence[Asked], assets: pa.Table, settings: SynthSettings) -> list[Judged]:
    """Give each query its right and wrong assets; the documents are the rows of `assets`.

    Right: the own assets of the drafts that ask it (for a moment, the segments that cover its
    span) and every other asset of which their claims hold. Wrong: for a moment, the segments that
    cover the first draft's irrelevant span. Undecided: assets of which the claims stay
    open, and those of drafts that ask nearly the same.
    """
    facts, places = PoolFacts(assets, settings.facts), _Places(assets)
    result: list[Judged] = []
    for query in queries:
        said = dict.fromkeys(d.holds for d in query.drafts if d.holds is not None)
        verdicts = [facts.judge(claims) for claims in said]
        holding = [np.flatnonzero(v == HOLDS) for v in verdicts]
        own, *others = (places.right(d) for d in query.drafts)
        right = distinct([own, *holding, *others])
        open_ = np.any([v == OPEN for v in verdicts], axis=0) if verdicts else np.zeros(len(assets), bool)
        for draft in query.near:
            open_[places.right(draft)] = True
        open_[right] = False
        wrong = np.setdiff1d(places.wrong(query.first, settings.min_gap_s), right)
        result.append(Judged(right, wrong[~open_[wrong]], np.flatnonzero(open_)))
    return result


class _Places:
    """Where the assets lie: their files, and their spans in them."""

    def __init__(self, assets: pa.Table) -> None:
        ids, self.files, starts, ends = (
            assets.column(name).to_pylist() for name in ("asset_id", "sha256", "start_s", "end_s")
        )
        self.spans = [None if s is None else Span(s, e) for s, e in zip(starts, ends, strict=True)]
        self.row_of = {asset_id: row for row, asset_id in enumerate(ids)}
        self.by_file: dict[str, list[int]] = {}
        for row, file in enumerate(self.files):
            self.by_file.setdefault(file, []).append(row)

    def right(self, draft: Draft) -> Rows:
        """The asset that a draft was written for or, of a moment, all that cover its span."""
        own, span = self.row_of[draft.asset_id], draft.example.span
        return np.array([own] if span is None else self._covering(span, own), np.int64)

    def wrong(self, draft: Draft, min_gap_s: float) -> Rows:
        """What covers a draft's irrelevant span and has a gap to its moment."""
        span, far = draft.example.span, draft.example.irrelevant_span
        found = [] if far is None else self._covering(far, self.row_of[draft.asset_id])
        return np.array([r for r in found if self._gap(r, span) >= min_gap_s], np.int64)

    def _covering(self, span: Span, own: int) -> list[int]:
        """Segments of the file that overlap the span by at least half of the shorter."""
        siblings = self.by_file[self.files[own]]
        return [r for r in siblings if (place := self.spans[r]) is not None and place.covers(span)]

    def _gap(self, row: int, span: Span | None) -> float:
        place = self.spans[row]
        return 0.0 if span is None or place is None else place.gap_to(span)
