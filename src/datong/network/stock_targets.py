"""How much is to lie in stock at the end of each bucket, at least and at most: `stock_rules` and the safety stock of
`products`, with every default filled in.

Days of cover are the demand expected in so many days after the bucket's end, of a component what its usual parents
need of it when they start; beyond the horizon its mean goes on. A safety lead time (`products.safety_lead_days`) is a
cover of so many days on top, of what is known to be needed: with it in stock at a bucket's end, what is needed in the
days after has come so many days before. What a unit below the smallest stock costs, where no
row says it, with h of holding and b of lateness per unit and bucket, T buckets, l of a lost sale and e of a unit at
the end:

    below = max( min( sqrt(h b), (l - e) / T ), 2 h, min( (1 + n) h, (l - e) / T ) ),     at most h + 0.9 b

with n the buckets for which a unit kept lies until demand uses it: 1, and more where the smallest stock falls by more
than is used, as where its row ends.
It is more than holding, so that the stock is there, and less than lateness and loss, so that demand may use it.
b and l of a component are those of the units that one of it more would make. A unit of the safety stock at the end is
worth e, what it costs, as the need of it does not end with the horizon; but no more than leaves T below + e at most l,
so that nobody is refused to keep it.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pyarrow.compute as pc

from datong.ledger.state import State
from datong.model.flow import FloatArray, Forecast, IntArray
from datong.network.facts import ChainFacts
from datong.network.horizon import valid_on
from datong.network.planned_demand import usual_ways
from datong.network.whole_units import whole_products

# A default price is at least so many times holding, and leaves at least this part of lateness to demand.
LEAST_OF_HOLDING, MOST_OF_LATENESS = 2.0, 0.9
# Units below this are rounding.
NOTHING = 1e-9


@dataclass(frozen=True, eq=False)
class StockTarget:
    """Stock that is to lie at some stock points together."""

    # Product of the row, and its site; None: all of them.
    product: str
    site: str | None
    # Labels of the products or stock points whose stock counts.
    points: tuple[str, ...]
    # (bucket) units at its end, at least; 0: any.
    smallest: FloatArray
    # (bucket) units at its end, at most; inf: any.
    largest: FloatArray
    # (bucket) money per unit below the smallest at its end; of the last, what the unit is worth then as well.
    below: FloatArray
    # (bucket) money per unit above the largest at its end.
    above: FloatArray
    # (bucket) of `smallest`, the units that are there ahead of their need, for a safety lead time.
    ahead: FloatArray
    # The safety lead time in days; 0: none.
    lead_days: float = 0.0


@dataclass(frozen=True, eq=False)
class _Prices:
    """By label, money per unit; of a component lateness and loss of what one of it more would make."""

    # Of holding for a bucket.
    holding: Mapping[str, float]
    # Of lateness for a bucket.
    late: Mapping[str, float]
    # Of a lost sale, beyond what the unit is worth left over.
    lost: Mapping[str, float]
    # Of a unit at the end.
    at_end: Mapping[str, float]


def stock_targets(
    state: State, demand: Forecast, asked: Mapping[str, FloatArray], facts: ChainFacts
) -> tuple[StockTarget, ...]:
    """The targets of the open buckets, by product and site. asked: product -> (path, bucket) units."""
    rows, leads = _rows(state), safety_leads(state)
    if not rows and not leads:
        return ()
    starts, calendar = demand.bucket_starts, state.settings.calendar
    needed = _needed(facts, asked, starts, state)
    prices = _prices(facts, asked, starts)
    whole = whole_products(state, demand, facts)
    found = []
    for product in sorted({*rows, *leads}):
        of_site, names = rows.get(product, {}), facts.names_by_product.get(product, {})
        groups: list[tuple[str | None, tuple[str, ...], list[list[dict[str, Any]]]]] = []
        if facts.places is None:
            if names:
                by_site = [versions for site, versions in sorted(of_site.items(), key=_by_site) if site is not None]
                both = ([of_site[None]] if None in of_site else [], by_site)
                groups += [(None, tuple(names.values()), several) for several in both if several]
        else:
            for site, versions in sorted(of_site.items(), key=_by_site):
                points = tuple(names.values()) if site is None else tuple(names[s] for s in (site,) if s in names)
                groups.append((site, points, [versions]))
        lead = leads.get(product, 0.0)
        early = _needed_early(names, facts, needed, groups) if lead > 0 else {}
        for site, points, several in groups:
            if points:
                cover = sum((needed[p].of(len(points) > 1) for p in points), np.zeros(len(starts)))
                limits = [_limits(v, cover, starts, calendar.bucket_days) for v in several]
                target = _target(product, site, points, limits, prices, cover, all(whole[p] for p in points))
                if (own := early.pop(points, None)) is not None:
                    target = _ahead_of_need(target, own, lead, calendar.bucket_days, all(whole[p] for p in points))
                if target.smallest.any() or np.isfinite(target.largest).any():
                    found.append(target)
    return _within_lateness(found, prices)


def safety_leads(state: State) -> dict[str, float]:
    """Product -> days of its safety lead time, of those that have one."""
    table = state.table("products").select(["product", "safety_lead_days"])
    told = table.filter(pc.greater(pc.fill_null(table["safety_lead_days"], 0.0), 0.0))
    return dict(zip(*(told[name].to_pylist() for name in told.column_names), strict=True))


def _needed_early(
    names: Mapping[str, str],
    facts: ChainFacts,
    needed: Mapping[str, "_Needed"],
    groups: list[tuple[str | None, tuple[str, ...], list[list[dict[str, Any]]]]],
) -> dict[tuple[str, ...], FloatArray]:
    """By the points of a target, (bucket) units that a product with a safety lead time is needed for there: at each
    site at which it is asked for or used, as what only goes on to another one is no need. Its targets without any other
    rule are written to `groups`."""
    found: dict[tuple[str, ...], FloatArray] = {}
    for site, point in sorted(names.items()):
        units = needed[point].not_moved
        if units.any():
            found[point,] = units
            if all(points != (point,) for _, points, _ in groups):
                groups.append((None if facts.places is None else site, (point,), [[]]))
    return found


def _ahead_of_need(target: StockTarget, needed: FloatArray, lead: float, days: int, whole: bool) -> StockTarget:
    """The target with what is needed within the safety lead time on top. Beyond the horizon nothing is known to be
    needed. lead: days; days: in a bucket."""
    ahead = demand_ahead(needed, lead / days, beyond=0.0)
    ahead = np.ceil(ahead - 1e-9) if whole else ahead
    smallest = target.smallest + ahead
    return replace(target, smallest=smallest, largest=np.maximum(target.largest, smallest), ahead=ahead, lead_days=lead)


def _within_lateness(targets: Sequence[StockTarget], prices: _Prices) -> tuple[StockTarget, ...]:
    """The targets, none of which makes a unit in stock worth more than serving it late; of several at one point each
    its part."""
    count = Counter(p for target in targets for p in target.points)
    found = []
    for target in targets:
        most = min((prices.holding[p] + prices.late[p]) / count[p] for p in target.points)
        below = np.minimum(target.below, most)
        below[-1] += min(
            min(prices.at_end[p], max(prices.lost[p] - below.sum(), 0.0)) / count[p] for p in target.points
        )
        found.append(replace(target, below=below))
    return tuple(found)


def _by_site(pair: tuple[str | None, list[dict[str, Any]]]) -> str:
    return pair[0] or ""


def _rows(state: State) -> dict[str, dict[str | None, list[dict[str, Any]]]]:
    """Product -> site -> its rows; the safety stock of `products` stands in where no row without a site holds."""
    found: dict[str, dict[str | None, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in state.versions("stock_rules").to_pylist():
        found[row["product"]][row["site"] or None].append(row)
    products = state.table("products").select(["product", "safety_stock_units"])
    for row in products.filter(pc.greater(products["safety_stock_units"].fill_null(0.0), 0.0)).to_pylist():
        none = dict.fromkeys(("smallest_days", "largest_units", "below_cost_per_unit_week", "above_cost_per_unit_week"))
        plain = {"smallest_units": row["safety_stock_units"], "valid_from": None, "valid_to": None}
        if None not in found[row["product"]]:
            found[row["product"]][None].append(none | plain)
    return found


@dataclass(frozen=True, eq=False)
class _Needed:
    """What is expected to be taken of a stock point."""

    # (bucket) units.
    in_all: FloatArray
    # (bucket) units that are not moved to another one.
    not_moved: FloatArray

    def of(self, together: bool) -> FloatArray:
        """together: with the other points of its product, between which units are moved."""
        return self.not_moved if together else self.in_all


def _needed(
    facts: ChainFacts, asked: Mapping[str, FloatArray], starts: Sequence[date], state: State
) -> dict[str, _Needed]:
    """By label, what is expected to be taken of it: asked for, and needed by the usual ways of what it goes into."""
    arrays, buckets = facts.arrays, len(starts)
    at = {p: i for i, p in enumerate(facts.products)}
    own = np.zeros((len(at), buckets))
    for product, paths in asked.items():
        if product in at:
            own[at[product]] = np.maximum(paths.mean(axis=0), 0.0)
    total, moved = own.copy(), np.zeros(own.shape)
    _, usual = usual_ways(facts, starts)
    uses_of: dict[int, list[int]] = defaultdict(list)
    for use, way in enumerate(arrays.use_way.tolist()):
        uses_of[way].append(use)
    ways = sorted(usual.tolist(), key=lambda w: -arrays.level[arrays.product[w]])
    for w in ways:
        way = facts.ways[w]
        lead = min(state.settings.calendar.lead_buckets(way.lead_days), buckets)
        units = total[arrays.product[w]] / way.yield_share
        started = np.zeros(buckets)
        started[: buckets - lead] = units[lead:]
        started[0] += units[:lead].sum()
        for use in uses_of[w]:
            part = int(arrays.use_component[use])
            total[part] += arrays.use_units[use] * started
            if way.kind == "move":
                moved[part] += arrays.use_units[use] * started
    return {p: _Needed(total[i], np.maximum(total[i] - moved[i], 0.0)) for p, i in at.items()}


def _prices(facts: ChainFacts, asked: Mapping[str, FloatArray], starts: Sequence[date]) -> _Prices:
    arrays = facts.arrays
    costs = dict(zip(facts.products, arrays.least_costs(starts).tolist(), strict=True))
    late, lost = (
        also_of_what_it_makes(facts, {p: getattr(e, name) for p, e in facts.economics.items() if p in asked})
        for name in ("late_per_bucket", "lost_sale")
    )
    at_end = {}
    for product, e in facts.economics.items():
        cost = costs[product] if math.isfinite(costs[product]) else 0.0
        at_end[product] = max((min(cost, e.waiting_at_end) if product in asked else cost) - e.salvage, 0.0)
    return _Prices(
        {p: e.holding_per_bucket for p, e in facts.economics.items()},
        {p: x if math.isfinite(x) else facts.economics[p].late_per_bucket for p, x in late.items()},
        {p: x - facts.economics[p].salvage for p, x in lost.items()},
        at_end,
    )


def also_of_what_it_makes(facts: ChainFacts, money: Mapping[str, float]) -> dict[str, float]:
    """By label, the least of its own money per unit and of that of what one unit of it more would make; inf where it is
    for nothing that has any."""
    arrays = facts.arrays
    least = np.array([money.get(p, np.inf) for p in facts.products])
    parent = arrays.product[arrays.use_way]
    order: IntArray = np.argsort(-arrays.level[parent], kind="stable")
    for use in order.tolist():
        each = arrays.use_units[use] / arrays.yield_share[arrays.use_way[use]]
        if each > 0:
            part = arrays.use_component[use]
            least[part] = min(least[part], least[parent[use]] / each)
    return dict(zip(facts.products, least.tolist(), strict=True))


@dataclass(frozen=True, eq=False)
class _Limits:
    """(bucket) of the versions of one row."""

    # Units at least.
    units: FloatArray
    # Units of the days of cover.
    cover: FloatArray
    # Units at most.
    largest: FloatArray
    # Money per unit and week below the smallest; nan: no row says it.
    below: FloatArray
    # Money per unit and week above the largest; nan: no row says it.
    above: FloatArray
    # Days in a bucket.
    days: int


def _limits(versions: Sequence[Mapping[str, Any]], needed: FloatArray, starts: Sequence[date], days: int) -> _Limits:
    """What the versions of one row say, bucket by bucket: the last to start that holds on its first day."""
    units, cover, largest = np.zeros(len(starts)), np.zeros(len(starts)), np.full(len(starts), np.inf)
    below, above = (np.full(len(starts), np.nan) for _ in range(2))
    for row in sorted(versions, key=lambda r: r["valid_from"] or date.min):
        holds = np.array([valid_on(start, row["valid_from"], row["valid_to"]) for start in starts], dtype=bool)
        of_row = (
            (units, row["smallest_units"] or 0.0),
            (cover, demand_ahead(needed, (row["smallest_days"] or 0.0) / days)),
            (largest, np.inf if row["largest_units"] is None else row["largest_units"]),
            (below, _or_nan(row["below_cost_per_unit_week"])),
            (above, _or_nan(row["above_cost_per_unit_week"])),
        )
        for into, value in of_row:
            into[holds] = np.broadcast_to(value, len(starts))[holds]
    return _Limits(units, cover, largest, below, above, days)


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def demand_ahead(units: FloatArray, buckets: float, beyond: float | None = None) -> FloatArray:
    """(bucket) units in so many buckets after the end of each; beyond the horizon so many in each, None: the mean of
    all but the first one, in which what is owed is due, goes on."""
    whole = int(buckets)
    beyond = float((units[1:] if len(units) > 1 else units).mean()) if beyond is None else beyond
    longer = np.concatenate([units, np.full(whole + 1, beyond)])
    so_far = np.concatenate([[0.0], np.cumsum(longer)])
    after = np.arange(1, len(units) + 1)
    return so_far[after + whole] - so_far[after] + (buckets - whole) * longer[after + whole]


def _lies_for(smallest: FloatArray, taken: FloatArray) -> FloatArray:
    """(bucket) for how many buckets the last unit of the smallest stock lies at its end, until it is taken or later
    stock is to be as high without it; what is not taken within the buckets lies to their end."""
    level = smallest + np.cumsum(taken)
    found = np.ones(len(smallest))
    for t in range(len(smallest) - 1):
        enough = np.flatnonzero(level[t + 1 :] >= level[t] - NOTHING)
        found[t] = 1.0 + enough[0] if len(enough) else len(smallest) - 1.0 - t
    return found


def _target(
    product: str,
    site: str | None,
    points: tuple[str, ...],
    limits: Sequence[_Limits],
    prices: _Prices,
    taken: FloatArray,
    whole: bool,
) -> StockTarget:
    """One target of the rows of a product: units of its sites, where these are one pool, add up. taken: (bucket) units
    that are expected to be taken of it."""
    first = limits[0]
    smallest = np.maximum(np.sum([x.units for x in limits], axis=0), np.max([x.cover for x in limits], axis=0))
    largest = np.sum([x.largest for x in limits], axis=0)
    if whole:
        smallest, largest = np.ceil(smallest - 1e-9), np.floor(largest + 1e-9)
    largest = np.maximum(largest, smallest)
    holding, late = (min(of[p] for p in points) for of in (prices.holding, prices.late))
    lost, at_end = min(prices.lost[p] for p in points), min(prices.at_end[p] for p in points)
    spread = max(lost - at_end, 0.0) / len(smallest)
    least = max(min(math.sqrt(holding * late), spread), LEAST_OF_HOLDING * holding)
    lies = np.minimum((LEAST_OF_HOLDING - 1.0 + _lies_for(smallest, taken)) * holding, spread)
    usual = np.minimum(np.maximum(least, lies), holding + MOST_OF_LATENESS * late)
    bucket = first.days / 7
    below = np.where(np.isnan(first.below), usual, first.below * bucket)
    above = np.where(np.isnan(first.above), usual, first.above * bucket)
    return StockTarget(product, site, points, smallest, largest, below, above, np.zeros(len(smallest)))
