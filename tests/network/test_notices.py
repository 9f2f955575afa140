"""What is said of a chain before it is planned."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest

from datong.ledger.state import State, in_state_schema, state_of_tables
from datong.model.settings import ChainSettings, Netting
from datong.network.notices import notices
from datong.network.unasked_products import unasked_products

MONDAY = date(2026, 1, 5)


def day(number: int) -> date:
    return MONDAY + timedelta(days=number)


def state(weeks: int = 4, **tables: list[dict[str, Any]]) -> State:
    chain = ChainSettings("t", horizon_buckets=weeks)
    given = {}
    for name, rows in ({"products": [{"product": "A"}], "demand": [wanted("A")]} | tables).items():
        columns = {column: [row.get(column) for row in rows] for column in sorted({c for row in rows for c in row})}
        given[name] = in_state_schema(name, pa.table(columns))
    return state_of_tables(chain, chain.calendar.midnight(MONDAY), given)


def wanted(product: str) -> dict[str, Any]:
    return {"demand": f"d-{product}", "product": product, "due": day(10), "units": 1.0}


def said(found: State) -> dict[str, str]:
    return {finding.code: finding.found.text("en") for finding in notices(found)}


def test_there_is_nothing_to_say_of_a_plain_chain() -> None:
    tables = {
        "products": [{"product": "A"}, {"product": "C", "kind": "component"}],
        "recipes": [{"recipe": "R", "product": "A"}],
        "components": [{"product": "A", "component": "C", "units_per_unit": 1.0}],
        "offers": [{"offer": "O", "product": "C", "price": 1.0}],
        "economics": [{"product": "A", "late_cost_per_unit_week": 1.0}],
    }
    assert notices(state(**tables)) == ()


def test_products_that_nobody_asks_for_are_named_and_so_are_launches() -> None:
    """A is wanted, B was sold; C's only sale was cancelled. D and F are launched at the first and the last day that
    count, E and G one day too early and too late; M is a material."""
    first, after = day(-56), day(28)
    products = [{"product": p} for p in "ABC"] + [
        {"product": "D", "launched_on": first},
        {"product": "E", "launched_on": first - timedelta(days=1)},
        {"product": "F", "launched_on": after - timedelta(days=1)},
        {"product": "G", "launched_on": after},
        {"product": "M", "kind": "material", "launched_on": day(0)},
    ]
    moment = ChainSettings("t").calendar.midnight(day(-7))
    sales = [
        {"product": "B", "units": 1.0, "happened_at": moment},
        {"product": "C", "units": 1.0, "happened_at": moment, "state": "cancelled"},
    ]
    assert "C, E, G" in said(state(products=products, sales=sales))["not_asked"]
    # Somebody asked for a quote of C: what is not planned of `demand` is told by itself.
    quote = {"demand": "Q", "product": "C", "due": day(3), "units": 1.0, "status": "quote"}
    words = said(state(products=products, sales=sales, demand=[quote]))
    assert "(A, E, G)" in words["not_asked"]
    found = state(products=products, sales=sales)
    assert unasked_products(found).launched == ("D", "F")
    assert unasked_products(found).left_out == ("C", "E", "G")
    words = said(found)
    assert "3 of the finished products" in words["not_asked"] and "C, E, G" in words["not_asked"]
    assert "2 of the products" in words["launched"] and "D, F" in words["launched"]


@pytest.mark.parametrize("recipe", [None, "R"])
def test_a_bill_that_begins_within_the_horizon_or_after_it(recipe: str | None) -> None:
    products = [{"product": "A"}, {"product": "X", "kind": "material"}]
    recipes = [{"recipe": "R", "product": "A"}]
    for begins in (9, 40):
        row = {"product": "A", "recipe": recipe, "component": "X", "units_per_unit": 1.0, "valid_from": day(begins)}
        words = said(state(products=products, recipes=recipes, components=[row]))
        assert f"A ({day(begins)})" in words["no_bill_yet"]
        assert ("no_way" in words) == (begins == 40)
    ended = {"product": "A", "component": "X", "units_per_unit": 1.0, "valid_to": day(9)}
    words = said(state(products=products, recipes=recipes, components=[ended]))
    assert list(words) == ["bill_ends"] and f"A ({day(9)})" in words["bill_ends"]


def test_products_that_nothing_makes_or_brings_in_the_horizon() -> None:
    """A's offer has ended, B's recipe is to come after the horizon; C has an offer for the last day, D none at all."""
    offers = [
        {"offer": "OA", "product": "A", "price": 1.0, "valid_to": day(0)},
        {"offer": "OC", "product": "C", "price": 1.0, "valid_from": day(27)},
    ]
    recipes = [{"recipe": "RB", "product": "B", "valid_from": day(28)}]
    products = [{"product": p} for p in "ABCD"]
    words = said(state(products=products, demand=[wanted(p) for p in "ABCD"], offers=offers, recipes=recipes))
    assert list(words) == ["no_way_yet", "no_way", "begins_within"]
    assert "2 of the products" in words["no_way"] and "A, B" in words["no_way"]
    assert "1 of the products" in words["no_way_yet"] and f"C ({day(27)})" in words["no_way_yet"]


def test_economics_that_change_within_the_horizon() -> None:
    rows = [
        {"product": "A", "late_cost_per_unit_week": 1.0},
        {"product": "A", "late_cost_per_unit_week": 2.0, "valid_from": day(14)},
    ]
    assert "A" in said(state(economics=rows))["economics_change"]
    assert "economics_change" not in said(state(economics=[rows[0], rows[1] | {"valid_from": day(28)}]))


@pytest.mark.parametrize(
    ("firm", "beside", "market", "sold_on", "weeks", "is_said"),
    [
        (True, False, "all", -10, 4, "history_unused"),
        (True, True, "all", -10, 4, None),  # the order is part of the forecast
        (True, True, "all", -10, 3, "history_unused"),  # sold too seldom to be forecast
        (False, True, "all", -10, 4, "forecast_given"),
        (True, False, "shop", -10, 4, None),
        (True, False, "all", -100, 4, None),
    ],
)
def test_sales_that_no_forecast_is_made_of_are_told(
    firm: bool, beside: bool, market: str, sold_on: int, weeks: int, is_said: str | None
) -> None:
    """A given forecast takes the place of Datong's own; an order only where the chain says so, or little was sold."""
    one = {"product": "A", "market": "all", "units": 30.0, "state": "ordered"}
    sold = [one | {"happened_at": day(sold_on - 7 * week)} for week in range(weeks)]
    order = wanted("A") | {"market": market, "firm": firm}
    made = state(sales=sold, demand=[order])
    told = said(replace(made, settings=replace(made.settings, netting=Netting(own_forecast=beside))))
    assert [key for key in told if key in ("history_unused", "forecast_given")] == ([is_said] if is_said else [])
    if is_said == "history_unused":
        assert f"8 weeks of sales were {30 * weeks} units, and these orders are 1;" in told[is_said]
    if is_said == "forecast_given":
        assert f"8 weeks of sales were {30 * weeks} units; given are 1 " in told[is_said]


