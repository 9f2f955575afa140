"""Lots in turn: by hand on one line, and the dynamic programme against all courses."""

import math

import numpy as np
import pytest

from datong.model.demand_layers import SortedDemand
from datong.network.economics import Economics
from datong.network.ways import Way
from datong.plan.lots_product_by_product import Choice, Jump, Shop, cheapest_levels, lots_in_turn
from datong.plan.worth import Curve


def all_courses(cost, jumps):
    """Least cost of any course from level 0, tried one by one: in a bucket any of its jumps, the last one first."""
    levels, buckets = cost.shape

    def after(t, level, left):
        if not left:
            then = cost[level, t]
            return then if t + 1 == buckets else then + after(t + 1, level, jumps[t + 1][::-1])
        jump, rest = left[0], left[1:]
        choices = [after(t, level, rest)]
        for up in range(jump.least, min(jump.most, levels - 1 - level) + 1):
            choices.append(jump.setup + jump.cost * up + after(t, level + up, rest))
        return min(choices)

    return after(0, 0, jumps[0][::-1])


@pytest.mark.parametrize("seed", range(150))
def test_the_cheapest_course_is_that_of_all_courses(seed):
    random = np.random.default_rng(seed)
    levels, buckets = int(random.integers(2, 12)), int(random.integers(1, 4))
    cost = random.uniform(0, 10, (levels, buckets)).round(1)
    cost[random.random(cost.shape) < 0.1] = math.inf
    cost[0] = random.uniform(5, 20, buckets)  # so that there always is a course
    jumps = []
    for _ in range(buckets):
        own = []
        for key in range(random.integers(0, 3)):
            least = int(random.integers(1, 3))
            most = least + int(random.integers(-1, 4))
            own.append(Jump(key, float(random.uniform(0, 6)), float(random.uniform(-1, 3)), least, most))
        jumps.append(own)
    course = cheapest_levels(cost, jumps)
    level, paid = 0, 0.0
    for t in range(buckets):
        for at, jump, up in course:
            if at == t:
                assert jump in jumps[t] and jump.least <= up <= jump.most
                paid, level = paid + jump.setup + jump.cost * up, level + up
        paid += cost[level, t]
    assert paid == pytest.approx(all_courses(cost, jumps))


def way(name, product, line=None, **more):
    facts = {"kind": "make" if line else "buy", "hours_per_unit": 1.0 if line else 0.0, "cost_per_unit": 1.0}
    facts |= {"setup_hours": 0.0, "setup_cost": 0.0, "min_units": 0.0, "multiple_units": 0.0, "lead_days": 0}
    facts |= {"yield_share": 1.0, "units_per_week": math.inf, "uses": (), "valid_from": None, "valid_to": None}
    return Way(name=name, product=product, line=line, **(facts | more))


def shop(asked, hours, ways, uses=(), part_lead=0, part_stock=0.0, **more):
    """Products by name with demand each bucket, on one line L; `uses`: products that take one unit of Q each."""
    buckets = len(hours)
    economics = Economics(20.0, 0.1, 2.0, 20.0, 20.0, 0.0)

    def choice(w, lead=0):
        is_open = np.arange(buckets) + lead < buckets
        part = (("Q", 1.0),) if w.product in uses else ()
        return Choice(w, lead, is_open, np.full(buckets, w.cost_per_unit), np.full(buckets, math.inf), 1.0, part)

    choices = {w.product: [choice(w)] for w in ways}
    part = way("Q/V", "Q", min_units=more.get("part_min", 0.0), **more.get("part", {}))
    choices["Q"] = [choice(part, part_lead)]
    none = np.zeros(buckets)
    curves = {
        p: Curve(SortedDemand.of(np.cumsum(np.array(units, dtype=float))[None]), economics, none)
        for p, units in asked.items()
    }
    return Shop(
        buckets=buckets,
        first_start=0,
        order=("Q", *asked),
        choices=choices,
        usual={"Q": choices["Q"][0]},
        curves=curves,
        holding={"Q": 0.01},
        hours={"L": np.array(hours, dtype=float)},
        hour_price={"L": none},
        comes={"Q": np.full(buckets, part_stock)} | dict.fromkeys(asked, none),
        at_least={},
    )


