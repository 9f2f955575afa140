"""What was sent to buyers, and since when that is written down: which sales wait for shipments, and which are served.

Sales ordered on the day of the first shipment or later wait for shipments (owed.py). Of those from before it, nobody
wrote down what was sent; they are taken as served, from stock, as they were made, except two kinds that wait like the
others:

1. All of them, where the records of sales begin no more than promise_days + BEGIN_TOGETHER_DAYS days before: records of
   both begin together, and nothing was sent before they did.
2. As many of an item, the newest, as shipments beyond what was ordered since the first one were sent while they could
   wait (max_late_days): goods that left were for somebody, and what is served in turn leaves the newest.
"""

from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.columns import as_day, before_in_group, day_number, local_days, microseconds, pairs
from datong.ledger.daily_sales import sold_by_day
from datong.ledger.large_tables import is_large
from datong.ledger.standings import LEAST_UNITS
from datong.ledger.state import State
from datong.model.flow import BoolArray, FloatArray, IntArray, Item

MOMENT = pa.timestamp("us", tz="UTC")
# Records of sales and of shipments begin together where the first shipment comes within promise_days and so many days.
BEGIN_TOGETHER_DAYS = 7


def ships_to_buyers(state: State) -> bool:
    """Does the chain record what it sends to buyers? Transfers between its own sites are not that, nor are 0 units."""
    return pc.any(_to_buyers(state)).as_py() or False


def _to_buyers(state: State) -> pa.ChunkedArray:
    """Whether each row of `shipments` tells of units that went to a buyer."""
    shipments = state.table("shipments")
    return pc.and_(pc.is_null(shipments["to_site"]), pc.not_equal(shipments["units"], 0.0))


def first_sent_day(state: State) -> date | None:
    """Local day of the first shipment to a buyer; None where none is recorded."""
    first = pc.min(state.table("shipments")["happened_at"].filter(_to_buyers(state))).as_py()
    return None if first is None else state.settings.calendar.local_date(first)


def sales_before_shipments(state: State) -> pa.Table:
    """Sales that are taken as served, see the module; all where no shipment is recorded. As of `_ordered`."""
    old, _, waiting = _old_and_new(state)
    left = old["units"].to_numpy() - waiting
    return _with_units(old, left, (waiting == 0) | (left > LEAST_UNITS))


def sales_since_shipments(state: State) -> pa.Table:
    """Sales that wait for shipments; none where none is recorded. As of `_ordered`."""
    old, new, waiting = _old_and_new(state)
    return pa.concat_tables([_with_units(old, waiting, waiting != 0), new])


def old_sales_waiting(state: State) -> pa.Table:
    """Sales from before the day of the first shipment that wait for shipments all the same, with their units."""
    old, _, waiting = _old_and_new(state)
    return _with_units(old, waiting, waiting != 0)


def queues(items: list[Item], sold: set[int], shipped: set[int]) -> IntArray:
    """(item) its queue: itself, or the first item of a product that is sent in market 'all' and not sold there."""
    of_all = {items[i].product for i in shipped if items[i].market == "all" and i not in sold}
    first: dict[str, int] = {}
    return np.array(
        [first.setdefault(item.product, i) if item.product in of_all else i for i, item in enumerate(items)], np.int64
    )


def items_of(rows: pa.Table) -> tuple[IntArray, list[Item]]:
    """(row) position of its (product, market) in the list of those there are."""
    item, found = pairs(rows["product"], rows["market"])
    return item, [Item(*pair) for pair in found]


def _with_units(rows: pa.Table, units: FloatArray, kept: BoolArray) -> pa.Table:
    """Those rows that are kept, with so many units each."""
    place = rows.schema.get_field_index("units")
    column = pa.array(units).cast(rows.schema.field(place).type)
    return rows.set_column(place, "units", column).filter(pa.array(kept))


