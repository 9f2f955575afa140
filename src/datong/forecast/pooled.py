"""One model for all items of a chain: gradient boosting over what they have in common.

A series by itself tells little where it is short, rarely sold or a year old; thousands of them together tell how demand
of this kind goes on. The model is direct: one row is an item, a bucket t that opens, and a distance h; its features
are what was known when t opened, its target the demand of bucket t + h (Salinas et al. 2020 and Montero-Manso and
Hyndman 2021, Int. J. Forecasting 37, say why one model for all can do what one for each can not).

Large and small items pool because all units are over the item's own level s, a mean of its last year in which the last
quarter counts three times:

    units ~ NB(mean m = s * f(features),  variance m + phi m^2),   log phi = a + b log m + g(features)

f is fitted by the Poisson likelihood with weights s / (1 + s/2), which are those of the negative binomial at phi = 1/2;
g by the negative binomial's own likelihood on weeks that f had not seen. Both are LightGBM (Ke et al. 2017), on one
thread and with fixed seeds, so that the same series give the same bytes. Unknown buckets (not there yet, or without
stock) are neither targets nor zeros in any feature: a mean is that of the known ones.

Years: what comes next over what was just before, of the item and of every group it belongs to, in the same weeks of one
and of two years ago.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import digamma, gammaln

from datong.forecast.unknown_buckets import first_known
from datong.model.flow import BoolArray, FloatArray, IntArray, SeriesSet

# Used from so many items and buckets on, and so many known item-buckets in all: with less there is little to pool.
FEWEST_ITEMS, FEWEST_BUCKETS, FEWEST_CELLS = 50, 20, 4000
# Rows of training: (item, origin, distance). More cost time and, beyond this, gain nothing that can be measured.
MOST_ROWS = 120_000
# Origins go back so far, but never into an item's first buckets of all.
FURTHEST_ORIGIN, FIRST_ORIGIN = 104, 13
# The last buckets, but at most this share of all, are kept from a first fit: on them the spread and the weights are
# found. So many origins among them, evenly spread, are also forecast by the models of single series.
HELD_OUT_BUCKETS, HELD_OUT_SHARE = 40, 1 / 3
BLEND_ORIGINS = 8
WINDOWS, LAGS, EMPTY_WINDOWS, SPREAD_WINDOWS = (2, 4, 8, 13, 26, 52), (1, 2, 3, 4, 5, 6, 8), (4, 13, 52), (13, 52)
YEARS = (52, 104)
# A group of items has features of its own when it has on average so many items; a category may have so many values.
FEWEST_IN_GROUP, MOST_VALUES = 4, 60
# The median level of all items counts as so many buckets of an item's own.
PRIOR_BUCKETS = 2.0
# A target beyond this many levels is cut, so that one bulk order does not bend the trees.
MOST_LEVELS = 30.0
# Items that are not counted in whole units are put to this mean, where the Poisson part of the variance is nothing.
MEASURED_MEAN = 100.0
# Boosting of the mean and of log phi. The last leaf holds at least this share of the rows, up to so many of them.
MEAN_ROUNDS, SPREAD_ROUNDS = 200, 80
MEAN_LEAF, SPREAD_LEAF, LEAF_SHARE = 200, 400, 0.005
LOG_PHI = (-5.0, 3.0)

_COMMON = {
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
    "max_bin": 63,
    "feature_fraction": 0.5,
    "seed": 1,
}
_MEAN = _COMMON | {
    "objective": "poisson",
    "learning_rate": 0.05,
    "num_leaves": 31,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
}
_SPREAD = _COMMON | {"learning_rate": 0.1, "num_leaves": 8}


@dataclass(frozen=True, eq=False)
class Pooled:
    """The model's forecast and what it would have said before.

    mean, phi: (item, bucket ahead). origins: (origin) closed buckets at whose opening it was tried, without having
    seen what followed. tested, tested_phi: (item, origin, bucket ahead) its mean then, and its spread. learnt_season:
    then it had hardly seen what a year before tells, and by now it has.
    """

    mean: FloatArray
    phi: FloatArray
    origins: IntArray
    tested: FloatArray
    tested_phi: FloatArray
    learnt_season: bool = False


def is_installed() -> bool:
    """Whether LightGBM is there and loads: its library needs libgomp, which a bare system can lack."""
    try:
        import lightgbm  # noqa: F401
    except (ImportError, OSError):
        return False
    return True


def has_enough(units: FloatArray, bucket_days: int) -> bool:
    """Whether a chain has enough to pool: weekly, FEWEST_ITEMS items and FEWEST_CELLS known item-buckets. units: (item,
    closed bucket)."""
    items, closed = units.shape
    known = int(np.count_nonzero(~np.isnan(units)))
    return bucket_days == 7 and items >= FEWEST_ITEMS and closed >= FEWEST_BUCKETS and known >= FEWEST_CELLS


def pooled_forecast(series: SeriesSet, units: FloatArray, whole: BoolArray) -> Pooled | None:
    """Mean and spread of every item in every open bucket; None where all that there is to learn from is nothing sold.

    units: (item, closed bucket) NaN where unknown, without the effect of moving holidays. whole: (item).
    """
    closed, horizon = units.shape[1], len(series.horizon_starts)
    level = _levels(units)
    scale = np.where(whole | (level <= 0), 1.0, MEASURED_MEAN / np.where(level > 0, level, 1.0))
    past = past_of(series, units * scale[:, None])
    cut = closed - min(HELD_OUT_BUCKETS, int(HELD_OUT_SHARE * closed))
    first = max(FIRST_ORIGIN, closed - FURTHEST_ORIGIN)
    every = _rows(past, _pairs(len(units), first, closed, horizon))
    before = every.take(every.ends < cut)
    if not np.nansum(before.target) > 0:
        return None
    # Each fit runs on one thread; LightGBM lets go of the interpreter meanwhile.
    with ThreadPoolExecutor(2) as two:
        fits = [two.submit(_fit_mean, rows) for rows in (before, every)]
        earlier, final = (fit.result() for fit in fits)
    held = _rows(past, _pairs(len(units), cut, closed, horizon))
    held_mean = _mean(earlier, held)
    spread = _fit_spread(held, held_mean)
    origins = np.unique(np.linspace(cut, closed - 1, BLEND_ORIGINS).round().astype(np.int64))
    mean, phi = _at_origin(past, closed, horizon, final, spread)
    # One origin after another: the features of all of them together are most of the memory of a large chain.
    tested, tested_phi = zip(*(_at_origin(past, int(t), horizon, earlier, spread) for t in origins), strict=True)
    return Pooled(
        mean / scale[:, None],
        phi,
        origins,
        np.stack(tested, axis=1) / scale[:, None, None],
        np.stack(tested_phi, axis=1),
        cut < YEARS[0] + 2 * FIRST_ORIGIN <= closed,
    )


# what is known ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Group:
    """code: (item) of its members' group. ratio: (group, bucket) units of the known items over their levels then."""

    name: str
    code: IntArray
    ratio: FloatArray


