"""How strong a finding is, with its interval: worked out by hand, held to other formulas, and covering what is true."""

import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from datong.app.wording.market_findings import strength_words
from datong.ledger.state import state_of_tables
from datong.model.flow import Item, Signal, Subject
from datong.model.settings import ChainSettings
from datong.model.words import message
from datong.questions.finding_strength import Strength, spans_of, strength_of
from datong.questions.weeks_sold import WeeksSold

MONDAY = date(2024, 1, 1)
STATE = state_of_tables(ChainSettings("shop"), datetime(2025, 1, 6, tzinfo=UTC), {})


def week(n: int) -> date:
    return MONDAY + timedelta(weeks=n)


def weeks(units: list[float], sold: list[float] | None = None) -> WeeksSold:
    starts = tuple(week(n) for n in range(len(units)))
    shown = [np.array([values], np.float64) for values in (units, sold or units)]
    return WeeksSold((Item("A", "all"),), starts, (), *shown, np.zeros((1, 0)), ("",))


def signal(kind: str, first: int, last: int, share: float, table: str = "sales", **told: object) -> Signal:
    text = message("sense.complaint", **told) if told else message("sense.all_products")
    numbers = {"strength": 5.0, "effect_share": share, "effect_units": 1.0, "p_value": 0.001, "q_value": 0.01}
    subject = Subject("product", "A")
    return Signal("s", kind, subject, week(first), week(last), **numbers, evidence_table=table, evidence=(), text=text)


def test_a_change_of_level_has_the_interval_of_a_ratio_of_two_means() -> None:
    """Before 8, 12, 8, 12 and after 18, 22, 18, 22: means 10 and 20, each with sample variance 16/3, and neighbours
    that differ, so that all 4 weeks count. Variance of a log mean: 16/3/4/100 = 0.01333 and 16/3/4/400 = 0.00333, in
    all 0.016667; degrees 0.016667^2 / ((0.01333^2 + 0.00333^2) / 3) = 4.412; width = t * 0.1291."""
    found = strength_of(STATE, "s", signal("level_shift", 4, 7, 1.0), weeks([8, 12, 8, 12, 18, 22, 18, 22]), {})
    width = stats.t.ppf(0.95, 4.4117647) * math.sqrt(1 / 60)
    assert found is not None
    assert found.share == 1.0
    assert (found.low, found.high) == pytest.approx((2 * math.exp(-width) - 1, 2 * math.exp(width) - 1))


def test_weeks_that_are_like_their_neighbours_count_as_fewer() -> None:
    alternating = strength_of(STATE, "s", signal("surge", 8, 11, 1.0), weeks([8, 12] * 4 + [20, 22] * 2), {})
    in_runs = strength_of(STATE, "s", signal("surge", 8, 11, 1.0), weeks([8] * 4 + [12] * 4 + [20, 22] * 2), {})
    assert alternating is not None and in_runs is not None
    assert in_runs.high > 1.2 * alternating.high


def test_a_complaint_has_the_exact_interval_of_two_counts() -> None:
    """30 of 127 late, 12 of 1791 before: with half a complaint and one review more 30 / 127 / (12.5 / 1792) = 33.9. The
    share of late ones among all of 30 and 12.5 lies between two quantiles of the beta distribution."""
    told = {"count": 30, "base": 127, "count_before": 12, "base_before": 1791}
    found = strength_of(STATE, "s", signal("complaint", 8, 11, 32.865, "reviews", **told), None, {})
    low, high = stats.beta.ppf(0.05, 30, 13.5), stats.beta.ppf(0.95, 31, 12.5)
    assert found is not None
    assert (found.low, found.high) == pytest.approx([p / (1 - p) * 1792 / 127 - 1 for p in (low, high)])
    assert 15 < found.low < found.share < found.high < 70


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_was_not_there_before_is_no_multiple_of_it(language: str) -> None:
    """4 of 81 late, none of 704 before: only the least of the rise says something."""
    told = {"count": 4, "base": 81, "count_before": 0, "base_before": 704}
    found = strength_of(STATE, "s", signal("complaint", 8, 11, 69.0, "reviews", **told), None, {})
    low = stats.beta.ppf(0.05, 4, 1.5)
    assert found is not None and found.from_none
    assert found.low == pytest.approx(low / (1 - low) * 705 / 81 - 1)
    words = strength_words(found, language)
    assert f"×{1 + found.low:.1f}" in words
    assert "×70" not in words


