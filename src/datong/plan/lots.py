"""Lots: cleared quantities -> orders that respect smallest lots, multiples, whole units and set-ups.

Each product's cleared arrivals stand in a row by the bucket in which they are there. A lot is one start that covers a
run of neighbours i..j, placed where one of them (k) was cleared; it costs, against the cleared plan,

    set-up:  setup_cost + setup_hours * price of the hour
    move:    sum of units_m * (price_k - price_m)                 the full price of a unit there and here
    early:   for m > k, what having units_m from k's bucket instead of m's costs (holding)
    late:    for m < k, what having units_m only from k's bucket costs (lateness)
    excess:  what the smallest lot or the multiple adds: held until the next need, or its price less its worth.

A need may also be dropped, at what its demand then costs less its own price. The cheapest split into lots is found by
dynamic programming: Wagner and Whitin (1958), with backlogging as Zangwill (1966); so a smallest lot is ordered exactly
when it is worth more than waiting, at the cleared prices.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from datong.ledger.facts import Way
from datong.model.flow import FloatArray

# Units below this are rounding of a solver.
NOTHING = 1e-6


@dataclass(frozen=True)
class Need:
    """Units cleared for one way and start. `units` are started; `price` is the full price of a good unit there."""

    way: Way
    start: int
    arrive: int
    units: float
    price: float
    hour_price: float
    most_units: float

    @property
    def good(self) -> float:
        return self.units * self.way.yield_share


@dataclass(frozen=True)
class Lot:
    """Units started in one bucket. `wanted_units` of them were cleared; `merged` starts were joined in it."""

    way: Way
    start: int
    arrive: int
    units: float
    wanted_units: float
    merged: int


class Shifts(Protocol):
    """What moving good units in time costs, against the cleared plan; see `DemandShifts` and `PartShifts`."""

    def early(self, units: float, needed: int) -> FloatArray:
        """(bucket) cost of having units from that bucket on instead of `needed`; buckets before it count."""
        ...

    def late(self, units: float, needed: int) -> FloatArray:
        """(bucket) cost of having units only from that bucket on instead of `needed`; buckets after it count."""
        ...

    def dropped(self, units: float, needed: int) -> float:
        """Cost of never having units that were to be there from `needed` on."""
        ...

    def worth_of_more(self, units: float, arrive: int) -> float:
        """What units more than the plan's from `arrive` on save."""
        ...


def round_up(units: float, step: float) -> float:
    """The smallest multiple of step that is not below units; units themselves where step is 0."""
    return math.ceil((units - NOTHING) / step) * step if step > 0 else units


def step_of(way: Way, whole: bool) -> float:
    """Quantities of a way come in these steps: its lot multiple, else whole units where the base data are whole."""
    return way.multiple_units if way.multiple_units > 0 else float(whole)


def lots_matter(way: Way) -> bool:
    return max(way.min_units - 1, way.multiple_units - 1, way.setup_cost, way.setup_hours) > 0


def size_lots(needs: Sequence[Need], shifts: Shifts, whole: bool) -> list[Lot]:
    """The cheapest lots for one product's needs, which are in order of (arrive, start, way)."""
    if any(lots_matter(n.way) for n in needs):
        runs = _cheapest_runs(needs, shifts, whole)
    else:
        runs = [(i, i, i) for i in range(len(needs))]
    lots = []
    wanted_so_far = given_so_far = 0.0
    for first, last, place in runs:
        need, way = needs[place], needs[place].way
        good = sum(n.good for n in needs[first : last + 1])
        wanted_so_far += good
        missing = (wanted_so_far - given_so_far) / way.yield_share
        if missing <= NOTHING:
            continue
        units = _lot_units(need, missing, whole)
        if math.isinf(units):  # what was carried over does not fit; the repair finds it a place
            units = round_up(max(missing, way.min_units), step_of(way, whole))
        given_so_far += units * way.yield_share
        lots.append(Lot(way, need.start, need.arrive, units, missing, last - first + 1))
    return lots


def _lot_units(need: Need, units: float, whole: bool) -> float:
    """Units of a lot for `units` wanted: rounded up to the way's steps and its smallest lot. Where only that last step
    does not fit, rounded down: the next lot makes up for it. inf where no lot fits."""
    step = step_of(need.way, whole)
    up = round_up(max(units, need.way.min_units), step)
    if up <= need.most_units + NOTHING:
        return up
    down = math.floor(need.most_units / step + 1e-9) * step if step > 0 else need.most_units
    return down if down >= max(need.way.min_units, units - step) - NOTHING else math.inf


def _cheapest_runs(needs: Sequence[Need], shifts: Shifts, whole: bool) -> list[tuple[int, int, int]]:
    """(first, last, place) of each lot in the cheapest split; needs in no run are dropped."""
    count = len(needs)
    good = np.array([n.good for n in needs])
    price = np.array([n.price for n in needs])
    early = np.array([shifts.early(n.good, n.arrive) for n in needs])  # (need, bucket)
    late = np.array([shifts.late(n.good, n.arrive) for n in needs])
    best = [0.0] + [math.inf] * count
    choice: list[tuple[int, int] | None] = [None] * (count + 1)
    for end in range(1, count + 1):
        last = needs[end - 1]
        drop = best[end - 1] + shifts.dropped(last.good, last.arrive) - last.good * last.price
        if drop < best[end]:
            best[end], choice[end] = drop, None
        for first in range(end):
            run = slice(first, end)
            for place in range(first, end):
                need = needs[place]
                arrive = need.arrive
                units = _lot_units(need, float(good[run].sum()) / need.way.yield_share, whole)
                if math.isinf(units):
                    continue
                cost = need.way.setup_cost + need.way.setup_hours * need.hour_price
                cost += float(good[run] @ (need.price - price[run]))
                cost += float(late[first:place, arrive].sum() + early[place + 1 : end, arrive].sum())
                excess = units * need.way.yield_share - float(good[run].sum())
                if excess > NOTHING:
                    cost += _excess_cost(excess, needs, place, end, shifts)
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


def _excess_cost(excess: float, needs: Sequence[Need], place: int, end: int, shifts: Shifts) -> float:
    """Units beyond the run's needs: held until the next need, or bought for what they may still be worth."""
    arrive = needs[place].arrive
    to_buy = excess * needs[place].price - shifts.worth_of_more(excess, arrive)
    if end == len(needs):
        return to_buy
    return min(to_buy, float(shifts.early(excess, needs[end].arrive)[arrive]))


@dataclass(frozen=True, eq=False)
class PartShifts:
    """Shifts of a component: early costs holding, late or dropped is not allowed: what it goes into needs it."""

    holding: float
    buckets: int

    def early(self, units: float, needed: int) -> FloatArray:
        return units * self.holding * np.maximum(needed - np.arange(self.buckets), 0.0)

    def late(self, units: float, needed: int) -> FloatArray:
        return np.where(np.arange(self.buckets) > needed, math.inf, 0.0)

    def dropped(self, units: float, needed: int) -> float:
        return math.inf

    def worth_of_more(self, units: float, arrive: int) -> float:
        return 0.0
