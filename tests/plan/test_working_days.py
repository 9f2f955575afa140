"""Orders keep the working days of whoever does them, and lead times of days add up before they are rounded."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from cases.random_chains import RandomChain, random_chain
from datong.cycle import CycleResult, Decision, decide, head, run_cycle, written
from datong.ledger.state import State, in_state_schema, state_of_tables
from datong.model.errors import NoPlan
from datong.model.flow import PlannedOrder, nothing_learnt
from datong.model.settings import ChainSettings
from datong.network.position_notices import position_notices
from datong.network.ways import way_on
from datong.network.working_days import WEEKDAYS
from datong.plan.orders_already_out import late_for
from datong.questions.replenish import replenish
from each import each_seed

MONDAY = date(2026, 1, 5)
Rows = Mapping[str, list[dict[str, Any]]]


def day(number: int) -> date:
    """0 is a Monday."""
    return MONDAY + timedelta(days=number)


def state(rows: Rows, bucket: str = "day", buckets: int = 30, today: date = MONDAY) -> State:
    chain = ChainSettings("t", bucket=bucket, horizon_buckets=buckets, path_count=1)  # ty: ignore[invalid-argument-type]
    tables = {}
    for name, own in rows.items():
        columns = sorted({column for row in own for column in row})
        table = pa.table({column: [row.get(column) for row in own] for column in columns})
        tables[name] = in_state_schema(name, table)
    return state_of_tables(chain, chain.calendar.midnight(today), tables)


def run(rows: Rows, bucket: str = "day", buckets: int = 30) -> CycleResult:
    return run_cycle(state(rows, bucket, buckets), nothing_learnt(), (), 0)


def days_of(found: CycleResult) -> dict[str, tuple[date, date]]:
    """By product: when its only order starts and is there."""
    return {order.product: (order.start, order.due) for order in found.plan.orders}


def wants(product: str, *days: int) -> list[dict[str, Any]]:
    return [{"demand": f"d{n}", "product": product, "due": day(n), "units": 5.0} for n in days]


# working days -------------------------------------------------------------------------------------


def made(lead_in: str = "calendar", **calendar: Any) -> dict[str, list[dict[str, Any]]]:
    """A is made in a day on a line that is shut at weekends, and wanted on the second Sunday."""
    recipe = {"recipe": "R", "product": "A", "line": "L", "hours_per_unit": 0.1, "cost_per_unit": 1.0}
    return {
        "products": [{"product": "A", "price": 100.0}],
        "calendars": [{"calendar": "works"} | calendar],
        "lines": [{"line": "L", "hours_per_week": 40.0, "calendar": "works"}],
        "recipes": [recipe | {"lead_days": 1.0, "lead_in": lead_in}],
        "demand": wants("A", 13),
    }


@pytest.mark.parametrize("lead_in", ["calendar", "working"])
def test_what_is_due_on_a_closed_sunday_is_there_on_the_friday_before(lead_in: str) -> None:
    """One day from Friday is a Saturday, on which nothing is received, so that it would be there on Monday: it starts
    on Thursday."""
    assert days_of(run(made(lead_in))) == {"A": (day(10), day(11))}


def test_a_factory_that_works_on_sundays_is_done_on_that_sunday() -> None:
    assert days_of(run(made(sunday=True, saturday=True))) == {"A": (day(12), day(13))}


def test_a_closure_of_ones_own_and_a_day_worked_after_all() -> None:
    """Friday is closed and Saturday is worked: from Saturday one day is Sunday, closed, so it starts on Thursday to be
    there on Saturday."""
    days = [
        {"calendar": "works", "from": day(11), "to": None, "open": False},
        {"calendar": "works", "from": day(12), "to": day(13), "open": True},
    ]
    found = run(made("working") | {"calendar_days": days})
    assert days_of(found) == {"A": (day(10), day(12))}


def test_public_holidays_of_a_country_are_closed() -> None:
    """In China 1 to 3 January are closed in 2026, and Sunday the 4th is worked in their place; from Monday the 16th of
    February to Monday the 23rd it is the Spring Festival, and Saturday the 28th is worked."""
    rows = made("working", country="CN") | {"demand": wants("A", 48, 54)}
    orders = sorted(run(rows, buckets=60).plan.orders, key=lambda order: order.start)
    assert [(o.start, o.due) for o in orders] == [
        (date(2026, 2, 13), date(2026, 2, 14)),  # wanted on Sunday 22: Saturday 14 was worked
        (date(2026, 2, 27), date(2026, 2, 28)),  # wanted on Saturday 28
    ]


def bought(lead_in: str, lead: float = 3.0, closed: int | None = None) -> dict[str, list[dict[str, Any]]]:
    """A is bought of a supplier who is shut at weekends, and wanted on the third Monday."""
    rows: dict[str, list[dict[str, Any]]] = {
        "products": [{"product": "A", "price": 100.0}],
        "calendars": [{"calendar": "office"}],
        "sites": [{"site": "S", "kind": "supplier", "calendar": "office"}],
        "offers": [
            {"offer": "O", "product": "A", "site": "S", "price": 1.0, "lead_days": lead, "lead_in": lead_in},
        ],
        "demand": wants("A", 14),
    }
    if closed is not None:
        rows["calendar_days"] = [{"calendar": "office", "from": day(closed), "to": None, "open": False}]
    return rows


def test_a_purchase_in_working_days() -> None:
    """Three working days before Monday is Wednesday; with that Thursday closed, Tuesday. Three days before Monday by
    the calendar is Friday."""
    assert days_of(run(bought("working"))) == {"A": (day(9), day(14))}
    assert days_of(run(bought("working", closed=10))) == {"A": (day(8), day(14))}
    assert days_of(run(bought("calendar"))) == {"A": (day(11), day(14))}


def test_a_lead_time_that_was_learnt_is_of_calendar_days() -> None:
    """Records of three to five days have weekends in them: four days before Monday the 19th is Thursday."""
    learnt = replace(nothing_learnt(), lead_days={"O": (3.0, 3.0, 4.0, 4.0, 5.0)})
    found = run_cycle(state(bought("working", lead=1.0)), learnt, (), 0)
    assert days_of(found) == {"A": (day(10), day(14))}


def test_the_reason_says_which_days_are_closed() -> None:
    (order,) = run(bought("working", closed=10)).plan.orders
    (cause,) = [c for c in order.causes if c.text.key == "plan.cause.working_days"]
    assert cause.evidence == ("calendars:office",)
    assert cause.text.text("en") == (
        "its lead time of 3 days counts the working days of calendar office, which has 3 closed days from 2026-01-13 "
        "to 2026-01-19"
    )
    assert "3 天不开工" in cause.text.text("zh")
    (order,) = run(made()).plan.orders
    assert "plan.cause.closed_days" in [c.text.key for c in order.causes]


@pytest.mark.parametrize(("lead", "told"), [(3.0, ()), (1.0, ("2026-01-17", "2026-01-18"))])
def test_closed_days_that_move_no_day_are_no_reason(lead: float, told: tuple[str, ...]) -> None:
    """Three days from Friday are Monday, whoever is shut at the weekend. One is Saturday: it is there on Monday, for
    these two closed days."""
    (order,) = run(bought("calendar", lead)).plan.orders
    assert (order.start, order.due) == (day(11), day(14))
    causes = [c.text.text("en") for c in order.causes if c.text.key == "plan.cause.closed_days"]
    assert len(causes) == bool(told)
    for cause in causes:
        assert f"of which there are 2 from {told[0]} to {told[1]}: it is there on 2026-01-19" in cause


def received(own: tuple[str, ...], taken_at: str | None) -> Rows:
    """M is bought in a day, and wanted, or taken for A, on the second Sunday. Site F is shut at weekends."""
    rows: dict[str, list[dict[str, Any]]] = {
        "products": [{"product": "M", "price": 100.0}, {"product": "A", "price": 900.0}],
        "calendars": [{"calendar": "office"}],
        "sites": [{"site": "S", "kind": "supplier"}, *({"site": s, "kind": "factory"} for s in own)],
        "offers": [{"offer": "O", "product": "M", "site": "S", "price": 1.0, "lead_days": 1.0}],
        "demand": wants("M", 13),
    }
    rows["sites"][own.index("F") + 1]["calendar"] = "office"
    if taken_at is not None:
        rows["recipes"] = [{"recipe": "R", "product": "A", "site": taken_at}]
        rows["components"] = [{"product": "A", "component": "M", "units_per_unit": 1.0}]
    return rows


@pytest.mark.parametrize(
    ("own", "taken_at", "there"),
    [(("F",), None, 11), (("F", "G"), "F", 11), (("F", "G"), "G", 13), (("F", "G"), None, 13)],
)
def test_what_is_bought_is_there_when_the_site_that_takes_it_is_open(
    own: tuple[str, ...], taken_at: str | None, there: int
) -> None:
    """The only site, or the one whose recipes take it, receives it; of several nobody knows which."""
    assert days_of(run(received(own, taken_at)))["M"] == (day(there - 1), day(there))


def test_on_a_closed_day_what_is_replenished_is_ordered_on_the_next_open_one() -> None:
    """On Saturday the supplier is shut: ordered on Monday, three working days later on Thursday."""
    rows = bought("working") | {"demand": wants("A", *range(5, 25))}
    found = replenish(state(rows, today=day(5)), nothing_learnt(), 0)
    (order,) = found.tables["orders"].to_pylist()
    assert order["units"] > 0
    assert (order["start"], order["due"]) == (day(7), day(10))


def test_goods_leave_and_arrive_on_open_days_of_both_sites_and_of_the_carrier() -> None:
    """The carrier drives on any day but Thursday, the store gets goods from Tuesday to Saturday. What is wanted there
    on Thursday leaves on Monday and is there on Wednesday: two days from Tuesday are Thursday, when nobody drives."""
    rows: Rows = {
        "products": [{"product": "A", "price": 100.0}],
        "calendars": [
            {"calendar": "works"},
            {"calendar": "store", "monday": False, "saturday": True},
            {"calendar": "carrier", "thursday": False, "saturday": True, "sunday": True},
        ],
        "sites": [{"site": "F", "calendar": "works"}, {"site": "S", "kind": "store", "calendar": "store"}],
        "lanes": [{"lane": "V", "from_site": "F", "to_site": "S", "lead_days": 2.0, "calendar": "carrier"}],
        "stock": [{"happened_at": day(-1), "site": "F", "product": "A", "units": 9.0}],
        "demand": [{"demand": "d", "product": "A", "market": "S", "due": day(3), "units": 5.0}],
    }
    rows["stock"][0]["happened_at"] = ChainSettings("t").calendar.midnight(day(-1))
    moves = [o for o in run(rows).plan.orders if o.kind == "move"]
    assert [(o.start, o.due) for o in moves] == [(day(0), day(2))]


def test_what_is_done_on_a_day_on_which_nothing_is_sent_leaves_on_the_next() -> None:
    """24 hours on a line of eight a day are done on Wednesday, when the site sends nothing: they leave on Thursday."""
    rows: Rows = {
        "products": [{"product": "A", "price": 100.0}],
        "calendars": [{"calendar": "line"}, {"calendar": "dock", "wednesday": False}],
        "sites": [{"site": "F", "calendar": "dock"}, {"site": "S", "kind": "store"}],
        "lines": [{"line": "L", "site": "F", "hours_per_week": 40.0, "calendar": "line"}],
        "recipes": [{"recipe": "R", "product": "A", "line": "L", "hours_per_unit": 4.8, "cost_per_unit": 1.0}],
        "lanes": [{"lane": "V", "from_site": "F", "to_site": "S"}],
        "demand": [{"demand": "d", "product": "A", "market": "S", "due": day(1), "units": 5.0}],
    }
    found = {o.kind: (o.start, o.due) for o in run(rows, "week", 3).plan.orders}
    assert found == {"make": (day(0), day(2)), "move": (day(3), day(3))}


@pytest.mark.parametrize(("units", "begins"), [(8.0, 3), (20.0, 2), (24.0, 2)])
def test_a_part_is_due_on_the_last_open_day_before_what_it_goes_into_begins(units: float, begins: int) -> None:
    """On Tuesdays all is shut. 20 hours for A fit only from Wednesday on, 8 a day: its part is due on the Monday, and
    not on the Tuesday before; for 8 hours, which begin on Thursday, on the Wednesday."""
    line, recipe = {"hours_per_week": 32.0, "calendar": "works"}, {"cost_per_unit": 1.0}
    rows: Rows = {
        "products": [{"product": "A", "price": 100.0}, {"product": "P", "price": 10.0}],
        "calendars": [{"calendar": "works", "tuesday": False}],
        "lines": [line | {"line": "K"}, line | {"line": "L"}],
        "recipes": [
            recipe | {"recipe": "A", "product": "A", "line": "L", "hours_per_unit": 1.0},
            recipe | {"recipe": "P", "product": "P", "line": "K", "hours_per_unit": 0.01},
        ],
        "components": [{"product": "A", "component": "P", "units_per_unit": 1.0}],
        "demand": [{"demand": "d", "product": "A", "due": day(4), "units": units}],
    }
    found = days_of(run(rows, "week", 4))
    assert found == {"P": (day(0), day(2 if begins == 3 else 0)), "A": (day(begins), day(4))}


def test_a_week_with_a_closed_day_has_a_fifth_less_hours() -> None:
    """40 hours a week are 8 on each of five days: a week with a closed Wednesday makes 32 units of an hour, and the
    rest of 40 that are wanted then is made the week before."""
    rows = made()
    recipe = rows["recipes"][0] | {"hours_per_unit": 1.0, "lead_days": 0.0}
    rows |= {"recipes": [recipe], "calendar_days": [{"calendar": "works", "from": day(9), "to": None, "open": False}]}
    rows |= {"demand": [{"demand": "d", "product": "A", "due": day(11), "units": 40.0}]}
    orders = run(rows, "week", 4).plan.orders
    assert sorted((o.start.isocalendar().week, o.units) for o in orders) == [(2, 8.0), (3, 32.0)]


def test_a_calendar_that_never_opens_makes_nothing() -> None:
    assert run(made(**dict.fromkeys(WEEKDAYS, False))).plan.orders == ()


# lead times add up --------------------------------------------------------------------------------


def chain_of(leads: list[float], due: int, hours: float = 0.0) -> Rows:
    """P0 is sold and made of P1, that of P2, and so on. leads: days, of P0 first."""
    names = [f"P{i}" for i in range(len(leads))]
    line = {"line": "L", "hours_per_unit": hours} if hours else {}
    rows: dict[str, list[dict[str, Any]]] = {
        "products": [{"product": p, "price": 100.0 - i} for i, p in enumerate(names)],
        "recipes": [
            {"recipe": f"R{p}", "product": p, "lead_days": lead, "cost_per_unit": 1.0} | line
            for p, lead in zip(names, leads, strict=True)
        ],
        "components": [{"product": a, "component": b, "units_per_unit": 1.0} for a, b in pairwise(names)],
        "demand": wants("P0", due),
    }
    if hours:
        rows["lines"] = [{"line": "L", "hours_per_week": 168.0}]
    return rows


@pytest.mark.parametrize("hours", [0.0, 0.1])
def test_lead_times_of_days_add_up_before_they_are_rounded(hours: float) -> None:
    """1 + 1.5 + 1.25 + 2.04 = 5.79 days: what is wanted on day 6 is begun on day 0, and not on day -2."""
    found = run(chain_of([1.0, 1.5, 1.25, 2.04], 6, hours))
    assert [days_of(found)[f"P{i}"] for i in range(4)] == [
        (day(5), day(6)),
        (day(3), day(5)),
        (day(2), day(3)),
        (day(0), day(2)),
    ]


def test_of_a_week_what_takes_no_hours_follows_within_it() -> None:
    """Goods of 1 + 1.5 + 1.25 days follow one another from Monday to Friday, on which the last of them begins; 2.04
    days more do not fit into four, and are begun the week before. By weeks it would be four of them."""
    found = days_of(run(chain_of([1.0, 1.5, 1.25, 2.04], 18), "week", 6))
    assert found["P0"][0] == day(11)
    for i in range(3):
        assert found[f"P{i + 1}"][1] <= found[f"P{i}"][0]
    assert found["P3"][0] >= day(0)


def test_of_a_week_what_takes_hours_keeps_whole_weeks() -> None:
    """Nobody knows on which days the line has hours for it: each step has its week."""
    found = days_of(run(chain_of([1.0, 1.5], 18, 0.1), "week", 6))
    assert found["P1"][0] < day(7) <= found["P0"][0]


def exact_there(rows: Rows, orders: Mapping[str, PlannedOrder], product: str) -> float:
    """Time in days at which an order's units are there, when it begins as soon as its components are there."""
    lead = next(r["lead_days"] for r in rows["recipes"] if r["product"] == product)
    parts = [c["component"] for c in rows["components"] if c["product"] == product]
    begin = max([0.0, *(exact_there(rows, orders, part) for part in parts)])
    return begin + lead


