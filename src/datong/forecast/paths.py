"""The second verb: series into possible futures.

Holiday effects are taken out, every series is forecast by a weighted mix of models that a back-test chose, paths are
drawn with the spread that the back-tests' errors show, and holidays and what is known ahead are put back. Items are
drawn independently of one another. In a chain with enough items one more model, of all items together, joins the mix
(pooled.py, blend.py), and one of launches moves the prior of those with hardly any history (launch.py).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from datong.forecast.adjusted import adjusted, by_item
from datong.forecast.ahead import AheadHistory, AheadShape, fit_ahead, rest_mean, rest_variance
from datong.forecast.backtest import SHORTEST_TRAINING, BackTest, back_test
from datong.forecast.blend import POOLED_NAME, Blend, blend, mixed_test
from datong.forecast.fill import first_known
from datong.forecast.holidays import holiday_factors
from datong.forecast.launch import STEP as LAUNCH_STEP
from datong.forecast.launch import Launches, launch_forecast
from datong.forecast.models import is_intermittent
from datong.forecast.odd_weeks import without_odd_weeks
from datong.forecast.pooled import Pooled, has_enough, is_installed, pooled_forecast
from datong.forecast.prior import (
    FEWEST_KNOWN,
    LAUNCH_BUCKETS,
    LevelPrior,
    blended_level,
    launch_chance,
    level_prior,
    look_alike_levels,
)
from datong.forecast.season import season_factors
from datong.forecast.spread import Shape, Spread, draw_paths, fit_shape, fit_spread, occurrence, relative_variance
from datong.model.errors import Refused
from datong.model.flow import BoolArray, FloatArray, Forecast, Item, Learnt, Sensed, SeriesSet
from datong.model.words import message

# Regular and intermittent items share their spread among themselves where there are at least so many.
FEWEST_OF_A_KIND = 5
# How often an intermittent item has demand is read from so many buckets.
RECENT_BUCKETS = 26
# A bucket with a smaller factor is not used for the level; one this near to no holiday shows the usual early orders.
SMALLEST_FACTOR, NEAR_HOLIDAY = 0.05, 0.1
# A series is tried at the pooled model's origins where it has so many of them, else at its own.
FEWEST_SHARED_ORIGINS = 3
# Models with at least this weight are named as an item's method.
NAMED_WEIGHT = 0.25
# Noise and drift of a product that is forecast from a prior: an exponential bucket about a drifting level.
PRIOR_NOISE, PRIOR_STEP = 1.0, 0.02


@dataclass(frozen=True, eq=False)
class _Fit:
    """What was fitted to one item. start: its first bucket in use. test is None for given and prior items. phi: (bucket
    ahead) relative variance beyond Poisson where the pooled model says it."""

    method: str
    start: int
    whole: bool
    intermittent: bool
    test: BackTest | None
    variance: float
    errors: int
    ahead: AheadHistory | None
    ahead_known: FloatArray | None = None
    phi: FloatArray | None = None


# Given demand stays as it is: nothing is fitted.
_GIVEN = _Fit("given", 0, False, False, None, float("nan"), 0, None)


# Whether one model of all items joins the mix: where it can, never, or always, and if it cannot, say so.
Pooling = Literal["auto", "never", "always"]


def forecast(sensed: Sensed, learnt: Learnt, path_count: int, seed: int, pooling: Pooling = "auto") -> Forecast:
    """Paths of demand over the open buckets of every item.

    What cycles before taught is applied: `learnt.forecast_ratio` to an item's mean, `learnt.spread_ratio` to the
    distance of its paths from their mean; then `sensed.adjustments` (adjusted.py). Given demand stays as given; where
    all of it is given, one path tells it.
    One path alone is the mean, in whole units where the history is whole, or the orders that are known where they are
    more. Same inputs and seed, same bytes; an item's random numbers depend only on the seed and on itself.

    pooling: "auto" uses the pooled model where LightGBM is installed (pip install 'datong[ml]') and the chain is large
    enough for it.
    """
    series = replace(sensed.series, units=without_odd_weeks(sensed))
    closed_season, open_season = season_factors(series, series.units)
    closed_holiday, open_holiday = holiday_factors(series, series.units / closed_season)
    is_given = np.asarray(~np.isnan(series.given_units).all(axis=1))
    firsts = [first_known(units) for units in series.units]
    opening = min(firsts, default=0)
    waited = [first - opening for first in firsts]
    whole = _whole_items(series.units)
    shared = _pooled(series, closed_holiday, whole, pooling)
    fits = [
        _GIVEN
        if is_given[i]
        else _fit(series, i, bool(whole[i]), waited[i], closed_season[i], closed_holiday[i], shared)
        for i in range(len(series.items))
    ]
    shapes = _shapes(fits)
    both, launched = None, None
    if shared is not None:
        both = _blended(series, fits, shared, open_season, closed_holiday)
        fits = [_mixed(series, i, fit, shared, both, open_season[i], closed_holiday[i]) for i, fit in enumerate(fits)]
        launched = _launched(series, fits, shared, closed_holiday, whole)
        if launched is not None:
            fits = [_named(fit, launched, i) for i, fit in enumerate(fits)]
    ahead = fit_ahead([f.ahead for f in fits if f.ahead is not None])
    priors = _priors(series, fits, waited)
    came = [w > 0 and f < len(series.bucket_starts) for w, f in zip(waited, firsts, strict=True)]
    chance = launch_chance(waited, sum(came))
    if len(is_given) and is_given.all():
        path_count = 1
    paths = np.zeros((len(series.items), path_count, len(series.horizon_starts)))
    paths[is_given] = np.nan_to_num(series.given_units[is_given])[:, None, :]
    said, unadjusted = by_item(sensed.adjustments), {}
    for i, (item, fit) in enumerate(zip(series.items, fits, strict=True)):
        if fit.method == "given":
            continue
        factor = open_season[i] * learnt.forecast_ratio.get(item, 1.0)
        rng = item_generator(seed, item)
        if fit.test is None:
            prior, known = priors[series.category[i]], series.units[i, fit.start :]
            level, spread = _level_and_spread(launched, i, fit.whole, known, prior, open_season[i])
            whole_factor = factor * open_holiday[i]
            if len(known):
                drawn = draw_paths(rng, level * whole_factor, spread, path_count)
            else:
                begins = _begins(series, i, chance)
                drawn = _unsold_paths(rng, level, whole_factor, spread, begins, path_count)
        else:
            spread = _spread(series, i, fit, shapes[fit.intermittent], both, factor * open_holiday[i])
            drawn = _paths(rng, series, i, fit, spread, ahead, factor, open_holiday[i], path_count)
        drawn = _spread_out(drawn, learnt, fit.whole)
        if item in said:
            unadjusted[item] = np.maximum(drawn, np.nan_to_num(series.known_ahead_units[i])).mean(axis=0)
            drawn = adjusted(drawn, said[item], series.horizon_starts, seed, fit.whole)
        if path_count == 1 and fit.whole:  # cumulative units rounded: no demand of a slow mover is lost
            drawn = np.diff(np.round(np.cumsum(drawn, axis=1)), axis=1, prepend=0.0)
        paths[i] = np.maximum(drawn, np.nan_to_num(series.known_ahead_units[i]))
    return Forecast(
        items=series.items,
        bucket_starts=series.horizon_starts,
        paths=paths,
        method=tuple(f.method for f in fits),
        backtest_windows=np.array([0 if f.test is None else len(f.test.errors) for f in fits], dtype=np.int64),
        prior=np.array([f.test is None and f.method != "given" for f in fits], dtype=bool),
        unadjusted=unadjusted,
    )


def item_generator(seed: int, item: Item) -> np.random.Generator:
    """The item's own random numbers: they do not depend on which other items there are."""
    digest = hashlib.sha256(f"{item.product}\x1f{item.market}".encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "little")])


