"""Orders that are out and still bring units, and when those that are past due can be expected, for a plan.

What `replenish` learns from past orders: questions/replenish_record.py.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from datong.ledger.order_life import Standing
from datong.ledger.standings import LEAST_UNITS, OPEN_STATES, begun_at, only_recipes, state_now
from datong.ledger.state import State
from datong.network.bills import Bills
from datong.network.past_orders import placed_orders
from datong.network.site_transfers import still_on_the_way
from datong.network.stock import MOMENT, Counts, order_sites

# A past lead time that is met four times out of five is what a plan counts on.
LEAD_QUANTILE = 0.8
# How far an order is: 'fixed': a planner locked it and it has not begun (what a run proposed and gave out is no word of
# a planner); 'out': given out and not begun; 'begun': a start, or units of it, were reported.
Stage = Literal["fixed", "out", "begun"]


@dataclass(frozen=True)
class UnderWay:
    """An order already out. units: still to be started (or, of a purchase, to come): ordered less good and scrapped.

    What arrives of them is `units` times the yield of the order's way. due: the day on which it is counted on: as the
    order says, or, where that has passed, when it can be expected. taken: components that it has nothing left to take
    of; the others are still in stock, as far as they are there at all. partly: some of its units were reported, so that
    the others are still to be worked, whenever it began.
    """

    order: str
    kind: str
    product: str
    recipe: str | None
    line: str | None
    units: float
    start: date
    due: date
    offer: str | None = None
    lane: str | None = None
    site: str | None = None
    stage: Stage = "out"
    taken: frozenset[str] = frozenset()
    partly: bool = False

    def takes(self, product: str) -> bool:
        """Whether it still takes a component; a transfer takes its product where it leaves."""
        return product not in self.taken

    @property
    def fixed(self) -> bool:
        return self.stage == "fixed"


def under_way(state: State, stands: Mapping[str, Standing], counts: Counts) -> tuple[UnderWay, ...]:
    """Orders out that still bring units, by due day. A work order that names no recipe has its product's only one."""
    told = orders_out(state, stands, counts)
    expected = expected_arrivals(state, told)
    found = (replace(o, due=expected[o.order].day) if o.order in expected else o for o in told)
    return tuple(sorted([*found, *_on_the_way(state)], key=lambda o: (o.due, o.order)))


def _on_the_way(state: State) -> list[UnderWay]:
    """Transfers that left and are not there yet, as orders that have nothing left to take."""
    day = state.settings.calendar.local_date
    return [
        UnderWay(
            order=row["order"] or row["row_id"],
            kind="move",
            product=row["product"],
            recipe=None,
            line=None,
            units=row["units"],
            start=day(row["happened_at"]),
            due=day(row["arrives"]),
            site=row["to_site"],
            stage="begun",
        )
        for row in still_on_the_way(state).to_pylist()
    ]


def orders_out(state: State, stands: Mapping[str, Standing], counts: Counts) -> tuple[UnderWay, ...]:
    """`under_way` without what is on the way, each due as the order says."""
    names = ["order", "kind", "product", "recipe", "line", "start", "due", "offer", "lane", "site"]
    only, calendar, result = only_recipes(state), state.settings.calendar, []
    takings = _Takings(state, counts)
    for r in state.table("orders").select([*names, "units", "locked", "run"]).to_pylist():
        stand = stands.get(r["order"], Standing())
        left = r["units"] - stand.good_units - stand.scrap_units
        is_planned = r["locked"] and state_now(stand) == "proposed"
        if not (is_planned or state_now(stand) in OPEN_STATES) or left <= LEAST_UNITS:
            continue
        stage: Stage = "fixed" if is_planned or (r["locked"] and r["run"] is None) else "out"
        own, taken = {name: r[name] for name in names}, frozenset[str]()
        if r["kind"] == "make" and r["recipe"] is None:
            own["recipe"] = only.get((r["product"], r["line"])) or only.get(r["product"])
        began = begun_at(stand, r["start"], calendar)
        if began is not None:
            stage = "begun"
            taken = takings.of(own, began)
        partly = stand.good_units + stand.scrap_units > LEAST_UNITS
        result.append(UnderWay(units=left, stage=stage, taken=taken, partly=partly, **own))
    return tuple(result)


class _Takings:
    """Which components orders that have begun took already."""

    def __init__(self, state: State, counts: Counts) -> None:
        self.state, self.counts = state, counts

    @cached_property
    def bills(self) -> Bills:
        components = self.state.versions("components")
        return Bills(components, set(components["component"].to_pylist()))

    @cached_property
    def leaves(self) -> dict[str, str]:
        """Where a lane begins."""
        lanes = self.state.table("lanes")
        return dict(zip(*(lanes[c].to_pylist() for c in ("lane", "from_site")), strict=True))

    @cached_property
    def site_of(self) -> Callable[[Mapping[str, Any]], str]:
        return order_sites(self.state)

    def of(self, order: Mapping[str, Any], began: datetime) -> frozenset[str]:
        """order: a row of `orders`, with its recipe. began: when it did. A transfer takes its own product, where it
        leaves: until that is counted there, it lies there by the records."""
        moment = int(pa.scalar(began, MOMENT).value)
        if order["kind"] == "move":
            left = self.counts.last(order["product"], self.leaves.get(order["lane"], ""))
            return frozenset({order["product"]} if left is not None and left >= moment else ())
        if order["kind"] != "make":
            return frozenset()
        site = self.site_of(order)
        parts = {use.component for use in self.bills.uses(order["product"], order["recipe"])}
        return frozenset(part for part in parts if self.counts.taken(part, site, moment))


# past due -----------------------------------------------------------------------------------------


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
    for kind, table, key in (("make", "recipes", "recipe"), ("buy", "offers", "offer"), ("move", "lanes", "lane")):
        rows = state.table(table).select([key, "lead_days"])
        for name, days in zip(*(rows[c].to_pylist() for c in (key, "lead_days")), strict=True):
            found[kind, name] = math.ceil(days - 1e-9)
    return found
