"""Demand series: buckets by local due day, what is unknown, what was known ahead, what is given."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from datong.forecast.paths import forecast
from datong.ledger.state import State, state_of_tables
from datong.model.flow import Item, nothing_learnt
from datong.model.settings import ChainSettings
from datong.sense.series import demand_series
from datong.sense.signals import sense

MOMENT = pa.timestamp("us", tz="UTC")


def chain(rows: list[dict], as_of: datetime, tables: dict[str, list[dict]] | None = None, **settings: object) -> State:
    """A state of sales (happened_at, product, units and so on as dictionaries) and of other tables."""
    given = {
        name: pa.table(
            {column: [row.get(column) for row in table] for column in {c: None for row in table for c in row}}
        )
        for name, table in ({"sales": rows} | (tables or {})).items()
        if table
    }
    return state_of_tables(ChainSettings("test", **settings), as_of, given)


def sale(at: datetime, units: float = 1.0, product: str = "A", **more: object) -> dict:
    return {"happened_at": at, "product": product, "units": units, **more}


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def test_a_sale_counts_in_the_week_of_its_due_day_and_a_cancelled_one_does_not():
    """Thursday 5 January + 3 days = Sunday 8: week of the 2nd. Friday 6 + 3 = Monday 9: week of the 9th."""
    rows = [
        sale(utc(2023, 1, 5, 12), 10),
        sale(utc(2023, 1, 6, 12), 20),
        sale(utc(2023, 1, 6, 13), 40, state="cancelled"),
        sale(utc(2023, 1, 20, 12), 5),
    ]
    series = demand_series(chain(rows, utc(2023, 1, 21), promise_days=3, horizon_buckets=3))
    assert series.bucket_starts == (date(2023, 1, 2), date(2023, 1, 9))
    assert series.sold_units.tolist() == [[10.0, 20.0]]
    # Friday 20 January + 3 = Monday 23: the second open bucket.
    assert series.horizon_starts == (date(2023, 1, 16), date(2023, 1, 23), date(2023, 1, 30))
    assert series.known_ahead_units.tolist() == [[0.0, 5.0, 0.0]]


def test_what_was_known_when_the_bucket_opened_is_what_was_ordered_before_its_midnight():
    """Promise 3 days, week of Monday 9 January: orders of the 6th and 8th were known at its midnight, those of the 9th
    and 12th were not, though all are due in it."""
    rows = [sale(utc(2023, 1, day, 23, 59), 2.0**k) for k, day in enumerate((5, 6, 8, 9, 12))]
    series = demand_series(chain(rows, utc(2023, 1, 16), promise_days=3))
    assert series.sold_units.tolist() == [[1.0, 2.0 + 4.0 + 8.0 + 16.0]]
    assert series.known_ahead_history.tolist() == [[[0.0], [2.0 + 4.0]]]
    assert demand_series(chain(rows, utc(2023, 1, 16))).known_ahead_history.sum() == 0


def test_days_that_were_assumed_tell_nothing_of_how_a_week_begins():
    """January's sales are known by the month and spread over its days; those of February are of their days. The week
    of 30 January has some of both."""
    rows = [sale(utc(2023, 1, day), 7.0, assumed="happened_at") for day in range(2, 32)]
    rows += [sale(utc(2023, 2, day), 1.0, assumed=None) for day in range(1, 20)]
    known = demand_series(chain(rows, utc(2023, 2, 22))).known_ahead_history[0, :, 0]
    np.testing.assert_array_equal(known, [*[np.nan] * 5, 2.0, 2.0])


def test_a_month_that_has_just_begun_is_not_the_pace_of_its_week():
    """7 a week, known by the month; on the first Tuesday of December 12 are told for the month so far. They are on that
    one day: the rest of the week is expected as ever."""
    days = [date(2026, 3, 1) + timedelta(days=n) for n in range(275)]
    rows = [sale(datetime(d.year, d.month, d.day, tzinfo=UTC), 1.0, assumed="happened_at") for d in days]
    rows.append(sale(utc(2026, 12, 1), 12.0, assumed="happened_at"))
    state = chain(rows, utc(2026, 12, 1, 20), horizon_buckets=4)
    paths = forecast(sense(state), nothing_learnt(), 200, 0).paths[0]
    assert paths[:, 0].mean() < 12 + 7


def test_wanted_rows_that_are_past_give_nothing_for_the_weeks_ahead():
    """A forecast row due last week leaves the forecast alone; one due next week is what is wanted, with 0 in the other
    weeks."""
    rows = [sale(utc(2023, 1, 3), 5.0)]
    wanted = {"demand": "D1", "product": rows[0]["product"], "market": "all", "units": 7.0, "firm": False}
    state = chain(rows, utc(2023, 1, 16), {"demand": [{**wanted, "due": date(2023, 1, 12)}]})
    assert np.isnan(demand_series(state).given_units).all()
    state = chain(rows, utc(2023, 1, 16), {"demand": [{**wanted, "due": date(2023, 1, 24)}]})
    assert demand_series(state).given_units[0, :3].tolist() == [0.0, 7.0, 0.0]


def test_in_the_middle_of_a_week_past_weeks_are_seen_at_the_same_age():
    """As of Wednesday the 18th: of the week before, the orders of the 6th, 8th and (Monday) 9th were known by its
    Wednesday, those of the 12th were not."""
    rows = [sale(utc(2023, 1, day, 23, 59), 2.0**k) for k, day in enumerate((5, 6, 8, 9, 12))]
    series = demand_series(chain(rows, utc(2023, 1, 18), promise_days=3))
    assert series.known_ahead_history.tolist() == [[[0.0], [2.0 + 4.0 + 8.0]]]


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        # New York leaves summer time on 5 November 2023: its Sunday has 25 hours, Monday starts at 05:00 UTC.
        ("America/New_York", utc(2023, 11, 6, 4, 59), date(2023, 11, 5)),
        ("America/New_York", utc(2023, 11, 6, 5, 0), date(2023, 11, 6)),
        # It enters summer time on 12 March 2023: Monday the 13th starts at 04:00 UTC.
        ("America/New_York", utc(2023, 3, 13, 3, 59), date(2023, 3, 12)),
        ("America/New_York", utc(2023, 3, 13, 4, 0), date(2023, 3, 13)),
        # Sao Paulo skipped the midnight of Sunday 4 November 2018: 23:59 (02:59 UTC) was followed by 01:00.
        ("America/Sao_Paulo", utc(2018, 11, 4, 2, 59), date(2018, 11, 3)),
        ("America/Sao_Paulo", utc(2018, 11, 4, 3, 0), date(2018, 11, 4)),
        # Havana skipped that of Sunday 12 March 2023.
        ("America/Havana", utc(2023, 3, 12, 4, 59), date(2023, 3, 11)),
        ("America/Havana", utc(2023, 3, 12, 5, 0), date(2023, 3, 12)),
    ],
)
def test_buckets_follow_the_local_day_through_daylight_saving(zone: str, moment: datetime, day: date):
    later = sale(moment + timedelta(days=21))
    for unit in ("day", "week"):
        state = chain([sale(moment, 7.0), later], moment + timedelta(days=20), time_zone=zone, bucket=unit)
        series = demand_series(state)
        start = day if unit == "day" else day - timedelta(days=day.weekday())
        assert series.bucket_starts[0] == start
        assert series.sold_units[0, 0] == 7.0
        steps = {(b - a).days for a, b in zip(series.bucket_starts, series.bucket_starts[1:], strict=False)}
        assert steps == {1 if unit == "day" else 7}


def test_the_skipped_midnight_divides_what_was_known_ahead():
    """Promise 1 day: the order of 3 November 23:59 was known when 4 November opened; that of 01:00 was not."""
    rows = [sale(utc(2018, 11, 4, 2, 59), 3.0), sale(utc(2018, 11, 4, 3, 0), 5.0)]
    state = chain(rows, utc(2018, 11, 8), time_zone="America/Sao_Paulo", bucket="week", promise_days=1)
    series = demand_series(state)
    assert series.bucket_starts == (date(2018, 10, 29),)
    assert series.sold_units.tolist() == [[3.0]]
    assert series.known_ahead_units[0, 0] == 5.0


def test_items_are_sold_wanted_and_launched_ones_in_every_market():
    """N is launched in a week. Nobody ever bought or asked for U, whose launch is long past, and for V, of which no day
    is known: they are no items; nor is a material."""
    products = [
        {"product": "A", "category_a": "oil", "launched_on": None},
        {"product": "N", "launched_on": date(2023, 1, 23)},
        {"product": "M", "kind": "material", "launched_on": date(2023, 1, 23)},
        {"product": "U", "launched_on": date(2022, 11, 20)},
        {"product": "V", "launched_on": None},
        {"product": "W", "launched_on": None},
    ]
    products = [{"category_a": None, "kind": None, **row} for row in products]
    demand = [{"demand": "d", "product": "W", "market": "east", "due": date(2023, 1, 20), "units": 4.0}]
    rows = [sale(utc(2023, 1, 3), market="west"), sale(utc(2023, 1, 3), product="X", market="west")]
    state = chain(rows, utc(2023, 1, 16), {"products": products, "demand": demand})
    series = demand_series(state)
    pairs = [("A", "west"), ("N", "east"), ("N", "west"), ("W", "east"), ("X", "west")]
    assert series.items == tuple(Item(*p) for p in pairs)
    assert series.category == ("oil", "", "", "", "")
    assert demand_series(chain([], utc(2023, 1, 16), {"products": products})).items == (Item("N", "all"),)
    lately = [{"product": "L", "launched_on": date(2022, 11, 21)}]
    assert demand_series(chain([], utc(2023, 1, 16), {"products": lately})).items == (Item("L", "all"),)


def test_units_are_unknown_before_the_first_sale_or_the_launch_and_zero_after_the_last():
    """Weeks of 2, 9, 16, 23, 30 January. B sells in the third; C was launched in the second and sells in the fourth;
    D is to be launched in the fifth but was ordered in the fourth; E was launched in the first and never sold."""
    days = [utc(2023, 1, 2), utc(2023, 1, 9), utc(2023, 1, 16), utc(2023, 1, 23), utc(2023, 1, 30)]
    rows = [sale(d, 9.0) for d in days]
    rows += [sale(days[2], 4.0, "B"), sale(days[3], 5.0, "C"), sale(days[3], 6.0, "D")]
    products = [
        {"product": "B", "launched_on": None},
        {"product": "C", "launched_on": date(2023, 1, 11)},
        {"product": "D", "launched_on": date(2023, 1, 30)},
        {"product": "E", "launched_on": date(2023, 1, 3)},
    ]
    series = demand_series(chain(rows, utc(2023, 2, 6), {"products": products}))
    nan = np.nan
    np.testing.assert_equal(
        series.units,
        [[9.0] * 5, [nan, nan, 4, 0, 0], [nan, 0, 0, 5, 0], [nan, nan, nan, 6, 0], [0.0] * 5],
    )


def test_a_launch_to_come_is_told_by_its_week():
    """Planned from 6 February: G starts in that week, H two weeks later; I sold before."""
    products = [
        {"product": "G", "launched_on": date(2023, 2, 9)},
        {"product": "H", "launched_on": date(2023, 2, 20)},
        {"product": "I", "launched_on": date(2023, 2, 20)},
    ]
    rows = [sale(utc(2023, 1, 2), 9.0), sale(utc(2023, 1, 30), 6.0, "I")]
    series = demand_series(chain(rows, utc(2023, 2, 6), {"products": products}))
    told = dict(zip((i.product for i in series.items), series.launch_ahead.tolist(), strict=True))
    assert {p: told[p] for p in "GHI"} == {"G": 0, "H": 2, "I": -1}


def test_a_first_week_whose_usual_days_are_mostly_before_the_records_is_unknown():
    """Records start on Wednesday. The shop that sells every day lost two days in seven; the one that sells from
    Wednesday on lost nothing."""
    every_day = [sale(utc(2023, 1, 4) + timedelta(days=k)) for k in range(30)]
    series = demand_series(chain(every_day, utc(2023, 1, 30)))
    assert np.isnan(series.units[0, 0])
    assert series.sold_units[0, 0] == 5.0
    late_days = [r for r in every_day if r["happened_at"].weekday() >= 2]
    assert demand_series(chain(late_days, utc(2023, 1, 30))).units[0, 0] == 5.0


def test_buckets_after_the_moment_are_unknown_when_planning_starts_later():
    rows = [sale(utc(2023, 1, 2)), sale(utc(2023, 1, 9))]
    series = demand_series(chain(rows, utc(2023, 1, 18), start=date(2023, 2, 1)))
    assert series.horizon_starts[0] == date(2023, 1, 30)
    np.testing.assert_equal(series.units, [[1.0, 1.0, np.nan, np.nan]])


def test_given_demand_leaves_out_what_is_overdue_and_is_unknown_for_items_without_rows():
    """O was asked for last week and never sold: nothing is asked of it now. S was sold, and nothing is given of it."""
    demand = [
        {"demand": "a", "product": "A", "market": "all", "due": date(2023, 1, 10), "units": 100.0},
        {"demand": "b", "product": "A", "market": "all", "due": date(2023, 1, 17), "units": 3.0},
        {"demand": "c", "product": "A", "market": "all", "due": date(2023, 1, 22), "units": 4.0},
        {"demand": "d", "product": "A", "market": "all", "due": date(2024, 1, 1), "units": 50.0},
        {"demand": "e", "product": "O", "market": "all", "due": date(2023, 1, 10), "units": 1.0},
    ]
    state = chain([sale(utc(2023, 1, 2), product="S")], utc(2023, 1, 16), {"demand": demand}, horizon_buckets=2)
    series = demand_series(state)
    assert [i.product for i in series.items] == ["A", "O", "S"]
    np.testing.assert_equal(series.given_units, [[7.0, 0.0], [0.0, 0.0], [np.nan, np.nan]])


def test_a_chain_with_given_demand_only_has_no_closed_buckets():
    demand = [{"demand": "b", "product": "A", "market": "all", "due": date(2023, 1, 17), "units": 3.0}]
    series = demand_series(chain([], utc(2023, 1, 16), {"demand": demand}, country="CN"))
    assert series.bucket_starts == ()
    assert series.units.shape == (1, 0)
    assert series.known_ahead_history.shape == (1, 0, 1)
    assert series.given_units[0].sum() == 3.0
    assert {h.holiday for h in series.holidays} >= {"Chinese New Year (Spring Festival)"}


def test_the_grouped_sums_equal_a_plain_loop_over_the_rows():
    rng = np.random.default_rng(3)
    rows = [
        sale(
            utc(2023, 2, 20) + timedelta(minutes=int(m)),
            float(u),
            f"P{p}",
            market=f"m{k}",
            state="cancelled" if c else "ordered",
        )
        for m, u, p, k, c in zip(
            rng.integers(0, 60 * 24 * 60, 400),
            rng.integers(0, 9, 400),
            rng.integers(0, 5, 400),
            rng.integers(0, 2, 400),
            rng.random(400) < 0.1,
            strict=True,
        )
    ]
    for unit, promise in (("day", 2), ("week", 0), ("week", 10)):
        as_of = utc(2023, 4, 22, 15)
        state = chain(rows, as_of, time_zone="America/New_York", bucket=unit, promise_days=promise, horizon_buckets=9)
        series = demand_series(state)
        calendar = state.settings.calendar
        sold, known = np.zeros_like(series.sold_units), np.zeros_like(series.sold_units)
        ahead = np.zeros_like(series.known_ahead_units)
        for row in rows:
            if row["state"] == "cancelled":
                continue
            i = series.items.index(Item(row["product"], row["market"]))
            start = calendar.bucket_start(calendar.local_date(row["happened_at"]) + timedelta(days=promise))
            if start in series.bucket_starts:
                b = series.bucket_starts.index(start)
                sold[i, b] += row["units"]
                as_old = calendar.midnight(start + (state.today - state.first_open_bucket))
                known[i, b] += row["units"] * (row["happened_at"] < as_old)
            elif start in series.horizon_starts:
                ahead[i, series.horizon_starts.index(start)] += row["units"]
        assert sold.sum() > 0
        np.testing.assert_allclose(series.sold_units, sold)
        np.testing.assert_allclose(series.known_ahead_history[:, :, 0], known)
        np.testing.assert_allclose(series.known_ahead_units, ahead)
