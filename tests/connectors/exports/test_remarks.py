"""Remarks that speak of a cancellation are asked about in whichever export they stand, once for their column."""

from pathlib import Path

import pytest

from datong.connectors.exports.reading import Reading, read_export

HEADS = ["Note", "备注", "Bemerkung", "Remarques"]


def read(path: Path, head: str, remarks: list[str], answers: dict[str, str] | None = None) -> Reading:
    rows = [f"{2000 + i},2024-01-{i % 28 + 1:02},KA,5,{text}" for i, text in enumerate(remarks)]
    path.write_text("\n".join([f"Order,Date,SKU,Quantity,{head}", *rows]), encoding="utf-8")
    return read_export(path, answers or {})


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("others", [0, 3, 40, 400])
def test_what_is_asked_does_not_hang_on_what_else_is_remarked(head: str, others: int, tmp_path: Path) -> None:
    """Beside few or many harmless remarks, all different, and among many rows without any."""
    remarks = ["cancelled by phone", *(f"ring bell {i}" for i in range(others)), *[""] * 20]
    reading = read(tmp_path / "list.csv", head, remarks)
    assert [question.key for question in reading.questions] == [f"remark:{head}"]
    assert "cancelled by phone" in reading.questions[0].samples


def test_a_remark_is_quoted_without_what_is_personal(tmp_path: Path) -> None:
    reading = read(tmp_path / "list.csv", "Note", ["cancelled by phone 13812345678", *["leave at door"] * 9])
    assert reading.questions[0].samples == ("cancelled by phone [phone]",)


def test_an_answer_holds_for_other_remarks_of_the_column(tmp_path: Path) -> None:
    for reading, sold, returned in (("sold", 150, 0), ("not_sold", 140, 0), ("returned", 150, 10)):
        for text in ("cancelled by phone", "customer wants to cancel (退款?)"):
            remarks = [text, f"{text} again", "leave at door", *[""] * 27]
            read_so = read(tmp_path / "list.csv", "Note", remarks, {"remark:Note": reading})
            assert (read_so.sold, read_so.returned, read_so.questions) == (sold, returned, ())


def test_a_remark_that_is_a_word_for_a_state_is_one_and_others_say_nothing(tmp_path: Path) -> None:
    reading = read(tmp_path / "list.csv", "备注", ["已取消", *(f"送货上门 {i}" for i in range(30)), *[""] * 9])
    assert (reading.sold, reading.questions) == (39 * 5, ())
    assert read(tmp_path / "list.csv", "Note", ["leave at door", "gift"]).questions == ()
