"""What many series do together, and what each does by weekday: seasons and holidays, worked out block by block."""

import numpy as np

from datong.model.flow import BoolArray, FloatArray, IntArray

# A group needs so many series with sales to show what they do together.
LIKE_MIN = 5
# Standard deviations that units count as off their usual level at most, by which that deviation is learnt, and beyond
# which a series does not count for its group.
LIMIT, LIMIT_NOISE, REJECTED = 1.5, 3.0, 4.0
# Usual levels and weekday shares are means that forget at these rates; a level in weeks.
LEVEL_WEEKS, WEEKDAY_RATE = 8.0, 1 / 8
# Variance of units over their usual level before anything is seen.
FIRST_VARIANCE = 0.04
# Series below so many units a block do not show a common movement.
LEVEL_MIN = 1.0
# Least standard deviation of units over their usual level.
NOISE_MIN = 0.02
# Rounds by which the common factor is found, and the least factor.
ROUNDS, FACTOR_MIN = 4, 0.02
WEEK_DAYS = 7


class CommonMovement:
    """At every block the factor of each series: that of its group times that of the weekday.

    With level L and weekday share w of a series, the factor f of a group solves

        sum clip(units / (L w f) - 1, -c s, c s) / s^2 = 0    over its series, c = LIMIT (Huber 1964),

    s is the standard deviation of that ratio, and L and w follow by the same limited ratio, so that no drift comes of
    limiting it. Series further off than REJECTED s do not count, so that what few do by themselves does not move the
    factor. A group of fewer than LIKE_MIN such series takes the factor of all series; where those are fewer, it is 1.
    """

    def __init__(self, groups: IntArray, block_days: int) -> None:
        """groups: (series) number of the group, from 0 on. block_days: 1 or 7."""
        series = len(groups)
        self.groups, self.count = groups, int(groups.max()) + 1 if series else 0
        self.per_week = WEEK_DAYS // block_days
        self.rate = 1.0 / (LEVEL_WEEKS * self.per_week)
        self.level, self.variance = np.zeros(series), np.full(series, FIRST_VARIANCE)
        self.weekday = np.ones((self.per_week, series))
        self.seen = np.zeros(series)
        self.block = 0
        self.factor = np.ones(self.count)

    def look(self, units: FloatArray) -> FloatArray:
        """The factors (series) of the next block. units: (series) NaN where unknown."""
        known = ~np.isnan(units)
        filled = np.where(known, units, 0.0)
        day = self.block % self.per_week
        self.level = np.where(known & (self.seen == 0), np.maximum(filled, LEVEL_MIN), self.level)
        share = self.weekday[day]
        usual = np.maximum(self.level * share, 0.05)
        factor = self._factor(filled / usual, known & (self.level >= LEVEL_MIN) & (self.seen > 0))
        off = np.where(known, filled / (usual * factor) - 1.0, 0.0)
        noise = np.maximum(np.sqrt(self.variance), NOISE_MIN)
        ratio = np.clip(off, -LIMIT * noise, LIMIT * noise)
        self.seen += known
        rate = np.maximum(self.rate, 1.0 / np.maximum(self.seen, 1.0))
        self.level = np.maximum(self.level * (1.0 + rate * ratio), 0.05)
        square = np.minimum(np.abs(off), LIMIT_NOISE * noise) ** 2
        self.variance += rate * np.where(known, square - self.variance, 0.0)
        if self.per_week > 1:
            rate = np.maximum(WEEKDAY_RATE, self.per_week / (self.seen + self.per_week))
            self.weekday[day] = np.maximum(share * (1.0 + rate * ratio), 0.05)
            self.weekday /= self.weekday.mean(axis=0)
        self.block += 1
        return factor * np.maximum(share, 0.05)

    def _factor(self, ratio: FloatArray, shows: BoolArray) -> FloatArray:
        """(series) factor of each one's group."""
        weight = np.where(shows, 1.0 / np.maximum(self.variance, NOISE_MIN**2), 0.0)
        every = np.zeros_like(self.groups)
        whole = self._solved(ratio, weight, every, 1)
        shown = np.bincount(self.groups, shows, self.count) >= LIKE_MIN
        own = self._solved(ratio, weight, self.groups, self.count)
        common = whole[0] if shows.sum() >= LIKE_MIN else 1.0
        return np.where(shown, own, common)[self.groups]

    def _solved(self, ratio: FloatArray, weight: FloatArray, groups: IntArray, count: int) -> FloatArray:
        """(group) the factor: from the median on, by the equation above."""
        factor = np.maximum(_medians(ratio, weight > 0, groups, count), FACTOR_MIN)
        noise = np.maximum(np.sqrt(self.variance), NOISE_MIN)
        limit = LIMIT * noise
        for _ in range(ROUNDS):
            off = ratio / factor[groups] - 1.0
            used = np.where(np.abs(off) <= REJECTED * noise, weight, 0.0)
            total = np.bincount(groups, used, count)
            moved = np.bincount(groups, used * np.minimum(np.maximum(off, -limit), limit), count)
            factor = np.maximum(factor * (1.0 + moved / np.where(total > 0, total, np.inf)), FACTOR_MIN)
        return factor


def _medians(values: FloatArray, used: BoolArray, groups: IntArray, count: int) -> FloatArray:
    """(group) median of the values used, the lower of two; 1 where there are none."""
    rows = np.flatnonzero(used)
    order = rows[np.lexsort((values[rows], groups[rows]))]
    size = np.bincount(groups[rows], minlength=count)
    middle = np.cumsum(size) - size + np.maximum(size - 1, 0) // 2
    some = size > 0
    return np.where(some, values[order[np.where(some, middle, 0)]] if len(order) else 1.0, 1.0)
