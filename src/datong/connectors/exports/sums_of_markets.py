"""A market that is all others together, whatever it is called: known by its sums."""

from collections.abc import Mapping

import numpy as np

from datong.connectors.exports.date_column import Moments
from datong.connectors.exports.export import Export
from datong.connectors.exports.number_columns import Numbers
from datong.connectors.exports.price_units_amount import codes_of
from datong.ledger.row_checks import shown

# Fewest sums that show it, of as many markets as have sales: fewer may be so by chance.
_LEAST_SUMS = 8
_LEAST_MARKETS = 3
_MOST_MARKETS = 500
# Share of the sums that must hold.
_NEARLY_ALL = 0.99


def leave_sums_of_markets_out(export: Export, numbers: Numbers, when: Moments) -> None:
    """Rows of a market whose units are, product by product and day by day, those of all others together."""
    column = export.choice.column("market")
    if column is None:
        return
    market = codes_of(export.columns[column])
    rows = np.flatnonzero(export.rows.inside & (market > 0) & ~np.isnan(numbers.units))
    known, of = np.unique(market[rows], return_inverse=True)
    if not _LEAST_MARKETS <= len(known) <= _MOST_MARKETS:
        return
    product = codes_of(export.columns[export.choice.column("product") or ""])[rows]
    day = np.unique(when.days[rows], return_inverse=True)[1]
    cell = np.unique(product * (int(day.max()) + 1) + day, return_inverse=True)[1]
    whole = np.bincount(cell, numbers.units[rows])
    for place, code in enumerate(known):
        own = np.bincount(cell[of == place], numbers.units[rows][of == place], minlength=len(whole))
        others = np.unique(of[(of != place) & (numbers.units[rows] != 0)])
        if len(others) >= _LEAST_MARKETS - 1 and _is_sum(own, whole - own):
            name = export.columns[column].text[int(rows[of == place][0])].as_py()
            export.rows.drop("market_sum", market == code, None, f"{shown(column)}: {shown(name)}")
            return


def sum_of_sides(quantities: Mapping[str, np.ndarray]) -> str | None:
    """Of columns of markets' quantities the one that is all others together; None where none is."""
    if len(quantities) < _LEAST_MARKETS:
        return None
    values = {name: np.nan_to_num(of) for name, of in quantities.items()}
    whole = np.sum(list(values.values()), axis=0)
    return next((name for name, own in values.items() if own.any() and _is_sum(own, whole - own)), None)


def _is_sum(own: np.ndarray, others: np.ndarray) -> bool:
    told = (own != 0) | (others != 0)
    return int(told.sum()) >= _LEAST_SUMS and float(np.isclose(own[told], others[told]).mean()) >= _NEARLY_ALL
