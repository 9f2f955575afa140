"""Co-products (`recipe_outputs`), worked out by hand: A is made at 2 and an hour a unit, and S comes of it besides."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from datong.balance.pack import pack
from datong.balance.solvers import cleared
from datong.ledger.standings import order_standings
from datong.model.errors import Refused
from datong.model.flow import nothing_learnt
from datong.network.facts import chain_facts
from datong.network.position import position
from planning import decided, plan
from small_chain import MONDAY, chain, demand, press

WEEK = timedelta(days=7)
SUNDAY = datetime(2023, 12, 31, tzinfo=UTC)
TUESDAY = datetime(2024, 1, 2, tzinfo=UTC)


def joint(units=2.0, price=3.0, **recipe):
    """A on 10 hours a week; S comes with it, or is bought at a price. Holding 1 and 0.5, late 5, lost 100."""
    given = press(**recipe)
    given["products"] += [{"product": "S", "price": 50.0}]
    given["economics"] += [given["economics"][0] | {"product": "S", "holding_cost_per_unit_week": 0.5}]
    given["demand"] += [{"demand": "E", "product": "S", "due": MONDAY, "units": 0.0}]
    given["recipe_outputs"] = [{"recipe": "A/L", "product": "S", "units_per_unit": units}]
    if price is not None:
        given["offers"] = [{"offer": "oS", "product": "S", "price": price, "lead_days": 0.0}]
    return given


def started(found, name):
    (way,) = [w for w, facts in enumerate(found.market.ways.facts) if facts.name == name]
    return found.solution.started[way].tolist()


def flow_of(found, product):
    rows = found.clearing.flow.sort_by([("bucket", "ascending")]).to_pylist()
    return [{k: v for k, v in r.items() if v and k.endswith("_units")} for r in rows if r["product"] == product]


def test_what_comes_anyway_is_not_bought():
    """4 of A and 8 of S: 4 x 2, which no plan goes below, and none bought."""
    found = decided(state := chain(1, **joint()), demand(state, A=[[4.0]], S=[[8.0]]))
    assert (started(found.given_out, "A/L"), started(found.given_out, "oS")) == ([4.0], [0.0])
    assert (found.given_out.total_cost, found.given_out.bound) == (pytest.approx(8.0), pytest.approx(8.0))
    assert flow_of(found, "S") == [{"made_units": 8.0, "delivered_units": 8.0, "co_product_units": 8.0}]


def test_more_is_made_than_anyone_asks_for_where_what_comes_with_it_is_dearer_to_buy():
    """12 of S for 4 of A: 4 bought at 3 are 12, 2 more of A that lie for a week 2 x 2 + 2 x 1 = 6, so 6 x 2 + 2 = 14.
    With S at 1, bought: 4 x 2 + 4 = 12."""
    found = decided(state := chain(1, **joint()), demand(state, A=[[4.0]], S=[[12.0]])).given_out
    assert (started(found, "A/L"), found.total_cost) == ([6.0], pytest.approx(14.0))
    assert found.bound == pytest.approx(14.0)
    found = decided(state := chain(1, **joint(price=1.0)), demand(state, A=[[4.0]], S=[[12.0]])).given_out
    assert (started(found, "A/L"), started(found, "oS"), found.total_cost) == ([4.0], [4.0], pytest.approx(12.0))


def test_what_only_comes_with_others_needs_no_offer():
    """No recipe and no offer of S: none is assumed. 6 of S: 3 of A made for it, and left for a week: 3 x 2 + 3 x 1."""
    state = chain(1, **joint(price=None))
    assert {way.product for way in chain_facts(state, (MONDAY,), nothing_learnt()).ways} == {"A"}
    found = decided(state, demand(state, A=[[0.0]], S=[[6.0]])).given_out
    assert (started(found, "A/L"), found.total_cost) == ([3.0], pytest.approx(9.0))


def test_it_is_there_when_the_product_is_and_by_units_started():
    """A takes a week, and half of it is good: 8 started, 4 good, 16 of S a week later; of these 3 lie to the end."""
    state = chain(2, **joint(lead_days=7.0, yield_share=0.5))
    found = decided(state, demand(state, A=[[0.0, 4.0]], S=[[0.0, 13.0]]))
    assert started(found.given_out, "A/L") == [8.0, 0.0]
    told = {"made_units": 16.0, "delivered_units": 13.0, "closing_units": 3.0, "co_product_units": 16.0}
    assert flow_of(found, "S") == [told]
    assert found.given_out.total_cost == pytest.approx(8 * 2 + 3 * 0.5)


def test_a_row_holds_on_its_days():
    """2 of S a unit in the first week, 1 from the second: 2 of A in each bring 4 and 2, the other 2 are bought at 1
    (made a week early, 2 of A and 4 of S would lie for 2 x 1 + 4 x 0.5)."""
    given = joint(price=1.0)
    given["recipe_outputs"] = [
        given["recipe_outputs"][0] | {"valid_from": None, "valid_to": MONDAY + WEEK},
        given["recipe_outputs"][0] | {"units_per_unit": 1.0, "valid_from": MONDAY + WEEK, "valid_to": None},
    ]
    found = decided(state := chain(2, **given), demand(state, A=[[2.0, 2.0]], S=[[4.0, 4.0]]))
    assert [r.get("co_product_units", 0.0) for r in flow_of(found, "S")] == [4.0, 2.0]
    assert started(found.given_out, "oS") == [0.0, 2.0]


def test_in_lots():
    """A in multiples of 5: for 4 of A and 13 of S one lot brings 10 of S, and 3 are bought at 3; 1 of A lies: 5 x 2 +
    9 + 1 = 20. Two lots would be 20 + 6 + 7 x 0.5. HiGHS proves it."""
    state = chain(1, **joint(lot_multiple_units=5.0))
    found = decided(state, demand(state, A=[[4.0]], S=[[13.0]])).given_out
    assert (started(found, "A/L"), started(found, "oS"), found.total_cost) == ([5.0], [3.0], pytest.approx(20.0))
    assert found.bound == pytest.approx(20.0, rel=1e-4)


def test_levels_up_and_lots_of_what_takes_it():
    """R takes 3 of S and comes in lots of 4, so 12 of S: 6 of A, which sell 5. Nothing of S is for sale."""
    given = joint(price=None)
    given["products"] += [{"product": "R", "price": 300.0}]
    given["recipes"] += [given["recipes"][0] | {"recipe": "R/1", "product": "R", "line": None, "min_lot_units": 4.0}]
    given["recipes"] = [{"line": "L", "min_lot_units": 0.0} | row for row in given["recipes"]]
    given["components"] = [{"product": "R", "component": "S", "units_per_unit": 3.0}]
    found = decided(state := chain(1, **given), demand(state, A=[[5.0]], R=[[3.0]], S=[[0.0]])).given_out
    assert (started(found, "A/L"), started(found, "R/1")) == ([6.0], [4.0])


def test_what_goes_into_what_it_comes_of():
    """A takes 2 of M at 0.5, and gives 1 back a week later: 4 of A for each of the weeks 2 and 3 take 8, then 4 more.
    What comes back last lies for a bucket at 0.004 of its price of 1."""
    given = joint(lead_days=7.0)
    given["products"] = [{"product": "A", "price": 100.0, "kind": "finished"}]
    given["products"] += [{"product": "M", "price": 1.0, "kind": "material"}]
    given["economics"], given["demand"] = given["economics"][:1], given["demand"][:1]
    given["components"] = [{"product": "A", "component": "M", "units_per_unit": 2.0}]
    given["offers"] = [{"offer": "oM", "product": "M", "price": 0.5, "lead_days": 0.0}]
    given["recipe_outputs"] = [{"recipe": "A/L", "product": "M", "units_per_unit": 1.0}]
    found = decided(state := chain(3, **given), demand(state, A=[[0.0, 4.0, 4.0]])).given_out
    assert (started(found, "A/L"), started(found, "oM")) == ([4.0, 4.0, 0.0], [8.0, 4.0, 0.0])
    assert found.total_cost == pytest.approx(8 * 2 + 12 * 0.5 + 4 * 0.004)


def out(**other):
    row = {"order": "W1", "kind": "make", "product": "A", "recipe": "A/L", "units": 10.0, "start": MONDAY}
    return row | {"due": MONDAY + timedelta(days=4), "locked": False} | other


@pytest.mark.parametrize("order", [out(), out(locked=True), out(start=MONDAY - WEEK, due=MONDAY)])
def test_orders_that_are_out_bring_theirs(order):
    """10 of A that are out or locked bring 20 of S: none is bought."""
    state = chain(2, **joint(), orders=[order])
    found = decided(state, demand(state, A=[[10.0, 0.0]], S=[[20.0, 0.0]])).given_out
    assert started(found, "oS") == [0.0, 0.0]
    assert found.outcome.waiting.max() == 0.0


def test_what_is_reported_brought_its_co_products():
    """S was counted on Sunday; then 4 good and 1 scrapped of 10 are reported: 10 of S are there, and 10 to come."""
    made = {"happened_at": TUESDAY, "product": "A", "order": "W1", "good_units": 4.0, "scrap_units": 1.0}
    counted = [{"happened_at": SUNDAY, "product": p, "units": 1.0} for p in ("A", "S")]
    given = joint() | {"orders": [out(start=MONDAY - WEEK)], "stock": counted}
    for told in ({"production": [made]}, {"order_events": [reported()]}):
        state = later(chain(2, **given, **told))
        there = position(state)
        assert (there.on_hand_units["A"], there.on_hand_units["S"]) == (5.0, 11.0)
        market = pack(state, demand(state, A=[[0.0, 0.0]], S=[[0.0, 0.0]]), nothing_learnt(), there)
        s = market.products.names.index("S")
        assert market.stock.fixed[s].sum() == 21.0


def test_what_production_tells_of_a_co_product_itself_counts_instead():
    """7 of S booked under the number of the order of A: they are what there is of S, and no units of that order."""
    rows = [
        {"happened_at": TUESDAY, "product": product, "order": "W1", "good_units": units, "scrap_units": 0.0}
        for product, units in (("A", 4.0), ("S", 7.0))
    ]
    counted = [{"happened_at": SUNDAY, "product": p, "units": 0.0} for p in ("A", "S")]
    state = later(chain(2, **joint(), orders=[out(start=MONDAY - WEEK)], stock=counted, production=rows))
    assert position(state).on_hand_units == {"A": 4.0, "S": 7.0}
    assert order_standings(state)["W1"].good_units == 4.0


def reported():
    told = {"order_event": "E1", "order": "W1", "state": "partly_done", "happened_at": TUESDAY}
    return told | {"good_units": 4.0, "scrap_units": 1.0}


def later(state):
    """The same state as of Wednesday."""
    return replace(state, as_of=datetime(2024, 1, 3, tzinfo=UTC))


def test_at_the_last_step():
    """A is cut, then welded: S comes of the weld, a week after the cut."""
    given = joint(price=None)
    given["recipe_steps"] = [
        {"step": step, "recipe": "A/L", "sequence": place, "line": "L", "hours_per_unit": 0.5, "lead_days": days}
        for step, place, days in (("cut", 1.0, 7.0), ("weld", 2.0, 0.0))
    ]
    found = decided(state := chain(2, **given), demand(state, A=[[0.0, 4.0]], S=[[0.0, 8.0]]))
    assert (started(found.given_out, "cut"), started(found.given_out, "weld")) == ([4.0, 0.0], [0.0, 4.0])
    assert [r["co_product_units"] for r in flow_of(found, "S")] == [8.0]


def test_the_reason_says_what_comes_besides_and_for_whom():
    given = joint(price=None)
    given["demand"] = [
        {"demand": name, "product": product, "due": MONDAY, "units": units, "firm": True}
        for name, product, units in (("D1", "A", 4.0), ("D2", "S", 7.0))
    ]
    state = chain(1, **given)
    (order,) = plan(state, demand(state, A=[[4.0]], S=[[7.0]])).orders
    told = {c.text.key: c.text for c in order.causes}
    assert told["plan.cause.besides"].text("en") == "besides, 8 of S come of it"
    assert told["plan.cause.besides"].text("zh") == "同时产出联产品 S 8"
    assert told["plan.cause.besides_for"].text("en").startswith("of S: D2 (7, due 2024-01-01)")
    assert "1 that nothing uses within the horizon" in told["plan.cause.besides_for"].text("en")


def test_costs_are_borne_by_value():
    """A start costs 2 and brings 100 of A and 2 x 50 of S: half each, so 1 a unit of A and 0.5 of S."""
    state = chain(1, **joint(price=None))
    facts = chain_facts(state, (MONDAY,), nothing_learnt())
    assert dict(zip(facts.products, facts.arrays.least_costs((MONDAY,)).tolist(), strict=True)) == {"A": 1.0, "S": 0.5}


def test_the_search_of_prices_refuses_it_by_name():
    state = chain(1, **joint())
    market = pack(state, demand(state, A=[[4.0]], S=[[8.0]]), nothing_learnt(), position(state))
    with pytest.raises(Refused, match="co-products"):
        cleared(market, "prices")
    assert np.isclose(cleared(market).total_cost, 8.0)


def test_what_comes_of_a_circle_costs_what_it_bears_of_a_start_that_can_begin():
    """A takes M, bought at 4, and brings S; B takes S and brings M. A start of A costs 2 + 4 and S bears half: 3. A
    start of B costs 1 + 3 and brings M, which keeps its offer's price, besides: B bears half of 4."""
    given = joint(units=1.0, price=None)
    given["products"] = [{"product": p, "price": 50.0} for p in ("A", "B", "M", "S")]
    given["recipes"] += [given["recipes"][0] | {"recipe": "B/L", "product": "B", "cost_per_unit": 1.0}]
    given["recipe_outputs"] += [{"recipe": "B/L", "product": "M", "units_per_unit": 1.0}]
    given["components"] = [
        {"product": "A", "component": "M", "units_per_unit": 1.0},
        {"product": "B", "component": "S", "units_per_unit": 1.0},
    ]
    given["offers"] = [{"offer": "oM", "product": "M", "price": 4.0, "lead_days": 0.0}]
    facts = chain_facts(chain(1, **given), (MONDAY,), nothing_learnt())
    costs = dict(zip(facts.products, facts.arrays.least_costs((MONDAY,)).tolist(), strict=True))
    assert costs == {"A": 3.0, "B": 2.0, "M": 4.0, "S": 3.0}
    given["offers"] = []  # nothing to begin with
    facts = chain_facts(chain(1, **given), (MONDAY,), nothing_learnt())
    assert not np.isfinite(facts.arrays.least_costs((MONDAY,))).any()


def test_what_comes_besides_can_go_into_the_product_by_another_recipe():
    """S comes of A/L, at 2 a start: 1 each. A by A/2 takes S, and so does B: B costs 3 + 1, whatever the levels are."""
    given = joint(units=1.0, price=None)
    given["products"] = [{"product": p, "price": 50.0} for p in ("A", "B", "S")]
    given["recipes"] += [
        given["recipes"][0] | {"recipe": "A/2", "cost_per_unit": 20.0},
        given["recipes"][0] | {"recipe": "B/L", "product": "B", "cost_per_unit": 3.0},
    ]
    given["components"] = [
        {"product": "A", "recipe": "A/2", "component": "S", "units_per_unit": 1.0},
        {"product": "B", "component": "S", "units_per_unit": 1.0},
    ]
    facts = chain_facts(chain(1, **given), (MONDAY,), nothing_learnt())
    costs = dict(zip(facts.products, facts.arrays.least_costs((MONDAY,)).tolist(), strict=True))
    assert costs == {"A": 1.0, "B": 4.0, "S": 1.0}
