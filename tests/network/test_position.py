"""Where a chain stands: stock, owed and already served demand, orders under way."""

from collections import deque
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from datong.ledger import large_tables
from datong.ledger.standings import order_standings
from datong.ledger.state import State, state_of_tables
from datong.model.flow import Forecast, Item, nothing_learnt
from datong.model.settings import ChainSettings
from datong.network.owed import SENT_AHEAD_DAYS
from datong.network.planned_demand import pooled_demand
from datong.network.position import position
from datong.network.position_notices import position_notices
from datong.network.sent_to_buyers import ships_to_buyers

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


def test_what_was_made_took_what_the_bill_said_on_its_day() -> None:
    """Of F one goes into an A, from the 5th on two, for recipe R from the 8th on ten. On the 3rd and the 6th 10 A each
    are made by the only recipe there is, on the 9th one: 100 - 10 - 20 - 10 = 60. That another recipe is to come, from
    the 20th on, changes nothing.
    """
    s = state(
        recipes={"recipe": ["R", "LATER"], "product": ["A", "A"], "valid_from": [None, date(2026, 1, 20)]},
        components={
            "product": ["A", "A", "A"],
            "recipe": [None, None, "R"],
            "component": ["F", "F", "F"],
            "units_per_unit": [1.0, 2.0, 10.0],
            "valid_from": [None, date(2026, 1, 5), date(2026, 1, 8)],
        },
        stock={"happened_at": [day(2)], "product": ["F"], "units": [100.0]},
        production={
            "happened_at": [day(3), day(6), day(9)],
            "product": ["A"] * 3,
            "good_units": [10.0, 10.0, 1.0],
        },
    )
    assert position(s).on_hand_units["F"] == 60.0


