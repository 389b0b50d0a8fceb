"""Scores by heads and prompts over a real, tiny open_clip model, against torch and open_clip themselves."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from pipeline.config import ModelSettings, ScorerSettings
from pipeline.errors import ModelError
from pipeline.models.load import load
from pipeline.models.open_clip import OpenClip
from pipeline.models.protocols import Item, Pixels, Vectors
from pipeline.models.scorers import Scorers
from pipeline.stage import ModelRef
from tests.models.pictures import gradient, pixels, plain
from tests.models.tiny_open_clip import save

ASSETS = [pixels(gradient()), pixels(plain(255, 0, 0)), pixels(plain(0, 0, 9), gradient(), video=True)]


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> ModelSettings:
    return ModelSettings(adapter="open_clip", model=str(save(tmp_path_factory.mktemp("clip") / "model", seed=0)))


@pytest.fixture(scope="module")
def clip(embedder: ModelSettings) -> OpenClip:
    return OpenClip(embedder.model)


def stack(*widths: int) -> torch.nn.Sequential:
    """Linear layers with dropout between, as LAION's aesthetic predictor has them."""
    torch.manual_seed(0)
    pairs = itertools.pairwise(widths)
    return torch.nn.Sequential(*(m for i, o in pairs for m in (torch.nn.Linear(i, o), torch.nn.Dropout(0.2)))).eval()


def saved(network: torch.nn.Module, path: Path, prefix: str = "layers.") -> Path:
    state = {prefix + name: tensor for name, tensor in network.state_dict().items()}
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path)
    return path


def head(embedder: ModelSettings, weights: Path, **more: object) -> ScorerSettings:
    return ScorerSettings(name="aesthetic", kind="linear_head", embedder=embedder, weights=weights, **more)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("widths", [(16, 1), (16, 12, 8, 7, 6, 5, 4, 3, 1)])
def test_a_head_gives_what_torch_gives(
    tmp_path: Path, embedder: ModelSettings, clip: OpenClip, suffix: str, widths: tuple[int, ...]
) -> None:
    network = stack(*widths)
    scorers = load(ModelRef("scorers", (head(embedder, saved(network, tmp_path / f"w{suffix}")),)))
    assert isinstance(scorers, Scorers)
    vectors = clip.embed([Item(pixels=p) for p in ASSETS])
    with torch.inference_mode():
        expected = network(torch.from_numpy(vectors)).numpy()
    np.testing.assert_allclose(scorers.score(ASSETS), expected, atol=1e-5)
    assert scorers.names == ("aesthetic",)


def test_relu_and_sigmoid_are_applied_where_asked_for(tmp_path: Path, embedder: ModelSettings, clip: OpenClip) -> None:
    first, last = torch.nn.Linear(16, 8), torch.nn.Linear(8, 1)
    network = torch.nn.Sequential(first, torch.nn.ReLU(), last, torch.nn.Sigmoid())
    settings = head(embedder, saved(network, tmp_path / "w.pt"), relu=True, sigmoid=True)
    with torch.inference_mode():
        expected = network(torch.from_numpy(clip.embed([Item(pixels=p) for p in ASSETS]))).numpy()
    np.testing.assert_allclose(Scorers([settings], {embedder: clip}).score(ASSETS), expected, atol=1e-5)


def test_prompts_give_the_share_that_clip_gives(embedder: ModelSettings, clip: OpenClip) -> None:
    texts = ["a picture with a watermark", "a stock photo", "a clean picture"]
    settings = ScorerSettings(
        name="watermark", kind="zero_shot", embedder=embedder, prompts=texts[:2], against=texts[2:], temperature=0.05
    )
    pictures, words = (torch.from_numpy(clip.embed(i)) for i in (
        [Item(pixels=p) for p in ASSETS], [Item(text=t) for t in texts],
    ))  # fmt: skip
    expected = (20 * pictures @ words.T).softmax(dim=-1)[:, :2].sum(dim=-1, keepdim=True).numpy()
    np.testing.assert_allclose(Scorers([settings], {embedder: clip}).score(ASSETS), expected, atol=1e-5)


