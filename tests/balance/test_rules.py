"""The rules beyond the linear core, each on a small state worked out by hand."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from datong.balance import highs
from datong.balance.bound import lower_bound
from datong.balance.evaluate import evaluate
from datong.balance.pack import pack
from datong.balance.rules.rule import Part
from datong.balance.rules.substitutes import Substitutes
from datong.balance.solvers import balance, clear
from datong.ledger.state import state_of_tables
from datong.model.errors import Refused
from datong.model.flow import Forecast, Item, nothing_learnt
from datong.model.settings import ChainSettings, Defaults
from datong.network.position import Position, position
from planning import decided

MONDAY = date(2024, 1, 1)
WEEK = timedelta(days=7)


def chain(horizon, settings=None, **tables):
    """A state as of Monday 2024-01-01 from rows per table."""
    names = {table: dict.fromkeys(name for row in rows for name in row) for table, rows in tables.items()}
    given = {t: pa.table({n: [r.get(n) for r in rows] for n in names[t]}) for t, rows in tables.items()}
    made = ChainSettings("test", horizon_buckets=horizon, **(settings or {}))
    return state_of_tables(made, datetime(2024, 1, 1, tzinfo=UTC), given)


def given(state, **units):
    """Demand that is given, by product: units in each bucket."""
    names = sorted(units)
    starts = state.settings.calendar.starts(MONDAY, state.settings.horizon_buckets)
    zero = np.zeros(len(names))
    paths = np.array([[units[n]] for n in names], dtype=float)
    items = tuple(Item(n, "all") for n in names)
    return Forecast(items, starts, paths, ("given",) * len(names), zero.astype(np.int64), zero.astype(bool))


def press(**more):
    """Product A made on line L, 10 hours a week, one hour and 2 money a unit; holding 1, late 5, price and loss 100."""
    cost = {"holding_cost_per_unit_week": 1.0, "late_cost_per_unit_week": 5.0, "lost_sale_cost_per_unit": 100.0}
    tables = {
        "products": [{"product": "A", "price": 100.0}],
        "lines": [{"line": "L", "hours_per_week": 10.0}],
        "recipes": [{"recipe": "A/L", "product": "A", "line": "L", "hours_per_unit": 1.0, "cost_per_unit": 2.0}],
        "economics": [{"product": "A"} | cost],
        "demand": [{"demand": "D", "product": "A", "due": MONDAY, "units": 0.0}],
    }
    for name, rows in more.items():
        tables[name] = tables.get(name, []) + rows
    return tables


def proposed(*orders):
    """What says that these are of a plan, and not given out."""
    moment = datetime(2023, 12, 30, tzinfo=UTC)
    return [{"happened_at": moment, "order": order, "state": "proposed"} for order in orders]


def cleared(state, demand, where=None):
    """The optimum, certified."""
    clearing = balance(state, demand, nothing_learnt(), where)
    assert clearing.lower_bound == pytest.approx(clearing.total_cost, rel=1e-9)
    return clearing


def hour_prices(clearing):
    return [r["price"] for r in clearing.prices.to_pylist() if r["what"] == "line"]


# maximum lateness ---------------------------------------------------------------------------------


def test_what_is_asked_beyond_stock_by_rounding_alone_need_not_be_there_in_time():
    """0.1 + 0.2 is more than 0.3 by 5e-17: that needs not be there by the first week, in which nothing can arrive."""
    recipe = {"recipe": "A/L", "product": "A", "hours_per_unit": 0.0, "cost_per_unit": 2.0, "lead_days": 14}
    stock = {"product": "A", "units": 0.3, "happened_at": datetime(2023, 12, 31, tzinfo=UTC)}
    state = chain(4, {"max_late_days": 7}, **press() | {"recipes": [recipe], "stock": [stock]})
    demand = given(state, A=[0.0, 0.1, 0.2, 1.0])
    paths = np.concatenate([demand.paths, [[[0.0, 0.1, 0.2, 2.0]]]], axis=1)
    clearing = balance(state, replace(demand, paths=paths), nothing_learnt())
    assert np.isfinite(clearing.lower_bound) and clearing.lower_bound <= clearing.total_cost * (1 + 1e-9)


def test_what_waits_beyond_the_maximum_lateness_is_lost():
    """25 wanted in week 0, ten hours a week. With a week's lateness allowed 10 come in week 0, 10 in week 1, 5 are
    lost: 20 x 2 + 10 x 5 + 5 x 100 = 590. With four, 5 come in week 2: 25 x 2 + 15 x 5 + 5 x 5 = 150."""
    late = chain(4, {"max_late_days": 28}, **press())
    strict = chain(4, {"max_late_days": 13}, **press())
    demand = given(late, A=[25.0, 0.0, 0.0, 0.0])
    assert cleared(late, demand).total_cost == pytest.approx(150.0)
    clearing = cleared(strict, demand)
    assert clearing.total_cost == pytest.approx(590.0)
    assert clearing.cost["lost"] == pytest.approx(500.0)
    patient = highs.solve(pack(late, demand, nothing_learnt(), position(late)))
    market = pack(strict, demand, nothing_learnt(), position(strict))
    assert market.rule_names == {"maximum lateness"}
    with pytest.raises(AssertionError, match="maximum lateness"):
        evaluate(market, patient.started, patient.issued, patient.turned_away)


def test_what_is_owed_has_waited_already():
    """15 owed since the week before and a week's lateness allowed: 10 come in week 0, 5 are lost: 10 x 2 + 5 x 100."""
    state = chain(3, {"max_late_days": 7}, **press())
    where = Position({}, {(Item("A", "all"), MONDAY - WEEK): 15.0}, {}, ())
    assert cleared(state, given(state, A=[0.0, 0.0, 0.0]), where).total_cost == pytest.approx(520.0)


