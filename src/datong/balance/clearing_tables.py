"""Reading back: arrays of a solution -> the tables of a Clearing."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.balance.arrays import Market
from datong.balance.bound import unit_prices
from datong.balance.causes_of_gaps import CAUSE_FIELDS, Why, cause_columns, dates, why_of
from datong.balance.cost_and_flow_tables import flow, hours, money
from datong.balance.deliveries import DELIVERIES_SCHEMA, Delivered, delivered, deliveries_table
from datong.balance.evaluate import Outcome, service
from datong.balance.scarcity import NOTHING, Scarcity, product_of, shared_name
from datong.balance.served_later import served_later
from datong.balance.solution import Prices, Solution
from datong.balance.stock_kept_for_others import Kept, kept, sent_elsewhere, told_of, where_kept, with_sent
from datong.balance.stock_limits import stock_limits
from datong.balance.why_unserved import Binding, Served, Units, by_orders, by_prices
from datong.model.flow import SUBSTITUTIONS_SCHEMA, BoolArray, Clearing, FloatArray, Forecast, IntArray
from datong.model.late_causes import LOST
from datong.network.horizon import EPOCH, day_numbers
from datong.network.price_breaks import break_of
from datong.network.ways import Way

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
        ("from_units", pa.float64()),
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
        ("on_time_units", pa.float64()),
        ("late_units", pa.float64()),
        ("lost_units", pa.float64()),
        ("refused_units", pa.float64()),
        ("served_units", pa.float64()),
        ("waiting_units", pa.float64()),
        ("was_due_units", pa.float64()),
        *CAUSE_FIELDS,
        *(pa.field(f"{LOST}{f.name}", f.type) for f in CAUSE_FIELDS),
    ]
)
# Share of an amount, or of a unit, that a difference of sums may be off by.
ROUNDING = 1e-9
# Rows of quantities worked out together.
ROWS_AT_ONCE = 500_000
# Items whose paths are averaged together, so that no second copy of all paths is made.
ITEMS_AT_ONCE = 5_000


def read_back(
    market: Market,
    demand: Forecast,
    solution: Solution,
    outcome: Outcome,
    bound: float,
    lots: FloatArray | None = None,
) -> Clearing:
    """The Clearing of a solution and what it costs. lots: (way, bucket) orders started, of a plan in lots."""
    told = solution.prices
    if lots is not None:
        told = prices_where_full(market, solution.prices, outcome, solution.started)
        solution = replace(solution, prices=told)
        told = replace(told, line=np.where(unknown_hours(market, told, outcome, lots), np.nan, told.line))
    ways, cheapest = unit_prices(market, solution.prices)
    scarcity = Scarcity(market, solution.prices, cheapest, outcome.pool)
    found, served = delivered(market, outcome), Served(outcome, service(market, outcome))

    def in_the_way(product: IntArray, units: Units) -> Binding:
        by_lots = any(w.sets_up for w in market.ways.facts) or _smallest(market) or market.rules.co_products.is_there
        if lots is None or not by_lots:
            return by_prices(market, product, units, served, ways, scarcity)
        return by_orders(market, product, units, served, told, solution.started, lots)

    def one(product: IntArray, units: Units) -> tuple[Binding, Kept]:
        lying = kept(market, product, units, outcome, solution.started, found)
        scarce = in_the_way(product, units)
        lying = told_of(lying, units, scarce)
        binding = where_kept(market, product, units, scarce, lying)
        sent = sent_elsewhere(market, product, units, solution.started, binding)
        return binding, with_sent(market, lying, sent)

    def why(product: IntArray, units: Units) -> Why:
        later = served_later(market, product, units.lost, outcome, solution.started, lots)
        return why_of(market, outcome, product, units, later, one)

    return Clearing(
        quantities=_quantities(market, solution, scarcity),
        prices=_prices(market, replace(solution, prices=told), outcome, cheapest),
        gaps=_gaps(market, served.units, demand, why, found),
        deliveries=_deliveries(market, found),
        flow=flow(market, solution, outcome, lots),
        hours=hours(market, solution, outcome, lots),
        money=money(market, solution, outcome, lots),
        cost=outcome.cost,
        lower_bound=bound,
        door=solution.door,
        iterations=solution.iterations,
        substitutions=_substitutions(market, solution),
        stock_limits=stock_limits(market, outcome.stock),
    )


def prices_where_full(market: Market, prices: Prices, outcome: Outcome, started: FloatArray) -> Prices:
    """Prices of hours only where the orders leave the line less than the shortest lot on it takes, or less than whole
    units leave, under one of each way that starts there: those of a plan in fractions of units need not fit them.
    started: (way, bucket) units."""
    return replace(prices, line=np.where(_is_full(market, outcome, started), prices.line, 0.0))


def _is_full(market: Market, outcome: Outcome, started: FloatArray) -> BoolArray:
    """(line, bucket)"""
    free = market.lines.hours + market.lines.hours_taken - outcome.hours_used
    least, rounded = np.full(len(market.lines), np.inf), np.zeros(free.shape)
    on_line = np.flatnonzero(market.ways.line >= 0)
    facts = [market.ways.facts[w] for w in on_line]
    np.minimum.at(least, market.ways.line[on_line], [max(w.multiple_units, 1.0) * w.hours_per_unit for w in facts])
    one = np.where(market.products.whole[market.ways.product[on_line]], market.ways.hours[on_line], 0.0)
    np.add.at(rounded, market.ways.line[on_line], one[:, None] * (started[on_line] > NOTHING))
    beside = market.rules.lines_at_once
    for w, line, each in zip(beside.way, beside.line, beside.hours, strict=True):
        least[line] = min(least[line], max(market.ways.facts[w].multiple_units, 1.0) * each)
        rounded[line] += each * (started[w] > NOTHING) * market.products.whole[market.ways.product[w]]
    return free < np.maximum(least[:, None], rounded) * (1 - NOTHING)


def unknown_hours(market: Market, prices: Prices, outcome: Outcome, lots: FloatArray) -> BoolArray:
    """(line, bucket) whether nobody knows what an hour more would save. A plan's prices hold while its set-ups stay as
    they are: where a line is shut, or has no hours left for a lot, and nothing is set up, an hour opens no way, though
    with a set-up it might. lots: (way, bucket) orders started."""
    on_line = np.flatnonzero(market.ways.line >= 0)
    line = market.ways.line[on_line]
    may, does = (np.zeros(prices.line.shape, dtype=bool) for _ in range(2))
    np.logical_or.at(may, line, market.ways.is_open[on_line] & is_set_up(market)[on_line, None])
    np.logical_or.at(does, line, lots[on_line] > 0)
    beside = market.rules.lines_at_once
    np.logical_or.at(may, beside.line, market.ways.is_open[beside.way] & is_set_up(market)[beside.way, None])
    np.logical_or.at(does, beside.line, lots[beside.way] > 0)
    return _is_full(market, outcome, lots) & may & ~does & (prices.line <= NOTHING)


def is_set_up(market: Market) -> BoolArray:
    """(way) whether starting it is a decision: it has a set-up, or comes in lots of more than a unit."""
    return np.array(
        [w.sets_up or max(w.min_units, w.multiple_units) > 1 for w in market.ways.facts],
        dtype=bool,
    )


def _smallest(market: Market) -> bool:
    """Whether any way has a smallest lot or a multiple of more than a unit."""
    return any(w.min_units > 1 or w.multiple_units > 1 for w in market.ways.facts)


def _deliveries(market: Market, found: Delivered | None) -> pa.Table:
    if found is None:
        return DELIVERIES_SCHEMA.empty_table()
    return deliveries_table(market, found, [item.product for item in found.asks.items])


def way_keys(market: Market) -> pa.Array:
    """What names each way in `quantities`: kind, row of its table, product, and with lanes from where to where."""
    located = bool(market.places.stock_points)
    keys = [
        (
            w.told_kind,
            w.recipe or w.offer or w.lane or "",
            product_of(market, w.product),
            (w.from_site or "") if w.kind == "move" else "",
            (w.site or "") if located else "",
        )
        for w in market.ways.facts
    ]
    return pa.array(["\t".join(key) for key in keys], pa.string())


def row_keys(quantities: pa.Table) -> pa.ChunkedArray:
    """`way_keys` of the rows."""
    name = pc.coalesce(quantities["recipe"], quantities["offer"], quantities["lane"], "")
    sites = [pc.fill_null(quantities[column], "") for column in ("from_site", "to_site")]
    return pc.binary_join_element_wise(quantities["kind"], name, quantities["product"], *sites, "\t")


def ways_of_rows(market: Market, keys: pa.ChunkedArray, start: pa.ChunkedArray, units: FloatArray) -> IntArray:
    """(row) the way of each row, -1 where the market has none. keys: `row_keys`; start: the day it starts, which tells
    the versions of one way apart; units: of an order, or from which its price break counts, which tell breaks apart."""
    names = way_keys(market)
    unique = pc.unique(names)
    code = pc.index_in(names, unique).to_numpy().astype(np.int64)
    first = np.array([(w.valid_from or date.min).toordinal() for w in market.ways.facts], dtype=np.int64)
    order = np.lexsort((first, code))
    row = pc.index_in(keys, unique).fill_null(-1).to_numpy().astype(np.int64)
    day = start.cast(pa.int32()).to_numpy().astype(np.int64) + EPOCH
    span = date.max.toordinal() + 1
    # The last version to have begun by then; before the first of them, that one.
    at = np.searchsorted((code * span + first)[order], row * span + day, side="right") - 1
    at = np.maximum(at, np.searchsorted(code[order], row))
    if not len(order):
        return row
    way = np.where(row >= 0, order[np.minimum(at, len(order) - 1)], -1)
    return _of_their_break(market, _of_their_days(market, code * span + first, way, day), units)


def units_of_break(quantities: pa.Table) -> FloatArray:
    """(row) units that tell the price breaks of an offer apart: those from which one counts, else those started."""
    started = quantities["started_units"]
    told = quantities["from_units"] if "from_units" in quantities.column_names else pa.nulls(len(started), pa.float64())
    return pc.coalesce(told, started).to_numpy()


def _of_their_break(market: Market, way: IntArray, units: FloatArray) -> IntArray:
    """(row) of the ways of one offer that differ by their price break, the one of the row's units."""
    facts, alike = market.ways.facts, defaultdict[tuple[object, ...], list[int]](list)
    for w in np.flatnonzero([f.price_break is not None for f in facts]).tolist():
        alike[_but_for_its_break(facts[w])].append(w)
    found = way.copy()
    for i in np.flatnonzero(way >= 0) if alike else ():
        own = alike.get(_but_for_its_break(facts[way[i]]), [])
        if own:
            found[i] = own[break_of([facts[w].price_break for w in own], float(units[i]))]
    return found


