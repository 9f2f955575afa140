"""Prices of an earlier clearing on a market's axes, and what every plan costs that serves all demand."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from datong.balance import highs
from datong.balance.avoidable import unavoidable_cost
from datong.balance.bound import lower_bound
from datong.balance.clearing_tables import read_back
from datong.balance.evaluate import evaluate
from datong.balance.pack import pack_facts
from datong.balance.warm_start import warm_prices
from datong.model.calendar import Calendar
from datong.model.flow import Forecast, Item
from datong.network.bills import ComponentUse
from datong.network.economics import Economics
from datong.network.facts import ChainFacts
from datong.network.position import Position
from datong.network.ways import Way

STARTS = tuple(date(2024, 1, 1) + timedelta(days=7 * i) for i in range(3))


def way(name, kind, product, cost, line=None, lead_days=0, yield_share=1.0, uses=(), most=np.inf):
    hours = 1.0 if line else 0.0
    return Way(
        name, kind, product, line, hours, cost, 0.0, 0.0, 0.0, 0.0, lead_days, yield_share, most, uses, None, None
    )


def market(stock=30.0):
    """P from 2 of Q, 10 hours a week for it, or bought; half of what is started of Q arrives; its offer ends at 50."""
    ways = (
        way("P/1", "make", "P", 10.0, "A", uses=(ComponentUse("Q", 2.0, None, None),)),
        way("P/V", "buy", "P", 40.0),
        way("Q/V", "buy", "Q", 3.0, yield_share=0.5, most=50.0),
    )
    economics = {
        "P": Economics(100.0, 1.0, 50.0, 100.0, 100.0, 0.0),
        "Q": Economics(6.0, 0.1, 1.0, 6.0, 6.0, 0.0),
    }
    facts = ChainFacts(("P", "Q"), economics, ways, {"A": np.full(3, 10.0)})
    asked = {"P": np.array([[5.0, 20.0, 12.0]])}
    where = Position({"P": 2.0, "Q": stock}, {}, {}, ())
    packed = pack_facts(facts, where, asked, STARTS, Calendar("UTC", "week"), 0)
    none = np.zeros(1)
    forecast = Forecast((Item("P", "all"),), STARTS, asked["P"][None], ("given",), none.astype(int), none.astype(bool))
    return packed, forecast


@pytest.mark.parametrize(("stock", "cost"), [(30.0, 590.0), (90.0, 350.0), (0.0, 770.0)])
def test_unavoidable_cost_is_all_demand_by_its_cheapest_ways_less_stock(stock, cost):
    """37 asked for, 2 there: 35 P at 10. 70 Q, less stock; the rest at 3 / 0.5 = 6: with 30 there 350 + 40 * 6."""
    assert unavoidable_cost(market(stock)[0]) == pytest.approx(cost)


def test_what_no_way_makes_counts_at_its_lost_sale():
    packed, _ = market()
    packed = replace(packed, ways=replace(packed.ways, is_open=np.zeros_like(packed.ways.is_open)))
    assert unavoidable_cost(packed) == pytest.approx(35 * 100)


def test_demand_that_is_cheaper_to_lose_than_to_make_counts_at_its_lost_sale():
    """P costs 10 and two Q, with 12 from the cheapest of them: 22 a unit. At 15 a lost sale none of the 35 is made."""
    packed, _ = market(0.0)
    for lost_sale, cost in ((15.0, 35 * 15), (23.0, 770)):
        money = replace(packed.money, lost_sale=np.array([lost_sale, 6.0]))
        assert unavoidable_cost(replace(packed, money=money)) == pytest.approx(cost)


def test_without_any_way_all_that_is_not_there_is_lost():
    facts = ChainFacts(("P",), {"P": Economics(100.0, 1.0, 50.0, 100.0, 100.0, 0.0)}, (), {})
    where, asked = Position({"P": 2.0}, {}, {}, ()), {"P": np.array([[5.0, 20.0, 12.0]])}
    packed = pack_facts(facts, where, asked, STARTS, Calendar("UTC", "week"), 0)
    assert unavoidable_cost(packed) == pytest.approx(35 * 100)


def test_stock_that_nobody_needs_is_worth_its_salvage():
    """37 of P asked for, 50 there: 13 are left, at 4 each."""
    packed, _ = market(0.0)
    fixed = packed.stock.fixed.copy()
    fixed[packed.products.names.index("P"), 0] = 50.0
    packed = replace(
        packed,
        stock=replace(packed.stock, fixed=fixed),
        money=replace(packed.money, salvage=np.array([4.0, 6.0])),
    )
    assert unavoidable_cost(packed) == pytest.approx(-13 * 4)


def test_prices_of_the_last_clearing_are_found_by_name_and_week_again():
    packed, forecast = market()
    solution = highs.solve(packed)
    outcome = evaluate(packed, solution.started, solution.issued, solution.turned_away)
    table = read_back(packed, forecast, solution, outcome, 0.0).prices
    warm = warm_prices(packed, table)
    np.testing.assert_allclose(warm.line, solution.prices.line, atol=1e-6)
    np.testing.assert_allclose(warm.limit, solution.prices.limit, atol=1e-6)
    assert warm.line.max() > 0
    # The table holds no price of turning away; nobody is turned away here, so the bound is as good.
    assert lower_bound(packed, warm) == pytest.approx(sum(outcome.cost.values()))


def test_prices_of_other_weeks_and_unknown_names_are_left_out():
    packed, _ = market()
    rows = [
        ("line", "A", STARTS[1], 7.0),
        ("line", "A", STARTS[0] - timedelta(days=7), 9.0),
        ("line", "A", STARTS[2] + timedelta(days=7), 9.0),
        ("line", "A", STARTS[2] + timedelta(days=1), 9.0),
        ("line", "B", STARTS[1], 9.0),
        ("offer", "Q/V", STARTS[0], 2.0),
        ("stock", "P", STARTS[0], 9.0),
        ("component", "Q", STARTS[2], 5.0),
    ]
    what, name, bucket, price = zip(*rows, strict=True)
    table = pa.table({"what": what, "name": name, "bucket": pa.array(bucket, pa.date32()), "price": price})
    warm = warm_prices(packed, table)
    assert warm.line.tolist() == [[0.0, 7.0, 0.0]]
    assert warm.limit.tolist() == [[0.0] * 3, [0.0] * 3, [2.0, 0.0, 0.0]]
    assert warm.component.tolist() == [[np.inf] * 3, [np.inf, np.inf, 5.0]]
    assert not warm.turned_away.any()
