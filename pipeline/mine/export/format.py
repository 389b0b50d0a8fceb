"""What a trainer's format is to the rest of the code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# A row of schemas.TRAIN in which each content holds `text` and, as `image` or `video`, the absolute
# path of a file that can be read. Spans are gone: a span has become a clip, a key frame an image.
Row = dict[str, Any]
Record = dict[str, Any]  # one line of the trainer's file


@dataclass(frozen=True)
class Format:
    """A trainer's file format."""

    name: str  # of `--format`, and of the folder
    about: str  # one line for --help
    refuses: Callable[[Row], str | None]  # why the format cannot hold a row, as a snake_case code; None: it can
    records: Callable[[Row], list[Record]]  # the lines of a row that is not refused, all with as many negatives
