"""How many right answers does a miner take for wrong ones, at the same hardness?

    python benchmarks/false_negatives.py WORDNET [--queries 4000] [--documents 15000] [--json FILE]

WORDNET is a folder with the database's `data.noun` (Debian: wordnet-base). A query is the definition of a synset of
several words; one of them is its labelled positive, the others are as right and labelled nowhere. Documents are those
words and others'. Vectors are the packaged sentence encoder's. For each rule, with and without guards: negatives kept,
how hard they are (mean cosine to the query), and the share of them that are such a word. `related_label` is left out:
it knows WordNet. `relative` is the margin that sentence-transformers recommends, `percent` NV-Retriever's.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.config import Calibration, GuardSettings, MineSettings, RunnerSettings
from pipeline.mine.groups import near_duplicate_groups
from pipeline.mine.guards import Documents, Guards, Queries
from pipeline.mine.judgements import Judgements
from pipeline.mine.mine_vectors import SubDataset, mine_vectors
from pipeline.mine.ragged import Ragged
from pipeline.models.builtin.sentences import Sentences
from pipeline.models.protocols import Vectors
from pipeline.runners.local import LocalRunner
from pipeline.wordnet.database import read_wordnet

T_POS, NEGATIVES = 0.4, 10
NO_GUARDS = {"same_query": False, "near_duplicate": False, "related_label": False, "near_positive_share": 0.0}
GUARDS: dict[str, dict[str, Any]] = {
    "none": NO_GUARDS,
    "near_duplicate": {**NO_GUARDS, "near_duplicate": True},
    "near_positive 5 %": {**NO_GUARDS, "near_positive_share": 0.05},
    "near_positive 10 %": {**NO_GUARDS, "near_positive_share": 0.1},
    "all (default)": {"related_label": False},
}
RULES: dict[str, dict[str, Any]] = {
    **{f"paper {m:+.2f}": {"margin": m} for m in (0.1, 0.0, -0.03, -0.06, -0.1)},
    **{f"relative {m:.2f}": {"rule": ("relative",), "relative_margin": m} for m in (0.02, 0.05, 0.1, 0.15, 0.2)},
    **{f"percent {p:.2f}": {"rule": ("percent",), "percent_of_positive": p} for p in (0.95, 0.9)},
}


@dataclass(frozen=True)
class Words:
    """Definitions and words with their vectors; `right` are all words of each definition, the labelled one first."""

    queries: Vectors
    corpus: Vectors
    right: list[list[int]]


def words_of(folder: Path, queries: int, documents: int) -> Words:
    """Drawn from WordNet's nouns, always the same."""
    synsets = list(read_wordnet(folder).values())
    draw = np.random.default_rng(0)
    several = [s for s in synsets if len(set(s.lemmas)) > 1]
    asked = [several[i] for i in draw.choice(len(several), queries, replace=False)]
    known = dict.fromkeys(word for s in asked for word in s.lemmas)
    others = [w for w in dict.fromkeys(w for s in synsets for w in s.lemmas) if w not in known]
    more = draw.choice(len(others), max(0, documents - len(known)), replace=False)
    corpus = [*known, *(others[i] for i in more)]
    place = {word: i for i, word in enumerate(corpus)}
    encode = Sentences(threads=2).embed
    right = [[place[word] for word in dict.fromkeys(s.lemmas)] for s in asked]
    return Words(encode([s.gloss for s in asked]), encode(corpus), right)


def measured(words: Words, rule: Mapping[str, Any], guards: Mapping[str, Any]) -> dict[str, float]:
    """Negatives, their mean cosine, and the share of them that are right."""
    settings = MineSettings(t_pos=T_POS, negatives=NEGATIVES, guards=GuardSettings(**guards), **rule)
    q, n = len(words.queries), len(words.corpus)
    every, own = np.arange(q, dtype=np.int64), np.arange(n, dtype=np.int64)
    labelled = np.array([right[0] for right in words.right], np.int64)
    judgements = Judgements.of(every, labelled, np.ones(q, bool), np.zeros(q, np.uint8), q, n)
    no_looks = Ragged(np.zeros(n + 1, np.int64), np.zeros(0, np.int64))
    group = near_duplicate_groups(own, words.corpus, np.ones(n, bool), no_looks, settings.guards)
    documents = Documents(own, group, np.full(n, -1), np.full(n, np.nan), np.full(n, np.nan))
    known = Guards(Queries(every), judgements.positives, documents, False, settings.guards)
    data = SubDataset(words.queries, words.corpus, every, own)
    run = LocalRunner(RunnerSettings(kind="local"))
    found = mine_vectors(data, judgements, known, settings, Calibration(), run).refined.negatives
    hidden = Ragged.from_pairs(np.repeat(every, [len(r) for r in words.right]), np.concatenate(words.right), q)
    wrong = hidden.holds(found.rows, found.documents)
    return {"negatives": len(wrong), "hardness": float(found.scores.mean()), "false": float(wrong.mean())}


def main() -> None:
    """Print a line a rule and set of guards."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wordnet", type=Path, help="a folder with data.noun")
    parser.add_argument("--queries", type=int, default=4000)
    parser.add_argument("--documents", type=int, default=15_000)
    parser.add_argument("--json", type=Path, default=None, help="write the figures here too")
    args = parser.parse_args()
    words = words_of(args.wordnet, args.queries, args.documents)
    figures = []
    print(f"{'rule':<16}{'guards':<22}{'negatives':>10}{'hardness':>10}{'false negatives':>17}")
    for rule, numbers in RULES.items():
        for guards, switches in GUARDS.items():
            found = measured(words, numbers, switches)
            figures.append({"rule": rule, "guards": guards, **found})
            line = f"{rule:<16}{guards:<22}{found['negatives']:>10.0f}{found['hardness']:>10.3f}"
            print(f"{line}{found['false']:>16.2%}", flush=True)
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
