"""A random open_clip model, a few thousand parameters, saved as a folder that the adapter loads."""

from __future__ import annotations

import json
from pathlib import Path

import torch

CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 1, "layers": 1},
}


def save(folder: Path, seed: int) -> Path:
    from open_clip.model import CLIP

    torch.manual_seed(seed)
    model = CLIP(**CONFIG)  # type: ignore[arg-type]
    folder.mkdir(parents=True)
    preprocess = {"mean": [0.5] * 3, "std": [0.5] * 3}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": CONFIG, "preprocess_cfg": preprocess}))
    torch.save(model.state_dict(), folder / "open_clip_pytorch_model.bin")
    return folder
