"""Two kept plans held against one another."""

import pytest

from datong.app.service.grids import Filter, Wanted
from datong.app.service.order_edit_rules import Change
from datong.app.service.order_edits import edit
from datong.app.service.orders_shown import everything, order, orders
from datong.app.service.plan_differences import difference, runs
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
    assert found.cost == tuple(t["certificate"]["total_cost"][0].as_py() for t in tables)
    units = [sum(o["units"] for o in t["orders"].to_pylist() if o["product"] == "P") for t in tables]
    assert units[0] - units[1] == 20.0
    assert difference(served, ANN, first, first).orders.num_rows == 0


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
