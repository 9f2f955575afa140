"""Small exports of each shape and meaning, with what is sold and what came back, or what has to be asked."""

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
import xlsxwriter

from datong.connectors.exports.reading import Reading, read_export

KITS = ("A1", "B2", "C3")
DAYS = range(1, 29)


def lines(header: str, row: str, **cycles: list[str]) -> str:
    """A header and 28 rows; {d} is the day, other names go round their values."""
    rows = (row.format(d=d, **{name: values[d % len(values)] for name, values in cycles.items()}) for d in DAYS)
    return "\n".join([header, *rows]) + "\n"


def beside(header: str, *values: str) -> str:
    """28 rows of 5 units, with one more column whose values go round."""
    return lines(f"Date,SKU,Qty,{header}", "2024-01-{d:02},A1,5,{v}", v=list(values))


def read(folder: Path, text: str, ending: str = ".csv", encoding: str = "utf-8", **answers: str) -> Reading:
    path = folder / f"export{ending}"
    path.write_bytes(text.encode(encoding))
    return read_export(path, answers)


PLAIN = lines("Date,SKU,Qty", "2024-01-{d:02},{p},{d}", p=list(KITS))
SUBTOTALS = "".join(f"2024-01-{d:02},A1,{d}\n2024-01-{d:02},B2,2\n2024-01-{d:02},Subtotal,{d + 2}\n" for d in DAYS)
DAY_TOTALS = "".join(f"2024-01-{d:02},A1,{d}\n2024-01-{d:02},B2,2\n2024-01-{d:02} Total,,{d + 2}\n" for d in DAYS)
BY_PRODUCT = "".join(
    "".join(f"{p if d == 1 else ''},2024-01-{d:02},{d % 4 + 1}\n" for d in range(1, 15)) + f"{p} 小计,,35\n"
    for p in KITS
)

