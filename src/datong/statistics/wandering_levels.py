"""Levels that wander from week to week, found out of noisy readings: how fast they do is learnt, not assumed.

The levels x of the values of one attribute, in logarithms, are a linear state space (Harvey 1989, "Forecasting,
Structural Time Series Models and the Kalman Filter"):

    x(t+1) = stays * x(t) + g(t) + step * noise       stays < 1: drawn back to the usual; 1: no change is expected
    g(t+1) = GROWTH_STAYS * g(t) + growth * noise     a growth that fades (Gardner and McKenzie 1985)

Each `Walk` of WALKS, among them one that never moves, is weighted by how likely it makes the readings (Bayesian model
averaging, Hoeting and others 1999): so growth is expected only as far as the readings show that it lasts, and else
none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from datong.model.flow import FloatArray, IntArray

GROWTH_STAYS = 0.9
# Variance of a level at first: of one that never moves, and of one that wanders without being drawn back.
FIXED_VARIANCE, FREE_VARIANCE = 0.01, 0.09
# A walk that is less likely than this share is left out of what is worked out.
LEAST_WEIGHT = 0.01


@dataclass(frozen=True)
class Walk:
    """How levels move. stays: share of a level's distance from the usual that is left after a week. step, growth:
    standard deviation of the weekly noise of levels and of their growth, in logarithms."""

    stays: float
    step: float
    growth: float = 0.0


WALKS = (
    Walk(1.0, 0.0),
    *(Walk(stays, step) for stays in (0.8, 0.9, 0.95, 1.0) for step in (0.02, 0.04, 0.07, 0.1, 0.14, 0.2)),
    *(Walk(1.0, step, growth) for step in (0.02, 0.1) for growth in (0.01, 0.03)),
)


@dataclass(frozen=True, eq=False)
class Readings:
    """What each week says of the levels of V values, whatever all have in common, in logarithms. precision: (week, V,
    V). weighted: (week, V) precision times level."""

    precision: FloatArray
    weighted: FloatArray


@dataclass(frozen=True, eq=False)
class Filtered:
    """What is known of the levels in each week from the weeks up to it. The states of V values are their levels and,
    where growth is looked for, then their growths, in logarithms.

    level, spread: (week, state) mean and (week, state, state) variance. before, before_spread: the same from the weeks
    before it alone. moves: (state, state) the state of a week out of the one before, noise: its variance. likely: log
    likelihood of the readings, but for what all walks have in common.
    """

    level: FloatArray
    spread: FloatArray
    before: FloatArray
    before_spread: FloatArray
    moves: FloatArray
    noise: FloatArray
    likely: float


@dataclass(frozen=True, eq=False)
class Levels:
    """weight: (walk) how likely each is. fits: by walk, those that are likely enough. smooth: (week, value) level seen
    from the end, in logarithms; filtered: seen from the week itself; ahead: mean of the next weeks, seen from it."""

    weight: FloatArray
    fits: tuple[Filtered, ...]
    smooth: FloatArray
    filtered: FloatArray
    ahead: FloatArray


def readings(left: FloatArray, weight: FloatArray, value: IntArray, values: int) -> Readings:
    """left, weight: (series, week) logarithm beyond what else is known of the series, and its precision, 0 where
    unknown. value: (series) place of its value, -1 for none. What a week has in common is taken off."""
    members = np.zeros((len(value), values))
    known = np.flatnonzero(value >= 0)
    members[known, value[known]] = 1.0
    total = np.maximum(weight.sum(axis=0), 1e-12)
    by_value = (members.T @ weight).T
    mean = (weight * left).sum(axis=0) / total
    precision = -by_value[:, :, None] * by_value[:, None, :] / total[:, None, None]
    precision[:, np.arange(values), np.arange(values)] += by_value
    return Readings(precision, (members.T @ (weight * left)).T - by_value * mean[:, None])


def levels(seen: Readings, weeks_ahead: int) -> Levels:
    """Of all walks together, each as likely as the readings make it."""
    values = seen.weighted.shape[1]
    every = filtered(seen, WALKS)
    likely = np.array([one.likely for one in every])
    weight = np.exp(likely - likely.max())
    kept = np.flatnonzero(weight / weight.sum() >= LEAST_WEIGHT)
    weight, fits = weight[kept] / weight[kept].sum(), tuple(every[k] for k in kept)
    smooth = sum(w * smoothed(one)[:, :values] for w, one in zip(weight, fits, strict=True))
    now = sum(w * one.level[:, :values] for w, one in zip(weight, fits, strict=True))
    ahead = sum(w * _mean_ahead(one, values, weeks_ahead) for w, one in zip(weight, fits, strict=True))
    return Levels(weight, fits, np.asarray(smooth), np.asarray(now), np.asarray(ahead))


def filtered(seen: Readings, walks: Sequence[Walk]) -> tuple[Filtered, ...]:
    """The Kalman filter in the form of information, of each walk: readings of any number of series cost the same. Walks
    with as many states go through the weeks together."""
    found: dict[int, Filtered] = {}
    for second in (False, True):
        own = [k for k, walk in enumerate(walks) if _has_second(walk) == second]
        if own:
            found |= dict(zip(own, _filtered([_Moves.of(walks[k], seen) for k in own], seen), strict=True))
    return tuple(found[k] for k in range(len(walks)))


def _has_second(walk: Walk) -> bool:
    """Whether a value has a second state: its growth, or the usual level to which it is drawn back."""
    return walk.growth > 0 or walk.stays < 1.0


class _Moves(NamedTuple):
    """(state, state) each: the state of a week out of the one before, the variance of its noise, and that at first."""

    moves: FloatArray
    noise: FloatArray
    spread: FloatArray

    @staticmethod
    def of(walk: Walk, seen: Readings) -> "_Moves":
        weeks, values = seen.weighted.shape
        second = _has_second(walk)
        states = values * (2 if second else 1)
        moves, noise = np.eye(states) * walk.stays, np.zeros((states, states))
        noise[:values, :values] = np.eye(values) * walk.step**2
        spread = np.eye(states) * (FREE_VARIANCE if walk.step else FIXED_VARIANCE)
        if second:
            one, own = np.eye(values), slice(values, states)
            if walk.growth:
                moves[:values, own], moves[own, own] = one, one * GROWTH_STAYS
                noise[own, own] = one * walk.growth**2
                spread[own, own] = one * walk.growth**2 / (1.0 - GROWTH_STAYS**2)
            else:
                far = walk.step**2 / (1.0 - walk.stays**2)
                usual = far * min((1.0 + walk.stays) / (1.0 - walk.stays) / weeks, 1.0)
                moves[:values, own], moves[own, own] = one * (1.0 - walk.stays), one
                spread[:values, :values], spread[own, own] = one * (far + usual), one * usual
                spread[:values, own] = spread[own, :values] = one * usual
        return _Moves(moves, noise, spread)


def _filtered(walks: Sequence[_Moves], seen: Readings) -> list[Filtered]:
    """Of walks with as many states. Arrays within have the walk first."""
    moves, noise, spread = (np.array(arrays) for arrays in zip(*walks, strict=True))
    (weeks, values), (count, states) = seen.weighted.shape, spread.shape[:2]
    level, likely = np.zeros((count, states, 1)), np.zeros(count)
    levels, levels_before = (np.zeros((count, weeks, states)) for _ in range(2))
    spreads, spreads_before = (np.zeros((count, weeks, states, states)) for _ in range(2))
    precision, weighted, unit = np.zeros((states, states)), np.zeros((states, 1)), np.eye(states)
    for t in range(weeks):
        if t:
            level, spread = moves @ level, moves @ spread @ moves.transpose(0, 2, 1) + noise
        levels_before[:, t], spreads_before[:, t] = level[:, :, 0], spread
        precision[:values, :values], weighted[:values, 0] = seen.precision[t], seen.weighted[t]
        mixed = unit + spread @ precision
        after = np.linalg.solve(mixed, spread)
        after = (after + after.transpose(0, 2, 1)) / 2.0
        read = precision @ level
        news = weighted - read
        fit = (level * (read - 2.0 * weighted) - news * (after @ news)).sum(axis=(1, 2))
        likely -= 0.5 * (np.linalg.slogdet(mixed)[1] + fit)
        level, spread = level + after @ news, after
        levels[:, t], spreads[:, t] = level[:, :, 0], spread
    own = zip(levels, spreads, levels_before, spreads_before, moves, noise, likely.tolist(), strict=True)
    return [Filtered(*one) for one in own]


def smoothed(one: Filtered) -> FloatArray:
    """(week, state) mean as seen from the last week (Rauch, Tung and Striebel 1965)."""
    result = one.level.copy()
    back = one.spread[:-1] @ one.moves.T @ np.linalg.pinv(one.before_spread[1:], hermitian=True)
    for t in range(len(result) - 2, -1, -1):
        result[t] += back[t] @ (result[t + 1] - one.before[t + 1])
    return result


def _mean_ahead(one: Filtered, values: int, weeks: int) -> FloatArray:
    """(week, value) expected mean level of the next weeks."""
    state, total = one.level, np.zeros((len(one.level), values))
    for _ in range(weeks):
        state = state @ one.moves.T
        total += state[:, :values]
    return total / weeks


def drawn(found: Levels, weeks: int, draws: int, rng: np.random.Generator) -> FloatArray:
    """(draw, week, value) levels of the next weeks; walks by their weights."""
    counts = np.floor(found.weight * draws).astype(int)
    counts[int(np.argmax(found.weight))] += draws - int(counts.sum())
    values = found.smooth.shape[1]
    pairs = [(one, int(count)) for one, count in zip(found.fits, counts, strict=True) if count]
    return np.concatenate([_paths(one, weeks, count, rng)[:, :, :values] for one, count in pairs])


def _paths(one: Filtered, weeks: int, draws: int, rng: np.random.Generator) -> FloatArray:
    """(draw, week, state) on from the last week."""
    states = one.level.shape[1]
    result = np.zeros((draws, weeks, states))
    state = one.level[-1] + rng.standard_normal((draws, states)) @ _root(one.spread[-1]).T
    noise = _root(one.noise)
    for t in range(weeks):
        state = state @ one.moves.T + rng.standard_normal((draws, states)) @ noise.T
        result[:, t] = state
    return result


def _root(variance: FloatArray) -> FloatArray:
    """A square root of a variance that may have none in some directions."""
    size, axes = np.linalg.eigh((variance + variance.T) / 2.0)
    return np.asarray(axes * np.sqrt(np.maximum(size, 0.0)))
