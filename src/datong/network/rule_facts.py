"""What a state says about the rules beyond plain making and buying: the facts, with every default filled in.

How each rule is counted stands in balance/rules/.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.standings import order_standings, state_now
from datong.ledger.state import State
from datong.model.flow import FloatArray, Forecast, Item
from datong.model.settings import ChainSettings
from datong.network.asked_rows import asked_rows
from datong.network.facts import ChainFacts
from datong.network.horizon import valid_on
from datong.network.line_hours import overtime
from datong.network.position import Position
from datong.network.shelf_life import Keeps, shelf_life
from datong.network.sourcing_shares import SourcingShare, sourcing_shares
from datong.network.stock_targets import StockTarget, stock_targets
from datong.network.ways import of_units, way_on

# Less demand than this is rounding.
NOTHING = 1e-9


@dataclass(frozen=True, eq=False)
class DemandClass:
    """Part of a product's demand whose lateness and loss count `weight` times. paths: (path, bucket) units.
    late_buckets: whole buckets that it waits at most; None: as all of the chain. request: the key of the one request
    that it is, '' where it may be any; smallest_units: each delivery to it is at least so many. group: with which
    others it is delivered, complete; '': by itself.

    owed: (bucket + 1) units of it from before the horizon, by the last bucket in which they can still be served; the
    last of them in any.
    """

    weight: float
    paths: FloatArray
    owed: FloatArray | None = None
    late_buckets: int | None = None
    request: str = ""
    smallest_units: float = 0.0
    group: str = ""


@dataclass(frozen=True)
class Substitute:
    """A unit of `substitute` may serve demand for `product`, at cost_per_unit more. holds: by bucket; None: always."""

    product: str
    substitute: str
    cost_per_unit: float
    holds: tuple[bool, ...] | None = None


@dataclass(frozen=True)
class FirmShare:
    """At least `floor` and at most `ceiling` of all line hours are the firm's."""

    firm: str
    floor: float
    ceiling: float


@dataclass(frozen=True, eq=False)
class RuleFacts:
    """late_buckets: whole buckets that demand waits at most; None: for ever. owed: by product, as a DemandClass has
    them, of all its classes. classes: product -> its classes, dearest first, of products that have others than the
    plain one.

    shelf_life by product. before: way -> (bucket) units started in the earlier
    plan, which reaches over `before_buckets`; change_cost: product -> money per unit changed. firm_of_line;
    hour_worth_factor: what an hour short of a floor costs, in most that an hour can earn. overtime_hours,
    overtime_cost: line -> (bucket).
    """

    late_buckets: int | None = None
    owed: Mapping[str, FloatArray] = field(default_factory=dict)
    classes: Mapping[str, tuple[DemandClass, ...]] = field(default_factory=dict)
    substitutes: tuple[Substitute, ...] = ()
    shelf_life: Mapping[str, Keeps] = field(default_factory=dict)
    before: Mapping[str, FloatArray] = field(default_factory=dict)
    before_buckets: int = 0
    change_cost: Mapping[str, float] = field(default_factory=dict)
    shares: tuple[FirmShare, ...] = ()
    firm_of_line: Mapping[str, str] = field(default_factory=dict)
    hour_worth_factor: float = 1.0
    overtime_hours: Mapping[str, FloatArray] = field(default_factory=dict)
    overtime_cost: Mapping[str, FloatArray] = field(default_factory=dict)
    stock_targets: tuple[StockTarget, ...] = ()
    sourcing: tuple[SourcingShare, ...] = ()


NO_RULES = RuleFacts()


