"""What a comma means in the numbers of a folder: what one cell leaves open is told by the others, or refused."""

from pathlib import Path

import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from datong.connectors.files.folder import check_folder


def write(folder: Path, name: str, rows: list[list[str]], separator: str = ";") -> None:
    def cell(text: str) -> str:
        return f'"{text}"' if separator in text else text

    text = "\n".join(separator.join(map(cell, row)) for row in rows)
    (folder / name).write_text(text + "\n", encoding="utf-8")


def sales_of(folder: Path, units: list[str], separator: str = ";", price: str = "") -> tuple[list[float], list[str]]:
    """Units of the rows that are read, and codes of the errors."""
    (folder / "chain.toml").write_text('name = "c"\n', encoding="utf-8")
    write(folder, "products.csv", [["product", "price"], ["OIL", price]], separator)
    rows = [[f"S{i}", f"2026-01-{i + 1:02}", "OIL", value] for i, value in enumerate(units)]
    write(folder, "sales.csv", [["sale", "happened_at", "product", "units"], *rows], separator)
    checked = check_folder(folder)
    found = checked.checked["sales"].rows["units"].to_pylist() if "sales" in checked.checked else []
    return found, [f.code for f in checked.findings if f.severity == "error"]


@pytest.mark.parametrize(
    ("units", "separator", "read"),
    [
        (["0,750", "2,500", "1,5"], ";", [0.75, 2.5, 1.5]),
        (["2,500", "1.250", "0,5"], ";", [2.5, 1250, 0.5]),
        (["2,500", "0,750"], ",", [2.5, 0.75]),
        (["1,250", "0.5"], ",", [1250, 0.5]),
        (["1,250", "2,000"], ",", [1250, 2000]),  # as the tables are described
        (["1,250", "7"], ";", [7]),  # nothing tells: refused
        (["1,250", "1,5", "0.5"], ";", [0.5]),  # both are there: all that is not plain is refused
        (["1.250", "7"], ";", [1.25, 7]),
    ],
)
def test_a_comma(units: list[str], separator: str, read: list[float], tmp_path: Path) -> None:
    found, errors = sales_of(tmp_path, units, separator)
    assert found == read
    assert errors == ["decimal_comma"] * (len(units) - len(read))


def test_another_file_of_the_folder_tells(tmp_path: Path) -> None:
    found, errors = sales_of(tmp_path, ["0,750", "2,500"], price="12,500")
    assert (found, errors) == ([0.75, 2.5], [])
    assert check_folder(tmp_path).checked["products"].rows["price"].to_pylist() == [12.5]


@settings(max_examples=40, deadline=None)
@given(
    thousandths=st.lists(st.integers(0, 9_999_999), min_size=1, max_size=8),
    mark=st.sampled_from([".", ","]),
    grouped=st.booleans(),
)
def test_no_number_becomes_another_one(
    tmp_path_factory: pytest.TempPathFactory, thousandths: list[int], mark: str, grouped: bool
) -> None:
    """Numbers with three decimals, written one way all through, are read as they were or refused."""
    texts = []
    for value in thousandths:
        whole = f"{value // 1000:,}" if grouped else f"{value // 1000}"
        other = "." if mark == "," else ","
        texts.append(f"{whole.replace(',', other)}{mark}{value % 1000:03}")
    found, errors = sales_of(tmp_path_factory.mktemp("c"), texts)
    wanted = [value / 1000 for value in thousandths]
    left = iter(wanted)
    assert all(any(one == pytest.approx(other) for other in left) for one in found)
    assert len(found) == len(wanted) or "decimal_comma" in errors or mark == "."


def test_codes_are_what_a_sheet_shows(tmp_path: Path) -> None:
    (tmp_path / "chain.toml").write_text('name = "c"\n', encoding="utf-8")
    with xlsxwriter.Workbook(tmp_path / "chain.xlsx") as book:
        zeros = book.add_format({"num_format": "00000"})
        split = book.add_format({"num_format": '000"-"00'})
        products = book.add_worksheet("products")
        products.write_row(0, 0, ["product", "price"])
        for row, (code, how) in enumerate([(7, zeros), (123456, zeros), (12345, split), (8, None)], start=1):
            products.write_number(row, 0, code, how)
            products.write_number(row, 1, 10)
        sales = book.add_worksheet("sales")
        sales.write_row(0, 0, ["sale", "happened_at", "product", "units"])
        for row, code in enumerate(["00007", "123456", "123-45", "8"], start=1):
            sales.write_row(row, 0, [f"S{row}", "2026-01-05", code, 3])
    checked = check_folder(tmp_path)
    assert [f for f in checked.findings if f.severity == "error"] == []
    assert checked.checked["products"].rows["product"].to_pylist() == ["00007", "123456", "123-45", "8"]


@pytest.mark.parametrize("ending", [".txt", ".tsv"])
def test_tables_in_text_with_tabs(ending: str, tmp_path: Path) -> None:
    (tmp_path / "chain.toml").write_text('name = "c"\n', encoding="utf-8")
    (tmp_path / "readme.txt").write_text("just a note\n", encoding="utf-8")
    write(tmp_path, f"products{ending}", [["product"], ["OIL"]], "\t")
    rows = [["sale", "happened_at", "product", "units"], ["S1", "2026-01-05 22:30:00 -0500", "OIL", "2"]]
    write(tmp_path, f"sales{ending}", rows, "\t")
    checked = check_folder(tmp_path)
    assert [f for f in checked.findings if f.severity != "note"] == []
    assert checked.checked["sales"].rows["happened_at"][0].as_py().isoformat() == "2026-01-06T03:30:00+00:00"
