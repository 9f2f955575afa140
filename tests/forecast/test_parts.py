"""The parts that have rules of their own: filling, models, back-test, seasons, spread, priors, the table."""

from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import poisson, theilslopes
from statsforecast import models as sf

from datong.forecast.backtest import back_test, origins
from datong.forecast.launch_prior import blended_level, launch_chance, level_prior
from datong.forecast.mix_weights import mix_weights
from datong.forecast.models_tried import MODELS, mean_forecasts, offered
from datong.forecast.paths import forecast
from datong.forecast.quantile_table import QUANTILE_SCHEMA, quantile_table
from datong.forecast.season import season_factors
from datong.forecast.spread import (
    Shape,
    Spread,
    _median_slope,
    draw_paths,
    fit_shape,
    fit_spread,
    occurrence,
    poisson_quantile,
    relative_variance,
)
from datong.forecast.unknown_buckets import filled, first_known
from datong.forecast.which_look_alikes import look_alike_levels
from datong.forecast.without_odd_weeks import without_odd_weeks
from datong.model.flow import Item, Signal, Subject, method_message, nothing_learnt
from datong.model.words import message

NAN = float("nan")


def test_fill_goes_from_level_to_level():
    """Levels 4 before and 10 after; two unknown buckets lie a third and two thirds of the way: 6 and 8."""
    assert filled(np.array([4.0, 4, NAN, NAN, 10, 10])).tolist() == [4, 4, 6, 8, 10, 10]
    assert filled(np.array([2.0, 4, NAN])).tolist() == [2, 4, 3]
    assert first_known(np.array([NAN, NAN, 3.0])) == 2
    assert first_known(np.array([NAN])) == 1


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("units", [[0, 0, 5, 0, 0, 0, 2, 0, 1, 0], [3, 4, 5, 4, 3, 5, 6, 2], [7, 7, 7], [0, 0], [4]])
def test_every_model_forecasts_every_series(name, units):
    (mean,) = mean_forecasts([name], np.array(units, dtype=float), 5)
    assert mean.shape == (5,)
    assert (mean >= 0).all()
    assert mean.max() <= max(units) + 1e-9


@pytest.mark.parametrize("seed", range(10))
def test_models_are_level_and_those_of_statsforecast(seed):
    library = {
        "SES": sf.SimpleExponentialSmoothingOptimized(),
        **{f"WindowAverage{n}": sf.WindowAverage(n) for n in (4, 8, 26)},
        "CrostonOptimized": sf.CrostonOptimized(),
        "TSB": sf.TSB(alpha_d=0.2, alpha_p=0.2),
        "ADIDA": sf.ADIDA(),
        "IMAPA": sf.IMAPA(),
    }
    assert library.keys() == MODELS.keys()
    random = np.random.default_rng(seed)
    units = random.poisson(random.choice([0.3, 2, 50]), random.integers(26, 80)).astype(float)
    expected = np.stack([model.forecast(y=units, h=7)["mean"] for model in library.values()])
    assert mean_forecasts(tuple(library), units, 7).tobytes() == expected.tobytes()


def test_rare_demand_is_offered_models_for_rare_demand():
    assert "CrostonOptimized" in offered(np.array([0, 0, 1.0, 0]))
    assert "CrostonOptimized" not in offered(np.array([3, 0, 1.0, 4, 5, 6]))


def test_origins_are_spread_and_end_before_the_last_bucket():
    assert origins(1) == ()
    assert origins(8) == (6, 7)
    assert origins(31)[0] == 6 and origins(31)[-1] == 30 and len(origins(31)) == 10


def test_better_models_weigh_more_and_unknown_buckets_do_not_count():
    """Root mean squares 1 and 3 on the known buckets of a flat series: weights 1/1 and 1/9, so 0.9 and 0.1."""
    errors = np.array([[[1.0, NAN]], [[3.0, NAN]]])
    assert mix_weights(errors, np.ones(5)) == pytest.approx([0.9, 0.1])


def test_back_test_does_not_score_censored_buckets():
    units = np.array([5.0, 6, 5, 4, 5, 6, 5, NAN, 5, 6])
    test = back_test(units, 3)
    assert np.isnan(test.errors[1, 0])  # origin 7 is unknown
    assert test.weights.sum() == pytest.approx(1.0)
    assert test.mean == pytest.approx([5.25] * 3, abs=0.5)


