"""Tiny checkpoints, made once a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.models import tiny_qwen_vl


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `embedding` (the tokenizer adds <|endoftext|>), `bare` (same weights; it does not) and `gme`."""
    folder = tmp_path_factory.mktemp("qwen_vl")
    tiny_qwen_vl.save_qwen3_vl(folder / "embedding")
    tiny_qwen_vl.save_qwen3_vl(folder / "bare", appends_end=False)
    tiny_qwen_vl.save_gme(folder / "gme")
    return folder
