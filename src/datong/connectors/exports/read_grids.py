"""Files as grids of cells, with nothing taken for a header yet: texts, sheets, Parquet, JSON lines."""

import re
import zipfile
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from python_calamine import CalamineSheet

from datong.connectors.exports.broken_rows import has_fewer_figures, is_cut, is_cut_within_cell, mended
from datong.connectors.exports.cells import BLANKS, ERROR_CELL, Cells, cells_of, trimmed
from datong.connectors.exports.delimiter import delimiter_and_width
from datong.connectors.exports.encodings import chinese_encoding, one_byte_encoding, without_mark
from datong.connectors.exports.fixed_width import cells_at_fixed_places
from datong.connectors.exports.markup_tables import MarkupCell, tables_in_markup
from datong.connectors.files.changed_while_read import UnreadableError, holding_still, looks, read_steadily
from datong.connectors.files.csv_rows import (
    MOST_COLUMNS,
    CsvLayout,
    csv_batches,
    too_many_columns,
)
from datong.connectors.files.encodings_and_lines import Damage, DamageTally, TextFacts, look_at_text, start_of
from datong.connectors.files.hidden_parts import Hidden, hidden_parts
from datong.connectors.files.number_formats import zero_formats
from datong.connectors.files.read import (
    LINES_SUFFIXES,
    MAGIC,
    SUFFIXES,
    TEXT_SUFFIXES,
    WORKBOOK_SUFFIXES,
    filled_sheets,
    read_source,
)
from datong.connectors.files.workbook_limits import EmptyCells, inspect
from datong.ledger.row_checks import REJECTED_SCHEMA, ROW, shown
from datong.model.findings import Finding, finding
from datong.model.words import Message, message

_WORKBOOK_PART, _MOST_OF_PART = "xl/workbook.xml", 1_000_000
_FIRST_LINES = 400  # of a text, in which a printed list shows
_FROM_1904 = re.compile(rb"date1904\s*=\s*[\"'](?:1|true)[\"']")


@dataclass(frozen=True, eq=False)
class Grid:
    """name: file, or file/sheet. columns: all cells, also those above and below the table. numbers: (row,) int64, the
    row number a person sees. header: where the file itself says what its columns are called. merged: ranges of a sheet,
    (first row, first column, last row, last column) from 0. rejected: rows that could not be read. hidden: a sheet that
    nobody sees who opens the workbook."""

    name: str
    columns: tuple[Cells, ...]
    numbers: np.ndarray
    header: tuple[str, ...] | None = None
    merged: tuple[tuple[int, int, int, int], ...] = ()
    delimiter: str = ""
    rejected: pa.Table = field(default_factory=REJECTED_SCHEMA.empty_table)
    hidden: bool = False

    @property
    def sheet(self) -> str:
        return self.name.partition("/")[2]

    def head(self, count: int) -> list[list[str]]:
        """The first rows as texts."""
        texts = [column.text.slice(0, count).to_pylist() for column in self.columns]
        return [[text or "" for text in row] for row in zip(*texts, strict=True)]


@dataclass(frozen=True, eq=False)
class Grids:
    """What is in a file, and what is to be said of how it was read. from_1904: a workbook that counts its days from
    1904, as those that were made on a Mac."""

    grids: tuple[Grid, ...]
    findings: tuple[Finding, ...]
    notes: tuple[Message, ...] = ()
    from_1904: bool = False


def read_grids(path: Path) -> Grids:
    """All tables of a file. Never raises for what is in it."""
    notes: list[Message] = []

    def read(given: Path) -> tuple[list[Any], list[Finding]]:
        notes.clear()
        grids, findings = _read(given, notes)
        return list(grids), findings

    grids, findings = read_steadily(path, read)
    return Grids(tuple(grids), tuple(findings), tuple(notes), bool(grids) and _counts_from_1904(path))


