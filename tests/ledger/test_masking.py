"""Personal data leaves no trace; what a review says stays."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datong.ledger.masking import PLACEHOLDERS, masked
from datong.sense.voice.text import clean


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("请打13800138000谢谢", "请打[phone]谢谢"),
        ("电话：138-0013-8000", "电话:[phone]"),
        ("+86 138 0013 8000", "[phone]"),
        ("010-88886666", "[phone]"),
        ("１３８００１３８０００", "[phone]"),
        ("&#49;3800138000", "[phone]"),
        ("幺三八零零一三八零零零", "[phone]"),
        ("身份证11010519491231002X", "身份证[id]"),
        ("订单号：2026-1129-0012", "订单号:[order]"),
        ("order no. AB12-99812 never came", "order no. [order] never came"),
        ("快递单号SF1234567890123", "快递单号[order]"),
        ("加微信abc_12345", "加微信[account]"),
        ("write to a.b@example.com", "write to [email]"),
        ("送到北京市朝阳区建国路88号5栋301室", "[address]"),
        ("地址:某省某市幸福里三单元", "地址:[address]"),
        ("sent to 12 Baker Street", "sent to [address]"),
        ("收货人：张三丰，很快", "收货人:[name],很快"),
        ("联系人王小明", "联系人[name]"),
        ("王先生很热情", "[name]先生很热情"),
        ("Mr. Brown was rude", "Mr. [name] was rude"),
        ("my name is Ann Lee", "my name is [name]"),
        ("My name is John Whitbread.", "My name is [name]."),
        ("I am called Suzanne and", "I am called [name] and"),
        ("Signed: Mary Ellis", "Signed: [name]"),
        ("This is John Whitbread from Leeds", "This is [name] from Leeds"),
        ("Call me, Zebulon Mbekwana", "Call me, [name]"),
        ("我是李国强。", "我是[name]。"),
        ("我叫慕容建国,很满意", "我叫[name],很满意"),
    ],
)
def test_what_is_masked(text: str, expected: str) -> None:
    assert masked(clean(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-29收到,价格1,299.00元,用了100天",
        "尺码 170 95 100 正好",
        "iPhone 15 128G 很流畅",
        "it took 3 weeks and cost 24.99",
        "路上堵车,3号才到",
        "order arrived late",
        "This is perfect. I am happy. Thanks Amazon",
        "我叫了外卖,我是老顾客",
        "size 10-12 fits, 100% cotton",
    ],
)
def test_what_stays(text: str) -> None:
    assert masked(clean(text)) == text


PARTS = st.sampled_from(
    [
        "138",
        "0013",
        "8000",
        "-",
        " ",
        ".",
        "@",
        "a.b",
        "qq",
        ".com",
        "订单号",
        ":",
        "收货人",
        "王",
        "先生",
        "路",
        "88号",
        "很好",
        "地址",
        "x",
        "12345678",
    ]
)


@given(st.one_of(st.text(max_size=60), st.lists(PARTS, max_size=14).map("".join)))
def test_no_long_number_and_no_address_of_mail_is_left(text: str) -> None:
    left = masked(clean(text))
    assert not re.search(r"\d{8,}", left)
    assert not re.search(r"[A-Za-z\d]@[A-Za-z\d-]+\.[a-z]{2,}", left)


@given(
    st.from_regex(r"1[3-9][0-9][- ]?[0-9]{4}[- ]?[0-9]{4}", fullmatch=True),
    st.sampled_from(["", "好", " ", ",", "tel:", "(", "加"]),
)
def test_no_mobile_number_is_left_whatever_stands_around_it(number: str, around: str) -> None:
    left = masked(clean(f"{around}{number}{around}"))
    assert not re.search(r"\d{4}", left)


@given(st.one_of(st.text(max_size=60), st.lists(PARTS, max_size=14).map("".join)))
def test_masking_twice_changes_nothing(text: str) -> None:
    once = masked(clean(text))
    assert masked(once) == once


def test_placeholders_are_no_personal_data() -> None:
    for placeholder in PLACEHOLDERS:
        assert masked(placeholder) == placeholder


@pytest.mark.parametrize(
    "part",
    ["市", "路", "市区路", "1", "1 ", "a@", "a.", "订单号", "微信", "地址", "王", "A ", "一", "(", "路1", "name "],
)
def test_a_long_text_takes_no_longer_than_its_length(part: str) -> None:
    start = time.process_time()
    masked(part * (100_000 // len(part)))
    assert time.process_time() - start < 5
