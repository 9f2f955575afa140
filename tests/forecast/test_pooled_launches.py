"""Items with hardly any history: what launches before tell of them, and when they do not."""

from dataclasses import replace

import numpy as np
import pytest

from datong.app.wording.columns import method_words
from datong.forecast import across_items, fit
from datong.forecast import pooled_launches as launch_module
from datong.forecast.draw import _unsold_paths
from datong.forecast.launch_prior import MOST_LOG_VARIANCE
from datong.forecast.paths import forecast
from datong.forecast.pooled import item_codes, past_of
from datong.forecast.pooled_launches import Launches, launch_forecast, look_alike_logs
from datong.forecast.spread import Spread
from datong.forecast.unknown_buckets import first_known
from datong.model.flow import Sensed, nothing_learnt

ITEMS, PAST, AHEAD, OLD = 160, 60, 6, 60
CUT = 40
# Items that open when the forecast is made, and one that has two known weeks by then.
NEW = np.arange(ITEMS - 21, ITEMS)


def chain(make_sensed, level: np.ndarray, seed: int = 1, settles: float = 0.5) -> tuple[Sensed, np.ndarray]:
    """Sensed, and (item, week) mean: OLD items sell from the start, the others come week by week and sell `settles`
    times as much from their third week on. level: (item). Half of the items, in turn, are of brand "dear"."""
    first = np.r_[np.zeros(OLD, dtype=int), np.linspace(3, PAST - 5, ITEMS - OLD - len(NEW)).astype(int)]
    first = np.r_[first, PAST - 2, np.full(len(NEW) - 1, PAST)]
    age = np.arange(PAST + AHEAD) - first[:, None]
    mean = np.where(age >= 2, settles, 1.0) * level[:, None]
    units = np.random.default_rng(seed).poisson(mean).astype(float)
    units[np.arange(ITEMS)[first < PAST], first[first < PAST]] += 1
    units[age < 0] = np.nan
    sensed = make_sensed(units[:, :PAST], AHEAD)
    brand = tuple("dear" if i % 2 else "cheap" for i in range(ITEMS))
    return Sensed(replace(sensed.series, attributes={"brand": brand}), ()), np.where(age >= 0, mean, np.nan)


def by_brand() -> np.ndarray:
    """(item) level that only the brand tells: 2 or 40 a week."""
    return np.where(np.arange(ITEMS) % 2, 2.0, 40.0) * np.random.default_rng(3).lognormal(0, 0.2, ITEMS)


def first_weeks(sensed: Sensed) -> np.ndarray:
    return np.array([first_known(row) for row in sensed.series.units])


def poisoned(sensed: Sensed) -> np.ndarray:
    """(item, week) 700 in every week from the cut on."""
    units = sensed.series.units.copy()
    units[:, CUT:][~np.isnan(units[:, CUT:])] = 700.0
    return units


def launches_of(sensed: Sensed, units: np.ndarray | None = None, cut: int = CUT) -> Launches:
    series = sensed.series
    known = series.units if units is None else units
    found = launch_forecast(
        series, known, np.ones(ITEMS, dtype=bool), NEW, cut, np.ones((ITEMS, PAST + len(series.horizon_starts)))
    )
    assert found is not None
    return found


def test_attributes_tell_the_level_that_the_category_does_not(make_sensed):
    """All items are of one category: its launches sold 2 or 40 a week, by their brand."""
    sensed, mean = chain(make_sensed, by_brand())
    found = launches_of(sensed)
    assert found.unsold.share > 0.7
    assert found.unsold.width < 0.7
    error = {}
    for pooling in ("never", "auto"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fit, "launch_chance", lambda *_: 1.0)
            result = forecast(sensed, nothing_learnt(), 200, 3, pooling)
        said = result.paths.mean(axis=1)[NEW[1:]]
        error[pooling] = np.abs(np.log(said.sum(axis=1) / mean[NEW[1:], PAST:].sum(axis=1))).mean()
        assert result.prior[NEW].all()
        assert not result.prior[:100].any()
    assert error["auto"] < 0.4 * error["never"]
    assert result.method[NEW[1]] == "prior+pooled"


def test_launches_go_on_as_those_before(make_sensed):
    """A launch sells twice as much in its first two weeks; the prior takes two weeks as they are."""
    sensed, mean = chain(make_sensed, np.full(ITEMS, 30.0))
    found = launches_of(sensed)
    assert found.mean[NEW[0]] == pytest.approx(mean[NEW[0], PAST:], rel=0.25)
    assert found.mean[NEW[1], 0] > 1.5 * found.mean[NEW[1], 3]


