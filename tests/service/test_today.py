"""Today: what came back, what is late and for whom, and the decisions that matter most in money."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from argon2 import PasswordHasher

from datong.app.chain import Chain
from datong.app.counter_offers import open_offers
from datong.app.service import today as subject
from datong.app.service.grids import Filter, Wanted
from datong.app.service.order_edit_rules import Change
from datong.app.service.order_edits import edit
from datong.app.service.orders_shown import order, orders
from datong.app.service.releases import release, to_release
from datong.app.service.roles_and_permissions import NotAllowed, Who
from datong.app.service.served_chain import Served, serve
from datong.app.service.today import Decision, assign, dismiss, hold, price_offers, take, today
from datong.app.service.today import decisions as first_decisions
from datong.ledger.counter_offer import Offer
from datong.ledger.order_life import OrderEvent, order_events_rows
from datong.model.errors import NotFound, Refused
from mill import FILES, write

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
ANN = Who(1, "ann", "Ann", ("planner",))
ANALYST = Who(3, "eve", "Eve", ("analyst",))


@pytest.fixture
def planned(served: Served) -> Served:
    served.people.accept(served.people.invite(None, "ann", "Ann", ["planner"]), "a long password")
    served.chain_thread.write("test", lambda chain: chain.run())
    return served


def decisions(served: Served, who: Who) -> list[Decision]:
    found, count = first_decisions(served, who, 1000)
    assert len(found) == count
    return found


def say(served: Served, event: OrderEvent, known_at: datetime | None = None) -> None:
    """A counterparty says something. known_at: None: now, on the chain's clock."""

    def write(chain: Chain) -> None:
        moment = known_at or chain.clock()
        rows = order_events_rows([event])
        rows = rows.append_column("known_at", pa.array([moment], pa.timestamp("us", tz="UTC")))
        chain.ledger.ingest("order_events", rows, None, (), "test", moment, by="test")

    served.chain_thread.write("test", write)


def test_without_a_plan_nothing_is_made_up(served: Served) -> None:
    found = today(served, ANN)
    assert found.plan is None and found.decisions == [] and found.late == [] and found.week["en"] == []


def test_decisions_are_the_due_proposals_by_what_they_save(planned: Served) -> None:
    due = {r["order"]: r for r in to_release(planned, ANN).to_pylist()}
    found = decisions(planned, ANN)
    assert {d.row["order"] for d in found} == set(due)
    assert [d.money for d in found] == sorted(
        (due[d.row["order"]]["value"] or due[d.row["order"]]["behind"] for d in found), reverse=True
    )
    assert {d.action for d in found} <= {"make", "order"}
    first = today(planned, ANN).decisions[0]
    assert first.reason == order(planned, ANN, first.row["order"]).reasons[0].text
    assert len(today(planned, ANN).week["zh"]) == 3


def test_taking_gives_out_and_a_decision_is_made_once(planned: Served) -> None:
    first = decisions(planned, ANN)[0]
    take(planned, ANN, first.key, "agreed")
    shown = order(planned, ANN, first.row["order"])
    assert shown.row["state"] == "released" and shown.history[-1].why == "agreed"
    with pytest.raises(NotFound):
        take(planned, ANN, first.key)


