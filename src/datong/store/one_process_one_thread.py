"""An open ledger file: held once in a process, by the thread that opened it, until it is closed."""

import os
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import duckdb

from datong.model.errors import LedgerBusy, Refused
from datong.model.words import message

# Connections that a forked process has from its parent: closed there, they would write to the parent's file.
_PARENTS: list[duckdb.DuckDBPyConnection] = []


class Held:
    """The connection to a ledger. Where another thread, or a process made by fork, would use it, or where it is closed,
    that is refused in words: DuckDB would mix up transactions, or end the process.

    epoch: counts up when somebody else has written, so that what is remembered of the ledger may not be so any more.
    """

    epoch = 0

    def __init__(self, path: Path, connection: duckdb.DuckDBPyConnection) -> None:
        self.path = path
        self._connection: duckdb.DuckDBPyConnection | None = connection
        self._process, self._thread = os.getpid(), threading.get_ident()
        _OPEN[_key(path)] = self

    def connection(self) -> duckdb.DuckDBPyConnection:
        """Raises Refused where it must not be used."""
        if self._connection is None:
            raise Refused(message("store.closed", path=self.path))
        if os.getpid() != self._process:
            raise Refused(message("store.forked", path=self.path))
        if threading.get_ident() != self._thread:
            raise Refused(message("store.other_thread", path=self.path))
        return self._connection

    def look(self) -> None:
        """See what others have written meanwhile; here nobody can. Raises as `connection`."""
        self.connection()

    def is_held(self) -> bool:
        """Whether nobody else can have written since; see Ledger.is_held."""
        return True

    @contextmanager
    def still(self) -> Generator[None]:
        """Look once, and then no more as long as it lasts: what is read within it is of one moment."""
        self.look()
        yield

    def execute(self, sql: str, params: Sequence[Any]) -> duckdb.DuckDBPyConnection:
        """Do what a statement says."""
        return self.connection().execute(sql, list(params))

    def relation(self, sql: str, params: Sequence[Any]) -> duckdb.DuckDBPyRelation:
        """What a query gives, worked out when it is read."""
        return self.connection().sql(sql, params=list(params))

    def replaced_by(self, fresh: Path, connect: Callable[[Path], duckdb.DuckDBPyConnection]) -> None:
        """Put another file in place of the ledger's, also where a link leads to it, and go on with that. A kill leaves
        the one or the other."""
        self.connection().close()
        self._connection = None
        try:
            fresh.replace(self.path.resolve())
        finally:
            self._connection = connect(self.path)

    def close(self) -> None:
        """Close it; a second time, nothing happens. A forked process leaves its parent's file alone."""
        if self._connection is None:
            return
        if os.getpid() != self._process:
            _PARENTS.append(self._connection)
        else:
            self._connection.close()
            _OPEN.pop(_key(self.path), None)
        self._connection = None


_OPEN: WeakValueDictionary[str, Held] = WeakValueDictionary()


def refuse_second(path: Path) -> None:
    """Raises LedgerBusy where this process has the ledger open already: DuckDB would let two write to one file."""
    if _key(path) in _OPEN:
        raise LedgerBusy(message("store.busy_here", path=path))


def _key(path: Path) -> str:
    return str(path) if str(path).startswith(":memory:") else str(path.resolve())
