"""Plan: balanced quantities -> work orders and purchase orders that a factory can run, each with its reasons."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.facts import (
    ChainFacts,
    Committed,
    Way,
    chain_facts,
    committed,
    components_first,
    located,
    planned_demand,
    pooled_demand,
    valid_on,
    way_on,
)
from datong.ledger.position import OPEN_STATES, Position, order_standings, position, state_now
from datong.ledger.rule_facts import rule_facts
from datong.ledger.state import State, state_schema
from datong.model.calendar import Calendar
from datong.model.flow import Clearing, FloatArray, Forecast, Item, Learnt, Plan, PlannedOrder, Sensed
from datong.model.layers import SortedDemand
from datong.model.tables import tables
from datong.plan.feasible import Room, make_feasible
from datong.plan.lots import NOTHING, Lot, Need, PartShifts, Shifts, lots_matter, round_up, size_lots, step_of
from datong.plan.reason import Reasons, Served
from datong.plan.turns import Choice, OnTurn, Shop, lots_in_turn, no_hurry
from datong.plan.worth import Curve, DemandShifts


def plan(
    state: State,
    sensed: Sensed,
    demand: Forecast,
    clearing: Clearing,
    learnt: Learnt,
    where: Position | None = None,
    on_turn: OnTurn = no_hurry,
) -> Plan:
    """Orders for what was cleared: in lots, within the hours and components that are there, with value and causes.

    Orders under way and locked ones stay as they are, in `kept`; the frozen buckets get no new starts, because the
    market was cleared without them. where: the state's position, where it is at hand. on_turn: see lots_in_turn.
    """
    where = where or position(state)
    work = _prepare(state, demand, clearing, learnt, where)
    in_turn = _takes_turns(state, demand, work, where)
    lots = _told(work, lots_in_turn(_shop(work), on_turn)) if in_turn else _lots(work)
    room = Room(
        bucket_starts=work.starts,
        hours={line: hours - work.promised.hours[line] for line, hours in work.facts.line_hours.items()},
        stock={p: work.promised.units[p] for p in work.components},
        levels={p: i for i, p in enumerate(work.order)},
        whole=work.whole,
        following=_following(work.facts.ways),
        calendar=work.calendar,
    )
    lots = make_feasible(lots, room, _worth_per_hour(work, lots), _instead(work, lots))
    return Plan(_orders(state, sensed, demand, clearing, work, lots), kept_orders(state))


def _following(ways: Sequence[Way]) -> dict[str, Way]:
    """By name of a way that ends: what its row is from that day on, where it goes on."""
    begins = {_from(way, way.valid_from): way for way in ways if way.valid_from is not None}
    ends = ((way, _from(way, way.valid_to)) for way in ways if way.valid_to is not None)
    return {way.name: begins[after] for way, after in ends if after in begins}


def _from(way: Way, day: date | None) -> tuple[str | date | None, ...]:
    """What names the version of a way's row that begins on a day."""
    return way.kind, way.row or way.name, way.product, way.site, way.from_site, day


def kept_orders(state: State) -> pa.Table:
    """Orders already out, and locked ones not yet ended: the columns of `orders` (all in base units, so without `unit`)
    and their `state`, by order."""
    schema = state_schema(tables()["orders"]).append(pa.field("state", pa.string()))
    schema = schema.remove(schema.get_field_index("unit"))
    stands = order_standings(state)
    rows = []
    for row in state.table("orders").to_pylist():
        now = state_now(stands.get(row["order"]), row["locked"])
        if now in OPEN_STATES or (row["locked"] and now == "proposed"):
            rows.append(row | {"state": now})
    return pa.Table.from_pylist(sorted(rows, key=lambda r: r["order"]), schema=schema)


