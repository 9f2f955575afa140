"""How long the loop takes: hours from what the market said to an order that a firm accepted.

An order counts once it is accepted and the run that proposed it named sales, returns, reviews or views among its
reasons. All moments are those at which something became known to the ledger: the rows, the run that saw them, the order
as given out, and the answer. So they follow one another, whatever a row says of when it happened.
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
from datong.model.words import Message, message
from datong.questions.tables_out import of_orders
from datong.sense.found import number

# Tables of what the market says.
MARKET_TABLES = ("sales", "returns", "reviews", "interest")
# An order in one of these states was accepted, whether the firm said so or began at once.
ACCEPTED_STATES = ("accepted", "started", "partly_done", "done")


@dataclass(frozen=True)
class AcceptedOrder:
    """An accepted order and the moments at which each step to it became known.

    first_row, last_row: of the rows of the market that its reasons name, the first and the last. planned: of the run
    that proposed it. given_out: its release. accepted: the answer. is_assumed: the moment of some row is assumed.
    """

    order: str
    first_row: datetime
    last_row: datetime
    planned: datetime
    given_out: datetime
    accepted: datetime
    is_assumed: bool


@dataclass(frozen=True)
class HoursToOrder:
    """orders: accepted ones, by the moment of the answer. waiting: how many more are out, with rows of the market among
    their reasons, that nobody has accepted. runs: how many kept runs were looked at."""

    orders: tuple[AcceptedOrder, ...]
    waiting: int
    runs: int

    @property
    def median_hours(self) -> float | None:
        """From the last row to the answer; None where no order was accepted."""
        return self._median("last_row", "accepted")

    def _median(self, begin: str, end: str) -> float | None:
        return median(_hours(getattr(o, begin), getattr(o, end)) for o in self.orders) if self.orders else None

    @property
    def text(self) -> tuple[Message, ...]:
        """What it says, a sentence each."""
        if not self.orders:
            return (message("findings.hours_none"), *self._waiting)
        steps = {"to_plan": ("last_row", "planned"), "to_out": ("planned", "given_out")}
        steps |= {"to_answer": ("given_out", "accepted"), "of_first": ("first_row", "accepted")}
        hours = {name: _told(self._median(*ends)) for name, ends in steps.items()}
        words = {"hours": _told(self.median_hours), "count": len(self.orders), "runs": self.runs}
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
    tables, as kept."""

    moment: datetime
    signals: pa.Table
    reasons: pa.Table


def hours_to_order(state: State, runs: Mapping[str, Proposed]) -> HoursToOrder:
    """runs: by their number, those whose orders are looked at."""
    out = {r["order"]: r["run"] for r in state.table("orders").select(["order", "run"]).to_pylist() if r["run"] in runs}
    given_out, accepted = _first_told(state, ("released",)), _first_told(state, ACCEPTED_STATES)
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
        told = (min(known), max(known), planned, given_out[order], accepted[order], is_assumed)
        orders.append(AcceptedOrder(order, *told))
    return HoursToOrder(tuple(sorted(orders, key=lambda o: (o.accepted, o.order))), waiting, len(runs))


def _hours(begin: datetime, end: datetime) -> float:
    return (end - begin).total_seconds() / 3600


def _told(hours: float | None) -> str:
    return number(round(hours or 0.0, 1))


def _first_told(state: State, states: Sequence[str]) -> dict[str, datetime]:
    """By order: the moment at which the first event with one of these states became known."""
    events = state.table("order_events")
    rows = events.filter(pc.is_in(events["state"], pa.array(states, pa.string())))
    found = rows.group_by("order").aggregate([("known_at", "min")])
    return dict(zip(found["order"].to_pylist(), found["known_at_min"].to_pylist(), strict=True))


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
