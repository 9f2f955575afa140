"""Exports as strangers write them, by families: states, columns of returns, sheets, signs, services, dates."""

from pathlib import Path

import pytest
import xlsxwriter

from datong.connectors.exports.order_state_words import marks_of
from datong.connectors.exports.reading import Reading, read_export

DAYS = range(1, 29)


def read(folder: Path, header: str, row: str, *more: str, name: str = "export.csv", **answers: str) -> Reading:
    """28 rows and some more. {d} is the day; a value a|b|c goes round its parts."""
    rows = []
    for d in DAYS:
        cells = [cell.split("|") for cell in row.format(d=f"{d:02}").split(",")]
        rows.append(",".join(parts[d % len(parts)] for parts in cells))
    path = folder / name
    path.write_text("\n".join([header, *rows, *more]) + "\n", encoding="utf-8")
    return read_export(path, answers)


def keys(reading: Reading) -> list[str]:
    return [question.key for question in reading.questions]


# --- states: an undoing that was refused is none; one that an unknown word stands beside is asked about ------------

UNDOINGS = ("refund", "return", "cancellation", "cancel", "chargeback")
REFUSALS = ("declined", "rejected", "denied", "request rejected", "request declined", "request withdrawn", "reversed")


@pytest.mark.parametrize("undoing", UNDOINGS)
@pytest.mark.parametrize("refusal", REFUSALS)
def test_an_undoing_that_was_refused_is_none(undoing: str, refusal: str) -> None:
    assert marks_of(f"{undoing} {refusal}") == frozenset()
    assert marks_of(f"Shipped - {undoing} {refusal}") == {"shipped"}


@pytest.mark.parametrize("undoing", ["退款", "退货", "售后", "退货退款"])
@pytest.mark.parametrize(
    "refusal", ["取消{}", "撤销{}", "拒绝{}", "不同意{}", "驳回{}申请", "{}取消", "{}已撤销", "{}被拒绝"]
)
def test_a_chinese_undoing_that_was_refused_is_none(undoing: str, refusal: str) -> None:
    assert marks_of(f"{refusal.format(undoing)}，交易成功") == {"sold"}


@pytest.mark.parametrize(
    "state",
    ["Cancellation requested", "Cancel request", "Return window open", "Return label created", "Returnable item return",
     "Refund eligible", "已取消退款", "可退货", "退货申请提交"],
)  # fmt: skip
def test_an_undoing_beside_an_unknown_word_is_not_known(state: str) -> None:
    marks = marks_of(state)
    assert marks is None or "returning" in marks


@pytest.mark.parametrize(
    ("state", "mark"),
    [("Cancelled by the customer", "cancelled"), ("Order cancelled", "cancelled"), ("系统自动取消", "cancelled"),
     ("买家取消订单", "cancelled"), ("Refunded in full", "refunded"), ("Item returned", "refunded"),
     ("取消退款成功", "?"), ("Unpaid", "unpaid"), ("删除", "cancelled")],
)  # fmt: skip
def test_an_undoing_beside_known_words_is_one(state: str, mark: str) -> None:
    marks = marks_of(state)
    assert marks is None if mark == "?" else marks and mark in marks


# --- quantities: what came back, what was given away, and which of two that say the same is meant -----------------


@pytest.mark.parametrize(
    "header",
    ["Returns", "Returned", "Units Returned", "Quantité retournée", "Qté retour", "Retouren", "Retourniert",
     "Devoluciones", "Unidades devueltas", "Resi", "Zwroty", "退货数", "退货量", "退货", "退款件数", "Retour stuks"],
)  # fmt: skip
def test_a_column_of_returned_units_is_read_in_any_language(tmp_path: Path, header: str) -> None:
    reading = read(tmp_path, f"Date,SKU,Qty,{header}", "2024-01-{d},A1|B2,5,0|0|2")
    assert (reading.sold, reading.returned, keys(reading)) == (140, 18, [])


def test_returns_in_money_are_no_units(tmp_path: Path) -> None:
    reading = read(
        tmp_path, "Date,SKU,Qty,Gross sales,Returns,Net sales", "2024-01-{d},A1,5,50.00,0.00|-10.50,50.00|39.50"
    )
    assert reading.column("returned_units") is None


