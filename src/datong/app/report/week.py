"""What to do this week, in three sentences: what to start, buy and send; what is late for whom; what stands in the way."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datong.app.report import figures
from datong.app.report.inputs import ReportInputs
from datong.app.report.late import late_rows, most_important
from datong.app.report.names import PIECE, Names
from datong.app.report.orders import of_this_week, order_rows
from datong.app.report.totals import LEAST_SHORT, binding_units, gap_sum, gap_totals
from datong.model.words import say

Row = dict[str, Any]

# So many are named in a sentence.
NAMED = 3
KINDS = ("make", "buy", "move")


def this_week(inputs: ReportInputs, language: str) -> list[str]:
    """The three sentences."""
    words = _Words(inputs, language)
    total = gap_sum(gap_totals(inputs.tables["gaps"], "product"))
    return [words.to_do(), words.what_is_late(total), words.in_the_way(total)]


class _Words:
    def __init__(self, inputs: ReportInputs, language: str) -> None:
        self.inputs, self.language = inputs, language
        self.names = Names(inputs.tables)
        self.expected = inputs.futures > 1

    def say(self, key: str, **params: Any) -> str:
        return say(f"report.week.{key}", self.language, **params)

    def when(self, bucket: date) -> str:
        weeks = self.inputs.settings.bucket == "week"
        return say("plan.week" if weeks else "plan.day", self.language, day=bucket)

    def amount(self, units: float, product: str) -> str:
        unit = self.names.unit(product)
        return figures.fitting(units) + ("" if unit == PIECE else f" {unit}")

    # what to do ----------------------------------------------------------------------------------

    def to_do(self) -> str:
        rows = order_rows(self.inputs)
        after = self.inputs.after_this_week
        now = of_this_week(rows, after)
        days = {"first": after - timedelta(days=7), "last": after - timedelta(days=1)}
        if not now:
            if not rows:
                return self.say("no_orders", **days)
            return self.say("nothing_now", order=self.order(rows[0]), start=rows[0]["start"], **days)
        kinds = [(kind, sum(r["kind"] == kind for r in now)) for kind in KINDS]
        actions = [self.say(f"{kind}_one" if n == 1 else kind, count=figures.number(n)) for kind, n in kinds if n]
        key = "do" if len(now) > NAMED else "do_all"
        return self.say(key, actions=self.say("list").join(actions), orders=self.most_urgent(now), **days)

    def most_urgent(self, now: Sequence[Row]) -> str:
        return self.say("next").join(self.order(r) for r in now[:NAMED])

    def order(self, row: Row) -> str:
        days = (row["due"] - row["needed_by"]).days
        return self.say(
            "order_late" if days > 0 else "order",
            order=row["order"],
            amount=self.amount(row["units"], row["product"]),
            product=self.names.called(row["product"]),
            due=row["due"],
            needed=row["needed_by"],
        )

    # what is late --------------------------------------------------------------------------------

    def what_is_late(self, total: Row) -> str:
        units = {name: figures.fitting(total[f"{name}_units"]) for name in ("demand", "late", "lost")}
        suffix = "_expected" if self.expected else ""
        if total["demand_units"] <= 0:
            return self.say("no_demand")
        if total["late_units"] + total["lost_units"] < LEAST_SHORT:
            return self.say(f"all_on_time{suffix}", demand=units["demand"])
        rows = [r for r in late_rows(self.inputs) if r["product"] is not None]
        rows.sort(key=(lambda r: (-r["units"], *most_important(r))) if self.expected else most_important)
        if not rows:
            return self.say(f"little_late{suffix}", **units)
        who = self.say("next").join(self.late(r) for r in rows[:NAMED])
        key = "late" if len(rows) > NAMED else "late_all"
        return self.say(f"{key}{suffix}", who=who, **units)

    def late(self, row: Row) -> str:
        what = {"amount": self.amount(row["units"], row["product"]), "product": self.names.called(row["product"])}
        if row["demand"] is None and row["due"] is None:
            market = "" if row["market"] in (None, "", "all") else self.say("in_market", market=row["market"])
            return self.say(f"expected_{row['service']}", when=self.when(row["due_in"]), market=market, **what)
        then = self.when(row["served_in"]) if row["served_in"] else ""
        return self.say(f"request_{row['service']}", demand=row["demand"] or "–", due=row["due"], when=then, **what)

    # what stands in the way ----------------------------------------------------------------------

    def in_the_way(self, total: Row) -> str:
        short = total["late_units"] + total["lost_units"]
        if short < LEAST_SHORT:
            return self.fullest()
        gaps = self.inputs.tables["gaps"]
        parts = [self.binding(r) for r in binding_units(gaps) if r["units"] >= LEAST_SHORT][:NAMED]
        parts += self.without_binding(gaps)
        if not parts:
            return self.say("little_in_the_way")
        return self.say("in_the_way", causes=self.say("next").join(parts))

    def binding(self, found: Row) -> str:
        """One scarce thing: how many units it keeps from being on time, and where it is short first."""
        gaps = self.inputs.tables["gaps"]
        rows = gaps.filter(pc.and_(pc.equal(gaps["binding"], found["binding"]), pc.is_valid(gaps["needed_amount"])))
        rows = rows.sort_by("binding_bucket").slice(0, 1).to_pylist()
        what = {"name": self.names.thing(found["binding"], found["unit"]), "units": figures.fitting(found["units"])}
        if not rows:
            return self.say("binding", **what)
        amount, when = figures.fitting(rows[0]["needed_amount"]), self.when(rows[0]["binding_bucket"])
        key = "binding_hours" if rows[0]["needed_unit"] == "hour" else "binding_units"
        return self.say(key, amount=amount, when=when, **what)

    def without_binding(self, gaps: pa.Table) -> list[str]:
        """What nothing scarce keeps from being on time: nothing ordered now would be there, or it is not worth it."""
        short = pc.add(gaps["late_units"], gaps["lost_units"])
        unbound = pc.equal(pc.fill_null(gaps["binding"], ""), "")
        parts = []
        for key, told in (("no_time", pc.is_null(gaps["binding_bucket"])), ("dearer", pc.is_valid(gaps["binding_bucket"]))):
            units = pc.sum(short.filter(pc.and_(unbound, told))).as_py() or 0.0
            if units >= LEAST_SHORT:
                suffix = "_expected" if self.expected else ""
                parts.append(self.say(f"{key}{suffix}", units=figures.fitting(units)))
        return parts

    def fullest(self) -> str:
        hours = self.inputs.tables["hours"]
        by = hours.group_by("line", use_threads=False).aggregate([("free_hours", "sum"), ("available_hours", "sum")])
        shares = [
            (1 - r["free_hours_sum"] / r["available_hours_sum"], r["line"])
            for r in by.to_pylist()
            if r["available_hours_sum"] > 0
        ]
        if not shares:
            return self.say("nothing_in_the_way")
        share, line = min(shares, key=lambda s: (-s[0], s[1]))
        return self.say("fullest", line=line, share=figures.share(share, 0))
