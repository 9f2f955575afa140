"""States that stand on the first line of each order only, where no word names the numbers of the orders."""

from pathlib import Path

import pytest

from datong.connectors.exports.reading import Reading, read_export


def read(folder: Path, lines: list[str], **answers: str) -> Reading:
    path = folder / "export.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read_export(path, answers)


def lines_of(header: str, number: str = "Z{o}", *, sold: str = "Delivered", undone: str = "Cancelled") -> list[str]:
    """20 orders of three lines with 1, 2 and 3 units, every fourth undone: 90 units sold, 30 neither."""
    rows = []
    for order in range(20):
        state = undone if order % 4 == 3 else sold
        for line in range(3):
            told = state if line == 0 else ""
            rows.append(f"2026-03-{order % 10 + 1:02},{number.format(o=order)},K{line},{line + 1},{told}")
    return [header, *rows]


@pytest.mark.parametrize("name", ["N° facture", "Vorgangskennung", "Xyz", "凭据", "Factuurnummer"])
@pytest.mark.parametrize("state", ["Status", "État", "Fase"])
def test_a_state_holds_on_all_lines_of_its_order_whatever_the_order_is_called(
    name: str, state: str, tmp_path: Path
) -> None:
    reading = read(tmp_path, lines_of(f"Date,{name},SKU,Quantity,{state}"))
    assert [question.key for question in reading.questions] == []
    assert reading.sold == 90
    assert [part.units for part in reading.left] == [30]


def test_rows_without_a_state_are_asked_about_where_others_are_sold(tmp_path: Path) -> None:
    """Nothing names the orders: no state of a row tells whether the rows below it have it."""
    rows = [line.replace("Z", "") for line in lines_of("Date,Remark,SKU,Quantity,Status", "Z")]
    reading = read(tmp_path, rows)
    (question,) = reading.questions
    assert question.key == "state:(empty)" and "100" in question.options[0].says.text("en")
    assert read(tmp_path, rows, **{question.key: "sold"}).sold == 115
    assert read(tmp_path, rows, **{question.key: "not_sold"}).sold == 15


def test_a_column_that_marks_only_what_is_undone_asks_nothing(tmp_path: Path) -> None:
    rows = [f"2026-03-{i % 28 + 1:02},KA,2,{'Cancelled' if i % 10 == 0 else ''}" for i in range(60)]
    reading = read(tmp_path, ["Date,SKU,Quantity,Status", *rows])
    assert ([q.key for q in reading.questions], reading.sold) == ([], 108)


@pytest.mark.parametrize(
    ("header", "field"),
    [("Part No.", "product"), ("Art.Nr", "product"), ("P/N", "product"), ("Teilenummer", "product")],
)
def test_headers_of_part_numbers(header: str, field: str, tmp_path: Path) -> None:
    rows = [f"2026-03-{i % 28 + 1:02},00{i % 3 + 1},Mug {i % 3},2" for i in range(30)]
    reading = read(tmp_path, [f"Date,{header},Description,Quantity", *rows])
    assert reading.column(field) == header and reading.sold == 60
