"""The exact door with lots: the market as a mixed-integer programme, solved by HiGHS (Huangfu and Hall 2018).

To the linear programme of highs.py come, for each way w and bucket t with such a rule, y(w,t) in {0, 1}: it starts
there, and n(w,t), a whole number of its steps; x(w,t) are the units started.

    set-up       cost + setup_cost y,   and in the row of its line   sum of hours x + sum of setup_hours y <= hours
    nothing without a set-up            x <= most y
    smallest lot                        x >= smallest y
    largest lot                         x <= largest y       y: how many orders, a whole number
    steps                               x = step n        step: the lot multiple, or 1 where the product comes whole

`most` is the least of the way's limit, of what the hours of its line leave after the set-up, and of what can be wanted
of the product (`most_wanted`), in whole steps. Without components HiGHS gets it with the rows of facility_location.py,
which make its bound near the best plan. That bound is one for every plan in lots (Pochet and Wolsey 2006), where the
curves of expected cost are exact: with up to 25 sample paths.

Where there is a plan to begin with, no start is more than in any plan that costs no more (`_most_that_pays`).

Where units only have to be whole, HiGHS decides set-ups and multiples first, and the units of its plan are made whole
after that; where a plan is proven and still dearer in whole units, all together.

Where HiGHS stops at its limit of nodes, parts of the best plan are decided anew with all other set-ups as they are
(fix and optimise: Helber and Sahling 2010, International Journal of Production Economics 123): those of two products of
a line, or of one in a chain with components, then those of a few neighbouring buckets, in rounds, until every pair
had its turn and a round finds nothing, or a multiple of the work of the search was done.
"""

import math
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import highspy
import numpy as np
import scipy.sparse as sp

from datong.balance.arrays import Market
from datong.balance.evaluate import evaluate
from datong.balance.facility_location import Starts, tightened, tightening
from datong.balance.highs import BREAKPOINTS, DISLIKE, OPTIONS, STOPPED, LinearProgramme, Programme
from datong.balance.long_lot_spans import hours_there, most_beside
from datong.balance.solution import OnProgress, Solution, never_stop
from datong.model.flow import BoolArray, FloatArray, IntArray
from datong.network.largest_lot import orders_in

Options = Mapping[str, str | bool | int | float]
ENDED = (
    *STOPPED,
    highspy.HighsModelStatus.kOptimal,
    highspy.HighsModelStatus.kModelEmpty,
    highspy.HighsModelStatus.kSolutionLimit,
)
# Of a solver's whole number, what is rounding.
ROUNDING = 1e-6
# A part of a plan that is decided anew: neighbouring buckets, the share of the plan's gap at which HiGHS stops, and how
# much work all parts may be, as a multiple of the search (iterations of the simplex method). HiGHS looks at nodes, and
# not for plans in programmes within the programme: these cost ten times the nodes and find less.
BUCKETS_OF_A_PART, GAP_OF_A_PART, WORK_OF_PARTS = 4, 0.05, 2
OPTIONS_OF_A_PART: Options = {
    "mip_max_nodes": 100,
    "mip_allow_restart": False,
    "mip_heuristic_run_rins": False,
    "mip_heuristic_run_rens": False,
    "mip_heuristic_run_root_reduced_cost": False,
}
# The same of a chain with components, whose parts are smaller: a product, or neighbouring buckets.
OPTIONS_WITH_COMPONENTS: Options = {"mip_max_nodes": 10}
# A start of a way that nothing limits is at most so many times all that is asked for.
FAR = 100.0
# Of a programme of at most so many columns: HiGHS decides it in a few nodes, and begins with a plan. To begin anew once
# columns are fixed, and to jump for any plan at all, takes a third to a half of its time there, and finds nothing more.
SMALL_COLUMNS = 1_000
OPTIONS_OF_A_SMALL_ONE: Options = {"mip_allow_restart": False, "mip_heuristic_run_feasibility_jump": False}
# Steps of a start from which on HiGHS's work grows with their square; money of a unit that is none; and of how many
# columns in all, in programmes one after the other, the most of a way is looked for.
WIDE, LEAST_REDUCED, MOST_COLUMNS_LOOKED_AT = 16.0, 1e-6, 100_000
# The share of the cost at which the search for whole units of chosen lots may stop.
GAP_OF_UNITS = 1e-9
# A gain below this share of the cost is none.
LEAST_GAIN = 1e-9


