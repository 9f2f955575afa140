"""Quantities per lot (`components.units_per_lot`, `recipes.setup_scrap_units`): what an order takes, of any size.

    used(c, t) = sum over ways w of  units(w, c) x(w, t) + per_lot(w, c) y(w, t),     y(w, t) orders that start

As a set-up, it is nothing in the market in any quantities. HiGHS knows it where it decides lots (exact_lots.py); the
referee counts it of a plan in lots. What the units that a set-up scraps take of hours and money is part of the set-up
(`network/ways.py`).

Bound: an order can save what it takes its holding, which the market in any quantities cannot. Of any plan in lots, the
same starts and deliveries without what orders take leave that much more in stock, and nothing else changes. With
h(c, s) the holding of a unit at the end of bucket s and what is above a largest stock, and v(c) its salvage,

    market in any quantities  <=  cost in lots + sum over c of saved(c)
    saved(c) = sum over w, t open of  per_lot(w, c) max(sum over s >= t of h(c, s) - v(c), 0)

Where c is brought by ways alone that take no components, cost no less than v, and stand in no rule that wants them
started or wants stock, the market starts less of them instead: with K(t) the most that it can start less up to t, what
is taken up to t is at most K(t) + F(t), F(t) = what comes anyway, up to t, since it was least (0 before the first
bucket). So no more than F lies there longer:

    saved(c) <= sum over t of h(c, t) min(all that orders can take up to t, F(t)),     0 where nothing comes anyway

What orders take of alternatives (a set-up's scrap) is picked less: it counts as taken of each of them.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from datong.balance.rules.rule import Chain, Part, Rule
from datong.model.flow import BoolArray, FloatArray, IntArray
from datong.network.rule_facts import RuleFacts

if TYPE_CHECKING:
    from datong.balance.arrays import Market


@dataclass(frozen=True, eq=False)
class PerLot(Rule):
    name: ClassVar[str] = "quantities per lot"
    in_search: ClassVar[bool] = True

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

    def most_saved(self, market: "Market") -> float:
        """Money by which a plan in lots can cost less than the market in any quantities (saved, over all c)."""
        if not self.is_there:
            return 0.0
        largest = market.rules.largest_stock
        held = market.money.holding[:, None] + largest.stock.by_product(largest.cost, len(market.products))
        still = np.cumsum(held[:, ::-1], axis=1)[:, ::-1] - market.money.salvage[:, None]
        taken = np.zeros(held.shape)
        self.take_off(taken, -market.ways.is_open.astype(np.float64))
        picks = [(w, facts) for w, facts in enumerate(market.ways.facts) if facts.picks is not None]
        for pick, _ in picks:  # of what orders take of alternatives, as much of each as if it were taken alone
            for use in np.flatnonzero(market.uses.way == pick):
                taken[market.uses.component[use]] += market.uses.units[use] * taken[market.ways.product[pick]]
        taken[[market.ways.product[pick] for pick, _ in picks]] = 0.0
        saved = (taken * np.maximum(still, 0.0)).sum(axis=1)
        comes = np.cumsum(market.stock.fixed, axis=1)
        comes = comes - np.minimum.accumulate(np.minimum(comes, 0.0), axis=1)
        lies = (held * np.minimum(np.cumsum(taken, axis=1), comes)).sum(axis=1)
        return float(np.where(self._started_less(market), np.minimum(saved, lies), saved).sum())

    def _started_less(self, market: "Market") -> BoolArray:
        """(product) whether less of it can be brought, and that costs nothing."""
        rules, ways = market.rules, market.ways
        wanted = (rules.change_charge, rules.firm_shares, rules.safety_stock, rules.shelf_life)
        if any(rule.is_there for rule in wanted):
            return np.zeros(len(market.products), dtype=bool)
        kept = ways.cost < ways.yield_share * market.money.salvage[ways.product]
        kept[market.uses.way] = True
        kept[self.way] = True
        less = np.ones(len(market.products), dtype=bool)
        less[ways.product[kept]] = False
        return less