class Counting:
    """An embedder that counts its calls with pixels."""

    fingerprint = "counting"

    def __init__(self) -> None:
        self.seen = 0

    def embed(self, items: Sequence[Item], instruction: str = "") -> Vectors:
        self.seen += sum(item.pixels is not None for item in items)
        return np.full((len(items), 16), 0.25, np.float32)


def test_scorers_with_one_embedder_look_at_each_asset_once(tmp_path: Path) -> None:
    same, model = ModelSettings(adapter="fake"), Counting()
    nsfw = ScorerSettings(name="nsfw", kind="zero_shot", embedder=same, prompts=("a",), against=("b",))
    scorers = Scorers([head(same, saved(stack(16, 1), tmp_path / "w.pt")), nsfw], {same: model})
    scores = scorers.score(ASSETS)
    assert scores.shape == (3, 2)
    assert model.seen == 3
    np.testing.assert_allclose(scores[:, 1], 0.5)


def test_a_score_does_not_depend_on_its_batch(tmp_path: Path, embedder: ModelSettings, clip: OpenClip) -> None:
    scorers = Scorers([head(embedder, saved(stack(16, 8, 1), tmp_path / "w.pt"))], {embedder: clip})
    alone = np.concatenate([scorers.score([asset]) for asset in ASSETS])
    np.testing.assert_allclose(scorers.score(ASSETS), alone, atol=1e-6)
    assert scorers.score([]).shape == (0, 1)


def test_other_weights_make_another_fingerprint_and_limits_or_folders_do_not(
    tmp_path: Path, embedder: ModelSettings, clip: OpenClip
) -> None:
    (tmp_path / "b").mkdir()
    one = saved(stack(16, 1), tmp_path / "w.pt")
    moved = saved(stack(16, 1), tmp_path / "b/w.pt")
    other = saved(stack(16, 4, 1), tmp_path / "v.pt")
    first, limited, elsewhere, changed = (
        Scorers([settings], {embedder: clip}).fingerprint
        for settings in (
            head(embedder, one), head(embedder, one, min_score=4.5), head(embedder, moved), head(embedder, other),
        )
    )  # fmt: skip
    assert first == limited == elsewhere
    assert first != changed


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("executed",)


def _pickled(path: Path) -> Path:
    path.write_bytes(pickle.dumps({"weight": _Evil()}, protocol=2))
    return path


def _bytes(path: Path) -> Path:
    path.write_bytes(b"no weights")
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda d: d / "gone.pt", "cannot read the weights"),
        (lambda d: _bytes(d / "w.pt"), "cannot read the weights"),
        (lambda d: _bytes(d / "w.safetensors"), "cannot read the weights"),
        (lambda d: _pickled(d / "w.pt"), "cannot read the weights"),
        (lambda d: saved(stack(768, 1), d / "w.pt"), "holds 768:1; this embedder's head leads from 16 to 1"),
        (lambda d: saved(stack(16, 2), d / "w.pt"), "16:2"),
        (lambda d: saved(torch.nn.BatchNorm1d(16), d / "w.pt"), "two dimensions|beside linear layers"),
        (lambda d: saved(torch.nn.Conv1d(16, 1, 3), d / "w.pt"), "two dimensions"),
        (lambda d: saved(torch.nn.Sequential(), d / "w.pt"), "no layer"),
    ],
    ids=["missing", "junk", "junk safetensors", "pickle", "other model", "two scores", "norm", "conv", "empty"],
)
def test_weights_that_are_no_head_of_this_model_are_an_error_that_says_why(
    tmp_path: Path, clip: OpenClip, embedder: ModelSettings, capsys: pytest.CaptureFixture[str], make, message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        Scorers([head(embedder, make(tmp_path))], {embedder: clip})
    assert "executed" not in capsys.readouterr().out


def test_a_score_that_is_not_finite_is_an_error(tmp_path: Path, embedder: ModelSettings, clip: OpenClip) -> None:
    network = torch.nn.Linear(16, 1)
    with torch.no_grad():
        network.bias.fill_(float("nan"))
    scorers = Scorers([head(embedder, saved(network, tmp_path / "w.pt", ""))], {embedder: clip})
    with pytest.raises(ModelError, match="not finite"):
        scorers.score([Pixels(ASSETS[0].frames, (0.0,), video=False)])
