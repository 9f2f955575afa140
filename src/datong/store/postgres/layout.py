"""The tables of a PostgreSQL database that keeps chains, who may use which, and how an owner makes them.

All lies in the schema `datong`. Each table of a ledger (see store/migrations.py) is one table here, with three columns
more: `chain`; `_place`, which tells a row of a chain from the others for good; `_written`, the number of the write that
brought it or changed it last. Row-level security, forced also on the owner, shows a session the rows of one chain: the
one that it has set (`datong.chain`), where `members` lets the role that signed in use it. The role that Datong signs in
with owns nothing, so that it can change neither the tables, nor the policies, nor `members`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import LiteralString

import psycopg
from psycopg import sql

from datong.model.errors import Refused
from datong.model.tables import tables
from datong.model.words import message
from datong.store.duckdb_connection import connect_to
from datong.store.migrations import branch_table, migrate, quoted
from datong.store.postgres.address import shown

# DuckDB's type -> PostgreSQL's.
_TYPES: dict[str, LiteralString] = {
    "VARCHAR": "text",
    "DOUBLE": "double precision",
    "BIGINT": "bigint",
    "INTEGER": "integer",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
    "UHUGEINT": "uuid",  # 128 bits
    "BLOB": "bytea",
}
PLACE = "_place"
EVERY_CHAIN = "*"
_OWN: dict[str, LiteralString] = {"chain": "text NOT NULL", PLACE: "bigint NOT NULL", "_written": "bigint NOT NULL"}
# Steps of store/migrations.py before which no chain was kept here: all tables were made after them.
FIRST_STEPS = 11
# Each step since then, by its number: what it does to the rows of a chain that is kept here already (`_follow` has made
# the columns and tables that it needs), in the transaction in which the chain's layout is raised.
CHAIN_STEPS: Mapping[int, Callable[[psycopg.Connection, str], None]] = {
    12: lambda _connection, _chain: None,  # writes.acted_at is null in earlier rows
}
STEPS = max(CHAIN_STEPS, default=FIRST_STEPS)
# Two owners do not make the layout at once.
_LOCK = 0x6461746F6E67


@dataclass(frozen=True)
class Kept:
    """A table that is kept. here: its SQL name in DuckDB. there: its name in the schema `datong`. columns: name ->
    DuckDB's type. required: those that are never null."""

    here: str
    there: str
    columns: dict[str, str]
    required: frozenset[str]

    def never_null(self, column: str) -> LiteralString:
        """What SQL says of a column that is never null."""
        return " NOT NULL" if column in self.required else ""

    @property
    def has_blobs(self) -> bool:
        return "BLOB" in self.columns.values()


@cache
def kept_tables() -> dict[str, Kept]:
    """Every table of a ledger of today's layout, by its SQL name in DuckDB; those that branches may yet make as
    well."""
    found: dict[str, dict[str, str]] = {}
    required: dict[str, set[str]] = {}
    with connect_to(None) as made:
        migrate(made)
        rows = made.execute(
            "SELECT schema_name, table_name, column_name, data_type, is_nullable FROM duckdb_columns()"
            " WHERE NOT internal AND schema_name IN ('main', 'chain') AND table_name <> 'schema_version'"
            " ORDER BY schema_name, table_name, column_index"
        ).fetchall()
    for schema, table, column, kind, may_be_null in rows:
        name = table if schema == "main" else f"{schema}.{quoted(table)}"
        found.setdefault(name, {})[column] = kind
        required.setdefault(name, set()).update(() if may_be_null else (column,))
    for table in tables().values():
        trunk = f"chain.{quoted(table.name)}"
        found[branch_table(table)] = {"_branch": "BIGINT", **found[trunk]}
        required[branch_table(table)] = {"_branch", *required[trunk]}
    return {
        here: Kept(here, here.replace(".", "_").replace('"', ""), columns, frozenset(required[here]))
        for here, columns in found.items()
    }


def table_here(table: Kept) -> str:
    """SQL of DuckDB that makes a table where it is not there."""
    columns = ", ".join(f"{quoted(name)} {kind}{table.never_null(name)}" for name, kind in table.columns.items())
    return f"CREATE TABLE IF NOT EXISTS {table.here} ({columns}, {PLACE} BIGINT DEFAULT nextval('places'))"


