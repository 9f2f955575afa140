"""The list of all orders: what is proposed, what is out, and where each stands now."""

import pytest

from datong.app.release_orders import release
from datong.app.service.grids import Filter, Wanted
from datong.app.service.orders_shown import everything, evidence, order, orders
from datong.app.service.roles_and_permissions import NotAllowed, Who
from datong.app.service.served_chain import Served
from datong.app.service.table_of_orders import ORDERS_NOW
from datong.model.errors import NotFound

PLANNER = Who(1, "ann", "Ann", ("planner",))
FACTORY = Who(2, "fa", "Fa", ("factory",), "F1")


@pytest.fixture
def planned(served: Served) -> Served:
    served.chain_thread.write("test", lambda chain: chain.run())
    return served


def rows(served: Served, *filters: Filter) -> list[dict[str, object]]:
    return orders(served, PLANNER, Wanted(filters)).rows.to_pylist()


def test_without_a_plan_and_orders_the_list_is_empty(served: Served) -> None:
    assert orders(served, PLANNER, Wanted()).total == 0


def test_every_proposal_stands_there_once_with_its_money_and_who_makes_it(planned: Served) -> None:
    run = planned.chain_thread.read(lambda chain: chain.kept_run())
    found = rows(planned)
    assert [r["order"] for r in found] == sorted(run.tables["orders"]["order"].to_pylist())
    to = dict(zip(*(run.tables["messages"][c].to_pylist() for c in ("order", "counterparty")), strict=True))
    for row in found:
        of_run = next(o for o in run.tables["orders"].to_pylist() if o["order"] == row["order"])
        assert {name: row[name] for name in ("units", "start", "due", "cost", "value")} == {
            name: of_run[name] for name in ("units", "start", "due", "cost", "value")
        }
        assert row["state"] == "proposed" and row["origin"] == "plan" and row["to_come_units"] == row["units"]
        if row["order"] in to:
            assert row["is_due"] and row["counterparty"] == to[row["order"]]
    assert any(row["order"] in to for row in found)


def test_what_is_given_out_is_no_proposal_any_more_and_stands_there_once(planned: Served) -> None:
    before = {r["order"]: r for r in rows(planned)}
    out = planned.chain_thread.write("test", lambda chain: release(chain, [], all_due=True))
    after = {r["order"]: r for r in rows(planned)}
    assert before.keys() == after.keys()
    assert {o for o, r in after.items() if r["origin"] == "out"} == set(out)
    for name in out:
        assert after[name]["state"] == "released"
        assert {n: after[name][n] for n in ("units", "value", "counterparty", "name")} == {
            n: before[name][n] for n in ("units", "value", "counterparty", "name")
        }


def test_an_order_tells_why_and_what_became_of_it(planned: Served) -> None:
    name = str(next(r["order"] for r in rows(planned, Filter("is_due", "is", "true"))))
    why = planned.chain_thread.read(lambda chain: chain.why(name))
    shown = order(planned, PLANNER, name)
    assert [reason.text["en"] for reason in shown.reasons] == why.texts
    assert shown.history == ()
    planned.chain_thread.write("test", lambda chain: release(chain, [name], all_due=False))
    again = order(planned, PLANNER, name)
    assert [(h.by, h.text["zh"]) for h in again.history] == [("", "建议"), ("", "下达给 供应商")]
    assert again.version != shown.version
    with_rows = next(r for r in shown.reasons if r.table)
    table, behind = evidence(planned, PLANNER, name, with_rows.rank)
    assert table == with_rows.table and behind.num_rows


def test_who_may_not_see_the_plan_sees_nothing_and_unknown_orders_are_told(planned: Served) -> None:
    with pytest.raises(NotAllowed):
        orders(planned, FACTORY, Wanted())
    with pytest.raises(NotAllowed):
        order(planned, FACTORY, "W1")
    with pytest.raises(NotFound):
        order(planned, PLANNER, "nothing")


def test_the_schema_is_what_the_list_promises(planned: Served) -> None:
    assert everything(planned).rows.schema == ORDERS_NOW
