"""Series with unknown buckets: where they start, and what is expected in the unknown ones.

Which buckets are unknown, for want of stock, sense/stockouts.py says.
"""

import numpy as np

from datong.model.flow import FloatArray

# Known buckets on each side from which an unknown one is filled.
FILL_NEIGHBOURS = 4


def first_known(units: FloatArray) -> int:
    """Position of the first known bucket; the length of the series when none is known."""
    known = np.flatnonzero(~np.isnan(units))
    return int(known[0]) if len(known) else len(units)


def filled(units: FloatArray) -> FloatArray:
    """The series with each unknown bucket at its expectation: the mean of the nearest known buckets on both sides.

    The level on each side is the mean of up to `FILL_NEIGHBOURS` known buckets; between the two it is interpolated by
    distance. A censored bucket thus neither pulls the level down (as 0 would) nor adds noise of its own.
    """
    known = np.flatnonzero(~np.isnan(units))
    if len(known) == len(units) or not len(known):
        return units
    result = units.copy()
    for t in np.flatnonzero(np.isnan(units)):
        at = int(np.searchsorted(known, t))
        before, after = known[max(0, at - FILL_NEIGHBOURS) : at], known[at : at + FILL_NEIGHBOURS]
        if not len(before) or not len(after):
            result[t] = units[after if len(after) else before].mean()
            continue
        share = (t - before[-1]) / (after[0] - before[-1])
        result[t] = (1 - share) * units[before].mean() + share * units[after].mean()
    return result
