"""Quantities that are running totals: what was sold until each day. What was sold since the day before is taken."""

from dataclasses import replace
from typing import Literal

import numpy as np

from datong.connectors.exports.columns import tokens
from datong.connectors.exports.date_column import Moments
from datong.connectors.exports.day_month_order import not_a_day
from datong.connectors.exports.export import Export
from datong.connectors.exports.number_columns import Numbers
from datong.connectors.exports.price_units_amount import codes_of, samples_of
from datong.connectors.exports.questions import Option, Question
from datong.connectors.exports.vocabulary import plain
from datong.model.words import message

CUMULATIVE, DIFFERENCES, AS_IT_STANDS = "cumulative", "differences", "as_it_stands"
_WORDS = frozenset({"cumulative", "cumulated", "cumul", "cum", "ytd", "mtd", "running", "kumuliert", "kum",
                    "aufgelaufen", "cumule", "cumulee", "acumulado", "acumulada", "acum", "cumulato"})  # fmt: skip
_PHRASES = ("year to date", "to date", "累计", "累積", "累积", "누적", "lfd. summe", "laufende summe")
_LEAST_DAYS = 8  # of a product, in which what is sold now and then rises every time by no chance
_LEAST_SERIES = 3  # where no word says so: one product may sell more and more
_LEAST_SIZES = 3  # of a series' steps
_RISES = 0.5  # least share of the steps from one day to the next that rise
_HELD_BEFORE = 3  # times the largest step: a first total that is larger holds what was sold before the file


def says_running(header: str) -> bool:
    """Whether a header says that its numbers are running totals."""
    said = plain(header)
    words = {*tokens(header), *tokens(header.translate(str.maketrans("()[]【】", "      ")))}
    return bool(words & _WORDS) or any(phrase in said for phrase in _PHRASES)


def without_running_totals(export: Export, numbers: Numbers, when: Moments) -> Numbers:
    """The numbers, with what was sold since the day before in place of a running total, where the column is one: its
    name says so and its numbers never fall, else after a question."""
    column = numbers.units_column
    if column is None or export.table.wide or export.cells("order") is not None:
        return numbers
    product = codes_of(export.columns[export.choice.column("product") or ""])
    rows = np.flatnonzero((product > 0) & ~not_a_day(when.days) & ~np.isnan(numbers.units))
    market = export.cells("market")
    side = np.zeros(len(product), np.int64) if market is None else codes_of(market)
    series = np.unique(product[rows] * (int(side.max(initial=0)) + 1) + side[rows], return_inverse=True)[1]
    order = np.lexsort((when.days[rows], series))
    rows, series = rows[order], series[order]
    said = says_running(column)
    period = _period(when.days[rows], "M" if said else "Y")
    never_falls, steps = _steps(series, when.days[rows], period, numbers.units[rows])
    if not said and not (never_falls and _differ(series, steps)):
        return numbers
    since = numbers.units.copy()
    since[rows], before = _since(series, steps, numbers.units[rows], period)
    sums = {DIFFERENCES: np.nansum(np.abs(since)), AS_IT_STANDS: np.nansum(np.abs(numbers.units))}
    if not (said and never_falls) or CUMULATIVE in export.asking.answers:
        options = tuple(Option(n, message(f"export.reading.{n}_units", units=f"{of:,.10g}")) for n, of in sums.items())
        asks = message("export.asks.cumulative_said" if said else "export.asks.cumulative", column=column)
        question = Question(CUMULATIVE, asks, (column,), samples_of(export.columns[column]), options)
        if export.asking.ask(question) == AS_IT_STANDS:
            return numbers
    export.notes.append(message("export.running_totals", column=column, units=f"{sums[DIFFERENCES]:,.10g}"))
    if before:
        export.notes.append(message("export.sold_before", column=column, units=f"{before:,.10g}"))
    kept = {f: v for f, v in numbers.by_field.items() if f != "amount"}  # an amount may run on, or not
    return replace(numbers, units=since, by_field=kept | {"units": since})


def _period(days: np.ndarray, unit: Literal["M", "Y"]) -> np.ndarray:
    """(row,) the year or the month of each day, with which a running total may begin anew."""
    return days.astype("M8[D]").astype(f"M8[{unit}]").astype(np.int64)


def _steps(series: np.ndarray, days: np.ndarray, period: np.ndarray, units: np.ndarray) -> tuple[bool, np.ndarray]:
    """Whether numbers never fall from one day to the next within a series and a period, of several days each, and rise
    most times; and (row,) the step from the row before, NaN on the first of a series."""
    step = np.full(len(units), np.nan)
    if len(units) < 2:
        return False, step
    step[1:] = np.where(series[1:] == series[:-1], np.diff(units), np.nan)
    inner = ~np.isnan(step)
    within = inner & np.concatenate([[False], period[1:] == period[:-1]])
    tested = within & (np.bincount(series)[series] >= _LEAST_DAYS)
    again = (inner & np.concatenate([[False], days[1:] == days[:-1]])).any()
    if again or tested.sum() < _LEAST_DAYS - 1:
        return False, step
    return bool((step[within] >= 0).all() and (step[tested] > 0).mean() >= _RISES), step


def _differ(series: np.ndarray, steps: np.ndarray) -> bool:
    """Whether there are several series, and the steps of each are of several sizes, as what is sold is."""
    there = ~np.isnan(steps)
    sizes = np.unique(np.column_stack([series[there], np.round(steps[there], 6)]), axis=0)[:, 0].astype(np.int64)
    return int((np.bincount(sizes) >= _LEAST_SIZES).sum()) >= _LEAST_SERIES


def _since(series: np.ndarray, steps: np.ndarray, units: np.ndarray, period: np.ndarray) -> tuple[np.ndarray, float]:
    """(row,) units since the row before: the total itself where it begins anew in a period; on the first row of a
    series the total, too, but nothing where it is far larger than any step: then it holds what was sold before; and how
    many units these are."""
    anew = (steps < 0) & np.concatenate([[True], period[1:] != period[:-1]])
    first = np.isnan(steps)
    largest = np.zeros(int(series.max(initial=0)) + 1)
    np.maximum.at(largest, series, np.where(first | anew, 0, steps))
    held = first & (largest[series] > 0) & (units > _HELD_BEFORE * largest[series])
    return np.where(held, 0.0, np.where(anew | first, units, steps)), float(units[held].sum())
