"""Working days: who is open on which day, and when what starts on a day is there.

A calendar (`calendars`) is open on its days of the week, but for the public holidays of its country (the `holidays`
library, with the days that are worked in their place); what `calendar_days` says of a day goes before that. Nothing is
started on a closed day of the one who does it, and nothing is there on a closed day of the one who brings or gets it:

    there(s) = the first day open for who brings and who gets it, from s + lead on,
    s + lead = the lead-th day after s, or, counted in working days, the lead-th open day after s.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from datong.ledger.state import State
from datong.ledger.versions import span
from datong.model.calendar import Calendar
from datong.model.errors import NotFound
from datong.model.words import message

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
# Days looked at before the first open bucket, and after the last one: a lead time may reach there.
BEFORE, AFTER = 35, 400
# A gap of more closed days than this has no end.
LONGEST_GAP = 366


@dataclass(frozen=True, slots=True)
class OpenDays:
    """On which days something is open."""

    # Code of the calendar, for whoever reads.
    name: str
    # Number of the first day (date.toordinal) of `is_open`.
    first: int
    # By day from `first` on: 1 where it is open.
    is_open: bytes
    # By day of the week, Monday first: 1 where it is open in a usual week, which holds beyond `is_open`.
    week: bytes

    def on(self, day: int) -> bool:
        at = day - self.first
        return bool(self.is_open[at] if 0 <= at < len(self.is_open) else self.week[(day - 1) % 7])

    def next(self, day: int) -> int | None:
        """The first open day from a day on."""
        return next((d for d in range(day, day + LONGEST_GAP) if self.on(d)), None)

    def last(self, day: int, first: int) -> int | None:
        """The last open day up to a day, none before `first`."""
        return next((d for d in range(day, first - 1, -1) if self.on(d)), None)

    def after(self, day: int, count: int) -> int | None:
        """The count-th open day after a day; the day itself where that is 0."""
        at: int | None = day
        for _ in range(count):
            at = None if at is None else self.next(at + 1)
        return at

    def closed_between(self, first: int, last: int) -> int:
        """Closed days from one day to another, both included."""
        return sum(not self.on(day) for day in range(first, last + 1))

    def and_on(self, other: "OpenDays | None") -> "OpenDays":
        """Open where both are."""
        if other is None or other == self:
            return self
        both = bytes(a and other.on(self.first + i) for i, a in enumerate(self.is_open))
        week = bytes(a and b for a, b in zip(self.week, other.week, strict=True))
        return OpenDays(f"{self.name}, {other.name}", self.first, both, week)


@dataclass(frozen=True, slots=True)
class Course:
    """When a way starts and when its units are there. Where one is None, every day is open."""

    # Its lead time in days of `counts`.
    lead_days: int

    # Days on which it may start.
    starts: OpenDays | None
    # Days that its lead time counts; None: calendar days.
    counts: OpenDays | None
    # Days on which its units can be there.
    arrives: OpenDays | None

    def first_start(self, first: date, after: date) -> date | None:
        """The first day on which it may start, from a day to before another."""
        if self.starts is None:
            return first if first < after else None
        found = self.starts.next(first.toordinal())
        return None if found is None or found >= after.toordinal() else date.fromordinal(found)

    def there(self, start: date) -> date | None:
        """The day on which what starts on a day is there; None where the calendars never open again."""
        day = start.toordinal()
        found = day + self.lead_days if self.counts is None else self.counts.after(day, self.lead_days)
        if found is not None and self.arrives is not None:
            found = self.arrives.next(found)
        return None if found is None else date.fromordinal(found)

    def latest_start(self, there: date, first: date) -> date:
        """The latest day on which it may start to be there by a day, none before `first`; that where there is none."""
        for day in range((there - timedelta(days=self.lead_days)).toordinal(), first.toordinal(), -1):
            begin = date.fromordinal(day)
            comes = self.there(begin) if self.starts is None or self.starts.on(day) else None
            if comes is not None and comes <= there:
                return begin
        return first


@dataclass(frozen=True, eq=False)
class WorkingDays:
    """The calendars of a chain around its open buckets. calendars: code -> its days. of_site, of_line: by code."""

    calendars: Mapping[str, OpenDays]
    of_site: Mapping[str, OpenDays]
    of_line: Mapping[str, OpenDays]

    def of(self, calendar: str | None) -> OpenDays | None:
        return self.calendars.get(calendar or "")


def working_days(state: State, starts: Sequence[date]) -> WorkingDays:
    """Of the buckets with these first days. Raises NotFound for a country without a list of holidays."""
    rows = state.versions("calendars").to_pylist() if starts else []
    if not rows:
        return WorkingDays({}, {}, {})
    first = starts[0].toordinal() - BEFORE
    count = BEFORE + (starts[-1] - starts[0]).days + AFTER
    calendars = _calendars(state, rows, first, count)
    of_site = {
        r["site"]: calendars[r["calendar"]]
        for r in state.table("sites").select(["site", "calendar"]).to_pylist()
        if r["calendar"] in calendars
    }
    of_line = {}
    for r in state.table("lines").select(["line", "site", "calendar"]).to_pylist():
        own = calendars.get(r["calendar"] or "") or of_site.get(r["site"])
        if own is not None:
            of_line[r["line"]] = own
    return WorkingDays(calendars, of_site, of_line)


def _calendars(state: State, rows: Sequence[Mapping[str, object]], first: int, count: int) -> dict[str, OpenDays]:
    found: dict[str, tuple[bytearray, bytes]] = {}
    for row in sorted(rows, key=lambda r: (str(r["calendar"]), span(r["valid_from"], r["valid_to"]).first)):  # ty: ignore[invalid-argument-type]
        week = bytes(bool(row[name]) for name in WEEKDAYS)
        of_row, _ = found.setdefault(str(row["calendar"]), (bytearray(b"\1" * count), week))
        found[str(row["calendar"])] = (of_row, week)
        off, worked = _holidays(str(row["country"] or ""), first, first + count)
        holds = span(row["valid_from"], row["valid_to"])  # ty: ignore[invalid-argument-type]
        for i in range(max(holds.first - first, 0), min(holds.after - first, count)):
            day = first + i
            of_row[i] = day in worked or (bool(week[(day - 1) % 7]) and day not in off)
    days = state.versions("calendar_days").to_pylist()
    for row in sorted(days, key=lambda r: (r["calendar"], r["from"])):
        if row["calendar"] in found:
            own = span(row["from"], row["to"] or row["from"] + timedelta(days=1))
            holds = span(row["valid_from"], row["valid_to"])
            of_row, _ = found[row["calendar"]]
            begin, end = max(own.first, holds.first) - first, min(own.after, holds.after) - first
            for i in range(max(begin, 0), min(end, count)):
                of_row[i] = bool(row["open"])
    return {name: OpenDays(name, first, bytes(own), week) for name, (own, week) in found.items()}


def _holidays(country: str, first: int, after: int) -> tuple[set[int], set[int]]:
    """Public holidays, and days at weekends that are worked in their place."""
    if not country:
        return set(), set()
    import holidays as public_holidays  # slow to import, and few chains have such calendars

    years = range(date.fromordinal(first).year, date.fromordinal(after).year + 1)
    try:
        listed = public_holidays.country_holidays(country.upper(), years=years)
    except NotImplementedError:
        raise NotFound(message("facts.calendar_country", country=country)) from None
    return {day.toordinal() for day in listed}, {day.toordinal() for day in listed.weekend_workdays}


def monday_to_friday(first: int = 0, count: int = 0) -> OpenDays:
    """What working days are where no calendar says. first, count: of the days that are written out."""
    week = b"\1\1\1\1\1\0\0"
    return OpenDays("", first, bytes(week[(first + i - 1) % 7] for i in range(count)), week)


def course_of(
    lead_days: int,
    working: bool,
    calendar: OpenDays | None,
    leaves: OpenDays | None = None,
    gets: OpenDays | None = None,
) -> Course | None:
    """Of who does it (its calendar), who sends it and who gets it; None where every day is as good as another.

    working: whether its lead time counts working days: its own, else of who sends it, else Monday to Friday."""
    if not working and calendar is None and leaves is None and gets is None:
        return None
    starts = leaves if calendar is None else calendar.and_on(leaves)
    arrives = gets if calendar is None else calendar.and_on(gets)
    counts = (calendar or leaves or monday_to_friday()) if working else None
    return Course(lead_days, starts, counts, arrives)


def narrowed(days: OpenDays, works: Callable[[int], bool | None]) -> OpenDays:
    """The days as hours say: open or closed where `works` tells, else as they are."""
    own = [works(days.first + i) for i in range(len(days.is_open))]
    told = bytes(was if now is None else now for was, now in zip(days.is_open, own, strict=True))
    return replace(days, is_open=told)


def effective_lead(course: Course, bucket: date, today: date, calendar: Calendar) -> int | None:
    """Days from the first day on which it may start in a bucket until its units are there; None: it cannot start."""
    after = calendar.shift(bucket, 1)
    first = course.first_start(max(bucket, min(today, after)), after)
    there = None if first is None else course.there(first)
    return None if first is None or there is None else (there - first).days
