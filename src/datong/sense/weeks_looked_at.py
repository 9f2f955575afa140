"""How far back most signals look, and series week by week: a week has no weekday pattern, whatever the bucket."""

from datetime import date

import numpy as np

from datong.model.flow import BoolArray, FloatArray, SeriesSet

# Days of a week, and how many weeks: at most the last year counts.
WEEK_DAYS, WEEKS_MAX = 7, 52
# Weeks that count as recent: returns and complaints of these are held against those before; a change of level that is
# no older is a surge or a decline, and not lasting yet.
RECENT_WEEKS = 4


def weekly(
    series: SeriesSet, explained: BoolArray, bucket_days: int, most: int = WEEKS_MAX
) -> tuple[FloatArray, list[date]]:
    """(item, week) units of the last weeks, `most` of them, and each week's first day.

    Days are joined to weeks back from the last closed day. A week with an unknown or an explained day is unknown.
    """
    units = np.where(explained[None, :], np.nan, series.units)
    per_week = WEEK_DAYS // bucket_days
    spare = units.shape[1] % per_week
    starts = list(series.bucket_starts[spare::per_week])
    units = units[:, spare:].reshape(len(series.items), len(starts), per_week).sum(axis=2)
    return units[:, -most:], starts[-most:]
