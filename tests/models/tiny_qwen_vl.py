"""Random Qwen3-VL and GME checkpoints of half a million parameters, saved as folders that the adapters load.

Their tokenizer knows Qwen's special tokens and single bytes; weights are large enough that every token and position
shows in the result.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen2VLImageProcessor,
    Qwen2VLProcessor,
    Qwen2VLVideoProcessor,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
)

DIM = 64
END = "<|endoftext|>"
SPECIAL = [
    END, "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
    "<|image_pad|>", "<|video_pad|>",
]  # fmt: skip
TEXT = {
    "hidden_size": DIM, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 32768, "tie_word_embeddings": True,
    "bos_token_id": None, "eos_token_id": None,
}  # fmt: skip
NORMAL = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}


def tokenizer(appends_end: bool) -> PreTrainedTokenizerFast:
    """A byte-level tokenizer in which `yes` and `no` are tokens, with or without a post-processor that adds END."""
    built = Tokenizer(models.BPE())
    built.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    built.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    built.train_from_iterator(["yes", "no", "system", "user", "assistant"] * 50, trainer)
    built.add_special_tokens(SPECIAL)
    if appends_end:
        end = built.token_to_id(END)
        built.post_processor = processors.TemplateProcessing(single=f"$A {END}", special_tokens=[(END, end)])
    named = {"eos_token": "<|im_end|>", "pad_token": END, "extra_special_tokens": SPECIAL}
    return PreTrainedTokenizerFast(tokenizer_object=built, model_max_length=32768, **named)


def _ids(words: PreTrainedTokenizerFast) -> dict[str, int]:
    names = {f"{name}_token_id": f"<|{name}|>" for name in ("vision_start", "vision_end")}
    names |= {"image_token_id": "<|image_pad|>", "video_token_id": "<|video_pad|>"}
    return {key: words.convert_tokens_to_ids(token) for key, token in names.items()}


def _save(network: PreTrainedModel, processor: Any, folder: Path, seed: int) -> Path:
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, weights in network.named_parameters():
            if weights.ndim > 1:
                torch.nn.init.normal_(weights, std=0.15)
            elif name.endswith("bias"):
                torch.nn.init.normal_(weights, std=0.05)
    network.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def save_qwen3_vl(folder: Path, seed: int = 0, appends_end: bool = True, dtype: torch.dtype = torch.float32) -> Path:
    """A bare checkpoint as Qwen3-VL-Embedding (`appends_end`) or Qwen3-VL-Reranker comes, but with a chat template that
    nobody should use."""
    words = tokenizer(appends_end)
    patches = {"patch_size": 16, "temporal_patch_size": 2, "merge_size": 2, **NORMAL}
    processor = Qwen3VLProcessor(
        Qwen2VLImageProcessor(**patches), words, Qwen3VLVideoProcessor(**patches), chat_template="{{ 'nonsense' }}"
    )
    rope = {"rope_type": "default", "rope_theta": 5e6, "mrope_section": [6, 5, 5], "mrope_interleaved": True}
    config = Qwen3VLConfig(
        text_config={**TEXT, "vocab_size": len(words), "head_dim": 32, "rope_parameters": rope},
        vision_config={
            "depth": 2, "hidden_size": 64, "intermediate_size": 128, "num_heads": 2, "patch_size": 16,
            "out_hidden_size": DIM, "num_position_embeddings": 64, "deepstack_visual_indexes": [0],
        },
        tie_word_embeddings=True,
        **_ids(words),
    )  # fmt: skip
    return _save(Qwen3VLForConditionalGeneration(config).to(dtype).eval(), processor, folder, seed)


def save_gme(folder: Path, seed: int = 0) -> Path:
    """A checkpoint as GME is published: a Qwen2-VL whose configs name code of its own, here code that fails."""
    words = tokenizer(appends_end=False)
    processor = Qwen2VLProcessor(Qwen2VLImageProcessor(**NORMAL), words, Qwen2VLVideoProcessor(**NORMAL))
    rope = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [2, 3, 3]}
    config = Qwen2VLConfig(
        text_config={**TEXT, "vocab_size": len(words), "rope_parameters": rope},
        vision_config={"depth": 2, "embed_dim": 64, "hidden_size": DIM, "num_heads": 2, "mlp_ratio": 2},
        tie_word_embeddings=True,
        **_ids(words),
    )
    _save(Qwen2VLForConditionalGeneration(config).eval(), processor, folder, seed)
    path = folder / "config.json"
    named = {**json.loads(path.read_text()), "auto_map": {"AutoModel": "modeling_gme_qwen2vl.GmeQwen2VL"}}
    path.write_text(json.dumps(named))
    for name in ("modeling_gme_qwen2vl.py", "custom_st.py"):
        (folder / name).write_text("raise SystemExit('code of a checkpoint was run')\n")
    (folder / "modules.json").write_text(
        json.dumps([{"idx": 0, "name": "0", "path": "", "type": "custom_st.MultiModalTransformer"}])
    )
    return folder
