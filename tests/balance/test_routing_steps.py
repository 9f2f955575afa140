"""Routing steps (`recipe_steps`), worked out by hand: plans, orders, and what is reported of each step."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from datong.balance.cost_and_flow_tables import ways
from datong.balance.evaluate import evaluate
from datong.balance.pack import pack
from datong.balance.solvers import balance
from datong.cycle import decide
from datong.ledger.state import schema_of
from datong.ledger.versions import versions
from datong.model.flow import nothing_learnt
from datong.model.tables import tables
from datong.network.bills import Bills
from datong.network.facts import chain_facts
from datong.network.notices import notices
from datong.network.position import position
from datong.network.routes import Routes
from datong.questions.clear_market import orders_in_fractions
from planning import decided, head_of, plan
from small_chain import MONDAY, chain, demand, press

WEEK = timedelta(days=7)
BEFORE = MONDAY - WEEK


def routed(**more):
    """Product A is cut on L, 10 hours a week and one a unit, and welded on M, 4 hours a week and half a one a unit, a
    week after the cut; 2 money a unit; holding 1, late 5, lost 100."""
    given = press(line=None, hours_per_unit=0.0)
    given["lines"].append({"line": "M", "hours_per_week": 4.0})
    cut = {"step": "cut", "recipe": "A/L", "sequence": 10.0, "line": "L", "hours_per_unit": 1.0, "lead_days": 7.0}
    weld = {"step": "weld", "recipe": "A/L", "sequence": 20.0, "line": "M", "hours_per_unit": 0.5, "lead_days": 0.0}
    return given | {"recipe_steps": [cut, weld]} | more


def order(number, recipe, units, start=BEFORE, due=MONDAY):
    row = {"order": number, "kind": "make", "product": "A", "recipe": recipe, "units": units, "locked": True}
    return row | {"start": start, "due": due}


def said(number, state, good=None, day=3):
    moment = datetime.combine(BEFORE, datetime.min.time(), tzinfo=UTC) + timedelta(days=day)
    return {"order": number, "state": state, "happened_at": moment, "good_units": good}


def started(clearing):
    return [(r["recipe"], r["start"], round(r["units"], 6)) for r in clearing.quantities.to_pylist()]


def test_each_step_is_limited_by_its_own_line_and_by_what_waits_before_it():
    """10 wanted in the second week, 6 in the third. 4 hours weld 8 a week: 8 and 8, 2 a week late, 16 x 2 + 2 x 5 = 42.
    What is welded is cut a week before. An hour more of M in the second week saves 2 x 5."""
    state = chain(3, **routed())
    clearing = balance(state, demand(state, A=[[0.0, 10.0, 6.0]]), nothing_learnt())
    assert clearing.total_cost == pytest.approx(42.0)
    assert clearing.lower_bound == pytest.approx(42.0)
    made = [("cut", MONDAY, 8.0), ("weld", MONDAY + WEEK, 8.0), ("cut", MONDAY + WEEK, 8.0)]
    assert sorted(started(clearing)) == sorted([*made, ("weld", MONDAY + 2 * WEEK, 8.0)])
    prices = {(r["name"], r["bucket"]): r["price"] for r in clearing.prices.to_pylist() if r["what"] == "line"}
    assert prices["M", MONDAY + WEEK] == pytest.approx(10.0)


def test_orders_name_their_step_with_its_days_and_line():
    """As above: an order for each step, each of the product, with its line and days; the reason says which step."""
    state = chain(3, **routed())
    orders = plan(state, demand(state, A=[[0.0, 10.0, 6.0]])).orders
    assert [(o.product, o.recipe, o.line, o.start, o.units) for o in orders] == [
        ("A", "cut", "L", MONDAY, 8.0),
        ("A", "cut", "L", MONDAY + WEEK, 8.0),
        ("A", "weld", "M", MONDAY + WEEK, 8.0),
        ("A", "weld", "M", MONDAY + 2 * WEEK, 8.0),
    ]
    told = orders[0].causes[-1].text
    assert told.text("en").startswith("so do step 1 of 2 (cut) of 8 of A on line L, from 2024-01-01")
    assert "第 1/2 道工序（cut）" in told.text("zh")


@pytest.mark.parametrize("door", ["highs", "prices"])
def test_both_doors_know_steps(door):
    state = chain(3, **routed())
    clearing = balance(state, demand(state, A=[[0.0, 10.0, 6.0]]), nothing_learnt(), door=door)
    assert clearing.total_cost == pytest.approx(42.0, rel=0.01)


def test_the_referee_refuses_a_step_of_what_was_not_cut():
    state = chain(3, **routed())
    market = pack(state, demand(state, A=[[0.0, 10.0, 6.0]]), nothing_learnt(), position(state))
    given = np.zeros((3, len(market.ways), market.buckets))[0]
    weld = next(w for w, way in enumerate(market.ways.facts) if way.name == "weld")
    given[weld, 1] = 8.0
    nothing = np.zeros((1, market.buckets))
    with pytest.raises(AssertionError, match="a stock below zero"):
        evaluate(market, given, nothing, nothing)


def test_components_go_into_the_step_that_names_them():
    """C goes into the cut, named by none; D, of which 3 lie there, into the weld: 3 can be had."""
    more = {
        "products": [{"product": p, "price": 10.0} for p in "ACD"],
        "components": [
            {"product": "A", "component": "C", "units_per_unit": 2.0, "recipe": None},
            {"product": "A", "component": "D", "units_per_unit": 1.0, "recipe": "weld"},
        ],
        "offers": [
            {"offer": "oC", "product": "C", "price": 1.0, "units_per_week": None},
            {"offer": "oD", "product": "D", "price": 1.0, "units_per_week": 0.0},
        ],
        "stock": [{"happened_at": datetime(2023, 12, 31, tzinfo=UTC), "product": "D", "units": 3.0}],
    }
    state = chain(3, **routed(**more))
    made = started(balance(state, demand(state, A=[[0.0, 5.0, 0.0]]), nothing_learnt()))
    assert {(recipe, start): units for recipe, start, units in made} == {
        (None, MONDAY): pytest.approx(6.0),
        ("cut", MONDAY): pytest.approx(3.0),
        ("weld", MONDAY + WEEK): pytest.approx(3.0),
    }


def test_what_is_cut_waits_for_the_weld():
    """Last week 8 were to be cut, and 7 good ones came: these are welded now, and 3 more are cut."""
    events = [said("W1", "started"), said("W1", "done", 7.0, day=5)]
    state = chain(3, **routed(orders=[order("W1", "cut", 8.0)], order_events=events))
    where = position(state)
    assert dict(where.on_hand_units) == {"cut": 7.0}
    assert where.under_way == ()
    made = started(balance(state, demand(state, A=[[7.0, 3.0, 0.0]]), nothing_learnt()))
    assert sorted(made) == [("cut", MONDAY, 3.0), ("weld", MONDAY, 7.0), ("weld", MONDAY + WEEK, 3.0)]


def test_what_is_booked_of_a_step_waits_as_well():
    booked = [{"order": "W1", "product": "A", "good_units": 6.0, "happened_at": said("W1", "done")["happened_at"]}]
    state = chain(3, **routed(orders=[order("W1", "cut", 8.0)], order_events=[said("W1", "done")], production=booked))
    assert dict(position(state).on_hand_units) == {"cut": 6.0}


def test_what_is_welded_is_taken_off_what_waits():
    """8 were cut; of a weld order of 5 that has begun, 2 are done: 6 wait, 3 of them for the rest of that order."""
    orders = [order("W1", "cut", 8.0), order("W2", "weld", 5.0, BEFORE + timedelta(days=4), MONDAY)]
    events = [said("W1", "done", 8.0), said("W2", "started", day=4), said("W2", "partly_done", 2.0, day=5)]
    state = chain(3, **routed(orders=orders, order_events=events))
    where = position(state)
    assert dict(where.on_hand_units) == {"A": 2.0, "cut": 6.0}
    (rest,) = where.under_way
    assert (rest.product, rest.recipe, rest.units, rest.takes("cut")) == ("A", "weld", 3.0, True)
    market = pack(state, demand(state, A=[[0.0, 0.0, 0.0]]), nothing_learnt(), where)
    cut = market.products.names.index("cut")
    assert np.cumsum(market.stock.fixed[cut]).tolist() == [3.0, 3.0, 3.0]
    assert market.lines.hours_taken[1].tolist() == [1.5, 0.0, 0.0]


def test_an_order_of_the_whole_recipe_is_one_of_its_last_step():
    """5 of A were given out by the recipe, to be there in the second week: what they lack, 5 cut, is proposed."""
    state = chain(3, **routed(orders=[order("W1", "A/L", 5.0, MONDAY + WEEK, MONDAY + 2 * WEEK)]))
    found = decided(state, demand(state, A=[[0.0, 0.0, 5.0]])).given_out
    assert found.market.lines.hours_taken[1].tolist() == [0.0, 2.5, 0.0]
    made = dict(zip((w.name for w in found.market.ways.facts), found.solution.started.sum(axis=1), strict=True))
    assert made == {"weld": 0.0, "cut": 5.0}


@pytest.mark.parametrize(("counted", "left", "cut"), [(4, 0.0, 0.0), (1, 6.0, 6.0)])
def test_a_whole_recipe_that_has_begun_takes_its_components_once(counted, left, cut):
    """An order of 6 began on the third day. C that was counted since is without its 6: nothing is cut nor bought for it
    again. As counted before, its 6 lie there still, and are what is cut."""
    given = routed(orders=[order("W1", "A/L", 6.0)], order_events=[said("W1", "started")])
    kinds = {"A": "finished", "C": "material"}
    given["products"] = [{"product": product, "price": 100.0, "kind": kind} for product, kind in kinds.items()]
    given["components"] = [{"product": "A", "component": "C", "units_per_unit": 1.0}]
    given["offers"] = [{"offer": "oC", "product": "C", "price": 4.0}]
    moment = said("", "", day=counted)["happened_at"]
    given["stock"] = [{"happened_at": moment, "product": "C", "units": left}]
    state = chain(3, **given)
    found = decided(state, demand(state, A=[[0.0, 0.0, 6.0]])).given_out
    made = dict(zip((w.name for w in found.market.ways.facts), found.solution.started.sum(axis=1), strict=True))
    assert made == {"weld": 0.0, "cut": cut, "oC": 0.0}


def test_a_refused_step_is_closed_and_no_other():
    events = [said("W1", "refused")]
    state = chain(3, **routed(orders=[order("W1", "cut", 8.0, MONDAY, MONDAY + WEEK)], order_events=events))
    facts = chain_facts(state, state.settings.calendar.starts(MONDAY, 3), nothing_learnt())
    assert [(w.name, w.is_open(MONDAY), w.is_open(MONDAY + WEEK)) for w in facts.ways] == [
        ("weld", True, True),
        ("cut", False, True),
    ]


def test_a_yield_and_a_cost_of_the_recipe_count_at_the_last_step():
    given = routed()
    given["recipes"][0] |= {"yield_share": 0.5}
    given["recipe_steps"][0] |= {"cost_per_unit": 1.0}
    of = {w.name: w for w in chain_facts(chain(2, **given), (MONDAY, MONDAY + WEEK), nothing_learnt()).ways}
    assert (of["cut"].yield_share, of["cut"].cost_per_unit) == (1.0, 1.0)
    assert (of["weld"].yield_share, of["weld"].cost_per_unit) == (0.5, 2.0)
    assert [(u.component, u.units_per_unit) for u in of["weld"].uses] == [("cut", 1.0)]


def test_a_step_that_another_takes_the_place_of():
    """From March on `saw` takes the place of `cut`: the weld takes of each what it made in its time."""

    def rows(table, *given):
        names = tables()[table].columns
        full = [{name: row.get(name) for name in (*names, "valid_from")} for row in given]
        return versions(tables()[table], pa.Table.from_pylist(full, None if full else schema_of(table)))

    march = date(2024, 3, 1)
    recipes = rows("recipes", {"recipe": "R", "product": "A"})
    steps = [("cut", 10.0, None, march), ("saw", 10.0, march, None), ("weld", 20.0, None, None)]
    names = ("step", "sequence", "valid_from", "valid_to")
    given = [{"recipe": "R"} | dict(zip(names, step, strict=True)) for step in steps]
    routes = Routes(recipes, rows("recipe_steps", *given), {"A", "cut"})
    assert routes.between == {"cut'": "A", "saw": "A"}  # a product is called cut
    assert [routes.place(code) for code in ("cut", "saw", "weld", "R")] == [(1, 2), (1, 2), (2, 2), None]
    taken = routes.bill(Bills(rows("components"), ()), "A", "weld")
    assert [(u.component, u.valid_from, u.valid_to) for u in taken] == [("cut'", None, march), ("saw", march, None)]


def ending(*steps):
    """Each A takes 2 of C. steps: (code, sequence, from week, to week)."""
    given = routed()
    kinds = {"A": "finished", "C": "material"}
    given["products"] = [{"product": product, "price": 100.0, "kind": kind} for product, kind in kinds.items()]
    given["components"] = [{"product": "A", "component": "C", "units_per_unit": 2.0}]
    given["offers"] = [{"offer": "oC", "product": "C", "price": 4.0}]

    def week(number):
        return None if number is None else MONDAY + number * WEEK

    given["recipe_steps"] = [
        {"step": code, "recipe": "A/L", "sequence": at, "line": "L" if at < 20 else "M", "hours_per_unit": 0.5}
        | {"lead_days": 0.0, "valid_from": week(first), "valid_to": week(after)}
        for code, at, first, after in steps
    ]
    return chain(4, **given)


def test_nothing_is_made_of_nothing_where_an_earlier_step_ends():
    """The cut ends after two weeks: what is welded later, was cut by then, and 10 A take 20 C. It is told."""
    state = ending(("cut", 10.0, None, 2), ("weld", 20.0, None, None))
    made = started(balance(state, demand(state, A=[[0.0, 0.0, 5.0, 5.0]]), nothing_learnt()))
    assert sum(units for code, start, units in made if code == "cut" and start < MONDAY + 2 * WEEK) == 10.0
    assert sum(units for code, _, units in made if code == "weld") == 10.0
    assert sum(units for code, _, units in made if code not in ("cut", "weld")) == 20.0
    (told,) = [f for f in notices(state) if f.code == "step_without_one_before"]
    assert "weld (2024-01-15)" in told.text("en") and "weld (2024-01-15)" in told.text("zh")


def test_two_steps_of_one_sequence_that_hold_at_once_are_told():
    def told(*steps):
        return [f.text("en") for f in notices(ending(*steps)) if f.code == "steps_at_once"]

    weld = ("weld", 20.0, None, None)
    (text,) = told(("cut", 10.0, None, 3), ("saw", 10.0, 2, None), weld)
    assert "2 of the steps (cut, saw)" in text
    assert told(("cut", 10.0, None, 2), ("saw", 10.0, 2, None), weld) == []


def test_a_step_that_has_none_before_it_is_the_first_on_its_days():
    """From the third week on another cut of a higher sequence: it takes the components from then on."""
    steps = ("cut", 10.0, None, 2), ("cut2", 15.0, 2, None), ("weld", 20.0, None, None)
    state = ending(*steps)
    made = started(balance(state, demand(state, A=[[5.0] * 4]), nothing_learnt()))
    assert sum(units for code, _, units in made if code in ("cut", "cut2")) == 20.0
    assert sum(units for code, _, units in made if code == "cut2") == 10.0
    assert sum(units for code, _, units in made if code not in ("cut", "cut2", "weld")) == 40.0
    assert not [f for f in notices(state) if f.code == "step_without_one_before"]


def test_what_a_recipe_says_beside_its_steps_is_told():
    given = routed()
    given["recipes"][0] |= {"line": "L", "hours_per_unit": 3.0}
    found = [f for f in notices(chain(3, **given)) if f.code == "hours_of_steps"]
    assert [f.source for f in found] == ["recipes"]
    assert not [f for f in notices(chain(3, **routed())) if f.code == "hours_of_steps"]


def test_the_ways_of_a_run_are_of_the_product_that_comes_of_the_steps():
    """By them a page tells hours and good units of an order, and what may be changed of it."""
    state = chain(3, **routed())
    market = pack(state, demand(state, A=[[0.0, 10.0, 6.0]]), nothing_learnt(), position(state))
    told = [(r["way"], r["product"], r["line"], r["hours_per_unit"]) for r in ways(market).to_pylist()]
    assert sorted(told) == [("cut", "A", "L", 1.0), ("weld", "A", "M", 0.5)]


def test_what_is_said_of_a_single_step_and_of_all_recipes_is_taken_together():
    """5 A, of which each takes 1 + 1 of C, and their order 3 + 4."""
    given = routed()
    kinds = {"A": "finished", "C": "material"}
    given["products"] = [{"product": product, "price": 100.0, "kind": kind} for product, kind in kinds.items()]
    row = {"product": "A", "component": "C", "units_per_unit": 1.0}
    given["components"] = [row | {"recipe": code, "units_per_lot": lot} for code, lot in ((None, 3.0), ("weld", 4.0))]
    given["offers"] = [{"offer": "oC", "product": "C", "price": 4.0}]
    given["recipe_steps"] = given["recipe_steps"][1:]
    state = chain(1, **given)
    orders = plan(state, demand(state, A=[[5.0]])).orders
    assert [o.units for o in orders if o.product == "C"] == [5.0 * 2 + 3 + 4]


def scrapping_steps(**recipe):
    """A is cut, an hour a unit, of 1 C at 4, and welded, half an hour, with 1 D at 1; each step costs 1 a unit."""
    given = routed()
    more = {"cost_per_unit": 1.0, "lead_days": 0.0, "setup_scrap_units": 0.0}
    given["recipe_steps"] = [step | more for step in given["recipe_steps"]]
    given["recipes"][0] |= recipe
    given["products"] = [{"product": "A", "price": 100.0, "kind": "finished"}]
    given["products"] += [{"product": p, "price": 5.0, "kind": "material"} for p in "CD"]
    given["components"] = [
        {"product": "A", "recipe": step, "component": part, "units_per_unit": 1.0}
        for step, part in ((None, "C"), ("weld", "D"))
    ]
    given["offers"] = [{"offer": "o" + p, "product": p, "price": price} for p, price in (("C", 4.0), ("D", 1.0))]
    return given


def test_units_scrapped_at_the_set_up_count_at_the_step_that_says_so_and_those_of_the_recipe_at_the_first():
    """4 are wanted. The recipe scraps 2: 6 C, 4 D, 6 hours and 6 of money at the cut. The weld scraps 1 besides: 5 are
    cut for it, so that 7 C go in and 5 D."""
    for weld, cut, c, d in ((0.0, 4.0, 6.0, 4.0), (1.0, 5.0, 7.0, 5.0)):
        given = scrapping_steps(setup_scrap_units=2.0)
        given["recipe_steps"][1]["setup_scrap_units"] = weld
        state = chain(1, **given)
        made = {w.name: w for w in chain_facts(state, (MONDAY,), nothing_learnt()).ways if w.kind == "make"}
        assert (made["cut"].setup_hours, made["cut"].setup_cost, made["weld"].setup_hours) == (2.0, 2.0, weld * 0.5)
        found = decided(state, demand(state, A=[[4.0]])).given_out
        units = dict(zip((w.name for w in found.market.ways.facts), found.solution.started.sum(axis=1), strict=True))
        assert (units["cut"], units["weld"], units["oC"], units["oD"]) == (cut, 4.0, c, d)


@pytest.mark.parametrize(("recipe", "c", "d"), [("A/L", 13.0, 15.0), ("cut", 14.0, 20.0), ("weld", 20.0, 15.0)])
def test_records_count_what_is_scrapped_at_each_step(recipe, c, d):
    """20 of C and of D were counted; then an order of 4 was done, of the whole: 4 + 2 + 1 of C, 4 + 1 of D; of the cut:
    4 + 2 of C; of the weld: 4 + 1 of D."""
    given = scrapping_steps(setup_scrap_units=2.0)
    given["recipe_steps"][1]["setup_scrap_units"] = 1.0
    day = MONDAY - timedelta(days=3)
    given["orders"] = [{"order": "W", "kind": "make", "product": "A", "recipe": recipe, "units": 4.0, "locked": False}]
    given["orders"][0] |= {"start": day, "due": MONDAY}
    done = datetime(2023, 12, 31, tzinfo=UTC)
    given["order_events"] = [{"order": "W", "state": "done", "happened_at": done, "good_units": 4.0}]
    counted = datetime(2023, 12, 28, tzinfo=UTC)
    given["stock"] = [{"happened_at": counted, "product": p, "units": 20.0} for p in "CD"]
    where = position(chain(1, **given))
    assert (where.on_hand_units["C"], where.on_hand_units["D"]) == (c, d)


def test_orders_in_fractions_name_the_product_that_comes_of_the_steps():
    state = chain(2, **routed())
    decision = decide(head_of(state, demand(state, A=[[0.0, 7.5]])), whole=False)
    rows = orders_in_fractions(decision.given_out, decision.clearing, state.settings.calendar).to_pylist()
    assert [(r["product"], r["recipe"], r["units"]) for r in rows] == [("A", "cut", 7.5), ("A", "weld", 7.5)]
