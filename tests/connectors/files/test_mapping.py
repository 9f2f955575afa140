"""Mapping files: foreign columns to ours, without a way out of the expressions."""

from pathlib import Path

import pyarrow as pa
import pytest

from datong.connectors.files.folder import check_source
from datong.connectors.files.mapping import Into, Mapping_, apply_mapping, read_mapping
from datong.connectors.files.read import RawSource, read_source
from datong.ledger.row_checks import REJECTED_SCHEMA, ROW
from datong.model.settings import ChainSettings
from datong.model.tables import tables

ROOT = Path(__file__).resolve().parents[3]
ONLINE_RETAIL = ROOT / ".." / "shared" / "data" / "online_retail" / "transactions.parquet"

MAPPING = """
[[into]]
table = "products"
once_per = "product"
[into.columns]
product = 'upper("货 号")'
name = 'title'

[[into]]
table = "sales"
where = 'number(qty) > 0'
[into.columns]
product = 'upper("货 号")'
units = 'number(qty)'
happened_at = 'day'
"""

SOURCE = RawSource(
    "export.csv",
    pa.table(
        {
            "货 号": ["a1", "A1", "b2", None],
            "title": ["first", "second", "third", "fourth"],
            "qty": ["1,200", "-2", "¥3", "4"],
            "day": ["2026-01-05"] * 4,
            ROW: pa.array([2, 3, 4, 5], pa.int64()),
        }
    ),
)


def mapping_of(folder: Path, text: str) -> tuple[Mapping_, list[str]]:
    path = folder / "mapping.toml"
    path.write_text(text, encoding="utf-8")
    mapping, findings = read_mapping(path)
    return mapping, [f.code for f in findings]


def one_column(sql: str) -> tuple[list[tuple[str, RawSource]], list[str]]:
    parts, findings = apply_mapping(Mapping_("m.toml", (Into("sales", {"units": sql}),)), SOURCE)
    return parts, [f"{f.code}:{f.column}" for f in findings]


def test_blocks_rows_and_row_numbers(tmp_path: Path) -> None:
    mapping, codes = mapping_of(tmp_path, MAPPING)
    assert codes == []
    parts, findings = apply_mapping(mapping, SOURCE)
    assert findings == [] and [name for name, _ in parts] == ["products", "sales"]
    assert parts[0][1].rows.to_pylist() == [
        {"product": "A1", "name": "first", ROW: 2},
        {"product": "B2", "name": "third", ROW: 4},
    ]
    assert [tuple(r.values()) for r in parts[1][1].rows.to_pylist()] == [
        ("A1", 1200.0, "2026-01-05", 2),
        ("B2", 3.0, "2026-01-05", 4),
        (None, 4.0, "2026-01-05", 5),
    ]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (('table = "sales"', 'table = "salse"'), "mapping_table"),
        (('table = "sales"', 'table = "inspections"'), "mapping_table"),
        (("units =", "unitz ="), "mapping_column"),
        (("where =", "when ="), "unknown_mapping_key"),
        (("where = 'number(qty) > 0'", "where = 3"), "mapping_shape"),
        (("units = 'number(qty)'", "units = 1"), "mapping_shape"),
        (('once_per = "product"', 'once_per = "price"'), "mapping_once_per"),
        ((MAPPING, "x = 1"), "no_blocks"),
        (("[[into]]", "[[into"), "toml_syntax"),
    ],
)
def test_wrong_mappings(tmp_path: Path, change: tuple[str, str], code: str) -> None:
    mapping, codes = mapping_of(tmp_path, MAPPING.replace(*change))
    assert code in codes
    assert len(mapping.blocks) < 2 or code in ("mapping_column", "unknown_mapping_key")


def test_no_mapping_file(tmp_path: Path) -> None:
    mapping, findings = read_mapping(tmp_path / "nothing.toml")
    assert mapping.blocks == () and [f.code for f in findings] == ["unreadable_file"]


@pytest.mark.parametrize(
    "sql",
    [
        "nothing_like_it",
        "qty +",
        "",
        "CAST(title AS DOUBLE)",
        "1); DROP TABLE source; SELECT (1",
        "1; SELECT 2",
        "(SELECT count(*) FROM read_csv('/etc/passwd'))",
        "(SELECT content FROM read_text('/etc/hostname'))",
        "(SELECT count(*) FROM '/etc/passwd')",
        "(SELECT count(*) FROM SOURCE_OF_THE_CALLER)",
        "sum(number(qty)) OVER (",
    ],
)
def test_expressions_that_fail_or_reach_out(sql: str) -> None:
    SOURCE_OF_THE_CALLER = SOURCE.rows  # noqa: F841, N806 - a Python variable is not to be had from SQL
    parts, codes = one_column(sql)
    assert parts == [] and codes == ["mapping_expression:units"]


