"""Where the table stands in a grid: its header of one or two rows; months, weeks or days that stand as columns."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.columns import header_score, named_fields
from datong.connectors.exports.dates import decide_order, not_a_day, parse, read_dates
from datong.connectors.exports.grid import Grid
from datong.connectors.exports.numbers import written
from datong.connectors.exports.vocabulary import header_words, is_total, months, names_total, plain
from datong.model.words import Message, message

PERIOD_COLUMN, UNITS_COLUMN = "(date)", "(units)"

_HEAD_ROWS = 60
# Headers of a year, a month and a day that stand in columns of their own.
_DATE_PARTS = (
    frozenset({"year", "yr", "年", "年份", "年度", "jahr", "annee", "ano", "anno", "jaar", "rok"}),
    frozenset({"month", "mon", "月", "月份", "monat", "mois", "mes", "mese", "maand", "miesiac"}),
    frozenset({"day", "day of month", "日", "tag", "jour", "dia", "giorno", "dag"}),
)
_LEAST_PERIODS = 3
YEAR = re.compile(r"(?<!\d)(20\d{2})(?!\d)")
_NOTHING_SOLD = r"^(?:[-–—]|0+(?:[.,]0+)?)$"
_BARE_WEEK = re.compile(r"(?:w|kw|wk|week)\s?\d{1,2}", re.IGNORECASE)
_PERIOD_KINDS = ("day", "numeric", "month", "week")


@dataclass(frozen=True, eq=False)
class Table:
    """A table of a file. columns: by header, in the order of the file. numbers: (row,) int64, the row number a person
    sees. wide: it had a column for each period, now in PERIOD_COLUMN and UNITS_COLUMN. repeated: rows left out because
    they are the header again. separator: between the fields of a text file. above: what stands above it."""

    name: str
    columns: Mapping[str, Cells]
    numbers: np.ndarray
    wide: bool = False
    repeated: int = 0
    notes: tuple[Message, ...] = field(default_factory=tuple)
    separator: str = ""
    above: str = ""

    @property
    def height(self) -> int:
        return len(self.numbers)

    def keep(self, rows: np.ndarray) -> "Table":
        """The rows for which a mask holds."""
        at = np.flatnonzero(rows)
        columns = {name: cells.take(at) for name, cells in self.columns.items()}
        return replace(self, columns=columns, numbers=self.numbers[at])


def find_table(grid: Grid, hints: Sequence[str] = ()) -> Table:
    """The table of a grid. hints: texts that may name the year of months without one, after what stands above it."""
    if grid.header is not None:
        columns = dict(zip(_unique(grid.header), grid.columns, strict=True))
        return _long(_with_date(Table(grid.name, columns, grid.numbers)), hints)
    head = grid.head(_HEAD_ROWS)
    top, names, last = _header(head, grid.merged)
    above = " ".join(cell for row in head[:top] for cell in row)
    notes = [message("export.header_row", row=int(grid.numbers[last]))] if last else []
    if last > top or top < last:
        notes.append(message("export.header_rows"))
    body = np.arange(last + 1, len(grid.numbers))
    columns = {}
    for name, cells in zip(_unique(names), grid.columns, strict=True):
        part = cells.take(body)
        if name or part.text.null_count < len(part):
            columns[name or f"#{len(columns) + 1}"] = part
    table = Table(grid.name, columns, grid.numbers[body], notes=tuple(notes), above=above)
    again = _header_again(table, dict(zip(_unique(names), head[last] if head else [], strict=True)))
    repeated = int(again.sum())
    table = table.keep(~again) if repeated else table
    table = replace(table, repeated=repeated)
    return _long(_with_date(table), (above, *hints))


def _with_date(table: Table) -> Table:
    """A table with columns for the year, the month and perhaps the day, with a column of dates made of them."""
    parts = []
    for wanted in _DATE_PARTS:
        found = [name for name in table.columns if plain(name) in wanted]
        parts.append(found[0] if len(found) == 1 else None)
    year, month, day = parts
    if year is None or month is None or any(header_score("date", n) >= 0.5 for n in table.columns if n not in parts):
        return table
    texts = [table.columns[name].text for name in (year, month, day) if name is not None]
    if not pc.all(pc.match_substring_regex(texts[0], r"^(19|20)\d\d$")).as_py():
        return table
    made = Cells(pc.binary_join_element_wise(*texts, "-" if _are_numbers(texts[1]) else " "))
    columns = {name: cells for name, cells in table.columns.items() if name not in parts}
    note = message("export.date_parts", columns=", ".join(name for name in parts if name is not None))
    return replace(table, columns={PERIOD_COLUMN: made, **columns}, notes=(*table.notes, note))


def _are_numbers(text: pa.Array) -> bool:
    return bool(pc.all(pc.match_substring_regex(text, r"^\d{1,2}$")).as_py())


def _unique(names: Sequence[str]) -> list[str]:
    result: list[str] = []
    for name in names:
        name = " ".join(name.split())
        number, wanted = 2, name
        while name and name in result:
            name, number = f"{wanted} ({number})", number + 1
        result.append(name)
    return result


def _header_again(table: Table, header: Mapping[str, str]) -> np.ndarray:
    """Rows that are the header once more, as at the top of each printed page."""
    again = np.ones(table.height, dtype=bool)
    told = [(name, text) for name, text in header.items() if text and name in table.columns]
    for name, text in told:
        same = pc.fill_null(pc.equal(table.columns[name].text, text), False)
        again &= same.to_numpy(zero_copy_only=False)
        if not again.any():
            break
    return again & bool(told)


# --- the header --------------------------------------------------------------------------------------------------


def _header(head: Sequence[Sequence[str]], merged: Sequence[tuple[int, int, int, int]]) -> tuple[int, list[str], int]:
    """The header's first row, its names, and its last row, all counted from 0 in the grid."""
    if not head:
        return 0, [], 0
    scores = [_header_likeness(row) for row in head]
    best = max(range(len(head)), key=lambda i: (scores[i], -i))
    across = {(top, left): right for top, left, bottom, right in merged if right > left}
    if best + 1 < len(head) and _goes_on(head[best], head[best + 1]):
        top = _spread(head[best], best, across, head[best + 1])
        return best, _joined(top, head[best + 1]), best + 1
    if best and _groups(head[best - 1], head[best], best - 1, across):
        top = _spread(head[best - 1], best - 1, across, head[best])
        return best - 1, _joined(top, head[best]), best
    return best, list(head[best]), best


