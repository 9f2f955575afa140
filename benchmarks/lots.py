"""Lots and set-ups on public instances: cost over the best known plan, and the bound over the best known bound.

    python benchmarks/lots.py [--short] [--all] [--only X11119A,F3] [--no-peer] [--cap 60]

One JSON object a line. The instances of capacitated lot sizing with set-up times (Trigeiro, Thomas and McClain 1989;
`../shared/data/lot_sizing`) as chains: one line whose hours are the capacity, one recipe for each item with set-up
hours and set-up cost, lateness and lost sales dearer than any lot. Each goes from a state in hand to whole orders by
`cycle.decide`, as a run does: at the usual limits, which count work; 60 seconds are a cap that is told where it is
reached (--cap: another, for a busy machine). Best known: `best.parquet` there, of HiGHS in facility-location form and
fix and optimise.

* instance: cost over the best known plan, the bound over the best known bound, seconds; `late`: money for lateness and
  lost sales, which the best known plans have none of.
* set: the 24 X, and F with G: mean and worst of cost over best known.
* peer (long form): HiGHS on the plain facility-location form (Krarup and Bilde 1977), one thread, the same seconds.

lots_record.csv keeps a run of all of them. --short: six instances, under 90 seconds. --all: all 108 X, of which only 24
have a best known plan; the others are set against the bound. Ends with 1 where a bar is missed, or a bound lies above a
known plan.
"""

import argparse
import json
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import mean

import highspy
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from datong.balance.solution import Limits
from datong.cycle import Decision, Head, decide
from datong.ledger.state import state_of_tables
from datong.model.flow import Forecast, Item, Sensed, nothing_learnt
from datong.model.settings import ChainSettings
from datong.network.position import position

DATA = Path(__file__).resolve().parents[1] / ".." / "shared" / "data" / "lot_sizing"
SHORT = ("X11119A", "X11228A", "X11429A", "F3", "F8", "G51")
# Cost over best known: mean and worst, of the X instances and of F with G.
BARS = {"X": (1.02, 1.05), "FG": (1.01, 1.03)}
CAP_S = 60.0
LATE, LOST = 1_000.0, 10_000.0
START = date(2024, 1, 1)
# Of a bound over a plan, what is rounding.
ROUNDING = 1e-6


def tell(**row: object) -> None:
    sys.stdout.write(json.dumps({k: round(v, 5) if isinstance(v, float) else v for k, v in row.items()}) + "\n")
    sys.stdout.flush()


class Instance:
    """One instance: capacity of a period, per item and period what is asked, and money."""

    def __init__(self, name: str, items: pa.Table, demand: pa.Table) -> None:
        self.name = name
        of_item = items.filter(pa.compute.equal(items["instance"], name)).sort_by("item")
        asked = demand.filter(pa.compute.equal(demand["instance"], name))
        self.capacity = float(of_item["capacity_per_period"][0].as_py())
        self.hours, self.holding, self.setup_hours, self.setup_cost = (
            of_item[column].to_numpy().astype(np.float64)
            for column in ("capacity_per_unit", "holding_cost_per_unit_period", "setup_capacity", "setup_cost")
        )
        self.units = np.zeros((of_item.num_rows, int(of_item["periods"][0].as_py())))
        self.units[asked["item"].to_numpy() - 1, asked["period"].to_numpy() - 1] = asked["units"].to_numpy()


def head_of(instance: Instance) -> Head:
    """The instance as a chain, with its demand."""
    count, weeks = instance.units.shape
    names = [f"P{i + 1:02d}" for i in range(count)]
    given = {
        "products": {"product": names, "price": [LOST] * count},
        "economics": {
            "product": names,
            "holding_cost_per_unit_week": instance.holding,
            "late_cost_per_unit_week": [LATE] * count,
            "lost_sale_cost_per_unit": [LOST] * count,
            "salvage_per_unit": [0.0] * count,
        },
        "lines": {"line": ["L"], "hours_per_week": [instance.capacity]},
        "recipes": {
            "recipe": [f"R{p}" for p in names],
            "product": names,
            "line": ["L"] * count,
            "hours_per_unit": instance.hours,
            "setup_hours": instance.setup_hours,
            "setup_cost": instance.setup_cost,
            "cost_per_unit": [0.0] * count,
        },
    }
    settings = ChainSettings(instance.name, start=START, bucket="week", horizon_buckets=weeks, max_late_days=999)
    tables = {name: pa.table(columns) for name, columns in given.items()}
    state = state_of_tables(settings, datetime(2024, 1, 1, tzinfo=UTC), tables)
    starts, none = settings.calendar.starts(START, weeks), np.zeros(count)
    items = tuple(Item(p, "all") for p in names)
    demand = Forecast(
        items, starts, instance.units[:, None], ("given",) * count, none.astype(np.int64), none.astype(bool)
    )
    return Head(state, nothing_learnt(), Sensed(None, ()), demand, position(state))


