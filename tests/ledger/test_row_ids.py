import hashlib
import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from datong.ledger.row_ids import end_of_local_day, event_known_at, identities, keyed_row_id, unkeyed_row_id
from datong.ledger.state import arrow_type
from datong.model.calendar import Calendar
from datong.model.settings import ChainSettings
from datong.model.tables import tables

MOMENT = pa.timestamp("us", tz="UTC")


def column(*moments: datetime | None) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(moments, MOMENT)])


def test_a_key_names_the_row() -> None:
    assert keyed_row_id(tables()["sales"], {"sale": "A-1|2"}) == "sales:A-1|2"
    assert (
        keyed_row_id(tables()["line_calendar"], {"line": "L1", "from": date(2026, 1, 5)})
        == "line_calendar:L1|2026-01-05"
    )


def test_parts_of_a_key_cannot_run_into_one_another() -> None:
    components = tables()["components"]
    first = keyed_row_id(components, {"product": "a|b", "recipe": "c", "component": "d"})
    second = keyed_row_id(components, {"product": "a", "recipe": "b|c", "component": "d"})
    assert first == "components:a\\|b|c|d"
    assert first != second


def test_a_moment_in_a_key_is_in_utc() -> None:
    row = {"happened_at": datetime(2026, 1, 1, 8, tzinfo=UTC), "site": None, "product": "P", "lot": ""}
    assert keyed_row_id(tables()["stock"], row) == "stock:2026-01-01T08:00:00Z||P|"


def test_a_row_without_a_key_is_named_by_content_and_number() -> None:
    assert keyed_row_id(tables()["sales"], {"sale": ""}) is None
    assert unkeyed_row_id(tables()["sales"], 0xABC << 64, 2) == "sales:#0000000000000abc.2"


def test_a_day_alone_is_known_when_it_is_over() -> None:
    """Dhaka is UTC+6: 1 March starts at 18:00 UTC of 28 February and is over 24 hours later."""
    happened = column(
        datetime(2023, 2, 28, 18, tzinfo=UTC), datetime(2023, 3, 1, 9, tzinfo=UTC), datetime(2023, 3, 1, tzinfo=UTC)
    )
    known = column(None, None, datetime(2023, 5, 1, tzinfo=UTC))
    settings = ChainSettings("x", time_zone="Asia/Dhaka")
    arrived = datetime(2026, 1, 1, tzinfo=UTC)
    filled = event_known_at(happened, known, np.array([True, False, True]), settings, arrived)
    assert filled.to_pylist() == [
        datetime(2023, 3, 1, 18, tzinfo=UTC),
        datetime(2023, 3, 1, 9, tzinfo=UTC),
        datetime(2023, 5, 1, tzinfo=UTC),
    ]


def test_a_day_alone_is_known_when_it_begins_where_it_opens_a_plan() -> None:
    """In Dhaka 2 March begins at 18:00 UTC of 1 March."""
    happened = column(datetime(2023, 2, 28, 18, tzinfo=UTC), datetime(2023, 3, 1, 18, tzinfo=UTC))
    settings = ChainSettings("x", time_zone="Asia/Dhaka")
    arrived = datetime(2026, 1, 1, tzinfo=UTC)
    days = np.array([True, True])
    filled = event_known_at(happened, column(None, None), days, settings, arrived, opening=date(2023, 3, 2))
    assert filled.to_pylist() == [datetime(2023, 3, 1, 18, tzinfo=UTC)] * 2


def test_live_events_are_known_when_they_arrive() -> None:
    arrived = datetime(2026, 1, 1, tzinfo=UTC)
    filled = event_known_at(
        column(datetime(2023, 3, 1, tzinfo=UTC)),
        column(None),
        np.array([True]),
        ChainSettings("x", history="live"),
        arrived,
    )
    assert filled.to_pylist() == [arrived]


