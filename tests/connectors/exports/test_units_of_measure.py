"""Several units of measure in one list: converted where they are of one kind, asked about where only prices tell."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from datong.connectors.exports.reading import Reading, read_export
from datong.model.errors import Refused

GOODS = {"KA": (12, 5.0), "KB": (12, 7.5), "KC": (12, 3.2)}  # pieces in a carton, price of a piece


def read(path: Path, header: str, rows: list[str], answers: Mapping[str, str] | None = None) -> Reading:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return read_export(path, dict(answers or {}))


def cartons(priced: str, goods: Mapping[str, tuple[int, float]] = GOODS) -> tuple[str, list[str], float, float]:
    """Rows of pieces and cartons, their units as they stand, and in pieces. priced: by the unit, by the row, or both
    by the piece and by the row."""
    rows, units, pieces = [], 0, 0
    for i in range(60):
        code, measure, sold = list(goods)[i % 3], ("pcs", "pcs", "ctn")[i // 3 % 3], 1 + i % 4
        of, price = goods[code]
        factor = of if measure == "ctn" else 1
        units, pieces = units + sold, pieces + sold * factor
        money = {"unit": f"{price * factor:.2f}", "row": f"{sold * price * factor:.2f}", "both": f"{price:.2f}"}[priced]
        more = f",{sold * price * factor:.2f}" if priced == "both" else ""
        rows.append(f"2026-03-{i % 28 + 1:02},{code},{sold},{measure},{money}{more}")
    header = {"unit": "Price", "row": "Amount", "both": "Price,Amount"}[priced]
    return f"Date,Item,Qty,UOM,{header}", rows, units, pieces


@pytest.mark.parametrize("priced", ["unit", "row", "both"])
@pytest.mark.parametrize("goods", [GOODS, {"KA": (6, 5.0), "KB": (24, 7.5), "KC": (12, 3.2)}])
def test_pieces_of_a_carton_are_told_by_the_prices(
    priced: str, goods: Mapping[str, tuple[int, float]], tmp_path: Path
) -> None:
    header, rows, units, pieces = cartons(priced, goods)
    (question,) = read(tmp_path / "list.csv", header, rows).questions
    assert question.key == "mixed_units"
    assert [option.name for option in question.options] == ["by_price", "as_one"]
    assert f"{pieces:,}" in question.options[0].says.text("en") and f"{units:,}" in question.options[1].says.text("en")
    reading = read(tmp_path / "list.csv", header, rows, {"mixed_units": "by_price"})
    sales = reading.part("sales")
    assert reading.sold == pieces and sales is not None
    for product, price in zip(sales["product"].to_pylist(), sales["price"].to_pylist(), strict=True):
        assert price == pytest.approx(goods[product][1])
    assert read(tmp_path / "list.csv", header, rows, {"mixed_units": "as_one"}).sold == units


def test_prices_that_fit_no_number_of_pieces_tell_nothing(tmp_path: Path) -> None:
    header, rows, _, _ = cartons("unit", {"KA": (12, 5.0), "KB": (12, 7.5), "KC": (12, 3.2)})
    rows = [row.replace("60.00", "47.00") for row in rows]
    (question,) = read(tmp_path / "list.csv", header, rows).questions
    assert [option.name for option in question.options] == ["as_one"]


@pytest.mark.parametrize(
    ("small", "large", "factor"),
    [("g", "kg", 0.001), ("ml", "l", 0.001), ("克", "公斤", 0.001), ("pcs", "dozen", 1 / 12)],
)
def test_measures_of_one_kind_are_converted(small: str, large: str, factor: float, tmp_path: Path) -> None:
    rows = [f"2026-03-{d:02},K{d % 2},{d * 100 if d % 3 else d} {small if d % 3 else large}" for d in range(1, 29)]
    reading = read(tmp_path / "list.csv", "Date,Item,Quantity", rows)
    expected = sum(d * 100 * factor if d % 3 else d for d in range(1, 29))
    if large == "dozen":  # a piece is one
        expected *= 12
    assert reading.sold == pytest.approx(expected) and not reading.questions
    assert any(large in note.text("en") for note in reading.notes)


@pytest.mark.parametrize(("of_small", "of_large"), [(12.0, 12.0), (0.012, 12.0)])
def test_a_price_is_of_the_measure_that_it_fits(of_small: float, of_large: float, tmp_path: Path) -> None:
    cells = {True: ("kg", of_large), False: ("g", of_small)}
    rows = [
        f"2026-03-{d:02},K{d % 2},{1 if d % 3 == 0 else 500} {cells[d % 3 == 0][0]},{cells[d % 3 == 0][1]}"
        for d in range(1, 29)
    ]
    sales = read(tmp_path / "list.csv", "Date,Item,Quantity,Price", rows).part("sales")
    assert sales is not None and set(sales["price"].to_pylist()) == {12.0}


def test_a_measure_for_each_product_is_no_doubt(tmp_path: Path) -> None:
    rows = [f"2026-03-{d:02},K{d % 2},{d},{('kg', 'box')[d % 2]}" for d in range(1, 29)]
    reading = read(tmp_path / "list.csv", "Date,Item,Quantity,UOM", rows)
    assert reading.sold == sum(range(1, 29)) and not reading.questions


@pytest.mark.parametrize("headers", ["Cases,Units per case", "Cartons,Pcs per carton", "箱,装箱数"])
def test_cases_times_what_is_in_one_is_a_reading(headers: str, tmp_path: Path) -> None:
    rows = [f"A{d},2026-03-{d:02},K{d % 2},{1 + d % 4},{(12, 24)[d % 2]}" for d in range(1, 29)]
    (question,) = read(tmp_path / "list.csv", f"Order,Date,SKU,{headers}", rows).questions
    name = " × ".join(headers.split(","))
    pieces = sum((1 + d % 4) * (12, 24)[d % 2] for d in range(1, 29))
    assert question.options[0].name == name and f"{pieces:,}" in question.options[0].says.text("en")
    assert read(tmp_path / "list.csv", f"Order,Date,SKU,{headers}", rows, {"units_column": name}).sold == pieces


def boxes(unit: str, count: int = 28) -> tuple[str, list[str]]:
    """Rows of one in a larger unit and 100 pieces in turn: each of these products is sold both ways."""
    rows = [
        f"2026-03-{i % 28 + 1:02},{'AB'[i // 2 % 2]},{(2, 100)[i % 2]},{(unit, 'pcs')[i % 2]}" for i in range(count)
    ]
    return "Date,Item,Qty,UOM", rows


@pytest.mark.parametrize(
    ("unit", "pieces"),
    [("box of 100", 100), ("Pack of 12", 12), ("6-pack", 6), ("箱/24件", 24), ("Karton à 10", 10), ("24个/箱", 24)],
)
def test_a_unit_that_says_how_many_it_holds_is_in_pieces(unit: str, pieces: int, tmp_path: Path) -> None:
    reading = read(tmp_path / "list.csv", *boxes(unit))
    assert (reading.sold, reading.questions) == (14 * (2 * pieces + 100), ())
    assert any(f"1 {unit} = {pieces}" in note.text("en") for note in reading.notes)


@pytest.mark.parametrize(("given", "pieces"), [("ctn:12", 12), ("ctn: 1.5", 1.5), ("CTN：40，pcs:1", 40)])
def test_how_many_pieces_are_in_one_can_be_answered(given: str, pieces: float, tmp_path: Path) -> None:
    (question,) = read(tmp_path / "list.csv", *boxes("ctn")).questions
    assert "ctn:12" in question.asks.text("en") and "ctn:12" in question.asks.text("zh")
    reading = read(tmp_path / "list.csv", *boxes("ctn"), {"mixed_units": given})
    assert (reading.sold, reading.kept["mixed_units"]) == (14 * (2 * pieces + 100), given)


@pytest.mark.parametrize("given", ["box:12", "ctn:0", "ctn:many", "12"])
def test_pieces_of_another_unit_or_no_number_are_refused(given: str, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="UNIT:NUMBER"):
        read(tmp_path / "list.csv", *boxes("ctn"), {"mixed_units": given})


def test_what_is_sold_by_weight_is_told_beside_what_is_sold_by_the_piece(tmp_path: Path) -> None:
    rows = [
        f"2026-03-{i % 28 + 1:02},{('Cup', 'Olives')[i % 2]},{(2, 0.25)[i % 2]},{('ea', 'lb')[i % 2]}"
        for i in range(28)
    ]
    reading = read(tmp_path / "list.csv", "Date,Item,Qty,Unit", rows)
    products = reading.part("products")
    assert products is not None and not reading.questions
    assert {row["product"]: row["base_unit"] for row in products.to_pylist()} == {"Cup": None, "Olives": "lb"}
    assert "28 pieces, 3.5 lb sold" in reading.last_line("en")
    assert "28 件" in reading.last_line("zh")
