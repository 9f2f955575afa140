"""The balance at the size of an industry: cost over the optimum, certified gap, seconds and memory, beside its peers.

    python benchmarks/balance.py [--short] [--sizes 1000,5000,20000,100000] [--seeds 1]
        [--peers ipm,pdlp-1e-4,pdlp-1e-5] [--gaps 0.01,0.003,0.0015] [--lots 100,1000] [--lanes 1000,5000]
        [--changes 1000] [--door prices] [--time-limit 900] [--no-mip] [--no-folders]

Chains of benchmarks/network/chain.py, and the folders of ../shared/bench/network where they are there (their plans go
to its referee as well). Every run is a process of its own, one after the other; peers run in the same call, so that
ratios hold on a busy machine. Avoidable cost is total cost less what no plan avoids; it is set against the optimum
where that is known (lp.json, or a peer that proved it in this call), else against the best bound, which can only make
it look worse.

Peers: ipm, simplex, hipdlp (HiGHS: interior point without crossover, simplex, its own PDLP at 1e-4), pdlp-EPS and
pdlp-EPS-presolve (OR-Tools PDLP to that relative tolerance, with Glop's presolve or without; its plan is mended before
it is costed). PDLP needs OR-Tools, `pip install -e .[bench]`; without it those lines are left out.

Gaps: the search of prices at several gaps, each a row, so that it stands beside each PDLP at equal or lower cost; the
table then ends with the seconds of each PDLP, mending and all, over those of the fastest such row.
Lots: orders in lots, with set-ups and smallest orders, by the plan stage; costed with set-ups and set against the plan
and the bound that HiGHS's MIP reaches within the time limit; with --no-mip, against the bound of the market without
lots.
Lanes: the same networks at places of their own, with lanes of lead time, cost and capacity between plants, factories
and distribution centres (benchmarks/network/lanes.py).
Changes: demand of 1% of the products half as much again, a line down for a week, a late material, a rush order; each
from the prices of the balance before and from nothing.

The long form fails where a plan is over 1.05 of the optimum's avoidable cost or its gap over 5% of it. The short one
(100 and 1,000 products, generated, and lots at 100) also where the balance is not faster than HiGHS's interior point.
Both fail where lots cost more than 2.5 times the avoidable cost of that bound.
"""

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from network.chain import CHANGES, Chain, changed, generated, read
from network.lanes import with_lanes

from datong.app.garbage_collection import collect_seldom
from datong.balance import exact_lots, highs, price_search
from datong.balance.arrays import Market
from datong.balance.avoidable import unavoidable_cost
from datong.balance.bound import lower_bound
from datong.balance.clearing_tables import read_back
from datong.balance.evaluate import Outcome, evaluate, service, supply_of
from datong.balance.pack import pack
from datong.balance.rules.max_lateness import turn_away_overdue
from datong.balance.solution import USUAL_LIMITS, Limits, Prices, Solution
from datong.balance.solvers import balance, clear, cleared, in_orders, with_set_up_bound
from datong.balance.warm_start import warm_prices
from datong.lots_put_off import started_by
from datong.model.flow import nothing_learnt
from datong.network.position import position
from datong.plan.choose_lots import choose
from network import peers

SHARED = Path(__file__).resolve().parents[2] / "shared"
MOST_AVOIDABLE, MOST_GAP = 1.05, 0.05
# Of lots, over the bound in which each lot of what is sold pays for its set-up, which knows no smallest lots.
MOST_IN_LOTS = 2.5
NO_PRICES = Prices(*(np.zeros((0, 0)) for _ in range(4)))
# A plan this near to its bound is the optimum.
PROVEN = 1e-6
# A balance that starts from the prices before ends at this gap, as a share of avoidable cost.
WARM_GAP = 0.02


# one run, in a process of its own -------------------------------------------------------------------


def chain_of(job: dict) -> Chain:
    if job.get("folder"):
        return read(Path(job["folder"]))
    chain = generated(job["products"], job["seed"], job.get("lots", False))
    return with_lanes(chain, job["seed"]) if job.get("lanes") else chain


