"""Of the stock that has a day of expiry, what goes bad before anything takes it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.columns import tuples
from datong.model.calendar import Calendar
from datong.model.flow import Clearing, FloatArray
from datong.network.facts import ChainFacts
from datong.network.position import Position
from datong.network.shelf_life import last_buckets, of_dated

# Columns of `flow` by which a product leaves its stock, but for what goes bad.
_GOES = ("used_units", "moved_out_units", "taken_units", "delivered_units")


def spoiled_units(
    clearing: Clearing, facts: ChainFacts, where: Position, starts: Sequence[date], calendar: Calendar
) -> Mapping[str, float]:
    """By product, or label of a stock point, units of stock with a day of expiry that go bad in the plan: first
    expired, first out. What is made or bought and goes bad by its shelf life is none of it."""
    if not where.expiring.lots or not pc.any(pc.greater(clearing.flow["wasted_units"], 0.0)).as_py():
        return {}
    out, bad = _by_place(clearing.flow, _GOES, starts), _by_place(clearing.flow, ("wasted_units",), starts)
    found: dict[str, float] = {}
    for (product, site), lots in where.expiring.lots.items():
        units = of_dated(last_buckets(lots, starts, calendar), out[product, site], bad[product, site]).sum()
        if units > 0.0:
            found[facts.names_by_product[product].get(site, product)] = float(units)
    return found


def _by_place(flow: pa.Table, columns: Sequence[str], starts: Sequence[date]) -> Mapping[tuple[str, str], FloatArray]:
    """By product and site, (bucket) units of columns of `flow` together."""
    at = {s: t for t, s in enumerate(starts)}
    found: dict[tuple[str, str], FloatArray] = defaultdict(lambda: np.zeros(len(starts)))
    for product, site, bucket, *units in tuples(flow, "product", "site", "bucket", *columns):
        found[product, site or ""][at[bucket]] += sum(units)
    return found
