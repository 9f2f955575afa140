"""From a state to orders, on chains small enough to follow by hand."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from datong.model.flow import Forecast, Item, Sensed, Signal, Subject, nothing_learnt
from datong.model.words import message
from datong.plan.reason import sentence
from planning import NOTHING_SENSED, plan
from small_chain import MONDAY, chain, press


def wanted(state, **paths):
    items = tuple(Item(name, "all") for name in sorted(paths))
    starts = state.settings.calendar.starts(MONDAY, state.settings.horizon_buckets)
    zero = np.zeros(len(items))
    arrays = np.array([np.asarray(paths[i.product], dtype=float) for i in items])
    method = ("SES",) * len(items)
    return Forecast(items, starts, arrays, method, zero.astype(np.int64) + 8, zero.astype(bool))


def planned(state, forecast, sensed=NOTHING_SENSED, learnt=None):
    return plan(state, forecast, learnt, sensed)


def with_part(tables, stock):
    """A takes one Q, bought at 3 with a lead of a week."""
    tables["products"].append({"product": "Q", "price": 4.0, "kind": "material"})
    tables["components"] = [{"product": "A", "component": "Q", "units_per_unit": 1.0}]
    tables["offers"] = [{"offer": "Q/S", "product": "Q", "price": 3.0, "lead_days": 7.0}]
    tables["stock"] = [{"happened_at": datetime(2023, 12, 31, tzinfo=UTC), "product": "Q", "units": stock}]
    return tables


def week(n):
    return MONDAY + timedelta(days=7 * n)


def friday(n):
    return week(n) + timedelta(days=4)


def test_orders_days_numbers_and_value():
    """6 wanted in week 0 and 13 in week 1: 10 hours a week, so 3 of the second week's are made ahead. Each is due on
    the Friday of the week in which it is made.

    Order of week 0: 9 units cost 18. Without it 6 units and the 3 that are held for week 1 (3 x 1 = 3) are refused, for
    to wait to the end costs more: it saves 9 x 100 - 3 = 897, so its value is 897 - 18 = 879. The second saves
    10 x 100 for 20.
    """
    state = chain(2, **press(lead_days=0))
    found = planned(state, wanted(state, A=[[6.0, 13.0]]))
    first, second = found.orders
    assert (first.order, first.units, first.start, first.due) == ("W20240101-001", 9.0, MONDAY, friday(0))
    assert (second.order, second.units, second.start) == ("W20240101-002", 10.0, week(1))
    assert second.due == friday(1)
    assert (first.needed_by, second.needed_by) == (MONDAY, week(1))
    assert (first.line, first.recipe, first.kind) == ("L", "A/L", "make")
    assert first.cost == pytest.approx(18.0)
    assert (first.value, second.value) == (pytest.approx(879.0), pytest.approx(980.0))


def test_a_work_order_is_due_on_the_friday_of_the_week_in_which_it_finishes():
    """Ten days' lead are two weeks: wanted in week 3, started in week 1, finished by the Friday of week 3."""
    state = chain(4, **press(lead_days=10))
    order = planned(state, wanted(state, A=[[0.0, 0.0, 0.0, 5.0]])).orders[0]
    assert (order.start, order.due) == (week(1), friday(3))


def test_a_work_order_of_a_part_is_due_when_the_first_order_that_takes_it_starts():
    """6 A wanted in week 0 and 2 in week 3, lead a week, each of a Q that is made in a week: the Q of week 2's order
    are started in week 1 and due on the Monday of week 2; those of week 0's, started in week 0, on that of week 1.
    The 6 A are late, and so there when the week begins in which they can be, the 2 by its Friday."""
    tables = press(lead_days=7)
    tables["products"].append({"product": "Q", "price": 4.0, "kind": "component"})
    tables["components"] = [{"product": "A", "component": "Q", "units_per_unit": 1.0}]
    tables["lines"].append({"line": "M", "hours_per_week": 100.0})
    part = {"recipe": "Q/M", "product": "Q", "line": "M", "hours_per_unit": 1.0, "cost_per_unit": 1.0, "lead_days": 7.0}
    tables["recipes"].append(part)
    state = chain(4, **tables)
    orders = planned(state, wanted(state, A=[[6.0, 0.0, 0.0, 2.0]])).orders
    assert [(o.product, o.units, o.start, o.due) for o in orders] == [
        ("Q", 6.0, week(0), week(1)),
        ("A", 6.0, week(1), week(2)),
        ("Q", 2.0, week(1), week(2)),
        ("A", 2.0, week(2), friday(3)),
    ]


