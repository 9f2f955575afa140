"""Moving holidays: learnt, borrowed by name, shrunk."""

from datetime import date, timedelta

import numpy as np
import pytest

from datong.forecast.holiday_factors import holiday_factors, local_median, name_likeness, prior_covariance
from datong.forecast.paths import forecast
from datong.model.flow import HolidayBucket, nothing_learnt

LEVELS = np.array([0.1, 0.5, 0.9])


def week(t: int) -> date:
    return date(2023, 1, 2) + timedelta(days=7 * t)


def test_names_that_begin_alike_are_alike():
    """'eid al fitr' and 'eid al adha' share 2 of 3 words; 'national day' and 'national mourning day' 1, over sqrt 6."""
    assert name_likeness("Eid al-Fitr", "Eid al-Adha") == pytest.approx(2 / 3)
    assert name_likeness("National Day", "National Mourning Day") == pytest.approx(1 / np.sqrt(6))
    assert name_likeness("Eid al-Fitr (estimated)", "Eid al-Fitr") == pytest.approx(1.0)
    assert name_likeness("May Day", "Victory Day") == 0.0


def test_prior_covariance_is_one():
    names = ("Eid al-Adha", "Eid al-Fitr", "May Day", "Eid al-Fitr (observed)")
    assert np.linalg.eigvalsh(prior_covariance(names)).min() > -1e-12


def test_without_holidays_nothing_changes(make_sensed):
    closed, opened = holiday_factors(make_sensed(np.ones((2, 20))).series, np.ones((2, 20)))
    assert (closed == 1).all() and (opened == 1).all()


def test_one_feast_is_believed_in_part_and_lent_to_its_like(make_sensed):
    """A feast of 3 days leaves 40 %: the next of its kind is expected low, but not as low, May Day as usual."""
    units = np.random.default_rng(0).normal(100, 8, (6, 20))
    units[:, 12] = 40
    feasts = [HolidayBucket(week(12), "Eid al-Fitr", 3), HolidayBucket(week(22), "Eid al-Adha", 3)]
    feasts.append(HolidayBucket(week(20), "May Day", 1))
    series = make_sensed(units, 5, holidays=feasts).series
    closed, opened = holiday_factors(series, units)
    assert 0.38 < closed[0, 12] < 0.55
    assert closed[0, 12] < opened[0, 2] < 0.8
    assert opened[0, 0] == pytest.approx(1.0, abs=0.02)
    assert closed[0, [3, 5, 8, 16]] == pytest.approx(1.0, abs=0.03)


def test_more_occurrences_are_believed_more(make_sensed):
    rng = np.random.default_rng(0)
    units = rng.normal(100, 25, (6, 40)).clip(1)
    one = [HolidayBucket(week(10), "Feast", 2), HolidayBucket(week(42), "Feast", 2)]
    many = [*one, *(HolidayBucket(week(t), "Feast", 2) for t in (18, 26, 34))]
    units[:, [10, 18, 26, 34]] *= 0.5
    few = holiday_factors(make_sensed(units, 4, holidays=one).series, units)[1][0, 2]
    more = holiday_factors(make_sensed(units, 4, holidays=many).series, units)[1][0, 2]
    assert 0.45 < more < few < 1.0


def test_categories_differ_and_a_small_one_takes_the_overall(make_sensed):
    units = np.random.default_rng(0).normal(100, 5, (13, 20))
    units[:6, 12] = 30
    feasts = [HolidayBucket(week(12), "Feast", 3), HolidayBucket(week(21), "Feast", 3)]
    category = ["down"] * 6 + ["flat"] * 6 + ["alone"]
    _, opened = holiday_factors(make_sensed(units, 3, category=category, holidays=feasts).series, units)
    assert opened[0, 1] < opened[12, 1] < opened[6, 1]


def test_local_median_leaves_its_own_bucket_out():
    """Of 1, 100, 3, 5 with one neighbour each: 100; (1 + 3) / 2; (100 + 5) / 2; 3."""
    assert local_median(np.array([[1.0, 100.0, 3.0, 5.0]]), 1).tolist() == [[100.0, 2.0, 52.5, 3.0]]
    assert np.isnan(local_median(np.array([[1.0, np.nan]]), 1)).tolist() == [[True, False]]


def test_eid_al_adha_from_eid_al_fitr_on_real_orders(supplygraph):
    """Eid al-Fitr was on 22 April, Eid al-Adha on 29 June 2023. Forecasts made in between are better for the week of
    Eid al-Adha with what was learnt at Eid al-Fitr, and hardly worse for the other weeks."""
    feast = supplygraph.weeks.index(date(2023, 6, 26))
    at_feast, elsewhere = {True: 0.0, False: 0.0}, {True: 0.0, False: 0.0}
    for origin in (18, 20, 22, 24, 25):
        for with_holidays in (True, False):
            sensed = supplygraph.sensed(origin, with_holidays, with_early=False, horizon=9)
            paths = forecast(sensed, nothing_learnt(), 200, 0).paths
            actual = supplygraph.units[:, origin : origin + 9]
            over = actual - np.quantile(paths, LEVELS, axis=1)[:, :, : actual.shape[1]]
            level = LEVELS[:, None, None]
            loss = np.maximum(level * over, (level - 1) * over).mean(axis=0).sum(axis=0)
            at_feast[with_holidays] += loss[feast - origin]
            elsewhere[with_holidays] += loss.sum() - loss[feast - origin]
    assert at_feast[True] / at_feast[False] < 0.65
    assert elsewhere[True] / elsewhere[False] < 1.03
