"""What a planner may change of a proposed order, and all that is wrong with a change, before anything is written."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from datong.app.chain import Chain
from datong.app.service.last_run_in_memory import run_table
from datong.app.service.table_of_orders import OrdersNow, row_of
from datong.ledger.state import State
from datong.model.errors import BadInput, Refused
from datong.model.findings import Finding, finding, has_errors
from datong.model.words import message
from datong.network.price_breaks import row_of_units
from datong.network.working_days import BEFORE, working_days

# Tables of a state that the checks read.
READ = ("sites", "lines", "calendars", "calendar_days", "line_calendar", "recipe_steps", "orders")
# The column of an order that names its way, by kind.
WAY_OF: Mapping[str, str] = {"make": "recipe", "buy": "offer", "move": "lane"}
# Columns of `orders` that a change writes.
COLUMNS = ("order", "kind", "product", "recipe", "offer", "lane", "line", "site", "units", "start", "due", "needed_by")
# Units within this of a whole lot are one.
NOTHING = 1e-6


@dataclass(frozen=True)
class Change:
    """What is to change of an order; None: as it is. units: of the order itself; split: units of further orders that
    are split off it. start: day on which it starts; the day on which it is there moves with it. way: its recipe, offer
    or lane. With nothing of these it is locked as it is."""

    order: str
    units: float | None = None
    start: date | None = None
    way: str | None = None
    split: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class Changed:
    """What a change comes to. before: the order as it is; after: it and what is split off it, as rows of `orders`.
    findings: all that is wrong with it or odd about it. paid: money that is paid more for the orders themselves."""

    before: Mapping[str, Any]
    after: tuple[Mapping[str, Any], ...]
    findings: tuple[Finding, ...]
    paid: float | None

    def refuse_errors(self) -> None:
        """Raises BadInput, with all findings, where one of them is an error."""
        if has_errors(self.findings):
            raise BadInput(message("service_orders.rejected", order=self.before["order"]), self.findings)


@dataclass(frozen=True, eq=False)
class _Known:
    """What a change is held against."""

    chain: Chain
    state: State
    now: OrdersNow
    ways: Sequence[Mapping[str, Any]]
    hours: Sequence[Mapping[str, Any]]

    @property
    def bucket(self) -> Any:
        return self.state.settings.calendar


def changed(chain: Chain, now: OrdersNow, change: Change) -> Changed:
    """What a change comes to, with everything that is wrong with it. Raises NotFound, and Refused for an order that is
    out: only proposals can be changed. To be asked on the chain's own thread."""
    row = row_of(now.rows, change.order)
    if row["origin"] == "out":
        raise Refused(message("service_orders.is_out", order=change.order, state=message(f"code.state_{row['state']}")))
    known = _known(chain, now, row)
    new = _applied(known, row, change)
    parts = _split(known, new, change.split)
    findings = [f for one in parts for f in _wrong(known, one)] + _wrong_place(known, row, parts)
    before = _stored(row) | {"origin": row["origin"]}
    return Changed(before, tuple(_stored(one) for one in parts), tuple(findings), _paid(known, row, parts))


def ways_of(chain: Chain, now: OrdersNow, name: str) -> list[dict[str, Any]]:
    """The ways by which an order's product could be had where it is wanted, as the last plan knows them."""
    return [dict(way) for way in _known(chain, now, row_of(now.rows, name)).ways]


def _known(chain: Chain, now: OrdersNow, row: Mapping[str, Any]) -> _Known:
    ways, hours = (None if now.plan is None else run_table(chain, now.plan.run, name) for name in ("ways", "hours"))
    own: list[dict[str, Any]] = []
    state = chain.state(names=READ)
    if ways is not None:
        of_product = pc.and_(pc.equal(ways["product"], row["product"]), pc.equal(ways["kind"], row["kind"]))
        there = pc.equal(pc.fill_null(ways["site"], ""), row["site"] or "")
        own = ways.filter(pc.and_(of_product, there)).to_pylist()
        steps = set(state.table("recipe_steps")["step"].to_pylist())
        own = [way for way in own if way["way"] == row["recipe"] or not steps & {way["way"], row["recipe"]}]
    lines = sorted({way["line"] for way in own if way["line"]} | ({row["line"]} if row["line"] else set()))
    of_lines = [] if hours is None else hours.filter(pc.is_in(hours["line"], pa.array(lines, pa.string()))).to_pylist()
    return _Known(chain, state, now, own, of_lines)


