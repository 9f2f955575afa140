"""Reading the exports that strangers bring: which column is which, and what comes of it."""

from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datong.connectors.exports.cells import cells_of
from datong.connectors.exports.personal import names_people, quoted
from datong.connectors.exports.read_grids import Grid, Grids
from datong.connectors.exports.reading import Reading, read_export, read_from
from datong.connectors.files.folder import check_source
from datong.ledger.row_checks import ROW
from datong.model.settings import ChainSettings
from datong.model.tables import tables

SHARED = Path(__file__).resolve().parents[3] / ".." / "shared" / "data"

TAOBAO = """订单编号,下单时间,店铺名称,商品编码,商品名称,数量,单价,实付金额,订单状态
T1,2025/1/5 10:20,天猫店,A001,帆布包,2,"1,059.00",118,交易成功
T2,2025/1/6 11:20,京东店,A002,双肩包,-1,¥99,-99,交易成功
T3,2025/1/7 11:20,京东店,A001,帆布包,1,¥99,99,交易关闭
"""


def read(folder: Path, text: str, encoding: str = "utf-8", **answers: str) -> Reading:
    path = folder / "export.csv"
    path.write_bytes(text.encode(encoding))
    return read_export(path, answers)


def columns(reading: Reading) -> dict[str, str]:
    return {c.field: c.column for c in reading.columns}


def rows(reading: Reading, table: str = "sales") -> list[dict]:
    """Rows of a table, which the check must take as they are."""
    for name, source in reading.parts:
        checked = check_source(tables()[name], source, ChainSettings("x"))
        assert checked.findings == () and checked.rejected.num_rows == source.rejected.num_rows
    part = reading.part(table)
    return [] if part is None else part.to_pylist()


def keys(reading: Reading) -> set[str]:
    return {note.key.removeprefix("export.") for note in reading.notes}


def asked(reading: Reading) -> list[str]:
    return [question.key for question in reading.questions]


def test_a_chinese_shop_export(tmp_path: Path) -> None:
    reading = read(tmp_path, TAOBAO, "gb18030", markets="apart")
    assert columns(reading) == {
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
    assert reading.missing == () and reading.questions == () and "returns_negative" in keys(reading)
    assert all(0.8 < c.confidence <= 1 for c in reading.columns)
    assert [(r["product"], r["name"], r["price"]) for r in rows(reading, "products")] == [
        ("A001", "帆布包", 1059.0),
        ("A002", "双肩包", 99.0),
    ]
    assert [(r["sale"], r["units"], r["market"], r[ROW]) for r in rows(reading)] == [
        ("T1/2025-01-05/A001", 2.0, "天猫店", 2)
    ]
    assert rows(reading)[0]["happened_at"] == datetime.fromisoformat("2025-01-05T10:20")
    assert [(r["product"], r["units"]) for r in rows(reading, "returns")] == [("A002", 1.0)]
    assert "1 row with 1 unit: 订单状态: 交易关闭" in reading.last_line("en")
    assert "market" not in rows(read(tmp_path, TAOBAO, "gb18030"))[0]  # one series a product, unless somebody says so


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
        ("Datum,Artikelnummer,Stückzahl,Einzelpreis", ("Datum", "Artikelnummer", "Stückzahl", "Einzelpreis")),
        ("Date de commande,Référence,Quantité,Prix", ("Date de commande", "Référence", "Quantité", "Prix")),
    ],
)
def test_headers_of_common_systems(tmp_path: Path, header: str, expected: tuple[str, ...]) -> None:
    body = "\n".join(f"2026-01-{d:02},K{d % 4},{d % 5 + 1},{d % 4 + 9.5}" for d in range(1, 29))
    reading = read(tmp_path, f"{header}\n{body}\n")
    assert tuple(columns(reading)[f] for f in ("date", "product", "units", "price")) == expected


