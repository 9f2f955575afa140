"""One model for all items: what it adds, what it must not know, and how it is weighed against single series."""

from dataclasses import replace

import numpy as np
import pytest

from datong.forecast import fit as fit_module
from datong.forecast.across_items import share
from datong.forecast.draw import draw
from datong.forecast.fit import fit, see
from datong.forecast.paths import forecast
from datong.forecast.pooled import Pooled, has_enough, pooled_forecast
from datong.forecast.pooled_beside_own import blend
from datong.model.errors import Refused
from datong.model.flow import nothing_learnt

ITEMS, PAST, AHEAD = 80, 90, 4


def yearly(items: int = ITEMS, weeks: int = PAST + AHEAD) -> np.ndarray:
    """(item, week) mean demand with one shared season that peaks in weeks 36 and 88, four times the usual."""
    level = np.random.default_rng(1).lognormal(1.0, 0.8, items)
    return level[:, None] * (1 + 3 * np.exp(-0.5 * ((np.arange(weeks) + 16) % 52 / 1.5) ** 2))


@pytest.fixture(scope="module")
def seasonal():
    """(item, week) counts; the last twenty items are launched in week 70."""
    units = np.random.default_rng(2).poisson(yearly()).astype(float)
    units[:, 0] += 1
    units[-20:, :70] = np.nan
    units[-20:, 70] += 1
    return units


def test_it_is_for_weekly_chains_with_enough_to_pool(make_sensed, seasonal):
    assert has_enough(seasonal, 7)
    assert not has_enough(seasonal, 1)
    assert not has_enough(seasonal[:40], 7)
    assert not has_enough(np.tile(seasonal[:60, :15], (10, 1)), 7)
    assert not has_enough(seasonal[:, :30], 7)
    few = make_sensed(seasonal[:30, :PAST])
    auto, never = (forecast(few, nothing_learnt(), 50, 3, pooling) for pooling in ("auto", "never"))
    assert auto.paths.tobytes() == never.paths.tobytes()


def test_launched_items_take_the_season_from_the_others(make_sensed):
    """At week 86 the peak of week 88 is two weeks ahead; items launched in week 70 have never seen one."""
    units = np.random.default_rng(2).poisson(yearly()).astype(float)
    units[:, 0] += 1
    units[-20:, :70] = np.nan
    units[-20:, 70] += 1
    sensed = make_sensed(units[:, :86])
    error = {}
    for pooling in ("never", "auto"):
        mean = forecast(sensed, nothing_learnt(), 200, 3, pooling).paths.mean(axis=1)
        error[pooling] = np.abs(mean[-20:].sum(axis=0) / yearly()[-20:, 86:90].sum(axis=0) - 1).mean()
    assert error["auto"] < 0.85 * error["never"]


def test_same_series_same_bytes(make_sensed, seasonal):
    sensed = make_sensed(seasonal[:, :PAST])
    one, two = (forecast(sensed, nothing_learnt(), 50, 3) for _ in range(2))
    assert one.paths.tobytes() == two.paths.tobytes()
    assert "pooled" in "+".join(one.method)


def test_what_it_is_weighed_by_has_not_seen_what_followed(make_sensed, seasonal):
    """Whatever happens after the first origin, what was forecast there stays."""
    series = make_sensed(seasonal[:, :PAST]).series
    plain = pooled_forecast(series, series.units, np.ones(ITEMS, dtype=bool))
    first = int(plain.origins[0])
    poisoned = series.units.copy()
    poisoned[:, first:] = 7 + 100 * (np.arange(PAST - first) % 2)
    other = pooled_forecast(replace(series, units=poisoned), poisoned, np.ones(ITEMS, dtype=bool))
    assert np.array_equal(plain.tested[:, 0], other.tested[:, 0])
    assert not np.array_equal(plain.tested[:, 1], other.tested[:, 1])
    assert not np.array_equal(plain.mean, other.mean)


def test_a_week_without_stock_is_unknown_to_it(make_sensed):
    """A fifth of the weeks is out of stock: as unknown the forecast stays, as zeros it falls by about as much."""
    rng = np.random.default_rng(5)
    units = rng.poisson(6.0, (ITEMS, PAST)).astype(float) + 1
    gone = rng.random(units.shape) < 0.2
    gone[:, 0] = False
    whole, unknown, zeros = (
        forecast(make_sensed(u), nothing_learnt(), 100, 3).paths.mean()
        for u in (units, np.where(gone, np.nan, units), np.where(gone, 0.0, units))
    )
    assert unknown / whole == pytest.approx(1.0, abs=0.02)
    assert zeros / whole < 0.87


def test_where_nothing_was_sold_for_years_each_series_speaks_for_itself(make_sensed, seasonal):
    """One sale dated years ahead makes all weeks between empty ones."""
    units = np.hstack([seasonal[:80], np.zeros((80, 160))])
    units[0, -1] = 3.0
    auto, never = (forecast(make_sensed(units), nothing_learnt(), 20, 3, pooling) for pooling in ("auto", "never"))
    assert auto.paths.tobytes() == never.paths.tobytes()


