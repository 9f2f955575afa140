"""Hidden sheets and rows of a workbook are not read, and told; rows that a filter or a closed group hides are read."""

from pathlib import Path

import pytest
from xlsxwriter import Workbook

from datong.connectors.exports.reading import Reading, read_export


def book(path: Path, hidden_sheet: bool = False, hide: str = "", second: bool = True) -> Reading:
    made = Workbook(str(path))
    for name in ("2026", "old draft")[: 1 + second]:
        sheet = made.add_worksheet(name)
        sheet.write_row(0, 0, ["Date", "SKU", "Quantity"])
        for i in range(20):
            sheet.write_row(i + 1, 0, [f"2026-01-{i + 1:02}", "KA", 3 if name == "2026" else 5])
        if hide and name == "2026":
            for i in range(1, 5):
                sheet.set_row(i, None, None, {"hidden": True} | ({"level": 1} if hide == "group" else {}))
            if hide == "filter":
                sheet.autofilter(0, 0, 20, 2)
        if hidden_sheet and name == "old draft":
            sheet.hide()
    made.close()
    return read_export(path)


def notes(reading: Reading) -> str:
    return " ".join(note.text("en") for note in reading.notes)


def test_a_hidden_sheet_is_not_read(tmp_path: Path) -> None:
    reading = book(tmp_path / "list.xlsx", hidden_sheet=True)
    assert reading.sold == 60 and reading.questions == ()
    assert "The sheet old draft is hidden and not read: 20 rows." in notes(reading)
    shown = book(tmp_path / "list.xlsx")
    assert shown.sold == 160 and "hidden" not in notes(shown)


def test_a_hidden_list_under_a_report_is_read(tmp_path: Path) -> None:
    path = tmp_path / "list.xlsx"
    made = Workbook(str(path))
    report, data = made.add_worksheet("Report"), made.add_worksheet("data")
    report.write_row(0, 0, ["What this is", "see below"])
    data.write_row(0, 0, ["Date", "SKU", "Quantity"])
    for i in range(20):
        data.write_row(i + 1, 0, [f"2026-01-{i + 1:02}", "KA", 3])
    data.hide()
    made.close()
    assert read_export(path).sold == 60


@pytest.mark.parametrize(("hide", "sold"), [("", 60), ("rows", 48), ("filter", 60), ("group", 60)])
def test_hidden_rows_are_told(hide: str, sold: int, tmp_path: Path) -> None:
    reading = book(tmp_path / "list.xlsx", hide=hide, second=False)
    assert reading.sold == sold
    told = {"": "", "rows": "4 hidden rows of the sheet 2026 are not read"}.get(hide, "4 rows of the sheet 2026 that a")
    assert told in notes(reading) and ("hidden" in notes(reading)) == (hide == "rows")
