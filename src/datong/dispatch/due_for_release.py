"""Which proposed orders go out now, and to whom. Pure: connectors deliver what this returns."""

import hashlib
from collections.abc import Mapping
from typing import Any

from datong.ledger.order_life import events_of_table, standing
from datong.ledger.state import State
from datong.model.flow import ANY_SUPPLIER, OWN_WORKS, OrderMessage, Plan, PlannedOrder

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
    to = _Counterparties(state)
    messages = [
        OrderMessage(order_key(order), to.of(order), order)
        for order in plan.orders
        if order.start < end and order_key(order) not in out
    ]
    return tuple(sorted(messages, key=lambda m: (m.counterparty, m.order.start, m.order.order)))


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


class _Counterparties:
    """Who makes, delivers or sends: the firm that runs the site of the recipe, line or offer, or where a transfer
    starts; else the site itself."""

    def __init__(self, state: State) -> None:
        self._firm = _by(state, "sites", "site", "firm")
        self._line_site = _by(state, "lines", "line", "site")
        self._recipe_site = _by(state, "recipes", "recipe", "site")
        self._recipe_line = _by(state, "recipes", "recipe", "line")
        self._offer_site = _by(state, "offers", "offer", "site")

    def of(self, order: PlannedOrder) -> str:
        if order.kind == "buy":
            site = self._offer_site.get(order.offer or "")
            return ANY_SUPPLIER if site is None else self._firm.get(site) or site
        if order.kind == "move":
            return self._firm.get(order.from_site or "") or order.from_site or OWN_WORKS
        recipe = order.recipe or ""
        line = order.line or self._recipe_line.get(recipe) or ""
        site = self._recipe_site.get(recipe) or self._line_site.get(line)
        return OWN_WORKS if site is None else self._firm.get(site) or site


def _by(state: State, table: str, key: str, value: str) -> dict[str, str | None]:
    rows = state.table(table)
    return dict(zip(rows[key].to_pylist(), rows[value].to_pylist(), strict=True))
