"""The pooled model beside those of single series: how much each counts, and how wide the two together must be.

Both were tried at the same origins, the last ones of the history, without having seen what followed. With P and S their
means of a bucket, Y what came, and v = 1 / (P + phi P^2) from the pooled model's spread, the pooled model's share is

    w = sum v (P - S)(Y - S) / sum v (P - S)^2,    between 0 and 1

(combined by least squares: Bates and Granger 1969, Granger and Ramanathan 1984, J. Forecasting 3), one for all
items: an item's own few errors say too little. The spread is then calibrated for the two together: phi is multiplied by
exp(a + b log(1 + h)), fitted by the negative binomial's likelihood on the same errors, h buckets ahead. Where lumpy
demand has more empty buckets than a negative binomial of its variance, that likelihood explains them by too large a
phi, and phi of intermittent items is brought down to the variance of their errors; the chance of an empty bucket is put
back when paths are drawn (spread.py). What stays of an error over the horizon, level_start + level_step min(h, k), is
read from the products of scaled errors at two distances, as in spread.py.
"""

from dataclasses import dataclass, replace

import numpy as np

from datong.forecast.backtest import BackTest
from datong.forecast.pooled import LOG_PHI, Pooled, negative_log_likelihood
from datong.forecast.spread import CUT, USUAL_LEVEL_SHARE, USUAL_STEP_SHARE, line_above_zero
from datong.model.flow import BoolArray, FloatArray

POOLED_NAME = "pooled"
# The plain mean of the two counts as so many origins of evidence for the share.
PRIOR_ORIGINS = 1.0
# Where the first fit had no year before it, its errors do not show what the pooled model knows of the season by now:
# the share is at least the usual one, that of VN2 with a longer history.
USUAL_SHARE = 0.85
# The two together are not below this share of the pooled model's mean.
LEAST_MEAN_SHARE = 0.01
# Usual shares of level and step count as so many origins of evidence.
SHAPE_ORIGINS = 1.0


@dataclass(frozen=True, eq=False)
class Blend:
    """share: of the pooled model. mean, phi: (item, bucket ahead) of both together, holidays apart; NaN mean of items
    that have no series forecast. tested, errors: (item, origin, bucket ahead). level_share, step_share: of phi."""

    share: float
    mean: FloatArray
    phi: FloatArray
    tested: FloatArray
    errors: FloatArray
    level_share: float
    step_share: float


def blend(
    pooled: Pooled, own: FloatArray, own_tested: FloatArray, actual: FloatArray, intermittent: BoolArray
) -> Blend:
    """own: (item, bucket ahead) means of the series' models; own_tested: what they would have said at the pooled
    model's origins, NaN where they were not tried; actual: what came, (item, origin, bucket ahead), NaN where unknown.
    intermittent: (item) often without any demand."""
    share = _share(pooled, own_tested, actual)
    if pooled.learnt_season:
        share = max(share, USUAL_SHARE)
    both = share * pooled.tested + (1 - share) * np.where(np.isnan(own_tested), pooled.tested, own_tested)
    # A series without a sale yet is forecast as nothing by its own models; no demand is impossible.
    both = np.maximum(both, LEAST_MEAN_SHARE * pooled.tested)
    errors = np.where(np.isnan(own_tested), np.nan, actual - both)
    factor = _spread_factor(both, both + errors, pooled.tested_phi)
    tested_phi = pooled.tested_phi * factor
    lumpy = np.where(intermittent, _moment_ratio(errors, both, tested_phi, intermittent), 1.0)
    tested_phi *= lumpy[:, None, None]
    level_share, step_share = _level_shares(errors, both, tested_phi)
    mean = share * pooled.mean + (1 - share) * np.where(np.isnan(own), pooled.mean, own)
    return Blend(share, mean, pooled.phi * factor * lumpy[:, None], both, errors, level_share, step_share)