def test_units_before_returns_are_those_sold(tmp_path: Path) -> None:
    reading = read(tmp_path, "Date,SKU,Gross units,Returns,Net units", "2024-01-{d},A1|B2,5|6|7,0|0|1,5|6|6")
    assert reading.column("units") == "Gross units"
    assert (reading.sold, reading.returned, keys(reading)) == (168, 9, [])


@pytest.mark.parametrize("free", ["Free Qty", "Bonus quantity", "Sample units", "赠品数量", "Gratis Menge"])
def test_what_was_given_away_is_not_what_was_sold(tmp_path: Path, free: str) -> None:
    reading = read(tmp_path, f"Date,SKU,{free},Billed Qty", "2024-01-{d},A1,0|1,5")
    assert (reading.column("units"), reading.sold) == ("Billed Qty", 140)


@pytest.mark.parametrize("pair", [("Qty A", "Qty B"), ("Menge Lager", "Menge Web"), ("Morning units", "Evening units")])
def test_two_columns_that_say_quantity_as_clearly_are_asked_about(tmp_path: Path, pair: tuple[str, str]) -> None:
    reading = read(tmp_path, f"Date,SKU,{','.join(pair)}", "2024-01-{d},A1,3|1|7,5|6")
    assert "units_column" in keys(reading)


@pytest.mark.parametrize("header", ["Дата,Артикул,Количество", "판매일자,상품코드,수량", "Tarih,Ürün Kodu,Miktar"])
def test_quantities_in_more_languages(tmp_path: Path, header: str) -> None:
    reading = read(tmp_path, header, "2024-01-{d},A1,5")
    assert (reading.sold, keys(reading)) == (140, [])


@pytest.mark.parametrize("values", ["5|6|7", "12000|15000", "5,000|12,000", "1.5|2.5"])
def test_rows_are_not_one_unit_each_where_a_column_may_hold_quantities(tmp_path: Path, values: str) -> None:
    path, cells = tmp_path / "export.csv", values.split("|")
    path.write_text("Date;SKU;Zork\n" + "".join(f"2024-01-{d:02};A1;{cells[d % len(cells)]}\n" for d in DAYS))
    assert "units_column" in keys(read_export(path))


# --- sheets: what a sheet's name says of its rows, and sheets that hold the rows of others once more ---------------


def book(folder: Path, name: str = "export.xlsx", **sheets: tuple[int, int, str]) -> Reading:
    """Sheets of rows for days from..to of 2024-01, of one more column where a value is given; then how it is read."""
    with xlsxwriter.Workbook(str(folder / name)) as workbook:
        for sheet, (first, last, header) in sheets.items():
            page = workbook.add_worksheet(sheet.replace("_", " "))
            page.write_row(0, 0, header.split(","))
            for at, d in enumerate(range(first, last + 1), start=1):
                page.write_row(at, 0, [f"2024-01-{d:02}", "A1", d][-len(header.split(",")) :])
    return read_export(folder / name)


@pytest.mark.parametrize("sheet", ["Returns", "Refunds", "退货", "退货明细", "Retouren", "Customer returns"])
def test_a_sheet_of_returns_is_not_sold(tmp_path: Path, sheet: str) -> None:
    reading = book(tmp_path, Sales=(1, 20, "Date,SKU,Qty"), **{sheet: (2, 4, "Date,SKU,Qty")})
    assert (reading.sold, reading.returned, keys(reading)) == (210, 9, [])


@pytest.mark.parametrize("sheet", ["Forecast", "Budget 2024", "预测", "Inventory", "采购入库", "Plan"])
def test_a_sheet_of_something_else_is_asked_about(tmp_path: Path, sheet: str) -> None:
    reading = book(tmp_path, Sales=(1, 20, "Date,SKU,Qty"), **{sheet: (2, 4, "Date,SKU,Qty")})
    assert (reading.sold, keys(reading)) == (210, [f"sheet:{sheet}"])


