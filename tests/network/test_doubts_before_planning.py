"""What is said before planning: each finding, its figures, and that the plan is as it says."""

from datetime import UTC, date, datetime

import pytest

from datong.balance.solvers import balance
from datong.model.flow import nothing_learnt
from datong.network.doubts_before_planning import review
from small_chain import MONDAY, chain, demand, press


def found(state, code):
    return [f for f in review(state) if f.code == code]


def codes(state):
    return [f.code for f in review(state)]


def wanted(units=5.0, due=date(2024, 1, 8), **more):
    return [{"demand": "D", "product": "A", "due": due, "units": units} | more]


def started(state, units=5.0):
    """Units of A that the market starts, where that many are wanted in the second bucket."""
    clearing = balance(state, demand(state, A=[[0, units]]), nothing_learnt())
    return sum(row["started_units"] for row in clearing.quantities.to_pylist())


# A costs 2 to make, and component C 3 more where it has one; a lost sale costs what is given.
COMPONENT = {
    "products": [{"product": "A", "price": 100.0}, {"product": "C", "price": 3.0}],
    "components": [{"product": "A", "component": "C", "units_per_unit": 1.0}],
    "offers": [{"offer": "OC", "product": "C", "price": 3.0, "lead_days": 0.0}],
}


@pytest.mark.parametrize(
    ("lost", "tables", "priority", "cost"),
    [
        (1.9, {}, 0, "2.00"),
        (2.1, {}, 0, None),
        (4.9, COMPONENT, 0, "5.00"),  # 2 + 3
        (5.1, COMPONENT, 0, None),
        (1.9, {}, 1, None),  # each step of priority makes the loss twice as dear
        (0.9, {}, 1, "2.00"),
    ],
)
def test_what_is_cheaper_to_refuse_than_to_make_is_never_made(lost, tables, priority, cost) -> None:
    economics = [{"product": "A", "lost_sale_cost_per_unit": lost, "late_cost_per_unit_week": 0.0}]
    state = chain(2, **press() | tables | {"economics": economics, "demand": wanted(priority=priority, firm=True)})
    told = found(state, "never_made")
    assert [dict(f.found.params)["cost"] for f in told] == ([] if cost is None else [cost])
    for f in told:
        params = dict(f.found.params)
        assert params["product"] == "A" and params["loss"] == f"{lost * 2**priority:.2f}"
        assert cost in f.text("en") and "永远不会" in f.text("zh")
    assert (started(state) == 0) == bool(told)


@pytest.mark.parametrize(("due", "loss"), [(date(2023, 12, 28), None), (date(2024, 1, 9), 1.7 * 1.25)])
def test_a_firm_order_counts_more_beside_what_is_still_expected_alone(due: date, loss: float | None) -> None:
    """A lost one of 1.7 is less than the 2 that it costs to make; as a firm one beside a forecast it is 2.125."""
    economics = [{"product": "A", "lost_sale_cost_per_unit": 1.7, "late_cost_per_unit_week": 0.0}]
    expected = {"demand": "F", "product": "A", "due": due, "units": 1.0, "firm": False}
    rows = [*wanted(firm=True), expected]
    told = found(chain(2, **press() | {"economics": economics, "demand": rows}), "never_made")
    assert [dict(f.found.params)["loss"] for f in told] == ([] if loss else ["1.70"])


def test_with_a_yield_a_good_unit_costs_more() -> None:
    """Half of what is started is good: a unit costs 2 / 0.5 = 4."""
    economics = [{"product": "A", "lost_sale_cost_per_unit": 3.0}]
    state = chain(2, **press(yield_share=0.5) | {"economics": economics, "demand": wanted()})
    assert [dict(f.found.params)["cost"] for f in found(state, "never_made")] == ["4.00"]
    assert started(state) == 0


def test_a_forecast_product_is_made_where_lateness_adds_up_beyond_the_cost() -> None:
    """Refused at once it costs 1.9; while it waits, 5 a week. Only given demand can be refused at once."""
    sales = [{"sale": "s", "product": "A", "units": 1.0, "happened_at": None}]
    economics = [{"product": "A", "lost_sale_cost_per_unit": 1.9, "late_cost_per_unit_week": 5.0}]
    state = chain(2, **press() | {"economics": economics, "demand": []}, sales=sales)
    assert found(state, "never_made") == []


