"""Columns of quantities of several markets beside each other: none of them is lost, and none is a name."""

from itertools import product
from pathlib import Path

import pytest
import xlsxwriter

from datong.connectors.exports.reading import Reading, read_export

FIRST, SECOND = (1, 2, 3, 4), (5, 0, 2, 7)  # units of the two markets, in turn
ROWS = 28
SUMS = tuple(sum(units[i % 4] for i in range(ROWS)) for units in (FIRST, SECOND))

PLACES = [("online", "store"), ("North", "South"), ("North shop", "South shop"), ("Web", "Retail partners")]
PLACES_ZH = [("线上", "门店"), ("天猫", "京东"), ("北京店", "上海店")]
WORDS, WORDS_ZH = ["Qty", "Units", "Quantity", "Units sold"], ["数量", "销量", "销售数量"]
NAMES = [*product(PLACES, WORDS), *product(PLACES_ZH, WORDS_ZH)]
SHAPES = {
    "before": "{place} {word}",
    "after": "{word} {place}",
    "brackets": "{word} ({place})",
    "close": "{place}{word}",  # Chinese alone: words of letters are parted by a blank
}
# Each pair of names in one of the shapes, in turn.
ONE_ROW = [
    (places, word, list(SHAPES.values())[i % (3 if word.isascii() else 4)]) for i, (places, word) in enumerate(NAMES)
]


def days() -> list[str]:
    return [f"2026-03-{d:02}" for d in range(1, ROWS + 1)]


def one_row(folder: Path, headers: tuple[str, str], money: tuple[str, str] | None = None) -> Path:
    head = ["Date", "SKU", headers[0], *(money or ())[:1], headers[1], *(money or ())[1:]]
    lines = [",".join(head)]
    for i, day in enumerate(days()):
        a, b = FIRST[i % 4], SECOND[i % 4]
        cells = [day, "AB"[i % 2], a, 10 * a, b, 20 * b] if money else [day, "AB"[i % 2], a, b]
        lines.append(",".join(map(str, cells)))
    path = folder / "sales.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def merged(folder: Path, places: tuple[str, str], words: tuple[str, str], *, down: bool = False) -> Path:
    """Places over their columns of units and money. down: date and product are merged over both rows, too."""
    path = folder / "sales.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for column, name in enumerate(("Date", "SKU")):
            if down:
                sheet.merge_range(0, column, 1, column, name)
            else:
                sheet.write(1, column, name)
        for place, at in zip(places, (2, 4), strict=True):
            sheet.merge_range(0, at, 0, at + 1, place)
            sheet.write_row(1, at, words)
        for i, day in enumerate(days()):
            a, b = FIRST[i % 4], SECOND[i % 4]
            sheet.write_row(i + 2, 0, [day, "AB"[i % 2], a, 10 * a, b, 20 * b])
    return path


def under_a_word(folder: Path, places: tuple[str, str], word: str) -> Path:
    """Places under one word for a quantity; date and product are merged over both rows."""
    path = folder / "sales.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for column, name in enumerate(("Week", "Product")):
            sheet.merge_range(0, column, 1, column, name)
        sheet.merge_range(0, 2, 0, 3, word)
        sheet.write_row(1, 2, places)
        for i, day in enumerate(days()):
            sheet.write_row(i + 2, 0, [day, "AB"[i % 2], FIRST[i % 4], SECOND[i % 4]])
    return path


def months(folder: Path, places: tuple[str, str], word: str) -> Path:
    """A column for each month and place."""
    names = [f"2026-{m:02}" for m in range(1, 5)]
    lines = [",".join(["SKU", *(f"{place} {word} {name}" for name in names for place in places)])]
    for code, first in zip("ABCDEFG", range(7), strict=True):
        cells = [str(units[(first + m) % 4]) for m in range(4) for units in (FIRST, SECOND)]
        lines.append(",".join([code, *cells]))
    path = folder / "months.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def asked(path: Path) -> Reading:
    """A reading that asks for its units, of each place, of both, and of each apart; each of them as it says."""
    reading = read_export(path)
    (question,) = reading.questions
    assert question.key == "units_column"
    first, second, *more = [option.name for option in question.options]
    assert more == ["sum", "apart"]
    texts = [option.says.text("en") for option in question.options]
    for text, sold in zip(texts, (*SUMS, sum(SUMS), sum(SUMS)), strict=True):
        assert f"{sold} units" in text
    for name, sold in zip((first, second, "sum", "apart"), (*SUMS, sum(SUMS), sum(SUMS)), strict=True):
        told = read_export(path, {"units_column": name})
        assert (told.questions, told.sold) == ((), sold)
        assert told.rows == reading.rows
    return reading