def test_sheets_that_hold_the_rows_of_another_one_are_read_once(tmp_path: Path) -> None:
    header = "Date,SKU,Qty"
    assert book(tmp_path, North=(1, 9, header), South=(10, 20, header), All=(1, 20, header)).sold == 210
    assert book(tmp_path, "copy.xlsx", Sales=(1, 20, header), Copy=(1, 20, header)).sold == 210
    assert book(tmp_path, "parts.xlsx", A=(1, 9, header), B=(10, 20, header)).sold == 210


def test_a_sheet_of_a_month_takes_the_year_of_the_file(tmp_path: Path) -> None:
    reading = book(tmp_path, "Sales 2023.xlsx", Januar=(1, 9, "SKU,Qty"), März=(1, 9, "SKU,Qty"))
    sales = reading.part("sales")
    assert sales is not None
    assert sorted({f"{day:%Y-%m}" for day in sales["happened_at"].to_pylist()}) == ["2023-01", "2023-03"]


# --- kinds of documents by their values; quantities that leave a stock ----------------------------------------------


@pytest.mark.parametrize("header", ["Movement", "Direction", "Buchungsart", "方向", "Info"])
@pytest.mark.parametrize(
    "pair", [("SALE", "RETURN"), ("Fattura", "Nota di credito"), ("销售", "退货"), ("Invoice", "Credit")]
)
def test_a_column_of_sales_and_returns_needs_no_header(tmp_path: Path, header: str, pair: tuple[str, str]) -> None:
    reading = read(tmp_path, f"Date,SKU,Qty,{header}", f"2024-01-{{d}},A1,5,{pair[0]}|{pair[0]}|{pair[1]}")
    assert (reading.sold, reading.returned, keys(reading)) == (95, 45, [])


@pytest.mark.parametrize("plan", ["Budget", "Plan", "Forecast", "Target", "预算", "计划", "Soll"])
@pytest.mark.parametrize("actual", ["Actual", "实际", "Ist", "Sales"])
def test_rows_of_a_plan_are_not_sold(tmp_path: Path, plan: str, actual: str) -> None:
    reading = read(tmp_path, "Date,SKU,Qty,Version", f"2024-01-{{d}},A1|B2,5,{actual}|{plan}")
    assert (reading.sold, keys(reading)) == (70, [])
    head = "SKU,Version,2024-01,2024-02,2024-03"
    path = tmp_path / "wide.csv"
    path.write_text("\n".join([head, *(f"{p},{v},5,6,7" for p in ("A1", "B2") for v in (actual, plan))]) + "\n")
    assert (read_export(path).sold, keys(read_export(path))) == (36, [])


def test_rows_of_returns_in_a_wide_table_came_back(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    rows = [f"{p},{v},5,6,7" for p in ("A1", "B2") for v in ("Sales", "Returns")]
    path.write_text("\n".join(["SKU,Measure,2024-01,2024-02,2024-03", *rows]) + "\n")
    reading = read_export(path)
    assert (reading.sold, reading.returned, keys(reading)) == (36, 36, [])


def test_quantities_that_are_mostly_negative_are_asked_about(tmp_path: Path) -> None:
    row = "2024-01-{d},A1,-5|-5|-5|2"
    reading = read(tmp_path, "Date,SKU,Qty", row)
    assert keys(reading) == ["mostly_negative"]
    assert (read(tmp_path, "Date,SKU,Qty", row, mostly_negative="sold").sold) == 105
    assert (read(tmp_path, "Date,SKU,Qty", row, mostly_negative="returned").returned) == 105


def test_a_row_with_a_negative_quantity_that_was_refunded_is_a_return(tmp_path: Path) -> None:
    reading = read(tmp_path, "Date,SKU,Qty,Status", "2024-01-{d},A1,5|5|-1,Completed|Completed|Refunded")
    assert (reading.sold, reading.returned, keys(reading)) == (95, 9, [])


# --- marks of a row, and reasons ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    ["Is Cancelled", "Cancelled?", "Order Cancelled", "Cancel Flag", "is_void", "Deleted", "已作废", "Is Test",
     "test_order", "Storniert"],
)  # fmt: skip
@pytest.mark.parametrize("yes", ["true", "Y", "1"])
def test_rows_marked_as_undone_are_not_sold(tmp_path: Path, header: str, yes: str) -> None:
    no = {"true": "false", "Y": "N", "1": "0"}[yes]
    reading = read(tmp_path, f"Date,SKU,Qty,{header}", f"2024-01-{{d}},A1,5,{no}|{no}|{no}|{yes}")
    assert (reading.sold, keys(reading)) == (105, [])


