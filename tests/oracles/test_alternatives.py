"""Alternatives of random chains against a recipe for every choice: the same cost and bound, whatever is scarce."""

from itertools import product as choices

import numpy as np
import pytest

from datong.balance import highs
from datong.balance.bound import lower_bound
from datong.balance.evaluate import evaluate
from datong.balance.pack import pack
from datong.model.flow import nothing_learnt
from datong.network.position import position
from small_chain import chain, demand


def random_chain(random):
    """A product that takes one of each of two groups, of two and three components, some of them scarce, on one line."""
    groups = [[f"C{g}{k}" for k in range(2 + g)] for g in range(2)]
    each = {c: float(random.integers(1, 4)) for group in groups for c in group}
    extra = {c: float(random.choice([0.0, 0.5, 2.0])) for c in each}
    buckets = int(random.integers(2, 6))
    tables = {
        "products": [
            {"product": p, "price": 60.0, "kind": "finished" if p == "A" else "material"} for p in ("A", *each)
        ],
        "lines": [{"line": "L", "hours_per_week": float(random.integers(5, 15))}],
        "offers": [
            {"offer": f"o{c}", "product": c, "price": float(random.uniform(0.5, 3.0))}
            | {"lead_days": float(random.choice([0.0, 7.0])), "units_per_week": float(random.integers(2, 20))}
            for c in each
        ],
    }
    wanted = random.integers(0, 15, buckets).astype(float)
    return groups, each, extra, buckets, tables, wanted


def costs(state, wanted):
    market = pack(state, demand(state, A=[wanted]), nothing_learnt(), position(state))
    found = highs.solve(market)
    outcome = evaluate(market, found.started, found.issued, found.turned_away)
    return sum(outcome.cost.values()), lower_bound(market, found.prices)


def test_groups_cost_what_a_recipe_for_every_choice_costs():
    recipe = {"recipe": "R", "product": "A", "line": "L", "hours_per_unit": 1.0, "cost_per_unit": 2.0}
    for seed in range(40):
        groups, each, extra, buckets, tables, wanted = random_chain(np.random.default_rng(seed))
        rows = [
            {"product": "A", "component": c, "units_per_unit": each[c], "alternate_group": str(g)}
            | {"alternate_cost_per_unit": extra[c]}
            for g, group in enumerate(groups)
            for c in group
        ]
        in_groups = costs(chain(buckets, **tables, recipes=[recipe], components=rows), wanted)
        every = [(f"R{i}", picked) for i, picked in enumerate(choices(*groups))]
        recipes = [
            recipe | {"recipe": name, "cost_per_unit": 2.0 + sum(extra[c] for c in picked)} for name, picked in every
        ]
        parts = [
            {"product": "A", "recipe": name, "component": c, "units_per_unit": each[c]}
            for name, picked in every
            for c in picked
        ]
        one_by_one = costs(chain(buckets, **tables, recipes=recipes, components=parts), wanted)
        assert in_groups[0] == pytest.approx(one_by_one[0], rel=1e-6), seed
        assert in_groups[1] == pytest.approx(in_groups[0], rel=1e-6), seed
