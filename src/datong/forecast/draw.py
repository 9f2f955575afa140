"""Paths of demand, drawn item by item: what the item's fit and what all items share say of it.

Paths are drawn with the spread that the back-tests' errors show; seasons, holidays and what is known ahead are put
back. Items are drawn independently of one another: parts of a chain can be drawn apart.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from datong.forecast.across_items import Shared
from datong.forecast.fit import NEAR_HOLIDAY, SMALLEST_FACTOR, Fit, Seen
from datong.forecast.just_launched import course_paths
from datong.forecast.launch_prior import LevelPrior, blended_level
from datong.forecast.orders_in_hand import AheadShape, rest_mean, rest_variance
from datong.forecast.own_season import season_paths
from datong.forecast.pooled_beside_own import Blend
from datong.forecast.pooled_launches import STEP as LAUNCH_STEP
from datong.forecast.pooled_launches import Launches
from datong.forecast.spread import Shape, Spread, draw_paths, fit_spread, occurrence
from datong.model.flow import FloatArray, Item, Learnt, SeriesSet

# How often an intermittent item has demand is read from so many buckets.
RECENT_BUCKETS = 26
# Noise and drift of a product that is forecast from a prior: an exponential bucket about a drifting level.
PRIOR_NOISE, PRIOR_STEP = 1.0, 0.02


def draw(seen: Seen, shared: Shared, learnt: Learnt, items: Sequence[int], path_count: int, seed: int) -> FloatArray:
    """(item, path, bucket) paths of some items, by their numbers."""
    series = seen.series
    paths = np.zeros((len(items), path_count, len(series.horizon_starts)))
    for row, i in enumerate(items):
        if seen.is_given[i]:
            paths[row] = np.nan_to_num(series.given_units[i])
            continue
        rng = item_generator(seed, series.items[i])
        fit = shared.fits[i]
        drawn = _spread_out(_of_item(rng, seen, shared, learnt, i, path_count), learnt, fit.whole)
        if path_count == 1 and fit.whole:  # cumulative units rounded: no demand of a slow mover is lost
            drawn = np.diff(np.round(np.cumsum(drawn, axis=1)), axis=1, prepend=0.0)
        paths[row] = np.maximum(drawn, np.nan_to_num(series.known_ahead_units[i]))
    return paths


def _of_item(
    rng: np.random.Generator, seen: Seen, shared: Shared, learnt: Learnt, i: int, path_count: int
) -> FloatArray:
    """(path, bucket) of an item whose demand is not given, before what was learnt of its spread."""
    series, fit = seen.series, shared.fits[i]
    ratio = learnt.forecast_ratio.get(series.items[i], 1.0)
    if fit.course is not None and not fit.is_by_level:
        return season_paths(rng, fit.course, ratio, fit.whole, np.zeros((path_count, 1)))
    season, holiday = seen.season[1][i], seen.holiday[1][i]
    factor = season * ratio
    whole_factor = factor * holiday
    if fit.test is not None:
        spread = _spread(series, i, fit, shared.shapes[fit.intermittent], shared.both, whole_factor)
        known = float(series.known_ahead_units[i, 0])
        paths = _paths(rng, fit, spread, shared.ahead, known, factor, holiday, path_count)
        return paths if fit.course is None else season_paths(rng, fit.course, ratio, fit.whole, paths)
    if i in shared.begun:
        return course_paths(rng, shared.begun[i], whole_factor, fit.whole, path_count)
    prior, units = shared.priors[series.category[i]], series.units[i, fit.start :]
    level, spread = _level_and_spread(shared.launched, i, fit.whole, units, prior, season)
    if len(units):
        return draw_paths(rng, level * whole_factor, spread, path_count)
    begins = _begins(series, i, seen.launch_chance)
    return _unsold_paths(rng, level, whole_factor, spread, begins, path_count)


def item_generator(seed: int, item: Item) -> np.random.Generator:
    """The item's own random numbers: they do not depend on which other items there are."""
    digest = hashlib.sha256(f"{item.product}\x1f{item.market}".encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "little")])


def _spread(series: SeriesSet, i: int, fit: Fit, shape: Shape, both: Blend | None, factor: FloatArray) -> Spread:
    """factor: (bucket ahead) of season, holidays and what was learnt."""
    assert fit.test is not None
    mean = float((fit.test.mean * factor).mean())
    sold_share = _sold_share(series.units[i, fit.start :]) if fit.intermittent else 1.0
    if both is None or fit.phi is None:
        return fit_spread(fit.variance, fit.errors, fit.whole, shape, mean, sold_share)
    usual = float(fit.phi.mean())
    level, step = both.level_share * usual, both.step_share * usual
    noise = np.maximum(fit.phi - level - step * np.arange(len(fit.phi)), 0.05 * fit.phi)
    return Spread(level, step, noise, fit.whole, occurrence(float(noise.mean()), mean, sold_share, fit.whole))


