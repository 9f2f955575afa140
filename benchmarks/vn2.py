"""The VN2 Inventory Planning Challenge: real grocery demand, six orders under a two-week lead time, counted in money.

Run: .venv/bin/python benchmarks/vn2.py --history FILE --state FILE --master FILE [--actuals FILE | --windows N]
     [--jobs N]

Prints one JSON object. With --actuals (store, product, week, week_no, units) it plays the game of these weeks; with
--windows N as many rolling games inside the history, the last ones first; without either it prints the orders of the
first round. `--short` plays one window on a quarter of the pairs and fails where Datong does not cost
clearly less than the organisers' policy.

Week k of the game: receive what is due, sell min(stock, demand), lose the rest, keep what is left. A unit left costs
HOLDING, a unit lost SHORTAGE. Order k = 1..6 is placed between week k - 1 and week k, sees the sales up to week k - 1
and can be sold from the start of week k + 2. There is no order for weeks 7 and 8.

Datong plays as it is: a state of the chain's tables as known before each round, `sense`, `forecast`, and
`replenish.decide` over the sample paths, with the orders of the game so far as its record. Beside it stand the
organisers' policy, two simple rivals with settings tuned on half of the windows (`TUNED_ON`), and perfect foresight. In
a window, a week of a pair that was out of stock has an unknown demand: it sells nothing and costs nothing, whatever the
policy.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.stats import t as student

from datong.forecast.paths import forecast
from datong.ledger.state import State, state_of_tables
from datong.model.flow import Forecast, nothing_learnt
from datong.model.settings import ChainSettings
from datong.order_each_item import Known, decide, looked_at
from datong.sense.signals import sense

WEEKS, ROUNDS, LEAD_WEEKS, FIRST_COUNTED = 8, 6, 2, 3
HOLDING, SHORTAGE = 0.2, 1.0
# Scored weeks 3 to 8 of windows this far apart are disjoint.
STEP_WEEKS = WEEKS - FIRST_COUNTED + 1
OPENING_WEEKS = 52
SEASON_WEEKS = 13
COVER_WEEKS = 4


@dataclass(frozen=True, eq=False)
class Shelf:
    """State at the end of a week. on_hand: (pair) units. ordered: (pair, week) units ordered before each of the last
    weeks."""

    on_hand: np.ndarray
    ordered: np.ndarray

    @property
    def under_way(self) -> np.ndarray:
        """(pair, week ahead) units that arrive at the start of the next week and of the one after."""
        return self.ordered[:, -LEAD_WEEKS:]


@dataclass(frozen=True, eq=False)
class History:
    """pairs: store, product and their categories. units: (pair, week) sold, NaN where not in stock. weeks: Mondays."""

    pairs: pd.DataFrame
    units: np.ndarray
    weeks: tuple[date, ...]

    def until(self, week: int) -> "History":
        """What was known before week number `week` of the history opened."""
        return History(self.pairs, self.units[:, :week], self.weeks[:week])

    def then(self, units: np.ndarray) -> "History":
        """With what was sold in the weeks after it, (pair, week)."""
        weeks = tuple(self.weeks[-1] + timedelta(days=7 * (k + 1)) for k in range(units.shape[1]))
        return History(self.pairs, np.hstack([self.units, units]), self.weeks + weeks)


# What is known and the shelf at the end of the week before -> units to order, (pair).
Policy = Callable[[History, Shelf], np.ndarray]


@dataclass(frozen=True, eq=False)
class Course:
    """What became of it: (pair, week) money, and (pair, round) units ordered. shelf: at the end."""

    holding: np.ndarray
    shortage: np.ndarray
    orders: np.ndarray
    shelf: Shelf

    def cost(self, first: int = 1) -> float:
        """Money of the weeks from number `first` on, all pairs together."""
        return float((self.holding + self.shortage)[:, first - 1 :].sum())


def play(policy: Policy, history: History, shelf: Shelf, actual: np.ndarray, rounds: int = ROUNDS) -> Course:
    """The game, one round at a time. actual: (pair, week) demand; NaN where nobody knows it.

    A week of a pair whose demand is unknown sells nothing and costs nothing, whatever the policy.
    """
    pairs, weeks = actual.shape
    holding, shortage = np.zeros((pairs, weeks)), np.zeros((pairs, weeks))
    orders = np.zeros((pairs, rounds))
    on_hand, ordered = shelf.on_hand.astype(np.float64), shelf.ordered.astype(np.float64)
    for k in range(weeks):
        new = np.zeros(pairs)
        if k < rounds:
            new = np.asarray(policy(history.then(actual[:, :k]), Shelf(on_hand, ordered)), dtype=np.float64)
            assert new.shape == (pairs,)
            assert np.all((new >= 0) & (new == np.round(new)))
            orders[:, k] = new
        on_hand = on_hand + ordered[:, -LEAD_WEEKS]
        ordered = np.column_stack([ordered, new])
        known = ~np.isnan(actual[:, k])
        demand = np.where(known, actual[:, k], 0.0)
        shortage[:, k] = np.where(known, SHORTAGE * np.maximum(demand - on_hand, 0.0), 0.0)
        on_hand = np.maximum(on_hand - demand, 0.0)
        holding[:, k] = np.where(known, HOLDING * on_hand, 0.0)
    return Course(holding, shortage, orders, Shelf(on_hand, ordered))


def organisers(history: History, shelf: Shelf) -> np.ndarray:
    """The organisers' policy: order up to four weeks of a seasonal 13-week mean."""
    return np.round(np.maximum(_organisers_level(history) - _position(shelf), 0.0))


