"""What the records say of prices and promotions: by item and bucket, closed and open ones.

The regular price is the list price (`prices`), where the list covers the item's history; else the middle price of its
order lines outside promotions, which a few large orders at a discount do not move as they would a mean, and of a bucket
without such lines the one before. Promotions are rows of `promotions`, and those that sales name and that have no row,
from their first to their last sale. An order is due promise_days later, so that the price of its own day counts.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.columns import as_day, day_number
from datong.ledger.state import State
from datong.model.flow import FloatArray, IntArray, Item, SeriesSet
from datong.sense.series import SaleRows, rows_of_sales
from datong.statistics.price_response import RECENT_BUCKETS, Panel, of_late

# Share of a bucket's days, and of an item's known buckets, that a list of prices must cover to be one.
COVERED_MIN, LISTED_MIN = 0.5, 0.8


@dataclass(frozen=True)
class PromotedSpan:
    """Days under a promotion. row: position in `promotions`, -1 where only sales name it. items: positions of the items
    concerned. share: (bucket, closed then open) share of its days."""

    row: int
    items: tuple[int, ...]
    share: FloatArray


@dataclass(frozen=True, eq=False)
class PriceFacts:
    """panel: of closed buckets. listed: (item, closed then open bucket) log of the list price, NaN where there is none.
    ahead: (item, open bucket) the list price ahead as a log in the terms of `panel.price`, NaN where not known. spans:
    promotions, past and planned. rows: of `prices` by product and market."""

    panel: Panel
    listed: FloatArray
    ahead: FloatArray
    spans: tuple[PromotedSpan, ...]
    rows: Mapping[tuple[str, str], Sequence[dict[str, Any]]]

    def rows_of(self, item: Item, first: date, after: date) -> list[dict[str, Any]]:
        """Rows of `prices` of an item that hold on any of these days."""
        own = self.rows.get((item.product, item.market)) or self.rows.get((item.product, "all"), ())
        return [
            r
            for r in own
            if (r["valid_from"] is None or r["valid_from"] < after) and (r["valid_to"] is None or r["valid_to"] > first)
        ]


def tells_ahead(state: State, series: SeriesSet) -> bool:
    """Whether a price that changes, or a promotion without a stated change, may reach into the open buckets."""
    first = series.horizon_starts[0] - timedelta(days=state.settings.promise_days) if series.horizon_starts else None
    if first is None:
        return False
    # A price that came lately is not yet in the level of demand.
    since = first - timedelta(days=length_of(series) * RECENT_BUCKETS)
    begins = state.versions("prices")["valid_from"]
    promotions = state.table("promotions").select(["to", "change_share"]).to_pylist()
    lately = pc.any(pc.greater(begins, since)).as_py() if len(begins) else False
    return bool(lately) or any(row["change_share"] is None and row["to"] > first for row in promotions)


def price_facts(state: State, series: SeriesSet, sales: SaleRows) -> PriceFacts:
    """sales: the rows of which the series was made."""
    closed = len(series.bucket_starts)
    days = _days(state, series)
    rows: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in state.versions("prices").to_pylist():
        rows[row["product"], row["market"]].append(row)
    listed = _listed(rows, series, days)
    spans = tuple(_spans(state, series, sales, days))
    promoted = np.zeros(listed.shape)
    for one in spans:
        promoted[list(one.items)] = np.maximum(promoted[list(one.items)], one.share)
    realised = _realised(state, series, sales, promoted[:, :closed])
    known = ~np.isnan(series.units)
    share = (known & ~np.isnan(listed[:, :closed])).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    by_list = (share >= LISTED_MIN)[:, None]
    price = np.where(by_list, listed[:, :closed], realised)
    # What a list says above or below what is paid, where both are known of late.
    apart = np.where(by_list[:, 0], 0.0, np.nan_to_num(of_late(listed[:, :closed] - realised)))
    return PriceFacts(
        Panel(series.units, price, promoted[:, :closed]), listed, listed[:, closed:] - apart[:, None], spans, rows
    )


def length_of(series: SeriesSet) -> int:
    starts = (*series.bucket_starts, *series.horizon_starts)
    return (starts[1] - starts[0]).days if len(starts) > 1 else 1


def _days(state: State, series: SeriesSet) -> IntArray:
    """(bucket, closed then open) first day on which its orders are placed, in days since 1970-01-01."""
    starts = (*series.bucket_starts, *series.horizon_starts)
    return np.array([day_number(start) for start in starts], np.int64) - state.settings.promise_days


def _overlap(first: date | None, after: date | None, days: IntArray, length: int) -> FloatArray:
    """(bucket) share of its days from `first` to the day before `after`; None: without end."""
    begin = days if first is None else np.maximum(days, day_number(first))
    end = days + length if after is None else np.minimum(days + length, day_number(after))
    return np.maximum(end - begin, 0) / length


def _listed(rows: Mapping[tuple[str, str], Sequence[dict[str, Any]]], series: SeriesSet, days: IntArray) -> FloatArray:
    """(item, closed then open bucket) log of the mean list price over its days, NaN where it covers too few."""
    length = length_of(series)
    sums: dict[tuple[str, str], tuple[FloatArray, FloatArray]] = {}
    for key, own_rows in rows.items():
        money, covered = sums.setdefault(key, (np.zeros(len(days)), np.zeros(len(days))))
        for row in own_rows:
            share = _overlap(row["valid_from"], row["valid_to"], days, length)
            money += share * row["price"]
            covered += share
    result = np.full((len(series.items), len(days)), np.nan)
    for i, item in enumerate(series.items):
        own = sums.get((item.product, item.market)) or sums.get((item.product, "all"))
        if own is not None:
            money, covered = own
            there = covered >= COVERED_MIN
            result[i, there] = np.log(money[there] / covered[there])
    return result


def _spans(state: State, series: SeriesSet, sales: SaleRows, days: IntArray) -> Iterator[PromotedSpan]:
    length = length_of(series)
    of_product: dict[str, list[int]] = defaultdict(list)
    for i, item in enumerate(series.items):
        of_product[item.product].append(i)

    def concerned(product: str, market: str | None) -> tuple[int, ...]:
        return tuple(i for i in of_product.get(product, ()) if market in (None, series.items[i].market))

    rows = state.table("promotions").select(["promotion", "product", "market", "from", "to"]).to_pylist()
    for n, row in enumerate(rows):
        items = concerned(row["product"], row["market"])
        share = _overlap(row["from"], row["to"], days, length)
        if items and share.any():
            yield PromotedSpan(n, items, share)
    told = {(row["promotion"], row["product"]) for row in rows}
    for (name, item), (first, last) in sorted(_named_in_sales(state, sales.items).items()):
        if (name, item.product) not in told:
            share = _overlap(as_day(first), as_day(last + 1), days, length)
            if share.any():
                yield PromotedSpan(-1, tuple(i for i in of_product[item.product] if series.items[i] == item), share)


def _named_in_sales(state: State, items: Sequence[Item]) -> dict[tuple[str, Item], tuple[int, int]]:
    """First and last day, in days since 1970-01-01, on which items were sold under a promotion."""
    column = state.table("sales")["promotion"]
    if column.null_count == len(column):
        return {}
    found: dict[tuple[str, Item], tuple[int, int]] = {}
    for part in rows_of_sales(state, items):
        sold = pa.table({"name": part.rows["promotion"], "item": part.item, "day": part.ordered_day})
        sold = sold.filter(pc.is_valid(sold["name"]))
        for row in sold.group_by(["name", "item"]).aggregate([("day", "min"), ("day", "max")]).to_pylist():
            key = row["name"], items[row["item"]]
            first, last = found.get(key, (row["day_min"], row["day_max"]))
            found[key] = min(first, row["day_min"]), max(last, row["day_max"])
    return found


def _realised(state: State, series: SeriesSet, sales: SaleRows, promoted: FloatArray) -> FloatArray:
    """(item, closed bucket) log of the middle price of its order lines outside promotions, or the one before."""
    shape = promoted.shape
    result = np.full(shape, np.nan)
    if not shape[1] or not len(sales.item):
        return result
    first_day = day_number(series.bucket_starts[0]) - state.settings.promise_days
    seen: list[pa.Table] = []
    for part in rows_of_sales(state, series.items):
        bucket = (part.ordered_day - first_day) // length_of(series)
        price = part.rows["price"].to_numpy(zero_copy_only=False).astype(np.float64)
        plain = pc.is_null(part.rows["promotion"]).to_numpy(zero_copy_only=False)
        inside = (bucket >= 0) & (bucket < shape[1]) & plain & (np.nan_to_num(price) > 0)
        inside[inside] &= promoted[part.item[inside], bucket[inside]] <= 0
        cell = part.item[inside] * shape[1] + bucket[inside]
        rows = pa.table({"cell": cell, "price": price[inside], "lines": np.ones(len(cell), np.int64)})
        same = pa.concat_tables([*seen, rows]).group_by(["cell", "price"], use_threads=False)
        seen = [same.aggregate([("lines", "sum")]).rename_columns(["cell", "price", "lines"])]
    there, middle = _middles(*(seen[0][name].to_numpy() for name in ("cell", "price", "lines")))
    result.flat[there] = np.log(middle)
    return _carried(result)


def _middles(cell: IntArray, value: FloatArray, lines: IntArray) -> tuple[IntArray, FloatArray]:
    """The distinct cells, ascending, and the median of the values of each. lines: how often a value stands there."""
    order = np.lexsort((value, cell))
    cell, value, until = cell[order], value[order], np.cumsum(lines[order])
    there, first = np.unique(cell, return_index=True)
    before = np.concatenate([[0], until])[first]
    count = np.diff(np.append(before, until[-1:] if len(until) else [0]))
    low = np.searchsorted(until, before + (count - 1) // 2, side="right")
    high = np.searchsorted(until, before + count // 2, side="right")
    return there, (value[low] + value[high]) / 2


def _carried(values: FloatArray) -> FloatArray:
    """(item, bucket) each, or where it is unknown the one before."""
    place = np.where(np.isnan(values), -1, np.arange(values.shape[1])[None, :])
    last = np.maximum.accumulate(place, axis=1)
    return np.where(last < 0, np.nan, np.take_along_axis(values, np.maximum(last, 0), axis=1))
