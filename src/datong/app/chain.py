"""A chain of one company, opened: its folder, its ledger, and everything one can do with them.

The one place where files, ledger, clock and the pure loop meet. `datong.open(DIR)` gives a Chain.
"""

import copy
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from os import PathLike
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
import pyarrow as pa

from datong.app import clock, forget_customers, kept_runs, take_in_beside_folder
from datong.app.branch_changes import Change, NewRow, added_sources, changed_sources, parse_change
from datong.app.clock import Moment
from datong.app.languages import chosen_language
from datong.app.take_in_beside_folder import Taken
from datong.app.wiring import Opened, utc_now, wire, wire_in_memory
from datong.connectors.exports.count_sheet import is_count_sheet, may_be_count_sheet
from datong.connectors.exports.read_grids import read_grids
from datong.connectors.files.read import Source
from datong.connectors.files.take_in_folder import take_in_folder
from datong.ledger.can_be_planned import refuse_unplannable
from datong.ledger.kept_results import FOR_GOOD, Kept, WorkedOut
from datong.ledger.protocol import END_OF_TIME, TRUNK, Branch, Branches, IngestReport, Ledger, RunRecord, branch_name
from datong.ledger.row_checks import gathered
from datong.ledger.state import State
from datong.model.calendar import zone_word
from datong.model.errors import BadInput, NotFound, Refused
from datong.model.findings import Finding, has_errors
from datong.model.flow import Learnt
from datong.model.settings import ChainSettings
from datong.model.tables import tables
from datong.model.words import Message, message, say
from datong.questions.run_result import RunResult
from datong.questions.why import Why
from datong.replay.scenario import STATED, Scenario, as_in, sweep
from datong.shown.tables import html_table

if TYPE_CHECKING:
    from datong.balance.solution import OnProgress
    from datong.balance.solvers import Door
    from datong.questions.clear_market import BalanceResult
    from datong.questions.compare import Comparison, Side
    from datong.questions.quote import QuoteResult
    from datong.questions.replenish import ReplenishResult
    from datong.questions.run import RunAsked
    from datong.replay.replay import ReplayResult, Sweep

# More buckets than any history has.
EVERY_BUCKET = 1_000_000