RIGHT: dict[str, tuple[str, float, float]] = {
    "a total at the bottom": (PLAIN + "Total,,406\n", 406, 0),
    "a total with words": (PLAIN + "Total (28 rows),,406\n", 406, 0),
    "a total without a name": (PLAIN + ",,406\n", 406, 0),
    "a total on top": (PLAIN.replace("Qty\n", "Qty\nTotal,,406\n"), 406, 0),
    "a total and an average": (PLAIN + "Total,,406\nAverage,,14.5\n", 406, 0),
    "subtotals of days": ("Date,SKU,Qty\n" + SUBTOTALS + ",Total,462\n", 462, 0),
    "totals in the dates": ("Date,SKU,Qty\n" + DAY_TOTALS + "Grand Total,,462\n", 462, 0),
    "a product on the first row of its group, and subtotals": ("货号,日期,数量\n" + BY_PRODUCT + "总计,,105\n", 105, 0),
    "a product that is called total": (
        lines("Date,SKU,Item,Qty", "2024-01-{d:02},A1,Colgate Total,{d}\n2024-01-{d:02},B2,Soap,2"),
        462,
        0,
    ),
    "notes below": (PLAIN + "\nMade by the shop on 1 March\n* without tax,,\n", 406, 0),
    "titles above": ("Sales report,,\nShop:,Main\n\n" + PLAIN, 406, 0),
    "a hint for the separator": ("sep=;\n" + PLAIN.replace(",", ";"), 406, 0),
    "the header again": (PLAIN + PLAIN, 812, 0),
    "blank rows": (PLAIN.replace("\n2024-01-1", "\n,,\n2024-01-1"), 406, 0),
    "an index without a name": (lines(",date,sku,qty", "{d},2024-01-{d:02},A1,{d}"), 406, 0),
    "a year and a month in columns": (lines("Year,Month,SKU,Qty", "2024,{m},A1,{d}", m=["Jan", "Feb", "Mar"]), 406, 0),
    "a year of two digits in front": (lines("Date,SKU,Qty", "24/01/{d:02},A1,{d}"), 406, 0),
    "six digits under week": (lines("Week,SKU,Qty", "2024{d:02},A1,{d}"), 406, 0),
    "another date decides": (
        "Order date,Ship date,SKU,Qty\n" + "".join(f"{d:02}/02/2024,{d + 13}/02/2024,A1,{d}\n" for d in range(1, 13)),
        78,
        0,
    ),
    "lakhs": (lines("Date,SKU,Qty,Amount", '2024-01-{d:02},A1,{d},"1,23,{d:03}.00"'), 406, 0),
    "apostrophes": (lines("Datum;Artikel;Menge;Betrag", "{d:02}.01.2024;A1;{d};1'234.50"), 406, 0),
    "thousands of a German file": (lines("Datum;Artikel;Menge;Preis", "{d:02}.01.2024;A1;1.250;12,50 €"), 35000, 0),
    "flags": (beside("Cancelled", "No", "Yes"), 70, 0),
    "a state in a remark": (lines("日期,商品编码,数量,备注", "2024-01-{d:02},A1,5,{s}", s=["", "已取消"]), 70, 0),
    "a refund's state beside the order's": (
        lines(
            "下单时间,商品编码,数量,订单状态,退款状态",
            "2024-01-{d:02},A1,5,{s},{r}",
            s=["已发货", "待发货"],
            r=["退款成功", "退款成功", "无售后", ""],
        ),
        105,
        35,
    ),
    "returned units": (lines("Date,SKU,Sold Qty,Return Qty", "2024-01-{d:02},A1,5,{r}", r=["0", "-1"]), 140, 14),
    "returns by sign and by kind": (
        lines("Date,Type,SKU,Qty", "2024-01-{d:02},{k},A1,{q}", k=["Sale", "Return"], q=["5", "-5"]),
        70,
        70,
    ),
    "a line that is not yet shipped of an order that is paid": (
        lines(
            "Date,SKU,Qty,Financial Status,Lineitem fulfillment status",
            "2024-01-{d:02},A1,5,paid,{s}",
            s=["pending", ""],
        ),
        140,
        0,
    ),
    "states of the country": (beside("State", "CA", "TX", "NY"), 140, 0),
    "parts of wide tables": (
        "Category,SKU,2024-01,2024-02,2024-03\nFood,A1,1,2,3\n,B2,1,2,3\nFood Total,,2,4,6\nDrink,C3,1,1,1\n"
        "Drink Total,,1,1,1\nGrand Total,,3,5,7\n",
        15,
        0,
    ),
    "quarters in wide tables": ("SKU,2024-01,2024-02,2024-03,Q1,2024-04\nA1,1,2,3,6,1\nB2,1,2,3,6,1\n", 14, 0),
    "decimal commas in wide tables": ("Artikel;Okt 24;Nov 24;Dez 24\nA1;1,5;2,25;3,5\nB2;1,5;2,25;3,5\n", 14.5, 0),
}


@pytest.mark.parametrize("name", RIGHT)
def test_read_rightly(name: str, tmp_path: Path) -> None:
    text, sold, returned = RIGHT[name]
    reading = read(tmp_path, text)
    assert [q.key for q in reading.questions] == []
    assert (reading.sold, reading.returned) == (sold, returned)


@pytest.mark.parametrize("encoding", ["big5", "utf-16", "utf-16-le", "gb18030", "utf-8-sig"])
def test_encodings(encoding: str, tmp_path: Path) -> None:
    reading = read(tmp_path, lines("訂單日期,商品編號,數量", "2024年1月{d}日,A1,{d}"), ".txt", encoding)
    assert reading.sold == 406 and reading.questions == ()


@pytest.mark.parametrize(("encoding", "month"), [("cp1252", "März"), ("cp1250", "września")])
def test_encodings_of_one_byte(encoding: str, month: str, tmp_path: Path) -> None:
    header = "Data;Produkt;Ilość" if encoding == "cp1250" else "Datum;Artikel;Stückzahl"
    reading = read(tmp_path, lines(header, f"{{d}}. {month} 2024;A1;{{d}}"), encoding=encoding)
    assert reading.sold == 406 and "encoding" in {n.key.removeprefix("export.") for n in reading.notes}


