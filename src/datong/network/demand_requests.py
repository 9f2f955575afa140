"""Who asks for what: every request of a known number of units, as far as planning knows it one by one."""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.standings import LEAST_UNITS
from datong.ledger.state import State
from datong.model.flow import BoolArray, FloatArray, Forecast, IntArray, Item
from datong.network.asked_rows import asked_rows
from datong.network.facts import ChainFacts
from datong.network.horizon import EPOCH
from datong.network.owed import FirmRow
from datong.network.position import Position
from datong.network.rule_facts import own_late_buckets


@dataclass(frozen=True, eq=False)
class Asks:
    """Requests in the order in which those of one bucket are served: by due day, then by their key.

    key: (ask) of the row of `demand`, '' for what is owed from sales. items: those that are asked for; item: (ask) its
    index. bucket: (ask) in which it is due, what is overdue in the first; due_day: days since 1970-01-01. units, firm,
    priority: (ask). weight: (ask) of its class (`demand_classes` in rule_facts.py). late_buckets: (ask) whole buckets
    that it waits at most, -1 where that is as long as all of the chain.
    """

    key: pa.Array
    items: tuple[Item, ...]
    item: IntArray
    bucket: IntArray
    due_day: IntArray
    units: FloatArray
    firm: BoolArray
    priority: IntArray
    weight: FloatArray
    late_buckets: IntArray


def asks_of(state: State, demand: Forecast, where: Position, facts: ChainFacts, starts: Sequence[date]) -> Asks:
    """Rows of `demand` that fall into the horizon (asked_rows.py), and what is owed."""
    rows = _rows(state, demand, where, starts)
    owed = _owed(where)
    items = tuple(sorted({*(rows.items[i] for i in set(rows.item.tolist())), *(row.item for row in owed)}))
    at = {item: i for i, item in enumerate(items)}
    of_row = np.array([at.get(item, -1) for item in rows.items], dtype=np.int64)[rows.item]
    count = len(owed)
    item = np.concatenate([of_row, np.array([at[row.item] for row in owed], dtype=np.int64)])
    day = np.concatenate([rows.due_day, np.array([row.due.toordinal() - EPOCH for row in owed], dtype=np.int64)])
    firm = np.concatenate([rows.firm, np.ones(count, dtype=bool)])
    priority = np.concatenate([rows.priority, np.array([row.priority for row in owed], dtype=np.int64)])
    label = np.array([facts.label_of(i) for i in items], dtype=object)
    return _in_order(
        Asks(
            key=pa.concat_arrays([rows.key, pa.array([row.demand for row in owed], pa.string())]),
            items=items,
            item=item,
            bucket=np.concatenate([rows.bucket, np.zeros(count, dtype=np.int64)]),
            due_day=day,
            units=np.concatenate([rows.units, np.array([row.units for row in owed], dtype=np.float64)]),
            firm=firm,
            priority=priority,
            late_buckets=np.concatenate([rows.late_buckets, _own_late([row.max_late_days for row in owed], state)]),
            weight=_weights(label[item], firm, priority, _expected(demand, facts, set(label.tolist())), state),
        )
    )


def _owed(where: Position) -> list[FirmRow]:
    """What is owed: firm rows of `demand`, and of sales, without a key, the rest of each item and day."""
    of_rows: dict[tuple[Item, date], float] = defaultdict(float)
    for row in where.firm_rows:
        of_rows[row.item, row.due] += row.units
    sold = [
        FirmRow("", item, day, units - of_rows[item, day], 0)
        for (item, day), units in where.owed_units.items()
        if units - of_rows[item, day] > LEAST_UNITS
    ]
    owed = [replace(row, priority=max(row.priority, 0)) for row in where.firm_rows]
    return sorted([*owed, *sold], key=lambda row: (row.due, row.item, row.demand))


def _rows(state: State, demand: Forecast, where: Position, starts: Sequence[date]) -> Asks:
    """Rows of `demand` that are due in the horizon: of items whose demand is given, and firm ones beside a forecast."""
    table = asked_rows(state, demand, where)
    items = demand.items
    named = pc.binary_join_element_wise(table["product"], table["market"], "\0")
    place = pc.index_in(named, pa.array(["\0".join(item) for item in items], pa.string()))
    day = table["due"].cast(pa.int32()).to_numpy().astype(np.int64)
    return Asks(
        key=table["demand"].combine_chunks(),
        items=items,
        item=place.to_numpy().astype(np.int64),
        bucket=(day - (starts[0].toordinal() - EPOCH)) // state.settings.calendar.bucket_days,
        due_day=day,
        units=table["units"].to_numpy(),
        firm=np.asarray(table["firm"].to_numpy(zero_copy_only=False), dtype=bool),
        priority=np.maximum(table["priority"].to_numpy().astype(np.int64), 0),
        weight=np.zeros(table.num_rows),
        late_buckets=_own_late(table["max_late_days"].to_pylist(), state),
    )


def _own_late(max_late_days: Sequence[int | None], state: State) -> IntArray:
    own = {days: own_late_buckets(days, state.settings) for days in set(max_late_days)}
    told = {days: -1 if late is None else late for days, late in own.items()}
    return np.array([told[days] for days in max_late_days], dtype=np.int64)


def _expected(demand: Forecast, facts: ChainFacts, labels: Set[str]) -> set[str]:
    """Those of the labels for which more than the requests is expected."""
    return {
        label
        for i, (item, method) in enumerate(zip(demand.items, demand.method, strict=True))
        if method != "given" and (label := facts.label_of(item)) in labels and demand.paths[i].any()
    }


def _weights(label: np.ndarray, firm: BoolArray, priority: IntArray, expected: Set[str], state: State) -> FloatArray:
    """(ask) weight of its class, as `demand_classes` gives it. expected: labels with demand that is no request."""
    factors = state.settings.defaults
    mixed = set(label[~firm].tolist()) | expected
    counts_more = firm & np.array([name in mixed for name in label.tolist()], dtype=bool)
    return factors.priority_factor ** priority.astype(np.float64) * np.where(counts_more, factors.firm_factor, 1.0)


def _in_order(asks: Asks) -> Asks:
    key = np.array(asks.key.to_pylist(), dtype=np.str_)
    order = np.lexsort((np.arange(len(key)), key, asks.due_day))
    columns: Mapping[str, np.ndarray] = {
        name: getattr(asks, name)[order]
        for name in ("item", "bucket", "due_day", "units", "firm", "priority", "weight", "late_buckets")
    }
    return Asks(key=asks.key.take(pa.array(order)), items=asks.items, **columns)
