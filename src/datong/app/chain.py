"""A chain of one company, opened: its folder, its ledger, and everything one can do with them.

The one place where files, ledger, clock and the pure loop meet. `datong.open(DIR)` gives a Chain.
"""

import copy
import getpass
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from datong.app.changes import Change, NewRow, added_sources, changed_sources, parse_change
from datong.connectors.exports.questions import asked, read_answers, write_answers
from datong.connectors.exports.reading import Reading, read_export
from datong.connectors.files.folder import SourceRows, check_folder, count
from datong.connectors.files.intake import take_in_folder
from datong.connectors.files.mapping import apply_mapping, read_mapping
from datong.connectors.files.read import (
    WORKBOOK_SUFFIXES,
    RawSource,
    Source,
    UnreadableError,
    open_sources,
    whole_source,
)
from datong.connectors.files.settings import read_settings
from datong.learn.memory import learnt_by
from datong.ledger.limits import beyond_limits, refuse_too_large
from datong.ledger.protocol import END_OF_TIME, TRUNK, Branch, Branches, IngestReport, Ledger, RunRecord, branch_name
from datong.ledger.state import State
from datong.ledger.units import UNITS, Conversions
from datong.ledger.validate import ROW, gathered, last_recorded_day
from datong.model.errors import BadInput, NotFound, Refused
from datong.model.findings import Finding, finding, has_errors
from datong.model.flow import SCORES_SCHEMA, Learnt
from datong.model.settings import ChainSettings
from datong.model.tables import tables
from datong.model.words import Message, message
from datong.questions.run_result import RunResult
from datong.replay.scenario import STATED, Scenario, as_in, sweep
from datong.store.branches import DuckDBBranches
from datong.store.duckdb_ledger import open_ledger

if TYPE_CHECKING:
    from datong.balance.market import Door
    from datong.balance.solution import OnProgress
    from datong.questions.clear import BalanceResult
    from datong.questions.compare import Comparison, Side
    from datong.questions.quote import QuoteResult
    from datong.questions.replenish import ReplenishResult
    from datong.questions.since import PlanBefore
    from datong.replay.replay import ReplayResult, Sweep

# How like the name of a table the name of a file is that is taken for a slip.
_MISTYPED = 0.85

LEDGER_FILE = Path(".datong") / "ledger.duckdb"


# What of a kept run later ones learn from.
LEARNT_FROM = ("forecast", "adjustments", "learnt_used", "learnt")
# What of a kept run its successor is held against.
PLAN_TABLES = ("orders", "forecast", "forecast_total", "gaps", "deliveries", "flow", "hours", "money")

# Days between which a plan may be asked for.
FIRST_MOMENT, LAST_MOMENT = date(1970, 1, 1), date(2199, 12, 31)

# More buckets than any history has.
EVERY_BUCKET = 1_000_000

# The clocks of machines differ by so much without anything being wrong.
CLOCK_SLACK = timedelta(seconds=2)
# A record of the day that now ends somewhere on earth is not of the future.
FUTURE_SLACK = timedelta(days=1)

# Rows of the quarantine that are tried again in one go.
RETRIED_AT_ONCE = 50_000

# An error that lists what there is names so many.
NAMED = 10


def utc_now() -> datetime:
    return datetime.now(UTC)


