"""Shelf life (`products.shelf_life_days`): for how many buckets a unit can be kept, and what goes bad.

A unit may lie over the ends of L buckets. The oldest are taken first, so that what is left is the youngest: nothing
older is left exactly when no more is left than came in the last L buckets. What orders under way will still take is
kept for them. Stock with a day of expiry (network/expiry.py) goes first, and no more of it is left after its last
bucket: what lay there at first counts as new without it. Of a product without a shelf life the rest keeps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from datong.ledger.state import State
from datong.model.calendar import Calendar
from datong.model.flow import FloatArray
from datong.network.facts import ChainFacts
from datong.network.position import Position


@dataclass(frozen=True, eq=False)
class Keeps:
    """For how long units of a product keep."""

    # Ends of buckets over which a new unit may lie.
    buckets: int
    # (bucket) units that lie there at first and go bad by its end, if nothing takes them, cumulative; None: none does.
    spoils: FloatArray | None = None


def shelf_life(state: State, facts: ChainFacts, where: Position, starts: Sequence[date]) -> dict[str, Keeps]:
    """How long units of each product or stock point keep, of those that go bad within the horizon. where: as `position`
    gives it."""
    spoils, life = spoiling_stock(state, facts, where, starts), facts.keeps
    return {p: Keeps(life.get(p, len(starts)), spoils.get(p)) for p in sorted({*life, *spoils})}


def spoiling_stock(state: State, facts: ChainFacts, where: Position, starts: Sequence[date]) -> dict[str, FloatArray]:
    """By label of a product or stock point, (bucket) units on hand that go bad by its end, cumulative, of those of
    which any does. where: as `position` gives it."""
    calendar, found = state.settings.calendar, {}
    for (product, site), lots in where.expiring.lots.items():
        label = facts.names_by_product.get(product, {}).get(site)
        bad = last_buckets(lots, starts, calendar)
        if label is not None and bad.any():
            found[label] = bad
    return found


def _last(day: date, last_days: Sequence[date]) -> int:
    """The last bucket in which what expires on a day can be used. last_days: of the buckets, and of the one after."""
    return sum(last <= day for last in last_days) - 1


def spoiling(spoils: FloatArray, comes: FloatArray, taken: FloatArray) -> FloatArray:
    """(..., bucket) of what lies there at first, the units that go bad by the end of each: what orders under way take
    at once they take of those that go first. comes: (..., bucket) what comes anyway less what these orders take;
    taken: (..., bucket) what they take."""
    return np.minimum(np.maximum(spoils - taken[..., :1], 0.0), np.maximum(comes[..., :1], 0.0))


def of_dated(spoils: FloatArray, out: FloatArray, bad: FloatArray) -> FloatArray:
    """(bucket) of what goes bad, units of stock with a day of expiry, which is taken before all else; the rest has gone
    bad by its shelf life. spoils: (bucket) units of it that go bad by its end, if nothing takes them, cumulative; out:
    (bucket) what is taken, by orders under way too; bad: (bucket) units that go bad."""
    lots, taken, found = np.diff(spoils, prepend=0.0), np.asarray(out, dtype=np.float64), np.zeros(len(spoils))
    for t in range(len(lots)):
        wanted = taken[t]
        for last in range(t, len(lots)):
            used = min(max(wanted, 0.0), lots[last])
            lots[last] -= used
            wanted -= used
        found[t] = min(lots[t], bad[t])
    return found


def last_buckets(lots: Sequence[tuple[date, float]], starts: Sequence[date], calendar: Calendar) -> FloatArray:
    """(bucket) units of lots, each with its day of expiry, that go bad by its end, if nothing takes them,
    cumulative."""
    after = [*starts[1:], *(calendar.shift(starts[-1], n) for n in (1, 2))]
    last_days = [day - timedelta(days=1) for day in after]
    return np.array(
        [sum(units for day, units in lots if _last(day, last_days) <= t) for t in range(len(starts))], dtype=np.float64
    )


def wasted(
    comes: FloatArray, arrived: FloatArray, taken: FloatArray, life: int, spoils: FloatArray | None = None
) -> FloatArray:
    """(bucket) units of one product that go bad, the fewest that may.

    comes: (bucket) what comes anyway, less what orders under way take; arrived, taken: by other orders; life: buckets.
    spoils: (bucket) `spoiling`; None: nothing has a day of its own.
    """
    came = np.cumsum(np.maximum(comes, 0.0) + arrived)
    out = np.maximum(-comes, 0.0)
    kept_for = out.sum() - np.cumsum(out)
    bad, lies = np.zeros(len(comes)), 0.0
    for t in range(len(comes)):
        lies += comes[t] + arrived[t] - taken[t]
        fresh = came[t] - (came[t - life] if t >= life else 0.0 if spoils is None else spoils[t])
        bad[t] = max(lies - max(fresh + kept_for[t], 0.0), 0.0)
        lies -= bad[t]
    return bad