def solved(market: Market, solver: str, time_limit_s: float) -> peers.Found:
    """One of the doors of the balance ('prices-GAP': to that gap), or a peer."""
    if solver == "highs" or solver.startswith("prices"):
        limits = Limits(float(solver.removeprefix("prices-"))) if solver.startswith("prices-") else USUAL_LIMITS
        start = time.perf_counter()
        solution = highs.solve(market) if solver == "highs" else price_search.solve(market, limits).solution
        return peers.Found(solution, {"solve": time.perf_counter() - start}, 0.0)
    if solver.startswith("pdlp-"):
        eps = float(solver.removeprefix("pdlp-").removesuffix("-presolve"))
        return peers.with_pdlp(market, eps, solver.endswith("-presolve"), time_limit_s)
    if solver == "hipdlp":
        return peers.with_highs(market, "pdlp", time_limit_s, tolerance=1e-4)
    return peers.with_highs(market, solver, time_limit_s)


def measure(job: dict) -> dict:
    """From a state in hand to orders: seconds by step, cost, bound, memory."""
    chain = chain_of(job)
    clock, worked = [time.perf_counter()], time.process_time()
    market = pack(chain.state, chain.demand, nothing_learnt(), position(chain.state))
    clock.append(time.perf_counter())
    found = solved(market, job["solver"], job["time_limit"])
    clock.append(time.perf_counter())
    base = chain.base if math.isfinite(chain.base) else unavoidable_cost(market)
    result = {"base": base, "optimum": chain.optimum, "solve_s": sum(found.seconds.values())}
    result |= {f"{name}_s": seconds for name, seconds in found.seconds.items() if name != "solve"}
    if found.solution is not None:
        outcome = evaluate(market, found.solution.started, found.solution.issued, found.solution.turned_away)
        cost, bound = sum(outcome.cost.values()), lower_bound(market, found.solution.prices)
        clearing = read_back(market, chain.demand, found.solution, outcome, min(bound, cost))
        result |= {
            "cost": cost,
            "bound": bound,
            "iterations": found.solution.iterations,
            "on_time": on_time(market, outcome),
        }
        if job.get("orders"):
            columns = ["kind", "recipe", "offer", "product", "units", "start", "due"]
            pq.write_table(clearing.quantities.select(columns), job["orders"])
    clock.append(time.perf_counter())
    result["processor_s"] = time.process_time() - worked
    # What PDLP's file costs is no cost of PDLP.
    result["whole_s"] = clock[1] - clock[0] + result["solve_s"] + clock[3] - clock[2]
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return result | {"peak_mb": max(own, found.peak_mb)}


def on_time(market: Market, outcome: Outcome) -> float:
    """Share of the units asked for that are served in their bucket."""
    told = service(market, outcome)
    return float(told.on_time.sum() / told.asked.sum())


