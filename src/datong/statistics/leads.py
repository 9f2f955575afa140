"""Does one series lead another? Tested over many pairs at once, out of sample, before anything is moved by it.

For series i and bucket t let y be demand and x an indicator (views, complaints, returns ...), and with L the mean of
the last LEVEL_BUCKETS known buckets up to t

    target   r = (mean of y over the buckets t + first .. t + last  -  L) / (L + 1)
    own      s = (y_t - L) / (L + 1), and the same of the mean of the last three
    news     n = change of x against its own mean of the LEVEL_BUCKETS before (see `news_of_counts`, `news_of_shares`)

r is regressed on s and n by least squares with weight L (of counts, 1 / variance), every bucket taken off its own mean
over the series: what moves all alike (a season, a holiday) is no lead. The coefficient is that of n beside s: what the
indicator knows that demand does not. It is earned only out of sample: fitted on buckets whose target has ended before
the one that is forecast, its squared error against that without n, by bucket; a one-sided t test over them with the
errors' correlation over overlapping targets (Newey and West 1987; Diebold and Mariano 1995; Clark and West 2007).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr

from datong.model.flow import BoolArray, FloatArray, IntArray

LEVEL_BUCKETS, OWN_BUCKETS = 8, 3
# Buckets ahead that are told together: first and last.
AHEAD = ((1, 2), (3, 4), (5, 8))
# Fewest buckets, series in a bucket, and buckets of the test.
BUCKETS_MIN, SERIES_MIN, TESTED_MIN = 30, 5, 12
# Times that the fit is made anew over the tested buckets.
FITS = 4
# A relative change beyond this is taken as this.
MOST_CHANGE = 3.0


@dataclass(frozen=True)
class Lead:
    """What an indicator says of the buckets ahead `first` to `last`.

    slope, doubt: change of demand, as a share of its level, for one unit of news, and its standard error. p_value: of
    no gain out of sample. t: its test statistic. rows: (series, bucket) pairs it was fitted on.
    """

    first: int
    last: int
    slope: float
    doubt: float
    p_value: float
    t: float
    rows: int


def news_of_counts(counts: FloatArray) -> FloatArray:
    """(series, bucket) log of the count over its mean of the buckets before, one added to both; NaN where unknown."""
    return np.log1p(counts) - np.log1p(_mean_before(counts))


def news_of_shares(hits: FloatArray, of: FloatArray, pull: float) -> FloatArray:
    """(series, bucket) share of hits (complaints in reviews) less its usual one, drawn to it as by `pull` cases more; 0
    where there are no cases; NaN where nothing is known before."""
    usual_hits, usual_of = _mean_before(hits) * LEVEL_BUCKETS, _mean_before(of) * LEVEL_BUCKETS
    total_of = float(np.nansum(of))
    overall = float(np.nansum(hits)) / total_of if total_of > 0 else 0.0
    usual = (usual_hits + pull * overall) / (usual_of + pull)
    return (hits + pull * usual) / (of + pull) - usual


def _mean_before(values: FloatArray) -> FloatArray:
    """(series, bucket) mean of the LEVEL_BUCKETS before; NaN in the first ones."""
    return _mean_until(np.concatenate([np.full((len(values), 1), np.nan), values[:, :-1]], axis=1), LEVEL_BUCKETS)


def _mean_until(values: FloatArray, buckets: int) -> FloatArray:
    """(series, bucket) mean of the known ones of the last `buckets`; NaN where fewer than half are known."""
    known = ~np.isnan(values)
    sums, counts = np.cumsum(np.where(known, values, 0.0), axis=1), np.cumsum(known, axis=1)
    sums[:, buckets:], counts[:, buckets:] = (
        sums[:, buckets:] - sums[:, :-buckets],
        counts[:, buckets:] - counts[:, :-buckets],
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(2 * counts >= buckets, sums / counts, np.nan)


def leads(units: FloatArray, news: FloatArray) -> list[Lead]:
    """units, news: (series, bucket); NaN where unknown. One Lead for each span of AHEAD that can be tested."""
    if units.shape[1] < BUCKETS_MIN:
        return []
    level = _mean_until(units, LEVEL_BUCKETS)
    own = np.stack([(units - level) / (level + 1.0), (_mean_until(units, OWN_BUCKETS) - level) / (level + 1.0)])
    own = np.clip(np.nan_to_num(own), -1.0, MOST_CHANGE)
    found = []
    for first, last in AHEAD:
        target = np.clip((_mean_ahead(units, first, last) - level) / (level + 1.0), -1.0, MOST_CHANGE)
        usable = ~np.isnan(target) & ~np.isnan(news) & ~np.isnan(units) & (level > 0)
        usable[:, usable.sum(axis=0) < SERIES_MIN] = False
        one = lead_beside(target, own, np.nan_to_num(news), np.nan_to_num(level), usable, last)
        if one is not None:
            found.append(Lead(first, last, *one, int(usable.sum())))
    return found


def _mean_ahead(units: FloatArray, first: int, last: int) -> FloatArray:
    """(series, bucket) mean of the buckets that are `first` to `last` ahead; NaN where one is unknown or to come."""
    ahead = np.full((last - first + 1, *units.shape), np.nan)
    for k, step in enumerate(range(first, last + 1)):
        ahead[k, :, : units.shape[1] - step] = units[:, step:]
    return ahead.mean(axis=0)


def lead_beside(
    target: FloatArray, own: FloatArray, news: FloatArray, level: FloatArray, usable: BoolArray, last: int
) -> tuple[float, float, float, float] | None:
    """slope, doubt, p_value, t. None where there is too little to test. own: (what demand itself says, series, bucket).
    level: (series, bucket) weight. last: buckets from one to the end of its target."""
    buckets = np.flatnonzero(usable.any(axis=0))
    if len(buckets) < BUCKETS_MIN or not np.abs(news[usable]).max(initial=0.0) > 0:
        return None
    bucket = np.nonzero(usable)[1]
    weight = np.minimum(level[usable], np.quantile(level[usable], 0.9)) + 0.1
    y, x = target[usable], np.column_stack([own[0][usable], own[1][usable], news[usable]])
    y, x = _within(y[:, None], bucket, weight)[:, 0], _within(x, bucket, weight)
    tested = buckets[len(buckets) // 2 :]
    if len(tested) < TESTED_MIN:
        return None
    gains = []
    for part in np.array_split(tested, FITS):
        past, now = bucket + last < part[0], np.isin(bucket, part)
        if past.sum() < 10 * x.shape[1] or not now.any():
            continue
        whole, without = _fit(x[past], y[past], weight[past]), _fit(x[past, :2], y[past], weight[past])
        with_x, no_x = x[now] @ whole, x[now, :2] @ without
        # Clark and West: the larger model's error has its own noise, which is taken off.
        gain = (y[now] - no_x) ** 2 - ((y[now] - with_x) ** 2 - (no_x - with_x) ** 2)
        gains += [_by_bucket(gain, weight[now], bucket[now], part)]
    if not gains:
        return None
    gain = np.concatenate(gains)
    gain = gain[~np.isnan(gain)]
    if len(gain) < TESTED_MIN:
        return None
    t = float(gain.mean() / max(_long_run_error(gain, last - 1), 1e-300))
    slopes = _fit(x, y, weight)
    doubt = _clustered_error(x, y - x @ slopes, weight, bucket)
    return float(slopes[2]), doubt, float(stdtr(len(gain) - 1, -t)), t


def _within(values: FloatArray, bucket: IntArray, weight: FloatArray) -> FloatArray:
    """(row, column) less the weighted mean of its bucket."""
    total = np.bincount(bucket, weight)
    mean = np.stack([np.bincount(bucket, weight * column) for column in values.T], axis=1)
    return values - (mean / np.maximum(total, 1e-300)[:, None])[bucket]


def _fit(x: FloatArray, y: FloatArray, weight: FloatArray) -> FloatArray:
    """Coefficients of weighted least squares, with the least ridge that keeps them finite."""
    inner = x.T @ (weight[:, None] * x)
    return np.linalg.solve(inner + 1e-9 * np.eye(x.shape[1]) * max(np.trace(inner), 1e-9), x.T @ (weight * y))


def _by_bucket(values: FloatArray, weight: FloatArray, bucket: IntArray, part: IntArray) -> FloatArray:
    """(bucket of part) weighted mean; NaN where there is none."""
    size = int(part.max()) + 1
    total = np.bincount(bucket, weight, size)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (np.bincount(bucket, weight * values, size) / total)[part]


def _long_run_error(values: FloatArray, lags: int) -> float:
    """Standard error of a mean of values that hang together over so many steps."""
    away = values - values.mean()
    n = len(values)
    variance = float(away @ away) / n
    for lag in range(1, min(lags, n - 1) + 1):
        variance += 2.0 * (1.0 - lag / (lags + 1.0)) * float(away[lag:] @ away[:-lag]) / n
    return float(np.sqrt(max(variance, 0.0) / (n - 1)))


def _clustered_error(x: FloatArray, left: FloatArray, weight: FloatArray, bucket: IntArray) -> float:
    """Standard error of the last coefficient where errors of one bucket hang together (Liang and Zeger 1986)."""
    inverse = np.linalg.pinv(x.T @ (weight[:, None] * x))
    scores = x * (weight * left)[:, None]
    sums = np.stack([np.bincount(bucket, column) for column in scores.T], axis=1)
    return float(np.sqrt(max((inverse @ (sums.T @ sums) @ inverse)[-1, -1], 0.0)))
