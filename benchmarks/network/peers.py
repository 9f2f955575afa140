"""The solvers that the balance is measured against: HiGHS's own methods and OR-Tools PDLP, on the market's programme.

A first-order method gives a plan that breaks rules by a little; `repaired` mends it, at the least cost that a few
passes find, so that it can be costed like any other. Its prices give a bound as they are (balance/bound.py).
"""

import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from datong.balance import highs
from datong.balance.arrays import Market
from datong.balance.bound import unit_prices
from datong.balance.solution import Solution
from datong.model.errors import NoPlan
from datong.model.flow import FloatArray, IntArray

# Passes in which what is missing is placed, and buckets before its need in which it may be made.
PASSES, EARLIER = 4, 6


@dataclass(frozen=True, eq=False)
class Found:
    """solution: None where the time limit came first. seconds: of building, solving and mending, each alone."""

    solution: Solution | None
    seconds: dict[str, float]
    peak_mb: float


def has_ortools() -> bool:
    return importlib.util.find_spec("ortools") is not None


def with_highs(market: Market, solver: str, time_limit_s: float, tolerance: float | None = None) -> Found:
    """solver: 'ipm' (no crossover), 'simplex' or 'pdlp' (HiGHS's own; its plan is mended)."""
    start = time.perf_counter()
    programme = highs.Programme(market)
    built = time.perf_counter()
    options = {"solver": solver, "run_crossover": "off", "time_limit": time_limit_s, "threads": 2}
    if tolerance is not None:
        options["kkt_tolerance"] = tolerance
    try:
        solution = programme.solve({**highs.OPTIONS, **options})
    except (RuntimeError, NoPlan):
        solution = None
    solved = time.perf_counter()
    if solution is not None and solver == "pdlp":
        solution = repaired(market, replace(solution, door="hipdlp"))
    seconds = {"build": built - start, "solve": solved - built, "repair": time.perf_counter() - solved}
    return Found(solution, seconds, 0.0)


def with_pdlp(market: Market, eps: float, presolve: bool, time_limit_s: float) -> Found:
    """OR-Tools PDLP to a relative tolerance, with Glop's presolve or without. Seconds do not count the file between."""
    start = time.perf_counter()
    programme = highs.Programme(market)
    linear, matrix = programme.linear, programme.linear.matrix
    seconds = {"build": time.perf_counter() - start}
    options = {"eps": eps, "presolve": presolve, "time_limit": time_limit_s, "threads": 2}
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "programme.npz", Path(folder) / "found.npz"
        np.savez(
            source,
            cost=linear.cost,
            upper=linear.upper,
            row_lower=linear.row_lower,
            row_upper=linear.row_upper,
            data=matrix.data,
            indices=matrix.indices,
            indptr=matrix.indptr,
            shape=matrix.shape,
        )
        script = Path(__file__).with_name("pdlp_solve.py")
        subprocess.run([sys.executable, str(script), str(source), str(target), json.dumps(options)], check=True)
        with np.load(target) as found:
            found = dict(found)
    seconds["solve"] = float(found["seconds"])
    if not found["optimal"]:
        return Found(None, seconds, float(found["peak_mb"]))
    raw = programme.read(found["value"], found["reduced"], found["dual"], int(found["iterations"]))
    start = time.perf_counter()
    solution = repaired(market, replace(raw, door="pdlp"))
    seconds["repair"] = time.perf_counter() - start
    return Found(solution, seconds, float(found["peak_mb"]))


def repaired(market: Market, solution: Solution) -> Solution:
    """The nearest plan found that keeps every rule, for chains in which no component is sold as it is.

    From products sold down to materials: lots beyond a line's hours are scaled down to them; what is then missing, or
    was missing from the start, goes to the cheapest way and bucket with room at the prices found; what nobody ever uses
    is left out. Then from materials up: what still lacks a component is scaled down to what there is.
    """
    started = np.clip(np.where(market.ways.is_open, solution.started, 0.0), 0.0, market.ways.limit)
    ways, _ = unit_prices(market, solution.prices)
    depth = _depth(market)
    for level in range(depth.max(initial=0) + 1):
        here = np.nonzero(depth == level)[0]
        started = _within_hours(market, started, np.isin(market.ways.product, here))
        wanted = _wanted(market, started, here)
        started = _topped_up(market, started, ways, here, wanted)
        started = _without_dead_stock(market, started, here, wanted)
        started = _later(market, started, here, wanted)
    for level in range(depth.max(initial=0), 0, -1):
        started = _within_stock(market, started, np.nonzero(depth == level)[0])
    return replace(solution, started=started, turned_away=turned_away(market, started))


