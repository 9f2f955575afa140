"""Orders that are put together (`order_every_days`), by hand: one of a row and product in so many days."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from datong.balance.pack import pack
from datong.balance.solvers import cleared
from datong.cycle import CycleResult, head, run_cycle
from datong.ledger.state import State
from datong.model.flow import nothing_learnt
from datong.questions.replenish import replenish
from small_chain import MONDAY, chain

WEEK = timedelta(weeks=1)


def state(every: int, *asked: float, out: dict[int, str] | None = None, **more: list[dict[str, Any]]) -> State:
    """A bought at 2, there in the week of its order; holding 0.5 a week, late 5, lost 100. every: days from one order
    of the offer to the next; out: orders that are out, by the week in which they start, 'released' or another state."""
    days = {week: MONDAY + week * WEEK for week in out or {}}
    cost = {"holding_cost_per_unit_week": 0.5, "late_cost_per_unit_week": 5.0, "lost_sale_cost_per_unit": 100.0}
    orders = [
        {"order": f"O{week}", "kind": "buy", "product": "A", "offer": "oA", "units": 1.0, "start": day, "due": day}
        for week, day in days.items()
    ]
    events = [
        {"happened_at": datetime.combine(MONDAY - 3 * WEEK, datetime.min.time()), "order": f"O{week}"}
        | {"order_event": f"E{week}", "state": stands}
        for week, stands in (out or {}).items()
    ]
    rows = {
        "products": [{"product": "A", "price": 100.0}],
        "offers": [{"offer": "oA", "product": "A", "price": 2.0, "lead_days": 0.0, "order_every_days": every}],
        "economics": [{"product": "A"} | cost],
        "demand": [
            {"demand": f"D{t}", "product": "A", "due": MONDAY + t * WEEK, "units": units}
            for t, units in enumerate(asked)
            if units
        ],
        "orders": orders,
        "order_events": events,
    } | more
    return chain(len(asked), **{name: own for name, own in rows.items() if own})


def run(of: State) -> CycleResult:
    return run_cycle(of, nothing_learnt(), (), 0)


def ordered(found: CycleResult, product: str = "A") -> dict[int, float]:
    """Week -> units of its orders."""
    return {(o.start - MONDAY).days // 7: o.units for o in found.plan.orders if o.product == product}


def test_what_is_wanted_until_the_next_order_comes_with_one() -> None:
    """5 wanted in each of six weeks: three orders of 10, 5 of each lie for a week: 30 x 2 + 15 x 0.5."""
    found = run(state(14, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0))
    assert ordered(found) == {0: 10.0, 2: 10.0, 4: 10.0}
    assert found.clearing.total_cost == pytest.approx(67.5)
    assert found.clearing.lower_bound == pytest.approx(67.5)
    assert ordered(run(state(0, 5.0, 5.0, 5.0))) == ordered(run(state(7, 5.0, 5.0, 5.0))) == {0: 5.0, 1: 5.0, 2: 5.0}
    assert ordered(run(state(8, 5.0, 5.0, 5.0))) == {0: 10.0, 2: 5.0}


def test_the_search_of_prices_keeps_it() -> None:
    begun = head(state(14, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0), nothing_learnt(), 0)
    found = cleared(pack(begun.state, begun.demand, begun.learnt, begun.where), "prices")
    assert found.total_cost == pytest.approx(67.5, rel=0.01)
    assert found.solution.started.tolist() == [[pytest.approx(x, abs=0.1) for x in (10.0, 0.0, 10.0, 0.0, 10.0, 0.0)]]


def test_the_last_order_that_was_given_out_counts() -> None:
    """One began a week ago: the next may start in a week, and 4 of this week's 5 (1 comes of it) are a week late."""
    found = run(state(14, 5.0, 5.0, 5.0, 5.0, out={-1: "released"}))
    assert ordered(found) == {1: 14.0, 3: 5.0}
    (late,) = [r for r in found.plan.gaps.to_pylist() if r["late_units"]]
    assert (late["late_units"], late["soonest_start"]) == (4.0, MONDAY + WEEK)
    taken_back = run(state(14, 5.0, 5.0, 5.0, 5.0, out={-1: "cancelled"}))
    assert ordered(taken_back) == {0: 10.0, 2: 10.0}


