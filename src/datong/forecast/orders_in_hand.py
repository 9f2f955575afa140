"""Advance demand information: orders already taken and due in the first open bucket.

For past buckets t of an item let K_t be what was known when the bucket opened, D_t its demand and F_t the forecast
of it made before. With the usual known share k = sum K / sum D,

    E[D - K | K] = F * max(0, (1 - k) + slope * (K / F - k))

(imperfect advance demand information: Tan, Gullu and Erkip 2007, EJOR 177). slope is shared by all items: 0 where
early orders tell nothing of the rest, (1 - k)/k where they scale with it, negative where buyers only order earlier.
It is a least-squares estimate drawn to 0 by `SLOPE_EVIDENCE` observations. The variance of what is left comes from
the errors of this very forecast.

A holiday that lowers the bucket's demand to the share f < 1 of F takes (1 - f) F away, from the early orders or from
the rest. Where K falls short of k F, that much of the loss is taken to have happened already; all else comes off the
rest. So a feast late in the bucket, with its early orders as usual, leaves little to come.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from datong.model.flow import FloatArray

SLOPE_EVIDENCE = 20.0
# Ratios to the forecast beyond this are cut, so that one odd bucket does not decide the slope.
CUT = 3.0
# An item's own variance of the rest counts as much as the shared one after this many buckets.
OWN_BUCKETS_WEIGHT = 10.0


@dataclass(frozen=True, eq=False)
class AheadHistory:
    """Past buckets of one item, all known: what was known ahead, its demand, and the forecast made before. (bucket)"""

    known: FloatArray
    demand: FloatArray
    forecast: FloatArray

    @property
    def known_share(self) -> float:
        total = float(self.demand.sum())
        return min(float(self.known.sum()) / total, 1.0) if total > 0 else 0.0


@dataclass(frozen=True)
class AheadShape:
    """What items share. slope: units more that are still to come for each unit known ahead beyond the usual.
    variance_ratio: variance of what is left over the variance of the whole bucket."""

    slope: float
    variance_ratio: float


def fit_ahead(histories: Sequence[AheadHistory]) -> AheadShape:
    """Slope and variance ratio over all items with something known ahead."""
    above, below = 0.0, 0.0
    rows = [_deviations(h) for h in histories]
    for known, rest in rows:
        above += float(np.sum(known * rest))
        below += float(np.sum(known * known))
    count = sum(len(known) for known, _ in rows)
    slope = above / (below * (1 + SLOPE_EVIDENCE / count)) if below > 0 else 0.0
    slope = max(slope, -1.0)
    ratios = [v for h in histories if np.isfinite(v := _variance_ratio(h, slope))]
    return AheadShape(slope, float(np.clip(np.median(ratios), 0.05, 1.0)) if ratios else 1.0)


def rest_mean(known: float, forecast: float, known_share: float, slope: float, holiday_share: float = 1.0) -> float:
    """Expected units still to come in the bucket: the module's equations. forecast: F, without any holiday.

    Units 40 known, F 100, k 0.3, slope 0.5: 100 x (0.7 + 0.5 x (0.4 - 0.3)) = 75. With a holiday that leaves
    f = 0.6: the early orders are not short, so 75 - 40 = 35.
    """
    if forecast <= 0:
        return 0.0
    if holiday_share > 1:
        forecast, holiday_share = forecast * holiday_share, 1.0
    loss = (1 - holiday_share) * forecast
    loss_before = min(max(known_share * forecast - known, 0.0), loss)
    usual_known = min((known + loss_before) / forecast, CUT)
    rest = forecast * max(0.0, (1 - known_share) + slope * (usual_known - known_share))
    return max(rest - (loss - loss_before), 0.0)


def rest_variance(history: AheadHistory, shape: AheadShape, whole_variance: float) -> float:
    """Variance of the rest over the squared bucket forecast: own ratio drawn to the shared one, times the bucket's."""
    own, count = _variance_ratio(history, shape.slope), len(history.forecast)
    if not np.isfinite(own):
        own, count = shape.variance_ratio, 0
    share = count / (count + OWN_BUCKETS_WEIGHT)
    return float(np.clip(share * own + (1 - share) * shape.variance_ratio, 0.02, 1.0)) * whole_variance


def _deviations(history: AheadHistory) -> tuple[FloatArray, FloatArray]:
    """Deviation from usual of (known, rest) over the forecast, in the buckets with a forecast above 0."""
    use = history.forecast > 0
    known = np.minimum(history.known[use] / history.forecast[use], CUT)
    rest = np.minimum((history.demand - history.known)[use] / history.forecast[use], CUT)
    return known - history.known_share, rest - (1 - history.known_share)


def _variance_ratio(history: AheadHistory, slope: float) -> float:
    """Squared errors of the rest's forecast over those of the bucket's; nan where there is nothing to compare."""
    whole = float(np.sum((history.demand - history.forecast) ** 2))
    if len(history.forecast) < 2 or whole <= 0:
        return float("nan")
    share = history.known_share
    means = [rest_mean(k, f, share, slope) for k, f in zip(history.known, history.forecast, strict=True)]
    return float(np.sum((history.demand - history.known - np.array(means)) ** 2)) / whole
