"""The order by hand: each figure is worked out in the docstring."""

import numpy as np
import pytest

from datong.plan.how_much_to_order import cheapest_units, whole_units, window, with_next_order

NEVER = 99


def order(demand, opens, closes, shortage, holding, *, on_hand=0.0, arriving=None, backorders=False, ends=None):
    """Cheapest units of one item: demand (path, bucket); ends: bucket in which the next order's window ends."""
    demand = np.asarray(demand, dtype=float)[None]
    arriving = np.zeros_like(demand) if arriving is None else np.asarray(arriving, dtype=float)[None]
    windows = [np.broadcast_to(np.asarray(at), demand.shape[1:2])[None] for at in (opens, closes, ends or closes)]
    view = window(demand, np.array([on_hand]), arriving, *windows, backorders=backorders)
    own = cheapest_units(view, shortage, holding)
    if ends is None:
        return float(own[0])
    judged, taken = with_next_order(view, own, shortage, holding, np.zeros(demand.shape[:2], dtype=bool))
    return float(cheapest_units(judged, shortage, holding, taken)[0])


def test_one_bucket_is_the_newsvendor():
    """Demand 1, 2, 3 or 4; shortage 3, holding 1. Unit 3: 3 x 2/4 > 1 x 2/4; unit 4: 3 x 1/4 <= 1 x 3/4."""
    assert order([[1], [2], [3], [4]], 0, 1, 3.0, 1.0) == 3
    assert order([[1], [2], [3], [4]], 0, 1, 3.1, 1.0) == 4


def test_a_unit_for_the_second_bucket_of_the_window_is_held_in_the_first():
    """Sure demand 2 then 3. Units 3 to 5 are sold for 4 and held once: worth it at holding 3.9, not at 4."""
    assert order([[2, 3]], 0, 2, 4.0, 3.9) == 5
    assert order([[2, 3]], 0, 2, 4.0, 4.0) == 2


def test_what_can_wait_for_the_next_order_waits():
    assert order([[2, 3]], 0, 1, 100.0, 1.0) == 2


def test_stock_and_arrivals_by_then_serve_first():
    """Of 6, 4 are sold before the order arrives, 3 arrive with it: 5 of the window's 7 are there."""
    assert order([[4, 7]], 1, 2, 4.0, 1.0, on_hand=6.0, arriving=[[0, 3]]) == 2


def test_demand_lost_before_the_order_arrives_does_not_come_back():
    """9 asked of 4 in bucket 0: 5 are lost, and bucket 1 asks for 2 only; as backorders all 7 are wanted."""
    assert order([[9, 2]], 1, 2, 4.0, 1.0, on_hand=4.0) == 2
    assert order([[9, 2]], 1, 2, 4.0, 1.0, on_hand=4.0, backorders=True) == 7


def test_backorders_weigh_waiting_against_lying_in_each_bucket():
    """Owed 1 after bucket 0 and 4 after bucket 1. Unit 2 spares waiting in one bucket and lies in one: 3 > 2."""
    assert order([[1, 3]], 0, 2, 3.0, 2.0, backorders=True) == 4
    assert order([[1, 3]], 0, 2, 2.0, 2.0, backorders=True) == 1


def test_an_order_that_is_lost_or_overtaken_on_a_path_is_decided_by_the_others():
    """Demand 8 would tell against 2; on its path the order never arrives, or not before the next."""
    assert order([[2], [8]], [0, NEVER], [1, NEVER], 9.0, 1.0) == 2
    assert order([[2, 0], [8, 8]], [0, 1], [1, 1], 9.0, 1.0) == 2
    assert order([[8]], NEVER, NEVER, 9.0, 1.0) == 0


def test_fractions_are_rounded_up_and_capacity_cuts_in_whole_units():
    """A half unit short is lost if not covered: 0.5 x 9 > 0.5 x 1."""
    assert order([[1.5]], 0, 1, 9.0, 1.0) == 1.5
    units = np.array([1.5, 2.0 + 1e-12, 5.0, 5.0])
    assert whole_units(units, np.array([np.inf, np.inf, 3.0, 2.9])).tolist() == [2, 2, 3, 2]


