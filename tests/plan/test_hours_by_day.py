"""An order is done by a day by which its line, with what else is on it, can do its hours."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from cases.random_chains import RandomChain, random_chain
from datong.cycle import decide, head, run_cycle, written
from datong.ledger.state import state_of_tables
from datong.model.errors import NoPlan
from datong.model.flow import Plan, PlannedOrder, nothing_learnt
from datong.model.settings import ChainSettings
from datong.plan.orders_already_out import late_for
from datong.plan.planning_inputs import Work
from each import each_seed
from searched import searched_of_every

MONDAY = date(2026, 1, 5)
Rows = dict[str, list[dict[str, Any]]]


def chain(rows: Rows, weeks: int = 4, at: datetime = datetime(2026, 1, 5, tzinfo=UTC)) -> Plan:
    settings = ChainSettings("t", horizon_buckets=weeks, max_late_days=28, time_zone="UTC")
    tables = {name: pa.Table.from_pylist(own) for name, own in rows.items() if own}
    return run_cycle(state_of_tables(settings, at, tables), nothing_learnt(), (), 0).plan


def told(order: PlannedOrder, key: str) -> list[str]:
    return [cause.text.text("en") for cause in order.causes if cause.text.key == f"plan.cause.{key}"]


def by_kind(plan: Plan, kind: str) -> PlannedOrder:
    (found,) = [order for order in plan.orders if order.kind == kind]
    return found


def made_and_sent(lead: float, due: int, hours: float = 1.0) -> Rows:
    """12 A are made at F, on a line of 30 hours a week, and sent to W, where a customer wants them on a day."""
    return {
        "products": [{"product": "A", "price": 90.0}],
        "sites": [{"site": "F", "kind": "factory"}, {"site": "W", "kind": "warehouse"}],
        "lines": [{"line": "L", "site": "F", "hours_per_week": 30.0}],
        "recipes": [{"recipe": "R", "product": "A", "line": "L", "hours_per_unit": hours}],
        "lanes": [{"lane": "FW", "from_site": "F", "to_site": "W", "lead_days": lead}],
        "demand": [
            {
                "demand": "d",
                "product": "A",
                "market": "W",
                "due": MONDAY + timedelta(days=due),
                "units": 12.0,
            }
        ],
    }


@pytest.mark.parametrize("lead", [0.0, 1.0, 3.0, 7.0])
def test_a_transfer_of_the_week_leaves_when_its_lot_is_done(lead: float) -> None:
    """Six hours a working day: 12 are done on Tuesday at the soonest. The customer waits until the next Friday, so the
    lot has until the day on which the transfer must leave, and the transfer leaves then."""
    plan = chain(made_and_sent(lead, due=4 if lead == 0 else 11))
    lot, sent = by_kind(plan, "make"), by_kind(plan, "move")
    assert lot.start == MONDAY
    assert lot.due >= MONDAY + timedelta(days=1)
    assert sent.start == lot.due
    assert sent.due == sent.start + timedelta(days=lead)
    assert sent.due <= MONDAY + timedelta(days=4 if lead == 0 else 11)
    assert told(sent, "named_day") == []


def test_where_the_customer_would_wait_beyond_the_day_it_is_said() -> None:
    """30 hours are the whole week; they leave on Friday, and are there on the Friday after, not on its Monday."""
    plan = chain(made_and_sent(7.0, due=7, hours=2.5))
    lot, sent = by_kind(plan, "make"), by_kind(plan, "move")
    assert (lot.due, sent.start, sent.due) == tuple(MONDAY + timedelta(days=d) for d in (4, 4, 11))
    assert told(sent, "named_day") == ["d named 2026-01-12, and it is there on 2026-01-16: the plan counts whole weeks"]


def test_what_is_late_already_leaves_as_soon_as_it_is_made() -> None:
    """Wanted two weeks ago: the 12 hours are done on Tuesday, and leave then, not on Friday."""
    plan = chain(made_and_sent(7.0, due=-14))
    lot, sent = by_kind(plan, "make"), by_kind(plan, "move")
    assert (lot.due, sent.start) == (MONDAY + timedelta(days=1), MONDAY + timedelta(days=1))


def test_a_day_that_a_customer_named_holds_as_far_as_hours_go() -> None:
    """Of 40 hours a week 8 a day: 8 for Monday and 16 for Tuesday are done on Monday and on Wednesday; what is wanted
    on Friday comes last."""
    rows: Rows = {
        "products": [{"product": p, "price": 90.0} for p in "ABC"],
        "lines": [{"line": "L", "hours_per_week": 40.0}],
        "recipes": [{"recipe": p, "product": p, "line": "L", "hours_per_unit": 1.0} for p in "ABC"],
        "demand": [
            {"demand": f"d{p}", "product": p, "market": "all", "due": MONDAY + timedelta(days=day), "units": units}
            for p, day, units in (("A", 0, 8.0), ("B", 1, 16.0), ("C", 4, 16.0))
        ],
    }
    found = {order.product: order for order in chain(rows, 1).orders}
    assert {p: (o.due - MONDAY).days for p, o in found.items()} == {"A": 0, "B": 2, "C": 4}
    assert {p: len(told(o, "named_day")) for p, o in found.items()} == {"A": 0, "B": 1, "C": 0}


def test_steps_of_a_week_have_the_days_that_their_hours_take() -> None:
    """The part takes 6 hours of 30, the product 24: Monday, then Tuesday to Friday. Halves of the week would not do."""
    rows: Rows = {
        "products": [{"product": "A", "price": 90.0}, {"product": "P", "price": 20.0}],
        "lines": [{"line": "L", "hours_per_week": 30.0}],
        "recipes": [
            {"recipe": "A", "product": "A", "line": "L", "hours_per_unit": 4.0},
            {"recipe": "P", "product": "P", "line": "L", "hours_per_unit": 1.0},
        ],
        "components": [{"product": "A", "component": "P", "units_per_unit": 1.0}],
        "demand": [{"demand": "d", "product": "A", "market": "all", "due": MONDAY + timedelta(days=4), "units": 6.0}],
    }
    found = {order.product: order for order in chain(rows, 1).orders}
    days = {p: ((o.start - MONDAY).days, (o.due - MONDAY).days) for p, o in found.items()}
    assert days == {"P": (0, 0), "A": (1, 4)}


def test_a_line_that_is_shut_on_some_days_is_counted_on_for_the_others() -> None:
    """Shut until Wednesday, its hours of the week are those from Thursday on: nothing is done by Monday."""
    rows = made_and_sent(0.0, due=0, hours=0.1)
    rows["line_calendar"] = [{"line": "L", "from": MONDAY, "to": MONDAY + timedelta(days=3), "hours": 0.0}]
    plan = chain(rows)
    assert by_kind(plan, "make").due == MONDAY + timedelta(days=3)


def test_of_expected_demand_the_week_and_the_day_of_the_goods_are_told() -> None:
    """20 hours for an expected 20 of the week, 8 a day: they have until Friday; so have 10 of the next week's 30 that a
    shutdown then has made ahead, of which nothing of a day is told."""
    rows = released() | {
        "demand": [wants("A", 0, 20.0) | {"firm": False}, wants("B", 7, 10.0) | {"firm": False}],
        "line_calendar": [{"line": "L", "from": MONDAY + timedelta(7), "to": MONDAY + timedelta(14), "hours": 0.0}],
    }
    found = {order.product: told(order, "expected_day") for order in chain(rows).orders}
    words = "20 are expected to be wanted in the week of 2026-01-05, and are there on 2026-01-09: the plan counts whole"
    assert found == {"A": [f"{words} weeks"], "B": []}


# orders that are out ------------------------------------------------------------------------------


def wanted_on_friday(hours: float = 1.0) -> Rows:
    """Ten A are wanted on Friday, of a line of 40 hours a week."""
    return {
        "products": [{"product": "A", "price": 90.0}],
        "lines": [{"line": "L", "hours_per_week": 40.0}],
        "recipes": [{"recipe": "R", "product": "A", "line": "L", "hours_per_unit": hours}],
        "demand": [{"demand": "d", "product": "A", "due": MONDAY + timedelta(days=4), "units": 10.0}],
    }


def test_a_lot_begins_on_a_day_on_which_its_line_is_open() -> None:
    """The line is shut on Monday and Tuesday: Wednesday is its first day, and Friday its last."""
    rows = wanted_on_friday()
    shut = {"line": "L", "from": MONDAY, "to": MONDAY + timedelta(days=2), "hours": 0.0}
    lot = by_kind(chain(rows | {"line_calendar": [shut]}), "make")
    assert (lot.start, lot.due) == (MONDAY + timedelta(days=2), MONDAY + timedelta(days=4))
    assert "from 2026-01-07" in lot.causes[-1].text.text("en")


def test_a_lot_begins_when_an_order_that_is_out_leaves_its_line_hours() -> None:
    """12 hours of the order that is out are the whole of Monday and half of Tuesday."""
    rows = wanted_on_friday() | released(out("o", "A", 12.0, 0, 1))
    lot = by_kind(chain(rows | {"demand": [wants("A", 4, 22.0)]}), "make")
    assert (lot.start, lot.due) == (MONDAY + timedelta(days=1), MONDAY + timedelta(days=4))


def test_a_lot_begins_when_its_line_gets_to_it() -> None:
    """A takes Monday and Tuesday whole. B, which is wanted on Friday, begins on Wednesday."""
    rows = released() | {"demand": [wants("A", 1, 16.0), wants("B", 4, 8.0)]}
    starts = {order.product: (order.start - MONDAY).days for order in chain(rows).orders}
    assert starts == {"A": 0, "B": 2}


def released(*orders: dict[str, Any]) -> Rows:
    """Work that is out, on a line of eight hours a working day, an hour a unit."""
    return {
        "products": [{"product": p, "price": 90.0} for p in "ABC"],
        "lines": [{"line": "L", "hours_per_week": 40.0}],
        "recipes": [{"recipe": p, "product": p, "line": "L", "hours_per_unit": 1.0} for p in "ABC"],
        "orders": [{"kind": "make", "recipe": o["product"], "line": "L"} | o for o in orders],
        "order_events": [
            {
                "order_event": f"e{o['order']}",
                "order": o["order"],
                "state": "released",
                "happened_at": datetime(2026, 1, 2, 9, tzinfo=UTC),
            }
            for o in orders
        ],
    }


def out(order: str, product: str, units: float, start: int, due: int) -> dict[str, Any]:
    days = {"start": MONDAY + timedelta(days=start), "due": MONDAY + timedelta(days=due)}
    return {"order": order, "product": product, "units": units} | days


def wants(product: str, day: int, units: float) -> dict[str, Any]:
    due = MONDAY + timedelta(days=day)
    return {"demand": f"d{product}", "product": product, "market": "all", "due": due, "units": units}


def counted_on(plan: Plan) -> dict[str, int]:
    """Days after Monday."""
    return {row["order"]: (row["counted_on"] - MONDAY).days for row in plan.kept.to_pylist()}


def test_an_order_that_is_out_is_there_when_its_line_has_had_its_hours() -> None:
    """13 hours of 8 a day, promised for Monday: on Tuesday. The 7 hours that Tuesday has left are B's, wanted on Monday
    too; 3 of it are left for Wednesday."""
    rows = released(out("W1", "A", 13.0, 0, 0)) | {"demand": [wants("B", 0, 6.0), wants("A", 0, 13.0)]}
    plan = chain(rows)
    assert counted_on(plan) == {"W1": 1}
    assert by_kind(plan, "make").due == MONDAY + timedelta(days=2)
    late = {(r["demand"], (r["there_on"] - MONDAY).days): r["units"] for r in plan.after_due.to_pylist()}
    assert late == {("dA", 1): 13.0, ("dB", 2): 6.0}


def test_of_orders_that_are_out_what_was_promised_first_is_worked_first() -> None:
    """W2 is promised for Tuesday and W1 for Friday, and both are to begin on Monday: 8 hours a day, 16 and 24."""
    rows = released(out("W1", "A", 24.0, 0, 4), out("W2", "B", 16.0, 0, 1)) | {"demand": [wants("A", 4, 24.0)]}
    assert counted_on(chain(rows)) == {"W1": 4, "W2": 1}


def test_hours_before_an_order_that_is_out_begins_are_free() -> None:
    """W1 begins on Wednesday: Monday and Tuesday are B's."""
    rows = released(out("W1", "A", 24.0, 2, 4)) | {"demand": [wants("B", 1, 16.0)]}
    plan = chain(rows)
    assert by_kind(plan, "make").due == MONDAY + timedelta(days=1)
    assert counted_on(plan) == {"W1": 4}


