"""Count sheets are told from exports by their titles, whatever a spreadsheet makes of the file."""

from pathlib import Path

import pytest

from datong.connectors.exports.count_sheet import is_count_sheet, may_be_count_sheet
from datong.connectors.exports.read_grids import read_grids


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030"])
@pytest.mark.parametrize("titles", ["Code{0}Name{0}Counted", "编码{0}品名{0}实盘数量", '"Code"{0}"Counted"'])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_text_with_the_titles_is_one_in_any_spelling(tmp_path: Path, titles: str, mark: str, encoding: str) -> None:
    file = tmp_path / "count.csv"
    rows = "".join(f"A{i}{mark}Lamp {i}{mark}{i}\n" for i in range(40))
    file.write_bytes(f"{titles.format(mark)}\n{rows}".encode(encoding))
    assert is_count_sheet(read_grids(file))
    assert may_be_count_sheet(file)


def test_an_export_in_text_is_none_by_its_first_bytes(tmp_path: Path) -> None:
    file = tmp_path / "export.csv"
    file.write_text("date,sku,qty\n" + "2024-01-01,A,1\n" * 10_000, encoding="utf-8")
    assert not may_be_count_sheet(file)
    assert may_be_count_sheet(tmp_path / "sheet.xlsx")
