"""Sites and lanes in the balance, worked out by hand."""

from datetime import UTC, date, datetime, timedelta

import pyarrow.compute as pc
import pytest

from datong.balance.avoidable import unavoidable_cost
from datong.balance.pack import pack
from datong.balance.solvers import balance
from datong.cycle import head
from datong.model.flow import Item, nothing_learnt
from datong.network.committed import committed
from datong.network.facts import chain_facts
from datong.network.notices import notices
from datong.network.position import position
from datong.network.position_notices import position_notices
from planning import plan
from small_chain import MONDAY, chain, demand, press

BEFORE = datetime(2023, 12, 31, tzinfo=UTC)


def two_factories(first_lane=10.0, **lane):
    """A made at F1 for 2 and at F2 for 5, hours to spare; lanes to the shop S for 1 a unit, from F1 `first_lane` a
    week. Holding 1, late 5, lost 100. A planner's demand, that ends with the horizon."""
    tables = press()
    tables["sites"] = [{"site": s} for s in ("F1", "F2", "S")]
    tables["lines"] = [
        {"line": "L1", "site": "F1", "hours_per_week": 100.0},
        {"line": "L2", "site": "F2", "hours_per_week": 100.0},
    ]
    one = {"product": "A", "hours_per_unit": 1.0}
    tables["recipes"] = [
        one | {"recipe": "A/1", "line": "L1", "cost_per_unit": 2.0},
        one | {"recipe": "A/2", "line": "L2", "cost_per_unit": 5.0},
    ]
    tables["lanes"] = [
        {"lane": "F1-S", "from_site": "F1", "to_site": "S", "cost_per_unit": 1.0, "units_per_week": first_lane} | lane,
        {"lane": "F2-S", "from_site": "F2", "to_site": "S", "cost_per_unit": 1.0, "units_per_week": None} | lane,
    ]
    return tables


def cleared(state, **paths):
    return balance(state, demand(state, **paths), nothing_learnt())


def moves(clearing):
    return {
        (r["lane"], r["start"]): (r["units"], r["from_site"], r["to_site"])
        for r in clearing.quantities.to_pylist()
        if r["kind"] == "move"
    }


@pytest.mark.parametrize("market", ["S", "all"])
def test_a_full_lane_is_worth_what_the_dearer_factory_costs_more(market):
    """15 wanted at S in week 0. F1 could make all, but its lane takes 10: 5 come from F2.

    Production 10 x 2 + 5 x 5 = 45, transport 15 x 1 = 15, in all 60. One unit more by F1's lane saves 6 - 3 = 3.
    """
    state = chain(1, **two_factories())
    clearing = cleared(state, **{f"A__{market}": [[15.0]]})
    assert clearing.cost == pytest.approx(
        {"production": 45, "transport": 15, "purchase": 0, "holding": 0, "late": 0, "lost": 0, "salvage": 0}
    )
    assert clearing.lower_bound == pytest.approx(60.0)
    assert moves(clearing) == {
        ("F1-S", MONDAY): (pytest.approx(10.0), "F1", "S"),
        ("F2-S", MONDAY): (pytest.approx(5.0), "F2", "S"),
    }
    lane = clearing.prices.filter(pc.field("what") == "lane").to_pylist()
    assert [(r["name"], r["price"], r["used"], r["available"], r["unit"]) for r in lane] == [
        ("F1-S", pytest.approx(3.0), pytest.approx(10.0), 10.0, "unit")
    ]
    wider = cleared(chain(1, **two_factories(first_lane=11.0)), **{f"A__{market}": [[15.0]]})
    assert clearing.total_cost - wider.total_cost == pytest.approx(3.0)


