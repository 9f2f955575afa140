"""Seasons: the weekday pattern of daily series, the pattern of the year of weekly ones, over all items of a category.

A block is one season (7 days, or 52 weeks), counted back from the last closed bucket. An item's ratio r_t is its units
over its level, the means of its blocks joined by straight lines. A pattern is the mean of r by position in the season.
How far a pattern is believed is its reliability: the correlation c of the patterns of odd and of even blocks, stepped
up to both together, 2c / (1 + c) (Spearman-Brown), not below 0. With P the mean of the patterns p_i in a category,

    category = 1 + reliability(P) * (P - 1)
    item     = category + reliability(p - category, over the category's items) * (p_i - category)

so noise shrinks to the category, and a category without a season to 1.
"""

import numpy as np

from datong.model.flow import FloatArray, SeriesSet

SEASON_BUCKETS = {1: 7, 7: 52}
FEWEST_SEASONS = {1: 4, 7: 2}
# Neighbouring weeks of the year are averaged with these weights; weekdays are not.
SMOOTHING = {1: (1.0,), 7: (1.0, 2.0, 3.0, 2.0, 1.0)}
# A block tells about an item when this share of it is known.
KNOWN_SHARE = 0.7
SMALLEST_FACTOR = 0.01


def season_factors(series: SeriesSet, units: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Factors on demand: (item, closed bucket) and (item, open bucket); 1 where fewer than two seasons are known."""
    items, closed = units.shape
    opened = len(series.horizon_starts)
    bucket_days = (series.bucket_starts[1] - series.bucket_starts[0]).days if closed > 1 else 7
    length = SEASON_BUCKETS[bucket_days]
    blocks = closed // length
    factors = np.ones((items, closed + opened))
    if blocks < FEWEST_SEASONS[bucket_days]:
        return factors[:, :closed], factors[:, closed:]
    odd, even = _patterns(units, length, blocks, SMOOTHING[bucket_days])
    position = (np.arange(closed + opened) - closed) % length
    category = np.array(series.category)
    for name in sorted(set(series.category)):
        members = np.flatnonzero((category == name) & ~np.isnan(odd + even).any(axis=1))
        if not len(members):
            continue
        shared, own = _shrunk(odd[members], even[members])
        factors[category == name] = shared[position]
        factors[members] = own[:, position]
    return factors[:, :closed], factors[:, closed:]


def _patterns(
    units: FloatArray, length: int, blocks: int, smoothing: tuple[float, ...]
) -> tuple[FloatArray, FloatArray]:
    """(item, position) mean ratio to the level in odd and in even blocks; NaN for an item that lacks one."""
    items, closed = units.shape
    part = units[:, closed - blocks * length :].reshape(items, blocks, length)
    known = ~np.isnan(part)
    mean = np.where(known, part, 0.0).sum(axis=2) / np.maximum(known.sum(axis=2), 1)
    mean[(known.sum(axis=2) < KNOWN_SHARE * length) | (mean <= 0)] = np.nan
    centre = (np.arange(blocks) + 0.5) * length - 0.5
    ratio = np.full((items, blocks * length), np.nan)
    for i in range(items):
        use = ~np.isnan(mean[i])
        if use.any():
            level = _line_through(np.arange(blocks * length, dtype=np.float64), centre[use], mean[i, use])
            ratio[i] = np.where(np.repeat(use, length), part[i].ravel() / level, np.nan)
    ratio = ratio.reshape(items, blocks, length)
    return _mean_pattern(ratio[:, 0::2], smoothing), _mean_pattern(ratio[:, 1::2], smoothing)


def _line_through(at: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
    """Straight lines through the points, continued at both ends, never below half of the nearest point."""
    inside = np.interp(at, x, y)
    if len(x) < 2:
        return inside
    before = y[0] + (at - x[0]) * (y[1] - y[0]) / (x[1] - x[0])
    after = y[-1] + (at - x[-1]) * (y[-1] - y[-2]) / (x[-1] - x[-2])
    line = np.where(at < x[0], before, np.where(at > x[-1], after, inside))
    return np.maximum(line, 0.5 * inside)


def _mean_pattern(ratio: FloatArray, smoothing: tuple[float, ...]) -> FloatArray:
    """(item, position) mean over blocks, unknown positions at 1, smoothed around the season, mean 1."""
    known = ~np.isnan(ratio)
    count = known.sum(axis=1)
    mean = np.where(count > 0, np.where(known, ratio, 0.0).sum(axis=1) / np.maximum(count, 1), 1.0)
    reach = len(smoothing) // 2
    smooth = sum(w * np.roll(mean, k - reach, axis=1) for k, w in enumerate(smoothing)) / sum(smoothing)
    smooth = np.asarray(smooth) / np.maximum(np.mean(smooth, axis=1, keepdims=True), 1e-9)
    smooth[~known.any(axis=(1, 2))] = np.nan
    return smooth


def _shrunk(odd: FloatArray, even: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(position) factor of a category and (item, position) factors of its items: the module's equations."""
    odd_mean, even_mean = odd.mean(axis=0), even.mean(axis=0)
    shared = 1 + _reliability(odd_mean - 1, even_mean - 1) * ((odd_mean + even_mean) / 2 - 1)
    own = shared + _reliability(odd - odd_mean, even - even_mean) * ((odd + even) / 2 - shared)
    return np.maximum(shared, SMALLEST_FACTOR), np.maximum(own, SMALLEST_FACTOR)


def _reliability(odd: FloatArray, even: FloatArray) -> float:
    scale = float(np.sqrt(np.sum(odd**2) * np.sum(even**2)))
    agreement = max(float(np.sum(odd * even)) / scale, 0.0) if scale > 0 else 0.0
    return 2 * agreement / (1 + agreement)
