"""`datong balance`: the market of a chain cleared by itself, with its certificate and what changed since the last."""

import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.balance.arrays import Market
from datong.balance.avoidable import unavoidable_cost
from datong.balance.clearing_tables import (
    GAPS_SCHEMA,
    PRICES_SCHEMA,
    QUANTITIES_SCHEMA,
    row_keys,
    units_of_break,
    ways_of_rows,
)
from datong.balance.pack import pack
from datong.balance.solution import USUAL_LIMITS, Limits, OnProgress, never_stop
from datong.balance.solvers import Cleared, Door, cleared
from datong.balance.warm_start import known_share, warm_prices
from datong.cycle import USUAL, Decision, Head, decide, head, written
from datong.ledger.products_held_back import held_back, lacking
from datong.ledger.state import State
from datong.model.calendar import Calendar
from datong.model.findings import Finding
from datong.model.flow import Clearing, FloatArray, Item, Learnt, Plan
from datong.model.settings import ChainSettings
from datong.network.horizon import day_numbers
from datong.plan.days_within_bucket import last_working_day
from datong.questions.result_table import Frame
from datong.questions.tables_out import product_names

CERTIFICATE = "certificate.json"
_ORDERS = ("kind", "product", "recipe", "offer", "line", "start", "due", "units", "cost_per_unit", "price_share")
ORDERS_SCHEMA = pa.schema(
    [QUANTITIES_SCHEMA.field(name) for name in (*_ORDERS, "lane", "from_site")] + [("site", pa.string())]
)
# What an earlier balance is read for.
PRICES_READ = pa.schema([PRICES_SCHEMA.field(name) for name in ("what", "name", "bucket", "price")])
_GAPS = ("product", "market", "bucket", "served_units", "late_units", "lost_units", "refused_units")
GAPS_READ = pa.schema([GAPS_SCHEMA.field(name) for name in _GAPS])
CHANGES_SCHEMA = pa.schema(
    [
        ("change", pa.string()),
        ("kind", pa.string()),
        ("product", pa.string()),
        ("recipe", pa.string()),
        ("offer", pa.string()),
        ("lane", pa.string()),
        ("start", pa.date32()),
        ("units_before", pa.float64()),
        ("units_after", pa.float64()),
        ("units_change", pa.float64()),
        ("money_change", pa.float64()),
    ]
)
# Of an order's units a smaller part is rounding of a solver.
NOTHING_CHANGED = 1e-6


@dataclass(frozen=True, eq=False)
class Earlier:
    """What an earlier balance wrote into a folder."""

    orders: pa.Table
    prices: pa.Table
    gaps: pa.Table
    certificate: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class BalanceResult:
    """One clearing: its moment, its tables by name, and its certificate (what `certificate.json` holds).

    orders: kind (make, buy, move), product, recipe, offer, line, start, due, units (started: of them the yield
    arrives), cost_per_unit (money, without components, which have orders of their own; of lots with the set-up),
    price_share (money per unit that scarce things add; null for lots). Units are fractions where the chain states no
    lots.
    prices, gaps: see docs/balance.md. changes (with an earlier balance): change (added, changed, dropped), units before
    and after, money_change.
    """

    as_of: datetime
    settings: ChainSettings
    tables: Mapping[str, pa.Table]
    certificate: Mapping[str, Any]
    findings: tuple[Finding, ...] = ()

    @property
    def orders(self) -> Frame:
        """What to make and buy, in units that arrive."""
        return Frame("orders", self.tables["orders"])

    @property
    def prices(self) -> Frame:
        """What one more hour of a line, or unit of a stock, offer or component, would save, in money."""
        return Frame("prices", self.tables["prices"])

    @property
    def gaps(self) -> Frame:
        """Demand by product, market and bucket in units: served, late, lost, and what stands in the way."""
        return Frame("gaps", self.tables["gaps"])


