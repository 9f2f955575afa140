"""Groups that are named in a row of their own: their rows belong to what the name says."""

from pathlib import Path

import pytest

from datong.connectors.exports.reading import Reading, read_export

GOODS = ("Bowl", "Kettle", "Mug")


def read(path: Path, lines: list[str], answers: dict[str, str] | None = None) -> Reading:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read_export(path, answers or {})


def grouped(head: str, row: str, total: str = "", title: str = "") -> list[str]:
    """14 rows of each of three products, below its name. head, row, total: with {name}, {d} and {n} filled in."""
    lines = [title] if title else []
    lines.append(head)
    commas = head.count(",")
    for name in GOODS:
        lines.append(f"{name}{',' * commas}")
        lines += [row.format(d=f"{d:02}", n=d % 4 + 1, name=name) for d in range(1, 15)]
        lines += [total.format(name=name, n=35)] if total else []
    return lines


def units(reading: Reading) -> dict[str, float]:
    sales = reading.part("sales")
    assert sales is not None
    found: dict[str, float] = {}
    for product, sold in zip(sales["product"].to_pylist(), sales["units"].to_pylist(), strict=True):
        found[product] = found.get(product, 0.0) + sold
    return found


@pytest.mark.parametrize("total", ["", "Total {name},,,{n},", "小计,,,{n},"])
@pytest.mark.parametrize("head", ["Product,Date,Invoice,Qty,Price", "商品编码,日期,单号,数量,单价"])
def test_rows_below_the_name_of_a_product_are_of_it(tmp_path: Path, head: str, total: str) -> None:
    lines = grouped(head, ",2026-03-{d},9{d},{n},12.5", total)
    reading = read(tmp_path / "list.csv", lines)
    assert (units(reading), reading.questions) == (dict.fromkeys(GOODS, 35.0), ())
    assert any("3 groups" in note.text("en") for note in reading.notes)


def test_a_code_above_rows_with_names_is_their_code(tmp_path: Path) -> None:
    lines = grouped("Item Code,Item Name,Date,Qty", ",A {name},2026-03-{d},{n}", "Sub Total,,,{n}")
    assert units(read(tmp_path / "list.csv", lines)) == dict.fromkeys(GOODS, 35.0)


def test_groups_without_a_header_are_asked_about_unless_the_title_says_what_they_are(tmp_path: Path) -> None:
    shape = (",Date,Description,Qty", ",2026-03-{d},,{n}", "Total {name},,,{n}")
    reading = read(tmp_path / "list.csv", grouped(*shape))
    assert [question.key for question in reading.questions] == ["groups"]
    assert units(read(tmp_path / "list.csv", grouped(*shape), {"groups": "products"})) == dict.fromkeys(GOODS, 35.0)
    told = read(tmp_path / "list.csv", [*grouped(*shape, title="Sales by Product Detail,,,"), "On a cash basis,,,"])
    assert (units(told), told.questions) == (dict.fromkeys(GOODS, 35.0), ())


def test_days_that_stand_above_their_rows_are_their_days(tmp_path: Path) -> None:
    lines = ["Date,SKU,Qty"]
    for d in range(1, 15):
        lines += [f"2026-03-{d:02},,", ",KA,2", ",KB,3"]
    reading = read(tmp_path / "list.csv", lines)
    sales = reading.part("sales")
    assert (reading.sold, reading.questions) == (70, ()) and sales is not None
    assert len(set(sales["happened_at"].to_pylist())) == 14


def test_groups_of_groups_are_left_as_they_are(tmp_path: Path) -> None:
    lines = grouped("Product,Date,Invoice,Qty", ",2026-03-{d},9{d},{n}")
    lines.insert(1, "Kitchen,,,")
    reading = read(tmp_path / "list.csv", lines)
    assert not any("groups" in note.text("en") for note in reading.notes) and reading.questions


def test_days_above_rows_of_products_are_their_days(tmp_path: Path) -> None:
    lines = ["Item,Qty,Amount"]
    for d in range(1, 15):
        lines += [f'"Sunday, March {d}, 2026",,', "KA,2,20.00", "KB,3,36.00"]
    reading = read(tmp_path / "list.csv", lines)
    sales = reading.part("sales")
    assert (units(reading), reading.questions) == ({"KA": 28.0, "KB": 42.0}, ()) and sales is not None
    assert len(set(sales["happened_at"].to_pylist())) == 14


def test_remarks_in_rows_of_their_own_are_no_groups(tmp_path: Path) -> None:
    lines = ["Remark,Date,SKU,Qty"]
    for d in range(1, 15):
        lines += [f",2026-03-{d:02},KA,2", *(["cancelled,,,"] if d in (5, 9) else [])]
    assert read(tmp_path / "list.csv", lines).sold == 28


def test_what_stands_once_above_the_lines_of_an_order_is_of_them(tmp_path: Path) -> None:
    lines = ["Order,Date,Customer,SKU,Qty"]
    for d in range(1, 15):
        lines += [f"A{d},2026-03-{d:02},C{d},,", ",,,KA,2", *([",,,KB,3"] if d != 7 else [])]
    reading = read(tmp_path / "list.csv", lines)
    sales = reading.part("sales")
    assert (units(reading), reading.questions) == ({"KA": 28.0, "KB": 39.0}, ()) and sales is not None
    assert len(set(sales["happened_at"].to_pylist())) == 14 and sales["customer"].to_pylist()[0] == "C1"


def test_names_above_nothing_are_no_groups(tmp_path: Path) -> None:
    reading = read(tmp_path / "list.csv", ["Product,Date,Qty", "KA,,", "KB,,", ",,", "KC,,"])
    assert not any("groups" in note.text("en") for note in reading.notes)
