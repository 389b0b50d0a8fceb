"""Settings from a YAML file and `--set key=value`, and the files that settings name."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from pipeline.config import Config
from pipeline.errors import ConfigError
from pipeline.resources import read_config_text


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
        # Settings that contradict each other are named in the message; all of their group would only hide it.
        said = first["msg"].removeprefix("Value error, ")
        where = key if isinstance(first["input"], dict) else f"{key} is {first['input']!r}"
        raise ConfigError(f"{where} in {origin}: {said}".removeprefix(" in ")) from error


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


class _NoKeyTwice(yaml.SafeLoader):
    """YAML keeps the last of two equal keys without a word; here the second is an error."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key!r} stands twice", key_node.start_mark)
            seen.add(key if isinstance(key, str) else id(key_node))
        return super().construct_mapping(node, deep)


def read_mapping(name: str, setting: str) -> dict[str, Any]:
    """What a YAML file that a setting names holds: a path, or a file of configs/.

    Raises ConfigError naming setting or file; also where a key stands twice.
    """
    path = Path(name)
    try:
        text = path.read_text(encoding="utf-8") if path.is_file() else read_config_text(name)
        data = yaml.load(text, Loader=_NoKeyTwice)  # noqa: S506 -- a subclass of SafeLoader
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{setting}: cannot read {name}: {error}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{name} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{name} holds a {type(data).__name__}, not keys with values ({setting})")
    return data
