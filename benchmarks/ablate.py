"""What each stage of the loop is worth: in a replay of the example, each in turn is put in its naive form.

Run: .venv/bin/python benchmarks/ablate.py [--short]     (the whole example, some minutes; --short: its last 6 weeks)

    no signals       `sense`: what changed is not told
    raw series       `sense`: a week without stock is a week without demand; no holidays, no early orders, no signals
    seasonal naive   `forecast`: last year's week comes again (the last week, where there is no year), with its own past
                     errors as spread
    first come       `balance`: no prices; the first due gets the hours, the rest waits
    bare quantities  `plan`: what was cleared goes out in whole units; no lot is sized, and none weighed by its worth
    all at once      `dispatch`: the whole plan goes out, not only what has to start now
    no learning      `learn`: every cycle starts as if it were the first

All meet the same opening stock, buyers and capacity in one simulator. "Dearer by" is the naive form's cost less
Datong's, with a paired 90% interval over products, and as a share of Datong's avoidable cost. "Orders changed" is the
share of units made that lie in another product or week: half the sum of |difference| over Datong's units. A stage that
changes nothing is said so. Exits 1 where a naive form is proven better than Datong.
"""

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from datong.app.chain import Chain, run_record
from datong.app.commands import prepare_demo
from datong.balance.bound import lower_bound
from datong.balance.clearing import read_back
from datong.balance.evaluate import evaluate
from datong.balance.pack import Market, pack
from datong.balance.solution import Prices, Solution
from datong.cycle import Stages
from datong.dispatch.messages import OWN_WORKS, order_key
from datong.learn.scores import learn
from datong.ledger.protocol import RunRecord
from datong.ledger.state import State
from datong.model.flow import (
    ON_SALE,
    Clearing,
    FloatArray,
    Forecast,
    Learnt,
    OrderMessage,
    Plan,
    PlannedOrder,
    Sensed,
)
from datong.replay.measure import differences, summary
from datong.replay.replay import Loop, follow, set_scene
from datong.sense.signals import sense

# Naive forecasts draw their errors from so many past buckets.
PAST_ERRORS = 26
SEASON_BUCKETS = 52


# sense --------------------------------------------------------------------------------------------


def no_signals(state: State) -> Sensed:
    return replace(sense(state), signals=())


def raw_series(state: State) -> Sensed:
    series = sense(state).series
    masked = series.availability != ON_SALE
    plain = replace(
        series,
        units=np.where(masked, series.sold_units, series.units),
        availability=np.full_like(series.availability, ON_SALE),
        known_ahead_units=np.zeros_like(series.known_ahead_units),
        known_ahead_history=np.zeros_like(series.known_ahead_history),
        holidays=(),
    )
    return Sensed(plain, ())


# forecast -----------------------------------------------------------------------------------------


def seasonal_naive(sensed: Sensed, learnt: Learnt, path_count: int, seed: int) -> Forecast:
    series = sensed.series
    count, horizon = len(series.items), len(series.horizon_starts)
    paths = np.zeros((count, path_count, horizon))
    rng = np.random.default_rng(seed)
    for i in range(count):
        given = series.given_units[i]
        known = series.units[i][~np.isnan(series.units[i])]
        if not np.isnan(given).all():
            paths[i] = np.nan_to_num(given)
        elif len(known):
            back = SEASON_BUCKETS if len(known) >= 2 * SEASON_BUCKETS else 1
            errors = (known[back:] - known[:-back])[-PAST_ERRORS:]
            mean = known[-back:][np.arange(horizon) % back]
            drawn = rng.choice(errors, (path_count, horizon)) if len(errors) else 0.0
            paths[i] = np.maximum(mean + drawn, series.known_ahead_units[i])
    return Forecast(
        items=series.items,
        bucket_starts=series.horizon_starts,
        paths=paths,
        method=("SeasonalNaive",) * count,
        backtest_pinball=np.full(count, np.nan),
        backtest_windows=np.zeros(count, dtype=np.int64),
        prior=np.zeros(count, dtype=bool),
    )


# balance ------------------------------------------------------------------------------------------


def first_come(state: State, demand: Forecast, learnt: Learnt) -> Clearing:
    """Each product is topped up to the same service level as with prices, bucket after bucket, by its cheapest way.

    In a bucket the product whose shortage is the oldest goes first, then by name. What finds no hours waits.
    """
    market = pack(state, demand, learnt)
    started = np.zeros(market.way_open.shape)
    free = market.line_hours.copy()
    wanted = [_level(market, d) for d in range(len(market.demanded))]
    supply = np.zeros((len(market.demanded), market.buckets))
    for t in range(market.buckets):
        short_since = [_short_since(wanted[d], supply[d], t) for d in range(len(market.demanded))]
        for d in sorted(range(len(market.demanded)), key=lambda d: (short_since[d], d)):
            product = market.demanded[d]
            for way in _ways(market, int(product)):
                start = t - int(market.way_lead[way])
                if start < 0 or not market.way_open[way, start]:
                    continue
                missing = float(wanted[d][t] - supply[d, t])
                if missing <= 0:
                    break
                units = min(missing / market.way_yield[way], float(market.way_limit[way, start]) - started[way, start])
                line = market.way_line[way]
                if line >= 0 and market.way_hours[way] > 0:
                    units = min(units, free[line, start] / market.way_hours[way])
                units = max(units, 0.0)
                if line >= 0:
                    free[line, start] -= units * market.way_hours[way]
                started[way, start] += units
                supply[d, t:] += units * market.way_yield[way]
    nothing = np.zeros_like(market.sure)
    prices = Prices(
        line=np.zeros_like(market.line_hours),
        limit=np.zeros(market.way_open.shape),
        turned_away=nothing,
        component=np.full((len(market.products), market.buckets), np.inf),
    )
    solution = Solution(started, np.zeros_like(market.sure), nothing, prices, "first come", 0)
    outcome = evaluate(market, started, solution.issued, nothing)
    return read_back(market, demand, solution, outcome, lower_bound(market, prices))


