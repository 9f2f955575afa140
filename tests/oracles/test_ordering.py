"""Slow against fast on random small instances: the cheapest order by trying each quantity on each path."""

import numpy as np
import pytest

from datong.plan.ordering import cheapest_units, expected_gain, window


def expected_cost(q, case):
    """Money over all paths of a window, by the loop."""
    total = 0.0
    for demand, arriving, opens, closes in zip(*case["paths"], strict=True):
        end = min(closes, len(demand))
        if opens >= end:
            continue
        stock, extra = case["on_hand"], 0.0
        for t in range(len(demand)):
            extra += q if t == opens else 0.0
            if case["backorders"]:
                stock += arriving[t] - demand[t]
                owed, lies = max(-(stock + extra), 0.0), max(min(extra, stock + extra), 0.0)
            else:
                short = max(demand[t] - stock - arriving[t], 0.0)
                stock = max(stock + arriving[t] - demand[t], 0.0)
                owed, extra = max(short - extra, 0.0), max(extra - short, 0.0)
                lies = extra
            if opens <= t < end:
                total += case["shortage"] * owed + case["holding"] * lies
            elif t >= end:
                total += case["share"] * case["holding"] * lies
    return total


def random_case(seed):
    random = np.random.default_rng(seed)
    count, buckets = int(random.integers(1, 7)), int(random.integers(1, 6))
    opens = random.integers(0, buckets + 1, count)
    paths = (
        random.integers(0, 7, (count, buckets)).astype(float),
        random.integers(0, 4, (count, buckets)) * random.integers(0, 2, (count, buckets)).astype(float),
        opens,
        opens + random.integers(0, 4, count),
    )
    return {
        "paths": paths,
        "on_hand": float(random.integers(0, 7)),
        "shortage": float(random.integers(1, 12)),
        "holding": float(random.integers(1, 4)),
        "share": float(random.choice([0.0, 0.5, 1.0])),
        "backorders": bool(random.integers(0, 2)),
    }


@pytest.mark.parametrize("seed", range(300))
def test_no_other_quantity_costs_less(seed):
    case = random_case(seed)
    demand, arriving, opens, closes = (part[None] for part in case["paths"])
    view = window(demand, np.array([case["on_hand"]]), arriving, opens, closes, backorders=case["backorders"])
    money = case["shortage"], case["holding"]
    found = cheapest_units(view, *money, leftover_share=case["share"])[0]
    costs = [expected_cost(q, case) for q in range(45)]
    assert costs[int(found)] == pytest.approx(min(costs))
    # Of equally good quantities it is the smallest.
    assert found == next(q for q, cost in enumerate(costs) if cost <= min(costs) + 1e-9)


@pytest.mark.parametrize("seed", range(300, 400))
def test_what_an_order_saves_is_the_difference_of_costs(seed):
    case = random_case(seed)
    demand, arriving, opens, closes = (part[None] for part in case["paths"])
    on_hand, q = np.array([case["on_hand"]]), float(seed % 9)
    view = window(demand, on_hand, arriving, opens, closes, backorders=case["backorders"])
    money = case["shortage"], case["holding"]
    gain = expected_gain(view, np.array([q]), *money, leftover_share=case["share"])[0]
    assert gain * demand.shape[1] == pytest.approx(expected_cost(0.0, case) - expected_cost(q, case))
