"""What came back since the last plan: what became of the orders that are out, what was received, returned, counted."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.counter_offer import told_offer
from datong.ledger.order_life import Standing, events_of_table, in_order
from datong.ledger.standings import OPEN_STATES, order_standings, state_of
from datong.ledger.state import State
from datong.model.flow import party
from datong.model.words import Message, message, shown
from datong.network.orders_out import taken_by_counts
from datong.network.position import position
from datong.network.refusals import Refusal, refusals
from datong.network.stock_on_hand import Counts, last_counts
from datong.questions.since.promises_to_customers import shipped_units
from datong.questions.since.rows import NOTHING, Naming, PlanBefore, Row, listed, new_rows

# Counted and recorded stock that differ by less are the same.
SAME_COUNT = 0.5


@dataclass(frozen=True)
class _Order:
    """An order of the ledger, and where it stood at the last plan (None: it was not there) and stands now.

    due_before: the day on which it was due then, None where it was not there.
    """

    row: Mapping[str, Any]
    due_before: date | None
    state_before: str | None
    state: str
    before: Standing
    now: Standing

    @property
    def left(self) -> float:
        return self.row["units"] - self.now.good_units - self.now.scrap_units


def came_back(before: PlanBefore, state: State, naming: Naming) -> list[Row]:
    """Rows by kind, in the order in which they ask for something to be done."""
    orders = _orders(before.state, state)
    rows = [row for order in orders for row in _news(order, state, naming)]
    rows += [_late(order, state, naming) for order in _most_first(o for o in orders if _is_late(o, state))]
    rows += [_due_moved(order, naming) for order in _most_first(o for o in orders if _has_new_day(o))]
    rows += _received(before.state, state, naming)
    rows += _shipped(before.state, state, naming)
    rows += _returned(before, state)
    rows += _fewer_sold(before, naming)
    rows += _counted(before.state, state, naming)
    order = (
        "offered",
        "refused",
        "cancelled",
        "late",
        "new_day",
        "done",
        "corrected",
        "partly",
        "started",
        "accepted",
        "offer_refused",
        "given_out",
        "received",
        "shipped",
        "shipped_unnamed",
        "returned",
        "fewer_sold",
    )
    place = {kind: i for i, kind in enumerate((*order, "counted", "counted_as_recorded"))}
    return sorted(rows, key=lambda row: place[row.kind])


def _most_first(orders: Iterable[_Order]) -> list[_Order]:
    return sorted(orders, key=lambda order: -order.left)


def closed_rows(state: State, from_day: date, naming: Naming) -> list[Row]:
    """A row for each refusal that closes a way from a day on."""
    rows = []
    for no in refusals(state, from_day):
        kind, text = "cancelled" if no.is_cancelled else "refused", _closed_text(no, naming)
        rows.append(Row("closed", kind, text, no.order, no.product, (None, no.units), (None, no.first)))
    return rows


def _closed_text(refusal: Refusal, naming: Naming) -> Message:
    return message(
        f"since.closed_{refusal.rule}",
        who=party(refusal.counterparty or refusal.row),
        order=refusal.order,
        amount=naming.amount(refusal.units, refusal.product),
        product=naming.called(refusal.product),
        way=refusal.row,
        when=naming.when(refusal.first),
        after=refusal.after,
        reason=refusal.why,
        event=refusal.event,
    )


# orders ------------------------------------------------------------------------------------------


def _orders(before: State, now: State) -> list[_Order]:
    """Every order that is there now, by number."""
    rows_before = before.table("orders").select(["order", "due"]).to_pylist()
    were = {row["order"]: row["due"] for row in rows_before}
    stood, stands = order_standings(before), order_standings(now)
    result = []
    for row in sorted(now.table("orders").to_pylist(), key=lambda r: r["order"]):
        order, nothing = row["order"], Standing()
        state_before = state_of(row, stood.get(order)) if order in were else None
        state = state_of(row, stands.get(order))
        result.append(
            _Order(row, were.get(order), state_before, state, stood.get(order, nothing), stands.get(order, nothing))
        )
    return result


def _news(order: _Order, state: State, naming: Naming) -> Iterator[Row]:
    """What is new of one order: the last thing that happened to it, and that fewer units hold than before."""
    row, good = order.row, order.now.good_units
    words = _words(order, naming)
    if good < order.before.good_units - NOTHING:
        text = message("since.corrected", **words, good=shown(good), before=shown(order.before.good_units))
        yield _row(order, "corrected", text)
    if order.now.offer is not None and order.now.offer != order.before.offer:
        told = told_offer(order.now.offer.offer, state.settings.currency)
        who = party(order.now.offer.counterparty or "")
        yield _row(order, "offered", message("since.offered", **words, due=row["due"], who=who, offer=told))
    elif order.state != order.state_before and order.state in ("refused", "cancelled"):
        yield _row(order, order.state, message(f"since.{order.state}", **words, **_told(order, state)))
    elif order.state != order.state_before and order.state == "done":
        done = order.now.happened_at if order.now.state == "done" else order.now.more_at
        day = row["due"] if done is None else state.settings.calendar.local_date(done)
        key = "since.done_late" if day > row["due"] else "since.done"
        yield _row(order, "done", message(key, **words, good=shown(good), due=row["due"], days=(day - row["due"]).days))
    elif good > order.before.good_units + NOTHING or order.state == "partly_done" != order.state_before:
        partly = {"good": shown(good), "before": shown(order.before.good_units)}
        yield _row(order, "partly", message("since.partly", **words, **partly))
    elif order.state not in (order.state_before, "offered") and order.state in OPEN_STATES:
        kind = "given_out" if order.state == "released" else order.state
        if order.state == "released" and order.state_before is not None:
            kind = "offer_refused"
        text = message(f"since.{kind}", **words, start=row["start"], due=row["due"])
        yield _row(order, kind, text)


def _is_late(order: _Order, state: State) -> bool:
    return order.state in OPEN_STATES and order.row["due"] < state.today and order.left > NOTHING


def _late(order: _Order, state: State, naming: Naming) -> Row:
    days = (state.today - order.row["due"]).days
    left, due = shown(order.left), order.row["due"]
    return _row(order, "late", message("since.late", **_words(order, naming), left=left, due=due, days=days))


def _has_new_day(order: _Order) -> bool:
    return order.state in OPEN_STATES and order.due_before not in (None, order.row["due"]) and order.left > NOTHING


def _due_moved(order: _Order, naming: Naming) -> Row:
    days = {"due": order.row["due"], "due_before": order.due_before}
    row = _row(order, "new_day", message("since.new_day", **_words(order, naming), **days))
    return replace(row, day=(order.due_before, order.row["due"]))


def _row(order: _Order, kind: str, text: Message) -> Row:
    """Units: good ones so far, at the last plan and now. Day: due."""
    row, good = order.row, (order.before.good_units, order.now.good_units)
    return Row("came_back", kind, text, row["order"], row["product"], good, (None, row["due"]))


def _words(order: _Order, naming: Naming) -> dict[str, Any]:
    row = order.row
    product = row["product"]
    return {
        "order": row["order"],
        "amount": naming.amount(row["units"], product),
        "product": naming.called(product),
        "begins": message(f"since.begins_{row['kind']}"),
    }


def _told(order: _Order, state: State) -> dict[str, Any]:
    """Who ended an order, and why."""
    rows = state.table("order_events").filter(pc.equal(state.table("order_events")["order"], order.row["order"]))
    events = [e for e in in_order(events_of_table(rows).get(order.row["order"], ())) if e.state == order.state]
    last = events[-1] if events else None
    reason = None if last is None else last.reason
    why = message("facts.reason", reason=reason) if reason else message("facts.no_reason")
    names = [e.counterparty for e in events if e.counterparty]
    by = {"by": message("since.by", who=party(names[-1])) if names else message("since.by_nobody_named")}
    return {"reason": why} | (by if order.state == "refused" else {})


# receipts and counts -----------------------------------------------------------------------------


def _received(before: State, now: State, naming: Naming) -> Iterator[Row]:
    """What came in or was made without the number of a known order, by product."""
    known = now.table("orders")["order"].combine_chunks()
    units: dict[str, float] = {}
    for table, column in (("receipts", "units"), ("production", "good_units")):
        rows = new_rows(before, now, table)
        rows = rows.filter(pc.invert(pc.fill_null(pc.is_in(rows["order"], known), False)))
        sums = rows.group_by("product", use_threads=False).aggregate([(column, "sum")])
        for product, more in zip(sums["product"].to_pylist(), sums[f"{column}_sum"].to_pylist(), strict=True):
            units[product] = units.get(product, 0.0) + more
    for product, more in sorted(units.items()):
        text = message("since.received", amount=naming.amount(more, product), product=naming.called(product))
        yield Row("came_back", "received", text, None, product, (None, more))


def _shipped(before: State, now: State, naming: Naming) -> Iterator[Row]:
    """What was shipped to buyers, by the customer's order; shipments that name none are counted."""
    sent = shipped_units(before, now)
    asked = now.table("demand").select(["demand", "product", "due", "units"])
    asked = asked.filter(pc.is_in(asked["demand"], pa.array(sorted(sent), pa.string())))
    known = set()
    for row in asked.sort_by([("due", "ascending"), ("demand", "ascending")]).to_pylist():
        name, product = row["demand"], row["product"]
        if name in known:
            continue
        known.add(name)
        words = {"name": name, "product": naming.called(product), "amount": naming.amount(row["units"], product)}
        text = message("since.shipped", **words, units=shown(sent[name]), due=row["due"])
        yield Row("came_back", "shipped", text, name, product, (None, sent[name]), (None, row["due"]))
    rows = new_rows(before, now, "shipments")
    to_buyers = rows.filter(pc.and_(pc.is_null(rows["to_site"]), pc.greater(rows["units"], 0.0)))
    named = pc.fill_null(pc.is_in(to_buyers["order"], pa.array(sorted(known), pa.string())), False)
    others = to_buyers.num_rows - (pc.sum(named).as_py() or 0)
    if others:
        yield Row("came_back", "shipped_unnamed", message("since.shipped_unnamed", count=others))


