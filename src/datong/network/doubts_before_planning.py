"""What a planner should know before planning: where a chain's rows are sound one by one, and the plan will still not be
what they seem to ask for. Each rule is a function from a state to findings; none of them changes the plan."""

import math
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.daily_sales import sold_pairs
from datong.ledger.products_held_back import Held, held_back, held_findings, named, refused_rows
from datong.ledger.state import State
from datong.model.findings import Finding, finding
from datong.model.flow import Item, nothing_learnt
from datong.model.words import amount, message
from datong.network.bills import phantoms
from datong.network.facts import chain_facts
from datong.network.forecast_netting import forecast_products
from datong.network.horizon import rows_of, valid_on
from datong.network.line_hours import HOURS_OF_DAY, WORKING_DAYS, lines_with_calendar
from datong.network.price_breaks import rising
from datong.network.rows_in_plan import rows_in_plan
from datong.network.stock_on_hand import last_counts
from datong.network.ways import Way
from datong.network.whole_units import come_in_fractions

# Products that a finding on single products is given for; the others are counted.
PRODUCTS_TOLD = 20
# Costs and losses that differ by less than this share are equal.
EQUAL_SHARE = 1e-9
# Share of a day's hours from which on it is told that lots leave them.
LEFT_TOLD = 0.1


def review(state: State) -> tuple[Finding, ...]:
    """Everything that there is to say, what stops products first."""
    starts = state.settings.calendar.starts(state.first_open_bucket, state.settings.horizon_buckets)
    held = held_back(state, starts)
    return (
        *held_findings(state, held),
        *never_made(state, starts, held),
        *lost_below_price(state, starts),
        *demand_ends_early(state, starts),
        *demand_beyond(state, starts),
        *assumed_supply(state, starts, held),
        *stock_at_no_site(state),
        *markets_at_no_site(state, starts),
        *changes_nothing(state, held),
        *kept_in_buckets(state),
        *no_breaks(state),
        *largest_below_smallest(state),
        *monday_to_friday(state, starts),
        *over_night(state, starts),
    )


def never_made(state: State, starts: Sequence[date], held: Held) -> list[Finding]:
    """Products of which a unit refused costs less than the cheapest unit made or bought, components included.

        loss = lost sale x the heaviest weight of its demand [+ lateness over the horizon, where demand is forecast]
        loss < cost of a good unit by its cheapest way, in its cheapest bucket

    Set-ups, hours and holding come on top of the cost, so that no demand of the product is worth making.
    """
    items = asked_items(state, starts)
    facts = chain_facts(state, starts, nothing_learnt(), items)
    cost = dict(zip(facts.products, facts.arrays.least_costs(starts).tolist(), strict=True))
    given, weight = _given_products(state, starts), _heaviest_weight(state, starts)
    told = []
    for label in sorted({facts.label_of(item) for item in items}):
        product = facts.product_of(label)
        if product in held or label not in cost or not np.isfinite(cost[label]):
            continue
        economics = facts.economics[label]
        loss = economics.lost_sale * weight.get(product, 1.0)
        most = loss if product in given else loss + economics.late_per_bucket * len(starts)
        if most < cost[label] * (1 - EQUAL_SHARE):
            told.append((product, cost[label], loss))
    found = []
    for product, full_cost, loss in told[:PRODUCTS_TOLD]:
        figures: dict[str, Any] = {
            "cost": f"{full_cost:,.2f}",
            "loss": f"{loss:,.2f}",
            "currency": state.settings.currency,
        }
        found.append(finding("warning", "review.never_made", "economics", product=product, **figures))
    rest = [product for product, *_ in told[PRODUCTS_TOLD:]]
    if rest:
        found.append(finding("warning", "review.never_made_more", "economics", count=len(rest), products=named(rest)))
    return found