def user_of_this_machine() -> str:
    """Name of the user who runs this; 'unknown' where the machine has none for them, as in some containers."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"


@dataclass(frozen=True)
class Taken:
    """What became of a file: a report for each table it fed, and every finding. reading: of a sales export."""

    reports: tuple[IngestReport, ...]
    findings: tuple[Finding, ...]
    reading: Reading | None = None


class Chain:
    """An open chain: its folder, its ledger and everything one can do with them. `datong.open(DIR)` gives one.

    Use it in a `with` block, or close it: while it is open, no other process can open it.

    run, balance, quote, replenish, replay, why: what to do, for what price, what it would have been worth, and why.
    ingest, retry_quarantine: rows in. state, kept_run, evidence: look things up. findings, unheeded, ingested: what
    opening found and took in.
    branch, on, change, add, compare: what-ifs. branch_name: the branch that this is a view of; None: the trunk.
    """

    branch_name: str | None = None

    def __init__(
        self,
        folder: Path,
        now: Callable[[], datetime] = utc_now,
        on_rows: Callable[[str, int], None] = lambda _table, _rows: None,
        by: str | None = None,
    ) -> None:
        """on_rows: told, while tables are taken in, the table and how many rows of it have come so far. by: who writes
        (None: the user of this machine), as the ledger notes with each write.

        Raises BadInput where the settings cannot be read or one of them is wrong: nothing is taken in by a default.
        """
        self.folder = folder
        self._now = now
        self.by: str = user_of_this_machine() if by is None else by
        settings, wrong = read_settings(folder) if folder.is_dir() else (None, [])
        if settings is None:
            findings = check_folder(folder, count, keep_rejected=False).findings
            raise BadInput(message("app.cannot_open", folder=str(folder)), findings)
        if has_errors(wrong):
            raise BadInput(message("app.wrong_settings", folder=str(folder)), wrong)
        self.settings: ChainSettings = settings
        trunk = open_ledger(folder / LEDGER_FILE, self.settings)
        self.ledger: Ledger = trunk
        self._trunk: Ledger = trunk
        self._whole: State | None = None
        self._noticed: tuple[State, tuple[Finding, ...]] | None = None
        self._branches: Branches = DuckDBBranches(trunk)
        try:
            taken = take_in_folder(self.ledger, folder, self.clock(), on_rows, now().date(), by=self.by)
            self.unheeded_edits: tuple[Finding, ...] = taken.unheeded
            self.unheeded: tuple[Finding, ...] = (*taken.unheeded, *self.clock_findings())
        except BaseException:
            self.ledger.close()
            raise
        self.ingested: tuple[IngestReport, ...] = taken.reports
        self._folder_findings = taken.findings

    def __enter__(self) -> "Chain":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.ledger.close()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with the folder's tables; rows with an error are in quarantine.

        A table that is missing in the folder but was ingested is not missing. Edits that the ledger did not follow
        are among them.
        """
        missing = {"no_products": ("products",), "no_demand": ("sales", "demand")}
        asked = {name for f in self._folder_findings for name in missing.get(f.code, ())}
        state = self.ledger.state(END_OF_TIME, asked)
        own = (f for f in self._folder_findings if not any(state.table(t).num_rows for t in missing.get(f.code, ())))
        return (*own, *self.unheeded)

    def notices(self, as_of: datetime | None = None) -> tuple[Finding, ...]:
        """What a plan as of a moment (default: as in `run`) leaves out, or takes otherwise than its tables may seem to
        say; empty where nothing is known yet."""
        from datong.network.notices import notices
        from datong.network.position_notices import position_notices

        try:
            state = self.state(as_of)
        except NotFound:
            return ()
        if self._noticed is None or self._noticed[0] is not state:  # a command asks before it plans, and with the plan
            self._noticed = state, (*notices(state), *position_notices(state, self._learnt(state.as_of)))
        return self._noticed[1]

    def clock(self) -> datetime:
        """Now, on the chain's clock.

        A chain of live records has the clock of the world. A chain of declared history stands at the last moment at
        which anything became known: a change made now comes just after it, not years later. A branch stands at its
        moment, or where rows of its own became known later. Where the world's clock has gone back, the chain's stays
        just after the last arrival: what comes later must not seem older.
        """
        latest = self.ledger.latest_known_at()
        if self.branch_name is not None and latest is not None:
            return latest
        if self.settings.history == "live" or latest is None:
            now, arrived = self._now(), self.ledger.latest_arrival()
            return now if arrived is None or now >= arrived else arrived + timedelta(microseconds=1)
        return latest + timedelta(microseconds=1)

    def clock_findings(self, as_of: datetime | None = None) -> list[Finding]:
        """What a clock that went back, or a record of the future, hides or moves. as_of: the moment that was asked for.

        What lies before the start of the plan (the settings' start, or as_of) is its opening, also where the plan is
        made days ahead. A chain of declared history stands at its last record: one that is dated in the future moves
        all of it there, unless a moment is asked for.
        """
        start, calendar = self.settings.start, self.settings.calendar
        if self.settings.history != "live":
            last = self.ledger.latest_known_at()
            if last is None or last - self._now() <= FUTURE_SLACK:
                return []
            if (as_of is not None and last <= as_of) or (start is not None and calendar.local_date(last) <= start):
                return []
            then = self._local(last)
            return [
                finding("warning", "app.in_the_future", str(LEDGER_FILE), then=then, today=self._local(self._now()))
            ]
        found = []
        arrived = self.ledger.latest_arrival()
        if arrived is not None and arrived - self._now() > CLOCK_SLACK:
            then, today = self._local(arrived), self._local(self._now())
            found.append(finding("warning", "app.clock_back", str(LEDGER_FILE), arrived=then, now=today))
        asked = [moment for moment in (as_of, self._start_moment()) if moment is not None]
        now, latest = max([self.clock(), *asked]), self.ledger.latest_known_at()
        if latest is not None and latest > now:
            state = self.ledger.state(END_OF_TIME)
            for name in tables():
                known_at = state.table(name)["known_at"]
                ahead = known_at.filter(pc.greater(known_at, pa.scalar(now, known_at.type)))
                if len(ahead):
                    first = self._local(pc.min(ahead).as_py())
                    found.append(
                        finding(
                            "warning",
                            "app.known_ahead",
                            name,
                            column="known_at",
                            rows_affected=len(ahead),
                            count=len(ahead),
                            first=first,
                        )
                    )
        return found

    def _start_moment(self) -> datetime | None:
        """When the settings' start begins, before which nothing is planned."""
        start = self.settings.start
        return None if start is None else self.settings.calendar.midnight(start)

    def _local(self, moment: datetime) -> str:
        return f"{moment.astimezone(self.settings.calendar.zone):%Y-%m-%d %H:%M:%S}"

    def ingest(
        self,
        file: Path,
        table: str | None = None,
        mapping: Path | None = None,
        on_rows: Callable[[str, int], None] = lambda _table, _rows: None,
        answers: Mapping[str, str] = MappingProxyType({}),
    ) -> "Taken":
        """Take events or facts from a file. Its table is `table`, or the file's or sheet's name, or the mapping says;
        a file that is called like no table is read as a sales export.

        on_rows: told the table and how many rows of it have come so far. answers: to questions about an export, besides
        those that the chain keeps. Raises BadInput where nothing of the file can be used, Asked where an export cannot
        be read without an answer.
        """
        if table is None and mapping is None and not _is_of_tables(file):
            return self._ingest_export(file, answers, on_rows)
        sources, findings = open_sources(file)
        parts: list[tuple[str, Source]] = []
        if mapping is None:
            parts = [(table or Path(source.name).stem, source) for source in sources]
        else:
            rules, problems = read_mapping(mapping)
            findings = [*findings, *problems]
            for source in sources:
                try:
                    mapped, problems = apply_mapping(rules, whole_source(source))
                except UnreadableError as unreadable:
                    findings.append(unreadable.found)
                    continue
                findings = [*findings, *source.findings, *problems]
                parts += [(name, Source(part)) for name, part in mapped]
        if not parts:
            raise BadInput(message("app.cannot_ingest", file=str(file)), findings)
        unknown = [name for name, _ in parts if name not in tables()]
        if unknown:
            raise BadInput(message("app.unknown_table", table=", ".join(unknown), tables=", ".join(tables())), findings)
        return self._take_in(file, parts, findings, on_rows)

    def _ingest_export(self, file: Path, answers: Mapping[str, str], on_rows: Callable[[str, int], None]) -> "Taken":
        """Take a sales export in: its sales and returns, and those of its products that are new. Answers are kept."""
        kept = read_answers(self.folder)
        reading = read_export(file, {**kept, **answers}, self.settings.country)
        if reading.missing:
            raise BadInput(message("app.cannot_ingest", file=str(file)), reading.findings)
        if reading.questions:
            raise asked(reading.questions)
        known = self.ledger.state(END_OF_TIME, ("products",)).table("products")["product"].combine_chunks()
        parts = []
        for name, source in reading.parts:
            rows = source.rows
            if name == "products":
                rows = rows.filter(pc.invert(pc.is_in(rows["product"], known)))
            if rows.num_rows or source.rejected.num_rows:
                parts.append((name, Source(RawSource(file.name, rows, source.rejected))))
        if not parts:
            raise BadInput(message("app.cannot_ingest", file=str(file)), reading.findings)
        taken = self._take_in(file, parts, reading.findings, on_rows)
        write_answers(self.folder, {**kept, **reading.used})
        return replace(taken, reading=reading)

    def _take_in(
        self,
        file: Path,
        parts: Sequence[tuple[str, Source]],
        findings: Sequence[Finding],
        on_rows: Callable[[str, int], None],
    ) -> "Taken":
        """Check the tables of a file and take them in, those first that others refer to."""
        findings = list(findings)
        arrived_at = self.clock()
        order = list(tables())
        reports = []
        for name, source in sorted(parts, key=lambda part: order.index(part[0])):
            rows = self._checked(name, source, lambda count, name=name: on_rows(name, count))
            try:
                reports.append(self.ledger.take_in(name, rows, file.name, arrived_at, by=self.by))
            except UnreadableError as unreadable:
                findings.append(unreadable.found)
        if not reports:
            raise BadInput(message("app.cannot_ingest", file=str(file)), findings)
        ahead = [f for f in self.clock_findings() if f not in self.unheeded]
        findings = [*findings, *(f for report in reports for f in report.findings), *ahead]
        return Taken(tuple(reports), tuple(findings))

    def _checked(self, name: str, source: Source, on_rows: Callable[[int], None] = lambda _rows: None) -> SourceRows:
        """Rows against the rules of their table, and against what the ledger knows of the things they point to."""
        targets = {c.refers_to for c in tables()[name].columns.values() if c.refers_to is not None}
        everything = self.ledger.state(END_OF_TIME, {"products", "unit_conversions", *targets})
        known = {"products": everything.table("products")["product"].combine_chunks()}
        for target in targets:
            if everything.table(target).num_rows:
                known[target] = everything.table(target)[tables()[target].key[0]].combine_chunks()
        conversions = everything.versions("unit_conversions")
        known[UNITS] = Conversions.of(everything.table("products"), conversions).as_array()
        last_day = last_recorded_day(self._now().date(), self.settings)
        return SourceRows(tables()[name], source, self.settings, known, on_rows=on_rows, last_day=last_day)

    def withdraw(self, table: str, row_ids: Sequence[str]) -> int:
        """Say that rows of the ledger do not hold, from now on. Earlier moments still see them. Returns how many.

        row_ids: 'lines:L' with all its versions, or 'lines:L (2026-02-02)' the one that holds from that day on.

        Raises NotFound for ids that the table does not hold.
        """
        if table not in tables():
            raise NotFound(message("app.unknown_table", table=table, tables=", ".join(tables())))
        held = self.ledger.state(END_OF_TIME, (table,)).versions(table)
        days = held["valid_from"].to_pylist() if "valid_from" in held.column_names else [None] * held.num_rows
        ids = held["row_id"].to_pylist()
        known = {*ids, *(f"{row_id} ({day})" for row_id, day in zip(ids, days, strict=True))}
        unknown = [row_id for row_id in row_ids if row_id not in known]
        if unknown:
            raise NotFound(message("app.no_row", table=table, rows=", ".join(unknown)))
        return self.ledger.withdraw(table, row_ids, self.clock(), by=self.by)

    def retry_quarantine(self) -> tuple[IngestReport, ...]:
        """Try quarantined rows again, as they were; what is now right leaves the quarantine in the same transaction.

        One report for each table and source; of many rows so many at a time, each lot in a transaction of its own.
        """
        arrived_at = self.clock()
        reports: dict[tuple[str, str], IngestReport] = {}
        for (table, source), ids in _lots(self.ledger.waiting()):
            held = self.ledger.quarantined(ids).sort_by("row").to_pylist()
            raw = [json.loads(row["raw"]) for row in held]
            names = list(dict.fromkeys(name for row in raw for name in row))
            columns = {name: pa.array([_as_text(row.get(name)) for row in raw], pa.string()) for name in names}
            numbers = pa.array([row["row"] for row in held], pa.int64())
            rows = RawSource(source, pa.table({ROW: numbers, **columns}))
            checked = gathered(self._checked(table, Source(rows, commas_group=False)))
            report = self.ledger.ingest(
                table, checked.rows, checked.rejected, checked.findings, source, arrived_at, retried=ids, by=self.by
            )
            before = reports.get((table, source))
            reports[table, source] = report if before is None else _both(before, report)
        return tuple(reports.values())

    def discard_quarantine(self, ids: Sequence[str]) -> int:
        """Forget rows in quarantine: they hold nothing back any more, and are not tried again. Returns how many. One
        that still stands in a file of the folder comes back with it. Raises NotFound for ids that are not there."""
        unknown = sorted(set(ids) - set(self.ledger.quarantined(ids)["quarantine_id"].to_pylist()))
        if unknown:
            raise NotFound(message("app.not_quarantined", ids=", ".join(unknown)))
        return self.ledger.discard(ids, self.clock(), by=self.by)

    def default_as_of(self) -> datetime:
        """The last moment at which anything became known, but not before the settings' start, nor before that of a plan
        whose orders were given out; of a branch its clock.

        A chain of live records does not look beyond its clock; where nothing became known today, it stands where the
        day began: a plan of Monday is not made for Friday, because nothing came in since.
        """
        latest = self.ledger.latest_known_at()
        if self.branch_name is not None and latest is not None:
            return latest
        moment = default_moment(self.settings, latest, self.clock())
        moment = max((m for m in (moment, self._last_given_out()) if m is not None), default=None)
        if moment is None:
            raise NotFound(message("app.nothing_known", folder=str(self.folder)))
        return moment

    def _last_given_out(self) -> datetime | None:
        """The last moment of a run whose orders were given out: a plan of before would not know what is out."""
        given_out = pc.unique(self.ledger.state(END_OF_TIME, ("orders",)).table("orders")["run"]).to_pylist()
        moments = [row["as_of"] for row in self.ledger.runs().to_pylist() if row["run"] in given_out]
        return max(moments, default=None)

    def state(self, as_of: datetime | None = None, names: Collection[str] | None = None) -> State:
        """The world as known at a moment (default: the last one at which anything became known): a value, good for
        longer than the chain is open. names: the tables of it that are wanted (None: all). A whole one is read once, as
        long as nothing is written: a command asks for it several times."""
        moment = as_of or self.default_as_of()
        if names is not None:
            return self.ledger.state(moment, names)
        now = self.ledger.state(moment, ()).snapshot
        if self._whole is None or (self._whole.as_of, self._whole.snapshot) != (moment, now):
            self._whole = self.ledger.state(moment)
        return self._whole

    def review(self, as_of: datetime | None = None) -> tuple[Finding, ...]:
        """What a planner should know before planning: products that are held back, and where the plan will not be what
        the tables seem to ask for. Empty where nothing is known yet."""
        from datong.network.review import review  # it takes seconds to import, and few commands plan

        try:
            return review(self.state(as_of))
        except NotFound:
            return ()

    def run(
        self,
        as_of: datetime | None = None,
        seed: int | None = None,
        on_stage: Callable[[str], None] = lambda _stage: None,
    ) -> RunResult:
        """One cycle of the loop; the run is kept in the ledger.

        as_of: use only what was known by this moment (with a time zone); default: the last one at which anything became
        known. seed: of the sample paths; default: the settings'. on_stage: called with the name of each stage as it
        starts. The same data, moment and seed give the same tables. Raises BadInput where nothing is wanted yet,
        NoPlan where locked orders cannot run.
        """
        from datong.questions.run import run  # imports every stage, which takes a second, and few commands plan

        state = self.state(as_of)
        self.can_plan(state)
        seed = self.settings.seed if seed is None else seed
        past, before = self.past_runs(state.as_of), self._plan_before(state.as_of)
        left_out = [found for found in self.findings if found.severity == "error"]
        notices = [found for found in self.notices(state.as_of) if found.severity == "warning"]
        record = run(state, past, before, seed, on_stage, left_out, notices, self._proposed(state))
        self.ledger.save_run(record, self._now(), by=self.by)
        return RunResult(record.run, state.as_of, self.settings, record.tables)

    def _proposed(self, state: State) -> list[pa.Table]:
        """Orders of every kept run up to a moment that planned from the same bucket, oldest first; on a branch, of its
        parent's those of earlier moments alone: the two plan the same moment as if the other had not."""
        rows = self.ledger.runs(state.as_of).to_pylist()
        rows = [row for row in rows if row["branch"] == self.branch_name or row["as_of"] < state.as_of]
        bucket = self.settings.first_open_bucket
        return [
            self.ledger.run_table(row["run"], "orders")
            for row in rows
            if bucket(row["as_of"]) == state.first_open_bucket
        ]

    def _plan_before(self, moment: datetime) -> "PlanBefore | None":
        """The last kept run of an earlier moment; never one of the same moment, which the same inputs give again."""
        from datong.questions.since import READ_BEFORE, PlanBefore

        earlier = [row for row in self._runs_by_moment(moment) if row["as_of"] < moment]
        if not earlier:
            return None
        last = earlier[-1]
        inputs = self.on(last["branch"]).ledger.run_inputs(last["run"], READ_BEFORE)
        names = self.ledger.run_table_names(last["run"])
        tables = {name: self.ledger.run_table(last["run"], name) for name in PLAN_TABLES if name in names}
        return PlanBefore(last["run"], last["as_of"], inputs.state, tables)

    def balance(
        self,
        as_of: datetime | None = None,
        seed: int | None = None,
        *,
        door: "Door" = "auto",
        gap: float = 0.01,
        time_limit_s: float | None = None,
        warm: Path | None = None,
        whole: bool = False,
        on_stage: Callable[[str], None] = lambda _stage: None,
        on_progress: "OnProgress | None" = None,
    ) -> "BalanceResult":
        """Clears the market by itself, on `demand` where it is given, else on the forecast; nothing is kept of it.

        door: 'highs' (one linear programme), 'prices' (search of prices) or 'auto'. gap: stop where the certified gap
        is at most this share of the avoidable cost; time_limit_s: or after so many seconds of solving. warm: the --out
        folder of an earlier balance, whose prices are the start, and to whose orders the difference is given. whole:
        lots and whole units, also where the chain states none. on_progress: told of cost and bound while it runs; False
        stops it. Raises BadInput where nothing is wanted yet, NoPlan where a door was stopped before it had any plan,
        NotFound where `warm` holds no balance.
        """
        from datong.app.earlier import read_earlier
        from datong.balance.solution import Limits, never_stop
        from datong.questions.clear import clear

        earlier = None if warm is None else read_earlier(warm)
        seed = self.settings.seed if seed is None else seed
        limits = Limits(gap, time_limit_s)
        watched = never_stop if on_progress is None else on_progress
        state = self.state(as_of)
        self.can_plan(state)
        return clear(
            state,
            self._learnt(state.as_of),
            seed,
            branch=self.branch_name,
            door=door,
            limits=limits,
            earlier=earlier,
            whole=whole,
            on_stage=on_stage,
            on_progress=watched,
        )

    def quote(
        self,
        product: str,
        due: date,
        units: float = 1.0,
        *,
        market: str | None = None,
        earlier: Path | None = None,
        exact: bool = False,
        as_of: datetime | None = None,
        seed: int | None = None,
        door: "Door" = "auto",
        gap: float = 0.01,
        time_limit_s: float | None = None,
        on_progress: "OnProgress | None" = None,
    ) -> "QuoteResult":
        """What an order more would cost at the margin: per unit by every way and start, and when it is at normal price.

        market: default the product's only one, else 'all'. earlier: the --out folder of a balance, whose prices hold
        without clearing again. exact: clears again with the order among the demand and gives the difference in cost.
        Raises NotFound for a product or market that is not there, Refused for a day outside the horizon, and what
        `balance` raises.
        """
        from datong.app.earlier import read_earlier
        from datong.balance.solution import Limits, never_stop
        from datong.questions.quote import Order, quote

        before = None if earlier is None else read_earlier(earlier)
        state = self.state(as_of)
        self.can_plan(state)
        return quote(
            state,
            self._learnt(state.as_of),
            self.settings.seed if seed is None else seed,
            Order(product, units, due, market),
            branch=self.branch_name,
            earlier=before,
            exact=exact,
            door=door,
            limits=Limits(gap, time_limit_s),
            on_progress=never_stop if on_progress is None else on_progress,
        )

    def replenish(
        self,
        as_of: datetime | None = None,
        seed: int | None = None,
        review_buckets: int = 1,
    ) -> "ReplenishResult":
        """What to order or make now of each product that is sold, each by itself, and why: nothing is kept.

        review_buckets: buckets until orders can be placed again. Lead times are what was promised, corrected by what
        became of the orders so far; one that does not come is believed lost. What products share (hours, components,
        offers) is the business of `run` and `balance`. Raises BadInput where nothing is wanted yet.
        """
        from datong.questions.replenish import replenish

        state = self.state(as_of)
        self.can_plan(state)
        seed = self.settings.seed if seed is None else seed
        return replenish(state, self._learnt(state.as_of), seed, review_buckets)

    def _learnt(self, moment: datetime) -> Learnt:
        return learnt_by(self.past_runs(moment))

    def past_runs(self, before: datetime) -> list[RunRecord]:
        """The last kept runs before a moment, oldest first, one of each moment, with what learning needs of them."""
        found = []
        for row in self._runs_by_moment(before):
            if row["as_of"] < before:
                kept = set(self.ledger.run_table_names(row["run"]))
                names = [name for name in LEARNT_FROM if name in kept]
                read = {name: self.ledger.run_table(row["run"], name) for name in names}
                found.append(RunRecord(row["run"], row["as_of"], row["seed"], read))
        return found

    def scores(self, until: datetime) -> pa.Table:
        """Scores of the last kept runs up to a moment, each of what had become known since the run before it."""
        runs = self._runs_by_moment(until)
        return pa.concat_tables(
            [SCORES_SCHEMA.empty_table(), *(self.ledger.run_table(row["run"], "scores") for row in runs)]
        )

    def _runs_by_moment(self, until: datetime) -> list[dict[str, Any]]:
        """Rows of the last PAST_RUNS moments, oldest first; of each moment the run saved last."""
        from datong.learn.scores import PAST_RUNS

        by_moment = {row["as_of"]: row for row in self.ledger.runs(until).to_pylist()}
        return [row for _, row in sorted(by_moment.items())][-PAST_RUNS - 1 :]

    def kept_run(self, run: str | None = None) -> RunResult:
        """A run kept in the ledger; the last one by default. On a branch one made there. Raises NotFound."""
        rows = [row for row in self.ledger.runs().to_pylist() if row["branch"] == self.branch_name]
        if not rows:
            raise NotFound(self._no_run())
        found = [row for row in rows if run in (None, row["run"])]
        if not found:
            raise NotFound(message("app.no_such_run", run=run, runs=", ".join(row["run"] for row in rows)))
        last = max(found, key=lambda row: row["saved"])
        kept = {name: self.ledger.run_table(last["run"], name) for name in self.ledger.run_table_names(last["run"])}
        return RunResult(last["run"], last["as_of"], self.settings, kept)

    def _no_run(self) -> Message:
        if self.branch_name is None:
            return message("app.no_run")
        return message("branch.no_run", branch=self.branch_name)

    def why(self, order: str) -> tuple[str, dict[str, Any], list[dict[str, Any]]]:
        """The last run that proposed an order, the order's row, and its reasons in rank order. Raises NotFound.

        On a branch its own runs come before those of the trunk that it has seen.
        """
        rows = self.ledger.runs().to_pylist()
        if not rows:
            raise NotFound(self._no_run())
        rows.sort(key=lambda row: (row["branch"] != self.branch_name, -row["saved"]))
        given = self.state(names=("orders",)).table("orders").select(["order", "run"]).to_pylist()
        source = {r["order"]: r["run"] for r in given}.get(order)
        rows.sort(key=lambda row: row["run"] != source)  # numbers of other runs may be the same
        for row in rows:
            found = [o for o in self.ledger.run_table(row["run"], "orders").to_pylist() if o["order"] == order]
            if found:
                reasons = self.ledger.run_table(row["run"], "reasons").to_pylist()
                return row["run"], found[0], [r for r in reasons if r["order"] == order]
        proposed = self.ledger.run_table(rows[0]["run"], "orders")["order"].to_pylist()
        some = ", ".join(proposed[:NAMED]) + (" ..." if len(proposed) > NAMED else "")
        raise NotFound(message("app.no_order", order=order, orders=some))

    def evidence(self, run: str, table: str, ids: Sequence[str]) -> pa.Table:
        """The rows behind a reason: rows of the ledger by row_id, or of the run's own prices as 'name|bucket'."""
        if table in tables():
            return self.ledger.rows(table, ids)
        rows = self.ledger.run_table(run, table)
        names = [f"{r['name']}|{r['bucket']}" for r in rows.to_pylist()]
        return rows.filter(pa.array([name in ids for name in names], pa.bool_()))

    def replay(
        self,
        buckets: int | None = 8,
        seed: int | None = None,
        on_step: Callable[[int], None] = lambda _n: None,
        scenario: Scenario = STATED,
    ) -> "ReplayResult":
        """History of the last `buckets` closed buckets (None: all) through the loop, beside what the company did.

        scenario: what to take otherwise than the chain states it. on_step: called with the number of buckets done.
        Raises Refused on a branch: what it changes holds from its moment on, and no bucket has closed since.
        """
        from datong.questions.run import run_record
        from datong.replay.replay import replay

        actual = self._replayable()
        return replay(
            self.ledger.state,
            actual=actual,
            buckets=EVERY_BUCKET if buckets is None else buckets,
            seed=self.settings.seed if seed is None else seed,
            record=run_record,
            on_step=on_step,
            scenario=scenario,
        )

    def replay_sweep(
        self, buckets: int | None = 8, seed: int | None = None, on_scenario: Callable[[int], None] = lambda _n: None
    ) -> "Sweep":
        """The replay under other economics, promises and opening stocks, one thing changed at a time."""
        from datong.questions.run import run_record
        from datong.replay.replay import replay_sweep

        actual = self._replayable()
        return replay_sweep(
            self.ledger.state,
            actual=actual,
            buckets=EVERY_BUCKET if buckets is None else buckets,
            seed=self.settings.seed if seed is None else seed,
            record=run_record,
            scenarios=sweep(self.settings),
            on_scenario=on_scenario,
        )

    def _replayable(self) -> State:
        if self.branch_name is not None:
            raise Refused(message("branch.no_replay", branch=self.branch_name))
        actual = self.state()
        self.can_plan(actual)
        return actual

    def replay_length(self, buckets: int | None, scenario: Scenario = STATED) -> int:
        """How many buckets a replay of so many (None: all) re-lives. Raises Refused as the replay does."""
        from datong.replay.replay import replayed_buckets

        actual = as_in(self._replayable(), scenario)
        return len(replayed_buckets(actual, EVERY_BUCKET if buckets is None else buckets))

    # what-ifs -----------------------------------------------------------------------------------

    def branches(self) -> tuple[Branch, ...]:
        """The chain's branches in the order in which they were made, with their changed rows and last run."""
        return tuple(self._branches.all())

    def on(self, branch: str | None) -> "Chain":
        """The chain as a branch has it ('main' or None: the trunk); what is done there stays there.

        It shares the open ledger with this one: closing either closes both. Raises NotFound.
        """
        view = copy.copy(self)
        view.branch_name = None if branch is None else branch_name(branch)
        view.ledger = self._trunk if view.branch_name is None else self._branches.on(view.branch_name)
        return view

    def branch(self, name: str, as_of: datetime | None = None, parent: str | None = None, note: str = "") -> "Chain":
        """Make a branch and give the chain as it has it. Nothing is copied.

        as_of: the moment whose knowledge it stands on; default: the last one at which its parent learnt anything.
        parent: the branch that it stands on ('main': the trunk); default: the one this is a view of. Raises Refused for
        a name that is taken.
        """
        below = self.on(self.branch_name if parent is None else parent)
        self._branches.make(name, below.branch_name, as_of or below.default_as_of(), self._now(), note, by=self.by)
        return self.on(name)

    def rename_branch(self, name: str, new_name: str) -> None:
        """Give a branch another name. Raises NotFound, Refused."""
        self._branches.rename(name, new_name, self._now(), by=self.by)

    def drop_branch(self, name: str) -> None:
        """Delete a branch, with its rows and runs. Raises NotFound, Refused while others stand on it."""
        self._branches.drop(name, self._now(), by=self.by)

    def change(self, *changes: str | Change | NewRow) -> Taken:
        """Change single values of master rows on this branch: change("lines.A3.hours_per_week=120").

        The rules of a row in a file hold. Raises BadInput with all findings where they are broken; then nothing is
        changed. Raises NotFound for a row or column that is not there, Refused on the trunk.
        """
        parsed = [parse_change(change) if isinstance(change, str) else change for change in changes]
        if not parsed:
            return Taken((), ())
        if self.branch_name is None:
            raise Refused(message("branch.only_on_branch", change=str(parsed[0])))
        state = self.state(names={c.table for c in parsed if c.table in tables()})
        changed = changed_sources(state, [c for c in parsed if isinstance(c, Change)], self.branch_name)
        added = added_sources(state, [c for c in parsed if isinstance(c, NewRow)], self.branch_name)
        sources = [*changed.items(), *added]
        checked = [(name, gathered(self._checked(name, Source(source)))) for name, source in sources]
        findings = tuple(f for _, c in checked for f in c.findings)
        if has_errors(findings):
            raise BadInput(message("branch.rejected"), findings)
        moment = self.clock()
        reports = [
            self.ledger.ingest(name, c.rows, c.rejected, c.findings, self.branch_name, moment, by=self.by)
            for name, c in checked
        ]
        return Taken(tuple(reports), findings)

    def add(self, table: str, *rows: Mapping[str, object]) -> Taken:
        """Add rows of master data on this branch: add("lines", {"line": "B", "hours_per_week": 40}).

        A row that is there with the same values stays as it is. Raises as `change`, and Refused for one that is there
        with other values.
        """
        texts = [{column: "" if value is None else str(value) for column, value in row.items()} for row in rows]
        return self.change(*(NewRow(table, row) for row in texts))

    def compare(self, a: str, b: str, on_stage: Callable[[str], None] = lambda _stage: None) -> "Comparison":
        """What differs between two runs, in what went in and in what came out.

        a, b: a run's number, a branch or 'main'. A branch stands for its last run; it is run first where it has none
        of what it holds now, and the trunk where it has none at all (as of the other's moment). Raises NotFound.
        """
        from datong.questions.compare import compare

        first, second = self._meant(a), self._meant(b)
        runs: dict[tuple[str | None, str | None], RunResult] = {}
        for meant in sorted({first, second}, key=lambda m: m == (None, None)):  # the trunk last: the other has a moment
            moment = next(iter(runs.values())).as_of if runs else None
            runs[meant] = self._run_meant(*meant, moment, on_stage)
        return compare(self._side(a, first, runs[first]), self._side(b, second, runs[second]), self.settings)

    def _meant(self, name: str) -> tuple[str | None, str | None]:
        """The branch (None: the trunk) and the run (None: its last) that a name means."""
        plain = branch_name(name)
        names = [branch.name for branch in self._branches.all()]
        if plain is None or plain in names:
            return plain, None
        for branch in (None, *names):
            runs = self.on(branch).ledger.runs().to_pylist()
            if any(row["run"] == plain and row["branch"] == branch for row in runs):
                return branch, plain
        raise NotFound(message("compare.unknown", name=name, branches=", ".join([TRUNK, *names])))

    def _run_meant(
        self, branch: str | None, run: str | None, as_of: datetime | None, on_stage: Callable[[str], None]
    ) -> RunResult:
        """The run, or the last one; a new one (as_of: its moment if on the trunk) where that says nothing of today."""
        view = self.on(branch)
        there = any(row["branch"] == branch for row in view.ledger.runs().to_pylist())
        if there:
            kept = view.kept_run(run)
            if run is not None or branch is None or view.ledger.run_inputs(kept.run, ()).current:
                return kept
        return view.run(as_of if branch is None else None, on_stage=on_stage)

    def _side(self, name: str, meant: tuple[str | None, str | None], result: RunResult) -> "Side":
        from datong.questions.compare import Side

        view = self.on(meant[0])
        inputs = view.ledger.run_inputs(result.run)
        seed = next(row["seed"] for row in view.ledger.runs().to_pylist() if row["run"] == result.run)
        return Side(
            name, view.branch_name, result.run, result.as_of, seed, inputs.settings, inputs.state, result.tables
        )

    def can_plan(self, state: State) -> None:
        """Raises BadInput where nothing is wanted, where a whole table cannot be read (bad rows can be left out, but
        without its lines, say, a chain would be planned as if hours had no end), and where the ledger holds numbers
        that no plan can be made of; Refused where the plan would be too large."""
        unusable = [f for f in self.findings if f.severity == "error" and f.row is None]
        if unusable and state.table("products").num_rows:
            raise BadInput(message("app.unusable", folder=str(self.folder)), unusable)
        if not state.table("products").num_rows or not (
            state.table("sales").num_rows or state.table("demand").num_rows
        ):
            local = f"{state.as_of.astimezone(self.settings.calendar.zone):%Y-%m-%d %H:%M}"
            raise BadInput(message("app.no_demand", folder=str(self.folder), as_of=local), self.findings)
        beyond = beyond_limits(state)
        if beyond:
            raise BadInput(message("app.beyond_limits", folder=str(self.folder)), beyond)
        refuse_too_large(state)


