"""Instructions and task types: a sub-data-set has one instruction (docs/mining.md)."""

from __future__ import annotations

import pyarrow as pa

from pipeline.errors import DataError

MOST = 1000  # instructions of a data set: as many corpora are searched


class TaskTypes:
    """Names the task type of each item. Queries without one are of the type that bears the data set's name."""

    def __init__(self, name: str, instruction: str) -> None:
        self.name, self.default = name, instruction
        self.instructions: dict[str, str] = {}  # by task type
        self.variants: dict[str, str] = {}  # of a data set without task types: type by instruction

    def named(self, items: pa.Table, asks: bool) -> pa.Table:
        """`items` (columns ITEMS) with their task types. asks: whether they are queries; a document
        that nobody gave a task type or instruction serves all.

        Raises DataError when a task type has two instructions, or there are more than MOST.
        """
        given = items.column("task_type").to_pylist()
        told = items.column("instruction").to_pylist()
        usable = items.column("reason").is_null().to_pylist()
        types = [
            self._of(t, i, where) if asks and ok else self._of_document(t, i)
            for t, i, ok, where in zip(given, told, usable, items.column("where").to_pylist(), strict=True)
        ]
        at = items.column_names.index("task_type")
        return items.set_column(at, "task_type", pa.array(types, pa.string()))

    def _of_document(self, task_type: str | None, instruction: str | None) -> str | None:
        if task_type is not None or instruction is None:
            return task_type
        return self.variants.get(instruction)

    def _of(self, task_type: str | None, instruction: str | None, where: str) -> str:
        told = instruction or self.default
        if task_type is None:
            if told not in self.variants:
                n = len(self.variants) + 1
                self.variants[told] = self.name if n == 1 else f"{self.name} ({n})"
            task_type = self.variants[told]
        known = self.instructions.setdefault(task_type, told)
        if known != told:
            raise DataError(
                f"{where}: task type {task_type!r} has the instructions {known!r} and {told!r}; "
                "give each a task type of its own"
            )
        if len(self.instructions) > MOST:
            raise DataError(
                f"{where}: more than {MOST} instructions or task types; an instruction says what relevant means for a "
                "whole sub-data-set: put what differs from query to query into the query"
            )
        return task_type
