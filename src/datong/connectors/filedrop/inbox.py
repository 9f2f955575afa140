"""Acknowledgements and reports in: CSV files that a counterparty drops, as rows for the ledger."""

import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, cast, get_args

import pyarrow as pa

from datong.connectors.filedrop.folders import BAD, DONE, INBOX, plain, reachable, titles, write_text
from datong.connectors.files.steady import Looks, looks, read_steadily
from datong.ledger.life import OrderEvent, Standing, advance, events_of_table, in_order, order_events_rows, standing
from datong.ledger.standings import order_standings
from datong.ledger.state import State
from datong.model.calendar import Calendar
from datong.model.errors import Refused
from datong.model.findings import Finding, finding, has_errors
from datong.model.flow import OrderState
from datong.model.words import LANGUAGES, message, say

_COLUMNS = ("order", "state", "good_units", "scrap_units", "happened_at", "reason")
_NEEDED = ("order", "state", "happened_at")
# What a counterparty can say; proposing and releasing are ours.
_REPORTED = tuple(state for state in get_args(OrderState) if state not in ("proposed", "released"))
_MOMENT = re.compile(
    r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?"
    r"(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\.\d+)? ?(Z|[+-]\d{2}:?\d{2})?)?"
)


@dataclass(frozen=True, eq=False)
class Batch:
    """Rows for one table of the ledger, from one file: `ledger.ingest(table, rows, None, (), source, now)`."""

    table: str
    rows: pa.Table
    source: str