def _is_of_tables(file: Path) -> bool:
    """Whether a file, or a sheet of it, is called like a table, or like one that is mistyped."""
    names = [file.stem]
    if file.suffix.lower() in WORKBOOK_SUFFIXES:
        names += [source.name.rpartition("/")[2] for source in open_sources(file)[0]]
    return any(name in tables() or get_close_matches(name, tables(), 1, _MISTYPED) for name in names)


def default_moment(settings: ChainSettings, latest: datetime | None, clock: datetime) -> datetime | None:
    """The moment that a plan is made for: the latest at which anything became known (None: nothing did), but not before
    the settings' start.

    For a chain of live records: nor after its clock, nor before today: where nothing became known today, it stands
    where the day began. A plan of Monday is not made for Friday because nothing came in since.
    """
    if latest is not None and settings.history == "live":
        latest = max(min(latest, clock), settings.calendar.midnight(settings.calendar.local_date(clock)))
    floor = None if settings.start is None else settings.calendar.midnight(settings.start)
    return max((m for m in (latest, floor) if m is not None), default=None)


def _lots(waiting: pa.Table) -> Iterator[tuple[tuple[str, str], list[str]]]:
    """Ids of rows in quarantine by table and source, so many at a time that they fit in memory.

    A source may have been read with other rows under the same numbers; within a lot a number comes once.
    """
    sources: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for row in waiting.to_pylist():
        sources.setdefault((row["table"], row["source"]), []).append((row["row"], row["quarantine_id"]))
    for place, rows in sources.items():
        left = rows
        while left:
            lot: dict[int, str] = {}
            later = []
            for number, quarantine_id in left:
                if number in lot or len(lot) == RETRIED_AT_ONCE:
                    later.append((number, quarantine_id))
                else:
                    lot[number] = quarantine_id
            yield place, list(lot.values())
            left = later


def _both(first: IngestReport, second: IngestReport) -> IngestReport:
    """Two reports on one source as one."""
    counts = ("rows", "added", "superseded", "known", "quarantined")
    sums = {name: getattr(first, name) + getattr(second, name) for name in counts}
    return IngestReport(first.source, first.table, **sums, findings=(*first.findings, *second.findings))


def _as_text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)


def parse_moment(text: str, settings: ChainSettings) -> datetime:
    """A moment as a user writes it: ISO; a date alone is its local midnight; without offset it is local time."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Refused(message("app.not_a_moment", text=text)) from error
    if not FIRST_MOMENT <= moment.date() <= LAST_MOMENT:
        raise Refused(message("app.moment_too_far", text=text, first=FIRST_MOMENT, last=LAST_MOMENT))
    if moment.time() == time() and moment.tzinfo is None:
        return settings.calendar.midnight(moment.date())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=settings.calendar.zone)
    return moment.astimezone(UTC)