def lost_below_price(state: State, starts: Sequence[date]) -> list[Finding]:
    """Products that are asked for and whose stated cost of a lost sale is below their price: where a unit costs more
    than that, by overtime or a dearer way, its sale is refused, though its price would pay for it."""
    prices = {p: price for p, price in rows_of(state.table("products"), ("product", "price")) if price is not None}
    stated: dict[str, float] = {}
    for product, lost in rows_of(state.versions("economics"), ("product", "lost_sale_cost_per_unit")):
        if lost is not None:
            stated[product] = min(lost, stated.get(product, lost))
    asked = {item.product for item in asked_items(state, starts)}
    low = [p for p in sorted(asked & stated.keys() & prices.keys()) if stated[p] < prices[p] * (1 - EQUAL_SHARE)]
    if not low:
        return []
    first = low[0]
    figures: dict[str, Any] = {
        "count": len(low),
        "products": named(low),
        "product": first,
        "lost": f"{stated[first]:,.2f}",
        "price": f"{prices[first]:,.2f}",
        "currency": state.settings.currency,
    }
    column = "lost_sale_cost_per_unit"
    return [finding("note", "review.lost_below_price", "economics", column=column, rows_affected=len(low), **figures)]


def assumed_supply(state: State, starts: Sequence[date], held: Held) -> list[Finding]:
    """Products that are wanted and that nobody makes or sells, in a chain that says of others who does: they are taken
    to be bought. A chain that says it of none buys everything, which is no surprise."""
    sources = {p for name in ("recipes", "offers", "recipe_outputs") for p in state.table(name)["product"].to_pylist()}
    asked = {item.product for item in asked_items(state, starts)} - phantoms(state)
    unsaid = sorted(product for product in asked - sources if product not in held) if sources else []
    if not unsaid:
        return []
    defaults = state.settings.defaults
    figures: dict[str, Any] = {
        "count": len(unsaid),
        "products": named(unsaid),
        "share": f"{100 * defaults.cost_share:g}",
        "days": f"{defaults.offer_lead_days:g}",
    }
    return [finding("warning", "review.assumed_supply", "offers", rows_affected=len(unsaid), **figures)]


def stock_at_no_site(state: State) -> list[Finding]:
    """Counts that name no site, in a chain whose goods lie at sites: no lane takes them anywhere."""
    if not state.table("lanes").num_rows:
        return []
    counts = last_counts(state)
    nowhere = counts.filter(pc.and_(pc.equal(counts["site"], ""), pc.greater(counts["units"], 0.0)))
    if not nowhere.num_rows:
        return []
    figures: dict[str, Any] = {"count": nowhere.num_rows, "products": named(sorted(nowhere["product"].to_pylist()))}
    return [finding("warning", "review.no_site", "stock", column="site", rows_affected=nowhere.num_rows, **figures)]


def markets_at_no_site(state: State, starts: Sequence[date]) -> list[Finding]:
    """Markets of a chain whose lanes end at several sites, where none is called like a site: each of the ends serves
    each of them, at no cost."""
    lanes, sites = state.table("lanes"), set(state.table("sites")["site"].to_pylist())
    ends = sorted(set(lanes["to_site"].to_pylist()) - set(lanes["from_site"].to_pylist()))
    markets = sorted({item.market for item in asked_items(state, starts)})
    if len(ends) < 2 or not markets or sites & set(markets):
        return []
    figures: dict[str, Any] = {"count": len(markets), "markets": named(markets), "sites": named(ends)}
    return [finding("warning", "review.no_site_market", "demand", column="market", **figures)]


def asked_items(state: State, starts: Sequence[date]) -> list[Item]:
    """Products and markets with sales, or with demand in these buckets, in order."""
    due = _due_in(state, starts).group_by(["product", "market"], use_threads=False).aggregate([])
    return sorted({Item(*pair) for pair in sold_pairs(state)} | set(map(Item, *due.to_pydict().values())))


def _due_in(state: State, starts: Sequence[date]) -> pa.Table:
    demand = rows_in_plan(state)
    end = state.settings.calendar.shift(starts[-1], 1)
    inside = pc.and_(pc.greater_equal(demand["due"], pa.scalar(starts[0])), pc.less(demand["due"], pa.scalar(end)))
    return demand.filter(pc.and_(inside, pc.greater(demand["units"], 0.0)))


def _asked_after(state: State, starts: Sequence[date]) -> set[str]:
    """Products of which something is wanted after the horizon."""
    demand, end = rows_in_plan(state), state.settings.calendar.shift(starts[-1], 1)
    after = pc.and_(pc.greater_equal(demand["due"], pa.scalar(end)), pc.greater(demand["units"], 0.0))
    return set(demand.filter(after)["product"].to_pylist())


