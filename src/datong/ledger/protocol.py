"""What a ledger does. store/ implements it; everything else knows only this."""

import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

import pyarrow as pa

from datong.ledger.kept_results import Kept
from datong.ledger.row_checks import CheckedRows
from datong.ledger.state import Snapshot, State
from datong.model.findings import Finding
from datong.model.settings import ChainSettings

# Later than anything that can be known: a state as of then is all there is.
END_OF_TIME = datetime(9000, 1, 1, tzinfo=UTC)
DeliveryState = Literal["sending", "sent", "refused"]


@dataclass(frozen=True)
class IngestReport:
    """What became of the rows of one source: rows == added + superseded + known + quarantined."""

    source: str
    table: str
    rows: int
    added: int
    superseded: int
    known: int
    quarantined: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Intake:
    """What the ledger remembers of what it took from a place: a folder, or one table of it.

    digest: of everything that the outcome depends on. ingests: by table, its last ingest (0: none). Where both are as
    they were, taking in again would change nothing and say the same. findings: what was wrong with the files;
    unheeded: in what the ledger did not follow them.
    """

    place: str
    digest: str
    ingests: Mapping[str, int]
    reports: tuple[IngestReport, ...]
    findings: tuple[Finding, ...]
    unheeded: tuple[Finding, ...]


@dataclass(frozen=True)
class RunRecord:
    """One run of the cycle. `run` is a hash of what went in, so the same run has the same id.

    `tables` are the stages' results by name (see cycle.py). worked_out: what was worked out of rows on the way, or
    found among what was kept (`keep_worked_out`): it is no part of the run. write: number of the last write that its
    state can show; None: it was made of all that there is as it is kept.
    """

    run: str
    as_of: datetime
    seed: int
    tables: Mapping[str, pa.Table]
    worked_out: Mapping[str, Kept] = field(default_factory=dict, repr=False, compare=False)
    write: int | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, eq=False)
class RunInputs:
    """What went into a kept run. state: the world that it saw. settings: those of its day as JSON gives them (None: an
    earlier version did not keep them). current: nothing was taken in since, and the settings are the same.
    """

    state: State
    settings: Mapping[str, Any] | None
    current: bool


# What Ledger.fewer_sold gives. lines: of orders; gone: how many of them do not count at all any more; units: fewer, in
# the product's base unit.
FEWER_SOLD_SCHEMA = pa.schema(
    [("product", pa.string()), ("lines", pa.int64()), ("gone", pa.int64()), ("units", pa.float64())]
)

# A row of Ledger.writes(). at: on the chain's clock; acted_at: on the world's, where that is another time (null: the
# same, or nobody knows). what: one of WHAT. branch: on which, by the name that it had (null: the trunk). subject: the
# table, the run or the branch; source: the file that rows came from, or the new name of a branch. how_many: rows that
# came in, were withdrawn or discarded, or runs or branches. by, how_many: null where an earlier version kept no note.
WRITES_SCHEMA = pa.schema(
    [
        ("write", pa.int64()),
        ("at", pa.timestamp("us", tz="UTC")),
        ("by", pa.string()),
        ("what", pa.string()),
        ("branch", pa.string()),
        ("subject", pa.string()),
        ("source", pa.string()),
        ("how_many", pa.int64()),
        ("acted_at", pa.timestamp("us", tz="UTC")),
    ]
)


def written_at(row: Mapping[str, Any]) -> datetime:
    """When a row of Ledger.writes() was written, by the clock of whoever did it."""
    return row["acted_at"] or row["at"]


WHAT = (
    "ingest",
    "withdraw",
    "discard",
    "run",
    "make_branch",
    "rename_branch",
    "drop_branch",
    "clock",
    "hash_customers",
    "person",
    "forget",
)


@dataclass(frozen=True)
class Ahead:
    """Moments of one column of a table that lie ahead of the clock, by which this program wrote them: how many, the
    first and the last."""

    table: str
    column: str
    count: int
    first: datetime
    last: datetime


