"""Orders that are out already, or locked, as a plan keeps them beside those that it proposes."""

import math
from collections import defaultdict
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from datong.ledger.standings import OPEN_STATES, order_standings, state_of
from datong.ledger.state import State, state_schema
from datong.model.tables import tables
from datong.model.words import Message, message, shown
from datong.network.committed import Worked, brought
from datong.network.orders_out import UnderWay
from datong.network.ways import received_on
from datong.plan.earliest_due_first import LEAST_HOURS
from datong.plan.planning_inputs import Work

# Columns that say why an order comes later than was promised.
CAUSES = {
    "waits_for": pa.string(),
    "short_line": pa.string(),
    "not_begun": pa.bool_(),
    "closed_day": pa.bool_(),
    "left_hours": pa.float64(),
}


def kept_orders(state: State) -> pa.Table:
    """Orders already out, and locked ones not yet ended: the columns of `orders` (all in base units, so without `unit`)
    and their `state`, by order."""
    schema = state_schema(tables()["orders"]).append(pa.field("state", pa.string()))
    schema = schema.remove(schema.get_field_index("unit"))
    stands = order_standings(state)
    rows = []
    for row in state.table("orders").to_pylist():
        now = state_of(row, stands.get(row["order"]))
        if now in OPEN_STATES or (row["locked"] and now == "proposed"):
            rows.append(row | {"state": now})
    return pa.Table.from_pylist(sorted(rows, key=lambda r: r["order"]), schema=schema)


def with_days_counted_on(kept: pa.Table, work: Work, lacks: Mapping[str, str]) -> pa.Table:
    """Kept orders with `to_come_units`, what is still to come of each as ordered; `counted_units`, the good units of
    these, after the yield, on which the plan counts; and `counted_on`, the day of that: their due day, or where that
    has passed when they can be expected, or the day by which the hours and components that the plan has for them let it
    come (out_by_day.py); null where nothing comes within the horizon. Where one comes later than was promised, one of
    these says why: `waits_for` is the component that it has to wait for, `not_begun` that it should have begun and no
    start is reported, `closed_day` that the promised day is closed for who brings or gets it, `left_hours` the
    hours that what is left of one that has begun takes, where these alone last until then, and `short_line` the line
    whose hours are too few. lacks: order -> component that it waits for in its bucket.
    """
    parts: dict[str, list[UnderWay]] = defaultdict(list)  # of a transfer: what is on its way, and what is not yet sent
    for order in work.position.under_way:
        parts[order.order].append(order)
    orders = {name: max(own, key=lambda part: (part.stage != "begun", part.due)) for name, own in parts.items()}
    arrives = work.promised.arrives
    comes: dict[str, date] = {}
    for one in work.promised.comes:
        comes[one.order] = max(one.day, comes.get(one.order, one.day))

    def day(order: str) -> date | None:
        if order not in orders or arrives.get(order, 0) is None:
            return None
        return max(*(part.due for part in parts[order]), comes.get(order, work.starts[arrives.get(order) or 0]))

    component_of = {one.order.order: one.component for one in work.promised.put_off if one.component is not None}
    component_of.update(lacks)
    worked = {own.order.order: own for own in work.promised.worked}

    def cause(order: str) -> dict[str, Any]:
        expected = day(order)
        if order not in orders or (expected is not None and expected <= orders[order].promised):
            return {}
        if order in component_of:
            return {"waits_for": work.facts.product_of(component_of[order])}
        own = worked.get(order)
        late = _late_anyway(orders[order], own, expected, work)
        if late or own is None:
            return late
        line = None if own.line in work.facts.shared else own.line
        return {"short_line": line}

    names = kept["order"].to_pylist()
    left = [math.fsum(part.units for part in parts.get(name, ())) for name in names]
    good: dict[str, float] = dict.fromkeys(names, 0.0)
    for one in (c for c in work.promised.comes if not c.besides):
        good[one.order] = good.get(one.order, 0.0) + one.units
    kept = kept.append_column("to_come_units", pa.array(left, pa.float64()))
    kept = kept.append_column("counted_units", pa.array([good[name] for name in names], pa.float64()))
    kept = kept.append_column("counted_on", pa.array([day(name) for name in names], pa.date32()))
    causes = [cause(name) for name in names]
    for name, kind in CAUSES.items():
        kept = kept.append_column(name, pa.array([one.get(name) for one in causes], kind))
    return kept


def _late_anyway(order: UnderWay, own: Worked | None, expected: date | None, work: Work) -> dict[str, Any]:
    """Why an order is late with all hours of its line. What is bought and past due is told by the notices.
    own: of one that takes hours or components."""
    today = work.facts.today
    if expected is None:
        return {}
    if order.stage != "begun" and order.kind != "buy" and order.start < today:
        alone = expected if own is None else brought(order, own.way, today, _alone(own, work, today))
        if expected <= max(alone, order.promised):
            return {"not_begun": True}
    if order.stage == "begun" and own is not None:
        done = _alone(own, work, today)
        if done > order.promised and expected <= brought(order, own.way, today, done):
            return {"left_hours": float(own.hours.sum())}
    opens = expected if own is None else received_on(own.way, order.promised)
    is_closed = order.promised < opens and expected <= opens and today <= order.promised
    return {"closed_day": True} if is_closed else {}


def _alone(own: Worked, work: Work, begins: date) -> date:
    """The day by which an order has its hours that begins on a day and has all those of its line."""
    shares = work.facts.shares_by_day.get(own.line or "")
    if own.line is None or shares is None:
        return begins
    by_day = (work.facts.line_hours[own.line][:, None] * shares).ravel()
    first = (begins - work.starts[0]).days
    enough = np.flatnonzero(np.cumsum(by_day[first:]) >= own.hours.sum() - LEAST_HOURS)
    return begins + timedelta(days=int(enough[0])) if len(enough) else begins


def late_for(kept: Mapping[str, Any]) -> Message | None:
    """Why an order that is out comes later than its due day, of its row in `kept`; None where it does not."""
    if kept.get("waits_for"):
        return message("plan.out_waits", component=kept["waits_for"])
    if kept.get("not_begun"):
        return message("plan.out_not_begun")
    if kept.get("closed_day"):
        return message("plan.out_closed")
    if kept.get("left_hours") is not None:
        return message("plan.out_left", hours=shown(kept["left_hours"]))
    return message("plan.out_short", line=kept["short_line"]) if kept.get("short_line") else None
