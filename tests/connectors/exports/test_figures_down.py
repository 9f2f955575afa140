"""Lists that hold money and no quantity, or a row for each figure: what was sold is read or asked, never made up."""

from pathlib import Path

import pytest

from datong.connectors.exports.reading import Reading, read_export


def read(path: Path, lines: list[str], answers: dict[str, str] | None = None) -> Reading:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read_export(path, answers or {})


def asked(reading: Reading) -> list[str]:
    return [question.key for question in reading.questions]


def figures(head: str, names: list[str]) -> list[str]:
    rows = [
        f"2024-01-{i % 28 + 1:02},{code},{name},{(1 + i % 4) * (at + 1)}"
        for i in range(28)
        for code in ("KA", "KB")
        for at, name in enumerate(names)
    ]
    return [f"Date,Product,{head}", *rows]


SOLD = 2 * sum(1 + i % 4 for i in range(28))


@pytest.mark.parametrize(
    ("head", "names"),
    [
        ("Metric,Value", ["Units sold", "Revenue"]),
        ("指标,数值", ["销量", "销售额", "访客数"]),
        ("Kennzahl,Wert", ["Menge", "Umsatz"]),
    ],
)
def test_a_row_for_each_figure_is_read_by_its_quantities(head: str, names: list[str], tmp_path: Path) -> None:
    reading = read(tmp_path / "list.csv", figures(head, names))
    assert asked(reading) == [] and reading.sold == SOLD
    assert f"the rows of {names[0]} are read" in " ".join(note.text("en") for note in reading.notes)


def test_which_of_several_quantities_was_sold_is_asked(tmp_path: Path) -> None:
    path, lines = tmp_path / "list.csv", figures("Metric,Value", ["Units sold", "Units ordered", "Revenue"])
    assert asked(read(path, lines)) == ["figure"]
    assert read(path, lines, {"figure": "Units ordered"}).sold == 2 * SOLD


def test_a_list_of_money_alone_asks_how_many_were_sold(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    lines = ["Date,Product,Revenue", *(f"2024-01-{i % 28 + 1:02},KA,{9.5 * (1 + i % 4):.2f}" for i in range(28))]
    assert asked(read(path, lines)) == ["units_column"]
    assert read(path, lines, {"units_column": "one_a_row"}).sold == 28


def test_rows_of_one_amount_a_product_are_one_unit_each(tmp_path: Path) -> None:
    lines = ["Date,Product,Revenue", *(f"2024-01-{i % 28 + 1:02},K{i % 3},{9.5 * (1 + i % 3)}" for i in range(28))]
    reading = read(tmp_path / "list.csv", lines)
    assert asked(reading) == [] and reading.sold == 28