ASKED: dict[str, tuple[str, dict[str, tuple[float, float]]]] = {
    "cancelled_units": (
        beside("Cancelled qty", "0", "2"),
        {"not_sold": (112, 0), "sold": (140, 0)},
    ),
    "shipped_units": (
        lines("Date,SKU,Qty ordered,Qty shipped", "2024-01-{d:02},A1,5,{c}", c=["5", "4"]),
        {"ordered": (140, 0), "shipped": (126, 0)},
    ),
    "refunded": (
        beside("Status", "paid", "refunded"),
        {"returned": (140, 70), "not_sold": (70, 0), "sold": (140, 0)},
    ),
    "partly_refunded": (
        beside("Status", "paid", "partially_refunded"),
        {"sold": (140, 0), "returned": (140, 70)},
    ),
    "pending": (
        beside("Status", "paid", "Pending"),
        {"sold": (140, 0), "not_sold": (70, 0)},
    ),
    "returning": (
        beside("Status", "已发货", "已发货，退款中"),
        {"sold": (140, 0), "returned": (140, 70)},
    ),
    "cancelled_shipped": (
        beside("Status", "shipped", "shipped / cancelled"),
        {"not_sold": (70, 0), "returned": (140, 70)},
    ),
    "refund_money": (beside("Refunded Amount", "0.00", "12.50"), {"returned": (140, 70), "sold": (140, 0)}),
    "state:Limbo": (
        beside("Status", "paid", "Limbo"),
        {"sold": (140, 0), "not_sold": (70, 0)},
    ),
    "state:not paid": (
        beside("Status", "paid", "not paid"),
        {"sold": (140, 0), "not_sold": (70, 0)},
    ),
    "kind:Swap": (
        lines("Date,Type,SKU,Qty", "2024-01-{d:02},{k},A1,5", k=["Sale", "Refund", "Sale", "Swap"]),
        {"sold": (105, 35), "return": (70, 70), "not_sold": (70, 35)},
    ),
    "decimal": (
        lines("Datum;Artikel;Menge", "{d:02}.01.2024;A1;1.{d:02}1"),
        {"decimal_comma": (32088, 0), "decimal_point": (32.088, 0)},
    ),
    "mixed_units": (lines("日期,商品编码,数量", "2024-01-{d:02},A1,{d}{u}", u=["件", "箱"]), {"as_one": (406, 0)}),
    "units_column": (lines("Date,SKU,Qty,Qty", "2024-01-{d:02},A1,{d},5"), {"Qty": (406, 0), "Qty (2)": (140, 0)}),
    "money_units": ("SKU,Jan-24,Feb-24,Mar-24\nA1,$1,$2,$3\n", {"units": (6, 0)}),
    "extra_cells": (
        lines("Date,SKU,Qty,Price", "2024-01-{d:02},A1,{d},{d},50"),
        {"leave_out": (0, 0), "as_it_stands": (406, 0)},
    ),
    "negative_amount": (
        beside("Amount", "10", "-10"),
        {"return": (70, 70), "sold": (140, 0), "not_sold": (70, 0)},
    ),
    "gaps:SKU": (
        lines("Date,SKU,Qty", "2024-01-{d:02},{p},5", p=["A1", "B2", "C3", ""]),
        {"leave_out": (105, 0), "take_above": (140, 0)},
    ),
    "totals": (
        "SKU,2024-01,2024-02,2024-03\nA1,1,2,3\nB2,1,2,3\nTotal,9,9,9\n",
        {"leave": (12, 0), "keep": (39, 0)},
    ),
    "unread_date": (PLAIN + "soon,A1,100\n", {"leave_out": (406, 0)}),
}


@pytest.mark.parametrize("key", ASKED)
def test_asked_about(key: str, tmp_path: Path) -> None:
    """A doubt is one question; each of its readings gives what it says, and an answer leaves nothing open."""
    text, readings = ASKED[key]
    asked = read(tmp_path, text)
    assert [q.key for q in asked.questions] == [key]
    (question,) = asked.questions
    assert set(readings) <= {o.name for o in question.options}
    assert all(line for language in ("en", "zh") for line in question.lines(language))
    for name, (sold, returned) in readings.items():
        answered = read_export(tmp_path / "export.csv", {key: name})
        assert answered.questions == () and answered.used == {key: name}
        assert (answered.sold, answered.returned) == (pytest.approx(sold), returned)