def turned_away(market: Market, started: FloatArray) -> FloatArray:
    """(demanded, bucket) sure buyers who would wait to the end in any case: the lost sale is best told at once."""
    away = np.zeros(market.demand.sure.shape)
    supply = _supply(market, started)
    for d, product in enumerate(market.demand.product):
        waiting = (market.demand.cumulative[d] - supply[product]).min(axis=0)
        for t in range(market.buckets):
            never = min(float(market.demand.sure[d, t]), max(float(waiting[t:].min()), 0.0))
            away[d, t] = never
            waiting[t:] -= never
    return away


def _depth(market: Market) -> IntArray:
    """(product) most levels from a product that is no component down to it; 0 for one that is none."""
    depth = np.zeros(len(market.products), dtype=np.int64)
    parent = market.ways.product[market.uses.way]
    for _ in range(len(market.products)):
        before = depth.copy()
        np.maximum.at(depth, market.uses.component, depth[parent] + 1)
        if (depth == before).all():
            return depth
    raise ValueError("a component needs itself")


def _room(market: Market, started: FloatArray) -> FloatArray:
    """(line, bucket) hours left."""
    hours = np.zeros(market.lines.hours.shape)
    on_line = np.nonzero(market.ways.line >= 0)[0]
    np.add.at(hours, market.ways.line[on_line], market.ways.hours[on_line, None] * started[on_line])
    return market.lines.hours - hours


def _within_hours(market: Market, started: FloatArray, chosen: np.ndarray) -> FloatArray:
    """Of the chosen ways, what goes beyond a line's hours is scaled down; the others keep theirs."""
    on_line = chosen & (market.ways.line >= 0)
    taken = market.lines.hours - _room(market, np.where(on_line[:, None], started, 0.0))
    over = np.maximum(-_room(market, started), 0.0)
    share = np.where(over > 0, np.maximum(1.0 - over / np.maximum(taken, 1e-300), 0.0), 1.0)
    scaled = started.copy()
    scaled[on_line] *= share[market.ways.line[on_line]]
    return scaled


def _used(market: Market, started: FloatArray) -> FloatArray:
    used = np.zeros((len(market.products), market.buckets))
    np.add.at(
        used,
        market.uses.component,
        np.where(market.uses.is_open, market.uses.units[:, None] * started[market.uses.way], 0.0),
    )
    return used


def _supply(market: Market, started: FloatArray) -> FloatArray:
    """(product, bucket) cumulative units that come, of the plan and anyway."""
    arrived = market.stock.fixed.copy()
    for lead in np.unique(market.ways.lead):
        if lead < market.buckets:
            ways = np.nonzero(market.ways.lead == lead)[0]
            good = market.ways.yield_share[ways, None] * started[ways, : market.buckets - lead]
            np.add.at(arrived[:, lead:], market.ways.product[ways], good)
    return np.cumsum(arrived, axis=1)


def _wanted(market: Market, started: FloatArray, here: IntArray) -> FloatArray:
    """(here, bucket) cumulative units: of a component what is used, of a product sold all that is asked for."""
    wanted = np.cumsum(_used(market, started), axis=1)
    wanted[market.demand.product] = np.array([paths.max(axis=0) for paths in market.demand.cumulative])
    return wanted[here]


def _topped_up(market: Market, started: FloatArray, ways: FloatArray, here: IntArray, wanted: FloatArray) -> FloatArray:
    """What supply lacks of `wanted` is added, bucket by bucket: by the cheapest way with room, then or earlier."""
    started = started.copy()
    room = _room(market, started)
    order = np.argsort(market.ways.product, kind="stable")
    first = np.searchsorted(market.ways.product[order], here)
    count = np.searchsorted(market.ways.product[order], here, side="right") - first
    choice = np.arange(count.max(initial=0))
    way = np.where(choice < count[:, None], order[np.minimum(first[:, None] + choice, len(order) - 1)], -1)  # (here, k)
    lead, hours, line = market.ways.lead[way], market.ways.hours[way], market.ways.line[way]
    for t in range(market.buckets):
        for _ in range(PASSES):
            missing = wanted[:, t] - _supply(market, started)[here, t]
            rows = np.nonzero(missing > 1e-9)[0]
            if not len(rows):
                break
            arrive = np.arange(t, max(t - EARLIER, -1), -1)
            start = arrive - lead[rows][:, :, None]  # (row, k, arrive)
            at = np.maximum(start, 0)
            w, on_line = way[rows][:, :, None], line[rows][:, :, None]
            free = np.where(on_line >= 0, room[on_line, at] / np.maximum(hours[rows][:, :, None], 1e-12), np.inf)
            free = np.minimum(free, market.ways.limit[w, at] - started[w, at])
            can = (w >= 0) & (start >= 0) & market.ways.is_open[w, at] & (free > 1e-9)
            held = market.money.holding[here[rows], None, None] * (t - arrive)
            price = np.where(can, ways[w, arrive] + held, np.inf).reshape(len(rows), -1)
            best = price.argmin(axis=1)
            able = np.isfinite(price[np.arange(len(rows)), best])
            if not able.any():
                break
            rows, best = rows[able], best[able]
            k, a = np.divmod(best, len(arrive))
            chosen, begin = way[rows, k], arrive[a] - lead[rows, k]
            units = np.minimum(
                missing[rows] / market.ways.yield_share[chosen],
                market.ways.limit[chosen, begin] - started[chosen, begin],
            )
            need = np.zeros(room.shape)
            takes = market.ways.line[chosen] >= 0
            np.add.at(need, (market.ways.line[chosen][takes], begin[takes]), (units * market.ways.hours[chosen])[takes])
            share = np.minimum(np.maximum(room, 0.0) / np.maximum(need, 1e-300), 1.0)
            units = np.where(takes, units * share[market.ways.line[chosen], begin], units)
            np.add.at(started, (chosen, begin), units)
            room = _room(market, started)
    return started


