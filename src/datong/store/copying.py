"""All that a ledger holds, from one store to another, and a digest of it by which two are known to hold the same."""

from collections.abc import Iterator
from typing import NamedTuple

from datong.model.errors import DatongError, Refused
from datong.model.tables import tables
from datong.model.words import message
from datong.store.duckdb_ledger import DuckDBLedger
from datong.store.migrations import REWRITE_DUE, create_branch_table, quoted

_ROWS = 65_536  # at once
# Columns and tables that say how a store keeps rows, and nothing of the chain.
_OF_THE_STORE = ("_place", "schema_version", REWRITE_DUE)


class _Held(NamedTuple):
    """A table as a ledger has it. name: SQL. columns: name and type, by name."""

    name: str
    columns: tuple[tuple[str, str], ...]


def _held(ledger: DuckDBLedger) -> Iterator[_Held]:
    """Every table of a ledger, those of branches too, by name."""
    ledger._rows("SELECT 1 FROM duckdb_tables() LIMIT 1")  # a store that is elsewhere has what it has
    rows = ledger._rows(
        "SELECT schema_name, table_name, list((column_name, data_type) ORDER BY column_name) FROM duckdb_columns()"
        " WHERE NOT internal AND schema_name IN ('main', 'chain', 'branch') AND column_name NOT IN ?"
        " AND table_name NOT IN ? AND database_name = current_database()"
        " GROUP BY ALL ORDER BY schema_name, table_name",
        [list(_OF_THE_STORE), list(_OF_THE_STORE)],
    )
    for schema, table, columns in rows:
        yield _Held(table if schema == "main" else f"{schema}.{quoted(table)}", tuple(columns))


def digests(ledger: DuckDBLedger) -> dict[str, str]:
    """Of each table with rows, how many there are and a hash of them, whatever their order: of every column of every
    row, with its type."""
    found = {}
    for table in _held(ledger):
        cells = ", ".join(
            f"coalesce('{name} {kind} ' || {_text(name, kind)}, '{name} NULL')" for name, kind in table.columns
        )
        row = f"concat_ws(chr(31), {cells})"
        ((count, low, high),) = ledger._rows(
            f"SELECT count(*), sum(md5_number_lower({row})::HUGEINT)::VARCHAR,"
            f" sum(md5_number_upper({row})::HUGEINT)::VARCHAR FROM {table.name}"
        )
        if count:
            found[table.name] = f"{count} {int(low) % 2**64:016x}{int(high) % 2**64:016x}"
    return found


def _text(name: str, kind: str) -> str:
    """SQL: a value as a text that no other value of its type has."""
    column = quoted(name)
    if kind == "UHUGEINT":
        return f"{column}::UUID::VARCHAR"
    if kind == "BLOB":
        return f"md5({column})"
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"epoch_us({column})::VARCHAR"
    return f"{column}::VARCHAR"


def copy_all(source: DuckDBLedger, target: DuckDBLedger) -> None:
    """Put all that one ledger holds into another, in one transaction. Raises Refused where that one holds anything, and
    DatongError, with nothing changed, where the two would differ."""
    if digests(target):
        raise Refused(message("store.not_empty", chain=target.chain, path=target.path))
    with target._transaction():
        for table in _held(source):
            if table.name.startswith("branch."):
                target._run(create_branch_table(tables()[table.name.split('"')[1]]))
            names = ", ".join(quoted(name) for name, _ in table.columns)
            sent = ", ".join(_sent(name, kind) for name, kind in table.columns)
            taken = ", ".join(_taken(name, kind) for name, kind in table.columns)
            rows = source._held.relation(f"SELECT {sent} FROM {table.name}", ()).to_arrow_reader(_ROWS)
            with target._registered("moved_arrow", rows):
                target._run(f"INSERT INTO {table.name} ({names}) SELECT {taken} FROM moved_arrow")
        if digests(source) != digests(target):
            raise DatongError(message("store.copy_differs", chain=source.chain, path=target.path))
    target._forget()


def flush(ledger: DuckDBLedger) -> None:
    """Have all that a ledger in a file holds in that one file, and nothing in a log beside it."""
    ledger._run("CHECKPOINT")


def _sent(name: str, kind: str) -> str:
    """SQL: a column as Arrow can carry it."""
    return f"{quoted(name)}::UUID::VARCHAR AS {quoted(name)}" if kind == "UHUGEINT" else quoted(name)


def _taken(name: str, kind: str) -> str:
    return f"{quoted(name)}::UUID::UHUGEINT" if kind == "UHUGEINT" else quoted(name)