def test_a_state_on_the_first_line_of_an_order_only(tmp_path: Path) -> None:
    rows, sold = [], 0
    for order in range(40):
        state = ["已付款", "已关闭", "已付款", "待付款"][order % 4]
        for line in range(order % 3 + 1):
            first = line == 0
            rows.append(
                f"{1000 + order if first else ''},{f'2024-01-{order // 2 + 1:02}' if first else ''},"
                f"{state if first else ''},{KITS[line]},{line + 2}"
            )
            sold += line + 2 if state == "已付款" else 0
    reading = read(tmp_path, "订单编号,下单时间,订单状态,商品编码,数量\n" + "\n".join(rows))
    assert reading.sold == sold and reading.questions == ()
    assert sum(left.rows for left in reading.left) + len(reading.part("sales") or []) == len(rows)


# --- workbooks ---------------------------------------------------------------------------------------------------


def book(folder: Path) -> tuple[Path, xlsxwriter.Workbook]:
    path = folder / "export.xlsx"
    return path, xlsxwriter.Workbook(path)


@pytest.mark.parametrize(
    ("total", "sold", "asked"), [("2,191", 2191.0, []), ("988,204", 988.204, []), ("9", None, ["decimal"])]
)
def test_a_column_of_sums_tells_what_a_comma_means(
    tmp_path: Path, total: str, sold: float | None, asked: list[str]
) -> None:
    text = f'SKU,2024-01,2024-02,2024-03,合计\nA,"1,204",987,,"{total}"\n'
    reading = read(tmp_path, text)
    assert [question.key for question in reading.questions] == asked
    assert sold is None or reading.sold == pytest.approx(sold)


@pytest.mark.parametrize("over", [5, 8, 9])
def test_a_title_that_is_merged_over_some_columns_is_in_none_of_their_names(tmp_path: Path, over: int) -> None:
    names = ["Order", "Date", "SKU", "Item", "Quantity", "Price", "Amount", "Country", "Note"]
    path, workbook = book(tmp_path)
    with workbook:
        sheet = workbook.add_worksheet()
        sheet.merge_range(0, 0, 0, over - 1, "Sales of Miller & Sons")
        sheet.write_row(1, 0, names)
        for n in range(30):
            cup, day = n % 3, f"2024-01-{n % 28 + 1:02}"
            sheet.write_row(2 + n, 0, [f"A{n}", day, f"K{cup}", f"Cup {cup}", 2, 5, 10, "UK", ""])
    reading = read_export(path)
    assert set(reading.names) <= set(names) and "Order" in reading.names
    told = [note.text("en") for note in reading.notes]
    assert [t for t in told if "named in row 2" in t] and not [t for t in told if "two rows" in t]


def test_a_header_of_two_rows_with_merged_cells(tmp_path: Path) -> None:
    path, workbook = book(tmp_path)
    with workbook:
        sheet, day = workbook.add_worksheet(), workbook.add_format({"num_format": "yyyy-mm-dd"})
        sheet.merge_range(0, 0, 0, 6, "Sales of the year")
        for column, name in ((0, "Date"), (1, "SKU")):
            sheet.merge_range(1, column, 2, column, name)
        sheet.merge_range(1, 2, 1, 4, "Quantity")
        sheet.merge_range(1, 5, 1, 6, "Amount")
        for i, name in enumerate(["ordered", "returned", "cancelled", "net", "tax"]):
            sheet.write(2, 2 + i, name)
        for i in range(30):
            sheet.write_datetime(3 + i, 0, datetime.fromisoformat("2024-01-01") + timedelta(days=i), day)
            for column, value in enumerate([KITS[i % 3], 5, int(i % 5 == 0), 0, 50, 5], start=1):
                sheet.write(3 + i, column, value)
    reading = read_export(path)
    assert (reading.sold, reading.returned, reading.questions) == (150, 6, ())
    assert reading.column("units") == "Quantity ordered"


def test_two_measures_for_each_month(tmp_path: Path) -> None:
    path, workbook = book(tmp_path)
    with workbook:
        sheet = workbook.add_worksheet()
        sheet.write(1, 0, "SKU")
        for k in range(4):
            sheet.merge_range(0, 1 + 2 * k, 0, 2 + 2 * k, f"2024-0{k + 1}")
            sheet.write_row(1, 1 + 2 * k, ["Qty", "Amount"])
            for j, code in enumerate(KITS):
                sheet.write(2 + j, 0, code)
                sheet.write_row(2 + j, 1 + 2 * k, [k + 1, (k + 1) * 9.5])
    assert read_export(path).sold == 30


