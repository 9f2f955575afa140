"""Lots: balanced quantities -> starts that a factory can run, within the hours and components that are there."""

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date

import numpy as np

from datong.ledger.state import State
from datong.model.flow import Clearing, FloatArray, Forecast, Learnt
from datong.network.committed import covered
from datong.network.horizon import valid_on
from datong.network.position import Position, position
from datong.network.shelf_life import Keeps, shelf_life, spoiling, wasted
from datong.network.ways import Way, lead_buckets
from datong.network.weekly_limits import units_in_bucket
from datong.plan.lots_along_clearing import (
    NOTHING,
    Lot,
    Need,
    PartShifts,
    Shifts,
    WhileItKeeps,
    lots_matter,
    size_lots,
    step_of,
)
from datong.plan.lots_of_co_products import Besides
from datong.plan.lots_product_by_product import Choice, OnTurn, Shop, lots_in_turn, no_hurry
from datong.plan.lots_that_fit import Hours, Room, make_feasible
from datong.plan.planning_inputs import Chosen, Work, lots_by_product, prepare, supply_of
from datong.plan.worth import Curve, DemandShifts

# How often lots are fitted in with what orders that are out take later left to later lots.
MOST_TRIES = 3


def choose(
    state: State,
    demand: Forecast,
    clearing: Clearing,
    learnt: Learnt,
    where: Position | None = None,
    on_turn: OnTurn = no_hurry,
) -> Chosen:
    """Lots for what was cleared. where: the state's position, where it is at hand. on_turn: see lots_in_turn.

    Orders under way and locked ones stay as they are; the frozen buckets get no new starts, because the market was
    cleared without them.
    """
    where = where or position(state)
    work = prepare(state, demand, clearing, learnt, where)
    keeps = shelf_life(state, work.facts, where, work.starts)
    life = _life(work, keeps)
    lots = _chosen(work, on_turn, {}, life, keeps)
    if work.promised.covering and _short_of_orders_out(work, lots):
        promised = covered(work.promised, work.facts, work.starts, work.calendar)
        beside = _chosen(replace(work, promised=promised), on_turn, work.promised.covering, life, keeps)
        lots = _joined([*beside, *_covering_lots(work)])
    return Chosen(work, tuple(lots))


def _life(work: Work, keeps: Mapping[str, Keeps]) -> dict[str, Keeps]:
    """Component that goes bad -> how long it keeps. keeps: of all products of which some goes bad."""
    taken: dict[str, FloatArray] = defaultdict(lambda: np.zeros(len(work.starts)))
    for pull in work.promised.pulls:
        taken[pull.component][pull.bucket] += pull.units
    return {
        p: k if k.spoils is None else replace(k, spoils=spoiling(k.spoils, work.promised.units[p], taken[p]))
        for p, k in keeps.items()
        if p in work.components
    }


def _short_of_orders_out(work: Work, lots: Sequence[Lot]) -> frozenset[str]:
    """Components of which lots leave less than orders that are out take."""
    comes = {part: work.promised.units[part].copy() for part in work.components}
    for lot in lots:
        for product, each in lot.way.brings:
            if product in comes:
                comes[product][lot.arrive] += lot.units * each
        for use in lot.way.uses:
            if use.component in comes and valid_on(work.starts[lot.start], use.valid_from, use.valid_to):
                comes[use.component][lot.start] -= lot.units * use.units_per_unit
        for component, units in lot.way.lot_uses:
            comes[component][lot.start] -= _orders(work, lot) * units
    return frozenset(
        part
        for part, units in comes.items()
        if float(np.cumsum(units).min()) < -NOTHING * max(float(np.abs(units).sum()), 1.0)
    )


def _covering_lots(work: Work) -> list[Lot]:
    """Lots that bring just what orders that are out take."""
    return [
        Lot(way := work.ways[name], int(t), work.arrive(way, int(t)), float(units[t]))
        for name, units in work.promised.covering.items()
        for t in np.flatnonzero(units)
    ]


def _joined(lots: Sequence[Lot]) -> list[Lot]:
    """Lots of one way and bucket as one, by (start, product, way)."""
    found: dict[tuple[str, int], Lot] = {}
    for lot in lots:
        before = found.get((lot.way.name, lot.start))
        found[lot.way.name, lot.start] = lot if before is None else replace(before, units=before.units + lot.units)
    return sorted(found.values(), key=lambda x: (x.start, x.way.product, x.way.name))


