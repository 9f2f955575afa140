"""The network by stock point: where recipes make, where offers arrive, and a way for each move of a lane."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow.compute as pc

from datong.ledger.state import State
from datong.model.calendar import Calendar
from datong.model.flow import FloatArray, Item
from datong.network.bills import ComponentUse
from datong.network.economics import Economics
from datong.network.horizon import Horizon, or_default, valid_on, versions_in
from datong.network.places import ANYWHERE, Lane, Places, unlike
from datong.network.ways import Way, lead_buckets
from datong.network.weekly_limits import units_in_bucket


def lanes_of(state: State, bucket_starts: Sequence[date]) -> tuple[Lane, ...]:
    """The lanes, each of their versions in the horizon."""
    rows = versions_in(state, "lanes", Horizon.of(state, bucket_starts))
    return tuple(
        Lane(
            r["lane"],
            r["from_site"],
            r["to_site"],
            r["product"],
            r["lead_days"],
            r["cost_per_unit"],
            or_default(r["units_per_week"], math.inf),
            r["valid_from"],
            r["valid_to"],
            r["calendar"],
            r["lead_in"] == "working",
            r["cost_per_order"],
            r["min_order_units"],
            r["lot_multiple_units"],
        )
        for r in sorted(rows, key=lambda r: r["lane"])
    )


def delivered_at(ways: Sequence[Way], lanes: Sequence[Lane]) -> dict[str, str | None]:
    """Offer's way -> the site at which its units arrive; None: wherever they are wanted."""
    left = {(lane.from_site, lane.product) for lane in lanes}
    delivered: dict[str, str | None] = {}
    for way in ways:
        if way.kind == "buy":
            leaves = way.from_site is not None and bool({(way.from_site, None), (way.from_site, way.product)} & left)
            delivered[way.name] = way.site or (way.from_site if leaves else None)
    return delivered


