"""Reviews that are likely made up count less, honest ones in full; rises that stay and a shop's busy days are none."""

import numpy as np
import pytest

from datong.sense.voice.fakes import BURST_MIN, KINDS, Reviews, bursts, buyers, doubts
from datong.sense.voice.repeats import copies, frames

WORDS = [f"{a}{b}" for a in ("sleeve", "button", "colour", "hem", "pocket", "lining") for b in "abcdefghijklmnopqrs"]


def honest(many: int, seed: int = 1, products: int = 10, days: int = 300) -> Reviews:
    random = np.random.default_rng(seed)
    texts = [" ".join(random.choice(WORDS, 20)) for _ in range(many)]
    return Reviews(
        texts,
        random.integers(0, products, many),
        random.integers(0, days, many),
        random.choice([1.0, 2, 3, 4, 5], many, p=[0.1, 0.1, 0.1, 0.2, 0.5]),
        np.arange(many),
        np.zeros(many, bool),
    )


def with_more(reviews: Reviews, many: int, **own: object) -> Reviews:
    """So many more reviews of product 0, alike in what is given."""
    more = honest(many, 2)
    values = {name: getattr(more, name) for name in ("texts", "product", "day", "stars", "buyer", "shown")}
    values |= {"product": np.zeros(many, np.int64), "buyer": 10_000 + np.arange(many)}
    values |= {n: list(v) if n == "texts" else np.broadcast_to(np.array(v), many) for n, v in own.items()}  # ty: ignore
    texts = [*reviews.texts, *values.pop("texts")]
    both = {name: np.concatenate([getattr(reviews, name), value]) for name, value in values.items()}
    return Reviews(texts, **both)  # ty: ignore[invalid-argument-type]


def test_honest_reviews_count_in_full() -> None:
    assert (doubts(honest(3000)).weight == 1).mean() > 0.995
    empty = doubts(honest(0))
    assert len(empty.weight) == len(empty.kind) == 0


def kinds_of(reviews: Reviews, many: int) -> set[str]:
    found = doubts(reviews)
    assert (found.weight[-many:] < 1).mean() >= 0.9
    assert (found.weight[:-many] < 1).mean() < 0.01
    return {KINDS[k] for k in found.kind[-many:] if k >= 0}


def test_copies_of_one_text_together_are_one_voice() -> None:
    text = " ".join(np.random.default_rng(5).choice(WORDS, 20))
    whole = with_more(honest(1000), 20, texts=[text] * 20)
    assert kinds_of(whole, 20) == {"repeats"}
    assert doubts(whole).weight[-20:].sum() == pytest.approx(1)


def test_texts_of_one_frame_together_are_one_voice() -> None:
    random = np.random.default_rng(6)
    frame = "I bought {} for my {} and it came {} days later , the {} is so {} that my {} wants one , will buy {} again"
    texts = [frame.format(*random.choice(WORDS, 7)) for _ in range(20)]
    assert len(set(copies(texts).tolist())) > 10  # no copies
    assert len(set(frames(texts).tolist())) <= 5  # a text may stray that fills many places otherwise
    assert "frame" in kinds_of(with_more(honest(1000), 20, texts=texts), 20)


def test_a_one_sided_burst_counts_as_much_as_the_own_rate_would_give() -> None:
    whole = with_more(honest(1500), 30, day=100, stars=1.0)
    assert kinds_of(whole, 30) == {"burst"}
    inside = (whole.product == 0) & (whole.day > 97) & (whole.day <= 100)
    assert doubts(whole).weight[inside].sum() < 8  # some 1.5 are usual


@pytest.mark.parametrize("why", ["both sides", "shown", "whole shop", "stays", "few"])
def test_what_is_no_burst(why: str) -> None:
    random = np.random.default_rng(7)
    match why:
        case "both sides":
            whole = with_more(honest(1500), 30, day=100)
        case "shown":
            whole = with_more(honest(1500), 30, day=100, stars=1.0, shown=True)
        case "whole shop":
            whole = with_more(honest(1500), 300, day=100, stars=5.0, product=random.integers(0, 10, 300))
        case "stays":
            whole = with_more(honest(1500), 300, day=random.integers(100, 300, 300), stars=1.0)
        case _:
            whole = with_more(honest(1500), BURST_MIN - 2, day=100, stars=1.0)
    assert (bursts(whole)[1500:] == 1).mean() >= 0.95


def test_one_buyer_on_many_products_at_once_counts_as_one() -> None:
    random = np.random.default_rng(8)
    whole = with_more(honest(1000), 12, buyer=77_777, product=random.permutation(12), day=50 + np.arange(12) // 4)
    assert kinds_of(whole, 12) == {"buyer"}
    slow = with_more(honest(1000), 12, buyer=77_777, product=random.permutation(12), day=np.arange(12) * 20)
    assert (buyers(slow)[-12:] == 1).all()


def test_stars_against_the_own_text_count_half() -> None:
    praise = "great fabric , excellent fit , beautiful colour and very comfortable , perfect {}"
    blame = "terrible fabric , awful fit , horrible colour and poor seams , broken {}"
    texts = [t.format(w) for w in WORDS[:2] for t in (praise, blame)]
    whole = with_more(honest(1000), 4, texts=texts, stars=[1.0, 5.0, 5.0, 1.0])
    assert doubts(whole).weight[-4:].tolist() == [0.5, 0.5, 1.0, 1.0]


def test_a_sign_that_most_reviews_bear_is_none() -> None:
    phrases = ["very good quality and fast delivery , will buy here again", "good , as always , the price is right too"]
    few = honest(100)
    assert (doubts(with_more(few, 400, texts=(phrases * 200))).weight[100:] == 1).all()
