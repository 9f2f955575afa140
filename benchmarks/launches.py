"""Launches of a shop: weeks 4 to 12 forecast from the first 3 weeks of sales, beside a naive scale-up.

    python benchmarks/launches.py [--short] [--part development|test] [--pooling auto|never]

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
    asked = parser.parse_args()
    if not DATA.exists():
        sys.stdout.write(f"{DATA} is not there: nothing to compare on\n")
        return 0
    started = time.perf_counter()
    data = weekly()
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