def _counts_from_1904(path: Path) -> bool:
    """Whether a workbook says that its day numbers begin in 1904."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as book:
        if _WORKBOOK_PART not in book.namelist() or book.getinfo(_WORKBOOK_PART).file_size > _MOST_OF_PART:
            return False
        return _FROM_1904.search(book.read(_WORKBOOK_PART)) is not None


def grids_of_table(table: pa.Table, name: str) -> Grids:
    """A table in hand, whose columns are named; its rows are numbered as in a file with a header."""
    columns = tuple(cells_of(column) for column in table.columns)
    numbers = np.arange(table.num_rows, dtype=np.int64) + 2
    return Grids((Grid(name, columns, numbers, tuple(table.column_names)),), ())


def _read(path: Path, notes: list[Message]) -> tuple[Sequence[Grid], list[Finding]]:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        return [], [finding("error", "check.unknown_format", path.name, suffix=suffix)]
    with path.open("rb") as file:
        start = file.read(8)
    if not start:
        return [], [finding("error", "check.empty_file", path.name)]
    really = next((s for magic, s in MAGIC if start.startswith(magic)), None)
    if really in (".xlsx", ".xls") and suffix not in {".parquet", *LINES_SUFFIXES}:
        if suffix in TEXT_SUFFIXES:
            notes.append(message("export.really", suffix=suffix, really=really))
        return _sheets(path, notes)
    if suffix in TEXT_SUFFIXES | WORKBOOK_SUFFIXES and really is None:
        if suffix in WORKBOOK_SUFFIXES and start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<":
            return _markup(path, notes)
        return _text(path, notes)
    sources, findings = read_source(path)
    grids = []
    for source in sources:
        names = tuple(n for n in source.rows.column_names if n != ROW)
        numbers = source.rows[ROW].to_numpy()
        columns = tuple(cells_of(source.rows[n]) for n in names)
        grids.append(Grid(source.name, columns, numbers, names, rejected=source.rejected))
    return grids, findings


def _markup(path: Path, notes: list[Message]) -> tuple[Sequence[Grid], list[Finding]]:
    """The tables of a file that is called a workbook and is HTML, or the XML of older spreadsheets."""
    tables = tables_in_markup(path.read_bytes())
    if not tables:
        return [], [finding("error", "check.unreadable_file", path.name, reason="HTML")]
    notes.append(message("export.markup", suffix=path.suffix.lower()))
    grids = []
    for number, rows in enumerate(tables, start=1):
        kept = [i for i, row in enumerate(rows) if any(cell.text for cell in row)]
        columns = [_markup_cells([rows[i][c] for i in kept]) for c in range(len(rows[0]))]
        name = path.name if len(tables) == 1 else f"{path.name}/{number}"
        grids.append(Grid(name, tuple(columns), np.array(kept, np.int64) + 1))
    return grids, []


def _markup_cells(cells: Sequence[MarkupCell]) -> Cells:
    text = trimmed(pa.array([cell.text or None for cell in cells], pa.string()))
    kinds = np.array([Cells.NUMBER if cell.is_number and cell.text else Cells.TEXT for cell in cells], np.uint8)
    return Cells(text, kinds if kinds.any() else None)


# --- text --------------------------------------------------------------------------------------------------------


def _text(path: Path, notes: list[Message]) -> tuple[Sequence[Grid], list[Finding]]:
    seen = looks(path)
    text = without_mark(path) or look_at_text(path)
    if isinstance(text, Finding):
        return [], [text]
    if text.broken and text.encoding == "utf-8-sig":
        text = replace(text, encoding=one_byte_encoding(path), broken=False)
        notes.append(message("export.encoding", encoding=text.encoding))
    if text.encoding == "gb18030" and (encoding := chinese_encoding(path)) != text.encoding:
        text = replace(text, encoding=encoding)
        notes.append(message("export.encoding_read", encoding=encoding))
    sample = start_of(path, text)
    if text.long_line and not {"\n", "\r"} & set(sample):
        return [], [finding("error", "check.no_line_ends", path.name)]
    delimiter, width = delimiter_and_width(sample)
    if _may_be_printed(sample, delimiter, width) and (printed := _printed_grid(path, text)) is not None:
        notes.append(message("export.fixed_places", count=len(printed.columns)))
        return [printed], []
    if width > MOST_COLUMNS:
        return [], [too_many_columns(path.name)]
    layout = CsvLayout(delimiter, -1, tuple(str(i) for i in range(width)))
    try:
        with holding_still(path, seen):
            return [_text_grid(path, text, layout, notes)], []
    except UnreadableError as unreadable:
        return [], [unreadable.found]


def _may_be_printed(sample: str, delimiter: str, width: int) -> bool:
    """Whether the first line has none of what would part its cells, or nothing does, and the first lines are of a
    printed list."""
    lines = sample.splitlines()[:_FIRST_LINES]
    first = next((line for line in lines if line.strip()), "")
    return (width <= 2 or delimiter not in first) and cells_at_fixed_places(lines) is not None


def _printed_grid(path: Path, text: TextFacts) -> Grid | None:
    """A list whose columns stand at fixed places, as a program prints it; None where the text is none."""
    lines = path.read_text(encoding=text.encoding, errors="replace").splitlines()
    rows = cells_at_fixed_places(lines)
    if rows is None:
        return None
    kept = [i for i, row in enumerate(rows) if any(row)]
    columns = tuple(Cells(trimmed(pa.array([rows[i][c] for i in kept], pa.string()))) for c in range(len(rows[0])))
    return Grid(path.name, columns, np.array(kept, np.int64) + 1)


def _text_grid(path: Path, text: TextFacts, layout: CsvLayout, notes: list[Message]) -> Grid:
    """Rows with fewer fields than the others are filled up: what is missing at their end is empty. Rows that broke are
    put together again, or told."""
    names = [str(i) for i in range(layout.width)]
    read = list(csv_batches(path, text, layout))
    table = pa.concat_tables([rows.select([*names, ROW]) for rows, _ in read]).combine_chunks()
    damage = _sorted([d for _, damaged in read for d in damaged])
    found = mended(table, damage, layout.delimiter, layout.width, has_quotes=text.quotes > 0)
    notes += [message(f"export.rows_{n}", count=f"{of:,}") for n in ("unquoted", "joined") if (of := getattr(found, n))]
    rest = [d for d in damage if d.number not in found.rows]
    short = [d for d in rest if d.key == "check.field_count" and d.fields < layout.width]
    rest = [d for d in rest if d not in short]
    ends = _ends_a_line(path)
    cut = None if ends else _cut(table, short, names)
    if not ends and cut is None and table.num_rows and (last := _perhaps_cut(table, names)):
        notes.append(message("export.perhaps_cut", row=int(table[ROW][-1].as_py()), text=shown(last)))
    if cut is not None:
        notes.append(message("export.cut_row", row=cut.number, text=shown(layout.delimiter.join(cut.cells))))
        table = table.filter(pc.not_equal(table[ROW], cut.number))
        rest, short = _sorted([*rest, cut]), [d for d in short if d is not cut]
    filled = {d.number: ([*d.cells, *[""] * (layout.width - d.fields)],) for d in short}
    table, moved = _with_rows(table, {**found.rows, **filled}, names)
    columns = tuple(Cells(trimmed(_one_array(table[n]))) for n in names)
    tally = DamageTally(path.name, layout.width)
    rejected = tally.rejected([replace(d, number=moved(d.number)) for d in rest])
    return Grid(path.name, columns, table[ROW].to_numpy(), delimiter=layout.delimiter, rejected=rejected)


def _cut(table: pa.Table, short: Sequence[Damage], names: Sequence[str]) -> Damage | None:
    """The last row of a text that no line end ends, where it was cut; None where it is whole. short: with too few
    cells."""
    last = int(table[ROW][-1].as_py()) if table.num_rows else 0
    if short and short[-1].number > last:
        return short[-1] if is_cut(short[-1].cells, len(short), len(names)) else None
    if table.num_rows < 2:
        return None
    cells = tuple(str(table[name][-1].as_py() or "") for name in names)
    filled = [name for name, cell in zip(names, cells, strict=True) if cell]
    if not filled or not is_cut_within_cell(table[filled[-1]]):
        return None
    return Damage(last, "check.field_count", ",".join(cells), len(cells), cells)


def _perhaps_cut(table: pa.Table, names: Sequence[str]) -> str:
    """The last cell of a text that no line end ends, where its figures are fewer than those of nearly all above it: 4
    below 46, 61 and 38; '' where it is whole, as far as that tells."""
    cells = [str(table[name][-1].as_py() or "") for name in names]
    filled = [i for i, cell in enumerate(cells) if cell]
    return cells[filled[-1]] if filled and has_fewer_figures(table[names[filled[-1]]]) else ""


def _with_rows(
    table: pa.Table, rows: Mapping[int, Sequence[Sequence[str]]], names: Sequence[str]
) -> tuple[pa.Table, Callable[[int], int]]:
    """A table with the rows that records really are in their place, and the number that a record has then: one that is
    several rows moves those below it."""
    at = np.array(sorted(rows), np.int64)
    more = np.cumsum([0, *(max(0, len(rows[n]) - 1) for n in at.tolist())])

    def moved(number: int) -> int:
        return number + int(more[np.searchsorted(at, number)])

    if not rows:
        return table, moved
    kept = table.filter(pa.array(~np.isin(table[ROW].to_numpy(), at)))
    numbers = kept[ROW].to_numpy()
    kept = kept.select([*names]).append_column(ROW, pa.array(numbers + more[np.searchsorted(at, numbers)]))
    added = [(moved(n) + i, row) for n in at.tolist() for i, row in enumerate(rows[n])]
    new = {name: pa.array([row[i] for _, row in added], pa.string()) for i, name in enumerate(names)}
    new[ROW] = pa.array([number for number, _ in added], pa.int64())
    return pa.concat_tables([kept, pa.table(new)]).sort_by(ROW).combine_chunks(), moved


def _ends_a_line(path: Path) -> bool:
    """Whether the last bytes of a file are a line end, in any of its encodings."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 2))
        return b"\n" in (end := file.read()) or b"\r" in end


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _sorted(damage: Sequence[Damage]) -> list[Damage]:
    return sorted(damage, key=lambda d: d.number)


