"""The books of a plan: units, hours and money in which a reader can add up every figure that is shown.

flow    opening + made + received + moved_in
        - used - moved_out - taken - delivered - wasted = closing                                product, site, bucket
        co_product: the part of made that came besides other products
hours   run + set-up + orders under way + free = available                                       line, bucket
money   quantity x rate = money; the rows of a term add up to its cost
money_by_bucket: the part of these terms that a plan pays bucket by bucket
ways, parts, unit_costs: the facts that these were worked out with
"""

import math
from collections.abc import Sequence
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.balance.arrays import Market
from datong.balance.bound import shifted
from datong.balance.evaluate import Outcome, service
from datong.balance.long_lot_spans import hours_worked
from datong.balance.rules.stock_held import StockHeld
from datong.balance.scarcity import NOTHING, product_of, shared_name
from datong.balance.solution import Solution
from datong.model.flow import FloatArray, IntArray
from datong.network.horizon import day_numbers
from datong.network.ways import Way

FLOW_SCHEMA = pa.schema(
    [
        ("product", pa.string()),
        ("site", pa.string()),
        ("bucket", pa.date32()),
        *(
            (f"{name}_units", pa.float64())
            for name in (
                *("opening", "made", "received", "moved_in"),
                *("used", "moved_out", "taken", "delivered", "wasted", "closing", "co_product"),
            )
        ),
    ]
)  # fmt: skip
HOURS_SCHEMA = pa.schema(
    [
        ("line", pa.string()),
        ("bucket", pa.date32()),
        *((f"{name}_hours", pa.float64()) for name in ("run", "setup", "under_way", "free", "available", "overtime")),
    ]
)
MONEY_SCHEMA = pa.schema(
    [
        ("term", pa.string()),
        ("product", pa.string()),
        ("name", pa.string()),
        ("quantity", pa.float64()),
        ("unit", pa.string()),
        ("rate", pa.float64()),
        ("money", pa.float64()),
    ]
)
MONEY_BY_BUCKET_SCHEMA = pa.schema(
    [("term", pa.string()), ("product", pa.string()), ("bucket", pa.date32()), ("money", pa.float64())]
)
FUTURES_SCHEMA = pa.schema(
    [
        ("product", pa.string()),
        ("site", pa.string()),
        ("weight", pa.float64()),
        ("future", pa.int32()),
        ("bucket", pa.date32()),
        ("cumulative_units", pa.float64()),
    ]
)
WAYS_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("way", "kind", "product", "line", "from_site", "site")),
        ("hours_per_unit", pa.float64()),
        ("setup_hours", pa.float64()),
        ("cost_per_unit", pa.float64()),
        ("setup_cost", pa.float64()),
        ("yield_share", pa.float64()),
        ("lead_days", pa.int64()),
        ("lead_buckets", pa.int64()),
        ("span_buckets", pa.int64()),
        ("min_units", pa.float64()),
        ("multiple_units", pa.float64()),
        ("valid_from", pa.date32()),
        ("valid_to", pa.date32()),
        ("from_units", pa.float64()),
        ("max_units", pa.float64()),
    ]
)
PARTS_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("way", "product", "site", "component")),
        ("units_per_unit", pa.float64()),
        ("valid_from", pa.date32()),
        ("valid_to", pa.date32()),
    ]
)
UNIT_COSTS_SCHEMA = pa.schema(
    [
        ("product", pa.string()),
        ("site", pa.string()),
        ("weight", pa.float64()),
        *((f"{name}_per_unit", pa.float64()) for name in ("holding", "late", "lost", "never_served", "salvage")),
    ]
)
# More rows of futures than this are not kept: the same run gives them again.
MOST_FUTURES = 1_000_000


