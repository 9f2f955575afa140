"""Guesses what the columns of a stranger's sales export are, for `datong try`: by header words, and by content."""

import re
import tomllib
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from importlib.resources import files

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.files.mapping import Into, Mapping_
from datong.connectors.files.read import RawSource
from datong.ledger.validate import ROW, shown
from datong.model.findings import Finding, finding
from datong.model.words import Message, message, say

# What a column can be, in the order in which equal scores are settled.
FIELDS = ("date", "product", "units", "price", "amount", "order", "customer", "market", "name", "state")
REQUIRED = ("date", "product")

_SAMPLE_ROWS = 5000
_HEADER_WEIGHT = 0.7
_LEAST_SCORE = 0.5
_LEAST_SHARE = 0.8  # of cells that must read as a date or a number, so that the column can be one
_LEAST_PERIODS = 4  # columns named after days, weeks or months, from which on a table is a wide one
_MOST_MARKETS = 200
_PERIOD_COLUMN, _UNITS_COLUMN = "(date)", "(units)"

_MONTHS = frozenset(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"])
_TIME = r"(?:[T ]+\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?[AaPp][Mm])?(?: ?(?:Z|[+-]\d{2}:?\d{2}))?)?"
_YEAR_FIRST = re.compile(rf"(\d{{4}})(?:[-/.]|年)(\d{{1,2}})(?:[-/.]|月)(\d{{1,2}})日?{_TIME}")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})")
_YEAR_LAST = re.compile(rf"(\d{{1,2}})([-/.])(\d{{1,2}})\2(\d{{4}}|\d{{2}}){_TIME}")
_NAMED_MONTH = re.compile(rf"(\d{{1,2}})[- ]([A-Za-z]{{3}})[a-z]*[- ,]+(\d{{4}}|\d{{2}}){_TIME}")
_MONTH = re.compile(r"(\d{4})(?:[-/.年]|)(\d{1,2})月?")
_WEEK = re.compile(r"(\d{4})[-_ ]?(?:W|wk|week|年第?) ?(\d{1,2})周?", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+|\d{1,3}(,\d{3})+(\.\d*)?)([eE][+-]?\d+)?")
_MONEY_SIGNS = str.maketrans("", "", "¥￥$€£ ")


