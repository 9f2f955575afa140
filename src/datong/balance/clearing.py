"""Reading back: arrays of a solution -> the tables of a Clearing."""

from collections import defaultdict
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from datong.balance.bound import unit_prices
from datong.balance.evaluate import Outcome
from datong.balance.pack import Market
from datong.balance.solution import Prices, Solution
from datong.model.flow import Clearing, FloatArray, Forecast
from datong.model.layers import layer_slopes

QUANTITIES_SCHEMA = pa.schema(
    [
        ("kind", pa.string()),
        ("product", pa.string()),
        ("recipe", pa.string()),
        ("offer", pa.string()),
        ("line", pa.string()),
        ("start", pa.date32()),
        ("due", pa.date32()),
        ("units", pa.float64()),
        ("started_units", pa.float64()),
        ("cost_per_unit", pa.float64()),
        ("price_share", pa.float64()),
        ("lane", pa.string()),
        ("from_site", pa.string()),
        ("to_site", pa.string()),
    ]
)
PRICES_SCHEMA = pa.schema(
    [
        ("what", pa.string()),
        ("name", pa.string()),
        ("bucket", pa.date32()),
        ("price", pa.float64()),
        ("unit", pa.string()),
        ("used", pa.float64()),
        ("available", pa.float64()),
    ]
)
GAPS_SCHEMA = pa.schema(
    [
        ("product", pa.string()),
        ("market", pa.string()),
        ("bucket", pa.date32()),
        ("demand_units", pa.float64()),
        ("served_units", pa.float64()),
        ("late_units", pa.float64()),
        ("lost_units", pa.float64()),
        ("binding", pa.string()),
        ("binding_price", pa.float64()),
    ]
)
# Quantities and prices below this are rounding of a solver.
NOTHING = 1e-7


def read_back(market: Market, demand: Forecast, solution: Solution, outcome: Outcome, bound: float) -> Clearing:
    """The Clearing of a solution and what it costs."""
    ways, cheapest = unit_prices(market, solution.prices)
    scarcity = _Scarcity(market, solution.prices, cheapest)
    return Clearing(
        quantities=_quantities(market, solution, cheapest, scarcity),
        prices=_prices(market, solution, outcome, cheapest),
        gaps=_gaps(market, demand, outcome, ways, scarcity),
        cost=outcome.cost,
        lower_bound=bound,
        door=solution.door,
        iterations=solution.iterations,
    )


class _Scarcity:
    """How much of a way's price is scarce things, by thing."""

    def __init__(self, market: Market, prices: Prices, cheapest: FloatArray) -> None:
        self.market = market
        self.prices = prices
        plain = market.plain_cost
        self.component_premium = np.maximum(cheapest - np.where(np.isfinite(plain), plain, 0.0)[:, None], 0.0)
        self.uses: dict[int, list[int]] = defaultdict(list)
        for use, way in enumerate(market.use_way):
            self.uses[int(way)].append(use)

    def shares(self, way: int, start: int) -> list[tuple[float, str, float]]:
        """(money per good unit, name of the scarce thing, its own price) for a unit of the way started in a bucket."""
        market = self.market
        yields, line = market.way_yield[way], market.way_line[way]
        found = [(float(self.prices.limit[way, start]), market.ways[way].name, float(self.prices.limit[way, start]))]
        if line >= 0:
            price = float(self.prices.line[line, start])
            name = market.lines[line]
            found.append((market.way_hours[way] * price / yields, market.shared.get(name, ("", name))[1], price))
        for use in self.uses[way]:
            component = market.use_component[use]
            premium = float(self.component_premium[component, start])
            if market.use_open[use, start] and np.isfinite(premium):
                found.append((market.use_units[use] * premium / yields, market.products[component], premium))
        return [(float(money), name, price) for money, name, price in found if money > NOTHING]


def _quantities(market: Market, solution: Solution, cheapest: FloatArray, scarcity: _Scarcity) -> pa.Table:
    """units are good units that arrive, cost_per_unit is for one of them with its components at their plain cost."""
    plain = market.plain_cost
    rows = []
    for way, start in zip(*np.nonzero(solution.started > NOTHING), strict=True):
        facts = market.ways[way]
        parts = sum(
            market.use_units[use] * plain[market.use_component[use]]
            for use in scarcity.uses[int(way)]
            if market.use_open[use, start] and np.isfinite(plain[market.use_component[use]])
        )
        started = float(solution.started[way, start])
        day = market.bucket_starts[start]
        rows.append(
            {
                "kind": "serve" if facts.serves else facts.kind,
                "product": product_of(market, facts.product),
                "recipe": facts.recipe,
                "offer": facts.offer,
                "line": facts.line if facts.line not in market.shared else None,
                "start": day,
                "due": day + timedelta(days=facts.lead_days),
                "units": started * facts.yield_share,
                "started_units": started,
                "cost_per_unit": float(market.way_cost[way] + parts) / facts.yield_share,
                "price_share": sum(money for money, *_ in scarcity.shares(int(way), int(start))),
                "lane": facts.lane,
                "from_site": facts.from_site if facts.kind != "buy" else None,
                "to_site": (facts.site or None) if market.stock_points else None,
            }
        )
    rows.sort(
        key=lambda r: (
            r["start"],
            r["product"],
            r["kind"],
            r["recipe"] or r["offer"] or r["lane"] or "",
            r["from_site"] or "",
            r["to_site"] or "",
        )
    )
    return pa.Table.from_pylist(rows, schema=QUANTITIES_SCHEMA)


