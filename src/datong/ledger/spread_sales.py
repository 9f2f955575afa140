"""Sales whose days are assumed: months, or other stretches of days, that were spread evenly over their days."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from datong.model.calendar import Calendar
from datong.model.findings import Finding, finding
from datong.model.words import shown

# What is read of sales.
READ = ("happened_at", "units", "assumed")


@dataclass(frozen=True)
class SpreadSales:
    """rows: of a day each. units: sold. first, last: days, None where there are no rows."""

    rows: int = 0
    units: float = 0.0
    first: date | None = None
    last: date | None = None

    def and_of(self, sales: pa.Table, calendar: Calendar) -> "SpreadSales":
        """With those of further rows of sales."""
        if not set(READ) <= set(sales.column_names):
            return self
        spread = sales.filter(pc.fill_null(pc.match_substring(sales["assumed"], "happened_at"), False))
        if not spread.num_rows:
            return self
        ends = pc.min_max(spread["happened_at"]).as_py()
        first, last = (calendar.local_date(ends[end]) for end in ("min", "max"))
        return SpreadSales(
            self.rows + spread.num_rows,
            self.units + (pc.sum(spread["units"]).as_py() or 0.0),
            first if self.first is None else min(first, self.first),
            last if self.last is None else max(last, self.last),
        )

    def told(self) -> tuple[Finding, ...]:
        """Nothing where there are none."""
        if not self.rows:
            return ()
        found = finding(
            "warning", "notice.spread_sales", "sales", rows_affected=self.rows,
            rows=f"{self.rows:,}", units=shown(self.units), first=self.first, last=self.last,
        )  # fmt: skip
        return (found,)


def spread_sales(parts: Iterable[pa.Table], calendar: Calendar) -> SpreadSales:
    found = SpreadSales()
    for sales in parts:
        found = found.and_of(sales, calendar)
    return found
