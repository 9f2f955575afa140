"""What columns of an export show together: whether price x units = amount, whether a price is one of the row, and some
of their cells for a question."""

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.day_month_order import not_a_day
from datong.connectors.exports.numbers import DECIMAL_SIGNS, DecimalSign, NumberColumn, read_numbers
from datong.connectors.exports.personal import quoted
from datong.ledger.row_checks import shown

# A dollar may say in front of its sign whose it is: HK$, A$.
_DOLLARS = {
    "US": "USD", "A": "AUD", "AU": "AUD", "C": "CAD", "CA": "CAD", "HK": "HKD", "NT": "TWD", "NZ": "NZD", "S": "SGD",
    "SG": "SGD", "MX": "MXN", "R": "BRL",
}  # fmt: skip
_CODES = (
    "USD|EUR|GBP|CNY|RMB|JPY|INR|KRW|CHF|AUD|CAD|SEK|PLN|HKD|TWD|NZD|SGD|MXN|BRL"
    "|CZK|HUF|NOK|DKK|RON|BGN|TRY|THB|VND|IDR|MYR|PHP|ZAR|AED|SAR|ILS|CLP|COP|ARS|UAH"
)
# Signs of letters that say one currency, as they are written beside a number or in a header: Rp45.000, (RM), Celkem Kč.
_LETTERS = {"RP": "IDR", "RM": "MYR", "KČ": "CZK", "ZŁ": "PLN"}

_CURRENCY = re.compile(
    rf"(?<![A-Z])(?:{'|'.join(_DOLLARS)})\$|[$€£¥₹₩₽₺฿₫₱]|\b(?:{_CODES})\b|元"
    rf"|(?<![^\W\d_])(?:{'|'.join(_LETTERS)})(?![^\W\d_])"
)
_CODE_OF = (
    {"€": "EUR", "£": "GBP", "₹": "INR", "₩": "KRW", "₺": "TRY", "฿": "THB", "₫": "VND", "₱": "PHP"}
    | _LETTERS
    | dict.fromkeys(("RMB", "元", "人民币"), "CNY")
    | {f"{whose}$": code for whose, code in _DOLLARS.items()}
)
# The currencies that are written with a bare sign.
_SAME_SIGN = {"$": frozenset(_DOLLARS.values()), "¥": frozenset({"CNY", "JPY"})}


def codes_of(cells: Cells) -> np.ndarray:
    """(row,) int64: a number for each text, 0 for none."""
    return cells.text.dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64) + 1


def samples_of(cells: Cells) -> tuple[str, ...]:
    texts = cells.text.drop_null().slice(0, 1000).unique().slice(0, 3).to_pylist()
    return tuple(shown(t) for t in texts)


def texts_of(cells: Cells, rows: np.ndarray) -> tuple[str, ...]:
    return tuple(shown(t) for t in cells.text.filter(pa.array(rows)).drop_null().unique().slice(0, 3).to_pylist())


def quoted_of(cells: Cells, rows: np.ndarray, has_people: bool) -> tuple[str, ...]:
    """Cells that may hold anything: what stands under a date or a number and is none, remarks. See personal.py."""
    return quoted(cells.text.filter(pa.array(rows)).drop_null().unique().slice(0, 3).to_pylist(), has_people)


def sum_text(cells: Cells) -> str:
    return f"{np.nansum(read_numbers(cells).values('.')):,.10g}"


def span_of(days: np.ndarray) -> dict[str, str]:
    there = days[~not_a_day(days)]
    if not len(there):
        return {"first": "-", "last": "-"}
    return {"first": str(there.min().astype("M8[D]")), "last": str(there.max().astype("M8[D]"))}


def fits(units: np.ndarray, price: np.ndarray, amount: np.ndarray) -> float:
    """The share of rows in which price x units = amount, of those with more than one unit."""
    rows = ~np.isnan(units) & ~np.isnan(price) & ~np.isnan(amount) & (np.abs(units) != 1) & (units != 0)
    if rows.sum() < 3:
        return 0.0
    made = np.abs(units[rows] * price[rows])
    return float((np.abs(made - np.abs(amount[rows])) <= np.maximum(0.01 * made, 0.02)).mean())


