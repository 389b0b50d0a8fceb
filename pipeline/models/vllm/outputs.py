"""From what a vLLM engine gives to a Reply or an outcome: pure, tested without vLLM."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.models.protocols import Reply, Usage
from pipeline.models.qwen_vl.plain import Outcome

_ENDS = frozenset({"stop", "length"})


def reply_of(output: Any) -> Reply:
    """The only completion of a vLLM RequestOutput. An end that is neither `stop` nor `length` is an `error`."""
    completion = output.outputs[0]
    usage = Usage(requests=1, input_tokens=len(output.prompt_token_ids or ()), output_tokens=len(completion.token_ids))
    if completion.finish_reason not in _ENDS:
        said = f"the engine ended the reply with {completion.finish_reason}: {completion.text}"
        return Reply(said, "error", usage)
    return Reply(completion.text, completion.finish_reason, usage)


def outcome_of(output: Any) -> Outcome:
    """The tokens and the value of a vLLM PoolingRequestOutput: a vector, or one logit."""
    value = np.asarray(output.outputs.data.float().cpu().numpy(), np.float32).reshape(-1)
    return Outcome(tuple(output.prompt_token_ids), value)
