"""Orders that are out and still bring units, each due as it says, and what they still take."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any, Literal

import pyarrow as pa

from datong.ledger.columns import day_number
from datong.ledger.order_life import Standing
from datong.ledger.standings import LEAST_UNITS, OPEN_STATES, begun_at, only_recipes, order_standings, state_now
from datong.ledger.state import State
from datong.ledger.versions import EPOCH
from datong.network.bills import Bills, group_label, phantoms
from datong.network.horizon import valid_on
from datong.network.order_takes import first_alternatives
from datong.network.routes import Routes
from datong.network.sent_to_buyers import MOMENT
from datong.network.site_transfers import sent_by_shipments
from datong.network.stock_on_hand import Counts, order_sites

# How far an order is: 'fixed': a planner locked it and it has not begun (what a run proposed and gave out is no word of
# a planner); 'out': given out and not begun; 'begun': a start, or units of it, were reported.
Stage = Literal["fixed", "out", "begun"]


@dataclass(frozen=True)
class UnderWay:
    """An order already out. units: still to be started (or, of a purchase, to come): ordered less good and scrapped.

    What arrives of them is `units` times the yield of the order's way. due: the day on which it is counted on: as the
    order says, or, where that has passed, when it can be expected; said: the day that was promised, where that is
    another. taken: components that it has nothing left to take of; the others are still in stock, as far as they are
    there at all. partly: some of its units were reported, so that the others are still to be worked, whenever it began.
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
    said: date | None = None

    def takes(self, product: str) -> bool:
        """Whether it still takes a component; a transfer takes its product where it leaves."""
        return product not in self.taken

    @property
    def promised(self) -> date:
        """The day that was promised."""
        return self.said or self.due

    @property
    def fixed(self) -> bool:
        return self.stage == "fixed"


def orders_out(state: State, stands: Mapping[str, Standing], counts: Counts) -> tuple[UnderWay, ...]:
    """`under_way` without what is on the way, each due as the order says. A work order that names no recipe has its
    product's only one, a transfer without a lane the only one that brings its product to its site. Without lanes a
    transfer changes nothing: all that lies anywhere is one pool."""
    if not state.table("orders").num_rows:
        return ()
    names = ["order", "kind", "product", "recipe", "line", "start", "due", "offer", "lane", "site"]
    only, calendar, result = only_recipes(state), state.settings.calendar, []
    routes, lanes_to = Routes.of(state), _lanes_to(state)
    takings, by_shipments = _Takings(state, counts, routes), sent_by_shipments(state)
    for r in state.table("orders").select([*names, "units", "locked", "run"]).to_pylist():
        stand = stands.get(r["order"], Standing())
        left = r["units"] - stand.good_units - stand.scrap_units
        is_planned = r["locked"] and state_now(stand) == "proposed"
        if not (is_planned or state_now(stand) in OPEN_STATES) or left <= LEAST_UNITS:
            continue
        if r["kind"] == "move" and not lanes_to:  # its units lie in the one pool before and after
            continue
        stage: Stage = "fixed" if is_planned or (r["locked"] and r["run"] is None) else "out"
        own, taken = {name: r[name] for name in names}, frozenset[str]()
        if r["kind"] == "make" and r["recipe"] is None:
            own["recipe"] = only.get((r["product"], r["line"])) or only.get(r["product"])
        if r["kind"] == "move" and r["lane"] is None:
            fits = [lane for lane, product in lanes_to.get(r["site"], ()) if product in (None, r["product"])]
            own["lane"] = fits[0] if len(fits) == 1 else None
        told = own["recipe"]
        if r["kind"] == "make":
            own["recipe"] = routes.last(told)
        began = begun_at(stand, r["start"], calendar)
        # Of a transfer that shipments tell of, what is left lies where it is to leave.
        if began is not None and not (r["kind"] == "move" and r["order"] in by_shipments):
            stage = "begun"
            taken = takings.of(own, began, told)
        own["product"] = routes.brings(own["product"], own["recipe"]) if r["kind"] == "make" else own["product"]
        partly = stand.good_units + stand.scrap_units > LEAST_UNITS
        result.append(UnderWay(units=left, stage=stage, taken=taken, partly=partly, **own))
    return tuple(result)


