"""What is to lie in stock beside what does, and beside what the economics alone would keep.

The economics keep, of the demand D(t) of a product that planning sees, the units X at which one more costs as much as
it saves, G(X) = h / (h + b) (docs/balance.md, section 2). A smallest stock s stands beside the stock that this is,
E max(X - D, 0), and the difference of the two costs a bucket

    f(s) - f(E max(X - D, 0)),     f(s) = h s + b E max(D - Y, 0),     Y such that E max(Y - D, 0) = s.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce

import numpy as np
import pyarrow as pa

from datong.balance.arrays import Market
from datong.balance.rules.stock_held import StockHeld
from datong.balance.scarcity import product_of
from datong.model.findings import Finding, finding
from datong.model.flow import STOCK_LIMITS_SCHEMA, FloatArray
from datong.model.settings import ChainSettings
from datong.model.words import Message, message, shown

# Units and money below this are nothing.
NOTHING = 1e-6
# A stock that is short by less than this many units is not told.
LEAST_TOLD = 0.5
# So many targets are named in a finding.
MOST_NAMED = 5


def stock_limits(market: Market, stock: FloatArray) -> pa.Table:
    """A row for each target and bucket; site null: of all sites together. smallest, missing, economic_units and
    difference_cost (money in the bucket) where there is a smallest stock, largest and beyond where there is a largest
    one. stock: (product, bucket) units at its end."""
    smallest, largest = market.rules.safety_stock, market.rules.largest_stock
    economic, difference = beside_economics(market)
    lies = smallest.stock.together(stock, len(smallest.smallest))
    parts = [
        _rows(market, smallest.stock, lies, smallest.smallest, economic, difference),
        _rows(market, largest.stock, largest.stock.together(stock, len(largest.largest)), largest.largest),
    ]
    order = [("product", "ascending"), ("site", "ascending"), ("bucket", "ascending")]
    return pa.concat_tables(parts).sort_by(order)


def _rows(
    market: Market,
    held: StockHeld,
    lies: FloatArray,
    limit: FloatArray,
    economic: FloatArray | None = None,
    difference: FloatArray | None = None,
) -> pa.Table:
    """Rows of one rule; with what the economics keep: of smallest stocks."""
    names = [_place(market, held, k) for k in range(len(limit))]
    target, bucket = np.nonzero(np.isfinite(limit))
    none = pa.nulls(len(target), pa.float64())
    told, units = limit[target, bucket], lies[target, bucket]
    columns = dict.fromkeys(STOCK_LIMITS_SCHEMA.names[4:], none)
    if economic is None or difference is None:
        columns |= {"largest_units": pa.array(told), "beyond_units": pa.array(np.maximum(units - told, 0.0))}
    else:
        columns |= {"smallest_units": pa.array(told), "missing_units": pa.array(np.maximum(told - units, 0.0))}
        columns["economic_units"] = pa.array(economic[target, bucket])
        columns["difference_cost"] = pa.array(difference[target, bucket])
    days = [market.bucket_starts[t] for t in bucket.tolist()]
    first = {
        "product": pa.array([names[k][0] for k in target.tolist()], pa.string()),
        "site": pa.array([names[k][1] for k in target.tolist()], pa.string()),
        "bucket": pa.array(days, pa.date32()),
        "stock_units": pa.array(units),
    }
    return pa.table(first | columns, schema=STOCK_LIMITS_SCHEMA)


def _place(market: Market, held: StockHeld, target: int) -> tuple[str, str | None]:
    """Product and site of a target; of several stock points, and of a chain without lanes, no site."""
    points = [market.products.names[p] for p in held.product[held.target == target].tolist()]
    product = product_of(market, points[0])
    if len(points) > 1 or points[0] not in market.places.stock_points:
        return product, None
    return product, market.places.stock_points[points[0]].site or None


def beside_economics(market: Market) -> tuple[FloatArray, FloatArray]:
    """(target, bucket) of smallest stocks: units that the economics keep, and money that the difference costs."""
    rule = market.rules.safety_stock
    economic, difference = np.zeros(rule.smallest.shape), np.zeros(rule.smallest.shape)
    curves: dict[int, list[_Spread]] = {}
    for k in range(len(rule.smallest)):
        points = rule.stock.product[rule.stock.target == k].tolist()
        for p in points:
            if p not in curves:
                curves[p] = _spreads(market, p)
        for t in range(market.buckets):
            own = [curves[p][t] for p in points]
            kept = np.array([of.kept for of in own])
            economic[k, t] = kept.sum()
            share = kept / kept.sum() if kept.sum() > 0 else np.full(len(own), 1.0 / len(own))
            each = share * rule.smallest[k, t]
            pairs = zip(own, each.tolist(), strict=True)
            difference[k, t] = sum(max(of.cost(units) - of.cost(of.kept), 0.0) for of, units in pairs)
    return economic, difference


@dataclass(frozen=True, eq=False)
class _Spread:
    """Cumulative demand of a product up to one bucket, and what its stock costs."""

    # (path) units, rising.
    ordered: FloatArray
    # Money per unit and bucket in stock.
    holding: float
    # Money per unit and bucket of waiting.
    late: float

    @property
    def kept(self) -> float:
        """Units expected in stock where one more costs as much as it saves."""
        share = self.late / max(self.late + self.holding, 1e-300)
        level = self.ordered[max(int(np.ceil(share * len(self.ordered) - 1e-9)) - 1, 0)]
        return float(np.maximum(level - self.ordered, 0.0).mean())

    def cost(self, stock: float) -> float:
        """Money in the bucket of holding so many units, as expected, and of what then waits."""
        count = len(self.ordered)
        so_far = np.concatenate([[0.0], np.cumsum(self.ordered)[:-1]])
        over = (np.arange(count) * self.ordered - so_far) / count  # where supply is the k-th value
        level = float(np.interp(stock, over, self.ordered)) + max(stock - float(over[-1]), 0.0)
        return self.holding * stock + self.late * float(np.maximum(self.ordered - level, 0.0).mean())


def _spreads(market: Market, product: int) -> list[_Spread]:
    """By bucket; of a product that nobody asks for, demand of nothing."""
    total = np.zeros((1, market.buckets))
    for d in np.flatnonzero(market.demand.product == product).tolist():
        total = total + market.demand.cumulative[d]
    holding, late = float(market.money.holding[product]), float(market.money.late[product])
    ordered = np.sort(total, axis=0)
    return [_Spread(ordered[:, t], holding, late) for t in range(market.buckets)]


def stock_told(market: Market, stock: FloatArray, settings: ChainSettings) -> tuple[Finding, ...]:
    """Where a smallest stock is not there, and from when on it is; and what the economics would keep beside it. stock:
    (product, bucket) units at its end."""
    rule = market.rules.safety_stock
    if not rule.is_there:
        return ()
    unit, starts = settings.calendar.unit, market.bucket_starts
    names = [_called(*_place(market, rule.stock, k), float(rule.lead_days[k])) for k in range(len(rule.smallest))]
    missing = rule.missing(stock)
    short = np.argsort(-missing.max(axis=1, initial=0.0), kind="stable").tolist()
    below = [
        _below(names[k], missing[k], rule.smallest[k], unit, starts)
        for k in short
        if missing[k].max(initial=0.0) >= LEAST_TOLD
    ]
    found = []
    if below:
        found.append(finding("warning", "stock_rules.below", "stock_rules", count=len(below), names=listed(below)))
    economic, difference = beside_economics(market)
    weeks = settings.calendar.bucket_days / 7
    beside = [
        message(
            "stock_rules.beside_one",
            what=names[k],
            smallest=shown(float(rule.smallest[k].mean())),
            economic=shown(float(economic[k].mean())),
            money=round(float(difference[k].mean()) / weeks, 2),
            currency=settings.currency,
        )
        for k in np.argsort(-difference.sum(axis=1), kind="stable").tolist()
    ]
    found.append(finding("note", "stock_rules.beside", "stock_rules", count=len(beside), names=listed(beside)))
    return tuple(found)


def listed(words: Sequence[Message]) -> Message:
    """The first few, and how many more there are."""
    some = list(words[:MOST_NAMED])
    if len(words) > MOST_NAMED:
        some.append(message("netting.more", count=len(words) - MOST_NAMED))
    return reduce(lambda before, following: message("netting.parts", before=before, following=following), some)


def _called(product: str, site: str | None, lead_days: float) -> str | Message:
    """lead_days: of the safety lead time that its smallest stock holds."""
    name = product if site is None else f"{product} ({site})"
    return name if lead_days <= 0 else message("stock_rules.with_lead", what=name, days=shown(lead_days))


def _below(
    name: str | Message, missing: FloatArray, smallest: FloatArray, unit: str, starts: Sequence[date]
) -> Message:
    """A: 8 short of 20 in the week of 2026-01-05, there from the week of 2026-01-12 on."""
    short = np.flatnonzero(missing >= LEAST_TOLD)
    most, after = int(np.argmax(missing)), int(short[-1]) + 1
    words = {
        "what": name,
        "missing": shown(float(missing[most])),
        "smallest": shown(float(smallest[most])),
        "when": message(f"netting.{unit}", day=starts[most]),
    }
    if after >= len(starts):
        return message("stock_rules.short_to_the_end", **words)
    return message("stock_rules.short_until", **words, day=starts[after])