def test_year_pattern_is_found_where_it_repeats_and_not_in_noise(make_sensed):
    rng = np.random.default_rng(0)
    wave = 1 + 0.5 * np.sin(2 * np.pi * np.arange(156) / 52)
    season = 100 * wave * rng.normal(1, 0.1, (8, 156))
    noise = 100 * rng.normal(1, 0.1, (8, 156))
    units = np.vstack([season, noise])
    sensed = make_sensed(units, 52, category=["wave"] * 8 + ["flat"] * 8)
    _, opened = season_factors(sensed.series, units)
    assert np.abs(opened[:8] - wave[:52]).max() < 0.12
    assert np.abs(opened[8:] - 1).max() < 0.12
    short, _ = season_factors(make_sensed(units[:, :103]).series, units[:, :103])
    assert (short == 1).all()


def test_paths_have_the_mean_and_joint_spread_asked_for():
    """Level variance 0.04 and 0.01 a bucket, noise 0.09: the mean square of bucket 3 is 1.04 x 1.01^2 x 1.09, and
    buckets 1 and 3 share 0.04."""
    spread = Spread(level_start=0.04, level_step=0.01, noise=0.09, whole=False)
    paths = draw_paths(np.random.default_rng(0), np.full(3, 10.0), spread, 40_000)
    assert paths.mean(axis=0) == pytest.approx([10, 10, 10])
    cov = np.cov(paths.T) / 100
    assert cov[2, 2] == pytest.approx(1.04 * 1.01 * 1.01 * 1.09 - 1, rel=0.05)
    assert cov[0, 2] == pytest.approx(0.04, rel=0.1)


def test_occurrence_gives_the_share_of_empty_buckets_asked_for():
    """Noise 4, mean 5, demand in 30 % of buckets: the drawn counts are above 0 that often, with mean 5 and variance
    25 x 4 + 5."""
    chance = occurrence(4.0, 5.0, 0.3, whole=True)
    spread = Spread(0.0, 0.0, 4.0, whole=True, occurrence=chance)
    paths = draw_paths(np.random.default_rng(0), np.full(1, 5.0), spread, 40_000)
    assert (paths > 0).mean() == pytest.approx(0.3, abs=0.01)
    assert paths.mean() == pytest.approx(5, rel=0.03)
    assert paths.var() == pytest.approx(105, rel=0.08)
    assert occurrence(4.0, 5.0, 1.0, whole=True) == 1.0


def test_one_path_is_the_mean():
    spread = Spread(0.04, 0.01, 0.09, whole=True)
    assert draw_paths(np.random.default_rng(0), np.array([0.3, 20.0]), spread, 1).tolist() == [[0.3, 20.0]]


def test_any_noise_gives_finite_paths_and_no_mean_without_a_number_is_taken():
    for seed in range(50):
        for whole in (False, True):
            spread = Spread(0.04, 0.01, 0.4, whole=whole)
            assert np.isfinite(draw_paths(np.random.default_rng(seed), np.full(2, 3.0), spread, 200, 3e5)).all()
    with pytest.raises(ValueError, match="finite"):
        draw_paths(np.random.default_rng(0), np.array([np.nan, 5.0]), Spread(0.04, 0.01, 0.4, whole=True), 10)


def test_regular_items_keep_little_noise():
    """Level without spread, noise 1/1000 of the mean squared: a variance of 1000."""
    paths = draw_paths(np.random.default_rng(0), np.full(1, 1000.0), Spread(0.0, 0.0, 1e-3, whole=False), 5000)
    assert paths.var() == pytest.approx(1e3, rel=0.1)


def test_same_generator_same_paths():
    spread, mean = Spread(0.04, 0.01, 0.4, whole=True, occurrence=0.8), np.array([0.0, 2.0, 30.0])
    one, same, other = (draw_paths(np.random.default_rng(seed), mean, spread, 77, 0.2) for seed in (5, 5, 6))
    assert one.tobytes() == same.tobytes() != other.tobytes()
    assert not one[:, 0].any()


@pytest.mark.parametrize("count", [2, 7, 150, 200])
@pytest.mark.parametrize("whole", [False, True])
def test_few_paths_keep_the_mean(count, whole):
    """Fractions exactly, counts up to their own noise: without it their means would lie within sqrt(20 / count)."""
    paths = draw_paths(np.random.default_rng(count), np.full(5, 20.0), Spread(0.1, 0.01, 0.4, whole=whole), count)
    assert paths.shape == (count, 5)
    assert (paths >= 0).all()
    assert np.abs(paths.mean(axis=0) - 20).max() < (2 * np.sqrt(20 / count) if whole else 1e-9)
    assert np.array_equal(paths, np.round(paths)) == whole


# Mean, noise, whole: each a distribution whose quantiles are told by the level, by the noise, or by the counts.
KINDS = [(50.0, 0.4, False), (1000.0, 0.02, True), (12.0, 0.01, True), (1.5, 0.05, True)]


