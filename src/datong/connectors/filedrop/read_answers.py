"""What a sheet or CSV file that came back says of orders: its rows as reports."""

import csv
import io
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cache, reduce
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook

from datong.connectors.filedrop.answer_phrases import (
    Said,
    Spoken,
    day_of,
    is_conditional,
    is_day_by_speech,
    is_only_received,
    is_perhaps_refused,
    is_reason_alone,
    meant,
    moment_of,
    names_later_day,
    numbers_of,
    said,
    said_of_rest,
    says_half,
    two_numbers,
    units_less,
)
from datong.connectors.filedrop.given_out import without_what_we_gave
from datong.connectors.filedrop.sheet_columns import (
    ANSWER_COLUMNS,
    EXAMPLE,
    ORDER_COLUMNS,
    own_titles,
    plain,
    titles,
)
from datong.connectors.files.csv_rows import DELIMITERS
from datong.connectors.files.old_workbook import OLD_FORMAT, rows_of
from datong.connectors.files.read import cell_text
from datong.connectors.inlet_and_outlet import chain_of
from datong.ledger.counter_offer import AS_ORDERED, Offer
from datong.ledger.order_life import REPORTED, OrderEvent, OrderReport, Shown
from datong.model.calendar import Calendar
from datong.model.findings import Finding, Severity, finding, has_errors
from datong.model.flow import OrderState
from datong.model.fractional_units import other_container, other_unit
from datong.model.words import Message, message, visible

# Columns in which an order says by when it is to be done.
_ASKED_FOR = ("due", "arrives_on")
_READ = ("order", *ANSWER_COLUMNS, "key", *_ASKED_FOR, "product", "units", "unit")
_EXAMPLES = frozenset(EXAMPLE.values())
_NEEDED = ("order", "state")
_UNITS = ("good_units", "scrap_units", "new_units")
_NUMBERS = (*_UNITS, "new_price")
# What need not say when: it holds from the moment at which it came. Units do need to: they are made or come on a day.
_UNDATED = frozenset({"offered", "accepted", "refused", "cancelled", "started", "partly_done"})
# States that an offer turns into one of its own; beside the others it is told besides.
_ANSWERED: tuple[OrderState, ...] = ("offered", "accepted", "refused")
# Work beside which a remark may tell when the rest comes.
_BEGUN: tuple[OrderState, ...] = ("started", "partly_done")
_MOMENT = re.compile(
    r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?"
    r"(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\.\d+)? ?(Z|[+-]\d{2}:?\d{2})?)?"
)


@dataclass(frozen=True)
class Came:
    """A file that came. source: its name. said_at: when it was written, where somebody knows; counterparty: whose place
    it came from, None: the chain's own people; chain: the tag of the chain that reads it ('': any). is_chinese: its
    titles are. given: marks of the words that our sheets gave out, by message number (given_out.py). sent: numbers of
    the messages that went out there."""

    source: str
    content: bytes
    said_at: datetime | None = None
    counterparty: str | None = None
    chain: str = ""
    is_chinese: bool = False
    given: Mapping[str, str] = field(default_factory=dict)
    sent: Container[str] = ()


@dataclass(frozen=True)
class ReportRead:
    """is_for_another: the message numbers in it are all of other chains: it is not for this one. is_keyed: every answer
    has its message number. answered, empty: how many rows of orders say something, and how many nothing."""

    reports: tuple[OrderReport, ...]
    findings: tuple[Finding, ...]
    is_for_another: bool = False
    is_keyed: bool = True
    answered: int = 0
    empty: int = 0