def test_what_is_measured_is_not_counted_in_whole_units(make_sensed, seasonal):
    """Sold in tonnes, 0.03 a week: the same forecast as in kilograms, and no path is rounded."""
    kilograms = seasonal[:, :PAST] + 0.25
    means = [forecast(make_sensed(kilograms * f), nothing_learnt(), 200, 3).paths for f in (1.0, 0.001)]
    assert means[1].mean() * 1000 == pytest.approx(means[0].mean(), rel=0.01)
    assert not np.array_equal(means[0], np.round(means[0]))


@pytest.mark.parametrize("pooling", ["never", "always"])
def test_parts_forecast_apart_are_the_whole_byte_for_byte(make_sensed, seasonal, pooling):
    """Regular and rare items, launches, items without history and given demand; two parts, neither in one piece."""
    units = seasonal[:, :PAST].copy()
    units[::5] *= np.random.default_rng(3).random(units[::5].shape) < 0.2
    units[7], given = np.nan, np.full((ITEMS, AHEAD), np.nan)
    given[11] = 5.0
    sensed, learnt = make_sensed(units, AHEAD, given=given), nothing_learnt()
    whole = forecast(sensed, learnt, 20, 1, pooling)

    seen = see(sensed, pooling)
    parts = [[i for i in range(ITEMS) if (i % 3 == 0) == first] for first in (True, False)]
    fits = {i: own for part in parts for i, own in zip(part, fit(seen, part), strict=True)}
    shared = share(seen, [fits[i] for i in range(ITEMS)])
    paths = np.zeros(whole.paths.shape)
    for part in reversed(parts):
        paths[part] = draw(seen, shared, learnt, part, seen.path_count(20), 1)
    assert paths.tobytes() == whole.paths.tobytes()
    assert tuple(own.method for own in shared.fits) == whole.method
    assert {"given", "prior"} <= {method.split("+")[0] for method in whole.method}


def test_asking_for_it_without_lightgbm_says_what_to_install(make_sensed, seasonal, monkeypatch):
    monkeypatch.setattr(fit_module, "is_installed", lambda: False)
    sensed = make_sensed(seasonal[:, :PAST])
    with pytest.raises(Refused, match=r"datong\[ml\]"):
        forecast(sensed, nothing_learnt(), 50, 3, "always")
    alone = forecast(sensed, nothing_learnt(), 50, 3)
    assert "pooled" not in "+".join(alone.method)


def tried(tested: np.ndarray, phi: float = 0.1) -> Pooled:
    origins = np.arange(tested.shape[1])
    return Pooled(tested[:, 0], np.full(tested[:, 0].shape, phi), origins, tested, np.full(tested.shape, phi))


def test_the_better_one_counts_more():
    rng = np.random.default_rng(1)
    truth = rng.uniform(5, 50, (200, 8, 3))
    actual = rng.poisson(truth).astype(float)
    wrong = truth * rng.lognormal(0, 0.4, truth.shape)
    regular = np.zeros(200, dtype=bool)
    assert blend(tried(truth), wrong[:, 0], wrong, actual, regular).share > 0.85
    assert blend(tried(wrong), truth[:, 0], truth, actual, regular).share < 0.15
    both = blend(tried(wrong), truth[:, 0], wrong[::-1], actual, regular)
    assert both.mean == pytest.approx(both.share * wrong[:, 0] + (1 - both.share) * truth[:, 0])


def test_the_spread_of_the_two_together_is_that_of_their_errors():
    """phi is said to be 0.1 and is 0.4 in the demand that comes; of lumpy demand it is the variance that counts."""
    rng = np.random.default_rng(1)
    mean = rng.uniform(10, 50, (300, 8, 3))
    actual = rng.poisson(mean * rng.gamma(1 / 0.4, 0.4, mean.shape)).astype(float)
    found = blend(tried(mean), mean[:, 0], mean, actual, np.zeros(300, dtype=bool))
    assert found.phi.mean() == pytest.approx(0.4, rel=0.1)
    # Two of five buckets have demand, 2.5 times the mean: phi is 2.5 - 1.
    lumpy = rng.poisson(2.5 * mean) * (rng.random(mean.shape) < 0.4)
    found = blend(tried(mean, 1.0), mean[:, 0], mean, lumpy.astype(float), np.ones(300, dtype=bool))
    assert found.phi.mean() == pytest.approx(1.5, rel=0.15)


def test_a_level_that_stays_shows_in_sums():
    """Half of the relative variance is a level shared by the three buckets."""
    rng = np.random.default_rng(1)
    mean = np.full((400, 8, 3), 60.0)
    level = rng.gamma(1 / 0.2, 0.2, (400, 8, 1))
    actual = rng.poisson(mean * level * rng.gamma(1 / 0.2, 0.2, mean.shape)).astype(float)
    found = blend(tried(mean, 0.44), mean[:, 0], mean, actual, np.zeros(400, dtype=bool))
    assert found.level_share == pytest.approx(0.45, abs=0.1)
