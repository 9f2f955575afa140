"""Acknowledgements and reports in: sheets and CSV files that a counterparty drops, as reports on orders."""

import contextlib
import csv
import io
import re
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
from python_calamine import CalamineError, CalamineWorkbook

from datong.connectors.exports.cells import cells_of
from datong.connectors.exports.numbers import decide_marks, read_numbers
from datong.connectors.filedrop.folders import (
    ANSWER_COLUMNS,
    BAD,
    DONE,
    EXAMPLE,
    INBOX,
    ORDER_COLUMNS,
    plain,
    reachable,
    titles,
    write_text,
)
from datong.connectors.files.csv_rows import DELIMITERS
from datong.connectors.files.read import cell_text
from datong.connectors.files.steady import Looks, looks, read_steadily
from datong.connectors.files.workbook_limits import inspect
from datong.ledger.life import REPORTED, OrderEvent, OrderReport
from datong.model.calendar import Calendar
from datong.model.findings import Finding, finding, has_errors
from datong.model.flow import OrderState
from datong.model.words import LANGUAGES, message, say, visible

_COLUMNS = ("order", *ANSWER_COLUMNS)
_EXAMPLES = frozenset(EXAMPLE.values())
_SUFFIXES = (".csv", ".xlsx")
_NEEDED = ("order", "state", "happened_at")
# A file that changed so lately may still be being written.
QUIET_SECONDS = 0.5
_MOMENT = re.compile(
    r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?"
    r"(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\.\d+)? ?(Z|[+-]\d{2}:?\d{2})?)?"
)


