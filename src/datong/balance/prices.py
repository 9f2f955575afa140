"""The door of prices: searches the prices of what is scarce directly, for chains of any size.

The smoothed dual of the market (`dual.py`) is concave and smooth in these prices; L-BFGS-B (Byrd, Lu, Nocedal and Zhu
1995) climbs it while the temperature is lowered step by step. After each step the soft choices are made a plan that
keeps every rule (`repair.py`), and the hard minima at the same prices bound every plan (`bound.py`): the search ends when
the two are as close as was asked.
"""

import os
import time
from dataclasses import replace

import numpy as np
from scipy.optimize import minimize

from datong.balance.bound import lower_bound
from datong.balance.dual import Dual, Flow
from datong.balance.evaluate import evaluate
from datong.balance.pack import Market
from datong.balance.repair import feasible
from datong.balance.solution import Prices, Solution
from datong.model.flow import FloatArray

# Temperatures as shares of a product's unit cost, from warm to cold, and most steps of the search at each.
SCHEDULE = ((0.02, 40), (0.005, 50), (0.0015, 60), (0.0005, 60), (0.0002, 100), (0.0001, 100), (0.0001, 100))


def solve(market: Market) -> Solution:
    """Prices and a feasible plan."""
    dual = Dual(market, threads=min(os.cpu_count() or 1, 4))
    point = np.zeros(dual.size)
    best: tuple[float, Flow] | None = None
    best_bound: tuple[float, Prices] | None = None
    steps = 0
    debug = os.environ.get("DBG")
    t0 = time.time()
    for temperature, most_steps in SCHEDULE:
        if dual.size:
            t = time.time()
            point, more = _climb(dual, point, temperature, most_steps)
            steps += more
            tc = time.time() - t
        price = dual.price_of(point)
        t = time.time()
        flow = dual.flow(price, temperature)
        t1 = time.time()
        flow = feasible(market, dual, price, flow)
        t2 = time.time()
        cost = sum(evaluate(market, flow.started, flow.issued, flow.turned_away).cost.values())
        t3 = time.time()
        prices = _prices(market, dual, price)
        bound = lower_bound(market, prices)
        t4 = time.time()
        if best is None or cost < best[0]:
            best = (cost, flow)
        if best_bound is None or bound > best_bound[0]:
            best_bound = (bound, prices)
        if debug:
            b = float(debug)
            print(
                f"{time.time() - t0:6.1f}s tau {temperature} steps {steps} climb {tc:.2f} flow {t1 - t:.2f} repair {t2 - t1:.2f} evaluate {t3 - t2:.2f} bound {t4 - t3:.2f} cost {cost:.0f} bound {bound:.0f} gap {(best[0] - best_bound[0]) / b:.4f} of avoidable",
                flush=True,
            )
    assert best is not None and best_bound is not None
    _, flow = best
    return Solution(flow.started, flow.issued, flow.turned_away, best_bound[1], "prices", steps)


def _climb(dual: Dual, point: FloatArray, temperature: float, most_steps: int) -> tuple[FloatArray, int]:
    """L-BFGS-B on the smoothed dual: the point it ends at, and the steps it took."""

    def negative(x: FloatArray) -> tuple[float, FloatArray]:
        value, used = dual.value(x * dual.unit, temperature)
        return -value / dual.money * SCALE, (dual.amount - used) * dual.unit / dual.money * SCALE

    found = minimize(
        negative,
        np.maximum(point, dual.low / dual.unit),
        jac=True,
        method="L-BFGS-B",
        bounds=np.stack([dual.low / dual.unit, np.full(dual.size, np.inf)], axis=1),
        options={"maxiter": most_steps, "maxcor": 20, "ftol": 1e-14, "gtol": 1e-9},
    )
    return found.x, int(found.nit)


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
