"""Several sessions on one chain of PostgreSQL, processes that die, and lines that are cut."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from datong.ledger.protocol import RunRecord
from datong.model.errors import DatongError, LedgerBusy, Refused
from datong.store.branches import DuckDBBranches
from datong.store.copying import digests
from datong.store.postgres import open_connection
from datong.store.postgres.ledger import PostgresLedger, open_ledger
from datong.store.postgres.session import Session
from lived import live
from postgres_server import server
from stores import NOW, ROWS, SETTINGS, DuckDBStore, PostgresStore, batch, differing, hours, line, make, take, take_in

# A process that takes batches in; killed: at which statement to the server, of the second ingest.
PROGRAM = """
import os, signal, sys
sys.path.insert(0, sys.argv[4])
import psycopg
from stores import NOW, batch
from datong.model.settings import ChainSettings
from datong.store.postgres.ledger import open_ledger
ledger = open_ledger(sys.argv[1], ChainSettings("test"))
first, killed = int(sys.argv[2]), sys.argv[3]
for number in range(first, first + 3):
    if killed and number > first:
        execute = psycopg.Connection.execute
        def dying(self, query, *rest, **named):
            if str(query).startswith(killed):
                os.kill(os.getpid(), signal.SIGKILL)
            return execute(self, query, *rest, **named)
        psycopg.Connection.execute = dying
    done = ledger.ingest("sales", batch(number), None, (), f"{number}.csv", NOW, by="test")
    print(number, done.added, done.known, flush=True)
ledger.close()
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[PostgresStore]:
    store = PostgresStore(tmp_path)
    yield store
    store.close()


def started(url: str, first: int, killed: str = "") -> subprocess.Popen[str]:
    words = [sys.executable, "-c", PROGRAM, url, str(first), killed, str(Path(__file__).parents[1])]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def of_products(ledger: PostgresLedger) -> Counter[str]:
    sales = ledger.state(NOW).table("sales")
    assert len(set(sales["row_id"].to_pylist())) == sales.num_rows
    return Counter(sales["product"].to_pylist())


@pytest.mark.parametrize("killed", ["INSERT INTO datong.table_versions", "UPDATE datong.chains SET version", "COMMIT"])
def test_a_process_that_is_killed_in_the_middle_leaves_nothing_half(place: PostgresStore, killed: str) -> None:
    with closing(place.open()) as ledger:
        process = started(place.url, 0, killed)
        said = process.communicate()[0]
        assert process.returncode == -signal.SIGKILL and said.split() == ["0", str(ROWS), "0"]
        assert of_products(ledger) == {"P0": ROWS} and ledger.writes().num_rows == 1
        assert ledger.ingest("sales", batch(1), None, (), "1.csv", NOW, by="test").added == ROWS
        assert of_products(ledger) == {"P0": ROWS, "P1": ROWS} and ledger.writes().num_rows == 2


def test_two_processes_that_take_in_the_same_at_once_double_no_row(place: PostgresStore) -> None:
    with closing(place.open()) as ledger:
        said = [process.communicate()[0] for process in [started(place.url, 0), started(place.url, 0)]]
        taken = [tuple(map(int, row.split())) for one in said for row in one.splitlines()]
        assert sorted((n, max(a, k), min(a, k)) for n, a, k in taken) == sorted([(n, ROWS, 0) for n in range(3)] * 2)
        assert sum(added for _, added, _ in taken) == 3 * ROWS
        assert of_products(ledger) == {f"P{n}": ROWS for n in range(3)}
        assert ledger.writes().num_rows == 3


def test_sessions_by_turns_leave_what_one_alone_leaves(place: PostgresStore, tmp_path: Path) -> None:
    """Each step by another session, that has seen none of the steps in between."""
    ledgers = [place.open() for _ in range(3)]
    turn = iter(range(10_000))

    class Turns:
        """A ledger, or its branches, of which each question goes to the next session."""

        def __init__(self, *of: object) -> None:
            self.of = of

        def __getattr__(self, name: str) -> object:
            return getattr(self.of[next(turn) % len(self.of)], name)

    class OfBranches(Turns):
        def on(self, name: str) -> object:
            return Turns(*(one.on(name) for one in self.of))

    live(Turns(*ledgers), OfBranches(*(DuckDBBranches(ledger) for ledger in ledgers)), 3, steps=8)  # ty: ignore
    with closing(DuckDBStore(tmp_path).open()) as alone:
        live(alone, DuckDBBranches(alone), 3, steps=8)
        assert [digests(ledger) for ledger in ledgers] == [digests(alone)] * 3


