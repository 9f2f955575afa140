"""Figures of a replay by hand."""

from datetime import date

import numpy as np
import pytest

from datong.model.flow import Item
from datong.model.settings import ChainSettings
from datong.network.economics import Economics
from datong.replay import policies_compared
from datong.replay.policies_compared import INTERVAL, by_bucket, by_product, differences, summary
from datong.replay.scene_and_batches import Batch, Scene
from datong.replay.simulate import Simulation

MONDAYS = (date(2024, 1, 1), date(2024, 1, 8))
A, B = Item("a", "all"), Item("b", "all")


@pytest.fixture
def two_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """What can be worked out by hand has two products."""
    monkeypatch.setattr(policies_compared, "FEWEST_PRODUCTS", 1)


def course(made_a: tuple[float, float], made_b: tuple[float, float]) -> Simulation:
    """10 of a and 5 of b are due each week; a costs 10 to make, b 20; held 1, late 4, lost 50 a unit."""
    scene = Scene(
        settings=ChainSettings("s"),
        buckets=MONDAYS,
        products=("a", "b"),
        economics={p: Economics(50.0, 1.0, 4.0, 50.0, 50.0, 0.0) for p in ("a", "b")},
        unit_cost={"a": 10.0, "b": 20.0},
        ways={},
        opening_units={},
        opening_owed={},
        demand_units=tuple({(A, monday): 10.0, (B, monday): 5.0} for monday in MONDAYS),
        line_hours=({}, {}),
    )
    result = Simulation(scene)
    for t, monday in enumerate(MONDAYS):
        parts = (("a", made_a[t], 10.0), ("b", made_b[t], 20.0))
        result.step([Batch(f"{p}{t}", "make", p, units, monday, units * cost) for p, units, cost in parts])
    return result


def test_summary_by_hand() -> None:
    """a: 12 and 6 made: all on time, 2 held, then 2 late. b: 5 and 5: all on time.

    Not on time: 2 of 30, fill 28 / 30. Avoidable: 2 x 1 held in week 1, 2 x 4 late in week 2: 10. Making the 30 units
    due costs 20 x 10 + 10 x 20 = 400; in all 410. Change at unit cost: |60 - 120| + |100 - 100| over 60 + 100: 0.375.
    """
    courses = {"one": course((12.0, 6.0), (5.0, 5.0))}
    (row,) = summary(courses).to_pylist()
    assert row["fill_on_time_share"] == pytest.approx(28 / 30)
    assert (row["units_not_on_time"], row["owed_end_units"], row["lost_units"]) == (2.0, 2.0, 0.0)
    assert (row["avoidable_cost"], row["cost"]) == (10.0, 410.0)
    assert (row["holding_cost"], row["late_cost"], row["lost_cost"]) == (2.0, 8.0, 0.0)
    assert row["production_change_share"] == pytest.approx(0.375)
    assert (row["mean_stock_units"], row["mean_stock_money"]) == (1.0, 10.0)
    buckets = by_bucket(courses).to_pylist()
    assert [(r["bucket"], r["avoidable_cost"], r["late_units"]) for r in buckets] == [
        (MONDAYS[0], 2.0, 0.0),
        (MONDAYS[1], 8.0, 2.0),
    ]
    products = {r["product"]: r for r in by_product(courses).to_pylist()}
    assert products["a"]["late_units"] == 2.0 and products["a"]["avoidable_cost"] == 10.0
    assert products["b"]["avoidable_cost"] == 0.0


def test_making_more_than_is_wanted_gains_and_loses_nothing_but_its_holding() -> None:
    lean, rich = course((10.0, 10.0), (5.0, 5.0)), course((10.0, 110.0), (5.0, 5.0))
    costs = [row["cost"] for row in summary({"lean": lean, "rich": rich}).to_pylist()]
    assert costs[1] - costs[0] == pytest.approx(100.0)  # 100 units held for one week


def test_too_few_products_prove_nothing() -> None:
    """Two products, both dearer: two draws with replacement can never cross nought, and say nothing."""
    courses = {"dearer": course((10.0, 110.0), (5.0, 6.0)), "plain": course((10.0, 10.0), (5.0, 5.0))}
    rows = {r["measure"]: r for r in differences(courses, "dearer", seed=3).to_pylist()}
    assert rows["cost"]["difference"] == pytest.approx(101.0)
    assert (rows["cost"]["low"], rows["cost"]["high"], rows["cost"]["finding"]) == (None, None, "unsure")


