"""Replenishment as a whole: each item by itself, with a reason that fits its order."""

from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest

from datong.forecast.jumping_level import follow, observe, sample_paths
from datong.order_each_item import Known, Lots, decide, looked_at, replenish

NOT_YET = np.nan


def known(items=8, buckets=20, seed=1, promised=(0, 2, 4, 1)):
    """Steady demand of about 100, orders of 100 in the last 15 buckets, most of which came as promised."""
    random = np.random.default_rng(seed)
    lead = np.resize(np.array(promised), items)
    ordered = np.zeros((items, buckets))
    ordered[:, 5:] = 100.0
    came_after = np.where(random.uniform(size=ordered.shape) < 0.8, lead[:, None] + 0.0, NOT_YET)
    came_after[np.arange(buckets) + lead[:, None] >= buckets] = NOT_YET
    demand = np.round(random.normal(100, 20, (items, buckets)))
    facts = Known(
        ordered=ordered,
        came_after=came_after,
        on_hand=np.round(random.uniform(0, 120, items)),
        promised_lead=lead,
        shortage_cost=np.resize(np.array([1.0, 4.0, 19.0]), items),
        holding_cost=np.ones(items),
    )
    return facts, demand


def replenished(facts, demand, **options):
    return replenish(facts, follow(demand, looked_at(facts.promised_lead)), **options)


def rows(facts, chosen):
    arrays = [field.name for field in fields(facts) if isinstance(getattr(facts, field.name), np.ndarray)]
    return replace(facts, **{name: getattr(facts, name)[chosen] for name in arrays})


def test_an_item_is_decided_the_same_alone_and_beside_others():
    """Some of them sell so little that a unit lies for longer than is looked at."""
    facts, demand = known(24)
    demand[::2] = np.random.default_rng(2).poisson(0.3, demand[::2].shape)
    facts = replace(facts, on_hand=np.where(np.arange(24) % 2 == 0, 0.0, facts.on_hand))
    facts = replace(facts, ordered=facts.ordered * (np.arange(24) % 2)[:, None], shortage_cost=np.full(24, 9.0))
    together = replenished(facts, demand)
    assert together.units[::2].max() > 0
    for i in range(24):
        alone = replenished(rows(facts, [i]), demand[[i]])
        for field in fields(together):
            assert getattr(alone, field.name)[0] == getattr(together, field.name)[i], field.name


def test_same_facts_and_seed_give_the_same_bytes():
    first, second = replenished(*known()), replenished(*known())
    assert first.units.tobytes() == second.units.tobytes()


def test_a_belief_kept_from_bucket_to_bucket_is_that_of_the_whole_history():
    facts, demand = known()
    kept = follow(demand[:, :-1], looked_at(facts.promised_lead))
    kept = observe(kept, demand[:, -1])
    assert replenish(facts, kept).units.tolist() == replenished(facts, demand).units.tolist()


def test_orders_are_whole_cut_by_capacity_and_none_where_stock_is_plenty():
    facts, demand = known()
    units = replenished(facts, demand).units
    assert (units == np.round(units)).all()
    assert units.max() > 30
    assert replenished(facts, demand, most_units=30).units.tolist() == np.minimum(units, 30).tolist()
    assert not replenished(replace(facts, on_hand=np.full(8, 5000.0)), demand).units.any()


def test_a_dearer_shortage_orders_no_less_and_is_short_no_more_often():
    facts, demand = known(items=4)
    orders = [replenished(replace(facts, shortage_cost=np.full(4, cost)), demand) for cost in (1.0, 4.0, 19.0)]
    for less, more in pairwise(orders):
        assert (more.units >= less.units).all()
        assert (more.short_after <= less.short_after).all()
    assert (orders[2].short_after <= orders[2].short_before).all()


def test_an_order_that_is_long_overdue_is_ordered_anew():
    """Lead 0 that was always kept, but yesterday's 100 did not come: they are not counted on."""
    facts, demand = known(items=1, promised=(0,))
    came = np.zeros_like(facts.came_after)
    late = came.copy()
    late[0, -1] = NOT_YET
    sure = replenished(replace(facts, came_after=came, on_hand=np.zeros(1), shortage_cost=np.full(1, 4.0)), demand)
    doubtful = replenished(replace(facts, came_after=late, on_hand=np.zeros(1), shortage_cost=np.full(1, 4.0)), demand)
    assert sure.lost_chance[0] < 0.02 < doubtful.lost_chance[0]
    assert sure.units[0] > 100
    assert doubtful.units[0] > 60


