"""The ledger's physical layout, as a list of steps. A ledger knows how many of them it has taken.

A new column of a table needs no step: a ledger follows model/tables.toml when it is opened.
"""

import json
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa

from datong.ledger.customer_tokens import without_unknown
from datong.ledger.masking import masked
from datong.model.errors import Refused
from datong.model.tables import Column, Table, tables
from datong.model.words import message
from datong.store.written_anew import Hands, change_cells, identify_place, quoted, rename_rows

_SQL_TYPES = {
    "text": "VARCHAR",
    "number": "DOUBLE",
    "integer": "BIGINT",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "moment": "TIMESTAMPTZ",
}

# Columns of every chain table besides its own. row_id: which fact; version: counts up within the fact (and its
# valid_from); content: hash of all but known_at; ingest: the ingest that brought it; source_row: where in its source.
_BOOKKEEPING = {
    "row_id": "VARCHAR NOT NULL",
    "_content": "UHUGEINT NOT NULL",
    "_version": "INTEGER NOT NULL",
    "_known_at_assumed": "BOOLEAN NOT NULL",
    "_withdrawn": "BOOLEAN NOT NULL",
    "_ingest": "BIGINT NOT NULL",
    "_source_row": "BIGINT",
}


def sql_type(column: Column) -> str:
    return _SQL_TYPES[column.type]


