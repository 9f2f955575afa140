"""What a unit costs to keep, to have late and to lose, and is worth at the end, with every default filled in.

Of demand that is given, and not forecast, the default price of lateness is that at which nothing is late while a unit
could have been made ahead at no more than its holding. With h the holding and b the lateness of a unit and bucket, l a
lost sale, T the buckets of the horizon, K those of them that a request may wait, c the cost of a unit and f the
setting late_horizon_factor:

    b = max(late_share, f h T)          l = lost_sale_share + K (b - late_share)          where c < lost_sale_share

so that n buckets ahead cost n h < b, and whether a unit is served late or lost is as it was. A stated l is kept, and b
is then at most (l - c) / (K + 1). Where demand is forecast b is the newsvendor's price, which says how much stock is
kept for chance, and stays what late_share_per_week says.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.state import State
from datong.network.forecast_netting import forecast_products
from datong.network.horizon import Horizon, Row, or_default, rows_of, valid_on
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
    holding_factor: Mapping[str, float] | None = None,
    between: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Economics]:
    """Economics by product, or by the label of a stock point, of which `costs` and `holding_factor` are then. between:
    in-between product of a recipe's steps -> the product that it becomes, as which it is held; left at the end it is
    worth nothing.

    Where they change within the horizon, the mean over its buckets counts, and for a unit left at its end what holds
    then.
    """
    given = _given_economics(state, bucket_starts)
    kinds = dict(rows_of(state.table("products"), ("product", "kind")))
    planned = _planned(state, bucket_starts)
    shares, days = state.settings.defaults, state.settings.calendar.bucket_days
    weeks, longest, longest_wait = days / 7, _longest_waits(state), state.settings.max_late_days // days
    result = {}
    named = {p: p for p in prices} if stock_points is None else {name: p.product for name, p in stock_points.items()}
    cheapest: dict[str, float] = defaultdict(lambda: math.inf)
    dearest: dict[str, float] = defaultdict(float)
    factors = dict.fromkeys(named, 1.0) if holding_factor is None else holding_factor
    for label, product in named.items():
        cheapest[product] = min(cheapest[product], costs[label])
        dearest[product] = max(dearest[product], factors[label])
    for label, product in named.items():
        price, rows = prices[product], given.get(between.get(product, product), _NO_ECONOMICS)
        holding = _mean(rows, 0, shares.holding_share_per_week * price) * weeks
        usual = _Wait(shares.late_share_per_week * price * weeks, shares.lost_sale_share * price)
        ahead = shares.late_horizon_factor * holding * dearest[product] * len(bucket_starts)
        if product in planned and all(row[1] is None for row in rows):
            waits = min(longest.get(product, longest_wait), len(bucket_starts))
            usual = usual.dearer(ahead, cheapest[product], _stated_lost_sale(rows), waits)
        late = _mean(rows, 1, usual.late / weeks) * weeks
        lost_sale = _mean(rows, 2, usual.lost_sale)
        own_salvage = 0.0 if product in between else rows[-1][3]
        # Where demand goes on beyond the horizon, a unit left at its end saves making one then, and a unit that still
        # waits is made then.
        goes_on = kinds.get(product) == "finished" and product not in planned
        waiting = min(lost_sale, costs[label]) if goes_on else lost_sale
        salvage = or_default(own_salvage, waiting if goes_on else 0.0)
        salvage = honest_salvage(salvage, costs[label], waiting)
        result[label] = Economics(price, holding * factors[label], late, lost_sale, waiting, salvage)
    return result


@dataclass(frozen=True)
class _Wait:
    """Defaults of a product, in money per unit; late: for a bucket. lost_sale: of one never served."""

    late: float
    lost_sale: float

    def dearer(self, ahead: float, cost: float, stated_lost_sale: float | None, longest_wait: int) -> "_Wait":
        """Late at least as dear as `ahead`, where the product pays. cost: of a unit by its cheapest way. longest_wait:
        buckets that a request may wait."""
        lost_sale = self.lost_sale if stated_lost_sale is None else stated_lost_sale
        if cost >= lost_sale:
            return self
        if stated_lost_sale is not None:
            ahead = min(ahead, (stated_lost_sale - cost) / (longest_wait + 1))
        late = max(self.late, ahead)
        return _Wait(late, self.lost_sale + longest_wait * (late - self.late))


def _longest_waits(state: State) -> dict[str, int]:
    """Buckets that a request may wait, by product, where some of its rows of `demand` say how many days."""
    days, chain = state.settings.calendar.bucket_days, state.settings.max_late_days
    longest: dict[str, int] = {}
    table = state.table("demand")
    for product, own in rows_of(table.filter(pc.is_valid(table["max_late_days"])), ("product", "max_late_days")):
        longest[product] = max(own // days, chain // days, longest.get(product, 0))
    return longest


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


def _stated_lost_sale(rows: _Economics) -> float | None:
    """The least that any of the rows says; None where none does."""
    stated = [row[2] for row in rows if row[2] is not None]
    return min(stated, default=None)


def _planned(state: State, bucket_starts: Sequence[date]) -> set[str]:
    """Products with rows in `demand` that are due in these buckets or before, and no forecast beside them."""
    demand = state.table("demand")  # of every status: nobody forecasts what rows of demand are about
    end = state.settings.calendar.shift(bucket_starts[0], len(bucket_starts))
    asked = demand["product"].filter(pc.less(demand["due"], pa.scalar(end)))
    return set(pc.unique(asked).to_pylist()) - forecast_products(state)


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
