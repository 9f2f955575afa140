"""Lead times of orders that are done, by recipe or offer: what a plan counts on.

Of orders that are still out, `network/overdue_arrivals.py` says when they are expected. `replenish`, which looks at one
item by itself, has chances instead (`replenish_lead_times.py`).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.state import State
from datong.model.calendar import Calendar

# Lead times and yields count from this many finished orders on; a yield leans on the recipe's own with this weight.
LEAST_ORDERS = 5


@dataclass(frozen=True)
class FinishedOrder:
    """An order that was released and done.

    source: its recipe or offer. lead_days: from the day on which it could start (its start, or its release if later)
    to the one on which it was done; 0 where that is in the same bucket, as planning has it that units of such a lead
    are there in the bucket of their start. told_at: when it became known that it was done.
    """

    order: str
    product: str
    source: str | None
    units: float
    good_units: float | None
    lead_days: float
    told_at: datetime


def finished_orders(state: State) -> list[FinishedOrder]:
    """In order of their numbers."""
    events = state.table("order_events").select(["order", "state", "happened_at", "known_at", "good_units"])
    events = events.filter(pc.is_in(events["state"], pa.array(["released", "done"])))
    of_order: dict[str, dict[str, list[dict]]] = defaultdict(lambda: defaultdict(list))
    for event in events.to_pylist():
        of_order[event["order"]][event["state"]].append(event)
    columns = ["order", "product", "recipe", "offer", "units", "start"]
    calendar, found = state.settings.calendar, []
    for row in state.table("orders").select(columns).to_pylist() if of_order else ():
        released, done = (of_order.get(row["order"], {}).get(name, []) for name in ("released", "done"))
        if not released or not done:
            continue
        out = calendar.local_date(min(event["happened_at"] for event in released))
        end = calendar.local_date(max(event["happened_at"] for event in done))
        found.append(
            FinishedOrder(
                order=row["order"],
                product=row["product"],
                source=row["recipe"] or row["offer"],
                units=row["units"],
                good_units=max((e["good_units"] for e in done if e["good_units"] is not None), default=None),
                lead_days=_lead_days(calendar, max(row["start"], out), end),
                told_at=max(event["known_at"] or event["happened_at"] for event in done),
            )
        )
    return sorted(found, key=lambda one: one.order)


def _lead_days(calendar: Calendar, begun: date, done: date) -> float:
    return float((done - begun).days) if calendar.index(done, begun) > 0 else 0.0


def lead_days(orders: Sequence[FinishedOrder]) -> dict[str, tuple[float, ...]]:
    """Past lead times by recipe or offer, sorted, where at least LEAST_ORDERS orders are done."""
    known: dict[str, list[float]] = defaultdict(list)
    for order in orders:
        if order.source is not None:
            known[order.source].append(order.lead_days)
    return {source: tuple(sorted(days)) for source, days in sorted(known.items()) if len(days) >= LEAST_ORDERS}
