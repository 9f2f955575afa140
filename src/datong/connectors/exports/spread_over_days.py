"""Sales of a month or of another stretch of days, spread over its days, so that a week has the units of its own days.

A row that counts more days than a bucket of the chain, a month where it plans by week, a week where it plans by day,
becomes a row for each of its days. Each says that its day is assumed, is known when the last of its days is over, and
has a key of its own, of which the first day's is that of the row: the same export again changes nothing, and a
corrected month corrects its days.

Whole units stay whole: a day gets the quotient of units and days, or one more (largest remainder; all remainders are
equal). Which days get one more is the even spacing of Bresenham (1965, IBM Systems Journal 4), begun at a place that
the product's code gives, lest what sells one unit a month sells it on the same day as all others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports.date_column import Moments
from datong.connectors.exports.day_month_order import not_a_day
from datong.connectors.exports.day_of_list import days_within
from datong.connectors.exports.export import Export
from datong.connectors.exports.order_line_keys import DAY_OF_STRETCH, Lines, turns
from datong.connectors.exports.stretches import days_counted
from datong.model.words import Message, message

# Days of a bucket, where nobody says otherwise.
WEEK = 7
# What somebody may say of rows that count several days.
STRETCHES, SPREAD, AS_DATED = "stretches", "spread", "as_dated"
# The longest stretch that is spread over its days.
MOST_DAYS = 366
# Months on whose first day alone, or last day alone, a list has rows before they are taken for sums of months.
LEAST_MONTHS = 3
# The row of a file, among the columns of a table that is to be spread.
PLACE = "__place"
# Parts of a whole turn between the places where rows of one product and stretch begin: the golden ratio spaces any
# number of them evenly.
_GOLDEN = (5**0.5 - 1) / 2
_THOUSANDTHS, _SAME = 1000.0, 1e-6
_EPOCH = date(1970, 1, 1)
_KEYS = ("sale", "return")


@dataclass(frozen=True, eq=False)
class Stretches:
    """first: (row,) first day that each row counts, since 1970-01-01. counted: (row,) over how many days it is spread;
    1: it stays as it is. known: (row,) the day at whose end its units are known. phase: (row,) 0 to 1, where its even
    spacing begins."""

    first: np.ndarray
    counted: np.ndarray
    known: np.ndarray
    phase: np.ndarray


@dataclass(frozen=True)
class Spread:
    """What was spread over days. rows: of the file; units: sold and returned; first, last: days."""

    rows: int
    units: float
    first: date
    last: date

    def said(self) -> Message:
        words = {"first": str(self.first), "last": str(self.last)}
        return message("export.spread", rows=f"{self.rows:,}", units=f"{self.units:,.10g}", **words)


def stretches_of(
    export: Export, when: Moments, product: pa.Array, units: np.ndarray, bucket_days: int
) -> Stretches | None:
    """The days that each row counts together, where any counts more than a bucket has; None where none does, or
    somebody says that each row is to count on the day that it names. units: (row,) as they are written."""
    inside = export.rows.inside & ~not_a_day(when.days)
    if when.seconds[inside].any():
        return None  # moments tell their day
    lengths = days_counted(export.columns[export.choice.column("date") or ""], when.days)
    first = when.days
    if (lengths[inside] == 1).all():
        first, lengths = _months_by_one_day(export, when.days, inside)
    long = inside & (lengths > bucket_days) & (lengths <= MOST_DAYS)
    if not long.any():
        return None
    of_orders = export.cells("order") is not None and not export.table.wide  # each line was sold on one day
    # In a list a day that is written counts, until somebody says otherwise.
    are_dates = first is not when.days and not export.table.wide and STRETCHES not in export.asking.answers
    if export.asking.said(STRETCHES, (SPREAD, AS_DATED)) == AS_DATED or of_orders or are_dates:
        words = {"rows": f"{long.sum():,}", "units": f"{np.abs(np.nan_to_num(units))[long].sum():,.10g}"}
        key = "export.may_be_months" if are_dates and not of_orders else "export.on_one_day"
        export.notes.append(message(key, **words))
        return None
    counted, known = np.where(long, lengths, 1), np.where(long, first + lengths - 1, first)
    counted, known = _until_the_export(export, first, counted, known, long)
    return Stretches(np.where(long, first, when.days), counted, known, _phases(product, first))


def _months_by_one_day(export: Export, days: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(row,) first day and length of what each row counts: months, where all rows of several of them stand on the first
    day of one, or all on the last."""
    single = np.ones(len(days), np.int64)
    safe = np.where(inside, days, 0).astype("M8[D]")
    months = safe.astype("M8[M]")
    starts = months.astype("M8[D]")
    ends = (months + 1).astype("M8[D]")
    said = export.asking.answers.get(STRETCHES) == SPREAD
    if not inside.any() or (len(np.unique(months[inside])) < LEAST_MONTHS and not said):
        return days, single
    for at in (starts, ends - 1):
        if (safe == at)[inside].all():
            lengths = (ends - starts).astype(np.int64)
            return np.where(inside, starts.astype(np.int64), days), np.where(inside, lengths, single)
    return days, single


