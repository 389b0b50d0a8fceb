"""Moments on scene boundaries: a VLM's times are as coarse as its frames."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import SynthSettings
from pipeline.synth.subjects import subject, subjects
from pipeline.synth.task import Span
from pipeline.synth.tasks import TASKS
from pipeline.synth.tasks.moment import settle, snapped
from tests.synth.samples import clip, pool

SPEC = TASKS["moment_retrieval"]
SEGMENTS = [Span(0.0, 4.0), Span(4.0, 10.0), Span(12.0, 20.0)]


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ((4.4, 9.6), (4.0, 10.0)),
        ((4.5, 9.5), (4.0, 10.0)),  # at the tolerance
        ((4.6, 9.4), (4.6, 9.4)),
        ((4.6, 9.6), (4.6, 10.0)),  # each end by itself
        ((3.7, 10.3), (4.0, 10.0)),  # a little beyond, on both sides
        ((3.0, 9.9), (3.0, 10.0)),  # too far beyond: the checks reject it
        ((3.8, 4.2), (3.8, 4.0)),  # as much in one as in the other: the first
        ((10.2, 11.8), (10.2, 11.8)),  # between segments
        ((4.3, 4.3), (4.3, 4.3)),  # empty
        ((4.3, 4.1), (4.3, 4.1)),
    ],
)
def test_ends_near_a_boundary_of_the_segment_lie_on_it(given_, expected):
    assert snapped(Span(*given_), SEGMENTS, 0.5) == Span(*expected)


def test_without_segments_or_tolerance_a_span_stays():
    assert snapped(Span(1.0, 2.0), [], 0.5) == Span(1.0, 2.0)
    assert snapped(Span(0.1, 3.9), SEGMENTS, 0.0) == Span(0.1, 3.9)


TIMES = st.floats(0, 25).map(lambda t: round(t, 2))


@given(TIMES, TIMES, st.floats(0, 2))
def test_no_end_moves_further_than_the_tolerance_and_nothing_moves_twice(start, end, tolerance):
    before = Span(start, end)
    after = snapped(before, SEGMENTS, tolerance)
    assert abs(after.start_s - start) <= tolerance
    assert abs(after.end_s - end) <= tolerance
    if after.start_s < after.end_s:
        assert snapped(after, SEGMENTS, tolerance) == after


def settled(moment, irrelevant, **synth):
    clips = [clip(name, "f", *span) for name, span in zip("abc", SEGMENTS, strict=True)]
    what = subject(subjects(pool(*clips), SPEC, ["en"]).to_pylist()[0])
    times = dict(
        zip(("start_s", "end_s", "irrelevant_start_s", "irrelevant_end_s"), (*moment, *irrelevant), strict=True)
    )
    keys = {"description": "d", "task_type": "Action Moment", "query": "q", **times}
    found = SPEC.to_example(settle(SPEC.response.model_validate(keys), what, SynthSettings(**synth)))
    return tuple(found.span), tuple(found.irrelevant_span)


def test_the_moment_is_snapped_and_the_irrelevant_span_only_drawn_in():
    assert settled((4.2, 9.9), (11.8, 19.7)) == ((4.0, 10.0), (12.0, 19.7))


def test_a_moment_that_would_come_too_near_to_the_irrelevant_span_stays():
    assert settled((0.2, 3.6), (4.3, 9.0)) == ((0.2, 3.6), (4.3, 9.0))
    assert settled((0.2, 3.6), (4.3, 9.0), min_gap_s=0.2) == ((0.0, 4.0), (4.3, 9.0))


def test_the_tolerance_is_a_setting():
    assert settled((4.2, 9.9), (12.1, 19.7), snap_s=0.15) == ((4.2, 10.0), (12.1, 19.7))
