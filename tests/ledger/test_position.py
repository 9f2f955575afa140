"""Where a chain stands: stock, owed and already served demand, orders under way."""

from datetime import UTC, date, datetime

import pyarrow as pa

from datong.ledger.position import position
from datong.ledger.state import State, state_of_tables
from datong.model.flow import Item
from datong.model.settings import ChainSettings

A = Item("A", "all")


def day(d: int) -> datetime:
    return datetime(2026, 1, d, tzinfo=UTC)


def state(settings: ChainSettings | None = None, as_of: datetime | None = None, **tables: dict) -> State:
    given = {name: pa.table(rows) for name, rows in tables.items()}
    return state_of_tables(settings or ChainSettings("t"), as_of or day(12), given)


def test_stock_is_the_last_count_and_what_moved_after_it() -> None:
    """works: 10 counted on the 2nd, +7 made on the 3rd, -4 moved = 13; depot: 4 arrived, 3 sent = 1: 14 in all.

    The 99 made on the day of the count, at the same moment, are in the count.
    """
    s = state(
        stock={
            "happened_at": [day(1), day(2)],
            "site": ["works", "works"],
            "product": ["A", "A"],
            "units": [50.0, 10.0],
        },
        production={
            "happened_at": [day(2), day(3)],
            "site": ["works"] * 2,
            "product": ["A"] * 2,
            "good_units": [99, 7],
        },
        shipments={
            "happened_at": [day(4), day(5)],
            "from_site": ["works", "depot"],
            "to_site": pa.array(["depot", None], pa.string()),
            "product": ["A", "A"],
            "units": [4, 3],
        },
    )
    assert position(s).on_hand_units == {"A": 14.0}


def test_a_count_that_names_no_place_holds_for_all_places() -> None:
    """10 counted on the 3rd, nobody says where; the 7 made at the works on the 2nd are in it, the 4 of the 4th not."""
    s = state(
        stock={"happened_at": [day(3)], "product": ["A"], "units": [10.0]},
        production={
            "happened_at": [day(2), day(4)],
            "site": ["works"] * 2,
            "product": ["A"] * 2,
            "good_units": [7, 4],
        },
    )
    assert position(s).on_hand_units == {"A": 14.0}


def test_production_takes_its_components_from_stock() -> None:
    """100 of F counted on the 2nd. On the 3rd 10 of A by recipe R (3 F each) with 2 scrapped, on the 4th 5 of B
    (1 F each, a fifth lost): 100 - 12 x 3 - 5 / 0.8 = 57.75. G is in the general bill of A only until the 3rd, and
    what was made on the 1st is in the count.
    """
    s = state(
        recipes={"recipe": ["R", "S"], "product": ["A", "A"]},
        orders={
            "order": ["W1"],
            "product": ["A"],
            "recipe": ["R"],
            "units": [12.0],
            "start": [date(2026, 1, 3)],
            "due": [date(2026, 1, 3)],
        },
        components={
            "product": ["A", "A", "A", "B"],
            "recipe": ["R", None, None, None],
            "component": ["F", "F", "G", "F"],
            "units_per_unit": [3.0, 50.0, 1.0, 1.0],
            "scrap_share": [0.0, 0.0, 0.0, 0.2],
            "valid_to": [None, None, date(2026, 1, 3), None],
        },
        stock={"happened_at": [day(2)] * 2, "product": ["F", "G"], "site": ["depot"] * 2, "units": [100.0, 7.0]},
        production={
            "happened_at": [day(1), day(3), day(4)],
            "site": ["works"] * 3,
            "order": [None, "W1", None],
            "product": ["B", "A", "B"],
            "good_units": [9.0, 10.0, 5.0],
            "scrap_units": [0.0, 2.0, 0.0],
        },
    )
    on_hand = position(s).on_hand_units
    assert on_hand["F"] == 57.75
    assert on_hand["G"] == 7.0


