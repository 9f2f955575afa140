"""A second, third and fourth week: what came back, what is asked for, what became of the plan and what to do."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.compute as pc
import pytest
from rich.console import Console

import mill
from datong.app import exchange_one_way, release_orders
from datong.app.chain import Chain
from datong.app.cli import terminal_since
from datong.app.cli.terminal_since import first_of, show_since
from datong.model.errors import Refused
from datong.network.position import position
from datong.questions.run_result import RunResult
from datong.questions.since.rows import PARTS, SINCE_SCHEMA
from datong.questions.tables_out import message_of, rendered

MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)
DEMAND = {
    "d1": "P,2026-03-06,30",
    "d2": "P,2026-03-13,45",
    "d3": "Q,2026-03-12,7",
    "d4": "P,2026-03-20,20",
    "d5": "P,2026-04-02,30",
}
FILES = {
    "chain_toml": 'name = "mill"\nhorizon_buckets = 6\nhistory = "live"\ncurrency = "CNY"\n',
    "products_csv": "product,price,kind,name\nP,100,finished,Plough\nQ,50,finished,Quern\nM,4,material,Mild steel\n",
    "offers_csv": "offer,product,price,lead_days\nM/V,M,4,7\n",
    "stock_csv": "happened_at,product,units\n2026-02-28,M,80\n",
}


class Factory:
    """A folder, its orders by product and week, and reports of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = mill.write(folder, **FILES, demand_csv=self.demand_csv(DEMAND))
        self.reports = 0

    @staticmethod
    def demand_csv(rows: dict[str, str]) -> str:
        return "demand,product,due,units\n" + "".join(f"{name},{row}\n" for name, row in rows.items())

    def asks(self, **changed: str) -> None:
        """Edits the demand table: another row of a name."""
        self.write("demand.csv", self.demand_csv(DEMAND | changed))

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def at(self, days: float) -> Chain:
        return Chain(self.folder, now=lambda: MONDAY + timedelta(days=days))

    def week(self, days: float, give_out: bool = True) -> RunResult:
        """Takes in what lies there, plans, and gives out what is due."""
        with self.at(days) as chain:
            exchange_one_way.exchange(chain, *[exchange_one_way.file_drop(chain, self.folder / "exchange", "en")] * 2)
            result = chain.run()
            if give_out and result.tables["messages"].num_rows:
                release_orders.release(chain, (), all_due=True)
            self.on_hand = dict(position(chain.state()).on_hand_units)
        return result

    def says(self, *lines: str) -> None:
        """A report in the inbox: order, state, good units, scrapped units, when, reason."""
        inbox = self.folder / "exchange" / "inbox"
        inbox.mkdir(parents=True, exist_ok=True)
        self.reports += 1
        head = "order,state,good units in all,scrapped units in all,when,reason"
        (inbox / f"{self.reports}.csv").write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")


@pytest.fixture
def factory(tmp_path: Path) -> Iterator[Factory]:
    return Factory(tmp_path / "mill")


def rows(result: RunResult, part: str) -> list[tuple[str, str | None]]:
    table = result.tables["since"].filter(pc.equal(result.tables["since"]["part"], part))
    return [(r["kind"], r["subject"] or r["product"]) for r in table.to_pylist()]


def texts(result: RunResult, part: str, language: str = "en") -> list[str]:
    table = rendered({"since": result.tables["since"]}, language)["since"].to_pylist()
    return [r["text"] for r in table if r["part"] == part]


def value(result: RunResult, part: str, kind: str, column: str) -> tuple[float, float]:
    (row,) = [r for r in result.tables["since"].to_pylist() if (r["part"], r["kind"]) == (part, kind)]
    return row[f"{column}_before"], row[f"{column}_after"]


def test_the_first_plan_has_none_before_it(factory: Factory) -> None:
    first = factory.week(0, give_out=False)
    assert rows(first, "before") == [("first", None)]
    assert {p for p in PARTS if rows(first, p)} == {"before", "to_do"}
    (to_do,) = texts(first, "to_do")
    assert to_do == (
        "Give out what starts by 2026-03-08 (2), with datong release --due:"
        " P20260302-001 (70 of Mild steel (M)), W20260302-001 (35 of Plough (P))"  # more hangs on the steel
    )
    assert first.tables["since"].schema == SINCE_SCHEMA


