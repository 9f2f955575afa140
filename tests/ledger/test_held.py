"""Products that are held back: which rows hold which products, and that none of their ways starts."""

import json
from datetime import date

import pytest

from datong.ledger.products_held_back import held_back, held_findings, lacking
from datong.model.flow import nothing_learnt
from datong.network.facts import chain_facts
from small_chain import MONDAY, chain

STARTS = (MONDAY, date(2024, 1, 8))

# A table has the columns of its first row.
ALWAYS = {"valid_from": None, "valid_to": None}
# P is made of C on line L, Q is bought, N has neither recipe nor offer.
TABLES = {
    "products": [{"product": p, "price": 10.0} for p in ("C", "N", "P", "Q")],
    "lines": [{"line": "L", "hours_per_week": 40.0}],
    "recipes": [{"recipe": "RP", "product": "P", "line": "L", "hours_per_unit": 1.0} | ALWAYS],
    "components": [{"product": "P", "component": "C", "units_per_unit": 1.0} | ALWAYS],
    "offers": [{"offer": "OC", "product": "C", "price": 1.0}, {"offer": "OQ", "product": "Q", "price": 1.0}],
    "demand": [{"demand": "d", "product": "P", "due": MONDAY, "units": 1.0}],
}


def refused(table, row=3, **cells):
    """A refused row as a state holds it: its cells in text, and what is wrong with one of them."""
    zh = {"found": "“?”", "expected": "对", "remedy": "改"}
    found = {"severity": "error", "code": "x", "source": f"{table}.csv", "row": row, "column": "units"}
    found |= {"found": "'?'", "expected": "better", "remedy": "mend it", "zh": zh}
    return {
        "table": table,
        "source": table,
        "row": row,
        "raw": json.dumps(cells),
        "findings": json.dumps([found]),
    }


def state_with(*rows, **changed):
    return chain(2, refused=list(rows), **{**TABLES, **changed}) if rows else chain(2, **{**TABLES, **changed})


def held_of(*rows, **changed):
    return set(held_back(state_with(*rows, **changed), STARTS).reasons)


@pytest.mark.parametrize(
    ("row", "held"),
    [
        (refused("recipes", recipe="R2", product="P", yield_share="2"), {"P"}),
        (refused("offers", offer="O2", product="Q", price="-1"), {"Q"}),
        (refused("components", product="P", component="X"), {"P"}),
        (refused("lines", line="L", hours_per_week="-5"), {"P"}),
        (refused("line_calendar", line="L", hours="-5"), {"P"}),
        (refused("lines", line="M", hours_per_week="-5"), set()),
        # The product cannot be read: whose recipe or offer it was.
        (refused("recipes", recipe="RP", product=""), {"P"}),
        (refused("offers", offer="OQ"), {"Q"}),
        (refused("components", recipe="RP", component="C"), {"P"}),
        (refused("components", text="P,C,1,2,3"), {"P"}),
        # Nobody knows whose it is: perhaps that of the product that seems to have none.
        (refused("recipes", recipe="R9"), {"N"}),
        (refused("offers", text="O9,?,,"), {"N"}),
        (refused("offers", offer="O9", product="0n"), {"N"}),
        # A code that no product has, and that is like none, is another product's.
        (refused("offers", offer="O9", product="OLD-77"), set()),
        (refused("components", component="C"), set()),
    ],
    ids=lambda value: value["table"] + value["raw"] if isinstance(value, dict) else None,
)
def test_a_refused_row_holds_back_what_it_says_how_to_get(row, held) -> None:
    assert held_of(row) == held


STEPS = {
    "lines": [{"line": line, "hours_per_week": 40.0} for line in "LMT"],
    "recipes": [{"recipe": "RP", "product": "P", "line": None, "hours_per_unit": 0.0} | ALWAYS],
    "recipe_steps": [
        {"step": f"step {line}", "recipe": "RP", "sequence": at, "line": line, "hours_per_unit": 1.0} | ALWAYS
        for at, line in ((1.0, "L"), (2.0, "M"))
    ],
    "recipe_lines": [{"recipe": "step M", "line": "T", "share": 1.0} | ALWAYS],
}


@pytest.mark.parametrize(
    "row",
    [
        refused("recipe_lines", recipe="step L", line="X", share="1"),
        refused("components", recipe="step L", component="C"),
        refused("line_calendar", line="M", hours="-5"),
        refused("line_calendar", line="T", hours="-5"),
        refused("recipe_steps", recipe="RP", step="step L", line="X"),
    ],
    ids=lambda row: row["table"] + row["raw"],
)
def test_a_refused_row_of_a_step_holds_back_what_the_step_is_for(row) -> None:
    assert held_of(row, **STEPS) == {"P"}
    assert held_of(refused("line_calendar", line="X", hours="-5"), **STEPS) == set()


