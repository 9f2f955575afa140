"""Lots in turn: each product gets the cheapest lots on the hours and components that the others leave it.

Products that are sold take turns. In its turn a product gives back what it takes and chooses all its lots anew: which
way, when and how many, early, late or never, against its own curve of expected cost. With x the level (what has come of
it so far, in steps of its lots) that is a dynamic programme over buckets and levels (Wagner and Whitin 1958; by levels,
and so with limits, Florian and Klein 1971):

    V_t(x)  = min( V'_t(x),  min over ways and lots d of  setup + cost d + V'_t(x + d) ),     smallest lot <= d <= room
    V'_t(x) = f_t(x) + V_t+1(x)

and the least over d is a sliding minimum, because a lot's cost is linear. `cost` has the hours at the cleared prices,
so that a product leaves dear hours to those that need them more. In the first rounds a lot may go beyond a line's
hours, and beyond the components that can be there, at a penalty that rises from round to round (and a part of which
stays where hours were too few, as in the method of multipliers; Hestenes 1969). Then it may not, and in the last
rounds hours cost nothing: each turn then saves money or changes nothing. Set-up hours count like hours of work all
along.

Components limit the levels: up to bucket t no more can be used than stock, what is under way, and what the component's
usual way can bring by then on the hours of its line, net of what the others need (`_Components`). In the end the
components get their lots in the same way, from the products down, for what is then used: late costs more than
anything.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from datong.ledger.state import State
from datong.model.flow import BoolArray, FloatArray, Forecast, IntArray
from datong.network.facts import ChainFacts
from datong.network.largest_lot import LotSizes
from datong.network.position import Position
from datong.network.rule_facts import rule_facts
from datong.network.spread_over_long_lot import mean_over, most_over
from datong.network.ways import Way
from datong.plan.lots_along_clearing import NOTHING, Lot, lots_matter
from datong.plan.worth import Curve

# Rounds in which an hour beyond a line's costs so many buckets of lateness of the work of an hour, and how many stay on
# hours after each of them, times the share by which they were too few; then rounds within the hours, at this share of
# their price.
BEYOND, STAYS = (0.1, 0.3, 1.0, 3.0, 10.0), 0.3
WITHIN = (1.0, 0.0, 0.0)
# Numbers of orders of a way in one bucket that are looked at: each is so much of the one before, and at least one more.
FURTHER_ON = 1.25
# Levels of a product, at most; then they are several of its steps apart.
MOST_LEVELS = 1_000
# Most memory for the costs of levels that are kept from one turn of a product to the next.
MOST_COST_BYTES = 64_000_000
# A component that is late costs this many times what it costs, per bucket, and no less than what it goes into; what of
# it never comes, as much as that is worth. So it is left out only where its set-up is not worth it.
LATE_PART = 10.0


def takes_turns(
    state: State, demand: Forecast, demanded: Mapping[str, FloatArray], facts: ChainFacts, where: Position
) -> bool:
    """Whether lots may leave the cleared quantities: any way has a set-up or lots; none holds several lines, brings
    co-products, or takes alternatives or components per lot; goods lie nowhere in particular; and no rule looks at more
    than costs, hours, components and stock. demanded: `planned_demand`."""
    chooses = any(w.beside or w.picks or w.lot_uses or w.outputs for w in facts.ways)
    if facts.stock_points or chooses or not any(lots_matter(w) for w in facts.ways):
        return False
    rules = rule_facts(state, demand, where, demanded, facts)
    shares = rules.shares or rules.sourcing
    return not (rules.substitutes or rules.shelf_life or shares or any(rules.change_cost.values()))


@dataclass(frozen=True, eq=False)
class Choice:
    """One way to have units of a product, bucket by bucket of its start.

    lead: buckets. is_open, cost, most: (bucket) whether it may start; money per unit started, its components at the
    cleared prices and its hours free; most units started. step: units, 0 for any number. uses: component and units of
    it per unit started.
    """

    way: Way
    lead: int
    is_open: BoolArray
    cost: FloatArray
    most: FloatArray
    step: float
    uses: tuple[tuple[str, float], ...]

    @cached_property
    def sizes(self) -> LotSizes:
        return LotSizes.of(self.way.min_units, self.way.max_units, self.step)

    def counts(self, most: float) -> list[int]:
        """How many orders at once are looked at, for so many units at most: each number, and above ONE_BY_ONE some of
        them, since of so many one more hardly counts."""
        found, last = [1], self.sizes.orders(most)
        while found[-1] < last:
            found.append(min(max(found[-1] + 1, math.floor(found[-1] * FURTHER_ON)), last))
        return found


@dataclass(frozen=True, eq=False)
class Shop:
    """What lots are chosen from. order: products, components first; choices by product; usual: the choice of a
    component on which others may count. curves: of the products that are sold; holding: of the components, money per
    unit and bucket. hours, hour_price: line -> (bucket). comes: product -> (bucket) cumulative units that come anyway,
    of a component less those that are to be left in stock. at_least: component -> (bucket) cumulative units to bring in
    any case. first_start: the first bucket not frozen.
    """

    buckets: int
    first_start: int
    order: Sequence[str]
    choices: Mapping[str, Sequence[Choice]]
    usual: Mapping[str, Choice]
    curves: Mapping[str, Curve]
    holding: Mapping[str, float]
    hours: Mapping[str, FloatArray]
    hour_price: Mapping[str, FloatArray]
    comes: Mapping[str, FloatArray]
    at_least: Mapping[str, FloatArray]


@dataclass(frozen=True)
class Start:
    """A lot in the making."""

    choice: Choice
    bucket: int
    units: float

    @property
    def arrive(self) -> int:
        return self.bucket + self.choice.lead


@dataclass(frozen=True)
class Jump:
    """A lot that may arrive in a bucket: from `least` to `most` levels, at setup + cost a level. key: whose it is.
    alone: of those of its key only one can be: each is another number of orders."""

    key: int
    setup: float
    cost: float
    least: int
    most: int
    alone: bool = False


OnTurn = Callable[[int], bool]


def no_hurry(_turns: int) -> bool:
    """An OnTurn that only listens."""
    return True


def lots_in_turn(shop: Shop, on_turn: OnTurn = no_hurry) -> list[Lot]:
    """Lots of all products, within hours and components but for rounding; by product, way and start.

    on_turn: told before each turn how many there were; where it says no, each product has its last turn, within hours.
    """
    turns = _Turns(shop)
    sold = turns.sold()
    count, hurry = 0, False
    rounds = [(1.0, penalty) for penalty in BEYOND] + [(share, None) for share in WITHIN]
    for r, (share, penalty) in enumerate(rounds):
        keeps_hours = r == len(BEYOND)  # the first round that does, and that none can do without
        for product in sold:
            hurry = hurry or not on_turn(count)
            if not hurry or keeps_hours:
                turns.sell(product, share, penalty)
                count += 1
        if penalty is None:
            turns.forget_overload()
        else:
            turns.remember_overload()
    for product in reversed(shop.order):
        if product in shop.usual:
            turns.bring(product)
    return [lot for product in shop.order for lot in _joined(turns.starts.get(product, ()))]


def cheapest_levels(cost: FloatArray, jumps: Sequence[Sequence[Jump]]) -> list[tuple[int, Jump, int]]:
    """The cheapest course from level 0: (bucket, jump, levels) of each lot, in order of arrival.

    cost: (level, bucket) of being at a level at the end of a bucket, inf where that cannot be. jumps: by bucket.
    """
    levels, buckets = cost.shape
    index = np.arange(levels, dtype=np.float64)
    value = np.zeros(levels)
    stages: list[list[tuple[Jump, FloatArray, FloatArray, FloatArray]]] = []
    for t in range(buckets - 1, -1, -1):
        value = value + cost[:, t]
        stage: list[tuple[Jump, FloatArray, FloatArray, FloatArray]] = []
        for jump in jumps[t]:
            # Of lots of which only one can be, each begins where none of them was.
            follows = jump.alone and bool(stage) and stage[-1][0].alone and stage[-1][0].key == jump.key
            base = stage[-1][1] if follows else value
            most = min(jump.most, levels - 1)
            if jump.least > most:
                continue
            slope = jump.cost * index
            there = base[jump.least :] + slope[jump.least :]
            if most == levels - 1:
                there = np.minimum.accumulate(there[::-1])[::-1]
            elif most > jump.least:  # of the last level, repeated beyond it, the minimum is the same
                there = _least_ahead(there, most - jump.least + 1)
            after = value.copy()
            here = slice(levels - jump.least)
            there = there - slope[here]
            there += jump.setup
            np.minimum(value[here], there, out=after[here])
            stage.append((jump, base, value, after))
            value = after
        stages.append(stage)
    level, course = 0, []
    for t, stage in enumerate(reversed(stages)):
        taken = -1
        for jump, base, before, after in reversed(stage):
            if after[level] < before[level] - 1e-9 and not (jump.alone and jump.key == taken):
                taken = jump.key
                then = base[level + jump.least : level + jump.most + 1]
                up = jump.least + int((then + jump.cost * np.arange(len(then))).argmin())
                course.append((t, jump, up))
                level += up
    return course


def _least_ahead(values: FloatArray, count: int) -> FloatArray:
    """(i) the least of values[i : i + count]; beyond the end the last one goes on."""
    least, reach = np.append(values, np.full(count - 1, values[-1])), 1
    while 2 * reach <= count:  # the least of twice as many, from two that lie side by side
        least, reach = np.minimum(least[:-reach], least[reach:]), 2 * reach
    return np.minimum(least[: len(values)], least[count - reach :][: len(values)])


class _Components:
    """What components limit: how much of each is used, needed beyond what comes, and can be had.

    used: (bucket) cumulative. needed: (bucket) cumulative units that its usual way must bring, and so starts; of a
    component that has its lots (`settled`) they are its lots.
    """

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        parts = [p for p in shop.order if p in shop.usual]
        self.place = {p: i for i, p in enumerate(parts)}
        self.used = {p: np.zeros(shop.buckets) for p in parts}
        self.needed = {p: np.zeros(shop.buckets) for p in parts}
        open_from = np.arange(shop.buckets) >= shop.first_start
        self.hours = {line: np.cumsum(np.maximum(h, 0.0) * open_from) for line, h in shop.hours.items()}
        self.taken = {line: np.zeros(shop.buckets) for line in shop.hours}  # cumulative, by usual ways
        self.settled: set[str] = set()
        for part in reversed(parts):
            self._follow(part)

    def take(self, starts: Sequence[Start], sign: float) -> None:
        """Starts take their components, or give them back (sign -1)."""
        more: dict[str, FloatArray] = {}
        for start in starts:
            for part, each in start.choice.uses:
                more.setdefault(part, np.zeros(self.shop.buckets))[start.bucket :] += sign * each * start.units
        for part, units in more.items():
            self.used[part] = self.used[part] + units
        for part in sorted(more, key=lambda p: -self.place[p]):
            self._follow(part)

    def _follow(self, part: str) -> None:
        if part in self.settled:
            return
        needed = self.beyond(part)
        change = needed - self.needed[part]
        if change.any():
            self.needed[part] = needed
            self._start(part, change)

    def beyond(self, part: str) -> FloatArray:
        """(bucket) cumulative units of it that are used beyond what comes."""
        return np.maximum.accumulate(np.maximum(self.used[part] - self.shop.comes[part], 0.0))

    def _start(self, part: str, good: FloatArray) -> None:
        """Cumulative good units more (bucket) by the usual way, in time."""
        usual = self.shop.usual[part]
        lead = min(usual.lead, self.shop.buckets)
        units = np.concatenate([good[lead:], np.full(lead, good[-1])]) / usual.way.yield_share
        if usual.way.line in self.taken:
            self.taken[usual.way.line] += units * usual.way.hours_per_unit
        for below, each in usual.uses:
            self.used[below] = self.used[below] + units * each
            self._follow(below)

    def settle(self, part: str) -> None:
        """From now on its own starts count."""
        self._start(part, -self.needed[part])
        self.needed[part] = np.zeros(self.shop.buckets)
        self.settled.add(part)

    def left(self, part: str) -> FloatArray:
        """(bucket) cumulative units that more could be used of it up to then."""
        spare = self.shop.comes[part] - self.used[part]
        if part in self.settled:
            return spare
        usual, buckets = self.shop.usual[part], self.shop.buckets
        first, count = self.shop.first_start + usual.lead, buckets - usual.lead
        if first >= buckets:
            return spare + self.needed[part]
        can = np.full(count, math.inf)
        if usual.way.line in self.taken and usual.way.hours_per_unit > 0:
            can = (self.hours[usual.way.line] - self.taken[usual.way.line])[:count] / usual.way.hours_per_unit
        for below, each in usual.uses:
            can = np.minimum(can, self.left(below)[:count] / each)
        more = np.zeros(buckets)
        more[first:] = np.maximum(can[self.shop.first_start :] * usual.way.yield_share, 0.0)
        return spare + self.needed[part] + more

    def most(self, choices: Sequence[Choice]) -> FloatArray:
        """(bucket) good units that can have arrived by then by the choice that its components limit least."""
        most = np.zeros(self.shop.buckets)
        for choice in choices:
            can = np.full(self.shop.buckets, math.inf)
            for part, each in choice.uses:
                can = np.minimum(can, self.left(part) / each)
            there = np.maximum(can * choice.way.yield_share, 0.0)[: max(self.shop.buckets - choice.lead, 0)]
            most[self.shop.buckets - len(there) :] = np.maximum(most[self.shop.buckets - len(there) :], there)
        return most


class _Turns:
    """Lots of all products so far, and what they leave."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.free = {line: hours.copy() for line, hours in shop.hours.items()}
        self.parts = _Components(shop)
        self.starts: dict[str, list[Start]] = {}
        # Product -> units from one level to the next, and cost (level, bucket): the same at each of its turns.
        self.costs: dict[str, tuple[float, FloatArray]] = {}
        self.room_for_costs = MOST_COST_BYTES
        self.forget_overload()
        worth: dict[str, list[float]] = {line: [] for line in shop.hours}
        for product, curve in shop.curves.items():
            for choice in shop.choices[product]:
                way = choice.way
                if way.line in worth and way.hours_per_unit > 0:
                    worth[way.line].append(curve.economics.late_per_bucket * way.yield_share / way.hours_per_unit)
        self.bucket_late = {line: float(np.median(of)) if of else 1.0 for line, of in worth.items()}
        self.worth = _worth(shop)

    def sold(self) -> list[str]:
        """Products that are sold, those with most work first."""
        work = dict.fromkeys(self.shop.curves, 0.0)
        for product, curve in self.shop.curves.items():
            hours = [c.way.hours_per_unit / c.way.yield_share for c in self.shop.choices[product]]
            work[product] = min(hours, default=0.0) * float(curve.demand.mean[-1])
        return sorted(work, key=lambda p: (-work[p], p))

    def remember_overload(self) -> None:
        """Hours that were too few are dearer from now on."""
        for line, free in self.free.items():
            over = np.maximum(-free, 0.0) / np.maximum(self.shop.hours[line], 1e-9)
            self.dearer[line] = self.dearer[line] + STAYS * self.bucket_late[line] * np.minimum(over, 1.0)

    def forget_overload(self) -> None:
        self.dearer = {line: np.zeros(self.shop.buckets) for line in self.shop.hours}

    def sell(self, product: str, price_share: float, penalty: float | None = None) -> None:
        """The turn of a product that is sold. penalty: of hours beyond the line's; without one it keeps to them."""
        curve, comes = self.shop.curves[product], self.shop.comes[product]
        self._give_back(product)
        if (known := self.costs.get(product)) is None:
            kept = 0.0 if curve.target is None else float(curve.target.smallest.max())
            most = max(float((curve.demand.ordered[:, -1] - comes).max()) + kept, 0.0)
            grid, level = self._levels(product, most)
            known = grid, curve.cost(comes + level[:, None])
            if self.room_for_costs >= known[1].nbytes:
                self.costs[product] = known
                self.room_for_costs -= known[1].nbytes
        grid, cost = known
        self._choose(product, cost, grid, price_share, penalty, None)

    def bring(self, part: str) -> None:
        """Lots of a component, for what is used of it."""
        self.parts.settle(part)
        needed = self.parts.beyond(part)
        if part in self.shop.at_least:
            needed = np.maximum(needed, self.shop.at_least[part])
        if needed[-1] <= NOTHING:
            return
        grid, level = self._levels(part, float(needed[-1]))
        over = level[:, None] - needed
        late, lost = self.worth.get(part, (0.0, 0.0))
        late = max(LATE_PART * max(float(self.shop.usual[part].cost.max()), NOTHING), late)
        cost = np.where(over >= -NOTHING, over * self.shop.holding[part], -over * late)
        cost[:, -1] += np.maximum(-over[:, -1], 0.0) * lost
        self._choose(part, cost, grid, 0.0, None, needed)

    def _levels(self, product: str, most: float) -> tuple[float, FloatArray]:
        """Units from one level to the next, and the levels."""
        choices = self.shop.choices[product]
        grid = min((c.step * c.way.yield_share for c in choices), default=0.0)
        span = most + max((c.way.min_units * c.way.yield_share for c in choices), default=0.0) + 2 * grid
        grid = grid if grid > 0 else max(span, NOTHING) / MOST_LEVELS
        grid *= max(math.ceil((span / grid + 1) / MOST_LEVELS), 1)
        return grid, np.arange(math.ceil(span / grid) + 1, dtype=np.float64) * grid

    def _give_back(self, product: str) -> None:
        before = self.starts.pop(product, [])
        self._work(before, -1.0)
        self.parts.take(before, -1.0)

    def _work(self, starts: Sequence[Start], sign: float) -> None:
        for start in starts:
            way = start.choice.way
            if way.line in self.free:
                orders = max(start.choice.sizes.orders(start.units), 1)
                hours = orders * way.setup_hours + start.units * way.hours_per_unit
                at, share = way.worked.at(start.bucket, self.shop.buckets)
                self.free[way.line][at] -= sign * hours * share

    def _choose(
        self,
        product: str,
        cost: FloatArray,
        grid: float,
        price_share: float,
        penalty: float | None,
        needed: FloatArray | None,
    ) -> None:
        """The product's cheapest lots. cost: (level, bucket). needed: see `_sized`."""
        choices = self.shop.choices[product]
        can = self.parts.most(choices)
        over = np.arange(len(cost), dtype=np.float64)[:, None] * grid - can
        if penalty is None:
            cost = np.where(over <= NOTHING, cost, math.inf)
        else:
            late = self.shop.curves[product].economics.late_per_bucket
            cost = cost + penalty * late * np.maximum(over, 0.0)
        jumps: list[list[Jump]] = [[] for _ in range(self.shop.buckets)]
        room = [self._room(choice) for choice in choices]
        for key, choice in enumerate(choices):
            self._add_jumps(jumps, key, choice, room[key], grid, len(cost), price_share, penalty)
        found, most = [], []
        for arrive, jump, up in cheapest_levels(cost, jumps):
            choice = choices[jump.key]
            start = arrive - choice.lead
            found.append((choice, start, up * grid))
            most.append(float(room[jump.key][start]) if penalty is None else math.inf)
        starts = _sized(found, most, grid, needed)
        self.starts[product] = starts
        self._work(starts, 1.0)
        self.parts.take(starts, 1.0)

    def _room(self, choice: Choice) -> FloatArray:
        """(bucket) units that its limit and the free hours of its line leave."""
        way = choice.way
        if way.line not in self.free:
            return choice.most
        free = most_over(self.free[way.line], way.worked)
        if math.isfinite(way.max_units):
            sizes = choice.sizes
            most = np.array([sizes.within(h, way.setup_hours, way.hours_per_unit) for h in free.tolist()])
            return np.minimum(choice.most, most)
        left = free - way.setup_hours
        if way.hours_per_unit <= 0:
            return np.where(left >= 0, choice.most, 0.0)
        return np.minimum(choice.most, left / way.hours_per_unit)

    def _add_jumps(
        self,
        jumps: Sequence[list[Jump]],
        key: int,
        choice: Choice,
        room: FloatArray,
        grid: float,
        levels: int,
        price_share: float,
        penalty: float | None,
    ) -> None:
        way, line = choice.way, choice.way.line
        hour = np.zeros(self.shop.buckets)
        if line in self.free:
            hour = mean_over(price_share * self.shop.hour_price[line] + self.dearer[line], way.worked)
        if math.isfinite(way.max_units):
            self._add_several(jumps, key, choice, grid, levels, hour, penalty)
            return
        cost = (choice.cost + hour * way.hours_per_unit) / way.yield_share * grid
        setup = way.setup_cost + way.setup_hours * hour
        least = max(math.ceil(way.min_units * way.yield_share / grid - NOTHING), 1)
        most = _whole_levels(room * way.yield_share / grid)
        for t in np.flatnonzero(choice.is_open & (most >= least)).tolist():
            jumps[t + choice.lead].append(Jump(key, float(setup[t]), float(cost[t]), least, int(most[t])))
        if penalty is None or line not in self.free or way.hours_per_unit <= 0:
            return
        # Beyond the free hours, as far as the line's own go.
        dear = penalty * self.bucket_late[line]
        each = way.hours_per_unit / way.yield_share * grid
        free = np.maximum(most_over(self.free[line], way.worked), 0.0)
        hours = most_over(self.shop.hours[line], way.worked)
        alone = np.minimum((hours - way.setup_hours) / each, choice.most * way.yield_share / grid)
        from_here, alone = np.maximum(most + 1, least), _whole_levels(alone)
        setup, cost = setup + dear * (way.setup_hours - free), cost + dear * each
        for t in np.flatnonzero(choice.is_open & (alone >= from_here)).tolist():
            jumps[t + choice.lead].append(Jump(key, float(setup[t]), float(cost[t]), int(from_here[t]), int(alone[t])))

    def _add_several(
        self,
        jumps: Sequence[list[Jump]],
        key: int,
        choice: Choice,
        grid: float,
        levels: int,
        hour: FloatArray,
        penalty: float | None,
    ) -> None:
        """Of a way with a largest lot: the same for each number of orders at once. levels: how many there are; hour:
        (bucket) money."""
        way, each, sizes = choice.way, choice.way.hours_per_unit / choice.way.yield_share * grid, choice.sizes
        cost = (choice.cost + hour * way.hours_per_unit) / way.yield_share * grid
        limit = choice.most * way.yield_share / grid
        on_line = way.line in self.free
        free = most_over(self.free[way.line], way.worked) if on_line else np.full(self.shop.buckets, math.inf)
        hours = most_over(self.shop.hours[way.line], way.worked) if on_line else free
        before = 0
        for count in choice.counts(min(float(choice.most.max()), levels * grid / way.yield_share)):
            fewest, before = before + 1, count
            setup, spent = count * (way.setup_cost + way.setup_hours * hour), count * way.setup_hours
            least = max(math.ceil(fewest * sizes.smallest * way.yield_share / grid - NOTHING), 1)
            lots = np.minimum(limit, count * sizes.largest * way.yield_share / grid)

            def within(left: FloatArray, lots: FloatArray = lots) -> IntArray:
                if way.hours_per_unit > 0:
                    return _whole_levels(np.minimum(lots, left / each))
                return _whole_levels(np.where(left >= 0, lots, 0.0))

            most = within(free - spent)
            for t in np.flatnonzero(choice.is_open & (most >= least)).tolist():
                jumps[t + choice.lead].append(Jump(key, float(setup[t]), float(cost[t]), least, int(most[t]), True))
            if penalty is None or not on_line or way.hours_per_unit <= 0:
                continue
            dear, alone = penalty * self.bucket_late[way.line], within(hours - spent)
            from_here = np.maximum(most + 1, least)
            beyond, more = setup + dear * (spent - np.maximum(free, 0.0)), cost + dear * each
            for t in np.flatnonzero(choice.is_open & (alone >= from_here)).tolist():
                one = Jump(key, float(beyond[t]), float(more[t]), int(from_here[t]), int(alone[t]), True)
                jumps[t + choice.lead].append(one)


