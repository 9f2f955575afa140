"""Bills of materials over time, by hand and against a plain loop over days."""

from datetime import date, timedelta

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from datong.ledger.state import in_state_schema
from datong.ledger.versions import ALWAYS, Span, span, versions
from datong.model.tables import tables
from datong.network.bills import Bills

FIRST = date(2026, 1, 5)
DAYS = 10


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def bills(*rows: dict[str, object]) -> Bills:
    names = ("product", "component", "recipe", "units_per_unit", "scrap_share", "valid_from", "valid_to")
    columns = {name: [{"product": "A", **row}.get(name) for row in rows] for name in names}
    table = in_state_schema("components", pa.table(columns))
    return Bills(versions(tables()["components"], table), ("X", "Y", "Z"))


def over_time(found: Bills, days: Span = ALWAYS, recipe: str = "R") -> list[tuple[int, int, dict[str, float]]]:
    """(first, after, units by component), days counted from the first."""
    return [
        (first - FIRST.toordinal(), after - FIRST.toordinal(), {u.component: u.units_per_unit for u in uses})
        for (first, after), uses in found.over_time("A", recipe, days)
    ]


WEEK = Span(day(0).toordinal(), day(7).toordinal())


def test_one_component_takes_the_place_of_another() -> None:
    found = bills(
        {"component": "X", "units_per_unit": 1.0, "valid_to": day(3)},
        {"component": "Y", "units_per_unit": 2.0, "valid_from": day(3), "scrap_share": 0.5},
    )
    assert over_time(found, WEEK) == [(0, 3, {"X": 1.0}), (3, 7, {"Y": 4.0})]


def test_a_quantity_that_changes_and_the_recipes_own_rows() -> None:
    """Z is 1 a unit, from day 2 on 3; of recipe R it is 5 from day 4 to 6."""
    found = bills(
        {"component": "Z", "units_per_unit": 1.0},
        {"component": "Z", "units_per_unit": 3.0, "valid_from": day(2)},
        {"component": "Z", "recipe": "R", "units_per_unit": 5.0, "valid_from": day(4), "valid_to": day(6)},
    )
    assert over_time(found, WEEK) == [(0, 2, {"Z": 1.0}), (2, 4, {"Z": 3.0}), (4, 6, {"Z": 5.0}), (6, 7, {"Z": 3.0})]
    assert over_time(found, WEEK, "S") == [(0, 2, {"Z": 1.0}), (2, 7, {"Z": 3.0})]


def test_nothing_is_made_of_nothing_while_a_bill_is_to_come() -> None:
    """X up to day 2, Y from day 4 to 6: on days 2 and 3 there is no bill; after day 6 nothing is taken any more."""
    rows = (
        {"component": "X", "units_per_unit": 1.0, "valid_to": day(2)},
        {"component": "Y", "units_per_unit": 1.0, "valid_from": day(4), "valid_to": day(6)},
    )
    assert over_time(bills(*rows), WEEK) == [(0, 2, {"X": 1.0}), (4, 6, {"Y": 1.0}), (6, 7, {})]
    ((first, after),) = [days for days, _ in bills(rows[1]).over_time("A", "R", Span(WEEK.first, WEEK.first + 2))]
    assert first == after


def test_a_product_without_a_bill_takes_nothing_and_unknown_components_are_none() -> None:
    assert over_time(bills(), WEEK) == [(0, 7, {})]
    assert over_time(bills({"component": "UNKNOWN", "units_per_unit": 1.0}), WEEK) == [(0, 7, {})]


limits = st.one_of(st.none(), st.integers(0, DAYS).map(day))
rows_of = st.lists(
    st.tuples(st.sampled_from("XYZ"), st.sampled_from([None, "R"]), st.integers(1, 4), limits, limits), max_size=6
)


@given(rows_of)
@settings(deadline=None)
def test_each_day_has_its_own_bill(given_rows: list[tuple[str, str | None, int, date | None, date | None]]) -> None:
    rows = [row for row in given_rows if span(*row[3:]).first < span(*row[3:]).after]
    names = ("component", "recipe", "units_per_unit", "valid_from", "valid_to")
    found = bills(*({**dict(zip(names, row, strict=True)), "units_per_unit": float(row[2])} for row in rows))
    spans = over_time(found, Span(day(-1).toordinal(), day(DAYS + 1).toordinal()))
    for number in range(-1, DAYS + 1):
        expected: dict[str, float] = {}
        for recipe in (None, "R"):
            own: dict[str, tuple[int, float]] = {}
            for place, row in enumerate(rows):
                days = span(*row[3:])
                if row[1] == recipe and days.first <= day(number).toordinal() < days.after:
                    own[row[0]] = max(own.get(row[0], (0, 0, 0.0)), (days.first, place, float(row[2])))
            expected |= {component: units for component, (*_, units) in own.items()}
        there = [uses for first, after, uses in spans if first <= number < after]
        to_come = any(span(*row[3:]).first > day(number).toordinal() for row in rows)
        assert there == ([] if not expected and to_come else [expected])
