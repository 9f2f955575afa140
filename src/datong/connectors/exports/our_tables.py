"""What was read as rows of our tables: products, sales and returns."""

from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.columns import header_score
from datong.connectors.exports.date_column import Moments
from datong.connectors.exports.day_month_order import not_a_day
from datong.connectors.exports.export import Export
from datong.connectors.exports.identities import products_of, told_of_products
from datong.connectors.exports.number_columns import Numbers
from datong.connectors.exports.order_amounts import amounts_of_lines
from datong.connectors.exports.price_units_amount import (
    is_line_total,
)
from datong.connectors.exports.spread_over_days import PLACE, Stretches, spread_tables
from datong.connectors.exports.vocabulary import plain, words
from datong.ledger.cells import local_to_utc
from datong.ledger.row_checks import ROW
from datong.model.words import message

# What may be said of markets without being asked: one series a product, or one for each market.
MARKETS, SUMMED, APART = "markets", "summed", "apart"
LEAST_NAMED = 0.5  # of a header's score, so that its column may hold codes of products

# So many rows of which some came back, and so large a share of them, show that amounts are net, as close as this.
_SAME_UNITS = 1e-9
_LEAST_NET, _MOSTLY, _CLOSE = 3, 0.9, 0.01


def our_tables(
    export: Export,
    numbers: Numbers,
    when: Moments,
    product: pa.Array,
    lines: pa.Array | None,
    sold: np.ndarray,
    returned: np.ndarray,
    stretches: Stretches | None,
) -> dict[str, pa.Table]:
    """Rows of products, sales and returns by name of the table, each with the number of its row in the file. stretches:
    days over which rows are spread; None: each counts on its own."""
    price = _prices(export, numbers, product, sold + returned)
    inside = export.rows.inside
    columns: dict[str, pa.Array] = {"product": product, "happened_at": moments_of(when)}
    if (cells := export.cells("customer")) is not None:
        columns["customer"] = cells.text
    if (cells := export.cells("market")) is not None and _by_market(export, cells):
        columns["market"] = cells.text
    columns[ROW] = pa.array(export.table.numbers, pa.int64())
    if stretches is not None:
        columns[PLACE] = pa.array(np.arange(export.table.height))
    base = pa.table(columns)
    keep_zero = inside & (sold == 0) & (returned == 0) & (np.nan_to_num(numbers.units) == 0)
    sales = base.append_column("units", pa.array(sold))
    if price is not None:
        sales = sales.append_column("price", pa.array(price, pa.float64(), from_pandas=True))
    back = base.select([n for n in base.column_names if n != "customer"]).append_column("units", pa.array(returned))
    if lines is not None:
        sales = sales.append_column("sale", lines)
        back = back.append_column("return", lines)
        of_sale = _sales_of_returns(export, product, lines, sold, returned)
        if of_sale.null_count < len(of_sale):
            back = back.append_column("sale", of_sale)
    sales = sales.filter(pa.array((sold > 0) | keep_zero))
    back = back.filter(pa.array(returned > 0))
    products = _products(export, base, price, numbers.measures, (sold > 0) | (returned > 0) | keep_zero)
    tables = {"products": products, "sales": sales} | ({"returns": back} if back.num_rows else {})
    return tables if stretches is None else spread_tables(tables, stretches)


def _sales_of_returns(
    export: Export, product: pa.Array, lines: pa.Array, sold: np.ndarray, returned: np.ndarray
) -> pa.Array:
    """(row,) the line of the sale that a return is of: of its own row; else the first one of its order and product
    that has as many units left. Null where the file has none."""
    if not (returned > 0).any():
        return pa.nulls(len(lines), pa.string())
    keys = lines.to_pylist()
    found = [key if s > 0 and r > 0 else None for key, s, r in zip(keys, sold.tolist(), returned.tolist(), strict=True)]
    order = export.cells("order")
    alone = np.flatnonzero((returned > 0) & (sold == 0))
    if order is None or not len(alone):
        return pa.array(found, pa.string())
    texts, codes = order.text.to_pylist(), product.to_pylist()
    wanted = {(texts[at], codes[at]) for at in alone.tolist() if texts[at] is not None}
    left: dict[tuple[str, str], list[tuple[str | None, float]]] = {}
    for at in np.flatnonzero(sold > 0).tolist():
        if (texts[at], codes[at]) in wanted:
            left.setdefault((texts[at], codes[at]), []).append((keys[at], float(sold[at] - returned[at])))
    for at in alone.tolist():
        of_order = left.get((texts[at], codes[at]), [])
        for place, (line, units) in enumerate(of_order):
            if line is not None and units >= returned[at] - _SAME_UNITS:
                found[at], of_order[place] = line, (line, units - float(returned[at]))
                break
    return pa.array(found, pa.string())