@pytest.mark.parametrize("months", [["2024-01", "2024-02", "2024-03"], ["Jan 2024", "Feb 2024", "Mar 2024"]])
def test_a_sheet_for_each_month(tmp_path: Path, months: list[str]) -> None:
    path, workbook = book(tmp_path)
    with workbook:
        for number, month in enumerate(months, start=1):
            sheet = workbook.add_worksheet(month)
            sheet.write_row(0, 0, ["SKU", "Qty"])
            for i, code in enumerate(KITS, start=1):
                sheet.write_row(i, 0, [code, number])
        summary = workbook.add_worksheet("Summary")
        summary.write_row(0, 0, ["SKU", "Total"])
        summary.write_row(1, 0, ["A1", 6])
    reading = read_export(path)
    assert reading.sold == 18 and reading.questions == ()
    assert {"sheets", "sheet_not_read"} <= {note.key.removeprefix("export.") for note in reading.notes}
    sales = reading.part("sales")
    assert sales is not None and {day.replace(day=1) for day in sales["happened_at"].to_pylist()} == {
        date(2024, m, 1) for m in (1, 2, 3)
    }


def test_months_without_a_year_take_it_from_the_sheet(tmp_path: Path) -> None:
    path, workbook = book(tmp_path)
    with workbook:
        for year in (2023, 2024):
            sheet = workbook.add_worksheet(str(year))
            sheet.write_row(0, 0, ["SKU", "Jan", "Feb", "Mar", "Total"])
            for i, code in enumerate(KITS, start=1):
                sheet.write_row(i, 0, [code, 1, 2, 3, 6])
    reading = read_export(path)
    sales = reading.part("sales")
    assert reading.sold == 36 and sales is not None
    assert {day.year for day in sales["happened_at"].to_pylist()} == {2023, 2024}


def test_other_sales_on_another_sheet_are_asked_about(tmp_path: Path) -> None:
    path, workbook = book(tmp_path)
    with workbook:
        for name, header in (("Web", ["Date", "SKU", "Qty"]), ("Shop", ["Day", "Code", "SKU", "Pieces"])):
            sheet = workbook.add_worksheet(name)
            sheet.write_row(0, 0, header)
            for i in range(9):
                sheet.write_row(1 + i, 0, [f"2024-01-{i + 1:02}", *KITS[: len(header) - 2], 5])
    assert [q.key for q in read_export(path).questions] == ["sheet:Shop"]


@pytest.mark.parametrize("american", [True, False])
def test_dates_that_a_spreadsheet_has_half_changed_over(tmp_path: Path, american: bool) -> None:
    path, workbook = book(tmp_path)
    first = date(2024, 1, 1)
    with workbook:
        sheet, typed = workbook.add_worksheet(), workbook.add_format({"num_format": "dd/mm/yyyy"})
        sheet.write_row(0, 0, ["Date", "SKU", "Qty"])
        for i in range(90):
            day = first + timedelta(days=i)
            if day.day <= 12:
                sheet.write_datetime(1 + i, 0, datetime(day.year, day.day, day.month), typed)  # noqa: DTZ001
            else:
                sheet.write(1 + i, 0, f"{day:%m/%d/%Y}" if american else f"{day:%d/%m/%Y}")
            sheet.write_row(1 + i, 1, ["A1", 2])
    reading = read_export(path)
    sales = reading.part("sales")
    assert [f.code for f in reading.findings] == ["swapped"] and sales is not None
    assert sales["happened_at"].to_pylist() == [first + timedelta(days=i) for i in range(90)]


