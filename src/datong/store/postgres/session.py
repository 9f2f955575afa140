"""An open chain of a PostgreSQL database: its tables there, and what of them is read, in DuckDB's memory, here.

The rows in PostgreSQL are the ledger. Here is a copy of the tables that were asked about, on which the statements of
duckdb_ledger.py work, so that both stores judge a row by the same rules. What makes that sound:

* A write begins by locking the chain's row in PostgreSQL, and first takes over what others wrote since. Until it ends,
  nobody else writes to the chain: what is judged here is judged of all that is there.
* It ends by one transaction of PostgreSQL that holds every row that it added, changed or took out. A process that dies
  before that leaves nothing, and one that cannot know whether it came about forgets its copy and reads again.
* A reader asks first which write was the last, and takes over what is new, in one snapshot.
"""

import io
import os
import re
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.csv as arrow_csv
from psycopg import sql

from datong.model.errors import LedgerBusy
from datong.model.words import message
from datong.store.migrations import quoted
from datong.store.one_process_one_thread import Held
from datong.store.postgres.address import shown
from datong.store.postgres.layout import (
    PLACE,
    Kept,
    begin_session,
    kept_tables,
    refuse_wrong_role,
    table_here,
)
from datong.store.postgres.open_connection import connect, is_quiet
from datong.store.postgres.server_errors import translated

# A session gives its rows places of its own: its number, then a count.
_PLACES = 2**32
_BLOCK_BYTES = 16 * 1024 * 1024  # of rows that come, at once
_FEW = 200  # rows that go as statements; more go as a stream
_WRITES = re.compile(r"\s*(INSERT INTO|UPDATE|DELETE FROM)\s+([\w.\"]+)", re.IGNORECASE)
_OF_ONE_RUN = re.compile(r"SELECT [^()]* FROM run_tables WHERE run = \?")
_RUN_TABLES = "run_tables"


