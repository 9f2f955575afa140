"""`datong quote`: what an order more would cost, who then waits, and, where they hold for it, prices by way and week.

The cost is the difference of two plans, one with the order and one without. A chain that is too large for that in a few
seconds is priced at the margin, and says so.
"""

import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.balance.arrays import Market
from datong.balance.clearing_tables import prices_where_full, row_keys, units_of_break, ways_of_rows
from datong.balance.pack import pack
from datong.balance.plan_with_order_added import with_more
from datong.balance.scarcity import NOTHING
from datong.balance.solution import USUAL_LIMITS, Limits, OnProgress, never_stop
from datong.balance.solvers import Cleared as MarketCleared
from datong.balance.solvers import (
    Door,
    clear,
    cleared,
    in_orders,
    in_whole_units,
    prices_fix_set_ups,
    set_ups_fixed,
    states_lots,
)
from datong.balance.unit_prices import SAME_SHARE, Cleared, Option, cleared_for_quotes
from datong.balance.warm_start import warm_prices
from datong.cycle import USUAL, Decision, Head, decide, head
from datong.ledger.row_checks import nearest_hint
from datong.ledger.state import State, in_state_schema
from datong.lots_put_off import dated_lots
from datong.model.errors import NotFound, Refused
from datong.model.flow import Clearing, FloatArray, Forecast, Item, Learnt
from datong.model.settings import ChainSettings
from datong.model.words import amount, message, say
from datong.network.forecast_netting import netted
from datong.network.horizon import day_numbers
from datong.network.ways import there_after
from datong.plan.after_due import after_due
from datong.plan.out_by_day import Dated
from datong.plan.pegging import Use
from datong.plan.units_there_on import there_on
from datong.questions.clear_market import Earlier, units_of_demand
from datong.questions.result_table import Frame
from datong.questions.tables_out import product_names
from datong.questions.waits_longer import LATER_SCHEMA, waits_longer
from datong.shown.tables import html_table

# Columns of `alternatives`, and with `date` before them of `weeks`.
OPTION_FIELDS = [
    ("kind", pa.string()),
    ("recipe", pa.string()),
    ("offer", pa.string()),
    ("lane", pa.string()),
    ("from_site", pa.string()),
    ("line", pa.string()),
    ("start", pa.date32()),
    ("arrives", pa.date32()),
    ("price_per_unit", pa.float64()),
    ("own_cost", pa.float64()),
    ("material_cost", pa.float64()),
    ("hours_premium", pa.float64()),
    ("material_premium", pa.float64()),
    ("holding_cost", pa.float64()),
    ("late_cost", pa.float64()),
    ("rules_cost", pa.float64()),
    ("scarce", pa.string()),
    ("scarce_what", pa.string()),
    ("scarce_bucket", pa.date32()),
    ("scarce_price", pa.float64()),
]
ALTERNATIVES_SCHEMA = pa.schema([*OPTION_FIELDS, ("more_than_best", pa.float64()), ("planned_units", pa.float64())])
WEEKS_SCHEMA = pa.schema([("bucket", pa.date32()), *OPTION_FIELDS])
WAITS_SCHEMA = pa.schema(
    [
        ("product", pa.string()),
        ("market", pa.string()),
        ("bucket", pa.date32()),
        ("late_units", pa.float64()),
        ("lost_units", pa.float64()),
        # Customers' orders of which more is late, and of which more is not served, the most units first; null where
        # none is known.
        ("late_of", pa.string()),
        ("lost_of", pa.string()),
    ]
)
# Of these so many are named.
MOST_NAMED = 3
# What a summary has of the price of one unit beside the price itself.
_OF_ONE_UNIT = (
    "marginal_price",
    *(name for name, _ in OPTION_FIELDS if name != "price_per_unit"),
    *("scarcity_premium", "normal_price", "earliest_normal", "earliest", "earliest_price", "holds_units"),
)
# The id of the demand that an order is while it is quoted.
ADDED = "quote"
# In lots two plans are compared: both are searched down to this share of what can be avoided.
CLOSE = 1e-4
# Fewer units that come late because of an order are expected of futures, and not of the order.
LEAST_LATE = 0.5
# Fewer units that wait are rounding.
LEAST_WAITING = 1e-6


