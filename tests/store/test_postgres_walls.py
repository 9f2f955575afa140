"""Chains in one database keep apart, whatever statement a session says: row-level security, and a role that owns
nothing."""

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest
from psycopg import sql

from datong.model.errors import DatongError, LedgerBusy, Refused
from datong.model.settings import ChainSettings
from datong.store.branches import DuckDBBranches
from datong.store.migrations import MIGRATIONS
from datong.store.postgres import layout
from datong.store.postgres.address import shown
from datong.store.postgres.layout import kept_tables
from datong.store.postgres.ledger import open_ledger, prepare_database
from datong.store.postgres.open_connection import connect
from lived import live
from postgres_server import APP, OWNER, Server, server
from stores import NOW, hours, line, take

TABLES = sorted(["chains", "table_versions", *(table.there for table in kept_tables().values())])


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """A database with the chains A and B, both with everything in them."""
    name = server().new_database()
    for number, chain in enumerate("AB"):
        with closing(open_ledger(server().url(name), ChainSettings(chain))) as ledger:
            live(ledger, DuckDBBranches(ledger), number, steps=0)
    yield name
    server().drop([name])


@pytest.fixture
def as_a(database: str) -> Iterator[psycopg.Connection]:
    """A session as Datong has it, set to chain A."""
    with connect(server().url(database), {"datong.chain": "A"}) as session:
        yield session


def counted(session: psycopg.Connection, table: str, chain: str) -> int:
    query = sql.SQL("SELECT count(*) FROM {} WHERE chain = %s").format(sql.Identifier("datong", table))
    found = session.execute(query, [chain]).fetchone()
    assert found is not None
    return found[0]


@pytest.mark.parametrize("table", TABLES)
def test_a_session_of_one_chain_reads_and_writes_no_row_of_another(
    database: str, as_a: psycopg.Connection, table: str
) -> None:
    name = sql.Identifier("datong", table)
    with server().superuser(database) as top:
        there = counted(top, table, "B")
    assert counted(as_a, table, "B") == 0
    assert as_a.execute(sql.SQL("UPDATE {} SET chain = 'A' WHERE chain = 'B'").format(name)).rowcount == 0
    assert as_a.execute(sql.SQL("DELETE FROM {} WHERE chain = 'B'").format(name)).rowcount == 0
    if own := counted(as_a, table, "A"):
        as_b = """INSERT INTO {0} SELECT (jsonb_populate_record(t, '{{"chain": "B"}}')).* FROM {0} AS t"""
        for statement in ("UPDATE {} SET chain = 'B'", as_b):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
                as_a.execute(sql.SQL(statement).format(name))
        assert counted(as_a, table, "A") == own
    with server().superuser(database) as top:
        assert counted(top, table, "B") == there


def test_every_table_has_rows_to_be_kept_apart(database: str) -> None:
    """But tables of a chain's that nothing came into."""
    with server().superuser(database) as top:
        empty = [table for table in TABLES if not counted(top, table, "B")]
    filled = {"chain_sales", "chain_reviews", "branch_lines", "ingests", "writes", "runs", "run_tables", "branches"}
    assert not filled & set(empty)
    assert [table for table in empty if not table.startswith(("chain_", "branch_"))] == []


