"""Jumps followed, noise not chased, drift kept up with, and spreads that hold."""

import numpy as np
import pytest

from datong.forecast.jumping_level import (
    MEMORIES,
    drawn,
    even_draws,
    follow,
    nothing_seen,
    observe,
    sample_paths,
    weights,
)

AHEAD, PATHS = 6, 200


def paths(history, ahead=0, seed=0, buckets=AHEAD):
    history = np.atleast_2d(np.asarray(history, dtype=float))
    return sample_paths(follow(history, AHEAD), buckets, np.full(len(history), ahead), PATHS, seed)


def next_mean(history):
    """(item) mean of the next bucket."""
    return paths(history)[:, :, 0].mean(axis=1)


def steady(items, buckets, seed, deviation=20.0):
    return np.maximum(np.round(np.random.default_rng(seed).normal(100, deviation, (items, buckets))), 0)


def test_level_of_one_memory_by_hand():
    """Memory 0.5, units 8, 4, 10: (10 + 4/2 + 8/4) / (1 + 1/2 + 1/4) = 8; an unknown bucket ages all three."""
    half = list(MEMORIES).index(0.5)
    seen = follow(np.array([[8.0, 4.0, 10.0]]), 1)
    assert seen.level[0, half] == pytest.approx(8.0)
    assert seen.weight[0, half] == pytest.approx(1.75)
    aged = observe(seen, np.array([np.nan]))
    assert aged.level[0, half] == pytest.approx(8.0)
    assert aged.weight[0, half] == pytest.approx(0.875)


def test_a_jump_is_followed_within_three_observations():
    before = steady(50, 20, 1)
    after = before[:, :3] + 100
    gone = [np.median(next_mean(np.concatenate([before, after[:, :k]], axis=1)) - 100) / 100 for k in range(4)]
    assert abs(gone[0]) < 0.1
    assert gone[2] > 0.6
    assert gone[3] > 0.8


def test_noise_is_not_chased():
    """After 40 buckets of noise the level errs half as much as the mean of the last two does (20 / 2^(1/2) = 14)."""
    history = steady(200, 40, 2)
    own = np.sqrt(np.mean((next_mean(history) - 100) ** 2))
    assert own < 0.5 * np.sqrt(np.mean((history[:, -2:].mean(axis=1) - 100) ** 2))


def test_a_drift_is_kept_up_with():
    """Of a level that rises by 6 a bucket the belief is no more than three buckets behind."""
    history = steady(50, 40, 3, deviation=10) + 6 * np.arange(40)
    assert np.median(100 + 6 * 40 - next_mean(history)) < 3 * 6


def test_five_observations_are_enough_to_act():
    """Of the next bucket the 80% interval holds three in four at least, and is no wider than 6 standard deviations."""
    history = steady(400, 6, 4)
    low, high = np.quantile(paths(history[:, :5])[:, :, 0], [0.1, 0.9], axis=1)
    assert np.mean((history[:, 5] >= low) & (history[:, 5] <= high)) > 0.75
    assert np.mean(high - low) < 6 * 20


@pytest.mark.parametrize("ahead", [0, 4])
def test_intervals_hold_what_they_promise(ahead):
    """Noise about a walk, 40 buckets: 80% intervals hold 72 to 90% at 1 and at 5 ahead."""
    random = np.random.default_rng(6)
    level = 150 + np.cumsum(random.normal(0, 6, (300, 46)), axis=1)
    history = np.maximum(np.round(level + random.normal(0, 15, level.shape)), 0)
    low, high = np.quantile(paths(history[:, :40], ahead)[:, :, ahead], [0.1, 0.9], axis=1)
    came = history[:, 40 + ahead]
    assert 0.72 < np.mean((came >= low) & (came <= high)) < 0.90


def test_what_lasts_of_an_error_is_shared_by_the_buckets_of_a_path():
    """Variance of the sum of 5 buckets over the sum of variances: of a walk 55 / 15 = 3.7, of noise about 1."""
    random = np.random.default_rng(7)
    walk = np.round(300 + np.cumsum(random.normal(0, 20, (40, 50)), axis=1))
    noise = np.round(random.normal(300, 40, (40, 50)))
    for history, least, most in ((np.maximum(walk, 0), 3.0, 4.5), (noise, 1.0, 1.6)):
        drawn_paths = paths(history, 4)[:, :, :5]
        assert least < np.mean(drawn_paths.sum(axis=2).var(axis=1) / drawn_paths.var(axis=1).sum(axis=1)) < most


def test_weights_are_chances_and_go_to_short_memories_after_a_jump():
    jumped = np.concatenate([steady(30, 20, 8), steady(30, 3, 9) + 150], axis=1)
    quiet, loud = (weights(follow(h, AHEAD), np.zeros(30, dtype=int)) for h in (jumped[:, :20], jumped))
    assert quiet.sum(axis=1) == pytest.approx(1.0)
    assert quiet[:, MEMORIES >= 0.85].sum(axis=1).mean() > 0.7
    assert loud[:, MEMORIES <= 0.7].sum(axis=1).mean() > 0.7


def test_where_errors_fade_a_forecast_farther_ahead_has_a_longer_memory():
    """Of y = 100 + 0.8 (last - 100) + noise the last bucket tells much of the next one, and less of the sixth."""
    random = np.random.default_rng(14)
    away = np.zeros((60, 60))
    for t in range(1, 60):
        away[:, t] = 0.8 * away[:, t - 1] + random.normal(0, 12, 60)
    belief = follow(np.maximum(np.round(100 + away), 0), AHEAD)
    near, far = (weights(belief, np.full(60, ahead)) @ MEMORIES for ahead in (0, 5))
    assert near.mean() < 0.6
    assert far.mean() > near.mean() + 0.1


def test_paths_are_whole_never_below_nothing_and_the_same_bytes():
    history = np.random.default_rng(10).poisson(1.0, (20, 30)).astype(float)
    first = paths(history)
    assert (first == np.round(first)).all()
    assert first.min() >= 0
    assert first.tobytes() == paths(history).tobytes()
    assert first.tobytes() != paths(history, seed=1).tobytes()


def test_items_do_not_learn_from_one_another():
    history = np.random.default_rng(11).poisson(30, (15, 25)).astype(float)
    history[:5, :9] = np.nan
    together = paths(history, 3)
    for i in (0, 7, 14):
        assert together[i].tolist() == paths(history[i : i + 1], 3)[0].tolist()


def test_the_unit_of_measure_does_not_matter():
    history = steady(20, 30, 12)
    assert next_mean(history * 1000) == pytest.approx(1000 * next_mean(history), rel=0.01)


def test_nothing_sold_or_nothing_known_is_no_demand_and_no_error():
    assert paths(np.zeros((1, 8))).mean() < 0.5
    assert not sample_paths(nothing_seen(2, AHEAD), 3, np.zeros(2, dtype=int), 10, 0).any()
    assert not paths(np.full((1, 4), np.nan)).any()


def test_leading_unknown_buckets_change_nothing():
    history = steady(1, 10, 13)
    assert paths(np.concatenate([np.full((1, 6), np.nan), history], axis=1)).tolist() == paths(history).tolist()


def test_draws_are_even_and_pick_each_outcome_in_its_share():
    assert sorted(even_draws(8, 0, 3)) == pytest.approx((np.arange(8) + 0.5) / 8)
    picked = drawn(np.array([[0.25, 0.0, 0.75]]), even_draws(8, 0, 3))
    assert np.bincount(picked[0], minlength=3).tolist() == [2, 0, 6]
