"""Slow against fast on random small instances: the cheapest order by trying each quantity on each path."""

import numpy as np
import pytest

from datong.plan.how_much_to_order import cheapest_units, expected_gain, window, with_next_order
from each import each_seed


def costs_by_path(case, q, then=0, windows=1):
    """Money on each path of a window, or of it and the next one, by the loop. then: units of the next order."""
    result = []
    for demand, arriving, opens, closes, ends in zip(*case["paths"], strict=True):
        end = min(closes if windows == 1 else ends, len(demand))
        total, stock, extra = 0.0, case["on_hand"], 0.0
        for t in range(end if opens < closes else 0):
            extra += (q if t == opens else 0.0) + (then if t == closes else 0.0)
            if case["backorders"]:
                stock += arriving[t] - demand[t]
                owed, lies = max(-(stock + extra), 0.0), max(min(extra, stock + extra), 0.0)
            else:
                short = max(demand[t] - stock - arriving[t], 0.0)
                stock = max(stock + arriving[t] - demand[t], 0.0)
                owed, extra = max(short - extra, 0.0), max(extra - short, 0.0)
                lies = extra
            if t >= opens:
                total += case["shortage"] * owed + case["holding"] * lies
        result.append(total)
    return np.array(result)


def random_case(seed, backorders=None):
    random = np.random.default_rng(seed)
    count, buckets = int(random.integers(1, 7)), int(random.integers(1, 6))
    opens = random.integers(0, buckets + 1, count)
    closes = opens + random.integers(0, 4, count)
    paths = (
        random.integers(0, 7, (count, buckets)).astype(float),
        random.integers(0, 4, (count, buckets)) * random.integers(0, 2, (count, buckets)).astype(float),
        opens,
        closes,
        closes + random.integers(0, 4, count),
    )
    return {
        "paths": paths,
        "on_hand": float(random.integers(0, 7)),
        "shortage": float(random.integers(1, 12)),
        "holding": float(random.integers(1, 4)),
        "backorders": bool(random.integers(0, 2)) if backorders is None else backorders,
    }


def view_of(case):
    demand, arriving, *ends = (part[None] for part in case["paths"])
    return window(demand, np.array([case["on_hand"]]), arriving, *ends, backorders=case["backorders"])


@each_seed(range(300))
def test_no_other_quantity_costs_less(seed):
    case = random_case(seed)
    found = cheapest_units(view_of(case), case["shortage"], case["holding"])[0]
    costs = [costs_by_path(case, q).sum() for q in range(45)]
    assert costs[int(found)] == pytest.approx(min(costs))
    # Of equally good quantities it is the smallest.
    assert found == next(q for q, cost in enumerate(costs) if cost <= min(costs) + 1e-9)


@each_seed(range(300, 400))
def test_what_an_order_saves_is_the_difference_of_costs(seed):
    case, q = random_case(seed), float(seed % 9)
    gain = expected_gain(view_of(case), np.array([q]), case["shortage"], case["holding"])[0]
    assert gain == pytest.approx((costs_by_path(case, 0.0) - costs_by_path(case, q)).mean())


@each_seed(range(400, 700))
def test_what_the_next_order_takes_over(seed):
    """It is best after this one; a unit more of it is worth nothing on average, and moving one saves what is said."""
    case = random_case(seed)
    money, view = (case["shortage"], case["holding"]), view_of(case)
    own = cheapest_units(view, *money)
    never_settled = np.zeros(view.short.shape[:2], dtype=bool)
    judged, worth = with_next_order(view, own, *money, never_settled)
    q = int(own[0])
    then = min(range(45), key=lambda units: round(costs_by_path(case, q, units, 2).sum(), 6))
    if not then:  # no next order: this one is best for both windows
        costs = [costs_by_path(case, units, 0, 2).sum() for units in range(45)]
        assert costs[int(cheapest_units(judged, *money, worth)[0])] == pytest.approx(min(costs))
        assert not worth.any()
        return
    assert np.array_equal(judged.inside, view.inside) and np.array_equal(judged.last, view.last)
    less, just, more = (costs_by_path(case, q, then + d, 2) for d in (-1, 0, 1))
    moved = just.mean() - costs_by_path(case, q + 1, then - 1, 2).mean()
    if case["backorders"]:
        assert not worth.any()
    else:
        assert worth.mean() == pytest.approx(0.0)
        # Of a unit more and the last unit of it, in one share on all paths.
        last, one_more = less - just, just - more
        ties = last - one_more > 0.5
        share = (worth[0] - one_more)[ties] / (last - one_more)[ties]
        assert share.max() == pytest.approx(share.min()) and 0 <= share[0] <= 1
        assert worth[0][~ties] == pytest.approx(last[~ties])
        worth = (less - just)[None]
    gains = [expected_gain(view, own + d, *money, worth)[0] for d in (0, 1)]
    assert gains[1] - gains[0] == pytest.approx(moved)


def test_a_settled_window_takes_nothing_over():
    case = next(c for c in (random_case(seed, backorders=False) for seed in range(700, 800)) if taken(c, False).any())
    assert not taken(case, True).any()


def taken(case, settled):
    view, money = view_of(case), (case["shortage"], case["holding"])
    return with_next_order(view, cheapest_units(view, *money), *money, np.full(view.short.shape[:2], settled))[1]