@dataclass(frozen=True)
class Order:
    """The order that is asked for. market None: the product's only one, or 'all'."""

    product: str
    units: float
    due: date
    market: str | None = None


@dataclass(frozen=True, eq=False)
class QuoteResult:
    """What an order costs.

    `summary` has product, market, units, due; money and price_per_unit (of the whole order: the difference of two
    plans' costs, where `exact` is there; else at the margin, null where nothing is there in time); exact: money,
    cost_with and cost_without (of the two plans), money_low and money_high (of the best plans, by the certified gaps),
    what they change in late and lost units; served: False where as many units more of the product are not served, so
    that money is what refusing costs. there_on: the day by which the orders of the plan with it have what is served of
    it there, of demand that is forecast all of its bucket; null where no orders were made, or nothing is served.

    marginal: whether prices of one unit are told: where the difference confirms them for the units asked (within 1%),
    or where there is none. Then: marginal_price and its parts as in `alternatives`, of the cheapest way that is there
    by the due bucket; normal_price (by the cheapest way with nothing scarce); earliest_normal and earliest (days: at a
    price of at most 1% above normal, at any price); holds_units (about how many units the price is good for, null:
    nothing ends it). Otherwise these are null and the tables empty.

    alternatives: every way and start, cheapest first: kind (make, buy, move; stock; displace: what is meant for
    others; of these two the way that makes up for it later), its row, start (of these two null: it comes anyway),
    arrives, price and its parts (money per unit), what is scarce for it, more_than_best, and planned_units, good
    units that the plan has of it. weeks: the cheapest for each bucket from the due one on. products: their names
    and units.
    """

    as_of: datetime
    settings: ChainSettings
    summary: Mapping[str, Any]
    tables: Mapping[str, pa.Table]
    products: pa.Table
    language: str = "en"

    @property
    def alternatives(self) -> Frame:
        """Every way to have a unit there, with its price and what it is made of."""
        return Frame("alternatives", self.tables["alternatives"], self.language)

    def __repr__(self) -> str:
        return "; ".join([self._title(), *self._said()])

    def _repr_html_(self) -> str:
        """What is asked for, its price, and the cheapest ways."""
        names = ["kind", "recipe", "offer", "lane", "start", "arrives", "price_per_unit", "more_than_best"]
        return html_table(self._title(), self.alternatives.arrow.select(names).to_pylist(), self.language, self._said())

    def _title(self) -> str:
        moment = self.as_of.astimezone(self.settings.calendar.zone)
        words = {"name": self.settings.name, "as_of": f"{moment:%Y-%m-%d %H:%M}"}
        asked = {name: self.summary[name] for name in ("product", "due")}
        return say("shown.quote", self.language, units=f"{self.summary['units']:,.10g}", **asked, **words)

    def _said(self) -> list[str]:
        """What it costs, and from when on it is the normal price."""
        told, currency = self.summary, self.settings.currency
        if not told["served"]:
            words = {"units": f"{told['units']:,.10g}", "money": f"{told['money']:,.2f}"}
            return [say("shown.quote_refused", self.language, currency=currency, **words)]
        if told["price_per_unit"] is None:
            lines = [say("shown.quote_late", self.language)]
        else:
            amounts = {"price": f"{told['price_per_unit']:,.2f}", "money": f"{told['money']:,.2f}"}
            lines = [say("shown.quote_price", self.language, currency=currency, **amounts)]
        if told["there_on"] is not None:
            lines.append(say("shown.quote_there", self.language, day=told["there_on"]))
        if told["normal_price"] is not None and told["earliest_normal"] is not None:
            price = {"price": f"{told['normal_price']:,.2f}", "day": told["earliest_normal"]}
            lines.append(say("shown.quote_earliest", self.language, currency=currency, **price))
        return lines

    @property
    def weeks(self) -> Frame:
        """The price of a unit due in each bucket from the due one on."""
        return Frame("weeks", self.tables["weeks"])