def is_whole(units: FloatArray) -> bool:
    """Whether all known units are whole numbers."""
    known = units[~np.isnan(units)]
    return bool(np.all(known == np.round(known)))


def _whole_items(units: FloatArray) -> BoolArray:
    """(item) whether it is counted in whole units; an item without a known bucket is what most others are."""
    is_known = ~np.isnan(units).all(axis=1)
    whole = np.array([is_whole(row) for row in units], dtype=bool)
    return np.where(is_known, whole, whole[is_known].mean() > 0.5 if is_known.any() else True)


@dataclass(frozen=True, eq=False)
class _Shared:
    """The pooled model's forecast. season: (item, closed, then open bucket) factors as they were known when its first
    fit ended, so that the models of single series are tried without having seen what followed either."""

    pooled: Pooled
    season: FloatArray


def _pooled(series: SeriesSet, holiday: FloatArray, whole: BoolArray, pooling: Pooling) -> _Shared | None:
    """holiday: (item, closed bucket) factors. whole: (item). None where the pooled model is not used."""
    closed = series.units.shape[1]
    if pooling == "always" and not is_installed():
        raise Refused(message("forecast.pooled.absent"))
    bucket_days = (series.bucket_starts[1] - series.bucket_starts[0]).days if closed > 1 else 0
    # LightGBM takes a second to import: it is looked for last.
    if pooling == "never" or not has_enough(series.units, bucket_days) or not is_installed():
        return None
    plain = series.units / holiday
    pooled = pooled_forecast(series, plain, whole)
    if pooled is None:
        return None
    cut = int(pooled.origins[0])
    then = replace(
        series,
        bucket_starts=series.bucket_starts[:cut],
        horizon_starts=(*series.bucket_starts, *series.horizon_starts)[cut:],
    )
    return _Shared(pooled, np.hstack(season_factors(then, plain[:, :cut])))