def _ordered(state: State) -> pa.Table:
    """Sales in state 'ordered': happened_at, product, market, units, how many `lines`. Of a large table those of one
    item and day are one, which happened as the day began."""
    sales = state.table("sales")
    if not is_large(sales):
        sales = sales.filter(pc.equal(sales["state"], "ordered")).select(["happened_at", "product", "market", "units"])
        return sales.append_column("lines", pa.array(np.ones(sales.num_rows, np.int64)))
    sold = sold_by_day(state)
    sold = sold.filter(sold["ordered"]).select(["product", "market", "units", "lines", "day"])
    days, at = np.unique(sold["day"].to_numpy(), return_inverse=True)
    begins = pa.array([state.settings.calendar.midnight(as_day(day)) for day in days.tolist()], MOMENT)
    return sold.append_column("happened_at", begins.take(pa.array(at))).drop_columns(["day"])


def _old_and_new(state: State) -> tuple[pa.Table, pa.Table, FloatArray]:
    """Sales from before the day of the first shipment, those since, and (old sale) units of it that wait."""
    sales, first = _ordered(state), first_sent_day(state)
    if first is None:
        return sales, sales.slice(0, 0), np.zeros(sales.num_rows)
    begins = pa.scalar(state.settings.calendar.midnight(first), MOMENT)
    is_old = pc.less(sales["happened_at"], begins)
    old, new = sales.filter(is_old), sales.filter(pc.invert(is_old))
    if not old.num_rows:
        return old, new, np.zeros(0)
    oldest = day_number(state.settings.calendar.local_date(pc.min(old["happened_at"]).as_py()))
    if day_number(first) - oldest <= state.settings.promise_days + BEGIN_TOGETHER_DAYS:
        return old, new, old["units"].to_numpy().astype(np.float64)
    return old, new, _sent_for(old, new, day_number(first), state)


def _sent_for(old: pa.Table, new: pa.Table, first: int, state: State) -> FloatArray:
    """(old sale) units of it for which something was sent, see 2. of the module.

    Firm rows of `demand` ask from the first day on, so that nothing sent for them is taken to be for an old sale.
    """
    most = state.settings.max_late_days + state.settings.promise_days + 1  # days that a sale waits, from its own day
    shipments, firm = state.table("shipments").filter(_to_buyers(state)), state.table("demand")
    firm = firm.filter(pc.and_(firm["firm"], pc.greater(firm["units"], 0.0)))
    columns = ["product", "market", "units"]
    item, items = items_of(pa.concat_tables([side.select(columns) for side in (old, new, firm, shipments)]))
    ends = np.cumsum([old.num_rows, new.num_rows, firm.num_rows])
    of_old, of_new, of_firm, of_sent = np.split(item, ends)
    sold = {int(i) for part in (of_old, of_new, of_firm) for i in np.unique(part)}
    queue_of = queues(items, sold, set(np.unique(of_sent).tolist()))
    keep = min(most, day_number(state.today) - first + 1)
    count = len(items)
    new_and_firm = queue_of[np.concatenate([of_new, of_firm])]
    new_units = np.concatenate([new["units"].to_numpy(), firm["units"].to_numpy()])
    new_days = np.concatenate([local_days(new, state), np.full(firm.num_rows, first)]) - first
    asked = _by_day(new_and_firm, new_days, new_units, (keep, count))
    went = _by_day(
        queue_of[of_sent], local_days(shipments, state) - first, shipments["units"].to_numpy(), (keep, count)
    )
    expires = np.maximum(local_days(old, state) + most - first, 0)  # days from the first one on that it still waits
    queue, units = queue_of[of_old], np.maximum(old["units"].to_numpy(), 0.0)
    may_wait = np.bincount(queue, units, count)
    lost = _by_day(queue, expires, units, (keep, count))
    waiting, sent_for = np.zeros(count), np.zeros(count)
    for asked_today, went_today, lost_today in zip(asked, went, lost, strict=True):
        may_wait -= lost_today
        waiting += asked_today - went_today
        for_old = np.clip(-waiting, 0.0, np.maximum(may_wait - sent_for, 0.0))
        waiting += for_old
        sent_for += for_old
    newest_first = np.lexsort((-microseconds(old), queue))
    newer = np.empty(old.num_rows)
    newer[newest_first] = before_in_group(queue[newest_first], units[newest_first])
    return np.clip(sent_for[queue] - newer, 0.0, units)


def _by_day(queue: IntArray, day: IntArray, units: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """Units by day after the first one and queue. shape: days and queues."""
    table = np.zeros(shape)
    within = (day >= 0) & (day < shape[0])
    np.add.at(table, (day[within], queue[within]), units[within])
    return table
