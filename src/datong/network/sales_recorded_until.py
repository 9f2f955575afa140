"""How far the records of sales go: a day on which nothing was sold, or one of which nobody has told yet."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from datong.ledger.columns import as_day
from datong.ledger.daily_sales import days_with_sales, sold_by_day
from datong.ledger.state import State

# Of the gaps between days with a sale, one in so many may be longer without telling anything.
USUAL_GAPS = 0.99
# Fewer gaps than this tell nothing of what is usual.
FEWEST_GAPS = 8


@dataclass(frozen=True)
class SalesEnd:
    """day: the last one of which a sale is recorded. usual_gap: days between two days with a sale that are no news."""

    day: date
    usual_gap: int

    def covers(self, last_day: date) -> bool:
        """Whether the records go on to the end of a day: the next sale, on the day after it at the earliest, would
        follow the last one after a usual gap. Where something is sold each day, one day without a sale is missing."""
        return (last_day - self.day).days < max(self.usual_gap, 1)


def quiet_since(state: State) -> tuple[date, int] | None:
    """Last day with a sale of any product and how many whole buckets without one follow it before the plan's first,
    which count as buckets in which nothing was sold; None where there are none, where these days are not recorded yet
    (`sales_end`), or where such a gap is usual."""
    days = days_with_sales(state)
    if not len(days) or sales_end(state) is not None:
        return None
    last, calendar = as_day(int(days[-1])), state.settings.calendar
    buckets = calendar.index(state.today, last) - 1
    if buckets < 1:
        return None
    gaps = np.diff(days)
    usual = int(np.quantile(gaps, USUAL_GAPS, method="higher")) if len(gaps) >= FEWEST_GAPS else 0
    return None if SalesEnd(last, usual).covers(state.today - timedelta(days=1)) else (last, buckets)


def sales_end(state: State) -> SalesEnd | None:
    """Where the records of sales end, if the days after it, up to the state's, are more than this chain is usually
    without any sale; None where the records go on to the state's day.

    Of one product alone, a long time without a sale is no news about the records. A row of 0 units is a record.
    """
    if len(sold_by_day(state)["product"].unique()) < 2:
        return None
    days = days_with_sales(state)
    gaps = np.diff(days)
    if len(gaps) < FEWEST_GAPS:
        return None
    end = SalesEnd(as_day(int(days[-1])), int(np.quantile(gaps, USUAL_GAPS, method="higher")))
    return None if end.covers(state.today - timedelta(days=1)) else end