def test_the_door_of_prices_turns_away_what_it_serves_too_late():
    """The same chain: the plan of the door of prices keeps the rule, and its certificate says what that cost."""
    state = chain(4, {"max_late_days": 7}, **press())
    demand = given(state, A=[25.0, 0.0, 0.0, 0.0])
    clearing = balance(state, demand, nothing_learnt(), door="prices")
    assert clearing.cost["lost"] >= 500.0 * (1 - 1e-3)
    assert clearing.lower_bound <= 590.0 + 1e-6 <= clearing.total_cost + 1e-3


def test_an_order_may_wait_for_less_long_than_the_others():
    """15 wanted in week 0, ten hours a week, and 12 of them wait for nothing: 10 come at once and 2 are lost, 3 come in
    week 1: 13 x 2 + 2 x 100 + 3 x 5 = 241. Were all of them to wait, 5 would come in week 1: 15 x 2 + 5 x 5 = 55."""
    wanted = [{"demand": f"D{i}", "product": "A", "due": MONDAY, "units": units} for i, units in enumerate((3.0, 12.0))]
    own = [wanted[0], wanted[1] | {"max_late_days": 0}]
    patient, strict = (chain(3, **press(demand=rows_of)) for rows_of in (wanted, own))
    demand = given(strict, A=[15.0, 0.0, 0.0])
    assert cleared(patient, demand).total_cost == pytest.approx(55.0)
    clearing = cleared(strict, demand)
    assert clearing.total_cost == pytest.approx(241.0) and clearing.cost["lost"] == pytest.approx(200.0)
    told = [(r["demand"], r["what"], r["units"]) for r in clearing.deliveries.to_pylist()]
    assert sorted(told) == [("D0", "late", 3), ("D1", "on_time", 10), ("D1", "refused", 2)]
    market = pack(strict, demand, nothing_learnt(), position(strict))
    assert market.rule_names == {"lateness of orders", "maximum lateness"}
    assert lower_bound(market, highs.solve(market).prices) == pytest.approx(241.0)
    starts = highs.solve(pack(patient, demand, nothing_learnt(), position(patient)))
    none = np.zeros((2, 3))
    issued = np.array([[3.0, 0.0, 0.0], [7.0, 5.0, 0.0]])
    with pytest.raises(AssertionError, match="maximum lateness"):
        evaluate(market, starts.started, issued, none)


def test_an_order_may_wait_longer_than_the_others():
    """In a chain that waits for nothing, 3 of the 15 may wait for a week: 10 and 3 come, 2 are lost, as above."""
    wanted = [{"demand": f"D{i}", "product": "A", "due": MONDAY, "units": units} for i, units in enumerate((12.0, 3.0))]
    state = chain(3, {"max_late_days": 0}, **press(demand=[wanted[0], wanted[1] | {"max_late_days": 7}]))
    assert cleared(state, given(state, A=[15.0, 0.0, 0.0])).total_cost == pytest.approx(241.0)


def test_an_overdue_order_waits_as_long_as_it_says():
    """10 and 5 due the week before may wait for a week and for four, and 4 for six days, which are over: the 10 come in
    week 0, their last, and the 5 a week later."""
    rows_of = [
        {"demand": f"D{i}", "product": "A", "due": MONDAY - WEEK, "units": units, "max_late_days": days}
        for i, (units, days) in enumerate(((10.0, 7), (5.0, 28), (4.0, 6)))
    ]
    state = chain(3, {"max_late_days": 0}, **press(demand=rows_of))
    where = position(state)
    assert {r.demand: r.units for r in where.firm_rows} == {"D0": 10.0, "D1": 5.0}  # the third is given up
    clearing = cleared(state, given(state, A=[0.0, 0.0, 0.0]), where)
    served = {(r["demand"], r["bucket"]): r["units"] for r in clearing.deliveries.to_pylist()}
    assert served == {("D0", MONDAY): 10.0, ("D1", MONDAY + WEEK): 5.0}


