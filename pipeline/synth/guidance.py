"""The files that the prompts of a task take from: who asks, and worked examples. Read before anything is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, Field, TypeAdapter, ValidationError

from pipeline.config import Medium, Settings, SynthSettings
from pipeline.config_file import read_mapping
from pipeline.errors import ConfigError
from pipeline.prompts import LANGUAGES
from pipeline.synth.annotation import Guidance
from pipeline.synth.checks import badly_written, broken_rule, wrong_span
from pipeline.synth.draws import check_type_weights
from pipeline.synth.task import Response, Segment, Subject, TaskSpec
from pipeline.synth.tasks import TASKS

BASE = "personas.yaml"  # what `extends` may name
MAX_PERSONA_CHARS = 200


def _one_line(text: str) -> str:
    """A persona stands inside a line of a prompt."""
    if not text.isprintable() or text != text.strip():
        raise ValueError("one line without space around it")
    return text


Persona = Annotated[str, Field(min_length=1, max_length=MAX_PERSONA_CHARS), AfterValidator(_one_line)]


class Personas(Settings):
    """Who may ask, by medium."""

    image: tuple[Persona, ...] = ()
    video: tuple[Persona, ...] = ()

    def of(self, medium: Medium) -> tuple[str, ...]:
        """Those that ask for a medium, each once, in file order."""
        return tuple(dict.fromkeys(self.image if medium == "image" else self.video))


def load_guidance(specs: Sequence[TaskSpec], settings: SynthSettings) -> dict[str, Guidance]:
    """What the prompts of each task take from files, by the task's name.

    Raises ConfigError naming file and key on what cannot be used, also on a `type_weights` that names nothing.
    """
    check_type_weights(settings, TASKS)
    personas = Personas() if settings.personas is None else load_personas(settings.personas)
    examples = {} if settings.examples is None else load_examples(settings.examples, settings)
    return {
        spec.name: Guidance(
            personas.of(spec.medium) if any(kind.abstract for kind in spec.task_types.values()) else (),
            examples.get(spec.name, {}),
        )
        for spec in specs
    }


def load_personas(name: str) -> Personas:
    """Read a file of configs/ or a path; with `extends: personas.yaml` the shipped ones stand before its own."""
    data = read_mapping(name, "synth.personas")
    base = data.pop("extends", None)
    if base not in (None, BASE):
        raise ConfigError(f"{name}: extends is {base!r}; the one list that can be extended is {BASE}")
    own = _validated(Personas, data, name)
    if base is None:
        return own
    shipped = load_personas(BASE)
    return Personas(image=(*shipped.image, *own.image), video=(*shipped.video, *own.video))


_ByLanguage = TypeAdapter(dict[str, list[dict[str, Any]]])


def load_examples(name: str, settings: SynthSettings) -> dict[str, dict[str, tuple[dict[str, object], ...]]]:
    """Worked examples by task and language: each a Response that would pass the checks, keys in order."""
    found: dict[str, dict[str, tuple[dict[str, object], ...]]] = {}
    for task, by_language in read_mapping(name, "synth.examples").items():
        if task not in TASKS:
            raise ConfigError(f"{name}: {task!r} is no task; tasks: {', '.join(TASKS)}")
        try:
            lists = _ByLanguage.validate_python(by_language)
        except ValidationError as error:
            raise ConfigError(f"{name}: {task}.{_first(error)}; write a list of examples a language") from error
        for language in lists:
            if language not in LANGUAGES:
                raise ConfigError(f"{name}: {task}.{language} is no language; there are {', '.join(LANGUAGES)}")
        found[task] = {
            language: tuple(
                _example(TASKS[task], keys, language, settings, f"{name}: {task}.{language}.{i}")
                for i, keys in enumerate(examples)
            )
            for language, examples in lists.items()
        }
    return found


def _example(
    spec: TaskSpec, keys: Mapping[str, Any], language: str, settings: SynthSettings, where: str
) -> dict[str, object]:
    response: Response = _validated(spec.response, keys, where)
    example = spec.to_example(response)
    limit = min(spec.max_description_words, settings.max_description_words)
    spans = [span for span in (example.span, example.irrelevant_span) if span]
    place = Subject("", spec.medium, None, tuple(Segment("", span, "", "", None) for span in spans))
    broken = broken_rule(spec, response.description, example, language, limit)
    broken = broken or badly_written(response.description, example, settings.checks)
    if broken := broken or wrong_span(example, place, settings.min_gap_s):
        raise ConfigError(f"{where} would be rejected itself: {broken[0]}, {broken[1]}")
    return response.model_dump()


M = TypeVar("M", bound=BaseModel)


def _validated(model: type[M], data: Mapping[str, Any], where: str) -> M:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ConfigError(f"{where}: {_first(error)}") from error


def _first(error: ValidationError) -> str:
    """The first thing that is wrong, with its key."""
    first = error.errors()[0]
    found = "" if isinstance(first["input"], (dict, list)) else f" is {first['input']!r}"
    return f"{'.'.join(map(str, first['loc']))}{found}: {first['msg']}"
