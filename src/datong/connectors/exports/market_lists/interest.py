"""Rows of a list of interest: how often each product was looked at, searched for, put into a cart or marked, a day.

Rows of one product, day and kind add up. What counts a week, a month or another stretch of days is spread evenly over
its days, as somebody chooses, and marked as assumed."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports.columns import facts_of
from datong.connectors.exports.date_column import Moments
from datong.connectors.exports.day_month_order import not_a_day
from datong.connectors.exports.day_of_list import days_within
from datong.connectors.exports.export import Export
from datong.connectors.exports.market_lists.columns import COUNTED_BY, INTEREST, LEAST_SHARE, columns_named
from datong.connectors.exports.market_lists.rows_taken import Taken
from datong.connectors.exports.numbers import read_numbers
from datong.connectors.exports.our_tables import APART, MARKETS, SUMMED
from datong.connectors.exports.questions import Asking, Option, Question
from datong.connectors.exports.stretches import days_counted
from datong.connectors.exports.table import Table
from datong.ledger.row_checks import ROW, shown
from datong.model.words import message

SPREAD, FIRST_DAY, REFUSE = "spread", "first_day", "refuse"
# The longest stretch that is spread over its days.
MOST_DAYS = 366
# Fields whose columns hold no counts, though their cells may be numbers.
_NO_COUNTS = ("date", "product", "name", "market", "term")


@dataclass(frozen=True)
class Stretch:
    """Days that a whole list counts together. first: of them; count: how many days."""

    first: date
    count: int


def stretch_of(table: Table, name: str, asking: Asking) -> Stretch | None:
    """The stretch of days that a list without dates counts together, as the file says and somebody confirms; None
    where it does not name its first and last day, or the list is refused."""
    said = sorted(days_within((table.above, name.rpartition(".")[0] or name, table.name.partition("/")[2])))
    if len(said) != 2 or (said[1] - said[0]).days >= MOST_DAYS:
        return None
    stretch = Stretch(said[0], (said[1] - said[0]).days + 1)
    words = {"first": str(said[0]), "last": str(said[1]), "count": stretch.count}
    options = tuple(Option(n, message(f"heard.reading.stretch_{n}", **words)) for n in (SPREAD, REFUSE))
    chosen = asking.ask(Question("stretch", message("heard.asks.stretch", **words), (), (), options))
    return stretch if chosen == SPREAD else None


def interest_rows(export: Export, when: Moments, product: pa.Array, stretch: Stretch | None) -> Taken:
    """The interest of a list. stretch: the days that all of it counts together, where it has no dates."""
    counts = _counts(export)
    _say_what_is_not_read(export)
    inside = export.rows.inside
    lengths = _lengths(export, when) if stretch is None else np.full(export.table.height, stretch.count)
    market = None
    if (cells := export.cells("market")) is not None and export.asking.said(MARKETS, (SUMMED, APART)) == APART:
        market = cells.text
    parts, used = [], np.zeros(len(inside), bool)
    taken: dict[str, float] = {}
    for kind, values in counts.items():
        rows = inside & ~np.isnan(values)
        used |= rows
        if rows.any():
            taken[kind] = float(values[rows].sum())
            parts.append(_of_kind(export, kind, np.flatnonzero(rows), (when.days, lengths, values), (product, market)))
    export.rows.drop("no_counts", inside & ~used, None)
    rows = _summed(pa.concat_tables(parts), export) if parts else _nothing(market is not None)
    return Taken(rows, used, taken)


def _counts(export: Export) -> dict[str, np.ndarray]:
    """(row,) how often, by kind of interest; NaN where it is not told. Of two columns of one kind the first counts."""
    columns = {}
    for kind, fields in COUNTED_BY.items():
        there = [name for field in fields if (name := export.choice.column(field)) is not None]
        if there:
            columns[kind] = there[0]
            if there[1:]:
                export.notes.append(message("heard.counted_by", column=there[0], other=", ".join(there[1:])))
    result = {}
    for kind, name in columns.items():
        column = read_numbers(export.columns[name])
        # Counts are whole: a sign that may part decimals or thousands parts thousands.
        values = np.where(column.unsure, np.fmax(column.point, column.comma), column.values("."))
        wrong = export.rows.inside & (column.unread | (values < 0))
        if wrong.any():
            words = {"column": name, "count": f"{wrong.sum():,}"}
            export.notes.append(message("heard.no_number", **words))
        result[kind] = np.where(wrong, np.nan, values)
    return result


def _say_what_is_not_read(export: Export) -> None:
    """Columns of numbers that are read as nothing: a count of interest may be among them."""
    taken = {guess.column for guess in export.choice.columns}
    taken.update(() if export.profile is None else export.profile.ignored)
    names = [n for f in _NO_COUNTS for n in columns_named(INTEREST, f, export.columns)]
    left = [
        name
        for name, cells in export.columns.items()
        if name not in taken and name not in names and facts_of(name, cells).numbers >= LEAST_SHARE
    ]
    if left:
        export.notes.append(message("heard.not_read", columns=", ".join(map(shown, left))))


def _lengths(export: Export, when: Moments) -> np.ndarray:
    """(row,) how many days each row counts together: 1, but for weeks, months, quarters and stretches, which are spread
    over their days where somebody does not say otherwise."""
    name = export.choice.column("date") or ""
    lengths = days_counted(export.columns[name], when.days)
    long = export.rows.inside & (lengths > 1)
    if not long.any():
        return lengths
    days = int(np.median(lengths[long]))
    words = {"column": name, "count": f"{long.sum():,}", "days": days}
    options = tuple(Option(n, message(f"heard.reading.length_{n}", **words)) for n in (SPREAD, FIRST_DAY))
    samples = tuple(export.columns[name].text.filter(pa.array(long)).unique().slice(0, 3).to_pylist())
    question = Question("length", message("heard.asks.length", **words), (name,), samples, options)
    return lengths if export.asking.ask(question) == SPREAD else np.ones(len(lengths), np.int64)


def _of_kind(
    export: Export,
    kind: str,
    at: np.ndarray,
    figures: tuple[np.ndarray, np.ndarray, np.ndarray],
    texts: tuple[pa.Array, pa.Array | None],
) -> pa.Table:
    """Rows of one kind of interest, a row for each day. at: rows of the file that tell it. figures: (row,) first day,
    days, count. texts: (row,) product, market."""
    first, lengths, values = figures
    place = np.repeat(at, lengths[at])
    ahead = np.arange(len(place)) - np.repeat(np.cumsum(lengths[at]) - lengths[at], lengths[at])
    days = first[place] + ahead
    columns = {
        "product": texts[0].take(pa.array(place)),
        "kind": pa.array([kind] * len(place), pa.string()),
        "day": pa.array(np.where(not_a_day(days), 0, days).astype(np.int32), pa.int32()).cast(pa.date32()),
        "count": pa.array(values[place] / lengths[place]),
        "spread": pa.array(lengths[place] > 1),
        ROW: pa.array(export.table.numbers[place], pa.int64()),
    }
    if texts[1] is not None:
        columns["market"] = texts[1].take(pa.array(place))
    return pa.table(columns)


def _summed(rows: pa.Table, export: Export) -> pa.Table:
    """Rows of one product, day, kind and market as one, with its key, in the order of the file."""
    by = ["product", "day", "kind", *(["market"] if "market" in rows.column_names else [])]
    sums = rows.group_by(by, use_threads=False).aggregate([("count", "sum"), ("spread", "max"), (ROW, "min")])
    sums = sums.sort_by([(f"{ROW}_min", "ascending"), ("kind", "ascending"), ("day", "ascending")])
    source = "" if export.profile is None else export.profile.key
    texts = [pc.cast(sums["day"], pa.string()), sums["product"], sums["kind"]]
    texts += [pc.fill_null(sums["market"], "")] if "market" in by else []
    columns = {
        "interest": pc.binary_join_element_wise(pa.scalar(source), *(t.combine_chunks() for t in texts), "/"),
        "product": sums["product"],
        "happened_at": sums["day"],
        "kind": sums["kind"],
        "count": sums["count_sum"],
        "assumed": pc.if_else(sums["spread_max"], pa.scalar("count"), pa.scalar(None, pa.string())),
    }
    if "market" in by:
        columns["market"] = sums["market"]
    return pa.table({**columns, ROW: sums[f"{ROW}_min"]})


def _nothing(markets: bool) -> pa.Table:
    texts = ("interest", "product", "kind", *(("market",) if markets else ()))
    schema = [(n, pa.string()) for n in texts] + [
        ("happened_at", pa.date32()), ("count", pa.float64()), (ROW, pa.int64()),
    ]  # fmt: skip
    return pa.schema(schema).empty_table()
