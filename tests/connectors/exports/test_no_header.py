"""A list without a row of names: its first row is read, its columns by their content."""

from pathlib import Path

import pytest

from datong.connectors.exports.reading import Reading, read_export


def read(path: Path, rows: list[str], answers: dict[str, str] | None = None) -> Reading:
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return read_export(path, answers or {})


def rows_of(write: str) -> list[str]:
    return [
        write.format(
            order=532000 + i // 2, day=f"2024-01-{i % 28 + 1:02}", code=("KA-1", "KB-2")[i % 2], units=1 + i % 4
        )
        for i in range(30)
    ]


SOLD = sum(1 + i % 4 for i in range(30))


@pytest.mark.parametrize(
    ("write", "column"),
    [("{order},{day},{code},{units},12.50", "(column 4)"), ("{day};{code};{units}", "(column 3)")],
)
def test_a_list_without_names_of_columns_loses_no_row(write: str, column: str, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    reading = read(path, rows_of(write))
    assert "no row names the columns" in " ".join(note.text("en") for note in reading.notes)
    (question,) = reading.questions
    assert (question.key, question.options[0].name) == ("units_column", column)
    answered = read(path, rows_of(write), {"units_column": column})
    assert (answered.rows, answered.sold, answered.questions) == (30, SOLD, ())
    assert (answered.column("date"), answered.column("product")) == tuple(
        f"(column {1 + write.split(',' if ',' in write else ';').index(name)})" for name in ("{day}", "{code}")
    )


def test_names_nobody_knows_are_names(tmp_path: Path) -> None:
    reading = read(tmp_path / "list.csv", ["aa,bb,cc", *rows_of("{day},{code},{units}")])
    assert "no row names" not in " ".join(note.text("en") for note in reading.notes) and reading.rows == 30


def two_dates(head: str) -> list[str]:
    days = [f"2024-01-{i + 1:02} 09:05,2024-02-{i + 1:02} 10:00,KA,{1 + i % 4}" for i in range(28)]
    return [f"{head},sellerSku,quantity", *days]


def test_the_date_of_creation_is_that_of_the_sale(tmp_path: Path) -> None:
    reading = read(tmp_path / "list.csv", two_dates("createTime,updateTime"))
    assert reading.questions == () and reading.column("date") == "createTime"


def test_which_of_two_columns_of_dates_is_the_sale_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    (question,) = read(path, two_dates("Aaa,Bbb")).questions
    assert (question.key, [option.name for option in question.options]) == ("date_column", ["Aaa", "Bbb"])
    assert "2024-02-01" in question.options[1].says.text("en")
    answered = read(path, two_dates("Aaa,Bbb"), {"date_column": "Bbb"})
    sales = answered.part("sales")
    assert sales is not None and str(sales["happened_at"][0].as_py())[:7] == "2024-02"


def test_dates_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    reading = read(tmp_path / "list.csv", ["Date,SKU,Qty", *(f"day {i} of the fair,KA,2" for i in range(20))])
    assert reading.missing == ("date",)
    assert [found.code for found in reading.findings] == ["unread_dates"]
    assert "Date holds day 0 of the fair, which cannot be read as a day" in str(reading.findings[0].text("en"))


def test_dates_of_changes_and_of_days_to_come_are_none_of_a_sale(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    assert read(path, two_dates("开工日,交期")).missing == ("date",)
    reading = read(path, two_dates("Moment,Last updated"))
    assert (reading.questions, reading.column("date")) == ((), "Moment")