def test_a_lane_limits_all_its_products_together():
    """A and B both cost 2 at F1 and 5 at F2; 8 of each are wanted, 10 go by F1's lane: 10 x 3 + 6 x 6 = 66."""
    tables = two_factories()
    tables["products"].append({"product": "B", "price": 100.0})
    tables["economics"].append({**tables["economics"][0], "product": "B"})
    tables["demand"].append({"demand": "E", "product": "B", "due": MONDAY, "units": 0.0})
    tables["recipes"] += [r | {"product": "B", "recipe": r["recipe"].replace("A", "B")} for r in tables["recipes"]]
    clearing = cleared(chain(1, **tables), A=[[8.0]], B=[[8.0]])
    assert clearing.total_cost == pytest.approx(66.0)
    assert clearing.lower_bound == pytest.approx(66.0)
    used = {r["name"]: r["used"] for r in clearing.prices.to_pylist() if r["what"] == "lane"}
    assert used == {"F1-S": pytest.approx(10.0)}


@pytest.mark.parametrize(("at_the_shop", "money", "early"), [(1.0, 50.0, 5.0), (2.0, 55.0, 5.0), (4.0, 60.0, 0.0)])
def test_holding_is_that_of_the_site(at_the_shop, money, early):
    """15 wanted at S in week 1, 10 a week by F1's lane at 3 each. The other 5 come by it a week before, at 3 and a week
    of holding at S, 1, 2 or 4; or from F2, at 6: 30 + 5 x min(3 + holding, 6)."""
    tables = two_factories()
    tables["sites"][2]["holding_factor"] = at_the_shop
    tables["sites"][0]["holding_factor"] = 9.0  # nothing lies at F1
    state = chain(2, **tables)
    clearing = cleared(state, A__S=[[0.0, 15.0]])
    assert (clearing.total_cost, clearing.lower_bound) == (pytest.approx(money), pytest.approx(money))
    searched = balance(state, demand(state, A__S=[[0.0, 15.0]]), nothing_learnt(), door="prices")
    assert searched.lower_bound * 0.999 <= money <= searched.total_cost <= money * 1.01
    assert moves(clearing).get(("F1-S", MONDAY), (0.0,))[0] == pytest.approx(early)


def test_goods_on_the_way_cost_what_they_do_at_the_cheaper_end():
    """4 wanted at S in week 2, two weeks from either factory: made in week 0 for 2, 1 on the lane, and two weeks of
    holding, at 1 of the shop's 3 and the factory's 1."""
    tables = two_factories(lead_days=14.0)
    tables["sites"] = [{"site": "F1", "holding_factor": 1.0}, {"site": "F2"}, {"site": "S", "holding_factor": 3.0}]
    clearing = cleared(chain(3, **tables), A__S=[[0.0, 0.0, 4.0]])
    assert clearing.total_cost == pytest.approx(4 * (2 + 1 + 2 * 1))


def test_a_market_that_several_sites_serve_is_held_for_at_the_dearest():
    tables = two_factories() | {"lanes": [{"lane": "F1-F2", "from_site": "F1", "to_site": "F2"}]}
    tables["lanes"] += [{"lane": "F2-F1", "from_site": "F2", "to_site": "F1"}]
    tables["sites"] = [{"site": "F1", "holding_factor": 1.0}, {"site": "F2", "holding_factor": 3.0}, {"site": "S"}]
    facts = chain_facts(chain(2, **tables), [MONDAY], nothing_learnt(), [Item("A", "all")])
    assert {name: e.holding_per_bucket for name, e in facts.economics.items()} == {"A": 3.0, "A@F1": 1.0, "A@F2": 3.0}


def test_holding_of_sites_is_said_to_count_nothing_without_lanes():
    tables = two_factories()
    tables["sites"] = [{"site": "F1", "holding_factor": 1.0}, {"site": "F2"}, {"site": "S", "holding_factor": 3.0}]
    assert "holding_of_sites" not in {f.code for f in notices(chain(2, **tables))}
    del tables["lanes"]
    (told,) = [f for f in notices(chain(2, **tables)) if f.code == "holding_of_sites"]
    assert "of the sites S counts nothing" in told.text("en")