def test_what_is_left_of_a_falling_demand_lies_on():
    """Demand 10 or 2, then none, so that no next order takes over what is left. Units 3 to 10: 4 x 1/2 against 1 x 1/2
    in the window, or 1 x 1/2 in each of its four buckets with those of the next one."""
    demand = [[10, 0, 0, 0], [2, 0, 0, 0]]
    for backorders in (False, True):
        assert order(demand, 0, 1, 4.0, 1.0, backorders=backorders) == 10
    assert order(demand, 0, 1, 4.0, 1.0, ends=4) == 2
    assert order(demand, 0, 1, 4.1, 1.0, ends=4) == 10
    # On a third path 8 of them sell in the second bucket: 2 x 2.5 against 2 + 1 buckets of lying.
    assert order([[10, 0], [2, 0], [2, 8]], 0, 1, 2.5, 1.0, ends=2) == 10
    assert order([[10, 0], [2, 0], [2, 0]], 0, 1, 2.5, 1.0, ends=2) == 2
    # With backorders each of the units also spares waiting in all four.
    assert order(demand, 0, 1, 1.1, 1.0, ends=4, backorders=True) == 10


def test_what_the_next_order_would_sell_too_counts_once():
    """Demand 10 or 2 in both buckets. Alone, units 3 to 10 are worth 1.5 x 1/2 - 1 x 1/2. The next order is 10 too: its
    last unit and one more are worth 1.5 or -1 after a demand of 10, and -1 after 2; so v is 1 and -1. Of 1.5 there is
    left 0.5: 0.5 x 1/2 < 1 x 1/2. At 3, v is the same and 2 are left."""
    demand = [[10, 10], [2, 2]]
    assert order(demand, 0, 1, 1.5, 1.0) == 10
    assert order(demand, 0, 1, 1.5, 1.0, ends=2) == 2
    assert order(demand, 0, 1, 3.0, 1.0, ends=2) == 10


def test_what_would_lie_in_the_next_window_had_better_be_sold_now():
    """Demand 10 then 2, or 2 then 10; 0.9 lost, 1 held. Alone 2 is best, and 2 is next. v is 0.9 after the demand of
    2, so that it is -0.9 after that of 10: units 3 to 10 are worth (0.9 + 0.9) x 1/2 - 1 x 1/2."""
    demand = [[10, 2], [2, 10]]
    assert order(demand, 0, 1, 0.9, 1.0) == 2
    assert order(demand, 0, 1, 0.9, 1.0, ends=2) == 10


def test_sure_demand_is_ordered_window_by_window():
    for backorders in (False, True):
        assert order([[5, 5], [5, 5]], 0, 1, 9.0, 1.0, ends=2, backorders=backorders) == 5


def test_stock_by_then():
    """3 on hand, 5 asked, 4 arrive: 0 + 4 when bucket 1 opens, 4 - 1 + 2 when bucket 2 does; owed: 2 less."""
    demand, arriving = np.array([[[5.0, 1.0, 1.0]] * 4]), np.array([[[0.0, 4.0, 2.0]]])
    opens = np.array([[0, 1, 2, NEVER]])
    for backorders, units in ((False, [3, 4, 5, 0]), (True, [3, 2, 3, 0])):
        view = window(demand, np.array([3.0]), arriving, opens, opens + 1, backorders=backorders)
        assert view.stock_then[0].tolist() == units


def test_shortage_of_the_window_starts_at_its_first_bucket():
    view = window(np.array([[[4.0, 4.0, 4.0]]]), np.zeros(1), np.zeros((1, 1, 3)), np.array([[1]]), np.array([[3]]))
    assert view.short[0, 0].tolist() == [0, 4, 8]
    assert (view.inside[0, 0].tolist(), view.last[0, 0].tolist()) == ([False, True, True], [False, False, True])


@pytest.mark.parametrize("backorders", [False, True])
def test_items_are_decided_one_by_one(backorders):
    random = np.random.default_rng(3)
    demand, arriving = (random.integers(0, 9, (20, 8, 5)).astype(float) for _ in range(2))
    on_hand, opens = random.integers(0, 9, 20).astype(float), random.integers(0, 3, (20, 8))
    closes, shortage = opens + random.integers(0, 4, (20, 8)), random.uniform(1, 9, 20)

    def units(rows):
        parts = (demand[rows], on_hand[rows], arriving[rows], opens[rows], closes[rows])
        return cheapest_units(window(*parts, backorders=backorders), shortage[rows], 1.0)

    assert units(slice(None)).tolist() == [float(units([i])[0]) for i in range(20)]
