"""Answers in: mails with a sheet, as reports on orders of the firm that the sheet's token binds them to."""

import io
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from python_calamine import CalamineError, CalamineWorkbook

from datong.connectors.email.journal import SentSheet, tokens_in
from datong.connectors.email.kind_of_mail import Letter, UnreadableMail, read_letter, text_of
from datong.connectors.email.mailbox import Head, opened
from datong.connectors.filedrop.read_answers import Came, read_report
from datong.connectors.files.workbook_limits import inspect_open
from datong.ledger.order_life import OrderReport
from datong.model.calendar import Calendar
from datong.model.errors import DatongError
from datong.model.findings import Finding, finding, has_errors
from datong.model.settings import EmailSettings
from datong.model.words import message

# A larger mail is not fetched.
MOST_BYTES = 25 * 1024**2
# Mails without a token that are named one by one.
MOST_NAMED = 3


@dataclass(frozen=True)
class Reader:
    """Who reads. chain: tag of the chain, '': any."""

    calendar: Calendar
    chain: str = ""


@dataclass(frozen=True)
class Taken:
    """A mail that is ours, to be put away once the ledger has it.

    token, firm: of the sheet that it answers. sources: by which its reports and findings call it and its files.
    findings: what could not be read. personal: a person wrote it, and may be answered. message_id: or ''.
    """

    uid: str
    token: str
    firm: str
    sources: tuple[str, ...]
    findings: tuple[Finding, ...]
    personal: bool
    message_id: str


@dataclass(frozen=True)
class CollectedLetters:
    """What came by mail. reports: not yet held against the orders. left: of mails that stay where they are, and of the
    mailbox. validity: of the numbers by which the mailbox knows its mails."""

    reports: tuple[OrderReport, ...]
    taken: tuple[Taken, ...]
    left: tuple[Finding, ...]
    validity: str

    @property
    def findings(self) -> tuple[Finding, ...]:
        return (*self.left, *(f for one in self.taken for f in one.findings))


def collect(
    settings: EmailSettings, password: Callable[[], str], sheets: Mapping[str, SentSheet], reader: Reader
) -> CollectedLetters:
    """Read the mails that are new and those with a token. Nothing is marked: take the reports in, then put the mails
    away. Raises DatongError where the mailbox cannot be read."""
    reports: list[OrderReport] = []
    taken: list[Taken] = []
    left: list[Finding] = []
    strangers: list[str] = []
    validity = ""
    for validity, head, content in _mails(settings, password, left):  # noqa: B007 - the last is kept
        said, one, stays = _heard(head, content, sheets, reader)
        reports += said
        taken += [] if one is None else [one]
        left += [found for found in stays if found.code != "no_token"]
        strangers += [found.source for found in stays if found.code == "no_token"]
    left += _of_strangers(strangers)
    return CollectedLetters(tuple(reports), tuple(taken), tuple(left), validity)


def _mails(
    settings: EmailSettings, password: Callable[[], str], left: list[Finding]
) -> Iterator[tuple[str, Head, bytes | None]]:
    """The mails that may be ours, one by one; None for one too large. Where the connection is lost on the way, what
    came before stands, and `left` says so."""
    seen = False
    try:
        with opened(settings, password, look_only=True) as mailbox:
            for head in mailbox.heads():
                content = None
                if head.size <= MOST_BYTES:
                    content = mailbox.fetch(head.uid)
                    if content is None:
                        left.append(finding("error", "email.not_fetched", _source(head.uid, "?")))
                        continue
                seen = True
                yield mailbox.validity, head, content
    except DatongError as error:
        if not seen:
            raise
        left.append(finding("error", "email.cut_short", settings.folder, why=error.message))


def _of_strangers(sources: Sequence[str]) -> list[Finding]:
    """One finding for all mails that are none of ours."""
    if not sources:
        return []
    some = ", ".join(sources[:MOST_NAMED]) + (" …" if len(sources) > MOST_NAMED else "")
    return [finding("note", "email.no_token", some, rows_affected=len(sources), count=len(sources))]


def _source(uid: str, sender: str) -> str:
    """By which a mail is called: who it says it is from, and its number in the folder."""
    return f"{sender} #{uid}"


def _heard(
    head: Head, content: bytes | None, sheets: Mapping[str, SentSheet], reader: Reader
) -> tuple[tuple[OrderReport, ...], Taken | None, list[Finding]]:
    """What a mail says; how it is to be put away, where it is ours; findings of one that stays where it is."""
    try:
        letter = read_letter(head.header if content is None else content)
    except UnreadableMail as error:
        return (), None, [finding("error", "email.unreadable", _source(head.uid, "?"), why=str(error))]
    source = _source(head.uid, letter.sender)
    given = {key: marks for sheet in sheets.values() for key, marks in sheet.given.items()}
    read = _sheets_read(letter, source, head.arrived_at, reader, given) if letter.kind == "person" else {}
    tokens = letter.tokens | {token for sheet in read.values() for token in sheet.tokens}
    ours = sorted(token for token in tokens if token in sheets)
    firms = sorted({sheets[token].counterparty for token in ours})
    if not ours:
        return (), None, _not_ours(letter, source, read, tokens)
    if len(firms) > 1:
        mixed = finding("error", "email.several_firms", source, count=len(firms))
        return (), Taken(head.uid, ours[0], "", (source, *read), (mixed,), False, letter.message_id), []
    reports, findings = _said(letter, source, read, sheets)
    if content is None:
        size, most = f"{head.size / 1e6:,.0f}", f"{MOST_BYTES / 1e6:,.0f}"
        findings = [finding("error", "email.too_large", source, size=size, most=most)]
    bound = tuple(replace(report, counterparty=firms[0]) for report in reports)
    answerable = letter.kind == "person" and not letter.is_own and not letter.answers_a_reply
    taken = Taken(head.uid, ours[0], firms[0], (source, *read), tuple(findings), answerable, letter.message_id)
    return bound, taken, []


