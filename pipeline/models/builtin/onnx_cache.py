"""Exports a torch network to ONNX once a machine, and runs it in ONNX Runtime.

The cache folder is the user's cache, or `$SEEDMINE_CACHE`. A file's name ends in its own SHA-256,
so one rename publishes it whole and a damaged one is noticed and made again.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from pipeline.errors import ModelError
from pipeline.models.builtin.weights import sha256_of

if TYPE_CHECKING:
    import torch

OPSET = 17


@dataclass(frozen=True)
class Export:
    """What to export. `build` gives the network in eval mode and one example input.

    key names weights and code: equal keys mean equal networks. axes: the names of the
    dimensions of input and output that may change from call to call.
    """

    key: str
    build: Callable[[], tuple[torch.nn.Module, torch.Tensor]]
    axes: Mapping[str, Mapping[int, str]]


def cache_folder() -> Path:
    """Where what was made from weights is kept: `$SEEDMINE_CACHE`, else the user's cache folder."""
    chosen = os.environ.get("SEEDMINE_CACHE")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("seedmine"))


def cached(key: str, suffix: str, make: Callable[[Path], None]) -> Path:
    """The cached file of `key`, made by `make(path)` when there is none or it is damaged.

    Raises ModelError when the cache folder cannot be written.
    """
    folder = cache_folder()
    try:
        for path in sorted(folder.glob(f"{key}-*{suffix}")):
            if path.name == f"{key}-{sha256_of(path)}{suffix}":
                return path
            path.unlink(missing_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".making-", dir=folder) as temporary:
            made = Path(temporary) / f"made{suffix}"
            make(made)
            with made.open("rb") as file:
                os.fsync(file.fileno())
            path = folder / f"{key}-{sha256_of(made)}{suffix}"
            made.replace(path)
    except OSError as error:
        raise ModelError(
            f"cannot keep model files in {folder}: {error.strerror or error}; set SEEDMINE_CACHE to a writable folder"
        ) from error
    return path


def session(export: Export, threads: int) -> Any:
    """An `onnxruntime.InferenceSession` on the CPU with `threads` threads that sleep while idle.

    Raises ModelError when the export cannot be kept.
    """
    import onnxruntime

    path = cached(export.key, ".onnx", lambda made: _write(export, made))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # spinning starves other workers
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _write(export: Export, path: Path) -> None:
    import torch

    network, example = export.build()
    with warnings.catch_warnings():  # the exporter warns of its own age; equality with torch is tested
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (example,),
            path,
            dynamo=False,
            opset_version=OPSET,
            input_names=["input"],
            output_names=["output"],
            dynamic_axes={name: dict(axes) for name, axes in export.axes.items()},
        )
