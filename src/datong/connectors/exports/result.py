"""What a file was read as: its columns, our tables, questions, and what was left out."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import pyarrow as pa

from datong.connectors.exports.columns import ColumnGuess
from datong.connectors.exports.left_out_counts import LeftOut
from datong.connectors.exports.order_line_keys import LINES, Lines
from datong.connectors.exports.personal import names_people
from datong.connectors.exports.profiles import Profile
from datong.connectors.exports.questions import Question
from datong.connectors.exports.spread_over_days import Spread
from datong.connectors.files.read import RawSource
from datong.model.findings import Finding
from datong.model.words import Message, message, say

# Of all units, from which on what is left out is said beside the list too.
MUCH = 0.1
# Reasons to leave out what is no row of a sale at all.
_NO_SALES = frozenset({"total", "note"})


@dataclass(frozen=True)
class Totals:
    """rows: of the table, those that are left out too. sold, returned: units. holds: SALES, or what else the list is
    of (market_lists/which_list.py). taken: of such a list how many of each kind, in the order in which they are said.
    spread: what of the sales was spread over days; None: nothing. by_measure: what was sold
    by what it is counted in, '' for pieces, where that is not one thing alone."""

    rows: int = 0
    sold: float = 0.0
    returned: float = 0.0
    holds: str = "sales"
    taken: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    spread: Spread | None = None
    by_measure: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    def said(self, language: str) -> Message:
        """How much was read, in words."""
        rows = f"{self.rows:,}"
        if self.holds == "sales":
            units = {"sold": f"{self.sold:,.10g}", "returned": f"{self.returned:,.10g}"}
            if not self.by_measure:
                return message("export.read_sales", rows=rows, **units)
            kinds = [
                say(f"export.of_{'measure' if m else 'pieces'}", language, count=f"{n:,.10g}", measure=m)
                for m, n in self.by_measure.items()
            ]
            told = say("heard.and", language).join(kinds)
            return message("export.read_sales_of", rows=rows, measures=told, **units)
        kinds = (say(f"heard.taken_{kind}", language, count=f"{n:,.10g}") for kind, n in self.taken.items())
        return message("export.read_market_list", rows=rows, taken=say("heard.and", language).join(kinds))


@dataclass(frozen=True, eq=False)
class Reading:
    """How a file is read. columns: what each field is taken from. missing: required fields that no column fits.

    parts: our tables by name, in `__row__` order, typed. questions: what has no answer yet; until then the parts are a
    guess that nobody should use. used: answers that decided something. left: rows that are left out, and why. zone:
    IANA name, where the file's moments have offsets. lines: those that its rows are, the rows too that are no
    sale (order_line_keys.py). names: of all columns. profile: of
    the platform whose export it is, where one is recognised. currency: ISO code, of its prices, where they tell one.
    """

    name: str
    columns: tuple[ColumnGuess, ...]
    missing: tuple[str, ...] = ()
    parts: tuple[tuple[str, RawSource], ...] = ()
    questions: tuple[Question, ...] = ()
    used: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    notes: tuple[Message, ...] = ()
    left: tuple[LeftOut, ...] = ()
    totals: Totals = Totals()
    zone: str | None = None
    lines: Lines = field(default_factory=Lines)
    names: tuple[str, ...] = ()
    profile: Profile | None = None
    currency: str | None = None

    @property
    def holds(self) -> str:
        return self.totals.holds

    @property
    def rows(self) -> int:
        return self.totals.rows

    @property
    def sold(self) -> float:
        return self.totals.sold

    @property
    def returned(self) -> float:
        return self.totals.returned

    @property
    def kept(self) -> dict[str, str]:
        """Answers to be kept with the chain, and what its next export has to know."""
        return dict(self.used) | ({LINES: self.lines.kind} if self.lines.kind else {})

    def part(self, table: str) -> pa.Table | None:
        return next((source.rows for name, source in self.parts if name == table), None)

    def column(self, wanted: str) -> str | None:
        return next((c.column for c in self.columns if c.field == wanted), None)

    def records(self, language: str) -> list[dict[str, str]]:
        """What each field is taken from, in a line each, for a person."""
        has_people = names_people(self.names)
        return [guess.record(language, has_people) for guess in self.columns]

    def much_left_out(self, language: str) -> str:
        """What is left out of the units and why, where it is much of them; else ''."""
        left = [part for part in self.left if part.units]
        units = sum(part.units or 0.0 for part in left)
        whole = self.sold + units
        if self.holds != "sales" or units < MUCH * whole or not units:
            return ""
        why = say("export.and", language).join(part.text(language) for part in left)
        words = {"all": f"{whole:,.10g}", "units": f"{units:,.10g}", "share": f"{units / whole:.0%}"}
        return say("order_list.left_out", language, file=self.name, why=why, **words)

    def last_line(self, language: str) -> str:
        """How much was read, what was left out and why, and what is assumed of what came back. Sums and notes are no
        rows of sales."""
        besides = sum(part.rows for part in self.left if part.reason in _NO_SALES) if self.holds == "sales" else 0
        read = replace(self.totals, rows=self.rows - besides).said(language)
        back = say("export.back", language) if self.returned else ""
        back += "" if self.totals.spread is None else self.totals.spread.said().text(language)
        if not self.left:
            return say("export.all_read", language, read=read) + back
        why = say("export.and", language).join(part.text(language) for part in self.left)
        return say("export.left_out", language, why=why, read=read) + back
