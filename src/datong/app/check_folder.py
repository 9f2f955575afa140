"""`datong check`: what is wrong with a folder's rows, and what a plan made of them would not be.

The chain's own ledger is left alone: it may be open elsewhere. The tables that say what exists go into a ledger of the
check's own; of events it takes what became of orders, of the others only when the last one became known, and what was
sold where.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from datong.app.clock import default_moment, today
from datong.app.stores import has_ledger
from datong.app.wiring import utc_now
from datong.connectors.files.folder import CheckResult, Outcome, Part, check_folder, count
from datong.connectors.files.settings import read_settings
from datong.ledger.protocol import Ledger
from datong.ledger.row_checks import DATE_ONLY, ROW, CheckedRows
from datong.ledger.row_ids import SINCE_EVER, event_known_at
from datong.ledger.spread_sales import SpreadSales
from datong.model.findings import Finding, has_errors
from datong.model.settings import ChainSettings
from datong.model.tables import Table, tables
from datong.store.duckdb_ledger import ledger_in_memory

# Events by which it is known what came of an order.
_OF_ORDERS = frozenset({"order_events", "receipts", "production"})
# Who writes to the ledger that lives only as long as the check.
_BY = "check"


def check_chain(
    folder: Path,
    now: Callable[[], datetime] = utc_now,
    on_rows: Callable[[str, int], None] = lambda _table, _rows: None,
) -> CheckResult:
    """Every finding of a folder: of its files and rows, and of what would be planned of them. Keeps no rows."""
    settings, wrong = read_settings(folder) if folder.is_dir() else (None, [])
    if settings is None or has_errors(wrong):
        return check_folder(folder, count, keep_rejected=False, on_rows=on_rows, today=now().date())
    with ledger_in_memory(settings) as ledger:
        ledger.now = now
        look = _Look(ledger, settings, now())
        # Orders that were given out from here stand in the ledger, which a check does not open.
        unchecked = frozenset({"orders"} if has_ledger(folder) else ())
        result = check_folder(folder, look.take, on_rows=on_rows, today=today(now, settings), unchecked=unchecked)
        if any(f.severity == "error" and f.row is None for f in result.findings):
            return result  # nothing would be planned of it
        return replace(result, findings=(*result.findings, *look.review()))


class _Look:
    """Takes the tables of a folder as far as a review needs them."""

    def __init__(self, ledger: Ledger, settings: ChainSettings, now: datetime) -> None:
        self._ledger = ledger
        self._settings = settings
        self._now = now
        self._latest: datetime | None = None
        self._seen: set[tuple[object, ...]] = set()
        self._spread = SpreadSales()

    def take(self, part: Part, rows: CheckedRows, _known: Mapping[str, pa.Array]) -> Outcome:
        table = tables()[part.table]
        if table.kind == "master" or table.name in _OF_ORDERS:
            whole = table.kind == "master"
            report = self._ledger.take_in(table.name, rows, table.name, self._now, whole=whole, by=_BY)
            return Outcome(report.rows, tuple(rows.findings))
        number = 0
        for checked in rows.batches():
            number += checked.rows.num_rows + checked.rejected.num_rows
            if checked.rows.num_rows:
                self._see(table, checked.rows)
        rows.repeated()  # findings on them are wanted too
        return Outcome(number, tuple(rows.findings))

    def review(self) -> tuple[Finding, ...]:
        """Of the state as of the moment that a plan of the folder would be made for."""
        known = (self._latest, self._ledger.latest_known_at())
        latest = max((moment for moment in known if moment is not None), default=None)
        moment = default_moment(self._settings, latest, self._now)
        if moment is None:
            return ()
        from datong.network.doubts_before_planning import review
        from datong.network.notices import (  # they take seconds to import: not where there is nothing to look at
            notices,
            overdue_orders,
        )

        state = self._ledger.state(moment)
        late = overdue_orders(state)
        wanted = state.table("sales").num_rows or state.table("demand").num_rows
        if not wanted or not state.table("products").num_rows:
            return late
        return (*review(state), *notices(state), *late, *self._spread.told())

    def _see(self, table: Table, rows: pa.Table) -> None:
        """When the last of these events became known; and, of what was sold or came back, each product and market."""
        nothing = pa.chunked_array([pa.nulls(rows.num_rows, pa.timestamp("us", tz="UTC"))])
        known_at = rows["known_at"] if "known_at" in rows.column_names else nothing
        day_only = rows[DATE_ONLY].fill_null(False).to_numpy()
        opening = self._settings.start if table.name == "stock" else None
        now = self._now
        known_at = event_known_at(rows["happened_at"], known_at, day_only, self._settings, now, opening, now)
        last = pc.max(known_at).as_py()
        self._latest = last if self._latest is None else max(last, self._latest)
        if table.name not in ("sales", "returns"):
            return
        if table.name == "sales":
            self._spread = self._spread.and_of(rows, self._settings.calendar)
        columns = [name for name in ("product", "market") if name in rows.column_names]
        keys = rows.select(columns).group_by(columns, use_threads=False).aggregate([]).to_pylist()
        fresh = [key for key in keys if (table.name, *key.values()) not in self._seen]
        self._seen |= {(table.name, *key.values()) for key in fresh}
        if fresh:
            nothing_yet = {"units": 0.0, "happened_at": SINCE_EVER, "known_at": SINCE_EVER}
            events = pa.Table.from_pylist([{**key, **nothing_yet, ROW: n} for n, key in enumerate(fresh)])
            self._ledger.ingest(table.name, events, None, (), table.name, self._now, by=_BY)
