"""Dates as people and spreadsheets write them, and what their order of day and month is, by the whole column.

A text such as 01/05/2024 is read both ways. Which one holds is told by dates that can be read in one way only, by
other columns, by the order of the rows and by even steps; dots mean that the day comes first. Where nothing tells, it
is a question.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.vocabulary import months, plain

FIRST_YEAR, LAST_YEAR = 1990, 2100
ORDERS = ("day_first", "month_first", "year_first")
_SERIALS = (32_874, 73_415)  # 1990 .. 2100 in days since 1899-12-30
_EPOCH_SECONDS = (946_684_800, 4_102_444_800)  # 2000 .. 2100
_SHORT_SPAN_DAYS, _LONG_SPAN_DAYS = 3 * 366, 5 * 366
_OLD, _RECENT = ((date(year, 1, 1) - date(1970, 1, 1)).days for year in (2008, 2015))
_MOST_YEARS, _FIRST_SHORT_YEAR = 12, 2005  # of a file whose years have two digits
_NOT_A_DAY = np.iinfo(np.int64).min

_CLOCK = re.compile(
    r"[T\s,]*(?P<half>上午|下午|凌晨|早上|中午|晚上|[AaPp][Mm](?=\s*\d))?\s*"
    r"(?<!\d)(?P<hour>\d{1,2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?"
    r"|[时点](?:(?P<minute_zh>\d{1,2})分?)?(?:(?P<second_zh>\d{1,2})秒)?|h(?P<minute_h>\d{2}))"
    r"\s*(?P<ampm>[AaPp]\.?\s?[Mm]\.?)?(?:\s*Uhr)?"
    r"\s*(?P<zone>Z|(?:UTC|GMT)?\s*[+-]\d{1,2}(?::?\d{2})?(?:\s*UTC)?|UTC|GMT|[A-Z]{3,4})?\s*(?:\([^)]*\))?$"
)
_YEAR_FIRST = re.compile(r"(\d{4})\s*([-/. 年])\s*(\d{1,2})\s*(?:\2|月|[-/.])\s*(\d{1,2})\s*[日.]?")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})")
_NUMERIC = re.compile(r"(\d{1,2})\s?([-/. ])\s?(\d{1,2})\s?\2\s?(\d{4}|\d{2})\.?")
_MONTH = re.compile(r"(\d{4})\s*(?:[-/. ]|年|[Mm]-?)\s*(\d{1,2})\s*月?(?:份)?")
_MONTH_LAST = re.compile(r"(\d{1,2})\s*[-/.]\s*(\d{4})")
_MONTH_ZH = re.compile(r"(\d{4}|\d{2})\s*年?\s*([一二三四五六七八九十]{1,2}月)份?")
_MONTH_ZH_SHORT = re.compile(r"(\d{2})年(\d{1,2})月份?")
_WEEK = re.compile(
    r"(\d{4})[-_/. ]?(?:cw|kw|wk|week|w|s|年?第?)[-_. ]?(\d{1,2})(?:周|週)?(?:-?([1-7]))?", re.IGNORECASE
)
_WEEK_LAST = re.compile(r"(?:cw|kw|wk|week|w|第)[-_. ]?(\d{1,2})(?:周)?[-_/., ]+(\d{4})", re.IGNORECASE)
_WORDS = re.compile(r"[^\W\d_]+|\d+")
_WEEKDAY = re.compile(r"^[^\W\d_]{2,12}[.,]?\s+(?=[^\W\d_]{3})")
_ORDER_SAID = re.compile(
    r"\b(?:((?:d{1,2}|tt|jj|gg)[/. ]?m{1,2})|m{1,2}[/. ]?(?:d{1,2}|tt|jj|gg))[/. ]?(?:yy|jj|aa|rr)"
)
_YEAR_DAY_SAID = re.compile(r"\b(?:yyyy|jjjj|aaaa)[/. ]?(?:dd?|tt|jj|gg)[/. ]?mm?\b")
_WEEKDAY_ZH = re.compile(r"[（(]?(?:星期|周|週|礼拜)[一二三四五六日天][)）]?")
_OF = frozenset({"de", "del", "of", "the", "den", "di", "st", "nd", "rd", "th", "er", "el", "o", "a", "г", "года"})


@dataclass(frozen=True)
class Parsed:
    """One text as a date. kind: 'day' (a, b, c are year, month, day), 'numeric' (as they stand, c the last), 'month'
    (year, month), 'month_or_day' (year of two digits, month), 'week' (year, week, weekday), 'serial' or 'epoch' (a).

    seconds: since midnight; clock: a time was written. offset: minutes ahead of UTC, None where none is written.
    """

    kind: str
    a: int
    b: int = 0
    c: int = 0
    sign: str = ""
    seconds: int = 0
    clock: bool = False
    offset: int | None = None
    short_year: bool = False


@lru_cache(maxsize=200_000)
def parse(text: str) -> Parsed | None:
    """A text as a date with or without a time, None where it is none."""
    text = unicodedata.normalize("NFKC", text).strip()
    if text.isdigit() or re.fullmatch(r"\d+\.\d+", text):
        return _from_digits(text)
    found = _CLOCK.search(text)
    if found is not None and text[: found.start()].strip():
        day = _parse_day(text[: found.start()].strip(" ,T"))
        seconds = _seconds(found)
        if day is not None and seconds is not None:
            return replace(day, seconds=seconds, clock=True, offset=_offset(found["zone"]))
    return _parse_day(text)


def _from_digits(text: str) -> Parsed | None:
    if "." in text:
        whole, _, rest = text.partition(".")
        number = int(whole)
        if _SERIALS[0] <= number <= _SERIALS[1]:
            return Parsed("serial", number, seconds=round(float("0." + rest) * 86_400) % 86_400, clock=True)
        return _parse_day(text)
    number = int(text)
    if len(text) == 8:
        found = _COMPACT.fullmatch(text)
        if found and _valid(int(found[1]), int(found[2]), int(found[3])):
            return Parsed("day", int(found[1]), int(found[2]), int(found[3]))
        return Parsed("numeric", int(text[:2]), int(text[2:4]), int(text[4:]))
    if len(text) == 6:
        year, month = int(text[:4]), int(text[4:])
        if FIRST_YEAR <= year <= LAST_YEAR and 1 <= month <= 53:
            return Parsed("month_or_week", year, month)
        return None
    if len(text) == 5 and _SERIALS[0] <= number <= _SERIALS[1]:
        return Parsed("serial", number)
    if len(text) in (10, 13):
        seconds = number // 1000 if len(text) == 13 else number
        if _EPOCH_SECONDS[0] <= seconds <= _EPOCH_SECONDS[1]:
            return Parsed("epoch", seconds // 86_400, seconds=seconds % 86_400, clock=True, offset=0)
    return None


def _seconds(found: re.Match[str]) -> int | None:
    hour = int(found["hour"])
    minute = int(found["minute"] or found["minute_zh"] or found["minute_h"] or 0)
    second = int(found["second"] or found["second_zh"] or 0)
    half = (found["ampm"] or found["half"] or "").lower().replace(".", "").replace(" ", "")
    if half in ("pm", "下午", "晚上", "中午") and hour < 12:
        hour += 12 if not (half == "中午" and hour == 11) else 0
    elif half in ("am", "上午", "凌晨") and hour == 12:
        hour = 0
    if hour > 23 or minute > 59 or second > 60:
        return None
    return hour * 3600 + minute * 60 + min(second, 59)


def _offset(zone: str | None) -> int | None:
    """Minutes ahead of UTC. Letters of a zone say nothing that is sure, but UTC and GMT."""
    if zone is None:
        return None
    zone = zone.strip()
    found = re.search(r"([+-])(\d{1,2}):?(\d{2})?", zone)
    if found:
        minutes = int(found[2]) * 60 + int(found[3] or 0)
        return -minutes if found[1] == "-" else minutes
    return 0 if zone in ("Z", "UTC", "GMT") else None


def _parse_day(text: str) -> Parsed | None:
    text = re.sub(r"(\d)\s?년\s?(\d{1,2})\s?월\s?(\d{1,2})\s?일", r"\1年\2月\3日", text)
    text = _WEEKDAY_ZH.sub("", text).strip() if "第" not in text and not re.search(r"\d周|\d週", text) else text
    if found := _YEAR_FIRST.fullmatch(text):
        year, month, day = int(found[1]), int(found[3]), int(found[4])
        return Parsed("day", year, month, day) if _valid(year, month, day) else None
    bare = re.sub(r"^[^\W\d_]{2,10}[.,]?[\s,]+(?=\d)", "", text) if text[:1].isalpha() else text
    if text[:1].isalpha() and (plain(re.split(r"[^\w]", text)[0]) in months() or _WEEK_LAST.fullmatch(text)):
        bare = text  # a month, not a day of the week
    if found := _NUMERIC.fullmatch(bare):
        return Parsed("numeric", int(found[1]), int(found[3]), int(found[4]), found[2], short_year=len(found[4]) == 2)
    return _parse_period(text) or _named(bare) or _named(_WEEKDAY.sub("", text))


def _parse_period(text: str) -> Parsed | None:
    for pattern in (_WEEK, _WEEK_LAST):
        if found := pattern.fullmatch(text):
            if pattern is _WEEK and not re.search(r"[A-Za-z周週第]", text):
                continue
            year, week = (found[1], found[2]) if pattern is _WEEK else (found[2], found[1])
            weekday = int(found[3] or 1) if pattern is _WEEK else 1
            return Parsed("week", int(year), int(week), weekday) if _monday(int(year), int(week)) else None
    for pattern, year_at, month_at in ((_MONTH, 1, 2), (_MONTH_LAST, 2, 1), (_MONTH_ZH_SHORT, 1, 2)):
        if found := pattern.fullmatch(text):
            year, month = _year(found[year_at]), int(found[month_at])
            return Parsed("month", year, month) if _valid(year, month, 1) else None
    if found := _MONTH_ZH.fullmatch(text):
        month = months().get(plain(found[2]), 0)
        return Parsed("month", _year(found[1]), month) if month else None
    return None


def _named(text: str) -> Parsed | None:
    """A day or a month with the month's name: 5. Januar 2024, Jan 05, 2024, 05-Jan-24, Jan-24, 2024 Jan."""
    parts = [plain(part) for part in _WORDS.findall(text)]
    named = [months()[p] for p in parts if p in months()]
    if len(named) != 1 or any(not p.isdigit() and p not in months() and p not in _OF for p in parts):
        return None
    digits = [p for p in parts if p.isdigit()]
    (month,) = named
    long = [d for d in digits if len(d) == 4]
    short = [d for d in digits if len(d) <= 2]
    if len(long) + len(short) != len(digits):
        return None
    if len(long) == 1 and len(short) == 1:
        year, day = int(long[0]), int(short[0])
        return Parsed("day", year, month, day) if _valid(year, month, day) else None
    if len(long) == 1 and not short:
        return Parsed("month", int(long[0]), month) if _valid(int(long[0]), month, 1) else None
    if len(short) == 2 and not long:  # 05-Jan-24: the year is last
        year, day = _year(short[1]), int(short[0])
        return Parsed("day", year, month, day) if _valid(year, month, day) else None
    if len(short) == 1 and not long and len(short[0]) == 2:
        return Parsed("month_or_day", _year(short[0]), month)
    return None


