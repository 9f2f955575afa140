"""What each stage of the loop is worth: in a replay of the example, each in turn is put in its naive form.

Run: .venv/bin/python benchmarks/ablate.py [--short]     (about 10 minutes; --short: the example's last 6 weeks)

Three chains: the whole example; the example with a cost of setting up; a shop (Online Retail, in ../shared/data, left
out where it is not there).

    no signals       `sense`: what changed is not told
    raw series       `sense`: a week without stock is a week without demand; no holidays, no early orders, no signals
    seasonal naive   `forecast`: last year's week comes again (the last week, where there is no year), with its own past
                     errors as spread
    first come       `balance`: no prices; the first due gets the hours, the rest waits
    no recourse      `balance` and `plan`: stock for the whole spread of demand, as if the plan were never made anew
    bare quantities  `plan`: what was cleared goes out in whole units, rounded up while the line has hours; no lot is
                     sized, and none weighed by its worth
    all at once      `dispatch`: the whole plan goes out, not only what has to start now
    no learning      `learn`: every cycle starts as if it were the first

All meet the same opening stock, buyers and capacity in one simulator. "Dearer by" is the naive form's cost less
Datong's in % of Datong's avoidable cost, with a paired 90% interval over products. "Orders changed" is the
share of units made that lie in another product or week: half the sum of |difference| over Datong's units. A stage that
changes nothing is said so. Exits 1 where a naive form is proven better than Datong.
"""

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd

from datong.app.chain import Chain
from datong.app.cli.commands import prepare_demo
from datong.balance import pack as pack_module
from datong.balance.arrays import Market
from datong.balance.bound import lower_bound
from datong.balance.evaluate import evaluate, supply_of
from datong.balance.pack import pack
from datong.balance.rules.max_lateness import turn_away_overdue
from datong.balance.solution import Prices, Solution
from datong.balance.solvers import Cleared
from datong.cycle import USUAL, Head, Stages
from datong.dispatch.orders_due_for_release import order_key
from datong.learn.scores import learn
from datong.ledger.protocol import RunRecord
from datong.ledger.state import State
from datong.model.flow import (
    ON_SALE,
    OWN_WORKS,
    Clearing,
    FloatArray,
    Forecast,
    Learnt,
    OrderMessage,
    Plan,
    Sensed,
)
from datong.model.settings import ChainSettings
from datong.network.planned_demand import pooled_demand
from datong.network.position import Position
from datong.network.ways import Way
from datong.plan import planning_inputs as work_module
from datong.plan.lots_along_clearing import Lot
from datong.plan.lots_product_by_product import OnTurn
from datong.plan.planning_inputs import Chosen, prepare
from datong.questions.run import run_record
from datong.replay.policies_compared import differences, summary
from datong.replay.replay import Loop, follow, set_scene
from datong.sense.signals import sense

ONLINE_RETAIL = Path(__file__).resolve().parents[2] / "shared" / "data" / "online_retail" / "transactions.parquet"
PRODUCTS = 150
SET_UP_WEEKS = 2.0
# Less than this share of units moved is rounding.
NOTHING_CHANGED = 1e-4
NO_RECOURSE = "no recourse"
# Naive forecasts draw their errors from so many past buckets.
PAST_ERRORS = 26
SEASON_BUCKETS = 52


# sense --------------------------------------------------------------------------------------------


def no_signals(state: State) -> Sensed:
    return replace(sense(state), signals=(), adjustments=())


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
        backtest_windows=np.zeros(count, dtype=np.int64),
        prior=np.zeros(count, dtype=bool),
    )


# balance ------------------------------------------------------------------------------------------


def first_come(head: Head) -> Cleared:
    """Each product is topped up to the same service level as with prices, bucket after bucket, by its cheapest way.

    In a bucket the product whose shortage is the oldest goes first, then by name. What finds no hours waits.
    """
    market = pack(head.state, head.demand, head.learnt, head.where)
    started = np.zeros(market.ways.is_open.shape)
    free = market.lines.hours.copy()
    wanted = [_level(market, d) for d in range(len(market.demand))]
    supply = np.zeros((len(market.demand), market.buckets))
    for t in range(market.buckets):
        short_since = [_short_since(wanted[d], supply[d], t) for d in range(len(market.demand))]
        for d in sorted(range(len(market.demand)), key=lambda d: (short_since[d], d)):
            product = market.demand.product[d]
            for way in _ways(market, int(product)):
                start = t - int(market.ways.lead[way])
                if start < 0 or not market.ways.is_open[way, start]:
                    continue
                missing = float(wanted[d][t] - supply[d, t])
                if missing <= 0:
                    break
                units = min(
                    missing / market.ways.yield_share[way], float(market.ways.limit[way, start]) - started[way, start]
                )
                line = market.ways.line[way]
                if line >= 0 and market.ways.hours[way] > 0:
                    units = min(units, free[line, start] / market.ways.hours[way])
                units = max(units, 0.0)
                if line >= 0:
                    free[line, start] -= units * market.ways.hours[way]
                started[way, start] += units
                supply[d, t:] += units * market.ways.yield_share[way]
    nothing = np.zeros_like(market.demand.sure)
    prices = Prices(
        line=np.zeros_like(market.lines.hours),
        limit=np.zeros(market.ways.is_open.shape),
        turned_away=nothing,
        component=np.full((len(market.products), market.buckets), np.inf),
    )
    # What would be served later than the maximum lateness allows is turned away.
    away = turn_away_overdue(market, supply_of(market, started, nothing), nothing)
    solution = Solution(started, nothing, away, prices, "first come", 0)
    outcome = evaluate(market, started, solution.issued, away)
    bound = min(lower_bound(market, prices), sum(outcome.cost.values()))
    return Cleared(market, solution, outcome, bound, bound)


