from dataclasses import replace
from datetime import UTC, date, datetime

import pyarrow as pa

from datong.dispatch.orders_due_for_release import dispatch, order_key
from datong.dispatch.rows_of_released_orders import release_rows
from datong.ledger.order_life import OrderEvent, events_of_table, order_events_rows, standing
from datong.ledger.state import State, in_state_schema, state_of_tables
from datong.model.flow import Cause, Plan, PlannedOrder
from datong.model.settings import ChainSettings
from datong.model.words import message
from datong.network.position import position

# A Wednesday: the open bucket is the week of Monday 2 March.
AS_OF = datetime(2026, 3, 4, 12, tzinfo=UTC)
LATER = datetime(2026, 3, 4, 13, tzinfo=UTC)
NO_ORDERS = in_state_schema("orders", None)

WORK = PlannedOrder(
    order="W1",
    kind="make",
    product="P",
    recipe="R",
    offer=None,
    line=None,
    units=120.0,
    start=date(2026, 3, 5),
    due=date(2026, 3, 9),
    needed_by=date(2026, 3, 10),
    cost=50.0,
    value=80.0,
    causes=(Cause("plan", message("dispatch.state.proposed")),),
)
PURCHASE = replace(WORK, order="B1", kind="buy", recipe=None, offer="O", start=date(2026, 3, 2))


def state_with(frozen_buckets: int = 0, **tables: list[dict[str, object]]) -> State:
    given = {name: pa.Table.from_pylist(rows) for name, rows in tables.items()}
    return state_of_tables(ChainSettings("x", frozen_buckets=frozen_buckets), AS_OF, given)


def plan_of(*orders: PlannedOrder) -> Plan:
    return Plan(orders, NO_ORDERS)


def after_release(state: State, *orders: PlannedOrder) -> State:
    rows = release_rows(dispatch(state, plan_of(*orders)), "run-1", AS_OF)
    return state.with_tables(**{name: in_state_schema(name, table) for name, table in rows.items()})


def test_work_goes_to_the_firm_or_site_of_its_line_and_purchases_to_the_suppliers() -> None:
    sites: list[dict[str, object]] = [
        {"site": "S1", "firm": "Mill & Co"},
        {"site": "S2", "firm": None},
        {"site": "S3", "firm": None},
    ]
    state = state_with(
        sites=sites,
        lines=[{"line": "L1", "site": "S1"}, {"line": "L2", "site": "S2"}],
        recipes=[
            {"recipe": "R", "product": "P", "line": "L1", "site": None},
            {"recipe": "subcontracted", "product": "P", "line": None, "site": "S3"},
        ],
        offers=[{"offer": "O", "product": "P", "site": "S3"}],
    )
    orders = (
        WORK,
        replace(WORK, order="W2", line="L2"),
        replace(WORK, order="W3", recipe="subcontracted"),
        replace(WORK, order="W4", recipe=None),
        PURCHASE,
        replace(PURCHASE, order="B2", offer="P/implied"),
        replace(WORK, order="T1", kind="move", recipe=None, lane="X", from_site="S1", site="S2"),
        replace(WORK, order="T2", kind="move", recipe=None, lane="X", from_site="S3", site="S2"),
    )
    to = {m.order.order: m.counterparty for m in dispatch(state, plan_of(*orders))}
    assert to == {
        "W1": "Mill & Co",
        "W2": "S2",
        "W3": "S3",
        "W4": "works",
        "B1": "S3",
        "B2": "suppliers",
        "T1": "Mill & Co",
        "T2": "S3",
    }


def test_a_transfer_that_is_out_is_not_sent_again_and_is_known_by_its_lane() -> None:
    transfer = replace(WORK, order="T1", kind="move", recipe=None, lane="S1-S2", from_site="S1", site="S2")
    state = after_release(state_with(), transfer)
    assert dispatch(state, plan_of(transfer)) == ()
    (row,) = state.table("orders").to_pylist()
    assert (row["kind"], row["lane"], row["site"]) == ("move", "S1-S2", "S2")
    assert len(dispatch(state, plan_of(replace(transfer, lane="other")))) == 1


def test_only_what_starts_before_the_first_open_bucket_ends_is_sent() -> None:
    """Weeks start on 2 and 9 March. With no frozen week, starts before 9 March go; with one frozen, before 16 March."""
    starts = [date(2026, 3, 8), date(2026, 3, 9), date(2026, 3, 16)]
    orders = [replace(WORK, order=f"W{i}", start=start) for i, start in enumerate(starts)]
    assert [m.order.order for m in dispatch(state_with(), plan_of(*orders))] == ["W0"]
    assert [m.order.order for m in dispatch(state_with(frozen_buckets=1), plan_of(*orders))] == ["W0", "W1"]


def test_messages_come_in_a_fixed_order() -> None:
    messages = dispatch(state_with(), plan_of(WORK, PURCHASE, replace(WORK, order="W0")))
    assert [m.order.order for m in messages] == ["B1", "W0", "W1"]


def test_the_key_is_what_is_asked_for_not_why() -> None:
    assert order_key(WORK) == order_key(replace(WORK, causes=(), value=0.0, cost=1.0))
    assert order_key(WORK).startswith("W1-")
    for changed in (replace(WORK, units=121.0), replace(WORK, due=date(2026, 3, 10)), replace(WORK, recipe="R2")):
        assert order_key(changed) != order_key(WORK)


def test_an_order_that_is_out_is_not_sent_again_but_a_changed_one_is() -> None:
    state = after_release(state_with(), WORK, PURCHASE)
    assert dispatch(state, plan_of(WORK, PURCHASE)) == ()
    (message_,) = dispatch(state, plan_of(replace(WORK, units=130.0), PURCHASE))
    assert message_.order.units == 130.0


def test_a_released_order_is_under_way_until_it_is_refused() -> None:
    state = after_release(state_with(), WORK)
    (row,) = state.table("orders").to_pylist()
    assert (row["order"], row["units"], row["locked"], row["run"]) == ("W1", 120.0, True, "run-1")
    (events,) = events_of_table(state.table("order_events")).values()
    assert sorted(e.state for e in events) == ["proposed", "released"]
    assert standing(events).state == "released"
    assert [(o.order, o.units) for o in position(state).under_way] == [("W1", 120.0)]

    part = order_events_rows([*events, OrderEvent("W1", "partly_done", LATER, 50.0)])
    assert [
        o.units for o in position(state.with_tables(order_events=in_state_schema("order_events", part))).under_way
    ] == [70.0]
    refused = order_events_rows([*events, OrderEvent("W1", "refused", LATER)])
    assert position(state.with_tables(order_events=in_state_schema("order_events", refused))).under_way == ()


def test_rows_of_a_release_are_known_at_its_moment() -> None:
    rows = release_rows(dispatch(state_with(), plan_of(WORK)), "run-1", AS_OF)
    assert list(rows) == ["orders", "order_events"]
    assert {m for table in rows.values() for m in table["known_at"].to_pylist()} == {AS_OF}
    assert release_rows((), "run-1", AS_OF)["orders"].num_rows == 0
