"""What is known by the month tells no week apart, and no feast: no signal comes of months that were spread."""

import math
from datetime import date, timedelta
from itertools import pairwise
from typing import Literal

import numpy as np
import pyarrow as pa
import pytest

from datong.connectors.exports.spread_over_days import day_units
from datong.ledger.state import State, state_of_tables
from datong.model.settings import ChainSettings
from datong.sense.level_changes import FALSE_ALARM_SHARE
from datong.sense.signals import sense

MONTHS, PRODUCTS = 36, 12
FIRST = [date(2022 + m // 12, m % 12 + 1, 1) for m in range(MONTHS + 1)]


def monthly(seed: int, noise: float, country: str = "", bucket: Literal["week", "day"] = "week") -> State:
    """Months of a constant level with noise, each spread over its days."""
    settings = ChainSettings("t", country=country, bucket=bucket)
    chance = np.random.default_rng(seed)
    level = np.exp(chance.uniform(np.log(30), np.log(600), PRODUCTS))
    sold = chance.poisson(level[:, None] * np.exp(chance.normal(0.0, noise, (PRODUCTS, MONTHS)))).astype(float)
    days = np.array([(b - a).days for a, b in pairwise(FIRST)])
    month = np.repeat(np.arange(MONTHS), days)
    ahead = np.arange(len(month)) - np.repeat(np.cumsum(days) - days, days)
    moments = [settings.calendar.midnight(FIRST[m] + timedelta(days=int(a))) for m, a in zip(month, ahead, strict=True)]
    parts = [
        pa.table(
            {
                "product": [f"P{p}"] * len(month),
                "happened_at": pa.array(moments, pa.timestamp("us", tz="UTC")),
                "units": day_units(sold[p][month], days[month], ahead, np.full(len(month), p / PRODUCTS)),
                "assumed": ["happened_at"] * len(month),
            }
        )
        for p in range(PRODUCTS)
    ]
    products = pa.table({"product": [f"P{p}" for p in range(PRODUCTS)]})
    as_of = settings.calendar.midnight(FIRST[-1])
    return state_of_tables(settings, as_of, {"sales": pa.concat_tables(parts), "products": products})


@pytest.mark.parametrize(("country", "bucket"), [("", "week"), ("CN", "week"), ("CN", "day")])
def test_months_of_a_constant_level_tell_nothing(country: str, bucket: Literal["week", "day"]) -> None:
    """Chains of 12 products: as many months of noise, no odd week and no feast, and of changes of level no more than
    the false alarms that a year may have."""
    seeds = range(3 if bucket == "day" else 8)
    found = [s.kind for seed in seeds for s in sense(monthly(seed, 0.25, country, bucket)).signals]
    assert {*found} <= {"level_shift", "surge", "decline"} and len(found) <= math.ceil(FALSE_ALARM_SHARE * len(seeds))


def test_a_week_that_was_measured_stands_out_among_months() -> None:
    """The same chain, with a year of weeks after it, of which one has five times its units."""
    state = monthly(1, 0.1)
    calendar = state.settings.calendar
    chance = np.random.default_rng(5)
    weeks = [FIRST[-1] + timedelta(days=7 * w) for w in range(52)]
    units = chance.poisson(50.0, 52).astype(float)
    units[40] = 250.0
    measured = pa.table(
        {
            "product": ["P0"] * 52,
            "happened_at": pa.array([calendar.midnight(day) for day in weeks], pa.timestamp("us", tz="UTC")),
            "units": units,
        }
    )
    before = state.table("sales").select(["product", "happened_at", "units", "assumed"])
    sales = pa.concat_tables([before, measured], promote_options="default")
    products = state.table("products").select(["product"])
    as_of = calendar.midnight(weeks[-1] + timedelta(days=7))
    signals = sense(state_of_tables(state.settings, as_of, {"sales": sales, "products": products})).signals
    odd = [s for s in signals if s.kind == "anomaly"]
    assert [(s.product, s.first <= weeks[40] <= s.first + timedelta(days=7)) for s in odd] == [("P0", True)]