@pytest.mark.parametrize(("on", "is_said"), [((1, 1, 1), True), ((1, 1), False), ((1, 1, 2), False)])
def test_sales_that_are_sums_of_months_are_told(on: tuple[int, ...], is_said: bool) -> None:
    """A sells by month, or on some other day too; B by the day."""
    midnight = ChainSettings("t").calendar.midnight
    days = [("A", date(2025, 9 + i, number)) for i, number in enumerate(on)] + [("B", day(-n)) for n in range(90)]
    sales = [{"sale": f"s{i}", "product": p, "happened_at": midnight(d), "units": 9.0} for i, (p, d) in enumerate(days)]
    found = said(state(sales=sales, products=[{"product": "A"}, {"product": "B"}]))
    assert ("monthly_sales" in found) == is_said
    assert not is_said or "1 product stand on the first day of a month (A)" in found["monthly_sales"]


def test_what_begins_or_ends_within_a_week_is_told_and_what_does_so_with_one_is_not() -> None:
    """Days before, in and after four weeks on which a row of each table begins, or ends."""
    of = {
        "recipes": {"recipe": "R", "product": "A"},
        "offers": {"offer": "O", "product": "A", "price": 1.0},
        "substitutes": {"product": "A", "substitute": "B"},
        "lanes": {"lane": "R", "from_site": "F", "to_site": "S"},
    }
    more = {"products": [{"product": "A"}, {"product": "B"}], "sites": [{"site": "F"}, {"site": "S"}]}
    for table, row in of.items():
        for column, code in (("valid_to", "ends_within"), ("valid_from", "begins_within")):
            for number in (-3, 0, 1, 6, 7, 13, 14, 27, 28, 30):
                found = [f for f in notices(state(**more, **{table: [row | {column: day(number)}]})) if f.code == code]
                is_within = 0 < number < 28 and number % 7 != 0
                assert [f.source for f in found] == [table] * is_within, (table, column, number)
                assert all(str(day(number)) in f.found.text(language) for f in found for language in ("en", "zh"))