@dataclass(frozen=True, eq=False)
class Past:
    """What was sold. units: (item, bucket), NaN where unknown. sums, squares, empty, known: (item, bucket + 1), from
    the first bucket to each: units, their squares, empty buckets and known ones. first: (item) first known bucket.
    groups: by what items are pooled. labels: (item, label) codes of what they have in common, label_names their names.
    year_day: (bucket) day of the year on which it begins, 1 to 366."""

    units: FloatArray
    sums: FloatArray
    squares: FloatArray
    empty: FloatArray
    known: FloatArray
    first: IntArray
    groups: tuple[_Group, ...]
    labels: FloatArray
    label_names: tuple[str, ...]
    year_day: FloatArray

    def mean(self, at: int, buckets: int, sums: FloatArray | None = None) -> FloatArray:
        """(item) mean over the known of the last `buckets` before `at`; NaN where none is."""
        total = self.sums if sums is None else sums
        start, end = max(at - buckets, 0), max(at, 0)
        count = self.known[:, end] - self.known[:, start]
        return np.where(count > 0, (total[:, end] - total[:, start]) / np.maximum(count, 1), np.nan)

    def level(self, at: int) -> FloatArray:
        """(item) s of the module's equations, above 0."""
        quarter, year = max(at - 13, 0), max(at - 52, 0)
        total = 3 * self.sums[:, at] - 2 * self.sums[:, quarter] - self.sums[:, year]
        count = 3 * self.known[:, at] - 2 * self.known[:, quarter] - self.known[:, year]
        known = self.known[:, at]
        means = self.sums[known > 0, at] / known[known > 0]
        usual = float(np.median(means[means > 0])) if (means > 0).any() else 1.0
        return (total + PRIOR_BUCKETS * usual) / (count + PRIOR_BUCKETS)