@dataclass(frozen=True, eq=False)
class _Base:
    """What is cleared without the order: prices, gaps, its cost in money, and below what no plan can cost (bound,
    money; None: no bound is known)."""

    prices: pa.Table
    gaps: pa.Table
    cost: float
    bound: float | None


def quote(
    state: State,
    learnt: Learnt,
    seed: int,
    order: Order,
    *,
    branch: str | None = None,
    earlier: Earlier | None = None,
    exact: bool = False,
    door: Door = "auto",
    limits: Limits = USUAL_LIMITS,
    on_progress: OnProgress = never_stop,
) -> QuoteResult:
    """What an order more would cost: see QuoteResult.

    branch: the what-if that the state is of. earlier: a balance whose prices are used where a chain is too large for
    the difference of two plans. exact: the difference there too, of plans in any quantities. Raises NotFound for a
    product or market that is not there, Refused for a day outside the horizon, and what `clear` raises.
    """
    began = time.monotonic()
    _check_product(state, order)
    begun = head(state, learnt, seed)
    item = _item(state, begun.demand, order)
    due = _due_bucket(state, begun.demand, order.due)
    begun = replace(begun, demand=with_units(begun.demand, item, due, 0.0))
    market = pack(state, begun.demand, learnt, begun.where)
    label = market.places.label_of(item)
    if label not in market.products.names:
        raise NotFound(message("quote.nowhere", product=item.product, market=item.market))
    if earlier is not None and exact:
        _refuse_other(branch, state, earlier)
    if in_whole_units(market):
        summary, tables = _by_two_plans(begun, market, order, item, due, door, limits, on_progress)
        earlier = None
    else:
        base, started = _base(market, begun, earlier, door, limits, on_progress)
        away = np.minimum(units_of_demand(market, base.gaps, "refused_units"), market.demand.sure)
        served = units_of_demand(market, base.gaps, "served_units")
        prices = cleared_for_quotes(market, warm_prices(market, base.prices), started, away, served)
        summary, tables = _at_the_margin(prices, label, due, order, item, state)
        if exact:
            found = _exact(begun, order, item, due, base, door, limits, on_progress)
            summary, tables = _confirmed(summary, tables, found)
        summary |= {"set_ups_fixed": False, "there_on": None}
    summary |= {"as_of": state.as_of.isoformat(), "branch": branch}
    summary["cleared_as_of"] = None if earlier is None else earlier.certificate.get("as_of")
    summary["seconds"] = round(time.monotonic() - began, 3)
    return QuoteResult(state.as_of, state.settings, summary, tables, product_names(state))


def _base(
    market: Market, begun: Head, earlier: Earlier | None, door: Door, limits: Limits, on_progress: OnProgress
) -> tuple[_Base, FloatArray]:
    """The market without the order, and (way, bucket) units that its plan starts."""
    if earlier is None:
        clearing = clear(market, begun.demand, door, limits, on_progress)
        base = _Base(clearing.prices, clearing.gaps, clearing.total_cost, clearing.lower_bound)
        return base, _started(market, clearing.quantities, row_keys(clearing.quantities), "started_units")
    told = earlier.certificate
    base = _Base(earlier.prices, earlier.gaps, told["cleared_cost"], told["lower_bound"])
    return base, _started(market, earlier.orders, row_keys(_as_quantities(earlier.orders)), "units")


def _at_the_margin(
    prices: Cleared, label: str, due: int, order: Order, item: Item, state: State
) -> tuple[dict[str, Any], dict[str, pa.Table]]:
    product = prices.market.products.names.index(label)
    tables = _tables(prices, product, due, state)
    return _summary(prices, product, due, order, item, tables["weeks"], state), tables


# by two plans ------------------------------------------------------------------------------------


