"""Tests for odd blocks in many short series at once. Lasting changes are in level_watch.py.

Arrays are (series, block) with NaN where unknown. Each series is tested on its own, on the scale of `stabilised`, on
which the noise of counts is near normal with one variance, whatever the level.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import stdtr

from datong.model.flow import BoolArray, FloatArray, IntArray

BASELINE_BLOCKS_MIN = 8
# A block's usual level is the median of so many known blocks before it and as many after it.
NEIGHBOURS = 3
# Noise is never taken to be less than this share of the level, lest a series without any noise divide by zero.
NOISE_SHARE_MIN = 0.01


class Odd(NamedTuple):
    """Test of each series for one odd block. block: which. strength: distance in standard deviations of the noise.
    p_value: NaN where the series is too short to test."""

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


def odd_block(units: FloatArray) -> Odd:
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

    return Odd(block, *_on_both_scales(units, tested))


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


def _level(y: FloatArray) -> FloatArray:
    known = ~np.isnan(y)
    return np.maximum(_mean(np.where(known, y, 0.0), known), 1e-9)


def _t_tail(t: FloatArray, freedom: FloatArray) -> FloatArray:
    """Chance that Student's t exceeds t."""
    return np.asarray(stdtr(freedom, -t), np.float64)
