"""Orders that are out already, or locked, as a plan keeps them beside those that it proposes."""

from datetime import date

import pyarrow as pa

from datong.ledger.standings import OPEN_STATES, order_standings, state_of
from datong.ledger.state import State, state_schema
from datong.model.tables import tables
from datong.plan.work import Work


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


def with_days_counted_on(kept: pa.Table, work: Work) -> pa.Table:
    """Kept orders with `to_come_units`, what is still to come of each as ordered; `counted_units`, the good units of
    these, after the yield, on which the plan counts; and `counted_on`, the day of that: their due day, or where that
    has passed when they can be expected, or the day by which the hours and components that the plan has for them let it
    come (out_by_day.py); null where nothing comes within the horizon.
    """
    orders = {order.order: order for order in work.position.under_way}
    arrives = work.promised.arrives
    comes = {one.order: one.day for one in work.promised.comes}

    def day(order: str) -> date | None:
        if order not in orders or arrives.get(order, 0) is None:
            return None
        return max(orders[order].due, comes.get(order, work.starts[arrives.get(order) or 0]))

    names = kept["order"].to_pylist()
    left = [orders[name].units if name in orders else 0.0 for name in names]
    good: dict[str, float] = dict.fromkeys(names, 0.0)
    for one in work.promised.comes:
        good[one.order] = good.get(one.order, 0.0) + one.units
    kept = kept.append_column("to_come_units", pa.array(left, pa.float64()))
    kept = kept.append_column("counted_units", pa.array([good[name] for name in names], pa.float64()))
    return kept.append_column("counted_on", pa.array([day(name) for name in names], pa.date32()))