def test_every_table_is_forced_and_owned_by_another_role(database: str) -> None:
    with server().superuser(database) as top:
        found = top.execute(
            "SELECT relname, relrowsecurity AND relforcerowsecurity, pg_get_userbyid(relowner) FROM pg_class"
            " WHERE relnamespace = 'datong'::regnamespace AND relkind = 'r'"
        ).fetchall()
    assert {name for name, _, _ in found} == {*TABLES, "members"}
    assert {forced for name, forced, _ in found if name != "members"} == {True}
    assert {owner for _, _, owner in found} == {OWNER}


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE datong.chain_sales DISABLE ROW LEVEL SECURITY",
        "DROP POLICY own_chain ON datong.chain_sales",
        "CREATE POLICY all_chains ON datong.chain_sales USING (true)",
        "INSERT INTO datong.members VALUES ('app', 'B')",
        "SELECT * FROM datong.members",
        "TRUNCATE datong.chain_sales",
        "CREATE TABLE datong.mine ()",
        "CREATE OR REPLACE FUNCTION datong.chain_here() RETURNS text LANGUAGE sql AS $$ SELECT 'B' $$",
        "SET SESSION AUTHORIZATION owner",
        "SET ROLE owner",
        "SET row_security = off; SELECT * FROM datong.chain_sales",
    ],
)
def test_the_role_cannot_take_the_wall_down(as_a: psycopg.Connection, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_a.execute(statement)


def test_a_role_that_may_use_one_chain_reaches_no_other_by_naming_it(database: str) -> None:
    """Nor by saying who it is not: the wall asks who signed in."""
    with server().superuser(database) as top:
        top.execute("CREATE ROLE of_a LOGIN")
    url = server().url(database, "of_a")
    try:
        prepare_database(server().url(database, OWNER), "of_a", ["A"])
        with connect(url, {"datong.chain": "A"}) as session:
            assert counted(session, "chain_sales", "A") > 0
            for name in ("B", "*", ""):
                session.execute("SELECT set_config('datong.chain', %s, false)", [name])
                seen = [counted(session, table, chain) for table in ("chain_sales", "chains") for chain in "AB"]
                assert seen == [0] * 4
        with pytest.raises(Refused, match="may not use the chain B"):
            open_ledger(url, ChainSettings("B"))
        with closing(open_ledger(url, ChainSettings("A"))) as ledger:
            assert ledger.state(NOW).table("sales").num_rows > 0
        prepare_database(server().url(database, OWNER), "of_a", ["B"])  # and no longer A
        with pytest.raises(Refused, match="may not use the chain A"):
            open_ledger(url, ChainSettings("A"))
    finally:
        with server().superuser(database) as top:
            top.execute("DELETE FROM datong.members WHERE role = 'of_a'")
            top.execute("DROP OWNED BY of_a")
            top.execute("DROP ROLE of_a")


def test_an_update_or_a_clean_changes_nobodys_chains(database: str) -> None:
    """What messages advise: only who is named a chain, or every one, gets it."""
    owner = server().url(database, OWNER)
    with server().superuser(database) as top:
        top.execute("CREATE ROLE of_mill LOGIN")
    try:
        assert prepare_database(owner, "of_mill", ["mill", "kiln"]) == ["kiln", "mill"]
        for clean in (False, True):
            assert prepare_database(owner, "of_mill", (), clean=clean) == ["kiln", "mill"]
        with pytest.raises(Refused, match="may not use the chain A"):
            open_ledger(server().url(database, "of_mill"), ChainSettings("A"))
        assert prepare_database(owner, "of_mill", ["mill"]) == ["mill"]  # named: these and no other
        assert prepare_database(owner, "of_mill", (), every_chain=True) is None
        assert prepare_database(owner, "of_mill", (), clean=True) is None
    finally:
        with server().superuser(database) as top:
            top.execute("DELETE FROM datong.members WHERE role = 'of_mill'")
            top.execute("DROP OWNED BY of_mill")
            top.execute("DROP ROLE of_mill")


def test_the_owner_too_sees_no_rows_but_may_not_be_who_signs_in(database: str) -> None:
    with connect(server().url(database, OWNER), {"datong.chain": "A"}) as session:
        assert counted(session, "chain_sales", "A") == 0
    for role in (OWNER, "postgres"):
        with pytest.raises(Refused, match="owns the tables"):
            open_ledger(server().url(database, role), ChainSettings("A"))
        with pytest.raises(Refused, match="owns the tables"):
            prepare_database(server().url(database, OWNER), role, ())


# what is said where a database cannot be used ---------------------------------------------------------


def refused(url: str, kind: type[DatongError] = Refused) -> str:
    """What is said, in both languages: the remedy is in the text."""
    with pytest.raises(kind) as caught:
        open_ledger(url, ChainSettings("A")).close()
    assert caught.value.message.text("zh") != caught.value.message.text("en")
    return caught.value.message.text("en")


def test_what_keeps_a_database_from_being_opened_is_said_with_what_to_do(database: str) -> None:
    one: Server = server()
    assert "Check that the server runs" in refused("postgresql://app@/x?host=/nowhere")
    assert "createdb" in refused(one.url("nothing"))
    assert "PGPASSWORD" in refused(one.url(database, "asked"))
    wrong = one.url(database, "asked:wrong")
    assert "PGPASSWORD" in refused(wrong) and "wrong" not in shown(wrong) and "asked:wrong" not in refused(wrong)
    assert "may not use the chain A" in refused(one.url(database, "asked:secret"))
    assert "postgresql://USER@HOST" in refused("postgresql://app@/x?nothing=1", DatongError)
    assert "datong database" in refused(one.url("template1"))
    with one.superuser() as top:
        top.execute(f"ALTER ROLE {APP} SET default_transaction_read_only = on")
    assert "only answers who reads" in refused(one.url(database))
    with one.superuser() as top:
        top.execute(f"ALTER ROLE {APP} RESET default_transaction_read_only")
    with one.superuser() as top:
        top.execute("CREATE DATABASE latin TEMPLATE template0 ENCODING LATIN1 LOCALE 'C'")
    assert "UTF8" in refused(one.url("latin"))
    with pytest.raises(Refused, match="CREATE ROLE nobody_here"):
        prepare_database(one.url(database, OWNER), "nobody_here", ())
    with pytest.raises(Refused, match="want of rights"):
        prepare_database(one.url("template1", APP), "asked", ())


def test_a_server_that_is_too_old_is_refused(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datong.store.postgres.open_connection.OLDEST", 99)
    assert "99 or newer" in refused(server().url(database))


def test_a_layout_that_is_behind_or_ahead_is_refused_and_an_owner_brings_it_up(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = server().new_database()
    url = server().url(name)
    try:
        with closing(open_ledger(url, ChainSettings("A"))) as ledger:
            take(ledger, "lines", line(40.0))
        with server().superuser(name) as top:
            top.execute("ALTER TABLE datong.chain_sales DROP COLUMN promotion")
            top.execute("DROP TABLE datong.branch_sales")
        assert "2 are missing" in refused(url)
        prepare_database(server().url(name, OWNER), APP, (), clean=True)
        with closing(open_ledger(url, ChainSettings("A"))) as ledger:
            assert ledger.state(NOW).table("lines").num_rows == 1
        monkeypatch.setattr(layout, "STEPS", layout.STEPS - 1)
        assert "Update Datong" in refused(url)
    finally:
        server().drop([name])


def test_a_chain_of_an_earlier_layout_takes_the_steps_to_todays_once_and_whole(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each by itself, of that chain alone; one that fails leaves all as it was."""
    name = server().new_database()
    url, begun = server().url(name), layout.STEPS
    for chain in "AB":
        with closing(open_ledger(url, ChainSettings(chain))) as ledger:
            take(ledger, "lines", line(40.0))

    def wider(session: psycopg.Connection, chain: str) -> None:
        assert chain == "A"
        session.execute("UPDATE datong.chain_lines SET hours_per_week = hours_per_week + 1")

    def broken(session: psycopg.Connection, _chain: str) -> None:
        session.execute("SELECT 1 / 0")

    def found() -> list[tuple[object, ...]]:
        with server().superuser(name) as top:
            return top.execute(
                "SELECT c.chain, layout - %s, hours_per_week FROM datong.chains AS c JOIN datong.chain_lines"
                " USING (chain) ORDER BY c.chain",
                [begun],
            ).fetchall()

    try:
        with closing(open_ledger(url, ChainSettings("A"))) as early:
            assert hours(early, NOW) == {"L": 40.0}
            monkeypatch.setattr(layout, "STEPS", begun + 2)
            monkeypatch.setattr(layout, "CHAIN_STEPS", {begun + 1: wider, begun + 2: broken})
            with pytest.raises(DatongError):
                open_ledger(url, ChainSettings("A"))
            assert found() == [("A", 0, 40.0), ("B", 0, 40.0)]
            monkeypatch.setattr(layout, "CHAIN_STEPS", {begun + 1: wider, begun + 2: wider})
            for _ in range(2):
                with closing(open_ledger(url, ChainSettings("A"))) as ledger:
                    assert hours(ledger, NOW) == {"L": 42.0}
            assert hours(early, NOW) == {"L": 42.0}  # who had the chain open sees it
        assert found() == [("A", 2, 42.0), ("B", 0, 40.0)]
        monkeypatch.setattr(layout, "CHAIN_STEPS", {})
        with pytest.raises(KeyError):  # a step that nobody wrote is no step that was taken
            open_ledger(url, ChainSettings("B"))
    finally:
        server().drop([name])


def test_who_has_a_chain_alone_is_named_to_the_next(database: str) -> None:
    url = server().url(database)
    with closing(open_ledger(url, ChainSettings("A"), alone=True)):
        with pytest.raises(LedgerBusy, match=r"role app, address -, server process \d+"):
            open_ledger(url, ChainSettings("A"), alone=True)
        open_ledger(url, ChainSettings("B"), alone=True).close()  # another chain
    open_ledger(url, ChainSettings("A"), alone=True).close()


def test_steps_of_the_layout_are_known_here() -> None:
    """Whoever adds a step to migrations.py says in layout.py what it does to chains in PostgreSQL."""
    assert len(MIGRATIONS) == layout.STEPS
    assert sorted(layout.CHAIN_STEPS) == list(range(layout.FIRST_STEPS + 1, layout.STEPS + 1))
