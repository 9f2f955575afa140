"""What a plan leaves out, or takes otherwise than a reader of the tables may think: said before the plan is made."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.daily_sales import sold_by_day, sold_pairs
from datong.ledger.large_tables import parts
from datong.ledger.order_life import Standing
from datong.ledger.products_held_back import named
from datong.ledger.spread_sales import READ, spread_sales
from datong.ledger.standings import LEAST_UNITS, OPEN_STATES, order_standings, state_of
from datong.ledger.state import State
from datong.ledger.versions import Span, span, without
from datong.model.findings import Finding, finding
from datong.model.flow import Item
from datong.model.tables import tables as all_tables
from datong.model.words import amount
from datong.network.bills import Bills, bill_over_time, phantoms
from datong.network.demand_statements import statements
from datong.network.forecast_netting import given_items
from datong.network.horizon import EPOCH, Horizon, rows_of
from datong.network.refusals import unnamed_refusals
from datong.network.routes import Routes
from datong.network.rows_in_plan import not_planned, rows_in_plan
from datong.network.unasked_products import unasked_products

# Weeks of sales that a notice holds customers' orders against.
RECENT_WEEKS = 8
# Months in which a product sells on the first day alone before its sales are taken for sums of months.
LEAST_MONTHS = 3

_Row = Mapping[str, Any]


def notices(state: State) -> tuple[Finding, ...]:
    """Products without demand, orders that are not planned, bills of materials that begin or end, products that nothing
    makes or brings, what ends or begins within a bucket, economics that change, within the horizon; holding costs of
    sites that count nothing, refusals that close nothing, statements that change nothing, sales that nothing is
    expected of, sales that are sums of months, or were spread over their days. Empty where there is nothing to say."""
    calendar = state.settings.calendar
    days = Horizon.of(state, calendar.starts(state.first_open_bucket, state.settings.horizon_buckets)).days
    return (
        *_unasked(state),
        *not_planned(state),
        *_ways(state, days),
        *_within_buckets(state, days),
        *_routes(state, days),
        *_phantoms(state),
        *_per_lot(state),
        *_of_nothing(state),
        *_economics(state, days),
        *_holding_of_sites(state),
        *_unnamed_refusals(state),
        *_statements(state, days),
        *_unused_history(state, days),
        *_monthly_sales(state),
        *spread_sales(parts(state.table("sales"), READ), calendar).told(),
    )


def _statements(state: State, days: Span) -> Iterator[Finding]:
    """Promotions and adjustments that change nothing: of demand that is given or that nobody has, or of other days."""
    told = statements(state)
    if not told:
        return
    sold = set(sold_pairs(state))
    wanted = {(r["product"], r["market"]) for r in state.table("demand").select(["product", "market"]).to_pylist()}
    given = given_items(state)
    launched = set(unasked_products(state).launched)
    why: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for one in told:
        items = {i for i in sold | wanted if i[0] == one.product and one.market in (None, i[1])}
        if one.first.toordinal() >= days.after or one.after.toordinal() <= days.first:
            why["stated_outside"][one.table].append(f"{one.key} ({one.product})")
        elif not items and one.product not in launched:
            why["stated_for_nobody"][one.table].append(f"{one.key} ({one.product})")
        elif items and items <= given:
            why["stated_beside_given"][one.table].append(f"{one.key} ({one.product})")
    for key, tables in sorted(why.items()):
        for table, names in sorted(tables.items()):
            severity = "note" if key == "stated_outside" else "warning"
            yield finding(severity, f"notice.{key}", table, names=named(sorted(names)))


def _unused_history(state: State, days: Span) -> Iterator[Finding]:
    """What sells and has only rows of `demand` as its demand in the plan, which take the place of Datong's forecast:
    forecasts that somebody gave, or, where the chain wants nothing beside them, customers' orders."""
    demand = rows_in_plan(state).select(["product", "market", "due", "units", "firm"])
    due = demand["due"].cast(pa.int32())
    first, after = (pa.scalar(day - EPOCH, pa.int32()) for day in (days.first, days.after))
    asked = demand.filter(pc.and_(pc.greater_equal(due, first), pc.less(due, after)))
    asked = asked.group_by(["product", "market"], use_threads=False).aggregate([("units", "sum"), ("firm", "min")])
    if not asked.num_rows:
        return
    units = sold_lately(state)
    given = given_items(state)
    for is_firm, key, severity in ((True, "history_unused", "warning"), (False, "forecast_given", "warning")):
        found = {
            item: r["units_sum"]
            for r in asked.to_pylist()
            if (item := Item(r["product"], r["market"])) in units and item in given and r["firm_min"] == is_firm
        }
        if found:
            sold_units, asked_units = sum(units[item] for item in found), sum(found.values())
            figures: dict[str, Any] = {
                "names": named([p if market == "all" else f"{p} ({market})" for p, market in sorted(found)]),
                "sold": amount(sold_units),
                "asked": amount(asked_units),
                "weeks": RECENT_WEEKS,
            }
            yield finding(severity, f"notice.{key}", "demand", count=len(found), **figures)