def test_codes_of_numbers_gain_nothing(tmp_path: Path) -> None:
    path, workbook = book(tmp_path)
    with workbook:
        sheet, zeros = workbook.add_worksheet(), workbook.add_format({"num_format": "00000"})
        sheet.write_row(0, 0, ["Date", "SKU", "Qty"])
        for i in range(9):
            sheet.write_row(1 + i, 0, [f"2024-01-{i + 1:02}", 1000 + i % 2, 2])
            if i % 3 == 0:
                sheet.write_number(1 + i, 1, 7, zeros)
    products = read_export(path).part("products")
    assert products is not None and sorted(products["product"].to_pylist()) == ["00007", "1000", "1001"]


@pytest.mark.parametrize("title", ["Sales", "Sales of the shop", "销售"])
@pytest.mark.parametrize("column", [0, 1])
def test_a_name_merged_over_two_rows_of_a_header_is_that_of_its_column(tmp_path: Path, title: str, column: int) -> None:
    """Beside a title over the other columns; the cells of weeks are merged down, too."""
    path = tmp_path / "sales.xlsx"
    names = ["SKU", "Qty", "Value"]
    names.insert(column, "Week")
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(1, 0, names)
        sheet.merge_range(0, column, 1, column, "Week")
        others = [c for c in range(4) if c > column]
        sheet.merge_range(0, others[0], 0, others[-1], title)
        for week in range(8):
            first = 2 + 3 * week
            for row, code in enumerate("ABC", start=first):
                cells: list[object] = [code, row, 2 * row]
                cells.insert(column, "")
                sheet.write_row(row, 0, cells)
            sheet.merge_range(first, column, first + 2, column, f"2026-0{1 + week // 4}-{1 + 7 * (week % 4):02}")
    reading = read_export(path)
    assert not reading.questions and not reading.findings
    assert reading.column("date") == "Week" and reading.sold == sum(range(2, 26))


WEEKS_OF_MONTHS = [
    ("March 2026", "KW {week}"), ("März 2026", "KW {week}"), ("2026年3月", "第{week}周"), ("Mar 2026", "W{week}"),
]  # fmt: skip


@pytest.mark.parametrize(("month", "week"), WEEKS_OF_MONTHS)
def test_weeks_under_merged_months_are_weeks(tmp_path: Path, month: str, week: str) -> None:
    later = {"March 2026": "April 2026", "März 2026": "April 2026", "2026年3月": "2026年4月", "Mar 2026": "Apr 2026"}
    with xlsxwriter.Workbook(tmp_path / "export.xlsx") as book:
        sheet = book.add_worksheet()
        sheet.write_row(1, 0, ["SKU", "Name", *(week.format(week=n) for n in range(10, 19))])
        sheet.merge_range(0, 2, 0, 6, month)
        sheet.merge_range(0, 7, 0, 10, later[month])
        for row, product in enumerate(("A1", "B2", "C3")):
            sheet.write_row(2 + row, 0, [product, f"Pot {product}", *(10 * row + n for n in range(9))])
    reading = read_export(tmp_path / "export.xlsx")
    sales = reading.part("sales")
    assert (reading.sold, reading.questions) == (3 * 36 + 9 * 30, ()) and sales is not None
    days = {str(day)[:10] for day in sales["happened_at"].to_pylist()}
    assert min(days) >= "2026-03-02" and max(days) <= "2026-05-03"


def test_days_under_merged_months_are_days(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "export.xlsx") as book:
        sheet = book.add_worksheet()
        sheet.write_row(1, 0, ["SKU", "Name", *range(1, 15)])
        sheet.merge_range(0, 2, 0, 15, "May 2026")
        for row, product in enumerate(("A1", "B2")):
            sheet.write_row(2 + row, 0, [product, f"Pot {product}", *range(14)])
    assert read_export(tmp_path / "export.xlsx").sold == 2 * 91


TITLES = [
    ("Sales May 2026", "S", "{n}"), ("2026年5月 销售日报表", "S", "{n}日"), ("Shop", "May 2026", "{n:02}"),
    ("x 2026", "5月", "{n}"),
]  # fmt: skip


