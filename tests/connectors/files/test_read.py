"""Reading files: what is good comes through with its row number, what is damaged is a finding, nothing raises."""

import hashlib
import json
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from datong.connectors.files.encodings_and_lines import LONGEST_LINE
from datong.connectors.files.read import RawBatch, RawSource, open_sources, read_ahead, read_source, whole_source
from datong.ledger.row_checks import ROW
from datong.model.findings import Finding


def read(folder: Path, content: bytes, name: str = "sales.csv") -> tuple[RawSource | None, list[Finding]]:
    path = folder / name
    path.write_bytes(content)
    sources, findings = read_source(path)
    assert len(sources) <= 1
    return (sources[0] if sources else None), findings


def rows_of(source: RawSource | None) -> list[tuple[object, ...]]:
    assert source is not None
    return [tuple(row.values()) for row in source.rows.to_pylist()]


def test_an_emoji_alone_is_known_as_gb18030(tmp_path: Path) -> None:
    source, findings = read(tmp_path, "product,name\r\n🥐 mini,cafe\r\n".encode("gb18030"))
    assert findings == []
    assert rows_of(source) == [("🥐 mini", "cafe", 2)]


def test_bytes_that_are_no_text_are_one_finding(tmp_path: Path) -> None:
    noise = b"".join(hashlib.sha256(bytes([i])).digest() for i in range(100))
    source, findings = read(tmp_path, noise)
    assert source is None
    assert [f.code for f in findings] == ["not_text"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_delimiters_and_encodings(tmp_path: Path, delimiter: str, encoding: str) -> None:
    text = f"商品编码{delimiter}商品名称\r\nA1{delimiter}帆布包，小号\r\nA2{delimiter}双肩包\r\n"
    source, findings = read(tmp_path, text.encode(encoding))
    assert findings == []
    assert source is not None and source.rows.column_names == ["商品编码", "商品名称", ROW]
    assert rows_of(source) == [("A1", "帆布包，小号", 2), ("A2", "双肩包", 3)]


@pytest.mark.parametrize(
    ("content", "code", "row"),
    [
        (b"", "empty_file", None),
        (b"\xef\xbb\xbf\r\n", "empty_file", None),
        (b"  \n\n", "empty_file", None),
        (b"1,2\n3,4\n", "no_header", 1),
        (b"a,a\n1,2\n", "duplicate_header", 1),
        (b"a,\n1,2\n", "unnamed_column", 1),
        (b"a,b\n", "no_rows", None),
        (b"a,b\n1\n3,4\n", "field_count", 2),
        (b"a,b\n1,2\n3,4,5\n", "field_count", 3),
        (b"a,b\n1,2\n3", "field_count", 3),
        (b'a,b\n1,2\n3,"4', "unclosed_quote", 3),
        (b'a,b\n1,"2\n3,4\n5,6\n', "unclosed_quote", 2),
        (b"a,b\n1,x\x00y\n3,4\n", "nul_character", 2),
        ("a,b\ncafé,1\nx,2\n".encode("latin-1"), "wrong_encoding", 2),
        (b"a,b\n1,2\n\xe5\x95\x86,1\nx\xff,3\n", "wrong_encoding", 4),
        ("a,b\n1,2\n".encode("utf-16-le"), "not_text", None),
        (b"PAR1abcdef", "other_format", None),
        (b"PK\x03\x04abc", "other_format", None),
    ],
)
def test_damaged_csv(tmp_path: Path, content: bytes, code: str, row: int | None) -> None:
    _, findings = read(tmp_path, content)
    assert [(f.code, f.row) for f in findings] == [(code, row)]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.pdf", b"x", "unknown_format"),
        ("a.parquet", b"PAR1 and then it ends", "truncated_file"),
        ("a.parquet", b"no parquet", "unreadable_file"),
        ("a.parquet", b"", "empty_file"),
        ("a.xlsx", b"no workbook", "unreadable_file"),
        ("a.xlsx", b"PK\x03\x04 cut off", "unreadable_file"),
        ("a.jsonl", b'{"a": 1}\n{"a":\n', "bad_json"),
        ("a.jsonl", b'{"a": 1}\n[1]\n', "bad_json"),
        ("a.jsonl", b"\n", "empty_file"),
    ],
)
def test_damaged_files_of_other_formats(tmp_path: Path, name: str, content: bytes, code: str) -> None:
    _, findings = read(tmp_path, content, name)
    assert [f.code for f in findings] == [code]