def _chosen(
    work: Work,
    on_turn: OnTurn,
    begun: Mapping[str, FloatArray],
    life: Mapping[str, Keeps],
    keeps: Mapping[str, Keeps],
) -> list[Lot]:
    """Lots in turn, or along the cleared quantities, within what there is. begun: way name -> (bucket) units that start
    beside them, whose hours and components count as promised. life: component that goes bad -> how long it keeps.
    keeps: the same of components and of what is sold.

    What orders that are out take later is to come of later lots at first. Where these bring too little in the end, it
    is kept for them from the start: of what was short, and after MOST_TRIES of all that they take.
    """
    room = Room(
        bucket_starts=work.starts,
        hours={line: hours - work.promised.hours[line] for line, hours in work.facts.line_hours.items()},
        stock={p: work.promised.units[p] for p in work.components},
        levels={p: i for i, p in enumerate(work.order)},
        whole=work.whole,
        following=_following(work.facts.ways),
        calendar=work.calendar,
        alike=_alike(work.facts.ways),
        begun=begun,
        life=life,
        first_start=work.first_start,
    )
    lots = lots_in_turn(_shop(work), on_turn) if work.takes_turns else _lots(work, life, room, keeps)
    worth, instead = _worth_per_hour(work, lots), _instead(work, lots)
    ahead = _ahead(work, keeps)
    follows = frozenset(pull.component for pull in work.promised.pulls) & work.components - life.keys()
    for tries in range(MOST_TRIES + 1):
        fits = _all_used(work, make_feasible(lots, replace(room, follows=follows), worth, instead, ahead), life)
        short = _short_of_orders_out(work, fits) if follows else frozenset()
        if not short & follows:
            break
        follows = follows - short if tries + 1 < MOST_TRIES else frozenset()
    return fits


def _all_used(work: Work, lots: Sequence[Lot], life: Mapping[str, Keeps]) -> list[Lot]:
    """Lots without what of a component nothing takes any more within the horizon, the last to arrive first: what it was
    to go into found no room. In whole multiples, and no less than a smallest lot is left. Those of what goes bad stay:
    what lies until the end may not be what came last; and those of which others come besides, which may be needed."""
    taken = {c: np.maximum(work.asked.substituted.get(c, 0.0), 0.0) for c in work.components}
    flow = {c: work.promised.units[c] - taken[c] for c in work.components}
    kept, of_product = list(lots), defaultdict[str, list[int]](list)
    joint = {lot.way.product for lot in lots if lot.way.outputs}
    for i, lot in enumerate(lots):
        _book(work, flow, lot, lot.units)
        _book_order(flow, lot, _orders(work, lot))
        of_product[lot.way.product].append(i)
    for product in reversed(work.order):
        if product not in work.components or product in work.asked.products or product in life or product in joint:
            continue
        last = sorted(of_product[product], key=lambda i: (-kept[i].arrive, -kept[i].start, kept[i].way.name))
        for i in last:
            lot = kept[i]
            lying = np.cumsum(flow[product]) - work.asked.kept_units(product)
            units = _units_used(lot, float(lying[lot.arrive :].min()), work.whole[product])
            _book(work, flow, lot, units - lot.units)
            kept[i] = replace(lot, units=units)
            if (fewer := _orders(work, lot) - _orders(work, kept[i])) > 0:
                _book_order(flow, lot, -fewer)
    return [lot for lot in kept if lot.units > NOTHING]


def _book(work: Work, flow: dict[str, FloatArray], lot: Lot, units: float) -> None:
    """Enters units of a lot more or less into what comes of components less what is taken, by bucket."""
    for product, each in lot.way.brings:
        if product in flow:
            flow[product][lot.arrive] += units * each
    for use in lot.way.uses:
        if use.component in flow and valid_on(work.starts[lot.start], use.valid_from, use.valid_to):
            flow[use.component][lot.start] -= units * use.units_per_unit


def _orders(work: Work, lot: Lot) -> int:
    """How many orders a lot is: more than one where it goes beyond the largest lot of its way."""
    return lot.way.sizes(work.whole[lot.way.product]).orders(lot.units)


