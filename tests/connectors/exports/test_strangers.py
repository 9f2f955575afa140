"""Exports as strangers write them, by families: states, columns of returns, sheets, signs, services, dates."""

from pathlib import Path

import pytest

from datong.connectors.exports.marks import marks_of
from datong.connectors.exports.reading import Reading, read_export

DAYS = range(1, 29)


def read(folder: Path, header: str, row: str, *more: str, name: str = "export.csv", **answers: str) -> Reading:
    """28 rows and some more. {d} is the day; a value a|b|c goes round its parts."""
    rows = []
    for d in DAYS:
        cells = [cell.split("|") for cell in row.format(d=f"{d:02}").split(",")]
        rows.append(",".join(parts[d % len(parts)] for parts in cells))
    path = folder / name
    path.write_text("\n".join([header, *rows, *more]) + "\n", encoding="utf-8")
    return read_export(path, answers)


def keys(reading: Reading) -> list[str]:
    return [question.key for question in reading.questions]


# --- states: an undoing that was refused is none; one that an unknown word stands beside is asked about ------------

UNDOINGS = ("refund", "return", "cancellation", "cancel", "chargeback")
REFUSALS = ("declined", "rejected", "denied", "request rejected", "request declined", "request withdrawn", "reversed")


@pytest.mark.parametrize("undoing", UNDOINGS)
@pytest.mark.parametrize("refusal", REFUSALS)
def test_an_undoing_that_was_refused_is_none(undoing: str, refusal: str) -> None:
    assert marks_of(f"{undoing} {refusal}") == frozenset()
    assert marks_of(f"Shipped - {undoing} {refusal}") == {"shipped"}


@pytest.mark.parametrize("undoing", ["退款", "退货", "售后", "退货退款"])
@pytest.mark.parametrize(
    "refusal", ["取消{}", "撤销{}", "拒绝{}", "不同意{}", "驳回{}申请", "{}取消", "{}已撤销", "{}被拒绝"]
)
def test_a_chinese_undoing_that_was_refused_is_none(undoing: str, refusal: str) -> None:
    assert marks_of(f"{refusal.format(undoing)}，交易成功") == {"sold"}


@pytest.mark.parametrize(
    "state",
    ["Cancellation requested", "Cancel request", "Return window open", "Return label created", "Returnable item return",
     "Refund eligible", "已取消退款", "可退货", "退货申请提交"],
)  # fmt: skip
def test_an_undoing_beside_an_unknown_word_is_not_known(state: str) -> None:
    marks = marks_of(state)
    assert marks is None or "returning" in marks


@pytest.mark.parametrize(
    ("state", "mark"),
    [("Cancelled by the customer", "cancelled"), ("Order cancelled", "cancelled"), ("系统自动取消", "cancelled"),
     ("买家取消订单", "cancelled"), ("Refunded in full", "refunded"), ("Item returned", "refunded"),
     ("取消退款成功", "?"), ("Unpaid", "unpaid"), ("删除", "cancelled")],
)  # fmt: skip
def test_an_undoing_beside_known_words_is_one(state: str, mark: str) -> None:
    marks = marks_of(state)
    assert marks is None if mark == "?" else marks and mark in marks
