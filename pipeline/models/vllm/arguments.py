"""From settings to the arguments of a vLLM engine: pure, tested without vLLM."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.config import EngineSettings, VisualBudget, VlmEngineSettings
from pipeline.models.visual_tokens import FRAMES_A_TOKEN, TOKEN_PX

Arguments = dict[str, Any]
_SMALLEST_PX = 4 * TOKEN_PX**2


def engine_arguments(
    folder: Path, settings: EngineSettings, budget: VisualBudget, most: Mapping[str, int]
) -> Arguments:
    """What every engine of ours is started with.

    most: images and videos of a prompt at most, by `image` and `video`. Pixels come in the size in which the model
    reads them (`qwen_vl.budget`): a processor scales nothing, and learns the largest size only to keep room for it.
    """
    area = TOKEN_PX**2
    image_size = {"shortest_edge": _SMALLEST_PX, "longest_edge": budget.max_image_tokens * area}
    video_size = {"shortest_edge": _SMALLEST_PX, "longest_edge": budget.max_video_tokens * FRAMES_A_TOKEN * area}
    return {
        "model": str(folder),
        "dtype": settings.dtype,
        "quantization": settings.quantization,
        "tensor_parallel_size": settings.tensor_parallel_size,
        "pipeline_parallel_size": settings.pipeline_parallel_size,
        "max_model_len": settings.max_model_len,
        "max_num_seqs": settings.max_num_seqs,
        "gpu_memory_utilization": settings.gpu_memory_utilization,
        "enforce_eager": settings.enforce_eager,
        "enable_prefix_caching": settings.enable_prefix_caching,
        "limit_mm_per_prompt": dict(most),
        "mm_processor_kwargs": {
            "images_kwargs": {"do_resize": False, "size": image_size},
            "videos_kwargs": {"do_resize": False, "do_sample_frames": False, "size": video_size},
        },
        "trust_remote_code": False,
        "disable_log_stats": True,
        # One process computes where nothing is shared; on the CPU vLLM would start a second.
        "distributed_executor_backend": "uni" if settings.gpus <= 1 else "mp",
    }


def vlm_arguments(folder: Path, settings: VlmEngineSettings, budget: VisualBudget) -> Arguments:
    """Of an engine that writes."""
    # On a CPU a request with a seed ends the engine when its prompt is read in parts (vLLM 0.32: torch's generator has
    # no offset there), so prompts are read whole.
    whole = {"enable_chunked_prefill": False, "max_num_batched_tokens": settings.max_model_len}
    return {
        **engine_arguments(folder, settings, budget, {"image": settings.max_images, "video": settings.max_videos}),
        **(whole if settings.device == "cpu" else {}),
        # White space between keys is noise that a random or unsure model may write without end.
        "structured_outputs_config": {"backend": settings.guidance, "disable_any_whitespace": True},
    }


def embedding_arguments(folder: Path, settings: EngineSettings, budget: VisualBudget) -> Arguments:
    """Of an engine that gives vectors: the last hidden state of the last token, at length 1."""
    pooler = {"seq_pooling_type": "LAST", "use_activation": True}
    return {
        **engine_arguments(folder, settings, budget, {"image": 1, "video": 1}),
        "runner": "pooling",
        "convert": "embed",
        "pooler_config": pooler,
    }


def reranking_arguments(folder: Path, settings: EngineSettings, budget: VisualBudget) -> Arguments:
    """Of an engine that gives logit(yes) - logit(no) of the token that follows a prompt."""
    return {
        **engine_arguments(folder, settings, budget, {"image": 2, "video": 2}),
        "runner": "pooling",
        "hf_overrides": {
            "architectures": ["Qwen3VLForSequenceClassification"],
            "classifier_from_token": ["no", "yes"],
            "is_original_qwen3_reranker": True,
        },
    }


def environment(settings: EngineSettings, threads: int) -> dict[str, str]:
    """Variables that an engine is told by, of the process that starts it."""
    said = {"VLLM_LOGGING_LEVEL": "WARNING", "VLLM_NO_USAGE_STATS": "1", "VLLM_WORKER_MULTIPROC_METHOD": "spawn"}
    if settings.device == "gpu":
        return said
    # Unbound: Ray's workers, and other engines, share the cores.
    on_cpu = {"VLLM_CPU_KVCACHE_SPACE": str(settings.cpu_kv_cache_gib), "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    return {**said, **on_cpu, "OMP_NUM_THREADS": str(threads)}