def read_report(came: Came, calendar: Calendar) -> ReportRead:
    """The rows of a file as reports, with a finding for each that cannot be read. Nothing is held against orders."""
    source = came.source
    try:
        table = _table(came.content)
    except (UnicodeDecodeError, csv.Error, ValueError, CalamineError) as error:
        is_book = _is_book(came.content) or source.lower().endswith((".xlsx", ".xls", ".xlsm"))
        rule = "dispatch.unreadable_book" if is_book else "dispatch.unreadable"
        return ReportRead((), (finding("error", rule, source, why=str(error)),))
    if not table:
        return ReportRead((), (finding("error", "dispatch.no_rows", source),))
    table = table[_header_row(table) :]
    header = [plain(cell) for cell in table[0][1]]
    at = {name: next(iter(_places(name, header)), None) for name in _READ}
    missing = [name for name in _NEEDED if at[name] is None]
    if missing:
        there = ", ".join(cell.strip() for cell in table[0][1])
        told = [message(f"dispatch.title.{name}") for name in missing]
        found = (finding("error", "dispatch.no_column", source, missing=what, there=there) for what in told)
        return ReportRead((), tuple(found))
    if _is_cut(came.content, table):
        last = table[-1][0]
        return ReportRead((), (finding("error", "dispatch.cut", source, row=last),))
    if len(table) == 1:
        return ReportRead((), (finding("error", "dispatch.no_rows", source),))
    records = [
        (row, {n: visible(cells[i]).strip() if i is not None and i < len(cells) else "" for n, i in at.items()})
        for row, cells in table[1:]
    ]
    for (_, record), (_, cells) in zip(records, table[1:], strict=True):
        record["reason"] = _remark(header, cells, record["key"], came.given)
    chains = [chain_of(record["key"]) for _, record in records]
    others = [at_row for at_row, chain in enumerate(chains) if came.chain and chain not in (None, came.chain)]
    if others and all(chain not in (None, came.chain) for chain in chains if chain is not None):
        return ReportRead((), (), is_for_another=True)
    findings = _unknown_columns(source, table)
    if others:
        first = records[others[0]][0]
        findings.append(finding("error", "dispatch.other_chain", source, row=first, column="key", count=len(others)))
    records = [record for at_row, record in enumerate(records) if at_row not in set(others)]
    of_orders = [(row, record) for row, record in records if plain(record["order"]) not in _EXAMPLES]
    records = [(row, record) for row, record in of_orders if any(record[name] for name in ANSWER_COLUMNS)]
    empty = sum(bool(record["order"]) for _, record in of_orders) - sum(bool(record["order"]) for _, record in records)
    came = replace(came, is_chinese=any(not cell.isascii() for cell in header))
    reports, problems = _reports(came, records, calendar)
    is_keyed = all(chain_of(record["key"]) is not None for _, record in records)
    found = (*findings, *problems)
    return ReportRead(tuple(reports), found, is_keyed=is_keyed, answered=len(records), empty=empty)


def _reports(
    came: Came, records: Sequence[tuple[int, Mapping[str, str]]], calendar: Calendar
) -> tuple[list[OrderReport], list[Finding]]:
    reports: list[OrderReport] = []
    findings: list[Finding] = []
    numbers = {name: numbers_of([record[name] for _, record in records]) for name in _NUMBERS}
    for at_row, (row, record) in enumerate(records):
        counted = {name: values[at_row] for name, values in numbers.items()}
        told = _Row(came, row, record, counted, calendar)
        events, problems = told.events()
        findings += problems
        is_signed = record["key"] in came.sent and record["order"] in record["key"]
        shown = told.shown()
        reports += [OrderReport(came.source, row, event, came.counterparty, is_signed, shown) for event in events]
    return reports, findings


# What is said of a cell that is no number, where it is not of units so far.
_NO_NUMBER = {"new_price": "bad_price", "new_units": "bad_offered_units"}


