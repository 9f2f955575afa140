"""A State is a value: equal after pickling, good in threads, in other processes, and after its ledger was closed."""

import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa
import pytest

from datong.ledger.state import State, every_table
from datong.model.settings import ChainSettings
from datong.store.duckdb_ledger import open_ledger

NOW = datetime(2026, 2, 1, tzinfo=UTC)


def held(folder: Path) -> State:
    """A state of a ledger that is closed."""
    with open_ledger(folder / "ledger.duckdb", ChainSettings("x", time_zone="Asia/Dhaka")) as ledger:
        rows = pa.table({"product": ["A", "A", "B"], "price": [1.0, 2.0, 3.0], "__row__": [2, 3, 4]})
        days = pa.array([None, date(2026, 1, 5), None], pa.date32())
        ledger.ingest("products", rows.append_column("valid_from", days), None, (), "products", NOW, by="test")
        sold = pa.array([datetime(2026, 1, 4, tzinfo=UTC)], pa.timestamp("us", "UTC"))
        sales = pa.table({"happened_at": sold, "product": ["A"], "units": [4.0], "__row__": [2]})
        ledger.ingest("sales", sales, None, (), "sales", NOW, by="test")
        return ledger.state(NOW)


def prices(state: State) -> tuple[list[float], int, float]:
    """What a worker reads of it: rows in force, versions, units sold."""
    sold = sum(state.table("sales")["units"].to_pylist())
    return state.table("products")["price"].to_pylist(), state.versions("products").num_rows, sold


def test_it_is_read_after_its_ledger_was_closed(tmp_path: Path) -> None:
    assert prices(held(tmp_path)) == ([2.0, 3.0], 3, 4.0)


def test_it_comes_back_from_a_pickle_as_it_was(tmp_path: Path) -> None:
    state = held(tmp_path)
    again = pickle.loads(pickle.dumps(state))
    assert again == state
    assert again.first_open_bucket == state.first_open_bucket
    other = replace(state, tables={**state.tables, "sales": state.tables["sales"].slice(0, 0)})
    assert pickle.loads(pickle.dumps(other)) != state


def test_threads_share_it(tmp_path: Path) -> None:
    state = held(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        assert set(map(repr, pool.map(prices, [state] * 40))) == {repr(prices(state))}


def test_it_is_sent_to_a_process(tmp_path: Path) -> None:
    state = held(tmp_path)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(prices, state).result() == prices(state)


def test_a_table_that_it_was_not_made_with_is_an_error(tmp_path: Path) -> None:
    state = held(tmp_path)
    assert set(state.tables) == set(every_table())
    few = state.only(("products",))
    assert few.table("products").num_rows == 2
    with pytest.raises(KeyError, match="sales"):
        few.table("sales")
    with pytest.raises(KeyError, match="sales"):
        few.only(("sales",))
