"""A whole cycle by stage: seconds, memory, growth, and ratios to peers measured in the same run.

    python benchmarks/cycle.py [--short] [--products N] [--weeks N]

A seeded chain through the ledger: weekly sales of N products (smooth, seasonal, intermittent, short, new) with the
country's holidays, 40 lines about 90% used, recipes with lots and set-ups, bought products, stock, orders under way.
The state is read from the ledger, the six verbs run, and the run is kept, as `datong run` does it. Peak memory is the
resident memory of the process and its children, sampled 20 times a second.

Peers, on the same chain: DuckDB handing over the sales as they lie and the sales by product and week; AutoETS without
a season, one forecast of each of a sample of the series (`forecast` back-tests every model ten times and draws 200
paths); PyArrow writing the run's tables to Parquet. The two doors of the balance are set side by side on the smaller
chain.

The whole cycle is told over that forecast too, of every series. The long form is 20,000 products x 150 weeks, then a
quarter of them to show the growth; it fails beyond 4 GB, where the doors differ, and where growth or a ratio is out of
bounds. The short one (1,000 x 100, then a quarter) also runs the larger chain twice and fails where the tables differ
by a byte.
"""

import argparse
import hashlib
import io
import os
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from statsforecast.models import AutoETS

from datong.app.garbage_collection import collect_seldom
from datong.balance.pack import pack
from datong.balance.solvers import clear
from datong.cycle import CycleResult, run_cycle
from datong.forecast.unknown_buckets import filled, first_known
from datong.ledger.protocol import RunRecord
from datong.ledger.row_checks import validate
from datong.ledger.state import State
from datong.model.flow import Clearing, Forecast, Sensed, nothing_learnt
from datong.model.settings import ChainSettings
from datong.model.tables import tables
from datong.network.position import position
from datong.questions.run import digest_content, run_record
from datong.store.duckdb_ledger import DuckDBLedger, open_ledger

FIRST = date(2023, 1, 2)
LINES, CATEGORIES, LINE_USE = 40, 20, 0.65
KINDS = ("smooth", "seasonal", "intermittent", "short", "new")
KIND_SHARES = (0.34, 0.2, 0.3, 0.14, 0.02)
MADE_SHARE, LOTS_SHARE, UNDER_WAY_SHARE = 0.85, 0.4, 0.05
PEER_SERIES = 100
MOST_MEMORY_GB, SHORT_MEMORY_GB = 4.0, 2.0
# Bars that noise does not reach: a measured figure is half of them or less. Growth is of processor seconds, from a
# quarter of the products; the gap is the certified one of the market.
MOST_GROWTH, MOST_GAP, MOST_DOOR_DIFFERENCE = 6.0, 0.002, 0.001
# Of the forecast, up to about 8 s are the model of all items together, however many there are.
MOST_RATIO = {"read the state": 40.0, "sense": 400.0, "forecast": 6.0, "keep the run": 25.0, "whole cycle": 12.0}


# the chain ----------------------------------------------------------------------------------------


def weekly_units(rng: np.random.Generator, products: int, weeks: int) -> np.ndarray:
    """(product, week) units sold."""
    kind = rng.choice(len(KINDS), products, p=KIND_SHARES)
    level = np.clip(rng.lognormal(3.0, 1.0, products), 2.0, 400.0)
    level[kind == 2] = rng.uniform(0.1, 1.2, int((kind == 2).sum()))
    week = np.arange(weeks)
    season = 1 + np.outer(np.where(kind == 1, rng.uniform(0.3, 0.7, products), 0.0), np.sin(2 * np.pi * week / 52))
    trend = np.exp(np.outer(rng.normal(0.0, 0.002, products), week - weeks / 2))
    noise = rng.gamma(8.0, 1 / 8.0, (products, weeks))
    units = rng.poisson(level[:, None] * season * trend * noise).astype(np.float64)
    often = np.where(kind == 2, 2.5, 1.0)[:, None]  # intermittent: fewer and larger sales
    units *= np.where(rng.random((products, weeks)) < 1 / often, np.round(often), 0.0)
    launched = np.where(kind == 3, rng.integers(max(weeks - 40, 1), weeks, products), 0)
    launched[kind == 4] = weeks
    units[week < launched[:, None]] = 0.0
    return units