# what it comes to --------------------------------------------------------------------------------


def _applied(known: _Known, row: Mapping[str, Any], change: Change) -> dict[str, Any]:
    new = dict(row)
    if change.units is not None:
        new["units"] = change.units
    if change.start is not None:
        new["start"] = change.start
        new["due"] = row["due"] + (change.start - row["start"])
    column = WAY_OF[row["kind"]]
    if change.way is not None and change.way != row[column]:
        old, other = _way(known, row, row[column]), _way(known, row, change.way)
        new |= {column: change.way, "line": None if other is None else other["line"]}
        if old is not None and other is not None:
            new["due"] = max(
                new["start"], new["due"] + timedelta(days=math.ceil(other["lead_days"] - old["lead_days"]))
            )
    return new


def _split(known: _Known, row: Mapping[str, Any], units: Sequence[float]) -> list[dict[str, Any]]:
    """The order, and further ones with numbers of their own."""
    taken = set(known.now.rows["order"].to_pylist()) if units else set()
    parts, number = [dict(row)], 1
    for of_part in units:
        while (name := f"{row['order']}.{number}") in taken:
            number += 1
        taken.add(name)
        parts.append(dict(row) | {"order": name, "units": of_part})
    return parts


def _stored(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in COLUMNS} | {"locked": True, "run": row["run"]}


def _paid(known: _Known, row: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]) -> float | None:
    """Money that is paid more for the orders themselves: by the unit, and for set-ups. None: a way is not known."""

    def paid(one: Mapping[str, Any]) -> float | None:
        way = _way(known, one, one[WAY_OF[one["kind"]]])
        return None if way is None else one["units"] * way["cost_per_unit"] + way["setup_cost"]

    told = [paid(one) for one in (row, *parts)]
    if any(money is None for money in told):
        return None
    numbers = [money for money in told if money is not None]
    return sum(numbers[1:]) - numbers[0]


def _way(known: _Known, row: Mapping[str, Any], name: str | None) -> Mapping[str, Any] | None:
    """The version of a way that holds when the order starts; of an offer with price breaks the one that it reaches."""
    start, held = known.bucket.bucket_start(row["start"]), []
    for way in known.ways:
        begun = way["valid_from"] is None or way["valid_from"] <= start
        if way["way"] == name and begun and (way["valid_to"] is None or start < way["valid_to"]):
            held.append(way)
    return row_of_units(held, row["units"])


# what is wrong with it ---------------------------------------------------------------------------


def _wrong(known: _Known, row: Mapping[str, Any]) -> list[Finding]:
    """What is wrong with the units and the way of one order."""
    name, column, units = row["order"], WAY_OF[row["kind"]], row["units"]
    if not (math.isfinite(units) and units > 0):
        return [finding("error", "service_orders.units", name, column="units", units=units)]
    if not known.ways:  # a plan that does not say by which ways it makes
        return []
    way = _way(known, row, row[column])
    if way is None:
        names = ", ".join(sorted({w["way"] for w in known.ways}))
        return [finding("error", "service_orders.way", name, column=column, way=row[column] or "–", ways=names)]
    least, multiple = way["min_units"] or 0.0, way["multiple_units"] or 0.0
    lots = units / multiple if multiple > 0 else 0.0
    is_whole = abs(lots - round(lots)) <= NOTHING * max(1.0, lots)
    if units < least - NOTHING or not is_whole:
        below = math.floor(lots) * multiple if multiple > 0 else units
        above = max(math.ceil(lots - NOTHING) * multiple if multiple > 0 else units, least)
        words: dict[str, Any] = {"units": units, "least": least, "multiple": multiple}
        words |= {"below": max(below, 0.0), "above": above}
        return [finding("error", "service_orders.lots", name, column="units", **words)]
    largest = way.get("max_units") or math.inf  # runs of before have none
    if units > largest * (1 + NOTHING):
        orders = math.ceil(units / largest - NOTHING)
        figures: dict[str, Any] = {"units": units, "largest": largest, "orders": orders}
        return [finding("error", "service_orders.largest", name, column="units", **figures)]
    return []