# smallest deliveries ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("smallest", "most_days", "cost", "told"),
    [
        (None, 28, 90.0, [("late", 10), ("on_time", 10)]),
        (10.0, 28, 90.0, [("late", 10), ("on_time", 10)]),
        (12.0, 28, 150.0, [("late", 20)]),
        (20.0, 28, 150.0, [("late", 20)]),
        (99.0, 28, 150.0, [("late", 20)]),
        (20.0, 0, 2000.0, [("refused", 20)]),
        (10.0, 0, 1020.0, [("on_time", 10), ("refused", 10)]),
    ],
)
def test_an_order_is_delivered_in_parts_no_smaller_than_it_says(smallest, most_days, cost, told):
    """20 wanted in week 0, ten hours a week. In parts of 10: 20 x 2 + 10 x 5 = 90. Where 12 is the least, or it comes
    complete, all 20 come in week 1: 20 x 2 + 20 x 5 + 10 that lie for a week = 150. Where nothing may be late, complete
    is not at all, 20 x 100, and nothing is made; in parts 10 x 2 + 10 x 100."""
    order = {"demand": "D", "product": "A", "due": MONDAY, "units": 20.0, "max_late_days": most_days}
    state = chain(3, **press(demand=[order | ({} if smallest is None else {"min_delivery_units": smallest})]))
    clearing = balance(state, given(state, A=[20.0, 0.0, 0.0]), nothing_learnt())
    assert clearing.total_cost == pytest.approx(cost)
    assert sorted((r["what"], r["units"]) for r in clearing.deliveries.to_pylist()) == told
    assert clearing.lower_bound == pytest.approx(cost)


def test_orders_of_a_group_are_delivered_together():
    """10 for week 0 and 10 for week 1, ten hours a week: 20 x 2 = 40 on time, each by itself. Together, not before week
    1: the first is a week late, 10 x 5, and lies for a week, 10 x 1: 100 in all. Where the first must not be late,
    neither comes: 20 x 100."""
    orders = [
        {"demand": f"D{t}", "product": "A", "due": MONDAY + t * WEEK, "units": 10.0, "max_late_days": 28}
        for t in (0, 1)
    ]
    grouped = [order | {"delivery_group": "G"} for order in orders]
    strict = [grouped[0] | {"max_late_days": 0}, grouped[1]]
    for rows_of, cost, told in (
        (orders, 40.0, {("D0", "on_time"), ("D1", "on_time")}),
        (grouped, 100.0, {("D0", "late"), ("D1", "on_time")}),
        (strict, 2000.0, {("D0", "refused"), ("D1", "refused")}),
    ):
        state = chain(3, **press(demand=rows_of))
        clearing = balance(state, given(state, A=[10.0, 10.0, 0.0]), nothing_learnt())
        assert clearing.total_cost == pytest.approx(cost)
        assert clearing.lower_bound == pytest.approx(cost)
        assert {(r["demand"], r["what"]) for r in clearing.deliveries.to_pylist()} == told
    state = chain(3, **press(demand=grouped))
    market = pack(state, given(state, A=[10.0, 10.0, 0.0]), nothing_learnt(), position(state))
    started = np.zeros(market.ways.is_open.shape)
    started[0, :2] = 10.0
    with pytest.raises(AssertionError, match="group"):
        evaluate(market, started, np.array([[10.0, 0.0, 0.0], [0.0, 10.0, 0.0]]), np.zeros((2, 3)))


def test_a_delivery_that_is_too_small_is_refused_by_the_referee():
    order = {"demand": "D", "product": "A", "due": MONDAY, "units": 20.0}
    parts, complete = (chain(3, **press(demand=[order | own])) for own in ({}, {"min_delivery_units": 20.0}))
    demand = given(parts, A=[20.0, 0.0, 0.0])
    plain, strict = (pack(state, demand, nothing_learnt(), position(state)) for state in (parts, complete))
    assert strict.rule_names - plain.rule_names == {"smallest deliveries"}
    started = highs.solve(plain).started
    with pytest.raises(AssertionError, match="smallest"):
        evaluate(strict, started, np.array([[10.0, 10.0, 0.0]]), np.zeros((1, 3)))
    with pytest.raises(Refused, match="smallest deliveries"):
        balance(complete, demand, nothing_learnt(), door="prices")


# priorities ---------------------------------------------------------------------------------------


def rows(*kinds):
    """Rows of demand for A in week 0: (units, firm, priority)."""
    return [
        {"demand": f"D{i}", "product": "A", "due": MONDAY, "units": u, "firm": f, "priority": p}
        for i, (u, f, p) in enumerate(kinds)
    ]


def test_firm_orders_come_before_forecast():
    """12 firm, which are part of a forecast of 16, and 4 more of it in week 0, ten hours:
    10 firm ones come at once, 2 and the others a week late. A firm unit
    waits for 1.25 x 5: 16 x 2 + 2 x 6.25 + 4 x 5 = 64.5."""
    state = chain(2, **press(demand=rows((12.0, True, 0), (16.0, False, 0))))
    clearing = cleared(state, given(state, A=[16.0, 0.0]))
    assert clearing.cost["late"] == pytest.approx(32.5)
    assert clearing.total_cost == pytest.approx(64.5)
    gaps = clearing.gaps.to_pylist()
    assert [r["served_units"] for r in gaps] == pytest.approx([10.0, 6.0])
    assert [r["demand_units"] for r in gaps] == pytest.approx([16.0, 0.0])


