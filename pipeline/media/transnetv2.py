"""TransNet V2: how likely each frame of a video is to be the last of its shot.

Souček and Lokoč, "TransNet V2: an effective deep network architecture for fast shot transition
detection" (arXiv 2008.04838). Inference alone, on one core, in float32. Modules bear the names and
shapes of the published weights, so that those load as they are. The decoding process imports this
file, and torch with it, only where the settings ask for this detector.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize, pad, relu

from pipeline.config import SceneSettings
from pipeline.errors import ModelError
from pipeline.media.places import identity
from pipeline.media.shots import HEIGHT_PX, WIDTH_PX
from pipeline.models.torch_weights import read_state_dict, weights_hash

_DILATIONS = (1, 2, 4, 8)  # frames, of the four branches of a cell
_FILTERS = (16, 32, 64)  # a branch, of each block
_SPREAD = 1e-3  # added to a batch norm's variance, as in training
_REACH = 50  # frames before and after that a frame is compared with
_COMPARED = 128  # values made of these comparisons
_COLOURS = 512  # bins of a histogram: 8 a channel


class _Separable(nn.Module):
    """A 3 x 3 x 3 convolution in two: 3 x 3 within a frame, then 3 along time."""

    def __init__(self, channels: int, filters: int, dilation: int) -> None:
        super().__init__()
        within = nn.Conv3d(channels, 2 * filters, (1, 3, 3), padding=(0, 1, 1), bias=False)
        along = nn.Conv3d(2 * filters, filters, (3, 1, 1), 1, (dilation, 0, 0), (dilation, 1, 1), bias=False)
        self.layers = nn.Sequential(within, along)

    def forward(self, x: Tensor) -> Tensor:
        convolved: Tensor = self.layers(x)
        return convolved


class _Cell(nn.Module):
    """Four convolutions side by side that look 1, 2, 4 and 8 frames away, normalised together."""

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        for dilation in _DILATIONS:
            self.add_module(f"Conv3D_{dilation}", _Separable(channels, filters, dilation))
        self.bn = nn.BatchNorm3d(len(_DILATIONS) * filters, eps=_SPREAD)

    def forward(self, x: Tensor) -> Tensor:
        branches = [self.get_submodule(f"Conv3D_{dilation}")(x) for dilation in _DILATIONS]
        normalised: Tensor = self.bn(torch.cat(branches, dim=1))
        return normalised


class _Block(nn.Module):
    """Two cells, the second added to the first, and half the height and width."""

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        self.DDCNN = nn.ModuleList([_Cell(channels, filters), _Cell(len(_DILATIONS) * filters, filters)])
        self.pool = nn.AvgPool3d((1, 2, 2))

    def forward(self, x: Tensor) -> Tensor:
        first = relu(self.DDCNN[0](x))
        halved: Tensor = self.pool(first + relu(self.DDCNN[1](first)))
        return halved


def _beside(vectors: Tensor) -> Tensor:
    """Cosine of each frame's vector with those of the frames around it; 0 beyond the window.

    vectors: [N, T, D]. Returns [N, T, 101]: from 50 frames before to 50 after.
    """
    unit = normalize(vectors, dim=2)
    cosines = pad(unit @ unit.transpose(1, 2), (_REACH, _REACH))
    count, length = vectors.shape[:2]
    columns = torch.arange(length)[:, None] + torch.arange(2 * _REACH + 1)
    return cosines.gather(2, columns.expand(count, -1, -1))


class _FrameSimilarity(nn.Module):
    """How much a frame's features are like those of the frames around it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.projection = nn.Linear(channels, _COMPARED)
        self.fc = nn.Linear(2 * _REACH + 1, _COMPARED)

    def forward(self, blocks: list[Tensor]) -> Tensor:
        means = torch.cat([block.mean(dim=(3, 4)) for block in blocks], dim=1)
        return relu(self.fc(_beside(self.projection(means.transpose(1, 2)))))