# what planning works on ---------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class CostOfUnits:
    """Full prices at the cleared prices: cost, hours, components and limited offers, per good unit."""

    prices: Mapping[tuple[str, str, date], float]
    starts: tuple[date, ...]
    shared: Mapping[str, tuple[str, str]]

    def of(self, what: str, name: str, bucket: int) -> float:
        return self.prices.get((what, name, self.starts[bucket]), 0.0)

    def over_time(self, what: str, name: str) -> FloatArray:
        """(bucket) price."""
        return np.array([self.of(what, name, t) for t in range(len(self.starts))])

    def hour(self, way: Way, start: int) -> float:
        return self.of(*self.shared.get(way.line, ("line", way.line)), start) if way.line is not None else 0.0

    def unit(self, way: Way, start: int) -> float:
        cost = way.cost_per_unit + way.hours_per_unit * self.hour(way, start) + self.of("offer", way.name, start)
        for use in way.uses:
            if valid_on(self.starts[start], use.valid_from, use.valid_to):
                cost += use.units_per_unit * self.of("component", use.component, start)
        return cost / way.yield_share


@dataclass(frozen=True, eq=False)
class Work:
    """Everything the steps of planning read. cleared: product -> way name -> (bucket of start) units started.

    asked: product -> (path, bucket) demand as planning sees it; wanted: the same with its whole spread, for what is
    told to people. substituted: product -> (bucket) units that it serves for others, less what others serve for it.
    """

    calendar: Calendar
    starts: tuple[date, ...]
    first_start: int
    facts: ChainFacts
    ways: Mapping[str, Way]
    ways_of: Mapping[str, Sequence[Way]]
    order: tuple[str, ...]
    components: frozenset[str]
    on_hand: Mapping[str, float]
    promised: Committed
    asked: Mapping[str, FloatArray]
    wanted: Mapping[str, FloatArray]
    curves: Mapping[str, Curve]
    whole: Mapping[str, bool]
    cleared: Mapping[str, Mapping[str, FloatArray]]
    price: CostOfUnits
    substituted: Mapping[str, FloatArray]

    def arrive(self, way: Way, start: int) -> int:
        return start + self.calendar.lead_buckets(way.lead_days)


def _prepare(state: State, demand: Forecast, clearing: Clearing, learnt: Learnt, where: Position) -> Work:
    settings, starts = state.settings, demand.bucket_starts
    calendar, buckets = settings.calendar, len(starts)
    facts = chain_facts(state, starts, learnt, demand.items)
    facts = replace(facts, line_hours=_hours_to_work(facts, clearing, starts))
    ways = {w.name: w for w in facts.ways}
    at = {s: t for t, s in enumerate(starts)}
    ways_of: dict[tuple[str, ...], list[Way]] = defaultdict(list)
    for w in facts.ways:
        ways_of[_way_key(w, facts)].append(w)
    cleared: dict[str, dict[str, FloatArray]] = defaultdict(lambda: defaultdict(lambda: np.zeros(buckets)))
    for row in clearing.quantities.to_pylist():
        way = way_on(ways_of[_row_key(row)], row["start"])
        cleared[way.product][way.name][at[row["start"]]] += row["started_units"]
    promised = committed(facts, where, starts, calendar)
    asked = planned_demand(demand, where, facts, starts, settings)
    wanted = pooled_demand(demand, where, calendar.bucket_days, facts.label_of)
    substituted = _substituted(clearing, at)
    asked |= {p: np.zeros((1, buckets)) for p in substituted if p not in asked}
    wanted |= {p: wanted.get(p, 0.0) + np.maximum(units, 0.0)[None] for p, units in substituted.items()}
    components = frozenset(u.component for w in facts.ways for u in w.uses)
    prices = {(r["what"], r["name"], r["bucket"]): r["price"] for r in clearing.prices.to_pylist()}
    arrivals = {p: np.zeros(buckets) for p in asked}
    for product, by_way in cleared.items():
        for name, units in by_way.items():
            lead = calendar.lead_buckets(ways[name].lead_days)
            if product in arrivals:
                arrivals[product][lead:] += units[: buckets - lead] * ways[name].yield_share
    turned_away = _turned_away(clearing, asked, at, facts)
    for product, units in substituted.items():  # what a substitute serves is its own demand, and no longer the other's
        turned_away[product] = turned_away[product] - np.cumsum(units)
    curves = {
        p: Curve(
            SortedDemand.of(np.cumsum(paths, axis=1) - turned_away[p]),
            facts.economics[p],
            np.cumsum(arrivals[p] + promised.units[p]),
        )
        for p, paths in asked.items()
        if p in facts.economics and p not in components
    }
    return Work(
        calendar=calendar,
        starts=starts,
        first_start=settings.frozen_buckets,
        facts=facts,
        ways=ways,
        ways_of=_ways_of(ways.values()),
        order=_order(facts, cleared),
        components=components,
        on_hand=located(facts, where).on_hand_units,
        promised=promised,
        asked=asked,
        wanted=wanted,
        curves=curves,
        whole=_whole(facts, asked, promised),
        cleared=cleared,
        price=CostOfUnits(prices, starts, facts.shared),
        substituted=substituted,
    )