def clear(
    state: State,
    learnt: Learnt,
    seed: int,
    *,
    branch: str | None = None,
    door: Door = "auto",
    limits: Limits = USUAL_LIMITS,
    earlier: Earlier | None = None,
    whole: bool = False,
    on_stage: Callable[[str], None] = lambda _stage: None,
    on_progress: OnProgress = never_stop,
) -> BalanceResult:
    """Clears the market of a state by itself: its orders, what is scarce, and how far they are from the best.

    branch: the what-if that the state is of, for the certificate. earlier: a balance whose prices are the start, and to
    whose orders the difference is given. whole: lots and whole units, also where the chain states none. Raises NoPlan
    where a door was stopped before it had any plan, and where locked orders cannot run.
    """
    watch, steps = _Watch(on_progress), _Steps(on_stage)
    solving: list[float] = []

    def clear_market(begun: Head) -> Cleared:
        market = pack(begun.state, begun.demand, begun.learnt, begun.where)
        start = None if earlier is None else warm_prices(market, earlier.prices)
        began = time.monotonic()
        found = cleared(market, door, limits, watch, start)
        solving.extend((began, time.monotonic() - began))
        return found

    begun = head(state, learnt, seed, steps.begin)
    decision = decide(
        begun,
        replace(USUAL, balance=clear_market),
        whole or None,
        limits,
        watch,
        steps.begin,
        lambda market: watch.on_turn(solving[0], limits, market.bound),
    )
    steps.end()
    given_out, market = decision.given_out, decision.market.market
    gaps = decision.clearing.gaps
    if decision.chosen is None:
        orders = orders_in_fractions(given_out, decision.clearing, state.settings.calendar)
    else:
        plan = written(begun, decision)
        orders, gaps = orders_of_plan(plan), plan.gaps
    tables = {
        "orders": orders,
        "prices": decision.clearing.prices,
        "gaps": gaps,
        "deliveries": decision.clearing.deliveries,
        "flow": decision.clearing.flow,
        "stock_limits": decision.clearing.stock_limits,
        "hours": decision.clearing.hours,
        "money": decision.clearing.money,
        "products": product_names(state),
    }
    if decision.chosen is not None:
        tables["clearing"] = decision.clearing.quantities
    certificate = _certificate(decision, unavoidable_cost(market), steps.seconds)
    certificate |= {"stopped": watch.reason(certificate, limits, solving[1]), "as_of": state.as_of.isoformat()}
    certificate |= {"whole": decision.chosen is not None, "orders": orders.num_rows, "branch": branch}
    certificate |= {"futures": int(begun.demand.paths.shape[1]), "in_lots": given_out.lots is not None}
    certificate["held_back"] = lacking(state, held_back(state, begun.demand.bucket_starts))
    if earlier is not None:
        tables["changes"] = changed_orders(earlier.orders, orders)
        certificate |= _change(earlier.certificate, certificate, tables["changes"])
        certificate["earlier_known_share"] = known_share(market, earlier.prices)
    certificate["peak_memory_mb"] = peak_memory_mb()
    return BalanceResult(state.as_of, state.settings, tables, certificate, decision.findings)


class _Steps:
    """Tells which step begins, and keeps the seconds of each."""

    def __init__(self, on_stage: Callable[[str], None]) -> None:
        self._on_stage = on_stage
        self.seconds: dict[str, float] = {}
        self._running: tuple[str, float] | None = None

    def begin(self, name: str) -> None:
        self.end()
        self._on_stage(name)
        self._running = (name, time.monotonic())

    def end(self) -> None:
        if self._running is not None:
            name, began = self._running
            self.seconds[name] = time.monotonic() - began
        self._running = None


class _Watch:
    """Passes progress on, and remembers whether it was told to stop."""

    def __init__(self, on_progress: OnProgress) -> None:
        self._on_progress = on_progress
        self._asked = False
        self._late = False

    def __call__(self, seconds: float, iteration: int, cost: float | None, bound: float) -> bool:
        self._asked |= not self._on_progress(seconds, iteration, cost, bound)
        return not self._asked

    def on_turn(self, began: float, limits: Limits, bound: float | None) -> Callable[[int], bool]:
        """Whether lots may take another turn: they share the time that the search began to use up."""

        def goes_on(turns: int) -> bool:
            seconds = time.monotonic() - began
            self._late |= limits.time_limit_s is not None and seconds >= limits.time_limit_s
            return self(seconds, turns, None, -math.inf if bound is None else bound) and not self._late

        return goes_on

    def reason(self, certificate: Mapping[str, Any], limits: Limits, seconds: float) -> str:
        """Why the door ended: 'gap', 'asked' (Ctrl-C), 'time', 'lots' (to the gap, which lots, set-ups and whole units
        then widened), or 'end': it found no better plan."""
        if self._asked:
            return "asked"
        share = certificate["gap_share_of_avoidable"]
        if share is None:  # nothing can be avoided
            share = certificate["gap_share"]
        if share is not None and share <= limits.gap_share:
            return "gap"
        if self._late:
            return "time"
        cleared, bound = certificate["cleared_cost"], certificate["lower_bound"]
        if bound is not None and certificate["total_cost"] != cleared:
            avoidable = max(cleared - certificate["unavoidable_cost"], 0.0)
            if cleared - bound <= limits.gap_share * avoidable + 1e-9 * abs(cleared):
                return "lots"
        return "time" if limits.time_limit_s is not None and seconds >= limits.time_limit_s else "end"