def _by_two_plans(
    begun: Head,
    market: Market,
    order: Order,
    item: Item,
    due: int,
    door: Door,
    limits: Limits,
    on_progress: OnProgress,
) -> tuple[dict[str, Any], dict[str, pa.Table]]:
    """What the order costs is the difference of two plans in lots and whole units, one with it and one without. Both
    are the cheaper one of their own orders and the other's, so that neither gains by a lucky search; the plan with the
    order also is no dearer than the one without it and one lot more, or a larger one. In lots the prices
    of single units hold while the set-ups of the plan without it stay as they are."""
    limits = replace(limits, gap_share=min(limits.gap_share, CLOSE))

    def clear_market(at: Head) -> MarketCleared:
        return cleared(pack(at.state, at.demand, at.learnt, at.where), door, limits, on_progress)

    stages = replace(USUAL, balance=clear_market)
    with_it = _with_order(begun, order, item, due)
    decisions = [decide(at, stages, True, limits, on_progress) for at in (begun, with_it)]
    plans = [decision.given_out for decision in decisions]
    without, wanted = (
        min((own, _orders_of_other(own, other)), key=lambda plan: plan.total_cost)
        for own, other in (plans, plans[::-1])
    )
    wanted = with_more(without, wanted, market.places.label_of(item), due, order.units)
    money = wanted.total_cost - without.total_cost
    tables_of = [plan.tables(at.demand) for plan, at in ((without, begun), (wanted, with_it))]
    in_lots = states_lots(market)
    prices = _lot_prices(without, market) if in_lots else _prices_of(decisions[0].market, begun, market)
    label = market.places.label_of(item)
    summary, tables = _at_the_margin(prices, label, due, order, item, begun.state)
    changed = {
        f"{whose}_{name}": _total(tables_of[1].gaps, name, item, whose) - _total(tables_of[0].gaps, name, item, whose)
        for whose in ("own", "other")
        for name in ("late_units", "lost_units")
    }
    bounds = without.bound, wanted.bound
    low = high = None
    if all(np.isfinite(bounds)):
        low, high = bounds[1] - without.total_cost, wanted.total_cost - bounds[0]
    exact = {
        "money": money,
        "money_per_unit": money / order.units,
        "cost_without": without.total_cost,
        "cost_with": wanted.total_cost,
        "money_low": low,
        "money_high": high,
        **changed,
    }
    summary, tables = _confirmed(summary, tables, exact)
    summary["set_ups_fixed"] = in_lots
    given = zip((begun, with_it), (without, wanted), tables_of, decisions, strict=True)
    days = [_days(at, plan, clearing, decision) for at, plan, clearing, decision in given]
    is_late = changed["own_late_units"] >= LEAST_LATE
    day = _there_on(with_it, days[1], item, due, is_late)
    summary["there_on"] = None if day is None else day.isoformat()
    both = [_by_day(clearing, found) for clearing, found in zip(tables_of, days, strict=True)]
    waits = _who_waits(*both, item, begun.state.settings.calendar.bucket_start)
    told = {(row["product"], row["market"], row["bucket"]) for row in waits.to_pylist()}
    bucket_of = begun.state.settings.calendar.bucket_start
    later = waits_longer(*both).to_pylist()
    later = [row for row in later if (row["product"], row["market"], bucket_of(row["due"])) not in told]
    return summary, tables | {"waits": waits, "later": pa.Table.from_pylist(later, schema=LATER_SCHEMA)}


def _days(at: Head, plan: MarketCleared, clearing: Clearing, decision: Decision) -> Dated:
    """The days of a plan's orders."""
    chosen = decision.chosen
    assert chosen is not None  # both plans are in lots
    return dated_lots(at.state, clearing, plan, chosen)


def _by_day(clearing: Clearing, plan: Dated) -> dict[str, pa.Table]:
    """`gaps`, `deliveries` and `after_due` of a plan, as a run shows them."""
    late = after_due(plan.work, plan.found, plan.days)
    return {"gaps": clearing.gaps, "deliveries": clearing.deliveries, "after_due": late}


