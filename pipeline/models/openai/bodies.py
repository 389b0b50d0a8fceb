"""From a request to the body that is posted: pure translation, tested without a server.

The prompt comes before the pixels. What all requests of a task say stands at its beginning, and a
server's prefix cache keeps what equal beginnings have in common; with pixels first every prefix
would be its own, and nothing could be kept.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from pydantic_core import to_json

from pipeline.config import VlmSettings
from pipeline.models.openai.formats import Format, Schema, instruction
from pipeline.models.openai.mp4 import mp4
from pipeline.models.protocols import Pixels, Request

VERSION = 1  # of the layout of a message: another number is another model to the caches
Part = dict[str, Any]


def body(request: Request, schema: Schema, form: Format, settings: VlmSettings) -> bytes:
    """The JSON body of a chat completion."""
    server = settings.server
    told = [_text(instruction(schema))] if form.told else []
    sampling = {"temperature": settings.temperature, "top_p": settings.top_p, "seed": request.seed}
    fields = {
        "model": settings.model,
        "messages": [{"role": "user", "content": [*told, *content(request, settings)]}],
        server.length_field: settings.max_output_tokens,
        **{name: value for name, value in sampling.items() if name not in server.omit},
        **form.fields(schema),
        **server.extra_body,
    }
    return to_json(fields)  # of megabytes of pixels, in a third of the time of json.dumps


def content(request: Request, settings: VlmSettings) -> list[Part]:
    """The parts of the one message: the prompt, then the pixels in time order."""
    parts = [_text(request.prompt)]
    for pixels in request.pixels:
        if pixels.video and settings.server.video == "video_url" and len(pixels.frames) > 1:
            # The clock of a clip starts at zero, wherever in the file it was cut.
            parts.append(_text(f"<video from {pixels.times_s[0]:.1f} to {pixels.times_s[-1]:.1f} seconds>"))
            parts.append({"type": "video_url", "video_url": {"url": _data_url("video/mp4", mp4(pixels))}})
        else:
            parts += _pictures(pixels, settings.server.picture_detail)
    return parts


def _pictures(pixels: Pixels, detail: str | None) -> Iterator[Part]:
    """Each frame as a picture; those of a video with their times before them, as Qwen3-VL writes them."""
    for frame, time_s in zip(pixels.frames, pixels.times_s, strict=True):
        if pixels.video:
            yield _text(f"<{time_s:.1f} seconds>")
        url = {"url": _data_url("image/jpeg", frame)}
        yield {"type": "image_url", "image_url": url if detail is None else {**url, "detail": detail}}


def _text(text: str) -> Part:
    # Half of a surrogate pair is in no UTF-8, and no server takes it.
    return {"type": "text", "text": text.encode("utf-8", "replace").decode("utf-8")}


def _data_url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{b64encode(data).decode('ascii')}"
