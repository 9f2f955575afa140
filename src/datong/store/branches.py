"""Branches (what-ifs) in a DuckDB ledger: what ledger/protocol.py promises under Branches.

A branch's rows lie in the schema `branch`, in one table for each chain table that some branch changed, with the
columns of that table and `_branch`. What a branch sees of a table is its parent's last versions as of the branch's
moment, without those of which it has a version of its own, and its own; the parent may be a branch itself.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pyarrow as pa

from datong.ledger.protocol import TRUNK, Branch, IngestReport, branch_name
from datong.ledger.row_checks import CheckedRows
from datong.ledger.state import in_state_schema
from datong.model.errors import NotFound, Refused
from datong.model.tables import Table, tables
from datong.model.words import message
from datong.store.duckdb_ledger import _QUARANTINE_ID, DuckDBLedger, Judged, Spill, _Incoming, _own_columns
from datong.store.migrations import branch_table, create_branch_table, quoted
from datong.store.take_in_sql import lacks_key, moment_sql, named_by, numbered, valid_from

_NAME = re.compile(r"\w[\w .+-]{0,59}")
# What a run is called, so that a name says which of the two it is.
_RUN = re.compile(r"R\d{8}-[0-9a-f]{8}")
_END_OF_TIME = datetime(9000, 1, 1, tzinfo=UTC)
_EVERY_INGEST = 2**63 - 1


class _Record(NamedTuple):
    """A row of `branches`. parent: 0 for the trunk. parent_ingest: the parent's last ingest when it was made."""

    branch: int
    name: str
    parent: int
    parent_ingest: int
    moment: datetime
    made_at: datetime
    note: str


class DuckDBBranches:
    """The Branches of a trunk's ledger (see ledger/protocol.py)."""

    def __init__(self, trunk: DuckDBLedger) -> None:
        self._trunk = trunk

    def all(self) -> tuple[Branch, ...]:
        """Every branch, parents before children; see Branches.all."""
        records = self._records()
        names = {record.branch: record.name for record in records}
        changed: dict[int, dict[str, int]] = {record.branch: {} for record in records}
        for table in _changed_tables(self._trunk):
            counts = f"SELECT _branch, count(DISTINCT row_id) FROM {branch_table(table)} GROUP BY ALL"
            for number, count in self._trunk._rows(counts):
                changed[number][table.name] = count
        last = dict(self._trunk._rows("SELECT branch, arg_max(run, saved) FROM runs GROUP BY branch"))
        return tuple(
            Branch(
                r.name,
                names.get(r.parent),
                r.moment.astimezone(UTC),
                r.made_at.astimezone(UTC),
                r.note,
                changed[r.branch],
                last.get(r.branch),
                r.parent_ingest,
            )
            for r in records
        )

    def on(self, name: str) -> "BranchLedger":
        """The ledger as a branch has it; see Branches.on."""
        records = self._records()
        return self._on(self._named(name, records), records)

    def make(self, name: str, parent: str | None, moment: datetime, made_at: datetime, note: str, *, by: str) -> None:
        """Make a branch; see Branches.make."""
        with self._trunk._transaction():
            records = self._records()
            name = _free_name(name, records)
            below = self._trunk if parent is None else self._on(self._named(parent, records), records)
            if isinstance(below, BranchLedger) and moment < below.moment:
                local = self._trunk.settings.calendar.local_text(below.moment)
                raise Refused(message("branch.before_parent", parent=parent, moment=local))
            number = max((record.branch for record in records), default=0) + 1
            self._trunk._run(
                "INSERT INTO branches (branch, name, parent, parent_ingest, moment, made_at, note)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                [number, name, below._branch, below._next_ingest() - 1, moment, made_at, note],
            )
            self._trunk._note_write(made_at, by, "make_branch", name, None, 1)

    def rename(self, name: str, new_name: str, at: datetime, *, by: str) -> None:
        """Give a branch another name; see Branches.rename."""
        with self._trunk._transaction():
            records = self._records()
            number = self._named(name, records).branch
            others = [record for record in records if record.branch != number]
            free = _free_name(new_name, others)
            self._trunk._run("UPDATE branches SET name = ? WHERE branch = ?", [free, number])
            self._trunk._note_write(at, by, "rename_branch", name, free, 1)

    def drop(self, name: str, at: datetime, *, by: str) -> None:
        """Delete a branch; see Branches.drop."""
        with self._trunk._transaction():
            records = self._records()
            number = self._named(name, records).branch
            children = [record.name for record in records if record.parent == number]
            if children:
                raise Refused(message("branch.has_children", name=name, children=", ".join(children)))
            for table in _changed_tables(self._trunk):
                self._trunk._run(f"DELETE FROM {branch_table(table)} WHERE _branch = ?", [number])
            for table in ("branch_ingests", "branch_quarantine", "runs", "branches"):
                self._trunk._run(f"DELETE FROM {table} WHERE branch = ?", [number])
            self._trunk._run("DELETE FROM run_tables WHERE run NOT IN (SELECT run FROM runs)")
            self._trunk._note_write(at, by, "drop_branch", name, None, 1)

    def _records(self) -> list[_Record]:
        rows = self._trunk._rows(f"SELECT {', '.join(_Record._fields)} FROM branches ORDER BY branch")
        return [_Record(*row) for row in rows]

    def _named(self, name: str, records: Sequence[_Record]) -> _Record:
        for record in records:
            if record.name == branch_name(name):
                return record
        raise NotFound(message("branch.unknown", name=name, branches=", ".join([TRUNK, *(r.name for r in records)])))

    def _on(self, record: _Record, records: Sequence[_Record]) -> "BranchLedger":
        parents = {r.branch: r for r in records}
        below = self._on(parents[record.parent], records) if record.parent else self._trunk
        return BranchLedger(below, record)


