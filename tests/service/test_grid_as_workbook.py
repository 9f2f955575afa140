"""A grid goes into a workbook and comes back: only what somebody changed is a change, and both who changed are told."""

import io
from datetime import date

import pyarrow as pa
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from datong.app.service.grid_as_workbook import KEPT, SheetGrid, differences, workbook
from datong.model.errors import BadInput

SCHEMA = pa.schema(
    [
        ("order", pa.string()),
        ("name", pa.string()),
        ("units", pa.float64()),
        ("start", pa.date32()),
        ("locked", pa.bool_()),
    ]
)
EDITABLE = ("units", "start", "locked", "name")
TEXTS = st.one_of(
    st.none(), st.sampled_from(["=1+1", "+A1", "@SUM(1)", "-3", "'x", "螺丝", "a\nb"]), st.text("ab=,é", max_size=5)
)
ROWS = st.lists(
    st.tuples(
        TEXTS,
        st.one_of(st.none(), st.floats(-1e9, 1e9)),
        st.one_of(st.none(), st.dates(date(1990, 1, 1), date(2100, 1, 1))),
        st.one_of(st.none(), st.booleans()),
    ),
    max_size=8,
)


def grid(rows, name: str = "orders") -> SheetGrid:
    table = pa.Table.from_pylist(
        [dict(zip(SCHEMA.names, (f"W{i:03}", *row), strict=True)) for i, row in enumerate(rows)], schema=SCHEMA
    )
    return SheetGrid(name, "mill", "order", EDITABLE, table)


def edited(content: bytes, change) -> bytes:
    """The workbook as a person saves it after changing cells: change(row, column, value) -> value."""
    book, kept = CalamineWorkbook.from_filelike(io.BytesIO(content)), io.BytesIO()
    new = xlsxwriter.Workbook(kept, {"in_memory": True})
    day = new.add_format({"num_format": "yyyy-mm-dd"})
    for name in book.sheet_names:
        sheet = new.add_worksheet(name)
        for r, row in enumerate(book.get_sheet_by_name(name).to_python(skip_empty_area=False)):
            for c, value in enumerate(row):
                value = value if name == KEPT else change(r, c, value)
                if isinstance(value, date):
                    sheet.write_datetime(r, c, value, day)
                elif isinstance(value, str):
                    sheet.write_string(r, c, value)
                elif value is not None:
                    sheet.write(r, c, value)
    new.close()
    return kept.getvalue()


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_a_workbook_that_nobody_changed_changes_nothing(rows) -> None:
    one = grid(rows)
    assert differences(workbook(one, "en"), one).changes == ()


def test_what_is_changed_is_told_with_what_it_was_and_is() -> None:
    sent = grid([("oil", 40.0, date(2026, 3, 2), False), ("flour", 5.0, None, None)])

    def change(r, c, value):
        return {(1, 2): 42.0, (1, 3): "2026/03/09", (1, 4): "是", (2, 1): "=flour", (2, 2): ""}.get((r, c), value)

    now = grid([("oil", 41.0, date(2026, 3, 2), False), ("flour", 5.0, None, None)])
    found = differences(edited(workbook(sent, "zh"), change), now)
    told = [(c.key, c.column, c.sent, c.came, c.now, c.is_contested) for c in found.changes]
    assert told == [
        ("W000", "units", 40.0, 42.0, 41.0, True),
        ("W000", "start", date(2026, 3, 2), date(2026, 3, 9), date(2026, 3, 2), False),
        ("W000", "locked", False, True, False, False),
        ("W001", "units", 5.0, None, 5.0, False),
        ("W001", "name", "flour", "=flour", "flour", False),
    ]
    assert {c.column: c.came for c in found.changes if c.key == "W001"} == {"units": None, "name": "=flour"}


def test_rows_that_are_gone_and_rows_left_out_are_told() -> None:
    sent = grid([("oil", 1.0, None, None), ("flour", 2.0, None, None), ("salt", 3.0, None, None)])
    came = edited(workbook(sent, "en"), lambda r, c, value: "" if r == 3 else value)
    found = differences(came, grid([("oil", 1.0, None, None)]))
    assert (found.changes, found.gone, found.unread) == ((), ("W001",), 1)


@pytest.mark.parametrize(
    ("at", "value", "code"),
    [
        ((1, 2), "1,5", "unreadable"),
        ((1, 3), "soon", "unreadable"),
        ((1, 4), "perhaps", "unreadable"),
        ((1, 0), "", "no_key"),
        ((1, 0), "W001", "twice"),
        ((1, 0), "W999", "unknown"),
    ],
)
def test_what_cannot_be_read_changes_nothing_and_says_where(at, value, code) -> None:
    one = grid([("oil", 1.0, None, None), ("flour", 2.0, None, None)])
    content = edited(workbook(one, "en"), lambda r, c, old: value if (r, c) == at else old)
    with pytest.raises(BadInput) as error:
        differences(content, one)
    assert {f.code for f in error.value.findings} == {code}
    assert all(f.text(language) for f in error.value.findings for language in ("en", "zh"))


def test_all_problems_are_told_at_once() -> None:
    one = grid([("oil", 1.0, None, None), ("flour", 2.0, None, None)])
    content = edited(workbook(one, "en"), lambda r, c, old: "x" if c in (2, 3) and r else old)
    with pytest.raises(BadInput) as error:
        differences(content, one)
    assert len(error.value.findings) == 4


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"order,units\nW1,3\n"])
def test_what_is_no_workbook_is_said(content: bytes) -> None:
    with pytest.raises(BadInput) as error:
        differences(content, grid([]))
    assert [f.code for f in error.value.findings] == ["not_ours"]


def test_a_workbook_of_another_grid_is_said() -> None:
    with pytest.raises(BadInput) as error:
        differences(workbook(grid([], "demand"), "en"), grid([]))
    assert [f.code for f in error.value.findings] == ["other"]


def test_no_text_of_a_cell_becomes_a_formula() -> None:
    import zipfile

    content = workbook(grid([("=1+1", 1.0, None, None), ('=HYPERLINK("http://x")', 1.0, None, None)]), "en")
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        assert not any(b"<f>" in book.read(name) for name in book.namelist() if "sheet" in name)