def _levels(units: FloatArray) -> FloatArray:
    known = ~np.isnan(units)
    return np.where(known, units, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)


def past_of(series: SeriesSet, units: FloatArray) -> Past:
    known = ~np.isnan(units)

    def running(values: FloatArray) -> FloatArray:
        return np.pad(np.cumsum(np.where(known, values, 0.0), axis=1), ((0, 0), (1, 0)))

    labels = _labels(series)
    coded = [(name, _codes(values)) for name, values in labels]
    starts = (*series.bucket_starts, *series.horizon_starts)
    categories = [
        (name, code) for name, code in coded if 1 < code.max() + 1 <= MOST_VALUES and name in series.attributes
    ]
    plain = Past(
        units=units,
        sums=running(units),
        squares=running(units**2),
        empty=running(units == 0),
        known=running(np.ones_like(units)),
        first=np.array([first_known(row) for row in units], dtype=np.int64),
        groups=(),
        labels=np.column_stack([code for _, code in categories]).astype(float)
        if categories
        else np.zeros((len(units), 0)),
        label_names=tuple(name for name, _ in categories),
        year_day=np.array([d.timetuple().tm_yday for d in starts], dtype=np.float64),
    )
    then = np.column_stack([plain.level(t) for t in range(units.shape[1])])
    groups = []
    for name, code in [("all", np.zeros(len(units), dtype=np.int64)), *coded]:
        count = int(code.max()) + 1
        if name != "all" and not (1 < count <= len(units) / FEWEST_IN_GROUP):
            continue
        above, below = np.zeros((count, units.shape[1])), np.zeros((count, units.shape[1]))
        np.add.at(above, code, np.where(known, units, 0.0))
        np.add.at(below, code, np.where(known, then, 0.0))
        groups.append(_Group(name, code, np.where(below > 0, above / np.where(below > 0, below, 1.0), 1.0)))
    return replace(plain, groups=tuple(groups))


def item_codes(series: SeriesSet) -> list[IntArray]:
    """(item) by each label that tells items apart."""
    codes = [_codes(values) for _, values in _labels(series)]
    return [code for code in codes if code.max() > 0]


def _labels(series: SeriesSet) -> list[tuple[str, Sequence[str]]]:
    """What items can be grouped by, widest first as given: attributes, market, product."""
    return [
        *series.attributes.items(),
        ("market", [i.market for i in series.items]),
        ("product", [i.product for i in series.items]),
    ]


def _codes(values: Sequence[str]) -> IntArray:
    return np.unique(np.array(values, dtype=str), return_inverse=True)[1].astype(np.int64)


# features ---------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Table:
    """features: (row, feature). level, target: (row) units. ends: (row) the target's bucket. names: (feature)."""

    features: FloatArray
    level: FloatArray
    target: FloatArray
    ends: IntArray
    names: tuple[str, ...]

    def take(self, rows: BoolArray) -> "_Table":
        return _Table(self.features[rows], self.level[rows], self.target[rows], self.ends[rows], self.names)


# An origin, a distance, and the items asked for (None: all).
_Pair = tuple[int, int, IntArray | None]


