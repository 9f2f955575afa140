"""Reading back: arrays of a solution -> the tables of a Clearing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.balance.bound import unit_prices
from datong.balance.evaluate import Outcome
from datong.balance.pack import Market
from datong.balance.solution import Prices, Solution
from datong.ledger.facts import EPOCH, day_numbers, grouped, turns
from datong.model.flow import SUBSTITUTIONS_SCHEMA, BoolArray, Clearing, FloatArray, Forecast, IntArray

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
        ("binding_bucket", pa.date32()),
        ("needed_amount", pa.float64()),
        ("needed_unit", pa.string()),
        ("needed_days", pa.int64()),
    ]
)
# A product can be had again where its price is below a lost sale's by this share: prices of a search are not exact.
BELOW_LOST_SHARE = 0.01
# Quantities and prices below this are rounding of a solver.
NOTHING = 1e-7
# Rows of quantities worked out together.
ROWS_AT_ONCE = 500_000
# Items whose paths are averaged together, so that no second copy of all paths is made.
ITEMS_AT_ONCE = 5_000


def read_back(market: Market, demand: Forecast, solution: Solution, outcome: Outcome, bound: float) -> Clearing:
    """The Clearing of a solution and what it costs."""
    ways, cheapest = unit_prices(market, solution.prices)
    scarcity = _Scarcity(market, solution.prices, cheapest)
    return Clearing(
        quantities=_quantities(market, solution, scarcity),
        prices=_prices(market, solution, outcome, cheapest),
        gaps=_gaps(*_by_product(market, outcome), demand, ways, cheapest, scarcity),
        cost=outcome.cost,
        lower_bound=bound,
        door=solution.door,
        iterations=solution.iterations,
        substitutions=_substitutions(market, solution),
    )


@dataclass(frozen=True, eq=False)
class _Share:
    """What one scarce thing adds to a good unit of a way, for many starts at once: all (start).

    money: 0 where it is not worth telling. price: of the thing itself. kind, thing: whose name it is (see `_name`).
    """

    money: FloatArray
    price: FloatArray
    kind: int
    thing: IntArray


_WAY, _LINE, _PRODUCT = range(3)


def _name(market: Market, kind: int, thing: int) -> str:
    if kind == _WAY:
        return market.ways[thing].name
    return shared_name(market, market.lines[thing])[1] if kind == _LINE else market.products[thing]


def shared_name(market: Market, label: str) -> tuple[str, str]:
    """What a line's label stands for, and its name: a line, or with lanes a lane or an offer."""
    return market.shared.get(label, ("line", label))


def way_keys(market: Market) -> pa.Array:
    """What names each way in `quantities`: kind, row of its table, product, and with lanes from where to where."""
    located = bool(market.stock_points)
    keys = [
        (
            "serve" if w.serves else w.kind,
            w.recipe or w.offer or w.lane or "",
            product_of(market, w.product),
            (w.from_site or "") if w.kind == "move" else "",
            (w.site or "") if located else "",
        )
        for w in market.ways
    ]
    return pa.array(["\t".join(key) for key in keys], pa.string())


def row_keys(quantities: pa.Table) -> pa.ChunkedArray:
    """`way_keys` of the rows."""
    name = pc.coalesce(quantities["recipe"], quantities["offer"], quantities["lane"], "")
    sites = [pc.fill_null(quantities[column], "") for column in ("from_site", "to_site")]
    return pc.binary_join_element_wise(quantities["kind"], name, quantities["product"], *sites, "\t")


