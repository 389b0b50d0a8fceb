"""The options every command takes, written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

OutOption = Annotated[Path, typer.Option("--out", help="Folder all three commands read and write.", show_default=True)]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="YAML file of settings; none uses the embedded models (configs/laptop.yaml)."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one setting, e.g. --set mine.top_k=50. Repeatable."),
]
OverwriteOption = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Make it again from the start; the default goes on where a run stopped. Replies of a VLM and vectors that "
        "are cached serve again: a VLM is asked anew after `synth cache --prune`.",
    ),
]
RunnerOption = Annotated[
    str | None, typer.Option("--runner", help="ray, or local: a plain loop for debugging. Same rows either way.")
]
DEFAULT_OUT = Path("data")
MediaRootOption = Annotated[
    str | None,
    typer.Option("--media-root", help="The folder or URL where the media lie now, if they moved since."),
]
LanguageOption = Annotated[
    str | None,
    typer.Option("--language", help="Languages to write in, ISO 639-1, e.g. zh,en: one sub-dataset each."),
]
