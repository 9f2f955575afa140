"""The door of prices: searches the prices of what is scarce directly, for chains of any size.

The smoothed dual of the market (`dual.py`) is concave and smooth in these prices; L-BFGS-B (Byrd, Lu, Nocedal and Zhu
1995) climbs it while the temperature is lowered step by step. After each step the hard minima at the prices reached
bound every plan (`bound.py`), and the soft choices are made a plan that keeps every rule (`repair.py`): the search ends
when the two are as close as was asked.
"""

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import threadpool_limits

from datong.balance import highs
from datong.balance.arrays import Market
from datong.balance.avoidable import unavoidable_cost
from datong.balance.bound import lower_bound
from datong.balance.dual import Dual, Flow
from datong.balance.evaluate import Outcome, covered, evaluate, supply_of
from datong.balance.repair import feasible
from datong.balance.rules.max_lateness import turn_away_overdue
from datong.balance.solution import USUAL_LIMITS, Limits, OnProgress, Prices, Solution, never_stop
from datong.model.flow import FloatArray

# Temperatures as shares of a product's unit cost, from warm to cold, with the most steps of the search at each; the
# last ones only until the gap is as asked. Plans are made from PLANS_FROM down: at warmer prices they are bad ones.
SCHEDULE = (
    *((0.01, 30), (0.003, 40), (0.001, 60), (0.0004, 80), (0.0002, 100), (0.0002, 100), (0.0001, 150), (0.0001, 150)),
    *((0.00005, 300), (0.00005, 300), (0.00003, 600), (0.00003, 1200), (0.00002, 2400)),
)
PLANS_FROM = 0.0004
# Where nothing is scarce there is nothing to search: every unit takes its cheapest choice.
NOTHING_SCARCE = 1e-7
# Prices of an earlier balance are those of one temperature: the search begins there, unless they are off by more than
# this many times what is near enough; then it begins with this place of the schedule.
STILL_NEAR, WARM_FROM = 4.0, 4
# A climb ends when what its prices are off by costs less than this share of the gap asked for; temperature takes the
# rest. What is asked beyond what there is counts at this part of the unit costs of what it goes into: that is what it
# took to place it elsewhere, on networks of 2,000 and 20,000 products.
NEAR, PLACED = 0.5, 0.05
# After a change only what it touched is off, so that the first climb from earlier prices may end so many times sooner.
WARM_NEAR = 3.0
# The search counts money in this part of what all demand costs.
COUNTED = 1e-4
# Steps that the search remembers to learn how the dual bends.
REMEMBERED = 12
# More threads than this wait for memory.
MOST_THREADS = 4


@dataclass(frozen=True, eq=False)
class Found:
    """A solution with what its plan really costs (`evaluate`) and the bound that its prices give (`lower_bound`)."""

    solution: Solution
    outcome: Outcome
    bound: float


def solve(
    market: Market, limits: Limits = USUAL_LIMITS, on_progress: OnProgress = never_stop, start: Prices | None = None
) -> Found:
    """Prices and a feasible plan; the best of each that was found until the limits were reached.

    start: prices to begin with, of an earlier clearing. on_progress is asked at every step whether to go on. Components
    that orders under way need and that are not there are brought as `covering` says; all else is searched beside it.
    """
    if market.stock.covering.any():
        first = _beside(market, market.stock.covering, limits, on_progress, start)
        covering, prices = highs.least_covering(market, first.solution.prices)
        again = _beside(market, covering, limits, on_progress, first.solution.prices)
        best = min(first, again, key=lambda one: sum(one.outcome.cost.values()))
        bounds = [(lower_bound(market, p), p) for p in (prices, *(f.solution.prices for f in (first, again)))]
        bound, told = max(bounds, key=lambda pair: pair[0])
        return Found(replace(best.solution, prices=told), best.outcome, bound)
    # Vectors are short: threads of the linear algebra beneath would wait for one another most of the time.
    with threadpool_limits(limits=1, user_api="blas"):
        search = _Search(market, limits, on_progress)
        try:
            return search.run(start)
        finally:
            search.dual.close()


def _beside(
    market: Market, covering: FloatArray, limits: Limits, on_progress: OnProgress, start: Prices | None
) -> Found:
    """`solve` with the starts `covering` as given, costed as part of the whole market."""
    found = solve(covered(market, covering), limits, on_progress, start)
    solution = replace(found.solution, started=found.solution.started + covering)
    outcome = evaluate(market, solution.started, solution.issued, solution.turned_away)
    return Found(solution, outcome, found.bound)