@pytest.mark.parametrize("header", ["Belegnr.", "Auftragsnr.", "Auftrags-Nr.", "Bestellnr", "Rechnungsnr.", "Beleg-Nr"])
def test_the_short_words_of_order_numbers(tmp_path: Path, header: str) -> None:
    body = "\n".join(f"{1000 + n // 2};2026-01-{n // 2 + 1:02};K{n % 2};{n % 5 + 1}" for n in range(40))
    assert columns(read(tmp_path, f"{header};Datum;Artikelnummer;Menge\n{body}\n"))["order"] == header


@pytest.mark.parametrize(
    ("dates", "first"),
    [
        (["05/01/2026", "13/01/2026"], date(2026, 1, 5)),
        (["01/05/2026", "01/13/2026"], date(2026, 1, 5)),
        (["5.1.26", "13.1.26"], date(2026, 1, 5)),
        (["5-Jan-2026", "13-Jan-2026"], date(2026, 1, 5)),
        (["05 January 26", "13 January 26"], date(2026, 1, 5)),
        (["Jan 05, 2026", "Jan 13, 2026"], date(2026, 1, 5)),
        (["5. Januar 2026", "13. Januar 2026"], date(2026, 1, 5)),
        (["2026-1-5", "2026-1-13"], date(2026, 1, 5)),
        (["20260105", "20260113"], date(2026, 1, 5)),
        (["2026年1月5日", "2026年1月13日"], date(2026, 1, 5)),
        (["2026-W02", "2026-W03"], date(2026, 1, 5)),
        (["46027", "46035"], date(2026, 1, 5)),
        (["2026-01", "2026-02"], date(2026, 1, 1)),
        (["Jan-26", "Feb-26"], date(2026, 1, 1)),
        (["2026年1月", "2026年2月"], date(2026, 1, 1)),
        (["202601", "202602"], date(2026, 1, 1)),
    ],
)
def test_ways_to_write_dates(tmp_path: Path, dates: list[str], first: date) -> None:
    body = "".join(f'"{d}",A,1\n' for d in dates)
    found = rows(read(tmp_path, "month,product,units\n" + body))
    days = [row["happened_at"] for row in found if row["units"]]
    assert len(days) == 2 and min(row["happened_at"] for row in found) == first


def test_clock_times_of_american_exports(tmp_path: Path) -> None:
    text = "date,product,units\n12/1/2010 8:26,A,1\n12/13/2010 4:05 PM,A,1\n"
    assert [r["happened_at"] for r in rows(read(tmp_path, text))] == [
        datetime.fromisoformat("2010-12-01T08:26"),
        datetime.fromisoformat("2010-12-13T16:05"),
    ]


def test_dates_that_read_both_ways_are_asked_about(tmp_path: Path) -> None:
    """01/05 to 04/05: four days in a row, or the first of four months."""
    text = "date,product,units\n" + "".join(f"0{d}/05/2026,A,1\n" for d in range(1, 5))
    assert asked(read(tmp_path, text)) == ["date_order"]
    answered = read(tmp_path, text, date_order="day_first")
    assert asked(answered) == [] and rows(answered)[3]["happened_at"] == date(2026, 5, 4)
    assert answered.used == {"date_order": "day_first"}


def test_columns_without_telling_names_are_asked_about(tmp_path: Path) -> None:
    body = "".join(f"K{i % 3},{i % 4 + 1},2026-01-{i + 1:02}\n" for i in range(20))
    reading = read(tmp_path, "x,y,z\n" + body)
    assert asked(reading) == ["units_column"]
    assert [o.name for o in reading.questions[0].options] == ["y", "one_a_row"]
    answered = read(tmp_path, "x,y,z\n" + body, units_column="y")
    assert columns(answered) == {"date": "z", "product": "x", "units": "y"} and answered.sold == 50


def test_counts_of_something_else_are_no_units(tmp_path: Path) -> None:
    body = "".join(f"2026-01-{i + 1:02},K{i % 3},{i % 4 + 1}\n" for i in range(20))
    reading = read(tmp_path, "order date,sku,photos qty\n" + body)
    assert "units" not in columns(reading) and reading.sold == 20


