"""Hours of lines in buckets, against a plain loop over days."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datong.ledger.state import State, in_state_schema, state_of_tables
from datong.ledger.versions import span
from datong.model.settings import ChainSettings
from datong.network.line_hours import days_of_lines, hours_by_day, line_hours, overtime, said_per_hour, usual_hours
from datong.network.working_days import WEEKDAYS

MONDAY = date(2026, 1, 5)
WEEKS = 3
STARTS = tuple(MONDAY + timedelta(weeks=w) for w in range(WEEKS))


def day(number: int) -> date:
    return MONDAY + timedelta(days=number)


DAYS = tuple(MONDAY + timedelta(days=d) for d in range(7 * WEEKS))


def state(today: date = MONDAY, bucket: str = "week", **tables: list[dict[str, Any]]) -> State:
    chain = ChainSettings("t", bucket=bucket)  # ty: ignore[invalid-argument-type]
    given_tables = {}
    for name, rows in tables.items():
        names = {column for row in rows for column in row}
        columns = {column: [row.get(column) for row in rows] for column in sorted(names)}
        given_tables[name] = in_state_schema(name, pa.table(columns))
    return state_of_tables(chain, chain.calendar.midnight(today), given_tables)


def line(hours: float, valid_from: date | None = None, valid_to: date | None = None) -> dict[str, Any]:
    return {"line": "L", "hours_per_week": hours, "valid_from": valid_from, "valid_to": valid_to}


def test_a_line_has_hours_from_the_day_it_opens_to_the_day_it_closes() -> None:
    """It opens on the first Thursday: 2 of 5 days of 70 hours; it closes on the Tuesday of the third week: one day."""
    found = line_hours(state(lines=[line(70.0, day(3), day(15))]), STARTS)
    assert found["L"].tolist() == pytest.approx([28.0, 70.0, 14.0])


def test_a_line_that_opens_after_the_horizon_or_has_closed_before_it_has_none() -> None:
    found = line_hours(state(lines=[line(70.0, day(40))]), STARTS)
    assert found["L"].tolist() == [0.0, 0.0, 0.0]
    assert line_hours(state(lines=[line(70.0, None, day(-7))]), STARTS)["L"].tolist() == [0.0, 0.0, 0.0]


def test_a_second_shift_begins_in_the_middle_of_a_week() -> None:
    """35 hours, from the second Wednesday on 70: 2 days of 7 and 3 of 14 are 56."""
    found = line_hours(state(lines=[line(35.0), line(70.0, day(9))]), STARTS)
    assert found["L"].tolist() == pytest.approx([35.0, 56.0, 70.0])


def test_a_shutdown_counts_by_its_days_and_only_while_it_holds() -> None:
    """70 hours. Down from the first Saturday for three days: nothing of the first week, one day of the second. In the
    third week it would be down too, but that row holds no longer."""
    calendar = [
        {"line": "L", "from": day(5), "to": day(8), "hours": 0.0},
        {"line": "L", "from": day(14), "to": day(21), "hours": 0.0, "valid_to": day(14)},
    ]
    found = line_hours(state(lines=[line(70.0)], line_calendar=calendar), STARTS)
    assert found["L"].tolist() == pytest.approx([70.0, 56.0, 70.0])


def test_of_a_week_that_has_begun_the_days_that_are_left_count() -> None:
    """On Wednesday 3 days are left; the line opens on Thursday: 2."""
    found = line_hours(state(day(2), lines=[line(70.0, day(3))]), STARTS)
    assert found["L"].tolist() == pytest.approx([28.0, 70.0, 70.0])


def test_overtime_and_its_cost_by_day() -> None:
    """14 hours at 3 in the first three days, at 5 in the next two: 8.4 and 5.6 hours of the week's 14."""
    calendar = [
        {
            "line": "L",
            "from": day(0),
            "to": day(3),
            "hours": 70.0,
            "overtime_hours": 14.0,
            "overtime_cost_per_hour": 3.0,
        },
        {
            "line": "L",
            "from": day(3),
            "to": day(7),
            "hours": 70.0,
            "overtime_hours": 14.0,
            "overtime_cost_per_hour": 5.0,
        },
    ]
    hours, cost = overtime(state(lines=[line(70.0)], line_calendar=calendar), STARTS)
    assert hours["L"].tolist() == pytest.approx([14.0, 0.0, 0.0])
    assert cost["L"].tolist() == pytest.approx([(8.4 * 3 + 5.6 * 5) / 14, 0.0, 0.0])


