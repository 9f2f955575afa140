"""What counterparties write as an answer: understood whole, or a question; never half."""

from dataclasses import replace
from datetime import date, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datong.connectors.filedrop.answer_phrases import (
    Said,
    Spoken,
    day_of,
    is_conditional,
    is_perhaps_refused,
    is_reason_alone,
    meant,
    moment_of,
    said,
    says_more,
    units_less,
)
from datong.connectors.filedrop.number_words import in_digits
from datong.ledger.counter_offer import Offer
from datong.model.flow import OrderState

TODAY = date(2026, 11, 28)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("延期到12月9日", Said(None, Offer(due=date(2026, 12, 9)))),
        ("推迟到1月9号交货", Said(None, Offer(due=date(2027, 1, 9)))),
        ("later: 9 Dec", Said(None, Offer(due=date(2026, 12, 9)))),
        ("delay to December 9th, 2026", Said(None, Offer(due=date(2026, 12, 9)))),
        ("只能做80", Said(None, Offer(units=80.0))),
        ("80 only", Said(None, Offer(units=80.0))),
        ("最多８０件", Said(None, Offer(units=80.0))),
        ("price 12.5", Said(None, Offer(price=12.5))),
        ("单价改为12.5元/件", Said(None, Offer(price=12.5))),
        ("可以，延期到12月9日", Said("accepted", Offer(due=date(2026, 12, 9)))),
        ("only 80 by Dec 9", Said(None, Offer(80.0, date(2026, 12, 9)))),
        ("延期到12月9日，只能做80，单价12.5元", Said(None, Offer(80.0, date(2026, 12, 9), 12.5))),
        ("同意", Said("accepted")),
    ],
)
def test_offers_in_words(text: str, expected: Said) -> None:
    assert said(text, Spoken(TODAY)) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("延期3天", "不能延期到12月9日", "不能做80", "no later than Dec 9", "only 80 done", "12/9", "9.12.", "80"),
        *(
            "12月9日",
            "only 80%",
            "只能做8万多",
            "延期到2月30日",
            "延期到12月9日或10日",
            "only 80 or 90",
            "price 12 or 13",
        ),
        *("only 1,000", "next week", "延期到下周", "only 80 of blue", "price list", ""),
    ],
)
def test_what_could_mean_something_else_is_a_question(text: str) -> None:
    assert said(text, Spoken(TODAY)) is None


DAYS = st.dates(TODAY, TODAY + timedelta(days=364))
UNITS = st.integers(1, 99_999)
PRICES = st.integers(1, 9_999).map(lambda cents: cents / 100)
IN_WORDS = (
    (
        (
            "延期到{d.month}月{d.day}日",
            "到{d.year}年{d.month}月{d.day}日交",
            "by {d:%Y-%m-%d}",
            "later: {d.day} {d:%b}",
        ),
        1,
    ),
    (("只能做{u}", "最多{u}件", "only {u}", "can do {u} pcs", "max {u}"), 0),
    (("price {p:.2f}", "单价{p:.2f}元", "unit price {p:.2f}", "¥{p:.2f}"), 2),
)


@given(st.data(), DAYS, UNITS, PRICES, st.sampled_from([", ", "，", " ", "; "]))
def test_any_offer_in_any_of_its_words_is_what_it_says(
    data: st.DataObject, day: date, units: int, price: float, between: str
) -> None:
    chosen = data.draw(st.lists(st.sampled_from(IN_WORDS), min_size=1, max_size=3, unique_by=lambda w: w[1]))
    parts = [data.draw(st.sampled_from(words)).format(d=day, u=units, p=price) for words, _ in chosen]
    told = {at for _, at in chosen}
    values = (float(units), day, price)
    expected = Offer(*(value if at in told else None for at, value in enumerate(values)))
    assert said(between.join(parts), Spoken(TODAY)) == Said(None, expected)


@given(st.text("12年月日/- 号只能做延期到价only by天周%或", max_size=14))
def test_no_text_gives_an_offer_of_which_a_sign_is_left_over(text: str) -> None:
    """Whatever is understood stands in the text as a number."""
    found = said(text, Spoken(TODAY))
    assert found is None or not {*"%天周或"} & {*text}
    assert found is None or found.offer.units is None or f"{found.offer.units:g}" in text


def test_a_day_without_a_year_is_the_next_such_day() -> None:
    assert day_of("11月27日", Spoken(TODAY)) == (date(2027, 11, 27), False)
    assert day_of("11月28日", Spoken(TODAY)) == (TODAY, False)
    assert day_of("11月28日", Spoken()) is None


