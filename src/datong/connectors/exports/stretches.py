"""How many days the texts of a column of dates stand for: a day, a week, a month, a quarter, a stretch."""

from calendar import monthrange
from datetime import date, timedelta

import numpy as np

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.date_texts import Parsed, last_of_stretch, parse
from datong.connectors.exports.day_month_order import not_a_day

_EPOCH = date(1970, 1, 1)
_WEEK, _MONTHS_OF_QUARTER = 7, 3


def days_counted(cells: Cells, first: np.ndarray) -> np.ndarray:
    """(row,) int64: days that a row counts together, 1 where nothing says otherwise. first: (row,) its first day, since
    1970-01-01, as the column was read."""
    encoded = cells.text.dictionary_encode()
    texts = encoded.dictionary.to_pylist()
    at = encoded.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)
    dated = np.flatnonzero((at < len(texts)) & ~not_a_day(first))
    places, rows = np.unique(at[dated], return_index=True)
    starts = {int(p): _EPOCH + timedelta(days=int(first[dated[r]])) for p, r in zip(places, rows, strict=True)}
    read = {place: parsed for place in starts if (parsed := parse(texts[place])) is not None}
    weeks = any(_is_no_month(parsed, starts[place]) for place, parsed in read.items())
    lengths = np.ones(len(texts) + 1, np.int64)
    for place, parsed in read.items():
        kind = "week" if weeks and parsed.kind == "month_or_week" else parsed.kind
        lengths[place] = _length(kind, starts[place], texts[place])
    return np.where(not_a_day(first), 1, lengths[at])


def _is_no_month(parsed: Parsed, start: date) -> bool:
    """Whether six digits that may be a year and a month were read as a year and a week. start: its first day."""
    return parsed.kind == "month_or_week" and (start.year, start.month, start.day) != (parsed.a, parsed.b, 1)


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
