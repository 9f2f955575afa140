"""Belief in lead times: what came, what has not come yet, and what never will."""

import numpy as np
import pytest

from datong.learn.replenish_lead_times import (
    KEEPS_WORD,
    LOST_SHARE,
    _expected,
    chances_at_age,
    furthest_lead,
    lead_chances,
)


def believed(promised, came_after, ordered=None):
    """Of one item: (lead + 1), from orders of the last buckets, oldest first."""
    came_after = np.array([came_after], dtype=float)
    ordered = np.ones_like(came_after) if ordered is None else np.array([ordered], dtype=float)
    return lead_chances(np.array([promised]), ordered, came_after)[0]


def test_before_any_order_most_is_as_promised():
    """0.8 keeps his word; else a fifth is lost and the rest falls by half with each bucket from the promise of 1."""
    near = np.array([0.5, 1.0, 0.5, 0.25, 0.125, 0.0625])
    loose = np.append(near / near.sum() * (1 - LOST_SHARE), LOST_SHARE)
    expected = (1 - KEEPS_WORD) * loose
    expected[1] += KEEPS_WORD
    assert believed(1, []) == pytest.approx(expected)
    assert furthest_lead(np.array([1])).tolist() == [5]


def test_what_is_there_at_once_and_was_never_ordered_is_no_promise_to_doubt():
    """Without a lead time nothing was promised; after an order that did not come there is something to doubt."""
    none = np.zeros((1, 4))
    chances = lead_chances(np.array([0]), none, np.full((1, 4), np.nan))
    assert chances[0].tolist() == [1.0, *[0.0] * (chances.shape[1] - 1)]
    ordered = np.array([[0.0, 5.0, 0.0, 0.0]])
    assert lead_chances(np.array([0]), ordered, np.full((1, 4), np.nan))[0, 0] < 1.0


def test_an_order_that_is_not_there_counts_for_what_is_left():
    """Chances 1/2, 1/4, lost 1/4; one order of age 1: 1/2 is left, so half of it counts for lead 1, half for lost."""
    assert _expected(np.array([[0.5, 0.25, 0.25]]), np.array([[0.0, 1.0, 0.0]])).tolist() == [[0.0, 0.5, 0.5]]


def test_the_chance_of_an_order_that_does_not_come_falls_to_nothing():
    chances = lead_chances(np.array([2]), np.ones((1, 1)), np.full((1, 1), np.nan))
    lost = [float(chances_at_age(chances, age)[0, -1]) for age in range(10)]
    assert lost == sorted(lost)
    assert lost[0] < 0.1
    assert lost[3] > 0.3  # the promise is broken
    assert lost[8] == 1.0  # past the furthest lead of 7


def test_overdue_orders_make_new_ones_look_less_sure():
    kept = believed(2, [2, 2, 2, np.nan, np.nan])
    broken = believed(2, [2, np.nan, np.nan, np.nan, np.nan])
    assert kept[-1] < 0.01
    assert broken[-1] > 0.1


def test_orders_that_are_only_late_raise_the_chance_of_loss_before_they_are_given_up():
    """Five came as promised, five are of age 4 to 8 of at most 9: most of these are taken for lost by now."""
    chances = believed(3, [3] * 5 + [np.nan] * 5 + [np.nan] * 3, [1] * 10 + [0] * 3)
    assert 0.2 < chances[-1] < 0.5
    assert chances[4:-1].sum() > 0.05


def test_a_word_that_is_kept_is_soon_believed_and_once_broken_no_longer():
    assert believed(0, [0, 0, 0])[0] > 0.97
    assert believed(0, [0, 0, 0, 1])[0] < 0.7


def test_lost_share_and_lead_times_are_learnt():
    """A supplier of 2 who takes 1, 2 or 3 or loses the order, a quarter each: after 80 orders, within 0.1 of it."""
    random = np.random.default_rng(4)
    lead = random.choice([1.0, 2.0, 3.0, np.inf], 80)
    due = np.arange(80) + lead
    seen = np.where(due < 80, lead, np.nan)  # a loss is not told
    chances = believed(2, seen)
    assert chances.sum() == pytest.approx(1.0)
    assert np.abs(chances[[1, 2, 3, -1]] - 0.25).max() < 0.1
    assert chances[[0, 4, 5, 6, 7]].max() < 0.03


def test_a_loss_that_is_told_counts_at_once():
    assert believed(2, [2, np.inf, 2])[-1] > believed(2, [2, np.nan, 2])[-1] + 0.05


def test_where_losses_are_told_an_order_without_news_is_under_way():
    """Chances 1/2, 1/4, lost 1/4: at age 1 all is left for lead 1; it counts there whole."""
    chances = np.array([[0.5, 0.25, 0.25]])
    assert chances_at_age(chances, 1, losses_told=True) == pytest.approx(np.array([[0.0, 1.0, 0.0]]), abs=1e-9)
    assert _expected(chances, np.array([[0.0, 1.0, 0.0]]), losses_told=True).tolist() == [[0.0, 1.0, 0.0]]
    # Past the furthest lead it is lost all the same.
    assert chances_at_age(chances, 2, losses_told=True).tolist() == [[0.0, 0.0, 1.0]]


def test_buckets_without_an_order_tell_nothing():
    plain = believed(2, [2, 3, np.nan], [5, 5, 5])
    assert believed(2, [np.nan, np.nan, 2, 3, np.nan], [0, 0, 5, 5, 5]).tolist() == plain.tolist()


def test_an_order_past_the_furthest_lead_that_comes_after_all_counts_as_late_as_can_be():
    assert believed(1, [9] + [np.nan] * 9, [1] + [0] * 9)[5] > 0.1


def test_suppliers_are_believed_one_by_one():
    random = np.random.default_rng(5)
    promised = random.integers(0, 5, 12)
    ordered = random.integers(0, 3, (12, 30)).astype(float)
    came_after = np.where(random.uniform(size=(12, 30)) < 0.6, random.integers(0, 5, (12, 30)), np.nan)
    together = lead_chances(promised, ordered, came_after)
    for i in range(12):
        alone = lead_chances(promised[i : i + 1], ordered[i : i + 1], came_after[i : i + 1])[0]
        last = len(alone) - 1
        assert together[i, :last].tolist() == alone[:-1].tolist()
        assert together[i, -1] == alone[-1]
        assert not together[i, last:-1].any()