@dataclass(frozen=True)
class ColumnGuess:
    """What one field is taken from. confidence: 0..1. others: columns that might be it too, best first."""

    field: str
    column: str
    confidence: float
    reason: Message
    others: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Guess:
    """How a source is read as sales.

    source: the rows that `as_mapping` is for (a wide table is turned into a long one). columns: one for each field.
    missing: required fields that no column fits. notes: what else was decided, for the eye.
    date_order: 'year_first', 'day_first', 'month_first', 'named_month', 'month', or 'typed'.
    """

    source: RawSource
    columns: tuple[ColumnGuess, ...]
    missing: tuple[str, ...]
    findings: tuple[Finding, ...]
    notes: tuple[Message, ...]
    date_order: str
    has_clock: bool = False
    negative_rows: int = 0
    order_is_key: bool = False
    typed: frozenset[str] = field(default_factory=frozenset)

    def column(self, name: str) -> str | None:
        """Header of the column that a field is taken from."""
        return next((c.column for c in self.columns if c.field == name), None)

    def records(self, language: str) -> list[dict[str, str]]:
        """The guess as rows for a person: field, column, confidence, reason, others, examples."""
        return [
            {
                "field": say(f"guess.field.{c.field}", language),
                "column": c.column,
                "confidence": f"{c.confidence:.0%}",
                "reason": c.reason.text(language),
                "others": ", ".join(c.others),
                "examples": ", ".join(c.examples),
            }
            for c in self.columns
        ]

    def as_mapping(self) -> Mapping_:
        """The guess as a mapping: products (each once), sales, and returns where there are negative quantities."""
        if self.missing:
            raise ValueError(f"columns not found: {self.missing}")
        product = f"nullif(trim(CAST({_sql_name(self.column('product'))} AS VARCHAR)), '')"
        units = self._number("units") or "1"
        unit_count = f"TRY_CAST({units} AS DOUBLE)"
        price = self._price(unit_count)
        sales = {"product": product, "happened_at": self._moment(), "units": units}
        products = {"product": product}
        if price is not None:
            sales["price"] = price
            products["price"] = f"CASE WHEN TRY_CAST({price} AS DOUBLE) > 0 THEN {price} END"
        for ours in ("market", "customer"):
            if (theirs := self.column(ours)) is not None:
                sales[ours] = _sql_name(theirs)
        if (name := self.column("name")) is not None:
            products["name"] = _sql_name(name)
        if (state := self.column("state")) is not None:
            words = ", ".join(f"'{word}'" for word in _words()["cancelled"])
            text = f"lower(trim(CAST({_sql_name(state)} AS VARCHAR)))"
            sales["state"] = f"CASE WHEN {text} IN ({words}) THEN 'cancelled' ELSE 'ordered' END"
        if self.order_is_key and (order := self.column("order")) is not None:
            sales["sale"] = _sql_name(order)
        blocks = [Into("products", products, once_per="product")]
        if not self.negative_rows:
            return Mapping_(self.source.name, (*blocks, Into("sales", sales)))
        kept = ("product", "happened_at", "market")
        returns = {k: v for k, v in sales.items() if k in kept} | {"units": f"-{unit_count}"}
        came_back = f"coalesce({unit_count} < 0, false)"
        sold = Into("sales", sales, where=f"NOT {came_back}")
        return Mapping_(self.source.name, (*blocks, sold, Into("returns", returns, where=came_back)))

    def _number(self, name: str) -> str | None:
        """A column as a number; what is none stays as it is, so that the check can show it."""
        column = self.column(name)
        if column is None:
            return None
        quoted = _sql_name(column)
        return quoted if column in self.typed else f"coalesce(CAST(number({quoted}) AS VARCHAR), {quoted})"

    def _price(self, unit_count: str) -> str | None:
        """The price; where there is only an amount, the amount of one unit."""
        price, amount = self._number("price"), self._number("amount")
        if price is None and amount is not None:
            return f"abs(TRY_CAST({amount} AS DOUBLE)) / nullif(abs({unit_count}), 0)"
        return price

    def _moment(self) -> str:
        column = _sql_name(self.column("date"))
        if self.date_order in ("year_first", "typed"):
            return column
        text = f"trim(CAST({column} AS VARCHAR))"
        if self.date_order == "month":
            return rf"regexp_replace({text}, '^([0-9]{{4}})(?:[-/.]|年)?([0-9]{{1,2}})月?$', '\1-\2-1')"
        parts = {"day_first": "%d/%m/", "month_first": "%m/%d/", "named_month": "%d-%b-"}[self.date_order]
        if self.date_order == "named_month":
            plain = rf"regexp_replace({text}, '^(\d{{1,2}})[- ]([A-Za-z]{{3}})[a-z]*[- ,]+', '\1-\2-')"
        else:
            plain = rf"regexp_replace({text}, '^(\d{{1,2}})[-/.](\d{{1,2}})[-/.]', '\1/\2/')"
        clocks = (" %H:%M:%S", " %H:%M", " %I:%M:%S %p", " %I:%M %p", "") if self.has_clock else ("",)
        formats = ", ".join(f"'{parts}{year}{clock}'" for year in ("%y", "%Y") for clock in clocks)
        pattern = "%Y-%m-%d %H:%M:%S" if self.has_clock else "%Y-%m-%d"
        return f"coalesce(strftime(try_strptime({plain}, [{formats}]), '{pattern}'), {text})"