def test_four_weeks_by_hand(factory: Factory) -> None:
    """40 hours a week, an hour and two M for a P.

    Week 1: 35 P (of 30 + 45 due, 40 can be made next week) and 70 M are given out; the 70 M are refused, 15 of the 35
    are made and one scrapped: stock 15 P and 80 - 16 x 2 = 48 M.
    Week 2: the 35 are done with 29 and one scrapped, and 5 P more and 7 Q are made: 29 + 5 = 34 P, 7 Q and
    48 - 14 x 2 - 5 x 2 = 10 M. Half of 102 M and 4 more come: 65 M. Counted: 40 P, 7 Q.
    """
    first = factory.week(0)
    made, bought = "W20260302-001", "P20260302-001"
    assert {o["order"]: o["units"] for o in first.orders.arrow.to_pylist()[:2]} == {bought: 70.0, made: 35.0}
    factory.says(
        f"{made},started,,,2026-03-03 08:00,",
        f"{made},partly_done,15,1,2026-03-05 16:00,",
        f"{bought},refused,,,2026-03-03 09:00,no steel this week",
    )
    factory.asks(d2="P,2026-03-13,60", d6="Q,2026-03-26,5")
    with factory.at(6) as chain:
        chain.withdraw("demand", ["demand:d4"])
    second = factory.week(7)
    assert rows(second, "before") == [("run", first.run)]
    assert rows(second, "came_back") == [("refused", bought), ("late", made), ("partly", made)]
    assert texts(second, "came_back")[0] == (
        "P20260302-001: 70 of Mild steel (M) refused by suppliers (reason: no steel this week)"
    )
    late = "W20260302-001: 19 of 35 of Plough (P) have not come; due 2026-03-06, 3 days ago"
    assert texts(second, "came_back")[1] == late
    assert rows(second, "demand") == [("changed", "d2"), ("withdrawn", "d4"), ("new", "d6")]
    assert factory.on_hand == {"M": 48.0, "P": 15.0}
    refused = 70 * 4.0  # of a week that is over; what takes its place counts now
    assert value(second, "cost", "orders", "money")[0] == 160 + 35 + 400 + 200 + 240 + 300 + refused
    asked = second.orders.arrow.to_pylist()
    assert value(second, "cost", "orders", "money")[1] == sum(o["cost"] for o in asked)
    late = sum(second.gaps.arrow["late_units"].to_pylist())
    assert value(second, "cost", "late_overdue", "units") == (None, 30.0)  # due before the weeks of both
    assert value(second, "cost", "late_units", "units") == (0.0, late - 30.0)

    given = [o for o in asked if o["start"].isoformat() < "2026-03-15"]
    steel = next(o for o in given if o["product"] == "M")
    factory.says(
        f"{made},done,29,1,2026-03-10 10:00,",
        *(f"{o['order']},done,{o['units']:g},,2026-03-12 10:00," for o in given if o["kind"] == "make"),
    )
    half = steel["units"] / 2
    factory.write(
        "receipts.csv",
        "receipt,happened_at,product,units,order\n"
        f"r1,2026-03-13 09:00,M,{half:g},{steel['order']}\nr2,2026-03-13 10:00,M,4,\n",
    )
    factory.write("stock.csv", FILES["stock_csv"] + "2026-03-14 08:00,P,40\n2026-03-14 08:00,Q,7\n")
    third = factory.week(14)
    others = [o["order"] for o in given if o["kind"] == "make"]
    assert rows(third, "came_back") == [
        *(("done", order) for order in [made, *others]),
        ("partly", steel["order"]),
        ("received", "M"),
        ("counted", "P"),
        ("counted_as_recorded", None),
    ]
    more = sum(o["units"] for o in given if o["product"] == "P")
    assert value(third, "came_back", "counted", "units") == (29 + more, 40.0)
    assert value(third, "came_back", "received", "units") == (None, 4.0)
    assert factory.on_hand == {"M": 48 - 14 * 2 - more * 2 + half + 4, "P": 40.0, "Q": 7.0}
    assert rows(third, "demand") == []

    fourth = factory.week(21)
    assert fourth.as_of == datetime(2026, 3, 23, tzinfo=UTC), "nothing came in since, and the week is a new one"
    # 30 + 60 P are owed, for nothing says that they were shipped: 51 more than the 40 counted were given out.
    out = ["W20260316-001", "W20260316-002"]
    assert {o["order"]: o["units"] for o in third.orders.arrow.to_pylist()[:2]} == dict(zip(out, (11, 40), strict=True))
    assert rows(fourth, "came_back") == [
        ("late", steel["order"]),
        *(("late", order) for order in reversed(out)),  # what lacks most units first
        *(("given_out", order) for order in out),
    ]
    assert [kind for kind, _ in rows(fourth, "to_do")][-2:] == ["ask_late", "tell"]