def ways_of_rows(market: Market, keys: pa.ChunkedArray, start: pa.ChunkedArray) -> IntArray:
    """(row) the way of each row, -1 where the market has none. keys: `row_keys`; start: the day it starts, which tells
    the versions of one way apart."""
    names = way_keys(market)
    unique = pc.unique(names)
    code = pc.index_in(names, unique).to_numpy().astype(np.int64)
    first = np.array([(w.valid_from or date.min).toordinal() for w in market.ways], dtype=np.int64)
    order = np.lexsort((first, code))
    row = pc.index_in(keys, unique).fill_null(-1).to_numpy().astype(np.int64)
    day = start.cast(pa.int32()).to_numpy().astype(np.int64) + EPOCH
    span = date.max.toordinal() + 1
    # The last version to have begun by then; before the first of them, that one.
    at = np.searchsorted((code * span + first)[order], row * span + day, side="right") - 1
    at = np.maximum(at, np.searchsorted(code[order], row))
    return np.where(row >= 0, order[np.minimum(at, len(order) - 1)], -1) if len(order) else row


def product_of(market: Market, label: str) -> str:
    """The product of a stock point; of a chain without lanes, itself."""
    return market.stock_points[label].product if label in market.stock_points else label


class _Scarcity:
    """How much of a way's price is scarce things, by thing."""

    def __init__(self, market: Market, prices: Prices, cheapest: FloatArray) -> None:
        self.market = market
        self.prices = prices
        plain = market.plain_cost
        self.component_premium = np.maximum(cheapest - np.where(np.isfinite(plain), plain, 0.0)[:, None], 0.0)
        self.uses_of, self.first_use = grouped(market.use_way, len(market.ways))

    def uses(self, way: IntArray) -> Iterator[tuple[IntArray, IntArray]]:
        """The first use of each way, the second, and so on, as (positions in `way`, uses)."""
        first, after = self.first_use[way], self.first_use[way + 1]
        for turn in range(int((after - first).max(initial=0))):
            at = np.flatnonzero(first + turn < after)
            yield at, self.uses_of[first[at] + turn]

    def shares(self, way: IntArray, start: IntArray) -> Iterator[_Share]:
        """What each scarce thing adds to a good unit of the ways, started in these buckets; way, start: (start)."""
        market = self.market
        yields, line = market.way_yield[way], market.way_line[way]
        price = self.prices.limit[way, start]
        yield _told(price, price, _WAY, way)
        price = np.zeros(len(way))
        price[line >= 0] = self.prices.line[line[line >= 0], start[line >= 0]]
        yield _told(market.way_hours[way] * price / yields, price, _LINE, line)
        for at, use in self.uses(way):
            component, price = np.full(len(way), -1), np.zeros(len(way))
            component[at] = market.use_component[use]
            premium = self.component_premium[component[at], start[at]]
            price[at] = np.where(market.use_open[use, start[at]] & np.isfinite(premium), premium, 0.0)
            money = np.zeros(len(way))
            money[at] = market.use_units[use] * price[at] / yields[at]
            yield _told(money, price, _PRODUCT, component)


def _told(money: FloatArray, price: FloatArray, kind: int, thing: IntArray) -> _Share:
    return _Share(np.where(money > NOTHING, money, 0.0), price, kind, thing)


def _quantities(market: Market, solution: Solution, scarcity: _Scarcity) -> pa.Table:
    """units are good units that arrive, cost_per_unit is for one of them with its components at their plain cost.

    By start, product, kind and name: the ways are in order of the last three. In pieces: there can be millions.
    """
    start, way = np.nonzero(solution.started.T > NOTHING)
    pieces = [slice(i, i + ROWS_AT_ONCE) for i in range(0, len(way), ROWS_AT_ONCE)]
    return pa.concat_tables(
        [
            QUANTITIES_SCHEMA.empty_table(),
            *(_quantity_rows(market, solution, scarcity, start[p], way[p]) for p in pieces),
        ]
    )


