"""forecast(): what holds for every set of paths, and that their spread is right."""

from dataclasses import replace

import numpy as np
import pytest

from datong.forecast.paths import forecast
from datong.model.flow import Item, nothing_learnt

LEVELS = np.array([0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95])


def counts(items: int, buckets: int, seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).poisson(20, (items, buckets)).astype(float) + 1


def pinball(actual: np.ndarray, paths: np.ndarray) -> np.ndarray:
    over = actual - np.quantile(paths, LEVELS, axis=1)
    level = LEVELS.reshape(-1, *([1] * actual.ndim))
    return np.maximum(level * over, (level - 1) * over).mean(axis=0)


def coverage(actual: np.ndarray, paths: np.ndarray) -> float:
    low, high = np.quantile(paths, [0.1, 0.9], axis=1, method="inverted_cdf")
    return float(np.mean((actual >= low) & (actual <= high)))


def test_same_seed_same_bytes_and_other_seed_other_paths(make_sensed):
    sensed = make_sensed(counts(4, 30))
    one, two = (forecast(sensed, nothing_learnt(), 50, 7) for _ in range(2))
    assert one.paths.tobytes() == two.paths.tobytes()
    assert not np.array_equal(one.paths, forecast(sensed, nothing_learnt(), 50, 8).paths)


def test_shape_and_labels(make_sensed):
    sensed = make_sensed(counts(4, 30), horizon=5)
    result = forecast(sensed, nothing_learnt(), 50, 7)
    assert result.paths.shape == (4, 50, 5)
    assert result.items == sensed.series.items
    assert result.bucket_starts == sensed.series.horizon_starts
    assert (result.backtest_windows > 0).all()
    assert not result.prior.any()


def test_whole_history_gives_whole_paths_and_nothing_is_negative(make_sensed):
    units = counts(3, 30)
    units[1] += 0.25
    paths = forecast(make_sensed(units), nothing_learnt(), 100, 7).paths
    assert np.array_equal(paths[[0, 2]], np.round(paths[[0, 2]]))
    assert not np.array_equal(paths[1], np.round(paths[1]))
    assert (paths >= 0).all()


def test_an_items_random_numbers_do_not_depend_on_its_place(make_sensed):
    units = counts(6, 30)
    names = [f"p{i}" for i in range(6)]
    forward = forecast(make_sensed(units, names=names), nothing_learnt(), 50, 7).paths
    backward = forecast(make_sensed(units[::-1], names=names[::-1]), nothing_learnt(), 50, 7).paths
    assert np.array_equal(forward, backward[::-1])


def test_given_demand_is_in_every_path(make_sensed):
    given = np.full((2, 4), np.nan)
    given[0] = [5.0, np.nan, 7.0, 0.0]
    result = forecast(make_sensed(counts(2, 30), given=given), nothing_learnt(), 20, 7)
    assert result.method[0] == "given"
    assert np.array_equal(result.paths[0], np.tile([5.0, 0.0, 7.0, 0.0], (20, 1)))
    assert result.method[1] != "given"