@each_seed(range(30))
def test_random_trees_are_there_when_their_lead_times_say(seed: int) -> None:
    """Of a tree without stock and hours the first day on which anything can be served is its longest path, rounded up;
    the plan serves on that day, no order of it begins before its parts are there, and the bound is not above it."""
    random = np.random.default_rng(seed)
    count = int(random.integers(2, 7))
    names = [f"P{i}" for i in range(count)]
    rows: Rows = {
        "products": [{"product": p, "price": 100.0} for p in names],
        "recipes": [
            {"recipe": p, "product": p, "lead_days": round(float(random.uniform(0, 3)), 2), "cost_per_unit": 1.0}
            for p in names
        ],
        "components": [
            {"product": names[int(random.integers(0, i))], "component": names[i], "units_per_unit": 1.0}
            for i in range(1, count)
        ],
        "demand": wants("P0", 0),
    }
    found = run(rows)
    orders = {o.product: o for o in found.plan.orders}
    longest = exact_there(rows, orders, "P0")
    assert orders["P0"].due == day(int(np.ceil(longest - 1e-9)))
    for use in rows["components"]:
        assert orders[use["component"]].due <= orders[use["product"]].start
    bounded(found.decision)


def bounded(decision: Decision) -> None:
    for plan in (decision.market, decision.given_out):
        assert plan.bound <= plan.total_cost + 1e-6 * max(1.0, abs(plan.total_cost))


