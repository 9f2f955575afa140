"""Deliveries: the part of a plan that is not orders. Who is served when, and who is refused.

What orders bring is given; `deliver` chooses, at least cost, what is set aside for which demand, what is turned away,
and which site serves a market. `delivered` follows each single request through it.
"""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from datong.balance import highs
from datong.balance.arrays import Demand, Lines, Market, Uses, Ways
from datong.balance.evaluate import Outcome, arrived_units, gone_bad, used_units, with_fewest_wasted
from datong.balance.rules.rule import Part
from datong.balance.solution import Solution
from datong.model.flow import BoolArray, FloatArray, IntArray
from datong.network.demand_requests import Asks
from datong.network.horizon import day_numbers

# Units below this are rounding.
NOTHING = 1e-6

# A request: its key, '' for what is owed from sales; its product; its due day, days since 1970-01-01.
Request = tuple[str, str, int]

DELIVERIES_SCHEMA = pa.schema(
    [
        ("demand", pa.string()),
        ("product", pa.string()),
        ("market", pa.string()),
        ("due", pa.date32()),
        ("bucket", pa.date32()),
        ("units", pa.float64()),
        ("what", pa.string()),
        ("firm", pa.bool_()),
        ("priority", pa.int64()),
        ("short_cost", pa.float64()),
    ]
)


# what is chosen ----------------------------------------------------------------------------------


def deliver(market: Market, solution: Solution, lots: FloatArray) -> Solution:
    """The solution's starts with the deliveries that cost least for them; prices and door stay.

    Demand for which nothing is to be chosen (one class, nothing that could be refused or served from elsewhere) takes
    all that comes, oldest first. The rest is a linear programme with the starts fixed. What comes in whole units is
    delivered in whole units. lots: (way, bucket) orders started.
    """
    serves = np.array([w.serves for w in market.ways.facts], dtype=bool)
    started = np.where(serves[:, None], 0.0, solution.started)
    arrived, taken = arrived_units(market, started), used_units(market, started)
    market.rules.per_lot.take_off(taken, -lots)
    flow = market.stock.fixed + arrived - taken
    flow = _deliverable(market, flow, market.uses.component[serves[market.uses.way]])
    issued, turned_away = np.zeros((2, *market.demand.sure.shape))
    substituted = np.zeros((len(market.rules.substitutes.cost), market.buckets))
    wasted = np.zeros(market.stock.fixed.shape)
    pooled = market.products.is_component[market.demand.product]
    free = _never_needed(flow)
    issued[pooled] = np.maximum(np.diff(free[market.demand.product[pooled]], axis=1, prepend=0.0), 0.0)
    chosen = _to_choose(market, free, flow, serves)
    if chosen.any():
        part = _part(market, flow, chosen, serves)
        found = highs.Programme(part, leave_over=True, delivers=True).solve(highs.OPTIONS)
        at = np.flatnonzero(chosen)
        issued[at], turned_away[at] = found.issued, found.turned_away
        started[serves] = found.started
        kept = np.isin(market.rules.substitutes.demand, at)
        substituted[kept], wasted = found.substituted, found.wasted
    rest = ~_involved(market, chosen, serves)
    wasted[rest] = gone_bad(market, arrived, taken)[rest]
    found = replace(
        solution, started=started, issued=issued, turned_away=turned_away, substituted=substituted, wasted=wasted
    )
    return with_fewest_wasted(market, found, lots)


def _involved(market: Market, chosen: BoolArray, serves: BoolArray) -> BoolArray:
    """(product) whether choosing deliveries decides what becomes of it."""
    rules, at = market.rules, np.flatnonzero(chosen)
    involved = np.zeros(len(market.products), dtype=bool)
    involved[market.demand.product[at]] = True
    involved[rules.substitutes.product[np.isin(rules.substitutes.demand, at)]] = True
    involved[market.ways.product[serves]] = True
    involved[market.uses.component[serves[market.uses.way]]] = True
    return involved & bool(chosen.any())


def _deliverable(market: Market, flow: FloatArray, serving: IntArray) -> FloatArray:
    """(product, bucket) the units that come, of what is asked for in whole ones: what a yield leaves of a unit comes
    with the rest of it. serving: products at sites that serve a market."""
    asked = np.union1d(market.demand.product, serving)
    there = np.cumsum(flow[asked], axis=1)
    by_then = market.deliverable(there, asked)
    cut = (np.abs(by_then - there) > NOTHING).any(axis=1)
    flow[asked[cut]] = np.diff(by_then[cut], axis=1, prepend=0.0)
    return flow


def _never_needed(flow: FloatArray) -> FloatArray:
    """(product, bucket) cumulative units that can leave a pool by then without anything later going short."""
    there = np.cumsum(flow, axis=1)
    return np.maximum(np.minimum.accumulate(there[:, ::-1], axis=1)[:, ::-1], 0.0)


