"""A firm's own orders and answers, as a service: what is taken in, once, and what nobody else sees."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from datong.app.exchange_one_way import exchange, file_drop
from datong.app.service import factory
from datong.app.service.factory import answer, own_order, own_orders
from datong.app.service.roles_and_permissions import NotAllowed
from datong.app.service.served_chain import Served, serve
from datong.app.service.typed_answers import Typed
from datong.ledger.counter_offer import Offer
from datong.model.errors import NotFound, Refused
from service.conftest import QUICK, Clock
from two_firms import MILL, PRESS, SEEDS, copied, person, two_firms_given_out


@pytest.fixture(scope="module")
def given_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chain with its orders given out, made once."""
    return two_firms_given_out(tmp_path_factory.mktemp("given-out") / "mill", Clock())


@pytest.fixture
def served(tmp_path: Path, given_out: Path, clock) -> Generator[Served]:
    one = serve(copied(given_out, tmp_path / "mill"), tmp_path / "database" / "people.sqlite", clock, hasher=QUICK)
    yield one
    one.close()


@pytest.fixture
def miller(served: Served):
    return person(served, "miller", MILL, language="zh")


def first(served: Served, who) -> str:
    return own_orders(served, who).orders[0].order


def said(state: str, key: str = "key-00001", **texts) -> Typed:
    return Typed(state, key, **texts)


def events(served: Served, order: str) -> list[dict]:
    rows = served.chain_thread.read(
        lambda chain: chain.state(names=("order_events",)).table("order_events").to_pylist()
    )
    rows = sorted(rows, key=lambda row: row["happened_at"])
    return [row for row in rows if row["order"] == order and row["state"] not in ("proposed", "released")]


def codes(answered) -> list[str]:
    return [one.code for one in answered.findings]


def test_a_firm_sees_its_own_orders_with_what_they_ask_for(served: Served, miller) -> None:
    found = own_orders(served, miller)
    assert found.firm_name == "一号磨坊" and found.today == date(2026, 3, 2)
    (one,) = found.orders
    assert (one.product, one.product_name, one.agreed.units, one.unit) == ("P", "Flour", 40.0, "piece")
    assert one.line == "A · Stone mill" and one.state == "released" and one.part == "to_answer"
    (press,) = own_orders(served, person(served, "press", PRESS)).orders
    assert press.product == "Q"
    (bought,) = own_orders(served, person(served, "seeds", SEEDS)).orders
    assert bought.agreed.price == 4.0 and bought.line == ""


def test_anothers_order_and_none_look_the_same(served: Served, miller) -> None:
    foreign = first(served, person(served, "press", PRESS))
    for order in (foreign, "W99999999-001", "'; DROP TABLE orders"):
        with pytest.raises(NotFound) as error:
            own_order(served, miller, order)
        assert error.value.message.text("en") == f"There is no order {order} of yours."
        with pytest.raises(NotFound):
            answer(served, miller, order, said("accepted"))
    assert events(served, foreign) == []


def test_only_who_speaks_for_a_firm_answers(served: Served) -> None:
    planner = person(served, "planner", None, ("planner",))
    for ask in (own_orders, lambda s, w: own_order(s, w, "x"), lambda s, w: answer(s, w, "x", said("accepted"))):
        with pytest.raises(NotAllowed):
            ask(served, planner)


def test_an_order_runs_from_yes_to_done(served: Served, clock, miller) -> None:
    order = first(served, miller)
    clock.later(minutes=5)
    assert answer(served, miller, order, said("accepted", "key-accept")).state == "accepted"
    clock.later(hours=1)
    assert answer(served, miller, order, said("started", "key-start")).state == "started"
    clock.later(hours=5)
    typed = said("partly_done", "key-part", good_units="２０", scrap_units="2", remark="其余明天")
    assert answer(served, miller, order, typed).state == "partly_done"
    clock.later(hours=5)
    done = answer(served, miller, order, said("done", "key-done", good_units="38", scrap_units="2"))
    assert (done.is_taken, done.state, codes(done)) == (True, "done", [])
    own = own_order(served, miller, order)
    assert own.part == "ended" and (own.stand.good_units, own.stand.scrap_units) == (38.0, 2.0)
    made = served.chain_thread.read(lambda chain: chain.state(names=("production",)).table("production").to_pylist())
    assert [(row["good_units"], row["scrap_units"]) for row in made] == [(20.0, 2.0), (18.0, 0.0)]
    assert {row["counterparty"] for row in events(served, order)} == {MILL}