def test_a_purchase_is_due_on_the_day_on_which_it_arrives():
    """Ten days after the Monday on which it is ordered: in the second week after, the first that can use it."""
    tables = with_part(press(), 0.0)
    tables["offers"][0]["lead_days"] = 10.0
    state = chain(4, **tables)
    bought = next(o for o in planned(state, wanted(state, A=[[0.0, 0.0, 0.0, 5.0]])).orders if o.kind == "buy")
    assert (bought.start, bought.due, bought.needed_by) == (week(1), week(1) + timedelta(days=10), week(3))


def test_numbers_go_on_from_those_given_out():
    tables = press()
    row = {"kind": "make", "product": "A", "recipe": "A/L", "units": 1.0, "start": MONDAY, "due": MONDAY}
    tables["orders"] = [row | {"order": "W20240101-007", "locked": True}]
    state = chain(1, **tables)
    found = planned(state, wanted(state, A=[[5.0]]))
    assert [(o.order, o.units) for o in found.orders] == [("W20240101-008", 4.0)]
    assert found.kept.select(["order", "state"]).to_pylist() == [{"order": "W20240101-007", "state": "released"}]


def test_kept_orders_are_those_out_and_those_locked():
    row = {"kind": "make", "product": "A", "recipe": "A/L", "units": 1.0, "start": MONDAY, "due": MONDAY}
    tables = press()
    states = {"W1": "started", "W2": "done", "W3": "cancelled", "W4": "refused", "W5": "released", "W6": "proposed"}
    tables["orders"] = [row | {"order": name, "locked": name == "W3"} for name in states]
    moment = datetime(2023, 12, 30, tzinfo=UTC)
    tables["order_events"] = [{"happened_at": moment, "order": o, "state": s} for o, s in states.items()]
    state = chain(1, **tables)
    kept = planned(state, wanted(state, A=[[0.0]])).kept
    assert kept["order"].to_pylist() == ["W1", "W5"]


def test_frozen_buckets_get_no_new_start():
    state = chain(4, {"frozen_buckets": 2}, **with_part(press(min_lot_units=3.0), 20.0))
    found = planned(state, wanted(state, A=np.full((1, 4), 4.0)))
    assert found.orders
    assert min(o.start for o in found.orders) == week(2)


def test_hours_with_set_ups_are_never_exceeded():
    """A set-up takes 2 of 10 hours: at most 8 units a week, though the market in any quantities counts on 10."""
    state = chain(4, **press(setup_hours=2.0))
    found = planned(state, wanted(state, A=np.full((1, 4), 9.0)))
    hours: dict[date, float] = {}
    for order in found.orders:
        hours[order.start] = hours.get(order.start, 0.0) + 2.0 + order.units
    assert max(hours.values()) <= 10.0
    assert sum(o.units for o in found.orders) == 32.0


def test_components_come_first_and_never_run_out():
    """4 Q in stock and a week's lead: 6 A wanted in week 0 get 4, the other 2 wait for the purchase."""
    state = chain(3, **with_part(press(), 4.0))
    found = planned(state, wanted(state, A=[[6.0, 0.0, 3.0]]))
    made = {o.start: o.units for o in found.orders if o.kind == "make"}
    bought = {o.due: o.units for o in found.orders if o.kind == "buy"}
    assert made[MONDAY] == 4.0
    assert sum(made.values()) == 9.0
    assert sum(bought.values()) == 5.0
    stock = 4.0
    for n in range(3):
        stock += bought.get(week(n), 0.0) - made.get(week(n), 0.0)
        assert stock >= 0
    purchase = next(o for o in found.orders if o.kind == "buy")
    assert purchase.order == "P20240101-001"
    assert purchase.needed_by == week(1)
    assert purchase.value is None
    assert "for the orders W20240101-002 for A (2 in the week of 2024-01-08)" in purchase.causes[0].text.text("en")