def _book_order(flow: dict[str, FloatArray], lot: Lot, orders: int) -> None:
    """Enters what so many orders of a lot take of components whatever their size."""
    for component, units in lot.way.lot_uses:
        if component in flow:
            flow[component][lot.start] -= orders * units


def _units_used(lot: Lot, lying: float, whole: bool) -> float:
    """Units of a lot without those that go on lying from its arrival to the horizon's end."""
    spare, step = max(lying, 0.0) / lot.way.yield_share, step_of(lot.way, whole)
    if spare >= lot.units - NOTHING:
        return 0.0
    spare = min(spare, max(lot.units - lot.way.min_units, 0.0))
    less = math.floor(spare / step + NOTHING) * step if step > 0 else spare
    if less <= NOTHING * max(lot.units, 1.0):
        return lot.units
    left = lot.units - less
    return lot.way.sizes(whole).up(left) if math.isfinite(lot.way.max_units) else left


def _following(ways: Sequence[Way]) -> dict[str, Way]:
    """By name of a way that ends: what its row is from that day on, where it goes on."""
    begins = {_from(way, way.valid_from): way for way in ways if way.valid_from is not None}
    ends = ((way, _from(way, way.valid_to)) for way in ways if way.valid_to is not None)
    return {way.name: begins[after] for way, after in ends if after in begins}


def _alike(ways: Sequence[Way]) -> dict[str, tuple[Way, ...]]:
    """By name of a way with working days: the ways of its version with other lengths of its lead time."""
    found: dict[tuple[str | date | None, ...], list[Way]] = defaultdict(list)
    for way in ways:
        if way.course is not None:
            found[_from(way, way.valid_from)].append(way)
    return {way.name: tuple(o for o in own if o != way) for own in found.values() for way in own if len(own) > 1}


def _from(way: Way, day: date | None) -> tuple[str | date | None, ...]:
    """What names the version of a way's row that begins on a day."""
    return way.kind, way.row or way.name, way.product, way.site, way.from_site, day


# lots of products in turn -------------------------------------------------------------------------


def _shop(work: Work) -> Shop:
    choices = {p: [_choice(work, way) for way in work.ways_of[p]] for p in work.order}
    parts = work.components | (work.asked.kept.keys() - work.asked.curves.keys())
    usual = {}
    for part in sorted(p for p in parts if choices[p]):
        cleared = work.by_market.cleared.get(part, {})
        of_way = [(-float(cleared[c.way.name].sum()) if c.way.name in cleared else 0.0, c) for c in choices[part]]
        usual[part] = min(of_way, key=lambda u: (u[0], u[1].way.cost_per_unit, u[1].way.name))[1]
    lines = work.facts.line_hours
    return Shop(
        buckets=len(work.starts),
        first_start=work.first_start,
        order=work.order,
        choices=choices,
        usual=usual,
        curves={p: work.asked.curves[p] for p in work.order if p in work.asked.curves},
        holding={c: work.facts.economics[c].holding_per_bucket for c in parts},
        hours={line: hours - work.promised.hours[line] for line, hours in lines.items()},
        hour_price={line: work.by_market.price.over_time("line", line) for line in lines},
        comes={p: np.cumsum(work.promised.units[p]) - _kept_of_component(work, p) for p in work.order},
        at_least={p: _cleared_arrivals(work, p) for p in work.components if p in work.asked.products},
    )


def _kept_of_component(work: Work, product: str) -> FloatArray | float:
    """(bucket) units of a component that are to be left in stock: a product that is sold has them in its curve."""
    return work.asked.kept_units(product) if product not in work.asked.curves else 0.0


def _choice(work: Work, way: Way) -> Choice:
    lead = lead_buckets(way, work.calendar)
    uses = tuple((u.component, u.units_per_unit) for u in way.uses if u.component in work.components)
    cost = way.cost_per_unit + work.by_market.price.over_time("offer", way.name)
    for component, units in uses:
        cost = cost + units * work.by_market.price.over_time("component", component)
    opens = [
        t >= work.first_start and t + lead < len(work.starts) and way.is_open(day) for t, day in enumerate(work.starts)
    ]
    most = np.array([units_in_bucket(way.units_per_week, day, work.calendar.bucket_days) for day in work.starts])
    return Choice(way, lead, np.array(opens, dtype=bool), cost, most, step_of(way, work.whole[way.product]), uses)