@dataclass(frozen=True, eq=False)
class LotRules:
    """(way) step: units, 0 for any number; smallest: units of the smallest lot, in whole steps; setup_beside: whether
    an order takes hours of a line that it holds beside its own, or components, whatever its size; largest: units of one
    order at most, inf: any."""

    step: FloatArray
    smallest: FloatArray
    setup_hours: FloatArray
    setup_cost: FloatArray
    setup_beside: BoolArray
    largest: FloatArray

    @property
    def decides(self) -> BoolArray:
        """(way) whether it must be decided if it starts at all: it has a set-up, or one step is no lot."""
        return (self.setup_hours > 0) | (self.setup_cost > 0) | self.setup_beside | (self.smallest > self.step)


def lot_rules(market: Market, whole: BoolArray) -> LotRules:
    """The rules of the market's ways. whole: (product) it comes in whole units."""
    setup_hours, setup_cost, smallest, multiple = (
        np.array([getattr(w, name) for w in market.ways.facts], dtype=np.float64)
        for name in ("setup_hours", "setup_cost", "min_units", "multiple_units")
    )
    step = np.where(multiple > 0, multiple, whole[market.ways.product].astype(np.float64))
    beside = np.array(
        [bool(w.lot_uses) or any(held.setup_hours > 0 for held in w.beside) for w in market.ways.facts], dtype=bool
    )
    return LotRules(step, in_steps(smallest, step, up=True), setup_hours, setup_cost, beside, market.largest_lot)


def in_steps(units: FloatArray, step: FloatArray, up: bool) -> FloatArray:
    """Units in whole steps, upwards or down; units as they are where the step is 0."""
    count = np.where(np.isfinite(units), units, 0.0) / np.where(step > 0, step, 1.0)
    count = np.ceil(count - ROUNDING) if up else np.floor(count + ROUNDING)
    return np.where((step > 0) & np.isfinite(units), count * step, units)


@dataclass(frozen=True, eq=False)
class LotPlan:
    """A plan in lots. setups: (way, bucket) how many start, of ways of which that is decided. cost: money by term,
    set-ups as one of them.

    bound: money that no plan in lots goes below, -inf where it is not known.
    """

    solution: Solution
    setups: FloatArray
    cost: Mapping[str, float]
    bound: float
    nodes: int

    @property
    def total_cost(self) -> float:
        return sum(self.cost.values())


@dataclass(frozen=True, eq=False)
class _Search:
    """How HiGHS looks for lots."""

    # Columns that it decides in whole numbers.
    whole: IntArray
    # Of HiGHS.
    options: Options
    # Hears of each step, and may stop it.
    on_progress: OnProgress


@dataclass(frozen=True, eq=False)
class _Found:
    """A plan as the programme has it."""

    # (column) its value.
    value: FloatArray
    # Money, as far as the programme counts it.
    objective: float
    # The same where units need not be whole: what another plan's lots must come below to be better.
    in_fractions: float


def column_count(market: Market, rules: LotRules) -> int:
    """How large the programme is: its whole-number columns."""
    return int(((rules.decides[:, None] + (rules.step > 0)[:, None].astype(np.int64)) * market.ways.is_open).sum())


def solve(
    market: Market,
    rules: LotRules,
    start: FloatArray | None = None,
    most_gap: float = 0.0,
    options: Options = OPTIONS,
    on_progress: OnProgress = never_stop,
) -> LotPlan | None:
    """The cheapest plan in lots. start: (way, bucket) units started by a plan that keeps the rules; the answer is never
    dearer. most_gap: money between cost and bound at which to stop. options: of HiGHS, its limits among them.

    None where it was stopped before it had a plan, and none was given.
    """
    return _Lots(market, rules).solve(start, {**options, "mip_abs_gap": most_gap, "mip_rel_gap": 0.0}, on_progress)


