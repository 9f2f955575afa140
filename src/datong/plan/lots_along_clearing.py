"""Lots: cleared quantities -> orders that respect smallest lots, multiples, whole units and set-ups.

This is for chains with stock points or rules such as shelf life; in others products take turns
(lots_product_by_product.py; `takes_turns` there decides), and in small ones an integer programme may find better ones
(balance/exact_lots.py).

Each product's cleared arrivals stand in a row by the bucket in which they are there. A lot is one start that covers a
run of neighbours i..j, placed where one of them (k) was cleared; it costs, against the cleared plan,

    set-up:  setup_cost + setup_hours * price of the hour, for each order
    move:    sum of units_m * (price_k - price_m)                 the full price of a unit there and here
    early:   for m > k, what having units_m from k's bucket instead of m's costs (holding); not where they go bad first
    late:    for m < k, what having units_m only from k's bucket costs (lateness)
    excess:  what the smallest lot or the multiple adds: held until the next need, or its price less its worth.

A need may also be dropped, at what its demand then costs less its own price. The cheapest split into lots is found by
dynamic programming: Wagner and Whitin (1958), with backlogging as Zangwill (1966); so a smallest lot is ordered exactly
when it is worth more than waiting, at the cleared prices.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from datong.model.flow import FloatArray, IntArray
from datong.network.largest_lot import orders_in
from datong.network.ways import Way

# Units below this are rounding of a solver.
NOTHING = 1e-6


@dataclass(frozen=True)
class Need:
    """Units cleared for one way, start and arrive (buckets). `units` are started; `price` is the full price of a good
    unit there. beside: money for the set-up hours of lines that it holds besides its own, and for what
    an order takes of components whatever its size."""

    way: Way
    start: int
    arrive: int
    units: float
    price: float
    hour_price: float
    most_units: float
    beside: float = 0.0

    @property
    def good(self) -> float:
        return self.units * self.way.yield_share


@dataclass(frozen=True, slots=True)
class Lot:
    """Units started in one bucket."""

    way: Way
    # Bucket in which it starts.
    start: int
    # Bucket in which its good units are there.
    arrive: int
    # Units started.
    units: float
    # Which part it is of what its way starts in the bucket, from 0, where that is split by day.
    part: int = 0
    # Of its hash, without all that its way is: lots are looked up many times.
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.way.name, self.start, self.units)))

    def __hash__(self) -> int:
        return self._hash


class Shifts(Protocol):
    """What moving good units in time costs, against the cleared plan; see `DemandShifts` and `PartShifts`.

    Each question is asked for many shifts at once; units, needed and arrive: (shift).
    """

    def early(self, units: FloatArray, needed: IntArray) -> FloatArray:
        """(shift, bucket) cost of having units from that bucket on instead of `needed`; buckets before it count."""
        ...

    def late(self, units: FloatArray, needed: IntArray) -> FloatArray:
        """(shift, bucket) cost of having units only from that bucket on, not `needed`; buckets after it count."""
        ...

    def dropped(self, units: FloatArray, needed: IntArray) -> FloatArray:
        """(shift) cost of never having units that were to be there from `needed` on."""
        ...

    def worth_of_more(self, units: FloatArray, arrive: IntArray) -> FloatArray:
        """(shift) what units more than the plan's from `arrive` on save."""
        ...


def round_up(units: float, step: float) -> float:
    """The smallest multiple of step that is not below units; units themselves where step is 0."""
    return math.ceil((units - NOTHING) / step) * step if step > 0 else units


def step_of(way: Way, whole: bool) -> float:
    """Quantities of a way come in these steps: its lot multiple, else whole units where the base data are whole."""
    return way.multiple_units if way.multiple_units > 0 else float(whole)


def lots_matter(way: Way) -> bool:
    return max(way.min_units - 1, way.multiple_units - 1) > 0 or way.sets_up