@dataclass(frozen=True, eq=False)
class Collected:
    """What lay in an inbox. batches: what to ingest, in this order. files: those that were read, each with its findings
    and its looks then. left: findings of what could not be read and stays where it is.
    """

    folder: Path
    batches: tuple[Batch, ...]
    files: tuple[tuple[Path, tuple[Finding, ...], Looks], ...]
    left: tuple[Finding, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        return (*self.left, *(f for _, findings, _ in self.files for f in findings))


@dataclass(frozen=True)
class _Report:
    """One line of a file, read but not yet held against the order."""

    source: str
    row: int
    event: OrderEvent


def collect(folder: Path, state: State) -> Collected:
    """Read every CSV file in `folder`/inbox against what is known at `state`. Moves nothing: ingest, then `settle`.

    A kill between the two only means that the same files are read again, which changes nothing.
    """
    with reachable(folder):
        inbox = folder / INBOX
        paths = [p for p in inbox.iterdir() if p.suffix.lower() == ".csv"] if inbox.exists() else []
    read: dict[Path, tuple[bytes, Looks]] = {}
    left: list[Finding] = []
    for path in sorted(p for p in paths if not p.name.startswith(".")):
        contents, problems = read_steadily(path, lambda p: ([(p.read_bytes(), looks(p))], []))
        if contents:
            read[path] = contents[0]
        left += problems
    findings: dict[str, list[Finding]] = {}
    reports: list[_Report] = []
    for path, (content, _) in read.items():
        lines, problems = _read(path.name, content, state.settings.calendar)
        reports += lines
        findings[path.name] = problems
    taken, problems = _against_orders(state, reports)
    for problem in problems:
        findings[problem.source].append(problem)
    files = tuple((path, tuple(findings[path.name]), seen) for path, (_, seen) in read.items())
    return Collected(folder, _batches(state, taken), files, tuple(left))


def settle(collected: Collected, language: str) -> None:
    """Move the files away, after what they say was ingested: to done/, or, with an error in them, to bad/.

    Where there are findings, they lie beside the file as text. A mended file may simply be dropped again. A file that
    has changed since it was read stays, to be read again: what it said before is known then.
    """
    with reachable(collected.folder):
        for path, findings, seen in collected.files:
            if not path.exists() or looks(path) != seen:
                continue
            into = collected.folder / (BAD if has_errors(findings) else DONE)
            into.mkdir(parents=True, exist_ok=True)
            place = into / path.name
            number = 1
            while place.exists():
                number += 1
                place = into / f"{path.stem}-{number}{path.suffix}"
            if findings:
                text = "\n".join(f.text(language) for f in findings)
                write_text(place.with_name(f"{place.stem}.findings.txt"), text + "\n")
            path.replace(place)


# reading a file ------------------------------------------------------------------------------------


def _read(source: str, content: bytes, calendar: Calendar) -> tuple[list[_Report], list[Finding]]:
    try:
        table = _table(content)
    except (UnicodeDecodeError, csv.Error, ValueError) as error:
        return [], [finding("error", "dispatch.unreadable", source, why=str(error))]
    if not table:
        return [], [finding("error", "dispatch.no_rows", source)]
    header = [plain(cell) for cell in table[0][1]]
    at = {name: next((i for i, cell in enumerate(header) if cell in titles(name)), None) for name in _COLUMNS}
    there = ", ".join(cell.strip() for cell in table[0][1])
    missing = [name for name in _NEEDED if at[name] is None]
    if missing:
        return [], [
            finding("error", "dispatch.no_column", source, missing=message(f"dispatch.title.{name}"), there=there)
            for name in missing
        ]
    if len(table) == 1:
        return [], [finding("error", "dispatch.no_rows", source)]
    reports, findings = [], []
    for row, cells in table[1:]:
        record = {n: cells[i].strip() if i is not None and i < len(cells) else "" for n, i in at.items()}
        event, problems = _event(source, row, record, calendar)
        findings += problems
        if event is not None:
            reports.append(_Report(source, row, event))
    return reports, findings


def _table(content: bytes) -> list[tuple[int, list[str]]]:
    """Rows that are not empty, with their numbers, in UTF-8 or, as Chinese Excel saves them, in GB18030."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("gb18030")
    if "\0" in text:
        raise ValueError("NUL")
    first = text.lstrip().split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    rows = csv.reader(text.splitlines(keepends=True), delimiter=delimiter)
    return [(number, row) for number, row in enumerate(rows, start=1) if any(cell.strip() for cell in row)]


def _event(
    source: str, row: int, record: Mapping[str, str], calendar: Calendar
) -> tuple[OrderEvent | None, list[Finding]]:
    findings = []

    def problem(rule: str, column: str, **params: Any) -> None:
        findings.append(finding("error", f"dispatch.{rule}", source, row=row, column=column, **params))

    state = _state_words().get(plain(record["state"]))
    if state is None:
        words = ", ".join("/".join(say(f"dispatch.state.{s}", language) for language in LANGUAGES) for s in _REPORTED)
        problem("unknown_state", "state", state=record["state"], states=words)
    when = _moment(record["happened_at"], calendar)
    if when is None:
        problem("bad_moment", "happened_at", value=record["happened_at"])
    units: dict[str, float | None] = {}
    for name in ("good_units", "scrap_units"):
        units[name] = _units(record[name])
        if record[name] and units[name] is None:
            problem("bad_units", name, value=record[name])
    if findings or state is None or when is None:
        return None, findings
    moment, date_only = when
    order = record["order"].removeprefix("'")  # as a spreadsheet keeps a text that looks like a formula
    reason = record["reason"] or None
    event = OrderEvent(order, state, moment, units["good_units"], units["scrap_units"], reason, date_only=date_only)
    return event, findings


def _state_words() -> dict[str, OrderState]:
    words = {plain(state): state for state in _REPORTED}
    for language in LANGUAGES:
        words |= {plain(say(f"dispatch.state.{state}", language)): state for state in _REPORTED}
    return cast(dict[str, OrderState], words)


def _moment(text: str, calendar: Calendar) -> tuple[datetime, bool] | None:
    """A moment in UTC, and whether it was a day alone. Without an offset it is the chain's local time."""
    match = _MOMENT.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, offset = match.groups()
    try:
        if hour is None:
            return calendar.midnight(date(int(year), int(month), int(day))), True
        clock = f"{year}-{int(month):02}-{int(day):02}T{int(hour):02}:{minute}:{second or '00'}{offset or ''}"
        moment = datetime.fromisoformat(clock)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=calendar.zone)
        return moment.astimezone(UTC), False
    except (ValueError, OverflowError):
        return None


