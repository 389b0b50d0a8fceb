"""Several data sets as one: ids and task types bear the name of the one they come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from pipeline.mine.datasets.items import Item, Judgement
from pipeline.mine.datasets.source import Source


@dataclass(frozen=True)
class Several:
    """Sources by name, one after the other; `name/id` names an item, the source's name is its task type."""

    sources: Mapping[str, Source]

    def queries(self) -> Iterator[Item]:
        for name, source in self.sources.items():
            yield from (_named(item, name) for item in source.queries())

    def corpus(self) -> Iterator[Item]:
        for name, source in self.sources.items():
            yield from (_named(item, name) for item in source.corpus())

    def judgements(self) -> Iterator[Judgement]:
        for name, source in self.sources.items():
            for j in source.judgements():
                yield replace(j, query_id=f"{name}/{j.query_id}", doc_id=f"{name}/{j.doc_id}")


def _named(item: Item, name: str) -> Item:
    verdict = item.verdict
    if verdict is None and item.task_type is not None:
        verdict = (
            "two_task_types",
            f"{item.where} has the task type {item.task_type!r}, in one of several data sets; mine that alone",
        )
    return replace(item, id=f"{name}/{item.id}", task_type=name, verdict=verdict)
