from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from datong.ledger.order_life import OrderEvent, advance, events_of_table, order_events_rows, standing
from datong.ledger.state import in_state_schema
from datong.model.errors import Refused
from datong.model.flow import OrderState

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)


def event(state: OrderState, day: int, good: float | None = None) -> OrderEvent:
    return OrderEvent("W1", state, MONDAY + timedelta(days=day), good)


def test_a_good_life() -> None:
    current: OrderState = "proposed"
    for to in ("released", "accepted", "started", "partly_done", "partly_done", "done"):
        step = advance(current, to)
        assert (step.state, step.note) == (to, None)
        current = step.state


@pytest.mark.parametrize("current", ["proposed", "released", "accepted", "refused", "started", "partly_done"])
def test_whatever_is_not_done_can_be_cancelled(current: OrderState) -> None:
    assert advance(current, "cancelled").state == "cancelled"


@pytest.mark.parametrize(
    ("current", "to"),
    [
        ("done", "cancelled"),
        ("cancelled", "started"),
        ("refused", "accepted"),
        ("accepted", "refused"),
        ("done", "refused"),
    ],
)
def test_what_cannot_be_is_refused_in_words(current: OrderState, to: OrderState) -> None:
    with pytest.raises(Refused) as caught:
        advance(current, to)
    words = {"done": "完工", "cancelled": "取消", "started": "开工", "refused": "拒单", "accepted": "接单"}
    assert words[current] in caught.value.message.text("zh")
    assert words[to] in caught.value.message.text("zh")


def test_a_step_left_out_is_noted_and_a_late_one_does_not_move_back() -> None:
    ahead = advance("accepted", "done")
    assert ahead.state == "done"
    assert ahead.note is not None
    assert ahead.note.text("en") == "done without a word that it was started"
    behind = advance("done", "started")
    assert behind.state == "done"
    assert behind.note is not None
    assert advance("started", "done").note is None  # partly done need not be told


def test_order_of_arrival_does_not_matter() -> None:
    events = [
        event("released", 0),
        event("accepted", 1),
        event("started", 1),
        event("done", 4, 90.0),
        event("done", 4, 90.0),
    ]
    results = {standing(p) for p in permutations(events)}
    assert len(results) == 1
    (now,) = results
    assert (now.state, now.good_units, now.happened_at) == ("done", 90.0, MONDAY + timedelta(days=4))


def test_proposed_and_released_at_one_moment_is_released() -> None:
    assert standing([event("released", 0), event("proposed", 0)]).state == "released"


def test_the_impossible_is_left_out() -> None:
    assert standing([event("released", 0), event("refused", 1), event("started", 2, 5.0)]).good_units == 0.0
    assert standing([event("cancelled", 1), event("done", 2)]).state == "cancelled"
    assert standing([]).state is None


def test_a_message_keeps_its_key_through_the_ledger() -> None:
    events = [event("released", 0), event("done", 4, 90)]
    rows = in_state_schema("order_events", order_events_rows(events))
    (read,) = events_of_table(rows).values()
    assert [e.key for e in read] == [e.key for e in events]
    assert event("done", 4, 90).key == event("done", 4, 90.0).key
    assert event("done", 4, 90).key != event("done", 4, 91).key
