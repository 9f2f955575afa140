"""Data: what came in and how fresh it is, rows that wait and are mended in place, and files that are brought in."""

import json
import secrets
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datong.app.branch_changes import as_cell
from datong.app.chain import Chain
from datong.app.service.grid_as_workbook import same
from datong.app.service.grids import Piece, Wanted, piece
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.service.served_chain import Served
from datong.app.service.what_if import table_rows
from datong.app.take_in_beside_folder import Taken, own_profiles
from datong.connectors.exports.profiles import Profile, built_in
from datong.connectors.files.read import SUFFIXES
from datong.ledger.protocol import IngestReport, written_at
from datong.model.errors import BadInput, DatongError, NotFound, Refused
from datong.model.findings import Finding
from datong.model.tables import BESIDE, tables
from datong.model.words import LANGUAGES, Message, message

# Largest file that can be brought in here, in bytes, and how long one waits to be taken.
MOST_BYTES = 64 * 2**20
KEPT = timedelta(hours=1)
# Files of one person that wait at once.
MOST_WAITING = 4
NO_ANSWERS: Mapping[str, str] = MappingProxyType({})


# what came in ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fresh:
    """How fresh a table is. rows: that hold now. last_happened: of events, when the last one happened; known_at: when
    its last row became known. at, by, source: of the last write to it, by the world's clock; None, ''
    where there is no note. waiting: rows in quarantine."""

    table: str
    rows: int
    last_happened: datetime | None
    known_at: datetime | None
    at: datetime | None
    by: str
    source: str
    waiting: int


def freshness(served: Served, who: Who) -> tuple[Fresh, ...]:
    """A line for each table that has rows, or rows that wait, in the order of the tables."""
    who.require(Permission.SEE_DATA)
    return served.chain_thread.kept("data.freshness", _freshness)


def _freshness(chain: Chain) -> tuple[Fresh, ...]:
    state = chain.state()
    waiting: dict[str, int] = {}
    for name in chain.ledger.waiting()["table"].to_pylist():
        waiting[name] = waiting.get(name, 0) + 1
    last: dict[str, Mapping[str, Any]] = {}
    for row in chain.ledger.writes().to_pylist():
        if row["branch"] is None and row["subject"] in tables():
            last[row["subject"]] = row
    found = []
    for name in tables():
        rows, written = state.table(name), last.get(name, {})
        if not rows.num_rows and name not in waiting:
            continue
        found.append(
            Fresh(
                name,
                rows.num_rows,
                _latest(rows, "happened_at"),
                _latest(rows, "known_at"),
                written_at(written) if written else None,
                written.get("by") or "",
                written.get("source") or "",
                waiting.get(name, 0),
            )
        )
    return tuple(found)


def _latest(rows: pa.Table, column: str) -> datetime | None:
    return pc.max(rows[column]).as_py() if column in rows.column_names and rows.num_rows else None


def arrivals(served: Served, who: Who, wanted: Wanted = Wanted()) -> Piece:  # noqa: B008 - a frozen value
    """What was written to the chain, the last first where nothing else is asked: write (the key), at, by, what, branch,
    subject, source, how_many, acted_at."""
    who.require(Permission.SEE_DATA)
    if wanted.sort is None:
        wanted = replace(wanted, sort="write", is_descending=True)
    return piece(served.chain_thread.kept("data.writes", lambda chain: chain.ledger.writes()), "write", wanted)


def folder_findings(served: Served, who: Who) -> tuple[Finding, ...]:
    """What is wrong with the files of the chain's folder, each with what to do about it."""
    who.require(Permission.SEE_DATA)
    return served.chain_thread.kept("data.findings", lambda chain: chain.findings)


def profiles(served: Served, who: Who) -> tuple[tuple[Profile, bool], ...]:
    """The platforms whose exports are known by their headers, and whether each is the chain's own. Raises BadInput with
    all that is wrong with its own."""
    who.require(Permission.SEE_DATA)
    theirs = {profile.key: profile for profile in built_in()}
    return tuple((one, theirs.get(one.key) != one) for one in own_profiles(served.chain_thread.folder))


