"""How far is an engine from the plain forward pass of its documented template, and how far are wrong templates?

    python benchmarks/template_parity.py [--model FOLDER] [--json FILE]

The three parity items go through sentence-transformers in one batch, and one by one through plain
transformers, right and wrong. Without a model: a random Qwen3-VL of half a million parameters, in
float32 and in bfloat16. Differences are lengths of the difference of unit vectors, and of logits; of the
wrong templates the least over the items whose prompt they change, and the largest.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import torch

from pipeline.config import ModelSettings
from pipeline.models.qwen_vl import parity
from pipeline.models.qwen_vl.families import QWEN3_VL
from pipeline.models.qwen_vl.plain import Outcome, plain_embedding, plain_logit
from pipeline.models.sentence_transformers.qwen_vl import QwenVlEmbedder, QwenVlReranker
from tests.models.tiny_qwen_vl import save_qwen3_vl
from tests.models.wrong_prompts import CHANGES


def distances(some: list[Outcome], others: list[Outcome]) -> list[float]:
    return [float(np.linalg.norm(a.value - b.value)) for a, b in zip(some, others, strict=True)]


def measured(model: Path) -> dict[str, list[float]]:
    """Differences from the plain pass, by what differs."""
    settings = ModelSettings(adapter="sentence_transformers", model=str(model))
    embedder = QwenVlEmbedder(settings, QWEN3_VL)
    engine = embedder._engine
    asked = [embedder._parts(item, instruction) for instruction, item in parity.probe_items(QWEN3_VL)]
    plain = [plain_embedding(engine.network, engine.processor, parts, False) for parts in asked]
    found = {"sentence-transformers, vectors": distances(engine.together(asked), plain)}
    for name, change in CHANGES.items():
        wrong = [change(parts) for parts in asked]
        changed = [i for i, parts in enumerate(asked) if wrong[i] != parts]
        got = [plain_embedding(engine.network, engine.processor, wrong[i], False) for i in changed]
        found[name] = distances(got, [plain[i] for i in changed])
    return found | {"sentence-transformers, logits": logits(settings)}


def logits(settings: ModelSettings) -> list[float]:
    reranker = QwenVlReranker(settings)
    engine = reranker._engine
    asked = [reranker._parts(pair) for pair in parity.probe_pairs()]
    head = engine.network.get_output_embeddings().rows.cpu().numpy()
    plain = [plain_logit(engine.network.model, engine.processor, parts, head) for parts in asked]
    return distances(engine.together(asked), plain)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a Qwen3-VL checkpoint; none makes a random one")
    parser.add_argument("--json", type=Path, help="write the figures here too")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        if args.model:
            figures = {str(args.model): measured(args.model)}
        else:
            dtypes = {"float32": torch.float32, "bfloat16": torch.bfloat16}
            figures = {n: measured(save_qwen3_vl(Path(made) / n, dtype=dtype)) for n, dtype in dtypes.items()}
    for model, found in figures.items():
        print(f"\n{model}\n{'':32} {'least':>9} {'largest':>9}")
        for name, values in found.items():
            print(f"{name:32} {min(values):9.2g} {max(values):9.2g}")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
