"""Builds `<out>/report.html`: one self-contained page, made from a run's files and nothing else.

No script, no request: styles and pictures are inside, and a content security policy lets the
page load nothing but those. All that comes from data is escaped (Jinja autoescape), with
control and direction-changing characters spelt out.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pipeline.atomic import replacing
from pipeline.config import Config
from pipeline.errors import DataError
from pipeline.report import overview, plots, reasons, text
from pipeline.report.mining import mine_views
from pipeline.report.pool import pool_view
from pipeline.report.tasks import task_views
from pipeline.report.thumbs import Thumbnails, frame_settings
from pipeline.store.shards import read_manifest

MAX_THUMBNAILS = 480
HERE = Path(__file__).parent

View = TypeVar("View")


def build_report(out: Path, config: Config) -> Path:
    """Write the page for the run in `out` and return its path; the old page stands until then.

    config: how pixels are sampled and cached, and the settings of steps that were not run yet;
    those of finished steps come from their manifests. The same files give the same bytes.
    A part whose files are damaged is shown as such. Raises OSError when the disk is full.
    """
    page = _render(out, config).encode()
    target = out / "report.html"
    with replacing(target, out / ".work") as temporary:
        temporary.write_bytes(page)
    return target


def _render(out: Path, config: Config) -> str:
    problems: list[str] = []
    manifest = _read(lambda: read_manifest(out / "seed_pool" / "assets"), problems)
    thumbs = Thumbnails(out, manifest, frame_settings(manifest, config.frames), MAX_THUMBNAILS)
    # Cards and examples come first: should the page be full of pictures, the grids do without.
    mined = _read(lambda: mine_views(out, thumbs), problems) or []
    tasks = _read(lambda: task_views(out, thumbs), problems) or []
    pool = _read(lambda: pool_view(out, thumbs), problems)
    style = (HERE / "page.css").read_text(encoding="utf-8")
    pictures = thumbs.css()
    return (
        _environment()
        .get_template("page.html.jinja")
        .render(
            policy=_policy([style, pictures]),
            style=Markup(style),  # noqa: S704 - our own file
            pictures=Markup(pictures),  # noqa: S704 - class numbers and base64
            problems=list(dict.fromkeys(problems)),
            pool=pool,
            tasks=tasks,
            mined=mined,
            not_mined=[t.name for t in tasks if t.name not in {m.name for m in mined}],
            figures=overview.figures(pool, tasks, mined),
            settings=overview.settings(config, [] if pool is None else [pool.manifest], [m.manifest for m in mined]),
            commands=overview.commands(out, config),
        )
    )


def _read(view: Callable[[], View], problems: list[str]) -> View | None:
    try:
        return view()
    except DataError as error:
        problems.append(str(error))
        return None


def _policy(styles: list[str]) -> str:
    """Nothing may load or run but pictures inside the page and exactly these styles."""
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in styles)
    return f"default-src 'none'; img-src data:; style-src {hashes}; base-uri 'none'; form-action 'none'"


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "name": text.visible,
        "prose": text.prose,
        "plain": text.plain,
        "count": text.count,
        "seconds": text.seconds,
        "reject_meaning": reasons.meaning_of_reject,
        "guard_meaning": reasons.meaning_of_guard,
        "stage_meaning": reasons.meaning_of_stage,
        "task_meaning": reasons.meaning_of_task,
    }
    environment.globals |= {"bar": plots.bar, "gauge": plots.gauge, "percent": text.percent}
    return environment
