"""Giving orders out: proposals of the last plan that are due, as planned or as they were changed by hand."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from datong.app.chain import Chain
from datong.app.release_edited_orders import release_locked
from datong.app.release_orders import release as release_planned
from datong.app.release_rules import refuse_undue, that_may_go
from datong.app.service.database_note import Note
from datong.app.service.order_edits import written
from datong.app.service.orders_shown import everything
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.service.served_chain import Served
from datong.app.service.table_of_orders import OrdersNow, row_of


@dataclass(frozen=True)
class Released:
    """orders: numbers of what was given out. counterparties: to how many orders of each it went, by code."""

    orders: tuple[str, ...]
    counterparties: dict[str, int]


def to_release(served: Served, who: Who) -> pa.Table:
    """Proposals that are due to be given out now, in ORDERS_NOW. Raises NotAllowed."""
    who.require(Permission.SEE_PLAN)
    return that_may_go(everything(served).rows)


def release(served: Served, who: Who, names: Sequence[str] | None = None, why: str = "") -> Released:
    """Give out orders by their numbers; None: all that are due. All of them, or none. Raises NotAllowed, NotFound,
    Refused for one that is out or not due, for all of a plan whose first bucket is over, and what
    app.release_orders.release raises."""
    who.require(Permission.RELEASE_ORDERS)

    def write(chain: Chain, now: OrdersNow) -> list[dict[str, object]]:
        due = that_may_go(now.rows)
        rows = due.to_pylist() if names is None else [row_of(now.rows, name) for name in dict.fromkeys(names)]
        for row in rows:
            refuse_undue(row)
        planned = [str(row["order"]) for row in rows if row["origin"] == "plan"]
        locked = [str(row["order"]) for row in rows if row["origin"] == "edit"]
        if planned:
            release_planned(chain, [] if names is None else planned, all_due=names is None)
        if locked:
            release_locked(chain, locked)
        return rows

    def noted(rows: Sequence[dict[str, object]]) -> list[Note]:
        names = ("units", "start", "due", "counterparty")
        after = [{name: row[name] for name in names} for row in rows]
        told = zip(rows, after, strict=True)
        return [served.audit.entry(who.login, "release", str(row["order"]), after=one, why=why) for row, one in told]

    rows = written(served, who, write, noted)
    to: dict[str, int] = {}
    for row in rows:
        party = str(row["counterparty"])
        to[party] = to.get(party, 0) + 1
    for party in to:
        served.events.tell("orders", party, Permission.SEE_PLAN, party)
    return Released(tuple(str(row["order"]) for row in rows), to)
