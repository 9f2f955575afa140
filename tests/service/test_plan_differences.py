"""Two kept plans held against one another."""

import pytest

from datong.app.service.grids import Filter, Wanted
from datong.app.service.order_edit_rules import Change
from datong.app.service.order_edits import edit
from datong.app.service.orders_shown import everything, order, orders
from datong.app.service.plan_differences import difference, runs
from datong.app.service.releases import release, to_release
from datong.app.service.roles_and_permissions import NotAllowed, Who
from datong.app.service.served_chain import Served
from datong.model.errors import NotFound
from served_mill import Clock

ANN = Who(1, "ann", "Ann", ("planner",))


def test_what_a_hand_edit_did_to_the_plan(served: Served) -> None:
    first = served.chain_thread.write("ann", lambda chain: chain.run()).run
    name = orders(served, ANN, Wanted((Filter("line", "is", "A"),))).rows["order"][0].as_py()
    edit(served, ANN, Change(name, units=20.0), order(served, ANN, name).version)
    second = served.chain_thread.write("ann", lambda chain: chain.run()).run
    assert [one.run for one in runs(served, ANN)] == [second, first]
    found = difference(served, ANN, first, second)
    tables = [served.chain_thread.read(lambda chain, run=run: chain.kept_run(run)).tables for run in (first, second)]
    assert sum(found.counts.values()) - found.counts.get("same", 0) == found.orders.num_rows > 0
    costs = [t["certificate"]["total_cost"][0].as_py() for t in tables]
    assert found.cost == (costs[0], costs[1] + 20 * 10.0)  # the second counts on 20 units at 10 as they are
    units = [sum(o["units"] for o in t["orders"].to_pylist() if o["product"] == "P") for t in tables]
    assert units[0] - units[1] == 20.0
    assert difference(served, ANN, first, first).orders.num_rows == 0


def test_what_was_given_out_since_is_no_order_that_the_later_plan_lacks(served: Served) -> None:
    """One goes out as it was proposed, another with other units: both stand beside their orders of plan A, and what
    they cost is part of plan B. Seen from plan B the same."""
    first = served.chain_thread.write("ann", lambda chain: chain.run()).run
    due = to_release(served, ANN)["order"].to_pylist()
    edited = next(name for name in due if name.startswith("W"))
    edit(served, ANN, Change(edited, units=20.0), order(served, ANN, edited).version)
    release(served, ANN)
    second = served.chain_thread.write("ann", lambda chain: chain.run()).run
    found, mirrored = difference(served, ANN, first, second), difference(served, ANN, second, first)
    given = {r["order_a"]: r for r in found.orders.to_pylist() if r["change"] == "given_out"}
    assert set(given) == set(due) and all(r["order_b"] == name for name, r in given.items())
    assert given[edited]["units_a"] != given[edited]["units_b"] == 20.0
    assert mirrored.cost == found.cost[::-1]
    assert sorted((r["order_b"], r["units_a"]) for r in mirrored.orders.to_pylist() if r["order_b"] in given) == sorted(
        (name, r["units_b"]) for name, r in given.items()
    )
    runs_cost = [
        served.chain_thread.read(lambda chain, run=run: chain.kept_run(run))
        .tables["certificate"]["total_cost"][0]
        .as_py()
        for run in (first, second)
    ]
    assert found.cost[0] == runs_cost[0]
    assert found.cost[1] == pytest.approx(runs_cost[1] + sum(r["cost_b"] for r in given.values()))


def test_a_plan_is_named_by_when_it_was_worked_out(served: Served, clock: Clock) -> None:
    """On the world's clock: that of a chain of declared history stands still, whatever came in meanwhile."""
    served.chain_thread.write("ann", lambda chain: chain.run())
    first = clock.moment
    clock.later(minutes=10)
    name = orders(served, ANN, Wanted((Filter("line", "is", "A"),))).rows["order"][0].as_py()
    edit(served, ANN, Change(name, units=20.0), order(served, ANN, name).version)
    clock.later(minutes=10)
    served.chain_thread.write("ann", lambda chain: chain.run())
    assert [one.made_at for one in runs(served, ANN)] == [clock.moment, first]
    assert everything(served).plan.made_at == clock.moment
    again = served.chain_thread.read(lambda chain: chain.ledger.runs()["run"].to_pylist())
    clock.later(minutes=10)
    served.chain_thread.write("ann", lambda chain: chain.run())  # the same plan, worked out again
    assert served.chain_thread.read(lambda chain: chain.ledger.runs()["run"].to_pylist()) == again
    assert everything(served).plan.made_at == clock.moment


def test_unknown_runs_and_who_may_not(served: Served) -> None:
    served.chain_thread.write("ann", lambda chain: chain.run())
    (one,) = runs(served, ANN)
    with pytest.raises(NotFound):
        difference(served, ANN, one.run, "R1")
    with pytest.raises(NotAllowed):
        runs(served, Who(2, "fa", "Fa", ("factory",), "F1"))