def most_wanted(market: Market, rules: LotRules) -> FloatArray:
    """(product) good units that all its ways together need to bring at most.

        need(p) = most over buckets and paths of (demand - what comes anyway) + sum of uses of p by what may be made
                  + the most of its safety stock + what it may stand in for
        most(p) = need(p) + one lot more,       all in all so much in each bucket of a product that perishes

    Of a product of which others come besides, most(p) is also what brings as much of each of these as that needs; where
    what one of them goes into is not known yet, since it goes into p through other levels, inf.

    A plan that brings more has a last lot without which all that is needed is there as well. Leaving it out, or taking
    no more of it than its smallest, saves its cost and the holding; `_never_pays` says where that holds for sure.

    Stock points of a circle of lanes need together what all of them need, and a lot more of each: any of them may be
    where it comes about. That is enough for good plans, and no proof (goods may go round), so no bound rests on it.
    """
    need = np.zeros(len(market.products))
    asked = np.array([max(float(market.net_demand(d).max()), 0.0) for d in range(len(market.demand.product))])
    np.add.at(need, market.demand.product, asked)
    instead = market.rules.substitutes
    np.add.at(need, instead.product, asked[instead.demand])
    need += market.rules.safety_stock.most(len(need))
    taken = -np.cumsum(market.stock.fixed, axis=1).min(axis=1, initial=0.0)  # by orders under way, beyond what comes
    need += np.where(market.products.is_component, taken, 0.0)
    lot = np.maximum(rules.smallest, rules.step) * market.ways.yield_share
    lot_of = np.zeros(len(market.products))
    np.maximum.at(lot_of, market.ways.product, lot)
    most = np.zeros(len(market.products))
    besides, known = _Besides.of(market), np.zeros(len(market.products), dtype=bool)
    circle = market.circle
    for product in reversed(market.products.order):
        if circle[product] >= 0 and not known[points := np.flatnonzero(circle == circle[product])].any():
            need[points] = need[points].sum() + lot_of[points].sum()
        own = max([need[product], *besides.wanted(product, need, known)])
        known[product] = True
        most[product] = own + lot_of[product] if own > 0 else 0.0
        ways = np.flatnonzero(market.ways.product == product)
        uses = np.flatnonzero(np.isin(market.uses.way, ways))
        of_way: dict[tuple[int, int], float] = defaultdict(float)  # a way can take a component by several rows
        for use in uses:
            way, part = int(market.uses.way[use]), int(market.uses.component[use])
            if circle[part] >= 0 and circle[part] == circle[product]:
                continue
            of_way[way, part] += float(market.uses.units[use] / market.ways.yield_share[way])
        each: dict[int, float] = {}
        for (_, part), units in of_way.items():
            each[part] = max(each.get(part, 0.0), units)
        anew = market.buckets if market.rules.shelf_life.life[product] >= 0 else 1
        for part, units in each.items():
            need[part] += anew * most[product] * units
        for way in ways.tolist() if market.rules.per_lot.is_there else ():
            for part, units in market.rules.per_lot.of_way(way):
                need[part] += units * market.buckets
    return most


@dataclass(frozen=True, eq=False)
class _Besides:
    """What comes besides products."""

    # Product -> what comes besides it by its ways, and good units of the product for a unit of that, at most.
    of_product: Mapping[int, Mapping[int, float]]
    # Product -> what it goes into.
    goes_into: Mapping[int, IntArray]

    @classmethod
    def of(cls, market: Market) -> "_Besides":
        rule, found = market.rules.co_products, dict[int, dict[int, float]]()
        for way, other, units in zip(rule.way.tolist(), rule.product.tolist(), rule.units.tolist(), strict=True):
            own = found.setdefault(int(market.ways.product[way]), {})
            own[other] = max(own.get(other, 0.0), float(market.ways.yield_share[way]) / units)
        into = {q: market.ways.product[market.uses.way[market.uses.component == q]] for q in set(rule.product.tolist())}
        return cls(found, into)

    def wanted(self, product: int, need: FloatArray, known: BoolArray) -> list[float]:
        """Good units of a product that bring what is needed of each of those. need: (product); known: (product) whether
        what it takes is among that."""
        return [
            need[other] * each if known[self.goes_into[other]].all() else math.inf
            for other, each in self.of_product.get(product, {}).items()
        ]


def _never_pays(market: Market) -> BoolArray:
    """(way) whether a unit that nobody needs costs at least what holding its components would, whenever it starts."""
    free = np.zeros(len(market.ways))
    last = np.array([market.buckets, 1])  # first and last bucket of a start: money grows evenly between them
    gain = np.zeros((len(market.ways), 2))
    for k, buckets in enumerate(last):
        part = market.money.holding[market.uses.component] * buckets - market.money.salvage[market.uses.component]
        np.add.at(gain[:, k], market.uses.way, market.uses.units * np.maximum(part, 0.0))
        there = np.maximum(buckets - market.ways.lead, 0)
        product, besides = market.ways.product, market.rules.co_products
        gain[:, k] -= market.ways.yield_share * (market.money.holding[product] * there - market.money.salvage[product])
        left = market.money.holding[besides.product] * there[besides.way] - market.money.salvage[besides.product]
        np.add.at(gain[:, k], besides.way, -besides.units * left)
    return (market.ways.cost - gain.max(axis=1)) >= free