def test_demand_that_ends_before_the_horizon_leaves_weeks_that_look_free() -> None:
    """Three weeks from 2024-01-01; the last row is due in the first."""
    (told,) = found(chain(3, **press() | {"demand": wanted(due=MONDAY)}), "demand_ends")
    assert told.severity == "warning"
    assert "2024-01-01" in told.text("en") and "2024-01-21" in told.text("en") and "last 2 weeks" in told.text("en")
    assert "最后 2 周" in told.text("zh")
    days = chain(3, {"bucket": "day"}, **press() | {"demand": wanted(due=MONDAY)})
    assert "last 2 days" in found(days, "demand_ends")[0].text("en")
    whole = chain(3, **press() | {"demand": wanted(due=date(2024, 1, 19))})
    assert "demand_ends" not in codes(whole)
    two = [{"product": "A", "price": 1.0}, {"product": "B", "price": 1.0}]
    rows = [*wanted(due=date(2024, 1, 19)), {"demand": "E", "product": "B", "due": MONDAY, "units": 1.0}]
    (told,) = found(chain(3, **press() | {"products": two, "demand": rows}), "demand_ends_for_some")
    assert told.severity == "note" and "B 2024-01-01" in told.text("en")
    # A row a month: that of the next is due after the horizon, so that the demand for B goes on.
    monthly = [*rows, {"demand": "N", "product": "B", "due": date(2024, 2, 1), "units": 1.0}]
    assert "demand_ends_for_some" not in codes(chain(3, **press() | {"products": two, "demand": monthly}))
    # What is wanted of nothing, or after the horizon, covers none of it; a chain without any has nothing to say.
    late = chain(3, **press() | {"demand": wanted(due=date(2024, 1, 22))})
    assert [f.rows_affected for f in found(late, "demand_beyond")] == [1]
    assert "demand_ends" not in codes(late)


def test_shelf_lives_that_whole_weeks_stretch_say_so() -> None:
    """8 days are one week's end: what comes on a Monday may be taken on the second Sunday, 13 days later."""

    def told(days: float | None, **settings: str) -> list[str]:
        products = [{"product": "A", "price": 5.0, "shelf_life_days": days}]
        return [f.text("en") for f in found(chain(1, settings, **press() | {"products": products}), "kept_in_buckets")]

    assert "A 8 (13)" in told(8.0)[0] and told(None) == [] and told(13.0) == []
    assert told(8.0, bucket="day") == []


def test_days_of_a_line_without_a_calendar_are_said_where_a_chain_plans_by_days() -> None:
    def told(hours: float, bucket: str = "day", calendar: str | None = None) -> list[str]:
        lines = [{"line": "L", "hours_per_week": hours, "calendar": calendar}]
        tables = press() | {"lines": lines, "calendars": [{"calendar": "works"}]}
        return [f.text("en") for f in found(chain(10, {"bucket": bucket}, **tables), "monday_to_friday")]

    assert "(L)" in told(40.0)[0] and "Monday to Friday" in told(40.0)[0]
    assert told(144.0) == told(40.0, "week") == told(40.0, calendar="works") == []


@pytest.mark.parametrize(
    ("each", "recipe", "left"),
    [
        (3.5, {}, "A/L 1.5 / 5 h"),
        (2.5, {}, None),
        (0.3, {}, None),  # 16 units: 0.2 of 5 hours
        (1.0, {"lot_multiple_units": 3.0, "min_lot_units": 3.0}, "A/L 2 / 5 h"),
        (1.0, {"lot_multiple_units": 0.5}, None),  # not in whole units
        (2.0, {"setup_hours": 1.0}, None),
        (1.0, {"max_lot_units": 2.0, "setup_hours": 0.5}, None),  # two orders of 2
        (1.0, {"max_lot_units": 2.0, "setup_hours": 0.75}, "A/L 0.5 / 5 h"),  # of 2, and of 1
        (8.0, {}, "A/L 1 / 5 h"),  # two days of 4 hours
        (10.0, {}, None),
    ],
)
def test_lots_that_leave_hours_of_a_day_since_none_goes_on_over_the_night_say_so(each, recipe, left) -> None:
    rows = press(hours_per_unit=each, **recipe)
    rows |= {"lines": [{"line": "L", "hours_per_week": 25.0}], "demand": wanted(2.0)}
    told = [f.text("en") for f in found(chain(10, {"bucket": "day"}, **rows), "over_night")]
    assert len(told) == (left is not None)
    assert all(str(left) in text for text in told)
    assert found(chain(3, **rows), "over_night") == []


@pytest.mark.parametrize(
    ("recipe", "told"),
    [
        ({"max_lot_units": 4.0, "min_lot_units": 5.0}, True),
        ({"max_lot_units": 4.0, "lot_multiple_units": 5.0}, True),
        ({"max_lot_units": 5.0, "min_lot_units": 5.0, "lot_multiple_units": 5.0}, False),
        ({"min_lot_units": 5.0}, False),
    ],
)
def test_a_largest_lot_below_the_smallest_is_said(recipe, told) -> None:
    texts = [f.text("en") for f in found(chain(3, **(press(**recipe) | {"demand": wanted(5.0)})), "largest_lot")]
    assert len(texts) == told
    assert all("A/L (4)" in text for text in texts)


