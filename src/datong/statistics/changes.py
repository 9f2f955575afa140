"""Tests for changes in many short series at once.

Arrays are (series, block) with NaN where unknown. Each series is tested on its own, on the scale of `stabilised`, on
which the noise of counts is near normal with one variance, whatever the level.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri, stdtr

from datong.model.flow import BoolArray, FloatArray, IntArray

# Fewest blocks on each side of a level shift, and blocks that count as recent.
SEGMENT_MIN = 4
RECENT_BLOCKS, RECENT_BLOCKS_MIN = 4, 3
BASELINE_BLOCKS_MIN = 8
# A block's usual level is the median of so many known blocks before it and as many after it.
NEIGHBOURS = 3
# Noise is never taken to be less than this share of the level, lest a series without any noise divide by zero.
NOISE_SHARE_MIN = 0.01


class Shift(NamedTuple):
    """Test of each series for one lasting change. block: first one of the new level. strength: change in standard
    deviations of the noise. p_value: NaN where the series is too short to test."""

    block: IntArray
    strength: FloatArray
    p_value: FloatArray


class Change(NamedTuple):
    """strength: change in standard deviations of the noise; p_value: NaN where not tested."""

    strength: FloatArray
    p_value: FloatArray


def stabilised(units: FloatArray) -> FloatArray:
    """2 sqrt(units + 3/8): variance 1 for Poisson counts at any level (Anscombe 1948, Biometrika 35)."""
    return 2.0 * np.sqrt(units + 0.375)


def level_shift(y: FloatArray) -> Shift:
    """The split into two levels that fits best, and how often noise alone fits as well.

    At each split t is the two-sample t statistic; the largest |t| counts. Neighbouring weeks are alike, which makes
    chance shifts more likely: with the lag-one correlation r of what the two levels leave (raised by 2/n for its bias
    in short series, not below that of the middle series, nor below 0) n observations are worth n (1 - r) / (1 + r)
    (Bartlett 1946; von Storch and Zwiers 1999, section 6.6). t becomes the normal z of the same tail, and

        P(max |Z| >= z) = 4 phi(z) / z + phi(z) (z - 1/z) log((1 - e)^2 / e^2),  e = SEGMENT_MIN / n,

    (Miller and Siegmund 1982, Biometrics 38) takes account of the search over all splits.
    """
    series, blocks = y.shape
    nothing = Shift(np.zeros(series, np.int64), np.zeros(series), np.full(series, np.nan))
    if blocks < 2 * SEGMENT_MIN:
        return nothing
    known = ~np.isnan(y)
    count = known.sum(axis=1).astype(np.float64)
    at_least_one = np.maximum(count, 1.0)
    centred = np.where(known, y - (np.where(known, y, 0.0).sum(axis=1) / at_least_one)[:, None], 0.0)
    left = np.cumsum(known, axis=1)[:, :-1].astype(np.float64)
    right = count[:, None] - left
    # With the mean taken off, the right-hand sum is minus the left-hand one.
    left_sum = np.cumsum(centred, axis=1)[:, :-1]
    valid = (left >= SEGMENT_MIN) & (right >= SEGMENT_MIN)
    weight = np.where(valid, 1.0 / np.maximum(left, 1.0) + 1.0 / np.maximum(right, 1.0), 0.0)
    between = np.where(valid, left_sum**2 * weight, -1.0)
    split = np.argmax(between, axis=1)
    # Unknown blocks between the levels belong to neither: the new one begins with its first known block.
    block = np.argmax(known & (np.arange(blocks)[None, :] > split[:, None]), axis=1)
    tested = valid.any(axis=1)
    rows = np.arange(series)
    difference = -left_sum[rows, split] * weight[rows, split]
    after = np.arange(blocks)[None, :] >= block[:, None]
    residual = _without_two_levels(centred, known, after)
    noise = _noise(residual, known, count - 2, y)
    worth = _independent_share(residual, known, count)
    spread = noise * np.sqrt(weight[rows, split])
    t = np.abs(difference) / np.where(tested, spread, 1.0) * np.sqrt(worth)
    p = _searched(_normal_of_t(t, np.maximum(count * worth - 2, 2.0)), SEGMENT_MIN / at_least_one)
    return Shift(block, np.where(tested, difference / noise, 0.0), np.where(tested, p, np.nan))


def recent_change(y: FloatArray, first: IntArray) -> Change:
    """The last RECENT_BLOCKS blocks against those before them, from block `first` (series) of each series on.

    Two-sample t test, two-sided, with the correction of `level_shift` for neighbouring weeks that are alike.
    """
    blocks = y.shape[1]
    column = np.arange(blocks)[None, :]
    after = np.broadcast_to(column >= blocks - RECENT_BLOCKS, y.shape)
    known = ~np.isnan(y) & (column >= first[:, None])
    late, early = known & after, known & ~after
    late_count, early_count = late.sum(axis=1).astype(np.float64), early.sum(axis=1).astype(np.float64)
    tested = (late_count >= RECENT_BLOCKS_MIN) & (early_count >= BASELINE_BLOCKS_MIN)
    filled = np.where(known, y, 0.0)
    difference = _mean(filled, late) - _mean(filled, early)
    count = late_count + early_count
    residual = _without_two_levels(filled, known, after)
    noise = _noise(residual, known, count - 2, y)
    worth = _independent_share(residual, known, count)
    weight = 1.0 / np.maximum(late_count, 1.0) + 1.0 / np.maximum(early_count, 1.0)
    t = np.abs(difference) / (noise * np.sqrt(weight)) * np.sqrt(worth)
    p = 2.0 * _t_tail(t, np.maximum(count * worth - 2, 2.0))
    return Change(difference / noise, np.where(tested, np.minimum(p, 1.0), np.nan))


def usual_level(values: FloatArray) -> tuple[FloatArray, IntArray]:
    """(series, block) median of the NEIGHBOURS blocks before and after each, and how many of those are known.

    NaN where fewer than NEIGHBOURS are. A median of neighbours follows a slow drift and keeps out a second odd block.
    """
    padded = np.pad(values, ((0, 0), (NEIGHBOURS, NEIGHBOURS)), constant_values=np.nan)
    blocks = values.shape[1]
    offsets = [k for k in range(2 * NEIGHBOURS + 1) if k != NEIGHBOURS]
    around = np.sort(np.stack([padded[:, k : k + blocks] for k in offsets]), axis=0)  # NaN last
    count = (~np.isnan(around)).sum(axis=0)
    lower = np.take_along_axis(around, np.maximum((count - 1) // 2, 0)[None], axis=0)[0]
    upper = np.take_along_axis(around, np.minimum(count // 2, 2 * NEIGHBOURS - 1)[None], axis=0)[0]
    return np.where(count >= NEIGHBOURS, (lower + upper) / 2.0, np.nan), count


def odd_block(units: FloatArray) -> Shift:
    """The one block of each series furthest from its usual level, by Grubbs's test.

    The distance to `usual_level` over the root mean square of all other blocks' distances is a t statistic; its
    p-value times the number of blocks is the chance that any block of pure noise stands out as far (Grubbs 1950;
    Bonferroni). Distances share neighbours, so half the blocks count as degrees of freedom. NaN where fewer than
    BASELINE_BLOCKS_MIN + 1 blocks have a usual level. See `_on_both_scales`.
    """
    y = stabilised(units)
    rows = np.arange(y.shape[0])
    distance = _distance(y)
    known = ~np.isnan(distance)
    block = np.argmax(np.where(known, np.abs(distance), 0.0), axis=1)
    count = known.sum(axis=1).astype(np.float64)

    def tested(scaled: FloatArray) -> Change:
        apart = known & (np.arange(y.shape[1])[None, :] != block[:, None])
        strength, _ = _standardised(scaled, _distance(scaled), rows, block, apart)
        tail = _t_tail(np.abs(strength), np.maximum((count - 2) / 2, 1.0))
        return Change(strength, np.where(count > BASELINE_BLOCKS_MIN, np.minimum(2.0 * count * tail, 1.0), np.nan))

    return Shift(block, *_on_both_scales(units, tested))


def one_block(units: FloatArray, block: int, quiet: BoolArray) -> Change:
    """One given block against its usual level. quiet: (block) those that show how far pure noise strays.

    The distance to the usual level over the root mean square of the quiet blocks' distances is a t statistic with half
    the quiet blocks as degrees of freedom, since distances share neighbours. See `_on_both_scales`.
    """
    rows = np.arange(units.shape[0])
    at = np.full(len(rows), block)

    def tested(scaled: FloatArray) -> Change:
        distance = _distance(scaled)
        apart = ~np.isnan(distance) & quiet & (np.arange(units.shape[1]) != block)
        strength, count = _standardised(scaled, distance, rows, at, apart)
        p = np.minimum(2.0 * _t_tail(np.abs(strength), np.maximum(count / 2, 1.0)), 1.0)
        return Change(strength, np.where(count >= BASELINE_BLOCKS_MIN, p, np.nan))

    return _on_both_scales(units, tested)


def _on_both_scales(units: FloatArray, tested: Callable[[FloatArray], Change]) -> Change:
    """Strength on the square root scale, with the larger p-value of the square root and the logarithmic scale.

    A single block cannot lean on the central limit: noise that is lognormal looks odd upwards on the square root scale,
    and Poisson or negative binomial noise looks odd downwards on the logarithmic one. What is odd on both is odd.
    """
    root = tested(stabilised(units))
    known = ~np.isnan(units)
    offset = 0.1 * _level(units)[:, None]
    logarithmic = tested(np.log(np.where(known, units, np.nan) + offset))
    return Change(root.strength, np.maximum(root.p_value, logarithmic.p_value))


def _distance(y: FloatArray) -> FloatArray:
    """Distance to the usual level, scaled to one variance: that of a median of m neighbours is about pi / 2 / m."""
    usual, count = usual_level(y)
    return (y - usual) / np.sqrt(1.0 + np.pi / 2.0 / np.maximum(count, 1))


def _standardised(
    y: FloatArray, distance: FloatArray, rows: IntArray, block: IntArray, apart: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Distance of each series' block over the root mean square of the distances `apart`, and how many those are."""
    count = apart.sum(axis=1).astype(np.float64)
    square = (np.where(apart, distance, 0.0) ** 2).sum(axis=1) / np.maximum(count, 1.0)
    noise = np.maximum(np.sqrt(square), NOISE_SHARE_MIN * _level(np.abs(y)))
    return np.nan_to_num(distance[rows, block]) / noise, count


