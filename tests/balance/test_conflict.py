"""Locked orders that cannot run, told in the fewest rules."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from scipy.optimize import linprog

import datong
from datong.app.cli.main import main
from datong.balance.conflict import conflicts, refuse_conflicts, rules_of, smallest_conflict
from datong.ledger.state import state_of_tables
from datong.model.errors import NoPlan
from datong.model.flow import nothing_learnt
from datong.model.settings import ChainSettings
from datong.model.words import LANGUAGES
from datong.network.facts import chain_facts, located
from datong.network.position import position

MONDAY = date(2026, 11, 30)
WEEK = timedelta(days=7)
NOW = datetime(2026, 11, 30, tzinfo=UTC)


def chain(horizon=4, as_of=NOW, settings=None, **tables):
    given = {name: pa.Table.from_pylist(rows) for name, rows in tables.items() if rows}
    return state_of_tables(ChainSettings("test", horizon_buckets=horizon, **(settings or {})), as_of, given)


def locked(order, units, start=MONDAY, due=None, **others):
    plain = {"kind": "make", "product": "A", "recipe": "A/1", "line": None, "lane": None, "run": None, "locked": True}
    return {"order": order, "units": units, "start": start, "due": due or start, **plain, **others}


def press(*orders, hours=10.0, **tables):
    """A on line A3, 10 hours a week, an hour a unit."""
    recipe = {"recipe": "A/1", "product": "A", "line": "A3", "hours_per_unit": 1.0, "cost_per_unit": 1.0}
    plain = {
        "products": [{"product": "A", "kind": "finished"}],
        "lines": [{"line": "A3", "hours_per_week": hours}],
        "recipes": [recipe],
        "orders": list(orders),
    }
    return plain | tables


def found(state):
    return conflicts(state, nothing_learnt())


def text(conflict, language="en"):
    return conflict.found.found.text(language)


def test_an_order_that_names_a_line_beside_its_own_needs_both():
    """10 hours of A3 and 5 of the operator a week: 14 units need too many of either, whichever of them is named."""
    lines = [{"line": line, "hours_per_week": hours} for line, hours in (("A3", 10.0), ("O", 5.0))]
    held = [{"recipe": "A/1", "line": "O", "share": 0.5}]
    for named in (None, "O"):
        state = chain(**press(locked("O-12", 14.0, line=named), lines=lines, recipe_lines=held))
        facts = chain_facts(state, (MONDAY,), nothing_learnt())
        fixed = located(facts, position(state)).under_way
        rules = rules_of(facts, fixed, (MONDAY,), state.settings.calendar)
        need = {rule.name: cells.tolist() for rule, cells in zip(rules.rules, rules.matrix.toarray(), strict=True)}
        assert (need["A3"], need["O"]) == ([1.0], [0.5])


def test_an_order_that_alone_needs_more_hours_than_there_are():
    """14 hours in a week of 10."""
    (conflict,) = found(chain(**press(locked("O-12", 14.0), locked("O-13", 4.0, start=MONDAY + WEEK))))
    assert text(conflict) == (
        "locked order O-12 (14 of A) needs 14 h of line A3 in the week of 2026-11-30; "
        "line A3 has 10 h in the week of 2026-11-30"
    )
    assert conflict.rows == (("orders", "O-12"), ("lines", "A3"))
    assert "O-12" in conflict.found.remedy.text()
    assert "产线 A3" in text(conflict, "zh")


@pytest.mark.parametrize(("overtime", "is_refused"), [(4.0, False), (3.0, True)])
def test_a_locked_order_may_take_overtime(overtime: float, is_refused: bool) -> None:
    """14 hours in a week of 10, and 4 of overtime, or 3."""
    span = {"line": "A3", "from": MONDAY, "to": MONDAY + WEEK, "hours": 10.0}
    span |= {"overtime_hours": overtime, "overtime_cost_per_hour": 5.0}
    told = found(chain(**press(locked("O-12", 14.0), line_calendar=[span])))
    assert bool(told) == is_refused
    if told:
        assert "line A3 has 13 h" in text(told[0])


def test_two_orders_that_want_the_same_hours_are_named_and_a_third_that_is_not_to_blame_is_not():
    """8 and 6 hours of 10; 1 more in that week makes no difference, but either of the two could stay with it."""
    (conflict,) = found(chain(**press(locked("O-1", 8.0), locked("O-2", 6.0), locked("O-3", 1.0))))
    assert conflict.rows == (("orders", "O-1"), ("orders", "O-2"), ("lines", "A3"))
    assert "O-3" not in text(conflict)


def test_hours_may_be_worked_until_the_day_on_which_the_order_is_due():
    """14 hours from Monday until two weeks later: 10 and 4. Due on the next Monday, there are the one week and the 2
    hours of that day."""
    assert found(chain(**press(locked("O-1", 14.0, due=MONDAY + 2 * WEEK)))) == ()
    (conflict,) = found(chain(**press(locked("O-1", 14.0, due=MONDAY + WEEK))))
    assert "14 h" in text(conflict)
    assert found(chain(**press(locked("O-1", 12.0, due=MONDAY + WEEK)))) == ()
    (conflict,) = found(chain(**press(locked("O-1", 24.0, due=MONDAY + 2 * WEEK))))
    assert "from the week of 2026-11-30 to the week of 2026-12-14" in text(conflict)
    assert len(conflict.rules) == 3


def test_a_component_that_cannot_be_there_by_then_puts_the_order_off_and_is_no_contradiction():
    """20 A need 40 Q at once; 25 are in stock, and what is bought takes two weeks (see test_committed.py)."""
    parts = {
        "products": [{"product": "A", "kind": "finished"}, {"product": "Q", "kind": "material"}],
        "components": [{"product": "A", "component": "Q", "units_per_unit": 2.0}],
        "offers": [{"offer": "Q/S", "product": "Q", "price": 1.0, "lead_days": 14.0}],
        "stock": [{"happened_at": datetime(2026, 11, 29, tzinfo=UTC), "product": "Q", "units": 25.0}],
    }
    assert found(chain(**press(locked("O-12", 20.0), hours=100.0, **parts))) == ()


def test_a_locked_transfer_on_a_lane_that_takes_less():
    tables = press(locked("T-1", 8.0, kind="move", recipe=None, lane="F-S"), hours=0.0)
    tables["sites"] = [{"site": "F"}, {"site": "S"}]
    tables["lines"][0]["site"] = "F"
    tables["demand"] = [{"demand": "D", "product": "A", "market": "S", "due": MONDAY, "units": 1.0}]
    tables["stock"] = [
        {"happened_at": datetime(2026, 11, 29, tzinfo=UTC), "product": "A", "site": "F", "units": 9.0},
        {"happened_at": datetime(2026, 11, 29, tzinfo=UTC), "product": "A", "site": "S", "units": 9.0},
    ]
    tables["lanes"] = [{"lane": "F-S", "from_site": "F", "to_site": "S", "units_per_week": 20.0}]
    assert found(chain(**tables)) == ()
    tables["lanes"][0]["units_per_week"] = 7.0
    (conflict,) = found(chain(**tables))
    assert "lane F-S takes 7" in text(conflict)
    assert conflict.rows == (("orders", "T-1"), ("lanes", "F-S"))


def test_a_recipe_that_is_not_valid_on_the_day():
    tables = press(locked("O-1", 1.0, start=MONDAY + WEEK))
    tables["recipes"][0]["valid_to"] = MONDAY + WEEK
    (conflict,) = found(chain(**tables))
    assert "A/1 is not valid" in text(conflict)
    assert conflict.rows == (("orders", "O-1"), ("recipes", "A/1"))


def test_each_contradiction_is_told_once():
    """O-1 and O-2 want 12 of 10 hours; O-3 alone wants 30 in the week after."""
    orders = [locked("O-1", 6.0), locked("O-2", 6.0), locked("O-3", 30.0, start=MONDAY + WEEK)]
    told = found(chain(**press(*orders)))
    assert sorted(tuple(key for table, key in c.rows if table == "orders") for c in told) == [("O-1", "O-2"), ("O-3",)]
    with pytest.raises(NoPlan) as error:
        refuse_conflicts(chain(**press(*orders)), nothing_learnt())
    assert len(error.value.findings) == 2
    for language in LANGUAGES:
        assert "2" in error.value.message.text(language)
        assert all(f.text(language) for f in error.value.findings)


@pytest.mark.parametrize(
    "order",
    [
        locked("O-1", 99.0, locked=False),  # given out, and may be moved
        locked("O-1", 99.0, run="20261123-1"),  # what a run proposed and gave out
        locked("O-1", 99.0, start=MONDAY - WEEK),  # it should have begun: the records may be late
        locked("O-1", 99.0, start=MONDAY + 3 * WEEK, due=MONDAY + 9 * WEEK),  # most of it lies beyond the horizon
        locked("O-1", 99.0, recipe=None, product="B"),  # nobody knows what it needs
    ],
)
def test_what_no_planner_fixed_or_nobody_can_tell_is_no_contradiction(order):
    assert found(chain(**press(order))) == ()


def test_an_order_without_a_recipe_has_the_only_one_of_its_product():
    (conflict,) = found(chain(**press(locked("O-1", 14.0, recipe=None))))
    assert "14 h of line A3" in text(conflict)


def test_an_order_that_has_begun_is_no_contradiction():
    event = {"order_event": "E", "order": "O-1", "state": "started", "happened_at": NOW}
    assert found(chain(**press(locked("O-1", 99.0), order_events=[event]))) == ()


def random_state(seed):
    """Some locked orders of two products on two lines, in 2-4 weeks."""
    random = np.random.default_rng(seed)
    weeks = int(random.integers(2, 5))
    recipes = [
        {
            "recipe": f"{p}/{line}",
            "product": p,
            "line": line,
            "hours_per_unit": hours,
            "cost_per_unit": 1.0,
            "lead_days": lead,
        }
        for p, line, hours, lead in (
            ("A", "L1", 1.0, 0.0),
            ("A", "L2", 0.75, 0.0),
            ("B", "L2", 0.5, 7.0),
        )
    ]
    orders = []
    for i in range(int(random.integers(2, 7))):
        product, recipe = (("A", "A/L1"), ("A", "A/L2"), ("B", "B/L2"))[int(random.integers(3))]
        start = MONDAY + int(random.integers(weeks)) * WEEK
        due = min(start + int(random.integers(0, 3)) * WEEK, MONDAY + weeks * WEEK)
        units = float(random.integers(1, 16))
        orders.append(locked(f"O-{i}", units, start, due, product=product, recipe=recipe))
    return chain(
        horizon=weeks,
        products=[{"product": p} for p in "AB"],
        lines=[{"line": line, "hours_per_week": float(random.integers(4, 16))} for line in ("L1", "L2")],
        recipes=recipes,
        orders=orders,
    )


def can_hold(rules, kept):
    """With another solver, one row at a time."""
    rows, right = [], []
    dense = rules.matrix.toarray()
    for i in kept:
        if np.isfinite(rules.upper[i]):
            rows.append(dense[i])
            right.append(rules.upper[i])
        if np.isfinite(rules.lower[i]):
            rows.append(-dense[i])
            right.append(-rules.lower[i])
    if not rows:
        return True
    bounds = [(0, None if np.isinf(m) else m) for m in rules.most]
    return linprog(np.zeros(len(bounds)), A_ub=np.array(rows), b_ub=right, bounds=bounds, method="highs-ds").status == 0


def test_a_conflict_is_one_and_without_any_of_its_rules_it_is_none():
    conflicting, largest = 0, 0
    for seed in range(80):
        state = random_state(seed)
        where, calendar = position(state), state.settings.calendar
        starts = calendar.starts(MONDAY, state.settings.horizon_buckets)
        facts = chain_facts(state, starts, nothing_learnt())
        where = located(facts, where)
        rules = rules_of(facts, [o for o in where.under_way if o.fixed], starts, calendar)
        every = np.arange(len(rules.rules))
        conflict = smallest_conflict(rules, np.ones(len(every), dtype=bool))
        assert (conflict is None) == can_hold(rules, every), seed
        if conflict is None:
            assert found(state) == (), seed
            continue
        conflicting, largest = conflicting + 1, max(largest, len(conflict))
        assert not can_hold(rules, conflict), seed
        for rule in conflict:
            assert can_hold(rules, [r for r in conflict if r != rule]), (seed, rules.rules[rule])
        told = found(state)
        blamed = {key for c in told for table, key in c.rows if table == "orders"}
        rest = [i for i, r in enumerate(rules.rules) if r.kind != "order" or r.name not in blamed]
        assert can_hold(rules, rest), seed
    assert 30 < conflicting < 140
    assert largest >= 5


def test_a_run_ends_with_the_explanation(tmp_path, capsys):
    folder = tmp_path / "chain"
    folder.mkdir()
    (folder / "chain.toml").write_text('name = "t"\nstart = 2026-11-30\nhorizon_buckets = 3\n', encoding="utf-8")
    for name, rows in {
        "products": "product,price\nA,10\n",
        "lines": "line,hours_per_week\nA3,10\n",
        "recipes": "recipe,product,line,hours_per_unit,cost_per_unit\nA/1,A,A3,1,1\n",
        "demand": "demand,product,due,units\nD,A,2026-12-07,3\n",
        "orders": "order,product,recipe,units,start,due,locked\nO-12,A,A/1,14,2026-11-30,2026-12-07,true\n",
    }.items():
        (folder / f"{name}.csv").write_text(rows, encoding="utf-8")
    assert main(["run", str(folder)]) == 1
    said = capsys.readouterr()
    assert "locked order O-12 (14 of A) needs 14 h of line A3" in said.out + said.err
    assert "Traceback" not in said.out + said.err
    with datong.open(folder) as opened, pytest.raises(NoPlan, match="O-12"):
        opened.run()