def open_on(calendar: Mapping[str, Any], closed: list[date], when: date) -> bool:
    usual = WEEKDAYS[when.weekday()] not in ("saturday", "sunday")
    return bool(calendar.get(WEEKDAYS[when.weekday()], usual)) and when not in closed


@each_seed(range(30))
def test_random_chains_keep_the_working_days(seed: int) -> None:
    """No order starts or is due on a closed day of its calendar; one in working days has as many open days as it says
    from its start; and its market is bounded from below."""
    random = np.random.default_rng(seed)
    calendar = {"calendar": "C"} | {name: bool(random.random() < 0.7) for name in WEEKDAYS} | {"monday": True}
    closed = [day(int(n)) for n in random.integers(5, 25, 3)]
    lead, working = int(random.integers(0, 5)), bool(random.random() < 0.5)
    parts = {"lead_days": float(lead), "lead_in": "working" if working else "calendar", "cost_per_unit": 1.0}
    line = {"line": "L", "hours_per_unit": float(random.choice([0.5, 2.0]))}
    rows: Rows = {
        "products": [{"product": "A", "price": 100.0}, {"product": "B", "price": 10.0}],
        "calendars": [calendar],
        "calendar_days": [{"calendar": "C", "from": d, "to": None, "open": False} for d in sorted(set(closed))],
        "lines": [{"line": "L", "hours_per_week": 60.0, "calendar": "C"}],
        "recipes": [{"recipe": p, "product": p} | parts | line for p in ("A", "B")],
        "components": [{"product": "A", "component": "B", "units_per_unit": 1.0}],
        "demand": wants("A", *sorted({int(n) for n in random.integers(8, 28, 4)})),
    }
    bucket = str(random.choice(["day", "week"]))
    known = state(rows, bucket, 35 if bucket == "day" else 6)
    begun = head(known, nothing_learnt(), 0)
    decision = decide(begun)
    bounded(decision)
    for order in run(rows, bucket, 35 if bucket == "day" else 6).plan.orders:
        assert open_on(calendar, closed, order.start), order
        assert open_on(calendar, closed, order.due), order
        between = [order.start + timedelta(days=i) for i in range(1, (order.due - order.start).days + 1)]
        count = sum(open_on(calendar, closed, d) for d in between) if working else len(between)
        assert count >= lead, order


