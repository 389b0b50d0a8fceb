from __future__ import annotations

import numpy as np
import pytest
import torch

from pipeline.errors import ModelError
from pipeline.models.builtin.classifier import PADDING, WEIGHTS, ImageNetClassifier, network, prepared, softmax
from pipeline.models.builtin.concepts import CONCEPTS
from tests.models.pictures import gradient, plain

# Of `gradient()`, from the network that the weights were published with (efficientnet_lite_pytorch 0.1.0,
# torch 2.13): its five likeliest classes with their logits, and the logits of classes 0..4.
REFERENCE = {
    "lite0": (
        [722, 818, 736, 720, 530],
        [9.6416, 6.1783, 5.7283, 4.9853, 4.7101],
        [0.0323, -0.5228, -0.1046, -1.6157, 0.2271],
    ),
    "lite2": (
        [722, 499, 641, 522, 409],
        [6.5017, 5.5625, 4.5208, 4.5159, 4.4172],
        [-0.5933, 1.1984, -1.0346, -1.8907, -0.8231],
    ),
}


@pytest.fixture(scope="module", params=["lite0", "lite2"])
def model(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def classifier(model: str) -> ImageNetClassifier:
    return ImageNetClassifier(model)


def test_logits_are_those_of_the_original_network(model: str, classifier: ImageNetClassifier) -> None:
    best, values, first = REFERENCE[model]
    logits = classifier.logits([gradient()])[0]
    assert np.argsort(-logits)[:5].tolist() == best
    np.testing.assert_allclose(logits[best], values, atol=2e-3)
    np.testing.assert_allclose(logits[:5], first, atol=2e-3)


def test_onnx_runtime_gives_the_logits_of_torch(model: str, classifier: ImageNetClassifier) -> None:
    net, example = network(WEIGHTS[model])
    assert not net.training
    with torch.inference_mode():
        expected = net(torch.from_numpy(prepared(gradient(), example.shape[-1]))).numpy()
    np.testing.assert_allclose(classifier.logits([gradient()]), expected, atol=1e-4)


def test_probabilities_sum_to_one_in_the_order_of_the_pictures(classifier: ImageNetClassifier) -> None:
    pictures = [gradient(), plain(255, 0, 0), plain(0, 0, 0)]
    together = classifier.classify(pictures)
    assert together.shape == (3, len(CONCEPTS)) == (3, len(classifier.classes))
    assert together.dtype == np.float32
    np.testing.assert_allclose(together.sum(axis=1), 1, atol=1e-5)
    for row, picture in zip(together, pictures, strict=True):
        assert np.array_equal(row, classifier.classify([picture])[0])


def test_threads_change_nothing(model: str, classifier: ImageNetClassifier) -> None:
    two = ImageNetClassifier(model, threads=2)
    np.testing.assert_allclose(two.logits([gradient()]), classifier.logits([gradient()]), atol=1e-5)
    assert two.fingerprint == classifier.fingerprint


def test_no_pictures_give_no_rows(classifier: ImageNetClassifier) -> None:
    assert classifier.classify([]).shape == (0, len(CONCEPTS))


def test_fingerprints_tell_the_models_apart() -> None:
    assert ImageNetClassifier("lite0").fingerprint != ImageNetClassifier("lite2").fingerprint


def test_a_picture_is_padded_to_a_square_on_mean_grey() -> None:
    values = prepared(plain(255, 255, 255, width=100, height=50), 224)
    assert values.shape == (1, 3, 224, 224)
    grey, white = (PADDING / 255 - 0.498) / 0.502, (1 - 0.498) / 0.502
    np.testing.assert_allclose(values[0, :, :56], grey, atol=1e-6)
    np.testing.assert_allclose(values[0, :, 56:168], white, atol=1e-6)
    np.testing.assert_allclose(values[0, :, 168:], grey, atol=1e-6)
    assert abs(grey) < 1e-3


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (260, 260)])
def test_any_size_is_prepared(size: tuple[int, int]) -> None:
    assert prepared(plain(9, 9, 9, *size), 260).shape == (1, 3, 260, 260)


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8), np.zeros((4, 4, 3))],
)
def test_what_is_no_picture_is_a_model_error(wrong: np.ndarray) -> None:
    with pytest.raises(ModelError, match="must be uint8"):
        prepared(wrong, 224)


def test_softmax_of_great_logits_is_finite() -> None:
    np.testing.assert_allclose(softmax(np.array([[1000, 1000, -1000]], np.float32)), [[0.5, 0.5, 0]])


def test_confusable_names_a_concept_that_is_not_shown(classifier: ImageNetClassifier) -> None:
    names = [c.name for c in classifier.classes]
    nothing = np.zeros(len(names), np.float32)
    other = classifier.confusable(names.index("cat"), nothing)
    assert other is not None
    assert names[other] != "cat"
