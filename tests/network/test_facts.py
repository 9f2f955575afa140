"""What stock and orders under way fix before anything is planned, by hand."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from datong.ledger.state import State, in_state_schema, state_of_tables
from datong.model.flow import nothing_learnt
from datong.model.settings import ChainSettings
from datong.network.committed import committed
from datong.network.doubts_before_planning import review
from datong.network.facts import chain_facts
from datong.network.planned_demand import response_buckets
from datong.network.position import Position, UnderWay
from datong.network.rule_facts import _firm_shares
from datong.network.ways import Way

MONDAY = date(2026, 1, 5)
STARTS = tuple(MONDAY + timedelta(weeks=w) for w in range(3))


def test_what_comes_is_the_yield_of_the_units_still_to_be_started() -> None:
    """A takes an hour and 2 C, of which 4 of 5 are good. 100 C in stock.

    W1: 10 start in week 1 and come in week 2: 8 A, 10 hours, 20 C. W2: started last week, due now, 5 left: 4 A, its
    hours are spent, its 10 C still in the records. W3: overdue, 5 left, made now: 4 A, 5 hours, 10 C. W4: was to start
    last week and nobody says that it did, due now: made now, 4 A, 5 hours, 10 C.
    """
    settings = ChainSettings("t")
    tables = {
        "products": [{"product": "A"}, {"product": "C", "kind": "component"}],
        "lines": [{"line": "L", "hours_per_week": 40.0}],
        "recipes": [{"recipe": "R", "product": "A", "line": "L", "hours_per_unit": 1.0, "yield_share": 0.8}],
        "components": [{"product": "A", "component": "C", "units_per_unit": 2.0}],
    }
    state = state_of_tables(
        settings,
        settings.calendar.midnight(MONDAY),
        {name: pa.Table.from_pylist(rows) for name, rows in tables.items()},
    )
    week = timedelta(weeks=1)
    under_way = (
        UnderWay("W3", "make", "A", "R", None, 5.0, MONDAY - 2 * week, MONDAY - week),
        UnderWay("W2", "make", "A", "R", "L", 5.0, MONDAY - week, MONDAY, stage="begun"),
        UnderWay("W4", "make", "A", "R", "L", 5.0, MONDAY - week, MONDAY),
        UnderWay("W1", "make", "A", "R", "L", 10.0, STARTS[1], STARTS[2]),
        UnderWay("P1", "buy", "C", None, None, 7.0, MONDAY, STARTS[1]),
    )
    facts = chain_facts(state, STARTS, nothing_learnt())
    found = committed(facts, Position({"C": 100.0}, {}, {}, under_way), STARTS, settings.calendar, 0)
    assert found.units["A"].tolist() == [12.0, 0.0, 8.0]
    assert found.hours["L"].tolist() == [10.0, 10.0, 0.0]
    assert found.units["C"].tolist() == [70.0, 7.0 - 20.0, 0.0]


def test_the_response_is_review_frozen_buckets_and_the_lead_times_of_the_cheapest_ways() -> None:
    """A by the cheap R1 takes 10 days, 2 weeks, of component C, bought in 7 days, 1 week; one frozen bucket, one of
    review: A 2 + 1 + 1 + 1 = 5, C 1 + 1 + 1 = 3. R2 would be there at once, but costs more. B has nothing: an implied
    offer of 7 days, 3."""
    settings = ChainSettings("t", frozen_buckets=1)
    tables = {
        "products": [{"product": "A"}, {"product": "B"}, {"product": "C", "kind": "component"}],
        "recipes": [
            {"recipe": "R1", "product": "A", "cost_per_unit": 1.0, "lead_days": 10.0},
            {"recipe": "R2", "product": "A", "cost_per_unit": 2.0, "lead_days": 0.0},
        ],
        "components": [{"product": "A", "component": "C", "units_per_unit": 2.0}],
        "offers": [{"offer": "O", "product": "C", "price": 1.0, "lead_days": 7.0}],
    }
    state = state_of_tables(
        settings,
        settings.calendar.midnight(MONDAY),
        {name: pa.Table.from_pylist(rows) for name, rows in tables.items()},
    )
    facts = chain_facts(state, STARTS, nothing_learnt())
    assert response_buckets(facts, STARTS, settings) == {"A": 5, "B": 3, "C": 3}


# versions -------------------------------------------------------------------------------------------


def dated(today: date = MONDAY, **tables: list[dict[str, Any]]) -> State:
    settings = ChainSettings("t")
    given = {"products": [{"product": "A"}, {"product": "C", "kind": "component"}]} | tables
    made = {}
    for name, rows in given.items():
        columns = {c: [row.get(c) for row in rows] for c in sorted({c for row in rows for c in row})}
        made[name] = in_state_schema(name, pa.table(columns))
    return state_of_tables(settings, settings.calendar.midnight(today), made)


def day(number: int) -> date:
    return MONDAY + timedelta(days=number)


RECIPES = [
    {"recipe": "R", "product": "A", "line": "L", "hours_per_unit": 1.0, "yield_share": 0.8},
    {"recipe": "R", "product": "A", "line": "L", "hours_per_unit": 0.5, "yield_share": 1.0, "valid_from": day(7)},
]
COMPONENTS = [
    {"product": "A", "component": "C", "units_per_unit": 2.0, "valid_to": day(14)},
    {"product": "A", "component": "C", "units_per_unit": 3.0, "valid_from": day(14)},
]
LINES = [{"line": "L", "hours_per_week": 40.0}]


def shown(ways: Sequence[Way]) -> list[tuple[object, ...]]:
    return [(w.name, w.recipe or w.offer, w.valid_from, w.valid_to) for w in ways]


def test_each_version_of_a_row_and_each_bill_is_a_way() -> None:
    state = dated(recipes=RECIPES, components=COMPONENTS, lines=LINES)
    ways = [w for w in chain_facts(state, STARTS, nothing_learnt()).ways if w.product == "A"]
    assert shown(ways) == [
        ("R", "R", None, day(7)),
        (f"R ({day(7)})", "R", day(7), day(14)),
        (f"R ({day(14)})", "R", day(14), None),
    ]
    facts = {w.name: (w.hours_per_unit, [(u.component, u.units_per_unit) for u in w.uses]) for w in ways}
    assert facts["R"] == (1.0, [("C", 2.0)])
    assert facts[f"R ({day(7)})"] == (0.5, [("C", 2.0)])
    assert facts[f"R ({day(14)})"] == (0.5, [("C", 3.0)])


def test_what_ends_or_begins_in_the_bucket_that_has_begun_has_done_so_by_today() -> None:
    """On Wednesday: O ended on Tuesday, P began on it, Q begins on Thursday and waits for the next bucket."""
    offers = [
        {"offer": "O", "product": "C", "price": 1.0, "valid_to": day(1)},
        {"offer": "P", "product": "C", "price": 1.0, "valid_from": day(1)},
        {"offer": "Q", "product": "C", "price": 1.0, "valid_from": day(3)},
    ]
    facts = chain_facts(dated(day(2), offers=offers), STARTS, nothing_learnt())
    ways_open, _ = facts.arrays.open_in(STARTS)
    found = {w.name: ways_open[i].tolist() for i, w in enumerate(facts.ways) if w.product == "C"}
    assert found == {"O": [False] * 3, "P": [True] * 3, "Q": [False, True, True]}


def test_no_supplier_is_assumed_of_what_has_ended_or_is_to_come() -> None:
    offers = [{"offer": "O", "product": "C", "price": 1.0, "valid_to": day(-20)}]
    recipes = [{"recipe": "R", "product": "A", "valid_from": day(300)}]
    facts = chain_facts(dated(offers=offers, recipes=recipes), STARTS, nothing_learnt())
    assert shown(facts.ways) == [("R", "R", day(300), None), ("O", "O", None, day(-20))]
    assert not facts.arrays.open_in(STARTS)[0].any()


def test_an_order_under_way_is_of_the_version_that_holds_when_it_starts() -> None:
    """W1 of the first week brings 0.8 of its 10 for 10 hours and 20 C; W2 of the second 10 for 5 hours and 20 C; W3 of
    the third 10 for 5 hours and 30 C; W0, which should have begun before, is made now, like W1."""
    state = dated(recipes=RECIPES, components=COMPONENTS, lines=LINES)
    facts = chain_facts(state, STARTS, nothing_learnt())
    under_way = tuple(
        UnderWay(f"W{i}", "make", "A", "R", None, 10.0, day(start), day(due))
        for i, (start, due) in enumerate([(-14, -7), (0, 0), (8, 8), (16, 16)])
    )
    found = committed(facts, Position({"C": 100.0}, {}, {}, under_way), STARTS, state.settings.calendar, 0)
    assert found.units["A"].tolist() == [16.0, 10.0, 10.0]
    assert found.hours["L"].tolist() == [20.0, 5.0, 5.0]
    assert found.units["C"].tolist() == [60.0, -20.0, -30.0]


def test_economics_that_change_count_with_their_mean_and_what_is_left_with_the_last() -> None:
    """Late costs 1, from the second week on 4: (1 + 4 + 4) / 3 = 3. A unit left counts 7, from the third week on 2."""
    rows = [
        {"product": "A", "late_cost_per_unit_week": 1.0, "lost_sale_cost_per_unit": 50.0, "salvage_per_unit": 7.0},
        {
            "product": "A",
            "late_cost_per_unit_week": 4.0,
            "lost_sale_cost_per_unit": 50.0,
            "salvage_per_unit": 7.0,
            "valid_from": day(7),
        },
        {
            "product": "A",
            "late_cost_per_unit_week": 4.0,
            "lost_sale_cost_per_unit": 50.0,
            "salvage_per_unit": 2.0,
            "valid_from": day(14),
        },
    ]
    offers = [{"offer": "O", "product": "A", "price": 30.0}]
    found = chain_facts(dated(economics=rows, offers=offers), STARTS, nothing_learnt()).economics["A"]
    assert (found.late_per_bucket, found.lost_sale, found.salvage) == (3.0, 50.0, 2.0)


def test_a_firm_s_share_counts_for_the_part_of_the_horizon_in_which_it_holds() -> None:
    """At least 0.6 in the last of three weeks: 0.2 of the horizon's hours; at most 0.7 from the second week on: 0.8."""
    shares = [
        {"firm": "F", "floor_share": 0.0, "ceiling_share": 0.7, "valid_from": day(7)},
        {"firm": "F", "floor_share": 0.6, "ceiling_share": 0.7, "valid_from": day(14)},
    ]
    (found,) = _firm_shares(dated(firm_shares=shares), STARTS)
    assert (found.floor, found.ceiling) == (pytest.approx(0.2), pytest.approx(0.8))


