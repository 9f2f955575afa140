"""Datong's forecast beside single models, on real weekly series: pinball loss, coverage, bias and seconds.

Run: .venv/bin/python benchmarks/forecast.py [--short | --launches]   (../shared/data; pip install 'datong[bench]')

Every model sees the same series up to the same origins. Losses are pinball losses at 5, 10, 25, 50, 75, 90 and 95 %,
each series scaled by its mean (at least 1 unit), averaged over levels, buckets ahead, series and origins. The figure is
Datong's over the best single peer's, less than 1 is better, with a paired 90 % interval: both losses of a series
together are drawn anew, series by series (bootstrap, 1,000 draws).

Coverage is that of the 80 % interval of a bucket, its ends included, which of small counts hold much more than 80 %. Of
the sums of 1 to 13 buckets (peers give no joint paths), with the model of all items together and without it, the
probability integral transform is told: the share of what came that lies in the middle 80 % of the forecast's chances, a
count that lies across the edge with the part of its chance within (Czado, Gneiting and Held 2009, Biometrics 65). A
calibrated forecast has 0.80 there, of counts too.
Bias is the sum of means over the sum of what came, less 1.
Peers: statsforecast's AutoETS, AutoTheta and SeasonalNaive (last year's week where two years are known, else the last
one) with their own intervals, CrostonOptimized with normal ones of its past errors, and one LightGBM for each quantile
in mlforecast (recursive; lags, rolling means, week, static attributes; series over their own mean).

Launches are items with 0 to 3 known weeks (0: first sold in the week that opens; of its paths those count that sell in
it), weekly origins, beside the stated prior alone (pooling="never") and two simple rivals: what launched items of the
category sold as many weeks after their first sale (quantiles of what was known by then), and for items with 1 to 3
weeks a negative binomial of variance m + m^2 about their own mean m. A series is scaled by its mean since its first
sale.
Online Retail's items are the largest of the whole year: one of them that comes late sells well, as nobody knew then.
Settings were chosen at the earlier origins (VN2 weeks 30 to 62, Online Retail 20 to 29), figures are of the later ones.

The script fails where Datong loses more than BAR times the best peer, where coverage, or the middle 80 % of sums,
leaves 60 to 95 %, where holidays or early orders do not help, or where launches lose more than LAUNCH_BAR times the
stated prior.
"""

import argparse
import importlib.util
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from unittest import mock

import holidays
import numpy as np
import pandas as pd
from scipy.stats import nbinom, norm
from statsforecast import models as sf

from datong.forecast import fit
from datong.forecast.fit import Pooling
from datong.forecast.paths import forecast
from datong.forecast.unknown_buckets import filled, first_known
from datong.model.flow import HolidayBucket, Item, Sensed, SeriesSet, nothing_learnt

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"
LEVELS = np.array([0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95])
HORIZON = 13
PATHS = 200
FEWEST_WEEKS = 9
BAR = 0.97
MOST_ITEMS = 1000
# Launches: most known weeks, paths, most loss over that of the stated prior, origins where nothing was chosen.
MOST_KNOWN, LAUNCH_PATHS, LAUNCH_BAR = 3, 400, 1.0
LAUNCH_ORIGINS = {
    "VN2": range(63, 107, 4),
    "Online Retail": range(30, 40),
    "Online Retail, top 3,000": range(30, 40, 3),
}
# A last word of the description names a category from so many products on.
FEWEST_NAMED = 10
# Datong without the model of all items together.
ALONE = "Datong, series"
DRAWS = 1000
# Weeks of a series whose stock-outs are simulated.
SEEN_WEEKS = 60


@dataclass(frozen=True)
class Weekly:
    """units: series by week (Mondays), NaN where unknown. known: units ordered before their week."""

    units: pd.DataFrame
    category: tuple[str, ...]
    origins: range
    country: str = ""
    known: np.ndarray | None = None
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def part(self, step: int, origins: range) -> "Weekly":
        """Every so many-th series."""
        return replace(
            self,
            units=self.units.iloc[::step],
            category=self.category[::step],
            origins=origins,
            known=None if self.known is None else self.known[::step],
            attributes={name: values[::step] for name, values in self.attributes.items()},
        )


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
    parts = [s.split("_") for s in units.index]
    attributes = {"department": tuple("_".join(p[2:]) for p in parts), "region": tuple(p[0] for p in parts)}
    category = tuple(p[2] for p in parts)
    return Weekly(units, category, range(110, 255, 36), "US", attributes=attributes | {"category_a": category})


