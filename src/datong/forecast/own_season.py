"""Products that sell in their season alone: the weeks of last years, by where they lie in the year.

A level times a season factor (season.py) says little of them. Out of season the level is nothing divided by almost
nothing, and the last weeks before a season opens are of that kind, so every model of the level has come down to zero
when the season comes. Here a season's total is the level, and what is out of season has no say in it. With U_yo the
units of season y in its week o,

    U_yo ~ T_y q_o,   T_y = sum U_yo / sum q_o,   q_o = sum U_yo / sum T_y,   sum q = 1

over what is known, in turn: the maximum likelihood of a Poisson table of rows and columns, also where cells are missing
(iterative proportional fitting: Deming and Stephan 1940, Annals of Mathematical Statistics 11). The next total is a
mean of those before, the last one counting most, carried on by part of their trend; sales of a season under way move it
by how sure they are (linear Bayes: Goldstein and Wooff 2007). A season's weeks are counted from the first of January,
or from a holiday that moves, such as the Chinese New Year, where the seasons lie better beside one another so.

An item is looked at where its good weeks fall upon the same weeks of other years by more than chance (`own_seasons`);
that it is forecast so is then decided by a back-test over whole years (`fit.py`). With one season seen there is nothing
to test: it comes again with the chance with which like items of the chain came back, one half before any did.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from datong.forecast.spread import Spread, draw_paths
from datong.model.flow import BoolArray, FloatArray, IntArray, SeriesSet

# Weeks of a year, of which the last is there in some years only.
WEEKS = 53
FOLD = 52
# Good weeks, which sell more than the item's mean, are at most this share of the year, and hold this share of units.
WIDEST_SHARE, LEAST_IN_SEASON = 0.65, 0.7
# They must fall upon those of other years by so many standard deviations more than by chance, and be so many.
SURE_DEVIATIONS, FEWEST_GOOD = 3.5, 5
# One season alone: of so many weeks, with nearly all units, so many quiet weeks ago.
SHORTEST, LONGEST, NEARLY_ALL, FEWEST_QUIET = 4, 30, 0.85, 16
# Weeks in season sell more than this of the best one; so many weeks before a year is over the next season may begin.
LEAST_OF_PEAK, NOT_YET = 0.15, 8
# Weeks without a sale that do not end a season.
LONGEST_GAP = 2
# Weights by which neighbouring weeks in season are averaged, after so many seasons and more.
SMOOTHED = {1: (1.0, 2.0, 3.0, 2.0, 1.0), 2: (1.0, 2.0, 1.0), 3: (1.0, 4.0, 1.0)}
# A season tells of the level where this share of it is known; each counts this much of the one after it.
KNOWN_SHARE, KEPT = 0.25, 0.35
# A trend is believed as seasons / (seasons + TREND_PRIOR) from so many seasons on, and is at most so steep in logs.
TREND_PRIOR, FEWEST_FOR_TREND, STEEPEST = 2.0, 3, 0.3
# Relative variance of a season's total after one season and after several, as so many seasons; of a week, as so many.
ONE_VARIANCE, TOTAL_VARIANCE, TOTAL_SEASONS = 0.12, 0.05, 2.0
WEEK_VARIANCE, WEEK_WEIGHT = 0.15, 6.0
# Standard deviation of a season's begin, in weeks, for its first sales and for the weeks at its edges.
BEGIN_WEEKS, EDGE_WEEKS = 0.7, 0.5
# Of a week's variance, what the profile's own error is after one season.
PROFILE_SHARE = 0.6
# Chance that a season comes again that came more than once; of those that came once, see `own_seasons`.
COMES_AGAIN = 0.97
# Days by which a holiday must move for weeks to be counted from it, and within which its items sell; it is used where
# it leaves less than this of the squares.
MOVES_DAYS, NEAR_ANCHOR_DAYS, BETTER_ANCHOR = 8.0, 45, 0.9
YEAR_DAYS = 365.25


@dataclass(frozen=True, eq=False)
class BucketsInSeasons:
    """Where the buckets of a series lie in its seasons."""

    # (closed, then open bucket) number of the season.
    season: IntArray
    # (closed, then open bucket) week of the season, from 0.
    week: IntArray


@dataclass(frozen=True, eq=False)
class OwnSeason:
    """What an item that sells in its season alone is looked at with."""

    buckets: BucketsInSeasons
    # Seasons seen, whole or in part.
    seasons: int
    # Chance that the next one comes.
    returns: float


@dataclass(frozen=True, eq=False)
class SeasonCourse:
    """What is expected of the buckets after the end of a series."""

    # (bucket ahead) units, if the season comes.
    mean: FloatArray
    # Relative variance of the season's total.
    total_variance: float
    # (bucket ahead) relative variance of a week beside it.
    week_variance: FloatArray
    # Chance that the season comes.
    returns: float


def own_seasons(series: SeriesSet, units: FloatArray) -> dict[int, OwnSeason]:
    """By number, the items of weekly series that seem to sell in their season alone. units: (item, closed bucket)."""
    closed = units.shape[1]
    if closed < 2 or (series.bucket_starts[1] - series.bucket_starts[0]).days != 7 or closed < FOLD // 2:
        return {}
    several = set(np.flatnonzero(_come_again(units)).tolist())
    once, back, gone = _came_once(units)
    if not (several or once):
        return {}
    days = np.array([d.toordinal() for d in (*series.bucket_starts, *series.horizon_starts)], dtype=np.int64)
    anchors = _anchors(series, days)
    chance = (back + 1) / (back + gone + 2)
    found = {}
    for i in sorted(several.union(once)):
        is_once = i not in several
        buckets = _best_places(units[i], days, anchors[:1] if is_once else anchors)
        found[i] = OwnSeason(buckets, 1 if is_once else 2, chance if is_once else COMES_AGAIN)
    return found


def course(own: OwnSeason, units: FloatArray, buckets: int, whole: bool) -> SeasonCourse | None:
    """What is expected of the next buckets. units: (bucket) of the series from the chain's first bucket on; None where
    no season is known."""
    table = _table(own.buckets, units)
    if not np.nansum(table) > 0:
        return None
    totals, profile, share = _fitted(table)
    ahead = slice(len(units), len(units) + buckets)
    season, week = own.buckets.season[ahead], own.buckets.week[ahead]
    expected: dict[int, tuple[float, float, float]] = {}
    week_variance = _week_variance(table, totals, profile, whole)
    for s in np.unique(season):
        expected[int(s)] = _total(int(s), table, totals, profile, share, week_variance, own.returns)
    mean = np.array([expected[int(s)][0] for s in season]) * profile[week]
    # The season that is to bring most says how unsure all are.
    most = max(expected, key=lambda s: float(mean[season == s].sum()))
    _, variance, returns = expected[most]
    # Where the season opens and ends, a few days more or less change a week most.
    around = np.abs(np.roll(profile, 1) - np.roll(profile, -1))[week] / 2
    moved = EDGE_WEEKS * around / np.maximum(profile[week], 0.1 * profile.max())
    unsure = 1 + PROFILE_SHARE / max(int((totals > 0).sum()), 1)
    return SeasonCourse(mean, variance, week_variance * unsure + moved**2, returns)


def season_paths(
    rng: np.random.Generator, made: SeasonCourse, ratio: float, whole: bool, otherwise: FloatArray
) -> FloatArray:
    """(path, bucket) units. ratio: what was learnt of its mean. otherwise: the paths where the season does not come."""
    path_count = len(otherwise)
    spread = Spread(made.total_variance, 0.0, made.week_variance, whole)
    if path_count == 1:
        return made.returns * ratio * made.mean[None] + (1 - made.returns) * otherwise
    comes = rng.permutation(path_count) < round(made.returns * path_count)
    return np.where(comes[:, None], draw_paths(rng, ratio * made.mean, spread, path_count), otherwise)


# which items -------------------------------------------------------------------------------------


def _come_again(units: FloatArray) -> BoolArray:
    """(item) whether good weeks fall upon the same weeks of other years by more than chance."""
    items, closed = units.shape
    years = -(-closed // FOLD)
    if closed < FOLD + SHORTEST:
        return np.zeros(items, dtype=bool)
    known = ~np.isnan(units)
    plain = np.where(known, units, 0.0)
    mean = plain.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    good = plain > mean[:, None]
    in_season = np.where(good, plain, 0.0).sum(axis=1) >= LEAST_IN_SEASON * plain.sum(axis=1)
    folded = np.zeros((items, years * FOLD), dtype=bool)
    folded[:, years * FOLD - closed :] = good
    folded = folded.reshape(items, years, FOLD)
    others = (folded.sum(axis=1, keepdims=True) - folded) > 0
    near = others.copy()
    for k in (-2, -1, 1, 2):
        near |= np.roll(others, k, axis=2)
    count = folded.sum(axis=(1, 2))
    hits = (folded & near).sum(axis=(1, 2))
    # By chance: each year's good weeks upon the weeks near those of the others.
    chance = (folded.sum(axis=2) * near.mean(axis=2)).sum(axis=1) / np.maximum(count, 1)
    deviation = np.sqrt(np.maximum(count * chance * (1 - chance), 0.25))
    narrow = others.mean(axis=2).max(axis=1) <= WIDEST_SHARE
    return in_season & narrow & (count >= FEWEST_GOOD) & (hits - count * chance > SURE_DEVIATIONS * deviation)


def _came_once(units: FloatArray) -> tuple[list[int], int, int]:
    """Items that sold in one season alone, which is due within a year, and of those whose season was due since, how
    many sold again and how many did not."""
    closed = units.shape[1]
    plain = np.nan_to_num(units)
    first = np.where((plain > 0).any(axis=1), (plain > 0).argmax(axis=1), closed)
    once, back, gone = [], 0, 0
    # One that sells where the chain's records begin may have begun before them: it is not known when its season opens.
    opening = int(first.min(initial=closed))
    for i in np.flatnonzero((closed - first >= SHORTEST + FEWEST_QUIET) & (first > opening)):
        start = int(first[i])
        run = _one_run(plain[i, start : start + FOLD - NOT_YET])
        if run is None:
            continue
        due = start + FOLD - LONGEST_GAP, start + run + FOLD + LONGEST_GAP
        if due[1] > closed:
            once.append(int(i))
        elif not np.isnan(units[i, due[0] : due[1]]).all():
            came = plain[i, due[0] : due[1]].sum() > 0.1 * plain[i, start : start + run].sum()
            back, gone = back + int(came), gone + int(not came)
    return once, back, gone


def _one_run(units: FloatArray) -> int | None:
    """Length of the one season that a year (bucket) of units begins with, when it is over; None where it is not so."""
    sold = np.flatnonzero(units > units.max() * LEAST_OF_PEAK)
    if len(sold) < SHORTEST or (np.diff(sold) > LONGEST_GAP + 1).any() or sold[0] > LONGEST_GAP:
        return None
    end = int(sold[-1]) + 1
    over = end <= LONGEST and len(units) - end >= FEWEST_QUIET
    return end if over and units[:end].sum() >= NEARLY_ALL * units.sum() else None


# where buckets lie in a season -------------------------------------------------------------------


def _anchors(series: SeriesSet, days: IntArray) -> list[IntArray]:
    """Days from which the weeks of a season may be counted: the first of January, then holidays that move."""
    first, last = series.bucket_starts[0].year - 2, (*series.bucket_starts, *series.horizon_starts)[-1].year + 2
    january = [series.bucket_starts[0].replace(year=y, month=1, day=1).toordinal() for y in range(first, last + 1)]
    found = [np.array(january, dtype=np.int64)]
    for name in sorted({h.holiday for h in series.holidays}):
        seen = sorted(h.bucket.toordinal() for h in series.holidays if h.holiday == name)
        firsts = [d for k, d in enumerate(seen) if not k or d - seen[k - 1] > 60]
        in_year = (np.diff(firsts) - YEAR_DAYS) if len(firsts) > 1 else np.zeros(1)
        if np.abs(in_year).max() < MOVES_DAYS or np.abs(in_year).max() > 40:
            continue
        steps = range(1, 4)
        before = [round(firsts[0] - YEAR_DAYS * k) for k in reversed(steps)]
        found.append(np.array([*before, *firsts, *(round(firsts[-1] + YEAR_DAYS * k) for k in steps)], dtype=np.int64))
    return [a for a in found if a[0] < days[0] and a[-1] > days[-1]]


def _places_in_seasons(units: FloatArray, days: IntArray, anchor: IntArray) -> BucketsInSeasons:
    """Seasons of an item, each from the middle of its quiet time to the next."""
    plain = np.nan_to_num(units)
    near = np.searchsorted(anchor, days, side="right") - 1
    week = np.rint((days - anchor[near]) / 7).astype(np.int64) % FOLD
    sums = np.bincount(week[: len(units)], plain, FOLD)
    quiet, spread = sums.copy(), sums.copy()
    for k in range(1, 7):
        spread += np.roll(sums, k) + np.roll(sums, -k)
    # Of the weeks with least around them the one in the middle of the longest stretch.
    lowest = spread <= spread.min() + 0.02 * quiet.sum()
    # A season lies about its anchor; weeks are counted so that those ahead are whole, and last year's nearly so.
    cut = _middle(lowest)
    start = anchor + 7 * (cut - FOLD if cut else 0)
    ahead = int(days[len(units)] if len(units) < len(days) else days[-1])
    start = start + (ahead - int(start[np.searchsorted(start, ahead + 3, side="right") - 1]) + 3) % 7 - 3
    season = np.searchsorted(start, days + 3, side="right") - 1
    return BucketsInSeasons(season, np.clip(np.rint((days - start[season]) / 7).astype(np.int64), 0, WEEKS - 1))


def _middle(low: BoolArray) -> int:
    """Middle of the longest run of a ring."""
    if low.all():
        return 0
    turn = int(np.flatnonzero(~low)[0])
    best, length, run = 0, 0, 0
    for k in range(len(low)):
        at = (turn + k) % len(low)
        run = run + 1 if low[at] else 0
        if run > length:
            best, length = at - run // 2, run
    return best % len(low)


def _is_near(units: FloatArray, days: IntArray, anchor: IntArray) -> bool:
    """Whether an item sells about a holiday."""
    at = days[: len(units), None]
    near = np.abs(at - anchor).min(axis=1) <= NEAR_ANCHOR_DAYS
    return bool(np.nansum(units[near]) >= LEAST_IN_SEASON * np.nansum(units))


def _best_places(units: FloatArray, days: IntArray, anchors: list[IntArray]) -> BucketsInSeasons:
    anchors = [anchor for k, anchor in enumerate(anchors) if not k or _is_near(units, days, anchor)]
    found = [_places_in_seasons(units, days, anchor) for anchor in anchors]
    squares = []
    for one in found if len(found) > 1 else ():
        table = _table(one, units)
        totals, profile, _ = _fitted(table)
        squares.append(float(np.nansum((table - totals[:, None] * profile) ** 2)))
    if len(found) > 1:
        best = int(np.argmin(squares[1:])) + 1
        if squares[best] < BETTER_ANCHOR * squares[0]:
            return found[best]
    return found[0]


# the table of seasons and weeks ------------------------------------------------------------------


def _table(buckets: BucketsInSeasons, units: FloatArray) -> FloatArray:
    """(season, week) units, NaN where unknown; the seasons are those up to the last of its buckets."""
    table = np.full((int(buckets.season[-1]) + 1, WEEKS), np.nan)
    table[buckets.season[: len(units)], buckets.week[: len(units)]] = units
    return table


def _fitted(table: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(season) totals, (week) profile of sum 1, and (season) share of the profile that is known."""
    known = ~np.isnan(table)
    plain = np.where(known, table, 0.0)
    seen = known.any(axis=0)
    profile = np.where(seen, plain.sum(axis=0) / np.maximum(known.sum(axis=0), 1), 0.0)
    totals = np.zeros(len(table))
    for _ in range(8):
        profile = profile / max(float(profile.sum()), 1e-12)
        share = known @ profile
        totals = np.where(share > KNOWN_SHARE, plain.sum(axis=1) / np.maximum(share, 1e-12), 0.0)
        use = known & (totals > 0)[:, None]
        weight = totals @ use
        profile = np.where(weight > 0, (plain * use).sum(axis=0) / np.maximum(weight, 1e-12), 0.0)
    profile = _smoothed(profile, int((totals > 0).sum()))
    profile = profile / max(float(profile.sum()), 1e-12)
    share = known @ profile
    return np.where(share > KNOWN_SHARE, plain.sum(axis=1) / np.maximum(share, 1e-12), 0.0), profile, share


