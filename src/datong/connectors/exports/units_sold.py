"""How many units of each row were sold, and how many came back."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports import sold_returned_or_neither
from datong.connectors.exports.cells import Cells
from datong.connectors.exports.columns import is_no, is_yes
from datong.connectors.exports.export import Export
from datong.connectors.exports.filled_down import is_of_line, is_of_order
from datong.connectors.exports.left_out_counts import FEW
from datong.connectors.exports.number_columns import Numbers
from datong.connectors.exports.numbers import read_numbers
from datong.connectors.exports.order_amounts import repeated_amounts
from datong.connectors.exports.order_line_keys import Lines, repeated
from datong.connectors.exports.price_units_amount import (
    codes_of,
    is_line_total,
    samples_of,
    texts_of,
)
from datong.connectors.exports.profiles import present
from datong.connectors.exports.questions import Option, Question
from datong.connectors.exports.refunds_of_orders import Lines as OrderLines
from datong.connectors.exports.refunds_of_orders import Refunds, is_of_orders, refunds
from datong.connectors.exports.remarks import states_in_remarks
from datong.model.words import message

# Of a refund that several combinations of an order's units cost: one of these combinations came back.
SOME = "some"


def units_sold(export: Export, numbers: Numbers, product: pa.Array, lines: Lines) -> tuple[np.ndarray, np.ndarray]:
    """(row,) units sold and (row,) units that came back. lines: that the rows are."""
    _ask_for_repeated_rows(export, numbers, lines)
    inside = export.rows.inside
    units = _turned(export, numbers, np.where(inside, np.nan_to_num(numbers.units), 0.0))
    in_part, back = _refunds_in_part(export, numbers, product, units)
    remarks, meant = states_in_remarks(export, units)
    own = {} if export.profile is None else export.profile.states
    signs = sold_returned_or_neither.Signs(
        {n: export.columns[n] for n in export.choice.states} | remarks,
        _moments_of_change(export)
        | {n: (m, _where(m, export.columns[n])) for n, m in export.choice.flags.items()}
        | in_part
        | _counted_back(export, numbers, units),
        {n: export.columns[n] for n in export.choice.kinds},
        "returned_units" in numbers.by_field,
        {n: w for h, w in own.items() for n in present((h,), export.columns)} | meant,
    )
    outcome = sold_returned_or_neither.outcomes(signs, units, inside, export.asking)
    codes = outcome.codes
    export.notes += outcome.notes
    export.rows.drop_by(outcome.reasons, inside & (codes == sold_returned_or_neither.NEITHER), units)
    inside = export.rows.inside
    alone = codes == sold_returned_or_neither.ONLY_RETURN
    if export.profile is not None and export.profile.holds == "returns":
        alone |= inside
    sold = np.where(inside & ~alone & (units > 0), units, 0.0)
    returned = np.where(inside & (alone | (units < 0)), np.abs(units), 0.0)
    returned += np.where(inside & (codes == sold_returned_or_neither.RETURNED) & (units > 0), units, 0.0)
    part = inside & (codes == sold_returned_or_neither.IN_PART) & (units > 0)
    returned += np.where(part, back, 0.0)
    for rows, key in ((part & (back == 0), "money"), (part & (back > 0), "units")):
        if rows.any():
            count, of = f"{int(rows.sum()):,}", f"{back[rows].sum():,.10g}"
            export.notes.append(message(f"export.in_part_{key}", count=count, units=of))
    sold, returned = _negative_amounts(export, numbers, sold, returned)
    sold, returned = _other_quantities(export, numbers, sold, returned, inside)
    for rows, key in ((inside & (units < 0), "negative"), (inside & alone & (units > 0), "documents"),
                      (inside & (codes == sold_returned_or_neither.RETURNED), "refunds")):  # fmt: skip
        if rows.any():
            count, of = f"{int(rows.sum()):,}", f"{np.abs(units[rows]).sum():,.10g}"
            export.notes.append(message(f"export.returns_{key}", count=count, units=of))
    return sold, returned


def _ask_for_repeated_rows(export: Export, numbers: Numbers, lines: Lines) -> None:
    """Lines of an order that stand there twice, alike in every column: bought twice, or written twice?"""
    order = export.cells("order")
    if order is None or lines.keys is None or not lines.by_order:
        return
    again = repeated(lines.keys, export.columns, export.rows.inside)
    if not again.any():
        return
    units = np.abs(np.nan_to_num(numbers.units))
    inside = export.rows.inside
    count, of = f"{int(again.sum()):,}", f"{units[again].sum():,.10g}"
    if max(again.sum() / inside.sum(), units[again].sum() / max(1e-9, units[inside].sum())) <= FEW:
        export.notes.append(message("export.repeated", count=count, units=of))
        return
    options = tuple(Option(n, message(f"export.reading.repeated_{n}", units=of)) for n in ("twice", "once"))
    asks = message("export.asks.repeated", count=count, units=of)
    samples = texts_of(order, again)
    if (
        export.asking.ask(Question("repeated", asks, (export.choice.column("order") or "",), samples, options))
        == "once"
    ):
        export.rows.drop("repeated", again, numbers.units)


def _turned(export: Export, numbers: Numbers, units: np.ndarray) -> np.ndarray:
    """Units above zero for what is sold: where most rows are below zero they may be what left a stock."""
    below, above = (units < 0).sum(), (units > 0).sum()
    if below <= above:
        return units
    name = numbers.units_column or ""
    options = tuple(
        Option(n, message(f"export.reading.negative_{n}", units=f"{np.abs(units[units < 0]).sum():,.10g}"))
        for n in ("sold", "returned")
    )
    asks = message("export.asks.mostly_negative", column=name, count=f"{int(below):,}")
    samples = texts_of(export.columns[name], units < 0)
    chosen = export.asking.ask(Question("mostly_negative", asks, (name,), samples, options))
    return -units if chosen == "sold" else units


def _moments_of_change(export: Export) -> dict[str, tuple[str, Cells]]:
    """Columns of when something became of a row, with the mark that a moment makes."""
    fields = ("cancelled_at", "refunded_at", "shipped_at")
    found = {f: name for f in fields if (name := export.choice.column(f)) is not None}
    return {name: (f.removesuffix("_at"), export.columns[name]) for f, name in found.items()}


def _where(mark: str, cells: Cells) -> Cells:
    """A column with only the yes left of yes and no, the reasons that are given, or the money that is not 0."""
    if mark == "refund_money":
        some = np.nan_to_num(read_numbers(cells).values(".")) != 0
        return Cells(pc.if_else(pa.array(some), cells.text, pa.scalar(None, pa.string())))
    known = cells.text.unique().drop_null().to_pylist()
    told = [text for text in known if is_yes(text)]
    if not told and not all(is_no(text) for text in known):  # reasons
        told = [text for text in known if not is_no(text)]
    yes = pa.array(told, pa.string())
    return Cells(pc.if_else(pc.is_in(cells.text, yes), cells.text, pa.scalar(None, pa.string())))


def _refunds_in_part(
    export: Export, numbers: Numbers, product: pa.Array, units: np.ndarray
) -> tuple[dict[str, tuple[str, Cells]], np.ndarray]:
    """The rows of which less was given back than was paid, or all of it for the goods, as marks, and (row,) units that
    came back with it. Money of an order with several lines is of those that cost as much, if any do."""
    money = [n for n, mark in export.choice.flags.items() if mark == "refund_money"]
    if len(money) != 1 or "returned_units" in numbers.by_field:
        return {}, np.zeros(len(units))
    values = read_numbers(export.columns[money[0]]).values(".")
    lines = _lines_with_money(export, numbers, product, units)
    found = refunds(values, lines, is_of_order=_is_of_orders(export, money[0], values, lines))
    part, back, others = found.part, found.back, found.others
    if found.unsure.any():
        chosen = _ask_which_came_back(export, money[0], found, units)
        some = {SOME: found.perhaps, "returned": units}.get(chosen, np.zeros(len(units)))
        back = np.where(found.unsure, some, back)
        others = others | (found.unsure & (back == 0))
        part = part | (found.unsure & (back > 0) & (back < units))
    name = export.choice.column("amount") or export.choice.column("price") or ""
    marks = {}
    for sign, mark, rows in (
        ("<", "in_part", part & (back == 0)),
        ("<=", "in_units", part & (back > 0)),
        ("=", "all_units", ~part & (back > 0)),
        ("≠", "other_lines", others),
    ):
        if rows.any():
            marked = pc.if_else(pa.array(rows), pa.scalar("x"), pa.scalar(None, pa.string()))
            marks[f"{money[0]} {sign} {name}"] = (mark, Cells(marked))
    return marks, back


def _lines_with_money(export: Export, numbers: Numbers, product: pa.Array, units: np.ndarray) -> OrderLines:
    """The lines with what a unit and what the line cost: a price of the row is none of a unit, an amount that stands on
    each line of an order none of a line."""
    price, amount = numbers.by_field.get("price"), numbers.by_field.get("amount")
    if price is not None and is_line_total(price, np.abs(units), amount, product):
        price = None
    order = export.cells("order")
    if amount is not None and order is not None:
        amount = np.where(repeated_amounts(order, amount, units, export.rows.inside), np.nan, amount)
    return OrderLines(units, price, amount, np.zeros(len(units), np.int64) if order is None else codes_of(order))


def _is_of_orders(export: Export, name: str, money: np.ndarray, lines: OrderLines) -> bool:
    """Whether a refund is of the whole order: it stands on the first line of each only, or its amounts say so."""
    order, raw = export.cells("order"), export.table.columns.get(name)
    if order is None or is_of_line(name):
        return False
    return (raw is not None and is_of_order(raw, order)) or is_of_orders(money, lines)


def _ask_which_came_back(export: Export, name: str, found: Refunds, units: np.ndarray) -> str:
    """What came back with money that several combinations of an order's units cost."""
    rows = found.unsure
    readings = (
        (SOME, "refund_some", found.perhaps[rows].sum()),
        ("sold", "refund_money_only", units[rows].sum()),
        ("returned", "returned", units[rows].sum()),
    )
    options = tuple(Option(n, message(f"export.reading.{key}", units=f"{of:,.10g}")) for n, key, of in readings)
    asks = message("export.asks.refund_lines", column=name, count=f"{int(rows.sum()):,}")
    return export.asking.ask(Question("refund_lines", asks, (name,), texts_of(export.columns[name], rows), options))


