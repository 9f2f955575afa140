"""What orders of one level ask of the level below it: of components, and of stock that lanes take from another site.

Each item is ordered up to a base stock: with S of it now, x of it there or under way, q ordered now, D(t) asked for
before bucket t, L buckets of lead and R from one order to the next, its orders in buckets R, 2 R, ... are, in all,

    O(0) = q,     O(t) = max(O(t - R), S(t) + D(t) - x),
    S(t) = S + E demand of [t, t + L + R) - E demand of [0, L + R)

on each path (base stock by installation: Silver, Pyke and Thomas 2017, section 11.3): what was asked for is ordered
anew, and nothing while more is there than S. What an order takes, it takes at its start, so that its parts are asked
for then. Beyond the horizon the mean of its demand goes on.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from datong.model.flow import FloatArray
from datong.questions.replenish_record import Sold


def layers(items: Mapping[str, Sold], asked: Sequence[str]) -> list[list[str]]:
    """Labels that are asked for, and what they are made of or sent from by their ways, each after all that takes it.

    Where ways go round a circle, those that are asked for come first of what is left.
    """
    takes = {label: _parts(items, label) for label in asked}
    new = [part for parts in takes.values() for part in parts if part not in takes]
    while new:
        label = new.pop()
        if label not in takes:
            takes[label] = _parts(items, label)
            new += takes[label]
    found: list[list[str]] = []
    left = dict.fromkeys(takes)
    while left:
        wanted = {part for label in left for part in takes[label] if part != label}
        free = [label for label in left if label not in wanted]
        layer = free or [label for label in left if label in set(asked)] or list(left)
        found.append(layer)
        left = {label: None for label in left if label not in set(layer)}
    return found


def _parts(items: Mapping[str, Sold], label: str) -> list[str]:
    item = items.get(label)
    return [] if item is None else list(_takes(item))


def _takes(item: Sold) -> dict[str, tuple[float, float]]:
    """Component -> units of it that a unit started takes, and that each order takes, whatever its size."""
    each = {use.component: use.units_per_unit for use in item.way.uses if use.units_per_unit > 0}
    per_lot = dict(item.way.lot_uses)
    return {
        part: (each.get(part, 0.0), per_lot.get(part, 0.0))
        for part in [*each, *(part for part in per_lot if part not in each)]
    }


def ordered_later(
    demand: FloatArray, base: float, position: float, now: float, protection: int, review: int
) -> FloatArray:
    """(path, bucket) units ordered in each bucket, now's in the first. demand: (path, bucket) units; base: S; position:
    units there and under way, less what is ordered now; protection: L + R, and review: R, in buckets."""
    buckets = demand.shape[1]
    mean = demand.mean(axis=0)
    beyond = float(mean[1:].mean()) if buckets > 1 else float(mean[0])
    so_far = np.concatenate([[0.0], np.cumsum(np.concatenate([mean, np.full(protection, beyond)]))])
    at = np.arange(buckets)
    level = base + so_far[at + protection] - so_far[at] - so_far[protection]
    ordered = level + np.cumsum(demand, axis=1) - demand - position
    ordered[:, at % review != 0] = -np.inf
    ordered[:, 0] = now
    return np.diff(np.maximum.accumulate(ordered, axis=1), axis=1, prepend=0.0)


def taken(item: Sold, ordered: FloatArray, frozen_buckets: int) -> dict[str, FloatArray]:
    """Component -> (path, bucket) units that good units ordered of an item take of it, after the frozen buckets. What
    is ordered in a bucket is one order."""
    later = np.zeros_like(ordered)
    later[:, frozen_buckets:] = ordered[:, : ordered.shape[1] - frozen_buckets]
    started = later / item.way.yield_share
    orders = started > 0
    return {part: each * started + per_lot * orders for part, (each, per_lot) in _takes(item).items()}