@pytest.mark.parametrize(
    "header", ["Is Return", "Return Flag", "is_refund", "Order refunded", "Was returned", "是否退货"]
)
def test_rows_marked_as_returned_are_asked_about(tmp_path: Path, header: str) -> None:
    reading = read(tmp_path, f"Date,SKU,Qty,{header}", "2024-01-{d},A1,5,false|false|false|true")
    assert keys(reading) == ["refunded"]


@pytest.mark.parametrize("header", ["Returnable", "Refundable", "Return allowed", "Cancellable", "Accepts returns"])
def test_what_may_be_returned_was_not(tmp_path: Path, header: str) -> None:
    reading = read(tmp_path, f"Date,SKU,Qty,{header}", "2024-01-{d},A1,5,false|true")
    assert (reading.sold, reading.returned, keys(reading)) == (140, 0, [])


@pytest.mark.parametrize(
    ("header", "wanted"),
    [("Cancel Reason", []), ("Cancellation reason", []), ("Stornogrund", []), ("取消原因", []),
     ("Return reason", ["refunded"]), ("退款原因", ["refunded"]), ("Refund Reason", ["refunded"])],
)  # fmt: skip
def test_a_reason_for_an_undoing_says_that_it_was_done(tmp_path: Path, header: str, wanted: list[str]) -> None:
    reading = read(tmp_path, f"Date,SKU,Qty,{header}", "2024-01-{d},A1,5,||N/A|Changed my mind")
    assert keys(reading) == wanted
    assert wanted or reading.sold == 105


# --- lines of services, cents -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "service",
    ["Anzahlung", "Montage vor Ort", "Down payment", "Shipping insurance", "定金", "上门安装", "补差价专用链接",
     "Shipping", "SHIPPING", "Versandkosten", "Frais de port", "运费", "Discount", "Rabatt", "Delivery fee",
     "Gastos de envío"],
)  # fmt: skip
@pytest.mark.parametrize("place", ["{s},Thing", "X-1,{s}", ",{s}"])
def test_lines_of_a_service_are_no_products(tmp_path: Path, service: str, place: str) -> None:
    more = [f"2024-01-{d:02},{place.format(s=service)},1,4.90" for d in range(1, 15)]
    reading = read(tmp_path, "Date,SKU,Product Name,Qty,Price", "2024-01-{d},A1|B2,Thing,5,9.90", *more)
    assert (reading.sold, keys(reading)) == (140, [])
    assert [(part.reason, part.rows) for part in reading.left] == [("service", 14)]


def test_a_product_that_only_holds_such_a_word_stays(tmp_path: Path) -> None:
    reading = read(tmp_path, "Date,SKU,Product Name,Qty", "2024-01-{d},SHIP-1,Shipping box|Discount pack,5")
    assert reading.sold == 140


@pytest.mark.parametrize("header", ["price_cents", "Unit price (cents)", "单价(分)", "Price in pence"])
def test_a_price_in_cents_is_one_of_money(tmp_path: Path, header: str) -> None:
    sales = read(tmp_path, f"Date,SKU,Qty,{header}", "2024-01-{d},A1,5,1250").part("sales")
    assert sales is not None and set(sales["price"].to_pylist()) == {12.5}


# --- dates ------------------------------------------------------------------------------------------------------------


def first_days(reading: Reading, count: int = 2) -> list[str]:
    sales = reading.part("sales")
    return [] if sales is None else [str(day)[:10] for day in sorted(sales["happened_at"].to_pylist())[:count]]