# quarantine --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wrong:
    """What is wrong with a row that waits. column: None where it is the row. found, expected, remedy: by language."""

    column: str | None
    found: Mapping[str, str]
    expected: Mapping[str, str]
    remedy: Mapping[str, str]


@dataclass(frozen=True)
class Waiting:
    """A row in quarantine. row: its number in its source. cells: as it came, by column. findings: what is wrong with
    it. columns: those of its table, for cells that it lacks. in_folder: it stands in a file of the chain's folder:
    until it is mended there too, it waits again when that file is read again."""

    quarantine_id: str
    table: str
    source: str
    row: int | None
    cells: Mapping[str, str]
    findings: tuple[Wrong, ...]
    columns: tuple[str, ...]
    arrived_at: datetime
    in_folder: bool


def quarantine(served: Served, who: Who, wanted: Wanted = Wanted()) -> Piece:  # noqa: B008 - a frozen value
    """Rows that wait: quarantine_id, table, source, row, raw (its cells, JSON), findings (JSON), arrived_at."""
    who.require(Permission.SEE_DATA)
    return piece(
        served.chain_thread.kept("data.quarantine", lambda chain: chain.ledger.quarantined()), "quarantine_id", wanted
    )


def waiting(served: Served, who: Who, quarantine_id: str) -> Waiting:
    """One row that waits. Raises NotFound."""
    who.require(Permission.SEE_DATA)
    rows = served.chain_thread.read(lambda chain: chain.ledger.quarantined([quarantine_id])).to_pylist()
    if not rows:
        raise NotFound(message("app.not_quarantined", ids=quarantine_id))
    return as_waiting(rows[0])


def as_waiting(row: Mapping[str, Any]) -> Waiting:
    """A row of `quarantine`."""
    raw = json.loads(row["raw"])
    cells = {name: "" if value is None else str(value) for name, value in raw.items()}
    found = tuple(_wrong(one) for one in json.loads(row["findings"]))
    columns = tuple(c for c in tables()[row["table"]].columns if c != "assumed") if row["table"] in tables() else ()
    place = (row["quarantine_id"], row["table"], row["source"], row["row"])
    return Waiting(*place, cells, found, columns, row["arrived_at"], row["source"] == row["table"])


def _wrong(kept: Mapping[str, Any]) -> Wrong:
    """Of a finding as the quarantine keeps it: in English, with Chinese texts under 'zh'."""
    texts = {part: {lang: str(kept.get(lang, kept)[part]) for lang in LANGUAGES} for part in _PARTS}
    return Wrong(kept.get("column"), **texts)


_PARTS = ("found", "expected", "remedy")


def correct(served: Served, who: Who, quarantine_id: str, cells: Mapping[str, str], why: str = "") -> IngestReport:
    """Take a row that waits in with other cells, checked by the same rules. Raises NotFound; BadInput with all findings
    where it still breaks one: then it waits as it was."""
    who.require(Permission.CHANGE_DATA)
    before = waiting(served, who, quarantine_id) if who.may(Permission.SEE_DATA) else None
    report = served.chain_thread.write(who.login, lambda chain: chain.correct_quarantined(quarantine_id, cells))
    was = {} if before is None else {name: before.cells.get(name, "") for name in cells}
    told, now = _without_persons(report.table, was), _without_persons(report.table, cells)
    served.audit.note(who.login, "correct_row", f"{report.table}:{quarantine_id}", before=told, after=now, why=why)
    served.events.tell("data", report.table, Permission.SEE_DATA)
    return report


def _without_persons(table: str, cells: Mapping[str, str]) -> dict[str, str]:
    """Cells for the audit, which is never emptied: what is about a person, or in a column that is none of the table's,
    is not repeated there."""
    columns = tables()[table].columns
    plain = {name for name, column in columns.items() if column.personal in ("", "staff")}
    return {name: value if name in plain else NOT_REPEATED for name, value in cells.items()}


NOT_REPEATED = "…"


def retry(served: Served, who: Who) -> tuple[IngestReport, ...]:
    """Try all rows that wait again, as they are: one report for each table and source."""
    who.require(Permission.CHANGE_DATA)
    reports = served.chain_thread.write(who.login, lambda chain: chain.retry_quarantine())
    taken = {f"{one.table} ({one.source})": one.rows - one.quarantined for one in reports}
    served.audit.note(who.login, "retry_quarantine", "quarantine", after=taken)
    served.events.tell("data", "quarantine", Permission.SEE_DATA)
    return reports