def most_of_lots(market: Market, rules: LotRules, way: IntArray, bucket: IntArray) -> FloatArray:
    """(start) the module's `most`, in units; way, bucket: (start)."""
    most = market.ways.limit[way, bucket].copy()
    line, hours = market.ways.line[way], market.ways.hours[way]
    works = np.flatnonzero((line >= 0) & (hours > 0))
    left = _hours_there(market, way[works], bucket[works]) - rules.setup_hours[way[works]]
    most[works] = np.minimum(most[works], np.maximum(left, 0.0) / hours[works])
    sets_up = np.flatnonzero((line >= 0) & (hours <= 0) & (rules.setup_hours[way] > 0))
    left = _hours_there(market, way[sets_up], bucket[sets_up]) - rules.setup_hours[way[sets_up]]
    most[sets_up] = np.where(left >= 0, most[sets_up], 0.0)
    if market.rules.lines_at_once.is_there:
        most = np.minimum(most, most_beside(market, setup=True)[way, bucket])
    wanted = most_wanted(market, rules)[market.ways.product] / market.ways.yield_share
    wanted = np.maximum(in_steps(wanted, rules.step, up=True), rules.smallest)
    bounded = _never_pays(market)[way] | np.isinf(most)
    most = np.where(bounded, np.minimum(most, wanted[way]), most)
    if (unlimited := np.isinf(most)).any():
        most = np.where(unlimited, _far_beyond(market, rules), most)
    return in_steps(most, rules.step[way], up=False)


def _far_beyond(market: Market, rules: LotRules) -> float:
    """Units of one start that no plan comes near, of ways of which nothing says how much can be wanted: FAR times all
    that is asked for, is to lie there, or is taken by orders that are out, in units of what most of goes into it; or
    the largest of smallest lots. A row with 1e12 in it, as of a way without limit, has HiGHS search without an end."""
    asked = sum(max(float(market.net_demand(d).max()), 0.0) for d in range(len(market.demand.product)))
    held = float(market.rules.safety_stock.most(len(market.products)).sum())
    taken = float(-np.cumsum(market.stock.fixed, axis=1).min(axis=1, initial=0.0).sum())
    each = np.ones(len(market.products))  # units of a product that a unit of anything may take, through all levels
    way, part = market.uses.way, market.uses.component
    of_good = market.uses.units / market.ways.yield_share[way]
    for product in reversed(market.products.order):
        own = market.ways.product[way] == product
        np.maximum.at(each, part[own], each[product] * of_good[own])
    finite = rules.smallest[np.isfinite(rules.smallest)]
    return FAR * max((asked + held + taken) * float(each.max()), float(finite.max(initial=0.0)), 1.0)


def _hours_there(market: Market, way: IntArray, bucket: IntArray) -> FloatArray:
    """(start) hours that a start can take at most, in all its buckets."""
    hours = np.zeros(market.ways.is_open.shape)
    on_line = np.flatnonzero(market.ways.line >= 0)
    hours[on_line] = hours_there(market, on_line)
    return hours[way, bucket]


def _goes_round(market: Market) -> BoolArray:
    """(way) whether it moves goods within a circle of lanes."""
    found = np.zeros(len(market.ways), dtype=bool)
    way, circle = market.uses.way, market.circle
    inside = (circle[market.uses.component] >= 0) & (circle[market.uses.component] == circle[market.ways.product[way]])
    found[way[inside]] = True
    return found


