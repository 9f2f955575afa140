"""Lots under each rule beyond the linear core: plans keep it, none is dearer than need be, no bound lies above one."""

import numpy as np
import pytest

from balance.test_facility_location import RULES, chain
from datong.balance import exact_lots, highs
from datong.balance.arrays import Market

# Rules under which nobody gains by more than is asked for, and so by more than `most_wanted`.
NOTHING_LEFT = [rule for rule in RULES if rule not in ("firm shares", "change charge")]


def cheapest(market: Market) -> exact_lots.LotPlan:
    """The plan that HiGHS proves, or finds in so many nodes."""
    rules = exact_lots.lot_rules(market, np.full(len(market.products), False))
    plan = exact_lots.solve(market, rules, options={**highs.OPTIONS, "mip_max_nodes": 50})
    assert plan is not None
    return plan


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("seed", range(2))
def test_a_plan_in_lots_keeps_the_rule_and_costs_no_less_than_its_bound(seed: int, rule: str) -> None:
    """`cheapest` holds the plan to the referee of the rule (`cost_in_lots`)."""
    market = chain(seed, rule)
    assert not rule or any(one.is_there for one in market.rules.there if one.name == rule or rule == "groups")
    plan = cheapest(market)
    assert plan.bound <= plan.total_cost + 1e-6
    nothing = np.zeros(market.ways.is_open.shape)
    rules = exact_lots.lot_rules(market, np.full(len(market.products), False))
    begun = exact_lots.solve(market, rules, nothing, options={**highs.OPTIONS, "mip_max_nodes": 50})
    assert begun is not None and begun.total_cost <= plan.total_cost + max(plan.total_cost - plan.bound, 1e-4)


@pytest.mark.parametrize("rule", NOTHING_LEFT)
@pytest.mark.parametrize("seed", range(2))
def test_what_is_wanted_at_most_takes_no_cheaper_plan_away(
    seed: int, rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    market = chain(seed, rule)
    plan = cheapest(market)
    wanted = exact_lots.most_wanted
    monkeypatch.setattr(exact_lots, "most_wanted", lambda *given: wanted(*given) * 5.0 + 100.0)
    assert plan.total_cost <= cheapest(market).total_cost * (1 + 1e-4) + 1e-4


def most_wanted(market: Market) -> dict[str, float]:
    """By product; chain 2 asks for A and B for sure, and C is used by both alone."""
    rules = exact_lots.lot_rules(market, np.full(len(market.products), False))
    return dict(zip("ABCD", exact_lots.most_wanted(market, rules).tolist(), strict=True))


def test_what_stands_in_for_another_is_wanted_for_it_too_and_what_perishes_anew() -> None:
    plain, instead, perishes = (most_wanted(chain(2, rule)) for rule in ("", "substitutes", "shelf life"))
    market = chain(2)
    asked = [max(float(market.net_demand(d).max()), 0.0) for d in range(len(market.demand.product))]
    of_a = sum(units for units, product in zip(asked, market.demand.product, strict=True) if product == 0)
    of_b = sum(asked) - of_a
    assert (instead["A"] - plain["A"], instead["B"] - plain["B"]) == pytest.approx((of_b, of_a))
    each = max(float(units) for units in market.uses.units[market.uses.component == 2])
    assert perishes["C"] - plain["C"] >= (market.buckets - 1) * plain["A"] * min(each, 1.0) - 1e-6
