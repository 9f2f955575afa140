"""Where all orders of a state stand, worked out by columns: of a hundred thousand orders nearly all have no offer.

Of such an order the state is the furthest step that was told, unless it was refused or cancelled before it could not be
any more (order_life.advance): then only further words of that kind count. Its units are those of the last event that
counts and tells them. Orders with an offer are worked out one by one (standings.py).
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.columns import codes, microseconds
from datong.ledger.order_life import PATH, RANK
from datong.ledger.standings import LEAST_UNITS, OPEN_STATES, of_their_orders, only_orders, order_standings, state_of
from datong.ledger.state import State
from datong.model.flow import BoolArray, FloatArray, IntArray

# Columns of what was booked, by table: good units, and scrapped ones where it tells them.
_BOOKED = {"production": ("good_units", "scrap_units"), "receipts": ("units",), "shipments": ("units",)}
# States by number: steps of an order that goes well, and its two other ends.
_STATES = (*PATH, "refused", "cancelled")
_RELEASED, _DONE, _REFUSED, _CANCELLED = (_STATES.index(one) for one in ("released", "done", "refused", "cancelled"))
_OPEN = np.array([state in OPEN_STATES for state in _STATES])


@dataclass(frozen=True, eq=False)
class StandsByRow:
    """By row of `orders`. state: as `state_of` tells it. good_units, scrap_units: so far. said: the counterparty that
    the last event names that names one; null: none does."""

    state: pa.Array
    good_units: FloatArray
    scrap_units: FloatArray
    said: pa.Array


def stands_by_row(state: State) -> StandsByRow:
    """Where each row of `orders` stands, as `order_standings` and `state_of` say."""
    orders, events = state.table("orders"), state.table("order_events")
    names = orders["order"].combine_chunks()
    others = pc.unique(events["order"].filter(pc.equal(events["state"], "offered")))
    events = _with_place(events)
    furthest, good, scrap = _of_events(events.filter(pc.invert(pc.is_in(events["order"], others))), names)
    is_told = (furthest >= 0) | _booked(state, names, good, scrap)
    work = good + scrap > LEAST_UNITS
    now = np.where(furthest >= 0, furthest, np.where(work, PATH.index("partly_done"), PATH.index("released")))
    rests = orders["units"].to_numpy() - good - scrap > LEAST_UNITS
    is_move = pc.fill_null(pc.equal(orders["kind"], "move"), False).to_numpy(zero_copy_only=False)
    now = np.where(is_told & _OPEN[now] & ~is_move & ~rests, PATH.index("done"), now)
    states = pa.array(_STATES).take(pa.array(now))
    if len(others):
        states = _one_by_one(state, others, states, good, scrap)
    return StandsByRow(states, good, scrap, _who_said(events, names))


def _with_place(events: pa.Table) -> pa.Table:
    """In the order of `in_order`. A ledger has each key once."""
    ranks = pa.array([RANK[name] for name in RANK], pa.float64())
    rank = ranks.take(pc.index_in(events["state"], pa.array(list(RANK)))).to_numpy()
    good, scrap = (pc.fill_null(events[name], 0.0).to_numpy() for name in ("good_units", "scrap_units"))
    own = pc.if_else(pc.equal(events["order_event"], ""), None, events["order_event"])
    key = pc.rank(pc.coalesce(own, events["row_id"]).combine_chunks()).to_numpy()
    return events.take(pa.array(np.lexsort((key, scrap, good, rank, microseconds(events)))))


def _of_events(events: pa.Table, names: pa.Array) -> tuple[IntArray, FloatArray, FloatArray]:
    """By name of an order: the state that its events tell, as a number of _STATES, -1 where there are none, and units
    so far. events: without offers, in order."""
    code, found = codes(events["order"])
    state = pc.index_in(events["state"], pa.array(_STATES)).to_numpy()
    counts = _that_count(code, state)
    events, code, state = events.filter(pa.array(counts)), code[counts], state[counts]
    furthest = np.full(len(found) + 1, -1)
    np.maximum.at(furthest, code, state)
    at = pc.fill_null(pc.index_in(names, pa.array(found, pa.string())), len(found)).to_numpy()
    units = []
    for name in ("good_units", "scrap_units"):
        told = np.zeros(len(found) + 1)
        is_told = events[name].is_valid().to_numpy()
        told[code[is_told]] = events[name].filter(events[name].is_valid()).to_numpy()  # the last one stays
        units.append(told[at])
    return furthest[at], units[0], units[1]


def _that_count(code: IntArray, state: IntArray) -> BoolArray:
    """Which events count, as `advance` takes them one after the other. code: of the order, state: that an event tells;
    in the order of events."""
    counts = np.ones(len(code), dtype=bool)
    if not (state >= _REFUSED).any():
        return counts
    by_order = np.argsort(code, kind="stable")
    code, state = code[by_order], state[by_order]
    at = np.arange(len(code))
    begins = np.flatnonzero(np.diff(code, prepend=-1))[code] if len(code) else at
    step = np.where(state < _REFUSED, state, -1)
    width = len(_STATES) + 1
    before = np.concatenate([[-1], np.maximum.accumulate(code * width + step + 1)[:-1] - 1]) - code * width
    before = np.where(at == begins, -1, before)  # the furthest step until then
    refuses = (state == _REFUSED) & ((before == -1) | (before == _RELEASED))
    cancels = (state == _CANCELLED) & (before != _DONE)
    orders = code[-1] + 1
    end, cancelled = np.full(orders, len(code)), np.full(orders, len(code))
    np.minimum.at(end, code, np.where(refuses | cancels, at, len(code)))
    is_after = at >= end[code]  # of the first word that ends it, which counts itself
    np.minimum.at(cancelled, code, np.where(is_after & (state == _CANCELLED), at, len(code)))
    is_ended = (state == _CANCELLED) | ((state == _REFUSED) & (at < cancelled[code]))
    counts[by_order] = np.where(is_after, is_ended, state < _REFUSED)
    return counts


def _booked(state: State, names: pa.Array, good: FloatArray, scrap: FloatArray) -> BoolArray:
    """Whether something was booked of an order; raises its units to what was booked, where that is more."""
    orders, is_booked = state.table("orders"), np.zeros(len(names), dtype=bool)
    for table, columns in _BOOKED.items():
        rows = state.table(table)
        rows = rows.filter(pc.is_valid(rows["order"]))
        rows = of_their_orders(state, rows) if table == "production" else rows
        if table == "shipments":  # of transfer orders: what left for the other site is taken to be there
            transfers = orders["order"].filter(pc.equal(orders["kind"], "move"))
            is_sent = pc.and_(pc.is_valid(rows["to_site"]), pc.is_in(rows["order"], transfers.combine_chunks()))
            rows = rows.filter(is_sent)
        code, found = codes(rows["order"])
        at = pc.fill_null(pc.index_in(names, pa.array(found, pa.string())), len(found)).to_numpy()
        is_booked |= at < len(found)
        for name, units in zip(columns, (good, scrap), strict=False):
            np.maximum(units, np.bincount(code, rows[name].to_numpy(), len(found) + 1)[at], out=units)
    return is_booked


def _one_by_one(state: State, others: pa.Array, states: pa.Array, good: FloatArray, scrap: FloatArray) -> pa.Array:
    """The states, with those of some orders worked out by themselves; puts their units in their places."""
    mine = pc.is_in(state.table("orders")["order"], others).combine_chunks()
    places = np.flatnonzero(mine.to_numpy(zero_copy_only=False))
    rows = state.table("orders").take(pa.array(places)).select(["order", "kind", "units"]).to_pylist()
    stands, found = order_standings(only_orders(state, others)), []
    for place, row in zip(places.tolist(), rows, strict=True):
        stand = stands.get(row["order"])
        found.append(state_of(row, stand))
        good[place], scrap[place] = (0.0, 0.0) if stand is None else (stand.good_units, stand.scrap_units)
    return pc.replace_with_mask(states, mine, pa.array(found, pa.string()))


def _who_said(events: pa.Table, names: pa.Array) -> pa.Array:
    """events: in order."""
    named = events.filter(pc.fill_null(pc.not_equal(events["counterparty"], ""), False))
    code, found = codes(named["order"])
    last = np.zeros(len(found), dtype=np.int64)
    last[code] = np.arange(len(code))  # the last one stays
    told = named["counterparty"].take(pa.array(last))
    return told.take(pc.index_in(names, pa.array(found, pa.string()))).combine_chunks()
