from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import FactSettings
from pipeline.media.colours import COLOURS, colour_names
from pipeline.synth.claims import BRIGHT, DARK, NEVER, Claim, from_json, holds, judge, to_json
from tests.synth.samples import CAT, GREEN, LIMITS, NIGHT, PLAIN, SNOW, UNSURE, guess, lines, seen

SLATE = replace(PLAIN, colours=(("grey", 0.9), ("white", 0.1)))


@pytest.mark.parametrize(
    ("kind", "value", "what", "verdict"),
    [
        ("colour", "green", seen(GREEN), True),
        ("colour", "pink", seen(GREEN), False),
        ("colour", "brown", seen(PLAIN), None),
        ("colour", "blue", seen(NIGHT), None),  # black and blue are neighbours: someone may see blue
        ("colour", "brown", seen(replace(PLAIN, colours=(("black", 0.7), ("brown", 0.2), ("red", 0.1)))), None),
        ("colour", "red", seen(replace(PLAIN, colours=(("black", 0.7), ("brown", 0.2), ("red", 0.1)))), False),
        ("has_colour", "green", seen(GREEN), True),
        ("has_colour", "pink", seen(NIGHT), False),
        ("has_colour", "brown", seen(GREEN), None),
        ("no_colour", "purple", seen(GREEN), True),
        ("no_colour", "brown", seen(GREEN), False),
        ("no_colour", "yellow", seen(GREEN), None),  # green and brown could be taken for it
        ("colour", "grey", seen(SLATE), True),
        ("colour", "grey", seen(replace(SLATE, grey_chroma=9.0)), None),  # beige, slate, lavender
        ("has_colour", "grey", seen(replace(SLATE, grey_chroma=9.0)), None),
        ("colour", "brown", seen(replace(SLATE, grey_chroma=9.0)), None),
        ("luma", "dark", seen(NIGHT), True),
        ("luma", "dark", seen(PLAIN), False),
        ("luma", "bright", seen(SNOW), True),
        ("luma", "bright", seen(NIGHT), False),
        ("luma", "dark", seen(replace(NIGHT, luma_last=80.0)), None),
        ("brighter_side", "left", seen(replace(PLAIN, luma_halves=(150, 100, 120, 120))), True),
        ("brighter_side", "right", seen(replace(PLAIN, luma_halves=(150, 100, 120, 120))), False),
        ("brighter_level", "upper", seen(PLAIN), False),
        ("brighter_level", "upper", seen(replace(PLAIN, luma_halves=(120, 120, 130, 115))), None),
        ("brighter_level", "lower", seen(replace(PLAIN, luma_halves=(120, 120, 80, 130))), True),
        ("palette", "black and white", seen(replace(PLAIN, grey=True, colours=(("grey", 1.0),))), True),
        ("palette", "black and white", seen(GREEN), False),
        ("trend", "brighter", seen(replace(NIGHT, luma_last=90.0)), True),
        ("trend", "darker", seen(replace(NIGHT, luma_last=90.0)), False),
        ("trend", "brighter", seen(replace(NIGHT, luma_last=45.0)), None),
        ("change", "much", seen(replace(PLAIN, motion=30.0, change=20.0)), True),
        ("change", "much", seen(replace(PLAIN, motion=30.0, change=4.0)), False),  # a camera that drifts
        ("change", "little", seen(replace(PLAIN, motion=30.0, change=4.0)), None),
        ("change", "little", seen(replace(PLAIN, motion=0.5, change=0.1)), True),
        ("change", "little", seen(replace(PLAIN, motion=30.0, change=20.0)), False),
        ("change", "much", seen(PLAIN), None),
        ("text", "THE END", seen(replace(PLAIN, text=lines("The End"))), True),
        ("text", "THE END", seen(PLAIN), False),
        ("text", "THE START", seen(replace(PLAIN, text=lines("The End"))), False),
        ("text", "THE END", seen(replace(PLAIN, text=lines("The End", confidence=0.5))), None),
        ("text", "THE END", seen(replace(PLAIN, text=lines("Copyright 2008", "The End"))), True),
        ("text", "ANDTHEYWERENOTTHERE", seen(replace(PLAIN, text=lines("andtheywerenotthere"))), None),
        ("largest_text", "THE END", seen(replace(PLAIN, text=lines("The End"))), True),
        ("largest_text", "THE END", seen(replace(PLAIN, text=(*lines("The End", share=0.1), *lines("Fin")))), True),
        (
            "largest_text",
            "FIN NOW",
            seen(replace(PLAIN, text=(*lines("The End", share=0.1), *lines("Fin now")))),
            False,
        ),
        ("largest_text", "THE END", seen(replace(PLAIN, text=lines("The End", "Right now"))), None),
        ("largest_text", "THE DAY", seen(replace(PLAIN, text=lines("The End", "Right now"))), False),
        ("page", "page", seen(replace(PLAIN, frames=3, text=lines("one line", "two lines", share=0.1))), None),
        ("page", "page", seen(replace(PLAIN, text=lines("one line", "two lines", share=0.1))), True),
        ("page", "page", seen(replace(PLAIN, text=lines("one line"))), None),
        ("page", "page", seen(PLAIN), False),
        ("label", "tabby", seen(PLAIN, CAT), True),
        ("label", "lynx", seen(PLAIN, CAT), False),
        ("label", "tabby", seen(PLAIN, UNSURE), None),
        ("label", "beagle", seen(PLAIN, UNSURE), None),
        ("label", "puma", seen(PLAIN, UNSURE), False),  # none of the most probable classes
        ("label", "tabby", seen(PLAIN), None),
        ("label", "tabby", None, None),
    ],
)
def test_claim_is_judged_by_what_was_measured(kind, value, what, verdict):
    assert judge(Claim(kind, value), what, LIMITS) is verdict