def _level(market: Market, d: int) -> FloatArray:
    """(bucket) cumulative units beyond what comes anyway that cover demand with chance late / (late + holding)."""
    product = market.demand.product[d]
    late, holding = float(market.money.late[product]), float(market.money.holding[product])
    level = np.quantile(market.net_demand(d), late / max(late + holding, 1e-12), axis=0, method="inverted_cdf")
    return np.maximum.accumulate(np.maximum(level, 0.0))


def _short_since(wanted: FloatArray, supply: FloatArray, t: int) -> int:
    short = np.flatnonzero(wanted[: t + 1] > supply[t])
    return int(short[0]) if len(short) else t


def _ways(market: Market, product: int) -> list[int]:
    ways = [w for w, p in enumerate(market.ways.product) if p == product]
    return sorted(ways, key=lambda w: (market.ways.cost[w] / market.ways.yield_share[w], market.ways.facts[w].name))


# plan, dispatch, learn ----------------------------------------------------------------------------


def bare_quantities(
    state: State, demand: Forecast, clearing: Clearing, learnt: Learnt, where: Position, _on_turn: OnTurn
) -> Chosen:
    work = prepare(state, demand, clearing, learnt, where)
    cleared = [
        (t, work.ways[name], float(units[t]))
        for by_way in work.by_market.cleared.values()
        for name, units in by_way.items()
        for t in np.flatnonzero(units > 1e-6).tolist()
    ]
    free = {
        (r["line"], work.starts.index(r["bucket"])): r["run_hours"] + r["setup_hours"] + r["free_hours"]
        for r in clearing.hours.to_pylist()
    }

    def takes(way: Way, units: float, lots: int) -> float:
        return units * way.hours_per_unit + lots * way.setup_hours

    whole = {(t, way.name): float(np.floor(units + 1e-6)) for t, way, units in cleared}
    for t, way, _ in cleared:
        if (way.line, t) in free:
            free[way.line, t] -= takes(way, whole[t, way.name], int(whole[t, way.name] > 0))
    for t, way, units in sorted(cleared, key=lambda c: (c[0], c[1].product, c[1].name)):
        more = takes(way, 1.0, int(whole[t, way.name] == 0))
        if units > whole[t, way.name] + 1e-6 and free.get((way.line, t), np.inf) >= more:
            whole[t, way.name] += 1.0
            if (way.line, t) in free:
                free[way.line, t] -= more
    lots = [Lot(way, t, work.arrive(way, t), whole[t, way.name]) for t, way, _ in cleared if whole[t, way.name] > 0]
    return Chosen(work, tuple(sorted(lots, key=lambda x: (x.start, x.way.product, x.way.name))))


def all_at_once(state: State, planned: Plan) -> tuple[OrderMessage, ...]:
    return tuple(OrderMessage(order_key(order), OWN_WORKS, order) for order in planned.orders)


def no_learning(state: State, sensed: Sensed, past_runs: Sequence[RunRecord], where: Position) -> Learnt:
    scores = learn(state, sensed, past_runs, where)
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


# chains -------------------------------------------------------------------------------------------


def example(folder: Path) -> Path:
    return prepare_demo(folder)


def example_with_set_ups(folder: Path) -> Path:
    """The example as if every start of a product cost SET_UP_WEEKS weeks' holding of what is usually made in a week."""
    chain = prepare_demo(folder)
    recipes = pd.read_csv(chain / "recipes.csv")
    made = pd.read_parquet(chain / "production.parquet").groupby("product")["good_units"].sum()
    weeks = 31
    holding = pd.read_csv(chain / "economics.csv").set_index("product")["holding_cost_per_unit_week"]
    usual = recipes["product"].map(made).fillna(0.0) / weeks
    recipes["setup_cost"] = (usual * recipes["product"].map(holding) * SET_UP_WEEKS).round(2)
    recipes.to_csv(chain / "recipes.csv", index=False)
    return chain


