"""Plans in lots where the mixed-integer programme is too large: linear programmes that are led to lots.

1. *Slope scaling* (Kim and Pardalos 1999). The linear programme sees a set-up as so much per unit: K / lot, the lot
   being the one that it started there itself in the round before. What starts in driblets gets dear, and gathers.
       K = setup_cost + setup_hours * price of the hour, at least the K at which the smallest lot is the economic one,
       holding * smallest^2 / (2 * use per bucket)
2. *Set-ups.* Lots of at least half the smallest are kept: the hours of their set-ups are taken off the lines, nothing
   else may start, and each is to have its smallest lot (a shortfall costs more than any sale).
3. *Whole steps*, bucket by bucket: what starts in the bucket is rounded to steps that fit the hours and components
   there, and the programme is solved again for all buckets to come, which make good what rounding took or gave.
4. *Bought components* come last, each by itself, for what then uses them: minimise cost of orders and holding, stock
   never below zero, orders in lots (HiGHS; one small programme for each).
"""

from dataclasses import dataclass

import highspy
import numpy as np
import scipy.sparse as sp

from datong.balance.bound import shifted
from datong.balance.highs import OPTIONS, Programme
from datong.balance.integer import ROUNDING, LotRules, in_steps, most_of_lots
from datong.balance.pack import Market
from datong.ledger.facts import grouped
from datong.model.flow import BoolArray, FloatArray, IntArray

ROUNDS = 8
# Units that count as started.
SOME = 1e-6


def in_lots(market: Market, rules: LotRules) -> FloatArray | None:
    """(way, bucket) units started, in lots within hours, limits and components; None where it finds none."""
    alone = bought_alone(market)
    dive = _Dive(market, rules, alone)
    dive.scale_slopes()
    dive.choose_setups()
    started = dive.in_steps()
    for product in np.flatnonzero(alone):
        if not _buy(market, rules, int(product), started):
            return None
    return started


def bought_alone(market: Market) -> BoolArray:
    """(product) whether it is a component that is not sold and has only ways without line and components."""
    alone = market.is_component.copy()
    alone[market.demanded] = False
    alone[market.way_product[market.way_line >= 0]] = False
    alone[market.way_product[market.use_way]] = False
    return alone


