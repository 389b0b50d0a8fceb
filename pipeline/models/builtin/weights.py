"""Finds weights that come as packages, and proves that they are the ones we know."""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

from pipeline.errors import ModelError

_BLOCK_BYTES = 1 << 20


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file. Raises OSError when it cannot be read."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def packaged(package: str, relative: str) -> Path:
    """The path of a file inside an installed package, which is not imported.

    Raises ModelError when the package is not installed.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(f"package {package.replace('_', '-')} is not installed; run `make setup`")
    return Path(spec.submodule_search_locations[0]) / relative


def verified(path: Path, sha256: str) -> Path:
    """`path`, whose bytes hash to `sha256`. Raises ModelError when the file is missing or differs."""
    try:
        found = sha256_of(path)
    except OSError as error:
        raise ModelError(f"cannot read weights {path}: {error.strerror}; run `make setup`") from error
    if found != sha256:
        raise ModelError(f"weights {path} have SHA-256 {found}, not {sha256}; reinstall the package that holds them")
    return path