def test_an_order_that_is_out_waits_for_what_comes_for_it() -> None:
    """Its part is bought for Thursday: 4 hours then."""
    rows = released(out("W1", "A", 4.0, 0, 0)) | {"demand": [wants("A", 4, 4.0)]}
    rows["products"].append({"product": "M", "kind": "material", "price": 2.0})
    rows["components"] = [{"product": "A", "component": "M", "units_per_unit": 1.0}]
    rows["offers"] = [{"offer": "O", "product": "M", "price": 2.0, "lead_days": 7.0}]
    bought = {"kind": "buy", "offer": "O", "start": MONDAY - timedelta(days=7), "due": MONDAY + timedelta(days=3)}
    rows["orders"].append({"order": "P1", "product": "M", "units": 4.0} | bought)
    rows["order_events"].append({**rows["order_events"][0], "order_event": "eP1", "order": "P1"})
    assert counted_on(chain(rows)) == {"W1": 3, "P1": 3}


def test_an_order_that_is_out_waits_for_the_part_that_the_plan_makes_for_it() -> None:
    """12 hours of B, of which W1 takes one each: B has until Wednesday; then W1's own 12 hours, until Thursday."""
    rows = released(out("W1", "A", 12.0, 0, 0)) | {"demand": [wants("A", 4, 12.0)]}
    rows["components"] = [{"product": "A", "component": "B", "units_per_unit": 1.0}]
    plan = chain(rows)
    part = by_kind(plan, "make")
    assert (part.product, (part.due - MONDAY).days, (part.needed_by - MONDAY).days) == ("B", 2, 2)
    assert counted_on(plan) == {"W1": 3}


