"""Columns of dates, and what their order of day and month is, by the whole column.

A text such as 01/05/2024 is read both ways. Which one holds is told by dates that can be read in one way only, by
other columns, by the order of the rows and by even steps; dots mean that the day comes first. Where nothing tells, it
is a question.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.date_texts import FIRST_YEAR, LAST_YEAR, Parsed, monday, parse, valid, year_of
from datong.connectors.exports.vocabulary import plain

ORDERS = ("day_first", "month_first", "year_first")
_SHORT_SPAN_DAYS, _LONG_SPAN_DAYS = 3 * 366, 5 * 366
_OLD, _RECENT = ((date(year, 1, 1) - date(1970, 1, 1)).days for year in (2008, 2015))
_MOST_YEARS, _FIRST_SHORT_YEAR = 12, 2005  # of a file whose years have two digits
NOT_A_DAY = np.iinfo(np.int64).min
_ORDER_SAID = re.compile(
    r"\b(?:((?:d{1,2}|tt|jj|gg)[/. ]?m{1,2})|m{1,2}[/. ]?(?:d{1,2}|tt|jj|gg))[/. ]?(?:yy|jj|aa|rr)"
)
_YEAR_DAY_SAID = re.compile(r"\b(?:yyyy|jjjj|aaaa)[/. ]?(?:dd?|tt|jj|gg)[/. ]?mm?\b")


def _as_day(parsed: Parsed, order: str, weeks: bool) -> int:
    """Days since 1970-01-01 in one order of day, month and year; NOT_A_DAY where it is none."""
    kind, a, b, c = parsed.kind, parsed.a, parsed.b, parsed.c
    day: date | None = None
    if kind in ("day", "stretch", "short_day", "republic"):
        day = date(a, b, c)
    elif kind in ("month", "month_or_day"):
        day = date(a, b, 1) if FIRST_YEAR <= a <= LAST_YEAR else None
    elif kind == "month_or_week":
        day = monday(a, b) if weeks else date(a, b, 1) if b <= 12 else None
    elif kind == "week":
        day = monday(a, b, c)
    elif kind == "quarter":
        day = date(a, 3 * b - 2, 1)
    elif kind == "serial":
        day = date(1899, 12, 30) + timedelta(days=a)
    elif kind == "epoch":
        return a
    elif order == "year_first":
        year, month, number = 2000 + a, b, c
        day = date(year, month, number) if parsed.short_year and valid(year, month, number) else None
    else:
        year = c if not parsed.short_year else year_of(f"{c:02}")
        number, month = (a, b) if order == "day_first" else (b, a)
        day = date(year, month, number) if valid(year, month, number) else None
    return NOT_A_DAY if day is None else (day - date(1970, 1, 1)).days


@dataclass(frozen=True, eq=False)
class DateColumn:
    """A column as dates, in each order of day and month that is possible.

    days: by order, (row,) int64 days since 1970, NOT_A_DAY where there is none. seconds, clock, offset (minutes;
    NaN where none is written): (row,). unread: (row,) bool, something that is no date. numeric: (row,) bool, written
    in digits with the year last. kinds: how many rows are of each kind. sign: between the digits. typed: (row,)
    bool, a date of the workbook rather than a text. swapped: (row,) days as the other order of day and month has them.
    """

    days: Mapping[str, np.ndarray]
    seconds: np.ndarray
    clock: np.ndarray
    offset: np.ndarray
    unread: np.ndarray
    numeric: np.ndarray
    kinds: Mapping[str, int]
    sign: str
    typed: np.ndarray
    weeks: bool = False  # six digits are a year and a week
    swapped: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @property
    def possible(self) -> list[str]:
        """Orders in which every numeric date is one."""
        if not self.numeric.any():
            return ["day_first"]
        return [o for o, days in self.days.items() if (days[self.numeric] != NOT_A_DAY).all()]


def day_of(text: str) -> int | None:
    """A text as days since 1970, a month as its first day, a week as its Monday; None where it can be read in no way,
    or in several."""
    parsed = parse(text)
    if parsed is None or parsed.kind in ("serial", "epoch", "month_or_day", "short_day", "republic"):
        return None
    days = {_as_day(parsed, order, False) for order in ("day_first", "month_first")} - {NOT_A_DAY}
    if parsed.kind == "numeric" and parsed.sign == ".":
        days = {_as_day(parsed, "day_first", False)} - {NOT_A_DAY}
    return days.pop() if len(days) == 1 else None


def share_of_dates(texts: Sequence[str], serials: bool) -> float:
    """The share of filled texts that are dates. serials: bare numbers may be days since 1899, or seconds since 1970."""
    bare = {"serial", "epoch", "month_or_week", "short_day", "republic"}
    found = sum(1 for text in texts if (p := parse(text)) is not None and (serials or p.kind not in bare))
    return found / len(texts) if texts else 0.0


def read_dates(cells: Cells, weeks: bool) -> DateColumn:
    """A column as dates. weeks: six digits are a year and a week, where they could be a month."""
    quick = _plain_days(cells)
    if quick is not None:
        return quick
    encoded = cells.text.dictionary_encode()
    texts = encoded.dictionary.to_pylist()
    distinct = [parse(text) for text in texts]
    weeks = weeks or any(p is not None and p.kind == "month_or_week" and p.b > 12 for p in distinct)
    if are_days({p.a for p in distinct if p is not None and p.kind == "month_or_day"}):
        distinct = [None if p is not None and p.kind == "month_or_day" else p for p in distinct]
    at = encoded.indices.fill_null(len(distinct)).to_numpy(zero_copy_only=False)
    nothing = Parsed("nothing", 0)
    read = [p or nothing for p in distinct] + [nothing]
    numeric = np.array([p.kind == "numeric" for p in read])
    orders = [o for o in ORDERS if o != "year_first" or all(p.short_year for p in read if p.kind == "numeric")]
    days = {
        order: np.array([NOT_A_DAY if p is nothing else _as_day(p, order, weeks) for p in read], np.int64)[at]
        for order in (orders if numeric.any() else ORDERS[:1])
    }
    kinds, counts = np.unique(np.array([p.kind for p in read])[at], return_counts=True)
    signs = [p.sign for p in read if p.kind == "numeric"]
    typed = np.zeros(len(cells), dtype=bool) if cells.kind is None else cells.kind == Cells.DAY
    known = np.max(np.stack(list(days.values())), axis=0) != NOT_A_DAY
    return DateColumn(
        days,
        np.array([p.seconds for p in read], np.int64)[at],
        np.array([p.clock for p in read])[at],
        np.array([np.nan if p.offset is None else p.offset for p in read])[at],
        cells.filled & ~known,
        numeric[at],
        {str(k): int(c) for k, c in zip(kinds, counts, strict=True) if k != "nothing"},
        signs[0] if signs and len(set(signs)) == 1 else "",
        typed,
        weeks,
        _swapped(next(iter(days.values())), typed),
    )


def are_days(years: Collection[int]) -> bool:
    """Whether numbers beside names of months are days: as years they would lie long ago, or far apart."""
    return bool(years) and (max(years) - min(years) > _MOST_YEARS or min(years) < _FIRST_SHORT_YEAR)


def _plain_days(cells: Cells) -> DateColumn | None:
    """Dates as 2024-01-05, with or without 10:00:00, which Arrow reads at once; None where any is written otherwise."""
    text = cells.text
    if cells.kind is not None and (cells.kind != Cells.DAY).any():
        return None
    plainly = pc.match_substring_regex(text, r"^(199\d|20\d\d)-[01]\d-[0-3]\d([T ][0-2]\d:[0-5]\d:[0-5]\d)?$")
    if len(text) == 0 or pc.all(plainly).as_py() is False or text.null_count == len(text):
        return None
    try:
        moments = pc.cast(pc.replace_substring(text, "T", " "), pa.timestamp("s"))
    except pa.ArrowInvalid:
        return None
    stamps = moments.cast(pa.int64()).fill_null(NOT_A_DAY).to_numpy(zero_copy_only=False)
    there = stamps != NOT_A_DAY
    days = np.where(there, stamps // 86_400, NOT_A_DAY)
    clock = pc.fill_null(pc.greater(pc.binary_length(text), 10), False).to_numpy(zero_copy_only=False)
    size = len(text)
    return DateColumn(
        {"day_first": days},
        np.where(there, stamps % 86_400, 0),
        clock,
        np.full(size, np.nan),
        np.zeros(size, bool),
        np.zeros(size, bool),
        {"day": int(there.sum())},
        "",
        np.full(size, cells.kind is not None),
        False,
        np.zeros(0, np.int64),
    )


def _swapped(days: np.ndarray, typed: np.ndarray) -> np.ndarray:
    """Days with day and month changed over, where the cell is typed and that is possible."""
    result = days.copy()
    for value in np.unique(days[typed]).tolist():
        day = date(1970, 1, 1) + timedelta(days=value) if value != NOT_A_DAY else None
        if day is not None and day.day <= 12:
            result[typed & (days == value)] = (date(day.year, day.day, day.month) - date(1970, 1, 1)).days
    return result


@dataclass(frozen=True, eq=False)
class Order:
    """order: of day and month, '' where it does not matter. sure: False where another one is as likely; others: those.
    why: a key of the texts. swap: typed dates have day and month changed over."""

    order: str
    sure: bool
    why: str
    others: tuple[str, ...] = ()
    swap: bool = False


def order_said(header: str) -> str:
    """The order of day, month and year that a header writes out: Date (DD/MM/YYYY); '' where it does not."""
    found = _ORDER_SAID.search(plain(header))
    return "" if found is None else "day_first" if found[1] else "month_first"


def says_day_before_month(header: str) -> bool:
    """Whether a header writes out the year, then the day, then the month: Date (YYYY-DD-MM)."""
    return _YEAR_DAY_SAID.search(plain(header)) is not None


def day_before_month(days: np.ndarray) -> np.ndarray:
    """Days that were read as year, month, day, as year, day, month."""
    return _swapped(days, np.ones(len(days), bool))


def decide_order(column: DateColumn, others: Sequence[DateColumn], comma_decimals: bool) -> Order:
    """The order of day and month of a column: by dates that read one way only, the sign between them, other columns,
    the order of the rows, even steps, and what goes with the other signs of the file."""
    if not column.numeric.any():
        return Order("day_first", True, "no_need")
    halves = _halves(column)
    if halves is not None:
        return halves
    possible = _plausible(column)
    if len(possible) == 1:
        return Order(possible[0], True, "only_one")
    if not possible:
        # Some dates are possible in one order only and others in another one.
        best = max(column.days, key=lambda o: int((column.days[o][column.numeric] != NOT_A_DAY).sum()))
        first = [o for o in column.days if o != "year_first"]
        return Order(best, False, "mixed", tuple(o for o in first if o != best))
    if "day_first" in possible and column.sign == "." and "year_first" not in possible:
        return Order("day_first", True, "dots")
    same = {p for o in others if o.sign == column.sign and o.numeric.any() and len(o.possible) == 1 for p in o.possible}
    if len(same) == 1 and same <= set(possible):
        return Order(same.pop(), True, "other_column")
    if len({tuple(column.days[o].tolist()) for o in possible}) == 1:
        return Order(possible[0], True, "same")  # 05/05, 06/06
    orderly = _orderly({o: column.days[o] for o in possible})
    if orderly is not None:
        return Order(orderly, True, "row_order")
    even = _even({o: column.days[o] for o in possible})
    if even is not None:
        return Order(even, True, "even_steps")
    rest = [column.days[o] for o in possible if o != "day_first"]
    if comma_decimals and "day_first" in possible and "year_first" not in possible and not any(map(_monthly, rest)):
        return Order("day_first", True, "comma_decimals")
    return Order(possible[0], False, "unsure", tuple(possible[1:]))


def _plausible(column: DateColumn) -> list[str]:
    """The orders in which every numeric date is one; without those that put them long ago, or spread them over many
    years, where another one does not: a year of two digits that is taken for the day does."""
    spans, last = {}, {}
    for order in column.possible:
        days = column.days[order][column.numeric]
        spans[order], last[order] = int(days.max() - days.min()), int(days.max())
    if any(day >= _RECENT for day in last.values()):  # files of today are not of twenty years ago
        spans = {order: span for order, span in spans.items() if last[order] >= _OLD}
    if not spans or min(spans.values()) > _SHORT_SPAN_DAYS:
        return list(spans)
    return [order for order, span in spans.items() if span <= _LONG_SPAN_DAYS]


def _halves(column: DateColumn) -> Order | None:
    """Half typed, half text: a spreadsheet took 05/01 for the 1st of May and left 13/01 a text."""
    text = column.numeric & ~column.typed
    if not column.typed.any() or not text.any() or not (column.typed | text).any():
        return None
    order = next((o for o in ORDERS[:2] if o in column.days and (column.days[o][text] != NOT_A_DAY).all()), None)
    other = {"day_first": "month_first", "month_first": "day_first"}.get(order or "", "")
    if order is None or not other or (column.days[other][text] != NOT_A_DAY).any():
        return None
    as_typed = column.days[order]
    if any(date.fromordinal(719_163 + int(v)).day > 12 for v in np.unique(as_typed[column.typed])):
        return None
    swapped = np.where(column.typed, column.swapped, as_typed)
    best = _orderly({"as_typed": as_typed, "swapped": swapped})
    sure = best is not None
    return Order(order, sure, "halves", () if sure else ("as_typed",), swap=best != "as_typed")


def _orderly(readings: Mapping[str, np.ndarray]) -> str | None:
    """The reading in which the rows are in the order of time and in no other one."""
    scores = {}
    for name, days in readings.items():
        there = days[days != NOT_A_DAY]
        steps = np.sign(np.diff(there))
        moves = int((steps != 0).sum())
        if not moves:
            return None
        scores[name] = min(int((steps < 0).sum()), int((steps > 0).sum())) / moves
    best = min(scores, key=lambda n: scores[n])
    rest = [s for n, s in scores.items() if n != best]
    return best if rest and scores[best] <= 0.02 and min(rest) >= max(0.05, 5 * scores[best]) else None


def _even(readings: Mapping[str, np.ndarray]) -> str | None:
    """The reading in which all days lie whole weeks apart, or fill a stretch without gaps, and no other one does."""
    fits = []
    for name, days in readings.items():
        distinct = np.unique(days[days != NOT_A_DAY])
        gaps = np.diff(distinct)
        if len(gaps) >= 4 and (gaps % 7 == 0).all():
            fits.append(name)
    return fits[0] if len(fits) == 1 else None


def _monthly(days: np.ndarray) -> bool:
    """Whether all days are the same day of several months."""
    months = np.unique(days[days != NOT_A_DAY]).astype("M8[D]").astype("M8[M]")
    of_month = np.unique(days[days != NOT_A_DAY]).astype("M8[D]") - months.astype("M8[D]")
    return len(np.unique(months)) > 2 and len(np.unique(of_month)) == 1


def not_a_day(days: np.ndarray) -> np.ndarray:
    return days == NOT_A_DAY
