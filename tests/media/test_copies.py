"""What is a copy of a picture, and what only looks like it."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pipeline.media.copies import MIN_SHARED, compare
from pipeline.media.jpeg import encode_jpeg
from pipeline.media.looks import DIM, look, packed, unpacked
from pipeline.media.views import SIDE_PX, View, view_of
from tests.media.edits import EDITS

LIMIT, OVERLAP = 0.7, 0.6


def photo(name: str) -> Image.Image:
    with Image.open(str(files("sklearn.datasets") / "images" / name)) as image:
        return image.convert("RGB")


def view(picture: Image.Image) -> View:
    return view_of(encode_jpeg(np.asarray(picture)))


@pytest.fixture(scope="module")
def china() -> View:
    return view(photo("china.jpg"))


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_copy_agrees_with_its_original_both_ways(name: str, china: View) -> None:
    copy = view(EDITS[name](photo("china.jpg")))
    there, back = compare(china, copy, OVERLAP), compare(copy, china, OVERLAP)
    assert min(there.agreement, back.agreement) >= LIMIT
    assert there.mirrored == back.mirrored == (name == "mirror")


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_copy_is_nearer_than_another_photo(name: str, china: View) -> None:
    copy, other = look(view(EDITS[name](photo("china.jpg")))), look(view(photo("flower.jpg")))
    near = max(float(copy @ look(china)), float(copy @ look(china.mirrored)))
    assert near > 0.25 > float(other @ look(china))


def test_other_photos_do_not_agree(china: View) -> None:
    assert compare(china, view(photo("flower.jpg")), OVERLAP).agreement < 0.3


def test_one_thing_before_two_backgrounds_is_not_a_copy() -> None:
    petals = photo("flower.jpg").crop((180, 60, 420, 300))
    pictures = [photo("china.jpg"), Image.effect_noise((640, 427), 60).convert("RGB")]
    for picture in pictures:
        picture.paste(petals, (200, 90))
    assert compare(*map(view, pictures), OVERLAP).agreement < LIMIT


def test_a_detail_is_not_a_copy(china: View) -> None:
    detail = view(photo("china.jpg").crop((200, 150, 360, 260)))
    assert MIN_SHARED > 0.1
    assert compare(china, detail, OVERLAP).agreement < LIMIT


def test_pictures_without_texture_are_compared_by_colour() -> None:
    red, also_red, blue = (view(Image.new("RGB", (300, 200), c)) for c in ("#c00000", "#c40404", "#0000c0"))
    assert compare(red, also_red, OVERLAP).agreement == 1
    assert compare(red, blue, OVERLAP).agreement == 0
    assert not look(red).any()


def test_a_blank_picture_is_no_copy_of_a_drawing() -> None:
    drawing = Image.new("RGB", (300, 200), "white")
    ImageDraw.Draw(drawing).ellipse((60, 40, 240, 160), outline="black", width=6)
    assert compare(view(drawing), view(Image.new("RGB", (300, 200), "white")), OVERLAP).agreement < LIMIT


def test_a_view_is_small_whatever_the_picture() -> None:
    for size in ((1, 900), (3000, 40), (256, 256), (1, 1)):
        seen = view(Image.new("RGB", size, "green"))
        assert max(seen.luma.shape) == SIDE_PX
        assert look(seen).shape == (DIM,)
        assert compare(seen, seen, OVERLAP).agreement == 1


def test_packing_keeps_directions() -> None:
    vectors = np.random.default_rng(0).standard_normal((5, 384)).astype(np.float32)
    again = unpacked(packed(vectors), 5).astype(np.float32)
    cosines = (vectors * again).sum(axis=1) / np.linalg.norm(vectors, axis=1) / np.linalg.norm(again, axis=1)
    assert cosines.min() > 0.999
    assert unpacked(packed(vectors[:0]), 0).shape == (0, 0)
