"""What a store promises of messages to counterparties, of notes, and of writes that belong together."""

from dataclasses import replace

import pytest

from datong.ledger.protocol import Intake, Ledger
from stores import SETTINGS, Store, day, line, take


@pytest.fixture
def ledger(store: Store) -> Ledger:
    return store.open(replace(SETTINGS, history="live"))


def test_how_far_a_message_is_is_kept_by_way_and_key(ledger: Ledger) -> None:
    ledger.note_deliveries("drop", ["a", "b", "a"], "sending", day(1))
    ledger.note_deliveries("mail", ["a"], "sending", day(1))
    ledger.note_deliveries("drop", ["a"], "sent", day(2))
    ledger.note_deliveries("drop", [], "refused", day(2))
    assert ledger.deliveries("drop") == {"a": "sent", "b": "sending"}
    assert ledger.deliveries("mail") == {"a": "sending"}
    assert ledger.deliveries("elsewhere") == {}
    assert ledger.writes().num_rows == 0  # no row of the chain changes


def test_notes_of_places_are_found_by_how_they_begin_and_can_be_forgotten(ledger: Ledger) -> None:
    for place in ("answers/a.csv", "answers/b.csv", "folder"):
        ledger.note_intake(Intake(place, "", {}, (), (), ()))
    assert [kept.place for kept in ledger.intakes("answers/")] == ["answers/a.csv", "answers/b.csv"]
    ledger.forget_intake("answers/a.csv")
    ledger.forget_intake("answers/a.csv")
    assert [kept.place for kept in ledger.intakes("answers/")] == ["answers/b.csv"]


def test_writes_that_belong_together_are_all_there_or_none(ledger: Ledger) -> None:
    take(ledger, "lines", line(10), now=day(1))
    before = ledger.latest_known_at()
    with pytest.raises(KeyboardInterrupt), ledger.together():
        take(ledger, "lines", line(20, "M"), now=day(2))
        ledger.note_deliveries("drop", ["a"], "sending", day(2))
        raise KeyboardInterrupt
    assert [r["line"] for r in ledger.state(day(9)).table("lines").to_pylist()] == ["L"]
    assert (ledger.deliveries("drop"), ledger.latest_known_at()) == ({}, before)
    with ledger.together():
        take(ledger, "lines", line(20, "M"), now=day(2))
        ledger.note_deliveries("drop", ["a"], "sending", day(2))
    assert [r["line"] for r in ledger.state(day(9)).table("lines").to_pylist()] == ["L", "M"]
    assert ledger.deliveries("drop") == {"a": "sending"}
    with pytest.raises(KeyboardInterrupt), ledger.together():  # also what comes after others that belong together
        with ledger.together():
            take(ledger, "lines", line(20, "N"), now=day(3))
        take(ledger, "lines", line(20, "O"), now=day(3))
        raise KeyboardInterrupt
    assert [r["line"] for r in ledger.state(day(9)).table("lines").to_pylist()] == ["L", "M"]


def test_what_a_clock_wrote_ahead_is_put_back_in_its_order(ledger: Ledger) -> None:
    """Three versions came in on days 1, 20 and 21, and it is the tenth day."""
    for number, hours in ((1, 10), (20, 20), (21, 30)):
        take(ledger, "lines", line(hours), now=day(number))
    assert {(a.table, a.column, a.count, a.first, a.last) for a in ledger.ahead(day(10)) if a.table == "lines"} == {
        ("lines", "known_at", 2, day(20), day(21))
    }
    assert ledger.put_back(day(10), by="test") > 0
    assert ledger.ahead(day(10)) == ()
    assert ledger.put_back(day(10), by="test") == 0
    rows = [r for r in ledger.put_back_rows().to_pylist() if r["table"] == "lines"]
    assert [(r["row_id"], r["recorded"]) for r in rows] == [("lines:L", day(20)), ("lines:L", day(21))]
    assert day(9) < rows[0]["became"] < rows[1]["became"] <= day(10)
    hours = {n: ledger.state(day(n)).table("lines")["hours_per_week"].to_pylist() for n in (2, 10)}
    assert hours == {2: [10.0], 10: [30.0]}
    assert [(w["what"], w["by"]) for w in ledger.writes().to_pylist()][-1] == ("clock", "test")
