"""Of the stock that has a day of expiry, what goes bad before anything takes it."""

from collections import defaultdict
from collections.abc import Mapping

import pyarrow.compute as pc

from datong.ledger.columns import tuples
from datong.model.flow import Clearing
from datong.network.facts import ChainFacts
from datong.network.position import Position


def spoiled_units(clearing: Clearing, facts: ChainFacts, where: Position) -> Mapping[str, float]:
    """By product, or label of a stock point, units of stock with a day of expiry that go bad in the plan."""
    if not where.expiring.lots:
        return {}
    bad: dict[str, float] = defaultdict(float)
    rows = clearing.flow.filter(pc.greater(clearing.flow["wasted_units"], 0.0))
    for product, site, units in tuples(rows, "product", "site", "wasted_units"):
        own = where.expiring.lots.get((product, site or ""), ())
        if own:
            label = facts.names_by_product[product].get(site or "", product)
            bad[label] = min(bad[label] + units, sum(each for _, each in own))
    return dict(bad)
