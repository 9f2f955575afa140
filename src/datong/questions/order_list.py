"""What to order now, a line for each product: what is there, what it sells, what is ordered, how long that lasts."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.state import State
from datong.model.calendar import Calendar
from datong.model.flow import FROM_OTHERS, FloatArray, Forecast
from datong.network.planned_demand import pooled_demand
from datong.network.position import position
from datong.network.stock_on_hand import last_counts

# Days over which what a product is expected to sell a week is taken.
PACE_DAYS = 28
ORDER_LIST_SCHEMA = pa.schema(
    [
        ("product", pa.string()),
        ("name", pa.string()),
        ("image", pa.string()),
        ("base_unit", pa.string()),
        ("counted", pa.bool_()),
        ("on_hand_units", pa.float64()),
        ("under_way_units", pa.float64()),
        ("week_units", pa.float64()),
        ("order_units", pa.float64()),
        ("lasts_until", pa.date32()),
        ("lasts_beyond", pa.bool_()),
        ("short_chance", pa.float64()),
        ("free", pa.bool_()),
        ("borrowed", pa.bool_()),
    ]
)


def order_list(state: State, forecast: Forecast, tables: Mapping[str, pa.Table]) -> pa.Table:
    """A row for each product that is forecast, most urgent first (ORDER_LIST_SCHEMA). tables: of the run.

    counted: there is a stock count of it; else on_hand_units is what is left of what came by the records, and nothing
    besides is assumed to be in stock. week_units: demand expected a week,
    without what is owed from before, in the buckets of `pace`. order_units: what the plan orders or starts before the
    second bucket. lasts_until: the last day that all of this is expected to reach; lasts_beyond: it reaches beyond the
    horizon. short_chance: that without an order now demand exceeds what is there and under way before a later order
    could arrive. free: none of its sales has a price, as most others have. borrowed: its demand is taken from other
    products, for want of history of its own.
    """
    calendar, where = state.settings.calendar, position(state)
    asked = pooled_demand(forecast, where, calendar.bucket_days)
    expected, free, borrowed = _expected(forecast), _free(state.table("sales")), _borrowed(forecast)
    paced = pace(forecast.bucket_starts, state.today, calendar.bucket_days)
    lead = _leads(tables["ways"])
    now = _ordered_now(tables["orders"], calendar.shift(forecast.bucket_starts[0], 1))
    coming: dict[str, float] = defaultdict(float)
    for order in where.under_way:
        coming[order.product] += order.units
    stock = state.table("stock")
    counted = set(stock["product"].filter(pc.is_valid(stock["units"])).to_pylist())
    rows = []
    for known in state.table("products").select(["product", "name", "image", "base_unit"]).to_pylist():
        product = known["product"]
        if product not in asked:
            continue
        paths = asked[product]
        mean = paths.mean(axis=0)
        there = where.on_hand_units.get(product, 0.0)
        there = there if product in counted else max(there, 0.0)
        have = there + coming[product]
        pace_units = expected.get(product, np.zeros(len(mean)))[paced].mean()
        window = min(lead.get(product, 1) + 1, len(mean))
        last = _lasts(have + now.get(product, 0.0), mean, forecast.bucket_starts[0], calendar, state.today)
        rows.append(
            known
            | {
                "counted": product in counted,
                "on_hand_units": there,
                "under_way_units": coming[product],
                "week_units": float(pace_units) * 7 / calendar.bucket_days,
                "order_units": now.get(product, 0.0),
                "lasts_until": last,
                "lasts_beyond": last is None,
                "free": product in free,
                "borrowed": product in borrowed,
                "short_chance": float((paths[:, :window].sum(axis=1) > have + 1e-9).mean()),
            }
        )
    rows.sort(key=lambda r: (-r["short_chance"], -r["order_units"], r["product"]))
    return pa.Table.from_pylist(rows, ORDER_LIST_SCHEMA)


def last_counted(state: State) -> dict[str, tuple[float, date]]:
    """Units and day of the last count of each product, all its places together; the day is that of the latest."""
    units: dict[str, float] = defaultdict(float)
    for row in last_counts(state).to_pylist():
        units[row["product"]] += row["units"]
    days: dict[str, date] = {}
    for row in state.table("stock").select(["product", "happened_at", "units"]).to_pylist():
        if row["units"] is not None:
            day = state.settings.calendar.local_date(row["happened_at"])
            days[row["product"]] = max(day, days.get(row["product"], day))
    return {product: (count, days[product]) for product, count in units.items()}


def pace(starts: Sequence[date], today: date, bucket_days: int) -> slice:
    """The buckets of the next PACE_DAYS that have not begun; all, where the horizon holds no such bucket."""
    first = sum(start <= today for start in starts)
    return slice(first, first + -(-PACE_DAYS // bucket_days)) if first < len(starts) else slice(0, len(starts))


def _expected(forecast: Forecast) -> dict[str, FloatArray]:
    """Units that are expected of each product in each bucket, all markets together: product -> (bucket,)."""
    found: dict[str, FloatArray] = {}
    for item, paths in zip(forecast.items, forecast.paths, strict=True):
        found[item.product] = found.get(item.product, 0.0) + paths.mean(axis=0)
    return found


def _free(sales: pa.Table) -> set[str]:
    """Products without a price above 0 in any sale, where most products have one."""
    most = sales.select(["product", "price"]).group_by("product").aggregate([("price", "max")]).to_pylist()
    free = {row["product"] for row in most if (row["price_max"] or 0.0) <= 0}
    return free if 2 * len(free) < len(most) else set()


def _borrowed(forecast: Forecast) -> set[str]:
    """Products of which the demand that is expected most comes by a method that others tell the level of."""
    of: dict[str, list[float]] = {}
    for item, method, paths in zip(forecast.items, forecast.method, forecast.paths, strict=True):
        units = of.setdefault(item.product, [0.0, 0.0])
        units[method in FROM_OTHERS] += float(paths.mean(axis=0).sum())
    return {product for product, (own, others) in of.items() if others > own}


def _leads(ways: pa.Table) -> dict[str, int]:
    """Buckets of the shortest way of each product."""
    found: dict[str, int] = {}
    for product, buckets in zip(ways["product"].to_pylist(), ways["lead_buckets"].to_pylist(), strict=True):
        found[product] = min(found.get(product, buckets), buckets)
    return found


def _ordered_now(orders: pa.Table, after: date) -> dict[str, float]:
    """Units that are ordered before a day, of orders that are not out yet."""
    found: dict[str, float] = defaultdict(float)
    for row in orders.select(["product", "units", "start", "locked"]).to_pylist():
        if row["start"] < after and not row["locked"]:
            found[row["product"]] += row["units"]
    return found


def _lasts(units: float, mean: FloatArray, first: date, calendar: Calendar, today: date) -> date | None:
    """The last day that units reach where demand comes as expected; None: beyond the horizon. What is still to come of
    a bucket that has begun comes from today on."""
    used = np.cumsum(mean)
    bucket = int(np.searchsorted(used, units, side="right"))
    if bucket >= len(mean):
        return None
    before = used[bucket - 1] if bucket else 0.0
    share = (units - before) / mean[bucket] if mean[bucket] > 0 else 0.0
    start = max(calendar.shift(first, bucket), min(today, calendar.shift(first, bucket + 1)))
    left = (calendar.shift(first, bucket + 1) - start).days
    return start + timedelta(days=int(share * left) - 1)
