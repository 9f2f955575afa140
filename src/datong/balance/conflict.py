"""Orders that a planner locked and that cannot run: the smallest sets of rules that contradict one another, in words.

Whether the locked orders find the hours that they need is a linear programme without an objective. x_ot: units of
locked order o worked in bucket t, from its start to the day on which it is due, as orders of a plan are (a transfer
to the day before), in a bucket of which that is the first day no more than the day holds; nothing else needs to run.

    sum_t x_ot >= units                      order o is locked
    sum hours * x <= hours                   line and bucket, overtime included, or a lane's units

Only what is certain counts: orders under way that are not locked take nothing, set-ups take no hours, and an order that
ends beyond the horizon is taken to run. Components are no rule here: an order whose components cannot be there in time
begins when they are (network/committed.py). Where the programme has no solution, HiGHS gives an irreducible infeasible
subset; a deletion filter over its rows (Chinneck 2008, Feasibility and infeasibility in optimization) leaves rules of
which all but any one can be kept. Its orders are then set aside and the rest is looked at again, so that every order
that cannot run is told.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal

import highspy
import numpy as np
import scipy.sparse as sp

from datong.ledger.state import State
from datong.model.calendar import Calendar
from datong.model.errors import NoPlan
from datong.model.findings import Finding, finding
from datong.model.flow import FloatArray, Learnt
from datong.model.words import Message, message
from datong.network.facts import ChainFacts, chain_facts, located
from datong.network.horizon import valid_on
from datong.network.line_hours import overtime
from datong.network.position import Position, UnderWay, position
from datong.network.ways import Way

# Share of a capacity or stock that records may be over by without a contradiction.
TOLERANCE = 1e-6
# A subset from the programme itself, and an irreducible one (HiGHS, option iis_strategy).
_IIS_STRATEGY = int(highspy.IisStrategy.kIisStrategyFromLp) | int(highspy.IisStrategy.kIisStrategyIrreducible)


@dataclass(frozen=True)
class Rule:
    """One rule of the programme. name: of the order, or of the line's label; bucket: of an order, that of its start."""

    kind: Literal["order", "hours"]
    name: str
    bucket: int


@dataclass(frozen=True, eq=False)
class Rules:
    """The programme: lower <= matrix x columns <= upper by rule, 0 <= columns <= most."""

    rules: tuple[Rule, ...]
    matrix: sp.csr_array
    lower: FloatArray
    upper: FloatArray
    most: FloatArray


@dataclass(frozen=True)
class Conflict:
    """Rules of which any but one can be kept. rows: (table, key) of what they stand on."""

    rules: tuple[Rule, ...]
    rows: tuple[tuple[str, str], ...]
    found: Finding


def refuse_conflicts(state: State, learnt: Learnt, where: Position | None = None) -> None:
    """Raises NoPlan with a finding for each contradiction among the orders that a planner locked. where: the state's
    position, where it is at hand."""
    found = conflicts(state, learnt, where)
    if found:
        raise NoPlan(message("conflict.no_plan", count=len(found)), [c.found for c in found])


def conflicts(state: State, learnt: Learnt, where: Position | None = None) -> tuple[Conflict, ...]:
    """What contradicts itself among the locked orders as known at the state's moment. Empty where all can run."""
    where = where or position(state)
    if not any(order.fixed for order in where.under_way):
        return ()
    calendar = state.settings.calendar
    starts = calendar.starts(state.first_open_bucket, state.settings.horizon_buckets)
    facts = _with_overtime(chain_facts(state, starts, learnt), state, starts)
    return conflicts_of(facts, where, starts, calendar, state.today)


def _with_overtime(facts: ChainFacts, state: State, starts: Sequence[date]) -> ChainFacts:
    """The facts, with overtime among the hours of lines: a locked order may take it, at its cost."""
    more, _ = overtime(state, starts)
    hours = {line: of + more[line] if line in more else of for line, of in facts.line_hours.items()}
    return replace(facts, line_hours=hours)


def conflicts_of(
    facts: ChainFacts,
    where: Position,
    starts: Sequence[date],
    calendar: Calendar,
    today: date,
) -> tuple[Conflict, ...]:
    """`conflicts` of facts and a position. Orders that should have begun before today are taken to run."""
    where = located(facts, where)
    ways = {w.name: w for w in facts.ways}
    end = calendar.shift(starts[-1], 1)
    first = max(today, starts[0])
    fixed = [o for o in where.under_way if o.fixed and (o.recipe or "") in ways and first <= o.start and o.due <= end]
    over = [o for o in fixed if not ways[o.recipe or ""].held]
    over = [o for o in over if not valid_on(o.start, ways[o.recipe or ""].valid_from, ways[o.recipe or ""].valid_to)]
    words = _Words(facts, ways, starts, calendar)
    result = [words.not_valid(o) for o in over]
    fixed = [o for o in fixed if o not in over]
    if fixed and not _surely_run(facts, fixed, starts, calendar):
        rules = rules_of(facts, fixed, starts, calendar)
        orders = {o.order: o for o in fixed}
        active = np.ones(len(rules.rules), dtype=bool)
        while (found := smallest_conflict(rules, active)) is not None:
            result.append(words.conflict([rules.rules[i] for i in found], orders))
            active[[i for i in found if rules.rules[i].kind == "order"]] = False
    return tuple(result)