def futures(market: Market) -> pa.Table:
    """Cumulative demand of every class on every sample path, as planning sees it (`with_recourse`), of demand that is
    uncertain; nothing where that is more than MOST_FUTURES rows. What is expected of a plan is the mean over these."""
    uncertain = [d for d, paths in enumerate(market.demand.cumulative) if len(paths) > 1]
    if sum(market.demand.cumulative[d].size for d in uncertain) > MOST_FUTURES or not uncertain:
        return FUTURES_SCHEMA.empty_table()
    products, sites = _places(market)
    parts = []
    for d in uncertain:
        paths = market.demand.cumulative[d]
        future, t = np.indices(paths.shape).reshape(2, -1)
        product = pa.array(np.full(paths.size, market.demand.product[d]))
        parts.append(
            pa.table(
                [
                    products.take(product),
                    sites.take(product),
                    pa.array(np.full(paths.size, market.rules.priorities.weight[d])),
                    pa.array(future.astype(np.int32)),
                    _days(market, t),
                    pa.array(paths.ravel()),
                ],
                schema=FUTURES_SCHEMA,
            )
        )
    return pa.concat_tables(parts)


def flow(market: Market, solution: Solution, outcome: Outcome, lots: FloatArray | None) -> pa.Table:
    """Units of every product, at every stock point, in every bucket in which there are any. Stock below nothing counts
    as nothing; `received` is what is bought and what orders out bring, `taken` what those use or send; `made`, `used`
    and `moved_out` are of new orders. What is picked of alternatives is used; the choice itself is no thing that
    flows."""
    kind = np.array([w.told_kind for w in market.ways.facts], dtype=np.str_)
    arrives, starts = _arrivals(market, solution.started), solution.started
    made, bought, moved_in = (
        _by_product(market, np.where((kind == k)[:, None], arrives, 0.0)) for k in ("make", "buy", "move")
    )
    besides = market.rules.co_products.arrived(market, starts)
    made += besides
    served_in = _by_product(market, np.where((kind == "serve")[:, None], arrives, 0.0))
    picks = np.array([w.picks is not None for w in market.ways.facts], dtype=bool)
    moves = np.isin(kind, ("move", "serve")) & ~picks
    moved_out, used = (_uses(market, np.where(of[:, None], starts, 0.0)) for of in (moves, ~moves))
    if lots is not None:
        market.rules.per_lot.take_off(used, -lots)
    opening_stock = np.maximum(market.stock.opening, 0.0)
    anyway = market.stock.fixed.copy()
    anyway[:, 0] -= opening_stock
    taken = market.stock.taken
    received = bought + anyway + taken
    delivered = np.zeros(market.stock.fixed.shape)
    np.add.at(delivered, market.demand.product, np.diff(outcome.served_by, axis=1, prepend=0.0))
    rules = market.rules
    if solution.substituted.size:  # a substitute leaves its own stock, and is no unit of what it stands in for
        np.add.at(delivered, rules.substitutes.product, solution.substituted)
        np.add.at(delivered, market.demand.product[rules.substitutes.demand], -solution.substituted)
    wasted = solution.wasted if solution.wasted.size else np.zeros(market.stock.fixed.shape)
    opening = np.concatenate([opening_stock[:, None], outcome.stock[:, :-1]], axis=1)
    columns = [opening, made, received, moved_in + served_in, used, moved_out, taken, delivered, wasted, outcome.stock]
    columns.append(besides)
    flows = np.max([np.abs(c) for c in columns], axis=0) > NOTHING
    flows[market.ways.product[picks]] = False
    product, t = np.nonzero(flows)
    products, sites = _places(market)
    told = [np.where(np.abs(column) > NOTHING, column, 0.0) for column in columns]  # sums leave parts of rounding
    return pa.table(
        [products.take(pa.array(product)), sites.take(pa.array(product)), _days(market, t)]
        + [pa.array(column[product, t]) for column in told],
        schema=FLOW_SCHEMA,
    )


def hours(market: Market, solution: Solution, outcome: Outcome, lots: FloatArray | None) -> pa.Table:
    """Hours of every line in every bucket; overtime_hours: those of all that are worked which are overtime."""
    is_line = np.array([label not in market.places.shared for label in market.lines.names], dtype=bool)
    setup = np.zeros(market.lines.hours.shape)
    if lots is not None:
        setup = hours_worked(market, np.zeros(lots.shape), lots)
    available = market.most_hours + market.lines.hours_taken
    run = outcome.hours_used - market.lines.hours_taken - setup
    line, t = np.nonzero(np.broadcast_to(is_line[:, None], available.shape))
    names = pa.array([shared_name(market, label)[1] for label in market.lines.names], pa.string())
    overtime = np.maximum(outcome.hours_used - market.lines.hours_taken - market.lines.hours, 0.0)
    columns = [run, setup, market.lines.hours_taken, available - outcome.hours_used, available, overtime]
    return pa.table(
        [names.take(pa.array(line)), _days(market, t)] + [pa.array(column[line, t]) for column in columns],
        schema=HOURS_SCHEMA,
    )