def with_calendars(made: RandomChain) -> State:
    """A chain of any kind, whose sites, lines, recipes, offers and lanes have one of two calendars, or none."""
    random = np.random.default_rng(made.seed)
    tables = {name: [dict(row) for row in rows] for name, rows in made.tables.items()}
    weeks = [{name: bool(random.random() < 0.75) for name in WEEKDAYS} | {"monday": True} for _ in range(2)]
    tables["calendars"] = [{"calendar": f"C{i}"} | week for i, week in enumerate(weeks)]
    shut = made.settings.start + timedelta(days=int(random.integers(2, 30)))  # ty: ignore[unsupported-operator]
    tables["calendar_days"] = [{"calendar": "C0", "from": shut, "to": None, "open": False}]
    for name in ("sites", "lines", "recipes", "offers", "lanes"):
        for row in tables.get(name, ()):
            row["calendar"] = (None, "C0", "C1")[int(random.integers(3))]
            if name not in ("sites", "lines"):
                row["lead_in"] = ("calendar", "working")[int(random.integers(2))]
    found = {}
    for name, rows in tables.items():
        columns = dict.fromkeys(column for row in rows for column in row)
        found[name] = in_state_schema(name, pa.table({c: [row.get(c) for row in rows] for c in columns}))
    moment = made.settings.calendar.midnight(made.settings.start)  # ty: ignore[invalid-argument-type]
    return state_of_tables(made.settings, moment, found)


