"""What was refused, and is not asked of the same again: a refusal closes its way in the bucket of the order's start.

Whoever withdraws the event of the refusal (`datong withdraw order_events ROW`) opens the way again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from datong.ledger.life import OrderEvent, events_of_table, in_order, standing
from datong.ledger.state import State
from datong.model.flow import OrderKind
from datong.model.words import Message, message


@dataclass(frozen=True)
class Refusal:
    """An order that was refused. row: key of its recipe, offer or lane; first, after: days of the bucket of its start,
    the last not included. reason, counterparty: as they were told. event: row id of the refusal.
    """

    order: str
    kind: OrderKind
    product: str
    row: str
    units: float
    first: date
    after: date
    reason: str | None
    counterparty: str | None
    event: str

    @property
    def way(self) -> tuple[OrderKind, str, str]:
        """Kind, row and product of what it closes."""
        return self.kind, self.row, self.product

    @property
    def why(self) -> Message:
        """The reason as it was told, or that none was."""
        return message("facts.no_reason") if not self.reason else message("facts.reason", reason=self.reason)


def refusals(state: State, from_day: date) -> tuple[Refusal, ...]:
    """Refusals of orders that were to start in the bucket of `from_day` or later, by start and number."""
    events = state.table("order_events")
    if not events.num_rows:
        return ()
    calendar = state.settings.calendar
    told = events_of_table(events)
    keys = events.select(["order_event", "row_id"]).to_pylist()
    row_ids = {row["order_event"] or row["row_id"]: row["row_id"] for row in keys}
    found = []
    for order in state.table("orders").to_pylist():
        row, first = _row_of(order), calendar.bucket_start(order["start"])
        refused = _refused(told.get(order["order"], ()))
        if row is None or refused is None or first < calendar.bucket_start(from_day):
            continue
        found.append(
            Refusal(
                order=order["order"],
                kind=order["kind"],
                product=order["product"],
                row=row,
                units=order["units"],
                first=first,
                after=calendar.shift(first, 1),
                reason=refused.reason,
                counterparty=refused.counterparty,
                event=row_ids[refused.key],
            )
        )
    return tuple(sorted(found, key=lambda r: (r.first, r.order)))


def _row_of(order: Mapping[str, Any]) -> str | None:
    """The recipe, offer or lane of an order; None where it names none."""
    return order[{"make": "recipe", "buy": "offer", "move": "lane"}[order["kind"]]]


def _refused(events: Iterable[OrderEvent]) -> OrderEvent | None:
    """The last refusal of an order that stands refused."""
    told = in_order(events)
    if standing(told).state != "refused":
        return None
    return next(event for event in reversed(told) if event.state == "refused")


def closed_days(refused: Sequence[Refusal]) -> dict[tuple[OrderKind, str, str], tuple[tuple[date, date], ...]]:
    """Days on which a way (kind, row, product) is closed, as (first, after)."""
    days: dict[tuple[OrderKind, str, str], set[tuple[date, date]]] = {}
    for refusal in refused:
        days.setdefault(refusal.way, set()).add((refusal.first, refusal.after))
    return {way: tuple(sorted(spans)) for way, spans in days.items()}
