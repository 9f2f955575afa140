"""What buyers choose by: the tastes for the values of attributes, week by week, out of the sales of products.

Buyers choose among what is on sale by a multinomial logit (McFadden 1974). Expected units of product j in week t are

    exp(week(t) + worth(j) + sum over attributes of taste(value of j, t)),

a count (Poisson) with some noise of the product's own. What is not in stock is not counted, and a new product has a
worth of its own: neither a full shelf nor a longer range passes for a taste. Tastes wander (wandering_levels.py); the
terms are fitted one after the other until they agree (backfitting, Breiman and Friedman 1985), counts by weighted least
squares on the scale of logarithms, as in generalised linear models (McCullagh and Nelder 1989).

A share is that among the products on sale now, all of them in stock, at the tastes of a week.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from datong.model.flow import BoolArray, FloatArray, IntArray
from datong.statistics.wandering_levels import Levels, drawn, levels, readings

# Weeks ahead that are looked at, and last ones that they are held against; weeks before these.
WEEKS, BEFORE = 8, 16
# Rounds of fitting, and of a product's worth within each.
ROUNDS, WORTH_ROUNDS = 3, 3
# Least noise of a product's own, as variance of a logarithm, and that at first.
LEAST_NOISE, FIRST_NOISE = 1e-4, 0.01
# Most that one week's count says against what was expected, as a share of it.
MOST_OFF = 3.0
# Paths that are drawn, and where they begin; nine in ten lie between LOW and HIGH.
DRAWS, SEED = 400, 816
LOW, HIGH = 0.05, 0.95
# Standard deviation of an effect in one week that nothing else is known of, in logarithms.
EFFECT = 0.5


@dataclass(frozen=True, eq=False)
class Panel:
    """units: (product, week) sold, NaN where unknown. values: by attribute, (product) place of its value, -1 for none.
    counts: values of each attribute. on_sale: (product) whether it is on sale now."""

    units: FloatArray
    values: tuple[IntArray, ...]
    counts: tuple[int, ...]
    on_sale: BoolArray


@dataclass(frozen=True, eq=False)
class Tastes:
    """week: (week) and worth: (product), in logarithms. levels: of each attribute. noise: variance of a product's own,
    of a logarithm. left, weight: (product, week) logarithm beyond week and worth, and its precision, 0 where
    unknown."""

    week: FloatArray
    worth: FloatArray
    levels: tuple[Levels, ...]
    noise: float
    left: FloatArray
    weight: FloatArray


@dataclass(frozen=True, eq=False)
class Outlook:
    """Of the values of one attribute, shares of the units of products that have it. before: of the BEFORE weeks before
    the last WEEKS, late: of these, both as the sales of each week alone say. expected: mean of the next WEEKS. gain:
    that less late. Nine times in ten the true one lies between low and high, or gain_low and gain_high."""

    before: FloatArray
    late: FloatArray
    expected: FloatArray
    low: FloatArray
    high: FloatArray
    gain: FloatArray
    gain_low: FloatArray
    gain_high: FloatArray


@dataclass(frozen=True, eq=False)
class Ahead:
    """What an indicator that leads adds to the mean taste of the next WEEKS weeks. shift, doubt: by attribute, (value)
    and its standard error, in logarithms."""

    shift: tuple[FloatArray, ...] = field(default=())
    doubt: tuple[FloatArray, ...] = field(default=())


NOTHING_AHEAD = Ahead()


def tastes(panel: Panel) -> Tastes:
    units, known = np.nan_to_num(panel.units), ~np.isnan(panel.units)
    logs, noise = np.log(units + 0.5), FIRST_NOISE
    weight = np.where(known, 1.0 / (1.0 / (units + 0.5) + noise), 0.0)
    week, worth = two_way(logs, weight, np.zeros(len(units)))
    smooth = [np.zeros((units.shape[1], count)) for count in panel.counts]
    found: list[Levels] = []
    for _ in range(ROUNDS):
        found = []
        for a, (value, count) in enumerate(zip(panel.values, panel.counts, strict=True)):
            others = _sum_of(panel, [s if b != a else np.zeros_like(s) for b, s in enumerate(smooth)])
            one = levels(readings(logs - worth[:, None] - others, weight, value, count), WEEKS)
            smooth[a] = one.smooth
            found.append(one)
        taste = _sum_of(panel, smooth)
        week, worth = two_way(logs - taste, weight, worth)
        mean = np.exp(week[None, :] + worth[:, None] + taste)
        off = np.clip((units - mean) / np.maximum(mean, 1e-9), -1.0, MOST_OFF)
        noise = _noise(off[known & (mean >= 1.0)], mean[known & (mean >= 1.0)])
        logs, weight = np.log(mean) + off, np.where(known, 1.0 / (1.0 / np.maximum(mean, 1e-9) + noise), 0.0)
    return Tastes(week, worth, tuple(found), noise, logs - week[None, :] - worth[:, None], weight)


def _noise(off: FloatArray, mean: FloatArray) -> float:
    """Variance beyond that of counts. off: distance of counts from their mean, as a share of it."""
    return max(float(np.mean(off**2 - 1.0 / mean)), LEAST_NOISE) if len(off) else LEAST_NOISE


def two_way(logs: FloatArray, weight: FloatArray, worth: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(week) and (product) terms of logarithms, by turns. worth: to begin with."""
    by_week, by_product = (np.maximum(weight.sum(axis=axis), 1e-12) for axis in (0, 1))
    week = np.zeros(logs.shape[1])
    for _ in range(WORTH_ROUNDS):
        week = (weight * (logs - worth[:, None])).sum(axis=0) / by_week
        worth = (weight * (logs - week[None, :])).sum(axis=1) / by_product
    return week, worth


