"""A limit of units a week loses nothing to the days."""

import math
from datetime import date, timedelta

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from datong.cycle import decide, head
from datong.ledger.state import state_of_tables
from datong.model.flow import nothing_learnt
from datong.model.settings import ChainSettings
from datong.network.weekly_limits import units_in_bucket

MONDAY = date(2026, 1, 5)


@given(st.integers(0, 10**9), st.dates(date(2000, 1, 1), date(2100, 1, 1)))
def test_any_seven_days_have_the_week_in_whole_units(units: int, first: date) -> None:
    days = [units_in_bucket(float(units), first + timedelta(days=d), 1) for d in range(7)]
    assert sum(days) == units
    assert all(day in (units // 7, units // 7 + 1) for day in days)


def test_a_hundred_a_week_by_hand():
    """That Monday is day 739,621, one more than a multiple of 7: from there 14, 28, 42, 57, 71, 85, 100, 114 in all."""
    assert [units_in_bucket(100.0, MONDAY + timedelta(days=d), 1) for d in range(7)] == [14, 14, 15, 14, 14, 15, 14]


def test_weeks_fractions_and_no_limit_stay():
    assert units_in_bucket(100.0, MONDAY, 7) == 100.0
    assert units_in_bucket(100.0, MONDAY, 14) == 200.0
    assert units_in_bucket(10.5, MONDAY, 1) == 1.5
    assert math.isinf(units_in_bucket(math.inf, MONDAY, 1))


def _served(limited: dict[str, list[dict]]) -> tuple[float, list[float]]:
    """Units served of 200 that are wanted within two weeks, and what each week has started."""
    rows = {
        "products": [{"product": "K", "price": 100.0, "base_unit": "piece"}],
        "demand": [
            {"demand": f"d{t}", "product": "K", "market": "all", "due": MONDAY + timedelta(days=t), "units": 15.0}
            for t in range(14)
        ],
    } | limited
    chain = ChainSettings("t", bucket="day", horizon_buckets=14, max_late_days=14)
    tables = {name: pa.Table.from_pylist(own) for name, own in rows.items()}
    state = state_of_tables(chain, chain.calendar.midnight(MONDAY), tables)
    plan = decide(head(state, nothing_learnt(), 0)).clearing
    return sum(plan.gaps["served_units"].to_pylist()), plan.quantities["started_units"].to_pylist()


def test_an_offer_of_a_hundred_a_week_brings_them_day_by_day():
    """Each day wants 15: all that the offer gives in two weeks is sold, in whole units."""
    served, started = _served({"offers": [{"offer": "O", "product": "K", "price": 1.0, "units_per_week": 100.0}]})
    assert served == 200.0
    assert set(started) == {14.0, 15.0}