def test_the_same_answer_counts_once_also_after_a_restart(served: Served, clock, tmp_path: Path, miller) -> None:
    order = first(served, miller)
    clock.later(minutes=5)
    typed = said("partly_done", good_units="20")
    once = answer(served, miller, order, typed)
    clock.later(minutes=5)
    again = answer(served, miller, order, replace(typed, waited_s=300.0))
    assert again.is_again and not once.is_again and again.state == "partly_done" and codes(again) == codes(once)
    served.close()
    anew = serve(tmp_path / "mill", tmp_path / "database" / "people.sqlite", clock, hasher=QUICK)
    try:
        assert answer(anew, miller, order, typed).is_again
        assert len(events(anew, order)) == 1
        told = [entry for entry in anew.database.rows("SELECT * FROM audit") if entry["what"] == "answer_order"]
        assert len(told) == 1 and told[0]["way"] == "factory"
    finally:
        anew.close()


def test_an_answer_that_was_cut_off_before_it_was_told_is_told_when_it_is_sent_again(
    served: Served, miller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger has it, and what was found; the database does not know of it yet."""
    order, typed = first(served, miller), said("done")

    def cut(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(factory, "_note", cut)
        with pytest.raises(KeyboardInterrupt):
            answer(served, miller, order, typed)
    assert len(events(served, order)) == 1
    again = answer(served, miller, order, typed)
    assert again.is_taken and "units_assumed" in codes(again) and len(events(served, order)) == 1
    assert "units_assumed" in codes(answer(served, miller, order, typed))
    kept = served.chain_thread.read(lambda chain: list(chain.ledger.intakes("answers/factory/")))
    assert kept == []


def test_the_same_answer_twice_at_once_counts_once(served: Served, miller) -> None:
    order, typed = first(served, miller), said("partly_done", good_units="20")
    with ThreadPoolExecutor(8) as pool:
        found = [one.result() for one in [pool.submit(answer, served, miller, order, typed) for _ in range(8)]]
    assert all(one.is_taken for one in found) and [one.is_again for one in found].count(False) == 1
    assert {tuple(codes(one)) for one in found} == {("out_of_order",)}
    assert len(events(served, order)) == 1
    told = [entry["what"] for entry in served.database.rows("SELECT * FROM audit")]
    assert told.count("answer_order") == 1


def test_another_answer_under_the_same_key_is_one_of_its_own(served: Served, clock, miller) -> None:
    """Somebody goes back in the browser and corrects what they sent."""
    order = first(served, miller)
    answer(served, miller, order, said("partly_done", good_units="10"))
    clock.later(minutes=1)
    assert answer(served, miller, order, said("partly_done", good_units="12")).is_taken
    assert own_order(served, miller, order).stand.good_units == 12.0


def test_a_key_of_another_firm_is_none_of_ours(served: Served, miller) -> None:
    press = person(served, "press", PRESS)
    own, foreign = first(served, miller), first(served, press)
    assert answer(served, press, foreign, said("accepted")).is_taken
    assert answer(served, miller, own, said("accepted")).is_taken
    stolen = events(served, foreign)[0]["order_event"]
    assert answer(served, miller, own, said("started", stolen)).is_taken
    assert [row["state"] for row in events(served, foreign)] == ["accepted"]


@pytest.mark.parametrize("key", ["", "short", "with a blank", "x" * 65, "a/../../b"])
def test_an_answer_needs_a_key(served: Served, miller, key: str) -> None:
    with pytest.raises(Refused):
        answer(served, miller, first(served, miller), said("accepted", key))


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        (said("refused"), "no_reason"),
        (said("offered"), "offers_nothing"),
        (said("offered", due="sometime"), "bad_day"),
        (said("offered", due="3/9/2026 or so"), "bad_day"),
        (said("offered", due="2026-02-01"), "offered_past"),
        (said("offered", due="2029-12-09"), "offered_far"),
        (said("offered", units="many"), "bad_offered_units"),
        (said("offered", units="2,100"), "two_numbers"),
        (said("offered", units="1e12"), "offered_many"),
        (said("offered", units="-3"), "bad_offered_units"),
        (said("offered", units="0"), "bad_offered_units"),
        (said("offered", units="1.5"), "part_of_a_piece"),
        (said("offered", units="20", remark="只能做30"), "two_answers"),
        (said("partly_done"), "no_units"),
        (said("partly_done", good_units="1,5"), "part_of_a_piece"),
        (said("partly_done", good_units="5箱"), "other_unit"),
        (said("offered", units="5 boxes"), "other_unit"),
        (said("accepted", remark="只能做5箱"), "other_unit"),
        (said("partly_done", good_units="900"), "far_too_many"),
        (said("partly_done", good_units="9" * 40), "far_too_many"),
        (said("partly_done", good_units="∞"), "bad_units"),
        (said("done", good_units="0", scrap_units="0"), "far_too_few"),
        (said("started", when="yesterday-ish"), "bad_moment"),
        (said("started", when="2026-12-31"), "not_yet"),
        (said("started", when="2020-01-01"), "before_order"),
        (said("accepted", remark="x" * 501), "long_remark"),
        (said("remark", remark="hello"), "no_remark_yet"),
        (said("dance"), "no_answer"),
        (said("cancelled"), "no_answer"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_taken(served: Served, miller, typed: Typed, code: str) -> None:
    order = first(served, miller)
    answered = answer(served, miller, order, typed)
    assert not answered.is_taken and code in codes(answered) and answered.state == "released"
    assert events(served, order) == []
    for language in ("en", "zh"):
        assert all(one.text(language) for one in answered.findings)


@pytest.mark.parametrize(
    ("typed", "offer"),
    [
        (said("offered", due="3月9日"), Offer(due=date(2026, 3, 9))),
        (said("offered", due="2026-03-09", units="３０"), Offer(30.0, date(2026, 3, 9))),
        (said("accepted", remark="只能做30"), Offer(30.0)),
        (said("refused", remark="3月9日才能交"), Offer(due=date(2026, 3, 9))),
        (said("offered", units="300", is_confirmed=True), Offer(300.0)),
    ],
)
def test_another_offer_waits_for_the_planner(served: Served, miller, typed: Typed, offer: Offer) -> None:
    order = first(served, miller)
    answered = answer(served, miller, order, typed)
    assert answered.is_taken and answered.state == "offered", [f.text("en") for f in answered.findings]
    assert own_order(served, miller, order).offer == offer


def test_a_delay_counts_from_the_day_agreed(served: Served, miller) -> None:
    order = first(served, miller)
    due = own_order(served, miller, order).due
    assert answer(served, miller, order, said("offered", due="延期两天")).state == "offered"
    assert own_order(served, miller, order).offer == Offer(due=due + timedelta(days=2))


def test_a_supplier_offers_another_price(served: Served) -> None:
    seeds = person(served, "seeds", SEEDS)
    order = first(served, seeds)
    assert answer(served, seeds, order, said("offered", price="5.5")).state == "offered"
    assert own_order(served, seeds, order).offer == Offer(price=5.5)
    assert codes(answer(served, seeds, order, said("offered", "key-other", price="55"))) == ["offered_dear"]


def test_fewer_than_before_is_a_correction_only_where_it_says_so(served: Served, clock, miller) -> None:
    order = first(served, miller)
    answer(served, miller, order, said("partly_done", "key-part-1", good_units="20"))
    clock.later(minutes=1)
    assert codes(answer(served, miller, order, said("partly_done", "key-part-2", good_units="15"))) == ["fewer_units"]
    right = answer(served, miller, order, said("partly_done", "key-part-2", good_units="15", is_correction=True))
    assert right.is_taken and own_order(served, miller, order).stand.good_units == 15.0


def test_a_remark_by_itself_changes_no_state(served: Served, clock, miller) -> None:
    order = first(served, miller)
    answer(served, miller, order, said("partly_done", "key-part", good_units="20"))
    clock.later(minutes=1)
    told = answer(served, miller, order, said("remark", "key-remark", remark="一台设备停机"))
    assert told.is_taken and told.state == "partly_done"
    own = own_order(served, miller, order)
    assert own.events[-1].reason == "一台设备停机" and own.stand.good_units == 20.0


def test_what_waited_on_a_phone_happened_when_it_was_said(served: Served, clock, miller) -> None:
    order = first(served, miller)
    clock.later(hours=6)
    answer(served, miller, order, said("started", waited_s=3600.0))
    at = own_order(served, miller, order).stand.started_at
    assert at is not None and (clock() - at).total_seconds() == pytest.approx(3600, abs=1)
    answer(served, miller, order, said("partly_done", "key-part", good_units="3", waited_s=1e12))
    assert own_order(served, miller, order).stand.good_units == 3.0


def test_an_answer_is_told_to_who_listens_for_the_firm_and_no_other(served: Served, miller) -> None:
    press, planner = person(served, "press", PRESS), person(served, "planner", None, ("planner",))
    heard = [served.events.listen(who) for who in (miller, press, planner)]
    order = first(served, miller)
    answer(served, miller, order, said("accepted"))
    assert [one.queue.qsize() for one in heard] == [1, 0, 1]
    assert heard[2].queue.get().subject == order
    assert answer(served, miller, order, said("refused")).is_taken is False
    assert [one.queue.qsize() for one in heard] == [1, 0, 0]


def test_a_page_and_a_sheet_say_the_same(served: Served, miller, clock, tmp_path: Path) -> None:
    """The answer of the sheet after that of the page is late news of the same order, by the same rules."""
    order = first(served, miller)
    answer(served, miller, order, said("accepted"))
    clock.later(hours=1)
    drop = tmp_path / "drop"
    box = drop / "inbox" / MILL
    box.mkdir(parents=True)
    (box / "a.csv").write_text(f"order,state\n{order},started\n", encoding="utf-8")

    def take(chain):
        way = file_drop(chain, drop, "en")
        return exchange(chain, way, way)

    served.chain_thread.write("plan@works", take)
    assert own_order(served, miller, order).state == "started"
    assert [row["state"] for row in events(served, order)] == ["accepted", "started"]
