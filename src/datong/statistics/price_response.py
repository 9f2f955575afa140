"""How demand moved with prices and promotions in the past, and whether that forecasts it: an association, not a cause.

Item i, bucket t: y units, p log of the regular price, d share of the days under a promotion. By quasi-Poisson
maximum likelihood (Santos Silva and Tenreyro 2006, Review of Economics and Statistics 88) each item alone:

    E[y] = exp(a + b p + g d + h c + piecewise linear line with a knot every KNOT_BUCKETS)

b is its elasticity, g the log of its uplift. c, the log of what calm items (price as of late, no promotion) sell beside
their own usual, takes seasons and holidays off; the line takes the item's own slow movement off. Stocked-out buckets
are unknown, and left out. Errors are those of the scores, with neighbouring buckets alike (Newey and West 1987), but
not less than the model's own.

The items' values are drawn together: b_i ~ N(m, tau^2), seen with error, m flat, tau flat on a grid (Gelman 2006,
Bayesian Analysis 1; the normal model of Morris 1983, JASA 78). An item that never moved has no value. Where the later
half of the history differs from the earlier one beyond DRIFT_MIN standard errors, over all items, the later counts.

A response is earned only out of sample: fitted on what is before, it moves the level of late to the bucket; the fall in
squared error, by bucket, is held to none by a one-sided t test (Diebold and Mariano 1995), neighbouring buckets alike.

What no past can tell: why prices were set as they were. Where they are cut when sales are slow, or raised when they run
well, b is nearer to 0, or above it; where like products lose what a cheaper one gains, it is farther away.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from datong.model.flow import NINE_IN_TEN, BoolArray, FloatArray, IntArray

PRICE, PROMOTION = 0, 1
KNOT_BUCKETS = 8
# Weight of a bucket against the next one in what is usual of late, and how many count.
KEPT_WEIGHT, RECENT_BUCKETS = 0.7, 12
# Least known buckets of an item, least units in all, least difference of log prices that is one, and least buckets off
# the usual price; least sum of shares of days under promotion.
KNOWN_MIN, UNITS_MIN, STEP_MIN, OFF_MIN, PROMOTED_MIN = 26, 30.0, 0.02, 3, 0.9
# Least calm items of which a common movement is made.
CALM_MIN = 3
# Least tested buckets; buckets ahead at which it is tested; times that the fit is made anew.
TESTED_MIN, AHEAD, FITS = 5, (1, 4), 4
# Neighbouring buckets whose errors hang together.
LAGS = 4
# Standard errors beyond which the halves of a history differ.
DRIFT_MIN = 2.576
# Factor on the doubt of values drawn together: where truths are not normal, some of them none, the plain doubt holds 84
# to 88% of them in nine out of ten (benchmarks/prices.py, development seeds).
WIDER = 1.15
# Items fitted at once; steps of a fit; most change of a log rate in a step.
_BATCH, _STEPS, _STRIDE = 256, 30, 3.0
_RIDGE = 0.5


@dataclass(frozen=True, eq=False)
class Panel:
    """units: (item, bucket) NaN where unknown. price: (item, bucket) log of the regular price, NaN where unknown.
    promoted: (item, bucket) share of its days under a promotion."""

    units: FloatArray
    price: FloatArray
    promoted: FloatArray

    def until(self, bucket: int) -> "Panel":
        """What was there before a bucket."""
        return Panel(self.units[:, :bucket], self.price[:, :bucket], self.promoted[:, :bucket])


@dataclass(frozen=True, eq=False)
class Response:
    """Of log demand to the log of the price, or to days under promotion.

    slope, doubt: (item) its middle and standard deviation, NaN where it never moved. overall, overall_doubt: of an item
    at large. drift, drift_doubt: later half less earlier half, NaN where not known. late_only: the later half counts
    alone. p_value: of no gain out of sample, NaN where there is too little to test. tested: buckets of the test.
    """

    slope: FloatArray
    doubt: FloatArray
    overall: float
    overall_doubt: float
    drift: float
    drift_doubt: float
    late_only: bool
    p_value: float
    tested: int

    @property
    def moved(self) -> int:
        """Items that have a value."""
        return int((~np.isnan(self.slope)).sum())


def of_late(values: FloatArray) -> FloatArray:
    """(item) mean of the last RECENT_BUCKETS known ones, each KEPT_WEIGHT of the next: what a smoothed level stands on;
    NaN where none is known."""
    recent = values[:, -RECENT_BUCKETS:]
    known = ~np.isnan(recent)
    weight = np.where(known, KEPT_WEIGHT ** np.arange(recent.shape[1])[::-1], 0.0)
    total = weight.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, (weight * np.where(known, recent, 0.0)).sum(axis=1) / total, np.nan)


def responses(panel: Panel) -> tuple[Response, Response]:
    """To prices and to promotions."""
    slopes, doubts = _fitted(panel, False)
    halves, half_doubts = _fitted(panel, True)
    tests = _tests(panel)
    found = []
    for which in (PRICE, PROMOTION):
        early, late = halves[:, which], halves[:, 2 + which]
        both = np.hypot(half_doubts[:, which], half_doubts[:, 2 + which])
        drift = drawn_together(late - early, both)
        has_drifted = abs(drift.overall) > DRIFT_MIN * drift.overall_doubt
        own = (late, half_doubts[:, 2 + which]) if has_drifted else (slopes[:, which], doubts[:, which])
        together = drawn_together(*own)
        found.append(
            Response(
                together.slope,
                together.doubt,
                together.overall,
                together.overall_doubt,
                drift.overall,
                drift.overall_doubt,
                has_drifted,
                *tests[which],
            )
        )
    return found[0], found[1]


# drawing together -----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Together:
    """slope, doubt: (item) values drawn together, NaN where an item has none. overall, overall_doubt: their mean; NaN
    without items."""

    slope: FloatArray
    doubt: FloatArray
    overall: float
    overall_doubt: float


def drawn_together(value: FloatArray, error: FloatArray) -> Together:
    """Values with their standard errors (NaN: none), each drawn to their mean as far as it is in doubt: with weights w
    of a grid of tau by their likelihood, m and its variance v the mean at each tau, and k = tau^2 / (tau^2 + error^2),

        slope = sum w (k value + (1 - k) m),   variance = sum w (k error^2 + (1 - k)^2 v) + spread of the middles.

    The doubt is WIDER times its root. One or two values are not drawn.
    """
    there = ~np.isnan(value) & ~np.isnan(error)
    slope, doubt = np.full(len(value), np.nan), np.full(len(value), np.nan)
    if not there.any():
        return Together(slope, doubt, np.nan, np.nan)
    y, s2 = value[there], error[there] ** 2
    far = max(float(np.std(y)), float(np.sqrt(s2.min()))) * 4.0
    tau2 = (np.linspace(0.0, far, 60) ** 2 if len(y) > 2 else np.array([1e6 * (far**2 + 1.0)]))[:, None]
    weight = 1.0 / (tau2 + s2[None])
    total = weight.sum(axis=1)
    mean = (weight * y).sum(axis=1) / total
    log_chance = 0.5 * (np.log(weight).sum(axis=1) - np.log(total) - (weight * (y - mean[:, None]) ** 2).sum(axis=1))
    chance = np.exp(log_chance - log_chance.max())
    chance /= chance.sum()
    kept = tau2 / (tau2 + s2[None])
    middle = kept * y + (1.0 - kept) * mean[:, None]
    variance = kept * s2 + (1.0 - kept) ** 2 / total[:, None]
    slope[there] = chance @ middle
    doubt[there] = WIDER * np.sqrt(chance @ (variance + (middle - slope[there]) ** 2))
    if len(y) <= 2:
        exact = 1.0 / (1.0 / s2).sum()
        return Together(slope, doubt, float((y / s2).sum() * exact), float(np.sqrt(exact)))
    overall = float(chance @ mean)
    return Together(slope, doubt, overall, float(np.sqrt(chance @ (1.0 / total + (mean - overall) ** 2))))


# fitting --------------------------------------------------------------------------------------------


def _fitted(panel: Panel, halved: bool) -> tuple[FloatArray, FloatArray]:
    """(item, column) slope and standard error of price and promotion; halved: of the earlier half of the buckets, then
    of the later. NaN where the item did not move (in that half)."""
    units = panel.units
    length = units.shape[1]
    parts = [np.arange(length) < length // 2, np.arange(length) >= length // 2] if halved else [np.ones(length, bool)]
    price, promoted = _centred(panel), panel.promoted
    columns = np.stack([np.where(part, x, 0.0) for part in parts for x in (price, promoted)], axis=2)
    known = ~np.isnan(units) & ~np.isnan(panel.price)
    usable = (known.sum(axis=1) >= KNOWN_MIN) & (np.where(known, units, 0.0).sum(axis=1) >= UNITS_MIN)
    moved = np.stack([m for part in parts for m in _moved(panel, known & part)], axis=1) & usable[:, None]
    slopes, errors = np.full(moved.shape, np.nan), np.full(moved.shape, np.nan)
    wanted = np.flatnonzero(moved.any(axis=1))
    common, lines = _common(panel), _lines(length)
    for batch in np.array_split(wanted, max(-(-len(wanted) // _BATCH), 1)) if len(wanted) else ():
        x = np.concatenate(
            [columns[batch], common[batch, :, None], np.broadcast_to(lines, (len(batch), *lines.shape))], axis=2
        )
        y = np.where(known[batch], units[batch], 0.0)
        own_slopes, own_errors = _quasi_poisson(y, x, known[batch], columns.shape[2])
        slopes[batch], errors[batch] = own_slopes, own_errors
    odd = ~moved | ~np.isfinite(slopes) | ~np.isfinite(errors) | (errors <= 0)
    return np.where(odd, np.nan, slopes), np.where(odd, np.nan, errors)


def _centred(panel: Panel) -> FloatArray:
    """(item, bucket) log price less its middle; 0 where unknown."""
    known = ~np.isnan(panel.price)
    count = np.maximum(known.sum(axis=1), 1)
    mean = np.where(known, panel.price, 0.0).sum(axis=1) / count
    return np.where(known, panel.price - mean[:, None], 0.0)


def _moved(panel: Panel, known: BoolArray) -> tuple[BoolArray, BoolArray]:
    """(item) whether its price was off its usual one, and whether it was under promotion, often enough to tell."""
    price = np.where(known, panel.price, np.nan)
    middle = np.zeros(len(price))
    some = known.any(axis=1)
    middle[some] = np.nanmedian(price[some], axis=1)
    with np.errstate(invalid="ignore"):
        off = (np.abs(price - middle[:, None]) > STEP_MIN).sum(axis=1)
    promoted = np.where(known, panel.promoted, 0.0).sum(axis=1)
    plain = np.where(known, 1.0 - panel.promoted, 0.0).sum(axis=1)
    return off >= OFF_MIN, (promoted >= PROMOTED_MIN) & (plain >= OFF_MIN)


def _common(panel: Panel) -> FloatArray:
    """(item, bucket) log of what calm items other than itself sell beside their own usual; where there are fewer than
    CALM_MIN, as between the buckets around; 0 where there are none at all."""
    known = ~np.isnan(panel.units)
    mean = np.where(known, panel.units, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    calm = known & (panel.promoted <= 0) & ~_off_its_way(panel.price) & (mean > 0)[:, None]
    ratio = np.log((np.where(known, panel.units, 0.0) + 0.5) / (mean[:, None] + 0.5))
    weight = np.where(calm, (mean / (1.0 + mean))[:, None], 0.0)
    total, sums, count = weight.sum(axis=0), (weight * ratio).sum(axis=0), calm.sum(axis=0)
    others = count[None, :] - calm
    with np.errstate(invalid="ignore", divide="ignore"):
        value = (sums[None, :] - weight * ratio) / (total[None, :] - weight)
    value = np.where(others >= CALM_MIN, value, np.nan)
    return np.stack([_filled(row) for row in value]) if len(value) else value


def _off_its_way(price: FloatArray) -> BoolArray:
    """(item, bucket) whether the log price is off its mean of the RECENT_BUCKETS before, by more than STEP_MIN."""
    length = price.shape[1]
    known = ~np.isnan(price)
    none = np.zeros((len(price), 1))
    sums: FloatArray = np.cumsum(np.concatenate([none, np.where(known, price, 0.0)], axis=1), axis=1)
    counts: FloatArray = np.cumsum(np.concatenate([none, known], axis=1), axis=1)
    start = np.maximum(np.arange(length) - RECENT_BUCKETS, 0)
    total, count = sums[:, :-1] - sums[:, start], counts[:, :-1] - counts[:, start]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nan_to_num(np.abs(price - total / count)) > STEP_MIN


def _filled(row: FloatArray) -> FloatArray:
    there = np.flatnonzero(~np.isnan(row))
    return np.interp(np.arange(len(row)), there, row[there]) if len(there) else np.zeros(len(row))


def _lines(length: int) -> FloatArray:
    """(bucket, column) ones, and hats of a piecewise linear line with a knot every KNOT_BUCKETS."""
    knots = np.linspace(0, length - 1, max(round(length / KNOT_BUCKETS), 1) + 1)
    hats = np.stack([np.interp(np.arange(length), knots, row) for row in np.eye(len(knots))], axis=1)
    return np.column_stack([np.ones(length), hats])


def _quasi_poisson(y: FloatArray, x: FloatArray, known: BoolArray, wanted: int) -> tuple[FloatArray, FloatArray]:
    """(item, column) of the first `wanted` columns of x (item, bucket, column): coefficient and standard error."""
    n, length, k = x.shape
    start = wanted + 1  # price, promotion, common movement; then the level, which alone is not drawn to 0
    beta = np.zeros((n, k))
    count = known.sum(axis=1)
    beta[:, start] = np.log(np.where(known, y, 0.0).sum(axis=1) / count + 0.1)
    ridge = np.full(k, _RIDGE)
    ridge[:start] = 1e-3
    ridge[start] = 1e-9
    offset = beta[:, start].copy()
    eta = np.broadcast_to(offset[:, None], (n, length)).copy()
    for _ in range(_STEPS):
        mu = np.where(known, np.exp(np.clip(eta, -20, 20)), 0.0)
        inner = np.einsum("itk,it,itl->ikl", x, mu, x, optimize=True) + np.diag(ridge)
        away = beta.copy()
        away[:, start] = 0.0
        step = np.linalg.solve(
            inner, (np.einsum("itk,it->ik", x, np.where(known, y - mu, 0.0)) - ridge * away)[..., None]
        )[..., 0]
        change = np.einsum("itk,ik->it", x, step)
        most = np.abs(np.where(known, change, 0.0)).max(axis=1)
        scale = np.minimum(1.0, _STRIDE / np.maximum(most, 1e-12))
        beta += scale[:, None] * step
        eta += scale[:, None] * change
        if most.max(initial=0.0) < 1e-6:
            break
    mu = np.where(known, np.exp(np.clip(eta, -20, 20)), 0.0)
    inner = np.einsum("itk,it,itl->ikl", x, mu, x, optimize=True) + np.diag(ridge)
    inverse = np.linalg.inv(inner)
    freedom = np.maximum(count - k, 1)
    left = np.where(known, y - mu, 0.0)
    scatter = (left**2 / np.maximum(mu, 1e-9)).sum(axis=1) / freedom
    own = np.diagonal(inverse, axis1=1, axis2=2)[:, :wanted] * scatter[:, None]
    # What a bucket's own weight in the fit hides of its error (HC3: MacKinnon and White 1985).
    leverage = mu * np.einsum("ita,iab,itb->it", x, inverse, x, optimize=True)
    scores = x * (left / np.maximum(1.0 - leverage, 0.1))[..., None]
    middle = np.einsum("itk,itl->ikl", scores, scores)
    for lag in range(1, LAGS + 1):
        part = np.einsum("itk,itl->ikl", scores[:, lag:], scores[:, :-lag])
        middle += (1.0 - lag / (LAGS + 1.0)) * (part + part.transpose(0, 2, 1))
    sandwich = np.einsum("iab,ibc,icd->iad", inverse, middle, inverse, optimize=True)
    robust = np.diagonal(sandwich, axis1=1, axis2=2)[:, :wanted]
    wider = (stdtrit(freedom.astype(np.float64), 0.95) / NINE_IN_TEN)[:, None]
    return beta[:, :wanted], np.sqrt(np.maximum(own, robust)) * wider


# earning ----------------------------------------------------------------------------------------------


def _tests(panel: Panel) -> list[tuple[float, int]]:
    """(p-value of no gain, tested buckets) of prices and of promotions."""
    length = panel.units.shape[1]
    common = _common(panel)
    levels = {ahead: _levels(panel, common, ahead) for ahead in AHEAD}
    gains: list[list[FloatArray]] = [[], []]
    begin = max(length // 3, KNOWN_MIN)
    for part in np.array_split(np.arange(begin, length), FITS) if length > begin else ():
        if not len(part):
            continue
        slopes, errors = _fitted(panel.until(int(part[0])), False)
        own = [drawn_together(slopes[:, which], errors[:, which]).slope for which in (PRICE, PROMOTION)]
        gains[PRICE].append(_gains(panel, levels, part, own[PRICE], PRICE))
        gains[PROMOTION].append(_gains(panel, levels, part, own[PROMOTION], PROMOTION))
    return [_no_gain(np.concatenate(g)) if g else (np.nan, 0) for g in gains]


@dataclass(frozen=True, eq=False)
class _Level:
    """What was usual so many buckets before. units: (item, bucket) moved by what all items did since. price: (item,
    bucket) its log. promoted: (item, bucket) share of days under promotion."""

    units: FloatArray
    price: FloatArray
    promoted: FloatArray


def _levels(panel: Panel, common: FloatArray, ahead: int) -> _Level:
    def earlier(values: FloatArray) -> FloatArray:
        found = np.full(values.shape, np.nan)
        for t in range(ahead, values.shape[1]):
            found[:, t] = of_late(values[:, : t - ahead + 1])
        return found

    without = panel.units / np.exp(common)
    hidden = np.where(np.isnan(panel.units), np.nan, 0.0)
    return _Level(earlier(without) * np.exp(common), earlier(panel.price + hidden), earlier(panel.promoted + hidden))


def _gains(panel: Panel, levels: dict[int, _Level], part: IntArray, slope: FloatArray, which: int) -> FloatArray:
    """(bucket of part) mean fall in squared error, of counts over their level; NaN where nothing moved."""
    total, count = np.zeros(len(part)), np.zeros(len(part))
    for level in levels.values():
        base, y = level.units[:, part], panel.units[:, part]
        step = panel.price[:, part] - level.price[:, part]
        promoted = panel.promoted[:, part] - level.promoted[:, part]
        in_promotion = (panel.promoted[:, part] > 0) | (level.promoted[:, part] > STEP_MIN)
        with np.errstate(invalid="ignore"):
            if which == PRICE:
                change, wanted = step, (np.abs(step) > STEP_MIN) & ~in_promotion
            else:
                change, wanted = promoted, panel.promoted[:, part] > 0
            moved = base * np.exp(np.clip(slope[:, None] * change, -1.5, 1.5))
            gain = ((y - base) ** 2 - (y - moved) ** 2) / (base + 1.0)
        wanted &= ~np.isnan(gain)
        total += np.where(wanted, gain, 0.0).sum(axis=0)
        count += wanted.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count > 0, total / count, np.nan)


def _no_gain(gains: FloatArray) -> tuple[float, int]:
    gains = gains[~np.isnan(gains)]
    n = len(gains)
    if n < TESTED_MIN:
        return np.nan, n
    away = gains - gains.mean()
    variance = float(away @ away) / n
    for lag in range(1, min(LAGS, n - 1) + 1):
        variance += 2.0 * (1.0 - lag / (LAGS + 1.0)) * float(away[lag:] @ away[:-lag]) / n
    least = float(away @ away) / n / 4.0  # few buckets that seem to take turns are no reason to be surer
    error = np.sqrt(max(variance, least, 1e-300) / (n - 1))
    return float(stdtr(n - 1, -gains.mean() / error)), n
