"""Quantities that stand on each line of an order again: they count the units of the whole order, and no line's."""

from collections.abc import Mapping

import numpy as np

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.price_units_amount import codes_of

# Fewest orders of several lines that show it: fewer may be so by chance.
LEAST_ORDERS = 3
# Share of these orders whose lines must add up to the quantity of the order: a file may lack a line.
_MOST_ORDERS = 0.9


def units_of_lines(order: Cells, found: np.ndarray, others: Mapping[str, np.ndarray]) -> tuple[tuple[str, ...], bool]:
    """The columns of the lines' quantities, where `found` is one number on all lines of each order, though another
    differs within orders; and whether the lines of just one of them add up to it. All are (row,)."""
    codes = codes_of(order)
    of = np.unique(codes, return_inverse=True)[1]
    lines = np.where(np.bincount(of, codes > 0) > 0, np.bincount(of), 0)
    several = lines > 1
    if several.sum() < LEAST_ORDERS or (_span(of, found) > 0)[several].any():
        return (), False
    largest = np.full(len(lines), -np.inf)
    np.maximum.at(largest, of, np.nan_to_num(found))
    unlike = {n: v for n, v in others.items() if (several & (_span(of, v) > 0)).sum() >= LEAST_ORDERS}
    adding_up = [n for n, v in unlike.items() if _adds_up(np.bincount(of, np.nan_to_num(v)), largest, several)]
    return (tuple(adding_up), True) if len(adding_up) == 1 else (tuple(unlike), False)


def _adds_up(sums: np.ndarray, of_order: np.ndarray, several: np.ndarray) -> bool:
    return bool(np.isclose(sums[several], of_order[several]).mean() >= _MOST_ORDERS)


def _span(of: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(order,) the difference between the largest and the smallest value of each order's lines."""
    values = np.nan_to_num(values)
    high, low = np.full(int(of.max()) + 1, -np.inf), np.full(int(of.max()) + 1, np.inf)
    np.maximum.at(high, of, values)
    np.minimum.at(low, of, values)
    return high - low
