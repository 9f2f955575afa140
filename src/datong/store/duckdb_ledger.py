"""The ledger in one DuckDB file: what ledger/protocol.py promises, each change in one transaction."""

import json
import os
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import date, datetime, timedelta
from itertools import islice
from pathlib import Path
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.kept_results import Kept
from datong.ledger.large_tables import MOST_IN_MEMORY, in_file, is_large, parts, too_many
from datong.ledger.products_held_back import COUNTS, HOLDING, MOST_COUNTS
from datong.ledger.protocol import (
    END_OF_TIME,
    FEWER_SOLD_SCHEMA,
    PUT_BACK_SCHEMA,
    WRITES_SCHEMA,
    Ahead,
    DeliveryState,
    IngestReport,
    Intake,
    RunInputs,
    RunRecord,
)
from datong.ledger.row_checks import REJECTED_SCHEMA, ROW, Checked, CheckedRows, RowsInHand, finding_record
from datong.ledger.row_ids import SINCE_EVER, keyed_row_id
from datong.ledger.rows_for_store import incoming_rows
from datong.ledger.state import REFUSED, REFUSED_SCHEMA, Snapshot, State, every_table, in_state_schema, schema_of
from datong.ledger.units import Conversions, has_units, in_base_units, is_told
from datong.ledger.verdicts import BY_HAND
from datong.ledger.versions import versions
from datong.model.errors import NotFound
from datong.model.findings import Finding, finding, finding_as_json, finding_from_json
from datong.model.settings import ChainSettings
from datong.model.tables import Table, tables
from datong.model.words import message
from datong.store import clock_repair, customers_in_rows
from datong.store.changed_rows import spliced
from datong.store.duckdb_connection import connect_to, translated
from datong.store.fewer_sold_sql import fewer_sold
from datong.store.line_keys import line_keys
from datong.store.migrations import REWRITE_DUE, chain_table, migrate, note_rewrite_due, quoted
from datong.store.one_process_one_thread import Held, refuse_second
from datong.store.take_in_sql import (
    TEMPORARY,
    contested,
    counted,
    gone,
    insertion,
    insertion_at_once,
    lacks_key,
    moment_sql,
    named_by,
    numbered,
    overtaken,
    repeated,
    repeated_of_buyers,
    staging,
    stored,
    taking_out,
    valid_from,
    verdicts,
)
from datong.store.written_anew import Hands, arrow_buffer

_SPILL_BYTES = 16 * 1024 * 1024
_RUN_BYTES = 4 * 1024 * 1024  # of a run's tables, as they are kept, that go in with one statement
_SEEN_BYTES = 16 * 1024 * 1024  # of a table that stays in memory as it was read last
_CONFLICTS_AT_ONCE = 10_000
# Most rows that are named of those that another source has overtaken.
_MOST_OVERTAKEN = 5
# Where more rows of a table changed than these, it is read anew.
_MOST_SPLICED = 200