@pytest.mark.parametrize(("mean", "noise", "whole"), KINDS)
def test_few_paths_tell_the_distribution_of_a_bucket(mean, noise, whole):
    """Shares at or below the deciles (of 40,000 paths), over 40 seeds and 3 buckets: independent draws miss them by
    sqrt(q (1 - q) / 200), these by less than half of it."""
    spread, means = Spread(0.04, 0.01, noise, whole=whole), mean * np.array([1.0, 0.7, 1.0])
    many = draw_paths(np.random.default_rng(99), means, spread, 40_000)
    cut = np.quantile(many, np.arange(1, 10) / 10, axis=0)
    true = (many <= cut[:, None]).mean(axis=1)
    some = np.stack([draw_paths(np.random.default_rng(seed), means, spread, 200) for seed in range(40)])
    off = (some[:, None] <= cut[:, None]).mean(axis=2) - true
    assert np.sqrt(np.mean(off**2)) < 0.5 * np.sqrt(np.mean(true * (1 - true)) / 200)
    assert np.abs(off.mean(axis=0)).max() < 0.006
    assert some.var(axis=1).mean(axis=0) == pytest.approx(many.var(axis=0), rel=0.05)


@pytest.mark.parametrize(("mean", "noise", "whole"), [(10.0, 0.1, False), (200.0, 0.1, True), (0.5, 0.1, True)])
def test_few_paths_keep_what_buckets_share(mean, noise, whole):
    """Level variance 0.2 and 0.02 a bucket: buckets 1 and 4 share mean^2 x 0.2, buckets 3 and 4
    mean^2 x (1.2 x 1.02^2 - 1), with ties among counts or without; the first noise is the first bucket's alone."""
    spread = Spread(0.2, 0.02, noise, whole=whole)
    draws = [draw_paths(np.random.default_rng(s), np.full(4, mean), spread, 200, 0.5) for s in range(600)]
    cov = np.mean([np.cov(paths.T) for paths in draws], axis=0) / mean**2
    poisson_share = 1 / mean if whole else 0.0
    assert cov[0, 3] == pytest.approx(0.2, rel=0.1)
    assert cov[2, 3] == pytest.approx(1.2 * 1.02**2 - 1, rel=0.1)
    assert cov[0, 0] == pytest.approx(1.2 * 1.5 - 1 + poisson_share, rel=0.06)
    assert cov[1, 1] == pytest.approx(1.2 * 1.02 * (1 + noise) - 1 + poisson_share, rel=0.06)


def test_counts_of_one_level_are_independent_beyond_it():
    """One level for both buckets and no noise: of means 2 they share 4 x 0.2, nothing of the counts' own variance."""
    spread = Spread(0.2, 0.0, 1e-6, whole=True)
    draws = [draw_paths(np.random.default_rng(s), np.full(2, 2.0), spread, 200) for s in range(300)]
    assert np.mean([np.cov(paths.T)[0, 1] for paths in draws]) == pytest.approx(0.8, rel=0.05)


def test_poisson_quantiles_are_those_of_scipy():
    rng = np.random.default_rng(0)
    mean = rng.uniform(0, 1, 20_000) ** 4 * 300
    share = rng.random(20_000)
    true = poisson.ppf(share, mean)
    count = poisson_quantile(share, mean)
    low = mean < 4
    assert np.mean(count[low] != true[low]) < 1e-3
    assert np.mean(count[~low] != true[~low]) < 0.015
    assert np.abs(count - true).max() <= 1
    assert abs(np.mean(count - true)) < 0.002
    assert poisson_quantile(np.array([0.5, 0.99]), np.array([0.0, 0.0])).tolist() == [0.0, 0.0]


def test_errors_that_stay_are_told_from_errors_that_pass():
    rng = np.random.default_rng(0)
    passing = [back_test(rng.poisson(50, 60).astype(float), 8) for _ in range(30)]
    walks = [np.round(200 * np.exp(np.cumsum(rng.normal(0, 0.1, 60)))) for _ in range(30)]
    staying = [back_test(w, 8) for w in walks]
    calm = fit_shape(passing, [relative_variance(t, whole=False)[0] for t in passing])
    drifting = fit_shape(staying, [relative_variance(t, whole=False)[0] for t in staying])
    assert calm.level_share + 7 * calm.step_share < 0.4
    assert drifting.level_share + 7 * drifting.step_share > 0.7


def test_few_errors_leave_an_item_near_the_typical():
    shape = Shape(0.25, 0.04, typical=0.1)
    total = [s.level_start + s.noise for s in (fit_spread(0.9, n, True, shape) for n in (0, 3, 300))]
    assert total[0] == pytest.approx(0.1)
    assert total[0] < total[1] < 0.25
    assert total[2] > 0.7


