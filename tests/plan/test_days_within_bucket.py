"""A component is finished before what it goes into begins, where the days allow."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from datong.cycle import run_cycle
from datong.ledger.state import state_of_tables
from datong.model.flow import Plan, PlannedOrder, nothing_learnt
from datong.model.settings import ChainSettings
from each import each_seed

MONDAY = date(2026, 1, 5)
WEEK = timedelta(weeks=1)


def orders(parts: int, at: datetime, wanted: int = 4, lead: float = 0.0) -> dict[str, PlannedOrder]:
    """Orders of one chain, product by product: P0 is sold and takes a P1, which takes a P2, and so on; all in one
    week, but that P0 takes `lead` days. wanted: day, from Monday of the week in which P0 can be there."""
    weeks = 1 if lead == 0 else 2
    due = MONDAY + timedelta(days=7 * (weeks - 1) + wanted)
    names = [f"P{i}" for i in range(parts + 1)]
    rows = {
        "products": [{"product": p, "price": 100.0 - 10 * i} for i, p in enumerate(names)],
        "recipes": [
            {
                "recipe": f"R{p}",
                "product": p,
                "line": "L",
                "hours_per_unit": 0.1,
                "cost_per_unit": 1.0,
                "lead_days": lead if p == "P0" else 0.0,
            }
            for p in names
        ],
        "components": [{"product": p, "component": c, "units_per_unit": 1.0} for p, c in pairwise(names)],
        "lines": [{"line": "L", "hours_per_week": 100.0}],
        "demand": [{"demand": "d", "product": "P0", "market": "all", "due": due, "units": 5.0}],
    }
    chain = ChainSettings("t", horizon_buckets=weeks, max_late_days=0, time_zone="UTC")
    tables = {name: pa.Table.from_pylist(own) for name, own in rows.items() if own}
    plan = run_cycle(state_of_tables(chain, at, tables), nothing_learnt(), (), 0).plan
    return {order.product: order for order in plan.orders}


def says_crowded(order: PlannedOrder) -> bool:
    return any(cause.text.key == "plan.cause.crowded" for cause in order.causes)


@pytest.mark.parametrize("parts", range(5))
def test_each_step_ends_before_the_next_begins(parts: int) -> None:
    """The bicycle's frame on Monday and Tuesday, the bicycle from Wednesday on."""
    found = orders(parts, datetime(2026, 1, 5, tzinfo=UTC))
    assert len(found) == parts + 1
    for i in range(parts):
        parent, part = found[f"P{i}"], found[f"P{i + 1}"]
        assert part.start <= part.due < parent.start <= parent.due
    assert (found[f"P{parts}"].start, found["P0"].due) == (MONDAY, MONDAY + timedelta(days=4))
    assert not any(says_crowded(order) for order in found.values())


def test_where_days_are_too_few_it_is_said() -> None:
    """On Thursday two days are left, for three steps."""
    found = orders(2, datetime(2026, 1, 8, 9, tzinfo=UTC))
    days = [(found[p].start.day, found[p].due.day) for p in ("P2", "P1", "P0")]
    assert days == [(8, 8), (8, 8), (9, 9)]
    assert [says_crowded(found[p]) for p in ("P2", "P1", "P0")] == [True, False, False]
    (told,) = [c.text for c in found["P2"].causes if c.text.key == "plan.cause.crowded"]
    words = "3 steps follow one another in the week of 2026-01-05, more than it has days left, so some share a day"
    assert told.text("en") == words
    assert "3道工序" in told.text("zh")


def test_the_day_that_a_customer_named_ends_the_days() -> None:
    """For Tuesday the frame is made on Monday, the bicycle on Tuesday; for Monday both on Monday, and it is said."""
    found = orders(1, datetime(2026, 1, 5, tzinfo=UTC), wanted=1)
    assert [(found[p].start.day, found[p].due.day) for p in ("P1", "P0")] == [(5, 5), (6, 6)]
    found = orders(1, datetime(2026, 1, 5, tzinfo=UTC), wanted=0)
    assert [(found[p].start.day, found[p].due.day) for p in ("P1", "P0")] == [(5, 5), (5, 5)]
    assert says_crowded(found["P1"])


