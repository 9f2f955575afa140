"""A column that no word explains, and that may say how many of a row's units came back or were cancelled: whole numbers
that are mostly 0 and never above the units, or any such numbers under a word for a return. It is asked about, never
dropped in silence."""

import re

import numpy as np

from datong.connectors.exports.columns import FIELDS, header_score, is_number_of, may_be_units, says_return
from datong.connectors.exports.export import Export
from datong.connectors.exports.numbers import DECIMAL_SIGNS, read_numbers
from datong.connectors.exports.price_units_amount import samples_of
from datong.connectors.exports.questions import Option, Question
from datong.connectors.exports.vocabulary import plain, words
from datong.ledger.row_checks import shown
from datong.model.words import message

_COUNT = re.compile(r"[-−(']?\d{1,5}(?:[.,]0+)?[-)]?")
_SIZE = re.compile(r"(?:\d?x{0,4}[sl]|m|\d{2}(?:[.,/]\d)?)", re.IGNORECASE)
_LEAST_ROWS = 3  # that have some, so that it is no chance that none is above its units
_MOST_ROWS = 0.5  # of all, for a column of what happens now and then
_FIELDS = {"returned": "returned_units", "not_sold": "cancelled_units"}


def ask_for_other_units(export: Export, units_column: str | None) -> None:
    """Ask what such columns hold; what came back or was cancelled is read as that."""
    if units_column is None or export.table.wide or export.profile is not None:
        return
    read = read_numbers(export.columns[units_column])
    units = np.fmax(*(np.abs(read.values(mark)) for mark in DECIMAL_SIGNS))
    taken = {c.column for c in export.choice.columns} | {*export.choice.remarks, export.choice.counted_in}
    for name in [n for n in export.columns if n not in taken and not _is_something_else(n)]:
        counts = _counts(export, name)
        if counts is None or (counts > np.nan_to_num(units)).any():
            continue
        some = counts > 0
        if not _LEAST_ROWS <= some.sum() <= _MOST_ROWS * len(counts) or (counts.max() <= 1 and not says_return(name)):
            continue
        of = f"{counts.sum():,.10g}"
        options = tuple(
            Option(n, message(f"export.reading.{key}", units=of))
            for n, key in (("returned", "returned"), ("not_sold", "not_sold"), ("something_else", "not_units"))
            if n == "something_else" or export.choice.column(_FIELDS[n]) is None
        )
        asks = message("export.asks.other_units", column=shown(name), units=shown(units_column), count=of)
        question = Question(f"other_units:{name}", asks, (name,), samples_of(export.columns[name]), options)
        field = _FIELDS.get(export.asking.ask(question))
        if field is not None:
            export.choice = export.choice.with_guess(field, name)


def _counts(export: Export, name: str) -> np.ndarray | None:
    """(row,) whole numbers without their signs, or any under a word for a return, 0 for empty cells; None where
    something else stands in the column."""
    cells = export.columns[name]
    if not cells.filled.any():
        return None
    if not says_return(name) and not all(_COUNT.fullmatch(t) for t in cells.text.unique().drop_null().to_pylist()):
        return None
    column = read_numbers(cells)
    if column.unread.any() or column.money:
        return None
    return np.nan_to_num(np.fmin(*(np.abs(column.values(mark)) for mark in DECIMAL_SIGNS)))


def _is_something_else(header: str) -> bool:
    """Whether the words of a header name what it holds, or that it numbers things."""
    if _SIZE.fullmatch(header):  # of clothes, of which the units are the sum
        return True
    named = any(header_score(field, header) >= 0.5 for field in (*FIELDS, "state", "kind"))
    return (
        named
        or not (may_be_units(header) or says_return(header))
        or is_number_of(header)
        or plain(header) in words("lists", "pictures")
    )