class Chain:
    """An open chain: its folder, its ledger and everything one can do with them. `datong.open(DIR)` gives one.

    Use it in a `with` block, or close it: while it is open, no other process can open it.

    run, balance, quote, replenish, replay, why: what to do, for what price, what it would have been worth, and why.
    ingest, retry_quarantine: rows in. state, kept_run, evidence: look things up. findings, unheeded, ingested: what
    opening found and took in.
    branch, on, change, add, compare: what-ifs. branch_name: the branch that this is a view of; None: the trunk.
    """

    def __init__(
        self,
        folder: Path,
        now: Callable[[], datetime] = utc_now,
        on_rows: Callable[[str, int], None] = lambda _table, _rows: None,
        by: str | None = None,
        language: str | None = None,
    ) -> None:
        """on_rows: told, while tables are taken in, the table and how many rows of it have come so far. by: who writes
        (None: the user of this machine), as the ledger notes with each write. language: 'en' or 'zh', in which results
        show themselves (None: DATONG_LANG, else the locale).

        Raises BadInput where the settings cannot be read or one of them is wrong: nothing is taken in by a default;
        Refused where the machine's clock has jumped (app/clock.py).
        """
        self._begin(chosen_language(language, os.environ), *wire(folder, now, by))
        try:
            clock.refuse_a_jump(self._at)
            self._read_folder(forget_customers.settle(self._at), on_rows)
        except BaseException:
            self.ledger.close()
            raise

    def _read_folder(self, hashed: Sequence[Finding], on_rows: Callable[[str, int], None]) -> None:
        """Take in what is new in the folder. hashed: what was said of customers before."""
        today = clock.today(self._at.now, self.settings)
        taken = take_in_folder(self.ledger, self.folder, self.clock(), on_rows, today, self._at.customers, by=self.by)
        self.unheeded_edits: tuple[Finding, ...] = (*hashed, *taken.unheeded)
        self.unheeded: tuple[Finding, ...] = (*self.unheeded_edits, *self.clock_findings())
        self.ingested: tuple[IngestReport, ...] = taken.reports
        self._folder_findings = taken.findings

    def read_folder_again(self) -> None:
        """Take in what changed in the folder since the chain was opened, as opening it does: a server has it open for
        long. Not on a branch."""
        if self.branch_name is None:
            self._whole = self._noticed = self._reviewed = None
            self._read_folder(forget_customers.settle(self._at), lambda _table, _rows: None)

    @classmethod
    def in_memory(
        cls,
        settings: ChainSettings,
        parts: Sequence[tuple[str, Source]],
        now: Callable[[], datetime] = utc_now,
        by: str | None = None,
        language: str | None = None,
    ) -> Self:
        """A chain without a folder, made of tables in hand by name. Its ledger is in memory and goes when it is closed.

        Raises BadInput where none of the tables can be used.
        """
        chain = cls.__new__(cls)
        chain._begin(chosen_language(language, os.environ), *wire_in_memory(settings, now, by))
        try:
            taken = take_in_beside_folder.take_in_parts(chain._at, Path(settings.name), parts)
        except BaseException:
            chain.ledger.close()
            raise
        chain.unheeded = chain.unheeded_edits = ()
        chain.ingested, chain._folder_findings = taken.reports, taken.findings
        return chain

    def _begin(self, language: str, trunk: Opened, branches: Branches) -> None:
        self._at: Opened = trunk
        self._trunk: Opened = trunk
        self._branches: Branches = branches
        self._whole: State | None = None
        self._noticed: tuple[State, tuple[Finding, ...]] | None = None
        self._reviewed: tuple[State, tuple[Finding, ...]] | None = None
        self.language: str = language

    def __repr__(self) -> str:
        """One line; nothing is looked up for it."""
        return f"{self._title()}, {self._settings_words()}"

    def _repr_html_(self) -> str:
        return html_table(self._title(), [], self.language, [self._settings_words()])

    def _title(self) -> str:
        words = {"name": self.settings.name, "folder": self.folder, "branch": self.branch_name}
        return say("shown.chain" if self.branch_name is None else "shown.chain_on", self.language, **words)

    def _settings_words(self) -> str:
        bucket = say(f"shown.by_{self.settings.bucket}", self.language)
        words = {"zone": zone_word(self.settings.time_zone), "currency": self.settings.currency, "bucket": bucket}
        return say("shown.time_zone", self.language, **words)

    @property
    def folder(self) -> Path:
        return self._at.folder

    @property
    def settings(self) -> ChainSettings:
        return self._at.settings

    @property
    def ledger(self) -> Ledger:
        return self._at.ledger

    @property
    def branch_name(self) -> str | None:
        return self._at.branch

    @property
    def by(self) -> str:
        """Who writes."""
        return self._at.by

    def __enter__(self) -> Self:
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

    def notices(self, as_of: Moment | None = None) -> tuple[Finding, ...]:
        """What a plan as of a moment (default: as in `run`) leaves out, or takes otherwise than its tables may seem to
        say; empty where nothing is known yet."""
        from datong.network.notices import notices
        from datong.network.position_notices import position_notices

        try:
            state = self.state(as_of)
        except NotFound:
            return ()
        if self._noticed is None or self._noticed[0] is not state:  # a command asks before it plans, and with the plan
            self._noticed = state, (*notices(state), *position_notices(state, kept_runs.learnt(self._at, state.as_of)))
        return self._noticed[1]

    def clock(self) -> datetime:
        """Now, on the chain's clock: see `app/clock.py`."""
        return clock.clock(self._at)

    def world_clock(self) -> datetime:
        """Now, by the clock of the world."""
        return self._at.now()

    def clock_findings(self, as_of: Moment | None = None) -> list[Finding]:
        """What a clock that went back, or a record of the future, hides or moves. as_of: the moment asked for."""
        return clock.clock_findings(self._at, clock.moment_of(as_of, self.settings))

    def default_as_of(self) -> datetime:
        """The moment that a plan is made for where none is asked for: see `app/clock.py`. Raises NotFound."""
        return clock.default_as_of(self._at)

    def moment(self, as_of: Moment | None = None) -> datetime:
        """A moment that somebody names, in UTC: a text ("2023-07-31", "2023-07-31T08:00"), date, datetime,
        pandas.Timestamp or numpy.datetime64. A day is its midnight; what has no zone is on the chain's own clock; None
        is `default_as_of()`. Raises Refused for what is no moment, NotFound as `default_as_of`."""
        return clock.moment_of(as_of, self.settings) or self.default_as_of()

    def ingest(
        self,
        file: str | PathLike[str],
        table: str | None = None,
        mapping: str | PathLike[str] | None = None,
        on_rows: Callable[[str, int], None] = lambda _table, _rows: None,
        answers: Mapping[str, str] = MappingProxyType({}),
        to_ask: Sequence[str] = (),
    ) -> Taken:
        """Take events or facts from a file. Its table is `table`, or the file's or sheet's name, or the mapping says;
        a file that is called like no table, and has not just the columns of one, is read as a sales export.

        on_rows: told the table and how many rows of it have come so far. answers: to questions about an export, besides
        those that the chain keeps. to_ask: questions that are answered, which the file must ask. Raises BadInput where
        nothing of the file can be used, Asked where an export cannot be read without an answer, Refused where it does
        not ask what is answered.
        """
        path = Path(file)
        if table is None and mapping is None:
            grids = read_grids(path) if may_be_count_sheet(path) else None
            if grids is not None and is_count_sheet(grids):
                return self.count_stock(path, on_rows)[0]
            is_ours, table = take_in_beside_folder.of_tables(path)
            if not is_ours:
                grids = grids or read_grids(path)
                heed = self.unheeded
                return take_in_beside_folder.ingest_export(self._at, path, grids, answers, on_rows, heed, to_ask)
        rules = None if mapping is None else Path(mapping)
        return take_in_beside_folder.ingest(self._at, path, table, rules, on_rows, self.unheeded)

    def preview(
        self,
        file: str | PathLike[str],
        table: str | None = None,
        answers: Mapping[str, str] = MappingProxyType({}),
    ) -> Taken:
        """What `ingest` would do with a file: worked out in full and taken back, so that nothing of it is kept, neither
        rows nor answers nor keys of customers. Raises as `ingest`."""
        with take_in_beside_folder.taken_back(self._at) as at:
            view = copy.copy(self)
            view._at = at
            return view.ingest(file, table, answers=answers)

    def count_stock(
        self, file: Path, on_rows: Callable[[str, int], None] = lambda _table, _rows: None
    ) -> tuple[Taken, int, int]:
        """Take in a count sheet that was filled in: what became of it, how many products it counts, and how many rows
        are empty. Raises BadInput with all that is wrong with it; then nothing of it is taken in."""
        return take_in_beside_folder.ingest_counts(self._at, file, on_rows, self.unheeded)

    def write_rows(self, table: str, rows: Sequence[Mapping[str, str]], source: str) -> Taken:
        """Take rows in that somebody wrote by hand, known from now on, checked by the rules of a file: cells as a file
        writes them. source: what they are noted to come from. Raises BadInput with all findings where one of them
        breaks a rule or contradicts what is known; then nothing is taken in."""
        return take_in_beside_folder.write_rows(self._at, table, rows, source)

    def check_rows(self, table: str, rows: Sequence[Mapping[str, str]]) -> tuple[Finding, ...]:
        """What `write_rows` would find about rows, each with the place of its row, from 1; nothing is taken in."""
        return take_in_beside_folder.check_rows(self._at, table, rows)

    def withdraw(self, table: str, row_ids: Sequence[str]) -> int:
        """Say that rows of the ledger do not hold, from now on. Earlier moments still see them. Returns how many.

        row_ids: 'lines:L' with all its versions, or 'lines:L (2026-02-02)' the one that holds from that day on.

        Raises NotFound for ids that the table does not hold.
        """
        return take_in_beside_folder.withdraw(self._at, table, row_ids)

    def retry_quarantine(self) -> tuple[IngestReport, ...]:
        """Try quarantined rows again, as they were; what is now right leaves the quarantine in the same transaction.

        One report for each table and source; of many rows so many at a time, each lot in a transaction of its own.
        """
        return take_in_beside_folder.retry_quarantine(self._at)

    def correct_quarantined(self, quarantine_id: str, cells: Mapping[str, str]) -> IngestReport:
        """Take a row in quarantine in with other cells, by column as it came; one that is not named stays, one that is
        new to the row may be any of its table. Raises NotFound for one that is not there, BadInput with all findings
        where it still breaks a rule: then it waits as it was."""
        return take_in_beside_folder.correct_quarantined(self._at, quarantine_id, cells)

    def discard_quarantine(self, ids: Sequence[str]) -> int:
        """Forget rows in quarantine: they hold nothing back any more, and are not tried again. Returns how many. One
        that still stands in a file of the folder comes back with it. Raises NotFound for ids that are not there."""
        return take_in_beside_folder.discard_quarantine(self._at, ids)

    def person(self, customer: str, why: str = "") -> Mapping[str, pa.Table]:
        """All that is held about a customer (as the shop writes them, or their token), by table: every version of every
        row. That it was asked for is noted, without the name. Raises NotFound where no key is held, Refused on a
        branch."""
        return forget_customers.person(self._at, customer, why)

    def rows_about(self, customer: str) -> int:
        """How many rows hold a customer. Raises as `person`."""
        return forget_customers.rows_held(self._at, customer)

    def forget(self, customer: str, why: str = "") -> forget_customers.Forgotten:
        """Forget a customer: destroy their key, and empty their name and words in every version of every row, branches,
        quarantine and kept runs. It cannot be taken back. Raises as `person`."""
        self._whole = None  # it holds what is forgotten
        return forget_customers.forget(self._at, customer, why)

    def customers_without_rows_since(self, days: int) -> int:
        """How many customers have no row of the last so many days. Raises Refused on a branch."""
        return len(forget_customers.not_since(self._at, days))

    def forget_older(self, days: int, why: str = "") -> forget_customers.Forgotten:
        """Forget each of these customers, as `forget`."""
        self._whole = None
        return forget_customers.forget_not_since(self._at, days, why)

    def state(self, as_of: Moment | None = None, names: Collection[str] | None = None) -> State:
        """The world as known at a moment (default: the last one at which anything became known): a value, good for
        longer than the chain is open. names: the tables of it that are wanted (None: all). A whole one is read once, as
        long as nothing is written: a command asks for it several times."""
        moment = self.moment(as_of)
        if names is not None:
            return self.ledger.state(moment, names)
        now = self.ledger.state(moment, ()).snapshot
        if self._whole is None or (self._whole.as_of, self._whole.snapshot) != (moment, now):
            whole = self.ledger.state(moment)
            known = self.ledger.worked_out() if whole.table("reviews").num_rows else {}
            self._whole = replace(whole, worked_out=WorkedOut(known))
        return self._whole

    def keep_told(self, told: Mapping[str, Kept]) -> None:
        """Keep what a plugged model said of clauses, beside what is kept already (sense/voice/plugged_answers.py)."""
        self._whole = None
        with self.ledger.together():
            known = self.ledger.worked_out()
            self.ledger.keep_worked_out({key: kept for key, kept in known.items() if key not in told})
            self.ledger.keep_worked_out({**known, **told})

    def review(self, as_of: Moment | None = None) -> tuple[Finding, ...]:
        """What a planner should know before planning: products that are held back, and where the plan will not be what
        the tables seem to ask for. Empty where nothing is known yet."""
        from datong.network.doubts_before_planning import review  # it takes seconds to import, and few commands plan

        try:
            state = self.state(as_of)
        except NotFound:
            return ()
        if self._reviewed is None or self._reviewed[0] is not state:  # asked before a plan, and with it
            self._reviewed = state, review(state)
        return self._reviewed[1]

    def run(
        self,
        as_of: Moment | None = None,
        seed: int | None = None,
        on_stage: Callable[[str], None] = lambda _stage: None,
        *,
        listed: bool = False,
    ) -> RunResult:
        """One cycle of the loop; the run is kept in the ledger.

        as_of: use only what was known by this moment (with a time zone); default: the last one at which anything became
        known. seed: of the sample paths; default: the settings'. on_stage: called with the name of each stage as it
        starts. listed: with the table order_list, a line for each product. The same data, moment and seed give the same
        tables. Raises BadInput where nothing is wanted yet, NoPlan where locked orders cannot run.
        """
        asked = self.run_asked(as_of, seed, listed=listed)
        return self.keep_run(asked.answer(on_stage))

    def run_asked(self, as_of: Moment | None = None, seed: int | None = None, *, listed: bool = False) -> "RunAsked":
        """What `run` asks, as a value that any process can answer; `keep_run` keeps the answer. Raises as `run`."""
        from datong.questions.run import RunAsked  # imports every stage, which takes a second, and few commands plan

        state = self.state(as_of)
        self.can_plan(state)
        return RunAsked(
            state,
            tuple(self.past_runs(state.as_of)),
            kept_runs.plan_before(self._at, state, lambda branch: self.on(branch).ledger),
            self.seed_of(seed),
            tuple(found for found in self.findings if found.severity == "error"),
            tuple(
                found
                for found in (*self.notices(state.as_of), *self.review(state.as_of))
                if found.severity == "warning"
            ),
            tuple(kept_runs.proposed_before(self._at, state)),
            listed,
        )

    def keep_run(self, record: RunRecord) -> RunResult:
        """Keep a run that was worked out, and give it."""
        if self.branch_name is None:
            known = self.ledger.worked_out()
            for_good = {key: kept for key, kept in known.items() if key.startswith(FOR_GOOD)}
            self.ledger.keep_worked_out({**record.worked_out, **for_good})
        self.ledger.save_run(record, self._at.now(), by=self.by)
        return RunResult(record.run, record.as_of, self.settings, record.tables, self.language)

    def balance(
        self,
        as_of: Moment | None = None,
        seed: int | None = None,
        *,
        door: "Door" = "auto",
        gap: float = 0.01,
        time_limit_s: float | None = None,
        warm: str | PathLike[str] | None = None,
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
        from datong.app.earlier_balance import read_earlier
        from datong.balance.solution import Limits, never_stop
        from datong.questions.clear_market import clear

        earlier = None if warm is None else read_earlier(Path(warm))
        seed = self.seed_of(seed)
        limits = Limits(gap, time_limit_s)
        watched = never_stop if on_progress is None else on_progress
        state = self.state(as_of)
        self.can_plan(state)
        return clear(
            state,
            kept_runs.learnt(self._at, state.as_of),
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
        due: Moment,
        units: float = 1.0,
        *,
        market: str | None = None,
        earlier: str | PathLike[str] | None = None,
        exact: bool = False,
        as_of: Moment | None = None,
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
        from datong.app.earlier_balance import read_earlier
        from datong.balance.solution import Limits, never_stop
        from datong.questions.quote import Order, quote

        before = None if earlier is None else read_earlier(Path(earlier))
        state = self.state(as_of)
        self.can_plan(state)
        quoted = quote(
            state,
            kept_runs.learnt(self._at, state.as_of),
            self.seed_of(seed),
            Order(product, units, clock.day_of(due, self.settings), market),
            branch=self.branch_name,
            earlier=before,
            exact=exact,
            door=door,
            limits=Limits(gap, time_limit_s),
            on_progress=never_stop if on_progress is None else on_progress,
        )
        return replace(quoted, language=self.language)

    def replenish(
        self,
        as_of: Moment | None = None,
        seed: int | None = None,
        review_buckets: int = 1,
    ) -> "ReplenishResult":
        """What to order or make now of each product that is sold, each by itself, and why: nothing is kept.

        review_buckets: buckets until orders can be placed again. Lead times are what was promised, corrected by what
        became of the orders so far; one that does not come is believed lost. What products share (hours, components,
        offers) is the business of `run` and `balance`. Raises BadInput where nothing is wanted yet.
        """
        from datong.questions.replenish import replenish

        _refuse_below(1, review_buckets=review_buckets)
        state = self.state(as_of)
        self.can_plan(state)
        seed = self.seed_of(seed)
        found = replenish(state, kept_runs.learnt(self._at, state.as_of), seed, review_buckets)
        return replace(found, language=self.language)

    def seed_of(self, seed: int | None) -> int:
        """The seed that is asked for; None: the settings'. Raises Refused for what is none."""
        if seed is None:
            return self.settings.seed
        _refuse_below(0, seed=seed)
        return int(seed)

    def learnt(self, as_of: Moment | None = None) -> Learnt:
        """What the kept runs before a moment taught: ratios of the forecast, lead times, yields."""
        return kept_runs.learnt(self._at, self.moment(as_of))

    def past_runs(self, before: Moment) -> list[RunRecord]:
        """The last kept runs before a moment, oldest first, one of each moment, with what learning needs of them."""
        return kept_runs.past_runs(self._at, self.moment(before))

    def scores(self, until: Moment) -> pa.Table:
        """Scores of the last kept runs up to a moment, each of what had become known since the run before it."""
        return kept_runs.scores(self._at, self.moment(until))

    def kept_run(self, run: str | None = None) -> RunResult:
        """A run kept in the ledger; the last one by default. On a branch one made there. Raises NotFound."""
        return replace(kept_runs.kept_run(self._at, run), language=self.language)

    def why(self, order: str) -> Why:
        """The last run that proposed an order, the order's row, and its reasons in rank order. Raises NotFound.

        On a branch its own runs come before those of the trunk that it has seen.
        """
        found = kept_runs.why(self._at, order, self.state(names=("orders",)).table("orders"))
        return Why(*found, self.language)

    def recorded(self, order: str) -> Message | None:
        """What the ledger knows of an order that no run proposed; None where it knows no such order."""
        return kept_runs.recorded(self._at, self.state(), order)

    def evidence(self, run: str, table: str, ids: Sequence[str]) -> pa.Table:
        """The rows behind a reason: rows of the ledger by row_id, or of the run's own hours and gaps by their keys."""
        return kept_runs.evidence(self._at, run, table, ids)

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
            seed=self.seed_of(seed),
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
            seed=self.seed_of(seed),
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

    def on(self, branch: str | None) -> Self:
        """The chain as a branch has it ('main' or None: the trunk); what is done there stays there.

        It shares the open ledger with this one: closing either closes both. Raises NotFound.
        """
        view = copy.copy(self)
        name = None if branch is None else branch_name(branch)
        view._at = self._trunk if name is None else replace(self._trunk, branch=name, ledger=self._branches.on(name))
        return view

    def written_by(self, by: str) -> Self:
        """The chain as somebody else writes to it. It shares the open ledger with this one, as on a branch."""
        view = copy.copy(self)
        view._at, view._trunk = replace(self._at, by=by), replace(self._trunk, by=by)
        return view

    def branch(self, name: str, as_of: Moment | None = None, parent: str | None = None, note: str = "") -> Self:
        """Make a branch and give the chain as it has it. Nothing is copied.

        as_of: the moment whose knowledge it stands on; default: the last one at which its parent learnt anything.
        parent: the branch that it stands on ('main': the trunk); default: the one this is a view of. Raises Refused for
        a name that is taken.
        """
        below = self.on(self.branch_name if parent is None else parent)
        moment = below.moment(as_of)
        self._branches.make(name, below.branch_name, moment, self._at.now(), note, by=self.by)
        return self.on(name)

    def rename_branch(self, name: str, new_name: str) -> None:
        """Give a branch another name. Raises NotFound, Refused."""
        self._branches.rename(name, new_name, self._at.now(), by=self.by)

    def drop_branch(self, name: str) -> None:
        """Delete a branch, with its rows and runs. Raises NotFound, Refused while others stand on it."""
        self._branches.drop(name, self._at.now(), by=self.by)

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
        checked = [
            (name, gathered(take_in_beside_folder.checked(self._at, name, Source(source)))) for name, source in sources
        ]
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
        """Raises what `refuse_unplannable` raises: BadInput, Refused."""
        refuse_unplannable(state, self.findings, self.folder)


def _refuse_below(least: int, **given: int) -> None:
    """Raises Refused for a number, by its name, that is not whole or is too small."""
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
            raise Refused(message("shown.whole_from", name=name, value=repr(value), least=least))