def size_lots(needs: Sequence[Need], shifts: Shifts, whole: bool) -> list[Lot]:
    """The cheapest lots for one product's needs, which are in order of (arrive, start, way)."""
    in_runs = any(lots_matter(n.way) for n in needs)
    runs = _cheapest_runs(needs, shifts, whole) if in_runs else [(i, i, i) for i in range(len(needs))]
    lots = []
    wanted_so_far = given_so_far = 0.0
    for first, last, place in runs:
        need, way = needs[place], needs[place].way
        good = sum(n.good for n in needs[first : last + 1])
        wanted_so_far += good
        missing = (wanted_so_far - given_so_far) / way.yield_share
        if missing <= NOTHING:
            continue
        units = _lot_units(need, missing, whole) if in_runs else math.inf
        if math.isinf(units):  # what does not fit, or was carried over and does not: the repair finds it a place
            units = way.sizes(whole).up(missing)
        given_so_far += units * way.yield_share
        lots.append(Lot(way, need.start, need.arrive, units))
    return lots


def _lot_units(need: Need, units: float, whole: bool) -> float:
    """Units of a lot for `units` wanted: rounded up to the way's steps and its smallest lot. Where only that last step
    does not fit, rounded down: the next lot makes up for it. inf where no lot fits."""
    return float(_lots_units(need, np.array([units]), whole)[0])


def _lots_units(need: Need, units: FloatArray, whole: bool) -> FloatArray:
    """`_lot_units` of many."""
    step, smallest, most = step_of(need.way, whole), need.way.min_units, need.most_units
    up, down = np.maximum(units, smallest), np.full(units.shape, most)
    if step > 0:
        up, down = np.ceil((up - NOTHING) / step) * step, np.floor(down / step + 1e-9) * step
    if math.isfinite(need.way.max_units):
        sizes = need.way.sizes(whole)
        up, down = np.vectorize(sizes.up, otypes=[float])(up), np.full(units.shape, sizes.down(most))
    fits = down >= np.maximum(smallest, units - step) - NOTHING
    return np.where(up <= most + NOTHING, up, np.where(fits, down, math.inf))


def _cheapest_runs(needs: Sequence[Need], shifts: Shifts, whole: bool) -> list[tuple[int, int, int]]:
    """(first, last, place) of each lot in the cheapest split; needs in no run are dropped."""
    count = len(needs)
    good, price = np.array([n.good for n in needs]), np.array([n.price for n in needs])
    dropped = shifts.dropped(good, np.array([n.arrive for n in needs])) - good * price
    runs_to: list[list[tuple[float, int, int]]] = [[] for _ in range(count + 1)]
    for cost, first, place, end in _runs(needs, shifts, whole):
        runs_to[end].append((cost, first, place))
    best = [0.0] + [math.inf] * count
    choice: list[tuple[int, int] | None] = [None] * (count + 1)
    for end in range(1, count + 1):
        drop = best[end - 1] + float(dropped[end - 1])
        if drop < best[end]:
            best[end], choice[end] = drop, None
        for cost, first, place in runs_to[end]:
            if best[first] + cost < best[end] - 1e-9:
                best[end], choice[end] = best[first] + cost, (first, place)
    runs = []
    end = count
    while end > 0:
        chosen = choice[end]
        if chosen is None:
            end -= 1
        else:
            runs.append((chosen[0], end - 1, chosen[1]))
            end = chosen[0]
    return runs[::-1]