def _sum_of(panel: Panel, by_attribute: Sequence[FloatArray]) -> FloatArray:
    """(product, week) sum of the tastes for what it is. by_attribute: (week, value)."""
    total = np.zeros(panel.units.shape)
    for value, taste in zip(panel.values, by_attribute, strict=True):
        total += _of_products(taste, value).T
    return total


def _of_products(taste: FloatArray, value: IntArray) -> FloatArray:
    """(..., product) taste for its value, 0 where it has none. taste: (..., value)."""
    return np.where(value >= 0, taste[..., np.maximum(value, 0)], 0.0)


def outlook(panel: Panel, found: Tastes, ahead: Ahead = NOTHING_AHEAD) -> tuple[Outlook, ...]:
    """Shares of each attribute's values. ahead: what an indicator knows beside the sales."""
    rng = np.random.default_rng(SEED)
    paths = []
    for a, one in enumerate(found.levels):
        own = drawn(one, WEEKS, DRAWS, rng)
        if ahead.shift:
            noise = rng.standard_normal((DRAWS, len(ahead.shift[a])))
            own += (ahead.shift[a] + noise * ahead.doubt[a])[:, None, :]
        paths.append(own)
    kinds, worth = _alike(panel, found)
    expected = np.zeros((DRAWS, sum(panel.counts)))
    for t in range(WEEKS):
        expected += np.concatenate(_shares(kinds, worth, [p[:, t] for p in paths], panel.counts), axis=1) / WEEKS
    effects, known = weekly_effects(panel, found.left, found.weight), found.weight.sum(axis=0) > 0
    parts = np.cumsum(panel.counts)[:-1]
    past = []
    for span in (slice(-WEEKS - BEFORE, -WEEKS), slice(-WEEKS, None)):
        weeks = np.split(effects[span][known[span]], parts, axis=1)
        past.append(np.concatenate([share.mean(axis=0) for share in _shares(kinds, worth, weeks, panel.counts)]))
    middle = effects[-WEEKS:][known[-WEEKS:]].mean(axis=0)
    noisy = np.split(middle + rng.standard_normal((DRAWS, len(middle))) @ _late_noise(panel, found), parts, axis=1)
    late = np.concatenate(_shares(kinds, worth, noisy, panel.counts), axis=1)
    gain = expected.mean(axis=0) - past[1]
    off = (expected - expected.mean(axis=0)) - (late - late.mean(axis=0))
    ends = [*np.quantile(expected, (LOW, HIGH), axis=0), *(gain + np.quantile(off, (LOW, HIGH), axis=0))]
    told = [np.split(values, parts) for values in (*past, expected.mean(axis=0), *ends[:2], gain, *ends[2:])]
    return tuple(Outlook(*(one[a] for one in told)) for a in range(len(panel.counts)))


