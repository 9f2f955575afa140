"""Several lines, tools or operators held at once (`recipe_lines`), worked out by hand."""

from datetime import timedelta

import numpy as np
import pytest

from datong.balance.solvers import balance
from datong.model.errors import Refused
from datong.model.flow import nothing_learnt
from datong.network.committed import committed
from datong.network.facts import chain_facts
from datong.network.position import position
from planning import decided, plan
from small_chain import MONDAY, chain, demand, press

WEEK = timedelta(days=7)


def minded(hours=4.0, recipe_lines=None, **recipe):
    """The press, 10 hours a week, of which an operator minds two at a time: half an hour a unit, 4 hours a week."""
    tables = press(**recipe)
    tables["lines"].append({"line": "O", "hours_per_week": hours})
    return tables | {"recipe_lines": recipe_lines or [{"recipe": "A/L", "line": "O", "share": 0.5}]}


def of_line(table, line, column):
    return [row[column] for row in table.to_pylist() if row.get("name", row.get("line")) == line]


def test_each_line_is_a_limit():
    """10 and 6 are wanted. The line could make 10 in the first week, its operator 8: 2 come a week late. 16 x 2 + 2 x 5
    = 42; an hour more of the operator would have 2 units more on time, and so save 10; one of the line, nothing."""
    state = chain(2, **minded())
    clearing = balance(state, demand(state, A=[[10.0, 6.0]]), nothing_learnt())
    assert clearing.total_cost == pytest.approx(42.0)
    assert clearing.lower_bound == pytest.approx(42.0)
    assert clearing.quantities["units"].to_pylist() == pytest.approx([8.0, 8.0])
    assert of_line(clearing.prices, "O", "price") == pytest.approx([10.0, 0.0])
    assert of_line(clearing.prices, "L", "price") == pytest.approx([0.0, 0.0])
    assert of_line(clearing.hours, "O", "run_hours") == pytest.approx([4.0, 4.0])
    assert of_line(clearing.hours, "L", "run_hours") == pytest.approx([8.0, 8.0])


def test_the_reason_says_which_line_is_full():
    state = chain(2, **minded())
    late = plan(state, demand(state, A=[[10.0, 6.0]])).orders[1]
    told = [cause.text.text("en") for cause in late.causes]
    assert any("line O" in text for text in told)
    assert not any("line L is full" in text for text in told)
    gaps = decided(state, demand(state, A=[[10.0, 6.0]])).given_out.tables(demand(state, A=[[10.0, 6.0]])).gaps
    assert [row["binding"] for row in gaps.to_pylist() if row["late_units"] > 0] == ["O"]


@pytest.mark.parametrize("setup", [None, 1.5])
def test_a_set_up_takes_hours_of_all(setup):
    """An order takes 2 hours of the line to set up, and as many of the operator, or 1.5 where its row says so; 3 hours
    of the operator are left for 2 or 3 units of half an hour, as 1 or 1.5 hours are left after the set-up."""
    row = {"recipe": "A/L", "line": "O", "hours_per_unit": 0.5, "setup_hours": setup}
    state = chain(1, **minded(3.0, [row], setup_hours=2.0))
    (order,) = plan(state, demand(state, A=[[10.0]])).orders
    assert order.units == (2.0 if setup is None else 3.0)
    found = decided(state, demand(state, A=[[10.0]])).given_out
    assert found.outcome.hours_used[:, 0].tolist() == ([4.0, 3.0] if setup is None else [5.0, 3.0])


def test_a_set_up_of_a_tool_alone_counts_too():
    """A recipe without a set-up of its own, whose tool takes 3 of its 4 hours to change: 1 hour is left for 2 units."""
    row = {"recipe": "A/L", "line": "O", "hours_per_unit": 0.5, "setup_hours": 3.0}
    state = chain(1, **minded(4.0, [row]))
    (order,) = plan(state, demand(state, A=[[10.0]])).orders
    assert order.units == 2.0


