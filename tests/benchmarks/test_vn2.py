"""The referee of VN2: the timing of the game, its opening state, and what a policy may see."""

import json
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from script import load

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data" / "vn2"
bench = load(ROOT / "benchmarks" / "vn2.py")

with_data = pytest.mark.skipif(not (DATA / "history_weekly.parquet").exists(), reason="needs ../shared")


def history(units, weeks=None):
    units = np.asarray(units, dtype=float)
    first = date(2021, 4, 12)
    numbers = np.arange(len(units))
    pairs = pd.DataFrame({"store": numbers, "product": 100 + numbers, "department_group": 1, "department": numbers % 2})
    pairs = pairs.assign(division=3, store_format=numbers % 2)
    return bench.History(pairs, units, tuple(first + timedelta(days=7 * t) for t in range(units.shape[1])))


def shelf(on_hand, first, second):
    return bench.Shelf(np.array(on_hand, dtype=float), np.array([first, second], dtype=float).T)


def test_the_game_by_hand():
    """On the shelf 2, under way 1 and 0; every order is for 3 and arrives two weeks later.

    Week 1: 2 + 1 - 2 = 1 left, 0.2. Week 2: 1 + 0 - 4: 3 lost. Week 3: the first order, 3 - 1 = 2 left, 0.4. Week 4:
    2 + 3 - 0 = 5 left, 1.0.
    """
    course = bench.play(
        lambda h, s: np.array([3.0]), history([[1, 1]]), shelf([2], [1], [0]), np.array([[2, 4, 1, 0.0]])
    )
    assert course.holding.tolist() == [pytest.approx([0.2, 0.0, 0.4, 1.0])]
    assert course.shortage.tolist() == [[0.0, 3.0, 0.0, 0.0]]
    assert course.cost(3) == pytest.approx(1.4)


def test_orders_are_placed_in_six_rounds_on_what_was_sold_before():
    seen = []

    def policy(known, then):
        seen.append((known.units.copy(), then))
        return np.array([1.0])

    actual = np.arange(1.0, 9.0)[None, :]
    course = bench.play(policy, history([[5, 5]]), shelf([0], [0], [0]), actual)
    assert [k.shape[1] for k, _ in seen] == [2, 3, 4, 5, 6, 7]
    assert seen[3][0].tolist() == [[5, 5, 1, 2, 3]]
    assert course.orders.tolist() == [[1.0] * 6]
    # Nothing arrives before week 3; with the orders of rounds 1 to 6 one unit a week does.
    assert course.shortage[0].tolist() == [1, 2, 2, 3, 4, 5, 6, 7]
    # Another future changes nothing of what was seen until then.
    seen_before, seen = seen, []
    bench.play(policy, history([[5, 5]]), shelf([0], [0], [0]), np.where(np.arange(8) < 3, actual, 99.0))
    assert np.array_equal(seen[3][0], seen_before[3][0])


def test_an_unknown_week_sells_nothing_and_costs_nothing():
    course = bench.play(
        lambda h, s: np.array([0.0]), history([[1]]), shelf([4], [0], [0]), np.array([[1, np.nan, 1.0]])
    )
    assert course.holding[0] == pytest.approx([0.6, 0.0, 0.4])


def test_foresight_costs_nothing_once_its_orders_arrive():
    actual = np.random.default_rng(1).poisson(3, (5, 8)).astype(float)
    known = history(np.ones((5, 4)))
    course = bench.play(bench.foresight(actual, 4), known, shelf([0] * 5, [0] * 5, [0] * 5), actual)
    assert course.cost(3) == 0
    assert course.cost() == actual[:, :2].sum()


def test_the_organisers_order_four_weeks_of_a_seasonal_mean():
    """A steady 2 a week and 3 on the shelf and under way: 4 x 2 - 3 = 5."""
    known = history(np.full((1, 60), 2.0))
    assert bench.organisers(known, shelf([1], [1], [1])).tolist() == [5]


def test_datong_knows_that_orders_came_in_two_weeks_but_the_last_two():
    """Of the second pair, with money as the game counts it."""
    found = bench.facts_of(bench.Shelf(np.array([1.0, 7.0]), np.array([[1, 2, 3.0], [4, 5, 6.0]])), np.array([1]))
    assert (found.on_hand.tolist(), found.ordered.tolist(), found.promised_lead.tolist()) == ([7], [[4, 5, 6]], [2])
    assert np.array_equal(found.came_after, [[2, np.nan, np.nan]], equal_nan=True)
    assert (found.shortage_cost.tolist(), found.holding_cost.tolist()) == ([1.0], [0.2])


def test_the_paired_interval():
    """Changes -0.1 and -0.3: mean -0.2, deviation 0.1414, half width 6.314 x 0.1414 / sqrt 2 = 0.6314."""
    found = bench.paired(np.array([90.0, 70.0]), np.array([100.0, 100.0]))
    assert found["share"] == -0.2
    assert found["interval"] == pytest.approx([-0.8314, 0.4314], abs=1e-4)
    assert found["of_totals"] == -0.2


def test_it_plays_files_of_the_schema_from_end_to_end(tmp_path, monkeypatch, capsys):
    """Three pairs, 60 weeks, in another order than the master table's; a pair that nobody has sold yet."""
    known = history(np.random.default_rng(1).poisson(4, (3, 60)))
    known.units[2] = np.nan
    known.pairs.to_csv(tmp_path / "master.csv", index=False)
    rows = [
        {"store": s, "product": s + 100, "week": w, "units": np.nan_to_num(known.units[s, t]), "in_stock": s < 2}
        for s in (2, 0, 1)
        for t, w in enumerate(known.weeks)
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "history.csv", index=False)
    state = known.pairs[["store", "product"]].assign(end_inventory=[9, 0, 1], in_transit_w1=0, in_transit_w2=[9, 0, 0])
    state.iloc[::-1].to_csv(tmp_path / "state.csv", index=False)
    weeks = [{"store": s, "product": s + 100, "week_no": k, "units": 4} for s in range(3) for k in range(1, 9)]
    pd.DataFrame(weeks).to_csv(tmp_path / "actuals.csv", index=False)
    files = [f"--{n}={tmp_path / n}.csv" for n in ("history", "state", "master")]
    monkeypatch.setattr(sys, "argv", ["vn2.py", *files])
    assert bench.main() == 0
    orders = json.loads(capsys.readouterr().out)["orders_round_1"]
    assert [o["product"] for o in orders] == [100, 101, 102]
    assert orders[0]["order_units"] < orders[1]["order_units"]
    assert orders[2]["order_units"] == 0
    monkeypatch.setattr(sys, "argv", ["vn2.py", *files, f"--actuals={tmp_path / 'actuals.csv'}"])
    assert bench.main() == 0
    found = json.loads(capsys.readouterr().out)
    assert found["cost_weeks_3_8"] == pytest.approx(found["holding"] + found["shortage"])
    assert found["foresight"]["cost_weeks_3_8"] < found["cost_weeks_3_8"]
    (tmp_path / "state.csv").write_text("store,product\n0,100\n")
    with pytest.raises(SystemExit, match="end_inventory"):
        bench.main()


@with_data
def test_the_opening_state_is_the_games_own():
    known = bench.read_history(DATA / "history_weekly.parquet", DATA / "master.parquet")
    given = bench.read_shelf(DATA / "initial_state.parquet", known)
    made = bench.opening(known, len(known.weeks))
    assert np.array_equal(made.on_hand, given.on_hand)
    assert np.abs(made.under_way - given.under_way).max() <= 1
    assert np.mean(made.under_way == given.under_way) > 0.99
