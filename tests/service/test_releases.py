"""Giving orders out, as planned or as changed by hand: what is sent says what was decided."""

from datetime import timedelta
from pathlib import Path

import pytest

from datong.app.exchange_one_way import file_drop, released_messages
from datong.app.service.grids import Wanted
from datong.app.service.order_edit_rules import Change
from datong.app.service.order_edits import edit
from datong.app.service.orders_shown import order, orders
from datong.app.service.releases import release, to_release
from datong.app.service.roles_and_permissions import NotAllowed, Who
from datong.app.service.served_chain import Served
from datong.model.errors import NotFound, Refused

ANN = Who(1, "ann", "Ann", ("planner",))
ANALYST = Who(3, "eve", "Eve", ("analyst",))


@pytest.fixture
def planned(served: Served) -> Served:
    served.chain_thread.write("test", lambda chain: chain.run())
    return served


def test_all_that_is_due_is_given_out_and_nothing_else(planned: Served) -> None:
    due = to_release(planned, ANN)["order"].to_pylist()
    later = [r["order"] for r in orders(planned, ANN, Wanted()).rows.to_pylist() if r["order"] not in due]
    given = release(planned, ANN)
    assert sorted(given.orders) == sorted(due) and due and later
    assert sum(given.counterparties.values()) == len(due)
    assert to_release(planned, ANN).num_rows == 0
    assert order(planned, ANN, later[0]).row["state"] == "proposed"
    assert order(planned, ANN, due[0]).history[-1].text["en"].startswith(("Given out", "released"))


def test_an_edited_order_is_sent_with_its_own_units_and_days_and_the_rest_as_planned(
    planned: Served, tmp_path: Path
) -> None:
    row = next(r for r in to_release(planned, ANN).to_pylist() if r["line"] == "A")
    other = next(r for r in to_release(planned, ANN).to_pylist() if r["order"] != row["order"])
    change = Change(row["order"], units=20.0, start=row["start"] + timedelta(days=1), split=(10.0,))
    edit(planned, ANN, change, order(planned, ANN, row["order"]).version)
    part = f"{row['order']}.1"
    assert sorted(release(planned, ANN, [row["order"], part, other["order"]]).orders) == sorted(
        [row["order"], part, other["order"]]
    )
    (messages,) = planned.chain_thread.read(released_messages).values()
    sent = {m.order.order: m for m in messages}
    start, due = row["start"] + timedelta(days=1), row["due"] + timedelta(days=1)
    assert {o: (m.order.units, m.order.start, m.order.due) for o, m in sent.items()} == {
        row["order"]: (20.0, start, due),
        part: (10.0, start, due),
        other["order"]: (other["units"], other["start"], other["due"]),
    }
    assert {m.counterparty for o, m in sent.items() if o != other["order"]} == {row["counterparty"]}
    assert sent[row["order"]].key != sent[part].key
    assert sent[row["order"]].order.causes == () and sent[other["order"]].order.causes
    drop = planned.chain_thread.read(lambda chain: file_drop(chain, tmp_path / "drop", "en"))
    drop.deliver(messages, row["run"])
    told = "".join(f.read_text(encoding="utf-8-sig") for f in (tmp_path / "drop").rglob("*.csv"))
    assert f"{part}" in told


def test_a_plan_after_it_counts_on_what_was_given_out(planned: Served) -> None:
    row = next(r for r in to_release(planned, ANN).to_pylist() if r["line"] == "A")
    edit(planned, ANN, Change(row["order"], units=20.0), order(planned, ANN, row["order"]).version)
    release(planned, ANN, [row["order"]])
    run = planned.chain_thread.write("ann", lambda chain: chain.run())
    assert {k["order"]: (k["state"], k["to_come_units"]) for k in run.tables["kept"].to_pylist()} == {
        row["order"]: ("released", 20.0)
    }


def test_what_is_out_not_due_unknown_or_not_allowed_is_refused_and_nothing_goes_out(planned: Served) -> None:
    due = to_release(planned, ANN)["order"].to_pylist()
    later = next(r["order"] for r in orders(planned, ANN, Wanted()).rows.to_pylist() if r["order"] not in due)
    for wrong, error in ((later, Refused), ("nothing", NotFound)):
        with pytest.raises(error):
            release(planned, ANN, [due[0], wrong])
    with pytest.raises(NotAllowed):
        release(planned, ANALYST, due)
    assert to_release(planned, ANN).num_rows == len(due)
    release(planned, ANN, [due[0]])
    with pytest.raises(Refused):
        release(planned, ANN, [due[0]])
