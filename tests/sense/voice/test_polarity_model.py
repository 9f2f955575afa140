"""Good or bad: learnt, held apart by category, with chances that hold and doubt where there is doubt."""

from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from datong.model.flow import FloatArray
from datong.sense.voice.linear import fitted, lowest
from datong.sense.voice.ngrams import counts
from datong.sense.voice.polarity_model import (
    WEIGHT_ALONG,
    Settings,
    adapted,
    decided,
    guessed,
    learnt,
    probabilities,
    scores,
)
from own_reviews import reviews

SMALL = Settings(bits=16)


def test_the_machine_finds_the_best_weights_of_a_problem_solved_by_hand() -> None:
    """One word, in a good text alone: min w^2/2 + C [(1 - (w + b))^2 + (1 + b)^2]: with C = 1 and s = w + b, the slopes
    are w = 2 (1 - s) and 2 (1 - s) = 2 (1 + b), so s = -b, w = 2 s and w = 2 (1 - s): s = 1/2, w = 1, b = -1/2."""
    found = counts(["好", ""], (1,), 10)
    model = fitted(found, found.values, np.array([True, False]), 1.0, 50)
    assert model.weights[found.columns[0]] == pytest.approx(1.0, abs=1e-3)
    assert model.offset == pytest.approx(-0.5, abs=1e-3)


def test_a_search_keeps_to_one_thread_whose_vectors_are_short() -> None:
    """Several would wait for one another: a fit took twice the processor, and ten times where others work beside."""
    seen = []

    def loss(point: FloatArray) -> tuple[float, FloatArray]:
        seen.extend(one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas")
        return float(((point - 3) ** 2).sum()), 2 * (point - 3)

    with threadpool_limits(limits=2, user_api="blas"):
        assert lowest(loss, np.zeros(4), {"maxiter": 20}) == pytest.approx(np.full(4, 3.0))
    assert seen and set(seen) == {1}


def test_a_model_judges_texts_that_it_has_not_met() -> None:
    texts, positive, groups = reviews(800, 1)
    new, truth, of = reviews(400, 2)
    model = learnt(texts, positive, 1, groups, SMALL)
    assert ((scores(model, new) > 0) == truth).mean() > 0.98
    assert (np.array(model.groups.names)[guessed(model.groups, new)] == np.array(of)).mean() > 0.98


def test_a_word_means_in_each_category_what_it_means_there() -> None:
    """ "轻得很" praises a laptop and blames a fruit."""
    texts, positive, groups = reviews(1200, 3)
    model = learnt(texts, positive, 1, groups, SMALL)
    laptop, fruit = probabilities(model, ["轻得很", "轻得很"], ["laptops", "fruit"])
    assert laptop > 0.6 and fruit < 0.4


def test_chances_hold_where_labels_are_noisy() -> None:
    """A fifth of the labels is wrong: a verdict is right four times in five, and the model says so."""
    texts, positive, _ = reviews(3000, 4)
    wrong = np.random.default_rng(5).random(len(texts)) < 0.2
    model = learnt(texts, positive ^ wrong, 1, settings=replace(SMALL, penalty=0.02, ratio_penalty=0.02))
    new, truth, _ = reviews(1500, 6)
    truth = truth ^ (np.random.default_rng(7).random(len(new)) < 0.2)
    chances = probabilities(model, new)
    assert np.maximum(chances, 1 - chances).mean() == pytest.approx(((chances > 0.5) == truth).mean(), abs=0.04)


def test_a_model_of_other_texts_judges_along_by_language() -> None:
    """Own words of three texts tell nothing of "水分很好"; the other model, of Chinese, does; nobody's, of English."""
    texts, positive, _ = reviews(600, 11)
    other = learnt(texts, positive, 1, settings=SMALL)
    few = (["袖子长", "袖子短", "领口长"] * 20, np.array([True, False, True] * 20))
    alone = learnt(*few, 1, settings=SMALL)
    along = learnt(*few, 1, settings=SMALL, others={"zh": other})
    new = ["水分很好", "水分很差", "So it is"]
    good, bad, english = (scores(along, new) - scores(alone, new)).tolist()
    assert good > 0.1 and bad < -0.1 and english == 0
    assert along.others is not None
    size = np.abs(scores(other, few[0])[np.isin(np.arange(60), np.random.default_rng(1).permutation(60)[:12])]).mean()
    assert along.others.size == pytest.approx(size)
    assert good == pytest.approx(WEIGHT_ALONG * scores(other, new[:1])[0] / size)


def test_it_abstains_below_the_chance_asked_for() -> None:
    assert decided(np.array([0.9, 0.5, 0.1, 0.79, 0.21]), 0.8).tolist() == [1, 0, -1, 0, 0]


def test_a_new_category_is_learnt_from_its_texts_alone() -> None:
    texts, positive, _ = reviews(900, 8, ("clothes", "laptops"))
    unlabelled, _, _ = reviews(900, 9, ("fruit",))
    new, truth, _ = reviews(600, 10, ("fruit",))
    # Only what is said in the words of the category is left, without what means the opposite elsewhere.
    texts_left = [(text.partition(",")[2], good) for text, good in zip(new, truth, strict=True) if "轻得很" not in text]
    own, truth = [text for text, _ in texts_left], np.array([good for _, good in texts_left])
    before = learnt(texts, positive, 1, settings=SMALL)
    after = adapted(texts, positive, unlabelled, 1, SMALL)
    accuracy = [((scores(m, own) > 0) == truth).mean() for m in (before, after)]
    assert accuracy[1] > accuracy[0] + 0.15 and accuracy[1] > 0.95


def test_the_same_seed_gives_the_same_model_and_another_hash_hardly_another_one() -> None:
    texts, positive, groups = reviews(300, 11)
    one, two = (learnt(texts, positive, 1, groups, SMALL) for _ in range(2))
    assert np.array_equal(one.first.weights, two.first.weights) and one.knots == two.knots
    other = learnt(texts, positive, 1, groups, replace(SMALL, bits=18))
    assert ((scores(one, texts) > 0) == (scores(other, texts) > 0)).all()


@pytest.mark.parametrize("texts", [[], [""], ["😀"], ["x" * 100_000]])
def test_odd_texts_have_a_chance_as_well(texts: list[str]) -> None:
    known, positive, groups = reviews(200, 12)
    model = learnt(known, positive, 1, groups, SMALL)
    chances = probabilities(model, texts)
    assert chances.shape == (len(texts),) and ((chances >= 0) & (chances <= 1)).all()


def test_labels_of_one_kind_alone_give_a_model_without_a_fault() -> None:
    model = learnt(["很好", "不错", "真棒", "满意", "喜欢"], np.ones(5, bool), 1, settings=SMALL)
    assert (probabilities(model, ["很好"]) > 0.5).all()
