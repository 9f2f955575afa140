"""Lead times in buckets: along a chain of levels they add up before they are rounded.

What is asked for in a bucket is to be there when it begins. So of each product there is a latest time, a part of a
bucket, by which it must be there in the bucket of which it is counted, and of each way a latest time to start:

    late(p) = 0 where p is asked for or serves for another, else min of start(w) over the ways w that take p
    buckets(w) = ceil(lead(w) - late(p)), of the product p of w,
    start(w) = late(p) + buckets(w) - lead(w), which is from 0 to 1.

A way that starts at t + start(w) finds its components, and its units are there at t + buckets(w) + late(p): along a
chain the buckets add up to the sum of the lead times, rounded up once. No way takes more buckets than its own lead
time rounded up, so that what could be done can be done. (Backward scheduling of lead-time offsets: Orlicky 1975,
chapter 4; here with the fractions of buckets kept.)

Of a week only what takes no hours is timed within it: of which days a line has hours to spare the market does not know.
Nothing begins there after Friday. What brings co-products is there when its bucket begins. Working days, lots that are
worked over several buckets, and stock points that lanes join in a circle keep whole buckets.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace

from datong.model.calendar import Calendar
from datong.network.line_hours import WORKING_DAYS
from datong.network.way_arrays import WayArrays
from datong.network.ways import Way

# Parts of a bucket below this are rounding.
NOTHING = 1e-9


def has_parts(ways: Sequence[Way], calendar: Calendar) -> bool:
    """Whether any lead time of a way that takes something is not of whole buckets, so that the fractions may add up."""
    return any(way.uses and _timed(way, calendar) and _part(way, calendar) > NOTHING for way in ways)


def timed(products: Sequence[str], ways: Sequence[Way], asked: Collection[str], calendar: Calendar) -> tuple[Way, ...]:
    """The ways with their `buckets`. asked: products that are asked for, or serve for others."""
    arrays = WayArrays.of(products, ways)
    at = {product: i for i, product in enumerate(products)}
    late = [0.0 if product in asked else math.inf for product in products]
    round_trip = _in_circles(arrays)
    by_level: dict[int, list[int]] = defaultdict(list)
    for w, product in enumerate(arrays.product.tolist()):
        by_level[int(arrays.level[product])].append(w)
    found = list(ways)
    for level in sorted(by_level, reverse=True):
        for w in by_level[level]:
            way, product = ways[w], int(arrays.product[w])
            whole = product in round_trip or bool(way.outputs)
            end = 0.0 if whole or math.isinf(late[product]) else late[product]
            start = 0.0
            if _timed(way, calendar):
                lead = _lead(way, calendar)
                buckets = max(math.ceil(lead - end - NOTHING), 0)
                start = min(max(end + buckets - lead, 0.0), _last_start(calendar))
                found[w] = replace(way, buckets=buckets, lead_days=_days(way, start, buckets + end, calendar))
            for use in way.uses:
                if use.component in at:
                    part = at[use.component]
                    late[part] = min(late[part], start)
    return tuple(found)


def _days(way: Way, start: float, end: float, calendar: Calendar) -> int:
    """Days from the one in which it starts at the latest to the one in which it is to be there: its lead time rounded
    up, or down where the fractions of days of a chain go on in it. start, end: buckets."""
    first, last = (math.floor(time * calendar.bucket_days + NOTHING) for time in (start, end))
    return min(way.lead_days, last - first)


def _timed(way: Way, calendar: Calendar) -> bool:
    """Whether it is looked at within its buckets."""
    takes_hours = way.kind == "make" and any(held.hours_per_unit > 0 or held.setup_hours > 0 for held in way.on_lines)
    return way.course is None and way.span == 1 and not (takes_hours and calendar.bucket_days > 1)


def _lead(way: Way, calendar: Calendar) -> float:
    return (way.lead_days if way.lead_time is None else way.lead_time) / calendar.bucket_days


def _part(way: Way, calendar: Calendar) -> float:
    lead = _lead(way, calendar)
    return abs(lead - round(lead))


def _last_start(calendar: Calendar) -> float:
    """The latest time of a bucket at which something begins: of a week, when Friday begins."""
    return 1.0 if calendar.bucket_days == 1 else (WORKING_DAYS - 1) / calendar.bucket_days


def _in_circles(arrays: WayArrays) -> set[int]:
    """Products that goods leave for one of their own level: lanes may lead from them and back."""
    parent, component = arrays.product[arrays.use_way], arrays.use_component
    same = arrays.level[parent] == arrays.level[component]
    return {*parent[same].tolist(), *component[same].tolist()}