def measure_lots(job: dict) -> dict:
    """Orders in lots by the plan stage: cost with set-ups, and seconds."""
    chain = chain_of(job)
    start = time.perf_counter()
    market = pack(chain.state, chain.demand, nothing_learnt(), position(chain.state))
    found = cleared(market, door=job["solver"])
    solved_at = time.perf_counter()
    chosen = choose(chain.state, chain.demand, found.tables(chain.demand), nothing_learnt())
    started = started_by(found, chosen.lots)
    given_out = with_set_up_bound(in_orders(found, started, (started > 1e-6).astype(np.float64)))
    result = {"base": chain.base, "solve_s": solved_at - start, "plan_s": time.perf_counter() - solved_at}
    np.save(job["lots_file"], started)
    result |= {"plan_cost": given_out.total_cost, "orders": len(chosen.lots)}
    result |= {"fractional": found.total_cost, "bound": given_out.bound}
    return result | {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def lot_rules_of(market: Market) -> exact_lots.LotRules:
    """Lot rules of a generated chain, whose products all come whole."""
    return exact_lots.lot_rules(market, np.ones(len(market.products), dtype=bool))


def cost_in_lots_of(market: Market, rules: exact_lots.LotRules, started: np.ndarray) -> float:
    """Money, set-ups included, of starts whose demand waits for them. AssertionError where a rule is broken."""
    none = np.zeros_like(market.demand.sure)
    away = turn_away_overdue(market, supply_of(market, started, none), peers.turned_away(market, started))
    solution = Solution(started, none, away, NO_PRICES, "", 0)
    return sum(exact_lots.cost_in_lots(market, rules, solution, (started > 1e-6).astype(np.float64)).values())


def measure_mip(job: dict) -> dict:
    """Bound and plan that HiGHS's MIP of the same chain reaches within the time limit, begun with the plan stage's."""
    chain = chain_of(job)
    market = pack(chain.state, chain.demand, nothing_learnt(), position(chain.state))
    rules = lot_rules_of(market)
    start = time.perf_counter()
    options = {**highs.OPTIONS, "time_limit": job["time_limit"]}
    found = exact_lots.solve(market, rules, np.load(job["lots_file"]), 0.0, options)
    if found is None:
        raise RuntimeError("HiGHS found no plan in lots")
    return {"bound": found.bound, "cost": found.total_cost, "solve_s": time.perf_counter() - start}


def measure_changes(job: dict) -> dict:
    """The chain as it is, then after each change from nothing and from the prices before: seconds, cost, bound."""
    chain = chain_of(job)
    before = balance(chain.state, chain.demand, nothing_learnt(), door=job["solver"])
    result = {"none": {"cost": before.total_cost, "bound": before.lower_bound, "base": chain.base}}
    for change in CHANGES:
        new = changed(chain, change, job["seed"])
        result[change] = {}
        for name, limits in (("cold", USUAL_LIMITS), ("warm", Limits(WARM_GAP))):
            start = time.perf_counter()
            market = pack(new.state, new.demand, nothing_learnt(), position(new.state))
            prices_before = warm_prices(market, before.prices) if name == "warm" else None
            clearing = clear(market, new.demand, job["solver"], limits, start=prices_before)
            found = {"whole_s": time.perf_counter() - start, "cost": clearing.total_cost, "bound": clearing.lower_bound}
            result[change] |= {f"{name}_{key}": value for key, value in found.items()}
        result[change]["avoidable"] = result[change]["cold_cost"] - unavoidable_cost(market)
    return result


MEASURES = {"chain": measure, "lots": measure_lots, "mip": measure_mip, "changes": measure_changes}


def run(job: dict) -> dict | None:
    """The job's result, from a fresh process; None where that process fails, with its last words."""
    command = [sys.executable, __file__, "--job", json.dumps(job)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        last = ended.stderr.strip().splitlines()[-1:] or [f"it ended with {ended.returncode}"]
        say(f"  {job['solver']}: {last[0]}")
        return None
    return json.loads(ended.stdout.splitlines()[-1])


# the table ----------------------------------------------------------------------------------------


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def reference(results: dict[str, dict]) -> tuple[float, str]:
    """Avoidable cost of the optimum, or of the best bound, and which of the two it is."""
    known = [r["optimum"] for r in results.values() if math.isfinite(r["optimum"])]
    known += [r["cost"] for r in results.values() if "cost" in r and r["cost"] - r["bound"] <= PROVEN * r["cost"]]
    base = next(iter(results.values()))["base"]
    if known:
        return min(known) - base, "optimum"
    return max(r["bound"] for r in results.values() if "bound" in r) - base, "bound"


def compare(job: dict, solvers: list[str], referee) -> dict[str, dict]:
    """Runs every solver on one chain and shows them side by side."""
    results: dict[str, dict] = {}
    with tempfile.TemporaryDirectory() as folder:
        for solver in solvers:
            orders = str(Path(folder) / f"{solver}.parquet") if job.get("folder") else None
            found = run(job | {"solver": solver, "orders": orders, "kind": "chain"})
            if found is not None:
                results[solver] = found
                if orders and "cost" in found:
                    found["referee"] = referee(job["folder"], orders)
    if not any("cost" in r for r in results.values()):
        say("  nothing finished")
        return results
    avoidable, which = reference(results)
    say(
        f"  {'':16s} whole s  solve s  processor s"
        f"  avoidable over {which:8s} gap / total  / avoidable  on time  peak MB"
        + ("  referee" if job.get("folder") else "")
    )
    for solver, r in results.items():
        if "cost" not in r:
            say(f"  {solver:16s} {'':>7s} {r['solve_s']:8.1f}  not finished in time; peak {r['peak_mb']:.0f} MB")
            continue
        gap, own = r["cost"] - r["bound"], r["cost"] - r["base"]
        r["over"], r["gap"] = own / avoidable, gap / own
        say(
            f"  {solver:16s} {r['whole_s']:7.1f} {r['solve_s']:8.1f} {r['processor_s']:12.1f} {r['over']:24.4f}"
            f" {gap / r['cost']:11.5%} {r['gap']:12.3%} {r['on_time']:8.2%} {r['peak_mb']:8.0f}  {r.get('referee', '')}"
        )
    show_rule(results)
    return results


def faster_by(results: dict[str, dict], peer: str) -> tuple[str, float] | None:
    """The fastest row of the search of prices at no more cost than the peer's, and how many times faster it is."""
    rows = [name for name, r in results.items() if name.startswith("prices") and r["cost"] <= results[peer]["cost"]]
    if not rows:
        return None
    best = min(rows, key=lambda name: results[name]["solve_s"])
    return best, results[peer]["solve_s"] / results[best]["solve_s"]


def show_rule(results: dict[str, dict]) -> None:
    for peer in (name for name, r in results.items() if name.startswith("pdlp-") and "cost" in r):
        found = faster_by(results, peer)
        if found is None:
            say(f"  {peer}: no search of prices has a plan at its cost or below")
        else:
            say(f"  {peer}: {found[0]} is {found[1]:.1f} times as fast, at no more cost")


def shared_referee():
    """Scores an orders table with the tool beside the checkout: avoidable cost over the optimum, or what is broken."""
    path = SHARED / "tools" / "network_bench.py"
    if not path.exists():
        return lambda *_: ""

    def score(folder: str, orders: str) -> str:
        command = [sys.executable, str(path), "score", folder, orders]
        found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        return "; ".join(found["infeasible"]) or f"{found['avoidable_over_lp']:.4f}"

    return score


def named(job: dict) -> str:
    return (
        "shared folder" if job.get("folder") else f"seed {job['seed']}" + (", with lanes" if job.get("lanes") else "")
    )


def exponent(points: list[tuple[int, float]]) -> float:
    """Least squares of log seconds on log products."""
    size, seconds = np.log(np.array(points, dtype=np.float64)).T
    return float(np.polyfit(size, seconds, 1)[0])


def show_growth(door: str, points: dict[str, list[tuple[int, float]]]) -> None:
    for name, found in points.items():
        if len({n for n, _ in found}) < 4:
            say(f"growth of {name} seconds: four sizes are needed to fit it")
        else:
            say(f"growth of {name} seconds of {door} with products: n^{exponent(found):.2f} over {len(found)} runs")


def show_lots(products: int, seed: int, door: str, time_limit_s: float, with_mip: bool) -> bool:
    """Whether the plan stage's lots are found and within MOST_IN_LOTS of the bound."""
    say(f"{products:,} products with lots, set-ups and smallest orders, seed {seed}")
    with tempfile.TemporaryDirectory() as folder:
        job = {"products": products, "seed": seed, "lots": True, "time_limit": time_limit_s}
        job |= {"lots_file": str(Path(folder) / "lots.npy")}
        ours = run(job | {"solver": door, "kind": "lots"})
        if ours is None:
            return False
        mip = run(job | {"solver": "mip", "kind": "mip"}) if with_mip else None
    bound, which = ours["bound"], "its set-ups"
    if mip is not None and mip["bound"] > bound:
        bound, which = mip["bound"], f"HiGHS's MIP after {mip['solve_s']:.0f} s"

    def over(cost: float) -> float:
        return (cost - ours["base"]) / (bound - ours["base"])

    say(f"  avoidable cost over the bound of {which}; {ours['orders']:,} orders, peak {ours['peak_mb']:.0f} MB")
    say(f"  {over(ours['fractional']):7.4f}  without lots, {ours['solve_s']:.1f} s")
    say(f"  {over(ours['plan_cost']):7.4f}  lots of the plan stage, {ours['plan_s']:.1f} s more")
    if mip is not None:
        say(f"  {over(mip['cost']):7.4f}  HiGHS's MIP, begun with those lots, {mip['solve_s']:.0f} s")
    return over(ours["plan_cost"]) <= MOST_IN_LOTS


def show_changes(products: int, seed: int, door: str) -> bool:
    """Whether every warm run, within WARM_GAP, is within a hundredth of the avoidable cost of the cold one."""
    say(f"{products:,} products after a change: from the prices before (gap {WARM_GAP:.0%}), and from nothing")
    found = run({"products": products, "seed": seed, "solver": door, "kind": "changes"})
    good = found is not None
    for change in CHANGES if found else ():
        after = found[change]
        more = (after["warm_cost"] - after["cold_cost"]) / after["avoidable"]
        gap = (after["warm_cost"] - after["warm_bound"]) / after["avoidable"]
        say(
            f"  {change:14s} {after['warm_whole_s']:7.1f} s, from nothing {after['cold_whole_s']:.1f} s; cost over it"
            f" {more:+.2%} of avoidable, gap {gap:.2%}; the change costs"
            f" {after['warm_cost'] - found['none']['cost']:+,.0f}"
        )
        good &= more <= WARM_GAP
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--short", action="store_true", help="100 and 1,000 products, within a minute")
    parser.add_argument("--sizes", default="1000,5000,20000,100000", help="products, with commas between")
    parser.add_argument("--seeds", default="1")
    parser.add_argument("--peers", default="ipm,pdlp-1e-4,pdlp-1e-5")
    parser.add_argument("--gaps", default="", help="gaps of the search of prices, each a row; else one row, at 1%%")
    parser.add_argument("--lots", default="", help="sizes of the chains with lots")
    parser.add_argument("--lanes", default="", help="sizes of the chains at several sites, with lanes between them")
    parser.add_argument("--changes", default="", help="sizes of the chains that change")
    parser.add_argument("--door", default="prices", choices=("prices", "highs"))
    parser.add_argument("--time-limit", type=float, default=900.0, help="seconds for each peer")
    parser.add_argument("--no-mip", action="store_true", help="lots without HiGHS's MIP beside them")
    parser.add_argument("--no-folders", action="store_true", help="only generated chains")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        job = json.loads(options.job)
        collect_seldom()  # as each command does
        say(json.dumps(MEASURES[job["kind"]](job)))
        return 0
    sizes = [100, 1000] if options.short else [int(n) for n in options.sizes.split(",") if n]
    asked = ["ipm"] if options.short else [p for p in options.peers.split(",") if p]
    ours_at = [f"{options.door}-{gap}" for gap in options.gaps.split(",") if gap] or [options.door]
    solvers = ours_at + [p for p in asked if not p.startswith("pdlp-") or peers.has_ortools()]
    if len(solvers) - len(ours_at) < len(asked):
        say("OR-Tools is not installed (pip install -e .[bench]): its PDLP is left out")
    folders = [] if options.no_folders or options.short else [SHARED / "bench" / "network" / str(n) for n in sizes]
    jobs = [{"folder": str(f), "products": int(f.name)} for f in folders if f.exists()]
    lanes = ["100"] if options.short else [n for n in options.lanes.split(",") if n]
    jobs += [{"products": n, "seed": int(s)} for n in sizes for s in options.seeds.split(",") if s]
    jobs += [{"products": int(n), "seed": int(options.seeds.split(",")[0]), "lanes": True} for n in lanes]
    good, growth = True, {"whole": [], "solve": [], "processor": []}
    for job in jobs:
        say(f"{job['products']:,} products, " + named(job))
        results = compare(job | {"time_limit": options.time_limit}, solvers, shared_referee())
        ours = results.get(ours_at[0])
        if ours is None:
            good = False
            continue
        good &= ours["over"] <= MOST_AVOIDABLE and ours["gap"] <= MOST_GAP
        if options.short and job["products"] >= 1000:
            good &= "ipm" in results and ours["whole_s"] < results["ipm"]["whole_s"]
        if not job.get("folder") and not job.get("lanes"):
            for name, points in growth.items():
                points.append((job["products"], ours[f"{name}_s"]))
    if not options.short:
        show_growth(options.door, growth)
    for n in (int(n) for n in ("100" if options.short else options.lots).split(",") if n):
        for seed in options.seeds.split(","):
            with_mip = not (options.no_mip or options.short)
            good &= show_lots(n, int(seed), options.door, options.time_limit, with_mip)
    for n in (int(n) for n in options.changes.split(",") if n):
        good &= show_changes(n, int(options.seeds.split(",")[0]), options.door)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
