"""The balance's arithmetic as plain loops over ways, uses, products and buckets: slow, and easy to follow."""

import math
from collections import defaultdict

import numpy as np

from datong.model.demand_layers import expected_over_and_short, layer_grid, layer_slopes
from datong.network.horizon import valid_on

LEAST_TOLD = 0.05
NOTHING = 1e-7


def unit_costs(products, ways, bucket_starts):
    """By product: a good unit by the cheapest way in its cheapest bucket, components included."""
    least = dict.fromkeys(products, math.inf)
    for day in bucket_starts:

        def cost(product, day=day):
            best = math.inf
            for way in ways:
                if way.product == product and valid_on(day, way.valid_from, way.valid_to):
                    used = [u for u in way.uses if valid_on(day, u.valid_from, u.valid_to)]
                    parts = sum(u.units_per_unit * (cost(u.component) if u.component in least else 0.0) for u in used)
                    best = min(best, (way.cost_per_unit + parts) / way.yield_share)
            return best

        for product in products:
            least[product] = min(least[product], cost(product))
    return least


def response_buckets(facts, bucket_starts, settings):
    """By product: a bucket of review, the frozen ones, the lead time of its usual way and of the slowest component."""
    costs = unit_costs(facts.products, facts.ways, bucket_starts)

    def unit_cost(way):
        parts = sum(u.units_per_unit * costs.get(u.component, 0.0) for u in way.uses)
        return (way.cost_per_unit + parts) / way.yield_share

    def lead(product):
        own = [
            w
            for w in facts.ways
            if w.product == product and any(valid_on(s, w.valid_from, w.valid_to) for s in bucket_starts)
        ]
        if not own:
            return 0
        usual = min(own, key=lambda w: (unit_cost(w), w.name))
        before = max((lead(u.component) for u in usual.uses if u.component in costs), default=0)
        return before + settings.calendar.lead_buckets(usual.lead_days)

    made = {w.product for w in facts.ways if any(valid_on(s, w.valid_from, w.valid_to) for s in bucket_starts)}
    return {p: 1 + settings.frozen_buckets + lead(p) for p in sorted(made)}


def unit_prices(market, prices):
    """Full prices of a good unit, by way and by product, each with the bucket in which it is there."""
    buckets = market.buckets
    ways = np.full(market.ways.is_open.shape, np.inf)
    cheapest = np.full((len(market.products), buckets), np.inf)
    for product in market.products.order:
        for way in np.flatnonzero(market.ways.product == product):
            lead = market.ways.lead[way]
            for start in range(buckets - lead):
                if not market.ways.is_open[way, start]:
                    continue
                price = market.ways.cost[way]
                if np.isfinite(market.ways.limit[way, start]):
                    price += max(prices.limit[way, start], 0.0)
                if market.ways.line[way] >= 0:
                    price += market.ways.hours[way] * max(prices.line[market.ways.line[way], start], 0.0)
                for use in np.flatnonzero(market.uses.way == way):
                    if market.uses.is_open[use, start]:
                        price += market.uses.units[use] * cheapest[market.uses.component[use], start]
                ways[way, start + lead] = price / market.ways.yield_share[way]
            cheapest[product] = np.minimum(cheapest[product], ways[way])
        if market.products.is_component[product]:
            for t in range(buckets):
                price = min(cheapest[product, t], prices.component[product, t])
                price = max(price, market.money.salvage[product] - market.money.holding[product] * (buckets - t))
                if t > 0:
                    price = min(price, cheapest[product, t - 1] + market.money.holding[product])
                cheapest[product, t] = price
    return ways, cheapest


def lower_bound(market, prices):
    """The Lagrangian dual at these prices, product by product and layer by layer."""
    _, cheapest = unit_prices(market, prices)
    buckets = market.buckets
    bound = 0.0
    for line in range(len(market.lines)):
        for t in range(buckets):
            bound -= max(prices.line[line, t], 0.0) * market.lines.hours[line, t]
    for way in range(len(market.ways)):
        for t in range(buckets):
            if np.isfinite(market.ways.limit[way, t]):
                bound -= max(prices.limit[way, t], 0.0) * market.ways.limit[way, t]
    for product in range(len(market.products)):
        for t in range(buckets):
            units = market.stock.fixed[product, t]
            if market.products.is_component[product] and units != 0:
                if not np.isfinite(cheapest[product, t]):
                    return -np.inf
                bound -= cheapest[product, t] * units
        if not market.products.is_component[product] and product not in market.demand.product:
            stock = np.cumsum(market.stock.fixed[product])
            bound += market.money.holding[product] * stock.sum() - market.money.salvage[product] * stock[-1]
    for d, product in enumerate(market.demand.product):
        holding, late, waiting, salvage, lost = (
            float(a[product])
            for a in (
                market.money.holding,
                market.money.late,
                market.money.waiting_at_end,
                market.money.salvage,
                market.money.lost_sale,
            )
        )
        price = cheapest[product].copy()
        for t in range(buckets):
            away = max(prices.turned_away[d, t], salvage - lost - holding * (buckets - t), 0.0)
            bound -= away * market.demand.sure[d, t]
            if market.demand.sure[d, t] > 0:
                price[t] = min(price[t], lost + away)
        net = market.net_demand(d)
        over, short = expected_over_and_short(np.zeros(buckets), net)
        bound += holding * over.sum() + late * short.sum() + waiting * short[-1] - salvage * over[-1]
        for width, chance in zip(*layer_grid(net), strict=True):
            slopes = layer_slopes(chance[None, :], holding, late, waiting, salvage)[0]
            bound += width * min(0.0, *(price[a] + slopes[a:].sum() for a in range(buckets)))
    return bound


