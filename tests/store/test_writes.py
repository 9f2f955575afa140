"""Who wrote what and when, in every store; and the snapshot that a state is of."""

import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from datong.ledger.protocol import WHAT, WRITES_SCHEMA, Ledger, RunRecord
from datong.ledger.row_checks import REJECTED_SCHEMA
from datong.ledger.state import Snapshot
from stores import Store

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
BAD = pa.table([[9], ["{}"], ["[]"]], schema=REJECTED_SCHEMA)


def hour(number: int) -> datetime:
    return NOW + timedelta(hours=number)


def products(ledger: Ledger, number: int, by: str, *names: str, rejected: pa.Table | None = None) -> None:
    rows = pa.table({"product": list(names), "__row__": list(range(2, 2 + len(names)))})
    ledger.ingest("products", rows, rejected, (), "products.csv", hour(number), by=by)


def told(ledger: Ledger) -> list[tuple[Any, ...]]:
    return [tuple(row.values())[1:-1] for row in ledger.writes().to_pylist()]


def test_every_write_says_by_whom_what_and_how_many(store: Store) -> None:
    ledger = store.open()
    branches = store.branches(ledger)
    products(ledger, 0, "Ann", "A", "B", rejected=BAD)
    products(ledger, 1, "Bob", "A", "B")  # nothing new: no write
    ledger.withdraw("products", ["products:B"], hour(2), by="Bob")
    ledger.discard(ledger.waiting()["quarantine_id"].to_pylist(), hour(3), by="Ann")
    ledger.save_run(RunRecord("R1", NOW, 7, {}), hour(4), by="Cai")
    branches.make("more", None, hour(4), hour(5), "", by="Cai")
    branch = branches.on("more")
    products(branch, 6, "Dai", "C")
    branch.withdraw("products", ["products:A"], hour(7), by="Dai")
    branches.rename("more", "most", hour(8), by="Eli")
    branches.drop("most", hour(9), by="Eli")
    ledger.believe_clock(hour(10), by="Eli")
    ledger.hash_customers({}, {}, hour(11), by="Fay")
    ledger.note_person(0, hour(12), "asked", by="Fay")
    reviews = pa.table({"product": ["A"], "happened_at": [hour(1)], "customer": ["~" + "a" * 24], "__row__": [2]})
    ledger.ingest("reviews", reviews, None, (), "reviews.csv", hour(13), by="Fay")
    assert ledger.forget_person(["~" + "a" * 24], (), hour(14), "asked", by="Fay") == {"reviews": 1}
    assert ledger.forget_person(["~" + "a" * 24], (), hour(15), "asked", by="Fay") == {}  # no row is left: no write
    assert told(ledger) == [
        (hour(0), "Ann", "ingest", None, "products", "products.csv", 2),
        (hour(2), "Bob", "withdraw", None, "products", None, 1),
        (hour(3), "Ann", "discard", None, "products", None, 1),
        (hour(4), "Cai", "run", None, "R1", None, 1),
        (hour(5), "Cai", "make_branch", None, "more", None, 1),
        (hour(6), "Dai", "ingest", "more", "products", "products.csv", 1),
        (hour(7), "Dai", "withdraw", "more", "products", None, 1),
        (hour(8), "Eli", "rename_branch", None, "more", "most", 1),
        (hour(9), "Eli", "drop_branch", None, "most", None, 1),
        (hour(10), "Eli", "clock", None, "believe", None, 0),
        (hour(11), "Fay", "hash_customers", None, "customers", None, 0),
        (hour(12), "Fay", "person", None, "customers", "asked", 0),
        (hour(13), "Fay", "ingest", None, "reviews", "reviews.csv", 1),
        (hour(14), "Fay", "forget", None, "reviews", "asked", 1),
    ]
    writes = ledger.writes()
    assert writes.schema == WRITES_SCHEMA
    assert writes["write"].to_pylist() == list(range(1, 15))
    assert set(writes["what"].to_pylist()) == set(WHAT)


def test_a_write_says_when_it_was_made_where_the_chains_clock_says_another_time(store: Store) -> None:
    ledger = store.open()
    products(ledger, 0, "Ann", "A")  # without a clock nobody knows
    acted = NOW + timedelta(days=200)
    ledger.now = lambda: acted
    products(ledger, 1, "Ann", "B")
    branches = store.branches(ledger)
    branches.make("more", None, hour(2), hour(2), "", by="Ann")
    products(branches.on("more"), 3, "Ann", "C")
    ledger.now = lambda: hour(4) + timedelta(seconds=1)
    products(ledger, 4, "Ann", "D")  # the same time, by two looks at one clock
    rows = ledger.writes().to_pylist()
    assert [row["at"] for row in rows] == [hour(0), hour(1), hour(2), hour(3), hour(4)]
    assert [row["acted_at"] for row in rows] == [None, acted, acted, acted, None]


def test_a_write_that_fails_leaves_no_note(store: Store) -> None:
    ledger = store.open()
    ledger.save_run(RunRecord("R1", NOW, 7, {}), NOW, by="Ann")
    broken = RunRecord("R2", NOW, 7, {"orders": None})  # ty: ignore[invalid-argument-type]
    with pytest.raises(AttributeError):
        ledger.save_run(broken, NOW, by="Bob")
    assert [row[4] for row in told(ledger)] == ["R1"]


def test_who_writes_is_no_part_of_a_row(store: Store) -> None:
    ledger = store.open()
    products(ledger, 0, "Ann", "A")
    before = ledger.state(hour(9)).table("products")
    products(ledger, 0, "Bob", "A")
    assert ledger.state(hour(9)).table("products").equals(before)
    assert [row[1] for row in told(ledger)] == ["Ann"]


@pytest.mark.parametrize("on_branch", [False, True])
def test_a_state_says_of_which_snapshot_it_is_and_is_read_again(store: Store, on_branch: bool) -> None:
    trunk = store.open()
    products(trunk, 0, "Ann", "A")
    store.branches(trunk).make("b", None, hour(0), hour(0), "", by="Ann")
    open_again: Callable[[], Ledger] = lambda: store.branches(trunk).on("b") if on_branch else trunk  # noqa: E731
    ledger = open_again()
    products(ledger, 1, "Ann", "B")
    state = ledger.state(hour(9))
    assert state.snapshot is not None
    assert (state.snapshot.chain, state.snapshot.branch) == (ledger.chain, "b" if on_branch else None)
    products(ledger, 2, "Ann", "C")
    ledger.withdraw("products", ["products:A"], hour(3), by="Ann")
    now = open_again().state(hour(9))
    assert now.snapshot is not None
    assert now.snapshot.write > state.snapshot.write
    assert now.table("products")["product"].to_pylist() == ["B", "C"]
    again = open_again().state(hour(9), snapshot=pickle.loads(pickle.dumps(state.snapshot)))
    assert again == state
    assert again.table("products")["product"].to_pylist() == ["A", "B"]


def test_a_snapshot_of_another_chain_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="another"):
        store.open().state(NOW, snapshot=Snapshot("another", None, 1))


def test_the_last_write_is_the_last_of_all(store: Store) -> None:
    ledger = store.open()
    assert ledger.last_write() == 0
    for number in range(3):
        products(ledger, number, "Ann", f"P{number}")
        assert ledger.last_write() == ledger.writes()["write"].to_pylist()[-1]
    branches = store.branches(ledger)
    branches.make("more", None, hour(4), hour(5), "", by="Cai")
    products(branches.on("more"), 6, "Dai", "C")
    assert ledger.last_write() == branches.on("more").last_write() == ledger.writes()["write"].to_pylist()[-1]