def test_a_long_lane_makes_late_and_holds_what_is_on_the_way():
    """4 wanted in week 0, the way takes 10 days, two weeks: 4 x 2 weeks x 5 late = 40; made 8; moved 4, and 4 units are
    two weeks on the way at 1: transport 4 + 8 = 12."""
    state = chain(4, **two_factories(first_lane=None, lead_days=10.0))
    clearing = cleared(state, A=[[4.0, 0.0, 0.0, 0.0]])
    assert clearing.cost["late"] == pytest.approx(40.0)
    assert clearing.cost["production"] == pytest.approx(8.0)
    assert clearing.cost["transport"] == pytest.approx(12.0)
    assert clearing.lower_bound == pytest.approx(clearing.total_cost)
    row = clearing.quantities.filter(pc.field("kind") == "move").to_pylist()[0]
    assert (row["start"], row["due"]) == (MONDAY, MONDAY + timedelta(days=10))


def test_a_component_is_shipped_to_the_factory_that_uses_it():
    """A is made at F2 of 2 Q, Q only at F1 for 1; the lane F1-F2 takes a week, costs 0.5 and carries 6 a week.

    9 A wanted at F2 in week 2 ask for 18 Q there: 6 leave in each of weeks 0 and 1, so 6 A are made, 3 are lost: 300.
    6 x 2 for A, 12 x 1 for Q, 12 x 0.5 of transport; Q is held at 0.1: a week on the way 12 x 0.1, and the 6 that come
    in week 1 are held at its end 0.6 (made into 3 A at once they would cost 3). One more by the lane in week 1 makes
    half an A: (100 - 2) / 2 - 1 - 0.5 - 0.1 = 47.4.
    """
    tables = press()
    tables["sites"] = [{"site": "F1"}, {"site": "F2"}]
    tables["lines"] = [{"line": "L", "site": "F2", "hours_per_week": 10.0}]
    tables["products"].append({"product": "Q", "price": 4.0, "kind": "component"})
    tables["economics"].append({"product": "Q", "holding_cost_per_unit_week": 0.1})
    none = {"line": None, "hours_per_unit": 0.0, "site": "F1"}
    tables["recipes"] = [
        tables["recipes"][0] | {"site": None},
        {"recipe": "Q/1", "product": "Q", "cost_per_unit": 1.0} | none,
    ]
    tables["components"] = [{"product": "A", "component": "Q", "units_per_unit": 2.0}]
    tables["lanes"] = [
        {
            "lane": "F1-F2",
            "from_site": "F1",
            "to_site": "F2",
            "product": "Q",
            "lead_days": 7.0,
            "cost_per_unit": 0.5,
            "units_per_week": 6.0,
        }
    ]
    clearing = cleared(chain(3, **tables), A=[[0.0, 0.0, 9.0]])
    assert clearing.cost == pytest.approx(
        {"production": 24, "transport": 7.2, "holding": 0.6, "lost": 300, "purchase": 0, "late": 0, "salvage": 0}
    )
    assert clearing.lower_bound == pytest.approx(clearing.total_cost)
    price = {r["bucket"]: r["price"] for r in clearing.prices.to_pylist() if r["what"] == "lane"}
    assert price[MONDAY + timedelta(days=7)] == pytest.approx(47.4)
    gap = clearing.gaps.to_pylist()[2]
    assert (gap["product"], gap["binding"]) == ("A", "F1-F2")


def test_stock_lies_at_its_site():
    """7 at F1, 9 at X, which no lane leaves. Market S gets the 7 by the lane, 3 are made: 10 x 1 + 3 x 2 = 16; the 9
    stay: 9 x 1 of holding. Without a site of its own, market 'all' is served where lanes end: at S, and at X."""
    tables = two_factories()
    tables["sites"].append({"site": "X"})
    tables["stock"] = [
        {"happened_at": BEFORE, "product": "A", "site": "F1", "units": 7.0},
        {"happened_at": BEFORE, "product": "A", "site": "X", "units": 9.0},
    ]
    state = chain(1, **tables)
    assert position(state).on_hand_by_site == {("A", "F1"): 7.0, ("A", "X"): 9.0}
    clearing = cleared(state, A__S=[[10.0]])
    assert clearing.total_cost == pytest.approx(10 + 6 + 9)
    clearing = cleared(state, A__all=[[10.0]])
    served = [r for r in clearing.quantities.to_pylist() if r["kind"] == "serve"]
    assert {r["from_site"]: r["units"] for r in served} == pytest.approx({"X": 9.0, "S": 1.0})
    assert clearing.cost["transport"] == pytest.approx(1.0)


