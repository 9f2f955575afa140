"""Changes of level watched over time: by hand, against an oracle, honest on noise, the same step by step."""

import numpy as np
import pytest
from online_fdr.e_values import e_bh
from scipy import integrate, stats

from datong.statistics import level_watch
from datong.statistics.common_movement import CommonMovement
from datong.statistics.level_watch import DAYS, WEEKS, Evidence, LevelWatch, watch

ALONE = np.arange(200)


def test_the_bayes_factor_is_that_of_its_integral():
    """Means 10 and 12 of 6 and 4 blocks with squares about them of 5 and 3: B is the ratio of the density of t with a
    change to that without, a noncentral t integrated over the normal prior."""
    before, after = np.zeros((6, 1)), np.zeros((6, 1))
    before[:3, 0], after[:3, 0] = (6, 60, 605), (4, 48, 579)
    own, change = level_watch._bayes_factor(before, after, (np.ones(1), np.ones(1)), np.array([4]))
    worth, noise = 6 * 4 / 10, 8 / 8
    t = 2.0 * np.sqrt(worth / noise)

    def density(size: float) -> float:
        prior = stats.norm.pdf(size, scale=np.sqrt(level_watch.PRIOR_VARIANCE))
        return prior * stats.nct.pdf(t, 8, size * np.sqrt(worth))

    expected = integrate.quad(density, -12, 12)[0] / stats.t.pdf(t, 8)
    assert own[0] == pytest.approx(expected, rel=1e-6)
    assert change[0] == pytest.approx(2.0)


def test_a_mean_of_blocks_that_are_alike_varies_as_the_sum_of_their_correlations():
    """Three blocks with neighbours' correlation 0.25, then 0.125: 1 + 2 (2/3 x 0.25 + 1/3 x 0.125) = 1.41667; of many,
    1 + 2 (0.25 + 0.125 + ...) = 2."""
    many, three = level_watch._dependence(np.array([0.25]), np.array([3.0]))
    assert (many[0], three[0]) == (pytest.approx(2.0), pytest.approx(1.0 + 2.0 * (2 / 3 * 0.25 + 1 / 3 * 0.125)))


def test_alarms_of_one_moment_are_those_of_e_bh():
    random = np.random.default_rng(1)
    for _ in range(50):
        state = LevelWatch(ALONE, WEEKS, 0.1)
        state.block = 30
        log_m = random.exponential(4.0, 200)
        raised = state._raised(Evidence(log_m, np.full(200, 20), np.ones(200)), 200).series
        e_values = np.exp(log_m) / (level_watch.OVERSHOOT * WEEKS.year)
        assert sorted(raised) == np.flatnonzero(e_bh(e_values.tolist(), 0.1)).tolist()


@pytest.mark.parametrize("size", [None, 5.0])
def test_hardly_any_year_of_noise_raises_an_alarm(size: float | None):
    """40 panels of 200 series watched for a year: at most 0.1 of them are expected to have any, 8 are allowed."""
    alarms = 0
    for seed in range(40):
        random = np.random.default_rng([seed, 3])
        mean = random.choice([5.0, 20.0, 100.0], (200, 1))
        shape = (200, 78)
        units = (
            random.poisson(mean, shape) if size is None else random.negative_binomial(size, size / (size + mean), shape)
        )
        alarms += bool(len(watch(units.astype(float), ALONE, WEEKS, 0.1).series))
    assert alarms <= 8


def test_the_share_of_false_alarms_holds_over_a_year_of_looks():
    false, every = 0, 0
    for seed in range(10):
        random = np.random.default_rng([seed, 4])
        mean = np.full((200, 78), 50.0)
        mean[:40, 40:] *= 1.5
        found = watch(random.poisson(mean).astype(float), ALONE, WEEKS, 0.1)
        false += int(((found.series >= 40) | (found.since < 40)).sum())
        every += len(found.series)
        assert len(np.unique(found.series[found.series < 40])) >= 38
    assert false <= 0.1 * every