def _by_market(export: Export, cells: Cells) -> bool:
    """Whether each market is kept apart: only where somebody says so. One series a product knows more."""
    count = pc.count_distinct(cells.text.filter(pa.array(export.rows.inside))).as_py()
    apart = export.asking.said(MARKETS, (SUMMED, APART)) == APART
    if count > 1:
        key = "export.markets_apart" if apart else "export.markets_summed"
        export.notes.append(message(key, column=export.choice.column("market"), count=count))
    return apart


def moments_of(when: Moments) -> pa.Array:
    """(row,) when each row happened: a day, a local time, or a moment where offsets are written."""
    there = ~not_a_day(when.days)
    stamps = np.where(there, when.days, 0) * 86_400 + when.seconds
    nothing = ~there
    if when.zone is not None:
        local = stamps.astype("M8[s]").astype("M8[us]")
        utc = local_to_utc(local, ZoneInfo(when.zone)).astype("M8[s]").astype(np.int64)
        utc = np.where(np.isnan(when.offset), utc, stamps - np.nan_to_num(when.offset) * 60).astype(np.int64)
        return pa.array(utc * 1_000_000, pa.int64(), mask=nothing).cast(pa.timestamp("us", tz="UTC"))
    if when.clock.any():
        return pa.array(stamps * 1_000_000, pa.int64(), mask=nothing).cast(pa.timestamp("us"))
    return pa.array(np.where(there, when.days, 0).astype(np.int32), pa.int32(), mask=nothing).cast(pa.date32())


def _prices(export: Export, numbers: Numbers, product: pa.Array, units: np.ndarray) -> np.ndarray | None:
    """(row,) price of a unit, NaN where it is not known. A price that moves with the quantity is one of the row."""
    price, amount = numbers.by_field.get("price"), numbers.by_field.get("amount")
    of = np.abs(np.nan_to_num(numbers.units))
    with np.errstate(divide="ignore", invalid="ignore"):
        if price is not None:
            if is_line_total(price, of, amount, product):
                export.notes.append(message("export.line_total", column=export.choice.column("price")))
                price = np.abs(price) / of
        elif amount is not None:
            back = np.abs(np.nan_to_num(numbers.by_field.get("returned_units", np.zeros(len(of)))))
            amount = np.abs(amounts_of_lines(export, amount, of))
            price = amount / (of - back if _is_net(amount, of, back, product) else of)
    return None if price is None else np.where((price > 0) & np.isfinite(price), price, np.nan)


def _is_net(amount: np.ndarray, units: np.ndarray, back: np.ndarray, product: pa.Array) -> bool:
    """Whether amounts are of what did not come back: by the prices of the same products in rows of which nothing did.
    units, back: (row,) of the row, and of these that came back."""
    rows = (back > 0) & (back < units) & (amount > 0)
    whole = (back == 0) & (units > 0) & (amount > 0)
    codes = product.dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False)
    rows &= np.isin(codes, codes[whole])
    if rows.sum() < _LEAST_NET:
        return False
    usual = {code: float(np.median((amount / units)[whole & (codes == code)])) for code in set(codes[rows].tolist())}
    prices = np.array([usual[code] for code in codes[rows].tolist()])
    net, gross = (np.isclose(amount[rows] / of, prices, rtol=_CLOSE) for of in ((units - back)[rows], units[rows]))
    return bool(net.mean() >= _MOSTLY and gross.mean() < 1 - _MOSTLY)


def _products(
    export: Export, base: pa.Table, price: np.ndarray | None, measures: np.ndarray | None, used: np.ndarray
) -> pa.Table:
    """One row for each product that has a sale or a return: its first name, first price, barcode and other codes."""
    others = [n for n in export.columns if header_score("product", n) >= LEAST_NAMED]
    rows = told_of_products(export, base["product"].combine_chunks(), others)
    pictures = [n for n in export.columns if plain(n) in words("lists", "pictures")]
    if pictures:
        rows = rows.append_column("image", export.columns[pictures[0]].text)
    if price is not None:
        rows = rows.append_column("price", pa.array(price, pa.float64(), from_pandas=True))
    products = products_of(rows, pa.array(used))
    if measures is None:
        return products
    units = _base_units(base["product"], measures, used)
    column = pa.array([units.get(product) for product in products["product"].to_pylist()], pa.string())
    return products.append_column("base_unit", column) if column.null_count < len(column) else products


def _base_units(product: pa.ChunkedArray, measures: np.ndarray, used: np.ndarray) -> dict[str, str]:
    """What the units of each product measure, where all of its rows say the same."""
    rows = pa.table({"product": product, "unit": pa.array(measures, pa.string())}).filter(pa.array(used))
    pairs = rows.group_by(["product", "unit"], use_threads=False).aggregate([])
    of: dict[str, set[str | None]] = {}
    for name, unit in zip(pairs["product"].to_pylist(), pairs["unit"].to_pylist(), strict=True):
        of.setdefault(name, set()).add(unit)
    return {name: unit for name, units in of.items() if len(units) == 1 and (unit := next(iter(units))) is not None}
