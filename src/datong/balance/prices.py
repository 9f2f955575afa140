"""The door of prices: searches the prices of what is scarce directly, for chains of any size.

The smoothed dual of the market (`dual.py`) is concave and smooth in these prices; L-BFGS-B (Byrd, Lu, Nocedal and Zhu
1995) climbs it while the temperature is lowered step by step. After each step the soft choices are made a plan that
keeps every rule (`repair.py`), and the hard minima at the same prices bound every plan (`bound.py`): the search ends
when the two are as close as was asked.
"""

import os
import time
from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize

from datong.balance.bound import lower_bound
from datong.balance.dual import Dual, Flow
from datong.balance.evaluate import evaluate
from datong.balance.pack import Market
from datong.balance.repair import feasible
from datong.balance.solution import USUAL_LIMITS, Limits, OnProgress, Prices, Solution, never_stop
from datong.model.flow import FloatArray

# Temperatures as shares of a product's unit cost, from warm to cold, and most steps of the search at each.
SCHEDULE = ((0.02, 40), (0.005, 50), (0.0015, 60), (0.0005, 60), (0.0002, 100), (0.0001, 100), (0.0001, 100))


def solve(
    market: Market, limits: Limits = USUAL_LIMITS, on_progress: OnProgress = never_stop, start: Prices | None = None
) -> Solution:
    """Prices and a feasible plan: the best ones when the gap or the time is reached, or when asked to stop.

    start: prices to begin with.
    """
    began = time.monotonic()
    dual = Dual(market, threads=min(os.cpu_count() or 1, 4))
    point = np.zeros(dual.size) if start is None else _point_of(dual, start)
    best: tuple[float, Flow] | None = None
    best_bound: tuple[float, Prices] | None = None
    steps = 0

    def go_on() -> bool:
        seconds = time.monotonic() - began
        cost = None if best is None else best[0]
        asked = on_progress(seconds, steps, cost, -np.inf if best_bound is None else best_bound[0])
        return asked and (limits.time_limit_s is None or seconds < limits.time_limit_s)

    def on_step(_point: FloatArray) -> None:
        nonlocal steps
        steps += 1
        if not go_on():
            raise StopIteration

    for temperature, most_steps in SCHEDULE:
        if dual.size:
            point = _climb(dual, point, temperature, most_steps, on_step)
        price = dual.price_of(point)
        flow = feasible(market, dual, price, dual.flow(price, temperature))
        cost = sum(evaluate(market, flow.started, flow.issued, flow.turned_away).cost.values())
        prices = _prices(market, dual, price)
        bound = lower_bound(market, prices)
        if best is None or cost < best[0]:
            best = (cost, flow)
        if best_bound is None or bound > best_bound[0]:
            best_bound = (bound, prices)
        if best[0] - best_bound[0] <= limits.gap_share * abs(best[0]) or not go_on():
            break
    assert best is not None and best_bound is not None
    _, flow = best
    return Solution(flow.started, flow.issued, flow.turned_away, best_bound[1], "prices", steps)


def _point_of(dual: Dual, prices: Prices) -> FloatArray:
    """Prices as the search's own vector; those that are not known at their least."""
    stock = prices.component[dual.stock_product, dual.stock_bucket]
    price = np.concatenate([prices.line.T.ravel(), prices.limit[dual.limited], prices.turned_away[dual.away], stock])
    return np.maximum(np.where(np.isfinite(price), price, dual.low), dual.low) / dual.unit


def _climb(
    dual: Dual, point: FloatArray, temperature: float, most_steps: int, on_step: Callable[[FloatArray], None]
) -> FloatArray:
    """L-BFGS-B on the smoothed dual: the point it ends at. on_step: told each point; StopIteration ends it."""

    def negative(x: FloatArray) -> tuple[float, FloatArray]:
        value, used = dual.value(x * dual.unit, temperature)
        return -value / dual.money * SCALE, (dual.amount - used) * dual.unit / dual.money * SCALE

    found = minimize(
        negative,
        np.maximum(point, dual.low / dual.unit),
        jac=True,
        method="L-BFGS-B",
        callback=on_step,
        bounds=np.stack([dual.low / dual.unit, np.full(dual.size, np.inf)], axis=1),
        options={"maxiter": most_steps, "maxcor": 20, "ftol": 1e-14, "gtol": 1e-9},
    )
    return found.x


# The search's own money: one part in ten thousand of all that demand costs.
SCALE = 1e4


def _prices(market: Market, dual: Dual, price: FloatArray) -> Prices:
    hours, limits, away, stock = dual.split(price)
    limit, turned_away = np.zeros(market.way_limit.shape), np.zeros(market.sure.shape)
    limit[dual.limited] = limits
    turned_away[dual.away] = away
    component = np.full((len(market.products), market.buckets), np.inf)
    component[dual.stock_product, dual.stock_bucket] = stock
    return Prices(hours.T.copy(), limit, turned_away, component)
