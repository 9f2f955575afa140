"""What a state says about making and buying, with every default filled in: the ways to get units, and what they cost.

Balance and plan read the same facts here, so that a plan obeys exactly what was cleared.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import numpy as np

from datong.ledger.position import Position
from datong.ledger.state import State
from datong.model.calendar import Calendar
from datong.model.errors import NoPlan
from datong.model.flow import FloatArray, Forecast, Learnt
from datong.model.layers import with_recourse
from datong.model.settings import ChainSettings
from datong.model.words import message

# A past lead time that is met four times out of five is what a plan counts on.
LEAD_QUANTILE = 0.8


@dataclass(frozen=True)
class ComponentUse:
    """Units of a component that one unit started takes, scrap included, while it is valid."""

    component: str
    units_per_unit: float
    valid_from: date | None
    valid_to: date | None


@dataclass(frozen=True)
class Way:
    """One way to get units of a product: a recipe or an offer. Costs and hours are for a unit started.

    `lead_days` counts from the start to the units being there; `units_per_week` is inf where there is no limit.
    """

    name: str
    kind: Literal["make", "buy"]
    product: str
    line: str | None
    hours_per_unit: float
    cost_per_unit: float
    setup_hours: float
    setup_cost: float
    min_units: float
    multiple_units: float
    lead_days: int
    yield_share: float
    units_per_week: float
    uses: tuple[ComponentUse, ...]
    valid_from: date | None
    valid_to: date | None

    @property
    def recipe(self) -> str | None:
        return self.name if self.kind == "make" else None

    @property
    def offer(self) -> str | None:
        return self.name if self.kind == "buy" else None


@dataclass(frozen=True)
class Economics:
    """What being wrong costs for a product, in money per unit; holding and late are for one bucket.

    waiting_at_end and salvage: of a unit that still waits, or is left, when the horizon ends.
    """

    price: float
    holding_per_bucket: float
    late_per_bucket: float
    lost_sale: float
    waiting_at_end: float
    salvage: float


@dataclass(frozen=True, eq=False)
class ChainFacts:
    """Products in order, their economics, the ways in order of (product, kind, name), hours: line -> (bucket)."""

    products: tuple[str, ...]
    economics: Mapping[str, Economics]
    ways: tuple[Way, ...]
    line_hours: Mapping[str, FloatArray]


def chain_facts(state: State, bucket_starts: Sequence[date], learnt: Learnt) -> ChainFacts:
    """The facts for the open buckets. What was learnt goes before what a table says; defaults fill the rest."""
    products = tuple(sorted(state.table("products")["product"].to_pylist()))
    prices = _prices(state)
    ways = _ways(state, prices, learnt, bucket_starts)
    costs = unit_costs(products, ways, bucket_starts)
    economics = _economics(state, prices, costs, bucket_starts)
    return ChainFacts(products, economics, ways, _line_hours(state, bucket_starts))


def valid_on(day: date, valid_from: date | None, valid_to: date | None) -> bool:
    return (valid_from is None or valid_from <= day) and (valid_to is None or day < valid_to)


def pooled_demand(demand: Forecast, where: Position, bucket_days: int) -> dict[str, FloatArray]:
    """Units asked of each product in each open bucket, all markets together: product -> (path, bucket).

    What is owed from before is due at once; orders already served ahead of their day ask no more.
    One path where all are equal.
    """
    asked: dict[str, FloatArray] = {}
    index = {item: i for i, item in enumerate(demand.items)}
    first = demand.bucket_starts[0]
    buckets = len(demand.bucket_starts)
    served: dict[int, FloatArray] = defaultdict(lambda: np.zeros(buckets))
    for (item, due), units in where.served_ahead_units.items():
        bucket = (due - first).days // bucket_days
        if item in index and 0 <= bucket < buckets:
            served[index[item]][bucket] += units
    for i, item in enumerate(demand.items):
        paths = demand.paths[i]
        if (paths[:1] == paths).all():
            paths = paths[:1]
        if i in served:
            paths = np.maximum(paths - served[i], 0.0)
        asked[item.product] = asked[item.product] + paths if item.product in asked else np.asarray(paths, np.float64)
    for (item, _), units in sorted(where.owed_units.items()):
        if item.product not in asked:
            asked[item.product] = np.zeros((1, buckets))
        asked[item.product] = asked[item.product] + np.eye(1, buckets) * units
    return dict(sorted(asked.items()))


def planned_demand(
    demand: Forecast, where: Position, facts: ChainFacts, bucket_starts: Sequence[date], settings: ChainSettings
) -> dict[str, FloatArray]:
    """`pooled_demand` as a plan sees it that is made anew in every bucket (model/layers.py, with_recourse)."""
    asked = pooled_demand(demand, where, settings.calendar.bucket_days)
    response = response_buckets(facts, bucket_starts, settings)
    return {product: with_recourse(paths, response.get(product, 1)) for product, paths in asked.items()}


def response_buckets(facts: ChainFacts, bucket_starts: Sequence[date], settings: ChainSettings) -> dict[str, int]:
    """By product: buckets from seeing demand to having more of it there, when nothing is in stock.

    One bucket of review, the frozen ones, and the lead time of the product's cheapest way with that of its slowest
    component before it.
    """
    of_product = unit_costs(facts.products, facts.ways, bucket_starts)
    unit_cost = {
        w.name: (w.cost_per_unit + sum(u.units_per_unit * of_product.get(u.component, 0.0) for u in w.uses))
        / w.yield_share
        for w in facts.ways
    }
    usual: dict[str, Way] = {}
    for way in sorted(facts.ways, key=lambda w: (unit_cost[w.name], w.name)):
        if any(valid_on(start, way.valid_from, way.valid_to) for start in bucket_starts):
            usual.setdefault(way.product, way)
    lead: dict[str, int] = {}
    for product in components_first(facts.products, facts.ways):
        if product in usual:
            way = usual[product]
            before = max((lead.get(use.component, 0) for use in way.uses), default=0)
            lead[product] = before + settings.calendar.lead_buckets(way.lead_days)
    return {product: 1 + settings.frozen_buckets + buckets for product, buckets in lead.items()}


@dataclass(frozen=True, eq=False)
class Committed:
    """What stock and orders under way already fix, per open bucket.

    units: product -> (bucket) units that come, opening stock in the first bucket, less what orders will use.
    hours: line -> (bucket) hours that orders under way will take.
    """

    units: Mapping[str, FloatArray]
    hours: Mapping[str, FloatArray]


def committed(facts: ChainFacts, where: Position, bucket_starts: Sequence[date], calendar: Calendar) -> Committed:
    """Opening stock, receipts of orders out, and the hours and components that they will still take.

    Of the units of an order that are still to be started, the yield of its way arrives. It takes its line and
    components in the bucket of its start; one that is overdue, in the first bucket. One that started and is not yet
    due has spent its hours, but the records take its components off stock only when it reports units. Where the
    records leave too little for an order, it takes what there is: what was promised is not planned again. Stock below
    zero cannot lie anywhere: records that say so count as 0.
    """
    buckets, origin = len(bucket_starts), bucket_starts[0]
    ways = {w.name: w for w in facts.ways}
    came = {p: np.zeros(buckets) for p in facts.products}
    used = {p: np.zeros(buckets) for p in facts.products}
    hours = {line: np.zeros(buckets) for line in facts.line_hours}
    for product, units in where.on_hand_units.items():
        if product in came:
            came[product][0] = max(units, 0.0)
    for order in where.under_way:
        if order.product not in came:
            continue
        start, due = calendar.index(order.start, origin), calendar.index(order.due, origin)
        way = ways.get(order.recipe or "")
        if due < buckets:
            came[order.product][max(due, 0)] += order.units * (way.yield_share if way is not None else 1.0)
        if way is None or start >= buckets:
            continue  # bought, or beyond the horizon
        bucket = max(start, 0)
        line = order.line or way.line or ""
        if line in hours and not start < 0 <= due:  # else its hours were spent in the bucket it started in
            hours[line][bucket] += order.units * way.hours_per_unit
        for use in way.uses:
            if use.component in used and valid_on(bucket_starts[bucket], use.valid_from, use.valid_to):
                used[use.component][bucket] += order.units * use.units_per_unit
    units = {}
    for product in facts.products:
        there, out = np.cumsum(came[product]), np.cumsum(used[product])
        out = np.minimum.accumulate(np.minimum(out, there)[::-1])[::-1]  # never more than is there by then or later
        units[product] = came[product] - np.diff(out, prepend=0.0)
    return Committed(units, {line: np.minimum(h, facts.line_hours[line]) for line, h in hours.items()})


def unit_costs(products: Sequence[str], ways: Sequence[Way], bucket_starts: Sequence[date]) -> dict[str, float]:
    """Cost of a good unit by the cheapest way, in its cheapest bucket, when nothing is scarce, components included.

    Only what is valid in a bucket counts there; inf for a product without a way.
    """
    ways_of: dict[str, list[Way]] = defaultdict(list)
    for way in ways:
        ways_of[way.product].append(way)
    order = components_first(products, ways)
    least = dict.fromkeys(products, math.inf)
    for day in _days_of_change(ways, bucket_starts):
        cost = dict.fromkeys(products, math.inf)
        for product in order:
            for way in ways_of[product]:
                if valid_on(day, way.valid_from, way.valid_to):
                    used = (u for u in way.uses if valid_on(day, u.valid_from, u.valid_to))
                    parts = sum(use.units_per_unit * cost.get(use.component, 0.0) for use in used)
                    cost[product] = min(cost[product], (way.cost_per_unit + parts) / way.yield_share)
        for product in products:
            least[product] = min(least[product], cost[product])
    return least


def _days_of_change(ways: Sequence[Way], bucket_starts: Sequence[date]) -> list[date]:
    """The first bucket, and each in which other ways or components are valid than in the one before it."""
    limits = {d for w in ways for x in (w, *w.uses) for d in (x.valid_from, x.valid_to) if d is not None}
    before = [None, *bucket_starts]
    return [
        start
        for start, last in zip(bucket_starts, before, strict=False)
        if last is None or any(last < limit <= start for limit in limits)
    ]


def components_first(products: Sequence[str], ways: Sequence[Way]) -> tuple[str, ...]:
    """Products in an order in which every component comes before what it goes into, ties by name.

    Raises NoPlan on a cycle. (The checks of a folder refuse one; the ledger can hold one made of rows of two times.)
    """
    known = set(products)
    pairs = sorted({(w.product, u.component) for w in ways for u in w.uses if u.component in known})
    waits = dict.fromkeys(products, 0)
    goes_into: dict[str, list[str]] = defaultdict(list)
    for parent, component in pairs:
        waits[parent] += 1
        goes_into[component].append(parent)
    ready = [p for p in products if waits[p] == 0]
    order: list[str] = []
    while ready:
        order += ready
        free = []
        for component in ready:
            for parent in goes_into[component]:
                waits[parent] -= 1
                if waits[parent] == 0:
                    free.append(parent)
        ready = sorted(free)
    if len(order) < len(products):
        raise NoPlan(message("facts.cycle", products=", ".join(sorted(p for p in products if waits[p] > 0)[:10])))
    return tuple(order)


def _prices(state: State) -> dict[str, float]:
    default = state.settings.defaults.price
    rows = state.table("products").select(["product", "price"]).to_pylist()
    return {r["product"]: _or(r["price"], default) for r in rows}


def _economics(
    state: State, prices: Mapping[str, float], costs: Mapping[str, float], bucket_starts: Sequence[date]
) -> dict[str, Economics]:
    given = {r["product"]: r for r in state.table("economics").to_pylist()}
    kinds = {r["product"]: r["kind"] for r in state.table("products").select(["product", "kind"]).to_pylist()}
    in_horizon = {state.settings.calendar.bucket_start(start) for start in bucket_starts}
    given_demand = state.table("demand").select(["product", "due"]).to_pylist()
    planned = {r["product"] for r in given_demand if state.settings.calendar.bucket_start(r["due"]) in in_horizon}
    shares = state.settings.defaults
    weeks = state.settings.calendar.bucket_days / 7
    result = {}
    for product, price in prices.items():
        row = given.get(product, {})
        holding = _or(row.get("holding_cost_per_unit_week"), shares.holding_share_per_week * price) * weeks
        late = _or(row.get("late_cost_per_unit_week"), shares.late_share_per_week * price) * weeks
        lost_sale = _or(row.get("lost_sale_cost_per_unit"), shares.lost_sale_share * price)
        # Where demand goes on beyond the horizon, a unit left at its end saves making one then, and a unit that still
        # waits is made then.
        goes_on = kinds[product] == "finished" and product not in planned
        waiting = min(lost_sale, costs[product]) if goes_on else lost_sale
        salvage = _or(row.get("salvage_per_unit"), waiting if goes_on else 0.0)
        salvage = honest_salvage(salvage, costs[product], waiting)
        result[product] = Economics(price, holding, late, lost_sale, waiting, salvage)
    return result


def honest_salvage(salvage: float, cost: float, waiting_at_end: float) -> float:
    """Salvage, but never more than the cheapest way to get the unit: nobody earns by making leftovers, nor by refusing
    a buyer to keep the unit."""
    return min(salvage, cost, waiting_at_end)


def _or(value: float | None, default: float) -> float:
    return default if value is None or math.isnan(value) else float(value)


def _ways(state: State, prices: Mapping[str, float], learnt: Learnt, bucket_starts: Sequence[date]) -> tuple[Way, ...]:
    """Ways of the products known at the moment (a recipe can be known before what it makes), with the components that
    they take in any open bucket."""
    uses: dict[tuple[str, str | None], dict[str, ComponentUse]] = defaultdict(dict)
    for r in state.table("components").to_pylist():
        if r["component"] not in prices or not any(valid_on(b, r["valid_from"], r["valid_to"]) for b in bucket_starts):
            continue
        units = r["units_per_unit"] / (1.0 - r["scrap_share"])
        use = ComponentUse(r["component"], units, r["valid_from"], r["valid_to"])
        uses[r["product"], r["recipe"]][r["component"]] = use
    ways = []
    for r in state.table("recipes").to_pylist():
        if r["product"] not in prices:
            continue
        own = {**uses.get((r["product"], None), {}), **uses.get((r["product"], r["recipe"]), {})}
        ways.append(
            Way(
                name=r["recipe"],
                kind="make",
                product=r["product"],
                line=r["line"],
                hours_per_unit=r["hours_per_unit"] if r["line"] is not None else 0.0,
                cost_per_unit=r["cost_per_unit"],
                setup_hours=r["setup_hours"] if r["line"] is not None else 0.0,
                setup_cost=r["setup_cost"],
                min_units=r["min_lot_units"],
                multiple_units=r["lot_multiple_units"],
                lead_days=_lead_days(learnt, r["recipe"], r["lead_days"]),
                yield_share=learnt.yield_share.get(r["recipe"], r["yield_share"]),
                units_per_week=math.inf,
                uses=tuple(own[c] for c in sorted(own)),
                valid_from=r["valid_from"],
                valid_to=r["valid_to"],
            )
        )
    for r in (r for r in state.table("offers").to_pylist() if r["product"] in prices):
        ways.append(_buy(r["offer"], r["product"], r["price"], _lead_days(learnt, r["offer"], r["lead_days"]), r))
    known = {w.product for w in ways}
    shares = state.settings.defaults
    for product in sorted(prices):
        if product not in known:  # someone sells it: an assumed offer
            name = f"{product}/implied"
            lead = _lead_days(learnt, name, shares.offer_lead_days)
            ways.append(_buy(name, product, shares.cost_share * prices[product], lead, {}))
    return tuple(sorted(ways, key=lambda w: (w.product, w.kind, w.name)))


def _buy(name: str, product: str, price: float, lead_days: int, row: Mapping[str, Any]) -> Way:
    return Way(
        name=name,
        kind="buy",
        product=product,
        line=None,
        hours_per_unit=0.0,
        cost_per_unit=price,
        setup_hours=0.0,
        setup_cost=0.0,
        min_units=row.get("min_order_units", 0.0),
        multiple_units=row.get("lot_multiple_units", 0.0),
        lead_days=lead_days,
        yield_share=1.0,
        units_per_week=_or(row.get("units_per_week"), math.inf),
        uses=(),
        valid_from=row.get("valid_from"),
        valid_to=None,
    )


def _lead_days(learnt: Learnt, name: str, given: float) -> int:
    """Whole days, rounded up: the lead time met four times out of five where there is a record, else the given one."""
    past = learnt.lead_days.get(name)
    days = float(np.quantile(past, LEAD_QUANTILE, method="inverted_cdf")) if past else given
    return math.ceil(days - 1e-9)


def _line_hours(state: State, bucket_starts: Sequence[date]) -> dict[str, FloatArray]:
    """Hours of each line in each open bucket. Of a bucket that has begun, only the days that are left count."""
    days = state.settings.calendar.bucket_days
    share = days / 7
    hours = {
        r["line"]: np.full(len(bucket_starts), r["hours_per_week"] * share)
        for r in sorted(state.table("lines").to_pylist(), key=lambda r: r["line"])
    }
    spans = sorted(state.table("line_calendar").to_pylist(), key=lambda r: (r["line"], r["from"], r["to"]))
    for span in spans:  # of spans that overlap, the one that starts last holds
        if span["line"] in hours:
            for t, start in enumerate(bucket_starts):
                if span["from"] <= start < span["to"]:
                    hours[span["line"]][t] = span["hours"] * share
    gone = min(max((state.today - bucket_starts[0]).days, 0), days) if bucket_starts else 0
    for of_line in hours.values():
        of_line[:1] *= 1 - gone / days
    return hours
