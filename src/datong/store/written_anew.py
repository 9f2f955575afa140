"""Rows and kept runs written anew in place, where the rules of what they hold have changed."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Any, NamedTuple

import pyarrow as pa

from datong.ledger.row_ids import identities
from datong.ledger.state import arrow_type
from datong.model.tables import Table, tables

# The id of a row without a key.
_ID = re.compile(r"[a-z_]+:#[0-9a-f]{16}\.[0-9]+")
NOBODY: Mapping[str, str] = MappingProxyType({})


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class Hands(NamedTuple):
    """What a ledger reads and writes with. rows, run, arrow: SQL and its parameters. registered: a table under a name
    in SQL."""

    rows: Callable[..., list[tuple[Any, ...]]]
    run: Callable[..., None]
    arrow: Callable[..., pa.Table]
    registered: Callable[[str, pa.Table], AbstractContextManager[None]]


def identify_anew(
    hands: Hands, table: Table, name: str, where: str, trunk: str | None = None, known: Mapping[str, str] = NOBODY
) -> dict[str, str]:
    """Give rows the content, and those without a key the id, that today's rules give them. Returns the new id of each
    row that has another one. name, where: SQL. trunk: of rows of branches, the table of the trunk, whose rows have
    their new ids already; known: those by the ids of before.

    A row without a key keeps its place among equal ones: it is numbered after those that have the new content already.
    What a branch says of a row of the trunk goes on being about it.
    """
    if known:
        ids = pa.table({"before": pa.array(list(known), pa.string()), "after": pa.array(known.values(), pa.string())})
        with hands.registered("known_arrow", ids):
            hands.run(f"UPDATE {name} AS r SET row_id = k.after FROM known_arrow AS k WHERE r.row_id = k.before")
    of_trunk = set(known.values())
    there = {n for (n,) in hands.rows(f"SELECT column_name FROM (DESCRIBE {name})")}
    columns = [column for column in table.columns.values() if column.name in there]
    own = ", ".join(quoted(column.name) for column in columns)
    rows = hands.arrow(f"SELECT rowid AS _rowid, row_id AS _old, _ingest, _source_row, {own} FROM {name} WHERE {where}")
    if not rows.num_rows:
        return {}
    typed = pa.table({column.name: rows[column.name].cast(arrow_type(column)) for column in columns})
    named = identities(table, typed)
    order = sorted(
        range(rows.num_rows), key=lambda i: (rows["_ingest"][i].as_py(), rows["_source_row"][i].as_py() or 0)
    )
    old, keyed, base = (rows["_old"].to_pylist(), named["_keyed"].to_pylist(), named["row_id"].to_pylist())
    new: dict[str, str] = {}
    last: dict[str, int] = {}
    for i in order:
        if keyed[i] or old[i] in new or old[i] in of_trunk:
            continue
        if base[i] not in last:
            last[base[i]] = max(
                _last_number(hands, name, base[i], old),
                0 if trunk is None else _last_number(hands, trunk, base[i], ()),
            )
        last[base[i]] += 1
        new[old[i]] = f"{base[i]}.{last[base[i]]}"
    ids = pa.array([new.get(one, one) for one in old], pa.string())
    changed = pa.table({"at": rows["_rowid"], "id": ids, "high": named["_content_high"], "low": named["_content_low"]})
    with hands.registered("anew_arrow", changed):
        hands.run(
            f"UPDATE {name} AS r SET row_id = a.id, _content = (a.high::UHUGEINT << 64) + a.low"
            " FROM anew_arrow AS a WHERE r.rowid = a.at"
        )
    return {one: other for one, other in new.items() if one != other}


def identify_place(hands: Hands, schema: str, name: str, where: str, before: dict[str, str]) -> dict[str, str]:
    """`identify_anew` of the trunk's rows, or, after them, of those of the branches. before: ids that have changed."""
    place = f"{schema}.{quoted(name)}"
    if schema == "chain":
        return identify_anew(hands, tables()[name], place, where)
    known = {old: new for old, new in before.items() if old.startswith(f"{name}:")}
    return identify_anew(hands, tables()[name], place, where, f"chain.{quoted(name)}", known)