class _Row:
    """One row of a file, as what it says."""

    def __init__(
        self,
        came: Came,
        row: int,
        record: Mapping[str, str],
        counted: Mapping[str, float | None],
        calendar: Calendar,
    ) -> None:
        self._came, self._row, self._record, self._calendar = came, row, record, calendar
        self._ordered = numbers_of([record["units"]])[0]
        new_units = counted["new_units"]
        less = None if new_units is not None else units_less(record["new_units"], self._ordered)
        self._counted = {**counted, "new_units": new_units if less is None else less}
        self._order = record["order"].removeprefix("'")  # as a spreadsheet keeps a text that looks like a formula
        self._findings: list[Finding] = []

    def events(self) -> tuple[list[OrderEvent], list[Finding]]:
        """What the row says: an event, and one more for an offer beside news of work. None where it is in doubt."""
        record = self._record
        when = self._when()
        asked = next((m for name in _ASKED_FOR if (m := _moment(record[name], self._calendar)) is not None), None)
        local = self._calendar.local_date
        on, due = (None if moment is None else local(moment[0]) for moment in (when, asked))
        answer = self._answer(Spoken(on, due, self._came.is_chinese, self._ordered))
        if answer is not None and record["happened_at"] and when is None:
            self._problem("bad_moment", "happened_at", value=record["happened_at"])
        elif answer is not None and not record["happened_at"] and (when is None or not self._may_be_undated(answer)):
            state = message(f"dispatch.state.{answer.state or 'offered'}")
            self._problem("no_moment", "happened_at", state=state)
        for name in _NUMBERS:
            if record[name] and self._counted[name] is None:
                self._no_number(name, record[name])
            elif name in _UNITS and (other := other_unit(record[name], record["unit"])) is not None:
                self._problem("other_unit", name, value=record[name], other=other)
        if answer is None or when is None or has_errors(self._findings):
            return [], self._findings
        assumed = None if self._says_when else "happened_at"
        event = OrderEvent(
            self._order,
            answer.state or "offered",
            when[0],
            self._counted["good_units"],
            self._counted["scrap_units"],
            record["reason"] or answer.reason,
            date_only=when[1],
            assumed=assumed,
        )
        if event.state in _ANSWERED:
            return [replace(event, offer=answer.offer)], self._findings
        offer = replace(event, state="offered", good_units=None, scrap_units=None, offer=answer.offer)
        if self._came.said_at is not None and self._came.said_at > offer.happened_at:
            # The row's time is that of the work: what is offered of the rest is said when the file is written.
            offer = replace(offer, happened_at=self._came.said_at, assumed="happened_at", date_only=False)
        return [event, offer] if answer.offer else [event], self._findings

    def shown(self) -> Shown:
        """What the row says that was ordered."""
        product = self._record["product"].removeprefix("'")
        due = next((m for name in _ASKED_FOR if (m := _moment(self._record[name], self._calendar)) is not None), None)
        day = None if due is None else self._calendar.local_date(due[0])
        return Shown(product or None, self._ordered, day)

    @property
    def _says_when(self) -> bool:
        """Of a file that is written again, today is another day."""
        text = self._record["happened_at"]
        return bool(text) and not is_day_by_speech(text)

    def _may_be_undated(self, answer: Said) -> bool:
        told = any(self._record[name] for name in ("good_units", "scrap_units"))
        return (answer.state or "offered") in _UNDATED and not told

    def _no_number(self, name: str, text: str) -> None:
        """A cell that is no number, or could be either of two."""
        either = two_numbers(text)
        if either is None:
            self._problem(_NO_NUMBER.get(name, "bad_units"), name, value=text)
        else:
            many, few = either
            self._problem("two_numbers", name, value=text, many=f"{many:.15g}", few=one_reading(few))

    def _answer(self, spoken: Spoken) -> Said | None:
        """State and offer of the row, of its own columns and of what stands in the column of the state; a remark that
        says nothing but an offer is one, too."""
        record = self._record
        first = said(record["state"], spoken) if record["state"] else Said()
        own = self._own_offer(spoken)
        if first is None or (first.state is None and not first.offer and not own):
            if record["state"] or not self._findings:
                self._unknown_state(record["state"])
            return None
        is_answer = first.state in (None, *_ANSWERED)
        remark = said(record["reason"], spoken) if record["reason"] and is_answer else None
        if first.state in _BEGUN:
            remark, is_doubt = said_of_rest(record["reason"], spoken)
            if is_doubt:
                self._problem("day_of_rest", "reason", value=record["reason"])
                return None
        for column, told in (("state", first), ("reason", remark)):
            if told is not None and told.offer.units is not None:
                other = other_container(record[column], record["unit"])
                if other is not None:
                    self._problem("other_unit", column, value=record[column], other=other)
                    return None
            if told is not None and told.is_by_speech and not self._is_day_sure(column, told.offer.due, spoken):
                return None
        merged = _merged([first.offer, own, AS_ORDERED if remark is None else remark.offer])
        if merged is None:
            self._problem("two_answers", "state", state=record["state"])
            return None
        remarked = record["reason"]
        takes_back = is_conditional(remarked) or names_later_day(remarked, spoken)
        if first.state == "accepted" and not merged and takes_back:
            self._problem("takes_back", "reason", value=record["reason"])
            return None
        if first.is_by_speech or (remark is not None and remark.is_by_speech):
            text = record["state"] if first.is_by_speech else record["reason"]
            self._note("read_as_day", "state" if first.is_by_speech else "reason", value=text, day=str(merged.due))
        return Said(first.state, merged, reason=record["state"] if first.is_by_speech else first.reason)

    def _unknown_state(self, text: str) -> None:
        """A question; where one state alone is near to what was typed, whether that is meant. An offer is written into
        its own columns."""
        states = _listed([message(f"dispatch.state.{state}") for state in REPORTED])
        if not text:
            self._problem("no_state", "state", states=states)
            return
        self._problem("unknown_state", "state", state=text, states=states)
        near, ordered = meant(text), self._ordered
        if near == "partly_done" and ordered is not None and says_half(text):
            words = {"state": message("dispatch.state.partly_done"), "units": ordered // 2, "ordered": ordered}
            self._findings[-1] = replace(self._findings[-1], remedy=message("dispatch.did_you_mean_half", **words))
        elif is_only_received(text):
            self._findings[-1] = replace(self._findings[-1], remedy=message("dispatch.only_received"))
        elif is_reason_alone(text) or is_perhaps_refused(text):
            self._findings[-1] = replace(self._findings[-1], remedy=message("dispatch.reason_alone"))
        elif near is not None:
            rule = "dispatch.did_you_mean_offer" if near == "offered" else "dispatch.did_you_mean"
            remedy = message(rule, state=message(f"dispatch.state.{near}"))
            self._findings[-1] = replace(self._findings[-1], remedy=remedy)

    def _own_offer(self, spoken: Spoken) -> Offer:
        text = self._record["new_due"]
        moment = _moment(text, self._calendar)
        found = day_of(text, spoken) if moment is None else (self._calendar.local_date(moment[0]), False)
        if text and found is None:
            self._problem("bad_day", "new_due", value=text)
        if found is None or (found[1] and not self._is_day_sure("new_due", found[0], spoken)):
            return Offer(self._counted["new_units"], None, self._counted["new_price"])
        return Offer(self._counted["new_units"], found[0], self._counted["new_price"])

    def _is_day_sure(self, column: str, day: date | None, spoken: Spoken) -> bool:
        """Whether a day that is counted from the one on which somebody spoke is known: the row says when that was, or
        it is no later than asked for. The time of a file gets later as it is copied: a later day is asked."""
        if self._says_when or (day is not None and spoken.due is not None and day <= spoken.due):
            return True
        self._problem("which_day", column, value=self._record[column], day=str(day))
        return False

    def _when(self) -> tuple[datetime, bool] | None:
        """When it was said, and whether that is a day alone."""
        text, said_at = self._record["happened_at"], self._came.said_at
        if not text and said_at is not None:
            return said_at, False
        moment = _moment(text, self._calendar)
        if moment is not None or said_at is None:
            return moment
        found = moment_of(text, self._calendar.local_date(said_at), self._came.is_chinese)
        if found is None:
            return None
        day, clock = found
        if clock is None:
            return self._calendar.midnight(day), True
        return datetime.combine(day, clock, self._calendar.zone).astimezone(UTC), False

    def _problem(self, rule: str, column: str, **params: Any) -> None:
        self._say("error", rule, column, **params)

    def _note(self, rule: str, column: str, **params: Any) -> None:
        self._say("note", rule, column, **params)

    def _say(self, severity: Severity, rule: str, column: str, **params: Any) -> None:
        found = finding(severity, f"dispatch.{rule}", self._came.source, row=self._row, column=column, **params)
        self._findings.append(replace(found, subject=self._order or None))


def _places(name: str, header: Sequence[str]) -> list[int]:
    """Where a column stands: under its own titles, then under what people call it."""
    own, every = own_titles(name), titles(name)
    found = [i for i, cell in enumerate(header) if cell in every]
    return sorted(found, key=lambda i: header[i] not in own)


def _remark(header: Sequence[str], cells: Sequence[str], key: str, given: Mapping[str, str]) -> str:
    """What somebody wrote as a remark, in whichever of its columns; nothing of what the sheet gave out itself. Of a
    sheet whose words were not noted, the column in which we write is ours, where there is another for remarks."""
    places = _places("reason", header)
    has_own = bool(places) and header[places[0]] in own_titles("reason")
    told = []
    for i in places:
        text = visible(cells[i]).strip() if i < len(cells) else ""
        is_ours = has_own and key and key not in given and header[i] in own_titles("note")
        left = "" if is_ours else without_what_we_gave(text, key, given)
        told += [left] if left and left not in told else []
    return "; ".join(told)


def _merged(offers: Sequence[Offer]) -> Offer | None:
    """One offer of several that say different parts of it; None where two of them contradict one another."""
    parts = []
    for name in ("units", "due", "price"):
        found = {value for offer in offers if (value := getattr(offer, name)) is not None}
        if len(found) > 1:
            return None
        parts.append(next(iter(found), None))
    return Offer(*parts)


def _listed(words: Sequence[Message]) -> Message:
    return reduce(lambda before, following: message("dispatch.listed", before=before, following=following), words)


def _is_cut(content: bytes, table: Sequence[tuple[int, list[str]]]) -> bool:
    """Whether a text ends in the middle of a row: the last has fewer cells than titles, and no end of line."""
    if _is_book(content) or content.endswith((b"\n", b"\r")):
        return False
    titled = [at for at, cell in enumerate(table[0][1]) if cell.strip()]
    return len(table) > 1 and len(table[-1][1]) <= titled[-1]


def _header_row(table: Sequence[tuple[int, list[str]]]) -> int:
    """The first row with the titles that are needed; in a sheet, how to answer stands above it. 0 where there is none,
    so that what is missing can be told of the first row."""
    for at, (_, cells) in enumerate(table):
        there = {plain(cell) for cell in cells}
        if all(there & titles(name) for name in _NEEDED):
            return at
    return 0


def _unknown_columns(source: str, table: Sequence[tuple[int, list[str]]]) -> list[Finding]:
    """A finding for each column with something in it whose title is none of ours; our examples are nothing."""
    found = []
    rows = [cells for _, cells in table[1:] if not _EXAMPLES & {plain(cell) for cell in cells}]
    for i, title in enumerate(table[0][1]):
        filled = sum(bool("".join(cells[i : i + 1]).strip()) for cells in rows)
        if filled and plain(title) not in _known_titles():
            found.append(finding("warning", "dispatch.unknown_column", source, title=title.strip(), count=filled))
    return found


def _table(content: bytes) -> list[tuple[int, list[str]]]:
    """Rows that are not empty, with their numbers: of the first sheet of a workbook, or of a text in UTF-8 or, as
    Chinese Excel saves it, in GB18030."""
    if _is_book(content):
        values = rows_of(content) if content.startswith(OLD_FORMAT) else _sheet(content)
        texts = [[_cell(value) for value in row] for row in values]
        return [(number, row) for number, row in enumerate(texts, start=1) if any(cell.strip() for cell in row)]
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("gb18030")
    if "\0" in text:
        raise ValueError("NUL")
    first = text.lstrip().split("\n", 1)[0]
    delimiter = max(DELIMITERS, key=first.count)
    rows = csv.reader(text.splitlines(keepends=True), delimiter=delimiter)
    return [(number, row) for number, row in enumerate(rows, start=1) if any(cell.strip() for cell in row)]


def _is_book(content: bytes) -> bool:
    return content.startswith((b"PK", OLD_FORMAT))


def _sheet(content: bytes) -> Sequence[Sequence[object]]:
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0)
    return [] if sheet.start is None else sheet.to_python(skip_empty_area=False)


def _cell(value: object) -> str:
    return one_reading(value) if isinstance(value, float) and not value.is_integer() else cell_text(value) or ""


def one_reading(number: float) -> str:
    """A fraction as a text that is one number alone: with three decimals it might be thousands."""
    text = repr(number)
    return f"{text}0" if re.fullmatch(r"-?\d+\.\d{3}", text) else text


@cache
def _known_titles() -> frozenset[str]:
    """Titles of columns that are read, or that the work-order file has."""
    return frozenset(title for name in (*ORDER_COLUMNS, *ANSWER_COLUMNS) for title in titles(name))


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
        calendar.local_date(moment)  # on the last day of all, it may lie beyond what a date can be
        return moment.astimezone(UTC), False
    except (ValueError, OverflowError):
        return None