def _quantity_rows(market: Market, solution: Solution, scarcity: _Scarcity, start: IntArray, way: IntArray) -> pa.Table:
    plain = np.where(np.isfinite(market.plain_cost), market.plain_cost, 0.0)
    started = solution.started[way, start]
    parts = np.zeros(len(way))
    for at, use in scarcity.uses(way):
        parts[at] += np.where(
            market.use_open[use, start[at]], market.use_units[use] * plain[market.use_component[use]], 0.0
        )
    is_used = np.bincount(way, minlength=len(market.ways)) > 0
    facts = [market.ways[w] for w in np.flatnonzero(is_used)]
    at = pa.array((np.cumsum(is_used) - 1)[way])

    def named(name: str) -> pa.Array:
        return told([getattr(w, name) for w in facts])

    def told(texts: list[str | None]) -> pa.Array:
        return pa.array(texts, pa.string()).take(at)

    lead_days = np.array([w.lead_days for w in facts], dtype=np.int64)[at.to_numpy()]
    first_day = day_numbers(market.bucket_starts)[start]
    yields = market.way_yield[way]
    return pa.table(
        {
            "kind": told(["serve" if w.serves else w.kind for w in facts]),
            "product": told([product_of(market, w.product) for w in facts]),
            "recipe": named("recipe"),
            "offer": named("offer"),
            "line": told([None if w.line in market.shared else w.line for w in facts]),
            "start": _dates(first_day),
            "due": _dates(first_day + lead_days),
            "units": started * yields,
            "started_units": started,
            "cost_per_unit": (market.way_cost[way] + parts) / yields,
            "price_share": sum((s.money for s in scarcity.shares(way, start)), np.zeros(len(way))),
            "lane": named("lane"),
            "from_site": told([w.from_site if w.kind == "move" else None for w in facts]),
            "to_site": told([(w.site or None) if market.stock_points else None for w in facts]),
        },
        schema=QUANTITIES_SCHEMA,
    )


def _substitutions(market: Market, solution: Solution) -> pa.Table:
    """By product, substitute and bucket; classes of the product's demand together."""
    rules, units = market.beyond, {}
    for i, t in zip(*np.nonzero(solution.substituted > NOTHING), strict=True):
        product = market.products[market.demanded[rules.substitute_demand[i]]]
        key = (product, market.products[rules.substitute_product[i]], market.bucket_starts[t])
        units[key] = units.get(key, 0.0) + float(solution.substituted[i, t])
    rows = [(*key, units[key]) for key in sorted(units)]
    columns = zip(*rows, strict=True) if rows else ([] for _ in SUBSTITUTIONS_SCHEMA)
    return pa.table(
        [pa.array(c, f.type) for c, f in zip(columns, SUBSTITUTIONS_SCHEMA, strict=True)], SUBSTITUTIONS_SCHEMA
    )


def _dates(days: IntArray) -> pa.Array:
    """Days since 1970-01-01 as dates."""
    return pa.array(days.astype(np.int32)).cast(pa.date32())


def _prices(market: Market, solution: Solution, outcome: Outcome, cheapest: FloatArray) -> pa.Table:
    """Every line and bucket; of the rest what has a price. A stock's price is what one unit more there would save."""
    prices = solution.prices
    line, t = np.indices(market.line_hours.shape).reshape(2, -1)
    hours = market.most_hours + market.hours_taken
    called = [shared_name(market, label) for label in market.lines]
    names = [name for _, name in called]
    kinds = np.array([what for what, _ in called], dtype=np.str_)
    parts = []
    for what, unit in (("line", "hour"), ("lane", "unit"), ("offer", "unit")):
        own = kinds[line] == what
        of = line[own], t[own]
        parts.append(_price_rows(what, unit, market, names, *of, prices.line, outcome.hours_used, hours))
    way, t = np.nonzero((prices.limit > NOTHING) & market.way_open)
    names = [market.ways[w].name for w in way]
    at = np.arange(len(way))
    own = (prices.limit[way, t], solution.started[way, t], market.way_limit[way, t])
    parts.append(_price_rows("offer", "unit", market, names, at, t, *own))
    is_priced = market.is_component[:, None] & np.isfinite(cheapest) & (cheapest > NOTHING)
    used, there = outcome.component_used, outcome.component_used + outcome.component_stock
    goes_into = np.zeros(len(market.products), dtype=bool)
    goes_into[market.use_component] = True
    product, t = np.nonzero(is_priced & goes_into[:, None])
    parts.append(_price_rows("component", "unit", market, market.products, product, t, cheapest, used, there))
    product, t = np.nonzero(is_priced & ~goes_into[:, None] & (market.fixed > 0))
    parts.append(_price_rows("stock", "unit", market, market.products, product, t, cheapest, used, there))
    earmarked = np.flatnonzero(~market.is_component[market.demanded])
    worth = _worth_of_one_more(market, outcome, earmarked)
    fixed = market.fixed[market.demanded[earmarked]]
    d, t = np.nonzero((fixed > 0) & (worth > NOTHING))
    used = np.minimum(fixed[d, t], outcome.served[earmarked[d]].sum(axis=1))
    own = (worth[d, t], used, fixed[d, t])
    parts.append(_price_rows("stock", "unit", market, market.products, market.demanded[earmarked[d]], t, *own))
    return pa.concat_tables(parts)