# A row of Ledger.put_back_rows(): what a moment of a row was before a repair of the clock, and what it became.
# row_id, version: null where the table is none of the chain's.
PUT_BACK_SCHEMA = pa.schema(
    [
        ("repair", pa.int64()),
        ("at", pa.timestamp("us", tz="UTC")),
        *((name, pa.string()) for name in ("by", "table", "row_id")),
        ("version", pa.int32()),
        ("column", pa.string()),
        ("recorded", pa.timestamp("us", tz="UTC")),
        ("became", pa.timestamp("us", tz="UTC")),
    ]
)


class Ledger(Protocol):
    """The one truth of a chain: what happened, when we knew it, and what was run on it.

    by: who writes, a person or a program, as the caller knows them. It is no part of any row's id or content. Notes of
    what was read from where (`note_intake`) change no row and say of nobody.
    """

    settings: ChainSettings

    @property
    def chain(self) -> str:
        """Name of the chain, in a store that may hold several."""
        ...

    def writes(self) -> pa.Table:
        """Every write to the chain and its branches that changed something, oldest first, in WRITES_SCHEMA."""
        ...

    def last_write(self) -> int:
        """The number of the last of `writes`; 0 where there is none."""
        ...

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
        """Take in checked rows (see ledger/row_checks.py) in one transaction; keep rejected ones in quarantine.

        Idempotent: rows already known change nothing. A row with a known id and a later known_at supersedes.
        retried: quarantine ids that these rows replace; they leave the quarantine in the same transaction.
        whole: the source has no other rows, so that those of it in quarantine that are not rejected now were mended.
        """
        ...

    def take_in(
        self, table: str, checked: CheckedRows, source: str, arrived_at: datetime, whole: bool = False, *, by: str
    ) -> IngestReport:
        """As `ingest`, of rows that come batch by batch. In one transaction all the same."""
        ...

    def intake(self, place: str) -> Intake | None:
        """What was noted of a place last; None where nothing was."""
        ...

    def note_intake(self, intake: Intake) -> None:
        """Remember what was taken in."""
        ...

    def forget_intake(self, place: str) -> None:
        """Remember nothing of a place any more."""
        ...

    def intakes(self, prefix: str) -> Sequence[Intake]:
        """What was noted of all places that begin so, by place."""
        ...

    def together(self) -> AbstractContextManager[None]:
        """All writes within it are one transaction: a kill, or an error, leaves all of them or none."""
        ...

    def note_deliveries(self, way: str, keys: Sequence[str], state: DeliveryState, at: datetime) -> None:
        """Remember how far messages to counterparties are by a way out, by their keys: `sending` before they are handed
        over, then what became of them."""
        ...

    def deliveries(self, way: str) -> Mapping[str, DeliveryState]:
        """How far the messages are that were ever handed to a way out, by key. `sending`: nobody knows whether it
        arrived."""
        ...

    def last_ingests(self) -> Mapping[str, int]:
        """The number of the last ingest or withdrawal that changed each table; tables without one are not there."""
        ...

    def vanished(self, report: IngestReport, named: Callable[[], CheckedRows]) -> Sequence[str]:
        """Row ids that came from a source and that its good rows do not name now, in order; 'lines:L (2026-02-02)' is a
        version alone that would hold in place of what the source says.

        report: of the ingest of the source, just now; named: gives its good rows, where they are needed. For events
        only where the ledger holds more rows of the source than it has now.
        """
        ...

    def came_from(self, table: str, source: str) -> Sequence[str]:
        """Row ids that came from `source` and were not withdrawn, in order."""
        ...

    def state(self, as_of: datetime, names: Collection[str] | None = None, snapshot: Snapshot | None = None) -> State:
        """The world as known at `as_of`: a value, which later writes do not change. names: its tables (None: all).
        snapshot: of an earlier state of this ledger, to read what was there then; only rows that left the quarantine
        since are missing. Raises ValueError for one of another chain or branch."""
        ...

    def fewer_sold(self, before: Snapshot, was: datetime, now: datetime) -> pa.Table:
        """Sales that counted as known at `was` in an earlier state of this ledger, and at `now` no longer hold, are
        cancelled or of another product, or are of fewer units: by product in FEWER_SOLD_SCHEMA, the most units first.
        before: what that state was read from; of another branch, what is known by now of that moment stands for it. A
        line that counts in another unit now is left alone."""
        ...

    def latest_known_at(self) -> datetime | None:
        """The last moment at which anything became known; None for an empty ledger."""
        ...

    def latest_arrival(self) -> datetime | None:
        """The last moment at which rows came in, by the clock of that time; None for an empty ledger."""
        ...

    def latest_write(self) -> datetime | None:
        """The last moment at which anything was written, by the clock of that time; None for an empty ledger."""
        ...

    def ahead(self, now: datetime) -> Sequence[Ahead]:
        """What a clock that ran ahead wrote: moments later than `now` that it gave. What a source itself says of a
        later time is none of it."""
        ...

    def put_back(self, now: datetime, *, by: str) -> int:
        """Put such moments back to `now` and just before, in their order, in one transaction. What was recorded stays
        in put_back_rows. Returns how many moments of rows."""
        ...

    def put_back_rows(self) -> pa.Table:
        """Every moment that was put back, in PUT_BACK_SCHEMA, oldest repair first."""
        ...

    def believe_clock(self, now: datetime, *, by: str) -> None:
        """Note that a clock is right which seems to have jumped."""
        ...

    def withdraw(self, table: str, row_ids: Sequence[str], known_at: datetime, *, by: str) -> int:
        """Say that rows no longer hold from `known_at` on; they stay visible before it. Returns how many. An id is that
        of a row with all its versions, or, as 'lines:L (2026-02-02)', of the one that holds from that day on."""
        ...

    def rows(self, table: str, row_ids: Sequence[str]) -> pa.Table:
        """Latest versions of rows by id, for showing evidence."""
        ...

    def waiting(self) -> pa.Table:
        """Which rows are in quarantine: quarantine_id, table, source, row."""
        ...

    def quarantined(self, ids: Sequence[str] | None = None) -> pa.Table:
        """Rows in quarantine, all or those with these ids: quarantine_id, table, source, row, raw (JSON text), findings
        (JSON text), arrived_at.
        """
        ...

    def discard(self, ids: Sequence[str], arrived_at: datetime, *, by: str) -> int:
        """Forget rows in quarantine. Returns how many."""
        ...

    def plain_customers(self) -> Sequence[str]:
        """Customers of rows, and of rows in quarantine, for whom no token stands (ledger/customer_tokens.py), in order.
        On a branch, as all that is about persons, those of the whole ledger."""
        ...

    def customer_tokens(self, since: datetime | None = None) -> Collection[str]:
        """Every token of a customer that rows, or rows in quarantine, hold. since: only of rows that hold and are of
        that moment or later, and of rows that came into quarantine then."""
        ...

    def line_keys(self) -> Sequence[str]:
        """Every key of an order line, in order: of every version of rows of sales, returns and reviews, of branches,
        and of rows in quarantine."""
        ...

    def hash_customers(self, tokens: Mapping[str, str], keys: Mapping[str, str], at: datetime, *, by: str) -> int:
        """Put tokens in place of plain customers in every version of every row. keys: of order lines whose own key
        named a customer, their other one, wherever it stands, in kept runs too. Returns how many rows changed."""
        ...

    def of_person(self, tokens: Sequence[str]) -> Mapping[str, pa.Table]:
        """Every version of every row that holds one of the tokens, by table, and `quarantine`."""
        ...

    def note_person(self, rows: int, at: datetime, why: str, *, by: str) -> None:
        """Note that so many rows about a customer were looked up, with no token."""
        ...

    def forget_person(
        self, tokens: Sequence[str], quotes: Sequence[str], at: datetime, why: str, *, by: str
    ) -> Mapping[str, int]:
        """Empty customer and words in every version of the rows that hold one of the tokens, in history, branches and
        quarantine, and take quotes out of kept runs; the rows themselves stay and count. Ids and content stay, so that
        the same file again changes nothing. It is noted, with no token. Returns how many rows by table; a second time,
        none."""
        ...

    def rewrite(self) -> None:
        """Write all of the store anew, so that nothing of what was taken out is left in its free space."""
        ...

    def save_run(self, run: RunRecord, at: datetime, *, by: str) -> None:
        """Keep a run. at: now. Saving the same run again only makes it the last one saved."""
        ...

    def runs(self, as_of: datetime | None = None) -> pa.Table:
        """run, as_of, seed, saved, branch of the kept runs with as_of not after the given one, oldest first.

        `saved` counts up with each saving. branch: on which it was made, null for the trunk. A branch has its own runs
        and, up to its moment, its parent's; of one moment its own come last.
        """
        ...

    def run_inputs(self, run: str, names: Collection[str] | None = None) -> RunInputs:
        """What went into a run made here (on the trunk, or on this very branch). names: tables of its state (None:
        all). Raises NotFound."""
        ...

    def run_tables(self, run: str, names: Collection[str] | None = None) -> Mapping[str, pa.Table]:
        """Result tables of a kept run by name, in the names' order: those of `names` that it has (None: all); none of
        an unknown run."""
        ...

    def run_table(self, run: str, name: str) -> pa.Table:
        """One result table of a kept run. Raises NotFound."""
        ...

    def worked_out(self) -> Mapping[str, Kept]:
        """What `keep_worked_out` was given last, by digest, but for what was forgotten since (`forget_person`)."""
        ...

    def keep_worked_out(self, used: Mapping[str, Kept]) -> None:
        """Keep what was worked out of rows, in the place of what was kept before. It is no write that anybody asks
        about: it changes no answer. One ledger for the trunk and its branches."""
        ...

    def look(self) -> int:
        """See what others have written to the chain. Returns a number that is another than before where anything that
        was read of it may be other now without a write by this ledger."""
        ...

    def is_held(self) -> bool:
        """Whether nobody else can have written to the chain since `look`. Any thread may ask, and waits for nothing;
        where it is not sure the answer is False."""
        ...

    def close(self) -> None: ...


