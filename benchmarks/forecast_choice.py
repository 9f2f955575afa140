"""Rolling-origin comparison of `forecast` with single models of statsforecast, on real series.

Run: .venv/bin/python benchmarks/forecast_choice.py   (about 40 s on one core; reads ../shared/data)

Losses are pinball losses at 5, 10, 25, 50, 75, 90 and 95 %, each series scaled by its mean (at least 1 unit), averaged
over buckets ahead, series and origins; they are shown as ratios to each peer measured in the same run: less than 1 is
better.
Coverage is that of the 80 % interval: of a bucket, of 4 and of all 13 buckets together (peers give no joint paths).
The script fails when a peer does better, when coverage leaves 60 to 95 %, or when holidays or early orders do not help.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import holidays
import numpy as np
import pandas as pd
from scipy.stats import norm
from statsforecast import models as sf

from datong.forecast.fill import filled, first_known
from datong.forecast.paths import forecast
from datong.model.flow import HolidayBucket, Item, Sensed, SeriesSet, nothing_learnt

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"
LEVELS = np.array([0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95])
HORIZON = 13
PATHS = 200
FEWEST_WEEKS = 9


@dataclass(frozen=True)
class Weekly:
    """units: series by week (Mondays), NaN where unknown. known: units ordered before their week."""

    units: pd.DataFrame
    category: tuple[str, ...]
    origins: range
    country: str = ""
    known: np.ndarray | None = None


def supplygraph() -> Weekly:
    """Orders of 41 products by due week, three days after the order."""
    rows = pd.read_parquet(DATA / "supplygraph" / "flows_daily.parquet")
    rows["date"] = pd.to_datetime(rows["date"])
    rows = rows[rows["date"] < "2023-08-09"]
    due = rows["date"] + pd.Timedelta(days=3)
    rows["week"] = due - pd.to_timedelta(due.dt.weekday, unit="D")
    units = rows.groupby(["product", "week"])["sales_order_units"].sum().unstack().iloc[:, :-1]
    early = rows[rows["date"] < rows["week"]].groupby(["product", "week"])["sales_order_units"].sum().unstack()
    early = early.reindex(index=units.index, columns=units.columns).fillna(0.0)
    group = pd.read_parquet(DATA / "supplygraph" / "products.parquet").set_index("product")["product_group"]
    category = tuple(str(group[p]) for p in units.index)
    return Weekly(units, category, range(12, 31, 2), "BD", early.to_numpy(dtype=float))


def m5() -> Weekly:
    rows = pd.read_parquet(DATA / "m5_store_dept" / "daily_sales.parquet")
    day = pd.to_datetime(rows["date"])
    rows["week"] = day - pd.to_timedelta(day.dt.weekday, unit="D")
    rows["series"] = rows["store_id"] + "_" + rows["dept_id"]
    units = rows.groupby(["series", "week"])["units"].sum().unstack().iloc[:, 3:-1]
    return Weekly(units, tuple(s.split("_")[2] for s in units.index), range(110, 255, 45), "US")


def vn2() -> Weekly:
    rows = pd.read_parquet(DATA / "vn2" / "history_weekly.parquet")
    rows["series"] = rows["store"].astype(str) + "_" + rows["product"].astype(str)
    rows["known"] = rows["units"].where(rows["in_stock"]).astype(float)
    rows["week"] = pd.to_datetime(rows["week"])
    units = rows.pivot(index="series", columns="week", values="known").iloc[::5]
    return Weekly(units, ("",) * len(units), range(108, 145, 18))


def online_retail() -> Weekly:
    rows = pd.read_parquet(DATA / "online_retail" / "transactions.parquet")
    columns = {c.lower().replace("_", ""): c for c in rows.columns}
    moment = pd.to_datetime(rows[columns.get("invoicets") or columns["invoicedate"]])
    rows = pd.DataFrame({"product": rows[columns["stockcode"]], "units": rows[columns["quantity"]], "day": moment})
    rows = rows[rows["units"] > 0]
    rows["week"] = (rows["day"] - pd.to_timedelta(rows["day"].dt.weekday, unit="D")).dt.normalize()
    units = rows.groupby(["product", "week"])["units"].sum().unstack()
    weeks = pd.date_range(units.columns.min(), units.columns.max(), freq="7D")
    units = units.reindex(columns=weeks).fillna(0.0).iloc[:, 1:-1]
    units = units[(units > 0).sum(axis=1) >= 5].iloc[::15]
    return Weekly(units, ("",) * len(units), range(20, 44, 8), "GB")


def as_sensed(data: Weekly, origin: int, with_holidays: bool = True, with_known: bool = True) -> Sensed:
    """What the sense stage would hand over when week `origin` opens."""
    count = len(data.units)
    units = data.units.to_numpy(dtype=float)[:, :origin].copy()
    for row in units:
        row[: np.argmax(row > 0) if (row > 0).any() else len(row)] = np.nan
    weeks = tuple(w.date() for w in data.units.columns[:origin])
    opened = tuple(weeks[-1] + timedelta(days=7 * (h + 1)) for h in range(HORIZON))
    known, history = np.zeros((count, HORIZON)), np.zeros((count, origin, 1))
    if data.known is not None and with_known:
        known[:, 0], history = data.known[:, origin], data.known[:, :origin, None]
    series = SeriesSet(
        items=tuple(Item(str(p), "all") for p in data.units.index),
        bucket_starts=weeks,
        horizon_starts=opened,
        units=units,
        sold_units=np.nan_to_num(units),
        availability=np.zeros((count, origin), dtype=np.int64),
        known_ahead_units=known,
        given_units=np.full((count, HORIZON), np.nan),
        known_ahead_history=history,
        holidays=holiday_buckets(data.country, (*weeks, *opened)) if with_holidays else (),
        category=data.category,
    )
    return Sensed(series, ())


def holiday_buckets(country: str, weeks: tuple[date, ...]) -> tuple[HolidayBucket, ...]:
    if not country:
        return ()
    days: dict[tuple[date, str], int] = {}
    for day, names in holidays.country_holidays(country, years=range(weeks[0].year, weeks[-1].year + 1)).items():
        for name in names.split("; "):
            key = (day - timedelta(days=day.weekday()), name)
            days[key] = days.get(key, 0) + 1
    return tuple(HolidayBucket(w, name, n) for (w, name), n in sorted(days.items()) if w in set(weeks))


Peer = Callable[[np.ndarray], np.ndarray]


def auto_ets(y: np.ndarray) -> np.ndarray:
    return own_intervals(sf.AutoETS(season_length=1).forecast(y=y, h=HORIZON, level=[50, 80, 90]))


def seasonal_naive(y: np.ndarray) -> np.ndarray:
    """Last year's week where two years are known, else the last week."""
    model = sf.SeasonalNaive(52) if len(y) >= 104 else sf.Naive()
    return own_intervals(model.forecast(y=y, h=HORIZON, level=[50, 80, 90]))


