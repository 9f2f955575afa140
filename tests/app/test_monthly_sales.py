"""A shop that knows its sales by the month: its chain plans by the week, and the next export goes on the same chain."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from datong.app.chain import Chain
from datong.app.cli.main import main

MONTHS = [f"{y}-{m:02}" for y in (2024, 2025) for m in range(1, 13)]
SOLD: dict[str, list[int]] = {"Mug": [120 + 3 * n for n in range(24)], "Plate": [5 + n % 3 for n in range(24)]}


def written(path: Path, sold: Mapping[str, list[int]]) -> Path:
    count = len(next(iter(sold.values())))
    rows = [",".join([item, *map(str, units)]) for item, units in sold.items()]
    path.write_text("\n".join([",".join(["Item", *MONTHS[:count]]), *rows]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    export = written(tmp_path / "months.csv", SOLD)
    assert main(["try", str(export), "--into", str(tmp_path / "shop"), "--yes", "--lang", "en"]) == 0
    return tmp_path / "shop"


def by_month(shop: Path, as_of: datetime | None = None) -> dict[str, list[float]]:
    """Units of each product by month, as known at a moment."""
    with Chain(shop) as chain:
        rows = chain.state(as_of or datetime(2030, 1, 1, tzinfo=UTC), names=("sales",)).table("sales").to_pylist()
    found = {item: dict.fromkeys(MONTHS, 0.0) for item in SOLD}
    for row in rows:
        assert row["assumed"] == "happened_at"
        found[row["product"]][f"{row['happened_at']:%Y-%m}"] += row["units"]
    return {item: list(units.values()) for item, units in found.items()}


def taken_in(shop: Path, export: Path, capfd: pytest.CaptureFixture[str]) -> str:
    capfd.readouterr()
    assert main(["ingest", str(export), "--chain", str(shop), "--lang", "en"]) == 0
    return " ".join(capfd.readouterr().out.split())


def test_weeks_have_the_units_of_their_own_days(shop: Path) -> None:
    assert by_month(shop) == SOLD
    with Chain(shop) as chain:
        series = chain.run(seed=1).tables["series"].to_pylist()
    known = [row["units"] for row in series if row["product"] == "Mug" and row["units"] is not None]
    assert len(known) >= 100 and all(25 <= units <= 46 for units in known)


def test_the_same_export_again_changes_nothing(shop: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with Chain(shop) as chain:
        before = chain.ledger.last_write()
    told = taken_in(shop, written(shop.parent / "again.csv", SOLD), capfd)
    with Chain(shop) as chain:
        writes = chain.ledger.writes().to_pylist()[before:]
    assert by_month(shop) == SOLD and sum(w["rows"] for w in writes if w["subject"] == "sales") == 0
    assert "Rows that count a month or another stretch of days: 48" in told


@pytest.mark.parametrize("now", [0, 3, 200])
def test_a_corrected_month_corrects(now: int, shop: Path, capfd: pytest.CaptureFixture[str]) -> None:
    other = SOLD | {"Plate": [*SOLD["Plate"][:20], now or 1, *SOLD["Plate"][21:]]}
    taken_in(shop, written(shop.parent / "other.csv", other), capfd)
    assert by_month(shop) == other


def test_a_month_is_known_when_it_is_over(shop: Path) -> None:
    seen = by_month(shop, datetime(2025, 3, 20, tzinfo=UTC))
    assert seen == {item: [*units[:14], *[0.0] * 10] for item, units in SOLD.items()}
    assert by_month(shop, datetime(2025, 4, 1, 12, tzinfo=UTC))["Mug"][14] == SOLD["Mug"][14]


def test_check_says_how_much_was_spread(shop: Path, capfd: pytest.CaptureFixture[str]) -> None:
    total = sum(map(sum, SOLD.values()))
    for language, wanted in (("en", f"{total:,} units sold (2024-01-01 to 2025-12-31)"), ("zh", f"{total:,} 件按月")):
        capfd.readouterr()
        assert main(["check", str(shop), "--lang", language]) == 0
        assert wanted in " ".join(capfd.readouterr().out.split())


def test_a_month_that_is_spread_over_fewer_days_counts_once(shop: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The next file says that it was made on the 20th: what an earlier one had on the days after it is taken back."""
    other = {item: [*units[:23], units[23] - 4] for item, units in SOLD.items()}
    told = taken_in(shop, written(shop.parent / "months 2025-12-20.csv", other), capfd)
    assert by_month(shop) == other and "is spread up to 2025-12-20, the day that the file names" in told
    with Chain(shop) as chain:
        rows = chain.state(datetime(2030, 1, 1, tzinfo=UTC), names=("sales",)).table("sales").to_pylist()
    assert f"{max(row['happened_at'] for row in rows):%Y-%m-%d}" <= "2025-12-20"


def test_months_that_are_to_stand_on_one_day_after_all_count_once(shop: Path) -> None:
    export = written(shop.parent / "again.csv", SOLD)
    assert main(["ingest", str(export), "--chain", str(shop), "--answer", "stretches=as_dated", "--lang", "en"]) == 0
    with Chain(shop) as chain:
        rows = chain.state(datetime(2030, 1, 1, tzinfo=UTC), names=("sales",)).table("sales").to_pylist()
    assert len(rows) == 48 and sum(row["units"] for row in rows) == sum(map(sum, SOLD.values()))