DUE = date(2026, 12, 4)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((text, Said("accepted")) for text in ("好的", "好", "没问题", "行", "OK的", "可以的", "no problem", "Okay")),
        *((text, Said("refused")) for text in ("不行", "接不了")),
        ("延期到十二月十五日", Said(None, Offer(due=date(2026, 12, 15)))),
        ("二〇二六年十二月三十一号交", Said(None, Offer(due=date(2026, 12, 31)))),
        ("延期到12/10", Said(None, Offer(due=date(2026, 12, 10)))),
        ("12/10交", Said(None, Offer(due=date(2026, 12, 10)))),
        ("晚两天", Said(None, Offer(due=date(2026, 12, 6)))),
        ("没问题，晚两天", Said("accepted", Offer(due=date(2026, 12, 6)))),
        ("延期3天", Said(None, Offer(due=date(2026, 12, 7)))),
        ("推迟一周交货", Said(None, Offer(due=date(2026, 12, 11)))),
        ("delayed by 3 days", Said(None, Offer(due=date(2026, 12, 7)))),
        ("two weeks later", Said(None, Offer(due=date(2026, 12, 18)))),
        ("下周三交", Said(None, Offer(due=date(2026, 12, 2)), True)),
        ("下星期天交货", Said(None, Offer(due=date(2026, 12, 6)), True)),
        ("明天交", Said(None, Offer(due=date(2026, 11, 29)), True)),
    ],
)
def test_answers_as_people_of_the_trade_write_them(text: str, expected: Said) -> None:
    assert said(text, Spoken(TODAY, DUE, is_chinese=True)) == expected


@pytest.mark.parametrize(
    "text",
    [
        *(
            "收到",
            "知道了",
            "不好",
            "好像不行",
            "还行吧不知道",
            "最晚3天",
            "晚几天",
            "最早3天",
            "晚1000天",
            "可做1/2",
            "只能做1/2",
        ),
        *(
            "下周交",
            "下周八交",
            "本周一交",
            "延期到13/14",
            "十三月二日交",
            "延期到十二月三十二日",
            "next Wednesday",
            "周三交",
        ),
        *("二十二十月一日交", "received", "not ok", "晚三天开工", "晚于3天"),
    ],
)
def test_what_is_no_answer_is_still_a_question(text: str) -> None:
    assert said(text, Spoken(TODAY, DUE, is_chinese=True)) is None


@pytest.mark.parametrize(
    "text",
    [
        *("晚两天不行", "迟3天不可以", "不行，晚两天", "3 days later refused", "明天不行", "下周三做不了"),
        *("1/2做不了", "1/2可以", "1/2能做", "延期到12/10做不了", "1/2，只能做80"),
        *("12月9日不行", "延期到12月9日不行", "by Dec 9 refused", "拒绝12月9日交", "refuse delivery by Dec 9"),
        *("单价12.5不行", "不同意单价12.5", "只能做80不行"),
    ],
)
def test_a_refusal_of_what_seems_to_be_offered_is_a_question(text: str) -> None:
    assert said(text, Spoken(TODAY, DUE, is_chinese=True)) is None


@pytest.mark.parametrize("text", ["拒绝，12月9日才能交", "做不了 12月9日才能交", "refused, deliver on Dec 9"])
def test_an_offer_behind_a_refusal_is_understood(text: str) -> None:
    assert said(text, Spoken(TODAY, DUE, is_chinese=True)) == Said("refused", Offer(due=date(2026, 12, 9)))


def test_a_day_with_a_slash_stays_one_in_a_cell_of_days() -> None:
    assert day_of("12/10", Spoken(TODAY, DUE, is_chinese=True)) == (date(2026, 12, 10), False)
    assert moment_of("12/10 上午9点", TODAY, is_chinese=True) == (date(2026, 12, 10), time(9))


