"""How soon and how surely lasting changes of level are found (statistics/level_watch.py), and what it costs.

    python benchmarks/change.py [--short] [--open] [--rows power,null,delay,day]

One JSON object a line.

* power: some series of a real panel sell half as much again in their last days or weeks. Share of them that is found by
  then, at a threshold at which 5% of all that is found is false, where as many series changed as did not; each method's
  threshold is set on the series without a planted change. As it stands half of the stores (M5) or of the products and
  product families (Online Retail; a family is the first three figures of the code) are used, on which everything was
  chosen; `--open` uses the other half.
  Real series change by themselves, too: such a change counts as false here, for all alike.
* null: panels of 200 series of noise are watched for a year. Share of panels with any alarm, and its upper 95% bound.
* delay: weeks until a rise by half is found, over those of a CUSUM that knows the level, the size and the law of the
  noise, and whose chance of any alarm in a year of a panel without a change is the same share (q).
* ceiling: the same weeks of a detector that knows more than one can know: the law of the noise, and a threshold drawn
  from it for the same share of alarms; but not the size of the change, nor (second row) the level, which it takes from
  the weeks before. Evidence is that of Shiryaev and Roberts, the mean over SIZES_TRIED.
* day: seconds of one more block over those of the whole history.

Peers, in their usual form: CUSUM (Page 1954; reference value 1/2) and PELT (Killick, Fearnhead and Eckley 2012; change
in mean) on the stabilised scale, of days with each weekday's mean taken off; for M5 Farrington and others (1996): a
quasi-Poisson trend through the same weeks of earlier years, the residual of this week on the scale of the power 2/3.
`beside` gives CUSUM what Datong's own detector reads: units over what like series do.

The short form takes about a minute. Ends with 1 where one more day costs more than its bar, and in the long form where
the null does. Power and delay are told with their bars: some are missed (docs/findings.md).
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from scipy.stats import beta

from datong.model.flow import FloatArray, IntArray
from datong.statistics.common_movement import CommonMovement
from datong.statistics.level_watch import DAYS, WEEKS, Blocks, LevelWatch, watch
from datong.statistics.odd_blocks import stabilised

DATA = Path(__file__).resolve().parents[1] / ".." / "shared" / "data"
SHARE, RISE, FALSE_FOUND = 0.1, 1.5, 0.05
PANEL, YEAR = 200, WEEKS.year
PLANTED_SHARE = 0.1
M5_DAYS, M5_HISTORY, M5_FIRST = (7, 14), 420, 1200
M5_CHOSEN = ("CA_1", "CA_3", "TX_1", "TX_3", "WI_2")
RETAIL_WEEKS = 8
# Farrington: years back, weeks on both sides.
YEARS_BACK, WEEKS_AROUND = 3, 3
LEVELS, SIZES = (5.0, 20.0, 100.0, 1000.0), (2.0, 5.0, 20.0)
# Of log demand, in autocorrelated noise.
LOG_SPREAD = 0.3
KINDS = ("poisson", "negative binomial", "correlated 0.3", "correlated 0.6")
# Law of the noise of a delay: mean a week, and size of the negative binomial (None: Poisson).
LAWS = ((10.0, None), (20.0, None), (20.0, 10.0), (50.0, 20.0), (100.0, 20.0))
AFTER = 60
NEVER = 999
# Series without a change from which a threshold is drawn; changes of level that are tried, as shares of the level.
QUIET = 60_000
SIZES_TRIED = (0.4, 0.5, 0.65, 0.8, 1.25, 1.5, 1.9, 2.5)
# Weeks that a detector has been running when the level rises.
RUNNING = 8
POWER_BAR, DELAY_BAR, DAY_BAR = 0.05, 1.2, 2.0


def tell(**row: object) -> None:
    sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.flush()


# power on real series --------------------------------------------------------------------------------------


def own_scores(units: FloatArray, groups: IntArray, blocks: Blocks, late: int) -> FloatArray:
    """(series) most evidence, in the last `late` looks, for a rise in the last 1.5 times as many blocks."""
    state, end = LevelWatch(groups, blocks, SHARE), units.shape[1]
    scores = np.full(len(units), -np.inf)
    for t in range(end):
        state._take(units[:, t])
        watched = state._watched()
        found = state._evidence(np.flatnonzero(watched))
        if t >= end - late:
            rise = (found.strength > 0) & (found.first >= end - 1.5 * late - 1)
            scores = np.where(rise, np.maximum(scores, found.log_m), scores)
        state._raised(found, int(watched.sum()))
    return scores


def beside_like(units: FloatArray, groups: IntArray, days: int) -> FloatArray:
    common = CommonMovement(groups, days)
    return stabilised(np.stack([units[:, t] / common.look(units[:, t]) for t in range(units.shape[1])], axis=1))


def without_weekdays(units: FloatArray, days: int, late: int) -> FloatArray:
    y = stabilised(units)
    if days > 1:
        return y
    for day in range(7):
        known = y[:, day : y.shape[1] - late : 7]
        y[:, day::7] -= known.mean(axis=1, keepdims=True)
    return y


def cusum_scores(y: FloatArray, late: int, baseline: int) -> FloatArray:
    """(series) highest upper CUSUM in the last `late` blocks, begun at 0 twice as many back, in standard deviations of
    the `baseline` blocks before."""
    end = y.shape[1]
    before = y[:, max(end - 2 * late - baseline, 0) : end - 2 * late]
    z = (y - before.mean(axis=1, keepdims=True)) / np.maximum(before.std(axis=1, ddof=1, keepdims=True), 0.1)
    total, most = np.zeros(len(y)), np.zeros(len(y))
    for t in range(end - 2 * late, end):
        total = np.maximum(total + z[:, t] - 0.5, 0.0)
        most = np.maximum(most, total) if t >= end - late else most
    return most


def pelt(y: FloatArray, penalty: float, least: int = 2) -> list[int]:
    """Change points of one series by the squared error about the mean, exact by pruning."""
    sums, squares = np.concatenate(([0.0], np.cumsum(y))), np.concatenate(([0.0], np.cumsum(y**2)))
    best, last = np.full(len(y) + 1, np.inf), np.zeros(len(y) + 1, np.int64)
    best[0] = -penalty
    tried = np.array([0])
    for t in range(least, len(y) + 1):
        cost = squares[t] - squares[tried] - (sums[t] - sums[tried]) ** 2 / (t - tried)
        total = best[tried] + cost + penalty
        at = int(np.argmin(total))
        best[t], last[t] = total[at], tried[at]
        tried = np.append(tried[total - penalty <= best[t]], t - least + 1)
    points, t = [], len(y)
    while last[t] > 0:
        t = int(last[t])
        points.append(t)
    return points[::-1]


def pelt_scores(y: FloatArray, late: int, steps: int = 9) -> FloatArray:
    """(series) logarithm of the highest penalty, in variances of the noise (half those of neighbours' differences), at
    which the last change is a rise in the last 1.5 times `late` blocks."""
    scores = np.zeros(len(y))
    for i, own in enumerate(y):
        own = own / max(float(np.std(np.diff(own))) / np.sqrt(2.0), 0.1)
        low, high = 0.0, 12.0  # logarithms
        for _ in range(steps):
            middle = (low + high) / 2.0
            points = pelt(own, float(np.exp(middle)))
            edges = [0, *points]
            late_rise = len(points) > 0 and points[-1] >= len(own) - 1.5 * late - 1
            late_rise = late_rise and own[points[-1] :].mean() > own[edges[-2] : points[-1]].mean()
            low, high = (middle, high) if late_rise else (low, middle)
        scores[i] = low
    return scores


def farrington_scores(units: FloatArray, late: int) -> FloatArray:
    """(series) highest residual of the last weeks on the scale of the power 2/3, over its standard deviation."""
    weeks = units[:, units.shape[1] % 7 :].reshape(len(units), -1, 7).sum(axis=2)
    scores = np.full(len(units), -np.inf)
    for now in range(weeks.shape[1] - late // 7, weeks.shape[1]):
        at = [now - 52 * b + w for b in range(1, YEARS_BACK + 1) for w in range(-WEEKS_AROUND, WEEKS_AROUND + 1)]
        used = np.array([w for w in at if w >= 0])
        design = np.column_stack((np.ones(len(used)), (used - now) / 52.0))
        for i, own in enumerate(weeks):
            counts, mean = own[used], np.maximum(own[used], 0.5)
            beta_hat = np.zeros(2)
            for _ in range(8):
                score = np.log(mean) + (counts - mean) / mean
                weighted = design * mean[:, None]
                beta_hat = np.linalg.solve(design.T @ weighted + 1e-9 * np.eye(2), weighted.T @ score)
                mean = np.exp(np.clip(design @ beta_hat, -5, 20))
            spread = max(float(((counts - mean) ** 2 / mean).sum() / (len(used) - 2)), 1.0)
            expected = float(np.exp(beta_hat[0]))
            weighted = design * mean[:, None]
            error = spread * np.linalg.inv(design.T @ weighted)[0, 0] * expected**2
            deviation = 2.0 / 3.0 * expected ** (-1.0 / 3.0) * np.sqrt(spread * expected + error)
            scores[i] = max(scores[i], (own[now] ** (2 / 3) - expected ** (2 / 3)) / deviation)
    return scores


def at_false_share(planted: FloatArray, others: FloatArray) -> tuple[float, float]:
    """Share of planted ones found, and the threshold, at which FALSE_FOUND of what is found is false."""
    best, threshold = 0.0, np.inf
    for bar in np.unique(planted):
        found, false = float((planted >= bar).mean()), float((others >= bar).mean())
        if false <= FALSE_FOUND * (found + false) and found > best:
            best, threshold = found, float(bar)
    return best, threshold


def power(name: str, cases: Sequence[tuple[FloatArray, IntArray]], blocks: Blocks, late: int, seed: int) -> None:
    """cases: panels (series, block) with groups."""
    rng = np.random.default_rng(seed)
    history = M5_HISTORY if blocks.days == 1 else WEEKS.year
    methods: dict[str, Callable[[FloatArray, IntArray], FloatArray]] = {
        "own": lambda u, g: own_scores(u[:, -history:], g, blocks, late),
        "cusum": lambda u, g: cusum_scores(without_weekdays(u[:, -history:], blocks.days, late), late, blocks.baseline),
        "pelt": lambda u, g: pelt_scores(without_weekdays(u[:, -history:], blocks.days, late), late),
    }
    if blocks.days == 1:
        methods["farrington"] = lambda u, g: farrington_scores(u, late)
    methods["cusum beside"] = lambda u, g: cusum_scores(
        beside_like(u[:, -history:], g, blocks.days), late, blocks.baseline
    )
    scores: dict[str, list[FloatArray]] = {m: [] for m in methods}
    which = []
    for panel, groups in cases:
        planted = rng.permutation(len(panel)) < max(round(PLANTED_SHARE * len(panel)), 1)
        units = panel.copy()
        units[planted, -late:] = np.round(units[planted, -late:] * RISE)
        which.append(planted)
        for m, method in methods.items():
            scores[m].append(method(units, groups))
    there, found = np.concatenate(which), {}
    for m, parts in scores.items():
        every = np.concatenate(parts)
        found[m], threshold = at_false_share(every[there], every[~there])
        tell(row="power", data=name, method=m, planted=int(there.sum()), others=int((~there).sum()), blocks=late,
             power=round(found[m], 3), threshold=round(threshold, 2))  # fmt: skip
    best = max(found[m] for m in methods if m not in ("own", "cusum beside"))
    tell(row="power", data=name, own_less_best_peer=round(found["own"] - best, 3), bar=POWER_BAR)


def m5_cases(opened: bool, count: int) -> list[tuple[FloatArray, IntArray]]:
    rows = pq.read_table(DATA / "m5_store_dept" / "daily_sales.parquet").to_pandas()
    table = rows.pivot(index=["store_id", "dept_id"], columns="d", values="units").sort_index()
    used = np.array([(store in M5_CHOSEN) != opened for store, _ in table.index])
    units = table.to_numpy(float)[used][:, 28:]
    groups = np.unique(np.array([dept for _, dept in table.index])[used], return_inverse=True)[1]
    ends = np.random.default_rng(5).integers(M5_FIRST, units.shape[1], count)
    return [(units[:, :end], groups) for end in ends]


def retail_cases(opened: bool, families: bool, count: int) -> list[tuple[FloatArray, IntArray]]:
    rows = pq.read_table(DATA / "online_retail" / "transactions.parquet").to_pandas()
    rows = rows[(rows["quantity"] > 0) & (rows["unit_price"] > 0)]
    code = rows["stock_code"].str.upper()
    rows, code = rows[code.str.match(r"^\d{5}")], code[code.str.match(r"^\d{5}")]
    week = (rows["invoice_ts"] - np.datetime64("2010-11-29")).dt.days // 7
    table = rows.groupby([code.str[:3] if families else code, week])["quantity"].sum().unstack(fill_value=0)
    units = table.to_numpy(float)[:, :53]
    sells = ((units[:, :26] > 0).mean(axis=1) >= 0.8) & (units[:, :26].mean(axis=1) >= 2)
    units = units[sells][int(opened) :: 2]
    ends = np.random.default_rng(6).integers(45, 54, count)
    return [(units[:, :end], np.zeros(len(units), np.int64)) for end in ends]


# noise ------------------------------------------------------------------------------------------------------


def noise(kind: str, rng: np.random.Generator, weeks: int) -> FloatArray:
    """(PANEL, week). Correlated: Poisson about exp of a first-order autoregression of log demand."""
    mean = rng.choice(LEVELS, (PANEL, 1))
    if kind == "poisson":
        return rng.poisson(mean, (PANEL, weeks)).astype(float)
    if kind == "negative binomial":
        size = rng.choice(SIZES, (PANEL, 1))
        return rng.negative_binomial(size, size / (size + mean), (PANEL, weeks)).astype(float)
    alike, path = float(kind.split()[1]), np.zeros((PANEL, weeks + 50))
    shocks = rng.normal(0.0, np.sqrt(1.0 - alike**2), path.shape)
    for t in range(1, weeks + 50):
        path[:, t] = alike * path[:, t - 1] + shocks[:, t]
    return rng.poisson(mean * np.exp(LOG_SPREAD * path[:, 50:] - LOG_SPREAD**2 / 2.0)).astype(float)


def null(panels: int) -> bool:
    """Whether the bar holds over all kinds of noise together."""
    alarms = dict.fromkeys(KINDS, 0)
    groups = np.zeros(PANEL, np.int64)
    for kind in KINDS:
        for seed in range(panels):
            units = noise(kind, np.random.default_rng([seed, 700, KINDS.index(kind)]), WEEKS.known_min + YEAR)
            alarms[kind] += bool(len(watch(units, groups, WEEKS, SHARE).series))
        tell(row="null", noise=kind, series=panels * PANEL, panels=panels, any_alarm=alarms[kind] / panels,
             upper=round(upper(alarms[kind], panels), 4), q=SHARE)  # fmt: skip
    every = sum(alarms.values())
    tell(row="null", noise="all", series=4 * panels * PANEL, any_alarm=round(every / (4 * panels), 4),
         upper=round(upper(every, 4 * panels), 4), bar=SHARE)  # fmt: skip
    return upper(every, 4 * panels) <= SHARE


def upper(successes: int, count: int) -> float:
    """Upper 95% bound of a share (Clopper and Pearson 1934)."""
    return 1.0 if successes >= count else float(beta.ppf(0.95, successes + 1, count - successes))


# delay ------------------------------------------------------------------------------------------------------


def drawn(rng: np.random.Generator, mean: FloatArray, size: float | None) -> FloatArray:
    drawn_units = rng.poisson(mean) if size is None else rng.negative_binomial(size, size / (size + mean))
    return drawn_units.astype(float)


def log_ratio(units: FloatArray, mean: FloatArray | float, size: float | None, change: float) -> FloatArray:
    """(series, week) log likelihood of the units at a level of `change` times the mean, less that at the mean."""
    if size is None:
        return units * np.log(change) - (change - 1.0) * mean
    return units * np.log(change) + (units + size) * np.log((size + mean) / (size + change * mean))


def oracle(units: FloatArray, mean: float, size: float | None) -> FloatArray:
    """(series, week) CUSUM of the log likelihood ratio of a rise by RISE."""
    ratio = log_ratio(units, mean, size, RISE)
    total, paths = np.zeros(len(units)), np.zeros(units.shape)
    for t in range(units.shape[1]):
        total = np.maximum(total, 0.0) + ratio[:, t]
        paths[:, t] = total
    return paths


def budgeted(quiet: FloatArray) -> float:
    """The threshold that a series without a change reaches within a year with the chance SHARE / PANEL. quiet: (series,
    week) evidence."""
    return float(np.quantile(quiet.max(axis=1), 1.0 - SHARE / PANEL))


def of_any_size(units: FloatArray, mean: FloatArray | float, size: float | None) -> FloatArray:
    """(series, week) log of the sum over sizes and weeks k of the likelihood ratio of a change of that size at k."""
    ratios = [log_ratio(units, mean, size, change) for change in SIZES_TRIED]
    totals, paths = np.full((len(ratios), len(units)), -np.inf), np.zeros(units.shape)
    for t in range(units.shape[1]):
        totals = np.logaddexp(0.0, totals) + np.stack([ratio[:, t] for ratio in ratios])
        paths[:, t] = np.logaddexp.reduce(totals, axis=0)
    return paths


def held_for_level(
    rng: np.random.Generator, mean: float, size: float | None, before: int | None, series: int
) -> FloatArray | float:
    """(series, 1) mean of the weeks before, drawn anew; the level itself where `before` is None."""
    if before is None:
        return mean
    return drawn(rng, np.full((series, before), mean), size).mean(axis=1, keepdims=True)


def ceiling(count: int, before: int | None) -> None:
    """count: rises of each law. before: weeks from which the level is learnt; None where it is known."""
    rng = np.random.default_rng([count, before or 0, 9])
    found, known = [], []
    for mean, size in LAWS:
        quiet = drawn(rng, np.full((QUIET, YEAR), mean), size)
        path = np.full((count, RUNNING + AFTER), mean)
        path[:, RUNNING:] *= RISE
        units = drawn(rng, path, size)
        bar = budgeted(of_any_size(quiet, held_for_level(rng, mean, size, before, QUIET), size))
        evidence = of_any_size(units, held_for_level(rng, mean, size, before, count), size)
        found.append(weeks_until(evidence[:, RUNNING:], bar))
        known.append(weeks_until(oracle(units, mean, size)[:, RUNNING:], budgeted(oracle(quiet, mean, size))))
    medians = [float(np.median(np.concatenate(part))) for part in (found, known)]
    tell(row="ceiling", weeks_before=before, rises=count * len(LAWS), size_unknown=medians[0], oracle=medians[1],
         ratio=round(medians[0] / medians[1], 3), bar=DELAY_BAR)  # fmt: skip


def weeks_until(paths: FloatArray, threshold: float) -> IntArray:
    """(series) first week in which the evidence reaches the threshold, from 1 on; NEVER where it does not."""
    reached = paths >= threshold
    return np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, NEVER)


def delay(panels: int, planted: int, before: int) -> None:
    """Median delay over that of the oracle, over all laws. planted: series of a panel that rise, at random weeks."""
    groups, rng = np.zeros(PANEL, np.int64), np.random.default_rng([planted, before, 8])
    own, known = [], []
    for mean, size in LAWS:
        threshold = budgeted(oracle(drawn(rng, np.full((QUIET, YEAR), mean), size), mean, size))
        of_law, of_oracle = [], []
        for _ in range(panels):
            at = before + rng.integers(0, YEAR, planted)
            level = np.full((PANEL, before + YEAR + AFTER), mean)
            rises = np.arange(level.shape[1])[None, :] >= at[:, None]
            level[:planted] *= np.where(rises, RISE, 1.0)
            units = drawn(rng, level, size)
            found = watch(units, groups, WEEKS, SHARE)
            for i, start in enumerate(at):
                seen = found.since[(found.series == i) & (found.since >= start)]
                of_law.append(int(seen[0]) - start + 1 if len(seen) else NEVER)
                path = oracle(units[i : i + 1, start - RUNNING :], mean, size)[0, RUNNING:]
                of_oracle.append(int(np.argmax(path >= threshold)) + 1 if (path >= threshold).any() else NEVER)
        own += of_law
        known += of_oracle
        tell(row="delay", mean=mean, size=size, weeks_before=before, planted=f"{planted} of {PANEL}",
             own=float(np.median(of_law)), oracle=float(np.median(of_oracle)))  # fmt: skip
    ratio = float(np.median(own) / np.median(known))
    tell(row="delay", mean="all", weeks_before=before, planted=f"{planted} of {PANEL}", own=float(np.median(own)),
         oracle=float(np.median(known)), ratio=round(ratio, 3), bar=DELAY_BAR)  # fmt: skip


# one more day -----------------------------------------------------------------------------------------------


def day(series: int, weeks: int) -> bool:
    units = np.random.default_rng(9).poisson(20.0, (series, weeks + 5)).astype(float)
    state = LevelWatch(np.arange(series) % 20, WEEKS, SHARE)
    begun = time.process_time()
    for t in range(weeks):
        state.look(units[:, t])
    history = time.process_time() - begun
    begun = time.process_time()
    for t in range(weeks, weeks + 5):
        state.look(units[:, t])
    one = (time.process_time() - begun) / 5.0
    tell(row="day", series=series, blocks=weeks, history_s=round(history, 2), one_more_s=round(one, 4),
         over_mean_block=round(one * weeks / history, 2), bar=DAY_BAR)  # fmt: skip
    return one * weeks / history <= DAY_BAR


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--open", action="store_true")
    parser.add_argument("--rows", default="power,null,delay,ceiling,day")
    options = parser.parse_args()
    rows, short, missed = options.rows.split(","), options.short, []
    if "power" in rows and not DATA.exists():
        tell(row="power", skipped="../shared/data is not beside the checkout")
    elif "power" in rows:
        for late in M5_DAYS[:1] if short else M5_DAYS:
            power("m5_store_dept", m5_cases(options.open, 2 if short else 16), DAYS, late, 1)
        power("online_retail products", retail_cases(options.open, False, 1 if short else 2), WEEKS, RETAIL_WEEKS, 2)
        power("online_retail families", retail_cases(options.open, True, 2 if short else 10), WEEKS, RETAIL_WEEKS, 3)
    if "null" in rows and not null(10 if short else 125) and not short:
        missed.append("null")
    if "delay" in rows:
        for before in (104,) if short else (104, 260):
            delay(1 if short else 8, 10, before)
    if "ceiling" in rows:
        for before in (None, 104) if short else (None, 104, 260):
            ceiling(100 if short else 2000, before)
    if "day" in rows and not day(2000 if short else 20_000, 100 if short else 150):
        missed.append("day")
    for name in missed:
        sys.stdout.write(f"missed: {name}\n")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
