"""E-mail as a way out and a way in (connectors/inlet_and_outlet.py)."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from datong.connectors.email import send_sheets
from datong.connectors.email.answers_in import CollectedLetters, Reader, Taken, collect, put_away
from datong.connectors.email.hand_over_mail import NotHandedOver, Sender
from datong.connectors.email.journal import Journal
from datong.connectors.email.letters import reply_letter
from datong.connectors.email.send_sheets import AddressBook, deliver
from datong.connectors.inlet_and_outlet import Outcome
from datong.model.calendar import Calendar
from datong.model.findings import Finding, by_source
from datong.model.flow import OrderMessage
from datong.model.settings import EmailSettings


@dataclass(frozen=True)
class EmailPost:
    """book: who is written to, and how. journal: what was. password: asked for when a server wants it. chain: tag of
    the chain whose answers are collected; '': of any."""

    settings: EmailSettings
    book: AddressBook
    journal: Journal
    password: Callable[[], str] = field(repr=False)
    chain: str = ""
    name: str = "e-mail"

    def serves(self, counterparty: str) -> bool:
        """Whether a counterparty is reached by e-mail."""
        return counterparty in self.book.firms

    def address(self, counterparty: str) -> str:
        """Where its mails go to."""
        return self.book.firms[counterparty].address

    def waiting(self, messages: Sequence[OrderMessage], run: str) -> tuple[OrderMessage, ...]:
        return send_sheets.waiting(messages, run, self.book, self.journal)

    def anew(self, messages: Sequence[OrderMessage]) -> tuple[OrderMessage, ...]:
        return send_sheets.anew(messages, self.book, self.journal)

    def deliver(self, messages: Sequence[OrderMessage], run: str) -> tuple[Outcome, ...]:
        with closing(Sender(self.settings, self.password)) as sender:
            return deliver(messages, run, self.book, self.journal, sender)

    def collect(self, calendar: Calendar) -> CollectedLetters:
        return collect(self.settings, self.password, self.journal.sheets(), Reader(calendar, self.chain))

    def settle(self, collected: CollectedLetters, answers: Sequence[Finding]) -> None:
        findings_of = by_source(answers)
        with closing(Sender(self.settings, self.password)) as sender:
            put_away(self.settings, self.password, collected, findings_of, lambda *said: self._told(sender, *said))

    def _told(self, sender: Sender, taken: Taken, findings: Sequence[Finding]) -> bool:
        """Tell a firm what was wrong with its answer, at the address that we have of it, whoever wrote. False where it
        cannot be told now; one that has no address any more, or refuses, is not told."""
        answer = f"{taken.token} {taken.uid} {taken.message_id}"
        if not self.serves(taken.firm) or self.journal.is_told(answer):
            return True
        envelope = self.book.envelope(taken.firm)
        try:
            sender.hand_over(envelope.address, reply_letter(envelope, taken.token, taken.message_id, findings))
        except NotHandedOver as error:
            return error.refused
        self.journal.note_told(answer)
        return True
