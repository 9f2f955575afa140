"""Long lots: a way whose smallest lot needs more hours than its line has in any bucket works over several.

What starts in bucket t takes the same part of its hours, its set-up's included, in each of its `span` buckets,

    hours(l, s) = sum of (hours x(w, t) + set-up y(w, t)) / span(w)   over ways w on line l and t <= s < t + span(w)

and its units are there after the last of them. The hour that a start pays for is the mean of theirs.
"""

from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from datong.model.flow import FloatArray, IntArray
from datong.network.spread_over_long_lot import mean_over, spread

if TYPE_CHECKING:
    from datong.balance.arrays import Market


def hours_worked(market: "Market", started: FloatArray, lots: FloatArray | None = None) -> FloatArray:
    """(line, bucket) hours of what starts; lots: (way, bucket) orders, each with its set-up."""
    on_line = np.flatnonzero(market.ways.line >= 0)
    hours = started[on_line] * market.ways.hours[on_line, None]
    if lots is not None:
        hours = hours + lots[on_line] * market.ways.setup_hours[on_line, None]
    span = market.ways.span[on_line]
    for i in np.flatnonzero(span > 1):
        hours[i] = spread(hours[i], int(span[i]))
    shape = (len(market.lines), len(on_line))
    return sp.csr_matrix((np.ones(len(on_line)), (market.ways.line[on_line], np.arange(len(on_line)))), shape) @ hours


def over_span(market: "Market", way: IntArray, amount: FloatArray) -> FloatArray:
    """(way, bucket of start) the mean of an amount (line, bucket) over the buckets that ways on lines work."""
    mean = amount[market.ways.line[way]]
    span = market.ways.span[way]
    for i in np.flatnonzero(span > 1):
        mean[i] = mean_over(mean[i], int(span[i]))
    return mean