def rule_facts(
    state: State, demand: Forecast, where: Position, asked: Mapping[str, FloatArray], facts: ChainFacts
) -> RuleFacts:
    """The facts for the open buckets. asked: product -> (path, bucket), as `planned_demand` gives it."""
    settings, starts = state.settings, demand.bucket_starts
    late_buckets = settings.max_late_days // settings.calendar.bucket_days
    before, reach = _earlier_plan(state, facts, starts) if settings.defaults.change_cost_share > 0 else ({}, 0)
    overtime_hours, overtime_cost = overtime(state, starts)
    shares = _firm_shares(state, starts)
    return RuleFacts(
        late_buckets=late_buckets,
        owed=_owed_until(where.owed_units, starts, settings, facts),
        classes=demand_classes(state, demand, where, asked, facts),
        substitutes=_substitutes(state, facts, starts),
        shelf_life=shelf_life(state, facts, where, starts),
        before=before,
        before_buckets=reach,
        change_cost={p: settings.defaults.change_cost_share * e.price for p, e in facts.economics.items()},
        shares=shares,
        firm_of_line=_firm_of_line(state) if shares else {},
        hour_worth_factor=settings.defaults.firm_share_factor,
        overtime_hours=overtime_hours,
        overtime_cost=overtime_cost,
        stock_targets=stock_targets(state, demand, asked, facts),
        sourcing=sourcing_shares(state, facts, starts),
    )


def own_late_buckets(max_late_days: int | None, settings: ChainSettings) -> int | None:
    """Whole buckets that a request waits at most; None where that is as long as all of the chain."""
    length = settings.calendar.bucket_days
    own = None if max_late_days is None else max_late_days // length
    return None if own == settings.max_late_days // length else own


def _owed_until(
    units: Mapping[tuple[Item, date], float],
    starts: Sequence[date],
    settings: ChainSettings,
    facts: ChainFacts,
    own: int | None = None,
) -> dict[str, FloatArray]:
    """product -> (bucket + 1) units that are owed, as a DemandClass has them. own: whole buckets that they wait at
    most; None: as all of the chain."""
    late_buckets = settings.max_late_days // settings.calendar.bucket_days if own is None else own
    result: dict[str, FloatArray] = defaultdict(lambda: np.zeros(len(starts) + 1))
    for (item, due), count in sorted(units.items()):
        last = max(settings.calendar.index(due, starts[0]) + late_buckets, 0)
        result[facts.label_of(item)][min(last, len(starts))] += count
    return dict(result)


def demand_classes(
    state: State, demand: Forecast, where: Position, asked: Mapping[str, FloatArray], facts: ChainFacts
) -> dict[str, tuple[DemandClass, ...]]:
    """Classes by product, dearest first, where its demand is not all alike: of weight 1, waits as long as all of the
    chain, and comes in any part.

        weight = priority_factor ^ max(priority, 0) x (firm_factor for a firm order of a product that also has forecast
                 demand)

    Rows of `demand` have their own firm and priority, also those that are owed; what is owed of sales is firm, and all
    other demand is forecast; both of priority 0. Of units see `asked_rows`.
    """
    columns = ["product", "market", "due", "units", "firm", "priority", "max_late_days", "demand"]
    columns += ["min_delivery_units", "delivery_group"]
    table = asked_rows(state, demand, where).select(columns)
    if facts.stock_points:  # what is asked for at different sites is demand of different stock points
        items = zip(table["product"].to_pylist(), table["market"].to_pylist(), strict=True)
        labels = pa.array([facts.label_of(Item(*item)) for item in items], pa.string())
        table = table.set_column(0, "product", labels)
    has_own = pc.or_(pc.greater(table["priority"], 0), pc.is_valid(table["max_late_days"]))
    for name in ("min_delivery_units", "delivery_group"):
        has_own = pc.or_(has_own, pc.is_valid(table[name]))
    special = table.filter(pc.or_(pc.invert(table["firm"]), has_own))
    forecast = {
        facts.label_of(item) for item, method in zip(demand.items, demand.method, strict=True) if method != "given"
    }
    of_rows = _owed_rows(where, demand.bucket_starts, state.settings, facts)
    # Beside owed rows that are not like all others, those that are due in the horizon are told apart too.
    unlike = {product for of_kind in of_rows.values() for product in of_kind}
    split = (set(pc.unique(special["product"]).to_pylist()) | forecast | unlike) & set(asked)
    rows = table.filter(pc.is_in(table["product"], pa.array(sorted(split), pa.string())))
    calendar, starts, factors = state.settings.calendar, demand.bucket_starts, state.settings.defaults
    given: dict[str, dict[_Kind, FloatArray]] = defaultdict(dict)
    for r in rows.to_pylist():
        bucket = calendar.index(r["due"], starts[0])
        if 0 <= bucket < len(starts):
            late = own_late_buckets(r["max_late_days"], state.settings)
            smallest, group = r["min_delivery_units"] or 0.0, r["delivery_group"] or ""
            kind = _kind_of(r["demand"], (max(r["priority"], 0), r["firm"], late), smallest, group)
            units = given[r["product"]].setdefault(kind, np.zeros(len(starts)))
            units[bucket] += r["units"]
    owed = _owed_until(where.owed_units, starts, state.settings, facts)
    result = {}
    for product in sorted(given.keys() | unlike & asked.keys()):
        by_kind = given.get(product, {})
        total = np.sum([np.zeros(len(starts)), *by_kind.values()], axis=0)
        left = np.minimum(total, np.maximum(asked[product][0], 0.0)) if len(asked[product]) == 1 else total
        share = left / np.where(total > 0, total, 1.0)
        none, first = np.zeros(len(starts) + 1), np.eye(1, len(starts))
        due_before = owed.get(product, none)
        rest = asked[product] - left - first * due_before.sum()
        is_forecast = np.abs(rest).max(initial=0.0) > NOTHING or any(not kind.firm for kind in by_kind)
        firm_factor = factors.firm_factor if is_forecast else 1.0
        by_row = [(kind, of_rows[kind][product]) for kind in of_rows if product in of_rows[kind]]
        rest_owed = np.maximum(due_before - sum((until[1] for _, until in by_row), none), 0.0)
        parts = [(kind, (units * share)[None], none) for kind, units in by_kind.items()]
        parts += [(kind, first * until[0].sum(), until[0]) for kind, until in by_row]
        parts.append((_Kind(0, True), first * rest_owed.sum(), rest_owed))
        parts.append((_Kind(0, False), rest, none))
        result |= _classes_of(product, parts, factors.priority_factor, firm_factor)
    return result


