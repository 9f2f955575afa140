"""How many units came back by documents of a return that give money back and name no quantity: by the goods' price."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.export import Export
from datong.connectors.exports.number_columns import Numbers
from datong.connectors.exports.price_units_amount import codes_of, texts_of
from datong.connectors.exports.questions import Option, Question
from datong.connectors.exports.vocabulary import plain, words
from datong.model.words import message

_CLOSE = 0.005  # of a unit, for prices that are rounded


def with_units_of_returns(export: Export, numbers: Numbers) -> Numbers:
    """The same numbers, with the units of returns that have money and no quantity: of the order's line where it is
    there, else of the one price of the product. What no price tells is asked."""
    amount, product = numbers.by_field.get("amount"), export.cells("product")
    if amount is None or product is None or numbers.units_column is None:
        return numbers
    of_goods = ~_of_kind(export, "nothing")
    empty = np.isnan(numbers.units) & ~numbers.unread["units"]
    back = _of_kind(export, "return") & of_goods & empty & (np.nan_to_num(amount) < 0) & product.filled
    if not back.any():
        return numbers
    sold = of_goods & (np.nan_to_num(numbers.units) > 0) & (np.nan_to_num(amount) > 0) & product.filled
    prices = np.where(sold, amount / np.where(sold, numbers.units, 1.0), np.nan)
    units = np.full(len(amount), np.nan)
    goods, order = codes_of(product), export.cells("order")
    keys = [goods] if order is None else [codes_of(order) * (int(goods.max()) + 1) + goods, goods]
    for key in keys:
        own = _one_price(key, prices)
        found = -amount / np.array([own.get(k, np.nan) for k in key.tolist()])
        whole = np.round(found)
        told = back & np.isnan(units) & (whole >= 1) & (np.abs(found - whole) <= _CLOSE * whole)
        units = np.where(told, whole, units)
    told = back & ~np.isnan(units)
    if told.any():
        count, of = f"{int(told.sum()):,}", f"{units[told].sum():,.10g}"
        export.notes.append(message("export.units_of_returns", count=count, units=of))
    rest = back & ~told
    if rest.any():
        count = f"{int(rest.sum()):,}"
        options = tuple(Option(n, message(f"export.reading.returns_{n}", units=count)) for n in ("one_each", "none"))
        asks = message("export.asks.returns_without_units", count=count)
        column = export.choice.column("amount") or ""
        question = Question("returns_without_units", asks, (column,), texts_of(export.columns[column], rest), options)
        if export.asking.ask(question) == "one_each":
            units = np.where(rest, 1.0, units)
    filled = np.where(np.isnan(units), numbers.units, -units)
    return replace(numbers, units=filled, by_field={**numbers.by_field, "units": filled})


def _of_kind(export: Export, area: str) -> np.ndarray:
    """(row,) bool: a column of kinds of documents says that the row is one of a kind: 'return', 'nothing'; by its word,
    or as the platform of the file explains it."""
    settled = {"nothing": "not_sold", "return": "return"}[area]
    own = {plain(k.removeprefix("kind:")) for k, v in export.asking.settled.items() if v == settled}
    result = np.zeros(export.table.height, bool)
    for name in export.choice.kinds:
        result |= _among(export.columns[name], words("kinds", area) | own)
    return result


def _among(cells: Cells, known: frozenset[str]) -> np.ndarray:
    texts = [text for text in cells.text.unique().drop_null().to_pylist() if plain(text) in known]
    rows = pc.fill_null(pc.is_in(cells.text, pa.array(texts, pa.string())), False)
    return np.asarray(rows.to_numpy(zero_copy_only=False))


def _one_price(key: np.ndarray, prices: np.ndarray) -> Mapping[int, float]:
    """The price of each key that has one alone."""
    there = ~np.isnan(prices)
    low: dict[int, float] = {}
    high: dict[int, float] = {}
    for k, price in zip(key[there].tolist(), prices[there].tolist(), strict=True):
        low[k], high[k] = min(low.get(k, price), price), max(high.get(k, price), price)
    return {k: price for k, price in low.items() if high[k] - price <= _CLOSE * price}
