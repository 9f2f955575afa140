"""Items with hardly any history: the pooled model of how launches go on.

An item with 0 to MOST_KNOWN known buckets is forecast as the chain's launches went on when they were that young. Its
level s is that of its look-alikes, by all that items can be grouped by, blended with what it sold:

    log s = (1 - w) log base + w log own,    w = k / (k + 1) of k known buckets
    units ~ mean m = s * f(features),  f by LightGBM as in pooled.py, rows: a launch, its first buckets, a distance

`base` is a sum of shrunk effects, one for each value of each attribute, of the market and of the product, fitted to the
log levels of the items known by then (a ridge regression on indicators; Hoerl and Kennard 1970): a product sold in
other markets already, or a market where all sells well, is thus known before its first sale. A launch's level is that
of its first buckets, as in launch_prior.py.

A first fit ends where the pooled model's does; the launches after it show how far m and the stated prior p are to be
believed. The mean is  p^(1 - share) m^share,  the level about it lognormal; share, the level's log variance and the
noise of a bucket are those of least pinball loss over single buckets and over their sum, drawn to the usual ones by how
few launches there were.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import gammaincinv, ndtri

from datong.forecast.launch_prior import MOST_LOG_VARIANCE, blended_level, priors_by_category
from datong.forecast.level_by_look_alikes import look_alike_logs
from datong.forecast.pooled import MEASURED_MEAN, YEARS, Past, item_codes, mean_settings, past_of
from datong.forecast.spread import poisson_quantile
from datong.forecast.which_look_alikes import FEWEST_KNOWN, came, is_look_alike, launch_levels
from datong.model.flow import BoolArray, FloatArray, IntArray, SeriesSet

# Items with at most so many known buckets are forecast so; rows are learnt from up to so many.
MOST_KNOWN, LEARNT_KNOWN = FEWEST_KNOWN - 1, 8
# Used from so many launches on; of more than that, so many evenly spread over time are learnt from.
FEWEST_LAUNCHED, MOST_LAUNCHED = 20, 1000
# A target beyond this many levels is cut: launches are few, and one giant would speak for the others.
MOST_LEVELS = 8.0
# Boosting: far fewer rows than the pooled model has.
ROUNDS, LEAVES, RIDGE, LEAF_SHARE, FEWEST_IN_LEAF = 100, 8, 10.0, 0.03, 20
# The usual settings count as so many launches that were tested. Usually the two levels count alike.
USUAL_LAUNCHES, USUAL_SHARE = 10.0, 0.5
# What is tried, the usual first, as it is kept where others are no better: share, factor on the prior's log variance,
# noise of a bucket.
SHARES = (0.5, 0.25, 0.75, 0.0, 1.0)
WIDTHS = (1.0, 0.25, 0.35, 0.5, 0.7, 1.4, 2.0, 2.8, 4.0)
NOISES = (1.0, 0.25, 0.5, 1.5, 2.0, 3.0)
USUAL_NOISE = 1.0
# What each bucket adds to the level's variance.
STEP = 0.04
# The launches that were tested came in the same few weeks and strayed together, as those to come will: the level is so
# much less sure.
WIDER = 1.6
ROUNDS_OF_CHOICE = 3
# Pinball levels, draws of a bucket and rows for the choice.
LEVELS = np.array([0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95])
DRAWS, MOST_TESTED = 64, 600


@dataclass(frozen=True)
class Trust:
    """How a launch is drawn. share: of the pooled model; width: factor on the prior's log variance; noise:
    relative variance of a bucket; launches: how many told it."""

    share: float = USUAL_SHARE
    width: float = 1.0
    noise: float = USUAL_NOISE
    launches: int = 0

    def wider(self) -> "Trust":
        return replace(self, width=WIDER * self.width)

    def widened(self, log_variance: FloatArray) -> FloatArray:
        """Of the level, from that of the stated prior; never wider than a prior may be."""
        return np.minimum(self.width * log_variance, MOST_LOG_VARIANCE)


@dataclass(frozen=True, eq=False)
class Launches:
    """mean: (item, bucket ahead) of the pooled model, holidays apart; NaN where not asked. known: (item) known buckets.
    unsold, begun: trust in items without and with a known bucket."""

    mean: FloatArray
    known: IntArray
    unsold: Trust
    begun: Trust

    def has(self, i: int) -> bool:
        return not np.isnan(self.mean[i]).any()

    def level(self, i: int, prior: FloatArray) -> FloatArray:
        """(bucket ahead) units of item i, holidays apart, from its stated prior."""
        return _mixed(self.mean[i], prior, self.trust(i).share)

    def trust(self, i: int) -> Trust:
        return self.begun if self.known[i] else self.unsold


def launch_forecast(
    series: SeriesSet, units: FloatArray, whole: BoolArray, asked: IntArray, cut: int, season: FloatArray
) -> Launches | None:
    """What launches before tell of the asked items; None where there were too few.

    units: (item, closed bucket) NaN where unknown, without the effect of moving holidays. asked: items with at most
    MOST_KNOWN known buckets. cut: bucket at which the first fit ends. season: (item, closed, then open bucket) factors
    as they were known at cut.
    """
    horizon, closed = len(series.horizon_starts), units.shape[1]
    known = (~np.isnan(units)).sum(axis=1)
    if not known.any():
        return None
    is_counted = bool(whole[known > 0].mean() > 0.5)
    # What is not counted is put to where the Poisson part is nothing.
    mean_units = float(np.nanmean(units))
    scale = 1.0 if is_counted or mean_units <= 0 else MEASURED_MEAN / mean_units
    rows_of = _Rows(past_of(series, units * scale), item_codes(series), horizon)
    if np.count_nonzero(came(rows_of.past) & (rows_of.past.first < cut)) < FEWEST_LAUNCHED:
        return None
    learnt = rows_of.table(rows_of.cases(LEARNT_KNOWN))
    earlier = learnt.take(learnt.ends < cut)
    if not np.nansum(earlier.target) > 0:  # launched in name, and nothing sold
        return None
    cases = [case for case in rows_of.cases(MOST_KNOWN) if case[1] >= cut]
    unsold = begun = Trust()
    if cases:
        tested = rows_of.table(cases)
        said = _mean(_fit(earlier), tested)
        level, variance = _priors_then(rows_of.past, series.category, cases, horizon)
        rows = _Tested(tested.target, said, level * season[tested.item, tested.ends], variance, tested.item)
        unsold, begun = (_trust(rows.by_case(at, horizon), is_counted) for at in (tested.known == 0, tested.known > 0))
    ahead = rows_of.table([(int(i), closed, int(known[i])) for i in asked])
    mean = np.full((len(units), horizon), np.nan)
    mean[ahead.item, ahead.ends - closed] = _mean(_fit(learnt), ahead) / scale
    return Launches(mean, known, unsold.wider(), begun.wider())


# rows -------------------------------------------------------------------------------------------

# An item, the bucket that opens, and how many of its buckets are known by then.
_Case = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class _Table:
    """(row) in order of cases and distance. features: (row, feature). level, target: units. ends: the target's bucket.
    known: buckets of the item known at the opening."""

    features: FloatArray
    level: FloatArray
    target: FloatArray
    ends: IntArray
    item: IntArray
    known: IntArray

    def take(self, rows: BoolArray) -> "_Table":
        return _Table(*(x[rows] for x in vars(self).values()))


@dataclass(frozen=True, eq=False)
class _Rows:
    """codes: (item) by what items can be grouped. horizon: buckets ahead."""

    past: Past
    codes: Sequence[IntArray]
    horizon: int

    def cases(self, most_known: int) -> list[_Case]:
        """Launches by the time they opened, and after each of their first known buckets."""
        closed = self.past.units.shape[1]
        launched = np.flatnonzero(came(self.past))
        by_time = launched[np.argsort(self.past.first[launched], kind="stable")]
        result = []
        for i in by_time[np.unique(np.linspace(0, len(launched) - 1, MOST_LAUNCHED).round().astype(np.int64))]:
            known = np.flatnonzero(~np.isnan(self.past.units[i]))[:most_known]
            opened = [int(known[0]), *(int(t) + 1 for t in known)]
            result += [(int(i), t, k) for k, t in enumerate(opened) if t < closed]
        return sorted(result, key=lambda case: (case[1], case[0]))

    def table(self, cases: Sequence[_Case]) -> _Table:
        """cases: in order of their openings."""
        item, opens, known = (np.array(column, dtype=np.int64) for column in zip(*cases, strict=True))
        parts = [self._known(item[opens == t], int(t), known[opens == t]) for t in np.unique(opens)]
        level, features = (np.concatenate(part).repeat(self.horizon, axis=0) for part in zip(*parts, strict=True))
        away = np.tile(np.arange(self.horizon), len(cases))
        item, opens, known = (x.repeat(self.horizon) for x in (item, opens, known))
        columns = [features, away[:, None].astype(np.float64)]
        if self.past.units.shape[1] > YEARS[0] + LEARNT_KNOWN:
            # With less than a year the day of the year is but a trend.
            columns.append(self.past.year_day[opens + away][:, None])
        units = np.pad(self.past.units, ((0, 0), (0, self.horizon)), constant_values=np.nan)
        return _Table(np.hstack(columns), level, units[item, opens + away], opens + away, item, known)

    def _known(self, item: IntArray, t: int, known: IntArray) -> tuple[FloatArray, FloatArray]:
        """(case) level s, and (case, feature) what is known when bucket t opens."""
        past = self.past
        every, usual = look_alike_logs(past, self.codes, t)
        base = every[item]
        own = np.log(np.maximum(past.sums[item, t], 0.5) / np.maximum(known, 1))
        level = np.exp(base + known / (known + 1) * (own - base))
        sold, recent = known > 0, past.groups[0].ratio[0, max(t - 13, 0) : t]
        steady = float(recent.mean()) if recent.any() else 1.0
        features = [
            known.astype(float),
            np.maximum(t - past.first[item], 0).astype(float),
            np.where(sold, own - base, np.nan),
            past.units[item, t - 1] / level,
            np.where(sold, past.empty[item, t] / np.maximum(known, 1), np.nan),
            np.log(level),
            base,
            base - usual,
            np.full(len(item), recent[-1] / steady),
            np.full(len(item), recent[-4:].mean() / steady),
        ]
        return level, np.column_stack(features)


def _priors_then(
    past: Past, category: Sequence[str], cases: Sequence[_Case], horizon: int
) -> tuple[FloatArray, FloatArray]:
    """(row) level of the stated prior with what was known of the item, and its variance in logs."""
    names, launched = np.array(category), came(past)
    levels, found = [], {}
    for i, t, _ in cases:
        if (t, names[i]) not in found:
            like = is_look_alike(past, t)
            known = (tuple(names[like]), launch_levels(past, t)[like], launched[like])
            found[t, names[i]] = priors_by_category((names[i],), *known)[names[i]]
        levels.append(blended_level(past.units[i, :t], found[t, names[i]]))
    mean, variance = np.array(levels).T.repeat(horizon, axis=1)
    return mean, np.log1p(variance)


# fitting ----------------------------------------------------------------------------------------


def _fit(rows: _Table) -> Any:
    import lightgbm

    use = ~np.isnan(rows.target)
    level = rows.level[use]
    settings = mean_settings(max(FEWEST_IN_LEAF, int(LEAF_SHARE * len(level))))
    data = lightgbm.Dataset(
        rows.features[use],
        np.minimum(rows.target[use] / level, MOST_LEVELS),
        weight=level / (1 + 0.5 * level),
        params={name: settings[name] for name in ("max_bin", "verbosity")},
    )
    return lightgbm.train(settings | {"num_leaves": LEAVES, "lambda_l2": RIDGE}, data, ROUNDS)


def _mean(model: Any, rows: _Table) -> FloatArray:
    """(row) expected units."""
    return np.maximum(model.predict(rows.features, num_threads=1), 0.01) * rows.level


def _mixed(pooled: FloatArray, prior: FloatArray, share: float) -> FloatArray:
    """Between the two, in logs."""
    return np.maximum(pooled, 1e-9) ** share * np.maximum(prior, 1e-9) ** (1 - share)


@dataclass(frozen=True, eq=False)
class _Tested:
    """(row) or (case, distance): actual units, and what was said of them; pooled, prior: means in units;
    log_variance: of the prior's level. item: (row) its index."""

    actual: FloatArray
    pooled: FloatArray
    prior: FloatArray
    log_variance: FloatArray
    item: IntArray

    def by_case(self, rows: BoolArray, horizon: int) -> "_Tested":
        """(case, distance) of those of the rows whose case has anything known."""
        by_case = _Tested(*(x[rows].reshape(-1, horizon) for x in vars(self).values()))
        seen = ~np.isnan(by_case.actual).all(axis=1)
        return _Tested(*(x[seen] for x in vars(by_case).values()))