@dataclass(frozen=True)
class _Sheet:
    """A sheet that hangs on a mail. tokens: all that stand anywhere in it."""

    reports: tuple[OrderReport, ...]
    findings: tuple[Finding, ...]
    tokens: frozenset[str]


def _sheets_read(
    letter: Letter, source: str, arrived_at: datetime | None, reader: Reader, given: Mapping[str, str]
) -> dict[str, _Sheet]:
    """The sheets that hang on a mail, by the source that their rows have. given: marks of what ours gave out."""
    read: dict[str, _Sheet] = {}
    for number, attached in enumerate(letter.sheets, start=1):
        name = f"{source} {attached.name}"
        name = name if name not in read else f"{name} ({number})"
        came = Came(name, attached.content, arrived_at, chain=reader.chain, given=given)
        read[name] = _sheet_read(came, reader.calendar)
    return read


def _sheet_read(came: Came, calendar: Calendar) -> _Sheet:
    refused = inspect_open(io.BytesIO(came.content), came.source).refused
    if refused:
        return _Sheet((), refused, frozenset())
    try:
        read = read_report(came, calendar)
    except Exception as error:  # whatever it is, the other mails are to be read
        return _Sheet((), (finding("error", "dispatch.unreadable", came.source, why=repr(error)),), frozenset())
    strange = (finding("error", "email.other_chain", came.source),) if read.is_for_another else ()
    return _Sheet(read.reports, (*read.findings, *strange), tokens_in(_all_text(came.content)))


def _all_text(content: bytes) -> str:
    """Every cell of a workbook's first sheet, or a CSV file as it is; '' of what is neither."""
    if not content.startswith(b"PK"):
        return text_of(content, None)
    try:
        sheet = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0)
    except (CalamineError, ValueError):
        return ""
    return "\n".join(str(cell) for row in sheet.to_python() for cell in row)


def _not_ours(letter: Letter, source: str, read: Mapping[str, _Sheet], tokens: Collection[str]) -> list[Finding]:
    """Of a mail that nothing binds to a firm of this chain. It stays where it is: another chain may know it."""
    if letter.kind == "person" and tokens:
        return [finding("error", "email.unknown_token", source, token=min(tokens))]
    if any(sheet.reports for sheet in read.values()):
        return [finding("error", "email.sheet_without_token", source)]
    return [finding("note", "email.no_token", source, count=1)]


def _said(
    letter: Letter, source: str, read: Mapping[str, _Sheet], sheets: Mapping[str, SentSheet]
) -> tuple[list[OrderReport], list[Finding]]:
    """What the sheets of a mail of one firm say, and what of it cannot be read or is not read."""
    if letter.kind == "bounce":
        return [], [finding("error", "email.bounced", source, words=letter.words or letter.subject)]
    if letter.kind == "automatic":
        return [], [finding("note", "email.automatic", source, words=letter.words or letter.subject)]
    reports: list[OrderReport] = []
    findings: list[Finding] = []
    for name, sheet in read.items():
        strange = sorted(token for token in sheet.tokens if token not in sheets)
        if strange:
            findings.append(finding("error", "email.unknown_token", name, token=strange[0]))
            continue
        reports += sheet.reports
        findings += sheet.findings
    if not reports and not has_errors(findings) and not letter.is_own:
        rule = "email.empty_sheet" if read else "email.no_sheet"
        findings.append(finding("error", rule, source, words=letter.words))
    if letter.others:
        findings.append(finding("warning", "email.other_files", source, names=", ".join(letter.others)))
    return reports, findings


def put_away(
    settings: EmailSettings,
    password: Callable[[], str],
    collected: CollectedLetters,
    findings_of: Mapping[str, Sequence[Finding]],
    answer: Callable[[Taken, Sequence[Finding]], bool],
) -> None:
    """Answer the mails with which something was wrong, and move all that were taken.

    findings_of: what was found as reports were held against the orders, by source. answer: tells a firm; False where it
    could not be told for now. Such a mail stays, to be read again: what it said counts once. Raises DatongError where
    the mailbox cannot be changed.
    """
    if not collected.taken:
        return
    with opened(settings, password, look_only=False) as mailbox:
        if mailbox.validity != collected.validity:
            raise DatongError(message("email.renumbered"))
        stuck = []
        for one in collected.taken:
            found = [*one.findings, *(f for source in one.sources for f in findings_of.get(source, ()))]
            wrong = [f for f in found if f.severity != "note"]
            if wrong and one.personal and not answer(one, wrong):
                continue
            stuck += mailbox.put_away(one.uid, flagged=has_errors(found))
    if stuck:
        raise DatongError(message("email.stuck", count=len(stuck), folder=settings.taken_folder, said=stuck[0]))
