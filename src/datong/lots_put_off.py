"""The lots of a plan, and those that their days put into a later bucket than the one in which they are counted."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from datong.balance.deliveries import Request, late_costs
from datong.balance.picks import picked_when_taken
from datong.balance.solvers import Cleared, can_start, in_orders
from datong.ledger.state import State
from datong.model.calendar import Calendar
from datong.model.flow import Clearing, FloatArray, Forecast
from datong.network.horizon import EPOCH
from datong.plan.days_within_bucket import Days
from datong.plan.earliest_due_first import worked_hours
from datong.plan.lots_along_clearing import NOTHING, Lot
from datong.plan.out_by_day import Dated, dated
from datong.plan.pegging import Pegged
from datong.plan.planning_inputs import Chosen, Work

# Lots whose days are looked at, over all turns: a count and no time, so that the plan is the same each time. What is
# left then is told by its day (plan/after_due.py).
LOTS_LOOKED_AT = 20_000


def started_by(cleared: Cleared, lots: Sequence[Lot]) -> FloatArray:
    """(way, bucket) units that lots start."""
    at = {w.name: i for i, w in enumerate(cleared.market.ways.facts)}
    started = np.zeros(cleared.market.ways.is_open.shape)
    for lot in lots:
        started[at[lot.way.name], lot.start] += lot.units
    return started


def lots_of(given_out: Cleared, chosen: Chosen) -> tuple[Lot, ...]:
    """The lots of a plan, by start, product and way; of what goes beyond a largest lot several."""
    market, work = given_out.market, chosen.work
    started = given_out.solution.started
    lots = []
    for w, t in zip(*np.nonzero(started > NOTHING), strict=True):
        way, start = work.ways[market.ways.facts[w].name], int(t)
        orders = way.sizes(work.whole[way.product]).parts(float(started[w, t]))
        lots += [Lot(way, start, work.arrive(way, start), units, part) for part, units in enumerate(orders)]
    return tuple(sorted(lots, key=lambda x: (x.start, x.way.product, x.way.name, x.part)))


def within_days(state: State, demand: Forecast, given_out: Cleared, chosen: Chosen) -> Cleared:
    """The plan, with what is out or closed days do not let come in the bucket in which it is counted in a later one,
    where that costs less than its lateness by its days. A line has too few hours for it from the day on which the last
    of what it takes of orders that are out is there, or it begins so late in its bucket that closed days put off its
    arrival."""
    work, tried, looked_at = chosen.work, set[tuple[str, int, int]](), 0
    if not _days_bind(work, given_out):
        return given_out
    rates = late_costs(given_out.market)
    found = dated_lots(state, given_out.tables(demand), given_out, chosen)
    cost = _cost_by_days(given_out, found, rates)
    while True:
        late = [lot for lot, of in found.days.items() if of.short_of is not None or _in_a_later_bucket(lot, of, work)]
        late = [lot for lot in late if (lot.way.name, lot.start, lot.part) not in tried]
        looked_at += len(found.days)
        if not late or looked_at > LOTS_LOOKED_AT:
            return given_out
        lot = min(late, key=lambda one: (one.start, one.way.name, one.part))
        tried.add((lot.way.name, lot.start, lot.part))
        left = found.days[lot].short_of or 0.0
        moved = _moved_on(given_out, lot, left, work, _made_of(lot, found.found))
        if moved is None:
            continue
        then = dated_lots(state, moved.tables(demand), moved, chosen)
        if (own := _cost_by_days(moved, then, rates)) <= cost + NOTHING:
            given_out, found, cost = moved, then, own


def dated_lots(state: State, clearing: Clearing, plan: Cleared, chosen: Chosen) -> Dated:
    """The days of a plan's lots. clearing: its tables."""
    hours = worked_hours(state, clearing, chosen.work.starts)
    return dated(chosen.work, clearing, lots_of(plan, chosen), hours, state.today)


def _cost_by_days(plan: Cleared, found: Dated, rates: Mapping[Request, float]) -> float:
    """What a plan costs where what serves demand counts in the bucket of its day; stock apart, which lies there until
    that day, wherever it counts. rates: `late_costs`."""
    work, more = found.work, 0.0
    comes = [(days.due, peg.product(lot), peg) for lot, days in found.days.items() for peg in found.found.pegs[lot]]
    comes += [(one.day, one.product, peg) for one, peg in found.found.of_out]
    for day, label, peg in comes:
        use = peg.use
        buckets = work.calendar.index(day, work.starts[0]) - use.bucket
        if use.kind in ("request", "forecast") and buckets > 0:
            usual = work.facts.economics[label].late_per_bucket
            rate = rates.get((use.name, work.facts.product_of(label), use.due.toordinal() - EPOCH), usual)
            more += peg.units * buckets * rate
    return more + sum(cost for term, cost in plan.outcome.cost.items() if term not in ("holding", "salvage"))


