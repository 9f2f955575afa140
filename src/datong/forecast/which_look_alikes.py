"""Which items are look-alikes of a product without history, and which of them speak for it: those that are known long
enough and sold, of its category; and where enough of them were launched in the time seen, these alone.
"""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np

from datong.forecast.pooled import Past
from datong.model.flow import BoolArray, FloatArray

# A category by its name, or by its number.
Category = TypeVar("Category", str, int)

# With fewer known buckets than this a series cannot be back-tested: its level is a prior that they move.
FEWEST_KNOWN = 4
# Buckets after its first sale in which a look-alike counts as being launched.
LAUNCH_BUCKETS = 8
# With at least so many look-alikes that were launched in the time seen, only these speak, not the established ones.
FEWEST_LAUNCHES = 3


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


def look_alike_levels(levels: FloatArray, launched: BoolArray) -> FloatArray:
    """Launch levels to learn from: of the launched ones where there are enough, else of all.

    levels: (look-alike) mean of its first LAUNCH_BUCKETS buckets from its first known one on.
    """
    return levels[launched] if np.count_nonzero(launched) >= FEWEST_LAUNCHES else levels


def levels_by_category(
    categories: Iterable[Category], like: Sequence[Category], levels: FloatArray, launched: BoolArray
) -> dict[Category, FloatArray]:
    """Launch levels that speak for a product of each category. like: (look-alike) its category; levels: as of
    look_alike_levels; launched: it came after the chain's first bucket."""
    of = {c: np.array([own == c for own in like], dtype=bool) for c in categories}
    return {c: look_alike_levels(levels[mine], launched[mine]) for c, mine in of.items()}
