"""The fmcg example: the folder is what its script makes of the records, clean, and its numbers hold."""

import tomllib
from datetime import UTC, date, datetime
from pathlib import Path
from types import ModuleType

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datong.connectors.files.folder import check_folder
from datong.ledger.state import State, state_of_tables
from datong.model.tables import tables
from datong.network.position import position
from datong.store.duckdb_ledger import open_ledger
from script import load

ROOT = Path(__file__).resolve().parents[2]
FMCG = ROOT / "examples" / "fmcg"
RECORDS = ROOT / ".." / "shared" / "data" / "supplygraph"


@pytest.fixture(scope="module")
def build() -> ModuleType:
    return load(FMCG / "build.py")


@pytest.mark.skipif(not RECORDS.exists(), reason="the SupplyGraph records are not here")
def test_the_script_makes_exactly_the_committed_tables(build: ModuleType, tmp_path: Path) -> None:
    build.build(RECORDS, tmp_path)
    made = {f.name for f in tmp_path.iterdir()}
    assert made == {f.name for f in FMCG.iterdir() if f.suffix in (".csv", ".parquet")}
    for name in sorted(made):
        if name.endswith(".csv"):
            assert (tmp_path / name).read_bytes() == (FMCG / name).read_bytes(), name
        else:
            assert pq.read_table(tmp_path / name).equals(pq.read_table(FMCG / name)), name


def test_the_folder_is_small_and_has_no_findings() -> None:
    checked = check_folder(FMCG)
    assert [f.text("en") for f in checked.findings] == []
    assert sum(f.stat().st_size for f in FMCG.iterdir() if f.is_file()) < 1_500_000
    assert {name: t.rows.num_rows for name, t in checked.checked.items()} == {
        "products": 41,
        "unit_conversions": 41,
        "sites": 2,
        "lines": 59,
        "line_calendar": 206,
        "recipes": 31,
        "economics": 41,
        "sales": 4880,
        "stock": 82,
        "shipments": 10898,
        "production": 3447,
    }


def test_totals_are_those_of_the_source() -> None:
    """Totals in units, as published with the records; 2023-08-09 is all zero."""
    totals = {
        "sales": pq.read_table(FMCG / "sales.parquet")["units"].to_pandas().sum(),
        "production": pq.read_table(FMCG / "production.parquet")["good_units"].to_pandas().sum(),
    }
    shipments = pq.read_table(FMCG / "shipments.parquet").to_pandas()
    to_buyers = shipments["to_site"].isna()
    totals["delivered"] = shipments.loc[to_buyers, "units"].sum()
    totals["issued"] = shipments.loc[~to_buyers, "units"].sum()
    expected = {"sales": 7_753_184, "production": 7_660_572, "delivered": 7_653_465, "issued": 7_655_962}
    assert totals == pytest.approx(expected, abs=1.5)


def test_every_assumed_column_says_how_it_was_derived() -> None:
    settings = tomllib.loads((FMCG / "chain.toml").read_text(encoding="utf-8"))
    marked = set()
    for path in FMCG.glob("*.csv"):
        rows = pd.read_csv(path)
        for mark in rows.get("assumed", pd.Series(dtype=str)).dropna().unique():
            marked |= {f"{path.stem}.{column}" for column in mark.split(",")}
    assert "lines.hours_per_week" in marked and "economics.late_cost_per_unit_week" in marked
    assert marked <= set(settings["assumed"])
    assert all(set(texts) == {"en", "zh"} for texts in settings["assumed"].values())
    assert all(name.split(".")[1] in tables()[name.split(".")[0]].columns for name in settings["assumed"])


