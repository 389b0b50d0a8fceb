from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import ModelError
from pipeline.models.builtin.colour_words import colour_words
from pipeline.models.builtin.embedder import COLOUR_WEIGHT, JointSpace, joined, unit
from pipeline.models.protocols import Item, Pixels
from tests.models.pictures import gradient, pixels, plain


@pytest.fixture(scope="module")
def space() -> JointSpace:
    return JointSpace("lite0")


def test_colour_words_of_a_text_share_it() -> None:
    shares = colour_words(["A gray cat in RED and grey.", "A redhead.", "Orange!"])
    assert shares.shape == (3, 11)
    assert dict(enumerate(shares[0])) == {i: 0.5 if i in (2, 3) else 0 for i in range(11)}
    assert shares[1].tolist() == [0] * 11
    assert shares[2].tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]


def test_parts_are_weighted_and_normalised_and_a_missing_colour_leaves_the_rest_to_the_others() -> None:
    text, classes = np.array([[3.0] + [0] * 383], np.float32), np.array([[1.0] + [0] * 999], np.float32)
    red = np.array([[0, 0, 0, 1.0] + [0] * 7], np.float32)
    with_colour, without = joined(text, classes, red), joined(text, classes, 0 * red)
    length = np.sqrt(2 + COLOUR_WEIGHT**2)
    assert with_colour[0, 0] == pytest.approx(1 / length)
    assert with_colour[0, 384] == pytest.approx(1 / length)
    assert with_colour[0, 384 + 1000 + 3] == pytest.approx(COLOUR_WEIGHT / length)
    assert without[0, 0] == pytest.approx(1 / np.sqrt(2))
    assert without[0, 384] == pytest.approx(1 / np.sqrt(2))


def test_unit_leaves_zero_rows_alone() -> None:
    np.testing.assert_allclose(unit(np.array([[3, 4], [0, 0]], np.float32)), [[0.6, 0.8], [0, 0]])


def test_text_with_pixels_is_the_normalised_sum_of_both(space: JointSpace) -> None:
    shown = pixels(gradient())
    text, picture, both = space.embed([Item(text="a ball"), Item(pixels=shown), Item(text="a ball", pixels=shown)])
    expected = (text + picture) / np.linalg.norm(text + picture)
    np.testing.assert_allclose(both, expected, atol=1e-6)


def test_a_video_of_equal_frames_is_its_picture_and_frames_count_alike(space: JointSpace) -> None:
    red, disc = plain(200, 0, 0), gradient()
    picture, still, ab, ba = space.embed(
        [
            Item(pixels=pixels(red)),
            Item(pixels=pixels(red, red, video=True)),
            Item(pixels=pixels(red, disc, video=True)),
            Item(pixels=pixels(disc, red, video=True)),
        ]
    )
    np.testing.assert_allclose(still, picture, atol=1e-6)
    np.testing.assert_allclose(ab, ba, atol=1e-6)
    assert ab @ picture < 0.999


def test_a_colour_word_draws_a_text_to_pictures_of_that_colour(space: JointSpace) -> None:
    red, blue = space.embed([Item(pixels=pixels(plain(220, 10, 10))), Item(pixels=pixels(plain(10, 10, 220)))])
    word = space.embed([Item(text="red")])[0]
    assert word @ red > word @ blue


def test_the_instruction_is_not_read(space: JointSpace) -> None:
    items = [Item(text="a cat"), Item(pixels=pixels(gradient()))]
    assert np.array_equal(space.embed(items), space.embed(items, instruction="Find a dog."))


def test_an_empty_item_or_no_frame_is_a_model_error(space: JointSpace) -> None:
    with pytest.raises(ModelError, match="item 1 has neither"):
        space.embed([Item(text="a"), Item()])
    with pytest.raises(ModelError, match="without a frame"):
        space.embed([Item(pixels=Pixels((), (), False))])
