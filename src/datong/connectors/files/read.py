"""Reads a data file into tables of raw rows: CSV, Parquet, Excel and JSON lines. Trouble comes back as findings."""

import codecs
import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook

from datong.connectors.files.steady import read_steadily
from datong.connectors.files.workbook_limits import EmptyCells, cell_name, inspect
from datong.ledger.validate import (
    REJECTED_SCHEMA,
    ROW,
    ROWS_NAMED_ONE_BY_ONE,
    finding_record,
    rejected_rows,
    shown,
)
from datong.model.findings import Finding, finding
from datong.model.words import message

DELIMITERS = (",", ";", "\t", "|")
TEXT_SUFFIXES = frozenset({".csv", ".tsv"})
LINES_SUFFIXES = frozenset({".jsonl", ".ndjson"})
WORKBOOK_SUFFIXES = frozenset({".xlsx", ".xlsm", ".xls"})
SUFFIXES = TEXT_SUFFIXES | LINES_SUFFIXES | WORKBOOK_SUFFIXES | {".parquet"}

# As many as a sheet of Excel has: a table with more is no table, or lies on its side.
MOST_COLUMNS = 16_384
_SAMPLE_BYTES = 256 * 1024
_CHUNK_BYTES = 4 * 1024 * 1024
_BATCH_ROWS = 50_000
_UNCLOSED_QUOTES_MENDED = 20
_MAGIC = ((b"PAR1", ".parquet"), (b"PK\x03\x04", ".xlsx"), (b"\xd0\xcf\x11\xe0", ".xls"), (b"\x1f\x8b", ".gz"))
_TITLE_ROWS = 20
_REPLACED = "\ufffd"
# Characters that no text has many of.
_CONTROLS = bytes([*range(1, 9), *range(14, 26)])


@dataclass(frozen=True, eq=False)
class RawSource:
    """Rows as they came. name: file, or file/sheet. rows: columns by header, text for text formats, and `__row__`
    int64: the row number a person sees (header = 1; for JSON lines the line). rejected: rows that could not be read,
    in REJECTED_SCHEMA.
    """

    name: str
    rows: pa.Table
    rejected: pa.Table = field(default_factory=REJECTED_SCHEMA.empty_table)


def read_source(path: Path) -> tuple[list[RawSource], list[Finding]]:
    """All tables of one file: one, or one per sheet. Never raises for what is in the file, or for what it is."""
    return read_steadily(path, _read)


def _read(path: Path) -> tuple[list[RawSource], list[Finding]]:
    suffix = path.suffix.lower()
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        return [], [finding("error", "check.unreadable_file", path.name, reason=error.strerror or str(error))]
    if suffix not in SUFFIXES:
        return [], [finding("error", "check.unknown_format", path.name, suffix=suffix)]
    if size == 0:
        return [], [finding("error", "check.empty_file", path.name)]
    really = next((s for magic, s in _MAGIC if start.startswith(magic)), None)
    if suffix in TEXT_SUFFIXES | LINES_SUFFIXES and really is not None:
        return [], [finding("error", "check.other_format", path.name, suffix=suffix, really=really)]
    if suffix == ".parquet":
        return _read_parquet(path)
    if suffix in WORKBOOK_SUFFIXES:
        return _read_workbook(path)
    text = _look_at_text(path)
    if isinstance(text, Finding):
        return [], [text]
    return _read_json_lines(path, text) if suffix in LINES_SUFFIXES else _read_csv(path, text)


# --- Parquet -----------------------------------------------------------------------------------------------------


