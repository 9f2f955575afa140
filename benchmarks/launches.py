"""Launches of a shop: weeks 4 to 12 forecast from the first 3 weeks of sales, beside a naive scale-up.

    python benchmarks/launches.py [--short] [--part development|test] [--pooling auto|never] [--ceiling]

Online Retail (../shared/data), weekly units of whatever was sold at a price, less what was cancelled on the same day. A
launch is a product whose first sale lies LEAST_BEFORE weeks or more after the data begin. For each week that closes as
the third of some launches, all products known then are forecast together, by the code that users run; weeks 4 to 12 of
these launches are held against what came. Category: the last word of the description.

Naive: the mean of the 3 weeks carried forward, and about it the empirical quantiles of (week over that mean), week by
week, of all launches of the development part. It knows how these went on later than the forecast may know.

One JSON line for Datong, and one for it without forecast/just_launched.py: pinball loss at 5, 10, 25, 50, 75, 90 and
95 %, mean over launches, weeks and levels, over that of the naive one, with a paired 90 % interval (bootstrap over
launches); `scaled` has the losses of a launch over the mean of its 3 weeks, so that all launches count alike.
coverage_80: of the 80 % interval of a week, its ends included.

Products are split by a hash of their code; everything was chosen on the development part. The script fails where the
loss of the part that was asked is not below BAR of the naive one (the short form, one in SHORT_STEP weeks: 1.0).
Without LightGBM, as Datong is installed by default, unless --pooling auto is given.

--ceiling forecasts nothing that a chain could: quantiles by boosted trees (LightGBM) that learn from all launches of
the development part, with all that came of them later, as the naive one does. `weeks` reads the 3 weeks of units;
`orders` also price, order lines, buyers, largest line, share from abroad and week of the year. What is not found with
more knowledge than there can be, will hardly be found with less. Launches of the development part are held out by
fifths.
"""

import argparse
import hashlib
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from datong.forecast.across_items import share
from datong.forecast.draw import draw
from datong.forecast.fit import Pooling, fit, see
from datong.model.flow import nothing_learnt
from forecast import LEVELS, Weekly, as_sensed, pinball

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "online_retail" / "transactions.parquet"
KNOWN, LAST = 3, 12
LEAST_BEFORE = 8
PATHS, DRAWS = 400, 1000
BAR, SHORT_BAR, SHORT_STEP = 0.85, 1.0, 4
FEWEST_NAMED = 10
# Trees of the ceiling, chosen in fifths of the development part.
TREES: dict[str, object] = {"num_leaves": 5, "learning_rate": 0.05, "lambda_l2": 5.0, "verbosity": -1, "num_threads": 1}
ROUNDS, FEWEST_IN_LEAF, HOME, FOLDS = 120, 25, "United Kingdom", 5
WITHOUT = "without windows"


def hashed(code: str, salt: str) -> float:
    """0 to 1."""
    return int.from_bytes(hashlib.sha256(f"{salt}\x1f{code}".encode()).digest()[:8], "little") / 2**64


def sold() -> pd.DataFrame:
    """Lines sold at a price, of products, without those that were cancelled on the same day."""
    rows = pd.read_parquet(DATA)
    rows = rows[(rows["unit_price"] > 0) & rows["stock_code"].str.match(r"^(\d{5}|DCGS)")]
    rows = rows.assign(day=rows["invoice_ts"].dt.normalize(), size=rows["quantity"].abs())
    key = ["customer_id", "stock_code", "day", "size"]
    back = rows[rows["quantity"] < 0][key].drop_duplicates().assign(cancelled=True)
    rows = rows[rows["quantity"] > 0].merge(back, on=key, how="left")
    return rows[rows["cancelled"].isna() | rows["customer_id"].isna()]


def weekly() -> Weekly:
    """Whole weeks."""
    rows = sold()
    monday = rows["day"] - pd.to_timedelta(rows["day"].dt.weekday, unit="D")
    units = rows.groupby(["stock_code", monday])["quantity"].sum().unstack()
    weeks = pd.date_range(units.columns.min(), units.columns.max(), freq="7D")
    units = units.reindex(columns=weeks).fillna(0.0).iloc[:, 1:-1]
    units = units[units.sum(axis=1) > 0]
    text = rows.groupby("stock_code")["description"].agg(lambda names: names.mode().iloc[0]).reindex(units.index)
    word = text.str.strip().str.split().str[-1].str.rstrip("S")
    category = tuple(word.where(word.map(word.value_counts()) >= FEWEST_NAMED, ""))
    return Weekly(units, category, range(0), "GB", attributes={"category_a": category})


