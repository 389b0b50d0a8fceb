"""Perceptual hashes of documents whose media no seed pool knows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import MediaError
from pipeline.media.fingerprint import perceptual_hash
from pipeline.media.frames import FrameStore
from pipeline.media.jpeg import decode_jpeg
from pipeline.mine.embed import EmbedSource
from pipeline.mine.embedding_cache import Keys
from pipeline.mine.ragged import Ragged
from pipeline.stage import Progress, Runner, Stage, numbered, rejects

NAME = "fingerprint"
FLAT = 2.0  # standard deviation of a channel, of 0..255: a picture of one colour has no look to compare
READS = ("image", "video", "start_s", "end_s")
ADDS = pa.schema([pa.field("fingerprints", pa.list_(pa.uint64()))])


@dataclass(frozen=True)
class Looks:
    """Perceptual hashes by document; `unknown`: documents whose medium cannot be read, by reason."""

    fingerprints: Ragged
    unknown: dict[str, int]


def looking(source: EmbedSource) -> Stage:
    """The stage that adds `fingerprints`."""
    return Stage(NAME, look, source, READS, ADDS)


def look(table: pa.Table, source: EmbedSource) -> pa.Table:
    """Add the hash of each frame that embedding samples, from the cache where it has been."""
    if source.media_root is None:
        why = ("missing", "the data set names no media_root; pass --media-root")
        nothing = pa.nulls(len(table), ADDS.field("fingerprints").type)
        return pa.table({"fingerprints": nothing, "reject": rejects(NAME, [why] * len(table))})
    store, keys = FrameStore(source.cache, source.media_root, source.frames), Keys(source.frames, source.media_root)
    codes: list[list[int] | None] = []
    verdicts: list[tuple[str, str] | None] = []
    for row in table.to_pylist():
        medium = "image" if row["image"] else "video"
        try:
            pixels = store.get(keys.frames_id(row, None), row[medium], medium, row["start_s"], row["end_s"])
            pictures = [decode_jpeg(frame) for frame in pixels.frames]
            codes.append([perceptual_hash(p) for p in pictures if p.std(axis=(0, 1)).max() >= FLAT])
            verdicts.append(None)
        except MediaError as error:
            codes.append(None)
            verdicts.append((error.reason, error.detail))
    return pa.table(
        {"fingerprints": pa.array(codes, ADDS.field("fingerprints").type), "reject": rejects(NAME, verdicts)}
    )


def looks(corpus: pa.Table, source: EmbedSource, run: Runner, progress: Progress) -> Looks:
    """The hashes of all documents with a medium; a text has none, nor has what cannot be read."""
    there = pc.or_(pc.is_valid(corpus.column("image")), pc.is_valid(corpus.column("video")))
    rows = np.flatnonzero(there.to_numpy(zero_copy_only=False))
    lengths, values, unknown = np.zeros(len(corpus), np.int64), [np.zeros(0, np.int64)], dict[str, int]()
    if len(rows):
        asked = numbered(corpus.select(list(READS)).take(pa.array(rows)))
        done = 0
        try:
            for batch in run.map([looking(source)], asked, progress):
                lists = batch.column("fingerprints").combine_chunks()
                lengths[rows[done : done + len(batch)]] = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
                values.append(pc.list_flatten(lists).to_numpy(zero_copy_only=False).astype(np.uint64).view(np.int64))
                done += len(batch)
                for said in pc.value_counts(pc.struct_field(batch.column("reject"), "reason")).to_pylist():
                    if said["values"] is not None:
                        unknown[said["values"]] = unknown.get(said["values"], 0) + said["counts"]
        finally:
            progress.end()
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Looks(Ragged(offsets, np.concatenate(values)), dict(sorted(unknown.items())))