def _runs(needs: Sequence[Need], shifts: Shifts, whole: bool) -> Iterable[tuple[float, int, int, int]]:
    """(cost, first, place, end) of every run of needs first..end-1 that fits in one lot at the place of one of them, in
    order of (first, place, end); the cost is the module's, without what a need left out costs.
    """
    count = len(needs)
    good, price = np.array([n.good for n in needs]), np.array([n.price for n in needs])
    arrive = np.array([n.arrive for n in needs])
    early, late = shifts.early(good, arrive), shifts.late(good, arrive)  # (need, bucket)
    units_before = np.concatenate([[0.0], np.cumsum(good)])
    money_before = np.concatenate([[0.0], np.cumsum(good * price)])
    cost = np.full((count, count, count + 1), math.inf)  # (first, place, end)
    excess = np.zeros((count, count, count + 1))
    for place, need in enumerate(needs):
        here = np.s_[: place + 1, place, place + 1 :]
        run = units_before[None, place + 1 :] - units_before[: place + 1, None]  # (first, end) good units
        units = _lots_units(need, run / need.way.yield_share, whole)
        moved = need.price * run - (money_before[None, place + 1 :] - money_before[: place + 1, None])
        setup = need.way.setup_cost + need.way.setup_hours * need.hour_price + need.beside
        if math.isfinite(need.way.max_units):
            orders = orders_in(np.where(np.isfinite(units), units, 0.0), np.array(need.way.sizes(whole).largest))
            setup = setup * orders
        waits = np.append(np.cumsum(late[:place, need.arrive][::-1])[::-1], 0.0)  # from first to the place
        held = np.concatenate([[0.0], np.cumsum(early[place + 1 :, need.arrive])])
        cost[here] = np.where(np.isfinite(units), setup + moved + waits[:, None] + held, math.inf)
        excess[here] = np.where(np.isfinite(units), units * need.way.yield_share - run, 0.0)
    first, place, end = np.nonzero(excess > NOTHING)
    cost[first, place, end] += _excess_cost(excess[first, place, end], needs, place, end, shifts)
    first, place, end = np.nonzero(np.isfinite(cost))
    return zip(cost[first, place, end].tolist(), first.tolist(), place.tolist(), end.tolist(), strict=True)


def _excess_cost(
    excess: FloatArray, needs: Sequence[Need], place: IntArray, end: IntArray, shifts: Shifts
) -> FloatArray:
    """(run) units beyond the run's needs: held until the next need, or bought for what they may still be worth."""
    arrive, price = np.array([n.arrive for n in needs]), np.array([n.price for n in needs])
    there = arrive[place]
    to_buy = excess * price[place] - shifts.worth_of_more(excess, there)
    following = np.append(arrive, 0)[end]
    to_hold = np.take_along_axis(shifts.early(excess, following), there[:, None], axis=1)[:, 0]
    return np.where(end == len(needs), to_buy, np.minimum(to_buy, to_hold))


@dataclass(frozen=True, eq=False)
class WhileItKeeps:
    """Shifts of a product that goes bad: no lot brings units that go bad before their need. life: ends of buckets over
    which a unit may lie."""

    shifts: Shifts
    life: int

    def early(self, units: FloatArray, needed: IntArray) -> FloatArray:
        cost = self.shifts.early(units, needed)
        return np.where(needed[:, None] - np.arange(cost.shape[1]) > self.life, math.inf, cost)

    def late(self, units: FloatArray, needed: IntArray) -> FloatArray:
        return self.shifts.late(units, needed)

    def dropped(self, units: FloatArray, needed: IntArray) -> FloatArray:
        return self.shifts.dropped(units, needed)

    def worth_of_more(self, units: FloatArray, arrive: IntArray) -> FloatArray:
        return self.shifts.worth_of_more(units, arrive)


@dataclass(frozen=True, eq=False)
class PartShifts:
    """Shifts of a component: early costs holding, late or dropped is not allowed: what it goes into needs it."""

    holding: float
    buckets: int

    def early(self, units: FloatArray, needed: IntArray) -> FloatArray:
        return units[:, None] * self.holding * np.maximum(needed[:, None] - np.arange(self.buckets), 0.0)

    def late(self, units: FloatArray, needed: IntArray) -> FloatArray:
        return np.where(np.arange(self.buckets) > needed[:, None], math.inf, 0.0)

    def dropped(self, units: FloatArray, needed: IntArray) -> FloatArray:
        return np.full(len(units), math.inf)

    def worth_of_more(self, units: FloatArray, arrive: IntArray) -> FloatArray:
        return np.zeros(len(units))
