"""Balance on small states, worked out by hand."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow.compute as pc
import pytest

from datong.balance.dual import Dual
from datong.balance.pack import pack
from datong.balance.repair import feasible
from datong.balance.solvers import balance
from datong.ledger.products_held_back import held_back
from datong.model.flow import Learnt, nothing_learnt
from datong.network.position import position
from small_chain import MONDAY, chain, demand, press


@pytest.mark.parametrize("door", ["highs", "prices"])
def test_a_full_line_has_a_price(door):
    """Wanted 8 and 14, ten hours a week: 20 can be made, 2 of the second week's are lost.

    Production 20 x 2 = 40; two units held one week = 2; lost 2 x 100 = 200; in all 242. One hour more in the second
    week would save a lost sale for the cost of a unit: 100 - 2 = 98; one in the first also pays a week's holding: 97.
    """
    state = chain(2, **press())
    clearing = balance(state, demand(state, A=[[8.0, 14.0]]), nothing_learnt(), door=door)
    tolerance = 1e-9 if door == "highs" else 2e-3
    assert clearing.total_cost == pytest.approx(242.0, rel=tolerance)
    assert clearing.lower_bound == pytest.approx(242.0, rel=tolerance)
    assert clearing.cost["lost"] == pytest.approx(200.0, rel=5e-3)
    hours = [r for r in clearing.prices.to_pylist() if r["what"] == "line"]
    assert [r["price"] for r in hours] == pytest.approx([97.0, 98.0], rel=5e-3)
    assert [r["used"] for r in hours] == pytest.approx([10.0, 10.0], rel=2e-3)
    gap = clearing.gaps.to_pylist()[1]
    assert gap["lost_units"] == pytest.approx(2.0, rel=5e-3)
    assert (gap["binding"], gap["binding_price"]) == ("L", pytest.approx(98.0, rel=5e-3))


def test_stock_follows_the_newsvendor():
    """Demand 0..9, each as likely; a unit costs 2, left over costs 1, short 100 + 5 late.

    Layer n is made when 2 + 1 x (1 - G) <= 105 G, G = P(D >= n) = (10 - n) / 10: 3 <= 106 G, so all n with G >= 0.1,
    that is 9. With a cost of 60 it is 61 <= 106 G, G >= 0.575...: n = 4.
    """
    paths = np.arange(10.0)[:, None]
    for cost, units in ((2.0, 9.0), (60.0, 4.0)):
        state = chain(1, **press(cost_per_unit=cost))
        clearing = balance(state, demand(state, A=paths), nothing_learnt())
        assert clearing.quantities["units"].to_pylist() == [units]
        assert clearing.gap_share == pytest.approx(0.0, abs=1e-12)


def test_components_lead_times_and_yield():
    """A takes 2 Q and yields half: 4 wanted in week 2 (third) start as 8 in week 1 and use 16 Q there.

    Q: 6 in stock, the other 10 are bought at 3 with a lead of a week, ordered in week 0. Cost: 8 x 2 + 10 x 3 = 46, and
    6 Q held over week 0 at 0.2 = 1.2 (made into 1.5 A at once they would cost 1.5 to hold).
    """
    tables = press(yield_share=0.5, lead_days=7)
    tables["products"].append({"product": "Q", "price": 4.0, "kind": "material"})
    tables["economics"].append({"product": "Q", "holding_cost_per_unit_week": 0.2})
    tables["components"] = [{"product": "A", "component": "Q", "units_per_unit": 2.0}]
    tables["offers"] = [{"offer": "Q/S", "product": "Q", "price": 3.0, "lead_days": 7.0}]
    tables["stock"] = [{"happened_at": datetime(2023, 12, 31, tzinfo=UTC), "product": "Q", "units": 6.0}]
    state = chain(3, **tables)
    clearing = balance(state, demand(state, A=[[0.0, 0.0, 4.0]]), nothing_learnt())
    rows = {r["product"]: r for r in clearing.quantities.to_pylist()}
    made, bought = rows["A"], rows["Q"]
    assert (made["started_units"], made["units"], made["start"]) == (8.0, 4.0, date(2024, 1, 8))
    assert made["due"] == date(2024, 1, 15)
    assert (bought["units"], bought["start"], bought["due"]) == (10.0, MONDAY, date(2024, 1, 8))
    assert made["cost_per_unit"] == pytest.approx((2.0 + 2 * 3.0) / 0.5)
    assert clearing.total_cost == pytest.approx(47.2)
    assert clearing.lower_bound == pytest.approx(47.2)


def test_frozen_buckets_get_no_starts_and_cost_lateness():
    state = chain(3, {"frozen_buckets": 1}, **press())
    clearing = balance(state, demand(state, A=[[3.0, 0.0, 0.0]]), nothing_learnt())
    assert clearing.quantities["start"].to_pylist() == [date(2024, 1, 8)]
    assert clearing.cost["late"] == pytest.approx(3 * 5.0)
    late = [r["late_units"] for r in clearing.gaps.to_pylist()]
    assert late == pytest.approx([3.0, 0.0, 0.0])


def test_what_was_learnt_goes_before_what_the_table_says():
    """Past lead times of 2, 6, 8, 9 and 20 days: four of five are met by 9 days, two weeks. Yield 0.8 was learnt."""
    learnt = Learnt({}, {}, {"A/L": (2.0, 6.0, 8.0, 9.0, 20.0)}, {"A/L": 0.8}, nothing_learnt().scores)
    state = chain(4, **press())
    clearing = balance(state, demand(state, A=[[0.0, 0.0, 0.0, 4.0]]), learnt)
    row = clearing.quantities.to_pylist()[0]
    assert (row["start"], row["due"]) == (date(2024, 1, 8), date(2024, 1, 17))
    assert (row["units"], row["started_units"]) == (pytest.approx(4.0), pytest.approx(5.0))


def test_orders_under_way_bring_units_and_take_their_hours():
    """A locked order of 6 in week 0 leaves 4 hours; 12 wanted in week 0: 6 come, 4 are made, 2 come a week late."""
    tables = press()
    order = {"order": "W1", "kind": "make", "product": "A", "recipe": "A/L", "line": "L", "units": 6.0, "locked": True}
    tables["orders"] = [order | {"start": MONDAY, "due": MONDAY}]
    state = chain(2, **tables)
    clearing = balance(state, demand(state, A=[[12.0, 0.0]]), nothing_learnt())
    assert clearing.quantities["units"].to_pylist() == [4.0, 2.0]
    assert clearing.cost["late"] == pytest.approx(2 * 5.0)
    first = next(r for r in clearing.prices.to_pylist() if r["what"] == "line")
    assert (first["used"], first["available"]) == (10.0, 10.0)


def test_a_product_without_any_way_is_bought_by_an_implied_offer():
    state = chain(3, products=[{"product": "B", "price": 10.0}])
    clearing = balance(state, demand(state, B=[[0.0, 5.0, 0.0]]), nothing_learnt())
    row = clearing.quantities.to_pylist()[0]
    assert (row["offer"], row["kind"], row["units"]) == ("B/implied", "buy", 5.0)
    assert clearing.cost["purchase"] == pytest.approx(5 * 0.7 * 10.0)


def test_markets_are_served_together_and_shown_apart():
    state = chain(1, **press())
    clearing = balance(state, demand(state, A__north=[[9.0]], A__south=[[3.0]]), nothing_learnt())
    rows = {r["market"]: r for r in clearing.gaps.to_pylist()}
    assert rows["north"]["served_units"] == pytest.approx(7.5)
    assert rows["south"]["served_units"] == pytest.approx(2.5)
    assert rows["north"]["lost_units"] + rows["south"]["lost_units"] == pytest.approx(2.0)


def test_nothing_wanted_is_nothing_made():
    state = chain(2, **press())
    clearing = balance(state, demand(state, A=[[0.0, 0.0]]), nothing_learnt())
    assert clearing.quantities.num_rows == 0
    assert clearing.total_cost == 0.0
    assert clearing.gap_share == 0.0


def test_salvage_never_makes_leftovers_pay():
    """Salvage of 50 for a unit that costs 2 would be a mint; it counts at most what the unit costs."""
    tables = press()
    tables["economics"][0]["salvage_per_unit"] = 50.0
    state = chain(2, **tables)
    clearing = balance(state, demand(state, A=[[3.0, 3.0]]), nothing_learnt())
    assert sum(clearing.quantities["units"].to_pylist()) == pytest.approx(6.0)


def test_where_demand_goes_on_the_horizon_is_no_end():
    """A unit left or short at the end then costs what a unit costs, 60: made if 60 + 1 x (1 - G) - 60 x (1 - G) <=
    5 G + 60 G, that is 1 <= 6 G: G >= 1/6, the newsvendor of holding 1 against lateness 5. G = (10 - n) / 10: n = 8."""
    tables = press(cost_per_unit=60.0)
    tables["demand"] = []
    state = chain(1, **tables)
    clearing = balance(state, demand(state, A=np.arange(10.0)[:, None]), nothing_learnt())
    assert clearing.quantities["units"].to_pylist() == [8.0]
    assert clearing.gap_share == pytest.approx(0.0, abs=1e-9)


def test_of_a_week_that_has_begun_only_the_days_left_have_hours():
    """Wednesday midnight: 3 of 5 days are left, 10 x 3 / 5 = 6 hours; 9 are wanted now, one hour each."""
    state = chain(2, **press())
    state = replace(state, as_of=state.as_of + timedelta(days=2))
    clearing = balance(state, demand(state, A=[[9.0, 0.0]]), nothing_learnt())
    hours = clearing.prices.filter(pc.field("what") == "line")["available"].to_pylist()
    assert hours == [pytest.approx(6.0), pytest.approx(10.0)]


def test_a_recipe_that_is_over_costs_nothing_any_more():
    """A/OLD at 0.01 ended long ago. Demand goes on, so that a unit at the end is worth the 8 of the valid recipe: with
    0.01 nothing would be made, as waiting would cost next to nothing."""
    tables = press(cost_per_unit=8.0)
    tables["demand"] = []
    over = {"recipe": "A/OLD", "cost_per_unit": 0.01, "valid_to": date(2020, 1, 1)}
    tables["recipes"] = [tables["recipes"][0] | {"valid_to": None}, tables["recipes"][0] | over]
    state = chain(2, **tables)
    clearing = balance(state, demand(state, A=[[10.0, 10.0]]), nothing_learnt())
    assert clearing.quantities["units"].to_pylist() == [10.0, 10.0]
    assert set(clearing.quantities["recipe"].to_pylist()) == {"A/L"}


def test_a_component_that_ends_inside_the_horizon():
    """From the second week on A needs no Q and is 5 cheaper; a unit left at the end counts what it costs then."""
    tables = press(cost_per_unit=8.0)
    tables["demand"] = []
    tables["products"].append({"product": "Q", "kind": "material"})
    tables["components"] = [
        {"product": "A", "component": "Q", "units_per_unit": 1.0, "valid_to": MONDAY + timedelta(days=7)}
    ]
    tables["offers"] = [{"offer": "Q/S", "product": "Q", "price": 5.0}]
    state = chain(3, **tables)
    clearing = balance(state, demand(state, A=[[5.0, 5.0, 5.0]]), nothing_learnt())
    made = clearing.quantities.filter(pc.field("kind") == "make")
    assert sum(made["units"].to_pylist()) == pytest.approx(15.0)
    assert clearing.lower_bound <= clearing.total_cost + 1e-6


def test_a_circle_in_the_bill_of_materials_holds_its_products_back_until_a_row_ends():
    """A goes into B and B into A: neither starts, and both A asked for are lost. Once a row ended, A is made of B."""
    tables = press()
    tables["products"].append({"product": "B"})
    rows = [
        {"product": product, "component": component, "units_per_unit": 1.0, "valid_to": None}
        for product, component in (("A", "B"), ("B", "A"))
    ]
    tables["recipes"].append({"recipe": "B/L", "product": "B", "line": "L", "hours_per_unit": 0.1})
    state = chain(2, **tables, components=rows)
    assert list(held_back(state, state.settings.calendar.starts(MONDAY, 2)).reasons) == ["A", "B"]
    clearing = balance(state, demand(state, A=[[1.0, 1.0]]), nothing_learnt())
    assert clearing.quantities.num_rows == 0
    assert sum(clearing.gaps["lost_units"].to_pylist()) == pytest.approx(2.0)
    rows[1]["valid_to"] = date(2020, 1, 1)
    state = chain(2, **tables, components=rows)
    clearing = balance(state, demand(state, A=[[1.0, 1.0]]), nothing_learnt())
    made = dict.fromkeys("AB", 0.0)
    for row in clearing.quantities.to_pylist():
        made[row["product"]] += row["units"]
    assert made == {"A": pytest.approx(2.0), "B": pytest.approx(2.0)}


def test_a_recipe_known_before_its_product_waits_for_it():
    tables = press()
    tables["recipes"].append({**tables["recipes"][0], "recipe": "LATER/L", "product": "LATER"})
    state = chain(1, **tables)
    clearing = balance(state, demand(state, A=[[1.0]]), nothing_learnt())
    assert clearing.quantities["recipe"].to_pylist() == ["A/L"]


def test_a_chain_where_nothing_is_asked_and_nothing_can_be_made():
    state = chain(1)
    clearing = balance(state, demand(state), nothing_learnt())
    assert clearing.total_cost == 0
    assert clearing.quantities.num_rows == 0


def test_same_inputs_same_bytes():
    state = chain(4, **press())
    wanted = demand(state, A=np.random.default_rng(1).poisson(9.0, (30, 4)))
    first, second = (balance(state, wanted, nothing_learnt()) for _ in range(2))
    assert first.quantities.equals(second.quantities)
    assert first.prices.equals(second.prices)
    assert first.gaps.equals(second.gaps)
    assert first.cost == second.cost


@pytest.mark.parametrize("is_pooled", [False, True])
def test_what_does_not_fit_on_the_cheapest_line_is_made_on_another(is_pooled):
    """Line L makes A at 2, line M at 3, ten hours a week each. At no price of hours all 18 ask for L: 10 fit, and the
    other 8 are asked of M; alike where A is a component as well, and what is sold is issued from the pool of both."""
    tables = press()
    tables["lines"].append({"line": "M", "hours_per_week": 10.0})
    tables["recipes"].append(tables["recipes"][0] | {"recipe": "A/M", "line": "M", "cost_per_unit": 3.0})
    if is_pooled:
        tables["products"].append({"product": "B", "price": 200.0})
        tables["recipes"].append(tables["recipes"][0] | {"recipe": "B/L", "product": "B"})
        tables["components"] = [{"product": "B", "component": "A", "units_per_unit": 1.0}]
    state = chain(1, **tables)
    market = pack(state, demand(state, A=[[18.0]]), nothing_learnt(), position(state))
    assert market.products.is_component[market.demand.product].tolist() == [is_pooled]
    dual = Dual(market)
    price = np.zeros(dual.size)
    flow = feasible(market, dual, price, dual.flow(price, 1e-4))
    started = dict(zip([way.name for way in market.ways.facts], flow.started.sum(axis=1).tolist(), strict=True))
    assert (started["A/L"], started["A/M"]) == pytest.approx((10.0, 8.0))
    assert flow.issued.sum() == pytest.approx(18.0 if is_pooled else 0.0)