def test_what_buyers_sent_back_is_told_with_how_much_of_it_was_sold_before(factory: Factory) -> None:
    """Of three lines that came back two were sold before the first plan; one return names no line."""
    factory.write("sales.csv", "sale,happened_at,product,units\ns1,2026-02-20,P,4\ns2,2026-02-21,P,3\n")
    factory.week(0)
    sold = "sale,happened_at,product,units\ns1,2026-02-20,P,4\ns2,2026-02-21,P,3\ns3,2026-03-05,P,2\n"
    factory.write("sales.csv", sold)
    factory.write(
        "returns.csv",
        "return,happened_at,sale,product,units\nr1,2026-03-05,s1,P,1\nr2,2026-03-06,s1,P,2\n"
        "r3,2026-03-06,s2,P,3\nr4,2026-03-07,s3,P,2\nr5,2026-03-07,,P,1\n",
    )
    second = factory.week(7)
    assert [text for text in texts(second, "came_back") if "return" in text] == [
        "3 order lines of buyers returned or refunded (8 units), 2 of them sold before that plan",
        "returns that name no sale: 1 (1 unit)",
    ]
    factory.write("sales.csv", sold + "s4,2026-03-11,P,5\n")
    factory.write("returns.csv", "return,happened_at,sale,product,units\nr6,2026-03-12,s4,P,2\n")
    third = factory.week(14)
    assert [text for text in texts(third, "came_back") if "return" in text] == [
        "1 order line of buyers returned or refunded (2 units), all sold since that plan"
    ]


def test_a_file_of_reports_names_orders_that_were_given_out_beside_a_file_of_orders(factory: Factory) -> None:
    """The factory keeps its own open purchases in orders.csv, and reports on what was given out in order_events.csv."""
    factory.write("orders.csv", "order,kind,product,offer,units,start,due\nO1,buy,M,M/V,5,2026-02-23,2026-03-02\n")
    factory.week(0)
    factory.write("order_events.csv", "order,state,happened_at\nW20260302-001,started,2026-03-03 08:00\n")
    with factory.at(2) as chain:
        assert not [f for f in chain.findings if f.severity == "error"]
        events = chain.state().table("order_events").to_pylist()
    assert ("W20260302-001", "started") in {(r["order"], r["state"]) for r in events}


def test_orders_of_a_week_that_is_over_are_not_all_given_out(factory: Factory) -> None:
    """A week later the plan of before starts in the past: all of it is refused, one by its number goes out."""
    first = factory.week(0, give_out=False)
    number = first.tables["messages"]["order"].to_pylist()[0]
    with factory.at(7) as chain:
        with pytest.raises(Refused, match=r"2026-03-02.*2026-03-09"):
            release_orders.release(chain, (), all_due=True)
        assert release_orders.release(chain, (number,), all_due=False) == [number]
        chain.run()
        release_orders.release(chain, (), all_due=True)


def test_what_was_not_given_out_is_missed_or_moved(factory: Factory) -> None:
    factory.week(0, give_out=False)
    second = factory.week(7, give_out=False)
    kinds = [kind for kind, _ in rows(second, "orders")]
    assert "missed" in kinds or "moved" in kinds
    assert rows(second, "came_back") == []
    before = {o["order"] for o in second.orders.arrow.to_pylist()}
    added = [subject for kind, subject in rows(second, "orders") if kind == "added"]
    assert set(added) <= before


