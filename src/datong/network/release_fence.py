"""Release fence (`products.release_fence_days`): the days from the plan's on in which no new order of a product starts.

As a refusal does, it closes ways on days, so that doors, bound, lots and referee know no rule of its own: a bucket is
closed where its first day lies within the fence. What is out, or locked, is no new order.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

import pyarrow.compute as pc

from datong.ledger.columns import tuples
from datong.ledger.state import State
from datong.network.ways import EVER, Way


def release_fences(state: State) -> dict[str, date]:
    """Product -> the first day after its fence, of those that have one."""
    table = state.table("products").select(["product", "release_fence_days"])
    told = table.filter(pc.greater(pc.fill_null(table["release_fence_days"], 0), 0))
    return {p: state.today + timedelta(days=int(days)) for p, days in tuples(told, "product", "release_fence_days")}


def behind_fences(ways: Sequence[Way], fences: Mapping[str, date], becomes: Callable[[str], str]) -> tuple[Way, ...]:
    """The ways, those of products with a fence closed until its end. becomes: the product of a label, of what waits
    between steps the one that is made."""

    def fenced(way: Way) -> Way:
        until = fences.get(becomes(way.product)) if way.is_order else None
        return way if until is None else replace(way, closed=((EVER, until), *way.closed))

    return tuple(fenced(way) for way in ways) if fences else tuple(ways)
