"""Prompts that are nearly the documented one are refused; the plain way itself is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.config import BudgetSettings
from pipeline.errors import ModelError
from pipeline.models.protocols import Item
from pipeline.models.qwen_vl import parity
from pipeline.models.qwen_vl.contents import content
from pipeline.models.qwen_vl.families import GME, QWEN3_VL
from pipeline.models.qwen_vl.plain import Outcome, plain_embedding
from pipeline.models.qwen_vl.templates import Parts
from tests.models.qwen_reference import loaded
from tests.models.wrong_prompts import CHANGES, Change


def outcomes(folder: Path, change: Change) -> list[Outcome]:
    """The three items in a plain forward pass of a prompt that is changed."""
    network, processor = loaded(folder)
    found = []
    for instruction, item in parity.probe_items(QWEN3_VL):
        parts: Parts = QWEN3_VL.embedding(content(item, QWEN3_VL, BudgetSettings(), processor.tokenizer), instruction)
        found.append(plain_embedding(network.model, processor, change(parts), sequential=False))
    return found


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_another_prompt_is_refused_by_its_tokens_and_by_its_vectors(checkpoints: Path, change: Change) -> None:
    right, wrong = outcomes(checkpoints / "bare", tuple), outcomes(checkpoints / "bare", change)
    parity.check("model", right, outcomes(checkpoints / "bare", tuple), 1e-6, "fix")
    with pytest.raises(
        ModelError, match=r"model is not asked by its documented template: of parity item \d, token \d+ is"
    ):
        parity.check("model", wrong, right, 2.0, "fix")
    same_tokens = [Outcome(a.tokens, b.value) for a, b in zip(right, wrong, strict=True)]
    for dtype in ("float32", "bfloat16"):
        with pytest.raises(ModelError, match=r"parity item \d differs by [01]\.\d+, .* rounding; use lasttoken"):
            parity.check("model", same_tokens, right, parity.vector_tolerance(dtype), "use lasttoken")


def test_a_value_that_is_no_number_is_refused() -> None:
    good, bad = (Outcome((1,), np.array([value], np.float32)) for value in (1.0, np.nan))
    with pytest.raises(ModelError, match="differs by nan"):
        parity.check("model", [bad], [good], 0.1, "fix")


def test_the_items_show_every_medium_that_a_family_reads() -> None:
    shown = [item.pixels.video if item.pixels else None for _, item in parity.probe_items(QWEN3_VL)]
    assert shown == [None, False, True]
    assert all(not item.pixels.video for _, item in parity.probe_items(GME) if item.pixels)
    pairs = parity.probe_pairs()
    assert {item.pixels.video for _, *items in pairs for item in items if item.pixels} == {False, True}


def test_one_pair_in_a_hundred_is_checked_told_by_its_content() -> None:
    pairs = [(f"i{n % 7}", Item(text=f"query {n}"), Item(text="document")) for n in range(5000)]
    checked = [parity.is_checked(pair) for pair in pairs]
    assert 30 <= sum(checked) <= 70  # 50, give or take three standard deviations
    assert checked == [parity.is_checked(pair) for pair in pairs]
    assert any(parity.is_checked((i, d, q)) != c for (i, q, d), c in zip(pairs, checked, strict=True))


@pytest.mark.parametrize(
    "alone", [Outcome((1, 2), np.array([3.2], np.float32)), Outcome((1, 3), np.array([3.0], np.float32))]
)
def test_a_score_that_neighbours_change_is_refused(alone: Outcome) -> None:
    among = Outcome((1, 2), np.array([3.0], np.float32))
    parity.check_alone("model", among, Outcome((1, 2), np.array([3.05], np.float32)), 0.1)
    with pytest.raises(ModelError, match="set batch_size to 1"):
        parity.check_alone("model", among, alone, 0.1)