def _counted_back(export: Export, numbers: Numbers, units: np.ndarray) -> dict[str, tuple[str, Cells]]:
    """The rows of which some units, or all, came back by the column that counts them, as marks."""
    back, name = numbers.by_field.get("returned_units"), export.choice.column("returned_units")
    if back is None or name is None:
        return {}
    some = (np.nan_to_num(back) != 0) & (units > 0)
    every = some & (np.abs(np.nan_to_num(back)) >= units)
    marks = {}
    for sign, mark, rows in (("<", "some_back", some & ~every), (">=", "all_back", every)):
        if rows.any():
            marked = pc.if_else(pa.array(rows), pa.scalar("x"), pa.scalar(None, pa.string()))
            marks[f"{name} {sign} {numbers.units_column}"] = (mark, Cells(marked))
    return marks


def _negative_amounts(
    export: Export, numbers: Numbers, sold: np.ndarray, returned: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of units that are sold for money that goes back: returns, or something else than goods."""
    money = [(f, numbers.by_field[f]) for f in ("amount", "price") if f in numbers.by_field]
    rows = np.zeros(len(sold), bool)
    for _, values in money:
        rows |= (sold > 0) & (returned == 0) & (np.nan_to_num(values) < 0)
    if not rows.any():
        return sold, returned
    units = f"{sold[rows].sum():,.10g}"
    if max(rows.sum() / len(rows), sold[rows].sum() / sold.sum()) <= FEW:
        export.notes.append(message("export.negative_amount", count=f"{int(rows.sum()):,}", units=units))
        return sold, returned
    names = tuple(export.choice.column(f) or "" for f, _ in money)
    options = tuple(
        Option(name, message(f"export.reading.{key}", units=units))
        for name, key in (("return", "return"), ("sold", "sold"), ("not_sold", "not_sold"))
    )
    asks = message("export.asks.negative_amount", count=f"{int(rows.sum()):,}", units=units)
    samples = texts_of(export.columns[names[0]], rows)
    chosen = export.asking.ask(Question("negative_amount", asks, names, samples, options))
    if chosen == "sold":
        return sold, returned
    if chosen == "return":
        returned = np.where(rows, sold, returned)
    else:
        export.rows.drop("negative_amount", rows, sold)
    return np.where(rows, 0.0, sold), returned


def _other_quantities(
    export: Export, numbers: Numbers, sold: np.ndarray, returned: np.ndarray, inside: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What was cancelled, shipped and sent back of the units of a row."""
    nothing = np.zeros(len(sold))
    cancelled = np.where(inside & (sold > 0), np.nan_to_num(numbers.by_field.get("cancelled_units", nothing)), 0.0)
    cancelled = np.minimum(np.abs(cancelled), sold)
    if cancelled.sum() and _chosen(export, "cancelled_units", cancelled.sum(), ("not_sold", "sold")) == "not_sold":
        sold = sold - cancelled
        export.rows.add("cancelled_units", int((cancelled > 0).sum()), float(cancelled.sum()), all_rows=False)
    shipped = numbers.by_field.get("shipped_units")
    if shipped is not None:
        gap = np.where(inside & (sold > 0) & ~np.isnan(shipped), sold - np.abs(np.nan_to_num(shipped)), 0.0)
        if np.abs(gap).sum() and _chosen(export, "shipped_units", gap.sum(), ("ordered", "shipped")) == "shipped":
            sold = sold - gap
            export.rows.add("shipped_units", int((gap != 0).sum()), float(gap.sum()), all_rows=False)
    back = np.where(inside, np.abs(np.nan_to_num(numbers.by_field.get("returned_units", nothing))), 0.0)
    if back.sum():
        already = returned > 0
        back = np.where(already, 0.0, back)
        returned = returned + back
        column = export.choice.column("returned_units")
        if back.any():
            export.notes.append(message("export.returned_units", column=column, units=f"{back.sum():,.10g}"))
    return sold, returned


def _chosen(export: Export, wanted: str, units: float, readings: Sequence[str]) -> str:
    name = export.choice.column(wanted) or ""
    amount = f"{units:,.10g}"
    options = tuple(Option(n, message(f"export.reading.{wanted}_{n}", units=amount)) for n in readings)
    asks = message(f"export.asks.{wanted}", column=name, units=amount)
    return export.asking.ask(Question(wanted, asks, (name,), samples_of(export.columns[name]), options))
