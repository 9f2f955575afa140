"""The mapping for the Online Retail export, on the sample and, where it is there, on all of its rows."""

from pathlib import Path

import pandas as pd
import pytest

from datong.connectors.files.mapping import apply_mapping, read_mapping
from datong.connectors.files.read import read_source
from datong.connectors.files.settings import read_settings
from datong.ledger.row_checks import validate
from datong.model.tables import tables

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples" / "online-retail"
RECORDS = ROOT / ".." / "shared" / "data" / "online_retail" / "transactions.parquet"
NO_PRODUCTS = {"POST", "DOT", "M", "D", "S", "BANK CHARGES", "AMAZONFEE", "CRUK", "B", "C2", "PADS"}


def taken_in(file: Path, mapping: str) -> dict[str, pd.DataFrame]:
    rules, findings = read_mapping(FOLDER / mapping)
    settings, more = read_settings(FOLDER)
    sources, unread = read_source(file)
    assert settings is not None
    assert [f.text("en") for f in [*findings, *more, *unread]] == []
    parts, failed = apply_mapping(rules, sources[0])
    assert [f.text("en") for f in failed] == []
    result = {}
    for name, source in parts:
        checked = validate(tables()[name], source.rows, source.name, settings)
        assert [f.text("en") for f in checked.findings if f.severity == "error"] == []
        assert checked.rejected.num_rows == 0
        result[name] = checked.rows.to_pandas()
    return result


def test_sample() -> None:
    """Counted with the spreadsheet's own columns."""
    raw = pd.read_csv(FOLDER / "sample.csv", dtype={"InvoiceNo": str, "StockCode": str, "CustomerID": str})
    code = raw["StockCode"].str.upper()
    goods = ~code.isin(NO_PRODUCTS) & ~code.str.startswith("GIFT_0001_") & (raw["UnitPrice"] > 0)
    sold, back = raw[goods & (raw["Quantity"] > 0)], raw[goods & raw["InvoiceNo"].str.startswith("C")]
    got = taken_in(FOLDER / "sample.csv", "mapping.toml")
    assert sorted(got["products"]["product"]) == ["22681", "22797", "22843", "85232B"]
    assert set(got["products"]["assumed"]) == {"price"}
    assert len(got["sales"]) == len(sold) > 300
    assert got["sales"]["units"].sum() == sold["Quantity"].sum()
    assert len(got["returns"]) == len(back) > 20
    assert got["returns"]["units"].sum() == -back["Quantity"].sum()
    # 10:26 on a summer's day in London is 09:26 UTC; in winter both are the same.
    summer = sold[sold["InvoiceDate"].str.startswith("2011-07")].iloc[0]["InvoiceDate"]
    expected = pd.Timestamp(summer, tz="Europe/London").tz_convert("UTC")
    assert (got["sales"]["happened_at"] == expected).any()


def test_dates_as_a_spreadsheet_export_writes_them_are_read_too(tmp_path: Path) -> None:
    raw = pd.read_csv(FOLDER / "sample.csv", dtype=str)
    raw["InvoiceDate"] = pd.to_datetime(raw["InvoiceDate"]).dt.strftime("%m/%d/%Y %H:%M")
    raw.to_csv(tmp_path / "sample.csv", index=False)
    got, as_shipped = taken_in(tmp_path / "sample.csv", "mapping.toml"), taken_in(FOLDER / "sample.csv", "mapping.toml")
    minutes = as_shipped["sales"]["happened_at"].dt.floor("min")
    assert (got["sales"]["happened_at"] == minutes).all()


@pytest.mark.skipif(not RECORDS.exists(), reason="the Online Retail records are not here")
def test_all_rows() -> None:
    raw = pd.read_parquet(RECORDS)
    code = raw["stock_code"].str.upper()
    goods = ~code.isin(NO_PRODUCTS) & ~code.str.startswith("GIFT_0001_") & (raw["unit_price"] > 0)
    sold, back = raw[goods & (raw["quantity"] > 0)], raw[goods & raw["is_cancellation"]]
    got = taken_in(RECORDS, "mapping-prepared.toml")
    assert len(got["sales"]) == len(sold)
    assert got["sales"]["units"].sum() == sold["quantity"].sum()
    assert got["returns"]["units"].sum() == -back["quantity"].sum()
    known = set(got["products"]["product"])
    assert known.isdisjoint(NO_PRODUCTS) and "DCGS0076" in known
    assert set(got["sales"]["product"]) | set(got["returns"]["product"]) <= known
