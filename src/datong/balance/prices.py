"""The door of prices: searches the prices of line hours directly, for chains whose products share only lines.

At given prices every layer of a product's demand takes its cheapest source and bucket (see docs/balance.md). The sum
of these minima less the worth of what is scarce is the Lagrangian dual, concave but with kinks; with a soft minimum

    softmin_eps(x) = -eps * log sum exp(-x / eps)   <=   min(x)

it is smooth (entropic smoothing, Nesterov 2005), its gradient is the use of each scarce thing less its amount, and
L-BFGS-B (Byrd, Lu, Nocedal and Zhu 1995) climbs it while the temperature eps is lowered step by step. The soft flows
at the last temperature, scaled down to what there is, are the plan.
"""

import math
import time
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from datong.balance.pack import Market
from datong.balance.solution import USUAL_LIMITS, Limits, OnProgress, Prices, Solution, never_stop
from datong.model.flow import BoolArray, FloatArray, IntArray
from datong.model.layers import layer_slopes

# Temperatures as shares of a product's unit cost, from warm to cold, and most steps of the search at each.
TEMPERATURES = (0.05, 0.015, 0.005, 0.0015, 0.0005)
STEPS = 100
# Where nothing is scarce there is nothing to search: every layer takes its cheapest choice.
NOTHING_SCARCE = 1e-7
# Layers of a product are taken together in this many blocks at least and at most, and in as many of that as keep the
# work of one step (products x blocks x buckets) near this number.
FEWEST_BLOCKS, MOST_BLOCKS, WORK = 48, 400, 1_000_000
# Numbers (products x blocks x buckets) worked on at a time: what a core's own cache holds.
CHUNK = 80_000
# A choice that is dearer than the best by this many temperatures has no share; below exp(-700) exp is slow as well.
COLD = -40.0


@dataclass(frozen=True, eq=False)
class _Layers:
    """Axes, products last so that all work is on long rows: source k (padded; the last is turning away), bucket of
    arrival a, block of layers j (padded with width 0), demanded product d.

    width: (j, d). after: (a, j, d) cost of having the layer from bucket a on, less never. source_cost: (k, a, d), inf
    where closed. source_way: (k, d), -1 where padded. scale: (d) unit cost. away: (a, d) where turning away can pay.
    """

    width: FloatArray
    after: FloatArray
    source_cost: FloatArray
    source_way: IntArray
    scale: FloatArray
    away: BoolArray


def solve(
    market: Market, limits: Limits = USUAL_LIMITS, on_progress: OnProgress = never_stop, start: Prices | None = None
) -> Solution:
    """Prices and a feasible plan. Raises ValueError for a chain with components: they need the door of HiGHS.

    start: prices to begin with, which are not used yet. Of the limits only the time counts.
    """
    if not market.single_level:
        raise ValueError("the door of prices takes only chains without components")
    began = time.monotonic()
    dual = _Dual(market, _layers(market))
    point = np.zeros(dual.size)
    steps = 0
    stopped = False

    def on_step(_point: FloatArray) -> None:
        nonlocal stopped, steps
        steps += 1
        seconds = time.monotonic() - began
        late = limits.time_limit_s is not None and seconds > limits.time_limit_s
        stopped = late or not on_progress(seconds, steps, None, -math.inf)
        if stopped:
            raise StopIteration

    if not dual.size:
        dual.warm(NOTHING_SCARCE)
    for temperature in TEMPERATURES if dual.size else ():
        if stopped:
            break
        dual.warm(temperature)
        found = minimize(
            dual.negative,
            point,
            jac=True,
            method="L-BFGS-B",
            bounds=dual.bounds,
            callback=on_step,
            options={"maxiter": STEPS, "maxcor": 20, "ftol": 1e-12, "gtol": 1e-9},
        )
        point = found.x
    started, away = dual.flows(point)
    started, away = _within_limits(market, started, away)
    line, limit, turned_away = dual.split(point)
    component = np.full((len(market.products), market.buckets), np.inf)
    prices = Prices(line, limit, turned_away, component)
    return Solution(started, np.zeros_like(market.sure), away, prices, "prices", steps)