class _Search:
    """One search: its clock, and the best plan and the best bound so far."""

    def __init__(self, market: Market, limits: Limits, on_progress: OnProgress) -> None:
        self.began = time.monotonic()
        self.market, self.limits, self.on_progress = market, limits, on_progress
        self.dual = Dual(market, threads=min(os.cpu_count() or 1, MOST_THREADS))
        self.unavoidable = unavoidable_cost(market)
        self.steps = 0
        self.stopped = False
        self.flow: Flow | None = None
        self.outcome: Outcome | None = None
        self.cost = math.inf
        self.prices: Prices | None = None
        self.bound = -math.inf

    def run(self, start: Prices | None) -> Found:
        dual = self.dual
        schedule = SCHEDULE
        price = np.maximum(0.0, dual.low)
        if start is not None:
            price = self._prices_of(start)
            self._keep_bound(price)
            schedule = SCHEDULE[self._warm_place(price) :]
        if dual.size == 0:
            schedule = ((NOTHING_SCARCE, 0),)
        for place, (temperature, most_steps) in enumerate(schedule):
            near = self._near() * (WARM_NEAR if start is not None and place == 0 else 1.0)
            price = climb(dual, price, temperature, most_steps, self._go_on, near)
            self._keep_bound(price)
            if temperature <= PLANS_FROM or self.stopped or place == len(schedule) - 1:
                self._keep_plan(price, temperature)
            if self.stopped or self._close_enough():
                break
        assert self.flow is not None and self.outcome is not None and self.prices is not None
        flow = self.flow
        solution = Solution(flow.started, flow.issued, flow.turned_away, self.prices, "prices", self.steps)
        return Found(solution, self.outcome, self.bound)

    def _go_on(self) -> bool:
        """Counts a step, and asks whether there is time for another."""
        self.steps += 1
        seconds = time.monotonic() - self.began
        cost = self.cost if self.flow is not None else None
        late = self.limits.time_limit_s is not None and seconds > self.limits.time_limit_s
        self.stopped = self.stopped or late or not self.on_progress(seconds, self.steps, cost, self.bound)
        return not self.stopped

    def _warm_place(self, price: FloatArray) -> int:
        """The place of the schedule at which given prices are least off."""
        dual = self.dual
        places: dict[float, int] = {}
        for place, (temperature, _) in enumerate(SCHEDULE):
            if temperature <= PLANS_FROM:
                places.setdefault(temperature, place)
        off = {place: _off(dual, price, dual.amount - dual.value(price, t)[1]) for t, place in places.items()}
        best = min(off, key=lambda place: off[place])
        return best if off[best] <= STILL_NEAR * self._near() else WARM_FROM

    def _near(self) -> float:
        """Money by which prices may be off; 0 before anything is known."""
        return NEAR * self.limits.gap_share * max(self.bound - self.unavoidable, 0.0)

    def _close_enough(self) -> bool:
        if self.flow is None:
            return False
        return self.cost - self.bound <= self.limits.gap_share * max(self.cost - self.unavoidable, 0.0)

    def _keep_bound(self, price: FloatArray) -> None:
        prices = _on_the_market(self.market, self.dual, price)
        bound = lower_bound(self.market, prices)
        if self.prices is None or bound > self.bound:
            self.bound, self.prices = bound, prices

    def _keep_plan(self, price: FloatArray, temperature: float) -> None:
        flow = feasible(self.market, self.dual, price, self.dual.flow(price, temperature))
        supply = supply_of(self.market, flow.started, flow.issued)
        flow = replace(flow, turned_away=turn_away_overdue(self.market, supply, flow.turned_away))
        outcome = evaluate(self.market, flow.started, flow.issued, flow.turned_away)
        cost = sum(outcome.cost.values())
        if cost < self.cost:
            self.cost, self.flow, self.outcome = cost, flow, outcome

    def _prices_of(self, start: Prices) -> FloatArray:
        """The search's vector at given prices."""
        dual = self.dual
        stock = start.component[dual.stock_product, dual.stock_bucket]
        parts = (start.line.T.ravel(), start.limit[dual.limited], start.turned_away[dual.away], stock)
        price = np.concatenate(parts)
        # A stock without a price is worth what it replaces.
        usual = np.concatenate([np.zeros(dual.size - len(stock)), self.market.products.plain_cost[dual.stock_product]])
        price = np.where(np.isfinite(price), price, np.where(np.isfinite(usual), usual, 0.0))
        return np.maximum(price, dual.low)


def climb(
    dual: Dual,
    price: FloatArray,
    temperature: float,
    most_steps: int,
    go_on: Callable[[], bool] = lambda: True,
    near: float = 0.0,
) -> FloatArray:
    """L-BFGS-B on the smoothed dual from a vector of prices: the prices at which it ends.

    near: money by which prices may be off: what is asked beyond what there is, and priced and not asked for.
    """
    if dual.size == 0 or most_steps == 0:
        return price
    money = dual.money * COUNTED
    unit = dual.step * np.sqrt(temperature * money)

    left = np.zeros(dual.size)

    def negative(x: FloatArray) -> tuple[float, FloatArray]:
        value, used = dual.value(np.maximum(x * unit, dual.low), temperature)
        np.subtract(dual.amount, used, out=left)
        return -value / money, left * unit / money

    def on_step(point: FloatArray) -> None:
        if not go_on() or _off(dual, np.maximum(point * unit, dual.low), left) <= near:
            raise StopIteration

    from scipy.optimize import minimize  # half a second, and small chains go by the other door

    least = dual.low / unit
    found = minimize(
        negative,
        np.maximum(price / unit, least),
        jac=True,
        method="L-BFGS-B",
        bounds=np.stack([least, np.full(dual.size, np.inf)], axis=1),
        callback=on_step,
        options={"maxiter": most_steps, "maxcor": REMEMBERED, "ftol": 0.0, "gtol": 0.0},
    )
    return np.maximum(found.x * unit, dual.low)


def _off(dual: Dual, price: FloatArray, left: FloatArray) -> float:
    """Money by which prices are off, about: what is asked beyond what there is, and what is priced and left.

    left: amounts less what is asked at the prices.
    """
    return float(np.where(left < 0, -PLACED * dual.worth, price - dual.low) @ left)


def _on_the_market(market: Market, dual: Dual, price: FloatArray) -> Prices:
    hours, limits, away, stock = dual.split(price)
    limit, turned_away = np.zeros(market.ways.limit.shape), np.zeros(market.demand.sure.shape)
    limit[dual.limited] = limits
    turned_away[dual.away] = away
    component = np.full((len(market.products), market.buckets), np.inf)
    component[dual.stock_product, dual.stock_bucket] = stock
    return Prices(hours.T.copy(), limit, turned_away, component)