def guess_columns(source: RawSource) -> Guess:
    """Which column is what. Never raises for what the data are: what was not found is in `missing` and `findings`."""
    source, notes = _long(source)
    names = [n for n in source.rows.column_names if n != ROW]
    sample = _sample(source.rows)
    facts = {name: _facts(sample[name]) for name in names}
    scores: dict[tuple[str, str], float] = {}
    for name in names:
        for wanted in FIELDS:
            score = _score(wanted, name, facts[name])
            if score >= _LEAST_SCORE:
                scores[wanted, name] = score
    wide = {"date": _PERIOD_COLUMN, "units": _UNITS_COLUMN} if _PERIOD_COLUMN in names else {}
    scores |= dict.fromkeys(wide.items(), 1.0)
    chosen = _assign(scores, names)
    if "product" not in chosen and "name" in chosen:
        chosen["product"] = chosen.pop("name")
        scores.setdefault(("product", chosen["product"]), _LEAST_SCORE)
    chosen = _by_content(chosen, names, facts)
    columns = tuple(
        ColumnGuess(
            wanted,
            chosen[wanted],
            round(scores.get((wanted, chosen[wanted]), 0.4), 2),
            _reason(wanted, chosen[wanted], facts[chosen[wanted]]),
            _others(wanted, chosen, scores),
            facts[chosen[wanted]].examples,
        )
        for wanted in FIELDS
        if wanted in chosen
    )
    missing = tuple(wanted for wanted in REQUIRED if wanted not in chosen)
    findings = tuple(
        finding("error", f"guess.no_{wanted}", source.name, columns=shown(", ".join(names))) for wanted in missing
    )
    dates = facts[chosen["date"]] if "date" in chosen else _Facts()
    negative = _negative_rows(source.rows[chosen["units"]]) if "units" in chosen else 0
    if "date" in chosen:
        notes.append(message(f"guess.order_{dates.date_order}"))
        if dates.order_unsure:
            notes.append(message("guess.order_unsure"))
    if "units" not in chosen:
        notes.append(message("guess.one_unit_a_row"))
    if negative:
        notes.append(message("guess.returns", count=negative))
    typed = frozenset(n for n in names if not pa.types.is_string(_plain_type(source.rows[n].type)))
    return Guess(
        source,
        columns,
        missing,
        findings,
        tuple(notes),
        dates.date_order,
        dates.has_clock,
        negative,
        "order" in chosen and _is_key(source.rows[chosen["order"]]),
        typed,
    )


# --- header words ------------------------------------------------------------------------------------------------


@cache
def _words() -> Mapping[str, tuple[str, ...]]:
    text = files("datong.connectors.files").joinpath("header_words.toml").read_text(encoding="utf-8")
    return {name: tuple(words) for name, words in tomllib.loads(text).items()}


def _tokens(text: str) -> list[str]:
    """Words of a header: 'InvoiceDate (UTC)' gives invoice, date. Chinese stays in one piece."""
    text = unicodedata.normalize("NFKC", text)
    text = re.sub(r"[(\[【].*?[)\]】]", " ", text)
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text)
    return re.findall(r"[a-z0-9]+|[一-鿿]+", text.lower())


@cache
def _header_score(wanted: str, header: str) -> float:
    """How well a header's words name a field: 1 for the best word alone, less for later words and longer headers."""
    words = _tokens(header)
    whole = "".join(words)
    if set(words) & set(_words().get(f"not_{wanted}", ())):
        return 0.0
    best = 0.0
    for rank, synonym in enumerate(_words()[wanted]):
        parts = _tokens(synonym)
        joined = "".join(parts)
        if joined == whole:
            score = 1.0
        elif any("一" <= c <= "鿿" for c in joined):
            score = 0.75 * (0.6 + 0.4 * len(joined) / len(whole)) if len(joined) > 1 and joined in whole else 0.0
        else:
            inside = any(words[i : i + len(parts)] == parts for i in range(len(words)))
            score = 0.75 * (0.6 + 0.4 * len(joined) / len(whole)) if inside else 0.0
        best = max(best, score * (1 - 0.15 * rank / len(_words()[wanted])))
    return best


