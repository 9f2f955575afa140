"""Transfers on the way: goods that left one site of the chain and are not yet at the other.

A shipment to a site is recorded as it leaves. It is there after the lead time of its lane: that of the transfer order
that it names, else the quickest from the one site to the other; where no lane says, at once. A transfer of which
units are reported is there then.
"""

from collections import defaultdict
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.state import State


def transfers(state: State) -> pa.Table:
    """Shipments to sites of the chain, with the moment `arrives` at which each is there."""
    rows = state.table("shipments")
    rows = rows.filter(pc.is_valid(rows["to_site"]))
    if not rows.num_rows or not state.table("lanes").num_rows:  # nothing says how long they take
        return rows.append_column("arrives", rows["happened_at"])
    lead, quickest = _lead_days(state)
    lane_of = dict(zip(*(state.table("orders")[c].to_pylist() for c in ("order", "lane")), strict=True))
    reported = _reported(state)
    arrives = []
    for row in rows.select(["order", "product", "from_site", "to_site", "happened_at"]).to_pylist():
        ends = row["from_site"] or "", row["to_site"]
        days = lead.get(lane_of.get(row["order"]) or "")
        if days is None:
            days = quickest.get((*ends, row["product"]), quickest.get((*ends, ""), 0.0))
        there = row["happened_at"] + timedelta(days=days)
        heard = [moment for moment in reported.get(row["order"], ()) if moment >= row["happened_at"]]
        arrives.append(min([there, *heard]))
    return rows.append_column("arrives", pa.array(arrives, rows["happened_at"].type))


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


def _reported(state: State) -> dict[str, list[datetime]]:
    """By order, the moments at which it was reported done, or units of it were."""
    events = state.table("order_events").select(["order", "state", "happened_at", "good_units"])
    found: dict[str, list[datetime]] = defaultdict(list)
    for row in events.to_pylist():
        if row["state"] in ("partly_done", "done") or row["good_units"]:
            found[row["order"]].append(row["happened_at"])
    return found
