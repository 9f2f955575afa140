"""Firm orders are part of the forecast of their product and market, and only what exceeds it comes on top."""

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datong.model.flow import Item
from datong.model.settings import Netting
from datong.network.forecast_netting import given_items, netted, with_orders
from datong.network.rows_in_plan import not_planned
from small_chain import MONDAY, chain, demand

WEEKS = 4


def row(key, day, units, firm, product="A", market="all"):
    due = MONDAY + timedelta(days=day)
    return {"demand": key, "product": product, "market": market, "due": due, "units": float(units), "firm": firm}


def state_of(rows, netting=Netting(), sales=()):  # noqa: B008 - a frozen value
    tables = {"products": [{"product": p} for p in "AB"], "demand": rows}
    tables |= {"sales": list(sales)} if sales else {}
    return chain(WEEKS, {"netting": netting}, **tables)


def left(state):
    found = netted(state)
    units = {r["demand"]: r["units"] for r in found.rows.to_pylist()}
    return units, [(r["demand"], r["forecast_row"], r["units"]) for r in found.consumed.to_pylist()]


def sales(weeks=4):
    """30 units of A in each of so many weeks before the plan."""
    one = {"product": "A", "market": "all", "units": 30.0}
    return [one | {"sale": f"s{w}", "happened_at": MONDAY - timedelta(days=9 + 7 * w)} for w in range(weeks)]


FORECAST = [row("f0", 0, 40, False), row("f1", 7, 40, False), row("f2", 14, 40, False)]


def test_an_order_is_part_of_the_forecast_of_its_own_week():
    """40 expected a week; 25 ordered for the second leave 15 of it: 40 in all. 90 leave nothing, and 50 are beyond."""
    units, consumed = left(state_of([*FORECAST, row("o", 9, 25, True)]))
    assert units == {"f0": 40, "f1": 15, "f2": 40, "o": 25}
    assert consumed == [("o", "f1", 25)]
    units, consumed = left(state_of([*FORECAST, row("o", 9, 90, True)]))
    assert units == {"f0": 40, "f1": 0, "f2": 40, "o": 90}
    assert consumed == [("o", "f1", 40)]


def test_what_is_beyond_goes_back_first_and_then_forward():
    """90 for the second week: 40 of its own, 40 of the week before, 10 of the week after."""
    netting = Netting(back_days=7, forward_days=7)
    units, consumed = left(state_of([*FORECAST, row("o", 9, 90, True)], netting))
    assert units == {"f0": 0, "f1": 0, "f2": 30, "o": 90}
    assert consumed == [("o", "f1", 40), ("o", "f0", 40), ("o", "f2", 10)]


def test_a_window_reaches_every_week_of_which_it_covers_a_day():
    """Due on Wednesday the 10th: two days back is Monday of the same week, three the Sunday before."""
    assert left(state_of([*FORECAST, row("o", 9, 90, True)], Netting(back_days=2)))[0]["f0"] == 40
    assert left(state_of([*FORECAST, row("o", 9, 90, True)], Netting(back_days=3)))[0]["f0"] == 0
    assert left(state_of([*FORECAST, row("o", 9, 90, True)], Netting(forward_days=4)))[0]["f2"] == 40
    assert left(state_of([*FORECAST, row("o", 9, 90, True)], Netting(forward_days=5)))[0]["f2"] == 0


def test_orders_of_another_product_or_of_no_market_consume_nothing():
    """A forecast of the shop is of what the shop asks for: who asks for 25 elsewhere, or says not where, does not."""
    shop = [one | {"market": "shop"} for one in FORECAST]
    rows = [*shop, row("o", 9, 25, True, "B"), row("p", 9, 25, True, market="web"), row("q", 9, 25, True)]
    assert left(state_of(rows)) == ({"f0": 40, "f1": 40, "f2": 40, "o": 25, "p": 25, "q": 25}, [])


def test_orders_of_markets_that_nobody_forecasts_are_part_of_the_forecast_of_all():
    """40 expected of all markets: 10 for the shop, 5 for the web and 5 of no market leave 20. Once somebody forecasts
    the shop ahead, its orders are part of that alone."""
    orders = [row("o", 9, 10, True, market="shop"), row("p", 8, 5, True, market="web"), row("q", 10, 5, True)]
    units, consumed = left(state_of([*FORECAST, *orders]))
    assert units["f1"] == 20 and sum(units.values()) == 3 * 40
    assert consumed == [("p", "f1", 5), ("o", "f1", 10), ("q", "f1", 5)]
    found = netted(state_of([*FORECAST, *orders])).consumed
    assert set(found["market"].to_pylist()) == {"all"}
    own = row("s1", 7, 4, False, market="shop")
    units, consumed = left(state_of([*FORECAST, *orders, own]))
    assert (units["f1"], units["s1"]) == (30, 0)
    assert ("o", "s1", 4) in consumed and sum(units.values()) == 3 * 40 + 10
    past = row("s0", -7, 4, False, market="shop")
    assert left(state_of([*FORECAST, *orders, past]))[0]["f1"] == 20