def all_shares(market, prices, cheapest, way, start):
    """(money per good unit, name, own price) of each thing that may be scarce in a unit of the way started in a bucket,
    in the order in which the way has them."""
    yields = market.ways.yield_share[way]
    found = [(prices.limit[way, start], market.ways.facts[way].name, prices.limit[way, start])]
    if market.ways.line[way] >= 0:
        price = prices.line[market.ways.line[way], start]
        found.append((market.ways.hours[way] * price / yields, market.lines.names[market.ways.line[way]], price))
    for use in np.flatnonzero(market.uses.way == way):
        component = market.uses.component[use]
        plain = market.products.plain_cost[component]
        premium = max(cheapest[component, start] - (plain if np.isfinite(plain) else 0.0), 0.0)
        if not market.uses.is_open[use, start] or not np.isfinite(premium):
            premium = 0.0
        found.append((market.uses.units[use] * premium / yields, market.products.names[component], premium))
    return [share if share[0] > NOTHING else (0.0, *share[1:]) for share in found]


def scarce_shares(market, prices, cheapest, way, start):
    """Those of them that are scarce."""
    return [share for share in all_shares(market, prices, cheapest, way, start) if share[0] > 0]


def quantities(market, solution):
    """Rows of the clearing's quantities: (start bucket, product, kind, name, units, cost_per_unit, price_share)."""
    _, cheapest = unit_prices(market, solution.prices)
    rows = []
    for way, facts in enumerate(market.ways.facts):
        for start in range(market.buckets):
            started = solution.started[way, start]
            if started <= NOTHING:
                continue
            parts = 0.0
            for use in np.flatnonzero(market.uses.way == way):
                plain = market.products.plain_cost[market.uses.component[use]]
                if market.uses.is_open[use, start] and np.isfinite(plain):
                    parts += market.uses.units[use] * plain
            shares = scarce_shares(market, solution.prices, cheapest, way, start)
            cost = (facts.cost_per_unit + parts) / facts.yield_share
            units, scarce = started * facts.yield_share, sum(money for money, *_ in shares)
            rows.append((start, facts.product, facts.kind, facts.name, units, cost, scarce))
    return sorted(rows)


def queue(asked, comes):
    """Buyers of one path served oldest first: by the bucket in which they are due, units on time, late and never; by
    bucket, units served in it and waiting at its end. asked, comes: (bucket) units."""
    on_time, late, served, waiting = ([0.0] * len(asked) for _ in range(4))
    owed, stock = [0.0] * len(asked), 0.0
    for t in range(len(asked)):
        owed[t] = asked[t]
        stock += comes[t]
        for due in range(t + 1):
            units = min(owed[due], stock)
            owed[due] -= units
            stock -= units
            served[t] += units
            if due == t:
                on_time[due] += units
            else:
                late[due] += units
        waiting[t] = sum(owed)
    return on_time, late, owed, served, waiting


def service(market, outcome, d):
    """Expected units of one class of demand, (bucket): asked, on time, late, lost, served, waiting."""
    paths, away = market.demand.cumulative[d], outcome.turned_away[d]
    comes = np.diff(outcome.supply[d], prepend=0.0)
    asked = [np.diff(path, prepend=0.0) for path in paths]
    told = [queue(units - away, comes) for units in asked]
    on_time, late, never, served, waiting = np.mean(told, axis=0)
    return np.mean(asked, axis=0), on_time, late, never + away, served, waiting


def cheapest_way(market, ways, product, t):
    """The way that brings a product into a bucket at least cost; of equals the one that is cheapest where nothing is
    scarce. None where none does."""

    def normal(way):
        parts = [
            market.uses.units[use] * market.products.plain_cost[market.uses.component[use]]
            for use in np.flatnonzero(market.uses.way == way)
            if np.isfinite(market.products.plain_cost[market.uses.component[use]])
        ]
        return (market.ways.cost[way] + sum(parts)) / market.ways.yield_share[way]

    there = [w for w in range(len(ways)) if market.ways.product[w] == product and np.isfinite(ways[w, t])]
    if not there:
        return None
    least = min(ways[w, t] for w in there)
    alike = [w for w in there if ways[w, t] <= least * (1 + 1e-6)]
    return min(alike, key=lambda w: (round(normal(w), 6), market.ways.facts[w].name))


