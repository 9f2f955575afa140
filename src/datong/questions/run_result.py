"""A run as it is handed out and kept: its tables by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from datong.model.settings import ChainSettings
from datong.questions.frames import Frame


@dataclass(frozen=True, eq=False)
class RunResult:
    """One run: its id, its moment, and its tables by name.

    `tables` holds every table of the run as Arrow; the properties give the main ones as a Frame, which prints well and
    turns into pandas or polars. Units are base units of the product, money is in `settings.currency`.
    """

    run: str
    as_of: datetime
    settings: ChainSettings
    tables: Mapping[str, pa.Table]

    def __repr__(self) -> str:
        moment = self.as_of.astimezone(self.settings.calendar.zone)
        cost = self.tables["certificate"]["total_cost"][0].as_py()
        return (
            f"{self.run}: {self.settings.name} as of {moment:%Y-%m-%d %H:%M}, {len(self.orders)} orders,"
            f" {cost:,.0f} {self.settings.currency}; tables: {', '.join(self.tables)}"
        )

    @property
    def series(self) -> Frame:
        """Demand by item and closed bucket, in units, and whether the item was on sale."""
        return Frame("series", self.tables["series"])

    @property
    def signals(self) -> Frame:
        """What changed, with strength and evidence."""
        return Frame("signals", self.tables["signals"])

    @property
    def forecast(self) -> Frame:
        """Mean and quantiles of demand by item and open bucket, in units, and how they were made."""
        return Frame("forecast", self.tables["forecast"])

    @property
    def demand(self) -> Frame:
        """What is already ordered or given for the open buckets."""
        return Frame("demand", self.tables["demand"])

    @property
    def clearing(self) -> Frame:
        """What the orders make, buy and move, by day of start, in units that arrive."""
        return Frame("clearing", self.tables["clearing"])

    @property
    def prices(self) -> Frame:
        """What one more hour of a line, or unit of a stock, offer or component, would save, in money."""
        return Frame("prices", self.tables["prices"])

    @property
    def gaps(self) -> Frame:
        """Demand by product and bucket in units: served, late, lost, and what stands in the way."""
        return Frame("gaps", self.tables["gaps"])

    @property
    def deliveries(self) -> Frame:
        """Who is served when, and who is refused, request by request, in units."""
        return Frame("deliveries", self.tables["deliveries"])

    @property
    def flow(self) -> Frame:
        """Units of every product, site and bucket: opening, made, received, moved, used, delivered, closing."""
        return Frame("flow", self.tables["flow"])

    @property
    def hours(self) -> Frame:
        """Hours of every line and bucket: run, set-up, under way, free, available, and the part that is overtime."""
        return Frame("hours", self.tables["hours"])

    @property
    def cost(self) -> Frame:
        """Cost of the plan in money, by term."""
        return Frame("cost", self.tables["cost"])

    @property
    def orders(self) -> Frame:
        """Proposed work and purchase orders, with cost and value (what leaving the order out would cost), in money."""
        return Frame("orders", self.tables["orders"])

    @property
    def reasons(self) -> Frame:
        """Causes of each order by rank, with the ids of the rows behind them. `chain.why(order)` gives them for one."""
        return Frame("reasons", self.tables["reasons"])

    @property
    def since(self) -> Frame:
        """What came and changed since the last plan, what that did to the plan, and what to do this week."""
        return Frame("since", self.tables["since"])

    @property
    def scores(self) -> Frame:
        """What past forecasts and orders turned out to be worth."""
        return Frame("scores", self.tables["scores"])