def _header_likeness(row: Sequence[str]) -> float:
    """How much a row is like a header: names of columns count, known ones more, and numbers and dates against it."""
    filled = [cell for cell in row if cell]
    if len(filled) < 2:
        return -1.0 if len(row) > 1 else float(bool(filled and named_fields(filled)))
    labels = periods = numbers = 0
    for cell in filled:
        if period_of(cell) is not None:
            periods += 1
        elif written(cell) is not None:
            numbers += 1
        elif any(c.isalpha() for c in cell) and len(cell) < 80:
            labels += 1
    several = periods if periods >= _LEAST_PERIODS else -periods
    return 2 * len(named_fields(filled)) + labels + 0.5 * several - 2 * numbers


def _goes_on(row: Sequence[str], below: Sequence[str]) -> bool:
    """Whether the row below belongs to the header: only names, some of them under gaps of the row."""
    filled = [cell for cell in below if cell]
    if len(filled) < 2 or any(written(c) is not None for c in filled):
        return False
    if any(parse(c) is not None and not bare_month(c) for c in filled) and any(
        row[i] for i, c in enumerate(below) if c and parse(c)
    ):
        return False
    return any(c and not row[i] for i, c in enumerate(below)) and any(row[i] and not c for i, c in enumerate(below))


def _groups(above: Sequence[str], row: Sequence[str], at: int, across: Mapping[tuple[int, int], int]) -> bool:
    """Whether a row above the header names groups of its columns: merged cells, or years over months, or names that
    are only together one column's own."""
    filled = [i for i, cell in enumerate(above) if cell]
    if not filled:
        return False
    spans = [across[at, i] - i + 1 for i in filled if (at, i) in across]
    width = sum(bool(cell) for cell in row)
    if spans:
        return max(spans) < max(width, 2)
    names = [cell for cell in row if cell]
    repeated = len(set(names)) < len(names)
    return len(filled) >= 2 and (repeated or sum(bare_month(c) for c in names) >= _LEAST_PERIODS)