def test_units_without_a_word_are_those_that_make_the_amount(tmp_path: Path) -> None:
    body = "".join(f"2026-01-{i + 1:02},K{i % 3},{i % 4 + 1},2.5,{(i % 4 + 1) * 2.5}\n" for i in range(20))
    reading = read(tmp_path, "date,sku,y,unit price,amount\n" + body)
    assert columns(reading)["units"] == "y" and asked(reading) == []


def test_no_quantity_is_one_unit_a_row(tmp_path: Path) -> None:
    reading = read(tmp_path, "order date,sku,order id\n2026-01-05,A,1\n2026-01-05,A,2\n")
    assert "one_unit_a_row" in keys(reading)
    assert [r["units"] for r in rows(reading)] == [1.0, 1.0]


def test_an_amount_gives_the_price_of_a_unit(tmp_path: Path) -> None:
    reading = read(tmp_path, "日期,货号,数量,金额\n2026-01-05,A,4,100\n2026-01-06,A,2,60\n")
    assert [r["price"] for r in rows(reading)] == [25.0, 30.0]


def test_a_name_stands_in_for_a_code(tmp_path: Path) -> None:
    reading = read(tmp_path, "日期,商品名称,数量\n2026-01-05,帆布包,4\n2026-01-06,双肩包,2\n")
    assert columns(reading)["product"] == "商品名称" and "name" not in columns(reading)


def test_a_product_without_a_code_goes_by_its_name(tmp_path: Path) -> None:
    body = "".join(
        f"2026-01-{d:02},{['A1', ''][d % 5 == 0]},{['Bag', 'Custom'][d % 5 == 0]},{d}\n" for d in range(1, 20)
    )
    reading = read(tmp_path, "date,sku,item name,qty\n" + body)
    assert asked(reading) == [] and reading.sold == 190 and "by_name" in keys(reading)
    assert [r["product"] for r in rows(reading, "products")] == ["A1", "Custom"]


def test_what_cannot_be_found_is_a_finding(tmp_path: Path) -> None:
    reading = read(tmp_path, "a,b\nx,1.5\ny,2.5\n")
    assert reading.missing == ("date", "product") and reading.parts == ()
    assert [f.code for f in reading.findings] == ["no_date", "no_product"]


def test_bad_cells_are_counted_and_asked_about(tmp_path: Path) -> None:
    body = "".join(f"2026-01-{d:02},A,{d}\n" for d in range(1, 20))
    reading = read(tmp_path, f"date,product,units\n{body}2026-02-01,A,viele\nsoon,A,1\n")
    assert asked(reading) == ["unread_units", "unread_date"]
    assert [(f.code, f.row) for f in reading.findings] == [("unread_units", 21), ("unread_date", 22)]
    assert "viele" in reading.findings[0].found.text("en")
    assert reading.last_line("en").endswith(
        "1 row whose quantity cannot be read with 0 units; 1 row whose date cannot be read with 1 unit."
    )


@pytest.mark.parametrize("header", ["ShippingPhone", "收货人电话", "Customer Name"])
def test_bad_cells_beside_columns_of_people_name_nobody(tmp_path: Path, header: str) -> None:
    odd = "2026-02-01,A,Canary Zhao 7391,x\nCanary Zhao,A,1,x\n2026-15-45,A,1,x\n2026-02-02,A,call 13812345678,x\n"
    body = "".join(f"2026-01-{d:02},A,{d},x\n" for d in range(1, 20))
    reading = read(tmp_path, f"date,product,units,{header}\n{odd}{body}")
    assert asked(reading) == ["unread_units", "unread_date"]
    told = [*reading.questions, *(f.text("en") for f in reading.findings), *reading.records("zh")]
    assert "Canary" not in str(told) and "13812345678" not in str(told)
    assert reading.questions[1].samples == ("[text]", "2026-15-45")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((t, t) for t in ("2026-02-31", "31 Feb 2026", "12.5.6", "2026年2月31日", "24/13/2026 25:00", "1,2,3")),
        *((t, "[text]") for t in ("Canary Zhao 7391", "张三", "n/a", "-", "Room 7", "call 13812345678")),
        ("13812345678", "[phone]"),
    ],
)
def test_what_is_quoted_of_figures_beside_columns_of_people(text: str, expected: str) -> None:
    assert quoted([text, None, text], True) == (expected,)


