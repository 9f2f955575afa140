"""What a reason says of stock, on a chain small enough to follow by hand."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from datong.cycle import decide, head, written
from datong.ledger.state import state_of_tables
from datong.model.flow import Adjustment, Forecast, Item, Learnt, Plan, Sensed, Signal, Subject, nothing_learnt
from datong.model.settings import ChainSettings
from datong.model.words import message
from planning import plan
from small_chain import chain, demand, press

MONDAY = date(2024, 1, 1)


def test_what_is_on_the_way_is_not_called_stock() -> None:
    """10 wanted this week; 3 lie in stock and an order for 4 is out and due this week."""
    tables = {
        "products": [{"product": "A", "price": 100.0}],
        "recipes": [{"recipe": "A/L", "product": "A", "cost_per_unit": 2.0}],
        "stock": [{"happened_at": datetime(2023, 12, 31, tzinfo=UTC), "product": "A", "units": 3.0}],
        "orders": [
            {"order": "W1", "product": "A", "recipe": "A/L", "units": 4.0, "start": MONDAY, "due": MONDAY}
            | {"locked": True}
        ],
    }
    given = {name: pa.Table.from_pylist(rows) for name, rows in tables.items()}
    state = state_of_tables(ChainSettings("t", horizon_buckets=1), datetime(2024, 1, 1, tzinfo=UTC), given)
    of_one = np.zeros(1)
    paths = np.array([[[10.0]]])
    wanted = Forecast((Item("A", "all"),), (MONDAY,), paths, ("SES",), of_one.astype(int), of_one.astype(bool))
    (order,) = plan(state, wanted).orders
    assert order.units == 3.0
    told = [cause.text.text("en") for cause in order.causes]
    assert told[:3] == ["3 for expected demand of the week of 2024-01-01", "in stock 3", "on order before 4"]
    assert order.causes[1].evidence_table == "stock"
    assert not any("7" in text for text in told[:3])


@pytest.mark.parametrize(("yield_share", "wanted", "left"), [(0.9, 10.0, None), (0.9, 9.0, "1.8"), (1.0, 9.0, "3")])
def test_a_part_of_a_unit_is_no_left_over(yield_share: float, wanted: float, left: str | None) -> None:
    """A multiple of 12, of which nine in ten are good: 10.8. The 0.8 beyond 10 waits for the rest of a unit. The 1.8
    beyond 9, and the 3 of 12 without a loss, are left over, and said."""
    state = chain(1, **press(yield_share=yield_share, lot_multiple_units=12.0, hours_per_unit=0.1))
    (order,) = plan(state, demand(state, A=[[wanted]])).orders
    assert order.units == 12.0
    told = [cause.text.text("en") for cause in order.causes if cause.text.key == "plan.cause.multiple"]
    assert told == ([] if left is None else [f"lots come in multiples of 12, which adds {left}"])


def test_parts_of_a_unit_add_up_to_what_is_good() -> None:
    """Lots of 7 at nine in ten good are 6.3 each. 6 serve the first week, and 0.3 waits; of the second lot's 6.3 with
    it 6 serve, and 0.6; of the third's 6.9 with that 6, and so on: the fourth serves 7, 0.7 of it from before."""
    state = chain(4, **press(yield_share=0.9, lot_multiple_units=7.0, hours_per_unit=0.1))
    orders = plan(state, demand(state, A=[[6.0, 6.0, 6.0, 7.0]])).orders
    assert [order.units for order in orders] == [7.0] * 4
    told = [[cause.text.text("en") for cause in order.causes] for order in orders]
    assert all("of 7 about 6.3 are good, at 90.0%" in of_order for of_order in told)
    assert "0.3 of a unit lies until the rest of it is there" in told[0]
    assert "0.7 of that is of a unit of which a part was there before" in told[3]


