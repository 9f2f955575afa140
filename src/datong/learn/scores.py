"""What past forecasts and plans turned out to be worth, and what the next cycle should know from it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from datong.learn.lead_times import FinishedOrder, finished_orders, lead_days
from datong.learn.learnt_as_table import learnt_from_table
from datong.learn.yields import learnt_yields
from datong.ledger.protocol import RunRecord
from datong.ledger.state import State
from datong.model.flow import QUANTILES, SCORES_SCHEMA, FloatArray, Item, Learnt, Sensed, SeriesSet
from datong.network.position import Position, position
from datong.network.sent_to_buyers import ships_to_buyers

if TYPE_CHECKING:
    import pandas as pd

# How many scored buckets it takes until what was seen weighs as much as the prior 'the forecast is right'.
RATIO_PRIOR_BUCKETS = 8.0
SPREAD_PRIOR_BUCKETS = 8.0
# Squared corrections that speak for no persistence before any was seen; relative errors beyond these are cut.
PERSISTENCE_PRIOR = 0.05
LEAST_ERROR, MOST_ERROR = -1.0, 2.0
# Factors on the spread that are compared.
SPREAD_FACTORS = np.round(np.arange(0.5, 1.85, 0.05), 2)
# Corrections come from the forecasts of so many runs, the last ones: what an older one missed was long since learnt.
PAST_RUNS = 26


def learn(state: State, sensed: Sensed, past_runs: Sequence[RunRecord], where: Position | None = None) -> Learnt:
    """Scores what became known since the last run, and updates what planning believes.

    past_runs: earlier runs, oldest first, each with the tables `forecast` and `learnt_used`, and `adjustments` where it
    has any. Only the last PAST_RUNS of them count. where: the state's position, where it is at hand.
    Scores are of buckets that closed, and of orders that were told to be done, since the last of these runs: what was
    so before is in that run's scores. One row each: bias_units (forecast mean - demand), pinball_units (mean over
    QUANTILES), covered (share of the 80% interval in which demand lay, see `covered_share`), adjusted_error_units and
    unadjusted_error_units (where signals adjusted the forecast: how far demand lay from its mean with and without
    that), order_fulfilment (good units over ordered) and lead_days of finished orders, fill_on_time and stock_units (of
    the chain, in the last closed bucket).
    """
    past_runs = past_runs[-PAST_RUNS:]
    outcomes = forecast_outcomes(sensed.series, past_runs)
    orders = finished_orders(state)
    scored_until = past_runs[-1].as_of if past_runs else None
    new_orders = [o for o in orders if scored_until is None or o.told_at > scored_until]
    first_new = _first_unscored_bucket(state, scored_until)
    scores = [_order_scores(new_orders), _chain_scores(state, sensed.series, first_new, where)]
    if outcomes is not None:
        scores.insert(0, _forecast_scores(outcomes[outcomes["bucket"] >= first_new]))
    yields = learnt_yields(state)
    return Learnt(
        forecast_ratio=forecast_ratio(outcomes),
        spread_ratio=spread_ratio(outcomes, _prices(state)),
        lead_days=lead_days(orders),
        yield_share={recipe: one.share for recipe, one in yields.items()},
        scores=pa.concat_tables(scores),
        yield_records={recipe: one.records for recipe, one in yields.items()},
    )


def _first_unscored_bucket(state: State, scored_until: datetime | None) -> date:
    """The bucket that was the first open one when scores were last made; the first of all where they never were."""
    return date.min if scored_until is None else replace(state, as_of=scored_until).first_open_bucket


def forecast_outcomes(series: SeriesSet, past_runs: Sequence[RunRecord]) -> "pd.DataFrame | None":
    """Every past forecast whose bucket is closed and whose demand is known, with that demand in `units`; None where
    there is none.

    spread_used and ratio_used are the corrections that the forecast had already been given; unadjusted_units is its
    mean without what signals did to it, NaN where they did nothing.
    """
    past_runs = [run for run in past_runs if "forecast" in run.tables]
    if not past_runs:
        return None
    import pandas as pd  # slow to import, and a first plan has nothing to look back on

    item, bucket = np.nonzero(~np.isnan(series.units))
    actual = pd.DataFrame(  # pandas guesses the type of a column without rows: it is said
        {
            "product": pd.Series([series.items[i].product for i in item], dtype=object),
            "market": pd.Series([series.items[i].market for i in item], dtype=object),
            "bucket": pd.Series([series.bucket_starts[b] for b in bucket], dtype=object),
            "units": series.units[item, bucket],
        }
    )
    parts = []
    for run in past_runs:
        past = run.tables["forecast"].to_pandas()
        past = past[past["method"] != "given"]
        used = learnt_from_table(run.tables["learnt_used"])
        past["spread_used"] = past["horizon"].map(lambda h, u=used: u.spread_ratio.get(int(h), 1.0))
        past["ratio_used"] = [
            used.forecast_ratio.get(Item(p, m), 1.0) for p, m in zip(past["product"], past["market"], strict=True)
        ]
        past["unadjusted_units"] = _unadjusted(past, run)
        parts.append(past.assign(run=run.run).merge(actual, on=["product", "market", "bucket"]))
    outcomes = pd.concat(parts, ignore_index=True)
    return None if outcomes.empty else outcomes


def _unadjusted(past: "pd.DataFrame", run: RunRecord) -> FloatArray:
    """Units that a run's forecasts would have had without the adjustments of signals; NaN where there were none."""
    if "adjustments" not in run.tables:  # an earlier version kept none
        return np.full(len(past), np.nan)
    rows = run.tables["adjustments"].select(["product", "market", "bucket", "unadjusted_units"]).to_pylist()
    without = {(r["product"], r["market"], r["bucket"]): r["unadjusted_units"] for r in rows}
    keys = zip(past["product"], past["market"], past["bucket"], strict=True)
    return np.array([without.get(key, np.nan) for key in keys], dtype=np.float64)