def test_what_hangs_on_what_is_not_known_is_a_question() -> None:
    assert said("晚两天", Spoken(TODAY)) is None
    assert said("下周三交", Spoken(None, DUE)) is None
    assert said("by 12/9", Spoken(TODAY, DUE)) is None  # 12 September, in many countries
    assert said("by 12/13", Spoken(TODAY, DUE)) == Said(None, Offer(due=date(2026, 12, 13)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("11月29日 上午9点", (date(2026, 11, 29), time(9))),
        ("11月29日下午3点半", (date(2026, 11, 29), time(15, 30))),
        ("十一月二十九日 14:05", (date(2026, 11, 29), time(14, 5))),
        ("12/10", (date(2026, 12, 10), None)),  # it has not come: that is told, and not taken for last year
        ("1月5日", (date(2027, 1, 5), None)),
        ("6月5日 中午12点", (date(2026, 6, 5), time(12))),
        ("29 Nov 9am", (date(2026, 11, 29), time(9))),
        ("Nov 29 12:15 pm", (date(2026, 11, 29), time(12, 15))),
        ("11月29日 25点", None),
        ("3月2日 晚上12点", (date(2027, 3, 3), time(0))),  # the midnight at its end
        ("12月31日晚上12点半", (date(2027, 1, 1), time(0, 30))),
        ("3月2日 凌晨12点", (date(2027, 3, 2), time(0))),
        ("3月2日 晚上8点", (date(2027, 3, 2), time(20))),
        ("3月2日 晚上20点", (date(2027, 3, 2), time(20))),
        ("3月2日 下午12点半", (date(2027, 3, 2), time(12, 30))),
        *((text, None) for text in ("3月2日 晚上1点", "3月2日 晚上0点", "3月2日 傍晚12点", "3月2日 9点75")),
        ("昨天上午", None),
        ("9点", None),
    ],
)
def test_when_something_happened_in_words(text: str, expected: tuple[date, time | None] | None) -> None:
    assert moment_of(text, TODAY, is_chinese=True) == expected


@pytest.mark.parametrize(
    ("text", "state"),
    [
        *(("接但", "accepted"), ("完功", "done"), ("部分完公", "partly_done"), ("acepted", "accepted")),
        *(("取肖", "cancelled"), ("开公", "started"), ("收到", "accepted"), ("不", None), ("成品", None)),
    ],
)
def test_a_slip_of_the_hand_is_asked_about(text: str, state: str | None) -> None:
    assert meant(text) == state


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("完工了", "done"), ("开始做了", "started"), ("可以，没问题", "accepted"), ("好的，可以", "accepted"),
        ("没料，做不了", "refused"), ("做不了（没材料）", "refused"), ("no, out of stock", "refused"),
    ],
)  # fmt: skip
def test_what_people_say_in_other_words_or_in_parts(text: str, state: OrderState) -> None:
    found = said(text, Spoken())
    assert found is not None and replace(found, reason=None) == Said(state)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("收到", "accepted"), ("知道了", "accepted"), ("received", "accepted"), ("已经完工了吧", "done"),
        ("我们接单了", "accepted"), ("可以，做不了", None), ("没料", None), ("没料，可以", None),
    ],
)  # fmt: skip
def test_what_may_mean_a_state_is_asked_about_and_not_taken(text: str, hint: OrderState | None) -> None:
    assert said(text, Spoken()) is None
    assert meant(text) == hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(
            (text, Said(None, Offer(units=100.0)))
            for text in ("只能做一百件", "只能做一百", "only a hundred", "up to 100")
        ),
        ("最多两千五百件", Said(None, Offer(units=2500.0))),
        ("only eighty-five pcs", Said(None, Offer(units=85.0))),
        ("可以，但要晚到12月15号", Said("accepted", Offer(due=date(2026, 12, 15)))),
        ("同意，不过要晚两天", Said("accepted", Offer(due=date(2026, 12, 6)))),
        ("ok, but later: Dec 15", Said("accepted", Offer(due=date(2026, 12, 15)))),
        ("同意，但单价要涨到25", Said("accepted", Offer(price=25.0))),
        ("yes, but price goes up to 25", Said("accepted", Offer(price=25.0))),
        ("可以，只能做八十件", Said("accepted", Offer(units=80.0))),
        ("可以做，价格涨到每个20元", Said("accepted", Offer(price=20.0))),
        *((text, Said("done")) for text in ("做好了", "全部做好了", "all done", "it's done")),
        *(
            (text, Said("accepted"))
            for text in ("行，按原来的做", "ok，尽量", "好的 尽量", "ok, as planned", "OK, will try")
        ),
    ],
)
def test_what_a_hurried_person_writes(text: str, expected: Said) -> None:
    assert said(text, Spoken(TODAY, DUE, is_chinese=True)) == expected


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        *(
            (text, "offered")
            for text in ("做一半", "先做50件其余下周", "可以，但加钱", "只能完成一半", "接单一半", "accept 80")
        ),
        *(
            (text, "offered")
            for text in ("can do half", "50 first, rest next week", "可以，如果有料", "ok if material comes")
        ),
        *((text, "partly_done") for text in ("做了一半", "half done", "50 done", "完工80")),
        *((text, None) for text in ("没料", "没料，下周才有", "no material", "可以，但做不了")),
    ],
)
def test_a_hint_points_where_the_text_does(text: str, hint: OrderState | None) -> None:
    assert said(text, Spoken(TODAY, DUE, is_chinese=True)) is None
    assert meant(text) == hint


