"""Long lots: a way whose smallest lot needs more hours than its line has in any bucket works over several.

What starts in bucket t takes a share of its hours, its set-up's included, in each of its buckets,

    hours(l, s) = sum of share(w, s - t) (hours x(w, t) + set-up y(w, t))   over ways w on line l and buckets t,

and its units are there after the last of them; in closed buckets in between its share is 0 (network/long_lots.py). The
hour that a start pays for is the mean of theirs.
"""

from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from datong.model.flow import FloatArray, IntArray
from datong.network.spread_over_long_lot import mean_over, most_over, spread

if TYPE_CHECKING:
    from datong.balance.arrays import Market


def hours_worked(market: "Market", started: FloatArray, lots: FloatArray | None = None) -> FloatArray:
    """(line, bucket) hours of what starts; lots: (way, bucket) orders, each with its set-up."""
    on_line = np.flatnonzero(market.ways.line >= 0)
    hours = started[on_line] * market.ways.hours[on_line, None]
    if lots is not None:
        hours = hours + lots[on_line] * market.ways.setup_hours[on_line, None]
    for i in np.flatnonzero(market.ways.span[on_line] > 1):
        hours[i] = spread(hours[i], market.ways.facts[on_line[i]].worked)
    shape = (len(market.lines), len(on_line))
    worked = sp.csr_matrix((np.ones(len(on_line)), (market.ways.line[on_line], np.arange(len(on_line)))), shape) @ hours
    beside = market.rules.lines_at_once
    for i, w in enumerate(beside.way.tolist()):
        held = started[w] * beside.hours[i] + (0.0 if lots is None else lots[w] * beside.setup_hours[i])
        worked[beside.line[i]] += spread(held, market.ways.facts[w].worked)
    return worked


def over_span(market: "Market", way: IntArray, amount: FloatArray) -> FloatArray:
    """(way, bucket of start) the mean of an amount (line, bucket) over the buckets that ways on lines work."""
    mean = amount[market.ways.line[way]]
    for i in np.flatnonzero(market.ways.span[way] > 1):
        mean[i] = mean_over(mean[i], market.ways.facts[way[i]].worked)
    return mean


def hours_there(market: "Market", way: IntArray) -> FloatArray:
    """(way, bucket of start) the most hours of its line that a start of ways on lines can take, in all its buckets."""
    most = market.most_hours[market.ways.line[way]]
    for i in np.flatnonzero(market.ways.span[way] > 1):
        most[i] = most_over(most[i], market.ways.facts[way[i]].worked)
    return most


def cost_beside(market: "Market", way: IntArray, price: FloatArray) -> FloatArray:
    """(way, bucket of start) what a unit started costs by the lines that it holds beside its own, at a price of their
    hours (line, bucket)."""
    beside, cost = market.rules.lines_at_once, np.zeros((len(way), price.shape[1]))
    place = {w: k for k, w in enumerate(way.tolist())}
    for i, w in enumerate(beside.way.tolist()):
        if w in place:
            cost[place[w]] += beside.hours[i] * mean_over(price[beside.line[i]], market.ways.facts[w].worked)
    return cost


def most_beside(market: "Market", setup: bool = False) -> FloatArray:
    """(way, bucket of start) most units started that the lines held beside allow, set up as one order or not; inf where
    none is held."""
    beside, most = market.rules.lines_at_once, np.full(market.ways.is_open.shape, np.inf)
    for i, w in enumerate(beside.way.tolist()):
        there = most_over(market.most_hours[beside.line[i]], market.ways.facts[w].worked)
        left = there - beside.setup_hours[i] if setup else there
        each = float(beside.hours[i])
        room = np.maximum(left, 0.0) / each if each > 0 else np.where(left >= 0, np.inf, 0.0)
        most[w] = np.minimum(most[w], room)
    return most
