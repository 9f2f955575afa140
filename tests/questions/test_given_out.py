"""What orders cost that went out since a plan, where no run proposed them."""

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

from datong.balance.cost_and_flow_tables import WAYS_SCHEMA
from datong.ledger.state import State, state_of_tables
from datong.model.settings import ChainSettings
from datong.questions.given_out import given_out, runs_since

AS_OF = datetime(2026, 3, 9, tzinfo=UTC)
LANES = [
    {"lane": "L1", "from_site": "A", "to_site": "B", "cost_per_unit": 3.0, "valid_from": None},
    {"lane": "L1", "from_site": "A", "to_site": "B", "cost_per_unit": 5.0, "valid_from": date(2026, 3, 16)},
]
RECIPES = [{"recipe": "R", "product": "P", "line": "L", "hours_per_unit": 1.0}]
WAYS = pa.Table.from_pylist(
    [{"way": "R", "kind": "make", "product": "P", "cost_per_unit": 2.0, "setup_cost": 7.0}], WAYS_SCHEMA
)


def order(number: str, kind: str, **other: Any) -> dict[str, Any]:
    days = {"start": date(2026, 3, 10), "due": date(2026, 3, 20)}
    fixed = {"product": "P", "units": 10.0, "lane": None, "locked": False, "run": None}
    return {"order": number, "kind": kind, **fixed, **days, **other}


def state(*orders: dict[str, Any], **events: str) -> State:
    told = [{"order": name, "state": now, "happened_at": AS_OF} for name, now in events.items()]
    tables = {"lanes": LANES, "recipes": RECIPES, "orders": list(orders), "order_events": told}
    given = {name: pa.Table.from_pylist(rows) for name, rows in tables.items() if rows}
    return state_of_tables(ChainSettings("works"), AS_OF, given)


def found(was: State, now: State) -> dict[str, dict[str, Any]]:
    return {row["order"]: row for row in given_out(was, {}, now, {"ways": WAYS}).since.to_pylist()}


def test_a_transfer_costs_what_its_lane_does_when_it_leaves_and_work_has_a_set_up() -> None:
    later = {"start": date(2026, 3, 17)}
    moves = [order("T1", "move", lane="L1"), order("T2", "move", lane="L1", **later), order("T3", "move", lane="L9")]
    rows = found(state(), state(*moves, order("W1", "make")))
    assert {name: row["cost"] for name, row in rows.items()} == {"T1": 30.0, "T2": 50.0, "T3": None, "W1": 27.0}
    assert rows["W1"]["recipe"] == "R"  # the only one of its product


def test_what_a_plan_may_still_move_did_not_go_out() -> None:
    """W1 was out before, W2 is another system's plan, W3 is locked, W4 was such a plan and is out, W5 refused."""
    locked = order("W3", "make", locked=True, run="R2")
    was = state(order("W1", "make"), order("W4", "make"), W4="proposed")
    now = state(
        *(order(name, "make") for name in ("W1", "W2", "W4", "W5")),
        locked,
        W2="proposed",
        W3="proposed",
        W4="released",
        W5="refused",
    )
    rows = found(was, now)
    assert {name: (row["stands"], row["locked"]) for name, row in rows.items()} == {
        "W3": (True, True),
        "W4": (True, False),
        "W5": (False, False),
    }
    assert runs_since(was, now) == {"R2"}
