"""What people do at a served chain is dated by the minute in which they do it, also where the chain's own clock stands
still at the end of its records."""

from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from datong.app.forms.order_words import Words, history
from datong.app.service import data, demand, orders_shown, releases, today
from datong.app.service.answers_sent_late import own_late_answers
from datong.app.service.factory import answer, own_order, own_orders
from datong.app.service.order_edit_rules import Change
from datong.app.service.order_edits import edit
from datong.app.service.roles_and_permissions import Who
from datong.app.service.served_chain import Served, serve
from datong.app.service.typed_answers import Typed
from datong.ledger.protocol import written_at
from datong.model.settings import ChainSettings
from mill import write
from service.conftest import QUICK, Clock
from two_firms import FILES, MILL, person

WHO = Who(1, "plan@works", "", ("planner",))
DATA = Who(2, "admin@works", "", ("planner", "administrator"))


@pytest.fixture
def past(tmp_path: Path) -> Generator[Served]:
    """Two firms on records of March, served in November: the chain's clock stands at the end of its records."""
    clock = Clock()
    clock.moment = datetime(2026, 11, 29, 9, tzinfo=UTC)
    declared = FILES | {"chain_toml": FILES["chain_toml"].replace('"live"', '"declared"')}
    one = serve(write(tmp_path / "mill", **declared), None, clock, hasher=QUICK)
    one.chain_thread.write("plan@works", lambda chain: chain.run())
    yield one
    one.close()


def later(served: Served, **by: float) -> datetime:
    clock = served.now
    assert isinstance(clock, Clock)
    clock.later(**by)
    return clock.moment


def acted_at(served: Served, table: str) -> list[datetime]:
    rows = served.chain_thread.read(lambda chain: chain.state(names=(table,)).table(table))
    return rows["acted_at"].to_pylist()


def test_releases_and_answers_have_the_minute_in_which_they_were_given(past: Served) -> None:
    out = later(past, hours=2)
    releases.release(past, WHO)
    assert set(acted_at(past, "order_events")) == {out}
    miller = person(past, "miller", MILL)
    answered = later(past, hours=3)
    (own,) = own_orders(past, miller).orders
    answer(past, miller, own.order, Typed("accepted", "key-00001", waited_s=60.0))
    (said,) = set(acted_at(past, "order_events")) - {out}
    assert said == answered - timedelta(seconds=60)
    history = orders_shown.order(past, WHO, own.order).history
    assert [one.at for one in history] == sorted(one.at for one in history)
    assert history[-1].at.date() == answered.date()
    assert [row["said_at"] for row in today.today(past, WHO).answered] == [said]
    answer(past, miller, own.order, Typed("started", "key-00002", when="2026-03-01"))
    (begun,) = [one for one in orders_shown.order(past, WHO, own.order).history if "started" in one.text["en"]]
    assert (begun.at, begun.text["en"]) == (answered, "started (counts as of 2026-03-01)")


def test_answers_that_waited_stand_where_they_were_given_with_both_moments(past: Served) -> None:
    releases.release(past, WHO)
    miller = person(past, "miller", MILL)
    (own,) = own_orders(past, miller).orders
    begun = later(past, hours=3)
    answer(past, miller, own.order, Typed("started", "key-00001"))
    came = later(past, hours=1)
    answer(past, miller, own.order, Typed("accepted", "key-00002", waited_s=2 * 3600.0))
    given = came - timedelta(hours=2)
    assert given < begun
    told = [(row["said"], row["said_at"], row["arrived_at"]) for row in today.today(past, WHO).answered]
    assert told == [("started", begun, None), ("accepted", given, came)]
    (one,) = [one for one in orders_shown.order(past, WHO, own.order).history if one.text["en"] == "accepted"]
    assert (one.at, one.arrived_at) == (given, came)
    words = Words("en", "", past.chain_thread.settings.calendar)
    own_history = history(own_order(past, miller, own.order), words, own_late_answers(past, miller, own.order))
    told = [(when, "ccepted" in text) for when, text, _ in own_history]
    assert told == [
        (told[0][0], False),
        (f"{words.moment(given)} (received {words.moment(came)})", True),
        (told[2][0], False),
    ]


def test_the_plan_stays_by_the_chains_clock(past: Served) -> None:
    before = past.chain_thread.read(lambda chain: chain.default_as_of())
    later(past, hours=2)
    releases.release(past, WHO)
    after = past.chain_thread.read(lambda chain: chain.default_as_of())
    assert before <= after < before + timedelta(days=1)
    rows = past.chain_thread.read(lambda chain: chain.state(names=("order_events",)).table("order_events"))
    assert max(rows["known_at"].to_pylist()) < past.now() - timedelta(days=100)


def test_an_edited_order_and_the_same_later_are_one_plan(past: Served) -> None:
    """The minute is no part of what a row says."""
    (order, *_rest) = [r["order"] for r in orders_shown.everything(past).rows.to_pylist() if r["kind"] == "make"]
    shown = orders_shown.order(past, WHO, order)
    edited = later(past, minutes=7)
    edit(past, WHO, Change(order, units=20.0), shown.version, "the mould is worn")
    assert edited in acted_at(past, "order_events")
    first = past.chain_thread.write("plan@works", lambda chain: chain.run()).run
    assert first == past.chain_thread.write("plan@works", lambda chain: chain.run()).run


def test_edits_of_the_forecast_say_when_they_were_made(shop: Served, clock: Clock) -> None:
    assert ChainSettings("x").history == shop.chain_thread.settings.history == "declared"
    clock.later(days=200)
    one = demand.item(shop, WHO, "OIL", "north")
    demand.edit_forecast(shop, WHO, "OIL", "north", one.forecast["bucket"][0].as_py(), 80.0)
    (told,) = [one for one in demand.edits(shop, WHO) if one.is_hand]
    assert told.acted_at == clock.moment
    assert told.at < clock.moment - timedelta(days=100)


def test_what_was_written_says_when_it_was_done(past: Served) -> None:
    """The chain's clock stands in March; the log and the freshness of tables tell the minute in November."""
    out = later(past, hours=2)
    releases.release(past, WHO)
    row = data.arrivals(past, DATA).rows.to_pylist()[0]
    assert (row["acted_at"], written_at(row)) == (out, out) and row["at"] < out - timedelta(days=100)
    (events,) = [one for one in data.freshness(past, DATA) if one.table == "order_events"]
    assert events.at == out