def _free_name(name: str, others: Sequence[_Record]) -> str:
    """A name for a branch as it is kept. Raises Refused where it cannot be one or is taken."""
    plain = branch_name(name)
    if plain is None or not _NAME.fullmatch(plain) or _RUN.fullmatch(plain):
        raise Refused(message("branch.bad_name", name=name))
    if any(record.name == plain for record in others):
        raise Refused(message("branch.name_taken", name=plain))
    return plain


def _changed_tables(ledger: DuckDBLedger) -> list[Table]:
    """Chain tables that some branch has changed."""
    found = {n for (n,) in ledger._rows("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'branch'")}
    return [table for table in tables().values() if table.name in found]


class BranchLedger(DuckDBLedger):
    """The Ledger of one branch: its parent's as of a moment, and its own rows over that.

    Reading and taking in go the trunk's ways; what differs is where rows come from and where they go.
    """

    def __init__(self, parent: DuckDBLedger, record: _Record) -> None:
        super().__init__(parent.path, parent.settings, parent._held)
        self.now = parent.now
        self._parent = parent
        self._parent_ingest = record.parent_ingest
        self._branch = record.branch
        self.name = record.name
        self.moment = record.moment.astimezone(UTC)

    # reading ------------------------------------------------------------------------------------

    def _changed_since(self, table: Table, was: datetime, last_ingest: int) -> str:
        """SQL as in DuckDBLedger._changed_since: of its parent's rows, which it sees as of its moment, those too that
        it has a version of."""
        below = self._parent._changed_since(table, was, min(last_ingest, self._parent_ingest))
        if not self._has_own(table):
            return below
        return f"({below} OR row_id IN (SELECT row_id FROM {branch_table(table)} WHERE _branch = {self._branch}))"

    def _latest(self, table: Table, as_of: datetime, last_ingest: int, some: str = "true") -> str:
        """SQL as in DuckDBLedger._latest; rows of a branch also have `_branch`. Before its moment it is its parent."""
        below = self._parent._latest(table, min(as_of, self.moment), self._parent_ingest, some)
        if as_of < self.moment or not self._has_own(table):
            return below
        own = (
            f"SELECT *, {valid_from(table)} AS _from FROM {branch_table(table)} WHERE _branch = {self._branch}"
            f" AND known_at <= {moment_sql(as_of)} AND _ingest <= {last_ingest} AND {some}"
        )
        last = "QUALIFY row_number() OVER (PARTITION BY row_id, _from ORDER BY known_at DESC, _version DESC) = 1"
        # The rows that are covered are found without a window: DuckDB 2.0 has been seen to let some through with one.
        return (
            f"(SELECT * FROM ({own} {last}) UNION ALL BY NAME SELECT below.* FROM {below} AS below ANTI JOIN"
            f" (SELECT DISTINCT row_id, _from FROM ({own})) AS own"
            " ON own.row_id = below.row_id AND own._from = below._from)"
        )

    def _rows_as_of(self, table: Table, as_of: datetime, last_ingest: int) -> pa.Table:
        return self._read_rows(table, as_of, last_ingest)  # another ledger of this branch may have written

    def last_ingests(self) -> Mapping[str, int]:
        """The trunk's; see Ledger.last_ingests."""
        return self._parent.last_ingests()

    def _filled(self, names: Collection[str]) -> frozenset[str]:
        return self._parent._filled(names) | {table.name for table in _changed_tables(self)}

    def _refused(self, as_of: datetime, last_ingest: int) -> list[dict[str, Any]]:
        """Rows that hold products back on the branch: its parent's of which it says nothing, and its own."""
        below = self._parent._refused(min(as_of, self.moment), self._parent_ingest)
        if as_of < self.moment:
            return below
        waiting = [{**row, "ingest": 0} for row in below]  # whatever the branch says came later
        waiting += self._waiting_to_hold("branch_quarantine", f"branch = {self._branch}", last_ingest)
        changed = {table.name for table in _changed_tables(self)}
        left = [row for row in waiting if row["table"] not in changed]
        rows = [row for row in waiting if row["table"] in changed]
        left += self._unsettled(rows, branch_table, f"_branch = {self._branch}", last_ingest)
        return sorted(left, key=lambda row: (row["table"], row["source"], row["row"] or 0))

    def _has_own(self, table: Table) -> bool:
        """Whether the branch has rows of its own in a table."""
        found = self._rows(
            "SELECT 1 FROM duckdb_tables() WHERE schema_name = 'branch' AND table_name = ?", [table.name]
        )
        return bool(found) and bool(
            self._rows(f"SELECT 1 FROM {branch_table(table)} WHERE _branch = ? LIMIT 1", [self._branch])
        )

    def latest_known_at(self) -> datetime:
        """The branch's moment, or the last at which a row of its own became known."""
        moments = [self.moment]
        for table in _changed_tables(self):
            found = self._rows(f"SELECT max(known_at) FROM {branch_table(table)} WHERE _branch = ?", [self._branch])
            moments += [moment.astimezone(UTC) for (moment,) in found if moment is not None]
        return max(moments)

    def latest_arrival(self) -> datetime | None:
        return self._parent.latest_arrival()

    def rows(self, table: str, row_ids: Sequence[str]) -> pa.Table:
        """Rows by id as the branch has them; see Ledger.rows."""
        spec = tables()[table]
        latest = self._latest(spec, _END_OF_TIME, _EVERY_INGEST)
        these, ids = named_by(spec, row_ids)
        # Where neither it nor its parents changed the table, nothing names a branch yet.
        named = f"(SELECT * FROM {latest} UNION ALL BY NAME SELECT NULL::BIGINT AS _branch WHERE false)"
        found = self._arrow(
            f"SELECT {_own_columns(spec)}, coalesce(own.source, i.source) AS source, _source_row AS source_row"
            f" FROM (SELECT * FROM {named} WHERE {these} AND NOT _withdrawn"
            "   QUALIFY row_number() OVER (PARTITION BY row_id ORDER BY _from DESC) = 1)"
            " LEFT JOIN ingests AS i ON _branch IS NULL AND i.ingest = _ingest"
            " LEFT JOIN branch_ingests AS own ON own.branch = _branch AND own.ingest = _ingest ORDER BY row_id",
            ids,
        )
        state_rows = in_state_schema(table, found)
        for name in ("source", "source_row"):
            state_rows = state_rows.append_column(name, found[name])
        return state_rows

    def vanished(self, report: IngestReport, named: Callable[[], CheckedRows]) -> Sequence[str]:
        """Nothing: a file for a branch holds what differs there, and the folder's own tables belong to the trunk."""
        return ()

    # taking in ----------------------------------------------------------------------------------

    def _is_new(self, table: Table) -> bool:
        return False  # what its parent has is there before

    def _stage(self, table: Table, incoming: _Incoming, every: bool = True) -> int:
        """Put every good row into `staged`: what the trunk knows may be news here."""
        return super()._stage(table, incoming, every=True)

    def _judge(self, table: Table, ingest: int, arrived_at: datetime, source: str, whole: bool) -> Judged:
        """Add what differs from what the branch holds: new facts, new versions, and rows in conflict (_n, row_id).

        Only rows of one source that contradict one another for the same moment are in conflict.
        """
        self._run(create_branch_table(table))
        ((unkeyed,),) = self._rows(lacks_key())
        if unkeyed:
            own = f"SELECT * EXCLUDE (_branch) FROM {branch_table(table)} WHERE _branch = {self._branch}"
            below = self._parent._latest(table, self.moment, self._parent_ingest)
            self._number_equal(table, f"(SELECT * FROM {below} UNION ALL BY NAME {own})")
        for statement in numbered(table, unkeyed, some_stored=False):
            self._run(statement)
        below = self._parent._latest(table, self.moment, self._parent_ingest)
        self._run(_verdicts(table, self._branch, below, arrived_at))
        self._run(_insertion(table, self._branch, ingest))
        ((added, later),) = self._rows(
            "SELECT count(*) FILTER (verdict = 'new'), count(*) FILTER (verdict = 'other') FROM verdicts"
        )
        conflicts = self._arrow("SELECT _n, row_id FROM verdicts WHERE verdict = 'conflict' ORDER BY _n")
        return Judged(added, later, conflicts)

    def withdraw(self, table: str, row_ids: Sequence[str], known_at: datetime, *, by: str) -> int:
        """Say that rows do not hold on this branch; see Ledger.withdraw. They hold on its parent as before."""
        spec = tables()[table]
        known_at = max(known_at, self.moment)
        these, ids = named_by(spec, row_ids)
        own = ", ".join(quoted(name) for name in spec.columns if name != "known_at")
        with self._transaction():
            self._run(create_branch_table(spec))
            ingest = self._next_ingest()
            self._run(
                "CREATE OR REPLACE TEMP TABLE leaving AS SELECT *"
                f" FROM {self._latest(spec, known_at, _EVERY_INGEST)} AS r"
                f" LEFT JOIN {_last_versions(spec, self._branch)} AS l USING (row_id, _from)"
                f" WHERE {these} AND NOT _withdrawn",
                ids,
            )
            ((count,),) = self._rows("SELECT count(DISTINCT row_id) FROM leaving")
            if count:
                self._run(
                    f"INSERT INTO {branch_table(spec)} (_branch, row_id, _content, _version, _known_at_assumed,"
                    f" _withdrawn, _ingest, _source_row, known_at, {own})"
                    f" SELECT {self._branch}, row_id, _content, coalesce(_last, 0) + 1, false, true, {ingest},"
                    f" _source_row, {moment_sql(known_at)}, {own} FROM leaving ORDER BY row_id, _from"
                )
                self._note_ingest(ingest, table, "withdraw", known_at)
                self._note_write(known_at, by, "withdraw", table, None, count)
            self._run("DROP TABLE temp.leaving")
        return count

    def _next_ingest(self) -> int:
        ((last,),) = self._rows("SELECT coalesce(max(ingest), 0) FROM branch_ingests WHERE branch = ?", [self._branch])
        return last + 1

    def _note_ingest(self, ingest: int, table: str, source: str, arrived_at: datetime) -> None:
        self._run(
            "INSERT INTO branch_ingests (branch, ingest, table_name, source, arrived_at) VALUES (?, ?, ?, ?, ?)",
            [self._branch, ingest, table, source, arrived_at],
        )

    # quarantine ---------------------------------------------------------------------------------

    def waiting(self) -> pa.Table:
        """Which rows are in the branch's quarantine; see Ledger.waiting."""
        return self._arrow(
            'SELECT quarantine_id, table_name AS "table", source, "row" FROM branch_quarantine WHERE branch = ?'
            ' ORDER BY arrived_at, source, "row", quarantine_id',
            [self._branch],
        )

    def quarantined(self, ids: Sequence[str] | None = None) -> pa.Table:
        """Rows that could not go in on this branch, oldest first; see Ledger.quarantined."""
        these = "" if ids is None else "AND quarantine_id IN (SELECT unnest(?))"
        return self._arrow(
            'SELECT quarantine_id, table_name AS "table", source, "row", raw, findings, arrived_at'
            f' FROM branch_quarantine WHERE branch = ? {these} ORDER BY arrived_at, source, "row", quarantine_id',
            [self._branch] if ids is None else [self._branch, list(ids)],
        )

    def _leave_quarantine(self, quarantine_ids: Sequence[str]) -> None:
        self._run(
            "DELETE FROM branch_quarantine WHERE branch = ? AND quarantine_id IN (SELECT unnest(?))",
            [self._branch, list(quarantine_ids)],
        )

    def _drop_mended(self, table: str, source: str, bad: Spill) -> int:
        with self._registered("bad_arrow", bad.reader()):
            ((count,),) = self._rows(
                "DELETE FROM branch_quarantine WHERE branch = ? AND table_name = ? AND source = ?"
                f" AND quarantine_id NOT IN (SELECT {_QUARANTINE_ID} FROM bad_arrow)",
                [self._branch, table, source, table, source],
            )
        return count

    def _put_in_quarantine(self, table: str, source: str, bad: Spill, arrived_at: datetime, ingest: int) -> int:
        if not bad.rows:
            return 0
        with self._registered("bad_arrow", bad.reader()):
            ((fresh,),) = self._rows(
                'INSERT INTO branch_quarantine (branch, quarantine_id, table_name, source, "row", raw, findings,'
                " arrived_at, ingest) SELECT DISTINCT ON (id) ?, id, ?, ?, __row__, raw, findings, ?, ? FROM ("
                f"   SELECT *, {_QUARANTINE_ID} AS id FROM bad_arrow)"
                " WHERE id NOT IN (SELECT quarantine_id FROM branch_quarantine WHERE branch = ?) ORDER BY id",
                [self._branch, table, source, arrived_at, ingest, table, source, self._branch],
            )
        return fresh

    # runs ---------------------------------------------------------------------------------------

    def runs(self, as_of: datetime | None = None) -> pa.Table:
        """The branch's own runs, and its parent's up to its moment; see Ledger.runs."""
        until = "" if as_of is None else f"AND as_of <= {moment_sql(as_of)}"
        own = self._arrow(
            f"SELECT run, as_of, seed, saved, ? AS branch FROM runs WHERE branch = ? {until} ORDER BY as_of, saved",
            [self.name, self._branch],
        )
        below = self._parent.runs(self.moment if as_of is None else min(as_of, self.moment))
        rows: list[dict[str, Any]] = [*below.to_pylist(), *own.to_pylist()]
        rows.sort(key=lambda row: row["as_of"])  # stable: of one moment the own come last
        return pa.Table.from_pylist(rows, schema=own.schema)


