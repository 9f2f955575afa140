"""The exact door: the whole market as one linear programme, solved by HiGHS (Huangfu and Hall 2018).

    minimise   sum of way costs + holding of components + sum_d,t f_dt(M_dt) + lost * turned away
    M_dt - M_d,t-1 = arrivals + turned away             for a demanded product; M: supply beyond what comes anyway,
                                                        from the least that maximum lateness allows on
    I_ct - I_c,t-1 = arrivals + fixed - used - issued    for a component, I >= 0
    sum of hours * started <= hours                      for a line and bucket

f_dt is convex, so each of its pieces is a variable with a width. With one path it is backlog and stock as usual.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import highspy
import numpy as np
import scipy.sparse as sp

from datong.balance.arrays import Demand, Market
from datong.balance.long_lot_spans import cost_beside
from datong.balance.rules.max_lateness import MaxLateness
from datong.balance.rules.priorities import Priorities
from datong.balance.rules.rule import Reader
from datong.balance.rules.shelf_life import ShelfLife
from datong.balance.rules.smallest_delivery import SmallestDelivery
from datong.balance.rules.substitutes import Substitutes
from datong.balance.solution import USUAL_LIMITS, Limits, OnProgress, Prices, Solution, never_stop
from datong.model.demand_layers import layer_slopes
from datong.model.errors import NoPlan
from datong.model.flow import FloatArray, IntArray
from datong.model.words import message

# Breakpoints of each expected-cost curve, at these quantiles' steps of cumulative demand; first and last are kept.
BREAKPOINTS = 25
OPTIONS: Mapping[str, str | bool | int | float] = {
    "output_flag": False,
    "threads": 1,
    "random_seed": 0,
    "solver": "choose",
}
# Rows from which on a programme with components is solved by interior point and taken to a corner by crossover: the
# simplex takes about as long at 7,000 rows (200 products in 26 weeks) and twice as long at 14,000. Where products share
# nothing but lines the simplex, HiGHS's own choice, is the faster one.
INTERIOR_FROM = 10_000
# Money for a unit of what is disliked: so little that no plan is dearer for it.
DISLIKE = 1e-6
# A bound above a plan by less than this share of it is one that HiGHS rounded.
ROUNDING = 1e-6
# Most nodes of the search for whole-number columns of a rule.
WHOLE_NODES = 5_000
STOPPED = (highspy.HighsModelStatus.kTimeLimit, highspy.HighsModelStatus.kInterrupt)


def solve(
    market: Market,
    options: Mapping[str, str | bool | int | float] = OPTIONS,
    limits: Limits = USUAL_LIMITS,
    on_progress: OnProgress = never_stop,
) -> Solution:
    """The optimum of the piecewise-linear market.

    Raises NoPlan where HiGHS was stopped before it had any plan, RuntimeError where it finds none though there is one.
    """
    began = time.monotonic()
    programme = Programme(market)
    if options["solver"] == "choose" and programme.row_count >= INTERIOR_FROM and not market.single_level:
        try:
            return programme.solve(_within({**options, "solver": "ipm"}, limits, began), on_progress)
        except RuntimeError:  # an interior point can end with neither an optimum nor a proof that there is none
            pass
    return programme.solve(_within(options, limits, began), on_progress)


def _within(
    options: Mapping[str, str | bool | int | float], limits: Limits, began: float
) -> Mapping[str, str | bool | int | float]:
    """The options with what is left of the time."""
    if limits.time_limit_s is None:
        return options
    return {**options, "time_limit": max(limits.time_limit_s - (time.monotonic() - began), 0.0)}


def _listen(solver: highspy.Highs, on_progress: OnProgress) -> None:
    """Lets on_progress stop HiGHS; its simplex and interior point have no plan to show before they end."""
    if on_progress is never_stop:
        return  # a call into Python at every step is not free

    began = time.monotonic()  # HiGHS's own callbacks do not all know how long it runs

    def on_step(event: Any) -> None:
        done = event.data_out
        steps = max(done.simplex_iteration_count, done.ipm_iteration_count, 0)
        if not on_progress(time.monotonic() - began, int(steps), None, -math.inf):
            event.interrupt()

    solver.cbSimplexInterrupt += on_step
    solver.cbIpmInterrupt += on_step


def least_covering(market: Market, prices: Prices) -> tuple[FloatArray, Prices]:
    """The cheapest starts (way, bucket), at prices of what is scarce, that bring the components which orders under way
    need and that are not there; and the prices with what those starts make scarce."""
    rules, none = market.rules, np.zeros(0)
    programme = Programme(
        replace(
            market,
            demand=Demand(product=market.demand.product[:0], cumulative=(), sure=market.demand.sure[:0], owed=none),
            money=replace(market.money, salvage=np.zeros(len(market.products))),
            rules=replace(
                rules,
                priorities=Priorities(none),
                max_lateness=MaxLateness(np.zeros((0, market.buckets)), np.zeros(0, dtype=np.int64)),
                smallest_delivery=SmallestDelivery(none, (), ()),
                safety_stock=rules.safety_stock.without(),
                largest_stock=rules.largest_stock.without(),
            ),
        )
    )
    way, bucket = programme.way_index, programme.way_bucket
    on_line = np.flatnonzero(market.ways.line[way] >= 0)
    hour = np.zeros(len(way))
    hour[on_line] = prices.line[market.ways.line[way[on_line]], bucket[on_line]]
    programme.linear.cost[programme.started] += market.ways.hours[way] * hour + prices.limit[way, bucket]
    if rules.lines_at_once.is_there:
        beside = cost_beside(market, np.arange(len(market.ways)), prices.line)
        programme.linear.cost[programme.started] += beside[way, bucket]
    found = programme.solve()
    scarcer = replace(
        prices,
        line=prices.line + found.prices.line,
        limit=prices.limit + found.prices.limit,
        component=np.maximum(prices.component, found.prices.component),
    )
    return found.started, scarcer


def piece_count(market: Market) -> int:
    """How large the linear programme is: pieces of all expected-cost curves, at most."""
    return sum(min(BREAKPOINTS, len(paths)) for paths in market.demand.cumulative) * market.buckets


def cost_pieces(market: Market, d: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Edges (piece + 1, bucket), slopes and chances G (piece, bucket) of f_dt from the least M on; pieces may have no
    width.

    There is an edge where f_dt turns from falling to rising, at the quantile late / (late + holding). Between two edges
    the chance G is its mean there, which keeps the expected demand; the last piece has no end.
    """
    net = market.net_demand(d)
    product = market.demand.product[d]
    count = min(BREAKPOINTS, len(net))
    late, least = market.late_cost[d], market.least_supply[[d]]
    turn = late / max(late + market.money.holding[product], 1e-300)
    levels = np.sort(np.append(np.linspace(0.0, 1.0, count), min(max(turn, 0.0), 1.0)))
    edges = np.quantile(net, levels, axis=0, method="inverted_cdf") if count > 1 else net
    edges = np.concatenate([least, np.maximum(edges, least)])
    width = np.diff(edges, axis=0)
    chance = np.zeros((len(edges), market.buckets))  # the last row: beyond the largest demand
    for k in range(len(width)):
        covered = np.clip(net, edges[k], edges[k + 1]) - edges[k]
        chance[k] = covered.mean(axis=0) / np.where(width[k] > 0, width[k], 1.0)
    holding, salvage = float(market.money.holding[product]), float(market.money.salvage[product])
    return edges, layer_slopes(chance, holding, float(late), float(market.end_cost[d]), salvage), chance


