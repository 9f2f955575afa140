"""Products without history: a stated prior, from look-alikes where there are some.

Two things are unknown: when the product starts to sell, and how much. When: in each bucket it starts with the chance
at which the chain's other unsold products did (launch_chance). How much: as look-alikes of its category did in their
first buckets, with a wide spread (level_prior). A product that has been in the books for long without a sale is thus
not taken to sell like its category tomorrow. In a chain with enough launches they tell more of the level
(pooled_launches.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from datong.model.flow import BoolArray, FloatArray

# A category by its name, or by its number.
Category = TypeVar("Category", str, int)

# With fewer known buckets than this a series cannot be back-tested: its level is a prior that they move.
FEWEST_KNOWN = 4
# Buckets after its first sale in which a look-alike counts as being launched.
LAUNCH_BUCKETS = 8
# With at least so many look-alikes that were launched in the time seen, only these speak, not the established ones.
FEWEST_LAUNCHES = 3
# Without any look-alike: half a unit in a bucket, most buckets empty, and nearly any other level possible.
WEAK_MEAN, WEAK_VARIANCE = 0.5, 9.0
# A prior is never surer than this: standard deviation of the log level; nor is it wider than the other: variance.
LEAST_LOG_SD, MOST_LOG_VARIANCE = 0.7, 4.0


@dataclass(frozen=True)
class LevelPrior:
    """Level of a new product. mean: units per bucket; level_variance: of that level, over its mean squared.
    look_alikes: products that it comes of."""

    mean: float
    level_variance: float
    look_alikes: int


def look_alike_levels(levels: FloatArray, launched: BoolArray) -> FloatArray:
    """Launch levels to learn from: of the launched ones where there are enough, else of all.

    levels: (look-alike) mean of its first LAUNCH_BUCKETS buckets from its first known one on.
    """
    return levels[launched] if np.count_nonzero(launched) >= FEWEST_LAUNCHES else levels


def level_prior(launch_levels: FloatArray) -> LevelPrior:
    """From the mean units per bucket of look-alikes in their first buckets: their median and spread, in logs.

    The level is lognormal with log variance s^2 = LEAST_LOG_SD^2 + (1.4826 x median absolute deviation of the
    look-alikes' logs)^2, at most 4; its variance over mean squared is exp(s^2) - 1. Its mean is put at their median m:
    the lognormal's own mean, m exp(s^2/2), would let one giant speak for a launch.
    """
    levels = launch_levels[launch_levels > 0]
    if not len(levels):
        return LevelPrior(WEAK_MEAN, WEAK_VARIANCE, 0)
    logs = np.log(levels)
    sd = 1.4826 * float(np.median(np.abs(logs - np.median(logs))))
    variance = min(sd**2 + LEAST_LOG_SD**2, MOST_LOG_VARIANCE)
    return LevelPrior(float(np.exp(np.median(logs))), float(np.expm1(variance)), len(levels))


def priors_by_category(
    categories: Iterable[Category], like: Sequence[Category], levels: FloatArray, launched: BoolArray
) -> dict[Category, LevelPrior]:
    """The prior of a product without history, by category: which items are its look-alikes is decided here.

    like: (look-alike) its category; levels: as of look_alike_levels; launched: it came after the chain's first bucket.
    """
    of = {c: np.array([own == c for own in like], dtype=bool) for c in categories}
    return {c: level_prior(look_alike_levels(levels[mine], launched[mine])) for c, mine in of.items()}


def launch_chance(waiting_buckets: Sequence[int], launched: int) -> float:
    """Chance that an unsold product starts to sell in a bucket: (launches + 1) / (buckets waited + 1), at most 1.

    waiting_buckets: of every item, from the chain's first known bucket to its own. 3 launches in 39 buckets of waiting:
    4 / 40 = 0.1. In a chain without any past it is 1: what is listed is taken to sell from now on.
    """
    return min((launched + 1) / (sum(waiting_buckets) + 1), 1.0)


def blended_level(units: FloatArray, prior: LevelPrior) -> tuple[float, float]:
    """Level and its variance over mean squared for a product with n known buckets, n small or 0.

    In logs: the prior has variance s^2, the mean of the known buckets 1 / n (each is as uncertain as its own size), so
    the known ones weigh n s^2 / (n s^2 + 1). Nothing sold in n buckets counts as half a unit sold.
    """
    known = units[~np.isnan(units)]
    log_variance = float(np.log1p(prior.level_variance))
    if not len(known):
        return prior.mean, prior.level_variance
    seen = max(float(known.mean()), 0.5 / len(known))
    share = len(known) * log_variance / (len(known) * log_variance + 1)
    mean = float(np.exp(share * np.log(seen) + (1 - share) * np.log(prior.mean)))
    return mean, float(np.expm1(log_variance * (1 - share)))
