"""What was refused, and is not asked of the same again: a refusal closes its way in the bucket of the order's start.

Whoever withdraws the event of the refusal (`datong withdraw order_events ROW`) opens the way again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from datong.ledger.order_life import OrderEvent, events_of_table, in_order, standing
from datong.ledger.state import State
from datong.model.flow import OrderKind
from datong.model.words import Message, message

# By kind of order, the table that says how, and its key.
_ROWS: Mapping[str, tuple[str, str]] = {
    "make": ("recipes", "recipe"),
    "buy": ("offers", "offer"),
    "move": ("lanes", "lane"),
}
# A refusal for a time that has passed closes nothing any more; for so long it is told beside what is asked again.
RECALLED = timedelta(days=28)


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
    """Refusals of orders that were to start in the bucket of `from_day` or later, by start and number. An order that
    names no recipe, offer or lane is one of its product's only one."""
    calendar, found = state.settings.calendar, []
    events = state.table("order_events")
    keys = events.select(["order_event", "row_id"]).to_pylist()
    row_ids = {row["order_event"] or row["row_id"]: row["row_id"] for row in keys}
    for order, refused, row in _refused_orders(state, from_day):
        if row is None:
            continue  # `unnamed_refusals` tells it
        first = calendar.bucket_start(order["start"])
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


def unnamed_refusals(state: State, from_day: date) -> tuple[str, ...]:
    """Orders that were refused, name no recipe, offer or lane, and could have been by several or by none: what the
    refusal closes is not known. In order."""
    return tuple(sorted(order["order"] for order, _, row in _refused_orders(state, from_day) if row is None))


def _refused_orders(state: State, from_day: date) -> Iterator[tuple[dict[str, Any], OrderEvent, str | None]]:
    """Orders that stand refused and were to start in the bucket of `from_day` or later, with their refusals and their
    recipe, offer or lane: the one that they name, or their product's only one; None where nobody can tell."""
    events = state.table("order_events")
    if not events.num_rows:
        return
    told, calendar = events_of_table(events), state.settings.calendar
    only: Mapping[tuple[str, str], str] | None = None
    for order in state.table("orders").to_pylist():
        refused = _refused(told.get(order["order"], ()))
        if refused is None or calendar.bucket_start(order["start"]) < calendar.bucket_start(from_day):
            continue
        row = order[_ROWS[order["kind"]][1]]
        if row is None:
            only = _only_rows(state) if only is None else only
            row = only.get((order["kind"], order["product"]))
        yield order, refused, row


def _only_rows(state: State) -> dict[tuple[str, str], str]:
    """(kind of order, product) -> its recipe, offer or lane, where it has one alone; a lane of no product is of all."""
    found: dict[tuple[str, str], set[str]] = {}
    products = state.table("products")["product"].to_pylist()
    for kind, (table, key) in _ROWS.items():
        for row in state.versions(table).select([key, "product"]).to_pylist():
            for product in products if row["product"] is None else (row["product"],):
                found.setdefault((kind, product), set()).add(row[key])
    return {key: next(iter(rows)) for key, rows in found.items() if len(rows) == 1}


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
