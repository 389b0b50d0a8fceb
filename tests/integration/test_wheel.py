"""An installed wheel works from an empty folder: prompts and configs travel inside it."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


def test_a_wheel_installed_elsewhere_lists_the_tasks_from_an_empty_folder(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path / "dist"), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    wheel = next((tmp_path / "dist").glob("*.whl"))
    names = zipfile.ZipFile(wheel).namelist()
    for folder in ("prompts", "configs"):
        inside = {Path(n).name for n in names if n.startswith(f"pipeline/_resources/{folder}/")}
        assert inside == {p.name for p in (ROOT / folder).iterdir() if p.is_file()}

    # Its own environment, which borrows the dependencies but not the editable install of this one.
    venv.create(tmp_path / "venv", with_pip=False)
    library = tmp_path / "venv/lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    zipfile.ZipFile(wheel).extractall(library)
    here = Path(pytest.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(library), str(here)])}
    (tmp_path / "empty").mkdir()
    code = "import pipeline, sys; print(pipeline.__file__); from pipeline.cli.synth import app; app(['tasks'])"
    result = subprocess.run(
        [tmp_path / "venv/bin/python", "-c", code],
        cwd=tmp_path / "empty",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert str(library) in result.stdout.splitlines()[0]
    assert "moment_retrieval: text -> segment of a video" in result.stdout
