"""Items that have just begun to sell: how all that was sold went on from first buckets like theirs.

A window is k buckets of an item, the first of them with a sale, and what came after. Windows of all items tell how
sales go on from such a beginning; those that open with an item's first sale of all (launches) tell it more exactly, but
are few. With s the mean of the k buckets, x their shape (level, share of each, how many sold, the largest) and y what
followed, the mean of up to REACH buckets, over what all items sold then:

    log y ~ a + b'x + launch (c + d'x) + effect of the category

a ridge regression (Hoerl and Kennard 1970) that lets launches differ only as far as they show it; the category's effect
is a shrunk mean of residuals (Efron and Morris 1975). What may come of an item is then what came of the windows of like
expected level (Gaussian weights, Nadaraya 1964, Watson 1964), each scaled to the item's own: empty buckets, lumps and
launches that die are in it as often as they were.

It is used where it earned it: at an earlier cut, launches since then must have been forecast with less pinball loss
than by the stated prior (launch_prior.py), from windows that had ended by then.
"""

from dataclasses import dataclass

import numpy as np

from datong.forecast.launch_prior import blended_level, priors_by_category
from datong.forecast.pooled import HELD_OUT_BUCKETS, HELD_OUT_SHARE, MEASURED_MEAN
from datong.forecast.pooled_launches import LEVELS, MOST_TESTED, drawn_pinball, pinball
from datong.forecast.spread import Spread, draw_paths
from datong.forecast.which_look_alikes import FEWEST_KNOWN, LAUNCH_BUCKETS
from datong.model.flow import BoolArray, FloatArray, IntArray, SeriesSet

# What follows counts up to so many buckets.
REACH = 8
# A launch opens so many buckets after the chain's first known one or later: what came before may have sold before.
LAUNCHED_AFTER = 4
# Fewer windows or items tell nothing; more windows are thinned.
FEWEST_WINDOWS, FEWEST_ITEMS, MOST_WINDOWS = 300, 20, 8000
# A launch counts as so many windows, its differences from them and the shape's own effects as so many rows of none,
# and a category without windows as so many.
LAUNCH_WEIGHT, LAUNCH_RIDGE, SHAPE_RIDGE, CATEGORY_ROWS = 5.0, 2000.0, 100.0, 50.0
# Standard deviation of the weights, in logs of the expected level; so many nearest windows are weighed.
NEARNESS, MOST_NEAR = 0.5, 2000
# What all items sold: an item counts up to so many times its mean, and a bucket is at least this share of usual.
MOST_OF_MEAN, LEAST_COMMON = 4.0, 0.2
# Half a unit in REACH buckets stands for nothing.
NOTHING = 0.5
# So many launches since the cut must have been tested; the cut is as in pooled.py.
FEWEST_TESTED = 10
# Standard errors, over launches, by which the gain must exceed nothing: 5% of false ones on one side.
EARNED_ERRORS = 1.645
# The method's name, as a forecast tells it.
BEGUN_METHOD = "begun"
# Quantiles of a bucket that are kept, and what a path's buckets have in common beside the level.
KEPT, STEP, NOISE = 200, 0.04, 1.0


@dataclass(frozen=True, eq=False)
class Course:
    """What may come of an item. units: (chance, bucket ahead) quantiles at KEPT even chances, season and holidays
    apart. mean: (bucket ahead) units. level_variance: of the level over all buckets, over its mean squared."""

    units: FloatArray
    mean: FloatArray
    level_variance: float


def begun_forecast(series: SeriesSet, steady: FloatArray, whole: BoolArray, asked: BoolArray) -> dict[int, Course]:
    """By item, of those asked with 1 to FEWEST_KNOWN - 1 known buckets and a sale; none where windows did not earn it.

    steady: (item, closed bucket) units without season and holidays, NaN where unknown. whole, asked: (item).
    """
    known = (~np.isnan(steady)).sum(axis=1)
    items = np.flatnonzero(asked & (known > 0) & (known < FEWEST_KNOWN) & (np.nansum(steady, axis=1) > 0))
    if not len(items):
        return {}
    is_counted = bool(whole[known > 0].mean() > 0.5)
    # What is not counted is put to where half a unit is nothing.
    scale = 1.0 if is_counted else MEASURED_MEAN / float(np.nanmean(steady))
    units = steady * scale
    category = np.unique(np.array(series.category), return_inverse=True)[1].astype(np.int64)
    horizon = len(series.horizon_starts)
    if not _earned(units, category, horizon, is_counted):
        return {}
    begins = {int(i): _beginning(units[i]) for i in items}
    result = {}
    for k in sorted({len(row) for row in begins.values()}):
        of = [i for i, row in begins.items() if len(row) == k]
        found = _learnt(units, category, k, horizon)
        if found is not None:
            courses = found.courses(np.array([begins[i] for i in of]), category[of])
            result |= {i: _over(course, scale) for i, course in zip(of, courses, strict=True)}
    return result


