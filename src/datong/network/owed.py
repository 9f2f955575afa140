"""What is owed to buyers: orders and firm wants that are past due and not served, and what was served ahead of its day.

Two things are owed: sales in state 'ordered', due promise_days after the order, and firm rows of `demand`, due on their
day. A shipment that gives the key of a firm row in `order` serves that row. All others serve the oldest first, item by
item, which wait max_late_days from the day they are due; what finds none serves what is due in the next promise_days +
SENT_AHEAD_DAYS days. A product that is sent in market 'all' and not sold or wanted there has one queue for all its
markets.

Sales from before the first shipment to a buyer are served: nobody wrote down what was sent for them. A chain that
records no shipments serves every sale at once; its firm rows stay owed until they are taken out of `demand`. A firm row
with the key of a sale is that sale.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.columns import as_day, codes, day_number, local_days
from datong.ledger.standings import LEAST_UNITS
from datong.ledger.state import State
from datong.model.flow import FloatArray, IntArray, Item
from datong.network.stock import first_sent_day, sales_before_shipments, sales_since_shipments

# Units that were sent before anyone ordered them serve orders of the next promise_days and so many days more: clocks
# differ and orders are entered late, but what was sent long before was not sent for that order.
SENT_AHEAD_DAYS = 7


@dataclass(frozen=True)
class FirmRow:
    """A firm row of `demand` that is past due: units of it that are still owed."""

    demand: str
    item: Item
    due: date
    units: float
    priority: int


@dataclass(frozen=True)
class Owed:
    """owed_units by item and due day: due before the first open bucket, not served, not older than max_late_days.
    served_ahead_units by item and due day: due in open buckets and already served. unasked_units by item: sent, and not
    asked for yet. firm_rows: the part of owed_units that firm rows of `demand` are, oldest first.
    """

    owed_units: Mapping[tuple[Item, date], float] = field(default_factory=dict)
    served_ahead_units: Mapping[tuple[Item, date], float] = field(default_factory=dict)
    unasked_units: Mapping[Item, float] = field(default_factory=dict)
    firm_rows: tuple[FirmRow, ...] = ()


@dataclass(frozen=True, eq=False)
class _Asked:
    """What waits in the queues, and what was sent for nothing by name, a row each.

    rows: item (index into items), day (local, of the order: promise_days before it is due), units, sent (units sent by
    name, not in `units`), key ('' for sales, which are one row for an item and day), priority (0 for sales).
    sent: item, day, units.
    """

    items: list[Item]
    rows: pd.DataFrame
    sent: pd.DataFrame


def owed(state: State) -> Owed:
    """See the module."""
    today, settings = day_number(state.today), state.settings
    asked = _asked(state)
    items, rows = asked.items, asked.rows
    if not len(rows):
        return Owed()
    keep = settings.max_late_days + settings.promise_days + 1  # days from the day of the order
    ahead = settings.promise_days + SENT_AHEAD_DAYS
    queue_of = _queues(items, set(rows["item"]), set(asked.sent["item"]))
    rows = rows.assign(queue=queue_of[rows["item"].to_numpy()])
    past, sent = rows[rows["day"] <= today], asked.sent[asked.sent["day"] <= today]
    ordered, out = (
        _by_day(queue, side["day"].to_numpy(np.int64), side["units"].to_numpy(np.float64))
        for side, queue in ((past, past["queue"].to_numpy()), (sent, queue_of[sent["item"].to_numpy(np.int64)]))
    )
    waiting = waiting_units(ordered, out, len(items), today, keep, ahead)
    unasked = {int(q): -float(waiting[q]) for q in np.flatnonzero(waiting < -LEAST_UNITS)}
    soon = (rows["day"] > today) & (rows["day"] <= today + ahead)
    later = rows[rows["day"] > today + ahead]
    parts = [
        _left_of_past(past[past["day"] > today - keep], waiting),
        _left_of_soon(rows[soon], unasked),
        later.assign(waits=later["units"]),
    ]
    parts = [part for part in parts if len(part)]
    return _told(state, items, pd.concat(parts), unasked) if parts else Owed()


def old_sales_owed(state: State) -> tuple[int, float]:
    """Sales from before the first shipment that would be owed if they counted: rows, units."""
    if first_sent_day(state) is None:
        return 0, 0.0
    old = sales_before_shipments(state)
    due = local_days(old, state) + state.settings.promise_days
    oldest = day_number(state.today) - state.settings.max_late_days
    owed_else = (due < day_number(state.first_open_bucket)) & (due >= oldest)
    return int(owed_else.sum()), float(old["units"].to_numpy()[owed_else].sum())


def past_firm_rows(state: State) -> pa.Table:
    """Firm rows of `demand` that are due before the first open bucket, of more than 0 units, and no sale as well."""
    rows = _firm_rows(state)
    return rows.filter(pc.less(rows["due"], pa.scalar(state.first_open_bucket, pa.date32())))


def _firm_rows(state: State) -> pa.Table:
    rows = state.table("demand")
    rows = rows.filter(pc.and_(rows["firm"], pc.greater(rows["units"], 0.0)))
    if not rows.num_rows:
        return rows
    return rows.filter(pc.invert(pc.is_in(rows["demand"], state.table("sales")["sale"].combine_chunks())))


def _asked(state: State) -> _Asked:
    shipments = state.table("shipments")
    sent = shipments.filter(pc.is_null(shipments["to_site"]))
    firm = _firm_rows(state)
    named, rest = _named(firm, sent)
    sales = sales_since_shipments(state)
    columns = ["product", "market", "units"]
    item, items = _items(pa.concat_tables([side.select(columns) for side in (sales, firm, rest)]))
    of_sales, of_firm, of_rest = np.split(item, np.cumsum([sales.num_rows, firm.num_rows]))
    sold = _by_day(of_sales, local_days(sales, state), sales["units"].to_numpy())
    due = firm["due"].cast(pa.int32()).to_numpy().astype(np.int64)
    nothing, none = np.zeros(len(sold.day)), np.zeros(len(sold.day), np.int64)
    rows = pd.DataFrame(
        {
            "item": np.concatenate([sold.queue, of_firm]),
            "day": np.concatenate([sold.day, due - state.settings.promise_days]),
            "units": np.concatenate([sold.units, firm["units"].to_numpy() - named]),
            "sent": np.concatenate([nothing, named]),
            "key": ["" for _ in none] + firm["demand"].to_pylist(),
            "priority": np.concatenate([none, firm["priority"].to_numpy()]),
        }
    )
    sent_rows = {"item": of_rest, "day": local_days(rest, state), "units": rest["units"].to_numpy()}
    return _Asked(items, rows, pd.DataFrame(sent_rows))


def _named(firm: pa.Table, sent: pa.Table) -> tuple[FloatArray, pa.Table]:
    """(firm row) units that were sent for it by its key; and all else that was sent: what names no firm row, and what
    was sent for one beyond its units, the last of it."""
    if not firm.num_rows or not sent.num_rows:
        return np.zeros(firm.num_rows), sent
    at = pc.index_in(sent["order"], firm["demand"].combine_chunks())
    fits = pc.equal(firm["product"].take(at), sent["product"])
    at = pc.if_else(pc.fill_null(fits, False), at, pa.scalar(None, pa.int32())).to_pandas()
    row, units = at.to_numpy(dtype=np.float64), sent["units"].to_numpy().astype(np.float64)
    is_named = ~np.isnan(row)
    order = np.argsort(sent["happened_at"].cast(pa.int64()).to_numpy(), kind="stable")
    order = order[is_named[order]]
    frame = pd.DataFrame({"row": row[order].astype(np.int64), "units": units[order]})
    before = frame.groupby("row")["units"].cumsum() - frame["units"]
    wanted = firm["units"].to_numpy()[frame["row"]] if len(frame) else np.zeros(0)
    served = np.clip(wanted - before.to_numpy(), 0.0, np.maximum(frame["units"].to_numpy(), 0.0))
    named = np.bincount(frame["row"], served, firm.num_rows).astype(np.float64)
    left = units.copy()
    left[order] -= served
    place = sent.schema.get_field_index("units")
    rest = sent.set_column(place, "units", pa.array(left))
    return named, rest.filter(pa.array(~is_named | (left > LEAST_UNITS)))


def _left_of_past(rows: pd.DataFrame, waiting: FloatArray) -> pd.DataFrame:
    """Rows with `waits`: units not served. First come, first served: what waits in a queue is its newest; items of one
    day share what is left in proportion, and of one item firm rows go before sales, those of high priority first."""
    if not len(rows):
        return rows.assign(waits=0.0)
    days = rows.groupby(["queue", "day"], as_index=False)["units"].sum().sort_values("day", ascending=False)
    newer = days.groupby("queue")["units"].cumsum() - days["units"]
    days["waiting"] = np.clip(waiting[days["queue"].to_numpy()] - newer, 0.0, days["units"])
    rows = rows.merge(days, on=["queue", "day"], suffixes=("", "_of_day"))
    rows = _in_turn(rows, "item")
    of_item = rows.groupby(["item", "day"])["units"]
    total = of_item.transform("sum")
    left = rows["waiting"] * (total / rows["units_of_day"].where(rows["units_of_day"] > 0, 1.0))
    rows["waits"] = np.clip(left - (total - of_item.cumsum()), 0.0, rows["units"])
    return rows


def _left_of_soon(rows: pd.DataFrame, unasked: dict[int, float]) -> pd.DataFrame:
    """Rows that are due later, with `waits`, less what was sent ahead for nobody else: soonest first. Takes it out of
    `unasked`."""
    if not len(rows):
        return rows.assign(waits=0.0)
    rows = _in_turn(rows, "queue")
    before = rows.groupby("queue")["units"].cumsum() - rows["units"]
    there = np.array([unasked.get(q, 0.0) for q in rows["queue"]])
    served = np.clip(there - before.to_numpy(), 0.0, rows["units"].to_numpy())
    for q, units in pd.Series(served, dtype=np.float64).groupby(rows["queue"].to_numpy()).sum().items():
        if units > 0:
            unasked[q] -= float(units)
    return rows.assign(waits=rows["units"] - served)


def _in_turn(rows: pd.DataFrame, of: str) -> pd.DataFrame:
    """Rows in the order in which those of one item or queue are served."""
    rows = rows.assign(is_sale=rows["key"] == "", rank=-rows["priority"])
    return rows.sort_values([of, "day", "is_sale", "rank", "key"], kind="stable")


def _told(state: State, items: list[Item], left: pd.DataFrame, unasked: Mapping[int, float]) -> Owed:
    promise, first_open = state.settings.promise_days, state.first_open_bucket
    left = left.assign(due=left["day"] + promise, served=left["units"] - left["waits"] + left["sent"])
    by_due = left.groupby(["item", "due"], as_index=False)[["waits", "served"]].sum()
    named = sorted((items[i], as_day(due), w, s) for i, due, w, s in by_due.itertuples(index=False))
    firm = left[(left["key"] != "") & (left["waits"] > LEAST_UNITS)]
    rows = [
        FirmRow(str(key), items[i], as_day(due), float(units), int(priority))
        for key, i, due, units, priority in firm[["key", "item", "due", "waits", "priority"]].itertuples(index=False)
        if as_day(due) < first_open
    ]
    return Owed(
        owed_units={(i, due): float(w) for i, due, w, _ in reversed(named) if due < first_open and w > LEAST_UNITS},
        served_ahead_units={(i, due): float(s) for i, due, _, s in named if due >= first_open and s > LEAST_UNITS},
        unasked_units=dict(sorted((items[q], units) for q, units in unasked.items() if units > LEAST_UNITS)),
        firm_rows=tuple(sorted(rows, key=lambda r: (r.due, r.demand))),
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


def _queues(items: list[Item], sold: set[int], shipped: set[int]) -> IntArray:
    """(item) its queue: itself, or the first item of a product that is sent in market 'all' and not sold there."""
    of_all = {items[i].product for i in shipped if items[i].market == "all" and i not in sold}
    first: dict[str, int] = {}
    return np.array(
        [first.setdefault(item.product, i) if item.product in of_all else i for i, item in enumerate(items)], np.int64
    )


def _items(rows: pa.Table) -> tuple[IntArray, list[Item]]:
    """(row) position of its (product, market) in the list of those there are."""
    product, products = codes(rows["product"])
    market, markets = codes(rows["market"])
    item, pairs = pd.factorize(product * len(markets) + market)
    return item.astype(np.int64), [Item(products[p // len(markets)], markets[p % len(markets)]) for p in pairs]


def _by_day(queue: IntArray, day: IntArray, units: FloatArray) -> UnitsByDay:
    width = int(queue.max(initial=0)) + 1
    keys, at = np.unique(day * width + queue, return_inverse=True)
    return UnitsByDay(keys // width, keys % width, np.bincount(at, units, len(keys)).astype(np.float64))
