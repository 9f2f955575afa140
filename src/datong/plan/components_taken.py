"""What each order takes: components by its recipe or offer, which of alternatives, and what it takes whatever its size
(units per lot, and what a set-up scraps)."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from datong.network.horizon import valid_on
from datong.plan.lots_along_clearing import NOTHING, Lot
from datong.plan.pegging import Peg
from datong.plan.planning_inputs import Work

TAKEN_SCHEMA = pa.schema(
    [
        ("order", pa.string()),
        ("component", pa.string()),
        ("site", pa.string()),
        ("bucket", pa.date32()),
        ("units", pa.float64()),
        ("per_order_units", pa.float64()),
        ("money", pa.float64()),
    ]
)


def components_taken(work: Work, numbers: Mapping[Lot, str], pegs: Mapping[Lot, Sequence[Peg]]) -> pa.Table:
    """In TAKEN_SCHEMA, by order, in the order of its bill: units taken in the bucket in which it starts, how many of
    them it takes whatever its size, and money for taking that one of alternatives. Of orders that are out, what is
    picked for them in this plan."""
    picked = _picked(pegs)
    takes = [(lot, order) for lot, order in numbers.items() if lot.way.is_order and (lot.way.uses or lot.way.lot_uses)]
    rows = [row for lot, order in takes for row in _of_lot(work, lot, order, picked)]
    rows += _of_orders_out(work, pegs)
    columns = {name: [row[name] for row in rows] for name in TAKEN_SCHEMA.names}
    return pa.table(columns, schema=TAKEN_SCHEMA)


# By order and what is taken of alternatives: each pick, and how many units of the choice come of it.
Picked = Mapping[tuple[Lot, str], Sequence[tuple[Lot, float]]]


def _picked(pegs: Mapping[Lot, Sequence[Peg]]) -> Picked:
    found: dict[tuple[Lot, str], list[tuple[Lot, float]]] = defaultdict(list)
    for pick, own in pegs.items():
        for peg in own if pick.way.picks is not None else ():
            if peg.use.parent is not None:
                found[peg.use.parent, pick.way.product].append((pick, peg.units))
    return found


def _of_lot(work: Work, lot: Lot, order: str, picked: Picked) -> Iterator[dict[str, Any]]:
    """Its rows; alternatives of one group share what it takes whatever its size by what is taken of each."""
    start = work.starts[lot.start]
    per_lot, by_unit = dict(lot.way.lot_uses), defaultdict[str, float](float)
    for use in lot.way.uses:
        if valid_on(start, use.valid_from, use.valid_to):
            by_unit[use.component] += lot.units * use.units_per_unit
    for component in dict.fromkeys([*by_unit, *per_lot]):
        units, whatever = by_unit[component] + per_lot.get(component, 0.0), per_lot.get(component, 0.0)
        if units <= NOTHING:
            continue
        chosen = picked.get((lot, component))
        parts = {component: (units, 0.0)} if chosen is None else _parts(work, chosen)
        share = whatever / (units if chosen is None else sum(taken for _, taken in chosen))
        for name, (taken, money) in parts.items():
            yield {
                "order": order,
                "component": work.facts.product_of(name),
                "site": (lot.way.from_site if lot.way.kind == "move" else lot.way.site) or None,
                "bucket": start,
                "units": taken,
                "per_order_units": taken * share,
                "money": money,
            }


def _of_orders_out(work: Work, pegs: Mapping[Lot, Sequence[Peg]]) -> Iterator[dict[str, Any]]:
    for pick, own in pegs.items():
        for peg in own if pick.way.picks is not None else ():
            if peg.use.kind != "out":
                continue
            for name, (taken, money) in _parts(work, [(pick, peg.units)]).items():
                row = {"component": work.facts.product_of(name), "site": pick.way.site or None, "units": taken}
                yield row | {
                    "order": peg.use.name,
                    "bucket": work.starts[pick.start],
                    "per_order_units": 0.0,
                    "money": money,
                }


def _parts(work: Work, chosen: Sequence[tuple[Lot, float]]) -> Mapping[str, tuple[float, float]]:
    """Units and money of picks, by component."""
    found: dict[str, tuple[float, float]] = {}
    for pick, units in chosen:
        day, cost = work.starts[pick.start], units * pick.way.cost_per_unit
        for use in pick.way.uses:
            if valid_on(day, use.valid_from, use.valid_to):
                before = found.get(use.component, (0.0, 0.0))
                found[use.component] = before[0] + units * use.units_per_unit, before[1] + cost
                cost = 0.0
    return found