def _until_the_export(
    export: Export, first: np.ndarray, counted: np.ndarray, known: np.ndarray, long: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(row,) days and the day of knowledge, where the last stretch is not over: it ends with the day on which the file
    was made, as its name says, or with today."""
    begin = int(first[long].max())
    last = long & (first == begin)
    end = int((first + counted)[last].max()) - 1
    stem = export.name.rpartition(".")[0] or export.name
    named = sorted((day - _EPOCH).days for day in days_within((export.table.above, stem)))
    today = None if export.today is None else (export.today - _EPOCH).days
    made = next((day for day in reversed(named) if begin < day < end), None)
    until = made if made is not None and (today is None or made <= today) else today
    if until is None or not begin <= until <= end or (until == end and until != today):
        return counted, known
    day = _EPOCH + timedelta(days=until)
    of = _EPOCH + timedelta(days=begin)
    key = "export.until_named" if until == made else "export.until_today"
    export.notes.append(message(key, first=str(of), last=str(day)))
    # What is known on a day that is not over is known as it begins.
    return np.where(last, until - begin + 1, counted), np.where(last, until - 1, known)


def _phases(product: pa.Array, first: np.ndarray) -> np.ndarray:
    """(row,) where the even spacing of each row begins: by the product's code, and its turn in the same stretch."""
    encoded = product.fill_null("").dictionary_encode()
    own = np.array([crc32(str(code).encode()) / 2**32 for code in encoded.dictionary.to_pylist()])
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    line = pc.binary_join_element_wise(pa.array(first).cast(pa.string()), product.fill_null(""), "/")
    return (own[codes] + _GOLDEN * (turns(line) - 1)) % 1.0


def over_days(rows: pa.Table, stretches: Stretches) -> pa.Table:
    """Rows of sales or returns with PLACE, each that counts several days as a row for each of them."""
    at = rows[PLACE].to_numpy()
    place, ahead = _each_day(stretches.counted[at])
    row = at[place]
    result = rows.drop_columns([PLACE]).take(pa.array(place))
    days = stretches.counted[row]
    spread = pa.array(days > 1)
    units = day_units(rows["units"].to_numpy()[place], days, ahead, stretches.phase[row])
    changed: dict[str, pa.Array] = {
        "happened_at": _as_dates(stretches.first[row] + ahead),
        "units": pa.array(units),
    }
    changed |= {key: _keys(result[key], ahead) for key in _KEYS if key in result.column_names}
    for name, values in changed.items():
        result = result.set_column(result.column_names.index(name), name, values)
    nothing = pa.scalar(None, pa.string())
    result = result.append_column("assumed", pc.if_else(spread, pa.scalar("happened_at"), nothing))
    known = pc.if_else(spread, _as_dates(stretches.known[row]), pa.scalar(None, pa.date32()))
    return result.append_column("known_at", known)


def day_units(units: np.ndarray, days: np.ndarray, ahead: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """Units of a day: `ahead` days after the first of `days`, among which a row's units are spread evenly from a phase
    on. Whole units u give whole days, whose sum is theirs: floor((q + u (i + 1)) / n) - floor((q + u i) / n), where
    0 <= q < n is the phase. Of broken units the thousandths are spread so."""
    scale = np.where(units == np.round(units), 1.0, _THOUSANDTHS)
    count = np.round(units * scale).astype(np.int64)
    begin = np.floor(phase * days).astype(np.int64)
    steps = (begin + count * (ahead + 1)) // days - (begin + count * ahead) // days
    return np.where(np.isclose(count, units * scale, rtol=0.0, atol=_SAME), steps / scale, units / days)


def spread_lines(lines: Lines, stretches: Stretches) -> Lines:
    """The keys of lines with those of their days."""
    if lines.keys is None:
        return lines
    place, ahead = _each_day(stretches.counted)
    return Lines(_keys(lines.keys.take(pa.array(place)), ahead), lines.kind)


def told_of_spread(stretches: Stretches, units: np.ndarray) -> Spread | None:
    """units: (row,) sold and returned. None where none are spread."""
    rows = (stretches.counted > 1) & (units != 0)
    if not rows.any():
        return None
    begin = stretches.first[rows]
    first, last = int(begin.min()), int((begin + stretches.counted[rows]).max()) - 1
    return Spread(
        int(rows.sum()), round(float(units[rows].sum()), 9), *(_EPOCH + timedelta(days=d) for d in (first, last))
    )


def spread_tables(tables: Mapping[str, pa.Table], stretches: Stretches) -> dict[str, pa.Table]:
    """Our tables with sales and returns over their days."""
    return {n: over_days(t, stretches) if PLACE in t.column_names else t for n, t in tables.items()}


def _each_day(counted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(day,) position of the row that each day is of, and how many days it is after the first of them."""
    place = np.repeat(np.arange(len(counted)), counted)
    return place, np.arange(len(place)) - np.repeat(np.cumsum(counted) - counted, counted)


def _keys(keys: pa.ChunkedArray | pa.Array, ahead: np.ndarray) -> pa.ChunkedArray | pa.Array:
    number = pc.utf8_lpad(pa.array(ahead).cast(pa.string()), 2, "0")
    own = pc.binary_join_element_wise(keys, number, DAY_OF_STRETCH)
    return pc.if_else(pa.array(ahead > 0), own, keys)


def _as_dates(days: np.ndarray) -> pa.Array:
    none = not_a_day(days)
    return pa.array(np.where(none, 0, days).astype(np.int32), pa.int32(), mask=none).cast(pa.date32())
