"""When orders that are past due can be expected, for a plan.

What `replenish` learns from past orders: questions/replenish_record.py.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from datong.ledger.standings import LEAST_UNITS
from datong.ledger.state import State
from datong.network.orders_out import UnderWay
from datong.network.past_orders import placed_orders

# A past lead time that is met four times out of five is what a plan counts on.
LEAD_QUANTILE = 0.8


@dataclass(frozen=True)
class Expected:
    """The day on which an order that is past due is counted on.

    later_orders: how many of `past_orders` of its offer, recipe or lane took longer than it has by now, and tell the
    day; 0: the day is today and lead_days, a lead time in days.
    """

    day: date
    lead_days: int
    past_orders: int
    later_orders: int


def expected_arrivals(state: State, orders: Sequence[UnderWay]) -> dict[str, Expected]:
    """When orders that are past due can be expected, by order: purchases, transfers, and work. (Work that has begun can
    be there any day, where a part of it is there, or none of its recipe took longer than it has by now.)

    Of the lead times of past orders of its source that were longer than the order's age, the one that four out of five
    met; where none was, the source's lead time from today on: the one that four out of five past orders met, else what
    the recipe, offer or lane says, else the default.
    """
    today = state.today
    overdue = [o for o in orders if o.due < today and not (_in_work(o) and o.partly)]
    if not overdue:
        return {}
    past: dict[tuple[str, str], list[int]] = defaultdict(list)
    for order in placed_orders(state):
        if order.arrived is not None and order.left_units <= LEAST_UNITS:
            past[order.kind, order.source or order.product].append(max((order.arrived - order.placed).days, 0))
    stated = _stated_lead_days(state)
    found = {}
    for order in overdue:
        source = order.recipe or order.offer or order.lane or ""
        leads = past.get((order.kind, source or order.product), [])
        later = [days for days in leads if days > (today - order.start).days]
        if later:
            lead = _met_by_most(later)
            found[order.order] = Expected(order.start + timedelta(days=lead), lead, len(leads), len(later))
            continue
        if _in_work(order):
            continue
        lead = _met_by_most(leads) if leads else stated.get((order.kind, source))
        if lead is None:
            lead = math.ceil(state.settings.defaults.offer_lead_days)
        found[order.order] = Expected(today + timedelta(days=lead), lead, len(leads), 0)
    return found


def _in_work(order: UnderWay) -> bool:
    return order.kind == "make" and order.stage == "begun"


def _met_by_most(days: Sequence[int]) -> int:
    return int(np.quantile(days, LEAD_QUANTILE, method="inverted_cdf"))


def _stated_lead_days(state: State) -> dict[tuple[str, str], int]:
    """Whole days, rounded up, by kind and key."""
    found = {}
    for kind, table, key in (
        ("make", "recipes", "recipe"),
        ("make", "recipe_steps", "step"),
        ("buy", "offers", "offer"),
        ("move", "lanes", "lane"),
    ):
        rows = state.table(table).select([key, "lead_days"])
        for name, days in zip(*(rows[c].to_pylist() for c in (key, "lead_days")), strict=True):
            found[kind, name] = math.ceil(days - 1e-9)
    return found
