"""Bad input gets one line that names the thing and the fix, and exit code 1 or 2."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli import mine, seed_pool, synth

COMMANDS = {"seed-pool": seed_pool.app, "synth": synth.app, "mine": mine.app}


def run(command: str, *arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(COMMANDS[command], [*map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result.exit_code, result.output


def failure(command: str, *arguments: object) -> tuple[int, str]:
    code, output = run(command, *arguments)
    lines = [line for line in output.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, output
    return code, lines[0]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    code, line = failure("seed-pool", "build", tmp_path / "gone", "--out", tmp_path / "out", "--runner", "local")
    assert code == 2
    assert f"{tmp_path / 'gone'} does not exist" in line


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    code, line = failure("seed-pool", "build", tmp_path / "empty", "--out", tmp_path / "out", "--runner", "local")
    assert code == 2
    assert "is empty; put images" in line


def test_a_benchmark_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.jpg").write_bytes(b"")
    code, line = failure("seed-pool", "build", tmp_path / "in", "--out", tmp_path / "out", "--exclude", "Bench=/gone")
    assert code == 2
    assert "--exclude Bench=/gone: /gone does not exist" in line


def test_an_output_inside_the_input_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    code, line = failure("seed-pool", "build", tmp_path, "--out", tmp_path / "out", "--runner", "local")
    assert code == 2
    assert "lies inside the input" in line


def test_an_unknown_task_names_the_nearest(tmp_path: Path) -> None:
    code, line = failure("synth", "run", "--task", "vidoe_qa", "--out", tmp_path, "--runner", "local")
    assert code == 2
    assert "did you mean 'video_qa'?" in line


def test_a_task_without_a_seed_pool_says_how_to_get_one(tmp_path: Path) -> None:
    code, line = failure("synth", "run", "--task", "video_qa", "--out", tmp_path, "--runner", "local")
    assert code == 2
    assert "seed-pool build INPUT" in line


@pytest.mark.parametrize("option", ["--t-pos", "--margin"])
def test_thresholds_outside_the_range_of_a_cosine_are_refused(tmp_path: Path, option: str) -> None:
    code, line = failure("mine", option, "1.5", "--out", tmp_path, "--runner", "local")
    assert code == 2
    assert "1.5" in line
    assert "less than or equal to 1" in line


def test_an_unknown_setting_names_the_nearest(tmp_path: Path) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text("mine: {t_poss: 0.5}\n")
    code, line = failure("mine", "--config", config, "--out", tmp_path)
    assert code == 2
    assert "unknown setting 'mine.t_poss'" in line
    assert "did you mean 'mine.t_pos'?" in line
    assert str(config) in line


@pytest.mark.parametrize("text", ["- a list\n", "mine: [1\n", "\x00"])
def test_a_config_that_is_no_settings_is_named(tmp_path: Path, text: str) -> None:
    config = tmp_path / "bad.yaml"
    config.write_text(text)
    code, line = failure("synth", "run", "--task", "video_qa", "--config", config, "--out", tmp_path)
    assert code == 2
    assert str(config) in line


def test_mining_without_a_synthesised_task_says_how_to_get_one(tmp_path: Path) -> None:
    code, line = failure("mine", "--task", "video_qa", "--out", tmp_path, "--runner", "local")
    assert code == 2
    assert "run: synth run --task video_qa" in line


def test_an_unknown_export_format_names_those_there_are(tmp_path: Path) -> None:
    code, line = failure("mine", "export", "--format", "ms-swfit", "--out", tmp_path)
    assert code == 2
    assert "unknown format 'ms-swfit'; there are ms-swift" in line


def test_exporting_without_a_mined_task_says_how_to_get_one(tmp_path: Path) -> None:
    code, line = failure("mine", "export", "--format", "ms-swift", "--out", tmp_path, "--runner", "local")
    assert code == 2
    assert "there is none; run: mine --out" in line


@pytest.mark.parametrize(
    "command", [("seed-pool", "build"), ("synth", "run"), ("synth", "show"), ("mine",), ("mine", "export")]
)
def test_help_teaches_with_an_example_or_the_files_it_writes(command: tuple[str, ...]) -> None:
    code, output = run(*command, "--help")
    assert code == 0
    assert "Example" in output or "Print" in output


def test_the_tasks_are_listed_with_their_types() -> None:
    code, output = run("synth", "tasks")
    assert code == 0
    assert [line.split(":")[0] for line in output.splitlines() if not line.startswith(" ")] == [
        "image_classification",
        "image_qa",
        "image_retrieval",
        "video_classification",
        "video_qa",
        "video_retrieval",
        "moment_retrieval",
    ]
    assert "OCR-based Data Extraction" in output