def _without_dead_stock(market: Market, started: FloatArray, here: IntArray, wanted: FloatArray) -> FloatArray:
    """Less of what arrives and then lies to the end; all ways of a product alike."""
    row = np.full(len(market.products), -1)
    row[here] = np.arange(len(here))
    ours = np.nonzero(row[market.ways.product] >= 0)[0]
    started = started.copy()
    for t in range(market.buckets):
        spare = _supply(market, started)[here] - wanted
        spare = np.maximum(spare[:, t:].min(axis=1), 0.0)
        ready = ours[market.ways.lead[ours] <= t]
        begin = t - market.ways.lead[ready]
        good = market.ways.yield_share[ready] * started[ready, begin]
        arriving = np.bincount(row[market.ways.product[ready]], good, len(here))
        keep = 1.0 - np.minimum(spare / np.maximum(arriving, 1e-300), 1.0)
        started[ready, begin] *= keep[row[market.ways.product[ready]]]
    return started


def _later(market: Market, started: FloatArray, here: IntArray, wanted: FloatArray) -> FloatArray:
    """What comes before it is wanted comes a bucket later by the same way, as far as its line has room then."""
    started = started.copy()
    row = np.full(len(market.products), -1)
    row[here] = np.arange(len(here))
    ours = np.nonzero(row[market.ways.product] >= 0)[0]
    for t in range(market.buckets - 1):
        early = np.maximum((_supply(market, started)[here] - wanted)[:, t], 0.0)
        ready = ours[(market.ways.lead[ours] <= t)]
        begin = t - market.ways.lead[ready]
        may = market.ways.is_open[ready, begin + 1]
        ready, begin = ready[may], begin[may]
        good = market.ways.yield_share[ready] * started[ready, begin]
        total = np.bincount(row[market.ways.product[ready]], good, len(here))
        share = np.minimum(early / np.maximum(total, 1e-300), 1.0)[row[market.ways.product[ready]]]
        units = np.minimum(
            share * started[ready, begin], market.ways.limit[ready, begin + 1] - started[ready, begin + 1]
        )
        takes, room = market.ways.line[ready] >= 0, np.maximum(_room(market, started), 0.0)
        need = np.zeros(room.shape)
        np.add.at(need, (market.ways.line[ready][takes], begin[takes] + 1), (units * market.ways.hours[ready])[takes])
        fits = np.minimum(room / np.maximum(need, 1e-300), 1.0)
        units = np.where(takes, units * fits[market.ways.line[ready], begin + 1], units)
        started[ready, begin] -= units
        started[ready, begin + 1] += units
    return started


def _within_stock(market: Market, started: FloatArray, here: IntArray) -> FloatArray:
    """Bucket by bucket, all that takes one of these components is scaled down to what there is of it."""
    started = started.copy()
    uses = np.nonzero(np.isin(market.uses.component, here))[0]
    component, way = market.uses.component[uses], market.uses.way[uses]
    supply = _supply(market, started)  # of what is below it is settled, and of itself
    gone = np.zeros(len(market.products))
    for t in range(market.buckets):
        units = np.where(market.uses.is_open[uses, t], market.uses.units[uses] * started[way, t], 0.0)
        needed = np.bincount(component, units, len(market.products))
        there = np.maximum(supply[:, t] - gone, 0.0)
        share = np.minimum(there / np.maximum(needed, 1e-300), 1.0)
        least = np.ones(len(market.ways))
        np.minimum.at(least, way[units > 0], share[component[units > 0]])
        started[:, t] *= least
        units *= least[way]
        gone += np.bincount(component, units, len(market.products))
    return started
