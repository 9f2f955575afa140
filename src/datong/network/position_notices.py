"""What a planner should know of where the chain stands: what is read otherwise than the records say it, what is
expected, and what cannot be as it is recorded."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.columns import day_number, local_days
from datong.ledger.order_life import Standing
from datong.ledger.products_held_back import COUNTS, named
from datong.ledger.standings import OPEN_STATES, order_standings, state_of
from datong.ledger.state import REFUSED, State
from datong.model.findings import Finding, finding
from datong.model.flow import Learnt
from datong.model.words import Message, amount, message, shown
from datong.network.committed import Committed, PutOff, committed
from datong.network.facts import ChainFacts, chain_facts, located
from datong.network.forecast_netting import netted
from datong.network.learnt_told import learnt_notices
from datong.network.orders_out import UnderWay, orders_out
from datong.network.overdue_arrivals import Expected, expected_arrivals
from datong.network.owed import past_firm_rows, sales_served_ahead
from datong.network.position import Position, position
from datong.network.sales_recorded_until import quiet_since, sales_end
from datong.network.sent_to_buyers import (
    first_sent_day,
    old_sales_waiting,
    sales_before_shipments,
    ships_to_buyers,
)
from datong.network.site_transfers import sent_by_shipments
from datong.network.stock_on_hand import (
    Counts,
    booked_without_order,
    last_counts,
    not_counted_again,
    unbooked_done,
)
from datong.network.ways import Way

# Orders that are told one by one; the others are counted.
ORDERS_TOLD = 10
# Of fewer orders four out of five are all of them.
FEWEST_FIFTHS = 5
# Ordered and good units that differ by less are the same.
SAME_UNITS = 0.005


def position_notices(state: State, learnt: Learnt, where: Position | None = None) -> tuple[Finding, ...]:
    """Everything that there is to say. where: the state's position, where it is at hand."""
    where, stands = where or position(state), order_standings(state)
    found = _Found(state, learnt, where)
    out = orders_out(state, stands, Counts.of(state))
    return (
        *_sales_end(state),
        *_refused_counts(state),
        *_counts_below_nothing(state),
        *_not_counted_again(state),
        *_expired(where),
        *_firm_rows(state, where),
        *_unexplained(where),
        *_old_sales(state),
        *_overdue(found, out),
        *learnt_notices(state, learnt),
        *_put_off(found),
        *_not_begun(found),
        *_orders(found, stands, out),
    )


@dataclass(frozen=True, eq=False)
class _Found:
    """What the notices look at. where: the state's position, by product."""

    state: State
    learnt: Learnt
    where: Position

    @cached_property
    def starts(self) -> Sequence[date]:
        """Starts of the open buckets."""
        settings = self.state.settings
        return settings.calendar.starts(self.state.first_open_bucket, settings.horizon_buckets)

    @cached_property
    def facts(self) -> ChainFacts:
        """Worked out only where a notice needs them."""
        return chain_facts(self.state, self.starts, self.learnt)

    @cached_property
    def committed(self) -> Committed:
        settings = self.state.settings
        return committed(self.facts, self.where, self.starts, settings.calendar, settings.frozen_buckets)

    @cached_property
    def comes(self) -> Mapping[str, date]:
        """The day on which a purchase that is out is there, of a chain with calendars."""
        if not self.state.table("calendars").num_rows:
            return {}
        bought = {o.order for o in self.where.under_way if o.kind == "buy"}
        return {one.order: one.day for one in self.committed.comes if one.order in bought}

    @cached_property
    def way_of(self) -> Mapping[str, Way]:
        """The way of each order that is out, where the chain knows it."""
        ways = {w.name: w for w in self.facts.ways}
        orders = located(self.facts, self.where).under_way
        return {o.order: ways[o.recipe] for o in orders if o.recipe in ways}

    @cached_property
    def to_be_had(self) -> frozenset[str]:
        """Products that a recipe, an offer or a lane can bring."""
        return frozenset(self.facts.product_of(way.product) for way in self.facts.ways)


# sales ---------------------------------------------------------------------------------------------


