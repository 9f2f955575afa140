"""What was refused is not asked of the same again, and the plan says so."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datong.balance.pack import pack
from datong.cycle import CycleResult, head, run_cycle
from datong.ledger.state import State
from datong.model.flow import PlannedOrder, nothing_learnt
from datong.network.notices import notices
from datong.network.refusals import refusals
from datong.questions.since.answers_and_receipts import closed_rows
from datong.questions.since.rows import Naming
from small_chain import MONDAY, chain, press

NOW = datetime(2024, 1, 1, tzinfo=UTC)


def week(n: int) -> date:
    return MONDAY + timedelta(weeks=n)


def refused(order: str, start: date, reason: str | None = "a worn die", units: float = 8.0, **way: str) -> dict:
    """Rows of an order that was released and refused. way: kind, product and recipe, offer or lane."""
    what = {"kind": "make", "product": "A", "recipe": None, "offer": None, "lane": None} | way
    row = what | {"order": order, "units": units, "start": start, "due": start, "locked": True, "run": "R"}
    told = [("released", None), ("refused", reason)]
    events = [
        {
            "order": order,
            "state": state,
            "happened_at": NOW - timedelta(hours=2 - i),
            "reason": why,
            "counterparty": "Ahmed",
        }
        for i, (state, why) in enumerate(told)
    ]
    return {"orders": [row], "order_events": events}


def state(*refusals: dict, horizon: int = 4, asked: dict[int, float] | None = None, **tables: list) -> State:
    """Product A made on line L at 2 a unit, 10 a week; units wanted by week."""
    rows = press() | tables
    rows["demand"] = [
        {"demand": f"D{n}", "product": "A", "due": week(n), "units": units}
        for n, units in (asked or {0: 8.0, 1: 6.0}).items()
    ]
    out: dict[str, list] = {"orders": [], "order_events": []}
    for refusal in refusals:
        for name in out:
            out[name] += refusal[name]
    return chain(horizon, **rows, **{name: own for name, own in out.items() if own})


def cycle(of: State) -> CycleResult:
    return run_cycle(of, nothing_learnt(), (), 0)


def brief(orders: tuple[PlannedOrder, ...]) -> list[tuple[Any, ...]]:
    return [(o.recipe or o.offer or o.lane, o.units, o.start) for o in orders]


def told(order: PlannedOrder) -> list[str]:
    """What an order says of refusals."""
    kinds = ("plan.cause.refused", "plan.cause.cancelled", "plan.cause.agreed")
    return [c.text.text("en") for c in order.causes if c.text.key.startswith(kinds)]


OFFER = {"offers": [{"offer": "A/S", "product": "A", "price": 3.0, "lead_days": 0.0}]}


def test_the_other_way_takes_over_in_the_refused_week_only() -> None:
    """8 of A in week 0, 6 in week 1, at 2 by the line or 3 by an offer; the line's order of week 0 was refused."""
    assert brief(cycle(state(**OFFER)).plan.orders) == [("A/L", 8.0, week(0)), ("A/L", 6.0, week(1))]
    found = cycle(state(refused("W1", week(0), recipe="A/L"), **OFFER)).plan.orders
    assert brief(found) == [("A/S", 8.0, week(0)), ("A/L", 6.0, week(1))]
    instead, later = found
    assert told(instead) == [
        "Ahmed refused W1, 8 by A/L in the week of 2024-01-01 (reason: a worn die), and is not asked for that again"
    ]
    (evidence,) = [c.evidence for c in instead.causes if c.text.key == "plan.cause.refused"]
    assert evidence == ("order_events:1",)
    assert told(later) == [
        "Ahmed refused W1, 8 by A/L in the week of 2024-01-01 (reason: a worn die), and is asked again only after that"
    ]


def test_the_only_way_is_asked_again_in_the_next_week_and_says_why() -> None:
    """10 hours a week: 8 + 2 of A in week 1, the other 4 in week 2; nothing in week 0."""
    found = cycle(state(refused("W1", week(0), recipe="A/L", reason=None))).plan.orders
    assert brief(found) == [("A/L", 10.0, week(1)), ("A/L", 4.0, week(2))]
    assert told(found[0]) == [
        "Ahmed refused W1, 8 by A/L in the week of 2024-01-01 (no reason given), and is asked again only after that"
    ]
    assert told(found[1]) == []