def product_of(market: Market, label: str) -> str:
    """The product of a stock point; of a chain without lanes, itself."""
    return market.stock_points[label].product if label in market.stock_points else label


def _prices(market: Market, solution: Solution, outcome: Outcome, cheapest: FloatArray) -> pa.Table:
    """Every line and bucket; of the rest what has a price. A stock's price is what one unit more there would save."""
    rows: list[tuple[str, str, date, float, str, float, float]] = []
    hours = market.line_hours + market.hours_taken
    for line, label in enumerate(market.lines):
        what, name = market.shared.get(label, ("line", label))
        unit = "hour" if what == "line" else "unit"
        for t, day in enumerate(market.bucket_starts):
            price = float(solution.prices.line[line, t])
            rows.append((what, name, day, price, unit, float(outcome.hours_used[line, t]), float(hours[line, t])))
    for way, t in zip(*np.nonzero((solution.prices.limit > NOTHING) & market.way_open), strict=True):
        price, limit = float(solution.prices.limit[way, t]), float(market.way_limit[way, t])
        used = float(solution.started[way, t])
        rows.append(("offer", market.ways[way].name, market.bucket_starts[t], price, "unit", used, limit))
    for product in np.nonzero(market.is_component)[0]:
        for t, day in enumerate(market.bucket_starts):
            used = float(outcome.component_used[product, t])
            there = used + float(outcome.component_stock[product, t])
            price = float(cheapest[product, t])
            if np.isfinite(price) and price > NOTHING:
                rows.append(("component", market.products[product], day, price, "unit", used, there))
    for d, product in enumerate(market.demanded):
        if market.is_component[product]:
            continue
        worth = _worth_of_one_more(market, d, outcome)
        for t in np.nonzero((market.fixed[product] > 0) & (worth > NOTHING))[0]:
            units = float(market.fixed[product, t])
            served = float(min(units, outcome.served[d].sum()))
            rows.append(
                ("stock", market.products[product], market.bucket_starts[t], float(worth[t]), "unit", served, units)
            )
    columns = list(zip(*rows, strict=True)) if rows else [[] for _ in PRICES_SCHEMA]
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, PRICES_SCHEMA, strict=True)], schema=PRICES_SCHEMA)


def _worth_of_one_more(market: Market, d: int, outcome: Outcome) -> FloatArray:
    """What one unit more from each bucket on would save with the rest of the plan as it is: (bucket) money."""
    product = market.demanded[d]
    waiting = market.cumulative_demand[d] - np.cumsum(outcome.turned_away[d]) - outcome.supply[d]
    chance = (waiting > NOTHING).mean(axis=0)
    economics = (float(a[product]) for a in (market.holding, market.late, market.waiting_at_end, market.salvage))
    return -np.cumsum(layer_slopes(chance[None, :], *economics)[0, ::-1])[::-1]


def _gaps(market: Market, demand: Forecast, outcome: Outcome, ways: FloatArray, scarcity: _Scarcity) -> pa.Table:
    """Expected units by product, market and bucket; what markets share is split by what each has asked for so far."""
    rows = []
    items_of: dict[str, list[int]] = defaultdict(list)
    for i, item in enumerate(demand.items):
        items_of[market.label_of(item)].append(i)
    ways_of: dict[int, list[int]] = defaultdict(list)
    for way, product in enumerate(market.way_product):
        ways_of[int(product)].append(way)
    for d, product in enumerate(market.demanded):
        name = market.products[product]
        items = sorted(items_of[name], key=lambda i: demand.items[i].market)
        markets = [demand.items[i].market for i in items] or ["all"]
        means = np.array([demand.paths[i].mean(axis=0) for i in items]) if items else outcome.asked[[d]]
        so_far = np.cumsum(means, axis=1)
        total = so_far.sum(axis=0)
        share = np.where(total > 0, so_far / np.where(total > 0, total, 1.0), 1.0 / len(markets))
        here = means.sum(axis=0)
        own = np.where(here > 0, means / np.where(here > 0, here, 1.0), share)
        for t, day in enumerate(market.bucket_starts):
            short = outcome.late[d, t] + outcome.lost[d, t] > NOTHING
            binding, price = _binding(market, ways, scarcity, ways_of[int(product)], t) if short else ("", 0.0)
            for m, market_name in enumerate(markets):
                rows.append(
                    {
                        "product": product_of(market, name),
                        "market": market_name,
                        "bucket": day,
                        "demand_units": float(outcome.asked[d, t] * own[m, t]),
                        "served_units": float(outcome.served[d, t] * share[m, t]),
                        "late_units": float(outcome.late[d, t] * share[m, t]),
                        "lost_units": float(outcome.lost[d, t] * share[m, t]),
                        "binding": binding,
                        "binding_price": price,
                    }
                )
    return pa.Table.from_pylist(rows, schema=GAPS_SCHEMA)


def _binding(
    market: Market, ways: FloatArray, scarcity: _Scarcity, candidates: list[int], bucket: int
) -> tuple[str, float]:
    """The scarce thing that takes most of the price of the cheapest way to have the product in the bucket."""
    there = [w for w in candidates if np.isfinite(ways[w, bucket])]
    if not there:
        return "", 0.0
    best = min(there, key=lambda w: (ways[w, bucket], market.ways[w].name))
    shares = scarcity.shares(best, bucket - int(market.way_lead[best]))
    if not shares:
        return "", 0.0
    _, name, price = max(shares, key=lambda s: (s[0], s[1]))
    return name, price