def _sales_end(state: State) -> Iterator[Finding]:
    """The records of sales end before the plan begins: neither demand nor stock knows what was sold since."""
    end = sales_end(state)
    figures: dict[str, Any]
    if end is not None:
        figures = {"last": f"{end.day}", "today": f"{state.today}"}
        figures["days"] = (state.today - end.day).days - 1
        yield finding("warning", "position.sales_end", "sales", column="happened_at", **figures)
    quiet = quiet_since(state)
    if quiet is not None:
        last, buckets = quiet
        key = f"position.sales_quiet_{state.settings.calendar.unit}"
        figures = {"last": f"{last}", "today": f"{state.today}", "buckets": buckets}
        yield finding("warning", key, "sales", column="happened_at", **figures)


# stock ---------------------------------------------------------------------------------------------


def _refused_counts(state: State) -> Iterator[Finding]:
    """Counts that were refused, while an older one of the product, or none, is in force."""
    refused = state.table(REFUSED)
    refused = refused.filter(pc.equal(refused["table"], COUNTS))
    if not refused.num_rows:
        return
    products, calendar = set(state.table("products")["product"].to_pylist()), state.settings.calendar
    stock = state.table("stock")
    stock = stock.filter(pc.is_valid(stock["units"]))
    last = stock.group_by("product").aggregate([("happened_at", "max")])
    moments = zip(last["product"].to_pylist(), last["happened_at_max"].to_pylist(), strict=True)
    counted = {product: calendar.local_date(moment) for product, moment in moments}
    told: dict[str, tuple[date | None, int | None]] = {}
    for row in refused.to_pylist():
        cells = json.loads(row["raw"])
        product, day = str(cells.get("product") or "").strip(), _day(cells.get("happened_at"))
        before = counted.get(product, date.min)
        if product in products and (day is None or day > state.today or day >= before):
            told.setdefault(product, (day, row["row"]))
    for product, (day, number) in sorted(told.items())[:ORDERS_TOLD]:
        holds = (
            message("position.no_count") if product not in counted else message("position.count", day=counted[product])
        )
        figures: dict[str, Any] = {"product": product, "day": day or message("position.no_day"), "holds": holds}
        yield finding("warning", "position.refused_count", "stock", row=number, **figures)
    rest = sorted(told)[ORDERS_TOLD:]
    if rest:
        yield finding("warning", "position.refused_counts", "stock", count=len(rest), products=named(rest))


def _day(text: object) -> date | None:
    try:
        return date.fromisoformat(str(text).strip()[:10])
    except ValueError:
        return None


def _counts_below_nothing(state: State) -> Iterator[Finding]:
    counts = last_counts(state)
    below = counts.filter(pc.less(counts["units"], 0.0)).sort_by([("product", "ascending"), ("site", "ascending")])
    if not below.num_rows:
        return
    names = named(f"{row['product']} {amount(row['units'])}" for row in below.to_pylist())
    key = "position.counted_below_nothing"
    yield finding("warning", key, "stock", column="units", count=below.num_rows, names=names)


def _not_counted_again(state: State) -> Iterator[Finding]:
    """Lots, bins and days of expiry that were counted on the day of the last count, and not again at its last time."""
    rows = not_counted_again(state)
    if not rows:
        return
    names = named(
        " ".join(
            [
                row["product"] + (f" @ {row['site']}" if row["site"] else ""),
                *(str(row[name]) for name in ("lot", "bin", "expires_on") if row[name] is not None),
                f"{amount(row['units'])}/{amount(row['counted'])}",
            ]
        )
        for row in rows
    )
    yield finding("warning", "position.not_counted_again", "stock", count=len(rows), names=names)


def _expired(where: Position) -> Iterator[Finding]:
    """Counted units that are no stock, since the plan's first bucket ends after their day of expiry."""
    gone = [
        f"{product}{f' ({site})' if site else ''} {amount(units)} ({day})"
        for (product, site), lots in sorted(where.expiring.gone.items())
        for day, units in lots
    ]
    if gone:
        count, names = len(gone), named(gone)
        yield finding("warning", "position.expired", "stock", column="expires_on", count=count, names=names)


# demand --------------------------------------------------------------------------------------------


