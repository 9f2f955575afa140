"""Transfers on the way: goods that left one site of the chain and are not yet at the other.

A shipment to a site is recorded as it leaves. It is there after the lead time of its lane: that of the transfer order
that it names, else the quickest from the one site to the other; where no lane says, at once. What is reported of the
order (units so far, or received for it) is there then, what left first before what left later; once it is done, all is.

What is reported beyond what shipments say left as the order began, and came as it was reported. Of an order of which
shipments are recorded, what none of them has sent lies where it is to leave; one that began, and of which none is, has
left as a whole.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.order_life import Standing, events_of_table, standings
from datong.ledger.standings import LEAST_UNITS, begun_at
from datong.ledger.state import State


@dataclass(frozen=True, slots=True)
class Reported:
    """Units of a transfer that no shipment tells of; below zero where one that was recorded later does. from_site,
    to_site: '' where nobody says."""

    product: str
    from_site: str
    to_site: str
    left: datetime
    came: datetime
    units: float


@dataclass(frozen=True, slots=True)
class _Heard:
    """What is reported of a transfer at a moment. units: that came of it so far."""

    moment: datetime
    units: float
    is_done: bool


def transfers(state: State) -> pa.Table:
    """Shipments to sites of the chain, with the moment `arrives` at which each is there."""
    rows = state.table("shipments")
    rows = rows.filter(pc.is_valid(rows["to_site"]))
    if not rows.num_rows or not state.table("lanes").num_rows:  # nothing says how long they take
        return rows.append_column("arrives", rows["happened_at"])
    lead, quickest = _lead_days(state)
    lane_of = dict(zip(*(state.table("orders")[c].to_pylist() for c in ("order", "lane")), strict=True))
    heard = _heard(state)
    sent: dict[str, float] = defaultdict(float)
    at: list[int] = []
    units: list[float] = []
    arrives: list[datetime] = []
    columns = rows.select(["order", "product", "from_site", "to_site", "happened_at", "units"]).to_pylist()
    for i in sorted(range(len(columns)), key=lambda i: (columns[i]["happened_at"], i)):
        row = columns[i]
        ends = row["from_site"] or "", row["to_site"]
        days = lead.get(lane_of.get(row["order"]) or "")
        if days is None:
            days = quickest.get((*ends, row["product"]), quickest.get((*ends, ""), 0.0))
        before = sent[row["order"]]
        sent[row["order"]] += row["units"]
        for moment, part in _parts(row, before, row["happened_at"] + timedelta(days=days), heard.get(row["order"], ())):
            at.append(i)
            units.append(part)
            arrives.append(moment)
    parts = rows.take(pa.array(at, pa.int64()))
    parts = parts.set_column(parts.column_names.index("units"), "units", pa.array(units, rows["units"].type))
    return parts.append_column("arrives", pa.array(arrives, rows["happened_at"].type))


def _parts(
    row: Mapping[str, Any], before: float, there: datetime, heard: Sequence[_Heard]
) -> list[tuple[datetime, float]]:
    """When the units of a shipment are there, in parts. before: units of its order that left sooner; there: when all of
    it is, at the latest."""
    parts, left, come = [], row["units"], before
    for told in heard:
        if told.moment >= there or left <= LEAST_UNITS:
            break
        more = left if told.is_done else min(told.units - come, left)
        if told.moment >= row["happened_at"] and more > LEAST_UNITS:
            parts.append((told.moment, more))
            left, come = left - more, come + more
    return [*parts, (there, left)] if left > LEAST_UNITS or not parts else parts


def arrived(state: State) -> pa.Table:
    """Transfers that are there at the state's moment; happened_at: since when."""
    rows = transfers(state)
    rows = rows.filter(pc.less_equal(rows["arrives"], pa.scalar(state.as_of, rows["arrives"].type)))
    return rows.set_column(rows.column_names.index("happened_at"), "happened_at", rows["arrives"])


def still_on_the_way(state: State) -> pa.Table:
    """Transfers that left and are not there yet, with the moment `arrives`."""
    rows = transfers(state)
    return rows.filter(pc.greater(rows["arrives"], pa.scalar(state.as_of, rows["arrives"].type)))