def vn2() -> Weekly:
    rows = pd.read_parquet(DATA / "vn2" / "history_weekly.parquet")
    rows["known"] = rows["units"].where(rows["in_stock"]).astype(float)
    rows["week"] = pd.to_datetime(rows["week"])
    units = rows.pivot(index=["store", "product"], columns="week", values="known")
    master = pd.read_parquet(DATA / "vn2" / "master.parquet").set_index(["store", "product"]).loc[units.index]
    units.index = pd.Index([f"{s}_{p}" for s, p in units.index])
    names = {"category_a": "department_group", "category_b": "department", "category_c": "division"}
    names |= {"region": "store_format"}
    attributes = {a: tuple(master[n].astype(str)) for a, n in names.items()}
    return Weekly(units, attributes["category_a"], range(104, 144, 13), attributes=attributes)


def online_retail(items: int = MOST_ITEMS) -> Weekly:
    rows = pd.read_parquet(DATA / "online_retail" / "transactions.parquet")
    columns = {c.lower().replace("_", ""): c for c in rows.columns}
    moment = pd.to_datetime(rows[columns.get("invoicets") or columns["invoicedate"]])
    rows = pd.DataFrame({"product": rows[columns["stockcode"]], "units": rows[columns["quantity"]], "day": moment})
    rows = rows[rows["units"] > 0]
    rows["week"] = (rows["day"] - pd.to_timedelta(rows["day"].dt.weekday, unit="D")).dt.normalize()
    units = rows.groupby(["product", "week"])["units"].sum().unstack()
    weeks = pd.date_range(units.columns.min(), units.columns.max(), freq="7D")
    units = units.reindex(columns=weeks).fillna(0.0).iloc[:, 1:-1]
    units = units.loc[units.sum(axis=1).nlargest(items).index.sort_values()]
    return Weekly(
        units, ("",) * len(units), range(units.shape[1] - HORIZON - 16, units.shape[1] - HORIZON + 1, 8), "GB"
    )


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
        attributes=data.attributes,
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