def _there_on(at: Head, plan: Dated, item: Item, due: int, is_late: bool) -> date | None:
    """The day by which what is served of the order is there by the orders of a plan with it; where demand is forecast
    and the order is none by itself, what is served of its bucket, and where more of it comes late, that too."""
    work = plan.work
    uses = plan.found.uses.get(work.facts.label_of(item), ())

    def is_of_bucket(use: Use) -> bool:
        if use.kind != "forecast" or (use.waits_since is not None and not is_late):
            return False
        return (use.waits_since or work.starts[use.bucket]) == work.starts[due]

    own = [use for use in uses if use.kind == "request" and use.name == ADDED]
    return there_on(plan, own or [use for use in uses if is_of_bucket(use)], at.state.today)


def _lot_prices(plan: MarketCleared, market: Market) -> Cleared:
    """Prices with the set-ups of the plan as they are, where its own table has them."""
    fixed = set_ups_fixed(plan) if prices_fix_set_ups(plan) else market
    told = prices_where_full(plan.market, plan.solution.prices, plan.outcome, plan.solution.started)
    served = np.diff(plan.outcome.served_by, axis=1, prepend=0.0)
    return cleared_for_quotes(fixed, told, plan.solution.started, plan.outcome.turned_away, served)


def _prices_of(plan: MarketCleared, begun: Head, market: Market) -> Cleared:
    """Prices of the market in any quantities, as its own table has them."""
    prices = warm_prices(market, plan.tables(begun.demand).prices)
    served = np.diff(plan.outcome.served_by, axis=1, prepend=0.0)
    return cleared_for_quotes(market, prices, plan.solution.started, plan.outcome.turned_away, served)


def _confirmed(
    summary: Mapping[str, Any], tables: Mapping[str, pa.Table], exact: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, pa.Table]]:
    """The quote with its difference of two plans first, and with the prices of one unit only where that confirms them
    for the units asked."""
    units, money, price = summary["units"], exact["money"], summary["price_per_unit"]
    served = exact["own_lost_units"] < units * (1 - SAME_SHARE)
    marginal = served and price is not None and abs(price * units - money) <= SAME_SHARE * max(abs(money), NOTHING)
    told = dict(summary) | {"exact": exact, "money": money, "price_per_unit": exact["money_per_unit"], "served": served}
    if not marginal:
        told |= dict.fromkeys(_OF_ONE_UNIT) | {"marginal": False}
        tables = {name: table.slice(0, 0) for name, table in tables.items()}
    return told, dict(tables)


def _orders_of_other(own: MarketCleared, other: MarketCleared) -> MarketCleared:
    """The plan's market with the orders of another plan of the same ways."""
    assert other.lots is not None
    return replace(in_orders(own, other.solution.started, other.lots), bound=own.bound)


def _who_waits(
    before: Mapping[str, pa.Table], after: Mapping[str, pa.Table], item: Item, bucket_of: Callable[[date], date]
) -> pa.Table:
    """Whose units are later or no more served because of the order: product, market, bucket due, units, and the
    customers' orders."""
    keys = ["product", "market", "bucket"]
    sides = [
        {tuple(r[k] for k in keys): r for r in gaps.select([*keys, "late_units", "lost_units"]).to_pylist()}
        for gaps in (before["gaps"], after["gaps"])
    ]
    names = {
        f"{name}_of": _whose(before["deliveries"], after["deliveries"], kinds, bucket_of)
        for name, kinds in (("late", ("late",)), ("lost", ("refused", "never")))
    }
    rows: list[dict[str, Any]] = []
    for key in sorted(sides[1]):
        was = sides[0].get(key, {"late_units": 0.0, "lost_units": 0.0})
        late, lost = (sides[1][key][name] - was[name] for name in ("late_units", "lost_units"))
        if late + lost > LEAST_WAITING or lost > LEAST_WAITING:
            whose = {column: found.get(key) for column, found in names.items()}
            rows.append(dict(zip(keys, key, strict=True)) | {"late_units": late, "lost_units": lost} | whose)
    own = (item.product, item.market)
    rows.sort(key=lambda r: ((r["product"], r["market"]) == own, -r["lost_units"], -r["late_units"]))
    return pa.Table.from_pylist(rows, schema=WAITS_SCHEMA)


