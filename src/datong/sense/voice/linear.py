"""Linear models of hashed counts: how they are weighted, fitted and applied."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from datong.model.flow import BoolArray, FloatArray
from datong.sense.voice.ngrams import Counts

Weights = NDArray[np.float32]
# A bucket that fewer texts share teaches nothing that others can use.
LEAST_TEXTS = 2
SMOOTHING = 1.0
MEMORY_OF_SEARCH = 8


@dataclass(frozen=True, eq=False)
class Linear:
    """weights: (2**bits) per unit of weighted count, 0 for buckets that were not learnt. offset: what no words say."""

    weights: Weights
    offset: float


def inverse_frequency(counts: Counts) -> Weights:
    """(2**bits) log((1 + n) / (1 + texts with it)) + 1, and 0 for buckets of fewer than LEAST_TEXTS texts."""
    texts_with = np.bincount(counts.columns, minlength=1 << counts.bits)
    weight = np.log((1 + len(counts)) / (1 + texts_with)) + 1
    return np.where(texts_with >= LEAST_TEXTS, weight, 0).astype(np.float32)


def tf_idf(counts: Counts, inverse: Weights) -> Weights:
    """(entries) (1 + log count) x inverse, each text of length 1 (Salton and Buckley 1988)."""
    value = (1 + np.log(counts.values)) * inverse[counts.columns]
    rows = counts.rows()
    length = np.sqrt(np.bincount(rows, value * value, len(counts)))
    return (value / np.maximum(length, 1e-12)[rows]).astype(np.float32)


def log_ratios(counts: Counts, positive: BoolArray, known: BoolArray) -> Weights:
    """(2**bits) how much more often a bucket stands in positive texts than in others, in logs (Wang and Manning 2012).

    positive: (texts). known: (2**bits) buckets that count; 0 elsewhere."""
    wide = 1 << counts.bits
    if not known.any():
        return np.zeros(wide, np.float32)
    of_positive = positive[counts.rows()]
    more = np.bincount(counts.columns[of_positive], minlength=wide) + SMOOTHING
    less = np.bincount(counts.columns[~of_positive], minlength=wide) + SMOOTHING
    ratio = np.log(more / more[known].sum()) - np.log(less / less[known].sum())
    return np.where(known, ratio, 0).astype(np.float32)


def in_ratios(counts: Counts, ratios: Weights, inverse: Weights) -> Weights:
    """(entries) the log ratio of each bucket of a text over the root of the number of its known buckets plus one.

    inverse: (2**bits) 0 for a bucket that is not known."""
    rows = counts.rows()
    many = np.bincount(rows, inverse[counts.columns] > 0, len(counts))
    return (ratios[counts.columns] / np.sqrt(many + 1)[rows]).astype(np.float32)


def fitted(
    counts: Counts,
    values: Weights,
    positive: BoolArray,
    penalty: float,
    steps: int,
    weight: FloatArray | None = None,
    start: Linear | None = None,
) -> Linear:
    """min |w|^2 / 2 + penalty sum weight max(0, 1 - y (x w + b))^2, the linear support vector machine with squared
    hinge (Fan et al. 2008), by at most `steps` steps of L-BFGS.

    values: (entries) weighted counts, 0 where they do not count. weight: (texts) how much each counts, 1 if None.
    start: where the search begins, at zero if None."""
    from scipy.sparse import csr_matrix

    used = np.flatnonzero(np.bincount(counts.columns, values != 0, 1 << counts.bits))
    place = np.zeros(1 << counts.bits, np.int32)
    place[used] = np.arange(len(used))
    there = values != 0
    starts = np.concatenate(([0], np.cumsum(there)))[counts.starts]
    shape = (len(counts), len(used))
    matrix: Any = csr_matrix((values[there], place[counts.columns[there]], starts), shape=shape)
    turned = matrix.T.tocsr()
    sign = np.where(positive, 1.0, -1.0)
    strength = penalty * (np.ones(len(counts)) if weight is None else weight)

    def loss(point: FloatArray) -> tuple[float, FloatArray]:
        w = point[:-1]
        short = np.maximum(0, 1 - sign * (matrix @ w.astype(np.float32) + point[-1]))
        slope = -2 * strength * sign * short
        gradient = np.append(turned @ slope.astype(np.float32) + w, slope.sum())
        return float((strength * short * short).sum() + w @ w / 2), gradient

    begin = np.zeros(len(used) + 1) if start is None else np.append(start.weights[used], start.offset)
    best = lowest(loss, begin, {"maxiter": steps, "maxcor": MEMORY_OF_SEARCH})
    weights = np.zeros(1 << counts.bits, np.float32)
    weights[used] = best[:-1]
    return Linear(weights, float(best[-1]))


def lowest(
    loss: Callable[[FloatArray], tuple[float, FloatArray]], begin: FloatArray, options: dict[str, int]
) -> FloatArray:
    """Where a loss, given with its slope, is lowest, looked for from `begin` by L-BFGS (Byrd et al. 1995).

    Vectors are short: threads of the linear algebra beneath would wait for one another most of the time."""
    from scipy.optimize import minimize

    given: Any = options
    with threadpool_limits(limits=1, user_api="blas"):
        return minimize(loss, begin, jac=True, method="L-BFGS-B", options=given).x


def applied(counts: Counts, values: Weights, model: Linear) -> FloatArray:
    """(texts) x w + b."""
    sums = np.bincount(counts.rows(), values * model.weights[counts.columns], len(counts))
    return np.asarray(sums, np.float64) + model.offset