def test_what_a_week_has_no_hours_for_once_its_part_is_there_is_made_in_the_next() -> None:
    """40 A of 40 hours are wanted this week, and the wax for them comes on Thursday: 16 hours, and 16 A, are left, and
    the other 24 are late, and there as soon as their hours are worked, on Wednesday."""
    rows = released() | {"demand": [wants("A", 4, 40.0)]}
    rows["products"].append({"product": "M", "kind": "material", "price": 2.0})
    rows["components"] = [{"product": "A", "component": "M", "units_per_unit": 1.0}]
    rows["offers"] = [{"offer": "O", "product": "M", "price": 2.0, "lead_days": 28.0}]
    bought = {"kind": "buy", "offer": "O", "start": MONDAY - timedelta(days=7), "due": MONDAY + timedelta(days=3)}
    rows["orders"] = [{"order": "P1", "product": "M", "units": 40.0} | bought]
    released_on = datetime(2026, 1, 2, 9, tzinfo=UTC)
    rows["order_events"] = [{"order_event": "e", "order": "P1", "state": "released", "happened_at": released_on}]
    plan = chain(rows)
    found = [((o.start - MONDAY).days, (o.due - MONDAY).days, o.units) for o in plan.orders if o.product == "A"]
    assert found == [(3, 4, 16.0), (7, 9, 24.0)]
    assert not any(told(order, "waits_short") for order in plan.orders)
    assert [order.hurts for order in plan.orders] == [(), ("dA",)]


