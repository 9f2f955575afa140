"""A list whose dates have no year: of which it is, somebody says."""

from dataclasses import replace
from datetime import date

from datong.connectors.exports.day_month_order import decide_order, read_dates
from datong.connectors.exports.periods_across import of_year, without_year
from datong.connectors.exports.price_units_amount import samples_of, span_of
from datong.connectors.exports.questions import Asking, Option, Question
from datong.connectors.exports.table import Table
from datong.model.words import message

YEAR = "year"


def year_of_list(table: Table, today: date | None, asking: Asking) -> Table:
    """A table with the year that somebody says in dates without one; any other as it is, also where nobody says what
    day is today. What would lie in days to come is no reading."""
    name = None if today is None else without_year(table)
    if name is None or today is None:
        return table
    options = []
    for year in (today.year, today.year - 1, today.year - 2):
        column = read_dates(of_year(table, name, str(year)).columns[name], False)
        days = column.days[decide_order(column, (), False).order]
        span = span_of(days)
        if span["first"] <= str(today):
            options.append(Option(str(year), message("export.reading.year", **span)))
    samples = samples_of(table.columns[name])
    asks = message("export.asks.year", column=name)
    chosen = asking.ask(Question(YEAR, asks, (name,), samples, tuple(options)))
    note = message("export.year_said", column=name, year=chosen)
    return replace(of_year(table, name, chosen), notes=(*table.notes, note))