def test_without_any_history_nothing_is_ordered():
    facts, _ = known(items=2, buckets=6)
    facts = replace(facts, ordered=np.zeros((2, 6)))
    assert replenished(facts, np.full((2, 6), np.nan)).units.tolist() == [0, 0]


@pytest.mark.parametrize("buckets", [1, 5])
def test_few_observations_are_enough_to_act(buckets):
    """No stock, nothing under way, four times as dear to be short: between half and twice the mean of a bucket."""
    facts, _ = known(items=1, buckets=buckets, promised=(0,))
    facts = replace(facts, ordered=np.zeros((1, buckets)))
    facts = replace(facts, on_hand=np.zeros(1), shortage_cost=np.full(1, 4.0))
    assert 100 <= replenished(facts, np.full((1, buckets), 100.0)).units[0] <= 200


def test_paths_in_hand_are_decided_as_those_it_draws_and_lots_are_the_best_ones():
    """100 of each path: what is wanted in steps of 70, or at least 400, is worth no less than its neighbours."""
    facts, demand = known()
    followed = follow(demand, looked_at(facts.promised_lead))
    drawn = [
        sample_paths(rows(followed, [i]), looked_at(facts.promised_lead), facts.promised_lead[[i]], 64, 0)[0]
        for i in range(8)
    ]
    units = decide(facts, np.stack(drawn)).units
    assert units.tolist() == replenished(facts, demand).units.tolist()
    steps = Lots(np.full(8, 70.0), np.where(np.arange(8) < 4, 0.0, 400.0))
    in_lots = decide(facts, np.stack(drawn), lots=steps)
    assert (in_lots.units % 70 == 0).all() and (np.abs(in_lots.units[:4] - units[:4]) < 70).all()
    assert ((in_lots.units[4:] == 0) | (in_lots.units[4:] >= 400)).all()
    assert (in_lots.value >= 0).all()


def test_lots_that_are_fractions_lose_nothing_to_rounding():
    """Of 0.3 each, three are 0.8999999999999999: still the smallest order of 0.9, and the most of 0.9 that can be had.
    Where any number can be ordered, that is what is wanted or the most."""
    facts, _ = known(items=4, promised=(0,))
    facts = replace(facts, on_hand=np.zeros(4), ordered=np.zeros_like(facts.ordered), shortage_cost=np.full(4, 2.0))
    asked = np.full((4, 64, looked_at(facts.promised_lead)), 0.85)
    lots = Lots(np.array([0.3, 0.3, 0.0, 0.0]), np.array([0.9, 0.0, 0.0, 0.0]))
    most = np.array([np.inf, 0.8999999999999999, 0.37, np.inf])
    assert decide(facts, asked, lots=lots, most_units=most).units == pytest.approx([0.9, 0.9, 0.37, 0.85], abs=1e-12)


@pytest.mark.parametrize(("lead", "units", "value"), [(0, 10, 5.0), (1, 2, 3.0)])
def test_only_a_next_order_that_sees_what_was_left_takes_nothing_over(lead, units, value):
    """Demand 10 or 2 in every bucket, 1.5 lost and 1 held: units 3 to 10 are worth 1.5 x 1/2 - 1 x 1/2 alone. Without a
    lead time the next order is placed when that is over, and 10 save (1.5 x 10 + 1.5 x 2 - 8)/2; with one it would sell
    too of what these sell, 1 of the 1.5 where demand is 10, and hold 1 more where it is 2: (0.5 x 2 + 2.5 x 2)/2."""
    facts, _ = known(items=1, promised=(lead,))
    facts = replace(facts, ordered=np.ones((1, 20)), came_after=np.full((1, 20), float(lead)))
    facts = replace(facts, on_hand=np.zeros(1), shortage_cost=np.full(1, 1.5))
    paths = np.tile(np.where(np.arange(64) % 2, 10.0, 2.0)[None, :, None], (1, 1, looked_at(facts.promised_lead)))
    order = decide(facts, paths)
    assert order.units.tolist() == [units]
    assert order.value == pytest.approx([value])
    with pytest.raises(ValueError, match="buckets"):
        decide(facts, paths[:, :, 1:])


def test_windows_follow_the_review():
    """Sure demand of 5, a lead time of 1 that was kept, orders every second bucket: 10 for buckets 1 and 2."""
    facts, _ = known(items=1, promised=(1,))
    facts = replace(facts, ordered=np.ones((1, 20)), came_after=np.ones((1, 20)))
    facts = replace(facts, on_hand=np.full(1, 5.0), shortage_cost=np.full(1, 9.0))
    paths = np.full((1, 64, looked_at(facts.promised_lead, 2)), 5.0)
    assert paths.shape[2] == 7
    assert decide(facts, paths, review_buckets=2).units.tolist() == [10]
