"""The smoothed dual of the market: what everything costs at given prices of what is scarce, and what would be used.

At given prices every unit decides alone. Components first: the price of a component in bucket t is the soft minimum
over its ways (cost + hours at their price + its own components), its stock, and holding it from the bucket before;
then every unit of demand takes its cheapest way and bucket, early, late or not at all. Flows come back the other way,
from what is sold down to what is bought. With

    softmin_eps(x) = -eps log sum exp(-x / eps)  <=  min(x)

in place of every minimum, the sum of all demand at its cheapest less the worth of what is scarce is concave and smooth
in the prices (entropic smoothing, Nesterov 2005: a soft minimum is concave and rises with its terms, so that this holds
through every level), and its gradient is the use of each scarce thing less its amount. `tests/oracles/test_market.py`
holds the plain loop beside it.

Arrays are (bucket, product) with products last, in blocks of products that a core's cache holds; every sum runs in the
order of the blocks, so that the number of threads does not change a byte.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TypeVar

import numpy as np

from datong.balance.arrays import Market
from datong.ledger.columns import grouped
from datong.model.demand_layers import layer_slopes
from datong.model.flow import BoolArray, FloatArray, IntArray
from datong.network.bill_levels import product_levels

_T = TypeVar("_T")

# Products worked on together where demand is certain; with layers of uncertain demand, numbers worked on together.
BLOCK_PRODUCTS, BLOCK_NUMBERS = 4096, 160_000
# Layers of a product are taken together in this many blocks at least and at most, and in as many of that as keep the
# work of one step (products x layers x buckets) near this number.
FEWEST_LAYERS, MOST_LAYERS, WORK = 48, 400, 1_000_000
# A choice dearer than the best by this many temperatures has no share; exp of less than -700 is slow as well as 0.
COLD = -60.0
# A plan takes no choice that has less than this share.
CRUMB = 5e-3
# What cannot be had costs this many temperatures.
CLOSED = 1e30
# Share of a line's usual hours that counts where it has none: of an hour that is not there the price has no end.
LEAST_AMOUNT = 1e-3
# Steps in prices of stock are longer by this factor than those in prices of hours: found by trial on networks of 1,000
# and 5,000 products.
STOCK_STEP = 2.0


@dataclass(frozen=True, eq=False)
class Source:
    """The k-th ways of a block's products that have one lead time. Axis: way (w)."""

    # k, from 0.
    rank: int
    # Buckets from start to arrival.
    lead: int
    # (w) index of the market's way.
    ways: IntArray
    # (w) position of its product in the block.
    at: IntArray | slice
    # (w) money per good unit.
    cost: FloatArray
    # (w) hours per good unit.
    hours: FloatArray
    # (w) index of the line; None: none of them works on a line.
    line: IntArray | None
    # (w) units started per good unit.
    per_good: FloatArray
    # (w) which set of components it takes.
    bundle: IntArray | slice
    # (bucket of start, w) whether it cannot start; None: all can.
    closed: BoolArray | None
    # (bucket of start, w) place among the limits from 1, 0 for none; None: none has a limit.
    limit_cell: IntArray | None


@dataclass(frozen=True, eq=False)
class Bundles:
    """Sets of components that ways of a block take. Axis: bundle (b)."""

    # How many there are.
    count: int
    # Of each place in a bundle: (b) column of the component, (b) units of it per good unit, (bucket, b) whether it is
    # taken (None: always).
    parts: tuple[tuple[IntArray, FloatArray, BoolArray | None], ...]


@dataclass(frozen=True, eq=False)
class BlockMoney:
    """Economics of a block's products. All (n)."""

    # Money by which temperatures are measured.
    unit: FloatArray
    # Money per unit and bucket in stock.
    holding: FloatArray
    # Money per unit and bucket of waiting.
    late: FloatArray
    # Money per unit turned away.
    lost: FloatArray
    # Money per unit that waits at the end.
    waiting: FloatArray


@dataclass(frozen=True, eq=False)
class BlockStock:
    """Free stock of a block's components that comes. Axis: lot of stock (s)."""

    # (s) place among the prices of stock.
    cell: IntArray
    # (s) position of its product in the block.
    at: IntArray
    # (s) bucket in which it comes.
    bucket: IntArray
    # (t, n) units that orders under way take; None: none do.
    claimed: FloatArray | None


@dataclass(frozen=True, eq=False)
class BlockDemand:
    """What is asked of a block's products: certain, or in layers (j), or nothing."""

    # (n) index of the market's demanded, -1: nobody asks for it.
    place: IntArray
    # (t, n) units of certain demand net of what comes, or None.
    asked: FloatArray | None
    # (j, n) units of each layer of uncertain demand, or None.
    width: FloatArray | None
    # (t, j, n) money that a unit of the layer costs from t on, less never; or None.
    after: FloatArray | None
    # (t, n) place among the prices of turning away from 1, 0 for none, or None; only with layers.
    away: IntArray | None