# every chain --------------------------------------------------------------------------------------


def hours_by_day(made: RandomChain, line: str, first: date, hours: float) -> list[float]:
    """Those of a bucket on each of its days: the working days in the measure of what the calendar gives each."""
    (own,) = [row for row in made.tables["lines"] if row["line"] == line]

    def of(day: date) -> float:
        spans = [r for r in made.tables.get("line_calendar", ()) if r["line"] == line and r["from"] <= day < r["to"]]
        return sum(r["hours"] + r.get("overtime_hours", 0.0) for r in spans) if spans else own["hours_per_week"]

    days = [first + timedelta(days=d) for d in range(made.settings.calendar.bucket_days)]
    weights = [of(day) if len(days) == 1 or day.weekday() < 5 else 0.0 for day in days]
    total = sum(weights)
    return [hours * w / total if total > 0 else 0.0 for w in weights]


def worked_by_bucket(work: Work) -> dict[tuple[str, date], dict[str, float]]:
    """(line, bucket) -> hours of each order that is out."""
    found: dict[tuple[str, date], dict[str, float]] = defaultdict(dict)
    for own in work.promised.worked:
        for first, hours in zip(work.starts, own.hours.tolist(), strict=True):
            if own.line is not None and hours > 0:
                found[own.line, first][own.order.order] = hours
    return found