def test_of_many_overdue_orders_the_first_are_shown_and_all_are_counted(
    planned: Served, clock: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A year late, thousands may be: a page names few, and the list of orders has all."""
    due = to_release(planned, ANN)["order"].to_pylist()
    release(planned, ANN, due)
    later = clock() + timedelta(days=60)
    say(planned, OrderEvent(due[0], "accepted", later, counterparty="works"), later)
    every = orders(planned, ANN, Wanted((Filter("is_overdue", "is", "true"),), sort="due")).rows["order"].to_pylist()
    found = today(planned, ANN)
    assert len(every) > 1 and found.overdue["order"].to_pylist() == every and found.overdue_count == len(every)
    monkeypatch.setattr(subject, "MOST_ROWS", 1)
    say(planned, OrderEvent(due[0], "started", later, counterparty="works"))
    found = today(planned, ANN)
    assert found.overdue["order"].to_pylist() == every[:1] and found.overdue_count == len(every)


def test_what_is_dismissed_comes_back_when_the_order_is_another(planned: Served) -> None:
    first = next(d for d in decisions(planned, ANN) if d.row["line"] == "A")
    name = first.row["order"]
    dismiss(planned, ANN, first.key, "we wait")
    assert name not in [d.row["order"] for d in decisions(planned, ANN)]
    edit(planned, ANN, Change(name, units=20.0), order(planned, ANN, name).version)
    again = next(d for d in decisions(planned, ANN) if d.row["order"] == name)
    assert again.money is None  # what an edited order saves is not known


def test_assigned_to_a_planner_who_is_there(planned: Served) -> None:
    first = decisions(planned, ANN)[0]
    assign(planned, ANN, first.key, "ann")
    assert decisions(planned, ANN)[0].assigned == "ann"
    with pytest.raises(NotFound):
        assign(planned, ANN, first.key, "nobody")


@pytest.mark.parametrize("is_taken", [True, False])
def test_an_offer_is_an_action_and_taken_or_held(planned: Served, is_taken: bool) -> None:
    row = next(r for r in to_release(planned, ANN).to_pylist() if r["line"] == "A")
    name = row["order"]
    release(planned, ANN, [name])
    moment = datetime(2026, 3, 2, 10, tzinfo=UTC)
    later = row["due"] + timedelta(days=7)
    offer = Offer(due=later, price=11.0)
    say(planned, OrderEvent(name, "offered", moment, counterparty="works", reason="full", offer=offer))
    found = decisions(planned, ANN)
    assert found[0].offer is not None and found[0].row["order"] == name
    assert (found[0].action, found[0].reason["en"]) == ("defer", "full")
    assert found[0].money == pytest.approx(row["units"] * 1.0)  # 11 a unit, not 10
    (take if is_taken else hold)(planned, ANN, found[0].key)
    after = order(planned, ANN, name).row
    assert (after["state"], after["due"]) == (("accepted", later) if is_taken else ("released", row["due"]))
    with pytest.raises(NotFound):
        take(planned, ANN, found[0].key)


def test_an_offer_of_fewer_units_and_a_later_day_is_both(planned: Served) -> None:
    row = next(r for r in to_release(planned, ANN).to_pylist() if r["line"] == "A")
    release(planned, ANN, [row["order"]])
    offer = Offer(due=row["due"] + timedelta(days=7), units=row["units"] - 5.0)
    say(planned, OrderEvent(row["order"], "offered", datetime(2026, 3, 2, 10, tzinfo=UTC), offer=offer))
    found = decisions(planned, ANN)[0]
    assert (found.action, found.also) == ("defer", "decrease")


def test_the_price_of_an_offer_is_what_the_list_of_offers_says(planned: Served) -> None:
    row = next(r for r in to_release(planned, ANN).to_pylist() if r["line"] == "A")
    release(planned, ANN, [row["order"]])
    offer = Offer(due=row["due"] + timedelta(days=7))
    say(planned, OrderEvent(row["order"], "offered", datetime(2026, 3, 2, 10, tzinfo=UTC), offer=offer))
    job = price_offers(planned, ANN)
    for _ in range(600):
        time.sleep(0.1)
        job = planned.jobs.job(ANN, job.job)
        if not job.is_open:
            break
    assert job.state == "done" and job.result is not None, job.error
    ((_, cost),) = planned.chain_thread.read(open_offers)
    told = job.result[row["order"]]
    assert (told["money"], told["low"], told["high"]) == pytest.approx((cost.money, cost.low, cost.high))


def test_what_counterparties_said_since_the_plan_stands_there(planned: Served) -> None:
    name = to_release(planned, ANN)["order"][0].as_py()
    release(planned, ANN, [name])
    say(planned, OrderEvent(name, "refused", datetime(2026, 3, 2, 10, tzinfo=UTC), reason="no steel"))
    (told,) = today(planned, ANN).answered
    assert (told["order"], told["said"], told["reason"]) == (name, "refused", "no steel")


def test_who_may_not_is_refused(planned: Served) -> None:
    first = decisions(planned, ANALYST)[0]
    for verb in (take, hold, dismiss):
        with pytest.raises(NotAllowed):
            verb(planned, ANALYST, first.key)
    for refused in (lambda: assign(planned, ANALYST, first.key, "ann"), lambda: price_offers(planned, ANALYST)):
        with pytest.raises(NotAllowed):
            refused()
    with pytest.raises(NotAllowed):
        today(planned, Who(2, "fa", "Fa", ("factory",), "F1"))
    with pytest.raises(Refused):
        hold(planned, ANN, first.key)


def test_late_requests_name_who_waits_and_for_how_many(tmp_path: Path, clock: Callable[[], datetime]) -> None:
    """120 of P are wanted in a week in which A makes 40: 80 come later or never."""
    recipes = "recipe,product,line,hours_per_unit,cost_per_unit\nP/1,P,A,1,10\n"
    demand = "demand,product,due,units\nd1,P,2026-03-06,120\n"
    one = serve(write(tmp_path / "late", recipes_csv=recipes, demand_csv=demand), None, clock, hasher=QUICK)
    try:
        one.chain_thread.write("test", lambda chain: chain.run())
        found = today(one, ANN)
        assert sum(row["units"] for row in found.late if row["demand"] == "d1") == pytest.approx(80.0)
        assert {row["service"] for row in found.late} <= {"late", "never", "refused"} and found.late_count
    finally:
        one.close()


def test_who_is_late_by_the_day_alone_is_among_the_late(tmp_path: Path, clock: Callable[[], datetime]) -> None:
    """35 hours are worked by Friday: who wants them on Tuesday gets them three days later, in the same week."""
    demand = "demand,product,due,units\nd1,P,2026-03-03,35\nd2,P,2026-03-13,5\n"
    one = serve(write(tmp_path / "late", demand_csv=demand), None, clock, hasher=QUICK)
    try:
        one.chain_thread.write("test", lambda chain: chain.run())
        found = today(one, ANN)
        (row,) = found.late
        assert (row["demand"], row["units"], row["service"], row["firm"]) == ("d1", 35.0, "by_day", True)
        assert (row["due"].day, row["served_in"].day, found.late_count) == (3, 6, 1)
        assert row["cause"]["en"] == "on time as the plan counts, but the order that serves it is there on 2026-03-06"
    finally:
        one.close()


def test_the_week_says_what_is_left_of_it_and_what_went_out(planned: Served) -> None:
    """Of the orders of this week one goes out, one is made smaller, and then all are out."""
    before = today(planned, ANN).week["en"]
    assert before[0].startswith("From 2026-03-02 to 2026-03-08, ")
    due = to_release(planned, ANN).to_pylist()
    first = next(r["order"] for r in due if r["line"] == "A")
    release(planned, ANN, [first])
    one_out = today(planned, ANN).week
    assert one_out["en"][0].startswith(f"Of what begins this week, 1 order given out already: {first} (")
    assert "Still to do: From 2026-03-02" in one_out["en"][0] and one_out["en"][0].count(first) == 1
    assert "已下达 1 张" in one_out["zh"][0]
    assert list(one_out["en"][1:]) == list(before[1:])
    other = next(r["order"] for r in due if r["order"] != first)
    edit(planned, ANN, Change(other, units=7.0), order(planned, ANN, other).version)
    assert "× 7" in today(planned, ANN).week["en"][0]
    release(planned, ANN)
    told = today(planned, ANN).week["en"][0]
    assert told.startswith(f"All that begins from 2026-03-02 to 2026-03-08 is given out, {len(due)} orders: ")
    assert told.endswith("Nothing is left to give out.")


def test_what_begins_this_week_tells_of_orders_that_an_earlier_plan_gave_out(planned: Served) -> None:
    """After the next plan, which proposes nothing more for the week, they begin all the same."""
    before = today(planned, ANN)
    due = set(to_release(planned, ANN)["order"].to_pylist())
    week = orders(planned, ANN, Wanted((Filter("start", "to", "2026-03-08"),))).rows
    assert before.begins_count == week.num_rows and set(before.begins["order"].to_pylist()) >= due
    release(planned, ANN)
    planned.chain_thread.write("test", lambda chain: chain.run())
    assert not to_release(planned, ANN).num_rows
    found = today(planned, ANN)
    assert set(found.begins["order"].to_pylist()) == due and found.begins_count == len(due)
    assert set(found.begins["origin"].to_pylist()) == {"out"}
    assert found.week["en"][0].startswith(
        f"All that begins from 2026-03-02 to 2026-03-08 is given out, {len(due)} order"
    )
    say(planned, OrderEvent(min(due), "refused", datetime(2026, 3, 2, 10, tzinfo=UTC), counterparty="works"))
    assert today(planned, ANN).begins_count == len(due) - 1


def test_answers_stand_in_the_order_in_which_they_were_given(tmp_path: Path, clock: Callable[[], datetime]) -> None:
    """The second that came was given first, and tells both moments."""
    one = serve(
        write(tmp_path / "live", chain_toml=FILES["chain.toml"] + 'history = "live"\n'), None, clock, hasher=QUICK
    )
    try:
        one.chain_thread.write("test", lambda chain: chain.run())
        first, second = to_release(one, ANN)["order"].to_pylist()[:2]
        release(one, ANN, [first, second])
        given, late = clock(), clock() + timedelta(hours=3)
        say(one, OrderEvent(first, "accepted", given, counterparty="works"), given)
        say(one, OrderEvent(second, "accepted", given - timedelta(hours=1), counterparty="works"), late)
        told = [(row["order"], row["said_at"], row["arrived_at"]) for row in today(one, ANN).answered]
        assert told == [(first, given, None), (second, given - timedelta(hours=1), late)]
        shown = order(one, ANN, second).history
        assert [one.arrived_at for one in shown if "accepted" in one.text["en"]] == [late]
    finally:
        one.close()