def test_capacity_is_the_most_made_in_a_full_week_so_far_and_never_known_early() -> None:
    lines = pd.read_csv(FMCG / "lines.csv")
    made = pq.read_table(FMCG / "production.parquet").to_pandas()
    products = pd.read_csv(FMCG / "products.csv").set_index("product")
    hours = pd.read_csv(FMCG / "recipes.csv").set_index("product")["hours_per_unit"]
    made["tonnes"] = made["good_units"] * made["product"].map(hours)
    made["line"] = made["product"].map(products["category_b"])
    day = pd.to_datetime(made["happened_at"])
    made["week"] = day - pd.to_timedelta(day.dt.weekday, unit="D")
    weekly = made.groupby(["line", "week"])["tonnes"].sum()
    assert lines.groupby("line")["hours_per_week"].is_monotonic_increasing.all()
    for row in lines.itertuples():
        end = pd.Timestamp(row.known_at).tz_localize(None)
        assert end.weekday() == 0
        weeks = weekly[row.line]
        before = weeks[(weeks.index >= "2023-01-02") & (weeks.index < end)]
        assert row.hours_per_week == pytest.approx(before.max() if len(before) else 0.0, abs=0.001)


def test_opening_stock_is_the_smallest_that_never_runs_out() -> None:
    """At each site the balance opening + in - out touches zero (or needed no opening) and never goes below."""
    made = pq.read_table(FMCG / "production.parquet").to_pandas()
    sent = pq.read_table(FMCG / "shipments.parquet").to_pandas()
    opening = pd.read_csv(FMCG / "stock.csv").set_index(["site", "product"])["units"]
    issued, delivered = sent[sent["to_site"].notna()], sent[sent["to_site"].isna()]
    flows = {
        "works": [(made, "good_units", 1), (issued, "units", -1)],
        "depot": [(issued, "units", 1), (delivered, "units", -1)],
    }
    for site, parts in flows.items():
        moves = pd.concat(
            [p[["happened_at", "product"]].assign(net=sign * p[column]) for p, column, sign in parts],
            ignore_index=True,
        )
        daily = moves.groupby(["product", "happened_at"])["net"].sum()
        lowest = daily.groupby("product").cumsum().groupby("product").min()
        for product, low in lowest.items():
            assert opening[site, product] == pytest.approx(max(-low, 0.0), abs=0.011), (site, product)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> State:
    checked = check_folder(FMCG)
    assert checked.settings is not None
    ledger = open_ledger(tmp_path_factory.mktemp("fmcg") / "ledger.duckdb", checked.settings)
    arrived = datetime(2024, 1, 1, tzinfo=UTC)
    for name, part in checked.checked.items():
        report = ledger.ingest(
            name, part.rows, part.rejected, part.findings, source=name, arrived_at=arrived, by="test"
        )
        assert report.quarantined == 0
        assert report.added + report.superseded == report.rows
    monday = checked.settings.calendar.midnight(date(2023, 2, 13))
    seen = {name: ledger.state(monday).table(name) for name in tables()}
    ledger.close()
    return state_of_tables(checked.settings, monday, {name: rows for name, rows in seen.items() if rows.num_rows})


def test_a_monday_sees_the_capacity_of_the_weeks_before_it(known: State) -> None:
    hours = {row["line"]: row["hours_per_week"] for row in known.table("lines").to_pylist()}
    lines = pd.read_csv(FMCG / "lines.csv")
    before = lines[pd.to_datetime(lines["known_at"]) <= pd.Timestamp("2023-02-13", tz="Asia/Dhaka")]
    assert hours == before.groupby("line")["hours_per_week"].max().to_dict()
    later = lines.groupby("line")["hours_per_week"].max().to_dict()
    assert hours["SOS"] < later["SOS"]


def test_stock_is_opening_and_production_less_deliveries(known: State) -> None:
    made = _sum(known.table("production"), "good_units")
    shipments = known.table("shipments").to_pandas()
    sent = shipments[shipments["to_site"].isna()].groupby("product")["units"].sum()
    counted = _sum(known.table("stock"), "units")
    on_hand = position(known).on_hand_units
    for product in ("SOS005L04P", "POP001L12P_2", "AT5X5K"):
        expected = counted[product] + made.get(product, 0.0) - sent.get(product, 0.0)
        assert on_hand[product] == pytest.approx(expected)
        assert on_hand[product] > -0.011


def _sum(rows: pa.Table, column: str) -> dict[str, float]:
    return rows.to_pandas().groupby("product")[column].sum().to_dict()
