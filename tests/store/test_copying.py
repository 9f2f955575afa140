"""What one store holds, another one holds after it was copied; and both hold the same of the same life."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from datong.ledger.protocol import END_OF_TIME
from datong.model.errors import DatongError, Refused
from datong.model.tables import tables
from datong.store import copying
from datong.store.branches import DuckDBBranches
from datong.store.copying import copy_all, digests
from datong.store.duckdb_ledger import DuckDBLedger
from lived import live
from stores import BACK_ENDS, NOW, Store, day

Fresh = Callable[[str], Store]
WAYS = [("duckdb", "postgres"), ("postgres", "duckdb")]


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Fresh]:
    """A new place of a store, by its name."""
    made: list[Store] = []

    def one(name: str) -> Store:
        made.append(BACK_ENDS[name](tmp_path / str(len(made))))
        return made[-1]

    yield one
    for store in made:
        store.close()


def opened(store: Store) -> DuckDBLedger:
    ledger = store.open()
    assert isinstance(ledger, DuckDBLedger)
    return ledger


def answers(ledger: DuckDBLedger) -> dict[str, object]:
    """What a ledger says of what it holds, but for states."""
    someone = [f"~{n}" for n in range(1, 4)]
    return {
        "writes": ledger.writes().to_pylist(),
        "of_person": {name: rows.to_pylist() for name, rows in ledger.of_person(someone).items()},
        "plain_customers": list(ledger.plain_customers()),
        "tokens": sorted(ledger.customer_tokens()),
        "tokens_since": sorted(ledger.customer_tokens(day(10))),
        "line_keys": list(ledger.line_keys()),
        "quarantined": ledger.quarantined().to_pylist(),
        "runs": ledger.runs().to_pylist(),
        "put_back": ledger.put_back_rows().to_pylist(),
        "ahead": list(ledger.ahead(day(2))),
        "came_from": list(ledger.came_from("sales", "first.csv")),
        "rows": ledger.rows("sales", ["sales:a", "sales:b"]).to_pylist(),
        "intakes": list(ledger.intakes("")),
        "moments": (ledger.latest_known_at(), ledger.latest_arrival(), ledger.latest_write()),
        "branches": list(DuckDBBranches(ledger).all()),
    }


@pytest.mark.parametrize("seed", range(2))
def test_the_same_life_leaves_the_same_in_both_stores(fresh: Fresh, seed: int) -> None:
    found, said = [], []
    for name in sorted(BACK_ENDS):
        store = fresh(name)
        with closing(opened(store)) as ledger:
            live(ledger, store.branches(ledger), seed)
        with closing(opened(store)) as ledger:  # as it is kept
            found.append(digests(ledger))
            said.append(answers(ledger))
    assert found[0] == found[1]
    assert said[0] == said[1]
    assert {"ingests", "quarantine", "branch_quarantine", "runs", "run_tables", "put_back", "worked_out"} <= set(
        found[0]
    )
    assert {'chain."sales"', 'branch."lines"', "writes", "branches", "deliveries", "branch_ingests"} <= set(found[0])


@pytest.mark.parametrize(("source", "target"), WAYS)
def test_a_copy_holds_all_and_answers_the_same(fresh: Fresh, source: str, target: str) -> None:
    one, other = fresh(source), fresh(target)
    with closing(opened(one)) as ledger, closing(opened(other)) as copy:
        live(ledger, one.branches(ledger), 5, steps=6)
        copy_all(ledger, copy)
    with closing(opened(one)) as ledger, closing(opened(other)) as copy:
        assert digests(ledger) == digests(copy) != {}
        assert copy.writes().equals(ledger.writes())
        for name in (None, "if", "grown"):
            a, b = (at if name is None else DuckDBBranches(at).on(name) for at in (ledger, copy))
            for moment in (NOW, END_OF_TIME):
                first, second = a.state(moment), b.state(moment)
                assert all(first.table(t).equals(second.table(t)) for t in tables())
        assert copy.run_tables("R") == ledger.run_tables("R") != {}
        assert copy.worked_out() == ledger.worked_out()


@pytest.mark.parametrize(("source", "target"), WAYS)
def test_nothing_is_copied_into_what_holds_something(fresh: Fresh, source: str, target: str) -> None:
    one, other = fresh(source), fresh(target)
    with closing(opened(one)) as ledger, closing(opened(other)) as copy:
        live(ledger, one.branches(ledger), 1, steps=0)
        copy.note_deliveries("mail", ["k"], "sent", NOW)  # the least that there can be
        before = digests(copy)
        with pytest.raises(Refused, match="test"):
            copy_all(ledger, copy)
        assert digests(copy) == before


@pytest.mark.parametrize("target", sorted(BACK_ENDS))
def test_a_copy_that_would_differ_is_undone(fresh: Fresh, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = fresh("duckdb"), fresh(target)
    taken = copying._taken
    monkeypatch.setattr(copying, "_taken", lambda name, kind: "'?'" if name == "note" else taken(name, kind))
    with closing(opened(one)) as ledger, closing(opened(other)) as copy:
        live(ledger, one.branches(ledger), 1, steps=0)
        with pytest.raises(DatongError, match="not the same"):
            copy_all(ledger, copy)
        assert digests(copy) == {}


def test_a_digest_sees_each_cell(fresh: Fresh) -> None:
    store = fresh("duckdb")
    with closing(opened(store)) as ledger:
        live(ledger, store.branches(ledger), 2, steps=0)
        before = digests(ledger)
        for table, change in (
            ('chain."sales"', "market = NULL WHERE market = ''"),
            ("worked_out", "content = 'x' WHERE digest = 'y'"),
            ("deliveries", "noted_at = noted_at + INTERVAL 1 MICROSECOND"),
            ('chain."sales"', "units = 0.1 + 1e-17 * 2 WHERE market = 'é'"),
        ):
            with ledger._transaction():
                ledger._run(f"UPDATE {table} SET {change}")
            after = digests(ledger)
            assert {name for name in before if before[name] != after[name]} == {table}
            before = after