class Session(Held):
    """The connection to a chain, as a ledger uses it.

    alone: nobody else may have the chain open by such a session, from any machine, until it is closed.
    """

    def __init__(self, url: str, chain: str, connection: duckdb.DuckDBPyConnection, *, alone: bool) -> None:
        """connection: to an empty database in memory. Raises what `connect` raises, Refused for a role or a layout
        that will not do, LedgerBusy where somebody has the chain alone."""
        self._url, self._chain, self._alone = url, chain, alone
        self._kept = kept_tables()
        names = "|".join(sorted((re.escape(name) for name in self._kept), key=len, reverse=True))
        self._named = re.compile(rf"(?<![\w.\"])(?:{names})(?![\w\"])")
        self._server, number = self._connected()
        connection.execute("CREATE SCHEMA chain; CREATE SCHEMA branch")
        connection.execute(f"CREATE SEQUENCE places START WITH {number * _PLACES + 1}")
        self._last_own = (number + 1) * _PLACES
        self._seen = 0  # number of the last write that is seen here
        self._filled: set[str] = set()  # tables that have, or had, rows there
        self._made: set[str] = set()  # tables that are here, if only empty: those that have rows there, or were named
        self._here: set[str] = set()  # tables of which all rows are here
        self._runs_here: set[str] = set()  # runs whose tables are here, while not all are
        self._in_write = self._is_still = False
        self._first = 0  # the first place that the write which goes on gives
        self._touched: dict[str, bool] = {}  # tables that it writes to: whether rows that were there may be others now
        self._before_write: tuple[set[str], ...] = (set(), set(), set())  # _made, _here, _runs_here
        super().__init__(Path(f"{shown(url)} ({chain})"), connection)

    # the server -------------------------------------------------------------------------------------

    def _connected(self) -> tuple[psycopg.Connection, int]:
        """A connection, and the number of the session that it begins."""
        server = connect(self._url, {"datong.chain": self._chain})
        try:
            with translated(self._url):
                refuse_wrong_role(server, self._url, self._chain)
                if self._alone:
                    self._take_alone(server)
                number = begin_session(server, self._chain)
        except BaseException:
            server.close()
            raise
        return server, number

    def _take_alone(self, server: psycopg.Connection) -> None:
        """By a lock that goes with the connection, so that a process that dies holds nothing."""
        key = "hashtextextended('datong chain ' || %s, 0)"
        if server.execute(f"SELECT pg_try_advisory_lock({key})", [self._chain]).fetchone() == (True,):
            return
        holder = server.execute(
            "SELECT a.pid, coalesce(host(a.client_addr), '-'), a.usename FROM pg_locks AS l"
            " JOIN pg_stat_activity AS a USING (pid) WHERE l.locktype = 'advisory' AND l.granted"
            " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            f" AND (l.classid::bigint << 32 | l.objid::bigint) = {key}",
            [self._chain],
        ).fetchone()
        pid, address, role = holder or ("-", "-", "-")
        words = {"chain": self._chain, "url": shown(self._url), "process": pid, "address": address, "role": role}
        raise LedgerBusy(message("store.postgres_busy", **words))

    def _last_write(self) -> int:
        """Number of the last write to the chain. Outside of a write a line that was cut, by a server that started
        again, say, is made anew."""
        if not self._server.closed:
            with suppress(psycopg.OperationalError):
                return _version(self._server, self._chain)
            self._server.close()
        self._server, _ = self._connected()
        return _version(self._server, self._chain)

    def close(self) -> None:
        super().close()
        if os.getpid() == self._process:  # a forked one would end its parent's session
            self._server.close()

    # statements -------------------------------------------------------------------------------------

    def execute(self, sql: str, params: Sequence[Any]) -> duckdb.DuckDBPyConnection:
        here = self.connection()
        if sql == "BEGIN":
            self._begin(here)
        elif sql == "COMMIT":
            self._commit(here)
        elif sql == "ROLLBACK":
            self._roll_back(here)
        else:
            self._make_ready(here, sql, params)
            here.execute(sql, list(params))
        return here

    def relation(self, sql: str, params: Sequence[Any]) -> duckdb.DuckDBPyRelation:
        self._make_ready(self.connection(), sql, params)
        return super().relation(sql, params)

    def look(self) -> None:
        """See what others have written since. Within a write nobody does."""
        here = self.connection()
        if self._in_write or self._is_still:
            return
        with translated(self._url):
            if self._last_write() != self._seen:
                self._in_one_snapshot(here, ())

    def is_held(self) -> bool:
        """Whether the line stands, and with it the lock of who has the chain alone. A server that ends a session, or
        ends itself, says so: then there is something to be read, or the line is closed."""
        return self._alone and is_quiet(self._server)

    @contextmanager
    def still(self) -> Generator[None]:
        """As Held.still. A table that was not here yet comes as it is by then: who reads one of a snapshot leaves out
        what was written since."""
        self.look()
        outer, self._is_still = self._is_still, True
        try:
            yield
        finally:
            self._is_still = outer

    def _make_ready(self, here: duckdb.DuckDBPyConnection, sql: str, params: Sequence[Any]) -> None:
        """Have here what a statement reads, and note what it writes."""
        named = set(self._named.findall(sql))
        if not named and "duckdb_tables()" not in sql:
            return
        self._make(here, named)
        self.look()
        writes = _WRITES.match(sql)
        target = writes[2] if writes and writes[2] in self._kept else None
        if target is not None and writes is not None:
            adds = writes[1].upper().startswith("INSERT")
            if adds and self._named.findall(sql).count(target) == 1:  # it reads nothing of it
                named.discard(target)
        if _RUN_TABLES in named and _RUN_TABLES not in self._here and _OF_ONE_RUN.match(sql):
            named.discard(_RUN_TABLES)
            self._bring_run(here, params[0])
        if missing := sorted(named - self._here):
            if self._in_write:
                with translated(self._url):
                    self._bring(here, missing)
                self._here |= set(missing)
            else:
                with translated(self._url):
                    self._in_one_snapshot(here, missing)
        if target is not None and writes is not None:
            assert self._in_write, "rows of a ledger are written in transactions alone"
            self._note_target(here, target, adds=writes[1].upper().startswith("INSERT"))

    def _make(self, here: duckdb.DuckDBPyConnection, names: Collection[str]) -> None:
        """Have empty tables here."""
        for name in sorted(set(names) - self._made):
            here.execute(table_here(self._kept[name]))
            self._made.add(name)

    def _note_target(self, here: duckdb.DuckDBPyConnection, name: str, *, adds: bool) -> None:
        if not adds and not self._touched.get(name, False):
            here.execute(
                f"CREATE OR REPLACE TEMP TABLE {_before(name)} AS SELECT * FROM {name} WHERE NOT {self._new()}"
            )
            self._touched[name] = True
        self._touched.setdefault(name, False)

    def _new(self) -> str:
        """SQL: whether the write that goes on has added a row."""
        return f"({PLACE} BETWEEN {self._first} AND {self._last_own})"

    # transactions -----------------------------------------------------------------------------------

    def _begin(self, here: duckdb.DuckDBPyConnection) -> None:
        self.look()
        server = self._server
        try:
            with translated(self._url):
                server.execute("BEGIN")
                self._take_over(here, _version(server, self._chain, lock=True))
            here.execute("BEGIN")
            ((self._first,),) = here.execute("SELECT nextval('places')").fetchall()
        except BaseException:
            _quietly_roll_back(server)
            raise
        self._in_write, self._touched = True, {}
        self._before_write = set(self._made), set(self._here), set(self._runs_here)

    def _commit(self, here: duckdb.DuckDBPyConnection) -> None:
        with translated(self._url):
            version = self._seen + 1
            if self._send(here, version):
                self._server.execute("UPDATE datong.chains SET version = %s WHERE chain = %s", [version, self._chain])
            else:
                version = self._seen
            try:
                self._server.execute("COMMIT")
                here.execute("COMMIT")
            except BaseException:
                self._forget_all(here)  # nobody knows whether it came about
                raise
        self._in_write, self._seen = False, version
        for name in self._touched.keys() - self._here:
            here.execute(f"DELETE FROM {name}")
            self._runs_here = set() if name == _RUN_TABLES else self._runs_here

    def _roll_back(self, here: duckdb.DuckDBPyConnection) -> None:
        _quietly_roll_back(self._server)
        self._in_write = False
        self._made, self._here, self._runs_here = map(set, self._before_write)
        here.execute("ROLLBACK")

    def _forget_all(self, here: duckdb.DuckDBPyConnection) -> None:
        """Nothing is here any more: all is to be read again."""
        self._in_write = False
        with suppress(duckdb.Error):  # there may be none
            here.execute("ROLLBACK")
            self._made = set(self._before_write[0])
        for name in self._made:
            here.execute(f"DELETE FROM {name}")
        self._here, self._runs_here, self._filled, self._seen = set(), set(), set(), 0
        self._before_write = set(self._made), set(), set()
        self.epoch += 1

    # rows that come ---------------------------------------------------------------------------------

    def _in_one_snapshot(self, here: duckdb.DuckDBPyConnection, names: Sequence[str]) -> None:
        """Take over what is new, and have these tables here, all as of one moment."""
        server = self._server
        server.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            self._take_over(here, _version(server, self._chain))
            with _whole(here):
                self._bring(here, names)
            self._here |= set(names)
        finally:
            _quietly_roll_back(server)

    def _take_over(self, here: duckdb.DuckDBPyConnection, version: int) -> None:
        """Follow what was written up to a version, in the transaction of the server that goes on."""
        if version == self._seen:
            return
        if version < self._seen:  # a copy of an earlier day was put in place of the database
            self._forget_all(here)
        news = self._server.execute(
            "SELECT name, rewritten FROM datong.table_versions WHERE chain = %s AND written > %s ORDER BY name",
            [self._chain, self._seen],
        ).fetchall()
        self._make(here, [name for name, _ in news])
        with _whole(here):
            for name, rewritten in news:
                if name in self._here and rewritten > self._seen:
                    here.execute(f"DELETE FROM {name}")
                    self._pull(here, self._kept[name])
                elif name in self._here:
                    self._pull(here, self._kept[name], after=self._seen)
                elif name == _RUN_TABLES:
                    here.execute(f"DELETE FROM {name}")
        self._filled |= {name for name, _ in news}
        self._runs_here = set() if _RUN_TABLES in {name for name, _ in news} else self._runs_here
        self._seen = version
        self.epoch += 1

    def _bring(self, here: duckdb.DuckDBPyConnection, names: Sequence[str]) -> None:
        """Have tables here, in the transaction of the server that goes on."""
        for name in names:
            if name == _RUN_TABLES:
                here.execute(f"DELETE FROM {name} WHERE NOT {self._new()}")
            if name in self._filled:
                self._pull(here, self._kept[name])

    def _bring_run(self, here: duckdb.DuckDBPyConnection, run: str) -> None:
        """Have the tables of one run here: those of all runs are large."""
        if run not in self._runs_here and _RUN_TABLES in self._filled:
            with translated(self._url), nullcontext() if self._in_write else _whole(here):
                self._pull(here, self._kept[_RUN_TABLES], run=run)
        self._runs_here.add(run)

    def _pull(self, here: duckdb.DuckDBPyConnection, kept: Kept, after: int = 0, run: str | None = None) -> None:
        """Rows of a table from there to here: all, those written after a write, or those of a run."""
        columns = [PLACE, *kept.columns]
        where = sql.SQL("chain = {} AND _written > {}").format(self._chain, after)
        if run is not None:
            where = sql.SQL("{} AND run = {}").format(where, run)
        rows = sql.SQL("SELECT {} FROM {} WHERE {}").format(
            sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier("datong", kept.there), where
        )
        into = f"INSERT INTO {kept.here} ({', '.join(map(quoted, columns))})"
        if kept.has_blobs:
            with self._server.cursor(binary=True) as cursor:
                for row in cursor.execute(rows):
                    here.execute(f"{into} VALUES ({', '.join('?' * len(row))})", list(row))
            return
        cells = ", ".join(_from_text(name, kind) for name, kind in {PLACE: "BIGINT", **kept.columns}.items())
        with (
            self._server.cursor() as cursor,
            cursor.copy(sql.SQL("COPY ({}) TO STDOUT (FORMAT csv)").format(rows)) as copy,
        ):
            for batch in _texts(copy, columns):
                here.register("pulled_arrow", pa.Table.from_batches([batch]))
                here.execute(f"{into} SELECT {cells} FROM pulled_arrow")
                here.unregister("pulled_arrow")

    # rows that go -----------------------------------------------------------------------------------

    def _send(self, here: duckdb.DuckDBPyConnection, version: int) -> bool:
        """Write what has changed here to the server, in its transaction. Returns whether anything has."""
        sent = False
        for name, may_have_changed in self._touched.items():
            kept, which, gone = self._kept[name], self._new(), False
            if may_have_changed:
                before = _before(name)
                here.execute(
                    f"CREATE OR REPLACE TEMP TABLE changed_places AS SELECT {PLACE} FROM"
                    f" (SELECT * FROM {name} WHERE NOT {which} EXCEPT SELECT * FROM {before})"
                )
                out = here.execute(
                    f"SELECT {PLACE} FROM {before} WHERE {PLACE} NOT IN (SELECT {PLACE} FROM {name})"
                    f" OR {PLACE} IN (SELECT {PLACE} FROM changed_places)"
                ).fetchnumpy()[PLACE]
                if len(out):
                    gone = True
                    self._server.execute(
                        sql.SQL("DELETE FROM {} WHERE chain = %s AND _place = ANY(%s)").format(
                            sql.Identifier("datong", kept.there)
                        ),
                        [self._chain, out.tolist()],
                    )
                which = f"({which} OR {PLACE} IN (SELECT {PLACE} FROM changed_places))"
            ((count,),) = here.execute(f"SELECT count(*) FROM {name} WHERE {which}").fetchall()
            if count:
                self._push(here, kept, which, count, version)
            if may_have_changed:
                here.execute("DROP TABLE temp.changed_places")
                here.execute(f"DROP TABLE temp.{_before(name)}")
            if count or gone:
                self._note_version(name, version, rewritten=gone)
                sent = True
        return sent

    def _note_version(self, name: str, version: int, *, rewritten: bool) -> None:
        self._filled.add(name)
        self._server.execute(
            "INSERT INTO datong.table_versions AS v (chain, name, written, rewritten) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (chain, name) DO UPDATE SET written = excluded.written,"
            " rewritten = greatest(v.rewritten, excluded.rewritten)",
            [self._chain, name, version, version if rewritten else 0],
        )

    def _push(self, here: duckdb.DuckDBPyConnection, kept: Kept, which: str, count: int, version: int) -> None:
        """Rows of a table from here to there. Row-level security takes no stream into a table: many rows go by way of
        a temporary one."""
        columns = sql.SQL(", ").join(map(sql.Identifier, ["chain", "_written", PLACE, *kept.columns]))
        into = sql.SQL("INSERT INTO {} ({})").format(sql.Identifier("datong", kept.there), columns)
        cells = quoted(PLACE) if kept.has_blobs else f"{PLACE}::VARCHAR"
        for name, kind in kept.columns.items():
            cells += f", {quoted(name) if kept.has_blobs else _as_text(name, kind)}"
        rows = here.sql(f"SELECT {cells} FROM {kept.here} WHERE {which}")
        if kept.has_blobs or count <= _FEW:
            marks = sql.SQL(", ").join([sql.Placeholder()] * (len(kept.columns) + 3))
            with self._server.cursor() as cursor:
                for row in rows.fetchall():
                    values = [psycopg.Binary(v) if isinstance(v, bytes) else v for v in row]
                    cursor.execute(sql.SQL("{} VALUES ({})").format(into, marks), [self._chain, version, *values])
            return
        own = sql.SQL(", ").join(map(sql.Identifier, [PLACE, *kept.columns]))
        with self._server.cursor() as cursor:
            cursor.execute(
                sql.SQL("CREATE TEMP TABLE sent ON COMMIT DROP AS SELECT {} FROM {} WHERE false").format(
                    own, sql.Identifier("datong", kept.there)
                )
            )
            with cursor.copy("COPY pg_temp.sent FROM STDIN (FORMAT csv)") as copy:
                for batch in rows.to_arrow_reader(_BLOCK_BYTES // 256):
                    sink = io.BytesIO()
                    arrow_csv.write_csv(batch, sink, _UNQUOTED_NULLS)
                    copy.write(sink.getbuffer())
            cursor.execute(sql.SQL("{} SELECT {}, {}, {} FROM pg_temp.sent").format(into, self._chain, version, own))
            cursor.execute("DROP TABLE pg_temp.sent")


_UNQUOTED_NULLS = arrow_csv.WriteOptions(include_header=False, quoting_style="all_valid")


def _version(server: psycopg.Connection, chain: str, *, lock: bool = False) -> int:
    """Number of the last write to a chain. lock: and nobody else writes until the transaction ends."""
    found = server.execute(
        f"SELECT version FROM datong.chains WHERE chain = %s{' FOR UPDATE' if lock else ''}",
        [chain],
    ).fetchone()
    return 0 if found is None else found[0]


@contextmanager
def _whole(here: duckdb.DuckDBPyConnection) -> Generator[None]:
    """All that is done here within it, or nothing."""
    here.execute("BEGIN")
    try:
        yield
    except BaseException:
        here.execute("ROLLBACK")
        raise
    here.execute("COMMIT")


def _quietly_roll_back(server: psycopg.Connection) -> None:
    """The first error tells more than one of a line that was cut."""
    try:
        server.execute("ROLLBACK")
    except psycopg.Error:
        server.close()


def _before(name: str) -> str:
    return f"before_{name.replace('.', '_').replace(chr(34), '')}"


def _as_text(name: str, kind: str) -> str:
    """SQL of DuckDB: a value as PostgreSQL reads it."""
    return f"{quoted(name)}::UUID::VARCHAR" if kind == "UHUGEINT" else f"{quoted(name)}::VARCHAR"


def _from_text(name: str, kind: str) -> str:
    """SQL of DuckDB: a value of what PostgreSQL writes."""
    return f"{quoted(name)}::UUID::UHUGEINT" if kind == "UHUGEINT" else f"{quoted(name)}::{kind}"


def _texts(copy: psycopg.Copy, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Rows of a stream, as texts. An empty text is quoted in it, what is null is not."""
    stream = io.BufferedReader(_Stream(copy), 1 << 20)
    first = stream.peek(1)
    if not first:
        return
    yield from arrow_csv.open_csv(
        stream,
        arrow_csv.ReadOptions(column_names=list(columns), block_size=_BLOCK_BYTES, use_threads=False),
        arrow_csv.ParseOptions(newlines_in_values=True),
        arrow_csv.ConvertOptions(
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=[""],
            column_types=dict.fromkeys(columns, pa.string()),
        ),
    )


class _Stream(io.RawIOBase):
    """What comes of a copy, as a file."""

    def __init__(self, copy: psycopg.Copy) -> None:
        self._copy = copy
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            part = self._copy.read()
            if not part:
                return 0
            self._left = memoryview(bytes(part))
        count = min(len(self._left), len(buffer))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count