class _Dive:
    """One linear programme whose bounds and costs are changed from step to step. Starts: (start) way and bucket."""

    def __init__(self, market: Market, rules: LotRules, alone: BoolArray) -> None:
        self.market, self.rules = market, rules
        self.programme = programme = Programme(market, leave_over=True)
        self.uses_of, self.first_use = grouped(market.use_way, len(market.ways))
        self.way, self.bucket = programme.way_index, programme.way_bucket
        self.column = programme.started.astype(np.int32)
        self.line = market.way_line[self.way]
        self.step, self.smallest = rules.step[self.way], rules.smallest[self.way]
        self.free = alone[market.way_product[self.way]]  # they come last
        self.decides = rules.decides[self.way] & ~self.free
        self.most = np.where(
            self.free, market.way_limit[self.way, self.bucket], most_of_lots(market, rules, self.way, self.bucket)
        )
        linear = programme.linear
        upper = linear.upper.copy()
        upper[programme.started] = self.most
        # A row and a column for what each lot lacks of its smallest; the row binds where the set-up was chosen.
        decided = np.flatnonzero(self.decides)
        self.lack_row = np.full(len(self.way), -1)
        self.lack_row[decided] = programme.row_count + np.arange(len(decided))
        count, rows, columns = len(decided), programme.row_count, programme.column_count
        at = np.arange(count)
        chosen = sp.csc_matrix((np.ones(count), (at, self.column[decided])), shape=(count, columns))
        matrix = sp.csc_matrix(sp.block_array([[linear.matrix, sp.csc_matrix((rows, count))], [chosen, sp.eye(count)]]))
        dear = 10.0 * max(float(market.lost_sale.max(initial=0.0)), 1.0)
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = columns + count, rows + count
        model.col_cost_ = np.concatenate([linear.cost, np.full(count, dear)])
        model.col_lower_ = np.zeros(columns + count)
        model.col_upper_ = np.concatenate([upper, np.full(count, np.inf)])
        model.row_lower_ = np.concatenate([linear.row_lower, np.full(count, -np.inf)])
        model.row_upper_ = np.concatenate([linear.row_upper, np.full(count, np.inf)])
        model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        model.a_matrix_.start_, model.a_matrix_.index_ = matrix.indptr, matrix.indices
        model.a_matrix_.value_ = matrix.data
        self.solver = highspy.Highs()
        for option, value in OPTIONS.items():
            self.solver.setOptionValue(option, value)
        self.solver.passModel(model)
        self.units = self._solve()
        duals = np.array(self.solver.getSolution().row_dual)[programme.line_row : programme.line_end]
        self.hour_price = np.maximum(-duals.reshape(market.line_hours.shape), 0.0)
        self.hours = market.line_hours.copy()  # left for work
        # (product) first bucket in which as much of it can be there as is wanted: its orders come last.
        self.orders_reach = np.full(len(market.products), market.buckets)
        some = np.flatnonzero(self.free & np.isinf(self.most))
        arrive = self.bucket[some] + market.way_lead[self.way[some]]
        np.minimum.at(self.orders_reach, market.way_product[self.way[some]], arrive)
        self.chosen = np.zeros(len(self.way), dtype=bool)

    def _solve(self) -> FloatArray:
        """(start) units started at the optimum of the programme as it is now."""
        self.solver.run()
        if self.solver.getModelStatus() not in (
            highspy.HighsModelStatus.kOptimal,
            highspy.HighsModelStatus.kModelEmpty,
        ):
            raise RuntimeError(f"HiGHS: {self.solver.modelStatusToString(self.solver.getModelStatus())}")
        return np.maximum(np.array(self.solver.getSolution().col_value)[self.column], 0.0)

    def _bound(self, at: IntArray, lower: FloatArray, upper: FloatArray) -> None:
        self.solver.changeColsBounds(len(at), self.column[at], lower, upper)

    def scale_slopes(self) -> None:
        """The module's step 1; leaves the last round's units."""
        market, rules = self.market, self.rules
        product = market.way_product[self.way]
        use = np.bincount(product, self.units, len(market.products)) / market.buckets
        use, holding = np.maximum(use[product], SOME), np.maximum(market.holding[product], 1e-9)
        hour_price = np.where(self.line >= 0, self.hour_price[self.line, self.bucket], 0.0)
        setup = rules.setup_cost[self.way] + rules.setup_hours[self.way] * hour_price
        lot = np.maximum(self.smallest, np.sqrt(2.0 * setup * use / holding))
        fixed = np.minimum(np.maximum(setup, holding * self.smallest**2 / (2.0 * use)), 4.0 * holding * lot)
        fixed[~self.decides] = 0.0
        slope = fixed / np.maximum(lot, SOME)
        cost = self.programme.linear.cost[self.column]
        hours = np.where(self.decides, rules.setup_hours[self.way] / np.maximum(lot, SOME), 0.0)
        works = np.flatnonzero((self.line >= 0) & (hours > 0))
        rows = self.programme.line_row + self.line * market.buckets + self.bucket
        for i in works.tolist():
            each = float(market.way_hours[self.way[i]])
            self.solver.changeCoeff(int(rows[i]), int(self.column[i]), each + float(hours[i]))
        for _ in range(ROUNDS):
            self.solver.changeColsCost(len(cost), self.column, cost + slope)
            self.units = self._solve()
            least = np.maximum(self.units, 0.05 * np.maximum(self.smallest, 1.0))
            slope = np.where(self.units > SOME, fixed / least, slope)
        self.solver.changeColsCost(len(cost), self.column, cost)
        for i in works.tolist():
            self.solver.changeCoeff(int(rows[i]), int(self.column[i]), float(market.way_hours[self.way[i]]))

    def choose_setups(self) -> None:
        """The module's step 2, and again without the lots that lack some of their smallest."""
        self.chosen = self.decides & (self.units > np.maximum(0.5 * self.smallest, SOME))
        closed = np.flatnonzero(self.decides & ~self.chosen)
        none = np.zeros(len(closed))
        self._bound(closed, none, none)
        self._set_up(np.flatnonzero(self.chosen), 1.0)
        for i in np.flatnonzero(self.chosen).tolist():
            self.solver.changeRowBounds(int(self.lack_row[i]), float(self.smallest[i]), highspy.kHighsInf)
        # Set-ups of one bucket can take more than a line's hours there: the smallest lots go.
        for line, t in zip(*np.nonzero(self.hours < 0), strict=True):
            there = np.flatnonzero(self.chosen & (self.line == line) & (self.bucket == t))
            for i in there[np.argsort(self.units[there], kind="stable")]:
                if self.hours[line, t] < 0:
                    self._drop(np.array([i]))
        while True:
            self.units = self._solve()
            lack = np.where(self.chosen, np.maximum(self.smallest - self.units, 0.0), 0.0)
            bad = self.chosen & ((lack > SOME) | (self.units <= SOME))
            if not bad.any():
                return
            share = lack / np.maximum(self.smallest, SOME)
            self._drop(np.flatnonzero(bad & (share >= np.median(share[bad]))))

    def _set_up(self, at: IntArray, times: float) -> None:
        """Takes the hours of set-ups off their lines, or gives them back (times = -1)."""
        at = at[self.line[at] >= 0]
        np.add.at(self.hours, (self.line[at], self.bucket[at]), -times * self.rules.setup_hours[self.way[at]])
        overtime = self.market.most_hours - self.market.line_hours
        cells = {(int(line), int(t)) for line, t in zip(self.line[at], self.bucket[at], strict=True)}
        for line, t in sorted(cells):
            row = self.programme.line_row + line * self.market.buckets + t
            self.solver.changeRowBounds(row, -highspy.kHighsInf, max(self.hours[line, t], -overtime[line, t]))

    def _drop(self, at: IntArray) -> None:
        self.chosen[at] = False
        none = np.zeros(len(at))
        self._bound(at, none, none)
        for i in at.tolist():
            self.solver.changeRowBounds(int(self.lack_row[i]), -highspy.kHighsInf, highspy.kHighsInf)
        self._set_up(at, -1.0)

    def in_steps(self) -> FloatArray:
        """The module's step 3: (way, bucket) units."""
        market = self.market
        level = market.level[market.way_product[self.way]]
        done = np.zeros(market.way_open.shape)
        for t in range(market.buckets):
            here = np.flatnonzero((self.bucket == t) & ~self.free)
            if not len(here):
                continue
            room = self._room(done, t)
            part = self.units[here] / np.where(self.step[here] > 0, self.step[here], 1.0)
            up = part - np.floor(part)
            for i in here[np.lexsort((up, level[here]))].tolist():
                units = self._rounded(i, room)
                self._take(i, units, room)
                if self.chosen[i] and units <= SOME:
                    self._drop(np.array([i]))
                elif self.decides[i] and units > SOME:
                    self.solver.changeRowBounds(int(self.lack_row[i]), -highspy.kHighsInf, highspy.kHighsInf)
                done[self.way[i], t] = units
            self._bound(here, done[self.way[here], t], done[self.way[here], t])
            self.units = self._solve()
        done[self.way[self.free], self.bucket[self.free]] = self.units[self.free]
        return done

    def _room(self, done: FloatArray, t: int) -> "_Room":
        """What is there in bucket t for those who start, less what the programme gives each of them."""
        market = self.market
        hours = self.hours[:, t] + (market.most_hours - market.line_hours)[:, t]
        planned = np.zeros(len(market.ways))
        here = self.bucket == t
        planned[self.way[here]] = self.units[here]
        so_far = done.copy()
        so_far[self.way[self.free], self.bucket[self.free]] = self.units[self.free]
        so_far[:, t] = planned
        on_line = market.way_line >= 0
        hours = hours - np.bincount(market.way_line[on_line], (planned * market.way_hours)[on_line], len(market.lines))
        arrived = shifted(market.way_yield[:, None] * so_far, market.way_lead, 0.0)
        stock = market.fixed.copy()
        np.add.at(stock, market.way_product, arrived)
        used = market.use_units[:, None] * so_far[market.use_way] * market.use_open
        np.add.at(stock, market.use_component, -used)
        for d, columns in self.programme.issued.items():
            stock[market.demanded[d]] -= np.array(self.solver.getSolution().col_value)[columns]
        left = np.cumsum(stock, axis=1)[:, t:].min(axis=1)
        left[self.orders_reach <= t] = np.inf
        return _Room(hours, left)

    def _rounded(self, i: int, room: "_Room") -> float:
        """Units of a start in its steps: up where that fits and is nearer, or is its smallest lot; else down."""
        units, step, smallest = float(self.units[i]), float(self.step[i]), float(self.smallest[i])
        if units <= SOME:
            return 0.0
        one = np.array([step])
        down = float(in_steps(np.array([units]), one, up=False)[0])
        up = float(in_steps(np.array([units]), one, up=True)[0])
        nearer = up if step > 0 and (units - down > step / 2 or self._is_part(i)) else down
        for choice in (max(nearer, smallest), max(down, smallest)):
            if choice <= self.most[i] + SOME and self._fits(i, choice, room):
                return choice
        choice = down
        while choice > SOME and choice >= smallest - SOME:
            if self._fits(i, choice, room):
                return choice
            choice -= step if step > 0 else choice
        return 0.0

    def _is_part(self, i: int) -> bool:
        return bool(self.market.is_component[self.market.way_product[self.way[i]]])

    def _uses(self, i: int) -> list[tuple[int, float]]:
        """Components of a start and units of each per unit."""
        market, way = self.market, self.way[i]
        uses = self.uses_of[self.first_use[way] : self.first_use[way + 1]]
        there = uses[market.use_open[uses, self.bucket[i]]]
        return list(zip(market.use_component[there].tolist(), market.use_units[there].tolist(), strict=True))

    def _fits(self, i: int, units: float, room: "_Room") -> bool:
        more = units - self.units[i]
        if self.line[i] >= 0 and more * self.market.way_hours[self.way[i]] > room.hours[self.line[i]] + 1e-9:
            return False
        # Where a component that came short leaves less than nothing, a lot must give some of its own.
        return all(
            more * each <= room.stock[part] + SOME if more > 0 else more < -SOME or room.stock[part] >= -SOME
            for part, each in self._uses(i)
        )

    def _take(self, i: int, units: float, room: "_Room") -> None:
        more = units - self.units[i]
        if self.line[i] >= 0:
            room.hours[self.line[i]] -= more * self.market.way_hours[self.way[i]]
            if units <= SOME and self.chosen[i]:
                room.hours[self.line[i]] += self.rules.setup_hours[self.way[i]]
        for part, each in self._uses(i):
            room.stock[part] -= more * each
        if self.market.way_lead[self.way[i]] == 0:
            room.stock[self.market.way_product[self.way[i]]] += more * self.market.way_yield[self.way[i]]


