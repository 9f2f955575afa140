"""Largest lot (`recipes.max_lot_units`): an order has at most so many units.

More of a way in one bucket is several orders, each with its set-up and no smaller than the smallest lot:

    orders(x) = the fewest n with x <= n largest,      x can be formed where  n smallest <= x,
    hours(x) = set-up orders(x) + hours x

so that what n orders can be lies between n smallest and n largest. Hours rise with x, and so the most units of some
hours are those of full lots, or of full lots and one that is not.
"""

import math
from dataclasses import dataclass

import numpy as np

from datong.model.flow import FloatArray

# Of units, and of a number of orders, what is rounding.
NOTHING, PART_OF_AN_ORDER = 1e-6, 1e-9


def orders_in(units: FloatArray, largest: FloatArray) -> FloatArray:
    """How many orders units are, each at most the largest lot (inf: any): the fewest."""
    more = units > NOTHING
    fewest = np.ones(np.broadcast_shapes(units.shape, largest.shape))
    limited = np.broadcast_to(np.isfinite(largest) & more, fewest.shape)
    if limited.any():
        share = np.broadcast_to(units, fewest.shape)[limited] / np.broadcast_to(largest, fewest.shape)[limited]
        fewest[limited] = np.maximum(np.ceil(share - PART_OF_AN_ORDER), 1.0)
    return np.where(more, fewest, 0.0)


@dataclass(frozen=True, slots=True)
class LotSizes:
    """What orders of a way can be, in units: smallest and largest are whole steps; step 0: any number, largest inf:
    none is too large."""

    smallest: float
    largest: float
    step: float

    @classmethod
    def of(cls, smallest: float, largest: float, step: float) -> "LotSizes":
        """In whole steps, and with a largest lot that is one: no less than the smallest, and a step."""
        if step > 0:
            smallest = math.ceil(smallest / step - PART_OF_AN_ORDER) * step
            largest = math.floor(largest / step + PART_OF_AN_ORDER) * step if math.isfinite(largest) else largest
        return cls(smallest, max(largest, smallest, step), step)

    def orders(self, units: float) -> int:
        """The fewest orders that so many units are."""
        if units <= NOTHING:
            return 0
        return max(math.ceil(units / self.largest - PART_OF_AN_ORDER), 1) if math.isfinite(self.largest) else 1

    def up(self, units: float) -> float:
        """The fewest units, and no fewer than these, that can be formed."""
        units = max(units, self.smallest)
        units = math.ceil((units - NOTHING) / self.step) * self.step if self.step > 0 else units
        return max(units, self.orders(units) * self.smallest)

    def down(self, units: float) -> float:
        """The most units, and no more than these, that can be formed."""
        units = math.floor(units / self.step + PART_OF_AN_ORDER) * self.step if self.step > 0 else units
        count = self.orders(units)
        if count * self.smallest <= units + NOTHING:
            return units
        return (count - 1) * self.largest if count > 1 else 0.0

    def within(self, hours: float, setup: float, each: float) -> float:
        """The most units that so many hours make, by hours of an order and of a unit; below nothing: not even a set-up
        fits."""
        if math.isinf(self.largest):
            return (hours - setup) / each if each > 0 else (math.inf if hours >= setup else -1.0)
        if setup <= 0:
            return hours / each if each > 0 else math.inf
        full = math.floor(hours / (setup + self.largest * each) + PART_OF_AN_ORDER)
        more = (hours - (full + 1) * setup) / each if each > 0 else -1.0
        return max(full * self.largest, more) if full > 0 else more

    def parts(self, units: float) -> list[float]:
        """Units of each order: full lots, and the rest; where that is below the smallest lot, the one before is
        smaller."""
        count, left, found = self.orders(units), units, []
        for after in range(count - 1, -1, -1):
            own = min(self.largest, left - after * self.smallest) if after else left
            found.append(own)
            left -= own
        return found