def _read_parquet(path: Path) -> tuple[list[RawSource], list[Finding]]:
    try:
        table = pyarrow.parquet.read_table(path)
        names = [n for n in table.column_names if n != ROW and not n.startswith("__index_level_")]
        if len(set(names)) < len(names):
            repeated = sorted({n for n in names if names.count(n) > 1})
            return [], [_duplicate_header(path.name, n) for n in repeated]
        if len(names) > MOST_COLUMNS:
            return [], [_too_many_columns(path.name)]
        table = table.select(names)
    except (pa.ArrowException, OSError) as error:
        with path.open("rb") as file:
            start = file.read(4)
            file.seek(max(0, path.stat().st_size - 4))
            end = file.read(4)
        if start == b"PAR1" and end != b"PAR1":
            return [], [finding("error", "check.truncated_file", path.name)]
        return [], [finding("error", "check.unreadable_file", path.name, reason=shown(error))]
    if not names:
        return [], [finding("error", "check.empty_file", path.name)]
    source = RawSource(path.name, _numbered(table, 2))
    return [source], _no_rows(source)


def _numbered(table: pa.Table, first: int) -> pa.Table:
    return table.append_column(ROW, pa.array(np.arange(first, first + table.num_rows), pa.int64()))


def _no_rows(source: RawSource) -> list[Finding]:
    if source.rows.num_rows or source.rejected.num_rows:
        return []
    return [finding("warning", "check.no_rows", source.name)]


# --- Excel -------------------------------------------------------------------------------------------------------


def _read_workbook(path: Path) -> tuple[list[RawSource], list[Finding]]:
    sources: list[RawSource] = []
    findings: list[Finding] = []
    inspected = inspect(path)
    if inspected.refused:
        return [], list(inspected.refused)
    try:
        workbook = CalamineWorkbook.from_path(str(path))
        sheets = [(name, workbook.get_sheet_by_name(name)) for name in workbook.sheet_names]
        cells = [(name, _cells(sheet)) for name, sheet in sheets]
    except (CalamineError, OSError, ValueError) as error:
        return [], [finding("error", "check.unreadable_file", path.name, reason=shown(error))]
    filled = [(name, rows) for name, rows in cells if any(any(v != "" for v in row) for row in rows)]
    if not filled:
        return [], [finding("error", "check.empty_file", path.name)]
    for name, rows in filled:
        source, more = _sheet_source(f"{path.name}/{name}", rows, inspected.empty.get(name, {}))
        findings += more
        if source is not None:
            sources.append(source)
    return sources, findings


def _cells(sheet: CalamineSheet) -> list[list[Any]]:
    return [] if sheet.start is None else sheet.to_python(skip_empty_area=False)


def _sheet_source(
    name: str, rows: Sequence[Sequence[Any]], empty: EmptyCells
) -> tuple[RawSource | None, list[Finding]]:
    top = _header_place([sum(v != "" for v in row) for row in rows])
    header = [_cell_text(v) or "" for v in rows[top]]
    damaged = _cells_without_value(rows, top, empty)
    lost = {d.number for d in damaged}
    body = [(i + 1, row) for i, row in enumerate(rows) if i > top and i + 1 not in lost and any(v != "" for v in row)]
    columns = [[row[c] if row[c] != "" else None for _, row in body] for c in range(len(header))]
    # A column without a header and without values is only formatting.
    used = [c for c in range(len(header)) if header[c].strip() or any(v is not None for v in columns[c])]
    names, findings = _headers([header[c] for c in used], name)
    if names is None:
        return None, findings
    findings += _unnamed_columns(name, [c + 1 for c in used if not header[c].strip()])
    table = pa.table(
        {n: _typed_cells(columns[c]) for n, c in zip(names, used, strict=True) if n}
        | {ROW: pa.array([number for number, _ in body], pa.int64())}
    )
    rejected, more = _damaged_rows(damaged, name, header, ",")
    source = RawSource(name, table, rejected)
    return source, findings + more + _no_rows(source)


def _cells_without_value(rows: Sequence[Sequence[Any]], top: int, empty: EmptyCells) -> list["_Damage"]:
    """Rows with a cell that reads as empty and is not, one for each, named by its first such cell."""
    first = {row: (column, rule) for (row, column), rule in sorted(empty.items(), reverse=True) if row > top + 1}
    return [
        _Damage(row, rule, f"{cell_name(row, column)}: " + ", ".join(_cell_text(v) or "" for v in rows[row - 1]))
        for row, (column, rule) in sorted(first.items())
        if row <= len(rows)
    ]


