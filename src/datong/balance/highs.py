"""The exact door: the whole market as one linear programme, solved by HiGHS (Huangfu and Hall 2018).

    minimise   sum of way costs + holding of components + sum_d,t f_dt(M_dt) + lost * turned away
    M_dt - M_d,t-1 = arrivals + turned away             for a demanded product; M: supply beyond what comes anyway
    I_ct - I_c,t-1 = arrivals + fixed - used - issued    for a component, I >= 0
    sum of hours * started <= hours                      for a line and bucket

f_dt is convex, so each of its pieces is a variable with a width. With one path it is backlog and stock as usual.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import highspy
import numpy as np
import scipy.sparse as sp

from datong.balance.pack import Market
from datong.balance.solution import Prices, Solution
from datong.model.flow import FloatArray, IntArray
from datong.model.layers import layer_slopes

# Breakpoints of each expected-cost curve, at these quantiles' steps of cumulative demand; first and last are kept.
BREAKPOINTS = 25
OPTIONS: Mapping[str, str | bool | int | float] = {
    "output_flag": False,
    "threads": 1,
    "random_seed": 0,
    "solver": "choose",
}


def solve(market: Market, options: Mapping[str, str | bool | int | float] = OPTIONS) -> Solution:
    """The optimum of the piecewise-linear market. Raises RuntimeError where HiGHS finds none, though there is one."""
    return Programme(market).solve(options)


def piece_count(market: Market) -> int:
    """How large the linear programme is: pieces of all expected-cost curves, at most."""
    return sum(min(BREAKPOINTS, len(paths)) for paths in market.cumulative_demand) * market.buckets


def cost_pieces(market: Market, d: int) -> tuple[FloatArray, FloatArray]:
    """Edges (piece + 1, bucket) and slopes (piece, bucket) of f_dt from M = 0 on; pieces may have no width.

    There is an edge where f_dt turns from falling to rising, at the quantile late / (late + holding). Between two edges
    the chance G is its mean there, which keeps the expected demand; the last piece has no end.
    """
    net = market.net_demand(d)
    product = market.demanded[d]
    count = min(BREAKPOINTS, len(net))
    turn = market.late[product] / max(market.late[product] + market.holding[product], 1e-300)
    levels = np.sort(np.append(np.linspace(0.0, 1.0, count), min(max(turn, 0.0), 1.0)))
    edges = np.quantile(net, levels, axis=0, method="inverted_cdf") if count > 1 else net
    edges = np.concatenate([np.zeros((1, market.buckets)), np.maximum(edges, 0.0)])
    width = np.diff(edges, axis=0)
    chance = np.zeros((len(edges), market.buckets))  # the last row: beyond the largest demand
    for k in range(len(width)):
        covered = np.clip(net, edges[k], edges[k + 1]) - edges[k]
        chance[k] = covered.mean(axis=0) / np.where(width[k] > 0, width[k], 1.0)
    economics = (float(a[product]) for a in (market.holding, market.late, market.waiting_at_end, market.salvage))
    return edges, layer_slopes(chance, *economics)


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

    `linear` is the programme, for any solver; `read` takes back what it found.
    """

    def __init__(self, market: Market) -> None:
        self.market = market
        self.buckets = market.buckets
        self.costs: list[FloatArray] = []
        self.uppers: list[FloatArray] = []
        self.rows: list[IntArray] = []
        self.columns: list[IntArray] = []
        self.values: list[FloatArray] = []
        self.column_count = 0
        products = len(market.products)
        self.demand_row = np.full(products, -1)  # first row of the product's supply to demand
        self.pool_row = np.full(products, -1)  # first row of the product's stock as a component
        self.demand_row[market.demanded] = np.arange(len(market.demanded)) * self.buckets
        pools = np.nonzero(market.is_component)[0]
        base = len(market.demanded) * self.buckets
        self.pool_row[pools] = base + np.arange(len(pools)) * self.buckets
        self.line_row = base + len(pools) * self.buckets
        self.row_count = self.line_row + market.line_hours.size
        # Units arrive in the pool of a component, else straight at demand.
        self.arrival_row = np.where(market.is_component, self.pool_row, self.demand_row)
        self.pools = pools
        self.linear = self._build()

    def add_columns(self, cost: FloatArray, upper: FloatArray) -> IntArray:
        index = np.arange(self.column_count, self.column_count + len(cost))
        self.column_count += len(cost)
        self.costs.append(cost)
        self.uppers.append(upper)
        return index

    def add_entries(self, rows: IntArray, columns: IntArray, values: FloatArray | float) -> None:
        self.rows.append(rows)
        self.columns.append(columns)
        self.values.append(np.broadcast_to(values, rows.shape).astype(np.float64))

    def _build(self) -> LinearProgramme:
        market, buckets = self.market, self.buckets
        wanted = (self.arrival_row[market.way_product] >= 0)[:, None] & market.way_open
        self.way_index, self.way_bucket = np.nonzero(wanted)
        i, t = self.way_index, self.way_bucket
        self.started = self.add_columns(market.way_cost[i], market.way_limit[i, t])
        arrive = self.arrival_row[market.way_product[i]] + t + market.way_lead[i]
        self.add_entries(arrive, self.started, -market.way_yield[i])
        on_line = market.way_line[i] >= 0
        row = self.line_row + market.way_line[i] * buckets + t
        self.add_entries(row[on_line], self.started[on_line], market.way_hours[i][on_line])
        column_of = np.full(market.way_open.shape, -1)
        column_of[i, t] = self.started
        u, s = np.nonzero(market.use_open & (column_of[market.use_way] >= 0))
        pool = self.pool_row[market.use_component[u]] + s
        self.add_entries(pool, column_of[market.use_way[u], s], market.use_units[u])
        self._build_stock()
        self._build_demand()
        lower, upper = np.zeros(self.row_count), np.zeros(self.row_count)
        for product in self.pools:
            rows = slice(self.pool_row[product], self.pool_row[product] + buckets)
            lower[rows] = upper[rows] = market.fixed[product]
        lower[self.line_row :], upper[self.line_row :] = -np.inf, market.line_hours.ravel()
        matrix = sp.csc_matrix(
            (np.concatenate(self.values), (np.concatenate(self.rows), np.concatenate(self.columns))),
            shape=(self.row_count, self.column_count),
        )
        return LinearProgramme(np.concatenate(self.costs), np.concatenate(self.uppers), lower, upper, matrix)

    def _build_stock(self) -> None:
        """Stock of components from bucket to bucket, and what of them is set aside to be sold."""
        market, buckets = self.market, self.buckets
        t = np.arange(buckets)
        for product in self.pools:
            cost = np.full(buckets, market.holding[product])
            cost[-1] -= market.salvage[product]
            stock = self.add_columns(cost, np.full(buckets, np.inf))
            row = self.pool_row[product] + t
            self.add_entries(row, stock, 1.0)
            self.add_entries(row[1:], stock[:-1], -1.0)
        self.issued: dict[int, IntArray] = {}
        for d, product in enumerate(market.demanded):
            if market.is_component[product]:
                issued = self.add_columns(np.zeros(buckets), np.full(buckets, np.inf))
                self.add_entries(self.pool_row[product] + t, issued, 1.0)
                self.add_entries(self.demand_row[product] + t, issued, -1.0)
                self.issued[d] = issued

    def _build_demand(self) -> None:
        market, buckets = self.market, self.buckets
        self.turned_away: list[IntArray] = []
        for d, product in enumerate(market.demanded):
            edges, slopes = cost_pieces(market, d)
            width = np.diff(edges, axis=0)
            width = np.concatenate([width, np.full((1, buckets), np.inf)])
            piece, t = np.nonzero(width > 0)
            supply = self.add_columns(slopes[piece, t], width[piece, t])
            row = self.demand_row[product] + t
            self.add_entries(row, supply, 1.0)
            later = t + 1 < buckets
            self.add_entries(row[later] + 1, supply[later], -1.0)
            away = self.add_columns(np.full(buckets, market.lost_sale[product]), market.sure[d])
            self.add_entries(self.demand_row[product] + np.arange(buckets), away, -1.0)
            self.turned_away.append(away)

    def solve(self, options: Mapping[str, str | bool | int | float]) -> Solution:
        linear = self.linear
        programme = highspy.HighsLp()
        programme.num_col_, programme.num_row_ = self.column_count, self.row_count
        programme.col_cost_, programme.col_upper_ = linear.cost, linear.upper
        programme.col_lower_ = np.zeros(self.column_count)
        programme.row_lower_, programme.row_upper_ = linear.row_lower, linear.row_upper
        programme.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        programme.a_matrix_.start_, programme.a_matrix_.index_ = linear.matrix.indptr, linear.matrix.indices
        programme.a_matrix_.value_ = linear.matrix.data
        solver = highspy.Highs()
        for option, value in options.items():
            solver.setOptionValue(option, value)
        solver.passModel(programme)
        solver.run()
        status = solver.getModelStatus()
        # Empty: nothing can be made and nothing is asked for.
        if status not in (highspy.HighsModelStatus.kOptimal, highspy.HighsModelStatus.kModelEmpty):
            raise RuntimeError(f"HiGHS: {solver.modelStatusToString(status)}")
        found, info = solver.getSolution(), solver.getInfo()
        value, reduced, dual = (np.array(a) for a in (found.col_value, found.col_dual, found.row_dual))
        return self.read(value, reduced, dual, max(info.simplex_iteration_count + info.ipm_iteration_count, 0))

    def read(self, value: FloatArray, reduced: FloatArray, dual: FloatArray, iterations: int) -> Solution:
        """Quantities and prices on the market's axes, of any solver: values and reduced costs (column), duals (row).

        A price is what one unit more of the scarce thing would save.
        """
        market, buckets = self.market, self.buckets
        value = np.maximum(value, 0.0)
        started, limit = np.zeros(market.way_open.shape), np.zeros(market.way_open.shape)
        started[self.way_index, self.way_bucket] = value[self.started]
        limit[self.way_index, self.way_bucket] = np.maximum(-reduced[self.started], 0.0)
        limit[~np.isfinite(market.way_limit)] = 0.0
        issued = np.zeros((len(market.demanded), buckets))
        for d, columns in self.issued.items():
            issued[d] = value[columns]
        away = np.array(self.turned_away, dtype=np.int64).reshape(len(market.demanded), buckets)
        component = np.full((len(market.products), buckets), np.inf)
        for product in self.pools:
            component[product] = -dual[self.pool_row[product] : self.pool_row[product] + buckets]
        prices = Prices(
            line=np.maximum(-dual[self.line_row :].reshape(market.line_hours.shape), 0.0),
            limit=limit,
            turned_away=np.maximum(-reduced[away], 0.0),
            component=component,
        )
        return Solution(started, issued, value[away], prices, "highs", iterations)
