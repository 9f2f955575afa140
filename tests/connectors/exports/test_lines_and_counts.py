"""What is said of one line of an order, in words and in numbers: the number wins, and no other line gets the words."""

from pathlib import Path

import pytest
import xlsxwriter

from datong.connectors.exports.personal import quoted
from datong.connectors.exports.reading import Reading, read_export

DAYS = range(1, 29)


def read(folder: Path, header: str, row: str, name: str = "export.csv", **answers: str) -> Reading:
    """28 rows. {d} is the day, {n} the number of the row; a value a|b|c goes round its parts."""
    rows = []
    for d in DAYS:
        cells = [cell.split("|") for cell in row.format(d=f"{d:02}", n=100 + d).split(",")]
        rows.append(",".join(parts[d % len(parts)] for parts in cells))
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return read_export(path, answers)


def keys(reading: Reading) -> list[str]:
    return [question.key for question in reading.questions]


def notes(reading: Reading) -> str:
    return "\n".join(note.text("en") for note in reading.notes)


# --- a column that counts what came back, beside a state ------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "state", "good"),
    [
        ("Returned quantity", "Returned", "Delivered"),
        ("Qty returned", "Refund completed", "Delivered"),
        ("退货数量", "退款成功", "交易成功"),
        ("退款数量", "退货退款成功", "已发货"),
    ],
)
def test_the_number_of_units_that_came_back_wins_over_the_state(
    tmp_path: Path, column: str, state: str, good: str
) -> None:
    header = f"Order,Date,SKU,Quantity,{column},Status,Price"
    row = f"{{n}},2026-03-{{d}},KT-101|SP-9,5,0|0|0|1,{good}|{good}|{good}|{state},24.9"
    reading = read(tmp_path, header, row)
    assert (reading.sold, reading.returned, keys(reading)) == (140, 7, [])
    assert "0 units came back" not in notes(reading)


def test_a_line_of_which_all_came_back_by_its_number_is_counted_once(tmp_path: Path) -> None:
    row = "{n},2026-03-{d},KT-101,5,0|0|0|5,Delivered|Delivered|Delivered|Returned,24.9"
    reading = read(tmp_path, "Order,Date,SKU,Quantity,Returned quantity,Status,Price", row)
    assert (reading.sold, reading.returned, keys(reading)) == (140, 35, [])
    assert "0 units came back" not in notes(reading)


@pytest.mark.parametrize("nothing", ["0", ""])
def test_a_state_of_return_without_a_number_is_asked_about(tmp_path: Path, nothing: str) -> None:
    header = "Order,Date,SKU,Quantity,Returned quantity,Status,Price"
    row = f"{{n}},2026-03-{{d}},KT-101,5,{nothing}|1|{nothing}|{nothing},Delivered|Returned|Returned|Delivered,24.9"
    reading = read(tmp_path, header, row)
    assert keys(reading) == ["returned_uncounted"]
    (question,) = reading.questions
    assert all("35 units" in option.says.text("en") for option in question.options)
    sold = {o.name: read(tmp_path, header, row, returned_uncounted=o.name) for o in question.options}
    found = {name: (r.sold, r.returned, keys(r)) for name, r in sold.items()}
    assert found == {"returned": (140, 42, []), "sold": (140, 7, []), "not_sold": (105, 7, [])}


# --- a state that stands on one line of an order ---------------------------------------------------------------------


def orders(folder: Path, header: str, marks: list[tuple[str, ...]], first: str = "", **answers: str) -> Reading:
    """An order a day of lines of 5 units. marks: of each order's lines, in turn. first: what only the first lines say
    in a last column."""
    rows = []
    for d in DAYS:
        for line, mark in enumerate(marks[d % len(marks)]):
            more = f",{first if not line else ''}" if first else ""
            rows.append(f"{500 + d},2026-03-{d:02},KT-{line},5,{mark}{more}")
    path = folder / "export.csv"
    path.write_text("\n".join([header + (",Total" if first else ""), *rows]) + "\n", encoding="utf-8")
    return read_export(path, answers)


LINE_STATES = [("Refund status", "Returned"), ("退款状态", "退货成功"), ("Remark", "returned"), ("备注", "退货"),
               ("Returned at", "2026-04-02")]  # fmt: skip