# The trunk as people call it: what is so, in contrast to the what-ifs of the branches.
TRUNK = "main"
TRUNK_NAMES = (TRUNK, "trunk", "主线")


def branch_name(text: str) -> str | None:
    """A branch's name as it is kept, whichever way it was typed; None for the trunk's names."""
    name = unicodedata.normalize("NFC", text).strip()
    return None if name.lower() in TRUNK_NAMES else name


@dataclass(frozen=True)
class Branch:
    """A what-if: its parent (None: the trunk) as known at `moment`, and rows of its own over that.

    made_at: when it was made. changed: rows of its own by table. last_run: the run saved last on it. sees: the number
    of the last write to its parent that it sees.
    """

    name: str
    parent: str | None
    moment: datetime
    made_at: datetime
    note: str
    changed: Mapping[str, int]
    last_run: str | None
    sees: int


class Branches(Protocol):
    """The branches of a ledger.

    A branch is a frozen question: of its parent it sees what the parent held when the branch was made and knew by the
    branch's moment, whatever is learnt there later. Its own rows hold from that moment on; with the same row id and
    valid_from they take the place of the parent's. Of what is said on a branch at one moment, the last counts.
    Nothing is copied, and nothing that is done on a branch changes its parent.
    """

    def all(self) -> Sequence[Branch]:
        """Every branch, in the order in which they were made: a parent before its children."""
        ...

    def on(self, name: str) -> Ledger:
        """The ledger as a branch has it. Raises NotFound."""
        ...

    def make(self, name: str, parent: str | None, moment: datetime, made_at: datetime, note: str, *, by: str) -> None:
        """Make a branch. Raises Refused for a name that is taken or no name, or a moment before the parent's own."""
        ...

    def rename(self, name: str, new_name: str, at: datetime, *, by: str) -> None:
        """Give a branch another name. Raises NotFound, Refused as `make` does."""
        ...

    def drop(self, name: str, at: datetime, *, by: str) -> None:
        """Delete a branch with its rows and runs. Raises NotFound, and Refused while other branches stand on it."""
        ...
