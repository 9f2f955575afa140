"""Lists that a program prints at fixed places, and tables of markup that are called .xls."""

import random
from datetime import date, timedelta
from html import escape
from pathlib import Path

import pytest

from datong.connectors.exports.fixed_width import cells_at_fixed_places
from datong.connectors.exports.markup_tables import tables_in_markup
from datong.connectors.exports.reading import Reading, read_export

HEAD = ["Date", "Item No.", "Description", "Qty", "Unit Price"]


def rows_of(seed: int, count: int = 60) -> list[list[str]]:
    chance = random.Random(seed)
    names = ["Mug", "Oak shelf 80 cm", "Kettle 1.7 l", "Tray", "Bag, cotton"]
    rows = []
    for i in range(count):
        k = chance.randrange(5)
        rows.append(
            [str(date(2026, 3, 2) + timedelta(days=i)), f"KA-{k}", names[k], str(chance.randint(1, 120)), f"{k + 5}.90"]
        )
    return rows


def printed(rows: list[list[str]], rule: str, page: int) -> list[str]:
    widths = [max(len(row[i]) for row in [HEAD, *rows]) + 2 for i in range(5)]

    def line(row: list[str]) -> str:
        return "".join(c.rjust(w) if i > 2 else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))

    below = {"none": [], "whole": ["-" * sum(widths)], "parts": ["".join("-" * (w - 1) + " " for w in widths)]}[rule]
    lines = ["Sales of March", "", line(HEAD), *below]
    for i, row in enumerate(rows):
        lines += ["", f"Page {i // page + 1}", "", line(HEAD), *below] if i and i % page == 0 else []
        lines.append(line(row).rstrip())
    return lines


def units(rows: list[list[str]]) -> int:
    return sum(int(row[3]) for row in rows)


def sold(reading: Reading) -> tuple[float, tuple[str, ...], int]:
    part = reading.part("sales")
    assert part is not None
    return reading.sold, reading.missing, len(set(part["product"].to_pylist()))


@pytest.mark.parametrize("rule", ["none", "whole", "parts"])
@pytest.mark.parametrize("seed", range(4))
def test_a_printed_list_is_cut_where_blanks_stand_in_all_rows(seed: int, rule: str, tmp_path: Path) -> None:
    rows = rows_of(seed)
    path = tmp_path / "list.txt"
    path.write_text("\n".join(printed(rows, rule, page=25)), encoding="utf-8")
    reading = read_export(path)
    assert sold(reading) == (units(rows), (), 5)
    assert any("fixed places" in note.text("en") for note in reading.notes)


@pytest.mark.parametrize(
    "lines", [["a;b", "1;2"] * 9, ["Dear  all,  the  list  of  2026  is  below."] * 9, ["2026-01-05  x"] * 9, [""], []]
)
def test_other_texts_are_no_printed_lists(lines: list[str]) -> None:
    assert cells_at_fixed_places(lines) is None


def html_of(rows: list[list[str]]) -> str:
    body = "".join("<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>\n" for row in [HEAD, *rows])
    return f"<html><head><style>td {{ color: red }}</style></head><body><table>{body}</table></body></html>"


def xml_of(rows: list[list[str]]) -> str:
    def cell(i: int, text: str) -> str:
        kind = "Number" if i > 2 and text[0].isdigit() else "String"
        return f'<Cell><Data ss:Type="{kind}">{escape(text)}</Data></Cell>'

    body = "".join("<Row>" + "".join(cell(i, c) for i, c in enumerate(row)) + "</Row>" for row in [HEAD, *rows])
    return f'<?xml version="1.0"?><Workbook xmlns:ss="x"><Worksheet><Table>{body}</Table></Worksheet></Workbook>'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("markup", [html_of, xml_of])
def test_markup_that_is_called_a_workbook(markup: object, encoding: str, tmp_path: Path) -> None:
    rows = [[*row[:2], "陶瓷杯 & <Tray>", *row[3:]] for row in rows_of(1)]
    path = tmp_path / "list.xls"
    path.write_bytes(markup(rows).encode(encoding))  # ty: ignore[call-non-callable]
    reading = read_export(path)
    assert sold(reading) == (units(rows), (), 5)
    names = reading.part("products")
    assert names is not None and set(names["name"].to_pylist()) == {"陶瓷杯 & <Tray>"}


def test_cells_over_several_columns_and_rows_keep_the_others_in_their_place() -> None:
    text = "<table><tr><th colspan=2>A</th><th>B</th></tr><tr><td rowspan=2>1</td><td>2<td>3<tr><td>4<td>5</table>"
    (rows,) = tables_in_markup(text.encode())
    assert [[cell.text for cell in row] for row in rows] == [["A", "", "B"], ["1", "2", "3"], ["", "4", "5"]]
    data = '<Data ss:Type="DateTime">2026-03-02T00:00:00.000</Data>'
    text = f'<Table><Row ss:Index="2"><Cell ss:Index="3">{data}</Cell></Row></Table>'
    (rows,) = tables_in_markup(text.encode())
    assert [[cell.text for cell in row] for row in rows] == [["", "", ""], ["", "", "2026-03-02"]]


def test_typed_numbers_have_a_decimal_point(tmp_path: Path) -> None:
    rows = [[f"2026-03-{i + 2:02}", "KA", "Mug", f"{i}.125", "5.90"] for i in range(1, 9)]
    path = tmp_path / "list.xls"
    path.write_text(xml_of(rows), encoding="utf-8")
    assert read_export(path).sold == sum(range(1, 9)) + 1


def test_markup_without_a_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.xls"
    path.write_text("<html><body>session expired</body></html>", encoding="utf-8")
    reading = read_export(path)
    assert [f.code for f in reading.findings] == ["unreadable_file"]


def test_a_printed_list_with_decimal_commas_is_none_that_commas_part(tmp_path: Path) -> None:
    rows = [
        [date_, code, f"{name} 1,7 l", count, price.replace(".", ",")] for date_, code, name, count, price in rows_of(2)
    ]
    path = tmp_path / "list.txt"
    path.write_text("\n".join(printed(rows, "whole", page=99)), encoding="utf-8")
    assert sold(read_export(path)) == (units(rows), (), 5)