@dataclass(frozen=True, eq=False)
class Block:
    """Products of one level that are worked on together. Axes: source (k), bucket (t), product (n), layer (j)."""

    # Longest way down to what has no components, in steps.
    level: int
    # (n) index of the market's product.
    products: IntArray
    # Whether they are components, or such as lie in pools.
    is_component: bool
    # (n) column among components.
    columns: IntArray
    # Their ways.
    sources: tuple[Source, ...]
    # Most ways of a product.
    ranks: int
    bundles: Bundles
    money: BlockMoney
    stock: BlockStock
    demand: BlockDemand


@dataclass(frozen=True, eq=False)
class Choice:
    """How a block's products choose at given prices. share: (k, t, n) of what arrives; after the ways comes stock.

    held: (t, n) share of what is there in t that is kept from t - 1, or None where nothing is kept. early, late, never:
    (t, n) units of demand that are served by then, later, and not at all; with layers, those that are there from t on,
    and those turned away. waits: (t, n) share of what is served after t that is served after t + 1.
    """

    share: FloatArray
    held: FloatArray | None
    early: FloatArray | None
    late: FloatArray | None
    never: FloatArray | None
    waits: FloatArray | None

    def without_demand(self) -> "Choice":
        """The same for what others need alone."""
        return replace(self, early=None, late=None, never=None, waits=None)


@dataclass(frozen=True, eq=False)
class Flow:
    """Units at the soft choices. started: (way, bucket). issued, turned_away: (demanded, bucket)."""

    started: FloatArray
    issued: FloatArray
    turned_away: FloatArray


@dataclass(frozen=True, eq=False)
class _Used:
    """What a block takes: hours (bucket, line), limits, away and stock by cell, units of components (bucket,
    bundles)."""

    hours: FloatArray
    limits: FloatArray
    away: FloatArray
    stock: FloatArray
    bundles: FloatArray


