from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa

from datong.ledger.identity import end_of_local_day, event_known_at, keyed_row_id, unkeyed_row_id
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