def _unnamed_refusals(state: State) -> Iterator[Finding]:
    orders = unnamed_refusals(state, state.first_open_bucket)
    if orders:
        names = named(orders)
        yield finding("warning", "notice.refused_unnamed", "orders", column="recipe", count=len(orders), names=names)


def _unasked(state: State) -> Iterator[Finding]:
    found = unasked_products(state)
    asked = set(state.table("demand")["product"].to_pylist())  # as quotes, say: `not_planned` tells these
    left_out = [product for product in found.left_out if product not in asked]
    if left_out:
        yield finding("note", "notice.not_asked", "products", count=len(left_out), names=named(left_out))
    if found.launched:
        count = len(found.launched)
        yield finding("note", "notice.launched", "products", count=count, names=named(found.launched))


def _ways(state: State, days: Span) -> Iterator[Finding]:
    names = ("recipes", "offers", "components", "recipe_steps")
    recipes, offers, components, steps = (state.versions(name) for name in names)
    if not any(_has_days(rows) for rows in (recipes, offers, components, steps)):
        return
    bills = Bills(components, set(state.table("products")["product"].to_pylist()), phantoms(state))
    open_spans: dict[str, list[Span]] = defaultdict(list)
    waiting: dict[str, date] = {}
    bare: dict[str, date] = {}
    routes = Routes.of(state)
    for row in (step for recipe in recipes.to_pylist() for step in routes.rows(recipe)):
        own = _inside(row, days)
        if own is None:
            open_spans[row["product"]] += []
            continue
        bill = routes.bill(bills, row["product"], row["recipe"])
        pieces = bill_over_time(bill, own)
        open_spans[row["product"]] += [piece for piece, _ in pieces if piece.first < piece.after]
        for gap in without(own, [piece for piece, _ in pieces]):
            begins = [use.days.first for use in bill]
            waiting[row["product"]] = date.fromordinal(min(day for day in begins if day > gap.first))
        for (_, before), (piece, uses) in pairwise(pieces):
            if before and not uses:
                bare[row["product"]] = date.fromordinal(piece.first)
    for row in offers.to_pylist():
        own = _inside(row, days)
        open_spans[row["product"]] += [] if own is None else [own]
    if waiting:
        yield finding("warning", "notice.no_bill_yet", "components", count=len(waiting), names=_with_days(waiting))
    if bare:
        yield finding("note", "notice.bill_ends", "components", count=len(bare), names=_with_days(bare))
    first = {product: min(own.first for own in spans) for product, spans in open_spans.items() if spans}
    later = {product: date.fromordinal(day) for product, day in first.items() if day > days.first}
    later = {product: day for product, day in later.items() if product not in waiting}
    if later:
        yield finding("note", "notice.no_way_yet", "recipes", count=len(later), names=_with_days(later))
    nothing = sorted(product for product, spans in open_spans.items() if not spans)
    if nothing:
        yield finding("warning", "notice.no_way", "recipes", count=len(nothing), names=named(nothing))


