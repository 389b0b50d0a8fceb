"""Weights of torch networks: read from a file without running code, and named by a hash of their tensors."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import ModelError

if TYPE_CHECKING:
    import torch


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a file by name: safetensors, or a torch state dict.

    Raises ModelError when the file cannot be read, or holds anything but tensors.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        held = dict(torch.load(path, map_location="cpu", weights_only=True))
    except (
        OSError, EOFError, RuntimeError, ValueError, TypeError, LookupError, AttributeError, pickle.UnpicklingError,
        SafetensorError,
    ) as error:  # fmt: skip
        raise ModelError(f"cannot read the weights {path}: {' '.join(str(error).split())[:300]}") from error
    others = sorted(str(name) for name, value in held.items() if not isinstance(value, torch.Tensor))
    if others:
        raise ModelError(f"{path} holds {', '.join(others[:5])} beside tensors; give the state dict itself")
    return {name: value.detach() for name, value in held.items()}


def weights_hash(network: torch.nn.Module) -> str:
    """Hex hash, 16 digits, of the names, types, shapes and bytes of all parameters and buffers."""
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b"")
    return digest.hexdigest()[:16]


def device() -> str:
    """`cuda` where torch sees a GPU, else `cpu`."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