def _layers(market: Market) -> _Layers:
    buckets, count = market.buckets, len(market.demanded)
    ways_of: list[list[int]] = [[] for _ in market.products]
    for way, product in enumerate(market.way_product):
        if market.way_open[way].any():
            ways_of[product].append(way)
    sources = max((len(ways_of[p]) for p in market.demanded), default=0) + 1
    source_way = np.full((sources, count), -1)
    source_cost = np.full((sources, buckets, count), np.inf)
    plain = market.plain_cost
    blocks = []
    most_blocks = int(np.clip(WORK / max(count * buckets, 1), FEWEST_BLOCKS, MOST_BLOCKS))
    for d, product in enumerate(market.demanded):
        for k, way in enumerate(ways_of[product]):
            source_way[k, d] = way
            lead = market.way_lead[way]
            is_open = market.way_open[way, : buckets - lead]
            cost = market.way_cost[way] / market.way_yield[way]
            source_cost[k, lead:, d] = np.where(is_open, cost, np.inf)
        width, chance = _blocks(market.net_demand(d), most_blocks)
        economics = (float(a[product]) for a in (market.holding, market.late, market.waiting_at_end, market.salvage))
        slopes = layer_slopes(chance, *economics)
        blocks.append((width, np.cumsum(slopes[:, ::-1], axis=1)[:, ::-1]))
    most = max((len(w) for w, _ in blocks), default=0)
    width, after = np.zeros((most, count)), np.zeros((buckets, most, count))
    for d, (w, a) in enumerate(blocks):
        width[: len(w), d], after[:, : len(w), d] = w, a.T
    away = _away_can_pay(market).T
    source_cost[-1] = np.where(away, market.lost_sale[market.demanded], np.inf)
    scale = np.where(np.isfinite(plain), plain, 0.0)[market.demanded]
    scale = np.where(scale > 0, scale, np.maximum(market.lost_sale[market.demanded], 1e-6))
    return _Layers(width, after, source_cost, source_way, scale, away)


def _away_can_pay(market: Market) -> BoolArray:
    """(demanded, bucket) where turning a sure buyer away can be cheaper than letting him wait for ever.

    Waiting from bucket t to the end costs at most late * (T - t) + the larger of waiting_at_end and salvage; where the
    lost sale costs as much, turning away is never chosen and needs no price.
    """
    p = market.demanded
    left = np.arange(market.buckets, 0, -1)
    most = market.late[p, None] * left + np.maximum(market.waiting_at_end, market.salvage)[p, None]
    return (market.sure > 0) & (market.lost_sale[p, None] < most)


def _blocks(net: FloatArray, most_blocks: int) -> tuple[FloatArray, FloatArray]:
    """Widths (block) and mean chances (block, bucket) of layers of cumulative demand (path, bucket); see WORK.

    Edges are quantiles of all its values; the mean chance in each block keeps the expected demand.
    """
    values = net[net > 0]
    edges = np.unique(np.concatenate([[0.0], values]))
    if len(edges) > most_blocks + 1:
        edges = np.unique(np.quantile(edges, np.linspace(0.0, 1.0, most_blocks + 1), method="inverted_cdf"))
    width = np.diff(edges)
    ordered = np.sort(np.maximum(net, 0.0), axis=0)
    chance = np.empty((len(width), net.shape[1]))
    for t in range(net.shape[1]):
        below = np.searchsorted(ordered[:, t], edges, side="right")
        sums = np.concatenate([[0.0], np.cumsum(ordered[:, t])])
        capped = (sums[below] + (len(net) - below) * edges) / len(net)  # E min(D, edge)
        chance[:, t] = np.diff(capped) / width
    return width, np.clip(chance, 0.0, 1.0)


