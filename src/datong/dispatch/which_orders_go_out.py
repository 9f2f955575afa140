"""Which proposed orders go out now, and to whom. Pure: connectors deliver what this returns."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.order_life import events_of_table, standing
from datong.ledger.state import State
from datong.model.flow import ANY_SUPPLIER, OWN_WORKS, OrderMessage, Plan, PlannedOrder

_TEXT = pa.string()

# Orders whose line or offer names no site go to these.
_OUT = frozenset({"released", "offered", "accepted", "refused", "started", "partly_done", "done", "cancelled"})


def dispatch(state: State, plan: Plan) -> tuple[OrderMessage, ...]:
    """The orders of a plan that are due for release, each to its counterparty, by counterparty, start and number.

    Due for release: the order starts before the end of the first bucket after the frozen ones; a later one waits for
    the next cycle, which knows more. An order that is out with the same key is not sent again.
    """
    settings = state.settings
    end = settings.calendar.shift(state.first_open_bucket, settings.frozen_buckets + 1)
    out = _keys_out(state)
    due = [order for order in plan.orders if order.start < end and order_key(order) not in out]
    to = counterparties(state, _table(due)).to_pylist()
    messages = [OrderMessage(order_key(order), party, order) for order, party in zip(due, to, strict=True)]
    return tuple(sorted(messages, key=lambda m: (m.counterparty, m.order.start, m.order.order)))


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


def counterparties(state: State, orders: pa.Table) -> pa.Array:
    """Who makes, delivers or sends each of these orders (columns of `orders`, with from_site of transfers): the firm
    that runs the site of the recipe, line or offer, or where a transfer starts; else the site itself."""
    recipe = pc.coalesce(orders["recipe"], "")
    line = pc.coalesce(orders["line"], _of(state, "recipes", "recipe", "line", recipe), "")
    made_at = pc.coalesce(
        _of(state, "recipes", "recipe", "site", recipe),
        _of(state, "lines", "line", "site", line),
        pa.scalar(None, _TEXT),
    )
    bought_at = _of(state, "offers", "offer", "site", orders["offer"])
    kind = orders["kind"]
    site = pc.case_when(
        pc.make_struct(pc.equal(kind, "buy"), pc.equal(kind, "move")), bought_at, orders["from_site"], made_at
    )
    nobody = pc.if_else(pc.equal(kind, "buy"), ANY_SUPPLIER, OWN_WORKS)
    found = pc.coalesce(_of(state, "sites", "site", "firm", site), site, nobody)
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def _of(state: State, table: str, key: str, value: str, keys: pa.ChunkedArray) -> pa.ChunkedArray:
    """The value that a table has for each of these keys; null where it has none, or ''."""
    rows = state.table(table)
    found = rows[value].take(pc.index_in(keys, rows[key].combine_chunks()))
    return pc.if_else(pc.equal(found, ""), pa.scalar(None, _TEXT), found)