_BEGIN = """
CREATE SCHEMA IF NOT EXISTS datong;
CREATE TABLE IF NOT EXISTS datong.members (role name NOT NULL, chain text NOT NULL, PRIMARY KEY (role, chain));
CREATE OR REPLACE FUNCTION datong.chain_here() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
    SELECT current_setting('datong.chain', true) WHERE EXISTS (
        SELECT FROM datong.members WHERE role = session_user
        AND chain IN ('*', current_setting('datong.chain', true)))
$$;
CREATE TABLE IF NOT EXISTS datong.chains (chain text PRIMARY KEY, layout integer NOT NULL,
    version bigint NOT NULL DEFAULT 0);
CREATE SEQUENCE IF NOT EXISTS datong.sessions;
CREATE TABLE IF NOT EXISTS datong.table_versions (chain text NOT NULL, name text NOT NULL, written bigint NOT NULL,
    rewritten bigint NOT NULL, PRIMARY KEY (chain, name));
"""


def prepare(owner: psycopg.Connection, url: str, role: str, chains: Sequence[str]) -> list[str]:
    """Make what is not there yet, or follow today's layout, and let a role use these chains and no other, in one
    transaction. Done again it changes nothing. chains: none: those that it may use already, and every one where there
    is none. Returns those that it may use then (EVERY_CHAIN: all, those to come too).

    Raises Refused where there is no such role, or it could pass over the policies.
    """
    found = owner.execute("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = %s", [role]).fetchone()
    if found is None:
        raise Refused(message("store.postgres_no_role", url=shown(url), role=role))
    if found[0] or role == owner.info.user:
        raise Refused(message("store.postgres_strong_role", url=shown(url), role=role))
    with owner.transaction():
        owner.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        owner.execute(_BEGIN)
        there = _columns(owner)
        for table in kept_tables().values():
            _follow(owner, table, there.get(table.there, set()))
        guarded = [table.there for table in kept_tables().values()] + ["chains", "table_versions"]
        _guard(owner, guarded)
        _grant(owner, guarded, role)
        if chains:
            owner.execute("DELETE FROM datong.members WHERE role = %s", [role])
        for chain in chains or (() if _may_use(owner, role) else (EVERY_CHAIN,)):
            owner.execute("INSERT INTO datong.members VALUES (%s, %s) ON CONFLICT DO NOTHING", [role, chain])
        return _may_use(owner, role)


def _may_use(owner: psycopg.Connection, role: str) -> list[str]:
    """Chains of which a role is a member, by name."""
    rows = owner.execute('SELECT chain FROM datong.members WHERE role = %s ORDER BY chain COLLATE "C"', [role])
    return [chain for (chain,) in rows]


def _columns(connection: psycopg.Connection) -> dict[str, set[str]]:
    """Columns of the tables in the schema, by table."""
    rows = connection.execute(
        "SELECT c.relname, array_agg(a.attname::text) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
        " WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'datong')"
        " AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped GROUP BY c.oid, c.relname"
    )
    return {table: set(columns) for table, columns in rows}


def _lacking(connection: psycopg.Connection) -> list[str]:
    """Tables and columns of today's layout that a database has not."""
    there = _columns(connection)
    missing = []
    for table in kept_tables().values():
        if table.there not in there:
            missing.append(table.there)
        else:
            missing += [f"{table.there}.{name}" for name in table.columns if name not in there[table.there]]
    return missing


def _follow(owner: psycopg.Connection, table: Kept, there: set[str]) -> None:
    name = sql.Identifier("datong", table.there)
    own = [sql.SQL("{} {}").format(sql.Identifier(c), sql.SQL(type_)) for c, type_ in _OWN.items()]
    columns = [
        sql.SQL("{} {}{}").format(sql.Identifier(c), sql.SQL(_TYPES[kind]), sql.SQL(table.never_null(c)))
        for c, kind in table.columns.items()
        if c not in there
    ]
    if not there:
        rows = sql.SQL(", ").join([*own, *columns])
        owner.execute(sql.SQL("CREATE TABLE {} ({}, PRIMARY KEY (chain, _place))").format(name, rows))
        owner.execute(sql.SQL("CREATE INDEX ON {} (chain, _written)").format(name))
    for column in columns if there else ():
        owner.execute(sql.SQL("ALTER TABLE {} ADD COLUMN {}").format(name, column))