def markets(path: Path, answer: str) -> dict[str, float]:
    part = read_export(path, {"units_column": answer}).part("sales")
    assert part is not None
    if "market" not in part.column_names:
        return {"": sum(part["units"].to_pylist())}
    found: dict[str, float] = {}
    for name, units in zip(part["market"].to_pylist(), part["units"].to_pylist(), strict=True):
        found[name] = found.get(name, 0) + units
    return found


@pytest.mark.parametrize(("places", "word", "shape"), ONE_ROW)
def test_two_columns_of_one_row_are_asked_about(tmp_path: Path, places: tuple[str, str], word: str, shape: str) -> None:
    first, second = (shape.format(place=p, word=word) for p in places)
    path = one_row(tmp_path, (first, second))
    asked(path)
    assert markets(path, "apart") == dict(zip(places, SUMS, strict=True))
    assert markets(path, "sum") == {"": sum(SUMS)}


@pytest.mark.parametrize(("places", "word", "down"), [(*names, i % 2 == 0) for i, names in enumerate(NAMES)])
def test_merged_headers_are_asked_about(tmp_path: Path, places: tuple[str, str], word: str, down: bool) -> None:
    path = merged(tmp_path, places, (word, "Revenue" if word.isascii() else "金额"), down=down)
    asked(path)
    assert markets(path, "apart") == dict(zip(places, SUMS, strict=True))
    part = read_export(path, {"units_column": "apart"}).part("sales")
    assert part is not None
    prices = {(m, p) for m, p, u in zip(*(part[n].to_pylist() for n in ("market", "price", "units")), strict=True) if u}
    assert prices == {(places[0], 10.0), (places[1], 20.0)}


@pytest.mark.parametrize(("places", "word"), NAMES)
def test_places_under_a_merged_word_are_asked_about(tmp_path: Path, places: tuple[str, str], word: str) -> None:
    path = under_a_word(tmp_path, places, word)
    asked(path)
    assert markets(path, "apart") == dict(zip(places, SUMS, strict=True))


@pytest.mark.parametrize(("places", "word"), NAMES)
def test_months_of_several_markets_are_asked_about(tmp_path: Path, places: tuple[str, str], word: str) -> None:
    path = months(tmp_path, places, word)
    asked(path)
    assert markets(path, "apart") == dict(zip(places, SUMS, strict=True))


@pytest.mark.parametrize(
    "name", ["South shop Units", "Qty store", "门店 数量", "South shop Revenue", "Store sales", "门店销售额"]
)
def test_numbers_are_no_market(tmp_path: Path, name: str) -> None:
    path = one_row(tmp_path, ("Units", name))
    reading = read_export(path)
    assert reading.column("market") is None
    assert reading.column("units") == "Units"


@pytest.mark.parametrize("name", ["Store", "Store ID", "store_nbr", "Shop No.", "门店编码", "店铺", "Outlet number"])
def test_codes_of_numbers_are_a_market(tmp_path: Path, name: str) -> None:
    assert read_export(one_row(tmp_path, ("Units", name))).column("market") == name


def test_an_amount_of_all_markets_together_is_no_price_of_one(tmp_path: Path) -> None:
    lines = ["Date,SKU,Qty online,Qty store,Amount"]
    lines += [
        f"{d},A,{FIRST[i % 4]},{SECOND[i % 4]},{7 * (FIRST[i % 4] + SECOND[i % 4])}" for i, d in enumerate(days())
    ]
    path = tmp_path / "sales.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    told = read_export(path, {"units_column": "sum"})
    part = told.part("sales")
    assert part is not None
    assert "price" not in part.column_names or set(part["price"].to_pylist()) <= {7.0, None}
    assert any("Amount" in note.text("en") for note in told.notes)


@pytest.mark.parametrize(
    ("places", "words"), [(("KA-1", "KB-2"), ("Stück", "Umsatz")), (("茶壶", "杯子"), ("数量", "金额"))]
)
def test_products_over_their_quantity_and_money_are_products(
    tmp_path: Path, places: tuple[str, str], words: tuple[str, str]
) -> None:
    path = tmp_path / "sales.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write(1, 0, "Date")
        for place, at in zip(places, (1, 3), strict=True):
            sheet.merge_range(0, at, 0, at + 1, place)
            sheet.write_row(1, at, words)
        for i, day in enumerate(days()):
            sheet.write_row(2 + i, 0, [day, FIRST[i % 4], 2.5 * FIRST[i % 4], SECOND[i % 4], 4 * SECOND[i % 4]])
    assert [question.key for question in read_export(path).questions] == ["products_across"]
    reading = read_export(path, {"products_across": "products"})
    sales = reading.part("sales")
    assert (reading.sold, reading.questions) == (sum(SUMS), ()) and sales is not None
    assert set(sales["product"].to_pylist()) == {*places}
    assert {p for p in sales["price"].to_pylist() if p is not None} == {2.5, 4.0}