@pytest.mark.parametrize(("title", "name", "day"), TITLES)
def test_numbers_of_days_as_columns_are_days_of_the_month_that_the_file_names(
    tmp_path: Path, title: str, name: str, day: str
) -> None:
    with xlsxwriter.Workbook(tmp_path / "export.xlsx") as book:
        sheet = book.add_worksheet(name)
        sheet.write(0, 0, title)
        for row, product in enumerate(("SKU", "A1", "B2")):
            cells = [day.format(n=n) for n in range(1, 32)] if product == "SKU" else list(range(31))
            sheet.write_row(1 + row, 0, [product, *cells, "Total" if product == "SKU" else 465])
    reading = read_export(tmp_path / "export.xlsx")
    sales = reading.part("sales")
    assert (reading.sold, reading.questions) == (2 * 465, ()) and sales is not None
    assert {str(day)[:10] for day in sales["happened_at"].to_pylist()} == {f"2026-05-{n:02}" for n in range(2, 32)}


def sheets_of(path: Path, sheets: dict[str, list[list[object]]]) -> Path:
    with xlsxwriter.Workbook(path) as made:
        for name, rows in sheets.items():
            sheet = made.add_worksheet(name)
            for row, cells in enumerate(rows):
                sheet.write_row(row, 0, cells)
    return path


@pytest.mark.parametrize("head", ["Day", "Tag", "日"])
def test_numbers_of_days_are_of_the_month_that_their_sheet_names(tmp_path: Path, head: str) -> None:
    rows = {m: [[head, "SKU", "Qty"], *([d, KITS[d % 3], 2] for d in DAYS)] for m in ("March 2026", "April 2026")}
    few: list[list[object]] = [[head, "SKU", "Qty"], [1, "A1", 2], ["Total", "", 2]]
    reading = read_export(sheets_of(tmp_path / "export.xlsx", {**rows, "May 2026": few}))
    sales = reading.part("sales")
    assert (reading.sold, reading.questions) == (114, ()) and sales is not None
    days = {str(day)[:10] for day in sales["happened_at"].to_pylist()}
    assert days == {f"2026-{m:02}-{d:02}" for m in (3, 4) for d in DAYS} | {"2026-05-01"}


def test_sheets_without_a_column_of_products_may_be_products(tmp_path: Path) -> None:
    sheets = {
        kit: [["Date", "Order", "Qty"], *([f"2026-03-{d:02}", 100 * i + d, 2] for d in DAYS)]
        for i, kit in enumerate(KITS)
    }
    path = sheets_of(tmp_path / "export.xlsx", sheets)
    assert [question.key for question in read_export(path).questions] == ["sheets"]
    reading = read_export(path, {"sheets": "products"})
    sales = reading.part("sales")
    assert reading.sold == 168 and sales is not None and set(sales["product"].to_pylist()) == {*KITS}
    assert "product" in read_export(path, {"sheets": "refuse"}).missing


def test_sheets_of_shops_beside_a_sheet_of_all_are_counted_once(tmp_path: Path) -> None:
    head = ["Date", "Order", "SKU", "Qty"]
    rows = [[f"2026-03-{d:02}", d, KITS[d % 3], 2] for d in DAYS]
    of_shops = {f"Shop {i}": [head, *(r for r in rows if r[1] % 2 == i), ["Total", "", "", 28]] for i in (0, 1)}  # type: ignore[operator]
    reading = read_export(sheets_of(tmp_path / "export.xlsx", {**of_shops, "All": [head, *rows]}))
    assert reading.sold == 56


@pytest.mark.parametrize("title", ["Retouren", "Returns", "退货"])
def test_a_part_of_a_list_whose_title_says_returns_came_back(tmp_path: Path, title: str) -> None:
    head = "Date,Order,SKU,Qty"
    rows = [f"2026-03-{d:02},{d},{KITS[d % 3]},2" for d in DAYS]
    text = "\n".join(["Sales,,,", head, *rows, ",,,", f"{title},,,", head, *rows[::7]]) + "\n"
    reading = read(tmp_path, text)
    assert (reading.sold, reading.returned, reading.questions) == (56, 8, ())


def test_a_header_on_each_page_says_nothing_of_returns(tmp_path: Path) -> None:
    head = "Date,Order,SKU,Qty"
    rows = [f"2026-03-{d:02},{d},{KITS[d % 3]},2" for d in DAYS]
    reading = read(tmp_path, "\n".join([head, *rows[:14], "Page 2,,,", head, *rows[14:]]) + "\n")
    assert (reading.sold, reading.returned, reading.questions) == (56, 0, ())
