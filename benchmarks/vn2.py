"""The VN2 Inventory Planning Challenge: real grocery demand, six orders under a two-week lead time, counted in money.

Run: .venv/bin/python benchmarks/vn2.py --history FILE --state FILE --master FILE [--actuals FILE | --windows N]

Week k of the game: receive what is due, sell min(stock, demand), lose the rest, keep what is left. A unit left costs
HOLDING, a unit lost SHORTAGE. Order k = 1..6 is placed between week k - 1 and week k, sees the sales up to week k - 1
and can be sold from the start of week k + 2. There is no order for weeks 7 and 8.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa

from datong.forecast.paths import forecast
from datong.ledger.state import State, state_of_tables
from datong.model.flow import Forecast, nothing_learnt
from datong.model.settings import ChainSettings
from datong.plan.ordering import order_units
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
    """State at the end of a week. on_hand: (pair) units. under_way: (pair, week ahead) units that arrive at the start
    of the next week and of the one after."""

    on_hand: np.ndarray
    under_way: np.ndarray


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
    on_hand, under_way = shelf.on_hand.astype(np.float64), shelf.under_way.astype(np.float64)
    for k in range(weeks):
        new = np.zeros(pairs)
        if k < rounds:
            new = np.asarray(policy(history.then(actual[:, :k]), Shelf(on_hand, under_way)), dtype=np.float64)
            assert new.shape == (pairs,)
            assert np.all((new >= 0) & (new == np.round(new)))
            orders[:, k] = new
        on_hand = on_hand + under_way[:, 0]
        under_way = np.column_stack([under_way[:, 1:], new])
        known = ~np.isnan(actual[:, k])
        demand = np.where(known, actual[:, k], 0.0)
        shortage[:, k] = np.where(known, SHORTAGE * np.maximum(demand - on_hand, 0.0), 0.0)
        on_hand = np.maximum(on_hand - demand, 0.0)
        holding[:, k] = np.where(known, HOLDING * on_hand, 0.0)
    return Course(holding, shortage, orders, Shelf(on_hand, under_way))


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


# Buckets that are forecast: the two that pass first, the one that the order is for, and one more.
HORIZON_WEEKS = LEAD_WEEKS + 2
PATHS, SEED = 1000, 0


def state_of(history: History) -> State:
    """What is known, as the tables of a chain: a product in a market that is its shop, sales by week, and a count that
    says of each week whether the shop had it."""
    pairs, weeks = history.pairs, history.weeks
    shop, product = (np.array([f"{c}{x:03d}" for x in pairs[n]]) for c, n in (("S", "store"), ("P", "product")))
    monday = np.array([datetime(w.year, w.month, w.day, 12, tzinfo=UTC) for w in weeks])
    known = ~np.isnan(history.units)
    row, week = np.nonzero(np.nan_to_num(history.units) > 0)
    sales = {"happened_at": monday[week], "product": product[row], "market": shop[row], "units": history.units[row, week]}
    out_row, out_week = np.nonzero(~known)
    counts = {"happened_at": monday[out_week], "site": shop[out_row], "product": product[out_row]}
    counts |= {"units": np.zeros(len(out_row)), "available": np.zeros(len(out_row), dtype=bool)}
    of_product = pairs.assign(code=product).drop_duplicates("code").sort_values("code")
    category = {f"category_{a}": of_product[n].astype(str) for a, n in zip("abc", CATEGORIES, strict=True)}
    of_shop = pairs.assign(code=shop).drop_duplicates("code").sort_values("code")
    tables = {
        "products": {"product": of_product["code"], "name": of_product["code"], "kind": ["finished"] * len(of_product)} | category,
        "sites": {"site": of_shop["code"], "region": of_shop["store_format"].astype(str)},
        "sales": sales,
        "stock": counts,
    }
    settings = ChainSettings("vn2", horizon_buckets=HORIZON_WEEKS)
    opens = monday[-1] - timedelta(hours=12) + timedelta(days=7)
    return state_of_tables(settings, opens, {n: pa.table({c: pa.array(list(v)) for c, v in t.items()}) for n, t in tables.items()})


CATEGORIES = ("department_group", "department", "division")


def demand_ahead(history: History, pooling: str = "auto") -> tuple[Forecast, np.ndarray]:
    """The product's forecast, and the pair of each of its items."""
    found = forecast(sense(state_of(history)), nothing_learnt(), PATHS, SEED, pooling)
    at = {(f"P{p:03d}", f"S{s:03d}"): i for i, (s, p) in enumerate(zip(history.pairs["store"], history.pairs["product"], strict=True))}
    return found, np.array([at[item] for item in found.items])


def datong(history: History, shelf: Shelf) -> np.ndarray:
    """What Datong orders: its forecast, and the decision over the stock that is left by then."""
    found, pair = demand_ahead(history)
    return ordered(found.paths, pair, shelf)


def ordered(paths: np.ndarray, pair: np.ndarray, shelf: Shelf) -> np.ndarray:
    units = np.zeros(len(shelf.on_hand))
    arriving = np.zeros((len(pair), 1, paths.shape[2]))
    arriving[:, 0, :LEAD_WEEKS] = shelf.under_way[pair]
    opens = np.full((len(pair), 1), LEAD_WEEKS)
    units[pair] = order_units(paths, shelf.on_hand[pair], arriving, opens, opens + 1, SHORTAGE, HOLDING)
    return units