@each_seed(range(60))
def test_no_line_is_to_have_done_more_by_a_day_than_it_has_hours_until_then(seed: int) -> None:
    """Orders that are out by the days on which they are expected, and those of the plan by the days by which they are
    to be done. What says that its hours do not fit is left out. What works in steps, or on several lines at once, has
    its hours elsewhere than in `recipes`."""
    with searched_of_every(4, seed):
        no_line_has_done_more_by_a_day(random_chain(seed, without=("steps", "lines at once")), seed)


def no_line_has_done_more_by_a_day(made: RandomChain, seed: int) -> None:
    for row in made.tables.get("orders", ()):  # what is bought comes on any day of a week
        if row["kind"] == "buy" and made.settings.bucket == "week":
            row["due"] += timedelta(days=seed % 5)
    try:
        begun = head(made.state, nothing_learnt(), 0)
        decision = decide(begun)
    except NoPlan:
        return
    plan = written(begun, decision)
    assert decision.chosen is not None
    calendar = made.settings.calendar
    worked = worked_by_bucket(decision.chosen.work)
    expected = {row["order"]: row["counted_on"] for row in plan.kept.to_pylist()}
    recipes = {row["recipe"]: row for row in made.tables["recipes"]}
    work_until: dict[str, dict[date, float]] = defaultdict(dict)
    hours_until: dict[str, dict[date, float]] = defaultdict(dict)  # line -> day -> hours, over all buckets
    for hours in decision.clearing.hours.to_pylist():
        line, first = hours["line"], hours["bucket"]
        due: dict[int, float] = defaultdict(float)
        there = hours_by_day(made, line, first, hours["available_hours"])
        for order in plan.orders:
            in_it = calendar.bucket_start(order.start) == calendar.bucket_start(order.due) == first
            if order.line != line or not in_it or told(order, "waits_short"):
                continue
            if not told(order, "waits_short_until"):
                assert there[(order.start - first).days] > 0, (order.order, order.start)
            recipe = recipes[order.recipe or ""]
            due[(order.due - first).days] += order.units * recipe["hours_per_unit"] + recipe.get("setup_hours", 0.0)
        for order, of_bucket in worked[line, first].items():
            ends = expected[order] is not None and calendar.bucket_start(expected[order]) == first
            due[(expected[order] - first).days if ends else calendar.bucket_days - 1] += of_bucket
        assert sum(worked[line, first].values()) == pytest.approx(hours["under_way_hours"], abs=1e-6)
        for day in range(calendar.bucket_days):
            needed = sum(h for d, h in due.items() if d <= day)
            assert needed <= sum(there[: day + 1]) + 1e-6, (line, first, day)
            hours_until[line][first + timedelta(days=day)] = there[day]
        last = first + timedelta(days=calendar.bucket_days - 1)
        for order, of_bucket in worked[line, first].items():
            by = min(last, expected[order] or last)
            work_until[line][by] = work_until[line].get(by, 0.0) + of_bucket
    for order in plan.orders:  # what a bucket has too few hours for has them in later ones
        recipe = recipes.get(order.recipe or "", {})
        if order.line is not None and recipe and not recipe.get("lead_days") and not told(order, "waits_short"):
            of_order = order.units * recipe["hours_per_unit"] + recipe.get("setup_hours", 0.0)
            work_until[order.line][order.due] = work_until[order.line].get(order.due, 0.0) + of_order
    for line, by_day in work_until.items():
        for day in by_day:
            needed = sum(h for d, h in by_day.items() if d <= day)
            assert needed <= sum(h for d, h in hours_until[line].items() if d <= day) + 1e-6, (line, day)


