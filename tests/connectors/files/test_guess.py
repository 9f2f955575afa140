"""Guessing the columns of exports that strangers bring."""

from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datong.connectors.files.folder import check_source
from datong.connectors.files.guess import Guess, guess_columns
from datong.connectors.files.mapping import apply_mapping
from datong.connectors.files.read import RawSource, read_source
from datong.ledger.validate import ROW, Checked
from datong.model.settings import ChainSettings
from datong.model.tables import tables

SHARED = Path(__file__).resolve().parents[3] / ".." / "shared" / "data"

TAOBAO = """订单编号,下单时间,店铺名称,商品编码,商品名称,数量,单价,实付金额,订单状态
T1,2025/1/5 10:20,天猫店,A001,帆布包,2,"1,059.00",118,交易成功
T2,2025/1/6 11:20,京东店,A002,双肩包,-1,¥99,-99,交易成功
T3,2025/1/7 11:20,京东店,A001,帆布包,1,¥99,99,交易关闭
"""


def read(folder: Path, text: str, encoding: str = "utf-8") -> RawSource:
    path = folder / "export.csv"
    path.write_bytes(text.encode(encoding))
    (source,), findings = read_source(path)
    assert findings == []
    return source


def columns(guess: Guess) -> dict[str, str]:
    return {c.field: c.column for c in guess.columns}


def checked(guess: Guess) -> dict[str, Checked]:
    parts, findings = apply_mapping(guess.as_mapping(), guess.source)
    assert findings == []
    return {name: check_source(tables()[name], part, ChainSettings("x")) for name, part in parts}


def notes(guess: Guess) -> set[str]:
    return {note.key.removeprefix("guess.") for note in guess.notes}


def test_a_chinese_shop_export(tmp_path: Path) -> None:
    guess = guess_columns(read(tmp_path, TAOBAO, "gb18030"))
    assert columns(guess) == {
        "date": "下单时间",
        "product": "商品编码",
        "units": "数量",
        "price": "单价",
        "amount": "实付金额",
        "order": "订单编号",
        "market": "店铺名称",
        "name": "商品名称",
        "state": "订单状态",
    }
    assert guess.missing == () and guess.negative_rows == 1 and "returns" in notes(guess)
    assert all(0.8 < c.confidence <= 1 for c in guess.columns)
    tables_of = checked(guess)
    assert all(c.findings == () for c in tables_of.values())
    assert tables_of["products"].rows.select(["product", "name", "price"]).to_pylist() == [
        {"product": "A001", "name": "帆布包", "price": 1059.0},
        {"product": "A002", "name": "双肩包", "price": 99.0},
    ]
    sale = tables_of["sales"].rows.to_pylist()
    assert [(r["sale"], r["units"], r["market"], r["state"], r[ROW]) for r in sale] == [
        ("T1", 2.0, "天猫店", "ordered", 2),
        ("T3", 1.0, "京东店", "cancelled", 4),
    ]
    assert sale[0]["happened_at"] == datetime(2025, 1, 5, 10, 20, tzinfo=UTC)
    assert [(r["product"], r["units"]) for r in tables_of["returns"].rows.to_pylist()] == [("A002", 1.0)]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("InvoiceDate,StockCode,Quantity,UnitPrice", ("InvoiceDate", "StockCode", "Quantity", "UnitPrice")),
        ("order_date,sku,qty,unit_price", ("order_date", "sku", "qty", "unit_price")),
        (
            "Created at,Lineitem sku,Lineitem quantity,Lineitem price",
            ("Created at", "Lineitem sku", "Lineitem quantity", "Lineitem price"),
        ),
        ("日期,货号,件数,售价(元)", ("日期", "货号", "件数", "售价(元)")),
        ("单据日期,存货编码,销售数量,含税单价", ("单据日期", "存货编码", "销售数量", "含税单价")),
        ("付款时间,商家编码,购买数量,成交价", ("付款时间", "商家编码", "购买数量", "成交价")),
    ],
)
def test_headers_of_common_systems(tmp_path: Path, header: str, expected: tuple[str, ...]) -> None:
    body = "\n".join(f"2026-01-{d:02},K{d % 4},{d % 5 + 1},{d % 4 + 9.5}" for d in range(1, 29))
    guess = guess_columns(read(tmp_path, f"{header}\n{body}\n"))
    assert tuple(columns(guess)[f] for f in ("date", "product", "units", "price")) == expected