def _wrong_place(known: _Known, row: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """What is wrong with the day and the line, of all parts together."""
    new, settings, name = parts[0], known.state.settings, row["order"]
    first = known.state.first_open_bucket
    frozen_until = settings.calendar.shift(first, settings.frozen_buckets)
    end = settings.calendar.shift(first, settings.horizon_buckets)
    earliest = max(known.state.today, frozen_until) if settings.frozen_buckets else known.state.today
    earliest = max(earliest, first)
    moved = (new["start"], new["line"]) != (row["start"], row["line"])
    if moved and new["start"] < earliest:
        rule = "frozen" if settings.frozen_buckets else "past"
        return [finding("error", f"service_orders.{rule}", name, column="start", day=new["start"], first=earliest)]
    if new["start"] >= end:
        words: dict[str, Any] = {"day": new["start"], "last": end - timedelta(days=1)}
        return [finding("error", "service_orders.horizon", name, column="start", **words)]
    found = [finding("error", "service_orders.closed", name, column="start", **c) for c in _closed(known, new)[:1]]
    return found or _hours(known, row, parts)


def _closed(known: _Known, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Spans in which the order's line is closed on the day on which it starts; the line's last word counts."""
    if row["line"] is None:
        return []
    rows = [r for r in known.state.table("line_calendar").to_pylist() if r["line"] == row["line"]]
    holding = sorted((r for r in rows if r["from"] <= row["start"] < r["to"]), key=lambda r: (r["from"], r["to"]))
    if not holding:
        return _closed_by_calendar(known, row)
    if holding[-1]["hours"] > 0 or holding[-1]["overtime_hours"] > 0:
        return []
    last = holding[-1]["to"] - timedelta(days=1)
    return [{"line": row["line"], "day": row["start"], "first": holding[-1]["from"], "last": last}]


def _closed_by_calendar(known: _Known, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The closed days of its line's calendar around the day on which an order starts, where that is one."""
    days = working_days(known.state, (row["start"],)).of_line.get(row["line"])
    start = row["start"].toordinal()
    if days is None or days.on(start):
        return []
    after = days.next(start)
    before = days.last(start, start - BEFORE)
    first, last = (start if before is None else before + 1), (start if after is None else after - 1)
    return [
        {"line": row["line"], "day": row["start"], "first": date.fromordinal(first), "last": date.fromordinal(last)}
    ]


def _hours(known: _Known, row: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Whether the line has the hours in the bucket in which the order starts: beside what is fixed there it must, and
    where it has not beside what else is proposed, that moves with the next plan."""
    new = parts[0]
    bucket = known.bucket.bucket_start(new["start"])
    at = next((h for h in known.hours if (h["line"], h["bucket"]) == (new["line"], bucket)), None)
    if new["line"] is None or at is None:
        return []
    needed = sum(_hours_of(known, one) for one in parts)
    fixed = at["under_way_hours"] + _fixed_since(known, new["line"], bucket, {row["order"]})
    words: dict[str, Any] = {
        "line": new["line"],
        "bucket": bucket,
        "needed": needed,
        "available": at["available_hours"],
    }
    if needed + fixed > at["available_hours"] + NOTHING:
        return [finding("error", "service_orders.hours", row["order"], column="line", fixed=fixed, **words)]
    was_here = row["line"] == new["line"] and known.bucket.bucket_start(row["start"]) == bucket
    own = _hours_of(known, row) if was_here else 0.0
    if needed - own > at["free_hours"] + NOTHING:
        free = max(0.0, at["free_hours"] + own)
        return [finding("warning", "service_orders.crowded", row["order"], column="line", free=free, **words)]
    return []


def _hours_of(known: _Known, row: Mapping[str, Any]) -> float:
    way = _way(known, row, row[WAY_OF[row["kind"]]])
    if way is None or not row["line"]:
        return 0.0
    return way["setup_hours"] + row["units"] * way["hours_per_unit"]


def _fixed_since(known: _Known, line: str, bucket: date, without: set[str]) -> float:
    """Hours of orders that were locked by hand on a line since the last plan, which counts on those before it."""
    rows = known.now.rows
    if known.now.plan is None:
        return 0.0
    kept = run_table(known.chain, known.now.plan.run, "kept")
    counted = set() if kept is None else set(kept["order"].to_pylist())
    edits = rows.filter(pc.and_(pc.equal(rows["origin"], "edit"), pc.equal(rows["line"], line))).to_pylist()
    total = 0.0
    for one in edits:
        if one["order"] in counted or one["order"] in without or known.bucket.bucket_start(one["start"]) != bucket:
            continue
        total += _hours_of(replace(known, ways=_known(known.chain, known.now, one).ways), one)
    return total