# Quantiles (level, item, bucket) and means (item, bucket) of a set at an origin.
Answer = tuple[np.ndarray, np.ndarray]
Single = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def auto_ets(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return own_intervals(sf.AutoETS(season_length=1).forecast(y=y, h=HORIZON, level=[50, 80, 90]))


def auto_theta(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return own_intervals(sf.AutoTheta(season_length=1).forecast(y=y, h=HORIZON, level=[50, 80, 90]))


def seasonal_naive(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    model = sf.SeasonalNaive(52) if len(y) >= 104 else sf.Naive()
    return own_intervals(model.forecast(y=y, h=HORIZON, level=[50, 80, 90]))


def croston(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean = sf.CrostonOptimized().forecast(y=y, h=HORIZON)["mean"]
    past = np.array([y[t] - sf.CrostonClassic().forecast(y=y[:t], h=1)["mean"][0] for t in range(4, len(y), 4)])
    return mean + norm.ppf(LEVELS)[:, None] * np.nanstd(past), mean


def own_intervals(answer: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    names = ("lo-90", "lo-80", "lo-50", "mean", "hi-50", "hi-80", "hi-90")
    return np.stack([answer[n] for n in names]), answer["mean"]


SINGLE: dict[str, Single] = {
    "AutoETS": auto_ets,
    "AutoTheta": auto_theta,
    "CrostonOptimized": croston,
    "SeasonalNaive": seasonal_naive,
}


def one_by_one(peer: Single, sensed: Sensed) -> Answer:
    """One series at a time, not below 0 and not crossing."""
    units = sensed.series.units
    quantiles, means = np.zeros((len(LEVELS), len(units), HORIZON)), np.zeros((len(units), HORIZON))
    for i, row in enumerate(units):
        y = filled(row[first_known(row) :])
        if len(y) >= FEWEST_WEEKS and np.ptp(y) > 0:
            quantiles[:, i], means[i] = peer(y)
        elif len(y):
            quantiles[:, i], means[i] = y.mean(), y.mean()
    return np.sort(np.maximum(np.nan_to_num(quantiles), 0.0), axis=0), np.maximum(np.nan_to_num(means), 0.0)


def lightgbm_quantiles(sensed: Sensed) -> Answer:
    """mlforecast with one LightGBM for each level, all series together."""
    from lightgbm import LGBMRegressor
    from mlforecast import MLForecast
    from mlforecast.lag_transforms import RollingMean

    series = sensed.series
    frames, scale = [], np.ones(len(series.items))
    for i, row in enumerate(series.units):
        start = first_known(row)
        y = filled(row[start:])
        if not len(y) or y.mean() <= 0:
            continue
        scale[i] = y.mean()
        frame = {"unique_id": i, "ds": pd.to_datetime(list(series.bucket_starts[start:])), "y": y / scale[i]}
        static = {name: values[i] for name, values in series.attributes.items()}
        frames.append(pd.DataFrame(frame | static | {"log_mean": np.log(scale[i])}))
    table = pd.concat(frames, ignore_index=True)
    static_names = [*series.attributes, "log_mean"]
    for name in series.attributes:
        table[name] = table[name].astype("category")
    model = {"n_jobs": 1, "n_estimators": 100, "learning_rate": 0.05, "min_child_samples": 50, "verbosity": -1}
    models = {f"q{k}": LGBMRegressor(objective="quantile", alpha=a, **model) for k, a in enumerate(LEVELS)}
    found = MLForecast(
        models=models | {"mean": LGBMRegressor(objective="regression", **model)},
        freq="W-MON",
        lags=[1, 2, 3, 4, 8],
        lag_transforms={
            1: [RollingMean(4, min_samples=1), RollingMean(13, min_samples=1), RollingMean(26, min_samples=1)]
        },
        date_features=["week"],
        num_threads=1,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found.fit(table, static_features=static_names, dropna=False)
        ahead = found.predict(HORIZON)
    quantiles, means = np.zeros((len(LEVELS), len(series.items), HORIZON)), np.zeros((len(series.items), HORIZON))
    for i, rows in ahead.groupby("unique_id"):
        quantiles[:, i] = rows[[f"q{k}" for k in range(len(LEVELS))]].to_numpy().T * scale[i]
        means[i] = rows["mean"].to_numpy() * scale[i]
    return np.sort(np.maximum(quantiles, 0.0), axis=0), np.maximum(means, 0.0)


def peers() -> dict[str, Callable[[Sensed], Answer]]:
    result: dict[str, Callable[[Sensed], Answer]] = {
        name: (lambda sensed, peer=peer: one_by_one(peer, sensed)) for name, peer in SINGLE.items()
    }
    if importlib.util.find_spec("mlforecast") and importlib.util.find_spec("lightgbm"):
        result["LightGBM"] = lightgbm_quantiles
    else:
        say("mlforecast is not installed (pip install 'datong[bench]'): without LightGBM quantiles")
    return result


def pinball(actual: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """Mean over levels; quantiles: (level, ...)."""
    over = actual - quantiles
    level = LEVELS.reshape(-1, *([1] * actual.ndim))
    return np.maximum(level * over, (level - 1) * over).mean(axis=0)


def in_the_middle(actual: np.ndarray, paths: np.ndarray) -> np.ndarray:
    """(series with a known value) the part of it in the middle 80 % of the chances that paths (series, path) give."""
    known = ~np.isnan(actual)
    value, paths = actual[known, None], paths[known]
    below, upto = (paths < value).mean(axis=1), (paths <= value).mean(axis=1)
    inside = np.minimum(upto, 0.9) - np.maximum(below, 0.1)
    between = (below >= 0.1) & (below <= 0.9)
    return np.where(upto > below, np.maximum(inside, 0.0) / np.where(upto > below, upto - below, 1.0), between)


def compare(name: str, data: Weekly, bar: float) -> bool:
    """Prints one data set's lines; whether it is good enough."""
    actual_all = data.units.to_numpy(dtype=float)
    scale = np.maximum(np.nanmean(actual_all, axis=1), 1.0)[:, None]
    others = peers()
    loss: dict[str, list[np.ndarray]] = {k: [] for k in ("Datong", ALONE, *others)}
    hit: dict[str, list[np.ndarray]] = {k: [] for k in loss}
    total, seconds, came = dict.fromkeys(loss, 0.0), dict.fromkeys(loss, 0.0), 0.0
    joint: dict[str, list[list[np.ndarray]]] = {k: [[] for _ in range(HORIZON)] for k in ("Datong", ALONE)}
    for origin in data.origins:
        sensed = as_sensed(data, origin, with_known=False)
        actual = actual_all[:, origin : origin + HORIZON]
        reach = actual.shape[1]
        # Peers have no prior: items with fewer known weeks than they need are left out.
        ever = (~np.isnan(sensed.series.units)).sum(axis=1) >= FEWEST_WEEKS
        seen = ever[:, None] & ~np.isnan(actual)
        came += float(actual[seen].sum())
        for k in loss:
            started = time.perf_counter()
            if k in joint:
                pooling = "never" if k == ALONE else "auto"
                paths = forecast(sensed, nothing_learnt(), PATHS, 0, pooling).paths
                quantiles, means = np.quantile(paths, LEVELS, axis=1, method="inverted_cdf"), paths.mean(axis=1)
                for h in range(reach):
                    joint[k][h].append(
                        in_the_middle(actual[ever, : h + 1].sum(axis=1), paths[ever, :, : h + 1].sum(axis=2))
                    )
            else:
                quantiles, means = others[k](sensed)
            seconds[k] += time.perf_counter() - started
            by_cell = np.where(seen, pinball(actual, quantiles[:, :, :reach]) / scale, np.nan)
            loss[k].append(by_cell)
            held = (actual >= quantiles[1, :, :reach] - 1e-9) & (actual <= quantiles[-2, :, :reach] + 1e-9)
            hit[k].append(held[seen])
            total[k] += float(means[:, :reach][seen].sum())
    # (series) sum and number of its cells, over all origins.
    sums = {k: np.nansum(np.stack([np.nansum(x, axis=1) for x in v]), axis=0) for k, v in loss.items()}
    cells = np.sum([(~np.isnan(x)).sum(axis=1) for x in loss["Datong"]], axis=0)
    mean = {k: float(v.sum() / cells.sum()) for k, v in sums.items()}
    best = min(others, key=lambda k: mean[k])
    draws = np.random.default_rng(0).integers(0, len(cells), (DRAWS, len(cells)))
    ratio = sums["Datong"][draws].sum(axis=1) / sums[best][draws].sum(axis=1)
    low, high = np.quantile(ratio, [0.05, 0.95])
    over_best = mean["Datong"] / mean[best]
    say(f"{name}: {len(actual_all)} series, {len(data.origins)} origins")
    for k in loss:
        coverage, bias = float(np.concatenate(hit[k]).mean()), total[k] / came - 1
        say(f"  {k:17s} loss {mean[k]:.4f}  coverage {coverage:.2f}  bias {bias:+.3f}  {seconds[k]:6.1f} s")
    say(f"  Datong / {best}: {over_best:.3f} ({low:.3f} to {high:.3f})")
    sums_held = {k: [float(np.concatenate(found).mean()) for found in by_sum if found] for k, by_sum in joint.items()}
    for k in (ALONE, "Datong"):
        say(
            f"  in the middle 80 % of sums of 1 to {HORIZON} buckets, {k}: "
            + " ".join(f"{c:.2f}" for c in sums_held[k])
        )
    bucket_held = float(np.concatenate(hit["Datong"]).mean())
    calibrated = all(0.6 <= share <= 0.95 for share in sums_held["Datong"])
    return over_best < bar and 0.6 <= bucket_held <= 0.95 and calibrated


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


def censoring(data: Weekly) -> bool:
    """VN2's pairs that were never out of stock in SEEN_WEEKS: a fifth of their weeks, in runs of up to four, is taken.

    Bias of the forecast made from what is left against the one of the whole series: as unknown, and as zeros.
    """
    units = data.units.to_numpy(dtype=float)
    units = units[~np.isnan(units[:, -SEEN_WEEKS:]).any(axis=1), -SEEN_WEEKS:]
    names = [f"p{i:03d}" for i in range(len(units))]
    rng = np.random.default_rng(0)
    gone = np.zeros(units.shape, dtype=bool)
    while gone.mean() < 0.2:
        item, week = int(rng.integers(len(units))), int(rng.integers(1, SEEN_WEEKS))
        gone[item, week : week + int(rng.integers(1, 5))] = True
    versions = {"whole": units, "unknown": np.where(gone, np.nan, units), "zeros": np.where(gone, 0.0, units)}
    good = True
    for pooling in ("never", "auto"):
        mean = {}
        for k, seen in versions.items():
            frame = pd.DataFrame(seen, index=names, columns=data.units.columns[-SEEN_WEEKS:])
            sensed = as_sensed(Weekly(frame, ("",) * len(frame), range(0)), SEEN_WEEKS)
            mean[k] = forecast(sensed, nothing_learnt(), PATHS, 0, pooling).paths.mean(axis=(1, 2)).sum()
        unknown, zeros = mean["unknown"] / mean["whole"] - 1, mean["zeros"] / mean["whole"] - 1
        model = "all models" if pooling == "auto" else "models of single series"
        say(f"a fifth of the weeks out of stock, {model}: bias {unknown:+.3f} as unknown, {zeros:+.3f} as zeros")
        good = good and abs(unknown) < 0.5 * abs(zeros)
    return good


def named_online_retail(items: int = MOST_ITEMS) -> Weekly:
    """Online Retail with a category from the master data: the last word of the description (BAG, MUG, ..)."""
    data = online_retail(items)
    rows = pd.read_parquet(DATA / "online_retail" / "transactions.parquet").dropna(subset=["description"])
    text = rows.groupby("stock_code")["description"].agg(lambda names: names.mode().iloc[0]).reindex(data.units.index)
    word = text.fillna("").str.strip().str.split().str[-1].fillna("").str.rstrip("S")
    often = word.map(word.value_counts()) >= FEWEST_NAMED
    category = tuple(word.where(often, ""))
    return replace(data, category=category, attributes={"category_a": category})


def look_alikes(units: np.ndarray, category: tuple[str, ...], asked: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(level, asked item, bucket) quantiles of what launched items sold as many weeks after their first sale.

    units: (item, closed bucket); asked: items; known: (asked item) known weeks.
    """
    firsts = np.array([first_known(row) for row in units])
    came = firsts > firsts.min()
    result = np.zeros((len(LEVELS), len(asked), HORIZON))
    for a, (i, age) in enumerate(zip(asked, known, strict=True)):
        like = came & (np.array(category) == category[i])
        use = np.flatnonzero(like if like.sum() >= FEWEST_NAMED else came)
        for h in range(HORIZON):
            there = use[firsts[use] + age + h < units.shape[1]]
            sold = units[there, firsts[there] + age + h]
            sold = sold[~np.isnan(sold)]
            result[:, a, h] = np.quantile(sold, LEVELS) if len(sold) else result[:, a, h - 1]
    return result


def launch_paths(sensed: Sensed, pooling: Pooling, asked: np.ndarray, opens: np.ndarray) -> np.ndarray:
    """(asked item, path, bucket); of those that open in this week the paths that sell in it, in turn."""
    # What is asked is how much they sell, not when they begin.
    with mock.patch.object(fit, "launch_chance", lambda *_: 1.0):
        paths = forecast(sensed, nothing_learnt(), LAUNCH_PATHS, 0, pooling).paths[asked]
    for a in np.flatnonzero(opens):
        begun = paths[a][paths[a, :, 0] > 0]
        paths[a] = np.resize(begun, paths[a].shape) if len(begun) else paths[a]
    return paths


def launches(name: str, data: Weekly, origins: range) -> bool:
    """Prints what is said of items with hardly any history; whether it is good enough."""
    actual_all = data.units.to_numpy(dtype=float)
    scale = np.array([max(float(np.nanmean(row[int(np.argmax(row > 0)) :])), 1.0) for row in actual_all])
    ways: dict[str, Pooling | None] = {
        "Datong": "auto",
        "stated prior": "never",
        "look-alikes": None,
        "own weeks": None,
    }
    loss: dict[str, list[np.ndarray]] = {k: [] for k in ways}
    held: dict[str, list[np.ndarray]] = {k: [] for k in ways}
    sums: dict[str, list[list[np.ndarray]]] = {k: [[] for _ in range(HORIZON)] for k, p in ways.items() if p}
    total, came = dict.fromkeys(ways, 0.0), 0.0
    ages, series = [], []
    for origin in origins:
        sensed = as_sensed(data, origin, with_known=False)
        units = sensed.series.units
        known = (~np.isnan(units)).sum(axis=1)
        asked = np.flatnonzero(((known > 0) & (known <= MOST_KNOWN)) | ((known == 0) & (actual_all[:, origin] > 0)))
        if not len(asked):
            continue
        actual = actual_all[asked, origin : origin + HORIZON]
        reach = actual.shape[1]
        own = np.array([max(float(np.nanmean(units[i])), 0.05) if known[i] else np.nan for i in asked])
        ages.append(known[asked])
        series.append(asked)
        came += float(np.nansum(actual))
        for k, pooling in ways.items():
            if pooling:
                paths = launch_paths(sensed, pooling, asked, known[asked] == 0)
                quantiles = np.quantile(paths, LEVELS, axis=1, method="inverted_cdf")[:, :, :reach]
                total[k] += float(paths.mean(axis=1)[:, :reach][~np.isnan(actual)].sum())
                for h in range(reach):
                    sums[k][h].append(in_the_middle(actual[:, : h + 1].sum(axis=1), paths[:, :, : h + 1].sum(axis=2)))
            elif k == "look-alikes":
                quantiles = look_alikes(units, data.category, asked, known[asked])[:, :, :reach]
            else:
                by_item = nbinom.ppf(LEVELS[:, None], 1, 1 / (1 + own))
                quantiles = np.repeat(by_item[:, :, None], reach, axis=2)
            lost = np.full((len(asked), HORIZON), np.nan)
            lost[:, :reach] = pinball(actual, quantiles) / scale[asked, None]
            loss[k].append(lost)
            inside = (actual >= quantiles[1] - 1e-9) & (actual <= quantiles[-2] + 1e-9)
            held[k].append(inside[~np.isnan(actual)])
    age, item = np.concatenate(ages), np.concatenate(series)
    cells = {k: np.concatenate(v) for k, v in loss.items()}
    say(f"{name}, launches: {len(set(item))} series, {len(origins)} origins")
    for some, text in (
        (age == 0, "0 known weeks"),
        *((age == n, f"{n} known") for n in (1, 2, 3)),
        (age > 0, "1 to 3"),
    ):
        line = f"  {text:14s} {len(set(item[some])):4d} series"
        for k in list(ways)[1 : 3 if some[age == 0].any() else 4]:
            line += f"  over {k} {launch_ratio(cells['Datong'][some], cells[k][some], item[some])}"
        say(line)
    for k, by_sum in sums.items():
        middle = " ".join(f"{np.concatenate(found).mean():.2f}" for found in by_sum if found)
        bias, coverage = total[k] / came - 1, np.concatenate(held[k]).mean()
        say(f"  {k}: coverage {coverage:.2f}  bias {bias:+.3f}  in the middle 80 % of sums {middle}")
    ratio = float(np.nansum(cells["Datong"]) / np.nansum(cells["stated prior"]))
    say(f"  all over the stated prior: {launch_ratio(cells['Datong'], cells['stated prior'], item)}")
    return ratio < LAUNCH_BAR


def launch_ratio(ours: np.ndarray, other: np.ndarray, item: np.ndarray) -> str:
    """Loss over another's, with the paired 90 % interval over series; (row, bucket) losses and (row) series."""
    of = np.unique(item, return_inverse=True)[1]
    a = np.bincount(of, np.nansum(np.where(np.isnan(other), np.nan, ours), axis=1))
    b = np.bincount(of, np.nansum(np.where(np.isnan(ours), np.nan, other), axis=1))
    draws = np.random.default_rng(0).integers(0, len(a), (DRAWS, len(a)))
    low, high = np.quantile(a[draws].sum(axis=1) / b[draws].sum(axis=1), [0.05, 0.95])
    return f"{a.sum() / b.sum():.3f} ({low:.3f} to {high:.3f})"


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description="Datong's forecast beside single models.")
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--short", action="store_true", help="one origin on few series, under a minute")
    part.add_argument("--launches", action="store_true", help="only the items with hardly any history")
    asked = parser.parse_args()
    if not DATA.exists():
        say(f"{DATA} is not there: nothing to compare on")
        return 0
    started = time.perf_counter()
    sets = {"SupplyGraph": supplygraph, "M5 store-dept": m5, "VN2": vn2, "Online Retail": online_retail}
    late: dict[str, Callable[[], Weekly]] = {"VN2": vn2, "Online Retail": named_online_retail}
    late["Online Retail, top 3,000"] = lambda: named_online_retail(3000)
    if asked.launches:
        good = [launches(name, load(), LAUNCH_ORIGINS[name]) for name, load in late.items()]
    elif asked.short:
        short = {
            "M5 store-dept": (2, range(182, 183)),
            "VN2": (4, range(117, 118)),
            "Online Retail": (9, range(32, 33)),
        }
        good = [compare(name, sets[name]().part(*how), 1.0) for name, how in short.items()]
        good.append(censoring(vn2().part(3, range(0))))
        good.append(launches("Online Retail", named_online_retail().part(2, range(0)), range(31, 40, 4)))
    else:
        good = [compare(name, load(), BAR) for name, load in sets.items()]
        good += [known_calendar(supplygraph()), censoring(vn2())]
        good += [launches(name, load(), LAUNCH_ORIGINS[name]) for name, load in late.items()]
    say(f"{time.perf_counter() - started:.0f} s")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