@pytest.mark.parametrize(("records", "words"), [({"A/L": 3}, "by 3 reports"), ({}, "by reports")])
def test_a_yield_that_was_learnt_says_so(records: dict[str, int], words: str) -> None:
    """The table says that all are good, reports that three in four are."""
    state = chain(1, **press(hours_per_unit=0.1))
    learnt = Learnt({}, {}, {}, {"A/L": 0.75}, nothing_learnt().scores, records)
    (order,) = plan(state, demand(state, A=[[12.0]]), learnt).orders
    (cause,) = [cause for cause in order.causes if cause.stage == "learn"]
    assert (order.units, cause.text.text("en")) == (16.0, f"of 16 about 12 are good, at 75.0%, {words}")


def promoted(adjusted: tuple[date, ...], first: date) -> Plan:
    """10 of A wanted in each of 8 weeks, of which a line makes 10 each, out of a component; a promotion begins on
    `first`, and moves the demand of these weeks."""
    weeks = tuple(MONDAY + timedelta(days=7 * t) for t in range(8))
    tables = {
        "products": [{"product": "A", "price": 100.0}, {"product": "C", "price": 5.0}],
        "lines": [{"line": "L", "hours_per_week": 10.0}],
        "recipes": [{"recipe": "A/L", "product": "A", "line": "L", "hours_per_unit": 1.0, "cost_per_unit": 2.0}],
        "components": [{"product": "A", "component": "C", "units_per_unit": 1.0}],
        "offers": [{"offer": "C/V", "product": "C", "price": 5.0, "lead_days": 0.0}],
    }
    given = {name: pa.Table.from_pylist(rows) for name, rows in tables.items()}
    state = state_of_tables(ChainSettings("t", horizon_buckets=8), datetime(2024, 1, 1, tzinfo=UTC), given)
    item = Item("A", "all")
    wanted = Forecast((item,), weeks, np.full((1, 1, 8), 10.0), ("SES",), np.zeros(1, int), np.zeros(1, bool))
    text, none = message("sense.stated_why", why="PROMOTION"), None
    of_a = Subject("product", "A", "all")
    kind, p_value = ("promotion", none) if first >= MONDAY else ("surge", 0.001)
    one = Signal("S1", kind, of_a, first, first, none, 0.5, 5.0, p_value, none, "promotions", ("p",), text)
    sensed = Sensed(None, (one,), tuple(Adjustment(item, week, 1.5, 1.5, 1.5, "S1") for week in adjusted))
    return plan(state, wanted, sensed=sensed)


def named_for(made: Plan, product: str) -> set[date]:
    """The first days of the orders that name the promotion."""
    told = [(o, any("PROMOTION" in c.text.text("en") for c in o.causes)) for o in made.orders if o.product == product]
    assert len(told) == 8
    return {order.start for order, names in told if names}


def test_a_promotion_is_a_reason_of_what_is_made_for_its_weeks_alone() -> None:
    first = MONDAY + timedelta(days=7)
    assert named_for(promoted((first,), first), "A") == {first}
    assert named_for(promoted((first,), first), "C") == set()  # nothing is said of the component's own demand
    assert named_for(promoted((), first), "A") == set()  # dismissed, or of a size that nobody knows: it moves nothing


def test_what_was_found_in_the_past_is_a_reason_of_every_order() -> None:
    assert len(named_for(promoted((), MONDAY - timedelta(days=70)), "A")) == 8


