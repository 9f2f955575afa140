"""A run as it is handed out and kept: its tables by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from datong.model.settings import ChainSettings
from datong.model.words import say
from datong.questions.plotted import by_worth, plot_run
from datong.questions.result_table import Frame
from datong.shown.tables import html_table

if TYPE_CHECKING:
    from datong.shown.plots import Axes


@dataclass(frozen=True, eq=False)
class RunResult:
    """One run: its id, its moment, and its tables by name.

    `tables` holds every table of the run as Arrow; the properties give the main ones as a Frame, which prints well and
    turns into pandas or polars. Units are base units of the product, money is in `settings.currency`.
    language: 'en' or 'zh', in which it shows itself.
    """

    run: str
    as_of: datetime
    settings: ChainSettings
    tables: Mapping[str, pa.Table]
    language: str = "en"

    def __repr__(self) -> str:
        """One line: what it is, and which tables it has."""
        return f"{self._title()}; {say('shown.tables', self.language, tables=', '.join(self.tables))}"

    def _repr_html_(self) -> str:
        """The orders that are worth most."""
        names = ("order", "kind", "product", "units", "start", "due", "cost", "value")
        rows = by_worth(self.orders.arrow.select(names).to_pylist())
        note = say("shown.tables", self.language, tables=", ".join(self.tables))
        return html_table(self._title(), rows, self.language, [note])

    def plot(self, what: str = "forecast", product: str | None = None, axes: "Axes | None" = None) -> "Axes":
        """Draws 'forecast' (history, and what is expected with its interval), 'stock' (as planned, and what comes and
        goes) or 'orders'. product: None: the one with the most expected demand; of orders, all.

        Gives matplotlib's axes. Raises NotFound where matplotlib is not installed, or the product is not there.
        """
        return plot_run(self.tables, what, self.settings.name, product, self.language, axes)

    def _title(self) -> str:
        moment = self.as_of.astimezone(self.settings.calendar.zone)
        cost = f"{self.tables['certificate']['total_cost'][0].as_py():,.0f}"
        words = {"name": self.settings.name, "as_of": f"{moment:%Y-%m-%d %H:%M}", "currency": self.settings.currency}
        return say("shown.run", self.language, run=self.run, orders=len(self.orders), cost=cost, **words)

    def _frame(self, name: str) -> Frame:
        return Frame(name, self.tables[name], self.language)

    @property
    def series(self) -> Frame:
        """Demand by item and closed bucket, in units, and whether the item was on sale."""
        return self._frame("series")

    @property
    def signals(self) -> Frame:
        """What changed, with strength and evidence."""
        return self._frame("signals")

    @property
    def forecast(self) -> Frame:
        """Mean and quantiles of demand by item and open bucket, in units, and how they were made."""
        return self._frame("forecast")

    @property
    def demand(self) -> Frame:
        """What is already ordered or given for the open buckets."""
        return self._frame("demand")

    @property
    def clearing(self) -> Frame:
        """What the orders make, buy and move, by day of start, in units that arrive."""
        return self._frame("clearing")

    @property
    def prices(self) -> Frame:
        """What one more hour of a line, or unit of a stock, offer or component, would save, in money."""
        return self._frame("prices")

    @property
    def gaps(self) -> Frame:
        """Demand by product and bucket in units: served, late, lost, and what stands in the way."""
        return self._frame("gaps")

    @property
    def deliveries(self) -> Frame:
        """Who is served when, and who is refused, request by request, in units."""
        return self._frame("deliveries")

    @property
    def flow(self) -> Frame:
        """Units of every product, site and bucket: opening, made, received, moved, used, delivered, closing."""
        return self._frame("flow")

    @property
    def hours(self) -> Frame:
        """Hours of every line and bucket: run, set-up, under way, free, available, and the part that is overtime."""
        return self._frame("hours")

    @property
    def cost(self) -> Frame:
        """Cost of the plan in money, by term."""
        return self._frame("cost")

    @property
    def orders(self) -> Frame:
        """Proposed work and purchase orders, with cost and value (what leaving the order out would cost), in money."""
        return self._frame("orders")

    @property
    def reasons(self) -> Frame:
        """Causes of each order by rank, with the ids of the rows behind them. `chain.why(order)` gives them for one."""
        return self._frame("reasons")

    @property
    def since(self) -> Frame:
        """What came and changed since the last plan, what that did to the plan, and what to do this week."""
        return self._frame("since")

    @property
    def scores(self) -> Frame:
        """What past forecasts and orders turned out to be worth."""
        return self._frame("scores")
