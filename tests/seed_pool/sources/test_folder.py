"""Every file becomes a row, whatever it is."""

import os
from pathlib import Path

import pytest

from pipeline.config import SourceSettings
from pipeline.errors import UsageError
from pipeline.seed_pool.sources import open_source


def reasons(root: Path) -> dict[str, str | None]:
    found = open_source(str(root), SourceSettings()).found()
    return {f.uri: None if f.verdict is None else f.verdict[0] for f in found}


def test_files_are_listed_by_uri_and_sidecars_belong_to_their_medium(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in ("b/x.jpg", "a.mp4", "a.srt", "b/x.txt", "lonely.txt", ".hidden.jpg"):
        (tmp_path / name).write_bytes(b"x")
    assert list(reasons(tmp_path)) == ["a.mp4", "b/x.jpg", "lonely.txt"]


def test_what_is_no_file_is_rejected_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "real.jpg").write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "gone.jpg")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    (tmp_path / "folder" / "up").symlink_to(tmp_path)
    assert reasons(tmp_path) == {
        "dangling.jpg": "broken_link",
        "folder/up": "link_to_folder",
        "loop.jpg": "link_loop",
        "pipe.mp4": "not_a_file",
        "real.jpg": None,
    }


def test_a_link_that_leads_out_of_the_input_is_rejected_and_does_not_stop_the_others(tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(b"x")
    root = tmp_path / "root"
    root.mkdir()
    (root / "real.jpg").write_bytes(b"x")
    (root / "out.jpg").symlink_to(tmp_path / "secret.jpg")
    assert reasons(root) == {"out.jpg": "outside_media_root", "real.jpg": None}


def test_a_folder_that_cannot_be_listed_is_rejected_and_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real.jpg").write_bytes(b"x")
    locked = tmp_path / "locked"
    locked.mkdir()
    listed = os.scandir

    def refusing(path: str) -> object:
        if Path(path) == locked:
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert reasons(tmp_path) == {"locked": "unreadable_folder", "real.jpg": None}


@pytest.mark.parametrize("name", ["with space.jpg", "quo\"te's.jpg", "new\nline.jpg", "emoji 🎬.jpg", "-dash.jpg"])
def test_strange_names_are_kept_as_they_are(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    assert reasons(tmp_path) == {name: None}


def test_bytes_that_are_not_utf8_are_written_out(tmp_path: Path) -> None:
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.jpg"))).write_bytes(b"x")
    assert list(reasons(tmp_path)) == ["caf\\xe9.jpg"]


def test_two_names_that_are_written_alike_are_both_accounted_for(tmp_path: Path) -> None:
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/a\xff.png"))).write_bytes(b"cat")
    (tmp_path / "a\\xff.png").write_bytes(b"coffee")
    found = list(open_source(str(tmp_path), SourceSettings()).found())
    assert [f.uri for f in found] == ["a\\xff.png"] * 2
    assert sorted(f.verdict[0] if f.verdict else "" for f in found) == ["", "ambiguous_name"]


def test_a_link_to_a_name_that_is_no_utf8_is_written_out(tmp_path: Path) -> None:
    (tmp_path / "l.jpg").symlink_to(os.fsdecode(b"gone\xe9.jpg"))
    assert reasons(tmp_path) == {"l.jpg": "broken_link"}


def test_a_missing_an_empty_and_a_wrong_input_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        reasons(tmp_path / "gone")
    with pytest.raises(UsageError, match="is empty"):
        reasons(tmp_path)
    file = tmp_path / "file.jpg"
    file.write_bytes(b"x")
    with pytest.raises(UsageError, match="is a file"):
        reasons(file)


def test_the_order_is_that_of_the_uris(tmp_path: Path) -> None:
    for name in ("a.jpg", "a/z.jpg", "a-b.jpg", "ab/c.jpg", "b.jpg", "a/b/c.jpg", "Z.jpg", "\u00e9.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    uris = list(reasons(tmp_path))
    assert uris == sorted(uris)
    assert len(uris) == 8


def test_sidecars_come_with_their_medium_and_folders_may_be_labels(tmp_path: Path) -> None:
    for name in ("cat/1.jpg", "cat/1.txt", "cat/1.json", "top.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    one, top = open_source(str(tmp_path), SourceSettings(folder_labels=True)).found()
    assert (one.uri, one.known["given_label"], one.sidecars) == ("cat/1.jpg", "cat", ["cat/1.json", "cat/1.txt"])
    assert (top.uri, top.known.get("given_label")) == ("top.jpg", None)


def test_identities_change_with_the_files_and_their_sidecars(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    (tmp_path / "a.txt").write_bytes(b"x")
    source = open_source(str(tmp_path), SourceSettings())
    before = list(source.identities())
    assert list(source.identities()) == before
    (tmp_path / "a.txt").write_bytes(b"xy")
    assert list(source.identities()) != before
