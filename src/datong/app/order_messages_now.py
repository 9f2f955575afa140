"""What counterparties are told of orders that are out: each as it stands now, whether as planned or changed by hand."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from datong.app.chain import Chain
from datong.app.kept_runs import run_messages
from datong.dispatch.orders_due_for_release import order_key
from datong.ledger.order_life import OrderEvent, events_of_table
from datong.ledger.standings import READ_FOR_STANDINGS
from datong.ledger.state import State
from datong.model.flow import OrderMessage, PlannedOrder
from datong.questions.run_result import RunResult
from datong.questions.tables_out import planned_orders

# Tables of a state that tell of an order, and whose it is.
READ = (*READ_FOR_STANDINGS, "sites", "lines", "recipes", "recipe_steps", "offers", "lanes")
# What an order asks for, besides its number, kind and product.
_ASKED = ("recipe", "offer", "line", "units", "start", "due", "lane", "site")


def messages_now(chain: Chain, state: State, wanted: Collection[str]) -> dict[str, dict[str, OrderMessage]]:
    """Messages of orders that a run proposed, by that run and their number, as the orders are now."""
    rows = [row for row in state.table("orders").to_pylist() if row["run"] is not None and row["order"] in wanted]
    events = events_of_table(state.table("order_events"))
    found: dict[str, dict[str, OrderMessage]] = {}
    for run in sorted({row["run"] for row in rows}):
        kept = chain.kept_run(run)
        sent = {m.order.order: m for m in run_messages(kept)}
        own = [row for row in rows if row["run"] == run]
        planned = {o.order: o for o in planned_orders(kept.tables, {_root(row["order"], kept) for row in own})}
        for row in own:
            name, of_plan = row["order"], planned.get(_root(row["order"], kept))
            if name in sent and of_plan is not None and _is_as_planned(of_plan, row):
                found.setdefault(run, {})[name] = sent[name]
            elif of_plan is not None and (name in sent or _gave_out(events.get(name, []))):
                order = as_now(of_plan, row)
                party = _gave_out(events.get(name, [])) or sent[name].counterparty
                found.setdefault(run, {})[name] = OrderMessage(order_key(order), party, order)
    return found


def _root(order: str, run: RunResult) -> str:
    """The number of the run's order that one is, or was split off."""
    numbers = run.tables["orders"]["order"]
    base = order.rpartition(".")[0]
    return base if base and base in set(numbers.to_pylist()) else order


def _is_as_planned(planned: PlannedOrder, row: Mapping[str, Any]) -> bool:
    return planned.order == row["order"] and all(getattr(planned, name) == row[name] for name in _ASKED)


def _gave_out(events: Collection[OrderEvent]) -> str | None:
    """To whom an order was given out by name."""
    return next((e.counterparty for e in events if e.state == "released" and e.counterparty), None)


def as_now(planned: PlannedOrder, row: Mapping[str, Any]) -> PlannedOrder:
    """A planned order as it is now. Its reasons are those of the units and the day that were planned: where either is
    another now, they are left out. A purchase costs by the unit; what else costs is not told to anybody."""
    if (row["order"], row["units"], row["due"]) == (planned.order, planned.units, planned.due):
        return replace(planned, **{name: row[name] for name in _ASKED})
    own = {name: row[name] for name in ("order", *_ASKED)}
    return replace(planned, **own, causes=(), cost=planned.cost * row["units"] / planned.units, value=None, behind=None)