def _to_choose(market: Market, free: FloatArray, flow: FloatArray, serves: BoolArray) -> BoolArray:
    """(demanded) whether deliveries must be chosen: several classes or sites share it, a substitute may stand in, units
    go bad, or refusing some could cost less than being late with them."""
    demanded, rules = market.demand.product, market.rules
    product = np.bincount(demanded, minlength=len(market.products)) > 1
    product[demanded[rules.smallest_delivery.smallest > 0]] = True
    product[rules.substitutes.product] = True
    product[demanded[rules.substitutes.demand]] = True
    product[market.ways.product[serves]] = True
    product[market.uses.component[serves[market.uses.way]]] = True
    product |= (rules.shelf_life.life >= 0) & market.products.is_component
    supply = np.where(market.products.is_component[demanded, None], free[demanded], np.cumsum(flow[demanded], axis=1))
    must_refuse = (rules.max_lateness.overdue > supply + NOTHING).any(axis=1)
    worst = market.late_cost * market.buckets + market.end_cost
    may_refuse = (worst > market.lost_cost) & (market.demand.sure > NOTHING).any(axis=1)
    for d in np.flatnonzero(may_refuse & ~must_refuse):
        may_refuse[d] = bool((market.demand.cumulative[d].max(axis=0) > supply[d] + NOTHING).any())
    return product[demanded] | must_refuse | may_refuse


def _part(market: Market, flow: FloatArray, chosen: BoolArray, serves: BoolArray) -> Market:
    """The market of the chosen demand alone, to which `flow` comes whatever is chosen; only sites that serve markets
    are ways."""
    rules = market.rules
    at = np.flatnonzero(chosen)
    involved = _involved(market, chosen, serves)
    way, use = np.flatnonzero(serves), np.flatnonzero(serves[market.uses.way])
    way_place = np.cumsum(serves) - 1
    none = np.zeros((0, market.buckets))
    part = Part(demanded=at, products=involved, ways=way, buckets=market.buckets)
    return replace(
        market,
        products=replace(market.products, is_component=market.products.is_component & involved),
        ways=Ways(
            facts=tuple(market.ways.facts[w] for w in way),
            product=market.ways.product[way],
            line=np.full(len(way), -1),
            hours=np.zeros(len(way)),
            cost=market.ways.cost[way],
            yield_share=market.ways.yield_share[way],
            lead=market.ways.lead[way],
            span=market.ways.span[way],
            is_open=market.ways.is_open[way],
            limit=market.ways.limit[way],
        ),
        uses=Uses(
            way=way_place[market.uses.way[use]],
            component=market.uses.component[use],
            units=market.uses.units[use],
            is_open=market.uses.is_open[use],
        ),
        lines=Lines(names=(), hours=none, hours_taken=none),
        stock=replace(market.stock, fixed=flow),
        demand=Demand(
            product=market.demand.product[at],
            cumulative=tuple(market.demand.cumulative[d] for d in at),
            sure=market.demand.sure[at],
            owed=market.demand.owed[at],
        ),
        rules=rules.part(part),
    )


# what becomes of each request ---------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Delivered:
    """What becomes of each request, (ask) units:  asks.units = on_time + late + refused + never.

    demanded: (ask) the class of demand that it belongs to, -1 where its demand is not known one by one. by_bucket:
    (ask, bucket) units delivered.
    """

    asks: Asks
    demanded: IntArray
    on_time: FloatArray
    late: FloatArray
    refused: FloatArray
    never: FloatArray
    by_bucket: FloatArray


def delivered(market: Market, outcome: Outcome) -> Delivered | None:
    """Requests are served oldest first within their class; of those of one bucket the last are refused first. None
    where the market knows no requests."""
    asks = market.demand.asks
    if asks is None:
        return None
    d = _class_of(market, asks)
    buckets = market.buckets
    known = np.flatnonzero(d >= 0)
    order = known[np.lexsort((known, asks.bucket[known], d[known]))]
    of, bucket, units = d[order], asks.bucket[order], asks.units[order]
    cell = of * buckets + bucket
    until = np.cumsum(units)
    after = until[np.searchsorted(cell, cell, side="right") - 1] - until if len(cell) else until
    refused = np.clip(outcome.turned_away[of, bucket] - after, 0.0, units)
    kept = units - refused
    before = np.cumsum(kept) - kept
    before -= before[np.searchsorted(of, of, side="left")] if len(of) else 0.0
    served = np.clip(outcome.served_by[of] - before[:, None], 0.0, kept[:, None])
    shape = len(asks.units)
    on_time, late, away, never = np.zeros((4, shape))
    by_bucket = np.zeros((shape, buckets))
    in_time = asks.due_day[order] >= day_numbers(market.bucket_starts)[0]
    on_time[order] = np.where(in_time, served[np.arange(len(order)), bucket], 0.0)
    late[order] = served[:, -1] - on_time[order] if len(order) else 0.0
    away[order], never[order] = refused, kept - served[:, -1] if len(order) else 0.0
    by_bucket[order] = np.diff(served, axis=1, prepend=0.0)
    return Delivered(asks, d, on_time, late, away, never, by_bucket)


