"""A plan made on Saturday for the Monday that follows: its opening is no record of the future."""

import re
import shlex
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import mill
from datong.app import clock, exchange_one_way, release_orders
from datong.app.chain import Chain
from datong.app.cli.commands import warn_of_findings
from datong.model.findings import Finding

SATURDAY, MONDAY = datetime(2026, 3, 7, 10, tzinfo=UTC), datetime(2026, 3, 9, tzinfo=UTC)
START = "start = 2026-03-09\n"
DEMAND = "demand,product,due,units\nd1,P,2026-03-11,35\nd2,P,2026-03-19,50\nd3,Q,2026-03-19,7\n"


def chain_folder(folder: Path, history: str, more: str = START, counted: str = "2026-03-06", **tables: str) -> Path:
    settings = f'name = "mill"\nhorizon_buckets = 4\nhistory = "{history}"\n{more}'
    stock = f"happened_at,product,units\n{counted},M,30\n"
    return mill.write(folder, chain_toml=settings, stock_csv=stock, demand_csv=DEMAND, **tables)


def at(folder: Path, moment: datetime) -> Chain:
    return Chain(folder, now=lambda: moment)


def codes(findings: tuple[Finding, ...]) -> list[str]:
    return [f.code for f in findings]


def asked(chain: Chain, as_of: datetime | None = None) -> list[tuple[Any, ...]]:
    """Orders of a run as of its moment: product, units and start."""
    orders = chain.run(as_of).orders.arrow.to_pylist()
    return sorted((o["product"], o["units"], o["start"]) for o in orders)


@pytest.mark.parametrize("history", ["declared", "live"])
@pytest.mark.parametrize("counted", ["2026-03-06", "2026-03-08", "2026-03-09", "2026-03-09T06:00:00"])
def test_a_count_up_to_the_start_is_the_opening_of_the_plan(tmp_path: Path, history: str, counted: str) -> None:
    """Counted on Friday, Sunday or Monday: on Saturday the plan begins on Monday with all of Monday's hours."""
    with at(chain_folder(tmp_path / "c", history, counted=counted), SATURDAY) as chain:
        assert codes(chain.unheeded) == []
        assert chain.default_as_of().date() == MONDAY.date()
        # 40 hours a week: 40 P in the first, so 50 M beside the 30 that were counted.
        assert ("M", 50.0, date(2026, 3, 9)) in asked(chain)


def test_what_lies_behind_the_start_is_of_the_future(tmp_path: Path) -> None:
    """Goods that came in on Monday move the plan to Monday's end, and that is said; so is a wrong month.

    A wrong year is refused.
    """
    receipts = "happened_at,product,units\n2026-03-09,M,10\n"
    with at(chain_folder(tmp_path / "c", "declared", receipts_csv=receipts), SATURDAY) as chain:
        assert codes(chain.unheeded) == ["in_the_future"]
        assert chain.default_as_of() == MONDAY + timedelta(days=1)
        (told,) = chain.unheeded
        assert "1 row of days to come: receipts:" in told.text("en")  # by name, and with the command that takes it out
    for moment, unheeded, held in (("2026-08-02", ["in_the_future"], 0), ("2199-03-02", [], 1)):
        sales = f"sale,happened_at,product,units\nS1,{moment},P,1\n"
        with at(chain_folder(tmp_path / moment, "declared", sales_csv=sales), SATURDAY) as chain:
            assert codes(chain.unheeded) == unheeded
            assert chain.ledger.quarantined().num_rows == held
            for told in chain.unheeded:
                assert "1 row of days to come: sales:S1 (2026-08-02)" in told.text("en")
                assert f"datong withdraw sales sales:S1 --chain {chain.folder}" in told.text("zh")


def test_all_rows_of_days_after_today_are_one_count(tmp_path: Path) -> None:
    """Those of tomorrow, too, though a clock may differ by as much; those of today are none."""
    receipts = "happened_at,product,units\n" + "".join(f"2026-03-{day:02},M,1{day}\n" for day in (6, 7, 8, 9, 10, 11))
    with at(chain_folder(tmp_path / "c", "declared", more="", receipts_csv=receipts), SATURDAY) as chain:
        (found,) = chain.unheeded
        assert found.code == "in_the_future" and "; 4 rows of days to come" in found.found.text("en")


