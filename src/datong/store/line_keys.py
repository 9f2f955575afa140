"""Keys of order lines in a ledger: all that there are, and others in their place, wherever they stand.

A key stands in cells of rows (of every version and branch), in ids of rows, in rows in quarantine and the findings on
them, and in what decisions and kept runs say of rows.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

from datong.model.tables import Table, tables
from datong.store.written_anew import Hands, change_cells, identify_place, quoted, rename_rows, runs_with

# Columns that hold keys of order lines, by table. Of sales and returns, the first is the key of the row itself.
CELLS = {"sales": ("sale",), "returns": ("return", "sale"), "reviews": ("sale",)}
# Where the key of a line of a day begins in a text.
_BEGIN = re.compile(r"(?<![^\s:;,'\"“‘(\[])/[0-9]{4}-[0-9]{2}-[0-9]{2}/")


def line_keys(hands: Hands) -> list[str]:
    """Every key, in order, of rows and of rows in quarantine."""
    found: set[str] = set()
    for name, columns in CELLS.items():
        for where in sql_tables(hands, tables()[name]):
            for column in map(quoted, columns):
                sql = f"SELECT DISTINCT {column} FROM {where} WHERE {column} IS NOT NULL"
                found |= {key for (key,) in hands.rows(sql)}
        for where in ("quarantine", "branch_quarantine"):
            for (raw,) in hands.rows(f"SELECT raw FROM {where} WHERE table_name = ?", [name]):
                found |= {str(cell) for column, cell in json.loads(raw).items() if column in columns and cell}
    return sorted(found)


def rename_keys(hands: Hands, keys: Mapping[str, str]) -> None:
    """Put other keys in place of these, but in quarantine: rows that are made of them get the id and content that go
    with it. keys: old -> new."""
    if not keys:
        return
    names = pa.table({"old": pa.array(list(keys), pa.string()), "new": pa.array(list(keys.values()), pa.string())})
    anew: dict[str, str] = {}
    with hands.registered("keys_arrow", names):
        for name, columns in CELLS.items():
            table = tables()[name]
            for schema in schemas(hands, table):
                where = f"{schema}.{quoted(name)}"
                for column in columns:
                    own_id = f", row_id = '{name}:' || k.new" if column in table.key else ""
                    hands.run(
                        f"UPDATE {where} SET {quoted(column)} = k.new{own_id} FROM keys_arrow AS k"
                        f" WHERE {quoted(column)} = k.old"
                    )
                changed = " OR ".join(f"{quoted(column)} IN (SELECT new FROM keys_arrow)" for column in columns)
                anew |= identify_place(hands, schema, name, changed, anew)
            hands.run(
                f"UPDATE put_back SET row_id = '{name}:' || k.new FROM keys_arrow AS k"
                f" WHERE row_id = '{name}:' || k.old"
            )
    other = _in_texts(keys)
    for schema in schemas(hands, tables()["decisions"]):
        anew |= change_cells(hands, schema, "decisions", "evidence", other, anew)[1]
    runs_with(hands, other)
    rename_rows(hands, anew)


def sql_tables(hands: Hands, table: Table) -> list[str]:
    """The SQL tables of a table: the chain's, and the one of what branches changed, where there is one."""
    return [f"{schema}.{quoted(table.name)}" for schema in schemas(hands, table)]


def schemas(hands: Hands, table: Table) -> list[str]:
    """In which schemas a table is."""
    found = set(hands.rows("SELECT schema_name, table_name FROM duckdb_tables()"))
    return [schema for schema in ("chain", "branch") if (schema, table.name) in found]


def _in_texts(keys: Mapping[str, str]) -> Callable[[str], str]:
    """What puts other keys into a text, as they are and as JSON spells them."""
    spelled = dict(keys)
    for old, new in keys.items():
        for plainly in (False, True):
            spelled[json.dumps(old, ensure_ascii=plainly)[1:-1]] = json.dumps(new, ensure_ascii=plainly)[1:-1]
    by_begin: dict[str, list[str]] = {}
    for old in sorted(spelled, key=len, reverse=True):  # one may be the beginning of another
        if found := _BEGIN.match(old):
            by_begin.setdefault(found.group(), []).append(old)

    def other(text: str) -> str:
        parts, done = [], 0
        for begin in _BEGIN.finditer(text):
            at = begin.start()
            old = next((key for key in by_begin.get(begin.group(), ()) if text.startswith(key, at)), None)
            if old is not None and at >= done:
                parts += [text[done:at], spelled[old]]
                done = at + len(old)
        return "".join([*parts, text[done:]])

    return other


def own_keys(table: Table, raw: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, str]:
    """The other keys of a raw row in quarantine, by those that it has."""
    cells = (str(raw.get(column)) for column in CELLS.get(table.name, ()))
    return {cell: keys[cell] for cell in cells if cell in keys}