def _over(course: Course, scale: float) -> Course:
    return Course(course.units / scale, course.mean / scale, course.level_variance)


def course_paths(rng: np.random.Generator, course: Course, factor: FloatArray, whole: bool, count: int) -> FloatArray:
    """(path, bucket) whose buckets have the course's quantiles times the factor; which paths are high together is told
    by the ranks of a lognormal level with gamma noise (Iman and Conover 1982)."""
    if count == 1:
        return (course.mean * factor)[None]
    like = Spread(course.level_variance, STEP, NOISE, whole=False)
    rank = draw_paths(rng, np.ones(len(factor)), like, count).argsort(axis=0, kind="stable").argsort(axis=0)
    chance = (np.arange(count) + 0.5) / count
    values = course.units[(chance * KEPT).astype(np.int64)] * factor
    paths = np.take_along_axis(values, rank, axis=0)
    # A part of a unit is a unit in that part of the paths.
    return np.floor(paths + rng.random(paths.shape)) if whole else paths


def _beginning(units: FloatArray) -> FloatArray:
    """The known buckets from the first sale on."""
    known = units[~np.isnan(units)]
    return known[int(np.argmax(known > 0)) :]


# windows ----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Windows:
    """(window) item: its number. start: its first bucket. first: (window, bucket) units of its k buckets. after:
    (window, bucket ahead) units that followed, over what all items sold, NaN where unknown. is_launch: whether it opens
    with the item's first sale of all."""

    item: IntArray
    start: IntArray
    first: FloatArray
    after: FloatArray
    is_launch: BoolArray


def _windows(units: FloatArray, k: int, horizon: int) -> _Windows:
    """In the order of items and buckets; launches are kept before others are thinned."""
    first_of = _first_known(units)
    opening = int(first_of.min())
    wide = np.pad(units, ((0, 0), (0, k + horizon)), constant_values=np.nan)
    known = np.pad(np.cumsum(np.isfinite(wide), axis=1, dtype=np.int32), ((0, 0), (1, 0)))
    item, start = np.nonzero(np.nan_to_num(units) > 0)
    within = known[item, start + k] - known[item, start]
    after_known = known[item, start + k + horizon] - known[item, start + k]
    use = (within == k) & (after_known > 0)
    item, start = item[use], start[use]
    is_launch = (start == first_of[item]) & (start >= opening + LAUNCHED_AFTER)
    if len(item) > MOST_WINDOWS:
        kept = np.random.default_rng(1).choice(len(item), MOST_WINDOWS, replace=False)
        kept = np.union1d(kept, np.flatnonzero(is_launch))
        item, start, is_launch = item[kept], start[kept], is_launch[kept]
    common = np.pad(_common(units, first_of, opening), (0, k + horizon), mode="edge")
    then = common[start[:, None] + np.arange(k)].mean(axis=1)
    first = wide[item[:, None], start[:, None] + np.arange(k)]
    ahead = start[:, None] + k + np.arange(horizon)
    after = wide[item[:, None], ahead] * then[:, None] / common[ahead]
    return _Windows(item, start, first, after, is_launch)


def _first_known(units: FloatArray) -> IntArray:
    """(item) its first known bucket; the number of buckets where none is."""
    known = ~np.isnan(units)
    return np.where(known.any(axis=1), known.argmax(axis=1), units.shape[1])


