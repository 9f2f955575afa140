"""Rows that are counted in cartons or tonnes, read in base units: by hand, and against a plain loop."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datong.ledger.row_checks import validate
from datong.ledger.state import State, in_state_schema, state_of_tables
from datong.ledger.units import ANY_DAY, UNITS, Conversions
from datong.ledger.versions import span, versions
from datong.model.errors import BadInput
from datong.model.settings import ChainSettings
from datong.model.tables import tables

FIRST = date(2026, 1, 5)


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def rows_of(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    columns = {column: [row.get(column) for row in rows] for column in sorted({c for row in rows for c in row})}
    return in_state_schema(name, pa.table(columns)) if rows else in_state_schema(name, None)


PRODUCTS = [{"product": "P", "base_unit": "kg"}, {"product": "Q", "base_unit": None}]
CARTON = [
    {"product": "P", "unit": "tonne", "base_units_per_unit": 1000.0},
    {"product": "P", "unit": "bag", "base_units_per_unit": 25.0},
    {"product": "P", "unit": "bag", "base_units_per_unit": 20.0, "valid_from": day(10)},
    {"product": "Q", "unit": "carton", "base_units_per_unit": 12.0},
]


def state(**given: list[dict[str, Any]]) -> State:
    chain = ChainSettings("t", time_zone="Asia/Shanghai")
    every = {"products": PRODUCTS, "unit_conversions": CARTON} | given
    made = {name: rows_of(name, rows) for name, rows in every.items()}
    return state_of_tables(chain, chain.calendar.midnight(day(5)), made)


def at(number: int, hour: int = 12) -> datetime:
    return datetime(2026, 1, 5, hour, tzinfo=UTC) + timedelta(days=number)


def test_amounts_are_multiplied_and_prices_divided() -> None:
    """2 cartons of 12 at 60 a carton are 24 at 5. What names no unit, or the base unit, stays as it is."""
    sales = [
        {"product": "Q", "units": 2.0, "price": 60.0, "unit": "carton", "happened_at": at(0)},
        {"product": "Q", "units": 3.0, "price": 5.0, "unit": None, "happened_at": at(0)},
        {"product": "Q", "units": 4.0, "price": None, "unit": "piece", "happened_at": at(0)},
    ]
    found = state(sales=sales).table("sales")
    assert found["units"].to_pylist() == [24.0, 3.0, 4.0]
    assert found["price"].to_pylist() == [5.0, 5.0, None]
    assert found["unit"].to_pylist() == [None] * 3


@pytest.mark.parametrize(
    ("name", "row", "expected"),
    [
        ("stock", {"product": "P", "units": 1.5, "happened_at": at(0)}, {"units": 1500.0}),
        ("returns", {"product": "P", "units": 1.5, "happened_at": at(0)}, {"units": 1500.0}),
        ("receipts", {"product": "P", "units": 1.5, "happened_at": at(0)}, {"units": 1500.0}),
        ("shipments", {"product": "P", "units": 1.5, "happened_at": at(0)}, {"units": 1500.0}),
        (
            "production",
            {"product": "P", "good_units": 1.5, "scrap_units": 0.1, "happened_at": at(0)},
            {"good_units": 1500.0, "scrap_units": 100.0},
        ),
        ("demand", {"demand": "d", "product": "P", "units": 1.5, "due": day(9)}, {"units": 1500.0}),
        ("orders", {"order": "o", "product": "P", "units": 1.5, "start": day(1), "due": day(2)}, {"units": 1500.0}),
        (
            "offers",
            {
                "offer": "o",
                "product": "P",
                "price": 500.0,
                "lead_days": 3.0,
                "min_order_units": 2.0,
                "lot_multiple_units": 0.5,
                "units_per_week": 10.0,
            },
            {
                "price": 0.5,
                "lead_days": 3.0,
                "min_order_units": 2000.0,
                "lot_multiple_units": 500.0,
                "units_per_week": 10_000.0,
            },
        ),
        (
            "components",
            {"product": "Q", "component": "P", "units_per_unit": 0.002, "scrap_share": 0.1},
            {"units_per_unit": 2.0, "scrap_share": 0.1},
        ),
    ],
)
def test_every_table_that_counts_units_may_name_one(name: str, row: dict[str, Any], expected: dict[str, float]) -> None:
    (found,) = state(**{name: [row | {"unit": "tonne"}]}).table(name).to_pylist()
    assert {column: found[column] for column in expected} == pytest.approx(expected)


def test_what_an_alternative_adds_to_a_unit_made_is_not_of_the_components_unit() -> None:
    """Half a carton of 12, with 2 per lot, at 3 a unit made: 6, 24, and 3 still."""
    row = {"product": "P", "component": "Q", "units_per_unit": 0.5, "units_per_lot": 2.0, "unit": "carton"}
    row |= {"alternate_group": "g", "alternate_cost_per_unit": 3.0}
    (read,) = state(components=[row]).table("components").to_pylist()
    assert [read[name] for name in ("units_per_unit", "units_per_lot", "alternate_cost_per_unit")] == [6.0, 24.0, 3.0]


def test_a_unit_means_what_it_means_on_the_row_s_own_day() -> None:
    """A bag holds 25, from 15 January on 20; in Shanghai that day begins at 16:00 UTC on the 14th."""
    sales = [
        {"product": "P", "units": 1.0, "unit": "bag", "happened_at": at(9, 15)},
        {"product": "P", "units": 1.0, "unit": "bag", "happened_at": at(9, 16)},
    ]
    demand = [
        {"demand": f"d{number}", "product": "P", "units": 1.0, "unit": "bag", "due": day(number)} for number in (9, 10)
    ]
    offers = [
        {"offer": "now", "product": "P", "price": 100.0, "unit": "bag"},
        {"offer": "then", "product": "P", "price": 100.0, "unit": "bag", "valid_from": day(12)},
    ]
    found = state(sales=sales, demand=demand, offers=offers)
    assert found.table("sales")["units"].to_pylist() == [25.0, 20.0]
    assert found.table("demand")["units"].to_pylist() == [25.0, 20.0]
    assert found.table("offers")["price"].to_pylist() == [4.0, 5.0]


def test_a_unit_that_nothing_explains_is_refused_loudly() -> None:
    sales = [{"product": "Q", "units": 1.0, "unit": "bag", "happened_at": at(0)}]
    with pytest.raises(BadInput, match="sales counts Q in bag"):
        state(sales=sales).table("sales")


def checked(name: str, **columns: list[str]) -> tuple[list[tuple[str, int | None]], list[str | None]]:
    """Findings by code and row, and the units of the rows that came through."""
    conversions = versions(tables()["unit_conversions"], rows_of("unit_conversions", CARTON))
    units = Conversions.of(rows_of("products", PRODUCTS), conversions).as_array()
    known = {"products": pa.array(["P", "Q"]), UNITS: units}
    found = validate(tables()[name], pa.table(columns), f"{name}.csv", ChainSettings("t"), known)
    return [(f.code, f.row) for f in found.findings], found.rows["unit"].to_pylist()


def test_a_unit_in_which_the_product_is_not_counted_waits_in_quarantine() -> None:
    """Q has no bags, and case counts. A product that is unknown has that finding alone."""
    found, units = checked(
        "sales",
        product=["P", "P", "Q", "P", "P", "X"],
        units=["1"] * 6,
        unit=["bag", "kg", "bag", "KG", "", "bag"],
        happened_at=["2026-01-06"] * 6,
    )
    assert sorted(found) == [("unknown_reference", 7), ("unknown_unit", 4), ("unknown_unit", 5)]
    assert units == ["bag", None, None]  # the base unit need not be named


def test_a_unit_that_holds_only_later_waits_too() -> None:
    late = [{"product": "Q", "unit": "box", "base_units_per_unit": 6.0, "valid_from": day(10)}]
    units = Conversions.of(rows_of("products", PRODUCTS), rows_of("unit_conversions", late)).as_array()
    columns = {"demand": ["a", "b"], "product": ["Q"] * 2, "units": ["1"] * 2, "unit": ["box"] * 2}
    rows = pa.table(columns | {"due": [str(day(9)), str(day(10))]})
    found = validate(tables()["demand"], rows, "demand.csv", ChainSettings("t"), {UNITS: units})
    assert [(f.code, f.row) for f in found.findings] == [("unknown_unit", 2)]
    assert found.rows["demand"].to_pylist() == ["b"]


limits = st.one_of(st.none(), st.integers(0, 8).map(day))
conversions_of = st.lists(
    st.tuples(st.sampled_from("PQ"), st.sampled_from(["bag", "box"]), st.integers(2, 9), limits, limits), max_size=6
)
asked_of = st.lists(
    st.tuples(st.sampled_from("PQ"), st.sampled_from(["bag", "box", "kg", "piece"]), st.integers(-1, 9)), min_size=1
)


@given(conversions_of, asked_of)
@settings(deadline=None, max_examples=60)
def test_the_conversion_that_holds_on_the_day_counts(given_rows: list[Any], asked: list[Any]) -> None:
    some = {(p, u, a): (p, u, float(f), a, b) for p, u, f, a, b in given_rows if span(a, b).first < span(a, b).after}
    names = ("product", "unit", "base_units_per_unit", "valid_from", "valid_to")
    rows = rows_of("unit_conversions", [dict(zip(names, row, strict=True)) for row in some.values()])
    known = Conversions.of(rows_of("products", PRODUCTS), versions(tables()["unit_conversions"], rows))
    days = np.array([day(number).toordinal() if number >= 0 else ANY_DAY for *_, number in asked])
    columns = (pa.chunked_array([[row[i] for row in asked]], pa.string()) for i in range(2))
    factor, holds = known.find(*columns, days)
    for i, (product, unit, _) in enumerate(asked):
        own = [(span(a, b), f) for p, u, f, a, b in some.values() if (p, u) == (product, unit)]
        held = [(s.first, f) for s, f in own if days[i] == ANY_DAY or s.first <= days[i] < s.after]
        if unit == {"P": "kg", "Q": "piece"}[product]:
            assert (factor[i], holds[i]) == (1.0, True)
        elif not own:
            assert np.isnan(factor[i]) and not holds[i]
        elif days[i] == ANY_DAY:
            assert holds[i] and factor[i] in [f for _, f in own]
        else:
            assert holds[i] == bool(held)
            assert factor[i] == max(held)[1] if held else not np.isnan(factor[i])