def _firm_rows(state: State, where: Position) -> Iterator[Finding]:
    rows = where.firm_rows
    if rows:
        names = named(f"{r.demand} ({amount(r.units)} {r.item.product}, {r.due})" for r in rows)
        units = amount(sum(r.units for r in rows))
        key = "position.firm_overdue" if ships_to_buyers(state) else "position.firm_overdue_unshipped"
        yield finding("warning", key, "demand", column="due", count=len(rows), units=units, names=names)
    if ships_to_buyers(state):
        return  # old rows may be served: that is told by no row alone
    days = state.settings.max_late_days
    past = past_firm_rows(state)
    waited = day_number(state.today) - past["due"].cast(pa.int32()).to_numpy()
    waits = pc.fill_null(past["max_late_days"], days)
    is_gone = pa.array(waited > waits.to_numpy())
    gone = past.append_column("waits", waits).filter(is_gone).sort_by([("due", "ascending"), ("demand", "ascending")])
    for most in sorted(set(gone["waits"].to_pylist()), reverse=True):
        own = gone["demand"].filter(pc.equal(gone["waits"], most)).to_pylist()
        yield finding(
            "note", "position.firm_given_up", "demand", column="due", count=len(own), days=most, names=named(own)
        )


def _old_sales(state: State) -> Iterator[Finding]:
    """Sales that are taken as served with no shipment of them, and those from before the first one that are not; of
    both those that could be owed today."""
    day = first_sent_day(state)
    told = {"position.old_sales": sales_before_shipments, "position.old_sales_wait": old_sales_waiting}
    if day is None:
        told = {"position.served_at_once": sales_served_ahead}
    oldest = day_number(state.today) - state.settings.max_late_days - state.settings.promise_days
    for key, of in told.items():
        rows = of(state)
        rows = rows.filter(pa.array(local_days(rows, state) >= oldest))
        if rows.num_rows:
            units = f"{math.fsum(rows['units'].to_pylist()):,g}"
            count = pc.sum(rows["lines"]).as_py()
            yield finding("note", key, "sales", count=count, units=units, day=day or state.first_open_bucket)


# orders --------------------------------------------------------------------------------------------


def _overdue(seen: _Found, out: Sequence[UnderWay]) -> Iterator[Finding]:
    state = seen.state
    expected = expected_arrivals(state, out)
    late = sorted((o for o in out if o.order in expected), key=lambda o: (o.due, o.order))
    wanted = _Wanted.of(state, seen.where)
    for order in late[:ORDERS_TOLD]:
        found = expected[order.order]
        figures: dict[str, Any] = {
            "kind": message(f"position.kind.{order.kind}"),
            "order": order.order,
            "units": amount(order.units),
            "product": order.product,
            "due": order.due,
            "day": seen.comes.get(order.order, found.day),
            "why": _why(found, seen.comes.get(order.order, found.day)),
            "short": wanted.without(order, order.product in seen.to_be_had),
        }
        yield finding("warning", "position.order_overdue", "orders", column="due", **figures)
    rest = [f"{o.order} ({o.due})" for o in late[ORDERS_TOLD:]]
    if rest:
        yield finding("warning", "position.orders_overdue", "orders", column="due", count=len(rest), orders=named(rest))
    begun = sorted(o.order for o in out if o.due < state.today and o.order not in expected)
    if begun:
        yield finding("warning", "position.work_overdue", "orders", column="due", count=len(begun), orders=named(begun))


def _why(found: Expected, day: date) -> Message:
    """day: on which the plan counts on it."""
    figures = {"past": found.past_orders, "later": found.later_orders, "days": found.lead_days}
    why = message(f"position.{_by(found)}", **figures)
    return why if day == found.day else message("position.then_open", why=why, day=found.day)


def _by(found: Expected) -> str:
    """Which words say on what a day rests: of fewer than FEWEST_FIFTHS orders the day is the last one's."""
    if found.later_orders:
        if found.later_orders == 1:
            return "by_the_only_later_order" if found.past_orders == 1 else "by_one_later_order"
        return "by_few_later_orders" if found.later_orders < FEWEST_FIFTHS else "by_later_orders"
    if not found.past_orders:
        return "by_lead_time"
    if found.past_orders == 1:
        return "by_one_past_order"
    return "by_few_past_orders" if found.past_orders < FEWEST_FIFTHS else "by_past_orders"


