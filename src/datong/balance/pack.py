"""The chain as arrays: what the market knows. Facts and demand in, a Market out; no solver here.

Axes: product; demanded (products that are asked for); way (recipes and offers); line; bucket (t).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property

import numpy as np

from datong.balance.rules import Rules, build, honest_salvages, pools
from datong.ledger.state import State
from datong.model.calendar import Calendar
from datong.model.flow import BoolArray, FloatArray, Forecast, IntArray, Item, Learnt
from datong.network.asks import Asks, asks_of
from datong.network.committed import committed
from datong.network.facts import (
    ChainFacts,
    Way,
    chain_facts,
    grouped,
    level_turns,
    located,
    planned_demand,
    product_levels,
    ranges,
    turns,
)
from datong.network.places import StockPoint
from datong.network.position import Position
from datong.network.rule_facts import NO_RULES, DemandClass, RuleFacts, rule_facts

# Ways of which prices are worked out together.
WAYS_AT_ONCE = 10_000


@dataclass(frozen=True, eq=False)
class Market:
    """Everything that is bought, sold or scarce.

    way_*: (way). way_open: (way, bucket) it may start there and arrives inside the horizon. way_limit: (way, bucket)
    most units started. way_span: buckets that a start works over (spans.py). Costs and hours are per unit started, of
    which `way_yield` become good units.
    use_*: (use) units of a component that one unit started takes; `use_open`: (use, bucket) while it is valid.
    line_hours: (line, bucket) left after orders under way, which take `hours_taken`. fixed: (product, bucket) units
    that come (opening stock in bucket 0) less units that orders under way will take; of a component it may be below
    zero in sum: the plan must bring what is missing. covering: (way, bucket) starts within all limits that would bring
    just that. opening: (product) stock in hand.
    holding, late, lost_sale, waiting_at_end, salvage: (product) money per unit (and bucket). cumulative_demand: per
    demanded product (path, bucket). sure: (demanded, bucket) units asked for in every path. plain_cost: (product)
    money for a good unit by the cheapest way where nothing is scarce; inf without a way. levels: products,
    components first. is_component: (product) its units lie in one stock until they are used or set aside, as those of
    components do (`pools` in rules.py says which others). A product may stand several times in `demanded`, once for
    each class of its demand. beyond: the rules beyond the linear core.

    In a chain with lanes a product is a stock point, by its label; stock_points: product and site by label; label_of:
    what an item is asked of; shared: what stands for a line and is none: label -> ('lane' or 'offer', its key), an hour
    being a unit. asks: the requests behind the demand, where they are known one by one.
    """

    products: tuple[str, ...]
    ways: tuple[Way, ...]
    lines: tuple[str, ...]
    bucket_starts: tuple[date, ...]
    way_product: IntArray
    way_line: IntArray
    way_hours: FloatArray
    way_cost: FloatArray
    way_yield: FloatArray
    way_lead: IntArray
    way_span: IntArray
    way_open: BoolArray
    way_limit: FloatArray
    use_way: IntArray
    use_component: IntArray
    use_units: FloatArray
    use_open: BoolArray
    line_hours: FloatArray
    hours_taken: FloatArray
    fixed: FloatArray
    covering: FloatArray
    opening: FloatArray
    holding: FloatArray
    late: FloatArray
    lost_sale: FloatArray
    waiting_at_end: FloatArray
    salvage: FloatArray
    demanded: IntArray
    cumulative_demand: tuple[FloatArray, ...]
    sure: FloatArray
    is_component: BoolArray
    plain_cost: FloatArray
    levels: tuple[int, ...]
    beyond: Rules
    stock_points: Mapping[str, StockPoint] = field(default_factory=dict)
    shared: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    label_of: Callable[[Item], str] = lambda item: item.product
    asks: Asks | None = None

    @cached_property
    def rules(self) -> frozenset[str]:
        """Names of the rules that this market has beyond the linear core."""
        return self.beyond.names | ({"long lots"} if (self.way_span > 1).any() else set())

    @property
    def most_hours(self) -> FloatArray:
        """(line, bucket) hours with overtime, left after orders under way."""
        return self.line_hours + self.beyond.overtime if "overtime" in self.rules else self.line_hours

    @cached_property
    def way_setup_hours(self) -> FloatArray:
        """(way) hours of its line for each order."""
        return np.array([w.setup_hours for w in self.ways], dtype=np.float64)

    @cached_property
    def way_setup_cost(self) -> FloatArray:
        """(way) money for each order."""
        return np.array([w.setup_cost for w in self.ways], dtype=np.float64)

    @cached_property
    def late_cost(self) -> FloatArray:
        """(demanded) money per unit and bucket: of its product, times the weight of its class."""
        return self.late[self.demanded] * self.beyond.weight

    @cached_property
    def lost_cost(self) -> FloatArray:
        """(demanded) money per unit turned away."""
        return self.lost_sale[self.demanded] * self.beyond.weight

    @cached_property
    def end_cost(self) -> FloatArray:
        """(demanded) money per unit that still waits at the end."""
        return self.waiting_at_end[self.demanded] * self.beyond.weight

    @cached_property
    def least_supply(self) -> FloatArray:
        """(demanded, bucket) the least of M, supply beyond what comes anyway and turned away: maximum lateness."""
        anyway = np.cumsum(self.fixed[self.demanded], axis=1)
        least = self.beyond.overdue - np.where(self.is_component[self.demanded, None], 0.0, anyway)
        return np.maximum.accumulate(np.maximum(least, 0.0), axis=1)

    @property
    def buckets(self) -> int:
        return len(self.bucket_starts)

    @property
    def single_level(self) -> bool:
        """No component is made, bought or used: products share nothing but lines."""
        return len(self.use_way) == 0

    @cached_property
    def level(self) -> IntArray:
        """(product) `product_levels`."""
        is_move = np.array([w.kind == "move" for w in self.ways], dtype=bool)
        parent = self.way_product[self.use_way]
        return product_levels(self.products, parent, self.use_component, is_move[self.use_way])

    @property
    def has_circles(self) -> bool:
        """Lanes lead from some stock point back to it: no order of the products puts what goes in first."""
        return bool((self.level[self.way_product[self.use_way]] == self.level[self.use_component]).any())

    def net_demand(self, d: int) -> FloatArray:
        """Cumulative demand of the d-th demanded product (path, bucket) less what comes anyway.

        Stock of a product that is also a component is not earmarked, so it is not taken off.
        """
        product = self.demanded[d]
        if self.is_component[product]:
            return self.cumulative_demand[d]
        return self.cumulative_demand[d] - np.cumsum(self.fixed[product])

    @cached_property
    def given_demand(self) -> FloatArray | None:
        """(demanded, bucket) cumulative demand where that of every product is one path; else None."""
        if all(len(paths) == 1 for paths in self.cumulative_demand):
            return np.concatenate([np.zeros((0, self.buckets)), *self.cumulative_demand])
        return None

    def net_given_demand(self, d: IntArray) -> FloatArray:
        """`net_demand` of demanded products whose demand is one path: (d, bucket)."""
        assert self.given_demand is not None
        product = self.demanded[d]
        anyway = np.cumsum(self.fixed[product], axis=1)
        return self.given_demand[d] - np.where(self.is_component[product, None], 0.0, anyway)

    @cached_property
    def steps(self) -> "tuple[Step, ...]":
        """The products, components first, with their ways, in pieces that a core's cache holds; those of lanes in a
        circle again and again, until a price has come round."""
        count = len(self.products)
        level = self.level
        ways_of, first_way = grouped(self.way_product, count)
        uses_of, first_use = grouped(self.use_way, len(self.ways))
        steps = []
        for height in level_turns(level, self.way_product[self.use_way], self.use_component):
            products = np.flatnonzero(level == height)
            before = np.cumsum(first_way[products + 1] - first_way[products])
            cuts = np.flatnonzero(np.diff(before // WAYS_AT_ONCE)) + 1
            for some in np.split(products, cuts):
                ways = ways_of[ranges(first_way[some], first_way[some + 1])]
                uses = uses_of[ranges(first_use[ways], first_use[ways + 1])]
                of_use = np.repeat(np.arange(len(ways)), first_use[ways + 1] - first_use[ways])
                steps.append(Step(some, ways, turns(self.way_product[ways]), uses, of_use, turns(of_use)))
        return tuple(steps)


@dataclass(frozen=True, eq=False)
class Step:
    """Some products of one level, all their ways, and these ways' uses, as indices of the market.

    way_turns, use_turns: positions in `ways` and `uses` of the first of each product or way, of the second, and so on.
    use_at: (use) position of its way in `ways`.
    """

    products: IntArray
    ways: IntArray
    way_turns: list[IntArray]
    uses: IntArray
    use_at: IntArray
    use_turns: list[IntArray]


def pack(state: State, demand: Forecast, learnt: Learnt, where: Position) -> Market:
    """Arrays of the chain as known at the state's moment."""
    settings = state.settings
    facts = chain_facts(state, demand.bucket_starts, learnt, demand.items)
    asked = planned_demand(demand, where, facts, demand.bucket_starts, settings)
    rules = rule_facts(state, demand, where, asked, facts)
    market = pack_facts(facts, where, asked, demand.bucket_starts, settings.calendar, settings.frozen_buckets, rules)
    return replace(market, asks=asks_of(state, demand, where, facts, demand.bucket_starts))


