"""Weights for the TransNet V2 network, made on the spot: the published ones are not needed to test ours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from pipeline.media.transnetv2 import TransNetV2

State = dict[str, torch.Tensor]


def random_weights(seed: int) -> State:
    """Of a size that keeps values between 0 and 1 from layer to layer; by numpy, whose numbers stay the same."""
    rng = np.random.default_rng(seed)
    state: State = {}
    for name, like in shapes().items():
        if name.endswith(("running_var", "bn.weight")):
            values = rng.uniform(0.5, 1.5, like.shape)
        else:
            values = rng.normal(0, 1 / np.sqrt(max(1, like[0].numel() if like.ndim > 1 else 4)), like.shape)
        state[name] = torch.from_numpy(np.asarray(values)).to(like.dtype)
    return state


def colour_weights() -> State:
    """A network that sees colours alone: 1 / (1 + exp(20 s - 10)) where a histogram has cosine s with the next one."""
    state = {name: torch.zeros(like.shape, dtype=like.dtype) for name, like in shapes().items()}
    state["color_hist_layer.fc.weight"][0, 51] = -1  # 50 is the frame itself
    state["color_hist_layer.fc.bias"][0] = 1
    state["fc1.weight"][0, 0] = 1
    state["cls_layer1.weight"][0, 0] = 20
    state["cls_layer1.bias"][0] = -10
    return state


def shapes() -> State:
    with torch.device("meta"):
        return TransNetV2().state_dict()


def saved(state: State, path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path)
    return path