@pytest.mark.parametrize(
    ("dates", "order", "first"),
    [
        (["05/01/2026", "13/01/2026"], "day_first", date(2026, 1, 5)),
        (["01/05/2026", "01/13/2026"], "month_first", date(2026, 1, 5)),
        (["5.1.26", "13.1.26"], "day_first", date(2026, 1, 5)),
        (["5-Jan-2026", "13-Jan-2026"], "named_month", date(2026, 1, 5)),
        (["05 January 26", "13 January 26"], "named_month", date(2026, 1, 5)),
        (["2026-1-5", "2026-1-13"], "year_first", date(2026, 1, 5)),
        (["20260105", "20260113"], "year_first", date(2026, 1, 5)),
        (["2026年1月5日", "2026年1月13日"], "year_first", date(2026, 1, 5)),
        (["2026-01", "2026-02"], "month", date(2026, 1, 1)),
        (["2026年1月", "2026年2月"], "month", date(2026, 1, 1)),
    ],
)
def test_orders_of_dates(tmp_path: Path, dates: list[str], order: str, first: date) -> None:
    body = "".join(f"{d},A,1\n" for d in dates)
    guess = guess_columns(read(tmp_path, "date,product,units\n" + body))
    assert guess.date_order == order and f"order_{order}" in notes(guess)
    rows = checked(guess)["sales"].rows.to_pylist()
    assert len(rows) == 2 and rows[0]["happened_at"].date() == first and rows[0]["__date_only__"]


def test_clock_times_of_american_exports(tmp_path: Path) -> None:
    text = "date,product,units\n12/1/2010 8:26,A,1\n12/13/2010 4:05 PM,A,1\n"
    rows = checked(guess_columns(read(tmp_path, text)))["sales"].rows.to_pylist()
    assert [r["happened_at"] for r in rows] == [
        datetime(2010, 12, 1, 8, 26, tzinfo=UTC),
        datetime(2010, 12, 13, 16, 5, tzinfo=UTC),
    ]


def test_dates_that_read_both_ways_are_said_to(tmp_path: Path) -> None:
    """01/05 to 04/05: the first part takes four values, the second one, so the first is the day."""
    text = "date,product,units\n" + "".join(f"0{d}/05/2026,A,1\n" for d in range(1, 5))
    guess = guess_columns(read(tmp_path, text))
    assert guess.date_order == "day_first" and "order_unsure" in notes(guess)


def test_columns_without_telling_names(tmp_path: Path) -> None:
    body = "".join(f"K{i % 3},{i % 4 + 1},2026-01-{i + 1:02}\n" for i in range(20))
    guess = guess_columns(read(tmp_path, "x,y,z\n" + body))
    assert columns(guess) == {"date": "z", "product": "x", "units": "y"}
    assert all(c.confidence == 0.4 for c in guess.columns)


def test_no_quantity_is_one_unit_a_row(tmp_path: Path) -> None:
    guess = guess_columns(read(tmp_path, "order date,sku,order id\n2026-01-05,A,1\n2026-01-05,A,2\n"))
    assert "one_unit_a_row" in notes(guess)
    assert checked(guess)["sales"].rows["units"].to_pylist() == [1.0, 1.0]


def test_an_amount_gives_the_price_of_a_unit(tmp_path: Path) -> None:
    guess = guess_columns(read(tmp_path, "日期,货号,数量,金额\n2026-01-05,A,4,100\n2026-01-06,A,2,60\n"))
    assert checked(guess)["sales"].rows["price"].to_pylist() == [25.0, 30.0]


def test_a_name_stands_in_for_a_code(tmp_path: Path) -> None:
    guess = guess_columns(read(tmp_path, "日期,商品名称,数量\n2026-01-05,帆布包,4\n2026-01-06,双肩包,2\n"))
    assert columns(guess)["product"] == "商品名称" and "name" not in columns(guess)


def test_what_cannot_be_guessed_is_a_finding(tmp_path: Path) -> None:
    guess = guess_columns(read(tmp_path, "a,b\nx,1.5\ny,2.5\n"))
    assert guess.missing == ("date", "product")
    assert [f.code for f in guess.findings] == ["no_date", "no_product"]
    with pytest.raises(ValueError, match="date"):
        guess.as_mapping()


