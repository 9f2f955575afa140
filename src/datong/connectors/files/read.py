"""Reads data files as tables of raw rows, batch by batch: CSV, Parquet, Excel and JSON lines. Trouble comes back as
findings. CSV is in csv_rows.py, what files of text have in common in encodings_and_lines.py."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from queue import Full, Queue
from threading import Event, Thread
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook

from datong.connectors.files.changed_while_read import Looks, UnreadableError, holding_still, looks, read_steadily
from datong.connectors.files.csv_rows import (
    BLOCK_BYTES,
    MOST_COLUMNS,
    CsvLayout,
    any_text,
    csv_batches,
    csv_layout,
    duplicate_header,
    header_place,
    headers,
    too_many_columns,
    unnamed_columns,
)
from datong.connectors.files.encodings_and_lines import (
    REPLACED,
    Damage,
    DamageTally,
    LongLine,
    TextFacts,
    lines_of,
    look_at_text,
    open_text,
    start_of,
)
from datong.connectors.files.number_formats import zero_formats
from datong.connectors.files.workbook_limits import EmptyCells, Inspected, cell_name, inspect
from datong.ledger.row_checks import REJECTED_SCHEMA, ROW, shown
from datong.model.findings import Finding, finding

TEXT_SUFFIXES = frozenset({".csv", ".tsv", ".txt"})
LINES_SUFFIXES = frozenset({".jsonl", ".ndjson"})
WORKBOOK_SUFFIXES = frozenset({".xlsx", ".xlsm", ".xls"})
SUFFIXES = TEXT_SUFFIXES | LINES_SUFFIXES | WORKBOOK_SUFFIXES | {".parquet"}

_BATCH_ROWS = 50_000
MAGIC = ((b"PAR1", ".parquet"), (b"PK\x03\x04", ".xlsx"), (b"\xd0\xcf\x11\xe0", ".xls"), (b"\x1f\x8b", ".gz"))


@dataclass(frozen=True, eq=False)
class RawSource:
    """Rows as they came. name: file, or file/sheet. rows: columns by header, text for text formats, and `__row__`
    int64: the row number a person sees (header = 1; for JSON lines the line). rejected: rows that could not be read,
    in REJECTED_SCHEMA.
    """

    name: str
    rows: pa.Table
    rejected: pa.Table = field(default_factory=REJECTED_SCHEMA.empty_table)


@dataclass(frozen=True, eq=False)
class RawBatch:
    """Some rows of a source, as in RawSource; row numbers rise from batch to batch."""

    rows: pa.Table
    rejected: pa.Table = field(default_factory=REJECTED_SCHEMA.empty_table)


class Source:
    """A table of a file, to be read batch by batch, and again where that is needed. This one is in memory."""

    name: str
    columns: tuple[str, ...]
    # Whether a comma that could part decimals or thousands parts thousands, where nothing in the source tells.
    commas_group: bool = True
    # Columns whose cells are text that may hold a comma within a number.
    text_columns: tuple[str, ...] = ()
    _findings: Sequence[Finding] = ()

    def __init__(self, whole: RawSource, commas_group: bool = True) -> None:
        self.name = whole.name
        self.columns = tuple(name for name in whole.rows.column_names if name != ROW)
        self.commas_group = commas_group
        self.text_columns = tuple(n for n in self.columns if _is_text(whole.rows.schema.field(n).type))
        self._whole = whole
        self._findings = _no_rows(whole.name, whole.rows.num_rows + whole.rejected.num_rows)

    def batches(self) -> Iterator[RawBatch]:
        """All rows, at least one batch. Raises UnreadableError: after the last batch too, where the file has changed
        since it was opened, so that the rows may be taken for those of the file only when the batches have ended.
        """
        yield RawBatch(self._whole.rows, self._whole.rejected)

    @property
    def findings(self) -> Sequence[Finding]:
        """What was wrong with the rows; complete when the last batch is read."""
        return self._findings


def open_sources(path: Path, block_bytes: int = BLOCK_BYTES) -> tuple[list[Source], list[Finding]]:
    """All tables of one file, unread: one, or one per sheet. Never raises for what is in the file, or for what it is.

    block_bytes: how much of a CSV file becomes a batch.
    """
    return read_steadily(path, lambda given: _open(given, block_bytes))


def _open(path: Path, block_bytes: int) -> tuple[list[Source], list[Finding]]:
    suffix = path.suffix.lower()
    seen = looks(path)
    with path.open("rb") as file:
        start = file.read(8)
    if suffix not in SUFFIXES:
        return [], [finding("error", "check.unknown_format", path.name, suffix=suffix)]
    if not start:
        return [], [finding("error", "check.empty_file", path.name)]
    really = next((s for magic, s in MAGIC if start.startswith(magic)), None)
    if suffix in TEXT_SUFFIXES | LINES_SUFFIXES and really is not None:
        return [], [finding("error", "check.other_format", path.name, suffix=suffix, really=really)]
    if suffix in WORKBOOK_SUFFIXES:
        return _read_workbook(path)
    if suffix == ".parquet":
        sources, findings = _open_parquet(path)
    else:
        sources, findings = _open_text(path, block_bytes)
    return [_SteadySource(source, path, seen) for source in sources], findings


def _open_text(path: Path, block_bytes: int) -> tuple[list[Source], list[Finding]]:
    text = look_at_text(path)
    if isinstance(text, Finding):
        return [], [text]
    if path.suffix.lower() in LINES_SUFFIXES:
        return _open_json_lines(path, text)
    return _open_csv(path, text, block_bytes)


class _SteadySource(Source):
    """A source whose file must look at the end of every reading as it did when it was opened."""

    def __init__(self, source: Source, path: Path, seen: Looks) -> None:
        self.name = source.name
        self.columns = source.columns
        self.commas_group, self.text_columns = source.commas_group, source.text_columns
        self._source, self._path, self._seen = source, path, seen

    def batches(self) -> Iterator[RawBatch]:
        with holding_still(self._path, self._seen):
            yield from self._source.batches()

    @property
    def findings(self) -> Sequence[Finding]:
        return self._source.findings


def read_source(path: Path) -> tuple[list[RawSource], list[Finding]]:
    """All tables of one file, whole. Never raises for what is in the file, or for what it is."""
    sources, findings = open_sources(path)
    whole = []
    for source in sources:
        try:
            whole.append(whole_source(source))
        except UnreadableError as unreadable:
            findings.append(unreadable.found)
            continue
        findings += source.findings
    return whole, findings


def read_ahead(batches: Iterator[RawBatch]) -> Iterator[RawBatch]:
    """The same batches, read by a thread of its own while the one before is worked on."""
    coming: Queue[RawBatch | BaseException | None] = Queue(maxsize=1)
    stopped = Event()

    def offer(item: RawBatch | BaseException | None) -> None:
        while not stopped.is_set():
            with suppress(Full):
                coming.put(item, timeout=0.1)
                return

    def read() -> None:
        try:
            with closing(batches):  # ty: ignore[invalid-argument-type]
                for batch in batches:
                    offer(batch)
                    if stopped.is_set():
                        return
        except BaseException as error:
            offer(error)
        else:
            offer(None)

    reader = Thread(target=read, daemon=True)
    reader.start()
    try:
        while (item := coming.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        reader.join()


def whole_source(source: Source) -> RawSource:
    """All batches of a source in one. Raises UnreadableError."""
    batches = list(source.batches())
    rows = pa.concat_tables([batch.rows for batch in batches])
    return RawSource(source.name, rows, pa.concat_tables([batch.rejected for batch in batches]))


def _no_rows(name: str, rows: int) -> list[Finding]:
    return [] if rows else [finding("warning", "check.no_rows", name)]


# --- CSV ---------------------------------------------------------------------------------------------------------


def _open_csv(path: Path, text: TextFacts, block_bytes: int) -> tuple[list[Source], list[Finding]]:
    sample = start_of(path, text)
    if text.long_line and not {"\n", "\r"} & set(sample):
        return [], [finding("error", "check.no_line_ends", path.name)]
    layout = csv_layout(sample)
    names, findings = headers(layout.header, path.name)
    return ([] if names is None else [_CsvSource(path, text, layout, names, block_bytes)]), findings


class _CsvSource(Source):
    """names: of the columns, '' for one that is not read."""

    def __init__(self, path: Path, text: TextFacts, layout: CsvLayout, names: Sequence[str], block_bytes: int) -> None:
        self.name = path.name
        self.columns = tuple(name for name in names if name)
        self.commas_group = layout.delimiter == ","
        self.text_columns = self.columns if layout.delimiter != "," or text.quotes > 0 else ()
        self._path, self._text, self._layout, self._names = path, text, layout, names
        self._block_bytes = block_bytes

    def batches(self) -> Iterator[RawBatch]:
        tally = DamageTally(self.name, self._layout.width)
        unnamed: set[int] = set()
        count = 0
        for rows, damaged in csv_batches(self._path, self._text, self._layout, self._block_bytes):
            # A column without a name is worth a word only if there is something in it.
            nameless = (i for i, cell in enumerate(self._layout.header) if not cell.strip() and i not in unnamed)
            unnamed |= {i for i in nameless if any_text(rows[str(i)])}
            count += rows.num_rows + len(damaged)
            kept = {name: rows[str(i)] for i, name in enumerate(self._names) if name}
            yield RawBatch(pa.table({**kept, ROW: rows[ROW]}), tally.rejected(damaged))
        self._findings = [
            *unnamed_columns(self.name, [i + 1 for i in sorted(unnamed)]),
            *tally.findings(),
            *_no_rows(self.name, count),
        ]


# --- Parquet -----------------------------------------------------------------------------------------------------


def _open_parquet(path: Path) -> tuple[list[Source], list[Finding]]:
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            schema = file.schema_arrow
            names = [n for n in schema.names if n != ROW and not n.startswith("__index_level_")]
    except (pa.ArrowException, OSError) as error:
        with path.open("rb") as file:
            start = file.read(4)
            file.seek(max(0, path.stat().st_size - 4))
            end = file.read(4)
        if start == b"PAR1" and end != b"PAR1":
            return [], [finding("error", "check.truncated_file", path.name)]
        return [], [finding("error", "check.unreadable_file", path.name, reason=shown(error))]
    if len(set(names)) < len(names):
        repeated = sorted({n for n in names if names.count(n) > 1})
        return [], [duplicate_header(path.name, n) for n in repeated]
    if not names:
        return [], [finding("error", "check.empty_file", path.name)]
    if len(names) > MOST_COLUMNS:
        return [], [too_many_columns(path.name)]
    texts = tuple(name for name in names if _is_text(schema.field(name).type))
    return [_ParquetSource(path, names, texts)], []


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind)


class _ParquetSource(Source):
    def __init__(self, path: Path, names: Sequence[str], texts: tuple[str, ...]) -> None:
        self.name = path.name
        self.columns, self.text_columns = tuple(names), texts
        self._path = path

    def batches(self) -> Iterator[RawBatch]:
        count = 0
        try:
            with pyarrow.parquet.ParquetFile(self._path) as file:
                schema = pa.schema([file.schema_arrow.field(name) for name in self.columns])
                for batch in file.iter_batches(_BATCH_ROWS, columns=list(self.columns)):
                    rows = pa.Table.from_batches([batch]).select(list(self.columns))
                    yield RawBatch(_numbered(rows, count + 2))
                    count += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            reason = shown(getattr(error, "strerror", None) or error)
            raise UnreadableError(finding("error", "check.unreadable_file", self.name, reason=reason)) from error
        if not count:
            yield RawBatch(_numbered(schema.empty_table(), 2))
        self._findings = _no_rows(self.name, count)


def _numbered(table: pa.Table, first: int) -> pa.Table:
    return table.append_column(ROW, pa.array(np.arange(first, first + table.num_rows), pa.int64()))


# --- Excel -------------------------------------------------------------------------------------------------------


def _read_workbook(path: Path) -> tuple[list[Source], list[Finding]]:
    sources: list[Source] = []
    inspected = inspect(path)
    filled, findings = filled_sheets(path, inspected)
    if not filled:
        return [], findings
    codes = zero_formats(path)
    for name, rows, _ in filled:
        coded = [[*row] for row in rows] if name in codes else rows
        for (row, column), code in codes.get(name, {}).items():
            coded[row][column] = code
        source, more = _sheet_source(f"{path.name}/{name}", coded, inspected.empty.get(name, {}))
        findings += more
        if source is not None:
            sources.append(Source(source))
    return sources, findings


def filled_sheets(
    path: Path, inspected: Inspected
) -> tuple[list[tuple[str, list[list[Any]], CalamineSheet]], list[Finding]]:
    """Sheets of a workbook that have any cell, each with its name and rows; or why there are none."""
    if inspected.refused:
        return [], list(inspected.refused)
    try:
        workbook = CalamineWorkbook.from_path(str(path))
        sheets = [(name, workbook.get_sheet_by_name(name)) for name in workbook.sheet_names]
        cells = [(name, _cells(sheet), sheet) for name, sheet in sheets]
    except (CalamineError, OSError, ValueError) as error:
        return [], [finding("error", "check.unreadable_file", path.name, reason=shown(error))]
    filled = [one for one in cells if any(v != "" for row in one[1] for v in row)]
    return filled, [] if filled else [finding("error", "check.empty_file", path.name)]


def _cells(sheet: CalamineSheet) -> list[list[Any]]:
    return [] if sheet.start is None else sheet.to_python(skip_empty_area=False)


def _sheet_source(
    name: str, rows: Sequence[Sequence[Any]], empty: EmptyCells
) -> tuple[RawSource | None, list[Finding]]:
    top = header_place([sum(v != "" for v in row) for row in rows])
    header = [cell_text(v) or "" for v in rows[top]]
    damaged = cells_without_value(rows, top, empty)
    lost = {d.number for d in damaged}
    body = [(i + 1, row) for i, row in enumerate(rows) if i > top and i + 1 not in lost and any(v != "" for v in row)]
    columns = [[row[c] if row[c] != "" else None for _, row in body] for c in range(len(header))]
    # A column without a header and without values is only formatting.
    used = [c for c in range(len(header)) if header[c].strip() or any(v is not None for v in columns[c])]
    names, findings = headers([header[c] for c in used], name)
    if names is None:
        return None, findings
    findings += unnamed_columns(name, [c + 1 for c in used if not header[c].strip()])
    table = pa.table(
        {n: _typed_cells(columns[c]) for n, c in zip(names, used, strict=True) if n}
        | {ROW: pa.array([number for number, _ in body], pa.int64())}
    )
    tally = DamageTally(name, len(header))
    rejected = tally.rejected(damaged)
    return RawSource(name, table, rejected), findings + tally.findings()


def cells_without_value(rows: Sequence[Sequence[Any]], top: int, empty: EmptyCells) -> list[Damage]:
    """Rows with a cell that reads as empty and is not, one for each, named by its first such cell."""
    first = {row: (column, rule) for (row, column), rule in sorted(empty.items(), reverse=True) if row > top + 1}
    return [
        Damage(row, rule, f"{cell_name(row, column)}: " + ", ".join(cell_text(v) or "" for v in rows[row - 1]))
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
    return pa.array([cell_text(v) for v in plain], pa.string())


def cell_text(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.isoformat(sep=" ") if isinstance(value, datetime) else str(value)


# --- JSON lines --------------------------------------------------------------------------------------------------


def _open_json_lines(path: Path, text: TextFacts) -> tuple[list[Source], list[Finding]]:
    """A first pass gathers the names."""
    names: dict[str, None] = {}
    for _, record in _json_records(path, text):
        if isinstance(record, dict):
            names.update(dict.fromkeys(record))
            if len(names) > MOST_COLUMNS:
                return [], [too_many_columns(path.name)]
    return [_JsonLinesSource(path, text, [name for name in names if name != ROW])], []


class _JsonLinesSource(Source):
    """One object a line, all values as the text they were written in."""

    def __init__(self, path: Path, text: TextFacts, names: Sequence[str]) -> None:
        self.name = path.name
        self.columns = tuple(names)
        self._path, self._text = path, text

    def batches(self) -> Iterator[RawBatch]:
        tally = DamageTally(self.name, 0)
        batch: list[tuple[int, dict[str, Any]]] = []
        damaged: list[Damage] = []
        count = 0
        for number, record in _json_records(self._path, self._text):
            if isinstance(record, Damage):
                damaged.append(record)
            else:
                batch.append((number, record))
            count += 1
            if len(batch) + len(damaged) == _BATCH_ROWS:
                yield RawBatch(self._table(batch), tally.rejected(damaged))
                batch, damaged = [], []
        yield RawBatch(self._table(batch), tally.rejected(damaged))
        self._findings = [*tally.findings(), *_no_rows(self.name, count)]

    def _table(self, batch: Sequence[tuple[int, dict[str, Any]]]) -> pa.Table:
        columns = {n: pa.array([_json_text(r.get(n)) for _, r in batch], pa.string()) for n in self.columns}
        return pa.table({**columns, ROW: pa.array([number for number, _ in batch], pa.int64())})


def _json_records(path: Path, text: TextFacts) -> Iterator[tuple[int, dict[str, Any] | Damage]]:
    """The lines that are not blank, with their numbers."""
    with open_text(path, text, "\n") as file:
        for number, line in enumerate(lines_of(file), start=1):
            if line.strip():
                yield number, _json_record(number, line, text)


def _json_record(number: int, line: str, text: TextFacts) -> dict[str, Any] | Damage:
    if isinstance(line, LongLine):
        return Damage(number, "check.long_line", line)
    if (text.broken and REPLACED in line) or "\0" in line:
        return Damage(number, "check.nul_character" if "\0" in line else "check.wrong_encoding", line.strip())
    try:
        record = _DECODER.decode(line)
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        return Damage(number, "check.bad_json", line.strip())
    if "\\u" in line:  # an escape can write half a character, which no text can hold
        record = {_whole(k): _whole(v) if isinstance(v, str) else v for k, v in record.items()}
    return record


_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)


def _whole(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _json_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return _whole(json.dumps(value, ensure_ascii=False))