def test_names_of_goods_are_no_columns_of_people() -> None:
    assert not names_people(["date", "product name", "商品名称", "sku", "units", "Shop Name", "订单号"])


@pytest.mark.parametrize(
    ("headers", "days"),
    [
        (("2026-01", "2026-02", "2026-03", "2026-04"), [(1, 1), (2, 1), (4, 1)]),
        (("Jan-26", "Feb-26", "Mar-26", "Apr-26"), [(1, 1), (2, 1), (4, 1)]),
        (("Jan 2026", "Feb 2026", "Mar 2026", "Apr 2026"), [(1, 1), (2, 1), (4, 1)]),
        (("01/2026", "02/2026", "03/2026", "04/2026"), [(1, 1), (2, 1), (4, 1)]),
        (("2026年1月", "2026年2月", "2026年3月", "2026年4月"), [(1, 1), (2, 1), (4, 1)]),
        (("2026年1月销量", "2026年2月销量", "2026年3月销量", "2026年4月销量"), [(1, 1), (2, 1), (4, 1)]),
        (("2026W02", "2026W03", "2026W04", "2026W05"), [(1, 5), (1, 12), (1, 26)]),
        (("05/01/2026", "12/01/2026", "19/01/2026", "26/01/2026"), [(1, 5), (1, 12), (1, 26)]),
        (("2026-01-05", "2026-01-12", "2026-01-19", "2026-01-26"), [(1, 5), (1, 12), (1, 26)]),
    ],
)
def test_wide_tables(tmp_path: Path, headers: tuple[str, ...], days: list[tuple[int, int]]) -> None:
    text = f"货号,品名,{','.join(headers)},合计\nA,包,1,2,,4,7\n合计,,1,2,,4,7\n"
    reading = read(tmp_path, text, stretches="as_dated")
    assert "wide" in keys(reading) and asked(reading) == []
    found = rows(
        read(tmp_path, f"货号,品名,{','.join(headers)},合计\nA,包,1,2,,4,7\n合计,,1,2,,4,7\n", stretches="as_dated")
    )
    assert [(r["happened_at"].month, r["happened_at"].day) for r in found] == days
    assert [r["units"] for r in found] == [1.0, 2.0, 4.0] and {r[ROW] for r in found} == {2}
    assert columns(reading)["product"] == "货号" and "price" not in found[0]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_records_for_the_eye(tmp_path: Path, language: str) -> None:
    records = read(tmp_path, TAOBAO).records(language)
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
                "state": "is_cancellation",
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
    reading = read_export(SHARED / file)
    if asked(reading) == ["product_column"]:  # no header says product, and two columns might be
        reading = read_export(SHARED / file, {"product_column": expected["product"]})
    assert columns(reading) == expected and asked(reading) == []
    counted = sum(source.rows.num_rows for name, source in reading.parts if name != "products")
    assert counted + sum(left.rows for left in reading.left) == reading.rows


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
    cells = tuple(
        cells_of(pa.array(data.draw(st.lists(_CELLS, min_size=count, max_size=count)), pa.string())) for _ in headers
    )
    grid = Grid("x.csv", cells, pa.array(range(2, count + 2), pa.int64()).to_numpy(), tuple(headers))
    reading = read_from(Grids((grid,), ()), "x.csv", {})
    assert all(reading.records("zh")) and reading.last_line("zh")
    if not reading.missing:
        rows(reading)
