"""The columns of numbers of an export, read together: decimal sign, cents, thousands, currencies, units of measure."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports.columns import (
    NUMBER_FIELDS,
)
from datong.connectors.exports.export import Export
from datong.connectors.exports.numbers import DECIMAL_SIGNS, DecimalSign, NumberColumn, decide_decimals, read_numbers
from datong.connectors.exports.price_units_amount import (
    bare_sign,
    code_of,
    currencies_in,
    currencies_of,
    currency_of,
    decimal_of_sum,
    fits,
    without_shared_signs,
)
from datong.connectors.exports.questions import Option, Question
from datong.connectors.exports.units_of_measure import in_one_measure
from datong.connectors.exports.vocabulary import header_words, plain, words
from datong.ledger.row_checks import shown
from datong.model.words import message

_CENTS = re.compile(r"\b(?:cents?|pence|centimes|centavos|minor units?|fen)\b|[(\[【]分[)\]】]")
# What a sign of several currencies is read as, and the note that says so.
_MEANT_BY = {"$": "USD", "¥": "CNY"}
BY_SIGN = "export.currency_sign"
# What a header says its numbers are of: in brackets, before a comma's space, after "in", or with a currency.
_BEFORE = r"(?:[(\[【,]\s*(?:in |en )?|\b(?:in|en)\s+)"
_BEHIND = r"\s*(?:of )?(?:units?|pcs|pieces|stuck|stk\.?|eur|euros?|€|usd|\$|gbp|£|chf|unidades|pezzi)?\s*(?:$|[)\]】])"
_SCALES = {
    1000: re.compile(
        rf"{_BEFORE}(?:['’]?000['’]?s?|1[.,']?000s?|thousands?|k|tsd\.?|tausend|miles|milliers|migliaia|duizend|tys\.?|тыс\.?"
        rf"|千[件个元]?){_BEHIND}|\b(?:teur|tchf|tusd|keur|kusd|t€|k€)(?!\w)"
    ),
    10_000: re.compile(r"[(\[【,]\s*万[件个元]?\s*(?:$|[)\]】])"),
    1_000_000: re.compile(rf"{_BEFORE}(?:mio\.?|mln\.?|millions?|millionen|millones|百万[件个元]?){_BEHIND}"),
}

_MOSTLY_CENTS = 0.9  # of the cells of a column of money
_PRICED_BY = (1, 10, 100, 1000, 10_000)


@dataclass(frozen=True, eq=False)
class Numbers:
    """units: (row,) as they stand, 1 where no column has them. units_column: its header. by_field: (row,) of each field
    that has a column; unread: (row,) bool, something that is no number. comma_decimals: some cell proves that a comma
    parts decimals. currency: ISO code of the prices, where they tell one. measures: (row,) what the units measure, as
    lb; None for pieces, and for a column that tells nothing."""

    units: np.ndarray
    units_column: str | None
    by_field: Mapping[str, np.ndarray]
    unread: Mapping[str, np.ndarray]
    comma_decimals: bool = False
    currency: str | None = None
    measures: np.ndarray | None = None


def read_figures(export: Export, units_column: str | None) -> Numbers:
    """All columns of numbers, by all of them together."""
    columns = {f: n for f in NUMBER_FIELDS if (n := export.choice.column(f)) is not None}
    read = {f: read_numbers(export.columns[n]) for f, n in columns.items()}
    shares = {}
    if {"units", "price", "amount"} <= read.keys():
        shares = {m: fits(*(read[f].values(m) for f in ("units", "price", "amount"))) for m in DECIMAL_SIGNS}
    decided = decide_decimals({f: column for f, column in read.items() if not column.is_mixed}, shares)
    marks = dict.fromkeys(read, DECIMAL_SIGNS[0]) | dict(decided.marks)
    product = export.columns[export.choice.column("product") or ""].filled
    for name in decided.unsure:
        if not (read[name].unsure & product).any():  # only sums are unsure, which the others tell
            marks[name] = decimal_of_sum(read[name], product)
    unsure = tuple(name for name in decided.unsure if (read[name].unsure & product).any())
    told = (export.table.decimal or _decimal_of_money(export, columns.values())) if unsure else None
    if told is not None:
        marks |= dict.fromkeys(unsure, told)
    elif unsure:
        marks |= dict.fromkeys(unsure, _ask_for_decimal(export, unsure, read, columns))
    by_field = {f: _values(export, columns[f], column, marks[f]) for f, column in read.items()}
    for wanted, name in columns.items():
        if wanted in ("price", "amount") and _CENTS.search(plain(name)):
            by_field[wanted] = by_field[wanted] / 100
            export.notes.append(message("export.cents", column=name))
        elif (scale := next((s for s, said in _SCALES.items() if said.search(plain(name))), 1)) > 1:
            by_field[wanted] = by_field[wanted] * scale
            export.notes.append(message("export.scaled", column=name, scale=f"{scale:,}"))
    if "price" in by_field:
        by_field["price"] = _of_one_unit(export, by_field["price"])
    unread = {f: column.unread for f, column in read.items()}
    money = {f: columns[f] for f in ("price", "amount") if f in columns}
    currency, comparable = _currency(export, money)
    measures = None
    if "units" in read:
        by_field, measures = in_one_measure(export, read["units"], columns["units"], by_field)
    units = by_field.get("units", np.ones(export.table.height))
    by_field = {f: values for f, values in by_field.items() if comparable or f not in money}
    return Numbers(units, units_column, by_field, unread, decided.comma_proved, currency, measures)


def sold_by_measure(measures: np.ndarray | None, sold: np.ndarray) -> dict[str, float]:
    """What was sold by what it is counted in, '' for pieces: where there are several. measures, sold: (row,)."""
    if measures is None:
        return {}
    names, at = np.unique([name or "" for name in measures.tolist()], return_inverse=True)
    sums, rows = np.bincount(at, sold), np.bincount(at, sold > 0)
    found = {str(n): round(float(s), 9) for n, s, count in zip(names, sums, rows, strict=True) if count}
    return found if len(found) > 1 else {}


def _currency(export: Export, money: Mapping[str, str]) -> tuple[str | None, bool]:
    """The currency of prices, where they tell one, and whether they can be compared: money in several currencies, by
    its signs or by a column of currencies, cannot. money: its columns by field."""
    named = [n for n in export.columns if plain(n) in words("lists", "currencies")]
    found = {one for n in money.values() for one in currencies_in(export.columns[n])}
    for name in named:
        found |= {*map(code_of, export.columns[name].text.drop_null().unique().slice(0, 50).to_pylist())}
    found = without_shared_signs(found)
    if not money:
        return None, True
    if len(found) < 2:
        cells = [export.columns[n] for n in (*money.values(), *named)]
        written_in = [text for c in cells for text in c.text.drop_null().slice(0, 200).unique().to_pylist()]
        texts = [*money.values(), *written_in]
        currency = currency_of(texts) or _currency_of_headers(export, texts)
        if currency is not None:
            export.notes.append(message("export.currency", currency=currency))
        elif (sign := bare_sign(texts)) is not None:
            currency = _MEANT_BY[sign]
            export.notes.append(message(BY_SIGN, sign=sign, currency=currency))
        return currency, True
    told = ", ".join(sorted(found))
    options = tuple(Option(n, message(f"export.reading.currencies_{n}")) for n in ("no_prices", "as_one"))
    asks = message("export.asks.currencies", column=", ".join([*money.values(), *named]), currencies=told)
    question = Question("currencies", asks, (*money.values(), *named), tuple(sorted(found)), options)
    return None, export.asking.ask(question) != "no_prices"


def _currency_of_headers(export: Export, texts: Sequence[str]) -> str | None:
    """The one currency that headers of other amounts name, where no column of money does: Celkem Kč beside Cena."""
    return None if currencies_of(texts) else currency_of(export.columns)


def _of_one_unit(export: Export, prices: np.ndarray) -> np.ndarray:
    """Prices of one unit each, where a column says of how many they are."""
    known = {plain(word) for word in header_words()["price_per"]}
    taken = {guess.column for guess in export.choice.columns}
    for name in (n for n in export.columns if plain(n) in known and n not in taken):
        per = read_numbers(export.columns[name])
        values = per.values(".")
        there = values[~np.isnan(values)]
        if not per.unread.any() and len(there) and np.isin(there, _PRICED_BY).all() and (there > 1).any():
            export.notes.append(message("export.price_per", column=name))
            return prices / np.where(np.isnan(values), 1.0, values)
    return prices


def _values(export: Export, name: str, column: NumberColumn, mark: DecimalSign) -> np.ndarray:
    """A column by its decimal sign; where both signs stand before three digits, by an answer."""
    if not column.is_mixed:
        return column.values(mark)
    readings = {"grouped": column.grouped()} | {
        key: column.values(sign)
        for key, sign in (("decimal_point", DECIMAL_SIGNS[0]), ("decimal_comma", DECIMAL_SIGNS[1]))
    }
    options = tuple(
        Option(key, message(f"export.reading.{key}", units=f"{np.nansum(values):,.10g}"))
        for key, values in readings.items()
    )
    larger = np.abs(column.point) > np.abs(column.comma)
    samples = [
        shown(text)
        for rows in (column.unsure & larger, column.unsure & ~larger)
        for text in export.columns[name].text.take(pa.array(np.flatnonzero(rows)[:1])).to_pylist()
    ]
    asks = message("export.asks.mixed_signs", column=name, samples=", ".join(samples))
    return readings[export.asking.ask(Question(f"mixed_signs:{name}", asks, (name,), tuple(samples), options))]


def _decimal_of_money(export: Export, taken: Collection[str]) -> DecimalSign | None:
    """The decimal sign of columns that are read for nothing and hold money, each with two places: 1,055.08. None where
    there are none, or they differ."""
    found: set[DecimalSign] = set()
    for name, cells in export.columns.items():
        texts = [] if name in taken else cells.text.drop_null()
        cents = pc.match_substring_regex(texts, r"[.,]\d\d\D*$") if len(texts) else None
        if cents is None or pc.mean(cents).as_py() < _MOSTLY_CENTS:
            continue
        column = read_numbers(cells)
        found |= set(column.rules) if not column.unread.any() else set()
    return found.pop() if len(found) == 1 else None


def _ask_for_decimal(
    export: Export, unsure: Sequence[str], read: Mapping[str, NumberColumn], columns: Mapping[str, str]
) -> DecimalSign:
    field_ = "units" if "units" in unsure else unsure[0]
    column = read[field_]
    at = np.flatnonzero(column.unsure)[:200]
    texts = export.columns[columns[field_]].text.take(pa.array(at)).to_pylist()
    options = tuple(
        Option(name, message(f"export.reading.{name}", units=f"{np.nansum(column.values(mark)):,.10g}"))
        for name, mark in (("decimal_comma", ","), ("decimal_point", "."))
    )
    asks = message("export.asks.decimal", sample=shown(texts[0]))
    chosen = export.asking.ask(Question("decimal", asks, tuple(columns[f] for f in unsure),
                                      tuple(dict.fromkeys(map(shown, texts))), options))  # fmt: skip
    return "," if chosen == "decimal_comma" else "."