# --- sheets ------------------------------------------------------------------------------------------------------


def _sheets(path: Path, notes: list[Message]) -> tuple[Sequence[Grid], list[Finding]]:
    """The sheets that have cells, without the rows that somebody hid; those that a filter or a closed group hides are
    read."""
    inspected = inspect(path)
    sheets, findings = filled_sheets(path, inspected)
    formats = zero_formats(path) if sheets else {}
    hidden = hidden_parts(path) if sheets else Hidden()
    grids = []
    for name, rows, sheet in sheets:
        gone = hidden.rows.get(name, frozenset())
        empty, zeros = inspected.empty.get(name, {}), formats.get(name, {})
        grid = _sheet_grid(f"{path.name}/{name}", rows, _merged(sheet), empty, zeros, gone)
        grids.append(replace(grid, hidden=name in hidden.sheets))
        for key, count in (("hidden_rows", len(gone)), ("filtered_rows", hidden.filtered.get(name, 0))):
            if count and name not in hidden.sheets:
                notes.append(message(f"export.{key}", sheet=name, count=f"{count:,}"))
    return grids, findings


def _merged(sheet: CalamineSheet) -> tuple[tuple[int, int, int, int], ...]:
    ranges = sheet.merged_cell_ranges or ()
    return tuple((top, left, bottom, right) for (top, left), (bottom, right) in ranges)


