from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import ModelError
from pipeline.models.builtin.onnx_cache import Export, cache_folder, cached, session


class Doubling(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * x


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SEEDMINE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_the_folder_is_the_users_cache_unless_the_environment_says_otherwise(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cache_folder() == cache
    monkeypatch.delenv("SEEDMINE_CACHE")
    assert cache_folder().name == "seedmine"


def test_a_file_is_made_once_and_again_when_damaged(cache: Path) -> None:
    made: list[Path] = []

    def make(path: Path) -> None:
        made.append(path)
        path.write_bytes(b"right")

    first = cached("thing-v1", ".bin", make)
    assert cached("thing-v1", ".bin", make) == first
    assert len(made) == 1
    first.write_bytes(b"wrong")
    assert cached("thing-v1", ".bin", make).read_bytes() == b"right"
    assert len(made) == 2
    assert [p.name for p in cache.iterdir()] == [first.name]


def test_a_failed_make_leaves_nothing_behind(cache: Path) -> None:
    def make(path: Path) -> None:
        path.write_bytes(b"half")
        raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        cached("thing-v1", ".bin", make)
    assert list(cache.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_a_model_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    monkeypatch.setenv("SEEDMINE_CACHE", str(blocker / "cache"))
    with pytest.raises(ModelError, match="set SEEDMINE_CACHE"):
        cached("thing-v1", ".bin", lambda path: path.touch())


@pytest.mark.usefixtures("cache")
def test_an_exported_network_runs_for_any_batch() -> None:
    export = Export(
        "doubling-v1",
        lambda: (Doubling().eval(), torch.ones(1, 3)),
        {"input": {0: "rows"}, "output": {0: "rows"}},
    )
    run = session(export, threads=1)
    for rows in (1, 4):
        values = np.arange(rows * 3, dtype=np.float32).reshape(rows, 3)
        assert np.array_equal(run.run(None, {"input": values})[0], 2 * values)
