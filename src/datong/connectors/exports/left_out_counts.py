"""Rows that are no sales: sums, notes and what cannot be read; how many there are, of how many units, and why."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from datong.connectors.exports.cells import Cells
from datong.connectors.exports.day_month_order import not_a_day
from datong.connectors.exports.table import Table
from datong.connectors.exports.vocabulary import is_service, is_total, may_be_no_goods, names_service, names_total
from datong.ledger.columns import before_in_group
from datong.model.words import say

FEW = 0.01  # of rows or units, that are left out or counted without a question


@dataclass(frozen=True)
class LeftOut:
    """rows: how many, 0 where only units of them are meant. units: None where they count nothing. word: of the state
    that left them out, or the names of what is no goods."""

    reason: str
    rows: int
    units: float | None
    word: str = ""

    def text(self, language: str) -> str:
        units = "" if self.units is None else say("export.left.units", language, units=f"{self.units:,.10g}")
        return say(f"export.left.{self.reason}", language, rows=f"{self.rows:,}", units=units, word=self.word)


@dataclass
class Rows:
    """The rows of a table, and which of them are still in. inside: (row,) bool."""

    table: Table
    inside: np.ndarray = field(init=False)
    _left: list[LeftOut] = field(init=False, default_factory=list)
    # What is known of a column by a rule, so that no column is gone through twice.
    _known: dict[tuple[int, Callable[[str], bool]], tuple[Cells, np.ndarray]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.inside = np.ones(self.table.height, dtype=bool)

    def drop(self, reason: str, rows: np.ndarray, units: np.ndarray | None, word: str = "") -> None:
        """Leave rows out that are still in. units: (row,), where the rows would have counted."""
        rows = rows & self.inside
        if rows.any():
            amount = None if units is None else float(np.abs(np.nan_to_num(units))[rows].sum())
            self._left.append(LeftOut(reason, int(rows.sum()), amount, word))
            self.inside = self.inside & ~rows

    def drop_by(self, words: np.ndarray, rows: np.ndarray, units: np.ndarray) -> None:
        """Leave rows out, each state by itself."""
        for word in sorted(set(words[rows & self.inside].tolist())):
            self.drop("state", rows & (words == word), units, word)

    def add(self, reason: str, rows: int, units: float, *, all_rows: bool) -> None:
        """Units that are left out of rows that stay."""
        self._left.append(LeftOut(reason, rows if not all_rows else self.table.height, units))

    def left(self, unreadable: int) -> tuple[LeftOut, ...]:
        """All that was left out. unreadable: rows that could not be cut into cells."""
        first = [LeftOut("header", self.table.repeated, None)] if self.table.repeated else []
        more = [LeftOut("damaged", unreadable, None)] if unreadable else []
        return (*first, *_added_up(self._left), *more)

    def totals(self, keys: Sequence[Cells]) -> np.ndarray:
        """(row,) bool: a cell is the name of a row of sums."""
        return self._having(keys, is_total)

    def services(self, keys: Sequence[Cells]) -> np.ndarray:
        """(row,) bool: a cell is the name of a line that is no goods."""
        return self._having(keys, is_service)

    def hints_of_services(self, keys: Sequence[Cells]) -> np.ndarray:
        """(row,) bool: a cell begins or ends with such a name."""
        return self._having(keys, names_service)

    def hints_of_no_goods(self, keys: Sequence[Cells]) -> np.ndarray:
        """(row,) bool: a cell holds words of what nobody orders: a gift card."""
        return self._having(keys, may_be_no_goods)

    def hints_of_totals(self, keys: Sequence[Cells]) -> np.ndarray:
        """(row,) bool: a cell begins or ends with such a name."""
        return self._having(keys, names_total)

    def _having(self, keys: Sequence[Cells], holds: Callable[[str], bool]) -> np.ndarray:
        result = np.zeros(self.table.height, dtype=bool)
        for cells in keys:
            found = self._known.get((id(cells), holds))
            if found is None or found[0] is not cells:
                found = self._known[id(cells), holds] = (cells, rows_where(cells, holds))
            result |= found[1]
        return result

    def sums(self, units: np.ndarray, days: np.ndarray, suspected: np.ndarray) -> np.ndarray:
        """(row,) bool: suspected rows whose units are the sum of the others: of their day, of all, or of those above
        them since the last such row."""
        values = np.nan_to_num(units)
        result = np.zeros(len(values), dtype=bool)
        if not suspected.any():
            return result
        others = np.where(suspected, 0.0, values)
        whole = others.sum()
        running = np.cumsum(others)
        day_codes = np.unique(days, return_inverse=True)[1]
        by_day = np.bincount(day_codes, others)
        by_day_running = self._running_by(day_codes, others) if self.table.wide else None
        last: dict[int, float] = {}
        since = 0.0
        for at in np.flatnonzero(suspected).tolist():
            above = running[at]
            wanted = [whole, above, above - since]
            if not not_a_day(days[at : at + 1])[0]:
                wanted.append(by_day[day_codes[at]])
                if by_day_running is not None:
                    code = int(day_codes[at])
                    wanted.append(by_day_running[at] - last.get(code, 0.0))
                    last[code] = float(by_day_running[at])
            if values[at] and any(np.isclose(values[at], w, rtol=1e-9) for w in wanted):
                result[at] = True
            since = float(above)
        return result

    @staticmethod
    def _running_by(codes: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Running sums within each group."""
        order = np.argsort(codes, kind="stable")
        result = np.empty(len(values))
        result[order] = before_in_group(codes[order], values[order]) + values[order]
        return result


def _added_up(left: Sequence[LeftOut]) -> list[LeftOut]:
    """Rows that were left out for the same reason at several steps as one, where the first of them stands."""
    found: dict[tuple[str, str], LeftOut] = {}
    for part in left:
        before = found.get((part.reason, part.word))
        if before is not None:
            units = [u for u in (before.units, part.units) if u is not None]
            part = LeftOut(part.reason, before.rows + part.rows, sum(units) if units else None, part.word)
        found[part.reason, part.word] = part
    return list(found.values())


def rows_where(cells: Cells, holds: Callable[[str], bool]) -> np.ndarray:
    """(row,) bool: a rule holds for the text of a cell."""
    encoded = cells.text.dictionary_encode()
    known = encoded.dictionary.to_pylist()
    is_one = np.array([*(holds(text) for text in known), False])
    return is_one[encoded.indices.fill_null(len(known)).to_numpy(zero_copy_only=False)]