@pytest.mark.parametrize("text", ["{d} Jan", "Jan {d}", "{d}-Jan", "{d}. Januar", "Jan-{d}"])
def test_days_without_a_year_are_not_months(tmp_path: Path, text: str) -> None:
    reading = read(tmp_path, "Date,SKU,Qty", f"{text},A1,5")
    assert reading.missing == ("date",) or "unread_date" in keys(reading)


def test_months_with_a_year_of_two_digits_stay(tmp_path: Path) -> None:
    reading = read(tmp_path, "Date,SKU,Qty", "Jan-23|Feb-23|Mar-24,A1,5")
    assert (keys(reading), first_days(reading, 1)) == ([], ["2023-01-01"])


def test_six_digits_that_only_weeks_explain_need_no_question(tmp_path: Path) -> None:
    reading = read(tmp_path, "Date,SKU,Qty", "2024{d},A1,5")
    assert (keys(reading), first_days(reading)) == ([], ["2024-01-01", "2024-01-08"])


@pytest.mark.parametrize(
    "text",
    ['"Wednesday, January {d}, 2024"', '"Wed, Jan {d}, 2024"', '"mercredi {d} janvier 2024"', '"{d} января 2024 г."',
     '"2024. 01. {d}."', '"Mittwoch, {d}. Januar 2024"', '"2024년 1월 {d}일"'],
)  # fmt: skip
def test_days_with_the_day_of_the_week_and_in_more_languages(tmp_path: Path, text: str) -> None:
    path = tmp_path / "export.csv"
    path.write_text("Date,SKU,Qty\n" + "".join(f"{text.format(d=f'{d:02}')},A1,5\n" for d in DAYS), encoding="utf-8")
    reading = read_export(path)
    assert (reading.sold, keys(reading), first_days(reading)) == (140, [], ["2024-01-01", "2024-01-02"])


# --- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"), [("1.2万", 12000), ("3k", 3000), ("2.5K", 2500), ("0.8 万件", 8000), ("2千", 2000)]
)
def test_numbers_of_thousands(tmp_path: Path, text: str, value: float) -> None:
    assert read(tmp_path, "Date,SKU,Qty,Price", f"2024-01-{{d}},A1,{text}|{text}|7,9.5").sold == 19 * value + 63


@pytest.mark.parametrize("header", ["Units ('000)", "Units (thousands)", "销量（千件）", "Qty (k)", "Menge (Tsd.)"])
def test_a_header_that_says_thousands(tmp_path: Path, header: str) -> None:
    assert read(tmp_path, f"Date,SKU,{header}", "2024-01-{d},A1,5").sold == 140_000


def test_digits_of_other_scripts(tmp_path: Path) -> None:
    assert read(tmp_path, "Date,SKU,Qty", "2024-01-{d},A1,٥|١٢").sold == 14 * 17


def test_a_column_of_codes_of_digits(tmp_path: Path) -> None:
    reading = read(tmp_path, "Date,Code,Qty,Price", "2024-01-{d},001|002,5,9.50")
    assert (reading.column("product"), reading.sold) == ("Code", 140)
    reading = read(tmp_path, "Date,Postal Code,Item,Qty,Discount Code", "2024-01-{d},10001|10002,A1|B2,5,X1|X2")
    assert (reading.column("product"), reading.sold) == ("Item", 140)


def test_a_cancellation_with_a_row_of_its_own_takes_units_back(tmp_path: Path) -> None:
    reading = read(tmp_path, "Date,SKU,Qty,Is Cancelled", "2024-01-{d},A1,5|5|-5,N|N|Y")
    assert (reading.sold, reading.returned, keys(reading)) == (95, 45, [])
    reading = read(tmp_path, "Date,SKU,Qty,Status", "2024-01-{d},A1,5|5|-5,Done|Cancelled|Cancelled")
    assert (reading.sold, reading.returned, keys(reading)) == (45, 0, [])