def discard(served: Served, who: Who, ids: Sequence[str], why: str = "") -> int:
    """Forget rows that wait. One that still stands in a file of the folder comes back with it. Raises NotFound."""
    who.require(Permission.CHANGE_DATA)
    count = served.chain_thread.write(who.login, lambda chain: chain.discard_quarantine(ids))
    served.audit.note(who.login, "discard_rows", "quarantine", before={"rows": list(ids)}, why=why)
    served.events.tell("data", "quarantine", Permission.SEE_DATA)
    return count


# rows of tables ----------------------------------------------------------------------------------

# Values of rows by the row's key and column, and what they are noted to come from.
Cells = Mapping[str, Mapping[str, Any]]
WORKBOOK = "workbook"


def check_rows(served: Served, who: Who, table: str, changes: Cells) -> tuple[Finding, ...]:
    """All that is wrong with changes of rows of a table that says what exists, each with the place of its row among
    them, from 1; nothing is kept."""
    who.require(Permission.CHANGE_DATA)
    return served.chain_thread.read(
        lambda chain: chain.check_rows(table, _said_rows(chain, table, changes)[0]) if changes else ()
    )


def change_rows(served: Served, who: Who, table: str, changes: Cells, seen: Cells, why: str = "") -> None:
    """Change rows of a table that says what exists, all of them or none. seen: what the same cells said when they were
    looked at. Raises BadInput with all findings where a rule is broken or somebody changed a cell since."""
    who.require(Permission.CHANGE_DATA)
    if not changes:
        return

    def write(chain: Chain) -> Cells:
        rows, before = _said_rows(chain, table, changes)
        if any(not same(before[key][column], value) for key, cells in seen.items() for column, value in cells.items()):
            raise BadInput(message("sheets.changed_meanwhile", table=table), ())
        chain.write_rows(table, rows, WORKBOOK)
        return before

    before = served.chain_thread.write(who.login, write)
    with served.database.together():
        for key, cells in changes.items():
            told, now = (
                _without_persons(table, {column: as_cell(one[column]) for column in cells})
                for one in (before[key], cells)
            )
            served.audit.note(who.login, "change_row", f"{table}:{key}", before=told, after=now, why=why)
    for kind, permission in (("data", Permission.SEE_DATA), ("plan", Permission.SEE_PLAN)):
        served.events.tell(kind, table, permission)


def _said_rows(chain: Chain, table: str, changes: Cells) -> tuple[list[dict[str, str]], Cells]:
    """Whole rows as a file would say them, with the changes; and the rows as they are. What is said by hand is assumed
    no more. Raises NotFound for a row that is not there."""
    held = {row["key"]: row for row in table_rows(chain, table).to_pylist()}
    missing = [key for key in changes if key not in held]
    if missing:
        raise NotFound(message("app.no_row", table=table, rows=", ".join(missing)))
    names = [name for name in tables()[table].columns if name not in BESIDE]
    rows = []
    for key, cells in changes.items():
        marks = [mark.strip() for mark in (held[key]["assumed"] or "").split(",")]
        told = {name: as_cell(cells.get(name, held[key][name])) for name in names}
        rows.append(told | {"assumed": ",".join(m for m in marks if m and m not in cells and m != "known_at")})
    return rows, held


# files -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Upload:
    """A file that somebody brought and that waits to be taken in. size: in bytes. made: seconds since 1970."""

    upload: str
    name: str
    size: int
    made: float


