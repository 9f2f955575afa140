"""Orders known ahead: the equation of the rest, by hand, and its fit."""

import numpy as np
import pytest

from datong.forecast.orders_in_hand import AheadHistory, AheadShape, fit_ahead, rest_mean, rest_variance


def test_rest_without_holiday():
    """F 100, k 0.3, known 40: slope 0 leaves 70; slope 0.5 leaves 100 x (0.7 + 0.5 x 0.1) = 75."""
    assert rest_mean(40, 100, 0.3, 0.0) == pytest.approx(70)
    assert rest_mean(40, 100, 0.3, 0.5) == pytest.approx(75)
    assert rest_mean(10, 0, 0.3, 0.5) == 0.0


def test_rest_with_a_holiday_that_takes_40_percent():
    """Loss 40. Known 40 > 30: all of it still comes off, 75 - 40 = 35. Known 10: 20 of it has happened, and with the
    loss undone early orders were as usual, so 70 - 20 = 50. Known 0: 30 has happened, 70 - 10 = 60."""
    assert rest_mean(40, 100, 0.3, 0.5, 0.6) == pytest.approx(35)
    assert rest_mean(10, 100, 0.3, 0.5, 0.6) == pytest.approx(50)
    assert rest_mean(0, 100, 0.3, 0.5, 0.6) == pytest.approx(60)


def test_a_holiday_that_adds_scales_the_forecast():
    """F x 1.5 = 150, usual early orders 45 known: 150 x 0.7 = 105 to come."""
    assert rest_mean(45, 100, 0.3, 0.0, 1.5) == pytest.approx(105)


def history(seed: int, slope: float) -> AheadHistory:
    """Forecast 100; early orders 30 +- 8; the rest 70 and `slope` for each early order above 30, +- 3."""
    rng = np.random.default_rng(seed)
    known = rng.normal(30, 8, 40)
    rest = 70 + slope * (known - 30) + rng.normal(0, 3, 40)
    return AheadHistory(known, known + rest, np.full(40, 100.0))


@pytest.mark.parametrize("slope", [-0.5, 0.0, 1.5])
def test_slope_is_found(slope):
    assert fit_ahead([history(i, slope) for i in range(10)]).slope == pytest.approx(slope, abs=0.15)


def test_early_orders_leave_little_unknown():
    """With slope 1 the bucket varies by (2 x 8)^2 + 3^2 = 265, the rest's forecast errs by 9: a ratio below 0.05."""
    histories = [history(i, 1.0) for i in range(10)]
    shape = fit_ahead(histories)
    assert shape.variance_ratio < 0.12
    assert rest_variance(histories[0], shape, 0.04) < 0.12 * 0.04


def test_nothing_known_gives_no_shape():
    assert fit_ahead([]) == AheadShape(0.0, 1.0)
