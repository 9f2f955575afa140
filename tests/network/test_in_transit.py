"""Transfers between their two sites: they left, and are not there yet; counted once, wherever they are."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from datong.ledger.state import State, state_of_tables
from datong.model.flow import nothing_learnt
from datong.model.settings import ChainSettings
from datong.network.committed import committed
from datong.network.facts import chain_facts
from datong.network.position import position

MONDAY = date(2026, 3, 9)


def moment(day: int, hour: int = 8) -> datetime:
    return datetime(2026, 3, 1, hour, tzinfo=UTC) + timedelta(days=day - 1)


def state_of(**more: list[dict[str, Any]]) -> State:
    """A factory F and a shop S, eleven days by lane; T took 30 of the 65 at F with it on 2 March."""
    tables: dict[str, list[dict[str, Any]]] = {
        "products": [{"product": "A", "price": 10.0}],
        "sites": [{"site": "F", "kind": "factory"}, {"site": "S", "kind": "shop"}],
        "lanes": [{"lane": "F-S", "from_site": "F", "to_site": "S", "lead_days": 11.0}],
        "demand": [{"demand": "d", "product": "A", "market": "S", "due": date(2026, 3, 20), "units": 5.0}],
        "orders": [
            {"order": "T", "kind": "move", "product": "A", "lane": "F-S", "site": "S", "units": 30.0}
            | {"start": date(2026, 3, 2), "due": date(2026, 3, 13), "locked": True, "run": "R"}
        ],
        "order_events": [{"order_event": "e1", "order": "T", "state": "released", "happened_at": moment(1)}],
        "stock": [{"happened_at": moment(1), "product": "A", "site": "F", "units": 65.0}],
    }
    for name, rows in more.items():
        tables[name] = [*tables.get(name, []), *rows]
    return of_rows(tables)


def plain_state(**more: list[dict[str, Any]]) -> State:
    """The factory F and the shop S with these rows."""
    tables: dict[str, list[dict[str, Any]]] = {
        "products": [{"product": "A", "price": 10.0}],
        "sites": [{"site": "F", "kind": "factory"}, {"site": "S", "kind": "shop"}],
        "demand": [{"demand": "d", "product": "A", "market": "S", "due": date(2026, 3, 20), "units": 5.0}],
    }
    return of_rows(tables | more)


def of_rows(tables: dict[str, list[dict[str, Any]]]) -> State:
    settings = ChainSettings("t", horizon_buckets=6)
    return state_of_tables(
        settings, settings.calendar.midnight(MONDAY), {n: pa.Table.from_pylist(rows) for n, rows in tables.items()}
    )


def flows(state: State) -> dict[str, list[float]]:
    """Units that come, less those that are taken, by stock point and week."""
    starts = state.settings.calendar.starts(MONDAY, 6)
    facts = chain_facts(state, starts, nothing_learnt())
    found = committed(facts, position(state), starts, state.settings.calendar, 0)
    return {point: units.tolist() for point, units in found.units.items()}


SENT = {"shipment": "s", "order": "T", "product": "A", "from_site": "F", "to_site": "S", "units": 30.0}


def test_what_was_sent_has_left_and_comes_after_its_lead_time() -> None:
    """30 of 65 left on the 2nd: 35 at F, and 30 at S on the 13th, in the week of the 9th."""
    state = state_of(shipments=[SENT | {"happened_at": moment(2)}])
    assert position(state).on_hand_by_site == {("A", "F"): 35.0}
    assert flows(state) == {"A@F": [35, 0, 0, 0, 0, 0], "A@S": [30, 0, 0, 0, 0, 0]}


def test_a_count_on_the_way_takes_nothing_from_what_is_still_to_come() -> None:
    """Counted on the 8th: 35 at F, and 4 at S, where the 30 are not yet."""
    counts = [{"happened_at": moment(8), "product": "A", "site": s, "units": u} for s, u in (("F", 35.0), ("S", 4.0))]
    state = state_of(shipments=[SENT | {"happened_at": moment(2)}], stock=counts)
    assert flows(state) == {"A@F": [35, 0, 0, 0, 0, 0], "A@S": [34, 0, 0, 0, 0, 0]}


def test_what_is_reported_done_is_there() -> None:
    done = {"order_event": "e2", "order": "T", "state": "done", "happened_at": moment(6), "good_units": 30.0}
    state = state_of(shipments=[SENT | {"happened_at": moment(6)}], order_events=[done])
    assert position(state).on_hand_by_site == {("A", "F"): 35.0, ("A", "S"): 30.0}
    assert position(state).under_way == ()


@pytest.mark.parametrize(("counted", "left"), [(None, 35.0), (35.0, 35.0), (0.0, 0.0)])
def test_a_transfer_that_started_is_taken_once(counted: float | None, left: float) -> None:
    """Started on the 2nd: without a count since, its 30 are still among the 65; a count on the 8th is without them."""
    started = {"order_event": "e2", "order": "T", "state": "started", "happened_at": moment(2)}
    counts = [] if counted is None else [{"happened_at": moment(8), "product": "A", "site": "F", "units": counted}]
    found = flows(state_of(order_events=[started], stock=counts))
    assert (sum(found["A@F"]), sum(found["A@S"])) == (left, 30.0)


@dataclass(frozen=True)
class _Course:
    """What became of a transfer of 20 by Monday: units sent and units that came, each as (day, hour) and units."""

    sent: list[tuple[tuple[int, int], float]]
    came: list[tuple[tuple[int, int], float]]

    def left_by(self, when: tuple[int, int]) -> float:
        return sum(units for at, units in self.sent if at <= when)

    def there_by(self, when: tuple[int, int]) -> float:
        return sum(units for at, units in self.came if at <= when)


def _course(rng: np.random.Generator, lead: int) -> _Course:
    """None, a part or all of it was sent, in one shipment or two, and each came by its lead time."""
    parts = [[], [12.0], [5.0, 7.0], [20.0], [8.0, 12.0]][rng.integers(5)]
    days = sorted(int(d) for d in rng.integers(2, 8, len(parts)))
    sent = [((day, 8 + i), units) for i, (day, units) in enumerate(zip(days, parts, strict=True))]
    took = int(rng.integers(1, lead + 1))  # both by the same road, so that none overtakes the other
    came = [((day + took, hour), units) for (day, hour), units in sent]
    if len(came) == 1 and took < lead and rng.random() < 0.3:  # in two parts
        (day, hour), units = came[0]
        came = [((day, hour), 8.0), ((day + 1, hour), units - 8.0)]
    return _Course(sent, [(at, units) for at, units in came if at < (9, 0)])


def _counts(rng: np.random.Generator, course: _Course) -> list[dict[str, Any]]:
    """30 at F, and true counts of it and of S on days that were drawn."""
    times = [("F", (1, 1)), ("S", (1, 1)), *((s, (int(rng.integers(2, 9)), 20)) for s in "FS" if rng.random() < 0.6)]
    true = {"F": lambda at: 30.0 - course.left_by(at), "S": course.there_by}
    return [{"happened_at": moment(*at), "product": "A", "site": s, "units": true[s](at)} for s, at in times]


def _records(rng: np.random.Generator, course: _Course, due: int) -> dict[str, list[dict[str, Any]]]:
    """What was sent as shipments, or a start of all of it; what came as events, receipts, or not at all."""
    start = course.sent[0][0][0] if course.sent else int(rng.integers(2, 14))
    order = {"order": "T", "kind": "move", "product": "A", "lane": "F-S", "site": "S", "units": 20.0}
    days = {"start": date(2026, 3, start), "due": date(2026, 3, max(due, start))}
    names = {"order": "T", "product": "A"}
    told: dict[str, list[dict[str, Any]]] = {"orders": [order | days], "shipments": [], "order_events": []}
    in_one = len(course.sent) == 1 and course.sent[0][1] == 20.0
    if in_one and rng.random() < 0.5:
        event = {"order_event": "b", "order": "T", "state": "started", "happened_at": moment(*course.sent[0][0])}
        told["order_events"].append(event)
    else:
        for i, (at, units) in enumerate(course.sent):
            ends = {"from_site": "F", "to_site": "S", "happened_at": moment(*at)}
            told["shipments"].append(names | ends | {"shipment": f"s{i}", "units": units})
    in_events, so_far = rng.random() < 0.5, 0.0
    told["receipts"] = []
    for i, (at, units) in enumerate(course.came):
        so_far += units
        if in_events:
            state = "done" if so_far == 20.0 else "partly_done"
            event = {"order_event": f"c{i}", "order": "T", "state": state, "happened_at": moment(*at)}
            told["order_events"].append(event | {"good_units": so_far})
        else:
            row = {"receipt": f"r{i}", "site": "S", "units": units, "happened_at": moment(*at)}
            told["receipts"].append(names | row)
    return {name: rows for name, rows in told.items() if rows}


def test_units_of_a_transfer_are_neither_made_nor_lost_whatever_of_it_is_sent_and_come() -> None:
    """Beside a transfer followed unit by unit: what lies at both sites now, and what is there in the end."""
    seen = set()
    for seed in range(160):
        rng = np.random.default_rng(seed)
        lead = int(rng.integers(1, 12))
        course = _course(rng, lead)
        records = _records(rng, course, due=int(rng.integers(2, 30)))
        lanes = [{"lane": "F-S", "from_site": "F", "to_site": "S", "lead_days": float(lead)}]
        state = plain_state(lanes=lanes, stock=_counts(rng, course), **records)
        lies = position(state).on_hand_by_site
        left, there = course.left_by((9, 0)), course.there_by((9, 0))
        if "shipments" in records or not course.sent:  # what only began lies there by the records, and is still to take
            assert lies == {("A", "F"): 30.0 - left, ("A", "S"): there}, (seed, course, records)
        found = flows(state)
        assert (sum(found["A@F"]), sum(found["A@S"])) == (10.0, 20.0), (seed, course, records)
        seen.add((left, there, "shipments" in records))
    wanted = {(0, 0), (12, 0), (12, 12), (12, 5), (20, 0), (20, 8), (20, 20)}
    assert {(left, there) for left, there, _ in seen} >= wanted


def test_the_rest_of_a_transfer_that_was_sent_in_part_leaves_now_and_takes_its_lead_time() -> None:
    """12 of 30 left on the 2nd, there on the 13th; of the 53 that lie at F the other 18 leave on Monday the 9th and are
    there on the 20th."""
    state = state_of(shipments=[SENT | {"happened_at": moment(2), "units": 12.0}])
    assert flows(state) == {"A@F": [35, 0, 0, 0, 0, 0], "A@S": [12, 18, 0, 0, 0, 0]}


def test_the_rest_of_a_transfer_does_not_come_where_nothing_of_it_is_left() -> None:
    counts = [{"happened_at": moment(8), "product": "A", "site": "F", "units": 0.0}]
    state = state_of(shipments=[SENT | {"happened_at": moment(2), "units": 12.0}], stock=counts)
    assert {point: sum(units) for point, units in flows(state).items()} == {"A@F": 0.0, "A@S": 12.0}