def upload(served: Served, who: Who, name: str, content: bytes) -> Upload:
    """Keep a file until it is taken in or dropped, KEPT at most. Only who brought it sees it. Raises Refused for one
    that is empty, too large or of a kind that is not read, and where too many of the same person wait."""
    who.require(Permission.CHANGE_DATA)
    plain = Path(name.replace("\\", "/")).name
    if Path(plain).suffix.lower() not in SUFFIXES:
        raise Refused(message("served.data.wrong_kind", name=plain, kinds=", ".join(sorted(SUFFIXES))))
    if not content or len(content) > MOST_BYTES:
        raise Refused(message("served.data.wrong_size", name=plain, most=MOST_BYTES // 2**20))
    now = served.now().timestamp()
    with served.database.together():
        if len(uploads(served, who)) >= MOST_WAITING:
            raise Refused(message("served.data.too_many", most=MOST_WAITING))
        made = Upload(f"U{secrets.token_hex(8)}", plain, len(content), now)
        served.database.write(
            "INSERT INTO uploads VALUES (?, ?, ?, ?, ?)", (made.upload, who.account, made.name, content, made.made)
        )
    served.audit.note(who.login, "upload_file", made.upload, after={"name": made.name, "size": made.size})
    return made


def uploads(served: Served, who: Who) -> tuple[Upload, ...]:
    """The files that one brought and that wait, oldest first. Those of anybody that waited too long go."""
    who.require(Permission.CHANGE_DATA)
    oldest = served.now().timestamp() - KEPT.total_seconds()
    served.database.write("DELETE FROM uploads WHERE made < ?", (oldest,))
    rows = served.database.rows(
        "SELECT upload, name, length(content) AS size, made FROM uploads WHERE account = ? AND made >= ? ORDER BY made",
        (who.account, oldest),
    )
    return tuple(Upload(**row) for row in rows)


def preview(
    served: Served, who: Who, name: str, table: str | None = None, answers: Mapping[str, str] = NO_ANSWERS
) -> Taken:
    """What taking a file in would do, with how it is read; nothing is kept. name: of the upload. table: whose rows they
    are; None: as the file says. Raises NotFound; Asked where a reading is not sure, BadInput where nothing of it can be
    used."""
    who.require(Permission.CHANGE_DATA)
    with upload_as_file(served, who, name) as file:
        return served.chain_thread.read(lambda chain: chain.preview(file, table, answers))


def take(
    served: Served, who: Who, name: str, table: str | None = None, answers: Mapping[str, str] = NO_ANSWERS
) -> Taken:
    """Take a file in, as `preview` has shown it; then it waits no longer. Raises as `preview`."""
    who.require(Permission.CHANGE_DATA)
    with upload_as_file(served, who, name) as file:
        taken = served.chain_thread.write(who.login, lambda chain: chain.ingest(file, table, answers=answers))
    _forget(served, who, name)
    counts = {
        one.table: {"added": one.added, "changed": one.superseded, "waiting": one.quarantined} for one in taken.reports
    }
    served.audit.note(who.login, "take_file", name, after={"file": file.name, "answers": dict(answers), **counts})
    served.events.tell("data", file.name, Permission.SEE_DATA)
    return taken


def drop_upload(served: Served, who: Who, name: str) -> None:
    """Forget a file that waits. Raises NotFound."""
    who.require(Permission.CHANGE_DATA)
    with served.database.together():
        dropped = next((one for one in uploads(served, who) if one.upload == name), None)
        if dropped is None:
            raise NotFound(message("served.data.no_upload", upload=name))
        _forget(served, who, name)
        served.audit.note(who.login, "drop_upload", name, before={"name": dropped.name, "size": dropped.size})


def _forget(served: Served, who: Who, name: str) -> int:
    return served.database.write("DELETE FROM uploads WHERE upload = ? AND account = ?", (name, who.account))


@contextmanager
def upload_as_file(served: Served, who: Who, name: str) -> Generator[Path]:
    """An upload as a file under its own name. Raises NotFound for one that is not there, or another's."""
    row = served.database.row(
        "SELECT name, content FROM uploads WHERE upload = ? AND account = ? AND made >= ?",
        (name, who.account, served.now().timestamp() - KEPT.total_seconds()),
    )
    if row is None:
        raise NotFound(message("served.data.no_upload", upload=name))
    with TemporaryDirectory(prefix="datong-upload-") as folder:
        file = Path(folder) / row["name"]
        file.write_bytes(row["content"])
        try:
            yield file
        except DatongError as error:  # where it lies on the server is nobody's business
            error.message = _by_its_name(error.message, file)
            raise


def _by_its_name(told: Message, file: Path) -> Message:
    """A text that names a file, without its folder."""
    return Message(told.key, told.names, tuple(file.name if value == str(file) else value for value in told.values))
