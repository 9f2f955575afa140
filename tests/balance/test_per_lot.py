"""Quantities per lot (`components.units_per_lot`, `recipes.setup_scrap_units`), worked out by hand."""

from datetime import UTC, datetime, timedelta

import pytest

from datong.balance.bound import lower_bound
from datong.balance.evaluate import evaluate
from datong.balance.pack import pack
from datong.model.flow import nothing_learnt
from datong.network.facts import chain_facts
from datong.network.notices import notices
from datong.network.position import position
from planning import decided, plan
from small_chain import MONDAY, chain, demand, press

WEEK = timedelta(days=7)
SUNDAY = datetime(2023, 12, 31, tzinfo=UTC)


def lotted(per_unit=0.0, per_lot=3.0, stock=0.0, price=4.0, limit=None, **recipe):
    """A, on 10 hours a week at 2, takes so many of C a unit and a lot; C is bought; holding 1, late 5, lost 100."""
    given = press(**recipe)
    given["products"] = [{"product": "A", "price": 100.0, "kind": "finished"}]
    given["products"].append({"product": "C", "price": 5.0, "kind": "material"})
    given["components"] = [{"product": "A", "component": "C", "units_per_unit": per_unit, "units_per_lot": per_lot}]
    given["offers"] = [{"offer": "oC", "product": "C", "price": price, "units_per_week": limit}]
    given["stock"] = [{"happened_at": SUNDAY, "product": "C", "units": stock}]
    return given


def started(found, name):
    (way,) = [w for w, facts in enumerate(found.market.ways.facts) if facts.name == name]
    return found.solution.started[way].tolist()


def test_lots_are_joined_where_what_each_takes_costs_more_than_holding():
    """4 wanted in each of 2 weeks. Two lots take 3 of C each: 8 x 2 + 6 x 4 = 40. One lot holds 4 for a week: 8 x 2 +
    3 x 4 + 4 = 32, the optimum, which HiGHS proves. With C at 1 two are cheaper: 16 + 6 = 22, not 16 + 3 + 4 = 23."""
    found = decided(state := chain(2, **lotted()), demand(state, A=[[4.0, 4.0]])).given_out
    assert (started(found, "A/L"), started(found, "oC")) == ([8.0, 0.0], [3.0, 0.0])
    assert found.total_cost == pytest.approx(32.0)
    assert found.bound == pytest.approx(32.0)
    assert found.market_bound == pytest.approx(16.0)
    found = decided(state := chain(2, **lotted(price=1.0)), demand(state, A=[[4.0, 4.0]])).given_out
    assert (started(found, "A/L"), found.total_cost) == ([4.0, 4.0], pytest.approx(22.0))


def test_the_reason_says_what_joining_saves():
    state = chain(2, **lotted())
    (made,) = [o for o in plan(state, demand(state, A=[[4.0, 4.0]])).orders if o.kind == "make"]
    (told,) = [c.text for c in made.causes if c.text.key == "plan.cause.merged"]
    assert told.text("en") == "the needs of 2 weeks are made in one lot, which saves 3 of C"
    assert "省去C 3" in told.text("zh")


def test_what_lies_there_makes_so_many_lots():
    """7 of C, and none can be had: 2 lots of 3, or 1; each of 10 hours: 10 and 8 of 18, 4 of C less than 3 lots."""
    state = chain(3, **lotted(stock=7.0, limit=0.0))
    found = decided(state, demand(state, A=[[10.0, 10.0, 10.0]])).given_out
    assert sum(started(found, "A/L")) == 20.0
    assert sum(units > 0 for units in started(found, "A/L")) == 2
    assert found.outcome.pool[found.market.products.names.index("C"), -1] == pytest.approx(1.0)


def test_a_component_can_be_taken_by_the_unit_and_by_the_lot():
    """Of 20 C a lot takes 3, and each unit 2: 8 of A."""
    state = chain(1, **lotted(per_unit=2.0, stock=20.0, limit=0.0))
    assert started(decided(state, demand(state, A=[[10.0]])).given_out, "A/L") == [8.0]