def open_ledger(path: Path, settings: ChainSettings) -> "DuckDBLedger":
    """Open the ledger file, making it where it is not there.

    Raises LedgerBusy while it is open already, in another process or in this one, LedgerDamaged where it cannot be read
    (reading may raise that later, where the damage lies deep), Refused where a newer Datong wrote it.
    """
    refuse_second(path)
    with translated(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _create(path)
        connection = connect_to(path)
        try:
            file = path.resolve()
            for left in file.parent.glob(f"{file.name}.*.new*"):  # of a process that was killed
                _clear(left)
            write_anew = migrate(connection)
        except BaseException:
            connection.close()
            raise
    ledger = DuckDBLedger(path, settings, Held(path, connection))
    if write_anew:
        try:
            ledger.rewrite()
        except BaseException:
            ledger.close()
            raise
    return ledger


def ledger_in_memory(settings: ChainSettings) -> "DuckDBLedger":
    """A new ledger that no file holds: it goes when it is closed."""
    path = Path(f":memory:{settings.name}")
    with translated(path):
        connection = connect_to(None)
        migrate(connection)
    return DuckDBLedger(path, settings, Held(path, connection))


def _create(path: Path) -> None:
    """Make a new ledger beside its place and move it there, so that a kill never leaves half of one."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        fresh.unlink(missing_ok=True)
        with connect_to(fresh) as connection:
            migrate(connection)
            connection.execute("CHECKPOINT")  # a close that cannot write it all says nothing
        with suppress(FileExistsError, FileNotFoundError):  # another process was faster, and has cleared away
            _place(fresh, path)
    finally:
        _clear(fresh)


def _place(fresh: Path, path: Path) -> None:
    """Give a file its name, unless there is one: another process may have rows in it already."""
    try:
        os.link(fresh, path)
    except (FileExistsError, FileNotFoundError):
        raise
    except OSError:  # a drive without links
        if not path.exists():
            fresh.replace(path)


def _clear(fresh: Path) -> None:
    for left in (fresh, fresh.with_name(f"{fresh.name}.wal")):
        with suppress(OSError):
            left.unlink(missing_ok=True)


_WRITES = ", ".join(map(quoted, WRITES_SCHEMA.names))
# The chain's clock and the world's say the same where they are less apart.
_SAME_TIME = timedelta(minutes=1)
# Rows in conflict: which of the incoming ones, and of which fact.
_CONFLICTS_SCHEMA = pa.schema({"_n": pa.int64(), "row_id": pa.string()})
# Of a bad row, with its table and source as parameters: the same row of the same source is kept once.
_QUARANTINE_ID = "md5(concat_ws(chr(31), ?, ?, __row__, raw))[:16]"


class Judged(NamedTuple):
    """What became of rows that came in: new facts, new versions, and the rows in conflict (_n, row_id); how many come
    to say what another source said; what is to be said of those that say again what another overtook."""

    added: int
    superseded: int
    conflicts: pa.Table
    agreed: int = 0
    overtaken: tuple[Finding, ...] = ()


class _Seen(NamedTuple):
    """A table as it was read: as of which moment and which of its ingests."""

    read: tuple[datetime, int]
    rows: pa.Table


class DuckDBLedger:
    """A Ledger (see ledger/protocol.py) in one DuckDB file, for the process and the thread that opened it."""

    # Whose runs: the trunk's. Branches (branches.py) have numbers from 1, and names.
    _branch = 0
    name: str | None = None

    def __init__(self, path: Path, settings: ChainSettings, held: Held) -> None:
        self.path = path
        self.settings = settings
        # The clock of the world, until which a day that is not over counts; None: every day is over.
        self.now: Callable[[], datetime] | None = None
        self._held = held
        # Each as of which ingest.
        self._latest_known: tuple[int, datetime | None] | None = None
        self._latest_arrived: tuple[int, datetime | None] | None = None
        self._epoch = held.epoch  # of which what is remembered is
        # By table its last ingest; None: to be asked.
        self._last_of: dict[str, int] | None = None
        self._seen: dict[str, tuple[_Seen, ...]] = {}  # by table what was read last, the latest first
        self._revised_at: dict[str, tuple[int, bool]] = {}  # by table, as of which ingest, what _is_revised says
        self._known_last: dict[str, tuple[int, datetime]] = {}  # likewise, what _known_until says
        self._runs_read: pa.Table | None = None  # what `runs` gives; None: to be asked
        self._whole = False  # whether a transaction goes on that further writes belong to

    def __enter__(self) -> "DuckDBLedger":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._held.close()

    @property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        return self._held.connection()

    @property
    def chain(self) -> str:
        """Name of the chain: the only one in the file."""
        return self.settings.name

    # taking in ----------------------------------------------------------------------------------

    def ingest(
        self,
        table: str,
        rows: pa.Table,
        rejected: pa.Table | None,
        findings: Sequence[Finding],
        source: str,
        arrived_at: datetime,
        retried: Sequence[str] = (),
        whole: bool = False,
        *,
        by: str,
    ) -> IngestReport:
        """Take in checked rows in one transaction; see Ledger.ingest.

        rows: columns of the table (those missing are null), `__row__` and, for events, `__date_only__`.
        rejected: `__row__`, `raw`, `findings`; None: no row was rejected. retried: quarantine ids that these rows
        replace; they are taken out in the same transaction. An ingest that changes nothing leaves no trace.
        """
        rejected = REJECTED_SCHEMA.empty_table() if rejected is None else rejected
        checked = RowsInHand(Checked(rows, rejected, tuple(findings)))
        return self._take_in(tables()[table], checked, source, arrived_at, retried, whole, by)

    def take_in(
        self, table: str, checked: CheckedRows, source: str, arrived_at: datetime, whole: bool = False, *, by: str
    ) -> IngestReport:
        """Take in rows that come batch by batch, in one transaction; see Ledger.take_in."""
        return self._take_in(tables()[table], checked, source, arrived_at, (), whole, by)

    def _take_in(
        self,
        table: Table,
        checked: CheckedRows,
        source: str,
        arrived_at: datetime,
        retried: Sequence[str],
        whole: bool,
        by: str,
    ) -> IngestReport:
        with self._transaction(), Spill(REJECTED_SCHEMA) as bad:
            if retried:
                self._leave_quarantine(retried)
            ingest = self._next_ingest()
            now = None if self.now is None else self.now()
            incoming = _Incoming(table, checked, self.settings, arrived_at, bad, now)
            good = added = self._add_at_once(table, incoming, ingest, arrived_at)
            judged = Judged(0, 0, _CONFLICTS_SCHEMA.empty_table())
            superseded, conflicts, said = 0, judged.conflicts, ()
            if good is None or added is None:
                try:
                    good = self._stage(table, incoming)
                    judged = self._judge(table, ingest, arrived_at, source, whole)
                    added, superseded, conflicts = judged.added, judged.superseded, judged.conflicts
                    for some in conflicts.to_batches(_CONFLICTS_AT_ONCE):
                        bad.add(self._conflicting_rows(table, source, pa.Table.from_batches([some])))
                    said = (*self._conflict_finding(source, conflicts), *judged.overtaken)
                finally:
                    self._drop_temporary()
            mended = self._drop_mended(table.name, source, bad) if whole else 0
            fresh = self._put_in_quarantine(table.name, source, bad, arrived_at, ingest)
            if added or superseded or mended or fresh or judged.agreed:
                self._note_ingest(ingest, table.name, source, arrived_at)
            if added or superseded or mended or fresh:
                self._note_write(arrived_at, by, "ingest", table.name, source, added + superseded)
        return IngestReport(
            source=source,
            table=table.name,
            rows=good + bad.rows - conflicts.num_rows,
            added=added,
            superseded=superseded,
            known=good - added - superseded - conflicts.num_rows,
            quarantined=bad.rows,
            findings=(*checked.findings, *said),
        )

    def _add_at_once(self, table: Table, incoming: "_Incoming", ingest: int, arrived_at: datetime) -> int | None:
        """Add rows that come in one batch, each with a key that no other has, to a table into which nothing came
        before: there is nothing to judge. Returns how many; None: it is otherwise, and nothing was done."""
        rows = incoming.only
        if rows is None or not self._is_new(table) or not _with_keys_of_their_own(rows):
            return None
        repeated_rows = incoming.take_out_repeated()
        if repeated_rows.num_rows:
            rows = rows.filter(pc.invert(pc.is_in(rows["_source_row"], repeated_rows[ROW].combine_chunks())))
        with self._registered("incoming_arrow", pa.Table.from_batches([rows])):
            self._run(insertion_at_once(table, rows.schema.names, self.settings.history, arrived_at, ingest))
        return rows.num_rows

    def _is_new(self, table: Table) -> bool:
        """Whether nothing came into a table yet."""
        return table.name not in self._last_by_table()

    def _stage(self, table: Table, incoming: "_Incoming", every: bool = False) -> int:
        """Put the good rows into `staged` as they come (but, unless `every` row is wanted, those that are known), and
        the others aside. Returns how many are good."""
        known_left_out = table.kind == "event" and not every and self._has_rows(table)
        with self._registered("incoming_arrow", incoming.reader):
            try:
                self._run(staging(table, incoming.reader.schema.names, known_left_out))
            except duckdb.Error:
                if incoming.error is not None:  # broken on the way here, not in the database
                    raise incoming.error from None
                raise
        repeated_rows = incoming.take_out_repeated()
        if repeated_rows.num_rows:
            with self._registered("bad_arrow", repeated_rows):
                self._run(taking_out())
        return incoming.rows - repeated_rows.num_rows

    def _judge(self, table: Table, ingest: int, arrived_at: datetime, source: str, whole: bool) -> "Judged":
        """Add what is new. whole: the source has no other rows."""
        history = self.settings.history
        some_stored = self._has_rows(table)
        ((unkeyed,),) = self._rows(lacks_key())
        if unkeyed:
            self._number_equal(table, chain_table(table))
        for statement in numbered(table, unkeyed, some_stored):
            self._run(statement)
        ((unknown, some_contested),) = self._rows(counted(some_stored))
        first, later, agreed, overtaken_rows, judged = 0, 0, 0, 0, 0
        conflicts = _CONFLICTS_SCHEMA.empty_table()
        if some_contested:
            self._run(contested(table, some_stored))
            ((judged,),) = self._rows("SELECT count(*) FROM contested")
        if judged:
            self._run(stored(table, source))
            self._run(verdicts(table, history, arrived_at, whole))
            ((first, later, agreed, overtaken_rows),) = self._rows(
                "SELECT count(*) FILTER (verdict = 'new' AND version = 1),"
                " count(*) FILTER (verdict = 'new' AND version > 1), count(*) FILTER (verdict = 'agreed'),"
                " count(*) FILTER (verdict = 'overtaken') FROM verdicts"
            )
            conflicts = self._arrow("SELECT _n, row_id FROM verdicts WHERE verdict = 'conflict' ORDER BY _n")
        said = tuple(self._overtaken_findings(table, source, overtaken_rows))
        added = unknown - judged + first
        if added + later + agreed:
            self._run(insertion(table, history, arrived_at, ingest, judged > 0))
        return Judged(added, later, conflicts, agreed, said)

    def _overtaken_findings(self, table: Table, source: str, count: int) -> Iterator[Finding]:
        """What is said of rows that say again what their source said last, while another said otherwise since: of each
        of the first ones, and of how many more there are."""
        if not count:
            return
        rows = self._arrow(overtaken(table, _MOST_OVERTAKEN)).to_pylist()
        for row in rows:
            differing = [name for name in table.columns if name != "known_at" and row[name] != row[f"since_{name}"]]
            pairs = [
                f"{name} {_shown_cell(row[name], self.settings)} → {_shown_cell(row[f'since_{name}'], self.settings)}"
                for name in differing
            ]
            by = row["_since_source"] or ""
            hand = by.startswith(BY_HAND)
            yield finding(
                "warning",
                "store.overtaken_by_hand" if hand else "store.overtaken",
                source,
                row=row["_source_row"],
                column=differing[0] if len(differing) == 1 else None,
                row_id=row["row_id"],
                values=", ".join(pairs),
                by=by,
            )
        if count > len(rows):
            yield finding(
                "warning", "store.more_overtaken", source, rows_affected=count - len(rows), count=count - len(rows)
            )

    def _number_equal(self, table: Table, held: str) -> None:
        """Make `repeated` of `staged`. held: SQL of the rows that are there."""
        named = [quoted(name) for name in table.personal_columns("customer")]
        with_buyer = f"SELECT 1 FROM staged WHERE NOT _keyed AND {named[0]} IS NOT NULL LIMIT 1" if named else None
        if with_buyer is None or not self._rows(with_buyer):
            self._run(repeated())
            return
        for statement in repeated_of_buyers(table, held, named[0]):
            self._run(statement)

    def _has_rows(self, table: Table) -> bool:
        return bool(self._rows(f"SELECT 1 FROM {chain_table(table)} LIMIT 1"))

    def _leave_quarantine(self, quarantine_ids: Sequence[str]) -> None:
        self._run("DELETE FROM quarantine WHERE quarantine_id IN (SELECT unnest(?))", [list(quarantine_ids)])

    def _drop_temporary(self) -> None:
        with suppress(duckdb.Error):  # of a transaction that failed nothing is left
            self._connection.execute("DROP VIEW IF EXISTS temp.incoming")
        for name in TEMPORARY:
            with suppress(duckdb.Error):
                self._connection.execute(f"DROP TABLE IF EXISTS temp.{name}")

    def _conflict_finding(self, source: str, conflicts: pa.Table) -> Iterator[Finding]:
        """One finding for all rows of a source that contradict what is known."""
        if not conflicts.num_rows:
            return
        first = conflicts.slice(0, 1).to_pylist()[0]
        ((row,),) = self._rows("SELECT _source_row FROM staged WHERE _n = ?", [first["_n"]])
        yield _conflict(source, row, first["row_id"], conflicts.num_rows)

    def _conflicting_rows(self, table: Table, source: str, conflicts: pa.Table) -> pa.Table:
        """Rows in conflict as a quarantine keeps them: as the texts that a source would give."""
        with self._registered("conflicts_arrow", conflicts):
            rows = self._arrow(
                "SELECT staged.* EXCLUDE (row_id), conflicts_arrow.row_id"
                " FROM staged JOIN conflicts_arrow USING (_n) ORDER BY _n"
            ).to_pylist()
        raw, findings, numbers = [], [], []
        for row in rows:
            if row["_known_at_assumed"]:
                row["known_at"] = None
            texts = {
                name: _source_text(row[name], row["_date_only"] and name == "happened_at", self.settings)
                for name in table.columns
                if row[name] is not None
            }
            raw.append(json.dumps(texts, ensure_ascii=False))
            conflict = _conflict(source, row["_source_row"], row["row_id"], 1)
            findings.append(json.dumps([finding_record(conflict)], ensure_ascii=False))
            numbers.append(row["_source_row"])
        return pa.table([numbers, raw, findings], schema=REJECTED_SCHEMA)

    def _drop_mended(self, table: str, source: str, bad: "Spill") -> int:
        """Rows of a source in quarantine that are not among its bad ones now were mended there. Returns how many."""
        if not self._rows("SELECT 1 FROM quarantine WHERE table_name = ? AND source = ? LIMIT 1", [table, source]):
            return 0
        with self._registered("bad_arrow", bad.reader()):
            ((count,),) = self._rows(
                "DELETE FROM quarantine WHERE table_name = ? AND source = ?"
                f" AND quarantine_id NOT IN (SELECT {_QUARANTINE_ID} FROM bad_arrow)",
                [table, source, table, source],
            )
        return count

    def _put_in_quarantine(self, table: str, source: str, bad: "Spill", arrived_at: datetime, ingest: int) -> int:
        """Keep rows that could not go in, each once. Returns how many were not there yet."""
        if not bad.rows:
            return 0
        with self._registered("bad_arrow", bad.reader()):
            ((fresh,),) = self._rows(
                'INSERT INTO quarantine (quarantine_id, table_name, source, "row", raw, findings, arrived_at, ingest)'
                " SELECT DISTINCT ON (id) id, ?, ?, __row__, raw, findings, ?, ? FROM ("
                f"   SELECT *, {_QUARANTINE_ID} AS id FROM bad_arrow)"
                " WHERE id NOT IN (SELECT quarantine_id FROM quarantine) ORDER BY id",
                [table, source, arrived_at, ingest, table, source],
            )
        return fresh

    def _next_ingest(self) -> int:
        return max(self._last_by_table().values(), default=0) + 1

    def _last_by_table(self) -> dict[str, int]:
        self._look()
        if self._last_of is None:
            found = self._rows("SELECT table_name, max(ingest) FROM ingests GROUP BY table_name ORDER BY table_name")
            self._last_of = dict(found)
        return self._last_of

    def _note_ingest(self, ingest: int, table: str, source: str, arrived_at: datetime) -> None:
        self._run(
            "INSERT INTO ingests (ingest, table_name, source, arrived_at) VALUES (?, ?, ?, ?)",
            [ingest, table, source, arrived_at],
        )
        self._last_by_table()[table] = ingest

    def _note_write(self, at: datetime, by: str, what: str, subject: str, source: str | None, how_many: int) -> None:
        now = None if self.now is None else self.now()
        acted_at = now if now is not None and abs(now - at) >= _SAME_TIME else None
        self._run(
            f"INSERT INTO writes ({_WRITES}) SELECT coalesce(max(write), 0) + 1, ?, ?, ?, ?, ?, ?, ?, ? FROM writes",
            [at, by, what, self.name, subject, source, how_many, acted_at],
        )

    def writes(self) -> pa.Table:
        """Who wrote what and when; see Ledger.writes."""
        return self._arrow(f"SELECT {_WRITES} FROM writes ORDER BY write").cast(WRITES_SCHEMA)

    def last_write(self) -> int:
        """The number of the last write; see Ledger.last_write."""
        ((last,),) = self._rows('SELECT coalesce(max("write"), 0) FROM writes')
        return last

    def withdraw(self, table: str, row_ids: Sequence[str], known_at: datetime, *, by: str) -> int:
        """Say that rows no longer hold from `known_at` on; see Ledger.withdraw."""
        spec = tables()[table]
        own = ", ".join(quoted(name) for name in spec.columns if name != "known_at")
        these, ids = named_by(spec, row_ids)
        with self._transaction():
            ingest = self._next_ingest()
            self._run(
                f"CREATE OR REPLACE TEMP TABLE leaving AS SELECT *, {valid_from(spec)} AS _from,"
                f" max(_version) OVER (PARTITION BY row_id, _from) AS _last FROM {chain_table(spec)}"
                f" WHERE {these}"
                " QUALIFY known_at <= ? AND row_number() OVER ("
                "   PARTITION BY row_id, _from, known_at <= ? ORDER BY known_at DESC, _version DESC) = 1",
                [*ids, known_at, known_at],
            )
            ((count,),) = self._rows("SELECT count(DISTINCT row_id) FROM leaving WHERE NOT _withdrawn")
            if count:
                self._run(
                    f"INSERT INTO {chain_table(spec)} (row_id, _content, _version, _known_at_assumed, _withdrawn,"
                    f" _ingest, _source_row, known_at, {own})"
                    f" SELECT row_id, _content, _last + 1, false, true, {ingest}, _source_row,"
                    f" {moment_sql(known_at)}, {own} FROM leaving WHERE NOT _withdrawn ORDER BY row_id, _from"
                )
                self._note_ingest(ingest, table, "withdraw", known_at)
                self._note_write(known_at, by, "withdraw", table, None, count)
            self._run("DROP TABLE temp.leaving")
        return count

    def vanished(self, report: IngestReport, named: Callable[[], CheckedRows]) -> Sequence[str]:
        """Row ids that came from a source and that its good rows do not name now; see Ledger.vanished."""
        table, rows, source = report.table, report.rows, report.source
        spec = tables()[table]
        # Rows taken out or mended leave more here than the source has. Naming every row of a large source is dear.
        if spec.kind == "event":
            brought = f"SELECT count(*) FROM {chain_table(spec)} JOIN ingests ON ingest = _ingest WHERE source = ?"
            ((count,),) = self._rows(brought, [source])
            if count <= rows:
                return ()
        else:
            ((count,),) = self._rows(f"SELECT count(*) FROM {chain_table(spec)}")
            if count == report.added:  # all that the ledger holds is new with this ingest
                return ()
        held = (
            f"SELECT row_id, {valid_from(spec)} AS _from FROM {chain_table(spec)}"
            " LEFT JOIN ingests ON ingest = _ingest GROUP BY row_id, _from"
            " HAVING bool_or(source = ?) AND NOT arg_max(_withdrawn, (known_at, _version))"
        )
        ((count,),) = self._rows(f"SELECT count(*) FROM ({held})", [source])
        if spec.kind == "event" and count <= rows:
            return ()
        with Spill(REJECTED_SCHEMA) as bad:
            self._stage(spec, _Incoming(spec, named(), self.settings, SINCE_EVER, bad), every=True)
        ((some_without_key,),) = self._rows(lacks_key())
        if some_without_key:
            self._number_equal(spec, chain_table(spec))
        for statement in numbered(spec, some_without_key, some_stored=False):
            self._run(statement)
        found = self._rows(gone(held), [source])
        self._drop_temporary()
        return tuple(name for (name,) in found)

    def came_from(self, table: str, source: str) -> Sequence[str]:
        """Row ids that came from `source` and were not withdrawn, in order; see Ledger.came_from."""
        if not self._rows("SELECT 1 FROM ingests WHERE table_name = ? AND source = ? LIMIT 1", [table, source]):
            return ()
        found = self._rows(f"{_held_from(tables()[table])} ORDER BY row_id", [source])
        return tuple(row_id for (row_id,) in found)

    # what was taken in --------------------------------------------------------------------------

    def intake(self, place: str) -> Intake | None:
        """What was noted of a place last; see Ledger.intake."""
        found = self._rows("SELECT digest, kept FROM intakes WHERE place = ?", [place])
        if not found:
            return None
        digest, kept = found[0][0], json.loads(found[0][1])
        for report in kept["reports"]:
            report["findings"] = tuple(finding_from_json(f) for f in report["findings"])
        reports = tuple(IngestReport(**report) for report in kept["reports"])
        findings, unheeded = (tuple(finding_from_json(f) for f in kept[part]) for part in ("findings", "unheeded"))
        return Intake(place, digest, kept["ingests"], reports, findings, unheeded)

    def note_intake(self, intake: Intake) -> None:
        """Remember what was taken in; see Ledger.note_intake."""
        kept = {
            "ingests": dict(intake.ingests),
            "reports": [{**vars(r), "findings": [finding_as_json(f) for f in r.findings]} for r in intake.reports],
            "findings": [finding_as_json(f) for f in intake.findings],
            "unheeded": [finding_as_json(f) for f in intake.unheeded],
        }
        with self._transaction():
            self._run("DELETE FROM intakes WHERE place = ?", [intake.place])
            values = [intake.place, intake.digest, json.dumps(kept, ensure_ascii=False)]
            self._run("INSERT INTO intakes (place, digest, kept) VALUES (?, ?, ?)", values)

    def forget_intake(self, place: str) -> None:
        """Remember nothing of a place any more; see Ledger.forget_intake."""
        with self._transaction():
            self._run("DELETE FROM intakes WHERE place = ?", [place])

    def intakes(self, prefix: str) -> Sequence[Intake]:
        """What was noted of places that begin so; see Ledger.intakes."""
        found = self._rows("SELECT place FROM intakes WHERE starts_with(place, ?) ORDER BY place", [prefix])
        return tuple(kept for (place,) in found if (kept := self.intake(place)) is not None)

    # deliveries ---------------------------------------------------------------------------------

    def note_deliveries(self, way: str, keys: Sequence[str], state: DeliveryState, at: datetime) -> None:
        """Remember how far messages are; see Ledger.note_deliveries."""
        if not keys:
            return
        with self._transaction():
            self._run("DELETE FROM deliveries WHERE way = ? AND key IN (SELECT unnest(?))", [way, list(keys)])
            self._run(
                "INSERT INTO deliveries (way, key, state, noted_at)"
                " SELECT ?, key, ?, ? FROM (SELECT DISTINCT unnest(?) AS key) ORDER BY key",
                [way, state, at, list(keys)],
            )

    def deliveries(self, way: str) -> Mapping[str, DeliveryState]:
        """How far messages are; see Ledger.deliveries."""
        return dict(self._rows("SELECT key, state FROM deliveries WHERE way = ? ORDER BY key", [way]))

    def last_ingests(self) -> Mapping[str, int]:
        """By table its last ingest or withdrawal; see Ledger.last_ingests."""
        return dict(sorted(self._last_by_table().items()))

    # reading ------------------------------------------------------------------------------------

    def state(self, as_of: datetime, names: Collection[str] | None = None, snapshot: Snapshot | None = None) -> State:
        """The world as known at `as_of`; see Ledger.state."""
        if snapshot is None:
            with self._held.still():
                return self._state(as_of, self._next_ingest() - 1, names)
        if (snapshot.chain, snapshot.branch) != (self.chain, self.name):
            raise ValueError(f"a snapshot of {snapshot.chain}, {snapshot.branch}: not of {self.chain}, {self.name}")
        with self._held.still():
            return self._state(as_of, snapshot.write, names)

    def _state(self, as_of: datetime, last_ingest: int, names: Collection[str] | None) -> State:
        """The world as known at a moment from what came in up to an ingest."""
        names = every_table() if names is None else names
        filled = self._filled([name for name in names if name != REFUSED])
        read = {
            name: self._table_as_of(name, as_of, last_ingest)
            if name == REFUSED or name in filled
            else in_state_schema(name, None)
            for name in names
        }
        return State(self.settings, as_of, read, Snapshot(self.chain, self.name, last_ingest))

    def _filled(self, names: Collection[str]) -> frozenset[str]:
        """Those of the tables into which anything came: no other has a row."""
        return frozenset(names) & self._last_by_table().keys()

    def _table_as_of(self, name: str, as_of: datetime, last_ingest: int) -> pa.Table:
        if name == REFUSED:
            return pa.Table.from_pylist(self._refused(as_of, last_ingest), schema=REFUSED_SCHEMA)
        table = tables()[name]
        rows = self._rows_as_of(table, as_of, last_ingest)
        if not is_told(rows) or not has_units(table):
            return rows
        calendar = self.settings.calendar
        known = self._conversions(as_of, last_ingest)
        today = calendar.local_date(as_of)
        if not _is_in_file(table, rows):
            return in_base_units(table, rows, known, calendar.zone, today)
        converted = (
            in_base_units(table, part, known, calendar.zone, today) if is_told(part) else part
            for part in parts(rows, rows.column_names)
        )
        return in_file(converted, rows.schema, self._spill_folder())

    def _rows_as_of(self, table: Table, as_of: datetime, last_ingest: int) -> pa.Table:
        """The rows as they were taken in. What was read last is not read again: a command looks at most tables several
        times, at some by turns as of its moment and of the end of time, and nothing but an ingest into a table changes
        what it holds as of a moment. After the last moment at which something of it became known it holds the same."""
        last = self._last_by_table().get(table.name, 0)
        read = (as_of if last_ingest < last else min(as_of, self._known_until(table, last))), min(last_ingest, last)
        seen = self._seen.get(table.name, ())
        found = next((one for one in seen if one.read == read), None)
        if found is None:
            rows = next((r for one in seen if (r := self._read_since(table, one, read)) is not None), None)
            found = _Seen(read, self._read_rows(table, as_of, last_ingest) if rows is None else rows)
            if found.rows.nbytes > _SEEN_BYTES and not _is_in_file(table, found.rows):
                return found.rows
            self._seen[table.name] = (found, *seen[:1])
        return found.rows

    def _known_until(self, table: Table, last: int) -> datetime:
        """The last moment at which a row of a table became known. last: its last ingest."""
        at, moment = self._known_last.get(table.name, (None, END_OF_TIME))
        if at != last:
            ((known,),) = self._rows(f"SELECT max(known_at) FROM {chain_table(table)}")
            moment = END_OF_TIME if known is None else known
            self._known_last[table.name] = last, moment
        return moment

    def _read_since(self, table: Table, seen: _Seen, read: tuple[datetime, int]) -> pa.Table | None:
        """The rows as of a moment and an ingest, out of those of an earlier one and of what came between: a hand edit
        touches one row of a hundred thousand. None: they are not of an earlier one, or too much came between."""
        if seen.read[0] > read[0] or seen.read[1] > read[1] or _is_in_file(table, seen.rows):
            return None
        until = "known_at <= {0} AND _ingest <= {1}"
        after, before = (until.format(moment_sql(moment), ingest) for moment, ingest in (read, seen.read))
        news = f"SELECT DISTINCT row_id FROM {chain_table(table)} WHERE {after} AND NOT ({before})"
        ids = sorted(name for (name,) in self._rows(f"{news} LIMIT {_MOST_SPLICED + 1}"))
        if len(ids) > _MOST_SPLICED:
            return None
        return spliced(seen.rows, self._read_rows(table, *read, ids), ids) if ids else seen.rows

    def _read_rows(self, table: Table, as_of: datetime, last_ingest: int, ids: Sequence[str] | None = None) -> pa.Table:
        """ids: of the rows that are wanted; None: all."""
        query = f"SELECT {_own_columns(table)} FROM {self._latest(table, as_of, last_ingest)} WHERE NOT _withdrawn"
        if ids is None and self._is_large(table):
            return self._read_large(table, f"{query} ORDER BY row_id, _from")
        some = "" if ids is None else " AND row_id IN (SELECT unnest(?))"
        rows = self._arrow(f"{query}{some} ORDER BY row_id, _from", [] if ids is None else [list(ids)])
        return in_state_schema(table.name, rows)

    def _is_large(self, table: Table) -> bool:
        """Whether a table may have more rows than a state holds in memory (ledger/large_tables.py). Of master rows
        versions are made, which are in memory."""
        if table.kind != "event":
            return False
        ((count,),) = self._rows(f"SELECT count(*) FROM {chain_table(table)}")
        return too_many(count)

    def _read_large(self, table: Table, query: str) -> pa.Table:
        """What a query gives, through a file where it is large: it is never in memory as a whole."""
        folder = self._spill_folder()
        with translated(self.path):
            reader = self._held.relation(query, ()).to_arrow_reader(MOST_IN_MEMORY)
            made = (in_state_schema(table.name, pa.Table.from_batches([batch])) for batch in reader)
            return in_file(made, schema_of(table.name), folder)

    def _spill_folder(self) -> Path:
        """Where what does not fit into memory goes: beside the ledger."""
        ((place,),) = self._rows("SELECT current_setting('temp_directory')")
        return Path(place).parent

    def _conversions(self, as_of: datetime, last_ingest: int) -> Conversions:
        """The units in which products are counted, as known at a moment. One that was known only later, or was
        withdrawn, is among them as it was first known, or known last: rows were taken in by it."""
        conversions = self._table_as_of("unit_conversions", as_of, last_ingest)
        table = tables()["unit_conversions"]
        others = self._arrow(
            f"SELECT {_own_columns(table)} FROM (SELECT *, {valid_from(table)} AS _from FROM {chain_table(table)})"
            " WHERE row_id NOT IN (SELECT unnest(?)) QUALIFY row_number() OVER ("
            f"   PARTITION BY row_id, _from ORDER BY known_at <= {moment_sql(as_of)} DESC,"
            f"   CASE WHEN known_at <= {moment_sql(as_of)} THEN known_at END DESC, known_at, _version DESC) = 1"
            " ORDER BY row_id, _from",
            [conversions["row_id"].to_pylist()],
        )
        every = pa.concat_tables([conversions, in_state_schema("unit_conversions", others)])
        return Conversions.of(self._table_as_of("products", as_of, last_ingest), versions(table, every))

    def fewer_sold(self, before: Snapshot, was: datetime, now: datetime) -> pa.Table:
        """Sales that count no longer, or for less; see Ledger.fewer_sold."""
        with self._held.still():
            last = self._next_ingest() - 1
            if self.name is None and not self._is_revised("sales"):
                return FEWER_SOLD_SCHEMA.empty_table()
            same = (before.chain, before.branch) == (self.chain, self.name)
            table, seen = tables()["sales"], before.write if same else last
            some = self._changed_since(table, was, seen)
            found = self._arrow(fewer_sold(*(self._latest(table, *at, some) for at in ((was, seen), (now, last)))))
            rows = in_state_schema("sales", found.select(["product", "unit", "units", "happened_at"]))
            if is_told(rows):
                calendar = self.settings.calendar
                known, today = self._conversions(now, last), calendar.local_date(now)
                rows = in_base_units(table, rows, known, calendar.zone, today)
        sums = found.select(["product", "lines", "gone"]).append_column("units", rows["units"])
        sums = sums.group_by("product", use_threads=False).aggregate([(n, "sum") for n in FEWER_SOLD_SCHEMA.names[1:]])
        sums = sums.rename_columns(FEWER_SOLD_SCHEMA.names).cast(FEWER_SOLD_SCHEMA)
        return sums.sort_by([("units", "descending"), ("product", "ascending")])

    def _changed_since(self, table: Table, was: datetime, last_ingest: int) -> str:
        """SQL: whether a row has a later version than those known at a moment of what came in up to an ingest."""
        return (
            f"row_id IN (SELECT row_id FROM {chain_table(table)} WHERE _version > 1"
            f" AND (known_at > {moment_sql(was)} OR _ingest > {last_ingest}))"
        )

    def _latest(self, table: Table, as_of: datetime, last_ingest: int, some: str = "true") -> str:
        """SQL of the last version known at a moment of each fact and `_from`, those that say it is withdrawn too.
        some: SQL of the rows that are wanted."""
        seen = f"known_at <= {moment_sql(as_of)} AND _ingest <= {last_ingest} AND {some}"
        source = f"(SELECT *, {valid_from(table)} AS _from FROM {chain_table(table)} WHERE {seen})"
        if not self._is_revised(table.name):
            return source
        ((revised,),) = self._rows(f"SELECT coalesce(max(_version) > 1, false) FROM {source}")
        if revised:  # windows over all rows are dear: only where some row has more than one version
            source = (
                f"(SELECT * FROM {source}"
                " QUALIFY row_number() OVER (PARTITION BY row_id, _from ORDER BY known_at DESC, _version DESC) = 1)"
            )
        return source

    def _is_revised(self, name: str) -> bool:
        """Whether some row of a table has more than one version, known at whatever moment. All tables that changed are
        asked about at once: who reads one reads most."""
        last = self._last_by_table()
        if name not in last:
            return False
        if self._revised_at.get(name, (0, False))[0] != last[name]:
            changed = [n for n, ingest in last.items() if self._revised_at.get(n, (0, False))[0] != ingest]
            asked = (
                f"SELECT '{n}', coalesce(max(_version) > 1, false) FROM {chain_table(tables()[n])}" for n in changed
            )
            self._revised_at |= {n: (last[n], revised) for n, revised in self._rows(" UNION ALL ".join(asked))}
        return self._revised_at[name][1]

    def _refused(self, as_of: datetime, last_ingest: int) -> list[dict[str, Any]]:
        """Rows in quarantine that hold products back, by table, source and row: those of which no later row came in.

        They count as of any moment: what holds in their place is not known, however far back one looks.
        """
        waiting = self._waiting_to_hold("quarantine", "true", last_ingest)
        return self._unsettled(waiting, chain_table, "true", last_ingest)

    def _waiting_to_hold(self, place: str, where: str, last_ingest: int) -> list[dict[str, Any]]:
        """Rows in a quarantine of tables that hold products back, and refused counts, with their ingest. place, where:
        SQL."""
        names = ", ".join(f"'{name}'" for name in HOLDING)
        query = (
            'SELECT table_name AS "table", source, "row", raw, findings, coalesce(ingest, 0) AS ingest'
            f" FROM {place} WHERE table_name IN ({{names}}) AND coalesce(ingest, 0) <= ? AND {where}"
            ' ORDER BY table_name, source, "row", quarantine_id'
        )
        rows = self._arrow(query.format(names=names), [last_ingest]).to_pylist()
        counts = self._arrow(f"{query.format(names=repr(COUNTS))} LIMIT {MOST_COUNTS}", [last_ingest]).to_pylist()
        return [*rows, *counts]

    def _unsettled(
        self, waiting: list[dict[str, Any]], stored_in: Callable[[Table], str], where: str, last_ingest: int
    ) -> list[dict[str, Any]]:
        """Those of the rows whose fact was not taken in, or withdrawn, after them. stored_in, where: SQL."""
        left = []
        for name in (*HOLDING, COUNTS):
            rows = [row for row in waiting if row["table"] == name]
            ids = [keyed_row_id(tables()[name], json.loads(row["raw"])) for row in rows]
            later = {}
            if rows:
                later = dict(
                    self._rows(
                        f"SELECT row_id, max(_ingest) FROM {stored_in(tables()[name])}"
                        f" WHERE row_id IN (SELECT unnest(?)) AND _ingest <= ? AND {where} GROUP BY row_id",
                        [[i for i in ids if i is not None], last_ingest],
                    )
                )
            left += [row for row, i in zip(rows, ids, strict=True) if later.get(i, -1) <= row["ingest"]]
        return left

    def latest_known_at(self) -> datetime | None:
        """The last moment at which anything became known, 'since ever' apart; see Ledger.latest_known_at."""
        last_ingest = self._next_ingest() - 1
        if self._latest_known is None or self._latest_known[0] != last_ingest:
            filled = [tables()[name] for name in sorted(self._filled(tables()))]
            moments = " UNION ALL ".join(f"SELECT max(known_at) AS m FROM {chain_table(t)}" for t in filled)
            latest = None
            if filled:
                ((latest,),) = self._rows(f"SELECT max(m) FROM ({moments}) WHERE m > {moment_sql(SINCE_EVER)}")
            self._latest_known = last_ingest, latest
        return self._latest_known[1]

    def latest_arrival(self) -> datetime | None:
        """The last moment at which rows came in; see Ledger.latest_arrival."""
        last_ingest = self._next_ingest() - 1
        if self._latest_arrived is None or self._latest_arrived[0] != last_ingest:
            ((latest,),) = self._rows("SELECT max(arrived_at) FROM ingests")
            self._latest_arrived = last_ingest, latest
        return self._latest_arrived[1]

    def latest_write(self) -> datetime | None:
        """The last moment at which anything was written; see Ledger.latest_write."""
        ((latest,),) = self._rows(
            'SELECT max(m) FROM (SELECT max(arrived_at) AS m FROM ingests UNION ALL SELECT max("at") FROM writes)'
        )
        return latest

    def ahead(self, now: datetime) -> Sequence[Ahead]:
        """What a clock that ran ahead wrote; see Ledger.ahead."""
        return clock_repair.ahead(self._rows, now, self._branch_tables())

    def put_back(self, now: datetime, *, by: str) -> int:
        """Put it back; see Ledger.put_back."""
        with self._transaction():
            count = clock_repair.put_back(self._rows, self._run, now, by, self._branch_tables())
            if count:
                self._note_write(now, by, "clock", "put_back", None, count)
        self._forget()
        return count

    def put_back_rows(self) -> pa.Table:
        """Every moment that was put back; see Ledger.put_back_rows."""
        own = ", ".join(map(quoted, PUT_BACK_SCHEMA.names))
        rows = self._arrow(f'SELECT {own} FROM put_back ORDER BY repair, "table", row_id, version, "column", recorded')
        return rows.cast(PUT_BACK_SCHEMA)

    def believe_clock(self, now: datetime, *, by: str) -> None:
        """Note that a clock is right; see Ledger.believe_clock."""
        with self._transaction():
            self._note_write(now, by, "clock", "believe", None, 0)

    def _branch_tables(self) -> list[str]:
        found = self._rows("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'branch' ORDER BY table_name")
        return [name for (name,) in found]

    def rows(self, table: str, row_ids: Sequence[str]) -> pa.Table:
        """Latest versions of rows by id, in the columns of a state and `source`, `source_row`; see Ledger.rows."""
        spec = tables()[table]
        these, ids = named_by(spec, row_ids)
        found = self._arrow(
            f"SELECT {_own_columns(spec)}, source, _source_row AS source_row"
            f" FROM (SELECT *, {valid_from(spec)} AS _from FROM {chain_table(spec)}"
            f"   WHERE {these} AND NOT _withdrawn"
            "   QUALIFY row_number() OVER (PARTITION BY row_id ORDER BY known_at DESC, _from DESC, _version DESC) = 1)"
            " LEFT JOIN ingests ON ingest = _ingest ORDER BY row_id",
            ids,
        )
        state_rows = in_state_schema(table, found)
        for name in ("source", "source_row"):
            state_rows = state_rows.append_column(name, found[name])
        return state_rows

    def waiting(self) -> pa.Table:
        """Which rows are in quarantine, by table, source and row; see Ledger.waiting."""
        return self._arrow(
            'SELECT quarantine_id, table_name AS "table", source, "row" FROM quarantine'
            ' ORDER BY table_name, source, "row", quarantine_id'
        )

    def quarantined(self, ids: Sequence[str] | None = None) -> pa.Table:
        """Rows in quarantine, oldest first; see Ledger.quarantined."""
        return self._arrow(
            'SELECT quarantine_id, table_name AS "table", source, "row", raw, findings, arrived_at FROM quarantine'
            + ("" if ids is None else " WHERE quarantine_id IN (SELECT unnest(?))")
            + ' ORDER BY arrived_at, source, "row", quarantine_id',
            [] if ids is None else [list(ids)],
        )

    def discard(self, ids: Sequence[str], arrived_at: datetime, *, by: str) -> int:
        """Forget rows in quarantine; see Ledger.discard."""
        with self._transaction():
            left = self.quarantined(ids)
            self._leave_quarantine(ids)
            ingest = self._next_ingest()
            for table, count in sorted(Counter(left["table"].to_pylist()).items()):
                self._note_ingest(ingest, table, "discard", arrived_at)
                self._note_write(arrived_at, by, "discard", table, None, count)
        return left.num_rows

    # persons ------------------------------------------------------------------------------------

    @property
    def _hands(self) -> Hands:
        return Hands(self._rows, self._run, self._arrow, self._registered)

    def plain_customers(self) -> Sequence[str]:
        """Customers that no token stands for; see Ledger.plain_customers."""
        return customers_in_rows.plain_customers(self._hands)

    def customer_tokens(self, since: datetime | None = None) -> Collection[str]:
        """Every token of a customer; see Ledger.customer_tokens."""
        held = self._hands
        return customers_in_rows.held_tokens(held) if since is None else customers_in_rows.tokens_since(held, since)

    def line_keys(self) -> Sequence[str]:
        """Every key of an order line; see Ledger.line_keys."""
        return line_keys(self._hands)

    def hash_customers(self, tokens: Mapping[str, str], keys: Mapping[str, str], at: datetime, *, by: str) -> int:
        """Put tokens in place of customers; see Ledger.hash_customers."""
        with self._transaction():
            count = customers_in_rows.hash_customers(self._hands, tokens, keys)
            note_rewrite_due(self._hands)
            self._note_write(at, by, "hash_customers", "customers", None, count)
        self._forget()
        return count

    def of_person(self, tokens: Sequence[str]) -> Mapping[str, pa.Table]:
        """All that is held about somebody; see Ledger.of_person."""
        return customers_in_rows.of_person(self._hands, tokens)

    def note_person(self, rows: int, at: datetime, why: str, *, by: str) -> None:
        """Note that somebody's rows were looked up; see Ledger.note_person."""
        with self._transaction():
            self._note_write(at, by, "person", "customers", why or None, rows)

    def forget_person(
        self, tokens: Sequence[str], quotes: Sequence[str], at: datetime, why: str, *, by: str
    ) -> Mapping[str, int]:
        """Take somebody out of every version of every row; see Ledger.forget_person."""
        with self._transaction():
            counts = customers_in_rows.forget(self._hands, tokens, quotes)
            note_rewrite_due(self._hands)
            for table, count in counts.items():
                self._note_write(at, by, "forget", table, why or None, count)
        self._forget()
        return counts

    def rewrite(self) -> None:
        """Write the file anew; see Ledger.rewrite."""
        if str(self.path).startswith(":memory:"):
            return
        file = self.path.resolve()  # beside the file itself, where the path is a link to it
        fresh = file.with_name(f"{file.name}.{os.getpid()}.new")
        _clear(fresh)
        try:
            ((own,),) = self._rows("SELECT current_database()")
            self._run(f"ATTACH '{str(fresh).replace(chr(39), chr(39) * 2)}' AS written_anew")
            try:
                self._run(f"COPY FROM DATABASE {quoted(own)} TO written_anew")
                self._run(f"DELETE FROM written_anew.{REWRITE_DUE}")
                self._run("CHECKPOINT written_anew")
            finally:
                self._run("DETACH written_anew")
            with translated(self.path):
                self._held.replaced_by(fresh, connect_to)
        finally:
            _clear(fresh)
        self._forget()

    # runs ---------------------------------------------------------------------------------------

    def save_run(self, run: RunRecord, at: datetime, *, by: str) -> None:
        """Keep a run; see Ledger.save_run."""
        self._runs_read = None
        with self._transaction():
            self._note_write(at, by, "run", run.run, None, 1)
            ((saved,),) = self._rows("SELECT coalesce(max(saved), 0) + 1 FROM runs")
            ingest = self._next_ingest() - 1 if run.write is None else run.write
            settings = self._settings_text()
            here = [run.run, self._branch]
            if self._rows("SELECT 1 FROM runs WHERE run = ? AND branch = ?", here):
                self._run(
                    "UPDATE runs SET saved = ?, ingest = ?, settings = ? WHERE run = ? AND branch = ?",
                    [saved, ingest, settings, *here],
                )
                return
            elsewhere = bool(self._rows("SELECT 1 FROM runs WHERE run = ?", [run.run]))
            self._run(
                "INSERT INTO runs (run, branch, as_of, seed, saved, ingest, settings) VALUES (?, ?, ?, ?, ?, ?, ?)",
                [*here, run.as_of, run.seed, saved, ingest, settings],
            )
            if not elsewhere:
                self._keep_tables(run)

    def _keep_tables(self, run: RunRecord) -> None:
        """A statement for each takes longer than a small table; all of them at once are large."""
        names: list[str] = []
        kept: list[pa.Buffer] = []
        for name, table in run.tables.items():
            names.append(name)
            kept.append(arrow_buffer(table))
            if sum(own.size for own in kept) > _RUN_BYTES:
                self._insert_tables(run.run, names, kept)
                names, kept = [], []
        if names:
            self._insert_tables(run.run, names, kept)

    def _insert_tables(self, run: str, names: Sequence[str], kept: Sequence[pa.Buffer]) -> None:
        own = [_one_value(buffer) for buffer in kept]
        rows = pa.table({"name": names, "arrow": pa.chunked_array(own, pa.large_binary())})
        with self._registered("kept_arrow", rows):
            self._run("INSERT INTO run_tables (run, name, arrow) SELECT ?, name, arrow FROM kept_arrow", [run])

    def runs(self, as_of: datetime | None = None) -> pa.Table:
        """Kept runs, oldest first; see Ledger.runs."""
        self._look()
        if self._runs_read is None:
            self._runs_read = self._arrow(
                "SELECT run, as_of, seed, saved, NULL::VARCHAR AS branch FROM runs"
                " WHERE branch = 0 ORDER BY as_of, saved"
            )
        every = self._runs_read
        return (
            every
            if as_of is None
            else every.filter(pc.less_equal(every["as_of"], pa.scalar(as_of, every["as_of"].type)))
        )

    def run_inputs(self, run: str, names: Collection[str] | None = None) -> RunInputs:
        """What went into a run that was kept here; see Ledger.run_inputs."""
        found = self._rows("SELECT as_of, ingest, settings FROM runs WHERE run = ? AND branch = ?", [run, self._branch])
        if not found:
            raise NotFound(message("store.no_run", run=run))
        ((as_of, ingest, settings),) = found
        with self._held.still():
            last = self._next_ingest() - 1
            state = self._state(as_of, last if ingest is None else ingest, names)
        current = ingest == last and settings == self._settings_text()
        return RunInputs(state, None if settings is None else json.loads(settings), current)

    def _settings_text(self) -> str:
        return json.dumps(asdict(self.settings), default=str, sort_keys=True)

    def run_tables(self, run: str, names: Collection[str] | None = None) -> Mapping[str, pa.Table]:
        """Result tables of a kept run; see Ledger.run_tables."""
        some = "" if names is None else f" AND name IN ({', '.join('?' * len(names)) or 'NULL'})"
        kept = self._rows(
            f"SELECT name, arrow FROM run_tables WHERE run = ?{some} ORDER BY name", [run, *(names or ())]
        )
        return {name: _arrow_read(content) for name, content in kept}

    def run_table(self, run: str, name: str) -> pa.Table:
        """One result table of a kept run. Raises NotFound."""
        found = self.run_tables(run, (name,))
        if not found:
            names = [n for (n,) in self._rows("SELECT name FROM run_tables WHERE run = ? ORDER BY name", [run])]
            if not names:
                raise NotFound(message("store.no_run", run=run))
            raise NotFound(message("store.no_run_table", run=run, name=name, names=", ".join(names)))
        return found[name]

    # what was worked out ------------------------------------------------------------------------

    def worked_out(self) -> Mapping[str, Kept]:
        """What was worked out of rows before; see Ledger.worked_out."""
        rows = self._rows("SELECT digest, local_day, content FROM worked_out ORDER BY digest")
        return {digest: Kept(day, bytes(content)) for digest, day, content in rows}

    def keep_worked_out(self, used: Mapping[str, Kept]) -> None:
        """Keep these, and these alone; see Ledger.keep_worked_out."""
        there = {digest for (digest,) in self._rows("SELECT digest FROM worked_out")}
        gone, new = sorted(there - used.keys()), sorted(used.keys() - there)
        if not gone and not new:
            return
        rows = pa.table(
            {
                "digest": pa.array(new, pa.string()),
                "local_day": pa.array([used[one].day for one in new], pa.int64()),
                "content": pa.array([used[one].content for one in new], pa.large_binary()),
            }
        )
        with self._transaction():
            self._run("DELETE FROM worked_out WHERE digest IN (SELECT unnest(?::VARCHAR[]))", [gone])
            with self._registered("kept_arrow", rows):
                self._run("INSERT INTO worked_out (digest, local_day, content) SELECT * FROM kept_arrow")

    # DuckDB -------------------------------------------------------------------------------------

    @contextmanager
    def together(self) -> Generator[None]:
        """All writes within it are one transaction; see Ledger.together."""
        with self._transaction():
            outer, self._whole = self._whole, True
            try:
                yield
            finally:
                self._whole = outer

    @contextmanager
    def _transaction(self) -> Generator[None]:
        if self._whole:
            yield
            return
        self._run("BEGIN")
        try:
            yield
            self._run("COMMIT")
        except BaseException:
            self._forget()
            with suppress(duckdb.Error):  # the first error tells more
                self._held.execute("ROLLBACK", ())
            raise

    def look(self) -> int:
        with translated(self.path):
            self._look()
        return self._epoch

    def is_held(self) -> bool:
        return self._held.is_held()

    def _look(self) -> None:
        """Forget what is remembered where somebody else has written. Refused in words where the ledger may not be used,
        also where it need not be asked."""
        self._held.look()
        if self._epoch != self._held.epoch:
            self._forget()

    def _forget(self) -> None:
        """What is remembered of the file may not be so any more."""
        self._epoch = self._held.epoch
        self._latest_known = self._latest_arrived = self._last_of = self._runs_read = None
        self._seen, self._revised_at, self._known_last = {}, {}, {}

    @contextmanager
    def _registered(self, name: str, table: pa.Table | pa.RecordBatchReader) -> Generator[None]:
        """An Arrow table, or a stream to be read once, under a name in SQL."""
        self._connection.register(name, table)
        try:
            yield
        finally:
            with suppress(duckdb.Error):  # a transaction that failed takes the name away itself
                self._connection.unregister(name)

    def _run(self, sql: str, params: Sequence[Any] = ()) -> None:
        with translated(self.path):
            self._held.execute(sql, params)

    def _rows(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with translated(self.path):
            return self._held.execute(sql, params).fetchall()

    def _arrow(self, sql: str, params: Sequence[Any] = ()) -> pa.Table:
        with translated(self.path):
            return self._held.relation(sql, params).to_arrow_table()


class _Incoming:
    """Checked rows as a stream that DuckDB reads; rejected rows go aside on the way.

    rows: how many have come. only: the first batch, where there is no other. error: what broke in Python while DuckDB
    was reading.
    """

    def __init__(
        self,
        table: Table,
        checked: CheckedRows,
        settings: ChainSettings,
        arrived_at: datetime,
        bad: "Spill",
        now: datetime | None = None,
    ) -> None:
        self.rows = 0
        self.error: BaseException | None = None
        self._checked, self._bad = checked, bad

        def batches() -> Iterator[pa.RecordBatch]:
            for part in checked.batches():
                bad.add(part.rejected)
                yield incoming_rows(table, part.rows, self.rows, settings, arrived_at, now)
                self.rows += part.rows.num_rows

        coming = batches()
        begun = [next(coming), *islice(coming, 1)]
        self.only = begun[0] if len(begun) == 1 else None

        def kept() -> Iterator[pa.RecordBatch]:
            try:
                yield from begun
                yield from coming
            except BaseException as error:
                self.error = error
                raise

        self.reader = pa.RecordBatchReader.from_batches(begun[0].schema, kept())

    def take_out_repeated(self) -> pa.Table:
        """Put aside the rows that an earlier row of the source rules out, once all have come. Returns them."""
        repeated_rows = self._checked.repeated()
        self._bad.add(repeated_rows)
        return repeated_rows


class Spill:
    """Rows put aside for later: in memory while they are few, else in a temporary file."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._file = SpooledTemporaryFile(_SPILL_BYTES)  # noqa: SIM115
        self._writer = pa.ipc.new_stream(pa.PythonFile(self._file, "w"), schema)
        self.rows = 0

    def __enter__(self) -> "Spill":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, rows: pa.Table) -> None:
        if rows.num_rows:
            self._writer.write_table(rows.select(self._schema.names).cast(self._schema))
            self.rows += rows.num_rows

    def reader(self) -> pa.RecordBatchReader:
        """All of them, from the start."""
        if not self.rows:
            return self._schema.empty_table().to_reader()
        self._file.seek(0)
        return pa.ipc.open_stream(pa.PythonFile(self._file, "r"))


def _with_keys_of_their_own(rows: pa.RecordBatch) -> bool:
    return pc.all(rows["_keyed"], min_count=0).as_py() and pc.count_distinct(rows["row_id"]).as_py() == rows.num_rows


def _held_from(table: Table) -> str:
    """SQL of the ids of rows that came from a source and were not withdrawn."""
    return (
        f"SELECT row_id FROM {chain_table(table)} LEFT JOIN ingests ON ingest = _ingest GROUP BY row_id"
        " HAVING bool_or(source = ?) AND NOT arg_max(_withdrawn, (known_at, _version))"
    )


def _is_in_file(table: Table, rows: pa.Table) -> bool:
    """Whether the rows of a table were put into a file."""
    return table.kind == "event" and is_large(rows)


def _own_columns(table: Table) -> str:
    """row_id and the table's columns, with an assumed known_at named in `assumed`."""
    assumed = "nullif(concat_ws(',', nullif(assumed, ''), CASE WHEN _known_at_assumed THEN 'known_at' END), '')"
    columns = [f"{assumed} AS assumed" if name == "assumed" else quoted(name) for name in table.columns]
    return ", ".join(["row_id", *columns])


def _one_value(content: pa.Buffer) -> pa.Array:
    """An array of one binary value, without a copy of it."""
    ends = pa.array([0, content.size], pa.int64()).buffers()[1]
    return pa.Array.from_buffers(pa.large_binary(), 1, [None, ends, content])


def _arrow_read(content: bytes) -> pa.Table:
    with pa.ipc.open_stream(content) as reader:
        return reader.read_all()


def _conflict(source: str, row: int | None, row_id: str, rows_affected: int) -> Finding:
    return finding(
        "error",
        "store.same_id_other_content",
        source,
        row=row,
        column="known_at",
        rows_affected=rows_affected,
        row_id=row_id,
    )


def _shown_cell(value: Any, settings: ChainSettings) -> str:
    """A cell as it may stand in a file; of an empty one, that it is."""
    if value is None:
        return "–"
    return f"{value:.12g}" if isinstance(value, float) else _source_text(value, False, settings)


def _source_text(value: Any, day_only: bool, settings: ChainSettings) -> str:
    if isinstance(value, datetime):
        return settings.calendar.local_date(value).isoformat() if day_only else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
