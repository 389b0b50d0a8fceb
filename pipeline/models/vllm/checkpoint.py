"""Where a checkpoint lies and what names its contents, told without loading it."""

from __future__ import annotations

import hashlib
import json
import re
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.errors import ModelError

# What an engine reads: weights, configs, tokenizer. No code, and no weights in pickles.
_READ = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CHUNK = 1 << 24
_READERS = 8


def folder_of(model: str) -> Path:
    """The folder of a checkpoint: `model` itself, or what a hub has under that name, fetched where it is missing.

    Raises ModelError when there is none.
    """
    if Path(model).is_dir():
        return Path(model)
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(model, allow_patterns=list(_READ)))
    except (OSError, ValueError) as error:
        raise ModelError(f"vllm finds no checkpoint {model!r}: {' '.join(str(error).split())}") from error


def config_of(folder: Path) -> dict[str, Any]:
    """Its config.json. Raises ModelError when that is missing or no JSON object."""
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder} is no checkpoint: config.json: {error}") from error
    if not isinstance(found, dict):
        raise ModelError(f"{folder} is no checkpoint: config.json holds no object")
    return found


@cache
def checkpoint_hash(folder: Path) -> str:
    """Hex hash, 16 digits, of the names and bytes of all files that an engine reads; made once a process.

    A hub's cache names large files by their SHA-256, and these are not read again. Raises ModelError where a folder has
    no weights as safetensors.
    """
    paths = sorted({path for pattern in _READ for path in folder.glob(pattern)})
    if not any(path.suffix == ".safetensors" for path in paths):
        raise ModelError(f"{folder} holds no weights as *.safetensors")
    with ThreadPoolExecutor(_READERS) as readers:
        hashes = list(readers.map(_hash, paths))
    said = json.dumps([[path.name, digest] for path, digest in zip(paths, hashes, strict=True)])
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _hash(path: Path) -> str:
    blob = path.resolve().name
    if path.is_symlink() and _SHA256.fullmatch(blob):
        return blob
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