def units(lots, product, buckets):
    found = [0.0] * buckets
    for lot in lots:
        if lot.way.product == product:
            found[lot.start] += lot.units
    return found


def test_a_set_up_that_costs_more_than_holding_joins_two_weeks():
    """A set-up of 1.5 against 1.0 for holding 10 for a week: two weeks join, a third would be held for 2.0."""
    lots = lots_in_turn(shop({"A": [10, 10, 10]}, [99, 99, 99], [way("A/1", "A", "L", setup_cost=1.5)]))
    assert units(lots, "A", 3) == [20.0, 0.0, 10.0] or units(lots, "A", 3) == [10.0, 20.0, 0.0]
    lots = lots_in_turn(shop({"A": [10, 10, 10]}, [99, 99, 99], [way("A/1", "A", "L", setup_cost=9.0)]))
    assert units(lots, "A", 3) == [30.0, 0.0, 0.0]


def test_lots_of_two_products_share_the_hours_and_go_earlier_rather_than_late():
    """Both want 8 in the last week, which has 10 hours: one of them is made a week before, at 0.8 of holding."""
    ways = [way(f"{p}/1", p, "L", setup_hours=1.0, min_units=8.0) for p in "AB"]
    lots = lots_in_turn(shop({"A": [0, 0, 8], "B": [0, 0, 8]}, [10, 10, 10], ways))
    assert sorted([units(lots, "A", 3), units(lots, "B", 3)]) == [[0.0, 0.0, 8.0], [0.0, 8.0, 0.0]]


def test_what_a_part_cannot_bring_in_time_waits_for_it():
    """6 parts lie there and more take two weeks, 20 at least: 6 at once, then the rest of the 12 of the first weeks."""
    lots = lots_in_turn(
        shop({"A": [6, 6, 6]}, [99] * 3, [way("A/1", "A", "L")], "A", part_lead=2, part_stock=6.0, part_min=20.0)
    )
    assert units(lots, "A", 3) == [6.0, 0.0, 12.0]
    assert units(lots, "Q", 3) == [20.0, 0.0, 0.0]


@pytest.mark.parametrize("cost", [0.0, 0.01, 1.0])
@pytest.mark.parametrize("setup", [0.0, 60.0, 1e5])
def test_a_part_that_costs_little_is_brought_where_its_order_is_worth_it(cost, setup):
    """5 are wanted in the last of six weeks, each worth 20: an order of their parts for 60 is, one for 100,000 not."""
    part = {"cost_per_unit": cost, "setup_cost": setup}
    lots = lots_in_turn(shop({"A": [0] * 5 + [5]}, [99] * 6, [way("A/1", "A", "L")], "A", part_lead=2, part=part))
    assert units(lots, "A", 6) == [0.0] * 5 + [5.0]
    assert units(lots, "Q", 6) == [0.0] * 3 + [5.0 if setup < 100 else 0.0, 0.0, 0.0]


@pytest.mark.parametrize("turns", [0, 1, 3, 13, 10**9])
def test_in_a_hurry_each_product_has_one_turn_more_and_hours_are_kept(turns):
    ways = [way(f"{p}/1", p, "L", setup_hours=1.0, min_units=8.0) for p in "AB"]
    told = []

    def on_turn(count):
        told.append(count)
        return count < turns

    lots = lots_in_turn(shop({"A": [0, 0, 8], "B": [0, 0, 8]}, [10, 10, 10], ways), on_turn)
    assert sum(units(lots, "A", 3)) == sum(units(lots, "B", 3)) == 8.0
    for t in range(3):
        starts = [lot for lot in lots if lot.start == t]
        assert sum(lot.units + 1.0 for lot in starts) <= 10.0
    assert told == list(range(min(turns + 1, 16)))