def test_who_is_open_sees_what_another_one_wrote(place: PostgresStore) -> None:
    one, two = place.open(), place.open()
    take(one, "lines", line(40.0))
    before = two.state(NOW)
    assert hours(two, NOW) == {"L": 40.0}
    take(one, "lines", line(50.0, known_at=NOW))
    assert hours(two, NOW) == {"L": 50.0} and two.last_ingests() == {"lines": 2}
    assert hours(one, NOW) == {"L": 50.0}
    assert two.state(NOW, snapshot=before.snapshot).table("lines")["hours_per_week"].to_pylist() == [40.0]
    assert two.runs().num_rows == 0
    one.save_run(RunRecord("R", NOW, 1, {}), NOW, by="test")
    assert two.runs()["run"].to_pylist() == ["R"] and two.last_write() == 3
    branch = make(DuckDBBranches(one), "if", NOW)
    take(branch, "lines", line(60.0))
    assert hours(DuckDBBranches(two).on("if"), NOW) == {"L": 60.0}
    assert take_in(two, "lines", line(50.0, known_at=NOW)).known == 1
    one.withdraw("lines", ["lines:L"], NOW, by="test")
    assert hours(two, NOW) == {} and differing(two) == []


def test_a_line_that_is_cut_is_made_anew_and_a_write_on_it_is_whole_or_not_there(
    place: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(place.open()) as ledger:
        take(ledger, "lines", line(40.0))
        cut(place)
        assert hours(ledger, NOW) == {"L": 40.0}  # a reader does not notice
        cut(place)
        take(ledger, "lines", line(30.0, "M"))  # nor does who begins to write
        send = Session._send

        def cut_before(self: Session, *rest: object) -> bool:
            cut(place)
            return send(self, *rest)  # ty: ignore

        with monkeypatch.context() as patch, pytest.raises(DatongError, match="whole or not at all"):
            patch.setattr(Session, "_send", cut_before)
            take(ledger, "lines", line(20.0, "N"))
        assert hours(ledger, NOW) == {"L": 40.0, "M": 30.0}
        execute = psycopg.Connection.execute

        def cut_after(self: psycopg.Connection, query: object, *rest: object) -> object:
            done = execute(self, query, *rest)  # ty: ignore
            if query == "COMMIT":
                raise psycopg.OperationalError("the line was cut")
            return done

        with monkeypatch.context() as patch, pytest.raises(DatongError, match="whole or not at all"):
            patch.setattr(psycopg.Connection, "execute", cut_after)
            take(ledger, "lines", line(10.0, "O"))
        assert hours(ledger, NOW) == {"L": 40.0, "M": 30.0, "O": 10.0}  # it came about, and is seen
        assert differing(ledger) == [] and ledger.writes().num_rows == 3


def cut(place: PostgresStore) -> None:
    """End every session of a database."""
    with server().superuser() as top:
        top.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [place.database])