def test_claims_hold_together_only_when_each_holds_and_one_refuted_refutes_all():
    green, pink, brown = (Claim("colour", c) for c in ("green", "pink", "brown"))
    half = Claim("brighter_side", "left")
    assert holds([green], seen(GREEN), LIMITS) is True
    assert holds([green, half], seen(replace(GREEN, luma_halves=(120, 105, 1, 1))), LIMITS) is None
    assert holds([half, pink], seen(GREEN), LIMITS) is False
    assert holds([brown], seen(PLAIN), LIMITS) is None


def test_claims_survive_their_column():
    claims = (Claim("text", 'say "hé"'), Claim("luma", "dark"))
    assert from_json(to_json(claims)) == claims


shares = st.lists(st.floats(0.0, 1.0), min_size=len(COLOURS), max_size=len(COLOURS)).filter(lambda s: sum(s) > 0)


@given(shares)
def test_at_most_one_colour_dominates_and_the_others_do_not(values):
    parts = sorted(zip(COLOURS, (v / sum(values) for v in values), strict=True), key=lambda p: -p[1])
    verdicts = [judge(Claim("colour", c), seen(replace(PLAIN, colours=tuple(parts))), LIMITS) for c in COLOURS]
    assert verdicts.count(True) <= 1


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_stricter_limit_never_lets_a_label_hold_that_a_looser_one_did_not(low, high):
    low, high = min(low, high), max(low, high)
    what = seen(PLAIN, [guess("tabby", 0.7)])
    claim = Claim("label", "tabby")
    strict = judge(claim, what, FactSettings(min_label_probability=high))
    loose = judge(claim, what, FactSettings(min_label_probability=low))
    assert not (strict is True and loose is not True)


def test_colours_that_are_never_so_dark_or_so_bright_are_those_of_which_no_pixel_is():
    steps = np.arange(0, 256, 5, np.uint8)
    every = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(1, -1, 3)
    luma, names = every[0] @ np.array([0.299, 0.587, 0.114]), colour_names(every)[0]
    found = {COLOURS[i]: luma[names == i] for i in range(len(COLOURS))}
    assert {c for c, of in found.items() if of.min() > DARK} == NEVER["dark"]
    assert {c for c, of in found.items() if of.max() < BRIGHT} == NEVER["bright"]