def change_cells(
    hands: Hands, schema: str, name: str, column: str, change: Callable[[str], str], before: dict[str, str]
) -> tuple[int, dict[str, str]]:
    """Change the texts of a column. Returns how many different ones were changed, and the new id of each row that has
    another one. before: ids that have changed."""
    where, cell = f"{schema}.{quoted(name)}", quoted(column)
    texts = [text for (text,) in hands.rows(f"SELECT DISTINCT {cell} FROM {where} WHERE {cell} IS NOT NULL")]
    pairs = [(text, change(text)) for text in sorted(texts)]
    told = [(old, new) for old, new in pairs if old != new]
    if not told:
        return 0, {}
    olds, news = (pa.array(side, pa.string()) for side in zip(*told, strict=True))
    with hands.registered("told_arrow", pa.table({"old": olds, "new": news})):
        hands.run(f"UPDATE {where} AS r SET {cell} = t.new FROM told_arrow AS t WHERE r.{cell} = t.old")
        return len(told), identify_place(hands, schema, name, f"{cell} IN (SELECT new FROM told_arrow)", before)


def rename_rows(hands: Hands, anew: Mapping[str, str]) -> None:
    """Kept runs name rows by their new ids. anew: id -> new id, of rows without a key."""
    if anew:
        runs_with(hands, lambda text: _ID.sub(lambda found: anew.get(found.group(), found.group()), text))


def runs_with(hands: Hands, other: Callable[[str], str]) -> None:
    """Change every text of kept runs."""

    def changed(value: Any) -> Any:
        return [changed(each) for each in value] if isinstance(value, list) else other(value) if value else value

    change_run_tables(hands, changed)


def change_run_tables(hands: Hands, change: Callable[[Any], Any], names: Sequence[str] | None = None) -> int:
    """Change texts, and lists of texts, of the tables of kept runs. names: of these tables alone. Returns how many
    tables were changed."""
    count = 0
    for run, name in hands.rows("SELECT run, name FROM run_tables ORDER BY run, name"):
        if names is not None and name not in names:
            continue
        ((kept,),) = hands.rows("SELECT arrow FROM run_tables WHERE run = ? AND name = ?", [run, name])
        with pa.ipc.open_stream(kept) as reader:
            table = reader.read_all()
        other = with_texts(table, change)
        if other is not table:
            hands.run("UPDATE run_tables SET arrow = ? WHERE run = ? AND name = ?", [arrow_bytes(other), run, name])
            count += 1
    return count


def _last_number(hands: Hands, name: str, base: str, without: Sequence[str]) -> int:
    """The highest number of the rows of a content, but for some of them; 0 where there is none."""
    ((number,),) = hands.rows(
        f"SELECT max(split_part(row_id, '.', -1)::BIGINT) FROM {name} WHERE starts_with(row_id, ?)"
        " AND row_id NOT IN (SELECT unnest(?::VARCHAR[]))",
        [base + ".", list(without)],
    )
    return number or 0


def with_texts(table: pa.Table, change: Callable[[Any], Any]) -> pa.Table:
    """The table with its texts, and lists of texts, changed; the same one where nothing is to be changed."""
    for i, field in enumerate(table.schema):
        item = field.type.value_type if pa.types.is_list(field.type) else field.type
        if not (pa.types.is_string(item) or pa.types.is_large_string(item)):
            continue
        before = table.column(i).to_pylist()
        after = [change(value) for value in before]
        if after != before:
            table = table.set_column(i, field, pa.array(after, field.type))
    return table


def arrow_bytes(table: pa.Table) -> bytes:
    """A table as a run keeps it."""
    return arrow_buffer(table).to_pybytes()


def arrow_buffer(table: pa.Table) -> pa.Buffer:
    """`arrow_bytes`, without a copy of them: a run's largest tables are tens of megabytes."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table.combine_chunks())
    return sink.getvalue()
