"""What a reranker says of pairs: raw logits, each pair once, from the cache where it can be."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pyarrow as pa

from pipeline.errors import MediaError, ModelError
from pipeline.mine.embed import EmbedSource, item_of
from pipeline.mine.embedding_cache import EmbeddingCache, Keys
from pipeline.mine.ragged import Ints
from pipeline.mine.settle import Part
from pipeline.mine.top_k import Scores
from pipeline.models.protocols import Item, Reranker
from pipeline.schemas import CONTENT
from pipeline.stage import ModelRef, Progress, Resources, Runner, Stage, live, rejects
from pipeline.store.fingerprint import fingerprint
from pipeline.store.resume import forget, resumable_map

NAME = "rerank"
ADDS = pa.schema([pa.field("logit", pa.float32())])
ASKED = pa.schema(
    [
        pa.field("key", pa.string()),
        pa.field("instruction", pa.string()),
        pa.field("query", CONTENT),
        pa.field("query_frames", pa.string()),  # the id its frames are cached under; null for a text
        pa.field("document", CONTENT),
        pa.field("document_frames", pa.string()),
    ]
)
PAIRS_A_CHUNK = 8192  # held as Python objects at once


def reranking(source: EmbedSource, model: ModelRef) -> Stage:
    """The stage that adds `logit`."""
    rows = Resources(batch_rows=model.settings.batch_size)
    return Stage(NAME, rerank_pairs, source, tuple(ASKED.names[1:]), ADDS, model=model, resources=rows)


def rerank_pairs(table: pa.Table, source: EmbedSource, reranker: Reranker) -> pa.Table:
    """Add `logit`, float32; a pair with a medium that cannot be read is rejected with its reason.

    Raises ModelError when the worker's model is not the one whose cache is filled.
    """
    if reranker.fingerprint != source.model_fingerprint:
        raise ModelError(
            f"the worker loaded reranker {reranker.fingerprint}, the run began with {source.model_fingerprint}; "
            "install the same models on every machine"
        )
    pairs: list[tuple[str, Item, Item]] = []
    verdicts: list[tuple[str, str] | None] = []
    for row in table.to_pylist():
        try:
            query, document = (
                item_of({**row[side], "asset_id": row[f"{side}_frames"]}, source) for side in ("query", "document")
            )
        except MediaError as error:
            verdicts.append((error.reason, error.detail))
        else:
            pairs.append((row["instruction"], query, document))
            verdicts.append(None)
    logits = np.full(len(verdicts), np.nan, np.float32)
    readable = np.array([v is None for v in verdicts], bool)
    if pairs:
        logits[readable] = reranker.score(pairs)
    column = pa.array(logits, pa.float32(), mask=~readable)
    return pa.table({"logit": column, "reject": rejects(NAME, verdicts)})


@dataclass(frozen=True)
class PairScorer:
    """The logits of one task's pairs.

    contents: queries, then documents, with the columns `embed.READS`. sha256: string, of each one's
    file, null where unknown. source: of the reranker.
    """

    contents: pa.Table
    sha256: pa.Array
    queries: int
    source: EmbedSource
    model: ModelRef
    run: Runner
    progress: Progress

    @cached_property
    def _keys(self) -> Keys:
        return Keys(self.source.frames, self.source.media_root)

    @property
    def _cache(self) -> EmbeddingCache:
        """A logit is kept as a vector of one value."""
        name = hashlib.sha256(self.source.model_fingerprint.encode()).hexdigest()[:16]
        return EmbeddingCache(self.source.cache / "logits" / name)

    def logits(self, query: Ints, document: Ints) -> Scores:
        """Raw logits, float32 [P], NaN for a pair that cannot be read.

        query, document: int64 [P], rows of the task's tables. Pairs of the same contents and instruction are
        scored once; a killed run goes on.
        """
        if len(query) == 0:
            return np.zeros(0, np.float32)
        used, at = np.unique(np.concatenate([query, document + self.queries]), return_inverse=True)
        names = np.array(self._names(used), object)
        both = [hashlib.sha256(f"{a} {b}".encode()).hexdigest() for a, b in zip(*np.split(names[at], 2), strict=True)]
        coded = pa.array(both, pa.string()).dictionary_encode()
        keys, position = coded.dictionary, coded.indices.to_numpy()
        found = self._found(keys)
        missing = np.flatnonzero(np.isnan(found))
        if len(missing):
            _, first = np.unique(position, return_index=True)
            pairs = first[missing]
            self._score(query[pairs], document[pairs], keys.take(pa.array(missing)))
            found = self._found(keys)
        return np.asarray(found[position], np.float32)

    def _names(self, rows: Ints) -> list[str]:
        """The key of each content, with its instruction where it is a query."""
        told = self.contents.take(pa.array(rows)).to_pylist()
        hashes = self.sha256.take(pa.array(rows)).to_pylist()
        return [self._keys.of(row, sha256) for row, sha256 in zip(told, hashes, strict=True)]

    def _found(self, keys: pa.Array) -> Scores:
        """What the cache holds, NaN elsewhere."""
        found = np.full(len(keys), np.nan, np.float32)
        for at, block in self._cache.find(keys):
            found[at] = block[:, 0]
        return found

    def _score(self, query: Ints, document: Ints, keys: pa.Array) -> None:
        """Ask the model for pairs that the cache lacks, and keep what it says."""
        name = fingerprint(keys=keys.to_pylist(), model=self.source.model_fingerprint)
        work = self.source.out / ".work" / f"{NAME}-{name}"
        stages = [reranking(self.source, self.model)]
        done = resumable_map(self.run, stages, self._asked(query, document, keys), work, self.progress)
        for table in done.tables(["key", "logit", "reject"]):
            fresh = live(table)
            logits = fresh.column("logit").combine_chunks().to_numpy(zero_copy_only=False)
            self._cache.add(fresh.column("key").combine_chunks(), logits.astype(np.float32)[:, None])
        forget(work)

    def _asked(self, query: Ints, document: Ints, keys: pa.Array) -> Iterator[pa.Table]:
        for start in range(0, len(query), PAIRS_A_CHUNK):
            some = slice(start, start + PAIRS_A_CHUNK)
            sides = [self._side(rows) for rows in (query[some], document[some] + self.queries)]
            instruction = self.contents.column("instruction").take(pa.array(query[some])).combine_chunks()
            columns = [keys.slice(start, PAIRS_A_CHUNK), instruction, *sides[0], *sides[1]]
            yield pa.Table.from_arrays(columns, schema=ASKED)

    def _side(self, rows: Ints) -> tuple[pa.StructArray, pa.Array]:
        told = self.contents.take(pa.array(rows)).combine_chunks()
        hashes = self.sha256.take(pa.array(rows)).to_pylist()
        frames = [
            row["asset_id"] or (self._keys.frames_id(row, sha256) if row["image"] or row["video"] else None)
            for row, sha256 in zip(told.to_pylist(), hashes, strict=True)
        ]
        fields = [told.column(f.name).combine_chunks() for f in CONTENT]
        return pa.StructArray.from_arrays(fields, fields=list(CONTENT)), pa.array(frames, pa.string())


def with_logits(parts: Sequence[Part], scorer: PairScorer) -> list[Part]:
    """The same with the logit of every positive and negative."""
    told = []
    for part in parts:
        refined = part.mined.refined
        lists = (refined.positives, refined.negatives)
        asked = [(part.query_rows[j.rows], j.documents) for j in lists]
        every = scorer.logits(*(np.concatenate([pair[i] for pair in asked]) for i in (0, 1)))
        split = np.split(every, [len(refined.positives.documents)])
        positives, negatives = (replace(j, logits=x) for j, x in zip(lists, split, strict=True))
        told.append(part.with_refined(replace(refined, positives=positives, negatives=negatives)))
    return told
