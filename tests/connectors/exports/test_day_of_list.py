"""A list without any date is of the day that its file says, or of today, or is refused: one question, for any file."""

from datetime import date
from pathlib import Path

import pytest
from xlsxwriter import Workbook

from datong.connectors.exports.day_of_list import days_within
from datong.connectors.exports.reading import Reading, read_export

TODAY = date(2024, 5, 6)
LINES = ["SKU,Name,Quantity", "KA,Plate,5", "KB,Bowl,7", "KC,Cup,1"]


def read(path: Path, lines: list[str], answers: dict[str, str] | None = None, today: date | None = TODAY) -> Reading:
    path.write_text("\n".join(lines), encoding="utf-8")
    return read_export(path, answers or {}, today=today)


def readings(reading: Reading) -> list[str]:
    return [option.name for q in reading.questions if q.key.startswith("day_of_list") for option in q.options]


def test_a_list_without_dates_asks_once(tmp_path: Path) -> None:
    assert readings(read(tmp_path / "list.csv", LINES)) == ["today", "refuse"]
    assert readings(read(tmp_path / "sales 2024-03-31.csv", LINES)) == ["file", "today", "refuse"]
    assert readings(read(tmp_path / "list.csv", LINES, {"day_of_list": "file"})) == ["today", "refuse"]
    assert read(tmp_path / "list.csv", LINES, today=None).missing == ("date",)


@pytest.mark.parametrize(("answer", "day"), [("file", date(2024, 3, 31)), ("today", TODAY)])
def test_all_rows_are_of_the_day_that_is_chosen(answer: str, day: date, tmp_path: Path) -> None:
    reading = read(tmp_path / "sales 2024-03-31.csv", LINES, {"day_of_list": answer})
    sales = reading.part("sales")
    assert reading.questions == () and reading.sold == 13
    assert sales is not None and set(sales["happened_at"].to_pylist()) == {day}


def test_refusing_says_what_to_add(tmp_path: Path) -> None:
    reading = read(tmp_path / "list.csv", LINES, {"day_of_list": "refuse"})
    assert reading.missing == ("date",) and [f.code for f in reading.findings] == ["no_date"]


def test_a_title_above_the_table_says_the_day(tmp_path: Path) -> None:
    book = Workbook(str(tmp_path / "list.xlsx"))
    sheet = book.add_worksheet()
    for row, cells in enumerate([["2024年1月 销售汇总"], [], *(line.split(",") for line in LINES)]):
        sheet.write_row(row, 0, cells)
    book.close()
    reading = read_export(tmp_path / "list.xlsx", {"day_of_list": "file"})
    sales = reading.part("sales")
    assert sales is not None and set(sales["happened_at"].to_pylist()) == {date(2024, 1, 1)}


def test_a_column_that_may_have_dates_is_not_passed_over(tmp_path: Path) -> None:
    lines = [f"{line},{'Date' if i == 0 else 'soon'}" for i, line in enumerate(LINES)]
    assert read(tmp_path / "list.csv", lines).missing == ("date",)


@pytest.mark.parametrize(
    ("text", "day"),
    [("sales_2024_03_31", date(2024, 3, 31)), ("销量2024年3月", date(2024, 3, 1)),
     ("20240331-export", date(2024, 3, 31)),
     ("Umsatz 31.03.2024", date(2024, 3, 31)), ("March 2024", date(2024, 3, 1)), ("2024-03", date(2024, 3, 1)),
     ("01/02/2024", None), ("list 12", None), ("v1.2.3", None), ("top 100 of 2024", None)],
)  # fmt: skip
def test_days_in_texts(text: str, day: date | None) -> None:
    assert days_within([text]) == (set() if day is None else {day})
