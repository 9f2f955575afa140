"""Whose promise changed: customers' orders that the new plan serves sooner or later, more or less, than the one before.

Both plans are held to what is still to be sent: what was shipped since is taken off the first deliveries of the plan
before. A request that only one of the two plans has is no changed promise (`demand.py` tells of it). What is there
after its day is told by that day, though it is on time by its bucket (`after_due`).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datong.ledger.state import State
from datong.model.words import Message, message, shown
from datong.questions.since.rows import NOTHING, Naming, PlanBefore, Row, new_rows

# A row of `deliveries` or of `after_due`.
Part = Mapping[str, Any]
# Fewer units than this are rounding.
LEAST_UNITS = 0.005


@dataclass(frozen=True)
class _Promise:
    """What one plan promises one request. on_time, after_day (on time by its bucket, there after its day), late,
    unserved: units; there: the last day on which what is there after its day is; last: the last bucket in which it is
    served late; unit_days: units times the days from its bucket to the one in which each is served late, or from its
    day to the one on which it is there; cost: money that lateness and refusal cost in the plan."""

    row: Part
    on_time: float
    after_day: float
    late: float
    unserved: float
    there: date | None
    last: date | None
    unit_days: float
    cost: float

    @property
    def waits(self) -> bool:
        """Whether any of what is served comes after its day."""
        return self.after_day + self.late > NOTHING


def promise_rows(before: PlanBefore, state: State, tables: Mapping[str, pa.Table], naming: Naming) -> list[Row]:
    """A row for each request whose promise changed: for the worse first, and of both those that change most money."""
    if "deliveries" not in before.tables or "deliveries" not in tables:
        return []
    sides = [of["deliveries"].filter(pc.is_valid(of["deliveries"]["demand"])) for of in (before.tables, tables)]
    after = [_after_day(of) for of in (before.tables, tables)]
    short = {key for side in sides for key in _not_on_time(side)} | {key for side in after for key in side}
    left = [_units_of(side, "demand") for side in sides]
    asked = [_units_of(of.table("demand"), "demand") for of in (before.state, state)]
    was, now = (_by_request(side, short) for side in sides)
    rows = []
    for key in sorted({*was} & {*now}):
        unsent = _unsent(was[key], _sent(key, asked, left)), now[key]
        pair = tuple(_promise(rows, side.get(key, ()), state) for rows, side in zip(unsent, after, strict=True))
        kind = _kind(*pair)
        if kind is not None:
            rows.append(_row(key, kind, *pair, naming))
    worse = ("unserved", "late", "later", "after_day")

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


def _after_day(tables: Mapping[str, pa.Table]) -> dict[str, list[Part]]:
    """By request the rows of `after_due`, the last to be there first; of a run of an earlier version, none."""
    rows = tables.get("after_due")
    found: dict[str, list[Part]] = defaultdict(list)
    for row in [] if rows is None or "counted_in" not in rows.column_names else rows.to_pylist():
        if row["demand"] and row["units"] > LEAST_UNITS:
            found[row["demand"]].append(row)
    for of_request in found.values():
        of_request.sort(key=lambda row: row["there_on"], reverse=True)
    return found


def _promise(rows: Sequence[Part], after_day: Sequence[Part], state: State) -> _Promise:
    """after_day: rows of `after_due` of the request, the last to be there first."""
    promise = _Promise(rows[0], 0.0, 0.0, 0.0, 0.0, None, None, 0.0, 0.0)
    calendar = state.settings.calendar
    due = calendar.bucket_start(rows[0]["due"])
    for row, units, there in _by_day(rows, after_day):
        if row["what"] == "on_time" and there is not None:
            last, days = max(promise.there or there, there), (there - row["due"]).days
            after, unit_days = promise.after_day + units, promise.unit_days + units * days
            promise = replace(promise, after_day=after, there=last, unit_days=unit_days)
        elif row["what"] == "on_time":
            promise = replace(promise, on_time=promise.on_time + units)
        elif row["what"] == "late":
            bucket = row["bucket"] if there is None else calendar.bucket_start(there)
            late, unit_days = promise.late + units, promise.unit_days + units * (bucket - due).days
            promise = replace(promise, late=late, last=max(promise.last or bucket, bucket), unit_days=unit_days)
        else:
            promise = replace(promise, unserved=promise.unserved + units)
    return replace(promise, cost=sum(row["short_cost"] or 0.0 for row in rows))


def _by_day(rows: Sequence[Part], after_day: Sequence[Part]) -> Iterator[tuple[Part, float, date | None]]:
    """Deliveries, their units, and the day on which these are there, where it is after the one that the plan counts."""
    for row in rows:
        left = row["units"]
        for late in after_day:
            own = min(left, late["units"])
            if (late["what"], late["counted_in"]) == (row["what"], row["bucket"]) and own > NOTHING:
                yield row, own, late["there_on"]
                left -= own
        if left > NOTHING:
            yield row, left, None


def _kind(was: _Promise, now: _Promise) -> str | None:
    """unserved or served: fewer or more units in full; late, after_day, later, sooner, on_time; None: nothing
    changed."""
    if abs(now.unserved - was.unserved) > LEAST_UNITS:
        return "unserved" if now.unserved > was.unserved else "served"
    if abs(now.unit_days - was.unit_days) <= LEAST_UNITS:
        return None
    if now.unit_days > was.unit_days:
        return "later" if was.waits else "late" if now.late > NOTHING else "after_day"
    return "sooner" if now.waits else "on_time"


def _row(key: str, kind: str, was: _Promise, now: _Promise, naming: Naming) -> Row:
    """units: not there by their day, or not at all; day: the last day of lateness; money: what that costs."""
    product, due = now.row["product"], now.row["due"]
    units = now.on_time + now.after_day + now.late + now.unserved
    words = {"name": key, "product": naming.called(product), "amount": naming.amount(units, product), "due": due}
    text = message("since.promise", **words, before=_told(was, naming), now=_told(now, naming))
    short = (was.after_day + was.late + was.unserved, now.after_day + now.late + now.unserved)
    days = (was.last or was.there, now.last or now.there)
    return Row("promises", kind, text, key, product, short, days, (was.cost, now.cost))


def _told(promise: _Promise, naming: Naming) -> Message:
    parts = []
    if promise.on_time > NOTHING:
        parts.append(message("since.promise_on_time", units=shown(promise.on_time)))
    if promise.there is not None:
        parts.append(message("since.promise_after_day", units=shown(promise.after_day), there=promise.there))
    if promise.last is not None:
        when = naming.when(promise.last)
        parts.append(message("since.promise_late", units=shown(promise.late), when=when))
    if promise.unserved > NOTHING or not parts:
        parts.append(message("since.promise_unserved", units=shown(promise.unserved)))
    return reduce(lambda first, following: message("plan.list", before=first, following=following), parts)
