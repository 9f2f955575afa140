"""Lots along the cleared quantities where products come together (network/co_products.py).

What comes besides is off what a product needs of its own ways: that of lots, or, before those are chosen, of what was
cleared. Where what it goes into then needs more of it than the market thought, since that is in lots, so much more is
started of what it comes of.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from datong.model.flow import FloatArray
from datong.network.ways import Way
from datong.plan.lots_along_clearing import NOTHING, Lot
from datong.plan.planning_inputs import Work


class Besides:
    """What comes besides others, product by product as their lots are chosen."""

    def __init__(self, work: Work) -> None:
        self._work = work
        # Product -> the ways by which it comes besides another.
        self._ways: dict[str, list[Way]] = defaultdict(list)
        self._joint = {way.product for way in work.facts.ways if way.outputs}
        for way in work.facts.ways:
            for output in way.outputs:
                self._ways[output.product].append(way)
        # Way name -> (bucket) units started: cleared, then in lots.
        self._started: dict[str, FloatArray] = {}
        for product in self._joint:
            self._started |= work.by_market.cleared.get(product, {})
        # Product whose lots are chosen -> (bucket) good units that come of them.
        self._made: dict[str, FloatArray] = {}

    def is_joint(self, product: str) -> bool:
        """Whether others come besides it."""
        return product in self._joint

    def comes(self, product: str) -> FloatArray:
        """(bucket) units of a product that come besides others."""
        total = np.zeros(len(self._work.starts))
        for way in self._ways.get(product, ()):
            if way.name in self._started:
                total += self._arrives(way, self._started[way.name], dict(way.brings)[product])
        return total

    def chosen(self, product: str, lots: Sequence[Lot]) -> None:
        """Takes in the lots of a product."""
        made = np.zeros(len(self._work.starts))
        for lot in lots:
            made[lot.arrive] += lot.units * lot.way.yield_share
        self._made[product] = made
        for way in self._work.ways_of[product] if product in self._joint else ():
            units = np.zeros(len(self._work.starts))
            for lot in lots:
                if lot.way.name == way.name:
                    units[lot.start] += lot.units
            self._started[way.name] = units

    def with_more(
        self, product: str, quantities: Mapping[str, FloatArray], used: Mapping[str, FloatArray]
    ) -> Mapping[str, FloatArray]:
        """Units to start by way of a product, with what its co-products need beyond what comes of these. used: of
        each component, (bucket) units that lots take."""
        if product not in self._joint:
            return quantities
        found = {name: units.copy() for name, units in quantities.items()}
        for way in self._work.ways_of[product]:
            for output in way.outputs:
                self._started |= found
                for t, units in self._lacks(output.product, used[output.product]):
                    if (start := self._start(way, t)) is not None:
                        own = found.setdefault(way.name, np.zeros(len(self._work.starts)))
                        own[start] += units / output.units_per_unit
        return found

    def _lacks(self, product: str, used: FloatArray) -> list[tuple[int, float]]:
        """Buckets in which more of a product is taken than there is by then, and how many units more than before."""
        work = self._work
        own = self._made.get(product)
        if own is None:
            own = np.zeros(len(work.starts))
            for name, units in work.by_market.cleared.get(product, {}).items():
                own = own + self._arrives(work.ways[name], units, work.ways[name].yield_share)
        there = work.promised.units[product] + own + self.comes(product)
        lacks = np.maximum.accumulate(np.maximum(np.cumsum(used - there), 0.0))
        more = np.diff(lacks, prepend=0.0)
        return [(int(t), float(more[t])) for t in np.flatnonzero(more > NOTHING)]

    def _start(self, way: Way, t: int) -> int | None:
        """The last bucket in which a way may start to be there by one; None where there is none."""
        work = self._work
        for start in range(t, work.first_start - 1, -1):
            if work.arrive(way, start) <= t and way.is_open(work.starts[start]):
                return start
        return None

    def _arrives(self, way: Way, started: FloatArray, each: float) -> FloatArray:
        """(bucket) units that come of starts (bucket), so many of each."""
        lead = self._work.arrive(way, 0)
        total = np.zeros(len(started))
        total[lead:] = started[: len(started) - lead] * each
        return total