def test_rows_that_change_nothing_say_so() -> None:
    spare = press() | {
        "lines": [{"line": "L", "hours_per_week": 10.0}, {"line": "X", "hours_per_week": 10.0}],
        "line_calendar": [{"line": "X", "from": MONDAY, "to": date(2024, 1, 8), "hours": 0.0}],
        "products": [{"product": p, "price": 5.0} for p in ("A", "B", "C")],
        "components": [{"product": "B", "component": "C", "units_per_unit": 1.0}],
        "sites": [{"site": "S"}],
        "returns": [{"return": "r", "product": "A", "units": 1.0, "happened_at": None}],
    }
    state = chain(1, **spare)
    told = {f.code: f for f in review(state)}
    assert {name for name in told if name.startswith("idle_")} == {
        "idle_lines",
        "idle_line_calendar",
        "idle_components",
        "idle_sites",
        "idle_returns",
    }
    assert "X" in told["idle_lines"].text("en") and "B" in told["idle_components"].text("zh")
    assert codes(chain(1, **press() | {"demand": wanted(due=MONDAY)})) == []
    # A step works on the line, and a site says when it is open.
    step = {"step": "cut", "recipe": "A/1", "sequence": 1.0, "line": "X", "hours_per_unit": 1.0}
    calendar = {"calendars": [{"calendar": "WD"}], "sites": [{"site": "S", "calendar": "WD"}]}
    kept = codes(chain(1, **spare | {"recipe_steps": [step]} | calendar))
    assert {"idle_components", "idle_returns"} == {name for name in kept if name.startswith("idle_")}


@pytest.mark.parametrize(
    ("market", "lanes", "told"),
    [
        ("north", ("F-N", "F-S"), True),
        ("N", ("F-N", "F-S"), False),  # it is asked at that site
        ("north", ("F-N",), False),  # one end serves it anyway
        ("north", ("F-N", "N-S"), False),
    ],
)
def test_markets_that_are_called_like_no_site_are_served_from_every_end_of_the_lanes(market, lanes, told) -> None:
    sites = [{"site": s} for s in "FNS"]
    rows = [{"lane": lane, "from_site": lane[0], "to_site": lane[2], "lead_days": 0.0} for lane in lanes]
    lines = [{"line": "L", "site": "F", "hours_per_week": 10.0}]
    state = chain(2, **press() | {"sites": sites, "lanes": rows, "lines": lines, "demand": wanted(market=market)})
    (*finding,) = found(state, "no_site_market")
    assert bool(finding) == told
    if told:
        assert "north" in finding[0].text("en") and "N, S" in finding[0].text("en") and "免费" in finding[0].text("zh")


@pytest.mark.parametrize(("lost", "count"), [(60.0, 1), (99.99, 1), (100.0, 0), (150.0, 0), (None, 0)])
def test_a_lost_sale_below_the_price_is_said(lost: float | None, count: int) -> None:
    """A costs 2 to make and is sold at 100: a unit that costs 70 by overtime is not made where losing it costs 60."""
    economics = [{"product": "A", "lost_sale_cost_per_unit": lost}]
    tables = press() | {"products": [{"product": "A", "price": 100.0}], "economics": economics, "demand": wanted()}
    told = found(chain(2, **tables), "lost_below_price")
    assert len(told) == count
    for f in told:
        assert f.severity == "note"
        assert f"A: {lost:.2f} against 100.00" in f.text("en") and f"A：{lost:.2f} 对 100.00" in f.text("zh")


def test_of_what_nobody_asks_for_no_lost_sale_is_said() -> None:
    economics = [{"product": "A", "lost_sale_cost_per_unit": 1.0}]
    tables = press() | {"products": [{"product": "A", "price": 100.0}], "economics": economics, "demand": []}
    assert found(chain(2, **tables), "lost_below_price") == []


def price(product, market, units=80.0, **more):
    return {"product": product, "market": market, "price": units, "valid_from": date(2023, 1, 1)} | more


def test_prices_that_reach_no_plan_are_told() -> None:
    """Of a product without sales any, and none of them makes the plan another; of one with sales those that differ."""
    of_markets = [price("A", "EU", 100.0), price("A", "US", 60.0)]
    sold = [{"happened_at": datetime(2023, 12, 20, tzinfo=UTC), "product": "A", "market": "EU", "units": 1.0}]
    state = chain(2, **press() | {"prices": of_markets, "demand": wanted(market="US")})
    (told,) = found(state, "idle_prices")
    assert told.rows_affected == 2
    assert started(state) == started(chain(2, **press() | {"demand": wanted(market="US")})) == 5.0
    assert "market_prices" not in codes(state)
    state = chain(2, **press() | {"prices": of_markets, "demand": wanted(market="US"), "sales": sold})
    assert "idle_prices" not in codes(state)
    (told,) = found(state, "market_prices")
    assert "A" in told.found.text("en") and "A" in told.found.text("zh")
    for same in ([price("A", "all")], [price("A", "EU"), price("A", "US")]):
        assert "market_prices" not in codes(chain(2, **press() | {"prices": same, "sales": sold}))
    ended = [price("A", "EU", 100.0, valid_to=date(2023, 6, 1)), price("A", "US", 60.0)]
    assert "market_prices" not in codes(chain(2, **press() | {"prices": ended, "sales": sold}))
    assert not {"idle_prices", "market_prices"} & set(codes(chain(2, **press())))