@dataclass(frozen=True, eq=False)
class LinearProgramme:
    """minimise cost x, 0 <= x <= upper, row_lower <= matrix x <= row_upper. matrix: (row, column), by columns."""

    cost: FloatArray
    upper: FloatArray
    row_lower: FloatArray
    row_upper: FloatArray
    matrix: sp.csc_matrix


class Programme:
    """The market's columns and rows. Rows: products x buckets, then lines x buckets.

    `linear` is the programme, for any solver; `read` takes back what it found. leave_over: lots may bring more than
    anyone asks for. delivers: substitutes leave as they are set aside, whether or not their row ends
    (rules/substitutes.py).
    """

    def __init__(self, market: Market, leave_over: bool = False, delivers: bool = False) -> None:
        self.market, self.delivers = market, delivers
        self.leave_over = leave_over or any(rule.can_leave_over for rule in market.rules.there)
        self.buckets = market.buckets
        self.costs: list[FloatArray] = []
        self.uppers: list[FloatArray] = []
        self.rows: list[IntArray] = []
        self.columns: list[IntArray] = []
        self.values: list[FloatArray] = []
        self.whole_columns: list[IntArray] = []  # that are whole numbers
        self.disliked: list[IntArray] = []  # of which, of plans that cost alike, that with the least is taken
        self.substituted: dict[int, list[IntArray]] = {}  # demanded -> (bucket) columns of what stands in for it
        self.column_count = 0
        products = len(market.products)
        self.demand_row = np.arange(len(market.demand)) * self.buckets  # (demanded) first row of the supply to it
        self.pool_row = np.full(products, -1)  # first row of the product's stock as a component
        pools = np.nonzero(market.products.is_component)[0]
        base = len(market.demand) * self.buckets
        self.pool_row[pools] = base + np.arange(len(pools)) * self.buckets
        self.line_row = base + len(pools) * self.buckets
        self.line_end = self.row_count = self.line_row + market.lines.hours.size
        self.limits: list[tuple[FloatArray, FloatArray]] = []  # of the rows after those of the lines
        # Units arrive in the pool of a component, else straight at demand.
        self.arrival_row = self.pool_row.copy()
        straight = ~market.products.is_component[market.demand.product]
        self.arrival_row[market.demand.product[straight]] = self.demand_row[straight]
        self.pools = pools
        self.linear = self._build()

    def add_columns(self, cost: FloatArray, upper: FloatArray) -> IntArray:
        index = np.arange(self.column_count, self.column_count + len(cost))
        self.column_count += len(cost)
        self.costs.append(cost)
        self.uppers.append(upper)
        return index

    def add_rows(self, lower: FloatArray, upper: FloatArray) -> IntArray:
        index = np.arange(self.row_count, self.row_count + len(lower))
        self.row_count += len(lower)
        self.limits.append((lower, upper))
        return index

    def add_entries(self, rows: IntArray, columns: IntArray, values: FloatArray | float) -> None:
        self.rows.append(rows)
        self.columns.append(columns)
        self.values.append(np.broadcast_to(values, rows.shape).astype(np.float64))

    def _build(self) -> LinearProgramme:
        market, buckets = self.market, self.buckets
        wanted = (self.arrival_row[market.ways.product] >= 0)[:, None] & market.ways.is_open
        self.way_index, self.way_bucket = np.nonzero(wanted)
        i, t = self.way_index, self.way_bucket
        cost = market.ways.cost[i] + market.rules.change_charge.on_new(i, t)
        self.started = self.add_columns(cost, market.ways.limit[i, t])
        arrive = self.arrival_row[market.ways.product[i]] + t + market.ways.lead[i]
        self.add_entries(arrive, self.started, -market.ways.yield_share[i])
        on_line = market.ways.line[i] >= 0
        share = market.ways.share_after
        for later in range(share.shape[1]):
            part = share[i, later]
            works = on_line & (part > 0)
            row = self.line_row + market.ways.line[i] * buckets + t + later
            self.add_entries(row[works], self.started[works], (market.ways.hours[i] * part)[works])
        column_of = np.full(market.ways.is_open.shape, -1)
        column_of[i, t] = self.started
        u, s = np.nonzero(market.uses.is_open & (column_of[market.uses.way] >= 0))
        pool = self.pool_row[market.uses.component[u]] + s
        self.add_entries(pool, column_of[market.uses.way[u], s], market.uses.units[u])
        self._build_stock()
        self._build_demand()
        self.readers: dict[str, Reader] = {rule.name: rule.add_to(self, column_of) for rule in market.rules.all}
        lower, upper = np.zeros(self.row_count), np.zeros(self.row_count)
        from_least = -np.diff(market.least_supply, axis=1, prepend=0.0).ravel()
        lower[: from_least.size] = upper[: from_least.size] = from_least
        for product in self.pools:
            rows = slice(self.pool_row[product], self.pool_row[product] + buckets)
            lower[rows] = upper[rows] = market.stock.fixed[product]
        lines = slice(self.line_row, self.line_end)
        lower[lines], upper[lines] = -np.inf, market.lines.hours.ravel()
        for side, given in ((lower, 0), (upper, 1)):
            side[self.line_end :] = np.concatenate([np.zeros(0), *(limit[given] for limit in self.limits)])
        matrix = sp.csc_matrix(
            (np.concatenate(self.values), (np.concatenate(self.rows), np.concatenate(self.columns))),
            shape=(self.row_count, self.column_count),
        )
        return LinearProgramme(np.concatenate(self.costs), np.concatenate(self.uppers), lower, upper, matrix)

    def _build_stock(self) -> None:
        """Stock of components from bucket to bucket, and what of them is set aside to be sold."""
        market, buckets = self.market, self.buckets
        t = np.arange(buckets)
        self.stock: dict[int, IntArray] = {}
        for product in self.pools:
            cost = np.full(buckets, market.money.holding[product])
            cost[-1] -= market.money.salvage[product]
            stock = self.add_columns(cost, np.full(buckets, np.inf))
            row = self.pool_row[product] + t
            self.add_entries(row, stock, 1.0)
            self.add_entries(row[1:], stock[:-1], -1.0)
            self.stock[int(product)] = stock
        self.issued: dict[int, IntArray] = {}
        for d, product in enumerate(market.demand.product):
            if market.products.is_component[product]:
                issued = self.add_columns(np.zeros(buckets), np.full(buckets, np.inf))
                self.add_entries(self.pool_row[product] + t, issued, 1.0)
                self.add_entries(self.demand_row[d] + t, issued, -1.0)
                self.issued[d] = issued

    def _build_demand(self) -> None:
        market, buckets = self.market, self.buckets
        self.turned_away: list[IntArray] = []
        beyond = market.rules.safety_stock.most(len(market.products))
        self.over: list[tuple[IntArray, IntArray, FloatArray]] = []  # columns, buckets, share of them that is left over
        # (demanded) columns of supply up to the largest demand, and their buckets.
        self.up_to_demand: list[tuple[IntArray, IntArray]] = []
        for d in range(len(market.demand)):
            edges, slopes, chance = cost_pieces(market, d)
            width = np.diff(edges, axis=0)
            # Nobody makes leftovers for a living: supply never goes beyond the largest demand of the horizon and what
            # is to lie in stock, but where a rule can make that pay.
            most = np.inf if self.leave_over else edges[-1].max() + beyond[market.demand.product[d]]
            width = np.concatenate([width, most - edges[-1:]])
            piece, t = np.nonzero(width > 0)
            supply = self.add_columns(slopes[piece, t], width[piece, t])
            self.over.append((supply, t, 1.0 - chance[piece, t]))
            asked = piece < len(edges) - 1
            self.up_to_demand.append((supply[asked], t[asked]))
            row = self.demand_row[d] + t
            self.add_entries(row, supply, 1.0)
            later = t + 1 < buckets
            self.add_entries(row[later] + 1, supply[later], -1.0)
            away = self.add_columns(np.full(buckets, market.lost_cost[d]), market.demand.sure[d])
            self.add_entries(self.demand_row[d] + np.arange(buckets), away, -1.0)
            self.turned_away.append(away)

    def solve(
        self, options: Mapping[str, str | bool | int | float] = OPTIONS, on_progress: OnProgress = never_stop
    ) -> Solution:
        """The optimum, and its prices. With whole-number columns the prices are those of the programme without, and
        `gap` is by how much HiGHS's best may be above the optimum."""
        programme = self._highs()
        found, _ = self._solve(programme, options, on_progress)
        if self.disliked and found.wasted.any():  # where making it costs nothing, it may be made only to go bad
            cost = np.array(programme.col_cost_)
            cost[np.concatenate(self.disliked)] += DISLIKE
            programme.col_cost_ = cost
            found = replace(self._solve(programme, options, on_progress)[0], prices=found.prices)
        if not self.whole_columns:
            return found
        bound = self._decide_whole(programme)
        best, money = self._solve(programme, options, on_progress)
        # Of a curve in more pieces than its programme has, the objective is not the cost.
        exact = all(len(paths) <= BREAKPOINTS for paths in self.market.demand.cumulative)
        is_below = bound <= money + ROUNDING * max(abs(money), 1.0)  # HiGHS can be wrong
        gap = max(money - bound, 0.0) if exact and is_below and not self.leave_over else math.inf
        return replace(best, prices=found.prices, gap=gap)

    def _highs(self) -> highspy.HighsLp:
        linear = self.linear
        programme = highspy.HighsLp()
        programme.num_col_, programme.num_row_ = self.column_count, self.row_count
        programme.col_cost_, programme.col_upper_ = linear.cost, linear.upper
        programme.col_lower_ = np.zeros(self.column_count)
        programme.row_lower_, programme.row_upper_ = linear.row_lower, linear.row_upper
        programme.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        programme.a_matrix_.start_, programme.a_matrix_.index_ = linear.matrix.indptr, linear.matrix.indices
        programme.a_matrix_.value_ = linear.matrix.data
        return programme

    def _solve(
        self, programme: highspy.HighsLp, options: Mapping[str, str | bool | int | float], on_progress: OnProgress
    ) -> tuple[Solution, float]:
        """The optimum, and its money."""
        solver = highspy.Highs()
        for option, value in options.items():
            solver.setOptionValue(option, value)
        solver.passModel(programme)
        _listen(solver, on_progress)
        solver.run()
        status, info = solver.getModelStatus(), solver.getInfo()
        if status in STOPPED and info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
            raise NoPlan(message("balance.no_plan_yet", seconds=f"{solver.getRunTime():.0f}"))
        # Empty: nothing can be made and nothing is asked for.
        if status not in (*STOPPED, highspy.HighsModelStatus.kOptimal, highspy.HighsModelStatus.kModelEmpty):
            raise RuntimeError(f"HiGHS: {solver.modelStatusToString(status)}")
        found = solver.getSolution()
        value, reduced, dual = (np.array(a) for a in (found.col_value, found.col_dual, found.row_dual))
        steps = max(info.simplex_iteration_count + info.ipm_iteration_count, 0)
        return self.read(value, reduced, dual, steps), float(info.objective_function_value)

    def _decide_whole(self, programme: highspy.HighsLp) -> float:
        """Fixes the whole-number columns of a programme at what is best, or at the best that so many nodes find; gives
        the money that no plan of it costs less than. Raises NoPlan where nothing was found."""
        whole = np.concatenate(self.whole_columns)
        kinds = np.full(self.column_count, highspy.HighsVarType.kContinuous, dtype=object)
        kinds[whole] = highspy.HighsVarType.kInteger
        programme.integrality_ = kinds.tolist()
        solver = highspy.Highs()
        for option, value in {**OPTIONS, "mip_max_nodes": WHOLE_NODES, "mip_rel_gap": 0.0}.items():
            solver.setOptionValue(option, value)
        solver.passModel(programme)
        solver.run()
        if solver.getInfo().primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
            raise NoPlan(message("balance.no_plan_yet", seconds=f"{solver.getRunTime():.0f}"))
        lower, upper = np.array(programme.col_lower_), np.array(programme.col_upper_)
        lower[whole] = upper[whole] = np.round(np.array(solver.getSolution().col_value)[whole])
        programme.col_lower_, programme.col_upper_ = lower, upper
        programme.integrality_ = []
        return float(solver.getInfo().mip_dual_bound)

    def read(self, value: FloatArray, reduced: FloatArray, dual: FloatArray, iterations: int) -> Solution:
        """Quantities and prices on the market's axes, of any solver: values and reduced costs (column), duals (row).

        A price is what one unit more of the scarce thing would save.
        """
        market, buckets = self.market, self.buckets
        value = np.maximum(value, 0.0)
        started, limit = np.zeros(market.ways.is_open.shape), np.zeros(market.ways.is_open.shape)
        started[self.way_index, self.way_bucket] = value[self.started]
        limit[self.way_index, self.way_bucket] = np.maximum(-reduced[self.started], 0.0)
        limit[~np.isfinite(market.ways.limit)] = 0.0
        issued = np.zeros((len(market.demand), buckets))
        for d, columns in self.issued.items():
            issued[d] = value[columns]
        away = np.array(self.turned_away, dtype=np.int64).reshape(len(market.demand), buckets)
        component = np.full((len(market.products), buckets), np.inf)
        for product in self.pools:
            component[product] = -dual[self.pool_row[product] : self.pool_row[product] + buckets]
        found = {name: read(value, dual) for name, read in self.readers.items()}
        prices = Prices(
            line=np.maximum(-dual[self.line_row : self.line_end].reshape(market.lines.hours.shape), 0.0),
            limit=limit,
            turned_away=np.maximum(-reduced[away], 0.0),
            component=component,
            rule={name: own.price for name, own in found.items() if own.price is not None},
        )
        substituted, wasted = found[Substitutes.name].units, found[ShelfLife.name].units
        assert substituted is not None and wasted is not None
        return Solution(started, issued, value[away], prices, "highs", iterations, substituted, wasted)