def test_smallest_lot_brings_needs_forward():
    """2 a week, smallest lot 6: one lot of 6 serves three weeks (holding 4 + 2 = 6 against 2 late units a week)."""
    state = chain(3, **press(min_lot_units=6.0))
    found = planned(state, wanted(state, A=np.full((1, 3), 2.0)))
    assert [(o.start, o.units) for o in found.orders] == [(MONDAY, 6.0)]
    told = sentence(found.orders[0], "en")
    assert "6 for expected demand from the week of 2024-01-01 to the week of 2024-01-15" in told
    assert "the smallest lot is 6" in told and "3 weeks" in told
    assert "最小批量为 6" in sentence(found.orders[0], "zh")


def test_causes_name_line_alternative_method_and_signal():
    """20 of 22 units fit on L, 2 of week 1's ahead in week 0; the rest goes to M at 9 instead of 2, 7 dearer."""
    tables = press()
    for line, cost in (("M", 9.0), ("N", 12.0)):
        recipe = {"recipe": f"A/{line}", "line": line, "cost_per_unit": cost}
        tables["recipes"].append(tables["recipes"][0] | recipe)
        tables["lines"].append({"line": line, "hours_per_week": 10.0})
    state = chain(2, **tables)
    signal = Signal(
        *("s1", "surge", Subject("product", "A"), MONDAY, MONDAY, 4.0, 0.5, 3.0, 0.001, 0.01, "sales", ("sales:1",)),
        message("plan.day", day="A surged"),
    )
    found = planned(state, wanted(state, A=[[8.0, 14.0]]), Sensed(None, (signal,)))
    order = next(o for o in found.orders if o.line == "L" and o.start == week(1))
    assert [c.stage for c in order.causes] == [*["plan"] * 3, *["balance"] * 2, "forecast", "sense", *["plan"] * 2]
    told = [c.text.text("en") for c in order.causes]
    assert told[:5] == [
        "10 for expected demand of the week of 2024-01-08",
        "in stock 0",
        "planned before 10",
        "line L is full in the week of 2024-01-08: 10 of 10 hours",
        "the next best way, A/M on line M, would cost 7 CNY more a unit",
    ]
    assert "chosen by back-test: exponential smoothing" in told[5]
    assert told[7].startswith("10 are expected to be wanted in the week of 2024-01-08, and are there on 2024-01-12")
    assert told[8].startswith("so make 10") and told[8].endswith("from 2024-01-08, done by 2024-01-12")
    assert order.causes[3].evidence == ("L|2024-01-08",)
    assert order.causes[4].evidence == ("recipes:A/M",)
    assert order.causes[6].evidence == ("sales:1",)
    text = sentence(order, "en")
    assert told[5] not in text and "surged; 10 are expected" in text and "weeks; so make 10" in text
    chinese = sentence(order, "zh")
    for part in ("产线 L 在2024-01-08 当周已排满：10 / 10 小时", "A/M（产线 M）每件贵 7 CNY", "A surged"):
        assert part in chinese, chinese
    ahead = next(o for o in found.orders if o.line == "L" and o.start == MONDAY)
    assert "it is made ahead, because line L is full in the week of 2024-01-08 (10 of 10 h)" in sentence(ahead, "en")
    dear = next(o for o in found.orders if o.line == "M")
    assert dear.units == 2.0 and "next best" not in sentence(dear, "en")


