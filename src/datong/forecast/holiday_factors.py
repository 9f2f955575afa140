"""Moving holidays: how much they change demand, learnt from few occurrences, over all items of a category.

For a category, x_t is the log of the median over its regular items of (units in bucket t / local median of the item).
With days d_{f,t} of holiday f in bucket t,

    x_t = sum over f and k in (-1, 0, 1) of beta_{f,k} d_{f,t+k} + e_t,    e_t ~ N(0, s^2),   beta ~ N(0, T)

so a feast also acts on the bucket before (k = 1: it is ahead) and after. The estimate is the posterior mean (ridge
regression; best linear unbiased prediction: Robinson 1991, Statistical Science 6)

    beta = T X' (X T X' + s^2 I)^-1 x = (T X'X + s^2 I)^-1 T X' x

which is 0 without evidence and comes closer to the plain ratio with every occurrence. e_t is shared by all items of a
bucket, so evidence counts in occurrences, not in items. T says what is likely: a standard deviation per day and
offset, and a correlation between holidays whose names begin alike, so that the first Eid al-Adha borrows from Eid
al-Fitr. s is 1.4826 times the median absolute deviation of x. This is done over all items first; a category then adds
its own deviation, found in the same way from what is left, with the prior variance OWN_SHARE * T.
"""

from collections.abc import Sequence

import numpy as np

from datong.model.flow import FloatArray, SeriesSet

# Standard deviation of the log effect of one day of holiday, by offset of the bucket to the holiday's own.
DAY_EFFECT_SD = {-1: 0.06, 0: 0.15, 1: 0.06}
# Variance of a category's own deviation from the effect over all items, as a share of T.
OWN_SHARE = 0.25
# The local median looks this many buckets to each side.
LOCAL_BUCKETS = 6
# A category with fewer regular items than this uses the estimate over all items.
FEWEST_ITEMS = 3
SMALLEST_RATIO, LARGEST_RATIO = 0.05, 20.0
ROUNDS = 2


def holiday_factors(series: SeriesSet, units: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Factors on demand: (item, closed bucket) and (item, open bucket). 1 where no holiday is near.

    units: (item, closed bucket) from which the effects are learnt, NaN where unknown.
    """
    closed, opened = len(series.bucket_starts), len(series.horizon_starts)
    factors = np.ones((len(series.items), closed + opened))
    if not series.holidays or not closed:
        return factors[:, :closed], factors[:, closed:]
    names, days = holiday_days(series)
    design, prior = _design(days), prior_covariance(names)
    regular = _regular(units)
    category = np.array(series.category)
    overall = _factor(units[regular], design, prior, np.ones(len(design)))
    for name in sorted(set(series.category)):
        members = np.flatnonzero(category == name)
        own = members[regular[members]]
        enough = FEWEST_ITEMS <= len(own) < int(regular.sum())
        factors[members] = _factor(units[own], design, OWN_SHARE * prior, overall) if enough else overall
    return factors[:, :closed], factors[:, closed:]


def holiday_days(series: SeriesSet) -> tuple[tuple[str, ...], FloatArray]:
    """Names of the holidays and (holiday, bucket) days, over closed then open buckets."""
    position = {start: t for t, start in enumerate((*series.bucket_starts, *series.horizon_starts))}
    names = tuple(sorted({h.holiday for h in series.holidays}))
    days = np.zeros((len(names), len(position)))
    for h in series.holidays:
        if h.bucket in position:
            days[names.index(h.holiday), position[h.bucket]] += h.days
    return names, days


def name_likeness(one: str, other: str) -> float:
    """How alike two names begin: shared leading words over the geometric mean of their numbers of words."""
    a, b = _words(one), _words(other)
    shared = 0
    while shared < min(len(a), len(b)) and a[shared] == b[shared]:
        shared += 1
    return shared / np.sqrt(max(len(a), 1) * max(len(b), 1))


def _words(name: str) -> list[str]:
    plain = name.split("(")[0] or name
    return plain.lower().replace("-", " ").replace("'", " ").split()


def prior_covariance(names: Sequence[str]) -> FloatArray:
    """T: ((offset, holiday), (offset, holiday)); offsets are independent of one another."""
    likeness = np.array([[name_likeness(a, b) for b in names] for a in names]).reshape(len(names), len(names))
    sd = np.array(list(DAY_EFFECT_SD.values()))
    return np.kron(np.diag(sd**2), likeness)


def _design(days: FloatArray) -> FloatArray:
    """X: (bucket, (offset, holiday)) days of the holiday that lie `offset` buckets from the bucket."""
    columns = []
    for offset in DAY_EFFECT_SD:
        moved = np.zeros_like(days)
        if offset == 0:
            moved = days
        elif offset > 0:
            moved[:, offset:] = days[:, :-offset]
        else:
            moved[:, :offset] = days[:, -offset:]
        columns.append(moved)
    return np.concatenate(columns).T


def _regular(units: FloatArray) -> np.ndarray:
    known = ~np.isnan(units)
    empty = ((units == 0) & known).sum(axis=1)
    return (known.sum(axis=1) >= 2 * LOCAL_BUCKETS) & (empty <= 0.25 * known.sum(axis=1))


def _factor(units: FloatArray, design: FloatArray, prior: FloatArray, start: FloatArray) -> FloatArray:
    """(bucket) factor over closed and open buckets: `start` times what these items (item, closed bucket) add to it."""
    closed = units.shape[1]
    factor = start
    for _ in range(ROUNDS if len(units) else 0):
        # The level is measured without the effects found so far, or a feast would pull it down with it.
        level = local_median(units / factor[:closed], LOCAL_BUCKETS)
        ratio = units / np.where(level > 0, level, np.nan) / start[:closed]
        seen = np.flatnonzero((~np.isnan(ratio)).any(axis=0))
        if not len(seen):
            break
        effect = np.log(np.clip(np.nanmedian(ratio[:, seen], axis=0), SMALLEST_RATIO, LARGEST_RATIO))
        noise = max(1.4826 * float(np.median(np.abs(effect - np.median(effect)))), 0.05)
        x = design[seen]
        beta = np.linalg.solve(prior @ x.T @ x + noise**2 * np.eye(len(prior)), prior @ x.T @ effect)
        factor = start * np.exp(design @ beta)
    return np.clip(factor, SMALLEST_RATIO, LARGEST_RATIO)


def local_median(units: FloatArray, reach: int) -> FloatArray:
    """(item, bucket) median of the known buckets within `reach` of each, itself left out; NaN where there is none."""
    buckets = units.shape[1]
    padded = np.pad(units, ((0, 0), (reach, reach)), constant_values=np.nan)
    window = np.stack([padded[:, reach + k : reach + k + buckets] for k in range(-reach, reach + 1) if k], axis=2)
    known = (~np.isnan(window)).sum(axis=2, keepdims=True)
    window.sort(axis=2)  # unknown ones last
    middle = [np.take_along_axis(window, np.maximum(at, 0), axis=2)[:, :, 0] for at in ((known - 1) // 2, known // 2)]
    return np.where(known[:, :, 0] > 0, (middle[0] + middle[1]) / 2, np.nan)