def _returned(before: PlanBefore, now: State) -> Iterator[Row]:
    """Lines of buyers' orders that were returned or refunded since, and how many of them were sold before that plan."""
    rows = new_rows(before.state, now, "returns")
    named, alone = rows.filter(pc.is_valid(rows["sale"])), rows.filter(pc.is_null(rows["sale"]))
    if named.num_rows:
        lines = pc.unique(named["sale"])
        sales = now.table("sales")
        sold = sales.filter(pc.is_in(sales["sale"], lines))
        earlier = len(pc.unique(sold.filter(pc.less_equal(sold["happened_at"], pa.scalar(before.as_of)))["sale"]))
        units = pc.sum(named["units"]).as_py() or 0.0
        words = {"count": len(lines), "units": shown(units)}
        text = (
            message("since.returned", **words, earlier=earlier) if earlier else message("since.returned_new", **words)
        )
        yield Row("came_back", "returned", text, units=(None, units))
    if alone.num_rows:
        units = pc.sum(alone["units"]).as_py() or 0.0
        text = message("since.returned_alone", count=alone.num_rows, units=shown(units))
        yield Row("came_back", "returned", text, units=(None, units))


def _fewer_sold(before: PlanBefore, naming: Naming) -> Iterator[Row]:
    """Sales that the plan before counted and that were cancelled or corrected to fewer since, by product."""
    for row in before.fewer_sold.to_pylist():
        product, units = row["product"], row["units"]
        words = {"product": naming.called(product), "amount": naming.amount(units, product)}
        text = message("since.fewer_sold", **words, gone=row["gone"], fewer=row["lines"] - row["gone"])
        yield Row("came_back", "fewer_sold", text, None, product, (units, 0.0))


