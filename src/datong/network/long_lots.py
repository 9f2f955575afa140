"""Lots of more hours than their line has in any bucket: they are worked over several, as the line's hours come.

With h(l, t) the hours of line l in bucket t and n(w, l) those that the smallest lot of way w needs of it, bucket t does
at most the part

    c(t) = min over lines l of h(l, t) / n(w, l)

of the lot, 0 where a line is closed. A lot that starts in t is worked in the first open buckets from t on whose parts
are 1 in all, in proportion to them, and is there after the last one. So a closed bucket takes no hours, and the lot is
there so much later. A way is as many ways as its lots take different courses, each open in the buckets from which that
is theirs: doors, bound and referee see ways of one course alone.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

import numpy as np

from datong.model.calendar import Calendar
from datong.model.flow import FloatArray
from datong.network.line_hours import WORKING_DAYS
from datong.network.places import unlike
from datong.network.spread_over_long_lot import Worked
from datong.network.ways import Way, closed_but

# Most ways times buckets of a chain whose lots may take longer than a bucket. In a larger one such a lot cannot be
# formed, and that is told: the search of prices, which clears it, does not know long lots.
LONG_LOTS_UP_TO = 10_000
# Parts of a lot below this are rounding.
NOTHING = 1e-9


def long_lots(
    ways: Sequence[Way], hours: Mapping[str, FloatArray], bucket_starts: Sequence[date], calendar: Calendar
) -> tuple[Way, ...]:
    """The ways, of which one whose smallest lot, or single unit, needs more hours than its line has in any bucket is
    one for each course that its lots take. hours: line -> (bucket)."""
    names = {way.name for way in ways}
    found: list[Way] = []
    for way in ways:
        part = _part_done(way, hours)
        if part is None:
            found.append(way)
        else:
            found += _by_course(way, part, bucket_starts, calendar, names)
    return tuple(found)


def _by_course(
    way: Way, part: FloatArray, bucket_starts: Sequence[date], calendar: Calendar, names: set[str]
) -> list[Way]:
    """A way for each course of its lots, the first keeping its name. part: (bucket) as `_part_done`; names: those that
    are taken; written over."""
    courses: dict[Worked, set[int]] = defaultdict(set)
    for t in np.flatnonzero(part > 0).tolist():
        worked = _worked(part[t:])
        if worked is not None:
            courses[worked].add(t)
    if not courses:  # from no bucket on it is done within the horizon
        most = math.ceil(1.0 / float(part.max()) - NOTHING)
        return [_working(way, Worked(tuple(range(most)), (1.0 / most,) * most), len(bucket_starts), calendar)]
    found: list[Way] = []
    for worked in sorted(courses, key=lambda one: (one.after[-1], one.after, one.share)):
        buckets = worked.after[-1]
        name = unlike(f"{way.name} ({buckets * calendar.bucket_days} d)", names) if found else way.name
        names.add(name)
        row = way.row if name == way.name else way.row or way.name
        closed = (*way.closed, *closed_but(courses[worked], bucket_starts, calendar))
        found.append(_working(replace(way, name=name, row=row, closed=closed), worked, buckets, calendar))
    return found


def _part_done(way: Way, hours: Mapping[str, FloatArray]) -> FloatArray | None:
    """(bucket) the part of its smallest lot that is done there at most; None where one bucket does it all."""
    smallest = max(way.min_units, way.multiple_units, 1.0)
    part: FloatArray | None = None
    is_long = False
    for held in way.on_lines:
        lot, there = smallest * held.hours_per_unit + held.setup_hours, hours.get(held.line)
        most = 0.0 if there is None else float(there.max(initial=0.0))
        if there is None or lot <= 0 or most <= 0:
            continue
        part = there / lot if part is None else np.minimum(part, there / lot)
        is_long |= lot > most * (1 + NOTHING)
    return part if is_long and part is not None and part.max() > 0 else None


def _worked(part: FloatArray) -> Worked | None:
    """Where a lot that starts in the first bucket is worked; None: it is not done within these."""
    done = np.cumsum(part)
    enough = np.flatnonzero(done >= 1.0 - NOTHING)
    if not len(enough):
        return None
    after = np.flatnonzero(part[: enough[0] + 1] > 0)
    own = part[after]
    even = own.max() - own.min() <= NOTHING * own.max()
    share = np.full(len(own), 1.0 / len(own)) if even else own / own.sum()
    return Worked(tuple(after.tolist()), tuple(share.tolist()))


def _working(way: Way, worked: Worked, buckets: int, calendar: Calendar) -> Way:
    """The way with the course of its lots, which are there so many buckets after their start, or when its own lead time
    is over, where that is longer."""
    own = way.lead_days
    if way.in_working:  # compared in working days
        own -= len(worked) - 1 if calendar.bucket_days == 1 else WORKING_DAYS * worked.after[-1]
        if own > 0:
            return replace(way, worked=worked, lead_time=float(way.lead_days))
    lead_days = buckets * calendar.bucket_days if way.in_working else max(own, buckets * calendar.bucket_days)
    return replace(way, worked=worked, lead_days=lead_days, lead_time=float(lead_days), in_working=False)
