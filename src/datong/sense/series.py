"""Clean demand series from the ledger's rows: what was due in each bucket, and where the records do not tell."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.columns import as_day, day_number, local_days, pairs
from datong.ledger.daily_sales import sold_by_day
from datong.ledger.large_tables import is_large, parts
from datong.ledger.state import State
from datong.model.flow import (
    ON_SALE,
    BoolArray,
    FloatArray,
    HolidayBucket,
    IntArray,
    Item,
    SeriesSet,
)
from datong.network.forecast_netting import given_items, netted
from datong.network.sales_recorded_until import sales_end
from datong.network.unasked_products import unasked_products
from datong.sense.assumed_days import assumed_days
from datong.sense.holidays import holiday_buckets, holidays_between
from datong.sense.stockouts import stocked_out

# The chain's first bucket counts as unknown when the weekdays before its first record usually hold more than this.
PARTIAL_BUCKET_SHARE = 0.1

# What of a product, beside its widest category, items are held to be alike by.
PRODUCT_ATTRIBUTES = ("category_b", "category_c", "brand")


@dataclass(frozen=True, eq=False)
class SaleRows:
    """Sales that count as demand, one entry per row of the ledger's table, or where that is large
    (ledger/large_tables.py) per item and day.

    items: sorted (product, market) of all sales. item: index into it. ordered_day, due_day: days since 1970-01-01 in
    the chain's zone. units.
    """

    items: tuple[Item, ...]
    item: IntArray
    ordered_day: IntArray
    due_day: IntArray
    units: FloatArray


def sale_rows(state: State) -> SaleRows:
    """The `sales` rows in state 'ordered', dated by the chain's local day; due promise_days after the order."""
    rows = state.table("sales")
    if is_large(rows):
        sold = sold_by_day(state)
        sold = sold.filter(sold["ordered"])
        items, item = _coded(sold)
        return _dated(items, item, sold["day"].to_numpy(), sold["units"].to_numpy(), state)
    rows = rows.select(["happened_at", "product", "market", "units", "state"])
    rows = rows.filter(pc.fill_null(pc.equal(rows["state"], "ordered"), False))
    items, item = _coded(rows)
    return _dated(items, item, local_days(rows, state), rows["units"].to_numpy(), state)


def _dated(items: tuple[Item, ...], item: IntArray, day: IntArray, units: FloatArray, state: State) -> SaleRows:
    return SaleRows(items, item, day, day + state.settings.promise_days, units.astype(np.float64))


def rows_of_sales(state: State, items: Sequence[Item]) -> Iterator["RowsOfSales"]:
    """The `sales` rows in state 'ordered', a part of the table at a time. items: of which `item` gives the place."""
    at = {item: i for i, item in enumerate(items)}
    begin = 0
    for part in parts(
        state.table("sales"), ("happened_at", "product", "market", "units", "state", "price", "promotion")
    ):
        row = np.flatnonzero(pc.fill_null(pc.equal(part["state"], "ordered"), False).to_numpy())
        rows = part.take(pa.array(row))
        found, item = _coded(rows)
        own = np.array([at[one] for one in found], np.int64)[item] if len(item) else item
        yield RowsOfSales(own, local_days(rows, state), row + begin, rows)
        begin += part.num_rows


@dataclass(frozen=True, eq=False)
class RowsOfSales:
    """item: by row the place of its item. ordered_day: days since 1970-01-01 in the chain's zone. row: position in the
    state's `sales` table. rows: units, price, promotion among others."""

    item: IntArray
    ordered_day: IntArray
    row: IntArray
    rows: pa.Table


def _coded(rows: pa.Table) -> tuple[tuple[Item, ...], IntArray]:
    """Sorted items of a table with columns `product` and `market`, and each row's position among them."""
    item, found = pairs(rows["product"], rows["market"])
    names = [Item(*pair) for pair in found]
    order = sorted(range(len(names)), key=lambda i: names[i])
    rank = np.empty(len(names), np.int64)
    rank[order] = np.arange(len(names))
    return tuple(names[i] for i in order), rank[item]


@dataclass(frozen=True, eq=False)
class _Wanted:
    """Rows of the ledger's `demand` table, forecasts less the firm orders that are part of them: sorted items; by row
    item (index into them), due_day (days since 1970-01-01) and units. given: items of whose demand nothing else is
    known."""

    items: tuple[Item, ...]
    item: IntArray
    due_day: IntArray
    units: FloatArray
    given: frozenset[Item]


