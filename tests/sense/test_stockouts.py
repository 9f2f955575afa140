"""Stock-outs: measured, inferred from empty counts, inferred from silence."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa

from datong.ledger.state import State, state_of_tables
from datong.model.flow import ON_SALE, STOCKED_OUT, STOCKED_OUT_INFERRED
from datong.model.settings import ChainSettings
from datong.sense.series import demand_series
from datong.sense.stockouts import silent_runs

MONDAY = datetime(2023, 1, 2, tzinfo=UTC)


def chain(weekly: dict[str, list[float]], stock: list[dict], promise_days: int = 0, country: str = "") -> State:
    """Sales on the Mondays from 2 January 2023 on, until the Monday after the last."""
    rows = [
        {"happened_at": MONDAY + timedelta(weeks=w), "product": product, "units": units}
        for product, all_units in weekly.items()
        for w, units in enumerate(all_units)
        if units
    ]
    weeks = max(len(v) for v in weekly.values())
    tables = {"sales": pa.Table.from_pylist(rows)}
    if stock:
        columns = ("happened_at", "product", "units", "available")
        tables["stock"] = pa.table({c: [row.get(c) for row in stock] for c in columns})
    settings = ChainSettings("test", promise_days=promise_days, country=country)
    return state_of_tables(settings, MONDAY + timedelta(weeks=weeks, days=promise_days), tables)


def count(week: int, day: int = 0, product: str = "A", **values: object) -> dict:
    return {"happened_at": MONDAY + timedelta(weeks=week, days=day), "product": product, **values}


def test_a_bucket_that_was_off_sale_in_half_of_its_counts_is_measured_out():
    """Week 1: off sale once of once. Week 2: once of twice. Week 3: once of three times, still on sale."""
    stock = [count(1, available=False, units=0.0), count(2, available=False), count(2, 3, available=True)]
    stock += [count(3, d, available=d > 0) for d in range(3)]
    series = demand_series(chain({"A": [5, 2, 3, 4, 5], "B": [1] * 5}, stock))
    assert series.availability[0].tolist() == [ON_SALE, STOCKED_OUT, STOCKED_OUT, ON_SALE, ON_SALE]
    np.testing.assert_equal(series.units[0], [5, np.nan, np.nan, 4, 5])
    assert series.sold_units[0].tolist() == [5, 2, 3, 4, 5]
    assert (series.availability[1] == ON_SALE).all()


def test_a_count_speaks_of_the_bucket_in_which_that_days_orders_are_due():
    """Off sale on Saturday 14 January, promise 3 days: the order that could not be placed was due on Tuesday 17."""
    series = demand_series(chain({"A": [5, 5, 5, 5]}, [count(1, 5, available=False)], promise_days=3))
    assert dict(zip(series.bucket_starts, series.availability[0], strict=True))[date(2023, 1, 16)] == STOCKED_OUT


def test_a_count_in_a_shop_speaks_of_that_shop_only():
    """A is sold in shops N and S and on the web; a count at N, and one at the warehouse W."""
    rows = [
        {"happened_at": MONDAY + timedelta(weeks=w), "product": "A", "market": market, "units": 5.0}
        for w in range(4)
        for market in ("N", "S", "web")
    ]
    counts = {"happened_at": [MONDAY + timedelta(weeks=1), MONDAY + timedelta(weeks=2)], "product": ["A", "A"]}
    counts |= {"site": ["N", "W"], "available": [False, False]}
    tables = {"sales": pa.Table.from_pylist(rows), "stock": pa.table(counts)}
    series = demand_series(state_of_tables(ChainSettings("test"), MONDAY + timedelta(weeks=4), tables))
    assert [i.market for i in series.items] == ["N", "S", "web"]
    assert series.availability.tolist() == [
        [ON_SALE, STOCKED_OUT, STOCKED_OUT, ON_SALE],
        [ON_SALE, ON_SALE, STOCKED_OUT, ON_SALE],
        [ON_SALE, ON_SALE, STOCKED_OUT, ON_SALE],
    ]


def test_empty_counts_without_sales_are_inferred_and_with_sales_are_not():
    stock = [count(w, units=u) for w, u in enumerate([9.0, 0.0, 0.0, 7.0])]
    series = demand_series(chain({"A": [5, 0, 3, 4], "B": [1] * 4}, stock))
    assert series.availability[0].tolist() == [ON_SALE, STOCKED_OUT_INFERRED, ON_SALE, ON_SALE]
    # B was never counted: nothing is said of it.
    assert (series.availability[1] == ON_SALE).all()


def test_silence_of_a_steady_seller_is_inferred_when_sales_resume():
    steady = [20.0] * 8
    series = demand_series(chain({"A": [*steady, 0, 0, 18], "B": [1] * 11}, []))
    assert series.availability[0].tolist() == [ON_SALE] * 8 + [STOCKED_OUT_INFERRED] * 2 + [ON_SALE]
    # Without a return to sales it may be the end of the product.
    assert not demand_series(chain({"A": [*steady, 0, 0, 0], "B": [1] * 11}, [])).availability.any()
    # A product that is counted is believed: it was there and nobody bought.
    counted = demand_series(chain({"A": [*steady, 0, 0, 18], "B": [1] * 11}, [count(8, units=50.0)]))
    assert not counted.availability.any()
    # Nobody sold anything: the chain was closed or its records are missing.
    assert not demand_series(chain({"A": [*steady, 0, 0, 18], "B": [*steady, 0, 0, 18]}, [])).availability.any()


def test_a_holiday_explains_a_silence():
    """The week of 16 January 2023 ends with Spring Festival, 22 January, and that of the 23rd is all of it."""
    silent_then = [*[20.0] * 10, 0, 18]  # weeks of 7 November .. 23 January
    moved = {
        "happened_at": [MONDAY + timedelta(weeks=w - 8) for w in range(12)] * 2,
        "product": ["A"] * 12 + ["B"] * 12,
        "units": silent_then + [1.0] * 12,
    }
    for country, expected in (("CN", ON_SALE), ("", STOCKED_OUT_INFERRED)):
        state = state_of_tables(
            ChainSettings("test", country=country), MONDAY + timedelta(weeks=4), {"sales": pa.table(moved)}
        )
        assert demand_series(state).availability[0, 10] == expected


def test_the_probability_of_a_silent_run_by_hand():
    """Counts 2, 4, 3, 3, 2, 4: mean 3, variance 0.8, below the mean, so Poisson: P(0) = exp(-3) = 0.0498.
    P^2 = 0.0025 is not below 0.001, P^3 = 0.00012 is. With 9, 0, 0, 9, 0, 9 half are zero: P(0) is at least 1/2, and
    1/2^9 = 0.00195, 1/2^10 = 0.00098; but more than 8 weeks are a season."""
    steady, lumpy = [2.0, 4, 3, 3, 2, 4], [9.0, 0, 0, 9, 0, 9]

    def masked(history: list[float], zeros: int, bucket_days: int = 7) -> int:
        units = np.array([history + [0.0] * zeros + [3.0]])
        explained = np.zeros(units.shape[1], bool)
        return int(silent_runs(units, np.ones(units.shape, bool), explained, bucket_days).sum())

    assert [masked(steady, n) for n in (1, 2, 3, 8, 9)] == [0, 0, 3, 8, 0]
    assert [masked(lumpy, n, bucket_days=1) for n in (9, 10)] == [0, 10]
    assert masked(lumpy, 10) == 0


def test_explained_buckets_add_no_evidence_but_are_masked_with_the_run():
    units = np.array([[2.0, 4, 3, 3, 2, 4, 0, 0, 0, 0, 3]])
    there = np.ones(units.shape, bool)
    explained = np.zeros(11, bool)
    explained[[6, 7]] = True
    assert silent_runs(units, there, explained, 7).sum() == 0
    explained[7] = False
    assert silent_runs(units, there, explained, 7).sum() == 4