def _fit(
    series: SeriesSet,
    i: int,
    whole: bool,
    waited: int,
    season: FloatArray,
    holiday: FloatArray,
    shared: _Shared | None,
) -> _Fit:
    """waited: buckets from the chain's first known one to the item's."""
    start = first_known(series.units[i])
    units = series.units[i, start:]
    intermittent = is_intermittent(units)
    if waited > 0 and intermittent and np.sum(~np.isnan(units)) > FEWEST_KNOWN and np.nansum(units[1:]) > 0:
        # The series starts with a sale by definition; as an observation of a rare demand that bucket would mislead.
        start += 1 + first_known(units[1:])
        units = series.units[i, start:]
    if np.sum(~np.isnan(units)) < FEWEST_KNOWN or not np.nansum(units) > 0:
        return _Fit("prior", start, whole, intermittent, None, float("nan"), 0, None)
    factor = season[start:] * holiday[start:]
    # Divided by almost nothing, a bucket tells nothing of the level.
    steady = np.where(factor > SMALLEST_FACTOR, units / factor, np.nan)
    starts, then = None, None
    if shared is not None:
        at = [int(t) - start for t in shared.pooled.origins if t - start >= SHORTEST_TRAINING]
        if len(at) >= FEWEST_SHARED_ORIGINS:
            before = shared.season[i, start : len(series.bucket_starts)] * holiday[start:]
            starts, then = tuple(at), np.where(before > SMALLEST_FACTOR, units / before, np.nan)
    test = back_test(steady, len(series.horizon_starts), starts, then)
    variance, errors = relative_variance(test, whole)
    known = np.where(
        (factor > SMALLEST_FACTOR) & (np.abs(holiday[start:] - 1) < NEAR_HOLIDAY),
        series.known_ahead_history[i, start:, 0] / factor,
        np.nan,
    )
    ahead = _ahead_history(test, known)
    return _Fit(_name(test), start, whole, intermittent, test, variance, errors, ahead, known)


def _blended(
    series: SeriesSet, fits: Sequence[_Fit], shared: _Shared, open_season: FloatArray, holiday: FloatArray
) -> Blend:
    """The pooled model and the series' own ones, weighed at the origins where both were tried."""
    closed, horizon = holiday.shape[1], open_season.shape[1]
    origins = shared.pooled.origins
    own = np.full(open_season.shape, np.nan)
    own_tested, actual = (np.full((len(fits), len(origins), horizon), np.nan) for _ in range(2))
    plain = np.pad(series.units / holiday, ((0, 0), (0, horizon)), constant_values=np.nan)
    for w, t in enumerate(origins):
        actual[:, w] = plain[:, t : t + horizon]
    for i, fit in enumerate(fits):
        if fit.test is None:
            continue
        own[i] = fit.test.mean * open_season[i]
        for w, t in _shared_windows(fit, shared, closed):
            reach = fit.test.means.shape[1]
            row = list(fit.test.starts).index(t - fit.start)
            own_tested[i, w, :reach] = fit.test.means[row] * shared.season[i, t : t + reach]
    return blend(shared.pooled, own, own_tested, actual, np.array([f.intermittent for f in fits], dtype=bool))


def _shared_windows(fit: _Fit, shared: _Shared, closed: int) -> list[tuple[int, int]]:
    """(number, bucket) of the pooled model's origins at which the series was tried."""
    assert fit.test is not None
    at = [(w, int(t)) for w, t in enumerate(shared.pooled.origins) if int(t) - fit.start in fit.test.starts]
    return at if len(at) == len(fit.test.starts) else []