@dataclass(frozen=True)
class _Wanted:
    """By product, in units: asked (owed, or in `demand` for the open buckets), there (in stock), coming (of orders that
    are out)."""

    asked: Mapping[str, float]
    there: Mapping[str, float]
    coming: Mapping[str, float]

    @classmethod
    def of(cls, state: State, where: Position) -> "_Wanted":
        calendar = state.settings.calendar
        first, demand = state.first_open_bucket, netted(state).rows
        end = calendar.shift(first, state.settings.horizon_buckets)
        open_rows = pc.and_(pc.greater_equal(demand["due"], pa.scalar(first)), pc.less(demand["due"], pa.scalar(end)))
        rows = demand.filter(open_rows).group_by("product").aggregate([("units", "sum")])
        asked = dict(zip(rows["product"].to_pylist(), rows["units_sum"].to_pylist(), strict=True))
        for (item, _), units in where.owed_units.items():
            asked[item.product] = asked.get(item.product, 0.0) + units
        coming: dict[str, float] = {}
        for order in where.under_way:
            coming[order.product] = coming.get(order.product, 0.0) + order.units
        return cls(asked, where.on_hand_units, coming)

    def without(self, order: UnderWay, to_be_had: bool) -> Message:
        """What runs short where an order never comes. to_be_had: a recipe, an offer or a lane can bring it again."""
        product, asked = order.product, self.asked.get(order.product, 0.0)
        others = max(self.there.get(product, 0.0), 0.0) + self.coming.get(product, 0.0) - order.units
        short = min(max(asked - others, 0.0), order.units)
        again = "_again" if to_be_had else ""
        if asked <= 0:
            return message(f"position.fewer{again}", units=amount(order.units), product=product)
        key = f"position.short{again}" if short > 0 else "position.not_short"
        return message(key, units=amount(short), asked=amount(asked), product=product)


def _unexplained(where: Position) -> Iterator[Finding]:
    """What was sent of late without an order's number, while firm rows are due soon: none of it is taken off these."""
    sent = where.unexplained_units
    if sent:
        what = named(f"{amount(units)} {item.product}" for item, units in sent.items())
        yield finding("warning", "position.sent_unexplained", "shipments", column="order", what=what)


def _put_off(seen: _Found) -> Iterator[Finding]:
    """Orders that begin, or arrive, later than they say. Only looked for where orders still take something."""
    where = seen.where
    if not any(order.recipe is not None or order.lane is not None for order in where.under_way):
        return
    starts, facts = seen.starts, seen.facts
    late = seen.committed.put_off
    for one in late[:ORDERS_TOLD]:
        figures: dict[str, Any] = {
            "order": one.order.order,
            "units": amount(one.order.units),
            "product": facts.product_of(one.order.product),
            "start": one.order.start,
            "due": one.order.due,
            "lacks": _lacks(one, facts.shared, facts.product_of(one.component or "")),
            "instead": _instead(one, starts),
        }
        yield finding("warning", "position.starts_late", "orders", column="start", **figures)
    if len(late) > ORDERS_TOLD:
        names = named(one.order.order for one in late[ORDERS_TOLD:])
        count = len(late) - ORDERS_TOLD
        yield finding("warning", "position.start_late", "orders", column="start", count=count, orders=names)


def _not_begun(seen: _Found) -> Iterator[Finding]:
    """Work and transfers that should have begun, of which no start is reported, and what is not yet sent of transfers
    that shipments tell of: the plan has them begin now."""
    today = seen.state.today
    idle = [o for o in seen.where.under_way if o.kind != "buy" and o.stage != "begun" and o.start < today]
    in_part = sent_by_shipments(seen.state)
    rest = sorted((o for o in idle if o.order in in_part), key=lambda o: (o.start, o.order))
    if rest:
        names = named(f"{o.order} ({amount(o.units)} {o.product})" for o in rest)
        yield finding("note", "position.rest_not_sent", "shipments", count=len(rest), orders=names)
    idle = [o for o in idle if o.order not in in_part]
    if not idle:
        return
    hours = {o.order: _hours(o, seen.way_of.get(o.order), seen.facts.line_hours) for o in idle}
    idle.sort(key=lambda o: (o.start, o.order))
    names = named(f"{o.order} ({o.start}, {amount(o.units)} {o.product}, {amount(hours[o.order])} h)" for o in idle)
    figures: dict[str, Any] = {"count": len(idle), "hours": f"{round(sum(hours.values()), 2):,.10g}", "orders": names}
    yield finding("warning", "position.should_have_begun", "orders", column="start", **figures)


