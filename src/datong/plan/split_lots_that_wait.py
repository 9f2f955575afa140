"""Lots that are made in parts on days of their own, where a line has too few hours once all they take is there.

What of a lot can be made before the last of what it takes of orders that are out is there becomes a part of its own,
and the rest waits. Only where that costs nothing: the way has no set-up, and each part is a lot.
"""

import math
from collections import defaultdict
from collections.abc import Sequence, Set
from dataclasses import replace

from datong.network.horizon import valid_on
from datong.plan.lots_along_clearing import NOTHING, Lot
from datong.plan.pegging import Pegged
from datong.plan.planning_inputs import Work


def split_lots(work: Work, lots: Sequence[Lot], found: Pegged, short: Set[Lot]) -> list[Lot]:
    """The lots, each of `short` in two parts where it can be. short: lots whose line has too few hours for them."""
    count: dict[tuple[str, int], int] = defaultdict(int)
    for lot in lots:
        count[lot.way.name, lot.start] += 1
    result: list[Lot] = []
    for lot in lots:
        before = _before_the_last(work, lot, found) if lot in short else 0.0
        if before <= 0:
            result.append(lot)
            continue
        part = count[lot.way.name, lot.start]
        count[lot.way.name, lot.start] += 1
        result += [replace(lot, units=before), replace(lot, units=lot.units - before, part=part)]
    return result


def _before_the_last(work: Work, lot: Lot, found: Pegged) -> float:
    """Units of a lot that can be made before the last of what it takes of orders that are out is there; 0 where it
    waits for none, or they and the rest are not a lot each."""
    way, waits = lot.way, found.waits.get(lot, ())
    if not waits or way.kind != "make" or way.sets_up:
        return 0.0
    last = max(wait.comes.day for wait in waits)
    missing: dict[str, float] = defaultdict(float)
    for wait in waits:
        missing[wait.comes.product] += wait.units if wait.comes.day == last else 0.0
    most = lot.units
    for use in way.uses:
        if use.units_per_unit > 0 and valid_on(work.starts[lot.start], use.valid_from, use.valid_to):
            most = min(most, lot.units - missing[use.component] / use.units_per_unit)
    step = way.multiple_units or (1.0 if work.whole[way.product] else 0.0)
    most = math.floor(most / step + NOTHING) * step if step else most
    least = max(way.min_units, NOTHING)
    return most if most >= least and lot.units - most >= least else 0.0
