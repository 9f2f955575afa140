"""How much to order now, from sample paths of demand and of what is under way.

An order placed now arrives in bucket `opens`; the first order that can still be placed later arrives in bucket
`closes`. What is ordered now is judged by the window in between, which no later decision can serve (Morton 1971,
Operations Research 19: a unit that could as well be part of the next order waits for it).

Lost sales. Let C_t be what would be lost from the window's first bucket up to bucket t if nothing were ordered now. q
more units at its start sell min(q, C_t) of that and leave the rest of the stock as it was, whatever else arrives, since

    min(d, S + E) - min(d, S) = min(E, (d - S)+).

Unit q + 1 is therefore sold in the window where C_end > q, and lies unsold at the end of each bucket with C_t <= q:

    gain(q) = shortage * P(C_end > q) - holding * E[number of t in the window with C_t <= q].

Backorders. With N_t the stock less what is owed if nothing is ordered now, unit q + 1 spares a unit's waiting in each
bucket with -N_t > q and lies in each other one:

    gain(q) = shortage * E[number of t with -N_t > q] - holding * E[number of t with -N_t <= q].

What the next order takes over. The next order q' arrives when the window ends, and is smaller by what this one leaves.
Chosen together for both windows, on the same paths, they are best where no unit is worth moving from q' to q. A unit
moved is there in the window; where it is sold in it, one less is there after it. With S_t what would be lost from the
next window's first bucket up to t with q and without q', and v the worth there of one more unit beside q',

    v = shortage [S_end > q'] - holding [number of t in the next window with S_t <= q'],
    gain(q) = E[(shortage - v) [C_end > q]] - holding E[number of t in the window with C_t <= q].

q' is best where E[v] = 0; paths with S_t = q' count as sold in the share that makes it so. Where shortages last from
one window to the next, gain is smaller (myopic orders are too large when sales are lost: Morton 1971; Zipkin 2008,
Operations Research 56); where they alternate, it is larger. v is taken at the q that is best for its own window and the
q' that is best after it. That q' is thrown away, and decided when it is due with what is known by then (open-loop
feedback: Bertsekas 2005, Dynamic Programming and Optimal Control, chapter 6). Hence

* v = 0 on paths whose window is over when the next order is placed (`settled`): that order sees what was left;
* v = 0 with backorders, where every unit asked for is delivered, so that a unit moved leaves the same behind;
* where q' = 0 no order takes over, and this one's window runs on to the end of the next.

Both gains fall in q, so the best quantity is the smallest with gain(q) <= 0: a weighted quantile of the C_t or -N_t of
all paths, and the newsvendor's where the window is one bucket (Arrow, Harris and Marschak 1951, Econometrica 19).
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from datong.model.flow import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Window:
    """What the order placed now is judged by, for each path of each item.

    short: (item, path, bucket) units: C_t of lost sales, -N_t of backorders. inside, last: (item, path, bucket) whether
    the bucket is in the path's window, and whether it is its last. next_inside, next_last: the like of the next order's
    window. stock_then: (item, path) units there when the window opens, with what else arrives in that bucket and less
    what is owed; 0 where it never does. backorders: unmet demand waits.
    """

    short: FloatArray
    stock_then: FloatArray
    inside: BoolArray
    last: BoolArray
    next_inside: BoolArray
    next_last: BoolArray
    backorders: bool


def window(
    demand: FloatArray,
    on_hand: FloatArray,
    arriving: FloatArray,
    opens: IntArray,
    closes: IntArray,
    next_closes: IntArray | None = None,
    *,
    backorders: bool = False,
) -> Window:
    """The shortage that an order placed now could meet.

    demand: (item, path, bucket) units, bucket 0 being the one that opens now. on_hand: (item) units; below 0 what is
    owed. arriving: (item, path, bucket) units under way that arrive at the start of a bucket, or (item, 1, bucket).
    opens, closes: (item, path) buckets, or (item, 1); the number of buckets or more: never. next_closes: the like, in
    which the next order's window, which begins at closes, ends; without it that order has none. A path on which the
    order never arrives, or not before the later one, has no window and counts for nothing.
    """
    ends = closes if next_closes is None else next_closes
    shape = np.broadcast_shapes(demand.shape, arriving.shape, *((*at.shape, 1) for at in (opens, closes, ends)))
    at = np.arange(shape[2])
    first, end, next_end = opens[:, :, None], *(np.minimum(b, shape[2])[:, :, None] for b in (closes, ends))
    # A path without a window has nothing after it either.
    begun = np.broadcast_to((at >= first) & (first < end), shape)
    following = begun & (at >= end) & (at < next_end)
    parts = begun & (at < end), begun & (at == end - 1), following, following & (at == next_end - 1)
    come, asked = np.broadcast_to(arriving, shape), np.broadcast_to(demand, shape)
    stock = np.broadcast_to(np.asarray(on_hand, dtype=float)[:, None], shape[:2])
    if backorders:
        net = stock[:, :, None] + np.cumsum(come - asked, axis=2)
        return Window(-net, _at(opens, net + asked), *parts, backorders)
    there, lost = np.empty(shape), np.empty(shape)
    for t in range(shape[2]):
        there[:, :, t] = stock + come[:, :, t]
        left = there[:, :, t] - asked[:, :, t]
        stock = np.maximum(left, 0.0)
        lost[:, :, t] = stock - left
    lost *= begun
    return Window(np.cumsum(lost, axis=2), _at(opens, there), *parts, backorders)


def whole_units(units: FloatArray, most_units: FloatArray | float) -> FloatArray:
    """(item) rounded up, but within `most_units`."""
    return np.minimum(np.ceil(units - 1e-9), np.floor(most_units))


def cheapest_units(
    view: Window,
    shortage_cost: FloatArray | float,
    holding_cost: FloatArray | float,
    taken: FloatArray | float = 0.0,
) -> FloatArray:
    """(item) smallest quantity at which the module's gain is no longer above 0, exact for the paths given.

    shortage_cost: (item) money per unit lost, or with backorders per unit and bucket owed. holding_cost: (item) money
    per unit and bucket. taken: (item, path) money, v of the module. Where holding costs nothing, the quantity is that
    of the worst path.
    """
    spared, holding = _spared(shortage_cost, taken), _by_path(holding_cost)
    begins = int(np.argmax(view.inside.any(axis=(0, 1))))  # no bucket before counts on any path
    short, inside = view.short[:, :, begins:], view.inside[:, :, begins:]
    weight = np.where(inside if view.backorders else view.last[:, :, begins:], spared, 0.0)
    return _weighted_quantile(short, weight + holding * inside, weight.sum(axis=(1, 2)))


def with_next_order(
    view: Window,
    units: FloatArray,
    shortage_cost: FloatArray | float,
    holding_cost: FloatArray | float,
    settled: BoolArray,
) -> tuple[Window, FloatArray]:
    """What an order is judged by when the next one is thought of: its window, which runs on where the next is nil, and
    (item, path) money, v of the module.

    units: (item) of the order that is best for its own window. settled: (item, path) whether the window is over when
    the next order is placed. Costs as in `cheapest_units`.
    """
    shortage, holding = _by_path(shortage_cost), _by_path(holding_cost)
    inside, last = view.next_inside, view.next_last
    short = view.short - units[:, None, None]
    if not view.backorders:
        short = np.maximum(short, 0.0)
        short -= np.einsum("ipb,ipb->ip", short, view.last)[:, :, None]  # one bucket is the last, or none
    weight = np.where(inside if view.backorders else last, shortage, 0.0)
    found = _weighted_quantile(short, weight + holding * inside, weight.sum(axis=(1, 2)))[:, None, None]
    nil = found == 0
    ends = np.where(nil & last.any(axis=2, keepdims=True), last, view.last)
    judged = replace(view, inside=view.inside | (nil & inside), last=ends)
    if view.backorders:
        return judged, np.zeros(short.shape[:2])
    sold = short > found, short >= found
    least, most = (np.sum(np.where(by_then, weight, -holding * inside), axis=2) for by_then in sold)
    mean, wide = least.mean(axis=1, keepdims=True), np.mean(most - least, axis=1, keepdims=True)
    share = np.clip(np.divide(-mean, wide, out=np.zeros_like(mean), where=wide > 0), 0.0, 1.0)
    return judged, np.where(settled | nil[:, :, 0], 0.0, least + share * (most - least))


def expected_gain(
    view: Window,
    units: FloatArray,
    shortage_cost: FloatArray | float,
    holding_cost: FloatArray | float,
    taken: FloatArray | float = 0.0,
) -> FloatArray:
    """(item) money that an order of these units saves on average over the paths: the module's gains of them, summed.

    Arguments as in `cheapest_units`.
    """
    spared, holding = _spared(shortage_cost, taken), _by_path(holding_cost)
    asked, there = np.maximum(view.short, 0.0), units[:, None, None]
    money = spared * (view.inside if view.backorders else view.last) * np.minimum(there, asked)
    money -= holding * view.inside * np.maximum(there - asked, 0.0)
    return money.sum(axis=(1, 2)) / view.short.shape[1]


def _by_path(cost: FloatArray | float) -> FloatArray:
    """As (item, 1, 1)."""
    return np.asarray(cost, dtype=float).reshape(-1, 1, 1)


def _spared(shortage_cost: FloatArray | float, taken: FloatArray | float) -> FloatArray:
    """(item, path or 1, 1) money per unit of shortage that is met."""
    return _by_path(shortage_cost) - np.atleast_2d(taken)[:, :, None]


def _at(bucket: IntArray, values: FloatArray) -> FloatArray:
    """(item, path) values of a bucket, 0 where it is beyond the last."""
    buckets = values.shape[2]
    found = np.take_along_axis(values, np.minimum(bucket, buckets - 1)[:, :, None], axis=2)[:, :, 0]
    return np.where(bucket < buckets, found, 0.0)


def _weighted_quantile(values: FloatArray, weight: FloatArray, missing: FloatArray) -> FloatArray:
    """(item) smallest q >= 0 at which the weight of the values <= q reaches `missing`; 0 where nothing is missing."""
    count, numbers = len(values), math.prod(values.shape[1:])
    flat = np.where(weight > 0, np.maximum(values, 0.0), 0.0).reshape(count, numbers)
    order = np.argsort(flat, axis=1)
    flat = np.take_along_axis(flat, order, axis=1)
    reached = np.cumsum(np.take_along_axis(weight.reshape(count, numbers), order, axis=1), axis=1)
    # Sums of many equal parts differ in the last digits from their product.
    first = np.argmax(reached >= missing[:, None] * (1 - 1e-12), axis=1)
    return np.where(missing > 0, flat[np.arange(count), first], 0.0)