def _given_products(state: State, starts: Sequence[date]) -> set[str]:
    """Products of which all demand is given."""
    return set(_due_in(state, starts)["product"].to_pylist()) - _sold(state)


def _sold(state: State) -> set[str]:
    """Products of which there is a sale."""
    return {product for product, _ in sold_pairs(state)}


def _heaviest_weight(state: State, starts: Sequence[date]) -> dict[str, float]:
    """The most that a row of `demand` weighs, by product; see `demand_classes` in rule_facts.py. What was expected
    before the first bucket is no demand any more."""
    rows = rows_in_plan(state)
    rows = rows.filter(pc.or_(rows["firm"], pc.greater_equal(rows["due"], pa.scalar(starts[0]))))
    kinds = rows.group_by("product", use_threads=False).aggregate(
        [("priority", "max"), ("firm", "max"), ("firm", "min")]
    )
    sold = _sold(state)
    shares = state.settings.defaults
    result = {}
    for row in kinds.to_pylist():
        is_forecast = row["product"] in sold or not row["firm_min"]
        firm_factor = shares.firm_factor if row["firm_max"] and is_forecast else 1.0
        result[row["product"]] = shares.priority_factor ** max(row["priority_max"], 0) * firm_factor
    return result


def demand_ends_early(state: State, starts: Sequence[date]) -> list[Finding]:
    """Given demand that stops before the horizon does: the last weeks look free. What is forecast beside it goes on,
    and so does what has rows after the horizon."""
    due, forecast = _due_in(state, starts), forecast_products(state)
    goes_on = pa.array(sorted(forecast | _asked_after(state, starts)), pa.string())
    due = due.filter(pc.invert(pc.is_in(due["product"], value_set=goes_on)))
    if not due.num_rows:
        return []
    calendar = state.settings.calendar
    last = due.group_by("product", use_threads=False).aggregate([("due", "max")]).sort_by("product")
    short = [
        (product, day)
        for product, day in zip(last["product"].to_pylist(), last["due_max"].to_pylist(), strict=True)
        if calendar.bucket_start(day) < starts[-1]
    ]
    if not short:
        return []
    names = named(f"{product} {day}" for product, day in short)
    ends = max(last["due_max"].to_pylist())
    whole = calendar.bucket_start(ends) < starts[-1] and not len(goes_on)
    figures: dict[str, Any] = {
        "count": len(short),
        "all": last.num_rows,
        "products": names,
        "end": calendar.shift(starts[-1], 1) - timedelta(days=1),
        "last": ends,
        "free": message(f"review.{calendar.unit}s", count=calendar.index(starts[-1], ends)),
    }
    if whole:
        return [finding("warning", "review.demand_ends", "demand", column="due", **figures)]
    return [finding("note", "review.demand_ends_for_some", "demand", column="due", **figures)]


def demand_beyond(state: State, starts: Sequence[date]) -> list[Finding]:
    """Rows of `demand` that are due after the horizon, which nothing is planned for yet."""
    demand = rows_in_plan(state)
    end = state.settings.calendar.shift(starts[-1], 1)
    beyond = demand.filter(pc.greater_equal(demand["due"], pa.scalar(end)))
    if not beyond.num_rows:
        return []
    figures: dict[str, Any] = {
        "count": beyond.num_rows,
        "end": end - timedelta(days=1),
        "last": pc.max(beyond["due"]).as_py(),
    }
    rows = beyond.num_rows
    return [finding("note", "review.demand_beyond", "demand", column="due", rows_affected=rows, **figures)]