def _cleared_arrivals(work: Work, product: str) -> FloatArray:
    """(bucket) cumulative good units that the market has arrive."""
    arrivals = np.zeros(len(work.starts))
    for name, units in work.by_market.cleared.get(product, {}).items():
        lead = lead_buckets(work.ways[name], work.calendar)
        arrivals[lead:] += units[: len(arrivals) - lead] * work.ways[name].yield_share
    return np.cumsum(arrivals)


# lots along the cleared quantities, from the product that is sold down to the material --------------


def _lots(work: Work, life: Mapping[str, Keeps], room: Room, keeps: Mapping[str, Keeps]) -> list[Lot]:
    """Lots along the cleared quantities. life: component that goes bad -> how long it keeps. room: what lots share.
    keeps: the same of components and of what is sold.

    Without lots and set-ups, whole units that a bucket has no hours for are made ahead at once, so that components come
    in time for them."""
    buckets = len(work.starts)
    hours = None if any(lots_matter(way) for way in work.facts.ways) else Hours(room)
    used = {c: np.maximum(work.asked.substituted.get(c, np.zeros(buckets)), 0.0) for c in work.components}
    besides, lots = Besides(work), list[Lot]()
    for product in reversed(work.order):
        shifts: Shifts
        if product in life and product not in work.asked.products and not besides.is_joint(product):
            made = _fresh_lots(work, product, used[product] - besides.comes(product), life[product])
            _add_uses(work, used, made)
            lots += made
            continue
        if product in work.components:
            quantities = _component_needs(work, product, used[product] - besides.comes(product))
            quantities = besides.with_more(product, quantities, used)
            shifts = PartShifts(work.facts.economics[product].holding_per_bucket, buckets)
        elif product in work.asked.curves:
            quantities = work.by_market.cleared.get(product, {})
            shifts = DemandShifts(work.asked.curves[product])
        elif product in work.asked.kept:
            quantities = work.by_market.cleared.get(product, {})
            shifts = PartShifts(work.facts.economics[product].holding_per_bucket, buckets)
        else:
            continue
        needs = [_need(work, name, t, u[t]) for name, u in quantities.items() for t in np.nonzero(u > NOTHING)[0]]
        needs.sort(key=lambda n: (n.arrive, n.start, n.way.name))
        if product in keeps:
            shifts = WhileItKeeps(shifts, keeps[product].buckets)
        made = size_lots(needs, shifts, work.whole[product])
        if product in work.asked.curves:
            made = _worth_having(work, made)
        if hours is not None:
            made = hours.within(made, _ahead(work, keeps))
        _add_uses(work, used, made)
        besides.chosen(product, made)
        lots += made
    return lots


def _add_uses(work: Work, used: Mapping[str, FloatArray], lots: Sequence[Lot]) -> None:
    """Adds what lots take of components to what is used of these: component -> (bucket) units."""
    for lot in lots:
        for use in lot.way.uses:
            if valid_on(work.starts[lot.start], use.valid_from, use.valid_to) and use.component in used:
                used[use.component][lot.start] += lot.units * use.units_per_unit
        for component, units in lot.way.lot_uses:
            used[component][lot.start] += _orders(work, lot) * units


def _fresh_lots(work: Work, product: str, used: FloatArray, life: Keeps) -> list[Lot]:
    """Lots of a component that goes bad, each for the first bucket that would lack some: what is left of one serves
    later buckets while it keeps. used: (bucket) units that lots take of it."""
    comes, came = work.promised.units[product], np.zeros(len(work.starts))
    lots: list[Lot] = []
    for t in range(len(work.starts)):
        lies = np.cumsum(comes + came - used - wasted(comes, came, used, life.buckets, life.spoils))
        short = -float(lies[t]) - float(came[t + 1 :].sum())
        for way, start, share in _split(work, product, t) if short > NOTHING else ():
            units = way.sizes(work.whole[product]).up(share * short / way.yield_share)
            lot = Lot(way, start, work.arrive(way, start), units)
            came[lot.arrive] += lot.units * way.yield_share
            lots.append(lot)
    return lots


