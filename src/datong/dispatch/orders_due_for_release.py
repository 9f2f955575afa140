"""Which proposed orders are due for release, each with its counterparty. Pure: nothing is given out here."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pyarrow as pa

from datong.dispatch.counterparty_of_order import counterparties
from datong.ledger.order_life import events_of_table, standing
from datong.ledger.state import State
from datong.model.flow import OrderMessage, Plan, PlannedOrder
from datong.model.settings import ChainSettings
from datong.network.release_fence import release_fences

_TEXT = pa.string()

_OUT = frozenset({"released", "offered", "accepted", "refused", "started", "partly_done", "done", "cancelled"})


def due_before(settings: ChainSettings, first_open_bucket: date) -> date:
    """The day before which an order starts that is due for release: the end of the first bucket after the frozen
    ones."""
    return settings.calendar.shift(first_open_bucket, settings.frozen_buckets + 1)


def dispatch(state: State, plan: Plan) -> tuple[OrderMessage, ...]:
    """The orders of a plan that are due for release, each to its counterparty, by counterparty, start and number.

    Due for release: the order starts before `due_before`, or, of a product with a release fence, before the end of the
    first bucket after that, since the next cycle may not propose it any more; a later one waits for the next cycle,
    which knows more. An order that is out with the same key is not sent again.
    """
    end, after_fence = due_before(state.settings, state.first_open_bucket), _due_before_by_fence(state)
    out = _keys_out(state)
    due = [o for o in plan.orders if o.start < max(end, after_fence.get(o.product, end)) and order_key(o) not in out]
    to = counterparties(state, _table(due)).to_pylist()
    messages = [OrderMessage(order_key(order), party, order) for order, party in zip(due, to, strict=True)]
    return tuple(sorted(messages, key=lambda m: (m.counterparty, m.order.start, m.order.order)))


def _due_before_by_fence(state: State) -> dict[str, date]:
    """Of products with a release fence, the end of the first bucket in which a new order may start."""
    calendar = state.settings.calendar
    return {
        p: calendar.shift(calendar.bucket_start(until - timedelta(days=1)), 2)
        for p, until in release_fences(state).items()
    }


# Columns that tell whose an order is.
_WHOSE = ("kind", "recipe", "offer", "line", "from_site")


def _table(orders: Sequence[PlannedOrder]) -> pa.Table:
    return pa.table({name: pa.array([getattr(o, name) for o in orders], _TEXT) for name in _WHOSE})


# What an order asks for, by the columns of `orders`.
_ASKED = ("order", "kind", "product", "recipe", "offer", "line", "units", "start", "due", "lane", "site")


def order_key(order: PlannedOrder) -> str:
    """Number and hash of what the order asks for: the same key sent twice counts once. Reasons do not count."""
    return _key({name: getattr(order, name) for name in _ASKED})


def _key(row: Mapping[str, Any]) -> str:
    located = [f"{name}={row[name]}" for name in ("lane", "site") if row[name] is not None]
    parts = [float(row[name]) if name == "units" else row[name] for name in _ASKED[1:-2]]
    asked = "|".join(str(part) for part in (*parts, *located))
    return f"{row['order']}-{hashlib.sha256(asked.encode()).hexdigest()[:12]}"


def _keys_out(state: State) -> set[str]:
    events = events_of_table(state.table("order_events"))
    return {
        _key(row)
        for row in state.table("orders").select(list(_ASKED)).to_pylist()
        if standing(events.get(row["order"], [])).state in _OUT
    }
