"""Effects held against like series: intervals that hold what was planted, whatever drew attention."""

import numpy as np
import pytest

from datong.model.flow import FloatArray
from datong.statistics.synthetic_control import EARLY_MIN, LATE_MIN, effect

SERIES, WEEKS, AFTER, WINDOW = 16, 48, 40, 3


def panel(rng: np.random.Generator, series: int = SERIES) -> FloatArray:
    """(series, week) units with levels, seasons and drifts of their own, and noise beyond Poisson."""
    level = np.exp(rng.normal(4, 0.8, series))
    season = 0.3 * np.sin(np.arange(WEEKS) * 2 * np.pi / 52)[None] * rng.uniform(0, 1, (series, 1))
    drift = np.cumsum(rng.normal(0, 0.02, (series, WEEKS)), axis=1)
    shared = np.cumsum(rng.normal(0, 0.03, WEEKS))[None]
    return rng.poisson(level[:, None] * np.exp(season + drift + shared) * rng.gamma(20, 1 / 20, (series, WEEKS)))


@pytest.mark.parametrize("drew_attention", ["nothing", "spike", "shift"])
def test_nine_intervals_in_ten_hold_the_effect(drew_attention: str) -> None:
    """24 panels: a fifth of the level more for half of them, nothing for the rest. Of 'spike' the series is the one
    that stands out most by chance; of 'shift' one that really rose by 60% before anybody acted."""
    held, widths = [], []
    for seed in range(24):
        rng = np.random.default_rng([seed, 7])
        units = panel(rng).astype(float)
        begin = AFTER if drew_attention == "nothing" else AFTER - WINDOW * (2 if drew_attention == "shift" else 1)
        at = 0
        if drew_attention == "spike":
            stands_out = units[:, begin:AFTER].mean(axis=1) / units[:, :begin].mean(axis=1)
            at = int(np.argmax(stands_out))
        own, like = units[at].copy(), np.delete(units, at, axis=0)
        if drew_attention == "shift":
            own[begin:] *= 1.6
        planted = own[AFTER:] * (0.2 if seed % 2 else 0.0)
        own[AFTER:] += planted
        found = effect(own, like, begin, AFTER, lasts=drew_attention == "shift")
        assert found is not None
        held.append(found.low <= planted.mean() / found.level <= found.high)
        widths.append(found.high - found.low)
    assert np.mean(held) >= 0.8
    assert np.median(widths) < (1.2 if drew_attention == "shift" else 0.6)


def test_a_large_effect_is_told_and_the_control_follows_the_season() -> None:
    """Every series rises by half in the late weeks; one of them by three quarters more."""
    units = panel(np.random.default_rng(3)).astype(float)
    units[:, AFTER:] *= 1.5
    own = units[0].copy()
    own[AFTER:] *= 1.75
    found = effect(own, units[1:], AFTER, AFTER)
    assert found is not None
    assert found.low > 0.2
    assert found.p_value < 0.1
    assert found.units[0] == pytest.approx(found.share * own[:AFTER].mean())
    assert found.weights.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("begin", "after", "series"),
    [(EARLY_MIN - 1, EARLY_MIN, SERIES), (WEEKS - LATE_MIN + 1, WEEKS - LATE_MIN + 1, SERIES), (AFTER, AFTER, 4)],
)
def test_too_little_is_no_effect(begin: int, after: int, series: int) -> None:
    units = panel(np.random.default_rng(1), series).astype(float)
    assert effect(units[0], units[1:], begin, after) is None


def test_unknown_weeks_are_left_out_and_a_series_that_never_sold_is_none() -> None:
    units = panel(np.random.default_rng(2)).astype(float)
    units[0, 5:9] = units[3, 41] = np.nan
    found = effect(units[0], units[1:], AFTER, AFTER)
    assert found is not None
    assert np.isfinite([found.low, found.high, found.share]).all()
    assert effect(np.zeros(WEEKS), units[1:], AFTER, AFTER) is None
