"""Products without history: a stated prior, from what look-alikes sold (which_look_alikes.py) where there are some.

Two things are unknown: when the product starts to sell, and how much. When: in each bucket it starts with the chance
at which the chain's other unsold products did (launch_chance). How much: as look-alikes of its category did in their
first buckets, with a wide spread (level_prior). A product that has been in the books for long without a sale is thus
not taken to sell like its category tomorrow. In a chain with enough launches they tell more of the level
(pooled_launches.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from datong.forecast.which_look_alikes import Category, levels_by_category
from datong.model.flow import BoolArray, FloatArray

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
    """The prior of a product without history, by category; as of levels_by_category."""
    return {c: level_prior(own) for c, own in levels_by_category(categories, like, levels, launched).items()}


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