# --- content -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Facts:
    """What the cells of a sample are: shares of the filled ones."""

    filled: float = 0.0
    numbers: float = 0.0
    whole: float = 0.0
    dates: float = 0.0
    distinct: float = 0.0
    distinct_count: int = 0
    typical: float = 0.0
    date_order: str = "typed"
    order_unsure: bool = False
    has_clock: bool = False
    cancels: bool = False
    examples: tuple[str, ...] = ()


def _sample(rows: pa.Table) -> pa.Table:
    """Rows from all over the table: an export is often sorted."""
    if rows.num_rows <= _SAMPLE_ROWS:
        return rows
    return rows.take(pa.array(np.linspace(0, rows.num_rows - 1, _SAMPLE_ROWS).astype(np.int64)))


def _plain_type(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_large_string(kind) or pa.types.is_null(kind) else kind


def _facts(cells: pa.ChunkedArray) -> _Facts:
    values = [v for v in cells.to_pylist() if v is not None and str(v).strip()]
    if not values:
        return _Facts()
    texts = [str(v).strip() for v in values]
    distinct = dict.fromkeys(texts)
    examples = tuple(shown(t) for t in list(distinct)[:3])
    base = _Facts(
        filled=len(values) / len(cells),
        distinct=len(distinct) / len(values),
        distinct_count=len(distinct),
        cancels=any(text.lower() in _words()["cancelled"] for text in distinct),
        examples=examples,
    )
    kind = cells.type
    if pa.types.is_temporal(kind):
        return replace(base, dates=1.0, date_order="typed")
    if pa.types.is_boolean(kind):
        return base
    numbers = [n for n in map(_number, texts) if n is not None]
    share = len(numbers) / len(texts)
    whole = sum(n == int(n) for n in numbers) / len(numbers) if numbers else 0.0
    typical = float(np.median(np.abs(numbers))) if numbers else 0.0
    base = replace(base, numbers=share, whole=whole, typical=typical)
    return base if pa.types.is_integer(kind) or pa.types.is_floating(kind) else _date_facts(base, texts)


def _number(text: str) -> float | None:
    text = text.translate(_MONEY_SIGNS)
    return float(text.replace(",", "")) if _NUMBER.fullmatch(text) and len(text) < 25 else None


def _date_facts(base: _Facts, texts: Sequence[str]) -> _Facts:
    """Which way of writing dates most cells have, and whether the day or the month comes first."""
    readers: tuple[tuple[str, Callable[[str], bool]], ...] = (
        ("year_first", lambda t: _year_first(t) is not None),
        ("named_month", lambda t: bool((m := _NAMED_MONTH.fullmatch(t)) and m[2].lower() in _MONTHS)),
        ("year_last", lambda t: _YEAR_LAST.fullmatch(t) is not None),
        ("month", lambda t: _month(t) is not None),
    )
    counts = {name: sum(map(reads, texts)) for name, reads in readers}
    order = max(counts, key=lambda name: counts[name])
    share = counts[order] / len(texts)
    has_clock = any(":" in t for t in texts)
    if order != "year_last" or not share:
        return replace(base, dates=share, date_order=order, has_clock=has_clock)
    pairs = [(int(m[1]), int(m[3])) for t in texts if (m := _YEAR_LAST.fullmatch(t))]
    day_first = sum(a <= 31 and b <= 12 for a, b in pairs)
    month_first = sum(a <= 12 and b <= 31 for a, b in pairs)
    first, second = len({a for a, _ in pairs}), len({b for _, b in pairs})
    # Where every cell reads both ways, the part that takes more values is the day.
    unsure = day_first == month_first
    is_day_first = first >= second if unsure else day_first > month_first
    share = max(day_first, month_first) / len(texts)
    name = "day_first" if is_day_first else "month_first"
    return replace(base, dates=share, date_order=name, order_unsure=unsure, has_clock=has_clock)


def _year_first(text: str) -> date | None:
    found = _YEAR_FIRST.fullmatch(text) or _COMPACT.fullmatch(text)
    return _day(int(found[1]), int(found[2]), int(found[3])) if found else None


def _month(text: str) -> date | None:
    found = _MONTH.fullmatch(text)
    return _day(int(found[1]), int(found[2]), 1) if found else None


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day) if 1990 <= year <= 2100 else None
    except ValueError:
        return None