@each_seed(range(16))
def test_chains_with_all_rules_keep_their_calendars(seed: int) -> None:
    """Orders of every kind start and are there on open days, no sooner than their lead time, and those that are out are
    counted on on open days; the bound holds. A chain whose locked order falls on a closed day has no plan."""
    try:
        begun = head(with_calendars(random_chain(seed)), nothing_learnt(), 0)
    except NoPlan:
        return
    decision = decide(begun)
    bounded(decision)
    assert decision.chosen is not None
    ways = decision.chosen.work.facts.ways_of_row
    plan = written(begun, decision)
    for row in plan.kept.to_pylist():
        own = ways.get((row["kind"], row["recipe"] or row["offer"] or row["lane"] or ""), ())
        days = {None if way.course is None else way.course.arrives for way in own}
        for arrives in days if len(days) == 1 and row["counted_on"] is not None else ():
            assert arrives is None or arrives.on(row["counted_on"].toordinal()), row
    for order in plan.orders:
        course = way_on(ways[order.kind, order.recipe or order.offer or order.lane or ""], order.start).course
        if course is not None:
            assert course.starts is None or course.starts.on(order.start.toordinal()), order
            assert course.arrives is None or course.arrives.on(order.due.toordinal()), order
            there = course.there(order.start)
            assert there is None or there <= order.due, order