def _order(facts: ChainFacts, cleared: Mapping[str, Mapping[str, FloatArray]]) -> tuple[str, ...]:
    """Products, components first. Where lanes go round in a circle, only those that the clearing uses count: seldom do
    goods go both ways."""
    if not facts.has_circles:
        return components_first(facts.products, facts.ways)
    used = {name for by_way in cleared.values() for name in by_way}
    return components_first(facts.products, [w for w in facts.ways if w.kind != "move" or w.name in used])


def _way_key(way: Way, facts: ChainFacts) -> tuple[str, ...]:
    """What names a way in the cleared quantities: kind, row of its table, product, and where from and to with lanes."""
    moves, located_there = way.kind == "move", bool(facts.stock_points)
    return (
        "serve" if way.serves else way.kind,
        way.recipe or way.offer or way.lane or "",
        facts.product_of(way.product),
        (way.from_site or "") if moves else "",
        (way.site or "") if located_there else "",
    )


def _row_key(row: Mapping[str, Any]) -> tuple[str, ...]:
    """`_way_key` of a row of the cleared quantities."""
    name = row["recipe"] or row["offer"] or row.get("lane") or ""
    return row["kind"], name, row["product"], row.get("from_site") or "", row.get("to_site") or ""


def _hours_to_work(facts: ChainFacts, clearing: Clearing, starts: Sequence[date]) -> dict[str, FloatArray]:
    """Hours by line and bucket: those of the line, or more where the market works overtime."""
    at = {s: t for t, s in enumerate(starts)}
    hours = {line: of_line.copy() for line, of_line in facts.line_hours.items()}
    for row in clearing.prices.filter(pc.equal(clearing.prices["what"], "line")).to_pylist():
        of_line, t = hours[row["name"]], at[row["bucket"]]
        of_line[t] = max(of_line[t], min(row["used"], row["available"]))
    return hours


def _substituted(clearing: Clearing, at: Mapping[date, int]) -> dict[str, FloatArray]:
    """Units that a product serves for others less what others serve for it: product -> (bucket)."""
    units: dict[str, FloatArray] = defaultdict(lambda: np.zeros(len(at)))
    for row in clearing.substitutions.to_pylist():
        units[row["substitute"]][at[row["bucket"]]] += row["units"]
        units[row["product"]][at[row["bucket"]]] -= row["units"]
    return dict(units)


def _ways_of(ways: Iterable[Way]) -> dict[str, list[Way]]:
    """Ways by product, in order of name."""
    result: dict[str, list[Way]] = defaultdict(list)
    for way in sorted(ways, key=lambda w: w.name):
        result[way.product].append(way)
    return result


def _turned_away(
    clearing: Clearing, asked: Mapping[str, FloatArray], at: Mapping[date, int], facts: ChainFacts
) -> dict[str, FloatArray]:
    """Cumulative units that the market gives up before the last bucket: product -> (bucket)."""
    lost = {p: np.zeros(len(at)) for p in asked}
    for row in clearing.gaps.to_pylist():
        t, product = at[row["bucket"]], facts.label_of(Item(row["product"], row["market"]))
        if product in lost and t < len(at) - 1:
            lost[product][t] += row["lost_units"]
    return {p: np.cumsum(units) for p, units in lost.items()}


def whole_products(state: State, demand: Forecast, learnt: Learnt, where: Position) -> Mapping[str, bool]:
    """Product -> whether it comes in whole units."""
    facts = chain_facts(state, demand.bucket_starts, learnt, demand.items)
    asked = planned_demand(demand, where, facts, demand.bucket_starts, state.settings)
    return _whole(facts, asked, committed(facts, where, demand.bucket_starts, state.settings.calendar))