def _wanted(state: State) -> _Wanted:
    table = netted(state).rows.select(["product", "market", "due", "units"])
    items, item = _coded(table)
    due_day = table["due"].cast(pa.int32()).to_numpy().astype(np.int64)
    return _Wanted(items, item, due_day, table["units"].to_numpy().astype(np.float64), given_items(state))


def demand_series(state: State) -> SeriesSet:
    """Demand of every item by due bucket as known at the state's moment (see SeriesSet).

    Items are all (product, market) with sales or with rows in `demand`, and finished products that have neither but are
    launched in the horizon or were lately, in every market there is: what nobody has bought or asked for is no item.
    Closed buckets run from the first due sale to the first open one.

    Unknown (NaN) are: buckets before the item was there, that is before its launch when `launched_on` is given, but
    never after its first sale (goods are ordered before their launch, too), else before its first sale; the chain's
    first bucket when the records start in its middle; buckets that had not ended at the state's moment; and stocked-out
    ones; and those after the chain's records of sales end (network/sales_recorded_until.py). Else zeros after the last
    sale of an item are zeros.
    """
    return series_of_sales(state, sale_rows(state))


def series_of_sales(state: State, sales: SaleRows) -> SeriesSet:
    """`demand_series` of sales that are already at hand."""
    settings, calendar = state.settings, state.settings.calendar
    columns = ["product", "kind", "category_a", *PRODUCT_ATTRIBUTES, "launched_on"]
    products = state.table("products").select(columns).to_pydict()
    wanted = _wanted(state)
    items = _items(sales, unasked_products(state).launched, wanted)
    item = _positions(sales.items, items)[sales.item] if len(sales.item) else sales.item

    open_start, length = state.first_open_bucket, calendar.bucket_days
    horizon_starts = calendar.starts(open_start, settings.horizon_buckets)
    open_day = day_number(open_start)
    origin = calendar.bucket_start(as_day(sales.due_day.min())) if len(sales.due_day) else open_start
    closed = max((open_start - origin).days // length, 0)
    bucket_starts = tuple(calendar.shift(origin, b) for b in range(closed))

    shape = (len(items), closed)
    bucket = (sales.due_day - day_number(origin)) // length
    ahead = (sales.due_day - open_day) // length
    sold = _sums(item, bucket, sales.units, shape)
    # What was known of a closed bucket when it was as old as the first open one is now: 0 days where it just opens.
    age_days = max(day_number(state.today) - open_day, 0)
    before = sales.ordered_day < day_number(origin) + bucket * length + age_days
    known = _sums(item[before], bucket[before], sales.units[before], shape)
    # Of days that were assumed, part of a bucket would tell the whole of it too well.
    known[assumed_days(state, items, bucket_starts, sold)] = np.nan
    known_ahead = _sums(item, ahead, sales.units, (len(items), len(horizon_starts)))

    # A holiday stills the orders of its own day, which are due promise_days later: look that much further back.
    first_day = origin - timedelta(days=settings.promise_days)
    found = holidays_between(settings.country, first_day, calendar.shift(horizon_starts[-1], 1) - timedelta(days=1))
    near_holiday = _near_holiday([h.day for h in found], origin, closed, length, settings.promise_days)
    launch = _launch_buckets(items, products, origin, length)
    first_known = _first_known(item, bucket, closed, launch)
    there = np.arange(closed)[None, :] >= first_known[:, None]
    there[:, ~_wholly_recorded(sales, origin, closed, length)] = False
    if (end := sales_end(state)) is not None:  # what was sold since, nobody has told
        asked = timedelta(days=settings.promise_days + 1)
        there[:, np.array([not end.covers(calendar.shift(s, 1) - asked) for s in bucket_starts], bool)] = False
    there[:, np.array([s >= calendar.bucket_start(state.today) for s in bucket_starts], bool)] = False

    availability = stocked_out(state, items, bucket_starts, sold, there, near_holiday)
    units = np.where(there & (availability == ON_SALE), sold, np.nan)
    category = dict(zip(products["product"], products["category_a"], strict=True))
    return SeriesSet(
        items=items,
        bucket_starts=bucket_starts,
        horizon_starts=horizon_starts,
        units=units,
        sold_units=sold,
        availability=availability,
        known_ahead_units=known_ahead,
        given_units=_given(items, wanted, open_day, len(horizon_starts), length),
        known_ahead_history=known[:, :, None],
        holidays=_in_view(holiday_buckets(found, calendar), origin),
        category=tuple(category.get(i.product) or "" for i in items),
        attributes=_attributes(state, items, products),
        launch_ahead=np.where((first_known == closed) & ~np.isnan(launch), launch - closed, -1).astype(np.int64),
    )


def _attributes(
    state: State, items: tuple[Item, ...], products: Mapping[str, Sequence[Any]]
) -> dict[str, tuple[str, ...]]:
    """By name, (item) what is known of the product, and of the site where the market is one; only what tells items
    apart."""
    sites = state.table("sites").select(["site", "region"]).to_pydict()
    known: dict[str, tuple[str, ...]] = {}
    for name in ("category_a", *PRODUCT_ATTRIBUTES):
        value = dict(zip(products["product"], products[name], strict=True))
        known[name] = tuple(value.get(i.product) or "" for i in items)
    region = dict(zip(sites["site"], sites["region"], strict=True))
    known["region"] = tuple(region.get(i.market) or "" for i in items)
    return {name: values for name, values in known.items() if len(set(values)) > 1}


def _items(sales: SaleRows, launched: tuple[str, ...], wanted: _Wanted) -> tuple[Item, ...]:
    """Sorted items: sold, wanted, and launched products that are neither, in every market (or 'all')."""
    known = {*sales.items, *wanted.items}
    markets = {i.market for i in known} or {"all"}
    return tuple(sorted(known | {Item(p, m) for p in launched for m in markets}))


def _positions(some: tuple[Item, ...], items: tuple[Item, ...]) -> IntArray:
    at = {item: i for i, item in enumerate(items)}
    return np.array([at[item] for item in some], np.int64)


def _sums(row: IntArray, column: IntArray, values: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """Values added up by (row, column); columns outside are left out."""
    inside = (column >= 0) & (column < shape[1])
    flat = np.bincount(row[inside] * shape[1] + column[inside], values[inside], shape[0] * shape[1])
    return flat.astype(np.float64).reshape(shape)


def _launch_buckets(
    items: tuple[Item, ...], products: Mapping[str, Sequence[Any]], origin: date, length: int
) -> FloatArray:
    """(item) bucket of its `launched_on`, below 0 before the first one; NaN where not given."""
    launch = {p: d for p, d in zip(products["product"], products["launched_on"], strict=True) if d is not None}
    return np.array([(launch[i.product] - origin).days // length if i.product in launch else np.nan for i in items])


def _first_known(item: IntArray, bucket: IntArray, closed: int, launch: FloatArray) -> IntArray:
    """(item) first closed bucket in which each item was there; `closed` where it was not yet."""
    first = np.full(len(launch), closed, np.int64)
    np.minimum.at(first, item, bucket)
    launched = np.where(np.isnan(launch), closed, launch).astype(np.int64)
    return np.clip(np.minimum(first, launched), 0, closed)


def _wholly_recorded(sales: SaleRows, origin: date, closed: int, length: int) -> BoolArray:
    """(bucket) False for the chain's first bucket when its weekdays before the first record usually matter."""
    whole = np.ones(closed, bool)
    if closed < 2:
        return whole
    position = (sales.due_day - day_number(origin)) % length
    later = sales.due_day >= day_number(origin) + length
    missing = position < (sales.due_day.min() - day_number(origin))
    total = sales.units[later].sum()
    whole[0] = total <= 0 or sales.units[later & missing].sum() / total <= PARTIAL_BUCKET_SHARE
    return whole


def _near_holiday(days: list[date], origin: date, closed: int, length: int, promise_days: int) -> BoolArray:
    """(bucket) True where a holiday falls, or where the orders of a holiday are due."""
    near = np.zeros(closed, bool)
    for day in days:
        for due in (day, day + timedelta(days=promise_days)):
            bucket = (due - origin).days // length
            if 0 <= bucket < closed:
                near[bucket] = True
    return near


def _in_view(found: tuple[HolidayBucket, ...], origin: date) -> tuple[HolidayBucket, ...]:
    return tuple(h for h in found if h.bucket >= origin)


def _given(items: tuple[Item, ...], wanted: _Wanted, open_day: int, horizon: int, length: int) -> FloatArray:
    """(item, bucket ahead) units of the `demand` table; NaN for items that are forecast: firm orders of theirs join
    the forecast (network/forecast_netting.py).

    Rows due before the first open bucket are past: what of them was not served is not known from this table.
    """
    ahead = (wanted.due_day - open_day) // length
    inside = (ahead >= 0) & (ahead < horizon)
    row = _positions(wanted.items, items)[wanted.item[inside]]
    sums = _sums(row, ahead[inside], wanted.units[inside], (len(items), horizon))
    is_given = np.array([item in wanted.given for item in items], dtype=bool)
    return np.where(is_given[:, None], sums, np.nan)
