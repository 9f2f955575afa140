"""The tests are honest on noise, also in few weeks, and find what is planted."""

import numpy as np
import pytest
from scipy import stats

from datong.statistics.false_discovery import false_discovery_q
from datong.statistics.odd_blocks import odd_block, one_block, usual_level
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
    for p_value in (
        odd_block(units).p_value,
        one_block(units, weeks // 2, np.ones(weeks, bool)).p_value,
    ):
        assert not np.isnan(p_value).any()
        for x in (0.05, 0.01, 0.001):
            assert (p_value <= x).mean() <= x + 4 * np.sqrt(x / SERIES)


def test_unknown_weeks_are_passed_over():
    assert np.isnan(odd_block(np.full((1, 20), np.nan)).p_value).all()


def test_a_constant_series_has_no_change():
    flat = np.full((1, 30), 7.0)
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
