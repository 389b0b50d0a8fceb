"""The documented prompts, as parts: text, pictures and videos in the order in which a model reads them.

Sources: Qwen3-VL-Embedding report (arXiv 2601.04720), sections 2 and 3, and the code released with
it; GME (arXiv 2412.16855) and its `gme_inference.py`.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.models.protocols import Picture

END_OF_TEXT = "<|endoftext|>"  # its last hidden state is the embedding
YES, NO = "yes", "no"  # the reranker's score is the difference of their logits
EMBED_INSTRUCTION = "Represent the user's input."
GME_INSTRUCTION = "You are a helpful assistant."
RERANK_INSTRUCTION = "Given a search query, retrieve relevant candidates that answer the query."
JUDGE = (
    "Judge whether the Document meets the requirements based on the Query and the Instruct provided. "
    'Note that the answer can only be "yes" or "no".'
)
NOTHING = "NULL"  # what Qwen3-VL's models are told where an item is empty
_STILL = "<|vision_start|><|image_pad|><|vision_end|>"
# The processor puts every two frames between <|vision_start|> and <|vision_end|>. When these models were released
# (transformers 4.57) it replaced a pair of such marks around <|video_pad|> as well; from 5.10 on it leaves that pair
# standing around the whole video, which the models never saw. Without it, every version gives the first form.
_CLIP = "<|video_pad|>"
_SPECIAL = re.compile(r"<\|(?=[a-z_]+\|>)")


@dataclass(frozen=True)
class Still:
    """An image in the size the model reads: uint8 [H, W, 3]."""

    picture: Picture


@dataclass(frozen=True)
class Clip:
    """A video as the model reads it: an even number of frames, and their times from the first one."""

    frames: NDArray[np.uint8]  # [T, H, W, 3]
    times_s: tuple[float, ...]  # [T]

    @property
    def metadata(self) -> dict[str, object]:
        """What a processor is told, so that its prompt gives the real time of each pair of frames.

        Indices count milliseconds: frames are not sampled at a steady rate.
        """
        indices = [round(time * 1000) for time in self.times_s]
        last = indices[-1]
        return {"fps": 1000.0, "total_num_frames": last + 1, "duration": last / 1000, "frames_indices": indices}


Part = str | Still | Clip
Parts = tuple[Part, ...]

# A chat template that writes parts as they stand, for engines that take messages instead of a prompt.
VERBATIM = (
    "{%- for message in messages %}{%- for part in message.content %}"
    "{%- if part.type == 'text' %}{{- part.text }}"
    "{%- elif part.type == 'image' %}{{- '" + _STILL + "' }}"
    "{%- else %}{{- '" + _CLIP + "' }}{%- endif %}"
    "{%- endfor %}{%- endfor %}"
)


def prompt(parts: Parts) -> str:
    """The text of a prompt, with a placeholder for each medium.

    It holds every special token it needs: tokenise it without adding any.
    """
    return "".join(part if isinstance(part, str) else _STILL if isinstance(part, Still) else _CLIP for part in parts)


def quoted(text: str) -> str:
    """`text` without special tokens: `<|im_end|>` in a caption becomes `< |im_end|>`, which ends nothing."""
    return _SPECIAL.sub("< |", text)


def with_full_stop(instruction: str) -> str:
    """`instruction` as Qwen3-VL-Embedding wants it: stripped, with a full stop where it ends without punctuation."""
    text = instruction.strip()
    return text + "." if text and not unicodedata.category(text[-1]).startswith("P") else text


def qwen3_vl_embedding(content: Parts, instruction: str = "") -> Parts:
    """What Qwen3-VL-Embedding reads: the instruction as the system's turn, the item as the user's."""
    return _turns(with_full_stop(quoted(instruction)) or EMBED_INSTRUCTION, content or (NOTHING,))


def gme_embedding(content: Parts, instruction: str = "") -> Parts:
    """What GME reads: the instruction as it stands."""
    return _turns(quoted(instruction) or GME_INSTRUCTION, content)


def _turns(system: str, user: Parts) -> Parts:
    return (
        f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n",
        *user,
        f"<|im_end|>\n<|im_start|>assistant\n{END_OF_TEXT}",
    )


def qwen3_vl_chat(content: Parts) -> Parts:
    """What Qwen3-VL's instruct models read: one turn of the user, no system's; what follows is the reply.

    Source: the chat template of the published checkpoints.
    """
    return ("<|im_start|>user\n", *content, "<|im_end|>\n<|im_start|>assistant\n")


def qwen3_vl_reranking(query: Parts, document: Parts, instruction: str = "") -> Parts:
    """What Qwen3-VL-Reranker reads; the next token is its answer.

    Only line breaks and marks in angle brackets part instruction, query and document: a text that holds the same
    marks looks like another part. The released template knows no other way.
    """
    said = quoted(instruction) or RERANK_INSTRUCTION
    return (
        f"<|im_start|>system\n{JUDGE}<|im_end|>\n<|im_start|>user\n<Instruct>: {said}<Query>:",
        *(query or (NOTHING,)),
        "\n<Document>:",
        *(document or (NOTHING,)),
        "<|im_end|>\n<|im_start|>assistant\n",
    )
