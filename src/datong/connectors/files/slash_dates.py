"""Dates with slashes in a folder's tables, as 13/02/2024: read as the whole column tells, else told and refused."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.files.read import RawBatch, Source
from datong.ledger.row_checks import column_name, shown
from datong.model.findings import Finding, finding
from datong.model.tables import Table

# Two numbers and a year, as they are written; what follows is a time.
_WRITTEN = r"^\s*([0-9]{1,2})([/.-])([0-9]{1,2})[/.-]([0-9]{4})(?:$|[ T,].*)"
_DAY_FIRST = r"^\s*(1[3-9]|2[0-9]|3[01])[/.-](0?[1-9]|1[0-2])[/.-][0-9]{4}"
_MONTH_FIRST = r"^\s*(0?[1-9]|1[0-2])[/.-](1[3-9]|2[0-9]|3[01])[/.-][0-9]{4}"
_DOTTED = r"^\s*[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{4}"
_TURNED = {"day_first": r"\4-\3-\1\5", "month_first": r"\4-\1-\3\5"}
_TURN = r"^\s*([0-9]{1,2})([/.-])([0-9]{1,2})[/.-]([0-9]{4})(.*)$"
_TYPES = ("date", "moment")


@dataclass(frozen=True)
class _Evidence:
    """What the dates of a column say of their order. some: there are such dates; day, month: some can only be read with
    that first; dotted: all have dots. sample: one of them."""

    some: bool = False
    day: bool = False
    month: bool = False
    dotted: bool = True
    sample: str = ""

    def __or__(self, other: "_Evidence") -> "_Evidence":
        if not (self.some and other.some):
            return self if self.some else other
        dotted = self.dotted and other.dotted
        return _Evidence(True, self.day or other.day, self.month or other.month, dotted, self.sample)

    @property
    def order(self) -> str:
        """'day_first', 'month_first', '' where nothing tells, 'both' where they contradict one another."""
        if self.day and self.month:
            return "both"
        return "day_first" if self.day or (self.dotted and not self.month) else "month_first" if self.month else ""


class SlashDates(Source):
    """A source with the dates of its columns written as 2024-02-13, where they were not and their order is known."""

    def __init__(self, table: Table, source: Source) -> None:
        self.name, self.columns = source.name, source.columns
        self.commas_group, self.text_columns = source.commas_group, source.text_columns
        self._source, self._table = source, table

    def batches(self) -> Iterator[RawBatch]:
        orders = {name: order for name, order in self._orders.items() if order in _TURNED}
        for batch in self._source.batches():
            yield RawBatch(_turned(batch.rows, orders), batch.rejected) if orders else batch

    @property
    def findings(self) -> Sequence[Finding]:
        return (*self._source.findings, *self._told())

    @cached_property
    def _orders(self) -> Mapping[str, str]:
        """The order of each column that has such dates. One that tells nothing has that of the other columns."""
        orders = {name: evidence.order for name, evidence in self._evidence.items()}
        known = {*orders.values()} - {""}
        return {name: order or (next(iter(known)) if len(known) == 1 else "") for name, order in orders.items()}

    @cached_property
    def _evidence(self) -> Mapping[str, _Evidence]:
        """Of each column with such dates, in one pass. A source whose first rows have none has none."""
        dates = {name for name, column in self._table.columns.items() if column.type in _TYPES}
        names = [name for name in self.columns if column_name(self._table, name) in dates]
        found: dict[str, _Evidence] = {}
        for batch in self._source.batches() if names else ():
            found = {name: found.get(name, _Evidence()) | _evidence(batch.rows[name]) for name in names}
            if not any(evidence.some for evidence in found.values()):
                return {}
        return {name: evidence for name, evidence in found.items() if evidence.some}

    def _told(self) -> Iterator[Finding]:
        for name, order in self._orders.items():
            severity, key = ("note", f"read_{order}") if order in _TURNED else ("error", "both_ways")
            value = shown(self._evidence[name].sample)
            yield finding(severity, f"slash_dates.{key}", self.name, column=name, value=value)


def _evidence(cells: pa.ChunkedArray) -> _Evidence:
    if not pa.types.is_string(cells.type):
        return _Evidence()
    written = pc.fill_null(pc.match_substring_regex(cells, _WRITTEN), False)
    if not pc.any(written).as_py():
        return _Evidence()
    texts = pc.unique(cells.filter(written))

    def some(rule: str) -> bool:
        return bool(pc.any(pc.match_substring_regex(texts, rule)).as_py())

    dotted = bool(pc.all(pc.match_substring_regex(texts, _DOTTED)).as_py())
    return _Evidence(True, some(_DAY_FIRST), some(_MONTH_FIRST), dotted, texts[0].as_py())


def _turned(rows: pa.Table, orders: Mapping[str, str]) -> pa.Table:
    for name, order in orders.items():
        turned = pc.replace_substring_regex(rows[name], _TURN, _TURNED[order])
        rows = rows.set_column(rows.column_names.index(name), name, turned)
    return rows