def _is_key(cells: pa.ChunkedArray) -> bool:
    """Whether every row has a value of its own."""
    return cells.null_count == 0 and len(cells) > 0 and pc.count_distinct(cells).as_py() == len(cells)


def _negative_rows(cells: pa.ChunkedArray) -> int:
    kind = _plain_type(cells.type)
    if pa.types.is_string(kind):
        texts = pc.utf8_trim_whitespace(cells.cast(pa.string()))
        return int(pc.sum(pc.match_substring_regex(texts, r"^-[¥￥$€£ ]*[0-9.]*[1-9]")).as_py() or 0)
    return int(pc.sum(pc.less(cells, 0)).as_py() or 0)


# --- choosing ----------------------------------------------------------------------------------------------------


def _score(wanted: str, header: str, facts: _Facts) -> float:
    """0..1: how well a column is a field, by its header and by its cells; 0 where the cells rule it out."""
    words = _header_score(wanted, header)
    if not words or not facts.filled:
        return 0.0
    fits = _fit(wanted, facts)
    return 0.0 if not fits else _HEADER_WEIGHT * words + (1 - _HEADER_WEIGHT) * fits


def _fit(wanted: str, facts: _Facts) -> float:
    """0..1: how well the cells alone go with a field."""
    if wanted == "date":
        return facts.dates if facts.dates >= _LEAST_SHARE else 0.0
    if wanted in ("units", "price", "amount"):
        if facts.numbers < _LEAST_SHARE:
            return 0.0
        return facts.numbers * (0.5 + 0.5 * facts.whole if wanted == "units" else 1.0)
    if facts.dates >= _LEAST_SHARE and facts.numbers < _LEAST_SHARE:
        return 0.0
    if wanted == "market":
        return facts.filled if facts.distinct_count <= _MOST_MARKETS else 0.0
    if wanted == "state":
        return 1.0 if facts.cancels else 0.0  # worth reading only for what it says of cancelled orders
    if wanted == "product":
        return facts.filled * (1.0 if facts.distinct < 0.9 else 0.7)
    return max(facts.filled, 0.3)


def _assign(scores: Mapping[tuple[str, str], float], names: Sequence[str]) -> dict[str, str]:
    """Each field its best free column, best scores first."""
    chosen: dict[str, str] = {}

    def order(pair: tuple[str, str]) -> tuple[float, int, int]:
        return -scores[pair], FIELDS.index(pair[0]), names.index(pair[1])

    for wanted, name in sorted(scores, key=order):
        if wanted not in chosen and name not in chosen.values():
            chosen[wanted] = name
    return chosen


def _by_content(chosen: Mapping[str, str], names: Sequence[str], facts: Mapping[str, _Facts]) -> dict[str, str]:
    """Columns for what no header names: the only column of dates; the column of codes that repeat the most."""
    result = dict(chosen)
    free = [n for n in names if n not in result.values() and facts[n].filled > 0.5]
    if "date" not in result:
        dates = [n for n in free if facts[n].dates >= _LEAST_SHARE]
        if len(dates) == 1:
            result["date"] = dates[0]
            free.remove(dates[0])
    if "product" not in result:
        codes = [n for n in free if facts[n].numbers < _LEAST_SHARE and facts[n].dates < _LEAST_SHARE]
        codes = [n for n in codes if facts[n].distinct < 0.9 and facts[n].distinct_count > 1]
        if codes:
            result["product"] = max(codes, key=lambda n: facts[n].distinct_count)
            free.remove(result["product"])
    if "units" not in result and "date" in result and "product" in result:
        amounts = [n for n in free if facts[n].numbers >= _LEAST_SHARE and facts[n].whole > 0.99]
        amounts = [n for n in amounts if facts[n].typical < 10_000 and facts[n].distinct < 0.9]
        amounts = [n for n in amounts if not _is_number_of(n)]
        if len(amounts) == 1:
            result["units"] = amounts[0]
    return result


