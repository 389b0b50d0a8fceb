"""Vectors that somebody made -> matrices on disk in the order of a task's tables. No model is loaded."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.atomic import NO_ROOM
from pipeline.errors import DataError, UsageError
from pipeline.mine.embed import Embedded
from pipeline.mine.mine_vectors import LENGTH_TOLERANCE
from pipeline.mine.ragged import Bools
from pipeline.models.protocols import Vectors
from pipeline.store.fingerprint import fingerprint

FILES = {"queries": "queries_vectors.parquet", "corpus": "corpus_vectors.parquet"}
BATCH_ROWS = 8192
SHOWN = 3  # ids of each kind of mistake that a message names


@dataclass(frozen=True)
class GivenVectors:
    """A folder with `queries_vectors.parquet` and `corpus_vectors.parquet`: `id` text, `vector` a list of floats."""

    folder: Path

    def paths(self) -> dict[str, Path]:
        """The two files. Raises UsageError when one is missing."""
        paths = {part: self.folder / name for part, name in FILES.items()}
        for path in paths.values():
            if not path.is_file():
                raise UsageError(
                    f"--embeddings {self.folder}: {path.name} is not there; it holds id and vector of each"
                )
        return paths

    @property
    def fingerprint(self) -> str:
        """Changes when a file may have."""
        stats = {part: path.stat() for part, path in self.paths().items()}
        return "given-" + fingerprint(files=[[p, s.st_size, s.st_mtime_ns] for p, s in stats.items()])

    def of(self, queries: pa.ChunkedArray, corpus: pa.ChunkedArray, work: Path) -> tuple[Embedded, Embedded]:
        """The vectors of query and document ids, as `read` gives them.

        Raises DataError also when queries and documents have vectors of different widths.
        """
        one, two = (
            self.read(part, ids.combine_chunks(), work) for part, ids in (("queries", queries), ("corpus", corpus))
        )
        widths = one.vectors.shape[1], two.vectors.shape[1]
        if widths[0] != widths[1]:
            raise DataError(
                f"{self.folder}: vectors of queries have {widths[0]} numbers, those of documents {widths[1]}; "
                "embed both with one model"
            )
        return one, two

    def read(self, part: str, ids: pa.Array, work: Path) -> Embedded:
        """The vectors of `ids` (string [N]), row i that of id i: float32 or float16, mapped from a file in `work`.

        part: queries | corpus. A file is read a batch at a time; vectors of other ids are passed over.
        Raises DataError that names every kind of mistake, with ids: a missing or repeated one, a vector
        of another width, one that is not finite, zero, or not of length 1.
        """
        path = self.paths()[part]
        try:
            with pq.ParquetFile(path, pre_buffer=False) as file:  # else it holds all it has read
                dtype = _dtype(file.schema_arrow, path)
                matrix, seen, mistakes = _Reader(file, path, ids, dtype, work / f"{part}.vectors").read()
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            if isinstance(error, OSError) and error.errno in NO_ROOM:
                raise
            raise DataError(f"{path} cannot be read ({' '.join(str(error).split())}); write it again") from error
        mistakes.note("have no vector", ids.filter(pa.array(~seen)), "embed them too, or take them out")
        mistakes.raise_for(path, ids)
        return Embedded(matrix, np.ones(len(ids), bool), np.full(len(ids), None, object))


@dataclass
class _Mistakes:
    """What is wrong, with the number of ids, the first of them, and what to do."""

    found: dict[str, tuple[int, list[str], str]] = field(default_factory=dict)

    def note(self, what: str, ids: pa.Array | pa.ChunkedArray, fix: str) -> None:
        if len(ids):
            count, shown, _ = self.found.get(what, (0, [], fix))
            more = [str(i) for i in ids.slice(0, max(0, SHOWN - len(shown))).to_pylist()]
            self.found[what] = (count + len(ids), [*shown, *more], fix)

    def raise_for(self, path: Path, ids: pa.Array) -> None:
        if self.found:
            said = "; ".join(
                f"{n} ids {what} ({', '.join(repr(i) for i in shown)}{', ...' if n > len(shown) else ''}): {fix}"
                for what, (n, shown, fix) in self.found.items()
            )
            raise DataError(f"{path} against {len(ids)} ids of the data set: {said}")


def _dtype(schema: pa.Schema, path: Path) -> type[np.float16] | type[np.float32]:
    """What the vectors are kept as. Raises DataError when the columns are others."""
    missing = [c for c in ("id", "vector") if c not in schema.names]
    if missing:
        raise DataError(f"{path} lacks the column {missing[0]!r}; it holds {', '.join(schema.names)}")
    kind = schema.field("vector").type
    lists = pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind)
    if not lists or not pa.types.is_floating(kind.value_type):
        raise DataError(f"{path}: 'vector' is {kind}; write lists of float32 or float16")
    kind = schema.field("id").type
    if not any(is_one(kind) for is_one in (pa.types.is_string, pa.types.is_large_string, pa.types.is_integer)):
        raise DataError(f"{path}: 'id' is {kind}; write ids as text")
    return np.float16 if pa.types.is_float16(schema.field("vector").type.value_type) else np.float32


class _Reader:
    """Scatters the rows of one file into a matrix on disk."""

    def __init__(
        self, file: pq.ParquetFile, path: Path, ids: pa.Array, dtype: type[np.float16] | type[np.float32], target: Path
    ) -> None:
        self.file, self.path, self.ids, self.dtype, self.target = file, path, ids, dtype, target
        self.seen: Bools = np.zeros(len(ids), bool)
        self.mistakes = _Mistakes()
        self.matrix: NDArray[np.float16] | NDArray[np.float32] | None = None

    def read(self) -> tuple[Vectors, Bools, _Mistakes]:
        position = _positions(self.ids, self.file)
        start = 0
        for batch in self.file.iter_batches(batch_size=BATCH_ROWS, columns=["id", "vector"]):
            at = position[start : start + len(batch)]
            start += len(batch)
            known = at >= 0
            if known.any():
                self._scatter(batch.filter(pa.array(known)), at[known])
        if self.matrix is None:
            return np.zeros((len(self.ids), 0), np.float32), self.seen, self.mistakes
        self.matrix.flush()  # type: ignore[union-attr]  # a memmap
        return self.matrix, self.seen, self.mistakes  # type: ignore[return-value]  # numbers of half precision too

    def _scatter(self, batch: pa.RecordBatch, at: NDArray[np.int64]) -> None:
        ids, lists, bad = batch.column("id"), batch.column("vector"), np.zeros(len(batch), bool)

        def refuse(what: str, wrong: Bools, fix: str) -> None:
            self.mistakes.note(what, ids.filter(pa.array(wrong & ~bad)), fix)
            bad[:] |= wrong

        first = np.zeros(len(at), bool)
        first[np.unique(at, return_index=True)[1]] = True
        refuse("stand twice", self.seen[at] | ~first, "write each vector once")
        self.seen[at] = True
        lengths = pc.fill_null(pc.list_value_length(lists), -1).to_numpy(zero_copy_only=False).astype(np.int64)
        if self.matrix is None and not (lengths > 0).any():
            refuse("have an empty vector", lengths <= 0, "embed them again, or take them out")
            return
        if self.matrix is None:
            self.matrix = _matrix(self.target, self.dtype, len(self.ids), int(lengths[lengths > 0][0]))
        width = self.matrix.shape[1]
        refuse(f"have a vector of another width than {width}, that of the first", lengths != width, "use one model")
        good = np.flatnonzero(~bad)
        values = _values(lists.take(pa.array(good)), width, self.dtype)
        exact = values.astype(np.float32, copy=False)
        norms = np.full(len(batch), 1.0, np.float32)
        norms[good] = np.sqrt(np.einsum("nd,nd->n", exact, exact))
        refuse("have NaN or an infinity in their vector", ~np.isfinite(norms), "find out why the model gave it")
        refuse("have a vector of zeros", norms == 0, "embed them again, or take them out")
        refuse("have a vector that is not of length 1", np.abs(norms - 1) > LENGTH_TOLERANCE, "divide by the length")
        stays = ~bad[good]
        self.matrix[at[good][stays]] = values[stays]


def _matrix(
    target: Path, dtype: type[np.float16] | type[np.float32], n: int, width: int
) -> NDArray[np.float16] | NDArray[np.float32]:
    """A file of zeros [n, width], mapped. Its blocks are taken at once: a full disk is an error now, no crash later."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        size = n * width * np.dtype(dtype).itemsize
        if sys.platform == "linux":
            os.posix_fallocate(file.fileno(), 0, size)
        file.truncate(size)
    return np.memmap(target, dtype, "r+", shape=(n, width))


def _positions(ids: pa.Array, file: pq.ParquetFile) -> NDArray[np.int64]:
    """For each row of the file its position in `ids`, -1 for another id: narrow, so looked up at once."""
    named = file.read(columns=["id"]).column("id").cast(pa.string())
    return np.asarray(pc.fill_null(pc.index_in(named, ids, skip_nulls=True), -1).to_numpy(), np.int64)


def _values(lists: pa.Array, width: int, dtype: Callable[..., object]) -> NDArray[np.float16] | NDArray[np.float32]:
    flat = pc.list_flatten(lists)
    return np.asarray(flat.fill_null(float("nan")).to_numpy(zero_copy_only=False), dtype).reshape(len(lists), width)  # type: ignore[call-overload, no-any-return]