# the programme -------------------------------------------------------------------------------------


def _span(order: UnderWay, starts: Sequence[date], calendar: Calendar) -> range:
    """Buckets in which the order can be worked on: from its start to its last day."""
    first = calendar.index(order.start, starts[0])
    end = calendar.index(_last_day(order), starts[0])
    return range(first, min(end, len(starts) - 1) + 1)


def _last_day(order: UnderWay) -> date:
    return max(order.due - timedelta(days=0 if order.kind == "make" else 1), order.start)


def _most(facts: ChainFacts, order: UnderWay, way: Way, t: int, starts: Sequence[date]) -> float:
    """Units of the order that its lines may have hours for in a bucket: where it is due on the first day of it, on that
    day alone."""
    most = order.units
    if order.start >= starts[t] or _last_day(order) > starts[t]:
        return most
    for line, each in _hours_on(order, way):
        shares = facts.shares_by_day.get(line)
        if shares is not None and line in facts.line_hours and each > 0:
            there = float(facts.line_hours[line][t] * shares[t, 0])
            most = min(most, (there + TOLERANCE * max(there, 1.0)) / each)
    return most


def _surely_run(facts: ChainFacts, fixed: Sequence[UnderWay], starts: Sequence[date], calendar: Calendar) -> bool:
    """They all run at their start in the hours there: then nothing needs to be solved."""
    ways = {w.name: w for w in facts.ways}
    hours: dict[tuple[str, int], float] = defaultdict(float)
    for order in fixed:
        first = _span(order, starts, calendar)[0]
        for line, each in _hours_on(order, ways[order.recipe or ""]):
            hours[line, first] += order.units * each
    return all(facts.line_hours[line][t] >= h for (line, t), h in hours.items() if line in facts.line_hours)


def _hours_on(order: UnderWay, way: Way) -> list[tuple[str, float]]:
    """Lines that an order works on at once, and their hours for a unit; the order may name another line of its own."""
    own = [(way.line_of(order.line) or "", way.hours_per_unit)]
    return own + [(held.line, held.hours_per_unit) for held in way.beside]


def rules_of(facts: ChainFacts, fixed: Sequence[UnderWay], starts: Sequence[date], calendar: Calendar) -> Rules:
    """The programme of the module's head for the locked orders `fixed`, which have known recipes."""
    ways = {w.name: w for w in facts.ways}
    cells: dict[Rule, dict[int, float]] = {}
    most: list[float] = []
    for order in fixed:
        way, span = ways[order.recipe or ""], _span(order, starts, calendar)
        of_order = cells.setdefault(Rule("order", order.order, span[0]), {})
        for t in span:
            of_order[len(most)] = 1.0
            for line, each in _hours_on(order, way):
                if line in facts.line_hours and each > 0:
                    cells.setdefault(Rule("hours", line, t), {})[len(most)] = each
            most.append(_most(facts, order, way, t, starts))
    rules = tuple(sorted(cells, key=lambda r: (r.kind, r.name, r.bucket)))
    units = {o.order: o.units for o in fixed}
    lower, upper = np.full(len(rules), -np.inf), np.full(len(rules), np.inf)
    for i, rule in enumerate(rules):
        if rule.kind == "order":
            lower[i] = units[rule.name] * (1.0 - TOLERANCE)
        else:
            there = float(facts.line_hours[rule.name][rule.bucket])
            upper[i] = there + TOLERANCE * max(there, 1.0)
    entries = [(i, at, value) for i, rule in enumerate(rules) for at, value in sorted(cells[rule].items())]
    row, at, value = (np.array(list(part)) for part in zip(*entries, strict=True))
    matrix = sp.csr_array((value, (row, at)), shape=(len(rules), len(most)))
    return Rules(rules, matrix, lower, upper, np.array(most))


# the smallest conflict -----------------------------------------------------------------------------


def smallest_conflict(rules: Rules, active: np.ndarray) -> list[int] | None:
    """Rules, of the active ones, that cannot hold together, though they can without any one of them; None where all
    hold."""
    kept = np.flatnonzero(active)
    solver = _solver(rules, kept)
    if solver.getModelStatus() == highspy.HighsModelStatus.kOptimal:
        return None
    status, subset = solver.getIis()
    if status != highspy.HighsStatus.kError and subset.valid_ and len(subset.row_index_):
        named = kept[np.sort(np.array(subset.row_index_, dtype=np.int64))]
        if not _feasible(rules, named):
            kept = named
    return _filtered(rules, kept).tolist()


