"""What a ledger does. store/ implements it; everything else knows only this."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import pyarrow as pa

from datong.ledger.state import State
from datong.ledger.validate import CheckedRows
from datong.model.findings import Finding
from datong.model.settings import ChainSettings


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

    `tables` are the stages' results by name (see cycle.py).
    """

    run: str
    as_of: datetime
    seed: int
    tables: Mapping[str, pa.Table]


class Ledger(Protocol):
    """The one truth of a chain: what happened, when we knew it, and what was run on it."""

    settings: ChainSettings

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
    ) -> IngestReport:
        """Take in checked rows (see ledger/validate.py) in one transaction; keep rejected ones in quarantine.

        Idempotent: rows already known change nothing. A row with a known id and a later known_at supersedes.
        retried: quarantine ids that these rows replace; they leave the quarantine in the same transaction.
        whole: the source has no other rows, so that those of it in quarantine that are not rejected now were mended.
        """
        ...

    def take_in(
        self, table: str, checked: CheckedRows, source: str, arrived_at: datetime, whole: bool = False
    ) -> IngestReport:
        """As `ingest`, of rows that come batch by batch. In one transaction all the same."""
        ...

    def intake(self, place: str) -> Intake | None:
        """What was noted of a place last; None where nothing was."""
        ...

    def note_intake(self, intake: Intake) -> None:
        """Remember what was taken in."""
        ...

    def last_ingests(self) -> Mapping[str, int]:
        """The number of the last ingest or withdrawal that changed each table; tables without one are not there."""
        ...

    def vanished(self, table: str, rows: int, named: Callable[[], CheckedRows], source: str) -> Sequence[str]:
        """Row ids that came from `source` and that its good rows do not name now, in order.

        rows: how many those are; named: gives them, where they are needed. For events only where the ledger holds more
        rows of the source than it has now.
        """
        ...

    def state(self, as_of: datetime) -> State:
        """The world as known at `as_of`."""
        ...

    def latest_known_at(self) -> datetime | None:
        """The last moment at which anything became known; None for an empty ledger."""
        ...

    def withdraw(self, table: str, row_ids: Sequence[str], known_at: datetime) -> int:
        """Say that rows no longer hold from `known_at` on; they stay visible before it. Returns how many."""
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

    def save_run(self, run: RunRecord) -> None:
        """Keep a run. Saving the same run again only makes it the last one saved."""
        ...

    def runs(self, as_of: datetime | None = None) -> pa.Table:
        """run, as_of, seed, saved of the kept runs with as_of not after the given one, oldest first.

        `saved` counts up with each saving.
        """
        ...

    def run_table_names(self, run: str) -> tuple[str, ...]:
        """Names of a kept run's tables; empty for an unknown run."""
        ...

    def run_table(self, run: str, name: str) -> pa.Table:
        """One result table of a kept run. Raises NotFound."""
        ...

    def close(self) -> None: ...