def test_orders_beyond_the_plan_before_are_not_new(factory: Factory) -> None:
    """The horizon of six weeks ends on 12 April, a week later on 19 April: an order of that week is only nearer now."""
    far = "P,2026-04-17,12"
    factory.asks(d7=far)
    first = factory.week(0, give_out=False)
    second = factory.week(7, give_out=False)
    last = [o for o in second.orders.arrow.to_pylist() if o["start"].isoformat() >= "2026-04-13"]
    assert [o["units"] for o in last if o["product"] == "P"] == [12.0]
    assert not any(o["start"].isoformat() >= "2026-04-13" for o in first.orders.arrow.to_pylist())
    assert not {subject for kind, subject in rows(second, "orders") if kind != "same"} & {o["order"] for o in last}


def test_a_run_of_the_same_moment_is_held_against_the_same_plan(factory: Factory) -> None:
    """What a run is held against is the last one before it in time: so the same inputs give the same table."""
    first = factory.week(0)
    with factory.at(7) as chain:
        one, other, again = chain.run(), chain.run(seed=5), chain.run()
        release_orders.release(chain, (), all_due=True)
        later = chain.run()
    assert [rows(r, "before") for r in (one, other)] == [[("run", first.run)]] * 2
    assert (one.run, one.tables["since"].equals(again.tables["since"])) == (again.run, True)
    assert one.run != other.run
    assert rows(later, "before") == [("run", one.run)], "of one moment the run kept last"
    given = [[subject for kind, subject in rows(r, "came_back") if kind == "given_out"] for r in (one, later)]
    assert given == [["P20260302-001", "W20260302-001"], sorted(one.tables["messages"]["order"].to_pylist())]


@pytest.fixture
def recorded(factory: Factory) -> tuple[Factory, list[str], RunResult]:
    """A chain of declared history, the orders of its first plan, which are given out, and that plan."""
    factory.write("chain.toml", FILES["chain_toml"].replace('"live"', '"declared"'))
    with factory.at(0) as chain:
        first = chain.run("2026-03-02T08:00:00Z")
        given_out = release_orders.release(chain, (), all_due=True)
    return factory, sorted(given_out), first


def test_what_is_dated_before_the_last_plan_is_held_against_the_last_plan(
    recorded: tuple[Factory, list[str], RunResult],
) -> None:
    """The plan of the 3rd at 18:56 is kept, then an answer comes that is dated the 2nd at 17:00, and another of 17:30.
    Each plan is held against the one kept just before, and tells of its own answer alone; made again with nothing new
    it is the same; a look back to a moment of before is held against what was before that."""
    factory, orders, first = recorded
    with factory.at(1) as chain:
        at_four = chain.run("2026-03-02T16:00:00Z")
        last = chain.run("2026-03-03T18:56:00Z")
    assert rows(at_four, "before") == [("run", first.run)] and rows(last, "before") == [("run", at_four.run)]

    def hears(line: str) -> RunResult:
        factory.says(line)
        return factory.week(2, give_out=False)

    second = hears(f"{orders[0]},accepted,,,2026-03-02T17:00:00Z,")
    third = hears(f"{orders[1]},accepted,,,2026-03-02T17:30:00Z,")
    assert (rows(second, "before"), rows(third, "before")) == ([("run", last.run)], [("run", second.run)])
    with factory.at(2) as chain:
        again = chain.run()
        back = chain.run("2026-03-02T16:00:00Z")
    assert again.tables["since"].equals(third.tables["since"])
    assert rows(back, "before") == [("run", first.run)]


def test_an_answer_to_a_plan_that_was_given_out_is_held_against_it(
    recorded: tuple[Factory, list[str], RunResult],
) -> None:
    """Nothing that is dated before it moves the moment of the next plan: the answer is told once, as new."""
    factory, orders, first = recorded
    with factory.at(1) as chain:
        before = chain.run("2026-03-10T08:00:00Z")
        release_orders.release(chain, (), all_due=True)
        known = chain.run()
    factory.says(f"{orders[0]},accepted,,,2026-03-02T17:00:00Z,", f"{orders[1]},refused,,,2026-03-02T17:00:00Z,no")
    heard = factory.week(2, give_out=False)
    assert heard.as_of == known.as_of
    assert rows(heard, "before") == [("run", known.run)] != [("run", first.run)]
    factory.says(f"{orders[0]},started,,,2026-03-02T18:00:00Z,")
    more = factory.week(2, give_out=False)
    assert (more.as_of, rows(more, "before")) == (heard.as_of, [("run", heard.run)])
    told = [{subject for kind, subject in rows(r, "came_back") if kind == "refused"} for r in (heard, more)]
    assert told == [{orders[1]}, set()]
    assert before.as_of <= known.as_of


