"""What a report is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from datong.model.settings import ChainSettings

if TYPE_CHECKING:  # it imports every stage
    from datong.questions.market_findings_shown import MarketShown


class Assumed(NamedTuple):
    """A column of the chain's tables whose values, or some of them, are assumed. derivation: how, or ''."""

    table: str
    column: str
    rows: int
    derivation: str


@dataclass(frozen=True, eq=False)
class ReportInputs:
    """tables: those that a run keeps. replay: by_bucket, by_product and summary of a replay, or nothing. market: what
    the market says; None where that was not looked at."""

    tables: Mapping[str, pa.Table]
    settings: ChainSettings
    as_of: datetime
    replay: Mapping[str, pa.Table] = field(default_factory=dict)
    assumed: tuple[Assumed, ...] = ()
    market: "MarketShown | None" = None

    @property
    def starts(self) -> list[date]:
        """First days of the buckets that are planned."""
        return self.tables["forecast_total"]["bucket"].to_pylist()

    @property
    def last_day(self) -> date:
        """Of what is planned."""
        return max(self.starts) + timedelta(days=self.settings.calendar.bucket_days - 1)

    @property
    def after_this_week(self) -> date:
        """The day after the seven with which the plan begins."""
        first = min(self.starts, default=self.as_of.astimezone(self.settings.calendar.zone).date())
        return first + timedelta(days=7)

    @property
    def futures(self) -> int:
        """Over how many possible futures a figure of demand is expected; 1: demand is given."""
        return self.tables["certificate"].to_pylist()[0].get("futures") or 1


# Which input columns a kind of figure rests on.
MONEY = frozenset(
    {
        ("products", "price"),
        ("offers", "price"),
        ("recipes", "cost_per_unit"),
        ("recipes", "setup_cost"),
        ("economics", "holding_cost_per_unit_week"),
        ("economics", "late_cost_per_unit_week"),
        ("economics", "lost_sale_cost_per_unit"),
        ("economics", "salvage_per_unit"),
    }
)
CAPACITY = frozenset(
    {("lines", "hours_per_week"), ("line_calendar", "hours"), ("recipes", "hours_per_unit"), ("recipes", "setup_hours")}
)
SUPPLY = frozenset(
    {("stock", "units"), ("recipes", "lead_days"), ("recipes", "yield_share"), ("offers", "lead_days")}
    | {("recipes", "min_lot_units"), ("recipes", "lot_multiple_units"), ("offers", "units_per_week")}
    | {("production", "good_units"), ("shipments", "units"), ("receipts", "units"), ("components", "units_per_unit")}
)
DEMAND = frozenset({("sales", "units"), ("demand", "units"), ("sales", "happened_at"), ("stock", "available")})
PLAN = CAPACITY | SUPPLY | DEMAND | MONEY


def resting_on(inputs: ReportInputs, columns: frozenset[tuple[str, str]]) -> tuple[str, ...]:
    """Names of the assumed columns among `columns`, as 'table.column'; empty where all of them were measured."""
    return tuple(f"{a.table}.{a.column}" for a in inputs.assumed if (a.table, a.column) in columns)