def orders_of_plan(plan: Plan) -> pa.Table:
    """The orders of a plan in lots, as a run gives them out: in units started, each at its own cost, its set-up
    included. An hour's price says nothing of a lot, so `price_share` is null."""
    rows = [
        {name: getattr(order, name) for name in ORDERS_SCHEMA.names if hasattr(order, name)}
        | {"cost_per_unit": order.cost / order.units}
        for order in plan.orders
    ]
    return pa.Table.from_pylist(rows, schema=ORDERS_SCHEMA)


def orders_in_fractions(given_out: Cleared, clearing: Clearing, calendar: Calendar) -> pa.Table:
    """What a market without lots starts, in units started, each at its own cost; what is made is due as in a plan in
    lots: on the last working day of the bucket in which it is there."""
    market = given_out.market
    rows = clearing.quantities.filter(pc.not_equal(clearing.quantities["kind"], "serve"))
    way = ways_of_rows(market, row_keys(rows), rows["start"], units_of_break(rows))
    started, arriving = rows["started_units"].to_numpy(), rows["units"].to_numpy()
    is_made = pc.equal(rows["kind"], "make")
    buckets = pc.unique(rows["due"])
    days = pa.array([last_working_day(day, 0, calendar) for day in buckets.to_pylist()], pa.date32())
    finished = days.take(pc.index_in(rows["due"], buckets).combine_chunks())
    places = (market.ways.facts[w].place for w in way.tolist())
    made = (p if place is None else place[2] for p, place in zip(rows["product"].to_pylist(), places, strict=True))
    own = {
        "product": pa.array(made, pa.string()),
        "units": started,
        "due": pc.if_else(is_made, finished, rows["due"]),
        "cost_per_unit": market.ways.cost[way],
        "price_share": rows["price_share"].to_numpy() * arriving / started,
    }
    rows = rows.rename_columns(["site" if name == "to_site" else name for name in rows.column_names])
    return pa.table({f: own[f] if f in own else rows[f] for f in ORDERS_SCHEMA.names}, schema=ORDERS_SCHEMA)


def units_of_demand(market: Market, gaps: pa.Table, column: str) -> FloatArray:
    """(demanded, bucket) a column of gaps, all markets together; of a product with classes all of it in the first.

    What is not of the market's products and buckets is left out.
    """
    at: dict[str, int] = {}
    for d, p in enumerate(market.demand.product):
        at.setdefault(market.products.names[p], d)
    items = zip(gaps["product"].to_pylist(), gaps["market"].to_pylist(), strict=True)
    d = np.array([at.get(market.places.label_of(Item(*item)), -1) for item in items], dtype=np.int64)
    starts, day = day_numbers(market.bucket_starts), gaps["bucket"].cast(pa.int32()).to_numpy()
    t = np.minimum(np.searchsorted(starts, day), len(starts) - 1)
    known = (d >= 0) & (starts[t] == day)
    units = np.zeros(market.demand.sure.shape)
    np.add.at(units, (d[known], t[known]), gaps[column].to_numpy()[known])
    return units


