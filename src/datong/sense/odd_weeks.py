"""The one oddest week of single items."""

from dataclasses import replace

import numpy as np

from datong.ledger.columns import day_number
from datong.model.flow import BoolArray, FloatArray, SeriesSet
from datong.model.words import message
from datong.sense.change_found import Found, Shown, about, direction, found, number, percent, times, who
from datong.sense.weeks_looked_at import WEEK_DAYS, weekly
from datong.statistics.odd_blocks import odd_block, usual_level

# An item is tested when it sold this much a week on average, in at least this share of weeks, over at least so many:
# rarer sales tell nothing in a year's weeks.
MEAN_UNITS_MIN, SOLD_SHARE_MIN, WEEKS_MIN = 1.0, 0.5, 12


def odd_weeks(
    series: SeriesSet, explained: BoolArray, bucket_days: int, prices: FloatArray, assumed: BoolArray
) -> list[Found]:
    """The test of every item that sells enough. explained: (bucket) those that a feast accounts for. assumed: (item,
    bucket) those that were not measured.

    effect_units is the distance to the usual level.
    """
    measured = replace(series, units=np.where(assumed, np.nan, series.units))
    units, starts = weekly(measured, explained, bucket_days)
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
    units = units[rows]
    odd, usual = odd_block(units), usual_level(units)[0]
    filled = np.nan_to_num(units)
    result: list[Found] = []
    for at in np.flatnonzero(~np.isnan(odd.p_value)).tolist():
        week = int(odd.block[at])
        start, before, after = starts[week], float(usual[at, week]), float(filled[at, week])
        subject = about(series.items[rows[at]])
        text = message(
            f"sense.anomaly_{direction(before, after)}",
            who=who(subject),
            percent=percent(before, after),
            times=times(before, after),
            first=start,
            before=number(before),
            after=number(after),
        )
        name = f"anomaly-{subject.name}-{subject.market}-{start.isoformat()}"
        here = rows[at : at + 1]
        shown = Shown(here, (day_number(start), day_number(start) + WEEK_DAYS - 1), prices[here])
        test = (odd.strength[at], odd.p_value[at])
        result.append(found(name, "anomaly", subject, (start, start), (before, after), test, text, shown))
    return result