def _whose(
    before: pa.Table, after: pa.Table, kinds: Collection[str], bucket_of: Callable[[date], date]
) -> dict[tuple[Any, ...], str]:
    """By product, market and bucket due the customers' orders of which more is of these kinds by the second of two
    plans, each with its units, the most first. Tables: `deliveries`."""
    sides: list[dict[tuple[Any, ...], float]] = [{}, {}]
    for missing, rows in zip(sides, (before, after), strict=True):
        for row in rows.to_pylist():
            key = row["product"], row["market"], row["due"], row["demand"]
            missing[key] = missing.get(key, 0.0) + (row["units"] if row["what"] in kinds else 0.0)
    more: dict[tuple[Any, ...], list[tuple[float, str]]] = {}
    for key in sides[0].keys() & sides[1].keys():
        product, market, due, demand = key
        units = sides[1][key] - sides[0][key]
        if units > LEAST_WAITING and demand:
            more.setdefault((product, market, bucket_of(due)), []).append((-units, demand))
    told = {}
    for cell, own in more.items():
        named = [f"{demand} ({amount(-units)})" for units, demand in sorted(own)]
        told[cell] = ", ".join([*named[:MOST_NAMED], *(["…"] if len(named) > MOST_NAMED else [])])
    return told


def _with_order(begun: Head, order: Order, item: Item, due: int) -> Head:
    """The same with the order among the demand, beyond what is expected: it is no part of a forecast."""
    state = begun.state
    if begun.demand.method[begun.demand.items.index(item)] == "given":
        row = {"demand": ADDED, "product": item.product, "market": item.market, "due": order.due, "units": order.units}
        rows = in_state_schema("demand", pa.Table.from_pylist([row]))
        told = pa.concat_tables([netted(state).rows, rows]).combine_chunks()
        beyond = replace(state.settings, netting=replace(state.settings.netting, orders="add"))
        state = replace(state.with_tables(demand=told), settings=beyond)
    return replace(begun, state=state, demand=with_units(begun.demand, item, due, order.units))


# what is asked -----------------------------------------------------------------------------------


def _check_product(state: State, order: Order) -> None:
    products = state.table("products")["product"].to_pylist()
    if order.product not in products:
        raise NotFound(message("quote.no_product", product=order.product, hint=nearest_hint(order.product, products)))
    if not 0 < order.units < np.inf:
        raise Refused(message("quote.bad_units", units=order.units))


def _item(state: State, demand: Forecast, order: Order) -> Item:
    """What is asked for: the product in the market that is named, or in its only one."""
    own = sorted({i.market for i in demand.items if i.product == order.product})
    if order.market is None:
        return Item(order.product, own[0] if len(own) == 1 else "all")
    known = {i.market for i in demand.items} | set(state.table("sites")["site"].to_pylist()) | {"all"}
    if order.market not in known:
        hint = nearest_hint(order.market, sorted(known))
        markets = ", ".join(own or sorted(known))
        raise NotFound(message("quote.no_market", market=order.market, markets=markets, hint=hint))
    return Item(order.product, order.market)


def _due_bucket(state: State, demand: Forecast, due: date) -> int:
    starts, calendar = demand.bucket_starts, state.settings.calendar
    first, end = max(state.today, starts[0]), calendar.shift(starts[-1], 1)
    if due < first:
        raise Refused(message("quote.past", due=due, first=first))
    if due >= end:
        needed = calendar.index(due, starts[0]) + 1
        last = end - timedelta(days=1)
        raise Refused(message("quote.beyond", due=due, last=last, horizon=len(starts), needed=needed))
    return calendar.index(due, starts[0])


def _refuse_other(branch: str | None, state: State, earlier: Earlier) -> None:
    """Raises Refused where the earlier balance is of another moment or branch: its cost is that of other records."""
    told = earlier.certificate
    if told.get("as_of") != state.as_of.isoformat() or told.get("branch") != branch:
        local, then = state.settings.calendar.local_text, str(told.get("as_of"))
        with suppress(ValueError):  # what stands in a file may be no moment
            then = local(datetime.fromisoformat(then))
        raise Refused(message("quote.other_moment", then=then, now=local(state.as_of)))


# the cleared plan --------------------------------------------------------------------------------


