"""Stock with a day of expiry (`stock.expires_on`): first expired, first out.

What went since a count went of the units that expire first. Of what is left, units count in a bucket whose last day is
no later than their day, as what is used in a bucket is used on any day of it. So in a plan they lie over the ends of
the buckets before their last one, and go bad at its end (network/shelf_life.py); those that have none are no stock.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from datong.ledger.state import State
from datong.network.stock_on_hand import SinceCount, counted_lots

Place = tuple[str, str]
# Units below this are rounding.
NOTHING = 1e-9


@dataclass(frozen=True)
class Expiring:
    """By product and site ('' in a chain without lanes), units on hand by their day of expiry, the first to go first.

    lots: that can be used in the plan's first bucket; gone: that cannot any more, and are no stock.
    """

    lots: Mapping[Place, tuple[tuple[date, float], ...]]
    gone: Mapping[Place, tuple[tuple[date, float], ...]]

    def gone_units(self, place: Place) -> float:
        return sum(units for _, units in self.gone.get(place, ()))


def expiring(state: State, on_hand: Mapping[Place, float], since: Mapping[Place, SinceCount]) -> Expiring:
    """on_hand: units by product and site, all sites of a product together at '' in a chain without lanes; since: what
    was counted, and came since, by product and site."""
    lots: dict[Place, list[tuple[date, float]]] = defaultdict(list)
    is_located = bool(state.table("lanes").num_rows)
    for (product, site), own in counted_lots(state).items():
        lots[product, site if is_located else ""] += own
    there: dict[Place, float] = defaultdict(float)
    for (product, site), counted in since.items():
        there[product, site if is_located else ""] += counted.counted + counted.came
    calendar = state.settings.calendar
    last = calendar.shift(state.first_open_bucket, 1) - timedelta(days=1)
    kept: dict[Place, tuple[tuple[date, float], ...]] = {}
    gone: dict[Place, tuple[tuple[date, float], ...]] = {}
    for place, own in sorted(lots.items()):
        went, left = max(there[place] - on_hand.get(place, 0.0), 0.0), []
        for day, units in sorted(own):
            out = min(went, units)
            went -= out
            if units - out > NOTHING:
                left.append((day, units - out))
        kept[place] = tuple(lot for lot in left if lot[0] >= last)
        gone[place] = tuple(lot for lot in left if lot[0] < last)
    return Expiring({p: lots for p, lots in kept.items() if lots}, {p: lots for p, lots in gone.items() if lots})