def _mixed(
    series: SeriesSet, i: int, fit: _Fit, shared: _Shared, both: Blend, season: FloatArray, holiday: FloatArray
) -> _Fit:
    """The fit with the pooled model in its mix; given and prior items stay as they are."""
    if fit.test is None:
        return fit
    windows = _shared_windows(fit, shared, len(series.bucket_starts))
    tested, errors = fit.test.means, fit.test.errors
    if windows:
        horizon = len(series.horizon_starts)
        then = np.stack([shared.season[i, t : t + horizon] for _, t in windows])
        at = [w for w, _ in windows]
        tested, errors = both.tested[i, at] / then, both.errors[i, at] / then
    test = mixed_test(fit.test, both.share, both.mean[i] / season, tested, errors)
    ahead = None if fit.ahead_known is None else _ahead_history(test, fit.ahead_known)
    return replace(fit, method=_name(test), test=test, ahead=ahead, phi=both.phi[i])


def _spread(series: SeriesSet, i: int, fit: _Fit, shape: Shape, both: Blend | None, factor: FloatArray) -> Spread:
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


def _shapes(fits: Sequence[_Fit]) -> dict[bool, Shape]:
    """What intermittent and regular items share, each kind by itself where it has enough items."""
    tested = [(f.intermittent, f.test, f.variance) for f in fits if f.test is not None]
    result = {}
    for kind in (False, True):
        own = [t for t in tested if t[0] == kind]
        use = own if len(own) >= FEWEST_OF_A_KIND else tested
        result[kind] = fit_shape([test for _, test, _ in use], [variance for _, _, variance in use])
    return result


def _name(test: BackTest) -> str:
    order = sorted(range(len(test.names)), key=lambda m: (-test.weights[m], test.names[m]))
    named = [test.names[m] for m in order if test.weights[m] >= NAMED_WEIGHT]
    return "+".join(named or [test.names[order[0]]])


def _ahead_history(test: BackTest, known: FloatArray) -> AheadHistory | None:
    """What was known ahead beside the one-bucket forecasts of the back-test; None where nothing ever was."""
    at = np.array(test.starts, dtype=np.int64)
    if not len(at):
        return None
    demand = test.errors[:, 0] + test.means[:, 0]
    use = ~np.isnan(demand) & ~np.isnan(known[at])
    if not use.any() or not known[at][use].any():
        return None
    return AheadHistory(known[at][use], demand[use], test.means[use, 0])


def _paths(
    rng: np.random.Generator,
    series: SeriesSet,
    i: int,
    fit: _Fit,
    spread: Spread,
    ahead: AheadShape,
    factor: FloatArray,
    holiday: FloatArray,
    path_count: int,
) -> FloatArray:
    """(path, bucket) of an item with a back-test."""
    assert fit.test is not None
    mean = fit.test.mean * factor * holiday
    if fit.ahead is None:
        return draw_paths(rng, mean, spread, path_count)
    known, whole_mean = float(series.known_ahead_units[i, 0]), float(mean[0])
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


def _priors(series: SeriesSet, fits: Sequence[_Fit], waited: Sequence[int]) -> dict[str, LevelPrior]:
    """Level of a product without history, by category; one that came after the chain's first bucket was launched."""
    result = {}
    for category in sorted(set(series.category)):
        like = [i for i, f in enumerate(fits) if f.test is not None and series.category[i] == category]
        units = [series.units[i, first_known(series.units[i]) :] for i in like]
        levels = np.array([np.nanmean(u[:LAUNCH_BUCKETS]) for u in units])
        result[category] = level_prior(look_alike_levels(levels, np.array([waited[i] > 0 for i in like], dtype=bool)))
    return result


def _launched(
    series: SeriesSet, fits: Sequence[_Fit], shared: _Shared, holiday: FloatArray, whole: BoolArray
) -> Launches | None:
    """What launches before tell of items with hardly any history."""
    few = (~np.isnan(series.units)).sum(axis=1) < FEWEST_KNOWN
    asked = np.flatnonzero(few & np.array([f.method == "prior" for f in fits], dtype=bool))
    if not len(asked):
        return None
    return launch_forecast(series, series.units / holiday, whole, asked, int(shared.pooled.origins[0]), shared.season)


def _named(fit: _Fit, launched: Launches, i: int) -> _Fit:
    """The fit, named after the pooled model where it counts."""
    if not launched.has(i) or launched.trust(i).share < NAMED_WEIGHT:
        return fit
    return replace(fit, method=f"{fit.method}+{POOLED_NAME}")


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