def _trust(tested: _Tested, whole: bool) -> Trust:
    """By least pinball loss, one setting after the other, drawn to the usual ones."""
    if not len(tested.actual):
        return Trust()
    actual, pooled, prior, log_variance = tested.actual, tested.pooled, tested.prior, tested.log_variance
    seen = ~np.isnan(actual)
    launches = len(np.unique(tested.item))
    # By what was said: by what came, those that came to little would count most, and low levels would be chosen.
    scale = np.maximum(_mixed(pooled, prior, USUAL_SHARE).mean(axis=1), 1.0)
    cells = np.argwhere(seen)
    case, at = cells[:: -(-len(cells) // MOST_TESTED)].T
    some = np.arange(0, len(actual), -(-len(actual) // MOST_TESTED))

    def loss(trust: Trust) -> float:
        mean = _mixed(pooled, prior, trust.share)
        drift = np.log1p(STEP) * np.arange(actual.shape[1])
        level = trust.widened(log_variance) + drift
        single = drawn_pinball(actual[case, at], mean[case, at], level[case, at], trust.noise, whole)
        total, count = (np.where(seen, x, 0.0)[some].sum(axis=1) for x in (actual, np.ones_like(actual)))
        sums = np.where(seen, mean, 0.0)[some].sum(axis=1)
        joint = drawn_pinball(
            total, sums, np.where(seen, level, 0.0)[some].sum(axis=1) / count, trust.noise / count, whole
        )
        return float(np.mean(single / scale[case]) + np.mean(joint / (scale[some] * count)))

    best = {name: value for name, value in vars(Trust()).items() if name != "launches"}
    tried = {"share": SHARES, "width": WIDTHS, "noise": NOISES}
    for _ in range(ROUNDS_OF_CHOICE):
        for name, values in tried.items():
            best[name] = min(values, key=lambda value: loss(Trust(**(best | {name: value}))))
    weight = launches / (launches + USUAL_LAUNCHES)
    share = weight * best.pop("share") + (1 - weight) * USUAL_SHARE
    usual = vars(Trust())
    drawn = {name: float(value**weight * usual[name] ** (1 - weight)) for name, value in best.items()}
    return Trust(share=share, launches=launches, **drawn)


def drawn_pinball(
    actual: FloatArray, mean: FloatArray, log_variance: FloatArray, noise: float | FloatArray, whole: bool
) -> FloatArray:
    """(row) mean over levels, of demand as it is drawn: a lognormal level, gamma noise and a Poisson count on it."""
    part = (np.arange(DRAWS) + 0.5) / DRAWS
    rng = np.random.default_rng(1)
    level, size, count = part, rng.permutation(part), rng.permutation(part)
    sd = np.sqrt(log_variance)[:, None]
    shape = np.broadcast_to(np.asarray(noise, dtype=float), actual.shape)
    different, which = np.unique(shape, return_inverse=True)
    gamma = gammaincinv(1 / different[:, None], size) * different[:, None]
    drawn = mean[:, None] * np.exp(sd * ndtri(level) - sd**2 / 2) * gamma[which]
    if whole:
        drawn = poisson_quantile(np.broadcast_to(count, drawn.shape), drawn)
    drawn.sort(axis=1)
    return pinball(actual, drawn[:, np.ceil(LEVELS * DRAWS).astype(int) - 1])


def pinball(actual: FloatArray, quantiles: FloatArray) -> FloatArray:
    """(row) mean over LEVELS; quantiles: (row, level)."""
    over = actual[:, None] - quantiles
    return np.maximum(LEVELS * over, (LEVELS - 1) * over).mean(axis=1)
