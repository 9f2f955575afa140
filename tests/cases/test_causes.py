"""What is said to stand in the way of demand alone: with more of it the plan is another one."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cases.random_chains import MONDAY, RandomChain, Row, random_chain
from cases.test_random_chains import begun
from datong.cycle import decide
from datong.model.errors import NoPlan
from datong.model.flow import Clearing

# Chains in which something is short alone.
SHORT = (12, 14, 16, 22, 24, 31, 37, 39, 48, 51, 57, 66)
# In time a part is dear there, or an order takes much whatever its size, or what is late comes of an order that is out
# in any case: want of hours or of a material was named.
DEAR = (15, 32, 107, 112, 157, 158)
# Lifted where nothing is said of how much of it would do.
HOURS, UNITS = 20.0, 50.0


def cleared(made: RandomChain) -> Clearing:
    return decide(begun(made)).clearing


def alone(clearing: Clearing) -> Iterator[Row]:
    """Rows of `gaps` in whose way one thing is that is short by itself."""
    for row in clearing.gaps.to_pylist():
        short = row["late_units"] + row["lost_units"] >= 0.05
        if short and row["binding"] and not row["short_too"] and not row["kept_for"]:
            yield row


def lifted(made: RandomChain, row: Row) -> RandomChain:
    """The chain with more of what stands in the way of a row of `gaps`, in its bucket."""
    tables = {name: [dict(r) for r in rows] for name, rows in made.tables.items()}
    name, bucket, amount = row["binding"], row["binding_bucket"], row["needed_amount"]
    days = 1 if made.settings.bucket == "day" else 7
    line = next((r for r in tables["lines"] if r["line"] == name), None)
    offers = [r for t, key in (("offers", "offer"), ("lanes", "lane")) for r in tables.get(t, ()) if r[key] == name]
    if line is not None:
        tables["line_calendar"] = [*_more_hours(tables.get("line_calendar", []), line, bucket, days, amount or HOURS)]
    elif offers:
        offers[0]["units_per_week"] = (offers[0]["units_per_week"] or 0.0) + (amount or UNITS) * 7 / days
    else:
        product, _, site = name.partition("@")
        offer = next((r["offer"] for r in tables["offers"] if r["product"] == product), None)
        if offer is None:
            offer = "more"
            tables["offers"].append({"offer": offer, "product": product, "price": 1e5, "to_site": site or None})
        order = {"order": "more", "kind": "buy", "product": product, "offer": offer, "site": site or None}
        order |= {"units": amount or UNITS, "start": MONDAY - timedelta(days=7), "due": bucket}
        event = {"happened_at": datetime(2023, 12, 24, 12, tzinfo=UTC), "order_event": "more", "order": "more"}
        tables["orders"] = [*tables.get("orders", []), order]
        tables["order_events"] = [*tables.get("order_events", []), event | {"state": "released"}]
    return replace(made, tables=tables)


def _more_hours(spans: list[Row], line: Row, bucket: object, days: int, hours: float) -> Iterator[Row]:
    """Days of a line's calendar with more hours in one bucket; the rest of spans as they are."""
    end = bucket + timedelta(days=days)  # ty: ignore[unsupported-operator]
    own = {"line": line["line"], "hours": line["hours_per_week"]}
    for span in spans:
        if span["line"] != line["line"] or span["to"] <= bucket or span["from"] >= end:
            yield span
            continue
        own = span
        yield from [span | {"to": bucket}] * (span["from"] < bucket) + [span | {"from": end}] * (span["to"] > end)
    yield own | {"from": bucket, "to": end, "hours": own["hours"] + hours * 7 / days}


def spent(clearing: Clearing) -> float:
    """Money but for what lies there: what is given lies there, too."""
    return sum(money for term, money in clearing.cost.items() if term not in ("holding", "salvage"))


@pytest.mark.parametrize("seed", (*SHORT, *DEAR))
def test_more_of_what_is_short_alone_changes_the_plan(seed: int) -> None:
    made = random_chain(seed)
    try:
        found = cleared(made)
    except NoPlan:
        return
    told = {(r["binding"], r["binding_bucket"], r["needed_amount"]): r for r in alone(found)}
    for named, row in list(told.items())[:2]:
        assert abs(spent(cleared(lifted(made, row))) - spent(found)) > 1e-6, named


@pytest.mark.parametrize("seed", SHORT[:4])
def test_something_is_short_alone_in_these_chains(seed: int) -> None:
    assert list(alone(cleared(random_chain(seed))))
