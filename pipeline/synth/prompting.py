"""What a vision-language model is asked: a task's template, filled in for one subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.prompts import language_name, render, word_unit
from pipeline.synth.annotation import Asking
from pipeline.synth.draws import assigned_type, persona
from pipeline.synth.task import Segment, Subject, TaskSpec
from pipeline.text import shown_caption


def prompt(spec: TaskSpec, what: Subject, language: str, asking: Asking, times_s: Sequence[Sequence[float]]) -> str:
    """Render the task's template: first what is the same for all subjects, then what differs.

    times_s: of the frames of each segment, seconds from the first frame of the file.
    Raises ConfigError on an unknown language.
    """
    synth, guidance, asset_id = asking.synth, asking.guidance, what.segments[0].asset_id
    wanted = assigned_type(spec, asset_id, synth, asking.seed)
    may_be_abstract = wanted is None or spec.task_types[wanted].abstract
    return render(
        spec.template,
        medium=spec.medium,
        language=language_name(language),
        unit=word_unit(language),
        describe=synth.describe,
        assigned=wanted is not None,
        max_words=min(spec.max_description_words, synth.max_description_words),
        answer_words=synth.checks.max_answer_words,
        query_words=synth.checks.max_query_words,
        min_gap_s=synth.min_gap_s,
        task_types=spec.task_types,
        abstract=[name for name, kind in spec.task_types.items() if kind.abstract] if guidance.personas else [],
        examples=[_Worked.of(example) for example in guidance.examples.get(language, ())],
        keys=list(spec.reply(synth).model_fields),
        wanted=wanted,
        persona=persona(guidance.personas, asset_id, asking.seed) if may_be_abstract else None,
        clips=[] if spec.medium == "image" else clips_of(spec, what, times_s),
        known=_known(spec, what),
    )


@dataclass(frozen=True)
class _Worked:
    """A worked example as the prompt shows it."""

    description: object
    answer: dict[str, object]  # the other keys

    @classmethod
    def of(cls, keys: Mapping[str, object]) -> _Worked:
        """From the keys of a Response."""
        return cls(keys["description"], {name: value for name, value in keys.items() if name != "description"})


@dataclass(frozen=True)
class Clip:
    """When the frames of a segment are shown, in seconds as the prompt writes them."""

    start: str
    end: str
    length: str
    times: list[str]


def clocked(spec: TaskSpec, segment: Segment, times_s: Sequence[float]) -> list[float]:
    """Times of a file, in seconds, on the clock of the prompt. Moments lie in the file, so their times count from its
    beginning; in any other task the video is the segment itself, and so they count from the segment's: as in a clip
    that is cut out of it."""
    origin = 0.0 if spec.document == "moment" or segment.span is None else segment.span.start_s
    return [max(t - origin, 0.0) for t in times_s]


def clips_of(spec: TaskSpec, what: Subject, times_s: Sequence[Sequence[float]]) -> list[Clip]:
    """Of each segment of a video."""
    clips = []
    for segment, times in zip(what.segments, times_s, strict=True):
        start, end = segment.span or (0.0, what.duration_s or max(times))
        shown = [f"{t:.1f}" for t in clocked(spec, segment, times)]
        clips.append(Clip(f"{start:.2f}", f"{end:.2f}", f"{end - start:.1f}", shown))
    return clips


def _known(spec: TaskSpec, what: Subject) -> list[dict[str, object]]:
    """What strangers and other programs say of a subject: of an asset, or of a file and then of each segment."""
    given = what.segments[0].given
    said = {"caption_by_others": given.caption, "label_by_others": given.label}
    file: dict[str, object] = {"file": what.uri}
    file |= {name: shown for name, text in said.items() if (shown := shown_caption(text)) is not None}
    found = [{"category": s.category, "description": s.description} for s in what.segments]
    if spec.document != "moment":
        return [{**file, **found[0]}]
    return [file, *({"segment": i, **one} for i, one in enumerate(found, 1))]
