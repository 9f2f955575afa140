"""What the items, each fitted by itself, tell one another: shapes of spread, priors, the pooled model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from datong.forecast.fit import GIVEN, NAMED_WEIGHT, SMALLEST_FACTOR, Fit, Seen, Together, ahead_history, method_name
from datong.forecast.just_launched import BEGUN_METHOD, Course, begun_forecast
from datong.forecast.launch_prior import LevelPrior, priors_by_category
from datong.forecast.orders_in_hand import AheadShape, fit_ahead
from datong.forecast.pooled_beside_own import POOLED_NAME, Blend, blend, mixed_test
from datong.forecast.pooled_launches import Launches, launch_forecast
from datong.forecast.spread import Shape, fit_shape
from datong.forecast.unknown_buckets import first_known
from datong.forecast.which_look_alikes import FEWEST_KNOWN, LAUNCH_BUCKETS
from datong.model.flow import BoolArray, FloatArray, SeriesSet

# Regular and intermittent items share their spread among themselves where there are at least so many.
FEWEST_OF_A_KIND = 5


@dataclass(frozen=True, eq=False)
class Shared:
    """What is drawn from: the fits of all items, and what they share."""

    # (item), with the pooled model in the mix.
    fits: tuple[Fit, ...]
    # Whether intermittent -> what such items share of their spread.
    shapes: dict[bool, Shape]
    # The pooled model beside the series' own ones; None: it is not used.
    both: Blend | None
    # What launches before tell of items with hardly any history; None: nothing.
    launched: Launches | None
    # Item with hardly any history -> what may come of it by all that began like it.
    begun: dict[int, Course]
    # How far what is known ahead tells of the rest.
    ahead: AheadShape
    # Category -> level of a product without history.
    priors: dict[str, LevelPrior]


def share(seen: Seen, fits: Sequence[Fit]) -> Shared:
    """fits: of all items, in their order."""
    series, together = seen.series, seen.together
    shapes, both, launched = _shapes(fits), None, None
    if together is not None:
        open_season, closed_holiday = seen.season[1], seen.holiday[0]
        both = _blended(series, fits, together, open_season, closed_holiday)
        fits = [_mixed(series, i, own, together, both, open_season[i]) for i, own in enumerate(fits)]
        launched = _launched(series, fits, together, closed_holiday, seen.whole)
        if launched is not None:
            fits = [_named(own, launched, i) for i, own in enumerate(fits)]
    factor = seen.season[0] * seen.holiday[0]
    steady = np.where(factor > SMALLEST_FACTOR, series.units / factor, np.nan)
    begun = begun_forecast(series, steady, seen.whole, np.array([_is_prior(f) for f in fits], dtype=bool))
    fits = [replace(own, method=BEGUN_METHOD) if i in begun else own for i, own in enumerate(fits)]
    return Shared(
        fits=tuple(fits),
        shapes=shapes,
        both=both,
        launched=launched,
        begun=begun,
        ahead=fit_ahead([f.ahead for f in fits if f.ahead is not None]),
        priors=_priors(series, fits, seen.waited),
    )


def _is_prior(fit: Fit) -> bool:
    return fit.test is None and fit.method != GIVEN.method


def _blended(
    series: SeriesSet, fits: Sequence[Fit], together: Together, open_season: FloatArray, holiday: FloatArray
) -> Blend:
    """The pooled model and the series' own ones, weighed at the origins where both were tried."""
    closed, horizon = holiday.shape[1], open_season.shape[1]
    origins = together.pooled.origins
    own = np.full(open_season.shape, np.nan)
    own_tested, actual = (np.full((len(fits), len(origins), horizon), np.nan) for _ in range(2))
    plain = np.pad(series.units / holiday, ((0, 0), (0, horizon)), constant_values=np.nan)
    for w, t in enumerate(origins):
        actual[:, w] = plain[:, t : t + horizon]
    for i, fit in enumerate(fits):
        if fit.test is None or not fit.is_by_level:
            continue
        own[i] = fit.test.mean * open_season[i]
        for w, t in _shared_windows(fit, together, closed):
            reach = fit.test.means.shape[1]
            row = list(fit.test.starts).index(t - fit.start)
            own_tested[i, w, :reach] = fit.test.means[row] * together.season[i, t : t + reach]
    return blend(together.pooled, own, own_tested, actual, np.array([f.intermittent for f in fits], dtype=bool))


