"""The tests are honest on noise, also in few weeks, and find what is planted."""

import numpy as np
import pytest
from scipy import stats

from datong.statistics.changes import level_shift, odd_block, one_block, recent_change, stabilised, usual_level
from datong.statistics.false_discovery import false_discovery_q
from datong.statistics.rates import rate_rise

SERIES = 20_000


def noise(kind: str, weeks: int, rng: np.random.Generator) -> np.ndarray:
    """(series, week) pure noise of many levels and dispersions."""
    level = rng.choice([3.0, 10.0, 50.0, 1000.0], (SERIES, 1))
    if kind == "poisson":
        return rng.poisson(level, (SERIES, weeks)).astype(float)
    if kind == "lognormal":
        return level * np.exp(0.5 * rng.normal(size=(SERIES, weeks)))
    size = rng.choice([1.0, 2.0, 5.0, 20.0], (SERIES, 1))
    return rng.negative_binomial(size, size / (size + level), (SERIES, weeks)).astype(float)


@pytest.mark.parametrize("kind", ["poisson", "negative binomial", "lognormal"])
@pytest.mark.parametrize("weeks", [16, 31])
def test_p_values_are_honest_on_noise(kind: str, weeks: int):
    """P(p <= x) <= x at 5%, 1% and 0.1%, with four standard errors of 20,000 series to spare."""
    units = noise(kind, weeks, np.random.default_rng([weeks, len(kind)]))
    first = np.zeros(SERIES, np.int64)
    for p_value in (
        level_shift(stabilised(units)).p_value,
        recent_change(stabilised(units), first).p_value,
        odd_block(units).p_value,
        one_block(units, weeks // 2, np.ones(weeks, bool)).p_value,
    ):
        assert not np.isnan(p_value).any()
        for x in (0.05, 0.01, 0.001):
            assert (p_value <= x).mean() <= x + 4 * np.sqrt(x / SERIES)


def test_neighbouring_weeks_that_are_alike_do_not_pass_for_shifts():
    """First-order correlation 0.5 in 31 weeks: without its correction one series in five has p <= 0.01."""
    rng = np.random.default_rng(1)
    shocks = rng.normal(size=(SERIES, 60))
    path = np.zeros((SERIES, 60))
    for t in range(1, 60):
        path[:, t] = 0.5 * path[:, t - 1] + shocks[:, t]
    p_value = level_shift(stabilised(1000 + 100 * path[:, -31:])).p_value
    assert (p_value <= 0.01).mean() <= 0.01


def test_a_shift_of_three_standard_deviations_is_found_at_its_week():
    rng = np.random.default_rng(2)
    y = rng.normal(50.0, 1.0, (2000, 31))
    at = rng.integers(6, 26, 2000)
    y[np.arange(31)[None, :] >= at[:, None]] -= 3.0
    shift = level_shift(y)
    assert (shift.p_value <= 1e-3).mean() > 0.9
    assert (np.abs(shift.block - at) <= 1).mean() > 0.95
    assert -3.4 < np.median(shift.strength) < -2.6


def test_four_recent_weeks_three_standard_deviations_up_are_found():
    rng = np.random.default_rng(3)
    y = rng.normal(50.0, 1.0, (2000, 31))
    y[:, -4:] += 3.0
    assert (recent_change(y, np.zeros(2000, np.int64)).p_value <= 1e-3).mean() > 0.85


def test_the_shift_by_hand():
    """Levels 10 and 16 with residuals +1, -1 in turn, six weeks each: noise = sqrt(12 / (12 - 2)) = 1.095; strength =
    6 / 1.095 = 5.48. The residuals alternate, so that their correlation is below 0 and counts as 0;
    t = 6 / (1.095 sqrt(1/6 + 1/6)) = 9.49."""
    wave = np.tile([1.0, -1.0], 6)
    y = (np.repeat([10.0, 16.0], 6) + wave)[None, :]
    shift = level_shift(y)
    assert shift.block[0] == 6
    assert shift.strength[0] == pytest.approx(6 / np.sqrt(1.2))
    z = stats.norm.isf(stats.t.sf(9.4868330, 10))
    edge = 4 / 12
    tail = 4 * stats.norm.pdf(z) / z + stats.norm.pdf(z) * (z - 1 / z) * np.log((1 - edge) ** 2 / edge**2)
    assert shift.p_value[0] == pytest.approx(tail, rel=1e-5)


def test_unknown_weeks_are_passed_over():
    """A gap between two levels belongs to neither: the new level begins with its first known week."""
    y = np.array([[10.0, 11, 10, 11, 10, 11, np.nan, np.nan, 20, 21, 20, 21, 20, 21]])
    assert level_shift(y).block[0] == 8
    nothing = level_shift(np.full((2, 20), np.nan))
    assert np.isnan(nothing.p_value).all()
    assert np.isnan(level_shift(np.ones((1, 5))).p_value).all()
    assert np.isnan(recent_change(np.full((1, 20), np.nan), np.zeros(1, np.int64)).p_value).all()
    assert np.isnan(odd_block(np.full((1, 20), np.nan)).p_value).all()


def test_a_constant_series_has_no_change():
    flat = np.full((1, 30), 7.0)
    assert level_shift(flat).p_value[0] == 1.0
    assert recent_change(flat, np.zeros(1, np.int64)).p_value[0] == 1.0
    assert odd_block(flat).p_value[0] == 1.0


def test_the_usual_level_is_the_median_of_three_on_each_side():
    values = np.array([[1.0, 2.0, 3.0, 100.0, 4.0, 5.0, 6.0, np.nan]])
    level, count = usual_level(values)
    assert level[0, 3] == 3.5  # of 1 2 3 4 5 6
    assert level[0, 0] == 3.0  # of 2 3 100
    assert count[0].tolist() == [3, 4, 5, 6, 5, 4, 3, 3]


def test_one_wild_week_is_found_and_named():
    rng = np.random.default_rng(4)
    units = rng.poisson(100.0, (500, 31)).astype(float)
    units[:, 20] = 250.0
    odd = odd_block(units)
    assert (odd.block == 20).all()
    assert (odd.p_value <= 1e-3).mean() > 0.95


def test_q_values_are_those_of_benjamini_and_hochberg():
    p = np.random.default_rng(5).random(50) ** 3
    np.testing.assert_allclose(false_discovery_q(p), stats.false_discovery_control(p, method="bh"))
    assert false_discovery_q([0.01, 0.04, 0.03]).tolist() == pytest.approx([0.03, 0.04, 0.04])
    assert false_discovery_q([]).size == 0


def test_rates_are_compared_by_the_binomial():
    """8 returns on 100 sold after 2 on 100: of 10 returns 8 or more by heads or tails, (45 + 10 + 1) / 1024."""
    p = rate_rise(np.array([8]), np.array([2]), np.array([100.0]), np.array([100.0]))
    assert p[0] == pytest.approx(56 / 1024)


def test_rates_are_scipys_binomial_to_the_last_bit():
    random = np.random.default_rng(2)
    recent, before = random.integers(0, 300, 20_000), random.integers(0, 300, 20_000)
    sold = random.uniform(0, 1000, (2, 20_000)).round()
    share = sold[0] / np.maximum(sold[0] + sold[1], 1e-12)
    expected = stats.binom.sf(recent - 1, recent + before, share)
    assert rate_rise(recent, before, sold[0], sold[1]).tobytes() == expected.tobytes()
