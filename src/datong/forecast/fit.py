"""What is fitted to each item, by itself, once it is seen what all items together say (`see`).

Holiday effects and seasons are taken out, and every series is forecast by a weighted mix of models that a back-test
chose. `fit` looks at one item at a time: parts of a chain can be fitted apart.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from datong.forecast.backtest import SHORTEST_TRAINING, BackTest, back_test
from datong.forecast.holiday_factors import holiday_factors
from datong.forecast.launch_prior import launch_chance
from datong.forecast.models_tried import is_intermittent
from datong.forecast.orders_in_hand import AheadHistory
from datong.forecast.own_season import OwnSeason, SeasonCourse, course, own_seasons, tested_means
from datong.forecast.pooled import Pooled, has_enough, is_installed, pooled_forecast
from datong.forecast.season import season_factors
from datong.forecast.spread import relative_variance
from datong.forecast.unknown_buckets import first_known
from datong.forecast.which_look_alikes import FEWEST_KNOWN
from datong.forecast.without_odd_weeks import without_odd_weeks
from datong.model.errors import Refused
from datong.model.flow import BoolArray, FloatArray, Sensed, SeriesSet
from datong.model.words import message

# A bucket with a smaller factor is not used for the level; one this near to no holiday shows the usual early orders.
SMALLEST_FACTOR, NEAR_HOLIDAY = 0.05, 0.1
# A series is tried at the pooled model's origins where it has so many of them, else at its own.
FEWEST_SHARED_ORIGINS = 3
# Models with at least this weight are named as an item's method.
NAMED_WEIGHT = 0.25

# Seasons are tried so many weeks ago, about the time of the year that it is now, each after so many weeks; they must
# leave less than this of the level's squares.
SEASON_TESTED, FEWEST_BEFORE, SEASON_BETTER = (58, 56, 54, 52, 50, 48, 46), 26, 1.0
# How a forecast tells of seasons: tested, and one alone.
SEASON_NAME, ONE_SEASON = "OwnSeason", "one_season"

# Whether one model of all items joins the mix: where it can, never, or always, and if it cannot, say so.
Pooling = Literal["auto", "never", "always"]


@dataclass(frozen=True, eq=False)
class Together:
    """The pooled model of all items."""

    pooled: Pooled
    # (item, closed, then open bucket) factors as they were known when its first fit ended, so that the models of single
    # series are tried without having seen what followed either.
    season: FloatArray


@dataclass(frozen=True, eq=False)
class Seen:
    """The series, and what all of them together say, before any is fitted."""

    # Without odd weeks.
    series: SeriesSet
    # (item) whether its demand is given.
    is_given: BoolArray
    # (item) whether it is counted in whole units.
    whole: BoolArray
    # (item) buckets from the chain's first known one to its own.
    waited: tuple[int, ...]
    # (item, closed bucket), (item, open bucket) factors on demand.
    season: tuple[FloatArray, FloatArray]
    # (item, closed bucket), (item, open bucket) factors on demand.
    holiday: tuple[FloatArray, FloatArray]
    # Chance that an item that has not sold yet begins to in a bucket.
    launch_chance: float
    # None: the pooled model is not used.
    together: Together | None
    # Item that seems to sell in its season alone -> what it is looked at with.
    own_season: Mapping[int, OwnSeason]
    # (item, closed bucket) factors of the season as they were known a year ago; None: no item seems to.
    season_then: FloatArray | None

    def path_count(self, asked: int) -> int:
        """How many paths are drawn: where all demand is given, one tells it."""
        return 1 if len(self.is_given) and self.is_given.all() else asked


@dataclass(frozen=True, eq=False)
class Fit:
    """What was fitted to one item."""

    # Names of the models that count most, or "given", "prior".
    method: str
    # First bucket in use.
    start: int
    # Whether it is counted in whole units.
    whole: bool
    # Whether many of its buckets are without demand.
    intermittent: bool
    # None: of given and prior items.
    test: BackTest | None
    # Relative variance of the back-test's errors.
    variance: float
    # How many errors there are.
    errors: int
    # What was known ahead, beside its forecasts; None: nothing ever was.
    ahead: AheadHistory | None
    # (bucket from start on) units known ahead, season and holidays taken out.
    ahead_known: FloatArray | None = None
    # (bucket ahead) relative variance beyond Poisson where the pooled model says it.
    phi: FloatArray | None = None
    # Of an item that sells in its season alone, what is expected of the buckets ahead if the season comes.
    course: SeasonCourse | None = None

    @property
    def is_by_level(self) -> bool:
        """Whether it was back-tested by its level: of several seasons, the season itself was."""
        return self.test is not None and self.method != SEASON_NAME


# Given demand stays as it is: nothing is fitted.
GIVEN = Fit("given", 0, False, False, None, float("nan"), 0, None)


def see(sensed: Sensed, pooling: Pooling = "auto") -> Seen:
    series = replace(sensed.series, units=without_odd_weeks(sensed))
    season = season_factors(series, series.units)
    holiday = holiday_factors(series, series.units / season[0])
    firsts = [first_known(units) for units in series.units]
    opening = min(firsts, default=0)
    waited = tuple(first - opening for first in firsts)
    whole, closed = _whole_items(series.units), series.units.shape[1]
    own = own_seasons(series, series.units)
    came = [w > 0 and f < len(series.bucket_starts) for w, f in zip(waited, firsts, strict=True)]
    return Seen(
        series=series,
        is_given=np.asarray(~np.isnan(series.given_units).all(axis=1)),
        whole=whole,
        waited=waited,
        season=season,
        holiday=holiday,
        launch_chance=launch_chance(waited, sum(came)),
        together=_together(series, holiday[0], whole, pooling),
        own_season=own,
        season_then=_known_then(series, series.units, max(closed - max(SEASON_TESTED), 0)) if own else None,
    )


def fit(seen: Seen, items: Iterable[int]) -> tuple[Fit, ...]:
    """Fits of some items, by their numbers."""
    return tuple(GIVEN if seen.is_given[i] else _fit(seen, i) for i in items)


def is_whole(units: FloatArray) -> bool:
    """Whether all known units are whole numbers."""
    known = units[~np.isnan(units)]
    return bool(np.all(known == np.round(known)))


def _whole_items(units: FloatArray) -> BoolArray:
    """(item) whether it is counted in whole units; an item without a known bucket is what most others are."""
    is_known = ~np.isnan(units).all(axis=1)
    whole = np.array([is_whole(row) for row in units], dtype=bool)
    return np.where(is_known, whole, whole[is_known].mean() > 0.5 if is_known.any() else True)


def _together(series: SeriesSet, holiday: FloatArray, whole: BoolArray, pooling: Pooling) -> Together | None:
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
    return Together(pooled, _known_then(series, plain, cut))


def _known_then(series: SeriesSet, units: FloatArray, cut: int) -> FloatArray:
    """(item, closed, then open bucket) factors of the season as they were known before a bucket."""
    then = replace(
        series,
        bucket_starts=series.bucket_starts[:cut],
        horizon_starts=(*series.bucket_starts, *series.horizon_starts)[cut:],
    )
    return np.hstack(season_factors(then, units[:, :cut]))


def _fit(seen: Seen, i: int) -> Fit:
    """The fit of an item whose demand is not given: in its own season, where it sells in that alone, else by level."""
    by_level = _by_level(seen, i)
    own = seen.own_season.get(i)
    return by_level if own is None else _in_season(seen, i, own, by_level) or by_level


def _in_season(seen: Seen, i: int, own: OwnSeason, by_level: Fit) -> Fit | None:
    """The fit by seasons, where whole years of back-test show it better than the one by level; None else."""
    units, whole, horizon = seen.series.units[i], by_level.whole, len(seen.series.horizon_starts)
    made = course(own, units, horizon, whole)
    if made is None:
        return None
    if by_level.test is None:
        return None
    if own.seasons < 2:
        return replace(by_level, method=ONE_SEASON, course=made)
    start, closed = by_level.start, len(units)
    starts = tuple(t for t in (closed - back for back in SEASON_TESTED) if t >= start + FEWEST_BEFORE)
    if not starts or seen.season_then is None:
        return None
    factor = seen.season_then[i, :closed] * seen.holiday[0][i]
    steady = np.where(factor > SMALLEST_FACTOR, units / factor, np.nan)[start:]
    test = back_test(steady, horizon, tuple(t - start for t in starts))
    reach = test.means.shape[1]
    ahead = [np.pad(row, (0, reach), constant_values=np.nan) for row in (units, factor)]
    actual, then = (np.stack([row[t : t + reach] for t in starts]) for row in ahead)
    means = tested_means(own, units, starts, reach, whole)
    errors, others = actual - means, actual - test.means * then
    use = ~np.isnan(errors) & ~np.isnan(others)
    if not use.any() or np.sum(errors[use] ** 2) >= SEASON_BETTER * np.sum(others[use] ** 2):
        return None
    return replace(
        by_level,
        method=SEASON_NAME,
        test=BackTest((SEASON_NAME,), np.ones(1), made.returns * made.mean, errors, means, test.starts, test.length),
        ahead=None,
        ahead_known=None,
        course=made,
    )


def _by_level(seen: Seen, i: int) -> Fit:
    series, together = seen.series, seen.together
    whole, waited = bool(seen.whole[i]), seen.waited[i]
    season, holiday = seen.season[0][i], seen.holiday[0][i]
    start = first_known(series.units[i])
    units = series.units[i, start:]
    intermittent = is_intermittent(units)
    if waited > 0 and intermittent and np.sum(~np.isnan(units)) > FEWEST_KNOWN and np.nansum(units[1:]) > 0:
        # The series starts with a sale by definition; as an observation of a rare demand that bucket would mislead.
        start += 1 + first_known(units[1:])
        units = series.units[i, start:]
    if np.sum(~np.isnan(units)) < FEWEST_KNOWN or not np.nansum(units) > 0:
        return Fit("prior", start, whole, intermittent, None, float("nan"), 0, None)
    factor = season[start:] * holiday[start:]
    # Divided by almost nothing, a bucket tells nothing of the level.
    steady = np.where(factor > SMALLEST_FACTOR, units / factor, np.nan)
    starts, then = None, None
    if together is not None:
        at = [int(t) - start for t in together.pooled.origins if t - start >= SHORTEST_TRAINING]
        if len(at) >= FEWEST_SHARED_ORIGINS:
            before = together.season[i, start : len(series.bucket_starts)] * holiday[start:]
            starts, then = tuple(at), np.where(before > SMALLEST_FACTOR, units / before, np.nan)
    test = back_test(steady, len(series.horizon_starts), starts, then)
    variance, errors = relative_variance(test, whole)
    known = np.where(
        (factor > SMALLEST_FACTOR) & (np.abs(holiday[start:] - 1) < NEAR_HOLIDAY),
        series.known_ahead_history[i, start:, 0] / factor,
        np.nan,
    )
    ahead = ahead_history(test, known)
    return Fit(method_name(test), start, whole, intermittent, test, variance, errors, ahead, known)


def method_name(test: BackTest) -> str:
    order = sorted(range(len(test.names)), key=lambda m: (-test.weights[m], test.names[m]))
    named = [test.names[m] for m in order if test.weights[m] >= NAMED_WEIGHT]
    return "+".join(named or [test.names[order[0]]])


def ahead_history(test: BackTest, known: FloatArray) -> AheadHistory | None:
    """What was known ahead beside the one-bucket forecasts of the back-test; None where nothing ever was."""
    at = np.array(test.starts, dtype=np.int64)
    if not len(at):
        return None
    demand = test.errors[:, 0] + test.means[:, 0]
    use = ~np.isnan(demand) & ~np.isnan(known[at])
    if not use.any() or not known[at][use].any():
        return None
    return AheadHistory(known[at][use], demand[use], test.means[use, 0])