def test_demand_that_is_forecast_goes_on_though_a_firm_order_stands_beside_it() -> None:
    """A and B are sold each week, and 5 of A are ordered for next week: a unit of either that is left saves making one
    later, for 2. C, of which nothing but rows of demand is known, ends with them."""
    sales = [
        {"sale": f"{p}{w}", "product": p, "market": "all", "units": 9.0, "price": 9.0}
        | {"happened_at": datetime(2026, 1, 1, 12, tzinfo=UTC) - timedelta(weeks=w)}
        for p in "AB"
        for w in range(30)
    ]
    asked = {"market": "all", "units": 5.0, "due": STARTS[1], "firm": True}
    tables = {
        "products": [{"product": p, "price": 10.0} for p in "ABC"],
        "lines": [{"line": "L", "hours_per_week": 40.0}],
        "recipes": [{"recipe": p, "product": p, "line": "L", "cost_per_unit": 2.0} for p in "ABC"],
        "sales": sales,
        "demand": [{"demand": p, "product": p} | asked for p in "AC"],
    }
    settings = ChainSettings("t", horizon_buckets=3, time_zone="UTC")
    tables = {name: pa.Table.from_pylist(rows) for name, rows in tables.items()}
    state = state_of_tables(settings, settings.calendar.midnight(MONDAY), tables)
    economics = chain_facts(state, STARTS, nothing_learnt()).economics
    assert {p: economics[p].salvage for p in "ABC"} == {"A": 2.0, "B": 2.0, "C": 0.0}
    assert {p: economics[p].waiting_at_end for p in "AB"} == {"A": 2.0, "B": 2.0}
    (ends,) = [f for f in review(state) if f.code.startswith("demand_ends")]
    assert ends.code == "demand_ends_for_some" and dict(ends.found.params)["products"] == "C 2026-01-12"
    only = state.with_tables(sales=state.table("sales").slice(0, 0))
    assert "demand_ends" in [f.code for f in review(only)]
