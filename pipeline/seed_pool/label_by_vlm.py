"""Labels from a vision-language model: description, category and confidence in one constrained reply."""

from __future__ import annotations

from functools import cache, partial
from typing import Any, Literal, cast

import numpy as np
import pyarrow as pa
from pydantic import Field, create_model

from pipeline.errors import MediaError
from pipeline.models.protocols import Embedder, Item, Reply, Request, Usage, Vlm
from pipeline.models.replies import MAX_CHARS_A_WORD, SHOWN_CHARS, Answer, Refusal, answers, parse
from pipeline.models.usage import usage_column
from pipeline.prompts import render
from pipeline.schemas import USAGE
from pipeline.seed_pool.label import ADDS, NAME, LabelSource, unsure
from pipeline.seed_pool.measure import PLACE
from pipeline.seed_pool.taxonomy import MEDIA, Category
from pipeline.stage import ModelRef, Resources, Stage, rejects
from pipeline.store.reply_cache.cached_vlm import remembering
from pipeline.text import normalised, shown_caption

TEMPLATE = "label.jinja"
LANGUAGE = "English"  # of descriptions: the one that every aligner reads
MAX_CATEGORY_CHARS = 100
CATEGORISE = "categorise"


class Label(Answer):
    """What a VLM says of one asset, keys in order; it describes before it decides."""

    description: str
    category: str = Field(min_length=1, max_length=MAX_CATEGORY_CHARS)
    confidence: float = Field(ge=0, le=1)


def by_vlm(source: LabelSource, vlm: ModelRef, batch_rows: int) -> Stage:
    """The stage that asks a VLM what assets show."""
    reads = (*PLACE, "source_caption")
    return Stage(
        NAME, label_assets, source, reads, ADDS.append(USAGE), model=vlm, resources=Resources(batch_rows=batch_rows)
    )


def nearest_category(source: LabelSource, embedder: ModelRef) -> Stage:
    """The stage that puts categories outside the tree under the nearest one in it (`outside: nearest`)."""
    adds = pa.schema([ADDS.field("category")])
    return Stage(CATEGORISE, into_tree, source, ("media", "category"), adds, model=embedder)


def label_assets(table: pa.Table, source: LabelSource, vlm: Vlm) -> pa.Table:
    """Add description, category and confidence (0..1) as the VLM gives them; `labels` is empty.

    Rejects: those of `replies.parse`, media reasons, `unknown_category` (unless `outside` is
    nearest) and `low_confidence`.
    """
    asked: dict[str, list[tuple[int, Request]]] = {media: [] for media in MEDIA}
    found: dict[int, Label | Refusal] = {}
    cost: dict[int, Usage] = {}
    for i, row in enumerate(table.to_pylist()):
        caption = row.pop("source_caption")
        try:
            pixels = source.store.get(**row)
            request = Request(prompt(row, caption, source), (pixels,), (row["asset_id"],), source.seed)
            asked[row["media"]].append((i, request))
        except MediaError as error:
            found[i] = (error.reason, error.detail)
    known = remembering(vlm, source.store.cache)
    for media, requests in asked.items():
        read = partial(label, media=media, source=source)
        replies = answers(known, [request for _, request in requests], schema(media, source), read)
        for (i, _), reply in zip(requests, replies, strict=True):
            found[i], cost[i] = reply.answer, reply.usage
    rows: list[dict[str, Any]] = []
    verdicts: list[Refusal | None] = []
    for _, one in sorted(found.items()):
        if isinstance(one, Label):
            rows.append(_columns(one))
            verdicts.append(unsure(one.category, one.confidence, source.limits.min_vlm_confidence))
        else:
            rows.append({})
            verdicts.append(one)
    labelled = pa.Table.from_pylist(rows, schema=ADDS)
    labelled = labelled.append_column(USAGE, usage_column([cost.get(i) for i in range(len(table))]))
    return labelled.append_column("reject", rejects(NAME, verdicts))