def _but_for_its_break(way: Way) -> tuple[object, ...]:
    return way.row or way.name, way.product, way.valid_from, way.lead_days


def _of_their_days(market: Market, version: IntArray, way: IntArray, day: IntArray) -> IntArray:
    """(row) of the ways of one version, which differ by their lead time, the one of the row's day (date.toordinal).
    version: (way)."""
    facts, alike = market.ways.facts, defaultdict[int, list[int]](list)
    for w in np.flatnonzero([f.course is not None for f in facts]).tolist():
        alike[int(version[w])].append(w)
    several = np.array([len(alike.get(v, ())) > 1 for v in version.tolist()], dtype=bool)
    found = way.copy()
    for i in np.flatnonzero((way >= 0) & several[way]) if several.any() else ():
        on = date.fromordinal(int(day[i]))
        found[i] = min(alike[int(version[way[i]])], key=lambda w: facts[w].times_closed(on))
    return found


def _quantities(market: Market, solution: Solution, scarcity: Scarcity) -> pa.Table:
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


def _quantity_rows(market: Market, solution: Solution, scarcity: Scarcity, start: IntArray, way: IntArray) -> pa.Table:
    plain = np.where(np.isfinite(market.products.plain_cost), market.products.plain_cost, 0.0)
    started = solution.started[way, start]
    parts = np.zeros(len(way))
    for at, use in scarcity.uses(way):
        parts[at] += np.where(
            market.uses.is_open[use, start[at]], market.uses.units[use] * plain[market.uses.component[use]], 0.0
        )
    is_used = np.bincount(way, minlength=len(market.ways)) > 0
    facts = [market.ways.facts[w] for w in np.flatnonzero(is_used)]
    at = pa.array((np.cumsum(is_used) - 1)[way])

    def named(name: str) -> pa.Array:
        return told([getattr(w, name) for w in facts])

    def told(texts: list[str | None]) -> pa.Array:
        return pa.array(texts, pa.string()).take(at)

    lead_days = np.array([w.lead_days for w in facts], dtype=np.int64)[at.to_numpy()]
    first_day = day_numbers(market.bucket_starts)[start]
    yields = market.ways.yield_share[way]
    return pa.table(
        {
            "kind": told([w.told_kind for w in facts]),
            "product": told([product_of(market, w.product) for w in facts]),
            "recipe": named("recipe"),
            "offer": named("offer"),
            "line": told([None if w.line in market.places.shared else w.line for w in facts]),
            "start": dates(first_day),
            "due": dates(first_day + lead_days),
            "units": started * yields,
            "started_units": started,
            "cost_per_unit": (market.ways.cost[way] + parts) / yields,
            "price_share": sum((s.money for s in scarcity.shares(way, start)), np.zeros(len(way))),
            "lane": named("lane"),
            "from_site": told([w.from_site if w.kind == "move" else None for w in facts]),
            "to_site": told([(w.site or None) if market.places.stock_points else None for w in facts]),
            "from_units": pa.array([w.from_units for w in facts], pa.float64()).take(at),
        },
        schema=QUANTITIES_SCHEMA,
    )