@pytest.mark.parametrize(("column", "mark"), LINE_STATES)
def test_a_state_of_one_line_says_nothing_of_the_others(tmp_path: Path, column: str, mark: str) -> None:
    marks = [("", "", ""), ("", mark, ""), (mark, "", ""), ("", "")]
    answers = {"refunded": "returned"} if column == "Returned at" else {}
    reading = orders(tmp_path, f"Order,Date,SKU,Qty,{column}", marks, **answers)
    assert (reading.sold, reading.returned, keys(reading)) == (385, 70, [])


@pytest.mark.parametrize(("column", "mark"), LINE_STATES[:4])
def test_a_state_on_first_lines_only_is_asked_about_with_its_units(tmp_path: Path, column: str, mark: str) -> None:
    marks = [("", "", ""), (mark, "", ""), ("", ""), ("",)]
    reading = orders(tmp_path, f"Order,Date,SKU,Qty,{column}", marks)
    assert keys(reading) == [f"of_order:{column}"]
    assert all("70" in option.says.text("en") for option in reading.questions[0].options)
    found = {}
    for whose in ("line", "order"):
        again = orders(tmp_path, f"Order,Date,SKU,Qty,{column}", marks, **{f"of_order:{column}": whose})
        found[whose] = (again.sold, again.returned, keys(again))
    assert found == {"line": (315, 35, []), "order": (315, 105, [])}


@pytest.mark.parametrize(("column", "mark"), LINE_STATES[:4])
def test_a_state_beside_amounts_of_orders_is_of_the_order(tmp_path: Path, column: str, mark: str) -> None:
    marks = [("", "", ""), (mark, "", ""), ("", ""), ("",)]
    reading = orders(tmp_path, f"Order,Date,SKU,Qty,{column}", marks, first="99.5")
    assert (reading.sold, reading.returned) == (315, 105)


@pytest.mark.parametrize("at", [0, 1])
def test_a_state_that_every_order_has_once_is_of_the_order(tmp_path: Path, at: int) -> None:
    marks = [tuple(state if line == at else "" for line in range(3)) for state in ("Delivered", "Returned")]
    reading = orders(tmp_path, "Order,Date,SKU,Qty,Order status", marks)
    assert (reading.sold, reading.returned, keys(reading)) == (420, 210, [])


# --- kinds of documents beside sales ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("column", "sale"), [("订单类型", "正常"), ("业务类型", "销售"), ("单据类型", "销售出库"),
                                              ("Order type", "Sale"), ("出库类型", "销售出库单")])  # fmt: skip
@pytest.mark.parametrize("other", ["补发", "样品", "其他出库", "Replacement"])
def test_a_kind_of_document_that_no_word_explains_is_asked_about_beside_sales(
    tmp_path: Path, column: str, sale: str, other: str
) -> None:
    header, row = f"Order,Date,SKU,Qty,{column}", f"{{n}},2026-03-{{d}},KT-1|KT-2,5,{sale}|{sale}|{sale}|{other}"
    assert keys(read(tmp_path, header, row)) == [f"kind:{other}"]
    assert read(tmp_path, header, row, **{f"kind:{other}": "not_sold"}).sold == 105


# --- words for a return beside words for a unit -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "column",
    ["Retoure Stk", "Retouren Stk.", "Stk Retouren", "Rücksendungen (Stück)", "Rückgabe Stck", "Returns (pcs)",
     "Returned pcs", "Retours (pcs)", "Devoluciones uds", "Uds. devueltas", "Resi pz", "Devoluções un", "Zwroty szt",
     "Returer st", "İade adet", "Возвраты шт", "退货（件）", "返品数", "반품수량"],
)  # fmt: skip
@pytest.mark.parametrize("units", ["Menge", "Verkauf Stk"])
def test_a_word_for_a_return_beside_one_for_a_unit_counts_what_came_back(
    tmp_path: Path, column: str, units: str
) -> None:
    row = "{n},2026-03-{d},KT-1|KT-2,5|4|3,0|0|0|1,10"
    reading = read(tmp_path, f"Order,Date,SKU,{units},{column},Price", row)
    assert (reading.column("units"), reading.column("returned_units")) == (units, column)
    assert (reading.returned, keys(reading)) == (7, [])


# --- states of parcels ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "state",
    ["Lost in transit", "Rejected by buyer", "Delivery failed", "Delivered - damaged", "Exchanged", "派送失败",
     "运输中丢失", "换货成功", "Annahme verweigert",
     "Nicht zustellbar", "Échec de livraison", "No entregado", "RTO In Transit"],
)  # fmt: skip
def test_a_parcel_whose_end_is_not_told_is_asked_about(tmp_path: Path, state: str) -> None:
    row = f"{{n}},2026-03-{{d}},KT-1|KT-2,5,Delivered|Delivered|Delivered|{state}"
    reading = read(tmp_path, "Order,Date,SKU,Qty,Order status", row)
    assert len(reading.questions) == 1
    assert all("35 units" in option.says.text("en") for option in reading.questions[0].options)


