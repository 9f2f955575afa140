"""How long the loop takes: hours from what the market said to an order that a firm accepted.

An order counts once it is accepted and the run that proposed it named sales, returns, reviews or views among its
reasons. On a chain of live records all moments are those at which something became known to the ledger: the rows, the
run that saw them, the order as given out, and the answer. So they follow one another, whatever a row says of when it
happened. A chain of declared history has its own clock, which stands still at the end of its records: what people do
there is dated by the clock of the world (`acted_at`), and how long the market waited before it is not known.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.state import State
from datong.model.tables import ACTED_AT
from datong.model.words import Message, message
from datong.questions.tables_out import of_orders
from datong.sense.change_found import number

# Tables of what the market says.
MARKET_TABLES = ("sales", "returns", "reviews", "interest")
# An order in one of these states was accepted, whether the firm said so or began at once.
ACCEPTED_STATES = ("accepted", "started", "partly_done", "done")


@dataclass(frozen=True)
class AcceptedOrder:
    """An accepted order and the moments of each step to it. None: cannot be told.

    first_row, last_row: of the rows of the market that its reasons name, the first and the last. planned: of the run
    that proposed it. given_out: its release. accepted: the answer. is_assumed: the moment of some row is assumed.
    """

    order: str
    first_row: datetime | None
    last_row: datetime | None
    planned: datetime | None
    given_out: datetime | None
    accepted: datetime | None
    is_assumed: bool


@dataclass(frozen=True)
class HoursToOrder:
    """orders: accepted ones, by the moment of the answer. waiting: how many more are out, with rows of the market among
    their reasons, that nobody has accepted. runs: how many kept runs were looked at. is_live: the records come in as
    things happen, so that the hours from the market are known."""

    orders: tuple[AcceptedOrder, ...]
    waiting: int
    runs: int
    is_live: bool = True

    @property
    def median_hours(self) -> float | None:
        """From the last row to the answer; None where no order was accepted, or that cannot be told."""
        return self._median("last_row", "accepted")

    def _median(self, begin: str, end: str) -> float | None:
        pairs = [(getattr(o, begin), getattr(o, end)) for o in self.orders]
        known = [_hours(first, last) for first, last in pairs if first is not None and last is not None]
        return median(known) if known else None

    @property
    def text(self) -> tuple[Message, ...]:
        """What it says, a sentence each."""
        if not self.orders:
            return (message("findings.hours_none"), *self._waiting)
        steps = {"to_plan": ("last_row", "planned"), "to_out": ("planned", "given_out")}
        steps |= {"to_answer": ("given_out", "accepted"), "of_first": ("first_row", "accepted")}
        hours = {name: _told(self._median(*ends)) for name, ends in steps.items()}
        words = {"hours": _told(self.median_hours), "count": len(self.orders), "runs": self.runs}
        if not self.is_live:
            return (message("findings.hours_untold", **words), message("findings.hours_acts", **hours), *self._waiting)
        told = [message("findings.hours", **words), message("findings.hours_steps", **hours)]
        assumed = sum(o.is_assumed for o in self.orders)
        told += [message("findings.hours_assumed", count=assumed)] if assumed else []
        return (*told, *self._waiting)

    @property
    def _waiting(self) -> tuple[Message, ...]:
        return (message("findings.hours_waiting", count=self.waiting),) if self.waiting else ()


@dataclass(frozen=True, eq=False)
class Proposed:
    """What a kept run said of the orders that were given out of it. moment: that it stands on. signals, reasons: its
    tables, as kept. kept_at: when it was kept, by the clock of the world; None: not noted."""

    moment: datetime
    signals: pa.Table
    reasons: pa.Table
    kept_at: datetime | None = None


def hours_to_order(state: State, runs: Mapping[str, Proposed]) -> HoursToOrder:
    """runs: by their number, those whose orders are looked at."""
    out = {r["order"]: r["run"] for r in state.table("orders").select(["order", "run"]).to_pylist() if r["run"] in runs}
    given_out, accepted = _first_told(state, ("released",)), _first_told(state, ACCEPTED_STATES)
    is_live = state.settings.history == "live"
    rows_of = {
        order: found
        for name, run in runs.items()
        for order, found in _market_rows(run, [o for o, of in out.items() if of == name]).items()
    }
    moments = _moments(state, rows_of.values())
    orders, waiting = [], 0
    for order, rows in sorted(rows_of.items()):
        planned = runs[out[order]].moment
        # A row that was corrected since says when that became known, and not what the run saw.
        seen = [moments[row] for row in rows if row in moments and moments[row][0] <= planned]
        if not seen or order not in given_out:
            continue
        if order not in accepted:
            waiting += 1
            continue
        known = [moment for moment, _ in seen]
        is_assumed = any(assumed for _, assumed in seen)
        if is_live:
            told = (min(known), max(known), planned, given_out[order].known_at, accepted[order].known_at, is_assumed)
        else:
            told = (None, None, runs[out[order]].kept_at, given_out[order].acted_at, accepted[order].acted_at, False)
        orders.append(AcceptedOrder(order, *told))
    orders.sort(key=lambda o: (accepted[o.order].known_at, o.order))
    return HoursToOrder(tuple(orders), waiting, len(runs), is_live)


def _hours(begin: datetime, end: datetime) -> float:
    return (end - begin).total_seconds() / 3600


def _told(hours: float | None) -> Message | str:
    return message("findings.hours_unknown") if hours is None else number(round(hours, 1))


@dataclass(frozen=True)
class _Event:
    """When something of an order became known, and when it was said, by the clock of the world."""

    known_at: datetime
    acted_at: datetime | None


def _first_told(state: State, states: Sequence[str]) -> dict[str, _Event]:
    """By order: the first event with one of these states."""
    events = state.table("order_events")
    rows = events.filter(pc.is_in(events["state"], pa.array(states, pa.string())))
    found = rows.group_by("order").aggregate([("known_at", "min"), (ACTED_AT, "min")])
    names = ("order", "known_at_min", f"{ACTED_AT}_min")
    return {order: _Event(*at) for order, *at in zip(*(found[name].to_pylist() for name in names), strict=True)}


# A row of the ledger: its table and its id.
_RowId = tuple[str, str]


def _market_rows(run: Proposed, orders: Sequence[str]) -> dict[str, set[_RowId]]:
    """By order: the rows of the market behind the signals among its reasons; orders without any are not there."""
    signals = run.signals.filter(pc.is_in(run.signals["evidence_table"], pa.array(MARKET_TABLES, pa.string())))
    rows: dict[tuple[str, str], set[_RowId]] = defaultdict(set)
    for row in signals.select(["text_key", "text_params", "evidence_table", "evidence"]).to_pylist():
        rows[row["text_key"], row["text_params"]] |= {(row["evidence_table"], name) for name in row["evidence"] or ()}
    reasons = of_orders(run.reasons, orders)
    found: dict[str, set[_RowId]] = defaultdict(set)
    for row in reasons.filter(pc.equal(reasons["stage"], "sense")).to_pylist():
        found[row["order"]] |= rows.get((row["text_key"], row["text_params"]), set())
    return {order: own for order, own in found.items() if own}


def _moments(state: State, rows: Iterable[set[_RowId]]) -> dict[_RowId, tuple[datetime, bool]]:
    """When each row became known, and whether that is assumed; rows that were withdrawn are not there."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for own in rows:
        for table, name in own:
            wanted[table].add(name)
    found: dict[_RowId, tuple[datetime, bool]] = {}
    for table, names in wanted.items():
        there = state.table(table).select(["row_id", "known_at", "assumed"])
        there = there.filter(pc.is_in(there["row_id"], pa.array(sorted(names), pa.string())))
        for row in there.to_pylist():
            found[table, row["row_id"]] = row["known_at"], _is_assumed(row)
    return found


def _is_assumed(row: Mapping[str, Any]) -> bool:
    return "known_at" in [name.strip() for name in (row["assumed"] or "").split(",")]
