"""Co-products (`recipe_outputs`): a start brings other products besides its own, wanted or not.

    I_q(t) = I_q(t - 1) + arrivals + sum over ways w of  units(w, q) x(w, t - lead_w)  - used - set aside >= 0

All that comes of such a way lies in pools, since what nobody takes must lie somewhere. HiGHS: entries in the rows of
those pools, also where it decides lots. The referee counts them among what arrives (`arrived_units`). Most that lots
bring: as much as the product or one of the co-products needs (`most_wanted` in exact_lots.py). The search of prices and
lots in turn do not know the rule. Which way yields what: `network/co_products.py`.

Bound: with pi(q, t) the price of a unit, no start may earn anything,

    yield(w) pi(p, t + lead) + sum over q of units(w, q) pi(q, t + lead)  <=  cost + hours x price + components at t

so that a start is credited with its co-products at prices that are handed in, v, and pi(q, t) is at most v(q, t). A
price may be below 0, where a unit more would only lie; none is below what a unit left lying is worth: where a start
would still earn, it has a price of its own, or where it has no limit nothing is known (`_earn_nothing` in bound.py).
What keeps for a while earns the prices of its shelf life as it arrives, like any product.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from datong.balance.rules.rule import Chain, Part, Reader, Rule, nothing_found
from datong.model.flow import FloatArray, IntArray
from datong.network.rule_facts import RuleFacts

if TYPE_CHECKING:
    from datong.balance.arrays import Market
    from datong.balance.highs import Programme
    from datong.balance.solution import Prices


@dataclass(frozen=True, eq=False)
class CoProducts(Rule):
    name: ClassVar[str] = "co products"

    # (output) index of the way.
    way: IntArray
    # (output) index of the product that comes besides that of the way.
    product: IntArray
    # (output) units of it for a unit started.
    units: FloatArray

    @classmethod
    def of(cls, facts: RuleFacts, chain: Chain) -> "CoProducts":
        at = {product: i for i, product in enumerate(chain.products)}
        found = [(w, at[o.product], o) for w, way in enumerate(chain.ways) for o in way.outputs if o.product in at]
        return cls(
            way=np.array([w for w, _, _ in found], dtype=np.int64),
            product=np.array([product for _, product, _ in found], dtype=np.int64),
            units=np.array([output.units_per_unit for *_, output in found], dtype=np.float64),
        )

    @property
    def is_there(self) -> bool:
        return len(self.way) > 0

    def part(self, part: Part) -> Self:
        """None: deliveries start nothing."""
        none = np.zeros(0, dtype=np.int64)
        return type(self)(none, none, np.zeros(0))

    def of_way(self, way: int) -> list[tuple[int, float]]:
        """What comes of a way besides its product, and units for a unit started."""
        comes = np.flatnonzero(self.way == way).tolist() if self.is_there else ()
        return [(int(self.product[i]), float(self.units[i])) for i in comes]

    def add_to(self, programme: "Programme", column_of: IntArray) -> Reader:
        lead = programme.market.ways.lead[self.way]
        output, bucket = np.nonzero(column_of[self.way] >= 0)
        rows = programme.pool_row[self.product[output]] + bucket + lead[output]
        programme.add_entries(rows, column_of[self.way[output], bucket], -self.units[output])
        return nothing_found

    def arrived(self, market: "Market", started: FloatArray) -> FloatArray:
        """(product, bucket) units that come besides; started: (way, bucket)."""
        total = np.zeros(market.stock.fixed.shape)
        start = np.arange(market.buckets) - market.ways.lead[self.way, None]
        units = self.units[:, None] * np.take_along_axis(started[self.way], np.maximum(start, 0), axis=1)
        np.add.at(total, self.product, np.where(start >= 0, units, 0.0))
        return total

    def prices_known(self, prices: "Prices") -> "Prices":
        """Prices with one of each co-product: 0 where none was handed in."""
        component = prices.component.copy()
        own = component[self.product]
        component[self.product] = np.where(np.isfinite(own), own, 0.0)
        return replace(prices, component=component)

    def credit(self, market: "Market", worth: FloatArray) -> FloatArray:
        """(way, bucket of start) money for what comes of a start besides its product. worth: (product, bucket)."""
        total = np.zeros(market.ways.is_open.shape)
        there = np.arange(market.buckets) + market.ways.lead[self.way, None]
        last = market.buckets - 1
        each = self.units[:, None] * np.take_along_axis(worth[self.product], np.minimum(there, last), axis=1)
        np.add.at(total, self.way, np.where(there <= last, each, 0.0))
        return total
