"""Orders on their lines over days, as far as they are in view; where too many are, how full the lines are instead."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from datong.app.chain import Chain
from datong.app.service.last_run import table_of_run
from datong.app.service.orders_shown import everything
from datong.app.service.roles_and_permissions import Permission, Who
from datong.app.service.served_chain import Served
from datong.app.service.sorted_rows import once
from datong.app.service.table_of_orders import OrdersNow
from datong.ledger.state import State
from datong.model.calendar import Calendar
from datong.network.line_hours import days_of_lines, lines_with_calendar

# More orders than this in view cannot be told apart on a screen: their load is shown.
MOST_BARS = 1500
# Tables that say on which days a line is closed.
CALENDARS = ("sites", "lines", "calendars", "calendar_days", "line_calendar")
# Columns of ORDERS_NOW that a bar tells.
SHOWN = (
    *("order", "product", "name", "line", "start", "due", "state", "origin", "locked", "late", "is_overdue"),
    "counted_on",
)


@dataclass(frozen=True)
class Line:
    """line: its code; '' has the orders without one. orders: how many are open on it."""

    line: str
    orders: int


@dataclass(frozen=True)
class Lines:
    """lines: in the order of the rows. first, last: days between which there are orders. today: the chain's day."""

    lines: Sequence[Line]
    first: date
    last: date
    today: date


@dataclass(frozen=True)
class Closed:
    """Days on which lines are closed by their calendars. rows: of the lines; spans: first day, and the day after."""

    rows: Sequence[int]
    spans: Sequence[tuple[date, date]]


@dataclass(frozen=True)
class Load:
    """How full a line is in a bucket. row: of the line, counted from the first. days: of the bucket. orders: that start
    in it. share: of its hours that are used, by the last plan; None: it has none, or that is not known."""

    row: int
    bucket: date
    days: int
    orders: int
    share: float | None


@dataclass(frozen=True, eq=False)
class Bars:
    """rows: orders in SHOWN, with `row`, the row of their line, and `until`, the last day of their bar: that on which
    the plan counts on them, or `due`; None where too many are in view. load: then."""

    rows: pa.Table | None
    load: Sequence[Load] = ()


@dataclass(frozen=True, eq=False)
class _OnLines:
    """rows: open orders in SHOWN, with `row` and `until` as of Bars. load: of every line in every bucket."""

    rows: pa.Table
    lines: Lines
    load: Sequence[Load]


def lines(served: Served, who: Who) -> Lines:
    """Rows of the picture. Raises NotAllowed."""
    who.require(Permission.SEE_PLAN)
    return _on_lines(served).lines


def closed(served: Served, who: Who) -> list[Closed]:
    """The closed days of lines that have a calendar, between the first and the last order. Raises NotAllowed."""
    who.require(Permission.SEE_PLAN)
    told = _on_lines(served).lines

    def spans_of_lines(chain: Chain) -> dict[str, tuple[tuple[date, date], ...]]:
        return _closed_spans(chain.state(names=CALENDARS), told.first, told.last)

    spans = served.chain_thread.kept(("gantt.closed", told.first, told.last), spans_of_lines, of=CALENDARS)
    rows: dict[tuple[tuple[date, date], ...], list[int]] = defaultdict(list)
    for row, one in enumerate(told.lines):
        if spans.get(one.line):
            rows[spans[one.line]].append(row)
    return [Closed(own, days) for days, own in rows.items()]


def _closed_spans(state: State, first: date, last: date) -> dict[str, tuple[tuple[date, date], ...]]:
    """line with a calendar -> its closed days from one day to another, by spans."""
    calendar = state.settings.calendar
    starts = calendar.starts(first, calendar.index(last, first) + 1)
    has_calendar, found = lines_with_calendar(state, starts), {}
    for line, days in days_of_lines(state, starts).items():
        spans: list[tuple[date, date]] = []
        for day in range(first.toordinal(), last.toordinal() + 1):
            if not days.on(day):
                begin = spans.pop()[0] if spans and spans[-1][1].toordinal() == day else date.fromordinal(day)
                spans.append((begin, date.fromordinal(day + 1)))
        if line in has_calendar:
            found[line] = tuple(spans)
    return found


def bars(served: Served, who: Who, from_row: int, to_row: int, first: date, last: date) -> Bars:
    """What is to be drawn of the rows from `from_row` to before `to_row` and the days from `first` to `last`. Raises
    NotAllowed."""
    who.require(Permission.SEE_PLAN)
    found = _on_lines(served)
    rows = found.rows
    in_view = pc.and_(
        pc.and_(pc.greater_equal(rows["row"], from_row), pc.less(rows["row"], to_row)),
        pc.and_(pc.greater_equal(rows["until"], pa.scalar(first)), pc.less_equal(rows["start"], pa.scalar(last))),
    )
    if (pc.sum(in_view).as_py() or 0) <= MOST_BARS:
        return Bars(rows.filter(in_view).sort_by([(name, "ascending") for name in ("row", "start", "order")]))
    shown = [
        one
        for one in found.load
        if from_row <= one.row < to_row and one.bucket <= last and one.bucket + timedelta(days=one.days) > first
    ]
    return Bars(None, shown)


def _on_lines(served: Served) -> _OnLines:
    now, calendar = everything(served), served.chain_thread.settings.calendar
    hours = None if now.plan is None else table_of_run(served, now.plan.run, "hours")
    return once(now.rows, "gantt", lambda: _placed(now, hours, calendar))


def _placed(now: OrdersNow, hours: pa.Table | None, calendar: Calendar) -> _OnLines:
    """hours: of the last plan."""
    rows = now.rows
    is_open = pc.or_(pc.equal(rows["state"], "proposed"), pc.greater(rows["to_come_units"], 0.0))
    rows = rows.select((*SHOWN, "kind", "to_come_units")).filter(pc.and_(is_open, pc.equal(rows["kind"], "make")))
    line = pc.fill_null(rows["line"], "")
    counted = pc.value_counts(line.combine_chunks()).to_pylist()
    counts = {one["values"]: one["counts"] for one in counted}
    names = sorted(counts, key=lambda name: (name == "", name))
    rows = rows.append_column("row", pc.index_in(line, pa.array(names, pa.string())).cast(pa.int64()))
    rows = rows.append_column("until", pc.coalesce(rows["counted_on"], rows["due"]))
    today = calendar.local_date(now.as_of)
    first = pc.min(rows["start"]).as_py() or today
    last = pc.max(rows["until"]).as_py() or today
    told = Lines([Line(name, counts[name]) for name in names], first, last, today)
    return _OnLines(rows, told, _load(hours, calendar, rows, names))


def _load(hours: pa.Table | None, calendar: Calendar, rows: pa.Table, names: Sequence[str]) -> list[Load]:
    """By line and bucket of the last plan."""
    if hours is None:
        return []
    starts = sorted(set(hours["bucket"].to_pylist()))
    begun = rows.group_by(["row", "start"], use_threads=False).aggregate([("order", "count")]).to_pylist()
    orders: dict[tuple[int, date], int] = {}
    for one in begun:
        at = (one["row"], calendar.bucket_start(one["start"]))
        orders[at] = orders.get(at, 0) + one["order_count"]
    shares = {}
    for one in hours.to_pylist():
        there = one["available_hours"]
        used = one["run_hours"] + one["setup_hours"] + one["under_way_hours"]
        shares[one["line"], one["bucket"]] = used / there if there > 0 else None
    return [
        Load(row, bucket, calendar.bucket_days, orders.get((row, bucket), 0), shares.get((name, bucket)))
        for row, name in enumerate(names)
        for bucket in starts
    ]
