"""Items that have just begun: what windows of all items tell of them, and when they are not believed."""

from dataclasses import replace

import numpy as np
import pytest

from datong.app.wording.columns import method_words
from datong.forecast import just_launched
from datong.forecast.just_launched import KEPT, Course, begun_forecast, course_paths
from datong.forecast.paths import forecast
from datong.model.flow import Sensed, nothing_learnt

OLD, LAUNCHED, NEW, PAST, AHEAD = 40, 60, 3, 60, 6
ITEMS = OLD + LAUNCHED + NEW
JUST = np.arange(ITEMS - NEW, ITEMS)


def chain(make_sensed, later: float = 0.2, late: float | None = None, seed: int = 1) -> tuple[Sensed, np.ndarray]:
    """Sensed, and (item, week) mean. Old items sell steadily; launches, whose levels are far apart, sell `later` times
    as much from their fourth week on, those of the last third of the past `late` times. NEW have 3 known weeks."""
    rng = np.random.default_rng(seed)
    level = rng.lognormal(3, 1.2, ITEMS)
    first = np.r_[np.zeros(OLD, dtype=int), np.linspace(5, PAST - 8, LAUNCHED).astype(int), np.full(NEW, PAST - 3)]
    share = np.where(first >= 2 * PAST // 3 - 3, later if late is None else late, later)
    age = np.arange(PAST + AHEAD) - first[:, None]
    mean = level[:, None] * np.where((age >= 3) & (first > 0)[:, None], share[:, None], 1.0)
    units = rng.poisson(mean).astype(float)
    units[np.arange(ITEMS), first] += 1
    units[age < 0] = np.nan
    return make_sensed(units[:, :PAST], AHEAD), mean


def courses(sensed: Sensed) -> dict[int, Course]:
    series = sensed.series
    return begun_forecast(series, series.units, np.ones(ITEMS, dtype=bool), np.ones(ITEMS, dtype=bool))


def test_begun_items_go_on_as_launches_did(make_sensed):
    """Launches fall to a fifth; the stated prior takes the first weeks as they are."""
    sensed, mean = chain(make_sensed)
    paths = forecast(sensed, nothing_learnt(), 200, 3, "never")
    assert {paths.method[i] for i in JUST} == {"begun"}
    assert paths.prior[JUST].all()
    truth = mean[JUST, PAST:].mean(axis=1)
    error = np.abs(np.log(paths.paths[JUST].mean(axis=(1, 2)) / truth)).mean()
    assert error < 0.5
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(just_launched, "_earned", lambda *_: False)
        stated = forecast(sensed, nothing_learnt(), 200, 3, "never")
    assert {stated.method[i] for i in JUST} == {"prior"}
    assert np.abs(np.log(stated.paths[JUST].mean(axis=(1, 2)) / truth)).mean() > 2 * error
    rest = np.setdiff1d(np.arange(ITEMS), JUST)
    assert stated.paths[rest].tobytes() == paths.paths[rest].tobytes()


def test_what_later_launches_did_not_bear_out_is_not_believed(make_sensed):
    """Launches fell to a fifth before the cut; since then they go on as they began."""
    assert courses(chain(make_sensed)[0])
    assert not courses(chain(make_sensed, late=1.0)[0])


def test_what_is_tested_was_learnt_before_the_cut(make_sensed, monkeypatch):
    sensed, _ = chain(make_sensed)
    widths, original = [], just_launched._learnt
    monkeypatch.setattr(
        just_launched, "_learnt", lambda units, *rest: widths.append(units.shape[1]) or original(units, *rest)
    )
    courses(sensed)
    assert widths == [PAST - PAST // 3, PAST]


def test_few_launches_are_no_proof(make_sensed):
    sensed, _ = chain(make_sensed)
    units = sensed.series.units.copy()
    units[OLD + 20 : OLD + LAUNCHED] = np.nan
    assert not courses(Sensed(replace(sensed.series, units=units), ()))


def test_a_launch_without_a_sale_or_with_a_past_is_left_alone(make_sensed):
    sensed, _ = chain(make_sensed)
    units = sensed.series.units.copy()
    units[JUST[0], -3:] = 0.0
    units[JUST[1], -2:] = np.nan
    found = courses(Sensed(replace(sensed.series, units=units), ()))
    assert set(found) == {JUST[1], JUST[2]}


def test_zeros_before_the_first_sale_do_not_count():
    assert just_launched._beginning(np.array([np.nan, 0.0, 5.0, np.nan, 2.0])).tolist() == [5.0, 2.0]


def test_weighted_quantiles():
    """Of 1, 2 and 4 with weights 1, 2 and 1: a quarter, a half and a quarter of the chances."""
    found = just_launched._quantiles(np.array([4.0, 1.0, 2.0]), np.array([1.0, 1.0, 2.0]))
    assert found.tolist() == [1.0] * (KEPT // 4) + [2.0] * (KEPT // 2) + [4.0] * (KEPT // 4)


def test_windows_by_hand():
    """One item, buckets 0 3 1 2 unknown 5: of two buckets begin (3, 1) with 2 and 5 to come, and (1, 2) with 5."""
    units = np.array([[0.0, 3.0, 1.0, 2.0, np.nan, 5.0]])
    found = just_launched._windows(units, 2, 3)
    assert found.first.tolist() == [[3.0, 1.0], [1.0, 2.0]]
    assert np.array_equal(found.after, [[2.0, np.nan, 5.0], [np.nan, 5.0, np.nan]], equal_nan=True)
    assert not found.is_launch.any()


def test_paths_have_the_quantiles_of_the_course():
    units = np.sort(np.random.default_rng(1).lognormal(2, 1, (KEPT, AHEAD)), axis=0)
    course = Course(units, units.mean(axis=0), 0.5)
    factor = np.linspace(0.5, 2, AHEAD)
    paths = course_paths(np.random.default_rng(2), course, factor, False, KEPT)
    assert np.sort(paths, axis=0) == pytest.approx(units * factor)
    whole = course_paths(np.random.default_rng(2), course, factor, True, 2000)
    assert np.array_equal(whole, np.round(whole))
    assert whole.mean(axis=0) == pytest.approx(course.mean * factor, rel=0.03)
    assert np.corrcoef(paths[:, 0], paths[:, 1])[0, 1] > 0.1  # a high first bucket goes with a high second one
    assert course_paths(np.random.default_rng(2), course, factor, True, 1) == pytest.approx(
        (course.mean * factor)[None]
    )


def test_tonnes_or_kilograms_say_the_same(make_sensed):
    sensed, _ = chain(make_sensed)
    units = sensed.series.units + 0.25
    said = [
        forecast(Sensed(replace(sensed.series, units=units * f), ()), nothing_learnt(), 100, 3, "never")
        for f in (1, 1e-3)
    ]
    assert {method for one in said for method in np.array(one.method)[JUST]} == {"begun"}
    assert said[1].paths[JUST] * 1000 == pytest.approx(said[0].paths[JUST])


def test_same_series_same_bytes(make_sensed):
    sensed, _ = chain(make_sensed)
    one, two = (forecast(sensed, nothing_learnt(), 50, 3, "never") for _ in range(2))
    assert one.paths.tobytes() == two.paths.tobytes()


def test_the_method_is_told_in_both_languages():
    assert "began" in method_words("begun", "en") and "起步" in method_words("begun", "zh")
