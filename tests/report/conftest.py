from __future__ import annotations

from pathlib import Path

import pytest

from tests.report.example_run import Run, draw_media


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Media that every test may read: drawn once."""
    run = Run(tmp_path_factory.mktemp("out"), tmp_path_factory.mktemp("media"))
    draw_media(run)
    return run


@pytest.fixture
def run(drawn: Run, tmp_path: Path) -> Run:
    """An empty output folder beside those media."""
    return Run(tmp_path / "out", drawn.media, drawn.images, drawn.videos)