def _within_buckets(state: State, days: Span) -> Iterator[Finding]:
    """Ways and substitutes that end or begin within a bucket of the horizon, which is counted whole or not at all."""
    calendar = state.settings.calendar
    for column, key, severity in (("valid_to", "ends_within", "warning"), ("valid_from", "begins_within", "note")):
        for table in ("recipes", "recipe_steps", "offers", "lanes", "substitutes"):
            inside: dict[str, date] = {}
            for row in state.versions(table).to_pylist():
                day = row[column]
                if day is None or not days.first < day.toordinal() < days.after or calendar.bucket_start(day) == day:
                    continue
                inside[" / ".join(str(row[name]) for name in all_tables()[table].key)] = day
            if inside:
                yield finding(
                    severity, f"notice.{key}", table, column=column, count=len(inside), names=_with_days(inside)
                )


def _routes(state: State, days: Span) -> Iterator[Finding]:
    """Recipes with steps that say hours of their own too, and those whose steps are at several sites; steps of one
    sequence that hold at once; and steps before which no other holds on some of the days, while one does on others."""
    routes, site_of = Routes.of(state), dict(rows_of(state.table("lines"), ("line", "site")))
    own, apart = set(), set()
    for recipe in state.versions("recipes").to_pylist():
        steps = [step for step in routes.rows(recipe) if step is not recipe]
        if steps and any(recipe[name] for name in ("line", "hours_per_unit", "setup_hours", "setup_cost", "lead_days")):
            own.add(recipe["recipe"])
        if len({step["site"] or site_of.get(step["line"]) for step in steps}) > 1:
            apart.add(recipe["recipe"])
    if own:
        yield finding("warning", "notice.hours_of_steps", "recipes", count=len(own), names=named(sorted(own)))
    if apart and state.table("lanes").num_rows:
        yield finding("warning", "notice.steps_apart", "recipe_steps", count=len(apart), names=named(sorted(apart)))
    at_once = routes.at_once()
    if at_once:
        yield finding("warning", "notice.steps_at_once", "recipe_steps", count=len(at_once), names=named(at_once))
    alone = {step: date.fromordinal(day) for step, day in routes.without_one_before(days).items()}
    if alone:
        names = _with_days(alone)
        yield finding("warning", "notice.step_without_one_before", "recipe_steps", count=len(alone), names=names)


def _phantoms(state: State) -> Iterator[Finding]:
    """Phantoms of which there is stock, demand, a recipe or an offer: all of that counts for nothing."""
    phantom = phantoms(state)
    for table in ("stock", "demand", "sales", "recipes", "offers") if phantom else ():
        found = phantom & set(pc.unique(state.table(table)["product"]).to_pylist())
        if found:
            yield finding("warning", "notice.phantom", table, count=len(found), names=named(sorted(found)), of=table)


def _per_lot(state: State) -> Iterator[Finding]:
    """Alternatives that say what an order takes whatever its size: it does not count."""
    rows = state.table("components")
    rows = rows.filter(pc.and_(pc.is_valid(rows["alternate_group"]), pc.greater(rows["units_per_lot"], 0.0)))
    if rows.num_rows:
        names = named(sorted(set(rows["component"].to_pylist())))
        yield finding("warning", "notice.per_lot_of_alternative", "components", count=rows.num_rows, names=names)


def _of_nothing(state: State) -> Iterator[Finding]:
    """Components of which neither a unit nor an order takes anything: such a row counts for nothing."""
    rows = state.table("components")
    per_order = pc.and_(pc.is_null(rows["alternate_group"]), pc.greater(rows["units_per_lot"], 0.0))
    rows = rows.filter(pc.and_(pc.equal(rows["units_per_unit"], 0.0), pc.invert(per_order)))
    if rows.num_rows:
        names = named(sorted({f"{row['component']} ({row['product']})" for row in rows.to_pylist()}))
        yield finding("warning", "notice.component_of_nothing", "components", count=rows.num_rows, names=names)


