"""Products that stand as columns, beside one column of dates: read as rows, where somebody says that they are some."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.columns import Choice, named_fields
from datong.connectors.exports.markets_across import sides_of, with_a_row_each
from datong.connectors.exports.numbers import read_numbers
from datong.connectors.exports.periods_across import NOTHING_SOLD, is_sum, mostly_numbers
from datong.connectors.exports.price_units_amount import sum_text
from datong.connectors.exports.questions import Asking, Option, Question
from datong.connectors.exports.table import MARKET_COLUMN, PRODUCT_COLUMN, UNITS_COLUMN, Table
from datong.connectors.exports.vocabulary import is_total, names_total
from datong.ledger.row_checks import shown
from datong.model.words import message

_LEAST_PRODUCTS = 2
_OF_PRODUCTS = {"product", "name"}


def products_down(table: Table, choice: Choice, asking: Asking) -> Table | None:
    """The table with a row for each product and date; None where no columns may be products, or they are none."""
    date = choice.column("date")
    taken = {guess.column for guess in choice.columns if not is_total(guess.column)}
    fields = {guess.field for guess in choice.columns if guess.column in taken}
    if date is not None and not table.wide and not fields & _OF_PRODUCTS:
        sides = sides_of(table, choice)
        if len(sides) >= _LEAST_PRODUCTS:
            return _of_sides(table, choice, sides, asking)
    if date is None or table.wide or fields & {"product", "units", "price", "amount"}:
        return None
    free = [n for n in table.columns if n not in taken and not n.startswith("#")]
    numeric = [n for n in free if mostly_numbers(table.columns[n])]
    sums = [n for n in numeric if is_total(n) or names_total(n)]
    products = [n for n in numeric if n not in sums]
    if len(products) > _LEAST_PRODUCTS:
        sums += [n for n in products if is_sum(table, n, [other for other in products if other != n])]
    products = [n for n in products if n not in sums]
    if len(products) < _LEAST_PRODUCTS or named_fields(products) - _OF_PRODUCTS:
        return None
    return _down(table, products, sums) if _are_products(table, products, asking) else None


def _are_products(table: Table, columns: Sequence[str], asking: Asking) -> bool:
    """Whether somebody says that columns of quantities are products."""
    units = f"{sum(np.nansum(read_numbers(table.columns[n]).values('.')) for n in columns):,.10g}"
    options = (
        Option("products", message("export.reading.across_products", count=len(columns), units=units)),
        Option("refuse", message("export.reading.across_refuse")),
    )
    asks = message("export.asks.products_across", columns=shown(", ".join(columns)))
    samples = tuple(sum_text(table.columns[n]) for n in columns[:3])
    return asking.ask(Question("products_across", asks, tuple(columns), samples, options)) != "refuse"


def _of_sides(table: Table, choice: Choice, sides: Mapping[str, str], asking: Asking) -> Table | None:
    """A row for each of several columns of quantities whose other words name products, with its own money."""
    if not _are_products(table, list(sides.values()), asking):
        return None
    made = with_a_row_each(table, choice, sides)
    columns = {(PRODUCT_COLUMN if n == MARKET_COLUMN else n): c for n, c in made.columns.items()}
    note = message("export.products_across", count=len(sides))
    return replace(made, columns=columns, notes=(*table.notes, note))


def _down(table: Table, products: list[str], sums: list[str]) -> Table:
    """Empty cells and zeros make no row; columns of sums are left out."""
    pieces = []
    for place, name in enumerate(products):
        cells = table.columns[name]
        sold = [i for i, text in enumerate(cells.text.to_pylist()) if text is not None and not NOTHING_SOLD.match(text)]
        pieces.append((np.array(sold, np.int64), place))
    rows = np.concatenate([at for at, _ in pieces])
    places = np.concatenate([np.full(len(at), place) for at, place in pieces])
    sort = np.lexsort((places, rows))
    kinds = [table.columns[n].kind for n in products]
    of_cells = [np.zeros(len(at), np.uint8) if k is None else k[at] for (at, _), k in zip(pieces, kinds, strict=True)]
    kind = np.concatenate(of_cells)
    text = pa.concat_arrays([table.columns[products[place]].text.take(pa.array(at)) for at, place in pieces])
    units = Cells(text, None if all(k is None for k in kinds) else kind).take(sort)
    ids = {n: c.take(rows[sort]) for n, c in table.columns.items() if n not in products and n not in sums}
    columns = {**ids, PRODUCT_COLUMN: Cells(pa.array(products).take(pa.array(places[sort]))), UNITS_COLUMN: units}
    notes = [message("export.products_across", count=len(products))]
    notes += [message("export.sum_columns", columns=", ".join(sums))] if sums else []
    return replace(table, columns=columns, numbers=table.numbers[rows[sort]], wide=True, notes=(*table.notes, *notes))
