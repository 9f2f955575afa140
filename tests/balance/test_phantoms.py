"""Phantom assemblies (`products.kind`), worked out by hand: what takes one takes its components."""

from datetime import UTC, date, datetime, timedelta

import pytest

from datong.balance.solvers import balance
from datong.model.flow import nothing_learnt
from datong.network.facts import chain_facts
from datong.network.notices import notices
from datong.network.position import position
from planning import plan
from small_chain import MONDAY, chain, demand, press

WEEK = timedelta(days=7)


def kitted(*bill, **more):
    """A takes 2 of the phantom X and 1 of C; X takes 3 of C and 1 of D; C and D are bought at 1 and 2."""
    given = press()
    given["products"] = [
        {"product": "A", "price": 100.0, "kind": "finished"},
        {"product": "C", "price": 5.0, "kind": "material"},
        {"product": "D", "price": 5.0, "kind": "material"},
        {"product": "X", "price": 5.0, "kind": "phantom"},
    ]
    rows = bill or (("A", "X", 2.0), ("A", "C", 1.0), ("X", "C", 3.0), ("X", "D", 1.0))
    names = ("product", "component", "units_per_unit", "valid_from", "valid_to")
    given["components"] = [dict(zip(names, (*row, None, None)[:5], strict=True)) for row in rows]
    given["offers"] = [{"offer": "oC", "product": "C", "price": 1.0}, {"offer": "oD", "product": "D", "price": 2.0}]
    return given | more


def test_components_of_a_phantom_go_straight_through():
    """3 of A: 3 x 2 to make, 3 x (2 x 3 + 1) = 21 of C at 1, 3 x 2 of D at 2: 6 + 21 + 12 = 39, and none of X."""
    state = chain(1, **kitted())
    clearing = balance(state, demand(state, A=[[3.0]]), nothing_learnt())
    assert clearing.total_cost == pytest.approx(39.0)
    assert clearing.lower_bound == pytest.approx(39.0)
    orders = plan(state, demand(state, A=[[3.0]])).orders
    assert {o.product: o.units for o in orders} == {"A": 3.0, "C": 21.0, "D": 6.0}


def test_a_phantom_in_a_phantom():
    given = kitted(("A", "X", 2.0), ("X", "Y", 2.0), ("X", "D", 1.0), ("Y", "C", 5.0))
    given["products"].append({"product": "Y", "price": 1.0, "kind": "phantom"})
    state = chain(1, **given)
    (way,) = [w for w in chain_facts(state, (MONDAY,), nothing_learnt()).ways if w.product == "A"]
    assert {u.component: u.units_per_unit for u in way.uses} == {"C": 20.0, "D": 2.0}


def test_days_of_a_phantoms_bill_hold():
    """From the second week on X takes E, not D; each week has a way of its own."""
    then = MONDAY + WEEK
    bill = (("A", "X", 1.0), ("X", "C", 3.0), ("X", "D", 1.0, None, then), ("X", "E", 4.0, then, None))
    given = kitted(*bill)
    given["products"].append({"product": "E", "price": 1.0, "kind": "material"})
    ways = [w for w in chain_facts(chain(2, **given), (MONDAY, then), nothing_learnt()).ways if w.product == "A"]
    assert [{u.component: u.units_per_unit for u in w.uses} for w in ways] == [
        {"C": 3.0, "D": 1.0},
        {"C": 3.0, "E": 4.0},
    ]


def test_what_was_made_took_the_components_of_the_phantom():
    """40 C and 10 D were counted, then 2 of A made: 40 - 2 x 7 of C are left, 10 - 2 x 2 of D."""
    counted = datetime(2023, 12, 29, tzinfo=UTC)
    stock = [{"happened_at": counted, "product": p, "units": u} for p, u in (("C", 40.0), ("D", 10.0))]
    made = [{"happened_at": counted + timedelta(days=1), "product": "A", "good_units": 2.0}]
    where = position(chain(1, **kitted(stock=stock, production=made)))
    assert dict(where.on_hand_units) == {"A": 2.0, "C": 26.0, "D": 6.0}


def test_nothing_brings_a_phantom_and_rows_that_say_so_are_told():
    offer = {"offer": "oX", "product": "X", "price": 1.0}
    given = kitted()
    state = chain(1, **given | {"offers": [*given["offers"], offer]})
    assert not [w for w in chain_facts(state, (date(2024, 1, 1),), nothing_learnt()).ways if w.product == "X"]
    assert [(f.code, f.source) for f in notices(state) if f.code == "phantom"] == [("phantom", "offers")]
    assert not [f for f in notices(chain(1, **given)) if f.code == "phantom"]


def test_a_component_that_comes_twice_is_taken_together():
    """1 of C by itself and 3 in X: one use of 4, so that 8 in stock make 2."""
    given = kitted(("A", "C", 1.0), ("A", "X", 1.0), ("X", "C", 3.0))
    (way,) = [w for w in chain_facts(chain(1, **given), (MONDAY,), nothing_learnt()).ways if w.product == "A"]
    assert [(u.component, u.units_per_unit) for u in way.uses] == [("C", 4.0)]
