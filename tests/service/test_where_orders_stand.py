"""Where orders stand is worked out anew only for those of which a row changed, and says the same as if all were."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datong.app.chain import Chain
from datong.app.service import table_of_orders
from datong.app.service import where_orders_stand as subject
from datong.app.service.grids import Filter, Wanted
from datong.app.service.order_edit_rules import Change
from datong.app.service.order_edits import edit, undo
from datong.app.service.orders_shown import everything, order, orders
from datong.app.service.roles_and_permissions import Who
from datong.app.service.served_chain import Served
from datong.ledger.order_life import OrderEvent, order_events_rows
from datong.ledger.standings import READ_FOR_STANDINGS

ANN = Who(1, "ann", "Ann", ("planner",))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Of how many orders it was worked out, each time."""
    counts: list[int] = []
    whole = subject.stands_of

    def counted(state: Any) -> pa.Table:
        counts.append(state.table("orders").num_rows)
        return whole(state)

    monkeypatch.setattr(subject, "stands_of", counted)
    return counts


def is_as_if_all_were(served: Served) -> bool:
    everything(served)

    def both(chain: Chain) -> tuple[pa.Table, pa.Table]:
        state = chain.state(names=READ_FOR_STANDINGS)
        return table_of_orders._BEFORE[chain.ledger].stands.rows, subject.stands_of(state)

    told, whole = served.chain_thread.read(both)
    return told.equals(whole)


def said(served: Served, name: str, state: Any, good: float | None = None) -> None:
    def write(chain: Chain) -> None:
        moment = chain.clock()
        event = OrderEvent(name, state, moment, good, counterparty="works")
        rows = order_events_rows([event])
        rows = rows.append_column("known_at", pa.array([moment], pa.timestamp("us", tz="UTC")))
        chain.ledger.ingest("order_events", rows, None, (), "test", moment, by="test")

    served.chain_thread.write("test", write)


def test_it_says_the_same_as_if_all_were_worked_out_after_each_kind_of_change(shop: Served, asked: list[int]) -> None:
    names = [row["order"] for row in orders(shop, ANN, Wanted((Filter("origin", "is", "plan"),))).rows.to_pylist()]
    assert len(names) >= 3
    edit(shop, ANN, Change(names[0]), order(shop, ANN, names[0]).version)
    assert is_as_if_all_were(shop)
    edit(shop, ANN, Change(names[1]), order(shop, ANN, names[1]).version)
    assert is_as_if_all_were(shop)
    undo(shop, ANN, names[0])
    assert is_as_if_all_were(shop)
    said(shop, names[1], "released")
    assert is_as_if_all_were(shop)
    said(shop, names[1], "partly_done", 1.0)
    assert is_as_if_all_were(shop)
    found = order(shop, ANN, names[1]).row
    assert (found["state"], found["good_units"], found["counterparty"]) == ("partly_done", 1.0, "works")


def test_an_edit_asks_for_its_own_order_alone(shop: Served, asked: list[int]) -> None:
    names = [row["order"] for row in orders(shop, ANN, Wanted((Filter("origin", "is", "plan"),))).rows.to_pylist()]
    for name in names[:4]:
        edit(shop, ANN, Change(name), order(shop, ANN, name).version)
    everything(shop)
    assert max(asked) <= 1 and len(asked) >= 4


def test_rows_that_came_went_or_changed_are_found_by_content() -> None:
    old = pa.table({"row_id": ["a", "b", "c"], "order": ["A", "B", "C"], "units": [1.0, None, 3.0]})
    new = pa.table({"row_id": ["a", "b", "d"], "order": ["A", "B", "D"], "units": [2.0, None, 3.0]})
    found = [subject._unlike(*pair).to_pylist() for pair in ((old, new), (new, old))]
    assert found == [["A", "C"], ["A", "D"]]


IDS = st.dictionaries(st.sampled_from([f"{i:02}" for i in range(24)]), st.sampled_from([None, 1.0, 2.0]), max_size=24)


@given(IDS, IDS, st.sampled_from([1, 64]))
def test_changes_are_found_by_halves_as_by_comparing_each(old, new, few) -> None:
    tables = [
        pa.table(
            {
                "row_id": pa.array(sorted(ids), pa.string()),
                "order": pa.array([f"O{name}" for name in sorted(ids)], pa.string()),
                "units": pa.array([ids[name] for name in sorted(ids)], pa.float64()),
            }
        )
        for ids in (old, new)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subject, "_FEW", few)
        found = subject._unlike(*tables).to_pylist()
        every = subject.changed_orders(*(dict.fromkeys(subject.READ_FOR_STANDINGS, t) for t in tables))
    assert found == [f"O{name}" for name in sorted(old) if name not in new or old[name] != new[name]]
    changed = {f"O{name}" for name in {*old, *new} if (name in old, old.get(name)) != (name in new, new.get(name))}
    assert every is not None and set(every.to_pylist()) == changed
