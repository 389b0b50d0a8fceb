from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pipeline.errors import ModelError
from pipeline.models.builtin.classifier import WEIGHTS
from pipeline.models.builtin.sentences import PACKAGE, TOKENIZER_SHA256, WEIGHTS_SHA256
from pipeline.models.builtin.weights import packaged, verified


def test_packaged_weights_are_the_pinned_ones() -> None:
    for weights in WEIGHTS.values():
        verified(packaged(weights.package, weights.file), weights.sha256)
    verified(packaged(PACKAGE, "model/model.safetensors"), WEIGHTS_SHA256)
    verified(packaged(PACKAGE, "model/tokenizer.json"), TOKENIZER_SHA256)


def test_one_changed_byte_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(b"weights")
    good = hashlib.sha256(b"weights").hexdigest()
    assert verified(path, good) == path
    path.write_bytes(b"weighty")
    with pytest.raises(ModelError, match=f"not {good}"):
        verified(path, good)


def test_a_missing_file_or_package_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="make setup"):
        verified(tmp_path / "none.pth", "00")
    with pytest.raises(ModelError, match="no-such-weights is not installed"):
        packaged("no_such_weights", "x")
