"""Bringing a ledger up to date with a folder: what has changed since it was last taken in is read, and nothing else.

Whether something changed is decided by content, not by the clock: a digest of every byte that the outcome depends on,
and the ledger's own count of changes to the tables. Only that nobody writes to a file from its digest to its last row
is told by how it looks.
"""

import hashlib
import json
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from datong.connectors.files.changed_while_read import Looks, UnreadableError, looks, settled
from datong.connectors.files.folder import Outcome, Part, check_folder, table_files, table_of, unread_tables
from datong.connectors.files.read import WORKBOOK_SUFFIXES
from datong.connectors.files.settings import SETTINGS_FILE
from datong.ledger.customer_tokens import Customers
from datong.ledger.protocol import END_OF_TIME, IngestReport, Intake, Ledger
from datong.ledger.row_checks import Checked, CheckedRows, RowsInHand
from datong.ledger.units import UNITS, has_units
from datong.model.findings import Finding, finding, finding_as_json
from datong.model.tables import tables

_FOLDER = "folder"
_UNREAD = ""  # in place of a digest
# Of what the checks and the rules of the ledger are made.
_RULES = ("datong.model", "datong.ledger", "datong.connectors.files", "datong.store")
_LIBRARIES = ("duckdb", "pyarrow", "python-calamine", "tzdata")


@dataclass(frozen=True)
class TakenIn:
    """What became of a folder. findings: what is wrong with its files; unheeded: edits of them that change nothing."""

    reports: tuple[IngestReport, ...]
    findings: tuple[Finding, ...]
    unheeded: tuple[Finding, ...]


def take_in_folder(
    ledger: Ledger,
    folder: Path,
    arrived_at: datetime,
    on_rows: Callable[[str, int], None] = lambda _table, _rows: None,
    today: date | None = None,
    customers: Customers | None = None,
    *,
    by: str,
) -> TakenIn:
    """Read, check and take in the tables of a folder whose settings can be read; what is unchanged is only compared.

    today: events of long after it are refused. customers: who keeps their keys. by: who takes them in.
    """
    seen = _file_looks(folder, settled)
    digests = _file_digests(folder)
    files = (part for pair in digests.items() for part in pair)
    given_out = _given_out(ledger, folder)
    digest = _digest(rules_digest(), folder.resolve().name, *_kinds(folder), *files, *given_out.to_pylist())
    before = _unchanged(ledger, _FOLDER, digest)
    if before is not None:
        return TakenIn(before.reports, before.findings, before.unheeded)
    taking = _Taking(ledger, arrived_at, digests, by)
    orders = {"orders": [given_out]}
    checked = check_folder(folder, taking.take, on_rows=on_rows, today=today, also_known=orders, customers=customers)
    gone = _gone(ledger, {report.table for report in taking.reports} | unread_tables(checked.findings))
    taken = TakenIn(tuple(taking.reports), checked.findings, (*taking.unheeded, *gone.values()))
    if _file_looks(folder, looks) == seen:  # nobody wrote to it in the meantime
        last = ledger.last_ingests()
        ingests = dict.fromkeys((*(report.table for report in taken.reports), *gone), 0)
        everything = Intake(_FOLDER, digest, ingests, taken.reports, taken.findings, taken.unheeded)
        # Where a file could not be read the next try may find something else, though no file has changed.
        unread = any(f.code == "unreadable_file" for f in checked.findings) or _UNREAD in digests.values()
        with ledger.together():
            for intake in (*taking.intakes, *([] if unread else [everything])):
                ledger.note_intake(_as_of_now(intake, last))
    return taken


def _given_out(ledger: Ledger, folder: Path) -> pa.Array:
    """Numbers of orders that were given out from here: a file of reports may name them, whatever else is out. None for
    a folder without a table of orders, against which its reports are not held."""
    files = table_files(folder)
    if not any(table_of(path.stem) == "orders" or path.suffix.lower() in WORKBOOK_SUFFIXES for path in files):
        return pa.array([], pa.string())
    orders = ledger.state(END_OF_TIME, ("orders",)).table("orders")
    return pc.unique(orders.filter(pc.is_valid(orders["run"]))["order"]).sort()


def _gone(ledger: Ledger, there: set[str | None]) -> dict[str, Finding]:
    """Tables of which the folder had a file before and has none now, while the ledger still holds their rows."""
    found = {}
    ever = ledger.last_ingests()
    for name in tables():
        rows = () if name in there or name not in ever else ledger.came_from(name, name)
        if rows:
            found[name] = finding("warning", "store.table_gone", name, count=len(rows), row_id=rows[0], table=name)
    return found


