"""A clock that jumps back, and moments in the future, in a chain of live records."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from datong.app import clock
from datong.app.chain import Chain
from datong.app.cli.main import main
from datong.app.wiring import Opened, wire
from datong.connectors.files.starter import write_starter
from datong.dispatch.answers import answers
from datong.dispatch.rows_of_released_orders import release_rows
from datong.ledger.order_life import OrderEvent, OrderReport
from datong.model.errors import Refused
from datong.model.findings import Finding
from work_orders import to, work

START = datetime(2026, 3, 2, 8, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "chain"
    write_starter(folder, "en")
    (folder / "chain.toml").write_text('name = "x"\nhistory = "live"\n', encoding="utf-8")
    return folder


def at(hours: float) -> Callable[[], datetime]:
    return lambda: START + timedelta(hours=hours)


def set_price(folder: Path, price: float) -> None:
    path = folder / "products.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    cells = lines[1].split(",")
    lines[1] = ",".join([*cells[:3], str(price), *cells[4:]])
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def price(chain: Chain, as_of: datetime | None = None) -> float | None:
    rows = chain.state(as_of).table("products").to_pylist()
    return next((r["price"] for r in rows if r["product"] == "BAG-01"), None)


def warnings(findings: tuple[Finding, ...]) -> list[str]:
    assert all(f.text("en") != f.text("zh") for f in findings)
    return [f.code for f in findings if f.severity == "warning"]


def test_versions_stay_in_the_order_in_which_they_came(folder: Path) -> None:
    """Prices 59, 60, 61 arrive at 0 h, at 10 h, and, by a clock that has gone back, at 1 h."""
    with Chain(folder, now=at(0)) as chain:
        assert (price(chain), warnings(chain.unheeded)) == (59.0, [])
    set_price(folder, 60)
    with Chain(folder, now=at(10)) as chain:
        assert (price(chain), warnings(chain.unheeded)) == (60.0, [])
    set_price(folder, 61)
    with Chain(folder, now=at(1)) as chain:
        assert warnings(chain.unheeded) == ["clock_back"]
        assert chain.ledger.quarantined().num_rows == 0
        assert price(chain) == 61.0
        seen = [price(chain, START + timedelta(hours=h)) for h in (-1, 0, 5, 10, 11)]
        assert seen == [None, 59.0, 59.0, 60.0, 61.0]
    with Chain(folder, now=at(1)) as chain:  # again: nothing new comes in, and nothing is lost
        assert [r.added + r.superseded + r.quarantined for r in chain.ingested] == [0] * len(chain.ingested)
        assert price(chain) == 61.0
    with Chain(folder, now=at(20)) as chain:
        assert (price(chain), warnings(chain.unheeded)) == (61.0, [])


def test_a_bare_date_of_today_counts_until_now(folder: Path, tmp_path: Path) -> None:
    """A chain of past records hears at 15:00 of what came today, in a file that has days alone: no plan is made for
    tomorrow. What came yesterday is known when yesterday was over."""
    settings = (folder / "chain.toml").read_text(encoding="utf-8").replace('"live"', '"declared"')
    (folder / "chain.toml").write_text(settings, encoding="utf-8")
    more = tmp_path / "receipts.csv"
    for day, then in (("2026-03-01", -8.0), ("2026-03-02", 7.0)):
        more.write_text(f"receipt,happened_at,product,units\nR{day},{day},BAG-01,4\n", encoding="utf-8")
        with Chain(folder, now=at(7)) as chain:
            chain.ingest(more)
            assert chain.default_as_of() == at(then)()
            assert chain.state().table("receipts").num_rows == (1 if then < 0 else 2)
    with Chain(folder, now=at(30)) as chain:  # the same file again tells nothing new
        (report,) = chain.ingest(more).reports
        assert (report.added, report.superseded, report.known) == (0, 0, 1)


def test_a_withdrawal_by_a_clock_that_went_back_holds(folder: Path, tmp_path: Path) -> None:
    more = tmp_path / "sales.csv"
    more.write_text("sale,happened_at,product,units\nL1,2026-03-02,BAG-01,4\n", encoding="utf-8")
    with Chain(folder, now=at(10)) as chain:
        chain.ingest(more)
    with Chain(folder, now=at(2)) as chain:
        assert chain.withdraw("sales", ["sales:L1"]) == 1
        assert "L1" not in chain.state().table("sales")["sale"].to_pylist()
        assert "L1" in chain.state(START + timedelta(hours=10)).table("sales")["sale"].to_pylist()


def test_rows_known_in_the_future_are_named_and_wait(folder: Path, tmp_path: Path) -> None:
    more = tmp_path / "sales.csv"
    more.write_text(
        "sale,happened_at,product,units,known_at\n"
        "F1,2026-03-01,BAG-01,4,2027-01-01\nF2,2026-03-01,BAG-01,4,2027-01-02\nN,2026-03-01,BAG-01,4,2026-03-01\n",
        encoding="utf-8",
    )
    with Chain(folder, now=at(0)) as chain:
        assert warnings(chain.ingest(more).findings) == ["known_ahead"]
        assert chain.default_as_of() <= START
        assert {"F1", "F2", "N"} & set(chain.state().table("sales")["sale"].to_pylist()) == {"N"}
    with Chain(folder, now=at(1)) as chain:
        assert warnings(chain.unheeded) == ["known_ahead"]
        assert [f.rows_affected for f in chain.unheeded] == [2]
    with Chain(folder, now=lambda: datetime(2028, 1, 1, tzinfo=UTC)) as chain:
        assert warnings(chain.unheeded) == []
        assert {"F1", "F2", "N"} <= set(chain.state().table("sales")["sale"].to_pylist())


# a clock that jumps --------------------------------------------------------------------------------

AHEAD = 24.0 * 700  # hours


def trunk(folder: Path, hours: float) -> Opened:
    return wire(folder, at(hours), "test")[0]


@pytest.mark.parametrize("hours", [-24.0 * 8, -24.0 * 9000, 24.0 * 365 * 4, 24.0 * 365 * 173])
def test_a_clock_that_jumps_is_refused_in_words_and_nothing_is_dated_by_it(folder: Path, hours: float) -> None:
    with Chain(folder, now=at(0)) as chain:
        before = chain.ledger.writes()
    set_price(folder, 60)
    with pytest.raises(Refused) as refused:
        Chain(folder, now=at(hours))
    for language in ("en", "zh"):
        text = refused.value.message.text(language)
        assert "datong clock" in text and "{" not in text
    with Chain(folder, now=at(1)) as chain:
        assert price(chain) == 60.0
        assert chain.ledger.writes().slice(0, before.num_rows).equals(before)


def test_a_clock_that_seems_to_have_jumped_can_be_right(folder: Path) -> None:
    years = 24.0 * 365 * 4
    Chain(folder, now=at(0)).close()
    opened = trunk(folder, years)
    opened.ledger.believe_clock(opened.now(), by="test")
    opened.ledger.close()
    with Chain(folder, now=at(years)) as chain:
        assert chain.ledger.writes().to_pylist()[-1]["what"] == "clock"
        assert price(chain) == 59.0


def test_a_chain_whose_clock_ran_ahead_is_put_back_and_says_what_was(folder: Path, tmp_path: Path) -> None:
    """Prices 60 and 61 came in two years ahead, and a sale which says itself that it is known later still."""
    with Chain(folder, now=at(0)) as chain:
        assert price(chain) == 59.0
    for hours, value in ((AHEAD, 60), (AHEAD + 1, 61)):
        set_price(folder, value)
        Chain(folder, now=at(hours)).close()
    more = tmp_path / "sales.csv"
    more.write_text("sale,happened_at,product,units,known_at\nF1,2026-03-01,BAG-01,4,2028-06-01\n", encoding="utf-8")
    with Chain(folder, now=at(AHEAD + 2)) as chain:
        chain.ingest(more)
    with pytest.raises(Refused):
        Chain(folder, now=at(5))
    opened = trunk(folder, 5)
    seen = clock.look(opened)
    assert ("products", "known_at", 2) in [(a.table, a.column, a.count) for a in seen.ahead]
    assert clock.repair(opened) == sum(a.count for a in seen.ahead)
    assert (clock.look(opened).ahead, clock.repair(opened)) == ((), 0)
    kept = [r for r in opened.ledger.put_back_rows().to_pylist() if r["table"] == "products"]
    recorded = [START + timedelta(hours=AHEAD), START + timedelta(hours=AHEAD + 1)]
    assert [r["recorded"] for r in kept] == recorded
    assert all(r["became"] <= START + timedelta(hours=5, seconds=1) and r["by"] == "test" for r in kept)
    assert opened.ledger.writes().to_pylist()[-1]["what"] == "clock"
    opened.ledger.close()
    with Chain(folder, now=at(6)) as chain:
        assert [price(chain), price(chain, START + timedelta(hours=4))] == [61.0, 59.0]
        assert [r["known_at"].year for r in chain.ledger.rows("sales", ["sales:F1"]).to_pylist()] == [2028]
        assert chain.ledger.rows("products", ["products:BAG-01"]).to_pylist()[0]["price"] == 61.0


def test_orders_given_out_by_a_clock_that_ran_ahead_can_be_answered_after_the_repair(folder: Path) -> None:
    with Chain(folder, now=at(0)) as chain:
        state = chain.state()
        assert state.table("orders").num_rows == 0
    with Chain(folder, now=at(AHEAD)) as chain:
        moment = chain.clock()
        for table, rows in release_rows(to("Mill", replace(work("W1"), product="BAG-01")), "R1", moment).items():
            chain.ledger.ingest(table, rows, None, (), "R1", moment, by="test")
    opened = trunk(folder, 5)
    clock.repair(opened)
    event = OrderEvent("W1", "accepted", START + timedelta(hours=6))
    now = START + timedelta(hours=7)
    got = answers(opened.ledger.state(now), [OrderReport("a.csv", 2, event)], now)
    assert got.findings == ()
    assert [b.table for b in got.batches] == ["order_events"]
    opened.ledger.close()


def test_a_machine_whose_clock_fell_back_puts_nothing_back(folder: Path) -> None:
    """All was written later than it says: it is the one that is wrong."""
    Chain(folder, now=at(0)).close()
    opened = trunk(folder, -24.0 * 9000)
    with pytest.raises(Refused, match="wrong"):
        clock.repair(opened)
    assert opened.ledger.put_back_rows().num_rows == 0
    opened.ledger.close()


def test_the_command_shows_and_repairs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Chain(folder).close()
    assert main(["clock", str(folder), "--lang", "zh"]) == 0
    assert "本机时钟" in capsys.readouterr().out
    assert main(["clock", str(folder), "--repair", "--lang", "en"]) == 0
    assert "0 moments were put back" in capsys.readouterr().out