def test_truncated_real_files_are_findings(tmp_path: Path) -> None:
    whole = tmp_path / "whole.parquet"
    pa.parquet.write_table(pa.table({"a": list(range(1000))}), whole)
    _, findings = read(tmp_path, whole.read_bytes()[:-200], "cut.parquet")
    assert [f.code for f in findings] == ["truncated_file"]
    book = tmp_path / "whole.xlsx"
    with xlsxwriter.Workbook(book) as workbook:
        workbook.add_worksheet("sales").write_row(0, 0, ["a", "b"])
    _, findings = read(tmp_path, book.read_bytes()[:-300], "cut.xlsx")
    assert [f.code for f in findings] == ["unreadable_file"]


def test_missing_file_is_a_finding(tmp_path: Path) -> None:
    sources, findings = read_source(tmp_path / "nothing.csv")
    assert sources == [] and [f.code for f in findings] == ["unreadable_file"]


def test_good_rows_beside_damaged_ones_keep_their_row_numbers(tmp_path: Path) -> None:
    """Header 1; a good row 2; a blank 3; too short 4; too many but empty 5; too long 6; a quoted line break 7."""
    content = b'a,b\n1,2\n\n3\n4,5,\n6,7,8\n"x\ny",9\n , \n10,11'
    source, findings = read(tmp_path, content)
    assert rows_of(source) == [("1", "2", 2), ("4", "5", 5), ("x\ny", "9", 7), ("10", "11", 9)]
    assert [(f.code, f.row) for f in findings] == [("field_count", 4), ("field_count", 6)]
    assert source is not None and source.rejected[ROW].to_pylist() == [4, 6]
    assert json.loads(source.rejected["raw"][1].as_py()) == {"text": "6,7,8"}


def test_rows_after_an_unclosed_quote_are_not_lost(tmp_path: Path) -> None:
    lines = ["a,b", *(f"{i},x" for i in range(2, 500))]
    lines[99] = '100,"x'
    source, findings = read(tmp_path, "\n".join(lines).encode())
    assert [(f.code, f.row) for f in findings] == [("unclosed_quote", 100)]
    assert source is not None and source.rows[ROW].to_pylist() == [i for i in range(2, 500) if i != 100]
    assert source.rows["a"].to_pylist() == [str(i) for i in range(2, 500) if i != 100]


def test_a_literal_quote_is_no_damage(tmp_path: Path) -> None:
    source, findings = read(tmp_path, b'a,b\n5" pipe,1\nx,2\n')
    assert findings == [] and rows_of(source) == [('5" pipe', "1", 2), ("x", "2", 3)]


def test_many_rows_with_one_trouble_are_one_finding(tmp_path: Path) -> None:
    source, findings = read(tmp_path, b"a,b\n" + b"1\n" * 30 + b"1,2\n")
    assert [(f.code, f.row, f.rows_affected) for f in findings] == [("field_count", 2, 30)]
    assert source is not None and source.rejected.num_rows == 30 and source.rows.num_rows == 1


def test_titles_above_the_header_are_left_out(tmp_path: Path) -> None:
    source, findings = read(tmp_path, "销售明细表;;\n\n日期;货号;数量\n2026-01-05;A;1\n".encode("gb18030"))
    assert findings == [] and rows_of(source) == [("2026-01-05", "A", "1", 4)]


def test_a_sign_in_one_value_does_not_make_its_row_the_header(tmp_path: Path) -> None:
    source, findings = read(tmp_path, b"product,name\nA,A\nB,B\nC|x|y,C|x|y\n")
    assert findings == [] and rows_of(source) == [("A", "A", 2), ("B", "B", 3), ("C|x|y", "C|x|y", 4)]


def test_tables_without_end_to_the_right_are_refused_at_once(tmp_path: Path) -> None:
    names = [f"c{i}" for i in range(100_000)]
    contents = {
        "sales.csv": (",".join(names) + "\n" + ",".join("1" for _ in names) + "\n").encode(),
        "blank.csv": ("product" + "," * 100_000 + "\n").encode(),
        "sales.jsonl": b"".join(
            json.dumps(dict.fromkeys(names[i : i + 100], 1)).encode() + b"\n" for i in range(0, 20_000, 100)
        ),
    }
    for name, content in contents.items():
        source, findings = read(tmp_path, content, name)
        assert source is None and [f.code for f in findings] == ["too_many_columns"], name