def _worth_having(work: Work, lots: Sequence[Lot]) -> list[Lot]:
    """Lots of one product that is sold, without those that cost more than they save beside the others, the worst
    first: lots that are each rounded up a little pile up what one lot less would serve.
    """
    kept = list(lots)
    while kept:
        product = kept[0].way.product
        curve = replace(work.asked.curves[product], supply=supply_of(work, product, kept))
        value, worst = min((value, i) for i, value in enumerate(_values(work, curve, kept)))
        if value >= -NOTHING:
            break
        del kept[worst]
    return kept


def _values(work: Work, curve: Curve, lots: Sequence[Lot]) -> list[float]:
    """What each lot saves beside the other lots of its product, whose supply is the curve's, less its full price."""
    good = np.array([lot.units * lot.way.yield_share for lot in lots])
    saved = curve.saved_by(good, np.array([lot.arrive for lot in lots], dtype=np.int64))
    price = np.array([work.by_market.price.unit(lot.way, lot.start) for lot in lots])
    setup = np.array([_setup_cost(work, lot) for lot in lots])
    return (saved - (good * price + setup)).tolist()


def _need(work: Work, name: str, start: int, units: float) -> Need:
    way, start = work.ways[name], int(start)
    most = units_in_bucket(way.units_per_week, work.starts[start], work.calendar.bucket_days)
    for held in way.on_lines:
        if held.line in work.facts.line_hours and held.hours_per_unit > 0:
            free = work.facts.line_hours[held.line] - work.promised.hours[held.line]
            there, sizes = way.worked.most_at(free, start), way.sizes(work.whole[way.product])
            most = min(most, sizes.within(there, held.setup_hours, held.hours_per_unit))
    return Need(
        way=way,
        start=start,
        arrive=work.arrive(way, start),
        units=float(units),
        price=work.by_market.price.unit(way, start),
        hour_price=work.by_market.price.hour(way, start),
        beside=work.by_market.price.set_up_beside(way, start),
        most_units=max(most, float(units)),
    )


def _component_needs(work: Work, product: str, used: FloatArray) -> Mapping[str, FloatArray]:
    """Units to start by way so that a component is there for the lots that use it.

    Arrivals so far are those cleared, but never fewer than the lots need by then and, where it is not sold itself,
    never more than they need in all:  min(max(cleared_t, needed_t), needed_T). What the market leaves in stock for a
    smallest stock is needed as well. Of a product of which others come besides, all that is cleared may be for these.
    """
    buckets = len(work.starts)
    left = np.cumsum(used - work.promised.units[product]) + work.asked.kept_units(product)
    needed = np.maximum.accumulate(np.maximum(left, 0.0))
    target = np.maximum(_cleared_arrivals(work, product), needed)
    if product not in work.asked.products and not any(way.outputs for way in work.ways_of[product]):
        target = np.minimum(target, needed[-1])
    result: dict[str, FloatArray] = defaultdict(lambda: np.zeros(buckets))
    for t in np.nonzero(np.diff(target, prepend=0.0) > NOTHING)[0]:
        units = float(target[t] - (target[t - 1] if t > 0 else 0.0))
        for way, start, share in _split(work, product, int(t)):
            result[way.name][start] += share * units / way.yield_share
    return result


def _split(work: Work, product: str, arrive: int) -> list[tuple[Way, int, float]]:
    """Ways and starts for units that are to arrive in a bucket: as cleared there, else the soonest and cheapest. Where
    lanes go round in a circle, by none on which the clearing sends nothing, where there is another way: `work.order`
    does not count it, so that what it takes would be wanted when lots of that are chosen already."""
    found, cleared = [], work.by_market.cleared.get(product, {})
    for name, units in sorted(cleared.items()):
        start = arrive - lead_buckets(work.ways[name], work.calendar)
        if start >= 0 and units[start] > NOTHING:
            found.append((work.ways[name], start, float(units[start]) * work.ways[name].yield_share))
    if found:
        total = sum(good for *_, good in found)
        return [(way, start, good / total) for way, start, good in found]
    choices, ways = [], work.ways_of[product]
    if work.facts.has_circles:
        ways = [way for way in ways if way.kind != "move" or way.name in cleared] or ways
    for way in ways:
        start = max(arrive - lead_buckets(way, work.calendar), work.first_start)
        while way.course is not None and start > work.first_start and not way.is_open(work.starts[start]):
            start -= 1  # a closed day: the last open one before it
        there = work.arrive(way, start)
        if there < len(work.starts) and way.is_open(work.starts[start]):
            choices.append((there, work.by_market.price.unit(way, start), way.name, way, start))
    return [(*min(choices)[3:], 1.0)] if choices else []