def test_datongs_own_forecast_of_all_markets_is_consumed_by_orders_of_each():
    """40 expected of all markets, 25 of them ordered for the shop: 15 there, and 25 in the shop. What the shop sells
    by itself Datong forecasts by itself."""
    order = row("o", 9, 25, True, market="shop")
    state = state_of([order], sales=sales())
    expected = demand(state, A=[[40, 40, 7, 8]], A__shop=[[0, 25, 0, 0]])
    made = with_orders(state, expected, np.zeros((2, WEEKS)))
    assert dict(zip(made.items, made.paths[:, 0].tolist(), strict=True)) == {
        Item("A", "all"): [40, 15, 7, 8],
        Item("A", "shop"): [0, 25, 0, 0],
    }
    (told,) = made.netting.to_pylist()
    assert (told["market"], told["demand"], told["units"]) == ("all", "o", 25)
    in_shop = [one | {"sale": f"shop {one['sale']}", "market": "shop"} for one in sales()]
    state = state_of([order], sales=sales() + in_shop)
    expected = demand(state, A=[[40, 40, 7, 8]], A__shop=[[30, 30, 7, 8]])
    made = with_orders(state, expected, np.zeros((2, WEEKS)))
    assert made.paths[:, 0].tolist() == [[40, 40, 7, 8], [30, 30, 7, 8]]


def test_orders_that_add_consume_nothing():
    assert left(state_of([*FORECAST, row("o", 9, 25, True)], Netting(orders="add")))[1] == []


def test_datongs_own_forecast_is_consumed_path_by_path():
    """Paths of 30, 40 and 10 a week and an order of 25: 5, 15 and 0 are left, so that 30, 40 and 25 are asked."""
    sold = sales()
    state = state_of([row("o", 9, 25, True)], sales=sold)
    expected = demand(state, A=[[40, 30, 7, 8], [40, 40, 7, 8], [40, 10, 7, 8]])
    made = with_orders(state, expected, np.zeros((1, WEEKS)))
    assert made.paths[0].tolist() == [[40, 30, 7, 8], [40, 40, 7, 8], [40, 25, 7, 8]]
    (told,) = made.netting.to_pylist()
    assert (told["forecast_row"], told["demand"], told["forecast_units"]) == (None, "o", pytest.approx(80 / 3))
    assert told["units"] == pytest.approx((25 + 25 + 10) / 3)


def test_what_is_ordered_otherwise_is_no_part_of_an_order():
    """Of 40 expected 20 are ordered in the shop: a firm order of 25 can be 20 of them, and 45 are asked."""
    sold = sales()
    state = state_of([row("o", 9, 25, True)], sales=sold)
    made = with_orders(state, demand(state, A=[[40, 40, 0, 0]]), np.array([[0.0, 20.0, 0.0, 0.0]]))
    assert made.paths[0].tolist() == [[40, 45, 0, 0]]


def test_a_product_that_sells_keeps_its_forecast_beside_orders_unless_the_chain_says_otherwise():
    sold = sales()
    only_firm, both = [row("o", 9, 25, True)], [row("o", 9, 25, True), row("f", 2, 5, False)]
    item = Item("A", "all")
    assert given_items(state_of(only_firm)) == {item}  # never sold: nothing else is known
    assert given_items(state_of(only_firm, sales=sold)) == frozenset()
    assert given_items(state_of(only_firm, sales=sales(weeks=3))) == {item}  # too seldom sold to be forecast
    past = [row("o", -9, 25, True)]
    assert given_items(state_of(past, sales=sales(weeks=1))) == frozenset()  # nothing is ordered ahead
    assert given_items(state_of(both, sales=sold)) == {item}
    assert given_items(state_of(only_firm, Netting(own_forecast=False), sold)) == {item}


ROWS = st.lists(
    st.tuples(st.integers(-10, 27), st.integers(1, 60), st.booleans(), st.sampled_from("AB")), min_size=1, max_size=12
)


