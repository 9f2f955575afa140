"""Transfers between their two sites: they left, and are not there yet; counted once, wherever they are."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

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
