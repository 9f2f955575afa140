"""Lasting changes of level in many series, watched block by block: evidence that may be looked at at every moment.

A series is y = 2 sqrt(units / factor + 3/8), of variance near 1 for counts; the factor takes off seasons and holidays
(common_movement.py). At moment t and for every time k at which the level may have changed, the means before and since
k are compared by the Bayes factor of the two-sample t test with a normal prior on the change in standard deviations
(Gönen and others 2005, American Statistician 59):

    B(k, t) = (1 + g V)^(-1/2) (1 - R g V / (1 + g V))^(-(n-1)/2),   R = T^2 / (T^2 + n - 2),   V = 1 / (a0/n0 + a1/n1),

T is the t statistic, n = n0 + n1, g the prior's variance, and a0, a1 raise the variance of a mean where neighbouring
blocks are alike (lag-one correlation; Bartlett 1946). The mean of B is 1 for normal noise of any level and variance, at
every t, since it depends on neither, so that

    M(t) = sum over k of B(k, t)

grows by at most 1 a block on average while nothing changes: an e-detector of the Shiryaev-Roberts kind (Shin, Ramdas
and Rinaldo 2024, New England Journal of Statistics in Data Science). M reaches c at most once in c blocks on average.

Of m series, r with an alarm in the last year or now, those alarm that have M >= OVERSHOOT year m / (share r). That is
e-BH (Wang and Ramdas 2022, JRSS B 84) with each series' evidence stopped at its alarm: of the alarms of a year at most
`share` are expected to be false, however often one looks, and where nothing changes at most `share` of years have any.
After an alarm a series begins anew at its new level.

A block that stands out counts as at most SPIKE standard deviations, and for more only as far as the block before it
stands out to the same side; a new level has at least LATE_MIN blocks. So one spike is never a change of level.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from datong.model.flow import BoolArray, FloatArray, IntArray
from datong.statistics.common_movement import CommonMovement
from datong.statistics.odd_blocks import stabilised

# Standard deviations that a lone block counts as at most.
SPIKE = 3.0
# Variance of a change, in variances of the noise, before anything is seen; part of the evidence that compares with all
# blocks since the last change, the rest compares with the nearest ones.
PRIOR_VARIANCE, LONG_SHARE = 2.0, 0.8
# Noise is never taken to be less than this variance on the stabilised scale.
VARIANCE_MIN = 0.05
# Mean units a block and share of blocks with sales that a series needs to be watched.
MEAN_MIN, SOLD_SHARE_MIN = 1.0, 0.5
# M reaches c in a share of years that is at most this times year / c on noise of counts: it steps beyond c, and the
# limit on single blocks and the margin of the correlation hold it down. With less, two wild blocks may be a level, and
# the share of false alarms comes near its limit where many series change (measured by benchmarks/change.py and tests).
OVERSHOOT = 0.35
# Standard errors added to the correlation of neighbouring blocks.
CORRELATION_MARGIN = 1.5
CORRELATION_MAX = 0.9
# Fewest blocks of a new level: two are a spike still.
LATE_MIN = 3
# Part of the way to the new level by which a block before the likeliest change belongs to it.
MOST_OF_THE_WAY = 0.75


@dataclass(frozen=True)
class Blocks:
    """How blocks of one length are watched."""

    # Days of a block.
    days: int
    # Blocks in a year.
    year: int
    # Blocks since a change at which it is looked for; what is not found by the last of them never is.
    ages: tuple[int, ...]
    # Nearest blocks before the change that it is compared with.
    baseline: int
    # Fewest blocks before a change at the beginning of a series.
    baseline_min: int
    # Fewest blocks of a level that has been found, before the next change.
    level_min: int
    # Fewest known blocks of a series that is watched.
    known_min: int


WEEKS = Blocks(7, 52, (3, 4, 5, 6, 7, 8, 10, 12, 14, 17, 21, 26), 26, 8, 4, 12)
DAYS = Blocks(1, 364, (3, 4, 5, 6, 7, 8, 10, 12, 14, 17, 21, 28, 35, 42, 56), 56, 28, 14, 42)


class Alarms(NamedTuple):
    """Alarms of one moment, an entry each.

    series: its position. since: block at whose end it was known. first: first block of the new level. begin: first
    block of the old one. strength: change in standard deviations of the noise. change_share: of units, beside what
    like series did. p_value: at most so many false ones a year are expected of a series. q_value: the share of false
    ones at which it is one.
    """

    series: IntArray
    since: IntArray
    first: IntArray
    begin: IntArray
    strength: FloatArray
    change_share: FloatArray
    p_value: FloatArray
    q_value: FloatArray


class Evidence(NamedTuple):
    """(series) log M; first block of the likeliest change; its size in standard deviations."""

    log_m: FloatArray
    first: IntArray
    strength: FloatArray


# Ages of a change times series that are looked at together: as many as stay near the processor.
CELLS_AT_ONCE = 8_192
# Running sums that are kept of each series.
KNOWN, SUM, SQUARE, PRODUCT, UNITS, SOLD = range(6)
SUMS = 6


class LevelWatch:
    """The watch of many series, carried from block to block: a new block costs the same whatever came before."""

    def __init__(self, groups: IntArray, blocks: Blocks, share: float) -> None:
        """groups: (series) number of the group of like series, from 0 on. share: of alarms that may be false."""
        series = len(groups)
        self.blocks, self.share = blocks, share
        self.common = CommonMovement(groups, blocks.days)
        self.block = 0  # blocks seen
        self.sums = np.zeros((blocks.baseline + blocks.ages[-1] + 1, SUMS, series))  # running, ring over blocks
        self.base = np.zeros((SUMS, series))  # running sums where the present level began
        self.start = np.zeros(series, np.int64)  # block where it began
        self.centre = np.zeros(series)  # first known y, taken off all for the sake of precision
        self.before, self.before_counted = (
            np.zeros(series),
            np.zeros(series),
        )  # last known block: in deviations; as counted
        self.alarms_at = np.zeros(0, np.int64)  # blocks of the alarms of the last year

    def look(self, units: FloatArray) -> Alarms:
        """The next block, and the alarms that it raises. units: (series) NaN where unknown."""
        self._take(units)
        watched = self._watched()
        found = self._evidence(np.flatnonzero(watched))
        return self._raised(found, int(watched.sum()))

    def _at(self, block: int) -> FloatArray:
        """Running sums before a block."""
        return self.sums[block % len(self.sums)]

    def _take(self, units: FloatArray) -> None:
        known = ~np.isnan(units)
        alike = np.where(known, units, 0.0) / self.common.look(units)
        now = self._at(self.block)
        self.centre = np.where(known & (now[KNOWN] == 0), stabilised(alike), self.centre)
        y = np.where(known, stabilised(alike) - self.centre, 0.0)
        edge = max(self.block - self.blocks.baseline, 0)
        recent = now - np.where(self.start >= edge, self.base, self._at(edge))
        count = np.maximum(recent[KNOWN], 1.0)
        mean = recent[SUM] / count
        variance = np.maximum(recent[SQUARE] / count - mean**2, VARIANCE_MIN)
        enough = recent[KNOWN] >= self.blocks.baseline_min
        middle = max(float(np.median(variance[enough])), 1.0) if enough.any() else 1.0
        weight = self.blocks.baseline_min / 2.0
        deviation = np.sqrt((variance * recent[KNOWN] + middle * weight) / (recent[KNOWN] + weight))
        stands_out = np.where(known, (y - mean) / deviation, 0.0)
        limited = np.clip(stands_out, np.minimum(self.before, -SPIKE), np.maximum(self.before, SPIKE))
        limited = np.where(recent[KNOWN] >= self.blocks.level_min, limited, stands_out)
        counted = np.where(known, mean + limited * deviation, 0.0)
        product = counted * self.before_counted
        self.before = np.where(known, stands_out, self.before)
        self.before_counted = np.where(known, counted, self.before_counted)
        self.block += 1
        self.sums[self.block % len(self.sums)] = now + np.stack((known, counted, counted**2, product, alike, alike > 0))

    def _watched(self) -> BoolArray:
        """Series that sold enough lately to be watched."""
        recent = self._at(self.block) - self._at(max(self.block - len(self.sums) + 1, 0))
        count = np.maximum(recent[KNOWN], 1.0)
        return (
            (recent[KNOWN] >= self.blocks.known_min)
            & (recent[UNITS] / count >= MEAN_MIN)
            & (recent[SOLD] / count >= SOLD_SHARE_MIN)
        )

    def _evidence(self, rows: IntArray) -> Evidence:
        series = len(self.start)
        log_m, first, strength = np.full(series, -np.inf), np.zeros(series, np.int64), np.zeros(series)
        ages = [a for a in self.blocks.ages if self.block - a >= self.blocks.baseline_min]
        if not ages or not len(rows):
            return Evidence(log_m, first, strength)
        steps = np.diff((*self.blocks.ages, 2 * self.blocks.ages[-1] - self.blocks.ages[-2]))
        now, base = (part[:UNITS].take(rows, axis=1) for part in (self._at(self.block), self.base))
        start = self.start[rows]
        least = np.where(start > 0, self.blocks.level_min, self.blocks.baseline_min)
        most, total = np.full(len(rows), -np.inf), np.zeros(len(rows))
        at, size = np.zeros(len(rows), np.int64), np.zeros(len(rows))
        every = np.array(ages)
        at_once = max(CELLS_AT_ONCE // len(rows), 1)
        for k in range(0, len(every), at_once):
            splits = self.block - every[k : k + at_once]
            factors = self._factors(rows, splits, now, base, start, least)
            for step, split, near, all_of_it, size_near, size_all in zip(steps[k:], splits, *factors, strict=False):
                both = step * ((1.0 - LONG_SHARE) * near + LONG_SHARE * all_of_it)
                total += both
                better = both > most
                most, at = np.where(better, both, most), np.where(better, split, at)
                size = np.where(better, np.where(near >= all_of_it, size_near, size_all), size)
        log_m[rows], first[rows], strength[rows] = np.log(np.maximum(total, 1e-300)), at, size
        return Evidence(log_m, first, strength)

    def _factors(
        self, rows: IntArray, splits: IntArray, now: FloatArray, base: FloatArray, start: IntArray, least: IntArray
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """(split, row) B of a change at each split against the blocks just before it, and against all of the level;
        the change in standard deviations of each."""
        edges = np.maximum(splits - self.blocks.baseline, 0)
        middle = np.stack([self._at(int(split))[:UNITS].take(rows, axis=1) for split in splits], axis=1)
        before, after = middle - base[:, None], now[:, None] - middle
        dependence = _dependence(_correlation(before), after[KNOWN])
        by_all = _bayes_factor(before, after, dependence, least)
        by_near = by_all
        if edges.any():
            at_edges = np.stack([self._at(int(edge))[:UNITS].take(rows, axis=1) for edge in edges], axis=1)
            near = np.where(start >= edges[:, None], base[:, None], at_edges)
            by_near = _bayes_factor(middle - near, after, dependence, least)
        return by_near[0], by_all[0], by_near[1], by_all[1]

    def _raised(self, found: Evidence, watched: int) -> Alarms:
        """Those that hold the share of false alarms; the series that raise one begin anew."""
        now, year = self.block - 1, self.blocks.year
        self.alarms_at = self.alarms_at[self.alarms_at > now - year]
        p_value = OVERSHOOT * year * np.exp(-np.maximum(found.log_m, 0.0))
        order = np.argsort(-found.log_m, kind="stable")
        rank = len(self.alarms_at) + np.arange(1, len(order) + 1)
        q_value = np.minimum(np.minimum.accumulate((p_value[order] * watched / rank)[::-1])[::-1], 1.0)
        count = int((q_value <= self.share).sum()) if watched else 0
        raised = order[:count]
        self.alarms_at = np.append(self.alarms_at, np.full(count, now))
        first = self._first(raised, found)
        split = self.sums[first % len(self.sums), :, raised].T
        alarms = Alarms(
            raised,
            np.full(count, now),
            first,
            self.start[raised],
            found.strength[raised],
            _change_share(split - self.base[:, raised], self._at(self.block)[:, raised] - split),
            np.minimum(p_value[raised], 1.0),
            q_value[:count],
        )
        self.base[:, raised] = split
        self.start[raised] = first
        return alarms

    def _first(self, raised: IntArray, found: Evidence) -> IntArray:
        """First block of the new level: earlier than the likeliest one as long as the blocks before it went most of the
        way from the old one. A jump counts little at first, since it may be a spike."""
        first = found.first[raised].copy()
        for k, series in enumerate(raised):
            before = self.sums[first[k] % len(self.sums), :, series] - self.base[:, series]
            after = self.sums[self.block % len(self.sums), :, series] - before - self.base[:, series]
            old, new = (np.sqrt(part[UNITS] / max(part[KNOWN], 1.0)) for part in (before, after))
            reached = old + MOST_OF_THE_WAY * (new - old)
            earliest = max(self.start[series] + self.blocks.level_min, self.block - len(self.sums) + 2)
            while first[k] > earliest:
                ends = self._at(first[k])[:, series] - self._at(first[k] - 1)[:, series]
                if not ends[KNOWN] or (np.sqrt(ends[UNITS]) - reached) * found.strength[series] <= 0:
                    break
                first[k] -= 1
        return first


def _correlation(before: FloatArray) -> FloatArray:
    """(split, row) lag-one correlation of each series in the blocks before a change.

    Each one's own, raised for its bias in few blocks (Kendall 1954, Biometrika 41), and the mean of all are weighted by
    how far series differ beyond chance (empirical Bayes); CORRELATION_MARGIN standard errors are added.
    """
    count = np.maximum(before[KNOWN], 1.0)
    level = before[SUM] ** 2 / count
    power = np.maximum(before[SQUARE] - level, 1e-9)
    own = np.minimum(np.maximum((before[PRODUCT] - level) / power, -CORRELATION_MAX), CORRELATION_MAX)
    own += (1.0 + 4.0 * np.maximum(own, 0.0)) / count
    total = count.sum(axis=-1, keepdims=True)
    mean = (own * count).sum(axis=-1, keepdims=True) / total
    error = 1.0 / count
    apart = np.maximum((((own - mean) ** 2 - error) * count).sum(axis=-1, keepdims=True) / total, 1e-6)
    likely = (own * apart + mean * error) / (apart + error)
    spread = np.sqrt(apart * error / (apart + error) + 1.0 / total)
    return np.minimum(np.maximum(likely + CORRELATION_MARGIN * spread, 0.0), CORRELATION_MAX)


def _change_share(before: FloatArray, after: FloatArray) -> FloatArray:
    """Change of the mean units over the mean before; 1 where that was nothing."""
    level, late = (part[UNITS] / np.maximum(part[KNOWN], 1.0) for part in (before, after))
    return np.where(level > 0, late / np.maximum(level, 1e-9) - 1.0, 1.0)


def _dependence(correlation: FloatArray, count: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Variance of a mean over that of as many independent blocks: of many blocks, and of `count` blocks.

    Correlations r, r^1.5, r^2 ...: counting noise lowers the first one more than it quickens the fall of the others.
    """
    fall, some = np.sqrt(correlation), np.maximum(count, 1.0)
    many = 1.0 + 2.0 * correlation / (1.0 - fall)
    return many, many - 2.0 * correlation * (1.0 - fall**some) / some / (1.0 - fall) ** 2