def _substitutions(market: Market, solution: Solution) -> pa.Table:
    """By product, substitute and bucket; classes of the product's demand together."""
    rules, units = market.rules, {}
    for i, t in zip(*np.nonzero(solution.substituted > NOTHING), strict=True):
        product = market.products.names[market.demand.product[rules.substitutes.demand[i]]]
        key = (product, market.products.names[rules.substitutes.product[i]], market.bucket_starts[t])
        units[key] = units.get(key, 0.0) + float(solution.substituted[i, t])
    rows = [(*key, units[key]) for key in sorted(units)]
    columns = zip(*rows, strict=True) if rows else ([] for _ in SUBSTITUTIONS_SCHEMA)
    return pa.table(
        [pa.array(c, f.type) for c, f in zip(columns, SUBSTITUTIONS_SCHEMA, strict=True)], SUBSTITUTIONS_SCHEMA
    )


def _prices(market: Market, solution: Solution, outcome: Outcome, cheapest: FloatArray) -> pa.Table:
    """Every line and bucket, null where `unknown_hours`; of the rest what has a price. A stock's price is what one unit
    more there would save."""
    prices = solution.prices
    line, t = np.indices(market.lines.hours.shape).reshape(2, -1)
    hours = market.most_hours + market.lines.hours_taken
    called = [shared_name(market, label) for label in market.lines.names]
    names = [name for _, name in called]
    kinds = np.array([what for what, _ in called], dtype=np.str_)
    parts = []
    for what in ("line", "lane", "offer"):
        own = kinds[line] == what
        of = line[own], t[own]
        parts.append(_price_rows(what, market, names, *of, prices.line, outcome.hours_used, hours))
    way, t = np.nonzero((prices.limit > NOTHING) & market.ways.is_open)
    names = [market.ways.facts[w].name for w in way]
    at = np.arange(len(way))
    own = (prices.limit[way, t], solution.started[way, t], market.ways.limit[way, t])
    parts.append(_price_rows("offer", market, names, at, t, *own))
    is_priced = market.products.is_component[:, None] & np.isfinite(cheapest) & (cheapest > NOTHING)
    used, there = outcome.pool_used, outcome.pool_used + outcome.pool
    goes_into = np.zeros(len(market.products), dtype=bool)
    goes_into[market.uses.component] = True
    product, t = np.nonzero(is_priced & goes_into[:, None])
    parts.append(_price_rows("component", market, market.products.names, product, t, cheapest, used, there))
    product, t = np.nonzero(is_priced & ~goes_into[:, None] & (market.stock.fixed > 0))
    parts.append(_price_rows("stock", market, market.products.names, product, t, cheapest, used, there))
    earmarked = np.flatnonzero(~market.products.is_component[market.demand.product])
    worth = _worth_of_one_more(market, outcome, earmarked)
    fixed = market.stock.fixed[market.demand.product[earmarked]]
    d, t = np.nonzero((fixed > 0) & (worth > NOTHING))
    used = np.minimum(fixed[d, t], outcome.served_by[earmarked[d], -1])
    own = (worth[d, t], used, fixed[d, t])
    parts.append(_price_rows("stock", market, market.products.names, market.demand.product[earmarked[d]], t, *own))
    return pa.concat_tables(parts)