def test_what_takes_a_week_begins_in_time_for_its_day() -> None:
    """Wanted on the Tuesday after, it begins on this Tuesday at the latest, and its part is made on Monday."""
    found = orders(1, datetime(2026, 1, 5, tzinfo=UTC), wanted=1, lead=7.0)
    assert [(found[p].start.day, found[p].due.day) for p in ("P1", "P0")] == [(5, 5), (6, 13)]


# what comes within the week -----------------------------------------------------------------------


def plan_of(rows: dict[str, list[dict[str, object]]], weeks: int = 4) -> Plan:
    chain = ChainSettings("t", horizon_buckets=weeks, time_zone="UTC")
    tables = {name: pa.Table.from_pylist(own) for name, own in rows.items() if own}
    state = state_of_tables(chain, datetime(2026, 1, 5, tzinfo=UTC), tables)
    return run_cycle(state, nothing_learnt(), (), 0).plan


def purchase(name: str, units: float, day: int) -> dict[str, object]:
    due = MONDAY + timedelta(days=day)
    return {"order": name, "kind": "buy", "product": "C", "units": units, "start": MONDAY - WEEK, "due": due}


def takes_c(hours: float, wanted: int, lead: float = 0.0) -> dict[str, list[dict[str, object]]]:
    """A takes a C, of which 2 lie there, 8 come on Wednesday, and nobody sells any."""
    return {
        "products": [{"product": "A", "price": 90.0}, {"product": "C", "kind": "material", "price": 1.0}],
        "recipes": [{"recipe": "A", "product": "A", "line": "L", "hours_per_unit": hours, "lead_days": lead}],
        "components": [{"product": "A", "component": "C", "units_per_unit": 1.0}],
        "offers": [{"offer": "O", "product": "C", "price": 1.0, "units_per_week": 0.0}],
        "lines": [{"line": "L", "hours_per_week": 40.0}],
        "stock": [{"happened_at": datetime(2026, 1, 4, tzinfo=UTC), "product": "C", "units": 2.0}],
        "orders": [purchase("PO-1", 8.0, 2)],
        "demand": [
            {"demand": "d", "product": "A", "market": "all", "due": MONDAY + timedelta(days=wanted), "units": 9.0}
        ],
    }


def told(order: PlannedOrder, key: str) -> list[str]:
    return [cause.text.text("en") for cause in order.causes if cause.text.key == f"plan.cause.{key}"]


def test_an_order_begins_on_the_day_on_which_the_last_of_its_components_that_are_out_is_there() -> None:
    """9 A take the 2 C that lie there and 7 of the 8 that come on Wednesday: from then on, and it says for what."""
    (order,) = plan_of(takes_c(hours=1.0, wanted=4)).orders
    assert (order.start.day, order.due.day) == (7, 9)
    assert told(order, "waits") == [
        "it does not begin before what it takes of orders that are out is there: 7 of C of PO-1, counted on 2026-01-07"
    ]
    assert [c.evidence for c in order.causes if c.text.key == "plan.cause.waits"] == [("orders:PO-1",)]
    assert told(order, "waits_short") == []


def test_where_its_hours_do_not_fit_in_what_is_left_of_the_week_it_says_so() -> None:
    """Three of five days are left, 24 of 40 hours, for 7 A that take 28; 2 more are made of the C that lie there. With
    a week more 6 of the 7 are made in this and one in that."""
    orders = plan_of(takes_c(hours=4.0, wanted=4)).orders
    assert sorted((order.start.day, order.units) for order in orders) == [(5, 2.0), (7, 6.0), (12, 1.0)]
    assert not any(told(order, "waits_short") for order in orders)
    first, order = plan_of(takes_c(hours=4.0, wanted=4), weeks=1).orders
    assert (first.start.day, order.start.day) == (5, 7)
    assert told(order, "waits_short") == [
        "from 2026-01-07 on line L has about 24 hours left in the week of 2026-01-05, and it takes 28: not all of it "
        "can be done in that time"
    ]


def test_what_begins_later_is_due_after_its_lead_time() -> None:
    """Seven days from Wednesday on are Wednesday, though the customer named Tuesday: the plan counts whole weeks."""
    (order,) = plan_of(takes_c(hours=1.0, wanted=8, lead=7.0)).orders
    assert (order.start.day, order.due.day) == (7, 14)


