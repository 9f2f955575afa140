"""Levels of a bill of materials: what goes into nothing, what into that, and so on; lanes may lead in a circle."""

from collections.abc import Sequence

import numpy as np

from datong.ledger.columns import grouped
from datong.model.errors import NoPlan
from datong.model.flow import BoolArray, IntArray
from datong.model.words import message


def product_levels(
    products: Sequence[str], parent: IntArray, component: IntArray, may_circle: BoolArray | None = None
) -> IntArray:
    """(product) 0 where nothing goes into it, else one more than the highest of its components.

    parent, component: by pair, indices of products. may_circle: (pair) is a move: stock points from which lanes lead
    there and back are of one level. Raises NoPlan on any other cycle. (The checks of a folder refuse one; the ledger
    can hold one made of rows of two times.)
    """
    level = _levels(len(products), parent, component)
    if (level < 0).any() and may_circle is not None and may_circle.any():
        group = _pieces(len(products), parent[may_circle], component[may_circle], "strong")
        between = group[parent] != group[component]
        inside = ~between & ~may_circle
        level = _levels(int(group.max()) + 1, group[parent[between]], group[component[between]])[group]
        level[parent[inside]] = -1
    if (level < 0).any():
        stuck = sorted(products[i] for i in np.flatnonzero(level < 0))
        raise NoPlan(message("facts.cycle", products=", ".join(stuck[:10])))
    return level


def _levels(count: int, parent: IntArray, component: IntArray) -> IntArray:
    """`product_levels` of `count` products; -1 where one is part of a cycle, or made of one that is."""
    order, first = grouped(component, count)
    goes_into = parent[order]
    waits = np.bincount(parent, minlength=count)
    level = np.full(count, -1, dtype=np.int64)
    ready, height = np.flatnonzero(waits == 0), 0
    while len(ready):
        level[ready] = height
        reached = goes_into[ranges(first[ready], first[ready + 1])]
        waits = waits - np.bincount(reached, minlength=count)
        ready = np.unique(reached)
        ready = ready[waits[ready] == 0]
        height += 1
    return level


def in_no_circle(
    count: int, parent: IntArray, component: IntArray, also_parent: IntArray, also_component: IntArray
) -> BoolArray:
    """(also) of further pairs of products, those that are part of no circle of both kinds of pairs."""
    made, used = np.concatenate([parent, also_parent]), np.concatenate([component, also_component])
    group = _pieces(count, made, used, "strong")
    return group[also_parent] != group[also_component]


def _pieces(count: int, to: IntArray, start: IntArray, connection: str) -> IntArray:
    """(product) number of the connected piece that it is in."""
    from scipy.sparse import coo_array  # slow to import, and few chains have lanes in a circle
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(to)), (to, start)), shape=(count, count)).tocsr()
    return connected_components(graph, directed=True, connection=connection)[1].astype(np.int64)


def circles(level: IntArray, parent: IntArray, component: IntArray) -> IntArray:
    """(product) number of the circle of lanes that it is in, -1 where it is in none. level: (product) `product_levels`;
    parent, component: by pair, indices of products."""
    found = np.full(len(level), -1, dtype=np.int64)
    round_it = level[parent] == level[component]
    if round_it.any():
        inside = np.unique(np.concatenate([parent[round_it], component[round_it]]))
        found[inside] = _pieces(len(level), parent[round_it], component[round_it], "weak")[inside]
    return found


def level_turns(level: IntArray, parent: IntArray, component: IntArray) -> IntArray:
    """Levels from the lowest to the highest; one with lanes in a circle as often as its largest circle has stock
    points, for the cheapest way round it passes each at most once (Bellman 1958)."""
    times = np.ones(int(level.max(initial=-1)) + 1, dtype=np.int64)
    round_it = level[parent] == level[component]
    if round_it.any():
        group = _pieces(len(level), parent[round_it], component[round_it], "weak")
        np.maximum.at(times, level, np.bincount(group)[group])
    return np.repeat(np.arange(len(times)), times)


def turns(group: IntArray) -> list[IntArray]:
    """Positions of the first member of each group, of the second, and so on: in none of them does a group come twice.

    What is added up turn by turn is added in the order of the members.
    """
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    turn = np.arange(len(group)) - np.repeat(starts, np.diff(np.append(starts, len(group))))
    return np.split(order[np.argsort(turn, kind="stable")], np.cumsum(np.bincount(turn))[:-1])


def ranges(first: IntArray, after: IntArray) -> IntArray:
    """The numbers first[0], ..., after[0] - 1, first[1], ..., after[1] - 1, and so on."""
    count = after - first
    before = np.cumsum(count) - count
    return np.arange(int(count.sum())) + np.repeat(first - before, count)