def _shared_windows(fit: Fit, together: Together, closed: int) -> list[tuple[int, int]]:
    """(number, bucket) of the pooled model's origins at which the series was tried."""
    assert fit.test is not None
    at = [(w, int(t)) for w, t in enumerate(together.pooled.origins) if int(t) - fit.start in fit.test.starts]
    return at if len(at) == len(fit.test.starts) else []


def _mixed(series: SeriesSet, i: int, fit: Fit, together: Together, both: Blend, season: FloatArray) -> Fit:
    """The fit with the pooled model in its mix; given, prior and season's items stay as they are."""
    if fit.test is None or not fit.is_by_level:
        return fit
    windows = _shared_windows(fit, together, len(series.bucket_starts))
    tested, errors = fit.test.means, fit.test.errors
    if windows:
        horizon = len(series.horizon_starts)
        then = np.stack([together.season[i, t : t + horizon] for _, t in windows])
        at = [w for w, _ in windows]
        tested, errors = both.tested[i, at] / then, both.errors[i, at] / then
    test = mixed_test(fit.test, both.share, both.mean[i] / season, tested, errors)
    ahead = None if fit.ahead_known is None else ahead_history(test, fit.ahead_known)
    method = method_name(test) if fit.course is None else fit.method
    return replace(fit, method=method, test=test, ahead=ahead, phi=both.phi[i])


def _shapes(fits: Sequence[Fit]) -> dict[bool, Shape]:
    """What intermittent and regular items share, each kind by itself where it has enough items."""
    tested = [(f.intermittent, f.test, f.variance) for f in fits if f.test is not None and f.is_by_level]
    result = {}
    for kind in (False, True):
        own = [t for t in tested if t[0] == kind]
        use = own if len(own) >= FEWEST_OF_A_KIND else tested
        result[kind] = fit_shape([test for _, test, _ in use], [variance for _, _, variance in use])
    return result


def _priors(series: SeriesSet, fits: Sequence[Fit], waited: Sequence[int]) -> dict[str, LevelPrior]:
    """Level of a product without history, by category; one that came after the chain's first bucket was launched."""
    like = [i for i, f in enumerate(fits) if f.test is not None]
    units = [series.units[i, first_known(series.units[i]) :] for i in like]
    levels = np.array([np.nanmean(u[:LAUNCH_BUCKETS]) for u in units])
    launched = np.array([waited[i] > 0 for i in like], dtype=bool)
    return priors_by_category(sorted(set(series.category)), [series.category[i] for i in like], levels, launched)


def _launched(
    series: SeriesSet, fits: Sequence[Fit], together: Together, holiday: FloatArray, whole: BoolArray
) -> Launches | None:
    """What launches before tell of items with hardly any history."""
    few = (~np.isnan(series.units)).sum(axis=1) < FEWEST_KNOWN
    asked = np.flatnonzero(few & np.array([f.method == "prior" for f in fits], dtype=bool))
    if not len(asked):
        return None
    return launch_forecast(
        series, series.units / holiday, whole, asked, int(together.pooled.origins[0]), together.season
    )


def _named(fit: Fit, launched: Launches, i: int) -> Fit:
    """The fit, named after the pooled model where it counts."""
    if not launched.has(i) or launched.trust(i).share < NAMED_WEIGHT:
        return fit
    return replace(fit, method=f"{fit.method}+{POOLED_NAME}")