def pack_facts(
    facts: ChainFacts,
    where: Position,
    asked: dict[str, FloatArray],
    bucket_starts: tuple[date, ...],
    calendar: Calendar,
    frozen_buckets: int,
    rules: RuleFacts = NO_RULES,
) -> Market:
    """Arrays of facts, position and demand (product -> (path, bucket) units)."""
    buckets = len(bucket_starts)
    arrays = facts.arrays
    products, ways, lines = facts.products, facts.ways, tuple(facts.line_hours)
    at = {p: i for i, p in enumerate(products)}
    line_at = {name: i for i, name in enumerate(lines)}
    t = np.arange(buckets)
    lead_buckets = {days: calendar.lead_buckets(days) for days in {w.lead_days for w in ways}}
    lead = np.array([lead_buckets[w.lead_days] for w in ways], dtype=np.int64)
    valid, use_open = arrays.open_in(bucket_starts)
    way_open = valid & (t >= frozen_buckets) & (t + lead[:, None] < buckets)
    limit = np.array([w.units_per_week for w in ways]) * calendar.bucket_days / 7
    line_hours = np.array([facts.line_hours[name] for name in lines]).reshape(len(lines), buckets)
    promised = committed(facts, where, bucket_starts, calendar, frozen_buckets)
    on_hand = located(facts, where).on_hand_units
    hours_taken = np.array([promised.hours[name] for name in lines]).reshape(len(lines), buckets)
    covering = np.zeros((len(ways), buckets))
    for w, way in enumerate(ways) if promised.covering else ():
        covering[w] = promised.covering.get(way.name, 0.0)
    economics = [facts.economics[p] for p in products]
    holding, late, lost_sale, waiting_at_end, salvage = (
        np.array([getattr(e, name) for e in economics], dtype=np.float64)
        for name in ("holding_per_bucket", "late_per_bucket", "lost_sale", "waiting_at_end", "salvage")
    )
    is_component = np.zeros(len(products), dtype=bool)
    is_component[arrays.use_component] = True
    classes = [
        (at[p], c)
        for p in asked
        if p in at
        for c in rules.classes.get(p, (DemandClass(1.0, asked[p], rules.owed.get(p)),))
    ]
    demanded = np.array([p for p, _ in classes], dtype=np.int64)
    cumulative, sure = _demand([c.paths for _, c in classes], buckets)
    way_hours = np.array([w.hours_per_unit for w in ways], dtype=np.float64)
    earned = lost_sale[arrays.product] * arrays.yield_share
    works = np.array([w.line not in facts.shared for w in ways], dtype=bool) & (way_hours > 0)
    way_worth = np.where(works, earned / np.where(works, way_hours, 1.0), 0.0)
    beyond = build(rules, products, ways, lines, classes, sure, way_worth, frozen_buckets, facts.shared)
    is_component = pools(beyond, demanded, is_component)
    beyond = replace(beyond, shelf_life=np.where(is_component, beyond.shelf_life, -1))
    plain_cost = arrays.least_costs(bucket_starts)
    salvage = honest_salvages(beyond, demanded, salvage, plain_cost)
    if beyond.names & {"firm shares", "change charge"}:  # nobody makes what nobody asks for, only to have worked
        idle = ~is_component
        idle[demanded] = False
        way_open &= ~idle[arrays.product, None]
    return Market(
        products=products,
        ways=ways,
        lines=lines,
        bucket_starts=tuple(bucket_starts),
        way_product=arrays.product,
        way_line=np.array([line_at.get(w.line or "", -1) for w in ways], dtype=np.int64),
        way_hours=way_hours,
        way_cost=arrays.cost,
        way_yield=arrays.yield_share,
        way_lead=lead,
        way_span=np.array([w.span for w in ways], dtype=np.int64),
        way_open=way_open,
        way_limit=np.where(way_open, limit[:, None], 0.0),
        use_way=arrays.use_way,
        use_component=arrays.use_component,
        use_units=arrays.use_units,
        use_open=use_open,
        line_hours=line_hours - hours_taken,
        hours_taken=hours_taken,
        fixed=np.array([promised.units[p] for p in products]).reshape(len(products), buckets),
        covering=covering,
        opening=np.array([on_hand.get(p, 0.0) for p in products], dtype=np.float64),
        holding=holding,
        late=late,
        lost_sale=lost_sale,
        waiting_at_end=waiting_at_end,
        salvage=salvage,
        demanded=demanded,
        cumulative_demand=cumulative,
        sure=sure,
        is_component=is_component,
        plain_cost=plain_cost,
        levels=tuple(np.argsort(arrays.level, kind="stable").tolist()),
        beyond=beyond,
        stock_points=facts.stock_points,
        shared=facts.shared,
        label_of=facts.label_of,
    )


def _demand(asked: Sequence[FloatArray], buckets: int) -> tuple[tuple[FloatArray, ...], FloatArray]:
    """Cumulative demand of each product (path, bucket), and what is asked for in every path: (product, bucket)."""
    none = np.zeros((0, buckets))
    if all(len(paths) == 1 for paths in asked):
        units = np.concatenate([none, *asked])
        return tuple(np.cumsum(units, axis=1)[:, None]), np.maximum(units, 0.0)
    sure = np.concatenate([none, *(paths.min(axis=0, keepdims=True) for paths in asked)])
    return tuple(np.cumsum(paths, axis=1) for paths in asked), np.maximum(sure, 0.0)