def test_an_order_that_is_out_and_is_worked_over_the_weekend_makes_its_customer_late() -> None:
    """K is out: 12 A from Friday on, on a line of 8 hours a day. It is there on Monday; its customer wants 12 by
    Friday, and nothing else is begun in the frozen week."""
    rows: Rows = {
        "products": [{"product": "A", "price": 100.0}],
        "lines": [{"line": "L", "hours_per_week": 40.0}],
        "recipes": [{"recipe": "R", "product": "A", "line": "L", "hours_per_unit": 1.0}],
        "orders": [
            {
                "order": "K",
                "kind": "make",
                "product": "A",
                "recipe": "R",
                "line": "L",
                "units": 12.0,
                "start": MONDAY + timedelta(days=4),
                "due": MONDAY + timedelta(days=4),
            }
        ],
        "order_events": [{"order": "K", "state": "released", "happened_at": datetime(2026, 1, 2, tzinfo=UTC)}],
        "demand": [{"demand": "z", "product": "A", "due": MONDAY + timedelta(days=4), "units": 12.0}],
    }
    settings = ChainSettings("t", horizon_buckets=2, frozen_buckets=1, max_late_days=28, time_zone="UTC")
    tables = {name: pa.Table.from_pylist(own) for name, own in rows.items()}
    state = state_of_tables(settings, datetime(2026, 1, 5, tzinfo=UTC), tables)
    run = run_cycle(state, nothing_learnt(), (), 0)
    delivered = run.decision.clearing.deliveries.to_pylist()
    assert [(d["bucket"], d["units"]) for d in delivered] == [(MONDAY + timedelta(days=7), 12.0)]
    assert run.plan.kept["counted_on"].to_pylist() == [MONDAY + timedelta(days=7)]


def clay(stock: float, begins: int = 0) -> Rows:
    """R is out: 24 vases of 3 clay, to begin on a day of the week. 72 tiles of 1 clay are wanted by Wednesday, when 400
    clay come. Vases and tiles have a line each."""
    return {
        "products": [{"product": p, "price": price} for p, price in (("VASE", 70.0), ("TILE", 12.0), ("CLAY", 2.0))],
        "lines": [{"line": "V", "hours_per_week": 40.0}, {"line": "T", "hours_per_week": 40.0}],
        "recipes": [
            {"recipe": "VASE/1", "product": "VASE", "line": "V", "hours_per_unit": 0.3},
            {"recipe": "TILE/1", "product": "TILE", "line": "T", "hours_per_unit": 0.1},
        ],
        "components": [
            {"product": "VASE", "component": "CLAY", "units_per_unit": 3.0},
            {"product": "TILE", "component": "CLAY", "units_per_unit": 1.0},
        ],
        "stock": [{"product": "CLAY", "units": stock, "happened_at": datetime(2026, 1, 4, tzinfo=UTC)}],
        "orders": [
            {
                "order": "R",
                "kind": "make",
                "product": "VASE",
                "recipe": "VASE/1",
                "line": "V",
                "units": 24.0,
                "start": MONDAY + timedelta(days=begins),
                "due": MONDAY + timedelta(days=begins),
            },
            {
                "order": "P",
                "kind": "buy",
                "product": "CLAY",
                "units": 400.0,
                "start": MONDAY - timedelta(days=7),
                "due": MONDAY + timedelta(days=2),
            },
        ],
        "order_events": [
            {"order": order, "state": "released", "happened_at": datetime(2026, 1, 2, tzinfo=UTC)} for order in "RP"
        ],
        "demand": [
            {"demand": "d", "product": "TILE", "due": MONDAY + timedelta(days=2), "units": 72.0},
            {"demand": "e", "product": "VASE", "due": MONDAY, "units": 24.0},
        ],
    }


def test_an_order_that_is_out_has_its_components_before_new_ones() -> None:
    """80 clay: the 72 of R on Monday, and 8 of the tiles; the other 64 come on Wednesday, so these begin then. To begin
    on Thursday, R leaves the clay of Monday to the tiles. With 60 clay R waits for Wednesday, and says for what."""
    plan = chain(clay(80.0))
    assert by_kind(plan, "make").start == MONDAY + timedelta(days=2)
    assert [late_for(row) for row in plan.kept.to_pylist()] == [None, None]
    assert plan.kept["counted_on"].to_pylist() == [MONDAY + timedelta(days=2), MONDAY]
    later = chain(clay(80.0, begins=3))
    assert by_kind(later, "make").start == MONDAY
    assert later.kept["counted_on"].to_pylist()[1] == MONDAY + timedelta(days=3)
    waits = chain(clay(60.0)).kept.to_pylist()[1]
    why = late_for(waits)
    assert why is not None
    assert (waits["counted_on"], why.text("en")) == (MONDAY + timedelta(days=2), "it waits for CLAY")