def chain_tables(products: int, weeks: int, seed: int) -> dict[str, pa.Table]:
    """The tables of a random chain."""
    rng = np.random.default_rng(seed)
    units = weekly_units(rng, products, weeks)
    names = np.array([f"P{i:05d}" for i in range(products)])
    price = np.round(rng.lognormal(3.5, 0.6, products), 2)
    recent = units[:, -26:]
    weeks_sold = recent.shape[1] - np.argmax(recent > 0, axis=1)  # of one launched in between, those since then
    mean = recent.sum(axis=1) / weeks_sold
    made = rng.random(products) < MADE_SHARE
    lots = rng.random(products) < LOTS_SHARE
    lot_units = np.where(lots, np.maximum(np.round(2 * mean), 5.0), 0.0)
    hours = rng.uniform(0.01, 0.06, products)
    ways = []
    line_of = rng.integers(0, LINES, (products, 2))
    for i in np.flatnonzero(made):
        for k in range(2 if rng.random() < 0.6 else 1):
            ways.append((i, k))
    of, second = (np.array(x, np.int64) for x in zip(*ways, strict=True))
    recipes = pa.table(
        {
            "recipe": [f"R{i:05d}-{k}" for i, k in ways],
            "product": names[of],
            "line": [f"L{line:02d}" for line in line_of[of, second]],
            "hours_per_unit": hours[of] * rng.uniform(0.9, 1.2, len(of)),
            "cost_per_unit": np.round(price[of] * rng.uniform(0.4, 0.6, len(of)), 2),
            "setup_hours": np.where(lots[of], rng.uniform(0.1, 0.5, len(of)), 0.0),
            "setup_cost": np.where(lots[of], rng.uniform(5.0, 40.0, len(of)), 0.0),
            "min_lot_units": lot_units[of],
            "lot_multiple_units": np.where(lots[of] & (second == 0), 5.0, 0.0),
            "lead_days": rng.choice([0.0, 7.0, 14.0], len(of)),
            "yield_share": rng.choice([1.0, 0.98], len(of)),
        }
    )
    load = np.bincount(line_of[made, 0], (hours * mean)[made], LINES)
    bought = np.flatnonzero(~made)
    sales_product, sales_week = np.nonzero(units)
    stamp = _moments(sales_week * 7 + rng.integers(0, 7, len(sales_week)), rng.integers(8, 20, len(sales_week)))
    count = int(products * UNDER_WAY_SHARE)
    order_of = rng.choice(len(of), min(count, len(of)), replace=False)
    start = [FIRST + timedelta(days=7 * (weeks - 1))] * len(order_of)
    orders = [f"W{i:05d}" for i in range(len(order_of))]
    stock_at = _moments(np.full(products, weeks * 7 - 1), np.full(products, 20))
    return {
        "products": pa.table(
            {
                "product": names,
                "category_a": [f"C{c:02d}" for c in rng.integers(0, CATEGORIES, products)],
                "price": price,
            }
        ),
        "lines": pa.table({"line": [f"L{i:02d}" for i in range(LINES)], "hours_per_week": load / LINE_USE}),
        "recipes": recipes,
        "offers": pa.table(
            {
                "offer": [f"O{i:05d}" for i in bought],
                "product": names[bought],
                "price": np.round(0.6 * price[bought], 2),
                "lead_days": rng.choice([7.0, 14.0, 28.0], len(bought)),
                "min_order_units": lot_units[bought],
            }
        ),
        "sales": pa.table(
            {
                "happened_at": stamp,
                "sale": pa.array([f"S{i:08d}" for i in range(len(sales_week))]),
                "product": names[sales_product],
                "units": units[sales_product, sales_week],
                "price": price[sales_product],
            }
        ),
        "stock": pa.table(
            {"happened_at": stock_at, "product": names, "units": np.round(rng.uniform(0.5, 4.0, products) * mean)}
        ),
        "orders": pa.table(
            {
                "order": orders,
                "product": names[of[order_of]],
                "recipe": recipes["recipe"].take(pa.array(order_of)),
                "units": np.maximum(np.round(mean[of[order_of]]), 1.0),
                "start": start,
                "due": [day + timedelta(days=14) for day in start],
            }
        ),
        "order_events": pa.table(
            {
                "happened_at": _moments(np.full(len(orders), weeks * 7 - 5), np.full(len(orders), 9)),
                "order": orders,
                "state": ["released"] * len(orders),
            }
        ),
    }