def test_the_referee_counts_what_lots_take():
    state = chain(1, **lotted(stock=2.0, limit=0.0))
    found = decided(state, demand(state, A=[[0.0]])).given_out
    market, solution = found.market, found.solution
    started_one = solution.started.copy()
    started_one[[w.name for w in market.ways.facts].index("A/L"), 0] = 1.0
    with pytest.raises(AssertionError, match="a stock below zero"):
        evaluate(market, started_one, solution.issued, solution.turned_away, lots=(started_one > 0) * 1.0)


def test_the_bound_lies_below_what_lots_cost():
    state = chain(2, **lotted())
    market = pack(state, demand(state, A=[[4.0, 4.0]]), nothing_learnt(), position(state))
    found = decided(state, demand(state, A=[[4.0, 4.0]])).given_out
    assert lower_bound(market, found.solution.prices) <= found.total_cost


def test_an_order_that_is_out_takes_it_once():
    """6 of A are out and have not begun: 3 of C. Of another 4 good ones came: its 3 were taken off the 10 counted."""
    row = {"kind": "make", "product": "A", "recipe": "A/L", "locked": True, "due": MONDAY + WEEK}
    orders = [
        row | {"order": "W1", "units": 6.0, "start": MONDAY},
        row | {"order": "W2", "units": 8.0, "start": MONDAY - timedelta(days=3)},
    ]
    counted = datetime(2023, 12, 28, tzinfo=UTC)
    more = {"orders": orders, "stock": [{"happened_at": counted, "product": "C", "units": 10.0}]}
    events = [{"order": "W2", "state": "partly_done", "happened_at": SUNDAY, "good_units": 4.0}]
    state = chain(3, **lotted() | more | {"order_events": events})
    assert position(state).on_hand_units["C"] == 7.0
    market = pack(state, demand(state, A=[[0.0, 0.0, 0.0]]), nothing_learnt(), position(state))
    assert market.stock.fixed[market.products.names.index("C")].sum() == 4.0


def test_units_scrapped_at_the_set_up_take_hours_money_and_components():
    """2 units are lost at each set-up: 2 hours of 10, 2 x 2 money, and 2 x 1 of C besides the 3 of the lot."""
    facts = chain_facts(chain(1, **lotted(per_unit=1.0, setup_scrap_units=2.0)), (MONDAY,), nothing_learnt())
    (way,) = [w for w in facts.ways if w.name == "A/L"]
    assert (way.setup_hours, way.setup_cost, way.lot_uses) == (2.0, 4.0, (("C", 5.0),))
    state = chain(1, **lotted(per_unit=1.0, setup_scrap_units=2.0))
    found = decided(state, demand(state, A=[[10.0]])).given_out
    assert (started(found, "A/L"), started(found, "oC")) == ([8.0], [13.0])


def test_without_lots_nothing_is_taken_per_lot():
    given = lotted(per_lot=0.0, per_unit=1.0)
    facts = chain_facts(chain(1, **given), (MONDAY,), nothing_learnt())
    assert [w.lot_uses for w in facts.ways] == [(), ()]


def test_of_an_alternative_it_does_not_count_and_is_told():
    given = lotted(per_unit=1.0)
    given["components"][0] |= {"alternate_group": "g"}
    state = chain(1, **given)
    assert [w.lot_uses for w in chain_facts(state, (MONDAY,), nothing_learnt()).ways] == [(), ()]
    assert [f.source for f in notices(state) if f.code == "per_lot_of_alternative"] == ["components"]
    assert not [f for f in notices(chain(1, **lotted())) if f.code == "per_lot_of_alternative"]


@pytest.mark.parametrize(("stock", "most", "saves"), [(30.0, 60.0, True), (4.0, 30.0, True), (0.0, 0.0, False)])
def test_orders_that_eat_stock_save_its_holding_and_the_bound_knows(stock, most, saves):
    """C lies there, at 2 a week, and the order of each of 4 weeks takes 3 of it: they save 6 x (4 + 3 + 2 + 1) = 60 at
    most, so that the market in any quantities can cost more than the lots. Of 4, no more than 4 lie there a week:
    (3 + 4 + 4 + 4) x 2 = 30. What is bought for the orders alone saves nothing."""
    given = lotted(stock=stock)
    given["economics"].append(given["economics"][0] | {"product": "C", "holding_cost_per_unit_week": 2.0})
    state = chain(4, **given)
    found = decided(state, demand(state, A=[[4.0, 4.0, 4.0, 4.0]])).given_out
    assert found.market.rules.per_lot.most_saved(found.market) == pytest.approx(most)
    assert found.bound <= found.total_cost + 1e-9
    assert (found.market_bound > found.total_cost) == saves


