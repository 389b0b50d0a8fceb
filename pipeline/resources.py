"""Where prompts and configs lie: inside an installed wheel, or at the top of a checkout."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal

Kind = Literal["prompts", "configs"]


def folder(kind: Kind) -> Traversable:
    """The folder of a kind of resource: `pipeline/_resources/<kind>` of a wheel, else the
    checkout's top-level folder. Raises FileNotFoundError when neither is there."""
    package = files("pipeline")
    packaged = package / "_resources" / kind
    if packaged.is_dir():
        return packaged
    checkout = Path(str(package)).parent / kind
    if checkout.is_dir():
        return checkout
    raise FileNotFoundError(f"neither {packaged} nor {checkout} exists; install seedmine again")


def read_text(kind: Kind, name: str) -> str:
    """The text of one resource. Raises FileNotFoundError naming those that exist.

    name: a bare file name; one with a path separator is not found.
    """
    known = names(kind)
    if name not in known:
        raise FileNotFoundError(f"no {name!r} in {kind}; there are {', '.join(known)}")
    return (folder(kind) / name).read_text(encoding="utf-8")


def read_config_text(name: str) -> str:
    """The text of a file of configs/."""
    return read_text("configs", name)


def read_prompt_text(name: str) -> str:
    """The text of a file of prompts/."""
    return read_text("prompts", name)


def names(kind: Kind) -> list[str]:
    """File names of a kind, sorted."""
    return sorted(entry.name for entry in folder(kind).iterdir() if entry.is_file())
