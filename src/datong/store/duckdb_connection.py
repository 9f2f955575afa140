"""A connection to a ledger file of DuckDB, its settings, and what is said where the file cannot be opened or read.

Who may use it while it is open: one_process_one_thread.py.
"""

import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir

import duckdb

from datong.model.errors import DatongError, LedgerBusy, LedgerDamaged
from datong.model.words import message

# Extensions are never fetched: what is not in the wheel is not used.
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    # Rows need no order in the file: what reads them sorts. Row groups come out full, so that a checkpoint need not
    # write them again.
    "preserve_insertion_order": "false",
    # What does not fit goes to disk, beside the ledger.
    "memory_limit": "768MB",
}


def connect_to(path: Path | None) -> duckdb.DuckDBPyConnection:
    """path: None: in memory; what does not fit there goes to a folder of the machine's for what is temporary."""
    if path is None:
        connection = duckdb.connect(config={**_CONFIG, "temp_directory": str(Path(gettempdir()) / "datong-spill")})
    else:
        connection = duckdb.connect(str(path), config=_CONFIG)
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")  # the program shows its own
    return connection


@contextmanager
def translated(path: Path) -> Generator[None]:
    """DuckDB's errors about its file as ours; errors that broken code makes stay as they are."""
    try:
        yield
    except RuntimeError as error:
        if "interrupted" in str(error).lower():
            raise KeyboardInterrupt from error
        raise
    except OSError as error:
        raise DatongError(message("store.no_access", path=str(path), reason=error.strerror)) from error
    except duckdb.Error as error:
        text = str(error)
        if "Could not set lock" in text or "used by another process" in text:
            holder = re.search(r"PID (\d+)", text)
            if holder is None:
                raise LedgerBusy(message("store.busy", path=str(path))) from error
            raise LedgerBusy(message("store.busy_by", path=str(path), process=holder.group(1))) from error
        reason = text.splitlines()[0]
        if re.search("permission denied|read-only|could not write|no space left|disk full", text, re.IGNORECASE):
            raise DatongError(message("store.no_access", path=str(path), reason=reason)) from error
        # A wrong checksum comes as the bare base class.
        file_errors = (duckdb.IOException, duckdb.FatalException, duckdb.InternalException)
        if isinstance(error, file_errors) or type(error) is duckdb.Error:
            raise LedgerDamaged(message("store.damaged", path=str(path), reason=reason)) from error
        raise
