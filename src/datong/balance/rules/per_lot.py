"""Quantities per lot (`components.units_per_lot`, `recipes.setup_scrap_units`): what an order takes, of any size.

    used(c, t) = sum over ways w of  units(w, c) x(w, t) + per_lot(w, c) y(w, t),     y(w, t) orders that start

As a set-up, it is nothing in the market in any quantities, which costs no more: so its bound holds. HiGHS knows it
where it decides lots (exact_lots.py); the referee counts it of a plan in lots. What the units that a set-up scraps take
of hours and money is part of the set-up (`network/ways.py`).
"""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datong.balance.rules.rule import Chain, Part, Rule
from datong.model.flow import FloatArray, IntArray
from datong.network.rule_facts import RuleFacts


@dataclass(frozen=True, eq=False)
class PerLot(Rule):
    name: ClassVar[str] = "quantities per lot"
    in_search: ClassVar[bool] = True
    in_lots: ClassVar[bool] = True

    # (taken) index of the way.
    way: IntArray
    # (taken) index of the component.
    component: IntArray
    # (taken) units of it for each order.
    units: FloatArray

    @classmethod
    def of(cls, facts: RuleFacts, chain: Chain) -> "PerLot":
        at = {product: i for i, product in enumerate(chain.products)}
        found = [(w, at[name], units) for w, way in enumerate(chain.ways) for name, units in way.lot_uses if name in at]
        return cls(
            way=np.array([w for w, _, _ in found], dtype=np.int64),
            component=np.array([component for _, component, _ in found], dtype=np.int64),
            units=np.array([units for *_, units in found], dtype=np.float64),
        )

    @property
    def is_there(self) -> bool:
        return len(self.way) > 0

    def part(self, part: Part) -> Self:
        """None: deliveries are no lots."""
        none = np.zeros(0, dtype=np.int64)
        return type(self)(none, none, np.zeros(0))

    def of_way(self, way: int) -> list[tuple[int, float]]:
        """Components of an order of the way, and units of each."""
        taken = np.flatnonzero(self.way == way).tolist() if self.is_there else ()
        return [(int(self.component[i]), float(self.units[i])) for i in taken]

    def take_off(self, units: FloatArray, lots: FloatArray) -> None:
        """Takes what orders (way, bucket) use off units (product, bucket)."""
        np.add.at(units, self.component, -self.units[:, None] * lots[self.way])
