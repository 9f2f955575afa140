"""A level that jumps or drifts, followed within a few observations: discounted means of several memories, averaged.

Model m believes in a level that is the mean of what was seen, each bucket counting delta_m times the one after it:

    n_t = delta n_t-1 + 1,    level_t = (delta n_t-1 level_t-1 + y_t) / n_t

(the first-order polynomial model with a discount factor: West and Harrison 1997, Bayesian Forecasting and Dynamic
Models, ch. 2 and 6). delta near 1 averages noise away, a small one has forgotten the old level after two observations.
Which of them holds is a probability, renewed with each observation by how likely the model held it to be, where old
evidence fades too (dynamic model averaging: Raftery, Karny and Ettler 2010, Technometrics 52):

    log w_t = EVIDENCE_KEPT log w_t-1 + log p_m(y_t | before).

So after a jump the short memories take over within two or three observations, and in quiet times the long ones win.

p_m is Student's t about the level; its scale is V^(1/2) s(level) (1 + 1/n)^(1/2), V from the model's own past errors
with a prior of SPREAD_PRIOR_BUCKETS observations. s(level) = (level x usual)^(1/2): the standard deviation grows with
the square root of the level, between an additive and a multiplicative error, in units of what was usual in the first
buckets, so that no unit of measure matters.

A forecast h buckets ahead is the same level, but wrong by more, and another memory may be best: both the weights and
the spread at h are learnt from the errors that forecasts h ahead have made.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import gammaln, ndtri

from datong.model.flow import FloatArray, IntArray

MEMORIES = np.array([0.3, 0.5, 0.7, 0.85, 0.95, 1.0])
EVIDENCE_KEPT = 0.97
# Every model keeps a part of this, so that none is ever ruled out.
SHARED_WEIGHT = 0.01
# Before anything is known of the errors: standard deviation over level, and how many observations this counts as.
USUAL_DEVIATION = 0.3
SPREAD_PRIOR_BUCKETS = 2.0
SPREAD_KEPT = 0.95
# What is expected at h from the errors at 1 counts as so many observations at h.
AHEAD_PRIOR_BUCKETS = 5.0
AHEAD_FREEDOM = 4.0
# One error counts in the spread as at most so many standard deviations.
CUT = 5.0
FIRST_BUCKETS = 5
LEAST_SCALE_UNITS = 0.5


@dataclass(frozen=True, eq=False)
class Followed:
    """What is believed of each item's level after the buckets seen.

    seen, usual_units: (item) known buckets; mean of the first FIRST_BUCKETS of them. spread_weight: (item, 1)
    discounted known buckets with a forecast. weight: (item, 1 or model) n of the module. level, evidence, spread:
    (item, model) units; log weight; discounted sum of squared scaled errors. past_level, past_weight: (item, model,
    ahead) level and n so many buckets ago, NaN before there was one. ahead_evidence, ahead_spread, ahead_weight: the
    like of forecasts that were 2, 3.. ahead.
    """

    seen: IntArray
    usual_units: FloatArray
    weight: FloatArray
    level: FloatArray
    evidence: FloatArray
    spread_weight: FloatArray
    spread: FloatArray
    past_level: FloatArray
    past_weight: FloatArray
    ahead_evidence: FloatArray
    ahead_weight: FloatArray
    ahead_spread: FloatArray


def nothing_seen(items: int, ahead: int) -> Followed:
    """Belief before any bucket; `ahead`: how many buckets ahead errors are kept apart, at least 1."""
    by_model, by_ahead = (items, len(MEMORIES)), (items, len(MEMORIES), ahead)
    return Followed(
        seen=np.zeros(items, dtype=np.int64),
        usual_units=np.zeros(items),
        weight=np.zeros(by_model),
        level=np.zeros(by_model),
        evidence=np.zeros(by_model),
        spread_weight=np.full((items, 1), SPREAD_PRIOR_BUCKETS),
        spread=np.full(by_model, SPREAD_PRIOR_BUCKETS * USUAL_DEVIATION**2),
        past_level=np.full(by_ahead, np.nan),
        past_weight=np.ones(by_ahead),
        ahead_evidence=np.zeros(by_ahead),
        ahead_weight=np.zeros((items, 1, ahead)),
        ahead_spread=np.zeros(by_ahead),
    )


def follow(history: FloatArray, ahead: int) -> Followed:
    """Belief after a history (item, bucket) of units, NaN where unknown: `observe` of each bucket in turn."""
    belief = nothing_seen(len(history), ahead)
    for bucket in range(history.shape[1]):
        belief = observe(belief, history[:, bucket])
    return belief


def observe(belief: Followed, units: FloatArray) -> Followed:
    """Belief after one more bucket of units (item), NaN where unknown: such a bucket only ages what was known."""
    known = ~np.isnan(units)
    came = np.where(known, units, 0.0)[:, None]
    # Errors of the forecasts made 1, 2.. buckets ago for this one.
    scale = _scale(belief.past_level, belief.usual_units)
    error = (came[:, :, None] - belief.past_level) / scale
    told = known[:, None, None] & ~np.isnan(belief.past_level)
    error = np.where(told, error, 0.0)
    variance = spread(belief)
    near = error[:, :, 0] ** 2 / (1 + 1 / belief.past_weight[:, :, 0])
    near_told = told[:, :, 0]
    evidence = EVIDENCE_KEPT * belief.evidence + np.where(
        near_told,
        _log_likelihood(near, variance, belief.spread_weight)
        - np.log(np.where(near_told, scale[:, :, 0], 1.0))
        - 0.5 * np.log1p(1 / belief.past_weight[:, :, 0]),
        0.0,
    )
    ahead_variance = variance_ahead(belief)
    far = np.where(
        told, _log_likelihood(error**2, ahead_variance, AHEAD_FREEDOM) - np.log(np.where(told, scale, 1.0)), 0.0
    )
    far[:, :, 0] = 0.0  # counts in `evidence` already
    most = CUT**2 * variance
    level_weight = MEMORIES * belief.weight + known[:, None]
    total = MEMORIES * belief.weight * belief.level + came
    level = np.divide(total, level_weight, out=np.zeros_like(total), where=level_weight > 0)
    seen = belief.seen + known
    first = known & (seen <= FIRST_BUCKETS)
    usual = np.where(
        first, belief.usual_units + (came[:, 0] - belief.usual_units) / np.maximum(seen, 1), belief.usual_units
    )
    now_level = np.where(seen[:, None] > 0, level, np.nan)
    return Followed(
        seen=seen,
        usual_units=usual,
        weight=level_weight,
        level=level,
        evidence=evidence,
        spread_weight=np.where(near_told[:, :1], SPREAD_KEPT * belief.spread_weight + 1.0, belief.spread_weight),
        spread=np.where(near_told, SPREAD_KEPT * belief.spread + np.minimum(near, most), belief.spread),
        past_level=np.concatenate([now_level[:, :, None], belief.past_level[:, :, :-1]], axis=2),
        past_weight=np.concatenate([np.maximum(level_weight, 1e-9)[:, :, None], belief.past_weight[:, :, :-1]], axis=2),
        ahead_evidence=EVIDENCE_KEPT * belief.ahead_evidence + far,
        ahead_weight=SPREAD_KEPT * belief.ahead_weight + told[:, :1],
        ahead_spread=SPREAD_KEPT * belief.ahead_spread + np.minimum(error**2, 2 * most[:, :, None]),
    )


def spread(belief: Followed) -> FloatArray:
    """(item, model) V of the module: variance of a bucket about the level, over the squared scale."""
    return belief.spread / belief.spread_weight


def variance_ahead(belief: Followed) -> FloatArray:
    """(item, model, ahead) variance of the forecast 1, 2.. buckets ahead, over the squared scale."""
    prior = spread(belief)[:, :, None] * (1 + 1 / np.maximum(belief.weight, 1e-9))[:, :, None]
    result = (AHEAD_PRIOR_BUCKETS * prior + belief.ahead_spread) / (AHEAD_PRIOR_BUCKETS + belief.ahead_weight)
    result[:, :, 0] = prior[:, :, 0]
    return result


def weights(belief: Followed, ahead: IntArray) -> FloatArray:
    """(item, model) probability of each memory for a forecast `ahead` (item) buckets ahead, 0 for the next bucket."""
    at = np.minimum(ahead, belief.ahead_evidence.shape[2] - 1)
    evidence = belief.evidence + belief.ahead_evidence[np.arange(len(at)), :, at]
    power = np.exp(evidence - evidence.max(axis=1, keepdims=True))
    return (1 - SHARED_WEIGHT) * power / power.sum(axis=1, keepdims=True) + SHARED_WEIGHT / len(MEMORIES)


def sample_paths(belief: Followed, buckets: int, ahead: IntArray, paths: int, seed: int) -> FloatArray:
    """(item, path, bucket) whole units from the next bucket on.

    ahead: (item) the bucket that the paths are for, 0 the next: its weights draw the memory of a path. A path also
    draws how wide the errors are, the part of its error that lasts, and one of its own for each bucket. Draws are even
    (`even_draws`) and the same for all items: items are looked at one by one, not together.
    """
    model = drawn(weights(belief, ahead), even_draws(paths, seed, 0))
    row = np.arange(len(model))[:, None]
    far = np.minimum(np.arange(buckets), belief.ahead_evidence.shape[2] - 1)
    whole = variance_ahead(belief)[:, :, far]
    # Of the next bucket's error this share moves the level, and so lasts (West and Harrison 1997, section 2.4).
    lasts = 1 / (1 + MEMORIES * belief.weight)
    fresh = np.minimum(whole, ((1 - lasts) * whole[:, :, 0])[:, :, None])
    lasting, fresh = np.sqrt(whole - fresh)[row, model], np.sqrt(fresh)[row, model]
    level = belief.level[row, model]
    width = _scale(level, belief.usual_units) * student_width(belief.spread_weight, even_normals(paths, seed, 1))
    width = np.where(belief.seen[:, None] > 0, width, 0.0)
    noise = np.stack([even_normals(paths, seed, 3 + b) for b in range(buckets)], axis=1)
    error = lasting * even_normals(paths, seed, 2)[:, None] + fresh * noise
    return np.maximum(np.round(level[:, :, None] + width[:, :, None] * error), 0.0)


def drawn(chances: FloatArray, draws: FloatArray) -> IntArray:
    """(item, path) which of the outcomes of (item, outcome) chances a draw from (0, 1) of each path stands for."""
    steps = np.cumsum(chances[:, :-1], axis=1)
    result = np.zeros((len(chances), len(draws)), dtype=np.int64)
    for step in steps.T:
        result += draws > step[:, None]
    return result


def student_width(freedom: FloatArray, normals: FloatArray) -> FloatArray:
    """(item, path) factor that makes a normal error Student's: (freedom / chi-squared)^(1/2).

    Chi-squared by the cube of a normal (Wilson and Hilferty 1931, PNAS 17).
    """
    part = 2 / (9 * freedom)
    chi = freedom * np.maximum(1 - part + normals * np.sqrt(part), 0.3) ** 3
    return np.sqrt(freedom / chi)


@lru_cache(maxsize=1024)
def even_order(paths: int, seed: int, which: int) -> IntArray:
    """(path) a chance order of the paths; which: number of the quantity drawn, each has an order of its own."""
    order = np.random.default_rng((seed, which)).permutation(paths)
    order.flags.writeable = False
    return order


def even_draws(paths: int, seed: int, which: int) -> FloatArray:
    """(path) one draw from each of as many equal parts of (0, 1), in chance order.

    A Latin hypercube over the quantities (McKay, Beckman and Conover 1979, Technometrics 21).
    """
    return (even_order(paths, seed, which) + 0.5) / paths


@lru_cache(maxsize=1024)
def even_normals(paths: int, seed: int, which: int) -> FloatArray:
    """(path) `even_draws` as standard normals."""
    normals = ndtri(even_draws(paths, seed, which))
    normals.flags.writeable = False
    return normals


def _scale(level: FloatArray, usual: FloatArray) -> FloatArray:
    """(item, ...) s of the module, in units; at least LEAST_SCALE_UNITS."""
    usual = np.maximum(usual, 1.0).reshape(-1, *[1] * (level.ndim - 1))
    return np.maximum(np.sqrt(np.maximum(level, 0.02 * usual) * usual), LEAST_SCALE_UNITS)


def _log_likelihood(square: FloatArray, variance: FloatArray, freedom: FloatArray | float) -> FloatArray:
    """Student's t of errors with these squares; parts that are the same for all models of an item are left in."""
    return (
        gammaln((freedom + 1) / 2)
        - gammaln(np.asarray(freedom) / 2)
        - 0.5 * np.log(freedom * variance)
        - (freedom + 1) / 2 * np.log1p(square / (freedom * variance))
    )