# --- kinds in codes, notes, quantities in other words -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "pair"),
    [("Sale/Return", "S|R"), ("Dr/Cr", "DR|CR"), ("S/H", "S|H"), ("Movement Type", "601|602"), ("借贷方向", "借|贷"),
     ("Bewegungsart", "601|602"), ("收发类别", "A|B")],
)  # fmt: skip
def test_kinds_in_codes_are_asked_about(tmp_path: Path, header: str, pair: str) -> None:
    reading = read(tmp_path, f"Date,SKU,Qty,{header}", f"2024-01-{{d}},A1,5,{pair}")
    assert keys(reading) == [f"kind:{code}" for code in sorted(pair.split("|"))] or len(keys(reading)) == 2


@pytest.mark.parametrize("kind", ["Quote", "Quotation", "Angebot", "Devis", "报价单", "Proforma"])
def test_offers_are_not_sold(tmp_path: Path, kind: str) -> None:
    reading = read(tmp_path, "Date,SKU,Qty,Order Type", f"2024-01-{{d}},A1,5,Order|Order|{kind}")
    assert (reading.sold, keys(reading)) == (95, [])


def test_notes_that_tell_of_an_undoing_are_asked_about(tmp_path: Path) -> None:
    reading = read(tmp_path, "Date,SKU,Qty,Note", "2024-01-{d},A1,5,||cancelled by phone")
    assert keys(reading) == ["remark:Note"]
    reading = read(tmp_path, "Date,SKU,Qty,Note", "2024-01-{d},A1,5,||ring twice|leave at door")
    assert (reading.sold, keys(reading)) == (140, [])


@pytest.mark.parametrize(
    "header", ["Qty Refunded", "Units sent back (returned)", "Menge retourniert", "Pieces returned"]
)
def test_returned_units_in_any_order_of_words(tmp_path: Path, header: str) -> None:
    assert read(tmp_path, f"Date,SKU,Qty,{header}", "2024-01-{d},A1,5,0|0|-2").returned == 18


def test_units_of_a_case_are_not_units_sold(tmp_path: Path) -> None:
    reading = read(tmp_path, "Date,SKU,Cases,Units per case", "2024-01-{d},A1,5,12")
    assert keys(reading) == ["units_column"]


def test_a_measure_beside_the_quantity_is_asked_about(tmp_path: Path) -> None:
    reading = read(tmp_path, "Date,SKU,Quantity,Quantity UoM", "2024-01-{d},A1,5,PCE|CTN")
    assert keys(reading) == ["mixed_units"]


def test_codes_of_variants_are_the_products(tmp_path: Path) -> None:
    reading = read(tmp_path, "Date,Product,Product SKU,Quantity", "2024-01-{d},Shirt,S-1|S-2,5")
    assert reading.column("product") == "Product SKU"


@pytest.mark.parametrize("header", ["Sold", "Stk.", "Stk"])
def test_short_names_of_units(tmp_path: Path, header: str) -> None:
    reading = read(tmp_path, f"Date,SKU,{header}", "2024-01-{d},A1,5")
    assert (reading.sold, keys(reading)) == (140, [])


@pytest.mark.parametrize("header", ["Returned on", "Date returned", "退回时间"])
def test_a_day_of_return_says_that_it_came_back(tmp_path: Path, header: str) -> None:
    reading = read(tmp_path, f"Date,SKU,Qty,{header}", "2024-01-{d},A1,5,||2024-02-03")
    assert reading.returned or keys(reading) == ["refunded"]


# --- what a header says of its dates; components of bundles -----------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "day"),
    [("Date (DD/MM/YYYY)", "2024-02-01"), ("Date (MM/DD/YYYY)", "2024-01-02"), ("Datum (TT/MM/JJJJ)", "2024-02-01"),
     ("Date JJ/MM/AAAA", "2024-02-01"), ("Date m/d/yy", "2024-01-02")],
)  # fmt: skip
def test_a_header_that_says_the_order_of_day_and_month(tmp_path: Path, header: str, day: str) -> None:
    reading = read(tmp_path, f"{header},SKU,Qty", "05/03/2024|01/02/2024|07/04/2024|02/06/2024,A1,5")
    assert keys(reading) == [] and day in first_days(reading, 28)


