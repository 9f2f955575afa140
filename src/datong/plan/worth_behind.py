"""What hangs on orders that have no saving of their own: they go into other orders, or to other sites."""

from collections.abc import Mapping, Sequence

from datong.network.horizon import valid_on
from datong.plan.lots_along_clearing import Lot
from datong.plan.pegging import Peg
from datong.plan.planning_inputs import Work


def worth_behind(
    work: Work, pegs: Mapping[Lot, Sequence[Peg]], value: Mapping[Lot, float], priority_factor: float
) -> dict[Lot, float]:
    """Money of each lot that is not in `value`: its share of the value of the orders that it goes into, and what
    refusing the demand that it brings would cost. A share is that of the units that the order uses of the product;
    orders that are out already count nothing."""
    found: dict[Lot, float] = {}

    def worth(lot: Lot) -> float:
        if lot in value:
            return max(value[lot], 0.0)
        if lot not in found:
            found[lot] = 0.0  # lanes in a circle end here
            found[lot] = sum(of(lot, peg) for peg in pegs.get(lot, ()))
        return found[lot]

    def of(lot: Lot, peg: Peg) -> float:
        parent = peg.use.parent
        if parent is not None:
            return worth(parent) * min(peg.units / used(parent, peg.product(lot)), 1.0)
        economics = work.facts.economics.get(peg.product(lot))
        if economics is None or peg.use.kind == "out":
            return 0.0
        return peg.units * economics.lost_sale * priority_factor ** max(peg.use.priority, 0)

    def used(parent: Lot, product: str) -> float:
        day = work.starts[parent.start]
        uses = [u for u in parent.way.uses if u.component == product and valid_on(day, u.valid_from, u.valid_to)]
        per_lot = sum(units for component, units in parent.way.lot_uses if component == product)
        return max(parent.units * sum(u.units_per_unit for u in uses) + per_lot, 1e-9)

    for lot in pegs:
        worth(lot)
    return found
