"""The order list as a person reads it: a row of texts or figures for each product."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

from datong.app.wording import figures
from datong.app.wording.report_inputs import ReportInputs
from datong.connectors.exports.vocabulary import may_be_no_goods
from datong.model.fractional_units import PIECE
from datong.model.words import say
from datong.questions.order_list import pace
from datong.questions.tables_out import kept_findings

Row = Mapping[str, Any]
# Before a product in the answers of a chain: `goods:GC=yes`.
GOODS = "goods:"
# So many days after a bucket its export may still be the newest: it is taken out when somebody comes to it.
MOST_DAYS_LATE = 2
# Notices of what the list rests on.
_SUMS_OF_MONTHS = ("monthly_sales", "spread_sales")


@dataclass(frozen=True, eq=False)
class OrderList:
    """What to order, the most urgent first. goods: products that somebody has answered for: they are goods. returned:
    units that came back and are not known to be fit for sale again. today: by the clock of the world, None where nobody
    says. left_out: what of the last export is not counted, where that is much."""

    inputs: ReportInputs
    language: str
    goods: frozenset[str] = frozenset()
    returned: float = 0.0
    today: date | None = None
    left_out: str = ""

    @property
    def rows(self) -> list[Row]:
        return self._parted[0]

    @property
    def apart(self) -> list[Row]:
        """Products that may be nothing to order: by their name, or since they have no price above 0."""
        return self._parted[1]

    @cached_property
    def _parted(self) -> tuple[list[Row], list[Row]]:
        """Rows of the list, and those that stand apart from it."""
        parted: tuple[list[Row], list[Row]] = ([], [])
        for row in self.inputs.tables["order_list"].to_pylist():
            parted[self._in_doubt(row)].append(row)
        return parted

    def _in_doubt(self, row: Row) -> bool:
        return row["product"] not in self.goods and bool(row["free"] or may_be_no_goods(row["name"] or row["product"]))

    def apart_notes(self) -> list[str]:
        """A line for each product that stands apart, with why, what the plan orders of it, and the answer that puts it
        into the list."""
        told = [say("order_list.apart", self.language, count=figures.number(len(self.apart)))] if self.apart else []
        for row in self.apart:
            why = say("order_list.apart_free" if row["free"] else "order_list.apart_name", self.language)
            answer = shlex.quote(f"{GOODS}{row['product']}=yes")
            words = {"product": self.called(row), "units": self.in_unit(row, row["order_units"]), "why": why}
            told.append(say("order_list.apart_row", self.language, **words, answer=answer))
        return told

    @cached_property
    def wanted(self) -> list[Row]:
        """Products that are ordered now."""
        return [row for row in self.rows if row["order_units"] > 0]

    @cached_property
    def uncounted(self) -> list[Row]:
        return [row for row in self.rows if not row["counted"]]

    @cached_property
    def _is_any_under_way(self) -> bool:
        return any(row["under_way_units"] > 0 for row in self.rows)

    def title(self) -> str:
        day = self.inputs.as_of.astimezone(self.inputs.settings.calendar.zone).date()
        words = {"orders": figures.number(len(self.wanted)), "products": figures.number(len(self.rows))}
        return say("order_list.title", self.language, name=self.inputs.settings.name, day=day, **words)

    def notes(self) -> list[str]:
        """What the list rests on."""
        lead = self.inputs.settings.defaults.offer_lead_days
        told = [say("order_list.chance", self.language), say("order_list.assumes", self.language, lead=lead)]
        if self.uncounted:
            words = {"count": figures.number(len(self.uncounted)), "products": figures.number(len(self.rows))}
            told.insert(0, say("order_list.assumes_nothing", self.language, **words))
        if arrived := sum(row["on_hand_units"] > 0 for row in self.uncounted):
            told.insert(1, say("order_list.as_arrived", self.language, count=figures.number(arrived)))
        if (stale := self._ends_before()) is not None:
            told.insert(0, stale)
        monthly = [f for f in kept_findings(self.inputs.tables, "notices") if f.code in _SUMS_OF_MONTHS]
        told[:0] = [found.found.text(self.language) for found in monthly]
        calendar, first = self.inputs.settings.calendar, min(self.inputs.starts)
        then = calendar.shift(first, 1)
        if self.wanted and calendar.midnight(first) < self.inputs.as_of < calendar.midnight(then):
            last = then - timedelta(days=1)
            told.append(say("order_list.until_next", self.language, first=first, last=last, then=then))
        if self.returned:
            told.append(say("order_list.returned", self.language, units=figures.fitting(self.returned)))
        return told

    def _ends_before(self) -> str | None:
        """That the records end before the last bucket that is over, if they do: an export that somebody found again."""
        calendar = self.inputs.settings.calendar
        last = calendar.local_date(self.inputs.as_of - timedelta(microseconds=1))
        if self.today is None or (self.today - last).days <= calendar.bucket_days + MOST_DAYS_LATE:
            return None
        days = figures.number((self.today - last).days)
        return say("order_list.ends_before", self.language, last=last, days=days, today=self.today)

    def remark(self, row: Row) -> str:
        """What a row rests on that the others do not; '' for nothing."""
        return say("order_list.borrowed", self.language) if row["borrowed"] else ""

    def called(self, row: Row) -> str:
        """'Mountain bike (MTB)'; the code alone where there is no name."""
        name = row["name"]
        return f"{name} ({row['product']})" if name and name != row["product"] else row["product"]

    def in_unit(self, row: Row, units: float) -> str:
        unit = row["base_unit"] or PIECE
        return figures.fitting(units) + ("" if unit == PIECE else f" {unit}")

    def in_stock(self, row: Row) -> str:
        if row["counted"]:
            return self.in_unit(row, row["on_hand_units"])
        if row["on_hand_units"] > 0:
            units = self.in_unit(row, row["on_hand_units"])
            return say("order_list.of_what_came", self.language, units=units)
        return say("order_list.uncounted", self.language)

    def lasts(self, row: Row) -> str:
        if row["counted"] and row["on_hand_units"] <= 0:
            return self._out_now(row)
        if row["lasts_beyond"]:
            return say("order_list.beyond", self.language, day=self.inputs.last_day)
        last: date = row["lasts_until"]
        return say("order_list.gone", self.language) if last < min(self.inputs.starts) else str(last)

    def _out_now(self, row: Row) -> str:
        """Of a product that is counted and not there: what comes lasts from when it comes."""
        last = self.inputs.last_day if row["lasts_beyond"] else row["lasts_until"]
        if row["under_way_units"] + row["order_units"] <= 0 or last < min(self.inputs.starts):
            return say("order_list.gone", self.language)
        return say("order_list.gone_till", self.language, day=last)

    def texts(self, row: Row) -> list[str]:
        """Under the headers of `heads`."""
        under_way = [self.in_unit(row, row["under_way_units"])] if self._is_any_under_way else []
        return [
            self.called(row) + (f" – {remark}" if (remark := self.remark(row)) else ""),
            self.in_stock(row),
            *under_way,
            self.in_unit(row, row["week_units"]),
            self.in_unit(row, row["order_units"]),
            self.lasts(row),
            figures.share(row["short_chance"], 0),
        ]

    def heads(self) -> list[tuple[str, bool]]:
        """Titles, and whether the column holds numbers. What is under way has one where anything is."""
        under_way = ["under_way"] if self._is_any_under_way else []
        keys = ["product", "in_stock", *under_way, "a_week", "order_now", "lasts_until", "risk"]
        return [(self.head(key), key not in ("product", "lasts_until")) for key in keys]

    def head(self, key: str) -> str:
        """Title of a column; what a product sells a week says over which weeks."""
        calendar, starts = self.inputs.settings.calendar, self.inputs.starts
        days = len(starts[pace(starts, calendar.local_date(self.inputs.as_of), calendar.bucket_days)])
        words = {"weeks": figures.number(days * calendar.bucket_days / 7)} if key == "a_week" else {}
        return say(f"order_list.{key}", self.language, **words)
