"""Files that hold the same goods more than once: each is counted once, or it is asked which one counts."""

from pathlib import Path

import pytest

from datong.connectors.exports.reading import Reading, read_export

CODES = ("KA", "KB", "KC")


def read(path: Path, lines: list[str], answers: dict[str, str] | None = None) -> Reading:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read_export(path, answers or {})


def asked(reading: Reading) -> list[str]:
    return [question.key for question in reading.questions]


def notes(reading: Reading) -> str:
    return " ".join(note.text("en") for note in reading.notes)


def two_quantities(heads: str, more: int = 0) -> list[str]:
    """Orders of three lines with 1, 2 and 3 units or so, and the count of the whole order beside each."""
    rows = []
    for i in range(12):
        units = [1 + i % 3, 2, 3 + i % 4]
        rows += [
            f"A{i},2024-01-{i + 1:02},{code},{sum(units) + more},{of}" for code, of in zip(CODES, units, strict=True)
        ]
    return [f"Order,Date,SKU,{heads}", *rows]


SOLD = sum(1 + i % 3 + 2 + 3 + i % 4 for i in range(12))


@pytest.mark.parametrize(
    "heads",
    ["Order quantity,Line quantity", "Qty,Item Qty", "Quantity,Quantity of line", "数量,商品数量"],
)
def test_a_count_of_the_whole_order_is_no_quantity_of_its_lines(heads: str, tmp_path: Path) -> None:
    reading = read(tmp_path / "list.csv", two_quantities(heads))
    assert asked(reading) == [] and reading.sold == SOLD
    assert "counts the units of each whole order" in notes(reading)


def test_a_number_that_is_the_same_on_all_lines_is_asked_about_where_they_do_not_add_up(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    reading = read(path, two_quantities("Order quantity,Line quantity", more=2))
    assert asked(reading) == ["units_column"] and reading.sold == SOLD
    assert [option.name for option in reading.questions[0].options] == ["Line quantity", "Order quantity"]
    other = read(path, two_quantities("Order quantity,Line quantity", more=2), {"units_column": "Order quantity"})
    assert other.sold == 3 * (SOLD + 24)


def test_a_number_of_items_that_the_lines_of_an_order_add_up_to_mixes_no_products(tmp_path: Path) -> None:
    reading = read(tmp_path / "list.csv", two_quantities("Number of items,Units"))
    assert asked(reading) == [] and reading.sold == SOLD
