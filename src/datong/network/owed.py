"""What is owed to buyers: orders and firm wants that are past due and not served, and what was served ahead of its day.

Two things are owed: sales in state 'ordered', due promise_days after the order, and firm rows of `demand`, due on their
day. A shipment that gives the key of a firm row in `order` serves that row and no other one; one that names another
order serves sales, as far as there are any that it can be of, and no firm row. All others serve the oldest first, item
by item, which wait max_late_days from the day they are due; what finds none serves sales of the next promise_days +
SENT_AHEAD_DAYS days. None serves a firm row that is due today or later, as nobody says that it was sent for it: what
is planned for twice is seen, and what is left out would be short (`unexplained_units` tells). A product that is sent
in market 'all' and not sold or wanted there has one queue for all its markets.

Sales from before the first shipment to a buyer are served, but for those that wait for it (sent_to_buyers.py). A chain
that records no shipments serves every sale at once, so that those due in open buckets are served ahead and no more
asked for; its firm rows stay owed until they are taken out of `demand`. A firm row with the key of a sale is that sale.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.columns import as_day, before_in_group, day_number, local_days, microseconds
from datong.ledger.daily_sales import keys_of_sales
from datong.ledger.standings import LEAST_UNITS
from datong.ledger.state import State
from datong.model.flow import BoolArray, FloatArray, IntArray, Item
from datong.network.sent_to_buyers import (
    MOMENT,
    items_of,
    queues,
    sales_before_shipments,
    sales_since_shipments,
)

# Units that were sent before anyone ordered them serve orders of the next promise_days and so many days more: clocks
# differ and orders are entered late, but what was sent long before was not sent for that order.
SENT_AHEAD_DAYS = 7


@dataclass(frozen=True)
class FirmRow:
    """A firm row of `demand` that is past due: units of it that are still owed. priority: as the row has it, higher is
    served first. max_late_days: after its due day, that it waits at most; None: as all of the chain.
    min_delivery_units: each delivery of it is at least so many; 0: any part. delivery_group: with
    which others it is delivered; '': by itself."""

    demand: str
    item: Item
    due: date
    units: float
    priority: int
    max_late_days: int | None = None
    min_delivery_units: float = 0.0
    delivery_group: str = ""


@dataclass(frozen=True)
class Owed:
    """owed_units by item and due day: due before the first open bucket, not served, not older than max_late_days.
    served_ahead_units by item and due day: due in open buckets and already served. unasked_units by item: sent, and not
    asked for yet. firm_rows: the part of owed_units that firm rows of `demand` are, oldest first. firm_ahead_units by
    key: the part of served_ahead_units that was sent for firm rows of `demand`. unexplained_units by item: sent of late
    without an order's number, asked for by nobody yet, while firm rows are due soon.
    """

    owed_units: Mapping[tuple[Item, date], float] = field(default_factory=dict)
    served_ahead_units: Mapping[tuple[Item, date], float] = field(default_factory=dict)
    unasked_units: Mapping[Item, float] = field(default_factory=dict)
    firm_rows: tuple[FirmRow, ...] = ()
    firm_ahead_units: Mapping[str, float] = field(default_factory=dict)
    unexplained_units: Mapping[Item, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Rows:
    """What waits in the queues, a row each; sales of one item and day are one row.

    item: index into the items. queue: index of the item whose queue it waits in. day: local, of the order: promise_days
    before it is due. units: asked for and not sent by name. sent: units sent by name. firm: position in the firm rows,
    -1 for sales. priority: 0 for sales. waits: units not served.
    """

    item: IntArray
    queue: IntArray
    day: IntArray
    units: FloatArray
    sent: FloatArray
    firm: IntArray
    priority: IntArray
    waits: FloatArray

    def take(self, rows: IntArray | BoolArray) -> "_Rows":
        return _Rows(*(getattr(self, f.name)[rows] for f in fields(self)))

    def __len__(self) -> int:
        return len(self.item)


@dataclass(frozen=True, eq=False)
class _Asked:
    """rows: what waits. sent: what was sent for none of them by name, as item, day and units. of_others: (sent) whether
    it names an order, which is no firm row or had all of it already. keys: of the firm rows.
    most_days: (firm row) days that it waits at most. smallest: (firm row) units of its smallest delivery.
    groups: (firm row) see FirmRow."""

    items: list[Item]
    rows: _Rows
    sent: tuple[IntArray, IntArray, FloatArray]
    of_others: BoolArray
    keys: list[str]
    most_days: IntArray
    smallest: FloatArray
    groups: list[str]


def owed(state: State) -> Owed:
    """See the module."""
    waits, at_once = _waiting(state), _served_at_once(state)
    if not at_once:
        return waits
    ahead = dict(waits.served_ahead_units)
    for key, units in at_once.items():
        ahead[key] = ahead.get(key, 0.0) + units
    return replace(waits, served_ahead_units=dict(sorted(ahead.items())))


def sales_served_ahead(state: State) -> pa.Table:
    """Sales that are due in open buckets and were served from stock as they were made."""
    promise, calendar = timedelta(days=state.settings.promise_days), state.settings.calendar
    first = pa.scalar(calendar.midnight(state.first_open_bucket - promise), MOMENT)
    sales = sales_before_shipments(state)
    return sales.filter(pc.greater_equal(sales["happened_at"], first))


def _served_at_once(state: State) -> dict[tuple[Item, date], float]:
    """Units of `sales_served_ahead` by item and due day."""
    sales = sales_served_ahead(state)
    if not sales.num_rows:
        return {}
    due = local_days(sales, state) + state.settings.promise_days
    item, items = items_of(sales)
    days, at = _days_of(item, due)
    units = np.bincount(at, sales["units"].to_numpy(), len(days)).astype(np.float64)
    return {(items[i], as_day(day)): u for (i, day), u in zip(days.tolist(), units.tolist(), strict=True)}


def _waiting(state: State) -> Owed:
    """What waits for shipments, and firm rows."""
    today, settings = day_number(state.today), state.settings
    asked = _asked(state)
    items, rows = asked.items, asked.rows
    if not len(rows):
        return Owed()
    keep = settings.max_late_days + settings.promise_days + 1  # days from the day of the order
    ahead = settings.promise_days + SENT_AHEAD_DAYS
    sent_item, sent_day, sent_units = asked.sent
    queue_of = queues(items, set(rows.item.tolist()), set(sent_item.tolist()))
    rows = replace(rows, queue=queue_of[rows.item])
    is_ahead = (rows.firm >= 0) & (rows.day + settings.promise_days >= today)
    past, went = rows.take((rows.day <= today) & ~is_ahead), sent_day <= today
    ordered = _by_day(past.queue, past.day, past.units)
    sent = queue_of[sent_item[went]], sent_day[went], sent_units[went]
    of_sales = past.take(past.firm < 0)
    sold = _by_day(of_sales.queue, of_sales.day, of_sales.units)
    out = _by_day(*sent[:2], sent[2] - _of_other_orders(sent, asked.of_others[went], sold, (today, keep, ahead)))
    waiting = waiting_units(ordered, out, len(items), today, keep, ahead)
    unasked = {int(q): -float(waiting[q]) for q in np.flatnonzero(waiting < -LEAST_UNITS)}
    in_turn = _turns(asked.keys)
    own_keep = np.append(asked.most_days, settings.max_late_days) + settings.promise_days + 1
    recent = _left_of_past(past.take(past.day > today - keep), waiting, in_turn)
    # Older ones that may wait longer: what is sent without a name is no longer sent for them.
    patient = past.take((past.day <= today - keep) & (past.day > today - own_keep[past.firm]))
    soon = (rows.day > today) & (rows.day <= today + ahead) & ~is_ahead
    later = rows.take(is_ahead | (rows.day > today + ahead))
    parts = (
        recent.take(recent.day > today - own_keep[recent.firm]),
        replace(patient, waits=patient.units),
        _left_of_soon(rows.take(soon), unasked, in_turn),
        replace(later, waits=later.units),
    )
    due_soon = set(rows.queue[is_ahead & (rows.units > LEAST_UNITS) & (rows.day <= today + ahead)].tolist())
    left = _Rows(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(_Rows)))
    unexplained = {items[q]: units for q, units in unasked.items() if q in due_soon and units > LEAST_UNITS}
    return replace(_told(state, asked, left, unasked), unexplained_units=dict(sorted(unexplained.items())))


def _of_other_orders(
    sent: tuple[IntArray, IntArray, FloatArray], of_others: BoolArray, sold: "UnitsByDay", days: tuple[int, int, int]
) -> FloatArray:
    """(sent) units of it that are of other orders than those that are known: it names one, and no sale explains it.
    sent: queue, day, units. days: today, and as `waiting_units` has keep_days and ahead_days."""
    queue, day, units = sent
    if not of_others.any():
        return np.zeros(len(units))
    named = np.flatnonzero(of_others)
    queues_there = int(max(queue.max(), sold.queue.max(initial=0))) + 1
    waits = waiting_units(sold, _by_day(queue[named], day[named], units[named]), queues_there, *days)
    has_sales = np.bincount(sold.queue, minlength=queues_there) > 0
    unexplained = np.where(has_sales, np.maximum(-waits, 0.0), np.inf)
    newest_first = named[np.lexsort((-day[named], queue[named]))]
    newer = before_in_group(queue[newest_first], units[newest_first])
    found = np.zeros(len(units))
    found[newest_first] = np.clip(unexplained[queue[newest_first]] - newer, 0.0, units[newest_first])
    return found


def past_firm_rows(state: State) -> pa.Table:
    """Firm rows of `demand` that are due before the first open bucket, of more than 0 units, and no sale as well."""
    rows = _firm_rows(state)
    rows = rows.filter(_is_planned(rows, state))
    return rows.filter(pc.less(rows["due"], pa.scalar(state.first_open_bucket, pa.date32())))


def _firm_rows(state: State) -> pa.Table:
    """Firm rows of every status: what was sent for one that is closed was sent for nobody else."""
    rows = state.table("demand")
    rows = rows.filter(pc.and_(rows["firm"], pc.greater(rows["units"], 0.0)))
    if not rows.num_rows:
        return rows
    return rows.filter(pc.invert(pc.is_in(rows["demand"], keys_of_sales(state, rows["demand"].to_pylist()))))


def _is_planned(rows: pa.Table, state: State) -> pa.ChunkedArray:
    return pc.is_in(rows["status"], value_set=pa.array(state.settings.planned_statuses, pa.string()))


def _asked(state: State) -> _Asked:
    shipments = state.table("shipments")
    sent = shipments.filter(pc.is_null(shipments["to_site"]))
    firm = _firm_rows(state)
    named, rest = _named(firm, sent)
    kept = _is_planned(firm, state)
    firm, named = firm.filter(kept), named[kept.to_numpy()]
    sales = sales_since_shipments(state)
    columns = ["product", "market", "units"]
    item, items = items_of(pa.concat_tables([side.select(columns) for side in (sales, firm, rest)]))
    of_sales, of_firm, of_rest = np.split(item, np.cumsum([sales.num_rows, firm.num_rows]))
    sold = _by_day(of_sales, local_days(sales, state), sales["units"].to_numpy())
    due = firm["due"].cast(pa.int32()).to_numpy().astype(np.int64)
    none, of_sale = np.zeros(len(sold.day)), np.zeros(len(sold.day), np.int64)
    of = np.concatenate([sold.queue, of_firm])
    rows = _Rows(
        item=of,
        queue=of,
        day=np.concatenate([sold.day, due - state.settings.promise_days]),
        units=np.concatenate([sold.units, firm["units"].to_numpy() - named]),
        sent=np.concatenate([none, named]),
        firm=np.concatenate([of_sale - 1, np.arange(firm.num_rows)]),
        priority=np.concatenate([of_sale, firm["priority"].to_numpy()]),
        waits=np.zeros(len(of)),
    )
    sent_rows = of_rest, local_days(rest, state), rest["units"].to_numpy().astype(np.float64)
    own = pc.fill_null(firm["max_late_days"], state.settings.max_late_days).to_numpy().astype(np.int64)
    smallest = pc.fill_null(firm["min_delivery_units"], 0.0).to_numpy()
    groups = pc.fill_null(firm["delivery_group"], "").to_pylist()
    of_others = pc.not_equal(pc.fill_null(rest["order"], ""), "").to_numpy()
    return _Asked(items, rows, sent_rows, of_others, firm["demand"].to_pylist(), own, smallest, groups)


def _named(firm: pa.Table, sent: pa.Table) -> tuple[FloatArray, pa.Table]:
    """(firm row) units that were sent for it by its key; and all else that was sent: what names no firm row, and what
    was sent for one beyond its units, the last of it."""
    if not firm.num_rows or not sent.num_rows:
        return np.zeros(firm.num_rows), sent
    at = pc.index_in(sent["order"], firm["demand"].combine_chunks())
    fits = pc.equal(firm["product"].take(at), sent["product"])
    row = pc.if_else(pc.fill_null(fits, False), at, pa.scalar(-1, pa.int32())).to_numpy().astype(np.int64)
    units = sent["units"].to_numpy().astype(np.float64)
    is_named = row >= 0
    order = np.lexsort((microseconds(sent), row))
    order = order[is_named[order]]
    wanted, first = firm["units"].to_numpy()[row[order]], before_in_group(row[order], units[order])
    served = np.clip(wanted - first, 0.0, np.maximum(units[order], 0.0))
    named = np.bincount(row[order], served, firm.num_rows).astype(np.float64)
    left = units.copy()
    left[order] -= served
    place = sent.schema.get_field_index("units")
    rest = sent.set_column(place, "units", pa.array(left))
    return named, rest.filter(pa.array(~is_named | (left > LEAST_UNITS)))


def _turns(keys: list[str]) -> IntArray:
    """(firm row) its rank by key; the last one is of sales, which have none."""
    rank = np.empty(len(keys) + 1, np.int64)
    rank[sorted(range(len(keys)), key=lambda i: keys[i])] = np.arange(len(keys))
    rank[-1] = -1
    return rank


def _in_turn(rows: _Rows, of: IntArray, turns: IntArray) -> IntArray:
    """Rows in the order in which those of one item or queue are served: by day, firm rows before sales, those of high
    priority first."""
    return np.lexsort((turns[rows.firm], -rows.priority, rows.firm < 0, rows.day, of))


def _left_of_past(rows: _Rows, waiting: FloatArray, turns: IntArray) -> _Rows:
    """Rows with `waits`: units not served. First come, first served: what waits in a queue is its newest; items of one
    day share what is left in proportion, and of one item firm rows go before sales, those of high priority first."""
    if not len(rows):
        return rows
    rows = rows.take(_in_turn(rows, rows.item, turns))
    days, at = _days_of(rows.queue, rows.day)
    of_day = np.bincount(at, rows.units, len(days)).astype(np.float64)
    newest_first = np.lexsort((-days[:, 1], days[:, 0]))
    newer = np.empty(len(days))
    newer[newest_first] = before_in_group(days[newest_first, 0], of_day[newest_first])
    left = np.clip(waiting[days[:, 0]] - newer, 0.0, of_day)[at]
    item_days, own = _days_of(rows.item, rows.day)
    total = np.bincount(own, rows.units, len(item_days))[own]
    # A row's own units, and those that have their turn after it, are what it can still wait for.
    after = total - before_in_group(own, rows.units) - rows.units
    left = left * (total / np.where(of_day[at] > 0, of_day[at], 1.0))
    return replace(rows, waits=np.clip(left - after, 0.0, rows.units))


def _left_of_soon(rows: _Rows, unasked: dict[int, float], turns: IntArray) -> _Rows:
    """Rows that are due later, with `waits`, less what was sent ahead for nobody else: soonest first. Takes it out of
    `unasked`."""
    if not len(rows):
        return rows
    rows = rows.take(_in_turn(rows, rows.queue, turns))
    there = np.array([unasked.get(q, 0.0) for q in rows.queue.tolist()])
    served = np.clip(there - before_in_group(rows.queue, rows.units), 0.0, rows.units)
    of_queue = np.bincount(rows.queue, served)
    for q in np.flatnonzero(of_queue > 0).tolist():
        unasked[q] -= float(of_queue[q])
    return replace(rows, waits=rows.units - served)


def _days_of(of: IntArray, day: IntArray) -> tuple[IntArray, IntArray]:
    """The distinct pairs of two columns, in order, and (row) the position of its own among them."""
    first = int(day.min()) if len(day) else 0
    width = int(day.max()) - first + 1 if len(day) else 1
    keys, at = np.unique(of * width + (day - first), return_inverse=True)
    return np.column_stack([keys // width, keys % width + first]), at


def _told(state: State, asked: _Asked, left: _Rows, unasked: Mapping[int, float]) -> Owed:
    items, promise = asked.items, state.settings.promise_days
    first_open = day_number(state.first_open_bucket)
    pairs, at = _days_of(left.item, left.day + promise)
    waits = np.bincount(at, left.waits, len(pairs)).astype(np.float64)
    served = np.bincount(at, left.units - left.waits + left.sent, len(pairs)).astype(np.float64)
    is_past = pairs[:, 1] < first_open

    def named(which: BoolArray, units: FloatArray) -> list[tuple[Item, date, float]]:
        kept = zip(pairs[which].tolist(), units[which].tolist(), strict=True)
        return sorted((items[i], as_day(due), u) for (i, due), u in kept)

    owed_units = named(is_past & (waits > LEAST_UNITS), waits)
    ahead = named(~is_past & (served > LEAST_UNITS), served)
    firm = left.take((left.firm >= 0) & (left.waits > LEAST_UNITS) & (left.day + promise < first_open))
    soon = left.take((left.firm >= 0) & (left.day + promise >= first_open))
    sent = zip(soon.firm.tolist(), (soon.units - soon.waits + soon.sent).tolist(), strict=True)
    columns = (getattr(firm, name).tolist() for name in ("firm", "item", "day", "waits", "priority"))
    rows = [
        FirmRow(
            demand=asked.keys[f],
            item=items[i],
            due=as_day(day + promise),
            units=units,
            priority=priority,
            max_late_days=int(asked.most_days[f]),
            min_delivery_units=float(asked.smallest[f]),
            delivery_group=asked.groups[f],
        )
        for f, i, day, units, priority in zip(*columns, strict=True)
    ]
    return Owed(
        owed_units={(item, due): units for item, due, units in reversed(owed_units)},
        served_ahead_units={(item, due): units for item, due, units in ahead},
        unasked_units=dict(sorted((items[q], units) for q, units in unasked.items() if units > LEAST_UNITS)),
        firm_rows=tuple(sorted(rows, key=lambda r: (r.due, r.demand))),
        firm_ahead_units=dict(sorted((asked.keys[f], units) for f, units in sent if units > LEAST_UNITS)),
    )


@dataclass(frozen=True, eq=False)
class UnitsByDay:
    """Units by queue and day, each pair once, by day: day number, queue, units."""

    day: IntArray
    queue: IntArray
    units: FloatArray


def waiting_units(
    ordered: UnitsByDay, sent: UnitsByDay, queues: int, last_day: int, keep_days: int, ahead_days: int
) -> FloatArray:
    """Units that wait in each queue at the end of last_day; below zero: sent, and not yet asked for.

    An order waits keep_days, its own day included; a unit sent ahead serves orders of the ahead_days after its own.
    The oldest goes first on both sides, so that only one of them is ever left over, and what is left is the newest of
    its side. One number per queue therefore tells all: it rises by what is ordered, falls by what is sent, and never
    lies beyond what was ordered in the last keep_days, or below what was sent in the last ahead_days.
    """
    net, most_waiting, most_ahead = np.zeros(queues), np.zeros(queues), np.zeros(queues)
    first = int(min(side.day.min(initial=last_day) for side in (ordered, sent)))
    edges = np.arange(first - max(keep_days, ahead_days + 1), last_day + 2)
    orders_at, sent_at = np.searchsorted(ordered.day, edges), np.searchsorted(sent.day, edges)
    offset = int(first - edges[0])
    for t in range(offset, len(edges) - 1):
        old = slice(orders_at[t - keep_days], orders_at[t - keep_days + 1])
        most_waiting[ordered.queue[old]] -= ordered.units[old]
        old = slice(sent_at[t - ahead_days - 1], sent_at[t - ahead_days])
        most_ahead[sent.queue[old]] -= sent.units[old]
        np.clip(net, -most_ahead, most_waiting, out=net)
        new = slice(orders_at[t], orders_at[t + 1])
        most_waiting[ordered.queue[new]] += ordered.units[new]
        net[ordered.queue[new]] += ordered.units[new]
        new = slice(sent_at[t], sent_at[t + 1])
        most_ahead[sent.queue[new]] += sent.units[new]
        net[sent.queue[new]] -= sent.units[new]
    return net


def _by_day(queue: IntArray, day: IntArray, units: FloatArray) -> UnitsByDay:
    width = int(queue.max(initial=0)) + 1
    keys, at = np.unique(day * width + queue, return_inverse=True)
    return UnitsByDay(keys // width, keys % width, np.bincount(at, units, len(keys)).astype(np.float64))
