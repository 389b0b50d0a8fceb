"""Settings from a YAML file and `--set key=value`: the defaults with what these say in their place."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from pipeline.config import Config
from pipeline.errors import ConfigError


def _nearest(key: str, location: tuple[str | int, ...], model: type[BaseModel]) -> str:
    """The valid dotted key that `key` at `location` most likely meant."""
    inner: Any = model
    for part in location[:-1]:
        known = _model_in(inner)
        # Below a list stand its entries; below a mapping names of the user's own, then what the mapping holds.
        below = get_args(inner)[0 if isinstance(part, int) else -1] if known is None else None
        inner = below or (known.model_fields[str(part)].annotation if known else None)
    known = _model_in(inner) or model
    close = difflib.get_close_matches(key, list(known.model_fields), n=1, cutoff=0.0)
    return ".".join([*map(str, location[:-1]), close[0]])


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The settings that an annotation stands for, also where they may be None."""
    choices = [annotation, *(get_args(annotation) if type(None) in get_args(annotation) else ())]
    return next((c for c in choices if isinstance(c, type) and issubclass(c, BaseModel)), None)


def parse_config(data: dict[str, Any], origin: str) -> Config:
    """Validate `data`. Raises ConfigError naming `origin`, the key, its value and the fix."""
    try:
        return Config.model_validate(_over(Config().model_dump(), data))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            nearest = _nearest(str(first["loc"][-1]), first["loc"], Config)
            raise ConfigError(f"unknown setting {key!r} in {origin}; did you mean {nearest!r}?") from error
        raise ConfigError(f"{key} is {first['input']!r} in {origin}: {first['msg']}") from error


def _over(defaults: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    """`defaults` with what `data` says in their place, group by group."""
    merged = dict(defaults)
    for key, value in data.items():
        inner = defaults.get(key)
        merged[key] = _over(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return merged


def _set(data: dict[str, Any], assignment: str) -> None:
    key, equals, value = assignment.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {assignment!r} is not of the form key=value, e.g. mine.top_k=50")
    *parents, last = key.split(".")
    for parent in parents:
        data = data.setdefault(parent, {})
        if not isinstance(data, dict):
            raise ConfigError(f"--set {key}: {parent!r} is a value, not a group of settings")
    try:
        data[last] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {key}: {value!r} is not a YAML value") from error


def load_config(path: Path | None, assignments: list[str] | None = None) -> Config:
    """Read a YAML file (none: the defaults) and apply `key=value` assignments over it."""
    data: dict[str, Any] = {}
    if path is not None:
        try:
            loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"cannot read config {path}: {error.strerror}") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
        if loaded is not None and not isinstance(loaded, dict):
            raise ConfigError(f"{path} holds a {type(loaded).__name__}, not settings such as 'mine: {{top_k: 50}}'")
        data = loaded or {}
    told = parse_config(data, str(path) if path is not None else "the defaults")
    for assignment in assignments or []:
        _set(data, assignment)
    return parse_config(data, "--set") if assignments else told