def _sheet_grid(
    name: str,
    rows: Sequence[Sequence[Any]],
    merged: tuple[tuple[int, int, int, int], ...],
    empty: EmptyCells,
    zeros: Mapping[tuple[int, int], str],
    hidden: Container[int],
) -> Grid:
    lost = {(row - 1, column) for row, column in empty}
    with_error = {row for row, _ in lost}
    kept = [i for i, row in enumerate(rows) if i + 1 not in hidden and (i in with_error or any(v != "" for v in row))]
    columns = []
    for c in range(len(rows[0])):
        values = [zeros.get((i, c), rows[i][c]) if zeros else rows[i][c] for i in kept]
        if lost:
            values = [ERROR_CELL if (i, c) in lost else v for i, v in zip(kept, values, strict=True)]
        columns.append(_sheet_cells(values))
    spans = tuple((kept.index(t) if t in kept else -1, left, b - t, right) for t, left, b, right in merged)
    spans = tuple((t, left, t + height, right) for t, left, height, right in spans if t >= 0)
    numbers = np.array([i + 1 for i in kept], np.int64)
    return Grid(name, tuple(columns), numbers, None, spans)


def _sheet_cells(values: Sequence[Any]) -> Cells:
    texts: list[str | None] = []
    kinds = np.zeros(len(values), np.uint8)
    for i, value in enumerate(values):
        if isinstance(value, bool):
            texts.append("TRUE" if value else "FALSE")
        elif isinstance(value, int | float):
            texts.append(str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(value))
            kinds[i] = Cells.NUMBER
        elif isinstance(value, date):
            plainly = not isinstance(value, datetime) or value.time() == time()
            texts.append(str(value)[:10] if plainly else str(value)[:19])
            kinds[i] = Cells.DAY
        else:
            text = str(value).strip(BLANKS)
            texts.append(text or None)
    cells = Cells(trimmed(pa.array(texts, pa.string())), kinds)
    return cells if kinds.any() else Cells(cells.text)