def test_the_level_of_look_alikes_has_not_seen_what_followed(make_sensed):
    sensed, _ = chain(make_sensed, by_brand())
    plain, other = (past_of(sensed.series, units) for units in (sensed.series.units, poisoned(sensed)))
    codes = item_codes(sensed.series)
    for t in (10, 25, CUT):
        assert np.array_equal(look_alike_logs(plain, codes, t)[0], look_alike_logs(other, codes, t)[0])
    assert not np.array_equal(look_alike_logs(plain, codes, CUT + 9)[0], look_alike_logs(other, codes, CUT + 9)[0])


def test_what_it_is_trusted_by_has_not_seen_what_followed(make_sensed, monkeypatch):
    """Whatever sells from the cut on, of what opened at the cut the first fit said the same; later it knew more."""
    sensed, _ = chain(make_sensed, by_brand())
    said: list[launch_module._Tested] = []
    original = launch_module._trust
    monkeypatch.setattr(launch_module, "_trust", lambda tested, whole: said.append(tested) or original(tested, whole))
    one, two = launches_of(sensed), launches_of(sensed, poisoned(sensed))
    plain, other = said[0], said[2]
    then = np.isin(plain.item[:, 0], np.flatnonzero(first_weeks(sensed) == CUT))
    later = np.isin(plain.item[:, 0], np.flatnonzero(first_weeks(sensed) == CUT + 12))
    assert then.any()
    assert later.any()
    for name in ("pooled", "prior", "log_variance"):
        assert np.array_equal(getattr(plain, name)[then], getattr(other, name)[then])
    assert not np.array_equal(plain.pooled[later], other.pooled[later])
    assert not np.array_equal(one.mean, two.mean)


def test_launches_that_mislead_leave_the_prior(make_sensed):
    """Before the cut a launch faded to a tenth after two weeks, from there on it goes on: what was learnt is wrong."""
    sensed, _ = chain(make_sensed, np.full(ITEMS, 30.0), settles=1.0)
    came = first_weeks(sensed)[:, None]
    faded = (came > 0) & (came < CUT - 6) & (np.arange(PAST) >= came + 2)
    units = np.where(faded, np.round(sensed.series.units / 10), sensed.series.units)
    found = launches_of(sensed, units)
    assert found.begun.launches > 20
    assert found.begun.share < 0.3
    assert launches_of(sensed).begun.share >= 0.3


def test_launches_of_pure_noise_are_no_worse_than_the_prior(make_sensed):
    """Nothing tells a launch's level: what is said is as good as the stated prior."""
    level = np.random.default_rng(5).lognormal(2.0, 1.0, ITEMS)
    sensed, mean = chain(make_sensed, level, settles=1.0)
    error = {}
    for pooling in ("never", "auto"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fit, "launch_chance", lambda *_: 1.0)
            paths = forecast(sensed, nothing_learnt(), 200, 3, pooling).paths[NEW[1:]]
        error[pooling] = np.abs(np.median(paths, axis=1) - mean[NEW[1:], PAST:]).mean()
    assert error["auto"] < 1.05 * error["never"]


@pytest.mark.parametrize("count", [3, 40])
def test_few_launches_count_as_usual(count):
    """Each sold what the pooled model said, and the prior was far off: share 1, drawn to 0.5 as 10 launches would."""
    said = np.random.default_rng(1).lognormal(3, 1, (count, AHEAD))
    item = np.repeat(np.arange(count), AHEAD).reshape(count, AHEAD)
    rows = launch_module._Tested(np.round(said), said, said * 30, np.full(said.shape, 1.0), item)
    trust = launch_module._trust(rows, whole=True)
    assert trust.share == pytest.approx((count * 1.0 + 10 * 0.5) / (count + 10))
    assert trust.launches == count
    assert replace(trust, width=9.0).widened(np.array([0.1, 3.0])) == pytest.approx([0.9, MOST_LOG_VARIANCE])


def test_hardly_any_launch_leaves_the_stated_prior(make_sensed):
    sensed, _ = chain(make_sensed, by_brand())
    for launched in (15, 0):
        units = sensed.series.units.copy()
        units[OLD + launched :] = np.nan
        few = replace(sensed.series, units=units)
        assert launch_forecast(few, units, np.ones(ITEMS, dtype=bool), NEW, CUT, np.ones((ITEMS, PAST + AHEAD))) is None


def test_same_series_same_bytes_and_others_stay(make_sensed):
    """An item with history is forecast as it is without the new ones beside it being asked for."""
    sensed, _ = chain(make_sensed, by_brand())
    one, two = (forecast(sensed, nothing_learnt(), 50, 3) for _ in range(2))
    assert one.paths.tobytes() == two.paths.tobytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(across_items, "launch_forecast", lambda *_: None)
        without = forecast(sensed, nothing_learnt(), 50, 3)
    old = np.setdiff1d(np.arange(ITEMS), NEW)
    assert without.paths[old].tobytes() == one.paths[old].tobytes()
    assert [without.method[i] for i in old] == [one.method[i] for i in old]
    assert without.paths[NEW].tobytes() != one.paths[NEW].tobytes()


