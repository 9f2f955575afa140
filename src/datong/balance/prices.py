"""The door of prices: searches the prices of line hours directly, for chains whose products share only lines.

At given prices every layer of a product's demand takes its cheapest source and bucket (see docs/balance.md). The sum
of these minima less the worth of what is scarce is the Lagrangian dual, concave but with kinks; with a soft minimum

    softmin_eps(x) = -eps * log sum exp(-x / eps)   <=   min(x)

it is smooth (entropic smoothing, Nesterov 2005), its gradient is the use of each scarce thing less its amount, and
L-BFGS-B (Byrd, Lu, Nocedal and Zhu 1995) climbs it while the temperature eps is lowered step by step. The soft flows
at the last temperature, scaled down to what there is, are the plan.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from datong.balance.pack import Market
from datong.balance.solution import Prices, Solution
from datong.model.flow import FloatArray, IntArray
from datong.model.layers import layer_slopes

# Temperatures as shares of a product's unit cost, from warm to cold, and most steps of the search at each.
TEMPERATURES = (0.05, 0.015, 0.005, 0.0015, 0.0005)
STEPS = 100
# Layers of a product are taken together in this many blocks at least and at most, and in as many of that as keep the
# work of one step (products x blocks x buckets) near this number.
FEWEST_BLOCKS, MOST_BLOCKS, WORK = 48, 400, 1_000_000


@dataclass(frozen=True, eq=False)
class _Layers:
    """Axes: demanded product d, block of layers j (padded with width 0), source k (padded), bucket of arrival a.

    width: (d, j). after: (d, j, a) cost of having the layer from bucket a on, less never. source_cost: (d, k, a), inf
    where closed; the last source is turning away. source_way: (d, k), -1 where padded. scale: (d) unit cost.
    """

    width: FloatArray
    after: FloatArray
    source_cost: FloatArray
    source_way: IntArray
    scale: FloatArray


def solve(market: Market) -> Solution:
    """Prices and a feasible plan. Raises ValueError for a chain with components: they need the door of HiGHS."""
    if not market.single_level:
        raise ValueError("the door of prices takes only chains without components")
    dual = _Dual(market, _layers(market))
    point = np.zeros(dual.size)
    steps = 0
    for temperature in TEMPERATURES:
        found = minimize(
            dual.negative,
            point,
            args=(temperature,),
            jac=True,
            method="L-BFGS-B",
            bounds=dual.bounds,
            options={"maxiter": STEPS, "maxcor": 20, "ftol": 1e-12, "gtol": 1e-9},
        )
        point, steps = found.x, steps + int(found.nit)
    started, away = dual.flows(point, TEMPERATURES[-1])
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
    source_way = np.full((count, sources), -1)
    source_cost = np.full((count, sources, buckets), np.inf)
    plain = market.plain_cost
    blocks = []
    most_blocks = int(np.clip(WORK / max(count * buckets, 1), FEWEST_BLOCKS, MOST_BLOCKS))
    for d, product in enumerate(market.demanded):
        for k, way in enumerate(ways_of[product]):
            source_way[d, k] = way
            lead = market.way_lead[way]
            is_open = market.way_open[way, : buckets - lead]
            cost = market.way_cost[way] / market.way_yield[way]
            source_cost[d, k, lead:] = np.where(is_open, cost, np.inf)
        source_cost[d, -1] = np.where(market.sure[d] > 0, market.lost_sale[product], np.inf)
        width, chance = _blocks(market.net_demand(d), most_blocks)
        economics = (float(a[product]) for a in (market.holding, market.late, market.waiting_at_end, market.salvage))
        slopes = layer_slopes(chance, *economics)
        blocks.append((width, np.cumsum(slopes[:, ::-1], axis=1)[:, ::-1]))
    most = max((len(w) for w, _ in blocks), default=0)
    width, after = np.zeros((count, most)), np.zeros((count, most, buckets))
    for d, (w, a) in enumerate(blocks):
        width[d, : len(w)], after[d, : len(w)] = w, a
    scale = np.where(np.isfinite(plain), plain, 0.0)[market.demanded]
    scale = np.where(scale > 0, scale, np.maximum(market.lost_sale[market.demanded], 1e-6))
    return _Layers(width, after, source_cost, source_way, scale)


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
        d, k, a = np.nonzero(np.isfinite(layers.source_cost[:, :-1]))
        way = layers.source_way[d, k]
        start = a - market.way_lead[way]
        self.source, self.way, self.start = (d, k, a), way, start
        on_line = market.way_line[way] >= 0
        self.hours = np.where(on_line, market.way_hours[way] / market.way_yield[way], 0.0)
        self.line_cell = np.where(on_line, market.way_line[way], 0) * buckets + start
        self.limited = np.isfinite(market.way_limit) & market.way_open
        limit_index = np.full(market.way_open.shape, 0)
        limit_index[self.limited] = np.arange(self.limited.sum())
        self.is_limited = self.limited[way, start]
        self.limit_cell = limit_index[way, start]
        self.sure = market.sure > 0
        self.amount = np.concatenate(
            [market.line_hours.ravel(), market.way_limit[self.limited], market.sure[self.sure]]
        )
        self.lines, self.limits = market.line_hours.size, int(self.limited.sum())
        self.size = len(self.amount)
        self.bounds = [(0.0, None)] * self.size
        # Money scale of each price, so that one step moves all of them alike.
        cost = np.zeros(self.lines)
        taken = np.zeros(self.lines)
        np.add.at(cost, self.line_cell[on_line], layers.scale[d][on_line])
        np.add.at(taken, self.line_cell[on_line], self.hours[on_line])
        mean = float(layers.scale.mean()) if len(layers.scale) else 1.0
        per_hour = np.where(taken > 0, cost / np.where(taken > 0, taken, 1.0), mean)
        item = np.nonzero(self.sure)[0]
        self.unit = np.concatenate([per_hour, np.full(self.limits, mean), layers.scale[item]])
        self.money = max(float(layers.scale @ layers.width.sum(axis=1)), 1e-9)

    def split(self, point: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        price = np.maximum(point, 0.0) * self.unit
        limit, away = np.zeros(self.limited.shape), np.zeros(self.sure.shape)
        limit[self.limited] = price[self.lines : self.lines + self.limits]
        away[self.sure] = price[self.lines + self.limits :]
        return price[: self.lines].reshape(self.market.line_hours.shape), limit, away

    def negative(self, point: FloatArray, temperature: float) -> tuple[float, FloatArray]:
        """Minus the dual (without its constant) and its gradient, in the search's own units."""
        value, flow = self._value_and_flow(point, temperature)
        d, k, a = self.source
        units = flow[d, k, a]
        use = np.concatenate(
            [
                np.bincount(self.line_cell, units * self.hours, self.lines),
                np.bincount(self.limit_cell[self.is_limited], units[self.is_limited], self.limits),
                flow[:, -1][self.sure],
            ]
        )
        value -= float(point * self.unit @ self.amount)
        return -value / self.money, (self.amount - use) * self.unit / self.money

    def _value_and_flow(self, point: FloatArray, temperature: float) -> tuple[float, FloatArray]:
        """Sum of soft minima, and the units of each source and bucket of arrival that they take: (d, k, a)."""
        layers = self.layers
        price = point * self.unit
        d, k, a = self.source
        cost = layers.source_cost.copy()
        more = self.hours * price[: self.lines][self.line_cell]
        if self.limits:
            limit_price = price[self.lines : self.lines + self.limits][self.limit_cell]
            more = more + np.where(self.is_limited, limit_price, 0.0)
        cost[d, k, a] += more
        cost[:, -1][self.sure] += price[self.lines + self.limits :]
        heat = temperature * layers.scale
        best, share = _softmin(cost, heat[:, None, None], axis=1)  # (d, a), (d, k, a)
        reach = best[:, None, :] + layers.after  # (d, j, a)
        floor = np.minimum(reach.min(axis=2), 0.0)
        weight = np.exp(-(reach - floor[:, :, None]) / heat[:, None, None])
        total = weight.sum(axis=2) + np.exp(floor / heat[:, None])
        value = float((layers.width * (floor - heat[:, None] * np.log(total))).sum())
        arrivals = np.einsum("dj,dja->da", layers.width / total, weight)
        return value, share * arrivals[:, None, :]

    def flows(self, point: FloatArray, temperature: float) -> tuple[FloatArray, FloatArray]:
        """Units started (way, bucket) and turned away (demanded, bucket) at the prices."""
        _, flow = self._value_and_flow(point, temperature)
        d, k, a = self.source
        started = np.zeros(self.market.way_open.shape)
        np.add.at(started, (self.way, self.start), flow[d, k, a] / self.market.way_yield[self.way])
        return started, flow[:, -1] * self.sure


def _softmin(cost: FloatArray, heat: FloatArray, axis: int) -> tuple[FloatArray, FloatArray]:
    """Soft minimum along an axis and the share of each entry in it; inf entries have no share."""
    least = cost.min(axis=axis, keepdims=True)
    base = np.where(np.isfinite(least), least, 0.0)
    weight = np.exp(-(cost - base) / heat)
    total = weight.sum(axis=axis, keepdims=True)
    with np.errstate(divide="ignore"):
        soft = base - heat * np.log(total)
    share = weight / np.where(total > 0, total, 1.0)
    return np.squeeze(soft, axis), share


def _within_limits(market: Market, started: FloatArray, away: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Scaled down to what there is: each offer, each line and bucket, and what is sure to be asked for."""
    started = np.minimum(started, market.way_limit)
    hours = np.zeros(market.line_hours.shape)
    on_line = np.nonzero(market.way_line >= 0)[0]
    np.add.at(hours, market.way_line[on_line], market.way_hours[on_line, None] * started[on_line])
    fits = np.where(hours > market.line_hours, market.line_hours / np.maximum(hours, 1e-300), 1.0)
    started[on_line] *= fits[market.way_line[on_line]]
    return started, np.minimum(away, market.sure)
