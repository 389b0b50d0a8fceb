"""What becomes of what a vLLM engine gives."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from pipeline.models.protocols import Reply, Usage
from pipeline.models.vllm.outputs import outcome_of, reply_of


def completed(text: str, finish_reason: str) -> SimpleNamespace:
    completion = SimpleNamespace(text=text, finish_reason=finish_reason, token_ids=[1, 2, 3])
    return SimpleNamespace(prompt_token_ids=[5] * 70, outputs=[completion])


@pytest.mark.parametrize("end", ["stop", "length"])
def test_a_reply_has_its_words_its_end_and_its_cost(end: str) -> None:
    assert reply_of(completed('{"a": 1}', end)) == Reply(
        '{"a": 1}', end, Usage(requests=1, input_tokens=70, output_tokens=3)
    )


def test_any_other_end_is_an_error_that_names_it() -> None:
    reply = reply_of(completed("half", "abort"))
    assert (reply.finish_reason, reply.text) == ("error", "the engine ended the reply with abort: half")


def test_a_vector_comes_with_the_tokens_that_were_read() -> None:
    output = SimpleNamespace(prompt_token_ids=[3, 4], outputs=SimpleNamespace(data=torch.tensor([0.5, 1.0]).bfloat16()))
    outcome = outcome_of(output)
    assert outcome.tokens == (3, 4)
    np.testing.assert_array_equal(outcome.value, np.array([0.5, 1.0], np.float32))
    assert outcome.value.dtype == np.float32
