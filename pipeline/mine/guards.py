"""Guards against false negatives: documents that the rule would take although they are right.

Each guard is one question to a (query, document) pair: does the document share a label (its
content, near-duplicate group, source file, a noun of kin) with a positive of this query, or of a
query with the same content? All labelled positives count, not only the refined ones. And a pair
that synthesis left undecided is never a negative. `near_positive` is asked in near_positive.py, `judged` in settle.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.config import GuardSettings
from pipeline.mine.pool import FREE, LABELLED_POSITIVE, Codes
from pipeline.mine.ragged import Bools, Ints, Ragged, find, spread
from pipeline.wordnet.nouns import Related

_NAMES = (
    "labelled_positive",
    "same_query",
    "similar_query",
    "same_content",
    "near_duplicate",
    "same_source",
    "related_label",
    "near_positive",
    "undecided",
    "judged",
)
NAMES = dict(enumerate(_NAMES, LABELLED_POSITIVE))
(
    _,
    SAME_QUERY,
    SIMILAR_QUERY,
    SAME_CONTENT,
    NEAR_DUPLICATE,
    SAME_SOURCE,
    RELATED_LABEL,
    NEAR_POSITIVE,
    UNDECIDED,
    JUDGED,
) = NAMES


@dataclass(frozen=True)
class Documents:
    """What the guards know of N documents. Labels are >= 0; equal labels mean shared."""

    content: Ints  # same normalised text, medium and span
    group: Ints  # near-duplicate group
    source: Ints  # file it is cut from; -1 for a text
    start_s: np.ndarray[tuple[int], np.dtype[np.float64]]  # NaN without a span
    end_s: np.ndarray[tuple[int], np.dtype[np.float64]]
    nouns: Related | None = None  # which documents are nouns, and how those are related


@dataclass(frozen=True)
class Queries:
    """What the guards know of Q queries. Equal labels mean shared; those of `alike` are never finer than `content`."""

    content: Ints  # same normalised text, medium and span
    alike: Ints | None = None  # group of queries with equal content or near-duplicate vectors


@dataclass(frozen=True)
class Held:
    """Pairs (owner, document): the positives that an owner, a query or its content, holds."""

    owner: Ints
    document: Ints


@dataclass(frozen=True)
class Lookup:
    """Which labels the positives of an owner have, ready to be asked many times."""

    label: Ints  # [N], of each document; -1 equals nothing
    base: int
    keys: Ints  # owner * base + label, rising
    shared: Bools  # [N], whether another document has the label: else there is nothing to find

    @classmethod
    def of(cls, held: Held, label: Ints) -> Lookup:
        """Gather the labels of the documents in `held`."""
        base = int(label.max(initial=0)) + 1
        known = label[held.document] >= 0
        return cls(label, base, np.unique((held.owner * base + label[held.document])[known]), _shared(label))

    def same(self, owner: Ints, document: Ints) -> Bools:
        """Whether each document shares its label with another document that its owner holds.

        owner, document: [P]. A held document whose label is its alone is answered False.
        """
        answer = np.zeros(len(document), bool)
        asked = np.flatnonzero(self.shared[document])
        answer[asked] = find(self.keys, owner[asked] * self.base + self.label[document[asked]]) >= 0
        return answer


def same_query(owner: Ints, document: Ints, held: Held, shared_owner: Bools) -> Bools:
    """Whether each document is itself held by its owner; only owners of several queries are asked.

    shared_owner: bool [number of owners].
    """
    base = 1 + max(int(document.max(initial=0)), int(held.document.max(initial=0)))
    answer = np.zeros(len(document), bool)
    asked = np.flatnonzero(shared_owner[owner])
    mine = shared_owner[held.owner]
    keys = np.unique(held.owner[mine] * base + held.document[mine])
    answer[asked] = find(keys, owner[asked] * base + document[asked]) >= 0
    return answer


def without_gap(owner: Ints, document: Ints, held: Held, docs: Documents) -> Bools:
    """Whether each document's span touches or overlaps that of a document of the same file that
    its owner holds; also where either span is unknown.

    held: sorted by (owner, source).
    """
    base = int(docs.source.max(initial=0)) + 2  # a text's source is -1
    held_keys = held.owner * base + docs.source[held.document] + 1
    keys = owner * base + docs.source[document] + 1
    first = np.searchsorted(held_keys, keys, side="left")
    count = np.searchsorted(held_keys, keys, side="right") - first
    positive = held.document[spread(first, count)]
    candidate = np.repeat(document, count)
    # Written so that NaN, a span nobody knows, has no gap.
    gap = (docs.start_s[candidate] > docs.end_s[positive]) | (docs.end_s[candidate] < docs.start_s[positive])
    answer = np.zeros(len(document), bool)
    answer[np.repeat(np.arange(len(document)), count)[~gap]] = True
    return answer


def related_label(owner: Ints, document: Ints, held: Held, nouns: Related) -> Bools:
    """Whether each document is a noun that names the same as one its owner holds, or a kind of it, or the reverse."""
    count = nouns.count
    of_held = nouns.noun[held.document]
    keys = np.unique((held.owner * count + of_held)[of_held >= 0])
    answer = np.zeros(len(document), bool)
    asked = np.flatnonzero(nouns.noun[document] >= 0)
    first, last = (np.searchsorted(keys, (owner[asked] + more) * count) for more in (0, 1))
    lengths = last - first
    of_owner = keys[spread(first, lengths)] % max(count, 1)
    candidate = np.repeat(asked, lengths)
    near = find(nouns.pairs, of_owner * count + nouns.noun[document[candidate]]) >= 0
    answer[candidate[near]] = True
    return answer


class Guards:
    """The guards of one task, asked block by block."""

    def __init__(
        self,
        queries: Queries,
        positives: Ragged,
        documents: Documents,
        moments: bool,
        settings: GuardSettings,
        undecided: Ints | None = None,
    ) -> None:
        """positives: the labelled positives of each query. moments: spans of one file may be told apart
        by a gap. undecided: rising keys query * N + document of pairs nobody could decide."""
        self.undecided = np.zeros(0, np.int64) if undecided is None else undecided
        self.n_documents = max(len(documents.content), 1)
        self.settings, self.documents, self.moments = settings, documents, moments
        alone = np.arange(len(queries.content), dtype=np.int64)
        self.same = queries.content if settings.same_query else alone
        self.owner = self.same if queries.alike is None else queries.alike
        self.held = _held(self.owner, positives, documents)
        # Who holds a document by equal content alone, where owners are groups of similar queries.
        self.held_by_same = self.held if queries.alike is None else _held(self.same, positives, documents)
        self.shared_same, self.shared_owner = _shared_owner(self.same), _shared_owner(self.owner)
        self.content = Lookup.of(self.held, documents.content)
        self.group = Lookup.of(self.held, documents.group)
        self.source = Lookup.of(self.held, documents.source)

    def codes(self, query: Ints, document: Ints) -> Codes:
        """The first guard, in the order of NAMES, that forbids each pair; FREE for none.

        query, document: int64 [P]. A query's own labelled positives are the rule's matter.
        """
        owner, codes = self.owner[query], np.full(len(query), FREE, np.uint8)

        def forbid(code: int, mask: Bools) -> None:
            codes[mask & (codes == FREE)] = code

        forbid(SAME_QUERY, same_query(self.same[query], document, self.held_by_same, self.shared_same))
        if self.owner is not self.same:
            forbid(SIMILAR_QUERY, same_query(owner, document, self.held, self.shared_owner))
        forbid(SAME_CONTENT, self.content.same(owner, document))
        if self.settings.near_duplicate:
            forbid(NEAR_DUPLICATE, self.group.same(owner, document))
        if self.settings.same_source:
            near = self.source.same(owner, document)
            if self.moments:
                asked = np.flatnonzero(near)
                near[asked] = without_gap(owner[asked], document[asked], self.held, self.documents)
            forbid(SAME_SOURCE, near)
        if self.documents.nouns is not None:
            forbid(RELATED_LABEL, related_label(owner, document, self.held, self.documents.nouns))
        if len(self.undecided):
            forbid(UNDECIDED, find(self.undecided, query * self.n_documents + document) >= 0)
        return codes


def _held(owner: Ints, positives: Ragged, documents: Documents) -> Held:
    """The positives of every owner's queries, sorted by (owner, source)."""
    owners, document = owner[positives.rows], positives.values
    order = np.lexsort((documents.source[document], owners))
    return Held(owners[order], document[order])


def _shared_owner(owner: Ints) -> Bools:
    """Whether several queries have each owner."""
    return np.bincount(owner, minlength=int(owner.max(initial=0)) + 1) > 1


def hits_by_name(hits: Sequence[int] | Ints) -> dict[str, int]:
    """The counts of `Refined.hits` under the guards' names, all of them, in order."""
    return {name: int(hits[code]) for code, name in NAMES.items()}


def _shared(label: Ints) -> Bools:
    """Whether another has the same label, bool [N]; False for -1."""
    if len(label) == 0:
        return np.zeros(0, bool)
    counts = np.bincount(label + 1)
    counts[0] = 0
    return counts[label + 1] > 1
