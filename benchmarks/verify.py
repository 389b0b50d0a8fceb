"""What verification catches, and what it rejects wrongly: python benchmarks/verify.py [--pictures 60]

Renders pictures whose facts are known (ground colour, number of shapes, printed text, some of it small) and asks one
question of each kind about each, with true pairs and with planted false ones: the positive is wrong (swapped), the
negative is true too (`both`), the question is answered without looking (`generic`).

`measured` is the product's check of pixels alone, with its real OCR. `whole` is both stages, with a judge that is a
script: it knows the facts and errs at the stated rate in each thing it is asked. Its figures show what the protocol
makes of a judge of that quality; how often a real VLM errs was not measured here.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
from PIL import Image, ImageDraw, ImageFont

from pipeline.config import AnyModel, FrameSettings, SynthSettings, VlmSettings
from pipeline.models.load import load
from pipeline.models.protocols import Picture, Reply, Request, TextLine, TextReader, Usage
from pipeline.runners.apply import apply_step
from pipeline.schemas import ASSETS
from pipeline.stage import ModelRef, live
from pipeline.synth.annotation import Annotation
from pipeline.synth.measured import READS_TEXT, measuring_claims
from pipeline.synth.subjects import subjects
from pipeline.synth.tasks import TASKS
from pipeline.synth.verify import verifying

SPEC = TASKS["image_qa"]
GROUNDS = {
    "red": (200, 25, 35), "green": (40, 140, 60), "blue": (40, 80, 190), "yellow": (240, 215, 50),
    "white": (245, 245, 245), "black": (12, 12, 12), "brown": (110, 65, 30), "purple": (120, 40, 140),
}  # fmt: skip
SIGNS = (
    "BLUE HARBOUR", "FISH MARKET", "MUSIC SCHOOL", "NIGHT TRAIN", "WINTER GARDEN", "GRAND HOTEL", "PUBLIC LIBRARY",
    "CITY MUSEUM", "FRESH BREAD", "CLOSED SUNDAY",
)  # fmt: skip
FACTOID, GENERIC = "Factoid Identification", "Domain-specific Knowledge Inquiry"


@dataclass(frozen=True)
class Pair:
    """One example about one picture. `false`: what is wrong with it, None where nothing is."""

    picture: int
    kind: str
    task_type: str
    question: str
    positive: str
    negative: str
    right: frozenset[str]  # of the two, by the picture
    false: str | None


def render(number: int, folder: Path, rng: random.Random) -> list[Pair]:
    """Draw a picture and write its pairs."""
    ground, other = rng.sample(sorted(GROUNDS), 2)
    count = rng.randint(2, 9)
    sign, small, absent = rng.sample(SIGNS, 3)
    image = Image.new("RGB", (640, 480), GROUNDS[ground])
    draw = ImageDraw.Draw(image)
    ink = "black" if sum(GROUNDS[ground]) > 380 else "white"
    draw.text((30, 20), sign, fill=ink, font=ImageFont.load_default(rng.choice([28, 40, 56])))
    draw.text((30, 450), small, fill=ink, font=ImageFont.load_default(rng.choice([8, 10, 13, 18])))
    for i in range(count):
        x, y = 40 + 190 * (i % 3), 110 + 110 * (i // 3)
        draw.ellipse((x, y, x + 60, y + 60), fill=GROUNDS[other])
    image.save(folder / f"{number}.png")

    def pairs(kind: str, task_type: str, question: str, right: str, wrong: str, too: str | None) -> list[Pair]:
        texts = [(right, wrong, {right}, None), (wrong, right, {right}, "swapped")]
        texts += [(right, too, {right, too}, "both")] if too else []
        return [Pair(number, kind, task_type, question, p, n, frozenset(r), f) for p, n, r, f in texts]

    return [
        *pairs("colour", FACTOID, "What is the dominant colour of the picture?", ground, other, None),
        *pairs(
            "count", FACTOID, "How many discs are there?", f"{count} discs", f"{count + 1} discs", f"{count} circles"
        ),
        *pairs("text", READS_TEXT, "What is written there?", f'"{sign}"', f'"{absent}"', f'"{small}"'),
        *pairs("small text", READS_TEXT, "What is written at the bottom?", f'"{small}"', f'"{absent}"', None),
        Pair(
            number,
            "generic",
            GENERIC,
            "What is water made of?",
            "Molecules",
            "Cotton",
            frozenset(["Molecules"]),
            "generic",
        ),
    ]


class Script:
    """A judge that knows which answers are right and errs at a rate, always the same for a seed."""

    def __init__(self, pairs: dict[str, Pair], errors: float, seed: int) -> None:
        self.pairs, self.errors, self.seed = pairs, errors, seed
        self.fingerprint = f"script {errors} {seed}"

    def generate(self, requests: list[Request], schema: dict[str, Any]) -> list[Reply]:
        return [Reply(json.dumps(self._answer(r, schema["title"])), "stop", Usage(1)) for r in requests]

    def _answer(self, request: Request, title: str) -> dict[str, str]:
        pair = self.pairs[request.asset_ids[0]]
        rng = random.Random(f"{self.seed} {request.asset_ids[0]} {title}")
        block = json.loads(request.prompt.split("<<<DATA\n")[1].split("\nDATA>>>")[0])
        if title == "QuestionReply":
            known = [k for k in "ab" if block[k] in pair.right] if pair.false == "generic" else []
            errs = rng.random() < self.errors
            return {"choice": rng.choice("ab") if errs else (known or ["cannot_tell"])[0]}
        said = {k: (block[k] in pair.right) != (rng.random() < self.errors) for k in "ab"}
        return {"observed": "", **{k: "right" if right else "wrong" for k, right in said.items()}}


class ReadOnce:
    """OCR that looks at each picture once: every picture has several pairs here."""

    def __init__(self, reader: TextReader) -> None:
        self._reader, self._read = reader, dict[bytes, list[TextLine]]()
        self.fingerprint = reader.fingerprint

    def read(self, picture: Picture) -> list[TextLine]:
        key = picture.tobytes()
        if key not in self._read:
            self._read[key] = self._reader.read(picture)
        return self._read[key]


def table(pairs: dict[str, Pair]) -> pa.Table:
    """The pairs as rows of the check stage, each under an asset of its own."""
    assets = [
        {"asset_id": name, "uri": f"{p.picture}.png", "media": "image", "sha256": name, "labels": []}
        for name, p in pairs.items()
    ]
    rows = subjects(pa.Table.from_pylist(assets, schema=ASSETS), SPEC, ["en"])
    responses = [
        SPEC.response.model_validate(
            {
                "description": "A rendered picture.",
                "task_type": p.task_type,
                "question": p.question,
                "positive_answer": p.positive,
                "hard_negative_answer": p.negative,
            }
        ).model_dump_json()
        for p in pairs.values()
    ]
    rows = rows.append_column("asset_id", pa.array(list(pairs)))
    rows = rows.append_column("task_type", pa.array([p.task_type for p in pairs.values()]))
    rows = rows.append_column("response", pa.array(responses))
    return rows.append_column("given", pa.nulls(len(pairs), pa.string()))


def rates(pairs: dict[str, Pair], rows: pa.Table) -> dict[str, dict[str, list[int]]]:
    """By kind and by what is false (`true`: nothing): [rejected, of]."""
    kept = set(live(rows).column("asset_id").to_pylist())
    total: Counter[tuple[str, str]] = Counter()
    rejected: Counter[tuple[str, str]] = Counter()
    for name, pair in pairs.items():
        key = (pair.kind, pair.false or "true")
        total[key] += 1
        rejected[key] += name not in kept
    found: dict[str, dict[str, list[int]]] = {}
    for (kind, false), count in total.items():
        found.setdefault(kind, {})[false] = [rejected[kind, false], count]
    return found


def show(title: str, found: dict[str, dict[str, list[int]]]) -> None:
    print(title)
    for kind, cells in found.items():
        shown = [f"{'false alarms' if f == 'true' else 'caught, ' + f} {n}/{of}" for f, (n, of) in cells.items()]
        print(f"  {kind:11} {'   '.join(shown)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--errors", type=float, nargs="+", default=[0.0, 0.05, 0.2])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, default=Path("data/benchmarks/verify.json"))
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = [pair for n in range(arguments.pictures) for pair in render(n, folder, rng)]
        pairs = {f"p{i:05d}": pair for i, pair in enumerate(made)}
        settings = Annotation(SPEC.name, SynthSettings(), FrameSettings(), folder / "cache", folder, arguments.seed)
        reader = ReadOnce(cast(TextReader, load(ModelRef("text_reader", AnyModel()))))
        measured = apply_step(measuring_claims(settings), table(pairs), reader)
        results = {"measured": rates(pairs, measured)}
        show("measured, no VLM (real figures)", results["measured"])
        for errors in arguments.errors:
            judge = verifying(settings, ModelRef("vlm", VlmSettings()), 32, paid=False)
            whole = apply_step(judge, measured, Script(pairs, errors, arguments.seed))
            results[f"whole, scripted judge, errors {errors:g}"] = rates(pairs, whole)
            show(f"whole, with a scripted judge that errs in {errors:g} (no VLM was asked)", rates(pairs, whole))
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