def _as_quantities(orders: pa.Table) -> pa.Table:
    return orders.rename_columns(["to_site" if name == "site" else name for name in orders.column_names])


def _started(market: Market, rows: pa.Table, keys: pa.ChunkedArray, column: str) -> FloatArray:
    """(way, bucket) units started; rows of other ways and days are left out."""
    if not market.places.stock_points:  # an order may name the site of its line
        keys = pc.replace_substring_regex(keys, r"\t[^\t]*\t[^\t]*$", "\t\t")
    units = units_of_break(rows) if "started_units" in rows.column_names else rows[column].to_numpy()
    way = ways_of_rows(market, keys, rows["start"], units)
    starts, day = day_numbers(market.bucket_starts), rows["start"].cast(pa.int32()).to_numpy()
    t = np.searchsorted(starts, day, side="right") - 1
    known = (way >= 0) & (t >= 0)
    started = np.zeros(market.ways.is_open.shape)
    np.add.at(started, (way[known], t[known]), rows[column].to_numpy()[known])
    return started


# the quote ---------------------------------------------------------------------------------------


def _tables(cleared: Cleared, product: int, due: int, state: State) -> dict[str, pa.Table]:
    market = cleared.market
    options = cleared.options(product, due)
    best = next((o.price for o in options if o.arrive <= due), None)
    rows = []
    for option in options:
        planned = 0.0
        if option.way >= 0:
            planned = float(cleared.started[option.way, option.start] * market.ways.yield_share[option.way])
        more = None if best is None else option.price - best
        rows.append(_row(market, option, state) | {"more_than_best": more, "planned_units": planned})
    weeks = []
    for t in range(due, market.buckets):
        option = cleared.best(product, t)
        row = {} if option is None else _row(market, option, state)
        weeks.append({"bucket": market.bucket_starts[t]} | row)
    return {
        "alternatives": pa.Table.from_pylist(rows, schema=ALTERNATIVES_SCHEMA),
        "weeks": pa.Table.from_pylist(weeks, schema=WEEKS_SCHEMA),
    }


def _row(market: Market, option: Option, state: State) -> dict[str, Any]:
    index = max(option.way, option.instead)
    way = market.ways.facts[index] if index >= 0 else None
    scarce = option.scarce
    kind = "displace" if option.late > NOTHING else "stock"
    if option.way >= 0:
        kind = market.ways.facts[option.way].told_kind
    return {
        "kind": kind,
        "recipe": None if way is None else way.recipe,
        "offer": None if way is None else way.offer,
        "lane": None if way is None else way.lane,
        "from_site": None if way is None or way.kind != "move" else way.from_site or None,
        "line": None if way is None or way.line in market.places.shared else way.line,
        "start": _begins(market, option, state) if option.way >= 0 else None,
        "arrives": _arrival(market, option, state),
        "price_per_unit": option.price,
        "own_cost": option.own,
        "material_cost": option.materials,
        "hours_premium": option.hours,
        "material_premium": option.scarce_materials,
        "holding_cost": option.holding,
        "late_cost": option.late,
        "rules_cost": option.other,
        "scarce": None if scarce is None else scarce.name,
        "scarce_what": None if scarce is None else scarce.what,
        "scarce_bucket": None if scarce is None else market.bucket_starts[scarce.bucket],
        "scarce_price": None if scarce is None else scarce.price,
    }


def _begins(market: Market, option: Option, state: State) -> date:
    """The first day on which an option's way starts in its bucket."""
    start, course = market.bucket_starts[option.start], market.ways.facts[option.way].course
    first = max(start, state.today)
    found = None if course is None else course.first_start(first, state.settings.calendar.shift(start, 1))
    return found or first