def _spread(row: Sequence[str], at: int, across: Mapping[tuple[int, int], int], below: Sequence[str]) -> list[str]:
    """The names of groups over all columns of their group: over merged cells, else over the gaps that follow them."""
    result = list(row)
    merged = any((at, i) in across for i in range(len(row)))
    last = ""
    until = -1
    for i, cell in enumerate(row):
        if cell:
            last, until = cell, across.get((at, i), len(row) if not merged else i)
        elif last and i <= until and below[i]:
            result[i] = last
    return result


def _joined(top: Sequence[str], below: Sequence[str]) -> list[str]:
    return [" ".join(part for part in (a, b) if part) if a != b else a for a, b in zip(top, below, strict=True)]


# --- periods as columns ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Period:
    """What the name of a column says of a time. text: the time as it is written; measure: the field that the rest of
    the name means, '' for none."""

    text: str
    kind: str
    measure: str = ""


def bare_month(text: str) -> bool:
    """A month without a year: Jan, 1月."""
    return plain(text).rstrip(".") in months() or re.fullmatch(r"(?:0?[1-9]|1[0-2])月份?", text) is not None


def period_of(name: str) -> Period | None:
    """The period that a column is named after, None where there is none."""
    name = name.strip().removesuffix(" 00:00:00")
    for text, measure in ((name, ""), *_without_measure(name)):
        found = parse(text)
        if found is not None and not found.clock and found.kind not in ("serial", "epoch"):
            kind = {"month_or_day": "month", "month_or_week": "month"}.get(found.kind, found.kind)
            return Period(text, kind, measure)
    return None


def _without_measure(name: str) -> list[tuple[str, str]]:
    """A name without a word for units or money at either end, and what the word is for."""
    result = []
    for measure in ("units", "amount", "price"):
        for word in header_words()[measure]:
            bare = plain(name)
            word = plain(word)
            edge = " " if word.isascii() else ""
            if bare.startswith(word + edge) and len(bare) > len(word):
                result.append((bare[len(word) :].strip(" ()-_:"), measure))
            elif bare.endswith(edge + word) and len(bare) > len(word):
                result.append((bare[: -len(word)].strip(" ()-_:"), measure))
    return result


def _periods(names: Sequence[str], hints: Sequence[str]) -> dict[str, tuple[Period, date]]:
    """Columns that are named after days, weeks or months, each with its first day; of one kind, the commonest."""
    named = [set(YEAR.findall(hint)) for hint in hints]
    year = next((min(years) for years in named if len(years) == 1), "")
    found: dict[str, Period] = {}
    for name in names:
        period = period_of(name)
        if period is None and year and (bare_month(name) or _BARE_WEEK.fullmatch(name)):
            period = period_of(f"{year} {name}" if bare_month(name) else f"{year}-{name}")
        if period is not None:
            found[name] = period
    if not found:
        return {}
    kinds = [p.kind for p in found.values()]
    kind = max(_PERIOD_KINDS, key=kinds.count)
    found = {name: p for name, p in found.items() if p.kind == kind}
    weeks = any(
        (p := parse(period.text)) is not None and p.kind == "month_or_week" and p.b > 12 for period in found.values()
    )
    column = read_dates(Cells(pa.array([p.text for p in found.values()], pa.string())), weeks)
    order = decide_order(column, (), False)
    days = column.days.get(order.order, next(iter(column.days.values())))
    result = {}
    for (name, period), day in zip(found.items(), days.tolist(), strict=True):
        if not not_a_day(np.array([day]))[0]:
            result[name] = (period, date(1970, 1, 1) + timedelta(days=day))
    spans = [p for p, _ in result.values() if re.fullmatch(r"\D+\d{2}", p.text)]
    numbers = [int(p.text[-2:]) for p in spans]
    if numbers and len(set(numbers)) > 12:  # Jan-01, Jan-02 ...: days without a year
        return {}
    return result