def _whole(facts: ChainFacts, asked: Mapping[str, FloatArray], promised: Committed) -> dict[str, bool]:
    """Products that come in whole units: their demand, stock and the units that go into anything are whole."""
    whole = {p: bool((units % 1 == 0).all()) for p, units in promised.units.items()}
    for product, paths in asked.items():
        whole[product] = whole.get(product, True) and bool((paths % 1 == 0).all())
    for way in facts.ways:
        for use in way.uses:
            if use.units_per_unit % 1 != 0:
                whole[use.component] = False
    ways_of = _ways_of(facts.ways)
    for product in reversed(components_first(facts.products, facts.ways)):
        for way in ways_of[product]:
            for use in way.uses:
                whole[use.component] = whole[use.component] and whole[product]
    return whole


# lots of products in turn -------------------------------------------------------------------------


def _takes_turns(state: State, demand: Forecast, work: Work, where: Position) -> bool:
    """Whether lots may leave the cleared quantities: any way has a set-up or lots, goods lie nowhere in particular, and
    no rule looks at more than costs, hours and components."""
    if work.facts.stock_points or not any(lots_matter(w) for w in work.facts.ways):
        return False
    rules = rule_facts(state, demand, where, work.asked, work.facts)
    return not (rules.substitutes or rules.shelf_life_buckets or rules.shares or any(rules.change_cost.values()))


def _shop(work: Work) -> Shop:
    choices = {p: [_choice(work, way) for way in work.ways_of[p]] for p in work.order}
    usual = {}
    for part in sorted(work.components):
        cleared = work.cleared.get(part, {})
        of_way = [(-float(cleared[c.way.name].sum()) if c.way.name in cleared else 0.0, c) for c in choices[part]]
        usual[part] = min(of_way, key=lambda u: (u[0], u[1].way.cost_per_unit, u[1].way.name))[1]
    lines = work.facts.line_hours
    return Shop(
        buckets=len(work.starts),
        first_start=work.first_start,
        order=work.order,
        choices=choices,
        usual=usual,
        curves={p: work.curves[p] for p in work.order if p in work.curves},
        holding={c: work.facts.economics[c].holding_per_bucket for c in work.components},
        hours={line: hours - work.promised.hours[line] for line, hours in lines.items()},
        hour_price={line: work.price.over_time("line", line) for line in lines},
        comes={p: np.cumsum(work.promised.units[p]) for p in work.order},
        at_least={p: _cleared_arrivals(work, p) for p in work.components if p in work.asked},
    )


def _choice(work: Work, way: Way) -> Choice:
    lead = work.calendar.lead_buckets(way.lead_days)
    uses = tuple((u.component, u.units_per_unit) for u in way.uses if u.component in work.components)
    cost = way.cost_per_unit + work.price.over_time("offer", way.name)
    for component, units in uses:
        cost = cost + units * work.price.over_time("component", component)
    opens = [
        t >= work.first_start and t + lead < len(work.starts) and valid_on(day, way.valid_from, way.valid_to)
        for t, day in enumerate(work.starts)
    ]
    most = np.full(len(work.starts), way.units_per_week * work.calendar.bucket_days / 7)
    return Choice(way, lead, np.array(opens, dtype=bool), cost, most, step_of(way, work.whole[way.product]), uses)


def _cleared_arrivals(work: Work, product: str) -> FloatArray:
    """(bucket) cumulative good units that the market has arrive."""
    arrivals = np.zeros(len(work.starts))
    for name, units in work.cleared.get(product, {}).items():
        lead = work.calendar.lead_buckets(work.ways[name].lead_days)
        arrivals[lead:] += units[: len(arrivals) - lead] * work.ways[name].yield_share
    return np.cumsum(arrivals)


def _told(work: Work, lots: Sequence[Lot]) -> list[Lot]:
    """Lots with what of them the market cleared: a lot stands for what it has arrive before the product's next lot, and
    for the starts that bring it. One above its smallest is all wanted."""
    result = []
    for product, own in _by_product(lots).items():
        own.sort(key=lambda x: (x.arrive, x.start, x.way.name))
        arrive = sorted(
            work.arrive(work.ways[name], int(t))
            for name, units in work.cleared.get(product, {}).items()
            for t in np.flatnonzero(units > NOTHING)
        )
        cleared, given, so_far = _cleared_arrivals(work, product), 0.0, 0
        for lot, following in zip(own, [*own[1:], None], strict=True):
            last = len(cleared) if following is None else max(following.arrive, lot.arrive + 1)
            wanted = max(float(cleared[last - 1]) - given, 0.0) / lot.way.yield_share
            if lot.units > round_up(lot.way.min_units, step_of(lot.way, work.whole[product])) + NOTHING:
                wanted = lot.units
            until = int(np.searchsorted(arrive, last))
            joined, so_far = max(until - so_far, 1), until
            result.append(replace(lot, wanted_units=min(wanted, lot.units), merged=joined))
            given += lot.units * lot.way.yield_share
    return result


