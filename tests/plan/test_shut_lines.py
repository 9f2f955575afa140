"""Nothing is begun on a line that is shut, also where it takes no hours of it."""

from datetime import timedelta

import pytest

from planning import decided
from small_chain import MONDAY, chain, demand

WEEK = timedelta(days=7)


def made(line, calendar=(), beside=False):
    """Week -> units of A started, of 10 wanted in week 1 of 6: a week's lead time, no hours."""
    lines = [{"line": "L", "hours_per_week": 40.0} | line]
    lines += [{"line": "M", "hours_per_week": 40.0}] if beside else []
    held = [{"recipe": "A", "line": "L", "share": 0.0}] if beside else []
    state = chain(
        6,
        products=[{"product": "A", "price": 100.0}],
        lines=lines,
        recipes=[
            {"recipe": "A", "product": "A", "line": "M" if beside else "L", "lead_days": 7}
            | {"hours_per_unit": 1.0 if beside else 0.0}
        ],
        **({"line_calendar": list(calendar)} if calendar else {}),
        **({"recipe_lines": held} if held else {}),
        demand=[{"demand": "D", "product": "A", "due": MONDAY, "units": 0.0}],
    )
    plan = decided(state, demand(state, A=[[0.0, 10.0, 0.0, 0.0, 0.0, 0.0]]))
    return {(r["start"] - MONDAY).days // 7: r["units"] for r in plan.clearing.quantities.to_pylist()}


def shut(overtime=0.0):
    until = {"to": MONDAY + 3 * WEEK, "overtime_hours": overtime, "overtime_cost_per_hour": 1.0}
    return [{"line": "L", "from": MONDAY, "hours": 0.0} | until]


def test_a_line_that_is_open_is_no_limit():
    assert made({}) == {0: 10.0}


@pytest.mark.parametrize("beside", [False, True])
def test_nothing_begins_before_a_line_opens(beside):
    """The line opens in week 3: begun then, and there in week 4; so where it is held beside another one."""
    assert made({"valid_from": MONDAY + 3 * WEEK}, beside=beside) == {3: 10.0}


def test_nothing_begins_while_a_line_is_shut():
    assert made({}, shut()) == {3: 10.0}


def test_overtime_opens_a_line():
    assert made({}, shut(overtime=8.0)) == {0: 10.0}


def test_a_line_without_hours_makes_nothing():
    assert made({"hours_per_week": 0.0}) == {}
