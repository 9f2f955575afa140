"""The filter, its smoothing, its likelihood and its paths against the same worked out from one large normal law."""

import numpy as np
import pytest

from datong.statistics.wandering_levels import (
    WALKS,
    Levels,
    Readings,
    Walk,
    drawn,
    filtered,
    levels,
    readings,
    smoothed,
)

WEEKS, VALUES = 6, 2


def seen(rng: np.random.Generator) -> Readings:
    """Readings of every week but the third, of which nothing is known."""
    precision = np.zeros((WEEKS, VALUES, VALUES))
    for t in range(WEEKS):
        root = rng.normal(size=(VALUES, VALUES))
        precision[t] = 40.0 * root @ root.T if t != 2 else 0.0
    weighted = np.einsum("tij,tj->ti", precision, rng.normal(0, 0.3, (WEEKS, VALUES)))
    return Readings(precision, weighted)


def law(walk: Walk, until: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean 0 and variance of the levels of the weeks before `until`, one after another, without readings: from the walk
    alone, by sums of its noise."""
    (one,) = filtered(Readings(np.zeros((until, VALUES, VALUES)), np.zeros((until, VALUES))), [walk])
    states = one.level.shape[1]
    variance = np.zeros((until, states, until, states))
    for t in range(until):
        variance[t, :, t] = one.before_spread[t]
        for later in range(t + 1, until):
            variance[later, :, t] = one.moves @ variance[later - 1, :, t]
            variance[t, :, later] = variance[later, :, t].T
    levels_only = variance[:, :VALUES, :, :VALUES].reshape(until * VALUES, until * VALUES)
    return np.zeros(until * VALUES), levels_only


def conditioned(walk: Walk, said: Readings, until: int, ahead: int = 0) -> tuple[np.ndarray, np.ndarray, float]:
    """Mean and variance of the levels given the readings before `until`, and the log of how likely these are, but for
    what does not depend on the walk: N(0, V) times exp(-x'Ax/2 + b'x) integrates to

        |I + VA|^-1/2 exp(b'(A + V^-1)^-1 b/2)."""
    size = until + ahead
    variance = law(walk, size)[1]
    a, b = np.zeros((size * VALUES, size * VALUES)), np.zeros(size * VALUES)
    for t in range(until):
        own = slice(t * VALUES, (t + 1) * VALUES)
        a[own, own], b[own] = said.precision[t], said.weighted[t]
    after = np.linalg.solve(np.eye(len(b)) + variance @ a, variance)
    mean = after @ b
    likely = 0.5 * float(b @ mean) - 0.5 * float(np.linalg.slogdet(np.eye(len(b)) + variance @ a)[1])
    return mean.reshape(size, VALUES), after, likely


SOME_WALKS = [Walk(0.9, 0.1), Walk(1.0, 0.1), Walk(1.0, 0.1, 0.03), Walk(1.0, 0.0)]


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("walk", SOME_WALKS)
def test_the_filter_is_the_normal_law_given_the_readings(walk: Walk, together: bool) -> None:
    """Alone and beside other walks, whatever their states."""
    said = seen(np.random.default_rng(3))
    one = filtered(said, SOME_WALKS)[SOME_WALKS.index(walk)] if together else filtered(said, [walk])[0]
    for t in range(WEEKS):
        mean, variance, _ = conditioned(walk, said, t + 1)
        assert one.level[t, :VALUES] == pytest.approx(mean[t], abs=1e-8)
        assert one.spread[t, :VALUES, :VALUES] == pytest.approx(variance[-VALUES:, -VALUES:], abs=1e-8)
    mean, _, likely = conditioned(walk, said, WEEKS)
    assert smoothed(one)[:, :VALUES] == pytest.approx(mean, abs=1e-6)
    assert one.likely == pytest.approx(likely)


def test_paths_have_the_mean_and_the_spread_of_that_law() -> None:
    walk, said = Walk(0.9, 0.1), seen(np.random.default_rng(4))
    (one,) = filtered(said, [walk])
    own = Levels(np.ones(1), (one,), smoothed(one)[:, :VALUES], one.level[:, :VALUES], one.level[:, :VALUES])
    paths = drawn(own, 2, 40_000, np.random.default_rng(5))
    mean, variance, _ = conditioned(walk, said, WEEKS, ahead=2)
    last = slice(WEEKS * VALUES, None)
    flat = paths.reshape(len(paths), -1)
    assert flat.mean(axis=0) == pytest.approx(mean.ravel()[last], abs=0.005)
    assert np.cov(flat.T) == pytest.approx(variance[last, last], abs=0.002)


def test_what_a_week_has_in_common_is_no_reading_of_a_value() -> None:
    rng = np.random.default_rng(6)
    left, weight = rng.normal(size=(5, 4)), rng.uniform(1, 2, (5, 4))
    value = np.array([0, 0, 1, 1, -1])
    one, other = readings(left, weight, value, 2), readings(left + np.arange(4.0), weight, value, 2)
    assert other.weighted == pytest.approx(one.weighted)
    # By hand, week 0: precision of value 0 is W0 - W0^2 / W, with W0 the weights of its products and W those of all.
    own, every = weight[:2, 0].sum(), weight[:, 0].sum()
    assert one.precision[0, 0, 0] == pytest.approx(own - own**2 / every)


def test_growth_is_expected_only_where_it_lasts() -> None:
    """Plain noise around a fixed level: no growth is expected, whatever its last weeks. A level that rises by 0.05 a
    week: it goes on."""
    rng, weeks = np.random.default_rng(7), 60
    noise = rng.normal(0, 0.05, (weeks, 1))
    for trend, least, most in ((0.0, -0.02, 0.02), (0.05, 0.1, 0.5)):
        own = noise + trend * (np.arange(weeks)[:, None] - weeks / 2)
        left = np.concatenate([own, np.zeros((weeks, 9))], axis=1).T
        found = levels(readings(left, np.full(left.shape, 400.0), np.array([0] + [1] * 9), 2), 8)
        gain = found.ahead[-1] - found.filtered[-1]
        assert least <= gain[0] - gain[1] <= most
    assert sum(found.weight) == pytest.approx(1.0)
    assert len({walk.stays for walk in WALKS}) > 1
