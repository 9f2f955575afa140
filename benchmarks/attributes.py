"""Which attributes will gain in the next 8 weeks, on market twins with planted tastes, and nothing where none moves.

    python benchmarks/attributes.py [--short] [--lists N] [--null N] [--development]

A twin (src/datong/replay/twin) of 15 products has 5 colours and 3 shapes; the tastes for them are random walks that
nobody sees. LIST twins are one list of 40 values, ranked at the end of a history of 70 weeks. The truth is the share of
each value among the products of its twin, all in stock, by the twin's own tastes: the mean of the next 8 weeks less
that of the last 8. Measured is how many of the first ten of a ranking are among the ten that truly gain most.

    ours         expected gain (src/datong/sense/attribute_shares.py)
    sales_alone  the same without interest and reviews
    momentum     share of units sold in the last week less that of 8 weeks before: the strongest of three on the
                 development seeds; momentum_8, momentum_4: mean of the last 8 (4) weeks less that of the 8 (4) before
    no_change    all values equal: ten of forty, whichever

`ratio` is ours over momentum, with a 90% interval by bootstrap over lists. Beside it: how often the true gain lies
within the 90% interval, and of what is said of an attribute (up, down, dying) how often the true share went the other
way. The null twins have tastes that never move, and views and reviews that say nothing (`drift`, `lead`, `reputation`
0): runs in which anything is said of an attribute, which chance lets happen in at most a share of q of them.

Where ../shared/data/online_retail is there, the long form also ranks the values that its product names say (colour,
material ...) at five days of 2011, and holds them against units sold: share in the next 8 weeks less that in the last
8, times the units a week of the attribute; momentum is the last 8 weeks less the 8 before. Nothing was chosen on it,
and there is no bar: what is sold is not all that was wanted.

One JSON line each. Everything was chosen with --development. Ends with 1 where the upper end of the ratio is below 1.2,
or where more null runs say something than chance lets in one of a hundred.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping
from datetime import UTC
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.stats import binom

from datong.ledger.state import State, state_of_tables
from datong.model.flow import AttributeOutlook, FloatArray
from datong.model.settings import ChainSettings
from datong.replay.twin.market import Market
from datong.replay.twin.parameters import COLOURS, SHAPES, Effects, TwinSettings
from datong.replay.twin.play import chain_settings, opened, seen
from datong.sense.attribute_findings import ATTRIBUTE_KINDS
from datong.sense.attribute_shares import attribute_shares, outlooks
from datong.sense.series import sale_rows, series_of_sales
from datong.sense.signals import TEST_SHARE, sense
from datong.statistics.tastes import BEFORE, WEEKS

PRODUCTS, HISTORY, LIST, FIRST = 15, 70, 5, 10
DEVELOPMENT, HELD_OUT, NULL_SEEDS = 1, 5001, 7001
NULL = Effects(lead=0.0, reputation=0.0, drift=0.0)
BAR, DRAWS = 1.2, 2000
HEARD = ("interest", "reviews")
VALUES = [("colour", colour) for colour in COLOURS] + [("shape", shape) for shape in SHAPES]
RETAIL = Path(__file__).resolve().parents[2] / "shared" / "data" / "online_retail" / "transactions.parquet"
ORIGINS, WEEK = ("2011-06-06", "2011-07-04", "2011-08-01", "2011-09-05", "2011-10-03"), pd.Timedelta(weeks=1)
RANKINGS = ("ours", "sales_alone", "momentum", "momentum_8", "momentum_4")


def twin(seed: int, effects: Effects) -> tuple[Market, dict[str, pa.Table]]:
    market = opened(TwinSettings(products=PRODUCTS, history_weeks=HISTORY, seed=seed, effects=effects))
    return market, seen(market, [])


def state_of(market: Market, tables: Mapping[str, pa.Table], deaf_to: tuple[str, ...] = ()) -> State:
    shown = {name: rows for name, rows in tables.items() if name not in deaf_to}
    return state_of_tables(chain_settings(market.settings), market.now, shown)


def members(market: Market) -> FloatArray:
    """(product, value) whether it has it."""
    truth = market.truth
    return np.concatenate(
        [truth.colour[:, None] == np.arange(len(COLOURS)), truth.shape[:, None] == np.arange(len(SHAPES))], axis=1
    ).astype(float)


def true_shares(market: Market, first: int, last: int) -> FloatArray:
    """(value) mean share of what buyers want in the weeks from first to before last."""
    shares = []
    for week in range(first, last):
        wants = np.exp(market.truth.utility(week))
        shares.append(wants / wants.sum() @ members(market))
    return np.mean(shares, axis=0)


def sold_shares(market: Market, tables: Mapping[str, pa.Table]) -> FloatArray:
    """(week, value) share of units sold."""
    place = {name: i for i, name in enumerate(market.truth.names)}
    units = np.zeros((HISTORY, PRODUCTS))
    for row in tables["sales"].to_pylist():
        units[(row["happened_at"] - market.moment(0)).days // 7, place[row["product"]]] += row["units"]
    return units @ members(market) / units.sum(axis=1, keepdims=True)


def told(state: State) -> dict[tuple[str, str], AttributeOutlook]:
    series = series_of_sales(state, sale_rows(state))
    shares = attribute_shares(state, series, np.zeros(len(series.bucket_starts), bool))
    return {} if shares is None else {(one.attribute, one.value): one for one in outlooks(shares)}


def scores(market: Market, tables: Mapping[str, pa.Table]) -> tuple[dict[str, FloatArray], FloatArray, int]:
    """(value) score by ranking, true gain, and how many of the intervals hold it."""
    ours, alone = told(state_of(market, tables)), told(state_of(market, tables, HEARD))
    sold = sold_shares(market, tables)
    found = {
        "ours": np.array([ours[value].gain_share for value in VALUES]),
        "sales_alone": np.array([alone[value].gain_share for value in VALUES]),
        "momentum": sold[-1] - sold[-1 - WEEKS],
        "momentum_8": sold[-8:].mean(axis=0) - sold[-16:-8].mean(axis=0),
        "momentum_4": sold[-4:].mean(axis=0) - sold[-8:-4].mean(axis=0),
    }
    gain = true_shares(market, HISTORY, HISTORY + WEEKS) - true_shares(market, HISTORY - WEEKS, HISTORY)
    ends = [(ours[value].gain_low_share, ours[value].gain_high_share) for value in VALUES]
    return found, gain, sum(bool(low <= g <= high) for g, (low, high) in zip(gain.tolist(), ends, strict=True))


def precision(score: FloatArray, gain: FloatArray) -> float:
    best = set(np.argsort(-gain, kind="stable")[:FIRST].tolist())
    return len(best & set(np.argsort(-score, kind="stable")[:FIRST].tolist())) / FIRST


def ranked(lists: int, first_seed: int) -> dict[str, object]:
    begun, held = time.perf_counter(), 0
    found = np.zeros((lists, len(RANKINGS)))
    for k in range(lists):
        parts = []
        for seed in range(first_seed + k * LIST, first_seed + (k + 1) * LIST):
            market, tables = twin(seed, Effects())
            parts.append(scores(market, tables))
            held += parts[-1][2]
        gain = np.concatenate([part[1] for part in parts])
        found[k] = [precision(np.concatenate([part[0][name] for part in parts]), gain) for name in RANKINGS]
    rng = np.random.default_rng(0)
    own, bar = RANKINGS.index("ours"), RANKINGS.index("momentum")
    drawn = found[rng.integers(0, lists, (DRAWS, lists))].mean(axis=1)
    low, high = np.quantile(drawn[:, own] / np.maximum(drawn[:, bar], 1e-9), (0.05, 0.95))
    return {
        "lists": lists,
        "precision_of_first_ten": {name: round(float(found[:, i].mean()), 3) for i, name in enumerate(RANKINGS)}
        | {"no_change": FIRST / (LIST * len(VALUES))},
        "ratio": round(float(found[:, own].mean() / found[:, bar].mean()), 3),
        "low": round(float(low), 3),
        "high": round(float(high), 3),
        "gain_within_interval": round(held / (lists * LIST * len(VALUES)), 3),
        "seconds": round(time.perf_counter() - begun, 1),
    }


def said(runs: int, first_seed: int, effects: Effects) -> dict[str, object]:
    """What whole runs of `sense` say of attributes."""
    begun, with_any, every, wrong = time.perf_counter(), 0, 0, 0
    for seed in range(first_seed, first_seed + runs):
        market, tables = twin(seed, effects)
        signals = [s for s in sense(state_of(market, tables)).signals if s.kind in ATTRIBUTE_KINDS]
        with_any += bool(signals)
        since = HISTORY - WEEKS
        late, before = true_shares(market, since, HISTORY), true_shares(market, since - BEFORE, since)
        change = dict(zip((f"{name}={value}" for name, value in VALUES), late - before, strict=True))
        every += len(signals)
        wrong += sum(float(change[s.subject.name]) * s.effect_share <= 0 for s in signals)
    return {
        "runs": runs,
        "runs_with_any": with_any,
        "said": every,
        "said_wrongly": wrong,
        "q": TEST_SHARE,
        "seconds": round(time.perf_counter() - begun, 1),
    }


def retail() -> dict[str, object]:
    """Online Retail (Chen 2015, UCI 352, CC BY 4.0): wholesale lines of 2,000 units and more left out."""
    rows = pq.read_table(RETAIL).to_pandas()
    rows = rows[(rows.quantity > 0) & (rows.quantity < 2000) & rows.description.notna()]
    names = rows.groupby("stock_code").description.agg(lambda told: told.value_counts().index[0])
    products = pa.table({"product": names.index.tolist(), "name": names.tolist()})
    rows["day"] = pd.to_datetime(rows.invoice_ts).dt.floor("D")
    sold = rows.groupby(["stock_code", "day"]).quantity.sum().reset_index()
    hits, values, held = {"ours": 0, "momentum": 0}, 0, 0
    for begin in ORIGINS:
        end, past = pd.Timestamp(begin), sold[sold.day < begin]
        sales = {
            "product": past.stock_code.tolist(),
            "units": past.quantity.astype(float).tolist(),
            "happened_at": [day.to_pydatetime().replace(tzinfo=UTC) for day in past.day],
        }
        moment = end.to_pydatetime().replace(tzinfo=UTC)
        state = state_of_tables(ChainSettings("retail"), moment, {"products": products, "sales": pa.table(sales)})
        series = series_of_sales(state, sale_rows(state))
        shares = attribute_shares(state, series, np.zeros(len(series.bucket_starts), bool))
        assert shares is not None, "two thousand products with names"
        edges = ((0, 8), (-8, 0), (-16, -8))
        spans = [sold[(sold.day >= end + a * WEEK) & (sold.day < end + b * WEEK)] for a, b in edges]
        by_product = [span.groupby("stock_code").quantity.sum() for span in spans]
        on_sale = {name for name, there in zip(shares.products, shares.panel.on_sale, strict=True) if there}
        own = {one.name: {p: v for p, v in one.values.items() if p in on_sale} for one in shares.attributes}
        found = []
        for one in outlooks(shares):
            units = [part[part.index.isin(own[one.attribute])] for part in by_product]
            ahead, late, before = (part.groupby(own[one.attribute]).sum() / part.sum() for part in units)
            late_share, size = float(late.get(one.value, 0.0)), float(units[1].sum()) / WEEKS
            gain = float(ahead.get(one.value, 0.0)) - late_share
            held += one.gain_low_share <= gain <= one.gain_high_share
            found.append((gain * size, one.gain_units, (late_share - float(before.get(one.value, 0.0))) * size))
        table = np.array(found)
        values += len(table)
        for k, name in enumerate(hits, start=1):
            hits[name] += round(FIRST * precision(table[:, k], table[:, 0]))
    return {
        "days": len(ORIGINS),
        "values_a_day": round(values / len(ORIGINS), 1),
        "precision_of_first_ten": {name: hit / FIRST / len(ORIGINS) for name, hit in hits.items()}
        | {"no_change": round(FIRST * len(ORIGINS) / values, 3)},
        "sold_gain_within_interval": round(held / values, 3),
    }


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--lists", type=int)
    parser.add_argument("--null", type=int)
    parser.add_argument("--development", action="store_true")
    options = parser.parse_args()
    first = DEVELOPMENT if options.development else HELD_OUT
    lists = options.lists or (3 if options.short else 20)
    runs = options.null or (4 if options.short else 60)
    part = {"part": "development" if options.development else "held_out"}
    if not options.short and RETAIL.is_file():
        say(json.dumps({"figure": "attributes_online_retail", **retail()}))
    gains = ranked(lists, first)
    say(json.dumps({"figure": "attributes_first_ten", **part, **gains}))
    say(json.dumps({"figure": "attributes_said", **part, **said(max(runs // 4, 2), first, Effects())}))
    null = said(runs, first + NULL_SEEDS, NULL)
    say(json.dumps({"figure": "attributes_null", **part, **null}))
    missed = ["ratio"] if gains["high"] < BAR else []
    missed += ["null"] if null["runs_with_any"] > binom.ppf(0.99, runs, TEST_SHARE) else []
    if missed:
        say(f"missed: {', '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