def in_two_parts(**recipe: float) -> Rows:
    """30 A of an hour each are wanted by Thursday on a line of 8 hours a day. 10 of their M are there, the others come
    on Wednesday, when 24 hours are left."""
    return {
        "products": [{"product": "A", "price": 100.0}, {"product": "M", "kind": "material", "price": 5.0}],
        "lines": [{"line": "L", "hours_per_week": 40.0}],
        "recipes": [{"recipe": "R", "product": "A", "line": "L", "hours_per_unit": 1.0} | recipe],
        "components": [{"product": "A", "component": "M", "units_per_unit": 1.0}],
        "stock": [{"product": "M", "units": 10.0, "happened_at": datetime(2026, 1, 4, tzinfo=UTC)}],
        "orders": [
            {
                "order": "P",
                "kind": "buy",
                "product": "M",
                "units": 40.0,
                "start": MONDAY - timedelta(days=7),
                "due": MONDAY + timedelta(days=2),
            }
        ],
        "order_events": [{"order": "P", "state": "released", "happened_at": datetime(2026, 1, 2, tzinfo=UTC)}],
        "demand": [{"demand": "x", "product": "A", "due": MONDAY + timedelta(days=3), "units": 30.0}],
    }


def test_what_can_be_made_before_the_last_of_its_components_comes_is_an_order_of_its_own() -> None:
    """10 from Monday on and 20 from Wednesday on: all 30 in the week, under numbers of their own. Where each order has
    to be of 12 at least, 10 are none, and what 24 hours do not make comes in the next week."""
    plan = chain(in_two_parts())
    made = [(order.order, order.units, order.start, order.due) for order in plan.orders]
    friday = MONDAY + timedelta(days=4)
    assert [one[:3] for one in made] == [
        ("W20260105-001", 10.0, MONDAY),
        ("W20260105-002", 20.0, MONDAY + timedelta(days=2)),
    ]
    assert max(one[3] for one in made) <= friday
    at_least = chain(in_two_parts(min_lot_units=12.0))
    assert all(order.units >= 12 for order in at_least.orders)
    assert max(order.due for order in at_least.orders) > friday


def test_an_order_that_its_week_has_too_few_hours_for_says_when_it_is_done() -> None:
    """30 A with a set-up of 2 hours take 32; from Wednesday on 24 are left, and no other week is open to them: the
    other 8 are done on the Monday after."""
    rows = in_two_parts(min_lot_units=30.0, setup_hours=2.0)
    rows["recipes"][0] |= {"valid_to": MONDAY + timedelta(days=7)}
    (order,) = [one for one in chain(rows).orders if one.kind == "make"]
    assert told(order, "waits_short_until") == [
        "from 2026-01-07 on line L has about 24 hours left in the week of 2026-01-05, and it takes 32: not all of it "
        "can be done in that time; with the rest before all else after it, it is done on 2026-01-12"
    ]


def test_what_its_week_has_too_few_hours_for_names_that_week_and_is_told_when_it_is_done() -> None:
    """As before, and 38 B are wanted in the next week on the same line: its hours are 40, of which A has the first 8.
    The last of B are done on the Monday after. Each order names the end of the week that the plan counts it in, and
    buyers are told the day on which it is done."""
    rows = in_two_parts(min_lot_units=30.0, setup_hours=2.0)
    rows["recipes"][0] |= {"valid_to": MONDAY + timedelta(days=7)}
    week = {"valid_from": MONDAY + timedelta(days=7), "valid_to": MONDAY + timedelta(days=14)}
    rows["recipes"].append({"recipe": "S", "product": "B", "line": "L", "hours_per_unit": 1.0} | week)
    rows["products"].append({"product": "B", "price": 100.0})
    rows["economics"] = [{"product": "B", "holding_cost_per_unit_week": 1.0, "late_cost_per_unit_week": 50.0}]
    rows["demand"].append({"demand": "y", "product": "B", "due": MONDAY + timedelta(days=11), "units": 38.0})
    plan = chain(rows)
    due = {order.product: order.due for order in plan.orders if order.kind == "make"}
    assert due == {"A": MONDAY + timedelta(days=4), "B": MONDAY + timedelta(days=11)}
    assert [order.start for order in plan.orders if order.product == "B"] == [MONDAY + timedelta(days=8)]
    assert [(row["demand"], row["there_on"]) for row in plan.after_due.to_pylist()] == [
        ("x", MONDAY + timedelta(days=7)),
        ("y", MONDAY + timedelta(days=14)),
    ]