@pytest.mark.parametrize(("in_week", "other_firm"), [(0, False), (-1, False), (0, True), (-1, True)])
@pytest.mark.parametrize("rule", ["refused", "cancelled"])
def test_who_refused_is_not_asked_by_another_offer_without_a_word(in_week: int, other_firm: bool, rule: str) -> None:
    """The mill has two offers for M. It said no to the cheap one, which is dear now or closed, and is asked by the
    other one: the order says so. An offer of another mill says what it stands in for, and nothing of the first."""
    sites = [{"site": "MILL", "kind": "supplier"}, {"site": "OTHER", "kind": "supplier"}]
    other = "OTHER" if other_firm else "MILL"
    offers = [
        {"offer": "M/1", "product": "M", "site": "MILL", "price": 1.0 if in_week == 0 else 9.0, "lead_days": 0.0},
        {"offer": "M/2", "product": "M", "site": other, "price": 2.0, "lead_days": 0.0},
    ]
    products = [{"product": "A", "price": 100.0}, {"product": "M", "kind": "material"}]
    parts = [{"product": "A", "component": "M", "units_per_unit": 1.0}]
    no = refused("P1", week(in_week), kind="buy", product="M", offer="M/1")
    if rule == "cancelled":
        no["order_events"] = [
            row | {"state": row["state"].replace("refused", "cancelled")} for row in no["order_events"]
        ]
    tables = {"products": products, "components": parts, "offers": offers, "sites": sites}
    found = cycle(state(no, asked={0: 6.0, 1: 6.0}, **tables)).plan.orders
    (first, *_) = sorted((o for o in found if o.kind == "buy"), key=lambda o: o.start)
    assert first.offer == "M/2"
    said = [text for text in told(first) if "this asks MILL again, by M/2" in text]
    assert len(said) == (0 if other_firm else 1)
    elsewhere = [text for o in found if o is not first for text in told(o) if "this asks" in text]
    assert not elsewhere


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_refusal_is_told_in_both_languages(language: str) -> None:
    found = cycle(state(refused("W1", week(0), recipe="A/L")))
    (text,) = [
        c.text.text(language) for c in found.plan.orders[0].causes if c.text.key.startswith("plan.cause.refused")
    ]
    assert all(word in text for word in ("Ahmed", "W1", "A/L", "a worn die"))


def test_what_was_refused_of_an_offer_is_bought_before_or_elsewhere() -> None:
    """A takes one M, bought at 1 or at 2. Refused for week 1, the 6 of week 1 are bought in week 0; refused for week 0,
    the 8 of week 0 are bought of the other."""
    offers = [{"offer": f"M/{n}", "product": "M", "price": float(n), "lead_days": 0.0} for n in (1, 2)]
    tables = {
        "products": [
            {"product": "A", "price": 100.0, "kind": "finished"},
            {"product": "M", "price": 4.0, "kind": "material"},
        ],
        "components": [{"product": "A", "component": "M", "units_per_unit": 1.0}],
        "offers": offers,
    }
    for closed, expected in (
        (None, [("M/1", 8.0, week(0)), ("M/1", 6.0, week(1))]),
        (1, [("M/1", 14.0, week(0))]),
        (0, [("M/2", 8.0, week(0)), ("M/1", 6.0, week(1))]),
    ):
        out = [] if closed is None else [refused("P1", week(closed), kind="buy", product="M", offer="M/1")]
        orders = cycle(state(*out, **tables)).plan.orders
        bought = tuple(o for o in orders if o.kind == "buy")
        assert brief(bought) == expected
        assert [len(told(o)) for o in bought] == [int(closed is not None)] * len(bought)


