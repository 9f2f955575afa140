"""What is picked of alternate components (network/alternatives.py), when it is taken: nothing of it lies anywhere."""

import numpy as np

from datong.balance.arrays import Market
from datong.balance.evaluate import used_units
from datong.model.flow import FloatArray, IntArray

# Of units, what is rounding.
NOTHING = 1e-9


def picked(market: Market) -> IntArray:
    """Products that picks bring, and nothing else does."""
    ways = [w for w, way in enumerate(market.ways.facts) if way.picks is not None]
    return np.unique(market.ways.product[np.array(ways, dtype=np.int64)])


def picked_when_taken(market: Market, started: FloatArray, lots: FloatArray | None) -> FloatArray:
    """The starts (way, bucket), with picks in the buckets in which orders take them: the first picked for the first
    taken, each as many as can be, none more. What is taken beyond all that is picked is of the alternative that is
    picked most. lots: (way, bucket) how many orders they are; None: they are in any quantities."""
    labels = picked(market)
    if not len(labels):
        return started
    taken = used_units(market, started)
    if lots is not None:
        market.rules.per_lot.take_off(taken, -lots)
    taken -= market.stock.fixed
    started = started.copy()
    for label in labels.tolist():
        own = np.flatnonzero(market.ways.product == label)
        started[own] = _in_turn(started[own], np.maximum(taken[label], 0.0))
    return started


def _in_turn(picks: FloatArray, taken: FloatArray) -> FloatArray:
    """(pick, bucket) units picked, in the buckets (bucket) in which they are taken."""
    if np.allclose(picks.sum(axis=0), taken, rtol=0.0, atol=NOTHING):
        return picks
    at = [(pick, float(units)) for of_bucket in picks.T for pick, units in enumerate(of_bucket) if units > NOTHING]
    ends = np.cumsum([units for _, units in at])
    until = np.cumsum(taken)
    found, most = np.zeros(picks.shape), int(np.argmax(picks.sum(axis=1)))
    for (pick, units), end in zip(at, ends.tolist(), strict=True):
        found[pick] += np.diff(np.clip(until, end - units, end), prepend=end - units)
    lacks = taken - found.sum(axis=0)
    found[most] += np.where(lacks > NOTHING, lacks, 0.0)
    return found
