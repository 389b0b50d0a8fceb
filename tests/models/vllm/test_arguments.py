"""What a vLLM engine is started with."""

from __future__ import annotations

from pathlib import Path

from pipeline.config import EngineSettings, VisualBudget, VlmEngineSettings
from pipeline.models.vllm.arguments import embedding_arguments, environment, reranking_arguments, vlm_arguments

FOLDER = Path("/models/x")


def test_replies_are_held_to_json_by_guidance_without_white_space() -> None:
    found = vlm_arguments(FOLDER, VlmEngineSettings(), VisualBudget())
    assert found["structured_outputs_config"] == {"backend": "guidance", "disable_any_whitespace": True}


def test_settings_reach_the_engine_under_its_own_names() -> None:
    settings = VlmEngineSettings(
        dtype="bfloat16", quantization="fp8", tensor_parallel_size=4, pipeline_parallel_size=2, max_model_len=8192,
        max_num_seqs=7, gpu_memory_utilization=0.5, enforce_eager=True, enable_prefix_caching=False,
    )  # fmt: skip
    found = vlm_arguments(FOLDER, settings, VisualBudget())
    said = settings.model_dump()
    for name in (
        "dtype", "quantization", "tensor_parallel_size", "pipeline_parallel_size", "max_model_len", "max_num_seqs",
        "gpu_memory_utilization", "enforce_eager", "enable_prefix_caching",
    ):  # fmt: skip
        assert found[name] == said[name]
    assert (found["model"], found["trust_remote_code"]) == ("/models/x", False)


def test_room_is_kept_for_what_the_budget_allows_and_no_more() -> None:
    budget = VisualBudget(max_image_tokens=1024, max_video_tokens=4500)
    made = vlm_arguments(FOLDER, VlmEngineSettings(max_images=3, max_videos=5), budget)
    assert made["limit_mm_per_prompt"] == {"image": 3, "video": 5}
    sizes = [made["mm_processor_kwargs"][kind]["size"]["longest_edge"] for kind in ("images_kwargs", "videos_kwargs")]
    assert sizes == [1024 * 32 * 32, 4500 * 2 * 32 * 32]


def test_processors_scale_nothing() -> None:
    for made in (vlm_arguments(FOLDER, VlmEngineSettings(), VisualBudget()),):
        assert made["mm_processor_kwargs"]["images_kwargs"]["do_resize"] is False
        assert made["mm_processor_kwargs"]["videos_kwargs"]["do_resize"] is False
        assert made["mm_processor_kwargs"]["videos_kwargs"]["do_sample_frames"] is False


def test_pooling_engines_read_one_item_or_a_pair() -> None:
    embedding = embedding_arguments(FOLDER, EngineSettings(), VisualBudget())
    reranking = reranking_arguments(FOLDER, EngineSettings(), VisualBudget())
    counts = [[made["limit_mm_per_prompt"][kind] for kind in ("image", "video")] for made in (embedding, reranking)]
    assert counts == [[1, 1], [2, 2]]
    assert embedding["runner"] == reranking["runner"] == "pooling"
    assert reranking["hf_overrides"]["classifier_from_token"] == ["no", "yes"]


def test_a_copy_on_the_cpu_keeps_to_its_threads_and_takes_no_gpu() -> None:
    settings = EngineSettings(device="cpu", cpu_kv_cache_gib=3)
    told = environment(settings, threads=2)
    assert (told["VLLM_CPU_KVCACHE_SPACE"], told["OMP_NUM_THREADS"]) == ("3", "2")
    assert settings.gpus == 0
    assert EngineSettings(tensor_parallel_size=4, pipeline_parallel_size=2).gpus == 8
    assert "OMP_NUM_THREADS" not in environment(EngineSettings(), threads=2)