def _last_versions(table: Table, branch: int) -> str:
    """SQL of a branch's last version number of each fact and `_from`."""
    return (
        f"(SELECT row_id, {valid_from(table)} AS _from, max(_version) AS _last FROM {branch_table(table)}"
        f" WHERE _branch = {branch} GROUP BY ALL)"
    )


def _verdicts(table: Table, branch: int, below: str, arrived_at: datetime) -> str:
    """What each row of `incoming` is to what the branch holds, with `k` = when it is known: 'known' where it says the
    same as what holds there at k, 'other' where it says something else, 'new' where nothing is there, 'conflict'.

    below: SQL of the parent's last versions, which hold until the branch has its own. A row that does not say when it
    was known is known from `arrived_at` on.
    """
    concerned = "row_id IN (SELECT row_id FROM incoming)"
    return f"""
        CREATE OR REPLACE TEMP TABLE verdicts AS
        WITH at_one_moment AS (
            SELECT _n, row_id, _from, _content, coalesce(known_at, {moment_sql(arrived_at)}) AS k,
                row_number() OVER (PARTITION BY row_id, _from, k ORDER BY _n) AS place,
                first_value(_content) OVER (PARTITION BY row_id, _from, k ORDER BY _n) AS first_content
            FROM incoming
        ), in_line AS (
            SELECT row_id, _from, '-infinity'::TIMESTAMPTZ AS k, 0 AS turn, 0 AS version, NULL AS _n,
                CASE WHEN NOT _withdrawn THEN _content END AS says
            FROM {below} WHERE {concerned}
            UNION ALL
            SELECT row_id, {valid_from(table)}, known_at, 1, _version, NULL, CASE WHEN NOT _withdrawn THEN _content END
            FROM {branch_table(table)} WHERE _branch = {branch} AND {concerned}
            UNION ALL
            SELECT row_id, _from, k, 2, 0, _n, _content FROM at_one_moment WHERE place = 1
        ), after AS (
            SELECT *, lag(says) OVER there AS before, row_number() OVER there > 1 AS something
            FROM in_line WINDOW there AS (PARTITION BY row_id, _from ORDER BY k, turn, version)
        )
        SELECT _n, row_id, k,
            CASE WHEN before = says THEN 'known' WHEN something THEN 'other' ELSE 'new' END AS verdict
        FROM after WHERE turn = 2
        UNION ALL
        SELECT _n, row_id, k, CASE WHEN _content = first_content THEN 'known' ELSE 'conflict' END
        FROM at_one_moment WHERE place > 1
    """


def _insertion(table: Table, branch: int, ingest: int) -> str:
    """Adds the incoming rows that say something new to a branch, in the order in which they became known."""
    own = ", ".join(quoted(name) for name in table.columns if name != "known_at")
    return (
        f"INSERT INTO {branch_table(table)} (_branch, row_id, _content, _version, _known_at_assumed, _withdrawn,"
        f" _ingest, _source_row, known_at, {own})"
        f" SELECT {branch}, incoming.row_id, _content,"
        " coalesce(_last, 0) + row_number() OVER (PARTITION BY incoming.row_id, incoming._from ORDER BY k, _n),"
        f" _known_at_assumed, false, {ingest}, _source_row, k, {own}"
        " FROM incoming JOIN verdicts USING (_n)"
        f" LEFT JOIN {_last_versions(table, branch)} AS l ON l.row_id = incoming.row_id AND l._from = incoming._from"
        " WHERE verdict IN ('new', 'other')"
    )