def test_prior_level_is_the_median_of_launches():
    """Launches at 1, 10 and 100: the median 10; a new product that sold 40 twice lies between, nearer to 40."""
    prior = level_prior(np.array([1.0, 10.0, 100.0, 0.0]))
    assert prior.mean == pytest.approx(10)
    assert prior.look_alikes == 3
    mean, variance = blended_level(np.array([40.0, 40.0]), prior)
    assert 25 < mean < 40
    assert variance < prior.level_variance
    assert blended_level(np.zeros(0), prior) == (prior.mean, prior.level_variance)


def test_launches_speak_before_established_products():
    levels, new = np.array([500.0] * 4 + [4.0, 5.0, 6.0]), np.array([False] * 4 + [True] * 3)
    assert look_alike_levels(levels, new).tolist() == [4, 5, 6]
    assert len(look_alike_levels(levels[:-1], new[:-1])) == 6


def test_launch_chance():
    """3 launches in 39 buckets of waiting: 4 / 40."""
    assert launch_chance([0, 0, 9, 30], 3) == pytest.approx(0.1)
    assert launch_chance([], 0) == 1.0


def test_quantile_table(make_sensed):
    sensed = make_sensed(np.random.default_rng(0).poisson(9, (2, 30)) + 1.0, 3)
    result = forecast(sensed, nothing_learnt(), 101, 0)
    table = quantile_table(result)
    assert table.schema == QUANTILE_SCHEMA
    assert table.schema.field("bucket").type == pa.date32()
    rows = table.to_pylist()
    assert [(r["product"], r["horizon"]) for r in rows] == [(p, h) for p in ("p0", "p1") for h in range(3)]
    assert rows[4]["bucket"] == sensed.series.horizon_starts[1]
    ordered = np.sort(result.paths[1, :, 1])
    assert rows[4]["q50_units"] == ordered[50]
    assert rows[4]["q05_units"] == ordered[5]
    assert rows[4]["mean_units"] == pytest.approx(ordered.mean())


def test_methods_have_words_in_both_languages():
    assert method_message("given").text("en") == "given in the demand table"
    assert "exponential smoothing" in method_message("SES+TSB").text("en")
    assert "指数平滑" in method_message("SES+TSB").text("zh") and "SES" not in method_message("SES+TSB").text("zh")


def anomaly(item: Item, first: date) -> Signal:
    return Signal(
        "s",
        "anomaly",
        Subject("product", *item),
        first,
        first,
        5.0,
        9.0,
        90.0,
        1e-6,
        1e-5,
        "sales",
        (),
        message("sense.feast.618"),
    )


def test_an_odd_week_says_nothing_of_the_level_but_the_last_one_does(make_sensed):
    """10 a week with one week of 200: with its signal it is as if that week were unknown. The last week counts."""
    units = np.full((2, 20), 10.0)
    units[0, 12] = 200.0
    sensed = make_sensed(units, 4)
    item, weeks = sensed.series.items[0], sensed.series.bucket_starts
    known = replace(sensed, signals=(anomaly(item, weeks[12]), anomaly(item, weeks[19])))
    masked = without_odd_weeks(known)
    assert np.flatnonzero(np.isnan(masked[0])).tolist() == [12]
    assert not np.isnan(masked[1]).any() and sensed.series.units[0, 12] == 200.0
    plain, told = (forecast(s, nothing_learnt(), 200, 1).paths[0].mean() for s in (sensed, known))
    assert abs(told - 10.0) < 0.2 < plain - 10.0


def test_bigger_items_are_steadier_where_the_history_says_so():
    """Relative variance falls as 1 / level: the median of the slopes in logs is -1, and the typical variance of an item
    ten times as big a tenth. With fewer than FEWEST_FOR_SLOPE items there is no slope."""
    tests, variances = [], []
    for n in range(12):
        level = 10.0 * 2**n
        tests.append(back_test(np.tile([level * 0.9, level * 1.1], 6), 4))
        variances.append(5.0 / level)
    shape = fit_shape(tests, variances)
    assert shape.typical_slope == pytest.approx(-1.0, abs=0.02)
    usual = shape.typical_at(shape.usual_level)
    assert usual == pytest.approx(shape.typical)
    assert shape.typical_at(10 * shape.usual_level) == pytest.approx(usual / 10, rel=0.1)
    assert fit_shape(tests[:5], variances[:5]).typical_slope == 0.0
    assert shape.typical_at(0.0) == shape.typical


def test_the_typical_slope_is_that_of_theil_and_sen():
    random = np.random.default_rng(4)
    for _ in range(200):
        x, y = random.normal(size=(2, random.integers(2, 40))).round(1)
        if len(set(x)) > 1:
            assert _median_slope(x, y) == theilslopes(y, x).slope