def test_a_longer_history_only_adds_alarms():
    random = np.random.default_rng(5)
    units = random.poisson(20.0, (30, 120)).astype(float)
    units[:5, 60:] *= 2.0
    units[3:8, 90:] *= 0.3
    units[random.random(units.shape) < 0.05] = np.nan
    groups = np.arange(30) % 3
    whole = watch(units, groups, WEEKS, 0.1)
    assert len(whole.series) >= 8
    for blocks in (70, 100):
        part, old = watch(units[:, :blocks], groups, WEEKS, 0.1), whole.since < blocks
        for one, all_of_it in zip(part, whole, strict=True):
            assert one.tobytes() == all_of_it[old].tobytes()


def test_a_change_starts_a_new_level_and_its_end_is_a_change_again():
    units = np.random.default_rng(6).poisson(100.0, (20, 80)).astype(float)
    units[0, 40:46] *= 2.0
    found = watch(units, np.zeros(20, np.int64), WEEKS, 0.1)
    assert found.series.tolist() == [0, 0]
    np.testing.assert_allclose(found.first, [40, 46], atol=1)
    assert found.begin.tolist() == [0, found.first[0]]
    assert np.sign(found.change_share).tolist() == [1.0, -1.0]


def test_series_that_hardly_sell_and_unknown_ones_are_not_watched():
    units = np.zeros((3, 60))
    units[0, ::4], units[1] = 2.0, np.nan
    units[2] = 1.0 + np.arange(60) % 2
    state = LevelWatch(np.arange(3), WEEKS, 0.1)
    for t in range(60):
        state.look(units[:, t])
    assert state._watched().tolist() == [False, False, True]
    assert watch(np.zeros((0, 5)), np.zeros(0, np.int64), DAYS, 0.1).series.size == 0
    assert all(part.size == 0 for part in watch(np.zeros((3, 0)), np.arange(3), WEEKS, 0.1))  # no whole week yet


def test_a_common_movement_is_found_and_what_one_series_does_is_not_in_it():
    """All sell twice on block 50 and from 60 on; the first sells five times as much from block 40 on."""
    units = np.random.default_rng(7).poisson(400.0, (12, 70)).astype(float)
    units[:, 50] *= 2.0
    units[:, 60:] *= 2.0
    units[0, 40:] *= 5.0
    common = CommonMovement(np.zeros(12, np.int64), 7)
    factor = np.array([common.look(units[:, t])[0] for t in range(70)])
    assert factor[42:60].mean() == pytest.approx(factor[20:40].mean() * 1.06, rel=0.08)
    assert factor[50] / factor[49] == pytest.approx(2.0, rel=0.05)
    assert factor[60:].mean() / factor[55:60].mean() == pytest.approx(2.0, rel=0.1)


def test_a_small_group_takes_the_movement_of_all_and_few_series_have_none():
    units = np.random.default_rng(8).poisson(400.0, (8, 40)).astype(float)
    units[:6, 30] *= 3.0
    groups = np.array([0, 0, 0, 0, 0, 0, 1, 1])
    common, few = CommonMovement(groups, 7), CommonMovement(groups[:4], 7)
    factors = [common.look(units[:, t]) for t in range(40)]
    assert factors[30][7] == pytest.approx(factors[30][0], rel=0.02)
    assert all(few.look(units[:4, t]).tolist() == [1.0] * 4 for t in range(40))


def test_a_rise_by_half_is_found_in_eleven_weeks_on_average():
    """After two years of history, 10 of 200 series, of counts between 10 and 100 a week; one that is not found counts
    as 40 weeks."""
    late = []
    for mean, size in ((10.0, None), (20.0, None), (50.0, 20.0), (100.0, 20.0)):
        for seed in range(3):
            random = np.random.default_rng([seed, int(mean), 9])
            level = np.full((200, 150), mean)
            level[:10, 110:] *= 1.5
            units = random.poisson(level) if size is None else random.negative_binomial(size, size / (size + level))
            found = watch(units.astype(float), ALONE, WEEKS, 0.1)
            since = [found.since[(found.series == i) & (found.since >= 110)] for i in range(10)]
            late += [int(one[0]) - 109 if len(one) else 40 for one in since]
    assert np.mean(late) < 11.4