def window_average(y: np.ndarray) -> np.ndarray:
    """Mean of 8 weeks; statsforecast has no intervals for it, so normal ones with the deviation of its past errors."""
    mean = sf.WindowAverage(8).forecast(y=y, h=HORIZON)["mean"]
    past = np.array([y[t] - y[max(t - 8, 0) : t].mean() for t in range(4, len(y))])
    return mean + norm.ppf(LEVELS)[:, None] * past.std()


PEERS: dict[str, Peer] = {"AutoETS": auto_ets, "SeasonalNaive": seasonal_naive, "WindowAverage8": window_average}


def own_intervals(answer: dict[str, np.ndarray]) -> np.ndarray:
    return np.stack([answer[n] for n in ("lo-90", "lo-80", "lo-50", "mean", "hi-50", "hi-80", "hi-90")])


def peer_quantiles(peer: Peer, units: np.ndarray) -> np.ndarray:
    """(level, item, bucket), one series at a time, not below 0 and not crossing."""
    result = np.zeros((len(LEVELS), len(units), HORIZON))
    for i, row in enumerate(units):
        y = filled(row[first_known(row) :])
        usable = len(y) >= FEWEST_WEEKS and np.ptp(y) > 0
        result[:, i] = peer(y) if usable else (y.mean() if len(y) else 0.0)
    return np.sort(np.maximum(np.nan_to_num(result), 0.0), axis=0)