class _Kind(NamedTuple):
    """What tells demand of a product apart; late, request and smallest as a DemandClass has them."""

    priority: int
    firm: bool
    late: int | None = None
    request: str = ""
    smallest: float = 0.0
    group: str = ""


def _kind_of(key: str, plain: tuple[int, bool, int | None], smallest: float, group: str) -> "_Kind":
    """What tells a request apart. plain: priority, firm, late. One of a group comes complete."""
    if group:
        return _Kind(*plain, key, math.inf, group)
    return _Kind(*plain, key, smallest) if smallest else _Kind(*plain)


def _owed_rows(
    where: Position, starts: Sequence[date], settings: ChainSettings, facts: ChainFacts
) -> dict[_Kind, dict[str, tuple[FloatArray, FloatArray]]]:
    """By kind of overdue firm rows that are not like all others, product -> (bucket + 1) units that are owed,
    by the last bucket in which they can be served, and by that of all else that is owed."""
    by_kind: dict[_Kind, dict[tuple[Item, date], float]] = defaultdict(lambda: defaultdict(float))
    for row in where.firm_rows:
        late = own_late_buckets(row.max_late_days, settings)
        plain = (max(row.priority, 0), True, late)
        kind = _kind_of(row.demand, plain, row.min_delivery_units, row.delivery_group)
        if kind != _Kind(0, True):
            by_kind[kind][row.item, row.due] += row.units
    found = {}
    for kind, units in sorted(by_kind.items(), key=lambda pair: _in_turn(pair[0])):
        own = _owed_until(units, starts, settings, facts, kind.late)
        as_all = _owed_until(units, starts, settings, facts)
        found[kind] = {product: (own[product], as_all[product]) for product in own}
    return found


def _in_turn(kind: _Kind) -> tuple[int, bool, bool, int, str]:
    return kind.priority, kind.firm, kind.late is not None, kind.late or 0, kind.request