def _organisers_level(history: History) -> np.ndarray:
    week = np.array([w.isocalendar().week for w in history.weeks])
    with np.errstate(invalid="ignore"):
        mean = np.nanmean(history.units, axis=0)
    by_week = pd.Series(mean).groupby(week).mean()
    season = by_week / by_week.mean()
    recent = history.units[:, -SEASON_WEEKS:] / season.loc[week[-SEASON_WEEKS:]].to_numpy()
    known = ~np.isnan(recent)
    level = np.where(known, recent, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    ahead = [(history.weeks[-1] + timedelta(days=7 * (k + 1))).isocalendar().week for k in range(COVER_WEEKS)]
    return level * float(season.reindex(ahead).fillna(1.0).sum())


def _position(shelf: Shelf) -> np.ndarray:
    return shelf.on_hand + shelf.under_way.sum(axis=1)


def foresight(actual: np.ndarray, opened: int) -> Policy:
    """Perfect foresight of the game that opens at week `opened` of the history: what is left is known, and so is what
    the week of arrival takes."""

    def policy(history: History, shelf: Shelf) -> np.ndarray:
        k = len(history.weeks) - opened
        left = shelf.on_hand
        for ahead in range(LEAD_WEEKS):
            left = np.maximum(left + shelf.under_way[:, ahead] - np.nan_to_num(actual[:, k + ahead]), 0.0)
        return np.maximum(np.nan_to_num(actual[:, k + LEAD_WEEKS]) - left, 0.0)

    return policy


def opening(history: History, week: int) -> Shelf:
    """Opening state of the window that opens with week number `week`, the same for every policy: the game's own rule.

    The initial state that the organisers gave is, to a unit, on the shelf the mean sales z of the last OPENING_WEEKS
    weeks rounded up, nothing for the next week, and for the week after what makes it round(2 z) in all.
    """
    sold = np.nan_to_num(history.units[:, max(week - OPENING_WEEKS, 0) : week]).mean(axis=1)
    on_hand = np.ceil(sold)
    second = np.maximum(np.ceil(2 * sold - 0.5) - on_hand, 0.0)
    return Shelf(on_hand, np.column_stack([np.zeros(len(sold)), second]))


# rivals -----------------------------------------------------------------------------------------


# Settings of the rivals were chosen, and so was everything of Datong's, on every second window from the last but one.
TUNED_ON = slice(1, None, 2)
TUNED_COVER_WEEKS, TUNED_DISCOUNT, TUNED_DISCOUNT_WEEKS = 3.3, 0.97, 3.0


def organisers_tuned(history: History, shelf: Shelf) -> np.ndarray:
    """The organisers' policy with fewer weeks of cover."""
    level = _organisers_level(history) * TUNED_COVER_WEEKS / COVER_WEEKS
    return np.round(np.maximum(level - _position(shelf), 0.0))


def base_stock(history: History, shelf: Shelf) -> np.ndarray:
    """Order up to so many weeks of the discounted mean of the known weeks. Every order comes in time here, so that the
    rival that drops stale orders is the same."""
    weight = TUNED_DISCOUNT ** np.arange(history.units.shape[1])[::-1]
    known = ~np.isnan(history.units)
    level = np.nan_to_num(history.units) @ weight / np.maximum(known @ weight, 1e-9)
    return np.round(np.maximum(TUNED_DISCOUNT_WEEKS * level - _position(shelf), 0.0))


# Datong -----------------------------------------------------------------------------------------


PATHS, SEED = 1000, 0
CATEGORIES = ("department_group", "department", "division")


def datong(history: History, shelf: Shelf) -> np.ndarray:
    """What Datong orders: its forecast, and its decision."""
    found, pair = demand_ahead(history)
    units = np.zeros(len(shelf.on_hand))
    units[pair] = decide(facts_of(shelf, pair), found.paths, seed=SEED).units
    return units


def facts_of(shelf: Shelf, pair: np.ndarray) -> Known:
    """What is known of these pairs: each order came as promised, but for those under way."""
    ordered = shelf.ordered[pair]
    came_after = np.full(ordered.shape, float(LEAD_WEEKS))
    came_after[:, -LEAD_WEEKS:] = np.nan
    each = np.ones(len(pair))
    return Known(
        ordered=ordered,
        came_after=came_after,
        on_hand=shelf.on_hand[pair],
        promised_lead=np.full(len(pair), LEAD_WEEKS),
        shortage_cost=SHORTAGE * each,
        holding_cost=HOLDING * each,
    )


def demand_ahead(history: History) -> tuple[Forecast, np.ndarray]:
    """The product's forecast, and the pair of each of its items."""
    found = forecast(sense(state_of(history)), nothing_learnt(), PATHS, SEED)
    codes = zip(_codes("P", history.pairs["product"]), _codes("S", history.pairs["store"]), strict=True)
    at = {code: i for i, code in enumerate(codes)}
    # A product that nobody has sold yet is asked in every shop there is.
    use = [i for i, item in enumerate(found.items) if item in at]
    return replace(found, paths=found.paths[use]), np.array([at[found.items[i]] for i in use])


def state_of(history: History) -> State:
    """What is known, as the tables of a chain: a product in a market that is its shop, sales by week, and a count for
    each week in which the shop did not have it."""
    pairs = history.pairs
    shop, product = np.array(_codes("S", pairs["store"])), np.array(_codes("P", pairs["product"]))
    noon = np.array([datetime(w.year, w.month, w.day, 12, tzinfo=UTC) for w in history.weeks])
    row, week = np.nonzero(np.nan_to_num(history.units) > 0)
    out_row, out_week = np.nonzero(np.isnan(history.units))
    products = pairs.assign(code=product).drop_duplicates("code")
    shops = pairs.assign(code=shop).drop_duplicates("code")
    tables: dict[str, dict[str, Sequence[Any]]] = {
        "products": {
            "product": products["code"],
            "name": products["code"],
            "kind": ["finished"] * len(products),
            **{f"category_{c}": products[n].astype(str) for c, n in zip("abc", CATEGORIES, strict=True)},
        },
        "sites": {"site": shops["code"], "region": shops["store_format"].astype(str)},
        "sales": {
            "happened_at": noon[week],
            "product": product[row],
            "market": shop[row],
            "units": history.units[row, week],
        },
        "stock": {
            "happened_at": noon[out_week],
            "site": shop[out_row],
            "product": product[out_row],
            "units": np.zeros(len(out_row)),
            "available": np.zeros(len(out_row), dtype=bool),
        },
    }
    horizon = looked_at(np.array([LEAD_WEEKS]))
    opens = noon[-1] - timedelta(hours=12) + timedelta(days=7)
    arrow = {name: pa.table({c: pa.array(list(v)) for c, v in table.items()}) for name, table in tables.items()}
    return state_of_tables(ChainSettings("vn2", horizon_buckets=horizon), opens, arrow)


def _codes(letter: str, numbers: pd.Series) -> list[str]:
    return [f"{letter}{n:05d}" if isinstance(n, int) else f"{letter}{n}" for n in numbers.tolist()]


# figures ----------------------------------------------------------------------------------------


def figures(course: Course, seconds: float) -> dict[str, float]:
    """holding, shortage: money of weeks 3 to 8."""
    counted = slice(FIRST_COUNTED - 1, None)
    return {
        "cost_weeks_3_8": round(course.cost(FIRST_COUNTED), 1),
        "cost_weeks_1_8": round(course.cost(), 1),
        "holding": round(float(course.holding[:, counted].sum()), 1),
        "shortage": round(float(course.shortage[:, counted].sum()), 1),
        "seconds": round(seconds, 1),
    }


def games(history: History, shelf: Shelf, actual: np.ndarray) -> dict[str, dict[str, float]]:
    """Figures of every policy in one game that opens after the history."""
    policies: Mapping[str, Policy] = {
        "datong": datong,
        "organisers": organisers,
        "organisers_tuned": organisers_tuned,
        "base_stock": base_stock,
        "foresight": foresight(actual, len(history.weeks)),
    }
    result = {}
    for name, policy in policies.items():
        started = time.perf_counter()
        course = play(policy, history, shelf, actual)
        result[name] = figures(course, time.perf_counter() - started)
    return result


def played_window(history: History, opened: int) -> dict[str, dict[str, float]]:
    return games(history.until(opened), opening(history, opened), history.units[:, opened : opened + WEEKS])


def windows(history: History, count: int, jobs: int) -> dict[str, Any]:
    """Games that open STEP_WEEKS apart, the last one WEEKS before the end; their scored weeks do not overlap."""
    opened = [len(history.weeks) - WEEKS - STEP_WEEKS * w for w in range(count)]
    if opened[-1] < OPENING_WEEKS:
        raise SystemExit(f"--windows: the history is too short for {count} windows")
    if jobs > 1:
        with ProcessPoolExecutor(jobs) as pool:
            played = list(pool.map(partial(played_window, history), opened))
    else:
        played = [played_window(history, o) for o in opened]
    names = list(played[0])
    cost = {n: np.array([p[n]["cost_weeks_3_8"] for p in played]) for n in names}
    part = np.array([p["datong"]["cost_weeks_3_8"] for p in played])
    untouched = np.ones(count, dtype=bool)
    untouched[TUNED_ON] = False
    return {
        "windows": [{"opens": str(history.weeks[o]), **p} for o, p in zip(opened, played, strict=True)],
        "mean_cost_weeks_3_8": {n: round(float(c.mean()), 1) for n, c in cost.items()},
        "datong_over": {n: paired(part, cost[n]) for n in names if n != "datong"},
        "datong_over_organisers_untouched_windows": paired(part[untouched], cost["organisers"][untouched]),
        "how": "share: mean over windows of cost over the peer's - 1; interval: 90 %, Student t over windows; "
        "of_totals: all windows' cost over the peer's - 1; untouched: windows on which nothing was chosen",
    }


def paired(ours: np.ndarray, peer: np.ndarray) -> dict[str, Any]:
    change = ours / peer - 1
    result: dict[str, Any] = {"share": round(float(change.mean()), 4)}
    if len(change) > 1:
        half = float(student.ppf(0.95, len(change) - 1) * change.std(ddof=1) / np.sqrt(len(change)))
        result["interval"] = [round(float(change.mean()) - half, 4), round(float(change.mean()) + half, 4)]
    return result | {"of_totals": round(float(ours.sum() / peer.sum() - 1), 4)}


# files ------------------------------------------------------------------------------------------


KEY = ["store", "product"]
# The short form plays the window before Christmas of the last year, where the whole game costs 21 % less.
SHORT_WINDOW, SHORT_BAR = 3, 0.95


def read(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    if not path.exists():
        raise SystemExit(f"{path}: not there")
    table = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    missing = [c for c in columns if c not in table.columns]
    if missing:
        raise SystemExit(f"{path}: columns missing: {', '.join(missing)}")
    return table


def read_history(path: Path, master: Path) -> History:
    rows = read(path, [*KEY, "week", "units", "in_stock"])
    pairs = read(master, [*KEY, *CATEGORIES, "store_format"])[[*KEY, *CATEGORIES, "store_format"]]
    rows = rows.assign(week=pd.to_datetime(rows["week"]), units=rows["units"].where(rows["in_stock"]).astype(float))
    units = rows.pivot(index=KEY, columns="week", values="units")
    weeks = pd.date_range(units.columns.min(), units.columns.max(), freq="7D")
    units = units.reindex(index=pd.MultiIndex.from_frame(pairs[KEY]), columns=weeks)
    return History(pairs.reset_index(drop=True), units.to_numpy(), tuple(w.date() for w in weeks))


def read_shelf(path: Path, history: History) -> Shelf:
    columns = ["end_inventory", "in_transit_w1", "in_transit_w2"]
    state = read(path, [*KEY, *columns]).set_index(KEY)[columns]
    values = state.reindex(pd.MultiIndex.from_frame(history.pairs[KEY])).to_numpy(dtype=float)
    if np.isnan(values).any():
        raise SystemExit(f"{path}: {int(np.isnan(values).any(axis=1).sum())} pairs of the master table have no state")
    return Shelf(values[:, 0], values[:, 1:])


def read_actuals(path: Path, history: History) -> np.ndarray:
    rows = read(path, [*KEY, "week_no", "units"])
    units = rows.pivot(index=KEY, columns="week_no", values="units")
    units = units.reindex(index=pd.MultiIndex.from_frame(history.pairs[KEY]), columns=range(1, WEEKS + 1))
    return units.to_numpy(dtype=float)


def main() -> int:
    shared = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "vn2"
    parser = argparse.ArgumentParser(description="The VN2 game, played by Datong and by its rivals.")
    parser.add_argument("--history", type=Path, default=shared / "history_weekly.parquet")
    parser.add_argument("--state", type=Path, default=shared / "initial_state.parquet")
    parser.add_argument("--master", type=Path, default=shared / "master.parquet")
    parser.add_argument("--actuals", type=Path)
    parser.add_argument("--windows", type=int)
    parser.add_argument("--jobs", type=int, default=1, help="windows played at a time")
    parser.add_argument("--short", action="store_true")
    asked = parser.parse_args()
    if asked.short:
        return short(asked.history, asked.master)
    history = read_history(asked.history, asked.master)
    if asked.windows:
        say(windows(history, asked.windows, asked.jobs))
        return 0
    shelf = read_shelf(asked.state, history)
    if asked.actuals:
        played = games(history, shelf, read_actuals(asked.actuals, history))
        say(played.pop("datong") | played)
        return 0
    started = time.perf_counter()
    orders = history.pairs[KEY].assign(order_units=datong(history, shelf).astype(int))
    say({"orders_round_1": orders.to_dict("records"), "seconds": round(time.perf_counter() - started, 1)})
    return 0


def short(history_file: Path, master: Path) -> int:
    if not history_file.exists():
        say({"skipped": f"{history_file} is not there"})
        return 0
    whole = read_history(history_file, master)
    part = History(whole.pairs.iloc[::4].reset_index(drop=True), whole.units[::4], whole.weeks)
    played = played_window(part, len(part.weeks) - WEEKS - SHORT_WINDOW * STEP_WEEKS)
    say(played)
    cost = {name: found["cost_weeks_3_8"] for name, found in played.items()}
    return 0 if cost["foresight"] < cost["datong"] < SHORT_BAR * cost["organisers"] else 1


def say(found: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    sys.exit(main())
