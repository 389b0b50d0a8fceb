"""One miner over vectors on disk, in a process of its own: python benchmarks/mining_contenders.py NAME FOLDER

FOLDER holds queries.npy, corpus.npy (float32, of length 1) and positives.npy (the document of each
query). Imports are part of what is timed, so each miner has its own. See mining_peers.py.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

TOP_K, NEGATIVES = 100, 15


class Encoded:
    """A sentence encoder whose texts are numbers of rows: the vectors are known."""

    device = "cpu"

    def __init__(self, queries: Any, corpus: Any) -> None:
        import torch
        from sentence_transformers.util import cos_sim, pairwise_cos_sim

        self.vectors = {"q": queries, "d": corpus}
        self.similarity, self.similarity_pairwise, self.tensor = cos_sim, pairwise_cos_sim, torch.from_numpy
        self.prompts: dict[str, str] = {}

    def encode(self, texts: list[str], convert_to_tensor: bool = False, **_: Any) -> Any:
        """The vectors of texts such as q7 or d12."""
        import numpy as np

        vectors = self.vectors[texts[0][0]][np.array([int(t[1:]) for t in texts])]
        return self.tensor(vectors) if convert_to_tensor else vectors

    encode_query = encode_document = encode

    def get_embedding_dimension(self) -> int:
        """The values of a vector."""
        return int(self.vectors["q"].shape[1])


def sentence_transformers(folder: Path, **settings: Any) -> int:
    """mine_hard_negatives over the vectors; rows written as Parquet."""
    import numpy as np
    from datasets import Dataset
    from sentence_transformers.util import mine_hard_negatives

    queries, corpus, positives = (np.load(folder / f"{n}.npy") for n in ("queries", "corpus", "positives"))
    pairs = {"anchor": [f"q{i}" for i in range(len(queries))], "positive": [f"d{p}" for p in positives]}
    texts = [f"d{i}" for i in range(len(corpus))]
    encoder: Any = Encoded(queries, corpus)
    mined = mine_hard_negatives(
        Dataset.from_dict(pairs),
        encoder,
        corpus=texts,
        range_max=TOP_K,
        num_negatives=NEGATIVES,
        output_format="labeled-list",
        output_scores=True,
        use_faiss=True,
        verbose=False,
        **settings,
    )
    mined.to_parquet(str(folder / "st.parquet"))
    return len(mined)


def flag_embedding(folder: Path) -> int:
    """The algorithm of FlagEmbedding's hn_mine as it is documented: flat search in batches of 64
    queries, positives dropped, negatives drawn at random from the ranks 10 to 100."""
    import random

    import faiss
    import numpy as np

    queries, corpus, positives = (np.load(folder / f"{n}.npy") for n in ("queries", "corpus", "positives"))
    index = faiss.IndexFlatIP(corpus.shape[1])
    index.add(corpus)
    with (folder / "flag.jsonl").open("w") as file:
        for start in range(0, len(queries), 64):
            _, found = index.search(queries[start : start + 64], TOP_K)
            for i, ranked in enumerate(found.tolist(), start):
                pool = [d for d in ranked[10:TOP_K] if d != positives[i]]
                chosen = random.sample(pool, min(NEGATIVES, len(pool)))
                row = {"query": f"q{i}", "pos": [f"d{positives[i]}"], "neg": [f"d{d}" for d in chosen]}
                file.write(json.dumps(row) + "\n")
    return len(queries)


def bare_search(folder: Path) -> int:
    """Exact search by faiss and nothing else."""
    import faiss
    import numpy as np

    queries, corpus = (np.load(folder / f"{n}.npy") for n in ("queries", "corpus"))
    index = faiss.IndexFlatIP(corpus.shape[1])
    index.add(corpus)
    return len(index.search(queries, TOP_K)[0])


def main() -> None:
    """Run one miner; print what it kept as JSON."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    runs = {
        # The margin of +0.1 to the positive, as `mine --margin 0.1` has it.
        "st-nearest": lambda: sentence_transformers(folder, absolute_margin=-0.1),
        "st-recommended": lambda: sentence_transformers(folder, relative_margin=0.05, range_min=10, max_score=0.8),
        "flag-embedding": lambda: flag_embedding(folder),
        "bare-faiss": lambda: bare_search(folder),
    }
    print(json.dumps({"rows": runs[name]()}))


if __name__ == "__main__":
    main()