def _price_rows(
    what: str,
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
            "bucket": dates(day_numbers(market.bucket_starts)[bucket]),
            "price": pa.array(price, from_pandas=True),
            "unit": pa.repeat("hour" if what == "line" else "unit", len(name)),
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
        waiting = [(market.demand.cumulative[i] - covered[j] > NOTHING).mean(axis=0) for j, i in enumerate(d)]
        chance = np.array(waiting).reshape(len(d), market.buckets)
    product = market.demand.product[d]
    holding, late, waiting_at_end, salvage = (
        a[product] for a in (market.money.holding, market.money.late, market.money.waiting_at_end, market.money.salvage)
    )
    slopes = holding[:, None] - (holding + late)[:, None] * chance
    slopes[:, -1] -= salvage * (1.0 - chance[:, -1]) + waiting_at_end * chance[:, -1]
    return -np.cumsum(slopes[:, ::-1], axis=1)[:, ::-1]


def _by_product(market: Market, units: Units) -> tuple[IntArray, Units]:
    """The products asked for, in the order of the market's demand, and units with their classes taken together."""
    demanded, first, of = np.unique(market.demand.product, return_index=True, return_inverse=True)
    if len(demanded) == len(market.demand):
        return market.demand.product, units
    order = np.argsort(first)  # products stay in their order
    at = np.argsort(order)[of]

    def summed(amount: FloatArray) -> FloatArray:
        total = np.zeros((len(demanded), market.buckets))
        np.add.at(total, at, amount)
        return total

    return demanded[order], units.map(summed)


def _gaps(
    market: Market,
    by_class: Units,
    demand: Forecast,
    why: Callable[[IntArray, Units], Why],
    found: Delivered | None,
) -> pa.Table:
    """Units by product, market and bucket. by_class: (demanded, bucket).

    Requests that are known one by one count where they are; of the rest, as expected, what markets share is split by
    what each asks for.
    """
    demanded, units = _by_product(market, by_class)
    buckets, days_of = market.buckets, day_numbers(market.bucket_starts)
    named = _named(market, demanded, demand, found)
    of, item = (np.array([row[k] for row in named], dtype=np.int64) for k in (0, 2))
    if found is None:
        own = _split(units, of, _expected(units, demand, of, item))
    else:
        known = _known(market, demanded, [(d, name) for d, name, _ in named], found)
        rest = _less(units, known, of)
        expected = np.maximum(_expected(units, demand, of, item) - known.asked, 0.0)
        own = _added(_split(rest, of, expected), known)
    why_short = why(demanded, units)
    # By product, then bucket, then market.
    row = np.argsort((of[:, None] * buckets + np.arange(buckets)).ravel(), kind="stable")
    bucket, name = row % buckets, pa.array(row // buckets)
    cell = of[row // buckets], bucket
    flat = own.map(lambda amount: amount.ravel()[row])
    products = pa.array([product_of(market, market.products.names[demanded[d]]) for d in of], pa.string())
    return pa.table(
        {
            "product": products.take(name),
            "market": pa.array([name for _, name, _ in named], pa.string()).take(name),
            "bucket": dates(days_of[bucket]),
            "demand_units": flat.asked,
            "on_time_units": flat.on_time,
            "late_units": flat.late,
            "lost_units": flat.lost,
            "refused_units": flat.refused,
            "served_units": flat.served,
            "waiting_units": flat.waiting,
            "was_due_units": flat.late * why_short.was_due[cell],
            **cause_columns(market, demanded, why_short, cell, flat.late, flat.lost),
        },
        schema=GAPS_SCHEMA,
    )


def _named(market: Market, demanded: IntArray, demand: Forecast, found: Delivered | None) -> list[tuple[int, str, int]]:
    """Class of demand, market and item of each row of gaps, in that order; the item is -1 where nobody forecasts it."""
    at = {market.products.names[p]: d for d, p in enumerate(demanded)}
    asked_at = [market.places.label_of(item) for item in demand.items]
    named = [(at[p], demand.items[i].market, i) for i, p in enumerate(asked_at) if p in at]
    if found is not None:  # what is owed can be of an item that nobody forecasts
        known = {(d, name) for d, name, _ in named}
        extra = {(at[p], i.market) for i in found.asks.items if (p := market.places.label_of(i)) in at} - known
        named += [(d, name, -1) for d, name in extra]
    named += [(d, "all", -1) for d in set(range(len(demanded))) - {d for d, *_ in named}]
    return sorted(named)


def _expected(units: Units, demand: Forecast, of: IntArray, item: IntArray) -> FloatArray:
    """(named, bucket) units that each market is expected to ask for. of, item: (named) product and forecast, -1: none,
    which may ask for all."""
    means = units.asked[of]
    known = np.flatnonzero(item >= 0)
    for i in range(0, len(known), ITEMS_AT_ONCE):
        some = known[i : i + ITEMS_AT_ONCE]
        means[some] = demand.paths[item[some]].mean(axis=1)
    return means


def _split(units: Units, of: IntArray, means: FloatArray) -> Units:
    """(named, bucket) the units of each product by its markets: what is due in a bucket by what each asks for there,
    what happens in it by what each has asked for so far. of: (named) product; means: (named, bucket) units asked."""
    count = len(units.asked)
    first = np.searchsorted(of, np.arange(count + 1))
    markets = first[1:] - first[:-1]

    def share_of(own: FloatArray, otherwise: FloatArray | float) -> FloatArray:
        total = np.add.reduceat(own, first[:-1], axis=0)[of] if count else own
        return np.where(total > 0, own / np.where(total > 0, total, 1.0), otherwise)

    so_far = share_of(np.cumsum(means, axis=1), 1.0 / markets[of, None])
    due = share_of(means, so_far)
    happened = ("served", "waiting")
    return Units(*(getattr(units, f.name)[of] * (so_far if f.name in happened else due) for f in fields(units)))


def _known(market: Market, demanded: IntArray, named: Sequence[tuple[int, str]], found: Delivered) -> Units:
    """(named, bucket) units of the requests that are known one by one."""
    asks, buckets, count = found.asks, market.buckets, len(named)
    at = {market.products.names[p]: d for d, p in enumerate(demanded)}
    place = {key: i for i, key in enumerate(named)}
    of_item = np.array(
        [place.get((at.get(market.places.label_of(i), -1), i.market), -1) for i in asks.items], dtype=np.int64
    )
    known = np.flatnonzero(found.demanded >= 0)
    row = of_item[asks.item[known]]

    def by_due(amount: FloatArray) -> FloatArray:
        total = np.zeros((count, buckets))
        np.add.at(total, (row, asks.bucket[known]), amount[known])
        return total

    served = np.zeros((count, buckets))
    np.add.at(served, row, found.by_bucket[known])
    asked, refused = by_due(asks.units), by_due(found.refused)
    waiting = np.cumsum(asked - refused - served, axis=1)
    lost = refused + by_due(found.never)
    return Units(asked, by_due(found.on_time), by_due(found.late), lost, refused, served, waiting)


def _less(units: Units, known: Units, of: IntArray) -> Units:
    """(product asked for, bucket) units without those of known requests. of: (named) product of `known`."""

    def left(name: str) -> FloatArray:
        total: FloatArray = getattr(units, name)
        rest = total.copy()
        np.subtract.at(rest, of, getattr(known, name))
        return np.where(rest > ROUNDING * np.maximum(total, 1.0), rest, 0.0)

    return Units(*(left(f.name) for f in fields(units)))


def _added(left: Units, right: Units) -> Units:
    return Units(*(getattr(left, f.name) + getattr(right, f.name) for f in fields(left)))
