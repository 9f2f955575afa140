"""Amounts by bucket, over the buckets that a long lot works: each has the same part of its hours."""

import numpy as np

from datong.model.flow import FloatArray


def spread(hours: FloatArray, span: int) -> FloatArray:
    """(bucket) hours of starts, in the buckets in which they are worked."""
    total = np.zeros(len(hours))
    for later in range(min(span, len(hours))):
        total[later:] += hours[: len(hours) - later] / span
    return total


def least_over(amount: FloatArray, span: int) -> FloatArray:
    """(bucket of start) the least of an amount (bucket) over the buckets that a start works."""
    least = amount.copy()
    for later in range(1, min(span, len(amount))):
        least[:-later] = np.minimum(least[:-later], amount[later:])
    return least


def mean_over(amount: FloatArray, span: int) -> FloatArray:
    """(bucket of start) the mean of an amount (bucket) over the buckets that a start works; the last goes on."""
    if span == 1:
        return amount
    padded = np.concatenate([amount, np.full(span, amount[-1])])
    return np.mean([padded[later : later + len(amount)] for later in range(span)], axis=0)