@pytest.mark.parametrize("text", ["没料", "没料，下周才有", "out of stock", "没料，可以"])
def test_a_reason_alone_is_asked_about_as_one(text: str) -> None:
    assert is_reason_alone(text)
    assert not is_reason_alone("没料，做不了") and not is_reason_alone("可以")


YES = (
    "可以",
    "同意",
    "接单",
    "好的",
    "行",
    "没问题",
    "收到",
    "accepted",
    "ok",
    "yes",
    "agreed",
    "we accept",
    "received",
)
BETWEEN = ("", "，", ", ", " ", "。", "; ")
MORE = (
    *(
        "但",
        "不过",
        "but ",
        "只是",
        "如果",
        "if ",
        "最多",
        "only ",
        "先做",
        "晚到",
        "by ",
        "到",
        "单价",
        "price ",
        "要",
        "",
        "剩下",
    ),
)
OF = (
    *(
        "50",
        "一百件",
        "两件",
        "八成",
        "一半",
        "12月15号",
        "下周三",
        "月底",
        "明天",
        "Dec 15",
        "next week",
        "3 days",
        "a hundred",
    ),
    *("half", "25元", "涨价", "晚两天", "12/15", "2026-12-15", "十五天", "三个星期"),
)


@given(st.sampled_from(YES), st.sampled_from(BETWEEN), st.sampled_from(MORE), st.sampled_from(OF), st.booleans())
def test_yes_with_a_number_a_day_or_a_but_is_never_taken_or_hinted_as_an_acceptance_in_full(
    yes: str, between: str, more: str, of: str, is_behind: bool
) -> None:
    """Whatever stands beside a yes: the reading has it as an offer, or there is none; and no hint leads past it."""
    text = f"{yes}{between or ' '}{more}{of}" if is_behind else f"{more}{of}{between or ' '}{yes}"
    found = said(text, Spoken(TODAY, DUE, is_chinese=True))
    assert says_more(text)
    assert found is None or found.state != "accepted" or found.offer
    assert meant(text) != "accepted"


@given(
    st.sampled_from(YES),
    st.sampled_from(("但", "不过", "but", "但是", "如果", "unless")),
    st.text("啊的我们料钱机器x y", min_size=1),
)
def test_a_yes_with_a_condition_is_no_acceptance_in_full(yes: str, but: str, rest: str) -> None:
    text = f"{yes}, {but} {rest}z"
    found = said(text, Spoken(TODAY, DUE))
    assert (found is None or found.state != "accepted") and meant(text) != "accepted"


def in_chinese(number: int) -> str:
    """As it is said: each gap of places as one 零, and 十 without 一 where it begins."""
    told, gap = "", False
    for place, sign in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // place % 10
        if digit:
            told += ("零" if gap and told else "") + "零一二三四五六七八九"[digit] + sign
        gap = digit == 0 and bool(told)
    return told[1:] if told.startswith("一十") else told


@given(st.integers(1, 9_999), st.sampled_from(["件", "套", "箱"]))
def test_numbers_in_chinese_are_the_numbers_that_they_say(number: int, counted: str) -> None:
    assert in_digits(in_chinese(number) + counted) == f"{number}{counted}"


@pytest.mark.parametrize(
    "text",
    [
        "一百二",
        "三百五件",
        "十几件",
        "一百多",
        "万一",
        "一定",
        "十分",
        "一起",
        "两千来件",
        "twenty thirty",
        "two weeks later",
    ],
)
def test_what_is_no_one_number_stays_as_it_is(text: str) -> None:
    assert in_digits(text) == text


