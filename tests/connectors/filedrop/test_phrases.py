"""What counterparties write as an answer: understood whole, or a question; never half."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datong.connectors.filedrop.phrases import Said, day_of, said
from datong.ledger.order_life import Offer

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
    assert said(text, TODAY) == expected


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
    assert said(text, TODAY) is None


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
    assert said(between.join(parts), TODAY) == Said(None, expected)


@given(st.text("12年月日/- 号只能做延期到价only by天周%或", max_size=14))
def test_no_text_gives_an_offer_of_which_a_sign_is_left_over(text: str) -> None:
    """Whatever is understood stands in the text as a number."""
    found = said(text, TODAY)
    assert found is None or not {*"%天周或"} & {*text}
    assert found is None or found.offer.units is None or f"{found.offer.units:g}" in text


def test_a_day_without_a_year_is_the_next_such_day() -> None:
    assert day_of("11月27日", TODAY) == date(2027, 11, 27)
    assert day_of("11月28日", TODAY) == TODAY
    assert day_of("11月28日", None) is None