# orders that are out ------------------------------------------------------------------------------


def dough(bucket_lead: float = 1.0, **order: Any) -> dict[str, list[dict[str, Any]]]:
    """W makes 16 of D, an hour each, in a bakery of 8 hours a day that is shut at weekends; they rest for a day."""
    own = {"order": "W", "kind": "make", "product": "D", "recipe": "D", "line": "L", "units": 8.0}
    return {
        "products": [{"product": "D", "price": 10.0}, {"product": "B", "kind": "material", "price": 1.0}],
        "calendars": [{"calendar": "bakery"}],
        "sites": [{"site": "F", "kind": "factory", "calendar": "bakery"}],
        "lines": [{"line": "L", "site": "F", "hours_per_week": 40.0}],
        "recipes": [{"recipe": "D", "product": "D", "line": "L", "hours_per_unit": 1.0, "lead_days": bucket_lead}],
        "orders": [own | {"start": day(3), "due": day(4)} | order],
        "order_events": [{"order": "W", "state": "released", "happened_at": datetime(2026, 1, 2, tzinfo=UTC)}],
        "demand": wants("D", 11),
    }


def waiting_for_butter(bucket_lead: float = 1.0) -> dict[str, list[dict[str, Any]]]:
    """Its butter comes on Friday, so that it begins then, and not on Thursday."""
    rows = dough(bucket_lead)
    rows["components"] = [{"product": "D", "component": "B", "units_per_unit": 1.0}]
    bought = {"order": "P", "kind": "buy", "product": "B", "offer": "O", "units": 8.0, "start": day(-7), "due": day(4)}
    rows["orders"].append(bought)
    rows["order_events"].append(rows["order_events"][0] | {"order": "P"})
    rows["offers"] = [{"offer": "O", "product": "B", "price": 1.0, "lead_days": 21.0}]
    return rows