def test_markets_that_are_sites_are_asked_there():
    """S sells 4 and F2 sells 3 itself; what F2 makes costs 5, the lane from F1 takes no product to F2."""
    tables = two_factories()
    clearing = cleared(chain(1, **tables), A__S=[[4.0]], A__F2=[[3.0]])
    assert clearing.total_cost == pytest.approx(4 * 3 + 3 * 5)
    rows = {r["market"]: r["served_units"] for r in clearing.gaps.to_pylist()}
    assert rows == pytest.approx({"S": 4.0, "F2": 3.0})


def test_lanes_may_go_round_in_a_circle():
    """F1 and F2 send to each other at 1 a unit; F1 makes for 2, F2 for 5: 6 wanted at F2 are made at F1, 6 x 3 = 18.
    The bound, in which prices go round the circle too, is 18 as well, at any prices it is no more."""
    tables = two_factories()
    tables["lanes"] = [
        {"lane": "12", "from_site": "F1", "to_site": "F2", "cost_per_unit": 1.0},
        {"lane": "21", "from_site": "F2", "to_site": "F1", "cost_per_unit": 1.0},
    ]
    state = chain(2, **tables)
    clearing = cleared(state, A__F2=[[6.0, 0.0]])
    assert clearing.total_cost == pytest.approx(18.0)
    assert clearing.lower_bound == pytest.approx(18.0)
    market = pack(state, demand(state, A__F2=[[6.0, 0.0]]), nothing_learnt(), position(state))
    assert market.has_circles


def test_offers_come_where_they_say_or_where_they_are_used():
    """M comes straight to F1 and F2, whose recipes use it, 6 a week in all from one supplier: 4 A at F1 and 4 at F2 are
    wanted, so 2 are lost. With to_site F1 nothing comes to F2, and 4 are lost."""
    tables = two_factories()
    tables["products"].append({"product": "M", "price": 1.0, "kind": "material"})
    tables["components"] = [{"product": "A", "component": "M", "units_per_unit": 1.0}]
    tables["lanes"] = tables["lanes"][:1]
    for to_site, lost in ((None, 2.0), ("F1", 4.0)):
        tables["offers"] = [
            {"offer": "M/X", "product": "M", "price": 1.0, "lead_days": 0.0, "units_per_week": 6.0, "to_site": to_site}
        ]
        clearing = cleared(chain(1, **tables), A__F1=[[4.0]], A__F2=[[4.0]])
        assert clearing.cost["lost"] == pytest.approx(100 * lost)
        assert clearing.lower_bound == pytest.approx(clearing.total_cost)
        bought = [r for r in clearing.quantities.to_pylist() if r["kind"] == "buy"]
        assert {r["offer"] for r in bought} == {"M/X"}
        if to_site is None:
            shared = [r for r in clearing.prices.to_pylist() if r["what"] == "offer"]
            assert [(r["name"], r["used"]) for r in shared] == [("M/X", pytest.approx(6.0))]
            assert shared[0]["price"] == pytest.approx(100 - 5 - 1)


def test_transfers_under_way_come_take_their_lane_and_leave_their_site():
    """A transfer of 4 leaves F1 now and is at S in a week: 5 of 9 stay at F1, 6 of 10 are left of the lane, 4 come."""
    tables = two_factories(lead_days=7.0)
    tables["stock"] = [{"happened_at": BEFORE, "product": "A", "site": "F1", "units": 9.0}]
    order = {"order": "T1", "kind": "move", "product": "A", "lane": "F1-S", "units": 4.0, "locked": True}
    tables["orders"] = [order | {"start": MONDAY, "due": MONDAY + timedelta(days=7)}]
    state = chain(2, **tables)
    facts = chain_facts(state, state.settings.calendar.starts(MONDAY, 2), nothing_learnt())
    found = committed(facts, position(state), state.settings.calendar.starts(MONDAY, 2), state.settings.calendar, 0)
    assert found.units["A@F1"].tolist() == [5.0, 0.0]
    assert found.units["A@S"].tolist() == [0.0, 4.0]
    assert found.hours["lane F1-S"].tolist() == [4.0, 0.0]


