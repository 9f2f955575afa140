"""A clock that jumps back, and moments in the future, in a chain of live records."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from datong.app.chain import Chain
from datong.connectors.files.starter import write_starter
from datong.model.findings import Finding

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
