"""What units of a product are worth by when they are there: expected cost of supply against the sample paths."""

from dataclasses import dataclass

import numpy as np

from datong.ledger.facts import Economics
from datong.model.flow import FloatArray
from datong.model.layers import expected_over_and_short


@dataclass(frozen=True, eq=False)
class Curve:
    """Expected cost of a demanded product's supply. cumulative_demand: (path, bucket) units still to be served.

    supply: (bucket) cumulative units of the plan that changes are measured from.
    """

    cumulative_demand: FloatArray
    economics: Economics
    supply: FloatArray

    def cost(self, more: FloatArray | float = 0.0) -> FloatArray:
        """f_t(X_t + more_t) of every bucket, in money (see model/layers.py)."""
        e = self.economics
        over, short = expected_over_and_short(self.supply + more, self.cumulative_demand)
        cost = e.holding_per_bucket * over + e.late_per_bucket * short
        cost[-1] += e.waiting_at_end * short[-1] - e.salvage * over[-1]
        return cost

    def saved_by(self, units: float, arrive: int) -> float:
        """Cost that units there from bucket `arrive` on save, being part of the plan."""
        less = np.where(np.arange(len(self.supply)) >= arrive, -units, 0.0)
        return float((self.cost(less) - self.cost()).sum())


@dataclass(frozen=True, eq=False)
class DemandShifts:
    """Shifts of a product that is sold, by its curve: lateness and losses are expected ones, not certain ones."""

    curve: Curve

    def early(self, units: float, needed: int) -> FloatArray:
        return self._until(self.curve.cost(units) - self.curve.cost(), needed)

    def late(self, units: float, needed: int) -> FloatArray:
        lost = self.curve.cost(-units) - self.curve.cost()
        before = np.concatenate([[0.0], np.cumsum(lost)[:-1]])  # of the buckets before each one
        return np.maximum(before - before[needed], 0.0) * (np.arange(len(lost)) > needed)

    def dropped(self, units: float, needed: int) -> float:
        return float((self.curve.cost(-units) - self.curve.cost())[needed:].sum())

    def worth_of_more(self, units: float, arrive: int) -> float:
        return -float((self.curve.cost(units) - self.curve.cost())[arrive:].sum())

    def _until(self, change: FloatArray, needed: int) -> FloatArray:
        """(bucket) the change summed from each bucket up to the one before `needed`; 0 from there on."""
        before = np.where(np.arange(len(change)) < needed, change, 0.0)
        return np.cumsum(before[::-1])[::-1]