def pinball(actual: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """Mean over levels; quantiles: (level, ...)."""
    over = actual - quantiles
    level = LEVELS.reshape(-1, *([1] * actual.ndim))
    return np.maximum(level * over, (level - 1) * over).mean(axis=0)


def covered(actual: np.ndarray, paths: np.ndarray) -> np.ndarray:
    low, high = np.quantile(paths, [0.1, 0.9], axis=1, method="inverted_cdf")
    return ((actual >= low) & (actual <= high))[~np.isnan(actual)]


def compare(name: str, data: Weekly) -> bool:
    """Prints one data set's line; whether it is good enough."""
    actual_all = data.units.to_numpy(dtype=float)
    scale = np.maximum(np.nanmean(actual_all, axis=1), 1.0)[:, None]
    loss: dict[str, list[np.ndarray]] = {k: [] for k in ("ours", *PEERS)}
    cover: dict[int, list[np.ndarray]] = {1: [], 4: [], HORIZON: []}
    seconds = 0.0
    for origin in data.origins:
        sensed = as_sensed(data, origin, with_known=False)
        started = time.perf_counter()
        paths = forecast(sensed, nothing_learnt(), PATHS, 0).paths
        seconds += time.perf_counter() - started
        actual = actual_all[:, origin : origin + HORIZON]
        # Peers have no prior: items with fewer known weeks than they need are left out.
        ever = (~np.isnan(sensed.series.units)).sum(axis=1) >= FEWEST_WEEKS
        reach = actual.shape[1]
        answers = {"ours": np.quantile(paths, LEVELS, axis=1)}
        answers |= {k: peer_quantiles(peer, sensed.series.units) for k, peer in PEERS.items()}
        for k, quantiles in answers.items():
            loss[k].append((pinball(actual, quantiles[:, :, :reach]) / scale)[ever])
        for buckets, found in cover.items():
            if buckets == 1:
                found += [covered(actual[ever, h], paths[ever, :, h]) for h in range(reach)]
            elif reach >= buckets:
                found.append(covered(actual[ever, :buckets].sum(axis=1), paths[ever, :, :buckets].sum(axis=2)))
    mean = {k: float(np.nanmean(np.concatenate([x.ravel() for x in v]))) for k, v in loss.items()}
    ratio = {k: mean["ours"] / mean[k] for k in PEERS}
    coverage = {k: float(np.concatenate(v).mean()) for k, v in cover.items()}
    say(
        f"{name:14s} {len(actual_all):4d} series  "
        + "  ".join(f"/{k} {v:.3f}" for k, v in ratio.items())
        + "  coverage "
        + " ".join(f"{k}:{v:.2f}" for k, v in coverage.items())
        + f"  {1000 * seconds / len(data.origins) / len(actual_all):.1f} ms a series"
    )
    return max(ratio.values()) < 1.0 and all(0.6 <= c <= 0.95 for c in coverage.values())


def known_calendar(data: Weekly) -> bool:
    """SupplyGraph: what holidays are worth at Eid al-Adha and elsewhere, and early orders in the first bucket."""
    actual_all = data.units.to_numpy(dtype=float)
    weeks = [w.date() for w in data.units.columns]
    feast = weeks.index(date(2023, 6, 26))
    total = dict.fromkeys(("plain", "holidays", "both"), 0.0)
    first, at_feast = dict(total), dict(total)
    for origin in range(12, 31):
        actual = actual_all[:, origin : origin + HORIZON]
        for k, options in (("plain", (False, False)), ("holidays", (True, False)), ("both", (True, True))):
            paths = forecast(as_sensed(data, origin, *options), nothing_learnt(), PATHS, 0).paths
            lost = pinball(actual, np.quantile(paths, LEVELS, axis=1)[:, :, : actual.shape[1]]).sum(axis=0)
            total[k] += float(lost.sum())
            first[k] += float(lost[0])
            if 17 <= origin <= feast:  # the feast before is known, this one is still to come
                at_feast[k] += float(lost[feast - origin])
    feast_ratio = at_feast["holidays"] / at_feast["plain"]
    rest = (total["holidays"] - at_feast["holidays"]) / (total["plain"] - at_feast["plain"])
    ahead = first["both"] / first["holidays"]
    say(f"holidays / none: week of Eid al-Adha {feast_ratio:.3f}, all other weeks {rest:.3f}")
    say(f"early orders / none: first bucket {ahead:.3f}, all buckets {total['both'] / total['holidays']:.3f}")
    return feast_ratio < 0.8 and rest < 1.05 and ahead < 0.85


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


def main() -> int:
    started = time.perf_counter()
    sets = {"SupplyGraph": supplygraph, "M5 store-dept": m5, "VN2": vn2, "Online Retail": online_retail}
    good = [compare(name, load()) for name, load in sets.items()]
    good.append(known_calendar(supplygraph()))
    say(f"{time.perf_counter() - started:.0f} s")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
