"""What is measured on pixels, against pictures whose facts are known by construction."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from pipeline.media.colours import COLOURS, colour_shares, grey_chroma
from pipeline.media.facts import Facts, measure
from pipeline.media.fingerprint import perceptual_hash
from pipeline.media.ocr import RapidOcrReader
from pipeline.models.protocols import Pixels

PURE = {
    "black": (10, 10, 10), "white": (250, 250, 250), "grey": (128, 128, 128), "red": (200, 20, 20),
    "orange": (245, 140, 20), "yellow": (245, 225, 40), "green": (40, 150, 50), "blue": (30, 70, 200),
    "purple": (120, 40, 150), "pink": (250, 150, 190), "brown": (120, 75, 40),
}  # fmt: skip


def pixels(*pictures: np.ndarray, video: bool = False) -> Pixels:
    frames = []
    for p in pictures:
        buffer = io.BytesIO()
        Image.fromarray(p).save(buffer, "JPEG", quality=95)
        frames.append(buffer.getvalue())
    return Pixels(tuple(frames), tuple(float(i) for i in range(len(frames))), video)


def plain(colour: tuple[int, int, int], size: tuple[int, int] = (120, 160)) -> np.ndarray:
    return np.full((*size, 3), colour, np.uint8)


@pytest.mark.parametrize("name", COLOURS)
def test_pure_colours_bear_their_name(name: str) -> None:
    shares = colour_shares(plain(PURE[name]))
    assert shares.sum() == pytest.approx(1.0, abs=1e-5)
    assert COLOURS[int(shares.argmax())] == name
    assert shares.max() > 0.95


def test_shares_are_shares_of_the_picture() -> None:
    both = plain(PURE["blue"])
    both[:, :40] = PURE["yellow"]
    facts = measure(pixels(both), None)
    shares = dict(facts.colours)
    assert shares["blue"] == pytest.approx(0.75, abs=0.03)
    assert shares["yellow"] == pytest.approx(0.25, abs=0.03)
    assert facts.colours[0][0] == "blue"


def test_the_tint_of_what_is_called_grey_is_measured() -> None:
    pure, beige = plain(PURE["grey"]), plain((140, 130, 115))
    assert COLOURS[int(colour_shares(beige).argmax())] == "grey"
    assert grey_chroma([pure]) < 1
    assert grey_chroma([beige]) > 7
    assert 3 < grey_chroma([pure, beige]) < 7
    assert grey_chroma([plain(PURE["red"])]) == 0
    assert measure(pixels(beige), None).grey_chroma == pytest.approx(grey_chroma([beige]), abs=1)


def test_light_is_measured_by_half_and_over_time() -> None:
    left = plain((40, 40, 40))
    left[:, :80] = 200
    facts = measure(pixels(left), None)
    assert facts.luma_halves[0] == pytest.approx(200, abs=3)
    assert facts.luma_halves[1] == pytest.approx(40, abs=3)
    assert facts.grey
    assert facts.motion is None
    film = measure(pixels(plain((30,) * 3), plain((90,) * 3), plain((200,) * 3), video=True), None)
    assert film.luma_last - film.luma_first == pytest.approx(170, abs=5)
    assert film.motion == pytest.approx(85, abs=3)
    assert film.change == pytest.approx(85, abs=3)


def test_a_drifting_texture_moves_but_hardly_changes() -> None:
    stripes = np.zeros((120, 160, 3), np.uint8)
    stripes[:, ::4] = stripes[:, 1::4] = 200
    film = measure(pixels(stripes, np.roll(stripes, 2, axis=1), video=True), None)
    assert film.motion is not None
    assert film.motion > 50
    assert film.change == pytest.approx(0, abs=3)


def test_printed_text_is_read_and_a_picture_without_gives_none() -> None:
    page = Image.new("RGB", (480, 160), "white")
    ImageDraw.Draw(page).text((30, 50), "GARDEN PARTY", fill="black", font=ImageFont.load_default(48))
    reader = RapidOcrReader()
    (line,) = measure(pixels(np.asarray(page)), reader).text
    assert line.text.upper().replace(" ", "") == "GARDENPARTY"
    assert line.confidence > 0.8
    assert 0 < line.share < 1
    assert measure(pixels(plain(PURE["blue"])), reader).text == ()


def test_facts_survive_a_round_trip_through_json() -> None:
    facts = measure(pixels(plain(PURE["red"])), None)
    assert Facts.from_json(facts.to_json()) == Facts.from_json(Facts.from_json(facts.to_json()).to_json())


def test_hashes_agree_for_a_rescaled_picture_and_not_for_another() -> None:
    random = np.random.default_rng(0)
    one, other = (
        Image.fromarray(random.integers(0, 255, (8, 8, 3), dtype=np.uint8)).resize((320, 240), Image.Resampling.BICUBIC)
        for _ in range(2)
    )
    codes = [perceptual_hash(np.asarray(i)) for i in (one, one.resize((160, 120)), other)]
    distance = [(code ^ codes[0]).bit_count() for code in codes]
    assert distance[0] == 0
    assert distance[1] <= 6
    assert distance[2] > 12