def forecast_ratio(outcomes: "pd.DataFrame | None") -> dict[Item, float]:
    """Demand over forecast by item, as far as such ratios have lasted.

    Of the forecasts for the next bucket (farther ones lag behind every change), before correction: F, with m their mean
    so far, and the demand D that came. What is known of an item after bucket t is

        r_t = (sum D + k m) / (sum F + k m),    k = RATIO_PRIOR_BUCKETS,

    a linear shrinkage to 1, as of a ratio estimator with a prior of k buckets that were forecast right. Example: D =
    120 + 120, F = 100 + 100, m = 100, k = 8: (240 + 800) / (200 + 800) = 1.04. How much of it is there again in the
    next bucket is the slope through the origin over all items and buckets, within 0 and 1,

        lambda = sum (r_t-1 - 1) (D_t / F_t - 1) / (sum (r_t-1 - 1)^2 + PERSISTENCE_PRIOR)

    and the ratio is 1 + lambda (r - 1): errors that come and go correct nothing.
    """
    if outcomes is None:
        return {}
    near = outcomes[outcomes["horizon"] == 0]
    near = near.assign(base=near["mean_units"] / near["ratio_used"])
    table = near.pivot_table(index=["product", "market"], columns="bucket", values=["base", "units"])
    if table.empty:
        return {}
    forecast = table["base"].fillna(0.0).to_numpy()  # (item, bucket)
    demand = table["units"].fillna(0.0).to_numpy()
    so_far = np.cumsum(forecast, axis=1)
    prior = RATIO_PRIOR_BUCKETS * so_far / np.maximum(np.cumsum(forecast > 0, axis=1), 1)
    ratio = np.divide(
        np.cumsum(demand, axis=1) + prior, so_far + prior, out=np.ones_like(prior), where=so_far + prior > 0
    )
    usual, came = forecast[:, 1:], demand[:, 1:]
    error = np.divide(came, usual, out=np.ones_like(came), where=usual > 0) - 1.0
    error = np.clip(error, LEAST_ERROR, MOST_ERROR)
    known = np.where(usual > 0, ratio[:, :-1] - 1.0, 0.0)
    persistence = float(np.sum(known * error)) / (float(np.sum(known**2)) + PERSISTENCE_PRIOR)
    persistence = min(max(persistence, 0.0), 1.0)
    return {
        Item(str(product), str(market)): 1.0 + persistence * (float(r) - 1.0)
        for (product, market), r in zip(table.index, ratio[:, -1], strict=True)
    }


def spread_ratio(outcomes: "pd.DataFrame | None", prices: Mapping[str, float]) -> dict[int, float]:
    """Factor on the paths' spread, by horizon, that would have made past forecasts lose least, where that has held.

    Loss: pinball loss in money (units x price), the mean over QUANTILES, of the quantiles as they were, their distance
    from the mean times the factor. After n buckets the best of SPREAD_FACTORS is drawn to 1 by n / (n + prior). It is
    used only if such factors, each found before the forecast that it is judged by, have lost less in sum than none: the
    prequential test of a forecaster (Dawid 1984, J. Royal Statistical Society A 147).
    """
    if outcomes is None:
        return {}
    buckets, at = np.unique(outcomes["bucket"].to_numpy(), return_inverse=True)
    horizon = outcomes["horizon"].to_numpy()
    loss = _loss_by_factor(outcomes, prices)  # (factor, outcome)
    plain = int(np.argmin(np.abs(SPREAD_FACTORS - 1.0)))
    result = {}
    for h in np.unique(horizon):
        of = horizon == h
        there = np.unique(at[of])
        by_bucket = np.stack([np.bincount(at[of], row[of], len(buckets)) for row in loss])[:, there]
        count = np.arange(1, len(there) + 1)
        best = SPREAD_FACTORS[np.argmin(np.cumsum(by_bucket, axis=1), axis=0)]
        factor = 1.0 + (best - 1.0) * count / (count + SPREAD_PRIOR_BUCKETS)
        lag = int(h) + 1  # a forecast so far ahead was made when no later bucket was known
        if len(there) <= lag:
            continue
        nearest = np.argmin(np.abs(SPREAD_FACTORS[:, None] - factor[None, :-lag]), axis=0)
        with_factor = by_bucket[nearest, np.arange(lag, len(there))].sum()
        if with_factor < by_bucket[plain, lag:].sum():
            result[int(h)] = float(factor[-1])
    return result


