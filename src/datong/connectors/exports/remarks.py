"""What remarks say of the state of their rows.

A remark column tells something only here and there: what is a word for a state counts as one; what speaks of a
cancellation or a return in other words is asked about, once for the column, however many of its remarks do.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.export import Export
from datong.connectors.exports.filled_down import on_all_lines
from datong.connectors.exports.order_state_words import MARKS, marks_of, tells_of_undoing
from datong.connectors.exports.price_units_amount import quoted_of
from datong.connectors.exports.questions import Option, Question
from datong.connectors.exports.vocabulary import plain
from datong.model.words import message

_AS_MARKS = {"not_sold": MARKS["cancelled"], "returned": MARKS["returned"]}


def states_in_remarks(
    export: Export, units: np.ndarray
) -> tuple[dict[str, Cells], dict[str, Mapping[str, frozenset[str]]]]:
    """The remarks that tell a state, by column, and what those of them mean that were asked about: marks by plain text.
    units: (row,) of the rows that count, 0 for the others."""
    states: dict[str, Cells] = {}
    meant: dict[str, Mapping[str, frozenset[str]]] = {}
    for name in export.choice.remarks:
        cells = export.columns[name]
        texts = cells.text.unique().drop_null().to_pylist()
        known = [text for text in texts if marks_of(text) is not None]
        doubtful = [text for text in texts if marks_of(text) is None and tells_of_undoing(text)]
        rows = pc.fill_null(pc.is_in(cells.text, pa.array(doubtful, pa.string())), False)
        marks = _ask(export, name, rows.to_numpy(zero_copy_only=False) & (units > 0), units)
        if marks is not None:
            meant[name] = dict.fromkeys(map(plain, doubtful), marks)
            known += doubtful
        if known:
            told = Cells(pc.if_else(pc.is_in(cells.text, pa.array(known, pa.string())), cells.text, None))
            states[name] = on_all_lines(export, name, told)
    return states, meant


def _ask(export: Export, name: str, rows: np.ndarray, units: np.ndarray) -> frozenset[str] | None:
    """The marks of remarks that speak of an undoing; None where they are only remarks."""
    if not rows.any():
        return None
    count, of = f"{int(rows.sum()):,}", f"{units[rows].sum():,.10g}"
    readings = (("sold", "remark_sold"), ("not_sold", "not_sold"), ("returned", "returned"))
    options = tuple(Option(n, message(f"export.reading.{key}", units=of)) for n, key in readings)
    asks = message("export.asks.remark", column=name, count=count)
    question = Question(f"remark:{name}", asks, (name,), quoted_of(export.columns[name], rows, False), options)
    return _AS_MARKS.get(export.asking.ask(question))
