"""Which classes are kin, and which exclude each other; used by `make_class_table.py` only.

Nodes are classes or concepts, numbered from 0. Their ancestors are WordNet offsets.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from pipeline.errors import DataError

Pairs = set[tuple[int, int]]
# Above these, siblings have nothing in common that a picture shows.
TOO_GENERAL = frozenset(
    """entity/physical entity/object/whole/artifact/instrumentality/device/container/equipment/structure/implement/
    covering/consumer goods/commodity/living thing/organism/animal/chordate/vertebrate/mammal/placental/matter/
    substance/food/foodstuff/solid/plant part/natural object/abstraction/person/causal agent/area/way/creation/
    protective covering/furnishing/conveyance/vehicle/craft/clothing/garment/machine/mechanism/tool/decoration/
    product/plant organ/reproductive structure/geological formation/nutriment/dish/invertebrate/arthropod/
    material/fluid/liquid""".replace("\n    ", "").split("/")
)
LIVING_OR_FOOD = {"animal", "plant", "fungus", "food", "foodstuff", "plant part", "produce", "beverage", "fruit"}


def ids(names: Iterable[str], known: Sequence[str]) -> list[int]:
    """The nodes that bear these names, each of which at least one bears. Raises DataError."""
    by_name: dict[str, list[int]] = defaultdict(list)
    for node, name in enumerate(known):
        by_name[name].append(node)
    unknown = sorted(set(names) - set(by_name))
    if unknown:
        raise DataError(f"the decisions name classes or concepts that do not exist: {unknown}")
    return [node for n in names for node in by_name[n]]


def cliques(sets: Iterable[Sequence[str]], names: Sequence[str]) -> Pairs:
    """Both orders of every two different nodes that stand in one set."""
    members = [ids(s, names) for s in sets]
    return {(a, b) for m in members for a in m for b in m if a != b}


def both_true(
    names: Sequence[str], meanings: Sequence[str], words: Sequence[set[str]], kin: Sequence[set[str]]
) -> Pairs:
    """Ordered pairs of nodes that a dictionary lets be true of one thing: kind and kind of it,
    shared words, equal names or meanings.

    meanings: the synset of each node; words: its lemmas in lower case; kin: its ancestors.
    """
    count = range(len(names))
    pairs = {
        (a, b)
        for a in count
        for b in count
        if a != b
        and (meanings[a] in kin[b] or meanings[a] == meanings[b] or words[a] & words[b] or names[a] == names[b])
    }
    return pairs | {(b, a) for a, b in pairs}


def find_siblings(above: list[list[set[str]]], too_general: set[str], both: Pairs) -> list[list[int]]:
    """For each node, the others below its nearest ancestors that have any, less `both`.

    above: the levels of ancestors of each node. A synset of `too_general` makes no siblings.
    """
    below: dict[str, set[int]] = defaultdict(set)
    for c, levels in enumerate(above):
        for offset in set().union(*levels):
            below[offset].add(c)
    siblings = []
    for c, levels in enumerate(above):
        found: set[int] = set()
        for level in levels:
            near = set().union(*(below[o] for o in level if o not in too_general))
            found = {s for s in near if s != c and (c, s) not in both}
            if found:
                break
        siblings.append(sorted(found))
    return siblings


def nearest_first(rivals: Iterable[set[int]], closeness: Sequence[Sequence[float]]) -> list[list[int]]:
    """Rivals of each node by falling closeness, float [N, N], ties by number."""
    result = []
    for rivals_of, near in zip(rivals, closeness, strict=True):
        ranked = sorted((-near[b], b) for b in rivals_of)
        result.append([b for _, b in ranked])
    return result