@pytest.mark.parametrize(
    ("remark", "takes_back"),
    [
        *(
            (text, True)
            for text in ("但12月20日左右才行", "但是要贵一点", "不过只有一半有料", "but maybe 2 weeks", "如果下周有料")
        ),
        *((text, False) for text in ("好的", "3号机做", "明天开工", "谢谢", "但请放心", "会尽快")),
    ],
)
def test_a_remark_that_takes_something_back(remark: str, takes_back: bool) -> None:
    assert is_conditional(remark) == takes_back


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("做不完，只能80", Said(None, Offer(units=80.0))),
        ("100件没问题", Said("accepted", Offer(units=100.0))),
        ("15号交", Said(None, Offer(due=date(2026, 12, 15)), is_by_speech=True)),
        ("30号前可以", Said("accepted", Offer(due=date(2026, 11, 30)), is_by_speech=True)),
        ("三天后交", Said(None, Offer(due=date(2026, 12, 1)), is_by_speech=True)),
    ],
)
def test_common_words_of_offers(text: str, expected: Said) -> None:
    assert said(text, Spoken(TODAY, date(2026, 12, 11), True)) == expected


@pytest.mark.parametrize(
    "text",
    [
        *(
            "不能接",
            "来不及",
            "收到",
            "不接受延期",
            "没问题，数量减半",
            "少些",
            "提前几天",
            "三天后",
            "5日内交",
            "3号线交货",
        ),
        *("做不完", "45号交", "100件不行", "100件", "只能做5箱，12月9日做不完"),
    ],
)
def test_what_may_be_meant_in_two_ways_is_asked(text: str) -> None:
    found = said(text, Spoken(TODAY, date(2026, 12, 11), True))
    assert found is None or (found.state is None and not found.offer)


@pytest.mark.parametrize("text", ["不能接", "来不及了", "做不完", "can't"])
def test_what_is_like_a_refusal_is_asked_with_both_readings(text: str) -> None:
    assert is_perhaps_refused(text) and said(text, Spoken(TODAY)) is None


ORDERED = 100.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(
            (text, Said(None, Offer(due=date(2026, 12, 2))))
            for text in ("提前两天", "早2天交", "提早两天", "提前2天交货")
        ),
        *(
            (text, Said(None, Offer(due=date(2026, 12, 2))))
            for text in ("2 days earlier", "two days early", "2 days ahead")
        ),
        ("提前到12月1日", Said(None, Offer(due=date(2026, 12, 1)))),
        ("可以，提前两天", Said("accepted", Offer(due=date(2026, 12, 2)))),
        ("最快12月10号", Said(None, Offer(due=date(2026, 12, 10)))),
        *(
            (text, Said(None, Offer(units=80.0)))
            for text in ("少20件", "少做20", "减20件", "少二十件", "少交20件", "减少20")
        ),
        *(
            (text, Said(None, Offer(units=80.0)))
            for text in ("20 fewer", "20 pcs fewer", "20 less", "20 short", "少了20件")
        ),
        *(
            (text, Said(None, Offer(units=80.0)))
            for text in ("数量改80", "减到80件", "reduced to 80", "只能做80，少20件")
        ),
        ("12月9号能出80", Said(None, Offer(80.0, date(2026, 12, 9)))),
        ("可以，但要晚两天，少做10件", Said("accepted", Offer(90.0, date(2026, 12, 6)))),
        ("20 fewer, 2 days later", Said(None, Offer(80.0, date(2026, 12, 6)))),
    ],
)
def test_days_and_units_are_told_by_those_of_the_order(text: str, expected: Said) -> None:
    assert said(text, Spoken(TODAY, DUE, True, ORDERED)) == expected


@pytest.mark.parametrize(
    "text",
    [
        *(
            "少100件",
            "少200件",
            "少20%",
            "减两成",
            "至少80件",
            "最少80",
            "少20天",
            "少20件不行",
            "不做，少20件",
            "少1,000",
        ),
        *("10% less", "price 2 less", "只能做80，少30件", "提前两天不行", "缺20件"),
    ],
)
def test_what_is_no_number_of_units_of_the_order_is_asked(text: str) -> None:
    found = said(text, Spoken(TODAY, DUE, True, ORDERED))
    assert found is None or not found.offer


def test_fewer_of_a_number_that_is_not_known_is_asked() -> None:
    assert said("少20件", Spoken(TODAY, DUE, True)) is None and said("20 fewer", Spoken(TODAY, DUE)) is None
    assert units_less("少20件", 100.0) == 80.0 and units_less("少20件", None) is None
    assert units_less("80", 100.0) is None and units_less("少20件，明天", 100.0) is None


@pytest.mark.parametrize("text", ["晚两天", "延期到12月6日", "two days later"])
def test_the_column_of_a_new_day_knows_the_same_words(text: str) -> None:
    assert day_of(text, Spoken(TODAY, DUE, True)) == (date(2026, 12, 6), False)
    assert day_of("12月6日不行", Spoken(TODAY, DUE, True)) is None
