"""Products without history: a stated prior, from look-alikes where there are some."""

from dataclasses import dataclass

import numpy as np

from datong.model.flow import FloatArray

# Buckets after its first sale in which a look-alike counts as being launched.
LAUNCH_BUCKETS = 8
# Without any look-alike: a unit in every second bucket, and most buckets empty.
WEAK_MEAN, WEAK_VARIANCE = 0.5, 9.0
# A prior is never surer than this: standard deviation of the log level.
LEAST_LOG_SD = 0.7


@dataclass(frozen=True)
class LevelPrior:
    """Level of a new product: units per bucket, and variance over mean squared of that level; and how many
    look-alikes say so."""

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
    variance = min(sd**2 + LEAST_LOG_SD**2, 4.0)
    return LevelPrior(float(np.exp(np.median(logs))), float(np.expm1(variance)), len(levels))


def launch_level(units: FloatArray) -> float:
    """Mean units per bucket in the first known buckets of a series that starts with one."""
    return float(np.nanmean(units[:LAUNCH_BUCKETS]))


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
