"""Rows as a format is handed them: files in the place of URIs, spans gone."""

from __future__ import annotations

from typing import Any

Content = dict[str, Any]


def content(text: str | None = None, **medium: Any) -> Content:
    """A Content: a text, `image=`, `video=`, or a text with either."""
    return {"text": text, "image": None, "video": None, "start_s": None, "end_s": None, **medium}


def row(query: Content, positives: list[Content], negatives: list[Content], in_batch: bool = True) -> dict[str, Any]:
    """What `Format.refuses` and `Format.records` read of a row."""

    def documents(contents: list[Content]) -> list[dict[str, Any]]:
        return [{"doc_id": str(i), "content": c} for i, c in enumerate(contents)]

    return {
        "instruction": "Find it.",
        "query": query,
        "positives": documents(positives),
        "negatives": documents(negatives),
        "in_batch_negatives": in_batch,
    }
