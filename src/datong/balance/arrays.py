"""The market as arrays, in groups of what is used together. Facts become arrays in pack.py.

Axes: product; demanded (a product that is asked for, or a class of its demand); way (recipes, offers, lanes); use;
line; bucket (t). In a chain with lanes a product is a stock point.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

import numpy as np

from datong.balance.rules import Rules
from datong.ledger.columns import grouped
from datong.model.flow import BoolArray, FloatArray, IntArray, Item
from datong.network.bill_levels import circles, level_turns, product_levels, ranges, turns
from datong.network.demand_requests import Asks
from datong.network.largest_lot import orders_in
from datong.network.places import StockPoint
from datong.network.ways import Way

# Less than this part is missing of a whole unit: rounding.
PART_OF_A_UNIT = 1e-6
# Ways of which prices are worked out together.
WAYS_AT_ONCE = 10_000


@dataclass(frozen=True, eq=False)
class Products:
    """What is made, bought, moved, used and sold. All (product)."""

    # Names; of stock points their labels.
    names: tuple[str, ...]
    # Whether its units lie in one stock until they are used or set aside, as those of components do (`pools`).
    is_component: BoolArray
    # Money for a good unit by the cheapest way where nothing is scarce; inf without a way.
    plain_cost: FloatArray
    # Indices of products, components first.
    order: tuple[int, ...]
    # Whether orders and deliveries of it are in whole units; those of the market in any quantities are not.
    whole: BoolArray

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, eq=False)
class Ways:
    """How units come about: recipes, offers, lanes. Costs and hours are per unit started."""

    # (way) as the chain has it.
    facts: tuple[Way, ...]
    # (way) index of the product that it brings.
    product: IntArray
    # (way) index of the line that it works on, -1: none.
    line: IntArray
    # (way) hours of its line per unit started.
    hours: FloatArray
    # (way) money per unit started.
    cost: FloatArray
    # (way) good units per unit started.
    yield_share: FloatArray
    # (way) buckets from start to arrival.
    lead: IntArray
    # (way) buckets that a start works over (long_lot_spans.py).
    span: IntArray
    # (way, bucket) whether it may start there and arrives inside the horizon.
    is_open: BoolArray
    # (way, bucket) most units started.
    limit: FloatArray

    def __len__(self) -> int:
        return len(self.facts)

    @cached_property
    def share_after(self) -> FloatArray:
        """(way, buckets after the start) share of its hours that a start works there."""
        share = np.zeros((len(self), max((w.worked.after[-1] + 1 for w in self.facts), default=1)))
        share[:, 0] = 1.0
        for i in np.flatnonzero(self.span > 1).tolist():
            share[i, list(self.facts[i].worked.after)] = self.facts[i].worked.share
        return share

    @cached_property
    def setup_hours(self) -> FloatArray:
        """(way) hours of its line for each order."""
        return np.array([w.setup_hours for w in self.facts], dtype=np.float64)

    @cached_property
    def setup_cost(self) -> FloatArray:
        """(way) money for each order."""
        return np.array([w.setup_cost for w in self.facts], dtype=np.float64)

    @cached_property
    def paid_more(self) -> FloatArray:
        """(way) of `setup_cost`, what the units before a price break cost more."""
        return np.array([w.paid_more for w in self.facts], dtype=np.float64)

    @cached_property
    def with_fixed_cost(self) -> Mapping[str, IntArray]:
        """By term of the cost, indices of the ways of which an order has a fixed cost; without terms that none has."""
        is_made = np.array([w.kind == "make" for w in self.facts], dtype=bool)
        by_term = {"setup": is_made, "ordering": ~is_made}
        fixed = self.setup_cost > self.paid_more
        found = {term: np.flatnonzero(of & fixed) for term, of in by_term.items()}
        return {term: of for term, of in found.items() if len(of)}


@dataclass(frozen=True, eq=False)
class Uses:
    """Components that go into what ways start."""

    # (use) index of the way that takes it.
    way: IntArray
    # (use) index of the product that is taken.
    component: IntArray
    # (use) units of the component per unit started.
    units: FloatArray
    # (use, bucket of start) whether it is taken then.
    is_open: BoolArray

    def __len__(self) -> int:
        return len(self.way)


@dataclass(frozen=True, eq=False)
class Lines:
    """What ways work on; with lanes also lanes and offers that products share, an hour being a unit."""

    # (line) names.
    names: tuple[str, ...]
    # (line, bucket) hours left after orders under way.
    hours: FloatArray
    # (line, bucket) hours that orders under way take.
    hours_taken: FloatArray

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True, eq=False)
class Stock:
    """What is there and comes anyway."""

    # (product) units in hand.
    opening: FloatArray
    # (product, bucket) units that come (opening stock in bucket 0) less those that orders under way will take; of a
    # component the sum may be below zero: the plan must bring what is missing.
    fixed: FloatArray
    # (product, bucket) units that orders under way will use or send, which are off `fixed`.
    taken: FloatArray
    # (way, bucket) units started within all limits that would bring just that.
    covering: FloatArray


@dataclass(frozen=True, eq=False)
class Demand:
    """What is asked for."""

    # (demanded) index of its product.
    product: IntArray
    # Of each demanded: (path, bucket) cumulative units. Read each once: they are kept packed.
    cumulative: Sequence[FloatArray]
    # (demanded, bucket) units asked for in every path.
    sure: FloatArray
    # (demanded) units of the first bucket's demand that were due before it.
    owed: FloatArray
    # The requests behind the demand, where they are known one by one.
    asks: Asks | None = None

    def __len__(self) -> int:
        return len(self.product)


@dataclass(frozen=True, eq=False)
class Money:
    """What units cost that lie, wait or are lost. All (product), of a class of weight 1."""

    # Money per unit and bucket in stock.
    holding: FloatArray
    # Money per unit and bucket of waiting.
    late: FloatArray
    # Money per unit turned away.
    lost_sale: FloatArray
    # Money per unit that still waits at the end.
    waiting_at_end: FloatArray
    # Money that a unit left over at the end is worth.
    salvage: FloatArray


def by_product(item: Item) -> str:
    """What an item is asked of in a chain without lanes."""
    return item.product


@dataclass(frozen=True, eq=False)
class Places:
    """Where things are, in a chain with lanes."""

    # Label of a product -> its product and site.
    stock_points: Mapping[str, StockPoint] = field(default_factory=dict)
    # Name in `lines` of what is no line -> ('lane' or 'offer', its key).
    shared: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    # Item -> label of the product that it is asked of.
    label_of: Callable[[Item], str] = by_product


@dataclass(frozen=True, eq=False)
class Market:
    """Everything that is bought, sold or scarce, over the open buckets."""

    products: Products
    ways: Ways
    uses: Uses
    lines: Lines
    # (bucket) first days.
    bucket_starts: tuple[date, ...]
    stock: Stock
    demand: Demand
    money: Money
    # Rules beyond the linear core.
    rules: Rules
    places: Places = field(default_factory=Places)

    @cached_property
    def rule_names(self) -> frozenset[str]:
        """Names of the rules that this market has beyond the linear core."""
        return self.rules.names

    @property
    def most_hours(self) -> FloatArray:
        """(line, bucket) hours with overtime, left after orders under way."""
        overtime = self.rules.overtime
        return self.lines.hours + overtime.hours if overtime.is_there else self.lines.hours

    def held_by(self, way: int) -> list[tuple[int, float, float]]:
        """Line, hours per unit and set-up hours of all that a way works on at once, its own line first."""
        facts, line = self.ways.facts[way], int(self.ways.line[way])
        own = [(line, facts.hours_per_unit, facts.setup_hours)] if line >= 0 else []
        return own + self.rules.lines_at_once.of_way(way)

    @cached_property
    def largest_lot(self) -> FloatArray:
        """(way) most units of one order, inf: any (network/largest_lot.py)."""
        if all(w.max_units == np.inf for w in self.ways.facts):
            return np.full(len(self.ways), np.inf)
        whole = self.products.whole[self.ways.product].tolist()
        return np.array([w.sizes(own).largest for w, own in zip(self.ways.facts, whole, strict=True)])

    def orders_in(self, started: FloatArray) -> FloatArray:
        """(way, bucket) the fewest orders that units started are."""
        return orders_in(started, self.largest_lot[:, None])

    @cached_property
    def late_cost(self) -> FloatArray:
        """(demanded) money per unit and bucket: of its product, times the weight of its class."""
        return self.money.late[self.demand.product] * self.rules.priorities.weight

    @cached_property
    def lost_cost(self) -> FloatArray:
        """(demanded) money per unit turned away."""
        return self.money.lost_sale[self.demand.product] * self.rules.priorities.weight

    @cached_property
    def end_cost(self) -> FloatArray:
        """(demanded) money per unit that still waits at the end."""
        return self.money.waiting_at_end[self.demand.product] * self.rules.priorities.weight

    @cached_property
    def least_supply(self) -> FloatArray:
        """(demanded, bucket) the least of M, supply beyond what comes anyway and turned away: maximum lateness."""
        return self.rules.max_lateness.least_supply(self)

    @property
    def buckets(self) -> int:
        return len(self.bucket_starts)

    @property
    def single_level(self) -> bool:
        """No component is made, bought or used, and nothing comes beside another: products share nothing but lines."""
        return len(self.uses) == 0 and not self.rules.per_lot.is_there and not self.rules.co_products.is_there

    @cached_property
    def level(self) -> IntArray:
        """(product) `product_levels`."""
        is_move = np.array([w.kind == "move" for w in self.ways.facts], dtype=bool)
        parent = self.ways.product[self.uses.way]
        return product_levels(self.products.names, parent, self.uses.component, is_move[self.uses.way])

    @cached_property
    def circle(self) -> IntArray:
        """(product) number of the circle of lanes that it is a stock point of; -1 of one that is in none."""
        return circles(self.level, self.ways.product[self.uses.way], self.uses.component)

    @property
    def has_circles(self) -> bool:
        """Lanes lead from some stock point back to it: no order of the products puts what goes in first."""
        return bool((self.circle >= 0).any())

    def net_demand(self, d: int) -> FloatArray:
        """Cumulative demand of the d-th demanded product (path, bucket) less what comes anyway.

        Stock of a product that is also a component is not earmarked, so it is not taken off.
        """
        product = self.demand.product[d]
        if self.products.is_component[product]:
            return self.demand.cumulative[d]
        return self.demand.cumulative[d] - np.cumsum(self.stock.fixed[product])

    def deliverable(self, units: FloatArray, product: IntArray) -> FloatArray:
        """(row, bucket) what of a product's cumulative units can be delivered: of what comes whole, whole units; a
        yield leaves parts of one. What goes bad is not kept for the rest of a unit. product: (row)."""
        whole = self.products.whole & (self.rules.shelf_life.life < 0)
        return np.where(whole[product, None], np.floor(units + PART_OF_A_UNIT), units)

    @cached_property
    def given_demand(self) -> FloatArray | None:
        """(demanded, bucket) cumulative demand where that of every product is one path; else None."""
        if all(len(paths) == 1 for paths in self.demand.cumulative):
            return np.concatenate([np.zeros((0, self.buckets)), *self.demand.cumulative])
        return None

    def net_given_demand(self, d: IntArray) -> FloatArray:
        """`net_demand` of demanded products whose demand is one path: (d, bucket)."""
        assert self.given_demand is not None
        product = self.demand.product[d]
        anyway = np.cumsum(self.stock.fixed[product], axis=1)
        return self.given_demand[d] - np.where(self.products.is_component[product, None], 0.0, anyway)

    @cached_property
    def steps(self) -> "tuple[Step, ...]":
        """The products, components first, with their ways, in pieces that a core's cache holds; those of lanes in a
        circle again and again, until a price has come round."""
        count = len(self.products)
        level = self.level
        ways_of, first_way = grouped(self.ways.product, count)
        uses_of, first_use = grouped(self.uses.way, len(self.ways))
        steps = []
        for height in level_turns(level, self.ways.product[self.uses.way], self.uses.component):
            products = np.flatnonzero(level == height)
            before = np.cumsum(first_way[products + 1] - first_way[products])
            cuts = np.flatnonzero(np.diff(before // WAYS_AT_ONCE)) + 1
            for some in np.split(products, cuts):
                ways = ways_of[ranges(first_way[some], first_way[some + 1])]
                uses = uses_of[ranges(first_use[ways], first_use[ways + 1])]
                of_use = np.repeat(np.arange(len(ways)), first_use[ways + 1] - first_use[ways])
                steps.append(Step(some, ways, turns(self.ways.product[ways]), uses, of_use, turns(of_use)))
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