# lots along the cleared quantities, from the product that is sold down to the material --------------


def _lots(work: Work) -> list[Lot]:
    buckets = len(work.starts)
    used = {c: np.maximum(work.substituted.get(c, np.zeros(buckets)), 0.0) for c in work.components}
    lots: list[Lot] = []
    for product in reversed(work.order):
        shifts: Shifts
        if product in work.components:
            quantities = _component_needs(work, product, used[product])
            shifts = PartShifts(work.facts.economics[product].holding_per_bucket, buckets)
        elif product in work.curves:
            quantities = work.cleared.get(product, {})
            shifts = DemandShifts(work.curves[product])
        else:
            continue
        needs = [_need(work, name, t, u[t]) for name, u in quantities.items() for t in np.nonzero(u > NOTHING)[0]]
        needs.sort(key=lambda n: (n.arrive, n.start, n.way.name))
        made = size_lots(needs, shifts, work.whole[product])
        if product not in work.components:
            made = _worth_having(work, made)
        for lot in made:
            for use in lot.way.uses:
                if valid_on(work.starts[lot.start], use.valid_from, use.valid_to) and use.component in used:
                    used[use.component][lot.start] += lot.units * use.units_per_unit
        lots += made
    return lots


def _worth_having(work: Work, lots: Sequence[Lot]) -> list[Lot]:
    """Lots of one product that is sold, without those that cost more than they save beside the others, the worst
    first: lots that are each rounded up a little pile up what one lot less would serve.
    """
    kept = list(lots)
    while kept:
        product = kept[0].way.product
        curve = replace(work.curves[product], supply=_supply(work, product, kept))
        value, worst = min((value, i) for i, value in enumerate(_values(work, curve, kept)))
        if value >= -NOTHING:
            break
        del kept[worst]
    return kept


def _values(work: Work, curve: Curve, lots: Sequence[Lot]) -> list[float]:
    """What each lot saves beside the other lots of its product, whose supply is the curve's, less its full price."""
    good = np.array([lot.units * lot.way.yield_share for lot in lots])
    saved = curve.saved_by(good, np.array([lot.arrive for lot in lots], dtype=np.int64))
    price = np.array([work.price.unit(lot.way, lot.start) for lot in lots])
    setup = np.array([_setup_cost(work, lot) for lot in lots])
    return (saved - (good * price + setup)).tolist()


def _need(work: Work, name: str, start: int, units: float) -> Need:
    way, start = work.ways[name], int(start)
    most = way.units_per_week * work.calendar.bucket_days / 7
    if way.line is not None and way.line in work.facts.line_hours and way.hours_per_unit > 0:
        free = work.facts.line_hours[way.line][start] - work.promised.hours[way.line][start]
        most = min(most, (free - way.setup_hours) / way.hours_per_unit)
    return Need(
        way=way,
        start=start,
        arrive=work.arrive(way, start),
        units=float(units),
        price=work.price.unit(way, start),
        hour_price=work.price.hour(way, start),
        most_units=max(most, float(units)),
    )


def _component_needs(work: Work, product: str, used: FloatArray) -> Mapping[str, FloatArray]:
    """Units to start by way so that a component is there for the lots that use it.

    Arrivals so far are those cleared, but never fewer than the lots need by then and, where it is not sold itself,
    never more than they need in all:  min(max(cleared_t, needed_t), needed_T).
    """
    buckets = len(work.starts)
    needed = np.maximum.accumulate(np.maximum(np.cumsum(used - work.promised.units[product]), 0.0))
    target = np.maximum(_cleared_arrivals(work, product), needed)
    if product not in work.asked:
        target = np.minimum(target, needed[-1])
    result: dict[str, FloatArray] = defaultdict(lambda: np.zeros(buckets))
    for t in np.nonzero(np.diff(target, prepend=0.0) > NOTHING)[0]:
        units = float(target[t] - (target[t - 1] if t > 0 else 0.0))
        for way, start, share in _split(work, product, int(t)):
            result[way.name][start] += share * units / way.yield_share
    return result


