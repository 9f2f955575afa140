"""What a state says about making and buying, with every default filled in: the ways to get units, and what they cost.

Balance and plan read the same facts here, so that a plan obeys exactly what was cleared.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.columns import grouped
from datong.ledger.held import Held, held_back
from datong.ledger.state import State
from datong.ledger.versions import ALWAYS, Span, day_or_none, span
from datong.model.calendar import Calendar
from datong.model.errors import NoPlan
from datong.model.flow import BoolArray, FloatArray, Forecast, IntArray, Item, Learnt, OrderKind
from datong.model.layers import with_recourse
from datong.model.settings import ChainSettings
from datong.model.tables import tables
from datong.model.words import message
from datong.network.bills import Bills, ComponentUse
from datong.network.line_hours import line_hours
from datong.network.places import ANYWHERE, Lane, Places, StockPoint, places_of, unlike
from datong.network.position import Position, UnderWay
from datong.network.refusals import Refusal, closed_days, refusals
from datong.network.under_way import LEAD_QUANTILE

# A row of a table as it comes from Arrow.
_Row = dict[str, Any]
_ECONOMICS = (
    "holding_cost_per_unit_week",
    "late_cost_per_unit_week",
    "lost_sale_cost_per_unit",
    "salvage_per_unit",
)
_NO_ECONOMICS = ((None,) * len(_ECONOMICS),)
# Behind the product's name: the offer of someone, assumed of what no row says how to get.
IMPLIED = "/implied"

# In place of the first day of a way that may not start.
NEVER = date.max

# 1970-01-01, from which arrays count their days: its number in date.toordinal, and its weekday (Monday is 0).
EPOCH, EPOCH_WEEKDAY = date(1970, 1, 1).toordinal(), date(1970, 1, 1).weekday()


# Most ways times buckets of a chain whose lots may take longer than a bucket. In a larger one such a lot cannot be
# formed, and that is told: the search of prices, which clears it, does not know long lots.
LONG_LOTS_UP_TO = 2_000


@dataclass(frozen=True, slots=True)
class Way:
    """One way to get units of a product: a recipe or an offer; with lanes, also a lane, or a site that serves a market.
    Costs and hours are for a unit started.

    `lead_days` counts from the start to the units being there; `units_per_week` is inf where there is no limit. line:
    key of `line_hours`, which also holds what several ways share of a limited lane or offer, an hour being a unit.
    site: where the units arrive; row: key in its table, where `name` is another. span: buckets that a start works over.
    What changes within the horizon, the row itself or its bill of materials, makes a way of its own from that day on.
    closed: days (first, after) on which nothing is started, because it was refused then.
    """

    name: str
    kind: OrderKind
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
    site: str | None = None
    from_site: str | None = None
    row: str | None = None
    span: int = 1
    closed: tuple[tuple[date, date], ...] = ()

    def is_open(self, day: date) -> bool:
        """Whether it may start on a day: it is valid then and was not refused."""
        return valid_on(day, self.valid_from, self.valid_to) and not any(
            first <= day < after for first, after in self.closed
        )

    @property
    def recipe(self) -> str | None:
        return self.row or self.name if self.kind == "make" else None

    @property
    def offer(self) -> str | None:
        return self.row or self.name if self.kind == "buy" else None

    @property
    def lane(self) -> str | None:
        return self.row if self.kind == "move" else None

    @property
    def held(self) -> bool:
        """It may not start: its product is held back (ledger/held.py)."""
        return self.valid_from == NEVER

    @property
    def serves(self) -> bool:
        """It moves nothing: a site serves a market that several serve."""
        return self.kind == "move" and self.row is None


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
    """Products in order, their economics, the ways in order of (product, kind, name), hours: line -> (bucket).

    ready_arrays: those of the ways, where they are at hand. In a chain with lanes the products are stock points, by
    their labels in `places`. shared: what a key of line_hours that is no line stands for: ('lane' or 'offer', its key).
    refusals: those that close ways in the open buckets.
    """

    products: tuple[str, ...]
    economics: Mapping[str, Economics]
    ways: tuple[Way, ...]
    line_hours: Mapping[str, FloatArray]
    ready_arrays: "WayArrays | None" = None
    places: Places | None = None
    shared: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    refusals: tuple[Refusal, ...] = ()

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


@dataclass(frozen=True, eq=False)
class WayArrays:
    """The ways and their components as arrays. Axes: way; use (a way's component, in the order of the ways).

    product: (way) index of what it makes; cost, yield_share: (way). use_way, use_component, use_units: (use). from_day,
    to_day (not included): days since 1970-01-01, of ways and of uses. level: (product) 0 where nothing goes into it,
    else one more than the highest of its components. turns_of_level: levels in the order in which prices and times are
    handed on through them (`level_turns`). closed: (way, first day, day after) in which a way may not start.
    """

    product: IntArray
    cost: FloatArray
    yield_share: FloatArray
    from_day: IntArray
    to_day: IntArray
    use_way: IntArray
    use_component: IntArray
    use_units: FloatArray
    use_from_day: IntArray
    use_to_day: IntArray
    level: IntArray
    turns_of_level: IntArray
    closed: tuple[tuple[int, date, date], ...] = ()

    @classmethod
    def of(cls, products: Sequence[str], ways: Sequence[Way]) -> "WayArrays":
        """Raises NoPlan where a product goes into itself."""
        at = {p: i for i, p in enumerate(products)}
        way_uses = [tuple(u for u in w.uses if u.component in at) for w in ways]
        uses = [u for own in way_uses for u in own]
        product = np.array([at[w.product] for w in ways], dtype=np.int64)
        use_way = np.repeat(np.arange(len(ways)), np.array([len(own) for own in way_uses], dtype=np.int64))
        use_component = np.array([at[u.component] for u in uses], dtype=np.int64)
        is_move = np.array([w.kind == "move" for w in ways], dtype=bool)
        level = product_levels(products, product[use_way], use_component, is_move[use_way])
        return cls(
            product=product,
            cost=np.array([w.cost_per_unit for w in ways], dtype=np.float64),
            yield_share=np.array([w.yield_share for w in ways], dtype=np.float64),
            from_day=day_numbers([w.valid_from for w in ways], date.min),
            to_day=day_numbers([w.valid_to for w in ways], date.max),
            use_way=use_way,
            use_component=use_component,
            use_units=np.array([u.units_per_unit for u in uses], dtype=np.float64),
            use_from_day=day_numbers([u.valid_from for u in uses], date.min),
            use_to_day=day_numbers([u.valid_to for u in uses], date.max),
            level=level,
            turns_of_level=level_turns(level, product[use_way], use_component),
            closed=tuple((i, *days) for i, w in enumerate(ways) for days in w.closed),
        )

    def open_in(self, bucket_starts: Sequence[date]) -> tuple[BoolArray, BoolArray]:
        """(way, bucket) and (use, bucket): valid on the first day of the bucket; of ways also: not refused then."""
        start = day_numbers(bucket_starts)
        ways = (self.from_day[:, None] <= start) & (start < self.to_day[:, None])
        for way, first, after in self.closed:
            ways[way, [first <= day < after for day in bucket_starts]] = False
        return ways, (self.use_from_day[:, None] <= start) & (start < self.use_to_day[:, None])

    def least_costs(self, bucket_starts: Sequence[date]) -> FloatArray:
        """(product) `unit_costs`."""
        least = np.full(len(self.level), np.inf)
        for day in self._days_of_change(bucket_starts):
            least = np.minimum(least, self._costs_on(day))
        return least

    def good_unit_costs(self, product_cost: FloatArray) -> FloatArray:
        """(way) cost of a good unit with all components at these costs, whenever they are valid."""
        parts = np.bincount(self.use_way, self.use_units * product_cost[self.use_component], len(self.cost))
        return (self.cost + parts) / self.yield_share

    def _costs_on(self, day: int) -> FloatArray:
        """(product) cost of a good unit by the cheapest way that is valid on a day."""
        cost = np.full(len(self.level), np.inf)
        way_valid = (self.from_day <= day) & (day < self.to_day)
        use_valid = (self.use_from_day <= day) & (day < self.use_to_day) & way_valid[self.use_way]
        way_level = self.level[self.product]
        use_level = way_level[self.use_way]
        for level in self.turns_of_level:
            use = np.flatnonzero(use_valid & (use_level == level))
            way = np.flatnonzero(way_valid & (way_level == level))
            parts = np.bincount(self.use_way[use], self.use_units[use] * cost[self.use_component[use]], len(self.cost))
            np.minimum.at(cost, self.product[way], (self.cost[way] + parts[way]) / self.yield_share[way])
        return cost

    def _days_of_change(self, bucket_starts: Sequence[date]) -> list[int]:
        """The first bucket, and each in which other ways or components are valid than in the one before it."""
        limits = np.unique(np.concatenate([self.from_day, self.to_day, self.use_from_day, self.use_to_day]))
        starts = day_numbers(bucket_starts)
        passed = np.searchsorted(limits, starts, side="right")
        return [int(day) for i, day in enumerate(starts) if i == 0 or passed[i] > passed[i - 1]]


def day_numbers(days: Sequence[date | None], missing: date = date.min) -> IntArray:
    """Days since 1970-01-01."""
    least = missing.toordinal()
    return np.array([least if d is None else d.toordinal() for d in days], dtype=np.int64) - EPOCH


def product_levels(
    products: Sequence[str], parent: IntArray, component: IntArray, may_circle: BoolArray | None = None
) -> IntArray:
    """(product) 0 where nothing goes into it, else one more than the highest of its components.

    parent, component: by pair, indices of products. may_circle: (pair) is a move: stock points from which lanes lead
    there and back are of one level. Raises NoPlan on any other cycle. (The checks of a folder refuse one; the ledger
    can hold one made of rows of two times.)
    """
    level = _levels(len(products), parent, component)
    if (level < 0).any() and may_circle is not None and may_circle.any():
        group = _pieces(len(products), parent[may_circle], component[may_circle], "strong")
        between = group[parent] != group[component]
        inside = ~between & ~may_circle
        level = _levels(int(group.max()) + 1, group[parent[between]], group[component[between]])[group]
        level[parent[inside]] = -1
    if (level < 0).any():
        stuck = sorted(products[i] for i in np.flatnonzero(level < 0))
        raise NoPlan(message("facts.cycle", products=", ".join(stuck[:10])))
    return level


def _levels(count: int, parent: IntArray, component: IntArray) -> IntArray:
    """`product_levels` of `count` products; -1 where one is part of a cycle, or made of one that is."""
    order, first = grouped(component, count)
    goes_into = parent[order]
    waits = np.bincount(parent, minlength=count)
    level = np.full(count, -1, dtype=np.int64)
    ready, height = np.flatnonzero(waits == 0), 0
    while len(ready):
        level[ready] = height
        reached = goes_into[ranges(first[ready], first[ready + 1])]
        waits = waits - np.bincount(reached, minlength=count)
        ready = np.unique(reached)
        ready = ready[waits[ready] == 0]
        height += 1
    return level


def _pieces(count: int, to: IntArray, start: IntArray, connection: str) -> IntArray:
    """(product) number of the connected piece that it is in."""
    from scipy.sparse import coo_array  # slow to import, and few chains have lanes in a circle
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(to)), (to, start)), shape=(count, count)).tocsr()
    return connected_components(graph, directed=True, connection=connection)[1].astype(np.int64)


def level_turns(level: IntArray, parent: IntArray, component: IntArray) -> IntArray:
    """Levels from the lowest to the highest; one with lanes in a circle as often as its largest circle has stock
    points, for the cheapest way round it passes each at most once (Bellman 1958)."""
    times = np.ones(int(level.max(initial=-1)) + 1, dtype=np.int64)
    round_it = level[parent] == level[component]
    if round_it.any():
        group = _pieces(len(level), parent[round_it], component[round_it], "weak")
        np.maximum.at(times, level, np.bincount(group)[group])
    return np.repeat(np.arange(len(times)), times)


def turns(group: IntArray) -> list[IntArray]:
    """Positions of the first member of each group, of the second, and so on: in none of them does a group come twice.

    What is added up turn by turn is added in the order of the members.
    """
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    turn = np.arange(len(group)) - np.repeat(starts, np.diff(np.append(starts, len(group))))
    return np.split(order[np.argsort(turn, kind="stable")], np.cumsum(np.bincount(turn))[:-1])


def ranges(first: IntArray, after: IntArray) -> IntArray:
    """The numbers first[0], ..., after[0] - 1, first[1], ..., after[1] - 1, and so on."""
    count = after - first
    before = np.cumsum(count) - count
    return np.arange(int(count.sum())) + np.repeat(first - before, count)


def chain_facts(state: State, bucket_starts: Sequence[date], learnt: Learnt, asked: Sequence[Item] = ()) -> ChainFacts:
    """The facts for the open buckets. What was learnt goes before what a table says; defaults fill the rest.

    asked: items that are asked for besides those of the records; with lanes, each has a stock point.
    """
    products = tuple(sorted(state.table("products")["product"].to_pylist()))
    prices = _prices(state)
    ways = _without_held(_ways(state, prices, learnt, bucket_starts), held_back(state, bucket_starts))
    hours = line_hours(state, bucket_starts)
    if len(ways) * len(bucket_starts) <= LONG_LOTS_UP_TO:
        ways = _long_lots(ways, hours, state.settings.calendar.bucket_days)
    lanes = _lanes(state, bucket_starts)
    refused = refusals(state, bucket_starts[0]) if bucket_starts else ()
    if lanes:
        items = [*asked, *_asked_items(state)]
        facts = _with_lanes(state, products, prices, ways, hours, lanes, items, bucket_starts)
        return replace(facts, ways=_closed(facts.ways, refused, facts.product_of), refusals=refused)
    ways = _closed(ways, refused, lambda product: product)
    arrays = WayArrays.of(products, ways)
    costs = dict(zip(products, arrays.least_costs(bucket_starts).tolist(), strict=True))
    economics = _economics(state, prices, costs, bucket_starts)
    return ChainFacts(products, economics, ways, hours, arrays, refusals=refused)


def _closed(ways: tuple[Way, ...], refused: Sequence[Refusal], product_of: Callable[[str], str]) -> tuple[Way, ...]:
    """The ways, those that were refused closed on the days of the refusal. product_of: the product of a label."""
    days = closed_days(refused)
    if not days:
        return ways
    return tuple(replace(w, closed=days.get(way_key(w, product_of), ())) for w in ways)


def way_key(way: Way, product_of: Callable[[str], str]) -> tuple[OrderKind, str, str]:
    """Kind, key of its recipe, offer or lane, and product of a way."""
    return way.kind, way.row or way.name, product_of(way.product)


def valid_on(day: date, valid_from: date | None, valid_to: date | None) -> bool:
    return (valid_from is None or valid_from <= day) and (valid_to is None or day < valid_to)


def pooled_demand(
    demand: Forecast, where: Position, bucket_days: int, label_of: Callable[[Item], str] = lambda item: item.product
) -> dict[str, FloatArray]:
    """Units asked of each product in each open bucket, all markets together: product -> (path, bucket).

    label_of: what an item is asked of; in a chain with lanes, `ChainFacts.label_of`.

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
        if len(paths) > 1 and (paths[:1] == paths).all():
            paths = paths[:1]
        if i in served:
            paths = np.maximum(paths - served[i], 0.0)
        label = label_of(item)
        asked[label] = asked[label] + paths if label in asked else np.asarray(paths, np.float64)
    for (item, _), units in sorted(where.owed_units.items()):
        label = label_of(item)
        if label not in asked:
            asked[label] = np.zeros((1, buckets))
        asked[label] = asked[label] + np.eye(1, buckets) * units
    return dict(sorted(asked.items()))


def planned_demand(
    demand: Forecast, where: Position, facts: ChainFacts, bucket_starts: Sequence[date], settings: ChainSettings
) -> dict[str, FloatArray]:
    """`pooled_demand` as a plan sees it that is made anew in every bucket (model/layers.py, with_recourse)."""
    asked = pooled_demand(demand, where, settings.calendar.bucket_days, facts.label_of)
    if all(len(paths) == 1 for paths in asked.values()):
        return asked
    response = response_buckets(facts, bucket_starts, settings)
    return {product: with_recourse(paths, response.get(product, 1)) for product, paths in asked.items()}


def response_buckets(facts: ChainFacts, bucket_starts: Sequence[date], settings: ChainSettings) -> dict[str, int]:
    """By product: buckets from seeing demand to having more of it there, when nothing is in stock.

    One bucket of review, the frozen ones, and the lead time of the product's cheapest way with that of its slowest
    component before it.
    """
    arrays = facts.arrays
    unit_cost = arrays.good_unit_costs(arrays.least_costs(bucket_starts))
    is_open, _ = arrays.open_in(bucket_starts)
    name = np.argsort(np.array([w.name for w in facts.ways], dtype=np.str_), kind="stable")
    order = name[np.lexsort((unit_cost[name], arrays.product[name]))]
    order = order[is_open[order].any(axis=1)]
    made, first = np.unique(arrays.product[order], return_index=True)
    usual = order[first]
    is_usual = np.zeros(len(facts.ways), dtype=bool)
    is_usual[usual] = True
    lead = np.zeros(len(facts.products), dtype=np.int64)
    own = np.array([settings.calendar.lead_buckets(facts.ways[w].lead_days) for w in usual], dtype=np.int64)
    use = np.flatnonzero(is_usual[arrays.use_way])
    parent = arrays.product[arrays.use_way[use]]
    for level in arrays.turns_of_level:
        before = np.zeros(len(facts.products), dtype=np.int64)
        here = use[arrays.level[parent] == level]
        np.maximum.at(before, arrays.product[arrays.use_way[here]], lead[arrays.use_component[here]])
        now = arrays.level[made] == level
        lead[made[now]] = before[made[now]] + own[now]
    return {facts.products[p]: int(1 + settings.frozen_buckets + lead[p]) for p in made}


def unit_costs(products: Sequence[str], ways: Sequence[Way], bucket_starts: Sequence[date]) -> dict[str, float]:
    """Cost of a good unit by the cheapest way, in its cheapest bucket, when nothing is scarce, components included.

    Only what is valid in a bucket counts there; inf for a product without a way.
    """
    return dict(zip(products, WayArrays.of(products, ways).least_costs(bucket_starts).tolist(), strict=True))


def components_first(products: Sequence[str], ways: Sequence[Way]) -> tuple[str, ...]:
    """Products in an order in which every component comes before what it goes into, level by level; stock points of a
    circle of lanes stand together.

    Raises NoPlan on a cycle in the bill of materials.
    """
    arrays = WayArrays.of(products, ways)
    return tuple(products[i] for i in np.argsort(arrays.level, kind="stable"))


def _prices(state: State) -> dict[str, float]:
    default = state.settings.defaults.price
    return {p: _or(price, default) for p, price in _rows(state.table("products"), ("product", "price"))}


def _economics(
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
    kinds = dict(_rows(state.table("products"), ("product", "kind")))
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
        salvage = _or(own_salvage, waiting if goes_on else 0.0)
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
    rows: dict[str, list[_Row]] = defaultdict(list)
    found: dict[str, _Economics] = {}
    for product, *own, valid_from, valid_to in _rows(table, names):
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
        return _or(rows[0][column], default)
    return math.fsum(_or(row[column], default) for row in rows) / len(rows)


def _planned(state: State, bucket_starts: Sequence[date]) -> set[str]:
    """Products with rows in `demand` that are due in these buckets."""
    demand = state.table("demand")
    due = demand["due"].cast(pa.int32()).to_numpy()
    if state.settings.calendar.unit == "week":
        due = due - (due + EPOCH_WEEKDAY) % 7
    inside = np.isin(due, day_numbers(bucket_starts))
    return set(pc.unique(demand["product"].filter(pa.array(inside))).to_pylist())


def honest_salvage(salvage: float, cost: float, waiting_at_end: float) -> float:
    """Salvage, but never more than the cheapest way to get the unit: nobody earns by making leftovers, nor by refusing
    a buyer to keep the unit."""
    return min(salvage, cost, waiting_at_end)


def _or(value: float | None, default: float) -> float:
    return default if value is None or math.isnan(value) else float(value)


@dataclass(frozen=True)
class Horizon:
    """The days that a plan looks at: those of the open buckets, from today on.

    Within a bucket the rule is: what is valid on its first day is so in all of it. In the bucket that has begun that
    day is today: what begins or ends in it up to today has done so on its first day, `start`.
    """

    days: Span
    start: int

    @classmethod
    def of(cls, state: State, bucket_starts: Sequence[date]) -> "Horizon":
        today = state.today.toordinal()
        if not bucket_starts:
            return cls(Span(today, today + 1), today)
        start = bucket_starts[0].toordinal()
        end = state.settings.calendar.shift(bucket_starts[-1], 1).toordinal()
        return cls(Span(max(today, start), end), start)

    def held(self, key: str, rows: Sequence[_Row], taken: Container[str]) -> list[_Row]:
        """The versions of one row that hold on any of the days; where none does, the last that has ended, or else the
        first to come. rows: by day, no two on one day, fresh from their table. They get a `name`: the first of them is
        called by the key, each other one by its day too.
        """
        spans = [span(row["valid_from"], row["valid_to"]) for row in rows]
        if len(spans) == 1 and spans[0] is ALWAYS:
            rows[0]["name"] = key
            return [rows[0]]
        inside = [i for i, own in enumerate(spans) if own.first < self.days.after and self.days.first < own.after]
        ended = max((i for i, own in enumerate(spans) if own.after <= self.days.first), default=0)
        found = []
        for i in inside or [ended]:
            name = key if not found else unlike(f"{key} ({rows[i]['valid_from']})", taken)
            first, after = (self._limit(day) for day in spans[i])
            found.append({**rows[i], "name": name, "valid_from": first, "valid_to": after})
        return found

    def _limit(self, day: int) -> date | None:
        return day_or_none(self.start if self.start < day <= self.days.first else day)


def _versions(state: State, table: str, horizon: Horizon) -> list[_Row]:
    """The versions in the horizon of all rows of a table, each with its `name` (`Horizon.held`)."""
    (key,) = tables()[table].key
    return _held(state.versions(table).to_pylist(), key, horizon)


def _held(rows: Iterable[_Row], key: str, horizon: Horizon) -> list[_Row]:
    of_key: dict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        of_key[row[key]].append(row)
    return [row for name, own in of_key.items() for row in horizon.held(name, own, of_key)]


def _ways(state: State, prices: Mapping[str, float], learnt: Learnt, bucket_starts: Sequence[date]) -> tuple[Way, ...]:
    """Ways of the products known at the moment (a recipe can be known before what it makes): each version of a row in
    the horizon is one, and of a recipe each of its bills."""
    horizon = Horizon.of(state, bucket_starts)
    bills = Bills(state.versions("components"), prices)
    site_of_line = dict(_rows(state.table("lines"), ("line", "site")))
    recipes: list[_Row] = []
    for row in (r for r in state.versions("recipes").to_pylist() if r["product"] in prices):
        own = span(row["valid_from"], row["valid_to"])
        first, *others = bills.over_time(row["product"], row["recipe"], own)
        for piece, (days, uses) in [(row, first), *((dict(row), other) for other in others)]:
            piece |= {"valid_from": day_or_none(days.first), "valid_to": day_or_none(days.after), "uses": uses}
            recipes.append(piece)
    ways = [_make(row, learnt, site_of_line) for row in _held(recipes, "recipe", horizon)]
    for r in (r for r in _versions(state, "offers", horizon) if r["product"] in prices):
        ways.append(_buy(r["offer"], r["product"], r["price"], _lead_days(learnt, r["offer"], r["lead_days"]), r))
    known = {w.product for w in ways}
    shares = state.settings.defaults
    for product in sorted(prices):
        if product not in known:  # someone sells it: an assumed offer
            name = f"{product}{IMPLIED}"
            lead = _lead_days(learnt, name, shares.offer_lead_days)
            ways.append(_buy(name, product, shares.cost_share * prices[product], lead, {}))
    return tuple(sorted(ways, key=lambda w: (w.product, w.kind, w.name)))


def _make(row: _Row, learnt: Learnt, site_of_line: Mapping[str, str | None]) -> Way:
    return Way(
        name=row["name"],
        kind="make",
        product=row["product"],
        line=row["line"],
        hours_per_unit=row["hours_per_unit"] if row["line"] is not None else 0.0,
        cost_per_unit=row["cost_per_unit"],
        setup_hours=row["setup_hours"] if row["line"] is not None else 0.0,
        setup_cost=row["setup_cost"],
        min_units=row["min_lot_units"],
        multiple_units=row["lot_multiple_units"],
        lead_days=_lead_days(learnt, row["recipe"], row["lead_days"]),
        yield_share=learnt.yield_share.get(row["recipe"], row["yield_share"]),
        units_per_week=math.inf,
        uses=row["uses"],
        valid_from=row["valid_from"],
        valid_to=row["valid_to"],
        site=row["site"] or site_of_line.get(row["line"]),
        row=None if row["name"] == row["recipe"] else row["recipe"],
    )


def _without_held(ways: Sequence[Way], held: Held) -> tuple[Way, ...]:
    """The ways, of which those of products that are held back never start. They stay, for what is under way by them;
    what goes into itself takes nothing."""
    return tuple(
        replace(w, valid_from=NEVER, uses=() if w.product in held.circular else w.uses) if w.product in held else w
        for w in ways
    )


def _rows(table: pa.Table, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Rows as tuples of these columns."""
    return zip(*(table[name].to_pylist() for name in columns), strict=True)


def _buy(offer: str, product: str, price: float, lead_days: int, row: _Row) -> Way:
    name = row.get("name", offer)
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
        valid_to=row.get("valid_to"),
        site=row.get("to_site"),
        from_site=row.get("site"),
        row=None if name == offer else offer,
    )


def _long_lots(ways: Sequence[Way], hours: Mapping[str, FloatArray], bucket_days: int) -> tuple[Way, ...]:
    """Ways with their span: one whose smallest lot, or single unit, needs more hours than its line has in any bucket
    works over as many buckets as it takes, and its units are there after the last of them."""
    most = {line: float(of_line.max(initial=0.0)) for line, of_line in hours.items()}
    result = []
    for way in ways:
        lot = max(way.min_units, way.multiple_units, 1.0) * way.hours_per_unit + way.setup_hours
        there = most.get(way.line or "", 0.0)
        if there > 0 and lot > there * (1 + 1e-9):
            span = math.ceil(lot / there - 1e-9)
            way = replace(way, span=span, lead_days=max(way.lead_days, (span - 1) * bucket_days))
        result.append(way)
    return tuple(result)


def _lead_days(learnt: Learnt, name: str, given: float) -> int:
    """Whole days, rounded up: the lead time met four times out of five where there is a record, else the given one."""
    past = learnt.lead_days.get(name)
    days = float(np.quantile(past, LEAD_QUANTILE, method="inverted_cdf")) if past else given
    return math.ceil(days - 1e-9)


# lanes ---------------------------------------------------------------------------------------------


def _lanes(state: State, bucket_starts: Sequence[date]) -> tuple[Lane, ...]:
    """The lanes, each of their versions in the horizon."""
    rows = _versions(state, "lanes", Horizon.of(state, bucket_starts))
    return tuple(
        Lane(
            r["lane"],
            r["from_site"],
            r["to_site"],
            r["product"],
            r["lead_days"],
            r["cost_per_unit"],
            _or(r["units_per_week"], math.inf),
            r["valid_from"],
            r["valid_to"],
        )
        for r in sorted(rows, key=lambda r: r["lane"])
    )


def _with_lanes(
    state: State,
    products: tuple[str, ...],
    prices: Mapping[str, float],
    ways: Sequence[Way],
    hours: Mapping[str, FloatArray],
    lanes: Sequence[Lane],
    asked: Sequence[Item],
    bucket_starts: Sequence[date],
) -> ChainFacts:
    """The facts by stock point: each recipe makes and uses at its site, each offer arrives at one or more, and each
    lane moves what it may. What recipes, offers or stock name no site for is at site ''.

    A product that is only bought by an assumed offer has it wherever it is used or asked for, and so has an offer that
    names no site of arrival, unless a lane leaves the supplier's site.
    """
    delivered = _delivered_at(ways, lanes)
    sources, used_at = _sites_of(state, ways, delivered)
    sites = state.table("sites")["site"].to_pylist()
    places = places_of(products, lanes, sites, sources, used_at, asked)
    wanted_at: dict[str, set[str]] = defaultdict(set, {c: set(at) for c, at in used_at.items()})
    for item, name in places.asked_at.items():
        wanted_at[item.product].add(places.points[name].site)
    calendar = state.settings.calendar
    limits = _SharedLimits(hours, bucket_starts, calendar.bucket_days)
    found = [located for way in ways for located in _at_sites(way, places.label, delivered, wanted_at, limits)]
    found += _moves(places, limits, {w.name for w in found})
    ordered = tuple(sorted(found, key=lambda w: (w.product, w.kind, w.name)))
    labels = tuple(sorted(places.label.values()))
    costs = unit_costs(labels, ordered, bucket_starts)
    economics = _economics(state, prices, _costs_where_none(costs, places.points), bucket_starts, places.points)
    ordered = tuple(_with_holding(w, economics, calendar) if w.kind == "move" else w for w in ordered)
    return ChainFacts(labels, economics, ordered, limits.hours, None, places, limits.shared)


def _delivered_at(ways: Sequence[Way], lanes: Sequence[Lane]) -> dict[str, str | None]:
    """Offer's way -> the site at which its units arrive; None: wherever they are wanted."""
    left = {(lane.from_site, lane.product) for lane in lanes}
    delivered: dict[str, str | None] = {}
    for way in ways:
        if way.kind == "buy":
            leaves = way.from_site is not None and bool({(way.from_site, None), (way.from_site, way.product)} & left)
            delivered[way.name] = way.site or (way.from_site if leaves else None)
    return delivered


def _sites_of(
    state: State, ways: Sequence[Way], delivered: Mapping[str, str | None]
) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Product -> sites at which its units come about, or lie; component -> sites at which it is used."""
    sources, used_at = _recorded_sites(state), defaultdict[str, set[str]](set)
    for way in ways:
        if way.kind == "make":
            sources[way.product].add(way.site or ANYWHERE)
            for use in way.uses:
                used_at[use.component].add(way.site or ANYWHERE)
        elif (to := delivered[way.name]) is not None:
            sources[way.product].add(to)
    return sources, used_at


class _SharedLimits:
    """What all ways of a limited lane or offer share: a line of its own, of which an hour is a unit.

    hours: line -> (bucket), those of such lines included; shared: such a line -> ('lane' or 'offer', its key).
    """

    def __init__(self, hours: Mapping[str, FloatArray], bucket_starts: Sequence[date], bucket_days: int) -> None:
        self.hours = dict(hours)
        self.shared: dict[str, tuple[str, str]] = {}
        self._starts, self._days = bucket_starts, bucket_days
        self._key_of: dict[tuple[str, str], str] = {}

    def key(self, what: str, name: str, of: Lane | Way) -> str | None:
        """The line of a lane or offer, with the units of this version of it while it holds; None: it has no limit."""
        if math.isinf(of.units_per_week):
            return None
        if (what, name) not in self._key_of:
            key = self._key_of[what, name] = unlike(f"{what} {name}", set(self.hours))
            self.shared[key] = (what, name)
            self.hours[key] = np.zeros(len(self._starts))
        key = self._key_of[what, name]
        holds = [valid_on(start, of.valid_from, of.valid_to) for start in self._starts]
        self.hours[key][holds] = of.units_per_week * self._days / 7
        return key


def _at_sites(
    way: Way,
    label: Mapping[tuple[str, str], str],
    delivered: Mapping[str, str | None],
    wanted_at: Mapping[str, set[str]],
    limits: _SharedLimits,
) -> list[Way]:
    """A recipe or an offer at its site, or at each site at which its units may arrive."""
    if way.kind == "make":
        site = way.site or ANYWHERE
        uses = tuple(replace(u, component=label[u.component, site]) for u in way.uses)
        return [replace(way, product=label[way.product, site], uses=uses)]
    to = delivered[way.name]
    arrivals = [to] if to is not None else sorted(wanted_at[way.product])
    if len(arrivals) <= 1:
        return [replace(way, product=label[way.product, site], site=site) for site in arrivals]
    key = limits.key("offer", way.row or way.name, way)
    found = []
    for site in arrivals:
        name = f"{way.name}@{site}" if site != ANYWHERE else way.name
        one = replace(way, name=name, product=label[way.product, site], site=site, row=way.row or way.name)
        found.append(one if key is None else replace(one, line=key, hours_per_unit=1.0, units_per_week=math.inf))
    return found


def _moves(places: Places, limits: _SharedLimits, names: set[str]) -> list[Way]:
    """A way for each product that a lane may carry. names: those that are taken; written over."""
    found, label = [], places.label
    for move in places.moves:
        lane = move.lane
        name = unlike(f"{move.from_site}>{move.product}" if lane is None else f"{lane.lane}>{move.product}", names)
        names.add(name)
        key = None if lane is None else limits.key("lane", lane.lane, lane)
        found.append(
            Way(
                name=name,
                kind="move",
                product=label[move.product, move.to_site],
                line=key,
                hours_per_unit=0.0 if key is None else 1.0,
                cost_per_unit=0.0 if lane is None else lane.cost_per_unit,
                setup_hours=0.0,
                setup_cost=0.0,
                min_units=0.0,
                multiple_units=0.0,
                lead_days=0 if lane is None else math.ceil(lane.lead_days - 1e-9),
                yield_share=1.0,
                units_per_week=math.inf,
                uses=(ComponentUse(label[move.product, move.from_site], 1.0, None, None),),
                valid_from=None if lane is None else lane.valid_from,
                valid_to=None if lane is None else lane.valid_to,
                site=move.to_site,
                from_site=move.from_site,
                row=None if lane is None else lane.lane,
            )
        )
    return found


def _with_holding(move: Way, economics: Mapping[str, Economics], calendar: Calendar) -> Way:
    """Goods on the way are stock: without their holding, a long lane would be the cheapest warehouse."""
    holding = economics[move.product].holding_per_bucket * calendar.lead_buckets(move.lead_days)
    return replace(move, cost_per_unit=move.cost_per_unit + holding)


def _costs_where_none(costs: Mapping[str, float], points: Mapping[str, StockPoint]) -> dict[str, float]:
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


def _recorded_sites(state: State) -> dict[str, set[str]]:
    """Sites at which units of a product were ever counted or arrived, or will: product -> sites."""
    sites: dict[str, set[str]] = defaultdict(set)
    for table, column in (
        ("stock", "site"),
        ("receipts", "site"),
        ("production", "site"),
        ("shipments", "to_site"),
        ("orders", "site"),
    ):
        rows = state.table(table)
        if table == "shipments":
            rows = rows.filter(pc.is_valid(rows[column]))
        pairs = rows.select(["product", column]).group_by(["product", column], use_threads=False).aggregate([])
        for product, site in zip(pairs["product"].to_pylist(), pairs[column].to_pylist(), strict=True):
            if table != "orders" or site is not None:
                sites[product].add(site or ANYWHERE)
    return sites


def _asked_items(state: State) -> Iterable[Item]:
    """Every product and market that anything was ever asked of."""
    for table in ("sales", "demand"):
        rows = state.table(table).select(["product", "market"])
        pairs = rows.group_by(["product", "market"], use_threads=False).aggregate([])
        yield from map(Item, pairs["product"].to_pylist(), pairs["market"].to_pylist())


def located(facts: ChainFacts, where: Position) -> Position:
    """The position by stock point, in a chain with lanes: what lies and comes where; as it is in any other. An order
    under way is one of the way that its recipe is on the day it starts."""
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


def ways_by_row(ways: Iterable[Way]) -> dict[tuple[str, str], tuple[Way, ...]]:
    """By kind and key in its table: the ways that a row is, its versions and, with lanes, its sites and products."""
    found: dict[tuple[str, str], list[Way]] = defaultdict(list)
    for way in ways:
        found[way.kind, way.row or way.name].append(way)
    return {row: tuple(own) for row, own in found.items()}


def way_on(versions: Sequence[Way], day: date) -> Way:
    """Of the ways that one row is in turn (one at least), the one that holds on a day: the last to have begun by then;
    before the first begins, that one."""
    begun = [way for way in versions if way.valid_from is None or way.valid_from <= day]
    return max(begun or versions[:1], key=lambda way: way.valid_from or date.min)