def test_a_where_that_fails_is_named() -> None:
    block = Into("sales", {"units": "qty"}, where="CAST(title AS INTEGER) > 0")
    parts, findings = apply_mapping(Mapping_("m.toml", (block,)), SOURCE)
    assert parts == [] and [(f.code, f.column) for f in findings] == [("mapping_expression", "where")]


def test_a_comment_in_an_expression_ends_with_it() -> None:
    parts, codes = one_column("number(qty) -- as text")
    assert codes == [] and parts[0][1].rows.num_rows == 4


def test_rows_that_could_not_be_read_stay_rejected() -> None:
    rejected = pa.table([[9], ["{}"], ["[]"]], schema=REJECTED_SCHEMA)
    source = RawSource("x.csv", SOURCE.rows, rejected)
    blocks = (Into("products", {"product": "title"}), Into("sales", {"units": "qty"}))
    parts, _ = apply_mapping(Mapping_("m", blocks), source)
    assert [p.rejected.num_rows for _, p in parts] == [1, 0]


@pytest.mark.skipif(not ONLINE_RETAIL.is_file(), reason="shared data are not there")
def test_online_retail_goes_through() -> None:
    """541,909 lines. Cancelled lines are 9,288; rows with a positive quantity 531,285 (541,909 - 10,624 negative)."""
    (source,), findings = read_source(ONLINE_RETAIL)
    assert findings == []
    sold = {"product": "upper(stock_code)", "happened_at": "invoice_ts", "units": "quantity", "customer": "customer_id"}
    back = {"product": "upper(stock_code)", "happened_at": "invoice_ts", "units": "-quantity"}
    blocks = (
        Into("products", {"product": "upper(stock_code)", "name": "description"}, once_per="product"),
        Into("sales", sold, where="quantity > 0"),
        Into("returns", back, where="is_cancellation"),
    )
    parts, findings = apply_mapping(Mapping_("m", blocks), source)
    assert findings == []
    london = ChainSettings("x", time_zone="Europe/London")
    checked = {name: check_source(tables()[name], part, london) for name, part in parts}
    assert {name: c.rejected.num_rows for name, c in checked.items()} == {"products": 0, "sales": 0, "returns": 0}
    assert checked["sales"].rows.num_rows == 531_285 and checked["returns"].rows.num_rows == 9_288
    units = sum(checked["sales"].rows["units"].to_numpy())
    assert units == sum(q for q in source.rows["quantity"].to_numpy() if q > 0)
    assert checked["sales"].rows["customer"][0].as_py() == "17850"


@pytest.mark.parametrize("name", ["mapping.toml"])
def test_the_shipped_mapping_reads_its_sample(name: str) -> None:
    folder = ROOT / "examples" / "online-retail"
    mapping, findings = read_mapping(folder / name)
    (source,), more = read_source(folder / "sample.csv")
    parts, problems = apply_mapping(mapping, source)
    assert findings == more == problems == []
    settings = ChainSettings("x", time_zone="Europe/London")
    for table, part in parts:
        assert check_source(tables()[table], part, settings).findings == ()
        assert part.rows.num_rows > 0


@pytest.mark.parametrize(
    ("price", "units", "read"),
    [
        (["12,50", "1.234,50"], ["0,750", "1.250"], [0.75, 1250.0]),
        (["12.50", "1,234.50"], ["0.750", "1,250"], [0.75, 1250.0]),
        (["12.50", "1,234.50"], ["0,750", "1,250"], [None, 1250.0]),
    ],
)
def test_numbers_are_read_by_all_columns_together(price: list[str], units: list[str], read: list[float | None]) -> None:
    rows = pa.table({"price": price, "qty": units, ROW: pa.array([2, 3], pa.int64())})
    mapping = Mapping_("m.toml", (Into("sales", {"units": "number(qty)"}),))
    ((_, part),), findings = apply_mapping(mapping, RawSource("export.csv", rows))
    assert findings == [] and part.rows["units"].to_pylist() == read
