"""Slow against fast on random small instances: the cheapest order by trying each quantity on each path."""

import numpy as np
import pytest

from datong.plan.ordering import order_units


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
    found = order_units(
        demand,
        np.array([case["on_hand"]]),
        arriving,
        opens,
        closes,
        case["shortage"],
        case["holding"],
        backorders=case["backorders"],
        leftover_share=case["share"],
    )[0]
    costs = [expected_cost(q, case) for q in range(45)]
    assert costs[int(found)] == pytest.approx(min(costs))
    # Of equally good quantities it is the smallest.
    assert int(found) == next(q for q, cost in enumerate(costs) if cost <= min(costs) + 1e-9)
