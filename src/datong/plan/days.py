"""Days of orders within a bucket: a component is finished before what it goes into begins.

Of lots of one week that go into one another, each step has its part of the working days: of n days and k steps step i,
from 0, has those from floor(i n / k) to before floor((i + 1) n / k). Where there are fewer days than steps, some share
a day.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from datong.model.calendar import Calendar
from datong.plan.lots import Lot
from datong.plan.pegging import Peg
from datong.plan.work import Work

# Monday to Friday.
WORKING_DAYS = 5


@dataclass(frozen=True, slots=True)
class Days:
    """The days within which a lot is made, of the bucket in which it starts."""

    # First day.
    start: date
    # Last working day that leaves what it goes into its own.
    last: date
    # Steps of the bucket that it is one of, where they are more than its days; else 0.
    crowded: int


def days_of(work: Work, lots: Sequence[Lot], pegs: Mapping[Lot, Sequence[Peg]], today: date) -> dict[Lot, Days]:
    """The days of each lot. What is bought or moved, or is there in a later bucket than it starts, starts at once."""
    into = {lot: {peg.use.parent for peg in pegs[lot] if peg.use.parent is not None} for lot in lots}
    into = {lot: {p for p in parents if _in_one_bucket(lot, p)} for lot, parents in into.items()}
    level = {product: i for i, product in enumerate(work.order)}
    rising = sorted(lots, key=lambda x: level[x.way.product])
    before: dict[Lot, int] = defaultdict(int)
    after: dict[Lot, int] = defaultdict(int)
    for lot in rising:
        for parent in into[lot]:
            before[parent] = max(before[parent], before[lot] + 1)
    for lot in reversed(rising):
        after[lot] = max((after[parent] + 1 for parent in into[lot]), default=0)
    result = {}
    for lot in lots:
        first = max(work.starts[lot.start], today) if lot.start == 0 else work.starts[lot.start]
        last = last_working_day(work.starts[0], lot.start, work.calendar)
        days, steps = max((last - first).days + 1, 1), before[lot] + after[lot] + 1
        begin = before[lot] * days // steps
        end = max((before[lot] + 1) * days // steps - 1, begin)
        crowded = steps if steps > days else 0
        result[lot] = Days(first + timedelta(days=begin), first + timedelta(days=end), crowded)
    return result


def _in_one_bucket(lot: Lot, parent: Lot) -> bool:
    """Whether both are made, one after the other, in one bucket."""
    made = lot.way.kind == parent.way.kind == "make"
    return made and lot.start == lot.arrive == parent.start and lot.way.product != parent.way.product


def last_working_day(first: date, bucket: int, calendar: Calendar) -> date:
    """Of a bucket: the Friday of a week, or the day itself."""
    day = calendar.shift(first, bucket)
    return day + timedelta(days=min(WORKING_DAYS, calendar.bucket_days) - 1)