def sites_of(
    state: State, ways: Sequence[Way], delivered: Mapping[str, str | None]
) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Product -> sites at which its units come about, or lie; component -> sites at which it is used."""
    sources, used_at = _recorded_sites(state), defaultdict[str, set[str]](set)
    for way in ways:
        if way.kind == "make":
            for product, _ in way.brings:
                sources[product].add(way.site or ANYWHERE)
            for component in (*(use.component for use in way.uses), *(component for component, _ in way.lot_uses)):
                used_at[component].add(way.site or ANYWHERE)
        elif (to := delivered[way.name]) is not None:
            sources[way.product].add(to)
    return sources, used_at


class SharedLimits:
    """What all ways of a limited lane or offer share: a line of its own, of which an hour is a unit.

    hours: line -> (bucket), those of such lines included; shared: such a line -> ('lane' or 'offer', its key).
    """

    def __init__(self, hours: Mapping[str, FloatArray], bucket_starts: Sequence[date], bucket_days: int) -> None:
        self.hours = dict(hours)
        self.shared: dict[str, tuple[str, str]] = {}
        self._starts, self._days = bucket_starts, bucket_days
        self._key_of: dict[tuple[str, str], str] = {}

    def key(self, what: str, name: str, of: Lane | Way) -> str | None:
        """The line of a lane or offer, with the units of this version of it while it holds; None: it has no limit."""
        if math.isinf(of.units_per_week):
            return None
        if (what, name) not in self._key_of:
            key = self._key_of[what, name] = unlike(f"{what} {name}", set(self.hours))
            self.shared[key] = (what, name)
            self.hours[key] = np.zeros(len(self._starts))
        key = self._key_of[what, name]
        holds = [valid_on(start, of.valid_from, of.valid_to) for start in self._starts]
        allowed = np.array([units_in_bucket(of.units_per_week, start, self._days) for start in self._starts])
        self.hours[key][holds] = allowed[holds]
        return key


def with_one_limit(ways: Sequence[Way], limits: SharedLimits) -> tuple[Way, ...]:
    """The ways, those of an offer and of its price breaks under one limit of units a week."""

    def limited(way: Way) -> Way:
        key = None if way.price_break is None else limits.key("offer", way.row or way.name, way)
        return way if key is None else replace(way, line=key, hours_per_unit=1.0, units_per_week=math.inf)

    return tuple(map(limited, ways))


def ways_at_sites(
    way: Way,
    label: Mapping[tuple[str, str], str],
    delivered: Mapping[str, str | None],
    wanted_at: Mapping[str, set[str]],
    limits: SharedLimits,
) -> list[Way]:
    """A recipe or an offer at its site, or at each site at which its units may arrive."""
    if way.kind == "make":
        site = way.site or ANYWHERE
        uses = tuple(replace(u, component=label[u.component, site]) for u in way.uses)
        lot_uses = tuple((label[component, site], units) for component, units in way.lot_uses)
        outputs = tuple(replace(o, product=label[o.product, site]) for o in way.outputs)
        return [replace(way, product=label[way.product, site], uses=uses, lot_uses=lot_uses, outputs=outputs)]
    to = delivered[way.name]
    arrivals = [to] if to is not None else sorted(wanted_at[way.product])
    if len(arrivals) <= 1:
        return [replace(way, product=label[way.product, site], site=site) for site in arrivals]
    key = limits.key("offer", way.row or way.name, way)
    found = []
    for site in arrivals:
        name = f"{way.name}@{site}" if site != ANYWHERE else way.name
        one = replace(way, name=name, product=label[way.product, site], site=site, row=way.row or way.name)
        found.append(one if key is None else replace(one, line=key, hours_per_unit=1.0, units_per_week=math.inf))
    return found


def moves(places: Places, limits: SharedLimits, names: set[str]) -> list[Way]:
    """A way for each product that a lane may carry. names: those that are taken; written over."""
    found, label = [], places.label
    for move in places.moves:
        lane = move.lane
        name = unlike(f"{move.from_site}>{move.product}" if lane is None else f"{lane.lane}>{move.product}", names)
        names.add(name)
        key = None if lane is None else limits.key("lane", lane.lane, lane)
        found.append(
            Way(
                name=name,
                kind="move",
                product=label[move.product, move.to_site],
                line=key,
                hours_per_unit=0.0 if key is None else 1.0,
                cost_per_unit=0.0 if lane is None else lane.cost_per_unit,
                setup_hours=0.0,
                setup_cost=0.0 if lane is None else lane.cost_per_order,
                min_units=0.0 if lane is None else lane.min_units,
                multiple_units=0.0 if lane is None else lane.multiple_units,
                lead_days=0 if lane is None else math.ceil(lane.lead_days - 1e-9),
                lead_time=0.0 if lane is None else lane.lead_days,
                yield_share=1.0,
                units_per_week=math.inf,
                uses=(ComponentUse(label[move.product, move.from_site], 1.0, None, None),),
                valid_from=None if lane is None else lane.valid_from,
                valid_to=None if lane is None else lane.valid_to,
                site=move.to_site,
                from_site=move.from_site,
                row=None if lane is None else lane.lane,
                calendar=None if lane is None else lane.calendar,
                in_working=lane is not None and lane.in_working,
            )
        )
    return found


def holding_factors(state: State, places: Places) -> dict[str, float]:
    """By label of a stock point, how many times the holding of its product a unit costs there. What is set aside for a
    market that several sites serve lies at one of them: it costs what it does at the dearest."""
    sites = state.table("sites")
    of_site = dict(zip(sites["site"].to_pylist(), sites["holding_factor"].to_pylist(), strict=True))
    found = {label: float(of_site.get(point.site, 1.0)) for label, point in places.points.items()}
    serving: dict[str, list[float]] = defaultdict(list)
    for move in places.moves:
        if move.lane is None:
            factor = found[places.label[move.product, move.from_site]]
            serving[places.label[move.product, move.to_site]].append(factor)
    return found | {label: max(factors) for label, factors in serving.items()}


def with_holding(move: Way, economics: Mapping[str, Economics], calendar: Calendar) -> Way:
    """Goods on the way are stock: without their holding, a long lane would be the cheapest warehouse. They take no room
    at either end, and cost what they do at the cheaper one."""
    ends = (move.product, *(use.component for use in move.uses))
    holding = min(economics[end].holding_per_bucket for end in ends) * lead_buckets(move, calendar)
    return replace(move, cost_per_unit=move.cost_per_unit + holding)


def _recorded_sites(state: State) -> dict[str, set[str]]:
    """Sites at which units of a product were ever counted or arrived, or will: product -> sites."""
    sites: dict[str, set[str]] = defaultdict(set)
    for table, column in (
        ("stock", "site"),
        ("receipts", "site"),
        ("production", "site"),
        ("shipments", "to_site"),
        ("orders", "site"),
    ):
        rows = state.table(table)
        if table == "shipments":
            rows = rows.filter(pc.is_valid(rows[column]))
        pairs = rows.select(["product", column]).group_by(["product", column], use_threads=False).aggregate([])
        for product, site in zip(pairs["product"].to_pylist(), pairs[column].to_pylist(), strict=True):
            if table != "orders" or site is not None:
                sites[product].add(site or ANYWHERE)
    return sites


def asked_items(state: State) -> Iterable[Item]:
    """Every product and market that anything was ever asked of."""
    for table in ("sales", "demand"):
        rows = state.table(table).select(["product", "market"])
        pairs = rows.group_by(["product", "market"], use_threads=False).aggregate([])
        yield from map(Item, pairs["product"].to_pylist(), pairs["market"].to_pylist())
