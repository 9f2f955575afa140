"""How far demand strays from its forecast: sizes fitted to back-test errors, and paths drawn from them.

Model of one item's demand in bucket h ahead (a multiplicative local level, Snyder, Ord and Beaumont 2012, Int. J.
Forecasting 28, with a gamma-Poisson count on it):

    units_h ~ Poisson(mean_h * L_h * G_h),   L_h = exp(random walk), E L = E G = 1
    Var(units_h)/mean_h^2 = level_start + level_step * (h - 1) + noise + 1/mean_h      (small-variance form)
    Cov(units_h, units_k)/(mean_h mean_k) = level_start + level_step * (min(h, k) - 1)

so cumulative demand has the spread that the errors of back-tests show together over the horizon, not that of
independent buckets. Where the history is not whole, or steadier than Poisson, the Poisson step is left out.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincinv, ndtri

from datong.forecast.backtest import BackTest
from datong.model.flow import FloatArray

# An item's own relative variance counts as much as that of all items after this many back-test errors.
OWN_ERRORS_WEIGHT = 20.0
# Of all items' relative variances the typical one is above the median: few errors have rarely seen the worst.
TYPICAL_QUANTILE = 2 / 3
# Scaled errors beyond this many standard deviations are cut for the fit of what is shared.
CUT = 4.0
# Bigger items are steadier; how much so is fitted where there are so many items, and taken for levels no farther than
# this from the usual one, in logs.
FEWEST_FOR_SLOPE, MOST_LEVELS = 10, 4.0
MOST_FOR_SLOPE = 500
# Variance falls with the level at most as fast as that of a sum of independent buyers.
STEEPEST_SLOPE = -1.0
# Where buckets are often empty, the demand of the others keeps at least this variance over mean squared.
LEAST_SIZE_NOISE = 0.05
# From this mean on, a Poisson quantile is told by its expansion around the normal one.
NEARLY_NORMAL = 4.0
# Below that mean, counts beyond this have a chance that numbers do not tell from 0.
MOST_SUMMED = 40
# Beyond so many standard deviations lies one draw in a thousand million.
MOST_SDS = 6.0
# Below this mean the draws of a bucket are not scaled to its mean: the quotient would have no number.
LEAST_AVERAGE = 1e-200
# Usual level and step shares (over weekly series of SupplyGraph, M5, VN2 and Online Retail), and how many buckets of
# back-test they count as: buckets, not items, since items of one chain move together.
USUAL_LEVEL_SHARE, USUAL_STEP_SHARE, USUAL_WEIGHT = 0.25, 0.04, 10.0


@dataclass(frozen=True)
class Shape:
    """What items share. level_share: of the one-bucket variance, the part that stays over the horizon;
    step_share: what each further bucket adds to it. typical: relative variance beyond Poisson of a usual item of
    usual_level units a bucket; typical_slope: power of the level with which it goes."""

    level_share: float
    step_share: float
    typical: float
    typical_slope: float = 0.0
    usual_level: float = 1.0

    def typical_at(self, level: float) -> float:
        """typical of an item with so many units a bucket: typical * (level / usual_level) ** typical_slope."""
        if not (level > 0 and self.usual_level > 0):
            return self.typical
        away = np.clip(np.log(level / self.usual_level), -MOST_LEVELS, MOST_LEVELS)
        return self.typical * float(np.exp(self.typical_slope * away))


@dataclass(frozen=True)
class Spread:
    """Variances over mean squared of one item: see the module's equations. level_start: of the level at first,
    level_step: what each bucket adds to it. noise: of every bucket, or (bucket). whole: draws are whole numbers.

    occurrence: chance that G is not 0 (a bucket with buyers at all); 1 for a regular item.
    """

    level_start: float
    level_step: float
    noise: float | FloatArray
    whole: bool
    occurrence: float = 1.0


def relative_variance(test: BackTest, whole: bool) -> tuple[float, int]:
    """Variance of the back-test errors over mean squared, less the Poisson part, and the number of errors.

    Ratio of sums, so that windows of a low mean do not dominate. An item without errors gives (nan, 0).
    """
    seen = ~np.isnan(test.errors)
    squares = float(np.sum(test.means[seen] ** 2))
    count = int(seen.any(axis=0).sum()) + int(seen.any(axis=1).sum()) - 1 if seen.any() else 0
    if squares <= 0:
        return float("nan"), 0
    poisson = float(np.sum(test.means[seen])) / squares if whole else 0.0
    return float(np.sum(test.errors[seen] ** 2)) / squares - poisson, count


def _median_slope(x: FloatArray, y: FloatArray) -> float:
    """Median of the slopes of all pairs of points; scipy.stats has it, too, and takes a second to import."""
    across, up = x[:, None] - x, y[:, None] - y
    return float(np.median(up[across > 0] / across[across > 0]))


def _typical_slope(tests: Sequence[BackTest], variances: Sequence[float]) -> tuple[float, float]:
    """Slope of log relative variance over log level across items (Theil 1950, Sen 1968: the median of pairwise slopes),
    between STEEPEST_SLOPE and 0, and the median level.

    Of many items, MOST_FOR_SLOPE spread evenly over the levels stand for all: pairs grow with the square.
    """
    level = np.array([float(np.mean(t.mean)) for t in tests])
    variance = np.array(variances, dtype=np.float64)
    use = np.isfinite(variance) & (variance > 0) & (level > 0)
    if use.sum() < FEWEST_FOR_SLOPE:
        return 0.0, 1.0
    by_level = np.flatnonzero(use)[np.argsort(level[use], kind="stable")]
    chosen = by_level[np.unique(np.linspace(0, len(by_level) - 1, MOST_FOR_SLOPE).round().astype(np.int64))]
    slope = _median_slope(np.log(level[chosen]), np.log(variance[chosen]))
    return float(np.clip(slope, STEEPEST_SLOPE, 0.0)), float(np.exp(np.median(np.log(level[use]))))


def fit_shape(tests: Sequence[BackTest], variances: Sequence[float]) -> Shape:
    """The shared part, from products of scaled errors of the same window at two distances.

    With s = error / (mean * sd of the item), the mean of s_h s_k over items and windows estimates
    level_share + step_share * (min(h, k) - 1) for h != k; both are fitted by least squares, not below 0, and drawn to
    the usual ones by how few buckets were tested.
    """
    usable = [v for v in variances if np.isfinite(v) and v > 0]
    typical = float(np.quantile(usable, TYPICAL_QUANTILE)) if usable else 0.25
    slope, usual = _typical_slope(tests, variances)
    reach = max((t.errors.shape[1] for t in tests), default=0)
    products, counts = np.zeros((reach, reach)), np.zeros((reach, reach))
    for test, variance in zip(tests, variances, strict=True):
        if not (np.isfinite(variance) and variance > 0 and len(test.errors)):
            continue
        scale = float(np.nanmean(np.where(np.isnan(test.errors), np.nan, test.means))) * np.sqrt(variance)
        scaled = np.clip(test.errors / max(scale, 1e-12), -CUT, CUT)
        seen = (~np.isnan(scaled)).astype(float)
        scaled = np.nan_to_num(scaled)
        products += scaled.T @ scaled
        counts += seen.T @ seen
    nearer = np.minimum.outer(np.arange(reach), np.arange(reach)).astype(float)
    pair = (counts > 0) & ~np.eye(reach, dtype=bool)
    if not pair.any():
        return Shape(USUAL_LEVEL_SHARE, USUAL_STEP_SHARE, typical, slope, usual)
    mean = products[pair] / counts[pair]
    weight = counts[pair]
    start, step = line_above_zero(nearer[pair], mean, weight)
    tested = max(t.tested_buckets for t in tests)
    share = tested / (tested + USUAL_WEIGHT)
    return Shape(
        share * min(start, 0.9) + (1 - share) * USUAL_LEVEL_SHARE,
        share * min(step, 0.2) + (1 - share) * USUAL_STEP_SHARE,
        typical,
        slope,
        usual,
    )


def line_above_zero(x: FloatArray, y: FloatArray, weight: FloatArray) -> tuple[float, float]:
    """Weighted least squares y = a + b x with a, b >= 0."""
    x_mean, y_mean = float(np.average(x, weights=weight)), float(np.average(y, weights=weight))
    spread = float(np.average((x - x_mean) ** 2, weights=weight))
    slope = float(np.average((x - x_mean) * (y - y_mean), weights=weight)) / spread if spread > 0 else 0.0
    if slope < 0:
        return max(y_mean, 0.0), 0.0
    start = y_mean - slope * x_mean
    if start < 0 and x.any():
        return 0.0, max(float(np.sum(weight * x * y) / np.sum(weight * x * x)), 0.0)
    return max(start, 0.0), slope


def fit_spread(
    variance: float, count: int, whole: bool, shape: Shape, mean: float = 1.0, sold_share: float = 1.0
) -> Spread:
    """One item's spread: its own variance, drawn to the typical one in logs by how few errors it has.

    mean: units per bucket ahead; sold_share: of its past buckets, those with any demand.
    """
    typical = shape.typical_at(mean)
    own = max(variance, 0.0) if count else typical
    floor = 0.02 * typical
    share = count / (count + OWN_ERRORS_WEIGHT)
    total = float(np.exp(share * np.log(max(own, floor)) + (1 - share) * np.log(typical)))
    level, step = shape.level_share * total, shape.step_share * total
    noise = max(total - level, 0.05 * total)
    return Spread(level, step, noise, whole, occurrence(noise, mean, sold_share, whole))


def occurrence(noise: float, mean: float, sold_share: float, whole: bool) -> float:
    """Chance p of G > 0 with which a bucket has demand as often as in the past.

    With chance p, G is gamma of mean 1/p and relative variance v = max(p (1 + noise) - 1, LEAST_SIZE_NOISE), else 0:
    its mean is 1 and its variance `noise`. A Poisson count on it is above 0 with chance p (1 - (1 + v mean/p)^(-1/v)).
    Solved for the past share by bisection; 1 where a plain gamma already is empty often enough.
    """
    if sold_share >= 1.0 or mean <= 0.0:
        return 1.0
    if not whole:
        return sold_share

    def sold(p: float) -> float:
        size = max(p * (1 + noise) - 1, LEAST_SIZE_NOISE)
        return p * (1 - (1 + size * mean / p) ** (-1 / size))

    low, high = sold_share, 1.0
    if sold(high) <= sold_share:
        return 1.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if sold(middle) < sold_share else (low, middle)
    return (low + high) / 2


def draw_paths(
    rng: np.random.Generator, mean: FloatArray, spread: Spread, path_count: int, first_noise: float | None = None
) -> FloatArray:
    """(path, bucket) units. The mean over paths is the given one, up to the Poisson step; one path alone is the mean.

    The values of a bucket are spread evenly over its distribution, so that few paths tell its quantiles: level, noise
    and count are taken one from each of path_count equally likely parts (Latin hypercube sampling, McKay, Beckman and
    Conover 1979, Technometrics 21), noise evenly over neighbouring levels and counts over neighbouring intensities.
    Which paths are high together is told by the ranks of independent random walks (Iman and Conover 1982,
    Communications in Statistics B 11).

    mean: (bucket) units, finite. first_noise: noise of the first bucket where it differs, as when part of it is known.
    """
    buckets = len(mean)
    if not np.isfinite(mean).all():
        raise ValueError(f"mean must be finite, not {mean.tolist()}")
    if path_count == 1:
        return mean[None].astype(np.float64)
    variance = np.full(buckets, spread.level_step)
    variance[0] = spread.level_start
    step_sd = np.sqrt(np.log1p(variance))
    sd = np.sqrt(np.cumsum(step_sd**2))
    # From here on rows are not paths: every bucket's are in increasing order of its level; path says whose they are.
    path = np.cumsum(rng.standard_normal((path_count, buckets)) * step_sd, axis=1).argsort(axis=0)
    part = (np.arange(path_count)[:, None] + rng.random((path_count, 1))) / path_count
    noise = np.full(buckets, spread.noise)
    if first_noise is not None:
        noise[0] = first_noise
    at = (_evenly(rng, path_count, buckets) * path_count).astype(np.int64)
    intensity = np.exp(ndtri(part) * sd - 0.5 * sd**2) * np.take_along_axis(_noise(part, noise, spread), at, axis=0)
    average = intensity.mean(axis=0)
    told = average > LEAST_AVERAGE
    intensity = np.where(told, intensity * (mean / np.where(told, average, 1.0)), mean)
    if spread.whole:
        order = intensity.argsort(axis=0)
        path = np.take_along_axis(path, order, axis=0)
        intensity = np.take_along_axis(intensity, order, axis=0)
        intensity = poisson_quantile(_evenly(rng, path_count, buckets), intensity)
    paths = np.empty((path_count, buckets))
    np.put_along_axis(paths, path, intensity, axis=0)
    return paths


def _noise(share: FloatArray, noise: FloatArray, spread: Spread) -> FloatArray:
    """(share, bucket) quantiles of G, of mean 1 and the given variances, with or without empty buckets."""
    size = np.maximum(spread.occurrence * (1 + noise) - 1, LEAST_SIZE_NOISE if spread.occurrence < 1 else 1e-9)
    # A quantile of a gamma is slow, and mostly one does for all buckets.
    sizes, bucket = np.unique(size, return_inverse=True) if np.ptp(size) else (size[:1], np.zeros(len(size), np.int64))
    sold = np.maximum(share - (1 - spread.occurrence), 0.0) / spread.occurrence
    return (gammaincinv(1.0 / sizes, sold) * sizes / spread.occurrence)[:, bucket]


def _evenly(rng: np.random.Generator, rows: int, columns: int) -> FloatArray:
    """(row, column) uniform numbers, every run of about sqrt(rows) rows one from each part of 0 to 1."""
    run = math.isqrt(rows - 1) + 1
    shape = (-(-rows // run), run, columns)
    part = rng.random(shape).argsort(axis=1)
    return ((part + rng.random(shape)) / run).reshape(-1, columns)[:rows]


def poisson_quantile(share: FloatArray, mean: FloatArray) -> FloatArray:
    """Quantiles of Poisson counts, both arrays of one shape: by summing chances below a mean of NEARLY_NORMAL, from it
    on by the expansion of Giles (2016, ACM TOMS 42, algorithm 955), one off in about a hundredth of counts."""
    low = mean < NEARLY_NORMAL
    high = ~low
    count = np.empty(mean.shape)
    normal, rate = np.clip(ndtri(share[high]), -MOST_SDS, MOST_SDS), mean[high]
    root, square = np.sqrt(rate), normal**2
    expansion = rate + root * normal + (2 + square) / 6 - normal * (2 + square) / (72 * root)
    count[high] = np.floor(np.maximum(expansion, 0.0))
    left, rate = share[low], mean[low]
    chance, few = np.exp(-rate), np.zeros(len(rate))
    for k in range(1, MOST_SUMMED):
        left -= chance
        above = left > 0
        if not above.any():
            break
        few += above
        chance *= rate
        chance *= 1 / k
    count[low] = few
    return count