def test_a_refusal_that_closes_a_way_stands_in_the_plan(factory: Factory) -> None:
    factory.week(0)
    factory.says("P20260302-001,refused,,,2026-03-03 09:00,no steel this week")
    with factory.at(2) as chain:
        exchange_one_way.exchange(chain, *[exchange_one_way.file_drop(chain, factory.folder / "exchange", "en")] * 2)
        result = chain.run()
    assert rows(result, "closed") == [("refused", "P20260302-001")]
    assert texts(result, "closed") == [
        "suppliers refused P20260302-001 (70 of Mild steel (M) by M/V in the week of 2026-03-02;"
        " reason: no steel this week): it is not asked for that again"
    ]
    assert all(o["start"].isoformat() >= "2026-03-09" for o in result.orders.arrow.to_pylist() if o["offer"] == "M/V")


def test_who_refused_last_week_is_asked_again_with_a_word(factory: Factory) -> None:
    """The week for which the steel was refused is over: its offer is open again, and the order says what was said."""
    factory.week(0)
    factory.says("P20260302-001,refused,,,2026-03-03 09:00,no steel this week")
    with factory.at(8) as chain:
        exchange_one_way.exchange(chain, *[exchange_one_way.file_drop(chain, factory.folder / "exchange", "en")] * 2)
        result = chain.run()
    (again, *_) = [o["order"] for o in result.orders.arrow.to_pylist() if o["offer"] == "M/V"]
    reasons = rendered({"reasons": result.tables["reasons"]}, "en")["reasons"].to_pylist()
    assert [r["text"] for r in reasons if r["order"] == again and "refused" in r["text"]] == [
        "suppliers refused P20260302-001, 70 by M/V in the week of 2026-03-02 (reason: no steel this week);"
        " that was for a time that is over, and it is asked again: see first whether the reason still holds"
    ]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_it_is_shown_small_in_both_languages(
    factory: Factory, language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first = factory.week(0)
    factory.asks(d6="Q,2026-03-26,5")
    second = factory.week(7)
    for result in (first, second):
        show_since(result.tables["since"], result.settings, language, Console(width=120))
        shown = capsys.readouterr().out
        assert len(shown.splitlines()) < 30
        assert "{" not in shown
        for row in result.tables["since"].to_pylist():
            assert message_of(row["text_key"], row["text_params"]).text(language)
    assert second.run not in shown
    assert first.run in shown
    assert ("Since the last plan" in shown) == (language == "en")


def test_what_is_not_shown_is_said_to_be_in_the_workbook_that_was_written(
    factory: Factory, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    factory.week(0)
    factory.asks(d6="Q,2026-03-26,5")
    result = factory.week(7)
    monkeypatch.setattr(terminal_since, "SHOWN_OF_PART", 1)
    for book in (None, Path("out", "datong.xlsx")):
        show_since(result.tables["since"], result.settings, "zh", Console(width=200), book=book)
        shown = capsys.readouterr().out
        assert ("加 --out" in shown, "全部列在 out/datong.xlsx 的" in shown) == (book is None, book is not None)


def test_a_what_if_is_held_against_its_parents_plan(factory: Factory) -> None:
    first = factory.week(0)
    with factory.at(7) as chain:
        chain.run()
        branch = chain.branch("overtime")
        branch.change("lines.A.hours_per_week=80")
        assert rows(branch.run(), "before") == [("run", first.run)]


def test_the_largest_change_of_a_part_is_shown() -> None:
    """170 late units of D21 are shown before 5 and 5; a kind that comes last is shown where it has the largest."""

    def row(kind: str, subject: str, after: float) -> dict[str, object]:
        return {"kind": kind, "subject": subject, "units_before": 0.0, "units_after": after}

    late = [row("late", "D14", 5.0), row("late", "D13", 5.0), row("late", "D21", 170.0)]
    assert [r["subject"] for r in first_of(late)] == ["D21", "D14"]
    many = [row(kind, f"{kind}{i}", 1.0) for kind in "abc" for i in range(2)]
    assert [r["subject"] for r in first_of([*many, row("z", "z", 9.0)])] == ["a0", "a1", "b0", "b1", "c0", "z"]
    assert first_of([]) == []