def test_days_of_daylight_saving_end_at_their_own_midnight() -> None:
    """Berlin, 29 March 2026, has 23 hours (23:00 to 22:00 UTC); 25 October has 25 (22:00 to 23:00 UTC)."""
    berlin = Calendar("Europe/Berlin", "day")
    assert end_of_local_day(datetime(2026, 3, 28, 23, tzinfo=UTC), berlin) == datetime(2026, 3, 29, 22, tzinfo=UTC)
    assert end_of_local_day(datetime(2026, 10, 24, 22, tzinfo=UTC), berlin) == datetime(2026, 10, 25, 23, tzinfo=UTC)


def some(kind: str, chance: random.Random) -> Any:
    """A value of a column's type, odd ones often; or none."""
    values: dict[str, Callable[[], Any]] = {
        "text": lambda: "".join(chance.choices("ab|\\\x1f:北", k=chance.randint(0, 3))),
        "number": lambda: chance.choice([0.0, -0.0, 0.1 + 0.2, 1e-7, 1e22, 3.0, chance.uniform(-9, 9)]),
        "integer": lambda: chance.randint(-5, 5),
        "boolean": lambda: chance.random() < 0.5,
        "date": lambda: date(2026, 1, 1) + timedelta(days=chance.randint(0, 9)),
        "moment": lambda: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(microseconds=chance.choice([0, 250_000, 7])),
    }
    return None if chance.random() < 0.5 else values[kind]()


@pytest.mark.parametrize("name", ["sales", "stock", "components", "line_calendar", "demand"])
def test_columns_of_ids_are_what_the_functions_say(name: str) -> None:
    """Row by row: the id by its key, else by its hash; the hash tells different rows apart and equal ones not, whatever
    they say of known_at, and a column without any value leaves no trace."""
    table, chance = tables()[name], random.Random(7)
    few = [*table.key, *table.finer, "assumed", "known_at", "happened_at"]
    rows = [{c.name: some(c.type, chance) for c in table.columns.values() if c.name in few} for _ in range(400)]
    schema = pa.schema([(c.name, arrow_type(c)) for c in table.columns.values()])
    named = identities(table, pa.Table.from_pylist(rows, schema))
    contents = [(row["_content_high"] << 64) + row["_content_low"] for row in named.to_pylist()]
    said: dict[str, int] = {}
    for row, found, content in zip(rows, named.to_pylist(), contents, strict=True):
        key = keyed_row_id(table, row)
        assert found["_keyed"] == (key is not None)
        assert found["row_id"] == (key or unkeyed_row_id(table, content, 1).removesuffix(".1"))
        told = repr([(n, v) for n, v in row.items() if v is not None and n != "known_at"])
        assert said.setdefault(told, content) == content
    assert len(set(said.values())) == len(said) > 30
    assert identities(table, pa.Table.from_pylist(rows, schema).select(list(rows[0]))).equals(named)


def test_minus_zero_is_zero() -> None:
    both = identities(tables()["sales"], pa.table({"units": [0.0, -0.0]}))
    assert len(set(both["row_id"].to_pylist())) == 1


def test_a_content_hash_by_hand() -> None:
    """MD5 of the columns in the order of the table, each 'name:', a text with its length first, 0x1f between."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    columns = {"happened_at": pa.array([moment], MOMENT), "sale": ["x"], "product": ["鞋"], "units": [2.5]}
    names = [n for n in tables()["sales"].columns if n in columns]
    parts = {"happened_at": "1767225600000000", "sale": "1:x", "product": "3:鞋", "units": "2.5"}
    text = "\x1f".join(f"{n}:{parts[n]}" for n in names)
    digest = hashlib.md5(text.encode(), usedforsecurity=False).digest()
    (found,) = identities(tables()["sales"], pa.table(columns)).to_pylist()
    content = (found["_content_high"] << 64) + found["_content_low"]
    assert content.to_bytes(16, "little") == digest or content.to_bytes(16, "big") == digest
