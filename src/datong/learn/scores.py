"""What past forecasts and plans turned out to be worth, and what the next cycle should know from it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

import numpy as np
import pandas as pd
import pyarrow as pa

from datong.learn.memory import learnt_from_table
from datong.ledger.position import Position, position, ships_to_buyers
from datong.ledger.protocol import RunRecord
from datong.ledger.state import State
from datong.model.calendar import Calendar
from datong.model.flow import QUANTILES, SCORES_SCHEMA, Item, Learnt, Sensed, SeriesSet

TARGET_COVERAGE = 0.8

# How many scored buckets it takes until what was seen weighs as much as the prior 'the forecast is right'.
RATIO_PRIOR_BUCKETS = 8.0
SPREAD_PRIOR_BUCKETS = 40.0
# Lead times and yields count from this many finished orders on; a yield leans on the recipe's own with this weight.
LEAST_ORDERS = 5
# Corrections come from the forecasts of so many runs, the last ones: what an older one missed was long since learnt.
PAST_RUNS = 26
# Only forecasts this near are used to correct the level: farther ones lag behind every change.
RATIO_HORIZONS = 2


def learn(state: State, sensed: Sensed, past_runs: Sequence[RunRecord], where: Position | None = None) -> Learnt:
    """Scores what became known since the last run, and updates what planning believes.

    past_runs: earlier runs, oldest first, each with the tables `forecast`, `orders` and `learnt_used`. Only the last
    PAST_RUNS of them count. where: the state's position, where it is at hand.
    Scores are of buckets that closed, and of orders that were told to be done, since the last of these runs: what was
    so before is in that run's scores. One row each: bias_units (forecast mean - demand), pinball_units (mean over
    QUANTILES), covered (1 where demand lay within the 80% interval), order_fulfilment (good units over ordered) and
    lead_days of finished orders, fill_on_time and stock_units (of the chain, in the last closed bucket).
    """
    past_runs = past_runs[-PAST_RUNS:]
    outcomes = forecast_outcomes(sensed.series, past_runs)
    orders = finished_orders(state)
    scored_until = past_runs[-1].as_of if past_runs else None
    new_orders = orders if scored_until is None else orders[orders["told_at"] > pd.Timestamp(scored_until)]
    first_new = _first_unscored_bucket(state, scored_until)
    scores = pd.concat(
        [
            _forecast_scores(outcomes if outcomes.empty else outcomes[outcomes["bucket"] >= first_new]),
            _order_scores(new_orders),
            _chain_scores(state, sensed.series, first_new, where),
        ],
        ignore_index=True,
    )
    return Learnt(
        forecast_ratio=forecast_ratio(outcomes),
        spread_ratio=spread_ratio(outcomes),
        lead_days=lead_days(orders),
        yield_share=yield_share(state),
        scores=pa.Table.from_pandas(scores, schema=SCORES_SCHEMA, preserve_index=False),
    )


def _first_unscored_bucket(state: State, scored_until: datetime | None) -> date:
    """The bucket that was the first open one when scores were last made; the first of all where they never were."""
    return date.min if scored_until is None else replace(state, as_of=scored_until).first_open_bucket


def forecast_outcomes(series: SeriesSet, past_runs: Sequence[RunRecord]) -> pd.DataFrame:
    """Every past forecast whose bucket is closed and whose demand is known, with that demand in `units`.

    spread_used and ratio_used are the corrections that the forecast had already been given.
    """
    item, bucket = np.nonzero(~np.isnan(series.units))
    actual = pd.DataFrame(
        {
            "product": [series.items[i].product for i in item],
            "market": [series.items[i].market for i in item],
            "bucket": [series.bucket_starts[b] for b in bucket],
            "units": series.units[item, bucket],
        }
    )
    parts = []
    for run in past_runs:
        if "forecast" not in run.tables:
            continue
        past = run.tables["forecast"].to_pandas()
        past = past[past["method"] != "given"]
        used = learnt_from_table(run.tables["learnt_used"])
        past["spread_used"] = past["horizon"].map(lambda h, u=used: u.spread_ratio.get(int(h), 1.0))
        past["ratio_used"] = [
            used.forecast_ratio.get(Item(p, m), 1.0) for p, m in zip(past["product"], past["market"], strict=True)
        ]
        parts.append(past.assign(run=run.run).merge(actual, on=["product", "market", "bucket"]))
    if not parts:
        return pd.DataFrame()
    return pd.concat(parts, ignore_index=True)


def forecast_ratio(outcomes: pd.DataFrame) -> dict[Item, float]:
    """Demand over forecast by item, shrunk: (sum D + k m) / (sum F + k m), with m the mean forecast of a bucket.

    F is the forecast before correction; k = RATIO_PRIOR_BUCKETS. A linear shrinkage to 1, as of a ratio estimator
    with a prior of k buckets that were forecast right. Example: D = 120 + 120, F = 100 + 100, m = 100, k = 8:
    (240 + 800) / (200 + 800) = 1.04.
    """
    if outcomes.empty:
        return {}
    near = outcomes[outcomes["horizon"] < RATIO_HORIZONS]
    result = {}
    for (product, market), rows in near.groupby(["product", "market"]):
        base = (rows["mean_units"] / rows["ratio_used"]).to_numpy()
        prior = RATIO_PRIOR_BUCKETS * float(base.mean())
        if prior > 0:
            result[Item(str(product), str(market))] = float((rows["units"].sum() + prior) / (base.sum() + prior))
    return result


def spread_ratio(outcomes: pd.DataFrame) -> dict[int, float]:
    """Factor on the paths' spread, by horizon, that makes the 80% interval cover 80% of past outcomes.

    Split conformal scaling (Lei et al. 2018, 'Distribution-free predictive inference for regression'): the 80%
    quantile of |D - mean| over the half-width of the interval on the side of D, shrunk to 1 by n / (n + prior).
    """
    if outcomes.empty:
        return {}
    mean = outcomes["mean_units"]
    half = np.where(outcomes["units"] >= mean, outcomes["q90_units"] - mean, mean - outcomes["q10_units"])
    miss = np.abs(outcomes["units"] - mean).to_numpy()
    known = half > 1e-9
    score = miss[known] / half[known] * outcomes["spread_used"].to_numpy()[known]
    horizon = outcomes["horizon"].to_numpy()[known]
    result = {}
    for h in np.unique(horizon):
        values = score[horizon == h]
        weight = len(values) / (len(values) + SPREAD_PRIOR_BUCKETS)
        result[int(h)] = float(1 + (np.quantile(values, TARGET_COVERAGE) - 1) * weight)
    return result


def finished_orders(state: State) -> pd.DataFrame:
    """Orders that were released and done: order, product, source (recipe or offer), units, good_units and these two.

    lead_days: from the day on which the order could start (its start, or its release if later) to the one on which it
    was done; 0 where that is in the same bucket, as planning has it that units of such a lead are there in the bucket
    of their start. told_at: when it became known that the order was done.
    """
    orders = state.table("orders").to_pandas()[["order", "product", "recipe", "offer", "units", "start"]]
    events = state.table("order_events").to_pandas()
    events["known_at"] = events["known_at"].fillna(events["happened_at"])
    released = events[events["state"] == "released"].groupby("order")["happened_at"].min().rename("released_at")
    done = (
        events[events["state"] == "done"]
        .groupby("order")
        .agg(done_at=("happened_at", "max"), good_units=("good_units", "max"), told_at=("known_at", "max"))
    )
    found = orders.merge(released, on="order").merge(done, on="order")
    calendar = state.settings.calendar
    found["lead_days"] = [
        _lead_days(calendar, max(start, calendar.local_date(out)), calendar.local_date(end))
        for start, out, end in zip(found["start"], found["released_at"], found["done_at"], strict=True)
    ]
    found["source"] = found["recipe"].fillna(found["offer"])
    return found.sort_values("order", ignore_index=True)


def _lead_days(calendar: Calendar, begun: date, done: date) -> float:
    return float((done - begun).days) if calendar.index(done, begun) > 0 else 0.0


def lead_days(orders: pd.DataFrame) -> dict[str, tuple[float, ...]]:
    """Past lead times by recipe or offer, sorted, where at least LEAST_ORDERS orders are done."""
    known = orders[orders["source"].notna()]
    return {
        str(source): tuple(sorted(float(d) for d in days))
        for source, days in known.groupby("source")["lead_days"]
        if len(days) >= LEAST_ORDERS
    }


def yield_share(state: State) -> dict[str, float]:
    """Good units over all units made, by recipe, of known recipes with any scrap reported.

    A report without an order counts for the product's recipe where there is just one. (The prior is the recipe's own
    share with the weight of LEAST_ORDERS average reports.)
    """
    made = state.table("production").to_pandas()
    recipes = state.table("recipes").to_pandas().set_index("recipe")
    if made.empty or recipes.empty:
        return {}
    single = recipes.reset_index().groupby("product")["recipe"].agg(["first", "count"]).query("count == 1")["first"]
    by_order = state.table("orders").to_pandas().set_index("order")["recipe"]
    made["recipe"] = made["order"].map(by_order).fillna(made["product"].map(single))
    result = {}
    for recipe, rows in made[made["recipe"].isin(recipes.index)].groupby("recipe"):
        good, scrap = float(rows["good_units"].sum()), float(rows["scrap_units"].sum())
        if scrap > 0:
            weight = LEAST_ORDERS * (good + scrap) / len(rows)
            prior = float(recipes.at[recipe, "yield_share"])
            result[str(recipe)] = (good + weight * prior) / (good + scrap + weight)
    return result


def _forecast_scores(outcomes: pd.DataFrame) -> pd.DataFrame:
    if outcomes.empty:
        return _score_rows()
    gap = np.column_stack([outcomes["units"] - outcomes[name] for name in QUANTILES])
    q = np.array(list(QUANTILES.values()))
    key = outcomes[["run", "product", "market", "horizon", "bucket"]]
    values = {
        "bias_units": outcomes["mean_units"] - outcomes["units"],
        "pinball_units": np.maximum(q * gap, (q - 1) * gap).mean(axis=1),
        "covered": outcomes["units"].between(outcomes["q10_units"], outcomes["q90_units"]).astype(float),
    }
    return pd.concat([key.assign(metric=m, value=np.asarray(v, dtype=float)) for m, v in values.items()])


def _order_scores(orders: pd.DataFrame) -> pd.DataFrame:
    known = orders[orders["good_units"].notna()]
    return _score_rows(
        metric=["order_fulfilment"] * len(known) + ["lead_days"] * len(orders),
        product=[*known["product"], *orders["product"]],
        value=[*(known["good_units"] / known["units"]), *orders["lead_days"]],
    )


def _chain_scores(state: State, series: SeriesSet, first_new: date, where: Position | None) -> pd.DataFrame:
    """Fill and stock of the last closed bucket, where shipments and stock are recorded and it was not scored yet."""
    if not series.bucket_starts or series.bucket_starts[-1] < first_new:
        return _score_rows()
    bucket = series.bucket_starts[-1]
    now = where or position(state)
    metric, value = [], []
    due_units = float(series.sold_units[:, -1].sum())
    if ships_to_buyers(state) and due_units > 0:
        owed = sum(units for (_, due), units in now.owed_units.items() if due >= bucket)
        metric, value = ["fill_on_time"], [1 - owed / due_units]
    if state.table("stock").num_rows:
        metric, value = [*metric, "stock_units"], [*value, sum(now.on_hand_units.values())]
    return _score_rows(metric=metric, value=value, bucket=[bucket] * len(metric))


def _score_rows(
    metric: Sequence[str] = (), value: Sequence[float] = (), product: Sequence[str] = (), bucket: Sequence[object] = ()
) -> pd.DataFrame:
    n = len(metric)
    return pd.DataFrame(
        {
            "metric": pd.Series(metric, dtype=object),
            "run": pd.Series([None] * n, dtype=object),
            "product": pd.Series(product or [None] * n, dtype=object),
            "market": pd.Series([None] * n, dtype=object),
            "horizon": pd.Series([0] * n, dtype="int64"),
            "bucket": pd.Series(bucket or [None] * n, dtype=object),
            "value": pd.Series(value, dtype=float),
        }
    )
