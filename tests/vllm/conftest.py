"""Real engines on the CPU with tiny random checkpoints: `make test-vllm` runs these in an environment of their own."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from pipeline.config import EngineSettings, VlmEngineSettings, VlmSettings
from tests.models import tiny_qwen_vl

HERE = Path(__file__).parent
ON_CPU = {
    "device": "cpu", "dtype": "float32", "enforce_eager": True, "cpu_kv_cache_gib": 1, "max_num_seqs": 8,
    "max_model_len": 24_576,
}  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what stands here; without vLLM it is skipped."""
    missing = find_spec("vllm") is None
    for item in items:
        if HERE not in item.path.parents:
            continue
        item.add_marker(pytest.mark.vllm)
        item.add_marker(pytest.mark.timeout(900))
        item.add_marker(pytest.mark.filterwarnings("default"))  # vLLM's own
        if missing:
            item.add_marker(pytest.mark.skip(reason="vLLM is not installed here; make test-vllm has it"))


@pytest.fixture(autouse=True, scope="session")
def offline() -> Iterator[None]:
    """No hub is asked."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("HF_HUB_OFFLINE", "1")
        yield


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `embedding` (the tokenizer adds <|endoftext|>), and `bare` (same weights; it does not)."""
    folder = tmp_path_factory.mktemp("checkpoints")
    tiny_qwen_vl.save_qwen3_vl(folder / "embedding")
    tiny_qwen_vl.save_qwen3_vl(folder / "bare", appends_end=False)
    return folder


def engine(**changes: object) -> EngineSettings:
    return EngineSettings.model_validate({**ON_CPU, **changes})


def vlm_settings(folder: Path, **changes: object) -> VlmSettings:
    return VlmSettings(
        adapter="vllm",
        model=str(folder),
        engine=VlmEngineSettings.model_validate({**ON_CPU, "max_videos": 2}),
        **{"max_output_tokens": 2048, "threads": 2, "batch_size": 8, **changes},  # type: ignore[arg-type]
    )
