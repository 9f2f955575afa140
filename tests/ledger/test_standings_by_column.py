"""Where all orders stand says the same worked out by columns as one by one, whatever was said and booked of them."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from datong.ledger import standings_by_column as subject
from datong.ledger.order_life import PATH, Standing, events_of_table, in_order
from datong.ledger.standings import order_standings, state_of
from datong.ledger.standings_by_column import stands_by_row
from datong.ledger.state import State, schema_of
from datong.model.flow import OrderState
from datong.model.settings import ChainSettings

FIRST = datetime(2026, 3, 2, 9, tzinfo=UTC)
NAMES = ("A", "B", "C")
BOOKED_IN = ("production", "receipts", "shipments")
UNITS = st.sampled_from([None, 0.0, 1.0, 3.0])


def table(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    """With an id for each row, and known at once."""
    schema, ids = schema_of(name), [{"row_id": f"{name}{n}", "known_at": FIRST} for n in range(len(rows))]
    filled = [dict.fromkeys(schema.names) | one | row for one, row in zip(ids, rows, strict=True)]
    return pa.Table.from_pylist(filled, schema)


ORDER = st.fixed_dictionaries(
    {
        "order": st.sampled_from(NAMES),
        "kind": st.sampled_from(["make", "buy", "move"]),
        "units": st.sampled_from([1.0, 3.0]),
        "locked": st.booleans(),
    }
)
EVENT = st.fixed_dictionaries(
    {
        "order": st.sampled_from([*NAMES, "unknown"]),
        "state": st.sampled_from([*PATH, *PATH, *get_args(OrderState)]),
        "happened_at": st.integers(0, 3).map(lambda n: FIRST + timedelta(hours=n)),
        "good_units": UNITS,
        "scrap_units": UNITS,
        "counterparty": st.sampled_from([None, "", "works", "mill"]),
        "order_event": st.sampled_from([None, "", "e1", "e2"]),
        "offered_units": st.sampled_from([None, 2.0]),
        "answers": st.sampled_from([None, None, "e1"]),
    }
)
BOOKED = st.fixed_dictionaries(
    {
        "order": st.sampled_from([None, *NAMES, "unknown"]),
        "happened_at": st.just(FIRST),
        "units": st.sampled_from([0.0, 1.0, 3.0]),
        "to_site": st.sampled_from([None, "S"]),
    }
)


def state(orders: list[Any], events: list[Any], booked: Mapping[str, list[Any]]) -> State:
    rows = {
        "orders": [row | {"start": date(2026, 3, 2), "due": date(2026, 3, 9)} for row in orders],
        "order_events": events,
        "production": [row | {"good_units": row["units"], "scrap_units": 1.0} for row in booked["production"]],
        "receipts": booked["receipts"],
        "shipments": booked["shipments"],
    }
    told = {name: [{k: v for k, v in row.items() if k in schema_of(name).names} for row in rows[name]] for name in rows}
    return State(FIRST, ChainSettings("chain", "UTC"), {name: table(name, told[name]) for name in told})


def one_by_one(state: State) -> list[tuple[Any, ...]]:
    stands, events = order_standings(state), state.table("order_events")
    parties = {
        order: [event.counterparty for event in in_order(own) if event.counterparty]
        for order, own in events_of_table(events).items()
    }
    found = []
    for row in state.table("orders").to_pylist():
        stand = stands.get(row["order"])
        own = stand or Standing()
        said = (parties.get(row["order"]) or [None])[-1]
        found.append((state_of(row, stand), own.good_units, own.scrap_units, said))
    return found


def _event(told: str, hour: int, good_units: float) -> dict[str, Any]:
    names = ("scrap_units", "counterparty", "order_event", "offered_units", "answers")
    moment = FIRST + timedelta(hours=hour)
    return {"order": "A", "state": told, "happened_at": moment, "good_units": good_units} | dict.fromkeys(names)


# A refusal after it was cancelled after it was refused counts no more.
ENDS = [_event(told, hour, 1.0 + hour) for hour, told in enumerate(("refused", "refused", "cancelled", "refused"))]


@settings(max_examples=400)
@example([{"order": "A", "kind": "make", "units": 9.0, "locked": False}], ENDS, {name: [] for name in BOOKED_IN})
@given(
    st.lists(ORDER, max_size=4),
    st.lists(EVENT, max_size=8),
    st.fixed_dictionaries({name: st.lists(BOOKED, max_size=3) for name in BOOKED_IN}),
)
def test_it_says_by_columns_what_it_says_one_by_one(orders, events, booked) -> None:
    seen = {None, ""}  # a ledger has each key once
    for row in events:
        row["order_event"] = None if row["order_event"] in seen else row["order_event"]
        seen.add(row["order_event"])
    made = state(orders, events, booked)
    found = stands_by_row(made)
    columns = (found.state.to_pylist(), found.good_units.tolist(), found.scrap_units.tolist(), found.said.to_pylist())
    assert list(zip(*columns, strict=True)) == one_by_one(made)


def test_only_orders_with_an_offer_are_worked_out_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    whole = subject.order_standings

    def counted(few: State) -> dict[str, Standing]:
        asked.append(few.table("orders").num_rows)
        return whole(few)

    monkeypatch.setattr(subject, "order_standings", counted)
    orders = [{"order": name, "kind": "make", "units": 3.0, "locked": False} for name in NAMES]
    said = [("A", "released"), ("A", "done"), ("B", "released"), ("B", "refused")]
    said += [("C", "released"), ("C", "offered")]
    events = [
        {"order": order, "state": told, "happened_at": FIRST + timedelta(hours=n)}
        for n, (order, told) in enumerate(said)
    ]
    none: dict[str, list[Any]] = {"production": [], "receipts": [], "shipments": []}
    assert stands_by_row(state(orders, events, none)).state.to_pylist() == ["done", "refused", "offered"]
    assert asked == [1]