def _price_rows(
    what: str,
    unit: str,
    market: Market,
    names: Sequence[str],
    name: IntArray,
    bucket: IntArray,
    price: FloatArray,
    used: FloatArray,
    available: FloatArray,
) -> pa.Table:
    """Rows of one kind. names: those that `name` points into; the numbers are (row), or tables to look up in."""
    price, used, available = (a[name, bucket] if a.ndim == 2 else a for a in (price, used, available))
    return pa.table(
        {
            "what": pa.repeat(what, len(name)),
            "name": pa.array(names, pa.string()).take(pa.array(name)),
            "bucket": _dates(day_numbers(market.bucket_starts)[bucket]),
            "price": price,
            "unit": pa.repeat(unit, len(name)),
            "used": used,
            "available": available,
        },
        schema=PRICES_SCHEMA,
    )


def _worth_of_one_more(market: Market, outcome: Outcome, d: IntArray) -> FloatArray:
    """What one unit more from each bucket on would save with the rest of the plan as it is: (d, bucket) money."""
    covered = np.cumsum(outcome.turned_away[d], axis=1) + outcome.supply[d]
    if market.given_demand is not None:
        chance = (market.given_demand[d] - covered > NOTHING).astype(np.float64)
    else:
        waiting = [(market.cumulative_demand[i] - covered[j] > NOTHING).mean(axis=0) for j, i in enumerate(d)]
        chance = np.array(waiting).reshape(len(d), market.buckets)
    product = market.demanded[d]
    holding, late, waiting_at_end, salvage = (
        a[product] for a in (market.holding, market.late, market.waiting_at_end, market.salvage)
    )
    slopes = holding[:, None] - (holding + late)[:, None] * chance
    slopes[:, -1] -= salvage * (1.0 - chance[:, -1]) + waiting_at_end * chance[:, -1]
    return -np.cumsum(slopes[:, ::-1], axis=1)[:, ::-1]


def _by_product(market: Market, outcome: Outcome) -> tuple[Market, Outcome]:
    """Market and outcome with the classes of each product's demand taken together, as far as gaps need them."""
    demanded, first, of = np.unique(market.demanded, return_index=True, return_inverse=True)
    if len(demanded) == len(market.demanded):
        return market, outcome
    order = np.argsort(first)  # products stay in their order
    at = np.argsort(order)[of]

    def summed(units: FloatArray) -> FloatArray:
        total = np.zeros((len(demanded), market.buckets))
        np.add.at(total, at, units)
        return total

    parts = {name: summed(getattr(outcome, name)) for name in ("asked", "served", "late", "lost")}
    return replace(market, demanded=demanded[order], sure=summed(market.sure)), replace(outcome, **parts)


