"""Slow against fast on random small instances: lots by plain loops over runs, and expected costs path by path."""

import math

import numpy as np

from datong.model.demand_layers import SortedDemand, expected_over_and_short
from datong.network.economics import Economics
from datong.network.ways import Way
from datong.plan.lots_along_clearing import NOTHING, Need, PartShifts, _cheapest_runs, _lot_units
from datong.plan.worth import Curve, DemandShifts
from each import each_seed


def random_product(seed):
    """Needs of one product by one or two ways over 3-9 buckets, and its cumulative demand on 1-20 paths."""
    random = np.random.default_rng(seed)
    buckets, paths = int(random.integers(3, 10)), int(random.choice([1, 7, 20]))
    demand = np.cumsum(random.poisson(random.uniform(0.5, 15), (paths, buckets)).astype(float), axis=1)
    late = float(random.uniform(0.5, 3.0))
    economics = Economics(20.0, float(random.uniform(0.01, 0.5)), late, 20.0, float(random.choice([8.0, 20.0])), 7.0)
    ways = [
        Way(
            name=f"A/{k}",
            kind="make",
            product="A",
            line="L",
            hours_per_unit=0.1,
            cost_per_unit=float(random.uniform(5, 9)),
            setup_hours=float(random.choice([0.0, 0.5])),
            setup_cost=float(random.choice([0.0, 15.0])),
            min_units=float(random.choice([0.0, 12.0])),
            multiple_units=float(random.choice([0.0, 5.0])),
            lead_days=7 * k,
            yield_share=float(random.choice([1.0, 0.9])),
            units_per_week=math.inf,
            uses=(),
            valid_from=None,
            valid_to=None,
        )
        for k in range(random.integers(1, 3))
    ]
    needs = []
    for k, way in enumerate(ways):
        chosen = random.random(buckets - k) < 0.6
        chosen[0] = True
        for start in np.flatnonzero(chosen):
            units = float(random.uniform(0.2, 14))
            most = units + float(random.choice([0.0, 6.0, math.inf]))
            price = way.cost_per_unit + float(random.uniform(0, 2))
            needs.append(Need(way, int(start), int(start) + k, units, price, float(random.uniform(0, 3)), most))
    needs.sort(key=lambda n: (n.arrive, n.start, n.way.name))
    supply = np.zeros(buckets)
    for need in needs:
        supply[need.arrive] += need.good
    return needs, demand, economics, np.cumsum(supply)


class PlainShifts:
    """What shifts of a sold product cost, from the sample paths, one shift at a time."""

    def __init__(self, demand, economics, supply):
        self.demand, self.economics, self.supply = demand, economics, supply

    def change(self, units):
        return self._cost(units) - self._cost(0.0)

    def _cost(self, units):
        e = self.economics
        over, short = expected_over_and_short(self.supply + units, self.demand)
        cost = e.holding_per_bucket * over + e.late_per_bucket * short
        cost[-1] += e.waiting_at_end * short[-1] - e.salvage * over[-1]
        return cost

    def early(self, units, needed, arrive):
        return self.change(units)[arrive:needed].sum() if arrive < needed else 0.0

    def late(self, units, needed, arrive):
        return max(self.change(-units)[needed:arrive].sum(), 0.0) if arrive > needed else 0.0

    def dropped(self, units, needed):
        return self.change(-units)[needed:].sum()

    def worth_of_more(self, units, arrive):
        return -self.change(units)[arrive:].sum()


class PlainPartShifts:
    def __init__(self, holding):
        self.holding = holding

    def early(self, units, needed, arrive):
        return units * self.holding * max(needed - arrive, 0)

    def late(self, units, needed, arrive):
        return math.inf if arrive > needed else 0.0

    def dropped(self, units, needed):
        return math.inf

    def worth_of_more(self, units, arrive):
        return 0.0


def plain_cheapest_runs(needs, shifts, whole):
    """The dynamic programme of plan/lots_along_clearing.py as its module says it, run by run."""
    best = [0.0] + [math.inf] * len(needs)
    choice = [None] * (len(needs) + 1)
    for end in range(1, len(needs) + 1):
        last = needs[end - 1]
        drop = best[end - 1] + shifts.dropped(last.good, last.arrive) - last.good * last.price
        if drop < best[end]:
            best[end], choice[end] = drop, None
        for first in range(end):
            run = needs[first:end]
            wanted = sum(n.good for n in run)
            for place in range(first, end):
                need = needs[place]
                units = _lot_units(need, wanted / need.way.yield_share, whole)
                if math.isinf(units):
                    continue
                cost = need.way.setup_cost + need.way.setup_hours * need.hour_price
                cost += sum(n.good * (need.price - n.price) for n in run)
                cost += sum(shifts.late(n.good, n.arrive, need.arrive) for n in needs[first:place])
                cost += sum(shifts.early(n.good, n.arrive, need.arrive) for n in needs[place + 1 : end])
                excess = units * need.way.yield_share - wanted
                if excess > NOTHING:
                    more = excess * need.price - shifts.worth_of_more(excess, need.arrive)
                    if end < len(needs):
                        more = min(more, shifts.early(excess, needs[end].arrive, need.arrive))
                    cost += more
                if best[first] + cost < best[end] - 1e-9:
                    best[end], choice[end] = best[first] + cost, (first, place)
    runs, end = [], len(needs)
    while end > 0:
        if choice[end] is None:
            end -= 1
        else:
            first, place = choice[end]
            runs.append((first, end - 1, place))
            end = first
    return runs[::-1]


@each_seed(range(150))
def test_cheapest_runs_are_those_of_the_plain_loop(seed):
    needs, demand, economics, supply = random_product(seed)
    fast = DemandShifts(Curve(SortedDemand.of(demand), economics, supply))
    for whole in (True, False):
        plain = plain_cheapest_runs(needs, PlainShifts(demand, economics, supply), whole)
        assert _cheapest_runs(needs, fast, whole) == plain
        plain = plain_cheapest_runs(needs, PlainPartShifts(0.1), whole)
        assert _cheapest_runs(needs, PartShifts(0.1, len(supply)), whole) == plain


@each_seed(range(20))
def test_sorted_demand_answers_as_the_paths_do(seed):
    """Supplies on, between and beyond the paths' values, below zero too."""
    random = np.random.default_rng(seed)
    demand = np.cumsum(random.poisson(4, (int(random.integers(1, 30)), 6)), axis=1) - random.integers(0, 9)
    supply = np.concatenate([demand[:3], random.uniform(-10, 60, (5, 6))]).astype(float)
    demand = demand.astype(float)
    over, short = SortedDemand.of(demand).over_and_short(supply)
    for plan, more, less in zip(supply, over, short, strict=True):
        expected = expected_over_and_short(plan, demand)
        np.testing.assert_allclose((more, less), expected, atol=1e-9)
    np.testing.assert_allclose(SortedDemand.of(demand).mean, demand.mean(axis=0))
    for share in (0.0, 0.1, 0.5, 0.9, 1.0):
        exact = np.quantile(demand, share, axis=0, method="inverted_cdf")
        np.testing.assert_array_equal(SortedDemand.of(demand).quantile(share), exact)