def _split(work: Work, product: str, arrive: int) -> list[tuple[Way, int, float]]:
    """Ways and starts for units that are to arrive in a bucket: as cleared there, else the soonest and cheapest."""
    found = []
    for name, units in sorted(work.cleared.get(product, {}).items()):
        start = arrive - work.calendar.lead_buckets(work.ways[name].lead_days)
        if start >= 0 and units[start] > NOTHING:
            found.append((work.ways[name], start, float(units[start]) * work.ways[name].yield_share))
    if found:
        total = sum(good for *_, good in found)
        return [(way, start, good / total) for way, start, good in found]
    choices = []
    for way in work.ways_of[product]:
        start = max(arrive - work.calendar.lead_buckets(way.lead_days), work.first_start)
        there = work.arrive(way, start)
        if there < len(work.starts) and valid_on(work.starts[start], way.valid_from, way.valid_to):
            choices.append((there, work.price.unit(way, start), way.name, way, start))
    return [(*min(choices)[3:], 1.0)] if choices else []


def _worth_per_hour(work: Work, lots: Sequence[Lot]) -> dict[Lot, float]:
    """What each lot saves beyond its full price, for each hour it takes; ranks lots that want the same hours."""
    result: dict[Lot, float] = {}
    for product, own in _by_product(lots).items():
        if product not in work.curves:
            result |= dict.fromkeys(own, 0.0)
            continue
        good = np.array([lot.units * lot.way.yield_share for lot in own])
        saved = work.curves[product].saved_by(good, np.array([lot.arrive for lot in own], dtype=np.int64))
        for lot, units, money in zip(own, good.tolist(), saved.tolist(), strict=True):
            hours = lot.way.setup_hours + lot.units * lot.way.hours_per_unit
            worth = money - units * work.price.unit(lot.way, lot.start)
            result[lot] = worth / hours if hours > 0 else math.inf
    return result


def _by_product(lots: Iterable[Lot]) -> dict[str, list[Lot]]:
    result: dict[str, list[Lot]] = defaultdict(list)
    for lot in lots:
        result[lot.way.product].append(lot)
    return result


def _instead(work: Work, lots: Sequence[Lot]) -> dict[tuple[str, int], list[Lot]]:
    """Ways that may take over what finds no room on a lot's way in a bucket: there as soon, and dearer by less than a
    bucket of lateness, or, where it cannot wait, than the sale; components stay on their ways. Cheapest first.
    """
    result: dict[tuple[str, int], list[Lot]] = {}
    for name in sorted({lot.way.name for lot in lots if lot.way.product in work.curves}):
        way = work.ways[name]
        economics = work.facts.economics[way.product]
        others = [o for o in work.ways_of[way.product] if o.name != name and work.arrive(o, 0) <= work.arrive(way, 0)]
        for t in range(work.first_start, len(work.starts)):
            last = work.arrive(way, t) + 1 >= len(work.starts)
            most = work.price.unit(way, t) + (economics.lost_sale if last else economics.late_per_bucket)
            there = [
                (work.price.unit(o, t), o.name, Lot(o, t, work.arrive(o, t), 0.0, 0.0, 1))
                for o in others
                if valid_on(work.starts[t], o.valid_from, o.valid_to)
            ]
            result[name, t] = [lot for price, _, lot in sorted(there, key=lambda c: c[:2]) if price < most]
    return result


# orders -------------------------------------------------------------------------------------------


