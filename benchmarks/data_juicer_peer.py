"""Data-Juicer as its guide runs it: a JSONL of samples, a YAML of operators, `dj-process` in its own environment.

One process for its operators (`np: 1`), no cache of earlier results, no network; all else is its default, so
`skip_op_error` too: a sample that an operator fails on does not stop the run.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

Operators = Sequence[Mapping[str, Mapping[str, Any]]]
LIMIT_S = 900
ADOPTED = Path(__file__).with_name("adopted.py")


@dataclass(frozen=True)
class PeerRun:
    """What `dj-process` left. kept: the media of each sample that came out, by the name it went in with.
    logged: names whose file the log mentions in an error. code: 0, or None when it waited too long."""

    code: int | None
    kept: dict[str, list[str]]
    logged: set[str]
    wall_s: float
    cpu_s: float


@dataclass(frozen=True)
class Peer:
    """environment: where Data-Juicer is installed. work: a folder for what it writes."""

    environment: Path
    work: Path

    @property
    def version(self) -> str:
        code = "import importlib.metadata as m; print(m.version('py-data-juicer'))"
        done = subprocess.run([self._program("python"), "-c", code], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def run(
        self,
        name: str,
        media: Literal["images", "videos"],
        files: Mapping[str, Path],
        operators: Operators,
        wait_s: float | None = None,
    ) -> PeerRun:
        """Run operators over files by name. name: of the run. wait_s: after which it counts as waiting for ever.

        Raises SystemExit when it fails, or when it takes longer than LIMIT_S and no wait_s was given.
        """
        folder = self.work / re.sub(r"\W+", "-", name)  # blanks in `dataset_path` would separate data sets
        folder.mkdir(parents=True)
        token = "<__dj__image>" if media == "images" else "<__dj__video>"
        samples = [{"name": key, "text": token, media: [str(path)]} for key, path in files.items()]
        (folder / "in.jsonl").write_text("".join(json.dumps(s) + "\n" for s in samples), encoding="utf-8")
        config = {
            "project_name": folder.name,
            "dataset_path": str(folder / "in.jsonl"),
            "export_path": str(folder / "out" / "out.jsonl"),
            "np": 1,
            "use_cache": False,
            "process": [dict(operator) for operator in operators],
        }
        (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
        program = [self._program("dj-process"), "--config", str(folder / "config.yaml")]
        done = subprocess.run(
            [sys.executable, str(ADOPTED), str(wait_s or LIMIT_S), str(folder / "log"), *program],
            env={**os.environ, **self._offline()},
            capture_output=True,
            text=True,
            check=True,
        )
        log = (folder / "log").read_text(encoding="utf-8", errors="replace")
        ended = json.loads(done.stdout)
        if ended["code"] != 0 and not (ended["code"] is None and wait_s):
            raise SystemExit(f"dj-process ended with {ended['code']} over {name}: {log[-2000:]}")
        out = folder / "out" / "out.jsonl"
        rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()] if out.exists() else []
        errors = "\n".join(line for line in log.splitlines() if "rror" in line)
        return PeerRun(
            kept={row["name"]: row[media] for row in rows},
            logged={key for key, path in files.items() if str(path) in errors},
            **ended,
        )

    def _program(self, name: str) -> str:
        return str((self.environment / "bin" / name).absolute())

    def _offline(self) -> dict[str, str]:
        """It would download what it misses, and keep caches in the home folder."""
        return {
            "HF_HUB_OFFLINE": "1",
            "UV_OFFLINE": "1",
            "PIP_NO_INDEX": "1",
            "HF_HOME": str(self.work / "hf"),
            "DATA_JUICER_CACHE_HOME": str(self.work / "cache"),
        }