class _Dual:
    """The smoothed dual as a function of one vector: prices of line hours, of limited offers, of turning away."""

    def __init__(self, market: Market, layers: _Layers) -> None:
        self.market, self.layers = market, layers
        buckets = market.buckets
        is_open = np.isfinite(layers.source_cost[:-1])
        k, a, d = np.nonzero(is_open)
        way = layers.source_way[k, d]
        start = a - market.way_lead[way]
        self.source, self.way, self.start = (k, a, d), way, start
        on_line = market.way_line[way] >= 0
        self.hours = np.where(on_line, market.way_hours[way] / market.way_yield[way], 0.0)
        self.lines = market.line_hours.size
        self.line_cell = np.where(on_line, market.way_line[way] * buckets + start, self.lines)  # the last: no line
        self.limited = np.isfinite(market.way_limit) & market.way_open
        limit_index = np.full(market.way_open.shape, 0)
        limit_index[self.limited] = np.arange(self.limited.sum())
        self.is_limited = self.limited[way, start]
        self.limit_cell = limit_index[way, start]
        self.away = layers.away.T  # (demanded, bucket)
        self.amount = np.concatenate(
            [market.line_hours.ravel(), market.way_limit[self.limited], market.sure[self.away]]
        )
        self.limits = int(self.limited.sum())
        self.size = len(self.amount)
        self.bounds = [(0.0, None)] * self.size
        # Money scale of each price, so that one step moves all of them alike.
        cost = np.zeros(self.lines)
        taken = np.zeros(self.lines)
        np.add.at(cost, self.line_cell[on_line], layers.scale[d][on_line])
        np.add.at(taken, self.line_cell[on_line], self.hours[on_line])
        mean = float(layers.scale.mean()) if len(layers.scale) else 1.0
        per_hour = np.where(taken > 0, cost / np.where(taken > 0, taken, 1.0), mean)
        item = np.nonzero(self.away)[0]
        self.unit = np.concatenate([per_hour, np.full(self.limits, mean), layers.scale[item]])
        self.money = max(float((layers.scale * layers.width).sum()), 1e-9)

    def warm(self, temperature: float) -> None:
        """Sets the temperature: a share of each product's unit cost."""
        layers = self.layers
        self.heat = temperature * layers.scale
        blocks, count = layers.width.shape
        step = max(CHUNK // max(blocks * self.market.buckets, 1), 1)
        self.chunks = [
            (part, np.ascontiguousarray(layers.after[:, :, part] / -self.heat[part]), layers.width[:, part].copy())
            for part in (slice(i, i + step) for i in range(0, count, step))
        ]

    def split(self, point: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        price = np.maximum(point, 0.0) * self.unit
        limit, away = np.zeros(self.limited.shape), np.zeros(self.away.shape)
        limit[self.limited] = price[self.lines : self.lines + self.limits]
        away[self.away] = price[self.lines + self.limits :]
        return price[: self.lines].reshape(self.market.line_hours.shape), limit, away

    def negative(self, point: FloatArray) -> tuple[float, FloatArray]:
        """Minus the dual (without its constant) and its gradient, in the search's own units."""
        value, flow = self._value_and_flow(point)
        units = flow[self.source]
        use = np.concatenate(
            [
                np.bincount(self.line_cell, units * self.hours, self.lines + 1)[: self.lines],
                np.bincount(self.limit_cell[self.is_limited], units[self.is_limited], self.limits),
                flow[-1].T[self.away],
            ]
        )
        value -= float(point * self.unit @ self.amount)
        return -value / self.money, (self.amount - use) * self.unit / self.money

    def _value_and_flow(self, point: FloatArray) -> tuple[float, FloatArray]:
        """Sum of soft minima, and the units of each source and bucket of arrival that they take: (k, a, d)."""
        price = point * self.unit
        more = self.hours * np.append(price[: self.lines], 0.0)[self.line_cell]
        if self.limits:
            limit_price = price[self.lines : self.lines + self.limits][self.limit_cell]
            more = more + np.where(self.is_limited, limit_price, 0.0)
        cost = self.layers.source_cost.copy()
        cost[self.source] += more
        cost[-1].T[self.away] += price[self.lines + self.limits :]
        best, share = _softmin(cost, self.heat)  # (a, d), (k, a, d)
        value = 0.0
        for part, after, width in self.chunks:
            worth = after + (best[:, part] / -self.heat[part])[:, None, :]  # (a, j, d), in temperatures
            most = np.maximum(worth.max(axis=0), 0.0)
            worth -= most
            np.exp(np.maximum(worth, COLD, out=worth), out=worth)
            total = worth.sum(axis=0) + np.exp(-most)
            value -= float((width * (most + np.log(total))).sum(axis=0) @ self.heat[part])
            worth *= width / total
            share[:, :, part] *= worth.sum(axis=1)
        return value, share

    def flows(self, point: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Units started (way, bucket) and turned away (demanded, bucket) at the prices."""
        _, flow = self._value_and_flow(point)
        started = np.zeros(self.market.way_open.shape)
        np.add.at(started, (self.way, self.start), flow[self.source] / self.market.way_yield[self.way])
        return started, flow[-1].T * self.away


def _softmin(cost: FloatArray, heat: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Soft minimum over the first axis and the share of each entry in it; inf entries have no share."""
    least = cost.min(axis=0)
    base = np.where(np.isfinite(least), least, 0.0)
    weight = np.where(np.isfinite(cost), np.exp(np.maximum((base - cost) / heat, COLD)), 0.0)
    total = weight.sum(axis=0)
    with np.errstate(divide="ignore"):
        soft = base - heat * np.log(total)
    return soft, weight / np.where(total > 0, total, 1.0)


def _within_limits(market: Market, started: FloatArray, away: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Scaled down to what there is: each offer, each line and bucket, and what is sure to be asked for."""
    started = np.minimum(started, market.way_limit)
    hours = np.zeros(market.line_hours.shape)
    on_line = np.nonzero(market.way_line >= 0)[0]
    np.add.at(hours, market.way_line[on_line], market.way_hours[on_line, None] * started[on_line])
    fits = np.where(hours > market.line_hours, market.line_hours / np.maximum(hours, 1e-300), 1.0)
    started[on_line] *= fits[market.way_line[on_line]]
    return started, np.minimum(away, market.sure)
