"""The level that an item has by its look-alikes: the effects of all that items can be grouped by add up.

A stated prior goes by one category alone (launch_prior.py).
"""

from collections.abc import Sequence

import numpy as np

from datong.forecast.pooled import Past
from datong.forecast.which_look_alikes import came, is_look_alike, launch_levels
from datong.model.flow import FloatArray, IntArray

# The level of an established look-alike is that of so many buckets.
LEVEL_BUCKETS = 26
# In the effects of look-alikes no difference counts as so many items; passes until the effects stand.
SHRINK_ITEMS, PASSES = 3.0, 4


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