def by_highs(instance: Instance, seconds: float) -> tuple[float, float]:
    """Plan and bound of HiGHS on the plain facility-location form, one thread: units of an item made in t for s."""
    count, weeks = instance.units.shape
    solver = highspy.Highs()
    for option, value in {"output_flag": False, "threads": 1, "random_seed": 0, "time_limit": seconds}.items():
        solver.setOptionValue(option, value)
    setup = [[solver.addBinary(obj=float(instance.setup_cost[i])) for _ in range(weeks)] for i in range(count)]
    of_item = [[[] for _ in range(weeks)] for _ in range(count)]
    used: list[list] = [[] for _ in range(weeks)]
    for i in range(count):
        for t in range(weeks):
            used[t].append(float(instance.setup_hours[i]) * setup[i][t])
            for s in range(t, weeks):
                asked = float(instance.units[i, s])
                if asked > 0:
                    units = solver.addVariable(lb=0.0, obj=float(instance.holding[i]) * (s - t))
                    of_item[i][s].append(units)
                    used[t].append(float(instance.hours[i]) * units)
                    solver.addConstr(units - asked * setup[i][t] <= 0)
    for i in range(count):
        for s in range(weeks):
            if of_item[i][s]:
                solver.addConstr(sum(of_item[i][s]) == float(instance.units[i, s]))
    for t in range(weeks):
        solver.addConstr(sum(used[t]) <= instance.capacity)
    solver.run()
    info = solver.getInfo()
    return float(info.objective_function_value), float(info.mip_dual_bound)


def decided(instance: Instance, cap_s: float) -> tuple[Decision, float, float]:
    """Orders as a run makes them, and seconds from a state in hand: of the clock, and of the processor."""
    head, began, worked = head_of(instance), time.perf_counter(), time.process_time()
    decision = decide(head, limits=Limits(time_limit_s=cap_s))
    return decision, time.perf_counter() - began, time.process_time() - worked


def of_instance(instance: Instance, known: dict | None, peer: bool, cap_s: float) -> tuple[float | None, bool]:
    """Told as a row: cost over the best known plan, and whether no bound lies above a plan."""
    decision, seconds, worked = decided(instance, cap_s)
    plan = decision.given_out
    cost, bound = plan.total_cost, plan.bound
    row = {
        "instance": instance.name,
        "cost": cost,
        "bound": bound,
        "over_bound": cost / bound,
        "seconds": seconds,
        "processor_s": worked,
    }
    row |= {"late": plan.outcome.cost["late"] + plan.outcome.cost["lost"], "nodes": plan.solution.iterations}
    holds, ratio = True, None
    if known is not None:
        ratio = cost / known["best_plan"]
        row |= {"over_best": ratio, "bound_over_best_bound": bound / known["bound"]}
        holds = bound <= known["best_plan"] * (1 + ROUNDING)
    if seconds > cap_s:
        row["at_cap"] = True
    tell(**row)
    if peer:
        found, its_bound = by_highs(instance, seconds)
        best = known["best_plan"] if known is not None else bound
        tell(peer=instance.name, cost=found, over_best=found / best, bound_over_bound=its_bound / bound)
        holds &= bound <= found * (1 + ROUNDING) and its_bound <= cost * (1 + ROUNDING)
    return ratio, holds


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--all", action="store_true", help="all 108 X, not only those with a best known plan")
    parser.add_argument("--only", default="", help="instances by name")
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--cap", type=float, default=CAP_S, help="seconds of an instance, at most")
    options = parser.parse_args()
    if not DATA.exists():
        tell(skipped=f"needs {DATA}")
        return 0
    items, demand = pq.read_table(DATA / "items.parquet"), pq.read_table(DATA / "demand.parquet")
    best = {row["instance"]: row for row in pq.read_table(DATA / "best.parquet").to_pylist()}
    names = list(best)
    if options.all:
        names = sorted({*best, *items["instance"].to_pylist()})
    names = options.only.split(",") if options.only else list(SHORT) if options.short else names
    over: dict[str, list[float]] = {"X": [], "FG": []}
    good, peer = True, not (options.short or options.no_peer)
    for name in names:
        ratio, holds = of_instance(Instance(name, items, demand), best.get(name), peer, options.cap)
        good &= holds
        if ratio is not None:
            over["X" if name.startswith("X") else "FG"].append(ratio)
    for kind, (most_mean, most) in BARS.items():
        if over[kind]:
            found, worst = mean(over[kind]), max(over[kind])
            tell(set=kind, instances=len(over[kind]), mean=found, worst=worst, bar_mean=most_mean, bar_worst=most)
            good &= worst <= most and (options.short or found <= most_mean)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
