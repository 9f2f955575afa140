"""The days and times of the rows of an export: the order of day and month, weeks, the zone of offsets."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.columns import header_score, with_column
from datong.connectors.exports.date_texts import accounting_period, parse
from datong.connectors.exports.day_month_order import (
    NOT_A_DAY,
    DateColumn,
    Order,
    day_before_month,
    decide_order,
    not_a_day,
    order_said,
    read_dates,
    says_day_before_month,
)
from datong.connectors.exports.eras import says_republic
from datong.connectors.exports.export import Export
from datong.connectors.exports.price_units_amount import (
    samples_of,
    span_of,
)
from datong.connectors.exports.questions import Option, Question
from datong.connectors.exports.vocabulary import plain
from datong.connectors.exports.zones import zone_of
from datong.ledger.row_checks import shown
from datong.model.findings import finding
from datong.model.words import message

_WEEK_WORDS = ("week", "woche", "semaine", "semana", "周", "kw", "wk")
# Words of periods that are those of Chinese law, whose year of the books is that of the calendar.
_PERIOD_WORDS_OF_CHINA = ("会计期间", "期")
# Months by which the first period of a year of the books lies after January of that year, by the name of an answer: the
# commonest first. `_before`: the year is named after the one in which it ends.
_YEARS_OF_BOOKS = {"january": 0} | {
    f"{name}{way}": later - 12 * (way != "")
    for name, later in (
        ("april", 3), ("july", 6), ("october", 9), ("september", 8), ("february", 1), ("march", 2), ("may", 4),
        ("june", 5), ("august", 7), ("november", 10), ("december", 11),
    )
    for way in ("", "_before")
}  # fmt: skip
# Between the first days of the two calendars of spreadsheets.
DAYS_TO_1904 = 1462
# Evidence for the order of day and month that a header with DD/MM/YYYY outdoes.
_WEAKER_THAN_HEADER = frozenset({"dots", "other_column", "row_order", "even_steps", "comma_decimals", "unsure"})


@dataclass(frozen=True, eq=False)
class Moments:
    """days: (row,) since 1970-01-01, as `not_a_day` tells where there is none. seconds: (row,) since midnight. clock:
    (row,) bool, a time is written. offset: (row,) minutes ahead of UTC, NaN where none is written. zone: IANA name,
    where offsets give one."""

    days: np.ndarray
    seconds: np.ndarray
    clock: np.ndarray
    offset: np.ndarray
    zone: str | None


def ask_for_date(export: Export) -> None:
    """Several columns of dates and none that is named: which one says when it was sold is a question."""
    spare = export.choice.spare_dates
    if len(spare) < 2 or "date" in export.known:
        return
    options = []
    for name in spare:
        column = read_dates(export.columns[name], False)
        days = next(iter(column.days.values()))
        options.append(Option(name, message("export.reading.date_column", **span_of(days))))
    samples = samples_of(export.columns[spare[0]])
    question = Question("date_column", message("export.asks.date_column"), spare, samples, tuple(options))
    export.choice = with_column(export.choice, "date", export.asking.ask(question))


def read_moments(export: Export, comma_decimals: bool) -> Moments:
    """The column of dates. comma_decimals: the file writes decimals with a comma."""
    name = export.choice.column("date") or ""
    weeks = any(word in plain(name) for word in _WEEK_WORDS)
    column = read_dates(export.columns[name], weeks)
    others = [read_dates(c, False) for n, c in export.columns.items() if n != name and header_score("date", n) >= 0.4]
    order = decide_order(column, others, comma_decimals)
    said = order_said(name)
    if order.why in _WEAKER_THAN_HEADER and said in column.possible:
        order = Order(said, True, "header")
    chosen, swap = order.order, order.swap
    if not order.sure:
        chosen, swap = _ask_for_order(export, column, order.order, order.others, order.why, name)
    days = column.days.get(chosen, next(iter(column.days.values())))
    if swap:
        days = np.where(column.typed, column.swapped, days)
    if says_day_before_month(name) and not column.numeric.any():
        days = day_before_month(days)
        export.notes.append(message("export.order_year_day", column=name))
    if export.from_1904 and column.kinds.get("serial"):
        typed = export.columns[name].kind
        bare = ~not_a_day(days) & (typed == Cells.NUMBER if typed is not None else False)
        days = np.where(bare, days + DAYS_TO_1904, days)
        export.notes.append(message("export.from_1904", count=f"{int(bare.sum()):,}"))
    if column.kinds.get("republic") and not says_republic(f"{name} {export.table.above}"):
        days = _ask_for_republic(export, name, days)
    _note_dates(export, column, chosen, order.why, swap)
    days = _in_years_of_books(export, name, days)
    _ask_for_weeks(export, column, name, weeks)
    zone, note = zone_of(days, column.seconds, column.offset, export.country)
    export.notes += [] if note is None else [note]
    return Moments(days, column.seconds, column.clock, column.offset, zone)


def _ask_for_order(
    export: Export, column: DateColumn, first: str, others: Sequence[str], why: str, name: str
) -> tuple[str, bool]:
    """The order of day and month, and whether typed dates are to be changed over."""
    samples = export.columns[name].text.filter(pa.array(column.numeric)).unique().slice(0, 3).to_pylist()
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
    chosen = export.asking.ask(Question("date_order", asks, (name,), tuple(samples), options))
    return (first, chosen == "swapped") if why == "halves" else (chosen, False)


def _ask_for_weeks(export: Export, column: DateColumn, name: str, weeks: bool) -> None:
    """Six digits are a month, unless one of them or the column's name says week."""
    if (
        column.kinds.get("month_or_week")
        and not weeks
        and not column.weeks
        and "month" not in plain(name)
        and "月" not in name
    ):
        options = (Option("months", message("export.reading.months")),)
        asks = message("export.asks.six_digits", column=name)
        export.asking.ask(Question("six_digits", asks, (name,), samples_of(export.columns[name]), options))