def test_what_was_sent_on_a_transfer_is_on_the_way_for_the_lead_time_of_its_lane():
    tables = two_factories(lead_days=7.0)
    tables["stock"] = [{"happened_at": BEFORE, "product": "A", "site": "F1", "units": 9.0}]
    order = {"order": "T1", "kind": "move", "product": "A", "lane": "F1-S", "units": 4.0, "locked": True}
    tables["orders"] = [order | {"start": MONDAY, "due": MONDAY + timedelta(days=7)}]
    sent = {"shipment": "1", "from_site": "F1", "to_site": "S", "order": "T1", "product": "A", "units": 3.0}
    tables["shipments"] = [sent | {"happened_at": datetime(2024, 1, 1, tzinfo=UTC)}]
    found = position(chain(2, **tables))
    assert found.on_hand_by_site == {("A", "F1"): 6.0}
    assert [(o.order, o.units, o.due) for o in found.under_way] == [
        ("T1", 1.0, MONDAY + timedelta(days=7)),
        ("T1", 3.0, MONDAY + timedelta(days=7)),
    ]


def transfer_without_lane(*lanes, stock=9.0, **order):
    """What comes of a transfer of 4 to the shop S that names no lane, by stock point; and what is told of it."""
    tables = two_factories(lead_days=7.0)
    tables["lanes"] = [row for row in tables["lanes"] if row["lane"] in lanes]
    tables["stock"] = [{"happened_at": BEFORE, "product": "A", "site": "F1", "units": stock}]
    moved = {"order": "T1", "kind": "move", "product": "A", "site": "S", "units": 4.0, "locked": True}
    tables["orders"] = [moved | {"start": MONDAY, "due": MONDAY + timedelta(days=7)} | order]
    state = chain(2, **tables)
    starts = state.settings.calendar.starts(MONDAY, 2)
    facts, found = chain_facts(state, starts, nothing_learnt()), position(state)
    comes = committed(facts, found, starts, state.settings.calendar, 0).units
    told = [f.code for f in position_notices(state, nothing_learnt()) if f.source == "orders"]
    return {point: units.tolist() for point, units in comes.items() if units.any()}, told


def test_a_transfer_without_lane_leaves_where_the_only_lane_to_its_site_begins():
    """4 of the 9 at F1 leave now for S, as F1-S alone ends there."""
    assert transfer_without_lane("F1-S") == ({"A@F1": [5.0, 0.0], "A@S": [0.0, 4.0]}, [])


def test_a_transfer_of_which_nobody_knows_where_it_leaves_is_told():
    comes, told = transfer_without_lane("F1-S", "F2-S")
    assert (comes, told) == ({"A@F1": [9.0, 0.0], "A@S": [0.0, 4.0]}, ["no_lane"])


def test_without_lanes_a_transfer_changes_nothing_and_is_told():
    assert transfer_without_lane() == ({"A": [9.0, 0.0]}, ["moved_in_pool"])


def test_codes_with_the_sign_of_a_label_stay_apart():
    """A product 'A@F1' beside 'A' at F1: two stock points, two names."""
    tables = two_factories()
    tables["products"].append({"product": "A@F1", "price": 1.0})
    asked = [Item("A@F1", "all"), Item("A@F1", "S")]
    facts = chain_facts(chain(1, **tables), (MONDAY,), nothing_learnt(), asked)
    assert len(set(facts.products)) == len(facts.products)
    assert {facts.product_of(p) for p in facts.products} == {"A", "A@F1"}