@pytest.mark.parametrize("state", ["RTO Delivered", "RTO - Delivered", "Returned to origin", "Returned to sender"])
def test_a_parcel_that_came_back_to_its_origin_is_returned(tmp_path: Path, state: str) -> None:
    row = f"{{n}},2026-03-{{d}},KT-1|KT-2,5,Delivered|Delivered|Delivered|{state}"
    reading = read(tmp_path, "Order,Date,SKU,Qty,Order status", row)
    assert (reading.sold, reading.returned, keys(reading)) == (140, 35, [])


# --- commas and points before three digits in one column --------------------------------------------------------------


@pytest.mark.parametrize("price", ["24.90", '"24,90"', "25"])
@pytest.mark.parametrize("plain", ["414", '"2,459"', "1459"])
def test_a_column_with_commas_and_points_before_three_digits_is_asked_about(
    tmp_path: Path, price: str, plain: str
) -> None:
    cells = ['"1,250"', "1.250", plain, plain]
    rows = [f"2026-03-{d:02},{500 + d},KT-1,{cells[d % 4]},{price}" for d in DAYS]
    path = tmp_path / "export.csv"
    path.write_text("\n".join(["Date,Order,SKU,Qty,Price", *rows]) + "\n", encoding="utf-8")
    assert keys(read_export(path)) == ["mixed_signs:Qty"]
    number = float(plain.strip('"').replace(",", ""))
    point = 7 * (1250 + 1.25) + 14 * number
    comma = point if "," not in plain else 7 * (1250 + 1.25) + 14 * number / 1000
    found = {
        name: round(read_export(path, {"mixed_signs:Qty": name}).sold, 2)
        for name in ("grouped", "decimal_point", "decimal_comma")
    }
    assert found == {"grouped": 14 * (1250 + number), "decimal_point": point, "decimal_comma": round(comma, 2)}


# --- factors in headers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "factor"),
    [("Menge in Tsd.", 1000), ("Menge (in Tsd. Stück)", 1000), ("Units in 000s", 1000), ("Units (thousands)", 1000),
     ("Qty in thousands", 1000), ("Quantity in thousand units", 1000), ("Cantidad en miles", 1000),
     ("Quantité en milliers", 1000), ("数量（千件）", 1000), ("数量（万）", 10_000), ("Menge in Mio.", 1_000_000),
     ("Menge in Stk", 1), ("Qty in kg", 1)],
)  # fmt: skip
def test_a_factor_in_a_header_holds_for_its_numbers(tmp_path: Path, column: str, factor: int) -> None:
    reading = read(tmp_path, f"Date,SKU,{column}", "2026-03-{d},KT-1|KT-2,2.5", units=column)
    assert reading.sold == 70 * factor
    assert (f"its numbers are of {factor:,}" in notes(reading)) == (factor > 1)


# --- a column for each month, of money --------------------------------------------------------------------------------


def pivot(folder: Path, over: str, header: str, month: str, name: str = "export.csv", **answers: str) -> Reading:
    """Two products by months. over: what stands above the table, '' for nothing; month: a header, {m} its number."""
    names = [month.format(m=m) for m in range(1, 8)]
    rows = [",".join([product, *(str(100 * m + i) for m in range(7))]) for i, product in enumerate(("KT-1", "KT-2"))]
    path = folder / name
    path.write_text("\n".join([*([over] if over else []), ",".join([header, *names]), *rows]) + "\n", encoding="utf-8")
    return read_export(path, answers)


@pytest.mark.parametrize(
    ("over", "header", "month", "name"),
    [
        ("Umsatz in EUR,,,", "Artikel", "{m:02}/2026", "export.csv"),
        ("销售额（元）", "商品编码", "2026-{m:02}", "export.csv"),
        ("", "Product", "Revenue 2026-{m:02}", "export.csv"),
        ("", "Product", "2026-{m:02} Net sales", "export.csv"),
        ("", "Product / EUR", "2026-{m:02}", "export.csv"),
        ("", "Product", "2026-{m:02}", "Turnover by month.csv"),
    ],
)
def test_months_of_money_are_no_units_without_a_word(
    tmp_path: Path, over: str, header: str, month: str, name: str
) -> None:
    reading = pivot(tmp_path, over, header, month, name)
    assert keys(reading) == ["money_units"]
    assert "  " not in reading.questions[0].asks.text("en") and ' "' not in reading.questions[0].asks.text("en")
    assert "4,207" in reading.questions[0].options[0].says.text("en")
    assert pivot(tmp_path, over, header, month, name, money_units="units").sold == 4207