def test_many_unnamed_columns_are_few_findings(tmp_path: Path) -> None:
    source, findings = read(tmp_path, ("product,name,units" + "," * 500 + "\nA,B,1" + ",x" * 500 + "\n").encode())
    assert source is not None and source.rows["product"].to_pylist() == ["A"]
    assert len(findings) < 30 and findings[-1].code == "unnamed_columns"
    assert "480" in findings[-1].text("en")


def test_large_file_by_blocks_has_true_row_numbers(tmp_path: Path) -> None:
    """More than one of pyarrow's blocks, with damage in the later ones."""
    lines = ["key,text", *(f"{i}," + "x" * 40 for i in range(2, 60_001))]
    lines[50_000 - 1] = "only one field"
    source, findings = read(tmp_path, "\n".join(lines).encode())
    assert [(f.code, f.row) for f in findings] == [("field_count", 50_000)]
    assert source is not None
    numbers = source.rows[ROW].to_pylist()
    assert [int(k) for k in source.rows["key"].to_pylist()] == numbers
    assert len(numbers) == 60_000 - 2


def test_json_lines_keep_values_as_written(tmp_path: Path) -> None:
    content = '{"product": "007", "units": 1.50}\n\n{"product": "商", "firm": true, "x": null, "more": ["包"]}\n'
    source, findings = read(tmp_path, content.encode(), "demand.jsonl")
    assert findings == []
    assert source is not None and source.rows.to_pylist() == [
        {"product": "007", "units": "1.50", "firm": None, "x": None, "more": None, ROW: 1},
        {"product": "商", "units": None, "firm": "true", "x": None, "more": '["包"]', ROW: 3},
    ]


def test_parquet_keeps_types(tmp_path: Path) -> None:
    table = pa.table({"product": ["A"], "due": pa.array([date(2026, 1, 5)]), "units": pa.array([3], pa.int32())})
    pa.parquet.write_table(table, tmp_path / "demand.parquet")
    (source,), findings = read_source(tmp_path / "demand.parquet")
    assert findings == [] and source.name == "demand.parquet"
    assert source.rows.schema.types == [pa.string(), pa.date32(), pa.int32(), pa.int64()]
    assert source.rows[ROW].to_pylist() == [2]


def test_excel_sheets_keep_types_and_row_numbers(tmp_path: Path) -> None:
    path = tmp_path / "chain.xlsx"
    with xlsxwriter.Workbook(path) as workbook:
        day = workbook.add_format({"num_format": "yyyy-mm-dd"})
        clock = workbook.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        sales = workbook.add_worksheet("sales")
        sales.write_row(1, 0, ["product", "happened_at", "units", "when"])
        for i, row in enumerate((2, 4)):
            sales.write(row, 0, 1001 + i)
            sales.write_datetime(row, 1, datetime.fromisoformat("2026-01-05"), day)
            sales.write(row, 2, 2.5)
            sales.write_datetime(row, 3, datetime.fromisoformat("2026-01-05 08:30"), clock)
        workbook.add_worksheet("empty")
        workbook.add_worksheet("stock").write_row(0, 0, ["a", "b"])
    sources, findings = read_source(path)
    assert [s.name for s in sources] == ["chain.xlsx/sales", "chain.xlsx/stock"]
    assert [(f.code, f.source) for f in findings] == [("no_rows", "chain.xlsx/stock")]
    assert sources[0].rows.to_pylist() == [
        {
            "product": 1001.0 + i,
            "happened_at": date(2026, 1, 5),
            "units": 2.5,
            "when": datetime.fromisoformat("2026-01-05 08:30"),
            ROW: r,
        }
        for i, r in enumerate((3, 5))
    ]


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(["x.csv", "x.jsonl", "x.parquet", "x.xlsx"]))
def test_any_bytes_never_raise(tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str) -> None:
    path = tmp_path_factory.mktemp("bytes") / name
    path.write_bytes(content)
    sources, findings = read_source(path)
    assert sources or findings
    for found in findings:
        assert found.text("en") and found.text("zh")