def prompt(row: dict[str, Any], caption: str | None, source: LabelSource) -> str:
    """What the VLM is asked. row: the columns of PLACE."""
    known: dict[str, object] = {"file": row["uri"]}
    if row["start_s"] is not None:
        known |= {"start_s": round(row["start_s"], 3), "end_s": round(row["end_s"], 3)}
    if (words := shown_caption(caption)) is not None:
        known["caption"] = words
    return render(
        TEMPLATE,
        medium=row["media"],
        language=LANGUAGE,
        max_words=source.limits.max_description_words,
        assets=[known],
        taxonomy={name: category.describe for name, category in source.taxonomy.of(row["media"]).items()},
    )


def schema(media: str, source: LabelSource) -> dict[str, Any]:
    """JSON schema of a reply. With `outside: reject` decoding can only name categories of the tree."""
    names = tuple(source.taxonomy.of(media)) if source.limits.outside == "reject" else ()
    return _answer(source.limits.max_description_words, names).model_json_schema()


def label(reply: Reply, media: str, source: LabelSource) -> Label | Refusal:
    """Read a reply. A name outside the tree is told from a broken reply: not every server heeds the schema."""
    answer = parse(reply, _answer(source.limits.max_description_words, ()))
    if not isinstance(answer, Label) or source.limits.outside == "nearest":
        return answer
    names = source.taxonomy.of(media)
    if answer.category in names:
        return answer
    return "unknown_category", f"{answer.category[:SHOWN_CHARS]!r} is none of the {len(names)} {media} categories"


def into_tree(table: pa.Table, source: LabelSource, embedder: Embedder) -> pa.Table:
    """Replace each `category` by the full name of one in the tree.

    A name or leaf of the tree, in any case, stands for itself. For any other the category whose
    words (leaf and definition) have the highest cosine with it is taken; the first in a tie.
    """
    trees = {media: source.taxonomy.of(media) for media in MEDIA}
    exact = {media: _spellings(tree) for media, tree in trees.items()}
    pairs = list(zip(table.column("media").to_pylist(), table.column("category").to_pylist(), strict=True))
    strange = sorted({pair for pair in pairs if normalised(pair[1]) not in exact[pair[0]]})
    placed: dict[tuple[str, str], str] = {}
    for media in sorted({media for media, _ in strange}):
        answers = [answer for m, answer in strange if m == media]
        names = nearest(answers, trees[media], embedder)
        placed |= {(media, answer): name for answer, name in zip(answers, names, strict=True)}
    result = [placed.get((media, c)) or exact[media][normalised(c)] for media, c in pairs]
    return pa.table({"category": pa.array(result, pa.string())})


def nearest(answers: list[str], tree: dict[str, Category], embedder: Embedder) -> list[str]:
    """The category of `tree` nearest to each answer, by the cosine of their texts."""
    items = [Item(text=f"{name.rpartition('/')[2]}: {category.describe}") for name, category in tree.items()]
    cosines = embedder.embed([Item(text=answer) for answer in answers]) @ embedder.embed(items).T
    names = list(tree)
    return [names[i] for i in np.argmax(cosines, axis=1)]


def _spellings(tree: dict[str, Category]) -> dict[str, str]:
    """Full names and unique leaves in their normal form, and the full name each stands for."""
    leaves = [normalised(name.rpartition("/")[2]) for name in tree]
    own = {leaf: name for leaf, name in zip(leaves, tree, strict=True) if leaves.count(leaf) == 1}
    return own | {normalised(name): name for name in tree}


def _columns(label: Label) -> dict[str, Any]:
    values = {"category": label.category, "category_confidence": label.confidence, "description": label.description}
    return {**values, "labels": []}


@cache
def _answer(max_words: int, names: tuple[str, ...]) -> type[Label]:
    """Label with its description bounded and, where `names` are given, only those as category."""
    text: Any = (str, Field(min_length=1, max_length=max_words * MAX_CHARS_A_WORD))
    fields: dict[str, Any] = {"description": text}
    if names:
        fields["category"] = (Literal[names], ...)
    return cast("type[Label]", create_model("Label", __base__=Label, **fields))
