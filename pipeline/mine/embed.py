"""Queries and documents -> vectors, each content once an instruction, from the cache where it can be."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.config import FrameSettings
from pipeline.errors import MediaError, ModelError
from pipeline.media.frames import FrameStore
from pipeline.media.places import MediaRoot
from pipeline.mine.embedding_cache import EmbeddingCache, Keys, as_matrix
from pipeline.mine.ragged import Bools
from pipeline.models.protocols import Embedder, Item, Vectors
from pipeline.schemas import content_fields
from pipeline.stage import ModelRef, Progress, Resources, Runner, Stage, dead, live, rejects
from pipeline.store.fingerprint import fingerprint
from pipeline.store.resume import chunked, forget, resumable_map

NAME = "embed"
KEYED_AT_ONCE = 8192  # rows held as Python objects
CONTENT = tuple(f.name for f in content_fields())
READS = ("asset_id", *CONTENT, "instruction")
ADDS = pa.schema([pa.field("vector", pa.list_(pa.float32()))])


@dataclass(frozen=True)
class EmbedSource:
    """What embedding needs beside the model: where media and frames lie, and which model is meant."""

    out: Path
    media_root: MediaRoot | None
    frames: FrameSettings
    model_fingerprint: str

    @property
    def cache(self) -> Path:
        """Where sampled frames and vectors are kept."""
        return self.out / "cache"

    def embeddings(self) -> EmbeddingCache:
        """The cache of this model's vectors; its folder is named by a hash, for a fingerprint may hold any text."""
        name = hashlib.sha256(self.model_fingerprint.encode()).hexdigest()[:16]
        return EmbeddingCache(self.cache / "embeddings" / name)


@dataclass(frozen=True)
class Embedded:
    """Vectors of N rows; a row that could not be read has zeros and a reject."""

    vectors: Vectors  # [N, dim]
    readable: Bools  # [N]
    reject: NDArray[np.object_]  # [N], {stage, reason, detail} or None


def embedding(source: EmbedSource, model: ModelRef) -> Stage:
    """The stage that adds `vector`."""
    rows = Resources(batch_rows=model.settings.batch_size)
    return Stage(NAME, embed_contents, source, READS, ADDS, model=model, resources=rows)


def embed_contents(table: pa.Table, source: EmbedSource, embedder: Embedder) -> pa.Table:
    """Add `vector`, float32 of length 1; a content whose medium cannot be read is rejected with its reason.

    Raises ModelError when the worker's model is not the one whose cache is filled.
    """
    if embedder.fingerprint != source.model_fingerprint:
        raise ModelError(
            f"the worker loaded embedder {embedder.fingerprint}, the run began with {source.model_fingerprint}; "
            "install the same models on every machine"
        )
    rows = table.to_pylist()
    items: list[Item | None] = []
    verdicts: list[tuple[str, str] | None] = []
    for row in rows:
        try:
            items.append(item_of(row, source))
            verdicts.append(None)
        except MediaError as error:
            items.append(None)
            verdicts.append((error.reason, error.detail))
    vectors: list[NDArray[np.float32] | None] = [None] * len(rows)
    for instruction in dict.fromkeys(row["instruction"] for row in rows):
        chosen = [i for i, item in enumerate(items) if item is not None and rows[i]["instruction"] == instruction]
        if chosen:
            embedded = embedder.embed([item for i in chosen if (item := items[i]) is not None], instruction)
            for i, vector in zip(chosen, embedded, strict=True):
                vectors[i] = vector
    return pa.table({"vector": pa.array(vectors, ADDS.field("vector").type), "reject": rejects(NAME, verdicts)})


def item_of(row: dict[str, Any], source: EmbedSource) -> Item:
    """What a model reads of a content. Raises MediaError when its medium cannot be read."""
    uri = row["image"] or row["video"]
    if uri is None:
        return Item(text=_text(row))
    if source.media_root is None:
        raise MediaError("missing", f"{uri!r}: the data set names no media_root; pass --media-root")
    store = FrameStore(source.cache, source.media_root, source.frames)
    medium = "image" if row["image"] else "video"
    return Item(_text(row), store.get(row["asset_id"], uri, medium, row["start_s"], row["end_s"]))


def _text(row: dict[str, Any]) -> str | None:
    return None if row["text"] is None else str(row["text"])


def embed(
    contents: pa.Table, sha256: pa.Array, source: EmbedSource, model: ModelRef, run: Runner, progress: Progress
) -> Embedded:
    """Embed each row of `contents` (columns READS) with its instruction.

    `asset_id` names a whole asset of the pool, whose frames may be cached; null otherwise.
    sha256: string [N], of each row's file, null where unknown. Rows that ask the same are embedded
    once; what the cache holds is not embedded at all. A killed run goes on.
    """
    keys = Keys(source.frames, source.media_root)
    names, frames = _names(contents, sha256, keys)
    contents = contents.set_column(contents.column_names.index("asset_id"), "asset_id", frames)
    coded = names.combine_chunks().dictionary_encode()
    unique, position = coded.dictionary, coded.indices.to_numpy()
    _, first = np.unique(position, return_index=True)
    known = source.embeddings()
    blocks = list(known.find(unique))
    missing = np.ones(len(unique), bool)
    for at, _ in blocks:
        missing[at] = False
    asked = contents.take(pa.array(first[missing])).append_column("key", unique.filter(pa.array(missing)))
    why = np.full(len(unique), None, object)
    if len(asked):
        for row in _embed_missing(asked, source, model, run, progress):
            why[pc.index(unique, row["key"]).as_py()] = row["reject"]
        blocks = list(known.find(unique))
    dim = blocks[0][1].shape[1] if blocks else 0
    matrix, readable = np.zeros((len(unique), dim), np.float32), np.zeros(len(unique), bool)
    for at, block in blocks:
        matrix[at], readable[at] = block, True
    return Embedded(matrix[position], readable[position], why[position])


def _names(contents: pa.Table, sha256: pa.Array, keys: Keys) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """The key of each content, and the id that its frames are cached under (null for a text)."""
    names, frames = [pa.array([], pa.string())], [pa.array([], pa.string())]
    for start in range(0, len(contents), KEYED_AT_ONCE):
        rows = contents.slice(start, KEYED_AT_ONCE).to_pylist()
        pairs = list(zip(rows, sha256.slice(start, KEYED_AT_ONCE).to_pylist(), strict=True))
        names.append(pa.array([keys.of(r, h) for r, h in pairs], pa.string()))
        ids = [r["asset_id"] or (keys.frames_id(r, h) if r["image"] or r["video"] else None) for r, h in pairs]
        frames.append(pa.array(ids, pa.string()))
    return pa.chunked_array(names), pa.chunked_array(frames)


def _embed_missing(
    asked: pa.Table, source: EmbedSource, model: ModelRef, run: Runner, progress: Progress
) -> list[dict[str, Any]]:
    """Fill the cache with the rows `asked` (READS and `key`); returns `key` and `reject` of those it cannot."""
    name = fingerprint(keys=asked.column("key").to_pylist(), model=source.model_fingerprint)
    work = source.out / ".work" / f"{NAME}-{name}"
    done = resumable_map(run, [embedding(source, model)], chunked(asked), work, progress).read()
    fresh = live(done)
    if len(fresh):
        source.embeddings().add(fresh.column("key").combine_chunks(), as_matrix(fresh.column("vector")))
    forget(work)
    lost: list[dict[str, Any]] = dead(done).select(["key", "reject"]).to_pylist()
    return lost