def changes_nothing(state: State, held: Held) -> list[Finding]:
    """Tables, or rows of them, that are read and change nothing in the plan. Of what is held back nothing is known."""
    recipes = state.versions("recipes")
    made = pa.array([*recipes["product"].to_pylist(), *phantoms(state), *held.reasons], pa.string())
    refused = [line for row in refused_rows(state) if row.table == "recipes" and (line := row.cell("line"))]
    others = [line for name in ("recipe_lines", "recipe_steps") for line in state.versions(name)["line"].to_pylist()]
    used_lines = pa.array([*recipes["line"].to_pylist(), *refused, *others], pa.string()).unique().drop_null()
    bills, lines, spans = (state.versions(name) for name in ("components", "lines", "line_calendar"))
    idle = (
        ("components", "product", bills.filter(pc.invert(pc.is_in(bills["product"], made))), "warning"),
        ("lines", "line", lines.filter(pc.invert(pc.is_in(lines["line"], used_lines))), "note"),
        ("line_calendar", "line", spans.filter(pc.invert(pc.is_in(spans["line"], used_lines))), "note"),
    )
    found = []
    for table, column, rows, severity in idle:
        if rows.num_rows:
            names = named(sorted(set(rows[column].to_pylist())))
            figures: dict[str, Any] = {"count": rows.num_rows, "names": names}
            key = f"review.idle_{table}"
            found.append(finding(severity, key, table, column=column, rows_affected=rows.num_rows, **figures))
    sites, shares = state.table("sites"), state.table("firm_shares")
    matters = state.table("lanes").num_rows or shares.num_rows or pc.any(sites["calendar"].is_valid()).as_py()
    if sites.num_rows and not matters and not _are_markets(state):
        found.append(finding("note", "review.idle_sites", "sites"))
    found += _idle_prices(state)
    returns = state.table("returns")
    unsaid = returns.num_rows - (pc.sum(returns["resaleable"].is_valid()).as_py() or 0)
    if unsaid:
        found.append(finding("note", "review.idle_returns", "returns", column="resaleable", count=unsaid))
    return found


def _idle_prices(state: State) -> list[Finding]:
    """Rows of `prices` of products without sales, whose demand nothing is learnt of; and products of the others whose
    markets pay different prices now, which says nothing of whom the plan serves first."""
    rows = state.versions("prices")
    if not rows.num_rows:
        return []
    sold = pc.is_in(rows["product"], pa.array(sorted({product for product, _ in sold_pairs(state)}), pa.string()))
    found = []
    idle = rows.filter(pc.invert(sold))
    if idle.num_rows:
        names = sorted(set(idle["product"].to_pylist()))
        figures: dict[str, Any] = {"count": len(names), "names": named(names)}
        found.append(
            finding("note", "review.idle_prices", "prices", column="price", rows_affected=idle.num_rows, **figures)
        )
    now: dict[str, dict[str, float]] = defaultdict(dict)
    for row in sorted(rows.filter(sold).to_pylist(), key=lambda row: row["valid_from"] or date.min):
        if valid_on(state.today, row["valid_from"], row["valid_to"]):  # the last that has begun holds
            now[row["product"]][row["market"]] = row["price"]
    names = sorted(product for product, prices in now.items() if len(set(prices.values())) > 1)
    if names:
        figures = {"count": len(names), "names": named(names)}
        found.append(finding("note", "review.market_prices", "prices", column="market", **figures))
    return found


