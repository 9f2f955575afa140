"""What a unit costs to keep, to have late and to lose, and is worth at the end, with every default filled in."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.state import State
from datong.network.forecast_netting import forecast_products
from datong.network.horizon import EPOCH_WEEKDAY, Horizon, Row, day_numbers, or_default, rows_of, valid_on
from datong.network.places import StockPoint

_ECONOMICS = (
    "holding_cost_per_unit_week",
    "late_cost_per_unit_week",
    "lost_sale_cost_per_unit",
    "salvage_per_unit",
)


_NO_ECONOMICS = ((None,) * len(_ECONOMICS),)


@dataclass(frozen=True)
class Economics:
    """What being wrong costs for a product, in money per unit; holding and late are for one bucket,
    lost_sale for a unit that is never served.

    waiting_at_end and salvage: of a unit that still waits, or is left, when the horizon ends.
    """

    price: float
    holding_per_bucket: float
    late_per_bucket: float
    lost_sale: float
    waiting_at_end: float
    salvage: float


def prices_of(state: State) -> dict[str, float]:
    default = state.settings.defaults.price
    return {p: or_default(price, default) for p, price in rows_of(state.table("products"), ("product", "price"))}


def economics_of(
    state: State,
    prices: Mapping[str, float],
    costs: Mapping[str, float],
    bucket_starts: Sequence[date],
    stock_points: Mapping[str, StockPoint] | None = None,
) -> dict[str, Economics]:
    """Economics by product, or by the label of a stock point, of which `costs` are then.

    Where they change within the horizon, the mean over its buckets counts, and for a unit left at its end what holds
    then.
    """
    given = _given_economics(state, bucket_starts)
    kinds = dict(rows_of(state.table("products"), ("product", "kind")))
    planned = _planned(state, bucket_starts)
    shares = state.settings.defaults
    weeks = state.settings.calendar.bucket_days / 7
    result = {}
    named = {p: p for p in prices} if stock_points is None else {name: p.product for name, p in stock_points.items()}
    for label, product in named.items():
        price, rows = prices[product], given.get(product, _NO_ECONOMICS)
        holding = _mean(rows, 0, shares.holding_share_per_week * price) * weeks
        late = _mean(rows, 1, shares.late_share_per_week * price) * weeks
        lost_sale = _mean(rows, 2, shares.lost_sale_share * price)
        own_salvage = rows[-1][3]
        # Where demand goes on beyond the horizon, a unit left at its end saves making one then, and a unit that still
        # waits is made then.
        goes_on = kinds[product] == "finished" and product not in planned
        waiting = min(lost_sale, costs[label]) if goes_on else lost_sale
        salvage = or_default(own_salvage, waiting if goes_on else 0.0)
        salvage = honest_salvage(salvage, costs[label], waiting)
        result[label] = Economics(price, holding, late, lost_sale, waiting, salvage)
    return result


# Holding, late, lost sale and salvage as `economics` has them, None where a default fills them; one row, or one for
# each bucket.
_Economics = tuple[tuple[float | None, ...], ...]


def _given_economics(state: State, bucket_starts: Sequence[date]) -> dict[str, _Economics]:
    """The rows of `economics` by product: one, or where they change within the horizon one for each bucket."""
    table = state.versions("economics")
    names = ("product", *_ECONOMICS, "valid_from", "valid_to")
    rows: dict[str, list[Row]] = defaultdict(list)
    found: dict[str, _Economics] = {}
    for product, *own, valid_from, valid_to in rows_of(table, names):
        found[product] = (tuple(own),)
        if valid_from is not None or valid_to is not None or product in rows:
            rows[product].append({"own": tuple(own), "valid_from": valid_from, "valid_to": valid_to})
    horizon = Horizon.of(state, bucket_starts)
    for product, versions in rows.items():
        held = horizon.held(product, versions, rows)
        in_bucket = tuple(
            next((r["own"] for r in held if valid_on(start, r["valid_from"], r["valid_to"])), _NO_ECONOMICS[0])
            for start in bucket_starts
        )
        found[product] = (in_bucket[:1] if len(set(in_bucket)) == 1 else in_bucket) or (held[0]["own"],)
    return found


def _mean(rows: _Economics, column: int, default: float) -> float:
    if len(rows) == 1:
        return or_default(rows[0][column], default)
    return math.fsum(or_default(row[column], default) for row in rows) / len(rows)


def _planned(state: State, bucket_starts: Sequence[date]) -> set[str]:
    """Products with rows in `demand` that are due in these buckets, and no forecast beside them."""
    demand = state.table("demand")  # of every status: nobody forecasts what rows of demand are about
    due = demand["due"].cast(pa.int32()).to_numpy()
    if state.settings.calendar.unit == "week":
        due = due - (due + EPOCH_WEEKDAY) % 7
    inside = np.isin(due, day_numbers(bucket_starts))
    return set(pc.unique(demand["product"].filter(pa.array(inside))).to_pylist()) - forecast_products(state)


def honest_salvage(salvage: float, cost: float, waiting_at_end: float) -> float:
    """Salvage, but never more than the cheapest way to get the unit: nobody earns by making leftovers, nor by refusing
    a buyer to keep the unit."""
    return min(salvage, cost, waiting_at_end)


def costs_where_none(costs: Mapping[str, float], points: Mapping[str, StockPoint]) -> dict[str, float]:
    """Costs; of a stock point that nothing leads to but what lies there, the dearest of its product's other points.

    So what is left there is worth no less than where it could be moved to: nobody gains by moving leftovers.
    """
    dearest: dict[str, float] = defaultdict(float)
    for label, cost in costs.items():
        if math.isfinite(cost):
            dearest[points[label].product] = max(dearest[points[label].product], cost)
    return {
        label: cost if math.isfinite(cost) else dearest.get(points[label].product, math.inf)
        for label, cost in costs.items()
    }
