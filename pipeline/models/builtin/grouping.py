"""Groups classes into concepts as `concept_decisions.py` says; used by `make_class_table.py` only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.errors import DataError
from pipeline.models.builtin import concept_decisions as decisions
from pipeline.models.builtin.class_decisions import WITHOUT_RIVALS
from pipeline.models.builtin.relations import LIVING_OR_FOOD, TOO_GENERAL, Pairs, both_true, cliques, find_siblings, ids
from pipeline.wordnet.database import Synset, ancestors, sense, spoken


@dataclass(frozen=True)
class Group:
    """A concept: its name, the synset that defines it, its classes."""

    name: str
    synset: str
    members: tuple[int, ...]


def group(names: Sequence[str], shown: Sequence[str], synsets: dict[str, Synset]) -> list[Group]:
    """Partition the classes. shown: the synset of each class. Concepts come by their first class."""
    index = spoken(synsets)
    above = [ancestors(o, synsets) for o in shown]
    found: dict[str, tuple[str, list[int]]] = {}
    free = dict.fromkeys(range(len(names)))
    for name, (lemma, words, members) in decisions.CHOSEN.items():
        taken = ids(members, names)
        found[name] = (sense(lemma, words, synsets, index), taken)
        for c in taken:
            if c not in free:
                raise DataError(f"two concepts take the class {names[c]!r}; the second is {name!r}")
            del free[c]
    below = Counter(o for levels in above for o in set().union(*levels))
    whole = {_widest(lemma, synsets, below): name for name, lemma in decisions.WHOLE_SYNSETS.items()}
    kept = set(ids(sorted(decisions.KEPT), names))
    for c in free:
        levels = [{shown[c]}, *above[c]]
        nearest = next((o for level in levels for o in sorted(level & set(whole))), None)
        if c in kept or nearest is None:
            found[names[c]] = (shown[c], [c])
        else:
            found.setdefault(whole[nearest], (nearest, []))[1].append(c)
    groups = [Group(name, synset, tuple(sorted(members))) for name, (synset, members) in found.items()]
    if sum(len(g.members) for g in groups) != len(names):
        raise DataError("two concepts have one name")
    return sorted(groups, key=lambda g: g.members)


def _widest(lemma: str, synsets: dict[str, Synset], below: Counter[str]) -> str:
    """The synset with this first lemma that has the most classes below it."""
    found = [o for o in below if lemma in synsets[o].lemmas]
    if not found:
        raise DataError(f"no class lies below a synset {lemma!r}")
    return max(sorted(found), key=lambda o: below[o])


def concept_rivals(
    groups: Sequence[Group], synsets: dict[str, Synset], class_rivals: Sequence[set[int]], class_both: Pairs
) -> list[set[int]]:
    """For each concept those that exclude it: where its classes' rivals belong, its sets of
    EXCLUSIVE, and its siblings when it is alive or food; less all that can be true beside it."""
    names = [g.name for g in groups]
    of = {c: k for k, g in enumerate(groups) for c in g.members}
    above = [ancestors(g.synset, synsets) for g in groups]
    kin = [set().union(*levels) for levels in above]
    words = [{x.lower() for x in (g.name, *synsets[g.synset].lemmas)} for g in groups]
    both = both_true(names, [g.synset for g in groups], words, kin) | cliques(decisions.BOTH, names)
    both |= cliques([(kind, other) for kind, others in decisions.KINDS_OF.items() for other in others], names)
    both |= {(of[a], of[b]) for a, b in class_both}
    above_words = [{lemma for o in k for lemma in synsets[o].lemmas} for k in kin]
    named = {(a, b) for a, name in enumerate(names) for b, found in enumerate(above_words) if name in found}
    both |= named | {(b, a) for a, b in named}  # a spotlight is a lamp, be it another sense of the word
    general = {o for o, s in synsets.items() if s.lemmas[0] in TOO_GENERAL}
    siblings = find_siblings(above, general, both)
    exclusive = cliques(decisions.EXCLUSIVE, names)
    living = {k for k, offsets in enumerate(kin) if any(synsets[o].lemmas[0] in LIVING_OR_FOOD for o in offsets)}
    alone = {k for k, name in enumerate(names) if name in WITHOUT_RIVALS}
    rivals: list[set[int]] = []
    for k, g in enumerate(groups):
        found = {of[r] for c in g.members for r in class_rivals[c]} | {b for a, b in exclusive if a == k}
        if k in living:
            found |= set(siblings[k]) & living
        rivals.append({r for r in found - alone if r != k and k not in alone and (k, r) not in both})
    return rivals
