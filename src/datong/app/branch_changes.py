"""What is changed on a branch, as a planner says it: lines.A3.hours_per_week=120, or a row that is new."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.files.read import RawSource
from datong.ledger.row_checks import ROW, nearest_hint
from datong.ledger.row_ids import keyed_row_id
from datong.ledger.state import State, arrow_type
from datong.model.errors import NotFound, Refused
from datong.model.tables import BESIDE, Table, tables
from datong.model.words import message

_CHANGE = re.compile(
    r'(?P<table>\w+)\.(?:"(?P<quoted>(?:[^"]|"")*)"|(?P<key>[^"].*?))\.(?P<column>\w+)=(?P<text>.*)', re.DOTALL
)


class Change(NamedTuple):
    """One value of one row. key: as in the row's id, parts of a composite key joined by '|'. text: '' empties it."""

    table: str
    key: str
    column: str
    text: str

    def __str__(self) -> str:
        return f"{self.table}.{self.key}.{self.column}={self.text}"


class NewRow(NamedTuple):
    """A row that is not there yet: its values as a file writes them."""

    table: str
    values: Mapping[str, str]

    def __str__(self) -> str:
        return " ".join([self.table, *(f"{column}={text}" for column, text in self.values.items())])


def parse_row(words: Sequence[str]) -> NewRow:
    """TABLE COLUMN=VALUE ... Raises Refused."""
    told = [word.partition("=") for word in words[1:]]
    if not told or "=" in words[0] or not all(column and sign for column, sign, _ in told):
        raise Refused(message("branch.not_a_row", text=" ".join(words)))
    return NewRow(words[0].strip(), {column.strip(): text.strip() for column, _, text in told})


def parse_change(text: str) -> Change:
    """TABLE.KEY.COLUMN=VALUE; a key may stand in double quotes (a quote in it doubled). Raises Refused."""
    found = _CHANGE.fullmatch(text.strip())
    if found is None:
        raise Refused(message("branch.not_a_change", text=text))
    key = found["key"] if found["quoted"] is None else found["quoted"].replace('""', '"')
    return Change(found["table"], key, found["column"], found["text"].strip())


def changed_sources(state: State, changes: Sequence[Change], source: str) -> dict[str, RawSource]:
    """The rows that the changes are about, by table, as a file would give them with the new values as text.

    Rows keep their valid_from, so that the new row takes the place of the one in force. What is changed is marked as
    assumed. Raises NotFound for a table, row or column that is not there, Refused for a table of events.
    """
    by_table: dict[str, dict[str, dict[str, str]]] = {}
    for change in changes:
        _check_names(change.table, [change.column])
        by_table.setdefault(change.table, {}).setdefault(change.key, {})[change.column] = change.text
    return {
        name: RawSource(source, _rows(tables()[name], state.table(name), by_key)) for name, by_key in by_table.items()
    }


def added_sources(state: State, rows: Sequence[NewRow], source: str) -> list[tuple[str, RawSource]]:
    """The new rows by table, as a file would give them; a row that is there with the same values is left out.

    What they say is marked as assumed. A row that gives a valid_from of its own is a further version of its key. Raises
    as `changed_sources`, and Refused for a row whose key is not told or is there with other values.
    """
    by_table: dict[str, list[Mapping[str, str]]] = {}
    for row in rows:
        _check_names(row.table, row.values, with_key=True)
        table = tables()[row.table]
        row_id = keyed_row_id(table, row.values)
        if row_id is None:
            raise Refused(message("branch.no_key_told", table=table.name, key=", ".join(table.key)))
        day = row.values.get("valid_from")
        held = state.versions(table.name) if day else state.table(table.name)
        there = held.filter(pc.equal(held["row_id"], row_id)).to_pylist()
        if day:
            there = [version for version in there if as_cell(version["valid_from"]) == day]
        if not there:
            by_table.setdefault(table.name, []).append(row.values)
        elif any(not _same(there[0][column], text) for column, text in row.values.items()):
            key = row_id.partition(":")[2]
            raise Refused(message("branch.there_already", table=table.name, key=key))
    return [(name, RawSource(source, _new_rows(tables()[name], new))) for name, new in by_table.items()]


def _new_rows(table: Table, rows: Sequence[Mapping[str, str]]) -> pa.Table:
    told = [c for c in table.columns if any(c in row for row in rows)]
    cells = {c: pa.array([row.get(c) or None for row in rows], pa.string()) for c in told}
    marks = [_assumed(None, set(row) - set(table.key), table) for row in rows]
    numbers = pa.array(range(1, len(rows) + 1), pa.int64())
    return pa.table({ROW: numbers, **cells, "assumed": pa.array(marks, pa.string())})


def _same(value: Any, text: str) -> bool:
    """Whether a value is what the text says."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(text) == value
        except ValueError:
            return False
    return as_cell(value) == text


def _check_names(name: str, told: Iterable[str], *, with_key: bool = False) -> None:
    if name not in tables():
        raise NotFound(message("branch.unknown_table", table=name, tables=", ".join(tables())))
    table = tables()[name]
    if table.kind != "master":
        masters = ", ".join(t.name for t in tables().values() if t.kind == "master")
        raise Refused(message("branch.not_a_master", table=table.name, tables=masters))
    fixed = (*BESIDE, *(() if with_key else ("valid_from", *table.key)))
    columns = [c for c in table.columns if c not in fixed]
    for column in told:
        if column not in columns:
            hint = nearest_hint(column, columns)
            named = {"table": table.name, "column": column, "columns": ", ".join(columns), "hint": hint}
            raise NotFound(message("branch.no_column", **named))


def _rows(table: Table, held: pa.Table, by_key: dict[str, dict[str, str]]) -> pa.Table:
    wanted = [f"{table.name}:{key}" for key in by_key]
    there = {row["row_id"]: row for row in held.to_pylist() if row["row_id"] in set(wanted)}
    missing = [row_id.partition(":")[2] for row_id in wanted if row_id not in there]
    if missing:
        hint = nearest_hint(missing[0], (i.partition(":")[2] for i in held["row_id"].to_pylist()))
        raise NotFound(message("branch.no_key", table=table.name, key=", ".join(missing), hint=hint))
    rows = [there[row_id] for row_id in wanted]
    arrays: dict[str, pa.Array] = {ROW: pa.array(range(1, len(rows) + 1), pa.int64())}
    for column in table.columns.values():
        if column.name in BESIDE:
            continue
        if any(column.name in values for values in by_key.values()):
            # As text, so that the rules of a file hold for the new value.
            told = [values.get(column.name) for values in by_key.values()]
            cells = [as_cell(row[column.name]) if t is None else t for row, t in zip(rows, told, strict=True)]
            arrays[column.name] = pa.array([cell or None for cell in cells], pa.string())
        else:
            arrays[column.name] = pa.array([row[column.name] for row in rows], arrow_type(column))
    marks = [_assumed(row["assumed"], values, table) for row, values in zip(rows, by_key.values(), strict=True)]
    return pa.table({**arrays, "assumed": pa.array(marks, pa.string())})


def as_cell(value: Any) -> str:
    """A value as a file writes it."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, date) else repr(value)


def _assumed(mark: str | None, changed: Iterable[str], table: Table) -> str:
    """The row's own marks and what is changed, in the order of the table's columns: saying it again changes nothing."""
    marked = {c.strip() for c in (mark or "").split(",")} | set(changed)
    return ",".join(c for c in table.columns if c in marked and c != "known_at")
