"""What a simulation charges, in money by term: each term is charged here and nowhere else."""

from collections.abc import Mapping

from datong.model.flow import FloatArray
from datong.network.economics import Economics
from datong.replay.scene_and_batches import Batch

# Money by what it is for. `production`: what making, buying and moving cost, components apart. `stock_change` is unit
# cost x the fall of (stock - owed): it takes the cost of what was made for stock off again and adds that of what was
# taken from it or is owed, so that a policy neither gains by living on stock or on its buyers' patience, nor loses by
# leaving some. What components cost is charged there to the product that took them, as its units arrive.
COST_TERMS = ("production", "stock_change", "holding", "late", "lost")

# By term: money, (bucket, product).
Costs = Mapping[str, FloatArray]


def charge_arrival(cost: Costs, t: int, batch: Batch, at: Mapping[str, int], unit_cost: Mapping[str, float]) -> None:
    """Charges a batch in the bucket in which its units arrive. at: column by product."""
    own = at[batch.product]
    cost["production"][t, own] += batch.cost
    for label, units in batch.uses:
        cost["stock_change"][t, own] += units * unit_cost[label]
        cost["stock_change"][t, at[label]] -= units * unit_cost[label]


def charge_stock_change(cost: Costs, t: int, at: int, fallen_units: float, unit_cost: float) -> None:
    """Charges the units by which stock, with what is in work and less what is owed, fell in the bucket."""
    cost["stock_change"][t, at] += fallen_units * unit_cost


def charge_end_of_bucket(
    cost: Costs, t: int, at: int, economics: Economics, stock_units: float, late_units: float, lost_units: float
) -> None:
    """Charges what lies, what is owed and what was given up at the end of a bucket, of one product."""
    cost["holding"][t, at] = economics.holding_per_bucket * stock_units
    cost["late"][t, at] = economics.late_per_bucket * late_units
    cost["lost"][t, at] = economics.lost_sale * lost_units
