"""CSV files as batches of rows of text: their delimiter, their header, and records that are not as they should be."""

import csv
import io
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from datong.connectors.files.encodings_and_lines import (
    REPLACED,
    Damage,
    LongLine,
    TextFacts,
    Utf8Reader,
    lines_of,
    open_text,
)
from datong.ledger.row_checks import ROW, ROWS_NAMED_ONE_BY_ONE, shown
from datong.model.findings import Finding, finding

DELIMITERS = (",", ";", "\t", "|")
BLOCK_BYTES = 4 * 1024 * 1024
# As many as a sheet of Excel has: a table with more is no table, or lies on its side.
MOST_COLUMNS = 16_384
_BATCH_ROWS = 50_000
_UNCLOSED_QUOTES_MENDED = 20
_TITLE_ROWS = 20

# A batch of rows (columns '0', '1', ... of text and `__row__`) and its damaged records.
Read = tuple[pa.Table, list[Damage]]


@dataclass(frozen=True)
class CsvLayout:
    """delimiter: between fields. top: place of the header among the records, from 0. header: its fields as written."""

    delimiter: str
    top: int
    header: tuple[str, ...]

    @property
    def width(self) -> int:
        return len(self.header)


def csv_layout(sample: str) -> CsvLayout:
    """What the start of a file shows."""
    delimiter = _delimiter(sample)
    top, header = _header_record(sample, delimiter)
    return CsvLayout(delimiter, top, tuple(header))


def csv_batches(path: Path, text: TextFacts, layout: CsvLayout, block_bytes: int = BLOCK_BYTES) -> Iterator[Read]:
    """All rows of a file in order, by pyarrow where it can, else record by record, from where pyarrow stopped."""
    last = layout.top + 1
    # An odd quote may be one that is never closed, which pyarrow would not notice.
    if text.quotes % 2 == 0 and not text.long_line:
        try:
            for rows, damaged, last in _read_fast(path, text, layout, block_bytes):  # noqa: B007
                yield _without_wrongly_coded(rows, damaged, text)
            return
        except pa.ArrowException:
            pass
    with open_text(path, text) as file:
        for rows, damaged in _read_carefully(file, layout, last):
            yield _without_wrongly_coded(rows, damaged, text)


# --- header and delimiter ----------------------------------------------------------------------------------------


def records_of(text: str, delimiter: str) -> Iterator[list[str]]:
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
        top = header_place([sum(bool(cell.strip()) for cell in record) for record in records])
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
    top = header_place([sum(bool(cell.strip()) for cell in record) for record in records])
    return top, records[top] if records else [""]


def _first_records(sample: str, delimiter: str) -> list[list[str]]:
    return [record for _, record in zip(range(1000), records_of(sample, delimiter), strict=False)]


def header_place(filled: Sequence[int]) -> int:
    """Which row is the header, by how many cells the rows fill: the first that is not blank; but not a title, one or a
    few rows of a single cell, that reports put above a table."""
    first = next((i for i, count in enumerate(filled) if count), 0)
    after = filled[first : first + _TITLE_ROWS]
    table = next((i for i, count in enumerate(after) if count >= 3), 0)
    return first + table if all(count <= 1 for count in after[:table]) else first


def headers(header: Sequence[str], source: str) -> tuple[list[str] | None, list[Finding]]:
    """Column names; '' for one not to be read. None where there is no header to go by."""
    names: list[str] = []
    findings: list[Finding] = []
    if len(header) > MOST_COLUMNS:
        return None, [too_many_columns(source)]
    cells = [cell.replace(REPLACED, "?").replace("\0", "").strip().lstrip("\ufeff") for cell in header]
    if all(_looks_like_data(cell) for cell in cells):
        text = shown(", ".join(cells))
        return None, [finding("error", "check.no_header", source, row=1, value=text)]
    for cell in cells:
        if cell and cell in names:
            findings.append(duplicate_header(source, cell))
        names.append("" if cell in names or cell == ROW else cell)
    return names, findings


