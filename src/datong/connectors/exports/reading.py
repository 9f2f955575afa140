"""A sales export as products, sales and returns: its table, columns, numbers, dates, codes and states, one after the
other, each by the evidence of the whole file. What is not sure is a question; what is left out is counted."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports import meaning
from datong.connectors.exports.cells import Cells
from datong.connectors.exports.codes import read_codes, without_placeholders
from datong.connectors.exports.columns import REQUIRED, Choice, ColumnGuess, choose_columns, header_score, is_no, is_yes
from datong.connectors.exports.dates import (
    DateColumn,
    Order,
    day_before_month,
    decide_order,
    not_a_day,
    order_said,
    read_dates,
    says_day_before_month,
)
from datong.connectors.exports.evidence import (
    codes_of,
    currencies_in,
    currency_of,
    fits,
    is_line_total,
    mark_of_sum,
    samples_of,
    sign_of,
    span_of,
    sum_text,
    texts_of,
)
from datong.connectors.exports.grid import Grids, read_grids
from datong.connectors.exports.left_out import LeftOut, Rows
from datong.connectors.exports.numbers import MARKS, Mark, NumberColumn, decide_marks, read_numbers
from datong.connectors.exports.order_lines import line_keys, repeated
from datong.connectors.exports.profiles import Profile, as_profiled, built_in, present, recognised
from datong.connectors.exports.questions import Asking, Option, Question
from datong.connectors.exports.refunds import refunded_in_part
from datong.connectors.exports.shape import PERIOD_COLUMN, UNITS_COLUMN, Table
from datong.connectors.exports.sheets import one_table
from datong.connectors.exports.vocabulary import plain, words
from datong.connectors.exports.zones import zone_of
from datong.connectors.files.read import RawSource
from datong.ledger.cells import local_to_utc
from datong.ledger.validate import REJECTED_SCHEMA, ROW, shown
from datong.model.findings import Finding, finding
from datong.model.words import Message, message, say

_NUMBER_FIELDS = ("units", "price", "amount", "cancelled_units", "returned_units", "shipped_units")
_WEEK_WORDS = ("week", "woche", "semaine", "semana", "周", "kw", "wk")
_FEW = 0.01  # of rows or units that are left out without a question
_MOSTLY = 0.8
_NAMED = 0.4  # of a header's score, so that it names a product
_CLEARLY = 0.75  # of a header's words
_AS_CLEARLY = 0.12  # less clear than that: a longer word beside the same one
_CENTS = re.compile(r"\b(?:cents?|pence|centimes|centavos|minor units?|fen)\b|[(\[【]分[)\]】]")
_SCALES = {  # what a header says its numbers are of, in brackets or before a comma's space
    1000: re.compile(r"[(\[【,]\s*(?:in )?(?:['’]?000s?|thousands?|k|tsd\.?|千[件个元]?)\s*(?:$|[)\]】])"),
    10_000: re.compile(r"[(\[【,]\s*万[件个元]?\s*(?:$|[)\]】])"),
}
_BETWEEN_PRODUCTS = (";", "；", "|", "、", "+", ",", "，", "/", "\n")
# Between the first days of the two calendars of spreadsheets.
DAYS_TO_1904 = 1462
# What may be said of markets without being asked: one series a product, or one for each market.
MARKETS, SUMMED, APART = "markets", "summed", "apart"
# Evidence for the order of day and month that a header with DD/MM/YYYY outdoes.
_WEAKER_THAN_HEADER = frozenset({"dots", "other_column", "row_order", "even_steps", "comma_decimals", "unsure"})
# The least share of rows that a column with a value for each group leaves empty, without a question.
_GROUPED_SHARES = {"date": 0.2, "order": 0.2, "product": 0.4}


@dataclass(frozen=True)
class Totals:
    """rows: of the table, those that are left out too. sold, returned: units."""

    rows: int = 0
    sold: float = 0.0
    returned: float = 0.0


@dataclass(frozen=True, eq=False)
class Reading:
    """How a file is read. columns: what each field is taken from. missing: required fields that no column fits.

    parts: our tables by name, in `__row__` order, typed. questions: what has no answer yet; until then the parts are a
    guess that nobody should use. used: answers that decided something. left: rows that are left out, and why.
    zone: IANA name, where the file's moments have offsets. lines: keys of the order lines
    that it speaks of, also of those that are no sale (order_lines.py); None where it tells no orders. names: of all
    columns. profile: of the platform whose export it is, where one is recognised. currency: ISO code, of its prices,
    where they tell one.
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
    lines: pa.Array | None = None
    names: tuple[str, ...] = ()
    profile: Profile | None = None
    currency: str | None = None

    @property
    def rows(self) -> int:
        return self.totals.rows

    @property
    def sold(self) -> float:
        return self.totals.sold

    @property
    def returned(self) -> float:
        return self.totals.returned

    def part(self, table: str) -> pa.Table | None:
        return next((source.rows for name, source in self.parts if name == table), None)

    def column(self, wanted: str) -> str | None:
        return next((c.column for c in self.columns if c.field == wanted), None)

    def last_line(self, language: str) -> str:
        """How much was read, and what was left out and why."""
        total = {"rows": f"{self.rows:,}", "sold": f"{self.sold:,.10g}", "returned": f"{self.returned:,.10g}"}
        if not self.left:
            return say("export.all_read", language, **total)
        why = say("export.and", language).join(part.text(language) for part in self.left)
        return say("export.left_out", language, why=why, **total)


def read_export(
    path: Path,
    answers: Mapping[str, str] = MappingProxyType({}),
    country: str = "",
    known: Mapping[str, str] = MappingProxyType({}),
    profiles: Sequence[Profile] | None = None,
) -> Reading:
    """Read a file as sales. Never raises for what is in it; Refused for an answer that is none of the readings.

    answers: readings by the key of their question. country: ISO code, for the zone of moments with an offset. known:
    the header of each field whose column is known already. profiles: of platforms that may be recognised; None: those
    that come with Datong.
    """
    return read_from(read_grids(path), path.name, answers, country, known, profiles)


def read_from(
    grids: Grids,
    name: str,
    answers: Mapping[str, str] = MappingProxyType({}),
    country: str = "",
    known: Mapping[str, str] = MappingProxyType({}),
    profiles: Sequence[Profile] | None = None,
) -> Reading:
    """The same, of a file whose grids are there."""
    asking = Asking(answers)
    if not grids.grids:
        return Reading(name, (), REQUIRED, findings=grids.findings, notes=grids.notes)
    table, rejected, more = one_table(grids.grids, name, asking)
    profile = recognised(built_in() if profiles is None else profiles, list(table.columns))
    if profile is None:
        _ask_for_file(name, asking)
    else:
        asking.settled = profile.answers
    export = _Export(name, table, asking, country, [*grids.notes, *more], profile)
    export.from_1904 = grids.from_1904
    return export.reading(grids.findings, rejected, known)


