"""Where the ledger of a chain's folder is kept: in a file of the folder, or in a PostgreSQL database that is noted
there; and how it moves from one to the other. The one place, with wiring.py, that names the stores."""

import os
import re
import tomllib
from collections.abc import Sequence
from contextlib import closing, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from datong.connectors.files.settings import read_settings
from datong.ledger.protocol import Ledger
from datong.model.errors import BadInput, DatongError, NotFound, Refused
from datong.model.findings import has_errors
from datong.model.settings import ChainSettings
from datong.model.words import message
from datong.store.copying import copy_all, digests, flush
from datong.store.duckdb_ledger import DuckDBLedger
from datong.store.duckdb_ledger import open_ledger as open_file
from datong.store.postgres.address import read_address, shown

LEDGER_FILE = Path(".datong") / "ledger.duckdb"
# The address of the database, without a password.
STORE_FILE = Path(".datong") / "store.toml"
# What a ledger's file is called once its content is elsewhere.
MOVED_FILE = Path(".datong") / "ledger-moved.duckdb"
_ADDRESS = re.compile(r"postgres(ql)?://")
_PASSWORD = "PGPASSWORD"


class Moved(NamedTuple):
    """What `migrate` did. rows: of all tables. left: the file, or the database, that holds what was there before."""

    rows: int
    tables: int
    left: str


def is_address(text: str) -> bool:
    """Whether a word names a database, and no folder."""
    return _ADDRESS.match(text) is not None