def test_bad_cells_stay_for_the_check_to_show(tmp_path: Path) -> None:
    rows = "".join(f"2026-01-{d:02},A,{d}\n" for d in range(1, 20))
    guess = guess_columns(read(tmp_path, f"date,product,units\n{rows}2026-02-01,A,viele\nsoon,A,1\n"))
    findings = checked(guess)["sales"].findings
    assert [(f.code, f.row) for f in findings] == [("not_a_moment", 22), ("not_a_number", 21)]
    assert "viele" in findings[1].found.text("en")


@pytest.mark.parametrize(
    ("headers", "days"),
    [
        (("2026-01", "2026-02", "2026-03", "2026-04"), [(1, 1), (2, 1), (4, 1)]),
        (("1月", "2026年1月", "2026年2月", "2026年3月", "2026年4月"), None),
        (("2026W02", "2026W03", "2026W04", "2026W05"), [(1, 5), (1, 12), (1, 26)]),
        (("05/01/2026", "12/01/2026", "19/01/2026", "26/01/2026"), [(1, 5), (1, 12), (1, 26)]),
        (("2026-01-05", "2026-01-12", "2026-01-19", "2026-01-26"), [(1, 5), (1, 12), (1, 26)]),
    ],
)
def test_wide_tables(tmp_path: Path, headers: tuple[str, ...], days: list[tuple[int, int]] | None) -> None:
    values = ["1", "2", "", "4"] if days is not None else ["x", "1", "2", "0", "4"]
    text = f"货号,品名,{','.join(headers)}\nA,包,{','.join(values)}\n"
    guess = guess_columns(read(tmp_path, text))
    assert "wide" in notes(guess) and guess.missing == ()
    rows = checked(guess)["sales"].rows.to_pylist()
    expected = days if days is not None else [(1, 1), (2, 1), (4, 1)]
    assert [(r["happened_at"].month, r["happened_at"].day) for r in rows] == expected
    assert [r["units"] for r in rows] == [1.0, 2.0, 4.0] and {r[ROW] for r in rows} == {2}
    assert columns(guess)["product"] == "货号"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_records_for_the_eye(tmp_path: Path, language: str) -> None:
    records = guess_columns(read(tmp_path, TAOBAO)).records(language)
    assert all(set(r) == {"field", "column", "confidence", "reason", "others", "examples"} for r in records)
    assert records[0]["examples"].startswith("2025/1/5 10:20")


@pytest.mark.skipif(not SHARED.is_dir(), reason="shared data are not there")
@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (
            "online_retail/transactions.parquet",
            {
                "date": "invoice_ts",
                "product": "stock_code",
                "units": "quantity",
                "price": "unit_price",
                "market": "country",
                "customer": "customer_id",
                "order": "invoice_no",
                "name": "description",
            },
        ),
        ("vn2/history_weekly.parquet", {"date": "week", "product": "product", "units": "units", "market": "store"}),
        (
            "m5_store_dept/daily_sales.parquet",
            {"date": "date", "product": "dept_id", "units": "units", "market": "store_id"},
        ),
    ],
)
def test_real_exports(file: str, expected: dict[str, str]) -> None:
    (source,), _ = read_source(SHARED / file)
    guess = guess_columns(source)
    assert columns(guess) == expected
    kept = checked(guess)
    rows = sum(kept[t].rows.num_rows + kept[t].rejected.num_rows for t in ("sales", "returns") if t in kept)
    assert rows == source.rows.num_rows


_CELLS = st.one_of(st.none(), st.sampled_from(["", "1", "-2.5", "2026-01-05", "13/1/26", "A", "是", "1,5", "2026W01"]))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from(["date", "货号", "qty", "2026-01", "2026-02", "x", "金额", "状态", "12/1/2026"]), unique=True
    ),
    st.data(),
)
def test_any_table_never_raises(headers: list[str], data: st.DataObject) -> None:
    count = data.draw(st.integers(0, 6))
    cells = {h: pa.array(data.draw(st.lists(_CELLS, min_size=count, max_size=count)), pa.string()) for h in headers}
    table = pa.table({**cells, ROW: pa.array(range(2, count + 2), pa.int64())})
    guess = guess_columns(RawSource("x.csv", table))
    assert guess.records("zh") is not None
    if not guess.missing:
        _, findings = apply_mapping(guess.as_mapping(), guess.source)
        assert findings == []
