"""States that name a day, what shops call an end without saying which, and signs of numbers below zero."""

from pathlib import Path

import pytest

from datong.connectors.exports.numbers import written
from datong.connectors.exports.order_state_words import marks_of, without_days
from datong.connectors.exports.reading import Reading, read_export


def read(folder: Path, lines: list[str], **answers: str) -> Reading:
    path = folder / "export.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read_export(path, answers)


@pytest.mark.parametrize("state", ["Received, may be sent back till {}", "已收货，可申请退货至 {}", "{} bis offen"])
@pytest.mark.parametrize("form", ["2025-10-{:02}", "{:02}.10.2025", "2025年10月{}日", "2025/10/{:02} 23:59"])
def test_a_state_that_names_a_day_is_one_state(tmp_path: Path, state: str, form: str) -> None:
    def lines(days: range) -> list[str]:
        rows = (f'O{d},2025-09-{d:02},A1,2,"{state.format(form.format(d))}"' for d in days)
        return ["Order ID,Order date,SKU,Quantity,Order Status", *rows]

    (question,) = read(tmp_path, lines(range(1, 15))).questions
    assert " 28 " in question.options[0].says.text("en")
    kept = read(tmp_path, lines(range(1, 15)), **{question.key: "sold"}).kept
    assert read(tmp_path, lines(range(15, 29)), **kept).questions == ()


def test_a_state_that_is_a_day_alone_stays() -> None:
    assert without_days("2025-12-05") == "2025-12-05"
    assert without_days("v1.2.3 sold") == "v1.2.3 sold"


def test_two_long_states_are_shown_to_where_they_differ(tmp_path: Path) -> None:
    long = "The parcel is on its way to the address that the buyer has named in the order, "
    rows = [f'O{d},2025-09-{d:02},A1,2,"{long}{("zork", "quux")[d % 2]}"' for d in range(1, 29)]
    reading = read(tmp_path, ["Order ID,Order date,SKU,Quantity,Order Status", *rows])
    asked = {question.asks.text("en") for question in reading.questions}
    assert len(asked) == 2 and any("zork" in text for text in asked)


@pytest.mark.parametrize("state", ["售后完成", "售后成功", "已完成，售后完成"])
def test_an_end_that_does_not_say_what_came_back_is_asked_about(state: str) -> None:
    assert marks_of(state) is None


@pytest.mark.parametrize("state", ["同意退款，退款成功", "退款成功", "商家同意退款，退款成功"])
def test_a_refund_that_was_granted_and_paid_is_one(state: str) -> None:
    assert "refunded" in (marks_of(state) or ())


@pytest.mark.parametrize("text", ["△3", "▲3", "△ 3", "▲３", "△¥3"])
def test_a_triangle_stands_before_a_number_below_zero(text: str) -> None:
    found = written(text)
    assert found is not None and found.point == -3


def test_a_column_that_tells_states_and_reasons_is_named_once(tmp_path: Path) -> None:
    rows = [f"O{d},2025-09-{d:02},A1,2,{'Dibatalkan oleh Pembeli' if d % 9 == 0 else ''}" for d in range(1, 29)]
    reading = read(tmp_path, ["No. Pesanan,Order date,SKU,Quantity,Alasan Pembatalan", *rows])
    assert [c.column for c in reading.columns].count("Alasan Pembatalan") == 1


def test_an_amount_without_a_product_is_no_goods(tmp_path: Path) -> None:
    rows = [f"O{d},2025-09-{d:02},{'Custom Amount' if d % 7 == 0 else 'Latte'},2,9" for d in range(1, 29)]
    reading = read(tmp_path, ["Order ID,Order date,Item,Quantity,Amount", *rows])
    assert (reading.sold, [left.reason for left in reading.left]) == (48, ["service"])