def money(market: Market, solution: Solution, outcome: Outcome, lots: FloatArray | None) -> pa.Table:
    """What each term of the cost is made of. Rules whose cost is not of one product have one row each."""
    rows: list[pa.Table] = []
    started = solution.started.sum(axis=1)
    kind = np.array([w.kind for w in market.ways.facts], dtype=np.str_)
    way_product = market.ways.product
    way_names = [w.row or w.name for w in market.ways.facts]
    for term, k in (("production", "make"), ("purchase", "buy"), ("transport", "move")):
        of = np.flatnonzero((kind == k) & (started > NOTHING) & (market.ways.cost != 0))
        rows.append(_rows(market, term, way_product[of], way_names, of, started[of], "unit", market.ways.cost[of]))
    if lots is not None:
        for term, ways in market.ways.with_fixed_cost.items():
            of = ways[lots[ways].any(axis=1)]
            count, cost = lots[of].sum(axis=1), (market.ways.setup_cost - market.ways.paid_more)[of]
            rows.append(_rows(market, term, way_product[of], way_names, of, count, "order", cost))
        of = np.flatnonzero((market.ways.paid_more > 0) & lots.any(axis=1))
        count, cost = lots[of].sum(axis=1), market.ways.paid_more[of]
        rows.append(_rows(market, "purchase", way_product[of], way_names, of, count, "order", cost))
    every, labels = np.arange(len(market.products)), list(market.products.names)
    held, left = outcome.stock.sum(axis=1), outcome.stock[:, -1]
    rows.append(_some(market, "holding", every, labels, held, "unit_bucket", market.money.holding))
    demanded, names = market.demand.product, [labels[p] for p in market.demand.product]
    never = service(market, outcome).never.sum(axis=1)
    rows.append(_some(market, "late", demanded, names, outcome.waiting.sum(axis=1), "unit_bucket", market.late_cost))
    rows.append(_some(market, "lost", demanded, names, outcome.turned_away.sum(axis=1), "unit", market.lost_cost))
    rows.append(_some(market, "lost", demanded, names, never, "unit", market.end_cost))
    rows.append(_some(market, "salvage", every, labels, left, "unit", -market.money.salvage))
    rows += _stock_money(market, outcome)
    rows.append(_overtime_money(market, outcome))
    told = {"production", "purchase", "transport", "setup", "ordering", "holding", "late", "lost", "salvage"}
    told |= {"safety_stock", "largest_stock", "overtime"}
    others = [(term, cost) for term, cost in outcome.cost.items() if term not in told and abs(cost) > NOTHING]
    whole = [{"term": t, "quantity": 1.0, "unit": "in_all", "rate": c, "money": c} for t, c in others]
    return pa.concat_tables([*rows, pa.Table.from_pylist(whole, schema=MONEY_SCHEMA)])


def _stock_money(market: Market, outcome: Outcome) -> list[pa.Table]:
    """Units below a smallest stock and above a largest one, over the buckets in which one costs the same."""
    small, large = market.rules.safety_stock, market.rules.largest_stock
    terms: tuple[tuple[str, StockHeld, FloatArray, FloatArray], ...] = (
        ("safety_stock", small.stock, small.missing(outcome.stock), small.cost),
        ("largest_stock", large.stock, large.beyond(outcome.stock), large.cost),
    )
    rows = []
    for term, held, units, cost in terms:
        target, quantity, rate = _by_rate(units, cost)
        first = np.array([held.product[held.target == k][0] for k in range(len(cost))], dtype=np.int64)
        of, labels = np.arange(len(target)), [market.products.names[p] for p in first[target]]
        rows.append(_rows(market, term, first[target], labels, of, quantity, "unit_bucket", rate))
    return rows


