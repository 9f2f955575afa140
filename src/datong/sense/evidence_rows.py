"""Which rows of an event table show a signal best, found a part of the table at a time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from datong.model.flow import EVIDENCE_ROWS, FloatArray, IntArray
from datong.sense.change_found import Found


@dataclass(frozen=True, eq=False)
class EventRows:
    """Rows of a part of an event table. item: place of a row's item, -1 for none. day: since 1970-01-01. units. row:
    position in the table."""

    item: IntArray
    day: IntArray
    units: FloatArray
    row: IntArray

    def take(self, rows: IntArray) -> "EventRows":
        return EventRows(self.item[rows], self.day[rows], self.units[rows], self.row[rows])

    def with_most(self) -> "EventRows":
        """The EVIDENCE_ROWS with most units."""
        return self.take(np.lexsort((self.row, -self.units))[:EVIDENCE_ROWS])

    def last(self) -> "EventRows":
        """The last EVIDENCE_ROWS."""
        return self.take(np.lexsort((self.row, self.item, -self.day))[:EVIDENCE_ROWS])


_NONE = EventRows(*(np.zeros(0, np.int64),) * 2, np.zeros(0), np.zeros(0, np.int64))


def _together(one: EventRows, other: EventRows) -> EventRows:
    return EventRows(*(np.concatenate([getattr(one, f.name), getattr(other, f.name)]) for f in fields(EventRows)))


def best_rows(parts: Iterable[EventRows], shown: Sequence[Found]) -> list[IntArray]:
    """(signal) positions in the table of the EVIDENCE_ROWS rows of its items in its days with most units. Where there
    are none, since nobody bought, of the last ones before those days."""
    inside, before = [_NONE] * len(shown), [_NONE] * len(shown)
    for part in parts:
        rows = part.take(np.lexsort((part.row, part.item)))
        for n, test in enumerate(shown):
            own = rows.take(_of_items(rows.item, np.sort(test.items)))
            first, last = test.days
            now = own.take(np.flatnonzero((own.day >= first) & (own.day <= last)))
            inside[n] = _together(inside[n], now).with_most()
            if not len(inside[n].row):
                before[n] = _together(before[n], own.take(np.flatnonzero(own.day < first))).last()
    return [one.row if len(one.row) else other.row for one, other in zip(inside, before, strict=True)]


def _of_items(item: IntArray, members: IntArray) -> IntArray:
    """Places of some items' rows. item: (row) ascending."""
    starts, ends = np.searchsorted(item, members), np.searchsorted(item, members, side="right")
    return np.concatenate([np.arange(a, b) for a, b in zip(starts, ends, strict=True)])
