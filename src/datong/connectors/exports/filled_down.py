"""Cells that stand once for several rows: for a group, a day, an order. They hold on all of its rows."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.columns import NUMBER_FIELDS
from datong.connectors.exports.date_texts import parse
from datong.connectors.exports.export import Export
from datong.connectors.exports.price_units_amount import sum_text, texts_of
from datong.connectors.exports.profiles import present
from datong.connectors.exports.questions import Option, Question
from datong.connectors.exports.vocabulary import plain
from datong.model.words import message

# The least share of rows that a column with a value for each group leaves empty, without a question.
_GROUPED_SHARES = {"date": 0.2, "order": 0.2, "product": 0.4}

# Of so many orders with several lines none has a value on its others: then it is no chance.
_LEAST_ORDERS = 2


@dataclass(frozen=True, eq=False)
class Told:
    """What the file itself says of its rows, before anything is carried to them. (row,) bool each. named: the product
    has a name. of_order: whose order it is, or its state, is told, which no row of sums has."""

    named: np.ndarray
    of_order: np.ndarray


def told_of_rows(export: Export) -> Told:
    fields = [n for f in ("order", "customer") if (n := export.choice.column(f)) is not None]
    filled = [export.columns[n].filled for n in (*fields, *export.choice.states, *export.choice.kinds)]
    name = export.cells("name")
    nothing = np.zeros(export.table.height, bool)
    return Told(nothing if name is None else name.filled, np.any(filled, axis=0) if filled else nothing)


def carry(export: Export) -> None:
    """Cells that stand once for a group or an order, on all its rows."""
    numbers = [export.columns[n] for f in ("units", "amount", "price") if (n := export.choice.column(f)) is not None]
    has_number = np.ones(export.table.height, bool) if not numbers else np.any([c.filled for c in numbers], axis=0)
    keys = name_columns(export)
    sums = export.rows.totals(keys) | export.rows.hints_of_totals(keys)
    inner = has_number & ~sums & np.any([cells.filled for cells in keys], axis=0) & ~_below(export)
    for wanted in ("order", "date", "product", "name", "customer", "market"):
        name = export.choice.column(wanted)
        rows = inner & ~named_only(export) if wanted == "product" else inner
        rows = rows & ~_dated_otherwise(export) if wanted == "date" else rows
        if name is not None and name in export.table.columns:
            rows = rows & ~export.table.columns[name].errors  # something should stand there
        if name is not None and is_gappy(export.columns[name], rows):
            _fill(export, wanted, name, rows)
    if export.cells("order") is None:
        _with_states_of_groups(export, inner)
        return
    whose = [n for f in ("date", "customer", "market") if (n := export.choice.column(f)) is not None]
    when = [n for f in ("cancelled_at", "refunded_at", "shipped_at") if (n := export.choice.column(f)) is not None]
    when += [] if export.profile is None else _other_dates(export)
    for name in (*whose, *when, *export.choice.states, *export.choice.flags, *export.choice.kinds):
        before = export.columns[name]
        export.columns[name] = on_all_lines(export, name, before, of_order=name in whose)
        if (more := int(export.columns[name].filled.sum() - before.filled.sum())) > 0:
            export.notes.append(message("export.carried", column=name, count=more))


def _with_states_of_groups(export: Export, inner: np.ndarray) -> None:
    """States that stand on the first row of each group only, as its date does, on all its rows: a list of orders
    without their numbers, or whose numbers no word names."""
    name = export.choice.column("date")
    before = None if name is None else export.table.columns.get(name)
    dated = None if name is None or before is None else before.filled
    first = None if dated is None or (export.columns[name or ""].filled == dated).all() else inner & dated
    for state in (*export.choice.states, *export.choice.flags, *export.choice.kinds):
        cells = export.columns[state]
        if (numbers := _numbers_of_groups(export, cells, inner)) is not None:
            export.columns[state] = only_where(carried(cells, export.table.columns[numbers]), cells, inner)
            count = int((export.columns[state].filled & ~cells.filled).sum())
            export.notes.append(message("export.carried_by", column=state, by=numbers, count=f"{count:,}"))
            continue
        if first is not None and (cells.filled[inner] == first[inner]).all():
            export.columns[state] = only_where(filled_down(cells), cells, inner)
            count = f"{int((inner & ~first).sum()):,}"
            export.notes.append(message("export.filled_down", column=state, count=count))


def _numbers_of_groups(export: Export, cells: Cells, inner: np.ndarray) -> str | None:
    """The column whose values name the groups of which some cells stand on the first row, and on no other: the numbers
    of orders, under a header that says nothing. None where there is none."""
    at = np.flatnonzero(inner)
    there = cells.filled[at]
    if there.all() or not there.any():
        return None
    taken = {export.choice.column(f) for f in (*NUMBER_FIELDS, "product", "name")}
    for name, other in export.table.columns.items():
        of_group = other.take(at)
        if name in taken or not of_group.filled.all():
            continue
        codes = of_group.text.dictionary_encode().indices.to_numpy(zero_copy_only=False)
        _, first, rows = np.unique(codes, return_index=True, return_counts=True)
        is_first = np.zeros(len(at), bool)
        is_first[first] = True
        if (is_first == there).all() and int((rows > 1).sum()) >= _LEAST_ORDERS:
            return name
    return None


def on_all_lines(export: Export, name: str, cells: Cells, *, of_order: bool = False) -> Cells:
    """What a column says on one line of an order, on all its lines, where it speaks of the order: by its own gaps, by
    other columns that stand on the first line of each order only, or by an answer. cells: of the column, or some of
    them. of_order: it speaks of the order in any case."""
    order = export.cells("order")
    if order is None or is_of_line(name):
        return cells
    more = carried(cells, order)
    gained = more.filled & ~cells.filled
    if of_order or not gained.any() or _is_in_every_order(cells, order):
        return more
    if not _is_first_only(cells, order):
        return cells
    if export.profile is not None or any(is_of_order(other, order) for other in export.table.columns.values()):
        return more
    units = export.cells("units")
    gains = f"{int(gained.sum()):,}" if units is None else sum_text(units.take(np.flatnonzero(gained)))
    asks = message("export.asks.of_order", column=name, count=f"{int(gained.sum()):,}")
    options = tuple(Option(n, message(f"export.reading.of_{n}", units=gains)) for n in ("line", "order"))
    samples = texts_of(cells, cells.filled)
    return (
        more if export.asking.ask(Question(f"of_order:{name}", asks, (name,), samples, options)) == "order" else cells
    )


def _is_in_every_order(cells: Cells, order: Cells) -> bool:
    """Whether each order has a value of a column on some line, and none has two."""
    rows = np.flatnonzero(order.filled)
    codes = order.text.take(pa.array(rows)).dictionary_encode().indices.to_numpy(zero_copy_only=False)
    values = cells.text.take(pa.array(rows)).dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False)
    pairs = np.unique(np.stack([codes, values])[:, values >= 0], axis=1)[0]
    return len(pairs) == len(np.unique(pairs)) == len(np.unique(codes))


def _is_first_only(cells: Cells, order: Cells) -> bool:
    """Whether no order has a value of a column on another line than its first."""
    rows = np.flatnonzero(order.filled)
    codes = order.text.take(pa.array(rows)).dictionary_encode().indices.to_numpy(zero_copy_only=False)
    others = np.ones(len(rows), bool)
    others[np.unique(codes, return_index=True)[1]] = False
    return not cells.filled[rows[others]].any()


def _fill(export: Export, wanted: str, name: str, inner: np.ndarray) -> None:
    cells = export.columns[name]
    gaps = inner & ~cells.filled
    if not is_grouped(cells, inner) and not _is_grouped_beside(export, cells, inner):
        return
    product = export.cells("product")
    alone = wanted not in ("date", "order") and product is not None and wanted != "product"
    share = gaps.sum() / max(1, inner.sum())
    if share < _GROUPED_SHARES.get(wanted, 0.0):
        units = f"{int(gaps.sum()):,}"
        options = tuple(Option(n, message(f"export.reading.{n}", count=units)) for n in ("leave_out", "take_above"))
        asks = message("export.asks.gaps", column=name, count=units)
        if wanted == "order":
            return
        export.settled.add(name)
        if export.asking.ask(Question(f"gaps:{name}", asks, (name,), (), options)) == "leave_out":
            return
    elif alone and share < 0.3:
        return
    filled = filled_down(cells)
    export.columns[name] = only_where(filled, cells, inner)
    export.notes.append(message("export.filled_down", column=name, count=f"{int(gaps.sum()):,}"))


def is_of_line(name: str) -> bool:
    """Whether a column speaks of one line of an order, not of the order."""
    return plain(name).startswith(("lineitem", "line item", "item", "line ", "商品", "子订单"))


def is_of_order(cells: Cells, order: Cells) -> bool:
    """Whether a column stands on the first line of each order only, of orders of which some have more lines."""
    rows = np.flatnonzero(order.filled)
    if not len(rows):
        return False
    codes = order.text.take(pa.array(rows)).dictionary_encode().indices.to_numpy(zero_copy_only=False)
    _, first, lines = np.unique(codes, return_index=True, return_counts=True)
    filled = cells.filled[rows]
    several = lines > 1
    others = np.ones(len(rows), bool)
    others[first] = False
    return int(several.sum()) >= _LEAST_ORDERS and bool(filled[first[several]].all()) and not filled[others].any()


def is_gappy(cells: Cells, rows: np.ndarray) -> bool:
    return bool((rows & ~cells.filled).any() and (rows & cells.filled).any())


def date_by_profile(export: Export, told: Told) -> None:
    """Orders that are not paid yet have no day of payment: they go by the next date that their platform writes."""
    name = export.choice.column("date")
    if export.profile is None or name is None or name in export.known.values():
        return
    product = export.cells("product")
    of_sale = told.of_order if product is None else told.of_order | product.filled
    for other in present(export.profile.columns["date"], export.columns):
        gaps = of_sale & ~export.columns[name].filled & export.columns[other].filled
        if gaps.any():
            export.columns[name] = only_where(export.columns[other], export.columns[name], gaps)
            export.notes.append(message("export.date_from", column=name, other=other, count=f"{int(gaps.sum()):,}"))


def _dated_otherwise(export: Export) -> np.ndarray:
    """(row,) bool: another date of the platform's stands in the row, which `date_by_profile` takes."""
    nothing = np.zeros(export.table.height, bool)
    return np.any([nothing, *(export.columns[n].filled for n in _other_dates(export))], axis=0)