def test_paths_are_never_below_what_is_known(make_sensed):
    units = counts(2, 30)
    known = np.array([[90.0, 0.0, 200.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    paths = forecast(make_sensed(units, known_ahead=known), nothing_learnt(), 50, 7).paths
    assert (paths[0] >= known[0]).all()
    assert paths[0, :, 2].min() == 200.0


def test_early_orders_move_the_first_bucket_and_narrow_it(make_sensed):
    """Half of every bucket's 40 or so units are ordered before it opens; 30 early ones announce about 30 + 20."""
    rng = np.random.default_rng(1)
    early, late = rng.poisson(20, (5, 40)).astype(float), rng.poisson(20, (5, 40)).astype(float)
    plain = forecast(make_sensed(early + late), nothing_learnt(), 400, 7).paths[:, :, 0]
    known = np.zeros((5, 4))
    known[:, 0] = 30.0
    sensed = make_sensed(early + late, known_ahead=known, known_history=early)
    informed = forecast(sensed, nothing_learnt(), 400, 7).paths[:, :, 0]
    assert (informed >= 30).all()
    assert informed.mean() == pytest.approx(50, abs=2.5)
    assert plain.mean() == pytest.approx(40, abs=2)
    assert informed.std(axis=1).mean() < 0.85 * plain.std(axis=1).mean()


def test_a_censored_bucket_is_not_low_demand(make_sensed):
    units = counts(3, 30)
    units[:, 22:28] = np.nan
    paths = forecast(make_sensed(units), nothing_learnt(), 400, 7).paths
    assert paths.mean() == pytest.approx(21, abs=1.5)
    zeros = np.nan_to_num(units)
    assert forecast(make_sensed(zeros), nothing_learnt(), 400, 7).paths.mean() < 17


def test_a_product_without_history_sells_like_its_category(make_sensed):
    """Look-alikes sell 1 and 100 a bucket; the new one takes the level of its own category, widely."""
    units = np.vstack([np.full((3, 30), 1.0), np.full((3, 30), 100.0), np.full((2, 30), np.nan)])
    category = ["a"] * 3 + ["b"] * 3 + ["a", "b"]
    # The two have waited 30 buckets each and nothing was launched: the chance to start is (0 + 1) / 61 a bucket.
    result = forecast(make_sensed(units, category=category), nothing_learnt(), 2000, 7)
    assert result.prior.tolist() == [False] * 6 + [True, True]
    assert result.method[6:] == ("prior", "prior")
    sold = [p[p.sum(axis=1) > 0] for p in result.paths[6:]]
    assert len(sold[1]) / 2000 == pytest.approx(4 / 61, abs=0.02)
    assert np.median(sold[1].max(axis=1)) > 10 * np.median(sold[0].max(axis=1))
    spread = np.quantile(sold[1][:, -1], [0.1, 0.9])
    assert spread[1] > 5 * max(spread[0], 1)


def test_a_chain_without_any_history_has_a_weak_prior(make_sensed):
    result = forecast(make_sensed(np.full((2, 0), np.nan)), nothing_learnt(), 1000, 7)
    assert result.prior.all()
    assert (result.paths == 0).mean() > 0.6
    assert result.paths.mean() == pytest.approx(0.5, abs=0.15)


def test_one_sale_is_a_prior_and_moves_it(make_sensed):
    units = np.vstack([np.full((4, 30), 50.0), np.full((2, 30), np.nan)])
    units[4, -1], units[5, -2:] = 5.0, 500.0
    result = forecast(make_sensed(units), nothing_learnt(), 1000, 7)
    low, high = result.paths[4].mean(), result.paths[5].mean()
    assert result.method[4:] == ("prior", "prior")
    assert 5 < low < 50 < high < 500


def test_what_was_learnt_is_applied(make_sensed):
    sensed = make_sensed(counts(2, 30) * 10)
    plain = forecast(sensed, nothing_learnt(), 1000, 7).paths
    more = forecast(sensed, replace(nothing_learnt(), forecast_ratio={Item("p0", "all"): 1.5}), 1000, 7).paths
    assert more[0].mean() / plain[0].mean() == pytest.approx(1.5, rel=0.02)
    assert np.array_equal(more[1], plain[1])
    wide = forecast(sensed, replace(nothing_learnt(), spread_ratio={1: 2.0}), 1000, 7).paths
    assert wide[0, :, 1].std() / plain[0, :, 1].std() == pytest.approx(2.0, rel=0.05)
    assert np.array_equal(wide[0, :, 1], np.round(wide[0, :, 1]))
    assert np.array_equal(wide[:, :, [0, 2, 3]], plain[:, :, [0, 2, 3]])


@pytest.mark.parametrize("kind", ["poisson", "negative binomial", "drifting level", "lumpy"])
def test_intervals_of_buckets_and_of_sums_cover(make_sensed, kind):
    """80 % intervals over 200 simulated series of 40 weeks hold 70 to 90 % of what comes, together and alone; of
    lumpy counts up to 92 %, since many lie on an end of the interval."""
    rng = np.random.default_rng(11)
    past, ahead = 40, 8
    mean = rng.lognormal(3.5, 0.6, 200)[:, None] * np.ones((1, past + ahead))
    if kind == "negative binomial":
        mean = mean * rng.gamma(2.0, 0.5, mean.shape)
    elif kind == "drifting level":
        state = np.zeros(mean.shape)
        for t in range(1, past + ahead):
            state[:, t] = 0.9 * state[:, t - 1] + rng.normal(0, 0.15, 200)
        mean = mean * np.exp(state)
    elif kind == "lumpy":
        mean = mean * rng.gamma(2.0, 0.5, mean.shape) * (rng.random(mean.shape) < 0.4)
    units = rng.poisson(mean).astype(float)
    units[:, 0] += 1
    paths = forecast(make_sensed(units[:, :past], ahead), nothing_learnt(), 300, 1).paths
    future, most = units[:, past:], 0.92 if kind == "lumpy" else 0.9
    assert 0.7 <= np.mean([coverage(future[:, h], paths[:, :, h]) for h in range(ahead)]) <= most
    assert 0.7 <= coverage(future[:, :4].sum(axis=1), paths[:, :, :4].sum(axis=2)) <= most
    assert 0.7 <= coverage(future.sum(axis=1), paths.sum(axis=2)) <= most


def test_one_path_is_the_mean_of_many(make_sensed):
    """Of a product with a history, of a slow one and of one never sold, what was learnt included: in whole units, so
    that it is the sums of buckets that are the mean's."""
    units = np.vstack([counts(1, 30) * 10, np.tile([1.0, 0, 0], 10)[None], np.full((1, 30), np.nan)])
    learnt = replace(nothing_learnt(), spread_ratio={1: 1.5})
    one = forecast(make_sensed(units, 30), learnt, 1, 7).paths
    many = forecast(make_sensed(units, 30), nothing_learnt(), 20_000, 7).paths
    assert one.shape == (3, 1, 30)
    assert np.array_equal(one, np.round(one))
    # The level of what was never sold is far from certain, and so is its mean over paths.
    for row, (rel, units_off) in enumerate(((0.02, 0.6), (0.02, 0.6), (0.1, 1.0))):
        assert np.cumsum(one[row, 0]) == pytest.approx(np.cumsum(many[row].mean(axis=0)), rel=rel, abs=units_off), row
    # None of 30 buckets saw a launch: each further one has a chance of 1 in 31.
    assert one[2, 0, :15].sum() < 0.6 * one[2, 0, 15:].sum()


def test_intermittent_paths_are_empty_as_often_as_the_past(make_sensed):
    rng = np.random.default_rng(2)
    units = (rng.random((30, 60)) < 0.3) * (1 + rng.poisson(9, (30, 60))).astype(float)
    units[:, 0] = 1
    result = forecast(make_sensed(units), nothing_learnt(), 300, 1)
    assert (result.paths == 0).mean() == pytest.approx(0.7, abs=0.06)
    assert result.paths.mean() == pytest.approx(3.0, abs=0.4)
    assert np.array_equal(result.paths, np.round(result.paths))


def test_daily_series_keep_their_weekday_pattern(make_sensed):
    rng = np.random.default_rng(4)
    pattern = np.array([1.0, 1.0, 1.0, 1.0, 2.0, 3.0, 0.0])
    units = rng.poisson(30 * np.tile(pattern, 10), (5, 70)).astype(float)
    mean = forecast(make_sensed(units, 14, bucket_days=1), nothing_learnt(), 300, 1).paths.mean(axis=(0, 1))
    assert mean == pytest.approx(30 * np.tile(pattern, 2), rel=0.12, abs=0.6)


def test_on_real_orders_it_beats_an_average_and_covers(supplygraph):
    """Origins 14, 18, 22, 26 of SupplyGraph; the peer has the 8-week mean and normal intervals of its past errors."""
    ours, peer, held, together = [], [], [], []
    for origin in (14, 18, 22, 26):
        sensed = supplygraph.sensed(origin, with_early=False)
        paths = forecast(sensed, nothing_learnt(), 200, 0).paths
        actual = supplygraph.units[:, origin : origin + 13]
        often = (supplygraph.units[:, :origin] > 0).sum(axis=1) >= 8
        scale = actual[often].mean(axis=1, keepdims=True)
        reach = actual.shape[1]
        past = np.nan_to_num(sensed.series.units)
        errors = np.stack([past[:, t] - past[:, max(t - 8, 0) : t].mean(axis=1) for t in range(4, origin)], axis=1)
        normal = np.random.default_rng(0).standard_normal(400)
        average = np.maximum(past[:, -8:].mean(axis=1)[:, None] + errors.std(axis=1)[:, None] * normal, 0)
        ours.append(np.mean(pinball(actual[often], paths[often, :, :reach]) / scale))
        peer.append(np.mean(pinball(actual[often], np.repeat(average[often, :, None], reach, axis=2)) / scale))
        held += [coverage(actual[often, h], paths[often, :, h]) for h in range(reach)]
        together.append(coverage(actual[often, :4].sum(axis=1), paths[often, :, :4].sum(axis=2)))
    assert np.mean(ours) / np.mean(peer) < 0.97
    assert 0.7 <= np.mean(held) <= 0.9
    assert 0.65 <= np.mean(together) <= 0.9


def test_orders_taken_early_sharpen_the_first_week_of_real_orders(supplygraph):
    """SupplyGraph promises three days: Friday's to Sunday's orders are known when the week opens."""
    loss = {True: 0.0, False: 0.0}
    for origin in range(16, 31, 2):
        for early in loss:
            paths = forecast(supplygraph.sensed(origin, with_early=early, horizon=2), nothing_learnt(), 200, 0).paths
            loss[early] += float(pinball(supplygraph.units[:, origin], paths[:, :, 0]).sum())
    assert loss[True] / loss[False] < 0.85


def test_a_chain_that_starts_with_an_unknown_bucket_has_launched_nothing(make_sensed):
    """Two of five products never sold in 20 known buckets: the chance to start is 1 / 41, not that of five launches."""
    units = np.full((5, 21), 30.0)
    units[:, 0] = np.nan
    units[3:] = np.nan
    paths = forecast(make_sensed(units), nothing_learnt(), 2000, 7).paths
    assert (paths[3:].sum(axis=2) > 0).mean() == pytest.approx(4 / 41, abs=0.03)


def test_no_items(make_sensed):
    assert forecast(make_sensed(np.zeros((0, 5))), nothing_learnt(), 10, 0).paths.shape == (0, 10, 4)