def _worth_per_hour(work: Work, lots: Sequence[Lot]) -> dict[Lot, float]:
    """What each lot saves beyond its full price, for each hour it takes; ranks lots that want the same hours."""
    result: dict[Lot, float] = {}
    for product, own in lots_by_product(lots).items():
        if product not in work.asked.curves:
            result |= dict.fromkeys(own, 0.0)
            continue
        good = np.array([lot.units * lot.way.yield_share for lot in own])
        saved = work.asked.curves[product].saved_by(good, np.array([lot.arrive for lot in own], dtype=np.int64))
        for lot, units, money in zip(own, good.tolist(), saved.tolist(), strict=True):
            hours = _orders(work, lot) * lot.way.setup_hours + lot.units * lot.way.hours_per_unit
            worth = money - units * work.by_market.price.unit(lot.way, lot.start)
            result[lot] = worth / hours if hours > 0 else math.inf
    return result


def _instead(work: Work, lots: Sequence[Lot]) -> dict[tuple[str, int], list[Lot]]:
    """Ways that may take over what finds no room on a lot's way in a bucket: there as soon, and dearer by less than a
    bucket of lateness, or, where it cannot wait, than the sale; components stay on their ways. Cheapest first.
    """
    result: dict[tuple[str, int], list[Lot]] = {}
    for name in sorted({lot.way.name for lot in lots if lot.way.product in work.asked.curves}):
        way = work.ways[name]
        economics = work.facts.economics[way.product]
        others = _others(work, way)
        for t in range(work.first_start, len(work.starts)):
            last = work.arrive(way, t) + 1 >= len(work.starts)
            most = work.by_market.price.unit(way, t) + (economics.lost_sale if last else economics.late_per_bucket)
            there = [
                (work.by_market.price.unit(o, t), o.name, Lot(o, t, work.arrive(o, t), 0.0))
                for o in others
                if o.is_open(work.starts[t])
            ]
            result[name, t] = [lot for price, _, lot in sorted(there, key=lambda c: c[:2]) if price < most]
    return result


def _others(work: Work, way: Way) -> list[Way]:
    """The other ways of a way's product that are there as soon."""
    ways = work.ways_of[way.product]
    return [other for other in ways if other.name != way.name and work.arrive(other, 0) <= work.arrive(way, 0)]


def _ahead(work: Work, goes_bad: Collection[str]) -> Callable[[Lot], int]:
    """By how many buckets at most what a lot's bucket has no room for may rather start before: as long as holding it is
    cheaper than to wait for a bucket, or, where it cannot wait, than the sale, and than another way. Components may as
    long as there is room. Nothing of a way with lots or set-ups, nor of what goes bad."""

    def most(lot: Lot) -> int:
        way, t = lot.way, lot.start
        economics = work.facts.economics[way.product]
        if lots_matter(way) or way.product in goes_bad:
            return 0
        if way.product not in work.asked.curves or economics.holding_per_bucket <= 0:
            return t
        own = work.by_market.price.unit(way, t)
        waits = economics.lost_sale if lot.arrive + 1 >= len(work.starts) else economics.late_per_bucket
        dearer = [
            work.by_market.price.unit(other, t) - own for other in _others(work, way) if other.is_open(work.starts[t])
        ]
        return min(t, math.ceil(min([waits, *dearer]) / economics.holding_per_bucket) - 1)

    return most


def _setup_cost(work: Work, lot: Lot) -> float:
    price = work.by_market.price
    own = lot.way.setup_cost + lot.way.setup_hours * price.hour(lot.way, lot.start)
    return _orders(work, lot) * (own + price.set_up_beside(lot.way, lot.start))