def _days_bind(work: Work, plan: Cleared) -> bool:
    """Whether what is out or closed days can put what a plan starts into a later bucket than the one in which it is
    counted: something waits for orders that are out, or has a lead time that goes over closed days."""
    with_hours = {own.order.order for own in work.promised.worked}
    waits = (one for one in work.promised.comes if one.product in work.components)
    if any(one.day > work.starts[one.bucket] or one.order in with_hours for one in waits):
        return True
    starts = plan.solution.started.max(axis=1, initial=0.0) > NOTHING
    ways = (way for way, is_started in zip(plan.market.ways.facts, starts, strict=True) if is_started)
    return any(way.course is not None and way.lead_days > 0 and way.kind != "buy" for way in ways)


def _in_a_later_bucket(lot: Lot, days: Days, work: Work) -> bool:
    """Whether a lot is there after the bucket in which it is counted."""
    return days.due >= work.calendar.shift(work.starts[0], lot.arrive + 1)


def _made_of(lot: Lot, found: Pegged) -> tuple[Lot, ...]:
    """What takes of a lot in the bucket in which it is there, and what takes of that in turn."""
    rest, after = [lot], dict[Lot, None]()
    while rest:
        one = rest.pop()
        parents = [peg.use.parent for peg in found.pegs[one] if peg.use.parent is not None]
        more = [p for p in parents if p.start == one.arrive and p not in after and p != lot]
        after |= dict.fromkeys(more)
        rest += more
    return tuple(after)


def _moved_on(plan: Cleared, lot: Lot, hours: float, work: Work, made_of: Sequence[Lot]) -> Cleared | None:
    """The plan with as much of a lot as so many hours make, and the rest, or all of it, or that and what is made of it,
    in the first later bucket in which that can be; None where it cannot."""
    way = lot.way
    step = way.multiple_units or (1.0 if work.whole[way.product] else 0.0)
    fits = max(hours - way.setup_hours, 0.0) / way.hours_per_unit if way.hours_per_unit > 0 else 0.0
    fits = math.floor(fits / step + NOTHING) * step if step else fits
    part = [(lot, lot.units - fits)] if fits >= max(way.min_units, NOTHING) else []
    every = [(lot, lot.units), *((one, one.units) for one in made_of)]
    for moved in (part, every[:1], every):
        for by in range(1, plan.market.buckets - lot.start) if moved else ():
            if (found := _later(plan, moved, by)) is not None:
                return found
    return None


def _later(plan: Cleared, moved: Sequence[tuple[Lot, float]], by: int) -> Cleared | None:
    """The plan with units of lots so many buckets later; None where a way is not open then, a lot is too small, or
    hours, components or rules do not let them."""
    ways = plan.market.ways
    at = {facts.name: w for w, facts in enumerate(ways.facts)}
    started = plan.solution.started.copy()
    for lot, units in ((lot, units) for lot, units in moved if lot.way.is_order):
        w, then = at[lot.way.name], lot.start + by
        if then >= plan.market.buckets or not ways.is_open[w, then]:
            return None
        started[w, lot.start] -= units
        started[w, then] += units
    started[[facts.serves for facts in ways.facts]] = 0.0
    small = np.array([facts.min_units for facts in ways.facts])[:, None]
    lots = plan.market.orders_in(started)
    started = picked_when_taken(plan.market, started, lots)
    too_small = ((started > NOTHING) & (started < small * lots - NOTHING)).any()
    return None if too_small or not can_start(plan.market, started, lots) else in_orders(plan, started, lots)


def with_costs(after_due: pa.Table, plan: Cleared, calendar: Calendar) -> pa.Table:
    """Rows of AFTER_DUE_SCHEMA with what their lateness would cost by the bucket of the day on which they are there."""
    rows = after_due.to_pylist()
    later = [calendar.index(row["there_on"], row["counted_in"]) for row in rows]
    if not any(later):
        return after_due
    each = late_costs(plan.market)
    for row, buckets in zip(rows, later, strict=True):
        key = row["demand"], row["product"], row["due"].toordinal() - EPOCH
        row["late_money"] = row["units"] * buckets * each[key] if buckets else 0.0
    return pa.Table.from_pylist(rows, schema=after_due.schema)
