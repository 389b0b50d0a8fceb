"""What an asset is asked for: drawn by its id, so that neither order nor parallelism decides."""

from __future__ import annotations

import difflib
import hashlib
import math
from collections.abc import Mapping, Sequence

from pipeline.config import SynthSettings
from pipeline.errors import ConfigError
from pipeline.synth.task import TaskSpec


def drawn(weights: Mapping[str, float], *key: str) -> str:
    """One of the names of positive weight, always the same for a key; over many keys each by its share of the weights.

    A name that gains weight draws keys to itself and moves none between others: what was asked of an asset
    stays, and with it the reply.
    Raises ValueError when no weight is positive.
    Source: Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006.
    """

    def arrival(name: str) -> tuple[float, str]:
        digest = hashlib.sha256("\0".join([name, *key]).encode()).digest()
        wait = -math.log((int.from_bytes(digest[:8], "big") + 1) / 2**64)
        # In logarithms: a quotient by a tiny weight is infinite, and then all such names would tie.
        return (math.log(wait) if wait else -math.inf) - math.log(weights[name]), name

    return min((name for name, weight in weights.items() if weight > 0), key=arrival)


def assigned_type(spec: TaskSpec, asset_id: str, settings: SynthSettings, seed: int) -> str | None:
    """The task type that an asset is asked for, in every language; None where the VLM is free to choose."""
    if settings.type_choice == "free":
        return None
    return drawn(type_weights(spec, settings), spec.name, asset_id, str(seed))


def type_weights(spec: TaskSpec, settings: SynthSettings) -> dict[str, float]:
    """The weight of each of a task's types: 1 where the settings name no other."""
    return dict.fromkeys(spec.task_types, 1.0) | settings.type_weights.get(spec.name, {})


def check_type_weights(settings: SynthSettings, tasks: Mapping[str, TaskSpec]) -> None:
    """Raises ConfigError on a task or type that does not exist, and on a task of which no type is left."""
    for name, weights in settings.type_weights.items():
        where = f"synth.type_weights.{name}"
        if name not in tasks:
            raise ConfigError(f"{where}: there is no such task; did you mean {_nearest(name, list(tasks))!r}?")
        for kind in weights:
            if kind not in tasks[name].task_types:
                nearest = _nearest(kind, list(tasks[name].task_types))
                raise ConfigError(f"{where}: {kind!r} is no task type of it; did you mean {nearest!r}?")
        if not any(weight > 0 for weight in type_weights(tasks[name], settings).values()):
            raise ConfigError(f"{where}: every type has weight 0; give one of them more")


def persona(personas: Sequence[str], asset_id: str, seed: int) -> str | None:
    """Who asks for an asset; None without personas."""
    return drawn(dict.fromkeys(personas, 1.0), "persona", asset_id, str(seed)) if personas else None


def _nearest(name: str, names: Sequence[str]) -> str:
    return difflib.get_close_matches(name, names, n=1, cutoff=0.0)[0]
