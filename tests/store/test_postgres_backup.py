"""Backups of a database while chains in it are written to, by PostgreSQL's own programs (docs/postgresql.md)."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from datong.store.branches import DuckDBBranches
from datong.store.copying import digests
from datong.store.postgres.ledger import open_ledger
from lived import live
from postgres_server import server
from stores import NOW, ROWS, SETTINGS, PostgresStore, batch, hours, line, take

PROGRAM = """
import sys
from itertools import count
sys.path.insert(0, sys.argv[2])
from stores import NOW, SETTINGS, batch
from datong.store.postgres.ledger import open_ledger
ledger = open_ledger(sys.argv[1], SETTINGS)
for number in count():
    with ledger.together():
        ledger.ingest("sales", batch(number), None, (), f"{number}.csv", NOW, by="test")
        ledger.note_deliveries("mail", [f"{number}"], "sent", NOW)
    print(number, flush=True)
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[PostgresStore]:
    store = PostgresStore(tmp_path)
    yield store
    store.close()


def test_a_dump_while_a_writer_writes_is_a_consistent_chain(place: PostgresStore) -> None:
    with closing(place.open()) as ledger:
        take(ledger, "lines", line(40.0))
    one, dump = server(), server().folder / f"{place.database}.dump"
    words = [sys.executable, "-c", PROGRAM, place.url, str(Path(__file__).parents[1])]
    writer = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    try:
        writer.stdout.readline()
        one.run("pg_dump", "--format=custom", f"--file={dump}", f"--dbname={one.url(place.database, 'postgres')}")
        assert writer.stdout.readline()  # it went on meanwhile
    finally:
        writer.kill()
        writer.wait()
        rest = writer.stdout.read().split()
        writer.stdout.close()
    after = int(rest[-1]) if rest else 1
    restored = one.new_database("template0")
    try:
        one.run("pg_restore", "--exit-on-error", f"--dbname={one.url(restored, 'postgres')}", dump)
        with closing(open_ledger(one.url(restored), SETTINGS)) as ledger:
            found = Counter(ledger.state(NOW).table("sales")["product"].to_pylist())
            whole = len(found)
            assert found == {f"P{n}": ROWS for n in range(whole)} and 1 <= whole <= after + 1
            assert ledger.deliveries("mail") == {str(n): "sent" for n in range(whole)}
            assert ledger.writes().num_rows == whole + 1 and hours(ledger, NOW) == {"L": 40.0}
            assert ledger.ingest("sales", batch(0), None, (), "0.csv", NOW, by="test").known == ROWS  # it goes on
            assert ledger.ingest("sales", batch(999), None, (), "999.csv", NOW, by="test").added == ROWS
    finally:
        one.drop([restored])


def test_a_database_is_put_back_to_a_moment(place: PostgresStore) -> None:
    """A base backup, the log that is archived since, and a server that plays it up to the moment before a mistake."""
    one = server()
    archive, back = one.archive, one.folder / "back"
    one.run("mkdir", archive)
    with one.superuser() as top:
        with closing(place.open()) as ledger:
            live(ledger, DuckDBBranches(ledger), 6, steps=0)
            one.run(
                "pg_basebackup",
                f"--pgdata={back}",
                f"--dbname={one.url('postgres', 'postgres')}",
                "--checkpoint=fast",
                "--no-sync",
                "--wal-method=none",
            )
            take(ledger, "lines", line(40.0))
            before = digests(ledger)
            moment = top.execute("SELECT clock_timestamp()::text").fetchone()
            ledger.withdraw("lines", ["lines:L"], NOW, by="test")  # the mistake
            assert digests(ledger) != before
        last = top.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone()
        assert last is not None and moment is not None
        for _ in range(300):
            if (archive / last[0]).exists():
                break
            time.sleep(0.05)
    one.write("back/recovery.signal", "")
    recovery = {"restore_command": f"cp {archive}/%f %p", "recovery_target_time": moment[0]}
    one.start(back, {**recovery, "recovery_target_action": "promote", "archive_mode": "off"}, port=5433)
    try:
        one.wait_for_writes(5433)
        url = one.url(place.database, port=5433)
        with closing(open_ledger(url, SETTINGS)) as ledger:
            assert digests(ledger) == before and hours(ledger, NOW) == {"L": 40.0}
            assert take(ledger, "lines", line(45.0, known_at=NOW)) == (0, 1, 0, 0)
    finally:
        one.end(back)
        one.run("rm", "-r", archive, back)
