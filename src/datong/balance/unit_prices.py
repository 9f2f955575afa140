"""What one more unit of a product would cost at cleared prices: by every way and start, and what of it is scarce.

A unit that is to be there in bucket t costs the least of

    price(w, a) + h (t - a)      by way w, there in bucket a <= t: own cost, hours, offer and components at their prices
    price(w, a) + b (a - t)      where it comes late, a > t
    b sum G + w G_T - h sum (1 - G) + s (1 - G_T)    out of what comes anyway, so that others go without: sums over
                                                     t, ..., T; or only until a later bucket in which one comes instead

h, b, w, s as in docs/balance.md, section 2, and G = P(D(t) >= X(t)), what others then still wait for. That is the price
of a unit, not of many: `holds_units` says about how many until something that was free is full.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from datong.balance.arrays import Market
from datong.balance.bound import unit_prices
from datong.balance.evaluate import arrived_units, supply_of
from datong.balance.scarcity import NOTHING, shared_name
from datong.balance.solution import Prices
from datong.ledger.columns import grouped
from datong.model.flow import FloatArray, IntArray

# Prices that differ by less than this share of a unit's normal price count as the same: a search's are not exact.
SAME_SHARE = 0.01


@dataclass(frozen=True)
class Scarce:
    """The scarce thing that takes most of a price. what: line, lane, offer, component. price: money per unit of it."""

    what: str
    name: str
    bucket: int
    price: float


@dataclass(frozen=True)
class Option:
    """One way to have a unit, in money per good unit. way: index in the market, -1: out of what comes anyway.

    start, arrive: buckets. instead: the way that makes up later, from `start`, for a unit out of what comes anyway; -1:
    none. own: of the way itself (out of stock: what the unit is worth if left); materials: components at what they cost
    where nothing is scarce; hours: scarce hours (or units of a lane); scarce_materials: what scarce components and
    offers add; holding: from arrival to the due bucket (negative: saved); late: of this order, or of others that go
    without; other: rules beyond the linear core.
    """

    way: int
    start: int
    arrive: int
    own: float
    materials: float = 0.0
    hours: float = 0.0
    scarce_materials: float = 0.0
    holding: float = 0.0
    late: float = 0.0
    other: float = 0.0
    scarce: Scarce | None = None
    instead: int = -1

    @property
    def price(self) -> float:
        return self.own + self.materials + self.hours + self.scarce_materials + self.holding + self.late + self.other

    @property
    def scarcity(self) -> float:
        """What of the price is scarce hours, offers and components."""
        return self.hours + self.scarce_materials + self.other


@dataclass(frozen=True, eq=False)
class Cleared:
    """A cleared market as quotes need it: prices, and the plan: units started (way, bucket), turned_away (demanded,
    bucket).

    served: (demanded, bucket) expected units. _rooms: (line, bucket) free hours.
    """

    market: Market
    prices: Prices
    started: FloatArray
    turned_away: FloatArray
    served: FloatArray
    _rooms: dict[tuple[int, int], float] = field(default_factory=dict)

    @cached_property
    def _unit_prices(self) -> tuple[FloatArray, FloatArray]:
        return unit_prices(self.market, self.prices)

    @property
    def ways(self) -> FloatArray:
        """(way, bucket of arrival) full price of a good unit."""
        return self._unit_prices[0]

    @property
    def cheapest(self) -> FloatArray:
        """(product, bucket) the least of them, of a component also that of its stock and of holding it."""
        return self._unit_prices[1]

    @cached_property
    def _ways_of(self) -> tuple[IntArray, IntArray]:
        return grouped(self.market.ways.product, len(self.market.products))

    @cached_property
    def _uses_of(self) -> tuple[IntArray, IntArray]:
        return grouped(self.market.uses.way, len(self.market.ways))

    def ways_of(self, product: int) -> IntArray:
        of, first = self._ways_of
        return of[first[product] : first[product + 1]]

    def uses(self, way: int, start: int) -> Iterator[int]:
        """The way's uses that are valid in the bucket of its start."""
        of, first = self._uses_of
        return (int(u) for u in of[first[way] : first[way + 1]] if self.market.uses.is_open[u, start])

    # prices ---------------------------------------------------------------------------------------

    def normal_price(self, product: int) -> float:
        """What a unit costs where nothing is scarce; inf where it has no way."""
        return float(self.market.products.plain_cost[product])

    def options(self, product: int, due: int, late: bool = True) -> list[Option]:
        """Every way and start that can be there by the due bucket, and (late) after it; cheapest first."""
        market = self.market
        found = list(self._from_what_comes(product, due))
        for way in self.ways_of(product):
            for arrive in np.flatnonzero(np.isfinite(self.ways[way])):
                if arrive <= due or late:
                    found.append(self._by_way(int(way), int(arrive), due))

        def place(o: Option) -> tuple[float, bool, int, str]:
            return round(o.price, 9), o.arrive > due, -o.start, "" if o.way < 0 else market.ways.facts[o.way].name

        return sorted(found, key=place)

    def _by_way(self, way: int, arrive: int, due: int) -> Option:
        market = self.market
        start = arrive - int(market.ways.lead[way])
        good, product = float(market.ways.yield_share[way]), int(market.ways.product[way])
        shares: list[tuple[float, Scarce]] = []
        limit = float(self.prices.limit[way, start]) if np.isfinite(market.ways.limit[way, start]) else 0.0
        if limit > NOTHING:
            shares.append((limit / good, Scarce("offer", market.ways.facts[way].name, start, limit)))
        line, hours = int(market.ways.line[way]), 0.0
        if line >= 0:
            price = max(float(self.prices.line[line, start]), 0.0)
            hours = float(market.ways.hours[way]) * price / good
            what, name = shared_name(market, market.lines.names[line])
            shares.append((hours, Scarce(what, name, start, price)))
        for other, each, _ in market.rules.lines_at_once.of_way(way):
            price = max(float(self.prices.line[other, start]), 0.0)
            hours += each * price / good
            shares.append((each * price / good, Scarce("line", market.lines.names[other], start, price)))
        materials, scarce_materials = 0.0, limit / good
        for use in self.uses(way, start):
            component, units = int(market.uses.component[use]), float(market.uses.units[use]) / good
            price, plain = float(self.cheapest[component, start]), float(market.products.plain_cost[component])
            premium = max(price - plain, 0.0) if np.isfinite(plain) else price
            materials += units * (price - premium)
            scarce_materials += units * premium
            if units * premium > NOTHING:
                shares.append((units * premium, self._behind(component, start, premium)))
        own = float(market.ways.cost[way]) / good
        rest = float(self.ways[way, arrive]) - own - materials - hours - scarce_materials
        most = max(shares, key=lambda share: share[0], default=(0.0, None))
        return Option(
            way=way,
            start=start,
            arrive=arrive,
            own=own,
            materials=materials,
            hours=hours,
            scarce_materials=scarce_materials,
            holding=max(due - arrive, 0) * float(market.money.holding[product]),
            late=max(arrive - due, 0) * float(market.money.late[product]),
            other=rest if abs(rest) > NOTHING else 0.0,
            scarce=most[1] if most[0] > NOTHING else None,
        )

    def _behind(self, component: int, bucket: int, premium: float) -> Scarce:
        """The scarce thing behind a component's premium: what its own cheapest way is short of, or else itself."""
        market = self.market
        own = Scarce("component", market.products.names[component], bucket, premium)
        price = float(self.cheapest[component, bucket])
        for way in self.ways_of(component):
            arrive = np.arange(bucket + 1)
            held = self.ways[way, : bucket + 1] + (bucket - arrive) * market.money.holding[component]
            at = int(np.flatnonzero(held <= held.min() + NOTHING)[-1]) if np.isfinite(held).any() else 0  # the latest
            start = at - int(market.ways.lead[way])
            parts = {int(market.uses.component[u]) for u in self.uses(int(way), max(start, 0))}
            level = market.level
            if held[at] <= price + self._same(component) and all(level[p] < level[component] for p in parts):
                return self._by_way(int(way), at, at).scarce or own
        return own

    def _same(self, product: int) -> float:
        """Prices of the product that differ by no more are the same."""
        plain = self.normal_price(product)
        return SAME_SHARE * plain if np.isfinite(plain) else NOTHING

    def _from_what_comes(self, product: int, due: int) -> Iterator[Option]:
        """A unit out of stock or of what is planned anyway, where there is one by the due bucket."""
        market = self.market
        if market.products.is_component[product]:
            worth, plain = float(self.cheapest[product, due]), self.normal_price(product)
            by_way = [o.price for o in self._by_ways(product, due)]
            if self.component_there[product, due] > NOTHING and worth < min(by_way, default=np.inf) - NOTHING:
                premium = max(worth - plain, 0.0) if np.isfinite(plain) else 0.0
                scarce = Scarce("component", market.products.names[product], due, worth) if premium > NOTHING else None
                yield Option(-1, due, due, worth - premium, scarce_materials=premium, scarce=scarce)
            return
        for d in np.flatnonzero(market.demand.product == product):
            if self.there(int(d), due) <= NOTHING:
                continue
            short = self._short_share(int(d))[due:]
            holding = -float(market.money.holding[product]) * np.cumsum(1.0 - short)
            waiting = float(market.late_cost[d]) * np.cumsum(short)
            own = float(market.money.salvage[product]) * (1.0 - short[-1])
            late = waiting[-1] + float(market.end_cost[d]) * short[-1]
            choices = [Option(-1, due, due, own, holding=holding[-1], late=late)]
            for u in range(market.buckets - due):  # or others wait for a unit that comes later, or are told no
                held, waited = (float(holding[u - 1]), float(waiting[u - 1])) if u else (0.0, 0.0)
                if market.demand.sure[d, due + u] - self.turned_away[d, due + u] > NOTHING:
                    choices.append(Option(-1, due, due, 0.0, holding=held, late=waited + float(market.lost_cost[d])))
                later = self._cheapest_there(product, due + u) if u else None
                if later is not None:
                    choices.append(replace(later, way=-1, instead=later.way, arrive=due, holding=held, late=waited))
            yield min(choices, key=lambda o: o.price)

    def _cheapest_there(self, product: int, bucket: int) -> Option | None:
        ways = self.ways_of(product)
        price = self.ways[ways, bucket]
        if not np.isfinite(price).any():
            return None
        return self._by_way(int(ways[np.argmin(price)]), bucket, bucket)

    def _by_ways(self, product: int, due: int) -> list[Option]:
        """Those of `options` that are made, bought or moved, and are there by the due bucket."""
        return [
            self._by_way(int(way), int(arrive), due)
            for way in self.ways_of(product)
            for arrive in np.flatnonzero(np.isfinite(self.ways[way, : due + 1]))
        ]

    def best(self, product: int, due: int) -> Option | None:
        """The cheapest way to have a unit there by the end of the due bucket; None where none can."""
        return next(iter(self.options(product, due, late=False)), None)

    # amounts --------------------------------------------------------------------------------------

    @cached_property
    def supply(self) -> FloatArray:
        """(demanded, bucket) cumulative units that come to a product that is no component."""
        return supply_of(self.market, self.started, np.zeros(self.market.demand.sure.shape))

    def _short_share(self, d: int) -> FloatArray:
        """(bucket) how likely it is that somebody waits for a unit that is taken away."""
        net = self.market.demand.cumulative[d] - np.cumsum(self.turned_away[d])
        return (net - self.supply[d] > -1e-6 * np.maximum(self.supply[d], 1.0)).mean(axis=0)

    def there(self, d: int, bucket: int) -> float:
        """Units that the bucket has: in stock at its start, or arriving."""
        before = self.served[d, :bucket].sum()
        return float(self.supply[d, bucket] - before)

    def left_of(self, product: int, bucket: int) -> float:
        """Units of a component, at least, from this bucket on to the end: nobody has use for them."""
        return float(self._component_flows[0][product, bucket:].min())

    @property
    def component_there(self) -> FloatArray:
        """(product, bucket) units of a component that are there in the bucket, used up or not."""
        left, used = self._component_flows
        return left + used

    @cached_property
    def _component_flows(self) -> tuple[FloatArray, FloatArray]:
        """(product, bucket) units left at the end of the bucket, and units used or served in it."""
        return component_flows(self.market, self.started, self.served)

    @cached_property
    def hours_used(self) -> FloatArray:
        """(line, bucket) of what is started."""
        market = self.market
        hours = np.zeros(market.lines.hours.shape)
        on = market.ways.line >= 0
        np.add.at(hours, market.ways.line[on], market.ways.hours[on, None] * self.started[on])
        beside = market.rules.lines_at_once
        np.add.at(hours, beside.line, beside.hours[:, None] * self.started[beside.way])
        return hours

    def holds_units(self, product: int, due: int) -> float:
        """About how many units the price of the due bucket is good for; inf where nothing ends it.

        The most that one of the ways at this price has room for: hours, offers and components that are free, and of
        those that are full what others would give up at the same price.
        """
        options = self.options(product, due, late=False)
        if not options:
            return 0.0
        most = options[0].price + self._same(product)
        return max(self._room(o, product, due) for o in options if o.price <= most)

    def _room(self, option: Option, product: int, due: int) -> float:
        if option.way >= 0:
            return self._room_of_way(option.way, option.start, frozenset())
        if self.market.products.is_component[product]:
            return self.left_of(product, due)
        there = self.there(int(np.flatnonzero(self.market.demand.product == product)[0]), due)
        until = self.market.buckets
        if option.instead >= 0:
            there = min(there, self._room_of_way(option.instead, option.start, frozenset()))
            until = option.start + int(self.market.ways.lead[option.instead])
        # What lies there anyway can be taken until it is gone; then somebody waits.
        return there if option.late > NOTHING else min(there, float(self._lies(product)[due:until].min()))

    def _room_of_way(self, way: int, start: int, seen: frozenset[tuple[int, int]]) -> float:
        market = self.market
        good, room = float(market.ways.yield_share[way]), np.inf
        line, hours = int(market.ways.line[way]), float(market.ways.hours[way])
        if line >= 0 and hours > 0:
            room = min(room, self._room_of_line(line, start) / hours)
        for other, each, _ in market.rules.lines_at_once.of_way(way):
            if each > 0:
                room = min(room, self._room_of_line(other, start) / each)
        limit = float(market.ways.limit[way, start])
        if np.isfinite(limit):
            own = float(self.started[way, start])
            room = min(room, limit - own if self.prices.limit[way, start] <= NOTHING else own)
        for use in self.uses(way, start):
            component = int(market.uses.component[use])
            if (component, start) not in seen:
                part = self._room_of_component(component, start, seen | {(component, start)})
                room = min(room, part / float(market.uses.units[use]))
        return max(room * good, 0.0)

    def _room_of_component(self, component: int, bucket: int, seen: frozenset[tuple[int, int]]) -> float:
        rooms = [self.left_of(component, bucket)]
        most = float(self.cheapest[component, bucket]) + self._same(component)
        for way in self.ways_of(component):
            arrive = np.arange(bucket + 1)
            price = self.ways[way, : bucket + 1] + (bucket - arrive) * self.market.money.holding[component]
            for at in np.flatnonzero(price <= most):
                rooms.append(self._room_of_way(int(way), int(at - self.market.ways.lead[way]), seen))
        return max(rooms)

    def _room_of_line(self, line: int, bucket: int) -> float:
        """Free hours; of a full line also those that others would give up at the price."""
        market = self.market
        if (line, bucket) not in self._rooms:
            free = max(float(market.most_hours[line, bucket] - self.hours_used[line, bucket]), 0.0)
            if self.prices.line[line, bucket] > NOTHING:
                on_line = (market.ways.line == line) & (self.started[:, bucket] > NOTHING)
                free += sum(
                    float(market.ways.hours[w] / market.ways.yield_share[w]) * self._would_move(int(w), bucket)
                    for w in np.flatnonzero(on_line)
                )
                beside = market.rules.lines_at_once
                for i in np.flatnonzero((beside.line == line) & (self.started[beside.way, bucket] > NOTHING)).tolist():
                    w = int(beside.way[i])
                    free += float(beside.hours[i] / market.ways.yield_share[w]) * self._would_move(w, bucket)
            self._rooms[line, bucket] = free
        return self._rooms[line, bucket]

    def _would_move(self, way: int, start: int) -> float:
        """Good units of what the way makes from this start that could be had elsewhere, or left, at the same price.

        What lies in stock after it arrives may also come later, for less holding.
        """
        market = self.market
        product, arrive = int(market.ways.product[way]), start + int(market.ways.lead[way])
        units = float(self.started[way, start] * market.ways.yield_share[way])
        most = float(self.ways[way, arrive]) + self._same(product)
        asked = np.flatnonzero(market.demand.product == product)
        if len(asked) and float(market.lost_cost[asked].min()) <= most:
            return units
        after, holding = np.arange(market.buckets) - arrive, float(market.money.holding[product])
        late = float(market.late_cost[asked].min()) if len(asked) else np.inf
        timing = np.where(after <= 0, -after * holding, np.maximum(after, 1) * late)
        others = np.array([self._elsewhere(int(w), way, start) for w in self.ways_of(product)]).min(axis=0)
        if (others + timing <= most).any() or (
            market.products.is_component[product] and self.left_of(product, arrive) > 0
        ):
            return units
        lies = np.minimum.accumulate(self._lies(product)[arrive:-1])  # up to the bucket before each later one
        later = np.flatnonzero(others[arrive + 1 :] - holding * after[arrive + 1 :] <= most)
        return min(float(lies[later].max(initial=0.0)), units)

    def _lies(self, product: int) -> FloatArray:
        """(bucket) units in stock at its end, on the path that has the least."""
        if self.market.products.is_component[product]:
            return self._component_flows[0][product]
        stock = np.zeros(self.market.buckets)
        for d in np.flatnonzero(self.market.demand.product == product):
            net = self.market.demand.cumulative[d] - np.cumsum(self.turned_away[d])
            stock += np.maximum((self.supply[d] - net).min(axis=0), 0.0)
        return stock

    def _elsewhere(self, way: int, but: int, start: int) -> FloatArray:
        """(bucket) prices of a way, without the start on the line that the way `but` has."""
        price = self.ways[way].copy()
        there = start + int(self.market.ways.lead[way])
        shared = {line for line, *_ in self.market.held_by(way)} & {line for line, *_ in self.market.held_by(but)}
        neither = self.market.ways.line[way] == self.market.ways.line[but] < 0
        if (shared or neither) and there < len(price):
            price[there] = np.inf
        return price


