"""Changes of single items: a lasting level shift, the last weeks against those before, the one oddest week."""

from datetime import date

import numpy as np

from datong.ledger.columns import day_number
from datong.model.flow import BoolArray, FloatArray, SeriesSet
from datong.model.words import message
from datong.sense.found import Found, Shown, about, direction, found, number, percent, times, who
from datong.statistics.changes import RECENT_BLOCKS, level_shift, odd_block, recent_change, stabilised, usual_level

# Changes are looked for in weeks, whatever the bucket: a week has no weekday pattern. At most the last year counts.
WEEK_DAYS, WEEKS_MAX = 7, 52
# An item is tested when it sold this much a week on average, in at least this share of weeks, over at least so many:
# rarer sales tell nothing in a year's weeks.
MEAN_UNITS_MIN, SOLD_SHARE_MIN, WEEKS_MIN = 1.0, 0.5, 12
# A shift this sure starts a new baseline for the recent weeks, once it is this many weeks old.
SHIFT_SURE, SHIFT_WEEKS_MIN = 0.01, 12


def item_changes(series: SeriesSet, explained: BoolArray, bucket_days: int, prices: FloatArray) -> list[Found]:
    """Every test of every item that sells enough. explained: (bucket) those that a feast accounts for.

    effect_units is the change in units a week, for an odd week its distance to the usual level.
    """
    units, starts = weekly(series, explained, bucket_days)
    known = ~np.isnan(units)
    weeks_known = np.maximum(known.sum(axis=1), 1)
    enough = (
        (weeks_known >= WEEKS_MIN)
        & (np.nansum(units, axis=1) / weeks_known >= MEAN_UNITS_MIN)
        & ((np.nan_to_num(units) > 0).sum(axis=1) / weeks_known >= SOLD_SHARE_MIN)
    )
    rows = np.flatnonzero(enough)
    if not len(rows):
        return []
    units, weeks = units[rows], units.shape[1]
    y = stabilised(units)
    shift, odd, usual = level_shift(y), odd_block(units), usual_level(units)[0]
    new_baseline = (shift.p_value < SHIFT_SURE) & (weeks - shift.block >= SHIFT_WEEKS_MIN)
    baseline = np.where(new_baseline, shift.block, 0)
    recent = recent_change(y, baseline)
    late = weeks - RECENT_BLOCKS
    filled, known = np.nan_to_num(units), ~np.isnan(units)

    def mean(at: int, first: int, end: int) -> float:
        """Of the known weeks from first to before end; 0 where there are none."""
        return float(filled[at, first:end].sum()) / max(int(known[at, first:end].sum()), 1)

    result: list[Found] = []

    def add(kind: str, at: int, first: int, last: int, before: float, strength: float, p_value: float) -> None:
        if np.isnan(p_value):
            return
        after = mean(at, first, last + 1)
        subject = about(series.items[rows[at]])
        text = message(
            f"sense.{kind}_{direction(before, after)}",
            who=who(subject),
            percent=percent(before, after),
            times=times(before, after),
            first=starts[first],
            weeks=last - first + 1,
            before=number(before),
            after=number(after),
        )
        name = f"{kind}-{subject.name}-{subject.market}-{starts[first].isoformat()}"
        days = (day_number(starts[first]), day_number(starts[last]) + WEEK_DAYS - 1)
        span, levels = (starts[first], starts[last]), (before, after)
        here = rows[at : at + 1]
        shown = Shown(here, days, prices[here])
        result.append(found(name, kind, subject, span, levels, (strength, p_value), text, shown))

    for at in range(len(rows)):
        new, odd_week = int(shift.block[at]), int(odd.block[at])
        add("level_shift", at, new, weeks - 1, mean(at, 0, new), shift.strength[at], shift.p_value[at])
        before = mean(at, baseline[at], late)
        kind = "surge" if mean(at, late, weeks) >= before else "decline"
        add(kind, at, late, weeks - 1, before, recent.strength[at], recent.p_value[at])
        add("anomaly", at, odd_week, odd_week, usual[at, odd_week], odd.strength[at], odd.p_value[at])
    return result


def weekly(series: SeriesSet, explained: BoolArray, bucket_days: int) -> tuple[FloatArray, list[date]]:
    """(item, week) units of the last WEEKS_MAX weeks, and each week's first day.

    Days are joined to weeks back from the last closed day. A week with an unknown or an explained day is unknown.
    """
    units = np.where(explained[None, :], np.nan, series.units)
    per_week = WEEK_DAYS // bucket_days
    spare = units.shape[1] % per_week
    starts = list(series.bucket_starts[spare::per_week])
    units = units[:, spare:].reshape(len(series.items), len(starts), per_week).sum(axis=2)
    return units[:, -WEEKS_MAX:], starts[-WEEKS_MAX:]