def _typed_cells(values: Sequence[Any]) -> pa.Array:
    """One column of a sheet: typed where all its cells are of one kind, else text. A moment at midnight is a day."""
    plain = [v.date() if isinstance(v, datetime) and v.time() == time() else v for v in values]
    kinds = {type(v) for v in plain if v is not None}
    if kinds <= {int, float}:
        return pa.array([None if v is None else float(v) for v in plain], pa.float64())
    for kind, arrow in ((bool, pa.bool_()), (date, pa.date32()), (datetime, pa.timestamp("us"))):
        if kinds == {kind}:
            return pa.array(plain, arrow)
    return pa.array([_cell_text(v) for v in plain], pa.string())


def _cell_text(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.isoformat(sep=" ") if isinstance(value, datetime) else str(value)


# --- text: what encoding -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _TextFacts:
    """encoding: a Python codec's name. broken: some bytes do not belong to it. quotes: how many '"' there are."""

    encoding: str
    broken: bool
    quotes: int
    nul: bool


def _look_at_text(path: Path) -> _TextFacts | Finding:
    """One quick pass over the bytes: UTF-8 (with or without BOM), UTF-16 with BOM, or GB18030."""
    utf8 = codecs.getincrementaldecoder("utf-8")()
    is_utf8, quotes, nuls, controls, blank, size = True, 0, 0, 0, True, 0
    with path.open("rb") as file:
        start = file.read(4)
        file.seek(0)
        while chunk := file.read(_CHUNK_BYTES):
            size += len(chunk)
            quotes += chunk.count(b'"')
            nuls += chunk.count(b"\0")
            controls += len(chunk) - len(chunk.translate(None, _CONTROLS))
            blank = blank and not chunk.strip(b" \t\r\n\xef\xbb\xbf\xff\xfe")
            if is_utf8:
                try:
                    utf8.decode(chunk)
                except UnicodeDecodeError:
                    is_utf8 = False
    if blank:
        return finding("error", "check.empty_file", path.name)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _TextFacts("utf-16", not _decodes(path, "utf-16"), quotes, nul=False)
    if nuls * 10 > size * 3 or controls * 20 > size:  # UTF-16 without its mark, or no text at all
        return finding("error", "check.not_text", path.name)
    if is_utf8:
        try:
            utf8.decode(b"", final=True)
            return _TextFacts("utf-8-sig", False, quotes, nuls > 0)
        except UnicodeDecodeError:
            return _TextFacts("utf-8-sig", True, quotes, nuls > 0)
    if _decodes(path, "gb18030") and _reads_as_chinese(path):
        return _TextFacts("gb18030", False, quotes, nuls > 0)
    return _TextFacts("utf-8-sig", True, quotes, nuls > 0)


def _decodes(path: Path, encoding: str) -> bool:
    try:
        with path.open(encoding=encoding, newline="") as file:
            while file.read(_CHUNK_BYTES):
                pass
    except UnicodeError:
        return False
    return True


def _reads_as_chinese(path: Path) -> bool:
    """Western text in a one-byte code often decodes as GB18030 too, but as rare characters mixed from é and letters.
    Real Chinese is nearly all common characters and full-width marks; codes of four bytes (emoji) are never Western."""
    with path.open(encoding="gb18030", newline="") as file:
        high = [c for c in file.read(_SAMPLE_BYTES * 4) if ord(c) > 127]
    common = 0
    for character in high:
        code = character.encode("gb18030")
        common += len(code) == 4 or (code[0] >= 0xA1 and code[1] >= 0xA1)
    return common >= 0.8 * len(high)


# --- CSV ---------------------------------------------------------------------------------------------------------


def _read_csv(path: Path, text: _TextFacts) -> tuple[list[RawSource], list[Finding]]:
    if text.encoding == "utf-8-sig" and not text.broken:
        data: bytes | None = None  # pyarrow reads the file itself
        sample = _start_of(path)
    else:
        data = path.read_bytes().decode(text.encoding, errors="replace").encode("utf-8")
        sample = data[:_SAMPLE_BYTES].decode("utf-8", errors="ignore")
    delimiter = _delimiter(sample)
    top, header = _header_record(sample, delimiter)
    names, findings = _headers(header, path.name)
    if names is None:
        return [], findings
    read = None
    if text.quotes % 2 == 0:  # an odd quote may be one that is never closed, which pyarrow would not notice
        read = _read_fast(path if data is None else io.BytesIO(data), delimiter, len(header), top)
    if read is None:
        whole = (path.read_bytes() if data is None else data).decode("utf-8-sig")
        read = _read_carefully(whole, delimiter, len(header), top)
    rows, damaged = read
    rows = rows.rename_columns([*(str(i) for i in range(len(header))), ROW])
    rows, coded = _wrongly_coded(rows, text)
    damaged += coded
    kept = {name: rows[str(i)] for i, name in enumerate(names) if name}
    # A column without a name is worth a word only if there is something in it.
    unnamed = [i for i, cell in enumerate(header) if not cell.strip() and _any_text(rows[str(i)])]
    findings += _unnamed_columns(path.name, [i + 1 for i in unnamed])
    rejected, more = _damaged_rows(damaged, path.name, header, delimiter)
    source = RawSource(path.name, pa.table({**kept, ROW: rows[ROW]}), rejected)
    return [source], findings + more + _no_rows(source)


def _start_of(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_SAMPLE_BYTES).decode("utf-8-sig", errors="ignore")


def _records(text: str, delimiter: str) -> Iterator[list[str]]:
    """Records of a piece of CSV; a piece that ends in the middle of a record just ends."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    while True:
        try:
            yield next(reader)
        except (StopIteration, csv.Error):
            return


def _delimiter(sample: str) -> str:
    """The delimiter that cuts most records of the sample into as many fields as the header, and into most of them."""

    def score(delimiter: str) -> tuple[float, int]:
        records = _first_records(sample, delimiter)
        top = _header_place([sum(bool(cell.strip()) for cell in record) for record in records])
        table = [r for r in records[top : top + 50] if r]
        if not table or len(table[0]) < 2:
            return 0.0, 0
        # What stands above the table counts: else a sign in one value could make that record the header.
        every = sum(any(cell.strip() for cell in record) for record in records[:top]) + len(table)
        return sum(len(r) == len(table[0]) for r in table) / every, len(table[0])

    return max(DELIMITERS, key=score)


def _header_record(sample: str, delimiter: str) -> tuple[int, list[str]]:
    """Place (from 0) and fields of the header."""
    records = _first_records(sample, delimiter)
    top = _header_place([sum(bool(cell.strip()) for cell in record) for record in records])
    return top, records[top] if records else [""]


def _first_records(sample: str, delimiter: str) -> list[list[str]]:
    return [record for _, record in zip(range(1000), _records(sample, delimiter), strict=False)]


def _header_place(filled: Sequence[int]) -> int:
    """Which row is the header, by how many cells the rows fill: the first that is not blank; but not a title, one or a
    few rows of a single cell, that reports put above a table."""
    first = next((i for i, count in enumerate(filled) if count), 0)
    after = filled[first : first + _TITLE_ROWS]
    table = next((i for i, count in enumerate(after) if count >= 3), 0)
    return first + table if all(count <= 1 for count in after[:table]) else first


def _headers(header: Sequence[str], source: str) -> tuple[list[str] | None, list[Finding]]:
    """Column names; '' for one not to be read. None where there is no header to go by."""
    names: list[str] = []
    findings: list[Finding] = []
    if len(header) > MOST_COLUMNS:
        return None, [_too_many_columns(source)]
    cells = [cell.replace(_REPLACED, "?").replace("\0", "").strip().lstrip("\ufeff") for cell in header]
    if all(_looks_like_data(cell) for cell in cells):
        text = shown(", ".join(cells))
        return None, [finding("error", "check.no_header", source, row=1, value=text)]
    for cell in cells:
        if cell and cell in names:
            findings.append(_duplicate_header(source, cell))
        names.append("" if cell in names or cell == ROW else cell)
    return names, findings


def _looks_like_data(cell: str) -> bool:
    """A number or a date, or nothing: nobody calls a column that."""
    return not any(c.isalpha() for c in cell.replace("年", "").replace("月", "").replace("日", ""))


def _duplicate_header(source: str, name: str) -> Finding:
    return finding("error", "check.duplicate_header", source, row=1, column=shown(name), name=shown(name))


def _unnamed_columns(source: str, places: Sequence[int]) -> list[Finding]:
    """Columns with values and no name: the first ones each, the rest in one finding."""
    few, rest = places[:ROWS_NAMED_ONE_BY_ONE], places[ROWS_NAMED_ONE_BY_ONE:]
    findings = [finding("warning", "check.unnamed_column", source, row=1, place=place) for place in few]
    if rest:
        findings.append(finding("warning", "check.unnamed_columns", source, row=1, count=len(rest), first=rest[0]))
    return findings


def _too_many_columns(source: str) -> Finding:
    return finding("error", "check.too_many_columns", source, row=1, most=f"{MOST_COLUMNS:,}")


@dataclass(frozen=True)
class _Damage:
    """A record that is not as it should be. key: its rule in the catalogue; fields: how many it had."""

    number: int
    key: str
    text: str
    fields: int = 0


_Read = tuple[pa.Table, list[_Damage]]


def _read_fast(source: Path | io.BytesIO, delimiter: str, width: int, top: int) -> _Read | None:
    """By pyarrow, on all cores; a file with records of the wrong width a second time, on one, which counts them.
    None where pyarrow cannot."""
    wrong: list[tuple[int, str]] = []

    def skip(row: pyarrow.csv.InvalidRow) -> str:
        wrong.append((row.number, row.text))
        return "skip"

    for threads in (True, False):
        if isinstance(source, io.BytesIO):
            source.seek(0)
        try:
            table = pyarrow.csv.read_csv(
                source,
                read_options=pyarrow.csv.ReadOptions(
                    column_names=[str(i) for i in range(width)], skip_rows_after_names=top + 1, use_threads=threads
                ),
                parse_options=pyarrow.csv.ParseOptions(
                    delimiter=delimiter,
                    newlines_in_values=True,
                    ignore_empty_lines=False,
                    invalid_row_handler=None if threads else skip,
                ),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types={str(i): pa.string() for i in range(width)}, strings_can_be_null=False
                ),
            )
            break
        except (pa.ArrowException, OSError):
            continue
    else:
        return None
    numbers = np.arange(top + 2, top + 2 + table.num_rows + len(wrong))
    if wrong:
        numbers = np.setdiff1d(numbers, np.array([n for n, _ in wrong]), assume_unique=True)
    if len(numbers) != table.num_rows:
        return None
    table = _without_blank_rows(table.append_column(ROW, pa.array(numbers, pa.int64())))
    records = [(number, next(_records(text, delimiter), [])) for number, text in wrong]
    return _with_mended(table, records, width, delimiter)


def _read_carefully(text: str, delimiter: str, width: int, top: int) -> _Read:
    """By Python's csv, record by record, for files that are damaged; a quote that is never closed is found here."""
    lines = list(io.StringIO(text, newline=""))
    good: list[pa.Table] = []
    odd: list[tuple[int, list[str]]] = []
    damaged: list[_Damage] = []
    batch: list[tuple[int, list[str]]] = []
    number, start, unclosed = 0, 0, 0
    while start < len(lines):
        quoting = csv.QUOTE_MINIMAL if unclosed < _UNCLOSED_QUOTES_MENDED else csv.QUOTE_NONE
        reader = csv.reader(lines[start:], delimiter=delimiter, quoting=quoting)
        while True:
            before = reader.line_num
            try:
                record = next(reader)
                open_quote = start + reader.line_num == len(lines) and _ends_in_quote(
                    lines[start + before :], delimiter, quoting
                )
            except StopIteration:
                start = len(lines)
                break
            except csv.Error:  # a field without end
                record, open_quote = [], True
            number += 1
            if open_quote:
                damaged.append(_Damage(number, "check.unclosed_quote", lines[start + before].rstrip("\r\n")))
                start, unclosed = start + before + 1, unclosed + 1
                break
            if number <= top + 1:
                continue
            if len(record) == width:
                batch.append((number, record))
                if len(batch) == _BATCH_ROWS:
                    good.append(_batch_table(batch, width))
                    batch = []
            elif record:
                odd.append((number, record))
    good.append(_batch_table(batch, width))
    rows, more = _with_mended(_without_blank_rows(pa.concat_tables(good)), odd, width, delimiter)
    return rows, damaged + more


def _ends_in_quote(lines: Sequence[str], delimiter: str, quoting: int) -> bool:
    """Whether the last record of a text stands in a quote that is never closed."""
    if quoting == csv.QUOTE_NONE:
        return False
    try:
        for _ in csv.reader(lines, delimiter=delimiter, strict=True):
            pass
    except csv.Error as error:
        return "unexpected end of data" in str(error)
    return False


def _batch_table(batch: Sequence[tuple[int, list[str]]], width: int) -> pa.Table:
    columns = {str(i): pa.array([record[i] for _, record in batch], pa.string()) for i in range(width)}
    return pa.table({**columns, ROW: pa.array([number for number, _ in batch], pa.int64())})


def _with_mended(table: pa.Table, records: Sequence[tuple[int, list[str]]], width: int, delimiter: str) -> _Read:
    """Records of another width: those with nothing but empty fields too many are good, the others are damage."""
    mended, damaged = [], []
    for number, record in records:
        if len(record) > width and not any(cell.strip() for cell in record[width:]):
            if any(cell.strip() for cell in record):
                mended.append((number, record[:width]))
        elif any(cell.strip() for cell in record):
            damaged.append(_Damage(number, "check.field_count", delimiter.join(record), len(record)))
    if mended:
        table = pa.concat_tables([table, _batch_table(mended, width)]).sort_by(ROW)
    return table, damaged


def _without_blank_rows(table: pa.Table) -> pa.Table:
    """Rows in which no cell has anything in it are no rows."""
    blank: Any = None
    for name in table.column_names:
        if name != ROW:
            empty = pc.equal(pc.utf8_trim_whitespace(table[name]), "")
            blank = empty if blank is None else pc.and_(blank, empty)
            if not pc.any(blank).as_py():
                return table
    return table if blank is None else table.filter(pc.invert(blank))


def _any_text(column: pa.ChunkedArray) -> bool:
    return bool(pc.any(pc.not_equal(pc.utf8_trim_whitespace(column), "")).as_py())


def _wrongly_coded(rows: pa.Table, text: _TextFacts) -> tuple[pa.Table, list[_Damage]]:
    """Takes out rows with bytes that are not of the file's encoding, and rows with NUL characters."""
    damaged: list[_Damage] = []
    for suspected, character, key in (
        (text.broken, _REPLACED, "check.wrong_encoding"),
        (text.nul, "\0", "check.nul_character"),
    ):
        if not suspected or not rows.num_rows:
            continue
        bad = np.zeros(rows.num_rows, dtype=bool)
        for name in rows.column_names:
            if name != ROW:
                bad |= pc.match_substring(rows[name], character).to_numpy()
        for row in rows.filter(pa.array(bad)).to_pylist():
            cells = [value for name, value in row.items() if name != ROW]
            damaged.append(_Damage(row[ROW], key, ",".join(cells), len(cells)))
        rows = rows.filter(pa.array(~bad))
    return rows, damaged


def _damaged_rows(
    damaged: Sequence[_Damage], source: str, header: Sequence[str], delimiter: str
) -> tuple[pa.Table, list[Finding]]:
    findings: list[Finding] = []
    damaged = sorted(damaged, key=lambda d: d.number)
    each = [
        finding(
            "error",
            d.key,
            source,
            row=d.number,
            value=message("check.quoted", value=shown(d.text)),
            fields=d.fields,
            columns=len(header),
        )
        for d in damaged
    ]
    for key in sorted({d.key for d in damaged}):
        same = [(d, f) for d, f in zip(damaged, each, strict=True) if d.key == key]
        if len(same) <= ROWS_NAMED_ONE_BY_ONE:
            findings += [f for _, f in same]
            continue
        first = same[0][0]
        rows = ", ".join(str(d.number) for d, _ in same[:5])
        quoted = message("check.quoted", value=shown(first.text))
        many = message("check.many_rows", count=len(same), rows=rows, value=quoted)
        findings.append(
            finding(
                "error",
                key,
                source,
                row=first.number,
                rows_affected=len(same),
                value=many,
                fields=first.fields,
                columns=len(header),
            )
        )
    original = pa.table(
        [[d.text for d in damaged], [d.number for d in damaged]],
        schema=pa.schema([("text", pa.string()), (ROW, pa.int64())]),
    )
    return rejected_rows(original, [[finding_record(f)] for f in each]), findings


# --- JSON lines --------------------------------------------------------------------------------------------------


def _read_json_lines(path: Path, text: _TextFacts) -> tuple[list[RawSource], list[Finding]]:
    """One object a line, all values as the text they were written in."""
    names: dict[str, None] = {}
    batches: list[pa.Table] = []
    damaged: list[_Damage] = []
    batch: list[tuple[int, dict[str, str | None]]] = []
    with path.open(encoding=text.encoding, errors="replace", newline="\n") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            if (text.broken and _REPLACED in line) or "\0" in line:
                key = "check.nul_character" if "\0" in line else "check.wrong_encoding"
                damaged.append(_Damage(number, key, line.strip()))
                continue
            try:
                record = _DECODER.decode(line)
            except (ValueError, RecursionError):
                damaged.append(_Damage(number, "check.bad_json", line.strip()))
                continue
            if not isinstance(record, dict):
                damaged.append(_Damage(number, "check.bad_json", line.strip()))
                continue
            if "\\u" in line:  # an escape can write half a character, which no text can hold
                record = {_whole(k): _whole(v) if isinstance(v, str) else v for k, v in record.items()}
            names.update(dict.fromkeys(record))
            if len(names) > MOST_COLUMNS:
                return [], [_too_many_columns(path.name)]
            batch.append((number, {k: _json_text(v) for k, v in record.items()}))
            if len(batch) == _BATCH_ROWS:
                batches.append(_json_batch(batch, names))
                batch = []
    batches.append(_json_batch(batch, names))
    rejected, findings = _damaged_rows(damaged, path.name, [], ",")
    table = pa.concat_tables(batches, promote_options="default").select([*(n for n in names if n != ROW), ROW])
    source = RawSource(path.name, table, rejected)
    return [source], findings + _no_rows(source)


_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)


def _whole(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _json_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return _whole(json.dumps(value, ensure_ascii=False))


def _json_batch(batch: Sequence[tuple[int, dict[str, str | None]]], names: dict[str, None]) -> pa.Table:
    columns = {n: pa.array([record.get(n) for _, record in batch], pa.string()) for n in names if n != ROW}
    return pa.table({**columns, ROW: pa.array([number for number, _ in batch], pa.int64())})