def _loss_by_factor(outcomes: "pd.DataFrame", prices: Mapping[str, float]) -> FloatArray:
    """(factor, outcome) pinball loss in money."""
    mean = outcomes["mean_units"].to_numpy()[:, None]
    away = (outcomes[list(QUANTILES)].to_numpy() - mean) / outcomes["spread_used"].to_numpy()[:, None]
    came = outcomes["units"].to_numpy()[:, None]
    price = np.array([prices.get(product, 0.0) for product in outcomes["product"]])
    level = np.array(list(QUANTILES.values()))
    result = np.empty((len(SPREAD_FACTORS), len(outcomes)))
    for i, factor in enumerate(SPREAD_FACTORS):
        over = came - np.maximum(mean + factor * away, 0.0)
        result[i] = np.maximum(level * over, (level - 1) * over).mean(axis=1) * price
    return result


def _prices(state: State) -> dict[str, float]:
    default = state.settings.defaults.price
    rows = state.table("products").select(["product", "price"]).to_pydict()
    return {p: default if v is None else v for p, v in zip(rows["product"], rows["price"], strict=True)}


def _forecast_scores(outcomes: "pd.DataFrame") -> pa.Table:
    import pandas as pd

    gap = np.column_stack([outcomes["units"] - outcomes[name] for name in QUANTILES])
    q = np.array(list(QUANTILES.values()))
    key = outcomes[["run", "product", "market", "horizon", "bucket"]]
    values = {
        "bias_units": outcomes["mean_units"] - outcomes["units"],
        "pinball_units": np.maximum(q * gap, (q - 1) * gap).mean(axis=1),
        "covered": covered_share(outcomes["units"].to_numpy(), outcomes[list(QUANTILES)].to_numpy()),
    }
    scores = [key.assign(metric=m, value=np.asarray(v, dtype=float)) for m, v in values.items()]
    moved = outcomes[outcomes["unadjusted_units"].notna()]
    for name, told in (("adjusted", "mean_units"), ("unadjusted", "unadjusted_units")):
        error = (moved[told] - moved["units"]).abs()
        scores.append(key.loc[moved.index].assign(metric=f"{name}_error_units", value=error.to_numpy(dtype=float)))
    return pa.Table.from_pandas(pd.concat(scores), schema=SCORES_SCHEMA, preserve_index=False)


def covered_share(units: FloatArray, quantiles: FloatArray) -> FloatArray:
    """(outcome) 1 where demand lay within the 80% interval, 0 outside, a share where it met a step of the distribution.

    units: (outcome). quantiles: (outcome, level) at QUANTILES. Demand of D lies between the chances [u, v]: u is the
    highest level whose quantile is below D (0: none), v the lowest whose quantile is above (1: none); the share of
    [u, v] within [0.1, 0.9] counts (the non-randomised probability integral transform for counts: Czado, Gneiting and
    Held 2009, Biometrics 65). An item whose quantiles are all 0 and that sells nothing is thus covered by 0.8, not 1:
    else rare demand would look as if intervals were too wide.
    """
    level = np.array(list(QUANTILES.values()))
    demand = units[:, None]
    u = np.where(quantiles < demand, level, 0.0).max(axis=1)
    v = np.where(quantiles > demand, level, 1.0).min(axis=1)
    low, high = QUANTILES["q10_units"], QUANTILES["q90_units"]
    inside = np.clip(np.minimum(v, high) - np.maximum(u, low), 0.0, None)
    return inside / np.maximum(v - u, 1e-12)


def _order_scores(orders: Sequence[FinishedOrder]) -> pa.Table:
    known = [(o, o.good_units) for o in orders if o.good_units is not None]
    return _score_rows(
        metric=["order_fulfilment"] * len(known) + ["lead_days"] * len(orders),
        product=[*(o.product for o, _ in known), *(o.product for o in orders)],
        value=[*(good / o.units for o, good in known), *(o.lead_days for o in orders)],
    )


def _chain_scores(state: State, series: SeriesSet, first_new: date, where: Position | None) -> pa.Table:
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
    metric: Sequence[str] = (), value: Sequence[float] = (), product: Sequence[str] = (), bucket: Sequence[date] = ()
) -> pa.Table:
    n = len(metric)
    columns = {
        "metric": metric,
        "run": [None] * n,
        "product": product or [None] * n,
        "market": [None] * n,
        "horizon": [0] * n,
        "bucket": bucket or [None] * n,
        "value": value,
    }
    return pa.table({name: pa.array(columns[name], SCORES_SCHEMA.field(name).type) for name in SCORES_SCHEMA.names})
