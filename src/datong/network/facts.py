"""What a state says about making and buying, with every default filled in: products, economics, ways, hours.

Balance and plan read the same facts here, so that a plan obeys exactly what was cleared.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property

import pyarrow.compute as pc

from datong.ledger.products_held_back import held_back
from datong.ledger.state import State
from datong.model.flow import FloatArray, Item, Learnt
from datong.network.alternatives import held_as_components, with_picks
from datong.network.economics import Economics, costs_where_none, economics_of, prices_of
from datong.network.lanes import (
    SharedLimits,
    asked_items,
    delivered_at,
    holding_factors,
    lanes_of,
    moves,
    sites_of,
    ways_at_sites,
    with_holding,
    with_one_limit,
)
from datong.network.lead_times_in_buckets import has_parts, timed
from datong.network.line_hours import line_hours, overtime, shares_by_day
from datong.network.long_lots import LONG_LOTS_UP_TO, long_lots
from datong.network.order_rhythm import in_rhythm
from datong.network.places import ANYWHERE, Lane, Places, StockPoint, places_of
from datong.network.position import Position, UnderWay
from datong.network.refusals import RECALLED, Refusal, refusals
from datong.network.release_fence import behind_fences, release_fences
from datong.network.routes import Routes
from datong.network.start_and_arrival_days import in_working_days
from datong.network.way_arrays import WayArrays, unit_costs
from datong.network.ways import (
    Way,
    recipe_and_offer_ways,
    shut_with_their_lines,
    way_on,
    ways_by_row,
    with_closed_days,
    without_held,
)


@dataclass(frozen=True, eq=False)
class ChainFacts:
    """Products in order, their economics, the ways in order of (product, kind, name), hours: line -> (bucket).

    ready_arrays: those of the ways, where they are at hand. In a chain with lanes the products are stock points, by
    their labels in `places`. shared: what a key of line_hours that is no line stands for: ('lane' or 'offer', its key).
    shares_by_day: line -> (bucket, day) of its hours in the bucket; empty: hours are not looked at by day.
    refusals: those that close ways in the open buckets, and those of shortly before, which close nothing (RECALLED).
    today: nothing begins before it. between: what waits between the steps of a recipe, or is taken of
    alternate components -> the product that it becomes. groups: what is taken of alternate components -> what orders
    that are out call it.
    """

    products: tuple[str, ...]
    economics: Mapping[str, Economics]
    ways: tuple[Way, ...]
    line_hours: Mapping[str, FloatArray]
    ready_arrays: "WayArrays | None" = None
    places: Places | None = None
    shared: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    refusals: tuple[Refusal, ...] = ()
    shares_by_day: Mapping[str, FloatArray] = field(default_factory=dict)
    today: date = date.min
    between: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    # Product -> ends of buckets over which a unit of it may lie; none of what keeps.
    keeps: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def ways_of_row(self) -> Mapping[tuple[str, str], tuple[Way, ...]]:
        """`ways_by_row` of its ways."""
        return ways_by_row(self.ways)

    def label_of(self, item: Item) -> str:
        """The product, or the label of the stock point, at which an item is asked for."""
        return item.product if self.places is None else self.places.asked_at.get(item, item.product)

    def product_of(self, label: str) -> str:
        """The product of a stock point."""
        return self.stock_points[label].product if label in self.stock_points else label

    def taken_as(self, label: str) -> str:
        """What orders that are out call what they take: the product of a stock point, or a group of alternatives."""
        product = self.product_of(label)
        return self.groups.get(product, product)

    def becomes(self, label: str) -> str:
        """The product of a stock point; of what waits between the steps of a recipe, the product that is made."""
        product = self.product_of(label)
        return self.between.get(product, product)

    @cached_property
    def names_by_product(self) -> Mapping[str, Mapping[str, str]]:
        """product -> site -> label; of a chain without lanes, each product at site ''."""
        if self.places is None:
            return {product: {ANYWHERE: product} for product in self.products}
        names: dict[str, dict[str, str]] = defaultdict(dict)
        for (product, site), label in self.places.label.items():
            names[product][site] = label
        return names

    @property
    def has_circles(self) -> bool:
        """Lanes lead from some stock point back to it."""
        return len(self.arrays.turns_of_level) > int(self.arrays.level.max(initial=-1)) + 1

    @cached_property
    def stock_points(self) -> Mapping[str, StockPoint]:
        return {} if self.places is None else self.places.points

    @cached_property
    def arrays(self) -> "WayArrays":
        return self.ready_arrays or WayArrays.of(self.products, self.ways)


def chain_facts(state: State, bucket_starts: Sequence[date], learnt: Learnt, asked: Sequence[Item] = ()) -> ChainFacts:
    """The facts for the open buckets. What was learnt goes before what a table says; defaults fill the rest.

    asked: items that are asked for besides those of the records; with lanes, each has a stock point.
    """
    products = tuple(sorted(state.table("products")["product"].to_pylist()))
    prices = prices_of(state)
    routes = Routes.of(state)
    between = {**routes.between}
    ways = recipe_and_offer_ways(state, prices, learnt, bucket_starts, routes)
    ways, groups = with_picks(ways, {*products, *between})
    between = between | {label: between.get(group.product, group.product) for label, group in groups.items()}
    names = {label: group.name for label, group in groups.items()}
    ways = without_held(ways, held_back(state, bucket_starts), between)
    if between:
        prices = prices | {label: prices[product] for label, product in between.items() if product in prices}
        products = tuple(sorted({*products, *(w.product for w in ways)}))
    hours, by_day = line_hours(state, bucket_starts), shares_by_day(state, bucket_starts)
    if len(ways) * len(bucket_starts) <= LONG_LOTS_UP_TO:
        ways = long_lots(ways, hours, bucket_starts, state.settings.calendar)
    ways = shut_with_their_lines(
        ways, _with_overtime(state, hours, bucket_starts), bucket_starts, state.settings.calendar
    )
    lanes = lanes_of(state, bucket_starts)
    refused = refusals(state, bucket_starts[0] - RECALLED) if bucket_starts else ()
    if lanes:
        items = [*asked, *asked_items(state)]
        facts = _with_lanes(state, prices, ways, hours, lanes, items, bucket_starts, between)
        ways = with_closed_days(facts.ways, refused, facts.product_of)
        ways = behind_fences(ways, release_fences(state), facts.becomes)
        ways = in_rhythm(ways, state, bucket_starts, facts.product_of)
        facts = replace(facts, ways=ways, refusals=refused, shares_by_day=by_day, today=state.today, groups=names)
        return _keeping(state, facts)
    limits = SharedLimits(hours, bucket_starts, state.settings.calendar.bucket_days)
    ways = with_one_limit(ways, limits)
    ways = _timed(state, products, in_working_days(state, ways, bucket_starts), lambda: _asked(state, asked))
    ways = with_closed_days(ways, refused, lambda product: product)
    ways = behind_fences(ways, release_fences(state), lambda label: between.get(label, label))
    ways = in_rhythm(ways, state, bucket_starts, lambda product: product)
    arrays = WayArrays.of(products, ways)
    costs = dict(zip(products, arrays.least_costs(bucket_starts).tolist(), strict=True))
    economics = economics_of(state, {p: prices[p] for p in products}, costs, bucket_starts, between=between)
    economics = held_as_components(economics, ways)
    facts = ChainFacts(products, economics, ways, limits.hours, arrays, refusals=refused, between=between)
    facts = replace(facts, shares_by_day=by_day, today=state.today, groups=names, shared=limits.shared)
    return _keeping(state, facts)


def _keeping(state: State, facts: ChainFacts) -> ChainFacts:
    """The facts with the whole buckets for which a unit can be kept (network/shelf_life.py).

    With lanes, at each stock point: a unit that was moved counts as new. What is picked of alternatives of which one
    goes bad is picked when it is taken.
    """
    days = state.settings.calendar.bucket_days
    table = state.table("products").select(["product", "shelf_life_days"])
    table = table.filter(pc.is_valid(table["shelf_life_days"]))
    names = facts.names_by_product
    found = {
        name: int(r["shelf_life_days"] // days)
        for r in table.to_pylist()
        for name in names.get(r["product"], {"": r["product"]}).values()
    }
    picks = (way for way in facts.ways if way.picks is not None)
    picked = {way.product: 0 for way in picks if way.uses[0].component in found}
    return replace(facts, keeps=found | picked)


def _with_overtime(
    state: State, hours: Mapping[str, FloatArray], bucket_starts: Sequence[date]
) -> Mapping[str, FloatArray]:
    """line -> (bucket) hours and overtime."""
    beyond, _ = overtime(state, bucket_starts)
    return {line: own + beyond[line] if line in beyond else own for line, own in hours.items()}


def _with_lanes(
    state: State,
    prices: Mapping[str, float],
    ways: Sequence[Way],
    hours: Mapping[str, FloatArray],
    lanes: Sequence[Lane],
    asked: Sequence[Item],
    bucket_starts: Sequence[date],
    between: Mapping[str, str],
) -> ChainFacts:
    """The facts by stock point: each recipe makes and uses at its site, each offer arrives at one or more, and each
    lane moves what it may. What recipes, offers or stock name no site for is at site ''.

    A product that is only bought by an assumed offer has it wherever it is used or asked for, and so has an offer that
    names no site of arrival, unless a lane leaves the supplier's site.
    """
    delivered = delivered_at(ways, lanes)
    sources, used_at = sites_of(state, ways, delivered)
    sites = state.table("sites")["site"].to_pylist()
    places = places_of(sorted(prices), lanes, sites, sources, used_at, asked, between)
    wanted_at: dict[str, set[str]] = defaultdict(set, {c: set(at) for c, at in used_at.items()})
    for item, name in places.asked_at.items():
        wanted_at[item.product].add(places.points[name].site)
    calendar = state.settings.calendar
    limits = SharedLimits(hours, bucket_starts, calendar.bucket_days)
    ways = with_one_limit(ways, limits)
    found = [located for way in ways for located in ways_at_sites(way, places.label, delivered, wanted_at, limits)]
    found += moves(places, limits, {w.name for w in found})
    ordered = tuple(sorted(found, key=lambda w: (w.product, w.kind, w.name)))
    ordered = in_working_days(state, ordered, bucket_starts)
    labels = tuple(sorted(places.label.values()))
    ordered = _timed(state, labels, ordered, lambda: _asked_at(state, places))
    costs = unit_costs(labels, ordered, bucket_starts)
    costs, factors = costs_where_none(costs, places.points), holding_factors(state, places)
    economics = economics_of(state, prices, costs, bucket_starts, places.points, factors, between)
    economics = held_as_components(economics, ordered)
    ordered = tuple(with_holding(w, economics, calendar) if w.kind == "move" else w for w in ordered)
    return ChainFacts(labels, economics, ordered, limits.hours, None, places, limits.shared, between=between)


def _timed(
    state: State, products: Sequence[str], ways: tuple[Way, ...], asked: Callable[[], Collection[str]]
) -> tuple[Way, ...]:
    """The ways, their lead times in buckets (lead_times_in_buckets.py), in order of (product, kind, name). asked:
    products that are asked for, or stand in for others."""
    calendar = state.settings.calendar
    if has_parts(ways, calendar):
        ways = timed(products, ways, asked(), calendar)
    return tuple(sorted(ways, key=lambda w: (w.product, w.kind, w.name)))


def _asked(state: State, asked: Sequence[Item]) -> Collection[str]:
    return {item.product for item in (*asked, *asked_items(state))} | _stand_ins(state)


def _asked_at(state: State, places: Places) -> Collection[str]:
    stand_ins = _stand_ins(state)
    serve = {label for label, point in places.points.items() if point.product in stand_ins}
    return {*places.asked_at.values(), *serve}


def _stand_ins(state: State) -> set[str]:
    return set(state.versions("substitutes")["substitute"].to_pylist())


def located(facts: ChainFacts, where: Position) -> Position:
    """The position by stock point, in a chain with lanes: what lies and comes where; as it is in any other. An order
    under way is one of the way that its recipe is on the day on which it was to start, with which it was given out."""
    places = facts.places
    if places is None:
        made = {o.order: facts.ways_of_row.get(("make", o.recipe or ""), ()) for o in where.under_way}
        under_way = (
            replace(o, recipe=way_on(made[o.order], o.start).name) if made[o.order] else o for o in where.under_way
        )
        return replace(where, under_way=tuple(under_way))
    on_hand = {
        places.label[product, site]: units
        for (product, site), units in where.on_hand_by_site.items()
        if (product, site) in places.label
    }
    ways: dict[tuple[str, str, str], list[Way]] = defaultdict(list)
    for way in facts.ways:
        ways[way.kind, way.row or way.name, facts.product_of(way.product)].append(way)

    somewhere: dict[str, str] = {}
    for (product, _), label in sorted(places.label.items()):
        somewhere.setdefault(product, label)

    def at_its_site(order: UnderWay) -> UnderWay:
        fits = ways.get((order.kind, order.recipe or order.offer or order.lane or "", order.product), [])
        own = next((w for w in fits if order.site in (None, w.site)), None)
        site = order.site or (own.site if own is not None else None) or ANYWHERE
        label = places.label.get((order.product, site)) or somewhere.get(order.product, order.product)
        # What takes hours and components is looked up as a recipe.
        taking = order.recipe
        if own is not None and order.kind != "buy":
            there = [way for way in fits if (way.site, way.from_site) == (own.site, own.from_site)]
            taking = way_on(there, order.start).name
        return replace(order, product=label, recipe=taking)

    return replace(where, on_hand_units=on_hand, under_way=tuple(at_its_site(o) for o in where.under_way))