def _filtered(rules: Rules, kept: np.ndarray) -> np.ndarray:
    """The deletion filter: what is not needed for the contradiction goes."""
    for rule in kept.tolist():
        without = kept[kept != rule]
        if not _feasible(rules, without):
            kept = without
    return kept


def _feasible(rules: Rules, kept: np.ndarray) -> bool:
    return _solver(rules, kept).getModelStatus() == highspy.HighsModelStatus.kOptimal


def _solver(rules: Rules, kept: np.ndarray) -> highspy.Highs:
    """HiGHS after it looked at the programme of the kept rules."""
    columns = len(rules.most)
    matrix = sp.csc_array(rules.matrix[kept])
    programme = highspy.HighsLp()
    programme.num_col_, programme.num_row_ = columns, len(kept)
    programme.col_cost_ = np.zeros(columns)
    programme.col_lower_, programme.col_upper_ = np.zeros(columns), rules.most
    programme.row_lower_, programme.row_upper_ = rules.lower[kept], rules.upper[kept]
    programme.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    programme.a_matrix_.start_, programme.a_matrix_.index_ = matrix.indptr, matrix.indices
    programme.a_matrix_.value_ = matrix.data
    solver = highspy.Highs()
    options = (("output_flag", False), ("threads", 1), ("random_seed", 0), ("iis_strategy", _IIS_STRATEGY))
    for option, value in options:
        solver.setOptionValue(option, value)
    solver.passModel(programme)
    solver.run()
    return solver


# in words ------------------------------------------------------------------------------------------


class _Words:
    """Conflicts as a planner reads them."""

    def __init__(self, facts: ChainFacts, ways: Mapping[str, Way], starts: Sequence[date], calendar: Calendar) -> None:
        self.facts, self.ways, self.starts, self.calendar = facts, ways, starts, calendar

    def when(self, bucket: int) -> Message:
        return message("plan.week" if self.calendar.unit == "week" else "plan.day", day=self.starts[bucket])

    def not_valid(self, order: UnderWay) -> Conflict:
        """An order whose recipe, offer or lane does not hold on the day it starts."""
        way = self.ways[order.recipe or ""]
        found = finding(
            "error",
            "conflict.not_valid",
            "orders",
            column="recipe",
            order=order.order,
            start=order.start,
            way=way.row or way.name,
        )
        rule = Rule("order", order.order, self.calendar.index(order.start, self.starts[0]))
        return Conflict((rule,), (("orders", order.order), (*self._row_of(way),)), found)

    def conflict(self, rules: Sequence[Rule], orders: Mapping[str, UnderWay]) -> Conflict:
        parts = [self._order(orders[r.name]) for r in rules if r.kind == "order"]
        parts += [self._hours(r) for r in rules if r.kind == "hours"]
        text = parts[0]
        for part in parts[1:]:
            text = message("conflict.and", first=text, second=part)
        first = next(r.name for r in rules if r.kind == "order")
        key = "conflict.orders" if len([r for r in rules if r.kind == "order"]) > 1 else "conflict.order"
        found = finding("error", key, "orders", rules=text, order=first)
        rows = [self._row(r) for r in sorted(rules, key=lambda r: r.kind != "order")]
        return Conflict(tuple(rules), tuple(dict.fromkeys(rows)), found)

    def _order(self, order: UnderWay) -> Message:
        """The order, and the hours that it needs."""
        way = self.ways[order.recipe or ""]
        span = _span(order, self.starts, self.calendar)
        label = way.line_of(order.line) or ""
        what, name = self.facts.shared.get(label, ("line", label))
        key = "conflict.needs_hours" if what == "line" else "conflict.needs_lane"
        need = message(key, amount=_shown(order.units * way.hours_per_unit), name=name)
        key = "conflict.locked" if len(span) == 1 else "conflict.locked_span"
        return message(
            key,
            order=order.order,
            units=_shown(order.units),
            product=self.facts.product_of(order.product),
            need=need,
            when=self.when(span[0]),
            until=self.when(span[-1]),
        )

    def _hours(self, rule: Rule) -> Message:
        what, name = self.facts.shared.get(rule.name, ("line", rule.name))
        key = "conflict.has_hours" if what == "line" else "conflict.has_lane"
        amount = _shown(float(self.facts.line_hours[rule.name][rule.bucket]))
        return message(key, amount=amount, name=name, when=self.when(rule.bucket))

    def _row(self, rule: Rule) -> tuple[str, str]:
        if rule.kind == "order":
            return "orders", rule.name
        what, name = self.facts.shared.get(rule.name, ("line", rule.name))
        return f"{what}s", name

    @staticmethod
    def _row_of(way: Way) -> tuple[str, str]:
        return {"make": "recipes", "buy": "offers", "move": "lanes"}[way.kind], way.row or way.name


def _shown(value: float) -> float:
    """An amount as a person reads it."""
    return round(float(value), 3) + 0.0
