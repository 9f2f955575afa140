import io
import re
import zipfile

import pyarrow as pa
import pytest
import python_calamine

from datong.app.report import sheet_writer as written
from datong.app.report.run_workbook import workbook_bytes
from datong.app.report.sheet_writer import number_format, plain_text, width


def sheets(content: bytes) -> dict[str, list[list]]:
    book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
    return {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}


def test_same_inputs_same_bytes(inputs):
    assert workbook_bytes(inputs, "en") == workbook_bytes(inputs, "en")


def test_sheets_and_titles_are_in_the_language(inputs):
    english, chinese = sheets(workbook_bytes(inputs, "en")), sheets(workbook_bytes(inputs, "zh"))
    assert list(english)[:3] == ["This week", "Orders", "Late"]
    assert list(chinese)[:3] == ["本周计划", "工单与采购单", "延期交货与缺交"]
    assert english["Orders"][0][0] == "Order"
    assert chinese["工单与采购单"][0][0] == "单号"
    assert chinese["工单与采购单"][1][1] == "生产"


def test_orders_carry_their_reason(inputs):
    orders = sheets(workbook_bytes(inputs, "en"))["Orders"]
    assert orders[0][-1] == "Why"
    assert len(orders[1][-1]) > 10
    assert len(orders) == 4  # titles, two orders, and what they cost in all
    assert orders[-1][0] == "In all"


def test_summary_says_what_when_money_gap_and_what_is_assumed(inputs):
    rows = sheets(workbook_bytes(inputs, "en"))["This week"]
    found = {r[0]: r for r in rows}
    assert found["Known as of"][1] == "2023-07-03 00:00 Asia/Dhaka"
    assert found["Cost of production, BDT"][1] == 80_000
    assert found["Total cost"][1] == 84_900
    assert found["Gap"][1] == pytest.approx(0.0048)  # 400 of 85,000, rounded up as on the screen
    assert found["Total cost"][2] == "the costs above, added up"
    assert "assumed" in found["Total cost"][3]
    assert found["lines.hours_per_week"][2] == "Most tonnes seen in a week so far."
    assert found["products.price"][2] == "not stated"


def test_texts_that_look_like_formulas_stay_texts(inputs):
    """'=P01 is held back: a row of it was refused' is the signal's text; a spreadsheet must not run it."""
    content = workbook_bytes(inputs, "en")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = [archive.read(n).decode() for n in archive.namelist() if n.startswith("xl/worksheets/sheet")]
    formulas = [f for part in parts for f in re.findall(r"<f>(.*?)</f>", part)]
    assert formulas
    assert all(re.match(r"(SUM|SUMIF|COUNT|COUNTIF|COUNTIFS)\(", f) for f in formulas)  # ours; none is of the data
    assert not any("P01" in f for f in formulas)
    signals = sheets(content)["Signals"]
    assert any(cell == "=P01 is held back: a row of it was refused" for cell in signals[1])


def test_header_is_frozen_and_filtered(inputs):
    with zipfile.ZipFile(io.BytesIO(workbook_bytes(inputs, "en"))) as archive:
        orders = archive.read("xl/worksheets/sheet2.xml").decode()
    assert 'state="frozen"' in orders
    assert "<autoFilter" in orders


def test_a_table_too_long_for_a_sheet_says_so(inputs, monkeypatch):
    monkeypatch.setattr(written, "MAX_ROWS", 5)
    gaps = sheets(workbook_bytes(inputs, "en"))["Gaps"]
    assert len(gaps) == 5
    assert gaps[-1][0].startswith("Only the first 3 of 6 rows")


def test_formats_follow_the_column():
    assert number_format("gap_share", 0.1) == "share"
    assert number_format("q_value", 0.1) == "small"
    assert number_format("units", 3.0) == "count"
    assert number_format("units", 3.5) == "units"
    assert number_format("units", 4022.29) == "count"


def test_chinese_takes_two_columns_a_character():
    assert width("单号 A") == 6


def test_long_evidence_is_cut_and_counted():
    assert plain_text([f"s{i}" for i in range(25)]).endswith("s19 … (+5)")


def test_no_orders_is_a_workbook_too(inputs):
    inputs.tables["orders"] = inputs.tables["orders"].slice(0, 0)
    inputs.tables["reasons"] = inputs.tables["reasons"].slice(0, 0)
    assert len(sheets(workbook_bytes(inputs, "zh"))["工单与采购单"]) == 1
    assert isinstance(inputs.tables["orders"], pa.Table)
