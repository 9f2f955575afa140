"""What a state says about the rules beyond plain making and buying: the facts, with every default filled in.

How each rule is counted stands in balance/rules/.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

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
from datong.network.ways import way_on

# Less demand than this is rounding.
NOTHING = 1e-9


@dataclass(frozen=True, eq=False)
class DemandClass:
    """Part of a product's demand whose lateness and loss count `weight` times. paths: (path, bucket) units.

    owed: (bucket + 1) units of it from before the horizon, by the last bucket in which they can still be served; the
    last of them in any.
    """

    weight: float
    paths: FloatArray
    owed: FloatArray | None = None


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
    """late_buckets: whole buckets that demand waits at most; None: for ever. owed: by product, as a DemandClass
    has them, of all its classes. classes: product -> its classes, dearest first, of products that have
    others than the plain one.

    shelf_life_buckets by product. before: way -> (bucket) units started in the earlier plan, which reaches over
    `before_buckets`; change_cost: product -> money per unit changed. firm_of_line; hour_worth_factor: what an hour
    short of a floor costs, in most that an hour can earn. overtime_hours, overtime_cost: line -> (bucket).
    """

    late_buckets: int | None = None
    owed: Mapping[str, FloatArray] = field(default_factory=dict)
    classes: Mapping[str, tuple[DemandClass, ...]] = field(default_factory=dict)
    substitutes: tuple[Substitute, ...] = ()
    shelf_life_buckets: Mapping[str, int] = field(default_factory=dict)
    before: Mapping[str, FloatArray] = field(default_factory=dict)
    before_buckets: int = 0
    change_cost: Mapping[str, float] = field(default_factory=dict)
    shares: tuple[FirmShare, ...] = ()
    firm_of_line: Mapping[str, str] = field(default_factory=dict)
    hour_worth_factor: float = 1.0
    overtime_hours: Mapping[str, FloatArray] = field(default_factory=dict)
    overtime_cost: Mapping[str, FloatArray] = field(default_factory=dict)


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
        shelf_life_buckets=_shelf_life(state, facts),
        before=before,
        before_buckets=reach,
        change_cost={p: settings.defaults.change_cost_share * e.price for p, e in facts.economics.items()},
        shares=shares,
        firm_of_line=_firm_of_line(state) if shares else {},
        hour_worth_factor=settings.defaults.firm_share_factor,
        overtime_hours=overtime_hours,
        overtime_cost=overtime_cost,
    )


def _owed_until(
    units: Mapping[tuple[Item, date], float], starts: Sequence[date], settings: ChainSettings, facts: ChainFacts
) -> dict[str, FloatArray]:
    """product -> (bucket + 1) units that are owed, as a DemandClass has them."""
    late_buckets = settings.max_late_days // settings.calendar.bucket_days
    result: dict[str, FloatArray] = defaultdict(lambda: np.zeros(len(starts) + 1))
    for (item, due), count in sorted(units.items()):
        last = max(settings.calendar.index(due, starts[0]) + late_buckets, 0)
        result[facts.label_of(item)][min(last, len(starts))] += count
    return dict(result)


def demand_classes(
    state: State, demand: Forecast, where: Position, asked: Mapping[str, FloatArray], facts: ChainFacts
) -> dict[str, tuple[DemandClass, ...]]:
    """Classes by product, dearest first, where its demand is not all of weight 1.

        weight = priority_factor ^ max(priority, 0) x (firm_factor for a firm order of a product that also has forecast
                 demand)

    Rows of `demand` have their own firm and priority, also those that are owed; what is owed of sales is firm, and all
    other demand is forecast; both of priority 0. Of units see `asked_rows`.
    """
    table = asked_rows(state, demand, where).select(["product", "market", "due", "units", "firm", "priority"])
    if facts.stock_points:  # what is asked for at different sites is demand of different stock points
        items = zip(table["product"].to_pylist(), table["market"].to_pylist(), strict=True)
        labels = pa.array([facts.label_of(Item(*item)) for item in items], pa.string())
        table = table.set_column(0, "product", labels)
    special = table.filter(pc.or_(pc.invert(table["firm"]), pc.greater(table["priority"], 0)))
    forecast = {
        facts.label_of(item) for item, method in zip(demand.items, demand.method, strict=True) if method != "given"
    }
    split = (set(pc.unique(special["product"]).to_pylist()) | forecast) & set(asked)
    rows = table.filter(pc.is_in(table["product"], pa.array(sorted(split), pa.string())))
    calendar, starts, factors = state.settings.calendar, demand.bucket_starts, state.settings.defaults
    given: dict[str, dict[tuple[int, bool], FloatArray]] = defaultdict(dict)
    for r in rows.to_pylist():
        bucket = calendar.index(r["due"], starts[0])
        if 0 <= bucket < len(starts):
            units = given[r["product"]].setdefault((max(r["priority"], 0), r["firm"]), np.zeros(len(starts)))
            units[bucket] += r["units"]
    owed = _owed_until(where.owed_units, starts, state.settings, facts)
    by_priority: dict[int, dict[tuple[Item, date], float]] = defaultdict(lambda: defaultdict(float))
    for row in where.firm_rows:
        if row.priority > 0:
            by_priority[row.priority][row.item, row.due] += row.units
    of_rows = {
        priority: _owed_until(units, starts, state.settings, facts) for priority, units in sorted(by_priority.items())
    }
    result = {}
    for product in sorted(given.keys() | {p for of_priority in of_rows.values() for p in of_priority} & asked.keys()):
        by_kind = given.get(product, {})
        total = np.sum([np.zeros(len(starts)), *by_kind.values()], axis=0)
        left = np.minimum(total, np.maximum(asked[product][0], 0.0)) if len(asked[product]) == 1 else total
        share = left / np.where(total > 0, total, 1.0)
        none, first = np.zeros(len(starts) + 1), np.eye(1, len(starts))
        due_before = owed.get(product, none)
        rest = asked[product] - left - first * due_before.sum()
        is_forecast = np.abs(rest).max(initial=0.0) > NOTHING or any(not firm for _, firm in by_kind)
        firm_factor = factors.firm_factor if is_forecast else 1.0
        rows_owed = [(priority, of_rows[priority][product]) for priority in of_rows if product in of_rows[priority]]
        rows_owed.append((0, due_before - sum((units for _, units in rows_owed), none)))
        parts = [(p, firm, (units * share)[None], none) for (p, firm), units in by_kind.items()]
        parts += [(priority, True, first * units.sum(), units) for priority, units in rows_owed]
        parts.append((0, False, rest, none))
        result |= _classes_of(product, parts, factors.priority_factor, firm_factor)
    return result


def _classes_of(
    product: str,
    parts: Sequence[tuple[int, bool, FloatArray, FloatArray]],
    priority_factor: float,
    firm_factor: float,
) -> dict[str, tuple[DemandClass, ...]]:
    """product -> its classes, dearest first; nothing where all is of weight 1. parts: priority, firm, paths, owed."""
    weights: dict[float, DemandClass] = {}
    for priority, firm, paths, owed in parts:
        if np.abs(paths).max(initial=0.0) <= NOTHING:
            continue
        weight = priority_factor**priority * (firm_factor if firm else 1.0)
        before = weights.get(weight, DemandClass(weight, np.zeros(paths.shape), np.zeros(len(owed))))
        assert before.owed is not None
        weights[weight] = DemandClass(weight, before.paths + paths, before.owed + owed)
    if not set(weights) - {1.0}:
        return {}
    return {product: tuple(weights[weight] for weight in sorted(weights, reverse=True))}


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


def _shelf_life(state: State, facts: ChainFacts) -> dict[str, int]:
    """Whole buckets for which a unit can be kept; a unit may lie over the end of its bucket so many times.

    With lanes, at each stock point: a unit that was moved counts as new.
    """
    days = state.settings.calendar.bucket_days
    table = state.table("products").select(["product", "shelf_life_days"])
    table = table.filter(pc.is_valid(table["shelf_life_days"]))
    names = facts.names_by_product
    return {
        name: int(r["shelf_life_days"] // days)
        for r in table.to_pylist()
        for name in names.get(r["product"], {"": r["product"]}).values()
    }


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
            ways = facts.ways_of_row.get((r["kind"], row), ())
            if 0 <= bucket < len(starts):
                before[way_on(ways, r["start"]).name if ways else row][bucket] += r["units"]
            reach = max(reach, min(bucket + 1, len(starts)))
    return dict(before), reach


def _firm_of_line(state: State) -> dict[str, str]:
    firm_of = {r["site"]: r["firm"] for r in state.table("sites").select(["site", "firm"]).to_pylist()}
    rows = state.table("lines").select(["line", "site"]).to_pylist()
    return {r["line"]: firm for r in rows if (firm := firm_of.get(r["site"])) is not None}
