"""What is said of an order that is out: when a plan counts on it, that it is past due, what the ledger knows of it."""

from datetime import date
from pathlib import Path

import pytest

import datong
from datong.app.check_folder import check_chain
from datong.ledger.standings import order_standings, state_of
from datong.questions.tables_out import kept_findings
from mill import run, write

ORDERS = (
    "order,kind,product,offer,units,start,due\n"
    "PO-1,buy,M,M/V,20,2026-02-16,2026-02-23\nPO-2,buy,M,M/V,8,2026-02-16,2026-02-23\n"
    "PO-3,buy,M,M/V,5,2026-02-27,2026-03-04\n"
)
EVENTS = (
    "order,state,happened_at\nPO-1,accepted,2026-02-17\nPO-2,accepted,2026-02-17\nPO-2,done,2026-02-23\n"
    "PO-3,released,2026-02-27\n"
)
RECEIPTS = "receipt,happened_at,product,units,order\nR1,2026-02-23,M,6,PO-1\nR2,2026-02-23,M,8,PO-2\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    offers = "offer,product,price,lead_days\nM/V,M,4,9\n"
    made = write(tmp_path / "m", orders_csv=ORDERS, receipts_csv=RECEIPTS, offers_csv=offers)
    (made / "order_events.csv").write_text(EVENTS, encoding="utf-8")
    return made


def test_a_kept_order_has_the_day_on_which_it_is_counted_on(folder: Path) -> None:
    """PO-1 is past due: seven days from 2 March on, as long as PO-2 took. PO-3 is counted on as it says."""
    with datong.open(folder) as chain:
        kept = {r["order"]: r for r in chain.run().tables["kept"].to_pylist()}
    assert {name: (str(r["due"]), str(r["counted_on"])) for name, r in kept.items()} == {
        "PO-1": ("2026-02-23", "2026-03-09"),
        "PO-3": ("2026-03-04", "2026-03-04"),
    }


def test_an_order_of_which_all_came_is_done(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The other 14 of PO-1 come on the 26th: it is no kept order any more, and nobody asks for it; of PO-3 2 of 5 come,
    and 3 are to come."""
    (folder / "receipts.csv").write_text(
        f"{RECEIPTS}R3,2026-02-26,M,14,PO-1\nR4,2026-03-01,M,2,PO-3\n", encoding="utf-8"
    )
    with datong.open(folder) as chain:
        result = chain.run()
        kept = [(r["order"], r["state"], r["units"], r["to_come_units"]) for r in result.tables["kept"].to_pylist()]
        assert kept == [("PO-3", "released", 5.0, 3.0)]
        stand = order_standings(chain.state())["PO-1"]
        assert state_of({"kind": "buy", "units": 20.0}, stand) == "done"
        assert stand.more_at is not None and stand.more_at.date() == date(2026, 2, 26)
    _, printed = run(capsys, "why", "PO-1", "--chain", folder)
    assert "done" in printed and "partly" not in printed


def test_a_check_names_orders_past_due(folder: Path) -> None:
    """6 of 20 of PO-1 came; all of PO-2 did; PO-3 is not due yet."""
    told = [f for f in check_chain(folder).findings if f.code == "past_due"]
    assert [f.found.text("en") for f in told] == [
        "1 order out past due, and nothing tells that all of it came: PO-1 (14 M, 2026-02-23)"
    ]


def test_why_says_what_the_ledger_knows_of_a_recorded_order(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "run", folder)[0] == 0
    for language, words in (
        ("en", ("no run proposed it", "purchase order for 20 of M by M/V", "6 there so far", "14 on 2026-03-09")),
        ("zh", ("记录的单", "已到 6", "2026-03-09")),
    ):
        status, printed = run(capsys, "why", "PO-1", "--chain", folder, "--lang", language)
        assert status == 0
        assert [w for w in words if w not in printed] == []
    assert run(capsys, "why", "PO-9", "--chain", folder)[0] != 0


def test_work_that_nobody_reported_to_have_begun_takes_its_hours_from_now_on_and_is_told(tmp_path: Path) -> None:
    """W-1 and W-2 were to begin in the week before, 10 P and 10 hours each; only W-2 is reported. W-1 needs its 10
    hours and 20 M now, and with a lead time of a week it is there in the second; the report and the workbook say so."""
    orders = "order,kind,product,recipe,line,units,start,due\n"
    orders += "".join(f"W-{n},make,P,P/1,A,10,2026-02-23,2026-03-04\n" for n in (1, 2))
    events = "order,state,happened_at\nW-1,released,2026-02-23\nW-2,started,2026-02-23\n"
    recipes = "recipe,product,line,hours_per_unit,cost_per_unit,lead_days\nP/1,P,A,1,10,7\n"
    stock = "happened_at,product,units\n2026-03-02,M,30\n"
    made = write(tmp_path / "m", orders_csv=orders, recipes_csv=recipes, stock_csv=stock)
    (made / "order_events.csv").write_text(events, encoding="utf-8")
    with datong.open(made) as chain:
        result = chain.run()
        told = [f for f in chain.notices() if f.code == "should_have_begun"]
    tables = result.tables
    first = tables["hours"].to_pylist()[0]
    assert first["under_way_hours"] == pytest.approx(10.0)
    (flow,) = [r for r in tables["flow"].to_pylist() if r["product"] == "M" and r["bucket"] == first["bucket"]]
    assert (flow["taken_units"], flow["used_units"]) == pytest.approx((20.0, 2 * first["run_hours"]))
    kept = {r["order"]: (str(r["counted_on"]), r["to_come_units"]) for r in tables["kept"].to_pylist()}
    assert kept == {"W-1": ("2026-03-09", 10.0), "W-2": ("2026-03-04", 10.0)}
    assert [f.found.text("en") for f in told] == [
        "1 order should have begun and no start is reported: W-1 (2026-02-23, 10 P, 10 h); the plan has them begin "
        "now: what they take is taken from stock and their 10 hours worked from now on, and each comes after "
        "its lead time"
    ]
    assert "should_have_begun" in [f.code for f in kept_findings(tables, "notices")]


def test_what_has_begun_and_waits_for_a_component_after_its_day_is_named_with_the_new_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """W-1 has begun, was promised for 27 February, and takes M, of which none lies there: 20 come on 5 March."""
    orders = "order,kind,product,recipe,offer,line,units,start,due\n"
    orders += "W-1,make,P,P/1,,A,5,2026-02-23,2026-02-27\nPO-1,buy,M,,M/V,,20,2026-02-23,2026-03-05\n"
    events = "order,state,happened_at\nW-1,started,2026-02-23\nPO-1,accepted,2026-02-23\n"
    stock = "happened_at,product,units\n2026-02-20,M,0\n"
    offers = "offer,product,price,lead_days\nM/V,M,4,14\n"
    made = write(tmp_path / "m", orders_csv=orders, stock_csv=stock, offers_csv=offers)
    (made / "order_events.csv").write_text(events, encoding="utf-8")
    status, said = run(capsys, "run", made)
    words = " ".join(said.split())
    assert status == 0
    expected = "expected after the promised day: W-1 (promised 2026-02-27, expected 2026-03-05: it waits for M)."
    assert expected in words
    assert "W-1; what is left of this work is counted on as soon as hours and components allow" in words