def _is_number_of(header: str) -> bool:
    """Whether a header says that its column numbers things: of rows, orders, people."""
    return bool(set(_tokens(header)) & {"id", "no", "number", "index", "row", "key"}) or header.endswith(("号", "序"))


def _reason(wanted: str, name: str, facts: _Facts) -> Message:
    key = "guess.by_header" if _header_score(wanted, name) else "guess.by_content"
    if wanted == "date":
        cells = message("guess.cells_dates", share=f"{facts.dates:.0%}")
    elif wanted in ("units", "price", "amount"):
        cells = message("guess.cells_numbers", share=f"{facts.numbers:.0%}")
    else:
        cells = message("guess.cells_distinct", count=facts.distinct_count)
    return message(key, cells=cells)


def _others(wanted: str, chosen: Mapping[str, str], scores: Mapping[tuple[str, str], float]) -> tuple[str, ...]:
    """Columns that no other field took and that would fit too."""
    taken = set(chosen.values())
    rest = [(score, name) for (f, name), score in scores.items() if f == wanted and name not in taken]
    return tuple(name for _, name in sorted(rest, key=lambda pair: (-pair[0], pair[1]))[:3])


def _sql_name(name: str | None) -> str:
    return '"' + (name or "").replace('"', '""') + '"'


# --- wide tables -------------------------------------------------------------------------------------------------


def _long(source: RawSource) -> tuple[RawSource, list[Message]]:
    """A table with a column for each day, week or month as rows of (date, units); any other as it is.

    Empty cells and zeros make no row.
    """
    rows = source.rows
    periods = _periods([n for n in rows.column_names if n != ROW])
    facts = {n: _facts(cells) for n, cells in zip(periods, _sample(rows.select(list(periods))).columns, strict=True)}
    numeric = {n: day for n, day in periods.items() if facts[n].numbers >= _LEAST_SHARE or not facts[n].filled}
    if len(numeric) < _LEAST_PERIODS:
        return source, []
    ids = [n for n in rows.column_names if n not in numeric]
    pieces = []
    for name, day in numeric.items():
        cells = rows[name]
        text = pc.utf8_trim_whitespace(cells.cast(pa.string()))
        there = pc.and_(pc.is_valid(cells), pc.invert(pc.is_in(text, pa.array(["", "0", "0.0", "0.00", "-"]))))
        piece = rows.select(ids).append_column(_UNITS_COLUMN, text)
        piece = piece.append_column(_PERIOD_COLUMN, pa.array([day] * rows.num_rows, pa.date32()))
        pieces.append(piece.filter(pc.fill_null(there, False)))
    long = pa.concat_tables(pieces).sort_by([(ROW, "ascending"), (_PERIOD_COLUMN, "ascending")])
    first, last = min(numeric.values()), max(numeric.values())
    note = message("guess.wide", count=len(numeric), first=first.isoformat(), last=last.isoformat())
    return RawSource(source.name, long, source.rejected), [note]


def _periods(headers: Iterable[str]) -> dict[str, date]:
    """Headers that are days, weeks (their Monday) or months (their first day)."""
    result: dict[str, date] = {}
    headers = list(headers)
    year_last = {h: m for h in headers if (m := _YEAR_LAST.fullmatch(h.strip()))}
    day_first = any(int(m[1]) > 12 for m in year_last.values())
    for header in headers:
        text = header.strip().removesuffix(" 00:00:00")
        found = year_last.get(header)
        if found is not None:
            a, b, year = int(found[1]), int(found[3]), int(found[4])
            year += 2000 if year < 100 else 0
            day = _day(year, b, a) if day_first else _day(year, a, b)
        else:
            day = _year_first(text) or _week(text) or _month(text)
        if day is not None:
            result[header] = day
    return result


def _week(text: str) -> date | None:
    found = _WEEK.fullmatch(text)
    try:
        return date.fromisocalendar(int(found[1]), int(found[2]), 1) if found else None
    except ValueError:
        return None
