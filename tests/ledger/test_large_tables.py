"""Tables larger than memory should hold: a part at a time they say the same as all at once, and lie in a file."""

import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from datong.ledger import large_tables
from datong.ledger.daily_sales import keys_of_sales, sold_by_day
from datong.ledger.state import State, state_of_tables
from datong.model.settings import ChainSettings
from datong.network.notices import sold_lately
from datong.network.position import position
from datong.network.sent_to_buyers import sales_before_shipments
from datong.sense.price_facts import price_facts
from datong.sense.series import demand_series, sale_rows
from datong.sense.signals import sense

MONDAY = datetime(2023, 1, 2, tzinfo=UTC)
WEEKS = 60
NOW = MONDAY + timedelta(weeks=WEEKS)


def shop(**more: pa.Table) -> State:
    """Eight products in two markets, of which one triples in the end; prices, promotions, cancelled lines, lines of 0
    units, and more than one line of a product a day."""
    random = np.random.default_rng(3)
    rows: list[dict[str, Any]] = []
    for week in range(WEEKS):
        for product in range(8):
            many = random.poisson(6 * (3 if product == 0 and week > 45 else 1)) if (product, week) != (5, 59) else 0
            for _ in range(many):
                rows.append(
                    {
                        "sale": f"S{len(rows)}",
                        "happened_at": MONDAY + timedelta(weeks=week, minutes=int(random.integers(0, 7 * 24 * 60))),
                        "product": f"P{product}",
                        "market": f"M{int(random.integers(0, 2))}",
                        "units": float(random.integers(0, 6)),
                        "state": "ordered" if random.random() < 0.95 else "cancelled",
                        "price": float(random.choice([9.0, 10.0, 10.5])) if random.random() < 0.9 else None,
                        "promotion": "SALE" if 20 <= week < 22 and product == 2 else None,
                    }
                )
    products = pa.table({"product": [f"P{i}" for i in range(8)], "category_a": [f"C{i % 2}" for i in range(8)]})
    stock = [
        {"product": f"P{i}", "units": 50.0, "happened_at": MONDAY + timedelta(weeks=50, days=i % 5, hours=13)}
        for i in range(7)
    ]
    given = {"sales": pa.Table.from_pylist(rows), "products": products, "stock": pa.Table.from_pylist(stock)}
    return state_of_tables(ChainSettings("shop", time_zone="Asia/Shanghai", promise_days=2), NOW, given | more)


def prices_ahead() -> pa.Table:
    rows = [{"product": "P2", "price": 9.0, "valid_from": (NOW + timedelta(weeks=1)).date()}]
    return pa.Table.from_pylist(rows)


def shipped() -> pa.Table:
    rows = [
        {"product": f"P{i % 8}", "units": 4.0, "happened_at": MONDAY + timedelta(weeks=55, days=i), "shipment": f"H{i}"}
        for i in range(20)
    ]
    return pa.Table.from_pylist(rows)


def signals(state: State) -> Any:
    return [(s, s.evidence) for s in sense(state).signals]


def series(state: State) -> Any:
    found = demand_series(state)
    return [found.items, *(a.tolist() for a in (found.sold_units, found.known_ahead_history, found.known_ahead_units))]


def prices(state: State) -> Any:
    facts = price_facts(state, demand_series(state), sale_rows(state))
    return [
        np.nan_to_num(facts.panel.price, nan=-1.0).tolist(),
        [(one.items, one.share.tolist()) for one in facts.spans],
    ]


READERS: dict[str, Callable[[State], Any]] = {
    "signals": signals,
    "series": series,
    "prices": prices,
    "position": position,
    "old sales": lambda state: [pc.sum(sales_before_shipments(state)["units"]).as_py()],
    "sold lately": sold_lately,
    "whole units": lambda state: [(row["product"], row["broken"]) for row in sold_by_day(state).to_pylist()],
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("more", [{}, {"prices": prices_ahead(), "shipments": shipped()}], ids=["bare", "shipped"])
def test_sales_read_part_by_part_say_what_they_say_at_once(
    reader: str, more: dict[str, pa.Table], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = READERS[reader]
    at_once = read(shop(**more))
    assert at_once
    monkeypatch.setattr(large_tables, "MOST_IN_MEMORY", 97)
    assert read(shop(**more)) == at_once


def test_a_change_has_the_same_evidence_from_whichever_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody bought P5 in its last weeks: the last rows before show that; they lie in other parts than the first."""
    found = {s.subject.name: s.evidence for s in sense(shop()).signals}
    assert found["P0"]
    monkeypatch.setattr(large_tables, "MOST_IN_MEMORY", 10)
    assert {s.subject.name: s.evidence for s in sense(shop()).signals} == found


def test_keys_of_sales_are_found_in_every_part(monkeypatch: pytest.MonkeyPatch) -> None:
    state = shop()
    monkeypatch.setattr(large_tables, "MOST_IN_MEMORY", 10)
    last = f"S{state.table('sales').num_rows - 1}"
    assert keys_of_sales(state, [last, "S0", "none"]).to_pylist() == sorted([last, "S0"])


def test_values_are_taken_out_of_a_column_in_pieces() -> None:
    column = pa.chunked_array([["a", None], [], ["c"], ["d", "e"]], pa.string())
    rows = np.array([4, 0, 2, 2, 1, 3])
    assert large_tables.taken(column, rows).to_pylist() == ["e", "a", "c", "c", None, "d"]
    assert large_tables.taken(column, rows[:0]).to_pylist() == []


def test_a_table_in_a_file_takes_no_memory_and_can_be_pickled(tmp_path: Path) -> None:
    schema = pa.schema([("number", pa.int64())])
    before = pa.total_allocated_bytes()
    made = (pa.table({"number": np.arange(100_000) + begin}, schema) for begin in range(0, 1_000_000, 100_000))
    rows = large_tables.in_file(made, schema, tmp_path)
    assert rows.num_rows == 1_000_000
    assert rows["number"][999_999].as_py() == 999_999
    assert pa.total_allocated_bytes() - before < 100_000
    assert not list(tmp_path.iterdir())
    assert pickle.loads(pickle.dumps(rows.slice(0, 10))).equals(rows.slice(0, 10))


def test_places_of_texts_are_counted_over_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    column = pa.chunked_array([["b", None, "a"], ["b", "c", None, "a"]], pa.string())
    monkeypatch.setattr(large_tables, "MOST_IN_MEMORY", 2)
    places, names = large_tables.codes_at(column, np.array([6, 0, 1, 4, 3, 2, 5]))
    assert names.to_pylist() == ["a", "b", "c"]
    assert places.tolist() == [0, 1, -1, 2, 1, 0, -1]
