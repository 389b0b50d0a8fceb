"""The third annotator: what people said of the media becomes examples, word for word, without a model."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.models.replies import Refusal
from pipeline.prompts import LANGUAGES
from pipeline.stage import PARENT, Resources, Split
from pipeline.synth.annotation import ADDS, READS, Annotation, result
from pipeline.synth.subjects import subject as subject_of
from pipeline.synth.subjects import subjects
from pipeline.synth.task import Example, GivenType, Subject, TaskSpec
from pipeline.synth.tasks import task
from pipeline.synth.tokens import word_count

NAME = "given"
_CODES = {name.lower(): code for code, name in LANGUAGES.items()}


def by_given(settings: Annotation) -> Split:
    """The stage that turns captions, labels and subtitles into examples; it opens no file."""
    return Split(NAME, annotate, settings, READS, ADDS, resources=Resources(batch_rows=64))


def given_subjects(assets: pa.Table, spec: TaskSpec, languages: Sequence[str]) -> pa.Table:
    """Rows of SUBJECTS of which something is given that makes examples of this task.

    language: what somebody said it is, as an ISO 639-1 code where it is a known one; the first of
    `languages` where nobody said.
    """
    if spec.given is None:
        return subjects(assets.slice(0, 0), spec, languages)
    rows = subjects(assets.filter(_there(assets.column(spec.given.column))), spec, languages[:1])
    said = [segments[0]["source_language"] for segments in rows.column("segments").to_pylist()]
    at = rows.column_names.index("language")
    codes = pa.array([languages[0] if s is None else language_code(s) for s in said], pa.string())
    return rows.set_column(at, "language", codes)


def language_code(said: str) -> str:
    """The ISO 639-1 code of `en-US`, `English`, `EN`; what is none of ours in lower case."""
    plain = said.strip().lower()
    return _CODES.get(plain, plain.replace("_", "-").split("-")[0])


def annotate(table: pa.Table, settings: Annotation) -> pa.Table:
    """Give each subject its examples, or the reject `nothing_given` or `unknown_language`."""
    spec = task(settings.task)
    rows: list[dict[str, object]] = []
    verdicts: list[Refusal | None] = []
    for parent, row in enumerate(table.to_pylist()):
        what = subject_of(row)
        found = _examples(spec.given, what, row["language"]) if spec.given else []
        if isinstance(found, tuple):
            rows.append({PARENT: parent, "asset_id": what.segments[0].asset_id})
            verdicts.append(found)
            continue
        for asset_id, example in found:
            name = spec.given and spec.given.name
            rows.append({PARENT: parent, "asset_id": asset_id, "task_type": name, "given": example.to_json()})
            verdicts.append(None)
    return result(NAME, rows, verdicts)


def _examples(given: GivenType, what: Subject, language: str) -> list[tuple[str, Example]] | Refusal:
    if language not in LANGUAGES:
        return "unknown_language", f"{language!r} is none of {', '.join(LANGUAGES)}"
    found = given.examples(what)
    telling = [f for f in found if f[1].query_text is None or word_count(f[1].query_text) >= given.min_words]
    if telling:
        return telling
    return "nothing_given", f"none of {len(found)} texts of {given.column} has {given.min_words} words"


def _there(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_list(column.type):
        return pc.fill_null(pc.greater(pc.list_value_length(column), 0), False)
    return pc.is_valid(column)