def component_flows(market: Market, started: FloatArray, served: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(product, bucket) units of components left at the end of each bucket, and units used or served in it.

    served: (demanded, bucket). Products that are no components have none.
    """
    comes, used = market.stock.fixed + arrived_units(market, started), np.zeros(market.stock.fixed.shape)
    np.add.at(
        used,
        market.uses.component,
        np.where(market.uses.is_open, market.uses.units[:, None] * started[market.uses.way], 0),
    )
    market.rules.per_lot.take_off(used, np.where(started > NOTHING, -1.0, 0.0))
    np.add.at(used, market.demand.product, served)
    left, there = np.maximum(np.cumsum(comes - used, axis=1), 0.0), market.products.is_component[:, None]
    return np.where(there, left, 0.0), np.where(there, used, 0.0)


def cleared_for_quotes(
    market: Market, prices: Prices, started: FloatArray, turned_away: FloatArray, served: FloatArray
) -> Cleared:
    """A clearing whose prices also hold for what its plan does not touch.

    A price of what nobody uses says nothing: a way cannot start where its line has no hours or its offer ends at 0, and
    a component of which nothing is there costs what its ways cost. What comes besides others keeps its price.
    """
    on_line = (market.ways.line >= 0) & (market.ways.hours > 0)
    can_run = np.ones(market.ways.is_open.shape, dtype=bool)
    can_run[on_line] = market.most_hours[market.ways.line[on_line]] > NOTHING
    beside = market.rules.lines_at_once
    held = beside.hours > 0
    np.logical_and.at(can_run, beside.way[held], market.most_hours[beside.line[held]] > NOTHING)
    left, used = component_flows(market, started, served)
    is_there = np.asarray(left + used > NOTHING)
    is_there[market.rules.co_products.product] = True
    can_run &= market.ways.is_open & (market.ways.limit > NOTHING)
    market = replace(market, ways=replace(market.ways, is_open=can_run))
    prices = replace(prices, component=np.where(is_there, prices.component, np.inf))
    return Cleared(market, prices, started, turned_away, served)