@each_seed(range(60))
def test_no_order_begins_before_what_it_takes_of_orders_that_are_out_is_there(seed: int) -> None:
    """Day by day, orders took no more of C by then than lay there, came of orders out, and was bought."""
    random = np.random.default_rng(seed)
    days = [int(day) for day in random.integers(0, 27, random.integers(1, 5))]
    out = [purchase(f"PO-{i}", float(random.integers(1, 20)), day) for i, day in enumerate(days)]
    rows = takes_c(hours=float(random.choice([0.1, 1.0])), wanted=4, lead=float(random.choice([0.0, 3.0, 9.0])))
    rows["products"].append({"product": "B", "price": 200.0})
    rows["recipes"].append({"recipe": "B", "product": "B", "line": "L", "hours_per_unit": 0.1, "setup_hours": 1.0})
    rows["components"] += [
        {"product": "B", "component": "A", "units_per_unit": 1.0},
        {"product": "B", "component": "C", "units_per_unit": float(random.integers(1, 3))},
    ]
    rows["orders"] = out
    if random.random() < 0.5:
        rows["offers"] = [{"offer": "O", "product": "C", "price": 1.0, "lead_days": float(random.choice([0.0, 7.0]))}]
    rows["demand"] = [
        {
            "demand": f"d{i}",
            "product": str(random.choice(["A", "B"])),
            "market": "all",
            "due": MONDAY + timedelta(days=int(random.integers(0, 27))),
            "units": float(random.integers(1, 12)),
        }
        for i in range(4)
    ]
    plan = plan_of(rows)
    each = {use["product"]: use["units_per_unit"] for use in rows["components"] if use["component"] == "C"}
    used = [(o.start, o.units * each[o.product]) for o in plan.orders if o.kind == "make"]
    came = [(MONDAY - WEEK, 2.0), *((o["due"], o["units"]) for o in out)]
    came += [(o.due, o.units) for o in plan.orders if o.product == "C"]
    for day in sorted({day for day, _ in used}):
        assert sum(u for d, u in used if d <= day) <= sum(u for d, u in came if d <= day) + 1e-6, day


@pytest.mark.parametrize("hours", [0.0, 0.1])
@pytest.mark.parametrize("days", [8.0, 10.0, 11.0])
def test_what_is_made_of_goods_that_come_by_a_lane_begins_when_they_are_there(days: float, hours: float) -> None:
    """A part is bought at another site, days before it is moved over at once, and goes into a product that is wanted
    as soon as can be, on a line or on none."""
    rows = {
        "products": [{"product": p, "price": 50.0} for p in ("A", "C")],
        "sites": [{"site": s} for s in ("F", "G")],
        "lanes": [{"lane": "L", "from_site": "G", "to_site": "F"}],
        "lines": [{"line": "P", "site": "F", "hours_per_week": 40.0}],
        "recipes": [
            {"recipe": "R", "product": "A", "site": "F", "line": "P" if hours else None, "hours_per_unit": hours}
            | {"lead_days": 1.0}
        ],
        "components": [{"product": "A", "component": "C", "units_per_unit": 1.0}],
        "offers": [{"offer": "O", "product": "C", "to_site": "G", "price": 1.0, "lead_days": days}],
        "demand": [{"demand": "d", "product": "A", "market": "F", "due": MONDAY, "units": 5.0}],
    }
    tables = {name: pa.Table.from_pylist(own) for name, own in rows.items()}
    chain = ChainSettings("t", horizon_buckets=6, max_late_days=60, time_zone="UTC")
    plan = run_cycle(state_of_tables(chain, datetime(2026, 1, 5, tzinfo=UTC), tables), nothing_learnt(), (), 0).plan
    found = {order.kind: order for order in plan.orders}
    assert found["buy"].due <= found["move"].start <= found["move"].due <= found["make"].start < found["make"].due


def test_what_begins_today_is_due_after_its_lead_time_though_it_is_wanted_before() -> None:
    """Wanted on Monday the 12th. On Tuesday the 6th the Monday that would have been early enough is over: 7 days from
    the 6th are the 13th."""
    found = orders(0, datetime(2026, 1, 6, 9, tzinfo=UTC), wanted=0, lead=7.0)["P0"]
    assert (found.start, found.due) == (date(2026, 1, 6), date(2026, 1, 13))