def test_a_higher_priority_is_served_first():
    """12 of priority 1 and 4 of priority 0 in the only week: 10 of the higher come, and each of its lost units counts
    twice: 10 x 2 + 2 x 200 + 4 x 100 = 820. An hour more would save 200 - 2. All 16 of priority 1: 10 x 2 + 6 x 200."""
    state = chain(1, **press(demand=rows((12.0, True, 1), (4.0, True, 0))))
    clearing = cleared(state, given(state, A=[16.0]))
    assert clearing.total_cost == pytest.approx(820.0)
    assert hour_prices(clearing) == pytest.approx([198.0])
    state = chain(1, **press(demand=rows((16.0, True, 1))))
    assert cleared(state, given(state, A=[16.0])).total_cost == pytest.approx(1220.0)


# change charge ------------------------------------------------------------------------------------


def test_a_change_of_the_plan_has_its_charge():
    """10 wanted in week 1; 4 are proposed for week 0 and 6 for week 1. Making all in week 1 saves holding of 4 x 1 and
    changes 8 units: at 1 each the plan stays, 10 x 2 + 4 = 24; at 0.4 it moves, 10 x 2 + 8 x 0.4 = 23.2."""
    order = {"kind": "make", "product": "A", "recipe": "A/L"}
    orders = [
        order | {"order": "O1", "units": 4.0, "start": MONDAY, "due": MONDAY},
        order | {"order": "O2", "units": 6.0, "start": MONDAY + WEEK, "due": MONDAY + WEEK},
    ]
    made = {}
    for share, cost, changes in ((0.01, 24.0, 0.0), (0.004, 23.2, 3.2)):
        state = chain(
            3,
            {"defaults": Defaults(change_cost_share=share)},
            **press(orders=orders, order_events=proposed("O1", "O2")),
        )
        clearing = cleared(state, given(state, A=[0.0, 10.0, 0.0]))
        assert clearing.total_cost == pytest.approx(cost)
        assert clearing.cost["changes"] == pytest.approx(changes)
        made[share] = clearing.quantities["units"].to_pylist()
    assert made == {0.01: pytest.approx([4.0, 6.0]), 0.004: pytest.approx([10.0])}


def test_what_stood_in_a_frozen_bucket_is_no_change():
    """As before at 1 each, but week 0 is frozen: what was only proposed there lapses; 4 more in week 1 are changes:
    10 x 2 + 4 x 1 = 24."""
    order = {"kind": "make", "product": "A", "recipe": "A/L"}
    orders = [
        order | {"order": "O1", "units": 4.0, "start": MONDAY, "due": MONDAY},
        order | {"order": "O2", "units": 6.0, "start": MONDAY + WEEK, "due": MONDAY + WEEK},
    ]
    settings = {"defaults": Defaults(change_cost_share=0.01), "frozen_buckets": 1}
    state = chain(3, settings, **press(orders=orders, order_events=proposed("O1", "O2")))
    assert cleared(state, given(state, A=[0.0, 10.0, 0.0])).total_cost == pytest.approx(24.0)


# firm shares --------------------------------------------------------------------------------------


def two_firms(hours, **share):
    """A also on line S of a small firm, at 5 a unit; L is the big one's."""
    return press(
        sites=[{"site": "big", "firm": "Big"}, {"site": "small", "firm": "Small"}],
        lines=[{"line": "S", "site": "small", "hours_per_week": hours}],
        recipes=[{"recipe": "A/S", "product": "A", "line": "S", "hours_per_unit": 1.0, "cost_per_unit": 5.0}],
        firm_shares=[share],
    ) | {
        "lines": [
            {"line": "L", "site": "big", "hours_per_week": 10.0},
            {"line": "S", "site": "small", "hours_per_week": hours},
        ]
    }


@pytest.mark.parametrize(
    "share", [{"firm": "Small", "floor_share": 0.3}, {"firm": "Big", "ceiling_share": 0.7}], ids=["floor", "ceiling"]
)
def test_a_firm_has_its_share_of_the_hours(share):
    """10 wanted; 3 of the 10 hours are the small firm's: 7 x 2 + 3 x 5 = 29. Without the rule it is 20."""
    state = chain(1, **two_firms(10.0, **share))
    clearing = cleared(state, given(state, A=[10.0]))
    assert clearing.total_cost == pytest.approx(29.0)
    assert clearing.cost["firm_shares"] == pytest.approx(0.0, abs=1e-9)
    used = {r["name"]: r["used"] for r in clearing.prices.to_pylist() if r["what"] == "line"}
    assert used == {"L": pytest.approx(7.0), "S": pytest.approx(3.0)}


def test_a_share_that_cannot_be_reached_costs_its_price():
    """The small firm has 2 hours, a floor of 0.3 x 10 = 3: an hour short costs what an hour can earn at most, 100 of a
    lost sale: 8 x 2 + 2 x 5 + 1 x 100 = 126. Not making a unit would cost 100 and save but 30 + 2."""
    state = chain(1, **two_firms(2.0, firm="Small", floor_share=0.3))
    clearing = cleared(state, given(state, A=[10.0]))
    assert clearing.cost["firm_shares"] == pytest.approx(100.0)
    assert clearing.total_cost == pytest.approx(126.0)


# shelf life ---------------------------------------------------------------------------------------