def _orders(
    state: State, sensed: Sensed, demand: Forecast, clearing: Clearing, work: Work, lots: Sequence[Lot]
) -> tuple[PlannedOrder, ...]:
    """Numbered orders in order of (start, line, product, way)."""
    ordered = sorted(lots, key=lambda x: (x.start, _line(work, x.way) or "", x.way.product, x.way.name))
    numbers = _numbers(state, ordered, work.starts[0])
    lots_of = _by_product(sorted(ordered, key=lambda x: (x.arrive, x.start, x.way.name)))
    reasons = Reasons(state, sensed, demand, clearing, work.facts)
    served: dict[Lot, Served] = {}
    value: dict[Lot, float] = {}
    feeds = _pegged(work, ordered)
    for product in (p for p in work.curves if p in lots_of):
        own = lots_of[product]
        curve = replace(work.curves[product], supply=_supply(work, product, own))
        value.update(zip(own, _values(work, curve, own), strict=True))
        served.update(zip(own, _served_demand(work, curve, own), strict=True))
    for lot in _parents_first([x for x in ordered if x.way.product not in work.curves], feeds):
        parents = feeds.get(lot, [])
        value[lot] = sum(share * value.get(parent, 0.0) for parent, share in parents)
        serving = next((parent for parent, _ in parents if parent.way.serves), None)
        # What a market takes from the site is for its demand.
        served[lot] = _served_orders(work, parents, numbers, lot) if serving is None else served[serving]
    orders = []
    for lot in (x for x in ordered if not x.way.serves):
        way = lot.way
        start = max(work.starts[lot.start], state.today) if lot.start == 0 else work.starts[lot.start]
        orders.append(
            PlannedOrder(
                order=numbers[lot],
                kind=way.kind,
                product=work.facts.product_of(way.product),
                recipe=way.recipe,
                offer=way.offer,
                line=_line(work, way),
                units=lot.units,
                start=start,
                due=start + timedelta(days=way.lead_days),
                needed_by=served[lot].needed_by,
                cost=lot.units * way.cost_per_unit + way.setup_cost,
                value=value[lot],
                causes=reasons.of(lot, served[lot], _alternatives(work, lot)),
                lane=way.lane,
                from_site=way.from_site if way.kind == "move" else None,
                site=(way.site or None) if work.facts.stock_points else None,
            )
        )
    return tuple(orders)


def _parents_first(lots: Sequence[Lot], feeds: Mapping[Lot, Sequence[tuple[Lot, float]]]) -> list[Lot]:
    """Lots in an order in which those that a lot feeds come before it; last, what feeds itself by lanes in a circle."""
    waits = dict.fromkeys(lots, 0)
    fed_by: dict[Lot, list[Lot]] = defaultdict(list)
    for lot in lots:
        for parent in {p for p, _ in feeds.get(lot, ())} & waits.keys():
            waits[lot] += 1
            fed_by[parent].append(lot)
    order = [lot for lot in lots if waits[lot] == 0]
    for parent in order:
        for lot in fed_by[parent]:
            waits[lot] -= 1
            if waits[lot] == 0:
                order.append(lot)
    return order + [lot for lot in lots if waits[lot] > 0]


def _line(work: Work, way: Way) -> str | None:
    """The line that a way runs on; what it shares of a lane or an offer is none."""
    return None if way.line in work.facts.shared else way.line


def _numbers(state: State, ordered: Sequence[Lot], first: date) -> dict[Lot, str]:
    """W, P or T, the first open bucket, and a running number that goes on from numbers already given out."""
    taken = state.table("orders")["order"].to_pylist()
    result = {}
    for kind, letter in (("make", "W"), ("buy", "P"), ("move", "T")):
        prefix = f"{letter}{first:%Y%m%d}-"
        given = [o[len(prefix) :] for o in taken if o.startswith(prefix)]
        running = max((int(n) for n in given if n.isdigit()), default=0)
        for lot in (x for x in ordered if x.way.kind == kind and not x.way.serves):
            running += 1
            result[lot] = f"{prefix}{running:03d}"
    return result


def _supply(work: Work, product: str, lots: Sequence[Lot]) -> FloatArray:
    """Cumulative units of a product by bucket: stock, what comes anyway, and its lots."""
    units = work.promised.units[product].copy()
    for lot in lots:
        units[lot.arrive] += lot.units * lot.way.yield_share
    return np.cumsum(units)


def _setup_cost(work: Work, lot: Lot) -> float:
    return lot.way.setup_cost + lot.way.setup_hours * work.price.hour(lot.way, lot.start)