@dataclass(frozen=True, eq=False)
class CollectedFiles:
    """What lay in an inbox.

    reports: what the files say of orders, not yet held against them. files: those that were read, each with its
    findings and its looks then. left: findings of what could not be read and stays where it is.
    """

    folder: Path
    reports: tuple[OrderReport, ...]
    files: tuple[tuple[Path, tuple[Finding, ...], Looks], ...]
    left: tuple[Finding, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        return (*self.left, *(f for _, findings, _ in self.files for f in findings))


@dataclass(frozen=True)
class _Seen:
    """A file as it was read. refused: why a workbook is not to be opened."""

    content: bytes
    looks: Looks
    refused: tuple[Finding, ...]


def collect(folder: Path, calendar: Calendar) -> CollectedFiles:
    """Read every CSV file and workbook in `folder`/inbox. Moves nothing: take its reports in, then `settle`.

    A kill between the two only means that the same files are read again, which changes nothing.
    """
    with reachable(folder):
        inbox = folder / INBOX
        paths = [p for p in inbox.iterdir() if p.suffix.lower() in _SUFFIXES] if inbox.exists() else []
    read: dict[Path, _Seen] = {}
    left: list[Finding] = []
    paths = sorted(p for p in paths if not p.name.startswith("."))
    _wait_until_quiet(paths)
    for path in paths:
        if path.is_symlink():  # it may lead to anything that this program may read
            left.append(finding("error", "dispatch.link", path.name))
            continue
        contents, problems = read_steadily(path, _look)
        if contents:
            read[path] = contents[0]
        left += problems
    read_files: list[tuple[Path, tuple[Finding, ...], Looks]] = []
    reports: list[OrderReport] = []
    for path, seen in read.items():
        lines, problems = ([], [*seen.refused]) if seen.refused else read_sheet(path.name, seen.content, calendar)
        reports += lines
        read_files.append((path, tuple(problems), seen.looks))
    return CollectedFiles(folder, tuple(reports), tuple(read_files), tuple(left))


def _look(path: Path) -> tuple[list[_Seen], list[Finding]]:
    return [_Seen(path.read_bytes(), looks(path), inspect(path).refused)], []


def _wait_until_quiet(paths: Sequence[Path]) -> None:
    """Wait until the youngest file is QUIET_SECONDS old: one that is still being written would be taken for whole. A
    file that goes on changing is found as it is read, and stays."""
    ages = []
    for path in paths:
        with contextlib.suppress(OSError):
            ages.append(time.time() - path.lstat().st_mtime)
    youngest = min((age for age in ages if age >= 0), default=QUIET_SECONDS)
    time.sleep(max(QUIET_SECONDS - youngest, 0.0))


def settle(collected: CollectedFiles, answers: Sequence[Finding], language: str) -> None:
    """Move the files away, after what they say was taken in: to done/, or, with an error in them, to bad/.

    answers: what was found as their reports were held against the orders. Where there are findings, they lie beside
    the file as text. A mended file may simply be dropped again. A file that
    has changed since it was read stays, to be read again: what it said before is known then.
    """
    of_file: dict[str, list[Finding]] = {}
    for found in answers:
        of_file.setdefault(found.source, []).append(found)
    with reachable(collected.folder):
        for path, read, seen in collected.files:
            findings = (*read, *of_file.get(path.name, ()))
            if not path.exists() or looks(path) != seen:
                continue
            into = collected.folder / (BAD if has_errors(findings) else DONE)
            into.mkdir(parents=True, exist_ok=True)
            place = into / path.name
            number = 1
            while place.exists():
                number += 1
                place = into / f"{path.stem}-{number}{path.suffix}"
            if findings:
                text = "\n".join(f.text(language) for f in findings)
                write_text(place.with_name(f"{place.stem}.findings.txt"), text + "\n")
            path.replace(place)


# reading a file ------------------------------------------------------------------------------------


def read_sheet(source: str, content: bytes, calendar: Calendar) -> tuple[list[OrderReport], list[Finding]]:
    """What a workbook or CSV file says of orders. source: by which findings call it."""
    try:
        table = _table(content)
    except (UnicodeDecodeError, csv.Error, ValueError, CalamineError) as error:
        return [], [finding("error", "dispatch.unreadable", source, why=str(error))]
    if not table:
        return [], [finding("error", "dispatch.no_rows", source)]
    table = table[_header_row(table) :]
    header = [plain(cell) for cell in table[0][1]]
    at = {name: next((i for i, cell in enumerate(header) if cell in titles(name)), None) for name in _COLUMNS}
    there = ", ".join(cell.strip() for cell in table[0][1])
    missing = [name for name in _NEEDED if at[name] is None]
    if missing:
        return [], [
            finding("error", "dispatch.no_column", source, missing=message(f"dispatch.title.{name}"), there=there)
            for name in missing
        ]
    if len(table) == 1:
        return [], [finding("error", "dispatch.no_rows", source)]
    records = [
        (row, {n: visible(cells[i]).strip() if i is not None and i < len(cells) else "" for n, i in at.items()})
        for row, cells in table[1:]
    ]
    records = [(row, record) for row, record in records if not _is_unanswered(record)]
    reports: list[OrderReport] = []
    findings = _unknown_columns(source, table)
    units = {name: _units([record[name] for _, record in records]) for name in ("good_units", "scrap_units")}
    for at_row, (row, record) in enumerate(records):
        counted = {name: values[at_row] for name, values in units.items()}
        event, problems = _event(source, row, record, counted, calendar)
        findings += problems
        if event is not None:
            reports.append(OrderReport(source, row, event))
    return reports, findings


def _header_row(table: Sequence[tuple[int, list[str]]]) -> int:
    """The first row with the titles that are needed; in a sheet, how to answer stands above it. 0 where there is none,
    so that what is missing can be told of the first row."""
    for at, (_, cells) in enumerate(table):
        there = {plain(cell) for cell in cells}
        if all(there & titles(name) for name in _NEEDED):
            return at
    return 0


def _is_unanswered(record: Mapping[str, str]) -> bool:
    """A row that shows how to answer, or an order that is not answered yet."""
    return plain(record["order"]) in _EXAMPLES or not any(record[name] for name in ANSWER_COLUMNS)


def _unknown_columns(source: str, table: Sequence[tuple[int, list[str]]]) -> list[Finding]:
    """A finding for each column with something in it whose title is none of ours."""
    found = []
    for i, title in enumerate(table[0][1]):
        filled = sum(bool("".join(cells[i : i + 1]).strip()) for _, cells in table[1:])
        if filled and plain(title) not in _known_titles():
            found.append(finding("warning", "dispatch.unknown_column", source, title=title.strip(), count=filled))
    return found


def _table(content: bytes) -> list[tuple[int, list[str]]]:
    """Rows that are not empty, with their numbers: of the first sheet of a workbook, or of a text in UTF-8 or, as
    Chinese Excel saves it, in GB18030."""
    if content.startswith(b"PK"):
        sheet = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0)
        values = [] if sheet.start is None else sheet.to_python(skip_empty_area=False)
        texts = [[cell_text(value) or "" for value in row] for row in values]
        return [(number, row) for number, row in enumerate(texts, start=1) if any(cell.strip() for cell in row)]
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("gb18030")
    if "\0" in text:
        raise ValueError("NUL")
    first = text.lstrip().split("\n", 1)[0]
    delimiter = max(DELIMITERS, key=first.count)
    rows = csv.reader(text.splitlines(keepends=True), delimiter=delimiter)
    return [(number, row) for number, row in enumerate(rows, start=1) if any(cell.strip() for cell in row)]


