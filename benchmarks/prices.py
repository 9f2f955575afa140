"""How demand answers to prices and promotions: what is found of it, and what it is worth to the forecast.

    python benchmarks/prices.py [--short] [--open] [--rows intervals,loop,retail]

One JSON object a line.

* intervals: panels with planted elasticities, none included, and planted uplifts (statistics/price_response.py): share
  of items whose 90% interval holds what is planted, the same of items that do not answer at all, the mean error, and
  how often the answer is earned. A list changes its price four times in two years; levels wander, seasons are common.
  `cut when slow`: a price is cut when the item sells badly, and the cut is not the cause of what follows: the planted
  elasticity is then not what the past shows, and no bar is put on it.
* loop: chains of 16 products with a price change known ahead for half of them: pinball loss of the eight open weeks of
  these products with what `sense` does, over that without, paired by chain, and the share of chains that are moved.
* retail: Online Retail (../shared/data), weekly, as if the price of the next four weeks was announced: pinball loss of
  the weeks whose price differs from that of late, with over without, paired by product. The price of a week is that of
  its middle order line, which hangs on who ordered how much; it is worth what it forecasts, and says nothing of causes.

Everything was chosen on the development seeds and on half of the retail products; `--open` uses the others. Ends with 1
where intervals hold less than COVER_BAR (of items without any answer among others AMONG_BAR: they
are drawn to the others), where a chain without any answer is moved more often than NULL_BAR, or where
the loop is worse with it than without beyond the interval. The short form takes about a minute.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
from launches import DATA, hashed, sold

from datong.forecast.paths import forecast
from datong.ledger.state import State, state_of_tables
from datong.model.flow import NINE_IN_TEN, FloatArray, Sensed, nothing_learnt
from datong.model.settings import ChainSettings
from datong.sense.prices_ahead import prices_ahead
from datong.sense.series import sale_rows, series_of_sales
from datong.statistics.price_response import Panel, responses
from forecast import LEVELS, pinball

WEEKS, AHEAD, ITEMS = 104, 8, 24
MONDAY = datetime(2023, 1, 2, tzinfo=UTC)
STEPS = (-0.25, -0.15, -0.1, 0.0, 0.1)
DEVELOPMENT, HELD_OUT = 0, 80_000
COVER_BAR, AMONG_BAR, NULL_BAR = 0.85, 0.8, 0.1
DRAWS = 2000
RETAIL_ORIGINS, RETAIL_AHEAD, RETAIL_PRODUCTS = (36, 40, 44, 48), 4, 400


@dataclass(frozen=True)
class Market:
    """A planted market. elasticities: of items, by turns. uplift: log of demand under promotion. level: units a week.
    drift: standard deviation of the weekly change of a log level. slow: how much the log
    level of late, over that of the twelve weeks before, moves a log price."""

    name: str
    elasticities: tuple[float, ...]
    uplift: float = 0.6
    level: float = 20.0
    drift: float = 0.03
    slow: float = 0.0


MARKETS = (
    Market("none", (0.0,), 0.0),
    Market("alike", (-2.0,)),
    Market("mixed", (-2.0, -1.0, 0.0)),
    Market("mixed, few units", (-2.0, -1.0, 0.0), level=5.0),
    Market("mixed, many units", (-2.0, -1.0, 0.0), level=200.0),
    Market("mixed, wandering", (-2.0, -1.0, 0.0), drift=0.08),
    Market("none, wandering", (0.0,), 0.0, drift=0.08),
    Market("none, cut when slow", (0.0,), 0.0, drift=0.08, slow=0.5),
)


@dataclass(frozen=True, eq=False)
class Planted:
    """units, price (log), promoted: (item, week), AHEAD weeks more than WEEKS. slope: (item) elasticity."""

    units: FloatArray
    price: FloatArray
    promoted: FloatArray
    slope: FloatArray

    @property
    def past(self) -> Panel:
        return Panel(self.units[:, :WEEKS], self.price[:, :WEEKS], self.promoted[:, :WEEKS])


def planted(market: Market, seed: int, items: int = ITEMS) -> Planted:
    rng = np.random.default_rng([seed, 17])
    length = WEEKS + AHEAD
    slope = np.array([market.elasticities[i % len(market.elasticities)] for i in range(items)])
    wander = np.cumsum(rng.normal(0, market.drift, (items, length)), axis=1)
    price, promoted = np.zeros((items, length)), np.zeros((items, length))
    for i in range(items):
        for week in np.sort(rng.integers(4, WEEKS - 14, 4)).tolist():
            price[i, week:WEEKS] = rng.choice(STEPS)
            if market.slow:
                price[i, week:WEEKS] = market.slow * (wander[i, week - 1] - wander[i, max(week - 12, 0) : week].mean())
        promoted[i, rng.integers(4, WEEKS - 14, 4)] = 1.0
    price[:, WEEKS:] = price[:, WEEKS - 1 : WEEKS]
    ahead = np.arange(items) % 2 == 0
    price[ahead, WEEKS + 1 :] = price[ahead, WEEKS - 1 : WEEKS] - 0.15
    season = 0.4 * np.sin(np.arange(length) * 2 * np.pi / 52)
    rate = np.log(market.level) + rng.normal(0, 0.6, (items, 1)) + wander + season
    rate += slope[:, None] * price + market.uplift * promoted
    return Planted(rng.poisson(np.exp(rate)).astype(float), price, promoted, slope)


def tell(**row: object) -> None:
    sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.flush()


# intervals -------------------------------------------------------------------------------------------------


def intervals(seeds: Sequence[int]) -> bool:
    fine = True
    for market in MARKETS:
        inside: list[list[bool]] = [[], [], []]
        errors, earned, doubts = [], [[], []], []
        for seed in seeds:
            made = planted(market, seed)
            price, promotion = responses(made.past)
            for which, (found, truth) in enumerate(((price, made.slope), (promotion, np.full(ITEMS, market.uplift)))):
                held = np.abs(found.slope - truth) <= NINE_IN_TEN * found.doubt
                known = ~np.isnan(found.slope)
                inside[which] += held[known].tolist()
                earned[which].append(bool(found.p_value <= 0.05))
                if which == 0:
                    inside[2] += held[known & (truth == 0)].tolist()
                    errors += (found.slope - truth)[known].tolist()
                    doubts += found.doubt[known].tolist()
        shares = [round(float(np.mean(part)), 3) if part else None for part in inside]
        tell(
            row="intervals",
            market=market.name,
            items=len(inside[0]),
            covered_elasticity=shares[0],
            covered_none=shares[2],
            covered_uplift=shares[1],
            mean_error=round(float(np.mean(errors)), 3),
            doubt=round(float(np.median(doubts)), 3),
            earned_price=round(float(np.mean(earned[0])), 3),
            earned_promotion=round(float(np.mean(earned[1])), 3),
        )
        holds = min(shares[0] or 0.0, shares[1] or 0.0) >= COVER_BAR and (shares[2] or 1.0) >= AMONG_BAR
        fine &= bool(market.slow) or holds
    return fine


# loop ------------------------------------------------------------------------------------------------------


def chain_of(made: Planted) -> State:
    """The planted market as a chain at the end of WEEKS, its prices and promotions in their tables."""
    names = [f"P{i:02d}" for i in range(len(made.units))]
    week, day = [MONDAY + timedelta(weeks=w) for w in range(WEEKS + AHEAD)], timedelta(days=2)
    sales, prices, promotions = [], [], []
    for i, name in enumerate(names):
        sales += [
            {"product": name, "happened_at": week[w] + day, "units": float(made.units[i, w])} for w in range(WEEKS)
        ]
        for w in range(WEEKS + AHEAD):
            if w == 0 or made.price[i, w] != made.price[i, w - 1]:
                price = float(10 * np.exp(made.price[i, w]))
                prices.append({"product": name, "price": price, "valid_from": week[w].date()})
        promotions += [
            {"promotion": f"{name}-{w}", "product": name, "from": week[w].date(), "to": week[w + 1].date()}
            for w in np.flatnonzero(made.promoted[i]).tolist()
        ]
    tables = {"products": [{"product": name} for name in names], "sales": sales, "prices": prices}
    tables["promotions"] = promotions
    rows = {name: pa.Table.from_pylist(own) for name, own in tables.items()}
    return state_of_tables(ChainSettings("planted", horizon_buckets=AHEAD), week[WEEKS], rows)


def sensed_of(state: State) -> Sensed:
    """Demand with what prices and promotions do to it, and no other signal."""
    sales = sale_rows(state)
    series = series_of_sales(state, sales)
    return Sensed(series, *prices_ahead(state, series, sales, ()))


def losses(sensed: Sensed, came: FloatArray, paths: int) -> tuple[FloatArray, FloatArray]:
    """(item, bucket) pinball loss with the adjustments and without."""
    result = []
    for one in (sensed, replace(sensed, adjustments=())):
        drawn = forecast(one, nothing_learnt(), paths, 0).paths[:, :, : came.shape[1]]
        result.append(pinball(came, np.quantile(drawn, LEVELS, axis=1, method="inverted_cdf")))
    return result[0], result[1]


def ratio(with_it: FloatArray, without: FloatArray) -> dict[str, float]:
    """Summed losses with over without, and its paired 90% interval over the units that are drawn anew."""
    draws = np.random.default_rng(0).integers(0, len(without), (DRAWS, len(without)))
    low, high = np.quantile(with_it[draws].sum(axis=1) / without[draws].sum(axis=1), [0.05, 0.95])
    whole = with_it.sum() / without.sum()
    return {"with_over_without": round(float(whole), 3), "low": round(float(low), 3), "high": round(float(high), 3)}


def loop(seeds: Sequence[int]) -> bool:
    fine = True
    for market in MARKETS:
        sums, moved = [], []
        for seed in seeds:
            made = planted(market, seed, 16)
            sensed = sensed_of(chain_of(made))
            moved.append(bool(sensed.adjustments))
            own = np.arange(16) % 2 == 0
            both = losses(sensed, made.units[:, WEEKS:], 200)
            sums.append([part[own, 1:].sum() for part in both])
        table = np.array(sums)
        figures = ratio(table[:, 0], table[:, 1])
        share = float(np.mean(moved))
        tell(row="loop", market=market.name, chains=len(seeds), moved=round(share, 3), **figures)
        if not market.slow:
            fine &= figures["low"] <= 1.0 and (any(market.elasticities) or share <= NULL_BAR)
    return fine


# retail ----------------------------------------------------------------------------------------------------


def retail_state(rows: pd.DataFrame, monday: pd.Timestamp, origin: int) -> State:
    """The shop as its week `origin` begins, with the prices of the weeks ahead as if they were announced. rows: lines
    sold, with their week."""
    past = rows[rows["week"] < origin]
    ahead = rows[(rows["week"] >= origin) & (rows["week"] < origin + RETAIL_AHEAD)]
    listed = [
        {"product": code, "price": float(value), "valid_from": (day := (monday + pd.Timedelta(weeks=w)).date()),
         "valid_to": day + timedelta(weeks=1)}
        for (code, w), value in ahead.groupby(["stock_code", "week"])["unit_price"].median().items()
    ]  # fmt: skip
    sales = {
        "product": pa.array(past["stock_code"].astype(str)),
        "happened_at": pa.array(past["day"].dt.tz_localize("UTC") + pd.Timedelta(hours=12)),
        "units": pa.array(past["quantity"].astype(float)),
        "price": pa.array(past["unit_price"].astype(float)),
    }
    products = pa.table({"product": sorted(set(past["stock_code"].astype(str)))})
    tables = {"products": products, "sales": pa.table(sales), "prices": pa.Table.from_pylist(listed)}
    now = (monday + pd.Timedelta(weeks=origin)).tz_localize("UTC").to_pydatetime()
    return state_of_tables(ChainSettings("retail", horizon_buckets=RETAIL_AHEAD, country="GB"), now, tables)


def retail(short: bool, is_open: bool) -> bool:
    if not DATA.exists():
        tell(row="retail", left_out=f"{DATA.name} is not there")
        return True
    rows = sold()
    most = rows.groupby("stock_code")["day"].nunique().sort_values(ascending=False, kind="stable").index
    names = [code for code in most if (hashed(code, "part") < 0.5) != is_open][: RETAIL_PRODUCTS // (4 if short else 1)]
    rows = rows[rows["stock_code"].isin(names)]
    monday = rows["day"].min() + pd.Timedelta(days=(7 - rows["day"].min().weekday()) % 7)
    rows = rows.assign(week=(rows["day"] - monday).dt.days // 7)
    rows = rows[rows["week"] >= 0]
    units = rows.groupby(["stock_code", "week"])["quantity"].sum().unstack().fillna(0.0)
    sums: dict[str, FloatArray] = {}
    weeks, moved, earned = 0, 0, []
    for origin in RETAIL_ORIGINS[:: 2 if short else 1]:
        sensed = sensed_of(retail_state(rows, monday, origin))
        items, starts = [item.product for item in sensed.series.items], sensed.series.horizon_starts
        asked = {(s.product, start) for s in sensed.signals for start in starts if s.first <= start <= s.last}
        wanted = np.array([[(product, start) in asked for start in starts] for product in items])
        came = units.reindex(items)[[origin + k for k in range(RETAIL_AHEAD)]].fillna(0.0).to_numpy()
        both = losses(sensed, came, 200)
        for i in np.flatnonzero(wanted.any(axis=1)).tolist():
            own = np.array([part[i, wanted[i]].sum() for part in both])
            sums[items[i]] = sums.get(items[i], np.zeros(2)) + own
        weeks += int(wanted.sum())
        moved += len({(a.item.product, a.bucket) for a in sensed.adjustments})
        earned.append(next((round(float(s.p_value), 4) for s in sensed.signals if s.p_value is not None), None))
    table = np.array(list(sums.values()))
    figures = ratio(table[:, 0], table[:, 1])
    tell(row="retail", products=len(table), weeks=weeks, moved_weeks=moved, earned_p=earned, **figures)
    return figures["low"] <= 1.0


def main() -> int:
    parser = argparse.ArgumentParser(description="How demand answers to prices and promotions.")
    parser.add_argument("--short", action="store_true", help="a minute or so")
    parser.add_argument("--open", action="store_true", help="the seeds and products on which nothing was chosen")
    parser.add_argument("--rows", default="intervals,loop,retail")
    asked = parser.parse_args()
    started, begin = time.perf_counter(), HELD_OUT if asked.open else DEVELOPMENT
    fine = True
    if "intervals" in asked.rows:
        fine &= intervals(range(begin, begin + (12 if asked.short else 60)))
    if "loop" in asked.rows:
        fine &= loop(range(begin + 1000, begin + 1000 + (4 if asked.short else 30)))
    if "retail" in asked.rows:
        fine &= retail(asked.short, asked.open)
    tell(seconds=round(time.perf_counter() - started))
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
