"""Bad input gets one line that names the thing and the fix, and exit code 1 or 2."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli import mine, seed_pool, synth
from pipeline.synth.tasks import TASKS

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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An input that holds a file, and no more than that."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"x")
    return folder


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    code, line = failure("seed-pool", "build", tmp_path / "gone", "--out", tmp_path / "out", "--runner", "local")
    assert code == 2
    assert f"{tmp_path / 'gone'} does not exist" in line


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    code, line = failure("seed-pool", "build", tmp_path / "empty", "--out", tmp_path / "out", "--runner", "local")
    assert code == 2
    assert "is empty; put images" in line


def test_a_benchmark_that_is_not_there_is_named(folder: Path, tmp_path: Path) -> None:
    code, line = failure("seed-pool", "build", folder, "--out", tmp_path / "out", "--exclude", "Bench=/gone")
    assert code == 2
    assert "--exclude Bench=/gone: /gone does not exist" in line


def test_an_output_inside_the_input_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    code, line = failure("seed-pool", "build", tmp_path, "--out", tmp_path / "out", "--runner", "local")
    assert code == 2
    assert "lies inside the input" in line


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1:9"])
def test_a_ray_cluster_that_is_not_there_is_named_at_once(folder: Path, tmp_path: Path, address: str) -> None:
    where = ("--out", tmp_path / "out", "--set", f"runner.address={address}")
    code, line = failure("seed-pool", "build", folder, *where)
    assert code == 2
    assert f"no Ray cluster answers at runner.address '{address}'" in line


def test_a_model_that_would_check_its_own_labels_is_refused(folder: Path, tmp_path: Path) -> None:
    where = ("--out", tmp_path / "out", "--runner", "local", "--set", "vlm.model=lite0")
    code, line = failure("seed-pool", "build", folder, *where)
    assert code == 2
    assert "a model cannot check its own labels" in line


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


def test_a_dim_that_the_embedder_does_not_have_is_refused(tmp_path: Path) -> None:
    code, line = failure("mine", "--dim", 64, "--out", tmp_path, "--runner", "local")
    assert code == 2
    assert "the builtin embedder's vectors cannot be cut" in line
    fake = ("--set", "embedder.adapter=fake", "--set", "embedder.model=a")
    code, line = failure("mine", "--dim", 64, *fake, "--out", tmp_path, "--runner", "local")
    assert code == 1
    assert "dim is 64, but the vectors of a have 32 values" in line


def test_a_wrong_assignment_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    config = tmp_path / "good.yaml"
    config.write_text("mine: {t_pos: 0.5}\n")
    code, line = failure("mine", "--config", config, "--set", "mine.top_j=5", "--out", tmp_path)
    assert code == 2
    assert "unknown setting 'mine.top_j' in --set" in line


@pytest.mark.parametrize(("key", "meant"), [("embedder.calibration.scor", "embedder.calibration.score")])
def test_the_nearest_setting_exists(tmp_path: Path, key: str, meant: str) -> None:
    code, line = failure("mine", "--set", f"{key}=1", "--out", tmp_path)
    assert code == 2
    assert f"did you mean '{meant}'?" in line


@pytest.mark.parametrize(
    "command", [("synth", "run", "--task", "all"), ("mine",), ("mine", "export", "--format", "ms-swift")]
)
def test_a_media_root_that_is_not_there_is_named(tmp_path: Path, command: tuple[str, ...]) -> None:
    code, line = failure(*command, "--media-root", tmp_path / "gone", "--out", tmp_path, "--runner", "local")
    assert code == 2
    assert f"--media-root {tmp_path / 'gone'} is no folder" in line


def test_no_language_at_all_is_refused(tmp_path: Path) -> None:
    code, line = failure("synth", "run", "--task", "image_qa", "--set", "synth.languages=[]", "--out", tmp_path)
    assert code == 2
    assert "synth.languages" in line


@pytest.mark.parametrize(
    ("languages", "message"),
    [
        ("zh,xx", "synth.languages: 'xx' is not one of"),
        ("zh,", "synth.languages: '' is not one of"),
        ("en,en", "a language stands twice"),
        ("zh, en", "the builtin annotator writes English only"),
        ("no", "synth.languages is ['no'], but the builtin annotator"),  # in YAML a bare `no` is false
    ],
)
def test_languages_that_cannot_be_written_are_named(tmp_path: Path, languages: str, message: str) -> None:
    code, line = failure("synth", "run", "--task", "image_qa", "--language", languages, "--out", tmp_path)
    assert code == 2
    assert message in line


def test_weights_of_task_types_without_a_choice_are_refused(tmp_path: Path) -> None:
    weights = "synth.type_weights={image_qa: {Visual Reasoning: 2}}"
    code, line = failure("synth", "run", "--task", "image_qa", "--set", weights, "--out", tmp_path)
    assert code == 2
    assert "type_weights belong to type_choice: assigned" in line


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    script = f"'{Path(sys.executable).parent / 'synth'}' tasks | head -n 1"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout.count("\n"), done.stderr) == (1, "")


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
    assert "there is none; run: mine --task all --out" in line


@pytest.mark.parametrize(
    "command",
    [
        *(("seed-pool", "build"), ("synth", "run"), ("synth", "show"), ("synth", "prompts"), ("synth", "cache")),
        *(("mine",), ("mine", "export")),
    ],
)
def test_help_teaches_with_an_example_or_the_files_it_writes(command: tuple[str, ...]) -> None:
    code, output = run(*command, "--help")
    assert code == 0
    assert "Example" in output or "Print" in output


def test_the_tasks_are_listed_with_their_types() -> None:
    code, output = run("synth", "tasks")
    assert code == 0
    assert [line.split(":")[0] for line in output.splitlines() if not line.startswith(" ")] == [*TASKS]
    assert "OCR-based Data Extraction" in output


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (["--dataset", "/gone"], "--dataset /gone does not exist; name a folder with dataset.json"),
        (["--name", "x"], "--name says how a data set is read; name one with --dataset"),
        (["--no-in-batch-negatives"], "--in-batch-negatives says how a data set is read"),
        (["--dataset", ".", "--task", "image_qa"], "give one of them"),
        (["--dataset", ".", "--column", "querry=x"], "--column querry is not FIELD=NAME with one of query_id, query"),
        (["--dataset", ".", "--embeddings", "/gone"], "queries_vectors.parquet is not there"),
        (["--dataset", ".", "--embeddings", "/gone", "--dim", "64"], "--dim cuts vectors of a model"),
        (["--dataset", ".", "--media-root", "/gone"], "--media-root /gone is no folder"),
    ],
)
def test_a_data_set_that_cannot_be_read_is_named(tmp_path: Path, told: list[str], message: str) -> None:
    code, line = failure("mine", *told, "--out", tmp_path, "--runner", "local")
    assert code == 2
    assert message in line


def test_a_rule_that_does_not_exist_is_named_with_those_that_do(tmp_path: Path) -> None:
    code, line = failure("mine", "--rule", "nearest", "--out", tmp_path)
    assert code == 2
    assert "is 'nearest' in --set: Input should be 'paper', 'absolute', 'relative' or 'percent'" in line


def test_a_number_that_no_rule_reads_is_an_error(tmp_path: Path) -> None:
    code, line = failure("mine", "--relative-margin", "0.05", "--out", tmp_path)
    assert code == 2
    assert line.endswith("relative_margin is 0.05, but rule is paper; add relative to it")