def test_shipments_serve_the_oldest_order_first() -> None:
    """Ordered 5, 5, 5 on the 1st, 3rd and 5th; 7 sent on the 4th: 3 of the second and all of the third are owed."""
    s = state(
        sales={"happened_at": [day(1), day(3), day(5)], "product": ["A"] * 3, "units": [5, 5, 5]},
        shipments={"happened_at": [day(4)], "product": ["A"], "units": [7]},
    )
    assert position(s).owed_units == {(A, date(2026, 1, 3)): 3.0, (A, date(2026, 1, 5)): 5.0}


def test_demand_older_than_max_late_days_is_no_longer_owed() -> None:
    s = state(
        ChainSettings("t", max_late_days=7),
        sales={"happened_at": [day(4), day(5)], "product": ["A"] * 2, "units": [5, 6]},
        shipments={"happened_at": [day(1)], "product": ["B"], "units": [1]},
    )
    assert position(s).owed_units == {(A, date(2026, 1, 5)): 6.0}


def test_orders_due_later_that_were_served_are_told_apart() -> None:
    """Ordered on Sunday 11th, promised in 3 days (the 14th, in the open week); 2 of 5 are already sent."""
    s = state(
        ChainSettings("t", promise_days=3),
        sales={"happened_at": [day(11)], "product": ["A"], "units": [5]},
        shipments={"happened_at": [day(11)], "product": ["A"], "units": [2]},
    )
    p = position(s)
    assert p.owed_units == {}
    assert p.served_ahead_units == {(A, date(2026, 1, 14)): 2.0}


def test_without_shipments_every_sale_is_served_at_once_from_stock() -> None:
    """20 counted on the 2nd; 5 sold before that are in the count, 6 after it are gone, 3 cancelled: 14 left."""
    s = state(
        stock={"happened_at": [day(2)], "site": ["shop"], "product": ["A"], "units": [20.0]},
        sales={
            "happened_at": [day(1), day(3), day(4)],
            "product": ["A"] * 3,
            "units": [5, 6, 3],
            "state": ["ordered", "ordered", "cancelled"],
        },
    )
    assert position(s).owed_units == {}
    assert position(s).on_hand_units == {"A": 14.0}


def test_more_sold_than_recorded_is_no_stock_not_less_than_none() -> None:
    s = state(sales={"happened_at": [day(1)], "product": ["A"], "units": [5]})
    assert position(s).on_hand_units == {"A": 0.0}


def test_cancelled_orders_are_not_owed() -> None:
    s = state(
        sales={
            "happened_at": [day(8), day(9)],
            "product": ["A"] * 2,
            "units": [5, 6],
            "state": ["cancelled", "ordered"],
        },
        shipments={"happened_at": [day(1)], "product": ["B"], "units": [1]},
    )
    assert position(s).owed_units == {(A, date(2026, 1, 9)): 6.0}


def test_orders_out_bring_what_is_left_of_them() -> None:
    """W1 made 4 of 10 and scrapped 1; W2 is done; W3 was refused; W4 is locked without events; W5 is only proposed."""
    orders = ["W1", "W2", "W3", "W4", "W5"]
    s = state(
        orders={
            "order": orders,
            "product": ["A"] * 5,
            "units": [10.0] * 5,
            "start": [date(2026, 1, 5)] * 5,
            "due": [date(2026, 1, 14)] * 5,
            "locked": [False, False, False, True, False],
        },
        order_events={
            "happened_at": [day(6), day(7), day(7), day(7), day(6)],
            "order": ["W1", "W1", "W2", "W3", "W5"],
            "state": ["started", "partly_done", "done", "refused", "proposed"],
            "good_units": [None, 4.0, 10.0, None, None],
            "scrap_units": [None, 1.0, None, None, None],
        },
    )
    assert [(o.order, o.units) for o in position(s).under_way] == [("W1", 5.0), ("W4", 10.0)]
