"""What the ledger learns when orders go out: the orders, and that they were proposed and released."""

from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa

from datong.ledger.order_life import OrderEvent, order_events_rows
from datong.model.flow import OrderMessage


def release_rows(
    messages: Sequence[OrderMessage], run: str, moment: datetime, acted_at: datetime | None = None
) -> dict[str, pa.Table]:
    """Rows to ingest for released messages: one of `orders` and two of `order_events` each, all known at `moment`, by
    the clock of the chain. acted_at: by the clock of the world.

    A released order is locked: it is out, and planning counts on it as it is. Ingest `orders` first.
    """
    orders = [m.order for m in messages]
    texts = {
        name: pa.array([getattr(o, name) for o in orders], pa.string())
        for name in ("order", "kind", "product", "recipe", "offer", "lane", "line", "site")
    }
    days = {name: pa.array([getattr(o, name) for o in orders], pa.date32()) for name in ("start", "due", "needed_by")}
    moments = pa.array([moment] * len(orders), pa.timestamp("us", tz="UTC"))
    order_rows = pa.table(
        {
            **texts,
            "units": pa.array([o.units for o in orders], pa.float64()),
            **days,
            "locked": pa.array([True] * len(orders), pa.bool_()),
            "run": pa.array([run] * len(orders), pa.string()),
            "known_at": moments,
            "__row__": pa.array(range(1, len(orders) + 1), pa.int64()),
        }
    )
    events = [
        OrderEvent(m.order.order, state, moment, counterparty=m.counterparty, acted_at=acted_at)
        for m in messages
        for state in ("proposed", "released")
    ]
    event_rows = order_events_rows(events)
    known_at = pa.array([moment] * len(events), pa.timestamp("us", tz="UTC"))
    return {"orders": order_rows, "order_events": event_rows.append_column("known_at", known_at)}