def _first_layout(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("CREATE SCHEMA chain")
    connection.execute(
        "CREATE TABLE ingests (ingest BIGINT NOT NULL, table_name VARCHAR NOT NULL, source VARCHAR NOT NULL,"
        " arrived_at TIMESTAMPTZ NOT NULL)"
    )
    connection.execute(
        "CREATE TABLE quarantine (quarantine_id VARCHAR NOT NULL, table_name VARCHAR NOT NULL, source VARCHAR NOT NULL,"
        ' "row" BIGINT, raw VARCHAR NOT NULL, findings VARCHAR NOT NULL, arrived_at TIMESTAMPTZ NOT NULL)'
    )
    connection.execute(
        "CREATE TABLE runs (run VARCHAR NOT NULL, as_of TIMESTAMPTZ NOT NULL, seed BIGINT NOT NULL,"
        " saved BIGINT NOT NULL)"
    )
    connection.execute("CREATE TABLE run_tables (run VARCHAR NOT NULL, name VARCHAR NOT NULL, arrow BLOB NOT NULL)")


def _branches(connection: duckdb.DuckDBPyConnection) -> None:
    """Branches (see branches.py), and of each run on which branch it was made (0: the trunk) and what went in.

    Their rows lie in tables of their own, which the first change on a branch makes: the trunk's stay as they are.
    """
    connection.execute("CREATE SCHEMA branch")
    connection.execute(
        "CREATE TABLE branches (branch BIGINT NOT NULL, name VARCHAR NOT NULL, parent BIGINT NOT NULL,"
        " parent_ingest BIGINT NOT NULL, moment TIMESTAMPTZ NOT NULL, made_at TIMESTAMPTZ NOT NULL,"
        " note VARCHAR NOT NULL)"
    )
    connection.execute(
        "CREATE TABLE branch_ingests (branch BIGINT NOT NULL, ingest BIGINT NOT NULL, table_name VARCHAR NOT NULL,"
        " source VARCHAR NOT NULL, arrived_at TIMESTAMPTZ NOT NULL)"
    )
    connection.execute(
        "CREATE TABLE branch_quarantine (branch BIGINT NOT NULL, quarantine_id VARCHAR NOT NULL,"
        ' table_name VARCHAR NOT NULL, source VARCHAR NOT NULL, "row" BIGINT, raw VARCHAR NOT NULL,'
        " findings VARCHAR NOT NULL, arrived_at TIMESTAMPTZ NOT NULL)"
    )
    connection.execute("ALTER TABLE runs ADD COLUMN branch BIGINT DEFAULT 0")
    connection.execute("ALTER TABLE runs ADD COLUMN ingest BIGINT")
    connection.execute("ALTER TABLE runs ADD COLUMN settings VARCHAR")


def _intakes(connection: duckdb.DuckDBPyConnection) -> None:
    """What was taken in from where, so that what has not changed is not read again."""
    connection.execute("CREATE TABLE intakes (place VARCHAR NOT NULL, digest VARCHAR NOT NULL, kept VARCHAR NOT NULL)")


def _quarantine_ingests(connection: duckdb.DuckDBPyConnection) -> None:
    """With each row in quarantine the ingest that brought it, to tell what came later. Null: before this."""
    connection.execute("ALTER TABLE quarantine ADD COLUMN ingest BIGINT")
    connection.execute("ALTER TABLE branch_quarantine ADD COLUMN ingest BIGINT")


def _writes(connection: duckdb.DuckDBPyConnection) -> None:
    """Who wrote what and when, a row for each write. Of earlier ones nobody noted by whom, nor how many rows: the
    trunk's in their order, then the branches'."""
    connection.execute(
        'CREATE TABLE writes ("write" BIGINT NOT NULL, "at" TIMESTAMPTZ NOT NULL, "by" VARCHAR, what VARCHAR NOT NULL,'
        " branch VARCHAR, subject VARCHAR NOT NULL, source VARCHAR, how_many BIGINT)"
    )
    connection.execute(
        "INSERT INTO writes SELECT row_number() OVER (ORDER BY turn, ingest, branch), moment, NULL, what, branch,"
        " subject, source, NULL FROM ("
        "  SELECT arrived_at AS moment, 0 AS turn, ingest, NULL AS branch, table_name AS subject, source,"
        "   CASE WHEN source IN ('withdraw', 'discard') THEN source ELSE 'ingest' END AS what FROM ingests"
        "  UNION ALL SELECT made_at, 1, branch, NULL, name, NULL, 'make_branch' FROM branches"
        "  UNION ALL SELECT arrived_at, 2, ingest, name, table_name, source,"
        "   CASE WHEN source IN ('withdraw', 'discard') THEN source ELSE 'ingest' END"
        "   FROM branch_ingests JOIN branches USING (branch))"
    )


def _deliveries(connection: duckdb.DuckDBPyConnection) -> None:
    """How far messages to counterparties are, by the way that they go. What went out before this stands nowhere here:
    the ways know it themselves."""
    connection.execute(
        "CREATE TABLE deliveries (way VARCHAR NOT NULL, key VARCHAR NOT NULL, state VARCHAR NOT NULL,"
        " noted_at TIMESTAMPTZ NOT NULL)"
    )


def _put_back(connection: duckdb.DuckDBPyConnection) -> None:
    """What moments of rows were before a clock that had run ahead was repaired."""
    connection.execute(
        'CREATE TABLE put_back (repair BIGINT NOT NULL, "at" TIMESTAMPTZ NOT NULL, "by" VARCHAR NOT NULL,'
        ' "table" VARCHAR NOT NULL, row_id VARCHAR, version INTEGER, "column" VARCHAR NOT NULL,'
        " recorded TIMESTAMPTZ NOT NULL, became TIMESTAMPTZ NOT NULL)"
    )


def _buyers_out_of_content(connection: duckdb.DuckDBPyConnection) -> None:
    """Who bought is no part any more of what a row says, nor of the id of a row without a key: a hash of it could be
    held against a name. Kept runs name their rows by the new ids."""
    hands = hands_of(connection)
    anew: dict[str, str] = {}
    for schema, name, column in _columns_of(hands):
        if name in tables() and column in tables()[name].personal_columns("customer"):
            anew |= identify_place(hands, schema, name, f"{quoted(column)} IS NOT NULL", anew)
    rename_rows(hands, anew)


def _words_masked(connection: duckdb.DuckDBPyConnection) -> bool:
    """Personal data in what buyers wrote are masked, also in columns that were kept as they came before. Returns
    whether there were any: the file holds them until it is written anew."""
    hands, found = hands_of(connection), False
    anew: dict[str, str] = {}
    for schema, name, column in _columns_of(hands):
        if name not in tables() or column not in tables()[name].columns or not tables()[name].columns[column].masked:
            continue
        changed, ids = change_cells(hands, schema, name, column, masked, anew)
        anew |= ids
        found |= changed > 0
    rename_rows(hands, anew)
    return found


def _quarantine_without_unknown_columns(connection: duckdb.DuckDBPyConnection) -> bool:
    """Rows in quarantine lose what stands in columns that their table does not know, and the text of records that could
    not be cut into cells: nobody reads them, and they may name anybody. Returns whether there were any."""
    hands, found = hands_of(connection), False
    for where in ("quarantine", "branch_quarantine"):
        for name, one, raw, findings in hands.rows(
            f"SELECT DISTINCT table_name, quarantine_id, raw, findings FROM {where} ORDER BY ALL"
        ):
            row = json.loads(raw)
            if name not in tables() or (row.keys() <= tables()[name].columns.keys() and row.keys() != {"text"}):
                continue
            kept, told = without_unknown(tables()[name], row, json.loads(findings))
            texts = [json.dumps(value, ensure_ascii=False) for value in (kept, told)]
            hands.run(
                f"UPDATE {where} SET raw = ?, findings = ? WHERE table_name = ? AND quarantine_id = ? AND raw = ?",
                [*texts, name, one, raw],
            )
            found = True
    return found


def _columns_of(hands: Hands) -> list[tuple[str, str, str]]:
    """Schema, table and column of all that a chain and its branches have, in order."""
    return [
        (schema, name, column)
        for schema, name, column in hands.rows(
            "SELECT schema_name, table_name, column_name FROM duckdb_columns() WHERE NOT internal"
            " AND schema_name IN ('chain', 'branch') ORDER BY schema_name DESC, table_name, column_name"
        )
    ]


def hands_of(connection: duckdb.DuckDBPyConnection) -> Hands:
    """What steps read and write with."""

    @contextmanager
    def registered(name: str, table: pa.Table) -> Generator[None]:
        connection.register(name, table)
        try:
            yield
        finally:
            connection.unregister(name)

    def run(sql: str, params: Sequence[Any] = ()) -> None:
        connection.execute(sql, list(params))

    def rows(sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return connection.execute(sql, list(params)).fetchall()

    def arrow(sql: str, params: Sequence[Any] = ()) -> pa.Table:
        return connection.sql(sql, params=list(params)).to_arrow_table()

    return Hands(rows, run, arrow, registered)


def _worked_out(connection: duckdb.DuckDBPyConnection) -> None:
    """What was worked out of rows, by a digest of all that decides it: see ledger/kept_results.py."""
    connection.execute(
        "CREATE TABLE IF NOT EXISTS worked_out"
        " (digest VARCHAR NOT NULL, local_day BIGINT NOT NULL, content BLOB NOT NULL)"
    )


def _writes_acted_at(connection: duckdb.DuckDBPyConnection) -> None:
    """With each write the moment on the world's clock, where the chain's says another. Null: before this."""
    connection.execute("ALTER TABLE writes ADD COLUMN IF NOT EXISTS acted_at TIMESTAMPTZ")


# Only ever appended to. Each takes a ledger from the version before to its own.
MIGRATIONS: tuple[Callable[[duckdb.DuckDBPyConnection], bool | None], ...] = (
    _first_layout,
    _branches,
    _intakes,
    _quarantine_ingests,
    _writes,
    _deliveries,
    _put_back,
    _buyers_out_of_content,
    _words_masked,
    _quarantine_without_unknown_columns,
    _worked_out,
    _writes_acted_at,
)


def migrate(connection: duckdb.DuckDBPyConnection) -> bool:
    """Bring a ledger to today's layout, in one transaction. Returns whether the file is to be written anew, since it
    holds what must not be kept, of now or of a writing that was killed. Raises Refused for a ledger of a newer
    Datong."""
    connection.execute("BEGIN")
    connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)")
    connection.execute(f"CREATE TABLE IF NOT EXISTS {REWRITE_DUE} (due BOOLEAN NOT NULL)")
    (version,) = connection.execute("SELECT coalesce(max(version), 0) FROM schema_version").fetchall()[0]
    if version > len(MIGRATIONS):
        connection.execute("ROLLBACK")
        raise Refused(message("store.newer", found=version, known=len(MIGRATIONS)))
    for number, step in enumerate(MIGRATIONS[version:], start=version + 1):
        if step(connection):
            note_rewrite_due(hands_of(connection))
        connection.execute("INSERT INTO schema_version VALUES (?)", [number])
    _follow_tables(connection)
    connection.execute("COMMIT")
    return bool(connection.execute(f"SELECT 1 FROM {REWRITE_DUE} LIMIT 1").fetchall())


# A row in it: the file is to be written anew. It is noted in the transaction that takes out what must not be kept, and
# the file that is written anew has none, so that a kill between leaves the note.
REWRITE_DUE = "rewrite_due"


def note_rewrite_due(hands: Hands) -> None:
    hands.run(f"INSERT INTO {REWRITE_DUE} (due) VALUES (true)")


def _follow_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Add the tables and columns that tables.toml has and the ledger has not. A new column is null in old rows.

    Nulls do not enter a content hash, so a new column leaves the ids of known rows as they are.
    """
    found = connection.execute(
        "SELECT schema_name, table_name, column_name FROM duckdb_columns()"
        " WHERE schema_name IN ('chain', 'branch') AND NOT internal"
    ).fetchall()
    has = set(found)
    known = {(schema, table) for schema, table, _ in found}
    for table in tables().values():
        if ("chain", table.name) not in known:
            connection.execute(_create(table))
        for schema, name in (("chain", chain_table(table)), ("branch", branch_table(table))):
            for column in table.columns.values():
                if (schema, table.name) in known and (schema, table.name, column.name) not in has:
                    connection.execute(f"ALTER TABLE {name} ADD COLUMN {quoted(column.name)} {sql_type(column)}")


def _create(table: Table) -> str:
    return f"CREATE TABLE {chain_table(table)} ({', '.join(_columns(table))})"


def create_branch_table(table: Table) -> str:
    """Makes the table for the rows that branches change in a chain table, where it is not there yet."""
    return f"CREATE TABLE IF NOT EXISTS {branch_table(table)} (_branch BIGINT NOT NULL, {', '.join(_columns(table))})"


def _columns(table: Table) -> list[str]:
    columns = [f"{name} {type_}" for name, type_ in _BOOKKEEPING.items()]
    return columns + [f"{quoted(c.name)} {sql_type(c)}" for c in table.columns.values()]


def branch_table(table: Table) -> str:
    """The SQL name of what branches change in a chain table. It need not be there."""
    return f"branch.{quoted(table.name)}"


def chain_table(table: Table) -> str:
    """The SQL name of a chain table."""
    return f"chain.{quoted(table.name)}"