def _worth(shop: Shop) -> dict[str, tuple[float, float]]:
    """By product, what a unit of it that is a bucket late, and one that never comes, costs at most where it is sold."""
    found = {p: (curve.economics.late_per_bucket, curve.economics.lost_sale) for p, curve in shop.curves.items()}
    for product in reversed(shop.order):
        for choice in shop.choices[product]:
            for part, each in choice.uses:
                of = zip(found.get(part, (0.0, 0.0)), found.get(product, (0.0, 0.0)), strict=True)
                late, lost = (max(own, more * choice.way.yield_share / each) for own, more in of)
                found[part] = late, lost
    return found


def _whole_levels(levels: FloatArray) -> IntArray:
    return np.floor(np.clip(levels, 0.0, 1e9) + 1e-9).astype(np.int64)


def _sized(
    found: Sequence[tuple[Choice, int, float]], most: Sequence[float], grid: float, needed: FloatArray | None
) -> list[Start]:
    """Starts of (choice, bucket, good units), in steps and at most `most`; what one brings more or less the next makes
    good. needed: cumulative good units, to which a lot that goes beyond the need before the next by less than a level
    is cut.
    """
    starts = []
    wanted = given = 0.0
    for i, (choice, t, good) in enumerate(found):
        wanted += good
        aim = wanted
        if needed is not None:
            following = found[i + 1][0].lead + found[i + 1][1] if i + 1 < len(found) else len(needed)
            until = float(needed[following - 1])
            aim = until if until <= aim < until + grid else aim
        missing = (aim - given) / choice.way.yield_share
        if missing <= NOTHING or (needed is not None and given >= needed[-1] - NOTHING):
            continue
        units = choice.sizes.up(missing)
        if units > most[i] + NOTHING:
            units = choice.sizes.down(most[i])
        if units > NOTHING and units >= choice.way.min_units - NOTHING:
            given += units * choice.way.yield_share
            starts.append(Start(choice, t, units))
    return starts


def _joined(starts: Sequence[Start]) -> list[Lot]:
    """Starts as lots, those of one way and bucket as one; each for what is still wanted before the next."""
    units: dict[tuple[str, int], float] = {}
    first: dict[tuple[str, int], Start] = {}
    for start in starts:
        key = start.choice.way.name, start.bucket
        units[key] = units.get(key, 0.0) + start.units
        first.setdefault(key, start)
    return [Lot(s.choice.way, s.bucket, s.arrive, units[k]) for k, s in sorted(first.items())]
