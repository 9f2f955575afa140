"""What planning works on: the facts, the demand and the cleared market, as the steps of planning read them."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np
import pyarrow.compute as pc

from datong.ledger.columns import tuples
from datong.ledger.state import State
from datong.model.calendar import Calendar
from datong.model.demand_layers import SortedDemand
from datong.model.flow import Clearing, FloatArray, Forecast, Item, Learnt
from datong.network.committed import Committed, committed
from datong.network.facts import ChainFacts, chain_facts, located
from datong.network.horizon import valid_on
from datong.network.planned_demand import planned_demand, pooled_demand
from datong.network.position import Position
from datong.network.rule_facts import DemandClass, demand_classes
from datong.network.stock_targets import stock_targets
from datong.network.way_arrays import components_first
from datong.network.ways import Way, lead_buckets, way_on
from datong.network.whole_units import whole_products
from datong.plan.lots_along_clearing import Lot
from datong.plan.lots_product_by_product import takes_turns
from datong.plan.stock_kept import StockKept, stock_kept
from datong.plan.worth import Curve, Dearer


@dataclass(frozen=True, eq=False)
class CostOfUnits:
    """Full prices at the cleared prices: cost, hours, components and limited offers, per good unit."""

    prices: Mapping[tuple[str, str, date], float]
    starts: tuple[date, ...]
    shared: Mapping[str, tuple[str, str]]

    def of(self, what: str, name: str, bucket: int) -> float:
        return self.prices.get((what, name, self.starts[bucket]), 0.0)

    def over_time(self, what: str, name: str) -> FloatArray:
        """(bucket) price."""
        return np.array([self.of(what, name, t) for t in range(len(self.starts))])

    def hour(self, way: Way, start: int) -> float:
        """Money per hour of a start there: the mean over the buckets that it works."""
        if way.line is None:
            return 0.0
        what, name = self.shared.get(way.line, ("line", way.line))
        return self._mean(what, name, way, start)

    def _mean(self, what: str, name: str, way: Way, start: int) -> float:
        if way.span == 1:
            return self.of(what, name, start)
        at, share = way.worked.at(start, len(self.starts))
        return sum(self.of(what, name, t) * part for t, part in zip(at.tolist(), share, strict=True)) / float(
            share.sum()
        )

    def set_up_beside(self, way: Way, start: int) -> float:
        """Money for the set-up hours of an order there on lines that it holds besides its own, and for the components
        that it takes whatever its size."""
        hours = sum(held.setup_hours * self._mean("line", held.line, way, start) for held in way.beside)
        return hours + sum(units * self.of("component", component, start) for component, units in way.lot_uses)

    def unit(self, way: Way, start: int) -> float:
        cost = way.cost_per_unit + way.hours_per_unit * self.hour(way, start) + self.of("offer", way.name, start)
        cost += sum(held.hours_per_unit * self._mean("line", held.line, way, start) for held in way.beside)
        for use in way.uses:
            if valid_on(self.starts[start], use.valid_from, use.valid_to):
                cost += use.units_per_unit * self.of("component", use.component, start)
        return cost / way.yield_share


@dataclass(frozen=True, eq=False)
class Asked:
    """What is asked for. Of the demand on all sample paths, which is large, only the curves keep a copy."""

    # Products that are asked for.
    products: frozenset[str]
    # Product -> (path, bucket) units, with their whole spread, for what is told to people.
    wanted: Mapping[str, FloatArray]
    # Product that goes into nothing -> what its supply costs, against demand as planning sees it.
    curves: Mapping[str, Curve]
    # Product -> (bucket) units that it serves for others, less what others serve for it.
    substituted: Mapping[str, FloatArray]
    # Product -> what of it is to lie in stock.
    kept: Mapping[str, StockKept] = field(default_factory=dict)

    def kept_units(self, product: str) -> FloatArray | float:
        """(bucket) units that the market leaves in stock at its end for a smallest stock."""
        return self.kept[product].units if product in self.kept else 0.0


@dataclass(frozen=True, eq=False)
class ByMarket:
    """What the market in any quantities says."""

    # Product -> way name -> (bucket of start) units started.
    cleared: Mapping[str, Mapping[str, FloatArray]]
    # What units cost at its prices.
    price: CostOfUnits
    # Product -> (bucket) units that go bad in it, of those of which any do.
    wasted: Mapping[str, FloatArray]


@dataclass(frozen=True, eq=False)
class Work:
    """Everything the steps of planning read."""

    calendar: Calendar
    # (bucket) first days.
    starts: tuple[date, ...]
    # The first bucket that is not frozen.
    first_start: int
    facts: ChainFacts
    # Way name -> way.
    ways: Mapping[str, Way]
    # Product -> its ways, in order of name.
    ways_of: Mapping[str, Sequence[Way]]
    # Products, components first.
    order: tuple[str, ...]
    # Products that go into others, or come together of one way.
    components: frozenset[str]
    # Where the chain stands: stock by product with its site, and what it is made of.
    position: Position
    # What orders that are out bring and take.
    promised: Committed
    # Product -> whether it comes in whole units.
    whole: Mapping[str, bool]
    # Product -> money for a good unit by the cheapest way where nothing is scarce.
    plain_cost: Mapping[str, float]
    asked: Asked
    by_market: ByMarket
    # Whether lots may leave the cleared quantities.
    takes_turns: bool

    def arrive(self, way: Way, start: int) -> int:
        return start + lead_buckets(way, self.calendar)


def prepare(state: State, demand: Forecast, clearing: Clearing, learnt: Learnt, where: Position) -> Work:
    """The facts of a cleared market, as planning reads them."""
    settings, starts = state.settings, demand.bucket_starts
    calendar = settings.calendar
    facts = chain_facts(state, starts, learnt, demand.items)
    promised = committed(facts, where, starts, calendar, settings.frozen_buckets)
    facts = replace(facts, line_hours=_hours_to_work(facts, clearing, starts))
    cleared = _cleared(facts, clearing, starts)
    demanded = planned_demand(demand, where, facts, starts, settings)
    whole = whole_products(state, demand, facts)
    in_turn = takes_turns(state, demand, demanded, facts, where)
    classes = demand_classes(state, demand, where, demanded, facts)
    kept = stock_kept(stock_targets(state, demand, demanded, facts), clearing, facts, starts)
    bad = _wasted(clearing, facts, starts)
    arrivals = _arrivals(facts, cleared, calendar, len(starts))
    comes = {p: units + promised.units[p] - bad.get(p, 0.0) for p, units in arrivals.items()}
    # Along the cleared quantities hours cost what they are worth to parts of a unit, which no lot of whole ones earns.
    whole_asked = [p for p in facts.products if whole[p]] if in_turn else ()
    asked = _asked(demand, where, demanded, clearing, facts, comes, whole_asked, calendar)
    return Work(
        calendar=calendar,
        starts=starts,
        first_start=settings.frozen_buckets,
        facts=facts,
        ways={w.name: w for w in facts.ways},
        ways_of=ways_by_product(facts.ways),
        order=_order(facts, cleared),
        components=frozenset(components_of(facts.ways)),
        position=located(facts, where),
        promised=promised,
        whole=whole,
        plain_cost=_plain_costs(facts, starts),
        asked=_with_kept(_with_weights(asked, classes), kept),
        by_market=ByMarket(cleared, CostOfUnits(_prices(clearing), starts, facts.shared), bad),
        takes_turns=in_turn,
    )


def _asked(
    demand: Forecast,
    where: Position,
    demanded: dict[str, FloatArray],
    clearing: Clearing,
    facts: ChainFacts,
    comes: Mapping[str, FloatArray],
    whole: Collection[str],
    calendar: Calendar,
) -> Asked:
    """demanded: `planned_demand`, which is used up: the paths of a product are let go as soon as its curve is there.
    comes: product -> (bucket) units that the market has arrive, and those that come anyway. whole: products of which
    only whole units serve: what of a unit a yield leaves lies."""
    starts = demand.bucket_starts
    at, none = {s: t for t, s in enumerate(starts)}, np.zeros(len(starts))
    substituted = _substituted(clearing, at)
    demanded |= {p: none[None] for p in substituted if p not in demanded}
    products = frozenset(demanded)
    turned_away = _turned_away(clearing, at, facts)
    for product, units in substituted.items():  # what a substitute serves is its own demand, and no longer the other's
        turned_away[product] = turned_away.get(product, none) - np.cumsum(units)
    components = components_of(facts.ways)
    in_parts = {w.product for w in facts.ways if w.yield_share != 1 and w.product in whole}
    curves: dict[str, Curve] = {}
    for product in list(demanded):
        paths = demanded.pop(product)
        if product in facts.economics and product not in components:
            ordered = SortedDemand.of(np.cumsum(paths, axis=1) - turned_away.get(product, none))
            curves[product] = Curve(ordered, facts.economics[product], np.cumsum(comes[product]), product in in_parts)
    wanted = pooled_demand(demand, where, calendar.bucket_days, facts.label_of)
    wanted |= {p: wanted.get(p, 0.0) + np.maximum(units, 0.0)[None] for p, units in substituted.items()}
    return Asked(products, wanted, curves, substituted)


def _with_weights(asked: Asked, classes: Mapping[str, Sequence[DemandClass]]) -> Asked:
    """The same with the weights of the classes of each product, dearest first."""
    return replace(asked, curves={p: _weighted(c, classes[p]) if p in classes else c for p, c in asked.curves.items()})


def _weighted(curve: Curve, classes: Sequence[DemandClass]) -> Curve:
    """The curve with the weights of its classes. Of what is turned away, units that weigh least go before others."""
    paths = max(len(one.paths) for one in classes)  # of what is given for sure there is one
    by_class = [np.cumsum(np.broadcast_to(one.paths, (paths, one.paths.shape[1])), axis=1) for one in classes]
    total = np.sum(by_class, axis=0)
    away = total.mean(axis=0) - curve.demand.mean
    dearer, these = list[Dearer](), np.zeros(total.shape)
    for one, following, units in zip(classes, classes[1:], by_class, strict=False):
        these = these + units
        if one.weight > following.weight:
            left = these - np.maximum(away - (total - these), 0.0)
            dearer.append(Dearer(one.weight - following.weight, SortedDemand.of(left)))
    return replace(curve, weight=classes[-1].weight, dearer=tuple(dearer))


def _with_kept(asked: Asked, kept: Mapping[str, StockKept]) -> Asked:
    """The same with what is to lie in stock."""
    curves = {p: replace(c, target=kept[p].target) if p in kept else c for p, c in asked.curves.items()}
    return replace(asked, curves=curves, kept=kept)


def _cleared(facts: ChainFacts, clearing: Clearing, starts: Sequence[date]) -> dict[str, dict[str, FloatArray]]:
    """Product -> way name -> (bucket of start) units started."""
    at = {s: t for t, s in enumerate(starts)}
    ways_of: dict[tuple[str, ...], list[Way]] = defaultdict(list)
    for way in facts.ways:
        ways_of[_way_key(way, facts)].append(way)
    cleared: dict[str, dict[str, FloatArray]] = defaultdict(lambda: defaultdict(lambda: np.zeros(len(starts))))
    named = ("kind", "recipe", "offer", "lane", "product", "from_site", "to_site")
    for kind, recipe, offer, lane, product, from_site, to_site, start, units, from_units in tuples(
        clearing.quantities, *named, "start", "started_units", "from_units"
    ):
        key = (kind, recipe or offer or lane or "", product, from_site or "", to_site or "", f"{from_units}")
        way = way_on(ways_of[key], start)
        cleared[way.product][way.name][at[start]] += units
    return cleared


def _arrivals(
    facts: ChainFacts, cleared: Mapping[str, Mapping[str, FloatArray]], calendar: Calendar, buckets: int
) -> dict[str, FloatArray]:
    """Product -> (bucket) good units that the market has arrive."""
    ways = {w.name: w for w in facts.ways}
    arrivals = {p: np.zeros(buckets) for p in facts.products}
    for product, by_way in cleared.items():
        for name, units in by_way.items():
            lead = lead_buckets(ways[name], calendar)
            arrivals[product][lead:] += units[: buckets - lead] * ways[name].yield_share
    return arrivals


def _wasted(clearing: Clearing, facts: ChainFacts, starts: Sequence[date]) -> dict[str, FloatArray]:
    """Product, or label of a stock point -> (bucket) units that go bad."""
    at = {s: t for t, s in enumerate(starts)}
    found: dict[str, FloatArray] = defaultdict(lambda: np.zeros(len(starts)))
    rows = clearing.flow.filter(pc.greater(clearing.flow["wasted_units"], 0.0))
    for product, site, bucket, units in tuples(rows, "product", "site", "bucket", "wasted_units"):
        found[facts.names_by_product[product].get(site or "", product)][at[bucket]] += units
    return found


def _plain_costs(facts: ChainFacts, starts: Sequence[date]) -> dict[str, float]:
    """Money for a good unit by the cheapest way where nothing is scarce; 0 where no way brings it."""
    costs = np.nan_to_num(facts.arrays.least_costs(starts), posinf=0.0)
    return dict(zip(facts.products, costs.tolist(), strict=True))


def _order(facts: ChainFacts, cleared: Mapping[str, Mapping[str, FloatArray]]) -> tuple[str, ...]:
    """Products, components first. Where lanes go round in a circle, only those that the clearing uses count: seldom do
    goods go both ways."""
    if not facts.has_circles:
        return components_first(facts.products, facts.ways)
    used = {name for by_way in cleared.values() for name in by_way}
    return components_first(facts.products, [w for w in facts.ways if w.kind != "move" or w.name in used])


def _way_key(way: Way, facts: ChainFacts) -> tuple[str, ...]:
    """What names a way in the cleared quantities: kind, row of its table, product, and where from and to with lanes."""
    moves, located_there = way.kind == "move", bool(facts.stock_points)
    return (
        way.told_kind,
        way.recipe or way.offer or way.lane or "",
        facts.product_of(way.product),
        (way.from_site or "") if moves else "",
        (way.site or "") if located_there else "",
        f"{way.from_units}",
    )


def _hours_to_work(facts: ChainFacts, clearing: Clearing, starts: Sequence[date]) -> dict[str, FloatArray]:
    """Hours by line and bucket: those of the line, or more where the market works overtime."""
    at = {s: t for t, s in enumerate(starts)}
    hours = {line: of_line.copy() for line, of_line in facts.line_hours.items()}
    for row in clearing.prices.filter(pc.equal(clearing.prices["what"], "line")).to_pylist():
        of_line, t = hours[row["name"]], at[row["bucket"]]
        of_line[t] = max(of_line[t], min(row["used"], row["available"]))
    return hours


def _substituted(clearing: Clearing, at: Mapping[date, int]) -> dict[str, FloatArray]:
    """Units that a product serves for others less what others serve for it: product -> (bucket)."""
    units: dict[str, FloatArray] = defaultdict(lambda: np.zeros(len(at)))
    for row in clearing.substitutions.to_pylist():
        units[row["substitute"]][at[row["bucket"]]] += row["units"]
        units[row["product"]][at[row["bucket"]]] -= row["units"]
    return dict(units)


def components_of(ways: Iterable[Way]) -> set[str]:
    """Products that go into others, and those that come together of one way: all that lies in a stock of its own."""
    ways = tuple(ways)
    parts = {u.component for w in ways for u in w.uses} | {component for w in ways for component, _ in w.lot_uses}
    return parts | {product for w in ways if w.outputs for product, _ in w.brings}


def ways_by_product(ways: Iterable[Way]) -> dict[str, list[Way]]:
    """Ways by product, in order of name."""
    result: dict[str, list[Way]] = defaultdict(list)
    for way in sorted(ways, key=lambda w: w.name):
        result[way.product].append(way)
    return result


def _turned_away(clearing: Clearing, at: Mapping[date, int], facts: ChainFacts) -> dict[str, FloatArray]:
    """Cumulative units that the market gives up before the last bucket: product -> (bucket), of those that lose any."""
    lost: dict[str, FloatArray] = defaultdict(lambda: np.zeros(len(at)))
    some = clearing.gaps.filter(pc.greater(clearing.gaps["lost_units"], 0.0))
    for product, market, bucket, units in tuples(some, "product", "market", "bucket", "lost_units"):
        if at[bucket] < len(at) - 1:
            lost[facts.label_of(Item(product, market))][at[bucket]] += units
    return {p: np.cumsum(units) for p, units in lost.items()}


def _prices(clearing: Clearing) -> dict[tuple[str, str, date], float]:
    """(what, name, bucket) -> money."""
    rows = tuples(clearing.prices, "what", "name", "bucket", "price")
    return {(what, name, bucket): price for what, name, bucket, price in rows}


@dataclass(frozen=True, eq=False)
class Chosen:
    """Lots in order of (start, product, way), and what they were chosen from."""

    work: Work
    lots: tuple[Lot, ...]


def lots_by_product(lots: Iterable[Lot]) -> dict[str, list[Lot]]:
    result: dict[str, list[Lot]] = defaultdict(list)
    for lot in lots:
        result[lot.way.product].append(lot)
    return result


def supply_of(work: Work, product: str, lots: Sequence[Lot]) -> FloatArray:
    """Cumulative units of a product by bucket: stock, what comes anyway, and its lots, less what goes bad."""
    units = work.promised.units[product] - work.by_market.wasted.get(product, 0.0)
    for lot in lots:
        units[lot.arrive] += lot.units * lot.way.yield_share
    return np.cumsum(units)