def _looks_like_data(cell: str) -> bool:
    """A number or a date, or nothing: nobody calls a column that."""
    return not any(c.isalpha() for c in cell.replace("年", "").replace("月", "").replace("日", ""))


def duplicate_header(source: str, name: str) -> Finding:
    return finding("error", "check.duplicate_header", source, row=1, column=shown(name), name=shown(name))


def unnamed_columns(source: str, places: Sequence[int]) -> list[Finding]:
    """Columns with values and no name: the first ones each, the rest in one finding."""
    few, rest = places[:ROWS_NAMED_ONE_BY_ONE], places[ROWS_NAMED_ONE_BY_ONE:]
    findings = [finding("warning", "check.unnamed_column", source, row=1, place=place) for place in few]
    if rest:
        findings.append(finding("warning", "check.unnamed_columns", source, row=1, count=len(rest), first=rest[0]))
    return findings


def too_many_columns(source: str) -> Finding:
    return finding("error", "check.too_many_columns", source, row=1, most=f"{MOST_COLUMNS:,}")


# --- records -----------------------------------------------------------------------------------------------------


def _read_fast(
    path: Path, text: TextFacts, layout: CsvLayout, block_bytes: int
) -> Iterator[tuple[pa.Table, list[Damage], int]]:
    """By pyarrow: batches, with the number of the last record that each goes up to. Raises where pyarrow cannot."""
    wrong: deque[tuple[int, str]] = deque()

    def skip(row: pyarrow.csv.InvalidRow) -> str:
        wrong.append((row.number, row.text))
        return "skip"

    names = [str(i) for i in range(layout.width)]
    with ExitStack() as open_files:
        source: Any = path
        if text.encoding != "utf-8-sig" or text.broken:
            source = Utf8Reader(open_files.enter_context(open_text(path, text)))
        reader = open_files.enter_context(
            pyarrow.csv.open_csv(
                source,
                # Only without threads does it say where a wrong record stands.
                read_options=pyarrow.csv.ReadOptions(
                    column_names=names,
                    skip_rows_after_names=layout.top + 1,
                    block_size=block_bytes,
                    use_threads=False,
                ),
                parse_options=pyarrow.csv.ParseOptions(
                    delimiter=layout.delimiter,
                    newlines_in_values=text.quotes > 0,
                    ignore_empty_lines=False,
                    invalid_row_handler=skip,
                ),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
                ),
            )
        )
        last = layout.top + 1
        for batch in reader:
            numbers, records = _numbers(last, batch.num_rows, wrong)
            last = int(numbers[-1]) if len(numbers) else last
            rows = pa.Table.from_batches([batch]).append_column(ROW, pa.array(numbers, pa.int64()))
            yield *_with_mended(_without_blank_rows(rows), records, layout), last
        last = wrong[-1][0] if wrong else last
        yield *_with_mended(_batch_table([], layout.width), list(wrong), layout), last


def _numbers(last: int, count: int, wrong: deque[tuple[int, str]]) -> tuple[np.ndarray, list[tuple[int, str]]]:
    """Numbers of the next `count` good records after `last`, and the wrong records between them, taken off `wrong`."""
    passed = []
    while wrong and wrong[0][0] <= last + count + len(passed):
        passed.append(wrong.popleft())
    numbers = np.arange(last + 1, last + count + len(passed) + 1)
    return np.setdiff1d(numbers, [number for number, _ in passed], assume_unique=True), passed


