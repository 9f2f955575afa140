"""What remarks say of the state of their rows.

A remark column tells something only here and there: what is a word for a state counts as one; what speaks of a
cancellation or a return in other words, or of an order that was only a try, is asked about, once for the column,
however many of its remarks do.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.export import Export
from datong.connectors.exports.filled_down import on_all_lines
from datong.connectors.exports.order_state_words import MARKS, marks_of, tells_of_try, tells_of_undoing
from datong.connectors.exports.price_units_amount import quoted_of
from datong.connectors.exports.questions import Option, Question
from datong.connectors.exports.vocabulary import plain
from datong.model.words import message

# The readings of each question, the likeliest first; what one says, where it is not its name.
_UNDONE, _TRIES = ("sold", "not_sold", "returned"), ("not_sold", "sold")
_SAID = {"sold": "remark_sold"}
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
        unknown = [text for text in texts if marks_of(text) is None]
        tries = [text for text in unknown if tells_of_try(text)]
        undone = [text for text in unknown if text not in tries and tells_of_undoing(text)]
        for key, doubtful, readings in (("remark", undone, _UNDONE), ("try", tries, _TRIES)):
            rows = pc.fill_null(pc.is_in(cells.text, pa.array(doubtful, pa.string())), False)
            marks = _ask(export, key, name, readings, rows.to_numpy(zero_copy_only=False) & (units > 0), units)
            if marks is not None:
                meant[name] = {**meant.get(name, {}), **dict.fromkeys(map(plain, doubtful), marks)}
                known += doubtful
        if known:
            told = Cells(pc.if_else(pc.is_in(cells.text, pa.array(known, pa.string())), cells.text, None))
            states[name] = on_all_lines(export, name, told)
    return states, meant


def _ask(
    export: Export, key: str, name: str, readings: Sequence[str], rows: np.ndarray, units: np.ndarray
) -> frozenset[str] | None:
    """The marks of remarks that speak of an undoing, or of a try; None where they are only remarks."""
    if not rows.any():
        return None
    count, of = f"{int(rows.sum()):,}", f"{units[rows].sum():,.10g}"
    options = tuple(Option(n, message(f"export.reading.{_SAID.get(n, n)}", units=of)) for n in readings)
    asks = message(f"export.asks.{key}", column=name, count=count)
    question = Question(f"{key}:{name}", asks, (name,), quoted_of(export.columns[name], rows, False), options)
    return _AS_MARKS.get(export.asking.ask(question))
