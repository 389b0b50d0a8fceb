"""What came with the media: precedence, broken sidecars, allowed licences."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline.config import FrameSettings, SourceSettings
from pipeline.media.frames import FrameStore
from pipeline.seed_pool.cues import overlapping
from pipeline.seed_pool.probe import EMBEDDED, probe_files
from pipeline.seed_pool.provenance import READS, ProvenanceSource, gather, problems_by_code
from pipeline.seed_pool.sidecar_files import MAX_BYTES
from pipeline.seed_pool.sources import open_source
from pipeline.seed_pool.sources.rows import tables
from tests.media.stills import encoded, picture
from tests.media.test_embedded import exif
from tests.media.test_xmp import FULL
from tests.seed_pool.sources.test_containers import tar

JPEG = encoded(picture(1), "JPEG")
WITH_EXIF = encoded(picture(2), "JPEG", exif=exif())
SRT = "1\n00:00:01,000 --> 00:00:02,000\nhello there\n"


def gathered(root: Path, known: dict[str, str] | None = None, **settings: Any) -> list[dict[str, Any]]:
    """The rows of a folder after the stage; known: what a list's columns said of all of them."""
    table = pa.concat_tables(tables(open_source(str(root), SourceSettings()).found(), 100))
    table = table.filter(pa.compute.is_null(table.column("reject")))
    store = FrameStore(root / "cache", root, FrameSettings(isolate=False))
    embedded = probe_files(table.select(["uri"]), store).column(EMBEDDED.name)
    table = table.append_column(EMBEDDED, embedded)
    for name, value in (known or {}).items():
        at = table.column_names.index(name)
        table = table.set_column(at, name, pa.array([value] * len(table), pa.string()))
    source = ProvenanceSource(store, SourceSettings(**settings))
    return gather(table.select(list(READS)), source).to_pylist()


def one(root: Path, files: dict[str, bytes | str], **more: Any) -> dict[str, Any]:
    for name, data in files.items():
        (root / name).write_bytes(data.encode() if isinstance(data, str) else data)
    (row,) = gathered(root, **more)
    return row


def test_column_before_sidecar_before_what_is_embedded(tmp_path: Path) -> None:
    said = {"caption": "from json", "license": "CC0", "photographer": "Jo", "URL": "https://example.org/p"}
    row = one(tmp_path, {"a.jpg": WITH_EXIF, "a.json": json.dumps(said)}, known={"licence": "MIT"})
    assert (row["licence"], row["source_caption"], row["author"]) == ("MIT", "from json", "Jo")
    assert row["origin"] == "https://example.org/p"
    row = one(tmp_path, {"a.txt": "from txt\n"})
    assert (row["source_caption"], row["licence"]) == ("from txt", "CC0")
    (tmp_path / "a.json").unlink()
    (tmp_path / "a.txt").unlink()
    row = one(tmp_path, {})
    assert (row["source_caption"], row["licence"], row["author"]) == ("A harbour", "CC BY 4.0", "Jürgen")
    assert row["sidecar_problem"] is None


def test_xmp_and_subtitles_beside_a_medium(tmp_path: Path) -> None:
    row = one(
        tmp_path, {"a.jpg": JPEG, "a.xmp": FULL, "a.srt": "\ufeff" + SRT, "a.vtt": "WEBVTT\n\n0:1.0 --> 0:2.0\nx\n"}
    )
    assert (row["source_caption"], row["author"]) == ("A dog", "Ann, Bob")
    assert row["licence"] == "https://creativecommons.org/licenses/by/4.0/"
    assert row["cues"] == [{"start_s": 1.0, "end_s": 2.0, "text": "hello there"}]  # of one file, not of two


