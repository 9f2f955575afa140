"""Amounts that stand on each line of an order again: they may be of the whole order, and then no line's."""

import numpy as np
import pyarrow as pa

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.export import Export
from datong.connectors.exports.personal import names_people
from datong.connectors.exports.price_units_amount import codes_of, quoted_of
from datong.connectors.exports.questions import Option, Question
from datong.model.words import message

ORDER_AMOUNTS, OF_ORDER, OF_LINE = "order_amounts", "of_order", "of_line"
# Fewest orders of several lines that show it: fewer may cost the same by chance.
LEAST_ORDERS = 3


def amounts_of_lines(export: Export, amount: np.ndarray, units: np.ndarray) -> np.ndarray:
    """(row,) amount of each line, NaN where it is of an order of several. A question, where each order of several lines
    has one amount on all of them and its lines are not alike. units: (row,)."""
    order, column = export.cells("order"), export.choice.column("amount")
    if order is None or column is None:
        return amount
    in_several = repeated_amounts(order, amount, units, export.rows.inside)
    if not in_several.any():
        return amount
    orders = len(order.text.filter(pa.array(in_several)).unique())
    count = {"orders": f"{orders:,}", "column": column, "rows": f"{int(in_several.sum()):,}"}
    options = tuple(Option(name, message(f"export.reading.amounts_{name}", **count)) for name in (OF_ORDER, OF_LINE))
    samples = quoted_of(export.columns[column], in_several, names_people(export.columns))
    asks = message("export.asks.order_amounts", **count)
    if export.asking.ask(Question(ORDER_AMOUNTS, asks, (column,), samples, options)) == OF_LINE:
        return amount
    return np.where(in_several, np.nan, amount)


def repeated_amounts(order: Cells, amount: np.ndarray, units: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """(row,) bool: a line of an order of several, where each such order has one amount on all of its lines and these
    are not alike. (row,) each; inside: bool, rows that count."""
    codes = codes_of(order)
    rows = np.flatnonzero((codes > 0) & inside & ~np.isnan(amount))
    result = np.zeros(len(amount), dtype=bool)
    of = np.unique(codes[rows], return_inverse=True)[1]
    lines = np.bincount(of, minlength=1)
    several = lines > 1
    if several.sum() < LEAST_ORDERS or _spread(of, amount[rows], lines)[several].any():
        return result
    # Of lines that are alike in their quantity, an equal amount says nothing.
    unlike = several & (_spread(of, units[rows], lines) > 0)
    if unlike.sum() >= LEAST_ORDERS:
        result[rows] = several[of]
    return result


def _spread(of: np.ndarray, values: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """(order,) the difference between the largest and the smallest value of each order's lines."""
    high, low = np.full(len(lines), -np.inf), np.full(len(lines), np.inf)
    np.maximum.at(high, of, values)
    np.minimum.at(low, of, values)
    return high - low
