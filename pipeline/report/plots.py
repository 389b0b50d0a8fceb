"""Charts as inline SVG: histograms with labelled axes, and bars. No script, no colour of its own:
classes `series-1` to `series-3` take theirs from the page's style sheet, for light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

Counts = NDArray[np.int64]

WIDTH, HEIGHT = 440, 230
LEFT, RIGHT, TOP, BOTTOM = 46, 428, 30, 188
MAX_BINS = 44
STEPS = (0.005, 0.01, 0.02, 0.025, 0.05, 0.1, 0.2)  # bin widths that read well on an axis


class Tally:
    """Counts values in fine bins of 0.005 over low..high, so that a stream needs no second pass."""

    fine = 0.005

    def __init__(self, low: float = -1.0, high: float = 1.0) -> None:
        self.low = low
        self.counts: Counts = np.zeros(round((high - low) / self.fine), dtype=np.int64)

    def add(self, values: NDArray[np.floating]) -> None:
        """Count `values`; those outside low..high go to the first or last bin, NaN nowhere."""
        finite = values[np.isfinite(values)].astype(np.float64)
        # A hair is added so that 0.6, stored as 0.59999996, falls into the bin that starts at 0.6.
        place = np.floor((finite - self.low) / self.fine + 1e-4).astype(np.int64)
        np.add.at(self.counts, place.clip(0, len(self.counts) - 1), 1)

    @property
    def total(self) -> int:
        """How many values were counted."""
        return int(self.counts.sum())


@dataclass(frozen=True)
class Series:
    """One set of values in a histogram: its name, its CSS class and its counts."""

    name: str
    css: str
    tally: Tally


@dataclass(frozen=True)
class Line:
    """A vertical line in a histogram: a threshold and its name."""

    name: str
    at: float


@dataclass(frozen=True)
class Chart:
    """A drawn histogram with what stands around it."""

    title: str
    svg: Markup
    legend: tuple[tuple[str, str, int], ...]  # name, CSS class, values


def histogram(
    title: str, x_label: str, series: Sequence[Series], lines: Sequence[Line] = (), *, stacked: bool = False
) -> Chart:
    """Draw `series` over one axis.

    stacked: counts on top of each other (series that share a whole); otherwise each series
    is drawn as its share in percent, so that few positives compare with many negatives.
    """
    edges, binned = _binned(series, lines)
    legend = tuple((s.name, s.css, s.tally.total) for s in series)
    if stacked:
        heights = np.cumsum(binned, axis=0).astype(np.float64)
        unit, top = "assets", heights.max(initial=0.0)
    else:
        totals = np.maximum(binned.sum(axis=1, keepdims=True), 1)
        heights = 100 * binned / totals
        unit, top = "share of each series, %", heights.max(initial=0.0)
    ticks = nice_ticks(0.0, max(float(top), 1.0), 4, whole=stacked)
    frame = _Frame(float(edges[0]), float(edges[-1]), ticks[-1])
    shapes = [_bars(frame, edges, heights, series) if stacked else _areas(frame, edges, heights, series)]
    label = f"{title}: " + ", ".join(f"{name} {n}" for name, _, n in legend)
    svg = Markup('<svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}{}</svg>').format(
        WIDTH, HEIGHT, label, _axes(frame, ticks, x_label, unit), Markup().join(shapes), _marks(frame, lines)
    )
    return Chart(title, svg, legend)


def bar(shares: Sequence[tuple[str, float]]) -> Markup:
    """A thin horizontal bar of parts (CSS class, share 0..1), drawn over its full width."""
    parts, start = [], 0.0
    for css, share in shares:
        parts.append(_rect(css, 100 * start, 0, 100 * share, 10))
        start += share
    return Markup(
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">{}</svg>'
    ).format(Markup().join(parts))


def gauge(score: float, mark: float, css: str) -> Markup:
    """A score of 0..1 as a bar with a tick at `mark`; what is outside stands at the edge."""
    at = 100 * min(1.0, max(0.0, mark))
    return Markup(
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">{}{}</svg>'
    ).format(_rect(css, 0, 2, 100 * min(1.0, max(0.0, score)), 6), _rect("tick", min(at, 99), 0, 1, 10))


def nice_ticks(low: float, high: float, wanted: int, *, whole: bool = False) -> list[float]:
    """Round numbers that cover low..high in about `wanted` steps; at least two of them."""
    raw = (high - low) / wanted
    power = 10.0 ** np.floor(np.log10(raw))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= raw * 0.999)
    if whole:
        step = max(1.0, np.ceil(step))
    first, last = np.floor(low / step + 1e-9), np.ceil(high / step - 1e-9)
    return [round(float(i * step), 6) for i in range(int(first), int(last) + 1)]


@dataclass(frozen=True)
class _Frame:
    """Maps data to the drawing: x over low..high, y over 0..top."""

    low: float
    high: float
    top: float

    def x(self, value: float) -> float:
        return LEFT + (RIGHT - LEFT) * (value - self.low) / (self.high - self.low)

    def y(self, value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * value / self.top


def _binned(series: Sequence[Series], lines: Sequence[Line]) -> tuple[NDArray[np.float64], Counts]:
    """Edges [B + 1] of even bins that hold all values and lines, and counts [S, B]."""
    low, fine = series[0].tally.low, Tally.fine
    counts = np.stack([s.tally.counts for s in series])
    used = np.flatnonzero(counts.sum(axis=0))
    first, last = (int(used[0]), int(used[-1]) + 1) if len(used) else (len(counts[0]) // 2, len(counts[0]))
    marks = [round((line.at - low) / fine) for line in lines]
    first, last = min([first, *(m - 4 for m in marks)]), max([last, *(m + 4 for m in marks)])
    first, last = max(0, first), min(len(counts[0]), last)
    per_bin = next((round(s / fine) for s in STEPS if (last - first) <= MAX_BINS * s / fine), round(STEPS[-1] / fine))
    start, stop = first // per_bin, -(-last // per_bin)
    padded = np.pad(counts, ((0, 0), (0, max(0, stop * per_bin - len(counts[0])))))
    binned = padded[:, start * per_bin : stop * per_bin].reshape(len(series), stop - start, per_bin).sum(axis=2)
    edges = (low + np.arange(start, stop + 1) * per_bin * fine).astype(np.float64)
    return edges, binned.astype(np.int64)


def _rect(css: str, x: float, y: float, width: float, height: float) -> Markup:
    return Markup('<rect class="{}" x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{:.2f}"/>').format(
        css, x, y, width, height
    )


def _bars(frame: _Frame, edges: NDArray[np.float64], heights: NDArray[np.float64], series: Sequence[Series]) -> Markup:
    drawn = []
    below = np.zeros(len(edges) - 1)
    for one, tops in zip(series, heights, strict=True):
        for i, (bottom, top) in enumerate(zip(below, tops, strict=True)):
            if top > bottom:
                left, right = frame.x(edges[i]), frame.x(edges[i + 1])
                drawn.append(_rect(one.css, left + 0.5, frame.y(top), right - left - 1, frame.y(bottom) - frame.y(top)))
        below = tops
    return Markup().join(drawn)


def _areas(frame: _Frame, edges: NDArray[np.float64], heights: NDArray[np.float64], series: Sequence[Series]) -> Markup:
    drawn = []
    for one, tops in zip(series, heights, strict=True):
        path = [f"M{frame.x(edges[0]):.2f} {BOTTOM}"]
        for i, top in enumerate(tops):
            path.append(f"V{frame.y(top):.2f}H{frame.x(edges[i + 1]):.2f}")
        path.append(f"V{BOTTOM}")
        drawn.append(Markup('<path class="area {}" d="{}"/>').format(one.css, "".join(path)))
    return Markup().join(drawn)


def _axes(frame: _Frame, ticks: Sequence[float], x_label: str, y_label: str) -> Markup:
    drawn = [
        Markup('<path class="grid" d="M{} {:.2f}H{}"/><text class="end" x="{}" y="{:.2f}">{:g}</text>').format(
            LEFT, frame.y(tick), RIGHT, LEFT - 6, frame.y(tick) + 4, tick
        )
        for tick in ticks
    ]
    drawn += [
        Markup('<path class="axis" d="M{0:.2f} {1}v4"/><text class="mid" x="{0:.2f}" y="{2}">{3:g}</text>').format(
            frame.x(tick), BOTTOM, BOTTOM + 17, tick
        )
        for tick in nice_ticks(frame.low, frame.high, 6)
        if frame.low - 1e-9 <= tick <= frame.high + 1e-9
    ]
    drawn.append(Markup('<path class="axis" d="M{} {}H{}"/>').format(LEFT, BOTTOM, RIGHT))
    drawn.append(
        Markup('<text class="mid quiet" x="{}" y="{}">{}</text>').format((LEFT + RIGHT) / 2, HEIGHT - 6, x_label)
    )
    drawn.append(Markup('<text class="quiet" x="4" y="12">{}</text>').format(y_label))
    return Markup().join(drawn)


def _marks(frame: _Frame, lines: Sequence[Line]) -> Markup:
    drawn = []
    for i, line in enumerate(lines):
        x = frame.x(line.at)
        right = x < (LEFT + RIGHT) / 2
        drawn.append(
            Markup(
                '<path class="mark" d="M{0:.2f} {1}V{2}"/><text class="mark {3}" x="{4:.2f}" y="{5}">{6}</text>'
            ).format(x, TOP - 4, BOTTOM, "" if right else "end", x + (5 if right else -5), TOP + 6 + 14 * i, line.name)
        )
    return Markup().join(drawn)