@pytest.mark.parametrize(
    ("over", "header", "month"),
    [
        ("Absatz (Umsatz siehe Blatt 2)", "Artikel", "{m:02}/2026"),
        ("销量", "商品编码", "2026-{m:02}"),
        ("", "Product", "Units 2026-{m:02}"),
        ("Sales", "Product", "2026-{m:02}"),
    ],
)
def test_months_of_units_are_units(tmp_path: Path, over: str, header: str, month: str) -> None:
    reading = pivot(tmp_path, over, header, month)
    assert (reading.sold, keys(reading)) == (4207, [])


# --- money of a row ---------------------------------------------------------------------------------------------------


def prices(reading: Reading) -> set[float]:
    sales = reading.part("sales")
    assert sales is not None
    return {round(price, 2) for price in sales["price"].to_pylist()}


@pytest.mark.parametrize(
    "goods", ["product sales", "Item subtotal", "Items total", "Item total", "Line subtotal", "商品小计"]
)
@pytest.mark.parametrize("total", ["total", "Total", "Total amount"])
def test_the_money_of_the_goods_goes_before_a_total_with_fees(tmp_path: Path, goods: str, total: str) -> None:
    header = f"Order,Date,SKU,Quantity,{goods},Shipping,Fees,{total}"
    reading = read(tmp_path, header, "{n},2026-03-{d},KT-1|KT-2,2|3,20.00|30.00,4.00,-3.10,20.90|30.90")
    assert (reading.column("amount"), prices(reading)) == (goods, {10.0})


def test_a_number_of_records_is_no_money(tmp_path: Path) -> None:
    header = "Sales Record Number,Order Number,Sale Date,Custom Label,Quantity,Sold For"
    reading = read(tmp_path, header, "17{n},17-{n},2026-03-{d},KT-1|KT-2,2|3,$24.90")
    assert (reading.column("amount"), reading.column("price"), prices(reading)) == (None, "Sold For", {24.9})


@pytest.mark.parametrize("column", ["PE", "Preiseinheit", "Price unit", "Per", "价格单位"])
def test_a_price_of_a_hundred_units_is_divided_by_them(tmp_path: Path, column: str) -> None:
    header = f"Order,Date,SKU,Quantity,Price,{column}"
    reading = read(tmp_path, header, "{n},2026-03-{d},KT-1|KT-2,501|129,795.00|24.90,100|1")
    assert prices(reading) == {7.95, 24.9}
    assert column in notes(reading)
    kept = read(tmp_path, header, "{n},2026-03-{d},KT-1|KT-2,501|129,795.00|24.90,pcs", name="other.csv")
    assert prices(kept) == {795.0, 24.9}


# --- what is said -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("people", [False, True])
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("14771.92", "14771.92"), ("-114771,92", "-114771,92"), ("1,234,567.89", "1,234,567.89"),
        ("€ 14771.92", "€ 14771.92"), ("02.03.2026 - 08.03.2026", "02.03.2026 - 08.03.2026"),
        ("02.03.-08.03.2026", "02.03.-08.03.2026"), ("13800138000", "[phone]"), ("0301234567", "[phone]"),
        ("138.0013.8000", "[phone]"), ("01511234567.5", "[phone]"),
    ],
)  # fmt: skip
def test_amounts_and_dates_are_no_telephone_numbers(text: str, shown: str, people: bool) -> None:
    assert quoted([text], people) == (shown,)


def test_a_question_without_a_column_names_none(tmp_path: Path) -> None:
    reading = read(tmp_path, "Date,SKU,Qty", "2026-03-{d},KT-1|KT-2,2", name="purchases.csv")
    lines = [line for question in reading.questions for line in question.lines("en")]
    assert any(line.startswith("? file:") for line in lines)
    assert not any("(column: " in line for line in lines if line.startswith("? file:"))


def test_what_is_not_void_is_sold(tmp_path: Path) -> None:
    reading = read(
        tmp_path, "日期,单号,商品编码,数量,作废状态", "2026-03-{d},{n},KT-1|KT-2,2,未作废|未作废|未作废|作废"
    )
    assert (reading.sold, keys(reading)) == (42, [])


