"""Alternate components in groups (`components.alternate_group`), worked out by hand."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from datong import lots_put_off
from datong.balance.pack import pack
from datong.balance.solvers import balance
from datong.connectors.filedrop.order_sheet import Known, sheet_of
from datong.model.flow import OrderMessage, nothing_learnt
from datong.network.facts import chain_facts
from datong.network.notices import notices
from datong.network.position import position
from datong.plan.lots_along_clearing import Lot
from planning import decided, plan
from small_chain import MONDAY, chain, demand, press

SUNDAY = datetime(2023, 12, 31, tzinfo=UTC)


def choosing(stock=(("C", 4.0),), d_per_week=None, extra=0.0, **more):
    """A, at 2, takes 1 of C, bought at 3, or 2 of D, bought at 1, and 1 of E, bought at nothing."""
    given = press()
    kinds = {"A": "finished"}
    given["products"] = [{"product": p, "price": 100.0, "kind": kinds.get(p, "material")} for p in "ACDE"]
    given["lines"] = [{"line": "L", "hours_per_week": 100.0}]
    rows = [("C", 1.0, "g", 0.0), ("D", 2.0, "g", extra), ("E", 1.0, None, 0.0)]
    names = ("component", "units_per_unit", "alternate_group", "alternate_cost_per_unit")
    given["components"] = [{"product": "A"} | dict(zip(names, row, strict=True)) for row in rows]
    given["offers"] = [
        {"offer": "oC", "product": "C", "price": 3.0, "units_per_week": None},
        {"offer": "oD", "product": "D", "price": 1.0, "units_per_week": d_per_week},
        {"offer": "oE", "product": "E", "price": 0.0, "units_per_week": None},
    ]
    given["stock"] = [{"happened_at": SUNDAY, "product": p, "units": u} for p, u in stock]
    return given | more


def bought(orders):
    return {o.product: o.units for o in orders if o.kind == "buy"}


@pytest.mark.parametrize("door", ["highs", "prices"])
def test_the_cheaper_alternative_is_taken_after_what_lies_there(door):
    """4 of C lie there: 4 of 10 A take them, the others 12 D at 1 rather than 6 C at 3: 10 x 2 + 12 = 32."""
    state = chain(1, **choosing())
    clearing = balance(state, demand(state, A=[[10.0]]), nothing_learnt(), door=door)
    assert clearing.total_cost == pytest.approx(32.0, rel=0.01)
    assert clearing.lower_bound == pytest.approx(32.0, rel=0.01)


@pytest.mark.parametrize(("extra", "parts"), [(0.0, {"D": 20.0, "E": 10.0}), (1.5, {"C": 10.0, "E": 10.0})])
def test_what_an_alternative_adds_to_the_cost_counts(extra, parts):
    """Without stock: 2 D cost 2, and 2 + 1.5 where taking them adds 1.5; 1 C costs 3."""
    state = chain(1, **choosing(stock=(("E", 0.0),), extra=extra))
    assert bought(plan(state, demand(state, A=[[10.0]])).orders) == parts


def test_a_scarce_alternative_is_taken_as_far_as_it_goes():
    """7 D a week make 3 A, and the 4 C that lie there 4: 3 more are bought of C."""
    state = chain(1, **choosing(d_per_week=7.0))
    orders = plan(state, demand(state, A=[[10.0]])).orders
    assert bought(orders) == {"C": 3.0, "D": 6.0, "E": 10.0}


def test_the_order_says_which_components_it_takes_also_to_the_factory():
    """One order of 10: 4 of C, 12 of D. A pick is no order, and its component is for the order of A."""
    state = chain(1, **choosing())
    orders = plan(state, demand(state, A=[[10.0]])).orders
    assert sorted((o.kind, o.product) for o in orders) == [("buy", "D"), ("buy", "E"), ("make", "A")]
    (made,) = [o for o in orders if o.kind == "make"]
    (told,) = [c.text for c in made.causes if c.text.key == "plan.cause.alternatives"]
    assert told.text("en") == "of alternate components it takes 4 of C, 12 of D"
    assert told.text("zh") == "替代料选用 C 4、D 12"
    (for_a,) = [o for o in orders if o.product == "D"]
    assert for_a.causes[0].text.text("en") == f"for the orders {made.order} for A (12 in the week of 2024-01-01)"
    assert not [c for c in for_a.causes if c.text.key == "plan.cause.left"]
    sheet = sheet_of("works", "R1", [OrderMessage("key", "works", made)], "en", Known())
    assert sheet.rows[0][sheet.columns.index("note")] == told.text("en")


def test_a_group_of_one_is_no_choice():
    given = choosing()
    given["components"] = [row for row in given["components"] if row["component"] != "C"]
    given["components"][0]["alternate_cost_per_unit"] = 1.5
    ways = chain_facts(chain(1, **given), (MONDAY,), nothing_learnt()).ways
    (way,) = [w for w in ways if w.product == "A"]
    assert [(u.component, u.units_per_unit) for u in way.uses] == [("E", 1.0), ("D", 2.0)]
    assert way.cost_per_unit == 3.5
    assert not [w for w in ways if w.picks]


def test_an_order_that_is_out_takes_what_lies_there():
    """6 of A were given out to start now: 4 take C, the others D, which the plan buys."""
    row = {"order": "W1", "kind": "make", "product": "A", "recipe": "A/L", "units": 6.0, "locked": True}
    state = chain(2, **choosing(orders=[row | {"start": MONDAY, "due": MONDAY}]))
    found = decided(state, demand(state, A=[[6.0, 0.0]])).given_out
    started = dict(zip((w.name for w in found.market.ways.facts), found.solution.started.sum(axis=1), strict=True))
    assert (started["oD"], started["oC"], started["oE"], started["A/L"]) == (4.0, 0.0, 6.0, 0.0)


def test_of_what_was_made_the_first_alternative_counts_as_taken():
    """3 of A were made since 10 of C and 10 of D were counted: 7 of C are left, and all of D, which would add cost."""
    counted = SUNDAY - timedelta(days=3)
    stock = [{"happened_at": counted, "product": p, "units": 10.0} for p in "CD"]
    made = [{"happened_at": SUNDAY, "product": "A", "good_units": 3.0}]
    where = position(chain(1, **choosing(extra=1.0) | {"stock": stock, "production": made}))
    assert {p: where.on_hand_units[p] for p in "ACD"} == {"A": 3.0, "C": 7.0, "D": 10.0}


def test_records_take_the_first_alternative_of_their_day():
    """C, which adds no cost, was one until the 30th: of 3 of A made on the day before it 3 C were taken, of 2 made on
    the day after 4 D."""
    given = choosing(extra=1.0)
    ended = SUNDAY.date() - timedelta(days=1)
    for row in given["components"]:
        row["valid_to"] = ended if row["component"] == "C" else None
    given["stock"] = [{"happened_at": SUNDAY - timedelta(days=3), "product": p, "units": 10.0} for p in "CD"]
    made = {"product": "A", "order": None}
    given["production"] = [
        made | {"production": "p1", "happened_at": SUNDAY - timedelta(days=2), "good_units": 3.0},
        made | {"production": "p2", "happened_at": SUNDAY, "good_units": 2.0},
    ]
    on_hand = position(chain(1, **given)).on_hand_units
    assert {p: on_hand[p] for p in "ACD"} == {"A": 5.0, "C": 7.0, "D": 6.0}


def test_an_alternative_of_0_units_is_none_in_records_either():
    """C, of which nothing is taken, adds no cost, D 1: 3 of A were made of 6 of D, as the plan has it."""
    given = choosing(extra=1.0)
    given["components"][0]["units_per_unit"] = 0.0
    given["stock"] = [{"happened_at": SUNDAY - timedelta(days=3), "product": p, "units": 10.0} for p in "CD"]
    given["production"] = [{"happened_at": SUNDAY, "product": "A", "good_units": 3.0}]
    state = chain(1, **given)
    assert {p: position(state).on_hand_units[p] for p in "ACD"} == {"A": 3.0, "C": 10.0, "D": 4.0}
    assert bought(plan(state, demand(state, A=[[6.0]])).orders)["D"] == 2.0


def test_a_component_of_which_nothing_is_taken_is_told():
    """An alternative of 0 units is none that is chosen, and a component of 0 a unit and an order counts for nothing."""

    def told(**row):
        given = choosing()
        given["components"] = [own | {"units_per_lot": 0.0} for own in given["components"]]
        given["components"][row.pop("at")] |= row
        return [f.text("en") for f in notices(chain(1, **given)) if f.code == "component_of_nothing"]

    assert ["(D (A))" in text for text in told(at=1, units_per_unit=0.0)] == [True]
    assert ["(E (A))" in text for text in told(at=2, units_per_unit=0.0)] == [True]
    assert told(at=2, units_per_unit=0.0, units_per_lot=3.0) == told(at=2) == []


def test_alternatives_change_from_a_day_on():
    """D is an alternative up to the second week alone: from then on C is taken, and nothing picked but for orders that
    were given out before."""
    given = choosing(stock=(("E", 0.0),))
    for row in given["components"]:
        row["valid_to"] = MONDAY + timedelta(days=7) if row["component"] == "D" else None
    state = chain(2, **given)
    market = pack(state, demand(state, A=[[4.0, 4.0]]), nothing_learnt(), position(state))
    picks = [w for w, way in enumerate(market.ways.facts) if way.picks]
    np.testing.assert_array_equal(market.ways.is_open[picks], [[True, True]] * 2)
    clearing = balance(state, demand(state, A=[[4.0, 4.0]]), nothing_learnt())
    assert clearing.total_cost == pytest.approx(8 * 2 + 8 * 1 + 4 * 3)
    picked = [r for r in clearing.quantities.to_pylist() if r["kind"] == "serve"]
    assert {r["start"] for r in picked} == {MONDAY}


def with_second_bill(units, stock=5.0, **more):
    """A takes 1 of C, bought at 1, or 1 of D at 50; from the third week on so many of C. Then the line opens."""
    given = choosing(stock=(("E", stock),), **more)
    closed = {"line": "L", "from": MONDAY, "to": MONDAY + timedelta(days=14), "hours": 0.0}
    given["line_calendar"] = [closed]
    given["offers"][0]["price"], given["offers"][1]["price"] = 1.0, 50.0
    of_c, of_d, _ = (row | {"units_per_unit": 1.0, "valid_from": None, "valid_to": None} for row in given["components"])
    from_then = MONDAY + timedelta(days=14)
    given["components"] = [
        of_c | {"valid_to": from_then},
        of_c | {"valid_from": from_then, "units_per_unit": units},
        of_d,
    ]
    return given


def test_what_is_picked_under_one_bill_is_not_taken_under_the_next():
    """5 wanted in each of two weeks from the third on, when the line opens and the bill takes 9 of C: 90 of them, and
    not 10 that are picked before, under the bill that takes 1."""
    state = chain(4, **with_second_bill(9.0, stock=10.0))
    given_out = decided(state, demand(state, A=[[0.0, 0.0, 5.0, 5.0]])).given_out
    bought_units = {
        way.name: units.sum()
        for way, units in zip(given_out.market.ways.facts, given_out.solution.started, strict=True)
        if way.kind == "buy"
    }
    assert bought_units == {"oC": 90.0, "oD": 0.0, "oE": 0.0}


@pytest.mark.parametrize(("start", "counted", "week"), [(7, 25, 2), (-7, 25, 0), (-7, 28, None)])
def test_an_order_given_out_under_one_bill_takes_its_alternatives_by_that(start, counted, week):
    """4 of A were to start before the new bill, and can when the line opens: what they take is bought then, by the bill
    of 1 of C. Of one that began, and of which C was counted since, nothing of the group is left to take."""
    day = MONDAY + timedelta(days=start)
    row = {"order": "W1", "kind": "make", "product": "A", "recipe": "A/L", "units": 4.0, "locked": False}
    given = with_second_bill(9.0)
    given["orders"] = [row | {"start": day, "due": MONDAY + timedelta(days=14)}]
    begun = {"order": "W1", "state": "started", "happened_at": datetime(2023, 12, 26, tzinfo=UTC), "good_units": None}
    given |= {"order_events": [begun]} if start < 0 else {}
    given["stock"] = [
        {"happened_at": datetime(2023, 12, counted, tzinfo=UTC), "product": p, "units": u}
        for p, u in (("C", 0.0), ("D", 0.0), ("E", 10.0))
    ]
    state = chain(4, **given)
    found = decided(state, demand(state, A=[[0.0, 0.0, 4.0, 0.0]])).given_out
    taken = {w.name: units for w, units in zip(found.market.ways.facts, found.solution.started.tolist(), strict=True)}
    assert taken["oC"] == [4.0 if t == week else 0.0 for t in range(4)]
    assert taken["oD"] == taken["A/L"] == [0.0] * 4


def started_of(found):
    return {w.name: units for w, units in zip(found.market.ways.facts, found.solution.started.tolist(), strict=True)}


def moved(found, units, by):
    """The plan with so many units of A that start in the first week so many weeks later."""
    (way,) = [w for w in found.market.ways.facts if w.name == "A/L"]
    lot = Lot(way, 0, 0, started_of(found)["A/L"][0])
    return lots_put_off._later(found, [(lot, units)], by)


def test_what_is_picked_moves_with_the_lot_that_takes_it():
    """10 of A take 4 C that lie there and 12 D. Moved by a week, their picks are of that week; where 5 of them are, the
    first 4 with C and one with D stay. Nothing lies of what was picked."""
    state = chain(2, **choosing())
    found = decided(state, demand(state, A=[[10.0, 0.0]])).given_out
    assert (started_of(found)["A/L: A/L/g = C"], started_of(found)["A/L: A/L/g = D"]) == ([4.0, 0.0], [6.0, 0.0])
    whole = started_of(moved(found, 10.0, 1))
    assert (whole["A/L: A/L/g = C"], whole["A/L: A/L/g = D"]) == ([0.0, 4.0], [0.0, 6.0])
    part = moved(found, 5.0, 1)
    assert (started_of(part)["A/L: A/L/g = C"], started_of(part)["A/L: A/L/g = D"]) == ([4.0, 0.0], [1.0, 5.0])
    assert not part.outcome.pool[part.market.products.names.index("A/L/g")].any()
    assert not part.outcome.pool[part.market.products.names.index("C")].any()


def test_a_lot_in_two_parts_picks_for_the_scrap_of_both():
    """Each order scraps 2: 5 + 2 and 5 + 2 are picked of 10 and 2, the more of what is picked most."""
    given = choosing(stock=(("C", 4.0), ("D", 40.0), ("E", 40.0)))
    given["recipes"][0]["setup_scrap_units"] = 2.0
    state = chain(2, **given)
    found = decided(state, demand(state, A=[[10.0, 0.0]])).given_out
    assert (started_of(found)["A/L: A/L/g = C"], started_of(found)["A/L: A/L/g = D"]) == ([0.0, 0.0], [12.0, 0.0])
    part = started_of(moved(found, 5.0, 1))
    assert np.add(part["A/L: A/L/g = C"], part["A/L: A/L/g = D"]).tolist() == [7.0, 7.0]
