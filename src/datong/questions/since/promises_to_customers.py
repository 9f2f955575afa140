"""Whose promise changed: customers' orders that the new plan serves sooner or later, more or less, than the one before.

Both plans are held to what is still to be sent: what was shipped since is taken off the first deliveries of the plan
before. A request that only one of the two plans has is no changed promise (`demand.py` tells of it).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.state import State
from datong.model.words import Message, message, shown
from datong.questions.since.rows import NOTHING, Naming, PlanBefore, Row, new_rows

# Fewer units than this are rounding.
LEAST_UNITS = 0.005


@dataclass(frozen=True)
class _Promise:
    """What one plan promises one request. on_time, late, unserved: units; last: the last bucket in which it is served
    late; unit_days: units times the days from its bucket to the one in which each is served; cost: money that lateness
    and refusal cost in the plan."""

    row: Mapping[str, Any]
    on_time: float
    late: float
    unserved: float
    last: date | None
    unit_days: float
    cost: float


def promise_rows(before: PlanBefore, state: State, tables: Mapping[str, pa.Table], naming: Naming) -> list[Row]:
    """A row for each request whose promise changed: for the worse first, and of both those that change most money."""
    if "deliveries" not in before.tables or "deliveries" not in tables:
        return []
    sides = [of["deliveries"].filter(pc.is_valid(of["deliveries"]["demand"])) for of in (before.tables, tables)]
    short = {key for side in sides for key in _not_on_time(side)}
    left = [_units_of(side, "demand") for side in sides]
    asked = [_units_of(of.table("demand"), "demand") for of in (before.state, state)]
    was, now = (_by_request(side, short) for side in sides)
    rows = []
    for key in sorted({*was} & {*now}):
        pair = _promise(_unsent(was[key], _sent(key, asked, left)), state), _promise(now[key], state)
        kind = _kind(*pair)
        if kind is not None:
            rows.append(_row(key, kind, *pair, naming))
    worse = ("unserved", "late", "later")

    def rank(row: Row) -> tuple[bool, float, date, str]:
        change = (row.money[1] or 0.0) - (row.money[0] or 0.0)
        return row.kind not in worse, -abs(change), row.day[1] or date.max, row.subject or ""

    return sorted(rows, key=rank)


def shipped_units(before: State, now: State) -> dict[str, float]:
    """Units shipped to buyers since, by the order that the shipments name."""
    rows = new_rows(before, now, "shipments")
    rows = rows.filter(pc.and_(pc.is_valid(rows["order"]), pc.is_null(rows["to_site"])))
    return _units_of(rows.filter(pc.greater(rows["units"], 0.0)), "order")


def _units_of(rows: pa.Table, column: str) -> dict[str, float]:
    sums = rows.group_by(column, use_threads=False).aggregate([("units", "sum")])
    return dict(zip(sums[column].to_pylist(), sums["units_sum"].to_pylist(), strict=True))


def _sent(key: str, asked: Sequence[Mapping[str, float]], left: Sequence[Mapping[str, float]]) -> float:
    """Units of a request that were sent since, also by shipments that do not name it: what is asked for less what is
    left of it, now and before."""
    before, now = (of.get(key, 0.0) - rest[key] for of, rest in zip(asked, left, strict=True))
    return max(now - before, 0.0)


def _not_on_time(deliveries: pa.Table) -> set[str]:
    return set(deliveries.filter(pc.not_equal(deliveries["what"], "on_time"))["demand"].to_pylist())


def _by_request(deliveries: pa.Table, keys: set[str]) -> dict[str, list[dict[str, Any]]]:
    """Rows of these requests, in the order in which they are served; what is not served last."""
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in deliveries.filter(pc.is_in(deliveries["demand"], pa.array(sorted(keys), pa.string()))).to_pylist():
        rows[row["demand"]].append(row)
    for of_request in rows.values():
        of_request.sort(key=lambda row: (row["bucket"] or date.max, row["what"]))
    return rows


def _unsent(rows: Sequence[Mapping[str, Any]], sent: float) -> list[dict[str, Any]]:
    """The rows without the units that were sent since, which are the first ones."""
    left = []
    for row in rows:
        gone = min(row["units"], sent)
        sent -= gone
        share = 1.0 - gone / row["units"] if row["units"] else 0.0
        cost = (row.get("short_cost") or 0.0) * share
        left.append({**row, "units": row["units"] - gone, "short_cost": cost})
    return left


def _promise(rows: Sequence[Mapping[str, Any]], state: State) -> _Promise:
    promise = _Promise(rows[0], 0.0, 0.0, 0.0, None, 0.0, 0.0)
    due = state.settings.calendar.bucket_start(rows[0]["due"])
    for row in rows:
        units = row["units"]
        promise = replace(promise, cost=promise.cost + (row["short_cost"] or 0.0))
        if units <= NOTHING:
            continue
        if row["what"] == "on_time":
            promise = replace(promise, on_time=promise.on_time + units)
        elif row["what"] == "late":
            days = (row["bucket"] - due).days
            late, unit_days = promise.late + units, promise.unit_days + units * days
            promise = replace(promise, late=late, last=row["bucket"], unit_days=unit_days)
        else:
            promise = replace(promise, unserved=promise.unserved + units)
    return promise


def _kind(was: _Promise, now: _Promise) -> str | None:
    """unserved or served: fewer or more units in full; late, later, sooner, on_time; None: nothing changed."""
    if abs(now.unserved - was.unserved) > LEAST_UNITS:
        return "unserved" if now.unserved > was.unserved else "served"
    if abs(now.unit_days - was.unit_days) <= LEAST_UNITS:
        return None
    if now.unit_days > was.unit_days:
        return "later" if was.late > NOTHING else "late"
    return "sooner" if now.late > NOTHING else "on_time"


def _row(key: str, kind: str, was: _Promise, now: _Promise, naming: Naming) -> Row:
    """units: not on time, or not at all; day: the last day of lateness; money: what that costs."""
    product, due = now.row["product"], now.row["due"]
    units = now.on_time + now.late + now.unserved
    words = {"name": key, "product": naming.called(product), "amount": naming.amount(units, product), "due": due}
    text = message("since.promise", **words, before=_told(was, naming), now=_told(now, naming))
    short = (was.late + was.unserved, now.late + now.unserved)
    return Row("promises", kind, text, key, product, short, (was.last, now.last), (was.cost, now.cost))


def _told(promise: _Promise, naming: Naming) -> Message:
    parts = []
    if promise.on_time > NOTHING:
        parts.append(message("since.promise_on_time", units=shown(promise.on_time)))
    if promise.last is not None:
        when = naming.when(promise.last)
        parts.append(message("since.promise_late", units=shown(promise.late), when=when))
    if promise.unserved > NOTHING or not parts:
        parts.append(message("since.promise_unserved", units=shown(promise.unserved)))
    return reduce(lambda first, following: message("plan.list", before=first, following=following), parts)