def test_shipments_serve_the_oldest_order_first() -> None:
    """Ordered 5, 5, 5 on the 1st, 3rd and 5th; 7 sent on the 4th: 3 of the second and all of the third are owed."""
    s = state(
        sales={"happened_at": [day(1), day(3), day(5)], "product": ["A"] * 3, "units": [5, 5, 5]},
        shipments={"happened_at": [day(1), day(4)], "product": ["B", "A"], "units": [1, 7]},
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


@pytest.mark.parametrize(("weekday", "left"), [(12, 10.0), (14, 6.0), (17, 1.0)])
def test_what_was_sold_in_the_week_that_has_begun_is_no_more_asked_for(weekday: int, left: float) -> None:
    """10 asked for in the week of the 12th; 4 were sold on the 13th and 5 on the 16th, from stock: each counts once."""
    sold = [(d, units) for d, units in ((6, 3.0), (13, 4.0), (16, 5.0)) if d < weekday]
    s = state(
        as_of=day(weekday),
        sales={"happened_at": [day(d) for d, _ in sold], "product": ["A"] * len(sold), "units": [u for _, u in sold]},
        stock={"happened_at": [day(11)], "product": ["A"], "units": [20.0]},
    )
    starts = (date(2026, 1, 12),)
    none = np.zeros(1)
    demand = Forecast((A,), starts, np.full((1, 1, 1), 10.0), ("",), none.astype(np.int64), none.astype(bool))
    where = position(s)
    assert pooled_demand(demand, where, 7) == {"A": pytest.approx(np.array([[left]]))}
    assert where.on_hand_units["A"] == 20.0 - (10.0 - left)


def test_more_sold_than_recorded_is_no_stock_not_less_than_none() -> None:
    s = state(sales={"happened_at": [day(1)], "product": ["A"], "units": [5]})
    assert position(s).on_hand_units == {"A": 0.0}


@pytest.mark.parametrize("at_once", [10**9, 1])
def test_what_arrives_of_a_product_that_nobody_counted_is_there_until_it_is_sold(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """50 were sold before anything is known to have come; of the 43 that came on the 6th, 4 were sold since. Of B
    nothing was left when 5 came on the 8th."""
    monkeypatch.setattr(large_tables, "MOST_IN_MEMORY", at_once)
    s = state(
        sales={
            "sale": ["s1", "s2", "s3", "s4", "s5"],
            "happened_at": [day(2), day(5), day(9), day(3), day(7)],
            "product": ["A", "A", "A", "B", "B"],
            "market": ["all"] * 5,
            "units": [20, 30, 4, 9, 9],
        },
        receipts={
            "happened_at": [day(6), day(1), day(8)],
            "product": ["A", "B", "B"],
            "units": [43.0, 10.0, 5.0],
        },
    )
    now = position(s)
    assert now.on_hand_units == {"A": 39.0, "B": 5.0}
    since = now.since_count["A", ""]
    assert (since.counted, since.came, since.went) == (0.0, 43.0, 4.0)


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
    """W1 made 4 of 10, scrapped 1; W2 is done; W3 was refused; W4 has no events: it is out; W5 is only proposed."""
    orders = ["W1", "W2", "W3", "W4", "W5"]
    s = state(
        orders={
            "order": orders,
            "product": ["A"] * 5,
            "units": [10.0] * 5,
            "start": [date(2026, 1, 5)] * 5,
            "due": [date(2026, 1, 14)] * 5,
            "locked": [False] * 5,
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


def orders(**columns: list) -> dict[str, list]:
    n = len(columns["order"])
    base = {"product": ["A"] * n, "units": [100.0] * n, "locked": [True] * n}
    return base | {"start": [date(2026, 1, 5)] * n, "due": [date(2026, 1, 14)] * n} | columns


def test_what_was_booked_in_with_an_order_number_is_no_longer_under_way() -> None:
    """W1: 100 of 100 received. W2: 30 good and 5 scrapped in production, 20 in its report: 65 left. W3: the report
    says 40, production only 10: 60 left. W4: received what nobody ordered.
    """
    s = state(
        orders=orders(order=["W1", "W2", "W3"]),
        order_events={
            "happened_at": [day(6), day(6)],
            "order": ["W2", "W3"],
            "state": ["partly_done"] * 2,
            "good_units": [20.0, 40.0],
        },
        receipts={"happened_at": [day(7)] * 2, "order": ["W1", "W4"], "product": ["A"] * 2, "units": [100.0, 3.0]},
        production={
            "happened_at": [day(7)] * 3,
            "order": ["W2", "W2", "W3"],
            "product": ["A"] * 3,
            "good_units": [10.0, 20.0, 10.0],
            "scrap_units": [5.0, 0.0, 0.0],
        },
    )
    assert [(o.order, o.units) for o in position(s).under_way] == [("W2", 65.0), ("W3", 60.0)]
    stands = order_standings(s)
    assert {o: (n.state, n.good_units, n.scrap_units) for o, n in stands.items()} == {
        "W1": (None, 100.0, 0.0),
        "W2": ("partly_done", 30.0, 5.0),
        "W3": ("partly_done", 40.0, 0.0),
        "W4": (None, 3.0, 0.0),
    }


def test_more_made_than_ordered_or_done_with_less_leaves_nothing_under_way() -> None:
    s = state(
        orders=orders(order=["W1", "W2"]),
        order_events={
            "happened_at": [day(6)] * 2,
            "order": ["W1", "W2"],
            "state": ["partly_done", "done"],
            "good_units": [120.0, 50.0],
        },
    )
    assert position(s).under_way == ()


def test_making_the_half_uses_up_what_was_counted() -> None:
    """100 C at 2 for each A: 50 A made leave 0 C; 10 more than the records have leave none, not less than none."""
    for made in (50.0, 60.0):
        s = state(
            components={"product": ["A"], "component": ["C"], "units_per_unit": [2.0]},
            stock={"happened_at": [day(2)], "product": ["C"], "units": [100.0]},
            production={"happened_at": [day(3)], "product": ["A"], "good_units": [made]},
            shipments={"happened_at": [day(4)], "product": ["A"], "units": [1.0]},
        )
        assert position(s).on_hand_units == {"A": made - 1.0, "C": 0.0}


def test_components_are_taken_where_they_are_counted() -> None:
    """C counted at the depot on the 5th and at the works on the 2nd; 10 A made there on the 3rd took 20."""
    s = state(
        components={"product": ["A"], "component": ["C"], "units_per_unit": [2.0]},
        stock={
            "happened_at": [day(2), day(5)],
            "site": ["works", "depot"],
            "product": ["C", "C"],
            "units": [100.0, 7.0],
        },
        production={"happened_at": [day(3)], "site": ["works"], "product": ["A"], "good_units": [10.0]},
    )
    assert position(s).on_hand_units["C"] == 87.0


def test_a_chain_that_only_moves_goods_between_its_sites_serves_sales_at_once() -> None:
    """20 counted at the works on the 2nd, 8 moved to the depot, 5 sold: 15 left and nothing owed."""
    s = state(
        stock={"happened_at": [day(2)], "site": ["works"], "product": ["A"], "units": [20.0]},
        shipments={
            "happened_at": [day(3)],
            "from_site": ["works"],
            "to_site": ["depot"],
            "product": ["A"],
            "units": [8.0],
        },
        sales={"happened_at": [day(4)], "product": ["A"], "units": [5.0]},
    )
    assert not ships_to_buyers(s)
    assert position(s).on_hand_units == {"A": 15.0}
    assert position(s).owed_units == {}
    sold_out = s.with_tables(stock=s.table("stock").slice(0, 0))
    assert position(sold_out).on_hand_units == {"A": 0.0}


@pytest.mark.parametrize(("units", "owed"), [(0.0, {}), (2.0, {(A, date(2026, 1, 4)): 3.0})])
def test_a_shipment_of_nothing_is_none(units: float, owed: dict[tuple[Item, date], float]) -> None:
    """5 were sold. A row of the 3rd that says that 0 were sent tells of no shipment: the sale was served at once. One
    that says 2 tells that what is sent is recorded, and 3 are owed."""
    s = state(
        stock={"happened_at": [day(2)], "product": ["A"], "units": [20.0]},
        shipments={"happened_at": [day(3)], "product": ["A"], "units": [units]},
        sales={"happened_at": [day(4)], "product": ["A"], "units": [5.0]},
    )
    assert ships_to_buyers(s) == (units > 0)
    assert position(s).owed_units == owed
    assert position(s).on_hand_units == {"A": 15.0 if units == 0 else 18.0}


@pytest.mark.parametrize(("sent", "owed"), [(3, 2.0), (2, 2.0), (1, 6.0)])
def test_what_was_sent_before_its_order_serves_it_within_a_week(sent: int, owed: float) -> None:
    """6 ordered on the 9th; 4 sent in a week and a day before serve it (the 2nd is the last such day)."""
    assert SENT_AHEAD_DAYS == 7
    s = state(
        sales={"happened_at": [day(9)], "product": ["A"], "units": [6]},
        shipments={"happened_at": [day(sent)], "product": ["A"], "units": [4]},
    )
    assert position(s).owed_units == {(A, date(2026, 1, 9)): owed}


def test_what_is_sent_without_a_market_serves_any_market_where_nothing_is_sold_without_one() -> None:
    """A is sold north (6 on the 6th) and south (3 and 9 on the 6th and the 7th); 11 sent in 'all': the 9 of the 6th,
    2 of the 7th. B is sold in 'all', too: its shipment is for those orders only.
    """
    s = state(
        sales={
            "happened_at": [day(6), day(6), day(7), day(6), day(6)],
            "product": ["A", "A", "A", "B", "B"],
            "market": ["north", "south", "south", "north", "all"],
            "units": [6, 3, 9, 5, 5],
        },
        shipments={"happened_at": [day(1), day(8), day(8)], "product": ["C", "A", "B"], "units": [1, 11, 5]},
    )
    assert position(s).owed_units == {
        (Item("A", "south"), date(2026, 1, 7)): 7.0,
        (Item("B", "north"), date(2026, 1, 6)): 5.0,
    }


def test_orders_of_one_day_share_what_is_left_in_proportion() -> None:
    s = state(
        sales={"happened_at": [day(6)] * 2, "product": ["A"] * 2, "market": ["north", "south"], "units": [6, 3]},
        shipments={"happened_at": [day(1), day(8)], "product": ["C", "A"], "units": [1, 6]},
    )
    due = date(2026, 1, 6)
    assert position(s).owed_units == {(Item("A", "north"), due): 2.0, (Item("A", "south"), due): 1.0}


def test_lots_counted_on_one_local_day_are_one_count() -> None:
    """In Shanghai (UTC+8) on the 5th: lot X 5 at 09:00 and 4 at 11:00, lot Y 7 at 10:00: 11. Lot Z was seen the day
    before. 2 received at 10:30 are in the count, 1 at noon is not.
    """
    at = [datetime(2026, 1, 5, hour, minute, tzinfo=UTC) for hour, minute in ((1, 0), (3, 0), (2, 0), (2, 30), (4, 0))]
    s = state(
        ChainSettings("t", time_zone="Asia/Shanghai"),
        stock={
            "happened_at": [*at[:3], datetime(2026, 1, 4, 15, 59, tzinfo=UTC)],
            "product": ["A"] * 4,
            "lot": ["X", "X", "Y", "Z"],
            "units": [5.0, 4.0, 7.0, 50.0],
        },
        receipts={"happened_at": at[3:], "product": ["A"] * 2, "units": [2.0, 1.0]},
    )
    assert position(s).on_hand_units == {"A": 12.0}


def plain_queue(
    ordered: dict[int, int], sent: dict[int, int], today: int, keep: int, ahead: int
) -> tuple[dict[int, int], dict[int, int]]:
    """Units owed and served by day of the order, one unit after the other, over all days."""
    waiting: deque[int] = deque()
    spare: deque[int] = deque()
    served: dict[int, int] = {}
    for now in range(today + 1):
        while waiting and waiting[0] <= now - keep:
            waiting.popleft()
        while spare and spare[0] < now - ahead:
            spare.popleft()
        waiting.extend([now] * ordered.get(now, 0))
        while waiting and spare:
            spare.popleft()
            first = waiting.popleft()
            served[first] = served.get(first, 0) + 1
        for _ in range(sent.get(now, 0)):
            if waiting:
                first = waiting.popleft()
                served[first] = served.get(first, 0) + 1
            else:
                spare.append(now)
    return {d: waiting.count(d) for d in set(waiting)}, {d: n for d, n in served.items() if d > today - keep}


@pytest.mark.parametrize("seed", range(60))
def test_the_queue_is_that_of_one_unit_after_the_other(seed: int) -> None:
    """Random orders and shipments of five items over 80 days, in all mixes of too much and too little sent."""
    rng = np.random.default_rng(seed)
    settings = ChainSettings("t", promise_days=int(rng.integers(0, 5)), max_late_days=int(rng.integers(0, 30)))
    first, days = datetime(2026, 1, 1, tzinfo=UTC), int(rng.integers(1, 80))
    tables: dict[str, dict[str, list]] = {
        name: {"happened_at": [], "product": [], "units": []} for name in ("sales", "shipments")
    }
    # What was sold before the first shipment counts as served.
    tables["shipments"] = {"happened_at": [first], "product": ["Z"], "units": [1.0]}
    units: dict[str, dict[str, dict[int, int]]] = {"sales": {}, "shipments": {}}
    for name, table in tables.items():
        for product in "ABCDE":
            of_product = units[name].setdefault(product, {})
            for now in np.flatnonzero(rng.random(days) < rng.uniform(0.05, 0.9)).tolist():
                for _ in range(int(rng.integers(1, 3))):
                    amount = int(rng.integers(1, 12))
                    of_product[now] = of_product.get(now, 0) + amount
                    table["happened_at"].append(first + timedelta(days=now, hours=int(rng.integers(0, 24))))
                    table["product"].append(product)
                    table["units"].append(float(amount))
    s = state(settings, first + timedelta(days=days - 1, hours=23), **tables)
    owed: dict[tuple[Item, date], float] = {}
    served: dict[tuple[Item, date], float] = {}
    for product in "ABCDE":
        keep, ahead = settings.max_late_days + settings.promise_days + 1, settings.promise_days + SENT_AHEAD_DAYS
        left, gone = plain_queue(units["sales"][product], units["shipments"][product], days - 1, keep, ahead)
        for of_day, into, late in ((left, owed, True), (gone, served, False)):
            for now, amount in of_day.items():
                due = first.date() + timedelta(days=now + settings.promise_days)
                if (due < s.first_open_bucket) == late:
                    into[Item(product, "all"), due] = float(amount)
    found = position(s)
    if ships_to_buyers(s) and tables["sales"]["units"]:
        assert found.owed_units == owed
        assert found.served_ahead_units == served


def told_of(s: State, key: str) -> list[tuple[int, str]]:
    """Count and units of the notices of a kind."""
    figures = [dict(n.found.params) for n in position_notices(s, nothing_learnt()) if f"position.{n.code}" == key]
    return [(f["count"], f["units"]) for f in figures]


def sold_and_sent_a_day_later(first: datetime, every: int, count: int, unsent: int) -> dict[str, dict]:
    """10, 11, 12 ... units sold each `every` days, each sent on the day after but the last ones."""
    days = [first + timedelta(days=every * n) for n in range(count)]
    units = [10.0 + n for n in range(count)]
    sent = [d + timedelta(days=1) for d in days[: count - unsent]]
    return {
        "sales": {"happened_at": days, "product": ["A"] * count, "units": units},
        "shipments": {"happened_at": sent, "product": ["A"] * len(sent), "units": units[: len(sent)]},
    }


@pytest.mark.parametrize("every", [1, 2])
def test_a_first_shipment_the_day_after_the_first_sale_is_of_that_sale(every: int) -> None:
    """Of five sales the last two are not sent: 13 and 14 are owed, though the first came before any shipment."""
    s = state(as_of=day(12), **sold_and_sent_a_day_later(day(11 - 5 * every), every, 5, 2))
    assert sorted(position(s).owed_units.values()) == [13.0, 14.0]
    assert told_of(s, "position.old_sales_wait") == [(1, "10")]


def test_records_of_shipments_that_begin_late_leave_open_what_they_are_of() -> None:
    """100 sold on each of 40 Mondays and sent the day after; shipments are recorded from the Tuesday of week 37 on.
    That one is of the Monday before it; the sales of the weeks before are served, the last four of which could else be
    owed (60 days late at most); what was sold last is owed."""
    mondays = [day(12) - timedelta(days=7 * n) for n in range(40, 0, -1)]
    sent = [d + timedelta(days=1) for d in mondays[36:39]]
    s = state(
        ChainSettings("t", max_late_days=60),
        sales={"happened_at": mondays, "product": ["A"] * 40, "units": [100.0] * 40},
        shipments={"happened_at": sent, "product": ["A"] * 3, "units": [100.0] * 3},
    )
    assert position(s).owed_units == {(A, date(2026, 1, 5)): 100.0}
    assert told_of(s, "position.old_sales") == [(4, "400")]
    assert told_of(s, "position.old_sales_wait") == [(1, "100")]


@pytest.mark.parametrize("most", [large_tables.MOST_IN_MEMORY, 1])
def test_units_of_a_sale_that_a_shipment_served_leave_the_stock_once(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """50 counted on the 1st; 10 sold on the 2nd and 11 on the 3rd, each sent the day after: 29 left, not 19. So it is
    where the sales are read part by part."""
    monkeypatch.setattr(large_tables, "MOST_IN_MEMORY", most)
    s = state(
        stock={"happened_at": [datetime(2026, 1, 1, 12, tzinfo=UTC)], "product": ["A"], "units": [50.0]},
        **sold_and_sent_a_day_later(day(2), 1, 2, 0),
    )
    assert position(s).on_hand_units == {"A": 29.0}
    assert position(s).owed_units == {}


def test_sales_served_at_once_that_are_due_ahead_are_told() -> None:
    """No shipments; 5 sold on the 11th are promised for the 14th, in the open week: taken as served, and said."""
    s = state(
        ChainSettings("t", promise_days=3),
        sales={"happened_at": [day(1), day(11)], "product": ["A"] * 2, "units": [9.0, 5.0]},
    )
    assert position(s).served_ahead_units == {(A, date(2026, 1, 14)): 5.0}
    assert told_of(s, "position.served_at_once") == [(1, "5")]


LATER = "took longer than this one has by now"
NONE_SO_LONG = "none of them took as long as this one"


@pytest.mark.parametrize(
    ("took", "words"),
    [
        ((), "7 days from today, its lead time; no earlier order tells how late it comes"),
        ((5,), "5 days from today, as many as the only earlier order took, which did not take as long as this one has"),
        ((5, 6, 3), f"6 days from today, within which all 3 earlier orders came; {NONE_SO_LONG}"),
        ((5, 6, 3, 4, 9), f"6 days from today, within which four out of five of 5 earlier orders came; {NONE_SO_LONG}"),
        ((20,), f"the only earlier order {LATER}, and came 20 days after its order"),
        ((5, 20, 6), f"of 3 earlier orders one {LATER}, and came 20 days after its order"),
        ((5, 20, 25), f"of 3 earlier orders 2 {LATER}, and all of those came within 25 days of their order"),
        (
            (20, 20, 20, 20, 30),
            f"of 5 earlier orders 5 {LATER}, and four out of five of those came within 20 days of their order",
        ),
    ],
)
def test_on_how_many_orders_the_day_of_an_overdue_one_rests(took: tuple[int, ...], words: str) -> None:
    """P9 was ordered on the 1st and due on the 5th; on the 12th it is 11 days old."""
    first = date(2025, 10, 1)
    rows = [(f"P{k}", first, first + timedelta(days=days)) for k, days in enumerate(took)]
    orders = [*((name, start, due) for name, start, due in rows), ("P9", date(2026, 1, 1), date(2026, 1, 5))]
    names, starts, dues = (list(column) for column in zip(*orders, strict=True))
    count = len(orders)
    came = [datetime(due.year, due.month, due.day, tzinfo=UTC) for _, _, due in rows]
    none = {
        "happened_at": pa.array(came, pa.timestamp("us", "UTC")),
        "order": pa.array([r[0] for r in rows], pa.string()),
    }
    s = state(
        products={"product": ["A"]},
        offers={"offer": ["O"], "product": ["A"], "price": [1.0], "lead_days": [7.0]},
        orders={"order": names, "kind": ["buy"] * count, "product": ["A"] * count, "offer": ["O"] * count}
        | {"units": [10.0] * count, "start": starts, "due": dues, "locked": [True] * count},
        receipts=none | {"product": pa.array(["A"] * len(rows), pa.string()), "units": pa.array([10.0] * len(rows))},
    )
    (told,) = [f for f in position_notices(s, nothing_learnt()) if f.code == "order_overdue"]
    assert f": {words}" in told.found.text("en")
    assert told.found.text("zh")


# what shipments were for ----------------------------------------------------------------------------


def _firm(**more: object) -> dict[str, Any]:
    return {"demand": "d", "product": "A", "due": date(2026, 1, 15), "units": 60.0, "firm": True} | more


def _rows_state(**tables: list[dict[str, Any]]) -> State:
    given = {name: pa.Table.from_pylist(rows) for name, rows in tables.items()}
    return state_of_tables(ChainSettings("t"), day(12), given)


def _asks(state: State) -> dict[str, float]:
    """Units that are still asked for, by key of the firm row: of those due ahead, and of those owed."""
    where = position(state)
    ahead = {r["demand"]: r["units"] - where.firm_ahead_units.get(r["demand"], 0.0) for r in _firm_ahead(state)}
    return ahead | {row.demand: row.units for row in where.firm_rows}


def _firm_ahead(state: State) -> list[dict[str, Any]]:
    return [r for r in state.table("demand").to_pylist() if r["due"] >= state.first_open_bucket]


def test_a_shipment_serves_no_firm_order_but_the_one_that_it_names() -> None:
    """Orders and shipments drawn by chance: an order has what names it, up to its units, and one that is due ahead
    nothing else; one that is past has what names no order besides; what names another one serves none."""
    named_other = unnamed = 0
    for seed in range(80):
        rng = np.random.default_rng(seed)
        rows = [
            _firm(demand=f"d{i}", due=date(2026, 1, int(rng.integers(6, 28))), units=float(rng.integers(5, 40)))
            for i in range(3)
        ]
        names = [*(row["demand"] for row in rows), "OLD", None]
        sent = [
            {"happened_at": day(int(rng.integers(1, 12))), "product": "A", "units": float(rng.integers(1, 30))}
            | {"order": names[rng.integers(len(names))]}
            for _ in range(4)
        ]
        state = _rows_state(demand=rows, shipments=sent)
        loose = sum(s["units"] for s in sent if s["order"] is None)
        named_other += any(s["order"] == "OLD" for s in sent)
        unnamed += loose > 0
        asks = _asks(state)
        for row in rows:
            own = min(sum(s["units"] for s in sent if s["order"] == row["demand"]), row["units"])
            left = row["units"] - own
            least = left if row["due"] >= state.today else max(left - loose, 0.0)
            assert least - 1e-9 <= asks.get(row["demand"], 0.0) <= left + 1e-9, (seed, row, sent)
    assert named_other > 20
    assert unnamed > 20


def test_what_was_sent_for_nobody_known_is_told_where_an_order_is_due_soon() -> None:
    """30 without a number, sent on the 9th, and 60 wanted on the 15th: all 60 are asked for."""
    sent = {"happened_at": day(9), "product": "A", "units": 30.0}
    state = _rows_state(demand=[_firm()], shipments=[sent])
    assert _asks(state) == {"d": 60.0}
    (told,) = [f for f in position_notices(state, nothing_learnt()) if f.code == "sent_unexplained"]
    assert "30 A" in told.found.text("en")
    for shipments in ([sent | {"order": "OLD"}], [sent | {"order": "d"}]):
        found = position_notices(_rows_state(demand=[_firm()], shipments=shipments), nothing_learnt())
        assert not [f for f in found if f.code == "sent_unexplained"]


def test_a_shipment_of_an_order_that_is_not_known_serves_a_sale() -> None:
    """10 sold on the 8th; 25 sent on the 9th under a number that is no firm row's: the sale has its 10, the order of 60
    none of the rest."""
    sale = {"happened_at": day(8), "product": "A", "units": 10.0}
    sent = {"happened_at": day(9), "product": "A", "units": 25.0, "order": "SO-7"}
    state = _rows_state(demand=[_firm(due=date(2026, 1, 9))], sales=[sale], shipments=[sent])
    assert _asks(state) == {"d": 60.0}
    assert sum(position(state).owed_units.values()) == 60.0


def test_orders_that_waited_too_long_are_told_by_how_long_each_may_wait() -> None:
    """28 days where a row says nothing; 3 of one that says so, whatever the chain says."""
    rows = {
        "demand": ["old", "short", "owed"],
        "product": ["A"] * 3,
        "due": [date(2025, 11, 1), date(2026, 1, 5), date(2026, 1, 5)],
        "units": [1.0] * 3,
        "max_late_days": pa.array([None, 3, None], pa.int64()),
    }
    found = state(products={"product": ["A"]}, demand=rows)
    told = [f.found.text("en") for f in position_notices(found, nothing_learnt()) if f.code == "firm_given_up"]
    first, second = told
    assert "more than 28 days" in first and ": old;" in first
    assert "more than 3 days" in second and ": short;" in second