def _certificate(decision: Decision, unavoidable: float, seconds: Mapping[str, float]) -> dict[str, Any]:
    """What is certain of the orders: their cost, the bound below it, and the gap as shares of cost and of its avoidable
    part. Null where it is not known. market_bound: that of the market without lots, cleared_cost its plan's."""
    given_out = decision.given_out
    cost = given_out.outcome.cost
    bound = given_out.bound if math.isfinite(given_out.bound) else None
    total = given_out.total_cost
    gap = None if bound is None else max(total - bound, 0.0)
    gross = sum(money for money in cost.values() if money > 0)
    avoidable = max(total - unavoidable, 0.0)
    return {
        "door": given_out.solution.door,
        "cost": cost,
        "total_cost": total,
        "lower_bound": bound,
        "market_bound": given_out.market_bound if math.isfinite(given_out.market_bound) else None,
        "gap": gap,
        "gap_share": None if gap is None else gap / gross if gross > 0 else 0.0,
        "unavoidable_cost": unavoidable,
        "avoidable_cost": avoidable,
        "gap_share_of_avoidable": None if gap is None or not avoidable else gap / avoidable,
        "cleared_cost": decision.market.total_cost,
        "iterations": given_out.solution.iterations,
        "seconds": {name: round(s, 3) for name, s in seconds.items()},
    }


def peak_memory_mb() -> float | None:
    """Most memory that the process has held so far; None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(most / (1e6 if sys.platform == "darwin" else 1e3), 1)


# what changed ------------------------------------------------------------------------------------


def changed_orders(before: pa.Table, after: pa.Table) -> pa.Table:
    """Orders of one way and start day that are new, gone, or of other units; by start, product, kind and name.

    money_change: what their units cost more, at each one's own cost_per_unit.
    """
    kinds = (("buy", "offer"), ("make", "recipe"), ("move", "lane"))
    parts = [_changed_of(kind, name, before, after) for kind, name in kinds]
    keys = ["start", "product", "kind", "recipe", "offer", "lane"]
    return pa.concat_tables(parts).sort_by([(key, "ascending") for key in keys])


def _changed_of(kind: str, name: str, before: pa.Table, after: pa.Table) -> pa.Table:
    """Changed orders of one kind, which names its ways in the column `name`: a dense table of ways, of a lane each
    product that it carries, and start days."""
    sides = [side.filter(pc.equal(side["kind"], kind)) for side in (before, after)]
    both = pa.concat_tables(sides)
    label = pc.binary_join_element_wise(both[name], both["product"], "\0")
    names = pc.unique(label)
    way = pc.index_in(label, names).to_numpy().astype(np.int64)
    days, day = np.unique(both["start"].cast(pa.int32()).to_numpy(), return_inverse=True)
    cell = way * len(days) + day
    units = both["units"].to_numpy()
    money = units * both["cost_per_unit"].to_numpy()
    cells, cut = len(names) * len(days), sides[0].num_rows
    units_before, units_after, money_before, money_after = (
        np.bincount(cell[part], amount[part], cells)
        for amount in (units, money)
        for part in (slice(0, cut), slice(cut, None))
    )
    other = np.abs(units_after - units_before) > NOTHING_CHANGED * np.maximum(units_before + units_after, 1.0)
    at = np.flatnonzero(other)
    was, now = units_before[at], units_after[at]
    row = np.zeros(cells, dtype=np.int64)
    row[cell] = np.arange(len(cell))  # an order of the way and day, to name it
    named = both.select(["kind", "product", "recipe", "offer", "lane", "start"]).take(pa.array(row[at]))
    return pa.table(
        {
            "change": pa.array(np.where(was <= 0, "added", np.where(now <= 0, "dropped", "changed")), pa.string()),
            **{column: named[column] for column in named.column_names},
            "units_before": was,
            "units_after": now,
            "units_change": now - was,
            "money_change": money_after[at] - money_before[at],
        },
        schema=CHANGES_SCHEMA,
    )


def _change(before: Mapping[str, Any], after: Mapping[str, Any], changes: pa.Table) -> dict[str, Any]:
    """How many orders changed and by how many units, and what the plan costs more than the earlier one."""
    counts: dict[str, Any] = {}
    for word in ("added", "changed", "dropped"):
        own = changes.filter(pc.equal(changes["change"], word))
        units = pc.sum(pc.abs(own["units_change"])).as_py() or 0.0
        counts[word] = {"orders": own.num_rows, "units": units}
    totals = before.get("total_cost"), after["total_cost"]
    money = None if None in totals else totals[1] - totals[0]
    return {"changes": counts, "cost_change": money}