def _common(units: FloatArray, first_of: IntArray, opening: int) -> FloatArray:
    """(bucket) what the items known from the opening on sold, over their means."""
    old = units[first_of <= opening + 1]
    if len(old) < FEWEST_ITEMS:
        return np.ones(units.shape[1])
    known = ~np.isnan(old)
    mean = np.where(known, old, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    sold = np.where(known, np.minimum(np.nan_to_num(old), MOST_OF_MEAN * mean[:, None] + 1), 0.0).sum(axis=0)
    usual = np.where(known, mean[:, None], 0.0).sum(axis=0)
    ratio = np.where(usual > 0, sold / np.where(usual > 0, usual, 1.0), 1.0)
    return np.maximum(ratio / max(float(ratio.mean()), 1e-9), LEAST_COMMON)


def _shape(first: FloatArray) -> FloatArray:
    """(window, feature) of the first buckets."""
    mean = first.mean(axis=1)
    sold = (first > 0).sum(axis=1)
    share = np.log((first + 0.5 * mean[:, None]) / (1.5 * mean[:, None]))
    rest = [np.log(mean), np.maximum(np.log(mean / 10), 0.0), sold == 1, sold == first.shape[1]]
    return np.column_stack([*rest, np.log(first.max(axis=1) / first.sum(axis=1)), share]).astype(np.float64)


# what they say ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Learnt:
    """expected: (window, increasing) log of the level that was expected to follow, after: (window, bucket ahead) units,
    weight: (window). centre, width: (feature). slopes: (feature of both kinds). effect: (category). variance: of what
    followed about what was expected, in logs."""

    expected: FloatArray
    after: FloatArray
    weight: FloatArray
    centre: FloatArray
    width: FloatArray
    slopes: FloatArray
    effect: FloatArray
    variance: float

    def courses(self, first: FloatArray, category: IntArray) -> list[Course]:
        """first: (item, bucket) first buckets; category: (item)."""
        shape = (_shape(first) - self.centre) / self.width
        said = _both(shape, np.ones(len(first), dtype=bool)) @ self.slopes + self.effect[category]
        return [self._course(float(level)) for level in said]

    def _course(self, level: float) -> Course:
        at = int(np.searchsorted(self.expected, level))
        near = slice(max(at - MOST_NEAR // 2, 0), at + MOST_NEAR // 2)
        away = level - self.expected[near]
        # Where none is near, the nearest count.
        nearness = (away**2 - float(np.min(away**2))) / (2 * NEARNESS**2)
        weight = self.weight[near] * np.exp(-nearness)
        scaled = self.after[near] * np.exp(away)[:, None]
        horizon = scaled.shape[1]
        units, mean = np.zeros((KEPT, horizon)), np.zeros(horizon)
        for h in range(horizon):
            known = np.isfinite(scaled[:, h])
            if not known.any():  # further than the past goes
                units[:, h], mean[h] = units[:, h - 1], mean[h - 1]
                continue
            units[:, h] = _quantiles(scaled[known, h], weight[known])
            mean[h] = units[:, h].mean()
        return Course(units, mean, float(np.expm1(min(self.variance, 4.0))))


def _quantiles(values: FloatArray, weight: FloatArray) -> FloatArray:
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weight[order])
    chance = (np.arange(KEPT) + 0.5) / KEPT * below[-1]
    return np.asarray(values[order][np.minimum(np.searchsorted(below, chance), len(order) - 1)])


def _both(shape: FloatArray, is_launch: BoolArray) -> FloatArray:
    plain = np.column_stack([np.ones(len(shape)), shape])
    return np.hstack([plain, plain * is_launch[:, None]])


def _learnt(units: FloatArray, category: IntArray, k: int, horizon: int) -> _Learnt | None:
    """From windows of k buckets; None where there are too few."""
    windows = _windows(units, k, horizon)
    if len(windows.item) < FEWEST_WINDOWS or len(np.unique(windows.item)) < FEWEST_ITEMS:
        return None
    reach = windows.after[:, :REACH]
    seen = np.isfinite(reach).sum(axis=1)
    use = seen > 0
    count = np.maximum(seen, 1)
    level = np.log((np.nansum(reach, axis=1) / count * reach.shape[1] + NOTHING) / reach.shape[1])
    launch = np.where(windows.is_launch, LAUNCH_WEIGHT, 1.0)
    weight = launch * seen / reach.shape[1]
    shape = _shape(windows.first)
    centre, width = shape.mean(axis=0), shape.std(axis=0)
    width = np.where(width > 1e-9, width, 1.0)
    rows = _both((shape - centre) / width, windows.is_launch)
    features = shape.shape[1]
    ridge = np.r_[1e-6, np.full(features, SHAPE_RIDGE), 1.0, np.full(features, LAUNCH_RIDGE)]
    weighed = rows * weight[:, None]
    slopes = np.linalg.solve(weighed.T @ rows + np.diag(ridge), weighed.T @ level)
    expected = rows @ slopes
    kinds = int(category.max()) + 1
    of = category[windows.item]
    apart = np.bincount(of, weight * (level - expected), kinds)
    effect = apart / (np.bincount(of, weight, kinds) + CATEGORY_ROWS)
    expected = expected + effect[of]
    variance = float(np.average((level - expected) ** 2, weights=weight))
    order = np.flatnonzero(use)[np.argsort(expected[use], kind="stable")]
    return _Learnt(expected[order], windows.after[order], launch[order], centre, width, slopes, effect, variance)


# whether it is believed ---------------------------------------------------------------------------


def _earned(units: FloatArray, category: IntArray, horizon: int, whole: bool) -> bool:
    """Whether launches since the cut were forecast better by windows that had ended by then than by the prior of then,
    from FEWEST_KNOWN - 1 buckets each."""
    closed, k = units.shape[1], FEWEST_KNOWN - 1
    cut = closed - min(HELD_OUT_BUCKETS, int(HELD_OUT_SHARE * closed))
    before, first_of = units[:, :cut], _first_known(units)
    opened = np.flatnonzero(
        (first_of >= int(first_of.min()) + LAUNCHED_AFTER) & (first_of + k >= cut) & (first_of + k < closed)
    )
    wide = np.pad(units, ((0, 0), (0, horizon)), constant_values=np.nan)
    course = wide[opened[:, None], first_of[opened, None] + np.arange(k + horizon)]
    use = np.isfinite(course[:, :k]).all(axis=1) & (course[:, 0] > 0) & np.isfinite(course[:, k:]).any(axis=1)
    # Of many launches, some evenly spread over the items are tested.
    some = np.flatnonzero(use)[:: max(-(-np.count_nonzero(use) // MOST_TESTED), 1)]
    opened, first, came = opened[some], course[some, :k], course[some, k:]
    learnt = _learnt(before, category, k, horizon) if len(opened) >= FEWEST_TESTED else None
    if learnt is None:
        return False
    level, log_variance = _stated(before, category, opened, first)
    at = np.ceil(LEVELS * KEPT).astype(np.int64) - 1
    said = np.stack([c.units[at].T for c in learnt.courses(first, category[opened])])
    seen = np.isfinite(came)
    which = np.nonzero(seen)[0]
    drift = np.nonzero(seen)[1] * np.log1p(STEP)
    stated = drawn_pinball(came[seen], level[which], log_variance[which] + drift, NOISE, whole)
    gain = (stated - pinball(came[seen], said[seen])) / np.maximum(level[which], 1.0)
    by_launch = np.bincount(which, gain, len(opened)) / seen.sum(axis=1)
    error = float(by_launch.std(ddof=1)) / np.sqrt(len(by_launch))
    return bool(by_launch.mean() > EARNED_ERRORS * error)


def _stated(units: FloatArray, category: IntArray, items: IntArray, first: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(item asked) level of the stated prior with its first buckets, and its log variance."""
    first_of, known = _first_known(units), (~np.isnan(units)).sum(axis=1)
    like = np.flatnonzero((known >= FEWEST_KNOWN) & (np.nansum(units, axis=1) > 0))
    levels = np.array([np.nanmean(units[i, first_of[i] : first_of[i] + LAUNCH_BUCKETS]) for i in like])
    came = first_of[like] > first_of.min()
    priors = priors_by_category(np.unique(category[items]).tolist(), category[like].tolist(), levels, came)
    mean, variance = np.array(
        [blended_level(row, priors[int(category[i])]) for i, row in zip(items, first, strict=True)]
    ).T
    return mean, np.log1p(variance)