def _served_demand(work: Work, curve: Curve, lots: Sequence[Lot]) -> list[Served]:
    """The demand that each lot serves: from the first bucket by whose end more is expected than is there without it, to
    the last one before the product's next lot is there. lots: the product's, in order of arrival.
    """
    product = lots[0].way.product
    coming = float(np.cumsum(work.promised.units[product])[-1])
    stock = max(work.on_hand.get(product, 0.0), 0.0)
    total = SortedDemand.of(np.cumsum(work.wanted[product], axis=1))
    expected, most = total.mean, total.quantile(0.9)
    middle, high = curve.demand.mean, curve.demand.quantile(0.9)
    result, before = [], 0.0
    for lot in lots:
        first = _first_above(middle, before + coming, _first_above(high, before + coming, len(middle) - 1))
        following = min((x.arrive for x in lots if x.arrive > lot.arrive), default=len(middle))
        last = max(first, following - 1)
        result.append(
            Served(
                needed_by=work.starts[first],
                last_bucket=work.starts[last],
                expected_units=float(expected[last]),
                high_units=float(most[last]),
                stock_units=stock,
                coming_units=coming - stock,
                planned_units=before,
                parents=(),
            )
        )
        before += lot.units * lot.way.yield_share
    return result


def _first_above(curve: FloatArray, level: float, otherwise: int) -> int:
    above = np.nonzero(curve > level + 1e-6)[0]
    return int(above[0]) if len(above) else otherwise


def _served_orders(work: Work, parents: Sequence[tuple[Lot, float]], numbers: Mapping[Lot, str], lot: Lot) -> Served:
    """The orders that a component's lot is for."""
    starts = [parent.start for parent, _ in parents]
    return Served(
        needed_by=work.starts[min(starts)] if starts else work.starts[lot.arrive],
        last_bucket=work.starts[max(starts)] if starts else work.starts[lot.arrive],
        expected_units=0.0,
        high_units=0.0,
        stock_units=float(work.promised.units[lot.way.product][0]),
        coming_units=float(work.promised.units[lot.way.product][1:].sum()),
        planned_units=0.0,
        parents=tuple((numbers[parent], parent.way.product) for parent, _ in parents),
    )


def _pegged(work: Work, lots: Sequence[Lot]) -> dict[Lot, list[tuple[Lot, float]]]:
    """Which lots use what a component's lot brings, first come first used: lot -> (parent, share of its need)."""
    comes: dict[str, list[tuple[Lot | None, float]]] = {}
    goes: dict[str, list[tuple[Lot, float]]] = defaultdict(list)
    for component in sorted(work.components):
        comes[component] = [(None, max(float(work.promised.units[component].sum()), 0.0))]
    for lot in sorted(lots, key=lambda x: (x.arrive, x.start, x.way.name)):
        if lot.way.product in comes:
            comes[lot.way.product].append((lot, lot.units * lot.way.yield_share))
    for lot in lots:
        for use in lot.way.uses:
            if use.component in comes and valid_on(work.starts[lot.start], use.valid_from, use.valid_to):
                goes[use.component].append((lot, lot.units * use.units_per_unit))
    feeds: dict[Lot, list[tuple[Lot, float]]] = defaultdict(list)
    for component, needs in goes.items():
        queue = iter(comes[component])
        source, left = next(queue)
        for lot, need in sorted(needs, key=lambda x: (x[0].start, x[0].way.name)):
            open_units = need
            while open_units > NOTHING:
                if left <= NOTHING:
                    following = next(queue, None)
                    if following is None:
                        break
                    source, left = following
                    continue
                taken = min(left, open_units)
                left, open_units = left - taken, open_units - taken
                if source is not None:
                    feeds[source].append((lot, taken / need))
    return feeds


def _alternatives(work: Work, lot: Lot) -> tuple[tuple[str, str | None, float], ...]:
    """Other ways to have the units in the same bucket and how much dearer a unit is there, cheapest first."""
    own = work.price.unit(lot.way, lot.start)
    others = []
    for way in work.ways_of[lot.way.product]:
        start = lot.arrive - work.calendar.lead_buckets(way.lead_days)
        if way.name == lot.way.name or start < work.first_start:
            continue
        if valid_on(work.starts[start], way.valid_from, way.valid_to):
            others.append((work.price.unit(way, start) - own, way.name, _line(work, way)))
    return tuple((name, line, dearer) for dearer, name, line in sorted(others, key=lambda o: (o[0], o[1])))
