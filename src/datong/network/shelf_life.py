"""Shelf life (`products.shelf_life_days`): for how many buckets a unit can be kept, and what goes bad.

A unit may lie over the ends of L buckets. The oldest are taken first, so that what is left is the youngest: nothing
older is left exactly when no more is left than came in the last L buckets. What orders under way will still take is
kept for them.
"""

import numpy as np
import pyarrow.compute as pc

from datong.ledger.state import State
from datong.model.flow import FloatArray
from datong.network.facts import ChainFacts


def shelf_life_buckets(state: State, facts: ChainFacts) -> dict[str, int]:
    """Whole buckets for which a unit can be kept; a unit may lie over the end of its bucket so many times.

    With lanes, at each stock point: a unit that was moved counts as new. What is picked of alternatives of which one
    goes bad is picked when it is taken.
    """
    days = state.settings.calendar.bucket_days
    table = state.table("products").select(["product", "shelf_life_days"])
    table = table.filter(pc.is_valid(table["shelf_life_days"]))
    names = facts.names_by_product
    found = {
        name: int(r["shelf_life_days"] // days)
        for r in table.to_pylist()
        for name in names.get(r["product"], {"": r["product"]}).values()
    }
    picks = (way for way in facts.ways if way.picks is not None)
    return found | {way.product: 0 for way in picks if way.uses[0].component in found}


def wasted(comes: FloatArray, arrived: FloatArray, taken: FloatArray, life: int) -> FloatArray:
    """(bucket) units of one product that go bad, the fewest that may.

    comes: (bucket) what comes anyway, less what orders under way take; arrived, taken: by other orders; life: buckets.
    """
    came = np.cumsum(np.maximum(comes, 0.0) + arrived)
    out = np.maximum(-comes, 0.0)
    kept_for = out.sum() - np.cumsum(out)
    bad, lies = np.zeros(len(comes)), 0.0
    for t in range(len(comes)):
        lies += comes[t] + arrived[t] - taken[t]
        fresh = came[t] - (came[t - life] if t >= life else 0.0)
        bad[t] = max(lies - max(fresh + kept_for[t], 0.0), 0.0)
        lies -= bad[t]
    return bad
