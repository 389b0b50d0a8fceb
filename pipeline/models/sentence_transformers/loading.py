"""From a checkpoint to the modules that `qwen_vl` runs.

Neither its chat template nor what its tokenizer adds is used: prompts come from `qwen_vl.templates`.
No code of a checkpoint is run: trust_remote_code stays off.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.config import ModelSettings
from pipeline.errors import ModelError
from pipeline.models.qwen_vl.families import GME, Family, family_of
from pipeline.models.qwen_vl.plain import one_token
from pipeline.models.qwen_vl.templates import END_OF_TEXT, VERBATIM

OWN_WAY = "use template checkpoint to ask it as it describes itself"
_KEPT = {"Transformer", "Pooling", "Normalize"}  # the modules that the documented template has


@contextmanager
def loading(model: str) -> Iterator[None]:
    """What the libraries raise while they load becomes a ModelError that names the checkpoint."""
    try:
        yield
    except (OSError, ValueError, RuntimeError, KeyError, ImportError) as error:
        reason = " ".join(str(error).split())
        raise ModelError(f"sentence_transformers cannot load {model!r}: {reason}") from error


def stated_family(settings: ModelSettings) -> Family | None:
    """The family of the checkpoint that `settings` names; None where it is asked as it describes itself."""
    from transformers import PretrainedConfig

    with loading(settings.model):
        try:
            config, _ = PretrainedConfig.get_config_dict(settings.model, local_files_only=_local(settings.model))
        except OSError:  # a SentenceTransformer may keep its configs in folders; one that is not there fails next
            config = {}
        described = _modules(settings.model) is not None
    try:
        return family_of(config, settings.template, described)
    except ModelError as error:
        raise ModelError(f"{settings.model}: {error}") from None


def _local(model: str) -> bool:
    return Path(model).exists()


def _modules(model: str) -> list[dict[str, str]] | None:
    """What modules.json lists; None without one."""
    from sentence_transformers.util import load_file_path

    path = load_file_path(model, "modules.json", local_files_only=_local(model))
    if path is None:
        return None
    listed = json.loads(Path(path).read_text(encoding="utf-8"))
    if not isinstance(listed, list) or not all(isinstance(module, dict) for module in listed):
        raise ModelError(f"{model}: modules.json is not a list of objects")
    return listed


def stated_pooling(model: str, dim: int, family: Family) -> Any:
    """How the checkpoint says that its tokens become a vector; a bare one is read at its last token.

    GME's modules.json names code of its own, which is not run, and says nothing else.
    """
    from sentence_transformers.sentence_transformer.modules import Pooling

    stated = None if family is GME else _modules(model)
    if stated is None:
        return Pooling(dim, pooling_mode="lasttoken")
    kinds = [module["type"].rpartition(".")[2] for module in stated]
    if set(kinds) - _KEPT or not all(module["type"].startswith("sentence_transformers.") for module in stated):
        raise ModelError(
            f"{model}: its modules.json lists {', '.join(kinds)}; the documented template has Transformer, Pooling and "
            f"Normalize; {OWN_WAY}"
        )
    where = [module["path"] for module, kind in zip(stated, kinds, strict=True) if kind == "Pooling"]
    if not where:
        return Pooling(dim, pooling_mode="lasttoken")
    return Pooling.load(model, subfolder=where[0], local_files_only=_local(model))


def load_transformer(model: str, task: str) -> Any:
    """The checkpoint's network and processor, with our template. Raises ModelError when weights are missing."""
    from sentence_transformers.base.modules import Transformer

    class Complete(Transformer):
        """A Transformer that takes no random numbers for weights that a checkpoint lacks."""

        def _load_model(self, *given: Any, **options: Any) -> Any:
            both: Any = super()._load_model(*given, output_loading_info=True, **options)
            network, report = both
            if missing := sorted(report["missing_keys"]):
                raise ModelError(f"{model} lacks {len(missing)} of its model's weights, e.g. {missing[0]}")
            return network

    options = {"local_files_only": _local(model), "trust_remote_code": False}
    loaded = Complete(
        model,
        transformer_task=task,
        model_kwargs=dict(options),
        processor_kwargs={**options, "chat_template": VERBATIM},
        config_kwargs=dict(options),
        processing_kwargs={
            # The template holds its special tokens, and contents are cut and scaled before they come here.
            "text": {"add_special_tokens": False, "truncation": False},
            "image": {"do_resize": False},
            "video": {"do_resize": False, "do_sample_frames": False},
        },
        unpad_inputs=False,
    )
    loaded.processor.chat_template = VERBATIM  # also where the checkpoint has several
    for word in (END_OF_TEXT, "<|im_start|>", "<|im_end|>"):
        one_token(loaded.tokenizer, word)
    if hasattr(loaded.processor.video_processor, "cap_pixels_per_frame"):
        loaded.processor.video_processor.cap_pixels_per_frame = True  # unset, it warns of another default to come
    return loaded