class Dual:
    """The smoothed dual as a function of one vector of prices.

    The vector holds, in this order: prices of line hours (bucket, line), of limited offers, of turning away sure demand
    where that can pay, and of component stock that comes. `amount`: how much there is of each; `low`: its least price.
    """

    def __init__(self, market: Market, threads: int = 1) -> None:
        self.market, self.buckets = market, market.buckets
        lines = len(market.lines)
        self.line_count = lines * self.buckets
        limited = np.isfinite(market.ways.limit) & market.ways.is_open
        self.limited = limited
        self.limit_count = int(limited.sum())
        self.limit_index = np.full(limited.shape, -1)
        self.limit_index[limited] = np.arange(self.limit_count)
        # Demand is certain where it is one path and what is still needed never falls: each unit then has one bucket in
        # which it is due. (Receipts that come late can cover for a while what was short: then layers have several.)
        self.net = net_of_one_path(market)
        certain = (np.diff(self.net, axis=1) >= 0).all(axis=1) & ~np.isnan(self.net).any(axis=1)
        self.certain: BoolArray = np.asarray(certain)
        self.certain[market.rules.in_curves] = False  # what lies for a rule is layers beyond the demand
        self.turning_away_pays = _away_can_pay(market)
        self.away = self.turning_away_pays & ~self.certain[:, None]
        self.away_count = int(self.away.sum())
        self.away_index = np.full(self.away.shape, -1)
        self.away_index[self.away] = np.arange(self.away_count)
        # Costs and needs have a column for each component.
        self.components = np.flatnonzero(market.products.is_component)
        self.column = np.zeros(len(market.products), dtype=np.int64)
        self.column[self.components] = np.arange(len(self.components))
        component_stock = np.where(market.products.is_component[:, None], np.maximum(market.stock.fixed, 0.0), 0.0)
        self.stock_product, self.stock_bucket = np.nonzero(component_stock)
        hours = np.maximum(market.lines.hours, LEAST_AMOUNT * market.lines.hours.mean(axis=1, keepdims=True))
        self.amount = np.concatenate(
            [
                hours.T.ravel(),
                market.ways.limit[limited],
                market.demand.sure[self.away],
                component_stock[self.stock_product, self.stock_bucket],
            ]
        )
        left = self.buckets - self.stock_bucket
        least = market.money.salvage[self.stock_product] - market.money.holding[self.stock_product] * left
        self.low = np.concatenate([np.zeros(len(self.amount) - len(least)), least])
        self.size = len(self.amount)
        self.scale = _unit_costs(market)
        self.level = product_levels(market.products.names, market.ways.product[market.uses.way], market.uses.component)
        self.blocks = self._blocks()
        self.sold = [block for block in self.blocks if not block.is_component]
        parts = [block for block in self.blocks if block.is_component]
        self.part_levels = [list(own) for _, own in groupby(parts, lambda block: block.level)]
        # Several blocks of layers are work enough for threads; over one, or where demand is certain, they wait for one
        # another at every short call, and take longer than one thread alone.
        together = [sum(b.demand.width is not None for b in blocks) for blocks in (self.sold, *self.part_levels)]
        self.pool = ThreadPoolExecutor(threads) if threads > 1 and max(together) > 1 else None
        self.sold_needs = _Needs.of(self.sold)
        self.part_needs = [_Needs.of(blocks) for blocks in self.part_levels]
        self.worth = self._worth()
        self.money = max(sum(float(_units_asked(b) @ b.money.unit) for b in self.blocks), 1e-9)
        self.step = self._steps()

    def close(self) -> None:
        """Ends the threads."""
        if self.pool is not None:
            self.pool.shutdown()

    # what a block is ------------------------------------------------------------------------------

    def _blocks(self) -> list[Block]:
        market = self.market
        demand_of = np.full(len(market.products), -1)
        demand_of[market.demand.product] = np.arange(len(market.demand))
        layered = np.zeros(len(market.products), dtype=bool)
        layered[market.demand.product] = ~self.certain
        starting = np.flatnonzero(market.ways.is_open.any(axis=1))
        order, first = grouped(market.ways.product[starting], len(market.products))
        ways_of = (starting[order], first)
        uses_of = grouped(market.uses.way, len(market.ways))
        relevant = market.products.is_component | (demand_of >= 0)
        numbers = max(int(layered.sum()) * self.buckets, 1)
        most_layers = int(np.clip(WORK / numbers, FEWEST_LAYERS, MOST_LAYERS))
        blocks = []
        for level in range(int(self.level.max(initial=0)) + 1):
            for component in (True, False):
                for uncertain in (False, True):
                    own = (
                        (self.level == level)
                        & (market.products.is_component == component)
                        & (layered == uncertain)
                        & relevant
                    )
                    products = np.nonzero(own)[0]
                    step = BLOCK_PRODUCTS
                    if uncertain:
                        step = max(BLOCK_NUMBERS // (most_layers * self.buckets), 1)
                    for i in range(0, len(products), step):
                        part = products[i : i + step]
                        layers = most_layers if uncertain else 0
                        blocks.append(self._block(level, component, part, demand_of[part], ways_of, uses_of, layers))
        return blocks

    def _block(
        self,
        level: int,
        component: bool,
        products: IntArray,
        demanded: IntArray,
        ways_of: tuple[IntArray, IntArray],
        uses_of: tuple[IntArray, IntArray],
        most_layers: int,
    ) -> Block:
        market, buckets = self.market, self.buckets
        rows, first = ways_of
        ways = np.concatenate([rows[first[p] : first[p + 1]] for p in products]) if len(products) else rows[:0]
        at = np.searchsorted(products, market.ways.product[ways])
        rank = np.arange(len(ways)) - np.searchsorted(at, at)
        bundle, bundles = self._bundles(ways, uses_of)
        sources = []
        for k, lead in sorted(set(zip(rank.tolist(), market.ways.lead[ways].tolist(), strict=True))):
            own = (rank == k) & (market.ways.lead[ways] == lead)
            w = ways[own]
            on_line = market.ways.line[w] >= 0
            closed = ~market.ways.is_open[w, : buckets - lead].T
            cells = self.limit_index[w, : buckets - lead].T + 1
            sources.append(
                Source(
                    rank=k,
                    lead=lead,
                    ways=w,
                    at=_slice_if_all(at[own], len(products)),
                    cost=market.ways.cost[w] / market.ways.yield_share[w],
                    hours=np.where(on_line, market.ways.hours[w], 0.0) / market.ways.yield_share[w],
                    line=np.where(on_line, market.ways.line[w], 0) if on_line.any() else None,
                    per_good=1.0 / market.ways.yield_share[w],
                    bundle=_slice_if_all(bundle[own], bundles.count),
                    closed=closed if closed.any() else None,
                    limit_cell=cells if cells.any() else None,
                )
            )
        return Block(
            level=level,
            products=products,
            is_component=component,
            columns=self.column[products],
            sources=tuple(sources),
            ranks=int(rank.max(initial=-1)) + 1,
            bundles=bundles,
            money=BlockMoney(
                unit=self.scale[products],
                holding=market.money.holding[products],
                late=market.money.late[products],
                lost=market.money.lost_sale[products],
                waiting=market.money.waiting_at_end[products],
            ),
            stock=self._stock(products, component),
            demand=self._demand(products, demanded, most_layers),
        )

    def _stock(self, products: IntArray, component: bool) -> BlockStock:
        cells = np.nonzero(np.isin(self.stock_product, products))[0]
        claimed = np.maximum(-self.market.stock.fixed[products], 0.0).T if component else np.zeros((self.buckets, 0))
        return BlockStock(
            cell=cells,
            at=np.searchsorted(products, self.stock_product[cells]),
            bucket=self.stock_bucket[cells],
            claimed=claimed if claimed.any() else None,
        )

    def _demand(self, products: IntArray, demanded: IntArray, most_layers: int) -> BlockDemand:
        """most_layers: 0 where the demand is certain."""
        asked = width = after = away = None
        is_asked = demanded >= 0
        if most_layers:
            width, after = _layers(self.market, demanded, most_layers)
            away = self.away_index[demanded].T + 1
        elif is_asked.any():
            asked = np.zeros((self.buckets, len(products)))
            asked[:, is_asked] = np.diff(self.net[demanded[is_asked]], axis=1, prepend=0.0).T
        away = away if away is not None and away.any() else None
        return BlockDemand(place=demanded, asked=asked, width=width, after=after, away=away)

    def _bundles(self, ways: IntArray, uses_of: tuple[IntArray, IntArray]) -> tuple[IntArray, Bundles]:
        """Ways that take the same components in the same amounts share a bundle: its price is worked out once."""
        market = self.market
        rows, first = uses_of
        index: dict[bytes, int] = {}
        uses: list[IntArray] = []
        bundle = np.zeros(len(ways), dtype=np.int64)
        for i, way in enumerate(ways):
            own = rows[first[way] : first[way + 1]]
            key = b"".join(
                (
                    market.uses.component[own].tobytes(),
                    (market.uses.units[own] / market.ways.yield_share[way]).tobytes(),
                    market.uses.is_open[own].tobytes(),
                )
            )
            if key not in index:
                index[key] = len(uses)
                uses.append(own)
            bundle[i] = index[key]
        yields = np.ones(len(uses))
        yields[bundle] = market.ways.yield_share[ways]
        places = []
        for place in range(max((len(u) for u in uses), default=0)):
            has = np.array([len(u) > place for u in uses])
            use = np.array([u[place] if len(u) > place else 0 for u in uses], dtype=np.int64)
            units = np.where(has, market.uses.units[use] / yields, 0.0)
            is_open = market.uses.is_open[use].T
            column = self.column[market.uses.component[use]]
            places.append((column, units, None if is_open[:, has].all() else is_open))
        return bundle, Bundles(len(uses), tuple(places))

    def _worth(self) -> FloatArray:
        """Unit costs of what a unit of each scarce thing goes into, in money."""
        market = self.market
        money, taken = np.zeros(len(market.lines)), np.zeros(len(market.lines))
        on_line = market.ways.line >= 0
        np.add.at(money, market.ways.line[on_line], self.scale[market.ways.product[on_line]])
        np.add.at(taken, market.ways.line[on_line], market.ways.hours[on_line])
        mean = float(self.scale.mean()) if len(self.scale) else 1.0
        per_hour = np.where(taken > 0, money / np.where(taken > 0, taken, 1.0), mean)
        limits = np.broadcast_to(self.scale[market.ways.product][:, None], self.limited.shape)[self.limited]
        away = np.broadcast_to(self.scale[market.demand.product][:, None], self.away.shape)[self.away]
        return np.concatenate([np.tile(per_hour, self.buckets), limits, away, self.scale[self.stock_product]])

    def _steps(self) -> FloatArray:
        """The dual bends in a price by about amount / (temperature x worth); over the root of that it bends alike in
        all prices: the search takes them in this unit, times the root of the temperature."""
        step = np.sqrt(self.worth / np.maximum(self.amount, 1e-9))
        step[self.size - len(self.stock_product) :] *= STOCK_STEP
        return step

    # what everything costs ------------------------------------------------------------------------

    def split(self, price: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Views of a vector of prices (or uses): hours (bucket, line), limits, turning away, stock."""
        cuts = np.cumsum([self.line_count, self.limit_count, self.away_count])
        hours, limits, away, stock = np.split(price, cuts)
        return hours.reshape(self.buckets, len(self.market.lines)), limits, away, stock

    def value(self, price: FloatArray, temperature: float) -> tuple[float, FloatArray]:
        """The smoothed dual in money, less its constant, and the use of each scarce thing."""
        total, used = self._run(price, temperature, None)
        return total - float(price @ self.amount), used

    def flow(self, price: FloatArray, temperature: float) -> Flow:
        """The soft choices themselves."""
        flow = self.no_flow()
        self._run(price, temperature, flow)
        return flow

    def no_flow(self) -> Flow:
        market = self.market
        return Flow(
            np.zeros(market.ways.is_open.shape), np.zeros(market.demand.sure.shape), np.zeros(market.demand.sure.shape)
        )

    def _run(self, price: FloatArray, temperature: float, flow: Flow | None) -> tuple[float, FloatArray]:
        """Costs up through the levels, flows down again: cost of all demand, and uses."""
        given = self.split(price)
        total, costs, choices = self.choose_components(price, temperature, plain=flow is not None)
        needs = np.zeros(costs.shape)
        used = np.zeros(self.size)

        def choose_and_use(block: Block) -> tuple[float, _Used]:
            value, choice = self._choose(block, given, costs, temperature, block.demand.asked, plain=flow is not None)
            return value, self.use(block, choice, needs, flow)

        taken = []
        for value, of_block in self.each(choose_and_use, self.sold):
            total += value
            taken.append(of_block)
        self._add(used, needs, self.sold, taken, self.sold_needs)
        for blocks, of_level in zip(reversed(self.part_levels), reversed(self.part_needs), strict=True):
            uses = self.each(lambda block: self.use(block, choices[id(block)], needs, flow), blocks)
            self._add(used, needs, blocks, uses, of_level)
        return total, used

    def choose_components(
        self, price: FloatArray, temperature: float, plain: bool = False
    ) -> tuple[float, FloatArray, dict[int, Choice]]:
        """Soft minima of all components, lowest level first: their cost in money for demand of their own and orders
        under way, costs (bucket, product), and choices by id of block."""
        given = self.split(price)
        costs = np.full((self.buckets, len(self.components)), CLOSED)
        choices: dict[int, Choice] = {}
        total = 0.0
        for blocks in self.part_levels:
            found = self.each(
                lambda block: self._choose(block, given, costs, temperature, block.demand.asked, plain=plain), blocks
            )
            for block, (value, choice) in zip(blocks, found, strict=True):
                total += value
                choices[id(block)] = choice
        return total, costs, choices

    def choose_sold(
        self, block: Block, price: FloatArray, costs: FloatArray, temperature: float, asked: FloatArray
    ) -> Choice:
        """The choices of a block for certain demand other than its own: asked (bucket, product of the block)."""
        return self._choose(block, self.split(price), costs, temperature, asked, layers=False, plain=True)[1]

    def each(self, work: Callable[[Block], _T], blocks: Sequence[Block]) -> list[_T]:
        """The work on each block, on all threads; in the blocks' order."""
        return list(map(work, blocks) if self.pool is None else self.pool.map(work, blocks))

    def _choose(
        self,
        block: Block,
        given: Sequence[FloatArray],
        costs: FloatArray,
        temperature: float,
        asked: FloatArray | None,
        layers: bool = True,
        plain: bool = False,
    ) -> tuple[float, Choice]:
        """Soft minima of a block, in money, and the choices behind them; a component's go into `costs`.

        layers: whether uncertain demand counts as it is, else `asked` alone. plain: without crumbs, for a plan.
        """
        hours_price, limit_price, away_price, stock_price = given
        heat = temperature * block.money.unit
        per_heat = 1.0 / heat
        buckets, count = self.buckets, len(block.products)
        has_stock = len(block.stock.cell) > 0
        price = np.full((max(block.ranks + has_stock, 1), buckets, count), CLOSED)
        bundle_price = _bundle_price(block, costs)
        for source in block.sources:
            until = buckets - source.lead
            if source.line is None:
                cost = np.broadcast_to(source.cost, (until, len(source.ways))).copy()
            else:
                cost = hours_price[:until, source.line]
                cost *= source.hours
                cost += source.cost
            if bundle_price is not None:
                cost += bundle_price[:until, source.bundle]
            if source.limit_cell is not None:
                cost += np.append(0.0, limit_price)[source.limit_cell] * source.per_good
            cost *= per_heat[source.at]
            if source.closed is not None:
                cost[source.closed] = CLOSED
            price[source.rank][source.lead :, source.at] = cost
        if has_stock:
            stock = block.stock.at
            price[block.ranks, block.stock.bucket, stock] = stock_price[block.stock.cell] * per_heat[stock]
        arriving, share = _softmin(price)
        if plain:
            share = _without_crumbs(share)
        layered = layers and block.demand.width is not None
        there, held = arriving, None
        if block.is_component or not layered:
            there, held = _or_carried(arriving, block.money.holding * per_heat)
            if plain:
                held = _all_or_nothing(held)
        value = 0.0
        if block.is_component:
            costs[:, block.columns] = there * heat
            if block.stock.claimed is not None:
                taken = block.stock.claimed > 0
                value += float(block.stock.claimed[taken] @ costs[:, block.columns][taken])
        early = late = never = waits = None
        if layered:
            offered, own = there, None
            if block.demand.away is not None:
                away = (block.money.lost + np.append(0.0, away_price)[block.demand.away]) * per_heat
                offered, own = _either(there, np.where(block.demand.away > 0, away, CLOSED))
            least, early = _take_layers(block, offered, per_heat)
            value += float(least @ heat)
            if own is not None:
                early, never = early * own, early * (1.0 - own)
        elif asked is not None:
            last = (block.money.late + block.money.waiting) * per_heat
            later, waits = _served_later(arriving, block.money.late * per_heat, last)
            lost = np.broadcast_to(block.money.lost * per_heat, there.shape)
            least, parts = _softmin(np.stack([there, later, lost]))
            if plain:
                parts, waits = _without_crumbs(parts), _all_or_nothing(waits)
            early, late, never = (asked * part for part in parts)
            value += float((asked * least).sum(axis=0) @ heat)
        return value, Choice(share, held, early, late, never, waits)

    def use(self, block: Block, choice: Choice, needs: FloatArray, flow: Flow | None, claims: bool = True) -> _Used:
        """What a block's choices take, for its own demand and for what others need of it; tells `flow`."""
        buckets = self.buckets
        arrive = np.zeros((buckets, len(block.products)))
        if choice.early is not None:
            arrive += choice.early
        issued = arrive.copy() if flow is not None and block.is_component else None
        if block.is_component:
            arrive += needs[:, block.columns]
            if block.stock.claimed is not None and claims:
                arrive += block.stock.claimed
        if choice.held is not None:
            for t in range(buckets - 1, 0, -1):
                arrive[t - 1] += arrive[t] * choice.held[t]
            arrive *= 1.0 - choice.held
        if choice.late is not None and choice.waits is not None:
            waiting = choice.late.copy()
            for t in range(1, buckets):
                waiting[t] += waiting[t - 1] * choice.waits[t - 1]
            served = waiting[:-1] * (1.0 - choice.waits[:-1])
            arrive[1:] += served
            if issued is not None:
                issued[1:] += served
        flows = choice.share * arrive
        taken = self._taken(block, flows, choice.never)
        if flow is not None:
            for source in block.sources:
                part = flows[source.rank][source.lead :, source.at]
                flow.started[source.ways, : len(part)] += (part * source.per_good).T
            own = block.demand.place >= 0
            if issued is not None:
                flow.issued[block.demand.place[own]] += issued.T[own]
            if choice.never is not None:
                flow.turned_away[block.demand.place[own]] += choice.never.T[own]
        return taken

    def _taken(self, block: Block, flows: FloatArray, never: FloatArray | None) -> _Used:
        buckets, lines = self.buckets, len(self.market.lines)
        hours, bundles = np.zeros((buckets, lines)), np.zeros((buckets, block.bundles.count))
        limits, away = np.zeros(self.limit_count), np.zeros(self.away_count)
        for source in block.sources:
            part = flows[source.rank][source.lead :, source.at]
            if source.line is not None:
                in_hours = part * source.hours
                for t in range(len(part)):
                    hours[t] += np.bincount(source.line, in_hours[t], lines)
            if isinstance(source.bundle, slice):
                bundles[: len(part)] += part
            elif block.bundles.parts:
                for t in range(len(part)):
                    bundles[t] += np.bincount(source.bundle, part[t], block.bundles.count)
            if source.limit_cell is not None:
                limits += _sums(source.limit_cell, part * source.per_good, self.limit_count)
        if block.demand.away is not None and never is not None:
            away = _sums(block.demand.away, never, self.away_count)
        stock = flows[block.ranks, block.stock.bucket, block.stock.at] if len(block.stock.cell) else np.zeros(0)
        return _Used(hours, limits, away, stock, bundles)

    def _add(
        self, used: FloatArray, needs: FloatArray, blocks: Sequence[Block], taken: Sequence[_Used], of_blocks: "_Needs"
    ) -> None:
        """Adds what blocks take to the uses of scarce things, and to the needs of their components."""
        hours, limits, away, stock = self.split(used)
        for block, part in zip(blocks, taken, strict=True):
            hours += part.hours
            limits += part.limits
            away += part.away
            stock[block.stock.cell] += part.stock
        of_blocks.add(needs, [part.bundles for part in taken])


@dataclass(frozen=True, eq=False)
class _Needs:
    """Components of the bundles of several blocks. places: by place of a component in a bundle (column of each, units
    for a unit, which bundles have one there, in which buckets; None: in all)."""

    places: tuple[tuple[IntArray, FloatArray, IntArray | slice, BoolArray | None], ...]

    @classmethod
    def of(cls, blocks: Sequence[Block]) -> "_Needs":
        first = np.cumsum([0, *(block.bundles.count for block in blocks)])
        places = []
        for place in range(max((len(block.bundles.parts) for block in blocks), default=0)):
            own = [
                (block.bundles.parts[place], at)
                for block, at in zip(blocks, first, strict=False)
                if len(block.bundles.parts) > place
            ]
            at = np.concatenate([np.arange(start, start + len(part[0])) for part, start in own])
            is_open = [np.ones((1, len(c)), dtype=bool) if o is None else o for (c, _, o), _ in own]
            places.append(
                (
                    np.concatenate([part[0] for part, _ in own]),
                    np.concatenate([part[1] for part, _ in own]),
                    _slice_if_all(at, int(first[-1])),
                    None if all(o.all() for o in is_open) else _side_by_side(is_open),
                )
            )
        return cls(tuple(places))

    def add(self, needs: FloatArray, bundles: Sequence[FloatArray]) -> None:
        """bundles: (bucket, bundle) of each block, in order."""
        if not self.places:
            return
        units = bundles[0] if len(bundles) == 1 else np.concatenate(bundles, axis=1)
        for column, per_bundle, at, is_open in self.places:
            for t in range(len(needs)):
                amount = units[t, at] * per_bundle
                if is_open is not None:
                    amount *= is_open[t]
                needs[t] += np.bincount(column, amount, needs.shape[1])


def _side_by_side(masks: Sequence[BoolArray]) -> BoolArray:
    buckets = max(len(mask) for mask in masks)
    return np.concatenate([np.broadcast_to(mask, (buckets, mask.shape[1])) for mask in masks], axis=1)


def net_of_one_path(market: Market) -> FloatArray:
    """(demanded, bucket) cumulative units still needed where demand is one path, never below 0; nan where it is not."""
    if market.given_demand is not None:
        return np.maximum(market.net_given_demand(np.arange(len(market.demand))), 0.0)
    net = np.full(market.demand.sure.shape, np.nan)
    for d, paths in enumerate(market.demand.cumulative):
        if len(paths) == 1:
            net[d] = np.maximum(market.net_demand(d)[0], 0.0)
    return net


def _units_asked(block: Block) -> FloatArray:
    """(product) units of a block that are asked for."""
    if block.demand.width is not None:
        return block.demand.width.sum(axis=0)
    return np.zeros(len(block.products)) if block.demand.asked is None else block.demand.asked.sum(axis=0)


def _softmin(cost: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Soft minimum over the first axis at temperature 1, and the share of each entry in it, in the place of `cost`."""
    least = cost.min(axis=0)
    np.subtract(least, cost, out=cost)
    np.maximum(cost, COLD, out=cost)
    weight = np.exp(cost, out=cost)
    total = weight.sum(axis=0)
    weight /= total
    return least - np.log(total), weight


def _softmin_so_far(cost: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Soft minimum of the entries up to each one along the first axis, and the share in it of those before.

    The sums of weights are kept over the least so far, so that they stay between 1 and the number of entries.
    """
    least = cost.copy()
    for t in range(1, len(cost)):  # five times as fast as np.minimum.accumulate
        np.minimum(least[t], least[t - 1], out=least[t])
    total = np.exp(np.maximum(least - cost, COLD))
    fallen = np.exp(np.maximum(np.diff(least, axis=0), COLD))
    before = np.zeros(cost.shape)
    for t in range(1, len(cost)):
        np.multiply(total[t - 1], fallen[t - 1], out=before[t])
        total[t] += before[t]
    before /= total
    return least - np.log(total), before


def _without_crumbs(share: FloatArray) -> FloatArray:
    """Shares, along the first axis, of what has more than a crumb; the others' go to them."""
    share = np.where(share < CRUMB, 0.0, share)
    share /= share.sum(axis=0)
    return share


def _all_or_nothing(share: FloatArray) -> FloatArray:
    """A share that is nearly all or nearly nothing is that."""
    return np.where(share < CRUMB, 0.0, np.where(share > 1.0 - CRUMB, 1.0, share))


def _either(one: FloatArray, other: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Soft minimum of two, and the share of the first."""
    apart = np.exp(np.maximum(-np.abs(one - other), COLD))
    total = 1.0 + apart
    share = np.where(one <= other, 1.0, apart) / total
    return np.minimum(one, other) - np.log(total), share


def _or_carried(arriving: FloatArray, step: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Cost of a unit that arrives or was there a bucket before, and the share of the latter: (bucket, product).

    step: (product) cost of keeping it a bucket.
    """
    kept = np.arange(len(arriving))[:, None] * step
    # Less what keeping costs from the first bucket on, units of all buckets compare as they are.
    there, held = _softmin_so_far(arriving - kept)
    there += kept
    return there, held


def _served_later(arriving: FloatArray, step: FloatArray, last: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Cost of serving after bucket t what is due in t, and the share of it that waits longer than t + 1.

    step: cost of waiting a bucket; last: of waiting from the last one on.
    """
    waited = np.arange(len(arriving))[:, None] * step
    # From the end: what is never served, then what is served in the last bucket, the one before, and so on.
    cost = np.concatenate([(last + waited[-1])[None], (arriving + waited)[:0:-1]])
    later, waits = (a[::-1] for a in _softmin_so_far(cost))
    return later - waited, waits


def _bundle_price(block: Block, costs: FloatArray) -> FloatArray | None:
    """(bucket, bundle) money for the components of one good unit."""
    if not block.bundles.parts:
        return None
    total = np.zeros((len(costs), block.bundles.count))
    for component, units, is_open in block.bundles.parts:
        part = costs[:, component] * units
        total += part if is_open is None else part * is_open
    return total


def _take_layers(block: Block, there: FloatArray, per_heat: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Each layer of uncertain demand takes its cheapest bucket, or none: soft cost (product), and units by bucket."""
    assert block.demand.width is not None and block.demand.after is not None
    worth = block.demand.after * -per_heat - there[:, None, :]  # (t, j, n) in temperatures
    most = np.maximum(worth.max(axis=0), 0.0)
    worth -= most
    np.exp(np.maximum(worth, COLD, out=worth), out=worth)
    total = worth.sum(axis=0) + np.exp(-np.minimum(most, -COLD))
    least = -(block.demand.width * (most + np.log(total))).sum(axis=0)
    worth *= block.demand.width / total
    return least, worth.sum(axis=1)


def _layers(market: Market, demanded: IntArray, most_layers: int) -> tuple[FloatArray, FloatArray]:
    """Widths (layer, product), and what each layer costs from a bucket on, less never: (bucket, layer, product)."""
    found = []
    for d in demanded:
        product = market.demand.product[d]
        net = market.net_demand(int(d))
        stock = market.rules.stock_curve(int(d), net)
        width, chance = _blocks_of_layers(net, most_layers, np.zeros(0) if stock is None else stock.edges)
        economics = (
            float(a[product])
            for a in (market.money.holding, market.money.late, market.money.waiting_at_end, market.money.salvage)
        )
        slopes = layer_slopes(chance, *economics)
        if stock is not None:
            slopes += stock.slopes(np.concatenate([[0.0], np.cumsum(width)]), chance)
        found.append((width, np.cumsum(slopes[:, ::-1], axis=1)[:, ::-1]))
    most = max((len(w) for w, _ in found), default=0)
    width, after = np.zeros((most, len(demanded))), np.zeros((market.buckets, most, len(demanded)))
    for n, (w, a) in enumerate(found):
        width[: len(w), n], after[:, : len(w), n] = w, a.T
    return width, after


def _blocks_of_layers(net: FloatArray, most_layers: int, further: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Widths (block) and mean chances (block, bucket) of layers of cumulative demand (path, bucket).

    Edges are quantiles of all its values, and further units; the mean chance in each block keeps the expected demand.
    """
    values = net[net > 0]
    edges = np.unique(np.concatenate([[0.0], values]))
    if len(edges) > most_layers + 1:
        edges = np.unique(np.quantile(edges, np.linspace(0.0, 1.0, most_layers + 1), method="inverted_cdf"))
    edges = np.unique(np.concatenate([edges, further]))
    width = np.diff(edges)
    ordered = np.sort(np.maximum(net, 0.0), axis=0)
    chance = np.empty((len(width), net.shape[1]))
    for t in range(net.shape[1]):
        below = np.searchsorted(ordered[:, t], edges, side="right")
        sums = np.concatenate([[0.0], np.cumsum(ordered[:, t])])
        capped = (sums[below] + (len(net) - below) * edges) / len(net)  # E min(D, edge)
        chance[:, t] = np.diff(capped) / width
    return width, np.clip(chance, 0.0, 1.0)


def _away_can_pay(market: Market) -> BoolArray:
    """(demanded, bucket) where turning a sure buyer away can be cheaper than letting him wait for ever.

    Waiting from bucket t to the end costs at most late * (T - t) + the larger of waiting_at_end and salvage; where the
    lost sale costs as much, turning away is never chosen and needs no price.
    """
    p = market.demand.product
    left = np.arange(market.buckets, 0, -1)
    most = market.money.late[p, None] * left + np.maximum(market.money.waiting_at_end, market.money.salvage)[p, None]
    return (market.demand.sure > 0) & (market.money.lost_sale[p, None] < most)


def _unit_costs(market: Market) -> FloatArray:
    """(product) money by which temperatures are measured: the cheapest way's, else the lost sale's."""
    plain = np.where(np.isfinite(market.products.plain_cost), market.products.plain_cost, 0.0)
    return np.where(plain > 0, plain, np.maximum(market.money.lost_sale, 1e-6))


def _slice_if_all(at: IntArray, count: int) -> IntArray | slice:
    """A slice where the positions are simply all of them: numpy then copies nothing."""
    return slice(None) if len(at) == count and (at == np.arange(count)).all() else at


def _sums(cells: IntArray, amounts: FloatArray, count: int) -> FloatArray:
    """Sum of amounts by cell; cells count from 1, and 0 is none."""
    return np.bincount(cells.ravel(), amounts.ravel(), count + 1)[1:].astype(np.float64)