def _level(market: Market, d: int) -> FloatArray:
    """(bucket) cumulative units beyond what comes anyway that cover demand with chance late / (late + holding)."""
    product = market.demanded[d]
    late, holding = float(market.late[product]), float(market.holding[product])
    level = np.quantile(market.net_demand(d), late / max(late + holding, 1e-12), axis=0, method="inverted_cdf")
    return np.maximum.accumulate(np.maximum(level, 0.0))


def _short_since(wanted: FloatArray, supply: FloatArray, t: int) -> int:
    short = np.flatnonzero(wanted[: t + 1] > supply[t])
    return int(short[0]) if len(short) else t


def _ways(market: Market, product: int) -> list[int]:
    ways = [w for w, p in enumerate(market.way_product) if p == product]
    return sorted(ways, key=lambda w: (market.way_cost[w] / market.way_yield[w], market.ways[w].name))


# plan, dispatch, learn ----------------------------------------------------------------------------


def bare_quantities(state: State, sensed: Sensed, demand: Forecast, clearing: Clearing, learnt: Learnt) -> Plan:
    orders = [
        PlannedOrder(
            order=f"{row['start']}|{row['recipe'] or row['offer']}",
            kind=row["kind"],
            product=row["product"],
            recipe=row["recipe"],
            offer=row["offer"],
            line=row["line"],
            units=float(np.ceil(row["started_units"] - 1e-6)),
            start=row["start"],
            due=row["due"],
            needed_by=row["due"],
            cost=row["units"] * row["cost_per_unit"],
            value=0.0,
            causes=(),
        )
        for row in clearing.quantities.to_pylist()
    ]
    return Plan(tuple(o for o in orders if o.units > 0), state.table("orders").slice(0, 0))


def all_at_once(state: State, planned: Plan) -> tuple[OrderMessage, ...]:
    return tuple(OrderMessage(order_key(order), OWN_WORKS, order) for order in planned.orders)


def no_learning(state: State, sensed: Sensed, past_runs: Iterable[RunRecord]) -> Learnt:
    scores = learn(state, sensed, list(past_runs))
    return replace(scores, forecast_ratio={}, spread_ratio={}, lead_days={}, yield_share={})


NAIVE: Mapping[str, Stages] = {
    "no signals": Stages(sense=no_signals),
    "raw series": Stages(sense=raw_series),
    "seasonal naive": Stages(forecast=seasonal_naive),
    "first come": Stages(balance=first_come),
    "bare quantities": Stages(plan=bare_quantities),
    "all at once": Stages(dispatch=all_at_once),
    "no learning": Stages(learn=no_learning),
}


def orders_changed(ours: FloatArray, theirs: FloatArray) -> float:
    """made units (bucket, product)."""
    return float(np.abs(ours - theirs).sum() / 2 / max(ours.sum(), 1e-12))


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--short", action="store_true", help="the last 6 weeks only")
    short = options.parse_args().short
    with tempfile.TemporaryDirectory() as folder, Chain(prepare_demo(Path(folder) / "demo")) as chain:
        setting = set_scene(chain.ledger.state, chain.state(), 6 if short else 1000)
        seed = chain.settings.seed
        courses = {"datong": follow(setting, Loop(seed, run_record))}
        for name, stages in NAIVE.items():
            courses[name] = follow(setting, Loop(seed, run_record, stages))
    total = {row["policy"]: row for row in summary(courses).to_pylist()}
    found: dict[str, dict[str, dict[str, float | str]]] = defaultdict(dict)
    for row in differences(courses, "datong", seed).to_pylist():
        found[row["than"]][row["measure"]] = row
    avoidable = total["datong"]["avoidable_cost"]
    weeks, currency = len(setting.scene.buckets), setting.scene.settings.currency
    say(f"Datong, {weeks} weeks: avoidable cost {avoidable / 1e6:.2f} million {currency}")
    say(f"{'naive form':17s}{'dearer by':>11s}{'90% interval':>20s}{'share':>8s}{'on time':>9s}{'orders changed':>16s}")
    proven_better = []
    for name in NAIVE:
        cost, fill = found[name]["cost"], found[name]["fill_on_time_share"]
        changed = orders_changed(courses["datong"].made_units, courses[name].made_units)
        low, high = (-float(cost[side]) / 1e6 for side in ("high", "low"))
        verdict = {"better": "earns its place", "worse": "the naive form is better", "unsure": "not proven"}
        said = verdict[str(cost["finding"])] if changed > 0 else "changes nothing"
        dearer, less_on_time = -float(cost["difference"]), -100 * float(fill["difference"])
        say(
            f"{name:17s}{dearer / 1e6:11.2f}{f'{low:.2f} to {high:.2f}':>20s}{dearer / avoidable:8.1%}"
            f"{less_on_time:+8.2f}%{changed:16.1%}  {said}"
        )
        if cost["finding"] == "worse":
            proven_better.append(name)
    return 1 if proven_better else 0


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