def test_who_waits_too_long_for_another_writer_is_told_so(
    place: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = place.open()
    monkeypatch.setitem(open_connection._SETTINGS, "lock_timeout", "100ms")
    two = place.open()
    with one.together():
        take(one, "lines", line(40.0))
        with pytest.raises(LedgerBusy, match="Nothing was changed"):
            take(two, "lines", line(40.0))
        assert hours(two, NOW) == {}  # who reads does not wait
    assert take(two, "lines", line(40.0)) == (0, 0, 1, 0)


def test_what_is_read_at_once_is_of_one_moment(place: PostgresStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another session writes between two tables of a state."""
    one, two = place.open(), place.open()
    take(one, "lines", line(40.0))
    take(one, "products", {"product": "P", "price": 1.0})
    read = PostgresLedger._read_rows

    def between(self: PostgresLedger, table: object, *rest: object) -> object:
        rows = read(self, table, *rest)  # ty: ignore
        if self is two and rows.num_rows == 1:
            take(one, "lines", line(50.0, known_at=NOW))
            take(one, "products", {"product": "P", "price": 2.0, "known_at": NOW})
        return rows

    with monkeypatch.context() as patch:
        patch.setattr(PostgresLedger, "_read_rows", between)
        state = two.state(NOW, ("lines", "products"))
    assert state.table("lines")["hours_per_week"].to_pylist() == [40.0]
    assert state.table("products")["price"].to_pylist() == [1.0]
    assert two.state(NOW).table("products")["price"].to_pylist() == [2.0]


def test_a_database_that_was_put_back_to_an_earlier_day_is_read_anew(place: PostgresStore) -> None:
    with closing(place.open()) as ledger:
        take(ledger, "lines", line(40.0))
        take(ledger, "lines", line(30.0, "M"))
        with server().superuser(place.database) as top:
            top.execute("DELETE FROM datong.chain_lines WHERE _written = 2")
            top.execute("UPDATE datong.chains SET version = 1")
            top.execute("UPDATE datong.table_versions SET written = 1")
        assert hours(ledger, NOW) == {"L": 40.0}


def test_many_rows_and_few_rows_go_and_come_the_same_way(
    place: PostgresStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a stream here, as statements elsewhere: the same rows, with every kind of text and number in them."""
    with closing(DuckDBStore(tmp_path).open()) as ledger:
        live(ledger, DuckDBBranches(ledger), 4, steps=2)
        found = digests(ledger)
    monkeypatch.setattr("datong.store.postgres.session._FEW", 0)
    with closing(place.open()) as ledger:
        live(ledger, DuckDBBranches(ledger), 4, steps=2)
    with closing(place.open()) as ledger:
        assert digests(ledger) == found


def test_who_opens_a_chain_does_not_wait_for_a_writer(place: PostgresStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(open_connection._SETTINGS, "lock_timeout", "100ms")
    one = place.open()
    with one.together():
        take(one, "lines", line(40.0))
        with closing(open_ledger(place.url, SETTINGS)) as two:
            assert hours(two, NOW) == {}
    assert hours(one, NOW) == {"L": 40.0}


@pytest.mark.parametrize("few", [0, 200])
def test_a_character_that_no_text_may_have_there_is_refused(
    place: PostgresStore, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr("datong.store.postgres.session._FEW", few)
    ledger = place.open()
    take(ledger, "lines", line(40.0))
    with pytest.raises(Refused, match="every character but NUL"):
        take(ledger, "lines", line(30.0, "a\0b"))
    assert hours(ledger, NOW) == {"L": 40.0} and take(ledger, "lines", line(30.0, "ab")) == (1, 0, 0, 0)


def test_tables_of_one_run_are_read_without_those_of_others(place: PostgresStore) -> None:
    with closing(place.open()) as ledger:
        live(ledger, DuckDBBranches(ledger), 4, steps=0)
    with closing(place.open()) as ledger:
        assert set(ledger.run_tables("R")) == {"empty", "signals"}
        session = ledger._held
        assert session.connection().execute("SELECT DISTINCT run FROM run_tables").fetchall() == [("R",)]
        assert set(ledger.run_tables("RB")) == {"empty", "signals"}
        ledger.forget_person(["~1"], ["too small"], NOW, "", by="test")
        assert "too small" not in str(ledger.run_tables("R")["signals"].to_pylist())
        assert differing(ledger) == []


def test_a_process_made_by_fork_leaves_the_line_of_its_parent_alone(place: PostgresStore) -> None:
    ledger = place.open()
    take(ledger, "lines", line(40.0))
    line_of = ledger._held._server.info.backend_pid  # ty: ignore
    child = os.fork()
    if child == 0:
        try:
            ledger.close()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert hours(ledger, NOW) == {"L": 40.0}
    assert ledger._held._server.info.backend_pid == line_of  # ty: ignore