def test_returns_are_counted_on_what_was_sold() -> None:
    """100 sold in each week and 10 back, then 20: the same in every week, so that the interval is the change itself."""
    returns = [
        {"product": "A", "units": 10.0 if n < 8 else 20.0, "happened_at": datetime(2024, 1, 2, tzinfo=UTC)}
        for n in range(12)
    ]
    returns = [r | {"happened_at": r["happened_at"] + timedelta(weeks=n)} for n, r in enumerate(returns)]
    state = state_of_tables(STATE.settings, STATE.as_of, {"returns": pa.Table.from_pylist(returns)})
    sold = weeks([100.0] * 12)
    assert strength_of(state, "s", signal("surge", 8, 11, 1.0, "returns"), sold, {}) == Strength(1.0, 1.0, 1.0)
    returns[11]["units"] = 60.0
    state = state_of_tables(STATE.settings, STATE.as_of, {"returns": pa.Table.from_pylist(returns)})
    wide = strength_of(state, "s", signal("surge", 8, 11, 2.0, "returns"), sold, {})
    assert wide is not None and wide.low < 1.0 < 4.0 < wide.high


def test_what_people_say_and_what_moves_the_forecast_is_what_it_says_of_itself() -> None:
    row = {"promotion": "P", "product": "A", "from": week(53), "to": week(54), "change_share": 0.5, "low_share": 0.2}
    state = state_of_tables(STATE.settings, STATE.as_of, {"promotions": pa.Table.from_pylist([row])})
    spans = spans_of(state, [("interest", 1.2, 1.1, 1.3), ("interest", 1.4, 1.2, 1.6), ("promotion-P-A-all", 1, 1, 1)])
    assert strength_of(state, "promotion-P-A-all", None, None, spans) == Strength(0.5, 0.2, 0.5)
    led = strength_of(state, "interest", signal("interest", 1, 1, 0.3), None, spans)
    assert led is not None
    assert (led.share, led.low, led.high) == pytest.approx((0.3, 0.15, 0.45))
    assert strength_of(state, "gone", None, None, spans) is None


@pytest.mark.parametrize("kind", ["anomaly", "calendar"])
def test_one_week_has_no_interval(kind: str) -> None:
    assert strength_of(STATE, "s", signal(kind, 4, 4, 3.0), weeks([8, 12] * 6), {}) == Strength(3.0)


def test_nine_in_ten_intervals_of_a_planted_change_hold_it() -> None:
    """A thousand series of 40 Poisson weeks whose level goes from 20 to 30 in week 28: the interval is made for nine in
    ten, and the middle here is the change that is seen."""
    rng, inside = np.random.default_rng(16), 0
    for _ in range(1000):
        units = rng.poisson([20] * 28 + [30] * 12).astype(float).tolist()
        share = np.mean(units[28:]) / np.mean(units[:28]) - 1
        found = strength_of(STATE, "s", signal("level_shift", 28, 39, share), weeks(units), {})
        assert found is not None
        inside += found.low <= 0.5 <= found.high
    assert 0.88 <= inside / 1000 <= 0.95


def test_no_interval_is_made_up_where_too_little_is_known() -> None:
    for units in ([0.0] * 9 + [5.0] * 3, [math.nan] * 7 + [5.0] * 5, [5.0, 5.0, 9.0, 9.0, 9.0]):
        count = len(units)
        found = strength_of(STATE, "s", signal("surge", count - 3, count - 1, 1.0), weeks(units), {})
        assert found == Strength(1.0), units


def test_words_that_stand_around_a_complaint_change_nothing_of_its_strength() -> None:
    """Some of its reviews count less, and the model that comes with Datong read them: counts stand two texts deep."""
    counts = {"count": 12, "base": 24, "count_before": 18, "base_before": 84}
    plain = signal("complaint", 0, 3, 1.3, "reviews", **counts)
    within = message("sense.complaint_shipped", text=message("sense.complaint_less", text=plain.text, count=4))
    assert strength_of(STATE, "s", replace(plain, text=within), None, {}) == strength_of(STATE, "s", plain, None, {})
