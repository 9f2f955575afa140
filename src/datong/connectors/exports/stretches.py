"""How many days the texts of a column of dates stand for: a day, a week, a month, a quarter, a stretch."""

from calendar import monthrange
from datetime import date, timedelta

import numpy as np

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.date_texts import last_of_stretch, parse
from datong.connectors.exports.day_month_order import not_a_day

_WEEK, _MONTHS_OF_QUARTER = 7, 3


def days_counted(cells: Cells, first: np.ndarray) -> np.ndarray:
    """(row,) int64: days that a row counts together, 1 where nothing says otherwise. first: (row,) its first day, since
    1970-01-01, as the column was read."""
    encoded = cells.text.dictionary_encode()
    kinds = [parsed.kind if (parsed := parse(text)) is not None else "" for text in encoded.dictionary.to_pylist()]
    at = encoded.indices.fill_null(len(kinds)).to_numpy(zero_copy_only=False)
    result = np.ones(len(at), np.int64)
    for place, kind in enumerate(kinds):
        rows = np.flatnonzero((at == place) & ~not_a_day(first))
        if not rows.size or kind in ("", "day", "numeric", "serial", "epoch"):
            continue
        start = date(1970, 1, 1) + timedelta(days=int(first[rows[0]]))
        result[rows] = _length(kind, start, encoded.dictionary[place].as_py())
    return result


def _length(kind: str, start: date, text: str) -> int:
    if kind == "week":
        return _WEEK
    if kind in ("month", "month_or_week", "month_or_day"):
        return monthrange(start.year, start.month)[1]
    if kind == "quarter":
        after = start.month - 1 + _MONTHS_OF_QUARTER
        return (date(start.year + after // 12, after % 12 + 1, 1) - start).days
    if kind == "stretch":
        last = last_of_stretch(text, start)
        return 1 if last is None else max((last - start).days + 1, 1)
    return 1
