"""An amount that stands on each line of an order again may be one of the whole order: nobody adds it up unasked."""

from pathlib import Path

import numpy as np

from datong.connectors.exports.reading import read_export
from datong.connectors.exports.result import Reading

LINES = [
    (f"A{order:03}", f"2026-02-{1 + order % 28:02}", product, units, total)
    for order in range(40)
    for total in (100 + 7 * order,)
    for product, units in ((("Cup", 2), ("Plate", 1 + order % 3)) if order % 2 else (("Cup", 1),))
]


def read(folder: Path, lines: list[tuple[str, str, str, int, int]], answers: dict[str, str] | None = None) -> Reading:
    path = folder / "sales.csv"
    rows = [",".join(map(str, line)) for line in lines]
    path.write_text("\n".join(["Order,Date,Product,Quantity,Total", *rows]) + "\n", encoding="utf-8")
    return read_export(path, answers or {})


def prices(reading: Reading) -> list[float]:
    rows = reading.part("sales")
    assert rows is not None and "price" in rows.column_names
    return [p for p in rows["price"].to_pylist() if p is not None]


def test_it_is_asked_whether_the_amount_is_of_the_order(tmp_path: Path) -> None:
    (question,) = read(tmp_path, LINES).questions
    assert question.key == "order_amounts"
    assert question.columns == ("Total",)
    assert [option.name for option in question.options] == ["of_order", "of_line"]
    assert "20 orders" in question.asks.text("en")


def test_of_an_order_it_is_the_price_of_none_of_several_lines(tmp_path: Path) -> None:
    """Of an order with one line it is that line's amount."""
    reading = read(tmp_path, LINES, {"order_amounts": "of_order"})
    assert not reading.questions
    assert prices(reading) == [float(line[4]) for line in LINES if int(line[0][1:]) % 2 == 0]


def test_of_a_line_it_is_its_price(tmp_path: Path) -> None:
    reading = read(tmp_path, LINES, {"order_amounts": "of_line"})
    assert np.allclose(prices(reading), [total / units for *_, units, total in LINES])


def test_amounts_of_lines_are_not_asked_about(tmp_path: Path) -> None:
    """Two lines of an order that cost the same are no order's amount: others do not."""
    lines = [(order, day, product, units, units * 10) for order, day, product, units, _ in LINES]
    reading = read(tmp_path, lines)
    assert not reading.questions
    assert set(prices(reading)) == {10.0}
