"""A connection to a PostgreSQL server, and the settings that Datong's sessions have. Its errors: server_errors.py."""

import selectors
from collections.abc import Mapping

import psycopg

from datong.model.errors import BadInput, Refused
from datong.model.words import message
from datong.store.postgres.address import read_address, shown
from datong.store.postgres.server_errors import LOCK_SECONDS, last_line, not_connected, translated

# Of these on, everything that the layout needs is there.
OLDEST = 14
_SETTINGS = {
    "application_name": "datong",
    "timezone": "UTC",
    "datestyle": "ISO",
    "bytea_output": "hex",
    "lock_timeout": f"{LOCK_SECONDS}s",
    # Nothing of somebody else's schema is taken for ours.
    "search_path": "pg_catalog",
}


def connect(url: str, settings: Mapping[str, str] | None = None) -> psycopg.Connection:
    """A connection on which each statement is its own transaction, unless BEGIN is said. settings: further ones.

    Raises DatongError with a remedy where the server is away, refuses, is too old or has no such database; BadInput,
    which quotes nothing of it, for what cannot be read as an address.
    """
    if read_address(url) is None:
        raise BadInput(message("store.postgres_unreadable"), ())
    try:
        # A line that is dead without a word is closed here in half a minute, before the server lets go of its lock (by
        # default in two hours): who still believes to have a lock has it.
        connection = psycopg.connect(
            url, autocommit=True, connect_timeout=10, keepalives_idle=15, keepalives_interval=5, keepalives_count=3
        )
    except psycopg.ProgrammingError as error:  # not even an address
        raise BadInput(message("store.postgres_address", url=shown(url), reason=last_line(error)), ()) from error
    except psycopg.Error as error:
        raise not_connected(url, error) from error
    try:
        with translated(url):
            if (version := connection.info.server_version // 10_000) < OLDEST:
                raise Refused(message("store.postgres_old", url=shown(url), found=version, oldest=OLDEST))
            encoding = connection.info.parameter_status("server_encoding")
            if encoding != "UTF8":
                raise Refused(message("store.postgres_encoding", url=shown(url), found=encoding))
            values = {**_SETTINGS, **(settings or {})}
            connection.execute(
                "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS t (name, value)",
                [list(values), list(values.values())],
            )
    except BaseException:
        connection.close()
        raise
    return connection


def is_quiet(connection: psycopg.Connection) -> bool:
    """Whether the line stands and nothing is on its way to us. Asks the system alone, from any thread."""
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(connection.fileno(), selectors.EVENT_READ)
            return not selector.select(0)
    except (psycopg.Error, OSError, ValueError):  # it was closed, perhaps meanwhile
        return False
