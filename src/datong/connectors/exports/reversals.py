"""Documents that reverse another one, as a cancelled invoice: the sale never was, or its goods came back, which is a
question."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports.date_column import Moments
from datong.connectors.exports.export import Export
from datong.connectors.exports.number_columns import Numbers
from datong.connectors.exports.price_units_amount import codes_of
from datong.connectors.exports.questions import Option, Question
from datong.connectors.exports.vocabulary import plain, words
from datong.ledger.row_checks import shown
from datong.model.words import message

REVERSED, UNDONE, RETURNED, SOLD = "reversed", "undone", "returned", "sold"
_MOSTLY = 0.8  # of the reversals, whose sale must be in the list


def leave_reversed_out(export: Export, numbers: Numbers, when: Moments) -> None:
    """Leave sales out that another document reverses, with it, where somebody says that they never were."""
    for name in export.choice.kinds:
        texts = export.columns[name].text
        values = texts.unique().drop_null().to_pylist()
        reversing = [t for t in values if plain(t) in words("kinds", "reversal")]
        undoing = [t for t in values if plain(t) in words("kinds", "undoing")]
        amount = np.nan_to_num(numbers.by_field.get("amount", numbers.units))
        is_less = (np.nan_to_num(numbers.units) < 0) | (amount < 0)
        reversals = (_among(texts, reversing) | (_among(texts, undoing) & is_less)) & export.rows.inside
        known = [t for t in (*reversing, *undoing) if (_among(texts, [t]) & reversals).any()]
        if not reversals.any():
            continue
        sales = _sales_of(export, numbers, when, reversals)
        if len(sales) < _MOSTLY * reversals.sum():
            continue
        other = RETURNED if set(known) & set(reversing) else SOLD  # what is void is no return
        units = f"{np.abs(numbers.units[list(sales)]).sum():,.10g}"
        options = tuple(Option(n, message(f"export.reading.reversed_{n}", units=units)) for n in (UNDONE, other))
        words_of = ", ".join(map(shown, known))
        asks = message("export.asks.reversed", word=words_of, count=f"{int(reversals.sum()):,}")
        question = Question(REVERSED, asks, (name,), tuple(map(shown, known)), options)
        if export.asking.ask(question) == UNDONE:
            both = np.isin(np.arange(export.table.height), [*sales, *sales.values()])
            export.rows.drop("reversed", both, numbers.units, words_of)


def _among(texts: pa.Array, known: Sequence[str]) -> np.ndarray:
    return np.asarray(pc.fill_null(pc.is_in(texts, pa.array(known, pa.string())), False).to_numpy(zero_copy_only=False))


def _sales_of(export: Export, numbers: Numbers, when: Moments, reversals: np.ndarray) -> dict[int, int]:
    """The row of each reversal by that of its sale: the last one before it of as many units of the same product."""
    product = codes_of(export.columns[export.choice.column("product") or ""])
    units = np.round(np.abs(np.nan_to_num(numbers.units)), 6)
    open_sales: dict[tuple[int, float], list[int]] = {}
    found: dict[int, int] = {}
    rows = np.flatnonzero(export.rows.inside & (product > 0) & (units > 0))
    order = np.lexsort((rows, reversals[rows], when.days[rows]))
    for row in rows[order].tolist():
        of = open_sales.setdefault((int(product[row]), float(units[row])), [])
        if not reversals[row]:
            of.append(row)
        elif of:
            found[of.pop()] = row
    return found