def _economics(state: State, days: Span) -> Iterator[Finding]:
    rows = state.versions("economics")
    if not _has_days(rows):
        return
    changing = {row["product"] for row in rows.to_pylist() if (own := _inside(row, days)) is not None and own != days}
    if changing:
        names = named(sorted(changing))
        yield finding("note", "notice.economics_change", "economics", count=len(changing), names=names)


def _holding_of_sites(state: State) -> Iterator[Finding]:
    """Sites with a holding of their own, in a chain without lanes: its stock is one pool, wherever it lies."""
    sites = state.table("sites")
    if state.table("lanes").num_rows:
        return
    own = sorted(sites["site"].filter(pc.not_equal(sites["holding_factor"], 1.0)).to_pylist())
    if own:
        yield finding("warning", "notice.holding_of_sites", "sites", column="holding_factor", names=named(own))


def _has_days(rows: pa.Table) -> bool:
    return any(rows[name].null_count < rows.num_rows for name in ("valid_from", "valid_to"))


def _inside(row: _Row, days: Span) -> Span | None:
    """The days of the horizon on which a row holds."""
    own = span(row["valid_from"], row["valid_to"])
    first, after = max(own.first, days.first), min(own.after, days.after)
    return Span(first, after) if first < after else None


def _with_days(of: Mapping[str, date]) -> str:
    return named([f"{name} ({day})" for name, day in sorted(of.items())])


def overdue_orders(state: State) -> tuple[Finding, ...]:
    """Orders out that are past due and of which something is still to come, by what is told of the orders alone: when a
    plan counts on them takes stock and history, and is said with the plan."""
    late, standings = [], order_standings(state)
    for row in state.table("orders").to_pylist():
        stand = standings.get(row["order"], Standing())
        left = row["units"] - stand.good_units - stand.scrap_units
        if state_of(row, stand) in OPEN_STATES and left > LEAST_UNITS and row["due"] < state.today:
            late.append((row["due"], row["order"], f"{row['order']} ({amount(left)} {row['product']}, {row['due']})"))
    if not late:
        return ()
    orders = named([told for *_, told in sorted(late)])
    return (finding("warning", "position.past_due", "orders", column="due", count=len(late), orders=orders),)


def sold_lately(state: State) -> dict[tuple[str, str], float]:
    """Units by product and market that were ordered in the last RECENT_WEEKS, above 0."""
    units: dict[tuple[str, str], float] = defaultdict(float)
    for sales in parts(state.table("sales"), ("product", "market", "happened_at", "units", "state")):
        since = pa.scalar(state.as_of - timedelta(weeks=RECENT_WEEKS), sales.schema.field("happened_at").type)
        recent = pc.and_(pc.greater_equal(sales["happened_at"], since), pc.equal(sales["state"], "ordered"))
        sold = sales.filter(recent).group_by(["product", "market"], use_threads=False).aggregate([("units", "sum")])
        for row in sold.to_pylist():
            units[row["product"], row["market"]] += row["units_sum"] or 0.0
    return {item: own for item, own in units.items() if own > 0}


def _monthly_sales(state: State) -> Iterator[Finding]:
    """Products whose sales of several months all stand on the first day of one: sums of months, not days."""
    sales = sold_by_day(state)
    days = sales["day"].to_numpy().astype("M8[D]")
    months = days.astype("M8[M]")
    firsts = months.astype("M8[D]") == days
    seen = pa.table({"product": sales["product"], "month": months.astype(np.int64), "first": firsts})
    of_product = seen.group_by("product", use_threads=False).aggregate([("month", "count_distinct"), ("first", "min")])
    is_sum = pc.and_(pc.greater_equal(of_product["month_count_distinct"], LEAST_MONTHS), of_product["first_min"])
    found = sorted(of_product["product"].filter(is_sum).to_pylist())
    if found:
        yield finding("warning", "notice.monthly_sales", "sales", count=len(found), names=named(found))
