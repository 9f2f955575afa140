"""Which items are look-alikes of others when a bucket opens, and the level that they give an item.

A stated prior goes by one category alone (category_prior.py); here all that items can be grouped by counts.
"""

from collections.abc import Sequence

import numpy as np

from datong.forecast.category_prior import FEWEST_KNOWN, LAUNCH_BUCKETS
from datong.forecast.pooled import Past
from datong.model.flow import BoolArray, FloatArray, IntArray

# The level of an established look-alike is that of so many buckets.
LEVEL_BUCKETS = 26
# In the effects of look-alikes no difference counts as so many items; passes until the effects stand.
SHRINK_ITEMS, PASSES = 3.0, 4


def came(past: Past) -> BoolArray:
    """(item) whether it was launched in the time seen."""
    return (past.first > past.first.min()) & (past.first < past.units.shape[1])


def launch_levels(past: Past, t: int) -> FloatArray:
    """(item) mean of the known of its first LAUNCH_BUCKETS buckets before t; NaN where none is."""
    row, start = np.arange(len(past.first)), np.minimum(past.first, t)
    end = np.minimum(past.first + LAUNCH_BUCKETS, t)
    count = past.known[row, end] - past.known[row, start]
    return np.where(count > 0, (past.sums[row, end] - past.sums[row, start]) / np.maximum(count, 1), np.nan)


def is_look_alike(past: Past, t: int) -> BoolArray:
    """(item) whether it tells how others sell: known long enough, and sold."""
    return (past.known[:, t] >= FEWEST_KNOWN) & (past.sums[:, t] > 0)


def look_alike_logs(past: Past, codes: Sequence[IntArray], t: int) -> tuple[FloatArray, float]:
    """(item) log level by its look-alikes when bucket t opens, and that of a usual item."""
    level = np.where(came(past), launch_levels(past, t), past.mean(t, LEVEL_BUCKETS))
    # An item that has long been silent sells like its look-alikes at most half a unit in that time.
    use = is_look_alike(past, t) & ~np.isnan(level)
    if not use.any():
        return np.zeros(len(level)), 0.0
    logs = np.log(np.maximum(level, 0.5 / LEVEL_BUCKETS), where=use, out=np.zeros(len(level)))
    usual = float(np.median(logs[use]))
    rest, effects = np.where(use, logs - usual, 0.0), [np.zeros(int(code.max()) + 1) for code in codes]
    total = np.zeros(len(level))
    for _ in range(PASSES):
        for effect, code in zip(effects, codes, strict=True):
            total -= effect[code]
            count = np.bincount(code[use], minlength=len(effect))
            effect[:] = np.bincount(code[use], (rest - total)[use], minlength=len(effect)) / (count + SHRINK_ITEMS)
            total += effect[code]
    return usual + total, usual
