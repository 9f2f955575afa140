"""Random small chains with smallest deliveries and groups: no delivery is smaller, a group is delivered together, and
all that is asked for is accounted for."""

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest

from cases.random_chains import RandomChain, random_chain
from datong.cycle import decide, head
from datong.model.flow import Clearing, nothing_learnt
from searched import searched_of_every

# Orders that are out may need what cannot be there: that is another matter.
WITHOUT = ("locked", "released", "started")


def with_smallest(seed: int) -> RandomChain:
    """A random chain, of whose requests some have a smallest delivery, or come complete."""
    made, random = random_chain(seed, WITHOUT), np.random.default_rng(seed)
    rows = [dict(row) for row in made.tables["demand"]]
    for row in rows:
        row["min_delivery_units"] = [None, None, 2.0, row["units"] / 2, row["units"], 99.0][random.integers(6)]
        row["delivery_group"] = [None, None, None, "G", "H"][random.integers(5)]
    return replace(made, tables={**made.tables, "demand": rows})


def planned(made: RandomChain) -> Clearing:
    with searched_of_every(2, made.seed):
        return decide(head(made.state, nothing_learnt(), 0)).clearing


def test_no_delivery_is_smaller_than_its_order_says_and_groups_come_together() -> None:
    found = [checked(seed) for seed in range(14)]
    assert sum(smallest for smallest, _ in found) > 15
    assert sum(together for _, together in found) > 3


def checked(seed: int) -> tuple[int, int]:
    """How many deliveries have a smallest size, and how many groups of several are delivered; all as they should."""
    made = with_smallest(seed)
    clearing = planned(made)
    rows = {row["demand"]: row for row in made.tables["demand"]}
    in_all: dict[str, float] = defaultdict(float)
    smallest = 0
    for row in clearing.deliveries.to_pylist():
        in_all[row["demand"]] += row["units"]
    for row in clearing.deliveries.to_pylist():
        least = rows[row["demand"]]["min_delivery_units"]
        if row["what"] in ("on_time", "late") and least is not None:
            assert row["units"] >= min(least, in_all[row["demand"]]) - 1e-5, row
            smallest += 1
    for row in clearing.gaps.to_pylist():
        parts = row["on_time_units"] + row["late_units"] + row["lost_units"]
        assert parts == pytest.approx(row["demand_units"], abs=1e-5)
    when: dict[str, dict[str, set]] = defaultdict(dict)
    for row in clearing.deliveries.to_pylist():
        group = rows[row["demand"]]["delivery_group"]
        if group is not None:
            when[group].setdefault(row["demand"], set()).add(row["bucket"])
            assert row["units"] == pytest.approx(in_all[row["demand"]], abs=1e-5)  # complete
    for days in when.values():
        assert len({frozenset(own) for own in days.values()}) == 1, days
    return smallest, sum(len(days) > 1 and {None} not in days.values() for days in when.values())