def _lanes_to(state: State) -> dict[str | None, list[tuple[str, str | None]]]:
    """Lanes by the site where they end, each with the one product that it carries, None: all."""
    found: dict[str | None, list[tuple[str, str | None]]] = defaultdict(list)
    for row in state.table("lanes").select(["lane", "to_site", "product"]).to_pylist():
        found[row["to_site"]].append((row["lane"], row["product"]))
    return found


def taken_by_counts(state: State, before: Counts, after: Counts) -> dict[str, dict[str, float]]:
    """By component and order units for the part of orders that have begun and is not made yet, which by the counts
    `before` were still to be taken and by those `after` are not: a count at or after the start of an order has all its
    components out."""
    found: dict[str, dict[str, float]] = {}
    stands, only, calendar = order_standings(state), only_recipes(state), state.settings.calendar
    routes = Routes.of(state)
    takings = _Takings(state, after, routes)
    for row in state.table("orders").to_pylist():
        stand = stands.get(row["order"], Standing())
        left, began = row["units"] - stand.good_units - stand.scrap_units, begun_at(stand, row["start"], calendar)
        if row["kind"] != "make" or began is None or state_now(stand) not in OPEN_STATES or left <= LEAST_UNITS:
            continue
        recipe = row["recipe"] or only.get((row["product"], row["line"])) or only.get(row["product"])
        site, moment = takings.site_of(row), int(pa.scalar(began, MOMENT).value)
        day = day_number(calendar.local_date(began))
        bill = routes.bill(takings.bills, row["product"], recipe)
        for use in first_alternatives(use for use in bill if use.days[0] - EPOCH <= day < use.days[1] - EPOCH):
            if after.taken(use.component, site, moment) and not before.taken(use.component, site, moment):
                own = found.setdefault(use.component, {})
                own[row["order"]] = own.get(row["order"], 0.0) + left * use.units_per_unit
    return found


class _Takings:
    """Which components orders that have begun took already."""

    def __init__(self, state: State, counts: Counts, routes: Routes) -> None:
        self.state, self.counts, self.routes = state, counts, routes

    @cached_property
    def bills(self) -> Bills:
        components = self.state.versions("components")
        return Bills(components, set(components["component"].to_pylist()), phantoms(self.state))

    @cached_property
    def leaves(self) -> dict[str, str]:
        """Where a lane begins."""
        lanes = self.state.table("lanes")
        return dict(zip(*(lanes[c].to_pylist() for c in ("lane", "from_site")), strict=True))

    @cached_property
    def site_of(self) -> Callable[[Mapping[str, Any]], str]:
        return order_sites(self.state)

    def of(self, order: Mapping[str, Any], began: datetime, told: str | None) -> frozenset[str]:
        """order: a row of `orders`, with its recipe or step. began: when it did. told: the recipe that it names; an
        order of a whole one with steps takes nothing of what waits between them, once all that goes into any of them
        is taken. A transfer takes its own product, where it leaves: until that is counted there, it lies there by the
        records."""
        moment = int(pa.scalar(began, MOMENT).value)
        if order["kind"] == "move":
            left = self.counts.last(order["product"], self.leaves.get(order["lane"], ""))
            return frozenset({order["product"]} if left is not None and left >= moment else ())
        if order["kind"] != "make":
            return frozenset()
        site = self.site_of(order)
        bill = self.routes.bill(self.bills, order["product"], order["recipe"])
        # What waits between steps is taken as it is reported.
        parts = {use.component for use in bill} - self.routes.between.keys()
        taken = {part for part in parts if self.counts.taken(part, site, moment)}
        if told != order["recipe"]:
            whole = {use.component for use in self.routes.bill(self.bills, order["product"], told)}
            if all(self.counts.taken(part, site, moment) for part in whole):
                taken |= {use.component for use in bill} & self.routes.between.keys()
        on_its_day = tuple(use for use in bill if valid_on(order["start"], use.valid_from, use.valid_to)) or bill
        first = (use for use in first_alternatives(on_its_day) if use.group is not None and use.component in taken)
        return frozenset({*taken, *(group_label(order["recipe"], use.group or "") for use in first)})
