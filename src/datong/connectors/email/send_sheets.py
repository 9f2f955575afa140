"""Orders out: a mail with a sheet for each counterparty, noted before and after it is handed over."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from itertools import groupby

from datong.connectors.email.hand_over_mail import NotHandedOver, Sender
from datong.connectors.email.journal import Journal, SentSheet
from datong.connectors.email.letters import Envelope, order_letter, sheet_with_token
from datong.connectors.filedrop.given_out import given_out, with_more
from datong.connectors.filedrop.order_sheet import Known
from datong.connectors.inlet_and_outlet import Delivered, Outcome, Refused, Unreachable, unreachable
from datong.model.errors import DatongError
from datong.model.flow import OrderMessage
from datong.model.words import message


@dataclass(frozen=True)
class Firm:
    """A counterparty that is reached by e-mail. language: of its mails. name: as it is shown."""

    address: str
    language: str
    name: str


@dataclass(frozen=True)
class AddressBook:
    """Who writes to whom. again: counterparties that get what is not answered yet once more."""

    sender: str
    firms: Mapping[str, Firm]
    known: Known
    again: Collection[str] = field(default=())

    def envelope(self, counterparty: str) -> Envelope:
        """The header of a mail that goes out now."""
        firm = self.firms[counterparty]
        return Envelope(self.sender, firm.address, firm.language, formatdate())


@dataclass(frozen=True)
class _Due:
    """A sheet to be handed over. before: as the journal has it; None: not at all."""

    sheet: SentSheet
    messages: tuple[OrderMessage, ...]
    before: SentSheet | None

    def keys(self) -> tuple[str, ...]:
        return tuple(m.key for m in self.messages)


def deliver(
    messages: Sequence[OrderMessage], run: str, book: AddressBook, journal: Journal, sender: Sender
) -> tuple[Outcome, ...]:
    """Mail the messages that did not go out yet; those of firms without an address are not ours.

    What may have arrived (the connection was lost as it was handed over) goes out again under the same Message-ID and
    token, marked as a repeat. What an address refused is not sent to it again, unless `book.again` names the firm.
    """
    done: list[Outcome] = []
    try:
        due = list(_due(messages, run, book, journal))
    except DatongError as error:
        return unreachable((m for m in messages if m.counterparty in book.firms), error.message)
    for one in due:
        if _is_refused(one, book):
            done.append(Refused(one.sheet.counterparty, one.keys(), one.sheet.why or message("email.refused_before")))
            continue
        done.append(_handed_over(one, book, journal, sender))
    return tuple(done)


def waiting(
    messages: Sequence[OrderMessage], run: str, book: AddressBook, journal: Journal
) -> tuple[OrderMessage, ...]:
    """The messages that `deliver` would mail."""
    due = [one for one in _due(messages, run, book, journal) if not _is_refused(one, book)]
    return tuple(m for one in due for m in one.messages)


def anew(messages: Sequence[OrderMessage], book: AddressBook, journal: Journal) -> tuple[OrderMessage, ...]:
    """Messages that were refused, or never got beyond an open sheet, and everything of firms that are to get it again.
    All of them where the journal cannot be read: `deliver` says so."""
    ours = tuple(m for m in messages if m.counterparty in book.firms)
    try:
        is_out = {key for sheet in journal.sheets().values() if sheet.state == "out" for key in sheet.keys}
    except DatongError:
        return ours
    return tuple(m for m in ours if m.key not in is_out or m.counterparty in book.again)


def _due(messages: Sequence[OrderMessage], run: str, book: AddressBook, journal: Journal) -> Iterator[_Due]:
    """Sheets with something that is not out, by counterparty: those that are open, as they were, then what is new."""
    sheets = journal.sheets()
    sheet_of_key = {key: sheet for sheet in sheets.values() for key in sheet.keys}
    ours = {m.key: m for m in messages if m.counterparty in book.firms}
    ordered = sorted(ours.values(), key=lambda m: (m.counterparty, m.order.start, m.order.order, m.key))
    for counterparty, group in groupby(ordered, key=lambda m: m.counterparty):
        address = book.firms[counterparty].address
        by_token: dict[str, list[OrderMessage]] = {}
        fresh = []
        for one in group:
            sheet = sheet_of_key.get(one.key)
            if sheet is None:
                fresh.append(one)
            elif sheet.state != "out" or counterparty in book.again:
                by_token.setdefault(sheet.token, []).append(one)
        for token, part in sorted(by_token.items()):
            yield _Due(replace(sheets[token], address=address), tuple(part), sheets[token])
        if fresh:
            keys = tuple(one.key for one in fresh)
            token = journal.token(counterparty, keys)
            yield _Due(SentSheet(token, counterparty, run, keys, "open", address, 0), tuple(fresh), None)


def _is_refused(one: _Due, book: AddressBook) -> bool:
    before = one.before
    if before is None or before.state != "refused" or before.address != one.sheet.address:
        return False
    return before.counterparty not in book.again


def _handed_over(one: _Due, book: AddressBook, journal: Journal, sender: Sender) -> Outcome:
    sheet, firm = one.sheet, book.firms[one.sheet.counterparty]
    envelope = book.envelope(sheet.counterparty)
    given = with_more(sheet.given, given_out(sheet_with_token(sheet, one.messages, envelope.language, book.known)))
    begun = replace(sheet, state="open", tries=sheet.tries + 1, why=None, given=given)
    letter = order_letter(envelope, sheet, one.messages, firm.name, book.known)
    noted: list[SentSheet] = []

    def about_to() -> None:
        journal.note(begun)
        noted.append(begun)

    try:
        try:
            sender.hand_over(firm.address, letter, about_to)
            journal.note(replace(begun, state="out"))
        except NotHandedOver as error:
            if error.refused:
                journal.note(replace(sheet, state="refused", why=error.why))
                return Refused(sheet.counterparty, one.keys(), error.why)
            if noted and not error.perhaps:
                journal.note(replace(sheet, state="open", why=None))
            return Unreachable(sheet.counterparty, one.keys(), error.why)
    except DatongError as error:  # the journal could not be written
        return Unreachable(sheet.counterparty, one.keys(), error.message)
    return Delivered(sheet.counterparty, one.keys(), firm.address)
