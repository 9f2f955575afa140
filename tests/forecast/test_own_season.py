"""Products that sell in their season alone: what is expected of the season ahead, and which products are not such."""

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pytest

from datong.forecast.own_season import own_seasons
from datong.forecast.paths import forecast
from datong.model.flow import Forecast, HolidayBucket, Sensed, method_message, nothing_learnt

Make = Callable[..., Sensed]
# Weeks of the year in which a season sells.
SEASON = range(40, 49)
HEIGHT = 100.0


def seasonal(weeks: int, first: int = SEASON[0], length: int = len(SEASON), height: float = HEIGHT) -> np.ndarray:
    """Units of weeks, a season each 52."""
    of_year = np.arange(weeks) % 52
    return np.where((of_year - first) % 52 < length, height, 0.0)


def as_history(units: np.ndarray) -> np.ndarray:
    """NaN before the first sale, as a series is sensed."""
    return np.where(np.arange(len(units)) < np.argmax(units > 0), np.nan, units)


def made(make: Make, units: np.ndarray, **more: object) -> Forecast:
    steady = np.full(len(units), 50.0) + np.arange(len(units)) % 3
    return forecast(make(np.stack([as_history(units), steady]), 13, **more), nothing_learnt(), 200, 1)


@pytest.mark.parametrize("years", [2, 3, 5])
@pytest.mark.parametrize("before", [0, 4, -3])
@pytest.mark.parametrize("length", [9, 24])
def test_the_season_ahead_is_expected_as_those_before(make_sensed: Make, years: int, before: int, length: int) -> None:
    weeks = 52 * years + SEASON[0] - before
    units = seasonal(weeks + 13, length=length)
    noise = np.random.default_rng(years).poisson(units).astype(float)
    result = made(make_sensed, noise[:weeks])
    ahead = units[weeks:] > 0
    expected = result.paths[0].mean(axis=0)
    assert result.method[0] == "OwnSeason"
    assert 0.85 < expected[ahead].mean() / HEIGHT < 1.15
    assert expected[~ahead].sum() < HEIGHT
    inside = (np.quantile(result.paths[0], 0.1, axis=0) <= noise[weeks:]) & (
        noise[weeks:] <= np.quantile(result.paths[0], 0.9, axis=0)
    )
    assert inside[ahead].mean() > 0.5


def test_one_season_alone_comes_again_in_half_of_the_paths_and_it_is_told(make_sensed: Make) -> None:
    weeks = SEASON[0] + 52 - 4
    result = made(make_sensed, seasonal(weeks))
    ahead = slice(5, 12)
    sums = result.paths[0][:, ahead].sum(axis=1)
    assert result.method[0] == "one_season"
    assert np.mean(sums > 2 * HEIGHT) == pytest.approx(0.5, abs=0.02)
    assert 0.35 < sums.mean() / (7 * HEIGHT) < 0.65
    for language in ("en", "zh"):
        assert "one_season" not in method_message("one_season").text(language)
        assert "OwnSeason" not in method_message("OwnSeason").text(language)


def test_others_that_came_again_make_one_season_likelier_to(make_sensed: Make) -> None:
    weeks = SEASON[0] + 52 - 4
    asked = as_history(seasonal(weeks))
    earlier = [as_history(seasonal(weeks, first=8 + k)) for k in range(6)]
    steady = np.full(weeks, 50.0)
    result = forecast(make_sensed(np.stack([asked, steady, *earlier]), 13), nothing_learnt(), 200, 1)
    assert result.method[0] == "one_season"
    assert result.paths[0][:, 5:12].sum(axis=1).mean() / (7 * HEIGHT) > 0.75


def test_one_path_is_the_mean(make_sensed: Make) -> None:
    weeks = 52 * 3 + SEASON[0] - 2
    units = np.stack([as_history(seasonal(weeks)), np.full(weeks, 50.0)])
    paths = forecast(make_sensed(units, 13), nothing_learnt(), 1, 1).paths
    assert 0.85 < paths[0, 0, 3:10].mean() / HEIGHT < 1.1
    assert (paths == np.round(paths)).all()


def test_a_season_that_moves_with_a_holiday_is_expected_where_the_holiday_lies(make_sensed: Make) -> None:
    weeks, at = 52 * 4 - 4, (6, 55, 109, 158, 212)
    units = np.zeros(weeks + 13)
    for week in at:
        units[max(week - 4, 0) : week] = HEIGHT
    monday = make_sensed(units[None]).series.bucket_starts[0]
    feasts = [HolidayBucket(monday + timedelta(days=7 * week), "Feast", 3) for week in at]
    expected = made(make_sensed, units[:weeks], holidays=feasts).paths[0].mean(axis=0)
    assert expected[at[-1] - 4 - weeks : at[-1] - weeks].mean() > 0.75 * HEIGHT
    assert expected[at[-1] - weeks + 2 :].max() < 0.2 * HEIGHT


def test_a_season_under_way_that_sells_half_is_expected_to_go_on_lower(make_sensed: Make) -> None:
    weeks = 52 * 3 + SEASON[0] + 4
    units = seasonal(weeks)
    usual = made(make_sensed, units).paths[0, :, :4].mean()
    units[-4:] *= 0.5
    lower = made(make_sensed, units).paths[0, :, :4].mean()
    assert 0.85 * HEIGHT < usual < 1.1 * HEIGHT
    assert 0.4 * usual < lower < 0.85 * usual


def test_what_is_rarely_sold_or_steady_or_ended_is_not_of_a_season(make_sensed: Make) -> None:
    rng = np.random.default_rng(5)
    weeks = 52 * 3
    rare = (rng.random((40, weeks)) < 0.05) * 1.0
    steady = rng.poisson(8.0, (40, weeks)).astype(float)
    series = make_sensed(np.vstack([rare, steady])).series
    assert len(own_seasons(series, series.units)) <= 1
    ended = seasonal(52 * 3 + 42)
    ended[52 * 2 :] = 0.0
    assert made(make_sensed, ended).paths[0].mean() < 0.1 * HEIGHT


def test_short_and_daily_histories_are_left_to_the_level(make_sensed: Make) -> None:
    short, daily = seasonal(20, first=2)[None], seasonal(400)[None]
    for units, days in ((short, 7), (daily, 1)):
        series = make_sensed(units, bucket_days=days).series
        assert own_seasons(series, series.units) == {}
