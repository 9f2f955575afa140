"""What units of a product are worth by when they are there: expected cost of supply against the sample paths."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from datong.model.demand_layers import SortedDemand
from datong.model.flow import FloatArray, IntArray
from datong.network.economics import Economics
from datong.network.stock_targets import StockTarget

# Less than this part is missing of a whole unit: rounding.
PART_OF_A_UNIT = 1e-6


@dataclass(frozen=True, eq=False)
class Dearer:
    """The dearest classes of a demand, which are served first: a unit of them that is late or lost counts so much more
    than one of the next class."""

    # Weight of the last of these classes less that of the next one.
    more: float
    # Cumulative units of these classes still to be served.
    demand: SortedDemand


@dataclass(frozen=True, eq=False)
class Curve:
    """Expected cost of a demanded product's supply.

    With classes of weights w_1 > w_2 > ... > w_n, those that weigh most served first, and s_k what the k dearest of
    them are short of, lateness and loss count  w_n s_n + sum over k < n of (w_k - w_k+1) s_k  units of weight 1.
    """

    # Cumulative units still to be served.
    demand: SortedDemand
    economics: Economics
    # (bucket) cumulative units of the plan that changes are measured from.
    supply: FloatArray
    # Only whole units serve: what a yield leaves of one lies.
    whole: bool = False
    # What is to lie in stock; None: anything.
    target: StockTarget | None = None
    # What lateness and loss of all of the demand count at least: the weight of its last class.
    weight: float = 1.0
    # What they count beyond that, for the dearest class, for the two dearest, ...
    dearer: tuple[Dearer, ...] = ()

    @cached_property
    def base(self) -> FloatArray:
        """(bucket) f_t(X_t) of the plan as it is, in money."""
        return self.cost(self.supply[None, :])[0]

    def change(self, more: FloatArray) -> FloatArray:
        """f_t(X_t + more_t) - f_t(X_t) of every change (change, bucket), in money (see model/demand_layers.py)."""
        return self.cost(self.supply + more) - self.base

    def cost(self, supply: FloatArray) -> FloatArray:
        """(plan, bucket) f_t of cumulative supply (plan, bucket), in money."""
        e = self.economics
        can = np.floor(supply + PART_OF_A_UNIT) if self.whole else supply
        over, short = self.demand.over_and_short(can)
        over = over + (supply - can) if self.whole else over
        short = sum((d.more * d.demand.over_and_short(can)[1] for d in self.dearer), self.weight * short)
        cost = e.holding_per_bucket * over + e.late_per_bucket * short + self._beside_target(over)
        cost[:, -1] += e.waiting_at_end * short[:, -1] - e.salvage * over[:, -1]
        return cost

    def _beside_target(self, over: FloatArray) -> FloatArray | float:
        """(plan, bucket) money for stock (plan, bucket) below the smallest or above the largest that it is to be."""
        if self.target is None:
            return 0.0
        below = self.target.below * np.maximum(self.target.smallest - over, 0.0)
        return below + self.target.above * np.maximum(over - self.target.largest, 0.0)

    def saved_by(self, units: FloatArray, arrive: IntArray) -> FloatArray:
        """(lot) cost that units (lot) there from bucket `arrive` (lot) on save, being part of the plan; what is short
        without them waits."""
        return self.change(self._less(units, arrive)).sum(axis=1)

    def worth_of(self, units: FloatArray, arrive: IntArray) -> FloatArray:
        """(lot) `saved_by`, where what is certain to be asked for and would wait for longer than refusing it is worth
        is refused: what an order is told to save."""
        if self.demand.ordered.shape[1] > 1:
            return self.saved_by(units, arrive)
        less = self._less(units, arrive)
        return self._certain_cost(self.supply + less) - self._certain_cost(self.supply[None, :])

    def _less(self, units: FloatArray, arrive: IntArray) -> FloatArray:
        """(lot, bucket) cumulative supply that there is less without units from bucket `arrive` on."""
        there = np.arange(len(self.supply)) >= arrive[:, None]
        return np.where(there, -units[:, None], 0.0)

    def _certain_cost(self, supply: FloatArray) -> FloatArray:
        """(plan) cost of cumulative supply (plan, bucket) with demand that is certain: each unit waits from the bucket
        in which it is short to the one in which it is not, or to the end, or is refused at once where that costs less.

            min(late x buckets, lost sale),     at the end    min(late x buckets + waiting at the end, lost sale)
        """
        e = self.economics
        can = np.floor(supply + PART_OF_A_UNIT) if self.whole else supply
        over, short = self.demand.over_and_short(can)
        over = over + (supply - can) if self.whole else over
        cost = (e.holding_per_bucket * over + self._beside_target(over)).sum(axis=1) - e.salvage * over[:, -1]
        beyond = (d.more * self._waits_or_is_refused(d.demand.over_and_short(can)[1]) for d in self.dearer)
        return cost + sum(beyond, self.weight * self._waits_or_is_refused(short))

    def _waits_or_is_refused(self, short: FloatArray) -> FloatArray:
        """(plan) money for units of weight 1 that are short (plan, bucket): see `_certain_cost`."""
        e, cost = self.economics, np.zeros(len(short))
        buckets = short.shape[1]
        level = np.concatenate([np.zeros((len(short), 1)), short, np.zeros((len(short), 1))], axis=1)
        for first in range(buckets):
            lowest = np.full(len(short), np.inf)
            for after in range(first + 1, buckets + 1):  # short in the buckets from `first` to before `after`
                lowest = np.minimum(lowest, level[:, after])
                ends = level[:, after + 1] if after < buckets else 0.0
                units = np.maximum(lowest - np.maximum(level[:, first], ends), 0.0)
                each = e.late_per_bucket * (after - first) + (e.waiting_at_end if after == buckets else 0.0)
                cost = cost + units * min(each, e.lost_sale)
        return cost


@dataclass(frozen=True, eq=False)
class DemandShifts:
    """Shifts of a product that is sold, by its curve: lateness and losses are expected ones, not certain ones."""

    curve: Curve

    def early(self, units: FloatArray, needed: IntArray) -> FloatArray:
        change = self.curve.change(units[:, None])
        before = np.where(np.arange(change.shape[1]) < needed[:, None], change, 0.0)
        return np.cumsum(before[:, ::-1], axis=1)[:, ::-1]

    def late(self, units: FloatArray, needed: IntArray) -> FloatArray:
        lost = self.curve.change(-units[:, None])
        before = np.cumsum(lost, axis=1) - lost  # of the buckets before each one
        then = np.take_along_axis(before, needed[:, None], axis=1)
        return np.maximum(before - then, 0.0) * (np.arange(lost.shape[1]) > needed[:, None])

    def dropped(self, units: FloatArray, needed: IntArray) -> FloatArray:
        return _from(self.curve.change(-units[:, None]), needed)

    def worth_of_more(self, units: FloatArray, arrive: IntArray) -> FloatArray:
        return -_from(self.curve.change(units[:, None]), arrive)


def _from(change: FloatArray, first: IntArray) -> FloatArray:
    """(shift) the change (shift, bucket) summed from bucket `first` (shift) on."""
    return np.where(np.arange(change.shape[1]) >= first[:, None], change, 0.0).sum(axis=1)