@dataclass(eq=False)
class _Room:
    """hours: (line), stock: (product), beyond what the programme has already given to the starts of the bucket."""

    hours: FloatArray
    stock: FloatArray


def _buy(market: Market, rules: LotRules, product: int, started: FloatArray) -> bool:
    """The module's step 4 for one product, written into `started`; False where no orders do.

    x = step n <= most y, x >= smallest y, stock(t) = stock(t-1) + what comes anyway + arrivals - used >= 0
    """
    ways = np.flatnonzero(market.way_product == product)
    way, bucket = np.nonzero(market.way_open[ways])
    way = ways[way]
    uses = np.flatnonzero(market.use_component == product)
    used = (market.use_units[uses, None] * started[market.use_way[uses]] * market.use_open[uses]).sum(axis=0)
    needed = np.cumsum(used - market.fixed[product])
    buckets, count = market.buckets, len(way)
    started[ways] = 0.0
    if needed.max(initial=0.0) <= SOME:
        return True
    step, smallest = rules.step[way], rules.smallest[way]
    wanted = np.maximum(in_steps(needed.max() / market.way_yield[way], step, up=True), smallest)
    most = in_steps(np.minimum(market.way_limit[way, bucket], wanted), step, up=False)
    scale = np.where(step > 0, step, 1.0)
    arrive = bucket + market.way_lead[way]
    # Holding of a unit from its arrival on, less what is left of it at the end.
    held = market.holding[product] * (buckets - arrive) - market.salvage[product]
    cost = np.concatenate([(market.way_cost[way] + held * market.way_yield[way]) * scale, rules.setup_cost[way]])
    by_then = (arrive[None, :] <= np.arange(buckets)[:, None]) * (market.way_yield[way] * scale)
    at = np.arange(count)
    rows = [
        np.hstack([by_then, np.zeros((buckets, count))]),
        np.hstack([np.diag(scale), -np.diag(most)]),
        np.hstack([np.diag(scale), -np.diag(smallest)]),
    ]
    matrix = sp.csc_matrix(np.vstack(rows))
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = 2 * count, matrix.shape[0]
    model.col_cost_, model.col_lower_ = cost, np.zeros(2 * count)
    model.col_upper_ = np.concatenate([most / scale, (most >= np.maximum(smallest, SOME)).astype(np.float64)])
    model.row_lower_ = np.concatenate([needed, np.full(count, -np.inf), np.zeros(count)])
    model.row_upper_ = np.concatenate([np.full(buckets, np.inf), np.zeros(count), np.full(count, np.inf)])
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_, model.a_matrix_.index_, model.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
    kinds = np.full(2 * count, highspy.HighsVarType.kInteger)
    kinds[at[step <= 0]] = highspy.HighsVarType.kContinuous
    model.integrality_ = list(kinds)
    solver = highspy.Highs()
    for option, value in {**OPTIONS, "mip_max_nodes": 200, "mip_rel_gap": 1e-4}.items():
        solver.setOptionValue(option, value)
    solver.passModel(model)
    solver.run()
    if solver.getInfo().primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
        return False
    value = np.array(solver.getSolution().col_value)
    units = np.where(step > 0, np.round(value[:count]), value[:count]) * scale
    started[way, bucket] = np.where(units > ROUNDING, units, 0.0)
    return True
