"""Ways with working days: a row is a way for each length that its lead time has in calendar days.

Two working days from a Thursday are four days, from a Monday two: so a row that counts or keeps working days is one way
of two days, open in the buckets from which that is right, and another one of four, open in the others. In none of them
it starts where the bucket has no open day. Every door, the bound and the referee see ways of fixed lead times alone.
The lead time of a bucket is that from its first open day.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date

from datong.ledger.state import State
from datong.model.calendar import Calendar
from datong.network.line_hours import days_of_lines
from datong.network.places import unlike
from datong.network.ways import Way, closed_but
from datong.network.working_days import Course, OpenDays, WorkingDays, course_of, effective_lead, working_days


def in_working_days(state: State, ways: Sequence[Way], bucket_starts: Sequence[date]) -> tuple[Way, ...]:
    """The ways, those with working days one for each length of their lead time, in the same order."""
    known = working_days(state, bucket_starts)
    if not known.calendars and not any(way.in_working for way in ways):
        return tuple(ways)
    lines = days_of_lines(state, bucket_starts)
    names = {way.name for way in ways}
    leads: dict[Course, dict[int, list[int]]] = {}
    found: list[Way] = []
    received = _received_at(state, ways)
    for way in ways:
        course = _course(way, known, lines, received.get(way.product))
        if course is None:
            found.append(way)
            continue
        if course not in leads:
            leads[course] = _by_length(course, bucket_starts, state.today, state.settings.calendar)
        its_leads = leads[course]
        if way.span > 1:
            its_leads = _of_long_lot(way, its_leads, bucket_starts, state.settings.calendar)
        found += _split(replace(way, course=course), its_leads, bucket_starts, state.settings.calendar, names)
    return tuple(found)


def _received_at(state: State, ways: Sequence[Way]) -> dict[str, str]:
    """product -> the site that receives it where its offer names none, in a chain without lanes: the one whose recipes
    take it, or else the only one that is no supplier. In a chain with lanes each way has its site."""
    if state.table("lanes").num_rows:
        return {}
    sites = dict(zip(*(state.table("sites")[c].to_pylist() for c in ("site", "kind")), strict=True))
    own = [site for site, kind in sites.items() if kind != "supplier"]
    only = own[0] if len(own) == 1 else ""
    takes: dict[str, set[str]] = defaultdict(set)
    for way in ways:
        for use in way.uses:
            takes[use.component].add(way.site or only)
    return {way.product: site for way in ways if (site := _one(takes.get(way.product, {only})))}


def _one(sites: Collection[str]) -> str:
    """The only one of these; '' where there are several."""
    return next(iter(sites)) if len(sites) == 1 else ""


def _course(way: Way, known: WorkingDays, lines: dict[str, OpenDays], received_at: str | None) -> Course | None:
    """When a way starts and arrives; None where every day is as good as another. received_at: `_received_at`."""
    if way.picks is not None:  # whenever what takes it starts
        return None
    own, site = known.of(way.calendar), known.of_site.get(way.site or "")
    if way.kind == "move":
        leaves = known.of_site.get(way.from_site or "")
        return None if way.serves else course_of(way.lead_days, way.in_working, own, leaves, site)
    if way.kind == "buy":
        site = known.of_site.get(way.site or received_at or "")
        return course_of(way.lead_days, way.in_working, own or known.of_site.get(way.from_site or ""), None, site)
    line = way.line or ""
    for held in way.on_lines:
        if held.line in known.of_line:  # its days without hours are closed, too
            own = lines[held.line] if own is None else own.and_on(lines[held.line])
    own = own or site
    if own is None and way.in_working and line in lines:  # nobody closes: only the lead time counts working days
        return Course(way.lead_days, None, lines[line], None)
    return course_of(way.lead_days, way.in_working, own)


def _by_length(course: Course, bucket_starts: Sequence[date], today: date, calendar: Calendar) -> dict[int, list[int]]:
    """Length of the lead time in calendar days -> the buckets in which it is so; in no other it starts."""
    found: dict[int, list[int]] = defaultdict(list)
    for t, start in enumerate(bucket_starts):
        length = effective_lead(course, start, today, calendar)
        if length is not None:
            found[length].append(t)
    return found


def _of_long_lot(
    way: Way, by_length: dict[int, list[int]], bucket_starts: Sequence[date], calendar: Calendar
) -> dict[int, list[int]]:
    """`_by_length` of a way whose lots take several buckets, in those of its course. What takes no longer than the work
    is there with its last bucket, on whichever day of that its calendars open."""
    here = {t for t, start in enumerate(bucket_starts) if way.is_open(start)}
    own = {length: [t for t in buckets if t in here] for length, buckets in by_length.items()}
    if way.lead_days == way.worked.after[-1] * calendar.bucket_days and not way.in_working:
        return {way.lead_days: sorted(t for buckets in own.values() for t in buckets)}
    return {length: buckets for length, buckets in own.items() if buckets}


def _split(
    way: Way, by_length: dict[int, list[int]], bucket_starts: Sequence[date], calendar: Calendar, names: set[str]
) -> list[Way]:
    """A way for each length, the first keeping its name. names: those that are taken; written over."""
    lengths = sorted(by_length) or [way.lead_days]
    found = []
    for length in lengths:
        here = set(by_length.get(length, ()))
        closed = (*way.closed, *closed_but(here, bucket_starts, calendar))
        name = way.name if length == lengths[0] else unlike(f"{way.name} ({length} d)", names)
        names.add(name)
        row = way.row if name == way.name else way.row or way.name
        found.append(replace(way, name=name, row=row, lead_days=length, lead_time=float(length), closed=closed))
    return found