def _arrival(market: Market, option: Option, state: State) -> date:
    """The day on which it is there and counted: a bucket that has begun counts nothing more that comes. Of a bucket
    without an open day for it, the last one before. What comes anyway arrives like what makes up for it."""
    counted, index = market.bucket_starts[option.arrive], max(option.way, option.instead)
    way, there = (market.ways.facts[index] if index >= 0 else None), state.today
    if way is not None and option.way >= 0:
        there = there_after(way, _begins(market, option, state))
    day = max(there, counted)
    days = None if way is None or way.course is None else way.course.arrives
    if days is None:
        return day
    end = state.settings.calendar.shift(counted, 1).toordinal()
    found = days.next(day.toordinal())
    if day.toordinal() < end and (found is None or found >= end):
        found = days.last(end - 1, there.toordinal()) or found
    return day if found is None else date.fromordinal(found)


def _summary(
    cleared: Cleared, product: int, due: int, order: Order, item: Item, weeks: pa.Table, state: State
) -> dict[str, Any]:
    market = cleared.market
    normal = cleared.normal_price(product)
    has_normal = bool(np.isfinite(normal))
    best = [cleared.best(product, t) for t in range(market.buckets)]
    usual = [o for o in best if o is not None and has_normal and o.price <= normal * (1 + SAME_SHARE) + NOTHING]
    possible = [o for o in best if o is not None]
    row, at_due = weeks.slice(0, 1).to_pylist()[0], best[due]
    holds = cleared.holds_units(product, due)
    return {
        "product": item.product,
        "market": item.market,
        "units": order.units,
        "due": order.due.isoformat(),
        **{name: _plain(row[name]) for name, _ in OPTION_FIELDS},
        "scarcity_premium": None if at_due is None else at_due.scarcity,
        "money": None if at_due is None else at_due.price * order.units,
        "marginal_price": _plain(row["price_per_unit"]),
        "marginal": True,
        "served": True,
        "normal_price": normal if has_normal else None,
        "earliest_normal": _arrival(market, usual[0], state).isoformat() if usual else None,
        "earliest": _arrival(market, possible[0], state).isoformat() if possible else None,
        "earliest_price": possible[0].price if possible else None,
        "holds_units": holds if np.isfinite(holds) else None,
    }


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


# the exact difference ----------------------------------------------------------------------------


def with_units(demand: Forecast, item: Item, bucket: int, units: float) -> Forecast:
    """Demand with so many units more of an item, on every path; an item that is new is given."""
    if item in demand.items:
        paths = demand.paths.copy()
        paths[demand.items.index(item), :, bucket] += units
        return replace(demand, paths=paths)
    own = np.zeros((1, *demand.paths.shape[1:]))
    own[0, :, bucket] = units
    return Forecast(
        items=(*demand.items, item),
        bucket_starts=demand.bucket_starts,
        paths=np.concatenate([demand.paths, own]),
        method=(*demand.method, "given"),
        backtest_windows=np.append(demand.backtest_windows, 0),
        prior=np.append(demand.prior, False),
    )


def _exact(
    begun: Head,
    order: Order,
    item: Item,
    due: int,
    base: _Base,
    door: Door,
    limits: Limits,
    on_progress: OnProgress,
) -> dict[str, Any]:
    """Clears again with the order among the demand, and gives what it costs more, between what the two gaps allow."""
    with_it = _with_order(begun, order, item, due)
    market = pack(with_it.state, with_it.demand, with_it.learnt, with_it.where)
    clearing = clear(market, with_it.demand, door, limits, on_progress, warm_prices(market, base.prices))
    money = clearing.total_cost - base.cost
    low = high = None
    if base.bound is not None and np.isfinite(clearing.lower_bound):
        low = clearing.lower_bound - base.cost
        high = clearing.total_cost - base.bound
    changed = {
        f"{whose}_{name}": _total(clearing.gaps, name, item, whose) - _total(base.gaps, name, item, whose)
        for whose in ("own", "other")
        for name in ("late_units", "lost_units")
    }
    costs = {"cost_without": base.cost, "cost_with": clearing.total_cost, "money_low": low, "money_high": high}
    return {"money": money, "money_per_unit": money / order.units, **costs, **changed}


def _total(gaps: pa.Table, column: str, item: Item, whose: str) -> float:
    is_own = pc.equal(gaps["product"], item.product)
    return float(pc.sum(gaps.filter(is_own if whose == "own" else pc.invert(is_own))[column]).as_py() or 0.0)