def _gaps(
    market: Market, outcome: Outcome, demand: Forecast, ways: FloatArray, cheapest: FloatArray, scarcity: _Scarcity
) -> pa.Table:
    """Expected units by product, market and bucket; what markets share is split by what each has asked for so far."""
    buckets, count = market.buckets, len(market.demanded)
    at = {market.products[p]: d for d, p in enumerate(market.demanded)}
    asked_at = [market.label_of(item) for item in demand.items]
    named = sorted((at[p], demand.items[i].market, i) for i, p in enumerate(asked_at) if p in at)
    named = sorted([*named, *((d, "all", -1) for d in set(range(count)) - {d for d, *_ in named})])
    of, item = (np.array([row[k] for row in named], dtype=np.int64) for k in (0, 2))
    means = outcome.asked[of]
    known = np.flatnonzero(item >= 0)
    for i in range(0, len(known), ITEMS_AT_ONCE):
        some = known[i : i + ITEMS_AT_ONCE]
        means[some] = demand.paths[item[some]].mean(axis=1)
    first = np.searchsorted(of, np.arange(count + 1))
    markets = first[1:] - first[:-1]

    def share_of(own: FloatArray, otherwise: FloatArray | float) -> FloatArray:
        total = np.add.reduceat(own, first[:-1], axis=0)[of] if count else own
        return np.where(total > 0, own / np.where(total > 0, total, 1.0), otherwise)

    share = share_of(np.cumsum(means, axis=1), 1.0 / markets[of, None])
    own = share_of(means, share)
    binding = _binding(market, outcome, ways, scarcity)
    days = _days_more(market, outcome, cheapest)
    # By product, then bucket, then market.
    row = np.argsort((of[:, None] * buckets + np.arange(buckets)).ravel(), kind="stable")
    bucket = row % buckets
    cell = of[row // buckets], bucket

    def split(units: FloatArray, shares: FloatArray) -> FloatArray:
        return units[cell] * shares.ravel()[row]

    products = pa.array([product_of(market, market.products[market.demanded[d]]) for d in of], pa.string())
    late, lost = split(outcome.late, share), split(outcome.lost, share)
    per_unit, start = binding.per_unit[cell], binding.bucket[cell]
    in_the_way = per_unit > 0
    return pa.table(
        {
            "product": products.take(pa.array(row // buckets)),
            "market": pa.array([name for _, name, _ in named], pa.string()).take(pa.array(row // buckets)),
            "bucket": _dates(day_numbers(market.bucket_starts)[bucket]),
            "demand_units": split(outcome.asked, own),
            "served_units": split(outcome.served, share),
            "late_units": late,
            "lost_units": lost,
            "binding": binding.name.take(pa.array(cell[0] * buckets + bucket)),
            "binding_price": binding.price[cell],
            "binding_bucket": pc.if_else(pa.array(start >= 0), _dates(day_numbers(market.bucket_starts)[start]), None),
            "needed_amount": pa.array(np.where(lost > NOTHING, lost, late) * per_unit, mask=~in_the_way),
            "needed_unit": pa.array(["unit", "hour"]).take(pa.array(binding.hours[cell].astype(int), mask=~in_the_way)),
            "needed_days": pa.array(days[cell], mask=days[cell] <= 0),
        },
        schema=GAPS_SCHEMA,
    )


@dataclass(frozen=True, eq=False)
class _Binding:
    """The scarce thing in the way of each (demanded, bucket). name: flat, '' where nothing is.

    hours: it is counted in hours, else in units; price: money per unit of it; bucket: in which the cheapest way would
    start, -1 where none can be there; per_unit: of it for a good unit of the product, 0 where nothing is scarce.
    """

    name: pa.StringArray
    hours: BoolArray
    price: FloatArray
    bucket: IntArray
    per_unit: FloatArray


def _binding(market: Market, outcome: Outcome, ways: FloatArray, scarcity: _Scarcity) -> _Binding:
    """Where demand waits or is lost, the scarce thing that takes most of the price of the cheapest way to have the
    product there and then."""
    d, t = np.nonzero(outcome.late + outcome.lost > NOTHING)
    best = _cheapest_ways(market, ways)[market.demanded[d], t]
    d, t, best = d[best >= 0], t[best >= 0], best[best >= 0]
    start = t - market.way_lead[best]
    most, price = np.zeros(len(d)), np.zeros(len(d))
    names, hours = np.full(len(d), "", dtype=object), np.zeros(len(d), dtype=bool)
    for share in scarcity.shares(best, start):
        own = np.full(len(d), "", dtype=object)
        maybe = np.flatnonzero((share.money > 0) & (share.money >= most))
        own[maybe] = [_name(market, share.kind, thing) for thing in share.thing[maybe]]
        more = maybe[(share.money[maybe] > most[maybe]) | (own[maybe] > names[maybe])]
        most[more], price[more], names[more] = share.money[more], share.price[more], own[more]
        hours[more] = share.kind == _LINE
    is_line = np.array([label not in market.shared for label in market.lines], dtype=bool)
    on_line = market.way_line[best]
    if len(is_line):
        hours &= is_line[np.maximum(on_line, 0)]
    shape, at = market.sure.shape, d * market.buckets + t
    cells, is_hours = np.full(market.sure.size, "", dtype=object), np.zeros(shape, dtype=bool)
    cells[at], is_hours[d, t] = names, hours
    prices, per_unit, buckets = np.zeros(shape), np.zeros(shape), np.full(shape, -1, dtype=np.int64)
    prices[d, t], buckets[d, t] = price, start
    per_unit[d, t] = most / np.where(price > 0, price, 1.0)
    return _Binding(pa.array(cells, pa.string()), is_hours, prices, buckets, per_unit)


def _days_more(market: Market, outcome: Outcome, cheapest: FloatArray) -> IntArray:
    """(demanded, bucket) days more after which what waits or is lost could be served; 0: not within the horizon.

    What waits: until the plan has served all that was asked for by then. What is lost: until a unit's price is below
    that of a lost sale.
    """
    d, t = np.nonzero(outcome.late + outcome.lost > NOTHING)
    lost_before_end = outcome.lost.copy()
    lost_before_end[:, -1] = 0.0
    served = np.cumsum(outcome.served, axis=1)
    target = (np.cumsum(outcome.asked, axis=1) - np.cumsum(lost_before_end, axis=1))[d, t]
    product = market.demanded
    price = cheapest[product]  # or made earlier and held
    held = np.arange(market.buckets) * market.holding[product, None]
    price = np.minimum.accumulate(price - held, axis=1) + held
    can_buy = price < market.lost_sale[product, None] * (1 - BELOW_LOST_SHARE)
    is_lost, later = lost_before_end[d, t] > NOTHING, np.full(len(d), -1)
    for u in range(market.buckets - 1, 0, -1):
        there = np.where(is_lost, can_buy[d, u], served[d, u] >= target - 1e-6 * np.maximum(target, 1.0))
        later[there & (u > t)] = u
    starts = day_numbers(market.bucket_starts)
    days = np.zeros(market.sure.shape, dtype=np.int64)
    days[d, t] = np.where(later >= 0, starts[np.maximum(later, 0)] - starts[t], 0)
    return days


def _cheapest_ways(market: Market, ways: FloatArray) -> IntArray:
    """(product, bucket) the cheapest way to have the product there, the first by name of equals; -1 where none is."""
    best = np.full((len(market.products), market.buckets), -1, dtype=np.int64)
    least = np.full(best.shape, np.inf)
    by_name = np.array(sorted(range(len(market.ways)), key=lambda w: market.ways[w].name), dtype=np.int64)
    for turn in turns(market.way_product[by_name]):
        way = by_name[turn]
        product = market.way_product[way]
        better = ways[way] < least[product]
        least[product] = np.where(better, ways[way], least[product])
        best[product] = np.where(better, way[:, None], best[product])
    return best
