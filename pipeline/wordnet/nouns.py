"""Which short texts name the same thing, or one a kind of the other: synonyms, hypernyms, hyponyms.

From `nouns.parquet`, all nouns of WordNet 3.1. A word counts in every sense it has: what is meant by
a label nobody says, and a relation too many costs one negative, a relation missed teaches a falsehood.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

TABLE = Path(__file__).with_name("nouns.parquet")
NOUNS = pa.schema([pa.field("lemmas", pa.list_(pa.string())), pa.field("hypernyms", pa.list_(pa.int32()))])
MAX_CHARS = 64  # of a label; longer texts are no nouns
# Endings of the plural and what they replace (WordNet manual, morphy(7WN)).
PLURALS = (
    ("ses$", "s"),
    ("xes$", "x"),
    ("zes$", "z"),
    ("ches$", "ch"),
    ("shes$", "sh"),
    ("men$", "man"),
    ("ies$", "y"),
)
# Two to four words are a compound, unless one of them makes a phrase or a clause of it: "ear of grain".
COMPOUND = r"^\S+( \S+){1,3}$"
CLAUSE = r"(^| )(a|an|and|are|at|by|for|from|in|is|no|not|of|on|or|the|to|with|without)( |$)"
EDGES = "^[ .!?\"'。]+|[ .!?\"'。]+$"  # outer punctuation, as text.normalised strips it

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Related:
    """Nouns among N texts, and which are related.

    noun: int64 [N], equal for texts that name the same noun, -1 for no noun. count: nouns that occur.
    pairs: rising keys a * count + b of nouns a and b that are related, both orders; each is related to itself.
    """

    noun: Ints
    count: int
    pairs: Ints


@dataclass(frozen=True)
class _Nouns:
    """lemma [L] and synset [L]: each (lemma, meaning) by lemma; lists of hypernyms by synset."""

    lemmas: pa.StringArray  # distinct, rising
    first: Ints  # [len(lemmas) + 1], where the meanings of each begin
    synsets: Ints
    hypernym_first: Ints
    hypernyms: Ints


def related(texts: pa.Array, among: NDArray[np.bool_] | None = None) -> Related:
    """The nouns among `texts` (string [N], null for no text) and their relations.

    among: bool [N], the texts that are looked at; None for all.

    Case, outer punctuation, a leading article and a plural ending do not matter. A compound that
    WordNet lacks is a kind of what its last words name: "smooth newt" of "newt".
    """
    noun = np.full(len(texts), -1, np.int64)
    short = pc.fill_null(pc.less_equal(pc.utf8_length(texts), MAX_CHARS), False).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(short if among is None else short & among)
    if len(rows) == 0:
        return Related(noun, 0, np.zeros(0, np.int64))
    table = _nouns()
    coded = _plain(texts.take(pa.array(rows))).dictionary_encode()
    own = _looked_up(coded.dictionary, table.lemmas)
    head = np.where(own >= 0, own, _heads(coded.dictionary, own, table.lemmas))
    # Texts with one lemma are one noun; a compound is a noun of its own.
    named = np.where(own >= 0, own, len(table.lemmas) + np.arange(len(own)))
    known = np.flatnonzero(head >= 0)
    _, first, number = np.unique(named[known], return_index=True, return_inverse=True)
    of_text = np.full(len(own), -1, np.int64)
    of_text[known] = number
    noun[rows] = of_text[coded.indices.to_numpy()]
    return Related(noun, len(first), _pairs(own[known[first]], head[known[first]], table))


def _plain(texts: pa.Array) -> pa.Array:
    lower = pc.replace_substring_regex(pc.utf8_lower(texts), r"\s+", " ")
    bare = pc.replace_substring_regex(lower, EDGES, "")
    return pc.replace_substring_regex(bare, r"^(a|an|the) ", "")


def _heads(texts: pa.Array, own: Ints, lemmas: pa.StringArray) -> Ints:
    """The lemma of the longest ending of whole words of each text without a lemma, -1 for none."""
    compound = pc.match_substring_regex(texts, COMPOUND).to_numpy(zero_copy_only=False)
    clause = pc.match_substring_regex(texts, CLAUSE).to_numpy(zero_copy_only=False)
    found = np.full(len(texts), -1, np.int64)
    left = np.flatnonzero((own < 0) & compound & ~clause)
    while len(left):
        ending = pc.replace_substring_regex(texts.take(pa.array(left)), r"^\S+ ", "")
        found[left] = _looked_up(ending, lemmas)
        texts = pc.replace_with_mask(texts, pa.array(_mask(left, len(texts))), ending)
        several = pc.match_substring(ending, " ").to_numpy(zero_copy_only=False)
        left = left[(found[left] < 0) & several]
    return found


def _mask(rows: Ints, n: int) -> NDArray[np.bool_]:
    mask = np.zeros(n, bool)
    mask[rows] = True
    return mask


def _looked_up(texts: pa.Array, lemmas: pa.StringArray) -> Ints:
    """The lemma of each text, -1 for none: the text itself, else what a plural ending leaves of it."""
    found: Ints = np.asarray(pc.fill_null(pc.index_in(texts, lemmas), -1).to_numpy(), np.int64).copy()
    for ending, singular in (*PLURALS, ("s$", "")):
        left = np.flatnonzero(found < 0)
        if len(left) == 0:
            break
        asked = texts.take(pa.array(left))
        stem = pc.replace_substring_regex(asked, ending, singular)
        found[left] = pc.fill_null(pc.index_in(stem, lemmas), -1).to_numpy()
    return found


def _pairs(lemma: Ints, head: Ints, table: _Nouns) -> Ints:
    """Keys of related nouns. lemma: of each noun, -1 for a compound; head: where its hypernyms begin."""
    n, every = len(head), np.arange(len(head))
    if n == 0:
        return np.zeros(0, np.int64)
    own = _followed(every[lemma >= 0], lemma[lemma >= 0], table.first, table.synsets)
    start = _followed(every, head, table.first, table.synsets)
    width = len(table.hypernym_first)
    above = new = np.unique(start[0] * width + start[1])
    while len(new):
        up = _followed(new // width, new % width, table.hypernym_first, table.hypernyms)
        new = np.setdiff1d(up[0] * width + up[1], above)
        above = np.union1d(above, new)
    # Nouns that mean a synset, beside nouns at or below it.
    order = np.argsort(above % width, kind="stable")
    synset, below = (above % width)[order], (above // width)[order]
    first, last = (np.searchsorted(synset, own[1], side=side) for side in ("left", "right"))
    lengths = last - first
    kind = np.repeat(own[0], lengths)
    member = below[
        np.arange(lengths.sum()) + np.repeat(first - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
    ]
    return np.unique(np.concatenate([kind * n + member, member * n + kind, every * n + every]))


def _followed(owner: Ints, of: Ints, first: Ints, values: Ints) -> tuple[Ints, Ints]:
    """Owners, each once for every value in the list of its `of`, and the values."""
    lengths = first[of + 1] - first[of]
    starts = first[of] - np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    return np.repeat(owner, lengths), values[np.arange(lengths.sum()) + np.repeat(starts, lengths)]


@cache
def _nouns() -> _Nouns:
    table = pq.read_table(TABLE).combine_chunks()
    names, parents = (table.column(c).chunk(0) for c in ("lemmas", "hypernyms"))
    lemma, synset = pc.list_flatten(names), pc.list_parent_indices(names).to_numpy().astype(np.int64)
    order = pc.sort_indices(lemma).to_numpy()
    coded = lemma.take(pa.array(order)).dictionary_encode()
    first = np.searchsorted(coded.indices.to_numpy(), np.arange(len(coded.dictionary) + 1)).astype(np.int64)
    hypernyms = pc.list_flatten(parents).to_numpy().astype(np.int64)
    return _Nouns(coded.dictionary, first, synset[order], parents.offsets.to_numpy().astype(np.int64), hypernyms)
