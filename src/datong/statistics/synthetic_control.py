"""What followed a decision, held against like series: a synthetic control with placebos in place and time.

For one series y and the like series Y, cut at the week `begin` of the first weeks of the window that drew attention,
and at the week `after` in which the decision took hold:

    early = [0, begin)    window = [begin, after)    late = [after + settling, end)

1. Every series is taken relative to its own mean of the early weeks.
2. The control is a weighted mean of the like series, weights >= 0 that add up to 1 and follow y in the early weeks
   (Abadie, Diamond and Hainmueller 2010), drawn to equal weights by a ridge, beside a constant (Doudchenko and Imbens
   2016: with equal weights that is difference in differences).
3. With g = y - control, the raw effect is mean(g, late) - mean(g, early).
4. What drew attention was looked for: a series that stands out by chance falls back (regression to the mean). The same
   is worked out for every like series and every earlier cut of the same lengths, each against the others (placebos); on
   them the raw effect is regressed, through 0, on mean(g, window) - mean(g, early), both in units of the series' own
   noise. What that predicts for y is taken off. Where a lasting shift was found, what stands out beyond chance in the
   window is taken to last: with z = mean(g, window) - mean(g, early) in standard errors, between the share
   1 - (CHANCE / z)^2 of it and all. Where nobody knows whether it lasts, between nothing and all. The interval spans
   both ends.
5. The interval is that of what is left over on the placebos, widened by the doubt of the slope.

Nothing here looks at y after the decision but step 3.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from datong.model.flow import FloatArray, IntArray

# Fewest early weeks, late weeks, like series and placebos from which an effect is worked out.
EARLY_MIN, LATE_MIN, LIKE_MIN, PLACEBOS_MIN = 8, 3, 5, 20
# Most like series of a control, and most cuts of one like series.
LIKE_MAX, CUTS_MAX = 20, 6
# Weight of the pull to equal weights, as a share of the early weeks' squares.
RIDGE = 1.0
# Share of cases in which the interval holds the effect.
COVERS = 0.9
# Standard errors by which the most odd of many series stands out by chance.
CHANCE = 3.0


@dataclass(frozen=True, eq=False)
class EffectEstimate:
    """share, low, high: change against the control, as a share of the early level, and its interval. units: the same a
    week. p_value: share of placebos that stand out as much. like: positions of the like series of the control, with
    their weights. control: (week) what the control says, in units. fell_back: share taken off as regression to the
    mean, or as a shift that was there before. placebos: how many there were. late_weeks: weeks since the decision."""

    share: float
    low: float
    high: float
    level: float
    p_value: float
    like: IntArray
    weights: FloatArray
    control: FloatArray
    fell_back: float
    placebos: int
    late_weeks: int

    @property
    def units(self) -> tuple[float, float, float]:
        """Units a week: the effect and its interval."""
        return self.share * self.level, self.low * self.level, self.high * self.level


@dataclass(frozen=True, eq=False)
class _Gap:
    """raw, window: see 3 and 4. noise: standard deviation of the gap in the early weeks. like, weights: positions of
    the like series and their weights. control: (week) what they say, as a share of the early level."""

    raw: float
    window: float
    noise: float
    like: IntArray
    weights: FloatArray
    control: FloatArray


def effect(
    series: FloatArray, like: FloatArray, begin: int, after: int, lasts: bool | None = False, settling: int = 0
) -> EffectEstimate | None:
    """series: (week) units; like: (series, week) units; NaN where unknown. None: too little is known.

    begin, after: first week of the window that drew attention (or `after`, where nothing was looked for), and first
    week after the decision. lasts: whether what stood out in the window was found to last by itself; None: not known.
    settling: weeks after the decision that are left out, since what was done before it still shows.
    """
    end = len(series)
    if begin < EARLY_MIN or end - after - settling < LATE_MIN:
        return None
    own = _gap(series, like, (begin, after, after + settling, end))
    if own is None or len(own.like) < LIKE_MIN:
        return None
    placebos = _placebos(like, (begin, after, after + settling, end))
    if len(placebos) < PLACEBOS_MIN:
        return None
    raw = np.array([one.raw / one.noise for one in placebos])
    window = np.array([one.window / one.noise for one in placebos])
    slope, doubt = _slope(raw, window) if after > begin else (0.0, 0.0)
    left = raw - slope * window
    stands_out = own.window / own.noise
    spread = _spread(left, window, stands_out, doubt)
    lasting = _lasting(stands_out, after - begin)
    shares = {False: (0.0,), True: (lasting, 1.0), None: (0.0, 1.0)}[lasts]
    taken_off = [stands_out * (slope + (1.0 - slope) * share) for share in shares]
    # What lasts is known by the mean of the window alone, and noise grows with the level.
    if max(shares) > 0 and after > begin:
        of_window = max(shares) ** 2 / (after - begin) / max(float(np.mean(left**2)), 1e-12)
        spread = np.sqrt(spread**2 + of_window) * max(1.0, 1.0 + max(taken_off) * own.noise)
    low, high = np.quantile(left, [(1 - COVERS) / 2, (1 + COVERS) / 2]) * spread
    ends = [own.raw / own.noise - off for off in taken_off]
    found = float(np.mean(ends))
    nearest = 0.0 if min(ends) < 0 < max(ends) else min(abs(end) for end in ends)
    p_value = (1.0 + float((np.abs(left) * spread >= nearest).sum())) / (1.0 + len(left))
    level = float(np.nanmean(series[:begin]))
    return EffectEstimate(
        share=found * own.noise,
        low=float(min(ends) - high) * own.noise,
        high=float(max(ends) - low) * own.noise,
        level=level,
        p_value=min(p_value, 1.0),
        like=own.like,
        weights=own.weights,
        control=own.control * level,
        fell_back=float(np.mean(taken_off)) * own.noise,
        placebos=len(placebos),
        late_weeks=end - after - settling,
    )


def _placebos(like: FloatArray, at: tuple[int, int, int, int]) -> list[_Gap]:
    """Every like series as if it had been decided on, at the same cut and at earlier ones of the same lengths."""
    found = []
    begin, _after, late, end = at
    cuts = range(0, begin - EARLY_MIN + 1, max((end - late) // 2, 1))[:CUTS_MAX]
    for i in range(len(like)):
        others = np.delete(like, i, axis=0)
        for shift in cuts:
            one = _gap(like[i], others, tuple(week - shift for week in at))
            if one is not None:
                found.append(one)
    return found


def _slope(raw: FloatArray, window: FloatArray) -> tuple[float, float]:
    """Slope through 0 of `raw` on `window`, and its standard error."""
    squares = float(window @ window)
    if squares <= 0:
        return 0.0, 0.0
    slope = float(raw @ window) / squares
    left = raw - slope * window
    return slope, float(np.sqrt(left @ left / max(len(raw) - 1, 1) / squares))


def _lasting(stands_out: float, weeks: int) -> float:
    """Share of what stands out, in standard deviations of single weeks, that is beyond chance."""
    z = stands_out * np.sqrt(max(weeks, 0))
    return 0.0 if abs(z) <= CHANCE else float(1.0 - (CHANCE / z) ** 2)


def _spread(left: FloatArray, window: FloatArray, stands_out: float, doubt: float) -> float:
    """How much wider than on the placebos the interval is: for the doubt of the slope, and because what stands out more
    scatters more: squares left over, by least squares on a constant and the square of the window, neither below 0."""
    usual = float(np.mean(left**2))
    if usual <= 0:
        return 1.0
    (constant, more), _ = nnls(np.column_stack([np.ones(len(left)), window**2]), left**2)
    expected = max(constant + more * stands_out**2, usual)
    return float(np.sqrt((expected + (doubt * stands_out) ** 2) / usual))


def _gap(series: FloatArray, like: FloatArray, at: tuple[int, ...]) -> _Gap | None:
    """at: first weeks of the window, after the decision and of the late weeks, and the end. None where a series is
    unknown or nothing in too much of a span."""
    begin, after, settled, end = at
    early, late = slice(0, begin), slice(settled, end)
    every = np.vstack([series[None], like])
    known = ~np.isnan(every)
    enough = known[:, early].sum(axis=1) >= EARLY_MIN
    enough &= known[:, late].sum(axis=1) >= max(1, (end - settled) // 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        level = np.where(known, every, 0.0)[:, early].sum(axis=1) / known[:, early].sum(axis=1)
    enough &= np.nan_to_num(level) > 0
    if not enough[0] or enough.sum() < 2:
        return None
    usable = np.flatnonzero(enough[1:])
    own = series / level[0]
    others = like[usable] / level[1:][usable, None]
    nearest = _nearest(own, others, early)[:LIKE_MAX]
    usable, others = usable[nearest], others[nearest]
    weights = _weights(own, others, early)
    control = _mean(others, weights)
    gap = own - control
    if np.isnan(gap[early]).sum() > begin - EARLY_MIN or np.isnan(gap[late]).all():
        return None
    base = float(np.nanmean(gap[early]))
    noise = float(np.nanstd(gap[early], ddof=1))
    if noise <= 0:
        return None
    window = 0.0
    if after > begin and not np.isnan(gap[begin:after]).all():
        window = float(np.nanmean(gap[begin:after])) - base
    return _Gap(float(np.nanmean(gap[late])) - base, window, noise, usable, weights, control + base)


def _nearest(own: FloatArray, others: FloatArray, early: slice) -> IntArray:
    """Positions of the others, the most alike in the early weeks first."""
    away = np.nanmean((others[:, early] - own[early]) ** 2, axis=1)
    return np.argsort(np.nan_to_num(away, nan=np.inf), kind="stable")


def _weights(own: FloatArray, others: FloatArray, early: slice) -> FloatArray:
    """(like) weights >= 0, in all 1, that follow `own` less its constant; a ridge draws them to equal ones."""
    n = len(others)
    x = others[:, early].T
    use = ~np.isnan(own[early]) & ~np.isnan(x).any(axis=1)
    if use.sum() < EARLY_MIN or n == 1:
        return np.full(n, 1.0 / n)
    x, y = x[use] - x[use].mean(axis=0), own[early][use] - own[early][use].mean()
    pull = np.sqrt(RIDGE * max(float((x**2).sum() / n), 1e-12))
    rows = np.vstack([x, pull * np.eye(n), 1e3 * pull * np.ones((1, n))])
    wanted = np.concatenate([y, np.full(n, pull / n), [1e3 * pull]])
    weights, _ = nnls(rows, wanted)
    return weights / weights.sum() if weights.sum() > 0 else np.full(n, 1.0 / n)


def _mean(others: FloatArray, weights: FloatArray) -> FloatArray:
    """(week) weighted mean of what is known; NaN where nothing is."""
    known = ~np.isnan(others)
    total = (weights[:, None] * known).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, (weights[:, None] * np.where(known, others, 0.0)).sum(axis=0) / total, np.nan)