def test_plan_and_balance_count_on_the_same_yield():
    """Learnt: half of what is started is good. 10 wanted take 20 starts; an order of 10 that is out brings 5."""
    tables = press(hours_per_unit=0.1)
    learnt = replace(nothing_learnt(), yield_share={"A/L": 0.5})
    state = chain(1, **tables)
    found = planned(state, wanted(state, A=[[10.0]]), learnt=learnt)
    assert [o.units for o in found.orders] == [20.0]
    out = {
        "order": "W0",
        "product": "A",
        "recipe": "A/L",
        "units": 10.0,
        "start": MONDAY,
        "due": MONDAY,
        "locked": True,
    }
    state = chain(1, **tables, orders=[out])
    found = planned(state, wanted(state, A=[[10.0]]), learnt=learnt)
    assert [o.units for o in found.orders] == [10.0]


@pytest.mark.usefixtures("searched_anew")
def test_a_random_forecast_gives_the_same_orders_twice():
    state = chain(5, **with_part(press(min_lot_units=4.0, setup_cost=3.0, yield_share=0.9), 30.0))
    forecast = wanted(state, A=np.random.default_rng(3).poisson(6.0, (50, 5)))
    first, second = planned(state, forecast), planned(state, forecast)
    assert first.orders == second.orders
    assert all(o.units >= 4.0 and o.units == round(o.units) for o in first.orders if o.kind == "make")


def test_no_order_costs_more_than_it_saves():
    """Some 3 a week are wanted by fits and starts, lots are of 10: a lot for every rise of the cleared supply is one
    lot too many, and then each of them costs more than it saves beside the others.
    """
    tables = press(min_lot_units=10.0)
    tables["economics"][0]["holding_cost_per_unit_week"] = 2.0
    state = chain(6, **tables)
    for seed in (1, 4, 6):
        draw = np.random.default_rng(seed)
        paths = (draw.random((40, 6)) < 0.4) * draw.integers(1, 15, (40, 6)).astype(float)
        orders = planned(state, wanted(state, A=paths)).orders
        assert len(orders) >= 3
        assert all(order.units == 10.0 and order.value > 0 for order in orders), seed


def test_what_the_market_works_overtime_or_substitutes_is_ordered():
    """13 of A wanted: ten hours and an hour of overtime make 11, B stands in for 2 at 3 + 4 each (a loss costs 100).
    B itself is asked for once: 3 of B are made."""
    tables = press()
    tables["products"].append({"product": "B", "price": 100.0})
    tables["lines"].append({"line": "M", "hours_per_week": 10.0})
    tables["recipes"].append(
        tables["recipes"][0] | {"recipe": "B/M", "product": "B", "line": "M", "cost_per_unit": 3.0}
    )
    tables["economics"].append(tables["economics"][0] | {"product": "B"})
    tables["substitutes"] = [{"product": "A", "substitute": "B", "cost_per_unit": 4.0}]
    span = {"line": "L", "from": MONDAY, "to": week(1), "hours": 10.0}
    tables["line_calendar"] = [span | {"overtime_hours": 1.0, "overtime_cost_per_hour": 0.5}]
    state = chain(1, **tables)
    result = planned(state, wanted(state, A=[[13.0]], B=[[1.0]]))
    assert {o.product: o.units for o in result.orders} == {"A": 11.0, "B": 3.0}
    state = chain(1, **tables)
    result = planned(state, wanted(state, A=[[13.0]]))
    assert {o.product: o.units for o in result.orders} == {"A": 11.0, "B": 2.0}


def test_a_component_is_needed_on_the_day_on_which_what_takes_it_begins():
    """Q is made and then A of it in one week: Q's need is the day on which A begins, not the Monday."""
    tables = press(lead_days=0)
    tables["products"].append({"product": "Q", "price": 4.0, "kind": "component"})
    tables["components"] = [{"product": "A", "component": "Q", "units_per_unit": 1.0}]
    tables["recipes"].append({"recipe": "Q/1", "product": "Q", "cost_per_unit": 1.0})
    state = chain(2, **tables)
    found = {o.product: o for o in planned(state, wanted(state, A=[[0.0, 6.0]])).orders}
    assert found["A"].start > week(1)
    assert found["Q"].due < found["A"].start
    assert found["Q"].needed_by == found["A"].start
