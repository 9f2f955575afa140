"""A chain of one company, opened: its folder, its ledger, and everything one can do with them.

The one place where files, ledger, clock and the pure loop meet. `datong.open(DIR)` gives a Chain.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, time
from functools import cached_property
from pathlib import Path
from types import TracebackType

import pyarrow as pa

from datong import __version__
from datong.app.frames import Frame
from datong.app.tables_out import run_tables
from datong.connectors.files.folder import CheckResult, check_folder
from datong.connectors.files.mapping import apply_mapping, read_mapping
from datong.connectors.files.read import read_source
from datong.cycle import CycleResult, run_cycle
from datong.learn.memory import learnt_from_table, learnt_table
from datong.ledger.protocol import IngestReport, Ledger, RunRecord
from datong.ledger.state import State
from datong.ledger.validate import validate
from datong.model.errors import BadInput, NotFound, Refused
from datong.model.findings import Finding, has_errors
from datong.model.flow import Learnt, nothing_learnt
from datong.model.settings import ChainSettings
from datong.model.tables import tables
from datong.model.words import message
from datong.replay.replay import ReplayResult, replay
from datong.store.duckdb_ledger import open_ledger

LEDGER_FILE = Path(".datong") / "ledger.duckdb"


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, eq=False)
class RunResult:
    """One run: its id, its moment, and its tables by name."""

    run: str
    as_of: datetime
    settings: ChainSettings
    tables: dict[str, pa.Table]
    cycle: CycleResult

    def __getattr__(self, name: str) -> Frame:
        """A table of the run as a frame: `result.orders`, `result.signals`, `result.forecast`, ..."""
        tables_ = self.__dict__.get("tables", {})
        if name in tables_:
            return Frame(name, tables_[name])
        raise AttributeError(name)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.tables]


class Chain:
    """An open chain. Use it in a `with` block, or close it: while it is open, no other process can open it."""

    def __init__(self, folder: Path, now: Callable[[], datetime] = utc_now) -> None:
        self.folder = folder
        self._now = now
        self.checked: CheckResult = check_folder(folder)
        if self.checked.settings is None:
            raise BadInput(message("app.cannot_open", folder=str(folder)), self.checked.findings)
        self.settings: ChainSettings = self.checked.settings
        self.ledger: Ledger = open_ledger(folder / LEDGER_FILE, self.settings)
        self.ingested: tuple[IngestReport, ...] = self._take_in_tables()

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
        """What is wrong with the folder's tables; rows with an error are in quarantine."""
        return tuple(self.checked.findings)

    def _take_in_tables(self) -> tuple[IngestReport, ...]:
        """Bring the ledger up to date with the folder's tables; what it knows already changes nothing."""
        arrived_at = self._now()
        reports = []
        for name, checked in self.checked.checked.items():
            reports.append(
                self.ledger.ingest(
                    name, checked.rows, checked.rejected, checked.findings, source=f"{name}", arrived_at=arrived_at
                )
            )
        return tuple(reports)

    def ingest(self, file: Path, table: str | None = None, mapping: Path | None = None) -> tuple[IngestReport, ...]:
        """Take events or facts from a file. Its table is `table`, or the file's or sheet's name, or the mapping says.

        Raises BadInput where nothing of the file can be used.
        """
        sources, findings = read_source(file)
        parts = []
        rules = None
        if mapping is not None:
            rules, problems = read_mapping(mapping)
            findings = [*findings, *problems]
        for source in sources:
            if mapping is None:
                parts.append((table or Path(source.name).stem, source))
            elif rules is not None:
                mapped, problems = apply_mapping(rules, source)
                findings = [*findings, *problems]
                parts += mapped
        if not parts:
            raise BadInput(message("app.cannot_ingest", file=str(file)), findings)
        unknown = [name for name, _ in parts if name not in tables()]
        if unknown:
            raise BadInput(message("app.unknown_table", table=", ".join(unknown), tables=", ".join(tables())), findings)
        arrived_at = self._now()
        order = list(tables())
        reports = []
        for name, source in sorted(parts, key=lambda part: order.index(part[0])):
            checked = validate(tables()[name], source.rows, source.name, self.settings)
            reports.append(
                self.ledger.ingest(
                    name, checked.rows, checked.rejected, checked.findings, source=file.name, arrived_at=arrived_at
                )
            )
        return tuple(reports)

    def default_as_of(self) -> datetime:
        """The last moment at which anything became known, but not before the settings' start."""
        latest = self.ledger.latest_known_at()
        start = self.settings.start
        floor = None if start is None else self.settings.calendar.midnight(start)
        moments = [m for m in (latest, floor) if m is not None]
        if not moments:
            raise NotFound(message("app.nothing_known", folder=str(self.folder)))
        return max(moments)

    def state(self, as_of: datetime | None = None) -> State:
        """The world as known at a moment (default: the last one at which anything became known)."""
        return self.ledger.state(as_of or self.default_as_of())

    def run(
        self,
        as_of: datetime | None = None,
        seed: int | None = None,
        on_stage: Callable[[str], None] = lambda _stage: None,
    ) -> RunResult:
        """One cycle of the loop; the run is kept in the ledger."""
        state = self.state(as_of)
        self._demand_is_known(state)
        seed = self.settings.seed if seed is None else seed
        past = self.past_runs(state.as_of)
        used = learnt_from_table(past[-1].tables["learnt"]) if past else nothing_learnt()
        result = run_cycle(state, used, past, seed, on_stage)
        record = run_record(state, used, seed, result)
        self.ledger.save_run(record)
        return RunResult(record.run, state.as_of, self.settings, dict(record.tables), result)

    def past_runs(self, before: datetime) -> list[RunRecord]:
        """Kept runs before a moment, oldest first, the latest one of each moment, with what learning needs of them."""
        rows = self.ledger.runs(before).to_pylist()
        by_moment = {row["as_of"]: row for row in rows if row["as_of"] < before}
        names = ("forecast", "learnt_used", "learnt", "orders")
        return [
            RunRecord(
                row["run"], moment, row["seed"], {name: self.ledger.run_table(row["run"], name) for name in names}
            )
            for moment, row in sorted(by_moment.items())
        ]

    def replay(self, buckets: int = 8, seed: int | None = None, on_step: Callable[[int], None] = lambda _n: None) -> ReplayResult:
        """History of the last `buckets` closed buckets through the loop, beside what the company did."""
        return replay(
            self.ledger.state,
            actual=self.state(),
            buckets=buckets,
            seed=self.settings.seed if seed is None else seed,
            record=run_record,
            on_step=on_step,
        )

    def _demand_is_known(self, state: State) -> None:
        if not state.table("products").num_rows or not (state.table("sales").num_rows or state.table("demand").num_rows):
            raise BadInput(message("app.no_demand", folder=str(self.folder), as_of=state.as_of), self.findings)


def run_record(state: State, used: Learnt, seed: int, result: CycleResult) -> RunRecord:
    """The run as it is kept. Its id is a hash of everything that went in."""
    kept = {**run_tables(result), "learnt_used": learnt_table(used), "learnt": learnt_table(result.learnt)}
    digest = hashlib.sha256(f"{__version__}|{seed}|{state.as_of.isoformat()}".encode())
    digest.update(json.dumps(asdict(state.settings), default=str, sort_keys=True).encode())
    for name in tables():
        digest.update(content_bytes(state.table(name)))
    digest.update(content_bytes(kept["learnt_used"]))
    return RunRecord(f"R{state.today:%Y%m%d}-{digest.hexdigest()[:8]}", state.as_of, seed, kept)


def content_bytes(table: pa.Table) -> bytes:
    """The same bytes for the same rows."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return sink.getvalue().to_pybytes()


def parse_moment(text: str, settings: ChainSettings) -> datetime:
    """A moment as a user writes it: ISO; a date alone is its local midnight; without offset it is local time."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Refused(message("app.not_a_moment", text=text)) from error
    if moment.time() == time() and moment.tzinfo is None:
        return settings.calendar.midnight(moment.date())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=settings.calendar.zone)
    return moment.astimezone(UTC)