def _hours(order: UnderWay, way: Way | None, line_hours: Mapping[str, Any]) -> float:
    """Hours that an order which has not begun takes of its line; 0 where the chain does not know them."""
    if way is None or order.kind != "make" or (way.line_of(order.line) or "") not in line_hours:
        return 0.0
    return round(way.setup_hours + order.units * way.hours_per_unit, 2)


def _lacks(one: PutOff, shared: Mapping[str, tuple[str, str]], component: str) -> Message:
    if one.line is None:
        return message("position.lacks_component", component=component)
    what, name = shared.get(one.line, ("line", one.line))
    return message("position.lacks_hours" if what == "line" else "position.lacks_lane", name=name)


def _instead(one: PutOff, starts: Sequence[date]) -> Message:
    if one.start is None:
        return message("position.never_starts")
    figures = {"start": starts[one.start], "units": amount(one.units)}
    part = "part_" if one.units < one.order.units else ""
    if one.arrives is None:
        return message(f"position.{part}starts_beyond", **figures)
    return message(f"position.{part}starts_then", arrives=starts[one.arrives], **figures)


def _orders(seen: _Found, stands: Mapping[str, Standing], out: Sequence[UnderWay]) -> Iterator[Finding]:
    """Partial reports, work of which nobody knows how it is made, transfers of which nobody knows where they leave, or
    within the one pool, and done without units."""
    state = seen.state
    rows = {r["order"]: r for r in state.table("orders").to_pylist()}
    partly = [o for o in out if (s := stands.get(o.order)) is not None and s.good_units + s.scrap_units > 0]
    if partly:
        names = named(
            f"{o.order} ({amount(stands[o.order].good_units)} / {amount(rows[o.order]['units'])} {o.product}, {o.due})"
            for o in partly
        )
        left = _left(seen, partly)
        yield finding("note", "position.partly_done", "orders", count=len(partly), orders=names, left=left)
    unknown = [o.order for o in out if o.kind == "make" and o.recipe is None]
    if unknown:
        yield finding(
            "warning", "position.no_recipe", "orders", column="recipe", count=len(unknown), orders=named(unknown)
        )
    yield from _transfers(state, rows, stands, out)
    without = booked_without_order(state)
    done = [
        order
        for order, row in sorted(rows.items())
        if (s := stands.get(order)) is not None
        and state_of(row, s) not in OPEN_STATES
        and unbooked_done(row, s)
        and (row["kind"], row["product"]) not in without
    ]
    if done:
        yield finding("note", "position.done_without_units", "order_events", count=len(done), orders=named(done))


def _transfers(
    state: State, rows: Mapping[str, Mapping[str, Any]], stands: Mapping[str, Standing], out: Sequence[UnderWay]
) -> Iterator[Finding]:
    """Transfers of which nobody knows where they leave; without lanes, those that are still to come: they change
    nothing. rows: of the table `orders`, by number."""
    nowhere = [f"{o.order} ({amount(o.units)} {o.product})" for o in out if o.kind == "move" and o.lane is None]
    if nowhere:
        yield finding("warning", "position.no_lane", "orders", column="lane", count=len(nowhere), orders=named(nowhere))
    if state.table("lanes").num_rows:
        return
    moved = [
        order
        for order, row in sorted(rows.items())
        if row["kind"] == "move"
        and ((now := state_of(row, stands.get(order))) in OPEN_STATES or (row["locked"] and now == "proposed"))
    ]
    if moved:
        yield finding("warning", "position.moved_in_pool", "orders", count=len(moved), orders=named(moved))


def _left(seen: _Found, orders: Sequence[UnderWay]) -> Message:
    """What is still to come of orders: good units, and where a yield makes these fewer than were ordered, both."""
    yields = {order: way.yield_share for order, way in seen.way_of.items()}
    ordered = math.fsum(o.units for o in orders)
    good = math.fsum(o.units * yields.get(o.order, 1.0) for o in orders)
    if abs(ordered - good) < SAME_UNITS:
        return message("position.left", units=shown(good))
    return message("position.left_of_yield", units=shown(good), ordered=shown(ordered))