def _counted(before: State, now: State, naming: Naming) -> list[Row]:
    """Products that were counted, those first whose count differs most from what the records said.

    By the records, as by the plan, a count at or after the start of an order has all its components out, also those for
    the part of it that is not made yet.
    """
    fresh = new_rows(before, now, "stock")
    fresh = fresh.filter(pc.is_valid(fresh["units"]))
    if not fresh.num_rows:
        return []
    stock = now.table("stock")
    old = stock.filter(pc.invert(pc.is_in(stock["row_id"], fresh["row_id"].combine_chunks())))
    booked, there = (position(now.with_tables(stock=rows)).on_hand_units for rows in (old, stock))
    counts = last_counts(now).to_pylist()
    out = taken_by_counts(now, Counts.of(now.with_tables(stock=old)), Counts.of(now))
    places = set(zip(fresh["product"].to_pylist(), fresh["site"].fill_null("").to_pylist(), strict=True))
    rows, same = [], []
    for product in pc.unique(fresh["product"]).to_pylist():
        own = [c for c in counts if c["product"] == product and (product, c["site"]) in places]
        counted = float(sum(c["units"] for c in own))
        begun = out.get(product, {})
        # At the moment of the count.
        recorded = counted - (there.get(product, 0.0) - booked.get(product, 0.0)) - sum(begun.values())
        if abs(counted - recorded) < SAME_COUNT:
            same.append(naming.called(product))
            continue
        words = {"product": naming.called(product), "counted": shown(counted), "recorded": shown(recorded)}
        text = message("since.counted", **words)
        if begun:
            orders = listed(sorted(begun, key=lambda order: (-begun[order], order)))
            text = message("since.counted_begun", **words, orders=orders, units=shown(sum(begun.values())))
        rows.append(Row("came_back", "counted", text, None, product, (recorded, counted)))
    rows.sort(key=lambda row: (-abs((row.units[1] or 0.0) - (row.units[0] or 0.0)), row.product or ""))
    if same:
        names = listed(sorted(same))
        text = message("since.counted_as_recorded", count=len(same), names=names)
        rows.append(Row("came_back", "counted_as_recorded", text))
    return rows
