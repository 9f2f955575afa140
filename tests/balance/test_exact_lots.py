"""Each rule of lots by hand: product A on line L, 1 h and 5 a unit, holding 1 a week, lateness 4, a lost sale 20."""

import math
from datetime import date, timedelta

import numpy as np
import pytest

from datong.balance import exact_lots, highs
from datong.balance.arrays import Market
from datong.balance.pack import pack_facts
from datong.model.calendar import Calendar
from datong.network.bills import ComponentUse
from datong.network.economics import Economics
from datong.network.facts import ChainFacts
from datong.network.position import Position
from datong.network.ways import Way


def way(name, **others):
    plain = dict.fromkeys(("setup_hours", "setup_cost", "min_units", "multiple_units"), 0.0)
    plain |= dict.fromkeys(("line", "valid_from", "valid_to"))
    plain |= {"kind": "make", "hours_per_unit": 0.0, "cost_per_unit": 5.0, "lead_days": 0, "yield_share": 1.0}
    return Way(name=name, **(plain | {"units_per_week": math.inf, "uses": ()} | others))


def market_of(*asked, hours=100.0, part=None, **rules):
    """A over as many weeks as are asked for; part: an offer's rules for the one part that a unit takes, at 2."""
    starts = tuple(date(2024, 1, 1) + timedelta(days=7 * i) for i in range(len(asked)))
    uses = () if part is None else (ComponentUse("M", 1.0, None, None),)
    ways = [way("A/1", product="A", line="L", **({"hours_per_unit": 1.0, "uses": uses} | rules))]
    if part is not None:
        ways.append(way("M/V", product="M", **({"kind": "buy", "cost_per_unit": 2.0} | part)))
    economics = {
        "A": Economics(20.0, 1.0, 4.0, 20.0, 20.0, 0.0),
        "M": Economics(2.0, 0.5, 4.0, 20.0, 20.0, 0.0),
    }
    products = ("A",) if part is None else ("A", "M")
    hours_of = {"L": np.full(len(asked), hours)}
    facts = ChainFacts(products, {p: economics[p] for p in products}, tuple(ways), hours_of)
    paths = {"A": np.array([asked], dtype=np.float64)}
    return pack_facts(facts, Position({}, {}, {}, ()), paths, starts, Calendar("UTC", "week"), 0)


def solved(market, whole=False):
    """The optimum, proven: units started by way and bucket, and the plan."""
    rules = exact_lots.lot_rules(market, np.full(len(market.products), whole))
    plan = exact_lots.solve(market, rules, options={**highs.OPTIONS, "mip_max_nodes": 1000})
    assert plan.bound == pytest.approx(plan.total_cost)
    return plan.solution.started.round(6).tolist(), plan


def test_a_set_up_is_worth_a_week_of_holding():
    """Two lots: 200 + 2 x 15 = 230. One: 200 + 15 + 10 held a week = 225. At a set-up of 8 it is two: 216."""
    started, plan = solved(market_of(10, 10, 20, setup_cost=15.0))
    assert started == [[20.0, 0.0, 20.0]]
    assert plan.total_cost == pytest.approx(200 + 30 + 10) and plan.cost["setup"] == 30
    started, plan = solved(market_of(10, 10, setup_cost=8.0))
    assert started == [[10.0, 10.0]] and plan.total_cost == pytest.approx(100 + 16)


def test_set_up_hours_are_hours_of_the_line():
    """12 h, 2 of them for the set-up: 10 a week. Of 14 in week 2, 4 are made the week before."""
    started, plan = solved(market_of(0, 14, hours=12.0, setup_hours=2.0))
    assert started == [[4.0, 10.0]] and plan.total_cost == pytest.approx(70 + 4)


def test_a_smallest_lot_is_made_where_it_is_worth_more_than_the_sale():
    """A lot of 8 costs 40 and holds what is left: 3 asked for save 60 (40 + 5 held: made), 2 asked for 40: lost."""
    assert solved(market_of(3, min_units=8.0))[0] == [[8.0]]
    started, plan = solved(market_of(2, min_units=8.0))
    assert started == [[0.0]] and plan.total_cost == pytest.approx(40)


def test_a_lot_is_a_multiple_and_a_whole_number():
    """7 asked for: in fives 10, 3 held; in twos 8; by 0.9 a start whole units are 8 (7.2 arrive), else 7.78."""
    assert solved(market_of(7, multiple_units=5.0))[0] == [[10.0]]
    assert solved(market_of(7, multiple_units=2.0))[0] == [[8.0]]
    assert solved(market_of(7, yield_share=0.9), whole=True)[0] == [[8.0]]
    assert solved(market_of(7, yield_share=0.9))[0] == [[pytest.approx(7.777778)]]