def _event(
    source: str, row: int, record: Mapping[str, str], counted: Mapping[str, float | None], calendar: Calendar
) -> tuple[OrderEvent | None, list[Finding]]:
    findings = []

    def problem(rule: str, column: str, **params: Any) -> None:
        findings.append(finding("error", f"dispatch.{rule}", source, row=row, column=column, **params))

    state = _state_words().get(plain(record["state"]))
    if state is None:
        words = ", ".join("/".join(say(f"dispatch.state.{s}", language) for language in LANGUAGES) for s in REPORTED)
        problem("unknown_state", "state", state=record["state"], states=words)
    when = _moment(record["happened_at"], calendar)
    if when is None:
        problem("bad_moment", "happened_at", value=record["happened_at"])
    for name, units in counted.items():
        if record[name] and units is None:
            problem("bad_units", name, value=record[name])
    if findings or state is None or when is None:
        return None, findings
    moment, date_only = when
    order = record["order"].removeprefix("'")  # as a spreadsheet keeps a text that looks like a formula
    reason = record["reason"] or None
    event = OrderEvent(order, state, moment, counted["good_units"], counted["scrap_units"], reason, date_only=date_only)
    return event, findings


@cache
def _state_words() -> dict[str, OrderState]:
    words = {plain(state): state for state in REPORTED}
    for language in LANGUAGES:
        words |= {plain(say(f"dispatch.state.{state}", language)): state for state in REPORTED}
    text = files("datong.connectors.filedrop").joinpath("answer_words.toml").read_text(encoding="utf-8")
    for state, others in tomllib.loads(text).items():
        words |= {plain(word): state for word in others}
    return cast(dict[str, OrderState], words)


@cache
def _known_titles() -> frozenset[str]:
    """Titles of columns that are read, or that the work-order file has."""
    return frozenset(title for name in (*ORDER_COLUMNS, *ANSWER_COLUMNS) for title in titles(name))


def _moment(text: str, calendar: Calendar) -> tuple[datetime, bool] | None:
    """A moment in UTC, and whether it was a day alone. Without an offset it is the chain's local time."""
    match = _MOMENT.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, offset = match.groups()
    try:
        if hour is None:
            return calendar.midnight(date(int(year), int(month), int(day))), True
        clock = f"{year}-{int(month):02}-{int(day):02}T{int(hour):02}:{minute}:{second or '00'}{offset or ''}"
        moment = datetime.fromisoformat(clock)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=calendar.zone)
        return moment.astimezone(UTC), False
    except (ValueError, OverflowError):
        return None


def _units(texts: Sequence[str]) -> list[float | None]:
    """The numbers of a column, by what its cells say together of the decimal sign; None for a cell that is none, is
    below nothing, or could be either of two numbers."""
    column = read_numbers(cells_of(pa.array(texts, pa.string())))
    decided = decide_marks({"": column}, {})
    values = column.values(decided.marks[""])
    unsure = column.unsure if decided.unsure else np.zeros(len(texts), bool)
    good = np.isfinite(values) & (values >= 0) & ~unsure & ~column.unread
    return [float(v) if ok else None for v, ok in zip(values.tolist(), good.tolist(), strict=True)]