def _bayes_factor(
    before: FloatArray, after: FloatArray, dependence: tuple[FloatArray, FloatArray], least: IntArray
) -> tuple[FloatArray, FloatArray]:
    """B of each series, and the change in standard deviations.

    B is 0 where fewer than `least` blocks before or LATE_MIN after are known.
    """
    n0, n1 = before[KNOWN], after[KNOWN]
    some0, some1 = np.maximum(n0, 1.0), np.maximum(n1, 1.0)
    change = after[SUM] / some1 - before[SUM] / some0
    square = before[SQUARE] - before[SUM] ** 2 / some0 + after[SQUARE] - after[SUM] ** 2 / some1
    freedom = np.maximum(n0 + n1 - 2.0, 1.0)
    noise = np.maximum(square / freedom, VARIANCE_MIN)
    worth = 1.0 / (dependence[1] / some1 + dependence[0] / some0)
    t_square = change**2 * worth / noise
    gain = PRIOR_VARIANCE * worth
    explained = t_square / (t_square + freedom) * gain / (1.0 + gain)
    log_b = -0.5 * np.log1p(gain) - 0.5 * (freedom + 1.0) * np.log1p(-explained)
    usable = (n0 >= least) & (n1 >= LATE_MIN)
    return np.where(usable, np.exp(np.minimum(log_b, 600.0)), 0.0), change / np.sqrt(noise)


def watch(units: FloatArray, groups: IntArray, blocks: Blocks, share: float) -> Alarms:
    """All alarms along the whole history, oldest first. units: (series, block) NaN where unknown."""
    state = LevelWatch(groups, blocks, share)
    every = [state.look(units[:, t]) for t in range(units.shape[1])]
    if not every:
        whole, real = np.zeros(0, np.int64), np.zeros(0)
        return Alarms(whole, whole, whole, whole, real, real, real, real)
    return Alarms(*(np.concatenate(part) for part in zip(*every, strict=True)))