def test_what_a_refused_recipe_would_make_is_held_by_its_line_too() -> None:
    state = state_with(
        refused("recipes", 2, recipe="RQ", product="Q", line="M"), refused("lines", 5, line="M", hours_per_week="x")
    )
    reasons = held_back(state, STARTS).reasons
    assert [(r.source, r.row) for r in reasons["Q"]] == [("lines.csv", 5), ("recipes.csv", 2)]


def test_a_product_without_any_row_keeps_its_assumed_offer() -> None:
    assert held_of() == set()
    facts = chain_facts(state_with(), STARTS, nothing_learnt())
    assert [(w.name, w.held) for w in facts.ways if w.product == "N"] == [("N/implied", False)]


def test_no_way_of_a_held_product_starts_and_what_needs_it_cannot_be_made() -> None:
    """C is held back: its good offer OC may not be used, and P, which needs it, has no price."""
    state = state_with(refused("offers", offer="O2", product="C", price="-1"))
    facts = chain_facts(state, STARTS, nothing_learnt())
    is_open, _ = facts.arrays.open_in(STARTS)
    assert {w.name: bool(o.any()) for w, o in zip(facts.ways, is_open, strict=True)} == {
        "OC": False,
        "N/implied": True,
        "RP": True,
        "OQ": True,
    }
    cost = dict(zip(facts.products, facts.arrays.least_costs(STARTS).tolist(), strict=True))
    assert cost == {"C": float("inf"), "N": 7.0, "P": float("inf"), "Q": 1.0}
    held = held_back(state, STARTS)
    assert lacking(state, held) == {"C": "C", "P": "C"}
    (found,) = held_findings(state, held)
    assert (found.severity, found.source, found.row, found.column) == ("error", "offers.csv", 3, "units")
    assert (
        "C is held back" in found.text("en") and "mend it" in found.text("en") and "runs short: P" in found.text("en")
    )
    assert "C 暂停计划" in found.text("zh") and "改" in found.text("zh") and "短缺：P" in found.text("zh")


def test_a_recipe_on_a_line_that_is_not_there_is_held_back() -> None:
    """Its hours would have no end. One that has ended, or is still to come, holds nothing back."""
    assert held_of(lines=[]) == {"P"}
    found = held_findings(state_with(lines=[]), held_back(state_with(lines=[]), STARTS))
    assert "RP" in found[0].text("en") and "line L" in found[0].text("en")
    gone = TABLES["recipes"] + [{"recipe": "R0", "product": "Q", "line": "M", "valid_to": MONDAY}]
    later = [*gone, {"recipe": "R1", "product": "Q", "line": "M", "valid_from": date(2024, 2, 1)}]
    assert held_of(recipes=later) == set()


def test_a_circle_of_rows_that_came_at_two_times_holds_its_products_back() -> None:
    recipes = [*TABLES["recipes"], {"recipe": "RC", "product": "C"}]
    bills = [*TABLES["components"], {"product": "C", "component": "P", "units_per_unit": 1.0}]
    state = state_with(recipes=recipes, components=bills)
    held = held_back(state, STARTS)
    assert set(held.reasons) == {"C", "P"}
    facts = chain_facts(state, STARTS, nothing_learnt())  # no circle is left in it
    assert {w.name for w in facts.ways if w.held} == {"RP", "RC", "OC"}
    ended = [bills[0], bills[1] | {"valid_to": MONDAY}]
    assert held_of(recipes=recipes, components=ended) == set()


def test_with_lanes_what_is_there_is_still_moved() -> None:
    state = chain(
        2,
        refused=[refused("recipes", recipe="R2", product="P", yield_share="2")],
        **TABLES | {"lines": [{"line": "L", "site": "F", "hours_per_week": 40.0}]},
        sites=[{"site": "F"}, {"site": "W"}],
        lanes=[{"lane": "F-W", "from_site": "F", "to_site": "W"}],
    )
    facts = chain_facts(state, STARTS, nothing_learnt())
    held = {w.name for w in facts.ways if facts.product_of(w.product) == "P" and w.held}
    assert held == {"RP"}
    assert {w.name for w in facts.ways if facts.product_of(w.product) == "P"} > held