def _overtime_money(market: Market, outcome: Outcome) -> pa.Table:
    """Hours of overtime of each line, over the buckets in which one costs the same."""
    over = np.maximum(outcome.hours_used - market.lines.hours_taken - market.lines.hours, 0.0)
    line, hours, rate = _by_rate(over, np.broadcast_to(market.rules.overtime.cost, over.shape))
    names = pa.array([shared_name(market, market.lines.names[k])[1] for k in line.tolist()], pa.string())
    columns = [pa.repeat("overtime", len(line)), pa.nulls(len(line), pa.string()), names, pa.array(hours)]
    columns += [pa.repeat("hour", len(line)), pa.array(rate), pa.array(hours * rate)]
    return pa.table(columns, schema=MONEY_SCHEMA)


def _by_rate(amount: FloatArray, rate: FloatArray) -> tuple[IntArray, FloatArray, FloatArray]:
    """Of (row, bucket) amounts and what one costs: each row once for every rate at which there is any, the amounts of
    that rate added up, and the rate."""
    row, t = np.nonzero((amount > NOTHING) & (rate != 0))
    found = np.column_stack([row.astype(np.float64), rate[row, t]])
    pairs, at = np.unique(found, axis=0, return_inverse=True)
    units = np.zeros(len(pairs))
    np.add.at(units, at.ravel(), amount[row, t])
    return pairs[:, 0].astype(np.int64), units, pairs[:, 1]


def money_by_bucket(market: Market, outcome: Outcome) -> pa.Table:
    """Holding, lateness, lost demand and overtime by product and bucket; the rows of a term add up to its cost.

    Stock and what waits cost at the bucket's end. A unit that is not served costs in the bucket in which it was due,
    which is null where that is before the first one. Overtime has no product.
    """
    products, _ = _places(market)
    shape = market.stock.fixed.shape
    late, lost, overdue = np.zeros(shape), np.zeros(shape), np.zeros((shape[0], 1))
    due, due_before = _lost_money(market, outcome)
    for total, amount in ((late, outcome.waiting * market.late_cost[:, None]), (lost, due), (overdue, due_before)):
        np.add.at(total, market.demand.product, amount)
    worked = outcome.hours_used - market.lines.hours_taken
    overtime = np.maximum(worked - market.lines.hours, 0.0) * market.rules.overtime.cost
    holding = outcome.stock * market.money.holding[:, None]
    rows = [
        _bucket_rows(market, term, products, amount)
        for term, amount in (("holding", holding), ("late", late), ("lost", lost))
    ]
    rows.append(_bucket_rows(market, "overtime", pa.nulls(1, pa.string()), overtime.sum(axis=0, keepdims=True)))
    before = _bucket_rows(market, "lost", products, overdue)
    rows.append(before.set_column(2, "bucket", pa.nulls(before.num_rows, pa.date32())))
    return pa.concat_tables(rows)


def _bucket_rows(market: Market, term: str, products: pa.Array, amount: FloatArray) -> pa.Table:
    """Rows of what there is of a term; amount: (product, bucket) money."""
    product, t = np.nonzero(np.abs(amount) > NOTHING)
    columns = [pa.repeat(term, len(product)), products.take(pa.array(product)), _days(market, t)]
    return pa.table([*columns, pa.array(amount[product, t])], schema=MONEY_BY_BUCKET_SCHEMA)


def _lost_money(market: Market, outcome: Outcome) -> tuple[FloatArray, FloatArray]:
    """Money of what is not served, by the bucket in which it was due (demanded, bucket), and of what was due before the
    first one (demanded, 1). The oldest is served first, and of one bucket the last is refused first."""
    away, never = outcome.turned_away, service(market, outcome).never
    asked = np.array([paths[:, 0].mean() for paths in market.demand.cumulative]) if len(market.demand) else np.zeros(0)
    own = np.maximum(asked - market.demand.owed, 0.0)  # due in the first bucket itself
    away_before = np.maximum(away[:, 0] - own, 0.0)
    never_before = np.maximum(away[:, 0] + never[:, 0] - own, 0.0) - away_before
    away_before, never_before = (np.where(u > NOTHING, u, 0.0) for u in (away_before, never_before))
    before = away_before * market.lost_cost + never_before * market.end_cost
    due = away * market.lost_cost[:, None] + never * market.end_cost[:, None]
    due[:, 0] -= before
    return due, before[:, None]


