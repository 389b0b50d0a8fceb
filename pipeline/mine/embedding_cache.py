"""Vectors that were paid for, on disk: one folder an embedder, one row a (content, instruction)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.atomic import replacing
from pipeline.config import FrameSettings
from pipeline.media.places import MediaRoot
from pipeline.media.urls import is_url
from pipeline.mine.ragged import Ints
from pipeline.models.protocols import Vectors
from pipeline.store.shards import shard_paths

SCHEMA = pa.schema([pa.field("key", pa.string()), pa.field("vector", pa.list_(pa.float32()))])


@dataclass(frozen=True)
class Keys:
    """Names what an embedder is asked, so that equal keys mean equal vectors of one embedder."""

    frames: FrameSettings
    media_root: MediaRoot | None

    def of(self, row: dict[str, object], sha256: str | None) -> str:
        """The key of a content with its `instruction`. sha256: of its file, None where unknown.

        A file counts by its bytes where they are known, else by name, size and time of change.
        """
        parts: list[object] = [row["text"], row["instruction"]]
        if row["image"] or row["video"]:
            parts += [*self._span(row, sha256), self.frames.model_dump(mode="json", exclude={"fetch"})]
        return _hash(parts)

    def frames_id(self, row: dict[str, object], sha256: str | None) -> str:
        """A name for the frames of a content that is no asset of the pool, in the place of its asset id."""
        return _hash(self._span(row, sha256))

    def _span(self, row: dict[str, object], sha256: str | None) -> list[object]:
        medium = "image" if row["image"] else "video"
        return [medium, sha256 or self._identity(str(row[medium])), row["start_s"], row["end_s"]]

    def _identity(self, uri: str) -> list[object]:
        if self.media_root is None or is_url(uri):
            return [uri]
        if isinstance(self.media_root, str):
            return [self.media_root, uri]
        try:
            status = (self.media_root / uri).stat()
        except (OSError, ValueError):  # reading it will say why, and a reject is never cached
            return [uri]
        return [str(self.media_root), uri, status.st_size, status.st_mtime_ns]


def _hash(parts: list[object]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class EmbeddingCache:
    """The vectors of one embedder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, keys: pa.Array) -> Iterator[tuple[Ints, Vectors]]:
        """Yield (positions in `keys`, vectors [n, dim]) of what is there, a file at a time.

        keys: unique strings. A damaged file counts as absent and is deleted: it can be made again.
        """
        for path in shard_paths(self.folder):
            try:
                at = pc.index_in(pq.read_table(path, columns=["key"]).column("key"), keys)
                if at.null_count == len(at):
                    continue
                hit = pc.is_valid(at)
                vectors = pq.read_table(path, columns=["vector"]).filter(hit).column("vector")
            except (pa.ArrowException, OSError):
                path.unlink(missing_ok=True)
                continue
            yield at.filter(hit).to_numpy().astype(np.int64), as_matrix(vectors)

    def add(self, keys: pa.Array, vectors: Vectors) -> None:
        """Keep the vectors of `keys`; whole, or after a crash not at all."""
        if len(keys) == 0:
            return
        name = hashlib.sha256("".join(keys.to_pylist()).encode()).hexdigest()[:32]
        offsets = np.arange(len(vectors) + 1, dtype=np.int32) * vectors.shape[1]
        lists = pa.ListArray.from_arrays(pa.array(offsets), pa.array(vectors.ravel(), pa.float32()))
        with replacing(self.folder / f"part-{name}.parquet") as temporary:
            pq.write_table(pa.Table.from_arrays([keys, lists], schema=SCHEMA), temporary, compression="zstd")


def as_matrix(column: pa.ChunkedArray) -> Vectors:
    """Lists of equal length as float32 [N, dim]."""
    flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return np.asarray(flat, np.float32).reshape(len(column), -1)
