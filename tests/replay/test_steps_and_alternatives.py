"""Routing steps and alternate components in a replay: what the simulator takes, and what records are taken to say."""

from datetime import UTC, datetime, timedelta

from datong.model.flow import PlannedOrder, nothing_learnt
from datong.model.settings import ChainSettings
from datong.network.economics import Economics
from datong.network.facts import chain_facts
from datong.replay.company import company_flows
from datong.replay.making import begin
from datong.replay.scene_and_batches import Scene
from datong.replay.unit_worth import unit_costs
from small_chain import MONDAY, chain, press

WEEK = timedelta(days=7)
NOON = datetime(2024, 1, 3, 12, tzinfo=UTC)


def tables():
    """A is cut, then welded with 1 of C at 3 or 2 of D at 1."""
    given = press(line=None, hours_per_unit=0.0)
    given["products"] = [
        {"product": p, "price": 100.0, "kind": k} for p, k in zip("ACD", ("finished",) + ("material",) * 2, strict=True)
    ]
    line = {"recipe": "A/L", "line": "L", "hours_per_unit": 1.0}
    given["recipe_steps"] = [line | {"step": "cut", "sequence": 1.0}, line | {"step": "weld", "sequence": 2.0}]
    part = {"product": "A", "recipe": "weld", "alternate_group": "g"}
    given["components"] = [
        part | {"component": "C", "units_per_unit": 1.0},
        part | {"component": "D", "units_per_unit": 2.0},
    ]
    given["offers"] = [{"offer": "oC", "product": "C", "price": 3.0}, {"offer": "oD", "product": "D", "price": 1.0}]
    return given


def order(recipe, units):
    days = {"start": MONDAY, "due": MONDAY, "needed_by": MONDAY}
    return PlannedOrder("W1", "make", "A", recipe, None, "L", units, **days, cost=0.0, value=None, causes=())


def scene_of(given):
    facts = chain_facts(chain(1, **given), (MONDAY,), nothing_learnt())
    return Scene(
        settings=ChainSettings("s"),
        buckets=(MONDAY, MONDAY + WEEK),
        products=facts.products,
        economics={p: Economics(20.0, 0.5, 2.0, 20.0, 20.0, 0.0) for p in facts.products},
        unit_cost=unit_costs(facts, (MONDAY,)),
        ways={w.name: w for w in facts.ways},
        opening_units={},
        opening_owed={},
        demand_units=({}, {}),
        line_hours=({"L": 40.0}, {"L": 40.0}),
    )


def test_an_order_takes_of_alternatives_what_lies_there_the_cheapest_first():
    """5 of D make up 2.5 and 3 of C make up 3: of 6 asked, 5 whole ones begin, 2.5 with all D and 2.5 with C."""
    scene = scene_of(tables())
    begun = begin(scene, 0, [order("weld", 6.0)], {"cut": 8.0, "C": 3.0, "D": 5.0})
    (batch,) = begun.batches
    assert (batch.product, batch.units) == ("A", 5.0)
    assert dict(batch.uses) == {"cut": 5.0, "D": 5.0, "C": 2.5}


def test_what_the_set_up_scraps_takes_alternatives_too():
    """One unit is scrapped at the weld: 4 of the 6 asked begin, and take what lies there for 5."""
    given = tables()
    given["recipe_steps"] = [step | {"setup_scrap_units": 0.0} for step in given["recipe_steps"]]
    given["recipe_steps"][1]["setup_scrap_units"] = 1.0
    begun = begin(scene_of(given), 0, [order("weld", 6.0)], {"cut": 8.0, "C": 3.0, "D": 5.0})
    (batch,) = begun.batches
    assert (batch.product, batch.units) == ("A", 4.0)
    assert dict(batch.uses) == {"cut": 5.0, "D": 5.0, "C": 2.5}


def test_records_of_a_step_are_of_what_waits_and_those_of_the_whole_take_what_goes_into_any_step():
    """4 were cut by an order of that step; 3 of A are told without an order, and take 2 of D each, the cheaper one."""
    days = {"start": MONDAY, "due": MONDAY, "locked": True}
    orders = [{"order": "W1", "kind": "make", "product": "A", "recipe": "cut", "units": 4.0} | days]
    made = [
        {"production": "p1", "happened_at": NOON, "product": "A", "order": "W1", "good_units": 4.0},
        {"production": "p2", "happened_at": NOON, "product": "A", "order": None, "good_units": 3.0},
    ]
    state = chain(2, **tables() | {"orders": orders, "production": made})
    facts = chain_facts(state, (MONDAY, MONDAY + WEEK), nothing_learnt())
    flows = {flow.units: (flow.label, flow.uses) for flow in company_flows(state, facts, (MONDAY, MONDAY + WEEK))}
    assert flows == {4.0: ("cut", ()), 3.0: ("A", (("D", 6.0),))}