def _year(text: str) -> int:
    number = int(text)
    return number if len(text) == 4 else 2000 + number if number < 70 else 1900 + number


def _valid(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return FIRST_YEAR <= year <= LAST_YEAR


def _monday(year: int, week: int, weekday: int = 1) -> date | None:
    try:
        return date.fromisocalendar(year, week, weekday) if FIRST_YEAR <= year <= LAST_YEAR else None
    except ValueError:
        return None


def _as_day(parsed: Parsed, order: str, weeks: bool) -> int:
    """Days since 1970-01-01 in one order of day, month and year; _NOT_A_DAY where it is none."""
    kind, a, b, c = parsed.kind, parsed.a, parsed.b, parsed.c
    day: date | None = None
    if kind == "day":
        day = date(a, b, c)
    elif kind in ("month", "month_or_day"):
        day = date(a, b, 1) if FIRST_YEAR <= a <= LAST_YEAR else None
    elif kind == "month_or_week":
        day = _monday(a, b) if weeks else date(a, b, 1) if b <= 12 else None
    elif kind == "week":
        day = _monday(a, b, c)
    elif kind == "serial":
        day = date(1899, 12, 30) + timedelta(days=a)
    elif kind == "epoch":
        return a
    elif order == "year_first":
        year, month, number = 2000 + a, b, c
        day = date(year, month, number) if parsed.short_year and _valid(year, month, number) else None
    else:
        year = c if not parsed.short_year else _year(f"{c:02}")
        number, month = (a, b) if order == "day_first" else (b, a)
        day = date(year, month, number) if _valid(year, month, number) else None
    return _NOT_A_DAY if day is None else (day - date(1970, 1, 1)).days


@dataclass(frozen=True, eq=False)
class DateColumn:
    """A column as dates, in each order of day and month that is possible.

    days: by order, (row,) int64 days since 1970, _NOT_A_DAY where there is none. seconds, clock, offset (minutes;
    NaN where none is written): (row,). unread: (row,) bool, something that is no date. numeric: (row,) bool, written
    in digits with the year last. kinds: how many rows are of each kind. sign: between the digits.
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
        return [o for o, days in self.days.items() if (days[self.numeric] != _NOT_A_DAY).all()]


def day_of(text: str) -> int | None:
    """A text as days since 1970, a month as its first day, a week as its Monday; None where it can be read in no way,
    or in several."""
    parsed = parse(text)
    if parsed is None or parsed.kind in ("serial", "epoch", "month_or_day"):
        return None
    days = {_as_day(parsed, order, False) for order in ("day_first", "month_first")} - {_NOT_A_DAY}
    if parsed.kind == "numeric" and parsed.sign == ".":
        days = {_as_day(parsed, "day_first", False)} - {_NOT_A_DAY}
    return days.pop() if len(days) == 1 else None


def share_of_dates(texts: Sequence[str], serials: bool) -> float:
    """The share of filled texts that are dates. serials: bare numbers may be days since 1899, or seconds since 1970."""
    bare = {"serial", "epoch", "month_or_week"}
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
    if _are_days({p.a for p in distinct if p is not None and p.kind == "month_or_day"}):
        distinct = [None if p is not None and p.kind == "month_or_day" else p for p in distinct]
    at = encoded.indices.fill_null(len(distinct)).to_numpy(zero_copy_only=False)
    nothing = Parsed("nothing", 0)
    read = [p or nothing for p in distinct] + [nothing]
    numeric = np.array([p.kind == "numeric" for p in read])
    orders = [o for o in ORDERS if o != "year_first" or all(p.short_year for p in read if p.kind == "numeric")]
    days = {
        order: np.array([_NOT_A_DAY if p is nothing else _as_day(p, order, weeks) for p in read], np.int64)[at]
        for order in (orders if numeric.any() else ORDERS[:1])
    }
    kinds, counts = np.unique(np.array([p.kind for p in read])[at], return_counts=True)
    signs = [p.sign for p in read if p.kind == "numeric"]
    typed = np.zeros(len(cells), dtype=bool) if cells.kind is None else cells.kind == Cells.DAY
    known = np.max(np.stack(list(days.values())), axis=0) != _NOT_A_DAY
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


def _are_days(years: Collection[int]) -> bool:
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
    stamps = moments.cast(pa.int64()).fill_null(_NOT_A_DAY).to_numpy(zero_copy_only=False)
    there = stamps != _NOT_A_DAY
    days = np.where(there, stamps // 86_400, _NOT_A_DAY)
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
        day = date(1970, 1, 1) + timedelta(days=value) if value != _NOT_A_DAY else None
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
        best = max(column.days, key=lambda o: int((column.days[o][column.numeric] != _NOT_A_DAY).sum()))
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
    order = next((o for o in ORDERS[:2] if o in column.days and (column.days[o][text] != _NOT_A_DAY).all()), None)
    other = {"day_first": "month_first", "month_first": "day_first"}.get(order or "", "")
    if order is None or not other or (column.days[other][text] != _NOT_A_DAY).any():
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
        there = days[days != _NOT_A_DAY]
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
        distinct = np.unique(days[days != _NOT_A_DAY])
        gaps = np.diff(distinct)
        if len(gaps) >= 4 and (gaps % 7 == 0).all():
            fits.append(name)
    return fits[0] if len(fits) == 1 else None


def _monthly(days: np.ndarray) -> bool:
    """Whether all days are the same day of several months."""
    months = np.unique(days[days != _NOT_A_DAY]).astype("M8[D]").astype("M8[M]")
    of_month = np.unique(days[days != _NOT_A_DAY]).astype("M8[D]") - months.astype("M8[D]")
    return len(np.unique(months)) > 2 and len(np.unique(of_month)) == 1


def not_a_day(days: np.ndarray) -> np.ndarray:
    return days == _NOT_A_DAY
