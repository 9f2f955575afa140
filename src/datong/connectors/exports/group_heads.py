"""Groups whose name stands once, in a row of its own above their rows, as do orders with what is of the whole order:
each row gets what stands in the row of its group."""

import re
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
from datong.connectors.exports.vocabulary import is_total, names_total, plain, words
from datong.ledger.row_checks import shown
from datong.model.words import message

_LEAST_GROUPS = 2
_LEAST_CELLS = 2  # of a row below a group's name
_MOSTLY = 0.8
_NAMED = 0.5  # of a header's score
_NAME_OF_GROUP = "name"
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
    of_products = _below_products(table, filled, asking)
    if of_products is not None:
        return of_products
    for place, (name, cells) in enumerate(table.columns.items()):
        heads = None if plain(name) in words("lists", "remarks") else _heads(cells, place, filled)
        if heads is None:
            continue
        of_heads = [[*table.columns][i] for i in np.flatnonzero(filled[:, heads].any(axis=1)).tolist()]
        texts = cells.text.filter(heads).unique().to_pylist()
        wanted = name if len(of_heads) > 1 else _meant(table, name, texts, asking)
        if wanted is None:
            continue
        of_group = np.maximum.accumulate(np.where(heads, np.arange(table.height), 0))
        rows = ~cells.filled & (np.cumsum(heads) > 0)
        columns = {
            (wanted if n == name else n): only_where(c.take(of_group), c, rows) if n in of_heads else c
            for n, c in table.columns.items()
        }
        note = message("export.groups", count=f"{int(heads.sum()):,}", names=shown(", ".join(texts[:3])))
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


def _below_products(table: Table, filled: np.ndarray, asking: Asking) -> Table | None:
    """A table whose products stand in rows of their own, in the column that holds the days of their rows, with a column
    of products; None for any other. A name may stand beside the code. filled: (column, row) bool."""
    names = [*table.columns]
    found = named_fields([n for n, cells in table.columns.items() if cells.filled.any()])
    dates = next((n for n in names if header_score("date", n) >= _NAMED), None)
    if dates is None or found & {"product", "name"} or "units" not in found:
        return None
    cells = table.columns[dates]
    encoded = cells.text.dictionary_encode()
    is_day = [parse(text) is not None for text in encoded.dictionary.to_pylist()]
    day = np.array([*is_day, False])[encoded.indices.fill_null(len(is_day)).to_numpy(zero_copy_only=False)]
    figures = [i for i, n in enumerate(names) if "units" in named_fields([n])]
    sums = rows_where(cells, is_total) | rows_where(cells, names_total)
    heads = cells.filled & ~day & ~sums & ~filled[figures].any(axis=0)
    below = np.bincount(np.cumsum(heads), day, minlength=int(heads.sum()) + 1)
    if heads.sum() < _LEAST_GROUPS or below[0] or not (below[1:] > 0).all():
        return None
    texts = [_without_label(text) for text in cells.text.filter(pa.array(heads)).to_pylist()]
    beside = [i for i, n in enumerate(names) if n != dates and filled[i][heads].any()]
    if len(beside) > 1 or not _are_products(texts, asking):
        return None
    of_group = np.maximum.accumulate(np.where(heads, np.arange(table.height), 0))
    at_head = np.cumsum(heads) - 1
    products = Cells(pa.array(texts, pa.string()).take(pa.array(np.maximum(at_head, 0))))
    columns = {PRODUCT_COLUMN: products, **table.columns}
    if beside:
        columns = {_NAME_OF_GROUP: table.columns[names[beside[0]]].take(of_group), **columns}
    note = message("export.groups", count=f"{int(heads.sum()):,}", names=shown(", ".join(texts[:3])))
    return replace(table, columns=columns, notes=(*table.notes, note)).keep(~heads)


def _without_label(text: str) -> str:
    """The name of a group without the name of its kind: 'Artikelnummer: KA-10'."""
    label, mark, rest = re.split(r"\s*([:：])\s*", text, maxsplit=1) if re.search("[:：]", text) else (text, "", "")
    return rest if mark and rest and named_fields([label]) & {"product", "name"} else text


def _heads(cells: Cells, place: int, filled: np.ndarray) -> np.ndarray | None:
    """(row,) bool: a row of a group's name, where all that a column holds are such names and those of sums, what else
    stands in their rows stands in no row of a group, and each name has rows below it; None where that is not so.
    place: of the column in filled, (column, row) bool."""
    own = filled[place]
    if own.all() or own.sum() < _LEAST_GROUPS:
        return None
    heads = own & ~filled[filled[:, ~own].any(axis=1)].any(axis=0)
    if heads.sum() < _LEAST_GROUPS:
        return None
    rest = cells.text.filter(pa.array(own & ~heads)).unique().to_pylist()
    if not all(is_total(text) or names_total(text) for text in rest):
        return None
    heads &= ~(rows_where(cells, is_total) | rows_where(cells, names_total))
    count = np.bincount(np.cumsum(heads), ~own & filled.any(axis=0), minlength=int(heads.sum()) + 1)
    notes = [int(i) for i in np.flatnonzero(count[1:] == 0)]
    last, alone = int(heads.sum()) - 1, filled[:, heads].any(axis=1).sum() == 1
    if count[0] or (alone and any(i < last for i in notes)):  # rows above the first group, or groups of groups
        return None
    below = filled.sum(axis=0)[~own & filled.any(axis=0)]
    if not len(below) or np.median(below) < _LEAST_CELLS or (not alone and len(notes) > (1 - _MOSTLY) * (last + 1)):
        return None
    if alone:
        heads[np.flatnonzero(heads)[notes]] = False
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
    if not any(header_score(field, table.above) for field in ("product", "name")) and not _are_products(texts, asking):
        return None
    return PRODUCT_COLUMN


def _are_products(texts: Sequence[str], asking: Asking) -> bool:
    """Whether somebody says that the names of groups are products."""
    options = (
        Option(PRODUCTS, message("export.reading.groups_products", count=f"{len(texts):,}")),
        Option(REFUSE, message("export.reading.groups_refuse")),
    )
    asks = message("export.asks.groups", names=shown(", ".join(texts[:3])))
    return asking.ask(Question(GROUPS, asks, (), tuple(map(shown, texts[:3])), options)) != REFUSE