def _moments(days: np.ndarray, hours: np.ndarray) -> pa.Array:
    moments = np.datetime64(FIRST, "us") + days.astype("m8[D]") + hours.astype("m8[h]")
    return pa.array(moments).cast(pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC"))


def fill_ledger(ledger: DuckDBLedger, given: dict[str, pa.Table]) -> None:
    for name in tables():
        if name in given:
            checked = validate(tables()[name], given[name], name, ledger.settings)
            assert not checked.rejected.num_rows, checked.findings[:3]
            ledger.ingest(name, checked.rows, None, (), name, datetime(2024, 1, 1, tzinfo=UTC), by="benchmark")


# measuring ----------------------------------------------------------------------------------------


@dataclass
class Watch:
    """Seconds, seconds of processor and peak memory (bytes) of each part, in order; a thread samples memory."""

    seconds: dict[str, float] = field(default_factory=dict)
    busy: dict[str, float] = field(default_factory=dict)
    peak: dict[str, int] = field(default_factory=dict)
    _part: str = ""
    _since: tuple[float, float] = (0.0, 0.0)

    def __enter__(self) -> "Watch":
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.start("")
        self._ended.set()
        self._thread.join()

    def start(self, part: str) -> None:
        """The part before ends here, and this one starts; '': none does."""
        now = time.perf_counter(), sum(os.times()[:4])
        if self._part:
            self.seconds[self._part], self.busy[self._part] = now[0] - self._since[0], now[1] - self._since[1]
        self._part, self._since = part, now
        self._look()

    def _sample(self) -> None:
        while not self._ended.wait(0.05):
            self._look()

    def _look(self) -> None:
        if self._part:
            self.peak[self._part] = max(self.peak.get(self._part, 0), resident_bytes())


def resident_bytes() -> int:
    """Of this process and its children."""
    own = os.getpid()
    children = Path(f"/proc/{own}/task/{own}/children")
    total = 0
    for process in (own, *(int(c) for c in (children.read_text().split() if children.exists() else ()))):
        try:
            total += int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except OSError:  # it has ended
            continue
    return total


@dataclass(frozen=True)
class Turn:
    """One measured cycle. gap: certified, of the market in any quantities, over its gross cost; the orders' own
    is that of lots. digest: of every table that is kept."""

    watch: Watch
    state: State
    sensed: Sensed
    forecast: Forecast | None
    clearing: Clearing
    gap: float
    record: RunRecord
    digest: str


def turn(ledger: DuckDBLedger, as_of: datetime, keep_forecast: bool) -> Turn:
    """Reads the state, runs the cycle and keeps the run; as `datong run` does, garbage is looked for seldom, and what
    was only needed to get there is let go before. keep_forecast: its paths, for what is asked of the turn later."""
    collect_seldom()
    with Watch() as watch:
        watch.start("read the state")
        state = ledger.state(as_of)
        for name in tables():
            state.table(name)
        result = run_cycle(state, nothing_learnt(), (), ledger.settings.seed, watch.start)
        watch.start("keep the run")
        record = run_record(state, nothing_learnt(), ledger.settings.seed, result)
        sensed, clearing, gap = result.sensed, result.clearing, market_gap(result)
        made = result.forecast if keep_forecast else None
        del result
        ledger.save_run(record, datetime.now(UTC), by="benchmark")
    digest = hashlib.sha256()
    for name in sorted(record.tables):
        digest.update(name.encode())
        digest_content(digest, record.tables[name])
    return Turn(watch, state, sensed, made, clearing, gap, record, digest.hexdigest())


def market_gap(result: CycleResult) -> float:
    market = result.decision.market
    gross = sum(money for money in market.outcome.cost.values() if money > 0)
    return (market.total_cost - market.bound) / gross


def report(one: Turn, products: int, weeks: int) -> None:
    total = sum(one.watch.seconds.values())
    say(f"\n{products:,} products x {weeks} weeks, {one.state.table('sales').num_rows:,} sales")
    say(f"{'':18s}{'seconds':>9s}{'share':>8s}{'processor':>11s}{'peak GB':>9s}")
    for part, seconds in one.watch.seconds.items():
        peak = one.watch.peak[part] / 1e9
        say(f"{part:18s}{seconds:9.1f}{seconds / total:8.0%}{one.watch.busy[part]:11.1f}{peak:9.2f}")
    busy, peak = sum(one.watch.busy.values()), max(one.watch.peak.values()) / 1e9
    say(f"{'all':18s}{total:9.1f}{'':8s}{busy:11.1f}{peak:9.2f}")
    clearing, orders = one.clearing, one.record.tables["orders"].num_rows
    hours = np.array([(p["used"], p["available"]) for p in clearing.prices.to_pylist() if p["what"] == "line"])
    used = np.divide(*hours.sum(axis=0))
    say(
        f"door {clearing.door}, gap of the market {one.gap:.3%}, of the orders {clearing.gap_share:.3%},"
        f" lines {used:.0%} used, {orders:,} orders,"
        f" {len(one.sensed.signals):,} signals, run {one.record.run}, tables {one.digest[:12]}"
    )


# peers --------------------------------------------------------------------------------------------


def ratios_to_peers(one: Turn, path: Path) -> dict[str, float]:
    """Processor seconds of some parts over those of their peers; path: the ledger's file, closed."""
    seconds = one.watch.busy
    with duckdb.connect(str(path), read_only=True) as connection:
        begun = time.process_time()
        connection.sql(
            "SELECT row_id, happened_at, known_at, sale, product, market, units, price FROM chain.sales ORDER BY row_id"
        ).to_arrow_table()
        scanned = time.process_time()
        connection.sql(
            "SELECT product, date_trunc('week', happened_at) AS week, sum(units) FROM chain.sales GROUP BY ALL"
        ).to_arrow_table()
        grouped = time.process_time()
    for table in one.record.tables.values():
        pq.write_table(table, io.BytesIO())
    written = time.process_time()
    forecasts = len(one.sensed.series.items) * ets_seconds(one.sensed)
    return {
        "read the state": seconds["read the state"] / (scanned - begun),
        "sense": seconds["sense"] / (grouped - scanned),
        "forecast": seconds["forecast"] / forecasts,
        "keep the run": seconds["keep the run"] / (written - grouped),
        "whole cycle": sum(seconds.values()) / forecasts,
    }


def ets_seconds(sensed: Sensed) -> float:
    """Processor seconds a series of AutoETS on a sample of the longer series."""
    units = sensed.series.units
    usable = [i for i in range(len(units)) if np.isfinite(units[i]).sum() >= 60 and np.nanmax(units[i]) > 0]
    some = np.random.default_rng(0).choice(usable, min(PEER_SERIES, len(usable)), replace=False)
    begun = time.process_time()
    for i in some:
        AutoETS(season_length=1).forecast(y=filled(units[i, first_known(units[i]) :]), h=13)
    return (time.process_time() - begun) / len(some)


def doors_differ(one: Turn) -> float:
    """Prints both doors on a turn's market; difference of their costs over the gross cost. The recipes have no lots:
    the search of prices does not know those that take longer than a week."""
    assert one.forecast is not None
    recipes = one.state.table("recipes")
    for name in ("min_lot_units", "lot_multiple_units"):
        at = recipes.column_names.index(name)
        recipes = recipes.set_column(at, recipes.schema.field(name), pa.repeat(0.0, recipes.num_rows))
    state = one.state.with_tables(recipes=recipes)
    market = pack(state, one.forecast, nothing_learnt(), position(state))
    seconds, found = {}, {}
    for door in ("prices", "highs"):
        begun = time.perf_counter()
        found[door] = clear(market, one.forecast, door)  # ty: ignore[invalid-argument-type]
        seconds[door] = time.perf_counter() - begun
    gross = sum(money for money in found["highs"].cost.values() if money > 0)
    difference = (found["prices"].total_cost - found["highs"].total_cost) / gross
    say(
        f"doors at {len(market.demand):,} products: seconds of prices over HiGHS"
        f" {seconds['prices'] / seconds['highs']:.2f}; gap of prices {found['prices'].gap_share:.4%},"
        f" of HiGHS {found['highs'].gap_share:.4%}; cost of prices over HiGHS {difference:+.4%}"
    )
    return difference


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def measure(products: int, weeks: int, turns: int, keep_forecast: bool = False) -> tuple[list[Turn], dict[str, float]]:
    """Turns of one chain in a new ledger, and the ratios to its peers."""
    settings = ChainSettings("cycle", time_zone="Asia/Shanghai", country="CN")
    as_of = settings.calendar.midnight(FIRST + timedelta(days=7 * weeks))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.duckdb"
        with open_ledger(path, settings) as ledger:
            fill_ledger(ledger, chain_tables(products, weeks, seed=1))
            done = [turn(ledger, as_of, keep_forecast) for _ in range(turns)]
        report(done[-1], products, weeks)
        ratios = ratios_to_peers(done[-1], path)
    say("processor seconds over the peer's: " + ", ".join(f"{part} {ratio:.2f}" for part, ratio in ratios.items()))
    return done, ratios


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--products", type=int)
    parser.add_argument("--weeks", type=int)
    given = parser.parse_args()
    products, weeks = given.products or (1000 if given.short else 20_000), given.weeks or (100 if given.short else 150)
    turns, ratios = measure(products, weeks, 2 if given.short else 1)
    watch, gap, digests = turns[-1].watch, turns[-1].gap, {one.digest for one in turns}
    del turns
    (small,), _ = measure(products // 4, weeks, 1, keep_forecast=True)
    growth = sum(watch.busy.values()) / sum(small.watch.busy.values())
    say(f"processor seconds with 4 times the products: {growth:.1f} times")
    difference = doors_differ(small)
    peak = max(watch.peak.values()) / 1e9
    missed = [part for part, most in MOST_RATIO.items() if ratios[part] > most]
    missed += ["growth"] * (growth > MOST_GROWTH) + ["gap"] * (gap > MOST_GAP)
    missed += ["doors"] * (abs(difference) > MOST_DOOR_DIFFERENCE)
    missed += ["memory"] * (peak > (SHORT_MEMORY_GB if given.short else MOST_MEMORY_GB))
    missed += ["bytes"] * (len(digests) > 1)
    say(f"missed: {', '.join(missed)}" if missed else "good")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