def only(data: Weekly, rows: np.ndarray) -> Weekly:
    attributes = {name: tuple(values[i] for i in rows) for name, values in data.attributes.items()}
    category = tuple(data.category[i] for i in rows)
    return Weekly(data.units.iloc[rows], category, data.origins, data.country, attributes=attributes)


def launched(data: Weekly) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(launch) row, first week, mean of the known weeks, and (launch, week 4 to 12) what came."""
    units = data.units.to_numpy(dtype=float)
    first = (units > 0).argmax(axis=1)
    rows = np.flatnonzero((first >= LEAST_BEFORE) & (first + LAST <= units.shape[1]))
    course = units[rows[:, None], first[rows, None] + np.arange(LAST)]
    return rows, first[rows], course[:, :KNOWN].mean(axis=1), course[:, KNOWN:]


def in_development(data: Weekly, rows: np.ndarray) -> np.ndarray:
    return np.array([hashed(code, "part") < 0.5 for code in data.units.index[rows]])


def forecast_launches(data: Weekly, rows: np.ndarray, first: np.ndarray, pooling: Pooling) -> dict[str, np.ndarray]:
    """(level, launch, week 4 to 12) quantiles, with forecast/just_launched.py and without. rows, first: (launch) its
    row and its first week."""
    result = {name: np.zeros((len(LEVELS), len(rows), LAST - KNOWN)) for name in ("Datong", WITHOUT)}
    for origin in np.unique(first + KNOWN):
        known = np.flatnonzero(data.units.to_numpy()[:, :origin].any(axis=1))
        at = np.flatnonzero(first + KNOWN == origin)
        asked = np.searchsorted(known, rows[at]).tolist()
        # What forecast/paths.py does, of which only the launches are drawn.
        seen = see(as_sensed(only(data, known), int(origin)), pooling)
        shared = share(seen, fit(seen, range(len(known))))
        for name, how in (("Datong", shared), (WITHOUT, replace(shared, begun={}))):
            paths = draw(seen, how, nothing_learnt(), asked, PATHS, 0)[:, :, : LAST - KNOWN]
            result[name][:, at] = np.quantile(paths, LEVELS, axis=1, method="inverted_cdf")
    return result


def facts(data: Weekly, rows: np.ndarray, first: np.ndarray) -> dict[str, np.ndarray]:
    """(launch, fact) what the first weeks show: in units, and in orders too."""
    lines = sold()
    monday = lines["day"] - pd.to_timedelta(lines["day"].dt.weekday, unit="D")
    by_code = dict(list(lines.assign(week=monday).groupby("stock_code")))
    units = data.units.to_numpy(dtype=float)[rows[:, None], first[:, None] + np.arange(KNOWN)]
    mean = units.mean(axis=1, keepdims=True)
    weeks = np.column_stack((np.log(mean), np.log((units + 0.5 * mean) / (1.5 * mean)), (units > 0).sum(axis=1)))
    orders = []
    for row, at in zip(rows, first, strict=True):
        own = by_code[data.units.index[row]]
        own = own[own["week"].isin(data.units.columns[at : at + KNOWN])]
        largest, abroad = own["quantity"].max() / own["quantity"].sum(), (own["country"] != HOME).mean()
        of_orders = [own["unit_price"].mean(), len(own), own["customer_id"].nunique() + 1, largest]
        orders.append([*np.log(of_orders), abroad, at])
    return {"weeks": weeks, "orders": np.hstack((weeks, orders))}


def trees(seen: np.ndarray, level: np.ndarray, came: np.ndarray, learn: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """(level, launch asked, week 4 to 12) quantiles, learnt from the launches of `learn`; (launch) both."""
    import lightgbm

    ahead = came.shape[1]
    rows = np.hstack((seen.repeat(ahead, axis=0), np.tile(np.arange(ahead), len(seen))[:, None]))
    target, learnt = (came / level[:, None]).ravel(), learn.repeat(ahead)
    result = []
    for at in LEVELS:
        settings = TREES | {"objective": "quantile", "alpha": at, "min_data_in_leaf": FEWEST_IN_LEAF * ahead}
        sample = lightgbm.Dataset(rows[learnt], target[learnt], weight=level.repeat(ahead)[learnt])
        said = lightgbm.train(settings, sample, ROUNDS).predict(rows[asked.repeat(ahead)], num_threads=1)
        result.append(np.maximum(np.asarray(said), 0.0).reshape(-1, ahead) * level[asked, None])
    return np.sort(np.array(result), axis=0)


def ceiling(data: Weekly, part: str) -> None:
    rows, first, level, came = launched(data)
    development = in_development(data, rows)
    cuts = [(development, ~development)]
    if part == "development":
        fifth = np.zeros(len(rows), dtype=int)
        fifth[np.random.default_rng(1).permutation(np.flatnonzero(development))] = np.arange(development.sum()) % FOLDS
        cuts = [(development & (fifth != fold), development & (fifth == fold)) for fold in range(FOLDS)]
    for name, seen in facts(data, rows, first).items():
        ours, naive = [], []
        for learn, asked in cuts:
            ratios = np.quantile((came / level[:, None])[learn], LEVELS, axis=0)
            naive.append(pinball(came[asked], ratios[:, None, :] * level[asked, None]).mean(axis=1))
            ours.append(pinball(came[asked], trees(seen, level, came, learn, asked)).mean(axis=1))
        figure = over(np.concatenate(ours), np.concatenate(naive))
        say({"forecast": f"ceiling by {name}", "part": part, "launches": sum(map(len, ours))}, figure)


def over(ours: np.ndarray, naive: np.ndarray) -> dict[str, float]:
    """Ratio of summed losses of launches, with its paired 90 % interval."""
    draws = np.random.default_rng(0).integers(0, len(ours), (DRAWS, len(ours)))
    low, high = np.quantile(ours[draws].sum(axis=1) / naive[draws].sum(axis=1), [0.05, 0.95])
    return {"over_naive": ours.sum() / naive.sum(), "low": float(low), "high": float(high)}


def say(about: dict[str, object], figures: dict[str, float]) -> None:
    sys.stdout.write(json.dumps(about | {k: round(v, 3) for k, v in figures.items()}) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description="Launches from their first 3 weeks, beside a naive scale-up.")
    parser.add_argument("--short", action="store_true", help=f"one in {SHORT_STEP} weeks")
    parser.add_argument("--part", choices=("development", "test"), default="test")
    parser.add_argument("--pooling", choices=("auto", "never"), default="never", help="never: without LightGBM")
    parser.add_argument("--ceiling", action="store_true", help="what is found in more knowledge than there can be")
    asked = parser.parse_args()
    if not DATA.exists():
        sys.stdout.write(f"{DATA} is not there: nothing to compare on\n")
        return 0
    started = time.perf_counter()
    data = weekly()
    if asked.ceiling:
        ceiling(data, asked.part)
        return 0
    rows, first, level, came = launched(data)
    ratios = np.quantile((came / level[:, None])[in_development(data, rows)], LEVELS, axis=0)
    some = in_development(data, rows) == (asked.part == "development")
    if asked.short:
        some &= first % SHORT_STEP == 0
    rows, first, level, came = rows[some], first[some], level[some], came[some]
    naive = pinball(came, ratios[:, None, :] * level[:, None]).mean(axis=1)
    about = {"part": asked.part, "launches": len(rows), "pooling": asked.pooling, "short": asked.short}
    ratio = {}
    for name, quantiles in forecast_launches(data, rows, first, asked.pooling).items():
        ours = pinball(came, quantiles).mean(axis=1)
        held = (came >= quantiles[1] - 1e-9) & (came <= quantiles[-2] + 1e-9)
        figure = over(ours, naive)
        scaled = over(ours / level, naive / level)
        more = {f"scaled_{k}": v for k, v in scaled.items()} | {"coverage_80": float(held.mean())}
        say({"forecast": name, **about}, figure | more)
        ratio[name] = figure["over_naive"]
    say({"seconds": round(time.perf_counter() - started)}, {})
    return 0 if ratio["Datong"] < (SHORT_BAR if asked.short else BAR) else 1


if __name__ == "__main__":
    sys.exit(main())
