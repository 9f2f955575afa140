"""What rules of a smallest and a largest stock make of orders that each item's economics alone would place.

An order brings the stock that is expected at the end of the window that only it can serve to the smallest one at least,
and to the largest one at most, but never below what is expected to be asked for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from datong.model.flow import FloatArray, IntArray
from datong.network.stock_targets import StockTarget
from datong.order_each_item import ROUNDING, Lots


@dataclass(frozen=True, eq=False)
class StockWanted:
    """What is to lie at the end of the window."""

    # (item) units at least; 0: any.
    smallest: FloatArray
    # (item) units at most; inf: any.
    largest: FloatArray

    @classmethod
    def of(cls, targets: Sequence[StockTarget], items: Mapping[str, int], demand: FloatArray, bucket: IntArray) -> Self:
        """A target of several stock points is shared by what each is asked for. items: label -> index; demand: (item)
        units; bucket: (item) the last one of its window."""
        smallest, largest = np.zeros(len(items)), np.full(len(items), np.inf)
        for target in targets:
            own = np.array([items[p] for p in target.points if p in items], dtype=np.int64)
            if not len(own):
                continue
            total = demand[own].sum()
            share = demand[own] / total if total > 0 else np.full(len(own), 1.0 / len(own))
            at = np.minimum(bucket[own], len(target.smallest) - 1)
            smallest[own] = np.maximum(smallest[own], share * target.smallest[at])
            limited = np.isfinite(target.largest[at])
            largest[own[limited]] = np.minimum(largest[own[limited]], (share * target.largest[at])[limited])
        return cls(smallest, largest)

    def orders(self, units: FloatArray, left: FloatArray, lots: Lots, most_units: FloatArray) -> FloatArray:
        """(item) units to order. units: by the economics; left: stock that is expected at the window's end without any
        order, below nothing where demand is short; most_units: of one order."""
        least = np.where(self.smallest > 0, np.maximum(self.smallest - left, 0.0), 0.0)
        most = np.where(
            np.isfinite(self.largest), np.maximum(np.maximum(self.largest, self.smallest) - left, 0.0), np.inf
        )
        raised, lowered = _up(least, lots), _down(most, lots)
        within = np.minimum(np.maximum(np.minimum(units, lowered), raised), np.maximum(_down(most_units, lots), 0.0))
        return np.where((self.smallest > 0) | np.isfinite(self.largest), within, units)


def _up(units: FloatArray, lots: Lots) -> FloatArray:
    step = np.where(lots.step > 0, lots.step, 1.0)
    units = np.where(units > ROUNDING, np.maximum(units, lots.least), 0.0)
    return np.where(lots.step > 0, np.ceil(units / step - ROUNDING) * step, units)


def _down(units: FloatArray, lots: Lots) -> FloatArray:
    step = np.where(lots.step > 0, lots.step, 1.0)
    whole = np.where(
        np.isfinite(units), np.floor(np.where(np.isfinite(units), units, 0.0) / step + ROUNDING) * step, units
    )
    down = np.where(lots.step > 0, whole, units)
    return np.where(down >= lots.least - ROUNDING, down, 0.0)