def _late_noise(panel: Panel, found: Tastes) -> FloatArray:
    """Root of the variance of the mean effects of the last WEEKS, with which standard normal draws are multiplied."""
    weeks = range(found.weight.shape[1] - WEEKS, found.weight.shape[1])
    inner = sum(_said(panel, found.left[:, t], found.weight[:, t])[0] for t in weeks)
    return np.linalg.cholesky(np.linalg.inv(inner + np.eye(sum(panel.counts)) / EFFECT**2)).T


def _alike(panel: Panel, found: Tastes) -> tuple[list[IntArray], FloatArray]:
    """By attribute (kind) the place of its value, and (kind) worth of all products on sale that are of one kind, with
    the same values of all attributes."""
    there = np.flatnonzero(panel.on_sale)
    values = np.stack([value[there] for value in panel.values], axis=1)
    kinds, of = np.unique(values, axis=0, return_inverse=True)
    most = float(found.worth[there].max(initial=0.0))
    worth = np.zeros(len(kinds))
    np.add.at(worth, of.ravel(), np.exp(found.worth[there] - most))
    return list(kinds.T), worth


def _shares(
    kinds: Sequence[IntArray], worth: FloatArray, tastes_of: Sequence[FloatArray], counts: Sequence[int]
) -> list[FloatArray]:
    """By attribute (draw or week, value) share of the units of products that have it. tastes_of: by attribute the same
    of the tastes."""
    utility = np.zeros((len(tastes_of[0]), len(worth)))
    for value, taste in zip(kinds, tastes_of, strict=True):
        utility += _of_products(taste, value)
    wants = np.exp(utility) * worth
    result = []
    for value, count in zip(kinds, counts, strict=True):
        members = np.zeros((len(worth), count))
        has = np.flatnonzero(value >= 0)
        members[has, value[has]] = 1.0
        bought = wants @ members
        result.append(bought / np.maximum(bought.sum(axis=1, keepdims=True), 1e-300))
    return result


def weekly_effects(panel: Panel, left: FloatArray, weight: FloatArray) -> FloatArray:
    """(week, value of all attributes one after another) effects of one week alone, in logarithms, drawn to 0 by a
    normal prior of EFFECT (ridge, Hoerl and Kennard 1970). left, weight: (product, week), weight 0 where unknown."""
    result = np.zeros((left.shape[1], sum(panel.counts)))
    for t in range(left.shape[1]):
        inner, said = _said(panel, left[:, t], weight[:, t])
        result[t] = np.linalg.solve(inner + np.eye(len(said)) / EFFECT**2, said)
    return result


def _said(panel: Panel, left: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Precision of the effects of all values, one attribute after another, and precision times effect, out of the
    products of one week, whatever they have in common."""
    starts, many = np.cumsum([0, *panel.counts]), sum(panel.counts)
    wide = many + 1  # of each attribute a last place for products without a value, which is left out in the end
    places = [np.where(value >= 0, start + value, many) for value, start in zip(panel.values, starts, strict=False)]
    both, total, seen = np.zeros(wide * wide), np.zeros(wide), np.zeros(wide)
    for one in places:
        total += np.bincount(one, weight, wide)
        seen += np.bincount(one, weight * left, wide)
        for other in places:
            both += np.bincount(one * wide + other, weight, wide * wide)
    every = max(float(weight.sum()), 1e-12)
    inner = both.reshape(wide, wide) - np.outer(total, total) / every
    return inner[:many, :many], (seen - total * float(weight @ left) / every)[:many]