def _class_of(market: Market, asks: Asks) -> IntArray:
    """(ask) its class of demand, where the requests of that class are all of its demand; else -1."""
    at = {p: i for i, p in enumerate(market.products.names)}
    product = np.array([at.get(market.places.label_of(item), -1) for item in asks.items], dtype=np.int64)
    place: dict[tuple[int, float, int, str], int] = {}
    for d, p in enumerate(market.demand.product.tolist()):
        late = int(market.rules.order_lateness.late_buckets[d])
        request = market.rules.smallest_delivery.requests[d]
        place[p, round(float(market.rules.priorities.weight[d]), 9), late, request] = d
    own = set(market.rules.smallest_delivery.requests)
    names = [key if key in own else "" for key in asks.key.to_pylist()] if own - {""} else [""] * len(asks.units)
    weights, rank = np.unique(asks.weight, return_inverse=True)
    rounded = [round(w, 9) for w in weights.tolist()]
    kinds = zip(product[asks.item].tolist(), rank.tolist(), asks.late_buckets.tolist(), names, strict=True)
    of = np.array([place.get((p, rounded[w], late, name), -1) for p, w, late, name in kinds], dtype=np.int64)
    known = of >= 0
    count, buckets = len(market.demand), market.buckets
    told = np.bincount(of[known] * buckets + asks.bucket[known], asks.units[known], count * buckets)
    whole = np.zeros(count, dtype=bool)
    certain = np.array([d for d, paths in enumerate(market.demand.cumulative) if len(paths) == 1], dtype=np.int64)
    if len(certain):
        cumulative = np.stack([market.demand.cumulative[d][0] for d in certain.tolist()])
        asked = np.diff(cumulative, axis=1, prepend=0.0)
        slack = NOTHING * np.maximum(np.abs(cumulative[:, -1:]), 1.0)
        whole[certain] = (np.abs(told.reshape(count, buckets)[certain] - asked) <= slack).all(axis=1)
    ok = known.copy()
    ok[known] = whole[of[known]]
    return np.where(ok, of, -1)


def late_costs(market: Market) -> dict[Request, float]:
    """Of each request that is known by itself, money for a unit of it that waits a bucket."""
    asks = market.demand.asks
    if asks is None:
        return {}
    of = _class_of(market, asks)
    keys = asks.key.to_pylist()
    return {
        (keys[a], asks.items[asks.item[a]].product, int(asks.due_day[a])): float(market.late_cost[of[a]])
        for a in np.flatnonzero(of >= 0).tolist()
    }


def deliveries_table(market: Market, found: Delivered, product_of: list[str]) -> pa.Table:
    """A row for each delivery, and for what is refused or never served; by product, due day, key and bucket.

    product_of: (item) the product asked for. bucket: in which it is delivered, null for what is not. short_cost: what
    being late, or not served, costs from the first bucket on, money.
    """
    asks, starts = found.asks, day_numbers(market.bucket_starts)
    rows: list[tuple[IntArray, IntArray, FloatArray, np.ndarray, FloatArray]] = []
    known = found.demanded >= 0
    ask, t = np.nonzero((found.by_bucket > NOTHING) & known[:, None])
    what = np.where((t <= asks.bucket[ask]) & (asks.due_day[ask] >= starts[0]), "on_time", "late")
    of, waits = found.demanded[ask], np.maximum(t - asks.bucket[ask], 0)
    units = found.by_bucket[ask, t]
    rows.append((ask, starts[t], units, what, units * waits * market.late_cost[of]))
    for name, left in (("refused", found.refused), ("never", found.never)):
        ask = np.flatnonzero((left > NOTHING) & known)
        of, waits = found.demanded[ask], market.buckets - asks.bucket[ask]
        each = market.lost_cost[of] if name == "refused" else market.end_cost[of] + waits * market.late_cost[of]
        rows.append((ask, np.full(len(ask), -1), left[ask], np.full(len(ask), name), left[ask] * each))
    ask, day, units, what, cost = (np.concatenate([row[k] for row in rows]) for k in range(5))
    product = np.array(product_of, dtype=np.str_)[asks.item[ask]] if len(ask) else np.zeros(0, dtype=np.str_)
    order = np.lexsort((day, ask, asks.due_day[ask], product))
    ask, day, units, what, product = ask[order], day[order], units[order], what[order], product[order]
    market_of = np.array([item.market for item in asks.items], dtype=np.str_)
    keys = asks.key.take(pa.array(ask))
    return pa.table(
        {
            "demand": pa.array([key or None for key in keys.to_pylist()], pa.string()),
            "product": pa.array(product.tolist(), pa.string()),
            "market": pa.array(market_of[asks.item[ask]].tolist() if len(ask) else [], pa.string()),
            "due": pa.array(asks.due_day[ask].astype(np.int32)).cast(pa.date32()),
            "bucket": pa.array(day.astype(np.int32), mask=day < 0).cast(pa.date32()),
            "units": units,
            "what": pa.array(what.tolist(), pa.string()),
            "firm": asks.firm[ask],
            "priority": asks.priority[ask],
            "short_cost": cost[order],
        },
        schema=DELIVERIES_SCHEMA,
    )
