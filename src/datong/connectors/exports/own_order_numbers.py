"""Whether a file that is called like no table tells of goods that arrived for a chain's own orders, not of sales."""

from collections.abc import Collection, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.questions import Asking, Option, Question
from datong.connectors.exports.read_grids import Grid, Grids
from datong.ledger.row_checks import column_name
from datong.model.tables import tables
from datong.model.words import message

# The question whether a file is of receipts or of sales, and its answers.
KIND, RECEIPTS, SALES = "own_orders", "receipts", "sales"
# Words in the name of a file of goods that arrived.
_NAMES = ("到货", "收货", "入库", "receipt", "received", "arrival", "goods in")
# Numbers that are figures alone may be those of a shop's orders, too: this share of a column must be known.
_LEAST_SHARE = 0.5


def is_of_receipts(
    grids: Grids, name: str, orders: Collection[str], answers: Mapping[str, str]
) -> tuple[bool, tuple[Question, ...]]:
    """Whether a file is of receipts, and what is to be asked first. orders: numbers of the chain's own orders.

    A file with the columns of receipts, an order's number among them, is of these. Where our order numbers stand in it,
    or its name says that it is of goods that arrived, it is asked. Raises Refused for an answer that is none.
    """
    if any(_has_columns(grid) for grid in grids.grids):
        return True, ()
    known = [found for grid in grids.grids for found in (_known(cells, orders) for cells in grid.columns) if found]
    is_named = any(word in name.casefold() for word in _NAMES) and bool(orders)
    if not known and not is_named:
        return False, ()
    samples = tuple(dict.fromkeys(number for found in known for number in found))
    asks = message("export.asks.own_orders" if known else "export.asks.named_receipts", count=len(samples))
    options = tuple(Option(kind, message(f"export.reading.own_{kind}")) for kind in (RECEIPTS, SALES))
    asking = Asking(answers)
    chosen = asking.ask(Question(KIND, asks, (), samples, options))
    return chosen == RECEIPTS, tuple(asking.open)


def _has_columns(grid: Grid) -> bool:
    """Whether all titles are columns of receipts, what a receipt must tell and the number of its order among them."""
    table = tables()[RECEIPTS]
    headers = [header for header in (grid.header or (grid.head(1) or [[]])[0]) if header.strip()]
    named = [column_name(table, header) for header in headers]
    needed = {column.name for column in table.columns.values() if column.required} | {"order"}
    return needed <= set(named) and all(name in table.columns for name in named)


def _known(cells: Cells, orders: Collection[str]) -> list[str]:
    """The numbers of our orders in a column; none where they may be those of a shop."""
    texts = cells.text
    texts = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    ours = texts.filter(pc.is_in(texts, pa.array(sorted(orders), pa.string())).fill_null(False))
    filled = len(texts) - texts.null_count
    found = ours.unique().to_pylist()
    is_plain = all(number.isdecimal() for number in found)
    return [] if is_plain and len(ours) < _LEAST_SHARE * max(filled - 1, 1) else found