def test_components_of_a_bundle_are_asked_about(tmp_path: Path) -> None:
    row = "2024-01-{d},KIT|C1|C2,2,|KIT|KIT"
    reading = read(tmp_path, "Date,SKU,Qty,Parent SKU", row)
    assert keys(reading) == ["components"]
    assert read(tmp_path, "Date,SKU,Qty,Parent SKU", row, components="leave_out").sold == 18
    assert read(tmp_path, "Date,SKU,Qty,Parent SKU", row, components="keep").sold == 56


LANGUAGES = {
    "th": ("วันที่ทำการสั่งซื้อ,หมายเลขคำสั่งซื้อ,เลขอ้างอิง SKU (SKU Reference No.),จำนวน,สถานะการสั่งซื้อ", "สำเร็จแล้ว", "ยกเลิกแล้ว"),
    "vi": ("Ngày đặt hàng,Mã đơn hàng,SKU phân loại hàng,Số lượng,Trạng Thái Đơn Hàng", "Hoàn thành", "Đã hủy"),
    "id": ("Waktu Pesanan Dibuat,No. Pesanan,Nomor Referensi SKU,Jumlah,Status Pesanan", "Selesai", "Batal"),
    "es": ("Fecha de venta,# de venta,SKU,Unidades,Estado", "Entregado", "Cancelada por el comprador"),
    "pl": ("Data zakupu,Numer zamówienia,Sygnatura,Liczba sztuk,Status", "Wysłane", "Anulowane"),
    "ko": ("주문일,주문번호,업체상품코드,구매수(수량),주문상태", "배송완료", "취소완료"),
    "ja": ("注文日時,注文番号,商品管理番号,個数,ステータス", "発送済", "キャンセル確定"),
    "ru": ("Дата,Номер заказа,Артикул,Кол-во,Статус", "Доставлен", "Отменён"),
    "tr": ("Sipariş Tarihi,Sipariş No,Stok Kodu,Adet,Sipariş Durumu", "Teslim Edildi", "İptal Edildi"),
    "fi": ("Päivämäärä,Tilausnumero,Tuotekoodi,Määrä,Tila", "Toimitettu", "Peruttu"),
    "cs": ("Datum,Číslo objednávky,SKU,Množství,Stav", "Doručeno", "Zrušeno"),
    "ar": ("التاريخ,رقم الطلب,رمز المنتج,الكمية,حالة الطلب", "تم التسليم", "ملغي"),
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_headers_and_states_of_shops_in_other_languages(tmp_path: Path, language: str) -> None:
    header, done, undone = LANGUAGES[language]
    reading = read(tmp_path, header, f"2024-01-{{d}},X{{d}},A1|B2,3|2,{done}|{done}|{done}|{undone}")
    assert (keys(reading), reading.returned) == ([], 0)
    assert reading.sold == sum((3, 2)[d % 2] for d in range(1, 29) if d % 4 != 3)


def test_a_reference_of_the_order_is_no_product(tmp_path: Path) -> None:
    reading = read(tmp_path, "Order,Reference,Date,Product,Qty", "N{d},XK{d},2024-01-{d},A1|B2,3")
    assert reading.column("product") == "Product" and reading.sold == 84


def test_a_type_of_return_beside_a_sale_is_of_goods_that_came_back(tmp_path: Path) -> None:
    header = "Order,Date,SKU,Qty,Status,return_type"
    row = "N{d},2024-01-{d},A1|B2,3,DELIVERED|DELIVERED|DELIVERED|RETURNED,NA|NA|NA|customer_return"
    reading = read(tmp_path, header, row)
    assert (keys(reading), reading.sold, reading.returned) == ([], 84, 21)


def test_traditional_chinese_is_not_read_as_simplified(tmp_path: Path) -> None:
    rows = [f"113/03/{d:02},S{d},A{d % 2},3" for d in DAYS]
    path = tmp_path / "export.csv"
    path.write_bytes("\n".join(["日期(民國),單號,品號,數量", *rows]).encode("big5"))
    reading = read_export(path)
    assert (keys(reading), reading.sold, reading.column("product")) == ([], 84, "品號")