def _ask_for_republic(export: Export, name: str, days: np.ndarray) -> np.ndarray:
    """Years of three digits, as 113: of the Republic of China, or no dates at all."""
    kinds = {text: parse(text) for text in export.columns[name].text.unique().drop_null().to_pylist()}
    texts = [text for text, parsed in kinds.items() if parsed is not None and parsed.kind == "republic"]
    rows = pc.fill_null(pc.is_in(export.columns[name].text, pa.array(texts, pa.string())), False)
    there = rows.to_numpy(zero_copy_only=False)
    options = tuple(
        Option(n, message(f"export.reading.{key}", count=f"{int(there.sum()):,}", **span_of(days[there])))
        for n, key in (("republic", "republic"), ("leave_out", "leave_out"))
    )
    asks = message("export.asks.republic_years", sample=shown(texts[0]))
    chosen = export.asking.ask(Question("republic_years", asks, (name,), tuple(texts[:3]), options))
    return days if chosen == "republic" else np.where(there, NOT_A_DAY, days)


def _in_years_of_books(export: Export, name: str, days: np.ndarray) -> np.ndarray:
    """Accounting periods as months, by the month in which the year of the books begins: the calendar's in China, where
    the law says so; else it is asked, as no file tells."""
    texts = export.columns[name].text
    periods = {text: found for text in texts.unique().drop_null().to_pylist() if (found := accounting_period(text))}
    if not periods:
        return days
    sample = next(iter(periods))
    if export.country == "CN" or any(word in f"{name} {sample}" for word in _PERIOD_WORDS_OF_CHINA):
        export.notes.append(message("export.accounting_periods", sample=sample))
        return days
    rows = pc.fill_null(pc.is_in(texts, pa.array(list(periods), pa.string())), False).to_numpy(zero_copy_only=False)
    readings = {first: np.where(rows, _months_later(days, later), days) for first, later in _YEARS_OF_BOOKS.items()}
    last = None if export.today is None else np.datetime64(export.today, "D").astype(np.int64)
    possible = [n for n, d in readings.items() if last is None or d[rows & ~not_a_day(d)].max(initial=0) <= last]
    year = periods[sample][0]
    spans = {
        n: {"year": year, "month": _first_month(year, n), **span_of(readings[n][rows])} for n in possible or readings
    }
    options = tuple(Option(n, message("export.reading.first_period", **span)) for n, span in spans.items())
    asks = message("export.asks.year_of_books", column=name, sample=sample)
    return readings[export.asking.ask(Question("year_of_books", asks, (name,), tuple(periods)[:3], options))]


def _first_month(year: int, first: str) -> str:
    """The month of the first period of a year of the books."""
    later = 12 * year + _YEARS_OF_BOOKS[first]
    return f"{later // 12}-{later % 12 + 1:02}"


def _months_later(days: np.ndarray, months: int) -> np.ndarray:
    """Days that are the first of a month, as many months later."""
    there = ~not_a_day(days)
    moved = np.where(there, days, 0).astype("datetime64[D]").astype("datetime64[M]") + months
    return np.where(there, moved.astype("datetime64[D]").astype(np.int64), days)


def _note_dates(export: Export, column: DateColumn, order: str, why: str, swap: bool) -> None:
    if column.numeric.any():
        export.notes.append(message(f"export.order_{order}", why=message(f"export.why.{why}")))
    for kind in ("month", "month_or_day", "week", "quarter", "stretch", "serial", "epoch", "short_day", "republic"):
        if column.kinds.get(kind):
            export.notes.append(message(f"export.dates_{kind}"))
    if swap:
        count = int((column.typed & ~not_a_day(column.swapped)).sum())
        export.findings.append(
            finding("warning", "export.swapped", export.name, rows_affected=count, count=f"{count:,}")
        )
