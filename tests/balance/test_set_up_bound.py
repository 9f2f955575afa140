"""The bound in which each lot pays for its set-up: its programme against all sets of choices, and below any plan."""

from dataclasses import replace
from itertools import chain, combinations

import numpy as np
import pytest

from cases.random_chains import BILL_FEATURES, CO_PRODUCTS, PRODUCT_FEATURES, random_chain
from datong.balance.bound import is_below, lower_bound
from datong.balance.leftovers import most_saved
from datong.balance.set_up_bound import Choices, least_with_set_ups
from datong.cycle import decide, head
from datong.model.demand_layers import layer_grid, layer_slopes
from datong.model.flow import FloatArray, nothing_learnt
from each import each_seed

NOT_KNOWN = frozenset({*BILL_FEATURES, *PRODUCT_FEATURES, *CO_PRODUCTS, "lanes"})
HOLDING, LATE, LOST = 1.0, 4.0, 30.0


def layers_of(asked: list[float]) -> tuple[FloatArray, FloatArray]:
    """(layer) units, and (layer, bucket) money of one that is there from a bucket on, less what it costs unserved."""
    width, chance = layer_grid(np.cumsum(np.array([asked]), axis=1))
    slopes = layer_slopes(chance, HOLDING, LATE, LOST, 0.0)
    return width, np.cumsum(slopes[:, ::-1], axis=1)[:, ::-1]


def least(price: FloatArray, set_up: FloatArray, asked: list[float], too_late: np.ndarray | None = None) -> float:
    """What demand costs less than unserved. price, set_up: (way, bucket)."""
    width, cost = layers_of(asked)
    never = np.zeros((1, *cost.shape), dtype=bool) if too_late is None else too_late[None]
    return float(least_with_set_ups(Choices(price[None], set_up[None]), width[None], cost[None], never)[0])


@pytest.mark.parametrize(
    ("asked", "set_up", "cost"),
    [
        # One lot of 20 in week 1: 35 + 10 held for a week; or two of 10: 70.
        ([10.0, 10.0], 35.0, 45.0),
        ([10.0, 10.0], 5.0, 10.0),
        # 40 in week 3 are not held for two weeks; the first 10 wait for one week rather than for a set-up of their own.
        ([0.0, 10.0, 40.0], 45.0, 85.0),
        # A set-up costs more than the sale of one.
        ([1.0], 35.0, 34.0),
    ],
)
def test_lots_by_hand(asked: list[float], set_up: float, cost: float) -> None:
    free = np.zeros((1, len(asked)))
    width, saved = layers_of(asked)
    unserved = -sum(w * c for w, c in zip(width, saved.min(axis=1), strict=True))  # to serve all at once costs nothing
    assert least(free, free + set_up, asked) + unserved == pytest.approx(cost)


@each_seed(range(60))
def test_it_is_the_least_over_all_sets_of_choices(seed: int) -> None:
    random = np.random.default_rng(seed)
    buckets, ways = int(random.integers(2, 5)), int(random.integers(1, 3))
    asked = (random.integers(0, 4, buckets) * 5.0).tolist()
    price = random.uniform(0, 25, (ways, buckets))
    price[random.random(price.shape) < 0.2] = np.inf
    set_up = random.uniform(0, 60, (ways, buckets))
    width, cost = layers_of(asked)
    too_late = np.zeros(cost.shape, dtype=bool)
    if len(width) and seed % 3 == 0:  # the first layers must be there by some bucket
        too_late[: int(random.integers(1, len(width) + 1)), buckets - 1 :] = True
    places = [place for place in np.ndindex(price.shape) if np.isfinite(price[place])]
    found = []
    for own in chain.from_iterable(combinations(places, size) for size in range(len(places) + 1)):
        money = sum(float(set_up[place]) for place in own)
        for n, units in enumerate(width):
            there = [price[k, a] + cost[n, a] for k, a in own if not too_late[n, a]]
            money += units * min([*there, *([] if too_late[n].any() else [0.0])], default=np.inf)
        found.append(money)
    assert least(price, set_up, asked, too_late) == pytest.approx(min(found))


def test_no_plan_in_lots_costs_less() -> None:
    """Of random chains, of which HiGHS finds good lots, with the prices of the market and with others. In some of them
    set-ups add to the bound."""
    rises = 0
    for seed in range(30):
        decision = decide(head(random_chain(seed, without=NOT_KNOWN).state, nothing_learnt(), 0))
        market, prices = decision.given_out.market, decision.market.solution.prices
        random = np.random.default_rng(seed)
        for scale in (np.ones(prices.line.shape), random.uniform(0.0, 2.0, prices.line.shape)):
            priced = replace(prices, line=prices.line * scale)
            plain, in_lots = lower_bound(market, priced), lower_bound(market, priced, in_lots=True)
            assert in_lots >= plain - 1e-6 * max(abs(plain), 1.0), seed
            assert is_below(in_lots - most_saved(market), decision.given_out.total_cost, market, 1e-6), seed
            rises += in_lots > plain + 1.0
    assert rises > 3