def kept_in_buckets(state: State) -> list[Finding]:
    """Shelf lives that whole buckets stretch: a unit that may lie over L ends of buckets can be older by the day."""
    length = state.settings.calendar.bucket_days
    rows = state.table("products").select(["product", "shelf_life_days"]).to_pylist()
    kept = {row["product"]: row["shelf_life_days"] for row in rows if row["shelf_life_days"] is not None}
    oldest = {product: (int(days // length) + 1) * length - 1 for product, days in kept.items()}
    stretched = [f"{product} {days:g} ({oldest[product]})" for product, days in kept.items() if oldest[product] > days]
    if not stretched:
        return []
    figures: dict[str, Any] = {"count": len(stretched), "names": named(sorted(stretched))}
    column, count = "shelf_life_days", len(stretched)
    return [finding("note", "review.kept_in_buckets", "products", column=column, rows_affected=count, **figures)]


def no_breaks(state: State) -> list[Finding]:
    """Rows of price breaks that cost no less than what holds before them: the plan leaves them out."""
    rows = state.versions("offer_price_breaks").to_pylist()
    if not rows:
        return []
    prices = dict(rows_of(state.table("offers"), ("offer", "price")))
    names = [f"{row['offer']} ({amount(row['min_units'])})" for row in rising(rows, prices)]
    if not names:
        return []
    figures: dict[str, Any] = {"count": len(names), "names": named(sorted(names))}
    table, column, count = "offer_price_breaks", "cost_per_unit", len(names)
    return [finding("warning", "review.no_break", table, column=column, rows_affected=count, **figures)]


def largest_below_smallest(state: State) -> list[Finding]:
    """Recipes whose largest lot is below the smallest, or below the multiple: the smallest that can be formed is taken
    in its place."""
    names = [
        f"{row['recipe']} ({amount(row['max_lot_units'])})"
        for row in state.versions("recipes").to_pylist()
        if row["max_lot_units"] is not None
        and row["max_lot_units"] < max(row["min_lot_units"], row["lot_multiple_units"])
    ]
    if not names:
        return []
    figures: dict[str, Any] = {"count": len(names), "names": named(sorted(names))}
    column, count = "max_lot_units", len(names)
    return [finding("warning", "review.largest_lot", "recipes", column=column, rows_affected=count, **figures)]


def monday_to_friday(state: State, starts: Sequence[date]) -> list[Finding]:
    """Lines of a chain that plans by days of which no calendar says the days, where their hours leave the weekend."""
    if state.settings.calendar.bucket_days > 1:
        return []
    told = lines_with_calendar(state, starts)
    rows = state.table("lines").select(["line", "hours_per_week"]).to_pylist()
    names = sorted(
        r["line"] for r in rows if r["line"] not in told and 0 < r["hours_per_week"] <= WORKING_DAYS * HOURS_OF_DAY
    )
    if not names:
        return []
    figures: dict[str, Any] = {"count": len(names), "names": named(names)}
    return [finding("note", "review.monday_to_friday", "lines", column="calendar", rows_affected=len(names), **figures)]


def over_night(state: State, starts: Sequence[date]) -> list[Finding]:
    """Recipes of a chain that plans by days whose lots of whole units leave hours of the day of their line."""
    if state.settings.calendar.bucket_days > 1 or not starts:
        return []
    facts, divisible = chain_facts(state, starts, nothing_learnt()), come_in_fractions(state)
    left: dict[str, tuple[float, float]] = {}
    for way in facts.ways:
        most = float(facts.line_hours.get(way.line or "", np.zeros(1)).max())
        if way.recipe is None or facts.becomes(way.product) in divisible or way.multiple_units % 1 or most <= 0:
            continue
        hours = _left_of_day(way, most)
        if hours >= LEFT_TOLD * most:
            left[way.recipe] = (max(hours, left.get(way.recipe, (0.0, 0.0))[0]), most)
    if not left:
        return []
    told = [f"{way} {round(hours, 2):g} / {round(most, 2):g} h" for way, (hours, most) in sorted(left.items())]
    figures: dict[str, Any] = {"count": len(told), "names": named(told)}
    return [
        finding("warning", "review.over_night", "recipes", column="hours_per_unit", rows_affected=len(told), **figures)
    ]


def _left_of_day(way: Way, most: float) -> float:
    """Hours of a line's fullest day, of so many, that lots of a way alone cannot use."""
    each, free = way.hours_per_unit, most - way.setup_hours
    if each <= 0:
        return 0.0
    if math.isfinite(way.max_units):
        sizes = way.sizes(True)
        made = sizes.down(sizes.within(most, way.setup_hours, each))
        if made > 0:
            return most - sizes.orders(made) * way.setup_hours - made * each
    step = way.multiple_units or 1.0
    units = math.floor(free / (each * step) + EQUAL_SHARE) * step
    if units > 0 and units >= way.min_units:
        return free - units * each
    lot = way.setup_hours + max(way.min_units, step) * each
    days = math.ceil(lot / most - EQUAL_SHARE)
    return most - lot / days


def _are_markets(state: State) -> bool:
    """Some market has the code of a site, whose region then tells items apart."""
    sites = state.table("sites")
    regions = sites["site"].filter(pc.is_valid(sites["region"])).combine_chunks()
    return any(
        bool(pc.any(pc.is_in(pc.unique(state.table(name)["market"]), regions)).as_py()) for name in ("sales", "demand")
    )
