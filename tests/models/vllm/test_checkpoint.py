"""A checkpoint is named by the bytes that an engine reads."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pipeline.errors import ModelError
from pipeline.models.vllm.checkpoint import checkpoint_hash, config_of, folder_of


def checkpoint(folder: Path, weights: bytes = b"weights", **more: str) -> Path:
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(weights)
    for name, text in {"config.json": "{}", **more}.items():
        (folder / name).write_text(text)
    return folder


def test_equal_bytes_have_one_name_wherever_they_lie(tmp_path: Path) -> None:
    one, other = checkpoint(tmp_path / "a"), checkpoint(tmp_path / "b")
    assert checkpoint_hash(one) == checkpoint_hash(other)


def test_weights_config_and_tokenizer_each_count_and_what_is_not_read_does_not(tmp_path: Path) -> None:
    found = [
        checkpoint_hash(checkpoint(tmp_path / "a")),
        checkpoint_hash(checkpoint(tmp_path / "b", b"others")),
        checkpoint_hash(checkpoint(tmp_path / "c", **{"config.json": '{"a": 1}'})),
        checkpoint_hash(checkpoint(tmp_path / "d", **{"tokenizer.json": "{}"})),
    ]
    assert len(set(found)) == 4
    assert checkpoint_hash(checkpoint(tmp_path / "e", **{"README.md": "hello"})) == found[0]


def test_a_file_that_a_hub_has_named_by_its_hash_is_not_read_again(tmp_path: Path) -> None:
    plain = checkpoint(tmp_path / "plain")
    cached = checkpoint(tmp_path / "cached")
    blob = tmp_path / hashlib.sha256(b"weights").hexdigest()
    blob.write_bytes(b"not read")
    (cached / "model.safetensors").unlink()
    (cached / "model.safetensors").symlink_to(blob)
    assert checkpoint_hash(cached) == checkpoint_hash(plain)


def test_a_folder_without_safetensors_or_config_is_a_model_error(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"a pickle")
    with pytest.raises(ModelError, match=r"no weights as \*.safetensors"):
        checkpoint_hash(tmp_path)
    with pytest.raises(ModelError, match=r"config\.json"):
        config_of(tmp_path)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(ModelError, match="holds no object"):
        config_of(tmp_path)


def test_a_name_that_no_hub_could_have_is_a_model_error() -> None:
    with pytest.raises(ModelError, match="vllm finds no checkpoint '/no/such/folder'"):
        folder_of("/no/such/folder")