def test_an_order_that_is_to_start_later_counts_before_and_after_its_day() -> None:
    """One starts in week 2: none in weeks 1 to 3. 10 come in week 0 for the first two, 1 of them being of it; 13 for
    weeks 2 and 3 with the 1 of it as early: 19 in week 0, and 10 in week 4."""
    found = run(state(14, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, out={2: "released"}))
    assert ordered(found) == {0: 19.0, 4: 10.0}


def test_of_a_recipe_with_steps_it_is_the_first() -> None:
    """A is cut every two weeks and welded when it is wanted: 10 cut in weeks 0 and 2, 5 welded in each."""
    recipe = {"recipe": "A/1", "product": "A", "site": None, "order_every_days": 14, "cost_per_unit": 1.0}
    steps = [
        {"step": step, "recipe": "A/1", "sequence": place, "line": "L", "hours_per_unit": 0.5, "lead_days": 0.0}
        for step, place in (("cut", 1.0), ("weld", 2.0))
    ]
    lines = [{"line": "L", "hours_per_week": 7.5}]  # 5 cut and 10 welded, or the other way round
    tables = {"recipes": [recipe], "recipe_steps": steps, "lines": lines, "offers": []}
    found = run(state(0, 5.0, 5.0, 5.0, 5.0, **tables))
    cut = {(o.start - MONDAY).days // 7: o.units for o in found.plan.orders if o.recipe == "cut"}
    welded = {(o.start - MONDAY).days // 7: o.units for o in found.plan.orders if o.recipe == "weld"}
    assert cut == {0: 10.0, 2: 10.0}
    assert welded == {0: 5.0, 1: 5.0, 2: 5.0, 3: 5.0}


def test_each_product_of_a_lane_has_its_own_and_only_its_own() -> None:
    sites = [{"site": "F"}, {"site": "W"}]
    lanes = [{"lane": "FW", "from_site": "F", "to_site": "W", "lead_days": 0.0, "order_every_days": 14}]
    offers = [{"offer": "oA", "product": "A", "price": 2.0, "lead_days": 0.0, "to_site": "F"}]
    demand = [
        {"demand": f"D{t}", "product": "A", "market": "W", "due": MONDAY + t * WEEK, "units": 5.0} for t in range(4)
    ]
    found = run(state(0, 5.0, 5.0, 5.0, 5.0, sites=sites, lanes=lanes, offers=offers, demand=demand))
    sent = {(o.start - MONDAY).days // 7: o.units for o in found.plan.orders if o.kind == "move"}
    assert sent == {0: 10.0, 2: 10.0}


def test_the_reason_says_when_the_next_one_can_start() -> None:
    first, last = run(state(14, 5.0, 5.0, 5.0, 5.0)).plan.orders
    (told,) = [c.text for c in first.causes if c.text.key == "plan.cause.apart"]
    assert told.text("en").startswith("orders by oA start at least 14 days apart, so that it covers what is wanted")
    assert "2024-01-15" in told.text("en") and "至少间隔 14 天" in told.text("zh")
    assert "plan.cause.apart_last" in {c.text.key for c in last.causes}


def test_what_to_order_now_covers_the_days_until_the_next() -> None:
    """`datong replenish`: 10 where the next order is two weeks away, 5 where it is one; none where one began a week
    ago, and from when."""
    known = [5.0] * 6
    now = {every: replenish(state(every, *known), nothing_learnt(), 0).tables["orders"] for every in (0, 14)}
    assert {every: orders["units"].to_pylist() for every, orders in now.items()} == {0: [5.0], 14: [10.0]}
    found = replenish(state(14, *known, out={-1: "released"}), nothing_learnt(), 0)
    assert found.tables["orders"].num_rows == 0
    (row,) = found.tables["without_way"].to_pylist()
    assert (row["product"], row["refused"], row["opens"]) == ("A", False, date(2024, 1, 8))
