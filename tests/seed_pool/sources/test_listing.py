"""Lists of media in the formats people have them in."""

import itertools
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.config import ColumnSettings, SourceSettings
from pipeline.errors import DataError, UsageError
from pipeline.seed_pool.sources import open_source
from pipeline.seed_pool.sources.rows import DISCOVERED, Found, tables

ROWS = [
    {"url": "https://example.org/1.jpg", "caption": 'one, "two"\nthree', "license": "CC0"},
    {"url": "pics/2.jpg", "caption": None, "license": "CC-BY-4.0"},
]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    else:
        cell = "\t" if path.suffix == ".tsv" else ","
        lines = [
            list(rows[0]),
            *(["" if v is None else '"' + str(v).replace('"', '""') + '"' for v in r.values()] for r in rows),
        ]
        path.write_text("".join(cell.join(line) + "\n" for line in lines))
    return path


def found(path: Path, **settings: Any) -> list[Found]:
    return list(open_source(str(path), SourceSettings(**settings)).found())


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".tsv", ".jsonl"])
def test_paths_captions_and_licences_are_read_from_every_format(tmp_path: Path, suffix: str) -> None:
    one, two = found(write(tmp_path / f"list{suffix}", ROWS))
    assert (one.uri, one.known["licence"]) == ("https://example.org/1.jpg", "CC0")
    assert one.known["source_caption"] == 'one, "two"\nthree'
    assert (two.uri, two.known["licence"], two.known["source_caption"]) == ("pics/2.jpg", "CC-BY-4.0", None)


def test_columns_of_other_names_are_named_in_the_settings(tmp_path: Path) -> None:
    path = write(tmp_path / "l.csv", [{"where": "a.jpg", "says": "hi"}])
    with pytest.raises(UsageError, match="no column of paths or URLs; there are where, says"):
        found(path)
    (row,) = found(path, columns=ColumnSettings(uri="where", source_caption="says"))
    assert (row.uri, row.known["source_caption"]) == ("a.jpg", "hi")
    with pytest.raises(UsageError, match="no column 'there' for uri"):
        found(path, columns=ColumnSettings(uri="there"))


def test_paths_count_from_the_root_and_absolute_ones_below_it_become_relative(tmp_path: Path) -> None:
    path = write(tmp_path / "l.jsonl", [{"path": str(tmp_path / "m" / "a.jpg")}, {"path": "b.jpg"}, {"path": "/etc/x"}])
    assert [f.uri for f in found(path)] == ["m/a.jpg", "b.jpg", "/etc/x"]
    assert open_source(str(path), SourceSettings()).media_root == str(tmp_path)
    assert [f.uri for f in found(path, root=str(tmp_path / "m"))] == ["a.jpg", "b.jpg", "/etc/x"]


def test_broken_rows_become_rejects_and_the_others_are_kept(tmp_path: Path) -> None:
    csv = tmp_path / "l.csv"
    csv.write_text("path,caption\na.jpg,x\nb.jpg,y,z,too many\n,empty\nc.jpg,w\n")
    assert [(f.uri, f.verdict and f.verdict[0]) for f in found(csv)] == [
        ("a.jpg", None), ("l.csv", "empty_path"), ("c.jpg", None), ("l.csv/2", "bad_row"),
    ]  # fmt: skip
    jsonl = tmp_path / "l.jsonl"
    jsonl.write_text('{"path": "a.jpg"}\n{"path": \n[1]\n\n{"path": "b.jpg", "caption": "later"}\n')
    rows = found(jsonl)
    assert [(f.uri, f.verdict and f.verdict[0]) for f in rows] == [
        ("a.jpg", None), ("l.jsonl/1", "bad_row"), ("l.jsonl/2", "bad_row"), ("b.jpg", None),
    ]  # fmt: skip
    assert rows[-1].known["source_caption"] == "later"  # a key that the first row lacks


@pytest.mark.parametrize(("name", "data"), [("a.csv", b""), ("a.jsonl", b"\n"), ("a.csv", b"path\n")])
def test_a_list_without_rows_is_named(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises((UsageError, DataError), match=f"the list {tmp_path / name}"):
        found(tmp_path / name)


def test_ten_million_rows_pass_through_without_being_held() -> None:
    """A synthetic listing: what a source gives is turned into tables a chunk at a time."""

    def listing() -> Iterator[Found]:
        for i in itertools.count():
            yield Found(f"https://example.org/{i:08d}.jpg")

    def peak(chunks: int) -> int:
        tracemalloc.start()
        for table in itertools.islice(tables(listing(), 1000), chunks):
            assert table.schema.equals(DISCOVERED)
        peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak_bytes

    assert peak(30) < 1.5 * peak(3)