def _other_dates(export: Export) -> list[str]:
    """Other columns of dates of the platform, for rows without the first."""
    dates = () if export.profile is None else present(export.profile.columns["date"], export.columns)
    return [name for name in dates if name != export.choice.column("date")]


def _below(export: Export) -> np.ndarray:
    """(row,) bool: below the last row with a product, and a text under the dates that is none: a note, which belongs to
    no group."""
    named = [cells.filled for f in ("product", "name") if (cells := export.cells(f)) is not None]
    result = np.zeros(export.table.height, bool)
    dates = export.cells("date")
    there = np.flatnonzero(np.any(named, axis=0)) if named else []
    if dates is None or not len(there):
        return result
    first = int(there[-1]) + 1
    texts = dates.text.slice(first).to_pylist()
    is_day = {text: parse(text) is not None for text in set(texts) if text}
    result[first:] = [text is not None and not is_day[text] for text in texts]
    return result


def named_only(export: Export) -> np.ndarray:
    """(row,) bool: the product has a name and no code."""
    product, name = export.cells("product"), export.cells("name")
    return np.zeros(export.table.height, bool) if name is None or product is None else name.filled & ~product.filled


def name_columns(export: Export) -> list[Cells]:
    """Columns in which a row of sums may be named."""
    numbers = {export.choice.column(f) for f in NUMBER_FIELDS}
    return [cells for name, cells in export.columns.items() if name not in numbers]