def _units(text: str) -> float | None:
    try:
        units = float(text.replace(",", ""))
    except ValueError:
        return None
    return units if math.isfinite(units) and units >= 0 else None


# against the orders --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Taken:
    """A report that goes in, and the units that it adds to what was made or received before."""

    report: _Report
    good_units: float
    scrap_units: float


def _against_orders(state: State, reports: Sequence[_Report]) -> tuple[list[_Taken], list[Finding]]:
    """Hold reports against the orders and all that is known of them, order by order, by when things happened."""
    orders = {row["order"]: row for row in state.table("orders").to_pylist()}
    known = events_of_table(state.table("order_events"))
    stands = order_standings(state)
    yield_share = {row["recipe"]: row["yield_share"] for row in state.table("recipes").to_pylist()}
    taken: list[_Taken] = []
    findings: list[Finding] = []
    by_order: dict[str, dict[str, _Report]] = {}
    for report in reports:
        if report.event.order not in orders:
            findings.append(
                finding(
                    "error",
                    "dispatch.unknown_order",
                    report.source,
                    row=report.row,
                    column="order",
                    order=report.event.order,
                )
            )
        else:
            by_order.setdefault(report.event.order, {}).setdefault(report.event.key, report)
    for order, once in sorted(by_order.items()):
        expected = orders[order]["units"] * yield_share.get(orders[order]["recipe"], 1.0)
        life = _Life(orders[order], list(known.get(order, [])), stands.get(order, Standing()), expected)
        for event in in_order(r.event for r in once.values()):
            life.hear(once[event.key])
        taken += life.taken
        findings += life.findings
    return taken, findings


class _Life:
    """One order, hearing its reports one by one."""

    def __init__(
        self, order: Mapping[str, Any], events: list[OrderEvent], stand: Standing, expected_good_units: float
    ) -> None:
        """expected_good_units: what comes of the units ordered when nobody counts them."""
        self._order = order
        self._events = events
        self._known = {event.key for event in events}
        self._counterparty = next((e.counterparty for e in events if e.state == "released"), None)
        self._expected = expected_good_units
        # Reports give units so far, in all; the most so far is what was made.
        self._good, self._scrap = stand.good_units, stand.scrap_units
        self.taken: list[_Taken] = []
        self.findings: list[Finding] = []

    def hear(self, report: _Report) -> None:
        if report.event.key in self._known:
            return  # said before
        event = replace(report.event, counterparty=self._counterparty, order_event=report.event.key)
        if event.state == "done" and event.good_units is None:
            event = replace(event, good_units=max(self._expected, self._good), assumed="good_units")
        if not self._possible(report, event):
            return
        good, scrap = event.good_units or 0.0, event.scrap_units or 0.0
        self._question_units(report, event)
        self.taken.append(
            _Taken(replace(report, event=event), max(0.0, good - self._good), max(0.0, scrap - self._scrap))
        )
        self._good, self._scrap = max(self._good, good), max(self._scrap, scrap)
        self._events.append(event)

    def _possible(self, report: _Report, event: OrderEvent) -> bool:
        before = standing(e for e in self._events if e.happened_at <= event.happened_at)
        now, then = standing(self._events), standing([*self._events, event])
        try:
            step = advance(before.state or "released", event.state)
            late = now.happened_at is not None and event.happened_at < now.happened_at
            if late and now.state is not None and now.state in _REPORTED and then.state != now.state:
                advance(event.state, now.state)  # late news must not rule out what was said to come after it
        except Refused as refusal:
            self._say("error", "impossible_state", report, "state", problem=refusal.message)
            return False
        if step.note is not None:
            self._say("note", "out_of_order", report, "state", problem=step.note)
        return True

    def _question_units(self, report: _Report, event: OrderEvent) -> None:
        ordered, good = self._order["units"], event.good_units
        if event.assumed:
            self._say("note", "units_assumed", report, "good_units", units=f"{good:g}")
        elif good is not None and good > ordered:
            self._say("warning", "too_many_units", report, "good_units", good_units=f"{good:g}", units=f"{ordered:g}")
        before = standing(e for e in self._events if e.happened_at <= event.happened_at).good_units
        if good is not None and good < before:
            self._say("warning", "fewer_units", report, "good_units", good_units=f"{good:g}", before=f"{before:g}")

    def _say(self, severity: Any, rule: str, report: _Report, column: str, **params: Any) -> None:
        self.findings.append(
            finding(severity, f"dispatch.{rule}", report.source, row=report.row, column=column, **params)
        )


