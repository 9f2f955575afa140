"""Layers of cumulative demand: what a product's supply costs in expectation, bucket by bucket.

Let D_t be the demand of the open buckets up to t, a random number, and X_t the supply up to t, fixed now. Then

    f_t(X) = holding * E max(X - D_t, 0) + late * E max(D_t - X, 0)          for every bucket, and at the last one also
           + waiting * E max(D_t - X, 0) - salvage * E max(X - D_t, 0).

f_t is convex. Its slope at the n-th unit ("layer n") is  holding - (holding + late) * G_t(n),  G_t(n) = P(D_t >= n):
the newsvendor's marginal cost (Arrow, Harris and Marschak 1951), summed over buckets instead of one season.
A layer that is there from bucket a on therefore costs  holding * sum_{t>=a} (1 - G_t) + late * sum_{t<a} G_t,
and one that never comes costs  late * sum_t G_t + waiting * G_T.

`waiting` is what a unit costs that still waits at the end: the lost sale where demand ends with the horizon; where it
goes on, what it then costs to make the unit, as `salvage` is what a unit left over saves making then.
"""

from dataclasses import dataclass

import numpy as np

from datong.model.flow import FloatArray
from datong.model.numbers_in_few_bytes import Packed, packed, unpacked


def layer_slopes(
    chance: FloatArray, holding: float | FloatArray, late: float, waiting: float, salvage: float
) -> FloatArray:
    """Slope of f_t at each layer. chance: (layer, bucket) G_t(n). Returns (layer, bucket) money per unit.

    holding: the same in all buckets, or (bucket).
    """
    slopes = holding - (holding + late) * chance
    slopes[:, -1] -= salvage * (1.0 - chance[:, -1]) + waiting * chance[:, -1]
    return slopes


def layer_grid(cumulative_demand: FloatArray, further_edges: FloatArray | None = None) -> tuple[FloatArray, FloatArray]:
    """Blocks of layers in which no chance changes. cumulative_demand: (path, bucket), negative where covered already.

    further_edges: units at which a block ends, too.

    Returns widths (block) in units and chance (block, bucket), for the layers from 0 to the largest demand; exact.
    """
    inner = cumulative_demand[cumulative_demand > 0]
    further = [] if further_edges is None else [further_edges[further_edges > 0]]
    edges = np.unique(np.concatenate([[0.0], inner, *further]))
    ordered = np.sort(cumulative_demand, axis=0)
    paths, buckets = ordered.shape
    chance = np.empty((len(edges) - 1, buckets))
    for t in range(buckets):
        chance[:, t] = (paths - np.searchsorted(ordered[:, t], edges[:-1], side="right")) / paths
    return np.diff(edges), chance


def expected_over_and_short(supply: FloatArray, cumulative_demand: FloatArray) -> tuple[FloatArray, FloatArray]:
    """E max(X_t - D_t, 0) and E max(D_t - X_t, 0), each (bucket), of supply (bucket) and demand (path, bucket)."""
    over = np.maximum(supply - cumulative_demand, 0.0).mean(axis=0)
    short = np.maximum(cumulative_demand - supply, 0.0).mean(axis=0)
    return over, short


def with_recourse(demand: FloatArray, response_buckets: int) -> FloatArray:
    """Demand as a plan sees it that is made anew in every bucket: (path, bucket) units in, and out.

    What is to be there by the end of bucket t can still be changed until response_buckets before it, when demand up to
    then is known. Only what is asked for since is a risk that stock must cover; what came before is met by ordering
    more or less, so that for the plan of today it counts with its mean. With D_t cumulative demand and
    r = response_buckets,

        D~_t = D_t                          for t < r
        D~_t = D_t - D_{t-r} + E D_{t-r}    from then on.

    This is the protection interval of periodic review (Silver, Pyke and Thomas 2017, section 6.7), bucket by bucket.
    Whole demand stays whole: of the mean the whole part counts on every path, the rest as one unit on that share of
    them, so that a product that sells less than a unit in all is not lost. Single buckets of a path may come out
    below 0; its sums are what counts.
    """
    if len(demand) < 2 or demand.shape[1] <= response_buckets:
        return demand
    total = np.cumsum(demand, axis=1)
    earlier = total[:, :-response_buckets]
    mean = earlier.mean(axis=0)
    counted: FloatArray = np.broadcast_to(mean, earlier.shape)
    if (demand % 1 == 0).all():
        turn = (np.arange(len(demand)) + 0.5) / len(demand)
        counted = np.floor(mean + turn[:, None])
    seen = total.copy()
    seen[:, response_buckets:] += counted - earlier
    return np.diff(seen, axis=1, prepend=0.0)


def quantile_index(share: float, count: int) -> int:
    """Where a quantile stands in rising order: numpy's method 'inverted_cdf', an observed value."""
    return max(int(np.ceil(share * count)) - 1, 0)


@dataclass(frozen=True, eq=False)
class SortedDemand:
    """Cumulative demand, sorted for many questions of `expected_over_and_short`."""

    # (bucket, path) units, rising.
    kept: Packed

    @classmethod
    def of(cls, cumulative_demand: FloatArray) -> "SortedDemand":
        """cumulative_demand: (path, bucket) units."""
        return cls(packed(np.sort(cumulative_demand.T, axis=1)))

    @property
    def ordered(self) -> FloatArray:
        """(bucket, path) units, rising."""
        return unpacked(self.kept)

    @property
    def mean(self) -> FloatArray:
        """(bucket) expected units."""
        return self.ordered.mean(axis=1)

    def quantile(self, share: float) -> FloatArray:
        """(bucket) the smallest path value that at least this share of paths does not exceed."""
        return unpacked(self.kept[:, quantile_index(share, self.kept.shape[1])])

    def over_and_short(self, supply: FloatArray) -> tuple[FloatArray, FloatArray]:
        """`expected_over_and_short` of each supply (plan, bucket), both (plan, bucket)."""
        ordered = self.ordered
        buckets, paths = ordered.shape
        sums = np.zeros((buckets, paths + 1))  # units of the smallest 0, 1, ... paths
        np.cumsum(ordered, axis=1, out=sums[:, 1:])
        below = np.empty(supply.shape, dtype=np.int64)
        for t in range(buckets):
            below[:, t] = ordered[t].searchsorted(supply[:, t], side="right")
        covered = sums[np.arange(buckets), below]
        over = (below * supply - covered) / paths
        short = (sums[:, -1] - covered - (paths - below) * supply) / paths
        return np.maximum(over, 0.0), np.maximum(short, 0.0)