def _pairs(items: int, first: int, closed: int, horizon: int) -> list[_Pair]:
    """Origins from `first` on with distances whose bucket is closed, thinned to MOST_ROWS rows in all.

    Pairs are drawn without replacement, at least four times the horizon; where these alone are too many rows, each with
    a draw of the items.
    """
    pairs = [(t, h) for t in range(first, closed) for h in range(min(horizon, closed - t))]
    wanted = max(MOST_ROWS // max(items, 1), min(4 * horizon, len(pairs)), 1)
    step = max(len(pairs) / wanted, 1.0)
    rng = np.random.default_rng(1)
    chosen = np.sort(rng.permutation(len(pairs))[: int(len(pairs) / step)]) if step > 1 else np.arange(len(pairs))
    thin = max(len(chosen) * items / MOST_ROWS, 1.0)
    if thin <= 1:
        return [(*pairs[p], None) for p in chosen.tolist()]
    keep = int(items / thin)
    return [(*pairs[p], np.sort(rng.permutation(items)[:keep])) for p in chosen.tolist()]


def _rows(past: Past, pairs: Sequence[_Pair]) -> _Table:
    closed = past.units.shape[1]
    blocks, levels, targets, ends = [], [], [], []
    names: tuple[str, ...] = ()
    at, shared, level = -1, {}, np.zeros(0)
    for t, h, items in pairs:
        if t != at:
            at, level = t, past.level(t)
            shared = _known_features(past, t, level)
        features = shared | _ahead_features(past, t, h, level)
        names = tuple(features)
        block = np.column_stack([*features.values(), past.labels])
        target = past.units[:, t + h] if t + h < closed else np.full(len(level), np.nan)
        use = slice(None) if items is None else items
        blocks.append(block[use].astype(np.float32))
        levels.append(level[use])
        targets.append(target[use])
        ends.append(np.full(len(level[use]), t + h))
    return _Table(
        np.concatenate(blocks),
        np.concatenate(levels),
        np.concatenate(targets),
        np.concatenate(ends),
        (*names, *(f"label_{n}" for n in past.label_names)),
    )


def _known_features(past: Past, t: int, level: FloatArray) -> dict[str, FloatArray]:
    """What is known when bucket t opens, over the item's level."""
    result: dict[str, FloatArray] = {}
    nothing = np.full(len(level), np.nan)
    for lag in LAGS:
        result[f"lag_{lag}"] = past.units[:, t - lag] / level if t >= lag else nothing
    for buckets in WINDOWS:
        result[f"mean_{buckets}"] = past.mean(t, buckets) / level
    for buckets in EMPTY_WINDOWS:
        result[f"empty_{buckets}"] = past.mean(t, buckets, past.empty)
    for buckets in SPREAD_WINDOWS:
        variance = past.mean(t, buckets, past.squares) - past.mean(t, buckets) ** 2
        result[f"deviation_{buckets}"] = np.sqrt(np.maximum(variance, 0.0)) / level
    recent = past.units[:, max(t - 13, 0) : t]
    result["most_13"] = np.where(np.isnan(recent), 0.0, recent).max(axis=1, initial=0.0) / level
    result["known_13"] = past.known[:, t] - past.known[:, max(t - 13, 0)]
    sold = np.nan_to_num(past.units[:, :t]) > 0
    result["since_sale"] = t - np.where(sold, np.arange(1, t + 1), 0).max(axis=1, initial=0).astype(float)
    result["age"] = (t - past.first).astype(float)
    result["log_level"] = np.log(level)
    for g in past.groups:
        base = g.ratio[:, max(t - 13, 0) : t].mean(axis=1)
        steady = np.where(base > 0, base, 1.0)
        result[f"{g.name}_level"] = base[g.code]
        result[f"{g.name}_1"] = (g.ratio[:, t - 1] / steady)[g.code]
        result[f"{g.name}_4"] = (g.ratio[:, max(t - 4, 0) : t].mean(axis=1) / steady)[g.code]
    return result


def _ahead_features(past: Past, t: int, h: int, level: FloatArray) -> dict[str, FloatArray]:
    """The distance, the time of the year, and the same weeks of the years before."""
    result = {"distance": np.full(len(level), float(h))}
    if past.units.shape[1] > YEARS[0] + FIRST_ORIGIN:
        # With less than a year the day of the year is but a trend.
        result["year_day"] = np.full(len(level), past.year_day[t + h])
    nothing = np.full(len(level), np.nan)
    for years, buckets in enumerate(YEARS, 1):
        then, before = t + h - buckets, t - buckets
        there = then >= 1 and before >= FIRST_ORIGIN and then < t
        around = past.mean(min(then + 2, t), 3) if there else nothing
        base = past.mean(before, 13) if there else nothing
        result[f"own_{years}"] = around / level
        result[f"own_ratio_{years}"] = (around + 0.3 * level) / (base + 0.3 * level)
        for g in past.groups:
            usual = g.ratio[:, before - 13 : before].mean(axis=1) if there else np.zeros(len(g.ratio))
            usual = np.where(usual > 0, usual, np.nan)
            for side in (-1, 0, 1) if g.name == "all" or len(g.ratio) <= MOST_VALUES else (0,):
                bucket = min(then + side, t - 1)
                result[f"{g.name}_ratio_{years}_{side}"] = (g.ratio[:, bucket] / usual)[g.code] if there else nothing
    return result


# fitting ----------------------------------------------------------------------------------------


def mean_settings(fewest_in_leaf: int) -> dict[str, Any]:
    """LightGBM's settings for a mean, with so many rows in a leaf."""
    return _MEAN | {"min_data_in_leaf": fewest_in_leaf}


def _fit_mean(rows: _Table) -> Any:
    import lightgbm

    use = ~np.isnan(rows.target)
    level = rows.level[use]
    data = lightgbm.Dataset(
        rows.features[use],
        np.minimum(rows.target[use] / level, MOST_LEVELS),
        weight=level / (1 + 0.5 * level),
        feature_name=list(rows.names),
        categorical_feature=[n for n in rows.names if n.startswith("label_")],
        params={"max_bin": _COMMON["max_bin"], "verbosity": -1},
    )
    leaf = int(np.clip(LEAF_SHARE * len(level), 10, MEAN_LEAF))
    return lightgbm.train(mean_settings(leaf), data, MEAN_ROUNDS)


def _mean(model: Any, rows: _Table) -> FloatArray:
    """(row) expected units."""
    return np.maximum(model.predict(rows.features, num_threads=1) * rows.level, 0.01 * rows.level)


@dataclass(frozen=True, eq=False)
class _SpreadModel:
    """log phi = start + slope * log m + what `trees` say."""

    start: float
    slope: float
    trees: Any

    def phi(self, rows: _Table, mean: FloatArray) -> FloatArray:
        found = self.start + self.slope * np.log(mean) + self.trees.predict(_spread_features(rows, mean), num_threads=1)
        return np.exp(np.clip(found, *LOG_PHI))


def _at_origin(
    past: Past, origin: int, horizon: int, model: Any, spread: _SpreadModel
) -> tuple[FloatArray, FloatArray]:
    """(item, bucket ahead) mean and phi of what follows, as bucket `origin` opens."""
    rows = _rows(past, [(origin, h, None) for h in range(horizon)])
    mean = _mean(model, rows)
    return mean.reshape(horizon, -1).T, spread.phi(rows, mean).reshape(horizon, -1).T


def _spread_features(rows: _Table, mean: FloatArray) -> FloatArray:
    return np.column_stack([rows.features, np.log(mean), np.log(mean / rows.level)]).astype(np.float32)


def _fit_spread(rows: _Table, mean: FloatArray) -> _SpreadModel:
    """phi by likelihood on rows whose mean was forecast without them: first a line in log m, then trees."""
    import lightgbm
    from scipy.optimize import minimize

    use = ~np.isnan(rows.target)
    part, y, m = rows.take(use), rows.target[use], mean[use]
    found = minimize(
        lambda p: float(np.mean(negative_log_likelihood(y, m, np.exp(np.clip(p[0] + p[1] * np.log(m), *LOG_PHI))))),
        np.array([0.0, -0.3]),
        method="Nelder-Mead",
        options={"maxiter": 100},
    )
    start, slope = (float(x) for x in found.x)

    def gradient(log_phi: FloatArray, _: Any) -> tuple[FloatArray, FloatArray]:
        r = np.exp(-np.clip(log_phi, *LOG_PHI))
        slope_of_loss = r * (digamma(y + r) - digamma(r) + np.log(r / (r + m)) + (m - y) / (r + m))
        # A constant curvature is steadier than the observed one, which rare large demands make negative.
        return slope_of_loss, np.full(len(y), 0.25)

    data = lightgbm.Dataset(
        _spread_features(part, m),
        y,
        init_score=start + slope * np.log(m),
        params={"max_bin": _COMMON["max_bin"], "verbosity": -1},
    )
    leaf = int(np.clip(2 * LEAF_SHARE * len(y), 20, SPREAD_LEAF))
    settings = _SPREAD | {"objective": gradient, "min_data_in_leaf": leaf}
    return _SpreadModel(start, slope, lightgbm.train(settings, data, SPREAD_ROUNDS))


def negative_log_likelihood(units: FloatArray, mean: FloatArray, phi: FloatArray) -> FloatArray:
    """Of the negative binomial with variance mean + phi mean^2, by observation."""
    r = 1 / phi
    return -(
        gammaln(units + r)
        - gammaln(r)
        - gammaln(units + 1)
        + r * np.log(r / (r + mean))
        + units * np.log(np.maximum(mean, 1e-12) / (r + mean))
    )