def assembled(hours: float, lying: float, more: list[dict[str, object]]) -> list[list[str]]:
    """What is said of the orders for A: each takes a P, and an hour of L, which works so many in a week and is closed
    in the second; it is there a week later. So many P lie there, and 20 come in the third week; none can be bought."""
    day = timedelta(days=1)
    shut = {"calendar": "C", "from": MONDAY + 7 * day, "to": MONDAY + 14 * day, "open": False}
    tables = {
        "products": [
            {"product": "A", "name": "Stand", "price": 100.0},
            {"product": "P", "kind": "component", "price": 5.0},
        ],
        "calendars": [{"calendar": "C"}],
        "calendar_days": [shut],
        "sites": [{"site": "F", "kind": "factory", "calendar": "C"}],
        "lines": [{"line": "L", "site": "F", "hours_per_week": hours}],
        "recipes": [
            {"recipe": "A/L", "product": "A", "line": "L", "hours_per_unit": 1.0, "cost_per_unit": 2.0}
            | {"setup_hours": 1.0, "lead_days": 1.0}
        ],
        "components": [{"product": "A", "component": "P", "units_per_unit": 1.0}],
        "offers": [{"offer": "O", "product": "P", "price": 5.0, "lead_days": 90.0}],
        "orders": [
            {"order": "PO", "kind": "buy", "product": "P", "offer": "O", "units": 20.0, "locked": True}
            | {"start": MONDAY - 60 * day, "due": MONDAY + 14 * day}
        ],
        "stock": [{"product": "P", "units": lying, "happened_at": datetime(2023, 12, 31, tzinfo=UTC)}],
        "demand": more,
    }
    given = {name: pa.Table.from_pylist(rows) for name, rows in tables.items()}
    settings = ChainSettings("t", horizon_buckets=6, max_late_days=60)
    start = head(state_of_tables(settings, datetime(2024, 1, 1, tzinfo=UTC), given), nothing_learnt(), 0)
    orders = written(start, decide(start)).orders
    return [[c.text.text("en") for c in o.causes] for o in orders if o.product == "A"]


def test_a_shut_week_is_no_cause_of_a_delay_for_want_of_parts() -> None:
    """6 are wanted in the third week, and would have to begin in the first, when no P lies there: that is why, and not
    the shutdown, after which L has hours enough."""
    (told,) = assembled(10.0, 0.0, [{"demand": "d", "product": "A", "due": MONDAY + timedelta(days=14), "units": 6.0}])
    assert "late: d (6), because P is short in the week of 2024-01-01" in told
    assert "from then until it is made line L is shut in the week of 2024-01-08" in told
    assert not any("later than wanted" in text for text in told)


def test_what_is_made_weeks_after_a_shutdown_says_what_stands_in_the_way_just_before() -> None:
    """Of 14, wanted in the third week, 8 take the 9 hours of the third, and 6 are left for the fourth."""
    day = MONDAY + timedelta(days=14)
    orders = assembled(9.0, 0.0, [{"demand": f"d{k}", "product": "A", "due": day, "units": k} for k in (8.0, 6.0)])
    last = orders[-1]
    assert any(text.startswith("late: ") and "because P is short in the week of 2024-01-01" in text for text in last)
    assert "from then until it is made line L is full in the week of 2024-01-15 (9 of 9 h)" in last


def bought_late(**row: object) -> dict[str, list[str]]:
    """By product what the reason of its order says between the customers' orders and the stock: A comes in a week, B
    in three, and 5 of each are wanted at once."""
    state = chain(
        6,
        {"max_late_days": 99},
        products=[{"product": p, "price": 100.0} for p in "AB"],
        offers=[
            {"offer": f"o{p}", "product": p, "price": 1.0, "lead_days": days} for p, days in (("A", 7.0), ("B", 21.0))
        ],
        demand=[{"demand": f"d{p}", "product": p, "due": MONDAY, "units": 5.0} | row for p in "AB"],
    )
    begun = head(state, nothing_learnt(), 0)
    orders = written(begun, decide(begun)).orders
    wanted = ("plan.cause.together", "plan.cause.complete", "plan.cause.at_least")
    return {o.product: [c.text.text("en") for c in o.causes if c.text.key in wanted] for o in orders}


def test_what_waits_for_others_of_its_group_says_so() -> None:
    """A of a group with B is there with B, two weeks later than by itself."""
    together = ["group G is delivered together (dA, dB)"]
    assert bought_late(delivery_group="G") == {"A": together, "B": together}
    assert bought_late(delivery_group=None) == {"A": [], "B": []}


def test_what_is_late_says_how_it_is_to_be_delivered() -> None:
    assert bought_late(min_delivery_units=5.0)["A"] == ["dA is delivered complete"]
    assert bought_late(min_delivery_units=9.0)["A"] == ["dA is delivered complete"]
    assert bought_late(min_delivery_units=2.0)["A"] == ["each delivery of dA is at least 2"]
