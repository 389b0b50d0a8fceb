"""Lists of media in the formats people have them in."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.config import ColumnSettings, SourceSettings
from pipeline.errors import DataError, UsageError
from pipeline.seed_pool.sources import open_source
from pipeline.seed_pool.sources.rows import Found, tables

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


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_list_of_any_length_takes_the_same_memory(tmp_path: Path, suffix: str) -> None:
    """Ten times as many rows, read from the file and turned into tables: what is held is a batch."""

    def peak(rows: int) -> int:
        listed = [{"url": f"https://example.org/{i:08d}.jpg", "caption": f"picture {i}"} for i in range(rows)]
        path = write(tmp_path / f"{rows}{suffix}", listed)
        del listed
        source = open_source(str(path), SourceSettings())
        tracemalloc.start()
        count = sum(len(table) for table in tables(source.found(), 1000))
        peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert count == rows
        return peak_bytes

    assert peak(60_000) < 1.5 * peak(20_000)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_row_that_is_not_utf8_is_a_reject_of_that_row_alone(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"l{suffix}"
    write(
        path,
        [{"path": "a.jpg", "caption": "one"}, {"path": "b.jpg", "caption": "XX"}, {"path": "c.jpg", "caption": "3"}],
    )
    path.write_bytes(path.read_bytes().replace(b"XX", b"\xff"))
    rows = found(path)
    assert sorted(r.uri for r in rows if r.verdict is None) == ["a.jpg", "c.jpg"]
    (bad,) = [r.verdict for r in rows if r.verdict is not None]
    assert bad[0] == "bad_row"


def test_a_mark_of_byte_order_is_no_part_of_the_first_row(tmp_path: Path) -> None:
    for name, text in (("a.jsonl", '{"path": "a.jpg"}\n'), ("a.csv", "path\na.jpg\n")):
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + text.encode())
        assert [(r.uri, r.verdict) for r in found(tmp_path / name)] == [("a.jpg", None)]


def test_columns_of_categories_and_of_several_captions_are_read(tmp_path: Path) -> None:
    table = pa.table(
        {
            "url": pa.array(["https://example.org/1.jpg"]).dictionary_encode(),
            "captions": pa.array([["a cup", "a red cup"]]),
        }
    )
    pq.write_table(table, tmp_path / "l.parquet")
    (row,) = found(tmp_path / "l.parquet")
    assert (row.uri, row.known["source_caption"]) == ("https://example.org/1.jpg", "a cup, a red cup")