def _classes_of(
    product: str,
    parts: Sequence[tuple[_Kind, FloatArray, FloatArray]],
    priority_factor: float,
    firm_factor: float,
) -> dict[str, tuple[DemandClass, ...]]:
    """product -> its classes, dearest first; nothing where all is alike. parts: kind, paths, owed."""
    found: dict[tuple[float, int | None, str], DemandClass] = {}
    for (priority, firm, late, request, smallest, group), paths, owed in parts:
        if np.abs(paths).max(initial=0.0) <= NOTHING:
            continue
        weight = priority_factor**priority * (firm_factor if firm else 1.0)
        key = weight, late, request
        before = found.get(key, DemandClass(weight, np.zeros(paths.shape), np.zeros(len(owed)), late))
        assert before.owed is not None
        least = min(smallest, float(paths.sum()) if request else 0.0)
        found[key] = DemandClass(weight, before.paths + paths, before.owed + owed, late, request, least, group)
    if not set(found) - {(1.0, None, "")}:
        return {}
    in_turn = sorted(found, key=lambda key: (-key[0], key[1] is None, key[1] or 0, key[2]))
    return {product: tuple(found[key] for key in in_turn)}


def _substitutes(state: State, facts: ChainFacts, starts: Sequence[date]) -> tuple[Substitute, ...]:
    """Rows that hold in any open bucket, of products that are known; with lanes, at each site where both can be."""
    rows = sorted(state.versions("substitutes").to_pylist(), key=lambda r: (r["product"], r["substitute"]))
    names = facts.names_by_product
    found = []
    for r in rows:
        holds = tuple(valid_on(start, r["valid_from"], r["valid_to"]) for start in starts)
        for site in sorted(names.get(r["product"], {}).keys() & names.get(r["substitute"], {}).keys()):
            pair = names[r["product"]][site], names[r["substitute"]][site]
            if any(holds):
                found.append(Substitute(*pair, r["cost_per_unit"], None if all(holds) else holds))
    return tuple(found)


def _firm_shares(state: State, starts: Sequence[date]) -> tuple[FirmShare, ...]:
    """Shares of the hours of the whole horizon: where one holds in a part of it, the mean over its buckets, in the
    others of which nothing is asked."""
    none = {"floor_share": 0.0, "ceiling_share": 1.0}
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in state.versions("firm_shares").to_pylist():
        rows[row["firm"]].append(row)
    found = []
    for firm, own in sorted(rows.items()):
        held = [
            next((row for row in own if valid_on(start, row["valid_from"], row["valid_to"])), none) for start in starts
        ]
        floor, ceiling = (
            held[0][name] if all(row is held[0] for row in held) else math.fsum(row[name] for row in held) / len(held)
            for name in none
        )
        found.append(FirmShare(firm, floor, ceiling))
    return tuple(found)


def _earlier_plan(state: State, facts: ChainFacts, starts: Sequence[date]) -> tuple[dict[str, FloatArray], int]:
    """The plan that stands: orders that are proposed and not locked, way -> (bucket) units; and how far it reaches.

    Orders that are out (released, accepted, started) and locked ones are no part of it: they are kept as they are.
    """
    stands = order_standings(state)
    before: dict[str, FloatArray] = defaultdict(lambda: np.zeros(len(starts)))
    reach = 0
    for r in state.table("orders").to_pylist():
        row = r["recipe"] if r["kind"] == "make" else r["offer"]
        bucket = state.settings.calendar.index(r["start"], starts[0])
        if row and not r["locked"] and state_now(stands.get(r["order"])) == "proposed":
            ways = of_units(facts.ways_of_row.get((r["kind"], row), ()), r["units"])
            if 0 <= bucket < len(starts):
                before[way_on(ways, r["start"]).name if ways else row][bucket] += r["units"]
            reach = max(reach, min(bucket + 1, len(starts)))
    return dict(before), reach


def _firm_of_line(state: State) -> dict[str, str]:
    firm_of = {r["site"]: r["firm"] for r in state.table("sites").select(["site", "firm"]).to_pylist()}
    rows = state.table("lines").select(["line", "site"]).to_pylist()
    return {r["line"]: firm for r in rows if (firm := firm_of.get(r["site"])) is not None}