def test_what_is_too_old_is_waste():
    """25 wanted in week 2, ten hours a week. A unit that keeps for a week can lie over one week's end: 10 of week 1 and
    10 of week 2 come, 5 are lost: 20 x 2 + 10 x 1 + 5 x 100 = 550. One that keeps: 25 x 2 + 10 x 1 + 5 x 2 x 1 = 70."""
    keeps = chain(3, **press())
    demand = given(keeps, A=[0.0, 0.0, 25.0])
    assert cleared(keeps, demand).total_cost == pytest.approx(70.0)
    tables = press() | {"products": [{"product": "A", "price": 100.0, "shelf_life_days": 7.0}]}
    goes_bad = chain(3, **tables)
    clearing = cleared(goes_bad, demand)
    assert clearing.total_cost == pytest.approx(550.0)
    market = pack(goes_bad, demand, nothing_learnt(), position(goes_bad))
    issued = np.array([[0.0, 0.0, 25.0]])
    with pytest.raises(AssertionError, match="shelf life"):
        evaluate(market, np.array([[5.0, 10.0, 10.0]]), issued, np.zeros((1, 3)))


def test_stock_that_nobody_needs_in_time_is_thrown_away():
    """8 in stock that keeps for a week, 3 wanted in week 0 and 4 in week 2: 5 are waste, thrown away at once, as they
    would only be held; 4 are made: 4 x 2 = 8."""
    stock = [{"happened_at": datetime(2023, 12, 31, tzinfo=UTC), "product": "A", "units": 8.0}]
    tables = press(stock=stock) | {"products": [{"product": "A", "price": 100.0, "shelf_life_days": 7.0}]}
    state = chain(3, **tables)
    demand = given(state, A=[3.0, 0.0, 4.0])
    market = pack(state, demand, nothing_learnt(), position(state))
    assert highs.solve(market).wasted.sum() == pytest.approx(5.0)
    assert clear(market, demand).total_cost == pytest.approx(8.0)


