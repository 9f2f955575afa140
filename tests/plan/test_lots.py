"""Lots by hand: when a smallest lot is worth more than waiting, and when set-ups are joined."""

import math
from datetime import timedelta

import numpy as np
import pytest

from datong.model.demand_layers import SortedDemand
from datong.network.economics import Economics
from datong.network.ways import Way
from datong.plan.lots_along_clearing import Need, PartShifts, round_up, size_lots
from datong.plan.worth import Curve, DemandShifts
from planning import decided
from small_chain import MONDAY, chain, demand, press


def way(**others):
    numbers = ("hours_per_unit", "cost_per_unit", "setup_hours", "setup_cost", "min_units", "multiple_units")
    plain = dict.fromkeys(numbers, 0.0) | dict.fromkeys(("line", "valid_from", "valid_to"))
    plain |= {"lead_days": 0, "yield_share": 1.0, "units_per_week": math.inf, "uses": ()}
    return Way(name="A/1", kind="make", product="A", **(plain | others))


def needs(units, recipe, price=2.0):
    return [Need(recipe, t, t, u, price, 0.0, math.inf) for t, u in enumerate(units) if u > 0]


def sold(demand, holding=1.0, late=5.0, lost=100.0):
    """Shifts of a product whose cleared supply is exactly its sure demand."""
    total = np.cumsum(np.asarray(demand, dtype=float))
    return DemandShifts(Curve(SortedDemand.of(total[None, :]), Economics(100.0, holding, late, lost, lost, 0.0), total))


def placed(lots):
    return [(lot.start, lot.units) for lot in lots]


def test_without_lot_rules_units_stay_where_they_were_cleared():
    wanted = [3.0, 0.0, 4.0]
    assert placed(size_lots(needs(wanted, way()), sold(wanted), whole=True)) == [(0, 3.0), (2, 4.0)]


def test_fractions_round_up_once_for_all_and_never_late():
    """0.5 + 0.5 + 1.2 cleared: cumulative 0.5, 1.0, 2.2 becomes 1, 1, 3: one at once, none, two."""
    wanted = [0.5, 0.5, 1.2]
    assert placed(size_lots(needs(wanted, way()), sold(wanted), whole=True)) == [(0, 1.0), (2, 2.0)]


def test_a_full_line_gives_the_last_whole_unit_to_the_next_lot():
    """10.4 and 10 cleared, a line that holds 10.4 a week, smallest lot 5: 11 do not fit in the first, so 10. The second
    then wants 10 + 0.4 = 10.4 and again has room for 10."""
    recipe = way(min_units=5.0)
    full = [Need(recipe, t, t, u, 2.0, 0.0, 10.4) for t, u in enumerate((10.4, 10.0))]
    assert placed(size_lots(full, sold([11.0, 10.0]), whole=True)) == [(0, 10.0), (1, 10.0)]


def test_yield_is_grossed_up():
    """Nine good units cleared as 10 started at a yield of 0.9."""
    lots = size_lots(needs([10.0], way(yield_share=0.9)), sold([9.0]), whole=True)
    assert placed(lots) == [(0, 10.0)]


def test_smallest_lot_joins_the_next_need_when_holding_is_cheaper_than_waiting():
    """4 and 6 wanted in weeks 0 and 1, smallest lot 10.

    One lot of 10 in week 0 holds 6 for a week: 6 x 1 = 6. One in week 1 has 4 a week late: 4 x 5 = 20. So week 0.
    With lateness at 1 and holding at 2 it is 12 against 4: week 1.
    """
    wanted = [4.0, 6.0]
    recipe = way(min_units=10.0)
    assert placed(size_lots(needs(wanted, recipe), sold(wanted), whole=True)) == [(0, 10.0)]
    patient = sold(wanted, holding=2.0, late=1.0)
    assert placed(size_lots(needs(wanted, recipe), patient, whole=True)) == [(1, 10.0)]


def test_a_need_below_the_smallest_lot_is_ordered_only_when_it_is_worth_it():
    """1 wanted in week 0 of 2, smallest lot 10, a unit costs 2.

    Lost, the unit costs 100 + 5 x 2 weeks late = 110, less its price of 2: 108. The lot makes 9 too many: 9 x 2 + 9 x 1
    x 2 weeks = 36: ordered. With a price of 12 it is 110 - 12 = 98 against 9 x 12 + 18 = 126: not ordered.
    """
    wanted = [1.0, 0.0]
    recipe = way(min_units=10.0)
    assert placed(size_lots(needs(wanted, recipe), sold(wanted), whole=True)) == [(0, 10.0)]
    assert size_lots(needs(wanted, recipe, price=12.0), sold(wanted), whole=True) == []


def test_set_ups_are_joined_as_wagner_and_whitin_do():
    """5 a week for 4 weeks, holding 1: a set-up of 12 pays for holding 5 + 10 units more weeks, not for 15 more.

    Lots for k weeks cost 12 + 5 (k-1) k / 2: one for 4: 42; two for 2: 34; 3 + 1: 39; four: 48. So two lots of 10.
    """
    wanted = [5.0] * 4
    lots = size_lots(needs(wanted, way(setup_cost=12.0)), sold(wanted), whole=True)
    assert placed(lots) == [(0, 10.0), (2, 10.0)]