limits = st.one_of(st.none(), st.integers(-3, 7 * WEEKS + 3).map(day))
hours_of = st.sampled_from([0.0, 7.0, 35.0, 70.0])
lines_of = st.lists(st.tuples(hours_of, limits, limits), min_size=1, max_size=3)
spans_of = st.lists(st.tuples(st.integers(-3, 20), st.integers(1, 9), hours_of, limits, limits), max_size=3)


@given(lines_of, spans_of, st.integers(-2, 6))
@settings(max_examples=60, deadline=None)
def test_the_hours_of_each_bucket_are_those_of_its_days(
    lines: list[tuple[float, date | None, date | None]], spans: list[tuple[Any, ...]], today: int
) -> None:
    def holds(valid_from: date | None, valid_to: date | None, number: int) -> bool:
        own = span(valid_from, valid_to)
        return own.first <= day(number).toordinal() < own.after

    lines = [row for i, row in enumerate(lines) if row[1] not in [before[1] for before in lines[:i]]]
    lines = [row for row in lines if span(*row[1:]).first < span(*row[1:]).after]
    spans = [row for i, row in enumerate(spans) if row[0] not in [before[0] for before in spans[:i]]]
    spans = [row for row in spans if span(*row[3:]).first < span(*row[3:]).after]
    calendar = [
        {"line": "L", "from": day(first), "to": day(first + count), "hours": hours, "valid_from": a, "valid_to": b}
        for first, count, hours, a, b in spans
    ]
    tables = {"lines": [line(*row) for row in lines]} | ({"line_calendar": calendar} if calendar else {})
    if not lines:
        return
    found = line_hours(state(day(today), **tables), STARTS)["L"]
    expected = [0.0] * WEEKS
    for number in range(max(today, 0), 7 * WEEKS):
        own = [(span(a, b).first, hours) for hours, a, b in lines if holds(a, b, number)]
        if not own:
            continue
        per_week = max(own)[1]
        there = [
            (first, hours, count)
            for first, count, hours, a, b in spans
            if first <= number < first + count and holds(a, b, number)
        ]
        if there:
            per_week = max(there)[1]
        weekday = number % 7
        if there and max(there)[0] % 7 >= 5 and max(there)[0] % 7 + max(there)[2] <= 7:
            expected[number // 7] += per_week / 7
        elif weekday < 5:
            expected[number // 7] += per_week / 5
    assert found.tolist() == pytest.approx(expected)
    by_day = line_hours(state(day(today), "day", **tables), DAYS[max(today, 0) :])["L"]
    in_weeks = np.bincount(np.arange(max(today, 0), 7 * WEEKS) // 7, by_day, WEEKS)
    assert in_weeks.tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("hours", "first", "count", "said", "found"),
    [
        (40.0, 3, 2, 0.0, 24.0),  # shut on Thursday and Friday
        (40.0, 5, 2, 0.0, 40.0),  # shut at the weekend alone
        (40.0, 5, 1, 56.0, 48.0),  # opened on a Saturday: a seventh of 56
        (40.0, 5, 1, 40.0, 40.0 + 40.0 / 7),
        (120.0, 0, 1, 0.0, 96.0),  # five days of 24 hours
        (144.0, 5, 2, 0.0, 120.0),  # its Saturday is the sixth day of 24 hours, and it is shut
        (168.0, 4, 3, 0.0, 96.0),  # seven days of 24 hours
    ],
)
def test_a_week_is_worked_from_monday_to_friday_and_longer_where_it_has_more_hours(
    hours: float, first: int, count: int, said: float, found: float
) -> None:
    calendar = [{"line": "L", "from": day(first), "to": day(first + count), "hours": said}]
    own = state(lines=[line(hours)], line_calendar=calendar)
    assert line_hours(own, STARTS)["L"].tolist() == pytest.approx([found, hours, hours])
    assert hours_by_day(own, STARTS)["L"].sum(axis=1).tolist() == pytest.approx([found, hours, hours])
    by_day = line_hours(state(bucket="day", lines=[line(hours)], line_calendar=calendar), DAYS)["L"]
    assert by_day.reshape(-1, 7).sum(axis=1).tolist() == pytest.approx([found, hours, hours])
    assert by_day.tolist() == pytest.approx(hours_by_day(own, STARTS)["L"].ravel().tolist())


def test_a_line_with_working_days_has_its_hours_on_them() -> None:
    """40 hours on five days; the second Wednesday is closed: 32. What is said of a bucket for 10 hours gives 10, with a
    closed day in it or not; and a span on a closed Saturday opens it, with a seventh of its hours per week."""
    own = {
        "calendars": [{"calendar": "works"} | {name: name not in ("saturday", "sunday") for name in WEEKDAYS}],
        "calendar_days": [{"calendar": "works", "from": day(9), "to": day(10), "open": False}],
        "lines": [{"line": "L", "hours_per_week": 40.0, "calendar": "works"}],
    }
    assert line_hours(state(**own), STARTS)["L"].tolist() == pytest.approx([40.0, 32.0, 40.0])
    said = said_per_hour(state(**own), STARTS)["L"]
    spans = [
        {"line": "L", "from": first, "to": first + timedelta(days=7), "hours": 10.0 * each}
        for first, each in zip(STARTS, said.tolist(), strict=True)
    ]
    assert line_hours(state(**own, line_calendar=spans), STARTS)["L"].tolist() == pytest.approx([10.0] * 3)
    saturday = [{"line": "L", "from": day(5), "to": day(6), "hours": 56.0}]
    assert line_hours(state(**own, line_calendar=saturday), STARTS)["L"].tolist() == pytest.approx([48.0, 32.0, 40.0])


def test_where_a_chain_plans_by_days_nothing_is_worked_at_weekends_either() -> None:
    """40 hours are 8 on each day from Monday to Friday, and so are those that a span of one day says; the weekend is no
    open day, and overtime of a whole week is none of its days."""
    spans = [{"line": "L", "from": day(1), "to": day(2), "hours": 20.0}]
    spans += [{"line": "L", "from": day(7), "to": day(14), "hours": 40.0, "overtime_hours": 10.0}]
    own = state(bucket="day", lines=[line(40.0)], line_calendar=spans)
    assert line_hours(own, DAYS)["L"][:7].tolist() == pytest.approx([8.0, 4.0, 8.0, 8.0, 8.0, 0.0, 0.0])
    assert overtime(own, DAYS)[0]["L"][7:14].tolist() == pytest.approx([2.0] * 5 + [0.0] * 2)
    open_days = days_of_lines(own, DAYS)["L"]
    assert [open_days.on(d.toordinal()) for d in DAYS] == [d.weekday() < 5 for d in DAYS]
    assert usual_hours(own, DAYS) == {"L": pytest.approx(8.0)}
    assert usual_hours(state(bucket="day", lines=[line(144.0)]), DAYS) == {"L": pytest.approx(24.0)}


def test_what_is_said_of_a_day_gives_a_line_without_a_calendar_the_hours_of_that_day() -> None:
    """Whether at the weekend or not; a line of 24 hours a day, too."""
    for each in (10.0, 24.0):
        said = said_per_hour(state(bucket="day", lines=[line(40.0)]), DAYS)["L"]
        spans = [
            {"line": "L", "from": first, "to": first + timedelta(days=1), "hours": each * per_hour}
            for first, per_hour in zip(DAYS, said.tolist(), strict=True)
        ]
        found = line_hours(state(bucket="day", lines=[line(40.0)], line_calendar=spans), DAYS)["L"]
        assert found.tolist() == pytest.approx([each] * len(DAYS))