def _paths(
    rng: np.random.Generator,
    fit: Fit,
    spread: Spread,
    ahead: AheadShape,
    known: float,
    factor: FloatArray,
    holiday: FloatArray,
    path_count: int,
) -> FloatArray:
    """(path, bucket) of an item with a back-test. known: units of the first bucket that are ordered already."""
    assert fit.test is not None
    mean = fit.test.mean * factor * holiday
    if fit.ahead is None:
        return draw_paths(rng, mean, spread, path_count)
    whole_mean = float(mean[0])
    mean = mean.copy()
    usual_mean = float(fit.test.mean[0] * factor[0])
    mean[0] = rest_mean(known, usual_mean, fit.ahead.known_share, ahead.slope, float(holiday[0]))
    variance = spread.level_start + float(np.ravel(spread.noise)[0])
    if abs(holiday[0] - 1) < NEAR_HOLIDAY:
        # Near a holiday the early orders tell less of the rest: it stays as uncertain as the whole bucket.
        variance = rest_variance(fit.ahead, ahead, variance)
    relative = variance * (whole_mean / mean[0]) ** 2 if mean[0] > 0 else 1.0
    drawn = draw_paths(rng, mean, spread, path_count, max(relative - spread.level_start, 0.05 * relative))
    drawn[:, 0] += known
    return drawn


def _sold_share(units: FloatArray) -> float:
    """Share of the last known buckets that had demand, with one bucket of each kind added."""
    known = units[~np.isnan(units)][-RECENT_BUCKETS:]
    return (float(np.count_nonzero(known)) + 1) / (len(known) + 2)


def _level_and_spread(
    launched: Launches | None, i: int, whole: bool, units: FloatArray, prior: LevelPrior, season: FloatArray
) -> tuple[FloatArray, Spread]:
    """(bucket ahead) level of an item with little or no history, season and holidays apart, and how unsure it is."""
    mean, variance = blended_level(units, prior)
    level = np.full(len(season), mean)
    if launched is None or not launched.has(i):
        return level, Spread(variance, PRIOR_STEP, PRIOR_NOISE, whole)
    trust = launched.trust(i)
    variance = float(np.expm1(trust.widened(np.log1p(variance))))
    season = np.maximum(season, SMALLEST_FACTOR)
    return launched.level(i, level * season) / season, Spread(variance, LAUNCH_STEP, trust.noise, whole)


def _begins(series: SeriesSet, i: int, chance: float) -> FloatArray:
    """(bucket ahead) chance that an item without a closed bucket begins to sell then: its first order or its launch if
    they are known, else each bucket's chance after those before."""
    buckets = np.arange(len(series.horizon_starts))
    ordered = np.flatnonzero(series.known_ahead_units[i] > 0)
    said = [int(b) for b in (*ordered[:1], series.launch_ahead[i]) if b >= 0]
    if said:
        return (buckets == min(said)).astype(np.float64)
    return np.asarray(chance * (1 - chance) ** buckets, dtype=np.float64)


def _unsold_paths(
    rng: np.random.Generator,
    level: FloatArray,
    factor: FloatArray,
    spread: Spread,
    begins: FloatArray,
    path_count: int,
) -> FloatArray:
    """(path, bucket) of an item that has not sold yet. level: (bucket) from its start on; factor: (bucket) of season
    and holidays; begins: (bucket) chance that it starts then."""
    if path_count == 1:
        return draw_paths(rng, np.convolve(begins, level)[: len(level)] * factor, spread, path_count)
    intensity = draw_paths(rng, level, replace(spread, whole=False), path_count)
    waiting = np.searchsorted(np.cumsum(begins), rng.random(path_count), side="right")
    since = np.arange(len(level)) - waiting[:, None]
    intensity = np.where(since >= 0, np.take_along_axis(intensity, np.maximum(since, 0), axis=1), 0.0) * factor
    return rng.poisson(intensity).astype(np.float64) if spread.whole else intensity


def _spread_out(paths: FloatArray, learnt: Learnt, whole: bool) -> FloatArray:
    """The paths with their distance from the mean of each bucket times what was learnt, not below 0."""
    if not learnt.spread_ratio or len(paths) == 1:
        return paths
    ratio = np.array([learnt.spread_ratio.get(h, 1.0) for h in range(paths.shape[1])])
    mean = paths.mean(axis=0)
    moved = np.maximum(mean + ratio * (paths - mean), 0.0)
    return np.where(ratio == 1.0, paths, np.round(moved) if whole else moved)
