"""Stock that counts together: what the rules of a smallest and a largest stock are about.

    I_k(t) = sum over the stock points p of target k of  pool of p + sum over its classes d of E max(X_d(t) - D_d(t), 0)

at the end of bucket t, as expected: what lies in pools and what is set aside for demand.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from datong.model.demand_layers import expected_over_and_short
from datong.model.flow import FloatArray, IntArray
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


def own_demand(held: StockHeld, targets: int, classes: Sequence[tuple[int, object]]) -> IntArray:
    """(target) the class of demand whose stock alone counts for it and for no other target of the rule, -1: none.

    Of such a target the rule is a part of the demand's own curve, where the product lies in no pool.
    """
    demanded: dict[int, list[int]] = {}
    for d, (product, _) in enumerate(classes):
        demanded.setdefault(product, []).append(d)
    points = np.bincount(held.target, minlength=targets)
    own = np.full(targets, -1)
    for k, product in zip(held.target.tolist(), held.product.tolist(), strict=True):
        of = demanded.get(product, [])
        if points[k] == 1 and len(of) == 1 and (held.product == product).sum() == 1:
            own[k] = of[0]
    return own


@dataclass(frozen=True, eq=False)
class StockCurve:
    """What stock below a smallest and above a largest one adds to the curve of one class of demand, bucket by bucket:

    below x max(smallest - E max(X - D, 0), 0)  +  above x max(E max(X - D, 0) - largest, 0)
    """

    # (bucket) units at least; 0: any.
    smallest: FloatArray
    # (bucket) units at most; inf: any.
    largest: FloatArray
    # (bucket) money per unit below the smallest.
    below: FloatArray
    # (bucket) money per unit above the largest.
    above: FloatArray
    # (path, bucket) cumulative units of the demand net of what comes anyway.
    net: FloatArray

    @cached_property
    def levels(self) -> tuple[FloatArray, FloatArray]:
        """(bucket) supply, at least 0, at which the stock is the smallest, and the largest one; inf: never."""
        found = np.zeros((2, self.net.shape[1]))
        for t in range(self.net.shape[1]):
            ordered = np.sort(self.net[:, t])
            so_far = np.concatenate([[0.0], np.cumsum(ordered)[:-1]])
            over = (np.arange(len(ordered)) * ordered - so_far) / len(ordered)
            for i, units in enumerate((self.smallest[t], self.largest[t])):
                level = float(np.interp(units, over, ordered)) + max(units - float(over[-1]), 0.0)
                found[i, t] = max(level, 0.0)
        return np.where(self.smallest > 0, found[0], 0.0), found[1]

    @property
    def edges(self) -> FloatArray:
        """Units of supply at which a slope changes, no further than anybody can want it."""
        every = np.concatenate(self.levels)
        return every[every <= max(float(self.net.max()), 0.0) + float(self.smallest.max())]

    def slopes(self, edges: FloatArray, chance: FloatArray) -> FloatArray:
        """(layer, bucket) money per unit of layers of supply between edges (layer + 1). chance: (layer, bucket) G."""
        lower, width = edges[:-1, None], np.diff(edges)[:, None]
        smallest, largest = (np.clip((level - lower) / width, 0.0, 1.0) for level in self.levels)
        return (self.above * (1.0 - largest) - self.below * smallest) * (1.0 - chance)

    @property
    def base(self) -> float:
        """Money without any supply."""
        over, _ = expected_over_and_short(np.zeros(self.net.shape[1]), self.net)
        short, beyond = np.maximum(self.smallest - over, 0.0), np.maximum(over - self.largest, 0.0)
        return float((self.below * short + self.above * beyond).sum())
