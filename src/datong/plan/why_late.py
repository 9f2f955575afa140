"""Why what an order is for comes late: what the table `gaps` says of it, as the sheet Late does; then what of the line,
and of what the order takes, stands in the way until it is made."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import pyarrow.compute as pc

from datong.ledger.columns import tuples
from datong.ledger.products_held_back import held_back, lacking
from datong.ledger.state import State
from datong.model.flow import Cause, Clearing
from datong.model.late_causes import LateCause, cause_of, lacks, no_time_words, short_together
from datong.model.words import Message, message, shown
from datong.plan.order_words import MOST_ROWS, OrderWords
from datong.plan.pegging import Peg, bucket_of

Row = Mapping[str, Any]

# Columns of `gaps` that tell why; the first three name a row.
_NAMES = ("product", "market", "bucket")
COLUMNS = (
    *_NAMES,
    "binding",
    "binding_bucket",
    "needed_unit",
    "kept_for",
    "soonest_start",
    "soonest_days",
    "soonest_through",
    "short_too",
    "fenced_until",
)


# Kinds of what keeps something from being there sooner that would else pay.
WAITS = ("kept", "sent", "scarce", "no_time")


@dataclass(frozen=True)
class LateFor:
    """What stands in the way of some of what an order is for."""

    kind: LateCause
    # What it says.
    text: Message
    # Of a line that has too few hours: its name, and the bucket in which it has (index); None of anything else.
    line: tuple[str, int] | None
    pegs: tuple[Peg, ...]
    # Rows of `gaps`.
    evidence: tuple[str, ...]

    @property
    def waits(self) -> bool:
        """Whether something keeps it from being there sooner that would else pay."""
        return self.kind in WAITS

    @property
    def cause(self) -> Cause:
        return Cause("balance", self.text, "gaps", self.evidence[:MOST_ROWS])


class WhyLate:
    """What stands in the way of what is late, of one plan."""

    def __init__(self, state: State, clearing: Clearing, words: OrderWords) -> None:
        self.state, self.gaps, self.words = state, clearing.gaps, words

    @cached_property
    def rows(self) -> dict[tuple[str, str, date], tuple[Any, ...]]:
        """Rows of `gaps` with anything late or lost, of the columns COLUMNS, by product, market and bucket."""
        short = self.gaps.filter(pc.greater(pc.add(self.gaps["late_units"], self.gaps["lost_units"]), 0.0))
        return {row[:3]: row for row in tuples(short, *COLUMNS)}

    @cached_property
    def lacked(self) -> dict[str, str]:
        """By product that waits for one that is held back, that one."""
        held = lacking(self.state, held_back(self.state, self.words.starts))
        bound = {row[0] for row in self.rows.values() if row[COLUMNS.index("binding")]} if held else set()
        found = {product: lacks(product, held, bound) for product in held}
        return {product: one for product, one in found.items() if one is not None}

    def of(self, pegs: Sequence[Peg]) -> list[LateFor]:
        """What stands in the way of those of the uses that come late, those with the same together. Of expected demand
        that it does not pay to have ready nothing is told."""
        groups: dict[tuple[Any, ...], list[tuple[Peg, Row]]] = defaultdict(list)
        for peg in pegs:
            row = self._row(peg)
            if row is None:
                continue
            kind, name = cause_of(row)
            if peg.use.kind == "request" or kind in WAITS:
                short = (name, *short_together(row))
                key = (self.lacked.get(row["product"]), kind, short, row["binding_bucket"], row["kept_for"])
                groups[key].append((peg, row))
        return [self._late_for(own) for own in groups.values()]

    def _row(self, peg: Peg) -> Row | None:
        """What `gaps` says of a use, with the days by which this one is late; None of one that is on time."""
        use, starts = peg.use, self.words.starts
        if not use.late or use.item is None:
            return None
        due_in = bucket_of(use.due, starts)
        row = self.rows.get((use.item.product, use.item.market, due_in))
        if row is None:
            return None
        return dict(zip(COLUMNS, row, strict=True)) | {"needed_days": (starts[use.bucket] - due_in).days}

    def _late_for(self, own: Sequence[tuple[Peg, Row]]) -> LateFor:
        row = own[0][1]
        kind, name = cause_of(row)
        line = None
        if held := self.lacked.get(row["product"]):
            why = message("report.gap.held", name=self.words.called(held))
        elif kind in ("kept", "sent"):
            why = message(f"report.gap.{kind}", who=row["kept_for"])
        elif kind == "scarce":
            line, why = self._scarce(name, row)
            for other in short_together(row):
                why = message("plan.why_late.short_too", why=why, name=self.words.thing(other))
        elif kind == "was_due":
            why = message("plan.why_late.was_due")
        elif kind == "no_time":
            why = no_time_words(row, self.words.unit)
        else:
            why = message("report.gap.no_binding")
        whom = self.words.listed([self._whom(peg) for peg, _ in own])
        evidence = dict.fromkeys(f"{r['product']}|{r['market']}|{r['bucket']}" for _, r in own)
        text = message("plan.cause.late", whom=whom, why=why)
        return LateFor(kind, text, line, tuple(peg for peg, _ in own), tuple(evidence))

    def _whom(self, peg: Peg) -> Message:
        use = peg.use
        if use.kind == "request":
            return message("plan.late_request", name=use.name or "-", units=shown(peg.units))
        return message(
            "plan.late_expected", units=shown(peg.units), when=self.words.named(bucket_of(use.due, self.words.starts))
        )

    def _scarce(self, name: str, row: Row) -> tuple[tuple[str, int] | None, Message]:
        """Of a scarce line: it, and what of its hours is left; of a material or an offer, that it is short."""
        when = self.words.named(row["binding_bucket"])
        bucket = self.words.at[row["binding_bucket"]]
        hours = self.words.lines.get((name, bucket))
        is_line = row["needed_unit"] == "hour" or (row["needed_unit"] is None and name not in self.words.names)
        if hours is None or not is_line:
            words = {"name": self.words.thing(name), "when": when}
            if row["fenced_until"] is not None:
                return None, message("plan.why_late.fenced", **words, until=row["fenced_until"])
            return None, message("plan.why_late.short", **words)
        kind = "shut" if self.words.is_shut(name, bucket) else "full" if self.words.is_full(name, bucket) else "few"
        figures = {"hours": shown(hours["available"]), "used": shown(hours["used"])}
        figures["free"] = shown(self.words.free(name, bucket))
        overtime = shown(self.words.overtime(name, bucket))
        if kind == "few" and overtime:
            kind, figures = "few_overtime", figures | {"overtime": overtime}
        return (name, bucket), message(f"plan.why_late.{kind}", line=name, when=when, **figures)
