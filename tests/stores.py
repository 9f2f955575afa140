"""The back ends that the conformance suite runs over. A further one adds its `Store` to BACK_ENDS, and nothing else."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from datong.ledger.protocol import Branches, IngestReport, Ledger
from datong.ledger.state import arrow_type
from datong.model.settings import ChainSettings
from datong.model.tables import tables
from datong.store.branches import DuckDBBranches
from datong.store.duckdb_ledger import DuckDBLedger, open_ledger
from datong.store.postgres import ledger as postgres_ledger
from datong.store.postgres.layout import PLACE
from datong.store.postgres.session import Session
from postgres_server import Server, server

SETTINGS = ChainSettings("test", time_zone="Asia/Dhaka")
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


class Store(Protocol):
    """A place of one back end where one chain can be kept."""

    def open(self, settings: ChainSettings = SETTINGS) -> Ledger:
        """The ledger of the chain there, made where there is none. Closed by the fixture, if not before."""
        ...

    def branches(self, ledger: Ledger) -> Branches: ...

    def close(self) -> None: ...


class DuckDBStore:
    def __init__(self, folder: Path) -> None:
        self._path = folder / "store" / "ledger.duckdb"
        self._opened: list[DuckDBLedger] = []

    def open(self, settings: ChainSettings = SETTINGS) -> DuckDBLedger:
        self._opened.append(open_ledger(self._path, settings))
        return self._opened[-1]

    def branches(self, ledger: Ledger) -> DuckDBBranches:
        assert isinstance(ledger, DuckDBLedger)
        return DuckDBBranches(ledger)

    def close(self) -> None:
        for ledger in self._opened:
            ledger.close()


def differing(ledger: postgres_ledger.PostgresLedger) -> list[str]:
    """Tables of which other rows are in the copy here than in the database: none, whatever was done."""
    session = ledger._held
    assert isinstance(session, Session)
    session.look()
    here, found = session.connection(), []
    for name in sorted(session._here):
        kept = session._kept[name]
        own = ", ".join(f'"{column}"' for column in (PLACE, *kept.columns))
        here.execute(f"CREATE OR REPLACE TEMP TABLE there AS SELECT {own} FROM {name} WHERE false")
        session._pull(here, replace(kept, here="there"))
        here.execute(f"CREATE OR REPLACE TEMP TABLE own AS SELECT {own} FROM {name}")
        if here.execute("(FROM own EXCEPT ALL FROM there) UNION ALL (FROM there EXCEPT ALL FROM own)").fetchall():
            found.append(name)
    return found


class PostgresStore:
    """A database of the tests' own server, in which the chain is the only one. What a ledger holds here is compared
    with what is there when it is closed."""

    def __init__(self, _folder: Path) -> None:
        self._server: Server = server()
        self.database = self._server.new_database()
        self.url = self._server.url(self.database)
        self._opened: list[postgres_ledger.PostgresLedger] = []

    def open(self, settings: ChainSettings = SETTINGS) -> postgres_ledger.PostgresLedger:
        self._opened.append(postgres_ledger.open_ledger(self.url, settings))
        return self._opened[-1]

    def branches(self, ledger: Ledger) -> DuckDBBranches:
        assert isinstance(ledger, postgres_ledger.PostgresLedger)
        return DuckDBBranches(ledger)

    def close(self) -> None:
        for ledger in self._opened:
            try:
                assert ledger._held._connection is None or differing(ledger) == []
            finally:
                ledger.close()
        self._server.drop([self.database])


BACK_ENDS: Mapping[str, Callable[[Path], Store]] = {"duckdb": DuckDBStore, "postgres": PostgresStore}


# rows of what-ifs ---------------------------------------------------------------------------------


def day(number: int) -> datetime:
    return datetime(2026, 1, number, tzinfo=UTC)


def take(
    ledger: Ledger, name: str, *rows: Mapping[str, Any], now: datetime | None = None, source: str = "a.csv"
) -> tuple[int, int, int, int]:
    """Added, superseded, known, quarantined. now: arrival; on a branch its own clock."""
    report = take_in(ledger, name, *rows, now=now, source=source)
    return report.added, report.superseded, report.known, report.quarantined


def take_in(
    ledger: Ledger, name: str, *rows: Mapping[str, Any], now: datetime | None = None, source: str = "a.csv"
) -> IngestReport:
    columns = tables()[name].columns
    arrays: dict[str, pa.Array] = {
        c: pa.array([r.get(c) for r in rows], arrow_type(columns[c])) for c in columns if any(c in r for r in rows)
    }
    arrays["__row__"] = pa.array(range(2, len(rows) + 2), pa.int64())
    clock = now or ledger.latest_known_at() or NOW
    return ledger.ingest(name, pa.table(arrays), None, (), source, clock, by="test")


def line(hours: float, name: str = "L", **columns: Any) -> dict[str, Any]:
    return {"line": name, "hours_per_week": hours, **columns}


def hours(ledger: Ledger, as_of: datetime) -> dict[str, float]:
    rows = ledger.state(as_of).table("lines")
    return dict(zip(rows["line"].to_pylist(), rows["hours_per_week"].to_pylist(), strict=True))


def make(branches: Branches, name: str, moment: datetime, parent: str | None = None) -> Any:
    branches.make(name, parent, moment, NOW, "", by="test")
    return branches.on(name)


# rows of processes that are killed ----------------------------------------------------------------

ROWS = 2000


def batch(number: int) -> pa.Table:
    """Rows without keys, every second one the equal of the one before it."""
    return pa.table(
        {
            "happened_at": pa.array([NOW] * ROWS, pa.timestamp("us", tz="UTC")),
            "product": [f"P{number}"] * ROWS,
            "units": [float(i // 2) for i in range(ROWS)],
            "__row__": list(range(ROWS)),
        }
    )
