"""Every Arrow schema that flows between rooms: the only place where a column is defined.

Units stand in the names (`_px`, `_s`); fps is frames per second. Spans are seconds from the
first frame of the file, `start_s` inclusive, `end_s` exclusive. A null means "does not apply"
or "not known yet", never zero.
"""

from __future__ import annotations

import pyarrow as pa


def content_fields() -> list[pa.Field]:
    """The five fields of a Content; flat in `queries` and `corpus`, nested in `train`."""
    return [
        pa.field("text", pa.string()),
        pa.field("image", pa.string()),
        pa.field("video", pa.string()),
        pa.field("start_s", pa.float64()),
        pa.field("end_s", pa.float64()),
    ]


CONTENT = pa.struct(content_fields())
REJECT = pa.struct([("stage", pa.string()), ("reason", pa.string()), ("detail", pa.string())])
# What asking a VLM about a row has cost (`models.protocols.Usage`): on its way to a summary, in no data set.
USAGE = pa.field(
    "usage",
    pa.struct([(name, pa.int64()) for name in ("requests", "cached", "input_tokens", "output_tokens")]),
)
# One guess of a classifier, with what a dictionary knows of it: `class_id` indexes the model's
# class list, probability is 0..1, `hypernym` is the direct parent, `confusable` a sibling leaf
# class that is surely not true of the picture, `confusable_gloss` its definition (null: none).
LABEL_GUESS = pa.struct(
    [
        ("class_id", pa.int32()),
        ("name", pa.string()),
        ("probability", pa.float32()),
        ("gloss", pa.string()),
        ("hypernym", pa.string()),
        ("confusable", pa.string()),
        ("confusable_gloss", pa.string()),
    ]
)

# One cue of a subtitle file: seconds of the video file.
CUE = pa.struct([("start_s", pa.float64()), ("end_s", pa.float64()), ("text", pa.string())])
# What a model of the user's choice thinks of an asset; `name` is the scorer's.
SCORE = pa.struct([("name", pa.string()), ("score", pa.float32())])

_IDENTITY = [
    pa.field("asset_id", pa.string()),
    pa.field("uri", pa.string()),
    pa.field("media", pa.string()),  # image | video
    pa.field("width_px", pa.int32()),  # as displayed: after EXIF or container rotation
    pa.field("height_px", pa.int32()),
    pa.field("duration_s", pa.float64()),
    pa.field("fps", pa.float64()),
    pa.field("start_s", pa.float64()),
    pa.field("end_s", pa.float64()),
    pa.field("sha256", pa.string()),  # of the whole file: says which segments share a source
]
# What came with a medium, before anything was measured; text of strangers, never instructions.
_GIVEN = [
    pa.field("source_caption", pa.string()),
    pa.field("given_label", pa.string()),
    pa.field("licence", pa.string()),
    pa.field("author", pa.string()),
    pa.field("origin", pa.string()),  # a page or collection
    pa.field("source_language", pa.string()),  # of caption, label and cues, as somebody wrote it
    pa.field("cues", pa.list_(CUE)),  # of a segment those that overlap it, in time order
    pa.field("sidecar_problem", pa.string()),  # what came with it and cannot be used: a line each, `code uri: detail`
]
_KNOWLEDGE = [
    pa.field("scores", pa.list_(SCORE)),  # in the order of seed_pool.scorers; null without any
    pa.field("category", pa.string()),  # "Group/category" of configs/taxonomy.yaml
    pa.field("category_confidence", pa.float32()),  # 0..1
    pa.field("description", pa.string()),
    pa.field("alignment", pa.float32()),  # calibrated cosine, -1..1
    pa.field("fingerprints", pa.list_(pa.uint64())),  # 64-bit perceptual hash of each sampled frame
    pa.field("facts", pa.string()),  # media.facts.Facts as JSON: what was measured on the pixels
    pa.field("labels", pa.list_(LABEL_GUESS)),  # most probable first; empty when the annotator is a VLM
]
_REJECTION = [
    pa.field("stage", pa.string()),
    pa.field("reason", pa.string()),
    pa.field("detail", pa.string()),
]
_SUB_DATASET = [pa.field("task_type", pa.string()), pa.field("language", pa.string())]

ASSETS = pa.schema([*_IDENTITY, *_GIVEN, *_KNOWLEDGE])
ASSETS_REJECTED = pa.schema([*_IDENTITY, *_GIVEN, *_KNOWLEDGE, *_REJECTION])

QUERIES = pa.schema(
    [pa.field("query_id", pa.string()), *content_fields(), pa.field("asset_id", pa.string()), *_SUB_DATASET]
)
CORPUS = pa.schema(
    [pa.field("doc_id", pa.string()), *content_fields(), pa.field("asset_id", pa.string()), *_SUB_DATASET]
)
RELEVANCE = pa.schema(
    [
        pa.field("query_id", pa.string()),
        pa.field("doc_id", pa.string()),
        pa.field("relevance", pa.int8()),  # 1 positive, 0 explicit negative
        pa.field("source", pa.string()),  # synth | given | judge
    ]
)
# Pairs that synthesis could not tell right from wrong: neither positive nor ever a negative.
UNDECIDED = pa.schema([pa.field("query_id", pa.string()), pa.field("doc_id", pa.string())])
SYNTH_REJECTED = pa.schema([pa.field("asset_id", pa.string()), *_REJECTION])

JUDGED = pa.struct(
    [
        pa.field("doc_id", pa.string()),
        pa.field("score", pa.float32()),  # calibrated cosine, -1..1
        pa.field("rank", pa.int32()),  # from 1 in the top-K; null when not recalled
        pa.field("logit", pa.float32()),  # raw reranker logit; null without a reranker
        pa.field("source", pa.string()),  # mined | synth | given | judge | random
        pa.field("group_id", pa.string()),  # near-duplicate group; the doc's own id when alone
        pa.field("content", CONTENT),
    ]
)
# A medium of a training row, with what is known of whose it is; null where nobody said.
SOURCE = pa.struct([pa.field(name, pa.string()) for name in ("uri", "licence", "author", "origin")])
TRAIN = pa.schema(
    [
        pa.field("query_id", pa.string()),
        pa.field("instruction", pa.string()),
        pa.field("query", CONTENT),
        pa.field("positives", pa.list_(JUDGED)),
        pa.field("negatives", pa.list_(JUDGED)),  # hardest first, possibly none
        pa.field("positive_mean", pa.float32()),
        pa.field("in_batch_negatives", pa.bool_()),
        pa.field("task", pa.string()),
        *_SUB_DATASET,
        pa.field("asset_id", pa.string()),
        pa.field("sources", pa.list_(SOURCE)),  # the distinct media of the row
    ]
)
MINE_REJECTED = pa.schema([pa.field("query_id", pa.string()), *_REJECTION])
# What of a data set from elsewhere cannot be used: rows of its files, by the part they belong to.
DATASET_REJECTED = pa.schema(
    [
        pa.field("part", pa.string()),  # queries | corpus | relevance
        pa.field("id", pa.string()),  # of a query or document; where the row stands when it has none
        pa.field("place", pa.string()),  # file and line or row
        *_REJECTION,
    ]
)


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return `table` with exactly the columns of `schema`, in its order and types.

    Columns the table lacks become null; columns the schema lacks are dropped.
    Raises pa.ArrowInvalid when a value does not fit its type.
    """
    columns = [
        table.column(f.name).cast(f.type) if f.name in table.column_names else pa.nulls(len(table), f.type)
        for f in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)