_PIECES = st.sampled_from(['"', ",", ";", "\n", "\r\n", "a", "1", "商", " ", "\0", "\t", "é", '""', "{", "}", '"a":1'])


@settings(max_examples=300, deadline=None)
@given(st.lists(_PIECES, max_size=60), st.sampled_from(["utf-8", "gb18030", "utf-16", "utf-8-sig"]))
def test_any_mixture_of_marks_never_raises(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[str], encoding: str
) -> None:
    path = tmp_path_factory.mktemp("marks") / "x.csv"
    path.write_bytes("".join(pieces).encode(encoding))
    sources, findings = read_source(path)
    assert sources or findings
    for source in sources:
        numbers = source.rows[ROW].to_pylist() + source.rejected[ROW].to_pylist()
        assert len(set(numbers)) == len(numbers)
        assert source.rows[ROW].to_pylist() == sorted(source.rows[ROW].to_pylist())


# --- batches -----------------------------------------------------------------------------------------------------


def in_blocks(path: Path, block_bytes: int) -> tuple[list[RawSource], list[Finding]]:
    """A file read in blocks of another size than usual."""
    sources, findings = open_sources(path, block_bytes)
    whole = [whole_source(source) for source in sources]
    return whole, [*findings, *(f for source in sources for f in source.findings)]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(["a,b\n", "1,2\r\n", "\n", "x\n", "1,2,3\n", "1,2,\n", '"q\nr",商\n', " , \n", "é,\0\n"]),
        max_size=40,
    )
)
def test_the_size_of_blocks_changes_nothing(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    path = tmp_path_factory.mktemp("blocks") / "x.csv"
    path.write_bytes("".join(["key,text\n", *lines]).encode())
    (one,), findings = read_source(path)
    for block_bytes in (8, 40):
        (several,), found = in_blocks(path, block_bytes)
        assert several.rows.equals(one.rows)
        assert several.rejected.equals(one.rejected)
        assert found == findings


def test_a_line_too_long_to_be_a_record_is_one_damaged_row(tmp_path: Path) -> None:
    content = b"key,text\n2,x\n3," + b"y" * (LONGEST_LINE + 10) + b"\n4,z\n"
    source, findings = read(tmp_path, content)
    assert rows_of(source) == [("2", "x", 2), ("4", "z", 4)]
    assert [(f.code, f.row) for f in findings] == [("long_line", 3)]
    assert source is not None and len(source.rejected["raw"][0].as_py()) < 2000


@pytest.mark.parametrize(
    ("name", "content", "codes"),
    [
        ("x.csv", b"a,b," * (LONGEST_LINE // 3), ["no_line_ends"]),
        ("x.jsonl", b'{"a": "' + b"x" * (LONGEST_LINE + 10), ["long_line"]),
    ],
)
def test_a_file_of_one_endless_line_is_a_finding(tmp_path: Path, name: str, content: bytes, codes: list[str]) -> None:
    _, findings = read(tmp_path, content, name)
    assert [f.code for f in findings] == codes


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16", "utf-8-sig"])
def test_other_encodings_come_in_blocks_too(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes("".join(["货号,名称\n", *(f"{i},帆布包{i}\n" for i in range(2, 5000))]).encode(encoding))
    (source,), findings = in_blocks(path, 1000)
    assert findings == [] and source.rows["货号"].to_pylist() == [str(i) for i in range(2, 5000)]


def test_what_breaks_ahead_is_raised_where_the_batches_are_used() -> None:
    empty = RawBatch(pa.table({ROW: pa.array([], pa.int64())}))

    def broken() -> Iterator[RawBatch]:
        yield empty
        raise ValueError("ahead")

    with pytest.raises(ValueError, match="ahead"):
        list(read_ahead(broken()))


def test_a_reader_ahead_ends_with_its_user() -> None:
    empty = RawBatch(pa.table({ROW: pa.array([], pa.int64())}))
    closed = []

    def endless() -> Iterator[RawBatch]:
        try:
            while True:
                yield empty
        finally:
            closed.append(True)

    batches = read_ahead(endless())
    next(batches)
    batches.close()
    assert closed == [True]