def test_a_recipe_without_a_line_works_on_those_of_its_rows():
    state = chain(1, **minded(4.0, [{"recipe": "A/L", "line": "O", "hours_per_unit": 1.0}], line=None))
    clearing = balance(state, demand(state, A=[[10.0]]), nothing_learnt())
    assert clearing.quantities["units"].to_pylist() == pytest.approx([4.0])


def test_a_row_of_the_recipes_own_line_says_its_hours():
    state = chain(1, **minded(4.0, [{"recipe": "A/L", "line": "L", "hours_per_unit": 5.0}]))
    clearing = balance(state, demand(state, A=[[10.0]]), nothing_learnt())
    assert clearing.quantities["units"].to_pylist() == pytest.approx([2.0])


def test_a_row_holds_from_its_day_on():
    """The operator is needed from the second week on: 10 in the first, 8 in the second."""
    row = {"recipe": "A/L", "line": "O", "share": 0.5, "valid_from": MONDAY + WEEK}
    state = chain(2, **minded(recipe_lines=[row]))
    clearing = balance(state, demand(state, A=[[10.0, 10.0]]), nothing_learnt())
    assert sorted(clearing.quantities["units"].to_pylist()) == pytest.approx([8.0, 10.0])


@pytest.mark.parametrize("named", [None, "L", "O"])
def test_an_order_that_is_out_holds_both(named):
    """12 units of an order that was given out take 12 hours of the line and 6 of the operator: 8 in the first week, for
    which it has hours, and 4 in the second; also where it names the operator for its line."""
    order = {"order": "W1", "kind": "make", "product": "A", "recipe": "A/L", "units": 12.0, "locked": True}
    order |= {"line": named}
    state = chain(2, **minded(), orders=[order | {"start": MONDAY, "due": MONDAY + 2 * WEEK}])
    starts = state.settings.calendar.starts(MONDAY, 2)
    facts = chain_facts(state, starts, nothing_learnt())
    found = committed(facts, position(state), starts, state.settings.calendar, 0)
    assert found.hours["O"].tolist() == [4.0, 2.0]
    assert found.hours["L"].tolist() == [8.0, 4.0]


def test_two_products_share_an_operator():
    """A on L and B on M, 10 hours each, both minded by O with 10 hours: 10 units in all; B, which costs 1 less to make,
    is worth more. B 10 at 1, A lost 10 at 100."""
    tables = minded(10.0, [{"recipe": r, "line": "O"} for r in ("A/L", "B/M")])
    tables["products"].append({"product": "B", "price": 100.0})
    tables["lines"].append({"line": "M", "hours_per_week": 10.0})
    of_b = {"recipe": "B/M", "product": "B", "line": "M", "cost_per_unit": 1.0}
    tables["recipes"].append(tables["recipes"][0] | of_b)
    tables["demand"].append(tables["demand"][0] | {"demand": "E", "product": "B"})
    tables["economics"].append(tables["economics"][0] | {"product": "B"})
    state = chain(1, **tables)
    clearing = balance(state, demand(state, A=[[10.0]], B=[[10.0]]), nothing_learnt())
    assert clearing.total_cost == pytest.approx(10 * 1 + 10 * 100)
    assert clearing.lower_bound == pytest.approx(clearing.total_cost)


def test_the_search_of_prices_refuses_it_in_words():
    state = chain(1, **minded())
    with pytest.raises(Refused, match="several lines at once"):
        balance(state, demand(state, A=[[1.0]]), nothing_learnt(), door="prices")


def test_a_lot_works_over_as_many_buckets_as_its_scarcest_line_needs():
    """A lot of 20 takes 20 hours of the line, 2 weeks, and 30 of an operator who has 10 a week: 3 weeks."""
    row = {"recipe": "A/L", "line": "O", "hours_per_unit": 1.5}
    state = chain(4, **minded(10.0, [row], min_lot_units=20.0))
    found = decided(state, demand(state, A=[[0.0, 0.0, 20.0, 0.0]])).given_out
    assert found.solution.started.sum(axis=0).tolist() == [20.0, 0.0, 0.0, 0.0]
    np.testing.assert_allclose(found.outcome.hours_used, [[20 / 3] * 3 + [0.0], [10.0] * 3 + [0.0]])