def _is_grouped_beside(export: Export, cells: Cells, inner: np.ndarray) -> bool:
    """Whether a column stands on the first row of each group as another does, which names each group once: two orders
    of one day have its date twice."""
    there = cells.filled[inner]
    beside = (c for c in export.table.columns.values() if (c.filled[inner] == there).all() and not c.errors.any())
    return not there.all() and any(is_grouped(other, inner) for other in beside)


def only_where(filled: Cells, cells: Cells, rows: np.ndarray) -> Cells:
    text = pc.if_else(pa.array(rows), filled.text, cells.text)
    return Cells(text, None if cells.kind is None or filled.kind is None else np.where(rows, filled.kind, cells.kind))


def carried(cells: Cells, order: Cells) -> Cells:
    """A column whose value stands on one line of an order only, on all its lines. An order with two values keeps them
    as they stand."""
    if not cells.text.null_count:
        return cells
    codes = order.text.dictionary_encode().indices
    value = cells.text.dictionary_encode()
    has = cells.filled & order.filled
    group = codes.fill_null(0).to_numpy(zero_copy_only=False)
    at = value.indices.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    size = int(group.max(initial=0)) + 1
    low, high = np.full(size, np.iinfo(np.int64).max), np.full(size, -1, np.int64)
    np.minimum.at(low, group[has], at[has])
    np.maximum.at(high, group[has], at[has])
    fill = ~cells.filled & order.filled & (low[group] == high[group])
    if not fill.any():
        return cells
    filled = value.dictionary.take(pa.array(np.where(fill, high[group], at)))
    text = pc.if_else(pa.array(fill | cells.filled), filled, pa.scalar(None, pa.string()))
    kind = (
        None if cells.kind is None else np.where(fill, Cells.DAY if (cells.kind == Cells.DAY).any() else 0, cells.kind)
    )
    return Cells(text, kind)


def filled_down(cells: Cells) -> Cells:
    """A column with each gap filled by what stands above it."""
    at = np.maximum.accumulate(np.where(cells.filled, np.arange(len(cells)), 0))
    return cells.take(at)


def is_grouped(cells: Cells, rows: np.ndarray) -> bool:
    """Whether a column names each of its groups once, on the first row, in the rows of a mask: no value is there twice
    in a row, and the first row has one."""
    at = np.flatnonzero(rows)
    there = cells.filled[at]
    if not len(at) or there.all() or not there[0]:
        return False
    values = cells.text.take(pa.array(at[there])).dictionary_encode().indices.to_numpy(zero_copy_only=False)
    return bool((np.diff(values) != 0).all()) and int(there.sum()) > 1