@pytest.mark.usefixtures("two_are_enough")
def test_differences_by_hand_and_their_interval() -> None:
    """One holds 100 of a for a week (100 dearer), and is 1 of b dearer to hold: 101 over both products.

    A draw of two products has a twice (200), both (101) or b twice (2), with chances 1/4, 1/2, 1/4: the middle 90%
    of the draws reach from 2 to 200.
    """
    courses = {"one": course((10.0, 110.0), (5.0, 6.0)), "other": course((10.0, 10.0), (5.0, 5.0))}
    rows = {r["measure"]: r for r in differences(courses, "one", seed=3).to_pylist()}
    assert rows["cost"]["difference"] == pytest.approx(101.0)
    assert (rows["cost"]["low"], rows["cost"]["high"]) == (pytest.approx(2.0), pytest.approx(200.0))
    assert rows["fill_on_time_share"]["difference"] == 0.0
    assert rows["mean_stock_money"]["difference"] == pytest.approx((100 * 10 + 1 * 20) / 2)
    assert INTERVAL == 0.9
    again = differences(courses, "one", seed=3)
    assert again.equals(differences(courses, "one", seed=3))
    assert differences({"one": courses["one"]}, "one", seed=3).num_rows == 0
    assert differences(courses, "nobody", seed=3).num_rows == 0


@pytest.mark.usefixtures("two_are_enough")
def test_a_finding_is_better_or_worse_only_where_the_interval_leaves_nought_out() -> None:
    """Both products dearer to hold: worse in every draw. One dearer, one cheaper: unsure. Changes from week to week:
    |110 - 10| x 10 against nothing: 1000 more."""
    plain = course((10.0, 10.0), (5.0, 5.0))
    dearer = course((10.0, 110.0), (5.0, 6.0))
    rows = {r["measure"]: r for r in differences({"dearer": dearer, "plain": plain}, "dearer", seed=3).to_pylist()}
    assert rows["cost"]["finding"] == rows["mean_stock_money"]["finding"] == "worse"
    assert rows["fill_on_time_share"]["finding"] == "unsure"
    assert rows["production_change_money"]["difference"] == pytest.approx(100 * 10 + 1 * 20)
    rows = {r["measure"]: r for r in differences({"plain": plain, "dearer": dearer}, "plain", seed=3).to_pylist()}
    assert rows["cost"]["finding"] == "better"
    late_a, early_b = course((8.0, 12.0), (5.0, 5.0)), course((10.0, 10.0), (7.0, 3.0))
    rows = {r["measure"]: r for r in differences({"x": late_a, "y": early_b}, "x", seed=3).to_pylist()}
    assert rows["fill_on_time_share"]["finding"] == "unsure" and rows["fill_on_time_share"]["difference"] < 0


def test_nothing_due_is_no_division_by_zero() -> None:
    scene = Scene(
        ChainSettings("s"),
        MONDAYS[:1],
        ("a",),
        {"a": Economics(1.0, 1.0, 1.0, 1.0, 1.0, 0.0)},
        {"a": 1.0},
        {},
        {},
        {},
        ({},),
        ({},),
    )
    idle = Simulation(scene)
    idle.step([])
    (row,) = summary({"idle": idle}).to_pylist()
    assert row["fill_on_time_share"] == 1.0 and row["cost"] == 0.0 and row["production_change_share"] == 0.0
    assert np.isfinite([r["difference"] for r in differences({"x": idle, "y": idle}, "x", 0).to_pylist()]).all()


def test_only_finished_courses_that_met_the_same_demand_are_compared() -> None:
    one, other = course((10.0, 10.0), (5.0, 5.0)), course((10.0, 10.0), (5.0, 5.0))
    other.demand_units[1, 0] += 1.0
    with pytest.raises(AssertionError, match="same demand"):
        differences({"one": one, "other": other}, "one", seed=3)
    begun = Simulation(one.scene)
    with pytest.raises(AssertionError, match="end"):
        differences({"one": one, "begun": begun}, "one", seed=3)