def _read_carefully(file: IO[str], layout: CsvLayout, after: int) -> Iterator[Read]:
    """By Python's csv, record by record, for files that are damaged; a quote that is never closed is found here.

    Records up to number `after` are passed over. A damaged record gives its first line; the lines after it are read
    again, so that the lines of one record are all that is held.
    """
    lines = _Lines(lines_of(file))
    reader: Iterator[list[str]] | None = None
    batch: list[tuple[int, list[str]]] = []
    odd: list[tuple[int, list[str]]] = []
    damaged: list[Damage] = []
    number, unclosed = 0, 0

    def done() -> Read:
        rows, more = _with_mended_records(_without_blank_rows(_batch_table(batch, layout.width)), odd, layout)
        seen_before = after if after > layout.top + 1 else 0
        return rows, [*(d for d in damaged if d.number > seen_before), *more]

    while not lines.at_end():
        number += 1
        if lines.next_is_too_long():
            damaged.append(Damage(number, "check.long_line", lines.take()))
            reader = None
            continue
        quoting = csv.QUOTE_MINIMAL if unclosed < _UNCLOSED_QUOTES_MENDED else csv.QUOTE_NONE
        reader = reader or csv.reader(lines.rest(), delimiter=layout.delimiter, quoting=quoting)
        lines.held = []
        try:
            record = next(reader)
            open_quote = lines.at_break() and _ends_in_quote(lines.held, layout.delimiter, quoting)
        except csv.Error:  # a field without end
            record, open_quote = [], True
        if open_quote:
            damaged.append(Damage(number, "check.unclosed_quote", lines.held[0].rstrip("\r\n")))
            unclosed += 1
            lines.give_back(1)
            reader = None
        elif number > after and len(record) == layout.width:
            batch.append((number, record))
        elif number > after and record:
            odd.append((number, record))
        if len(batch) + len(odd) + len(damaged) >= _BATCH_ROWS:
            yield done()
            batch, odd, damaged = [], [], []
    yield done()


class _Lines:
    """Lines of a text, of which those of the record at hand can be given back."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._ahead: deque[str] = deque()
        self.held: list[str] = []

    def at_end(self) -> bool:
        if not self._ahead:
            self._ahead.extend(islice(self._lines, 1))
        return not self._ahead

    def next_is_too_long(self) -> bool:
        return isinstance(self._ahead[0], LongLine)

    def take(self) -> str:
        return self._ahead.popleft()

    def at_break(self) -> bool:
        """Whether no record can go on here: at the end, or before a line that is too long."""
        return self.at_end() or self.next_is_too_long()

    def rest(self) -> Iterator[str]:
        """The lines from here to the next break; those that are taken are held."""
        while not self.at_break():
            self.held.append(self._ahead.popleft())
            yield self.held[-1]

    def give_back(self, kept: int) -> None:
        """All held lines but the first few are read again."""
        self._ahead.extendleft(reversed(self.held[kept:]))


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


def _with_mended(rows: pa.Table, texts: Sequence[tuple[int, str]], layout: CsvLayout) -> Read:
    records = [(number, next(records_of(text, layout.delimiter), [])) for number, text in texts]
    return _with_mended_records(rows, records, layout)


def _with_mended_records(rows: pa.Table, records: Sequence[tuple[int, list[str]]], layout: CsvLayout) -> Read:
    """Records of another width: those with nothing but empty fields too many are good, the others are damage."""
    mended, damaged = [], []
    for number, record in records:
        if len(record) > layout.width and not any(cell.strip() for cell in record[layout.width :]):
            if any(cell.strip() for cell in record):
                mended.append((number, record[: layout.width]))
        elif any(cell.strip() for cell in record):
            text = layout.delimiter.join(record)
            damaged.append(Damage(number, "check.field_count", text, len(record), tuple(record)))
    if mended:
        rows = pa.concat_tables([rows, _batch_table(mended, layout.width)]).sort_by(ROW)
    return rows, damaged


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


def any_text(column: pa.ChunkedArray) -> bool:
    return bool(pc.any(pc.not_equal(pc.utf8_trim_whitespace(column), "")).as_py())


def _without_wrongly_coded(rows: pa.Table, damaged: Sequence[Damage], text: TextFacts) -> Read:
    """Takes out rows with bytes that are not of the file's encoding, and rows with NUL characters."""
    more: list[Damage] = []
    for suspected, character, key in (
        (text.broken, REPLACED, "check.wrong_encoding"),
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
            more.append(Damage(row[ROW], key, ",".join(cells), len(cells)))
        rows = rows.filter(pa.array(~bad))
    return rows, [*damaged, *more]