class _Lots:
    """The programme's columns and rows, and a plan read back from them."""

    def __init__(self, market: Market, rules: LotRules) -> None:
        self.market, self.rules = market, rules
        self.programme = programme = Programme(market, leave_over=True)
        linear, way, bucket = programme.linear, programme.way_index, programme.way_bucket
        step, smallest = rules.step[way], rules.smallest[way]
        self.decided = np.flatnonzero(rules.decides[way])
        count, columns, rows = len(self.decided), programme.column_count, programme.row_count
        self.y = columns + np.arange(count)
        self.scale = np.ones(columns)
        self.scale[programme.started] = np.where(step > 0, step, 1.0)
        self.cost = np.concatenate([linear.cost * self.scale, rules.setup_cost[way[self.decided]]])
        for columns_of_waste in programme.disliked:
            self.cost[columns_of_waste] += DISLIKE
        goes_round = programme.started[_goes_round(market)[way]]  # where a move costs nothing: only what is needed
        self.cost[goes_round] += DISLIKE * self.scale[goes_round]
        self.largest = rules.largest[way[self.decided]]
        started, at = programme.started[self.decided], np.arange(count)
        line = market.ways.line[way[self.decided]]
        works = (line >= 0) & (rules.setup_hours[way[self.decided]] > 0)
        share = market.ways.share_after
        units = linear.matrix @ sp.diags_array(self.scale)
        setups = sp.csc_matrix((rows, count))
        for later in range(share.shape[1]):
            part = share[way[self.decided], later]
            some = works & (part > 0)
            row = programme.line_row + line * market.buckets + bucket[self.decided] + later
            each = (rules.setup_hours[way[self.decided]] * part)[some]
            setups = setups + sp.csc_matrix((each, (row[some], at[some])), shape=(rows, count))
        beside = market.rules.lines_at_once
        for held, other, hours in zip(beside.way, beside.line, beside.setup_hours, strict=True):
            some = way[self.decided] == held
            for later in np.flatnonzero(share[held]).tolist():
                row = programme.line_row + other * market.buckets + bucket[self.decided][some] + later
                each = np.full(len(row), hours * share[held, later])
                setups = setups + sp.csc_matrix((each, (row, at[some])), shape=(rows, count))
        per_lot = market.rules.per_lot
        for taking, component, each in zip(per_lot.way, per_lot.component, per_lot.units, strict=True):
            some = way[self.decided] == taking
            row = programme.pool_row[component] + bucket[self.decided][some]
            setups = setups + sp.csc_matrix((np.full(len(row), each), (row, at[some])), shape=(rows, count))
        chosen = sp.csc_matrix((self.scale[started], (at, started)), shape=(count, columns))
        least = sp.diags_array(-smallest[self.decided])
        # All rows but for `most` of those in the middle.
        self.rows_without_most = sp.csc_matrix(
            sp.block_array([[units, setups], [chosen, sp.csc_matrix((count, count))], [chosen, least]])
        )
        self._limit(most_of_lots(market, rules, way, bucket))
        self.deliveries = np.concatenate([np.zeros(0, dtype=np.int64), *programme.whole_columns])
        self.whole = np.concatenate([programme.started[step > 0], self.y, self.deliveries])
        loose = (step == 1.0) & market.single_level
        self.searched = np.concatenate([programme.started[(step > 0) & ~loose], self.y, self.deliveries])
        # Rounds after which all pairs of products of a line were decided together.
        products = {(int(x), int(i)) for x, i in zip(line, market.ways.product[way[self.decided]], strict=True)}
        self.turns = max(Counter(x for x, _ in products).values(), default=1) - 1 if market.single_level else 1

    def _limit(self, most: FloatArray) -> None:
        """Builds the programme in which no start is above so many units. most: (start)."""
        self.most, linear, rows = most, self.programme.linear, self.programme.row_count
        count = len(self.decided)
        upper = linear.upper.copy()
        upper[self.programme.started] = most
        smallest = self.rules.smallest[self.programme.way_index[self.decided]]
        fits = most[self.decided] >= np.maximum(smallest, ROUNDING)
        orders = np.where(fits, np.maximum(orders_in(most[self.decided], self.largest), 1.0), 0.0)
        of_one = np.minimum(most, self.rules.largest[self.programme.way_index])
        most_rows = sp.csc_matrix(
            (-np.minimum(of_one[self.decided], 1e12), (rows + np.arange(count), self.y)),
            shape=self.rows_without_most.shape,
        )
        self.plain = LinearProgramme(
            self.cost,
            np.concatenate([upper / self.scale, orders]),
            np.concatenate([linear.row_lower, np.full(count, -np.inf), np.zeros(count)]),
            np.concatenate([linear.row_upper, np.zeros(count), np.full(count, np.inf)]),
            sp.csc_matrix(self.rows_without_most + most_rows),
        )
        setup = np.full(len(self.programme.way_index), -1)
        setup[self.decided] = self.y
        self.starts = Starts(setup, self.scale[self.programme.started], of_one)
        self.__dict__.pop("tight", None)

    def _most_that_pays(self, plan: _Found) -> FloatArray:
        """(start) the most units of a start in any plan that costs no more than this one: at most self.most, and

            most of a sum over t of x(w,t)                  over plans in fractions that cost no more
            (cost - least cost in fractions) / d(w,t)       d: reduced cost of x(w,t), which is 0 in the cheapest one

        Each plan in whole numbers is one in fractions, too; so the cheapest one keeps both. As they are where HiGHS
        searches no column of more than a few steps.
        """
        form, started = self.form, self.programme.started
        upper = form.upper[started]
        wide = np.isin(started, self.searched) & (upper > WIDE)
        if not wide.any():
            return self.most
        most_cost = plan.objective + ROUNDING * max(abs(plan.objective), 1.0)
        no_dearer = LinearProgramme(
            form.cost,
            form.upper,
            np.append(form.row_lower, -np.inf),
            np.append(form.row_upper, most_cost),
            sp.csc_matrix(sp.vstack([form.matrix, sp.csc_matrix(form.cost[None, :])])),
        )
        solver, columns = _solver(OPTIONS), np.arange(len(form.cost), dtype=np.int32)
        solver.passModel(_model(no_dearer, np.zeros(len(columns)), form.upper))
        solver.run()
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return self.most
        least, reduced = solver.getInfo().objective_function_value, np.array(solver.getSolution().col_dual)[started]
        dear = reduced > LEAST_REDUCED
        upper[dear] = np.minimum(upper[dear], (most_cost - least) / reduced[dear])
        way = self.programme.way_index
        ways = np.unique(way[wide & (upper > WIDE)])
        for w in ways[: MOST_COLUMNS_LOOKED_AT // len(columns)].tolist():
            of_way = way == w
            sum_of_way = np.zeros(len(columns))
            sum_of_way[started[of_way]] = -1.0
            solver.changeColsCost(len(columns), columns, sum_of_way)
            solver.run()
            if solver.getModelStatus() == highspy.HighsModelStatus.kOptimal:
                upper[of_way] = np.minimum(upper[of_way], -solver.getInfo().objective_function_value)
        upper = np.maximum(upper + ROUNDING, plan.value[started])
        return in_steps(np.minimum(upper * self.scale[started], self.most), self.rules.step[way], up=False)

    @cached_property
    def tight(self) -> LinearProgramme:
        """The programme with the rows of facility_location.py."""
        more = tightening(self.market, self.programme, self.starts, len(self.plain.cost))
        return tightened(self.plain, more)

    @property
    def form(self) -> LinearProgramme:
        """What HiGHS searches. Of a chain with components it decides all whole numbers at once, without the tight rows:
        with them, and its units made whole afterwards, it finds a dearer plan for T2-bicycles."""
        return self.tight if self.market.single_level else self.plain

    def solve(self, start: FloatArray | None, options: Options, on_progress: OnProgress) -> LotPlan | None:
        self.began = time.monotonic()
        begun = None if start is None else self._with_deliveries(self._columns_of(start))
        if begun is not None and (most := self._most_that_pays(begun)) is not self.most:
            self._limit(most)
        if begun is not None and len(self.form.cost) <= SMALL_COLUMNS:
            options = {**options, **OPTIONS_OF_A_SMALL_ONE}
        first = _Search(self.searched if len(self.searched) else self.whole, options, on_progress)
        solver, best = self._searched(begun, first)
        info = solver.getInfo()
        bound = float(info.mip_dual_bound if len(first.whole) else info.objective_function_value)  # of no integers: 0
        nodes = int(max(info.mip_node_count, 0))
        most_gap, is_done = float(options["mip_abs_gap"]), solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
        if is_done and len(self.whole) > len(first.whole) and (best is None or _leaves_room(bound, best, most_gap)):
            solver, best = self._searched(best, replace(first, whole=self.whole))  # whole units make a difference
            bound = max(bound, float(solver.getInfo().mip_dual_bound))
            nodes += int(max(solver.getInfo().mip_node_count, 0))
        if best is None:
            return None
        if solver.getModelStatus() == highspy.HighsModelStatus.kSolutionLimit and options.get("mip_max_nodes", 1):
            best = self._in_parts(best, bound, first, WORK_OF_PARTS * int(solver.getInfo().simplex_iteration_count))
        exact = all(len(paths) <= BREAKPOINTS for paths in self.market.demand.cumulative)
        is_below = bound <= best.objective + ROUNDING * max(abs(best.objective), 1.0)  # HiGHS can be wrong
        # What is wanted at most (`most_wanted`) is not known where having more than anyone asks for can pay.
        exact = exact and not any(rule.can_leave_over or rule.earns for rule in self.market.rules.there)
        exact = exact and not self.market.has_circles
        gap = max(best.objective - bound, 0.0) if exact and is_below else math.inf
        return self._read(best.value, gap, nodes)

    def _searched(
        self, begun: _Found | None, search: "_Search", fixed: IntArray | None = None
    ) -> tuple[highspy.Highs, _Found | None]:
        """HiGHS after its search, and the best of the plan that it found and the one to begin with. fixed: columns that
        stay as they are in that one."""
        solver, form = _solver(search.options), self.form
        lower, upper = np.zeros(len(form.cost)), form.upper.copy()
        if begun is not None and fixed is not None:
            lower[fixed] = upper[fixed] = begun.value[fixed]
        solver.passModel(_model(form, lower, upper, search.whole))
        if begun is not None:
            columns = search.whole.astype(np.int32)
            solver.setSolution(len(columns), columns, begun.value[columns])
        self._listen(solver, search.on_progress)
        ran, status = solver.run(), solver.getModelStatus()
        if ran == highspy.HighsStatus.kError or status not in ENDED:
            raise RuntimeError(f"HiGHS: {solver.modelStatusToString(status)}")
        info = solver.getInfo()
        if info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
            return solver, begun
        if begun is not None and not _is_below(info.objective_function_value, begun.in_fractions):
            return solver, begun
        value = np.array(solver.getSolution().col_value)[: len(self.plain.cost)]
        value[search.whole] = np.round(value[search.whole])
        found = self._finished(value)
        if found is None or (begun is not None and not _is_below(found.objective, begun.objective)):
            return solver, begun
        return solver, found

    def _in_parts(self, best: _Found, bound: float, search: "_Search", most_work: int) -> _Found:
        """The plan, or a cheaper one: parts of it decided anew, as the module says. bound: of the objective; most_work:
        iterations."""
        least_gap = float(search.options["mip_abs_gap"])
        limit = float(search.options.get("time_limit", math.inf))
        options = {**search.options, **(OPTIONS_OF_A_PART if self.market.single_level else OPTIONS_WITH_COMPONENTS)}
        work, turn, is_better = 0, 0, True
        while work < most_work and (is_better or turn < self.turns):
            is_better = False
            for part in self._parts(turn):
                if work >= most_work:
                    break
                if math.isfinite(limit):
                    options["time_limit"] = max(limit - (time.monotonic() - self.began), 0.0)
                options["mip_abs_gap"] = max(GAP_OF_A_PART * (best.objective - bound), least_gap)
                solver, found = self._searched(best, replace(search, options=options), self.y[~part])
                if solver.getModelStatus() in STOPPED:
                    return found or best
                work += int(solver.getInfo().simplex_iteration_count)
                is_better = is_better or found is not best
                best = found or best
            turn += 1
        return best

    def _parts(self, turn: int) -> list[BoolArray]:
        """(decided start) which set-ups each part of a round decides: those of two products of one line, others in each
        round (with components: of one product), and those of a few neighbouring buckets."""
        market, way = self.market, self.programme.way_index[self.decided]
        product, line, bucket = market.ways.product[way], market.ways.line[way], self.programme.way_bucket[self.decided]
        pairs = set() if market.single_level else {(int(i), int(i)) for i in np.unique(product)}
        for x in np.unique(line) if market.single_level else ():
            there = np.unique(product[line == x])
            for k, i in enumerate(there):
                j = there[(k + 1 + turn % max(len(there) - 1, 1)) % len(there)]
                pairs.add((int(min(i, j)), int(max(i, j))))
        parts = [(product == i) | (product == j) for i, j in sorted(pairs)]
        step = BUCKETS_OF_A_PART // 2
        for first in range(0, max(market.buckets - step, 1), step):
            parts.append((bucket >= first) & (bucket < first + BUCKETS_OF_A_PART))
        return [part for part in parts if part.any() and not part.all()]

    def _columns_of(self, started: FloatArray) -> FloatArray:
        """Values of the columns of a plan that must be whole; 0 in the others."""
        programme = self.programme
        units = started[programme.way_index, programme.way_bucket]
        value = np.zeros(len(self.plain.cost))
        value[programme.started] = units / self.scale[programme.started]
        value[self.y] = orders_in(np.where(units[self.decided] > ROUNDING, units[self.decided], 0.0), self.largest)
        value[self.whole] = np.round(value[self.whole])
        return value

    def _with_deliveries(self, value: FloatArray) -> _Found | None:
        """`_finished` of set-ups and lots with the deliveries that suit them, where these are whole numbers; None where
        none were found."""
        if not len(self.deliveries):
            return self._finished(value)
        chosen = np.setdiff1d(self.whole, self.deliveries)
        units = self._chosen(value, chosen, self.deliveries)
        return None if units is None else self._finished(units)

    def _chosen(self, value: FloatArray, fixed: IntArray, whole: IntArray) -> FloatArray | None:
        """The other columns at their best, or the best of few nodes, where those that are fixed have these values and
        some of the others are whole; None if none were found."""
        solver = _solver({**OPTIONS, **OPTIONS_OF_A_PART, "mip_rel_gap": GAP_OF_UNITS})
        solver.passModel(_model(self.plain, *self._fixing(value, fixed), whole))
        solver.run()
        if solver.getInfo().primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
            return None
        return np.array(solver.getSolution().col_value)

    def _finished(self, value: FloatArray) -> _Found | None:
        """The rest of the columns at their best for these set-ups and lots, in whole units; None if there is none."""
        free = self._completed(value, self.searched)
        loose = np.setdiff1d(self.whole, self.searched)
        if free is None or not len(loose):
            return free
        units: FloatArray | None = free.value
        if np.abs(free.value[loose] - np.round(free.value[loose])).max() > ROUNDING:
            units = self._chosen(value, self.searched, loose)
        found = None if units is None else self._completed(units, self.whole)
        return None if found is None else replace(found, in_fractions=free.objective)

    def _completed(self, value: FloatArray, fixed: IntArray) -> _Found | None:
        """The other columns at their best where these have whole values."""
        if (np.round(value[fixed]) > self.plain.upper[fixed] + ROUNDING).any():
            return None
        lower, upper = self._fixing(value, fixed)
        solver = _solver(OPTIONS)
        solver.passModel(_model(self.plain, lower, upper))
        solver.run()
        if solver.getModelStatus() not in (highspy.HighsModelStatus.kOptimal, highspy.HighsModelStatus.kModelEmpty):
            return None
        value = np.array(solver.getSolution().col_value)
        value[fixed] = np.round(value[fixed])
        objective = float(self.plain.cost @ value)
        return _Found(value, objective, objective)

    def _fixing(self, value: FloatArray, fixed: IntArray) -> tuple[FloatArray, FloatArray]:
        """Limits of all columns; these stay where they are."""
        lower, upper = np.zeros(len(self.plain.cost)), self.plain.upper.copy()
        lower[fixed] = upper[fixed] = np.round(value[fixed])
        return lower, upper

    def _read(self, value: FloatArray, gap: float, nodes: int) -> LotPlan:
        market, programme = self.market, self.programme
        columns = programme.column_count
        none = np.zeros(columns), np.zeros(programme.row_count)
        solution = replace(programme.read(value[:columns] * self.scale, *none, nodes), door="integer")
        setups = np.zeros(market.ways.is_open.shape)
        at = self.decided
        setups[programme.way_index[at], programme.way_bucket[at]] = value[self.y]
        cost = cost_in_lots(market, self.rules, solution, setups)
        return LotPlan(solution, setups, cost, sum(cost.values()) - gap, nodes)

    def _listen(self, solver: highspy.Highs, on_progress: OnProgress) -> None:
        if on_progress is never_stop:
            return

        def on_step(event: Any) -> None:
            seconds = time.monotonic() - self.began
            if not on_progress(seconds, int(max(event.data_out.mip_node_count, 0)), None, -math.inf):
                event.interrupt()

        solver.cbMipInterrupt += on_step


def _leaves_room(bound: float, best: _Found, most_gap: float) -> bool:
    """Whether a plan may be there that is cheaper by more than rounding."""
    return best.objective - bound > most_gap and _is_below(bound, best.objective)


def _is_below(objective: float, other: float) -> bool:
    return objective < other - LEAST_GAIN * abs(other)


def _solver(options: Options) -> highspy.Highs:
    solver = highspy.Highs()
    for option, value in options.items():
        solver.setOptionValue(option, value)
    return solver


def _model(
    programme: LinearProgramme, lower: FloatArray, upper: FloatArray, whole: IntArray | None = None
) -> highspy.HighsLp:
    """whole: columns in whole numbers."""
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = len(programme.cost), len(programme.row_lower)
    model.col_cost_, model.col_lower_, model.col_upper_ = programme.cost, lower, upper
    model.row_lower_, model.row_upper_ = programme.row_lower, programme.row_upper
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_, model.a_matrix_.index_ = programme.matrix.indptr, programme.matrix.indices
    model.a_matrix_.value_ = programme.matrix.data
    if whole is not None:
        kinds = np.full(len(programme.cost), highspy.HighsVarType.kContinuous)
        kinds[whole] = highspy.HighsVarType.kInteger
        model.integrality_ = list(kinds)
    return model


def cost_in_lots(market: Market, rules: LotRules, solution: Solution, setups: FloatArray) -> dict[str, float]:
    """Money by term of a plan in lots, set-ups as one of them. AssertionError where it breaks a rule, one of lots among
    them: then a door is broken. setups: (way, bucket)."""
    started = solution.started
    lots = np.round(setups)
    needs = (started > ROUNDING) & rules.decides[:, None]
    assert (lots[needs] > 0).all(), "a lot without its set-up"
    assert (started[needs] >= (rules.smallest[:, None] * lots)[needs] - ROUNDING).all(), "less than the smallest lot"
    steps = started / np.where(rules.step > 0, rules.step, 1.0)[:, None]
    off = np.abs(steps - np.round(steps))[rules.step > 0]
    assert (off <= ROUNDING * np.maximum(steps[rules.step > 0], 1.0)).all(), "not in whole steps"
    outcome = evaluate(
        market,
        started,
        solution.issued,
        solution.turned_away,
        solution.substituted,
        solution.wasted,
        np.where(rules.decides[:, None], lots, market.orders_in(started)),
    )
    return outcome.cost