def ways(market: Market) -> pa.Table:
    """Every way to have units, by the key of its recipe, offer or lane and the days on which it holds: of one with
    working days, those of the buckets from which it takes so long.

    Hours, cost and set-up are for a unit and an order started; cost_per_unit of a lane holds what keeping the unit on
    the way costs. lead_buckets: from the bucket of the start to that in which the good units (yield_share of those
    started) are counted. span_buckets: over so many that are open the hours are spread.
    """
    holds = [
        (w, *days)
        for w, way in enumerate(market.ways.facts)
        if way.is_order
        for days in _days_it_holds(way, market.bucket_starts)
    ]
    told = np.array([w for w, _, _ in holds], dtype=np.int64)
    of = [market.ways.facts[w] for w in told]
    products, _ = _places(market)
    # Of a routing step, what its orders are of.
    becomes = pa.array([None if w.place is None else w.place[2] for w in of], pa.string())
    own_line = [None if line in market.places.shared else line for line in market.lines.names]
    line = [own_line[i] if i >= 0 else None for i in market.ways.line[told].tolist()]
    columns = {
        "way": [w.recipe or w.offer or w.lane for w in of],
        "kind": [w.kind for w in of],
        "product": pc.coalesce(becomes, products.take(pa.array(market.ways.product[told]))),
        "line": line,
        "from_site": [w.from_site if w.kind == "move" else None for w in of],
        "site": [(w.site or None) if market.places.stock_points else None for w in of],
        "cost_per_unit": market.ways.cost[told],
        "hours_per_unit": [h if on else 0.0 for h, on in zip(market.ways.hours[told].tolist(), line, strict=True)],
        "yield_share": market.ways.yield_share[told],
        "lead_buckets": market.ways.lead[told],
        "span_buckets": market.ways.span[told],
    }
    rest = ("setup_hours", "setup_cost", "lead_days", "min_units", "multiple_units", "from_units")
    columns |= {name: [getattr(w, name) for w in of] for name in rest}
    whole = market.products.whole[market.ways.product[told]].tolist()
    largest = [w.sizes(own).largest for w, own in zip(of, whole, strict=True)]
    columns["max_units"] = [units if math.isfinite(units) else None for units in largest]
    columns |= {"valid_from": [first for _, first, _ in holds], "valid_to": [after for _, _, after in holds]}
    return pa.table({name: columns[name] for name in WAYS_SCHEMA.names}, schema=WAYS_SCHEMA)


def _days_it_holds(way: Way, starts: Sequence[date]) -> list[tuple[date | None, date | None]]:
    """The days, from and to before, on which a way holds; of those of one row that differ by the length of its lead
    time, the ones of the open buckets on which it is not closed. Days before and after all buckets go with these."""
    holds = way.valid_from, way.valid_to
    if way.course is None:
        return [holds]
    spans, first = [], way.valid_from
    for closed, after in sorted(way.closed):
        if closed > starts[0]:
            spans.append((first, closed if way.valid_to is None else min(closed, way.valid_to)))
        first = max(after, first or after)
    if first is None or first <= starts[-1]:
        spans.append((first, way.valid_to))
    return [(f, a) for f, a in spans if f is None or a is None or f < a] or [holds]


def parts(market: Market) -> pa.Table:
    """What goes into a unit started, scrap included: a row for each component of each recipe and offer, with the days
    on which both hold."""
    rows = [(way, use) for way in market.ways.facts if way.kind != "move" for use in way.uses]
    columns = {
        "way": [way.recipe or way.offer for way, _ in rows],
        "product": [product_of(market, way.product) for way, _ in rows],
        "site": [(way.site or None) if market.places.stock_points else None for way, _ in rows],
        "component": [product_of(market, use.component) for _, use in rows],
        "units_per_unit": [use.units_per_unit for _, use in rows],
        "valid_from": [max(_days_of(way.valid_from, use.valid_from), default=None) for way, use in rows],
        "valid_to": [min(_days_of(way.valid_to, use.valid_to), default=None) for way, use in rows],
    }
    return pa.table(columns, schema=PARTS_SCHEMA)