@pytest.mark.parametrize("bucket", ["day", "week"])
def test_an_order_that_is_out_is_there_on_a_day_on_which_its_bakery_is_open(bucket: str) -> None:
    """A day after Friday is Saturday, when the bakery is shut: it is there on Monday, and in the next week."""
    found = run(waiting_for_butter(), bucket, 30 if bucket == "day" else 4)
    kept = {row["order"]: row for row in found.plan.kept.to_pylist()}
    assert kept["W"]["counted_on"] == day(7)
    assert kept["W"]["waits_for"] == "B"
    delivered = found.decision.clearing.flow.filter(pc.greater(found.decision.clearing.flow["received_units"], 0.0))
    came = {row["product"]: row["bucket"] for row in delivered.to_pylist()}
    assert came["D"] == day(7)


def test_what_is_bought_and_promised_for_a_closed_day_is_counted_on_the_next_open_one() -> None:
    rows = waiting_for_butter()
    rows["orders"][1]["due"] = day(5)
    rows["offers"][0]["to_site"] = "F"
    kept = {row["order"]: row["counted_on"] for row in run(rows, "week", 4).plan.kept.to_pylist()}
    assert kept == {"P": day(7), "W": day(8)}


def test_what_is_past_due_is_counted_on_on_an_open_day_and_both_places_say_so() -> None:
    """Its lead time of five days from Monday ends on a Saturday."""
    rows = waiting_for_butter()
    rows["orders"][1]["due"] = day(-4)
    rows["offers"][0]["lead_days"] = 5.0
    kept = {row["order"]: row["counted_on"] for row in run(rows, "week", 4).plan.kept.to_pylist()}
    assert kept["P"] == day(7)
    (told,) = [f for f in position_notices(state(rows, "week", 4), nothing_learnt()) if f.code == "order_overdue"]
    assert "counts on it on 2026-01-12: 5 days from today" in told.found.text("en")
    assert "2026-01-10 is a closed day" in told.found.text("en")


def test_an_order_that_should_have_begun_is_there_after_its_lead_time_from_today() -> None:
    """To begin last Friday and promised for Monday, or for today: it begins today, and is there tomorrow, in this
    week."""
    for promised in (0, 1):
        (row,) = run(dough(start=day(-3), due=day(promised)), "week", 4).plan.kept.to_pylist()
        assert row["counted_on"] == day(1)
        why = late_for(row)
        assert (None if why is None else why.key) == ("plan.out_not_begun" if promised == 0 else None)


def test_an_order_of_two_days_that_should_have_begun_is_late_for_that_and_not_for_want_of_hours() -> None:
    """Its 16 hours are Monday and Tuesday whole. Where a locked order has Monday, its line has too few hours, too."""
    rows = dough(start=day(-3), due=day(0), units=16.0)
    (row,) = run(rows, "week", 4).plan.kept.to_pylist()
    assert (row["counted_on"], row["not_begun"], row["short_line"]) == (day(1), True, None)
    locked = rows["orders"][0] | {"order": "K", "start": day(0), "due": day(1), "units": 8.0, "locked": True}
    rows["orders"].append(locked)
    row = next(r for r in run(rows, "week", 4).plan.kept.to_pylist() if r["order"] == "W")
    assert (row["counted_on"], row["not_begun"], row["short_line"]) == (day(2), None, "L")