class _Export:
    """One table on its way to sales. Each step adds to what is known; `rows` is what is still in."""

    def __init__(
        self,
        name: str,
        table: Table,
        asking: Asking,
        country: str,
        notes: Sequence[Message],
        profile: Profile | None = None,
    ) -> None:
        self.name, self.table, self.asking, self.country, self.profile = name, table, asking, country, profile
        self.notes = [*notes, *table.notes]
        self.findings: list[Finding] = []
        self.columns = dict(table.columns)
        self.rows = Rows(table)
        self.lines: pa.Array | None = None
        self.currency: str | None = None
        self.from_1904 = False
        self.settled: set[str] = set()  # columns of which it was asked what becomes of their gaps

    def reading(self, findings: Sequence[Finding], rejected: pa.Table, known: Mapping[str, str]) -> Reading:
        profile = self.profile
        self._empty_codes()
        fixed = {} if profile is None else profile.fixed(self.columns)
        self.known = {wanted: name for wanted, name in known.items() if name in self.columns}
        fixed |= self.known
        fixed |= {"date": PERIOD_COLUMN, "units": UNITS_COLUMN} if self.table.wide else {}
        if PERIOD_COLUMN in self.columns:
            fixed["date"] = PERIOD_COLUMN
        hidden = set() if profile is None else {*present(profile.ignored, self.columns)} - {*fixed.values()}
        self.choice = choose_columns({n: c for n, c in self.columns.items() if n not in hidden}, fixed)
        if profile is not None:
            self.choice = as_profiled(self.choice, profile, self.columns)
        if self.table.wide:
            self.choice = _without_amount(self.choice)
        missing = tuple(f for f in REQUIRED if self.choice.column(f) is None)
        self.findings += [finding("error", f"export.no_{f}", self.name, columns=_names(self.columns)) for f in missing]
        if not missing and self._is_no_list_of_sales():
            missing = ("sales",)
        if missing:
            found, names = (*findings, *self.findings), tuple(self.columns)
            return Reading(
                self.name,
                self.choice.columns,
                missing,
                findings=found,
                notes=tuple(self.notes),
                names=names,
                profile=profile,
            )
        self._ask_for_product()
        self._name_variants()
        self._extra_cells()
        self.named, self.told = self._told_of_rows()
        self._carry()
        self._date_by_profile()
        self.units_column = self._units_column()
        self._read_numbers()
        self._read_dates()
        self._leave_out()
        self._read_codes()
        sold, returned = self._count()
        parts = self._parts(sold, returned, rejected)
        left = self.rows.left(rejected.num_rows)
        return Reading(
            self.name, self.choice.columns, (), parts, tuple(self.asking.open), dict(self.asking.used),
            (*findings, *self.findings), tuple(self.notes), left,
            Totals(self.table.height, round(float(sold.sum()), 9), round(float(returned.sum()), 9)),
            self.zone, self.lines, tuple(self.columns), profile, self.currency,
        )  # fmt: skip

    def _cells(self, wanted: str) -> Cells | None:
        name = self.choice.column(wanted)
        return None if name is None else self.columns[name]

    # --- what the file is

    def _is_no_list_of_sales(self) -> bool:
        """Whether it is a list of purchases or of production: by its profile, or as somebody answers."""
        profile = self.profile
        if profile is not None and profile.holds == "either":
            options = tuple(Option(n, message(f"export.reading.list_{n}")) for n in ("sales", "purchases"))
            asks = message("export.asks.list", name=profile.name)
            key = f"list:{profile.key}"
            chosen = self.asking.ask(Question(key, asks, (), (), options))
            purchases = chosen == "purchases"
        elif profile is not None:
            purchases = profile.holds == "purchases"
        else:
            purchases = False
            self._ask_for_list()
        if purchases and profile is not None:
            self.findings.append(finding("error", "export.purchases", self.name, name=profile.name))
        return purchases

    def _ask_for_list(self) -> None:
        """Headers that only lists of purchases or of production have, and no customer: sales only after a question."""
        if self.choice.column("customer") is not None:
            return
        for what in ("purchases", "production"):
            said = [name for name in self.columns if plain(name).strip(" .:：#") in words("lists", what)]
            if said:
                option = Option("sales", message("export.reading.sales"))
                asks = message(f"export.asks.list_of_{what}", columns=shown(", ".join(said)))
                self.asking.ask(Question(f"list:{what}", asks, tuple(said), (), (option,)))

    # --- columns

    def _empty_codes(self) -> None:
        """Codes and names that say that there is none, as null or 无, are empty."""
        own = () if self.profile is None else present(self.profile.columns.get("product", ()), self.columns)
        for name, cells in self.columns.items():
            if name in own or max(header_score(f, name) for f in ("product", "name")) >= _NAMED:
                self.columns[name], count = without_placeholders(cells)
                if count:
                    self.notes.append(message("export.placeholders", column=name, count=f"{count:,}"))

    def _name_variants(self) -> None:
        """Names of products with their variant, where the platform keeps it in a column of its own."""
        profile = self.profile
        if profile is None:
            return
        of_names = present(profile.columns.get("name", ()), self.columns)
        named = {n for f in ("name", "product") if (n := self.choice.column(f)) in of_names and n is not None}
        for name in named:
            for variant in present(profile.variant, self.columns):
                self.columns[name] = _joined(self.columns[name], self.columns[variant])

    def _extra_cells(self) -> None:
        """Rows of a text file with more cells than there are names: a comma within a number may have cut them."""
        names = list(self.columns)
        last = max(i for i, name in enumerate(names) if not name.startswith("#"))
        extra = names[last + 1 :]
        if not extra:
            return
        rows = np.any([self.columns[name].filled for name in extra], axis=0)
        if not self.table.separator:
            self.notes.append(message("export.unnamed", count=len(extra)))
            return
        count = f"{int(rows.sum()):,}"
        options = tuple(Option(n, message(f"export.reading.{n}", count=count)) for n in ("leave_out", "as_it_stands"))
        asks = message("export.asks.extra_cells", count=count)
        samples = texts_of(self.columns[extra[0]], rows)
        if self.asking.ask(Question("extra_cells", asks, (), samples, options)) == "leave_out":
            self.rows.drop("extra_cells", rows, None)

    def _ask_for_product(self) -> None:
        """Several columns of codes and none that is named: which one the products are is a question."""
        chosen = self.choice.column("product") or ""
        spare = [n for n in self.choice.spare_products if n == chosen or not self._follows(n, chosen)]
        if len(spare) < 2:
            return
        counts = {n: pc.count_distinct(self.columns[n].text).as_py() for n in spare}
        options = [Option(n, message("export.reading.product", count=counts[n])) for n in spare]
        options.sort(key=lambda o: o.name != self.choice.column("product"))
        question = Question("product_column", message("export.asks.product_column"), tuple(spare), (), tuple(options))
        chosen = self.asking.ask(question)
        self.choice = _with_column(self.choice, "product", chosen)

    def _follows(self, name: str, product: str) -> bool:
        """Whether a column says nothing more than the product or the market: a group of either."""
        leading = [n for n in (product, self.choice.column("market")) if n is not None and n != name]
        own = codes_of(self.columns[name])
        for other in leading:
            codes = codes_of(self.columns[other])
            if len(np.unique(codes * (own.max() + 1) + own)) == len(np.unique(codes)):
                return True
        return False

    def _carry(self) -> None:
        """Cells that stand once for a group or an order, on all its rows."""
        order = self._cells("order")
        numbers = [self.columns[n] for f in ("units", "amount", "price") if (n := self.choice.column(f)) is not None]
        has_number = np.ones(self.table.height, bool) if not numbers else np.any([c.filled for c in numbers], axis=0)
        keys = self._keys()
        sums = self.rows.totals(keys) | self.rows.hints_of_totals(keys)
        inner = has_number & ~sums & np.any([cells.filled for cells in keys], axis=0)
        for wanted in ("order", "date", "product", "name", "customer", "market"):
            name = self.choice.column(wanted)
            rows = inner & ~self._named() if wanted == "product" else inner
            if name is not None and is_gappy(self.columns[name], rows):
                self._fill(wanted, name, rows)
        order = self._cells("order")
        if order is None:
            return
        lines = [n for f in ("date", "customer", "market", "cancelled_at", "refunded_at", "shipped_at")
                 if (n := self.choice.column(f)) is not None]  # fmt: skip
        for name in (*lines, *self.choice.states, *self.choice.flags, *self.choice.kinds):
            if not _is_of_line(name):
                before = int(self.columns[name].filled.sum())
                self.columns[name] = meaning.carried(self.columns[name], order)
                if (more := int(self.columns[name].filled.sum()) - before) > 0:
                    self.notes.append(message("export.carried", column=name, count=more))

    def _told_of_rows(self) -> tuple[np.ndarray, np.ndarray]:
        """(row,) bool each, as the file has them: the product has a name; and whose order it is, or its state, is told,
        which no row of sums has."""
        fields = [n for f in ("order", "customer") if (n := self.choice.column(f)) is not None]
        filled = [self.columns[n].filled for n in (*fields, *self.choice.states, *self.choice.kinds)]
        name = self._cells("name")
        nothing = np.zeros(self.table.height, bool)
        return nothing if name is None else name.filled, np.any(filled, axis=0) if filled else nothing

    def _date_by_profile(self) -> None:
        """Orders that are not paid yet have no day of payment: they go by the next date that their platform writes."""
        name = self.choice.column("date")
        if self.profile is None or name is None or name in self.known.values():
            return
        for other in present(self.profile.columns["date"], self.columns):
            gaps = self.told & ~self.columns[name].filled & self.columns[other].filled
            if gaps.any():
                self.columns[name] = _only_where(self.columns[other], self.columns[name], gaps)
                self.notes.append(message("export.date_from", column=name, other=other, count=f"{int(gaps.sum()):,}"))

    def _named(self) -> np.ndarray:
        """(row,) bool: the product has a name and no code."""
        product, name = self._cells("product"), self._cells("name")
        return np.zeros(self.table.height, bool) if name is None or product is None else name.filled & ~product.filled

    def _fill(self, wanted: str, name: str, inner: np.ndarray) -> None:
        cells = self.columns[name]
        gaps = inner & ~cells.filled
        if not meaning.is_grouped(cells, inner):
            return
        product = self._cells("product")
        alone = wanted not in ("date", "order") and product is not None and wanted != "product"
        share = gaps.sum() / max(1, inner.sum())
        if share < _GROUPED_SHARES.get(wanted, 0.0):
            units = f"{int(gaps.sum()):,}"
            options = tuple(Option(n, message(f"export.reading.{n}", count=units)) for n in ("leave_out", "take_above"))
            asks = message("export.asks.gaps", column=name, count=units)
            if wanted == "order":
                return
            self.settled.add(name)
            if self.asking.ask(Question(f"gaps:{name}", asks, (name,), (), options)) == "leave_out":
                return
        elif alone and share < 0.3:
            return
        filled = meaning.filled_down(cells)
        self.columns[name] = _only_where(filled, cells, inner)
        self.notes.append(message("export.filled_down", column=name, count=f"{int(gaps.sum()):,}"))

    def _keys(self) -> list[Cells]:
        """Columns in which a row of sums may be named."""
        numbers = {self.choice.column(f) for f in _NUMBER_FIELDS}
        return [cells for name, cells in self.columns.items() if name not in numbers]

    def _units_column(self) -> str | None:
        """The column of units: one with a word for it, or one that makes the amount with the price; else a question."""
        found = self.choice.column("units")
        if found is not None:
            if not read_numbers(self.columns[found]).money:
                return found if "units" in self.known else self._of_rivals(found)
            asks = message("export.asks.money_units", column=found)
            options = (Option("units", message("export.reading.units_money")),)
            self.asking.ask(Question("money_units", asks, (found,), samples_of(self.columns[found]), options))
            return found
        price, amount = self._cells("price"), self._cells("amount")
        spare = self.choice.spare_units
        if price is not None and amount is not None:
            p, a = (read_numbers(c) for c in (price, amount))
            for name in spare:
                u = read_numbers(self.columns[name])
                if max(fits(u.values(m), p.values(m), a.values(m)) for m in MARKS) > 0.9:
                    self.choice = _with_column(self.choice, "units", name)
                    return name
        named = tuple(n for n in self.columns if header_score("units", n) >= 0.5 and n not in spare)
        if not spare and not named:
            self.notes.append(message("export.one_unit_a_row"))
            return None
        options = [Option(n, message("export.reading.units_column", units=sum_text(self.columns[n]))) for n in spare]
        options.append(Option("one_a_row", message("export.reading.one_a_row", units=f"{self.table.height:,}")))
        samples = samples_of(self.columns[(*spare, *named)[0]])
        question = Question(
            "units_column", message("export.asks.units_column"), (*spare, *named), samples, tuple(options)
        )
        chosen = self.asking.ask(question)
        if chosen == "one_a_row":
            return None
        self.choice = _with_column(self.choice, "units", chosen)
        return chosen

    def _of_rivals(self, found: str) -> str:
        """Where another column says as clearly that it holds quantities, and other ones: the one that makes the amount
        with the price, or from which returns are not taken off yet; else which of them it is, is a question."""
        own = read_numbers(self.columns[found]).values(".")
        taken = {c.column for c in self.choice.columns}
        clearly = header_score("units", found.removesuffix(" (2)"))
        clearly = _CLEARLY if clearly >= _CLEARLY else max(clearly - _AS_CLEARLY, 0.5)
        rivals: dict[str, np.ndarray] = {}
        for name, cells in self.columns.items():
            if name not in taken and header_score("units", name.removesuffix(" (2)")) >= clearly:
                other = read_numbers(cells)
                if not other.unread.any() and not np.array_equal(other.values("."), own, equal_nan=True):
                    rivals[name] = other.values(".")
        if not rivals or self.table.wide:
            return found
        told = self._by_sums({found: own, **rivals})
        if told is None:
            names = (found, *rivals)
            options = tuple(
                Option(n, message("export.reading.units_column", units=sum_text(self.columns[n]))) for n in names
            )
            asks = message("export.asks.units_columns")
            told = self.asking.ask(Question("units_column", asks, names, samples_of(self.columns[found]), options))
        self.choice = _with_column(self.choice, "units", told)
        return told

    def _by_sums(self, quantities: Mapping[str, np.ndarray]) -> str | None:
        """Of columns of quantities the one that sums tell; None where they tell nothing."""
        back, price, amount = (self._cells(f) for f in ("returned_units", "price", "amount"))
        if back is not None and len(quantities) == 2:
            returned = np.abs(np.nan_to_num(read_numbers(back).values(".")))
            for gross, net in (tuple(quantities), tuple(quantities)[::-1]):
                if returned.any() and np.allclose(quantities[gross] - returned, quantities[net]):
                    return gross
        if price is None or amount is None:
            return None
        p, a = (read_numbers(c) for c in (price, amount))
        fitting = [n for n, u in quantities.items() if max(fits(u, p.values(m), a.values(m)) for m in MARKS) > 0.9]
        return fitting[0] if len(fitting) == 1 else None

    # --- numbers and dates

    def _read_numbers(self) -> None:
        columns = {f: n for f in _NUMBER_FIELDS if (n := self.choice.column(f)) is not None}
        read = {f: read_numbers(self.columns[n]) for f, n in columns.items()}
        shares = {}
        if {"units", "price", "amount"} <= read.keys():
            shares = {m: fits(*(read[f].values(m) for f in ("units", "price", "amount"))) for m in MARKS}
        decided = decide_marks(read, shares)
        marks = dict(decided.marks)
        product = self.columns[self.choice.column("product") or ""].filled
        for name in decided.unsure:
            if not (read[name].unsure & product).any():  # only sums are unsure, which the others tell
                marks[name] = mark_of_sum(read[name], product)
        unsure = tuple(name for name in decided.unsure if (read[name].unsure & product).any())
        if unsure:
            marks |= dict.fromkeys(unsure, self._ask_for_mark(unsure, read, columns))
        self.comma_decimals = decided.comma_proved
        self.numbers = {f: column.values(marks[f]) for f, column in read.items()}
        for wanted, name in columns.items():
            if wanted in ("price", "amount") and _CENTS.search(plain(name)):
                self.numbers[wanted] = self.numbers[wanted] / 100
                self.notes.append(message("export.cents", column=name))
            elif (scale := next((s for s, said in _SCALES.items() if said.search(plain(name))), 1)) > 1:
                self.numbers[wanted] = self.numbers[wanted] * scale
                self.notes.append(message("export.scaled", column=name, scale=f"{scale:,}"))
        self.unread_numbers = {f: column.unread for f, column in read.items()}
        self._ask_for_currencies(columns)
        self._ask_for_units_of(read.get("units"), columns.get("units", ""))

    def _ask_for_currencies(self, columns: Mapping[str, str]) -> None:
        """Money in several currencies, by its signs or by a column of currencies, is no price that can be compared."""
        money = {f: columns[f] for f in ("price", "amount") if f in columns}
        named = [n for n in self.columns if plain(n) in words("lists", "currencies")]
        found = {sign for n in money.values() for sign in currencies_in(self.columns[n])}
        for name in named:
            found |= {*map(sign_of, self.columns[name].text.drop_null().unique().slice(0, 50).to_pylist())}
        if not money:
            return
        if len(found) < 2:
            cells = [self.columns[n] for n in (*money.values(), *named)]
            written_in = [text for c in cells for text in c.text.drop_null().slice(0, 200).unique().to_pylist()]
            self.currency = currency_of([*money.values(), *written_in])
            if self.currency is not None:
                self.notes.append(message("export.currency", currency=self.currency))
            return
        told = ", ".join(sorted(found))
        options = tuple(Option(n, message(f"export.reading.currencies_{n}")) for n in ("no_prices", "as_one"))
        asks = message("export.asks.currencies", column=", ".join([*money.values(), *named]), currencies=told)
        question = Question("currencies", asks, (*money.values(), *named), tuple(sorted(found)), options)
        if self.asking.ask(question) == "no_prices":
            for wanted in money:
                self.numbers.pop(wanted, None)

    def _ask_for_mark(
        self, unsure: Sequence[str], read: Mapping[str, NumberColumn], columns: Mapping[str, str]
    ) -> Mark:
        field_ = "units" if "units" in unsure else unsure[0]
        column = read[field_]
        at = np.flatnonzero(column.unsure)[:200]
        texts = self.columns[columns[field_]].text.take(pa.array(at)).to_pylist()
        options = tuple(
            Option(name, message(f"export.reading.{name}", units=f"{np.nansum(column.values(mark)):,.10g}"))
            for name, mark in (("decimal_comma", ","), ("decimal_point", "."))
        )
        asks = message("export.asks.decimal", sample=shown(texts[0]))
        chosen = self.asking.ask(Question("decimal", asks, tuple(columns[f] for f in unsure),
                                          tuple(dict.fromkeys(map(shown, texts))), options))  # fmt: skip
        return "," if chosen == "decimal_comma" else "."

    def _ask_for_units_of(self, column: NumberColumn | None, name: str) -> None:
        """Cells of one column that count different things: pieces and boxes."""
        measure = self.choice.counted_in
        names = () if column is None else column.units
        if measure is not None:
            names, name = tuple(self.columns[measure].text.drop_null().unique().sort().to_pylist()), measure
        if len(names) < 2:
            return
        units = shown(", ".join(names))
        options = (Option("as_one", message("export.reading.as_one", units=units)),)
        asks = message("export.asks.mixed_units", column=name, units=units)
        self.asking.ask(Question("mixed_units", asks, (name,), names, options))

    def _read_dates(self) -> None:
        name = self.choice.column("date") or ""
        weeks = any(word in plain(name) for word in _WEEK_WORDS)
        column = read_dates(self.columns[name], weeks)
        others = [read_dates(c, False) for n, c in self.columns.items() if n != name and header_score("date", n) >= 0.4]
        order = decide_order(column, others, self.comma_decimals)
        said = order_said(name)
        if order.why in _WEAKER_THAN_HEADER and said in column.possible:
            order = Order(said, True, "header")
        chosen, swap = order.order, order.swap
        if not order.sure:
            chosen, swap = self._ask_for_order(column, order.order, order.others, order.why, name)
        days = column.days.get(chosen, next(iter(column.days.values())))
        if swap:
            days = np.where(column.typed, column.swapped, days)
        if says_day_before_month(name) and not column.numeric.any():
            days = day_before_month(days)
            self.notes.append(message("export.order_year_day", column=name))
        if self.from_1904 and column.kinds.get("serial"):
            typed = self.columns[name].kind
            bare = ~not_a_day(days) & (typed == Cells.NUMBER if typed is not None else False)
            days = np.where(bare, days + DAYS_TO_1904, days)
            self.notes.append(message("export.from_1904", count=f"{int(bare.sum()):,}"))
        self._note_dates(column, chosen, order.why, swap)
        self._ask_for_weeks(column, name, weeks)
        self.days, self.seconds, self.clock, self.offset = days, column.seconds, column.clock, column.offset
        self.zone, note = zone_of(days, column.seconds, column.offset, self.country)
        self.notes += [] if note is None else [note]

    def _ask_for_order(
        self, column: DateColumn, first: str, others: Sequence[str], why: str, name: str
    ) -> tuple[str, bool]:
        """The order of day and month, and whether typed dates are to be changed over."""
        samples = self.columns[name].text.filter(pa.array(column.numeric)).unique().slice(0, 3).to_pylist()
        if why == "halves":
            swapped = np.where(column.typed, column.swapped, column.days[first])
            readings = {"swapped": swapped, "as_typed": column.days[first]}
        else:
            readings = {o: column.days[o] for o in (first, *others)}
        options = tuple(
            Option(o, message(f"export.reading.{o}", count=f"{int((~not_a_day(d)).sum()):,}", **span_of(d)))
            for o, d in readings.items()
        )
        asks = message("export.asks.halves" if why == "halves" else "export.asks.date_order", sample=samples[0])
        chosen = self.asking.ask(Question("date_order", asks, (name,), tuple(samples), options))
        return (first, chosen == "swapped") if why == "halves" else (chosen, False)

    def _ask_for_weeks(self, column: DateColumn, name: str, weeks: bool) -> None:
        """Six digits are a month, unless one of them or the column's name says week."""
        if (
            column.kinds.get("month_or_week")
            and not weeks
            and not column.weeks
            and "month" not in plain(name)
            and "月" not in name
        ):
            options = (Option("months", message("export.reading.months")),)
            if (self.days_of(column) % 1 == 0).all():
                asks = message("export.asks.six_digits", column=name)
                self.asking.ask(Question("six_digits", asks, (name,), samples_of(self.columns[name]), options))

    @staticmethod
    def days_of(column: DateColumn) -> np.ndarray:
        return next(iter(column.days.values()))

    def _note_dates(self, column: DateColumn, order: str, why: str, swap: bool) -> None:
        if column.numeric.any():
            self.notes.append(message(f"export.order_{order}", why=message(f"export.why.{why}")))
        for kind in ("month", "month_or_day", "week", "serial", "epoch"):
            if column.kinds.get(kind):
                self.notes.append(message(f"export.dates_{kind}"))
        if swap:
            count = int((column.typed & ~not_a_day(column.swapped)).sum())
            self.findings.append(
                finding("warning", "export.swapped", self.name, rows_affected=count, count=f"{count:,}")
            )

    # --- rows

    def _leave_out(self) -> None:
        """Rows that are no sales: sums, notes, and what cannot be read."""
        size = self.table.height
        units = self.numbers.get("units", np.ones(size))
        self.units = units
        product = self.columns[self.choice.column("product") or ""].filled
        day = ~not_a_day(self.days)
        self._leave_sums_out(product, day)
        goods = [cells for f in ("product", "name") if (cells := self._cells(f)) is not None]
        self.rows.drop("service", self.rows.services(goods), None)
        self._leave_components_out()
        self._ask_for_mixed_rows()
        empty = np.isnan(units) & ~self.unread_numbers.get("units", np.zeros(size, bool))
        self.rows.drop("note", (empty | (self.units_column is None)) & (~product | ~day), None)
        self.rows.drop("note", np.isnan(units) & (~product | ~day), None)
        self.rows.drop("no_units", empty, None)
        self._drop("unread_units", np.isnan(units), self.choice.column("units"))
        date = self.columns[self.choice.column("date") or ""]
        self._drop("unread_date", ~day & date.filled, self.choice.column("date"))
        self._drop("no_date", ~day, self.choice.column("date"))
        self._take_names(product)
        self._drop(
            "no_product", ~self.columns[self.choice.column("product") or ""].filled, self.choice.column("product")
        )

    def _leave_sums_out(self, product: np.ndarray, day: np.ndarray) -> None:
        """Rows of sums: by a word of sums; or, where a row tells nothing but numbers, by the sum that it makes. A row
        with a date or a name and without a code may be a sale all the same: a question, where all of its kind agree."""
        units = self.units
        named = self.rows.totals(self._keys())
        words_of_sums = named | self.rows.hints_of_totals(self._keys())
        bare = ~product & ~words_of_sums & ~self.told & ~self.named
        summed = self.rows.sums(units, self.days, words_of_sums | bare)
        whole = words_of_sums & day & product  # rows that lack nothing are sums only if nearly all of them are
        if whole.any() and summed[whole].mean() < _MOSTLY:
            summed &= ~whole
        certain = words_of_sums & (~day | ~product | summed) | (bare & ~day & summed)
        dated = _agreeing(bare & day, summed)
        if self.table.wide:
            certain |= dated
        self.rows.drop("total", certain, None)
        doubtful = self.rows.inside & named
        if doubtful.any():
            self._ask_for_totals("totals", doubtful)
        uncoded = ~product & ~words_of_sums & ~self.told & self.named
        if uncoded.any():
            dated |= _agreeing(uncoded, self.rows.sums(units, self.days, words_of_sums | bare | uncoded))
        dated &= self.rows.inside
        if dated.any():
            self._ask_for_totals("sums", dated)

    def _leave_components_out(self) -> None:
        """Rows that name another product of the file as the one that they are a part of: both may be counted."""
        product = self._cells("product")
        assert product is not None
        codes = product.text.unique()
        taken = {c.column for c in self.choice.columns}
        for name, cells in self.columns.items():
            rows = cells.filled & self.rows.inside
            if name in taken or not 0 < rows.sum() < self.rows.inside.sum() or len(codes) < 2:
                continue
            parents = cells.text.filter(pa.array(rows))
            if not pc.all(pc.is_in(parents.unique(), codes)).as_py():
                continue
            if pc.any(pc.equal(parents, product.text.filter(pa.array(rows)))).as_py():
                continue
            units = f"{np.nansum(np.abs(self.units[rows])):,.10g}"
            options = tuple(
                Option(n, message(f"export.reading.components_{n}", units=units)) for n in ("leave_out", "keep")
            )
            asks = message("export.asks.components", column=name, count=f"{int(rows.sum()):,}")
            if self.asking.ask(Question("components", asks, (name,), texts_of(cells, rows), options)) == "leave_out":
                self.rows.drop("components", rows, self.units)

    def _ask_for_mixed_rows(self) -> None:
        """Rows of several products at once: a column counts the kinds in a row, or a cell names several known ones."""
        product = self._cells("product")
        assert product is not None
        column = self.choice.column("product") or ""
        rows = _of_several(product, self.rows.inside)
        for name, cells in self.columns.items():
            if plain(name) in words("lists", "kinds_in_row"):
                more = read_numbers(cells).values(".") > 1
                column, rows = (name, rows | more) if (more & self.rows.inside).any() else (column, rows)
        rows &= self.rows.inside
        if not rows.any():
            return
        units, count = f"{np.nansum(np.abs(self.units[rows])):,.10g}", f"{int(rows.sum()):,}"
        options = tuple(Option(n, message(f"export.reading.mixed_{n}", units=units)) for n in ("leave_out", "as_one"))
        asks = message("export.asks.mixed_rows", column=column, count=count)
        samples = texts_of(product, rows)
        if self.asking.ask(Question("mixed_rows", asks, (column,), samples, options)) == "leave_out":
            self.rows.drop("mixed", rows, self.units)

    def _take_names(self, product: np.ndarray) -> None:
        """Products without a code go by their name."""
        rows = self._named() & ~product & self.rows.inside
        name = self._cells("name")
        if name is None or not rows.any():
            return
        column = self.choice.column("product") or ""
        self.columns[column] = _only_where(name, self.columns[column], rows)
        self.notes.append(message("export.by_name", column=column, count=f"{int(rows.sum()):,}"))

    def _ask_for_totals(self, key: str, rows: np.ndarray) -> None:
        amount = f"{np.nansum(self.units[rows]):,.10g}"
        texts = tuple(
            dict.fromkeys(t for c in self._keys() for t in c.text.filter(pa.array(rows)).slice(0, 3).to_pylist() if t)
        )
        options = tuple(
            Option(n, message(f"export.reading.{n}_totals", units=amount, count=int(rows.sum())))
            for n in ("leave", "keep")
        )
        asks = message(f"export.asks.{key}", count=int(rows.sum()))
        if self.asking.ask(Question(key, asks, (), texts, options)) == "leave":
            self.rows.drop("total", rows, None)

    def _drop(self, reason: str, rows: np.ndarray, column: str | None) -> None:
        """Leave rows out that cannot be read; where they are more than a few, only after a question."""
        rows = rows & self.rows.inside
        count = int(rows.sum())
        if not count:
            return
        units = np.abs(np.nan_to_num(self.units))
        part = max(count / max(1, self.rows.inside.sum()), units[rows].sum() / max(1e-9, units[self.rows.inside].sum()))
        texts = () if column is None else texts_of(self.columns[column], rows)
        amount = f"{units[rows].sum():,.10g}"
        if part > _FEW and column not in self.settled:
            option = Option("leave_out", message("export.reading.leave_out", count=f"{count:,}"))
            asks = message(f"export.asks.{reason}", count=f"{count:,}", units=amount, column=column or "")
            self.asking.ask(Question(reason, asks, (column or "",), texts, (option,)))
        first = int(self.table.numbers[np.flatnonzero(rows)[0]])
        key = reason if reason.startswith("unread") else f"{reason}_cell"
        self.findings.append(
            finding("error", f"export.{key}", self.name, row=first, column=column, rows_affected=count,
                    count=f"{count:,}", value=", ".join(texts[:3]), units=amount)
        )  # fmt: skip
        self.rows.drop(reason, rows, self.units)

    def _read_codes(self) -> None:
        name = self.choice.column("product") or ""
        self.product, notes, findings = read_codes(self.columns[name], self.rows.inside, name, self.name)
        self.notes += notes
        self.findings += findings

    def _count(self) -> tuple[np.ndarray, np.ndarray]:
        """Units sold and units that came back, by row."""
        self._ask_for_repeated_rows()
        inside = self.rows.inside
        units = self._turned(np.where(inside, np.nan_to_num(self.units), 0.0))
        in_part, back = self._refunds_in_part(units)
        signs = meaning.Signs(
            {n: self.columns[n] for n in self.choice.states},
            self._moments_of_change()
            | {n: (m, _where(m, self.columns[n])) for n, m in self.choice.flags.items()}
            | in_part,
            {n: self.columns[n] for n in self.choice.kinds},
            "returned_units" in self.numbers,
            {}
            if self.profile is None
            else {n: w for h, w in self.profile.states.items() for n in present((h,), self.columns)},
        )
        outcome = meaning.outcomes(signs, units, inside, self.asking)
        codes = outcome.codes
        self.rows.drop_by(outcome.reasons, inside & (codes == meaning.NEITHER), units)
        inside = self.rows.inside
        alone = codes == meaning.ONLY_RETURN
        if self.profile is not None and self.profile.holds == "returns":
            alone |= inside
        sold = np.where(inside & ~alone & (units > 0), units, 0.0)
        returned = np.where(inside & (alone | (units < 0)), np.abs(units), 0.0)
        returned += np.where(inside & (codes == meaning.RETURNED) & (units > 0), units, 0.0)
        part = inside & (codes == meaning.IN_PART) & (units > 0)
        returned += np.where(part, back, 0.0)
        for rows, key in ((part & (back == 0), "money"), (part & (back > 0), "units")):
            if rows.any():
                count, of = f"{int(rows.sum()):,}", f"{back[rows].sum():,.10g}"
                self.notes.append(message(f"export.in_part_{key}", count=count, units=of))
        sold, returned = self._negative_amounts(sold, returned)
        sold, returned = self._other_quantities(sold, returned, inside)
        for rows, key in ((inside & (units < 0), "negative"), (inside & alone & (units > 0), "documents"),
                          (inside & (codes == meaning.RETURNED), "refunds")):  # fmt: skip
            if rows.any():
                count, of = f"{int(rows.sum()):,}", f"{np.abs(units[rows]).sum():,.10g}"
                self.notes.append(message(f"export.returns_{key}", count=count, units=of))
        return sold, returned

    def _ask_for_repeated_rows(self) -> None:
        """Lines of an order that stand there twice, alike in every column: bought twice, or written twice?"""
        order = self._cells("order")
        if order is None or self.table.wide:
            return
        again = repeated(line_keys(order, self.days, self.product), self.columns, self.rows.inside)
        if not again.any():
            return
        units = np.abs(np.nan_to_num(self.units))
        inside = self.rows.inside
        count, of = f"{int(again.sum()):,}", f"{units[again].sum():,.10g}"
        if max(again.sum() / inside.sum(), units[again].sum() / max(1e-9, units[inside].sum())) <= _FEW:
            self.notes.append(message("export.repeated", count=count, units=of))
            return
        options = tuple(Option(n, message(f"export.reading.repeated_{n}", units=of)) for n in ("twice", "once"))
        asks = message("export.asks.repeated", count=count, units=of)
        samples = texts_of(order, again)
        if (
            self.asking.ask(Question("repeated", asks, (self.choice.column("order") or "",), samples, options))
            == "once"
        ):
            self.rows.drop("repeated", again, self.units)

    def _turned(self, units: np.ndarray) -> np.ndarray:
        """Units above zero for what is sold: where most rows are below zero they may be what left a stock."""
        below, above = (units < 0).sum(), (units > 0).sum()
        if below <= above:
            return units
        name = self.units_column or ""
        options = tuple(
            Option(n, message(f"export.reading.negative_{n}", units=f"{np.abs(units[units < 0]).sum():,.10g}"))
            for n in ("sold", "returned")
        )
        asks = message("export.asks.mostly_negative", column=name, count=f"{int(below):,}")
        samples = texts_of(self.columns[name], units < 0)
        chosen = self.asking.ask(Question("mostly_negative", asks, (name,), samples, options))
        return -units if chosen == "sold" else units

    def _moments_of_change(self) -> dict[str, tuple[str, Cells]]:
        """Columns of when something became of a row, with the mark that a moment makes."""
        fields = ("cancelled_at", "refunded_at", "shipped_at")
        found = {f: name for f in fields if (name := self.choice.column(f)) is not None}
        return {name: (f.removesuffix("_at"), self.columns[name]) for f, name in found.items()}

    def _refunds_in_part(self, units: np.ndarray) -> tuple[dict[str, tuple[str, Cells]], np.ndarray]:
        """The rows of which less was given back than was paid, as a mark, and (row,) units that came back with it. Only
        where the money is of the row: of an order with several lines, it may be of any."""
        money = [n for n, mark in self.choice.flags.items() if mark == "refund_money"]
        nothing = np.zeros(len(units))
        if len(money) != 1 or "returned_units" in self.numbers:
            return {}, nothing
        values = read_numbers(self.columns[money[0]]).values(".")
        price, amount = self.numbers.get("price"), self.numbers.get("amount")
        if price is not None and is_line_total(price, np.abs(units), amount, self.product):
            price = None
        part, back = refunded_in_part(values, units, price, amount)
        order = self._cells("order")
        if order is not None:
            codes = codes_of(order)
            part &= (codes == 0) | (np.bincount(codes)[codes] == 1)
        if not part.any():
            return {}, nothing
        name = self.choice.column("amount") or self.choice.column("price") or ""
        marks = {}
        for sign, mark, rows in (("<", "in_part", part & (back == 0)), ("<=", "in_units", part & (back > 0))):
            if rows.any():
                marked = pc.if_else(pa.array(rows), pa.scalar("x"), pa.scalar(None, pa.string()))
                marks[f"{money[0]} {sign} {name}"] = (mark, Cells(marked))
        return marks, back

    def _negative_amounts(self, sold: np.ndarray, returned: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows of units that are sold for money that goes back: returns, or something else than goods."""
        money = [(f, self.numbers[f]) for f in ("amount", "price") if f in self.numbers]
        rows = np.zeros(len(sold), bool)
        for _, values in money:
            rows |= (sold > 0) & (returned == 0) & (np.nan_to_num(values) < 0)
        if not rows.any():
            return sold, returned
        units = f"{sold[rows].sum():,.10g}"
        if max(rows.sum() / len(rows), sold[rows].sum() / sold.sum()) <= _FEW:
            self.notes.append(message("export.negative_amount", count=f"{int(rows.sum()):,}", units=units))
            return sold, returned
        names = tuple(self.choice.column(f) or "" for f, _ in money)
        options = tuple(
            Option(name, message(f"export.reading.{key}", units=units))
            for name, key in (("return", "return"), ("sold", "sold"), ("not_sold", "not_sold"))
        )
        asks = message("export.asks.negative_amount", count=f"{int(rows.sum()):,}", units=units)
        samples = texts_of(self.columns[names[0]], rows)
        chosen = self.asking.ask(Question("negative_amount", asks, names, samples, options))
        if chosen == "sold":
            return sold, returned
        if chosen == "return":
            returned = np.where(rows, sold, returned)
        else:
            self.rows.drop("negative_amount", rows, sold)
        return np.where(rows, 0.0, sold), returned

    def _other_quantities(
        self, sold: np.ndarray, returned: np.ndarray, inside: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """What was cancelled, shipped and sent back of the units of a row."""
        nothing = np.zeros(len(sold))
        cancelled = np.where(inside & (sold > 0), np.nan_to_num(self.numbers.get("cancelled_units", nothing)), 0.0)
        cancelled = np.minimum(np.abs(cancelled), sold)
        if cancelled.sum() and self._chosen("cancelled_units", cancelled.sum(), ("not_sold", "sold")) == "not_sold":
            sold = sold - cancelled
            self.rows.add("cancelled_units", int((cancelled > 0).sum()), float(cancelled.sum()), all_rows=False)
        shipped = self.numbers.get("shipped_units")
        if shipped is not None:
            gap = np.where(inside & (sold > 0) & ~np.isnan(shipped), sold - np.abs(np.nan_to_num(shipped)), 0.0)
            if np.abs(gap).sum() and self._chosen("shipped_units", gap.sum(), ("ordered", "shipped")) == "shipped":
                sold = sold - gap
                self.rows.add("shipped_units", int((gap != 0).sum()), float(gap.sum()), all_rows=False)
        back = np.where(inside, np.abs(np.nan_to_num(self.numbers.get("returned_units", nothing))), 0.0)
        if back.sum():
            already = returned > 0
            back = np.where(already, 0.0, back)
            returned = returned + back
            column = self.choice.column("returned_units")
            self.notes.append(message("export.returned_units", column=column, units=f"{back.sum():,.10g}"))
        return sold, returned

    def _chosen(self, wanted: str, units: float, readings: Sequence[str]) -> str:
        name = self.choice.column(wanted) or ""
        amount = f"{units:,.10g}"
        options = tuple(Option(n, message(f"export.reading.{wanted}_{n}", units=amount)) for n in readings)
        asks = message(f"export.asks.{wanted}", column=name, units=amount)
        return self.asking.ask(Question(wanted, asks, (name,), samples_of(self.columns[name]), options))

    # --- our tables

    def _parts(self, sold: np.ndarray, returned: np.ndarray, rejected: pa.Table) -> tuple[tuple[str, RawSource], ...]:
        price = self._prices(sold + returned)
        inside = self.rows.inside
        columns: dict[str, pa.Array] = {"product": self.product, "happened_at": self._moments()}
        if (cells := self._cells("customer")) is not None:
            columns["customer"] = cells.text
        if (cells := self._cells("market")) is not None and self._by_market(cells):
            columns["market"] = cells.text
        columns[ROW] = pa.array(self.table.numbers, pa.int64())
        base = pa.table(columns)
        keep_zero = inside & (sold == 0) & (returned == 0) & (np.nan_to_num(self.units) == 0)
        sales = base.append_column("units", pa.array(sold))
        if price is not None:
            sales = sales.append_column("price", pa.array(price, pa.float64(), from_pandas=True))
        back = base.select([n for n in base.column_names if n != "customer"]).append_column("units", pa.array(returned))
        order = self._cells("order")
        if order is not None and not self.table.wide:
            keys = line_keys(order, self.days, self.product)
            self.lines = keys.drop_null().unique()
            sales = sales.append_column("sale", keys)
            back = back.append_column("return", keys)
        sales = sales.filter(pa.array((sold > 0) | keep_zero))
        back = back.filter(pa.array(returned > 0))
        products = self._products(base, price, (sold > 0) | (returned > 0) | keep_zero)
        parts = [("products", products), ("sales", sales), *([("returns", back)] if back.num_rows else [])]
        nothing = REJECTED_SCHEMA.empty_table()
        return tuple((n, RawSource(self.name, rows, rejected if n == "sales" else nothing)) for n, rows in parts)

    def _by_market(self, cells: Cells) -> bool:
        """Whether each market is kept apart: only where somebody says so. One series a product knows more."""
        count = pc.count_distinct(cells.text).as_py()
        apart = self.asking.said(MARKETS, (SUMMED, APART)) == APART
        if count > 1:
            key = "export.markets_apart" if apart else "export.markets_summed"
            self.notes.append(message(key, column=self.choice.column("market"), count=count))
        return apart

    def _moments(self) -> pa.Array:
        there = ~not_a_day(self.days)
        stamps = np.where(there, self.days, 0) * 86_400 + self.seconds
        nothing = ~there
        if self.zone is not None:
            local = stamps.astype("M8[s]").astype("M8[us]")
            utc = local_to_utc(local, ZoneInfo(self.zone)).astype("M8[s]").astype(np.int64)
            utc = np.where(np.isnan(self.offset), utc, stamps - np.nan_to_num(self.offset) * 60).astype(np.int64)
            return pa.array(utc * 1_000_000, pa.int64(), mask=nothing).cast(pa.timestamp("us", tz="UTC"))
        if self.clock.any():
            return pa.array(stamps * 1_000_000, pa.int64(), mask=nothing).cast(pa.timestamp("us"))
        return pa.array(np.where(there, self.days, 0).astype(np.int32), pa.int32(), mask=nothing).cast(pa.date32())

    def _prices(self, units: np.ndarray) -> np.ndarray | None:
        """(row,) price of a unit, NaN where it is not known. A price that moves with the quantity is one of the row."""
        price, amount = self.numbers.get("price"), self.numbers.get("amount")
        of = np.abs(np.nan_to_num(self.units))
        with np.errstate(divide="ignore", invalid="ignore"):
            if price is not None:
                if is_line_total(price, of, amount, self.product):
                    self.notes.append(message("export.line_total", column=self.choice.column("price")))
                    price = np.abs(price) / of
            elif amount is not None:
                price = np.abs(amount) / of
        return None if price is None else np.where((price > 0) & np.isfinite(price), price, np.nan)

    def _products(self, base: pa.Table, price: np.ndarray | None, used: np.ndarray) -> pa.Table:
        """One row for each product that has a sale or a return: its first name, and its first price."""
        rows = pa.table({"product": base["product"], ROW: base[ROW]})
        if (name := self._cells("name")) is not None:
            rows = rows.append_column("name", name.text)
        pictures = [n for n in self.columns if plain(n) in words("lists", "pictures")]
        if pictures:
            rows = rows.append_column("image", self.columns[pictures[0]].text)
        if price is not None:
            rows = rows.append_column("price", pa.array(price, pa.float64(), from_pandas=True))
        rows = rows.filter(pa.array(used))
        wanted = [(c, "first") for c in rows.column_names if c != "product"]
        options = pc.ScalarAggregateOptions(skip_nulls=True, min_count=0)
        grouped = rows.group_by("product", use_threads=False).aggregate([(c, how, options) for c, how in wanted])
        return grouped.rename_columns([n.removesuffix("_first") for n in grouped.column_names]).select(
            rows.column_names
        )


# --- small parts -------------------------------------------------------------------------------------------------


def _where(mark: str, cells: Cells) -> Cells:
    """A column with only the yes left of yes and no, the reasons that are given, or the money that is not 0."""
    if mark == "refund_money":
        some = np.nan_to_num(read_numbers(cells).values(".")) != 0
        return Cells(pc.if_else(pa.array(some), cells.text, pa.scalar(None, pa.string())))
    known = cells.text.unique().drop_null().to_pylist()
    told = [text for text in known if is_yes(text)]
    if not told and not all(is_no(text) for text in known):  # reasons
        told = [text for text in known if not is_no(text)]
    yes = pa.array(told, pa.string())
    return Cells(pc.if_else(pc.is_in(cells.text, yes), cells.text, pa.scalar(None, pa.string())))


def _joined(cells: Cells, variant: Cells) -> Cells:
    """Names with their variant, where it says something."""
    said = variant.text.dictionary_encode()
    nothing = [plain(text) in words("variants", "none") for text in said.dictionary.to_pylist()]
    bare = pa.array([None if none else text for none, text in zip(nothing, said.dictionary.to_pylist(), strict=True)])
    text = bare.cast(pa.string()).take(said.indices)
    both = pc.binary_join_element_wise(cells.text, text, ", ", null_handling="emit_null")
    return Cells(pc.coalesce(both, cells.text), cells.kind)


def _agreeing(rows: np.ndarray, summed: np.ndarray) -> np.ndarray:
    """Of rows of one kind those that are sums: none, unless nearly all of them are."""
    return rows & summed if rows.any() and summed[rows].mean() >= _MOSTLY else np.zeros(len(rows), bool)


def _of_several(product: Cells, inside: np.ndarray) -> np.ndarray:
    """(row,) bool: the cell is several products of the file, with a mark between them."""
    encoded = product.text.dictionary_encode()
    known = encoded.dictionary.to_pylist()
    alone = set(known)
    several = [any(_are_all_known(text, mark, alone) for mark in _BETWEEN_PRODUCTS if mark in text) for text in known]
    if not any(several):
        return np.zeros(len(product), bool)
    return np.array([*several, False])[encoded.indices.fill_null(len(known)).to_numpy(zero_copy_only=False)] & inside


def _are_all_known(text: str, mark: str, known: set[str]) -> bool:
    parts = [part.strip() for part in text.split(mark)]
    return len(parts) > 1 and all(part in known for part in parts)


def _ask_for_file(name: str, asking: Asking) -> None:
    """A file whose name says that it holds something else is read as sales only after a question."""
    stem = plain(name.rpartition(".")[0] or name)
    said = set(re.findall(r"[^\W\d_]+", stem))
    other = [w for w in words("files", "other") if w in said or (not w.isascii() and w in stem)]
    if other and not any(w in stem for w in ("sales", "销售", "verkauf")):
        option = Option("sales", message("export.reading.sales"))
        asks = message("export.asks.file", name=shown(name))
        asking.ask(Question(f"file:{min(other)}", asks, (), (), (option,)))


def is_gappy(cells: Cells, rows: np.ndarray) -> bool:
    return bool((rows & ~cells.filled).any() and (rows & cells.filled).any())


def _only_where(filled: Cells, cells: Cells, rows: np.ndarray) -> Cells:
    text = pc.if_else(pa.array(rows), filled.text, cells.text)
    return Cells(text, None if cells.kind is None or filled.kind is None else np.where(rows, filled.kind, cells.kind))


def _is_of_line(name: str) -> bool:
    """Whether a column speaks of one line of an order, not of the order."""
    return plain(name).startswith(("lineitem", "line item", "item", "line ", "商品", "子订单"))


def _with_column(choice: Choice, wanted: str, name: str) -> Choice:
    kept = tuple(c for c in choice.columns if c.field != wanted and c.column != name)
    guess = ColumnGuess(wanted, name, 1.0, message("export.by_answer"))
    return replace(choice, columns=(*kept, guess), spare_units=(), spare_products=())


def _without_amount(choice: Choice) -> Choice:
    """In a table with periods as columns, what stands beside them is of all periods together: no amount of a row."""
    kept = tuple(
        c for c in choice.columns if c.field not in ("amount", "returned_units", "cancelled_units", "shipped_units")
    )
    return replace(choice, columns=kept, states=(), flags={}, spare_units=())


def _names(columns: Mapping[str, Cells]) -> str:
    return shown(", ".join(columns))
