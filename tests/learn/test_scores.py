"""What past forecasts and orders teach, by hand-checked arithmetic."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from statistics import NormalDist

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from datong.learn.lead_times import finished_orders, lead_days
from datong.learn.learnt_as_table import learnt_from_table, learnt_table
from datong.learn.scores import (
    PAST_RUNS,
    covered_share,
    forecast_ratio,
    learn,
    spread_ratio,
)
from datong.learn.yields import LearntYield, learnt_yields
from datong.ledger.protocol import RunRecord
from datong.ledger.state import State, state_of_tables
from datong.model.flow import QUANTILES, Item, Learnt, Sensed, SeriesSet, nothing_learnt
from datong.model.settings import ChainSettings

A = Item("A", "all")
MONDAYS = tuple(date(2026, 1, d) for d in (5, 12, 19, 26))
NOW = datetime(2026, 1, 26, tzinfo=UTC)


def state(**tables: dict) -> State:
    return state_of_tables(ChainSettings("t"), NOW, {n: pa.table(rows) for n, rows in tables.items()})


def series(units: list[float]) -> SeriesSet:
    row = np.array([units])
    return SeriesSet(
        items=(A,),
        bucket_starts=MONDAYS[: len(units)],
        horizon_starts=MONDAYS[len(units) :],
        units=row,
        sold_units=np.nan_to_num(row),
        availability=np.zeros(row.shape, dtype=np.int64),
        known_ahead_units=np.zeros((1, 1)),
        given_units=np.full((1, 1), np.nan),
        known_ahead_history=np.zeros(row.shape),
        holidays=(),
        category=("",),
    )


def run(bucket: date, mean: float, low: float, high: float, used: Learnt | None = None, horizon: int = 0) -> RunRecord:
    quantiles = {f"q{q:02d}_units": [mean] for q in (5, 25, 50, 75, 95)}
    forecast = {
        "product": ["A"],
        "market": ["all"],
        "bucket": [bucket],
        "horizon": [horizon],
        "mean_units": [mean],
        "q10_units": [low],
        "q90_units": [high],
        "method": ["AutoETS"],
        **quantiles,
    }
    tables = {"forecast": pa.table(forecast), "learnt_used": learnt_table(used or nothing_learnt())}
    return RunRecord(f"r-{bucket}-{horizon}", datetime(2026, 1, 5, tzinfo=UTC), 0, tables)


def scores_of(learnt: Learnt, metric: str) -> list[float]:
    frame = learnt.scores.to_pandas()
    return frame.loc[frame["metric"] == metric, "value"].tolist()


def test_bias_and_coverage_of_a_past_forecast() -> None:
    """Forecast 100 (80..110) and 100 (95..130) against demand of 120 and 100: bias -20 and 0, covered 0 and 1.

    Pinball of the first, demand 20 above a flat 100 but q10 = 80 and q90 = 110:
    20 x (.05 + .25 + .5 + .75 + .95) + 40 x .1 + 10 x .9 = 63, over 7 quantiles = 9.
    """
    runs = [run(MONDAYS[1], 100, 80, 110), run(MONDAYS[2], 100, 95, 130)]
    learnt = learn(state(), Sensed(series([1.0, 120.0, 100.0]), ()), runs)
    assert scores_of(learnt, "bias_units") == [-20.0, 0.0]
    assert scores_of(learnt, "covered") == [0.0, 1.0]
    assert scores_of(learnt, "pinball_units")[0] == pytest.approx(9.0)


def test_a_step_of_the_distribution_covers_a_share() -> None:
    """All quantiles 0 and nothing sold: anywhere between chance 0 and 1, of which 0.8 lie within: 0.8.

    Quantiles 0 up to the median, then 2: nothing sold is between 0 and 0.75: 0.65 of 0.75. 1 is between 0.5 and 0.75:
    covered. 3 is not.
    """
    zeros, steps = [0.0] * 7, [0.0, 0.0, 0.0, 0.0, 2.0, 2.0, 2.0]
    got = covered_share(np.array([0.0, 0.0, 1.0, 3.0]), np.array([zeros, steps, steps, steps]))
    assert got.tolist() == pytest.approx([0.8, 0.65 / 0.75, 1.0, 0.0])
    # A continuous outcome is in or out.
    rising = np.array([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]] * 3)
    assert covered_share(np.array([1.5, 2.5, 6.5]), rising).tolist() == pytest.approx([0.0, 1.0, 0.0])


def test_unknown_demand_and_open_buckets_are_not_scored() -> None:
    runs = [run(MONDAYS[2], 100, 80, 110), run(MONDAYS[3], 100, 80, 110)]
    learnt = learn(state(), Sensed(series([5.0, 5.0, np.nan]), ()), runs)
    assert scores_of(learnt, "bias_units") == []
    assert learnt.forecast_ratio == {}
    assert learnt.spread_ratio == {}


def outcomes(mean: list[float], units: list[float], **columns: list[float]) -> pd.DataFrame:
    """One outcome a week, of a forecast with all quantiles at its mean."""
    n = len(mean)
    base = {"product": ["A"] * n, "market": ["all"] * n, "horizon": [0] * n, "spread_used": [1.0] * n}
    base |= {"bucket": [MONDAYS[0] + timedelta(weeks=t) for t in range(n)]}
    base |= dict.fromkeys(QUANTILES, mean)
    return pd.DataFrame({**base, "ratio_used": [1.0] * n, "mean_units": mean, "units": units, **columns})


def test_the_level_is_corrected_by_a_shrunk_ratio_as_far_as_it_lasts() -> None:
    """r = (120 + 800) / 900, (240 + 800) / 1000, (360 + 800) / 1100, each less 1: 0.02222, 0.04, 0.05455.

    lambda = (0.02222 x 0.2 + 0.04 x 0.2) / (0.02222^2 + 0.04^2 + 0.05) = 0.012444 / 0.052094 = 0.23889;
    1 + 0.23889 x 0.05455 = 1.01303.
    """
    three = outcomes([100.0] * 3, [120.0] * 3)
    assert forecast_ratio(three) == {A: pytest.approx(1.01303, abs=1e-5)}
    assert forecast_ratio(outcomes([100.0] * 20, [120.0] * 20))[A] > 1.13  # r = 3200 / 2800, and lambda near 1
    assert forecast_ratio(three[:0]) == {}


def test_errors_that_do_not_last_correct_nothing() -> None:
    """Too low and too high in turn: what was seen before says the opposite of what comes."""
    turns = forecast_ratio(outcomes([100.0] * 12, [150.0, 50.0] * 6))
    assert turns == {A: 1.0}


def test_the_level_correction_is_of_the_uncorrected_forecast() -> None:
    """A forecast of 104 that had been corrected by 1.04 was 100 before: the same comes out again."""
    corrected = outcomes([104.0] * 3, [120.0] * 3, ratio_used=[1.04] * 3)
    assert forecast_ratio(corrected) == {A: pytest.approx(1.01303, abs=1e-5)}


def interval(half: float, count: int) -> dict[str, list[float]]:
    """Normal quantiles about 100 whose 80% interval is 100 +- half."""
    z = {name: NormalDist().inv_cdf(q) / NormalDist().inv_cdf(0.9) for name, q in QUANTILES.items()}
    return {name: [100.0 + half * value] * count for name, value in z.items()}


def test_too_narrow_intervals_are_widened_and_too_wide_ones_drawn_in() -> None:
    """Demand strays with standard deviation 10, which an 80% interval of +- 12.8 holds; half and twice as wide ones are
    put right but for the prior: 30 buckets over 38 of what is missing, as far as SPREAD_FACTORS reach."""
    rng = np.random.default_rng(3)
    units = list(rng.normal(100, 10, 30))
    narrow = spread_ratio(outcomes([100.0] * 30, units, **interval(8.0, 30)), {"A": 2.0})
    wide = spread_ratio(outcomes([100.0] * 30, units, **interval(20.0, 30)), {"A": 2.0})
    assert 1.25 < narrow[0] < 1.7
    assert 0.55 < wide[0] < 0.85


def test_a_factor_on_the_spread_that_has_not_held_is_not_used() -> None:
    """Right intervals, and buckets that are calm and wild in turn: what was best so far is wrong for the next."""
    rng = np.random.default_rng(3)
    right = list(rng.normal(100, 10, 400))
    assert spread_ratio(outcomes([100.0] * 400, right, **interval(12.8, 400)), {"A": 2.0}).get(0, 1.0) == pytest.approx(
        1.0, abs=0.08
    )
    turns = [100.0, 130.0, 100.0, 100.0]
    assert spread_ratio(outcomes([100.0] * 4, turns, **interval(12.8, 4)), {"A": 2.0}) == {}


def order_tables(days: list[int]) -> dict[str, dict]:
    orders = [f"W{i}" for i in range(len(days))]
    n = len(orders)
    return {
        "orders": {
            "order": orders,
            "product": ["A"] * n,
            "recipe": ["A/1"] * n,
            "units": [10.0] * n,
            "start": [date(2026, 1, 5)] * n,
            "due": [date(2026, 1, 12)] * n,
        },
        "order_events": {
            "order": orders * 2,
            "state": ["released"] * n + ["done"] * n,
            "happened_at": [datetime(2026, 1, 5, 9, tzinfo=UTC)] * n
            + [datetime(2026, 1, 5 + d, 7, tzinfo=UTC) for d in days],
            "good_units": [None] * n + [9.0] * n,
        },
    }


def test_lead_times_are_learnt_in_days_from_five_orders_on() -> None:
    """Released on Monday the 5th: done on the 8th, 9th, 11th: that week, 0 days; on the 12th and 20th: 7 and 15."""
    learnt = lead_days(finished_orders(state(**order_tables([3, 4, 7, 15, 6]))))
    assert learnt == {"A/1": (0.0, 0.0, 0.0, 7.0, 15.0)}
    assert lead_days(finished_orders(state(**order_tables([3, 4, 7, 5])))) == {}


def test_an_order_released_early_counts_from_its_start() -> None:
    """Released on the 5th to start on Thursday the 15th: done on the 18th is that week; on the 21st, six days."""
    tables = order_tables([13, 16])
    tables["orders"]["start"] = [date(2026, 1, 15)] * 2
    assert [order.lead_days for order in finished_orders(state(**tables))] == [0.0, 6.0]


def test_fulfilment_of_finished_orders_is_scored() -> None:
    learnt = learn(state(**order_tables([3])), Sensed(series([1.0]), ()), [])
    assert scores_of(learnt, "order_fulfilment") == [0.9]


def test_yield_leans_on_the_recipe_until_reports_weigh_more() -> None:
    """90 good, 10 scrap in one report; prior 1.0 with the weight of five reports of 100: (90 + 500) / (100 + 500)."""
    s = state(
        recipes={"recipe": ["A/1"], "product": ["A"]},
        production={"happened_at": [NOW], "product": ["A"], "good_units": [90.0], "scrap_units": [10.0]},
    )
    assert learnt_yields(s) == {"A/1": LearntYield(pytest.approx(590 / 600), 1)}


def test_the_yield_of_a_recipe_that_is_gone_is_not_learnt() -> None:
    s = state(
        recipes={"recipe": ["A/1", "A/2"], "product": ["A", "A"]},
        orders={"order": ["W1"], "product": ["A"], "recipe": ["A/0"], "units": [100.0], "start": [MONDAYS[0]]},
        production={
            "happened_at": [NOW],
            "order": ["W1"],
            "product": ["A"],
            "good_units": [90.0],
            "scrap_units": [10.0],
        },
    )
    assert learnt_yields(s) == {}


def test_each_bucket_and_order_is_scored_once() -> None:
    """Runs on the 5th, 12th and 19th each forecast the week of the 12th or 19th. On the 26th the week of the 12th was
    scored by the run of the 19th; the week of the 19th is new, and so is the order told to be done on the 20th.
    """
    first = [run(MONDAYS[1], 100, 80, 110), run(MONDAYS[2], 100, 95, 130, horizon=1)]
    last = replace(run(MONDAYS[2], 90, 80, 130), as_of=datetime(2026, 1, 19, tzinfo=UTC))
    now = Sensed(series([1.0, 120.0, 100.0]), ())
    tables = order_tables([3, 15])
    learnt = learn(state(**tables), now, [*first, last])
    frame = learnt.scores.to_pandas().query("metric == 'bias_units'")
    assert frame[["bucket", "horizon", "value"]].to_numpy().tolist() == [[MONDAYS[2], 1, 0.0], [MONDAYS[2], 0, -10.0]]
    assert scores_of(learnt, "lead_days") == [15.0]
    assert learnt.forecast_ratio == learn(state(**tables), now, [last, *first]).forecast_ratio  # of all outcomes
    known = [datetime(2026, 1, 5, tzinfo=UTC)] * 2 + [datetime(2026, 1, 22, tzinfo=UTC)] * 2
    tables["order_events"]["known_at"] = known
    assert scores_of(learn(state(**tables), now, [*first, last]), "lead_days") == [0.0, 15.0]
    again = replace(last, as_of=NOW)
    assert learn(state(**order_tables([3])), now, [*first, again]).scores.num_rows == 0


def test_only_the_last_runs_correct_the_forecast() -> None:
    """Three runs that were far off, and then PAST_RUNS that were right."""
    now = Sensed(series([120.0, 120.0, 120.0]), ())
    off = [run(monday, 10, 8, 11) for monday in MONDAYS[:3]]
    right = [run(MONDAYS[2], 120, 110, 130)] * PAST_RUNS
    assert learn(state(), now, off + right).forecast_ratio == {A: pytest.approx(1.0)}
    assert learn(state(), now, off + right[3:]).forecast_ratio[A] > 1.01


def test_what_was_learnt_survives_being_written_down() -> None:
    learnt = Learnt({A: 1.1}, {0: 1.5, 3: 0.9}, {"A/1": (3.0, 4.0)}, {"A/1": 0.97}, nothing_learnt().scores, {"A/1": 4})
    again = learnt_from_table(learnt_table(learnt))
    assert (again.forecast_ratio, again.spread_ratio) == (learnt.forecast_ratio, learnt.spread_ratio)
    assert (again.lead_days, again.yield_share) == (learnt.lead_days, learnt.yield_share)
    assert again.yield_records == {"A/1": 4}


def test_production_that_no_recipe_can_be_told_for_teaches_nothing() -> None:
    """Two recipes of A, one of B, and a report of A that names no order: whose yield it was is not known."""
    s = state(
        recipes={"recipe": ["A/1", "A/2", "B/1"], "product": ["A", "A", "B"]},
        production={"happened_at": [NOW], "product": ["A"], "good_units": [90.0], "scrap_units": [10.0]},
    )
    assert learnt_yields(s) == {}


def test_past_forecasts_of_given_demand_are_scored_by_nothing() -> None:
    """All demand was given and nothing was ever sold: neither side has a row to hold against the other."""
    past = run(MONDAYS[1], 100, 80, 110)
    given = past.tables["forecast"].set_column(7, "method", pa.array(["given"]))
    assert past.tables["forecast"].column_names[7] == "method"
    only_given = replace(past, tables={**past.tables, "forecast": given})
    learnt = learn(state(), Sensed(series([np.nan, np.nan, np.nan]), ()), [only_given])
    assert (learnt.forecast_ratio, learnt.spread_ratio, learnt.scores.num_rows) == ({}, {}, 0)
