"""All prompts on one page, for assets that exist nowhere else: docs/prompts.md, and what settings of one's own make."""

from __future__ import annotations

from pathlib import Path

from pipeline.config import Config, FrameSettings, Medium
from pipeline.media.frames import FrameStore
from pipeline.seed_pool.label import LabelSource
from pipeline.seed_pool.label_by_vlm import prompt as label_prompt
from pipeline.seed_pool.taxonomy import load_taxonomy
from pipeline.synth.annotation import Asking
from pipeline.synth.guidance import load_guidance
from pipeline.synth.judging import JUDGES, Case, Judge, judges_of
from pipeline.synth.prompting import prompt
from pipeline.synth.task import Example, Given, Segment, Span, Subject, TaskSpec
from pipeline.synth.tasks import TASKS

ANSWERED = Example("What passes behind the lighthouse?", "A ferry", "A sailing boat")
NOWHERE = Path()  # no medium is opened
INTRODUCTION = """\
# Prompts

What a vision-language model is asked, for assets made up for this page. `synth prompts > docs/prompts.md` writes it
from the templates in `prompts/` and the default settings (a test compares them); with `--config` or `--set` it shows
the prompts of your own settings, and `synth show --task TASK ASSET` that of an asset of your pool.

Up to `This request:` a prompt is the same for all assets of a task, so an engine with a prefix cache computes that part
once. What strangers or other programs have said stands between `<<<DATA` and `DATA>>>`, as JSON in which `<`, `>`, `&`
and what cannot be seen are escaped: no file name, caption or description can end the block, or reach any other line.
The schema of the reply comes from the task and the settings alone.
"""
LEVERS = """\
## With every lever

`image_retrieval` with `synth.describe: once`, `synth.type_choice: assigned`, `synth.personas: personas.yaml` and
`synth.examples: examples.yaml` ([tasks.md](tasks.md)).
"""


def prompt_page(config: Config) -> str:
    """The page, Markdown. Raises ConfigError on settings of prompts that cannot be used."""
    sections = [INTRODUCTION, f"## label\n\n{_fenced(_label(config))}"]
    sections += [f"## {spec.name}\n\n{_fenced(_prompt(spec, config))}" for spec in TASKS.values()]
    sections += [f"## {j.template.removesuffix('.jinja')}\n\n{_fenced(_judged(j, config))}" for j in JUDGES]
    return "\n".join([*sections, LEVERS, _fenced(_with_every_lever(config))])


def _fenced(text: str) -> str:
    """A block of code that nothing in the text can end."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}text\n{text}{fence}\n"


def _label(config: Config) -> str:
    pool = config.seed_pool
    store = FrameStore(NOWHERE, NOWHERE, FrameSettings())
    source = LabelSource(store, load_taxonomy(pool.label.taxonomy), pool.label, config.synth.facts, config.seed)
    row = {"asset_id": "3f1c", "uri": IMAGE.uri, "media": IMAGE.medium, "start_s": None, "end_s": None}
    return label_prompt(row, IMAGE.segments[0].given.caption, source)


def _prompt(spec: TaskSpec, config: Config) -> str:
    guidance = load_guidance([spec], config.synth)[spec.name]
    what, times_s = FILM if spec.document == "moment" else EXAMPLES[spec.medium]
    return prompt(spec, what, config.synth.languages[0], Asking(config.synth, config.seed, guidance), times_s)


def _judged(judge: Judge, config: Config) -> str:
    """The prompt of a judge, for the first task that is put to it."""
    spec = next(s for s in TASKS.values() if judge in judges_of(s) and (s.query != "medium"))
    what, times_s = FILM if spec.document == "moment" else EXAMPLES[spec.medium]
    example = ANSWERED if spec.document == "text" else Example(query_text="a hand that taps bread and listens")
    case = Case(spec, what, what.segments[0].asset_id, next(iter(spec.task_types)), example, config.seed)
    return judge.prompt(case, times_s)


def _with_every_lever(config: Config) -> str:
    spec = TASKS["image_retrieval"]
    weights = {spec.name: {name: float(kind.abstract) for name, kind in spec.task_types.items()}}
    levers = {
        "describe": "once",
        "type_choice": "assigned",
        "type_weights": weights,
        "personas": "personas.yaml",
        "examples": "examples.yaml",
    }
    return _prompt(spec, config.model_copy(update={"synth": config.synth.model_copy(update=levers)}))


def _segment(
    asset_id: str,
    span: Span | None,
    category: str,
    description: str,
    caption: str | None = None,
    label: str | None = None,
) -> Segment:
    return Segment(asset_id, span, category, description, None, Given(caption, label))


IMAGE = Subject(
    "harbour/evening_03.jpg",
    "image",
    None,
    (
        _segment(
            "3f1c",
            None,
            "Man-made/architecture",
            "A white lighthouse with a red band stands at the end of a stone pier; two anglers sit below it, and a "
            "ferry passes in the background under a low sun.",
            "Evening at the harbour mouth",
            "lighthouse",
        ),
    ),
)
VIDEO = Subject(
    "kitchen/bread.mp4",
    "video",
    95.0,
    (
        _segment(
            "a07e",
            Span(12.4, 20.0),
            "Human-centric/daily activity",
            "Two hands fold a ball of dough on a floured board, press it flat and turn it, several times.",
            "How my grandmother bakes bread",
        ),
    ),
)
EXAMPLES: dict[Medium, tuple[Subject, list[tuple[float, ...]]]] = {
    "image": (IMAGE, [(0.0,)]),
    "video": (VIDEO, [(12.4, 13.4, 14.4, 15.4, 16.4, 17.4, 18.4, 19.4)]),
}
FILM = (
    Subject(
        VIDEO.uri,
        "video",
        95.0,
        (
            VIDEO.segments[0],
            _segment(
                "b113",
                Span(20.0, 23.2),
                "Human-centric/daily activity",
                "A loaf is slid into an oven with a wooden peel; the oven door closes.",
            ),
            _segment(
                "c5d8",
                Span(31.56, 35.0),
                "Human-centric/daily activity",
                "A brown loaf on a rack by a window; a hand knocks on its underside.",
            ),
        ),
    ),
    [EXAMPLES["video"][1][0], (20.0, 21.0, 22.0, 23.0), (31.6, 32.6, 33.6, 34.6)],
)
