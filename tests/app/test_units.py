"""Units other than the base unit, from the folder to the plan."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

import datong
from datong.app.chain import Chain
from datong.network.position import position

FILES = {
    "chain.toml": 'name = "t"\nstart = 2026-01-05\nhorizon_buckets = 4\nhistory = "live"\n',
    "products.csv": "product,base_unit,price\nTEA,kg,10\nBOX,,1\n",
    "unit_conversions.csv": "product,unit,base_units_per_unit\nTEA,tonne,1000\nTEA,bag,25\nBOX,carton,12\n",
    "economics.csv": "product,late_cost_per_unit_week,lost_sale_cost_per_unit\nTEA,5,50\n",
    "components.csv": "product,component,units_per_unit,unit\nTEA,BOX,0.5,carton\n",
    "recipes.csv": "recipe,product\nR,TEA\n",
    "offers.csv": "offer,product,price,min_order_units,unit\nO,BOX,24,10,carton\n",
    "demand.csv": "demand,product,due,units,unit\nd1,TEA,2026-01-12,2,bag\nd2,TEA,2026-01-19,0.1,tonne\n",
    "stock.csv": "happened_at,product,units,unit\n2026-01-04,TEA,1,bag\n2026-01-04,BOX,60,piece\n",
}
NOW = datetime(2026, 1, 5, tzinfo=UTC)


def write(folder: Path, **changed: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in (FILES | {".".join(n.rsplit("_", 1)): t for n, t in changed.items()}).items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("door", ["run", "balance"])
def test_a_plan_is_in_base_units_whatever_the_rows_count_in(tmp_path: Path, door: str) -> None:
    """50 and 100 kg are wanted and 25 are there: 125 are made. They take half a carton of 12 each, 750 boxes, of which
    60 are there: 690 are bought at 24 / 12 = 2, and 120 at least."""
    with Chain(write(tmp_path / "c"), now=lambda: NOW) as chain:
        assert chain.findings == ()
        orders = (chain.run() if door == "run" else chain.balance(gap=0.0001)).tables["orders"].to_pylist()
    made = [row for row in orders if row["kind"] == "make"]
    bought = [row for row in orders if row["kind"] == "buy"]
    assert sum(row["units"] for row in made) == pytest.approx(125.0)
    assert sum(row["units"] for row in bought) == pytest.approx(690.0)
    money = sum(row["cost"] if door == "run" else row["units"] * row["cost_per_unit"] for row in bought)
    assert money == pytest.approx(1380.0)
    assert all(row["units"] >= 120 for row in bought)


def test_records_in_other_units_move_stock(tmp_path: Path) -> None:
    """25 kg counted; 2 bags received, 1 bag sent and 0.01 tonnes made: 60. A bag is still owed of what was sold."""
    folder = write(
        tmp_path / "c",
        receipts_csv="receipt,happened_at,product,units,unit\nr,2026-01-05,TEA,2,bag\n",
        shipments_csv="shipment,happened_at,product,units,unit\ns,2026-01-05T02:00:00Z,TEA,1,bag\n",
        production_csv="production,happened_at,product,good_units,unit\np,2026-01-05,TEA,0.01,tonne\n",
        sales_csv="sale,happened_at,product,units,unit,price\ns1,2026-01-05,TEA,2,bag,250\n",
    )
    with Chain(folder, now=lambda: datetime(2026, 1, 6, tzinfo=UTC)) as chain:
        assert chain.findings == ()
        state = chain.state(datetime(2026, 1, 6, tzinfo=UTC))
        assert position(state).on_hand_units["TEA"] == pytest.approx(60.0)
        (sale,) = state.table("sales").to_pylist()
        assert (sale["units"], sale["price"], sale["unit"]) == (50.0, 10.0, None)
        (told,) = chain.evidence("", "sales", ["sales:s1"]).to_pylist()
        assert (told["units"], told["price"], told["unit"]) == (2.0, 250.0, "bag")  # the ledger keeps what it was told


def test_an_unknown_unit_waits_until_it_is_explained(tmp_path: Path) -> None:
    sales = "sale,happened_at,product,units,unit\ns1,2026-01-05,TEA,2,bag\ns2,2026-01-05,TEA,3,sack\n"
    folder = write(tmp_path / "c", sales_csv=sales)
    with datong.open(folder) as chain:
        (found,) = chain.findings
        assert (found.code, found.source, found.row, found.column) == ("unknown_unit", "sales.csv", 3, "unit")
        assert "unit_conversions" in found.remedy.text("en") and "unit_conversions" in found.remedy.text("zh")
        assert chain.state().table("sales")["units"].to_pylist() == [50.0]
        assert chain.ledger.quarantined().num_rows == 1
    write(folder, sales_csv=sales, unit_conversions_csv=FILES["unit_conversions.csv"] + "TEA,sack,40\n")
    with datong.open(folder) as chain:
        assert chain.findings == ()
        assert chain.state().table("sales")["units"].to_pylist() == [50.0, 120.0]
        assert chain.ledger.quarantined().num_rows == 0


def test_a_file_that_is_ingested_and_a_row_tried_again(tmp_path: Path) -> None:
    sales = tmp_path / "sales.csv"
    sales.write_text("sale,happened_at,product,units,unit\ns1,2026-01-05,TEA,2,sack\n", encoding="utf-8")
    folder = write(tmp_path / "c")
    with datong.open(folder) as chain:
        assert [f.code for f in chain.ingest(sales).findings] == ["unknown_unit"]
        more = tmp_path / "unit_conversions.csv"
        more.write_text("product,unit,base_units_per_unit\nTEA,sack,40\n", encoding="utf-8")
        assert chain.ingest(more).findings == ()
        (report,) = chain.retry_quarantine()
        assert report.added == 1
        assert chain.state().table("sales")["units"].to_pylist() == [80.0]


def test_a_corrected_conversion_is_right_for_every_row(tmp_path: Path) -> None:
    """Rows without a key of their own, too: none comes twice. As of before the correction the old figure stands."""
    sales = "happened_at,product,units,unit\n2026-01-02,TEA,2,bag\n2026-01-02,TEA,2,bag\n2026-01-03,TEA,7,\n"
    folder = write(tmp_path / "c", sales_csv=sales)
    first, later = datetime(2026, 1, 5, 8, tzinfo=UTC), datetime(2026, 1, 6, 8, tzinfo=UTC)
    with Chain(folder, now=lambda: first) as chain:
        ids = chain.state().table("sales")["row_id"].to_pylist()
        assert sorted(chain.state().table("sales")["units"].to_pylist()) == [7.0, 50.0, 50.0]
    write(folder, sales_csv=sales, unit_conversions_csv=FILES["unit_conversions.csv"].replace("bag,25", "bag,20"))
    with Chain(folder, now=lambda: later) as chain:
        assert chain.state(later).table("sales")["row_id"].to_pylist() == ids
        assert sorted(chain.state(later).table("sales")["units"].to_pylist()) == [7.0, 40.0, 40.0]
        assert sorted(chain.state(first).table("sales")["units"].to_pylist()) == [7.0, 50.0, 50.0]
        assert chain.withdraw("unit_conversions", ["unit_conversions:TEA|bag"]) == 1
        now = datetime(2026, 1, 7, tzinfo=UTC)
        assert sorted(chain.state(now).table("sales")["units"].to_pylist()) == [7.0, 40.0, 40.0]


def test_naming_the_base_unit_changes_no_id(tmp_path: Path) -> None:
    """A file that begins to say what it always counted in is the same file: no row without a key comes twice. So is one
    that calls the base unit by another name."""
    plain = "happened_at,product,units\n2026-01-02,TEA,2\n2026-01-03,BOX,7\n"
    folder = write(tmp_path / "c", sales_csv=plain)
    with datong.open(folder) as chain:
        ids = chain.state().table("sales")["row_id"].to_pylist()
    named = "happened_at,product,units,unit\n2026-01-02,TEA,2,kg\n2026-01-03,BOX,7,pcs\n"
    write(folder, sales_csv=named, unit_conversions_csv=FILES["unit_conversions.csv"] + "BOX,pcs,1\n")
    with datong.open(folder) as chain:
        assert chain.unheeded == ()
        assert chain.state().table("sales")["row_id"].to_pylist() == ids


def test_a_what_if_changes_a_row_that_was_told_in_cartons_in_base_units(tmp_path: Path) -> None:
    with datong.open(write(tmp_path / "c")) as chain:
        branch = chain.branch("b")
        branch.change("demand.d1.due=2026-01-26")
        (row,) = [r for r in branch.state().table("demand").to_pylist() if r["demand"] == "d1"]
        assert (row["units"], str(row["due"])) == (50.0, "2026-01-26")
        branch.change("demand.d1.units=60")
        assert branch.state().table("demand")["units"].to_pylist() == [60.0, 100.0]