def test_a_part_comes_by_its_smallest_order():
    """MOQ 12 for 6 a week: at 0.5 a week, holding 6 for a week is the least that it costs."""
    started, plan = solved(market_of(6, 6, part={"min_units": 12.0}), whole=True)
    assert started == [[6.0, 6.0], [12.0, 0.0]]
    assert plan.total_cost == pytest.approx(60 + 24 + 3)


def test_the_most_of_a_lot_is_what_can_be_needed_and_made():
    market = market_of(10, 10, hours=8.0, setup_hours=1.0, multiple_units=3.0)
    rules = exact_lots.lot_rules(market, np.array([True]))
    where = np.array([0]), np.array([0])
    assert exact_lots.most_of_lots(market, rules, *where).tolist() == [6.0]  # 7 h
    market = market_of(10, 10, multiple_units=3.0)
    assert exact_lots.most_of_lots(market, exact_lots.lot_rules(market, np.array([True])), *where).tolist() == [
        24.0
    ]  # 20 + 3


def test_a_part_that_a_way_takes_twice_is_wanted_twice():
    """A takes one M and then 2 more: 10 A by a way with a set-up want 30 M in one lot, whose set-up is paid once."""
    uses = (ComponentUse("M", 1.0, None, None), ComponentUse("M", 2.0, None, None))
    started, plan = solved(market_of(10, part={"setup_cost": 3.0, "min_units": 1.0}, uses=uses))
    assert started == [[10.0], [30.0]]
    assert plan.total_cost == pytest.approx(50 + 60 + 3)


@pytest.mark.parametrize("broken", ["smallest", "steps", "set-up", "hours"])
def test_a_plan_that_breaks_a_rule_of_lots_is_refused(broken):
    market = market_of(10, 10, hours=12.0, setup_hours=2.0, min_units=4.0, multiple_units=2.0)
    rules = exact_lots.lot_rules(market, np.array([True]))
    plan = exact_lots.solve(market, rules, options={**highs.OPTIONS, "mip_max_nodes": 100})
    assert plan.solution.started.tolist() == [[10.0, 10.0]]
    started, setups = plan.solution.started, plan.setups
    if broken == "set-up":
        setups[0, 0] = 0.0
    else:
        started[0, 0] = {"smallest": 2.0, "steps": 9.0, "hours": 12.0}[broken]
    with pytest.raises(AssertionError):
        exact_lots.cost_in_lots(market, rules, plan.solution, setups)


def in_turn(seed: int, products: int = 5, weeks: int = 9) -> Market:
    """Products with set-ups that share a line, tight enough that HiGHS does not prove a plan in few nodes."""
    random = np.random.default_rng(seed)
    names = [f"A{i}" for i in range(products)]
    starts = tuple(date(2024, 1, 1) + timedelta(days=7 * i) for i in range(weeks))
    ways = [
        way(
            f"{name}/1",
            product=name,
            line="L",
            hours_per_unit=1.0,
            setup_hours=float(random.integers(5, 20)),
            setup_cost=float(random.integers(50, 400)),
        )
        for name in names
    ]
    economics = {name: Economics(20.0, float(random.integers(1, 4)), 30.0, 500.0, 500.0, 0.0) for name in names}
    paths = {n: random.integers(0, 40, (1, weeks)) * (random.random((1, weeks)) < 0.8) * 1.0 for n in names}
    hours = {"L": np.full(weeks, 20.0 * products)}
    facts = ChainFacts(tuple(names), economics, tuple(ways), hours)
    return pack_facts(facts, Position({}, {}, {}, {}), paths, starts, Calendar("UTC", "week"), 0)


def stopped(market: Market, nodes: int = 1) -> exact_lots.LotPlan:
    """The plan where HiGHS looks at few nodes, and for plans only there."""
    rules = exact_lots.lot_rules(market, np.full(len(market.products), True))
    nothing = np.zeros(market.ways.is_open.shape)
    options = {**highs.OPTIONS, **exact_lots.OPTIONS_OF_A_PART, "mip_max_nodes": nodes}
    plan = exact_lots.solve(market, rules, nothing, options=options)
    assert plan is not None
    return plan


def test_parts_that_are_decided_anew_make_a_plan_no_dearer_and_mostly_cheaper(monkeypatch: pytest.MonkeyPatch) -> None:
    markets = [in_turn(seed) for seed in range(3)]
    found = [stopped(market).total_cost for market in markets]
    again = stopped(markets[0])
    assert again.total_cost == found[0] and again.bound <= again.total_cost + 1e-6
    monkeypatch.setattr(exact_lots, "WORK_OF_PARTS", 0)
    without = [stopped(market).total_cost for market in markets]
    assert all(cost <= other + 1e-6 for cost, other in zip(found, without, strict=True))
    assert sum(cost < other * (1 - 1e-3) for cost, other in zip(found, without, strict=True)) >= 2
