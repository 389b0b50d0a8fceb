"""Exporting as a whole: what is on disk is read back."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipeline.config import FrameSettings
from pipeline.errors import UsageError
from pipeline.media.decode import read_image
from pipeline.mine.export import FORMATS
from pipeline.mine.export.recipe import Exported, ExportOptions, export
from pipeline.schemas import TRAIN
from pipeline.store.shards import Manifest, write_dataset
from tests.media.films import shown
from tests.mine.export.rows import content
from tests.mine.loop import Loop, Silent
from tests.mine.planted import film, paint

FRAMES = FrameSettings()
RED, BLUE, GREEN = (220, 30, 30), (30, 30, 220), (30, 200, 30)


FILM = {"licence": "CC BY 4.0", "author": "Ann", "origin": None}


def document(doc_id: str, **medium: Any) -> dict[str, Any]:
    return {
        "doc_id": doc_id, "score": 0.7, "rank": 1, "logit": None, "source": "mined", "group_id": doc_id,
        "content": content(**medium),
    }  # fmt: skip


def row(query_id: str, positives: list[Any], negatives: list[Any], **more: Any) -> dict[str, Any]:
    return {
        "query_id": query_id, "instruction": "Find the moment.", "query": content(query_id), "positives": positives,
        "negatives": negatives, "positive_mean": 0.7, "in_batch_negatives": True, "task": "moments",
        "task_type": "t", "language": "en", "asset_id": "a",
        "sources": [{**FILM, "uri": uri} for d in positives if (uri := d["content"]["video"] or d["content"]["image"])],
        **more,
    }  # fmt: skip


def span(doc_id: str, uri: str, start_s: float, end_s: float) -> dict[str, Any]:
    return document(doc_id, video=uri, start_s=start_s, end_s=end_s)


ROWS = [
    row("red", [span("r", "film.mp4", 0.0, 1.0)], [span("b", "film.mp4", 1.0, 2.0), span("g", "film.mp4", 2.0, 3.0)]),
    row("still", [span("s", "film.mp4", 1.5, 1.5)], [document("i", image="sky.png"), document("x", image="gone.png")]),
    row("whole", [document("w", video="film.mp4")], []),
    row("late", [span("l", "film.mp4", 7.0, 8.0)], []),
    row("lost", [document("y", image="../secret.png")], []),
    row("two", [document("t", text="here"), document("x", image="gone.png")], [document("i", image="sky.png")]),
]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    paint(tmp_path / "media", sky=(20, 20, 255))
    Image.new("RGB", (8, 8)).save(tmp_path / "secret.png")
    film(tmp_path / "media" / "film.mp4", RED, BLUE, GREEN)
    write(tmp_path, ROWS, "moments")
    return tmp_path


def write(out: Path, rows: list[dict[str, Any]], task: str) -> None:
    table = TRAIN.empty_table().from_pylist(rows, schema=TRAIN)
    manifest = Manifest(len(rows), "f", media_root=str(out / "media"))
    write_dataset(out / "mined" / task / "train", table, TRAIN, manifest, out / ".work")


def exported(out: Path, *tasks: str, **options: Any) -> list[Exported]:
    return export(out, tasks, FORMATS["ms-swift"], Loop(None), Silent(), ExportOptions(FRAMES, **options))


def lines(out: Path, task: str = "moments") -> dict[str, dict[str, Any]]:
    """Every line by the text of its query, read back from disk."""
    folder = out / "export" / "ms-swift" / task
    read = [json.loads(line) for path in folder.glob("*.jsonl") for line in path.read_text().splitlines()]
    return {line["messages"][1]["content"]: line for line in read}


def test_every_row_is_written_or_skipped_with_a_reason(out: Path) -> None:
    (result,) = exported(out)
    assert set(lines(out)) == {"red", "still", "whole", "two"}
    assert result.skipped == {"no_frames": 1, "outside_media_root": 1}
    assert result.dropped_negatives == {"missing": 1}
    assert result.rows == len(ROWS) == sum(result.lines.values()) + sum(result.skipped.values())
    assert json.loads((out / "export/ms-swift/moments/summary.json").read_text())["rows"] == len(ROWS)


def test_media_of_written_rows_are_credited(out: Path) -> None:
    exported(out)
    credited = json.loads((out / "export/ms-swift/moments/attribution.json").read_text())
    assert credited[0] == {"uri": "film.mp4", "licence": "CC BY 4.0", "author": "Ann", "origin": None}
    assert "../secret.png" not in [c["uri"] for c in credited]


def test_spans_are_clips_that_show_their_moment(out: Path) -> None:
    exported(out)
    red = lines(out)["red"]
    clips = [red["positive_videos"][0][0], *(v[0] for v in red["negative_videos"])]
    for clip, colour in zip(clips, (RED, BLUE, GREEN), strict=True):
        frames = list(shown(Path(clip), FRAMES))
        assert len(frames) == 10
        assert all(abs(f.mean(axis=(0, 1)) - colour).max() < 12 for _, f in frames)


def test_a_key_frame_is_an_image_and_a_whole_video_stays_where_it_is(out: Path) -> None:
    exported(out)
    found = lines(out)
    assert found["still"]["positive_messages"] == [[{"role": "user", "content": "<image>"}]]
    picture = read_image(Path(found["still"]["positive_images"][0][0]), FRAMES)
    assert abs(picture.mean(axis=(0, 1)) - BLUE).max() < 12
    assert found["whole"]["positive_videos"] == [[str(out / "media" / "film.mp4")]]


def test_rows_of_a_file_have_equal_numbers_of_negatives(out: Path) -> None:
    (result,) = exported(out)
    assert result.lines == {
        "train-0-negatives.jsonl": 1,
        "train-1-negatives.jsonl": 2,
        "train-2-negatives.jsonl": 1,
    }


def test_a_second_run_cuts_nothing_and_writes_the_same(out: Path) -> None:
    exported(out)
    files = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in (out / "export").rglob("*") if p.is_file()}
    exported(out)
    for path, (data, written) in files.items():
        assert path.read_bytes() == data
        assert path.suffix in {".jsonl", ".json"} or path.stat().st_mtime_ns == written


def test_a_video_that_cannot_be_opened_loses_its_rows_alone(out: Path) -> None:
    (out / "media" / "film.mp4").write_bytes(b"<html>not a film</html>")
    (result,) = exported(out)
    assert set(lines(out)) == {"whole", "two"}  # a whole file is not decoded here
    assert result.skipped == {"not_media": 3, "outside_media_root": 1}


def test_moved_media_are_found_by_media_root(out: Path) -> None:
    (out / "media").rename(out / "moved")
    (result,) = exported(out, media_root=str(out / "moved"))
    assert result.skipped == {"no_frames": 1, "outside_media_root": 1}


def test_a_stage_that_fails_never_puts_the_whole_video_in_the_place_of_a_span(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise ValueError("no encoder")

    monkeypatch.setattr("pipeline.mine.export.clips.cut", fails)
    (result,) = exported(out)
    assert result.skipped["stage_error"] == 3
    assert set(lines(out)) == {"whole", "two"}


def test_an_unknown_task_and_an_empty_folder_say_what_to_run(out: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no mined task .* 'videos', there are moments; run: mine --task videos"):
        exported(out, "videos")
    with pytest.raises(UsageError, match="there is none; run: mine --task all --out"):
        exported(tmp_path / "empty")


def test_a_task_that_mining_left_empty_gives_an_empty_export(out: Path) -> None:
    write(out, [], "none")
    (result,) = exported(out, "none")
    assert (result.rows, result.lines) == (0, {})