def _guard(owner: psycopg.Connection, names: Sequence[str]) -> None:
    """Rows of one chain alone, also for the owner. The chain is asked once for a statement, not for each row."""
    has = {name for (name,) in owner.execute("SELECT tablename FROM pg_policies WHERE schemaname = 'datong'")}
    for each in names:
        name = sql.Identifier("datong", each)
        owner.execute(sql.SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY").format(name))
        owner.execute(sql.SQL("ALTER TABLE {} FORCE ROW LEVEL SECURITY").format(name))
        if each not in has:
            owner.execute(
                sql.SQL(
                    "CREATE POLICY own_chain ON {} USING (chain = (SELECT datong.chain_here()))"
                    " WITH CHECK (chain = (SELECT datong.chain_here()))"
                ).format(name)
            )


def _grant(owner: psycopg.Connection, names: Sequence[str], role: str) -> None:
    who = sql.Identifier(role)
    owner.execute("REVOKE ALL ON SCHEMA datong FROM PUBLIC")
    owner.execute("REVOKE ALL ON FUNCTION datong.chain_here() FROM PUBLIC")
    owner.execute(sql.SQL("GRANT USAGE ON SCHEMA datong TO {}").format(who))
    owner.execute(sql.SQL("GRANT EXECUTE ON FUNCTION datong.chain_here() TO {}").format(who))
    owner.execute(sql.SQL("GRANT USAGE ON SEQUENCE datong.sessions TO {}").format(who))
    for name in names:
        table = sql.Identifier("datong", name)
        owner.execute(sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON {} TO {}").format(table, who))


def refuse_wrong_role(connection: psycopg.Connection, url: str, chain: str) -> None:
    """Raises Refused, with what is to be done, where a session cannot be Datong's: nothing is there, its role is above
    the policies or owns the tables, may not use the chain, or the layout is not today's."""
    role = connection.info.user
    words = {"url": shown(url), "role": role, "chain": chain}
    rights = connection.execute(
        "SELECT to_regnamespace('datong') IS NOT NULL,"
        " (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = session_user),"
        " EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        "   WHERE n.nspname = 'datong' AND pg_has_role(session_user, c.relowner, 'MEMBER')),"
        " (SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = 'datong')"
    ).fetchone()
    assert rights is not None
    is_there, is_above, owns, may_look = rights
    if not is_there:
        raise Refused(message("store.postgres_not_prepared", **words))
    if is_above or owns:
        raise Refused(message("store.postgres_strong_role", **words))
    if not may_look or connection.execute("SELECT datong.chain_here()").fetchone() == (None,):
        raise Refused(message("store.postgres_no_member", **words))
    if missing := _lacking(connection):
        raise Refused(message("store.postgres_behind", count=len(missing), first=missing[0], **words))


def begin_session(connection: psycopg.Connection, chain: str) -> int:
    """Note a chain where it is new, take it to today's layout where it is of an earlier one; returns the number of this
    session. Raises Refused for a chain that a newer Datong keeps there."""
    connection.execute(
        "INSERT INTO datong.chains (chain, layout) VALUES (%s, %s) ON CONFLICT DO NOTHING", [chain, STEPS]
    )
    found = connection.execute(
        "SELECT nextval('datong.sessions'), layout FROM datong.chains WHERE chain = %s", [chain]
    ).fetchone()
    assert found is not None
    number, steps = found
    if steps > STEPS:
        raise Refused(message("store.newer", found=steps, known=STEPS))
    if steps < STEPS:
        _take_steps(connection, chain)
    return number


def _take_steps(connection: psycopg.Connection, chain: str) -> None:
    """Take a chain to today's layout in one transaction, in which nobody else writes to it. Sessions that have it open
    read all of it again."""
    with connection.transaction():
        found = connection.execute(
            "SELECT layout, version + 1 FROM datong.chains WHERE chain = %s FOR UPDATE", [chain]
        ).fetchone()
        assert found is not None
        steps, version = found
        for step in range(steps + 1, STEPS + 1):  # none where somebody else has taken them meanwhile
            CHAIN_STEPS[step](connection, chain)
        if steps < STEPS:
            connection.execute(
                "UPDATE datong.chains SET layout = %s, version = %s WHERE chain = %s", [STEPS, version, chain]
            )
            connection.execute(
                "UPDATE datong.table_versions SET written = %s, rewritten = %s WHERE chain = %s",
                [version, version, chain],
            )


def clean(owner: psycopg.Connection) -> None:
    """Write every table anew, so that nothing that was taken out is left in free space. Locks each while it lasts."""
    for name in sorted(_columns(owner)):
        owner.execute(sql.SQL("VACUUM (FULL, ANALYZE) {}").format(sql.Identifier("datong", name)))
