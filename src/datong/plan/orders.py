"""Orders: lots -> numbered work, purchase and transfer orders, each with its reasons."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa

from datong.ledger.state import State
from datong.model.flow import Clearing, Forecast, Plan, PlannedOrder, Sensed
from datong.network.horizon import valid_on
from datong.network.ways import Way
from datong.plan.after_due import after_due
from datong.plan.come_besides import come_besides
from datong.plan.components_taken import components_taken
from datong.plan.days_within_bucket import Days, named_due
from datong.plan.earliest_due_first import worked_hours
from datong.plan.hours_of_orders import hours_of_orders
from datong.plan.lots_along_clearing import Lot
from datong.plan.order_numbers import order_numbers
from datong.plan.orders_already_out import kept_orders, with_days_counted_on
from datong.plan.out_by_day import dated
from datong.plan.pegging import Peg, Use, hurt
from datong.plan.planning_inputs import Work, lots_by_product, supply_of
from datong.plan.reason import Reasons
from datong.plan.sent_by_orders import with_numbers
from datong.plan.used_for import used_for
from datong.plan.worth_behind import worth_behind


def orders_of(
    state: State,
    sensed: Sensed,
    demand: Forecast,
    clearing: Clearing,
    work: Work,
    lots: Sequence[Lot],
    proposed: Iterable[pa.Table] = (),
) -> Plan:
    """The orders of lots, by start, line, product and way, and the orders that are out already.

    clearing: what the lots do (quantities, deliveries, hours). proposed: orders of earlier runs, oldest first, whose
    numbers are not given to anything else.
    """

    def place(lot: Lot) -> tuple[int, str, str, str, int]:
        return lot.start, _line(work, lot.way) or "", lot.way.product, lot.way.name, lot.part

    ordered = sorted(lots, key=place)
    with_days = dated(work, clearing, ordered, worked_hours(state, clearing, work.starts), state.today)
    work, found, days = with_days.work, with_days.found, with_days.days
    ours, pegs = sorted(days, key=place), found.pegs
    numbers = order_numbers(state, work, ours, proposed)
    gaps = with_numbers(clearing.gaps, numbers, work.starts)
    reasons = Reasons(state, sensed, demand, replace(clearing, gaps=gaps), work, numbers, found)
    value = _values(work, ours)
    behind = worth_behind(work, pegs, value, state.settings.defaults.priority_factor)
    begun = {row["order"]: row["start"] for row in state.table("orders").select(["order", "start"]).to_pylist()}
    picked = _cost_of_picks(pegs)
    orders = []
    for lot in ours:
        way, own = lot.way, pegs[lot]
        needed_by = min((_wanted(peg.use, days, begun) for peg in own), default=work.starts[lot.arrive])
        orders.append(
            PlannedOrder(
                order=numbers[lot],
                kind=way.kind,
                product=work.facts.becomes(way.product),
                recipe=way.recipe,
                offer=way.offer,
                line=_line(work, way),
                units=lot.units,
                start=days[lot].start,
                due=named_due(work, lot, days[lot]),
                needed_by=needed_by,
                cost=lot.units * way.cost_per_unit + way.setup_cost + picked[lot],
                value=value.get(lot),
                causes=reasons.of(lot, days[lot]),
                lane=way.lane,
                from_site=way.from_site if way.kind == "move" else None,
                site=(way.site or None) if work.facts.stock_points else None,
                hurts=hurt(own),
                behind=behind.get(lot),
            )
        )
    kept = with_days_counted_on(kept_orders(state), work, with_days.lacks)
    taken, besides = components_taken(work, numbers, pegs), come_besides(work, numbers)
    return Plan(
        tuple(orders),
        kept,
        after_due(work, found, days),
        gaps,
        taken,
        besides,
        used_for(work, numbers, found),
        hours_of_orders(work, numbers),
    )


def _wanted(use: Use, days: Mapping[Lot, Days], begun: Mapping[str, date]) -> date:
    """The day on which a use wants its units: of an order, the one on which it begins, in its bucket."""
    if use.parent is not None and use.parent in days:
        return days[use.parent].start
    return max(use.due, begun.get(use.name) or use.due) if use.kind == "out" else use.due


def _cost_of_picks(pegs: Mapping[Lot, Sequence[Peg]]) -> Mapping[Lot, float]:
    """By order, money for the alternatives that are picked for it."""
    found: dict[Lot, float] = defaultdict(float)
    for lot, own in pegs.items():
        for peg in own if lot.way.picks is not None else ():
            if peg.use.parent is not None:
                found[peg.use.parent] += peg.units * lot.way.cost_per_unit
    return found


def _line(work: Work, way: Way) -> str | None:
    """The line that a way runs on; what it shares of a lane or an offer is none."""
    return None if way.line in work.facts.shared else way.line


# value -------------------------------------------------------------------------------------------


def _values(work: Work, lots: Sequence[Lot]) -> dict[Lot, float]:
    """What leaving one lot out would cost with all others as they are, of what is sold and goes into nothing: what its
    demand would then cost more, less its own cost with its components."""
    result: dict[Lot, float] = {}
    for product, own in lots_by_product(lots).items():
        curve = work.asked.curves.get(product)
        if curve is None:
            continue
        good = np.array([lot.units * lot.way.yield_share for lot in own])
        curve = replace(curve, supply=supply_of(work, product, own))
        saved = curve.worth_of(good, np.array([lot.arrive for lot in own], dtype=np.int64))
        cost = np.array([lot.units * _unit_cost(work, lot) + _order_cost(work, lot) for lot in own])
        result |= dict(zip(own, (saved - cost).tolist(), strict=True))
    return result


def _order_cost(work: Work, lot: Lot) -> float:
    """Money for an order whatever its size, its components at what they cost where nothing is scarce."""
    parts = sum(units * work.plain_cost.get(component, 0.0) for component, units in lot.way.lot_uses)
    return lot.way.setup_cost + parts


def _unit_cost(work: Work, lot: Lot) -> float:
    """Money for a unit started, its components at what they cost where nothing is scarce."""
    cost = lot.way.cost_per_unit
    for use in lot.way.uses:
        if valid_on(work.starts[lot.start], use.valid_from, use.valid_to):
            cost += use.units_per_unit * work.plain_cost.get(use.component, 0.0)
    return cost
