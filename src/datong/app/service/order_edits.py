"""Hand edits of proposed orders: checked, priced, kept by every later plan, undone and made again.

An edited order becomes a row of `orders` that is locked and not given out: a plan counts on it as it is
(network/under_way.py). What it was before lies in the server's database, so that an edit can be undone.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from datong.app.chain import Chain
from datong.app.service.database_note import Note
from datong.app.service.jobs import Job
from datong.app.service.last_order_edit_price import as_of_now
from datong.app.service.last_run import table_of_run
from datong.app.service.order_edit_rules import COLUMNS, Change, Changed, changed, ways_of
from datong.app.service.orders_shown import CHANGEABLE, OrderShown, did, everything, order
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.service.served_chain import Served
from datong.app.service.sorted_rows import rows_with
from datong.app.service.table_of_orders import OrdersNow, orders_now, row_of, version_of
from datong.ledger.order_life import OrderEvent, order_events_rows
from datong.model.errors import NotFound, Refused
from datong.model.words import Message, message

T = TypeVar("T")
Row = Mapping[str, Any]
_TEXTS = ("order", "kind", "product", "recipe", "offer", "lane", "line", "site", "run")
_DAYS = ("start", "due", "needed_by")


class Conflict(Refused):
    """Somebody else changed the order since it was seen: nothing is written."""


def check(served: Served, who: Who, change: Change) -> Changed:
    """What a change would come to, with everything that is wrong with it; nothing is written. Raises NotAllowed,
    NotFound, Refused for an order that is out."""
    who.require(Permission.EDIT_ORDERS)
    return checked(served, change)


def checked(served: Served, change: Change) -> Changed:
    """As `check`. For this layer: a door asks for `check`."""
    now = everything(served)
    return served.chain_thread.read(lambda chain: changed(chain, now, change))


def ways(served: Served, who: Who, name: str) -> list[dict[str, Any]]:
    """The ways by which an order could be made, bought or moved. Raises NotAllowed, NotFound."""
    who.require(Permission.EDIT_ORDERS)
    now = everything(served)
    return served.chain_thread.read(lambda chain: ways_of(chain, now, name))


def price(served: Served, who: Who, change: Change) -> Job:
    """Ask what a change would cost: a job that plans with and without it. Raises as `check`, and BadInput for a change
    that could not be made."""
    check(served, who, change).refuse_errors()
    return served.start_job(who, "price_edit", asked_of(change) | as_of_now(served))


def edit(served: Served, who: Who, change: Change, version: str, why: str = "") -> OrderShown:
    """Make a change, or with none lock the order as it is. version: of the order as it was seen. Raises as `price`, and
    Conflict where somebody changed it since."""
    who.require(Permission.EDIT_ORDERS)

    def write(chain: Chain, now: OrdersNow) -> Changed:
        row = row_of(now.rows, change.order)
        if version_of(row) != version:
            raise Conflict(_meanwhile(served, row))
        made = changed(chain, now, change)
        made.refuse_errors()
        _keep(chain, now, made.after)
        return made

    def noted(made: Changed) -> list[Note]:
        before = _row_of_edit(made.before) if made.before["origin"] == "edit" else None
        after = [_row_of_edit(row) for row in made.after]
        what = "split_order" if len(after) > 1 else "lock_order" if _is_same(made.before, after[0]) else "edit_order"
        told = {"before": _json(before), "after": _json(after)}
        was = {**made.before, "locked": before is not None}
        return [
            Note("order_edits", {"state": "dropped"}, {"subject": change.order, "state": "undone"}),
            Note("order_edits", {"at": served.now().timestamp(), "by": who.login, "subject": change.order, **told}),
            _entry(served, who, what, change.order, was, after[0], why),
            *(_entry(served, who, what, str(part["order"]), {}, part, why) for part in after[1:]),
        ]

    written(served, who, write, noted)
    _tell(served, change.order)
    return order(served, who, change.order)


def undo(served: Served, who: Who, name: str) -> OrderShown | None:
    """Take the last change of an order back, whoever made it. None: no plan proposes the order any more. Raises
    NotAllowed, NotFound, Refused where there is no change or the order is not as it left it."""
    who.require(Permission.EDIT_ORDERS)
    found = _last_edit(served, name, "done", "DESC", "service_orders.nothing_to_undo")
    before, after = _parsed(found["before"]), _parsed(found["after"])

    def write(chain: Chain, now: OrdersNow) -> None:
        _refuse_unlike(now, name, after)
        gone = [row["order"] for row in (after[1:] if before else after)]
        _take_out(chain, gone)
        if before:
            _keep(chain, now, before)

    told = before[0] if before else _proposed(served, after[0])
    written(served, who, write, lambda _: _done(served, who, found, "undone", "undo_edit", after[0], told))
    _tell(served, name)
    try:
        return order(served, who, name)
    except NotFound:
        return None


def redo(served: Served, who: Who, name: str) -> OrderShown:
    """Make the change that was undone last again. Raises as `undo`."""
    who.require(Permission.EDIT_ORDERS)
    found = _last_edit(served, name, "undone", "ASC", "service_orders.nothing_to_redo")
    before, after = _parsed(found["before"]), _parsed(found["after"])

    def write(chain: Chain, now: OrdersNow) -> None:
        if before:
            _refuse_unlike(now, name, before)
        elif row_of(now.rows, name)["origin"] != "plan":
            raise Refused(message("service_orders.not_as_left", order=name))
        _keep(chain, now, after)

    told = before[0] if before else _proposed(served, after[0])
    written(served, who, write, lambda _: _done(served, who, found, "done", "redo_edit", told, after[0]))
    _tell(served, name)
    return order(served, who, name)


def can_undo(served: Served, who: Who, name: str) -> tuple[bool, bool]:
    """Whether there is a change of an order to undo, and one to make again. Raises NotAllowed."""
    who.require(Permission.SEE_PLAN)
    asked = "SELECT state FROM order_edits WHERE subject = ? AND state IN ('done', 'undone')"
    states = {row["state"] for row in served.database.rows(asked, (name,))}
    return "done" in states, "undone" in states


def asked_of(change: Change) -> dict[str, Any]:
    """A change as JSON has it."""
    told = asdict(change) | {"split": list(change.split)}
    return told | {"start": None if change.start is None else change.start.isoformat()}


# writing -----------------------------------------------------------------------------------------


def written(served: Served, who: Who, task: Callable[[Chain, OrdersNow], T], noted: Callable[[T], Sequence[Note]]) -> T:
    """What a task writes that knows all orders as they are when it is its turn, with what is noted of it."""
    seen, now = served.chain_thread.version, everything(served)

    def write(chain: Chain) -> T:
        is_current = served.chain_thread.version == seen
        return task(chain, now if is_current else orders_now(chain))

    return served.write_whole(who, write, noted)


def _keep(chain: Chain, now: OrdersNow, rows: Sequence[Row]) -> None:
    """Rows of `orders`, locked and proposed, all known from now on."""
    moment, said = chain.clock(), chain.world_clock()
    there = now.rows.filter(pc.not_equal(now.rows["origin"], "plan"))["order"].to_pylist()
    new = [row["order"] for row in rows if row["order"] not in set(there)]
    with chain.ledger.together():
        _ingest(chain, "orders", _orders_table(rows), moment)
        if new:
            events = order_events_rows([OrderEvent(name, "proposed", moment, acted_at=said) for name in new])
            _ingest(chain, "order_events", events, moment)


def _ingest(chain: Chain, table: str, rows: pa.Table, moment: datetime) -> None:
    known_at = pa.array([moment] * rows.num_rows, pa.timestamp("us", tz="UTC"))
    chain.ledger.ingest(table, rows.append_column("known_at", known_at), None, (), "edits", moment, by=chain.by)


def _orders_table(rows: Sequence[Row]) -> pa.Table:
    return pa.table(
        {
            **{name: pa.array([row[name] for row in rows], pa.string()) for name in _TEXTS},
            **{name: pa.array([row[name] for row in rows], pa.date32()) for name in _DAYS},
            "units": pa.array([row["units"] for row in rows], pa.float64()),
            "locked": pa.array([True] * len(rows), pa.bool_()),
            "__row__": pa.array(range(1, len(rows) + 1), pa.int64()),
        }
    )


def _take_out(chain: Chain, names: Sequence[str]) -> None:
    """Orders that no plan counts on any more: the next may propose them anew."""
    if not names:
        return
    state = chain.state(names=("orders", "order_events"))
    wanted = pa.array(list(names), pa.string())
    with chain.ledger.together():
        for table in ("order_events", "orders"):
            rows = state.table(table)
            ids = rows.filter(pc.is_in(rows["order"], wanted))["row_id"].to_pylist()
            chain.withdraw(table, ids)


# what was done -----------------------------------------------------------------------------------


def _meanwhile(served: Served, row: Row) -> Message:
    """Who changed an order since it was seen, and what."""
    asked = "SELECT by, what, before, after FROM audit WHERE subject = ? ORDER BY entry DESC LIMIT 1"
    last = served.database.row(asked, (row["order"],))
    if last is None:
        return message("service_orders.replanned_meanwhile", order=row["order"])
    before, after = (json.loads(last[key]) if last[key] else {} for key in ("before", "after"))
    what = did(last["what"], before, after)
    return message("service_orders.changed_meanwhile", by=last["by"], order=row["order"], what=what)


def _last_edit(served: Served, name: str, state: str, order_of: str, none: str) -> Mapping[str, Any]:
    row_of(everything(served).rows, name)
    asked = f"SELECT * FROM order_edits WHERE subject = ? AND state = ? ORDER BY edit {order_of} LIMIT 1"
    found = served.database.row(asked, (name, state))
    if found is None:
        raise Refused(message(none, order=name))
    return found


def _refuse_unlike(now: OrdersNow, name: str, left: Sequence[Row]) -> None:
    """Raises Refused unless these orders stand as a change left them, and are not out."""
    for row in left:
        found = now.rows.filter(pc.equal(now.rows["order"], row["order"])).to_pylist()
        if not found or found[0]["origin"] != "edit" or not _is_same(found[0], row):
            raise Refused(message("service_orders.not_as_left", order=name))


def _proposed(served: Served, row: Row) -> Row | None:
    """An edited order as its plan proposed it, not locked; None where that plan is not kept, or has none of it."""
    table = None if row["run"] is None else table_of_run(served, row["run"], "orders")
    found = [] if table is None else rows_with(table, "order", row["order"]).to_pylist()
    return found[0] if found else None


def _is_same(one: Row, other: Row) -> bool:
    return all(one[name] == other[name] for name in COLUMNS)


def _done(
    served: Served, who: Who, found: Mapping[str, Any], state: str, what: str, before: Row | None, after: Row | None
) -> list[Note]:
    is_now = Note("order_edits", {"state": state}, {"edit": found["edit"]})
    return [is_now, _entry(served, who, what, found["subject"], before or {}, after or {}, "")]


def _entry(served: Served, who: Who, what: str, name: str, before: Row, after: Row, why: str) -> Note:
    told = [{key: row[key] for key in CHANGEABLE if key in row} for row in (before, after)]
    return served.audit.entry(who.login, what, name, before=told[0], after=told[1], why=why)


def _tell(served: Served, name: str) -> None:
    served.events.tell("orders", name, Permission.SEE_PLAN)


def _row_of_edit(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in (*COLUMNS, "locked", "run")}


def _json(value: object) -> str:
    return json.dumps(value, default=lambda day: day.isoformat() if isinstance(day, date) else str(day))


def _parsed(text: str | None) -> list[dict[str, Any]]:
    """Rows as `_json` wrote them: one, several, or none."""
    told = json.loads(text) if text else None
    rows = [] if told is None else told if isinstance(told, list) else [told]
    return [
        row | {name: None if row[name] is None else date.fromisoformat(row[name]) for name in _DAYS} for row in rows
    ]
