"""Reviews that repeat one another count once."""

import time

import numpy as np
import pytest

from datong.sense.voice.repeats import copies, weights
from own_reviews import reviews

SENT = "这件衣服面料很好做工也不错穿着显瘦颜色和图片一样物流很快客服态度好值得购买"


def test_the_same_text_with_a_few_other_words_repeats_the_first() -> None:
    texts = ["苹果很甜水分足孩子爱吃下次还会来买希望包装再结实一点", SENT, SENT + "赞", "亲们" + SENT, "很好", "很好"]
    found = copies(texts)
    assert found.tolist() == [0, 1, 1, 1, 4, 5], "short texts are the same by chance"
    assert weights(found).tolist() == [1, 1 / 3, 1 / 3, 1 / 3, 1, 1]


def test_texts_of_one_kind_do_not_repeat_one_another() -> None:
    random = np.random.default_rng(1)
    letters = list("甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉戌亥")
    texts = ["".join(random.choice(letters, 40)) for _ in range(2000)]
    assert copies(texts).tolist() == list(range(2000))


def test_a_half_that_is_shared_is_no_copy() -> None:
    texts = [SENT[: len(SENT) // 2] + "但是苹果又小又酸还压坏了好几个", SENT]
    assert copies(texts).tolist() == [0, 1]


def test_ten_thousand_copies_take_seconds_and_count_once() -> None:
    start = time.process_time()
    found = copies([SENT] * 10_000)
    assert time.process_time() - start < 20
    assert not found.any() and weights(found).sum() == pytest.approx(1)


def test_nothing_repeats_nothing() -> None:
    for texts in ([], [""], ["", ""]):
        assert copies(texts).tolist() == list(range(len(texts)))
        assert weights(copies(texts)).tolist() == [1.0] * len(texts)
    assert len(set(copies(reviews(50, 1)[0]).tolist())) > 1