def test_sidecars_in_a_tar_with_keys_of_img2dataset(tmp_path: Path) -> None:
    said = {
        "caption": "a cat",
        "url": "https://example.org/1",
        "key": "000",
        "status": "success",
        "error_message": None,
    }
    tar(tmp_path / "0.tar", {"000.jpg": JPEG, "000.json": json.dumps(said).encode(), "000.txt": b"a cat"})
    (row,) = gathered(tmp_path)
    assert (row["source_caption"], row["origin"]) == ("a cat", "https://example.org/1")


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("a.json", "{", "malformed"),
        ("a.json", "[" * 100_000, "malformed"),
        ("a.json", '["a"]', "malformed"),
        ("a.json", '{"caption": ' + "9" * 5000 + "}", "malformed"),
        ("a.json", b"\xff\xfe\x00", "not_utf8"),
        ("a.txt", b"caf\xe9", "not_utf8"),
        ("a.txt", "x" * (MAX_BYTES + 1), "too_large"),
        ("a.txt", "x" * 20_000, "malformed"),
        ("a.txt", "", "empty_file"),
        ("a.xmp", "<!DOCTYPE x><x/>", "malformed"),
        ("a.srt", "nothing", "no_cues"),
        ("a.srt", SRT + "\n1 --> 2\n", "bad_cues"),
    ],
)
def test_a_sidecar_that_cannot_be_used_is_noted_and_its_medium_goes_on(
    tmp_path: Path, name: str, data: bytes | str, code: str
) -> None:
    row = one(tmp_path, {"a.jpg": JPEG, name: data})
    assert row["reject"] is None
    assert row["sidecar_problem"].startswith(f"{code} {name}: ")
    assert row["source_caption"] is None


def test_no_medium_is_opened_here_as_the_decoding_process_has_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = gather

    def opened(*_: object) -> None:
        raise AssertionError("a medium was opened")

    def gathering(table: pa.Table, source: ProvenanceSource) -> pa.Table:
        (tmp_path / "a.jpg").unlink()
        monkeypatch.setattr("PIL.Image.open", opened)
        return really(table, source)

    monkeypatch.setattr("tests.seed_pool.test_provenance.gather", gathering)
    row = one(tmp_path, {"a.jpg": WITH_EXIF})
    assert (row["source_caption"], row["sidecar_problem"]) == ("A harbour", None)


def test_tags_that_cannot_be_read_are_noted_and_their_medium_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise ValueError("bad tag")

    monkeypatch.setattr("pipeline.media.probe.of_picture", broken)
    row = one(tmp_path, {"a.jpg": JPEG})
    assert row["reject"] is None
    assert row["sidecar_problem"] == "corrupt_image a.jpg: JPEG: bad tag"


def test_a_sidecar_never_leads_out_of_the_media_root(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    root = tmp_path / "media"
    root.mkdir()
    (root / "a.txt").symlink_to(tmp_path / "secret.txt")
    row = one(root, {"a.jpg": JPEG})
    assert row["source_caption"] is None
    assert row["sidecar_problem"].startswith("outside_media_root a.txt")


def test_json_of_strangers_fits_any_column(tmp_path: Path) -> None:
    said = (
        '{"caption": "a\\ud800\\u0000b", "author": ["Ann", 3, "Bob"], "license": {"id": 1}, "label": 7, "lang": true}'
    )
    row = one(tmp_path, {"a.jpg": JPEG, "a.json": said})
    assert (row["source_caption"], row["author"], row["licence"]) == ("a? b", "Ann, Bob", None)
    assert (row["given_label"], row["source_language"]) == ("7", None)


@pytest.mark.parametrize(
    ("licence", "required", "reason"),
    [
        ("https://creativecommons.org/licenses/by/4.0/", True, None),
        ("CC BY-NC 4.0", False, "licence_not_allowed"),
        ("© Jane Doe", False, "licence_not_allowed"),
        (None, False, None),
        (None, True, "licence_unknown"),
    ],
)
def test_licences_are_filtered(tmp_path: Path, licence: str | None, required: bool, reason: str | None) -> None:
    files = {"a.jpg": JPEG, "a.json": json.dumps({"license": licence})}
    row = one(tmp_path, files, licences=("cc-by-4.0", "cc0"), licence_required=required)
    assert (row["reject"] and row["reject"]["reason"]) == reason
    if reason == "licence_not_allowed":
        assert licence in row["reject"]["detail"]
        assert "allowed cc-by-4.0, cc0" in row["reject"]["detail"]


def test_a_segment_keeps_the_cues_that_overlap_it() -> None:
    cues = [{"start_s": s, "end_s": s + 1.0, "text": str(s)} for s in (0.0, 1.5, 4.0)]
    table = pa.table({"cues": [cues, cues, None], "start_s": [1.0, None, 1.0], "end_s": [2.0, None, 2.0]})
    kept = overlapping(table, None).column("cues").to_pylist()
    assert [[c["text"] for c in row] for row in kept] == [["1.5"], ["0.0", "1.5", "4.0"], []]


def test_problems_are_counted_by_file_and_code() -> None:
    noted = ["malformed a.json: x\nno_cues a.srt: y", "malformed b.json: no_cues c", None]
    assert problems_by_code(noted) == {"malformed": 2, "no_cues": 1}
