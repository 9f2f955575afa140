"""The folder reader against what was written: any cells, in any of the forms that people save tables in."""

import csv
import io
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from datong.connectors.files.folder import check_folder, read_folder
from datong.connectors.files.read import read_source
from datong.ledger.row_checks import ROW

# Any text but NUL and lone halves of characters; controls would be no text file. Blank cells are their own case.
CELLS = st.one_of(
    st.sampled_from(
        ["", "0", "007", "-1.5", "2026-01-05", "=1+1", 'a"b', "a,b", "a;b", "a\tb", "a|b", " x ", "是", "é", "🧵"]
    ),
    st.sampled_from(["line\nbreak", "line\r\nbreak", "'", '"', '""', "NULL", "nan", "true", "#", "\ufeffx", "\u3000"]),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), max_size=8),
)
NAMES = st.lists(
    st.text(st.characters(categories=["Lu", "Ll", "Lo"], codec="gb18030"), min_size=1, max_size=6),
    min_size=2,
    max_size=5,
    unique_by=lambda name: name.strip().lower(),
)
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "gb18030")


@st.composite
def grids(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    """Names of columns, and rows of which none is blank."""
    names = draw(NAMES)
    row = st.lists(CELLS, min_size=len(names), max_size=len(names)).filter(lambda cells: any(c.strip() for c in cells))
    return names, draw(st.lists(row, min_size=1, max_size=6))


def csv_text(names: Sequence[str], rows: Sequence[Sequence[str]], delimiter: str, quoting: int, line_end: str) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=line_end)
    writer.writerows([names, *rows])
    return text.getvalue()


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    grid=grids(),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(ENCODINGS),
)
def test_what_was_written_is_read(
    grid: tuple[list[str], list[list[str]]], delimiter: str, quoting: int, line_end: str, encoding: str
) -> None:
    names, rows = grid
    if line_end == "\r" and any("\n" in cell for row in rows for cell in row):
        quoting = csv.QUOTE_ALL  # Python's csv would leave a break of another kind without quotes
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sales.csv"
        path.write_bytes(csv_text(names, rows, delimiter, quoting, line_end).encode(encoding))
        (source,), findings = read_source(path)
        assert findings == []
        assert source.rejected.num_rows == 0
        assert source.rows.column_names == [*names, ROW]
        assert [list(row.values())[:-1] for row in source.rows.to_pylist()] == rows
        # Written again as it was read, it reads the same.
        again = Path(folder) / "again.csv"
        read = [[row[name] for name in names] for row in source.rows.to_pylist()]
        again.write_bytes(csv_text(names, read, ",", csv.QUOTE_ALL, "\n").encode())
        (second,), findings = read_source(again)
        assert findings == [] and second.rows.select(names).equals(source.rows.select(names))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(grid=grids(), form=st.sampled_from(["jsonl", "parquet", "xlsx"]))
def test_other_formats_give_the_same_texts(grid: tuple[list[str], list[list[str]]], form: str) -> None:
    names, rows = grid
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"sales.{form}"
        if form == "jsonl":
            lines = [json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) for row in rows]
            path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        elif form == "parquet":
            table = pa.table({n: pa.array([row[i] for row in rows], pa.string()) for i, n in enumerate(names)})
            pa.parquet.write_table(table, path)
        else:
            with xlsxwriter.Workbook(path) as workbook:
                sheet = workbook.add_worksheet("sales")
                for r, row in enumerate([names, *rows]):
                    for c, cell in enumerate(row):
                        sheet.write_string(r, c, cell)
        (source,), findings = read_source(path)
        assert findings == []
        read = [[row[name] or "" for name in names] for row in source.rows.to_pylist()]
        assert read == rows


GARBAGE = st.one_of(
    st.binary(max_size=300),
    st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.lists(
        st.sampled_from(["product", "units", "happened_at", ",", "\n", '"', "A", "1", "2026-01-05", "\r", ";"])
    ).map(lambda parts: "".join(parts).encode()),
)
FILES = st.sampled_from(
    ["products.csv", "sales.csv", "sales.tsv", "stock.jsonl", "lines.parquet", "recipes.xlsx", "orders.xls", "产品.csv",
     "chain.toml", "demand.ndjson", "components.csv", "noise.bin", "sites.txt"]
)  # fmt: skip


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.dictionaries(FILES, GARBAGE, max_size=4))
def test_any_garbage_in_a_folder_is_findings(files: dict[str, bytes]) -> None:
    """Never an exception; and each finding has its words in both languages."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in files.items():
            (folder / file).write_bytes(content)
        contents = read_folder(folder)
        checked = check_folder(folder)
        assert len({part.table for part in contents.parts}) == len(contents.parts)
        for found in checked.findings:
            assert found.text("en") and found.text("zh") and found.source
        if "products.csv" not in files or "sales.csv" not in files:
            assert any(f.severity == "error" for f in checked.findings)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    codes=st.lists(
        st.text(st.characters(categories=["L", "N"], codec="utf-8"), min_size=1, max_size=6), min_size=1, max_size=6
    ),
    sales=st.lists(st.tuples(st.integers(0, 9), st.integers(1, 28), st.integers(1, 10**6)), max_size=12),
    order=st.permutations(["product", "happened_at", "units", "sale"]),
    encoding=st.sampled_from(ENCODINGS),
)
def test_every_row_of_a_folder_is_taken_or_named(
    codes: list[str], sales: list[tuple[int, int, int]], order: list[str], encoding: str
) -> None:
    """Rows in, rows out: each row of a file is in the checked table or among the rejected ones, with its values."""
    codes = list(dict.fromkeys(codes))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "chain.toml").write_text('name = "x"\n', encoding="utf-8")
        (folder / "products.csv").write_bytes(("product,name\n" + "".join(f"{c},n\n" for c in codes)).encode(encoding))
        records = [
            {"product": (codes * 10)[p] if p < len(codes) else f"?{p}", "happened_at": f"2026-01-{d:02d}",
             "units": str(u), "sale": f"s{i}"}
            for i, (p, d, u) in enumerate(sales)
        ]  # fmt: skip
        lines = [",".join(order), *(",".join(record[c] for c in order) for record in records)]
        (folder / "sales.csv").write_bytes(("\n".join(lines) + "\n").encode(encoding))
        checked = check_folder(folder).checked
        assert checked["products"].rows["product"].to_pylist() == codes
        good = [record for record in records if not record["product"].startswith("?")]
        rows = checked["sales"].rows
        assert [(r["sale"], r["product"], str(int(r["units"]))) for r in rows.to_pylist()] == [
            (r["sale"], r["product"], r["units"]) for r in good
        ]
        numbers = rows[ROW].to_pylist() + checked["sales"].rejected[ROW].to_pylist()
        assert sorted(numbers) == list(range(2, 2 + len(records)))
