"""Groups whose name stands once, in a row of its own above their rows: each row gets the name of its group."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.columns import header_score, named_fields
from datong.connectors.exports.date_texts import parse
from datong.connectors.exports.filled_down import only_where
from datong.connectors.exports.left_out_counts import rows_where
from datong.connectors.exports.questions import Asking, Option, Question
from datong.connectors.exports.table import PERIOD_COLUMN, PRODUCT_COLUMN, Table
from datong.connectors.exports.vocabulary import is_total, names_total
from datong.ledger.row_checks import shown
from datong.model.words import message

_LEAST_GROUPS = 2
_MOSTLY = 0.8
_WHOLE_DAYS = frozenset({"day", "numeric"})
GROUPS, PRODUCTS, REFUSE = "groups", "products", "refuse"


def groups_down(table: Table, asking: Asking) -> Table:
    """A table whose groups stand in rows of their own, with their names in each row; any other as it is."""
    filled = np.array([cells.filled for cells in table.columns.values()])
    if not filled.size or table.wide:
        return table
    alone = filled.sum(axis=0) == 1
    dated = _below_dates(table, alone)
    if dated is not None:
        return dated
    for name, cells in table.columns.items():
        heads = _heads(cells, alone)
        if heads is None:
            continue
        texts = cells.text.filter(heads).unique().to_pylist()
        wanted = _meant(table, name, texts, asking)
        if wanted is None:
            continue
        of_group = np.maximum.accumulate(np.where(heads, np.arange(table.height), 0))
        rows = ~cells.filled & (np.cumsum(heads) > 0)
        made = only_where(cells.take(of_group), cells, rows)
        columns = {(wanted if n == name else n): (made if n == name else c) for n, c in table.columns.items()}
        note = message("export.groups", count=f"{len(texts):,}", names=shown(", ".join(texts[:3])))
        return replace(table, columns=columns, notes=(*table.notes, note)).keep(~heads)
    return table


def _below_dates(table: Table, alone: np.ndarray) -> Table | None:
    """A table whose days stand in rows of their own above their rows, in a column that holds something else there, with
    a column of dates; None for any other. alone: (row,) bool, nothing else stands in the row."""
    if alone.sum() < _LEAST_GROUPS or "date" in named_fields(list(table.columns)):
        return None
    for cells in table.columns.values():
        rows = cells.filled & alone
        texts = cells.text.filter(rows).to_pylist()
        days = np.array([(day := parse(text)) is not None and day.kind in _WHOLE_DAYS for text in texts], bool)
        if days.sum() < max(_LEAST_GROUPS, _MOSTLY * alone.sum()) or (cells.filled & ~rows).sum() < days.sum():
            continue
        heads = np.zeros(table.height, bool)
        heads[np.flatnonzero(rows)[days]] = True
        of_day = np.maximum.accumulate(np.where(heads, np.arange(table.height), 0))
        dates = only_where(cells.take(of_day), Cells(pa.nulls(table.height, pa.string())), np.cumsum(heads) > 0)
        names = shown(", ".join(dict.fromkeys(np.array(texts, dtype=object)[days][:3])))
        note = message("export.groups", count=f"{int(days.sum()):,}", names=names)
        return replace(table, columns={PERIOD_COLUMN: dates, **table.columns}, notes=(*table.notes, note)).keep(~heads)
    return None


def _heads(cells: Cells, alone: np.ndarray) -> np.ndarray | None:
    """(row,) bool: a row of a group's name, where all that a column holds are such names and those of sums, and each
    name has rows below it; None where that is not so. alone: (row,) bool, nothing else stands in the row."""
    if (cells.filled & alone).sum() < _LEAST_GROUPS:
        return None
    sums = rows_where(cells, is_total) | rows_where(cells, names_total)
    heads = cells.filled & alone & ~sums
    if heads.sum() < _LEAST_GROUPS or (cells.filled & ~heads & ~sums).any():
        return None
    rows = ~cells.filled & ~alone
    count = np.bincount(np.cumsum(heads), rows, minlength=int(heads.sum()) + 1)
    notes = [int(i) for i in np.flatnonzero(count[1:] == 0)]
    last = int(heads.sum()) - 1
    if count[0] or any(i < last for i in notes):  # rows above the first group, or groups of groups
        return None
    at = np.flatnonzero(heads)
    heads[at[notes]] = False
    return heads if heads.sum() >= _LEAST_GROUPS else None


def _meant(table: Table, name: str, texts: Sequence[str], asking: Asking) -> str | None:
    """The column that the names of groups make: their own, where it has a name; of days, or of products, where no other
    column is one. None where they mean nothing, or somebody refuses them."""
    if not name.startswith("#"):
        return name
    others = [n for n, cells in table.columns.items() if n != name and cells.filled.any()]
    found = named_fields(others)
    if "date" not in found and all(parse(text) is not None for text in texts):
        return PERIOD_COLUMN
    if found & {"product", "name"}:
        return None
    if not any(header_score(field, table.above) for field in ("product", "name")):
        options = (
            Option(PRODUCTS, message("export.reading.groups_products", count=f"{len(texts):,}")),
            Option(REFUSE, message("export.reading.groups_refuse")),
        )
        asks = message("export.asks.groups", names=shown(", ".join(texts[:3])))
        if asking.ask(Question(GROUPS, asks, (), tuple(map(shown, texts[:3])), options)) == REFUSE:
            return None
    return PRODUCT_COLUMN