def test_what_has_begun_is_late_for_what_is_left_of_it_and_not_for_want_of_hours() -> None:
    """Four of ten are left: 4 of Monday's 8 hours. Where a locked order has Monday whole, its line has too few."""
    rows = dough(start=day(-3), due=day(-2), units=10.0)
    told = {"order": "W", "state": "partly_done", "good_units": 6.0, "happened_at": datetime(2026, 1, 3, tzinfo=UTC)}
    rows["order_events"] = [*rows.get("order_events", []), told]
    (row,) = run(rows, "week", 4).plan.kept.to_pylist()
    assert (row["counted_on"], row["left_hours"], row["short_line"]) == (day(0), pytest.approx(4.0), None)
    why = late_for(row)
    assert why is not None and why.key == "plan.out_left"
    assert "takes 4 hours from today on" in why.text("en")
    today = dough(start=day(-3), due=day(0), units=16.0)
    today["order_events"] = [*today["order_events"], told | {"good_units": 4.0}]
    (row,) = run(today, "week", 4).plan.kept.to_pylist()  # twelve are left, of which Monday has eight
    assert (row["counted_on"], row["left_hours"], row["short_line"]) == (day(1), pytest.approx(12.0), None)
    locked = rows["orders"][0] | {"order": "K", "start": day(-5), "due": day(-3), "units": 8.0}
    rows["orders"].append(locked)
    begun = {"order": "K", "state": "started", "happened_at": datetime(2026, 1, 2, tzinfo=UTC)}
    rows["order_events"].append(begun)
    found = {r["order"]: r for r in run(rows, "week", 4).plan.kept.to_pylist()}
    assert (found["K"]["left_hours"], found["K"]["short_line"]) == (pytest.approx(8.0), None)
    assert (found["W"]["left_hours"], found["W"]["short_line"]) == (None, "L")


def test_a_transfer_that_should_have_left_is_there_after_its_lead_time_from_today() -> None:
    moved = {"kind": "move", "lane": "FS", "recipe": None, "line": None, "start": day(-3), "due": day(0)}
    rows = dough(**moved)
    rows["sites"].append({"site": "S", "kind": "warehouse"})
    rows["lanes"] = [{"lane": "FS", "from_site": "F", "to_site": "S", "lead_days": 3.0}]
    rows["stock"] = [{"product": "D", "site": "F", "units": 20.0, "happened_at": datetime(2026, 1, 4, tzinfo=UTC)}]
    found = run(rows, "week", 4)
    (row,) = found.plan.kept.to_pylist()
    assert row["counted_on"] == day(3)
    told = [f for f in position_notices(state(rows, "week", 4), nothing_learnt()) if f.code == "should_have_begun"]
    assert ["W" in f.found.text("en") for f in told] == [True]
    why = late_for(row)
    assert why is not None and why.key == "plan.out_not_begun"


def test_what_is_on_its_way_is_there_on_a_day_on_which_its_site_is_open() -> None:
    """It left on Friday the 2nd and takes eight days: on Saturday the store is shut, so it is there on Monday."""
    rows = dough()
    del rows["orders"], rows["order_events"]
    rows["sites"].append({"site": "S", "kind": "store", "calendar": "bakery"})
    rows["lanes"] = [{"lane": "FS", "from_site": "F", "to_site": "S", "lead_days": 8.0}]
    rows["shipments"] = [
        {
            "shipment": "s",
            "product": "D",
            "from_site": "F",
            "to_site": "S",
            "units": 5.0,
            "happened_at": datetime(2026, 1, 2, 12, tzinfo=UTC),
        }
    ]
    rows["demand"] = [row | {"market": "S"} for row in wants("D", 4)]
    delivered = run(rows, "week", 4).decision.clearing.deliveries.to_pylist()
    assert [(row["bucket"], row["units"]) for row in delivered if row["bucket"] is not None] == [(day(7), 5.0)]
