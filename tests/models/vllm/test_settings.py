"""What may be set, and that the page on it is complete."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.config import ENGINE_RUN_ONLY, RUN_ONLY, Config, RunnerSettings, VlmEngineSettings, VlmSettings
from pipeline.config_file import load_config
from pipeline.errors import UsageError
from pipeline.runners.ray import RayRunner
from pipeline.stage import ModelRef, Stage, numbered
from tests.runners.steps import Silent

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(("name", "gpus", "copies"), [("gpu", 4, 2), ("cluster", 4, 8)])
def test_the_shipped_examples_run_several_copies_on_several_gpus_each(name: str, gpus: int, copies: int) -> None:
    config = load_config(ROOT / f"configs/{name}.yaml")
    model = ModelRef("vlm", config.annotator)
    assert (config.vlm.adapter, model.gpus, model.copies) == ("vllm", gpus, copies)
    assert ModelRef("embedder", config.embedder).copies == copies * gpus
    assert config.vlm.engine.guidance == "guidance"


def test_a_copy_works_on_as_many_batches_as_keep_its_places_filled() -> None:
    vlm = VlmSettings(adapter="vllm", batch_size=32, engine=VlmEngineSettings(max_num_seqs=128))
    assert (vlm.places, ModelRef("vlm", vlm).calls) == (160, 6)
    local = Config(vlm=vlm, runner=RunnerSettings(kind="local"))
    assert local.annotator.batch_size == 160  # one call at a time


def test_other_models_take_no_gpu_of_their_own_and_a_copy_a_worker() -> None:
    for vlm in (VlmSettings(), VlmSettings(adapter="fake"), VlmSettings(adapter="vllm", engine=cpu())):
        assert ModelRef("vlm", vlm).gpus == 0
    assert ModelRef("vlm", VlmSettings(adapter="fake")).copies is None


def cpu() -> VlmEngineSettings:
    return VlmEngineSettings(device="cpu")


def test_what_changes_no_row_is_left_out_of_what_names_a_run() -> None:
    assert set(RUN_ONLY["vlm"]["engine"]) == set(ENGINE_RUN_ONLY)
    assert not {"dtype", "quantization", "max_model_len", "top_k", "guidance"} & set(ENGINE_RUN_ONLY)


def test_the_page_names_every_setting_and_marks_those_that_change_no_row() -> None:
    page = (ROOT / "docs/vlm.md").read_text(encoding="utf-8")
    for name in VlmEngineSettings.model_fields:
        mark = " *" if name in ENGINE_RUN_ONLY else ""
        assert f"| `{name}`{mark} |" in page


@pytest.mark.slow
def test_more_gpus_than_there_are_is_an_error_and_no_endless_wait() -> None:
    import ray

    vlm = VlmSettings(adapter="vllm", engine=VlmEngineSettings(tensor_parallel_size=64, replicas=3))
    stage = Stage("ask", lambda table, _settings, _model: table, None, ("a",), pa.schema([]), ModelRef("vlm", vlm))
    try:
        with pytest.raises(UsageError, match=r"want 192 GPUs \(3 x 64 for the vlm\) and Ray has \d+; lower engine"):
            list(RayRunner(RunnerSettings(workers=1)).map([stage], numbered(pa.table({"a": [1]})), Silent()))
    finally:
        ray.shutdown()