@pytest.mark.parametrize("whole", [False, True])
def test_nothing_is_made_only_to_go_bad(whole):
    """Kept for a week and made at no cost, ten hours a week: of 15 wanted in the fourth week 5 are made a week ahead
    and 10 in it, and none in the first two, which would have gone bad by then."""
    tables = press()
    tables["recipes"][0]["cost_per_unit"] = 0.0
    tables["products"] = [{"product": "A", "price": 100.0, "shelf_life_days": 7.0}]
    tables["demand"] = [{"demand": "D", "product": "A", "due": MONDAY + 3 * WEEK, "units": 15.0}]
    state = chain(5, **tables)
    found = balance(state, given(state, A=[0.0, 0.0, 0.0, 15.0, 0.0]), nothing_learnt())
    if whole:
        found = decided(state, given(state, A=[0.0, 0.0, 0.0, 15.0, 0.0])).clearing
    started = {(r["start"] - MONDAY).days // 7: r["units"] for r in found.quantities.to_pylist()}
    assert started == {2: pytest.approx(5.0), 3: pytest.approx(10.0)}
    assert found.total_cost == pytest.approx(5.0)


def test_what_an_order_under_way_will_take_is_kept_for_it():
    """4 Q in stock, good for a week, are what the locked order of 4 A in week 2 takes; they are held two week ends, at
    0.1 each: 0.8. Else they would have to be thrown away, and the order could not run."""
    tables = press(
        products=[{"product": "Q", "price": 4.0, "kind": "material", "shelf_life_days": 7.0}],
        economics=[{"product": "Q", "holding_cost_per_unit_week": 0.1}],
        components=[{"product": "A", "component": "Q", "units_per_unit": 1.0}],
        stock=[{"happened_at": datetime(2023, 12, 31, tzinfo=UTC), "product": "Q", "units": 4.0}],
        orders=[
            {"order": "O1", "kind": "make", "product": "A", "recipe": "A/L", "units": 4.0, "locked": True}
            | {"start": MONDAY + 2 * WEEK, "due": MONDAY + 2 * WEEK}
        ],
    )
    state = chain(3, **tables)
    assert cleared(state, given(state, A=[0.0, 0.0, 4.0])).total_cost == pytest.approx(0.8)


# substitutes --------------------------------------------------------------------------------------


def test_a_substitute_serves_where_it_is_cheaper_than_a_loss():
    """14 of A wanted, 10 can be made. B, of 3 a unit on its own line, may stand in for 4 more each: 4 of them do,
    10 x 2 + 4 x 3 + 4 x 4 = 48."""
    tables = press(
        products=[{"product": "B", "price": 100.0}],
        lines=[{"line": "M", "hours_per_week": 10.0}],
        recipes=[{"recipe": "B/M", "product": "B", "line": "M", "hours_per_unit": 1.0, "cost_per_unit": 3.0}],
        substitutes=[{"product": "A", "substitute": "B", "cost_per_unit": 4.0}],
    )
    state = chain(1, **tables)
    clearing = cleared(state, given(state, A=[14.0]))
    assert clearing.total_cost == pytest.approx(48.0)
    assert clearing.cost["substitution"] == pytest.approx(16.0)
    assert {r["product"]: r["units"] for r in clearing.quantities.to_pylist()} == {"A": 10.0, "B": 4.0}


def _chain_with_substitutes(seed):
    """A and B, of which Q may stand in for one or both for some weeks or always; nothing of A can be had, or little."""
    rng = np.random.default_rng(seed)
    weeks = 6
    spans = []
    for product in ("A", "B")[: rng.integers(1, 3)]:
        ends = {} if rng.random() < 0.3 else {"valid_to": MONDAY + int(rng.integers(1, weeks)) * WEEK}
        begins = {} if rng.random() < 0.7 else {"valid_from": MONDAY}
        spans.append({"product": product, "substitute": "Q", "cost_per_unit": 1.0, **begins, **ends})
    holding = {"A": 0.1, "B": 0.5, "Q": float(rng.choice([0.05, 2.0]))}
    cost = {"late_cost_per_unit_week": float(rng.choice([1.0, 20.0])), "lost_sale_cost_per_unit": 100.0}
    tables = {
        "products": [{"product": p, "price": 100.0} for p in holding],
        "economics": [{"product": p, "holding_cost_per_unit_week": h} | cost for p, h in holding.items()],
        "offers": [
            {"offer": f"o{p}", "product": p, "price": 10.0, "units_per_week": float(rng.choice([0.0, 3.0]))}
            for p in holding
        ],
        "substitutes": spans,
        "stock": [
            {"happened_at": datetime(2023, 12, 31, tzinfo=UTC), "product": p, "units": float(rng.integers(0, 30))}
            for p in ("A", "Q")
        ],
        "demand": [
            {"demand": f"{p}{t}", "product": p, "due": MONDAY + t * WEEK, "units": float(rng.integers(0, 15))}
            for p in holding
            for t in range(weeks)
        ],
    }
    asked = {p: [r["units"] for r in tables["demand"] if r["product"] == p] for p in holding}
    return chain(weeks, **tables), asked, spans


def test_no_substitute_is_set_aside_before_it_is_delivered():
    """What is delivered of each product is never below nothing, and none of a substitute goes for a product while its
    row does not hold."""
    set_aside = ended = 0
    for seed in range(60):
        state, asked, spans = _chain_with_substitutes(seed)
        found = decided(state, given(state, **asked))
        flow = found.clearing.flow.to_pylist()
        delivered = {(row["product"], row["bucket"]): row["delivered_units"] for row in flow}
        assert min(delivered.values(), default=0.0) >= -1e-6, (seed, delivered)
        until = {row["product"]: row.get("valid_to") for row in spans}
        for row in found.clearing.substitutions.to_pylist():
            set_aside += row["units"] > 0
            assert until[row["product"]] is None or row["bucket"] < until[row["product"]], (seed, row)
        ended += any(until.values())
    assert set_aside > 40
    assert ended > 20


# overtime -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("wanted", "cost", "price"), [(11.0, 42.0, 20.0), (14.0, 264.0, 98.0)])
def test_overtime_is_worked_where_it_pays(wanted, cost, price):
    """2 hours of overtime at 20. 11 wanted: 11 x 2 + 1 x 20 = 42, an hour is worth 20. 14 wanted: 12 are made, 2 lost:
    12 x 2 + 2 x 20 + 2 x 100 = 264, an hour is worth a lost sale less the unit's cost."""
    span = {"line": "L", "from": MONDAY, "to": MONDAY + WEEK, "hours": 10.0}
    state = chain(1, **press(line_calendar=[span | {"overtime_hours": 2.0, "overtime_cost_per_hour": 20.0}]))
    clearing = cleared(state, given(state, A=[wanted]))
    assert clearing.total_cost == pytest.approx(cost)
    assert hour_prices(clearing) == pytest.approx([price])


# locked orders, frozen horizon --------------------------------------------------------------------


def test_locked_orders_stay_and_count_also_in_a_frozen_bucket():
    """Week 0 is frozen. A locked order of 6 is in it, one of 3 is only proposed there. 12 wanted in week 0: the 6 come,
    nothing else starts in week 0, 6 come in week 1: 6 x 2 + 6 x 5 = 42; the locked order's cost is spent already."""
    order = {"kind": "make", "product": "A", "recipe": "A/L", "start": MONDAY, "due": MONDAY}
    orders = [
        order | {"order": "O1", "units": 6.0, "locked": True},
        order | {"order": "O2", "units": 3.0, "locked": False},
    ]
    state = chain(2, {"frozen_buckets": 1}, **press(orders=orders, order_events=proposed("O2")))
    clearing = cleared(state, given(state, A=[12.0, 0.0]))
    assert clearing.total_cost == pytest.approx(42.0)
    assert clearing.quantities.select(["start", "units"]).to_pylist() == [{"start": MONDAY + WEEK, "units": 6.0}]
    assert [r["used"] for r in clearing.prices.to_pylist() if r["what"] == "line"] == pytest.approx([6.0, 6.0])


def test_the_door_of_prices_refuses_rules_that_it_does_not_know():
    state = chain(1, **press(demand=rows((8.0, True, 1), (8.0, True, 0))))
    with pytest.raises(Refused, match="priorities"):
        balance(state, given(state, A=[16.0]), nothing_learnt(), door="prices")


def test_part_of_the_demand_keeps_its_own_substitutes_and_when_they_may_serve():
    """Demand 0 has substitute 5 in the first bucket, demand 2 substitute 6 in the second: demand 2 alone has 6 then."""
    rule = Substitutes(
        demand=np.array([0, 2]),
        product=np.array([5, 6]),
        cost=np.array([1.0, 2.0]),
        is_open=np.array([[True, False], [False, True]]),
    )
    part = rule.part(Part(demanded=np.array([1, 2]), products=np.ones(7, dtype=bool), ways=np.zeros(0, int), buckets=2))
    assert (part.demand.tolist(), part.product.tolist(), part.cost.tolist()) == ([1], [6], [2.0])
    assert part.is_open.tolist() == [[False, True]]


# safety stock and largest stock -------------------------------------------------------------------


def kept(**row):
    return {"stock_rules": [{"product": "A"} | row]}


def closing(clearing):
    return [r["closing_units"] for r in clearing.flow.sort_by([("bucket", "ascending")]).to_pylist()]


def test_a_safety_stock_is_there_and_demand_may_use_it():
    """6 are to lie in stock, each below that 3 a week; ten hours a week, 4, 14 and 4 wanted. Week 0: 10 made, 6 lie.
    Week 1: 10 made, 14 served, 2 lie, 4 short x 3. Week 2: 8 made, 6 lie. 28 x 2 + (6 + 2 + 6) x 1 + 4 x 3 = 82.
    Serving 4 late instead would be 4 x 5, and hold as many again."""
    state = chain(3, **press(**kept(smallest_units=6.0, below_cost_per_unit_week=3.0)))
    clearing = cleared(state, given(state, A=[4.0, 14.0, 4.0]))
    assert closing(clearing) == [pytest.approx(6.0), pytest.approx(2.0), pytest.approx(6.0)]
    assert clearing.cost["safety_stock"] == pytest.approx(12.0)
    assert clearing.cost["late"] == 0.0
    assert clearing.total_cost == pytest.approx(82.0)


def test_a_safety_stock_of_days_is_the_demand_of_the_days_after_each_week():
    """14 days of cover: after week 0 the 2 + 6 of the next two weeks, after week 1 the 6 and half of 2 + 6 + 1 ... the
    horizon ends with week 2, and the mean of weeks 1 and 2, 4, goes on: 8, 10, 8."""
    state = chain(3, **press(**kept(smallest_days=14.0, below_cost_per_unit_week=3.0)))
    clearing = cleared(state, given(state, A=[0.0, 2.0, 6.0]))
    assert closing(clearing) == [pytest.approx(8.0), pytest.approx(10.0), pytest.approx(8.0)]


def test_days_of_cover_of_a_component_are_what_its_parents_need():
    """2 Q go into each A. 4, 6 and 8 A are made: 7 days of cover of Q are 12, 16 and, as the mean of weeks 1 and 2 goes
    on, 14. Q is bought at 1 and holds for 0.1; a Q that lies at the end is worth what it costs."""
    components = [{"product": "A", "component": "Q", "units_per_unit": 2.0}]
    products = [{"product": "A", "price": 100.0}, {"product": "Q", "kind": "material", "price": 1.0}]
    costs = press()["economics"] + [{"product": "Q", "holding_cost_per_unit_week": 0.1}]
    offers = [{"offer": "O", "product": "Q", "price": 1.0, "lead_days": 0.0}]
    tables = press() | {"products": products, "economics": costs}
    state = chain(
        3, **tables, components=components, offers=offers, stock_rules=[{"product": "Q", "smallest_days": 7.0}]
    )
    clearing = cleared(state, given(state, A=[4.0, 6.0, 8.0]))
    flow = clearing.flow.sort_by([("bucket", "ascending")]).to_pylist()
    assert [r["closing_units"] for r in flow if r["product"] == "Q"] == [pytest.approx(u) for u in (12.0, 16.0, 14.0)]


def test_what_nobody_asks_for_is_made_for_its_safety_stock_alone():
    """6 of A and no demand: 6 made at 2 in week 0 and held for 2 weeks at 1 are 24, less 2 that each is worth at
    the end, as demand may come after it."""
    state = chain(2, **press(**kept(smallest_units=6.0, below_cost_per_unit_week=3.0)) | {"demand": []})
    clearing = cleared(state, given(state))
    assert closing(clearing) == [pytest.approx(6.0), pytest.approx(6.0)]
    assert clearing.total_cost == pytest.approx(24.0 - 12.0)


def test_the_default_price_lies_between_holding_and_lateness():
    """sqrt(1 x 5) a week, at least 2 x 1; of a buyer that is lost, (100 - 2) / 3 weeks would be more."""
    state = chain(3, **press(**kept(smallest_units=6.0)))
    demand = given(state, A=[0.0, 0.0, 0.0])
    rule = pack(state, demand, nothing_learnt(), position(state)).rules.safety_stock
    assert rule.cost.tolist() == [[pytest.approx(5**0.5), pytest.approx(5**0.5), pytest.approx(5**0.5 + 2.0)]]


def test_a_price_above_lateness_counts_as_serving_late():
    state = chain(3, **press(**kept(smallest_units=6.0, below_cost_per_unit_week=50.0)))
    rule = pack(state, given(state, A=[0.0, 0.0, 0.0]), nothing_learnt(), position(state)).rules.safety_stock
    assert rule.cost[0, 0] == pytest.approx(1.0 + 5.0)


@pytest.mark.parametrize(("largest", "made"), [(None, 24.0), (20.0, 20.0), (30.0, 24.0)])
def test_no_more_is_made_than_brings_stock_up_to_the_largest(largest, made):
    """24 wanted in week 1 and made at 2 in week 0, at 9 later: all is made in week 0, but no more than may lie."""
    recipes = [
        {"recipe": "A/L", "product": "A", "hours_per_unit": 0.0, "cost_per_unit": 2.0, "valid_to": MONDAY + WEEK},
        {"recipe": "A/M", "product": "A", "hours_per_unit": 0.0, "cost_per_unit": 9.0, "valid_from": MONDAY + WEEK},
    ]
    rule = {} if largest is None else kept(largest_units=largest, above_cost_per_unit_week=100.0)
    state = chain(2, **press(**rule) | {"recipes": recipes})
    clearing = cleared(state, given(state, A=[0.0, 24.0]))
    assert closing(clearing)[0] == pytest.approx(made)
    assert clearing.cost["late"] == 0.0 and clearing.cost["lost"] == 0.0


def test_more_than_the_largest_is_made_where_demand_needs_it():
    """Ten hours a week, and 30 wanted in week 2: 10 and 20 lie before, though no more than 8 are to; 2 and 12 of them
    above it x 3 = 42 are less than coming late."""
    state = chain(3, **press(**kept(largest_units=8.0, above_cost_per_unit_week=3.0)))
    clearing = cleared(state, given(state, A=[0.0, 0.0, 30.0]))
    assert closing(clearing) == [pytest.approx(10.0), pytest.approx(20.0), pytest.approx(0.0)]
    assert clearing.cost["largest_stock"] == pytest.approx(42.0)


def test_a_target_without_a_site_is_of_all_sites_together_and_one_with_a_site_of_that():
    """A is made at F and moved to W, where 4 are asked for each week: 6 lie at F and W together, or 6 at W alone."""
    tables = press() | {
        "sites": [{"site": "F"}, {"site": "W"}],
        "lines": [{"line": "L", "site": "F", "hours_per_week": 40.0}],
        "lanes": [{"lane": "FW", "from_site": "F", "to_site": "W", "lead_days": 0.0, "cost_per_unit": 1.0}],
    }
    lying = {}
    for site in (None, "W"):
        rule = {"product": "A", "site": site, "smallest_units": 6.0, "below_cost_per_unit_week": 3.0}
        state = chain(3, **tables, stock_rules=[rule])
        demand = replace(given(state, A=[4.0, 4.0, 4.0]), items=(Item("A", "W"),))
        rows = cleared(state, demand).flow.sort_by([("bucket", "ascending")]).to_pylist()
        lying[site] = {at: [r["closing_units"] for r in rows if r["site"] == at] for at in ("F", "W")}
    assert [sum(pair) for pair in zip(lying[None]["F"], lying[None]["W"], strict=True)] == [pytest.approx(6.0)] * 3
    assert lying["W"] == {"F": [pytest.approx(0.0)] * 3, "W": [pytest.approx(6.0)] * 3}


def test_a_rule_holds_on_its_days_alone():
    rows = [
        {"product": "A", "smallest_units": 2.0, "below_cost_per_unit_week": 3.0, "valid_to": MONDAY + WEEK},
        {"product": "A", "smallest_units": 7.0, "below_cost_per_unit_week": 3.0, "valid_from": MONDAY + WEEK},
    ]
    state = chain(3, **press(stock_rules=rows))
    clearing = cleared(state, given(state, A=[0.0, 0.0, 0.0]))
    assert closing(clearing) == [pytest.approx(2.0), pytest.approx(7.0), pytest.approx(7.0)]


def test_the_search_keeps_a_safety_stock_of_what_is_sold_and_refuses_one_of_a_component():
    """The optimum worked out by hand above, 82; Q goes into A."""
    state = chain(3, **press(**kept(smallest_units=6.0, below_cost_per_unit_week=3.0)))
    found = balance(state, given(state, A=[4.0, 14.0, 4.0]), nothing_learnt(), door="prices")
    assert found.total_cost == pytest.approx(82.0, rel=0.01)
    assert found.lower_bound == pytest.approx(82.0, rel=0.01)
    tables = press() | {
        "products": [{"product": "A", "price": 100.0}, {"product": "Q", "kind": "material", "price": 1.0}],
        "components": [{"product": "A", "component": "Q", "units_per_unit": 2.0}],
        "stock_rules": [{"product": "Q", "smallest_units": 5.0}],
    }
    state = chain(3, **tables)
    with pytest.raises(Refused, match="safety stock"):
        balance(state, given(state, A=[0.0, 0.0, 0.0]), nothing_learnt(), door="prices")
