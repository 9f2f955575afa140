"""Public holidays and retail festivals of a country, and the buckets they fall in.

Public holidays come from the `holidays` library. A holiday counts in the bucket of its own calendar day; the orders
that are placed, or not placed, on that day are due `promise_days` later, so their effect can lie a bucket further on.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType

import holidays as public_holidays

from datong.model.calendar import Calendar
from datong.model.errors import NotFound
from datong.model.flow import HolidayBucket
from datong.model.words import catalogue, message, say

# Retail festivals that no list of public holidays has: name, (month, day) of the first and of the last day.
# 618 is the anniversary sale of 18 June and Double 11 that of 11 November, each with the two days of rush before it;
# Double 12 is the year's last such sale.
RETAIL_FESTIVALS: Mapping[str, Sequence[tuple[str, tuple[int, int], tuple[int, int]]]] = MappingProxyType(
    {
        "CN": (
            ("618", (6, 16), (6, 18)),
            ("Double 11", (11, 9), (11, 11)),
            ("Double 12", (12, 12), (12, 12)),
        )
    }
)

# Holidays this near to one another are one feast: Laylat al-Qadr, the last Friday of Ramadan and Eid al-Fitr.
FEAST_GAP_DAYS = 3

# The library's marks of a day that stands in for another: "(observed)", "(estimated)", "(in lieu)", "（补假）".
_MARK = re.compile(r"\s*[(（][^()（）]*(observed|estimated|in lieu|补假|補假|观察|推算)[^()（）]*[)）]")
_DAY_OFF = "Day off"


@dataclass(frozen=True)
class Holiday:
    """One day of a holiday, with its English and its Chinese name (English where there is no Chinese one)."""

    day: date
    name: str
    name_zh: str


@dataclass(frozen=True)
class Feast:
    """Holidays that lie together, called after the one with most days. `last` is its last day."""

    name: str
    name_zh: str
    first: date
    last: date


def holidays_between(country: str, first: date, last: date) -> tuple[Holiday, ...]:
    """Days of public holidays and retail festivals from `first` to `last`, both included, by day and name.

    country: ISO 3166 code; '' has none. Raises NotFound for a country that the library does not know.
    """
    if not country or last < first:
        return ()
    years = range(first.year, last.year + 1)
    country = country.upper()
    found = _public(country, years) + _festivals(country, years)
    return tuple(sorted((h for h in found if first <= h.day <= last), key=lambda h: (h.day, h.name)))


def holiday_buckets(found: Sequence[Holiday], calendar: Calendar) -> tuple[HolidayBucket, ...]:
    """One entry for every bucket and holiday name: a feast across two weeks gives two, with its days in each."""
    days: dict[tuple[date, str, str], int] = {}
    for holiday in found:
        key = (calendar.bucket_start(holiday.day), holiday.name, holiday.name_zh)
        days[key] = days.get(key, 0) + 1
    return tuple(HolidayBucket(bucket, name, count, zh) for (bucket, name, zh), count in sorted(days.items()))


def feasts(found: Sequence[Holiday]) -> tuple[Feast, ...]:
    """Holidays joined to feasts, in order of time; a gap of FEAST_GAP_DAYS or more starts a new one."""
    groups: list[list[Holiday]] = []
    for holiday in sorted(found, key=lambda h: (h.day, h.name)):
        if groups and (holiday.day - groups[-1][-1].day).days < FEAST_GAP_DAYS:
            groups[-1].append(holiday)
        else:
            groups.append([holiday])
    return tuple(_feast(group) for group in groups)


def _feast(group: Sequence[Holiday]) -> Feast:
    names = [(h.name, h.name_zh) for h in group]
    name, name_zh = min(names, key=lambda n: (-names.count(n), names.index(n)))
    return Feast(name, name_zh, group[0].day, group[-1].day)


def _public(country: str, years: range) -> list[Holiday]:
    try:
        offered = public_holidays.country_holidays(country).supported_languages
    except NotImplementedError:
        raise NotFound(message("sense.unknown_country", country=country)) from None
    # One more year on both sides, so that a day off in January still finds its feast.
    around = range(years[0] - 1, years[-1] + 2)
    english = _by_day(country, around, "en_US" if "en_US" in offered else None)
    chinese = _by_day(country, around, "zh_CN") if "zh_CN" in offered else {}
    result = []
    for day in sorted(english):
        feast_day = _own_day(day, english)
        translated = chinese.get(feast_day, [])
        for at, name in enumerate(english[feast_day]):
            if not name.startswith(_DAY_OFF):
                result.append(Holiday(day, name, translated[at] if at < len(translated) else _chinese(name)))
    return [h for h in result if h.day.year in years]


def _by_day(country: str, years: range, language: str | None) -> dict[date, list[str]]:
    listed = public_holidays.country_holidays(country, years=years, language=language)
    return {day: [_MARK.sub("", name).strip() for name in names.split("; ")] for day, names in listed.items()}


def _own_day(day: date, names: Mapping[date, Sequence[str]]) -> date:
    """The day whose holiday a bridging day off prolongs: the nearest before it without a gap, else after it."""
    for step in (-1, 1):
        at = day
        while at in names:
            if not names[at][0].startswith(_DAY_OFF):
                return at
            at += timedelta(days=step)
    return day


def _festivals(country: str, years: range) -> list[Holiday]:
    result = []
    for year in years:
        for name, first, last in RETAIL_FESTIVALS.get(country, ()):
            day = date(year, *first)
            while day <= date(year, *last):
                result.append(Holiday(day, name, _chinese(name)))
                day += timedelta(days=1)
    return result


def _chinese(name: str) -> str:
    """Chinese name of a holiday whose country has none in the library, from the catalogue; else as it is."""
    key = "sense.feast." + re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return say(key, "zh") if key in catalogue() else name