def mixed_test(test: BackTest, share: float, mean: FloatArray, tested: FloatArray, errors: FloatArray) -> BackTest:
    """The series' back-test with the pooled model as one more model. Arrays in the units of the test."""
    return replace(
        test,
        names=(*test.names, POOLED_NAME),
        weights=np.append((1 - share) * test.weights, share),
        mean=mean,
        means=tested,
        errors=errors,
    )


def _share(pooled: Pooled, own: FloatArray, actual: FloatArray) -> float:
    apart = pooled.tested - own
    use = ~np.isnan(apart) & ~np.isnan(actual)
    if not use.any():
        return 0.5
    p, s, y, phi = pooled.tested[use], own[use], actual[use], pooled.tested_phi[use]
    weight = 1 / (p + phi * p**2)
    below = float(np.sum(weight * (p - s) ** 2))
    above = float(np.sum(weight * (p - s) * (y - s)))
    prior = PRIOR_ORIGINS / len(pooled.origins) * below
    return float(np.clip((above + 0.5 * prior) / (below + prior), 0.0, 1.0)) if below > 0 else 0.5


def _spread_factor(mean: FloatArray, actual: FloatArray, phi: FloatArray) -> FloatArray:
    """(bucket ahead) factor on phi."""
    horizon = mean.shape[2]
    away = np.broadcast_to(np.log1p(np.arange(horizon)), mean.shape)
    use = ~np.isnan(actual)
    if not use.any():
        return np.ones(horizon)
    y, m, log_phi, h = actual[use], mean[use], np.log(phi[use]), away[use]

    def loss(p: FloatArray) -> float:
        return float(np.mean(negative_log_likelihood(y, m, np.exp(np.clip(log_phi + p[0] + p[1] * h, *LOG_PHI)))))

    from scipy.optimize import minimize  # half a second, and given demand needs none of it

    found = minimize(loss, np.zeros(2), method="Nelder-Mead", options={"maxiter": 80})
    return np.exp(np.clip(found.x[0] + found.x[1] * away[0, 0], -1.5, 1.5))


def _moment_ratio(errors: FloatArray, mean: FloatArray, phi: FloatArray, intermittent: BoolArray) -> float:
    """Variance beyond Poisson of the errors over the one that phi says, of intermittent items together; at most 1.

    An item's buckets count alike, so that those of a mean that came out low do not dominate.
    """
    use = ~np.isnan(errors) & intermittent[:, None, None]
    if not use.any():
        return 1.0
    usual = np.broadcast_to(mean.mean(axis=(1, 2), keepdims=True), mean.shape)[use]
    e, m, p = errors[use], mean[use], phi[use]
    weight = 1 / (usual + p * usual**2)
    return float(np.clip(np.sum(weight * (e**2 - m)) / np.sum(weight * p * m**2), 0.1, 1.0))


def _level_shares(errors: FloatArray, mean: FloatArray, phi: FloatArray) -> tuple[float, float]:
    """(level_share, step_share): of an item's phi, what stays over the horizon, and what each bucket adds to it."""
    horizon = errors.shape[2]
    spread = np.sqrt(mean + phi * mean**2)
    scaled = np.clip(errors / spread, -CUT, CUT)
    seen = ~np.isnan(scaled)
    scaled = np.where(seen, scaled, 0.0).reshape(-1, horizon)
    # The Poisson part of an error does not stay.
    part = np.where(seen, np.sqrt(phi) * mean / spread, 0.0).reshape(-1, horizon)
    products, most = scaled.T @ scaled, part.T @ part
    pair = (most > 0) & ~np.eye(horizon, dtype=bool)
    if not pair.any():
        return USUAL_LEVEL_SHARE, USUAL_STEP_SHARE
    nearer = np.minimum.outer(np.arange(horizon), np.arange(horizon)).astype(float)
    start, step = line_above_zero(nearer[pair], products[pair] / most[pair], most[pair])
    origins = errors.shape[1]
    weight = origins / (origins + SHAPE_ORIGINS)
    return (
        weight * min(start, 0.9) + (1 - weight) * USUAL_LEVEL_SHARE,
        weight * min(step, 0.2) + (1 - weight) * USUAL_STEP_SHARE,
    )
