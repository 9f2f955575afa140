"""What was once read wrongly without a word: each is read rightly, or asked about."""

from datetime import date
from pathlib import Path

import pytest
from xlsxwriter import Workbook

from datong.connectors.exports.questions import Option, Question
from datong.connectors.exports.reading import Reading, read_export
from datong.model.words import message


def read(path: Path, lines: list[str], answers: dict[str, str] | None = None, encoding: str = "utf-8") -> Reading:
    path.write_bytes("\n".join(lines).encode(encoding))
    return read_export(path, answers or {})


def orders(twice: int, of: int = 40) -> list[str]:
    """Order lines, the first `twice` of them written twice."""
    rows = [f"A{i},2024-01-{i % 28 + 1:02},{'KA' if i % 2 else 'KB'},3" for i in range(of)]
    return ["Order,Date,SKU,Quantity", *rows[:twice], *rows]


def asked(reading: Reading) -> list[str]:
    return [question.key for question in reading.questions]


def test_a_line_that_stands_there_twice_is_asked_about(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    assert asked(read(path, orders(5))) == ["repeated"]
    assert read(path, orders(5), {"repeated": "twice"}).sold == 45 * 3
    once = read(path, orders(5), {"repeated": "once"})
    assert once.sold == 40 * 3 and "written twice" in once.last_line("en")


def test_a_few_of_many_are_counted_and_told(tmp_path: Path) -> None:
    reading = read(tmp_path / "list.csv", orders(1, of=200))
    assert asked(reading) == [] and reading.sold == 201 * 3
    assert any("repeats a line of their order" in note.text("en") for note in reading.notes)


def test_lines_that_differ_anywhere_are_two(tmp_path: Path) -> None:
    lines = [line + f",{i}" for i, line in enumerate(orders(5))]
    lines[0] = "Order,Date,SKU,Quantity,Line"
    reading = read(tmp_path / "list.csv", lines)
    assert asked(reading) == [] and reading.sold == 45 * 3


@pytest.mark.parametrize("head", ["Date (YYYY-DD-MM)", "Datum (JJJJ-TT-MM)", "date yyyy/dd/mm"])
def test_a_header_that_puts_the_day_before_the_month_holds(head: str, tmp_path: Path) -> None:
    rows = [f"2024-{day:02}-{month:02},KA,1" for month in (1, 2, 3) for day in range(1, 13)]
    reading = read(tmp_path / "list.csv", [f"{head},SKU,Quantity", *rows])
    sales = reading.part("sales")
    assert sales is not None
    days = sales["happened_at"].to_pylist()
    assert (min(days), max(days)) == (date(2024, 1, 1), date(2024, 3, 12))


@pytest.mark.parametrize("from_1904", [False, True])
@pytest.mark.parametrize("typed", [False, True])
def test_day_numbers_of_either_calendar_are_the_same_days(from_1904: bool, typed: bool, tmp_path: Path) -> None:
    book = Workbook(str(tmp_path / "list.xlsx"), {"date_1904": from_1904})
    sheet, shown = book.add_worksheet(), book.add_format({"num_format": "yyyy-mm-dd"})
    sheet.write_row(0, 0, ["Date", "SKU", "Quantity"])
    for i in range(20):
        number = (date(2024, 1, 1 + i) - (date(1904, 1, 1) if from_1904 else date(1899, 12, 30))).days
        sheet.write_number(i + 1, 0, number, shown if typed else None)
        sheet.write_row(i + 1, 1, ["KA", 2])
    book.close()
    sales = read_export(tmp_path / "list.xlsx").part("sales")
    assert sales is not None
    days = sales["happened_at"].to_pylist()
    assert (min(days), max(days)) == (date(2024, 1, 1), date(2024, 1, 20))


def test_korean_is_not_read_as_chinese(tmp_path: Path) -> None:
    rows = [f"2024-01-{i % 28 + 1:02},{('접시', '그릇')[i % 2]},{i % 3 + 1}" for i in range(30)]
    reading = read(tmp_path / "list.csv", ["주문일자,상품명,수량", *rows], encoding="euc_kr")
    products = reading.part("products")
    assert products is not None and sorted(products["product"].to_pylist()) == ["그릇", "접시"]


def test_chinese_is_still_read_as_chinese(tmp_path: Path) -> None:
    rows = [f"2024-01-{i % 28 + 1:02},{('蓝色盘子', '大碗')[i % 2]},{i % 3 + 1}" for i in range(30)]
    reading = read(tmp_path / "list.csv", ["订单日期,商品名称,数量", *rows], encoding="gbk")
    products = reading.part("products")
    assert products is not None and sorted(products["product"].to_pylist()) == ["大碗", "蓝色盘子"]


@pytest.mark.parametrize(
    ("head", "money"),
    [
        ("Price", ("$4.00", "€5.00")),
        ("Price,Currency", ("4.00,USD", "5.00,EUR")),
        ("Amount", ("USD 8", "GBP 9")),
        ("Price,Currency", ("$4.00,USD", "$5.00,AUD")),
        ("Price", ("HK$4.00", "A$5.00")),
    ],
)
def test_several_currencies_are_no_one_price(head: str, money: tuple[str, str], tmp_path: Path) -> None:
    lines = [f"Date,SKU,Quantity,{head}", *(f"2024-01-{i + 1:02},KA,2,{money[i % 2]}" for i in range(20))]
    path = tmp_path / "list.csv"
    assert asked(read(path, lines)) == ["currencies"]
    sales = read(path, lines, {"currencies": "no_prices"}).part("sales")
    assert sales is not None and "price" not in sales.column_names and sum(sales["units"].to_pylist()) == 40


def test_one_currency_asks_nothing(tmp_path: Path) -> None:
    lines = ["Date,SKU,Quantity,Price,Currency", *(f"2024-01-{i + 1:02},KA,2,$4.00,USD" for i in range(20))]
    assert asked(read(tmp_path / "list.csv", lines)) == []


@pytest.mark.parametrize(
    ("head", "money", "currency"),
    [
        ("Price,Currency", "4.00,USD", "USD"), ("Price", "€4.00", "EUR"), ("Price (GBP)", "4.00", "GBP"),
        ("Price", "4元", "CNY"), ("Price", "$4.00", "USD"), ("Price", "4.00", None),
        ("Price", "HK$4.00", "HKD"), ("Price", "US$ 4.00", "USD"), ("Price,Currency", "$4.00,AUD", "AUD"),
        ("Price (CAD)", "$4.00", "CAD"), ("Price", "¥4.00", "CNY"), ("Price,Currency", "¥4,JPY", "JPY"),
    ],
)  # fmt: skip
def test_the_currency_is_the_one_that_the_file_names(
    head: str, money: str, currency: str | None, tmp_path: Path
) -> None:
    lines = [f"Date,SKU,Quantity,{head}", *(f"2024-01-{i + 1:02},KA,2,{money}" for i in range(20))]
    assert read(tmp_path / "list.csv", lines).currency == currency


def sums(at: int = 25) -> list[str]:
    """A list with the sum of each ten rows, one row of which is not."""
    rows = ["Date,SKU,Quantity"]
    for i in range(40):
        rows.append(f"2024-01-{i % 28 + 1:02},K{i % 2},2")
        rows += [f",Subtotal,{20}"] if i % 10 == 9 else []
    return [*rows[:at], "2024-01-20,Total,7", *rows[at:]]


def test_a_question_about_rows_of_sums_names_their_column(tmp_path: Path) -> None:
    (question,) = read(tmp_path / "list.csv", sums()).questions
    (first, *_) = question.lines("en")
    assert question.key == "totals" and "(column: SKU; for example: " in first and "Total" in first
    assert "1 row is called a sum and is not the sum of the others" in first


def test_rows_left_out_for_one_reason_at_two_steps_are_one_count(tmp_path: Path) -> None:
    left = read(tmp_path / "list.csv", sums(), {"totals": "leave"}).last_line("en")
    assert left.count("of sums") == 1 and "5 rows of sums" in left


def test_a_question_without_a_column_says_nothing_of_one() -> None:
    one = Option("yes", message("export.reading.sales"))
    for samples in ((), ("a", "b")):
        (first, *_) = Question("key", message("export.asks.list", name="X"), (), samples, (one, one)).lines("en")
        assert "column" not in first and ("for example: a, b" in first) == bool(samples)


@pytest.mark.parametrize("blank", ["\u00a0", "\u202f", "\u3000"])
def test_blanks_that_look_alike_part_no_product(blank: str, tmp_path: Path) -> None:
    rows = [f"2024-01-{day:02},KA{(' ', blank)[day % 2]}7,2" for day in range(1, 29)]
    sales = read(tmp_path / "list.csv", ["Date,SKU,Quantity", *rows]).part("sales")
    assert sales is not None and set(sales["product"].to_pylist()) == {"KA 7"}


@pytest.mark.parametrize(("answer", "sold"), [("leave_out", 21 * 3), ("one_each", 21 * 3 + 7)])
def test_goods_without_a_quantity_are_none_or_one_each(answer: str, sold: float, tmp_path: Path) -> None:
    rows = [f"2024-01-{day:02},KA-{day % 3},{'' if day % 4 == 1 else 3},12.5" for day in range(1, 29)]
    lines = ["Date,SKU,Quantity,Price", *rows]
    assert asked(read(tmp_path / "list.csv", lines)) == ["no_units"]
    assert read(tmp_path / "list.csv", lines, {"no_units": answer}).sold == sold


@pytest.mark.parametrize(
    ("header", "rest"), [("Received", "{blank}"), ("Status", "{state}"), ("Returned quantity", "{blank}")]
)
def test_rows_that_something_else_explains_lack_no_quantity(header: str, rest: str, tmp_path: Path) -> None:
    blank = {True: "5", False: ""}
    state = {True: "cancelled", False: "completed"}
    rows = [
        f"2024-01-{day:02},KA-{day % 3},{'' if (none := day % 4 == 1) else 3},"
        + rest.format(blank=blank[none], state=state[none])
        for day in range(1, 29)
    ]
    assert "no_units" not in asked(read(tmp_path / "list.csv", [f"Date,SKU,Quantity,{header}", *rows]))
