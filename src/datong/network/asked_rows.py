"""Rows of `demand` that the plan follows one by one: their units as a plan sees them."""

from collections import defaultdict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.columns import day_number, pairs
from datong.ledger.state import State
from datong.model.calendar import Calendar
from datong.model.flow import FloatArray, Forecast, IntArray, Item
from datong.network.forecast_netting import given_items, netted, orders_beside
from datong.network.position import Position
from datong.network.rows_in_plan import CLOSED


def asked_rows(state: State, demand: Forecast, where: Position) -> pa.Table:
    """Rows of `demand` that are due in the horizon, of items of the forecast, of more than 0 units: forecasts less the
    firm orders that are part of them, all less what was served ahead of its day.

    Where demand is given, the rows of an item and bucket lose the same share each of what was served ahead; beside
    Datong's own forecast a firm row loses what was sent for it, and the forecast the rest.
    """
    given = given_items(state)
    of_forecast = [item for item in demand.items if item not in given]
    rows = pa.concat_tables([_given_rows(state, demand, where), _beside(state, of_forecast, where)])
    return rows.filter(pc.greater(rows["units"], 0.0)).combine_chunks()


def _beside(state: State, items: list[Item], where: Position) -> pa.Table:
    rows = orders_beside(state, items)
    rows = rows.filter(pc.not_equal(rows["status"], CLOSED))
    if not where.firm_ahead_units:
        return rows
    ahead = np.array([where.firm_ahead_units.get(key, 0.0) for key in rows["demand"].to_pylist()], dtype=np.float64)
    return _with_units(rows, np.maximum(rows["units"].to_numpy() - ahead, 0.0))


def _given_rows(state: State, demand: Forecast, where: Position) -> pa.Table:
    given = given_items(state)
    rows, calendar, buckets = netted(state).rows, state.settings.calendar, len(demand.bucket_starts)
    item, items = pairs(rows["product"], rows["market"])
    known = {*demand.items} & given
    is_known = np.array([Item(*name) in known for name in items], dtype=bool)
    first = day_number(demand.bucket_starts[0])
    bucket = (rows["due"].cast(pa.int32()).to_numpy().astype(np.int64) - first) // calendar.bucket_days
    units = rows["units"].to_numpy()
    keep = (bucket >= 0) & (bucket < buckets) & (units > 0)
    if len(items):
        keep &= is_known[item]
    rows = rows.filter(pa.array(keep))
    if not where.served_ahead_units:
        return rows
    of = [Item(*name) for name in items]
    return _with_units(rows, _less_served_ahead(units[keep], item[keep], bucket[keep], where, of, demand, calendar))


def _with_units(rows: pa.Table, units: FloatArray) -> pa.Table:
    return rows.set_column(rows.schema.get_field_index("units"), "units", pa.array(units, pa.float64()))


def _less_served_ahead(
    units: FloatArray,
    item: IntArray,
    bucket: IntArray,
    where: Position,
    items: list[Item],
    demand: Forecast,
    calendar: Calendar,
) -> FloatArray:
    """Of orders served ahead of their day the rows of that item and bucket lose the same share each."""
    buckets, at = len(demand.bucket_starts), {it: i for i, it in enumerate(items)}
    served: dict[int, float] = defaultdict(float)
    for (of, due), ahead in where.served_ahead_units.items():
        t = calendar.index(due, demand.bucket_starts[0])
        if of in at and 0 <= t < buckets:
            served[at[of] * buckets + t] += ahead
    cell = item * buckets + bucket
    total = np.bincount(cell, units, len(items) * buckets)
    less = np.zeros(len(total))
    for at_cell, ahead in served.items():
        less[at_cell] = ahead
    left = np.maximum(total - less, 0.0) / np.where(total > 0, total, 1.0)
    return units * left[cell]