def test_whole_transfer_orders_come_out_of_the_plan():
    """13 wanted at S in week 1, a week away, 10 a week by F1's lane: orders to make 10 at F1 and 3 at F2 and to move
    them, in whole units, each with its site; a transfer has its lane and no line.

    Without its transfer a unit is refused: 100, less making, moving and holding it on the way: F1's 10 are worth
    10 x (100 - 2 - 2) = 960, F2's 3 are worth 3 x (100 - 5 - 2) = 279. What goes into them has no value."""
    tables = two_factories(lead_days=7.0)
    tables["demand"] = [{"demand": "D", "product": "A", "due": date(2024, 1, 8), "units": 13.0}]
    state = chain(2, **tables)
    wanted = demand(state, A=[[0.0, 13.0]])
    planned = plan(state, wanted)
    found = [(o.kind, o.product, o.units, o.lane, o.line, o.from_site, o.site, o.start, o.due) for o in planned.orders]
    week = date(2024, 1, 8)
    assert sorted(found, key=str) == sorted(
        [
            ("make", "A", 10.0, None, "L1", None, "F1", MONDAY, MONDAY),
            ("make", "A", 3.0, None, "L2", None, "F2", MONDAY, MONDAY),
            ("move", "A", 10.0, "F1-S", None, "F1", "S", MONDAY, week),
            ("move", "A", 3.0, "F2-S", None, "F2", "S", MONDAY, week),
        ],
        key=str,
    )
    by_number = {o.order: o for o in planned.orders}
    (moved, other), made = ([by_number[f"{letter}20240101-00{n}"] for n in (1, 2)] for letter in "TW")
    assert (moved.value, other.value) == (pytest.approx(960.0), pytest.approx(279.0))
    assert [o.value for o in made] == [None, None]
    assert "customers' orders D (10, due 2024-01-08)" in moved.causes[0].text.text()
    assert "T20240101-001 for A (10 in" in made[0].causes[0].text.text()
    assert "T20240101-002 for A (3 in" in made[1].causes[0].text.text()


def test_stock_off_the_cheapest_way_is_no_cost_that_every_plan_has():
    """100 wanted at S, made at F for 8. 60 lie at W, from where a unit costs 1 to move, as it does from F: 60 are moved
    and 40 made and moved, 60 + 40 x 9 = 420. What lies at X, without a lane, serves the market of all sites there."""
    tables = press(cost_per_unit=8.0)
    tables["sites"] = [{"site": s} for s in "FWSTX"]
    tables["lines"] = [{"line": "L", "site": "F", "hours_per_week": 1000.0}]
    tables["lanes"] = [
        {"lane": a + b, "from_site": a, "to_site": b, "cost_per_unit": 1.0} for a, b in ("FW", "WS", "FS", "FT")
    ]

    def unavoidable(site, units, market):
        lies = [{"happened_at": BEFORE, "product": "A", "site": site, "units": units}]
        state = chain(1, **(tables | {"stock": lies}))
        asked = demand(state, **{f"A__{market}": [[100.0]]})
        return unavoidable_cost(pack(state, asked, nothing_learnt(), position(state)))

    assert unavoidable("W", 60.0, "S") == pytest.approx(420.0)
    assert unavoidable("X", 10.0, "all") == pytest.approx(90 * 9.0)


def test_what_lies_at_less_elsewhere_is_bounded_where_no_more_than_so_much_is_to_lie_there():
    """30 lie at F1, nobody's until week 0 and 1 want 2 each at S, where a unit lies at half; above 10 there 0.2 more.
    All are moved: 28, 26 and 26 at 0.5, and 18, 16 and 16 at 0.2. The bound is that without the 10: 40."""
    tables = two_factories(first_lane=None)
    tables["lanes"] = [tables["lanes"][0] | {"cost_per_unit": 0.0}]
    tables["sites"] = [{"site": "F1", "holding_factor": 1.0}, {"site": "F2"}, {"site": "S", "holding_factor": 0.5}]
    tables["stock"] = [{"happened_at": BEFORE, "product": "A", "site": "F1", "units": 30.0}]
    tables["stock_rules"] = [
        {"product": "A", "site": "S", "largest_units": 10.0, "above_cost_per_unit_week": 0.2},
    ]
    asked = {"product": "A", "market": "S", "units": 2.0}
    tables["demand"] = [{"demand": f"D{n}", "due": MONDAY + timedelta(weeks=n), "priority": n} | asked for n in (0, 1)]
    begun = head(chain(3, **tables), nothing_learnt(), 0)
    clearing = balance(begun.state, begun.demand, begun.learnt)
    assert (clearing.total_cost, clearing.lower_bound) == (pytest.approx(50.0), pytest.approx(40.0))
