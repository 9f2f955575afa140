"""Stock that counts together: what the rules of a smallest and a largest stock are about.

    I_k(t) = sum over the stock points p of target k of  pool of p + sum over its classes d of E max(X_d(t) - D_d(t), 0)

at the end of bucket t, as expected: what lies in pools and what is set aside for demand.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from datong.model.flow import FloatArray, IntArray
from datong.model.layers import expected_over_and_short
from datong.network.stock_targets import StockTarget

if TYPE_CHECKING:
    from datong.balance.highs import Programme
    from datong.balance.rules.rule import Chain, Part


@dataclass(frozen=True, eq=False)
class StockHeld:
    """Which products' stock counts for which target."""

    # (pair) index of the target.
    target: IntArray
    # (pair) index of a product whose stock counts for it.
    product: IntArray

    @classmethod
    def of(cls, targets: Sequence[StockTarget], chain: "Chain") -> Self:
        at = {p: i for i, p in enumerate(chain.products)}
        pairs = [(k, at[p]) for k, target in enumerate(targets) for p in target.points if p in at]
        target, product = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
        return cls(target, product)

    def part(self, part: "Part") -> tuple[Self, IntArray]:
        """The pairs of part of the market, and the targets that are kept: those that lie in it as a whole."""
        left_out = np.unique(self.target[~part.products[self.product]])
        kept = np.setdiff1d(np.unique(self.target), left_out)
        some = np.isin(self.target, kept)
        return type(self)(np.searchsorted(kept, self.target[some]), self.product[some]), kept

    def by_product(self, of_target: FloatArray, products: int) -> FloatArray:
        """(product, bucket) the sum of what its targets have, of (target, bucket)."""
        total = np.zeros((products, of_target.shape[1]))
        np.add.at(total, self.product, of_target[self.target])
        return total

    def together(self, stock: FloatArray, targets: int) -> FloatArray:
        """(target, bucket) the stock of its products, of (product, bucket)."""
        total = np.zeros((targets, stock.shape[1]))
        np.add.at(total, self.target, stock[self.product])
        return total

    def add_to(self, programme: "Programme", rows: IntArray) -> FloatArray:
        """Enters the stock of the targets into rows (target, bucket) of a programme; gives what of it is there whatever
        the plan does, (target, bucket) units.

        A product that is asked for and lies in no pool has supply from the least that demand allows on: what is over
        at that least is no column of the programme.
        """
        market = programme.market
        anyway = np.zeros(rows.shape)
        for k, product in zip(self.target.tolist(), self.product.tolist(), strict=True):
            if product in programme.stock:
                programme.add_entries(rows[k], programme.stock[product], 1.0)
            for d in np.flatnonzero(market.demand.product == product).tolist():
                columns, bucket, share = programme.over[d]
                programme.add_entries(rows[k, bucket], columns, share)
                anyway[k] += expected_over_and_short(market.least_supply[d], market.net_demand(d))[0]
        return anyway