def _lead_days(state: State) -> tuple[dict[str, float], dict[tuple[str, str, str], float]]:
    """Lead time by lane, and the shortest by its two sites and product ('' for a lane of all products)."""
    lanes = state.table("lanes").select(["lane", "from_site", "to_site", "product", "lead_days"]).to_pylist()
    quickest: dict[tuple[str, str, str], float] = {}
    for row in lanes:
        ends = row["from_site"], row["to_site"], row["product"] or ""
        quickest[ends] = min(quickest.get(ends, row["lead_days"]), row["lead_days"])
    return {row["lane"]: row["lead_days"] for row in lanes}, quickest


def sent_by_shipments(state: State) -> set[str]:
    """Transfer orders of which shipments say what has left."""
    rows = state.table("shipments")
    return set(pc.unique(rows["order"].filter(pc.is_valid(rows["to_site"]))).to_pylist()) - {None}


def receipts_of_suppliers(state: State) -> pa.Table:
    """`receipts` without those that name a transfer order: these report what has come of it."""
    rows, orders = state.table("receipts"), state.table("orders")
    moves = orders["order"].filter(pc.equal(orders["kind"], "move")).combine_chunks()
    return rows.filter(pc.invert(pc.fill_null(pc.is_in(rows["order"], moves), False)))


def reported_beyond_shipments(state: State, stands: Mapping[str, Standing]) -> list[Reported]:
    """See the module."""
    heard = _heard(state)
    if not heard:
        return []
    lanes = {row["lane"]: row for row in state.table("lanes").select(["lane", "from_site", "to_site"]).to_pylist()}
    shipped: dict[str, list[tuple[datetime, float]]] = defaultdict(list)
    rows = state.table("shipments")
    rows = rows.filter(pc.is_valid(rows["to_site"])).select(["order", "happened_at", "units"])
    for row in rows.to_pylist():
        shipped[row["order"]].append((row["happened_at"], row["units"]))
    orders = state.table("orders")
    found = []
    for row in orders.filter(pc.is_in(orders["order"], pa.array(sorted(heard), pa.string()))).to_pylist():
        lane, sent = lanes.get(row["lane"] or "", {}), shipped.get(row["order"], [])
        ends = lane.get("from_site") or "", row["site"] or lane.get("to_site") or ""
        began = None if sent else begun_at(stands.get(row["order"]), row["start"], state.settings.calendar)
        whole = sum(units for _, units in sent) or row["units"]
        for moment, more in _beyond(heard[row["order"]], sent, whole):
            found.append(Reported(row["product"], *ends, left=began or moment, came=moment, units=more))
    return found


def _beyond(
    heard: Sequence[_Heard], sent: Sequence[tuple[datetime, float]], whole: float
) -> Iterator[tuple[datetime, float]]:
    """Changes, by moment, of what was reported so far beyond what had left. whole: what came of an order that is done
    without a word of units."""
    before = 0.0
    for moment in sorted({*(h.moment for h in heard), *(at for at, _ in sent)}):
        told = [whole if h.is_done and h.units <= LEAST_UNITS else h.units for h in heard if h.moment <= moment]
        now = max(max(told, default=0.0) - sum(units for at, units in sent if at <= moment), 0.0)
        if abs(now - before) > LEAST_UNITS:
            yield moment, now - before
        before = now


def _heard(state: State) -> dict[str, list[_Heard]]:
    """What is reported of each transfer order, by moment: its events, and receipts that name it, whichever say more."""
    orders = state.table("orders")
    moves = orders["order"].filter(pc.equal(orders["kind"], "move")).combine_chunks()
    if not len(moves):
        return {}
    events, receipts = (state.table(name) for name in ("order_events", "receipts"))
    found: dict[str, list[_Heard]] = defaultdict(list)
    for order, told in events_of_table(events.filter(pc.is_in(events["order"], moves))).items():
        for stand in standings(told):
            is_done = stand.state == "done"
            if stand.happened_at is not None and (is_done or stand.good_units > LEAST_UNITS):
                found[order].append(_Heard(stand.happened_at, stand.good_units, is_done))
    rows = receipts.filter(pc.is_in(receipts["order"], moves)).select(["order", "happened_at", "units"])
    so_far: dict[str, float] = defaultdict(float)
    for row in sorted(rows.to_pylist(), key=lambda r: r["happened_at"]):
        so_far[row["order"]] += row["units"]
        found[row["order"]].append(_Heard(row["happened_at"], so_far[row["order"]], is_done=False))
    return {order: sorted(told, key=lambda h: h.moment) for order, told in found.items()}
