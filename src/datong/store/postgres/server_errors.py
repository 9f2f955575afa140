"""What is said where a PostgreSQL server cannot be reached or refuses: its errors as ours, with a remedy."""

import re
from collections.abc import Generator
from contextlib import contextmanager

import psycopg

from datong.model.errors import DatongError, LedgerBusy, Refused
from datong.model.words import message
from datong.store.postgres.address import shown

# Waiting for another writer of the chain ends after this.
LOCK_SECONDS = 120


def not_connected(url: str, error: psycopg.Error) -> DatongError:
    """Why there is no connection. The server says it in its own language, so what is not recognised is quoted."""
    reason = str(error)
    if re.search(r"password authentication failed|no password supplied|fe_sendauth", reason):
        return Refused(message("store.postgres_password", url=shown(url), reason=last_line(error)))
    if re.search(r'database ".*" does not exist', reason):
        return Refused(message("store.postgres_no_database", url=shown(url), reason=last_line(error)))
    return Refused(message("store.postgres_away", url=shown(url), reason=last_line(error)))


@contextmanager
def translated(url: str) -> Generator[None]:
    """Errors of the server that a user can do something about, as ours; those that broken code makes stay as they
    are."""
    try:
        yield
    except psycopg.errors.LockNotAvailable as error:
        raise LedgerBusy(message("store.postgres_locked", url=shown(url), seconds=LOCK_SECONDS)) from error
    except psycopg.errors.ReadOnlySqlTransaction as error:
        raise Refused(message("store.postgres_read_only", url=shown(url))) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise Refused(message("store.postgres_rights", url=shown(url), reason=last_line(error))) from error
    except (psycopg.errors.DiskFull, psycopg.errors.OutOfMemory) as error:
        raise DatongError(message("store.postgres_full", url=shown(url), reason=last_line(error))) from error
    except psycopg.DataError as error:  # a text with a character that no text of PostgreSQL may have
        raise Refused(message("store.postgres_text", url=shown(url), reason=last_line(error))) from error
    except psycopg.OperationalError as error:  # the line was cut, or the server stopped
        raise DatongError(message("store.postgres_lost", url=shown(url), reason=last_line(error))) from error


def last_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__
