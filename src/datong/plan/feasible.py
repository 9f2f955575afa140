"""Repair: lots -> lots that the factory can run, bucket by bucket from the first.

In each bucket a line's hours and the components that are there go to the lots that are worth most by the hour; what
finds no hours or no components waits for the next bucket. So hours are never exceeded and no stock falls below zero.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

import numpy as np

from datong.ledger.facts import valid_on
from datong.model.flow import FloatArray
from datong.plan.lots import NOTHING, Lot, step_of


def make_feasible(
    lots: Sequence[Lot],
    hours: Mapping[str, FloatArray],
    stock: Mapping[str, FloatArray],
    levels: Mapping[str, int],
    worth_per_hour: Mapping[Lot, float],
    whole: Mapping[str, bool],
    bucket_starts: Sequence[date],
    bucket_days: int,
) -> list[Lot]:
    """hours: line -> (bucket) still free. stock: component -> (bucket) what comes less what orders under way use.

    levels: product -> place in the order of components first. worth_per_hour: of each lot, for the order on a line.
    Returns lots in order of (start, product, way); parts of lots that were put off are joined to the way's next lot.
    """
    buckets = len(bucket_starts)
    free = {line: h.copy() for line, h in hours.items()}
    there = {component: np.cumsum(units) for component, units in stock.items()}
    waiting: dict[int, dict[str, Lot]] = {t: {} for t in range(buckets)}
    worth: dict[str, float] = {}
    for lot in lots:
        before = waiting[lot.start].get(lot.way.name)
        waiting[lot.start][lot.way.name] = lot if before is None else _joined(before, lot)
        worth[lot.way.name] = max(worth.get(lot.way.name, -math.inf), worth_per_hour[lot])
    done = []
    for t in range(buckets):
        order = sorted(waiting[t].values(), key=lambda x: (levels[x.way.product], -worth[x.way.name], x.way.name))
        for lot in order:
            way = lot.way
            uses = [
                u for u in way.uses if valid_on(bucket_starts[t], u.valid_from, u.valid_to) and u.component in there
            ]
            most = way.units_per_week * bucket_days / 7
            if way.line in free and way.hours_per_unit > 0:
                most = min(most, (free[way.line][t] - way.setup_hours) / way.hours_per_unit)
            for use in uses:
                most = min(most, float(there[use.component][t:].min()) / use.units_per_unit)
            units = _fit(lot, most, step_of(way, whole[way.product]))
            if units > NOTHING:
                done.append(replace(lot, units=units))
                if way.line in free:
                    free[way.line][t] -= way.setup_hours + units * way.hours_per_unit
                for use in uses:
                    there[use.component][t:] -= units * use.units_per_unit
                if way.product in there:
                    there[way.product][lot.arrive :] += units * way.yield_share
            rest = lot.units - units
            if rest > NOTHING and lot.arrive + 1 < buckets:
                later = replace(lot, start=t + 1, arrive=lot.arrive + 1, units=rest, merged=1)
                later = replace(later, wanted_units=min(lot.wanted_units, rest))
                if valid_on(bucket_starts[t + 1], way.valid_from, way.valid_to):
                    before = waiting[t + 1].get(way.name)
                    waiting[t + 1][way.name] = later if before is None else _joined(later, before)
    return sorted(done, key=lambda x: (x.start, x.way.product, x.way.name))


def _fit(lot: Lot, most: float, step: float) -> float:
    """As much of the lot as fits: in its steps, and not less than its smallest lot."""
    units = lot.units
    if units > most + 1e-9:
        units = math.floor(most / step + 1e-9) * step if step > 0 else most
    return units if units > NOTHING and units >= lot.way.min_units - 1e-9 else 0.0


def _joined(first: Lot, second: Lot) -> Lot:
    return replace(
        second,
        units=first.units + second.units,
        wanted_units=first.wanted_units + second.wanted_units,
        merged=first.merged + second.merged,
    )