def sums_tell(quantities: Mapping[str, np.ndarray], cells: Callable[[str], Cells | None]) -> str | None:
    """Of columns of quantities the one that makes the amount with the price, or from which returns are not taken off
    yet; None where sums tell nothing. cells: the column of a field."""
    back, price, amount = (cells(f) for f in ("returned_units", "price", "amount"))
    if back is not None and len(quantities) == 2:
        returned = np.abs(np.nan_to_num(read_numbers(back).values(".")))
        for gross, net in (tuple(quantities), tuple(quantities)[::-1]):
            if returned.any() and np.allclose(quantities[gross] - returned, quantities[net]):
                return gross
    if price is None or amount is None:
        return None
    p, a = (read_numbers(c) for c in (price, amount))
    fitting = [n for n, u in quantities.items() if max(fits(u, p.values(m), a.values(m)) for m in DECIMAL_SIGNS) > 0.9]
    return fitting[0] if len(fitting) == 1 else None


def decimal_of_sum(column: NumberColumn, product: np.ndarray) -> DecimalSign:
    """The decimal sign with which a cell that stands for no product is the sum of those that do."""
    for mark in DECIMAL_SIGNS:
        values = column.values(mark)
        if np.isclose(values[column.unsure], np.nansum(values[product])).any():
            return mark
    return "."


def is_line_total(price: np.ndarray, units: np.ndarray, amount: np.ndarray | None, product: pa.Array) -> bool:
    """Whether a price is one of the whole row: within products it moves as the quantity does."""
    if amount is not None and fits(units, price, amount) > 0.5:
        return False
    rows = (units > 0) & (price > 0) & pc.is_valid(product).to_numpy(zero_copy_only=False)
    if rows.sum() < 5:
        return False
    group = product.filter(pa.array(rows)).dictionary_encode().indices.to_numpy(zero_copy_only=False)
    counts = np.bincount(group)

    def spread(values: np.ndarray) -> float:
        means = np.bincount(group, values) / np.maximum(counts, 1)
        return float(((values - means[group]) ** 2).mean())

    as_it_is, of_a_unit, moves = (spread(np.log(v[rows])) for v in (price, price / np.maximum(units, 1e-12), units))
    return moves > 1e-6 and as_it_is > 1e-6 and of_a_unit < 0.1 * as_it_is


def currencies_in(cells: Cells) -> set[str]:
    """The currencies in a sample of the cells of a column, by their codes, $ and ¥ alone as these signs."""
    return {code_of(text) for text in _written(cells.text.drop_null().slice(0, 50_000).unique().to_pylist()[:20_000])}


def code_of(currency: str) -> str:
    """One name for a currency, by its code, its sign or its word."""
    currency = currency.strip().upper()
    return _CODE_OF.get(currency, currency)


def without_shared_signs(currencies: Collection[str]) -> set[str]:
    """Currencies without a bare sign that one of the others is written with: $ beside AUD."""
    return {one for one in currencies if not _SAME_SIGN.get(one, frozenset()) & {*currencies}}


def currency_of(texts: Iterable[str]) -> str | None:
    """The one currency that texts name; None where they name none or several. A bare $ or ¥
    is of several countries, see `bare_sign`."""
    codes = {code for code in map(code_of, _written(texts)) if len(code) == 3}
    return codes.pop() if len(codes) == 1 else None


def bare_sign(texts: Iterable[str]) -> str | None:
    """The one sign of money in texts where it is one of several currencies, $ or ¥."""
    found = _written(texts)
    sign = found.pop() if len(found) == 1 else ""
    return sign if sign in _SAME_SIGN else None


def share_a_sign(one: str, other: str) -> bool:
    """Whether two currencies are written with the same sign, by their codes."""
    return any({one, other} <= codes for codes in _SAME_SIGN.values())


def currencies_of(texts: Iterable[str]) -> set[str]:
    """All currencies that texts name, by their codes, bare signs as they are."""
    return {code_of(found) for found in _written(texts)}


def _written(texts: Iterable[str]) -> set[str]:
    """All signs, codes and words of currencies in texts."""
    return {match for text in texts for match in _CURRENCY.findall(unicodedata.normalize("NFKC", text).upper())}
