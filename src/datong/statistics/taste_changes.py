"""Has the share of a value of an attribute changed, or only that of single products that have it?

Of product j let d be the change of the logarithm of its units, against what all products did in the weeks in which
it was on sale, from the BEFORE weeks before to the last WEEKS. As in a meta-analysis (DerSimonian and Laird 1986), d
has the variance of two counts and one more, that of what products do by themselves, which is estimated from all spans
of the past together, so that few products suffice now. d is regressed on the values of all attributes; a value is held
against the mean of the others of its attribute by a two-sided t test, and once more without the product that goes
furthest: the weaker of both counts. So a value of which one product sells better is no news of the value.

Where the same weeks of the year before are known, their change is taken off in a second test, and the weaker of both
counts (an intersection-union test, Berger 1982): a season that was there last year is no news.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import stdtr, stdtrit

from datong.model.flow import FloatArray
from datong.statistics.tastes import BEFORE, HIGH, WEEKS, Panel, Tastes

YEAR = 52
# Fewest weeks that a product was on sale in each span, and units of both together.
LATE_MIN, BEFORE_MIN, UNITS_MIN = 4, 8, 8.0
# Spans of the past begin so many weeks after one another: each tells a third of what one of its own would.
STEP, OWN_SHARE = 8, WEEKS / (WEEKS + BEFORE)
# Fewest products of a value, and degrees of freedom of the test.
PRODUCTS_MIN, FREEDOM_MIN = 2, 3.0
# What may be told of a value, as a number that is not of rounding.
_ESTIMABLE = 1e-6


@dataclass(frozen=True, eq=False)
class Changes:
    """Of each value of one attribute. change: of the logarithm of its units beside the other values, NaN where it
    cannot be told. p_value: 1 there. t: its test statistic. low, high: nine times in ten change lies between them."""

    change: FloatArray
    p_value: FloatArray
    t: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True, eq=False)
class _Span:
    """change, variance: (product) d and that of its counts; NaN where not on sale long enough."""

    change: FloatArray
    variance: FloatArray


def changes(panel: Panel, found: Tastes) -> tuple[Changes, ...]:
    """By attribute."""
    weeks = panel.units.shape[1]
    spans = [_span(panel, found, lag) for lag in range(0, weeks - WEEKS - BEFORE + 1, STEP)]
    nothing = tuple(_untold(n) for n in panel.counts)
    if not spans:
        return nothing
    members = _members(panel)
    own, freedom = _own_variance(members, spans)
    if freedom < FREEDOM_MIN:
        return nothing
    now = _tested(panel, members, spans[0], own, freedom)
    year_ago = _span(panel, found, YEAR) if weeks >= YEAR + WEEKS + BEFORE else None
    if year_ago is None or not (~np.isnan(year_ago.change) & ~np.isnan(spans[0].change)).any():
        return now
    beside = _Span(spans[0].change - year_ago.change, spans[0].variance + year_ago.variance + own)
    anew = _tested(panel, members, beside, own, freedom)
    return tuple(_weaker(one, other) for one, other in zip(now, anew, strict=True))


def _untold(count: int) -> Changes:
    unknown = np.full(count, np.nan)
    return Changes(unknown, np.ones(count), np.zeros(count), unknown, unknown)


def _weaker(one: Changes, other: Changes) -> Changes:
    """Of a value whose year before is known, what is less sure of both; it must go the same way."""
    both = ~np.isnan(other.change)
    same = np.sign(one.change) == np.sign(other.change)
    p_value = np.where(both, np.where(same, np.maximum(one.p_value, other.p_value), 1.0), one.p_value)
    return replace(one, p_value=p_value)


def _span(panel: Panel, found: Tastes, lag: int) -> _Span:
    end = panel.units.shape[1] - lag
    usual = np.exp(found.week - found.week.max())
    sums = []
    for first, last, least in ((end - WEEKS, end, LATE_MIN), (end - WEEKS - BEFORE, end - WEEKS, BEFORE_MIN)):
        units = panel.units[:, first:last]
        known = ~np.isnan(units)
        base = (known * usual[first:last]).sum(axis=1)
        sums.append((np.nansum(units, axis=1), base, known.sum(axis=1) >= least))
    (late, late_base, late_there), (before, before_base, before_there) = sums
    there = late_there & before_there & (late + before >= UNITS_MIN)
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.log((late + 0.5) / late_base) - np.log((before + 0.5) / before_base)
    variance = 1.0 / (late + 0.5) + 1.0 / (before + 0.5)
    return _Span(np.where(there, change, np.nan), np.where(there, variance, np.nan))


def _members(panel: Panel) -> FloatArray:
    """(product, 1 and value of all attributes one after another)."""
    starts = np.cumsum([1, *panel.counts])
    members = np.zeros((len(panel.units), int(starts[-1])))
    members[:, 0] = 1.0
    for value, start in zip(panel.values, starts[:-1], strict=True):
        has = np.flatnonzero(value >= 0)
        members[has, start + value[has]] = 1.0
    return members


def _own_variance(members: FloatArray, spans: list[_Span]) -> tuple[float, float]:
    """Variance of what products do by themselves, by moments over all spans or in the last one, whichever is more; and
    its degrees of freedom."""
    parts = [_beyond(members, span) for span in spans]
    beyond, scale, freedom = (sum(part[k] for part in parts) for k in range(3))
    now = parts[0][0] / parts[0][1] if parts[0][1] > 0 else 0.0
    every = beyond / scale if scale > 0 else 0.0
    return max(every, now, 0.0), freedom * OWN_SHARE if len(spans) > 1 else freedom


def _beyond(members: FloatArray, span: _Span) -> tuple[float, float, float]:
    """What the squares of a span are more than their counts explain, how much a unit of variance adds to them, and
    degrees of freedom."""
    there = ~np.isnan(span.change)
    x, weight, d = members[there], 1.0 / span.variance[there], span.change[there]
    free = len(d) - int(np.linalg.matrix_rank(x)) if len(d) else 0
    if free <= 0:
        return 0.0, 0.0, 0.0
    inverse = np.linalg.pinv(x.T @ (weight[:, None] * x), hermitian=True)
    left = d - x @ (inverse @ (x.T @ (weight * d)))
    scale = float(weight.sum() - np.trace(inverse @ (x.T @ ((weight**2)[:, None] * x))))
    return float(weight @ left**2) - free, scale, float(free)


def _tested(panel: Panel, members: FloatArray, span: _Span, own: float, freedom: float) -> tuple[Changes, ...]:
    there = np.flatnonzero(~np.isnan(span.change))
    x, d = members[there], span.change[there]
    weight = 1.0 / (span.variance[there] + own)
    width = float(stdtrit(freedom, HIGH))
    result, start = [], 1
    for count in panel.counts:
        change, error, p_value = np.full(count, np.nan), np.ones(count), np.ones(count)
        for v in np.flatnonzero(x[:, start : start + count].sum(axis=0) >= PRODUCTS_MIN).tolist():
            case = start + v, (start, start + count)
            whole = _beside(x, d, weight, case)
            if whole is None:
                continue
            change[v], error[v] = whole
            # The product that goes furthest to the side of the change is left out: without it, too, it must be sure.
            carriers = np.flatnonzero(x[:, case[0]] > 0)
            rest = np.delete(np.arange(len(d)), carriers[np.argmax(d[carriers] * np.sign(change[v]))])
            without = _beside(x[rest], d[rest], weight[rest], case)
            t = [value / doubt * np.sign(change[v]) for value, doubt in (whole, without or (0.0, 1.0))]
            p_value[v] = min(2.0 * float(stdtr(freedom, -min(t))), 1.0)
        t_whole = np.nan_to_num(change / error)
        result.append(Changes(change, p_value, t_whole, change - width * error, change + width * error))
        start += count
    return tuple(result)


def _beside(
    x: FloatArray, d: FloatArray, weight: FloatArray, case: tuple[int, tuple[int, int]]
) -> tuple[float, float] | None:
    """Effect of a value beside the mean of the others of its attribute, and its standard error; None where it cannot
    be told. case: its column of x, and first and end of those of the attribute."""
    column, (first, end) = case
    share = weight @ x[:, first:end]
    share[column - first] = 0.0
    if share.sum() <= 0:
        return None
    inner = x.T @ (weight[:, None] * x)
    inverse = np.linalg.pinv(inner, hermitian=True)
    against = np.zeros(x.shape[1])
    against[first:end] = -share / share.sum()
    against[column] = 1.0
    if np.abs(inner @ (inverse @ against) - against).max() > _ESTIMABLE:
        return None
    return float(against @ inverse @ (x.T @ (weight * d))), float(np.sqrt(against @ inverse @ against))
