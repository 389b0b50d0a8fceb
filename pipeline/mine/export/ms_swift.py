"""ms-swift, embedding with InfoNCE: `swift sft --task_type embedding --loss_type infonce`.

Spans: not in the format, so they come as clips. In-batch negatives: a switch of the whole run
(INFONCE_USE_BATCH), so rows that forbid them need negatives of their own. One positive a line:
a row with several becomes several lines. https://swift.readthedocs.io (BestPractices/Embedding).
"""

from __future__ import annotations

import re
from typing import Any

from pipeline.mine.export.format import Format, Record, Row

# What ms-swift takes for a placeholder; in a text it would need a medium that is not there.
_TAG = re.compile(r"<(image|video|audio|bbox|ref-object)>")
MEDIA = ("image", "video")


def refuses(row: Row) -> str | None:
    """`media_tag_in_text` for a text that ms-swift would misread; `without_negatives` for a row that has
    none and may not use those of the batch."""
    contents = [row["query"], *(d["content"] for d in (*row["positives"], *row["negatives"]))]
    if any(_TAG.search(text) for text in (row["instruction"], *(c["text"] or "" for c in contents))):
        return "media_tag_in_text"
    if not row["negatives"] and not row["in_batch_negatives"]:
        return "without_negatives"
    return None


def records(row: Row) -> list[Record]:
    """One line a positive: the instruction as the query's system message, documents as user messages."""
    negatives = [d["content"] for d in row["negatives"]]
    asked = [{"role": "system", "content": row["instruction"]}, *_messages(row["query"])]
    lines = []
    for positive in row["positives"]:
        line: Record = {"messages": asked, **_media(row["query"])}
        line |= _documents("positive", [positive["content"]])
        line |= _documents("negative", negatives) if negatives else {}
        lines.append(line)
    return lines


def _documents(kind: str, contents: list[dict[str, Any]]) -> Record:
    """Messages and media of documents; a media list has one inner list for each document."""
    found: Record = {f"{kind}_messages": [_messages(c) for c in contents]}
    for medium in MEDIA:
        if any(c[medium] for c in contents):
            found[f"{kind}_{medium}s"] = [[c[medium]] if c[medium] else [] for c in contents]
    return found


def _media(content: dict[str, Any]) -> Record:
    return {f"{medium}s": [content[medium]] for medium in MEDIA if content[medium]}


def _messages(content: dict[str, Any]) -> list[dict[str, str]]:
    tags = "".join(f"<{medium}>" for medium in MEDIA if content[medium])
    return [{"role": "user", "content": f"{tags}{content['text'] or ''}"}]


FORMAT = Format("ms-swift", "ms-swift embedding training (InfoNCE), JSON lines", refuses, records)