def test_without_lightgbm_it_is_the_stated_prior(make_sensed, monkeypatch):
    sensed, _ = chain(make_sensed, by_brand())
    never = forecast(sensed, nothing_learnt(), 50, 3, "never")
    monkeypatch.setattr(fit, "is_installed", lambda: False)
    alone = forecast(sensed, nothing_learnt(), 50, 3)
    assert alone.paths.tobytes() == never.paths.tobytes()
    # Of the one that sold already, what began like it tells (just_launched.py).
    assert [alone.method[i] for i in NEW] == ["begun"] + ["prior"] * (len(NEW) - 1)


def test_one_path_is_the_mean_and_no_sale_yet_waits(make_sensed):
    sensed, _ = chain(make_sensed, np.full(ITEMS, 300.0), settles=1.0)
    one = forecast(sensed, nothing_learnt(), 1, 3).paths[NEW, 0]
    assert one[0].sum() == pytest.approx(300 * AHEAD, rel=0.2)
    # 78 launches in the weeks all items waited; a new one starts next week with that chance.
    assert 0 < one[1, 0] < 0.5 * one[0, 0]
    assert (np.diff(one[1]) >= 0).mean() > 0.7


def test_what_is_measured_is_not_counted_in_whole_units(make_sensed):
    """In tonnes the same as in kilograms."""
    sensed, _ = chain(make_sensed, by_brand() * 10)
    units = sensed.series.units + 0.25
    said = [forecast(Sensed(replace(sensed.series, units=units * f), ()), nothing_learnt(), 100, 3) for f in (1, 1e-3)]
    assert said[1].paths[NEW].mean() * 1000 == pytest.approx(said[0].paths[NEW].mean(), rel=0.05)
    unsold = said[1].paths[NEW[1:]]
    assert unsold[unsold > 0].min() < 0.01  # also of what has never been seen


def test_launches_in_name_that_never_sold_leave_the_prior(make_sensed):
    sensed, _ = chain(make_sensed, np.full(ITEMS, 30.0))
    units = sensed.series.units.copy()
    late = units[OLD : NEW[0]]
    late[~np.isnan(late)] = 0.0
    result = forecast(Sensed(replace(sensed.series, units=units), ()), nothing_learnt(), 20, 3)
    assert {result.method[i] for i in NEW} == {"prior"}
    assert np.isfinite(result.paths).all()


def test_a_launch_whose_day_is_known_begins_then(make_sensed):
    """The one of week 3 sells nothing before; one that is ordered already sells from now on; one launched after the
    horizon sells nothing."""
    sensed, _ = chain(make_sensed, np.full(ITEMS, 30.0))
    ahead, known = np.full(ITEMS, -1), np.zeros((ITEMS, AHEAD))
    ahead[NEW[1]], ahead[NEW[3]], known[NEW[2], 0] = 3, AHEAD + 4, 5.0
    series = replace(sensed.series, launch_ahead=ahead, known_ahead_units=known)
    for count in (1, 50):
        paths = forecast(Sensed(series, ()), nothing_learnt(), count, 3).paths
        assert not paths[NEW[1], :, :3].any() and not paths[NEW[3]].any()
        assert paths[NEW[1], :, 3].mean() > 15 and paths[NEW[2], :, 0].mean() > 15
        assert paths[NEW[4], :, 0].mean() < 0.7 * paths[NEW[2], :, 0].mean()


def test_a_launch_that_waits_begins_as_one_of_now():
    """It sells 60 and then 6; whenever it starts, its first bucket is the high one."""
    level, factor = np.array([60.0, 6.0, 6.0, 6.0]), np.array([1.0, 2.0, 1.0, 1.0])
    narrow = Spread(level_start=1e-6, level_step=1e-6, noise=1e-6, whole=False)
    begins = 0.4 * 0.6 ** np.arange(4)
    paths = _unsold_paths(np.random.default_rng(1), level, factor, narrow, begins, 400)
    starts = np.where((paths > 0).any(axis=1), (paths > 0).argmax(axis=1), 4)
    for start in range(4):
        later = (level[: 4 - start] * factor[start:])[None]
        assert paths[starts == start][:, start:] == pytest.approx(
            np.repeat(later, (starts == start).sum(), 0), rel=0.05
        )
    assert np.bincount(starts, minlength=5)[:2] / 400 == pytest.approx([0.4, 0.24], abs=0.08)
    one = _unsold_paths(np.random.default_rng(1), level, factor, narrow, begins, 1)[0]
    assert one[:2] == pytest.approx([0.4 * 60, 2 * (0.4 * 6 + 0.24 * 60)])
    assert paths.mean(axis=0) == pytest.approx(one, rel=0.15)


def test_the_method_is_told_in_both_languages():
    for language in ("en", "zh"):
        assert method_words("prior+pooled", language) not in (
            method_words("prior", language),
            method_words("ets+pooled", language),
        )
