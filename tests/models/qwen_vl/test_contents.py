from __future__ import annotations

import numpy as np
import pytest

from pipeline.config import BudgetSettings
from pipeline.errors import ModelError
from pipeline.models.protocols import Item, Pixels
from pipeline.models.qwen_vl.contents import content, cut
from pipeline.models.qwen_vl.families import GME, QWEN3_VL
from pipeline.models.qwen_vl.templates import Clip, Still
from tests.models.pictures import gradient, jpeg, pixels, plain
from tests.models.tiny_qwen_vl import tokenizer

WORDS = tokenizer(appends_end=True)
BUDGET = BudgetSettings()


def test_a_medium_comes_before_its_text() -> None:
    still, text = content(Item(text="x", pixels=pixels(gradient())), QWEN3_VL, BUDGET, WORDS)
    assert isinstance(still, Still)
    assert still.picture.shape == (128, 192, 3)  # of 120 x 200 px: 200 / 32 is 6.25
    assert still.picture.dtype == np.uint8
    assert text == "x"


def test_frames_keep_the_times_from_the_first_one() -> None:
    video = Pixels(tuple(jpeg(plain(i, 0, 0, 64, 64)) for i in range(3)), (4.0, 4.5, 6.0), video=True)
    (clip,) = content(Item(pixels=video), QWEN3_VL, BUDGET, WORDS)
    assert isinstance(clip, Clip)
    assert clip.frames.shape == (4, 64, 64, 3)
    assert clip.times_s == (0.0, 0.5, 2.0, 2.0)
    assert np.array_equal(clip.frames[2], clip.frames[3])


def test_an_empty_item_has_no_parts() -> None:
    assert content(Item(), QWEN3_VL, BUDGET, WORDS) == ()
    assert content(Item(text=""), QWEN3_VL, BUDGET, WORDS) == ()


def test_what_cannot_be_read_is_a_model_error() -> None:
    with pytest.raises(ModelError, match="no frame"):
        content(Item(pixels=Pixels((), (), True)), QWEN3_VL, BUDGET, WORDS)
    with pytest.raises(ModelError, match="no videos; use Qwen3-VL-Embedding"):
        content(Item(pixels=pixels(gradient(), video=True)), GME, BUDGET, WORDS)


@pytest.mark.parametrize(
    ("text", "limit", "kept"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdef", 4, "abcd"),
        ("yesyes", 4, "yesyes"),
        ("a yes no", 3, "a yes"),
        ("红色", 1, "红"),  # three bytes, which stay together
        ("", 1, ""),
    ],
)
def test_a_text_is_cut_at_a_token(text: str, limit: int, kept: str) -> None:
    # `yes` and ` ` are tokens of their own in the tiny tokenizer, other letters bytes.
    assert cut(text, limit, WORDS) == kept