class _ColorHistograms(nn.Module):
    """How much a frame's colours are like those of the frames around it."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(2 * _REACH + 1, _COMPARED)

    def forward(self, frames: Tensor) -> Tensor:
        red, green, blue = (frames.flatten(2, 3).long() >> 5).unbind(-1)
        bins = (red << 6) + (green << 3) + blue
        counts = torch.zeros(*bins.shape[:2], _COLOURS).scatter_add_(2, bins, torch.ones(bins.shape))
        return relu(self.fc(_beside(counts)))


class TransNetV2(nn.Module):
    """The network of section 3: uint8 [N, T, 27, 48, 3] RGB -> [N, T], 0..1, once with weights and in `eval`.

    A hard cut lies behind the frame that scores high, a dissolve or fade around it. The second head,
    which says the same of every frame of a gradual transition, serves training: it is loaded, not used.
    """

    def __init__(self) -> None:
        super().__init__()
        widths = [len(_DILATIONS) * filters for filters in _FILTERS]
        self.SDDCNN = nn.ModuleList([_Block(c, f) for c, f in zip([3, *widths[:-1]], _FILTERS, strict=True)])
        self.frame_sim_layer = _FrameSimilarity(sum(widths))
        self.color_hist_layer = _ColorHistograms()
        areas = (HEIGHT_PX >> len(_FILTERS)) * (WIDTH_PX >> len(_FILTERS))
        self.fc1 = nn.Linear(2 * _COMPARED + areas * widths[-1], 1024)
        self.cls_layer1 = nn.Linear(1024, 1)
        self.cls_layer2 = nn.Linear(1024, 1)

    def forward(self, frames: Tensor) -> Tensor:
        x = frames.permute(0, 4, 1, 2, 3).float() / 255
        blocks = []
        for block in self.SDDCNN:
            x = block(x)
            blocks.append(x)
        seen = x.permute(0, 2, 3, 4, 1).flatten(2)
        joined = torch.cat([self.color_hist_layer(frames), self.frame_sim_layer(blocks), seen], dim=2)
        return torch.sigmoid(self.cls_layer1(relu(self.fc1(joined)))).squeeze(-1)

    def probabilities(self, window: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Of each frame: uint8 [T, 27, 48, 3] RGB -> [T], 0..1."""
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # a worker has one core; more would only contend
        try:
            with torch.inference_mode():
                return np.asarray(self(torch.from_numpy(window)[None])[0].numpy(), np.float32)
        finally:
            torch.set_num_threads(threads)

    @property
    def fingerprint(self) -> str:
        """Of the weights, wherever they lie and in whichever format."""
        return f"transnetv2:{weights_hash(self)}"


def load_for(settings: SceneSettings) -> TransNetV2:
    """The network with the weights that the settings name, the same object while the file stays as it is.

    They are a state dict as it is published, .safetensors or torch's own format. Raises ModelError when
    the file cannot be read, or holds anything but this network's weights.
    """
    path = settings.weights
    if path is None:
        raise ModelError(f"the detector {settings.detector} names no weights")
    try:
        return _loaded(path, identity(path))
    except OSError as error:
        raise ModelError(f"cannot read the weights {path}: {error.strerror}") from error


@lru_cache(maxsize=1)
def _loaded(path: Path, _: tuple[str, int, int]) -> TransNetV2:
    state = read_state_dict(path)
    with torch.device("meta"):  # neither time nor random numbers for weights that are replaced
        network = TransNetV2()
    try:
        network.load_state_dict(state, assign=True)
    except RuntimeError as error:
        raise ModelError(f"{path} holds other weights than TransNet V2's: {_short(error)}") from error
    if not all(bool(torch.isfinite(tensor).all()) for tensor in state.values()):
        raise ModelError(f"{path} holds weights that are not finite; fetch the file again")
    return network.float().eval()


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
