"""How demand answers to prices and promotions: honest on known elasticities, none included; silent without moves."""

import numpy as np
import pytest

from datong.model.flow import NINE_IN_TEN, FloatArray
from datong.statistics.price_response import Panel, drawn_together, of_late, responses

ITEMS, WEEKS = 24, 104
STEPS = (-0.25, -0.15, -0.1, 0.0, 0.1)


def planted(
    seed: int, elasticities: tuple[float, ...], uplift: float = 0.0, later: float = 0.0
) -> tuple[Panel, FloatArray]:
    """Items of some 25 a week with a season, a wandering level, four new prices and four promoted weeks each; and their
    elasticities, by turns, `later` more in the second half."""
    rng = np.random.default_rng(seed)
    slope = np.array([elasticities[i % len(elasticities)] for i in range(ITEMS)])
    level = np.log(20) + rng.normal(0, 0.6, (ITEMS, 1)) + np.cumsum(rng.normal(0, 0.03, (ITEMS, WEEKS)), axis=1)
    price, promoted = np.zeros((ITEMS, WEEKS)), np.zeros((ITEMS, WEEKS))
    for own, days in zip(price, promoted, strict=True):
        for week in np.sort(rng.integers(4, WEEKS, 4)).tolist():
            own[week:] = rng.choice(STEPS)
        days[rng.integers(4, WEEKS, 4)] = 1.0
    season = 0.4 * np.sin(np.arange(WEEKS) * 2 * np.pi / 52)
    by_week = slope[:, None] + np.where(np.arange(WEEKS) < WEEKS // 2, 0.0, later)
    units = rng.poisson(np.exp(level + season + by_week * price + uplift * promoted)).astype(float)
    return Panel(units, price + 2.0, promoted), slope


def covered(elasticities: tuple[float, ...], seeds: int = 10) -> tuple[float, float]:
    """Share of items whose 90% interval holds the planted value; mean error."""
    inside, errors = [], []
    for seed in range(seeds):
        panel, slope = planted(seed, elasticities)
        found, _ = responses(panel)
        there = ~np.isnan(found.slope)
        away = (found.slope - slope)[there]
        inside += (np.abs(away) <= NINE_IN_TEN * found.doubt[there]).tolist()
        errors += away.tolist()
    return float(np.mean(inside)), float(np.mean(errors))


@pytest.mark.parametrize("elasticities", [(0.0,), (-2.0,), (-2.0, -1.0, 0.0)])
def test_intervals_hold_what_is_planted_none_included(elasticities: tuple[float, ...]) -> None:
    """200 items and more: standard error of the share some 0.02, of the mean error some 0.05."""
    share, error = covered(elasticities)
    assert share > 0.85
    assert abs(error) < 0.2


def test_uplift_and_elasticity_are_told_apart() -> None:
    panel, _ = planted(1, (-2.0,), uplift=0.7)
    price, promotion = responses(panel)
    assert price.overall == pytest.approx(-2.0, abs=3 * price.overall_doubt)
    assert promotion.overall == pytest.approx(0.7, abs=3 * promotion.overall_doubt)
    assert price.overall_doubt < 0.4 and promotion.overall_doubt < 0.1
    assert price.p_value < 0.05 and promotion.p_value < 0.05


def test_what_does_nothing_earns_nothing() -> None:
    earned = [r.p_value < 0.05 for seed in range(16) for r in responses(planted(seed, (0.0,))[0])]
    assert sum(earned) <= 1


def test_an_answer_that_changed_counts_as_it_is_of_late() -> None:
    steady, _ = responses(planted(2, (-1.0,))[0])
    changed, _ = responses(planted(2, (-1.0,), later=-4.0)[0])
    assert not steady.late_only and abs(steady.drift) < 3 * steady.drift_doubt
    assert changed.late_only and changed.drift == pytest.approx(-4.0, abs=3 * changed.drift_doubt)
    assert changed.overall == pytest.approx(-5.0, abs=3 * changed.overall_doubt)


def test_a_price_that_never_moved_says_nothing() -> None:
    panel, _ = planted(3, (-2.0,))
    panel.price[0] = 2.0
    panel.promoted[0] = 0.0
    price, promotion = responses(panel)
    assert np.isnan(price.slope[0]) and np.isnan(promotion.slope[0])
    still = Panel(panel.units, np.full_like(panel.price, 2.0), np.zeros_like(panel.promoted))
    for found in responses(still):
        assert found.moved == 0 and np.isnan(found.p_value) and np.isnan(found.overall)


def test_weeks_without_stock_are_left_out() -> None:
    """Each item is out of stock whenever its price is low: counted as zero sales its answer would look weaker."""
    panel, _ = planted(4, (-2.0,))
    empty = (panel.price < 1.8) & (np.random.default_rng(1).random(panel.price.shape) < 0.5)
    hidden = Panel(np.where(empty, np.nan, panel.units), panel.price, panel.promoted)
    counted = Panel(np.where(empty, 0.0, panel.units), panel.price, panel.promoted)
    assert responses(hidden)[0].overall == pytest.approx(-2.0, abs=0.8)
    assert responses(counted)[0].overall > -1.4


def test_values_are_drawn_together_as_far_as_they_are_in_doubt() -> None:
    """Three values of -1 with errors 0.1 and one of -3 with error 2: that one is drawn near to -1, the others stay."""
    found = drawn_together(np.array([-1.0, -1.0, -1.0, -3.0, np.nan]), np.array([0.1, 0.1, 0.1, 2.0, np.nan]))
    assert found.slope[:3] == pytest.approx([-1.0] * 3, abs=0.05)
    assert -1.4 < found.slope[3] < -1.0
    assert found.doubt[3] < 1.0
    assert np.isnan(found.slope[4])
    two = drawn_together(np.array([-1.0, -3.0]), np.array([0.5, 0.5]))
    assert two.slope == pytest.approx([-1.0, -3.0], abs=0.01)


def test_what_is_usual_of_late_weighs_the_last_most() -> None:
    """2 then 1: (0.7 * 2 + 1) / 1.7 = 1.412; unknown ones do not count."""
    assert of_late(np.array([[np.nan, 2.0, 1.0], [np.nan] * 3]))[0] == pytest.approx(2.4 / 1.7)
    assert np.isnan(of_late(np.full((1, 3), np.nan))).all()
