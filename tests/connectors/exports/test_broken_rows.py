"""Rows of text files that broke: each is put together again, or told."""

from pathlib import Path

import pytest

from datong.connectors.exports.reading import Reading, read_export

CODES = ("KA-1", "KB-2", "KC-3")


def rows_of(count: int = 40) -> list[list[str]]:
    return [
        [f"2024-01-{i % 28 + 1:02}", f"A{i}", CODES[i % 3], f"Mug {CODES[i % 3]}", str(1 + i % 4), "9.50"]
        for i in range(count)
    ]


SOLD = sum(1 + i % 4 for i in range(40))
HEAD = ["Date", "Order", "SKU", "Name", "Qty", "Price"]


def read(path: Path, rows: list[list[str]], sign: str = ",", end: str = "\n") -> Reading:
    path.write_text("\n".join(sign.join(row) for row in [HEAD, *rows]) + end, encoding="utf-8")
    return read_export(path)


def notes(reading: Reading) -> str:
    return " ".join(note.text("en") for note in reading.notes)


@pytest.mark.parametrize("sign", [",", ";", "\t"])
@pytest.mark.parametrize("column", [1, 3, 5])
@pytest.mark.parametrize("at", [[5], [5, 6], [5, 20], [5, 20, 30], [39]])
def test_a_quote_that_is_never_closed_swallows_no_rows(at: list[int], column: int, sign: str, tmp_path: Path) -> None:
    rows = rows_of()
    for i in at:
        rows[i][column] = '"' + rows[i][column]
    reading = read(tmp_path / "list.csv", rows, sign)
    assert (reading.rows, reading.sold, reading.left) == (40, SOLD, ())
    assert "quote that is never closed" in notes(reading)
    sales = reading.part("sales")
    assert sales is not None and sales["__row__"].to_pylist() == list(range(2, 42))


def test_quotes_in_two_columns_swallow_no_rows(tmp_path: Path) -> None:
    rows = rows_of()
    rows[4][3], rows[9][1], rows[20][5] = '"Mug', '"A9', '"9.50'
    reading = read(tmp_path / "list.csv", rows)
    assert (reading.rows, reading.sold) == (40, SOLD)


def test_a_cell_that_is_quoted_over_lines_is_one_cell(tmp_path: Path) -> None:
    rows = rows_of()
    for i in (3, 9):
        rows[i][3] = '"Mug\nblue, large"'
    reading = read(tmp_path / "list.csv", rows)
    assert (reading.rows, reading.sold, notes(reading)) == (40, SOLD, "")


@pytest.mark.parametrize("column", [2, 3, 4])
def test_a_line_break_within_a_row_is_mended(column: int, tmp_path: Path) -> None:
    rows = rows_of()
    for i in (3, 9, 10):
        rows[i][3] = "Mug\nblue" if column == 3 else "Mug\nblue\nlarge" if column == 4 else "call\n"
    reading = read(tmp_path / "list.csv", rows)
    assert (reading.rows, reading.sold, reading.left) == (40, SOLD, ())
    assert "3 rows were parted by a line break" in notes(reading)


def test_short_rows_that_begin_as_rows_do_are_rows(tmp_path: Path) -> None:
    rows = [row if i % 2 else row[: 3 + i % 4] for i, row in enumerate(rows_of())]
    assert "parted" not in notes(read(tmp_path / "list.csv", rows))


@pytest.mark.parametrize("last", [["2024-02-01", "A40", "KA-1", "Mug", "6"], ["2024-02-01", "A4"]])
def test_a_file_that_is_cut_within_its_last_row_says_so(last: list[str], tmp_path: Path) -> None:
    reading = read(tmp_path / "list.csv", [*rows_of(), last], end="")
    assert reading.sold == SOLD and "The file ends within its last row, 42" in notes(reading)
    assert "1 row that cannot be cut into cells" in reading.last_line("en")
    whole = read(tmp_path / "list.csv", [*rows_of(), last], end="\n")
    assert "ends within" not in notes(whole)


def test_a_code_that_is_cut_is_no_product(tmp_path: Path) -> None:
    rows = [[*row[:2], *row[3:], row[2]] for row in rows_of()]
    rows[-1][-1] = "KA-"
    path = tmp_path / "list.csv"
    head = ["Date", "Order", "Name", "Qty", "Price", "SKU"]
    path.write_text("\n".join(",".join(row) for row in [head, *rows]), encoding="utf-8")
    reading = read_export(path)
    products = reading.part("products")
    assert products is not None and products["product"].to_pylist() == list(CODES)
    assert "ends within its last row" in notes(reading)


def test_a_whole_last_row_without_a_line_end_is_read(tmp_path: Path) -> None:
    reading = read(tmp_path / "list.csv", rows_of(), end="")
    assert (reading.rows, reading.sold, notes(reading)) == (40, SOLD, "")
    total = read(tmp_path / "list.csv", [*rows_of(), ["Total", "", "", "", str(SOLD)]], end="")
    assert total.sold == SOLD and "ends within" not in notes(total)


@pytest.mark.parametrize(("end", "told"), [("4", True), ("46", False), ("4\n", False)])
def test_a_last_number_that_may_have_lost_figures_is_told(tmp_path: Path, end: str, told: bool) -> None:
    rows = [f"2026-03-{d:02},A{d % 3},{20 + d}" for d in range(1, 28)]
    path = tmp_path / "list.csv"
    path.write_text("\n".join(["Date,SKU,Qty", *rows, f"2026-03-28,A1,{end}"]), encoding="utf-8")
    said = [note.text("en") for note in read_export(path).notes]
    assert any("if the file was cut" in note for note in said) == told