def test_multiples_carry_what_is_over_to_the_next_lot():
    """Multiples of 6 for 4, 4 and 4: 6 now leaves 2 over; 6 more serve the rest: 12 in all."""
    wanted = [4.0, 4.0, 4.0]
    lots = size_lots(needs(wanted, way(multiple_units=6.0)), sold(wanted), whole=True)
    assert sum(lot.units for lot in lots) == 12.0
    assert all(lot.units % 6 == 0 for lot in lots)


def test_components_are_never_late_nor_dropped():
    wanted = [1.0, 0.0, 8.0]
    lots = size_lots(needs(wanted, way(min_units=20.0)), PartShifts(0.1, 3), whole=True)
    assert placed(lots) == [(0, 20.0)]


def test_a_lot_never_exceeds_what_the_line_has():
    """A set-up of 1000 would join all four weeks, but the line makes 10 a week at most: pairs."""
    wanted = [5.0] * 4
    recipe = way(setup_cost=1000.0)
    tight = [Need(recipe, t, t, u, 2.0, 0.0, 10.0) for t, u in enumerate(wanted)]
    assert placed(size_lots(tight, sold(wanted, lost=10000.0), whole=True)) == [(0, 10.0), (2, 10.0)]


@pytest.mark.parametrize(("units", "step", "expected"), [(4.2, 1, 5), (4.0, 1, 4), (4.2, 0, 4.2), (7.0, 6.0, 12)])
def test_round_up(units, step, expected):
    assert round_up(units, step) == expected


def test_set_ups_of_lots_without_hours_a_unit_share_a_line():
    """A and B take an hour's set-up each and nothing a unit, on 1.5 hours a week: one of them a week."""
    given = press(hours_per_unit=0.0, setup_hours=1.0)
    given["products"] = [{"product": p, "price": 100.0, "kind": "finished"} for p in "AB"]
    given["products"] += [{"product": p, "price": 1.0, "kind": "material"} for p in "XY"]
    given["lines"] = [{"line": "L", "hours_per_week": 1.5}]
    for table, name in (("recipes", "recipe"), ("economics", "product"), ("demand", "demand")):
        given[table].append(given[table][0] | {"product": "B"} | ({} if name == "product" else {name: "of B"}))
    given["components"] = [
        {"product": "A", "component": c, "units_per_unit": 1.0, "alternate_group": "g"} for c in "XY"
    ]
    given["offers"] = [{"offer": "o" + c, "product": c, "price": 1.0} for c in "XY"]
    state = chain(2, **given)
    asked = demand(state, A=[[4.0, 4.0]], B=[[4.0, 4.0]])
    found = decided(state, asked).given_out
    made = np.array([w.line == "L" for w in found.market.ways.facts])
    assert (found.solution.started[made] > 0).sum(axis=0).tolist() == [1, 1]


def test_lots_that_join_those_for_an_order_that_is_out_keep_within_an_offer():
    """E comes at 10 a week; A's first step takes one a unit and 4 a lot, and B one a unit. W1 is out and wants 6 of the
    first step, whose lot and E are started for it: what joins them is off the same 10, and sets nothing up again."""
    day = MONDAY - timedelta(days=7)
    given = press(line=None, hours_per_unit=0.0)
    given["products"] = [
        {"product": p, "price": price, "kind": kind}
        for p, price, kind in (("A", 100.0, "finished"), ("B", 60.0, "finished"), ("E", 5.0, "material"))
    ]
    del given["lines"]
    given["recipes"].append(given["recipes"][0] | {"recipe": "B/L", "product": "B"})
    given["economics"].append(given["economics"][0] | {"product": "B"})
    given["demand"].append(given["demand"][0] | {"demand": "of B", "product": "B"})
    given["components"] = [
        {"product": "A", "component": "E", "units_per_unit": 1.0, "units_per_lot": 4.0},
        {"product": "B", "component": "E", "units_per_unit": 1.0, "units_per_lot": 0.0},
    ]
    given["offers"] = [{"offer": "oE", "product": "E", "price": 1.0, "units_per_week": 10.0}]
    step = {"recipe": "A/L", "hours_per_unit": 1.0}
    given["recipe_steps"] = [
        step | {"step": "cut", "sequence": 10.0, "line": "L", "setup_hours": 1.0, "lead_days": 7.0},
        step | {"step": "weld", "sequence": 20.0, "line": "M", "setup_hours": 0.0, "lead_days": 0.0},
    ]
    row = {"order": "W1", "kind": "make", "product": "A", "recipe": "weld", "units": 6.0, "locked": True}
    given["orders"] = [row | {"start": day, "due": MONDAY}]
    state = chain(3, **given)
    found = decided(state, demand(state, A=[[1.0, 3.0, 0.0]], B=[[5.0, 7.0, 4.0]])).given_out
    names = [w.name for w in found.market.ways.facts]
    assert found.solution.started[names.index("oE")].max() == 10.0
