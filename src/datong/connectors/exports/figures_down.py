"""Tables with a row for each figure of a product and a day: a column names the figure, another one holds its number."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports.columns import facts_of, header_score, named_fields
from datong.connectors.exports.price_units_amount import samples_of, sum_text
from datong.connectors.exports.questions import Asking, Option, Question
from datong.connectors.exports.table import Table
from datong.ledger.row_checks import shown
from datong.model.words import message

FIGURE = "figure"
_MOST_FIGURES = 24
_LEAST_SHARE = 0.8  # of the cells that are numbers
_NAMED = 0.5


def figures_down(table: Table, asking: Asking) -> tuple[Table, str] | None:
    """The rows that hold quantities, and the header of their numbers; None where no column names figures. Which of
    several quantities was sold is a question."""
    if table.wide or any(header_score("units", name) >= _NAMED for name in table.columns):
        return None
    values = _values(table)
    found = None if values is None else _figures(table, values)
    if values is None or found is None:
        return None
    name, quantities = found
    numbers = table.columns[values]
    rows = {q: pc.fill_null(pc.equal(table.columns[name].text, pa.scalar(q)), False) for q in quantities}
    chosen = quantities[0]
    if len(quantities) > 1:
        sums = {
            q: sum_text(numbers.take(np.flatnonzero(mask.to_numpy(zero_copy_only=False)))) for q, mask in rows.items()
        }
        options = tuple(Option(q, message("export.reading.figure", units=of)) for q, of in sums.items())
        asks = message("export.asks.figure", column=name)
        chosen = asking.ask(Question(FIGURE, asks, (name,), samples_of(table.columns[name]), options))
    kept = rows[chosen].to_numpy(zero_copy_only=False)
    note = message(
        "export.figures_down", column=name, values=values, figure=shown(chosen), count=f"{int((~kept).sum()):,}"
    )
    return replace(table.keep(kept), notes=(*table.notes, note)), values


def _values(table: Table) -> str | None:
    """The one column of numbers that no word names."""
    found = []
    for name, cells in table.columns.items():
        if not named_fields([name]) and (facts := facts_of(name, cells)).numbers >= _LEAST_SHARE:
            found += [name] if facts.dates < _LEAST_SHARE else []
    return found[0] if len(found) == 1 else None


def _figures(table: Table, values: str) -> tuple[str, list[str]] | None:
    """The column that names figures, some of them quantities, and one of them money, the best quantity first."""
    for name, cells in table.columns.items():
        texts = cells.text.unique().drop_null()
        if name == values or not 1 < len(texts) <= _MOST_FIGURES:
            continue
        named = texts.to_pylist()
        quantities = sorted((t for t in named if header_score("units", t) >= _NAMED), key=_by_score)
        others = [t for t in named if t not in quantities and named_fields([t]) & {"amount", "price"}]
        if quantities and others:
            return name, quantities
    return None


def _by_score(text: str) -> tuple[float, str]:
    return -header_score("units", text), text