def _long(table: Table, hints: Sequence[str]) -> Table:
    """A table with a column for each day, week or month as rows of (date, units); any other as it is.

    Empty cells and zeros make no row; columns of sums are left out.
    """
    periods = _periods(list(table.columns), hints)
    numeric = {name: found for name, found in periods.items() if _mostly_numbers(table.columns[name])}
    measured = {period.measure for period, _ in numeric.values()}
    if "units" in measured and len(measured) > 1:
        numeric = {name: found for name, found in numeric.items() if found[0].measure == "units"}
    if len({day for _, day in numeric.values()}) < _LEAST_PERIODS:
        return table
    sums = [n for n in table.columns if n not in periods and (is_total(n) or names_total(n))]
    sums += [n for n in table.columns if n not in periods and n not in sums and _is_sum(table, n, list(numeric))]
    ids = [n for n in table.columns if n not in periods and n not in sums]
    pieces: list[tuple[np.ndarray, Cells, date]] = []
    for name, (_, day) in numeric.items():
        cells = table.columns[name]
        nothing = pc.fill_null(pc.match_substring_regex(cells.text, _NOTHING_SOLD), True)
        at = np.flatnonzero(~nothing.to_numpy(zero_copy_only=False))
        pieces.append((at, cells.take(at), day))
    rows = np.concatenate([at for at, _, _ in pieces])
    days = np.concatenate([np.full(len(at), str(day)) for at, _, day in pieces])
    sort = np.lexsort((days, rows))
    typed = any(c.kind is not None for _, c, _ in pieces)
    kinds = np.concatenate([np.zeros(len(c), np.uint8) if c.kind is None else c.kind for _, c, _ in pieces])
    units = Cells(pa.concat_arrays([c.text for _, c, _ in pieces]), kinds if typed else None)
    columns = {n: table.columns[n].take(rows[sort]) for n in ids}
    columns[PERIOD_COLUMN] = Cells(pa.array(days[sort].tolist(), pa.string()))
    columns[UNITS_COLUMN] = units.take(sort)
    first, last = (min(d for _, d in numeric.values()), max(d for _, d in numeric.values()))
    notes = [message("export.wide", count=len(numeric), first=str(first), last=str(last))]
    if sums:
        notes.append(message("export.sum_columns", columns=", ".join(sums)))
    return Table(table.name, columns, table.numbers[rows[sort]], True, table.repeated, (*table.notes, *notes))


def _mostly_numbers(cells: Cells) -> bool:
    texts = [t for t in cells.text.slice(0, 2000).to_pylist() if t is not None]
    return not texts or sum(written(t) is not None for t in texts) >= 0.8 * len(texts)


def _is_sum(table: Table, name: str, periods: Sequence[str]) -> bool:
    """Whether a column is the sum of the periods in nearly every row."""

    def values(column: str) -> np.ndarray:
        texts = table.columns[column].text.slice(0, 500).to_pylist()
        read = [None if t is None else written(t) for t in texts]
        return np.array([0.0 if w is None else (w.point if w.point is not None else w.comma) or 0.0 for w in read])

    if header_score("price", name) > 0.5 or not _mostly_numbers(table.columns[name]):
        return False
    own = values(name)
    added = np.sum([values(p) for p in periods], axis=0)
    there = own != 0
    return bool(there.any() and (np.isclose(own, added, rtol=1e-6)[there]).mean() > 0.9)
