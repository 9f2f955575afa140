"""Which customer orders wait longer by one plan than by another, by the days of their units."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from typing import Any

import pyarrow as pa

# Units below this are rounding.
NOTHING = 1e-6

LATER_SCHEMA = pa.schema(
    [
        ("demand", pa.string()),
        ("product", pa.string()),
        ("market", pa.string()),
        ("due", pa.date32()),
        # Units that come later by the second plan.
        ("units", pa.float64()),
        # Day by which the first plan has them there; of what comes in a later bucket than it is due, that bucket.
        ("there_a", pa.date32()),
        ("by_bucket_a", pa.bool_()),
        # The same by the second plan; null: they do not come.
        ("there_b", pa.date32()),
        ("by_bucket_b", pa.bool_()),
    ]
)

Key = tuple[str, str, str, date]
# Day or bucket -> units, and whether they come in a later bucket than they are due.
Course = dict[tuple[date, bool], float]


def waits_longer(a: Mapping[str, pa.Table], b: Mapping[str, pa.Table]) -> pa.Table:
    """Rows of LATER_SCHEMA for requests that both plans know, by due day and key: also what is late by both, and what
    is on time by its bucket, but on a later day. a, b: tables `deliveries` and `after_due` of a plan each."""
    before, after = _courses(a), _courses(b)
    rows = []
    for key in sorted(before.keys() & after.keys(), key=lambda k: (k[3], k)):
        lag, was = max((_until(before[key], at) - _until(after[key], at), at) for at in [*before[key], (key[3], False)])
        if lag <= NOTHING:
            continue
        wanted = _until(before[key], was)
        then = next((at for at in sorted(after[key]) if _until(after[key], at) >= wanted - NOTHING), (None, None))
        told: dict[str, Any] = dict(zip(("demand", "product", "market", "due"), key, strict=True))
        told |= {"units": lag, "there_a": was[0], "by_bucket_a": was[1], "there_b": then[0], "by_bucket_b": then[1]}
        rows.append(told)
    return pa.Table.from_pylist(rows, schema=LATER_SCHEMA)


def _until(course: Course, until: tuple[date, bool]) -> float:
    """Units that are there by then."""
    return sum(units for (day, _), units in course.items() if day <= until[0])


def _courses(tables: Mapping[str, pa.Table]) -> dict[Key, Course]:
    """By request with a key: when its units are there; on its due day what is there by then."""
    after_due: dict[tuple[str, str, date], list[list[Any]]] = defaultdict(list)
    for row in tables["after_due"].to_pylist() if "after_due" in tables else ():
        if row.get("what", "on_time") == "on_time":
            after_due[row["demand"], row["product"], row["due"]].append([row["there_on"], row["units"]])
    found: dict[Key, Course] = {}
    for row in tables["deliveries"].to_pylist() if "deliveries" in tables else ():
        if row["demand"] is None:
            continue
        course = found.setdefault((row["demand"], row["product"], row["market"], row["due"]), defaultdict(float))
        if row["what"] == "late":
            course[row["bucket"], True] += row["units"]
        elif row["what"] == "on_time":
            left = row["units"]
            for later in after_due[row["demand"], row["product"], row["due"]]:
                some = min(left, later[1])
                left, later[1] = left - some, later[1] - some
                course[later[0], False] += some
            course[row["due"], False] += left
    return found
