"""What the headers and cells of an export say of its currency, and which sale a refund of its order is of."""

from pathlib import Path

import pytest

from datong.connectors.exports.reading import Reading, read_export


def read(folder: Path, header: str, *rows: str) -> Reading:
    path = folder / "export.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return read_export(path)


@pytest.mark.parametrize(
    ("header", "price", "currency"),
    [
        ("Price,Celkem Kč", "12.50,25.00", "CZK"),
        ("Price (RM),Note", "12.50,x", "MYR"),
        ("Price,Note", "Rp45000,x", "IDR"),
        ("Price,Note", "RM12.50,x", "MYR"),
        ("Price,Note", "₱12.50,x", "PHP"),
        ("Price zł,Note", "12.50,x", "PLN"),
        ("Price,Form", "12.50,x", None),
        ("Price,Farm", "12.50,x", None),
    ],
)
def test_a_currency_is_told_by_its_letters(tmp_path: Path, header: str, price: str, currency: str | None) -> None:
    rows = [f"2026-03-{d:02},A{d % 3},{1 + d % 4},{price}" for d in range(1, 29)]
    assert read(tmp_path, f"Date,SKU,Qty,{header}", *rows).currency == currency


def test_a_refund_with_the_number_of_its_sale_is_of_that_sale(tmp_path: Path) -> None:
    rows = [f"2026-03-{d:02},T{d},A{d % 3},3" for d in range(1, 29)]
    rows += ["2026-03-30,T5,A2,-1", "2026-03-30,T5,A2,-2", "2026-03-30,T5,A2,-1", "2026-03-30,T6,A2,-1"]
    back = read(tmp_path, "Date,Order number,SKU,Qty", *rows).part("returns")
    assert back is not None
    named = [row["sale"] and row["sale"].split("/")[0] for row in back.to_pylist()]
    assert named == ["T5", "T5", None, None]


def test_sums_and_notes_are_no_rows_that_were_read(tmp_path: Path) -> None:
    rows = [f"2026-03-{d:02},A{d % 3},3" for d in range(1, 29)]
    reading = read(tmp_path, "Date,SKU,Qty", *rows, "Total,,84", "printed by somebody,,")
    assert {part.reason for part in reading.left} == {"total", "note"}
    assert reading.last_line("en").startswith("Read 28 rows: 84 units sold")
