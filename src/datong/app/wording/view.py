"""A run as one reader sees it: what every page, sheet and sentence is made of, worked out once."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import pyarrow as pa

from datong.app.wording import figures
from datong.app.wording.late import cause_words, late_rows, main_causes
from datong.app.wording.names import Names
from datong.app.wording.product_by_week import Block, grid
from datong.app.wording.proposed_orders import of_this_week, order_rows
from datong.app.wording.report_inputs import ReportInputs
from datong.model.fractional_units import PIECE
from datong.model.words import say
from datong.questions.demand_totals import ANY_SHORT, after_day_units, gap_sum, lacking, product_totals
from datong.questions.tables_out import kept_findings, rendered

Row = dict[str, Any]

# What a view works out once that is the same in every language.
_IN_ANY_LANGUAGE = frozenset(
    {"names", "orders", "orders_now", "late_table", "late", "_main_causes", "products", "lacks", "demand", "blocks"}
)


@dataclass(frozen=True, eq=False)
class RunView:
    """The run in a language."""

    inputs: ReportInputs
    language: str

    def in_language(self, language: str) -> "RunView":
        """The same run in another language; what does not depend on it, and was worked out here, is not again."""
        other = RunView(self.inputs, language)
        vars(other).update({name: made for name, made in vars(self).items() if name in _IN_ANY_LANGUAGE})
        return other

    def say(self, key: str, /, **params: Any) -> str:
        """A text of the report."""
        return say(f"report.{key}", self.language, **params)

    def when(self, bucket: date) -> str:
        """'the week of 2026-11-30', or the day."""
        weeks = self.inputs.settings.bucket == "week"
        return say("plan.week" if weeks else "plan.day", self.language, day=bucket)

    def amount(self, units: float, product: str | None) -> str:
        """Units with their unit, where it is not pieces."""
        unit = PIECE if product is None else self.names.unit(product)
        return figures.fitting(units) + ("" if unit == PIECE else f" {unit}")

    @cached_property
    def names(self) -> Names:
        return Names(self.inputs.tables)

    @cached_property
    def orders(self) -> list[Row]:
        """See `order_rows`."""
        return order_rows(self.inputs)

    @cached_property
    def orders_now(self) -> list[Row]:
        """Those of this week, the most urgent first."""
        return of_this_week(self.orders, self.inputs.after_this_week, self.inputs.settings.calendar)

    @cached_property
    def late_table(self) -> pa.Table:
        """See `late_rows`."""
        return late_rows(self.inputs)

    @cached_property
    def late(self) -> list[Row]:
        """The same, row by row."""
        return self.late_table.to_pylist()

    def cause(self, row: Row) -> str:
        """What stands in the way of a row of `late`."""
        return cause_words(row, self.lacks, self.names, self.inputs.settings, self.language)

    def main_cause(self, row: Row) -> str:
        """What stands in the way of most of the late and unserved units of a row of `products`, as its rows of `late`
        say; '' where nothing is late. Of what is late by the day alone, that it is."""
        if row["short_units"] < ANY_SHORT:
            return self.say("late.after_day") if after_day_units(row) >= ANY_SHORT else ""
        found = self._main_causes.get(row["product"])
        if found is None and row["lacks"] is None:
            return self.say("late.cause_small")
        return self.cause(found or {"product": row["product"]})

    @cached_property
    def _main_causes(self) -> dict[str, Row]:
        return main_causes(self.late)

    @cached_property
    def products(self) -> list[Row]:
        """Demand by product: see `product_totals`."""
        return product_totals(self.inputs.tables)

    @cached_property
    def lacks(self) -> dict[str, str]:
        """By product that runs short: the product that is held back and for want of which it does."""
        return lacking(self.products)

    @cached_property
    def demand(self) -> Row:
        """Demand of all products together."""
        return gap_sum(self.products)

    @cached_property
    def blocks(self) -> list[Block]:
        """Product by bucket: see `grid`."""
        return grid(self.inputs.tables, self.inputs.starts)

    @cached_property
    def since(self) -> list[Row] | None:
        """What came and changed since the last plan, the row on that plan first, with `text` in words; None where the
        run does not say."""
        if "since" not in self.inputs.tables:
            return None
        return rendered({"since": self.inputs.tables["since"]}, self.language)["since"].to_pylist()

    @cached_property
    def findings(self) -> list[Row]:
        """What the plan wants a person to know: severity, found, expected, remedy."""
        kept = [kept_findings(self.inputs.tables, name) for name in ("findings", "left_out", "notices")]
        return [f.as_record(self.language) for told in kept for f in told]

    @cached_property
    def counted_on(self) -> list[str]:
        """What the plan counts on, or reads otherwise than it may seem, in words."""
        return [f.found.text(self.language) for f in kept_findings(self.inputs.tables, "notices")]

    @cached_property
    def certificate(self) -> Row:
        return self.inputs.tables["certificate"].to_pylist()[0]