class _Taking:
    """Takes the tables of a folder in, one after the other. intakes: what there is to remember of them."""

    def __init__(self, ledger: Ledger, arrived_at: datetime, digests: Mapping[str, str], by: str) -> None:
        self._ledger = ledger
        self._arrived_at = arrived_at
        self._digests = digests
        self._by = by
        self.reports: list[IngestReport] = []
        self.unheeded: list[Finding] = []
        self.intakes: list[Intake] = []

    def take(self, part: Part, rows: CheckedRows, known: Mapping[str, pa.Array]) -> Outcome:
        name = part.table
        digest = self._table_digest(part, rows, known)
        before = None if digest is None else _unchanged(self._ledger, name, digest)
        if before is not None:
            (report,) = before.reports
            self.reports.append(report)
            self.unheeded += before.unheeded
            return Outcome(report.rows, before.findings)
        report = self._ledger.take_in(name, rows, name, self._arrived_at, whole=True, by=self._by)
        findings = tuple(rows.findings)
        unheeded = [f for f in report.findings if f not in findings]
        # A file that changes only now was whole when it was taken in; the next time it is read again.
        with suppress(UnreadableError):
            gone = () if rows.rejected else self._ledger.vanished(report, rows.again)
            if gone:
                unheeded.append(finding("warning", "store.vanished", name, count=len(gone), row_id=gone[0]))
        self.reports.append(report)
        self.unheeded += unheeded
        if digest is not None:
            self.intakes.append(Intake(name, digest, {name: 0}, (report,), findings, tuple(unheeded)))
        return Outcome(report.rows, findings)

    def _table_digest(self, part: Part, rows: CheckedRows, known: Mapping[str, pa.Array]) -> str | None:
        """Of all that decides what is found in the rows of a table, the keys that they may name included; of a table
        that is read each time, of what was found. None for a file that could not be looked at before.
        """
        content = self._digests.get(part.path.name, _UNREAD)
        if content == _UNREAD:
            return None
        if isinstance(rows, RowsInHand):
            return _digest(rules_digest(), self._digests.get(SETTINGS_FILE, ""), part.source.name, _found(rows.checked))
        table = tables()[part.table]
        targets = {c.refers_to for c in table.columns.values() if c.refers_to in known}
        targets |= {UNITS} if has_units(table) and UNITS in known else set()
        keys = (_digest(name, *map(str, known[name].to_pylist())) for name in sorted(filter(None, targets)))
        settings = self._digests.get(SETTINGS_FILE, "")
        # What a comma means in numbers may be told by the other files.
        others = () if part.source.commas_group else sorted(self._digests.values())
        return _digest(rules_digest(), settings, part.source.name, content, *others, *keys)


def _unchanged(ledger: Ledger, place: str, digest: str) -> Intake | None:
    """What was noted of a place, where the same would be found again: nothing is new then."""
    intake = ledger.intake(place)
    if intake is None or intake.digest != digest:
        return None
    last = ledger.last_ingests()
    if any(last.get(table, 0) != number for table, number in intake.ingests.items()):
        return None
    if any(found.code == "not_come" for found in intake.findings):
        return None  # its day may have come
    known = (replace(r, added=0, superseded=0, known=r.known + r.added + r.superseded) for r in intake.reports)
    return replace(intake, reports=tuple(known))


def _as_of_now(intake: Intake, last: Mapping[str, int]) -> Intake:
    return replace(intake, ingests={table: last.get(table, 0) for table in intake.ingests})


def _file_looks(folder: Path, look: Callable[[Path], Looks]) -> dict[str, Looks | None]:
    """How the settings and every file that may be a table look, by name."""
    result: dict[str, Looks | None] = {}
    for path in (folder / SETTINGS_FILE, *table_files(folder)):
        try:
            result[path.name] = look(path)
        except OSError:
            result[path.name] = None
    return result


def _kinds(folder: Path) -> list[str]:
    """Name and kind of everything in a folder: a link that leads nowhere, or a folder, under a table's name counts."""
    entries = sorted(folder.iterdir(), key=lambda path: path.name)
    return [
        f"{path.name}|{path.is_file()}|{stat.S_IFMT(path.lstat().st_mode)}" for path in entries if path.name[0] != "."
    ]


def _file_digests(folder: Path) -> dict[str, str]:
    """SHA-256 of the settings and of every file that may be a table, by name; what cannot be read is found later."""
    result = {}
    for path in (folder / SETTINGS_FILE, *table_files(folder)):
        try:
            with path.open("rb") as file:
                result[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            result[path.name] = _UNREAD
    return result


@cache
def rules_digest() -> str:
    """SHA-256 of the program's own rules: an intake by other rules is none."""
    parts = [version(library) for library in _LIBRARIES]
    for package in _RULES:
        parts += [part for file in _files_of(files(package)) for part in (file.name, file.read_text(encoding="utf-8"))]
    return _digest(*parts)


def _files_of(place: Traversable) -> list[Traversable]:
    found = sorted(place.iterdir(), key=lambda f: f.name)
    return [f for f in found if f.name.endswith((".py", ".toml"))]


def _found(checked: Checked) -> str:
    """SHA-256 of rows that were checked, good and bad, and of what was found."""
    digest = hashlib.sha256()
    for rows in (checked.rows, checked.rejected):
        digest.update(rows.schema.serialize())
        for batch in rows.combine_chunks().to_batches():
            digest.update(batch.serialize())
    digest.update(json.dumps([finding_as_json(f) for f in checked.findings]).encode())
    return digest.hexdigest()


def _digest(*parts: str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()