def _days_of(*days: date | None) -> list[date]:
    return [day for day in days if day is not None]


def unit_costs(market: Market) -> pa.Table:
    """What a unit costs that is kept or comes late for a bucket, is refused, is never served, or earns that is left.
    Of a product that is asked for a row for each weight (priority, firmness) of its demand; of others one, without.
    Classes of one weight that wait for other times at most cost alike."""
    asked = np.zeros(len(market.products), dtype=bool)
    asked[market.demand.product] = True
    others = np.flatnonzero(~asked)
    pairs = np.column_stack([market.demand.product, market.rules.priorities.weight])
    own = np.sort(np.unique(pairs, axis=0, return_index=True)[1]) if len(pairs) else np.zeros(0, dtype=np.int64)
    product = np.concatenate([market.demand.product[own], others])
    known = np.arange(len(product)) >= len(own)
    every = [market.rules.priorities.weight, market.late_cost, market.lost_cost, market.end_cost]
    of_demand = [values[own] for values in every]
    weight, late, lost, never = (
        pa.array(np.concatenate([values, np.zeros(len(others))]), mask=known) for values in of_demand
    )
    products, sites = _places(market)
    at = pa.array(product)
    holding, salvage = pa.array(market.money.holding[product]), pa.array(market.money.salvage[product])
    columns = [products.take(at), sites.take(at), weight, holding, late, lost, never, salvage]
    return pa.table(columns, schema=UNIT_COSTS_SCHEMA).sort_by(
        [("product", "ascending"), ("site", "ascending"), ("weight", "ascending")]
    )


def _some(
    market: Market, term: str, product: IntArray, names: list[str], quantity: FloatArray, unit: str, rate: FloatArray
) -> pa.Table:
    """Rows of those that have a quantity and a rate."""
    of = np.flatnonzero((np.abs(quantity) > NOTHING) & (rate != 0))
    return _rows(market, term, product[of], names, of, quantity[of], unit, rate[of])


def _rows(
    market: Market,
    term: str,
    product: IntArray,
    names: list[str],
    of: IntArray,
    quantity: FloatArray,
    unit: str,
    rate: FloatArray,
) -> pa.Table:
    products, _ = _places(market)
    return pa.table(
        [
            pa.repeat(term, len(of)),
            products.take(pa.array(product)),
            pa.array([names[i] for i in of], pa.string()),
            pa.array(quantity),
            pa.repeat(unit, len(of)),
            pa.array(rate),
            pa.array(quantity * rate),
        ],
        schema=MONEY_SCHEMA,
    )


def _places(market: Market) -> tuple[pa.Array, pa.Array]:
    """(product) its code, and the site of a stock point."""
    points = [market.places.stock_points.get(label) for label in market.products.names]
    sites = [None if point is None else point.site or None for point in points]
    return pa.array([product_of(market, p) for p in market.products.names], pa.string()), pa.array(sites, pa.string())


def _days(market: Market, bucket: IntArray) -> pa.Array:
    return pa.array(day_numbers(market.bucket_starts)[bucket].astype(np.int32)).cast(pa.date32())


def _arrivals(market: Market, started: FloatArray) -> FloatArray:
    """(way, bucket) good units that arrive."""
    return shifted(market.ways.yield_share[:, None] * started, market.ways.lead, 0.0)


def _by_product(market: Market, units: FloatArray) -> FloatArray:
    total = np.zeros(market.stock.fixed.shape)
    np.add.at(total, market.ways.product, units)
    return total


def _uses(market: Market, started: FloatArray) -> FloatArray:
    """(product, bucket) units that go into what is started."""
    total = np.zeros(market.stock.fixed.shape)
    np.add.at(total, market.uses.component, market.uses.is_open * market.uses.units[:, None] * started[market.uses.way])
    return total