def noted_store(folder: Path) -> str | None:
    """The database in which a folder's ledger is; None: it is in a file. Raises BadInput for a note that cannot be
    read."""
    file = folder / STORE_FILE
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))["store"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(message("store.bad_note", path=file, reason=str(error)), ()) from error
    if not isinstance(found, str) or read_address(found) is None:
        raise BadInput(message("store.bad_note", path=file, reason="store = ..."), ())
    return found


def has_ledger(folder: Path) -> bool:
    return (folder / LEDGER_FILE).exists() or (folder / STORE_FILE).exists()


def open_trunk(folder: Path, settings: ChainSettings) -> DuckDBLedger:
    """The ledger of a folder, wherever it is kept, for this process alone."""
    address = noted_store(folder)
    return open_file(folder / LEDGER_FILE, settings) if address is None else _open_there(address, settings)


def keep_in(folder: Path, address: str, *, join: bool = False) -> None:
    """Keep a folder's ledger in a database from now on. join: also where a chain of its name has rows there already,
    from another folder, or from this one before its note was lost. Raises Refused where it is kept elsewhere already,
    or has rows there that it is not to join, and whatever keeps the database from being opened."""
    address = without_password(address)
    noted = noted_store(folder)
    if noted == address:
        return
    if noted is not None:
        raise Refused(message("store.kept_elsewhere", folder=folder, store=shown(noted), file=folder / STORE_FILE))
    if (folder / LEDGER_FILE).exists():
        raise Refused(message("store.kept_in_file", folder=folder, file=folder / LEDGER_FILE, store=address))
    settings, wrong = read_settings(folder) if folder.is_dir() else (None, [])
    if settings is None or has_errors(wrong):
        return  # opening the chain says what is wrong with it
    with closing(_open_there(address, settings)) as there:
        if not join and (there.last_write() or digests(there)):
            raise Refused(message("store.name_taken", chain=settings.name, store=address))
    _note(folder, address)


def migrate(source: str, target: str) -> Moved:
    """Move a ledger from a folder's file to a database, or back: one of the two words is the folder, the other the
    address. Both then hold the same; the folder goes on with the new one, and what was there stays as it is."""
    if is_address(source) == is_address(target):
        raise Refused(message("store.migrate_what"))
    folder, address = Path(target if is_address(source) else source), source if is_address(source) else target
    address = without_password(address)
    settings, wrong = read_settings(folder) if folder.is_dir() else (None, [])
    if settings is None or has_errors(wrong):
        raise BadInput(message("app.cannot_open", folder=str(folder)), wrong)
    return _to_file(folder, address, settings) if is_address(source) else _to_database(folder, address, settings)


def _to_database(folder: Path, address: str, settings: ChainSettings) -> Moved:
    if noted_store(folder) is not None or not (folder / LEDGER_FILE).exists():
        raise NotFound(message("store.no_file", file=folder / LEDGER_FILE))
    with closing(open_file(folder / LEDGER_FILE, settings)) as here:
        with closing(_open_there(address, settings)) as there:
            copy_all(here, there)
        with closing(_open_there(address, settings)) as there:  # as it is in the database now
            told = _same(here, there)
    _note(folder, address)
    _log_of(folder / MOVED_FILE).unlink(missing_ok=True)  # of an earlier file, which is written over
    (folder / LEDGER_FILE).replace(folder / MOVED_FILE)
    with suppress(FileNotFoundError):  # as a rule there is none
        _log_of(folder / LEDGER_FILE).replace(_log_of(folder / MOVED_FILE))
    return Moved(*told, str(folder / MOVED_FILE))


def _to_file(folder: Path, address: str, settings: ChainSettings) -> Moved:
    noted = noted_store(folder)
    if noted is not None and noted != address:
        raise Refused(message("store.kept_elsewhere", folder=folder, store=shown(noted), file=folder / STORE_FILE))
    if (folder / LEDGER_FILE).exists():
        raise Refused(message("store.file_in_the_way", file=folder / LEDGER_FILE))
    with closing(_open_there(address, settings)) as there:
        told = write_file(there, folder / LEDGER_FILE)
    (folder / STORE_FILE).unlink(missing_ok=True)
    return Moved(*told, address)


def write_file(ledger: Ledger, path: Path) -> tuple[int, int]:
    """Write all that a ledger holds into a new file, whole or not at all. Returns how many rows of how many tables.
    Raises Refused where there is a file already, or a log by which it would be changed."""
    for file in (path, _log_of(path)):
        if file.exists():
            raise Refused(message("store.file_in_the_way", file=file))
    assert isinstance(ledger, DuckDBLedger), "both stores are"
    fresh = path.with_name(f"{path.name}.{os.getpid()}.copy")
    try:
        with closing(open_file(fresh, ledger.settings)) as copy:
            copy_all(ledger, copy)
            flush(copy)
        with closing(open_file(fresh, ledger.settings)) as copy:
            told = _same(ledger, copy)
        if _log_of(fresh).exists():
            raise DatongError(message("store.log_left", path=path))
        fresh.replace(path)
    finally:
        for file in (fresh, _log_of(fresh)):
            with suppress(OSError):
                file.unlink(missing_ok=True)
    return told


def _log_of(file: Path) -> Path:
    """Where DuckDB keeps what is not in a ledger's file yet. It is played into the file of its name that is opened
    next."""
    return file.with_name(f"{file.name}.wal")


def _same(one: DuckDBLedger, other: DuckDBLedger) -> tuple[int, int]:
    """How many rows of how many tables both hold. Raises Refused where they do not hold the same."""
    found = digests(one)
    if found != digests(other):
        raise Refused(message("store.copy_differs", chain=one.chain, path=other.path))
    return sum(int(digest.split()[0]) for digest in found.values()), len(found)


def prepare(
    address: str, role: str, chains: Sequence[str], *, clean: bool, every_chain: bool = False
) -> list[str] | None:
    """Make or update the tables of a database, as its owner; see `prepare_database`."""
    _refuse_without_library()
    from datong.store.postgres.ledger import prepare_database

    return prepare_database(without_password(address), role, chains, every_chain=every_chain, clean=clean)


def _open_there(address: str, settings: ChainSettings) -> DuckDBLedger:
    _refuse_without_library()
    from datong.store.postgres.ledger import open_ledger

    return open_ledger(address, settings, alone=True)


def _refuse_without_library() -> None:
    if find_spec("psycopg") is None:
        raise NotFound(message("store.no_psycopg"))


def _note(folder: Path, address: str) -> None:
    """Whole or not at all, and for the folder's owner alone."""
    file = folder / STORE_FILE
    file.parent.mkdir(exist_ok=True)
    fresh = file.with_name(f"{file.name}.{os.getpid()}.new")
    quoted = address.replace("\\", "\\\\").replace('"', '\\"')
    with os.fdopen(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        out.write(f'store = "{quoted}"\n')
    fresh.replace(file)


def without_password(address: str) -> str:
    """An address as it is kept. Its password goes where the library looks for one, for this process and those that it
    starts. Raises BadInput, which quotes nothing of it, for what cannot be read as an address, and Refused for a secret
    that the library looks for nowhere else."""
    read = read_address(address)
    if read is None:
        raise BadInput(message("store.postgres_unreadable"), ())
    if others := sorted(read.secrets.keys() - {"password"}):
        raise Refused(message("store.postgres_other_secret", url=read.plain, names=", ".join(others)))
    if "password" in read.secrets:
        os.environ[_PASSWORD] = read.secrets["password"]
    return read.plain