def _smoothed(profile: FloatArray, seasons: int) -> FloatArray:
    """Averaged over neighbouring weeks in season, so that its edges stay where they are."""
    weights = SMOOTHED[min(max(seasons, 1), 3)]
    inside = profile > 0.05 * profile.max()
    for _ in range(LONGEST_GAP // 2):  # gaps of two weeks are within
        inside = inside | (_shifted(inside, 1) & _shifted(inside, -1)) | (_shifted(inside, 1) & _shifted(inside, -2))
        inside = inside | (_shifted(inside, 2) & _shifted(inside, -1))
    reach = len(weights) // 2
    above, below = np.zeros(len(profile)), np.zeros(len(profile))
    for k, w in enumerate(weights):
        above += w * _shifted(np.where(inside, profile, 0.0), k - reach)
        below += w * _shifted(inside.astype(np.float64), k - reach)
    return np.where(inside, above / np.maximum(below, 1e-12), profile)


def _shifted(values: FloatArray | BoolArray, by: int) -> np.ndarray:
    result = np.zeros_like(values)
    if by > 0:
        result[by:] = values[:-by]
    elif by < 0:
        result[:by] = values[-by:]
    else:
        result[:] = values
    return result


def _week_variance(table: FloatArray, totals: FloatArray, profile: FloatArray, whole: bool) -> float:
    """Relative variance of a week in season beside its total, drawn to the usual one by how few weeks there are."""
    mean = totals[:, None] * profile
    use = ~np.isnan(table) & (mean > 0.2 * mean.max(axis=1, keepdims=True)) & (totals > 0)[:, None]
    seasons = int((totals > 0).sum())
    squares = float(np.sum(mean[use] ** 2))
    if squares <= 0:
        return WEEK_VARIANCE
    # The profile was fitted to the same weeks: with one season, smoothed over its neighbours.
    lost = seasons / (seasons - 0.6) if seasons > 1 else 1.4
    own = lost * float(np.sum((table[use] - mean[use]) ** 2)) / squares
    own = max(own - (float(np.sum(mean[use])) / squares if whole else 0.0), 0.005)
    count = int(use.sum()) * max(seasons - 1, 0.5) / seasons
    weight = count / (count + WEEK_WEIGHT)
    return float(np.exp(weight * np.log(own) + (1 - weight) * np.log(WEEK_VARIANCE)))


def _total(
    season: int,
    table: FloatArray,
    totals: FloatArray,
    profile: FloatArray,
    share: FloatArray,
    week_variance: float,
    returns: float,
) -> tuple[float, float, float]:
    """Expected total of a season, its relative variance, and the chance that it comes, after what it has sold."""
    before = [s for s in range(season) if totals[s] > 0 or (share[s] > 0.9 and np.nansum(totals[:s]) > 0)]
    known = ~np.isnan(table[season])
    if not before:
        return float(totals[season]), ONE_VARIANCE, returns
    expected, variance = _carried_on(season, before, totals, share)
    so_far = float(profile[known].sum())
    if so_far <= 0 or expected <= 0:
        return expected, variance, returns
    sold, usual = float(table[season][known].sum()), expected * so_far
    edge = float(profile[np.flatnonzero(known)[-1]])
    unsure = 1 / max(usual, 1e-9) + week_variance * float(np.sum(profile[known] ** 2)) / so_far**2
    unsure += (BEGIN_WEEKS * edge / so_far) ** 2
    trust = variance / (variance + unsure)
    if sold > 0:
        returns = 1.0 if sold > 0.05 * usual else returns
    else:
        # No sale yet: a season that begins late is likely, too.
        none = max(float(np.exp(-usual)), edge * BEGIN_WEEKS / max(so_far, 1e-9) * 0.5)
        returns = returns * min(none, 1.0) / (returns * min(none, 1.0) + 1 - returns)
    ratio = 1 + trust * (min(sold / usual, 4.0) - 1)
    return expected * ratio, variance * (1 - trust) / max(ratio, 0.1), returns


def _carried_on(season: int, before: list[int], totals: FloatArray, share: FloatArray) -> tuple[float, float]:
    """Expected total of a season from those before, and its relative variance."""
    at = np.array(before)
    weight = KEPT ** (season - 1.0 - at) * np.minimum(share[at], 1.0)
    slope = _slope(at, totals[at], share[at])
    expected = float(np.sum(weight * totals[at] * np.exp(slope * (season - at))) / weight.sum())
    if len(at) < 2:
        return expected, ONE_VARIANCE
    errors = []
    for k in range(1, len(at)):
        w = KEPT ** (at[k] - 1.0 - at[:k]) * np.minimum(share[at[:k]], 1.0)
        said = float(np.sum(w * totals[at[:k]]) / w.sum())
        errors.append(min(abs(totals[at[k]] * np.exp(-0.5 * slope) / max(said, 1e-9) - 1), 1.5) ** 2)
    return expected, (TOTAL_SEASONS * TOTAL_VARIANCE + sum(errors)) / (TOTAL_SEASONS + len(errors))


def _slope(at: IntArray, totals: FloatArray, share: FloatArray) -> float:
    """Trend of the totals' logs by season, believed in part."""
    use = (totals > 0) & (share > 0.7)
    if use.sum() < FEWEST_FOR_TREND:
        return 0.0
    x, y = at[use] - at[use].mean(), np.log(totals[use])
    slope = float(np.sum(x * y) / np.sum(x * x))
    return float(np.clip(slope * use.sum() / (use.sum() + TREND_PRIOR), -STEEPEST, STEEPEST))


def tested_means(own: OwnSeason, units: FloatArray, starts: Iterable[int], reach: int, whole: bool) -> FloatArray:
    """(window, bucket ahead) what would have been expected at each start; NaN where no season was known."""
    rows = []
    for start in starts:
        made = course(own, units[:start], reach, whole)
        rows.append(np.full(reach, np.nan) if made is None else made.mean)
    return np.array(rows).reshape(-1, reach)
