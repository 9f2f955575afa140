"""Forecast netting: firm orders are the part of a forecast that is known already, not demand beside it.

Firm rows of `demand` consume the forecast of their product and market, or, where that market has none of its own, the
one of all markets together (market `all`). With x the units of an order and F(t) what earlier orders left of the
forecast of bucket t, it takes

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
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.columns import as_day, day_number, local_days, pairs
from datong.ledger.daily_sales import sold_by_day, sold_pairs
from datong.ledger.state import State
from datong.model.calendar import Calendar
from datong.model.flow import NETTING_SCHEMA, BoolArray, FloatArray, Forecast, IntArray, Item
from datong.model.settings import Netting
from datong.network.horizon import EPOCH_WEEKDAY
from datong.network.rows_in_plan import CLOSED, rows_in_plan, rows_that_net

# Units below this are rounding.
NOTHING = 1e-9
# The market of what is meant of all markets together.
ALL = "all"
# What sold in fewer buckets has no forecast of Datong's own beside its orders: they are what is known of it.
FEWEST_SOLD_BUCKETS = 4
DAYS_OF_WEEK = 7


@dataclass(frozen=True, eq=False)
class Netted:
    """rows: of `demand`, each forecast less what firm orders are of it. consumed: NETTING_SCHEMA."""

    rows: pa.Table
    consumed: pa.Table


def netted(state: State) -> Netted:
    """The rows of `demand` as they are planned for. A forecast row that is consumed whole stays, with 0 units."""
    return state.once("netted", lambda: _netted(state))


def _netted(state: State) -> Netted:
    rows, netting, none = rows_that_net(state), state.settings.netting, NETTING_SCHEMA.empty_table()
    if netting.orders == "add":
        return Netted(rows_in_plan(state), none)
    is_planned = pc.not_equal(rows["status"], CLOSED)
    firm = np.asarray(rows["firm"].to_numpy(), dtype=bool)
    units = rows["units"].to_numpy()
    item, items = pairs(rows["product"], rows["market"])
    due = rows["due"].cast(pa.int32()).to_numpy().astype(np.int64)
    item = np.where(firm, _forecast_of(state, rows, item, items)[item], item) if len(items) else item
    kinds = np.zeros((2, len(items)), dtype=bool)
    for of, which in ((0, firm), (1, ~firm)):
        kinds[of, item[which & (units > 0)]] = True
    at = np.flatnonzero((kinds[0] & kinds[1])[item] & (units > 0)) if len(items) else np.zeros(0, dtype=np.int64)
    if not len(at):
        return Netted(rows.filter(is_planned), none)
    keys = np.array(rows["demand"].take(pa.array(at)).to_pylist(), dtype=np.str_)
    at = at[np.lexsort((keys, due[at]))]
    left = units.astype(np.float64)
    buckets = _Buckets(state.settings.calendar, netting)
    order, forecast, taken = _consumed(at, item, due, firm, left, buckets)
    bucket = [buckets.start(buckets.of(day)) for day in due[forecast].tolist()]
    of_order, of_forecast = rows.take(pa.array(order)), rows.take(pa.array(forecast))
    columns = {
        "product": of_forecast["product"],
        "market": of_forecast["market"],
        "bucket": pa.array(bucket, pa.date32()),
        "forecast_row": of_forecast["demand"],
        "forecast_units": of_forecast["units"],
        "demand": of_order["demand"],
        "due": of_order["due"],
        "request_units": of_order["units"],
        "units": pa.array(taken, pa.float64()),
    }
    place = rows.schema.get_field_index("units")
    rows = rows.set_column(place, "units", pa.array(left)).filter(is_planned)
    return Netted(rows, pa.table(columns, NETTING_SCHEMA).combine_chunks())


def _forecast_of(state: State, rows: pa.Table, item: IntArray, items: Sequence[tuple[str, str]]) -> IntArray:
    """By item of rows of `demand`, the item whose forecast its orders consume: its own, or that of all markets where
    nobody forecasts its market."""
    found, place = np.arange(len(items)), {name: i for i, name in enumerate(items)}
    others = [i for i, (product, market) in enumerate(items) if market != ALL and (product, ALL) in place]
    if not others:
        return found
    ahead = pc.greater_equal(rows["due"], pa.scalar(state.first_open_bucket))
    forecast = pc.and_(pc.and_(pc.invert(rows["firm"]), pc.greater(rows["units"], 0.0)), ahead)
    own = set(item[forecast.to_numpy(zero_copy_only=False)].tolist())
    of_datong = own_items(state)
    for i in others:
        if i not in own and Item(*items[i]) not in of_datong:
            found[i] = place[items[i][0], ALL]
    return found


def _consumed(
    at: IntArray, item: IntArray, due: IntArray, firm: BoolArray, left: FloatArray, buckets: "_Buckets"
) -> tuple[IntArray, IntArray, FloatArray]:
    """Rows of orders, and of the forecasts that they consume, and how many units. at: rows in their turn. Takes what is
    consumed out of `left`, whose orders stay."""
    forecasts: dict[tuple[int, int], list[int]] = defaultdict(list)
    turn = list(zip(at.tolist(), item[at].tolist(), due[at].tolist(), firm[at].tolist(), strict=True))
    for row, of, day, is_firm in turn:
        if not is_firm:
            forecasts[of, buckets.of(day)].append(row)
    found: list[tuple[int, int, float]] = []
    rest_of = left.tolist()
    for row, of, day, is_firm in turn:
        rest = rest_of[row] if is_firm else 0.0
        if rest <= NOTHING:
            continue
        for bucket in buckets.reach(day):
            for forecast in forecasts.get((of, bucket), ()):
                taken = min(rest, rest_of[forecast])
                if taken > NOTHING:
                    rest_of[forecast] = max(rest_of[forecast] - taken, 0.0)
                    rest -= taken
                    found.append((row, forecast, taken))
            if rest <= NOTHING:
                break
    left[:] = rest_of
    order, forecast_rows, units = zip(*found, strict=True) if found else ((), (), ())
    return (
        np.array(order, dtype=np.int64),
        np.array(forecast_rows, dtype=np.int64),
        np.array(units, dtype=np.float64),
    )


@dataclass(frozen=True)
class _Buckets:
    """Buckets by number, and which of them an order reaches. Days count from 1970-01-01."""

    calendar: Calendar
    netting: Netting

    def of(self, day: int) -> int:
        """Number of the bucket that holds a day."""
        return (day + EPOCH_WEEKDAY) // DAYS_OF_WEEK if self.calendar.unit == "week" else day

    def start(self, bucket: int) -> date:
        """First day of a bucket."""
        return as_day(bucket * DAYS_OF_WEEK - EPOCH_WEEKDAY if self.calendar.unit == "week" else bucket)

    def reach(self, due: int) -> Iterator[int]:
        """Buckets whose forecast an order consumes, in turn: its own, those before, those after."""
        own = self.of(due)
        yield own
        yield from range(own - 1, self.of(due - self.netting.back_days) - 1, -1)
        yield from range(own + 1, self.of(due + self.netting.forward_days) + 1)


# Datong's own forecast ----------------------------------------------------------------------------


def given_items(state: State) -> frozenset[Item]:
    """Products and markets of whose demand the plan knows nothing but rows of `demand`: they were never sold, or have
    forecast rows that are due in the horizon, or have firm rows there and sold in fewer than `FEWEST_SOLD_BUCKETS`
    buckets, or the chain wants nothing beside those."""
    return state.once("given items", lambda: _given_items(state))


def _given_items(state: State) -> frozenset[Item]:
    rows = rows_in_plan(state).select(["product", "market", "due", "firm"])
    ahead = _in_horizon(state, rows)
    forecast = ahead.filter(pc.invert(ahead["firm"]))
    buckets = _sold_buckets(state, rows)
    sold, often = set(buckets), {item for item, count in buckets.items() if count >= FEWEST_SOLD_BUCKETS}
    beside = often if state.settings.netting.own_forecast else set()
    return frozenset((_items(rows) - sold) | (_items(ahead) - beside) | _items(forecast))


def forecast_products(state: State) -> frozenset[str]:
    """Products of which Datong forecasts demand itself, in some market: it goes on beyond the horizon."""
    return frozenset(item.product for item in own_items(state))


def own_items(state: State) -> frozenset[Item]:
    """Products and markets of which Datong forecasts demand itself."""
    return frozenset({Item(*pair) for pair in sold_pairs(state)} - given_items(state))


def _sold_buckets(state: State, asked: pa.Table) -> dict[Item, int]:
    """In how many buckets what rows of `demand` ask for was sold, where it was."""
    sales = sold_by_day(state)
    sales = sales.filter(pc.and_(sales["ordered"], pc.is_in(sales["product"], pc.unique(asked["product"]))))
    length, open_day = state.settings.calendar.bucket_days, day_number(state.first_open_bucket)
    bucket = pa.array((sales["day"].to_numpy() - open_day) // length)
    buckets = sales.select(["product", "market"]).append_column("bucket", bucket)
    buckets = buckets.group_by(["product", "market", "bucket"], use_threads=False).aggregate([])
    counted = buckets.group_by(["product", "market"], use_threads=False).aggregate([("bucket", "count")])
    items = map(Item, counted["product"].to_pylist(), counted["market"].to_pylist())
    return dict(zip(items, counted["bucket_count"].to_pylist(), strict=True))


def _items(rows: pa.Table) -> set[Item]:
    found = rows.select(["product", "market"]).group_by(["product", "market"], use_threads=False).aggregate([])
    return set(map(Item, found["product"].to_pylist(), found["market"].to_pylist()))


def _horizon(state: State) -> tuple[date, date]:
    """First day of the horizon, and the day after its last one."""
    first = state.first_open_bucket
    return first, state.settings.calendar.shift(first, state.settings.horizon_buckets)


def _in_horizon(state: State, rows: pa.Table) -> pa.Table:
    """Rows of `demand` that are due in the horizon."""
    first, end = _horizon(state)
    return rows.filter(pc.and_(pc.greater_equal(rows["due"], pa.scalar(first)), pc.less(rows["due"], pa.scalar(end))))


def orders_beside(state: State, items: Collection[Item]) -> pa.Table:
    """Firm rows of `demand`, closed ones too, that are due in the horizon and are of these items, which Datong
    forecasts itself. What has the key of a sale that is due in the horizon is among what the forecast knows to be
    ordered."""
    rows = _in_horizon(state, rows_that_net(state))
    rows = rows.filter(pc.and_(rows["firm"], pc.greater(rows["units"], 0.0)))
    named = pc.binary_join_element_wise(rows["product"], rows["market"], "\0")
    rows = rows.filter(pc.is_in(named, value_set=pa.array(["\0".join(item) for item in items], pa.string())))
    if not rows.num_rows:
        return rows
    sales = state.table("sales").select(["sale", "happened_at"])
    sales = sales.filter(pc.is_in(sales["sale"], value_set=rows["demand"].combine_chunks()))
    if not sales.num_rows:
        return rows
    days = local_days(sales, state) + state.settings.promise_days
    first, end = _horizon(state)
    is_ahead = [first <= as_day(day) < end for day in days.tolist()]
    known = sales["sale"].filter(pa.array(is_ahead, pa.bool_())).combine_chunks()
    return rows.filter(pc.invert(pc.is_in(rows["demand"], value_set=known)))


def with_orders(state: State, demand: Forecast, known: FloatArray) -> Forecast:
    """A forecast with the firm orders that are part of it, and what each consumed of which forecast.

    known: (item, bucket) units that are ordered otherwise, which no firm order consumes. What it would be without
    adjustments moves by as much as with them.
    """
    given, of_rows = given_items(state), netted(state).consumed
    own = [item for item in demand.items if item not in given]
    names = ["demand", "product", "market", "due", "units", "status"]
    orders: dict[Item, list[Mapping[str, Any]]] = defaultdict(list)
    for row in orders_beside(state, own).select(names).to_pylist():
        orders[Item(row["product"], row["market"])].append(row)
    for row in orders_beside(state, _parts_of_all(state, own)).select(names).to_pylist():
        orders[Item(row["product"], ALL)].append(row)
    if not orders:
        return replace(demand, netting=of_rows)
    place = {item: i for i, item in enumerate(demand.items)}
    paths, unadjusted = demand.paths.copy(), dict(demand.unadjusted)
    consumed: list[dict[str, Any]] = []
    for item, of_item in sorted(orders.items()):
        i = place[item]
        before = paths[i].mean(axis=0)
        as_now = np.asarray(paths[i], np.float64)
        paths[i], taken = _joined(as_now, item, of_item, known[i], demand.bucket_starts, state)
        consumed += taken
        if item in unadjusted:
            unadjusted[item] = np.maximum(unadjusted[item] + paths[i].mean(axis=0) - before, 0.0)
    of_own = pa.Table.from_pylist(consumed, schema=NETTING_SCHEMA)
    told = pa.concat_tables([of_rows, of_own]).combine_chunks()
    return replace(demand, paths=paths, unadjusted=unadjusted, netting=told)


def _parts_of_all(state: State, own: Sequence[Item]) -> list[Item]:
    """Items with orders that nobody forecasts, of products of which Datong forecasts all markets together. own: items
    that it forecasts."""
    of_all = {item.product for item in own if item.market == ALL}
    rows = _in_horizon(state, rows_that_net(state).select(["product", "market", "due", "firm"]))
    forecast = _items(rows.filter(pc.invert(rows["firm"])))
    return [i for i in sorted(_items(rows) - forecast - {*own}) if i.product in of_all and i.market != ALL]


def _joined(
    paths: FloatArray,
    item: Item,
    orders: Sequence[Mapping[str, Any]],
    known: FloatArray,
    starts: Sequence[date],
    state: State,
) -> tuple[FloatArray, list[dict[str, Any]]]:
    """(path, bucket) of an item with its orders, and what they consumed. Orders of other markets are demand there.
    known: (bucket), as in `with_orders`."""
    netting = state.settings.netting
    buckets = _Buckets(state.settings.calendar, netting)
    first = buckets.of(day_number(starts[0]))
    mean, firm, consumed = paths.mean(axis=0), np.zeros(len(starts)), list[dict[str, Any]]()
    left = paths - np.nan_to_num(known)
    for order in sorted(orders, key=lambda row: (row["due"], row["demand"])):
        due = day_number(order["due"])
        is_asked = order["status"] != CLOSED and order["market"] == item.market
        firm[buckets.of(due) - first] += order["units"] if is_asked else 0.0
        if netting.orders == "consume":
            for t, units in _taken(order["units"], left, (b - first for b in buckets.reach(due))):
                consumed.append(_row(order, item, starts[t], float(mean[t]), units))
    return left + np.nan_to_num(known) + firm, consumed


def _row(order: Mapping[str, Any], item: Item, bucket: date, forecast_units: float, units: float) -> dict[str, Any]:
    of_order = {"demand": order["demand"], "due": order["due"], "request_units": order["units"]}
    of_forecast = {"bucket": bucket, "forecast_row": None, "forecast_units": forecast_units}
    return {"product": item.product, "market": item.market, **of_forecast, **of_order, "units": units}


def _taken(order_units: float, left: FloatArray, reach: Iterable[int]) -> Iterator[tuple[int, float]]:
    """Open buckets in which an order consumes something of a forecast, and the units expected over the paths. left:
    (path, bucket) what is left of it; it is taken out of it. reach: buckets in turn."""
    rest = np.full(len(left), float(order_units))
    for t in reach:
        if not 0 <= t < left.shape[1]:
            continue
        if not (rest > NOTHING).any():
            return
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
