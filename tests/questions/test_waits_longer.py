"""Who waits longer by one plan than by another, also where counts of late units are the same."""

from datetime import date
from typing import Any

import pyarrow as pa

from datong.balance.deliveries import DELIVERIES_SCHEMA
from datong.model.flow import AFTER_DUE_SCHEMA
from datong.questions.waits_longer import waits_longer

Tables = dict[str, pa.Table]


def march(day: int) -> date:
    return date(2026, 3, day)


def served(key: str, due: int, units: float, what: str, bucket: int | None) -> dict[str, Any]:
    then = None if bucket is None else march(bucket)
    return {"demand": key, "product": "A", "market": "all", "due": march(due), "units": units} | {
        "what": what,
        "bucket": then,
    }


def plan(*rows: dict[str, Any], later: tuple[tuple[str, int, int, float], ...] = ()) -> Tables:
    after = [
        {"demand": key, "product": "A", "due": march(due), "what": "on_time", "there_on": march(there)}
        | {"units": units}
        for key, due, there, units in later
    ]
    return {
        "deliveries": pa.Table.from_pylist(list(rows), schema=DELIVERIES_SCHEMA),
        "after_due": pa.Table.from_pylist(after, schema=AFTER_DUE_SCHEMA),
    }


def told(a: Tables, b: Tables) -> list[tuple[Any, ...]]:
    return [
        (r["demand"], r["units"], r["there_a"], r["by_bucket_a"], r["there_b"], r["by_bucket_b"])
        for r in waits_longer(a, b).to_pylist()
    ]


def test_what_is_late_already_and_comes_later_still() -> None:
    a, b = (plan(served("F08", 12, 4.0, "late", then)) for then in (16, 23))
    assert told(a, b) == [("F08", 4.0, march(16), True, march(23), True)]
    assert told(b, a) == []


def test_what_is_on_time_by_its_week_but_on_a_later_day() -> None:
    a = plan(served("F09", 17, 6.0, "on_time", 16))
    b = plan(served("F09", 17, 6.0, "on_time", 16), later=(("F09", 17, 19, 2.0),))
    assert told(a, b) == [("F09", 2.0, march(17), False, march(19), False)]


def test_what_no_longer_comes_and_what_comes_as_before() -> None:
    a = plan(served("D1", 3, 6.0, "on_time", 2), served("D2", 4, 5.0, "on_time", 2))
    b = plan(
        served("D1", 3, 6.0, "on_time", 2), served("D2", 4, 2.0, "on_time", 2), served("D2", 4, 3.0, "never", None)
    )
    assert told(a, b) == [("D2", 3.0, march(4), False, None, None)]