def _mean(filled: FloatArray, mask: BoolArray) -> FloatArray:
    return np.where(mask, filled, 0.0).sum(axis=1) / np.maximum(mask.sum(axis=1), 1)


def _without_two_levels(filled: FloatArray, known: BoolArray, after: BoolArray) -> FloatArray:
    level = np.where(after, _mean(filled, known & after)[:, None], _mean(filled, known & ~after)[:, None])
    return np.where(known, filled - level, 0.0)


def _level(y: FloatArray) -> FloatArray:
    known = ~np.isnan(y)
    return np.maximum(_mean(np.where(known, y, 0.0), known), 1e-9)


def _noise(residual: FloatArray, known: BoolArray, freedom: FloatArray, y: FloatArray) -> FloatArray:
    square = np.where(known, residual, 0.0) ** 2
    return np.maximum(np.sqrt(square.sum(axis=1) / np.maximum(freedom, 1.0)), NOISE_SHARE_MIN * _level(y))


def _independent_share(residual: FloatArray, known: BoolArray, count: FloatArray) -> FloatArray:
    """(1 - r) / (1 + r): how much an observation is worth when neighbours correlate by r."""
    product = np.where(known[:, 1:] & known[:, :-1], residual[:, 1:] * residual[:, :-1], 0.0).sum(axis=1)
    square = np.maximum((residual**2).sum(axis=1), 1e-12)
    r = product / square + 2.0 / np.maximum(count, 1.0)
    # One short series tells little of its own correlation: take that of the middle series where it is higher.
    r = np.clip(np.maximum(r, np.median(r)) if r.size else r, 0.0, 0.9)
    return (1.0 - r) / (1.0 + r)


def _normal_of_t(t: FloatArray, freedom: FloatArray) -> FloatArray:
    return -ndtri(np.maximum(_t_tail(t, freedom), 1e-300))


def _t_tail(t: FloatArray, freedom: FloatArray) -> FloatArray:
    """Chance that Student's t exceeds t."""
    return np.asarray(stdtr(freedom, -t), np.float64)


def _searched(z: FloatArray, edge: FloatArray) -> FloatArray:
    """Miller and Siegmund's tail; below z = 1, where it does not hold, 1."""
    z_safe = np.maximum(z, 1.0)
    density = np.exp(-(z_safe**2) / 2.0) / np.sqrt(2.0 * np.pi)
    inside = np.clip(edge, 1e-6, 0.5)
    p = 4.0 * density / z_safe + density * (z_safe - 1.0 / z_safe) * 2.0 * np.log((1.0 - inside) / inside)
    return np.where(z < 1.0, 1.0, np.minimum(p, 1.0))