def scrapping(extra=0.0, scrap=3.0, **more):
    """A takes 1 of X, bought at 4, or 1 of Y at 6 of which 2 lie there; its set-up scraps some of A."""
    given = press(setup_scrap_units=scrap)
    given["products"] = [{"product": "A", "price": 100.0, "kind": "finished"}]
    given["products"] += [{"product": p, "price": 5.0, "kind": "material"} for p in "XY"]
    rows = [("X", 1.0, extra), ("Y", 1.0, 0.0)]
    given["components"] = [
        {"product": "A", "component": component, "units_per_unit": units, "alternate_group": "g"}
        | {"alternate_cost_per_unit": cost}
        for component, units, cost in rows
    ]
    given["offers"] = [
        {"offer": "o" + product, "product": product, "price": price} for product, price in (("X", 4.0), ("Y", 6.0))
    ]
    given["stock"] = [{"happened_at": SUNDAY, "product": "Y", "units": 2.0}]
    return given | more


@pytest.mark.parametrize(("extra", "cost"), [(0.0, 40.0), (1.0, 46.0)])
def test_units_scrapped_at_the_set_up_take_alternatives_too(extra, cost):
    """5 are wanted and 3 scrapped: 8 x 2 money, 2 of Y that lie there, and 6 of X at 4, or at 4 + 1."""
    state = chain(1, **scrapping(extra))
    found = decided(state, demand(state, A=[[5.0]])).given_out
    assert (started(found, "A/L"), started(found, "oX"), started(found, "oY")) == ([5.0], [6.0], [0.0])
    assert found.total_cost == pytest.approx(cost)
    assert found.bound <= found.total_cost


def test_of_a_group_of_one_the_scrap_takes_it_and_what_it_adds_to_the_cost():
    given = scrapping(1.0)
    given["components"] = given["components"][:1]
    (way,) = [w for w in chain_facts(chain(1, **given), (MONDAY,), nothing_learnt()).ways if w.name == "A/L"]
    assert (way.lot_uses, way.setup_cost, way.cost_per_unit) == ((("X", 3.0),), 3 * 3.0, 3.0)


def test_the_reason_says_what_of_alternatives_joining_saves():
    state = chain(2, **scrapping(scrap=2.0))
    (made,) = [o for o in plan(state, demand(state, A=[[4.0, 4.0]])).orders if o.kind == "make"]
    (told,) = [c.text for c in made.causes if c.text.key == "plan.cause.merged"]
    assert told.text("en").endswith("which saves 2 hours of set-up, 4 CNY of set-up, 2 of X / Y")


def test_records_count_what_the_set_up_scraps_of_the_first_alternative():
    """4 of A came of an order: 4 + 3 of X, which counts as taken, are off the 10 counted. What a row of an alternative
    says that each order takes does not count."""
    row = {"order": "W", "kind": "make", "product": "A", "recipe": "A/L", "units": 4.0, "locked": False}
    orders = [row | {"start": MONDAY - timedelta(days=3), "due": MONDAY}]
    events = [{"order": "W", "state": "done", "happened_at": SUNDAY, "good_units": 4.0}]
    counted = datetime(2023, 12, 28, tzinfo=UTC)
    stock = [{"happened_at": counted, "product": p, "units": 10.0} for p in "XY"]
    given = scrapping(stock=stock, orders=orders, order_events=events)
    given["components"] = [row | {"units_per_lot": 2.0} for row in given["components"]]
    where = position(chain(3, **given))
    assert (where.on_hand_units["X"], where.on_hand_units["Y"]) == (3.0, 10.0)
