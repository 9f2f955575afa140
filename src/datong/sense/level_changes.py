"""Lasting changes of level: of single items beside their category, of categories and of the whole chain.

The history is watched from its beginning, block by block, as if somebody had looked at every moment
(statistics/level_watch.py): a change is told from the moment at which it could be known, and looking again raises no
new alarms.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from datong.ledger.columns import day_number
from datong.model.flow import WHOLE_CHAIN, BoolArray, FloatArray, IntArray, SeriesSet, Subject
from datong.model.words import Message, message
from datong.sense.change_found import Found, Shown, about, direction, found, number, percent, share, times, who
from datong.sense.weeks_looked_at import RECENT_WEEKS
from datong.statistics.common_movement import LIKE_MIN
from datong.statistics.level_watch import DAYS, WEEKS, Blocks, watch

WEEK_DAYS = 7
# Share of the alarms of a year that may be false, of items as of categories with the chain.
FALSE_ALARM_SHARE = 0.1
# Items that sold fewer units a day than this in their first known weeks are watched by the week.
DAILY_UNITS_MIN, FIRST_WEEKS = 2.0, 8
# Share of blocks left out at both ends of a mean, where it has so many.
TRIMMED, TRIM_MIN = 0.1, 6
# A day whose week lies within its month.
MIDDLE = 15
# Weeks on both sides over which last year's season is smoothed.
SEASON_WEEKS = 2


@dataclass(frozen=True, eq=False)
class _Panel:
    """Series that are watched together."""

    # (series) what each is about.
    subjects: Sequence[Subject]
    # (series) positions of the items whose rows show it.
    items: Sequence[IntArray]
    # (series) number of the group of like ones.
    groups: IntArray
    # (series, block) units; NaN where unknown. As watched, and as they were.
    watched_units: FloatArray
    units: FloatArray
    # First day of each block.
    starts: Sequence[date]
    blocks: Blocks
    # Share of alarms that may be false.
    share: float


def level_changes(
    series: SeriesSet, explained: BoolArray, bucket_days: int, prices: FloatArray, assumed: BoolArray
) -> list[Found]:
    """The last change of each item, category and of the chain that began within a year.

    explained: (bucket) those that a feast accounts for. assumed: (item, bucket) those whose days are assumed, as those
    of a month that was spread: such a month is seen once. effect_units is the change in units a week. One that is at
    most RECENT_WEEKS weeks old is a surge or a decline: it is not lasting yet.
    """
    units = np.where(explained[None, :], np.nan, series.units)
    category = np.unique(np.array(series.category, dtype=str), return_inverse=True)[1]
    result: list[Found] = []
    for panel in (
        *_items(series, units, category, bucket_days, assumed),
        *_groups(series, units, category, bucket_days, assumed),
    ):
        alarms = watch(panel.watched_units, panel.groups, panel.blocks, panel.share)
        last = {int(i): k for k, i in enumerate(alarms.series)}
        for i, k in sorted(last.items()):
            if alarms.first[k] >= len(panel.starts) - panel.blocks.year:
                test = (float(alarms.strength[k]), float(alarms.p_value[k]))
                span = (int(alarms.begin[k]), int(alarms.first[k]))
                one = _found(panel, i, span, float(alarms.change_share[k]), test, prices)
                since = panel.starts[int(alarms.since[k])] + timedelta(days=panel.blocks.days)
                signal = replace(one.signal, q_value=float(alarms.q_value[k]), since=since)
                result.append(replace(one, signal=signal))
    return result


def _items(
    series: SeriesSet, units: FloatArray, category: IntArray, bucket_days: int, assumed: BoolArray
) -> list[_Panel]:
    """Items by the day where the chain counts in days, they sell enough and no day is assumed; others by the week."""
    subjects = [about(item) for item in series.items]
    every = np.arange(len(subjects))
    weekly = _weekly(units, series.bucket_starts, bucket_days)
    daily = every[:0]
    if bucket_days == 1:
        known = ~np.isnan(units)
        early = known & (np.cumsum(known, axis=1) <= FIRST_WEEKS * WEEK_DAYS)
        mean = np.where(early, units, 0.0).sum(axis=1) / np.maximum(early.sum(axis=1), 1)
        daily = np.flatnonzero((mean >= DAILY_UNITS_MIN) & ~assumed.any(axis=1))
    weeks, starts = weekly
    seen = _once_a_month(weeks, _weekly(assumed.astype(float), series.bucket_starts, bucket_days)[0] > 0, starts)
    kinds = (
        (daily, units, units, series.bucket_starts, DAYS),
        (np.setdiff1d(every, daily), seen, weeks, starts, WEEKS),
    )
    used = [kind for kind in kinds if len(kind[0])]
    return [
        _Panel(
            [subjects[i] for i in rows],
            [rows[k : k + 1] for k in range(len(rows))],
            np.unique(category[rows], return_inverse=True)[1],
            watched[rows],
            blocks_units[rows],
            starts,
            blocks,
            FALSE_ALARM_SHARE / len(used),
        )
        for rows, watched, blocks_units, starts, blocks in used
    ]


def _groups(
    series: SeriesSet, units: FloatArray, category: IntArray, bucket_days: int, assumed: BoolArray
) -> list[_Panel]:
    """The chain, and categories of LIKE_MIN items and more, by the week: what items are held against.

    A total is known once any of its items is.
    """
    weekly, starts = _weekly(units, series.bucket_starts, bucket_days)
    if len(series.items) < LIKE_MIN:
        return []
    subjects, members = [WHOLE_CHAIN], [np.arange(len(series.items))]
    for number_of in range(int(category.max()) + 1):
        rows = np.flatnonzero(category == number_of)
        if LIKE_MIN <= len(rows) < len(series.items) and series.category[rows[0]]:
            subjects.append(Subject("category", series.category[rows[0]]))
            members.append(rows)
    totals = np.stack(
        [np.where(np.isnan(weekly[m]).all(axis=0), np.nan, np.nansum(weekly[m], axis=0)) for m in members]
    )
    alone = np.arange(len(members))
    weeks = _weekly(np.where(assumed, np.nan_to_num(units), 0.0), series.bucket_starts, bucket_days)[0]
    unmeasured = np.stack([weeks[m].sum(axis=0) for m in members])
    seen = _once_a_month(_without_season(totals), 2.0 * unmeasured >= np.fmax(totals, 1e-9), starts)
    return [_Panel(subjects, members, alone, seen, totals, starts, WEEKS, FALSE_ALARM_SHARE)]


def _once_a_month(units: FloatArray, assumed: BoolArray, starts: Sequence[date]) -> FloatArray:
    """(series, week) units, unknown in the weeks whose days are assumed, but for the one in the middle of each month:
    the weeks of a month that was spread over its days are one figure, and no four of them."""
    days = [[start + timedelta(days=d) for d in range(WEEK_DAYS)] for start in starts]
    middle = np.array([any(day.day == MIDDLE for day in week) for week in days], bool)
    return np.where(assumed & ~middle, np.nan, units)


def _weekly(units: FloatArray, starts: Sequence[date], bucket_days: int) -> tuple[FloatArray, Sequence[date]]:
    """(series, week) units of whole weeks from Monday, and each week's first day."""
    if bucket_days == WEEK_DAYS:
        return units, starts
    skipped = -starts[0].weekday() % WEEK_DAYS
    weeks = max((len(starts) - skipped) // WEEK_DAYS, 0)
    whole = units[:, skipped : skipped + weeks * WEEK_DAYS]
    return whole.reshape(len(units), weeks, WEEK_DAYS).sum(axis=2), starts[skipped:][: weeks * WEEK_DAYS : WEEK_DAYS]


def _without_season(totals: FloatArray) -> FloatArray:
    """Totals over the season of the year before: its smoothed level over the mean of the year around it.

    Where the history has no year and a half before the blocks watched, totals as they are.
    """
    year, blocks = WEEKS.year, totals.shape[1]
    first = year + year // 2
    if blocks < first + year // 2:
        return totals
    result = np.full_like(totals, np.nan)
    filled = np.nan_to_num(totals)
    for t in range(first, blocks):
        level = filled[:, t - first : t - year // 2].mean(axis=1)
        then = filled[:, t - year - SEASON_WEEKS : t - year + SEASON_WEEKS + 1].mean(axis=1)
        result[:, t] = totals[:, t] * np.where((level > 0) & (then > 0), level / np.maximum(then, 1e-9), 1.0)
    return result


def _found(
    panel: _Panel,
    at: int,
    span: tuple[int, int],
    beside_share: float,
    test: tuple[float, float],
    prices: FloatArray,
) -> Found:
    """span: first block of the old and of the new level. beside_share: change beside what like series did."""
    units, starts, (begin, first) = panel.units[at], panel.starts, span
    per_week = WEEK_DAYS // panel.blocks.days
    begin = max(begin, first - panel.blocks.year)
    before, after = (_mean(part) * per_week for part in (units[begin:first], units[first:]))
    weeks = -(-(len(starts) - first) // per_week)
    rises = beside_share > 0
    kind = ("surge" if rises else "decline") if weeks <= RECENT_WEEKS else "level_shift"
    subject = panel.subjects[at]
    text = _text(kind, subject, (before, after), beside_share, (starts[first], weeks))
    of = f"category:{subject.name}" if subject.kind == "category" else subject.name
    name = f"{kind}-{of}-{subject.market}-{starts[first].isoformat()}"
    days = (day_number(starts[first]), day_number(starts[-1]) + panel.blocks.days - 1)
    shown = Shown(panel.items[at], days, prices[panel.items[at]])
    return found(name, kind, subject, (starts[first], starts[-1]), (before, after), test, text, shown)


def _text(
    kind: str, subject: Subject, levels: tuple[float, float], beside_share: float, when: tuple[date, int]
) -> Message:
    """Where units went less than half as far, or the other way, since all like series moved, the change is told beside
    them."""
    before, after = levels
    own = share(before, after) * (1.0 if beside_share > 0 else -1.0)
    beside = own < abs(beside_share) / 2.0
    way = ("beside_up" if beside_share > 0 else "beside_down") if beside else f"{kind}_{direction(before, after)}"
    return message(
        f"sense.{way}",
        who=who(subject),
        percent=f"{abs(beside_share):.0%}" if beside else percent(before, after),
        times=times(before, after),
        first=when[0],
        weeks=when[1],
        before=number(before),
        after=number(after),
    )


def _mean(units: FloatArray) -> float:
    """Of the known blocks, without the lowest and the highest TRIMMED of them, lest a spike pass for a level; 0 where
    there are none."""
    known = np.sort(units[~np.isnan(units)])
    cut = math.ceil(TRIMMED * len(known)) if len(known) >= TRIM_MIN else 0
    return float(known[cut : len(known) - cut].mean()) if len(known) else 0.0