def source_of(market, ways, cheapest, part, bucket):
    """The way that brings a component at its price in a bucket, and the bucket in which it brings it: that one, or an
    earlier one from which it is held. None where stock alone sets the price."""
    for u in range(bucket, -1, -1):
        source = cheapest_way(market, ways, part, u)
        if source is not None and ways[source, u] <= cheapest[part, u] * 1.001 + NOTHING:
            return source, u
        held = cheapest[part, u - 1] + market.money.holding[part] if u else np.inf
        if not held <= cheapest[part, u] * 1.001 + NOTHING:
            return None
    return None


def behind(market, prices, ways, cheapest, pool, way, t, other=-1):
    """Name, price and bucket of the scarce thing that takes most of the price of a way that brings units into a bucket;
    of a component that a way brings, what takes most of its own. other: another start of the way, above whose price
    each counts; below 0: none."""
    start = t - market.ways.lead[way]
    shares = all_shares(market, prices, cheapest, way, start)
    then = [0.0] * len(shares)
    if other >= 0:
        then = [money for money, *_ in all_shares(market, prices, cheapest, way, other)]
    scarce = [(money - less, *rest) for (money, *rest), less in zip(shares, then, strict=True) if money > 0]
    if not scarce:
        return "", 0.0, start
    _, binding, price = max(scarce, key=lambda s: (s[0], s[1]))
    if binding not in market.products.names:
        return binding, price, start
    part = market.products.names.index(binding)
    idle = pool[part, start] > (1 - 1e-7 if market.products.whole[part] else 1e-7)
    price = 0.0 if idle else cheapest[part, start]
    source = source_of(market, ways, cheapest, part, start)
    if source is None:
        return binding, price, start
    way, arrives = source
    same = source_of(market, ways, cheapest, part, other) if other >= 0 else None
    other = same[1] - market.ways.lead[way] if same is not None and same[0] == way else -1
    deeper = behind(market, prices, ways, cheapest, pool, way, arrives, other)
    return deeper if deeper[0] else (binding, price, start)


def in_the_way(market, prices, ways, cheapest, pool, product, t, late, lost, wait, then):
    """Name, price and bucket of what stands in the way of units due in a bucket. late, lost: units; wait: buckets for
    which what is lost would wait; then: the bucket in which what is late is served, -1: none."""
    there, best = t, cheapest_way(market, ways, product, t)
    if best is None and lost > max(late, NOTHING):
        later = range(t + 1, min(t + wait, market.buckets - 1) + 1)
        there, best = next(
            ((u, w) for u in later if (w := cheapest_way(market, ways, product, u)) is not None), (t, None)
        )
    if best is None:
        return "", 0.0, -1
    other = then - market.ways.lead[best] if late >= lost and then >= 0 else -1
    if other < 0 or not market.ways.is_open[best, other]:
        other = -1
    found = behind(market, prices, ways, cheapest, pool, best, there, other)
    return found if found[0] or there == t else ("", 0.0, -1)


def gaps(market, demand, outcome, prices):
    """Rows of the clearing's gaps: (product, bucket, market, demand, on time, late, lost, served, waiting, binding, its
    price)."""
    ways, cheapest = unit_prices(market, prices)
    items_of = defaultdict(list)
    for i, item in enumerate(demand.items):
        items_of[item.product].append(i)
    rows = []
    for d, product in enumerate(market.demand.product):
        name = market.products.names[product]
        asked, on_time, late, lost, served, waiting = service(market, outcome, d)
        items = sorted(items_of[name], key=lambda i: demand.items[i].market)
        markets = [demand.items[i].market for i in items] or ["all"]
        means = [demand.paths[i].mean(axis=0) for i in items] or [asked]
        for t in range(market.buckets):
            so_far = [sum(m[: t + 1]) for m in means]
            share = [s / sum(so_far) if sum(so_far) > 0 else 1 / len(markets) for s in so_far]
            here = sum(m[t] for m in means)
            own = [m[t] / here if here > 0 else share[i] for i, m in enumerate(means)]
            owed = np.cumsum(asked - lost)[t]
            then = next((u for u in range(t + 1, market.buckets) if outcome.served_by[d, u] >= owed - 1e-3), -1)
            then = then if late[t] > NOTHING else -1

            def cause(late, lost, d=d, product=product, t=t, then=then):
                if late + lost <= NOTHING:
                    return "", 0.0, -1
                wait = int(min(market.rules.max_lateness.wait[d], market.buckets))
                return in_the_way(market, prices, ways, cheapest, outcome.pool, product, t, late, lost, wait, then)

            found = [cause(late[t], lost[t])] * 2
            if min(late[t], lost[t]) >= LEAST_TOLD:
                apart = cause(late[t], 0.0), cause(0.0, lost[t])
                found = list(apart) if apart[0][::2] != apart[1][::2] else found
            for m, market_name in enumerate(markets):
                due = [a[t] * own[m] for a in (asked, on_time, late, lost)]
                happened = [a[t] * share[m] for a in (served, waiting)]
                binding, price, _ = found[0] if late[t] * own[m] > NOTHING else found[1]
                rows.append((name, t, market_name, *due, *happened, binding, price))
    return rows
