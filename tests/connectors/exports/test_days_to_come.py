"""A sale of a day to come is a mistyped year: it is held back by name, and does not move a chain's clock."""

from datetime import date
from pathlib import Path

from datong.connectors.exports.reading import read_export
from datong.connectors.exports.result import Reading

TODAY = date(2026, 3, 10)


def read(folder: Path, days: list[str], answers: dict[str, str] | None = None, today: date | None = TODAY) -> Reading:
    path = folder / "sales.csv"
    rows = [f"A{i:03},{day},Cup,2" for i, day in enumerate(days)]
    path.write_text("\n".join(["Order,Date,Product,Quantity", *rows]) + "\n", encoding="utf-8")
    return read_export(path, answers or {}, today=today)


def days_read(reading: Reading) -> set[str]:
    rows = reading.part("sales")
    assert rows is not None
    return {str(moment)[:10] for moment in rows["happened_at"].to_pylist()}


PAST = [f"2026-02-{day:02}" for day in range(1, 29)] * 8


def test_one_mistyped_year_is_left_out_and_its_row_named(tmp_path: Path) -> None:
    """The row after 224 others and the header is the 226th."""
    reading = read(tmp_path, [*PAST, "2062-02-28"])
    assert not reading.questions
    assert max(days_read(reading)) == "2026-02-28"
    assert reading.sold == 2 * len(PAST)
    (found,) = [f for f in reading.findings if f.code == "to_come_cell"]
    assert found.row == 226
    assert "226" in found.text("en") and "2062-02-28" in found.text("en")
    assert "226" in found.text("zh")
    assert "1 row of days to come with 2 units" in reading.last_line("en")


def test_a_day_or_two_ahead_is_a_clock_that_differs(tmp_path: Path) -> None:
    reading = read(tmp_path, [*PAST, "2026-03-12"])
    assert max(days_read(reading)) == "2026-03-12"
    assert len(days_read(read(tmp_path, [*PAST, "2026-03-13"]))) == 28
    assert len(days_read(read(tmp_path, [*PAST, "2026-03-11", "2062-03-13"]))) == 29


def test_all_days_to_come_of_a_list_that_goes_on_are_one_count(tmp_path: Path) -> None:
    """Those of tomorrow and the day after, too: six days with four rows each."""
    days = [*PAST, *(f"2026-03-{11 + n % 6}" for n in range(24))]
    (question,) = read(tmp_path, days).questions
    assert "24 rows (48 units)" in question.asks.text("en") and "48 units" in question.options[0].says.text("en")
    left = read(tmp_path, days, {"to_come": "leave_out"})
    assert max(days_read(left)) == "2026-02-28" and "24 rows of days to come with 48 units" in left.last_line("en")
    (found,) = [f for f in left.findings if f.code == "to_come_cell"]
    assert "24 rows of a day to come" in found.text("en")


def test_many_such_rows_are_asked_about(tmp_path: Path) -> None:
    days = [*PAST[:28], *(f"2026-04-{day:02}" for day in range(1, 11))]
    reading = read(tmp_path, days)
    (question,) = reading.questions
    assert question.key == "to_come"
    assert "10 rows (20 units)" in question.asks.text("en")
    assert max(days_read(read(tmp_path, days, {"to_come": "keep"}))) == "2026-04-10"
    assert max(days_read(read(tmp_path, days, {"to_come": "leave_out"}))) == "2026-02-28"


def test_where_nobody_says_what_day_it_is_all_days_are_read(tmp_path: Path) -> None:
    assert max(days_read(read(tmp_path, [*PAST, "2062-02-28"], today=None))) == "2062-02-28"