@settings(max_examples=150, deadline=None)
@given(ROWS, st.integers(0, 16), st.integers(0, 16))
def test_netting_over_random_chains(rows, back, forward):
    """No forecast falls below nothing or is consumed out of reach, no order consumes more than it is, orders stay as
    they are, own weeks come first, and what is consumed is what is gone."""
    table = [row(f"d{i:02}", day, units, firm, product) for i, (day, units, firm, product) in enumerate(rows)]
    netting = Netting(back_days=back, forward_days=forward)
    state = state_of(table, netting)
    found = netted(state)
    was, now = {r["demand"]: r for r in table}, {r["demand"]: r["units"] for r in found.rows.to_pylist()}
    gone, taken = defaultdict(float), defaultdict(float)
    for r in found.consumed.to_pylist():
        gone[r["forecast_row"]] += r["units"]
        taken[r["demand"]] += r["units"]
        order, forecast = was[r["demand"]], was[r["forecast_row"]]
        assert r["units"] > 0 and order["product"] == forecast["product"]
        week = forecast["due"] - timedelta(days=forecast["due"].weekday())
        assert week <= order["due"] + timedelta(days=forward)
        assert week + timedelta(days=6) >= order["due"] - timedelta(days=back)
    for key, one in was.items():
        assert now[key] == pytest.approx(one["units"] - gone[key])
        assert now[key] >= 0 and taken[key] <= one["units"] + 1e-9
        if one["firm"]:
            assert now[key] == one["units"]
    # An order that is not consumed whole left nothing of its own week.
    for one in table:
        if one["firm"] and taken[one["demand"]] < one["units"] - 1e-6:
            week = one["due"].isocalendar()[:2]
            same = [r for r in table if not r["firm"] and r["product"] == one["product"]]
            assert all(now[r["demand"]] < 1e-6 for r in same if r["due"].isocalendar()[:2] == week)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 50), min_size=WEEKS, max_size=WEEKS), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 27), st.integers(1, 60)), max_size=5),
    st.integers(0, 16),
    st.integers(0, 16),
)
def test_one_path_and_rows_say_the_same(paths, orders, back, forward):
    """On each path Datong's own forecast is consumed just as the rows of the same forecast would be."""
    netting = Netting(back_days=back, forward_days=forward)
    sold = sales()
    firm = [row(f"o{i}", day, units, True) for i, (day, units) in enumerate(orders)]
    state = state_of(firm, netting, sold)
    made = with_orders(state, demand(state, A=paths), np.zeros((1, WEEKS)))
    for path, told in zip(paths, made.paths[0], strict=True):
        rows = [row(f"f{t}", 7 * t, units, False) for t, units in enumerate(path)]
        by_week = np.zeros(WEEKS)
        for one in netted(state_of([*rows, *firm], netting)).rows.to_pylist():
            by_week[(one["due"] - MONDAY).days // 7] += one["units"]
        assert told == pytest.approx(by_week)


def test_days_are_buckets_too():
    """By the day, an order finds the forecast of its own day alone, and with a window that of the month."""
    rows = [row(f"f{i:02}", i, 20, False) for i in range(28)] + [row("o", 2, 120, True)]
    state = state_of(rows)
    for netting, asked in ((Netting(), 28 * 20 + 100), (Netting(back_days=30, forward_days=30), 28 * 20)):
        by_day = replace(state, settings=replace(state.settings, bucket="day", horizon_buckets=30, netting=netting))
        assert sum(netted(by_day).rows["units"].to_pylist()) == asked


def test_only_what_is_open_is_planned_and_the_rest_is_told():
    """Of five orders of 10 for 40 expected, one is open, one closed, which is part of the forecast all the same."""
    statuses = ("open", "closed", "cancelled", "quote", "inquiry")
    rows = [row("f1", 7, 40, False) | {"status": "open"}, *(row(s, 9, 10, True) | {"status": s} for s in statuses)]
    units, consumed = left(state_of(rows))
    assert units == {"f1": 20, "open": 10}
    assert consumed == [("closed", "f1", 10), ("open", "f1", 10)]
    state = state_of(rows)
    told = {finding.found.text("en").split(")")[0] for finding in not_planned(state)}
    assert told == {
        f"not planned, as their status says ({s}, 1" for s in ("cancelled", "closed", "inquiries", "quotes")
    }
    also = replace(state, settings=replace(state.settings, plan_quotes=True))
    assert left(also)[0] == {"f1": 10, "open": 10, "quote": 10}
    assert len(not_planned(also)) == 3


def test_a_closed_order_asks_for_nothing_more_of_datongs_own_forecast():
    """40 expected, 25 of them delivered and closed: 15 are still to come."""
    sold = sales()
    state = state_of([row("o", 9, 25, True) | {"status": "closed"}], sales=sold)
    made = with_orders(state, demand(state, A=[[40, 40, 0, 0]]), np.zeros((1, WEEKS)))
    assert made.paths[0].tolist() == [[40, 15, 0, 0]]