def online_retail(folder: Path) -> Path:
    """A shop that buys what it sells, in two weeks: the PRODUCTS products with most revenue of Online Retail."""
    rows = pd.read_parquet(ONLINE_RETAIL)
    rows = rows[(rows["quantity"] > 0) & (rows["unit_price"] > 0)]
    rows = rows[rows["stock_code"].str.match(r"^\d{5}")]
    revenue = (rows["quantity"] * rows["unit_price"]).groupby(rows["stock_code"]).sum()
    chosen = revenue.sort_values(ascending=False, kind="stable").index[:PRODUCTS]
    rows = rows[rows["stock_code"].isin(chosen)]
    price = rows.groupby("stock_code")["unit_price"].median()
    folder.mkdir(parents=True)
    (folder / "chain.toml").write_text(
        'name = "online-retail"\ntime_zone = "Europe/London"\ncurrency = "GBP"\ncountry = "GB"\nbucket = "week"\n'
        "horizon_buckets = 8\n[defaults]\noffer_lead_days = 14\n",
        encoding="utf-8",
    )
    products = pd.DataFrame({"product": sorted(chosen)})
    products["price"] = products["product"].map(price)
    products.to_csv(folder / "products.csv", index=False)
    sales = pd.DataFrame(
        {
            "sale": [f"{n}|{i}" for i, n in enumerate(rows["invoice_no"])],
            "happened_at": rows["invoice_ts"],
            "product": rows["stock_code"],
            "units": rows["quantity"].astype(float),
        }
    )
    sales.to_parquet(folder / "sales.parquet", index=False)
    return folder


def orders_changed(ours: FloatArray, theirs: FloatArray) -> float:
    """made units (bucket, product)."""
    return float(np.abs(ours - theirs).sum() / 2 / max(ours.sum(), 1e-12))


@contextmanager
def without_recourse() -> Generator[None]:
    """Balance and plan cover the whole spread of cumulative demand, as if the plan were never made anew."""

    def fixed_now(demand: Forecast, where: Position, facts: object, starts: object, settings: ChainSettings) -> object:
        return pooled_demand(demand, where, settings.calendar.bucket_days)

    with patch.object(pack_module, "planned_demand", fixed_now), patch.object(work_module, "planned_demand", fixed_now):
        yield


def ablate(title: str, folder: Path, naive: Sequence[str], buckets: int) -> list[str]:
    """Prints the worth of each stage on a chain; returns the naive forms that are proven better than Datong."""
    with Chain(folder) as chain:
        setting = set_scene(chain.ledger.state, chain.state(), buckets)
        seed = chain.settings.seed
        courses = {"datong": follow(setting, Loop(seed, run_record))}
        for name in naive:
            with without_recourse() if name == NO_RECOURSE else nullcontext():
                courses[name] = follow(setting, Loop(seed, run_record, NAIVE.get(name, USUAL)))
    total = {row["policy"]: row for row in summary(courses).to_pylist()}
    found: dict[str, dict[str, dict[str, float | str]]] = defaultdict(dict)
    for row in differences(courses, "datong", seed).to_pylist():
        found[row["than"]][row["measure"]] = row
    avoidable = total["datong"]["avoidable_cost"]
    weeks, currency = len(setting.scene.buckets), setting.scene.settings.currency
    say(f"{title}, {weeks} weeks: avoidable cost of Datong {avoidable:,.0f} {currency}; in the table in % of it")
    say(f"{'naive form':17s}{'dearer by':>11s}{'90% interval':>20s}{'on time':>10s}{'orders changed':>16s}")
    proven_better = []
    for name in naive:
        cost, fill = found[name]["cost"], found[name]["fill_on_time_share"]
        changed = orders_changed(courses["datong"].made_units, courses[name].made_units)
        ends = [cost[side] for side in ("high", "low")]
        between = " to ".join(f"{-100 * float(end) / avoidable:.1f}" for end in ends if end is not None)
        dearer, less_on_time = -100 * float(cost["difference"]) / avoidable, -100 * float(fill["difference"])
        verdict = {"better": "earns its place", "worse": "the naive form is better", "unsure": "not proven"}
        said = verdict[str(cost["finding"])] if changed > NOTHING_CHANGED else "changes nothing here"
        say(f"{name:17s}{dearer:11.1f}{between or 'few differ':>20s}{less_on_time:+9.2f}%{changed:16.1%}  {said}")
        if cost["finding"] == "worse" and changed > NOTHING_CHANGED:
            proven_better.append(f"{title}: {name}")
    return proven_better


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--short", action="store_true", help="the last 6 weeks of the example only")
    short = options.parse_args().short
    everything = 1_000_000
    better: list[str] = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        every = (*NAIVE, NO_RECOURSE)
        better += ablate("The example", example(folder / "example"), every, 6 if short else everything)
        if not short:
            orders = ("bare quantities", "first come")
            better += ablate("The example with set-ups", example_with_set_ups(folder / "lots"), orders, everything)
        if not short and ONLINE_RETAIL.exists():
            better += ablate("Online Retail", online_retail(folder / "retail"), every, 20)
    for name in better:
        say(f"better without: {name}")
    return 1 if better else 0


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