# rows for the ledger -------------------------------------------------------------------------------


def _batches(state: State, taken: Sequence[_Taken]) -> tuple[Batch, ...]:
    """Order events, and what they add to production (work orders), receipts (purchase orders) or shipments (transfer
    orders), file by file.

    The events come last: while one is missing, its report is read again, and units that are in already count once.
    """
    orders = {row["order"]: row for row in state.table("orders").to_pylist()}
    recipes = {row["recipe"]: row for row in state.table("recipes").to_pylist()}
    line_site = {row["line"]: row["site"] for row in state.table("lines").to_pylist()}
    lanes = {row["lane"]: row for row in state.table("lanes").to_pylist()}
    batches = []
    for source in sorted({t.report.source for t in taken}):
        part = sorted((t for t in taken if t.report.source == source), key=lambda t: t.report.row)
        made = [t for t in part if t.good_units > 0 or t.scrap_units > 0]
        production = [_production(t, orders, recipes, line_site) for t in made if _kind(orders, t) == "make"]
        receipts = [_receipt(t, orders) for t in made if _kind(orders, t) == "buy" and t.good_units > 0]
        moved = [_shipment(t, orders, lanes) for t in made if _kind(orders, t) == "move" and t.good_units > 0]
        for table, rows in (("production", production), ("receipts", receipts), ("shipments", moved)):
            if rows:
                batches.append(Batch(table, _typed(rows), source))
        events = order_events_rows([t.report.event for t in part], [t.report.row for t in part])
        batches.append(Batch("order_events", events, source))
    return tuple(batches)


def _kind(orders: Mapping[str, Mapping[str, Any]], taken: _Taken) -> str:
    return orders[taken.report.event.order]["kind"]


def _production(
    taken: _Taken,
    orders: Mapping[str, Mapping[str, Any]],
    recipes: Mapping[str, Mapping[str, Any]],
    line_site: Mapping[str, str | None],
) -> dict[str, Any]:
    order = orders[taken.report.event.order]
    recipe = recipes.get(order["recipe"], {"line": None, "site": None})
    line = order["line"] or recipe["line"]
    return {
        **_common(taken, order),
        "production": taken.report.event.key,
        "line": line,
        "site": recipe["site"] or line_site.get(line),
        "good_units": taken.good_units,
        "scrap_units": taken.scrap_units,
    }


def _receipt(taken: _Taken, orders: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A supplier's units are taken to be here when it says that they are done."""
    event = taken.report.event
    order = orders[event.order]
    return {**_common(taken, order), "receipt": event.key, "site": order["site"], "units": taken.good_units}


def _shipment(
    taken: _Taken, orders: Mapping[str, Mapping[str, Any]], lanes: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """What a transfer reports has left the lane's one end and lies at its other."""
    event = taken.report.event
    order = orders[event.order]
    lane = lanes.get(order["lane"], {"from_site": None, "to_site": None})
    return {
        **_common(taken, order),
        "shipment": event.key,
        "from_site": lane["from_site"],
        "to_site": order["site"] or lane["to_site"],
        "units": taken.good_units,
    }


def _common(taken: _Taken, order: Mapping[str, Any]) -> dict[str, Any]:
    event = taken.report.event
    return {
        "happened_at": event.happened_at,
        "order": event.order,
        "product": order["product"],
        "assumed": event.assumed,
        "__row__": taken.report.row,
        "__date_only__": event.date_only,
    }


def _typed(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    moment = pa.timestamp("us", tz="UTC")
    types = {"happened_at": moment, "good_units": pa.float64(), "scrap_units": pa.float64(), "units": pa.float64()}
    types |= {"__row__": pa.int64(), "__date_only__": pa.bool_()}
    return pa.table({name: pa.array([row[name] for row in rows], types.get(name, pa.string())) for name in rows[0]})
