"""The database of a server, with accounts, sessions, secrets, jobs and the audit. One SQLite file."""

import os
import sqlite3
import unicodedata
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

from datong.app.service.database_note import Note

SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (
    account INTEGER PRIMARY KEY, login TEXT NOT NULL UNIQUE, name TEXT NOT NULL, password TEXT, roles TEXT NOT NULL,
    firm TEXT, language TEXT NOT NULL, made REAL NOT NULL, disabled INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0, locked_until REAL NOT NULL DEFAULT 0,
    factor TEXT, factor_confirmed INTEGER NOT NULL DEFAULT 0, factor_used INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS links (
    digest TEXT PRIMARY KEY, kind TEXT NOT NULL, account INTEGER NOT NULL, expires REAL NOT NULL, used REAL);
CREATE TABLE IF NOT EXISTS sessions (
    digest TEXT PRIMARY KEY, account INTEGER NOT NULL, csrf TEXT NOT NULL, made REAL NOT NULL, seen REAL NOT NULL);
CREATE TABLE IF NOT EXISTS tokens (
    token INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, account INTEGER NOT NULL, name TEXT NOT NULL,
    scopes TEXT NOT NULL, made REAL NOT NULL, expires REAL NOT NULL, used REAL);
CREATE TABLE IF NOT EXISTS audit (
    entry INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, by TEXT NOT NULL, what TEXT NOT NULL,
    subject TEXT NOT NULL, before TEXT, after TEXT, why TEXT NOT NULL DEFAULT '', way TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS jobs (
    job TEXT PRIMARY KEY, kind TEXT NOT NULL, by TEXT NOT NULL, asked TEXT NOT NULL, state TEXT NOT NULL,
    stage TEXT NOT NULL DEFAULT '', attempts INTEGER NOT NULL DEFAULT 0, made REAL NOT NULL, ended REAL,
    result TEXT, error TEXT);
CREATE TABLE IF NOT EXISTS answered (
    account INTEGER NOT NULL, key TEXT NOT NULL, digest TEXT NOT NULL, status INTEGER, body TEXT, at REAL NOT NULL,
    PRIMARY KEY (account, key));
CREATE TABLE IF NOT EXISTS photos (
    "order" TEXT NOT NULL, digest TEXT NOT NULL, kind TEXT NOT NULL, bytes INTEGER NOT NULL, firm TEXT NOT NULL,
    by TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY ("order", digest));
CREATE TABLE IF NOT EXISTS uploads (
    upload TEXT PRIMARY KEY, account INTEGER NOT NULL, name TEXT NOT NULL, content BLOB NOT NULL, made REAL NOT NULL);
CREATE TABLE IF NOT EXISTS order_edits (
    edit INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, by TEXT NOT NULL, subject TEXT NOT NULL,
    before TEXT, after TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'done');
CREATE TABLE IF NOT EXISTS order_decisions (
    decision TEXT PRIMARY KEY, at REAL NOT NULL, by TEXT NOT NULL, state TEXT NOT NULL, assigned TEXT,
    why TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS forecast_restored (
    edit TEXT NOT NULL, at TEXT NOT NULL, stands_for TEXT NOT NULL, PRIMARY KEY (edit, at));
CREATE TABLE IF NOT EXISTS webhooks (
    webhook INTEGER PRIMARY KEY AUTOINCREMENT, account INTEGER NOT NULL, address TEXT NOT NULL, kinds TEXT NOT NULL,
    secret TEXT NOT NULL, made REAL NOT NULL, last REAL, said TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS webhook_words (
    word INTEGER PRIMARY KEY AUTOINCREMENT, webhook INTEGER NOT NULL, body TEXT NOT NULL, due REAL NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS outside_tries (
    digest TEXT PRIMARY KEY, nonce TEXT NOT NULL, verifier TEXT NOT NULL, following TEXT NOT NULL, account INTEGER,
    made REAL NOT NULL);
CREATE TABLE IF NOT EXISTS outside_identities (
    issuer TEXT NOT NULL, subject TEXT NOT NULL, account INTEGER NOT NULL, is_mapped INTEGER NOT NULL,
    PRIMARY KEY (issuer, subject), UNIQUE (issuer, account));
CREATE TABLE IF NOT EXISTS vouched_sessions (digest TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS proposals (
    proposal INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, asked TEXT NOT NULL, seen TEXT NOT NULL,
    told TEXT NOT NULL, why TEXT NOT NULL, by TEXT NOT NULL, way TEXT NOT NULL, made REAL NOT NULL,
    state TEXT NOT NULL DEFAULT 'open', decided_by TEXT, decided REAL, decided_why TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS intents (
    intent INTEGER PRIMARY KEY AUTOINCREMENT, by TEXT NOT NULL, write INTEGER NOT NULL, notes TEXT NOT NULL);
"""
# Columns that came later. factor_asked: the account must have a second factor, whatever its roles. guide_step: how many
# steps of the guide its owner has gone.
ADDED = (
    ("accounts", "factor_asked", "INTEGER NOT NULL DEFAULT 0"),
    ("accounts", "guide_step", "INTEGER NOT NULL DEFAULT 0"),
)


def folded(text: str) -> str:
    """A text as it is searched: large and small letters alike, in every script, however they are put together."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


class ServerDatabase:
    """The open database. Its SQL knows `folded`. Each call is a transaction of its own; threads take turns."""

    def __init__(self, file: Path | None) -> None:
        """file: where it lies, made where it is not, for nobody but its owner; None: in memory."""
        self.folder = None if file is None else file.parent
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
            file.chmod(0o600)
        self._lock = RLock()
        self._open = sqlite3.connect(
            ":memory:" if file is None else file, check_same_thread=False, isolation_level=None
        )
        self._open.row_factory = sqlite3.Row
        self._open.create_function("folded", 1, folded, deterministic=True)
        with self._lock:
            self._open.execute("PRAGMA journal_mode=WAL")
            self._open.execute("PRAGMA synchronous=FULL")
            self._open.executescript(SCHEMA)
            self._add_columns()

    def _add_columns(self) -> None:
        """Columns that a database of an earlier version has not."""
        for table, column, kind in ADDED:
            there = {row["name"] for row in self._open.execute(f"PRAGMA table_info({table})")}
            if column not in there:
                self._open.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")

    @contextmanager
    def together(self) -> Generator[None]:
        """All that is written within it is one transaction, also where it is asked for within another."""
        with self._lock:
            if self._open.in_transaction:
                yield
                return
            self._open.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._open.execute("ROLLBACK")
                raise
            self._open.execute("COMMIT")

    def write(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run one statement; how many rows it changed."""
        with self._lock:
            return self._open.execute(sql, values).rowcount

    def add(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Insert one row; its number."""
        with self._lock:
            return self._open.execute(sql, values).lastrowid or 0

    def keep(self, note: Note) -> None:
        """Write what is to be noted."""
        names, values = list(note.values), list(note.values.values())
        if note.where is None:
            places = ", ".join("?" * len(names))
            self.write(f"INSERT INTO {note.table} ({', '.join(names)}) VALUES ({places})", values)
        else:
            given = ", ".join(f"{name} = ?" for name in names)
            which = " AND ".join(f"{name} = ?" for name in note.where)
            self.write(f"UPDATE {note.table} SET {given} WHERE {which}", [*values, *note.where.values()])

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
        with self._lock:
            return [dict(row) for row in self._open.execute(sql, values)]

    def row(self, sql: str, values: Sequence[Any] = ()) -> dict[str, Any] | None:
        """The first row; None where there is none."""
        return next(iter(self.rows(sql, values)), None)

    def close(self) -> None:
        with self._lock:
            self._open.close()
