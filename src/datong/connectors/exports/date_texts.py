"""One text as a date: as people, spreadsheets and shops write days, weeks, months, quarters and stretches of days."""

import re
import unicodedata
from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache

from datong.connectors.exports.eras import of_thai_years, western
from datong.connectors.exports.vocabulary import months, plain

FIRST_YEAR, LAST_YEAR = 1990, 2100
# Of days as 260302.
FIRST_SHORT_YEAR, LAST_SHORT_YEAR = 2005, 2045
_SERIALS = (32_874, 73_415)  # 1990 .. 2100 in days since 1899-12-30
_EPOCH_SECONDS = (946_684_800, 4_102_444_800)  # 2000 .. 2100

_CLOCK = re.compile(
    r"[T\s,]*(?P<half>上午|下午|凌晨|早上|中午|晚上|午前|午後|오전|오후|[AaPp][Mm](?=\s*\d))?\s*"
    r"(?<!\d)(?P<hour>\d{1,2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?"
    r"|[时点](?:(?P<minute_zh>\d{1,2})分?)?(?:(?P<second_zh>\d{1,2})秒)?|h(?P<minute_h>\d{2}))"
    r"\s*(?P<ampm>[AaPp]\.?\s?[Mm]\.?)?(?:\s*(?:Uhr|hs?\.?|hrs?\.?))?"
    r"\s*(?P<zone>Z|(?:UTC|GMT)?\s*[+-]\d{1,2}(?::?\d{2})?(?:\s*UTC)?|UTC|GMT|[A-Z]{3,4})?\s*(?:\([^)]*\))?$"
)
# A clock whose hour and minutes a point parts, behind a whole date: 2/3/26 9.05.
_POINTED = re.compile(r"(?<=\d)([\s,]+\d{1,2})\.(\d{2})(?:\.(\d{2}))?(?=(?:\s*(?:[AaPp]\.?\s?[Mm]\.?|Uhr|h))?$)")
_YEAR_FIRST = re.compile(r"(\d{4})\s*([-/. 年])\s*(\d{1,2})\s*(?:\2|月|[-/.])\s*(\d{1,2})\s*[日.]?")
_SHORT_YEAR_ZH = re.compile(r"(\d{2})年(\d{1,2})月(\d{1,2})[日号]?")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})")
_NUMERIC = re.compile(r"(\d{1,2})\s?([-/. ])\s?(\d{1,2})\s?\2\s?(\d{4}|\d{2})\.?")
_MONTH = re.compile(r"(\d{4})\s*(?:[-/. ]|年|[Mm]-?)\s*(\d{1,2})\s*月?(?:份)?")
_MONTH_LAST = re.compile(r"(\d{1,2})\s*[-/.]\s*(\d{4})")
# Numbers of an accounting period: 001.2026, 2026/001 (as SAP writes them), P01 2026, 2026年第1期. Beyond the twelfth
# there are none of months.
_ACCOUNTING = re.compile(r"0(\d{2})\s?[-/.]\s?(\d{4})")
_ACCOUNTING_LAST = re.compile(r"(\d{4})\s?[-/.]\s?0(\d{2})")
_PERIOD = r"(?:period|periode|période|periodo|per|p)\.?[- ]?0{0,2}(1[0-2]|[1-9])"
_OF_YEAR = r"(?:fy|gj|ex|ej)?[- ]?(\d{4})"
_PERIOD_OF_YEAR = re.compile(
    rf"{_PERIOD}[-/. ]{{0,3}}{_OF_YEAR}|第?0?(1[0-2]|[1-9])期[-/. ]?(\d{{4}})年?", re.IGNORECASE
)
_YEAR_OF_PERIOD = re.compile(
    rf"{_OF_YEAR}[-/. ]{{0,3}}{_PERIOD}|(\d{{4}})年?[-/. ]?第?0?(1[0-2]|[1-9])期", re.IGNORECASE
)
_MONTH_ZH = re.compile(r"(\d{4}|\d{2})\s*年?\s*([一二三四五六七八九十]{1,2}月)份?")
_MONTH_ZH_SHORT = re.compile(r"(\d{2})年(\d{1,2})月份?")
_WEEK = re.compile(
    r"(\d{4})[-_/. ]?(?:cw|kw|wk|week|w|s|年?第?)[-_. ]?(\d{1,2})(?:周|週)?(?:-?([1-7]))?", re.IGNORECASE
)
_WEEK_LAST = re.compile(
    r"(?:cw|kw|wk|week|semaine|semana|sem|w|第)[-_. ]?(\d{1,2})[周週]?"
    r"(?:[-_/., ]+(?=\d{4})|[/ ']+(?=[2-4]\d$))(\d{4}|\d{2})",
    re.IGNORECASE,
)
_REPUBLIC = re.compile(r"(1[0-4]\d)\s*([-/.年])\s*(\d{1,2})\s*(?:[-/.月])\s*(\d{1,2})日?")
_QUARTER = "(?:quartal|quarter|qtr|trimestre|trim|kwartal|kvartal|квартал|кв)"
_QUARTERS = (
    (re.compile(r"q ?([1-4])[ /.']*(\d{4}|\d{2})"), 2, 1),
    (re.compile(r"t ?([1-4])[ /.']*(\d{4})"), 2, 1),
    (re.compile(r"(\d{4})[ /.年]*[qt] ?([1-4])"), 1, 2),
    (re.compile(r"([1-4]) ?q[ /.']*(\d{4}|\d{2})"), 2, 1),
    (re.compile(r"(\d{4}) ?年? ?第?([1-4一二三四]) ?季度?"), 1, 2),
    (re.compile(rf"([1-4])(?:\.|o|er|e|a|st|nd|rd|th|eme)? ?{_QUARTER}\.?[ /.]*(?:de |del )?(\d{{4}})"), 2, 1),
    (re.compile(rf"{_QUARTER} ?([1-4])[ /.]*(\d{{4}})"), 2, 1),
)  # fmt: skip
_BARE_WEEK = re.compile(r"(?:cw|kw|wk|week|woche|semaine|semana|sem|s|w|第)[-_. ]?(\d{1,2}) ?[周週]?", re.IGNORECASE)
_BARE_QUARTER = re.compile(r"(?:[QT] ?([1-4])|第?([一二三四1-4])季度)")
_BARE_DAY = re.compile(
    r"\d{1,2}[/.]\d{1,2}\.?\s*[-–~至]\s*\d{1,2}[/.]\d{1,2}\.?"
    r"|\d{1,2}月\d{1,2}日?(?:\s*[-–~至到]\s*(?:\d{1,2}月)?\d{1,2}日?)?"
)
# A day without a year: 02.03., 3/14, 03-14; 2-Mar, Mar 14.
_ONE_DAY = re.compile(r"(\d{1,2})([./-])(\d{1,2})\.?")
_NAMED_DAY = re.compile(r"\d{1,2}\.?[-\s]?([^\W\d_]{3,}\.?)|([^\W\d_]{3,}\.?)[-\s]\d{1,2}\.?")
# Before the last or the first day of a week.
_WEEK_BY_DAY = re.compile(
    r"(?:w/?e|w/?c|w\.[ec]\.|(?:wk|week) ?(?:ending|commencing|starting|of)|woche (?:bis|ab))[ .:]+(?=\d|[a-z]+ ?\d)",
    re.IGNORECASE,
)
# Between the first and the last day of a stretch.
_UNTIL = re.compile(r"\s*[–—~～]\s*|\s+[-−]\s+|\s+(?:bis|to|until|through|thru|au|al|a|hasta|till)\s+|\s*[至到]\s*")
_BARE_HYPHEN = re.compile(r"([^-]*(?:\d[/.月日]|\d{8})[^-]*)-([^-]*(?:[/.月日]\d?|\d{8})[^-]*)")
_LONGEST_STRETCH = 92
_WORDS = re.compile(r"[^\W\d_]+|\d+")
_WEEKDAY = re.compile(r"^[^\W\d_]{2,12}[.,]?\s+(?=[^\W\d_]{3})")
_ANY_WORD_FIRST = re.compile(r"^[^\W\d_]{2,12}[.,]?\s+(?=\d)")
_WEEKDAY_ZH = re.compile(r"[（(]?(?:星期|周|週|礼拜)[一二三四五六日天][)）]?")
_OF = frozenset({"de", "del", "of", "the", "den", "di", "st", "nd", "rd", "th", "er", "el", "o", "a", "г", "года"})


