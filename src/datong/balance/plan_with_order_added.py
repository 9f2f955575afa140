"""A plan with an order more: that without it, and one lot more of what is ordered, or a larger one.

A search for a plan with a small order can miss what is near at hand: a planned lot that takes a few units more. So
each bucket in which the units could be there is tried, by each way, with lots of the components that they take; the
plans are costed by the referee, and the cheapest of them and the one that the search found counts.
"""

from datong.balance.room_left import More, Room
from datong.balance.solvers import Cleared, in_orders

# So many of the plans that look cheapest are costed.
MOST_COSTED = 8


def with_more(before: Cleared, found: Cleared, label: str, due: int, units: float) -> Cleared:
    """`found`, or a cheaper plan for the same demand. before: the plan without the order, of the same ways. label: what
    is ordered, units of it, due in a bucket."""
    if before.lots is None:
        return found
    market, product = before.market, before.market.products.names.index(label)
    room = Room(market, before.outcome, before.solution.started, before.lots, overtime=True)
    late = float(market.money.late[product]) * units
    ways = [
        (one.money + max(bucket - due, 0) * late, bucket, i, one)
        for bucket in range(market.buckets)
        for i, one in enumerate(room.ways_to(product, bucket, units))
    ]
    plans = [_with(before, found, one) for *_, one in sorted(ways, key=lambda way: way[:3])[:MOST_COSTED]]
    return min((found, *(plan for plan in plans if plan is not None)), key=lambda plan: plan.total_cost)


def _with(before: Cleared, found: Cleared, more: More) -> Cleared | None:
    """The orders of the plan before and some more, for the demand of `found`; None where a rule beyond hours, stock and
    limits refuses them."""
    assert before.lots is not None
    started, lots = before.solution.started.copy(), before.lots.copy()
    for start in more.starts:
        started[start.way, start.bucket] += start.units
        lots[start.way, start.bucket] += float(start.orders)
    try:
        return in_orders(found, started, lots)
    except AssertionError:
        return None
