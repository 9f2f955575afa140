"""Forecast netting: firm orders are the part of a forecast that is known already, not demand beside it.

Firm rows of `demand` consume the forecast of their product and market. With x the units of an order and F(t) what
earlier orders left of the forecast of bucket t, it takes

    min(x, F(t)) of its own bucket, then of buckets before it, then of those after it, nearest first,

as long as a day of the bucket is no more than back_days before its due day, or forward_days after it (section [netting]
of chain.toml; both 0: its own bucket alone). What it finds no forecast for stays demand, and so does what is left of
the forecast: in all orders + sum of F(t). Orders take their turns by due day, then by key; closed
ones too, which ask for nothing more. This is the forecast
consumption of master production scheduling (Proud 2007, chapter 9), with its usual order, backward before forward.

There are two kinds of forecast. Rows of `demand` with firm = false are consumed row by row, in all of the table
(`netted`). Where a product and market sells and has no such row in the horizon, the forecast is Datong's own; it is
consumed path by path (`with_orders`), but what buyers have ordered otherwise stays in it:

    D(t) = firm(t) + max(path(t) - consumed(t), ordered otherwise(t))     on each path.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.columns import as_day, local_days
from datong.ledger.state import State
from datong.model.calendar import Calendar
from datong.model.flow import NETTING_SCHEMA, FloatArray, Forecast, Item
from datong.model.settings import Netting
from datong.network.rows_in_plan import CLOSED, rows_in_plan, rows_that_net

# Units below this are rounding.
NOTHING = 1e-9


@dataclass(frozen=True, eq=False)
class Netted:
    """rows: of `demand`, each forecast less what firm orders are of it. consumed: NETTING_SCHEMA."""

    rows: pa.Table
    consumed: pa.Table


def netted(state: State) -> Netted:
    """The rows of `demand` as they are planned for. A forecast row that is consumed whole stays, with 0 units."""
    rows, netting = rows_that_net(state), state.settings.netting
    if netting.orders == "add":
        return Netted(rows_in_plan(state), NETTING_SCHEMA.empty_table())
    item = pc.binary_join_element_wise(rows["product"], rows["market"], "\0")
    is_forecast = pc.and_(pc.invert(rows["firm"]), pc.greater(rows["units"], 0.0))
    is_order = pc.and_(rows["firm"], pc.greater(rows["units"], 0.0))
    forecast_items, order_items = (pc.unique(item.filter(which)) for which in (is_forecast, is_order))
    both = pc.and_(pc.is_in(item, value_set=forecast_items), pc.is_in(item, value_set=order_items))
    at = np.flatnonzero(pc.and_(both, pc.greater(rows["units"], 0.0)).to_numpy())
    is_planned = pc.not_equal(rows["status"], CLOSED)
    if not len(at):
        return Netted(rows.filter(is_planned), NETTING_SCHEMA.empty_table())
    left = rows["units"].to_numpy().copy()
    consumed = _consumed(at, rows, left, state.settings.calendar, netting)
    place = rows.schema.get_field_index("units")
    rows = rows.set_column(place, "units", pa.array(left)).filter(is_planned)
    return Netted(rows, pa.Table.from_pylist(consumed, schema=NETTING_SCHEMA))


def _consumed(
    at: np.ndarray, rows: pa.Table, left: FloatArray, calendar: Calendar, netting: Netting
) -> list[dict[str, Any]]:
    """What orders consume of forecast rows, in their turn. at: positions of both. Takes it out of `left`."""
    asked = rows.take(pa.array(at)).select(["demand", "product", "market", "due", "units", "firm"]).to_pylist()
    turn = sorted(range(len(asked)), key=lambda i: (asked[i]["due"], asked[i]["demand"]))
    forecasts: dict[tuple[str, str, date], list[int]] = defaultdict(list)
    for i in turn:
        one = asked[i]
        if not one["firm"]:
            forecasts[one["product"], one["market"], calendar.bucket_start(one["due"])].append(i)
    found = []
    for i in turn:
        order = asked[i]
        rest = order["units"] if order["firm"] else 0.0
        for bucket in reach(order["due"], calendar, netting):
            if rest <= NOTHING:
                break
            for f in forecasts.get((order["product"], order["market"], bucket), ()):
                taken = min(rest, float(left[at[f]]))
                if taken <= NOTHING:
                    continue
                left[at[f]] = max(left[at[f]] - taken, 0.0)
                rest -= taken
                found.append(_row(order, bucket, asked[f]["demand"], asked[f]["units"], taken))
    return found


def _row(
    order: Mapping[str, Any], bucket: date, forecast: str | None, forecast_units: float, units: float
) -> dict[str, Any]:
    of_order = {"demand": order["demand"], "due": order["due"], "request_units": order["units"]}
    of_forecast = {"bucket": bucket, "forecast_row": forecast, "forecast_units": forecast_units}
    return {"product": order["product"], "market": order["market"], **of_forecast, **of_order, "units": units}


def reach(due: date, calendar: Calendar, netting: Netting) -> Iterator[date]:
    """First days of the buckets whose forecast an order consumes, in turn: its own, those before, those after."""
    own = calendar.bucket_start(due)
    yield own
    last = calendar.bucket_start(due - timedelta(days=netting.back_days))
    bucket = calendar.shift(own, -1)
    while bucket >= last:
        yield bucket
        bucket = calendar.shift(bucket, -1)
    last = calendar.bucket_start(due + timedelta(days=netting.forward_days))
    bucket = calendar.shift(own, 1)
    while bucket <= last:
        yield bucket
        bucket = calendar.shift(bucket, 1)


# Datong's own forecast ----------------------------------------------------------------------------


def given_items(state: State) -> frozenset[Item]:
    """Products and markets of whose demand the plan knows nothing but rows of `demand`: they have forecast rows that
    are due in the horizon, or were never sold, or have firm rows there and the chain wants nothing beside them."""
    first = state.first_open_bucket
    end = state.settings.calendar.shift(first, state.settings.horizon_buckets)
    rows = rows_in_plan(state).select(["product", "market", "due", "firm"])
    ahead = pc.and_(pc.greater_equal(rows["due"], pa.scalar(first)), pc.less(rows["due"], pa.scalar(end)))
    if state.settings.netting.own_forecast:
        ahead = pc.and_(ahead, pc.invert(rows["firm"]))
    sales = state.table("sales").select(["product", "market", "state"])
    sold = _items(sales.filter(pc.fill_null(pc.equal(sales["state"], "ordered"), False)))
    return frozenset(_items(rows.filter(ahead)) | (_items(rows) - sold))


def _items(rows: pa.Table) -> set[Item]:
    found = rows.select(["product", "market"]).group_by(["product", "market"], use_threads=False).aggregate([])
    return set(map(Item, found["product"].to_pylist(), found["market"].to_pylist()))


def orders_beside(state: State, items: Collection[Item]) -> pa.Table:
    """Firm rows of `demand`, closed ones too, that are due in the horizon and are of these items, which Datong
    forecasts itself. What has the key of a sale that is due in the horizon is among what the forecast knows to be
    ordered."""
    rows = rows_that_net(state)
    first = state.first_open_bucket
    end = state.settings.calendar.shift(first, state.settings.horizon_buckets)
    ahead = pc.and_(pc.greater_equal(rows["due"], pa.scalar(first)), pc.less(rows["due"], pa.scalar(end)))
    rows = rows.filter(pc.and_(ahead, pc.and_(rows["firm"], pc.greater(rows["units"], 0.0))))
    named = pc.binary_join_element_wise(rows["product"], rows["market"], "\0")
    rows = rows.filter(pc.is_in(named, value_set=pa.array(["\0".join(item) for item in items], pa.string())))
    if not rows.num_rows:
        return rows
    sales = state.table("sales")
    sales = sales.filter(pc.is_in(sales["sale"], value_set=rows["demand"].combine_chunks()))
    if not sales.num_rows:
        return rows
    days = local_days(sales, state) + state.settings.promise_days
    is_ahead = [first <= as_day(day) < end for day in days.tolist()]
    known = sales["sale"].filter(pa.array(is_ahead, pa.bool_())).combine_chunks()
    return rows.filter(pc.invert(pc.is_in(rows["demand"], value_set=known)))


def with_orders(state: State, demand: Forecast, known: FloatArray) -> Forecast:
    """A forecast with the firm orders that are part of it, and what each consumed of which forecast.

    known: (item, bucket) units that are ordered otherwise, which no firm order consumes. What it would be without
    adjustments moves by as much as with them.
    """
    given, of_rows = given_items(state), netted(state).consumed
    rows = orders_beside(state, [item for item in demand.items if item not in given])
    if not rows.num_rows:
        return replace(demand, netting=of_rows)
    place = {item: i for i, item in enumerate(demand.items)}
    orders: dict[Item, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows.select(["demand", "product", "market", "due", "units", "status"]).to_pylist():
        orders[Item(row["product"], row["market"])].append(row)
    paths, unadjusted = demand.paths.copy(), dict(demand.unadjusted)
    consumed: list[dict[str, Any]] = []
    for item, of_item in sorted(orders.items()):
        i = place[item]
        before = paths[i].mean(axis=0)
        paths[i], taken = _joined(np.asarray(paths[i], np.float64), of_item, known[i], demand.bucket_starts, state)
        consumed += taken
        if item in unadjusted:
            unadjusted[item] = np.maximum(unadjusted[item] + paths[i].mean(axis=0) - before, 0.0)
    of_own = pa.Table.from_pylist(consumed, schema=NETTING_SCHEMA)
    told = pa.concat_tables([of_rows, of_own]).combine_chunks()
    return replace(demand, paths=paths, unadjusted=unadjusted, netting=told)


def _joined(
    paths: FloatArray, orders: Sequence[Mapping[str, Any]], known: FloatArray, starts: Sequence[date], state: State
) -> tuple[FloatArray, list[dict[str, Any]]]:
    """(path, bucket) of an item with its orders, and what they consumed. known: (bucket), as in `with_orders`."""
    calendar, netting = state.settings.calendar, state.settings.netting
    at = {start: t for t, start in enumerate(starts)}
    mean, firm, consumed = paths.mean(axis=0), np.zeros(len(at)), list[dict[str, Any]]()
    left = paths - np.nan_to_num(known)
    for order in sorted(orders, key=lambda row: (row["due"], row["demand"])):
        firm[at[calendar.bucket_start(order["due"])]] += order["units"] if order["status"] != CLOSED else 0.0
        if netting.orders == "consume":
            for t, units in _taken(order, left, at, calendar, netting):
                consumed.append(_row(order, starts[t], None, float(mean[t]), units))
    return left + np.nan_to_num(known) + firm, consumed


def _taken(
    order: Mapping[str, Any], left: FloatArray, at: Mapping[date, int], calendar: Calendar, netting: Netting
) -> Iterator[tuple[int, float]]:
    """Buckets in which an order consumes something of a forecast, and the units expected over the paths. left: (path,
    bucket) what is left of it; it is taken out of it."""
    rest = np.full(len(left), float(order["units"]))
    for bucket in reach(order["due"], calendar, netting):
        if bucket not in at:
            continue
        if not (rest > NOTHING).any():
            return
        t = at[bucket]
        taken = np.minimum(rest, np.maximum(left[:, t], 0.0))
        left[:, t] -= taken
        rest -= taken
        if taken.mean() > NOTHING:
            yield t, float(taken.mean())


@dataclass(frozen=True)
class PartOrdered:
    """The part of the forecast of a product, market and bucket that is firm orders. forecast_units: before any was
    consumed. units: of it that are firm orders. orders: their keys, with the units of each."""

    forecast_units: float
    units: float
    orders: tuple[tuple[str, float], ...]


def parts_ordered(consumed: pa.Table) -> dict[tuple[str, str, date], PartOrdered]:
    """By product, market and first day of the bucket. consumed: NETTING_SCHEMA."""
    before: dict[tuple[str, str, date], dict[str | None, float]] = defaultdict(dict)
    orders: dict[tuple[str, str, date], dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for row in consumed.to_pylist():
        key = (row["product"], row["market"], row["bucket"])
        before[key][row["forecast_row"]] = row["forecast_units"]
        orders[key][row["demand"]] += row["units"]
    return {
        key: PartOrdered(sum(of.values()), sum(orders[key].values()), tuple(sorted(orders[key].items())))
        for key, of in sorted(before.items())
    }