@dataclass(frozen=True)
class Parsed:
    """One text as a date. kind: 'day' (a, b, c are year, month, day), 'numeric' (as they stand, c the last), 'month'
    (year, month), 'month_or_day' (year of two digits, month), 'week' (year, week, weekday), 'quarter' (year, number),
    'stretch' (of days: the first, as a day), 'short_day' (260302, as a day), 'republic' (a day whose year may be one of
    the Republic of China), 'serial' or 'epoch' (a).

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
    text = _western_digits(unicodedata.normalize("NFKC", text).strip())
    text = of_thai_years(western(text))
    stretch = _stretch(text)
    if stretch is not None:
        return stretch
    if text.isdigit() or re.fullmatch(r"\d+\.\d+", text):
        return _from_digits(text)
    found = _CLOCK.search(text)
    if found is not None and text[: found.start()].strip():
        day = _parse_day(text[: found.start()].strip(" ,T-–|"))
        seconds = _seconds(found)
        if day is not None and seconds is not None:
            return replace(day, seconds=seconds, clock=True, offset=_offset(found["zone"]))
    day = _parse_day(text)
    if day is None and (clocked := _POINTED.sub(_with_colons, text)) != text:
        return parse(clocked)
    return day


def _western_digits(text: str) -> str:
    """A text with the digits of another script, as Arabic or Thai ones, as 0 to 9."""
    return text if text.isascii() else "".join(str(unicodedata.digit(c)) if c.isdecimal() else c for c in text)


def _with_colons(found: re.Match[str]) -> str:
    return ":".join(part for part in found.groups() if part)


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
        if found and valid(int(found[1]), int(found[2]), int(found[3])):
            return Parsed("day", int(found[1]), int(found[2]), int(found[3]))
        return Parsed("numeric", int(text[:2]), int(text[2:4]), int(text[4:]))
    if len(text) == 6:
        year, month = int(text[:4]), int(text[4:])
        if FIRST_YEAR <= year <= LAST_YEAR and 1 <= month <= 53:
            return Parsed("month_or_week", year, month)
        year, month, day = 2000 + int(text[:2]), int(text[2:4]), int(text[4:])
        recent = FIRST_SHORT_YEAR <= year <= LAST_SHORT_YEAR and valid(year, month, day)
        return Parsed("short_day", year, month, day) if recent else None
    if len(text) == 7 and valid(1911 + int(text[:3]), int(text[3:5]), int(text[5:])):
        return Parsed("republic", 1911 + int(text[:3]), int(text[3:5]), int(text[5:]))
    if len(text) == 5 and _SERIALS[0] <= number <= _SERIALS[1]:
        return Parsed("serial", number)
    if len(text) in (12, 14) and (day := _COMPACT.fullmatch(text[:8])):
        year, month, number = (int(part) for part in day.groups())
        hour, minute, second = (int(text[at : at + 2] or 0) for at in (8, 10, 12))
        if not valid(year, month, number) or hour > 23 or minute > 59 or second > 59:
            return None
        return Parsed("day", year, month, number, seconds=hour * 3600 + minute * 60 + second, clock=True)
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
    if half in ("pm", "下午", "晚上", "中午", "午後", "오후") and hour < 12:
        hour += 12 if not (half == "中午" and hour == 11) else 0
    elif half in ("am", "上午", "凌晨", "午前", "오전") and hour == 12:
        hour = 0
    if (hour, minute, second) == (24, 0, 0):  # the end of this day
        return 86_399
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
        return Parsed("day", year, month, day) if valid(year, month, day) else None
    if found := _SHORT_YEAR_ZH.fullmatch(text):
        year, month, day = year_of(found[1]), int(found[2]), int(found[3])
        return Parsed("day", year, month, day) if valid(year, month, day) else None
    if found := _REPUBLIC.fullmatch(text):
        year, month, day = 1911 + int(found[1]), int(found[3]), int(found[4])
        return Parsed("republic", year, month, day) if valid(year, month, day) else None
    bare = re.sub(r"^[^\W\d_]{2,10}[.,]?[\s,]+(?=\d)", "", text) if text[:1].isalpha() else text
    if text[:1].isalpha() and (plain(re.split(r"[^\w]", text)[0]) in months() or _WEEK_LAST.fullmatch(text)):
        rest = _ANY_WORD_FIRST.sub("", text)
        is_weekday = _NUMERIC.fullmatch(rest) or any(plain(part) in months() for part in _WORDS.findall(rest))
        bare = rest if is_weekday and rest != text else text  # mar. 10 mars 2026 is a Tuesday, Mar. 10 a month
    if found := _NUMERIC.fullmatch(bare):
        return Parsed("numeric", int(found[1]), int(found[3]), int(found[4]), found[2], short_year=len(found[4]) == 2)
    return _parse_period(text) or _named(bare) or _named(_WEEKDAY.sub("", text))


def _parse_period(text: str) -> Parsed | None:
    for pattern, year_at, at in _QUARTERS:
        if found := pattern.fullmatch(plain(text)):
            year = year_of(found[year_at])
            number = "一二三四".find(found[at]) + 1 or int(found[at])
            return Parsed("quarter", year, number) if valid(year, 1, 1) else None
    for pattern in (_WEEK, _WEEK_LAST):
        if found := pattern.fullmatch(text):
            if pattern is _WEEK and not re.search(r"[A-Za-z周週第]", text):
                continue
            year, week = (found[1], found[2]) if pattern is _WEEK else (found[2], found[1])
            weekday = int(found[3] or 1) if pattern is _WEEK else 1
            return Parsed("week", year_of(year), int(week), weekday) if monday(year_of(year), int(week)) else None
    for pattern, year_at, month_at in (
        (_MONTH, 1, 2), (_MONTH_LAST, 2, 1), (_MONTH_ZH_SHORT, 1, 2),
    ):  # fmt: skip
        if found := pattern.fullmatch(text):
            year, month = year_of(found[year_at]), int(found[month_at])
            return Parsed("month", year, month) if valid(year, month, 1) else None
    if (period := accounting_period(text)) is not None:
        return Parsed("month", *period) if valid(*period, 1) else None
    if found := _MONTH_ZH.fullmatch(text):
        month = months().get(plain(found[2]), 0)
        return Parsed("month", year_of(found[1]), month) if month else None
    return None


def accounting_period(text: str) -> tuple[int, int] | None:
    """The year and the number, 1 to 12, of an accounting period: 001.2026, P01 2026, FY2026 P1, 2026年第1期; None for
    any other text. It is a month of the calendar where the year of the books begins in January."""
    for pattern, first_is_year in (
        (_ACCOUNTING, False), (_ACCOUNTING_LAST, True), (_PERIOD_OF_YEAR, False), (_YEAR_OF_PERIOD, True),
    ):  # fmt: skip
        if found := pattern.fullmatch(text.strip()):
            one, other = (int(part) for part in found.groups() if part is not None)
            year, number = (one, other) if first_is_year else (other, one)
            return (year, number) if 1 <= number <= 12 else None
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
        return Parsed("day", year, month, day) if valid(year, month, day) else None
    if len(long) == 1 and not short:
        return Parsed("month", int(long[0]), month) if valid(int(long[0]), month, 1) else None
    if len(short) == 2 and not long:  # 05-Jan-24: the year is last
        year, day = year_of(short[1]), int(short[0])
        return Parsed("day", year, month, day) if valid(year, month, day) else None
    if len(short) == 1 and not long and len(short[0]) == 2:
        return Parsed("month_or_day", year_of(short[0]), month)
    return None


def year_of(text: str) -> int:
    number = int(text)
    return number if len(text) == 4 else 2000 + number if number < 70 else 1900 + number


def valid(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return FIRST_YEAR <= year <= LAST_YEAR


def monday(year: int, week: int, weekday: int = 1) -> date | None:
    try:
        return date.fromisocalendar(year, week, weekday) if FIRST_YEAR <= year <= LAST_YEAR else None
    except ValueError:
        return None


# --- years that are not written, stretches of days ------------------------------------------


def with_year(text: str, year: str) -> str | None:
    """A week, quarter, month or stretch of days that is written without a year, with this one; None for anything
    else."""
    text = unicodedata.normalize("NFKC", text).strip()
    if found := _BARE_WEEK.fullmatch(text):
        return f"{year}-W{int(found[1]):02}"
    if found := _BARE_QUARTER.fullmatch(text):
        return f"{year} Q{'一二三四'.find(found[2] or '-') + 1 or found[1] or found[2]}"
    if plain(text).rstrip(".") in months() or re.fullmatch(r"(?:0?[1-9]|1[0-2])月份?", text):
        return f"{year} {text}" if not text[0].isdigit() else f"{year}年{text}"
    if found := _ONE_DAY.fullmatch(text):
        return f"{found[1]}{found[2]}{found[3]}{found[2]}{year}"
    if found := _NAMED_DAY.fullmatch(text):
        return f"{text.rstrip('.')} {year}" if plain(found[1] or found[2]).rstrip(".") in months() else None
    if (week := _WEEK_BY_DAY.match(text)) and (day := with_year(text[week.end() :], year)) is not None:
        return f"{week[0]}{day}"
    if _BARE_DAY.fullmatch(text):
        return f"{year}年{text}" if "月" in text else f"{text.rstrip('.')}{'.' if '.' in text else '/'}{year}"
    return None


def _stretch(text: str) -> Parsed | None:
    """A stretch of days, from its first to its last, as its first; None where it is none, or longer than a quarter."""
    parts = _UNTIL.split(text)
    if len(parts) != 2 and (found := _BARE_HYPHEN.fullmatch(text)):
        parts = [part.strip() for part in found.groups()]
    if len(parts) != 2 or not all(part and part[0].isalnum() for part in parts):
        return None
    first, last = parts
    end = parse(last)
    if end is None:
        start = parse(first)  # the last has no year: it is that of the first
        if start is None or start.kind != "day" or not re.fullmatch(r"[\d/.月日 -]+", last):
            return None
        return Parsed("stretch", start.a, start.b, start.c)
    for text_of_first in _first_days(first, last):
        start = parse(text_of_first)
        found = None if start is None else _of_stretch(start, end)
        if found is not None:
            return found
    return None


def last_of_stretch(text: str, first: date) -> date | None:
    """The last day of a stretch that begins on a day; None where the text names none."""
    text = western(unicodedata.normalize("NFKC", text).strip())
    parts = _UNTIL.split(text)
    if len(parts) != 2 and (found := _BARE_HYPHEN.fullmatch(text)):
        parts = [part.strip() for part in found.groups()]
    if len(parts) != 2:
        return None
    end = parse(parts[1])
    if end is None:  # the last has no year: it is that of the first
        written = with_year(parts[1], str(first.year))
        end = None if written is None else parse(written)
    if end is None or end.kind not in ("day", "numeric", "month"):
        return None
    days = [d for order in ("day_first", "month_first") if (d := _date_in(end, order)) is not None]
    if end.kind == "month":
        days = [date(d.year, d.month, monthrange(d.year, d.month)[1]) for d in days]
    fitting = [d for d in days if 0 <= (d - first).days <= _LONGEST_STRETCH]
    return min(fitting, default=None)


def _first_days(first: str, last: str) -> list[str]:
    """The first day of a stretch as it may be meant: as it stands, with the year of the last, with its month too."""
    result = [first]
    if found := re.search(r"(?<!\d)\d{4}(?!\d)", last):
        for year in (found[0], str(int(found[0]) - 1)):
            result += (
                [f"{year}年{first}"] if "月" in first else [f"{first}{year}", f"{first}/{year}", f"{first}, {year}"]
            )
    if re.fullmatch(r"\d{1,2}\.?", first):
        result.append(re.sub(r"(?<!\d)\d{1,2}(?!\d)", first.rstrip("."), last, count=1))
    return result


def _of_stretch(start: Parsed, end: Parsed) -> Parsed | None:
    """The first day of a stretch whose ends are parsed; one that reads both ways stays so."""
    if start.kind != end.kind or start.kind not in ("day", "numeric", "month"):
        return None
    fitting = {}
    for order in ("day_first", "month_first") if start.kind == "numeric" else ("day",):
        a, b = (_date_in(p, order) for p in (start, end))
        if a is not None and b is not None and 0 <= (b - a).days <= _LONGEST_STRETCH:
            fitting[order] = a
    if len({*fitting.values()}) == 1:
        (day,) = {*fitting.values()}
        return Parsed("stretch", day.year, day.month, day.day)
    return start if fitting else None


def _date_in(parsed: Parsed, order: str) -> date | None:
    """A parsed day or month as a date, in one order of day and month."""
    year, month, day = parsed.a, parsed.b, parsed.c or 1
    if parsed.kind == "numeric":
        year = year_of(f"{parsed.c:02}") if parsed.short_year else parsed.c
        day, month = (parsed.a, parsed.b) if order == "day_first" else (parsed.b, parsed.a)
    return date(year, month, day) if valid(year, month, day) else None