def test_a_refused_transfer_closes_its_lane_for_the_product() -> None:
    """A is made at the works and sold in town by a lane; a second, dearer lane goes there too. They leave on Thursday,
    when the 8 of 10 hours a week are worked."""
    tables = {
        "sites": [{"site": "works", "firm": "F"}, {"site": "town", "firm": "F"}],
        "lines": [{"line": "L", "hours_per_week": 10.0, "site": "works"}],
        "lanes": [
            {"lane": name, "from_site": "works", "to_site": "town", "lead_days": 0.0, "cost_per_unit": cost}
            for name, cost in (("road", 0.1), ("rail", 0.2))
        ],
    }
    demand = [{"demand": "D", "product": "A", "market": "town", "due": week(0), "units": 8.0}]
    for refusal, lane in ((None, "road"), (refused("T1", week(0), kind="move", lane="road"), "rail")):
        rows = press() | tables | {"demand": demand} | (refusal or {})
        moves = [o for o in cycle(chain(3, **rows)).plan.orders if o.kind == "move"]
        assert [(o.lane, o.units, o.start) for o in moves] == [(lane, 8.0, week(0) + timedelta(days=3))]
        assert [bool(told(o)) for o in moves] == [refusal is not None]


def test_refusals_of_weeks_gone_or_taken_back_close_nothing() -> None:
    plain = brief(cycle(state()).plan.orders)
    gone = refused("W1", week(-1), recipe="A/L")
    assert brief(cycle(state(gone)).plan.orders) == plain
    taken_back = refused("W1", week(0), recipe="A/L")
    taken_back["order_events"] = taken_back["order_events"][:1]
    taken_back["order_events"][0] |= {"state": "cancelled", "counterparty": None}
    assert brief(cycle(state(taken_back)).plan.orders) == plain


def test_a_firm_that_cancels_is_not_asked_for_the_same_at_once() -> None:
    """W1 of the last week was taken on and is cancelled today, with 3 of its 8 done."""
    no = refused("W1", week(-1), recipe="A/L")
    released, said = ({**event, "good_units": None} for event in no["order_events"])
    done = released | {"state": "partly_done", "good_units": 3.0, "happened_at": NOW - timedelta(minutes=90)}
    no["order_events"] = [released, done, said | {"state": "cancelled", "happened_at": NOW}]
    (found,) = refusals(state(no), MONDAY)
    assert (found.units, found.first, found.after, found.is_cancelled) == (5.0, week(0), week(1), True)
    orders = cycle(state(no, **OFFER)).plan.orders
    assert not [o for o in orders if o.recipe == "A/L" and o.start < week(1)]
    causes = [c.text for o in orders for c in o.causes if c.text.key == "plan.cause.cancelled"]
    assert causes and "cancelled W1, 5 by A/L" in causes[0].text("en") and "2024-01-08 起才再" in causes[0].text("zh")
    (row,) = closed_rows(state(no), MONDAY, Naming(state(no)))
    assert row.kind == "cancelled" and f"datong withdraw order_events {found.event}" in row.text.text("zh")
    assert refusals(state({**no, "order_events": no["order_events"][:2]}), MONDAY) == ()


def test_a_refused_order_that_names_no_recipe_is_one_of_the_only_one() -> None:
    """Of two recipes nobody knows which was refused: that is told, and how to mend it."""
    nameless = refused("W1", week(0))
    (found,) = refusals(state(nameless), MONDAY)
    assert (found.row, found.first) == ("A/L", week(0))
    rows = press()["recipes"]
    two = state(nameless, recipes=[*rows, {**rows[0], "recipe": "A/K"}])
    assert refusals(two, MONDAY) == ()
    (notice,) = (n for n in notices(two) if n.code == "refused_unnamed")
    assert "W1" in notice.text("zh")
    assert not any(n.code == "refused_unnamed" for n in notices(state(nameless)))


def taken(
    order: str, start: date, was: tuple[float, date], units: float | None = None, due: date | None = None
) -> dict:
    """Rows of an order that was given out for `was` (units, due) and start, and whose offer was taken."""
    put_off = max(due - was[1], timedelta()) if due else timedelta()
    row = {"order": order, "kind": "make", "product": "A", "recipe": "A/L", "locked": True, "run": "R"}
    row |= {"units": units or was[0], "start": start + put_off, "due": due or was[1]}
    told = {"order": order, "counterparty": "Ahmed"}
    offer = {"order_event": "O", "state": "offered", "offered_units": units, "offered_due": due, "answers": None}
    before = {"order_event": "T", "state": "accepted", "offered_units": was[0], "offered_due": was[1], "answers": "O"}
    events = [told | offer | {"happened_at": NOW - timedelta(hours=2)}, told | before | {"happened_at": NOW}]
    return {"orders": [row], "order_events": events}


