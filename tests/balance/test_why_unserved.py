"""What stands in the way of what orders leave late or lost, and what hours are worth beside them."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datong.cycle import decide, head
from datong.ledger.state import State, state_of_tables
from datong.model.flow import Clearing, nothing_learnt
from datong.model.settings import ChainSettings
from datong.network import facts as network_facts
from datong.questions.demand_totals import short_by_cause

MONDAY = date(2026, 1, 5)
MARKETS = {"product": "A", "market": "all"}


def state_of(
    weeks: int = 3, asked: float = 200.0, market: str = "all", late_days: int = 0, **tables: list[dict[str, Any]]
) -> State:
    """A is wanted every week."""
    given: dict[str, list[dict[str, Any]]] = {
        "products": [{"product": "A", "price": 100.0}],
        "demand": [
            {"demand": f"d{t}", "product": "A", "market": market, "due": MONDAY + timedelta(weeks=t), "units": asked}
            for t in range(weeks)
        ],
    }
    settings = ChainSettings("t", horizon_buckets=weeks, max_late_days=late_days)
    all_tables = {name: pa.Table.from_pylist(rows) for name, rows in (given | tables).items() if rows}
    return state_of_tables(settings, settings.calendar.midnight(MONDAY), all_tables)


def cleared(state: State) -> Clearing:
    return decide(head(state, nothing_learnt(), 0)).clearing


def line_prices(clearing: Clearing) -> list[float]:
    return [r["price"] for r in clearing.prices.sort_by("bucket").to_pylist() if r["what"] == "line"]


def test_a_line_that_has_no_room_for_a_unit_is_full():
    """40 h at 0.3 h a unit make 133, in 39.9 h: the tenth of an hour that is left makes none, and L is short."""
    recipes = [{"recipe": "A/L", "product": "A", "line": "L", "hours_per_unit": 0.3, "cost_per_unit": 1.0}]
    found = cleared(state_of(recipes=recipes, lines=[{"line": "L", "hours_per_week": 40.0}]))
    assert {r["binding"] for r in found.gaps.to_pylist()} == {"L"}
    assert line_prices(found) == pytest.approx([99 / 0.3] * 3)


def test_an_hour_beside_overtime_saves_its_rate():
    """45 units take 45 h: 40, and 5 at 1 more each."""
    recipes = [{"recipe": "A/L", "product": "A", "line": "L", "hours_per_unit": 1.0, "cost_per_unit": 1.0}]
    days = {"line": "L", "from": MONDAY, "to": MONDAY + timedelta(weeks=3), "hours": 40.0}
    more = [days | {"overtime_hours": 30.0, "overtime_cost_per_hour": 1.0}]
    lines = [{"line": "L", "hours_per_week": 40.0}]
    found = cleared(state_of(asked=45.0, recipes=recipes, lines=lines, line_calendar=more))
    assert line_prices(found) == pytest.approx([1.0] * 3)


def test_a_limit_that_the_orders_use_up_is_in_the_way():
    """100 a week by O, in orders of 10 at least, of 200: 100 more would do, and no later week has them either."""
    offers = [{"offer": "O", "product": "A", "price": 1.0, "units_per_week": 100.0, "min_order_units": 10.0}]
    offers[0] |= {"lead_days": 0.0}
    found = cleared(state_of(offers=offers)).gaps.to_pylist()
    assert [(r["binding"], r["needed_amount"], r["needed_days"]) for r in found] == [("O", 100.0, None)] * 3


def test_what_it_would_take_is_counted_in_lots():
    """A lot of 50 takes 25 of 40 hours, and a second one, for the 20 that are missing, 10 more than there are."""
    recipes = [{"recipe": "A/L", "product": "A", "line": "L", "hours_per_unit": 0.5, "lot_multiple_units": 50.0}]
    found = cleared(state_of(asked=70.0, recipes=recipes, lines=[{"line": "L", "hours_per_week": 40.0}]))
    told = [(r["binding"], r["lost_units"], r["needed_amount"]) for r in found.gaps.to_pylist()]
    assert told == [("L", 20.0, 10.0)] * 3


def test_what_comes_later_in_any_case_lacks_components_only_until_then():
    """A lot is of 15 at least; 10 of M are there, and more come in the second week. 15 A are late by a week: 5 of M
    more, and they are not, for the order of 35 in the second week is smaller by as many as are made before it."""

    def told(stock: float) -> list[tuple[float, str, float]]:
        found = cleared(
            state_of(
                weeks=2,
                asked=15.0,
                late_days=14,
                products=[{"product": "A", "price": 100.0}, {"product": "M", "kind": "material", "price": 1.0}],
                recipes=[{"recipe": "R", "product": "A", "cost_per_unit": 1.0, "min_lot_units": 15.0}],
                components=[{"product": "A", "component": "M", "units_per_unit": 1.0}],
                offers=[{"offer": "O", "product": "M", "price": 1.0, "lead_days": 7.0}],
                stock=[{"product": "M", "units": stock, "happened_at": datetime(2026, 1, 4, tzinfo=UTC)}],
            )
        )
        return [(r["late_units"], r["binding"], r["needed_amount"]) for r in found.gaps.to_pylist()]

    assert told(10.0)[0] == (15.0, "M", 5.0)
    assert [late for late, *_ in told(15.0)] == [0.0, 0.0]


def test_an_order_that_is_there_can_grow_by_less_than_a_smallest_lot():
    """40 hours make an order of 40, above its least of 30; 10 hours would make it 50."""
    recipes = [{"recipe": "A/L", "product": "A", "line": "L", "hours_per_unit": 1.0, "min_lot_units": 30.0}]
    found = cleared(state_of(asked=50.0, recipes=recipes, lines=[{"line": "L", "hours_per_week": 40.0}]))
    told = [(r["binding"], r["lost_units"], r["needed_amount"]) for r in found.gaps.to_pylist()]
    assert told == [("L", 10.0, 10.0)] * 3


@pytest.mark.parametrize("setup", [0.0, 2.0])
def test_before_a_shut_week_a_line_is_asked_in_the_last_week_that_is_open(setup: float):
    """L works 40 hours in the first week and none in the second, in which all is closed; what is wanted in the third
    could be made in the first, and held. 120 of 160 find no hours there: time there was."""
    closed = {"calendar": "C", "from": MONDAY + timedelta(weeks=1), "to": MONDAY + timedelta(weeks=2), "open": False}
    found = cleared(
        state_of(
            demand=[{"demand": "d", "product": "A", "due": MONDAY + timedelta(weeks=2), "units": 160.0}],
            calendars=[{"calendar": "C"}],
            calendar_days=[closed],
            sites=[{"site": "F", "kind": "factory", "calendar": "C"}],
            lines=[{"line": "L", "site": "F", "hours_per_week": 40.0}],
            recipes=[
                {"recipe": "A/L", "product": "A", "line": "L", "hours_per_unit": 1.0, "lead_days": 1.0}
                | {"setup_hours": setup, "cost_per_unit": 1.0}
            ],
        )
    )
    (row,) = [r for r in found.gaps.to_pylist() if r["demand_units"] > 0]
    assert (row["lost_units"], row["on_time_units"]) == (120.0 + setup, 40.0 - setup)
    assert (row["binding"], row["needed_unit"], row["binding_bucket"]) == ("L", "hour", MONDAY)


def test_a_circle_of_lanes_ends():
    """A is made at F and goes back and forth; the line there is what is short."""
    recipes = [{"recipe": "A/L", "product": "A", "line": "L", "hours_per_unit": 1.0, "setup_hours": 2.0}]
    lines = [{"line": "L", "site": "F", "hours_per_week": 40.0}]
    sites = [{"site": s, "kind": "factory"} for s in ("F", "G")]
    lanes = [
        {"lane": f"{a}-{b}", "from_site": a, "to_site": b, "lead_days": 0.0, "cost_per_unit": 1.0}
        for a, b in (("F", "G"), ("G", "F"))
    ]
    found = cleared(state_of(recipes=recipes, lines=lines, sites=sites, lanes=lanes, market="G"))
    assert {r["binding"] for r in found.gaps.to_pylist()} == {"L"}


def test_a_part_is_traced_to_the_line_that_makes_it():
    """ASSY has hours for all; WELD makes 20 frames a week, each for one A."""
    tables: dict[str, list[dict[str, Any]]] = {
        "products": [{"product": "A", "price": 100.0}, {"product": "P", "kind": "component", "price": 10.0}],
        "lines": [{"line": "ASSY", "hours_per_week": 500.0}, {"line": "WELD", "hours_per_week": 20.0}],
        "recipes": [
            {"recipe": "A/1", "product": "A", "line": "ASSY", "hours_per_unit": 1.0, "setup_cost": 1.0},
            {"recipe": "P/1", "product": "P", "line": "WELD", "hours_per_unit": 1.0},
        ],
        "components": [{"product": "A", "component": "P", "units_per_unit": 1.0}],
    }
    found = cleared(state_of(asked=50.0, **tables)).gaps.to_pylist()
    assert {(r["binding"], r["needed_unit"]) for r in found} == {("WELD", "hour")}
    assert [r["needed_amount"] for r in found] == pytest.approx([30.0] * 3)


def test_what_was_due_before_and_is_served_at_once_is_late_for_no_want_of_anything():
    """10 were due a week ago, and 50 lie there."""
    state = state_of(
        weeks=2,
        asked=5.0,
        stock=[{"happened_at": datetime(2026, 1, 4, tzinfo=UTC), "product": "A", "units": 50.0}],
    )
    late = [{"demand": "old", "product": "A", "due": date(2025, 12, 29), "units": 10.0}]
    rows = [*state.table("demand").select(["demand", "product", "due", "units"]).to_pylist(), *late]
    settings = ChainSettings("t", horizon_buckets=2, max_late_days=28)
    tables = {name: state.table(name) for name in ("products", "stock")} | {"demand": pa.Table.from_pylist(rows)}
    first = cleared(state_of_tables(settings, state.as_of, tables)).gaps.sort_by("bucket").to_pylist()[0]
    assert (first["demand_units"], first["on_time_units"], first["late_units"]) == (15.0, 5.0, 10.0)
    assert (first["binding"], first["needed_days"], first["needed_amount"]) == ("", 0, None)


@pytest.mark.parametrize(("most", "made"), [(10_000, 60.0), (0, 0.0)])
def test_a_lot_over_two_weeks_is_formed_in_small_chains_and_told_in_large_ones(
    monkeypatch: pytest.MonkeyPatch, most: int, made: float
):
    """A lot of 60 at an hour each on 40 a week."""
    monkeypatch.setattr(network_facts, "LONG_LOTS_UP_TO", most)
    recipes = [{"recipe": "A/L", "product": "A", "line": "L", "hours_per_unit": 1.0, "min_lot_units": 60.0}]
    state = state_of(asked=30.0, recipes=recipes, lines=[{"line": "L", "hours_per_week": 40.0}])
    decision = decide(head(state, nothing_learnt(), 0))
    quantities = decision.clearing.quantities.to_pylist()
    assert sum(r["units"] for r in quantities if r["kind"] == "make") == pytest.approx(made)
    assert [f.code for f in decision.findings] == ([] if made else ["hours"])


@settings(max_examples=10, deadline=None)
@given(
    st.lists(st.integers(5, 40), min_size=8, max_size=8),
    st.sampled_from([1.0, 5.0, 10.0]),
    st.sampled_from([30.0, 60.0, 200.0]),
    st.sampled_from([7.0, 14.0, 21.0]),
    st.integers(0, 40),
    st.integers(0, 10),
)
def test_a_component_that_is_named_binds(asked, lot, hours, lead, lamps_there, shades_there):
    """A lamp takes two bulbs, a lantern one and a shade: with more of what is named in stock, the plan costs less."""

    def clearing(more: dict[str, float]) -> Clearing:
        there = {"bulb": lamps_there, "shade": shades_there}
        recipes = [
            {"recipe": f"{name}/L", "product": name, "line": "L", "hours_per_unit": each, "cost_per_unit": 1.0}
            | {"min_lot_units": lot, "setup_hours": 2.0}
            for name, each in (("lamp", 1.0), ("lantern", 1.5))
        ]
        parts = [("lamp", "bulb", 2.0), ("lantern", "bulb", 1.0), ("lantern", "shade", 1.0)]
        tables = {
            "products": [
                *({"product": name, "price": 100.0} for name in ("lamp", "lantern")),
                *({"product": name, "kind": "component", "price": 1.0} for name in there),
            ],
            "recipes": recipes,
            "components": [{"product": p, "component": c, "units_per_unit": n} for p, c, n in parts],
            "lines": [{"line": "L", "hours_per_week": hours}],
            "offers": [
                {"offer": f"O{name}", "product": name, "price": 1.0, "lead_days": days}
                for name, days in (("bulb", lead), ("shade", 7.0))
            ],
            "stock": [
                {"product": name, "happened_at": MONDAY - timedelta(days=1), "units": units + more.get(name, 0.0)}
                for name, units in there.items()
            ],
            "demand": [
                {"demand": f"d{i}", "product": ("lamp", "lantern")[i % 2], "market": "all", "units": float(units)}
                | {"due": MONDAY + timedelta(weeks=i // 2)}
                for i, units in enumerate(asked)
            ],
        }
        return cleared(state_of(weeks=4, **tables))

    found = clearing({})
    cost = sum(found.cost.values())
    named = {(r["binding"], r["needed_amount"]) for r in found.gaps.to_pylist() if r["needed_amount"]}
    for name, amount in sorted(named, key=str):
        if name in ("bulb", "shade"):
            assert sum(clearing({name: amount}).cost.values()) < cost


FACTORY: dict[str, list[dict[str, Any]]] = {
    "sites": [{"site": s, "kind": "factory"} for s in ("F", "G")],
    "lines": [{"line": "L", "site": "F", "hours_per_week": 40.0}],
    "recipes": [{"recipe": "A/L", "product": "A", "line": "L", "hours_per_unit": 0.5, "cost_per_unit": 1.0}],
    "lanes": [{"lane": "F-G", "from_site": "F", "to_site": "G", "lead_days": 0.0, "cost_per_unit": 1.0}],
}


def test_a_stock_point_is_traced_to_the_line_behind_it():
    """A is made at F and asked for at G: what is short at G are the hours at F, and one makes two more of 100 each."""
    found = cleared(state_of(market="G", **FACTORY)).gaps.to_pylist()
    told = [(r["binding"], r["needed_unit"], r["needed_amount"], round(r["binding_price"], 3)) for r in found]
    assert told == [("L", "hour", 60.0, 196.0)] * 3


def test_a_stock_point_is_traced_to_the_lane_behind_it():
    lanes = [FACTORY["lanes"][0] | {"units_per_week": 50.0}]
    found = cleared(state_of(market="G", **FACTORY | {"lanes": lanes})).gaps.to_pylist()
    told = [(r["binding"], r["needed_unit"], r["needed_amount"], round(r["binding_price"], 3)) for r in found]
    assert told == [("F-G", "unit", 150.0, 98.0)] * 3


def test_a_lane_that_rounding_to_whole_units_leaves_a_little_of_is_full():
    """10 units a week, of A 4.6 and of B the rest: in whole units 4 and 5, and one unit more would be one more of B."""
    recipes = [FACTORY["recipes"][0] | {"hours_per_unit": 1.0}, {"recipe": "B/K", "product": "B", "cost_per_unit": 1.0}]
    recipes[1] |= {"line": "K", "hours_per_unit": 0.01}
    tables = FACTORY | {
        "products": [{"product": "A", "price": 100.0}, {"product": "B", "price": 80.0}],
        "recipes": recipes,
        "lines": [
            {"line": "L", "site": "F", "hours_per_week": 4.6},
            {"line": "K", "site": "F", "hours_per_week": 40.0},
        ],
        "lanes": [FACTORY["lanes"][0] | {"units_per_week": 10.0}],
        "demand": [
            {"demand": f"{p}{t}", "product": p, "market": "G", "due": MONDAY + timedelta(weeks=t), "units": 20.0}
            for p in "AB"
            for t in range(3)
        ],
    }
    found = cleared(state_of(**tables))
    prices = [(r["used"], round(r["price"], 3)) for r in found.prices.to_pylist() if r["what"] == "lane"]
    assert min(used for used, _ in prices) == 9.0
    assert [price for _, price in prices] == [78.0] * 3


def test_a_set_up_that_costs_more_than_the_lateness_it_saves_is_not_promised():
    """One unit more than 40 hours make is late, for 2; M lacks less for it, but its set-up costs 30."""
    recipes = [{"recipe": "A/L", "product": "A", "line": "L", "hours_per_unit": 1.0, "setup_cost": 30.0}]
    economics = [{"product": "A", "late_cost_per_unit_week": 2.0, "holding_cost_per_unit_week": 0.1}]
    demand = [request(f"d{t}", units, t) for t, units in ((0, 41.0), (1, 10.0))]
    more = {"line": "M", "hours_per_unit": 1.0, "recipe": "A/M", "min_lot_units": 5.0}
    tables = {"recipes": [*recipes, recipes[0] | more], "economics": economics, "demand": demand}
    lines = [{"line": "L", "hours_per_week": 40.0}, {"line": "M", "hours_per_week": 4.5}]
    settings = ChainSettings("t", horizon_buckets=3, max_late_days=14)
    state = state_of(lines=lines, **tables)
    late = cleared(state_of_tables(settings, state.as_of, {n: state.table(n) for n in (*tables, "lines", "products")}))
    told = [(r["late_units"], r["binding"]) for r in late.gaps.to_pylist() if r["late_units"] > 0]
    assert told == [(1.0, "L")]


def test_a_component_must_be_there_when_it_is_first_short():
    """20 P lie there, and 10 of them are for the second week: what more is made in the first is short then."""
    tables: dict[str, list[dict[str, Any]]] = {
        "products": [{"product": "A", "price": 100.0}, {"product": "P", "kind": "component", "price": 1.0}],
        "recipes": [{"recipe": "A/1", "product": "A", "cost_per_unit": 1.0, "setup_cost": 1.0}],
        "components": [{"product": "A", "component": "P", "units_per_unit": 1.0}],
        "offers": [{"offer": "O", "product": "P", "price": 1.0, "lead_days": 28.0}],
        "stock": stock_of(20.0, product="P"),
        "demand": [request("now", 15.0, 0), request("next", 10.0, 1, priority=1)],
    }
    found = cleared(state_of(**tables))
    told = [(r["lost_units"], r["binding"], r["needed_amount"], r["binding_bucket"]) for r in found.gaps.to_pylist()]
    assert told[:2] == [(5.0, "P", 5.0, MONDAY + timedelta(weeks=1)), (0.0, "", None, None)]


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 1)), min_size=8, max_size=8),
    st.sampled_from([5.0, 20.0]),
    st.sampled_from([0.0, 40.0]),
)
def test_with_the_hours_that_are_named_in_their_week_the_plan_costs_less(asked, lot, setup_cost):
    """Two products share a line; the days of a week have more hours by what is named."""

    def clearing(more: float, week: date) -> Clearing:
        recipes = [
            {"recipe": f"{p}/L", "product": p, "line": "L", "hours_per_unit": each, "cost_per_unit": 1.0}
            | {"setup_hours": 2.0, "setup_cost": setup_cost, "min_lot_units": lot, "lead_days": 3.0 * (p == "B")}
            for p, each in (("A", 1.0), ("B", 0.5))
        ]
        days = [{"line": "L", "from": week, "to": week + timedelta(weeks=1), "hours": 40.0 + more}]
        demand = [
            request(f"r{i}", float(units), i // 2, priority=priority, product="AB"[i % 2])
            for i, (units, priority) in enumerate(asked)
            if units
        ]
        products = [{"product": p, "price": 40.0} for p in "AB"]
        lines = [{"line": "L", "hours_per_week": 40.0}]
        return cleared(
            state_of(weeks=4, products=products, recipes=recipes, lines=lines, line_calendar=days, demand=demand)
        )

    found = clearing(0.0, MONDAY)
    named = {(r["needed_amount"], r["binding_bucket"]) for r in found.gaps.to_pylist() if r["needed_unit"] == "hour"}
    for amount, week in sorted(named)[:3]:
        assert sum(clearing(amount, week).cost.values()) < sum(found.cost.values()), (amount, week)


def kept_rows(clearing: Clearing) -> list[tuple[Any, ...]]:
    columns = ("product", "binding", "needed_amount", "needed_unit", "kept_units", "kept_for")
    return [tuple(r[c] for c in columns) for r in clearing.gaps.to_pylist() if r["late_units"] + r["lost_units"] > 0.01]


def request(key: str, units: float, week: int, priority: int = 0, **own: Any) -> dict[str, Any]:
    due = MONDAY + timedelta(weeks=week)
    return {"demand": key, "product": "A", "market": "all", "due": due, "units": units, "priority": priority} | own


def stock_of(units: float, **own: Any) -> list[dict[str, Any]]:
    return [{"product": "A", "happened_at": MONDAY - timedelta(days=1), "units": units} | own]


@pytest.mark.parametrize("setup", [0.0, 2.0])
def test_stock_that_is_kept_for_a_request_of_more_weight_is_told(setup: float):
    """30 lie there, and 10 hours make 10 for next week, of which 40 are promised to one that counts twice."""
    demand = [request("plain", 20.0, 0), request("dear", 40.0, 1, priority=1)]
    recipes = [{"recipe": "A/L", "product": "A", "line": "L", "hours_per_unit": 1.0, "lead_days": 3.0}]
    recipes[0] |= {"setup_hours": setup}
    lines = [{"line": "L", "hours_per_week": 10.0 + setup}]
    found = cleared(state_of(demand=demand, stock=stock_of(30.0), recipes=recipes, lines=lines))
    assert kept_rows(found) == [("A", "A", 20.0, "unit", 20.0, "dear (2026-01-12)")]


@pytest.mark.parametrize("setup", [0.0, 2.0])
def test_stock_that_is_kept_is_no_cause_of_what_it_could_not_serve(setup: float):
    """15 lie there for the dear request of next week, and 30 of the plain one are missing: had they been delivered, the
    other 15 would still wait for hours of the full line, which serve all 30."""
    demand = [request("plain", 40.0, 0), request("dear", 25.0, 1, priority=1)]
    recipes = [{"recipe": "A/L", "product": "A", "line": "L", "hours_per_unit": 1.0, "setup_hours": setup}]
    lines = [{"line": "L", "hours_per_week": 10.0 + setup}]
    found = cleared(state_of(demand=demand, stock=stock_of(15.0), recipes=recipes, lines=lines))
    (row,) = kept_rows(found)
    assert (row[1], row[3], row[4:]) == ("L", "hour", (None, None))
    assert row[2] == pytest.approx(30.0)


def test_stock_that_lies_at_an_end_of_the_lanes_is_kept_too():
    """The market is served from both depots; what lies at one of them is for the dearer request of next week."""
    sites = [{"site": s, "kind": "warehouse"} for s in ("F", "N", "S")]
    lanes = [{"lane": f"F-{s}", "from_site": "F", "to_site": s, "lead_days": 3.0} for s in ("N", "S")]
    demand = [request("plain", 20.0, 0), request("dear", 40.0, 1, priority=1)]
    stock = stock_of(15.0, site="N") + stock_of(25.0, site="S")
    offers = [{"offer": "O", "product": "A", "price": 1.0, "lead_days": 14.0, "to_site": "F"}]
    found = cleared(state_of(demand=demand, stock=stock, sites=sites, lanes=lanes, offers=offers))
    assert kept_rows(found) == [("A", "A", 20.0, "unit", 20.0, "dear (2026-01-12)")]


def test_what_nobody_takes_later_is_not_kept():
    """The line is full and nothing is left at the end of a week."""
    recipes = [{"recipe": "A/L", "product": "A", "line": "L", "hours_per_unit": 1.0}]
    found = cleared(state_of(recipes=recipes, lines=[{"line": "L", "hours_per_week": 40.0}]))
    assert {row[-1] for row in kept_rows(found)} == {None}


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 2)), min_size=6, max_size=6), st.integers(0, 80))
def test_no_stock_lies_there_without_a_word_while_a_request_goes_without(asked, there):
    """Whatever the weights: where as many lie there as are missing, for whom they are kept is told, who takes them."""
    demand = [request(f"r{i}", float(u), i // 2, priority=p) for i, (u, p) in enumerate(asked) if u]
    recipes = [{"recipe": "A/L", "product": "A", "line": "L", "hours_per_unit": 1.0, "lead_days": 3.0}]
    recipes[0] |= {"setup_hours": 2.0, "min_lot_units": 5.0}
    lines = [{"line": "L", "hours_per_week": 20.0}]
    found = cleared(state_of(demand=demand, stock=stock_of(float(there)), recipes=recipes, lines=lines))
    closing = {r["bucket"]: r["closing_units"] for r in found.flow.to_pylist()}
    took = {(r["demand"], r["bucket"]) for r in found.deliveries.to_pylist() if r["bucket"] is not None}
    for row in found.gaps.to_pylist():
        missing = row["late_units"] + row["lost_units"]
        if missing > 0.01 and closing.get(row["bucket"], 0.0) >= missing:
            assert row["kept_units"] > 0
            first = row["kept_for"].split(" ")[0]
            assert any(key == first and bucket > row["bucket"] for key, bucket in took)


def test_an_order_that_comes_late_because_its_line_is_full_waits_for_the_line():
    """B fills L in the first week and counts more. A's lot of 20, set-up 60 of money, is made in the second week, late
    for 8: a lot of their own would cost more than their lateness, 8 x 5, but moved to the first week, with the hours
    of it, nothing is late."""
    recipes = [
        {"recipe": f"{p}/L", "product": p, "line": "L", "hours_per_unit": 1.0, "cost_per_unit": 1.0}
        | {"setup_cost": 60.0, "min_lot_units": 20.0}
        for p in "AB"
    ]
    economics = [
        {
            "product": p,
            "holding_cost_per_unit_week": 0.1,
            "late_cost_per_unit_week": late,
            "lost_sale_cost_per_unit": 99.0,
        }
        for p, late in (("A", 5.0), ("B", 50.0))
    ]
    asked = [("A", 0, 8.0), ("A", 1, 12.0), ("B", 0, 35.0)]
    tables = {
        "products": [{"product": p, "price": 100.0} for p in "AB"],
        "recipes": recipes,
        "economics": economics,
        "lines": [{"line": "L", "hours_per_week": 40.0}],
        "demand": [
            {"demand": f"{p}{t}", "product": p, "market": "all", "due": MONDAY + timedelta(weeks=t), "units": units}
            for p, t, units in asked
        ],
    }
    rows = cleared(state_of(**tables, late_days=21)).gaps.to_pylist()
    (late,) = [r for r in rows if r["late_units"] > 0]
    assert (late["product"], late["bucket"], late["late_units"]) == ("A", MONDAY, 8.0)
    assert (late["binding"], late["needed_unit"], late["needed_amount"]) == ("L", "hour", 15.0)
    more = [{"line": "L", "from": MONDAY, "to": MONDAY + timedelta(weeks=1), "hours": 55.0}]
    after = cleared(state_of(**tables, line_calendar=more, late_days=21)).gaps.to_pylist()
    assert [r["late_units"] for r in after if r["late_units"] > 0] == []


def test_hours_that_are_lacking_beside_overtime_that_is_too_dear_are_not_what_is_missing():
    """One unit of two hours more would take the hour that is left and, with what it lacks given, two of overtime at 45:
    more than the 5 that its lateness costs."""
    recipes = [{"recipe": "A/L", "product": "A", "line": "L", "hours_per_unit": 2.0, "cost_per_unit": 1.0}]
    recipes[0] |= {"setup_cost": 1.0, "min_lot_units": 2.0}
    economics = [
        {
            "product": "A",
            "holding_cost_per_unit_week": 0.1,
            "late_cost_per_unit_week": 5.0,
            "lost_sale_cost_per_unit": 99.0,
        }
    ]
    days = {"line": "L", "from": MONDAY, "to": MONDAY + timedelta(weeks=1), "hours": 40.0}
    more = [days | {"overtime_hours": 1.9, "overtime_cost_per_hour": 45.0}]
    demand = [
        {"demand": f"d{t}", "product": "A", "market": "all", "due": MONDAY + timedelta(weeks=t), "units": units}
        for t, units in enumerate((21.0, 5.0))
    ]
    tables = {"recipes": recipes, "economics": economics, "demand": demand}
    tables["lines"] = [{"line": "L", "hours_per_week": 40.0}]
    rows = cleared(state_of(**tables, line_calendar=more, late_days=21)).gaps.to_pylist()
    (late,) = [r for r in rows if r["late_units"] > 0]
    assert (late["late_units"], late["binding"], late["needed_amount"]) == (1.0, "", None)


def short_of_two(hours: float, limit: float) -> Clearing:
    """60 A are wanted a week; each takes an hour of L, and a P, which O brings."""
    return cleared(
        state_of(
            asked=60.0,
            products=[{"product": "A", "price": 100.0}, {"product": "P", "kind": "component", "price": 1.0}],
            recipes=[{"recipe": "R", "product": "A", "line": "L", "hours_per_unit": 1.0, "setup_cost": 1.0}],
            components=[{"product": "A", "component": "P", "units_per_unit": 1.0}],
            lines=[{"line": "L", "hours_per_week": hours}],
            offers=[{"offer": "O", "product": "P", "price": 1.0, "units_per_week": limit, "lead_days": 0.0}],
        )
    )


def test_where_two_things_are_short_both_are_named():
    """40 hours and 45 P a week: with the hours that are short alone 45 are made, with the P alone none more."""
    found = short_of_two(40.0, 45.0)
    told = [(r["binding"], r["short_too"], r["needed_amount"]) for r in found.gaps.to_pylist()]
    assert told == [("L", ["O"], None)] * 3
    cost = sum(found.cost.values())
    assert sum(short_of_two(40.0, 60.0).cost.values()) == pytest.approx(cost)
    alone = short_of_two(60.0, 45.0).gaps.to_pylist()
    assert [(r["binding"], r["short_too"], r["needed_amount"]) for r in alone] == [("O", None, 15.0)] * 3
    assert [r["lost_units"] for r in short_of_two(60.0, 60.0).gaps.to_pylist()] == [0.0] * 3


def test_what_an_order_takes_whatever_its_size_is_counted_before_more_is_promised():
    """One A of the first week is late, for 2: an order of its own would take a P, of which none is there, and three N
    at 5 each that nobody would pay for it."""
    recipes = [{"recipe": "R", "product": "A", "cost_per_unit": 1.0, "setup_cost": 0.5}]
    parts = [
        {"product": "A", "component": "P", "units_per_unit": 1.0, "units_per_lot": 0.0},
        {"product": "A", "component": "N", "units_per_unit": 1.0, "units_per_lot": 3.0},
    ]
    found = cleared(
        state_of(
            weeks=2,
            late_days=14,
            demand=[request("d0", 1.0, 0), request("d1", 10.0, 1)],
            products=[
                {"product": "A", "price": 100.0},
                *({"product": p, "kind": "material", "price": price} for p, price in (("P", 1.0), ("N", 5.0))),
            ],
            economics=[{"product": "A", "late_cost_per_unit_week": 2.0, "holding_cost_per_unit_week": 0.1}],
            recipes=recipes,
            components=parts,
            offers=[
                {"offer": f"O{p}", "product": p, "price": price, "lead_days": lead}
                for p, price, lead in (("P", 1.0, 7.0), ("N", 5.0, 0.0))
            ],
        )
    ).gaps.to_pylist()
    assert [(r["late_units"], r["binding"]) for r in found if r["late_units"] > 0] == [(1.0, "")]


def test_what_is_lost_for_its_price_is_told_apart_from_what_is_late_for_want_of_hours():
    """15 hours a week, and 20 R lie there, and an order of more costs 400. Of 22 A, which wait for two weeks,
    15 are made at once, 5 a week later for want of hours, and 2, at 10 each, do not pay for that."""
    found = cleared(
        state_of(
            late_days=14,
            demand=[request("d", 22.0, 0)],
            products=[{"product": "A", "price": 10.0}, {"product": "R", "kind": "material", "price": 1.0}],
            economics=[
                {"product": "A", "late_cost_per_unit_week": 0.5, "holding_cost_per_unit_week": 0.1}
                | {"lost_sale_cost_per_unit": 10.0}
            ],
            recipes=[{"recipe": "A/L", "product": "A", "line": "L", "hours_per_unit": 1.0, "setup_cost": 1.0}],
            components=[{"product": "A", "component": "R", "units_per_unit": 1.0}],
            lines=[{"line": "L", "hours_per_week": 15.0}],
            offers=[{"offer": "O", "product": "R", "price": 1.0, "cost_per_order": 400.0, "lead_days": 0.0}],
            stock=stock_of(20.0, product="R"),
        )
    )
    (row,) = (r for r in found.gaps.to_pylist() if r["demand_units"] > 0)
    assert [row[f"{name}_units"] for name in ("on_time", "late", "lost")] == [15.0, 5.0, 2.0]
    assert (row["binding"], row["needed_amount"]) == ("L", 5.0)
    assert (row["lost_binding"], row["lost_binding_bucket"], row["lost_needed_amount"]) == ("", MONDAY, None)
    told = short_by_cause({"gaps": found.gaps}, {})
    assert {(r["cause"], r["binding"]): r["units"] for r in told if r["units"]} == {
        ("scarce", "L"): 5.0,
        ("dearer", ""): 2.0,
    }


@pytest.mark.parametrize("setup_cost", [0.0, 1.0])
def test_what_is_late_for_want_of_hours_and_what_is_lost_for_want_of_material_are_told_apart(setup_cost: float):
    """10 hours a week, and 25 M. Of 30 A that wait, 10 are made at once, 15 later for want of hours; 5 are never made
    for want of M, of which no more can come: hours that are free in the last week make none of them. With 15 hours more
    in the first week none is late, and as many are lost; with 5 M more none is lost, and more are late."""

    def told(first: float = 10.0, there: float = 25.0) -> Clearing:
        span = {"line": "L", "from": MONDAY, "to": MONDAY + timedelta(weeks=1), "hours": first}
        return cleared(
            state_of(
                late_days=28,
                weeks=4,
                demand=[request("d", 30.0, 0)],
                products=[{"product": "A", "price": 100.0}, {"product": "M", "kind": "material", "price": 1.0}],
                economics=[{"product": "A", "late_cost_per_unit_week": 2.0, "lost_sale_cost_per_unit": 100.0}],
                recipes=[{"recipe": "R", "product": "A", "line": "L", "hours_per_unit": 1.0, "setup_cost": setup_cost}],
                components=[{"product": "A", "component": "M", "units_per_unit": 1.0}],
                lines=[{"line": "L", "hours_per_week": 10.0}],
                line_calendar=[span],
                offers=[{"offer": "O", "product": "M", "price": 1.0, "lead_days": 90.0}],
                stock=stock_of(there, product="M"),
            )
        )

    def units(found: Clearing) -> list[float]:
        (row,) = (r for r in found.gaps.to_pylist() if r["demand_units"] > 0)
        return [row[f"{name}_units"] for name in ("on_time", "late", "lost")]

    found = told()
    (row,) = (r for r in found.gaps.to_pylist() if r["demand_units"] > 0)
    assert units(found) == [10.0, 15.0, 5.0]
    assert (row["binding"], row["binding_bucket"], row["needed_amount"], row["short_too"]) == ("L", MONDAY, 15.0, None)
    assert (row["lost_binding"], row["lost_needed_amount"], row["lost_short_too"]) == ("M", 5.0, None)
    assert (row["needed_unit"], row["lost_needed_unit"]) == ("hour", "unit")
    assert {(r["cause"], r["binding"]): r["units"] for r in short_by_cause({"gaps": found.gaps}, {}) if r["units"]} == {
        ("scarce", "L"): 15.0,
        ("scarce", "M"): 5.0,
    }
    assert units(told(first=25.0)) == [25.0, 0.0, 5.0]
    assert units(told(there=30.0)) == [10.0, 20.0, 0.0]


def test_what_comes_only_besides_another_product_waits_for_what_that_takes():
    """A start of A brings an O too. 20 M lie there, and no more come in the first week: 20 O are on time, and 10 late
    for want of 10 M, not for want of time. Nobody wants more A than are made in the end."""

    def told(there: float) -> list[tuple[Any, ...]]:
        found = cleared(
            state_of(
                late_days=28,
                demand=[request("a", 30.0, 1), request("o", 30.0, 0, product="O")],
                products=[
                    {"product": "A", "price": 100.0},
                    {"product": "O", "price": 20.0},
                    {"product": "M", "kind": "material", "price": 1.0},
                ],
                economics=[
                    {"product": p, "late_cost_per_unit_week": 2.0, "holding_cost_per_unit_week": 0.1} for p in "AO"
                ],
                recipes=[{"recipe": "R", "product": "A", "line": "L", "hours_per_unit": 1.0}],
                recipe_outputs=[{"recipe": "R", "product": "O", "units_per_unit": 1.0}],
                components=[{"product": "A", "component": "M", "units_per_unit": 1.0}],
                lines=[{"line": "L", "hours_per_week": 40.0}],
                offers=[{"offer": "V", "product": "M", "price": 1.0, "lead_days": 7.0}],
                stock=stock_of(there, product="M"),
            )
        )
        names = ("late_units", "lost_units", "binding", "binding_bucket", "needed_amount")
        rows = [r for r in found.gaps.to_pylist() if r["product"] == "O" and r["demand_units"] > 0]
        return [tuple(r[name] for name in names) for r in rows]

    assert told(20.0) == [(10.0, 0.0, "M", MONDAY, 10.0)]
    assert told(30.0)[0][:2] == (0.0, 0.0)


def test_what_was_due_before_the_plan_waits_for_nothing_beside_what_lacks_hours():
    """5 are overdue and served at once; of the 10 of the first week 5 lack hours: 5 are late for that, not 10."""
    found = cleared(
        state_of(
            late_days=28,
            demand=[request("owed", 5.0, -1), request("d", 10.0, 0)],
            recipes=[{"recipe": "R", "product": "A", "line": "L", "hours_per_unit": 1.0, "setup_cost": 1.0}],
            lines=[{"line": "L", "hours_per_week": 10.0}],
        )
    )
    first = found.gaps.to_pylist()[0]
    assert (first["late_units"], first["was_due_units"], first["needed_amount"]) == (10.0, 5.0, 5.0)
    told = {(r["cause"], r["binding"]): r["units"] for r in short_by_cause({"gaps": found.gaps}, {}) if r["units"]}
    assert told == {("scarce", "L"): 5.0, ("was_due", ""): 5.0}


def test_a_component_that_others_would_leave_for_another_one_is_not_short():
    """20 hours make 20 of 30 A, a P each. B takes the last 10 P, for Q is a little dearer; but Q lies there, so that
    hours alone are short: with ten more B takes Q."""

    def told(hours: float) -> list[tuple[Any, ...]]:
        uses = [("A", "P", None, 0.0), ("B", "P", "g", 0.0), ("B", "Q", "g", 0.5)]
        found = cleared(
            state_of(
                weeks=2,
                demand=[request("a", 30.0, 0), request("b", 10.0, 0, product="B")],
                products=[
                    *({"product": p, "price": 100.0, "kind": "finished"} for p in "AB"),
                    *({"product": p, "price": 1.0, "kind": "material"} for p in "PQ"),
                ],
                recipes=[
                    {"recipe": f"{p}/{line}", "product": p, "line": line, "hours_per_unit": 1.0, "setup_cost": 1.0}
                    for p, line in ("AL", "BK")
                ],
                components=[
                    {"product": p, "component": c, "units_per_unit": 1.0, "alternate_group": group}
                    | {"alternate_cost_per_unit": cost}
                    for p, c, group, cost in uses[::-1]
                ],
                lines=[{"line": "L", "hours_per_week": hours}, {"line": "K", "hours_per_week": 40.0}],
                offers=[{"offer": f"O{p}", "product": p, "price": 1.0, "lead_days": 28.0} for p in "PQ"],
                stock=[*stock_of(30.0, product="P"), *stock_of(50.0, product="Q")],
            )
        )
        rows = [r for r in found.gaps.to_pylist() if r["product"] == "A" and r["demand_units"] > 0]
        return [(r["lost_units"], r["binding"], r["short_too"], r["needed_amount"]) for r in rows]

    assert told(20.0) == [(10.0, "L", None, 10.0)]
    assert [lost for lost, *_ in told(30.0)] == [0.0]


def test_what_takes_several_steps_takes_the_days_of_all_of_them():
    """A day for the first step and two for the second: what is wanted in the first week would be there after three."""
    step = {"recipe": "A", "hours_per_unit": 1.0, "line": "L"}
    steps = [step | {"step": f"s{n}", "sequence": n, "lead_days": float(n)} for n in (1, 2)]
    found = cleared(
        state_of(
            late_days=14,
            asked=5.0,
            recipes=[{"recipe": "A", "product": "A", "cost_per_unit": 1.0}],
            recipe_steps=steps,
            lines=[{"line": "L", "hours_per_week": 40.0}],
        )
    )
    first = next(r for r in found.gaps.to_pylist() if r["bucket"] == MONDAY)
    assert (first["late_units"] > 0, first["soonest_days"]) == (True, 3)