def book_with_errors(path: Path, column: int, rows: tuple[int, ...], value: str = "#N/A") -> Reading:
    """An export of 28 rows with an error in a cell of some of them. column: of Date, SKU, Qty, Name of the group."""
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["Date", "SKU", "Qty", "Category"])
        for d in DAYS:
            sheet.write_row(d, 0, [f"2026-03-{d:02}", f"KT-{d % 3}", 2, "Kitchen"])
        for row in rows:
            sheet.write_formula(row, column, "=NA()", None, value)
    return read_export(path)


@pytest.mark.parametrize("column", [0, 1, 2])
@pytest.mark.parametrize("value", ["#N/A", "#REF!", ""])
def test_errors_where_something_is_needed_are_asked_about(tmp_path: Path, column: int, value: str) -> None:
    reading = book_with_errors(tmp_path / "export.xlsx", column, (5, 9, 11), value)
    assert (reading.sold, keys(reading)) == (50, ["error_cells"])
    said = "Left out: 3 rows with an error in a cell (such as #N/A), or a formula without its value"
    assert said in reading.last_line("en")


def test_an_error_in_a_column_that_nothing_needs_loses_no_row(tmp_path: Path) -> None:
    reading = book_with_errors(tmp_path / "export.xlsx", 3, (5, 9, 11))
    assert (reading.sold, keys(reading)) == (56, [])
    assert "3 cells with an error" in notes(reading) and "Category" in notes(reading)


def test_errors_of_a_spreadsheet_in_a_text_file_are_the_same(tmp_path: Path) -> None:
    reading = read(tmp_path, "Date,SKU,Qty", "2026-03-{d},KT-1|KT-2|KT-3|#N/A,2")
    assert (reading.sold, keys(reading)) == (42, ["error_cells"])


def test_a_quantity_of_formulas_without_values_is_no_unit_a_row(tmp_path: Path) -> None:
    reading = book_with_errors(tmp_path / "export.xlsx", 2, tuple(DAYS), "")
    assert reading.missing == ("units",)
    assert [finding.column for finding in reading.findings] == ["Qty"]


# --- returns of money without a quantity ------------------------------------------------------------------------------


def test_returns_without_a_quantity_count_by_the_price_of_the_goods(tmp_path: Path) -> None:
    rows = [f"2026-03-{d:02},{500 + d},KT-{d % 2},{1 + d % 3},{(10 + d % 2) * (1 + d % 3):.2f},Order" for d in DAYS]
    back = ["2026-03-28,505,KT-1,,-33.00,Refund", "2026-03-28,499,KT-0,,-20.00,Refund"]
    path = tmp_path / "export.csv"
    path.write_text("\n".join(["Date,Order,SKU,Qty,Amount,Transaction type", *rows, *back]) + "\n", encoding="utf-8")
    reading = read_export(path)
    assert (reading.sold, reading.returned, keys(reading)) == (56, 5, [])
    assert "2 returns give money back without a quantity: 5 units" in notes(reading)
    with path.open("a", encoding="utf-8") as more:
        more.write("2026-03-28,498,KT-0,,-7.31,Refund\n")
    assert keys(read_export(path)) == ["returns_without_units"]
    found = {n: read_export(path, {"returns_without_units": n}).returned for n in ("one_each", "none")}
    assert found == {"one_each": 6, "none": 5}


@pytest.mark.parametrize("amounts", ["30|40|50|40", "30|40|50|50"])
def test_amounts_that_are_net_of_returns_are_of_what_stayed(tmp_path: Path, amounts: str) -> None:
    """In every fourth row one of five came back: its amount is of four, or of all five."""
    header = "Date,SKU,Gross units,Returned units,Net sales"
    reading = read(tmp_path, header, f"2026-03-{{d}},KT-1,3|4|5|5,0|0|0|1,{amounts}")
    assert (prices(reading), reading.returned, keys(reading)) == ({10.0}, 7, [])


def test_errors_in_numbers_of_orders_join_no_rows(tmp_path: Path) -> None:
    row = "2026-03-{d},#N/A|X1|X2|X3,KT-1|KT-2,2,12.5"
    reading = read(tmp_path, "Date,Order,SKU,Qty,Price", row)
    assert (reading.sold, [key for key in keys(reading) if key == "repeated"]) == (56, [])
