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

Both fall in q, so the best quantity is the smallest with gain(q) <= 0: a weighted quantile of the C_t or -N_t of all
paths, and the newsvendor's where the window is one bucket (Arrow, Harris and Marschak 1951, Econometrica 19).
"""

from dataclasses import dataclass

import numpy as np

from datong.model.flow import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Window:
    """What the order placed now is judged by, for each path of each item.

    short: (item, path, bucket) units: C_t of lost sales, -N_t of backorders. inside, last: (item, path, bucket) whether
    the bucket is in the path's window, and whether it is the window's last.
    """

    short: FloatArray
    inside: np.ndarray
    last: np.ndarray


def order_units(
    demand: FloatArray,
    on_hand: FloatArray,
    arriving: FloatArray,
    opens: IntArray,
    closes: IntArray,
    shortage_cost: FloatArray | float,
    holding_cost: FloatArray | float,
    *,
    backorders: bool = False,
    whole: bool = True,
    most_units: FloatArray | float = np.inf,
) -> FloatArray:
    """(item) units to order now: the module's rule, exact for the paths given.

    demand: (item, path, bucket) units, bucket 0 being the one that opens now. on_hand: (item) units; below 0 what is
    owed. arriving: (item, path, bucket) units under way that arrive at the start of a bucket, or (item, 1, bucket).
    opens, closes: (item, path) buckets, or (item, 1); the number of buckets or more: never. shortage_cost: (item) money
    per unit lost, or with `backorders` per unit and bucket owed. holding_cost: (item) money per unit and bucket.
    whole: whole units only. most_units: (item) the most that can be ordered.

    A path on which the order never arrives, or not before the later one, counts for nothing. Where holding costs
    nothing, the order is for the worst path.
    """
    view = window(demand, on_hand, arriving, opens, closes, backorders=backorders)
    shortage, holding = (np.asarray(c, dtype=float).reshape(-1, 1, 1) for c in (shortage_cost, holding_cost))
    if backorders:
        weight = np.where(view.inside, shortage + holding, 0.0)
        missing = np.where(view.inside, shortage, 0.0).sum(axis=(1, 2))
    else:
        weight = np.where(view.inside, holding, 0.0) + np.where(view.last, shortage, 0.0)
        missing = np.where(view.last, shortage, 0.0).sum(axis=(1, 2))
    units = _weighted_quantile(view.short, weight, missing)
    if whole:
        units = np.ceil(units - 1e-9)
        most_units = np.floor(most_units)
    return np.minimum(units, most_units)


def window(
    demand: FloatArray,
    on_hand: FloatArray,
    arriving: FloatArray,
    opens: IntArray,
    closes: IntArray,
    *,
    backorders: bool = False,
) -> Window:
    """The shortage that an order placed now could meet; arguments as in `order_units`."""
    buckets = demand.shape[2]
    at = np.arange(buckets)
    inside = (at >= opens[:, :, None]) & (at < closes[:, :, None])
    last = inside & (at == np.minimum(closes, buckets)[:, :, None] - 1)
    shape = np.broadcast_shapes(demand.shape, arriving.shape, inside.shape)
    come, asked = np.broadcast_to(arriving, shape), np.broadcast_to(demand, shape)
    inside, last = np.broadcast_to(inside, shape), np.broadcast_to(last, shape)
    stock = np.broadcast_to(np.asarray(on_hand, dtype=float)[:, None], shape[:2])
    if backorders:
        return Window(-(stock[:, :, None] + np.cumsum(come - asked, axis=2)), inside, last)
    lost = np.empty(shape)
    for t in range(buckets):
        left = stock + come[:, :, t] - asked[:, :, t]
        stock = np.maximum(left, 0.0)
        lost[:, :, t] = stock - left
    return Window(np.cumsum(np.where(inside, lost, 0.0), axis=2), inside, last)


def stock_left(demand: FloatArray, on_hand: FloatArray, arriving: FloatArray, opens: IntArray) -> FloatArray:
    """(item, path) units of stock when the order would arrive, with all else that arrives in that bucket; lost sales.

    opens: a number of buckets or more: the stock at the end.
    """
    buckets = demand.shape[2]
    stock = np.broadcast_to(np.asarray(on_hand, dtype=float)[:, None], demand.shape[:2])
    result = np.zeros(demand.shape[:2])
    for t in range(buckets):
        stock = stock + arriving[:, :, t]
        result = np.where(opens == t, stock, result)
        stock = np.maximum(stock - demand[:, :, t], 0.0)
    return np.where(opens >= buckets, stock, result)


def _weighted_quantile(values: FloatArray, weight: FloatArray, missing: FloatArray) -> FloatArray:
    """(item) smallest q >= 0 at which the weight of the values <= q reaches `missing`; 0 where nothing is missing."""
    count = len(values)
    flat = np.where(weight > 0, np.maximum(values, 0.0), 0.0).reshape(count, -1)
    order = np.argsort(flat, axis=1)
    flat = np.take_along_axis(flat, order, axis=1)
    reached = np.cumsum(np.take_along_axis(weight.reshape(count, -1), order, axis=1), axis=1)
    # Sums of many equal parts differ in the last digits from their product.
    first = np.argmax(reached >= missing[:, None] * (1 - 1e-12), axis=1)
    return np.where(missing > 0, flat[np.arange(count), first], 0.0)