def test_the_commands_that_are_printed_bring_a_chain_back_to_today(tmp_path: Path) -> None:
    """The row goes out, and the clock that it moved is put back: both are needed."""
    sales = "sale,happened_at,product,units\nS1,2026-08-02,P,1\n"
    with at(chain_folder(tmp_path / "c", "declared", sales_csv=sales), SATURDAY) as chain:
        (told,) = chain.unheeded
        assert told.text("en").count(f"datong clock {chain.folder} --repair") == 1
        (command,) = re.findall(r"datong (withdraw .*?) and", told.text("en"))
        _, table, row, *_ = shlex.split(command)
        assert chain.withdraw(table, [row]) == 1
        assert clock.repair(chain._at) > 0
        assert chain.default_as_of().date() == MONDAY.date()
        assert chain.state().table("sales").num_rows == 0


def test_a_moment_that_was_asked_for_is_not_the_future(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--as-of` Monday names the day that the records reach to; a later one they may not reach."""
    folder = chain_folder(tmp_path / "c", "declared", more="", counted="2026-03-08")
    with at(folder, SATURDAY) as chain:
        assert codes(chain.unheeded) == ["in_the_future"]
        for moment, said in ((MONDAY, False), (MONDAY + timedelta(days=30), False), (SATURDAY, True), (None, True)):
            warn_of_findings(chain, "en", moment)
            assert ("in_the_future" in capsys.readouterr().err) == said


def test_live_rows_known_by_the_start_are_seen_and_said_to_be(tmp_path: Path) -> None:
    """The plan of Monday sees what is known at 8 on Sunday, and waits for what is known at 8 on Monday."""
    stock = "happened_at,product,units,known_at\n2026-03-05,M,30,{}T08:00:00\n"
    for day, expected in (("2026-03-08", []), ("2026-03-09", ["known_ahead"])):
        folder = chain_folder(tmp_path / day, "live")
        (folder / "stock.csv").write_text(stock.format(day), encoding="utf-8")
        with at(folder, SATURDAY) as chain:
            assert codes(chain.unheeded) == expected
            assert (chain.state().table("stock").num_rows == 1) == (not expected)


@pytest.mark.parametrize("history", ["declared", "live"])
@pytest.mark.parametrize("by", ["start", "as_of"])
def test_what_is_given_out_on_saturday_is_counted_on_monday(tmp_path: Path, history: str, by: str) -> None:
    """Monday's first orders go out on Saturday. Planned again, by then or on Monday, nothing of them is asked twice,
    no plan begins before them, and what they bring on Monday is in stock then."""
    folder = chain_folder(tmp_path / "c", history, more=START if by == "start" else "")
    moment = MONDAY if by == "as_of" else None
    with at(folder, SATURDAY) as chain:
        first = asked(chain, moment)
        out = release_orders.release(chain, (), True)
        assert len(out) == 2
        exchange_one_way.exchange(chain, *[exchange_one_way.file_drop(chain, folder / "exchange", "en")] * 2)
        again = asked(chain)
        assert [o for o in first if o not in again] == [("M", 50.0, date(2026, 3, 9)), ("P", 40.0, date(2026, 3, 9))]
        assert set(again) < set(first)
        assert release_orders.release(chain, (), True) == []
    with at(folder, MONDAY + timedelta(hours=9)) as chain:
        assert codes(chain.unheeded) == []
        assert chain.default_as_of() == MONDAY
        assert asked(chain) == again
        bought = next(o for o in out if o.startswith("P"))
        inbox = folder / "exchange" / "inbox"
        inbox.mkdir(parents=True)
        (inbox / "r.csv").write_text(f"order,state,good units in all,when\n{bought},done,50,2026-03-09 08:00\n")
        exchange_one_way.exchange(chain, *[exchange_one_way.file_drop(chain, folder / "exchange", "en")] * 2)
    with at(folder, MONDAY + timedelta(hours=10)) as chain:
        assert codes(chain.unheeded) == []
        assert asked(chain) == again
        assert [k["order"] for k in chain.kept_run().tables["kept"].to_pylist()] == [o for o in out if o != bought]


def test_a_plan_of_the_future_that_was_not_given_out_leaves_the_chain_where_it_is(tmp_path: Path) -> None:
    with at(chain_folder(tmp_path / "c", "live", more=""), SATURDAY) as chain:
        chain.run(MONDAY + timedelta(days=365))
        assert chain.default_as_of() == SATURDAY