def test_what_a_taken_offer_leaves_is_not_asked_of_the_same_at_once() -> None:
    """8 of A in week 0: of the order for them 5 are left. The other 3 go to the dearer way, or wait."""
    fewer = taken("W1", week(0), (8.0, week(0)), units=5.0)
    found = cycle(state(fewer, **OFFER)).plan.orders
    assert brief(found) == [("A/S", 3.0, week(0)), ("A/L", 6.0, week(1))]
    assert told(found[0]) == [
        "W1 was agreed otherwise with Ahmed (offered instead, and taken: 5 units): 3 by A/L in the week of"
        " 2024-01-01 is asked for again from 2024-01-08 on, not before"
    ]
    assert brief(cycle(state(fewer)).plan.orders) == [("A/L", 9.0, week(1))]


def test_a_taken_later_day_closes_the_weeks_up_to_it() -> None:
    """All 8 come two weeks later: weeks 0 and 1 are closed, and no more than that with fewer of them."""
    later = taken("W1", week(0), (8.0, week(0)), due=week(2))
    ((no,), both) = refusals(state(later), MONDAY), taken("W1", week(0), (8.0, week(0)), units=5.0, due=week(2))
    assert (no.first, no.after, no.units) == (week(0), week(2), 8.0)
    (no,) = refusals(state(both), MONDAY)
    assert (no.first, no.after) == (week(0), week(2))
    found = cycle(state(both, **OFFER)).plan.orders
    assert all(o.offer == "A/S" or o.start >= week(2) for o in found)
    assert "by 2024-01-15" in told(found[0])[0] and "from 2024-01-15 on" in told(found[0])[0]
    both["order_events"].append({"order": "W1", "counterparty": "Ahmed", "state": "done", "happened_at": NOW})
    assert refusals(state(both), MONDAY) == ()


def test_an_offer_that_leaves_nothing_closes_nothing() -> None:
    """As many units on another day of the week, or another price."""
    in_week = taken("W1", week(0), (8.0, week(0)), due=week(0) + timedelta(days=2))
    for none in (in_week, taken("W1", week(0), (8.0, week(0)), units=9.0)):
        assert refusals(state(none), MONDAY) == ()


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    closed=st.lists(st.tuples(st.sampled_from(["A/L", "A/K", "A/S"]), st.integers(0, 3)), max_size=6, unique=True),
    asked=st.dictionaries(st.integers(0, 3), st.integers(1, 14), min_size=1),
    lots=st.sampled_from([{}, {"min_lot_units": 4.0}, {"setup_hours": 2.0}]),
)
def test_nothing_starts_where_it_was_refused(closed: list, asked: dict[int, int], lots: dict[str, float]) -> None:
    """Two lines and an offer, any of them refused in any weeks: neither market nor orders start there, and each order
    of another way in such a week names the refusal."""
    rows = press(**lots)
    tables = {
        "lines": [*rows["lines"], {"line": "K", "hours_per_week": 6.0}],
        "recipes": [
            *rows["recipes"],
            rows["recipes"][0] | {"recipe": "A/K", "line": "K", "cost_per_unit": 2.5},
        ],
        **OFFER,
    }
    told_of = [
        refused(f"X{i}", week(n), **({"kind": "buy", "offer": way} if way == "A/S" else {"recipe": way}))
        for i, (way, n) in enumerate(closed)
    ]
    of = state(*told_of, asked={n: float(units) for n, units in asked.items()}, **tables)
    market = pack(of, (begun := head(of, nothing_learnt(), 0)).demand, begun.learnt, begun.where)
    at = {way.name: i for i, way in enumerate(market.ways.facts)}
    shut = {(at[way], n) for way, n in closed}
    is_open = set(zip(*(axis.tolist() for axis in np.nonzero(market.ways.is_open)), strict=True))
    assert is_open.isdisjoint(shut)
    assert is_open | shut == {(w, t) for w in range(3) for t in range(4)}
    result = cycle(of)
    for order in result.plan.orders:
        way, start = order.recipe or order.offer, (order.start - MONDAY).days // 7
        assert (way, start) not in closed
        others = [f"X{i}" for i, (name, n) in enumerate(closed) if n == start and name != way]
        assert all(any(name in text for text in told(order)) for name in others)
